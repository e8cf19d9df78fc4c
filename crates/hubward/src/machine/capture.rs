//! Which packets are led to the crypto maps: those whose route, the one that IOS would choose, leaves by an interface that bears
//! one. A pure function of the routes.

use hubward_linux::route::RouteKind;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;

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
    /// Whether only `reverse-route` leads there: the main table does not.
    reverse: bool,
}

/// Distance of a route that `reverse-route` makes.
const REVERSE_ROUTE: u32 = 1;

/// What the table of captured prefixes says of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    /// To the crypto map of the interface with this index; `None` where no route leads there at all.
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
    /// From the routes of the main table, in the kernel's order, and what `reverse-route` adds, each with the index of the
    /// interface with a crypto map by which it leaves. Those that drop packets are routes like the others.
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
            // of equal routes the kernel uses, and lists, the first
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

    /// One more route of `reverse-route`.
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

    /// The routes to parts of a prefix, the wider ones first where one holds another.
    fn inside(&self, net: Ipv4Net) -> impl Iterator<Item = (Ipv4Net, Used)> {
        // networks are ordered by their address, then by length
        let last = Ipv4Net::new(net.broadcast(), 32).unwrap_or(net);
        self.best.range(net..=last).filter(move |(part, _)| **part != net).map(|(part, used)| (*part, *used))
    }

    /// What has to be said of a prefix that crypto maps speak of, and of its parts that are led otherwise than what holds them.
    pub(crate) fn capture(&self, net: Ipv4Net) -> Vec<(Ipv4Net, Capture)> {
        // no route at all: what should be protected is not left to chance
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

    /// Every route with the interface with a crypto map by which it leaves.
    pub(crate) fn exits(&self) -> impl Iterator<Item = (Ipv4Net, Option<u32>)> {
        self.best.iter().map(|(net, used)| match used.leads {
            Capture::Crypto(bearer) => (*net, bearer),
            Capture::Elsewhere | Capture::Dropped => (*net, None),
        })
    }
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

    /// Whether a packet to an address is led to the crypto map, by what is said of this prefix.
    fn encrypted(said: &[(Ipv4Net, Capture)], address: &str) -> bool {
        let address: Ipv4Addr = address.parse().unwrap();
        let longest =
            said.iter().filter(|(net, _)| net.contains(&address)).max_by_key(|(net, _)| net.prefix_len());
        matches!(longest, Some((_, Capture::Crypto(_))))
    }

    #[test]
    fn what_null0_takes_on_a_router_is_not_encrypted_unless_reverse_route_leads_there() {
        const DEFAULT: &str = "0.0.0.0/0 out 1";
        // routes, reverse routes, the network behind the tunnel, and what becomes of packets there
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
