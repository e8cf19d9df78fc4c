//! Networks of the configuration that get in each other's way: next hops that no network has, pools
//! that overlap networks, other pools, or what other tunnels carry.

use super::crossed::selecting;
use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{Addressing, Config, Interface, Pool};
use crate::nets::Nets;
use crate::policy_routing::{Way, maps, ways};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) fn routes(config: &Config, found: &mut Vec<Diagnostic>) {
    let dhcp = config.interfaces.iter().any(|interface| interface.address == Addressing::Dhcp);
    let connected = Nets::new(nets(config).map(|(net, _)| (net, ())));
    let routed = config.routes.iter().zip(0..).filter(|(route, _)| route.destination.prefix_len() > 0);
    let routed = Nets::new(routed.map(|(route, place)| (route.destination, place)));
    let bearer = config.interfaces.iter().find(|interface| interface.crypto_map.is_some());
    for (route, place) in config.routes.iter().zip(0_usize..) {
        let Some(hop) = route.next_hop else { continue };
        if let Some(interface) = bearer_of(config, hop) {
            let message = format!(
                "next hop {hop} is the address of {} itself; the route stays inactive",
                interface.name
            );
            let remedy = "name the router that is next on the way";
            say(found, Severity::Warning, Code::OffLink, route.line, message, remedy);
            continue;
        }
        let reached = connected.around(hop.into()).next().is_some()
            || routed.around(hop.into()).any(|(_, other)| *other != place);
        // the next hop may be in the network that an interface with DHCP gets
        if reached || dhcp || route.interface.is_some() {
            continue;
        }
        let message = match bearer {
            Some(bearer) => format!(
                "next hop {hop} is in no connected network; the route is installed on-link by {}, which has the crypto map",
                bearer.name
            ),
            None => format!("next hop {hop} is in no connected network; the route stays inactive"),
        };
        let remedy = "check the next hop and the interface's mask";
        say(found, Severity::Warning, Code::OffLink, route.line, message, remedy);
    }
}

/// What IOS says of an address of an interface that is in the network of another one, or the other
/// way round: `10.1.1.0 overlaps with FastEthernet0/0`. Interfaces that are shut, or in another
/// table, are no matter.
pub(crate) fn overlap(config: &Config, interface: &Interface) -> Option<String> {
    let Addressing::Static(own) = &interface.address else { return None };
    if interface.shutdown {
        return None;
    }
    let others = nets(config)
        .filter(|(_, other)| other.name != interface.name && !other.shutdown && other.vrf == interface.vrf);
    let mut pairs = others.flat_map(|(theirs, other)| own.iter().map(move |net| (*net, theirs, other)));
    let (net, _, other) = pairs.find(|(net, theirs, _)| meet(range(*net), range(*theirs)))?;
    Some(format!("{} overlaps with {}", net.network(), other.name))
}

/// The interface that is up and has an address.
pub(crate) fn bearer_of(config: &Config, address: IpAddr) -> Option<&Interface> {
    let mut up = nets(config).filter(|(_, interface)| !interface.shutdown);
    up.find_map(|(net, interface)| (net.addr() == address).then_some(interface))
}

