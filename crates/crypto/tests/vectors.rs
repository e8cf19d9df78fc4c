//! The algorithms against independent data: Wycheproof, NIST's CAVS lists, RFC test cases, ESP
//! packets of DPDK and password hashes.
//!
//! The data is found by `HUBWARD_VECTORS` (see CONTRIBUTING.md). Without it the tests are reported
//! as ignored; with a folder that is not what it should be they fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "vectors/esp.rs"]
mod esp;
#[path = "vectors/nist.rs"]
mod nist;
#[path = "vectors/password.rs"]
mod password;
#[path = "vectors/wycheproof.rs"]
mod wycheproof;

use libtest_mimic::{Arguments, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A test that reads the data folder.
pub(crate) type Test = (&'static str, fn(&Path));

/// Bytes of a string of hexadecimal digits, which may be grouped by white space.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of hexadecimal digits: {text}");
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A file's text.
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of JSON.
pub(crate) fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A member that is text.
pub(crate) fn text<'a>(value: &'a serde_json::Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let folder = std::env::var_os("HUBWARD_VECTORS").map(PathBuf::from);
    let tests = [wycheproof::tests(), nist::tests(), esp::tests(), password::tests()].concat();
    let trials = tests
        .into_iter()
        .map(|(name, test)| match folder.clone() {
            Some(folder) => Trial::test(name, move || {
                test(&folder);
                Ok(())
            }),
            None => Trial::test(format!("{name} (not run: HUBWARD_VECTORS is not set)"), || Ok(()))
                .with_ignored_flag(true),
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
