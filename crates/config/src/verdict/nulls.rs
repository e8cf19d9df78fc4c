//! Routes to Null0 beside a tunnel.

use super::world::World;
use crate::model::{EntryTerms, InterfaceKind, Route};
use ipnet::IpNet;

/// Static routes to Null0 that are the best way to what a crypto map should protect: packets never
/// come to the map. Each by its line, with the network.
pub(super) fn nulls(world: &World<'_>, terms: &EntryTerms) -> Vec<(u32, IpNet)> {
    if terms.reverse_route {
        return Vec::new();
    }
    let acl = terms.acl.as_ref().and_then(|name| world.acl(name));
    let mut out: Vec<(u32, IpNet)> = Vec::new();
    for (_, net) in acl.iter().flat_map(|acl| acl.permitted_destinations(world.config)) {
        let destination = IpNet::V4(net);
        let is_null = |route: &&Route| {
            route.interface.as_deref().is_some_and(|name| InterfaceKind::of(name) == InterfaceKind::Null)
        };
        let Some(route) = world.ways.routes.best(destination).filter(is_null) else { continue };
        let narrowest = world.attached.around(destination).next();
        if narrowest.is_none_or(|(own, _)| own.prefix_len() < route.destination.prefix_len()) {
            out.push((route.line, destination));
        }
    }
    out
}
