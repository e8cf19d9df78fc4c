//! `ip nat`: static rules first, then the dynamic ones in the order of the configuration, as IOS
//! tries them. The TUN stands for the interface that has the crypto map: a packet is translated, and
//! then the crypto map sees it.

use super::connections;
use super::list::{Lists, Use};
use super::site::Site;
use super::text::{base, chain, marked};
use hubward_config::model::{
    Config, DynamicNat, Interface, NatGlobal, NatPool, NatRule, NatSelect, NatSide, NatTo, RouteMap,
    RouteMapEntry, RouteMatch, StaticNat, StaticNatPair,
};
use hubward_linux::marks::{CLEAR_MARK, FWMARK};
use std::net::Ipv4Addr;

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
    let (mut chains, mut out, mut back) = (Vec::new(), Vec::new(), Vec::new());
    let rules = &site.config.nat.rules;
    for (place, rule) in rules.iter().enumerate() {
        if let NatRule::Static(rule) = rule {
            published(site, lists, place, rule, (&mut out, &mut back), &mut chains);
        }
    }
    for (place, rule) in rules.iter().enumerate() {
        if let NatRule::Dynamic(rule) = rule {
            out.extend(dynamic(site, lists, place, rule, &mut chains));
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
    // what Hubward sends was translated on its way into the TUN, or is its own
    let own = [FWMARK, CLEAR_MARK].map(|mark| format!("{} notrack", marked(mark)));
    chains.push(base("own", "type filter hook output priority -300; policy accept;", &own));
    let of_crypto: Vec<String> = site
        .crypto()
        .filter_map(|(one, link)| {
            let address = site.address(&one.name)?;
            Some(format!("iifname {link} ip daddr {address} ip protocol 50 notrack"))
        })
        .collect();
    if !of_crypto.is_empty() {
        let head = "type filter hook prerouting priority -300; policy accept;";
        chains.push(base("untracked", head, &of_crypto));
    }
    if !back.is_empty() {
        let rules = [format!("iifname {outside} jump static_back")];
        chains.push(chain("static_back", &back));
        chains.push(base("published", "type nat hook prerouting priority -105; policy accept;", &rules));
    }
    chains.push(chain("sources", &out));
    let rules = [format!("iifname {inside} oifname {outside} jump sources")];
    chains.push(base("translate", "type nat hook postrouting priority 95; policy accept;", &rules));
    chains
}

/// A static rule, in both directions.
fn published(
    site: &Site<'_>,
    lists: &mut Lists<'_>,
    place: usize,
    rule: &StaticNat,
    (out, back): (&mut Vec<String>, &mut Vec<String>),
    chains: &mut Vec<String>,
) {
    let address = |global: &NatGlobal| match global {
        NatGlobal::Address(address) => Some(*address),
        NatGlobal::Interface(name) => site.address(name),
    };
    let (from_inside, to_global, from_outside, to_local) = match &rule.what {
        StaticNatPair::Host { local, global } => {
            let Some(global) = address(global) else {
                // what has no address to go by must not leave with its own
                out.push(format!("ip saddr {local} drop"));
                return;
            };
            (
                format!("ip saddr {local}"),
                format!("snat to {global}"),
                format!("ip daddr {global}"),
                format!("dnat to {local}"),
            )
        }
        StaticNatPair::Network { local, global } => (
            format!("ip saddr {local}"),
            format!("snat ip prefix to ip saddr map {{ {local} : {global} }}"),
            format!("ip daddr {global}"),
            format!("dnat ip prefix to ip daddr map {{ {global} : {local} }}"),
        ),
        StaticNatPair::Port { protocol, local, local_port, global, global_port } => {
            let Some(global) = address(global) else {
                out.push(format!("ip saddr {local} ip protocol {protocol} th sport {local_port} drop"));
                return;
            };
            (
                format!("ip saddr {local} ip protocol {protocol} th sport {local_port}"),
                format!("snat to {global}:{global_port}"),
                format!("ip daddr {global} ip protocol {protocol} th dport {global_port}"),
                format!("dnat to {local}:{local_port}"),
            )
        }
    };
    let Some(map) = &rule.route_map else {
        out.push(format!("{from_inside} {to_global}"));
        back.push(format!("{from_outside} {to_local}"));
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
    // the route map speaks of packets from inside; what comes to the address from outside is for
    // the host in any case
    back.push(format!("{from_outside} {to_local}"));
}

/// A dynamic rule: which packets, and to which addresses.
fn dynamic(
    site: &Site<'_>,
    lists: &mut Lists<'_>,
    place: usize,
    rule: &DynamicNat,
    chains: &mut Vec<String>,
) -> Vec<String> {
    let then = format!("to_{place}");
    let rules = match &rule.which {
        // a list that is not there selects nothing here
        NatSelect::List(name) => {
            let list = lists.chain(name, Use::Select { then: then.clone() });
            list.map(|list| vec![format!("jump {list}")]).unwrap_or_default()
        }
        NatSelect::RouteMap(name) => by_route_map(site, lists, name, &then),
    };
    if rules.is_empty() {
        return Vec::new();
    }
    let to = match &rule.to {
        NatTo::Interface(name) => site.address(name).map(|address| format!("snat to {address}")),
        NatTo::Pool(name) => pool(site.config, name).map(to_pool),
    };
    // what has no address to go by must not leave with its own
    chains.push(chain(&then, &[to.unwrap_or_else(|| "drop".into())]));
    let select = format!("rule_{place}");
    chains.push(chain(&select, &rules));
    vec![format!("jump {select}")]
}

fn pool<'c>(config: &'c Config, name: &str) -> Option<&'c NatPool> {
    config.nat.pools.iter().find(|pool| pool.name == name && !pool.ranges.is_empty())
}

/// The longest packet of IPv4.
const LONGEST: u32 = 65_535;

/// Addresses of a pool of several ranges that are used; of more, the ranges would be a list that
/// nobody reads.
const SHARED: usize = 256;

fn to_pool(pool: &NatPool) -> String {
    match pool.ranges.as_slice() {
        [one] => format!("snat to {} persistent", told(*one)),
        more => {
            let all =
                more.iter().flat_map(|(first, last)| (u32::from(*first)..=u32::from(*last)).take(SHARED));
            let all: Vec<_> = all.take(SHARED).map(Ipv4Addr::from).collect();
            let share = all.iter().enumerate().map(|(place, address)| format!("{place} : {address}"));
            let share: Vec<_> = share.collect();
            format!("snat to jhash ip saddr mod {} map {{ {} }}", all.len(), share.join(", "))
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
