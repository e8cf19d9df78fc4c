//! Which packets are led to the crypto maps: those whose route, as IOS would choose it, leaves by a
//! crypto interface. A pure function of the routes.

use crate::base::family::v4;
use crate::machine::sources::Sources;
use crate::translate::ReverseRoute;
use hubward_linux::route::{Route, RouteKind};
use hubward_linux::rule::Rule;
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::flow::tables::{self, Exit};
use hubward_proto::names::InterfaceId;
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Where the routes of a machine lead, as far as crypto maps are concerned.
#[derive(Debug, Default)]
pub(crate) struct Ways {
    /// The route that is used for each prefix.
    best: BTreeMap<Ipv4Net, Used>,
}

/// A route that is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Used {
    metric: u32,
    leads: Capture,
    /// Whether only `reverse-route` has a route there, and the main table has none.
    reverse: bool,
}

/// Distance of a route that `reverse-route` makes.
const REVERSE_ROUTE: u32 = 1;

/// What the table of captured prefixes says about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    /// To the crypto map of the interface with this index; `None` if no route leads there at all.
    Crypto(Option<u32>),
    /// The main table decides: it leads out by another interface.
    Elsewhere,
    /// The main table decides: it drops (`Null0`).
    Dropped,
}

impl Capture {
    const fn is_crypto(self) -> bool {
        matches!(self, Self::Crypto(_))
    }
}

impl Ways {
    /// From the routes of the main table, in the kernel's order, and those that `reverse-route`
    /// adds, each with the index of the crypto interface that it leaves by. Routes that drop
    /// packets are treated like the others.
    pub(crate) fn new(
        main: impl IntoIterator<Item = (Ipv4Net, u32, RouteKind, Option<u32>)>,
        reverse: impl IntoIterator<Item = (Ipv4Net, u32)>,
    ) -> Self {
        let mut best: BTreeMap<Ipv4Net, Used> = BTreeMap::new();
        for (net, metric, kind, bearer) in main {
            let leads = match (kind, bearer) {
                (RouteKind::Unicast, Some(_)) => Capture::Crypto(bearer),
                (RouteKind::Unicast, None) => Capture::Elsewhere,
                (RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit, _) => Capture::Dropped,
                _ => continue,
            };
            // of equal routes, the kernel uses the first that it lists
            if best.get(&net).is_none_or(|known| metric < known.metric) {
                best.insert(net, Used { metric, leads, reverse: false });
            }
        }
        let mut ways = Self { best };
        for (net, bearer) in reverse {
            ways.add_reverse(net, bearer);
        }
        ways
    }

    /// Adds a route of `reverse-route`.
    pub(crate) fn add_reverse(&mut self, net: Ipv4Net, bearer: u32) {
        if self.best.get(&net).is_none_or(|known| REVERSE_ROUTE <= known.metric) {
            let leads = Capture::Crypto(Some(bearer));
            let reverse = self.covering(net).is_none_or(|used| used.reverse || !used.leads.is_crypto());
            self.best.insert(net, Used { metric: REVERSE_ROUTE, leads, reverse });
        }
    }

    /// Whether only `reverse-route` leads all of a prefix to a crypto map.
    pub(crate) fn is_reverse(&self, net: Ipv4Net) -> bool {
        self.covering(net).is_some_and(|used| used.reverse)
    }

    /// The route for all of a prefix.
    fn covering(&self, net: Ipv4Net) -> Option<Used> {
        (0..=net.prefix_len()).rev().find_map(|length| {
            let wider = Ipv4Net::new(net.addr(), length).ok()?.trunc();
            self.best.get(&wider).copied()
        })
    }

    /// The routes to parts of a prefix, the wider one first if one contains another.
    fn inside(&self, net: Ipv4Net) -> impl Iterator<Item = (Ipv4Net, Used)> {
        // networks are ordered by their address, then by length
        let last = Ipv4Net::new(net.broadcast(), 32).unwrap_or(net);
        self.best.range(net..=last).filter(move |(part, _)| **part != net).map(|(part, used)| (*part, *used))
    }

    /// The entries for a prefix that crypto maps select, and for those of its parts that are routed
    /// differently from the prefix around them.
    pub(crate) fn capture(&self, net: Ipv4Net) -> Vec<(Ipv4Net, Capture)> {
        // without any route it is captured: what should be protected is not left to chance
        let mut said = vec![(net, self.covering(net).map_or(Capture::Crypto(None), |used| used.leads))];
        let mut holders = said.clone();
        for (part, used) in self.inside(net) {
            holders.retain(|(holder, _)| holder.contains(&part));
            let here = used.leads;
            let same = holders
                .last()
                .is_some_and(|(_, above)| *above == here || (above.is_crypto() && here.is_crypto()));
            if !same {
                said.push((part, here));
                holders.push((part, here));
            }
        }
        said
    }

