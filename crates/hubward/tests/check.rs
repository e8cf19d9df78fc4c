//! What `hubward check` prints, by running the program: the screen, the JSON documents, standard
//! input, several files, a closed pipe.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn hubward(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hubward")).args(arguments).output().unwrap()
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    path.to_str().unwrap().to_string()
}

fn written(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_string()
}

const SECRET: &str = "Zq9xDistinct7Secret";

/// A little of everything that a router's configuration has.
fn of_everything(interfaces: u8) -> String {
    let mut text = format!(
        "version 15.7\nservice nagle\nhostname HQ\nenable secret 0 {SECRET}\naaa new-model\n\
         aaa authentication login X local\nusername ada password 0 {SECRET}\nlogin block-for 120 attempts 5 within 60\n\
         crypto isakmp policy 10\n encr 3des\n group 2\n\
         crypto isakmp key {SECRET} address 0.0.0.0 0.0.0.0\n\
         crypto isakmp client configuration group G\n key {SECRET}\n pool STAF\n max-logins 2\n\
         crypto ipsec transform-set T esp-aes esp-sha-hmac\n\
         crypto map M 10 ipsec-isakmp\n set peer 198.51.100.20\n set transform-set T\n match address VPN\n\
         crypto mapp M 20 ipsec-isakmp\n\
         ip local pool STAFF 10.1.1.100 10.1.1.120\n\
         ip access-list extended VPN\n permit ip 10.1.1.0 0.0.0.255 10.2.0.0 0.0.255.255\n\
         interface Loopback0\n ip address 10.255.0.1 255.255.255.255\n\
         interface GigabitEthernet0/0\n ip address 203.0.113.2 255.255.255.248\n ip nat outside\n \
         ip inspect FW in\n crypto map M\n\
         interface Tunnel7\n tunnel source GigabitEthernet0/0\n\
         router ospf 1\n network 10.0.0.0 0.255.255.255 area 0\n\
         ip nat inside source list 1 interface GigabitEthernet0/0 overload\n\
         ip nat outside source static 203.0.113.9 10.9.9.9\n\
         access-list 1 permit 10.1.1.0 0.0.0.255\n\
         snmp-server community {SECRET} RO\nntp server 192.0.2.1\nfrobnicate it\n"
    );
    for number in 1..=interfaces {
        text.push_str(&format!(
            "interface GigabitEthernet1/{number}\n ip address 10.1.{number}.1 255.255.255.0\n ip nat inside\n duplex auto\n"
        ));
    }
    text
}

/// 500 lines of configuration are two screens, and no line of it is wider than the screen.
#[test]
fn a_long_configuration_fits_two_screens() {
    let folder = tempfile::tempdir().unwrap();
    let text = of_everything(120);
    assert!(text.lines().count() > 500);
    let file = written(&folder, "hq.cfg", &text);
    let done = hubward(&["check", &file]);
    let told = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(1), "{told}");
    assert!(told.lines().count() <= 80, "{} lines:\n{told}", told.lines().count());
    // a path is as long as it is
    let wide = told.lines().find(|line| line.chars().count() > 80 && !line.contains("hq.cfg"));
    assert_eq!(wide, None, "{told}");
    for part in [
        "Tunnel7: does not exist here",
        "NAT (nat): 1 line (",
        "Stateful firewall (inspect): 1 line (",
        "Routing protocols: 1 line (",
        "`crypto map M`?)",
        "STAFF?)",
        "Hardware: 120 lines (",
        "--allow-unenforced nat",
        "--without Tunnel7",
    ] {
        assert!(told.contains(part), "{part}:\n{told}");
    }
    assert!(!told.contains(SECRET), "{told}");
    let all = String::from_utf8(hubward(&["check", "--all", &file]).stdout).unwrap();
    assert!(all.lines().count() > 500 && all.contains("info[inert]: `duplex auto`"), "{all}");
    assert!(!all.contains(SECRET));
}

/// The fields of a table of the document, by its heading.
fn documented(heading: &str) -> BTreeSet<String> {
    let document = include_str!("../../../docs/check-json.md");
    let section = document.split("\n## ").find(|section| section.starts_with(heading)).expect(heading);
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(field, _)| field.to_string()).collect()
}

