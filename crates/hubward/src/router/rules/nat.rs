//! `ip nat`: static rules first, then the dynamic ones in the order of the configuration, as IOS
//! tries them. The TUN stands for the interface that has the crypto map: a packet is translated, and
//! then the crypto map sees it.
//!
//! The kernel translates connections, and not packets: what belongs to none (a reset that comes too
//! late, an answer that nobody asked for), or to one that began from outside without a translation,
//! is never asked about. Of such packets, those that the rules select are dropped.

use super::connections;
use super::list::{Lists, Use};
use super::one_to_one::Pool;
use super::packets;
use super::site::Site;
use super::text::{base, chain, marked};
use crate::guard::ranges;
use hubward_config::model::{
    Config, DynamicNat, Interface, NatGlobal, NatPool, NatRule, NatSelect, NatSide, NatTo, RouteMap,
    RouteMapEntry, RouteMatch, StaticNat, StaticNatPair,
};
use hubward_linux::marks::{CLEAR_MARK, FWMARK};
use std::net::Ipv4Addr;

/// Ports of this router that no translation gives away: DHCP, IKE, SSH.
const OWN_PORTS: [(u8, &[u16]); 2] = [(17, &[67, 68, 500, 4500]), (6, &[22])];
/// The ports that stand in for them.
const INSTEAD: &str = "5000-65535";
/// What the kernel translates belongs to a connection.
const OF_NONE: &str = "ct state { invalid, untracked }";
const UNTRANSLATED: &str = "ct status & (snat | dnat) == 0";

pub(super) fn chains(site: &Site<'_>, lists: &mut Lists<'_>) -> Vec<String> {
    let side = |side: NatSide| {
        let is = move |one: &Interface| one.nat == Some(side);
        let tun = site.crypto().any(|(one, _)| is(one));
        site.links(is, tun)
    };
    let (Some(inside), Some(outside)) = (side(NatSide::Inside), side(NatSide::Outside)) else {
        return Vec::new();
    };
    let tun = site.crypto().any(|(one, _)| one.nat.is_some());
    let both = site.links(|one| one.nat.is_some(), tun);
    let (mut chains, mut out, mut back, mut left) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let rules = &site.config.nat.rules;
    let pools = site.pools();
    for (place, rule) in rules.iter().enumerate() {
        if let NatRule::Static(rule) = rule {
            published(site, lists, place, rule, (&mut out, &mut back, &mut left), &mut chains);
        }
    }
    for (place, rule) in rules.iter().enumerate() {
        if let NatRule::Dynamic(rule) = rule {
            out.extend(dynamic(site, lists, (place, rule), &pools, &mut chains));
            left.extend(selected(site, lists, place, &rule.which, &mut chains));
        }
    }
    if out.is_empty() {
        return Vec::new();
    }
    if let Some(links) = both {
        let (objects, chain) = connections::chains(&links, &site.config.nat.timeouts, site.here.follows);
        lists.objects.extend(objects);
        chains.push(chain);
    }
    untracked(site, &mut chains);
    lists.objects.extend(pools.iter().flat_map(Pool::objects));
    back.extend(pools.iter().flat_map(Pool::to_local));
    if !back.is_empty() {
        let rules = [format!("iifname {outside} jump static_back")];
        chains.push(chain("static_back", &back));
        chains.push(base("published", "type nat hook prerouting priority -105; policy accept;", &rules));
    }
    chains.push(chain("sources", &out));
    let rules = [format!("iifname {inside} oifname {outside} jump sources")];
    chains.push(base("translate", "type nat hook postrouting priority 95; policy accept;", &rules));
    leaks(site, left, (&inside, &outside), &mut chains);
    chains
}

/// What makes no connection: what Hubward sends, which was translated on its way into the TUN or is
/// its own, and what comes for its IKE and ESP. So the answers of a peer reach this router whatever
/// an inside host has sent to that peer.
fn untracked(site: &Site<'_>, chains: &mut Vec<String>) {
    let own = [FWMARK, CLEAR_MARK].map(|mark| format!("{} notrack", marked(mark)));
    chains.push(base("own", "type filter hook output priority -300; policy accept;", &own));
    let of_crypto: Vec<String> = site
        .crypto()
        .filter_map(|(one, link)| Some((link, site.address(&one.name)?)))
        .flat_map(|(link, address)| {
            ["ip protocol 50", "udp dport { 500, 4500 }"]
                .map(|what| format!("iifname {link} ip daddr {address} {what} notrack"))
        })
        .collect();
    if !of_crypto.is_empty() {
        let head = "type filter hook prerouting priority -300; policy accept;";
        chains.push(base("untracked", head, &of_crypto));
    }
}

