//! `ip route` and `ip local pool`.

use super::{Action, Fate, Fold, In, Row};
use crate::form::{Cursor, Problem};
use crate::model::{Pool, Route};

pub(super) const ROWS: &[Row] = &[
    Row { mode: In::Global, form: "ip route", action: Action::Fold(route) },
    Row { mode: In::Global, form: "ip local pool <name>", action: Action::Fold(pool) },
    Row { mode: In::Global, form: "ip default-gateway", action: Action::Fate(Fate::NoOp) },
    Row {
        mode: In::Global,
        form: "ip default-network",
        action: Action::Fate(Fate::Forwarding("chooses the default route")),
    },
    Row { mode: In::Global, form: "ip routing", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Global, form: "ip classless", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Global, form: "ip subnet-zero", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Global, form: "ip cef", action: Action::Fate(Fate::NoOp) },
    Row { mode: In::Global, form: "ip nat", action: Action::Fate(Fate::Forwarding("translates addresses")) },
    Row { mode: In::Global, form: "ip policy", action: Action::Fate(Fate::Forwarding("routes by policy")) },
    Row { mode: In::Global, form: "ip vrf", action: Action::Opens(Fate::Forwarding("makes a VRF")) },
    Row { mode: In::Global, form: "vrf definition", action: Action::Opens(Fate::Forwarding("makes a VRF")) },
    Row {
        mode: In::Global,
        form: "router",
        action: Action::Opens(Fate::Forwarding("is a routing protocol")),
    },
    Row {
        mode: In::Global,
        form: "route-map",
        action: Action::Opens(Fate::Forwarding("decides about routes")),
    },
    Row {
        mode: In::Global,
        form: "ip prefix-list",
        action: Action::Fate(Fate::Inert("only routing protocols look at it")),
    },
    Row {
        mode: In::Global,
        form: "ip multicast-routing",
        action: Action::Fate(Fate::Forwarding("routes multicast")),
    },
    Row {
        mode: In::Global,
        form: "ip inspect",
        action: Action::Fate(Fate::Unenforced("is a stateful firewall")),
    },
    Row {
        mode: In::Global,
        form: "ipv6",
        action: Action::Opens(Fate::Unsupported("IPv6 is not configured")),
    },
    Row {
        mode: In::Global,
        form: "ip ips",
        action: Action::Fate(Fate::Unenforced("is an intrusion prevention system")),
    },
    Row {
        mode: In::Global,
        form: "ip sla",
        action: Action::Opens(Fate::Unsupported("paths are not measured")),
    },
    Row {
        mode: In::Global,
        form: "track",
        action: Action::Opens(Fate::Unsupported("nothing is tracked; routes that hang on it stay")),
    },
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
    let destination = ipnet::Ipv4Net::with_netmask(address, mask).map_err(|_| problem)?.trunc();
    let mut next_hop = cursor.optional_address();
    let mut interface = None;
    if next_hop.is_none() {
        let mut name = cursor.word("a next hop or an interface")?.to_string();
        let numbered = name.ends_with(|character: char| character.is_ascii_digit());
        if let Some(number) =
            cursor.peek().filter(|word| !numbered && word.starts_with(|c: char| c.is_ascii_digit()))
        {
            name.push_str(number);
            cursor.next();
        }
        next_hop = cursor.optional_address();
        interface = Some(super::interface::long_name(&name));
    }
    let mut distance = 1;
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
            fold.fate = Some(Fate::Unsupported("the DHCP server's own route is used"));
        } else if !cursor.keyword("permanent") {
            return Err(cursor.problem("a distance, name, tag, track or permanent"));
        }
    }
    let same = |known: &Route| {
        known.destination == destination && known.next_hop == next_hop && known.interface == interface
    };
    fold.config.routes.retain(|known| !same(known));
    if !fold.no && (next_hop.is_some() || interface.as_deref() != Some("dhcp")) {
        fold.config.routes.push(Route { destination, next_hop, interface, distance, line: fold.line });
    }
    Ok(())
}

/// `ip local pool NAME LOW [HIGH] …`
fn pool(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no && cursor.peek().is_none() {
        fold.config.pools.retain(|pool| pool.name != name);
        return Ok(());
    }
    let low = cursor.address()?;
    let problem = cursor.problem("the highest address, not below the lowest");
    let high = cursor.optional_address().unwrap_or(low);
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
