//! `ip route`: the static routes of the configuration and the default routes of DHCP, compared with
//! the routes of the machine.
//!
//! Of several routes with the same prefix, the configuration's own with the lowest distance is
//! used; in Linux the distance is the metric. A line that names an interface that Hubward does not
//! have (a tunnel that is not implemented, a name that nothing defines, an interface without a
//! card) becomes an unreachable route with the line's distance. The network of an interface that
//! Hubward does not have is unreachable too, as a connected network (distance 0). A route that
//! another program added (an `ifupdown` default route has metric 0) never overrides one of these
//! silently: a route of distance 1 is placed before it, and in every other case a warning is
//! logged.

use crate::machine::faces::LOOPBACK;
use crate::machine::seen::{CONNECTED, Seen};
use crate::machine::view::{CONNECTED_DISTANCE, Names, Static, same};
use hubward_config::model::{self, Addressing, Config, Interface, InterfaceKind};
use hubward_linux::link::Link;
use hubward_linux::marks::PROTOCOL;
use hubward_linux::route::{Route, RouteKind};
use hubward_proto::dhcp::Lease;
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The distance of a default route that DHCP gave.
const DHCP_DISTANCE: u8 = 254;
/// How many other lines the next hop of a line may be resolved through.
const DEPTH: usize = 16;

/// The static routes that a configuration means on a machine, and what an operator should know
/// about them, a line each.
#[derive(Debug, Default)]
pub(crate) struct Statics {
    pub(crate) routes: Vec<Static>,
    pub(crate) notices: BTreeSet<String>,
}

/// The routes of `ip route` and the leases (by link). A route by a link that is down is withdrawn,
/// so that the route with the next higher distance takes over. A route by an interface that Hubward
/// does not have is unreachable, because what a tunnel should carry must not take another route in
/// clear.
pub(crate) fn statics(
    config: &Config,
    names: &Names,
    leases: &BTreeMap<String, Lease>,
    around: &Seen,
) -> Statics {
    let mut wanted = wanted(config, names, leases, around);
    let mut notices = BTreeSet::new();
    for place in 0..wanted.len() {
        let Some((before, rest)) = wanted.split_at_mut_checked(place) else { break };
        let Some((route, after)) = rest.split_first_mut() else { break };
        let better = before.iter().chain(after.iter()).any(|other| {
            other.route.destination == route.route.destination && other.distance < route.distance
        });
        rank(route, better, around, &mut notices);
        if let (RouteKind::Unreachable, Some(name)) = (route.route.kind, &route.interface) {
            let destination = route.route.destination;
            notices.insert(match route.distance {
                CONNECTED_DISTANCE => {
                    format!("{destination} is unreachable here: it is the network of {name}, which Hubward does not have")
                }
                distance => format!(
                    "{destination} [{distance}] is unreachable here: its route leads by {name}, which Hubward does not have"
                ),
            });
        }
    }
    Statics { routes: wanted, notices }
}

/// The routes that the lines and the leases mean now.
fn wanted(config: &Config, names: &Names, leases: &BTreeMap<String, Lease>, around: &Seen) -> Vec<Static> {
    let mut wanted = of_lines(config, names, leases, around);
    let mut absent = absent_networks(config, names, around);
    absent.extend(loopback_networks(config, names));
    // a connected network comes before every static route to it
    wanted.retain(|found| {
        found.distance > 1 || !absent.iter().any(|net| net.route.destination == found.route.destination)
    });
    wanted.extend(absent);
    for (name, lease) in leases {
        let Some(router) = lease.router else { continue };
        let Some(link) = around.link(name) else { continue };
        let mut route = Route::new(IpNet::V4(Ipv4Net::default()));
        route.gateway = Some(IpAddr::V4(router));
        route.interface = link.index;
        let interface = ios_name(names, name);
        wanted.push(Static { route, distance: DHCP_DISTANCE, interface, hidden: None });
    }
    wanted
}

