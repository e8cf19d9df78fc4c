//! The exit status of `check` and `run`, and the options that they print, by running the program.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn hubward(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hubward")).args(arguments).output().unwrap()
}

fn code(arguments: &[&str]) -> Option<i32> {
    hubward(arguments).status.code()
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    path.to_str().unwrap().to_string()
}

/// A file of a folder that is gone at the end.
fn written(folder: &tempfile::TempDir, name: &str, text: &[u8]) -> String {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

#[test]
fn a_configuration_that_is_held_as_a_whole_is_0() {
    for name in ["hub.cfg", "spoke.cfg"] {
        let done = hubward(&["check", &example(name)]);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        assert_eq!(done.status.code(), Some(0), "{text}");
        let first = text.lines().next().unwrap_or_default();
        assert!(first.ends_with(": works"), "the tunnels come first: {first}");
    }
    for asked in [["--help"], ["--version"]] {
        assert_eq!(code(&asked), Some(0));
    }
    assert_eq!(code(&["check", "--help"]), Some(0));
}

/// Prose, an empty file and random bytes are not configurations: one sentence, and 1.
#[test]
fn what_is_no_configuration_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let random: Vec<u8> =
        (0..4096_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (name, text) in [
        ("prose", b"Dear colleague,\nthe router is in the cellar.\nKind regards\n".as_slice()),
        ("empty", b""),
        ("blank", b"\n\n!\n"),
        ("random", &random),
        ("json", b"{\"interface\": 1}\n"),
    ] {
        let done = hubward(&["check", &written(&folder, name, text)]);
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{name}: {told}");
        assert!(told.contains("is not an IOS configuration") && told.lines().count() == 1, "{name}: {told}");
    }
}

#[test]
fn what_does_not_start_is_1_and_with_the_printed_options_3() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\
interface FastEthernet0/0
 ip address 198.51.100.2 255.255.255.0
 ip inspect FW in
 ip nat outside
interface FastEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip nat inside
interface Tunnel7
 tunnel source FastEthernet0/0
 tunnel destination 203.0.113.7
 tunnel protection ipsec profile P
crypto isakmp client configuration group REMOTE-USERS
 key 6 AbCdEf
 max-logins 1
line vty 0 4
 authorization exec CONSOLE
ip nat outside source static 203.0.113.9 10.9.9.9
";
    let file = written(&folder, "a router's.cfg", text.as_bytes());
    let done = hubward(&["check", &file]);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(1), "{told}");
    // a shell joins the lines of the command
    let told = told.replace("\\\n", "");
    let line =
        told.lines().find_map(|line| line.strip_prefix("start it with: ")).expect("the options are printed");
    for part in ["--without Tunnel7", "--without 'group REMOTE-USERS'", "--allow-unenforced nat"] {
        assert!(line.contains(part), "{line}");
    }
    let checked = line.replacen("hubward run", "\"$0\" check", 1);
    let done = Command::new("sh").args(["-c", &checked, env!("CARGO_BIN_EXE_hubward")]).output().unwrap();
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(done.status.code(), Some(3), "{told}");
    assert!(!told.contains("start it with"), "{told}");
    // one of them less, and it does not start
    let less = checked.replace(" --without Tunnel7", "");
    let done = Command::new("sh").args(["-c", &less, env!("CARGO_BIN_EXE_hubward")]).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
}

#[test]
fn what_starts_and_differs_is_3() {
    let folder = tempfile::tempdir().unwrap();
    for text in [
        "hostname A\nrouter ospf 1\n",
        "hostname A\nip cef\nfrobnicate\n",
        "hostname A\ncrypto map M 10 ipsec-isakmp\n",
        // what leads by no link is unreachable
        "ip route 10.78.0.0 255.255.0.0 Dialer1\n",
        "ip route 10.78.0.0 255.255.0.0 Serial0/0\n",
        "ip route 10.78.0.0 255.255.0.0 Vlan9\n",
        "ip route 10.78.0.0 255.255.0.0 NVI0\n",
        "ip route 10.78.0.0 255.255.0.0 GigabitEthernet0/9\n",
        "interface Vlan1\n ip address 10.40.0.1 255.255.0.0\n",
    ] {
        assert_eq!(code(&["check", &written(&folder, "a.cfg", text.as_bytes())]), Some(3), "{text}");
    }
}

/// The same command line can be checked and run.
#[test]
fn with_the_links_that_are_named_the_check_is_0() {
    let folder = tempfile::tempdir().unwrap();
    let text = "interface Vlan1\n ip address 10.40.0.1 255.255.0.0\nip route 10.78.0.0 255.255.0.0 Vlan1\n";
    let file = written(&folder, "a.cfg", text.as_bytes());
    assert_eq!(code(&["check", &file]), Some(3));
    assert_eq!(code(&["check", &file, "--map", "Vlan1=br0"]), Some(0));
    assert_eq!(
        code(&["check", &example("hub.cfg"), "--map", "FastEthernet0/0=a", "--map", "FastEthernet0/1=b"]),
        Some(0)
    );
}

