//! Access lists that filter, translate or route: lines that cannot be applied exactly, and filters
//! that keep the tunnels' own packets out.

use super::nat::front;
use super::say::say;
use crate::acl::{Decision, Packet, Pattern, PortRange, Ports, decide, read};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{
    Acl, AclLine, Addressing, Config, CryptoMap, EntryTerms, Interface, NatRule, NatSelect, RouteMap,
    RouteMatch,
};
use crate::parsed::Parsed;
use crate::undecided::maps_in_use;
use crate::verdict::lines::blocks;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// What a list is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Filter,
    /// By address translation or policy routing.
    Choice,
}

/// Lines of a list that are named: of more, nobody reads what is said.
const NAMED: usize = 20;

/// The entries of crypto maps, static and dynamic ones, as messages name them.
fn terms(config: &Config) -> impl Iterator<Item = &EntryTerms> {
    let fixed = config.maps.iter().flat_map(|map| &map.entries).map(|entry| &entry.terms);
    fixed.chain(config.dynamic_maps.iter().flat_map(|map| &map.entries).map(|entry| &entry.terms))
}

/// The lists that filter, and those that choose what is translated or routed.
fn uses(config: &Config) -> BTreeSet<(&str, Use)> {
    let of_interfaces = config.interfaces.iter().filter(|interface| !interface.shutdown);
    let of_interfaces = of_interfaces.flat_map(|one| [&one.access_in, &one.access_out]);
    let filters = of_interfaces.chain(terms(config).flat_map(|terms| [&terms.access_in, &terms.access_out]));
    let mut out: BTreeSet<_> = filters.flatten().map(|name| (name.as_str(), Use::Filter)).collect();
    let maps = maps_in_use(config);
    let entries = config.route_maps.iter().filter(|map| maps.contains(map.name.as_str()));
    let matches = entries.flat_map(|map| &map.entries).flat_map(|entry| &entry.matches);
    let by_maps = matches.filter_map(|one| match one {
        RouteMatch::Address(lists) | RouteMatch::NextHop(lists) => Some(lists),
        _ => None,
    });
    out.extend(by_maps.flatten().map(|name| (name.as_str(), Use::Choice)));
    out.extend(config.nat.rules.iter().filter_map(|rule| match rule {
        NatRule::Dynamic(rule) => match &rule.which {
            NatSelect::List(name) => Some((name.as_str(), Use::Choice)),
            NatSelect::RouteMap(_) => None,
        },
        NatRule::Static(_) => None,
    }));
    out
}

/// The release of which it is not known how often it filters: it was changed in 12.3(8)T.
const UNDECIDED: (u16, u16) = (12, 3);

/// Whether what comes out of a tunnel is filtered again depends on the release, and `version` does
/// not always say enough.
pub(super) fn again(config: &Config, found: &mut Vec<Diagnostic>) {
    if config.version != Some(UNDECIDED) {
        return;
    }
    let mut filtered = config.interfaces.iter().filter(|one| one.crypto_map.is_some() && !one.shutdown);
    if let Some((interface, list)) = filtered.find_map(|one| Some((one, one.access_in.as_ref()?))) {
        let message = format!(
            "`version 12.3` does not say whether what comes out of a tunnel passes access list {list} of {} again: releases before 12.3(8)T do that, and so does Hubward",
            interface.name
        );
        say(
            found,
            Severity::Notice,
            Code::Starved,
            interface.line,
            message,
            "`version 12.4` filters only what comes in",
        );
    }
}

/// Lines of which it is not known which packets they concern.
pub(super) fn inexact(config: &Config, found: &mut Vec<Diagnostic>) {
    let uses = uses(config);
    for acl in &config.acls {
        let used = |what: Use| uses.contains(&(acl.name.as_str(), what));
        if !used(Use::Filter) && !used(Use::Choice) {
            continue;
        }
        // what a reflexive list holds is known while packets pass
        let lines = acl.entries.iter().filter(|entry| !matches!(entry.what, AclLine::Evaluate(_)));
        let unsure = lines.filter_map(|entry| {
            let reading = read(config, entry)?;
            Some((entry, reading.permit, reading.unknown?))
        });
        for (entry, permit, why) in unsure.take(NAMED) {
            let denies = match &entry.what {
                // it may deny
                AclLine::Unread { permit } => !permit.unwrap_or(false),
                _ => !permit,
            };
            let becomes = match (used(Use::Filter), denies) {
                (true, true) => "as a filter it drops whatever it may concern",
                (true, false) => "as a filter it lets nothing through",
                (false, _) => "what it may concern is neither translated nor routed by it, and not forwarded",
            };
            let message = format!(
                "line {} of access list {} cannot be applied exactly ({why}): {becomes}",
                entry.line, acl.name
            );
            let remedy = "name addresses, protocols and ports";
            say(found, Severity::Warning, Code::Unsupported, entry.line, message, remedy);
        }
    }
}

