//! What route maps of policy routing decide: the ways that an entry offers, and the number by which
//! the packet filter tells routing which of them a packet takes.

use crate::model::{Config, RouteMap, RouteMapEntry, RouteSet};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// A way that an entry offers to its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way<'c> {
    /// `set ip next-hop`
    NextHop(Ipv4Addr),
    /// `set interface`
    Interface(&'c str),
    /// `set ip default next-hop`
    DefaultNextHop(Ipv4Addr),
    /// `set default interface`
    DefaultInterface(&'c str),
}

impl Way<'_> {
    /// Whether only packets take it to whose destination no route leads but the default route.
    pub const fn is_default(&self) -> bool {
        matches!(self, Self::DefaultNextHop(_) | Self::DefaultInterface(_))
    }
}

/// Decisions that have numbers; 0 is none.
pub const MOST: usize = u8::MAX as usize;

/// The name of the interface that drops.
pub const NULL: &str = "Null0";

/// The ways of an entry, in the order in which IOS tries them: next hops, interfaces, and then those
/// that come after explicit routes. An entry without any leaves its packets to the routes.
pub fn ways(entry: &RouteMapEntry) -> Vec<Way<'_>> {
    let mut ways: Vec<Way<'_>> = Vec::new();
    for set in entry.sets.iter().filter(|_| entry.permit) {
        match set {
            RouteSet::NextHop(hops) => ways.extend(hops.iter().copied().map(Way::NextHop)),
            RouteSet::Interface(names) => ways.extend(names.iter().map(|name| Way::Interface(name))),
            RouteSet::DefaultNextHop(hops) => ways.extend(hops.iter().copied().map(Way::DefaultNextHop)),
            RouteSet::DefaultInterface(names) => {
                ways.extend(names.iter().map(|name| Way::DefaultInterface(name)));
            }
            RouteSet::Other(_) => {}
        }
    }
    // what is written stays in its order within a kind
    ways.sort_by_key(|way| match way {
        Way::NextHop(_) => 0,
        Way::Interface(_) => 1,
        Way::DefaultNextHop(_) => 2,
        Way::DefaultInterface(_) => 3,
    });
    ways
}

/// The route maps that packets are routed by, in the order of the configuration.
pub fn maps(config: &Config) -> impl Iterator<Item = &RouteMap> {
    let used = names(config);
    config.route_maps.iter().filter(move |map| used.contains(map.name.as_str()))
}

/// The names of the route maps of `ip policy` and `ip local policy`.
pub fn names(config: &Config) -> BTreeSet<&str> {
    let of_interfaces = config.interfaces.iter().filter_map(|interface| interface.policy.as_ref());
    of_interfaces.chain(&config.local_policy).map(String::as_str).collect()
}

/// The number of each decision, from 1. It depends on what a decision says, so that another one that
/// is added or removed leaves it as it is: while a changed configuration is put in place, no packet is
/// marked for one way and led another. Decisions above [`MOST`] have none.
pub fn numbers(config: &Config) -> BTreeMap<Vec<Way<'_>>, u8> {
    let decisions: BTreeSet<Vec<Way<'_>>> = decisions(config).collect();
    let mut taken: BTreeMap<u8, Vec<Way<'_>>> = BTreeMap::new();
    for decision in decisions {
        let first = u8::try_from(hash(&decision) % MOST as u64).unwrap_or_default();
        let free = (first..u8::MAX).chain(0..first).map(|place| place + 1);
        if let Some(number) = free.into_iter().find(|number| !taken.contains_key(number)) {
            taken.insert(number, decision);
        }
    }
    taken.into_iter().map(|(number, decision)| (decision, number)).collect()
}

/// What the entries of all route maps decide.
pub fn decisions(config: &Config) -> impl Iterator<Item = Vec<Way<'_>>> {
    maps(config).flat_map(|map| &map.entries).map(ways).filter(|ways| !ways.is_empty())
}

/// FNV-1a of what a decision says: the same in every run.
fn hash(decision: &[Way<'_>]) -> u64 {
    let said = format!("{decision:?}");
    said.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn ways_are_tried_in_the_order_of_ios() {
        let text = "route-map R permit 10\n set default interface Null0\n set interface GigabitEthernet0/1 Null0\n\
                    set ip default next-hop 10.0.0.9\n set ip next-hop 10.0.0.2 10.0.0.1\n\
                    route-map R deny 20\n set ip next-hop 10.0.0.3\n";
        let config = parse(text).config;
        let all: Vec<_> = config.route_maps[0].entries.iter().map(ways).collect();
        let hop = |last| Ipv4Addr::new(10, 0, 0, last);
        assert_eq!(
            all[0],
            [
                Way::NextHop(hop(2)),
                Way::NextHop(hop(1)),
                Way::Interface("GigabitEthernet0/1"),
                Way::Interface(NULL),
                Way::DefaultNextHop(hop(9)),
                Way::DefaultInterface(NULL),
            ]
        );
        assert_eq!(all[1], [], "what is denied is routed as ever");
    }

    fn map(name: &str, hops: std::ops::Range<u32>) -> String {
        let entry = |hop: u32| {
            let address = Ipv4Addr::from(0x0a00_0000 + hop);
            format!("route-map {name} permit {}\n set ip next-hop {address}\n", hop + 1)
        };
        hops.map(entry).collect()
    }

    #[test]
    fn a_decision_keeps_its_number_when_others_come_and_go() {
        let with = |maps: &str| parse(&format!("{maps}ip local policy route-map R\n"));
        let many = with(&map("R", 0..40));
        let numbers = numbers(&many.config);
        let different: BTreeSet<u8> = numbers.values().copied().collect();
        assert!(numbers.len() == 40 && different.len() == 40 && !different.contains(&0));
        let fewer = with(&map("R", 5..40));
        let kept =
            self::numbers(&fewer.config).iter().filter(|(of, number)| numbers[*of] == **number).count();
        assert!(kept >= 30, "only {kept} of 35 keep their numbers");
        // the same decision is one, and a map that nothing uses decides nothing
        let twice = with(&format!("{}{}", map("R", 0..2), map("S", 0..9)));
        assert_eq!(self::numbers(&twice.config).len(), 2);
        let full = with(&map("R", 0..300));
        assert_eq!(self::numbers(&full.config).len(), MOST);
    }
}
