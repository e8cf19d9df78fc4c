//! Networks that are unreachable here because their interface or that of their route has no link,
//! and routes to `Null0` that take packets of a crypto map.

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::meant::question;
use crate::model::{
    Acl, AclEntry, Addressing, Config, DynamicMap, EntryTerms, Interface, InterfaceKind, Links, Route,
};
use crate::nets::Nets;
use crate::parsed::Parsed;
use crate::verdict::has_no_link;
use crate::verdict::ways::Routes;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

/// Recomputes which networks are unreachable from the options of the start, which were not known
/// when the configuration was read.
pub fn say_unreachable(parsed: &mut Parsed) {
    parsed.diagnostics.retain(|told| told.code != Code::Unreachable);
    unreachable(&parsed.config, &mut parsed.diagnostics);
    parsed.diagnostics.sort_by_key(|told| (told.line, told.column));
}

/// The networks of interfaces that have no link here, and what routes lead by those.
fn unreachable(config: &Config, found: &mut Vec<Diagnostic>) {
    let links = config.links();
    for interface in &config.interfaces {
        let Addressing::Static(nets) = &interface.address else { continue };
        // tunnels have verdicts
        if is_here(&links, &interface.name) || interface.vrf.is_some() || has_no_link(&interface.name) {
            continue;
        }
        let nets: Vec<_> = nets.iter().map(|net| net.trunc().to_string()).collect();
        say(
            found,
            Code::Unreachable,
            interface.line,
            format!("{} has no link here: {} is unreachable", interface.name, nets.join(", ")),
            &format!(
                "create the link and name it with `--map {}=NAME` (the others then need --map too), or shut down the interface",
                interface.name
            ),
        );
    }
    let absent = absent(config, &links);
    let mut asked = 0;
    for (route, name) in config.routes.iter().zip(&absent) {
        let Some(name) = name else { continue };
        let what = match links.interface(name).is_some() {
            true => format!("{name} has no link here"),
            false => {
                let known = config.interfaces.iter().map(|interface| interface.name.as_str());
                asked += 1;
                let question = if asked <= ASKED { question(name, known) } else { String::new() };
                format!("nothing defines {name}{question}")
            }
        };
        let unless = match has_no_link(name) {
            true => "",
            false => "unless `--map` gives it a link of this machine, ",
        };
        say(
            found,
            Code::Unreachable,
            route.line,
            format!("{what}: {unless}{} is unreachable", route.destination),
            "traffic for a tunnel must not leave unencrypted by another interface; point the route to an interface that exists here",
        );
    }
}

/// Names that are asked after: of thousands, nobody reads the answers.
const ASKED: usize = 200;

pub(crate) fn check(config: &Config, found: &mut Vec<Diagnostic>) {
    unreachable(config, found);
    let mut said = Said {
        lists: config.acls.iter().map(|acl| (acl.name.as_str(), acl)).collect(),
        routes: Routes::new(config),
        looked_at: BTreeSet::new(),
        told: BTreeSet::new(),
    };
    let mut dynamic: BTreeMap<&str, &DynamicMap> =
        config.dynamic_maps.iter().map(|map| (map.name.as_str(), map)).collect();
    for map in &config.maps {
        for entry in &map.entries {
            let name = format!("{} {}", map.name, entry.sequence);
            null_routes(config, &entry.terms, &name, &mut said, found);
            // once, however many entries name it
            let dynamic = entry.dynamic.as_deref().and_then(|name| dynamic.remove(name));
            for (dynamic, entry) in
                dynamic.into_iter().flat_map(|map| map.entries.iter().map(move |entry| (map, entry)))
            {
                let name = format!("{} {}", dynamic.name, entry.sequence);
                null_routes(config, &entry.terms, &name, &mut said, found);
            }
        }
    }
}

fn say(found: &mut Vec<Diagnostic>, code: Code, line: u32, message: String, remedy: &str) {
    let severity = Severity::Warning;
    found.push(Diagnostic { severity, code, line, column: 1, message, remedy: remedy.into() });
}

/// Whether an interface is defined and has a link here. The routes of one that is shut go, as on a
/// router, unless it is a tunnel.
fn is_here(links: &Links<'_>, name: &str) -> bool {
    let shut = |interface: &Interface| interface.shutdown && !has_no_link(name);
    is_null(name) || links.interface(name).is_some_and(|interface| links.has(name) || shut(interface))
}