/// Peers that are looked at: of more, nobody reads what is said.
const PEERS: usize = 64;

/// What a peer sends to a tunnel's end.
const SENT: [(&str, u8, Option<u16>); 3] =
    [("IKE (UDP 500)", 17, Some(500)), ("ESP", 50, None), (NAT_T, 17, Some(4500))];
const NAT_T: &str = "NAT traversal (UDP 4500)";

/// Filters of interfaces with a crypto map that keep out what its peers send.
pub(super) fn starving(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let config = &parsed.config;
    let filters = |one: &&Interface| {
        one.crypto_map.is_some() && one.access_in.is_some() && !one.shutdown && one.vrf.is_none()
    };
    if !config.interfaces.iter().any(|one| filters(&one)) {
        return;
    }
    let lists: BTreeMap<&str, &Acl> = config.acls.iter().map(|acl| (acl.name.as_str(), acl)).collect();
    let maps: BTreeMap<&str, &CryptoMap> = config.maps.iter().map(|map| (map.name.as_str(), map)).collect();
    let blocks = blocks(parsed);
    for interface in config.interfaces.iter().filter(filters) {
        let acl = interface.access_in.as_deref().and_then(|name| lists.get(name).copied());
        let map = interface.crypto_map.as_deref().and_then(|name| maps.get(name).copied());
        let Some((acl, map)) = acl.zip(map) else { continue };
        let Some(own) = end_of_tunnels(config, map, interface) else { continue };
        let of_block = blocks.iter().filter(|block| block.interface() == interface.name);
        let line =
            of_block.flat_map(|block| block.having("ip access-group")).find(|line| line.has(&acl.name));
        starved(
            config,
            (acl, map, own),
            &interface.name,
            line.map_or(interface.line, |line| line.line),
            found,
        );
    }
}

/// The address to which the peers of a map send: the interface's own, or that of `local-address`.
/// `None` if it is not known before the start.
fn end_of_tunnels(config: &Config, map: &CryptoMap, interface: &Interface) -> Option<Ipv4Addr> {
    let end = match &map.local_address {
        Some(name) => config.interfaces.iter().find(|one| one.name == *name)?,
        None => interface,
    };
    match &end.address {
        Addressing::Static(nets) => nets.iter().find_map(|net| match net.addr() {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }),
        Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => None,
    }
}