/// Interfaces of which one has a network of another: a router refuses the second one's address.
pub(super) fn overlaps(config: &Config, found: &mut Vec<Diagnostic>) {
    let places: BTreeMap<&str, usize> =
        config.interfaces.iter().enumerate().map(|(place, one)| (one.name.as_str(), place)).collect();
    let place_of = |interface: &Interface| places.get(interface.name.as_str()).copied().unwrap_or_default();
    let up: Vec<(IpNet, usize, &Interface)> = nets(config)
        .filter(|(_, interface)| !interface.shutdown)
        .map(|(net, interface)| (net.trunc(), place_of(interface), interface))
        .collect();
    let around = Nets::new(up.iter().map(|(net, place, _)| (*net, *place)));
    // the later interface of each pair, with its network and the earlier one
    let mut pairs: BTreeMap<usize, (IpNet, &Interface)> = BTreeMap::new();
    for (net, place, interface) in &up {
        let second = |other: &usize| {
            config.interfaces.get(*other).filter(|one| other != place && one.vrf == interface.vrf)
        };
        let mut wider = around.around(*net).filter_map(|(wider, other)| Some((wider, other, second(other)?)));
        let Some((wider, other, second)) = wider.next() else { continue };
        match place > other {
            true => pairs.entry(*place).or_insert((*net, second)),
            false => pairs.entry(*other).or_insert((wider, interface)),
        };
    }
    for (place, (net, earlier)) in pairs {
        let Some(later) = config.interfaces.get(place) else { continue };
        let message = format!(
            "{net} of {} overlaps with {}: a router refuses the second address, and here both interfaces have theirs, and the kernel chooses by which of them packets leave",
            later.name, earlier.name
        );
        let remedy = "give each interface a network of its own, or shut one down";
        say(found, Severity::Warning, Code::Overlap, later.line, message, remedy);
    }
}

/// Next hops of policy routing that are in no connected network: their packets are routed without
/// them.
pub(super) fn policies(config: &Config, found: &mut Vec<Diagnostic>) {
    if config.interfaces.iter().any(|interface| interface.address == Addressing::Dhcp) {
        return;
    }
    let connected = Nets::new(nets(config).filter(|(_, one)| !one.shutdown).map(|(net, _)| (net, ())));
    for (map, entry) in maps(config).flat_map(|map| map.entries.iter().map(move |entry| (map, entry))) {
        let lost = ways(entry).into_iter().filter_map(|way| match way {
            Way::NextHop(hop) | Way::DefaultNextHop(hop) => Some(hop),
            Way::Interface(_) | Way::DefaultInterface(_) => None,
        });
        let lost = lost.filter(|hop| connected.around(IpNet::from(IpAddr::from(*hop))).next().is_none());
        let lost: Vec<String> = lost.map(|hop| hop.to_string()).collect();
        if lost.is_empty() {
            continue;
        }
        let message = format!(
            "route-map {} {}: next hop {} is in no connected network that is up, and never used; what is left of the entry decides, and then the routes",
            map.name,
            entry.sequence,
            lost.join(", ")
        );
        let remedy = "check the next hop and the interface's mask";
        say(found, Severity::Warning, Code::OffLink, entry.line, message, remedy);
    }
}

/// The networks of the interfaces, as they are written.
fn nets(config: &Config) -> impl Iterator<Item = (IpNet, &Interface)> {
    config.interfaces.iter().flat_map(|interface| {
        let nets = match &interface.address {
            Addressing::Static(nets) => nets.as_slice(),
            Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => &[],
        };
        nets.iter().map(move |net| (*net, interface))
    })
}

/// Whether two ranges have an address in common.
fn meet(one: (IpAddr, IpAddr), other: (IpAddr, IpAddr)) -> bool {
    one.0.is_ipv4() == other.0.is_ipv4() && one.0 <= other.1 && other.0 <= one.1
}

fn range(net: IpNet) -> (IpAddr, IpAddr) {
    (net.network(), net.broadcast())
}

/// Pairs of ranges that are compared; of more, nobody reads what is said.
const COMPARED: usize = 20_000_000;