/// For each route its interface, if that has no link here or is not defined.
fn absent(config: &Config, links: &Links<'_>) -> Vec<Option<String>> {
    let here = |name: &str| is_here(links, name);
    let networks = Nets::new(config.interfaces.iter().flat_map(|interface| {
        let name = Some(interface.name.as_str()).filter(|name| !here(name));
        let nets = match &interface.address {
            Addressing::Static(nets) => nets.as_slice(),
            Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => &[],
        };
        nets.iter().map(move |net| (*net, name))
    }));
    let routes = config.routes.iter().zip(0_usize..).filter(|(route, _)| route.destination.prefix_len() > 0);
    let routes = Nets::new(routes.map(|(route, place)| (route.destination, place)));
    let mut led: Vec<Option<String>> =
        config.routes.iter().map(|route| route.interface.clone().filter(|name| !here(name))).collect();
    // a next hop may be reached by another route, and that one's by a third
    for _ in 0..4 {
        for (place, route) in config.routes.iter().enumerate() {
            let (None, Some(hop)) = (&route.interface, route.next_hop) else { continue };
            let connected = networks.around(hop.into()).next();
            let connected = connected.map(|(net, name)| (net.prefix_len(), 1, name.map(str::to_string)));
            let mut routed = routes.around(hop.into()).filter(|(_, other)| **other != place);
            let routed = routed.next().map(|(net, other)| {
                let name = led.get(*other).cloned().flatten();
                (net.prefix_len(), 0, name)
            });
            let holder = connected.into_iter().chain(routed).max_by_key(|(length, kind, _)| (*length, *kind));
            if let (Some((_, _, name)), Some(led)) = (holder, led.get_mut(place)) {
                *led = name;
            }
        }
    }
    led
}

/// What was looked at already, and what is looked up.
struct Said<'c> {
    lists: BTreeMap<&'c str, &'c Acl>,
    routes: Routes<'c>,
    looked_at: BTreeSet<String>,
    /// Lines of routes and of lists that were named.
    told: BTreeSet<(u32, u32)>,
}

/// What a crypto ACL selects and a route leads to `Null0`: the packets never meet the crypto map,
/// unless `reverse-route` leads them there.
fn null_routes(
    config: &Config,
    terms: &EntryTerms,
    entry: &str,
    said: &mut Said<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let acl = terms.acl.as_deref().and_then(|name| said.lists.get(name).copied());
    // of several entries with a list, the first is named
    let Some(acl) = acl.filter(|acl| !terms.reverse_route && said.looked_at.insert(acl.name.clone())) else {
        return;
    };
    for (line, net) in acl.permitted_destinations(config) {
        let net = IpNet::V4(net);
        let Some(route) = said.routes.best(net).filter(|route| {
            let by_null = route.interface.as_deref().is_some_and(is_null);
            by_null && said.told.insert((route.line, line.line))
        }) else {
            continue;
        };
        let message = dropped(route, acl, line, net, entry);
        let remedy = "`reverse-route` in the crypto map entry installs a better route, as does `ip route` by the interface with the crypto map";
        say(found, Code::OffLink, route.line, message, remedy);
    }
}

fn dropped(route: &Route, acl: &Acl, line: &AclEntry, net: IpNet, entry: &str) -> String {
    format!(
        "packets to {net}, which line {} of access list {} selects for crypto map {entry}, follow this route to {} into Null0 and \
         are dropped, as on a router",
        line.line, acl.name, route.destination
    )
}

