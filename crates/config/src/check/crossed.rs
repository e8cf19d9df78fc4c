//! Crypto access lists that take each other's packets, are written the wrong way round, or select
//! the tunnel itself.

use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{Acl, Addressing, Config, CryptoMap, Interface, MapEntry};
use crate::nets::Nets;
use crate::verdict::{Flow, closes_more, selected};
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

/// A static entry of a crypto map with what its list selects.
pub(super) struct Selecting<'c> {
    pub(super) map: &'c CryptoMap,
    pub(super) entry: &'c MapEntry,
    pub(super) flows: Rc<Vec<Flow>>,
}

impl Selecting<'_> {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.map.name, self.entry.sequence)
    }
}

/// The static entries of the maps whose lists are read whole, by map in the order of their numbers.
pub(super) fn selecting(config: &Config) -> Vec<Selecting<'_>> {
    let acls: BTreeMap<&str, &Acl> = config.acls.iter().map(|acl| (acl.name.as_str(), acl)).collect();
    // several entries may name a list
    let mut read: BTreeMap<&str, Option<Rc<Vec<Flow>>>> = BTreeMap::new();
    let mut out = Vec::new();
    for map in &config.maps {
        let mut entries: Vec<_> = map.entries.iter().filter(|entry| entry.dynamic.is_none()).collect();
        entries.sort_by_key(|entry| entry.sequence);
        for entry in entries {
            let list = entry.terms.acl.as_ref().and_then(|name| acls.get(name.as_str()));
            let flows = list.and_then(|acl| {
                let flows = || selected(config, acl).filter(|flows| !flows.is_empty()).map(Rc::new);
                read.entry(acl.name.as_str()).or_insert_with(flows).clone()
            });
            out.extend(flows.map(|flows| Selecting { map, entry, flows }));
        }
    }
    out
}

/// Lists of crypto maps of which more may be made unreachable than they select.
fn cut_short(config: &Config, found: &mut Vec<Diagnostic>) {
    let entries = config.maps.iter().flat_map(|map| &map.entries);
    let named: BTreeSet<&str> = entries.filter_map(|entry| entry.terms.acl.as_deref()).collect();
    let lists = config.acls.iter().filter(|acl| named.contains(acl.name.as_str()));
    for acl in lists.filter(|acl| closes_more(config, acl)) {
        let message = format!(
            "the deny lines of access list {} cut the others into so many networks that not all of them count: without its tunnel, more is unreachable than the tunnel carried",
            acl.name
        );
        let remedy = "permit only the networks of the tunnel, so that fewer lines deny";
        say(found, Severity::Notice, Code::Overlap, acl.line, message, remedy);
    }
}

/// Whether two networks have an address in common.
pub(super) fn meet(one: IpNet, other: IpNet) -> bool {
    one.contains(&other) || other.contains(&one)
}

pub(super) fn check(config: &Config, found: &mut Vec<Diagnostic>) {
    cut_short(config, found);
    let all = selecting(config);
    let mut of_map: BTreeMap<&str, Vec<&Selecting<'_>>> = BTreeMap::new();
    for one in &all {
        of_map.entry(one.map.name.as_str()).or_default().push(one);
    }
    for own in config.maps.iter().filter_map(|map| of_map.get(map.name.as_str())) {
        overlaps(own, found);
    }
    let inside = config
        .interfaces
        .iter()
        .filter(|one| one.crypto_map.is_none() && !one.shutdown && one.vrf.is_none())
        .flat_map(nets);
    let ours = Ours {
        addresses: config
            .interfaces
            .iter()
            .rev()
            .flat_map(|interface| nets(interface).iter().map(move |net| (net.addr(), interface)))
            .collect(),
        inside: Nets::new(inside.map(|net| (*net, ()))),
        // a network behind a router of ours
        routed: Nets::new(
            config
                .routes
                .iter()
                .filter(|route| route.destination.prefix_len() > 0)
                .map(|route| (route.destination, ())),
        ),
    };
    let mut outside: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
    for bearer in config.interfaces.iter().filter(|bearer| !bearer.shutdown) {
        if let Some(map) = &bearer.crypto_map {
            outside.entry(map.as_str()).or_default().extend(nets(bearer).iter().map(IpNet::addr));
        }
    }
    let nowhere = BTreeSet::new();
    for one in &all {
        own_peer(&ours, one, found);
        itself(one, outside.get(one.map.name.as_str()).unwrap_or(&nowhere), found);
        reversed(&ours, one, found);
    }
}

