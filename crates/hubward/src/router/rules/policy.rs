//! `ip policy route-map` and `ip local policy route-map`: a packet that an entry of the route map means
//! is marked with the number of what the entry decides, and `machine/policy.rs` has a routing table for
//! each number. The first entry that matches decides; what it denies, and what none matches, is routed
//! as ever.

use super::counter;
use super::list::Lists;
use super::nat::entry_rules;
use super::packets;
use super::site::Site;
use super::text::{base, chain, marked};
use hubward_config::model::{Config, EntryTerms, RouteMap};
use hubward_config::policy_routing::{maps, numbers, ways};
use hubward_linux::marks::{CLEAR_MARK, POLICY_MASK, POLICY_SHIFT};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What a router takes itself is not routed by policy.
const TAKEN: &str = "fib daddr type { local, broadcast, multicast } return";

pub(super) fn chains(site: &Site<'_>, lists: &mut Lists<'_>) -> Vec<String> {
    let mut chains = Vec::new();
    let mut by_name: BTreeMap<&str, String> = BTreeMap::new();
    for (place, map) in maps(site.config).enumerate() {
        let name = format!("policy_{place}");
        chains.extend(of_map(site, lists, map, &name));
        by_name.insert(&map.name, name);
    }
    // a route map that is not there leaves everything to the routes
    let chain_of = |map: &Option<String>| by_name.get(map.as_deref()?).cloned();
    let mut jumps = vec![TAKEN.to_owned()];
    for (interface, link) in site.interfaces() {
        jumps.extend(chain_of(&interface.policy).map(|map| format!("iifname {link} jump {map}")));
    }
    // what comes out of a tunnel came in by the interface that has the crypto map
    let inner = site.crypto().find_map(|(interface, _)| chain_of(&interface.policy));
    let inner = site.tun().zip(inner);
    jumps.extend(inner.map(|(tun, map)| format!("iifname {tun} jump {map}")));
    if jumps.len() > 1 {
        chains.push(base("by_policy", "type filter hook prerouting priority -95; policy accept;", &jumps));
    }
    if let Some(map) = chain_of(&site.config.local_policy) {
        // what leaves the data plane in clear came from elsewhere
        let clear = format!("{} return", marked(CLEAR_MARK));
        let rules = ["oifname \"lo\" return".to_owned(), clear, TAKEN.to_owned(), format!("jump {map}")];
        chains.push(base("local_policy", "type route hook output priority -150; policy accept;", &rules));
    }
    chains.extend(sources(site));
    chains
}

/// The chain of a route map, behind those of what its entries decide.
fn of_map(site: &Site<'_>, lists: &mut Lists<'_>, map: &RouteMap, name: &str) -> Vec<String> {
    let numbers = numbers(site.config);
    let mut chains = Vec::new();
    let mut rules = Vec::new();
    // from the last one: each entry refers to the one behind it
    for (place, entry) in map.entries.iter().enumerate().rev() {
        let then = format!("{name}_{}", entry.sequence);
        rules = entry_rules(site, lists, entry, (place, rules), &then);
        if !entry.permit {
            continue;
        }
        let counter = counter::of_entry(&map.name, entry.sequence);
        let mut decides = vec![format!("counter name \"{counter}\"")];
        lists.counters.insert(counter);
        if let Some(number) = numbers.get(&ways(entry)) {
            let number = u32::from(*number) << POLICY_SHIFT;
            decides.push(format!("meta mark set meta mark & {:#010x} | {number:#010x}", !POLICY_MASK));
        }
        // the entries behind it are not asked
        decides.push("accept".into());
        chains.push(chain(&then, &decides));
    }
    chains.push(chain(name, &rules));
    chains
}

/// Where a decision leads out by a crypto interface, answers come in by it, and its reverse path filter
/// must let them pass. What is behind a tunnel still comes in protected only.
fn sources(site: &Site<'_>) -> Option<String> {
    let tun = site.tun()?;
    let links: Vec<String> = site.crypto().map(|(_, link)| link).collect();
    let none = numbers(site.config).is_empty() || links.is_empty();
    if none || has_peer_behind_tunnel(site.config) {
        return None;
    }
    let links = packets::set(links.into_iter());
    let rules = [format!("iifname {links} fib saddr oifname {tun} drop")];
    Some(base("policy_sources", "type filter hook prerouting priority -145; policy accept;", &rules))
}

/// Whether a crypto access list leads to a peer, or everywhere: ESP comes from there.
fn has_peer_behind_tunnel(config: &Config) -> bool {
    let static_maps = config.maps.iter().flat_map(|map| &map.entries);
    let dynamic_maps = config.dynamic_maps.iter().flat_map(|map| &map.entries);
    let terms = static_maps.clone().map(|entry| &entry.terms).chain(dynamic_maps.map(|entry| &entry.terms));
    let lists = terms.filter_map(|terms: &EntryTerms| {
        let name = terms.acl.as_ref()?;
        config.acls.iter().find(|list| list.name == *name)
    });
    let peers: Vec<IpAddr> = static_maps.flat_map(|entry| entry.peers.iter().copied()).collect();
    lists.flat_map(|list| list.permitted_destinations(config)).any(|(_, net)| {
        let holds = |peer: &IpAddr| matches!(peer, IpAddr::V4(peer) if net.contains(peer));
        net.prefix_len() == 0 || peers.iter().any(holds)
    })
}
