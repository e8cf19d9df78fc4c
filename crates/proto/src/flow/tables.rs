//! How the configuration treats cleartext that leaves by a crypto interface, as an immutable table.

use crate::flow::index::SelectorIndex;
use crate::flow::selector::{AddressRange, Flow, Selector};
use crate::names::{InterfaceId, Service};
use crate::policy::{CryptoAcl, EntryTerms, MapEntryKind, Policy};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a port finds the SA for its packets, and therefore which SAs belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lookup {
    /// By the packet's flow: the SAs of crypto maps and clients, by their selectors.
    BySelector,
    /// By the port alone: the newest child SA of this interface, whatever the packet's addresses
    /// are. These are route-based tunnels.
    ByInterface(InterfaceId),
}

/// A packet that waits for an SA.
#[derive(Clone, Debug)]
pub struct Acquire {
    /// The interface by which it would leave.
    pub interface: InterfaceId,
    /// The crypto map entry whose ACL permits it, or the tunnel interface.
    pub service: Service,
    /// Index of the permit line in the entry's ACL; 0 for a tunnel interface.
    pub acl_line: usize,
    /// The packet's flow.
    pub flow: Flow,
}

impl Acquire {
    /// A packet of a port whose SAs are found by its interface.
    fn of_interface(interface: InterfaceId, flow: Flow) -> Self {
        Self { interface, service: Service::Tunnel(interface), acl_line: 0, flow }
    }
}

/// What to do with a packet for which there is no SA.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Keep it and ask for an SA.
    Protect(Acquire),
    /// Drop it; it is never sent in clear.
    Drop,
    /// The configuration does not protect it.
    Clear,
}

/// The policy of all crypto interfaces.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    rules: Vec<Rule>,
    /// The number of crypto interfaces.
    interfaces: usize,
    /// The lines of all rules.
    lines: SelectorIndex<Line>,
    /// The rules that deny something, by their entry; if two interfaces have the same map, that of
    /// the first.
    denying: BTreeMap<Service, u32>,
    /// Whether an entry is incomplete (left out): nothing is negotiated for it, and its packets
    /// must not use an SA of an entry after it.
    closes: bool,
    /// Addresses of client pools: packets to them without an SA are dropped and never sent in
    /// clear.
    pools: Vec<AddressRange>,
    /// The routes; only used if there are several crypto interfaces.
    exits: Vec<Exit>,
    by_exit: SelectorIndex<Option<InterfaceId>>,
}

/// A line by its position: first by the rule, in the order in which rules are tried, then by the
/// line in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    rule: u32,
    line: u32,
    permit: bool,
    /// A `deny` line that distinguishes packets by their ports.
    denies_ports: bool,
}

/// A route: its destination, and the crypto interface by which it leaves; `None` if it leaves by
/// another interface.
pub type Exit = (ipnet::IpNet, Option<InterfaceId>);

#[derive(Clone, Debug)]
struct Rule {
    interface: InterfaceId,
    service: Service,
    acl: Arc<CryptoAcl>,
    initiates: bool,
    /// Nothing is negotiated for the entry: it has neither peers nor transform sets.
    closed: bool,
}

impl Tables {
    /// Builds the tables from the policy and the ranges of `ip local pool`.
    pub fn build(policy: &Policy, pools: Vec<AddressRange>) -> Self {
        let mut rules = Vec::new();
        let mut interfaces = 0;
        for interface in &policy.interfaces {
            let Some(map) = policy.map_of(interface.id) else { continue };
            interfaces += 1;
            let mut add = |terms: &EntryTerms, service: Service, initiates: bool| {
                let closed = !initiates && terms.transform_sets.is_empty();
                rules.extend(terms.acl.clone().map(|acl| Rule {
                    interface: interface.id,
                    service,
                    acl,
                    initiates,
                    closed,
                }));
            };
            for entry in &map.entries {
                match &entry.kind {
                    MapEntryKind::Static { terms, peers } => {
                        let service = Service::entry(Arc::clone(&map.name), entry.sequence);
                        add(terms, service, !peers.is_empty());
                    }
                    MapEntryKind::Dynamic { name, entries } => {
                        for dynamic in entries {
                            let (map, template) = (Arc::clone(&map.name), Arc::clone(name));
                            let service = Service::dynamic(map, entry.sequence, template, dynamic.sequence);
                            add(&dynamic.terms, service, false);
                        }
                    }
                }
            }
        }
        Self::of(rules, interfaces, pools)
    }

    /// `interfaces` is the number of crypto interfaces.
    fn of(rules: Vec<Rule>, interfaces: usize, pools: Vec<AddressRange>) -> Self {
        let (mut lines, mut denying) = (SelectorIndex::default(), BTreeMap::new());
        for (rule, place) in rules.iter().zip(0..) {
            for (line, number) in rule.acl.lines.iter().zip(0..) {
                let denies_ports = !line.permit && line.selector.has_ports();
                lines.insert(
                    &line.selector,
                    Line { rule: place, line: number, permit: line.permit, denies_ports },
                );
            }
            if rule.acl.lines.iter().any(|line| !line.permit) {
                denying.entry(rule.service.clone()).or_insert(place);
            }
        }
        let closes = rules.iter().any(|rule| rule.closed);
        Self { rules, interfaces, lines, denying, closes, pools, ..Self::default() }
    }