/// Pools whose addresses something else has.
pub(super) fn pools(config: &Config, found: &mut Vec<Diagnostic>) {
    let here: Vec<(IpNet, &Interface)> =
        nets(config).filter(|(_, interface)| !interface.shutdown && interface.vrf.is_none()).collect();
    let here = || here.iter().copied();
    let entries = selecting(config);
    let far = || entries.iter().flat_map(|one| one.flows.iter().map(move |(_, to)| (*to, one)));
    let mut left = COMPARED;
    for (place, pool) in config.pools.iter().enumerate() {
        let own = (pool.low, pool.high);
        let others =
            here().len() + place + config.dhcp_pools.len() + config.dhcp_excluded.len() + far().count();
        left = left.saturating_sub(others);
        if left == 0 {
            let message = "there are so many pools and networks that not all of them were compared";
            say(found, Severity::Notice, Code::Overlap, pool.line, message.into(), "");
            return;
        }
        let mut warn = |message: String, remedy: &str| {
            say(found, Severity::Warning, Code::Overlap, pool.line, message, remedy);
        };
        let Pool { name, low, high, .. } = pool;
        if let Some((net, interface)) = here().find(|(net, _)| meet((net.addr(), net.addr()), own)) {
            warn(
                format!(
                    "local pool {name} has the address {} of {}; the client that gets it reaches nobody",
                    net.addr(),
                    interface.name
                ),
                "leave the address out of the pool",
            );
        }
        let other = config.pools.iter().take(place).find(|other| meet((other.low, other.high), own));
        if let Some(other) = other.filter(|other| other.name != *name) {
            warn(
                format!(
                    "local pool {name} overlaps local pool {} of line {}; two clients may get one address",
                    other.name, other.line
                ),
                "give each pool addresses of its own",
            );
        }
        if let Some((net, one)) = far().find(|(net, _)| net.prefix_len() > 0 && meet(range(*net), own)) {
            warn(
                format!(
                    "local pool {name} has addresses of {net}, which crypto map {} leads to its peer: what is for a client may go there",
                    one.name()
                ),
                "give the pool a network of its own",
            );
        }
        if let Some((net, interface)) = here().find(|(net, _)| meet(range(*net), own)) {
            inside(config, pool, net, interface, found);
        }
        let excluded = config.dhcp_excluded.iter().any(|(first, last)| {
            let range = IpAddr::from(*first)..=IpAddr::from(*last);
            range.contains(low) && range.contains(high)
        });
        let lent = config
            .dhcp_pools
            .iter()
            .filter(|_| !config.dhcp_off)
            .find(|dhcp| dhcp.network.is_some_and(|net| meet(range(net.into()), own) && !excluded));
        if let Some(dhcp) = lent {
            let message = format!(
                "local pool {name} has addresses that `ip dhcp pool {}` lends to hosts; a client and a host may get one address",
                dhcp.name
            );
            let remedy = format!("exclude them: ip dhcp excluded-address {low} {high}");
            say(found, Severity::Warning, Code::Overlap, pool.line, message, remedy);
        }
    }
}

/// Pools of DHCP for hosts that are in no network of this router: nobody asks for their addresses.
pub(super) fn dhcp_pools(config: &Config, found: &mut Vec<Diagnostic>) {
    let here = || nets(config).filter(|(_, interface)| !interface.shutdown).map(|(net, _)| net);
    let addresses: BTreeSet<IpAddr> = here().map(|net| net.addr()).collect();
    let here = Nets::new(here().map(|net| (net, ())));
    for pool in config.dhcp_pools.iter().filter(|_| !config.dhcp_off) {
        let wanted = pool.network.or(pool.host);
        let serves = |wanted: ipnet::Ipv4Net| {
            let (network, host) = (IpNet::from(wanted), IpAddr::from(wanted.addr()));
            addresses.range(network.network()..=network.broadcast()).next().is_some()
                || here.around(host.into()).next().is_some()
        };
        if wanted.is_some_and(|wanted| !serves(wanted)) {
            let message = format!("ip dhcp pool {}: no interface has an address in its network", pool.name);
            let remedy = "give the interface of its hosts an address there, or remove the pool";
            say(found, Severity::Warning, Code::Incomplete, pool.line, message, remedy);
        }
    }
}

