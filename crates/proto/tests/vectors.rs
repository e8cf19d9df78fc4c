//! The codecs and the key derivation against data from other sources: NIST's CAVS lists, published
//! aggressive-mode hashes, transcripts with keys, recorded negotiations of real peers, and packets
//! that broke other programs.
//!
//! The data is found by `HUBWARD_VECTORS` and `HUBWARD_CAPTURES` (see CONTRIBUTING.md). Without
//! them the tests are reported as ignored; with a folder that is not as expected they fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "vectors/captures.rs"]
mod captures;
#[path = "vectors/keys.rs"]
mod keys;
#[path = "vectors/listening.rs"]
mod listening;
#[path = "vectors/malformed.rs"]
mod malformed;
#[path = "vectors/packets.rs"]
mod packets;
#[path = "support/peer.rs"]
mod peer;
mod support;
#[path = "vectors/transcript.rs"]
mod transcript;
#[path = "vectors/wireshark.rs"]
mod wireshark;

use libtest_mimic::{Arguments, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// A test that reads a data folder.
pub(crate) type Test = (&'static str, fn(&Path));

/// Bytes of a string of hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = text.trim().as_bytes();
    assert!(digits.len().is_multiple_of(2), "an odd number of hexadecimal digits: {text}");
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A file's text; a compressed one (`.gz`) is unpacked.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return bytes;
    }
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut out)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    out
}

/// The entries of a folder, sorted by name.
pub(crate) fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    entries
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let mut add = |variable: &str, tests: Vec<Test>| {
        let folder = std::env::var_os(variable).map(PathBuf::from);
        for (name, test) in tests {
            trials.push(match folder.clone() {
                Some(folder) => Trial::test(name, move || {
                    test(&folder);
                    Ok(())
                }),
                None => Trial::test(format!("{name} (not run: {variable} is not set)"), || Ok(()))
                    .with_ignored_flag(true),
            });
        }
    };
    add("HUBWARD_VECTORS", keys::tests());
    add("HUBWARD_VECTORS", wireshark::tests());
    add("HUBWARD_VECTORS", malformed::tests());
    add("HUBWARD_VECTORS", listening::tests());
    add("HUBWARD_CAPTURES", captures::tests());
    libtest_mimic::run(&arguments, trials).exit_code()
}
