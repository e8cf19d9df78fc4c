//! The number of instructions is the same whatever the key and the data: counted by valgrind, so
//! that a branch or a loop that depends on either would show. (The code itself ensures that no
//! memory access depends on them: there are no look-ups.)
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// An example, built.
fn build(name: &str) -> PathBuf {
    // `cargo ci` sets this: it has compiled all examples, and for this one alone cargo would
    // compile all that it needs again
    if std::env::var_os("HUBWARD_EXAMPLES_BUILT").is_none() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments = ["build", "--quiet", "--locked", "--package", "hubward-crypto", "--example", name];
        assert!(Command::new(cargo).args(arguments).status().unwrap().success());
    }
    // beside this test's own folder
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples").join(name)
}

/// How many instructions it takes.
fn instructions(program: &Path, what: &str, number: usize) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([what, &(100 + number).to_string()])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {said}", program.display());
    let counted =
        said.lines().find_map(|line| line.split("Collected : ").nth(1)).unwrap_or_else(|| panic!("{said}"));
    counted.trim().parse().unwrap()
}

/// Whether instructions can be counted here.
fn counts() -> bool {
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("HUBWARD_REQUIRE").is_none(),
            "valgrind is not installed, and HUBWARD_REQUIRE is set"
        );
        println!("skipped: valgrind is not installed");
        return false;
    }
    true
}

/// Hashes of IKE, keys, check values of ESP and passwords: a stranger who could see how far a
/// compare got would find the right value byte by byte.
#[test]
fn a_compare_takes_as_many_instructions_wherever_the_difference_is() {
    if !counts() {
        return;
    }
    let program = build("compare_once");
    for (what, last) in [("hash", 23), ("secret", 23), ("type0", 23), ("type7", 23), ("icv", 15)] {
        let differs = |at: usize| instructions(&program, what, 900 + at * 10 + 1);
        let mut counts = vec![differs(0), differs(last / 2), differs(last)];
        // a packet that verifies is decrypted as well
        if what != "icv" {
            counts.push(instructions(&program, what, 900));
        }
        assert!(counts[0] > 100_000, "{what}: {counts:?}");
        assert!(counts.iter().all(|count| *count == counts[0]), "{what}: {counts:?}");
    }
}

#[test]
fn des_takes_as_many_instructions_for_every_key_and_all_data() {
    if !counts() {
        return;
    }
    let program = build("des_once");
    // valgrind 3.19 knows no AVX-512
    let mut widths = vec!["64"];
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        widths.push("256");
    }
    for width in widths {
        let counts: Vec<u64> = (0..6).map(|number| instructions(&program, width, number)).collect();
        assert!(counts[0] > 1_000_000, "{counts:?}");
        assert!(counts.iter().all(|count| *count == counts[0]), "width {width}: {counts:?}");
    }
}
