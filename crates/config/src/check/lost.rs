//! What a change of the configuration would take from tunnels in use.

use super::names::{Reference, references};
use crate::model::{Config, EntryTerms};

/// The names that a tunnel in use needs, that a new configuration does not define, and that were
/// defined in the old one: such a change would end tunnels by accident. A filter of an interface
/// may lose its list: until there is one again every packet passes, as on IOS.
pub fn lost(old: &Config, new: &Config) -> Vec<Reference> {
    let before = references(old);
    let was_whole = |lost: &Reference| {
        let same = || before.iter().filter(|known| known.owner == lost.owner && known.what == lost.what);
        same().next().is_some() && same().all(|known| known.exists)
    };
    let is_lost = |one: &Reference| !one.exists && one.in_use && !one.is_filter() && was_whole(one);
    references(new).into_iter().filter(is_lost).collect()
}

/// What parts of the VPN in use would lose the last of although they stay themselves: a crypto map
/// entry that was whole its peers, transform sets, access list or that list's last `permit`; a
/// keyring its keys; a profile its `match identity`. As sentences. Whoever means to end a tunnel
/// removes the whole entry.
pub fn emptied(old: &Config, new: &Config) -> Vec<String> {
    let applied = |config: &Config, map: &str| {
        config.interfaces.iter().any(|interface| interface.crypto_map.as_deref() == Some(map))
    };
    let permits = |config: &Config, terms: &EntryTerms| {
        let list = terms.acl.as_ref().and_then(|name| config.acls.iter().find(|acl| acl.name == *name));
        list.is_some_and(|acl| acl.readings(config).any(|(_, line)| line.permit))
    };
    let is_list = |config: &Config, name: &String| config.acls.iter().any(|acl| acl.name == *name);
    let mut out = Vec::new();
    let mut lose = |owner: String, part: &str| out.push(format!("{owner} would lose its last {part}"));
    let mut dynamic_in_use = Vec::new();
    for map in old.maps.iter().filter(|map| applied(old, &map.name) && applied(new, &map.name)) {
        let now = new.maps.iter().find(|other| other.name == map.name);
        for entry in &map.entries {
            dynamic_in_use.extend(&entry.dynamic);
            let now = now.and_then(|now| now.entries.iter().find(|now| now.sequence == entry.sequence));
            let Some(now) = now.filter(|now| now.dynamic.is_none() && entry.dynamic.is_none()) else {
                continue;
            };
            // one that is still being typed has no tunnel to lose
            if entry.peers.is_empty() || entry.terms.transform_sets.is_empty() || !permits(old, &entry.terms)
            {
                continue;
            }
            let owner = || format!("crypto map {} {}", map.name, entry.sequence);
            if now.peers.is_empty() {
                lose(owner(), "`set peer`");
            }
            if now.terms.transform_sets.is_empty() {
                lose(owner(), "`set transform-set`");
            }
            match &now.terms.acl {
                None => lose(owner(), "`match address`"),
                Some(name) if is_list(new, name) && !permits(new, &now.terms) => {
                    lose(format!("access list {name} of {}", owner()), "`permit`");
                }
                Some(_) => {}
            }
        }
    }
    for map in old.dynamic_maps.iter().filter(|map| dynamic_in_use.contains(&&map.name)) {
        let now = new.dynamic_maps.iter().find(|other| other.name == map.name);
        for entry in map.entries.iter().filter(|entry| !entry.terms.transform_sets.is_empty()) {
            let now = now.and_then(|now| now.entries.iter().find(|now| now.sequence == entry.sequence));
            let Some(now) = now else { continue };
            let owner = || format!("crypto dynamic-map {} {}", map.name, entry.sequence);
            if now.terms.transform_sets.is_empty() {
                lose(owner(), "`set transform-set`");
            }
            if let Some(name) = &now.terms.acl
                && is_list(new, name)
                && !permits(new, &now.terms)
                && (entry.terms.acl.is_none() || permits(old, &entry.terms))
            {
                lose(format!("access list {name} of {}", owner()), "`permit`");
            }
        }
    }
    // a peer may come to any of them
    if old.interfaces.iter().any(|i| i.crypto_map.as_ref().is_some_and(|map| applied(new, map))) {
        for keyring in old.keyrings.iter().filter(|keyring| !keyring.keys.is_empty()) {
            if new.keyrings.iter().any(|now| now.name == keyring.name && now.keys.is_empty()) {
                lose(format!("crypto keyring {}", keyring.name), "key");
            }
        }
        for profile in old.profiles.iter().filter(|profile| !profile.matches.is_empty()) {
            if new.profiles.iter().any(|now| now.name == profile.name && now.matches.is_empty()) {
                lose(format!("crypto isakmp profile {}", profile.name), "`match identity`");
            }
        }
    }
    out
}
