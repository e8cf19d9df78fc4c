//! `ip route`: the static routes of the configuration and the default routes of DHCP, held against the routes of the machine.
//!
//! Of routes with one prefix the configuration's own with the lowest distance is used; Linux knows the distance as metric.
//! A route that somebody else made (an `ifupdown` default route has metric 0) never wins in silence: a route of distance 1
//! is put in front of it, and any other loss is told.

use crate::apply::{Machine, Names};
use hubward_config::model::{self, Addressing, Config};
use hubward_linux::address::{self, Address};
use hubward_linux::link::{self, Link};
use hubward_linux::owned::PROTOCOL;
use hubward_linux::route::{self, Route, RouteKind};
use ipnet::{IpNet, Ipv4Net};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// `RTPROT_KERNEL`: the route of a connected network, which comes before every static one in IOS too.
const CONNECTED: u8 = 2;
/// The distance of a default route that DHCP gave.
const DHCP_DISTANCE: u8 = 254;
/// `ip route … dhcp`, in the place of an interface.
const BY_DHCP: &str = "dhcp";

/// A static route as it is installed, or kept for when a better one goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Static {
    /// The route.
    pub(crate) route: Route,
    /// IOS's administrative distance.
    pub(crate) distance: u8,
    /// The IOS name of the interface it leaves by.
    pub(crate) interface: Option<String>,
    /// Why it is not used although no other route of the configuration is better.
    pub(crate) hidden: Option<String>,
}

/// What of the machine decides about routes.
struct Surroundings {
    addresses: Vec<Address>,
    links: Vec<Link>,
    main: Vec<Route>,
}

impl Machine {
    /// Brings the main table in line with `ip route` and the leases. A next hop in no connected network is put on the
    /// interface that bears the crypto map; what leaves by a link that is down is withdrawn, so that the route with the next
    /// higher distance takes over.
    pub(crate) fn apply_routes(&mut self, config: &Config) -> anyhow::Result<()> {
        let around = Surroundings {
            addresses: address::list(&self.netlink)?,
            links: link::list(&self.netlink)?,
            main: route::list(&self.netlink)?.into_iter().filter(|r| r.table == route::MAIN).collect(),
        };
        let mut wanted: Vec<_> =
            config.routes.iter().flat_map(|configured| self.resolve(config, configured, &around)).collect();
        for (name, lease) in &self.leases {
            let Some(router) = lease.router else { continue };
            let Some(link) = around.links.iter().find(|link| link.name == *name) else { continue };
            let mut route = Route::new(IpNet::V4(Ipv4Net::default()));
            route.gateway = Some(IpAddr::V4(router));
            route.interface = link.index;
            let interface = ios_name(&self.names, name);
            wanted.push(Static { route, distance: DHCP_DISTANCE, interface, hidden: None });
        }
        let mut told = BTreeSet::new();
        for place in 0..wanted.len() {
            let Some((before, rest)) = wanted.split_at_mut_checked(place) else { break };
            let Some((route, after)) = rest.split_first_mut() else { break };
            let better = before.iter().chain(after.iter()).any(|other| {
                other.route.destination == route.route.destination && other.distance < route.distance
            });
            rank(route, better, &around, &mut told);
        }
        for line in told.difference(&self.told) {
            tracing::warn!("{line}");
        }
        self.told = told;
        let ours: Vec<_> = around.main.iter().filter(|route| route.protocol == PROTOCOL).collect();
        for new in wanted.iter().map(|new| &new.route).filter(|new| !ours.iter().any(|old| same(new, old))) {
            let hop = new.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
            if let Err(error) = route::prepend(&self.netlink, new) {
                tracing::warn!("the route to {}{hop} is not installed: {error}", new.destination);
            }
        }
        // the new ones stand before the old ones go: no packet is without a route
        for old in ours.into_iter().filter(|old| !wanted.iter().any(|new| same(&new.route, old))) {
            match route::remove(&self.netlink, old) {
                Err(error) if !error.is_not_found() => {
                    tracing::warn!("the route to {} is left behind: {error}", old.destination);
                }
                _ => {}
            }
        }
        self.statics = wanted;
        Ok(())
    }

    /// The routes that a line stands for right now: none while its interface is down or its next hop unknown.
    fn resolve(&self, config: &Config, configured: &model::Route, around: &Surroundings) -> Vec<Static> {
        let mut route = Route::new(IpNet::V4(configured.destination));
        let made = |route: Route, name: Option<String>| Static {
            route,
            distance: configured.distance,
            interface: name,
            hidden: None,
        };
        let wanted = configured.interface.as_deref();
        if wanted.is_some_and(|name| name.starts_with("Null")) {
            route.kind = RouteKind::Blackhole;
            return vec![made(route, configured.interface.clone())];
        }
        if wanted == Some(BY_DHCP) || configured.by_dhcp {
            let by = |name: &str| ios_name(&self.names, name);
            let fits = |name: &str| wanted == Some(BY_DHCP) || by(name).as_deref() == wanted;
            let leases = self.leases.iter().filter(|(name, _)| fits(name));
            return leases
                .filter_map(|(name, lease)| {
                    let link = around.links.iter().find(|link| link.name == *name && link.running)?;
                    let route = Route {
                        gateway: Some(IpAddr::V4(lease.router?)),
                        interface: link.index,
                        ..route.clone()
                    };
                    Some(made(route, by(name)))
                })
                .collect();
        }
        let by_index = |index: u32| around.links.iter().find(|link| link.index == index);
        let by_name = |name: &str| around.links.iter().find(|link| link.name == name);
        let hop = configured.next_hop.map(IpAddr::V4);
        route.gateway = hop;
        let link = match (wanted, hop) {
            (Some(name), _) => self.names.get(name).and_then(|name| by_name(name)),
            (None, Some(hop)) => {
                let connected = around.addresses.iter().find(|address| address.net.contains(&hop));
                match connected {
                    Some(address) => by_index(address.interface),
                    None => {
                        route.onlink = true;
                        let bearer = config.interfaces.iter().find(|i| i.crypto_map.is_some() && !i.shutdown);
                        // the network of the next hop may come with a lease
                        let bearer = bearer.filter(|bearer| bearer.address != Addressing::Dhcp);
                        bearer.and_then(|bearer| self.names.get(&bearer.name)).and_then(|name| by_name(name))
                    }
                }
            }
            (None, None) => None,
        };
        let Some(link) = link.filter(|link| link.running) else { return Vec::new() };
        route.interface = link.index;
        vec![made(route, ios_name(&self.names, &link.name))]
    }
}

/// Gives a route its metric, so that it wins over what others made, or says why it does not.
fn rank(route: &mut Static, better: bool, around: &Surroundings, told: &mut BTreeSet<String>) {
    route.route.metric = u32::from(route.distance);
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

fn same(wanted: &Route, there: &Route) -> bool {
    wanted.destination == there.destination
        && wanted.metric == there.metric
        && wanted.kind == there.kind
        && wanted.gateway == there.gateway
        && (wanted.interface == there.interface || wanted.kind == RouteKind::Blackhole)
        && there.protocol == PROTOCOL
}

fn ios_name(names: &Names, linux: &str) -> Option<String> {
    names.iter().find(|(_, name)| *name == linux).map(|(ios, _)| ios.clone())
}