fn starved(
    config: &Config,
    (acl, map, own): (&Acl, &CryptoMap, Ipv4Addr),
    interface: &str,
    line: u32,
    found: &mut Vec<Diagnostic>,
) {
    let peers: BTreeSet<Ipv4Addr> = map
        .entries
        .iter()
        .flat_map(|entry| &entry.peers)
        .filter_map(|peer| match peer {
            IpAddr::V4(peer) => Some(*peer),
            IpAddr::V6(_) => None,
        })
        .take(PEERS)
        .collect();
    let from_anywhere = map.entries.iter().any(|entry| entry.dynamic.is_some());
    let packet = |source: Ipv4Addr, protocol: u8, port: Option<u16>| {
        Packet::new(source.into(), Some(own.into()), protocol, Ports { source: port, destination: port })
    };
    let mut kept_out: Vec<&str> = Vec::new();
    let mut first: Option<(Option<Ipv4Addr>, Decision<'_>)> = None;
    for (what, protocol, port) in SENT {
        let decided = |source| decide(config, acl, &packet(source, protocol, port));
        // a peer that is not behind NAT does without
        if what == NAT_T && kept_out.is_empty() && !(from_anywhere && config.crypto.nat_transparency) {
            continue;
        }
        let of_peers = peers.iter().filter(|_| what != NAT_T || !kept_out.is_empty());
        let mut of_peers = of_peers.map(|peer| (Some(*peer), decided(*peer)));
        let mut refused = of_peers.find(|(_, decision)| !decision.permits());
        // somebody whose address is not known: the list may let in some
        if from_anywhere && refused.is_none() {
            let permitted = acl.readings(config).filter(|(_, line)| line.permit);
            let fits = |one: &Pattern| {
                let has = |ports: Option<PortRange>| {
                    ports.is_none_or(|all| port.is_some_and(|port| (all.first..=all.last).contains(&port)))
                };
                one.destination.contains(own)
                    && one.protocol.is_none_or(|own| own == protocol)
                    && has(one.destination_ports)
            };
            let sources = permitted.flat_map(|(_, line)| line.patterns).filter(fits).take(PEERS);
            if !sources.map(|one| one.source.address).any(|source| decided(source).permits()) {
                refused = Some((None, decided(Ipv4Addr::new(192, 0, 2, 1))));
            }
        }
        if let Some(refused) = refused {
            kept_out.push(what);
            first.get_or_insert(refused);
        }
    }
    let Some((peer, decision)) = first else { return };
    let from = peer.map_or_else(|| "from anywhere".to_string(), |peer| format!("from {peer}"));
    let why = match decision {
        Decision::By(entry, _) => format!("line {} denies it", entry.line),
        Decision::MayDeny(entry) => format!("line {} may deny it", entry.line),
        Decision::None => format!("no line of access list {} permits it", acl.name),
    };
    let what = kept_out.join(", ");
    let message = format!("access list {} on {interface} keeps out {what} {from} to {own}: {why}", acl.name);
    let remedy = format!(
        "permit `udp any host {own} eq isakmp`, `udp any host {own} eq non500-isakmp` and `esp any host {own}` before it"
    );
    let severity = if kept_out == [NAT_T] { Severity::Notice } else { Severity::Warning };
    say(found, severity, Code::Starved, line, message, remedy);
}

/// Entries of route maps for policy routing that mark packets besides, or instead.
pub(super) fn marking(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let config = &parsed.config;
    let maps: BTreeMap<&str, &RouteMap> =
        config.route_maps.iter().map(|map| (map.name.as_str(), map)).collect();
    let routed = config.interfaces.iter().filter_map(|interface| interface.policy.as_ref());
    let routed: BTreeSet<&str> = routed.chain(&config.local_policy).map(String::as_str).collect();
    let entries = routed.iter().filter_map(|name| maps.get(name)).flat_map(|map| &map.entries);
    for entry in entries.filter(|entry| entry.permit) {
        let marks = entry.sets.iter().filter_map(crate::undecided::marks);
        for text in marks {
            let message = format!(
                "`{}`: `set {text}` is not implemented: packets are not marked",
                front(parsed, entry.line)
            );
            let remedy = "remove the line if you do not need it";
            say(found, Severity::Warning, Code::Unsupported, entry.line, message, remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Code, Severity};

    fn told(text: &str, code: Code) -> Vec<(u32, Severity, String)> {
        let told = crate::parse(text).diagnostics.into_iter().filter(|told| told.code == code);
        told.map(|told| (told.line, told.severity, told.message)).collect()
    }

    const HUB: &str = "\
interface FastEthernet0/0
 ip address 203.0.113.2 255.255.255.248
 ip access-group IN in
 crypto map M
crypto map M 10 ipsec-isakmp
 set peer 198.51.100.20
";
    const DYNAMIC: &str = "crypto map M 65000 ipsec-isakmp dynamic D\n";
    const IKE: &str = " permit udp any host 203.0.113.2 eq isakmp\n";
    const NAT_T: &str = " permit udp any host 203.0.113.2 eq non500-isakmp\n";
    const ESP: &str = " permit esp any host 203.0.113.2\n";

    #[test]
    fn a_filter_that_keeps_the_tunnels_packets_out_is_told() {
        let list = |lines: &str| format!("{HUB}ip access-list extended IN\n{lines}");
        for (text, says) in [
            (list(&format!("{IKE}{NAT_T}{ESP}")), None),
            (list(" permit ip any any\n"), None),
            (list(" permit ip host 198.51.100.20 any\n"), None),
            // nobody is behind NAT
            (list(&format!("{IKE}{ESP}")), None),
            (
                list(&format!("{IKE}{ESP}")) + DYNAMIC,
                Some("keeps out NAT traversal (UDP 4500) from anywhere"),
            ),
            (list(&format!("{IKE}{NAT_T}{ESP}")) + DYNAMIC, None),
            (list(" permit ip host 198.51.100.20 any\n") + DYNAMIC, None),
            (
                list(&format!("{NAT_T}{ESP}")),
                Some(
                    "keeps out IKE (UDP 500) from 198.51.100.20 to 203.0.113.2: no line of access list IN permits it",
                ),
            ),
            (
                list(&format!("{IKE}{NAT_T} deny ip any any\n{ESP}")),
                Some("keeps out ESP from 198.51.100.20 to 203.0.113.2: line 10 denies it"),
            ),
            (
                list(" permit tcp any any\n"),
                Some("keeps out IKE (UDP 500), ESP, NAT traversal (UDP 4500) from"),
            ),
            (list(&format!(" deny udp host nowhere any\n{IKE}{NAT_T}{ESP}")), Some("line 8 may deny it")),
            // another list, another interface, another direction
            (HUB.replace("IN in", "IN out") + "ip access-list extended IN\n deny ip any any\n", None),
            (HUB.to_string(), None),
            (list(" deny ip any any\n").replace(" crypto map M\n", ""), None),
            (list(" deny ip any any\n").replace(" crypto map M\n", " shutdown\n crypto map M\n"), None),
        ] {
            let told = told(&text, Code::Starved);
            assert_eq!(told.len(), usize::from(says.is_some()), "{text}: {told:?}");
            if let (Some(says), Some((line, _, message))) = (says, told.first()) {
                assert_eq!(*line, 3, "{text}");
                assert!(message.contains(says), "{message}");
            }
        }
    }

    /// The peers send to the address of another interface.
    #[test]
    fn the_end_of_the_tunnels_may_be_another_interfaces_address() {
        let text = format!(
            "{HUB}crypto map M local-address Loopback0\ninterface Loopback0\n ip address 203.0.113.9 255.255.255.255\n\
             ip access-list extended IN\n permit ip any host 203.0.113.9\n"
        );
        assert_eq!(told(&text, Code::Starved), []);
        let found = told(&text.replace("any host 203.0.113.9", "any host 203.0.113.2"), Code::Starved);
        assert!(found.len() == 1 && found[0].2.contains("to 203.0.113.9"), "{found:?}");
    }

    #[test]
    fn a_line_that_cannot_be_applied_exactly_is_told_of_lists_in_use() {
        let lists = "ip access-list extended L\n permit ip host nowhere any\n deny tcp any host nowhere\n permit ip any any\n";
        for (user, becomes) in [
            (
                "interface FastEthernet0/0\n ip access-group L out\n",
                ["lets nothing through", "drops whatever"],
            ),
            (
                "crypto map M 10 ipsec-isakmp\n set ip access-group L in\n",
                ["lets nothing through", "drops whatever"],
            ),
            ("ip nat inside source list L interface FastEthernet0/0\n", ["not forwarded", "not forwarded"]),
            (
                "route-map R permit 10\n match ip address L\ninterface FastEthernet0/0\n ip policy route-map R\n",
                ["not forwarded", "not forwarded"],
            ),
        ] {
            let found = told(&format!("{lists}{user}"), Code::Unsupported);
            let lines: Vec<_> = found.iter().map(|(line, ..)| *line).collect();
            assert_eq!(lines, [2, 3], "{user}: {found:?}");
            for ((_, _, message), becomes) in found.iter().zip(becomes) {
                assert!(message.contains(becomes), "{message}");
            }
        }
        assert_eq!(
            told(&format!("{lists}route-map R permit 10\n match ip address L\n"), Code::Unsupported),
            []
        );
        // what was not understood
        let unread = "access-list 101 deny bogus\naccess-list 101 permit ip any any\ninterface FastEthernet0/0\n ip access-group 101 in\n";
        let found = told(unread, Code::Unsupported);
        assert!(found.len() == 1 && found[0].0 == 1 && found[0].2.contains("drops whatever"), "{found:?}");
    }

    #[test]
    fn packets_that_are_not_marked_are_told() {
        let text = "route-map R permit 10\n set ip precedence critical\n set ip next-hop 10.1.1.1\n\
                    interface FastEthernet0/0\n ip policy route-map R\n";
        let found = told(text, Code::Unsupported);
        assert!(found.len() == 1 && found[0].2.contains("`set ip precedence critical`"), "{found:?}");
        assert!(crate::unenforced(&crate::parse(text)).is_empty());
    }

    /// Only the release that leaves it open is told, once.
    #[test]
    fn a_release_that_may_filter_twice_is_told() {
        let text = |version: &str| {
            format!(
                "version {version}\ncrypto map M 10 ipsec-isakmp\n set peer 203.0.113.1\n match address 101\n\
                 access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
                 access-list 102 permit ip any any\n\
                 interface FastEthernet0/0\n ip address 203.0.113.2 255.255.255.248\n ip access-group 102 in\n crypto map M\n"
            )
        };
        let said = |version: &str| {
            let told = crate::parse(&text(version)).diagnostics;
            told.into_iter().filter(|told| told.message.contains("12.3(8)T")).count()
        };
        assert_eq!((said("12.2"), said("12.3"), said("12.4"), said("15.7")), (0, 1, 0, 0));
    }
}
