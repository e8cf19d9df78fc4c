//! Which line of `ip nat` translates a packet, by the model.

use super::answer::Moving;
use super::lists::{Chosen, Said, ask_choosing, choose};
use super::route::address_of;
use crate::router::rules::is_own_port;
use crate::views::snapshot::Snapshot;
use hubward_config::model::{
    Config, DynamicNat, Moment, NatGlobal, NatPool, NatRule, NatSelect, NatTo, StaticNat, StaticNatPair,
};
use std::net::Ipv4Addr;

/// What a rule does to a packet.
pub(super) enum Translation {
    /// It gets this source, and this port, as far as they are known before it comes.
    To { source: Option<Ipv4Addr>, port: Option<u16>, known: bool },
    /// There is no address for it.
    Dropped,
}

/// Why a packet from inside is translated, or is not.
pub(super) struct Outward {
    pub(super) translation: Option<Translation>,
    pub(super) says: String,
    pub(super) line: Option<u32>,
}

impl Outward {
    /// What may be for a rule, and cannot be decided, is neither translated nor forwarded as it is.
    fn dropped(said: Said) -> Self {
        Self { translation: Some(Translation::Dropped), says: said.says, line: said.line }
    }
}

/// The rule that translates what leaves by `out`.
pub(super) fn outward(snapshot: &Snapshot, packet: &Moving, out: &str, moment: Moment) -> Outward {
    let config = &snapshot.parsed.config;
    let rules = &config.nat.rules;
    let mut passed: Option<Said> = None;
    for rule in rules {
        if let NatRule::Static(rule) = rule
            && let Some(found) = of_static(snapshot, rule, packet, out, moment)
        {
            return found;
        }
    }
    for rule in rules {
        let NatRule::Dynamic(rule) = rule else { continue };
        match selects(config, &rule.which, packet, out, moment) {
            Some(said) if said.permits => {
                let (translation, to) = target(snapshot, rule, packet);
                return Outward {
                    translation: Some(translation),
                    says: format!("{} permits it: {to}", said.says),
                    line: Some(rule.line),
                };
            }
            Some(said) if said.closed => return Outward::dropped(said),
            Some(said) => passed = passed.or(Some(said)),
            None => {}
        }
    }
    match passed {
        Some(said) => {
            Outward { translation: None, says: format!("not translated: {}", said.says), line: said.line }
        }
        None => Outward { translation: None, says: "not translated: no rule matches it".into(), line: None },
    }
}

fn of_static(
    snapshot: &Snapshot,
    rule: &StaticNat,
    packet: &Moving,
    out: &str,
    moment: Moment,
) -> Option<Outward> {
    let address = |global: &NatGlobal| match global {
        NatGlobal::Address(address) => Some(*address),
        NatGlobal::Interface(name) => address_of(snapshot, name),
    };
    let (source, port) = match &rule.what {
        StaticNatPair::Host { local, global } if *local == packet.source => {
            (address(global)?, packet.source_port)
        }
        StaticNatPair::Network { local, global } if local.contains(&packet.source) => {
            (moved(packet.source, *local, *global), packet.source_port)
        }
        StaticNatPair::Port { protocol, local, local_port, global, global_port }
            if *local == packet.source
                && *protocol == packet.protocol
                && packet.source_port == Some(*local_port) =>
        {
            (address(global)?, Some(*global_port))
        }
        _ => return None,
    };
    if let Some(map) = &rule.route_map {
        let said = by_route_map(&snapshot.parsed.config, map, packet, out, moment)?;
        if said.closed {
            return Some(Outward::dropped(said));
        }
        if !said.permits {
            return None;
        }
    }
    Some(Outward {
        translation: Some(Translation::To { source: Some(source), port, known: true }),
        says: format!("the static translation to {source}"),
        line: Some(rule.line),
    })
}