    /// Whether there are several crypto interfaces, so that the routes decide between them.
    pub fn needs_exits(&self) -> bool {
        self.interfaces > 1
    }

    /// The same tables with other routes; `None` if the routes are unchanged. Of equal prefixes,
    /// the first is used.
    pub fn with_exits(&self, exits: Vec<Exit>) -> Option<Self> {
        if exits == self.exits {
            return None;
        }
        let mut by_exit = SelectorIndex::default();
        for (prefix, exit) in exits.iter().rev() {
            by_exit.insert(&Selector::between(AddressRange::ANY_V4, AddressRange::prefix(*prefix)), *exit);
        }
        Some(Self { exits, by_exit, ..self.clone() })
    }

    /// Whether a flow leaves by this interface, as far as is known.
    fn leaves_by(&self, flow: &Flow, interface: InterfaceId) -> bool {
        self.by_exit.matching(flow).next().is_none_or(|(_, exit)| exit == Some(interface))
    }

    /// The first line that matches a flow, in the rules from `first` on. A `deny` line with ports
    /// does not match a later fragment, as on IOS, because the fragment has no ports.
    fn hit(&self, flow: &Flow, first: u32) -> Option<Line> {
        self.lines
            .matching(flow)
            .map(|(_, line)| line)
            .filter(|line| line.rule >= first && !(line.denies_ports && flow.is_later_fragment()))
            .min()
    }

    /// Tries the entries in order. `permit` protects the flow, or drops it if only the peer can
    /// initiate; `deny` continues with the next entry. A flow that no entry permits leaves in
    /// clear, unless its destination is in a pool.
    pub fn classify(&self, flow: &Flow) -> Verdict {
        let mut from = 0;
        while let Some(line) = self.hit(flow, from) {
            from = line.rule + 1;
            let Some(rule) = self.rules.get(line.rule as usize) else { break };
            if !line.permit || !self.leaves_by(flow, rule.interface) {
                continue;
            }
            if !rule.initiates {
                return Verdict::Drop;
            }
            return Verdict::Protect(Acquire {
                interface: rule.interface,
                service: rule.service.clone(),
                acl_line: line.line as usize,
                flow: *flow,
            });
        }
        if self.pools.iter().any(|pool| pool.contains(flow.destination)) {
            Verdict::Drop
        } else {
            Verdict::Clear
        }
    }

    /// The same for a packet of any port. A packet of a port with [`Lookup::ByInterface`] is never
    /// compared with crypto maps and never leaves in clear: it waits for an SA of its interface.
    pub fn verdict(&self, lookup: Lookup, flow: &Flow) -> Verdict {
        match lookup {
            Lookup::BySelector => self.classify(flow),
            Lookup::ByInterface(interface) => Verdict::Protect(Acquire::of_interface(interface, *flow)),
        }
    }

    /// Whether the entry's ACL denies a flow. The entry's SAs must then not carry it, even if the
    /// selector of a wider `permit` line contains it. The same holds for a flow of an earlier entry
    /// that is left out: no SA carries it.
    pub fn denies(&self, service: &Service, flow: &Flow) -> bool {
        if self.closes && self.is_closed_before(service, flow) {
            return true;
        }
        // most crypto ACLs deny nothing
        if self.denying.is_empty() {
            return false;
        }
        let Some(rule) = self.denying.get(service) else { return false };
        self.hit(flow, *rule).is_some_and(|line| line.rule == *rule && !line.permit)
    }

    /// Whether an earlier entry of the same map that is left out permits the flow.
    fn is_closed_before(&self, service: &Service, flow: &Flow) -> bool {
        let place = |service: &Service| {
            Some((service.map_entry()?.sequence, service.template().map(|template| template.sequence)))
        };
        let mut from = 0;
        while let Some(line) = self.hit(flow, from) {
            from = line.rule + 1;
            let Some(rule) = self.rules.get(line.rule as usize) else { break };
            let before = rule.service.map() == service.map() && place(&rule.service) < place(service);
            if before && line.permit && rule.closed {
                return true;
            }
        }
        false
    }

