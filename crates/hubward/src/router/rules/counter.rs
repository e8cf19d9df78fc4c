//! The names of counters in the kernel: a line keeps its count wherever it stands in its list, as
//! long as it says the same.

use hubward_config::acl::written;
use hubward_config::model::{Acl, AclEntry};
use std::collections::BTreeSet;

/// The counters of a list's entries, in their order; remarks have none.
pub(crate) fn names(list: &Acl) -> Vec<Option<String>> {
    let mut used = BTreeSet::new();
    list.entries.iter().map(|entry| (!entry.is_remark()).then(|| name(list, entry, &mut used))).collect()
}

/// Lines that say the same are told apart by their order.
fn name(list: &Acl, entry: &AclEntry, used: &mut BTreeSet<String>) -> String {
    let said = format!("{}\n{}", list.name, written(entry, list.kind));
    let first = format!("line_{:016x}", fnv(said.as_bytes()));
    let mut name = first.clone();
    let mut number = 1;
    while !used.insert(name.clone()) {
        number += 1;
        name = format!("{first}_{number}");
    }
    name
}

/// The counter of an entry of a route map.
pub(crate) fn of_entry(map: &str, sequence: u16) -> String {
    format!("entry_{:016x}", fnv(format!("{map}\n{sequence}").as_bytes()))
}

/// FNV-1a: the same in every run and every version of the program.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
