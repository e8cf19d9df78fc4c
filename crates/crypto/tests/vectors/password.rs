//! The hashes that hashcat publishes for Cisco's password types.

use crate::{Test, read};
use hubward_crypto::password::verify;
use std::path::Path;

pub(crate) fn tests() -> Vec<Test> {
    vec![("cisco_password_types", types)]
}

fn types(folder: &Path) {
    let mut kinds = Vec::new();
    for line in read(&folder.join("cisco-password-types.txt")).lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let (mode, password, stored) = (fields[0], fields[2], fields[3]);
        let kind = match mode {
            "00500" => 5,
            "05700" => 4,
            "09200" => 8,
            "09300" => 9,
            _ => panic!("unknown mode {mode}"),
        };
        assert_eq!(verify(kind, stored, password.as_bytes()), Ok(true), "type {kind}");
        assert_eq!(verify(kind, stored, b"another"), Ok(false), "type {kind}");
        kinds.push(kind);
    }
    kinds.sort_unstable();
    assert_eq!(kinds, [4, 5, 8, 9]);
}