/// Whether rules give an address to what leaves: it may be seen outside.
pub(super) fn is_global(snapshot: &Snapshot, address: Ipv4Addr) -> bool {
    let nat = &snapshot.parsed.config.nat;
    let of_interface = |name: &str| address_of(snapshot, name) == Some(address);
    let of_pool = |name: &String| {
        let ranges = nat.pools.iter().filter(|pool| pool.name == *name).flat_map(|pool| &pool.ranges);
        ranges.into_iter().any(|(first, last)| (first..=last).contains(&&address))
    };
    nat.rules.iter().any(|rule| match rule {
        NatRule::Dynamic(rule) => match &rule.to {
            NatTo::Interface(name) => of_interface(name),
            NatTo::Pool(name) => of_pool(name),
        },
        NatRule::Static(rule) => match &rule.what {
            StaticNatPair::Network { global, .. } => global.contains(&address),
            StaticNatPair::Host { global, .. } | StaticNatPair::Port { global, .. } => match global {
                NatGlobal::Address(global) => *global == address,
                NatGlobal::Interface(name) => of_interface(name),
            },
        },
    })
}

/// The address with its host part in another network of the same length.
fn moved(address: Ipv4Addr, from: ipnet::Ipv4Net, to: ipnet::Ipv4Net) -> Ipv4Addr {
    let host = u32::from(address) & u32::from(from.hostmask());
    Ipv4Addr::from(u32::from(to.network()) | host)
}

/// What something from outside is for: the local address and port, and the words and the line for it.
pub(super) struct Inward {
    pub(super) local: Ipv4Addr,
    pub(super) port: Option<u16>,
    pub(super) says: String,
    pub(super) line: Option<u32>,
}

/// The static rule, or the host with an address of a pool, that something from outside is for.
pub(super) fn inward(snapshot: &Snapshot, packet: &Moving) -> Option<Inward> {
    let of_rule = by_static(snapshot, packet).map(|(local, port, line)| {
        let says = format!("the static translation leads to {local}");
        Inward { local, port, says, line: Some(line) }
    });
    of_rule.or_else(|| by_pool(snapshot, packet))
}

/// The host that has an address of a pool.
fn by_pool(snapshot: &Snapshot, packet: &Moving) -> Option<Inward> {
    let pools = snapshot.nat_pools();
    let there = snapshot.translations.holdings(&pools).ok()?;
    let found = pools.iter().filter(|pool| pool.lets_in()).find_map(|pool| {
        let held = there.get(&pool.name)?.iter().find(|held| held.global == packet.destination)?;
        Some((pool, held.local))
    });
    let (pool, local) = found?;
    let mut rules = snapshot.parsed.config.nat.rules.iter();
    let rule = rules.find(|rule| {
        matches!(rule, NatRule::Dynamic(rule) if rule.to == NatTo::Pool(pool.name.clone()) && !rule.overload)
    });
    let says = format!("{local} has {} of pool {}", packet.destination, pool.name);
    Some(Inward { local, port: packet.destination_port, says, line: rule.map(NatRule::line) })
}

fn by_static(snapshot: &Snapshot, packet: &Moving) -> Option<(Ipv4Addr, Option<u16>, u32)> {
    snapshot.parsed.config.nat.rules.iter().find_map(|rule| {
        let NatRule::Static(rule) = rule else { return None };
        let is = |global: &NatGlobal| match global {
            NatGlobal::Address(address) => *address == packet.destination,
            NatGlobal::Interface(name) => address_of(snapshot, name) == Some(packet.destination),
        };
        match &rule.what {
            StaticNatPair::Host { local, global } if is(global) => {
                Some((*local, packet.destination_port, rule.line))
            }
            StaticNatPair::Network { local, global } if global.contains(&packet.destination) => {
                Some((moved(packet.destination, *global, *local), packet.destination_port, rule.line))
            }
            StaticNatPair::Port { protocol, local, local_port, global, global_port }
                if is(global)
                    && *protocol == packet.protocol
                    && packet.destination_port == Some(*global_port) =>
            {
                Some((*local, Some(*local_port), rule.line))
            }
            _ => None,
        }
    })
}