/// Runs a program of the shell in a network namespace of its own with the cards eth0 and eth1; `$0`
/// is Hubward, `$1` a folder.
fn in_a_namespace(folder: &tempfile::TempDir, script: &str) -> String {
    let root = rustix::process::geteuid().is_root();
    let cards = "for n in 0 1; do ip link add eth$n type veth peer name p$n && ip link set p$n up; done; ip link set lo up; \
                 run() { file=$1; shift; \"$hubward\" run $file --state $dir/state --socket $dir/sock \"$@\" 2>$dir/log; }; ";
    let done = Command::new("unshare")
        .args(if root { &["--net"][..] } else { &["--map-root-user", "--net"] })
        .args(["sh", "-c", &format!("hubward=$0; dir=$1; {cards}{script}"), env!("CARGO_BIN_EXE_hubward")])
        .arg(folder.path())
        .output()
        .unwrap();
    String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr)
}

/// What may change without an operator is retried by the supervisor; the rest is not.
#[test]
fn a_refused_configuration_is_1_and_a_machine_that_is_not_ready_75() {
    let folder = tempfile::tempdir().unwrap();
    let held = "interface FastEthernet0/0\n ip address 198.51.100.2 255.255.255.0\n";
    for (text, map, wanted) in [
        (held.to_string(), "FastEthernet0/0=eth9", 75),
        (held.to_string(), "FastEthernet0/9=eth0", 64),
        (held.to_string(), "FastEthernet0/0", 64),
        (format!("{held} ip inspect FW in\n"), "FastEthernet0/0=eth0", 1),
        // that it is refused counts more
        (format!("{held} ip inspect FW in\n"), "FastEthernet0/0=eth9", 1),
        ("Dear colleague,\n".to_string(), "FastEthernet0/0=eth0", 1),
    ] {
        let file = written(&folder, "a.cfg", text.as_bytes());
        let told = in_a_namespace(&folder, &format!("run {file} --map {map}; echo status $?; cat $dir/log"));
        assert!(told.contains(&format!("status {wanted}\n")), "{text}{map}: {told}");
    }
}

/// A tunnel on a Dialer to which `--map` gives a link works, and the exit status of `run` shows it.
#[test]
fn with_the_links_that_are_named_the_run_is_0() {
    let folder = tempfile::tempdir().unwrap();
    let text = "\
crypto isakmp policy 10
 authentication pre-share
 encr aes
 group 14
crypto isakmp key k address 203.0.113.10
crypto ipsec transform-set AES esp-aes esp-sha-hmac
access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
crypto map M 10 ipsec-isakmp
 set peer 203.0.113.10
 set transform-set AES
 match address 101
interface Dialer1
 ip address 198.51.100.2 255.255.255.248
 crypto map M
interface Vlan1
 ip address 10.1.0.1 255.255.0.0
ip route 0.0.0.0 0.0.0.0 Dialer1
";
    let file = written(&folder, "a.cfg", text.as_bytes());
    for (map, wanted) in [("--map Dialer1=eth0 --map Vlan1=eth1", 0), ("--map Dialer1=eth0", 3)] {
        let script = format!(
            "\"$hubward\" run {file} --state $dir/state --socket $dir/sock {map} 2>$dir/log & \
             for n in $(seq 100); do grep -q 'is ready' $dir/log && break; sleep 0.1; done; \
             ip route get 10.1.0.9 2>&1; kill -TERM $!; wait $!; echo status $?; cat $dir/log"
        );
        let told = in_a_namespace(&folder, &script);
        assert!(told.contains(&format!("status {wanted}\n")), "{map}: {told}");
        // the network of an interface without a link does not follow the default route
        let led = told.lines().next().unwrap_or_default();
        assert_eq!(led.contains("dev eth1"), wanted == 0, "{map}: {told}");
        assert!(!led.contains("dev eth0"), "{map}: {told}");
    }
}

#[test]
fn wrong_use_is_64() {
    let hub = example("hub.cfg");
    for wrong in [
        &["check"][..],
        &["check", &hub, "--frobnicate"],
        &["frobnicate"],
        &["run"],
        &["exec"],
        &["check", &hub, "--without", "Tunnel7"],
        &["check", &hub, "--allow-unenforced", "nta"],
        &["check", &hub, "--allow-unenforced"],
        &["run", &hub, "--allow-unenforced", "@/nowhere/at/all"],
        &["run", &hub, "--map", "GigabitEthernet0/0"],
        &["check", &hub, "--map", "GigabitEthernet0/0"],
        &["check", &hub, "--map", "FastEthernet9/9=eth0"],
        &["check", &hub, "--map", "Tunnel1=eth0"],
    ] {
        assert_eq!(code(wrong), Some(64), "{wrong:?}");
    }
    assert_eq!(code(&["check", "/nowhere/at/all"]), Some(1), "that is right use, and there is no such file");
}
