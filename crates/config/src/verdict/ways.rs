//! Where packets go by a configuration: its static routes and connected networks, found by what
//! they lead to, however many there are.

use super::kinds::is_tunnel;
use super::networks::{Flow, less, to};
use crate::interface_name::long_name;
use crate::model::{Addressing, Config, Interface, Route};
use crate::nets::Nets;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Routes as they are looked up.
pub(crate) struct Routes<'c>(Nets<&'c Route>);

impl<'c> Routes<'c> {
    pub(crate) fn new(config: &'c Config) -> Self {
        // of several to a network, the best comes first
        let mut routes: Vec<&Route> = config.routes.iter().collect();
        routes.sort_by_key(|route| (route.distance, route.line));
        Self(Nets::new(routes.into_iter().map(|route| (route.destination, route))))
    }

    /// The route that is used for all of a network: the narrowest, then the nearest, then the first.
    pub(crate) fn best(&self, net: IpNet) -> Option<&'c Route> {
        self.0.around(net).next().map(|(_, route)| *route)
    }

    /// The narrowest routes that lead to all of a network, the best first.
    pub(super) fn narrowest(&self, net: IpNet) -> impl Iterator<Item = &'c Route> {
        let length = self.best(net).map(|route| route.destination.prefix_len());
        let around = self.0.around(net).map(|(_, route)| *route);
        around.take_while(move |route| Some(route.destination.prefix_len()) == length)
    }
}

/// Networks around a hole that are looked at: what is left out of them only closes more.
const HOLES: usize = 4096;

/// Routes and networks of the interfaces that are up.
pub(super) struct Ways<'c> {
    pub(super) routes: Routes<'c>,
    /// The networks of interfaces that are up, in the global table.
    connected: Nets<&'c Interface>,
    /// Those of interfaces that exist here.
    here: BTreeSet<IpNet>,
    up: BTreeMap<&'c str, &'c Interface>,
    /// Those that are not up, too; of two of a name, the first.
    by_name: BTreeMap<&'c str, &'c Interface>,
    all: &'c Config,
    /// The places of routes by their interfaces, by next hops without one, and by destinations.
    by_interface: BTreeMap<String, Vec<usize>>,
    by_hop: BTreeMap<IpAddr, Vec<usize>>,
    by_destination: BTreeMap<IpNet, Vec<usize>>,
    /// The routes by tunnels.
    missing: BTreeSet<usize>,
}

/// The networks that an interface has.
pub(super) fn nets(interface: &Interface) -> &[IpNet] {
    match &interface.address {
        Addressing::Static(nets) => nets,
        Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => &[],
    }
}

impl<'c> Ways<'c> {
    pub(super) fn new(config: &'c Config) -> Self {
        let up =
            || config.interfaces.iter().filter(|interface| !interface.shutdown && interface.vrf.is_none());
        let connected = up().flat_map(|interface| nets(interface).iter().map(move |net| (*net, interface)));
        let here = up().filter(|interface| !is_tunnel(&interface.name));
        let mut ways = Self {
            routes: Routes::new(config),
            connected: Nets::new(connected),
            here: here.flat_map(nets).map(IpNet::trunc).collect(),
            // of two of a name, the first
            up: config
                .interfaces
                .iter()
                .rev()
                .filter(|one| !one.shutdown && one.vrf.is_none())
                .map(|one| (one.name.as_str(), one))
                .collect(),
            by_name: config.interfaces.iter().rev().map(|one| (one.name.as_str(), one)).collect(),
            all: config,
            by_interface: BTreeMap::new(),
            by_hop: BTreeMap::new(),
            by_destination: BTreeMap::new(),
            missing: BTreeSet::new(),
        };
        for (place, route) in config.routes.iter().enumerate() {
            ways.by_destination.entry(route.destination).or_default().push(place);
            match (&route.interface, route.next_hop) {
                (Some(name), _) => {
                    let name = long_name(name);
                    ways.missing.extend(is_tunnel(&name).then_some(place));
                    ways.by_interface.entry(name).or_default().push(place);
                }
                (None, Some(hop)) => ways.by_hop.entry(hop).or_default().push(place),
                (None, None) => {}
            }
        }
        ways
    }

    /// The interface with the longest network around one, and that network's length.
    pub(super) fn connected(&self, net: IpNet) -> Option<(u8, &'c Interface)> {
        let mut around = self.connected.around(net).peekable();
        let length = around.peek()?.0.prefix_len();
        let last = around.take_while(|(own, _)| own.prefix_len() == length).last()?;
        Some((length, *last.1))
    }

    /// The interface of a route, by its next hop where it names none; nothing if that is not up.
    pub(super) fn leads_by(&self, route: &Route) -> Option<&'c Interface> {
        match (&route.interface, route.next_hop) {
            (Some(name), _) => self.up.get(name.as_str()).copied(),
            (None, Some(hop)) => Some(self.connected(hop.into())?.1),
            (None, None) => None,
        }
    }

    fn route(&self, place: usize) -> Option<&'c Route> {
        self.all.routes.get(place)
    }

    /// What static routes send through an interface, and its own networks, from wherever.
    pub(super) fn through(&self, name: &str) -> Vec<Flow> {
        let own = self.by_name.get(name).copied();
        let own: Vec<IpNet> = own.map(nets).unwrap_or_default().iter().map(IpNet::trunc).collect();
        let mut leads: BTreeSet<usize> = self.by_interface.get(name).into_iter().flatten().copied().collect();
        // a next hop may be reached by another route through the tunnel
        let behind = leads.iter().filter_map(|place| Some(self.route(*place)?.destination));
        let mut left: Vec<IpNet> =
            own.iter().copied().chain(behind.filter(|net| net.prefix_len() > 0)).collect();
        let mut seen: BTreeSet<IpNet> = BTreeSet::new();
        while let Some(net) = left.pop() {
            if !seen.insert(net) {
                continue;
            }
            for place in self.by_hop.range(net.network()..=net.broadcast()).flat_map(|(_, places)| places) {
                if leads.insert(*place) {
                    let new = self.route(*place).map(|route| route.destination);
                    left.extend(new.filter(|net| net.prefix_len() > 0));
                }
            }
        }
        let is_other = |place: &&usize| !leads.contains(*place) && !self.missing.contains(*place);
        let mut out: Vec<IpNet> = Vec::new();
        for route in leads.iter().filter_map(|place| self.route(*place)) {
            let net = route.destination;
            let same = self.by_destination.get(&net).into_iter().flatten().filter(is_other);
            // the tunnel is only the second choice
            if same.filter_map(|place| self.route(*place)).any(|other| other.distance < route.distance) {
                continue;
            }
            let (first, last) =
                (IpNet::new(net.network(), 0), IpNet::new(net.broadcast(), net.max_prefix_len()));
            let (Ok(first), Ok(last)) = (first, last) else { continue };
            let connected = self.here.range(first..=last).filter(|own| net.contains(*own));
            let narrower = self.by_destination.range(first..=last).filter(|(own, places)| {
                net.contains(*own) && **own != net && places.iter().any(|place| is_other(&place))
            });
            let holes: Vec<_> = connected.chain(narrower.map(|(own, _)| own)).copied().take(HOLES).collect();
            out.extend(less(net, &holes));
        }
        out.extend(own);
        out.into_iter().map(to).collect()
    }
}
