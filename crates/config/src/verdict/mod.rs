//! What becomes of each tunnel, client group and peer that a configuration describes: whether it
//! works here, how it differs, or that it does not exist here, and then which networks it would
//! have carried.
//!
//! What is reported of a tunnel and what is made unreachable in its place come from the same
//! [`Verdict`], so that neither can be forgotten.

mod barren;
pub(crate) mod defined;
mod entry;
mod group;
pub(crate) mod kinds;
pub(crate) mod lines;
mod link;
mod networks;
mod nulls;
mod orphan;
mod other;
mod outcome;
mod peer_keys;
pub(crate) mod ways;
mod world;

pub use kinds::{has_no_link, takes_card};
pub use networks::Flow;
pub(crate) use networks::{closes_more, less_flows};
pub use outcome::{Outcome, Reason, Verdict};

use crate::acl::{Pattern, read};
use crate::model::{Acl, AclEntry, Config, EntryTerms, MapEntry};
use crate::parsed::Parsed;
use lines::blocks;
use std::collections::BTreeMap;
use world::World;

/// The verdicts of a configuration as [`parse`](crate::parse()) gives it, in the order of their
/// lines; each name once.
pub fn verdicts(parsed: &Parsed) -> Vec<Verdict> {
    let world = World::new(parsed, blocks(parsed));
    let mut all = entry::verdicts(&world);
    all.extend(group::verdicts(&world));
    all.extend(other::verdicts(&world));
    all.extend(link::verdicts(&world));
    all.extend(orphan::verdicts(&world));
    all.sort_by_key(|verdict| verdict.line);
    let mut out: Vec<Verdict> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for verdict in all {
        let place = *places.entry(verdict.name.clone()).or_insert(out.len());
        match out.get_mut(place) {
            Some(known) => known.join(verdict),
            None => out.push(verdict),
        }
    }
    out
}

/// What an access list selects, as far as its lines say no more than addresses. `None` if a line
/// that denies says more: then it is not known what is left.
pub(crate) fn selected(config: &Config, acl: &Acl) -> Option<Vec<Flow>> {
    let is_plain = |entry: &&AclEntry| {
        read(config, entry).is_some_and(|line| {
            let plain = |one: &Pattern| {
                one.is_addresses() && one.source.prefix().is_some() && one.destination.prefix().is_some()
            };
            line.is_exact() && line.patterns.iter().all(plain)
        })
    };
    if acl.readings(config).any(|(entry, line)| !line.permit && !is_plain(&entry)) {
        return None;
    }
    let entries = acl.entries.iter().filter(is_plain).cloned().collect();
    Some(networks::permitted(config, &Acl { entries, ..acl.clone() }))
}

/// Removes the named tunnels from a configuration and makes unreachable what they would have
/// carried, as well as what idle tunnels would carry. Interfaces in a VRF are shut, because there
/// is only the global table. Returns the names that have no verdict.
pub fn leave_out(config: &mut Config, verdicts: &[Verdict], without: &[String]) -> Vec<String> {
    for verdict in verdicts {
        let named = without.contains(&verdict.name);
        if named {
            take_out(config, &verdict.name);
        }
        if named || verdict.idle {
            config.closed.flows.extend(verdict.flows.iter().copied());
            config.closed.private |= verdict.unknown;
        }
    }
    config.closed.flows.sort();
    config.closed.flows.dedup();
    for interface in config.interfaces.iter_mut().filter(|interface| interface.vrf.is_some()) {
        interface.shutdown = true;
    }
    let known = |name: &&String| verdicts.iter().any(|verdict| verdict.name == **name);
    config.chosen.without = without.iter().filter(known).cloned().collect();
    without.iter().filter(|name| !known(name)).cloned().collect()
}

/// The crypto map entry, the dynamic one, the group or the interface with MACsec of a name. What
/// else has verdicts is not in the model.
fn take_out(config: &mut Config, name: &str) {
    if let Some(group) = name.strip_prefix("group ") {
        // without its configuration its clients would be those of the group `default`
        let falls_back = group != "default" && config.group_for("default").is_some();
        config.groups.retain_mut(|known| {
            if known.name == group {
                known.key = None;
            }
            known.name != group || falls_back
        });
        return;
    }
    link::shut(config, name);
    let Some((map, sequence)) = name.rsplit_once('/') else { return };
    let Ok(sequence) = sequence.parse::<u16>() else { return };
    for known in config.maps.iter_mut().filter(|known| known.name == map) {
        part_from_dynamic(&mut known.entries, sequence);
        known.entries.retain_mut(|entry| {
            if entry.sequence != sequence || entry.dynamic.is_some() {
                return true;
            }
            entry.peers.clear();
            keep_list(&mut entry.terms)
        });
    }
    for known in config.dynamic_maps.iter_mut().filter(|known| known.name == map) {
        for entry in known.entries.iter_mut().filter(|entry| entry.sequence == sequence) {
            let offers = (entry.terms.transform_sets.clone(), entry.terms.pfs);
            if !keep_list(&mut entry.terms) {
                // without a list it selected peers by their profile and proposal, so it refuses
                // them by these
                (entry.terms.transform_sets, entry.terms.pfs) = offers;
            }
        }
    }
}

/// Splits an entry that refers to a dynamic map and has lines of its own into two of the same
/// number: the one with the lines first, because the missing entry was before the dynamic one. The
/// dynamic map is served as before.
fn part_from_dynamic(entries: &mut Vec<MapEntry>, sequence: u16) {
    let both =
        |entry: &MapEntry| entry.sequence == sequence && entry.dynamic.is_some() && entry.has_own_terms();
    let Some(place) = entries.iter().position(both) else { return };
    let Some(entry) = entries.get_mut(place) else { return };
    let own = MapEntry { dynamic: None, ..entry.clone() };
    entry.peers.clear();
    entry.terms = EntryTerms::default();
    entries.insert(place, own);
}

/// Leaves of an entry the access list and the profile alone: without the list, the next entry with
/// a wider one would carry the packets, to another peer. Tells whether there is one.
fn keep_list(terms: &mut EntryTerms) -> bool {
    let (acl, profile) = (terms.acl.take(), terms.profile.take());
    *terms = EntryTerms { acl, profile, left_out: true, ..EntryTerms::default() };
    terms.acl.is_some()
}

#[cfg(test)]
mod tests;