    /// Every route with the crypto interface that it leaves by.
    pub(crate) fn exits(&self) -> impl Iterator<Item = (Ipv4Net, Option<u32>)> {
        self.best.iter().map(|(net, used)| match used.leads {
            Capture::Crypto(bearer) => (*net, bearer),
            Capture::Elsewhere | Capture::Dropped => (*net, None),
        })
    }
}

/// The indices of the links of crypto interfaces.
pub(crate) type CryptoLinks = BTreeMap<InterfaceId, u32>;

/// How strictly the kernel checks the source of a packet against the route back to it (`rp_filter`,
/// RFC 3704).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReversePath {
    /// The route back must leave by the interface that the packet arrived on.
    Strict,
    /// There must be a route back.
    Loose,
}

impl ReversePath {
    /// The value of the setting.
    pub(crate) const fn value(self) -> &'static str {
        match self {
            Self::Strict => "1",
            Self::Loose => "2",
        }
    }
}

/// What the last plan found out about the routes: enough to capture another network without looking
/// at all of them.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    ways: Ways,
    links: CryptoLinks,
    /// The index of the TUN; `None`: the kernel carries the packets.
    tun: Option<u32>,
    /// The peers of static entries.
    peers: BTreeSet<IpAddr>,
    sources: Sources,
    elsewhere: Vec<Ipv4Net>,
}

/// A route of Hubward's own tables, by its table and destination.
pub(crate) type Captured = (u32, IpNet);

impl Captures {
    /// From the routes of the main table, in the kernel's order.
    pub(crate) fn new<'r>(
        main: impl IntoIterator<Item = &'r Route>,
        links: CryptoLinks,
        tun: Option<u32>,
        peers: BTreeSet<IpAddr>,
        reverse: &[ReverseRoute],
        sources: Sources,
    ) -> Self {
        let main = main.into_iter().filter_map(|route| {
            let out = links.values().find(|index| **index == route.interface).copied();
            Some((v4(route.destination)?, route.metric, route.kind, out))
        });
        let ways = Ways::new(main, reverse.iter().flat_map(|route| leaving(&links, route)));
        Self { ways, links, tun, peers, sources, elsewhere: Vec::new() }
    }

    /// The routes of Hubward's own tables for all these packets. They lead into the TUN. If the
    /// kernel carries the packets, they lead out by a crypto interface, where its policies are
    /// looked up.
    pub(crate) fn routes(&mut self, selected: &[Selector]) -> BTreeMap<Captured, Route> {
        let mut wanted = BTreeMap::new();
        self.elsewhere.clear();
        // which of the sources have a table was decided for these very packets
        for (table, prefixes) in self.by_table(selected).unwrap_or_default() {
            for net in prefixes.into_iter().filter_map(v4) {
                for (part, capture) in self.ways.capture(net) {
                    if capture == Capture::Elsewhere {
                        self.elsewhere.push(part);
                    }
                    if let Some(route) = self.route(table, net, part, capture) {
                        wanted.entry((table, route.destination)).or_insert(route);
                    }
                }
            }
        }
        self.elsewhere.sort();
        self.elsewhere.dedup();
        wanted
    }

    /// The prefixes that each table needs for these packets; `None`: sources of some have no table.
    fn by_table(&self, selected: &[Selector]) -> Option<BTreeMap<u32, Vec<IpNet>>> {
        let mut found: BTreeMap<AddressRange, u32> = BTreeMap::new();
        let mut ranges: BTreeMap<u32, Vec<AddressRange>> = BTreeMap::new();
        for selector in selected {
            let table = match found.get(&selector.local) {
                Some(table) => *table,
                None => {
                    let table = self.sources.table(selector.local)?;
                    found.insert(selector.local, table);
                    table
                }
            };
            ranges.entry(table).or_default().push(selector.remote);
        }
        Some(ranges.into_iter().map(|(table, ranges)| (table, tables::prefixes(ranges))).collect())
    }

    /// The rules that lead packets to the tables.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        self.sources.rules()
    }

    /// The routes for more packets, as [`Self::routes`] would make them. `None`: only a complete plan
    /// can decide.
    pub(crate) fn more(&mut self, selected: &[Selector], reverse: &[ReverseRoute]) -> Option<Vec<Route>> {
        let by_table = self.by_table(selected)?;
        let loose = |prefixes: &Vec<IpNet>| self.filter(prefixes) == ReversePath::Loose;
        if self.tun.is_none() || by_table.values().any(loose) {
            return None;
        }
        for route in reverse {
            for (net, index) in leaving(&self.links, route) {
                self.ways.add_reverse(net, index);
            }
        }
        let mut routes = Vec::new();
        for (table, prefixes) in by_table {
            for net in prefixes.into_iter().filter_map(v4) {
                let said = self.ways.capture(net).into_iter();
                routes.extend(said.filter_map(|(part, capture)| self.route(table, net, part, capture)));
            }
        }
        Some(routes)
    }

    /// The route of one of Hubward's own tables that decides what happens to a part of a captured
    /// prefix; `None` if the table needs no route for it.
    fn route(&self, table: u32, net: Ipv4Net, part: Ipv4Net, capture: Capture) -> Option<Route> {
        let route = Route { table, ..Route::new(IpNet::V4(part)) };
        let by = |interface| Route { interface, ..route.clone() };
        match (capture, self.tun) {
            (Capture::Crypto(_), Some(tun)) => Some(by(tun)),
            // the kernel looks up its policies only for packets that have a route: the main
            // table's, or this one
            (Capture::Crypto(None), None) => self.links.values().next().copied().map(by),
            (Capture::Crypto(Some(link)), None) => self.ways.is_reverse(part).then(|| by(link)),
            // without a wider captured prefix, the main table is consulted anyway
            (Capture::Elsewhere | Capture::Dropped, Some(_)) if part == net => None,
            (Capture::Elsewhere | Capture::Dropped, _) => Some(Route { kind: RouteKind::Throw, ..route }),
        }
    }

    /// Cleartext that arrives on a crypto interface although its source is behind a tunnel should
    /// have been encrypted. Strict reverse path filtering drops it, because its route back leads to
    /// the TUN and not to the interface that it arrived on. If a peer itself may be behind a
    /// tunnel, the filter would also drop its ESP, so it is not used.
    pub(crate) fn filter(&self, prefixes: &[IpNet]) -> ReversePath {
        match prefixes.iter().any(|prefix| self.is_outside(prefix)) {
            true => ReversePath::Loose,
            false => ReversePath::Strict,
        }
    }

    /// Whether a network behind a tunnel contains something outside: everything, or a peer of the
    /// configuration.
    fn is_outside(&self, prefix: &IpNet) -> bool {
        prefix.prefix_len() == 0 || self.peers.range(prefix.network()..=prefix.broadcast()).next().is_some()
    }

    /// Networks whose routes [`Self::routes`] found not to leave by a crypto interface.
    pub(crate) fn elsewhere(&self) -> &[Ipv4Net] {
        &self.elsewhere
    }

    /// The crypto interface with this link.
    pub(crate) fn bearer(&self, link: u32) -> Option<InterfaceId> {
        self.links.iter().find(|(_, index)| **index == link).map(|(interface, _)| *interface)
    }

    /// By which crypto interface each route leaves, if by any.
    pub(crate) fn exits(&self) -> impl Iterator<Item = Exit> {
        self.ways.exits().map(|(net, link)| (IpNet::V4(net), link.and_then(|link| self.bearer(link))))
    }
}