/// Drops what the rules would translate, and what leaves as it is. What goes into a tunnel is looked
/// at only if it belongs to no connection: the answers of a host with a static translation are no
/// answers of its global address to who has called its own through a tunnel.
fn leaks(site: &Site<'_>, left: Vec<String>, (inside, outside): (&str, &str), chains: &mut Vec<String>) {
    let globals = ranges::disjoint(globals(site));
    let mut rules = Vec::new();
    if !globals.is_empty() {
        // an address that is seen outside may be seen outside
        let globals = packets::set(globals.into_iter().map(ranges::told));
        rules.push(format!("ip saddr {globals} return"));
    }
    rules.extend(left);
    chains.push(chain("untranslated", &rules));
    let mut rules = vec![format!("iifname {inside} oifname {outside} {OF_NONE} jump untranslated")];
    if let Some(links) = site.links(|one| one.nat == Some(NatSide::Outside), false) {
        let clear = if site.here.tun.is_none() { "rt ipsec missing " } else { "" };
        rules.push(format!("iifname {inside} oifname {links} {clear}{UNTRANSLATED} jump untranslated"));
    }
    chains.push(base("leaks", "type filter hook postrouting priority 115; policy accept;", &rules));
}

/// The addresses that rules give to what goes outside.
pub(super) fn globals(site: &Site<'_>) -> Vec<ranges::Range> {
    let one = |address: Ipv4Addr| (address, address);
    let of_interface = |name: &str| site.address(name).map(one).into_iter().collect();
    let of_rule = |rule: &NatRule| -> Vec<ranges::Range> {
        match rule {
            NatRule::Dynamic(DynamicNat { to: NatTo::Interface(name), .. }) => of_interface(name),
            NatRule::Dynamic(DynamicNat { to: NatTo::Pool(name), .. }) => {
                pool(site.config, name).map(|pool| pool.ranges.clone()).unwrap_or_default()
            }
            NatRule::Static(rule) => match &rule.what {
                StaticNatPair::Network { global, .. } => vec![ranges::of(*global)],
                StaticNatPair::Host { global, .. } | StaticNatPair::Port { global, .. } => match global {
                    NatGlobal::Address(address) => vec![one(*address)],
                    NatGlobal::Interface(name) => of_interface(name),
                },
            },
        }
    };
    site.config.nat.rules.iter().flat_map(of_rule).collect()
}

/// Which packets from inside a static rule means.
fn from_inside(rule: &StaticNat) -> String {
    match &rule.what {
        StaticNatPair::Host { local, .. } => format!("ip saddr {local}"),
        StaticNatPair::Network { local, .. } => format!("ip saddr {local}"),
        StaticNatPair::Port { protocol, local, local_port, .. } => {
            format!("ip saddr {local} ip protocol {protocol} th sport {local_port}")
        }
    }
}

/// What a static rule does; `None`: the interface whose address it gives has none.
struct Pair {
    to_global: String,
    from_outside: String,
    to_local: String,
}

fn pair(site: &Site<'_>, rule: &StaticNat) -> Option<Pair> {
    let address = |global: &NatGlobal| match global {
        NatGlobal::Address(address) => Some(*address),
        NatGlobal::Interface(name) => site.address(name),
    };
    Some(match &rule.what {
        StaticNatPair::Host { local, global } => {
            let global = address(global)?;
            Pair {
                to_global: format!("snat to {global}"),
                from_outside: format!("ip daddr {global}"),
                to_local: format!("dnat to {local}"),
            }
        }
        StaticNatPair::Network { local, global } => Pair {
            to_global: format!("snat ip prefix to ip saddr map {{ {local} : {global} }}"),
            from_outside: format!("ip daddr {global}"),
            to_local: format!("dnat ip prefix to ip daddr map {{ {global} : {local} }}"),
        },
        StaticNatPair::Port { protocol, local, local_port, global, global_port } => {
            let global = address(global)?;
            Pair {
                to_global: format!("snat to {global}:{global_port}"),
                from_outside: format!("ip daddr {global} ip protocol {protocol} th dport {global_port}"),
                to_local: format!("dnat to {local}:{local_port}"),
            }
        }
    })
}

