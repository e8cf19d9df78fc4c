//! What a fragment costs does not depend on the order in which fragments arrive: counted in
//! instructions by valgrind, for as many fragments as a message may have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn build(name: &str) -> PathBuf {
    // `cargo ci` sets this: it has compiled all examples
    if std::env::var_os("HUBWARD_EXAMPLES_BUILT").is_none() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments = ["build", "--quiet", "--locked", "--package", "hubward-proto", "--example", name];
        assert!(Command::new(cargo).args(arguments).status().unwrap().success());
    }
    // beside this test's own folder
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples").join(name)
}

/// How many instructions the fragments of an order take, with what comes before them.
fn instructions(program: &Path, order: &str) -> u64 {
    // the size of the environment counts too
    let output = Command::new("valgrind")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .arg(order)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {said}", program.display());
    // each message becomes whole once, and is refused then
    let refusals = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(refusals, if order == "none" { "0 refusals" } else { "4 refusals" }, "{order}");
    let counted =
        said.lines().find_map(|line| line.split("Collected : ").nth(1)).unwrap_or_else(|| panic!("{said}"));
    counted.trim().parse().unwrap()
}

#[test]
fn no_order_of_fragments_costs_much_more_than_another() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("HUBWARD_REQUIRE").is_none(),
            "valgrind is not installed, and HUBWARD_REQUIRE is set"
        );
        println!("skipped: valgrind is not installed");
        return;
    }
    let program = build("fragments_once");
    let nothing = instructions(&program, "none");
    let forward = instructions(&program, "forward") - nothing;
    println!("forward: {} instructions for each fragment", forward / 128);
    for order in ["backward", "last-first", "outside-in", "odd-even", "repeated"] {
        let count = instructions(&program, order) - nothing;
        let fragments = if order == "repeated" { 256 } else { 128 };
        println!("{order}: {} instructions for each fragment", count / fragments);
        // for each fragment at most a third more than in order
        assert!(count * 128 * 3 <= forward * fragments * 4, "{order}: {count}, forward {forward}");
    }
}
