//! What a change of the configuration would take from tunnels in use.

use super::crossed::{nets, selecting};
use super::names::{NAT, Reference, references};
use crate::model::{
    Config, EntryTerms, NatGlobal, NatRule, NatSelect, NatTo, RouteMap, RouteMapEntry, RouteMatch,
    StaticNatPair,
};
use crate::policy_routing::{self, NULL, Way, ways};
use crate::verdict::defined::{ACCESS_LIST, ROUTE_MAP};
use crate::verdict::{Flow, selected};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// The names that something in use needs, that a new configuration does not define, and that were
/// defined in the old one: such a change would end tunnels by accident. A filter of an interface
/// may lose its list: until there is one again every packet passes, as on IOS. Address translation
/// and policy routing may lose theirs, so that a list may be removed and pasted anew, unless packets
/// would leave in clear that the old configuration protects or drops.
pub fn lost(old: &Config, new: &Config) -> Vec<Reference> {
    let before = references(old);
    let was_whole = |lost: &Reference| {
        let same = || before.iter().filter(|known| known.owner == lost.owner && known.what == lost.what);
        same().next().is_some() && same().all(|known| known.exists)
    };
    let is_lost = |one: &Reference| !one.exists && one.in_use && !one.is_filter() && was_whole(one);
    references(new).into_iter().filter(is_lost).filter(|one| opens(old, one)).collect()
}

/// Whether packets that a configuration protects or drops would leave in clear without what a
/// reference names. What translates or routes by a name that is gone concerns no packet.
fn opens(old: &Config, lost: &Reference) -> bool {
    match lost.what {
        ACCESS_LIST | ROUTE_MAP if lost.owner == NAT => {
            let named = |rule: &&NatRule| match rule {
                NatRule::Dynamic(rule) => match &rule.which {
                    NatSelect::List(name) => lost.what == ACCESS_LIST && *name == lost.name,
                    NatSelect::RouteMap(name) => lost.what == ROUTE_MAP && *name == lost.name,
                },
                NatRule::Static(rule) => {
                    lost.what == ROUTE_MAP && rule.route_map.as_ref() == Some(&lost.name)
                }
            };
            old.nat.rules.iter().filter(named).any(|rule| leads_into_tunnel(old, rule))
        }
        // of `ip policy` and `ip local policy`
        ROUTE_MAP => {
            let map = old.route_maps.iter().find(|map| map.name == lost.name);
            map.is_some_and(|map| map.entries.iter().any(|entry| holds(old, entry)))
        }
        ACCESS_LIST => {
            let of_map = |(map, entry): (&RouteMap, &RouteMapEntry)| {
                format!("route-map {} {}", map.name, entry.sequence) == lost.owner && names(entry, &lost.name)
            };
            let mut entries =
                old.route_maps.iter().flat_map(|map| map.entries.iter().map(move |entry| (map, entry)));
            let Some((map, entry)) = entries.find(|one| of_map(*one)) else { return true };
            let is_routed = policy_routing::names(old).contains(map.name.as_str());
            let selects = |rule: &&NatRule| match rule {
                NatRule::Dynamic(rule) => rule.which == NatSelect::RouteMap(map.name.clone()),
                NatRule::Static(rule) => rule.route_map.as_ref() == Some(&map.name),
            };
            // what an entry excepts, the ones behind it concern
            !entry.permit
                || is_routed && (ways(entry).is_empty() || holds(old, entry))
                || old.nat.rules.iter().filter(selects).any(|rule| leads_into_tunnel(old, rule))
        }
        _ => true,
    }
}

fn names(entry: &RouteMapEntry, list: &String) -> bool {
    entry.matches.iter().any(|one| match one {
        RouteMatch::Address(lists) | RouteMatch::NextHop(lists) => lists.contains(list),
        RouteMatch::Length(..) | RouteMatch::Interface(_) | RouteMatch::Other(_) => false,
    })
}