/// A static rule, in both directions, and what of it must not leave as it is.
fn published(
    site: &Site<'_>,
    lists: &mut Lists<'_>,
    place: usize,
    rule: &StaticNat,
    (out, back, left): (&mut Vec<String>, &mut Vec<String>, &mut Vec<String>),
    chains: &mut Vec<String>,
) {
    let from_inside = from_inside(rule);
    let Some(Pair { to_global, from_outside, to_local }) = pair(site, rule) else {
        // what has no address to go by must not leave with its own
        out.push(format!("{from_inside} drop"));
        left.push(format!("{from_inside} drop"));
        return;
    };
    // the route map speaks of packets from inside; what comes to the address from outside is for
    // the host in any case
    back.push(format!("{from_outside} {to_local}"));
    let Some(map) = &rule.route_map else {
        out.push(format!("{from_inside} {to_global}"));
        left.push(format!("{from_inside} drop"));
        return;
    };
    let then = format!("static_{place}");
    let rules = by_route_map(site, lists, map, &then);
    // a port is given to a protocol that has ports
    let of_protocol = match &rule.what {
        StaticNatPair::Port { protocol, .. } => format!("ip protocol {protocol} "),
        StaticNatPair::Host { .. } | StaticNatPair::Network { .. } => String::new(),
    };
    chains.push(chain(&then, &[format!("{of_protocol}{to_global}")]));
    let select = format!("chosen_{place}");
    chains.push(chain(&select, &rules));
    out.push(format!("{from_inside} jump {select}"));
    let by_map = NatSelect::RouteMap(map.clone());
    left.extend(
        selected(site, lists, place, &by_map, chains).into_iter().map(|rule| format!("{from_inside} {rule}")),
    );
}

/// A dynamic rule: which packets, and to which addresses.
fn dynamic(
    site: &Site<'_>,
    lists: &mut Lists<'_>,
    (place, rule): (usize, &DynamicNat),
    pools: &[Pool],
    chains: &mut Vec<String>,
) -> Option<String> {
    let then = format!("to_{place}");
    let rules = chosen(site, lists, &rule.which, &then);
    if rules.is_empty() {
        return None;
    }
    let to = match &rule.to {
        NatTo::Interface(name) => site.address(name).map(to_address),
        NatTo::Pool(name) if rule.overload => pool(site.config, name).map(|pool| to_pool(site, pool)),
        NatTo::Pool(name) => pools.iter().find(|pool| pool.name == *name).map(Pool::to_global),
    };
    // what has no address to go by must not leave with its own
    chains.push(chain(&then, &to.unwrap_or_else(|| vec!["drop".into()])));
    let select = format!("rule_{place}");
    chains.push(chain(&select, &rules));
    Some(format!("jump {select}"))
}

/// Drops what a rule selects.
fn selected(
    site: &Site<'_>,
    lists: &mut Lists<'_>,
    place: usize,
    which: &NatSelect,
    chains: &mut Vec<String>,
) -> Option<String> {
    let then = format!("left_{place}");
    let rules = chosen(site, lists, which, &then);
    if rules.is_empty() {
        return None;
    }
    chains.push(chain(&then, &["drop".to_owned()]));
    let select = format!("leaves_{place}");
    chains.push(chain(&select, &rules));
    Some(format!("jump {select}"))
}

/// The rules that choose packets, which continue in another chain. A list that is not there selects
/// nothing here.
fn chosen(site: &Site<'_>, lists: &mut Lists<'_>, which: &NatSelect, then: &str) -> Vec<String> {
    match which {
        NatSelect::List(name) => {
            let list = lists.chain(name, Use::Select { then: then.to_owned() });
            list.map(|list| vec![format!("jump {list}")]).unwrap_or_default()
        }
        NatSelect::RouteMap(name) => by_route_map(site, lists, name, then),
    }
}

/// An address of this router, which keeps the ports that it uses.
fn to_address(address: Ipv4Addr) -> Vec<String> {
    shared(&address.to_string(), "")
}

fn shared(addresses: &str, more: &str) -> Vec<String> {
    let own = OWN_PORTS.map(|(protocol, ports)| {
        let ports = packets::set(ports.iter().map(u16::to_string));
        format!("ip protocol {protocol} th sport {ports} snat to {addresses}:{INSTEAD}{more}")
    });
    own.into_iter().chain([format!("snat to {addresses}{more}")]).collect()
}

/// Whether a packet from inside that has an address of the router gets another port, because this one
/// is the router's own.
pub(crate) fn is_own_port(protocol: u8, port: u16) -> bool {
    OWN_PORTS.iter().any(|(of, ports)| *of == protocol && ports.contains(&port))
}

