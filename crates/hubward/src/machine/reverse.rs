//! The routes of `reverse-route` in the main table, and the addresses for which this machine
//! answers on a LAN because its clients have addresses of that LAN. Pure.
//!
//! Packets are led into a tunnel by Hubward's own table, with or without these routes. They are
//! there for whoever reads the main table: routing daemons, `show ip route`, the kernel's proxy ARP.

use crate::base::family::v4;
use crate::machine::capture::CryptoLinks;
use crate::machine::seen::Seen;
use crate::machine::view::Names;
use crate::translate::ReverseRoute;
use hubward_config::model::{Config, Interface};
use hubward_linux::route::{Route, RouteKind};
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::flow::tables;
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The distance of a route of `reverse-route`.
const DISTANCE: u32 = 1;

/// An address for which this machine answers on a link, by the link's name (proxy ARP, RFC 1027).
pub(crate) type Answer = (String, IpAddr);

/// What decides about the routes of `reverse-route`, as the last plan found it.
#[derive(Debug, Default)]
pub(crate) struct ReverseRoutes {
    links: CryptoLinks,
    /// The links that work.
    running: BTreeSet<u32>,
    /// The route that is used for each prefix.
    hops: BTreeMap<Ipv4Net, Hop>,
    /// The networks of the interfaces with `ip proxy-arp`, with their links.
    lans: Vec<(Ipv4Net, u32, String)>,
    pools: Vec<AddressRange>,
}

#[derive(Clone, Copy, Debug)]
struct Hop {
    metric: u32,
    /// The index of the link that it leaves by, unless it drops packets.
    interface: Option<u32>,
    gateway: Option<IpAddr>,
}

/// How a peer is reached.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// By this next hop.
    Router(IpAddr),
    /// It is on the link.
    OnLink(IpAddr),
}

impl ReverseRoutes {
    /// From the configuration, the machine as it will be, and the main table without the routes of
    /// `reverse-route`, in the kernel's order.
    pub(crate) fn new<'r>(
        config: &Config,
        names: &Names,
        seen: &Seen,
        main: impl IntoIterator<Item = &'r Route>,
        links: CryptoLinks,
    ) -> Self {
        let mut hops: BTreeMap<Ipv4Net, Hop> = BTreeMap::new();
        for route in main {
            let Some(net) = v4(route.destination) else { continue };
            // of equal routes, the kernel uses the first that it lists
            if hops.get(&net).is_none_or(|known| route.metric < known.metric) {
                let interface = (route.kind == RouteKind::Unicast).then_some(route.interface);
                hops.insert(net, Hop { metric: route.metric, interface, gateway: route.gateway });
            }
        }
        let answering = |one: &&Interface| !one.shutdown && !one.no_proxy_arp && !config.proxy_arp_off;
        let lans = config.interfaces.iter().filter(answering).filter_map(|one| {
            let name = names.get(&one.name)?;
            Some((seen.link(name).filter(|link| !link.loopback)?.index, name))
        });
        let lans = lans.flat_map(|(index, name)| {
            let there = seen.addresses.iter().filter(move |there| there.interface == index);
            there.filter_map(move |there| Some((v4(there.net)?.trunc(), index, name.clone())))
        });
        let pools = config.pools.iter().filter_map(|pool| AddressRange::new(pool.low, pool.high));
        Self {
            links,
            running: seen.links.iter().filter(|link| link.running).map(|link| link.index).collect(),
            hops,
            lans: lans.collect(),
            pools: pools.collect(),
        }
    }

    /// The routes to a network in the main table, by the interface with the crypto map. There is none
    /// where the configuration or another program has one that is at least as good.
    pub(crate) fn routes(&self, to: &ReverseRoute) -> Vec<Route> {
        let running = |index: &&u32| self.running.contains(*index);
        let Some(index) = self.links.get(&to.interface).filter(running).copied() else { return Vec::new() };
        let way = to.peer.and_then(|peer| self.way(peer, index));
        let nets = tables::prefixes([to.net]).into_iter().filter_map(v4);
        let better = |net: &Ipv4Net| self.hops.get(net).is_some_and(|hop| hop.metric <= DISTANCE);
        // a route around the peer must not be the one by which the peer is reached from now on
        let hides =
            |net: &Ipv4Net| way.is_none() && to.peer.is_some_and(|peer| IpNet::V4(*net).contains(&peer));
        nets.filter(|net| !better(net) && !hides(net))
            .map(|net| {
                let gateway = match way {
                    Some(Way::Router(router)) => Some(router),
                    // a host that is its own next hop is simply on the link
                    Some(Way::OnLink(peer)) => Some(peer).filter(|peer| !IpNet::V4(net).contains(peer)),
                    None => None,
                };
                Route {
                    gateway,
                    onlink: gateway.is_some(),
                    interface: index,
                    metric: DISTANCE,
                    ..Route::new(net.into())
                }
            })
            .collect()
    }

    /// The way to a peer: as on a router, the route to a network follows the route to its peer.
    fn way(&self, peer: IpAddr, by: u32) -> Option<Way> {
        let IpAddr::V4(address) = peer else { return None };
        let hop = self.longest(address).filter(|hop| hop.interface == Some(by))?;
        Some(hop.gateway.map_or(Way::OnLink(peer), Way::Router))
    }

    fn longest(&self, address: Ipv4Addr) -> Option<Hop> {
        (0..=32).rev().find_map(|length| {
            let net = Ipv4Net::new(address, length).ok()?.trunc();
            self.hops.get(&net).copied()
        })
    }

    /// For which address of a client this machine answers, and where: on the links whose network
    /// has it.
    pub(crate) fn answers(&self, to: &ReverseRoute) -> Vec<Answer> {
        let address = to.net.first();
        let is_lent = to.net.last() == address && self.pools.iter().any(|pool| pool.contains(address));
        if !is_lent {
            return Vec::new();
        }
        let out = self.links.get(&to.interface);
        let here = self
            .lans
            .iter()
            .filter(|(net, index, _)| IpNet::V4(*net).contains(&address) && Some(index) != out);
        here.map(|(_, _, name)| (name.clone(), address)).collect()
    }
}