/// Whether a crypto map selects packets by the addresses that a rule gives them.
fn leads_into_tunnel(config: &Config, rule: &NatRule) -> bool {
    let one = |address: Ipv4Addr| (address, address);
    // `None`: it is not known which
    let of_interface = |name: &String| {
        let interface = config.interfaces.iter().find(|interface| interface.name == *name)?;
        let nets = nets(interface);
        let v4 = nets.iter().filter_map(|net| match net {
            IpNet::V4(net) => Some(one(net.addr())),
            IpNet::V6(_) => None,
        });
        (!nets.is_empty()).then(|| v4.collect::<Vec<_>>())
    };
    let of_global = |global: &NatGlobal| match global {
        NatGlobal::Address(address) => Some(vec![one(*address)]),
        NatGlobal::Interface(name) => of_interface(name),
    };
    let globals: Option<Vec<(Ipv4Addr, Ipv4Addr)>> = match rule {
        NatRule::Dynamic(rule) => match &rule.to {
            NatTo::Interface(name) => of_interface(name),
            NatTo::Pool(name) => {
                let pool = config.nat.pools.iter().find(|pool| pool.name == *name);
                Some(pool.map(|pool| pool.ranges.clone()).unwrap_or_default())
            }
        },
        NatRule::Static(rule) => match &rule.what {
            StaticNatPair::Host { global, .. } | StaticNatPair::Port { global, .. } => of_global(global),
            StaticNatPair::Network { global, .. } => Some(vec![(global.network(), global.broadcast())]),
        },
    };
    let fixed = selecting(config);
    let lists = config.dynamic_maps.iter().flat_map(|map| &map.entries).filter_map(|entry| {
        let name = entry.terms.acl.as_ref()?;
        config.acls.iter().find(|acl| acl.name == *name).and_then(|acl| selected(config, acl))
    });
    let of_lists: Vec<Flow> = lists.flatten().collect();
    let mut flows = fixed.iter().flat_map(|one| one.flows.iter()).chain(&of_lists);
    // `any` selects them as they are, too
    flows.any(|(from, _)| match from {
        IpNet::V4(from) if from.prefix_len() > 0 => globals.as_ref().is_none_or(|globals| {
            globals.iter().any(|(low, high)| *low <= from.broadcast() && from.network() <= *high)
        }),
        IpNet::V4(_) | IpNet::V6(_) => false,
    })
}

/// Whether an entry drops its packets, or may lead them to an interface with a crypto map.
fn holds(config: &Config, entry: &RouteMapEntry) -> bool {
    let bearers = || config.interfaces.iter().filter(|interface| interface.crypto_map.is_some());
    ways(entry).iter().any(|way| match way {
        Way::Interface(name) | Way::DefaultInterface(name) => {
            *name == NULL || bearers().any(|interface| interface.name == *name)
        }
        Way::NextHop(hop) | Way::DefaultNextHop(hop) => bearers().any(|interface| {
            let nets = nets(interface);
            nets.is_empty() || nets.iter().any(|net| net.contains(&IpAddr::from(*hop)))
        }),
    })
}