pub(super) fn pool<'c>(config: &'c Config, name: &str) -> Option<&'c NatPool> {
    config.nat.pools.iter().find(|pool| pool.name == name && !pool.ranges.is_empty())
}

/// The longest packet of IPv4.
const LONGEST: u32 = 65_535;

/// Addresses of a pool of several ranges that are used; of more, the ranges would be a list that
/// nobody reads.
const SHARED: usize = 256;

fn to_pool(site: &Site<'_>, pool: &NatPool) -> Vec<String> {
    let own: Vec<_> = site.interfaces().filter_map(|(one, _)| site.address(&one.name)).collect();
    match pool.ranges.as_slice() {
        [(first, last)] if own.iter().any(|own| (first..=last).contains(&own)) => {
            shared(&told((*first, *last)), " persistent")
        }
        [one] => vec![format!("snat to {} persistent", told(*one))],
        more => {
            let all =
                more.iter().flat_map(|(first, last)| (u32::from(*first)..=u32::from(*last)).take(SHARED));
            let all: Vec<_> = all.take(SHARED).map(Ipv4Addr::from).collect();
            let share = all.iter().enumerate().map(|(place, address)| format!("{place} : {address}"));
            let share: Vec<_> = share.collect();
            vec![format!("snat to jhash ip saddr mod {} map {{ {} }}", all.len(), share.join(", "))]
        }
    }
}

fn told((first, last): (Ipv4Addr, Ipv4Addr)) -> String {
    match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    }
}

/// The rules by which a route map chooses packets: the first entry that matches decides.
fn by_route_map(site: &Site<'_>, lists: &mut Lists<'_>, name: &str, then: &str) -> Vec<String> {
    let Some(map) = route_map(site.config, name) else { return Vec::new() };
    let mut next = Vec::new();
    // from the last one: each entry refers to the one behind it
    for (place, entry) in map.entries.iter().enumerate().rev() {
        next = entry_rules(site, lists, entry, (place, next), then);
    }
    next
}

pub(super) fn route_map<'c>(config: &'c Config, name: &str) -> Option<&'c RouteMap> {
    config.route_maps.iter().find(|map| map.name == name)
}

/// The rules of an entry, and behind them those of the entries that follow.
pub(super) fn entry_rules(
    site: &Site<'_>,
    lists: &mut Lists<'_>,
    entry: &RouteMapEntry,
    (place, following): (usize, Vec<String>),
    then: &str,
) -> Vec<String> {
    let mut conditions = String::new();
    let mut of_lists: Vec<&String> = Vec::new();
    for one in &entry.matches {
        match one {
            RouteMatch::Address(names) => of_lists.extend(names),
            RouteMatch::Length(first, last) => {
                let (first, last) = (*first.min(&LONGEST), *last.min(&LONGEST));
                conditions.push_str(&format!("ip length {first}-{last} "));
            }
            RouteMatch::Interface(names) => {
                let named = |one: &Interface| names.contains(&one.name);
                let tun = site.crypto().any(|(one, _)| named(one));
                // an interface without a link is no way out: nothing matches
                let Some(links) = site.links(named, tun) else { return following };
                conditions.push_str(&format!("oifname {links} "));
            }
            // what cannot be decided is neither translated nor forwarded as it is
            RouteMatch::NextHop(_) | RouteMatch::Other(_) => return vec!["drop".to_owned()],
        }
    }
    if entry.permit {
        let mut rules = Vec::new();
        if of_lists.is_empty() {
            rules.push(format!("{conditions}goto {then}"));
        }
        for name in of_lists {
            let list = lists.chain(name, Use::Select { then: then.to_owned() });
            rules.extend(list.map(|list| format!("{conditions}jump {list}")));
        }
        rules.extend(following);
        return rules;
    }
    if of_lists.is_empty() {
        return std::iter::once(format!("{conditions}return")).chain(following).collect();
    }
    // what one of the lists permits is not for this rule; the rest goes on
    let after = format!("after_{then}_{place}");
    lists.chains.push(chain(&after, &following));
    let mut next = after.clone();
    for (number, name) in of_lists.into_iter().enumerate() {
        let Some(list) = lists.chain(name, Use::Unless(next.clone())) else { continue };
        next = format!("but_{then}_{place}_{number}");
        // what the other conditions do not mean is for the entries behind this one
        lists.chains.push(chain(&next, &[format!("{conditions}goto {list}"), format!("goto {after}")]));
    }
    vec![format!("goto {next}")]
}