fn selects(config: &Config, which: &NatSelect, packet: &Moving, out: &str, moment: Moment) -> Option<Said> {
    match which {
        NatSelect::List(name) => ask_choosing(config, name, packet, moment),
        NatSelect::RouteMap(name) => by_route_map(config, name, packet, out, moment),
    }
}

/// What a route map says of a packet that leaves by `out`.
fn by_route_map(config: &Config, name: &str, packet: &Moving, out: &str, moment: Moment) -> Option<Said> {
    let map = config.route_maps.iter().find(|map| map.name == name)?;
    Some(match choose(config, map, packet, Some(out), moment) {
        Chosen::By(entry, says) => Said { permits: entry.permit, ..Said::no(says, Some(entry.line)) },
        Chosen::Closed(said) => said,
        Chosen::Nothing { refused, unless } => {
            let said =
                refused.unwrap_or_else(|| Said::no(format!("route map {name}: no entry matches it"), None));
            Said { says: said.says + &unless, ..said }
        }
    })
}

/// The address that a host has of a pool, or gets when it asks for one.
fn of_one_to_one(snapshot: &Snapshot, name: &str, packet: &Moving) -> (Translation, String) {
    let (host, port) = (packet.source, packet.source_port);
    let to = |source: Option<Ipv4Addr>| Translation::To { source, port, known: source.is_some() };
    let pools = snapshot.nat_pools();
    let Some(pool) = pools.iter().find(|pool| pool.name == name) else {
        return (Translation::Dropped, format!("pool {name} has no address to translate it to"));
    };
    let Ok(there) = snapshot.translations.holdings(&pools) else {
        return (to(None), format!("translated to an address of pool {name}"));
    };
    let of_pool = there.get(name).map(Vec::as_slice).unwrap_or_default();
    if let Some(held) = of_pool.iter().find(|held| held.local == host) {
        let global = held.global;
        return (to(Some(global)), format!("translated to {global} of pool {name}, which {host} has"));
    }
    let mut taken = there.values().flatten().map(|held| held.global).collect();
    match pool.give([host], &mut taken).first() {
        Some((_, Ok(global))) => {
            let says = format!(
                "{host} gets the next free address of pool {name} by its first packet: translated to {global}"
            );
            (to(Some(*global)), says)
        }
        _ => (Translation::Dropped, format!("pool {name} is exhausted: no address is free for {host}")),
    }
}

fn target(snapshot: &Snapshot, rule: &DynamicNat, packet: &Moving) -> (Translation, String) {
    let own = packet.source_port.filter(|port| is_own_port(packet.protocol, *port));
    let port = packet.source_port.filter(|_| own.is_none());
    let more =
        own.map(|port| format!(", and to another port, for {port} is the router's own")).unwrap_or_default();
    let to = |address: Ipv4Addr, of: &str| {
        let translation = Translation::To { source: Some(address), port, known: true };
        (translation, format!("translated to {address} {of}{more}"))
    };
    match &rule.to {
        NatTo::Interface(name) => match address_of(snapshot, name) {
            Some(address) => to(address, &format!("of {name}")),
            None => (Translation::Dropped, format!("{name} has no address to translate it to")),
        },
        NatTo::Pool(name) if !rule.overload => of_one_to_one(snapshot, name, packet),
        NatTo::Pool(name) => {
            let pool: Option<&NatPool> =
                snapshot.parsed.config.nat.pools.iter().find(|pool| pool.name == *name);
            match pool.map(|pool| pool.ranges.as_slice()) {
                Some([(first, last)]) if first == last => to(*first, &format!("of pool {name}")),
                // lists and crypto maps see one of them, whichever it is
                Some([(first, _), ..]) => {
                    let translation = Translation::To { source: Some(*first), port, known: false };
                    (translation, format!("translated to an address of pool {name}{more}"))
                }
                _ => (Translation::Dropped, format!("pool {name} has no address to translate it to")),
            }
        }
    }
}