/// A pool within the network of an interface: the hosts there look for the clients on their own
/// wire.
fn inside(config: &Config, pool: &Pool, net: IpNet, interface: &Interface, found: &mut Vec<Diagnostic>) {
    let Pool { name, line, .. } = pool;
    let silent = interface.no_proxy_arp.then_some("no ip proxy-arp");
    let silent = silent.or(config.proxy_arp_off.then_some("ip arp proxy disable"));
    let (net, interface) = (net.trunc(), &interface.name);
    let (severity, message) = match silent {
        Some(silent) => (
            Severity::Warning,
            format!(
                "local pool {name} is inside {net} of {interface}, for which there is `{silent}`: its hosts find no client"
            ),
        ),
        None => (
            Severity::Notice,
            format!(
                "local pool {name} is inside {net} of {interface}: its hosts reach clients only because this router answers ARP for them"
            ),
        ),
    };
    let remedy = format!("leave `ip proxy-arp` on {interface}, or give the pool a network of its own");
    say(found, severity, Code::Overlap, *line, message, remedy);
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Code, Severity};

    const LAN: &str = "interface FastEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n";

    fn told(text: &str) -> Vec<(Severity, String)> {
        let told = crate::parse(text).diagnostics;
        let overlaps = told.into_iter().filter(|told| told.code == Code::Overlap);
        overlaps.map(|told| (told.severity, told.message)).collect()
    }

    #[test]
    fn interfaces_of_one_network_are_told() {
        let other = |lines: &str| format!("{LAN}interface FastEthernet0/0\n{lines}");
        for (text, is_told) in [
            (other(" ip address 10.1.1.2 255.255.255.0\n"), true),
            (other(" ip address 10.1.0.2 255.255.0.0\n"), true),
            (other(" ip address 10.1.1.9 255.255.255.254\n"), true),
            (
                other(" ip address 10.2.1.2 255.255.255.0\n ip address 10.1.1.9 255.255.255.0 secondary\n"),
                true,
            ),
            (other(" ip address 10.1.1.2 255.255.255.0\n shutdown\n"), false),
            (other(" ip address 10.1.1.2 255.255.255.0\n vrf forwarding G\n"), false),
            (other(" ip address 10.1.2.2 255.255.255.0\n"), false),
            // within one interface they are secondary addresses of one network
            (format!("{LAN} ip address 10.1.1.2 255.255.255.0 secondary\n"), false),
        ] {
            let told = told(&text);
            let found = told.iter().any(|(_, message)| message.contains("overlaps with FastEthernet0/1"));
            assert_eq!(found, is_told, "{text}: {told:?}");
        }
    }

    #[test]
    fn a_next_hop_of_policy_routing_that_is_nowhere_is_told() {
        let policy = |hop: &str| {
            format!("{LAN} ip policy route-map R\nroute-map R permit 10\n set ip next-hop {hop}\n")
        };
        for (text, is_told) in [
            (policy("10.1.1.9"), false),
            (policy("10.7.1.9"), true),
            (policy("10.1.1.9 10.7.1.9"), true),
            (policy("10.7.1.9").replace("set ip next-hop", "set ip default next-hop"), true),
            (policy("10.7.1.9").replace("policy route-map R", "policy route-map S"), false),
            (format!("{}interface FastEthernet0/0\n ip address dhcp\n", policy("10.7.1.9")), false),
        ] {
            let parsed = crate::parse(&text);
            let told = parsed.diagnostics.iter().find(|told| told.code == Code::OffLink);
            assert_eq!(told.is_some(), is_told, "{text}: {told:?}");
            assert!(told.is_none_or(|told| told.line == 4 && told.message.contains("10.7.1.9")), "{told:?}");
        }
    }

    #[test]
    fn a_dhcp_pool_of_no_network_of_this_router_is_told() {
        for (pool, is_told) in [
            ("network 10.1.1.0 255.255.255.0", false),
            ("network 10.7.1.0 255.255.255.0", true),
            ("host 10.1.1.9 255.255.255.0", false),
            ("host 10.7.1.9 255.255.255.0", true),
        ] {
            let parsed = crate::parse(&format!("{LAN}ip dhcp pool L\n {pool}\n"));
            let told = parsed.diagnostics.iter().any(|told| told.code == Code::Incomplete);
            assert_eq!(told, is_told, "{pool}: {:?}", parsed.diagnostics);
        }
    }

    /// The network behind a peer is one as that of an interface is.
    #[test]
    fn a_pool_inside_the_network_of_a_branch_is_told() {
        let pool = "ip local pool P 10.2.0.1 10.2.0.9\n";
        for (line, is_told) in [
            ("permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255", true),
            ("permit ip any host 10.2.0.9", true),
            ("permit ip 10.1.0.0 0.0.255.255 10.3.0.0 0.0.255.255", false),
            // the clients' side of a tunnel
            ("permit ip 10.2.0.0 0.0.255.255 10.3.0.0 0.0.255.255", false),
            ("permit ip 10.1.0.0 0.0.255.255 any", false),
            ("deny ip any any", false),
        ] {
            let map = format!(
                "access-list 101 {line}\ncrypto map M 10 ipsec-isakmp\n set peer 1.1.1.1\n match address 101\n"
            );
            let told = told(&format!("{pool}{map}"));
            assert_eq!(
                told.iter().any(|(_, message)| message.contains("crypto map M 10")),
                is_told,
                "{line}: {told:?}"
            );
        }
        let dynamic = "access-list 101 permit ip any 10.2.0.0 0.0.255.255\ncrypto dynamic-map D 10\n match address 101\n";
        assert_eq!(told(&format!("{pool}{dynamic}")), []);
    }

    #[test]
    fn a_pool_inside_a_lan_is_a_note_and_what_breaks_it_a_warning() {
        for (text, wanted) in [
            ("ip local pool P 10.9.9.1 10.9.9.9\n".to_string(), None),
            (
                format!("{LAN}ip local pool P 10.1.1.100 10.1.1.120\n"),
                Some((Severity::Notice, "answers ARP")),
            ),
            (
                format!("{LAN} no ip proxy-arp\nip local pool P 10.1.1.100 10.1.1.120\n"),
                Some((Severity::Warning, "no ip proxy-arp")),
            ),
            (
                format!("{LAN}ip arp proxy disable\nip local pool P 10.1.1.100 10.1.1.120\n"),
                Some((Severity::Warning, "`ip arp proxy disable`")),
            ),
            (
                format!("{LAN} no ip proxy-arp\n ip proxy-arp\nip local pool P 10.1.1.100 10.1.1.120\n"),
                Some((Severity::Notice, "answers ARP")),
            ),
            (format!("{LAN} shutdown\nip local pool P 10.1.1.100 10.1.1.120\n"), None),
            (
                format!("{LAN}ip local pool P 10.1.1.1 10.1.1.120\n"),
                Some((Severity::Warning, "10.1.1.1 of Fast")),
            ),
            (
                "ip local pool P 10.9.9.1 10.9.9.9\nip local pool Q 10.9.9.9 10.9.9.20\n".to_string(),
                Some((Severity::Warning, "overlaps local pool P of line 1")),
            ),
            ("ip local pool P 10.9.9.1 10.9.9.9\nip local pool P 10.9.9.10 10.9.9.20\n".to_string(), None),
            (
                format!(
                    "{LAN}ip local pool P 10.1.1.100 10.1.1.120\nip dhcp pool L\n network 10.1.1.0 255.255.255.0\n"
                ),
                Some((Severity::Warning, "`ip dhcp pool L`")),
            ),
        ] {
            let found = told(&text);
            match wanted {
                None => assert_eq!(found, [], "{text}"),
                Some((severity, words)) => {
                    let is =
                        |(own, message): &(Severity, String)| *own == severity && message.contains(words);
                    assert!(found.iter().any(is), "{text}: {found:?}");
                }
            }
        }
        let excluded = format!(
            "{LAN}ip local pool P 10.1.1.100 10.1.1.120\nip dhcp pool L\n network 10.1.1.0 255.255.255.0\n\
             ip dhcp excluded-address 10.1.1.90 10.1.1.130\n"
        );
        assert!(told(&excluded).iter().all(|(severity, _)| *severity == Severity::Notice));
    }
}
