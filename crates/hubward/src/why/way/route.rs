//! Which way the routes lead.

use crate::views::snapshot::Snapshot;
use hubward_linux::route::{Route, RouteKind};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Leads<'s> {
    /// To this router itself.
    Here,
    /// By an interface, by its name in the configuration, where it has one.
    By(&'s str, &'s Route),
    /// Nowhere: the route drops it.
    Dropped(&'s Route),
    /// There is no route.
    Nowhere,
}

/// The best route to an address.
pub(super) fn leads(snapshot: &Snapshot, to: Ipv4Addr) -> Leads<'_> {
    if is_own(snapshot, to) {
        return Leads::Here;
    }
    let holds = |route: &&Route| match route.destination {
        IpNet::V4(net) => net.contains(&to),
        IpNet::V6(_) => false,
    };
    let best = snapshot
        .routes
        .iter()
        .filter(holds)
        .min_by_key(|route| (std::cmp::Reverse(route.destination.prefix_len()), route.metric));
    let Some(route) = best else { return Leads::Nowhere };
    match route.kind {
        RouteKind::Unicast => match snapshot.links.get(&route.interface) {
            Some(name) => Leads::By(name, route),
            None => Leads::Nowhere,
        },
        RouteKind::Local | RouteKind::Broadcast => Leads::Here,
        _ => Leads::Dropped(route),
    }
}

/// Whether this router has an address, be it that for which it answers because of `ip nat`.
pub(super) fn is_own(snapshot: &Snapshot, address: Ipv4Addr) -> bool {
    let is = |net: &ipnet::Ipv4Net| net.addr() == address;
    snapshot.interfaces.iter().any(|one| one.net.iter().chain(&one.secondary).chain(&one.aliases).any(is))
}

/// The address of an interface.
pub(super) fn address_of(snapshot: &Snapshot, name: &str) -> Option<Ipv4Addr> {
    let view = snapshot.interfaces.iter().find(|one| one.name == name)?;
    view.net.map(|net| net.addr())
}

/// The words for a route.
pub(super) fn told(route: &Route) -> String {
    let net = match route.destination.prefix_len() {
        0 => "the default route".to_owned(),
        _ => format!("the route to {}", route.destination),
    };
    match route.gateway {
        Some(IpAddr::V4(hop)) => format!("{net} via {hop}"),
        _ => net,
    }
}