/// The networks of the interfaces that Hubward does not have: on a router, packets to them leave by
/// no other interface. Left out are a network that is also connected to a link that exists, and the
/// network of an interface that is shut. If an interface gets a link later, this is evaluated
/// again.
fn absent_networks(config: &Config, names: &Names, around: &Seen) -> Vec<Static> {
    let connected: BTreeSet<IpNet> = around.addresses.iter().map(|address| address.net.trunc()).collect();
    let mut out: Vec<Static> = Vec::new();
    let absent = config.interfaces.iter().filter(|one| !one.shutdown && !names.contains_key(&one.name));
    for interface in absent {
        let Addressing::Static(nets) = &interface.address else { continue };
        for net in nets.iter().map(IpNet::trunc) {
            if connected.contains(&net) || out.iter().any(|known| known.route.destination == net) {
                continue;
            }
            let mut route = Route::new(net);
            route.kind = RouteKind::Unreachable;
            out.push(Static {
                route,
                distance: CONNECTED_DISTANCE,
                interface: Some(interface.name.clone()),
                hidden: None,
            });
        }
    }
    out
}

/// The networks of loopback interfaces whose addresses are on `lo`: only the addresses are there,
/// and packets to the rest of the network go nowhere, as on a router.
fn loopback_networks(config: &Config, names: &Names) -> Vec<Static> {
    let on_loopback = |one: &&Interface| names.get(&one.name).is_some_and(|name| name == LOOPBACK);
    let open = config.interfaces.iter().filter(|one| !one.shutdown).filter(on_loopback);
    let nets = open.flat_map(|one| match &one.address {
        Addressing::Static(nets) => nets.iter().map(move |net| (one, net.trunc())).collect(),
        Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => Vec::new(),
    });
    let wider = nets.filter(|(_, net)| net.prefix_len() < net.max_prefix_len());
    wider
        .map(|(interface, net)| Static {
            route: Route { kind: RouteKind::Blackhole, ..Route::new(net) },
            distance: CONNECTED_DISTANCE,
            interface: Some(interface.name.clone()),
            hidden: None,
        })
        .collect()
}

/// Where a line leads.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// Out by a link, to a next hop or directly to the destination.
    Out { link: u32, hop: Option<IpAddr>, onlink: bool },
    /// `Null0`.
    Null,
    /// By this interface of the configuration, which Hubward does not have.
    Absent(String),
}

/// An interface that a line names, on this machine.
enum Place<'a> {
    /// Its link works.
    Up(&'a Link),
    /// It is down, or `shutdown`: its routes are withdrawn, as on IOS.
    Down,
    /// Hubward does not have it.
    Absent,
}

/// What contains the next hop of a line; of two with the same prefix, the variant listed later here
/// counts.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Holder<'a> {
    /// The destination of another line, by its number; the lower distance counts.
    Line(std::cmp::Reverse<u8>, std::cmp::Reverse<usize>),
    /// The network of an interface that Hubward does not have.
    Absent(&'a str),
    /// The network of an interface that is down.
    Down,
    /// A connected network, by the link's number.
    Link(u32),
}

/// Resolves the lines of `ip route`, each once. A next hop may be resolved through other lines,
/// recursively.
struct Lines<'a> {
    config: &'a Config,
    names: &'a Names,
    /// By the link's name.
    leases: &'a BTreeMap<String, Lease>,
    around: &'a Seen,
    /// What was found for each line; `Some` and empty while the line is being resolved, so that it
    /// is never resolved through itself.
    ways: Vec<Option<Vec<Way>>>,
    /// The current depth of the recursion.
    depth: usize,
}

