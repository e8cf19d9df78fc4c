//! From which sources packets may belong in a tunnel, and which table of routes is looked up for
//! each. Pure.
//!
//! A crypto access list names both sides. A packet whose source is in none, as it is or as
//! `ip nat` may translate it, cannot match one: no rule leads it to the tunnels, and the kernel
//! forwards it. The tables hold more than the access lists permit, never less: `deny` lines,
//! protocols, ports and route maps do not count here.

use crate::base::family::v4;
use hubward_config::model::{
    Config, NatGlobal, NatRule, NatSelect, NatTo, RouteMap, RouteMatch, StaticNatPair, Wildcard,
};
use hubward_linux::marks::{CAPTURE_TABLES, TABLE};
use hubward_linux::owned::{capture_from, capture_own, exemption};
use hubward_linux::rule::{Family, Rule};
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::flow::tables;
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// How many sources have a rule of their own. Each packet of the machine passes all rules; of more
/// sources, the destination alone decides.
pub(crate) const MOST_SOURCES: usize = 64;

/// Sources, as the fewest networks in order; `0.0.0.0/0` is any.
type Nets = Vec<Ipv4Net>;

/// What a line of `ip nat inside source` may make of a source.
#[derive(Clone, Debug)]
struct Translation {
    local: Nets,
    /// `None`: not known.
    global: Option<Vec<AddressRange>>,
}

/// The tables by the sources of the packets that they are looked up for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    translations: Vec<Translation>,
    tables: BTreeMap<Nets, u32>,
    /// The destination alone decides.
    any: bool,
}

impl Sources {
    /// From the translations of a configuration, with the addresses that its interfaces have.
    pub(crate) fn new(config: &Config, addresses: impl Fn(&str) -> Vec<Ipv4Addr>) -> Self {
        let of_interface = |name: &str| {
            let found = addresses(name);
            (!found.is_empty()).then(|| found.into_iter().map(host).collect())
        };
        let translations = config.nat.rules.iter().map(|rule| match rule {
            NatRule::Static(rule) => {
                let of = |global: &NatGlobal| match global {
                    NatGlobal::Address(address) => Some(vec![host(*address)]),
                    NatGlobal::Interface(name) => of_interface(name),
                };
                match &rule.what {
                    StaticNatPair::Host { local, global } | StaticNatPair::Port { local, global, .. } => {
                        Translation { local: vec![Ipv4Net::from(*local)], global: of(global) }
                    }
                    StaticNatPair::Network { local, global } => {
                        let global = vec![AddressRange::prefix(IpNet::V4(*global))];
                        Translation { local: vec![local.trunc()], global: Some(global) }
                    }
                }
            }
            NatRule::Dynamic(rule) => {
                let local = match &rule.which {
                    NatSelect::List(name) => of_list(config, name),
                    NatSelect::RouteMap(name) => of_route_map(config, name),
                };
                let global = match &rule.to {
                    NatTo::Interface(name) => of_interface(name),
                    NatTo::Pool(name) => {
                        let pool = config.nat.pools.iter().find(|pool| pool.name == *name);
                        // without an address nothing is translated, and nothing leaves
                        let ranges = pool.into_iter().flat_map(|pool| &pool.ranges);
                        let of = |(first, last): &(Ipv4Addr, Ipv4Addr)| {
                            AddressRange::new((*first).into(), (*last).into())
                        };
                        Some(ranges.filter_map(of).collect())
                    }
                };
                Translation { local: local.unwrap_or_else(any), global }
            }
        });
        Self { translations: translations.collect(), ..Self::default() }
    }

    /// Gives each set of sources a table: the one that it has by the rules that stand, so that
    /// nothing moves while it is in use. If `any`, the destination alone decides.
    pub(crate) fn assign(
        &mut self,
        locals: impl IntoIterator<Item = AddressRange>,
        standing: &[Rule],
        any: bool,
    ) {
        let locals: BTreeSet<AddressRange> = locals.into_iter().collect();
        let sets: BTreeSet<Nets> = locals.into_iter().map(|local| self.of(local)).collect();
        let by_source = || sets.iter().filter(|set| !is_any(set));
        self.any = any || by_source().map(Vec::len).sum::<usize>() > MOST_SOURCES;
        self.tables = BTreeMap::from([(self::any(), TABLE)]);
        if self.any {
            return;
        }
        let mut stands: BTreeMap<u32, BTreeSet<Ipv4Net>> = BTreeMap::new();
        for rule in standing.iter().filter(|rule| CAPTURE_TABLES.contains(&rule.table)) {
            stands.entry(rule.table).or_default().extend(rule.source.and_then(v4));
        }
        let mut new = Vec::new();
        for set in by_source() {
            let same = |of: &BTreeSet<Ipv4Net>| of.iter().eq(set);
            match stands.iter().find(|(table, of)| **table != TABLE && same(of)) {
                Some((table, _)) => drop(self.tables.insert(set.clone(), *table)),
                None => new.push(set.clone()),
            }
        }
        let taken: BTreeSet<u32> = self.tables.values().copied().collect();
        // a table that is on its way out is used again only if no other is left
        let (free, used): (Vec<u32>, Vec<u32>) = CAPTURE_TABLES
            .filter(|table| !taken.contains(table))
            .partition(|table| !stands.contains_key(table));
        self.tables.extend(new.into_iter().zip(free.into_iter().chain(used)));
    }