fn is_null(name: &str) -> bool {
    InterfaceKind::of(name) == InterfaceKind::Null
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    fn said(text: &str) -> Vec<(u32, String)> {
        let parsed = crate::parse(text);
        let about =
            parsed.diagnostics.iter().filter(|one| matches!(one.code, Code::OffLink | Code::Unreachable));
        about.map(|one| (one.line, one.message.clone())).collect()
    }

    #[test]
    fn routes_by_what_is_no_card_are_named() {
        let base = "interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n\
                    interface Tunnel7\n ip address 10.255.7.1 255.255.255.252\n";
        for (line, interface) in [
            ("ip route 10.78.0.0 255.255.0.0 Tunnel7", Some("Tunnel7 has no link here")),
            ("ip route 10.78.0.0 255.255.0.0 10.255.7.2", Some("Tunnel7 has no link here")),
            ("ip route 10.78.0.0 255.255.0.0 Dialer1", Some("nothing defines Dialer1")),
            (
                "ip route 10.78.0.0 255.255.0.0 GigabitEthernet0/9 10.9.0.1",
                Some("nothing defines GigabitEthernet0/9"),
            ),
            ("ip route 10.78.0.0 255.255.0.0 LISP0", Some("nothing defines LISP0")),
            ("ip route 10.78.0.0 255.255.0.0 pseudowire100", Some("nothing defines pseudowire100")),
            ("ip route 10.78.0.0 255.255.0.0 Overlay1", Some("nothing defines Overlay1")),
            ("ip route 10.78.0.0 255.255.0.0 198.51.100.1", None),
            ("ip route 10.78.0.0 255.255.0.0 GigabitEthernet0/0 198.51.100.1", None),
            ("ip route 10.78.0.0 255.255.0.0 Null0", None),
        ] {
            let said = said(&format!("{base}{line}\n"));
            match interface {
                Some(interface) => {
                    assert_eq!(said.len(), 1, "{said:?}");
                    assert!(said[0].0 == 5 && said[0].1.contains(interface), "{said:?}");
                    assert!(said[0].1.contains("10.78.0.0/16 is unreachable"), "{said:?}");
                }
                None => assert_eq!(said, [], "{line}"),
            }
        }
        let behind = said(&format!(
            "{base}ip route 10.99.0.0 255.255.0.0 Tunnel7\nip route 10.78.0.0 255.255.0.0 10.99.0.1\n"
        ));
        assert_eq!(behind.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [5, 6], "{behind:?}");
    }

    /// The network of an interface without a link went out by the default route, and nothing was
    /// said.
    #[test]
    fn the_network_of_an_interface_that_is_not_here_is_named() {
        for (name, below, told) in [
            ("Vlan1", "", true),
            ("Loopback0", "", false),
            ("BVI1", "", true),
            ("GigabitEthernet0/1.30", "", true),
            ("Dialer1", "", true),
            ("GigabitEthernet0/1", "", false),
            ("Vlan1", " shutdown\n", false),
        ] {
            let text = format!("interface {name}\n ip address 10.40.0.1 255.255.0.0\n{below}");
            let said = said(&text);
            assert_eq!(
                said.iter().any(|(_, text)| text.contains("10.40.0.0/16 is unreachable")),
                told,
                "{said:?}"
            );
            // a link that is named is here, and then nothing else is
            let mut parsed =
                crate::parse(&format!("{text}interface FastEthernet9\n ip address 10.9.0.1 255.255.0.0\n"));
            parsed.config.chosen.mapped = vec![name.to_string()];
            super::say_unreachable(&mut parsed);
            let about = parsed.diagnostics.iter().filter(|one| one.code == Code::Unreachable);
            let about: Vec<_> = about.map(|one| one.message.as_str()).collect();
            assert_eq!(about, ["FastEthernet9 has no link here: 10.9.0.0/16 is unreachable"], "{name}");
        }
    }

    #[test]
    fn null0_in_front_of_a_crypto_map_is_named_with_the_line_of_the_access_list() {
        let text = |reverse: &str, null: &str| {
            format!(
                "access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
                 crypto map CM 10 ipsec-isakmp\n set peer 203.0.113.10\n match address 101\n{reverse}\
                 interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n crypto map CM\n\
                 ip route 0.0.0.0 0.0.0.0 198.51.100.1\n{null}"
            )
        };
        let null = "ip route 10.0.0.0 255.0.0.0 Null0 250\n";
        let found = said(&text("", null));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == 9 && found[0].1.contains("line 1 of access list 101"), "{found:?}");
        assert_eq!(said(&text(" reverse-route\n", null)), []);
        assert_eq!(said(&text(" reverse-route static\n", null)), []);
        let better = format!("{null}ip route 10.2.0.0 255.255.0.0 198.51.100.1\n");
        assert_eq!(said(&text("", &better)), []);
        assert_eq!(said(&text("", "ip route 10.2.0.0 255.255.0.0 Null0\n")).len(), 1);
    }
}