/// What is this router's, as it is looked up.
struct Ours<'c> {
    /// Its addresses.
    addresses: BTreeMap<IpAddr, &'c Interface>,
    /// The networks of interfaces without a crypto map.
    inside: Nets<()>,
    /// Where static routes lead.
    routed: Nets<()>,
}

/// The networks of an interface, if it has its addresses by the configuration.
pub(super) fn nets(interface: &Interface) -> &[IpNet] {
    match &interface.address {
        Addressing::Static(nets) => nets,
        Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => &[],
    }
}

/// A flow of an entry, by its place among them.
#[derive(Clone, Copy)]
struct Of {
    flow: Flow,
    entry: usize,
}

/// What an earlier entry of the map takes from a later one. A narrower list before a wider one is
/// how it should be.
fn overlaps(own: &[&Selecting<'_>], found: &mut Vec<Diagnostic>) {
    let of = |(entry, one): (usize, &&Selecting<'_>)| {
        one.flows.iter().map(move |flow| Of { flow: *flow, entry }).collect::<Vec<_>>()
    };
    let mut flows: Vec<_> = own.iter().enumerate().flat_map(of).collect();
    // a network comes directly behind those that contain it
    flows.sort_by_key(|one| (one.flow.1.network(), one.flow.1.prefix_len()));
    let mut around: Vec<Of> = Vec::new();
    let mut told: BTreeMap<(usize, bool), BTreeSet<usize>> = BTreeMap::new();
    let mut compared = 0_usize;
    for one in flows {
        while around.pop_if(|wide| !wide.flow.1.contains(&one.flow.1)).is_some() {}
        compared += around.len();
        if compared > COMPARED {
            not_compared(own, found);
            return;
        }
        for wide in around.iter().filter(|wide| wide.entry != one.entry && meet(wide.flow.0, one.flow.0)) {
            let (first, later) = if wide.entry < one.entry { (wide, &one) } else { (&one, wide) };
            let inside = |outer: Flow, inner: Flow| outer.0.contains(&inner.0) && outer.1.contains(&inner.1);
            let narrower = inside(later.flow, first.flow) && later.flow != first.flow;
            let (Some(before), Some(behind)) = (own.get(first.entry), own.get(later.entry)) else { continue };
            let same_peers = before.entry.peers == behind.entry.peers;
            if narrower || same_peers && !inside(first.flow, later.flow) {
                continue;
            }
            // some that take its packets are enough to say of an entry
            let takers = told.entry((later.entry, same_peers)).or_default();
            if takers.len() >= TAKERS || !takers.insert(first.entry) {
                continue;
            }
            let narrow = |one: IpNet, other: IpNet| if one.contains(&other) { other } else { one };
            let (from, to) = (narrow(first.flow.0, later.flow.0), narrow(first.flow.1, later.flow.1));
            let (number, sequence) = (behind.name(), before.entry.sequence);
            let (severity, message) = match same_peers {
                true => (
                    Severity::Notice,
                    format!(
                        "crypto map {number} is not used for {from} to {to}: entry {sequence} to the same peer selects it first"
                    ),
                ),
                false => (
                    Severity::Warning,
                    format!(
                        "packets from {from} to {to} go to the peer of entry {sequence} and not to that of crypto map {number}: both access lists select them"
                    ),
                ),
            };
            let remedy =
                "give each peer networks of its own, or the entry with the narrower list the lower number";
            say(found, severity, Code::Overlap, behind.entry.line, message, remedy);
        }
        around.push(one);
    }
}

/// Entries that are named of those that take packets from one: of those to the same peer, and of
/// those to others.
const TAKERS: usize = 2;

/// Pairs of lines that are compared: where more overlap, nobody reads what is said of them.
const COMPARED: usize = 4_000_000;

fn not_compared(own: &[&Selecting<'_>], found: &mut Vec<Diagnostic>) {
    let Some(first) = own.first() else { return };
    let message = format!(
        "the access lists of crypto map {} overlap so often that not all of them were compared",
        first.map.name
    );
    let remedy = "give each peer networks of its own";
    say(found, Severity::Notice, Code::Overlap, first.entry.line, message, remedy);
}

/// A peer that is an address of this router.
fn own_peer(ours: &Ours<'_>, one: &Selecting<'_>, found: &mut Vec<Diagnostic>) {
    for peer in &one.entry.peers {
        if let Some(interface) = ours.addresses.get(peer) {
            let message = format!(
                "the peer {peer} of crypto map {} is this router's own {}: there is nobody to negotiate with",
                one.name(),
                interface.name
            );
            let remedy = "set the address of the other end";
            say(found, Severity::Warning, Code::Misdirected, one.entry.line, message, remedy);
        }
    }
}

/// A list that selects what this router sends to the peer itself: the tunnel's own packets.
fn itself(one: &Selecting<'_>, outside: &BTreeSet<IpAddr>, found: &mut Vec<Diagnostic>) {
    let covers = |net: &IpNet, addresses: &BTreeSet<IpAddr>| {
        addresses.range(net.network()..=net.broadcast()).next().is_some()
    };
    let peers = one.entry.peers.iter().copied().collect();
    let own = one.flows.iter().find(|(from, to)| covers(from, outside) && covers(to, &peers));
    if let Some((from, to)) = own {
        let message = format!(
            "crypto map {} selects {from} to {to}, and with it what this router sends to its peer: the tunnel's own packets",
            one.name()
        );
        let remedy = "select only the networks behind this router and behind the peer";
        say(found, Severity::Warning, Code::Misdirected, one.entry.line, message, remedy);
    }
}

/// A list that selects packets to this router's own networks, from elsewhere: the peer's list.
fn reversed(ours: &Ours<'_>, one: &Selecting<'_>, found: &mut Vec<Diagnostic>) {
    let is_reversed = |(from, to): &&Flow| {
        from.prefix_len() > 0
            && to.prefix_len() > 0
            && ours.inside.meets(*to)
            && !ours.inside.meets(*from)
            && !ours.routed.meets(*from)
    };
    if let Some((from, to)) = one.flows.iter().find(is_reversed) {
        let message = format!(
            "crypto map {} selects packets from {from} to {to}, which is this router's own network: source and destination seem to be reversed",
            one.name()
        );
        let remedy = "name this router's network first, and the peer's behind it";
        say(found, Severity::Warning, Code::Misdirected, one.entry.line, message, remedy);
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Code, Severity};

    /// Two entries with these lists, and what is said of them.
    fn told(first: &str, second: &str, peers: [&str; 2]) -> Vec<(Code, Severity, u32)> {
        let [one, other] = peers;
        let text = format!(
            "ip access-list extended A\n {first}\nip access-list extended B\n {second}\n\
             crypto map M 10 ipsec-isakmp\n set peer {one}\n match address A\n\
             crypto map M 20 ipsec-isakmp\n set peer {other}\n match address B\n\
             interface FastEthernet0/0\n ip address 203.0.113.2 255.255.255.248\n crypto map M\n\
             interface FastEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n"
        );
        let lines = first.matches('\n').count() + second.matches('\n').count();
        let told = crate::parse(&text).diagnostics;
        let told = told.iter().filter(|told| matches!(told.code, Code::Overlap | Code::Misdirected));
        told.map(|told| (told.code, told.severity, told.line - lines as u32)).collect()
    }

    const PEERS: [&str; 2] = ["198.51.100.10", "198.51.100.20"];
    const SAME: [&str; 2] = ["198.51.100.10", "198.51.100.10"];

    fn ip(from: &str, to: &str) -> String {
        let mask = |net: &str| match net.split('.').nth(2) {
            Some("0") => "0.0.255.255",
            _ => "0.0.0.255",
        };
        format!("permit ip {from} {} {to} {}", mask(from), mask(to))
    }

    #[test]
    fn a_list_that_takes_what_another_peer_should_get_is_told() {
        let wide = ip("10.1.1.0", "10.2.0.0");
        let narrow = ip("10.1.1.0", "10.2.5.0");
        let warning = vec![(Code::Overlap, Severity::Warning, 8)];
        assert_eq!(told(&wide, &narrow, PEERS), warning);
        assert_eq!(told(&narrow, &wide, PEERS), [], "the narrower one comes first");
        assert_eq!(told(&narrow, &narrow, PEERS), warning);
        assert_eq!(told(&narrow, &narrow, SAME), [(Code::Overlap, Severity::Notice, 8)]);
        assert_eq!(told(&narrow, &ip("10.1.1.0", "10.3.0.0"), PEERS), []);
        // each takes a part of the other
        assert_eq!(told(&ip("10.1.0.0", "10.2.5.0"), &wide, PEERS), warning);
        // what the first denies is left to the second
        let but = format!("deny ip 10.1.1.0 0.0.0.255 10.2.5.0 0.0.0.255\n {wide}");
        assert_eq!(told(&but, &narrow, PEERS), []);
        // of lines that say more than addresses, it is not known
        assert_eq!(
            told(
                "permit gre host 203.0.113.2 host 198.51.100.10",
                "permit gre host 203.0.113.2 host 198.51.100.10",
                PEERS
            ),
            []
        );
    }

    /// What an entry to the same peer takes hides nothing of what goes to another.
    #[test]
    fn packets_for_another_peer_are_told_beside_those_for_the_same() {
        let entry = |sequence: usize, peer: &str, lines: &str| {
            format!(
                "ip access-list extended L{sequence}\n{lines}crypto map M {sequence} ipsec-isakmp\n set peer {peer}\n match address L{sequence}\n"
            )
        };
        let [one, other] = PEERS;
        let (near, far) = (ip("10.1.1.0", "10.2.5.0"), ip("10.1.1.0", "10.3.5.0"));
        let text = entry(10, one, &format!(" {near}\n"))
            + &entry(20, other, &format!(" {far}\n"))
            + &entry(30, one, &format!(" {near}\n {far}\n"));
        let told = crate::parse(&text).diagnostics;
        let told = told.iter().filter(|told| told.code == Code::Overlap);
        let told: Vec<_> = told.map(|told| (told.severity, told.message.as_str())).collect();
        let says = |severity, words: &str| {
            told.iter().any(|(own, text)| *own == severity && text.contains(words) && text.contains("M 30"))
        };
        assert!(says(Severity::Notice, "entry 10 to the same peer"), "{told:?}");
        assert!(says(Severity::Warning, "go to the peer of entry 20"), "{told:?}");
        assert_eq!(told.len(), 2, "{told:?}");
        // however many take them
        let crowd: String = (1..40).map(|number| entry(number, one, &format!(" {near}\n"))).collect();
        let text = crowd + &entry(50, other, &format!(" {near}\n"));
        let told = crate::parse(&text).diagnostics;
        assert!(told.iter().any(|told| told.severity == Severity::Warning && told.message.contains("M 50")));
        assert!(told.iter().filter(|told| told.code == Code::Overlap).count() <= 40 * super::TAKERS);
    }

    #[test]
    fn a_list_that_is_not_followed_to_the_last_line_is_told() {
        let list = |hosts: usize| {
            let deny = (0..hosts).map(|host| format!(" deny ip any host 10.{host}.1.1\n"));
            let list = deny.collect::<String>() + " permit ip any 10.0.0.0 0.255.255.255\n";
            let entry = "crypto map M 10 ipsec-isakmp\n set peer 198.51.100.10\n match address A\n";
            let told = crate::parse(&format!("ip access-list extended A\n{list}{entry}")).diagnostics;
            told.iter().filter(|told| told.message.contains("more is unreachable")).count()
        };
        assert_eq!(list(5), 0);
        assert_eq!(list(90), 1);
    }

    #[test]
    fn a_list_that_is_written_the_wrong_way_round_is_told() {
        let other = ip("10.1.1.0", "10.3.0.0");
        let misdirected = vec![(Code::Misdirected, Severity::Warning, 5)];
        assert_eq!(told(&ip("10.2.0.0", "10.1.1.0"), &other, PEERS), misdirected);
        let unused = (Code::Overlap, Severity::Notice, 8);
        assert_eq!(told("permit ip 10.1.1.0 0.0.0.255 any", &other, SAME), [unused]);
        // the tunnel's own packets
        assert_eq!(told("permit ip any 198.51.100.0 0.0.0.255", &other, PEERS), misdirected);
        assert_eq!(told(&ip("10.1.1.0", "10.2.0.0"), &other, ["203.0.113.2", "198.51.100.20"]), misdirected);
    }
}