impl Lines<'_> {
    /// Where a line leads: nowhere while its interface is down or its next hop unknown; for `dhcp`,
    /// possibly to several places.
    fn ways(&mut self, place: usize) -> Vec<Way> {
        match self.ways.get_mut(place) {
            Some(Some(known)) => return known.clone(),
            Some(unknown) => *unknown = Some(Vec::new()),
            None => return Vec::new(),
        }
        self.depth += 1;
        let found = match self.config.routes.get(place).filter(|_| self.depth <= DEPTH) {
            Some(line) => self.look(place, line),
            None => Vec::new(),
        };
        self.depth -= 1;
        if let Some(known) = self.ways.get_mut(place) {
            *known = Some(found.clone());
        }
        found
    }

    fn look(&mut self, place: usize, line: &model::Route) -> Vec<Way> {
        match (line.interface.as_deref(), line.next_hop) {
            (Some(name), _) if InterfaceKind::of(name) == InterfaceKind::Null => vec![Way::Null],
            (name, _) if line.by_dhcp => self.by_dhcp(name),
            (Some(name), hop) => match self.place(name) {
                Place::Up(link) => vec![Way::Out { link: link.index, hop, onlink: false }],
                Place::Down => Vec::new(),
                Place::Absent => vec![Way::Absent(name.to_string())],
            },
            (None, Some(hop)) => self.by_hop(place, hop),
            (None, None) => Vec::new(),
        }
    }

    /// An interface of the configuration, or a name that it does not define.
    fn place(&self, name: &str) -> Place<'_> {
        let defined = self.config.interfaces.iter().find(|interface| interface.name == name);
        let shut = defined.is_some_and(|interface| interface.shutdown);
        match self.names.get(name) {
            // what a tunnel carried stays unreachable even if the tunnel is shut
            _ if shut && is_tunnel(name) => Place::Absent,
            _ if shut => Place::Down,
            None => Place::Absent,
            Some(linux) => {
                let link = self.around.links.iter().find(|link| link.name == *linux && link.running);
                link.map_or(Place::Down, Place::Up)
            }
        }
    }

    /// The routers that DHCP gave this interface, or any interface.
    fn by_dhcp(&self, only: Option<&str>) -> Vec<Way> {
        if let Some(name) = only
            && matches!(self.place(name), Place::Absent)
        {
            return vec![Way::Absent(name.to_string())];
        }
        let fits = |name: &str| only.is_none() || ios_name(self.names, name).as_deref() == only;
        let leases = self.leases.iter().filter(|(name, _)| fits(name));
        let found: Vec<_> = leases
            .filter_map(|(name, lease)| {
                let link = self.around.links.iter().find(|link| link.name == *name && link.running)?;
                Some(Way::Out { link: link.index, hop: Some(lease.router?.into()), onlink: false })
            })
            .collect();
        if !found.is_empty() || only.is_some() {
            return found;
        }
        // an interface that is not here cannot get a lease; if another one still may, its lease is
        // awaited
        let asking = self.config.interfaces.iter().filter(|interface| interface.address == Addressing::Dhcp);
        let mut places = asking.map(|interface| (interface, self.place(&interface.name))).peekable();
        let first = places.peek().map(|(interface, _)| interface.name.clone());
        match places.all(|(_, place)| matches!(place, Place::Absent)) {
            true => first.map(Way::Absent).into_iter().collect(),
            false => Vec::new(),
        }
    }

    /// By the longest prefix that contains the next hop: a connected network, or a line other than
    /// the default route. A next hop in neither is taken to be on the crypto interface.
    fn by_hop(&mut self, place: usize, hop: IpAddr) -> Vec<Way> {
        let config = self.config;
        let mut holders = Vec::new();
        for address in &self.around.addresses {
            if address.net.contains(&hop) {
                holders.push((address.net.prefix_len(), Holder::Link(address.interface)));
            }
        }
        for interface in &config.interfaces {
            let Addressing::Static(nets) = &interface.address else { continue };
            for net in nets.iter().filter(|net| net.contains(&hop)) {
                match self.place(&interface.name) {
                    // the machine's own addresses show whether the network is connected
                    Place::Up(_) => {}
                    Place::Down => holders.push((net.prefix_len(), Holder::Down)),
                    Place::Absent => holders.push((net.prefix_len(), Holder::Absent(&interface.name))),
                }
            }
        }
        for (other, line) in config.routes.iter().enumerate() {
            let length = line.destination.prefix_len();
            if other != place && length > 0 && line.destination.contains(&hop) && !self.ways(other).is_empty()
            {
                use std::cmp::Reverse;
                holders.push((length, Holder::Line(Reverse(line.distance), Reverse(other))));
            }
        }
        match holders.into_iter().max() {
            Some((_, Holder::Link(index))) => {
                let link = self.around.links.iter().find(|link| link.index == index && link.running);
                link.map(|link| Way::Out { link: link.index, hop: Some(hop), onlink: false })
                    .into_iter()
                    .collect()
            }
            Some((_, Holder::Down)) => Vec::new(),
            Some((_, Holder::Absent(name))) => vec![Way::Absent(name.to_string())],
            Some((_, Holder::Line(_, std::cmp::Reverse(other)))) => {
                let through = self.ways(other).into_iter().map(|way| match way {
                    // the other line says that its whole network is on that link
                    Way::Out { link, hop: None, .. } => Way::Out { link, hop: Some(hop), onlink: true },
                    way => way,
                });
                through.collect()
            }
            None => self.by_bearer(hop),
        }
    }

    fn by_bearer(&self, hop: IpAddr) -> Vec<Way> {
        let bearers = self.config.interfaces.iter().filter(|i| i.crypto_map.is_some() && !i.shutdown);
        let mut absent = None;
        for bearer in bearers {
            match self.place(&bearer.name) {
                Place::Absent => absent = absent.or(Some(Way::Absent(bearer.name.clone()))),
                // the network of the next hop may come with a lease
                _ if bearer.address == Addressing::Dhcp => return Vec::new(),
                Place::Down => return Vec::new(),
                Place::Up(link) => {
                    return vec![Way::Out { link: link.index, hop: Some(hop), onlink: true }];
                }
            }
        }
        absent.into_iter().collect()
    }

    /// The route for a line that leads this way.
    fn installed(&self, line: &model::Route, way: Way) -> Static {
        let mut route = Route::new(line.destination);
        let interface = match way {
            Way::Null => {
                route.kind = RouteKind::Blackhole;
                Some("Null0".to_string())
            }
            Way::Absent(name) => {
                route.kind = RouteKind::Unreachable;
                Some(name)
            }
            Way::Out { link, hop, onlink } => {
                route.interface = link;
                route.gateway = hop;
                route.onlink = onlink;
                let found = self.around.links.iter().find(|found| found.index == link);
                found.and_then(|found| ios_name(self.names, &found.name))
            }
        };
        Static { route, distance: line.distance, interface, hidden: None }
    }
}

