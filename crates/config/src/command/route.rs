//! `ip route` and `ip local pool`.

use super::draft::Way;
use super::mode::{Fate, In};
use super::row::{Fold, Row, fate, fold, opens};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{Pool, Route};
use std::net::{IpAddr, Ipv4Addr};

pub(super) const ROWS: &[Row] = &[
    fold(
        In::Global,
        "ip route",
        "{vrf <LINE:rest>|<A.B.C.D:prefix> <A.B.C.D:mask> {<A.B.C.D:hop>|dhcp|<IF:interface> [<UNIT:unit>] [<A.B.C.D:hop>|dhcp]} = [<1-255:distance>|name <name>|tag <0-4294967295:tag>|track <object>|permanent|multicast]...}",
        route,
    ),
    fold(
        In::Global,
        "ip local pool <name>",
        "<A.B.C.D:low> = [<A.B.C.D:high>] [group <group>|cache-size <size>|recycle <LINE:rest>]...",
        pool,
    ),
    fate(In::Global, "ip default-gateway", Fate::NoOp),
    fate(In::Global, "ip default-network", Fate::Forwarding("chooses the default route")),
    fold(In::Global, "ip routing", "", routing),
    fate(In::Global, "ip classless", Fate::NoOp),
    fate(In::Global, "ip subnet-zero", Fate::NoOp),
    fate(In::Global, "ip cef", Fate::NoOp),
    opens(In::Global, "ip vrf", Fate::Forwarding("makes a VRF")),
    opens(In::Global, "vrf definition", Fate::Forwarding("makes a VRF")),
    opens(In::Global, "router", Fate::Forwarding("is a routing protocol")),
    fate(In::Global, "ip prefix-list", Fate::Inert("only routing protocols use it")),
    fate(In::Global, "ip multicast-routing", Fate::Forwarding("routes multicast")),
    fate(
        In::Global,
        "ip inspect",
        Fate::Inert("has an effect only on an interface, which is reported there"),
    ),
    opens(In::Global, "ipv6", Fate::Unsupported("IPv6 is not configured")),
    fate(In::Global, "ip ips", Fate::Unenforced("is an intrusion prevention system")),
    opens(In::Global, "ip sla", Fate::Unsupported("paths are not measured")),
    opens(In::Global, "track", Fate::Unsupported("nothing is tracked; routes that hang on it stay")),
];

/// `ip route NET MASK {A | INTERFACE [A]} [DISTANCE] [name N] [permanent] [tag T] [track N]`
fn route(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    if given.has("vrf") {
        fold.fate = Some(Fate::Forwarding("is a VRF's route"));
        return Ok(());
    }
    let destination = given.network("prefix", "mask")?.trunc();
    let next_hop = given.address("hop").map(IpAddr::V4);
    let (interface, by_dhcp) = (given.interface("interface"), given.has("dhcp"));
    let way: Way = (next_hop, interface.clone(), by_dhcp);
    if fold.no {
        let routes = &mut fold.config.routes;
        if way == Way::default() {
            // every route to the destination
            routes.remove_from((destination, way), |(net, _)| *net == destination);
        } else {
            routes.remove(&(destination, way));
        }
        return Ok(());
    }
    if given.has("multicast") {
        fold.fate = Some(Fate::Forwarding("decides where multicast comes from"));
        return Ok(());
    }
    if given.has("track") {
        fold.fate = Some(Fate::Unsupported("nothing is tracked; the route stays"));
    }
    let distance = given.number("distance").unwrap_or(1);
    let route = Route { destination, next_hop, interface, by_dhcp, distance, line: fold.line };
    fold.config.routes.replace((destination, way), Some(route));
    Ok(())
}

/// Routing is on unless it is switched off.
fn routing(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    fold.fate = Some(match fold.no && !fold.default {
        true => Fate::Forwarding("turns the router into a host"),
        false => Fate::NoOp,
    });
    Ok(())
}

/// `ip local pool NAME LOW [HIGH] …`
fn pool(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    let Some(low) = given.address("low").map(IpAddr::V4) else {
        let first = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        fold.config.pools.remove_from((name.clone(), first), |(own, _)| *own == name);
        return Ok(());
    };
    let high = given.address("high").map_or(low, IpAddr::V4);
    if high < low {
        return Err(given.problem("high", "the highest address, not below the lowest"));
    }
    if given.has("group") && !fold.no {
        fold.fate = Some(Fate::Unsupported("pool groups are not implemented; the pool is global"));
    }
    let pool = fold.unless_no(Some(Pool { name: name.clone(), low, high, line: fold.line }));
    fold.config.pools.replace((name, low), pool);
    Ok(())
}