    /// The rules that lead packets to the tables, in the order in which they must be added.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        let mut rules = exemption(Family::V4).to_vec();
        for (set, table) in &self.tables {
            if is_any(set) {
                rules.push(capture_from(None, Family::V4, *table));
                continue;
            }
            let from = set.iter().map(|net| capture_from(Some(IpNet::V4(*net)), Family::V4, *table));
            rules.extend(from);
            // the router's own packets often get their source only by their route
            rules.push(capture_own(Family::V4, *table));
        }
        rules
    }

    /// The table for packets from our side of a tunnel; `None`: it has none yet.
    pub(crate) fn table(&self, local: AddressRange) -> Option<u32> {
        match self.any {
            true => Some(TABLE),
            false => self.tables.get(&self.of(local)).copied(),
        }
    }

    /// Whether a packet with this source is looked up among those of our side of a tunnel. Which
    /// sources there are has been assigned.
    pub(crate) fn has(&self, local: AddressRange, source: Ipv4Addr) -> bool {
        self.any || self.of(local).iter().any(|net| net.contains(&source))
    }

    /// The sources of packets that may belong to our side of a tunnel, as they come.
    fn of(&self, local: AddressRange) -> Nets {
        let own: Nets = tables::prefixes([local]).into_iter().filter_map(v4).collect();
        // a side that is not of IPv4 is of no use, and harms nothing
        if own.is_empty() {
            return any();
        }
        let meets = |translation: &&Translation| match &translation.global {
            None => true,
            Some(global) => global.iter().any(|range| range.overlaps(&local)),
        };
        let before = self.translations.iter().filter(meets).flat_map(|one| one.local.iter().copied());
        let all: Nets = own.iter().copied().chain(before).collect();
        let all = Ipv4Net::aggregate(&all);
        if all.len() > MOST_SOURCES { any() } else { all }
    }
}

fn host(address: Ipv4Addr) -> AddressRange {
    AddressRange::host(address.into())
}

fn any() -> Nets {
    vec![Ipv4Net::default()]
}

fn is_any(set: &Nets) -> bool {
    set.first().is_some_and(|net| net.prefix_len() == 0)
}

/// The sources that an access list permits; `None`: they are not known, or too many. A list that is
/// not there permits nothing.
fn of_list(config: &Config, name: &str) -> Option<Nets> {
    let Some(list) = config.acl(name) else { return Some(Nets::new()) };
    let mut sources: BTreeSet<Wildcard> = BTreeSet::new();
    for (_, line) in list.readings(config).filter(|(_, line)| line.permit) {
        if line.unknown.is_some() {
            return None;
        }
        sources.extend(line.patterns.iter().map(|pattern| pattern.source));
    }
    let nets: Option<Vec<_>> = sources.iter().map(|source| source.prefixes(MOST_SOURCES)).collect();
    let nets = Ipv4Net::aggregate(&nets?.concat());
    (nets.len() <= MOST_SOURCES).then_some(nets)
}

/// The sources that a route map permits, likewise.
fn of_route_map(config: &Config, name: &str) -> Option<Nets> {
    let map: Option<&RouteMap> = config.route_maps.iter().find(|map| map.name == name);
    let mut nets = Nets::new();
    for entry in map.iter().flat_map(|map| &map.entries).filter(|entry| entry.permit) {
        let lists = entry.matches.iter().filter_map(|one| match one {
            RouteMatch::Address(names) => Some(names),
            _ => None,
        });
        let lists: Vec<_> = lists.flatten().collect();
        // without a list it permits every source
        lists.first()?;
        for list in lists {
            nets.extend(of_list(config, list)?);
        }
    }
    let nets = Ipv4Net::aggregate(&nets);
    (nets.len() <= MOST_SOURCES).then_some(nets)
}

#[cfg(test)]
#[path = "sources_tests.rs"]
mod tests;