/// The routes for the lines, one for each destination and distance.
fn of_lines(config: &Config, names: &Names, leases: &BTreeMap<String, Lease>, around: &Seen) -> Vec<Static> {
    let ways = vec![None; config.routes.len()];
    let mut lines = Lines { config, names, leases, around, ways, depth: 0 };
    let mut wanted = Vec::new();
    for (place, line) in config.routes.iter().enumerate() {
        for way in lines.ways(place) {
            wanted.push(lines.installed(line, way));
        }
    }
    settle(&mut wanted);
    wanted
}

/// IOS balances over all routes with the same destination and distance; here one is used. That is
/// the unreachable one if it represents a tunnel, and otherwise one that leads somewhere.
fn settle(wanted: &mut Vec<Static>) {
    let closed = |found: &Static| {
        let absent = found.route.kind == RouteKind::Unreachable;
        (absent, absent && found.interface.as_deref().is_some_and(is_tunnel))
    };
    let equals: Vec<_> = wanted
        .iter()
        .map(|found| {
            let (absent, tunnel) = closed(found);
            (found.route.destination, found.distance, absent, tunnel)
        })
        .collect();
    wanted.retain(|found| {
        let (absent, tunnel) = closed(found);
        let mut others = equals.iter().filter(|(destination, distance, ..)| {
            (*destination, *distance) == (found.route.destination, found.distance)
        });
        match absent {
            true => tunnel || others.all(|(.., absent, _)| *absent),
            false => !others.any(|(.., tunnel)| *tunnel),
        }
    });
}

/// Whether packets by such an interface are encapsulated, and usually encrypted.
fn is_tunnel(name: &str) -> bool {
    InterfaceKind::of(name).is_absent()
}

/// Gives a route a metric with which it overrides the routes of other programs, or says why it does
/// not.
fn rank(route: &mut Static, better: bool, around: &Seen, told: &mut BTreeSet<String>) {
    // 0 is the kernel's metric for connected networks, and those come first
    route.route.metric = u32::from(route.distance.max(1));
    let foreign = around.main.iter().filter(|other| {
        other.protocol != PROTOCOL
            && other.destination == route.route.destination
            && !same(&route.route, other)
    });
    let Some(other) = foreign.min_by_key(|other| other.metric) else { return };
    let same_way = other.gateway == route.route.gateway && other.interface == route.route.interface;
    if other.metric > route.route.metric || better || same_way {
        return;
    }
    let describe = |route: &Route| {
        let hop = route.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
        format!("{}{hop}", route.destination)
    };
    let (own, other_name) = (describe(&route.route), describe(other));
    let connected = other.protocol == CONNECTED;
    if route.distance == 1 && !route.route.onlink && !connected {
        route.route.metric = 0;
        told.insert(format!(
            "the route to {own} is used in the place of this machine's own route to {other_name}, which is used again when \
             Hubward ends"
        ));
        return;
    }
    let why = match (connected, route.route.onlink) {
        _ if route.distance == CONNECTED_DISTANCE && !connected => format!(
            "this machine has a route to {other_name} (metric {}) that Hubward did not make",
            other.metric
        ),
        (true, _) => "that network is connected".to_owned(),
        (_, true) => format!(
            "its next hop lies in no connected network, and this machine has a route to {other_name} (metric {}) that \
             Hubward did not make; correct the next hop, or remove the other route with `ip route del`",
            other.metric
        ),
        _ => format!(
            "this machine has a route to {other_name} (metric {}) that Hubward did not make; remove it with `ip route del`, \
             or give the route of the configuration distance 1",
            other.metric
        ),
    };
    told.insert(format!("the route to {own} [{}] is not used: {why}", route.distance));
    route.hidden = Some(why);
}

