//! `ip route` and `ip local pool`.

use super::{Fate, Fold, In, Row, fate, fold, opens};
use crate::form::{Cursor, Problem};
use crate::model::{Pool, Route};
use ipnet::IpNet;
use std::net::IpAddr;

pub(super) const ROWS: &[Row] = &[
    fold(
        In::Global,
        "ip route",
        "{vrf <LINE:rest>|<A.B.C.D:prefix> <A.B.C.D:mask> {<A.B.C.D:hop>|dhcp|<IF:interface> [<UNIT:unit>] [<A.B.C.D:hop>|dhcp]} = [<1-255:distance>|name <name>|tag <0-4294967295:tag>|track <object>|permanent]...}",
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
    fate(In::Global, "ip nat", Fate::Inert("translates nothing without a rule, which is reported there")),
    fate(In::Global, "ip nat inside source", Fate::Unenforced("translates addresses")),
    fate(In::Global, "ip nat inside destination", Fate::Unenforced("translates addresses")),
    fate(In::Global, "ip nat outside source", Fate::Unenforced("translates addresses")),
    fate(In::Global, "ip nat source", Fate::Unenforced("translates addresses")),
    fate(In::Global, "ip policy", Fate::Forwarding("routes by policy")),
    opens(In::Global, "ip vrf", Fate::Forwarding("makes a VRF")),
    opens(In::Global, "vrf definition", Fate::Forwarding("makes a VRF")),
    opens(In::Global, "router", Fate::Forwarding("is a routing protocol")),
    opens(In::Global, "route-map", Fate::Forwarding("decides about routes")),
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
fn route(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if cursor.keyword("vrf") {
        cursor.rest();
        fold.fate = Some(Fate::Forwarding("is a VRF's route"));
        return Ok(());
    }
    let address = cursor.address()?;
    let problem = cursor.problem("a network mask");
    let mask = cursor.address()?;
    let destination = IpNet::with_netmask(address.into(), mask.into()).map_err(|_| problem)?.trunc();
    if fold.no && cursor.peek().is_none() {
        fold.config.routes.retain(|known| known.destination != destination);
        return Ok(());
    }
    let mut next_hop = cursor.optional_address().map(IpAddr::V4);
    let mut interface = None;
    if next_hop.is_none() {
        let mut name = cursor.word("a next hop or an interface")?.to_string();
        // `dhcp 254` is not an interface called dhcp254
        let numbered =
            name.ends_with(|character: char| character.is_ascii_digit()) || name.eq_ignore_ascii_case("dhcp");
        if let Some(number) =
            cursor.peek().filter(|word| !numbered && word.starts_with(|c: char| c.is_ascii_digit()))
        {
            name.push_str(number);
            cursor.next();
        }
        next_hop = cursor.optional_address().map(IpAddr::V4);
        interface = Some(crate::interface_name::long_name(&name));
    }
    let (mut distance, mut by_dhcp) = (1, false);
    while let Some(word) = cursor.peek().filter(|word| !word.starts_with('!')) {
        if word.parse::<u32>().is_ok() {
            distance = cursor.number("a distance 1-255", 1..=255)? as u8;
        } else if cursor.keyword("name") || cursor.keyword("tag") {
            cursor.word("a name or a tag")?;
        } else if cursor.keyword("track") {
            cursor.word("an object")?;
            fold.fate = Some(Fate::Unsupported("nothing is tracked; the route stays"));
        } else if crate::form::is(word, "dhcp") {
            cursor.next();
            by_dhcp = true;
        } else if !cursor.keyword("permanent") {
            return Err(cursor.problem("a distance, name, tag, track or permanent"));
        }
    }
    let same = |known: &Route| {
        known.destination == destination
            && known.next_hop == next_hop
            && known.interface == interface
            && known.by_dhcp == by_dhcp
    };
    fold.config.routes.retain(|known| !same(known));
    if !fold.no {
        fold.config.routes.push(Route {
            destination,
            next_hop,
            interface,
            by_dhcp,
            distance,
            line: fold.line,
        });
    }
    Ok(())
}

/// Routing is on unless it is switched off.
fn routing(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.fate = Some(match fold.no && !fold.default {
        true => Fate::Forwarding("turns the router into a host"),
        false => Fate::NoOp,
    });
    cursor.finish()
}

/// `ip local pool NAME LOW [HIGH] …`
fn pool(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no && cursor.peek().is_none() {
        fold.config.pools.retain(|pool| pool.name != name);
        return Ok(());
    }
    let low = IpAddr::V4(cursor.address()?);
    let problem = cursor.problem("the highest address, not below the lowest");
    let high = cursor.optional_address().map_or(low, IpAddr::V4);
    if high < low {
        return Err(problem);
    }
    if cursor.peek().is_some_and(|word| crate::form::is(word, "group")) {
        fold.fate = Some(Fate::Unsupported("pool groups are not implemented; the pool is global"));
    }
    cursor.rest();
    fold.config.pools.retain(|pool| !(pool.name == name && pool.low == low));
    if !fold.no {
        fold.config.pools.push(Pool { name, low, high, line: fold.line });
    }
    Ok(())
}
