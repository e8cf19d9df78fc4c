//! Policy routing of a packet, by the model: which entry of a route map decides, and where that leads.

use super::answer::Moving;
use super::lists::{Chosen, choose};
use super::route::{Leads, is_own, leads};
use crate::machine::view::InterfaceView;
use crate::views::snapshot::Snapshot;
use hubward_config::model::{InterfaceKind, Moment};
use hubward_config::policy_routing::{NULL, Way, ways};
use ipnet::IpNet;
use std::net::Ipv4Addr;

/// What policy routing does to a packet.
pub(super) struct Decided {
    pub(super) way: Decision,
    pub(super) says: String,
    pub(super) line: Option<u32>,
}

/// Where it leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The routes decide.
    Routes,
    /// Out by this interface.
    By(String),
    /// Nowhere.
    Dropped,
}

/// What the route map of an interface, or that of the router's own packets, says of a packet.
pub(super) fn decide(snapshot: &Snapshot, name: &str, packet: &Moving, moment: Moment) -> Decided {
    let config = &snapshot.parsed.config;
    let routes = |says: String, line| Decided { way: Decision::Routes, says, line };
    let Some(map) = config.route_maps.iter().find(|map| map.name == name) else {
        return routes(format!("route map {name} does not exist: the routes decide"), None);
    };
    let (entry, of) = match choose(config, map, packet, None, moment) {
        Chosen::By(entry, of) => (entry, of),
        Chosen::Closed(said) => {
            return Decided { way: Decision::Dropped, says: said.says, line: said.line };
        }
        Chosen::Nothing { unless, .. } => {
            let says = format!("no entry of route map {name} matches it: the routes decide{unless}");
            return routes(says, None);
        }
    };
    let line = Some(entry.line);
    if !entry.permit {
        return routes(format!("{of}, denies it: the routes decide"), line);
    }
    let ways = ways(entry);
    if ways.is_empty() {
        return routes(format!("{of}, sets no way: the routes decide"), line);
    }
    let explicit = has_route(snapshot, packet.destination);
    for way in ways {
        if way.is_default() && explicit {
            return routes(
                format!("{of}: there is a route to {}, which comes first", packet.destination),
                line,
            );
        }
        let (to, told) = match way {
            Way::NextHop(hop) | Way::DefaultNextHop(hop) => (by_hop(snapshot, hop), format!("to {hop}")),
            Way::Interface(name) | Way::DefaultInterface(name) => {
                (by_interface(snapshot, name), format!("to {name}"))
            }
        };
        // an interface that is no point-to-point link leads only where there is a route
        let leads = !matches!((way, &to), (Way::Interface(_), Some(Decision::By(_)))) || explicit;
        match to.filter(|_| leads) {
            Some(way @ Decision::By(_)) => {
                let by = match &way {
                    Decision::By(by) if !told.ends_with(by.as_str()) => format!(" by {by}"),
                    _ => String::new(),
                };
                return Decided { way, says: format!("{of}: {told}{by}"), line };
            }
            Some(way) => {
                let why = if told.ends_with(NULL) { "" } else { ", which does not exist here" };
                return Decided { way, says: format!("{of}: {told}{why}"), line };
            }
            None => {}
        }
    }
    routes(format!("{of}: none of its ways is there, and the routes decide"), line)
}

/// Whether a route leads to an address besides the default route.
fn has_route(snapshot: &Snapshot, to: Ipv4Addr) -> bool {
    match leads(snapshot, to) {
        Leads::By(_, route) | Leads::Dropped(route) => route.destination.prefix_len() > 0,
        Leads::Here => true,
        Leads::Nowhere => snapshot.routes.iter().any(|route| match route.destination {
            IpNet::V4(net) => net.prefix_len() > 0 && net.contains(&to),
            IpNet::V6(_) => false,
        }),
    }
}

fn works(view: &InterfaceView) -> bool {
    view.up && view.running && !view.shutdown
}

fn by_hop(snapshot: &Snapshot, hop: Ipv4Addr) -> Option<Decision> {
    if is_own(snapshot, hop) {
        return None;
    }
    let of = |view: &InterfaceView| {
        let nets = view.net.iter().chain(&view.secondary);
        nets.filter(|net| net.contains(&hop)).map(|net| net.prefix_len()).max()
    };
    let here = snapshot.interfaces.iter().filter(|view| works(view));
    let here = here.filter_map(|view| Some((of(view)?, true, Decision::By(view.name.clone()))));
    let absent = snapshot.interfaces.iter().filter(|view| is_absent(snapshot, &view.name));
    let absent = absent.filter_map(|view| Some((of(view)?, false, Decision::Dropped)));
    here.chain(absent).max_by_key(|(length, here, _)| (*length, *here)).map(|(.., decision)| decision)
}

fn by_interface(snapshot: &Snapshot, name: &str) -> Option<Decision> {
    if name == NULL || is_absent(snapshot, name) {
        return Some(Decision::Dropped);
    }
    let view = snapshot.interfaces.iter().find(|view| view.name == name)?;
    works(view).then(|| Decision::By(name.to_owned()))
}

/// Whether Hubward does not have an interface.
fn is_absent(snapshot: &Snapshot, name: &str) -> bool {
    let Some(view) = snapshot.interfaces.iter().find(|view| view.name == name) else { return true };
    view.index.is_none() && (!view.shutdown || InterfaceKind::of(name).is_absent())
}
