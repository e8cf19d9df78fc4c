//! A disk that is full or read-only, for the configuration, the state folder and the log alike, by
//! running the program on a small file system of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;

/// The gateway runs; `x LINE` gives it a command. `$dir/disk` is the small file system.
const SETTING: &str = r#"
hubward=$0; dir=$1
mkdir $dir/disk && mount -t tmpfs -o size=1m tmpfs $dir/disk || exit 77
for n in 0 1; do ip link add eth$n type veth peer name p$n && ip link set p$n up; done
ip link set lo up
grep -v "^no logging on" $2 >$dir/original; cp $dir/original $dir/disk/hub.cfg
"$hubward" run $dir/disk/hub.cfg --state $dir/disk/state --socket $dir/sock \
    --map FastEthernet0/0=eth0 --map FastEthernet0/1=eth1 2>>$dir/disk/log >/dev/null &
hub=$!
trap 'kill $hub' EXIT
x() { timeout 20 "$hubward" exec --socket $dir/sock "$@" 2>&1; }
soon() { for i in $(seq 200); do "$@" >/dev/null && return; sleep 0.1; done; echo "never: $*"; false; }
soon x 'show clock'
reloads() { x 'show logging' | grep -c 'the configuration was read again'; }
reloaded_since() { test $(reloads) -gt $1; }
reload() { before=$(reloads); kill -HUP $hub; soon reloaded_since $before; }
alive() { kill -0 $hub && x 'show clock' | grep -q UTC && echo "alive $1"; }
saved() { x 'write memory'; echo "status $?"; cmp $dir/original $dir/disk/hub.cfg && echo "whole $1"; ls -A $dir/disk | grep -q hubward- || echo "clean $1"; }
"#;

/// Runs a script in a namespace of its own; `None` if that is not permitted here, and not required.
fn on_a_small_disk(script: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/hub.cfg");
    let root = rustix::process::geteuid().is_root();
    let done = Command::new("timeout")
        .args(["120", "unshare"])
        .args(if root { &["--net", "--mount"][..] } else { &["--map-root-user", "--net", "--mount"] })
        .args(["sh", "-c", &format!("{SETTING}{script}\ntrap - EXIT; kill $hub; wait $hub; echo end $?")])
        .arg(env!("CARGO_BIN_EXE_hubward"))
        .arg(folder.path())
        .arg(example)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    if !text.contains("alive") {
        assert!(std::env::var_os("HUBWARD_REQUIRE").is_none(), "{text}");
        println!("skipped: no namespaces here: {text}");
        return None;
    }
    Some(text)
}

fn assert_says(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at =
            rest.find(part).unwrap_or_else(|| panic!("`{part}` is missing, or comes too early:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

/// Nothing more fits on the disk, which also has the log: the gateway goes on, `write memory` fails
/// and says so, the old file stays whole and alone, and the log's buffer has what happened. Once
/// there is room, it saves, and its file says that lines are missing.
#[test]
fn a_full_disk_fails_loudly_and_loses_no_configuration() {
    let Some(text) = on_a_small_disk(
        r#"
cat /dev/zero >$dir/disk/filler 2>/dev/null
alive full
saved full
reload
alive reloaded
for i in $(seq 60); do x 'write memory' >/dev/null; done
x 'show logging' | grep -c 'the configuration was not saved'
alive logging
rm $dir/disk/filler
alive room
x 'write memory'; reload; soon grep -q 'could not be written here' $dir/disk/log; grep 'could not be written here' $dir/disk/log
"#,
    ) else {
        return;
    };
    assert_says(
        &text,
        &[
            "alive full\n",
            "% Error writing nvram:startup-config (No space left on device",
            "status 1\n",
            "whole full\n",
            "clean full\n",
            "alive reloaded\n",
            "61\n",
            "alive logging\n",
            "alive room\n",
            "[OK]",
            "lines of the log could not be written here",
            "end 0\n",
        ],
    );
}

/// The same of a disk that somebody mounts read-only, as the kernel does after an error.
#[test]
fn a_read_only_disk_fails_loudly_and_loses_no_configuration() {
    // files that are open for writing keep a file system from becoming read-only, so the folder is
    // covered by a mount that is
    let Some(text) = on_a_small_disk(
        r#"
mount --bind $dir/disk $dir/disk && mount -o remount,bind,ro $dir/disk || exit 77
alive read-only
saved read-only
reload
alive reloaded
umount $dir/disk
x 'write memory'
alive writable
"#,
    ) else {
        return;
    };
    assert_says(
        &text,
        &[
            "alive read-only\n",
            "% Error writing nvram:startup-config (read-only filesystem",
            "status 1\n",
            "whole read-only\n",
            "clean read-only\n",
            "alive reloaded\n",
            "[OK]",
            "alive writable\n",
            "end 0\n",
        ],
    );
}