fn fields(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_json_document_has_the_documented_fields_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let (top, codes) = (documented("The document"), documented("Codes"));
    let lists = [
        ("verdicts", documented("`verdicts`")),
        ("refused", documented("`refused`, `allowed`")),
        ("allowed", documented("`refused`, `allowed`")),
        ("findings", documented("`findings`")),
        ("lines", documented("`lines`")),
    ];
    let mut met = BTreeSet::new();
    for (file, options) in [
        (example("hub.cfg"), &[][..]),
        (example("spoke.cfg"), &[]),
        (written(&folder, "all.cfg", &of_everything(2)), &[]),
        (
            written(&folder, "allowed.cfg", &of_everything(2)),
            &["--allow-unenforced", "nat", "--without", "Tunnel7"],
        ),
        (written(&folder, "prose", "Dear colleague,\nthe router is in the cellar.\n"), &[]),
        ("/nowhere/at/all".to_string(), &[]),
    ] {
        let done = hubward(&[&["check", "--json", &file][..], options].concat());
        let text = String::from_utf8(done.stdout).unwrap();
        assert!(!text.contains(SECRET) && done.stderr.is_empty(), "{text}");
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(fields(&value), top, "{file}");
        assert_eq!(value["status"].as_i64(), done.status.code().map(i64::from), "{file}");
        assert_eq!(value["check"].as_str(), Some(file.as_str()));
        for (list, wanted) in &lists {
            for row in value[list].as_array().unwrap() {
                assert_eq!(&fields(row), wanted, "{file}: {list}");
                met.insert(*list);
                if let Some(code) = row.get("code").and_then(Value::as_str) {
                    assert!(codes.contains(code), "{code} is not in docs/check-json.md");
                }
            }
        }
    }
    assert_eq!(met.len(), lists.len(), "each list had a row: {met:?}");
}

#[test]
fn several_files_and_standard_input_have_a_document_each_and_the_worst_status() {
    let folder = tempfile::tempdir().unwrap();
    let good = example("hub.cfg");
    let differs = written(&folder, "b.cfg", "hostname A\nrouter ospf 1\n");
    let refused = written(&folder, "c.cfg", "interface FastEthernet0/0\n ip inspect FW in\n");
    for (files, status) in [
        (vec![&good, &differs], 3),
        (vec![&differs, &refused, &good], 1),
        (vec![&refused, &differs], 1),
        (vec![&good, &good], 0),
    ] {
        let files: Vec<&str> = files.into_iter().map(String::as_str).collect();
        let done = hubward(&[&["check", "--json"][..], &files].concat());
        assert_eq!(done.status.code(), Some(status), "{files:?}");
        let text = String::from_utf8(done.stdout).unwrap();
        let names: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["check"].as_str().unwrap().to_string())
            .collect();
        assert_eq!(names, files);
        let done = hubward(&[&["check"][..], &files].concat());
        let text = String::from_utf8(done.stdout).unwrap();
        assert!(files.iter().all(|file| text.contains(&format!("== {file} =="))), "{text}");
    }
    // one that cannot be read keeps no other from being told
    let done = hubward(&["check", "/nowhere/at/all", &good]);
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stdout).contains(": works"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubward"));
    command.args(["check", "--json", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hostname A\nrouter ospf 1\n").unwrap();
    let done = child.wait_with_output().unwrap();
    let value: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((done.status.code(), value["check"].as_str()), (Some(3), Some("standard input")));
    assert_eq!(value["command"].as_str(), Some("hubward run FILE"));
}

/// `check FILE | head` panicked once.
#[test]
fn a_closed_pipe_ends_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "a.cfg", &of_everything(2));
    for arguments in [
        &["check", "--all", &file][..],
        &["check", &file],
        &["check", "--json", &file],
        &["check", "/nowhere/at/all"],
        &["run", "--help"],
        &["--help"],
        &["guard", "/nowhere/at/all"],
        &["release"],
        &["frobnicate"],
    ] {
        for closed in [">&-", "| true", "2>&1 | true", ">/dev/full 2>/dev/full"] {
            let script =
                format!("exec 2>\"$log\" 3>\"$status\"; {{ \"$0\" \"$@\"; echo status $? >&3; }} {closed}");
            let (status, log) = (folder.path().join("status"), folder.path().join("log"));
            let done = Command::new("sh")
                .args(["-c", &script, env!("CARGO_BIN_EXE_hubward")])
                .args(arguments)
                .env("status", &status)
                .env("log", &log)
                .output()
                .unwrap();
            let told = std::fs::read_to_string(&log).unwrap() + &String::from_utf8_lossy(&done.stderr);
            assert!(!told.contains("panicked"), "{arguments:?} {closed}: {told}");
            let status = std::fs::read_to_string(&status).unwrap();
            assert!(!status.contains("status 101"), "{arguments:?} {closed}: {status}");
        }
    }
}