/// What `reverse-route` adds to the routes: prefixes, each with the index of the link that packets
/// to it leave by.
fn leaving(links: &CryptoLinks, to: &ReverseRoute) -> Vec<(Ipv4Net, u32)> {
    let Some(index) = links.get(&to.interface).copied() else { return Vec::new() };
    let nets = tables::prefixes([to.net]).into_iter().filter_map(v4);
    nets.map(|net| (net, index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const OUTSIDE: u32 = 2;
    const INSIDE: u32 = 3;

    fn net(text: &str) -> Ipv4Net {
        text.parse().unwrap()
    }

    /// `10.2.0.0/16 null 250`, `0.0.0.0/0 out 1`
    fn ways(main: &[&str], reverse: &[&str]) -> Ways {
        let main = main.iter().map(|line| {
            let words: Vec<_> = line.split(' ').collect();
            let (kind, index) = match words[1] {
                "null" => (RouteKind::Blackhole, 0),
                "unreachable" => (RouteKind::Unreachable, 0),
                "prohibit" => (RouteKind::Prohibit, 0),
                "out" => (RouteKind::Unicast, OUTSIDE),
                "in" => (RouteKind::Unicast, INSIDE),
                other => panic!("{other}"),
            };
            (net(words[0]), words[2].parse().unwrap(), kind, (index == OUTSIDE).then_some(OUTSIDE))
        });
        Ways::new(main, reverse.iter().map(|text| (net(text), OUTSIDE)))
    }

    /// Whether a packet to an address is led to the crypto map, according to the entries for this
    /// prefix.
    fn encrypted(said: &[(Ipv4Net, Capture)], address: &str) -> bool {
        let address: Ipv4Addr = address.parse().unwrap();
        let longest =
            said.iter().filter(|(net, _)| net.contains(&address)).max_by_key(|(net, _)| net.prefix_len());
        matches!(longest, Some((_, Capture::Crypto(_))))
    }

    #[test]
    fn what_null0_takes_on_a_router_is_not_encrypted_unless_reverse_route_leads_there() {
        const DEFAULT: &str = "0.0.0.0/0 out 1";
        // routes, reverse routes, the network behind the tunnel, and what happens to packets to it
        type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a str, &'a [(&'a str, bool)]);
        let rows: &[Row] = &[
            ("the default route", &[DEFAULT], &[], "10.2.0.0/16", &[("10.2.1.1", true)]),
            ("no route", &[], &[], "10.2.0.0/16", &[("10.2.1.1", true)]),
            ("a wider Null0", &[DEFAULT, "10.0.0.0/8 null 250"], &[], "10.2.0.0/16", &[("10.2.1.1", false)]),
            (
                "a wider Null0 and a reverse route",
                &[DEFAULT, "10.0.0.0/8 null 250"],
                &["10.2.0.0/16"],
                "10.2.0.0/16",
                &[("10.2.1.1", true)],
            ),
            (
                "the same Null0",
                &[DEFAULT, "10.2.0.0/16 null 250"],
                &[],
                "10.2.0.0/16",
                &[("10.2.1.1", false)],
            ),
            (
                "the same Null0 and a reverse route",
                &[DEFAULT, "10.2.0.0/16 null 250"],
                &["10.2.0.0/16"],
                "10.2.0.0/16",
                &[("10.2.1.1", true)],
            ),
            (
                "a floating Null0 below a static route out",
                &[DEFAULT, "10.2.0.0/16 out 1", "10.2.0.0/16 null 250"],
                &[],
                "10.2.0.0/16",
                &[("10.2.1.1", true)],
            ),
            (
                "Null0 for a part",
                &[DEFAULT, "10.2.3.0/24 null 1"],
                &["10.2.0.0/16"],
                "10.2.0.0/16",
                &[("10.2.1.1", true), ("10.2.3.1", false), ("10.2.4.1", true)],
            ),
            (
                "Null0 for a part, and a way out for a part of it",
                &[DEFAULT, "10.2.0.0/20 null 1", "10.2.3.0/24 out 1"],
                &[],
                "10.2.0.0/16",
                &[("10.2.1.1", false), ("10.2.3.1", true), ("10.2.4.1", false), ("10.2.99.1", true)],
            ),
            (
                "a wider Null0, and a way out for a part",
                &[DEFAULT, "10.0.0.0/8 null 250", "10.2.3.0/24 out 1"],
                &[],
                "10.2.0.0/16",
                &[("10.2.1.1", false), ("10.2.3.1", true)],
            ),
            (
                "a tunnel that is not here",
                &[DEFAULT, "10.2.0.0/16 unreachable 1"],
                &[],
                "10.2.0.0/24",
                &[("10.2.0.1", false)],
            ),
            ("prohibited", &[DEFAULT, "10.2.0.0/15 prohibit 0"], &[], "10.2.0.0/16", &[("10.2.0.1", false)]),
            (
                "a route inside, and one of distance 0 is not in the way of a part",
                &[DEFAULT, "10.2.5.0/24 in 0"],
                &["10.2.0.0/16"],
                "10.2.0.0/16",
                &[("10.2.5.1", false), ("10.2.6.1", true)],
            ),
            (
                "a connected network wins over a reverse route to it",
                &[DEFAULT, "10.2.5.0/24 in 0"],
                &["10.2.5.0/24"],
                "10.2.5.0/24",
                &[("10.2.5.1", false)],
            ),
            (
                "the first of equals",
                &["10.2.0.0/16 in 1", "10.2.0.0/16 out 1"],
                &[],
                "10.2.0.0/16",
                &[("10.2.0.1", false)],
            ),
        ];
        for (name, main, reverse, network, packets) in rows {
            let said = ways(main, reverse).capture(net(network));
            for (address, wanted) in *packets {
                assert_eq!(encrypted(&said, address), *wanted, "{name}: {address}, {said:?}");
            }
        }
    }

    #[test]
    fn nothing_is_said_twice() {
        let ways =
            ways(&["0.0.0.0/0 out 1", "10.2.0.0/20 null 1", "10.2.1.0/24 in 1", "10.2.64.0/24 out 1"], &[]);
        assert_eq!(
            ways.capture(net("10.2.0.0/16")),
            [
                (net("10.2.0.0/16"), Capture::Crypto(Some(OUTSIDE))),
                (net("10.2.0.0/20"), Capture::Dropped),
                (net("10.2.1.0/24"), Capture::Elsewhere),
            ]
        );
        assert_eq!(ways.exits().filter(|(_, bearer)| bearer.is_some()).count(), 2);
    }
}