fn ios_name(names: &Names, linux: &str) -> Option<String> {
    // of a card and its sub-interface without a tag, the latter, which has the address
    names.iter().rev().find(|(_, name)| *name == linux).map(|(ios, _)| ios.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::seen::link_of_test;
    use crate::machine::view::is_absent_network;
    use hubward_linux::address::Address;

    /// The outside is eth0, the LAN eth1. Serial0/0 is mapped, and its cable is unplugged.
    const BASE: &str = "interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n crypto map CM\n\
        interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n\
        interface Serial0/0\n ip address 192.0.2.1 255.255.255.252\n\
        interface GigabitEthernet0/2\n ip address 172.16.10.1 255.255.255.0\n shutdown\n\
        interface Tunnel7\n ip address 10.255.7.1 255.255.255.252\n\
        interface Tunnel8\n ip address 10.255.8.1 255.255.255.252\n shutdown\n\
        interface Dialer1\n ip address negotiated\n\
        interface Loopback0\n ip address 10.1.255.1 255.255.255.255\n\
        interface BVI1\n ip address 10.1.64.1 255.255.255.0\n";

    fn surroundings() -> (Names, Seen) {
        let names = [("GigabitEthernet0/0", "eth0"), ("GigabitEthernet0/1", "eth1"), ("Serial0/0", "eth2")];
        let names = names.map(|(ios, linux)| (ios.to_string(), linux.to_string()));
        let link = |index: u32, running| Link {
            running,
            carrier: running,
            ..link_of_test(index, format!("eth{}", index - 1))
        };
        let address = |interface, net: &str| Address {
            interface,
            net: net.parse().unwrap(),
            protocol: PROTOCOL,
            label: None,
        };
        let around = Seen {
            addresses: vec![
                address(1, "198.51.100.2/29"),
                address(2, "10.1.1.1/24"),
                address(3, "192.0.2.1/30"),
            ],
            links: vec![link(1, true), link(2, true), link(3, false)],
            ..Seen::default()
        };
        (names.into(), around)
    }

    /// The routes for these lines: `10.78.0.0/16 [1] unreachable Tunnel7`, `… via 10.1.1.2 eth1
    /// onlink`.
    fn resolved(lines: &str) -> Vec<String> {
        let config = hubward_config::parse(&format!("{BASE}{lines}")).config;
        let (names, around) = surroundings();
        let found = of_lines(&config, &names, &BTreeMap::new(), &around);
        found.iter().map(|found| text(found, &around)).collect()
    }

    fn text(found: &Static, around: &Seen) -> String {
        let route = &found.route;
        let link = around.links.iter().find(|link| link.index == route.interface);
        let hop = route.gateway.map(|hop| format!("via {hop} ")).unwrap_or_default();
        let way = match route.kind {
            RouteKind::Unreachable => format!("unreachable {}", found.interface.as_deref().unwrap()),
            RouteKind::Blackhole => "Null0".to_string(),
            _ => format!("{hop}{}{}", link.unwrap().name, if route.onlink { " onlink" } else { "" }),
        };
        format!("{} [{}] {way}", route.destination, found.distance)
    }

    #[test]
    fn a_route_by_an_interface_that_is_not_here_is_unreachable_and_does_not_follow_another() {
        let rows: &[(&str, &[&str])] = &[
            ("Tunnel7", &["unreachable Tunnel7"]),
            ("Tunnel7 10.255.7.2", &["unreachable Tunnel7"]),
            // in the tunnel's own subnet
            ("10.255.7.2", &["unreachable Tunnel7"]),
            ("Tunnel8", &["unreachable Tunnel8"]),
            ("10.255.8.2", &["unreachable Tunnel8"]),
            // not implemented, not defined, without a card
            ("Dialer1", &["unreachable Dialer1"]),
            ("BVI1", &["unreachable BVI1"]),
            ("10.1.64.9", &["unreachable BVI1"]),
            ("Loopback0", &["unreachable Loopback0"]),
            ("GigabitEthernet0/7", &["unreachable GigabitEthernet0/7"]),
            ("GigabitEthernet0/1.20 10.1.20.2", &["unreachable GigabitEthernet0/1.20"]),
            ("Dialer2 dhcp", &["unreachable Dialer2"]),
            // here
            ("Null0", &["Null0"]),
            ("10.1.1.2", &["via 10.1.1.2 eth1"]),
            ("GigabitEthernet0/1", &["eth1"]),
            ("GigabitEthernet0/1 10.1.1.2", &["via 10.1.1.2 eth1"]),
            ("203.0.113.9", &["via 203.0.113.9 eth0 onlink"]),
            // down, or shut: the route is withdrawn, as on IOS
            ("Serial0/0", &[]),
            ("192.0.2.2", &[]),
            ("GigabitEthernet0/2", &[]),
            ("GigabitEthernet0/2 172.16.10.9", &[]),
            ("172.16.10.9", &[]),
            ("dhcp", &[]),
        ];
        for (way, wanted) in rows {
            let wanted: Vec<_> = wanted.iter().map(|wanted| format!("10.78.0.0/16 [5] {wanted}")).collect();
            assert_eq!(resolved(&format!("ip route 10.78.0.0 255.255.0.0 {way} 5\n")), wanted, "{way}");
        }
    }

    /// Packets to the network of an interface without a card must not leave by the default route in
    /// clear.
    #[test]
    fn the_network_of_an_interface_that_is_not_here_is_unreachable() {
        let more = "interface Vlan1\n ip address 10.40.0.1 255.255.0.0\n ip address 10.41.0.1 255.255.255.0 secondary\n\
                    interface GigabitEthernet0/1.30\n ip address 10.30.0.1 255.255.255.0\n\
                    interface Vlan2\n ip address 10.42.0.1 255.255.0.0\n shutdown\n\
                    interface Vlan3\n ip address 10.1.1.7 255.255.255.0\n\
                    interface Vlan4\n ip address 10.1.0.1 255.255.0.0\n\
                    interface Vlan5\n ip address 10.40.0.2 255.255.0.0\n";
        let config = hubward_config::parse(&format!("{BASE}{more}")).config;
        let (mut names, around) = surroundings();
        let found = |names: &Names| {
            let found = absent_networks(&config, names, &around);
            found.iter().map(|found| text(found, &around)).collect::<Vec<_>>()
        };
        assert_eq!(
            found(&names),
            [
                "10.255.7.0/30 [0] unreachable Tunnel7",
                "10.1.255.1/32 [0] unreachable Loopback0",
                "10.1.64.0/24 [0] unreachable BVI1",
                "10.40.0.0/16 [0] unreachable Vlan1",
                "10.41.0.0/24 [0] unreachable Vlan1",
                "10.30.0.0/24 [0] unreachable GigabitEthernet0/1.30",
                // the network of Vlan3 is connected to eth1, which also has the narrower one of
                // Vlan4
                "10.1.0.0/16 [0] unreachable Vlan4",
            ]
        );
        // a mapped interface is here even while its link is down
        for (ios, linux) in [("Vlan1", "eth8"), ("Vlan5", "eth9")] {
            names.insert(ios.into(), linux.into());
        }
        assert!(!found(&names).iter().any(|line| line.starts_with("10.40.") || line.starts_with("10.41.")));
        // its metric ranks it after the kernel's connected routes, whenever those are added
        let mut route = absent_networks(&config, &surroundings().0, &around).remove(0);
        rank(&mut route, false, &around, &mut BTreeSet::new());
        assert_eq!(route.route.metric, 1);
        // the route of a line of the configuration is a different one, which crypto maps respect
        let statics = [route];
        let mut there = statics[0].route.clone();
        assert!(is_absent_network(&statics, &there));
        there.metric = 5;
        assert!(!is_absent_network(&statics, &there));
    }

    #[test]
    fn next_hops_are_found_by_other_routes_as_on_a_router() {
        let rows: &[(&str, &[&str])] = &[
            (
                "ip route 10.99.0.0 255.255.0.0 Tunnel7\nip route 10.78.0.0 255.255.0.0 10.99.0.1\n",
                &["10.99.0.0/16 [1] unreachable Tunnel7", "10.78.0.0/16 [1] unreachable Tunnel7"],
            ),
            (
                "ip route 10.79.0.0 255.255.0.0 10.78.0.1\nip route 10.78.0.0 255.255.0.0 10.99.0.1\n\
                 ip route 10.99.0.1 255.255.255.255 Dialer1\n",
                &[
                    "10.79.0.0/16 [1] unreachable Dialer1",
                    "10.78.0.0/16 [1] unreachable Dialer1",
                    "10.99.0.1/32 [1] unreachable Dialer1",
                ],
            ),
            (
                "ip route 10.77.0.0 255.255.0.0 10.1.1.2\nip route 10.78.0.0 255.255.0.0 10.77.0.1\n",
                &["10.77.0.0/16 [1] via 10.1.1.2 eth1", "10.78.0.0/16 [1] via 10.1.1.2 eth1"],
            ),
            (
                "ip route 10.77.0.0 255.255.0.0 GigabitEthernet0/1\nip route 10.78.0.0 255.255.0.0 10.77.0.1\n",
                &["10.77.0.0/16 [1] eth1", "10.78.0.0/16 [1] via 10.77.0.1 eth1 onlink"],
            ),
            (
                "ip route 10.0.0.0 255.0.0.0 Null0 250\nip route 10.78.0.0 255.255.0.0 10.77.0.1\n",
                &["10.0.0.0/8 [250] Null0", "10.78.0.0/16 [1] Null0"],
            ),
            // what counts is the route in use: the better one's interface is down
            (
                "ip route 10.77.0.0 255.255.0.0 Serial0/0\nip route 10.77.0.0 255.255.0.0 10.1.1.2 200\n\
                 ip route 10.78.0.0 255.255.0.0 10.77.0.1\n",
                &["10.77.0.0/16 [200] via 10.1.1.2 eth1", "10.78.0.0/16 [1] via 10.1.1.2 eth1"],
            ),
            // no line is resolved through itself
            (
                "ip route 10.77.0.0 255.255.0.0 10.78.0.1\nip route 10.78.0.0 255.255.0.0 10.77.0.1\n",
                &["10.77.0.0/16 [1] via 10.77.0.1 eth0 onlink", "10.78.0.0/16 [1] via 10.77.0.1 eth0 onlink"],
            ),
            // the default route resolves no next hop
            (
                "ip route 0.0.0.0 0.0.0.0 Tunnel7\nip route 10.78.0.0 255.255.0.0 203.0.113.9\n",
                &["0.0.0.0/0 [1] unreachable Tunnel7", "10.78.0.0/16 [1] via 203.0.113.9 eth0 onlink"],
            ),
        ];
        for (lines, wanted) in rows {
            assert_eq!(resolved(lines), *wanted, "{lines}");
        }
        // at any depth, the stack does not overflow
        let chain: String = (0..250)
            .map(|n| format!("ip route 10.{n}.0.0 255.255.0.0 10.{}.0.1\n", n + 1))
            .filter(|line| !line.contains("10.1."))
            .collect();
        assert!(resolved(&chain).len() > 200);
    }

    #[test]
    fn of_equal_routes_a_tunnel_that_is_not_here_closes_and_another_interface_does_not() {
        let to = |way: &str| format!("ip route 10.78.0.0 255.255.0.0 {way}\n");
        for (ways, wanted) in [
            (["Tunnel7", "10.1.1.2"], vec!["10.78.0.0/16 [1] unreachable Tunnel7"]),
            (["10.1.1.2", "Tunnel7"], vec!["10.78.0.0/16 [1] unreachable Tunnel7"]),
            (["Dialer1", "10.1.1.2"], vec!["10.78.0.0/16 [1] via 10.1.1.2 eth1"]),
            (["10.1.1.2", "Dialer1"], vec!["10.78.0.0/16 [1] via 10.1.1.2 eth1"]),
            (
                ["Tunnel7", "10.1.1.2 200"],
                vec!["10.78.0.0/16 [1] unreachable Tunnel7", "10.78.0.0/16 [200] via 10.1.1.2 eth1"],
            ),
        ] {
            assert_eq!(resolved(&(to(ways[0]) + &to(ways[1]))), wanted, "{ways:?}");
        }
    }
}
