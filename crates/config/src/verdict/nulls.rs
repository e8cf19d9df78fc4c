//! Routes to Null0 beside a tunnel.

use crate::model::{Addressing, Config, EntryTerms, InterfaceKind, Route};
use ipnet::IpNet;

/// Static routes to Null0 that are the best way to what a crypto map should protect: packets never
/// come to the map.
pub(crate) fn nulls(config: &Config, terms: &EntryTerms) -> Vec<(u32, IpNet, u32)> {
    if terms.reverse_route {
        return Vec::new();
    }
    let acl = terms.acl.as_ref().and_then(|name| config.acl(name));
    let mut out: Vec<(u32, IpNet, u32)> = Vec::new();
    for (entry, net) in acl.iter().flat_map(|acl| acl.permitted_destinations(config)) {
        let destination = IpNet::V4(net);
        let covers = |route: &&Route| route.destination.contains(&destination);
        let best = config
            .routes
            .iter()
            .filter(covers)
            .min_by_key(|route| (std::cmp::Reverse(route.destination.prefix_len()), route.distance));
        let connected = config.interfaces.iter().filter(|interface| !interface.shutdown).any(|interface| {
            let longest = best.map_or(0, |route| route.destination.prefix_len());
            match &interface.address {
                Addressing::Static(nets) => {
                    nets.iter().any(|net| net.contains(&destination) && net.prefix_len() >= longest)
                }
                _ => false,
            }
        });
        let is_null = |route: &&Route| {
            route.interface.as_deref().is_some_and(|name| InterfaceKind::of(name) == InterfaceKind::Null)
        };
        if let Some(route) = best.filter(is_null).filter(|_| !connected) {
            out.push((route.line, destination, entry.line));
        }
    }
    out
}
