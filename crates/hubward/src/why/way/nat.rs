//! Which line of `ip nat` translates a packet, by the model.

use super::answer::Moving;
use super::route::address_of;
use crate::router::rules::is_own_port;
use crate::views::snapshot::Snapshot;
use hubward_config::acl::{Decision, decide, written};
use hubward_config::model::{
    Acl, AclLine, Config, DynamicNat, Moment, NatGlobal, NatPool, NatRule, NatSelect, NatTo, RouteMap,
    RouteMatch, StaticNat, StaticNatPair,
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

/// What a list says of a packet, and the words for the line that says it.
pub(super) struct Said {
    pub(super) permits: bool,
    pub(super) says: String,
    pub(super) line: Option<u32>,
    /// The reflexive list in which the line opens a way for answers.
    pub(super) reflects: Option<String>,
}

/// What a reflexive list knows: who may answer whom.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    /// The list's name.
    pub(super) list: String,
    /// The packet, as it was where a line let it pass.
    pub(super) by: Moving,
}

impl Opened {
    /// Whether a packet answers it.
    fn lets(&self, name: &str, packet: &Moving) -> bool {
        let of =
            |one: &Moving| (one.protocol, one.source, one.source_port, one.destination, one.destination_port);
        self.list == name && of(packet) == of(&self.by.answer())
    }
}

/// A list that has no lines says nothing: `None`.
pub(super) fn ask(config: &Config, name: &str, packet: &Moving, moment: Moment) -> Option<Said> {
    ask_knowing(config, name, packet, moment, &[])
}

/// The same where packets before have opened the way for their answers.
pub(super) fn ask_knowing(
    config: &Config,
    name: &str,
    packet: &Moving,
    moment: Moment,
    opened: &[Opened],
) -> Option<Said> {
    let list = config.acls.iter().find(|list| list.name == name)?;
    if list.entries.iter().all(|entry| entry.is_remark()) {
        return None;
    }
    let decision = decide(config, list, &packet.packet(moment));
    let by = match decision {
        Decision::By(entry, _) | Decision::MayDeny(entry) => Some(entry),
        Decision::None => None,
    };
    // reflexive lists are asked in their places among the lines
    let before = list.entries.iter().take_while(|entry| by.is_none_or(|by| !std::ptr::eq(*entry, by)));
    let mut evaluated = before.filter_map(|entry| match &entry.what {
        AclLine::Evaluate(name) => Some((entry, name)),
        _ => None,
    });
    let first = evaluated.clone().next();
    if let Some((entry, _)) = evaluated.find(|(_, name)| opened.iter().any(|one| one.lets(name, packet))) {
        let says = format!("{}, opened by the packet that it answers,", line(list, entry));
        return Some(Said { permits: true, says, line: Some(entry.line), reflects: None });
    }
    let unless = match (first, decision.permits()) {
        (Some((_, name)), false) => format!(", unless {name} knows it as an answer,"),
        _ => String::new(),
    };
    Some(match decision {
        Decision::By(entry, permits) => Said {
            permits,
            says: line(list, entry) + &unless,
            line: Some(entry.line),
            reflects: entry.rule().and_then(|rule| rule.reflect.as_ref()).map(|(name, _)| name.clone()),
        },
        Decision::MayDeny(entry) => Said {
            permits: false,
            says: format!("{}, which may mean it{unless}", line(list, entry)),
            line: Some(entry.line),
            reflects: None,
        },
        Decision::None => Said {
            permits: false,
            says: format!("access list {name}: no line permits it{unless}"),
            line: Some(list.line),
            reflects: None,
        },
    })
}

fn line(list: &Acl, entry: &hubward_config::model::AclEntry) -> String {
    let number = entry.sequence.map(|number| format!(" line {number}")).unwrap_or_default();
    format!("access list {}{number}, `{}`", list.name, written(entry, list.kind))
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
            Some(said) => passed = passed.or(Some(said)),
            None => {}
        }
    }
    match passed {
        Some(said) => {
            Outward { translation: None, says: format!("not translated: {}", said.says), line: said.line }
        }
        None => Outward { translation: None, says: "not translated: no rule means it".into(), line: None },
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
    if let Some(map) = &rule.route_map
        && !by_route_map(&snapshot.parsed.config, map, packet, out, moment).is_some_and(|said| said.permits)
    {
        return None;
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
        NatSelect::List(name) => ask(config, name, packet, moment),
        NatSelect::RouteMap(name) => by_route_map(config, name, packet, out, moment),
    }
}

/// What a route map says of a packet that leaves by `out`.
fn by_route_map(config: &Config, name: &str, packet: &Moving, out: &str, moment: Moment) -> Option<Said> {
    let map: &RouteMap = config.route_maps.iter().find(|map| map.name == name)?;
    let mut refused: Option<Said> = None;
    for entry in &map.entries {
        let of_map = format!("route map {name} {}", entry.sequence);
        let mut of_lists: Option<Said> = None;
        let mut has_lists = false;
        let mut others = true;
        for one in &entry.matches {
            match one {
                RouteMatch::Address(names) => {
                    has_lists = true;
                    for said in names.iter().filter_map(|name| ask(config, name, packet, moment)) {
                        if !of_lists.as_ref().is_some_and(|said| said.permits) {
                            of_lists = Some(said);
                        }
                    }
                }
                RouteMatch::Interface(names) => others &= names.iter().any(|name| name == out),
                RouteMatch::Length(..) | RouteMatch::NextHop(_) | RouteMatch::Other(_) => others = false,
            }
        }
        let permits = of_lists.as_ref().is_some_and(|said| said.permits);
        if others && (!has_lists || permits) {
            let by = of_lists.map(|said| format!(", {}", said.says)).unwrap_or_default();
            return Some(Said {
                permits: entry.permit,
                says: format!("{of_map}{by}"),
                line: Some(entry.line),
                reflects: None,
            });
        }
        refused = refused.or(of_lists.map(|said| {
            let more = if said.permits { " permits it, but another condition does not hold" } else { "" };
            Said { permits: false, says: format!("{of_map}, {}{more}", said.says), ..said }
        }));
    }
    let end = || Said {
        permits: false,
        says: format!("route map {name}: no entry means it"),
        line: None,
        reflects: None,
    };
    Some(refused.unwrap_or_else(end))
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