/// What parts of the VPN in use would lose the last of although they stay themselves: a crypto map
/// entry that was whole its peers, transform sets, access list or that list's last `permit`; a
/// keyring its keys; a profile its `match identity`. As sentences. Whoever means to end a tunnel
/// removes the whole entry.
pub fn emptied(old: &Config, new: &Config) -> Vec<String> {
    let applied = |config: &Config, map: &str| {
        config.interfaces.iter().any(|interface| interface.crypto_map.as_deref() == Some(map))
    };
    let permits = |config: &Config, terms: &EntryTerms| {
        let list = terms.acl.as_ref().and_then(|name| config.acls.iter().find(|acl| acl.name == *name));
        list.is_some_and(|acl| acl.readings(config).any(|(_, line)| line.permit))
    };
    let is_list = |config: &Config, name: &String| config.acls.iter().any(|acl| acl.name == *name);
    let mut out = Vec::new();
    let mut lose = |owner: String, part: &str| out.push(format!("{owner} would lose its last {part}"));
    let mut dynamic_in_use = Vec::new();
    for map in old.maps.iter().filter(|map| applied(old, &map.name) && applied(new, &map.name)) {
        let now = new.maps.iter().find(|other| other.name == map.name);
        for entry in &map.entries {
            dynamic_in_use.extend(&entry.dynamic);
            let now = now.and_then(|now| now.entries.iter().find(|now| now.sequence == entry.sequence));
            let Some(now) = now.filter(|now| now.dynamic.is_none() && entry.dynamic.is_none()) else {
                continue;
            };
            // one that is still being typed has no tunnel to lose
            if entry.peers.is_empty() || entry.terms.transform_sets.is_empty() || !permits(old, &entry.terms)
            {
                continue;
            }
            let owner = || format!("crypto map {} {}", map.name, entry.sequence);
            if now.peers.is_empty() {
                lose(owner(), "`set peer`");
            }
            if now.terms.transform_sets.is_empty() {
                lose(owner(), "`set transform-set`");
            }
            match &now.terms.acl {
                None => lose(owner(), "`match address`"),
                Some(name) if is_list(new, name) && !permits(new, &now.terms) => {
                    lose(format!("access list {name} of {}", owner()), "`permit`");
                }
                Some(_) => {}
            }
        }
    }
    for map in old.dynamic_maps.iter().filter(|map| dynamic_in_use.contains(&&map.name)) {
        let now = new.dynamic_maps.iter().find(|other| other.name == map.name);
        for entry in map.entries.iter().filter(|entry| !entry.terms.transform_sets.is_empty()) {
            let now = now.and_then(|now| now.entries.iter().find(|now| now.sequence == entry.sequence));
            let Some(now) = now else { continue };
            let owner = || format!("crypto dynamic-map {} {}", map.name, entry.sequence);
            if now.terms.transform_sets.is_empty() {
                lose(owner(), "`set transform-set`");
            }
            if let Some(name) = &now.terms.acl
                && is_list(new, name)
                && !permits(new, &now.terms)
                && (entry.terms.acl.is_none() || permits(old, &entry.terms))
            {
                lose(format!("access list {name} of {}", owner()), "`permit`");
            }
        }
    }
    // a peer may come to any of them
    if old.interfaces.iter().any(|i| i.crypto_map.as_ref().is_some_and(|map| applied(new, map))) {
        for keyring in old.keyrings.iter().filter(|keyring| !keyring.keys.is_empty()) {
            if new.keyrings.iter().any(|now| now.name == keyring.name && now.keys.is_empty()) {
                lose(format!("crypto keyring {}", keyring.name), "key");
            }
        }
        for profile in old.profiles.iter().filter(|profile| !profile.matches.is_empty()) {
            if new.profiles.iter().any(|now| now.name == profile.name && now.matches.is_empty()) {
                lose(format!("crypto isakmp profile {}", profile.name), "`match identity`");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::parse;

    const HUB: &str = "\
crypto map M 10 ipsec-isakmp
 set peer 198.51.100.20
 match address VPN
ip access-list extended VPN
 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
ip access-list extended NAT
 deny ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
 permit ip 10.1.0.0 0.0.255.255 any
ip access-list extended EXEMPT
 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
interface FastEthernet0/0
 ip address 203.0.113.2 255.255.255.248
 ip nat outside
 crypto map M
interface FastEthernet0/1
 ip address 10.1.0.1 255.255.0.0
 ip nat inside
interface FastEthernet0/2
 ip address 10.5.0.1 255.255.0.0
";

    /// The names that are lost where a list or a route map is taken away.
    fn lost(more: &str, gone: &str) -> Vec<String> {
        let text = format!("{HUB}{more}");
        let old = parse(&text).config;
        let mut new = old.clone();
        let had = (new.acls.len(), new.route_maps.len());
        new.acls.retain(|acl| acl.name != gone);
        new.route_maps.retain(|map| map.name != gone);
        assert_ne!(had, (new.acls.len(), new.route_maps.len()), "{gone}: {text}");
        super::lost(&old, &new).into_iter().map(|one| one.owner).collect()
    }

    const MAPPED: &str = "\
route-map R deny 10
 match ip address EXEMPT
route-map R permit 20
 match ip address NAT
";

    /// A list or route map of translation may be removed and pasted anew, as on IOS.
    #[test]
    fn what_address_translation_names_may_be_removed_unless_that_opens_a_tunnel() {
        let by_list = "ip nat inside source list NAT interface FastEthernet0/0 overload\n";
        let by_map =
            &format!("ip nat inside source route-map R interface FastEthernet0/0 overload\n{MAPPED}");
        let fixed = &format!("ip nat inside source static 10.1.0.9 203.0.113.3 route-map R\n{MAPPED}");
        let after = "ip access-list extended VPN\n permit ip host 203.0.113.2 10.3.0.0 0.0.255.255\n";
        let by_pool = "ip nat inside source list NAT pool Q\nip nat pool Q 192.0.2.1 192.0.2.254 netmask 255.255.255.0\n";
        let middle = "ip access-list extended VPN\n permit ip 192.0.2.64 0.0.0.63 10.3.0.0 0.0.255.255\n";
        let by_dhcp = "interface FastEthernet0/0\n ip address dhcp\n";
        for (more, gone, owners) in [
            (by_list, "NAT", vec![]),
            (by_map, "NAT", vec![]),
            (by_map, "R", vec![]),
            (fixed, "R", vec![]),
            // what the list excepts would be translated, and would miss the crypto map
            (by_map, "EXEMPT", vec!["route-map R 10"]),
            (by_list, "VPN", vec!["crypto map M 10"]),
            // the crypto map selects by the address that the rule gives
            (&format!("{by_list}{after}"), "NAT", vec!["ip nat inside source"]),
            (&format!("{by_map}{after}"), "R", vec!["ip nat inside source"]),
            (&format!("{by_map}{after}"), "NAT", vec!["route-map R 20"]),
            (&format!("{fixed}{after}"), "R", vec![]),
            // some addresses in the middle of a pool
            (&format!("{by_pool}{middle}"), "NAT", vec!["ip nat inside source"]),
            (&format!("{by_pool}{after}"), "NAT", vec![]),
            // the address is not known
            (&format!("{by_list}{after}{by_dhcp}"), "NAT", vec!["ip nat inside source"]),
        ] {
            assert_eq!(lost(more, gone), owners, "{gone}: {more}");
        }
    }

    #[test]
    fn what_policy_routing_names_may_be_removed_unless_it_drops_or_leads_into_a_tunnel() {
        let policy = "interface FastEthernet0/1\n ip policy route-map P\n";
        for (entries, gone, owners) in [
            ("route-map P permit 10\n match ip address NAT\n set ip next-hop 10.5.0.9\n", "NAT", vec![]),
            ("route-map P permit 10\n match ip address NAT\n set ip next-hop 10.5.0.9\n", "P", vec![]),
            (
                "route-map P permit 10\n match ip address NAT\n set interface Null0\n",
                "NAT",
                vec!["route-map P 10"],
            ),
            (
                "route-map P permit 10\n match ip address NAT\n set interface Null0\n",
                "P",
                vec!["interface FastEthernet0/1"],
            ),
            // the next hop is behind the crypto map
            ("route-map P permit 10\n set ip next-hop 203.0.113.1\n", "P", vec!["interface FastEthernet0/1"]),
            // what an entry leaves to the routes, others may not lead elsewhere
            (
                "route-map P deny 10\n match ip address EXEMPT\nroute-map P permit 20\n set ip next-hop 10.5.0.9\n",
                "EXEMPT",
                vec!["route-map P 10"],
            ),
            (
                "route-map P permit 10\n match ip address EXEMPT\nroute-map P permit 20\n set ip next-hop 10.5.0.9\n",
                "EXEMPT",
                vec!["route-map P 10"],
            ),
        ] {
            assert_eq!(lost(&format!("{policy}{entries}"), gone), owners, "{gone}: {entries}");
        }
    }
}
