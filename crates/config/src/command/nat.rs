//! `ip nat`: pools, rules and timeouts. The side of an interface is among the commands of interfaces.

use super::draft::RuleKey;
use super::mode::{Fate, In, Mode};
use super::row::{Fold, Row, fate, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{
    DynamicNat, NatGlobal, NatPool, NatRule, NatSelect, NatTimeouts, NatTo, StaticNat, StaticNatPair,
};
use ipnet::{IpNet, Ipv4Net};
use std::net::Ipv4Addr;

/// Settings of a way to translate that Linux does not have.
const LINUX: Fate = Fate::Inert("Linux has its own way to translate");

/// What is refused of address translation, by name.
const DESTINATION: Fate = Fate::Unenforced(
    "spreads what comes from outside over several hosts (publish one with `ip nat inside source static`)",
);
const OUTSIDE: Fate = Fate::Unenforced(
    "translates what is outside, which a router does after routing and Linux before (let the other side translate)",
);
pub(super) const VIRTUAL: Fate = Fate::Unenforced(
    "translates by a virtual interface (use `ip nat inside`, `ip nat outside` and `ip nat inside source`)",
);

pub(super) const ROWS: &[Row] = &[
    fold(
        In::Global,
        "ip nat pool <name>",
        "= [<A.B.C.D:low> <A.B.C.D:high>] {netmask <A.B.C.D:mask>|prefix-length <1-32:prefix-length>} [type {match-host|rotary}|add-route|accounting <access-list>|arp-ping|forced]...",
        pool,
    ),
    fold(In::NatPool, "address", "<A.B.C.D:low> <A.B.C.D:high>", address),
    fold(
        In::Global,
        "ip nat inside source",
        "{list <access-list>|route-map <route-map>} = {interface <IF:interface> [<UNIT:unit>]|pool <pool>} [overload|vrf <vrf>|reversible|oer|match-in-vrf|redundancy <id>|mapping-id <id>|forced]...",
        dynamic_rule,
    ),
    fold(
        In::Global,
        "ip nat inside source static",
        "{network <A.B.C.D:inside-local> <A.B.C.D:inside-global> {<A.B.C.D:mask>|</nn:prefix-length>}|{tcp|udp} <A.B.C.D:inside-local> <1-65535:local-port> {<A.B.C.D:inside-global>|interface <IF:interface> [<UNIT:unit>]} <1-65535:global-port>|<A.B.C.D:inside-local> {<A.B.C.D:inside-global>|interface <IF:interface> [<UNIT:unit>]}} [= {extendable|no-alias|no-payload|vrf <vrf>|match-in-vrf|redundancy <id>|mapping-id <id>|reversible|forced}|route-map <route-map>]...",
        static_rule,
    ),
    fate(
        In::Global,
        "ip nat inside source static esp",
        Fate::Unenforced("lets a host behind the router speak ESP"),
    ),
    fate(In::Global, "ip nat inside destination", DESTINATION),
    fate(In::Global, "ip nat outside source", OUTSIDE),
    fate(In::Global, "ip nat source", VIRTUAL),
    fold(
        In::Global,
        "ip nat translation",
        "{timeout|tcp-timeout|udp-timeout|icmp-timeout|dns-timeout|finrst-timeout|syn-timeout} = {<0-2147483647:seconds>|never}",
        timeout,
    ),
    fate(In::Global, "ip nat translation", Fate::Inert("Linux has no such time of its own")),
    fate(
        In::Global,
        "ip nat translation max-entries",
        Fate::Unsupported("translations are not counted; the kernel limits connections as a whole"),
    ),
    fate(In::Global, "ip nat", Fate::Unenforced("translates addresses, or is not understood")),
    fate(In::Global, "ip nat create", LINUX),
    fate(In::Global, "ip nat log", LINUX),
    fate(In::Global, "ip nat portmap", LINUX),
    fate(In::Global, "ip nat service", LINUX),
    fate(In::Global, "ip nat settings", LINUX),
    fate(In::Global, "ip nat switchover", LINUX),
];

// ---- pools --------------------------------------------------------------------------------------

/// `ip nat pool NAME [LOW HIGH] {netmask M | prefix-length N} …`; without addresses, lines below
/// give them.
fn pool(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    if fold.no {
        fold.config.nat_pools.remove(&name);
        return Ok(());
    }
    let prefix_length = match given.address("mask") {
        Some(mask) => {
            let mask = ipnet::ipv4_mask_to_prefix(mask);
            mask.map_err(|_| {
                let wildcard = given.address("mask").and_then(|mask| given.no_mask("mask", mask));
                wildcard.unwrap_or_else(|| given.problem("mask", "a network mask"))
            })?
        }
        None => given.number("prefix-length").unwrap_or(32),
    };
    let range = given.address("low").zip(given.address("high"));
    if let Some(range) = range {
        check_range(given, range, prefix_length)?;
    }
    if given.has("rotary") {
        fold.fate = Some(Fate::Unsupported("its addresses are not taken in turns"));
    }
    let (line, match_host) = (fold.line, given.has("match-host"));
    let make = || NatPool { name: name.clone(), ranges: Vec::new(), prefix_length, match_host, line };
    let place = fold.config.nat_pools.entry(name.clone(), make);
    if let Some(pool) = fold.config.nat_pools.get_mut(place) {
        (pool.prefix_length, pool.match_host) = (prefix_length, match_host);
    }
    match range {
        Some(range) => {
            let first = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
            fold.config.nat_ranges.remove_from((place, first), |(pool, _)| *pool == place);
            fold.config.nat_ranges.replace((place, range), Some(range));
        }
        None => fold.mode = Mode::NatPool(place),
    }
    Ok(())
}

/// The addresses of a range are in one network, and in order.
fn check_range(given: &Given<'_>, (low, high): (Ipv4Addr, Ipv4Addr), length: u8) -> Result<(), Problem> {
    let in_one = Ipv4Net::new(low, length).is_ok_and(|net| net.contains(&high));
    match high >= low && in_one {
        true => Ok(()),
        false => {
            Err(given.problem("high", "the last address of the range, in the same network as the first"))
        }
    }
}

/// `address LOW HIGH`
fn address(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let Mode::NatPool(place) = fold.mode else { return Ok(()) };
    let (Some(low), Some(high)) = (given.address("low"), given.address("high")) else {
        return Err(given.missing("the first and the last address"));
    };
    let length = fold.config.nat_pools.get(place).map_or(32, |pool| pool.prefix_length);
    check_range(given, (low, high), length)?;
    let range = fold.unless_no(Some((low, high)));
    fold.config.nat_ranges.replace((place, (low, high)), range);
    Ok(())
}

// ---- rules --------------------------------------------------------------------------------------

/// Puts a rule into the place of the one that it replaces.
fn put(fold: &mut Fold<'_>, key: RuleKey, rule: NatRule) {
    let place = fold.config.nat_rules.entry(key, || rule.clone());
    if let Some(known) = fold.config.nat_rules.get_mut(place) {
        *known = rule;
    }
}

/// What of a rule is told, and not done as it says.
fn told(fold: &mut Fold<'_>, given: &Given<'_>) {
    let unsupported = [
        ("redundancy", "translations are not kept by another router"),
        ("no-payload", "what is translated inside of packets is not up to a rule"),
        ("reversible", "what comes from outside begins no translation of the rule"),
    ];
    let found = unsupported.iter().find(|(word, _)| given.has(word));
    fold.fate = found.map(|(_, why)| Fate::Unsupported(why));
}

/// `ip nat inside source {list L | route-map R} {interface I | pool P} [overload] …`
fn dynamic_rule(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let list = given.string("access-list").map(NatSelect::List);
    let Some(which) = list.or_else(|| given.string("route-map").map(NatSelect::RouteMap)) else {
        return Err(given.missing("a list or a route map"));
    };
    let interface = given.interface("interface").map(NatTo::Interface);
    let to = interface.or_else(|| given.string("pool").map(NatTo::Pool));
    let key = RuleKey::Dynamic(which.clone());
    if fold.no {
        let place = fold.config.nat_rules.place(&key);
        let known = place.and_then(|place| fold.config.nat_rules.get(place));
        if let Some(NatRule::Dynamic(known)) = known
            && to.is_none_or(|to| to == known.to)
        {
            fold.config.nat_rules.remove(&key);
        }
        return Ok(());
    }
    if given.has("vrf") {
        fold.fate = Some(Fate::Forwarding("translates what a VRF forwards"));
        return Ok(());
    }
    let Some(to) = to else { return Err(given.missing("an interface or a pool")) };
    told(fold, given);
    let overload = given.has("overload") || matches!(to, NatTo::Interface(_));
    let line = fold.line;
    put(fold, key, NatRule::Dynamic(DynamicNat { which, to, overload, line }));
    Ok(())
}

/// `ip nat inside source static …`
fn static_rule(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let what = static_pair(given)?;
    let route_map = given.string("route-map");
    if fold.no {
        if route_map.is_some() {
            fold.config.nat_rules.remove(&RuleKey::Static(what, route_map));
        } else {
            // whatever its route map
            let first = RuleKey::Static(what.clone(), None);
            let is_meant = |key: &RuleKey| matches!(key, RuleKey::Static(own, _) if *own == what);
            fold.config.nat_rules.remove_from(first, is_meant);
        }
        return Ok(());
    }
    if given.has("vrf") {
        fold.fate = Some(Fate::Forwarding("translates what a VRF forwards"));
        return Ok(());
    }
    told(fold, given);
    let rule = StaticNat {
        what: what.clone(),
        route_map: route_map.clone(),
        extendable: given.has("extendable"),
        no_alias: given.has("no-alias"),
        line: fold.line,
    };
    put(fold, RuleKey::Static(what, route_map), NatRule::Static(rule));
    Ok(())
}

fn static_pair(given: &Given<'_>) -> Result<StaticNatPair, Problem> {
    let missing = || given.missing("both addresses");
    let local = given.address("inside-local").ok_or_else(missing)?;
    if given.has("network") {
        let global = given.address("inside-global").ok_or_else(missing)?;
        let length = match given.prefix_length("prefix-length") {
            Some(length) => length,
            None => match given.network("inside-local", "mask")? {
                IpNet::V4(net) => net.prefix_len(),
                IpNet::V6(_) => return Err(given.problem("mask", "a network mask")),
            },
        };
        let net = |address, name| {
            Ipv4Net::new(address, length).map(|net| net.trunc()).map_err(|_| given.problem(name, "a network"))
        };
        return Ok(StaticNatPair::Network {
            local: net(local, "inside-local")?,
            global: net(global, "inside-global")?,
        });
    }
    let interface = given.interface("interface").map(NatGlobal::Interface);
    let global = given.address("inside-global").map(NatGlobal::Address).or(interface).ok_or_else(missing)?;
    let Some(protocol) = given.choose(&[("tcp", 6), ("udp", 17)]) else {
        return Ok(StaticNatPair::Host { local, global });
    };
    // a line with `no` may end early, and then the port was taken for the number of the interface
    let (global, global_port) = match given.number("global-port") {
        Some(port) => (global, Some(port)),
        None => (given.string("interface").map_or(global, NatGlobal::Interface), given.number("unit")),
    };
    let ports = given.number("local-port").zip(global_port);
    let (local_port, global_port) = ports.ok_or_else(|| given.missing("both ports"))?;
    Ok(StaticNatPair::Port { protocol, local, local_port, global, global_port })
}

// ---- timeouts -----------------------------------------------------------------------------------

/// `ip nat translation …timeout {N | never}`
fn timeout(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    type Of = fn(&mut NatTimeouts) -> &mut Option<u32>;
    let kinds: [(&str, Of); 7] = [
        ("timeout", |all| &mut all.simple),
        ("tcp-timeout", |all| &mut all.tcp),
        ("udp-timeout", |all| &mut all.udp),
        ("icmp-timeout", |all| &mut all.icmp),
        ("dns-timeout", |all| &mut all.dns),
        ("finrst-timeout", |all| &mut all.finrst),
        ("syn-timeout", |all| &mut all.syn),
    ];
    let Some(of) = given.choose(&kinds) else { return Err(given.missing("which timeout")) };
    let never = given.has("never").then_some(0);
    let seconds = fold.unless_no(never.or_else(|| given.number("seconds")));
    *of(&mut fold.config.nat.timeouts) = seconds;
    if !fold.no && given.has("icmp-timeout") {
        fold.fate = Some(Fate::Unsupported("the kernel's own time applies"));
    }
    Ok(())
}