    /// What must be captured even without an SA, by both sides' addresses: what the rules permit,
    /// and what goes to the pools, wherever it comes from.
    pub fn captured(&self) -> Vec<Selector> {
        let lines = self.rules.iter().flat_map(|rule| &rule.acl.lines).filter(|line| line.permit);
        let permits = lines.map(|line| Selector::between(line.selector.local, line.selector.remote));
        let pools = self.pools.iter().map(|pool| Selector::between(AddressRange::ANY_V4, *pool));
        let mut all: Vec<_> = permits.chain(pools).collect();
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The remote ranges of selectors, as prefixes: what the routes into the tunnel must cover.
pub fn prefixes(ranges: impl IntoIterator<Item = AddressRange>) -> Vec<ipnet::IpNet> {
    let mut out = Vec::new();
    for range in ranges {
        match (range.to_prefix(), range.first(), range.last()) {
            (Some(prefix), _, _) => out.push(prefix),
            (None, std::net::IpAddr::V4(first), std::net::IpAddr::V4(last)) => {
                out.extend(ipnet::Ipv4Subnets::new(first, last, 0).map(ipnet::IpNet::V4));
            }
            (None, std::net::IpAddr::V6(first), std::net::IpAddr::V6(last)) => {
                out.extend(ipnet::Ipv6Subnets::new(first, last, 0).map(ipnet::IpNet::V6));
            }
            _ => {}
        }
    }
    out.sort();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::CryptoAclLine;

    /// Two interfaces whose maps protect the same networks: the route decides which of them
    /// initiates to its peer.
    #[test]
    fn the_route_decides_between_two_maps() {
        let range = |text: &str| AddressRange::prefix(text.parse().unwrap());
        let selector = crate::flow::selector::Selector::between(range("10.1.0.0/16"), range("10.2.0.0/16"));
        let rule = |interface, map: &str| Rule {
            interface: InterfaceId(interface),
            service: Service::entry(map, 10),
            acl: Arc::new(CryptoAcl {
                name: "100".into(),
                lines: vec![CryptoAclLine { permit: true, selector, line: 0 }],
            }),
            initiates: true,
            closed: false,
        };
        let tables = Tables::of(vec![rule(0, "first"), rule(1, "second")], 2, Vec::new());
        assert!(tables.needs_exits());
        let flow = Flow {
            source: "10.1.1.1".parse().unwrap(),
            destination: "10.2.2.2".parse().unwrap(),
            protocol: 1,
            source_port: None,
            destination_port: None,
        };
        let called = |tables: &Tables| match tables.classify(&flow) {
            Verdict::Protect(acquire) => Some(acquire.interface),
            _ => None,
        };
        assert_eq!(called(&tables), Some(InterfaceId(0)), "no route is known");
        let default = ("0.0.0.0/0".parse().unwrap(), Some(InterfaceId(0)));
        let branch = ("10.2.0.0/16".parse().unwrap(), Some(InterfaceId(1)));
        let tables = tables.with_exits(vec![default, branch]).unwrap();
        assert_eq!(called(&tables), Some(InterfaceId(1)));
        assert!(tables.with_exits(vec![default, branch]).is_none(), "nothing new");
        let tables = tables.with_exits(vec![default]).unwrap();
        assert_eq!(called(&tables), Some(InterfaceId(0)));
        let inside = ("10.2.2.0/24".parse().unwrap(), None);
        assert_eq!(called(&tables.with_exits(vec![default, inside]).unwrap()), None, "it leaves elsewhere");
    }

    /// The traffic of an entry that is left out is not sent to the peer of a wider entry after it,
    /// whether or not that entry has an SA.
    #[test]
    fn the_packets_of_an_entry_that_is_left_out_take_no_other() {
        let rule = |sequence, remote: &str, closed: bool| Rule {
            interface: InterfaceId(0),
            service: Service::entry("M", sequence),
            acl: Arc::new(CryptoAcl {
                name: "100".into(),
                lines: vec![CryptoAclLine {
                    permit: true,
                    selector: Selector::between(
                        AddressRange::ANY_V4,
                        AddressRange::prefix(remote.parse().unwrap()),
                    ),
                    line: 0,
                }],
            }),
            initiates: !closed,
            closed,
        };
        let flow = |destination: &str| Flow {
            source: "10.1.1.1".parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: 1,
            source_port: None,
            destination_port: None,
        };
        let rules =
            vec![rule(5, "10.2.2.0/24", false), rule(10, "10.2.0.0/16", true), rule(20, "10.0.0.0/8", false)];
        let tables = Tables::of(rules, 1, Vec::new());
        let (gone, wider, narrower) = (flow("10.2.1.1"), flow("10.3.1.1"), flow("10.2.2.2"));
        assert!(matches!(tables.classify(&gone), Verdict::Drop));
        let of = |sequence| Service::entry("M", sequence);
        let clients = Service::dynamic("M", 30, "D", 10);
        assert!(tables.denies(&of(20), &gone) && tables.denies(&clients, &gone));
        // other traffic is unaffected, and so is that of an entry before it
        assert!(matches!(tables.classify(&wider), Verdict::Protect(acquire) if acquire.service == of(20)));
        assert!(!tables.denies(&of(20), &wider));
        assert!(matches!(tables.classify(&narrower), Verdict::Protect(acquire) if acquire.service == of(5)));
        assert!(!tables.denies(&of(5), &narrower));
        let other = Service::entry("N", 20);
        assert!(!tables.denies(&other, &gone), "another interface's map");
    }
}
