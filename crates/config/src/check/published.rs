//! Static translations that take what is meant for another: IKE and ESP of this router's own
//! address, and what another line publishes already.

use super::nat::front;
use super::say::say;
use crate::command::In;
use crate::command::table::{Lookup, lookup_named};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::form::words;
use crate::model::{Addressing, Config, Interface, NatGlobal, NatRule, StaticNat, StaticNatPair};
use crate::parsed::Parsed;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

const UDP: u8 = 17;
const IKE: [u16; 2] = [500, 4500];

pub(super) fn check(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    let config = &parsed.config;
    let fixed = || {
        config.nat.rules.iter().filter_map(|rule| match rule {
            NatRule::Static(rule) => Some(rule),
            NatRule::Dynamic(_) => None,
        })
    };
    let mut published: BTreeMap<_, &StaticNat> = BTreeMap::new();
    for rule in fixed() {
        of_router(parsed, rule, found);
        // route maps may choose between two
        let Some((key, local)) = place(config, rule).filter(|_| rule.route_map.is_none()) else { continue };
        match published
            .get(&key)
            .copied()
            .filter(|first| place(config, first).is_some_and(|(_, own)| own != local))
        {
            Some(first) => {
                let message = format!(
                    "`{}` publishes for {local} what `{}` in line {} publishes for another host: a router refuses it, a similar static entry already exists, and here the first line counts",
                    front(parsed, rule.line),
                    front(parsed, first.line),
                    first.line
                );
                say(
                    found,
                    Severity::Warning,
                    Code::Overlap,
                    rule.line,
                    message,
                    "remove one of the two lines",
                );
            }
            None => drop(published.entry(key).or_insert(rule)),
        }
    }
    let mut hosts: BTreeMap<Ipv4Addr, &StaticNat> = BTreeMap::new();
    for rule in fixed().filter(|rule| rule.route_map.is_none()) {
        let StaticNatPair::Host { local, global } = &rule.what else { continue };
        let Some(first) = hosts.get(local).copied() else {
            hosts.insert(*local, rule);
            continue;
        };
        if !extended(first, rule) && !first.is_of(global) {
            let message = format!(
                "`{}` gives {local} a second address beside that of line {}, without `extendable`: a router refuses it, a similar static entry already exists, and here the host's packets leave with the first",
                front(parsed, rule.line),
                first.line
            );
            let remedy = "add `extendable` to both lines, or remove one";
            say(found, Severity::Warning, Code::Overlap, rule.line, message, remedy);
        }
    }
    replaced(parsed, found);
}

/// Dynamic rules that a later one for the same list or route map replaced.
fn replaced(parsed: &Parsed, found: &mut Vec<Diagnostic>) {
    const RULE: &str = "ip nat inside source ";
    let mut last: BTreeMap<String, (u32, &str)> = BTreeMap::new();
    for (line, number) in parsed.document.lines.iter().zip(1_u32..) {
        let (is_negated, text) = match line.spelled.strip_prefix("no ") {
            Some(rest) => (true, rest),
            None => (false, line.spelled.as_str()),
        };
        let Some(rest) = text.strip_prefix(RULE).filter(|_| line.under.is_none()) else { continue };
        let selects: Vec<&str> = rest.split_whitespace().take(2).collect();
        // a line that is not understood is no rule, and replaces none
        let is_rule = || matches!(lookup_named(In::Global, &words(text), is_negated), Lookup::Command(..));
        if !matches!(selects.first(), Some(&("list" | "route-map"))) || !is_rule() {
            continue;
        }
        let selects = selects.join(" ");
        if is_negated {
            last.remove(&selects);
            continue;
        }
        if let Some((first, other)) =
            last.insert(selects.clone(), (number, text)).filter(|(_, one)| *one != text)
        {
            let message = format!(
                "`{}` is replaced by line {number}: of a {selects} one rule counts, the last",
                crate::secret::shown(other)
            );
            say(found, Severity::Warning, Code::Overlap, first, message, "remove one of the two lines");
        }
    }
}

/// Whether a host may have two addresses.
const fn extended(one: &StaticNat, other: &StaticNat) -> bool {
    one.extendable || other.extendable
}

/// What IOS says of a static translation beside one that it contradicts.
pub(crate) fn similar(config: &Config, rule: &StaticNat) -> Option<String> {
    if rule.route_map.is_some() {
        return None;
    }
    let own = place(config, rule);
    let others = config.nat.rules.iter().filter_map(|other| match other {
        NatRule::Static(other) if other != rule && other.route_map.is_none() => Some(other),
        NatRule::Static(_) | NatRule::Dynamic(_) => None,
    });
    let other = others.into_iter().find(|other| {
        let same_place = place(config, other)
            .zip(own.as_ref())
            .is_some_and(|((key, local), own)| key == own.0 && local != own.1);
        let same_host = match (&rule.what, &other.what) {
            (StaticNatPair::Host { local, global }, StaticNatPair::Host { local: first, .. }) => {
                local == first && !other.is_of(global) && !extended(rule, other)
            }
            _ => false,
        };
        same_place || same_host
    })?;
    let told = |global: &NatGlobal| match global {
        NatGlobal::Address(address) => address.to_string(),
        NatGlobal::Interface(name) => name.clone(),
    };
    let pair = match &other.what {
        StaticNatPair::Host { local, global } => format!("{local} -> {}", told(global)),
        StaticNatPair::Port { local, local_port, global, global_port, .. } => {
            format!("{local}:{local_port} -> {}:{global_port}", told(global))
        }
        StaticNatPair::Network { .. } => return None,
    };
    Some(format!("similar static entry ({pair}) already exists"))
}

impl StaticNat {
    /// Whether a host's translation gives it this address.
    fn is_of(&self, address: &NatGlobal) -> bool {
        matches!(&self.what, StaticNatPair::Host { global, .. } if global == address)
    }
}

/// Where a host is published: the address, or its interface, and protocol and port; then the host
/// and its port.
type Place = (Result<Ipv4Addr, String>, Option<(u8, u16)>);

fn place(config: &Config, rule: &StaticNat) -> Option<(Place, String)> {
    let at = |global: &NatGlobal| match global {
        NatGlobal::Address(address) => Ok(*address),
        NatGlobal::Interface(name) => {
            let interface = config.interfaces.iter().find(|one| one.name == *name);
            interface.and_then(address).ok_or_else(|| name.clone())
        }
    };
    match &rule.what {
        StaticNatPair::Host { local, global } => Some(((at(global), None), local.to_string())),
        StaticNatPair::Port { protocol, local, local_port, global, global_port } => {
            Some(((at(global), Some((*protocol, *global_port))), format!("{local} port {local_port}")))
        }
        StaticNatPair::Network { .. } => None,
    }
}

fn address(interface: &Interface) -> Option<Ipv4Addr> {
    let Addressing::Static(nets) = &interface.address else { return None };
    nets.iter().find_map(|net| match net {
        IpNet::V4(net) => Some(net.addr()),
        IpNet::V6(_) => None,
    })
}

/// What comes for IKE and ESP of an interface with a crypto map stays with this router.
fn of_router(parsed: &Parsed, rule: &StaticNat, found: &mut Vec<Diagnostic>) {
    let has = |global: &Ipv4Addr, interface: &Interface| address(interface) == Some(*global);
    let is_at = |interface: &&Interface| match &rule.what {
        StaticNatPair::Host { global, .. } | StaticNatPair::Port { global, .. } => match global {
            NatGlobal::Address(global) => has(global, interface),
            NatGlobal::Interface(name) => interface.name == *name,
        },
        StaticNatPair::Network { global, .. } => {
            address(interface).is_some_and(|address| global.contains(&address))
        }
    };
    let mut bearers = parsed.config.interfaces.iter().filter(|one| one.crypto_map.is_some() && !one.shutdown);
    let Some((interface, map)) =
        bearers.find(is_at).and_then(|one| Some((&one.name, one.crypto_map.as_ref()?)))
    else {
        return;
    };
    let line = front(parsed, rule.line);
    match &rule.what {
        StaticNatPair::Port { protocol, global_port, .. } => {
            if *protocol != UDP || !IKE.contains(global_port) {
                return;
            }
            let message = format!(
                "`{line}` publishes UDP {global_port} of {interface}, where crypto map {map} needs it: a router's tunnels end, and here the line translates nothing that comes from outside"
            );
            let remedy =
                "publish it by another address, or let the host behind this router use NAT traversal";
            say(found, Severity::Warning, Code::Overlap, rule.line, message, remedy);
        }
        StaticNatPair::Host { .. } | StaticNatPair::Network { .. } => {
            let message = format!(
                "`{line}` publishes a host by the address of {interface} with crypto map {map}: a router's tunnels end, and here UDP 500, UDP 4500 and ESP (protocol 50) stay with this router, and all else is for the host, SSH too"
            );
            let remedy = "publish the ports that the host needs, one by one, or give it another address";
            say(found, Severity::Warning, Code::Overlap, rule.line, message, remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    const BASE: &str = "\
crypto map M 10 ipsec-isakmp
 set peer 198.51.100.20
 match address 101
access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
interface FastEthernet0/0
 ip address 203.0.113.2 255.255.255.248
 ip nat outside
 crypto map M
interface FastEthernet0/1
 ip address 10.1.0.1 255.255.0.0
 ip nat inside
";

    fn told(lines: &str) -> Vec<String> {
        let told = crate::parse(&format!("{BASE}{lines}")).diagnostics;
        told.into_iter().filter(|told| told.code == Code::Overlap).map(|told| told.message).collect()
    }

    #[test]
    fn what_takes_ike_of_this_router_is_told() {
        for (line, says) in [
            ("udp 10.1.0.9 500 203.0.113.2 500", Some("UDP 500 of FastEthernet0/0")),
            ("udp 10.1.0.9 4500 interface FastEthernet0/0 4500", Some("UDP 4500 of FastEthernet0/0")),
            ("10.1.0.9 203.0.113.2", Some("ESP (protocol 50) stay")),
            ("10.1.0.9 interface FastEthernet0/0", Some("crypto map M")),
            ("network 10.1.9.0 203.0.113.0 /29", Some("crypto map M")),
            ("udp 10.1.0.9 500 203.0.113.3 500", None),
            ("tcp 10.1.0.9 500 203.0.113.2 500", None),
            ("tcp 10.1.0.9 80 203.0.113.2 80", None),
            ("10.1.0.9 203.0.113.3", None),
        ] {
            let found = told(&format!("ip nat inside source static {line}\n"));
            match says {
                Some(says) => assert!(found.len() == 1 && found[0].contains(says), "{line}: {found:?}"),
                None => assert_eq!(found, [""; 0], "{line}"),
            }
        }
    }

    #[test]
    fn a_dynamic_rule_that_another_replaced_is_told() {
        let to_pool = "ip nat inside source list 101 pool P\n";
        let to_interface = "ip nat inside source list 101 interface FastEthernet0/0 overload\n";
        for (lines, is_told) in [
            (format!("{to_pool}{to_interface}"), true),
            (format!("{to_pool}{to_pool}"), false),
            (format!("{to_pool}no {to_pool}{to_interface}"), false),
            (format!("{to_pool}{}", to_interface.replace("101", "102")), false),
            // a line that is not understood replaces none
            (format!("{to_pool}{}", to_interface.replace("overload", "overlaod")), false),
        ] {
            let found = told(&lines);
            let is_it = |one: &String| one.contains("list 101 pool P` is replaced by line 13");
            assert_eq!(found.iter().any(is_it), is_told, "{lines}: {found:?}");
        }
    }

    #[test]
    fn what_is_published_twice_is_told() {
        let pair = |one: &str, other: &str| {
            told(&format!("ip nat inside source static {one}\nip nat inside source static {other}\n"))
        };
        for (one, other) in [
            ("10.1.0.9 203.0.113.3", "10.1.0.10 203.0.113.3"),
            ("10.1.0.9 203.0.113.3", "10.1.0.9 203.0.113.4"),
            ("tcp 10.1.0.9 80 203.0.113.3 80", "tcp 10.1.0.9 81 203.0.113.3 80 extendable"),
            ("tcp 10.1.0.9 80 203.0.113.2 80", "tcp 10.1.0.10 80 interface FastEthernet0/0 80"),
        ] {
            let found = pair(one, other);
            assert!(found.len() == 1 && found[0].contains("similar static entry"), "{one}: {found:?}");
        }
        for (one, other) in [
            ("tcp 10.1.0.9 80 203.0.113.3 80", "udp 10.1.0.10 80 203.0.113.3 80"),
            ("tcp 10.1.0.9 80 203.0.113.3 80", "tcp 10.1.0.10 80 203.0.113.3 81"),
            ("tcp 10.1.0.9 80 203.0.113.3 80 route-map R", "tcp 10.1.0.10 80 203.0.113.3 80"),
            ("10.1.0.9 203.0.113.3", "tcp 10.1.0.9 80 203.0.113.3 8080"),
            ("10.1.0.9 203.0.113.3 extendable", "10.1.0.9 203.0.113.4 extendable"),
            ("10.1.0.9 203.0.113.3 route-map R", "10.1.0.9 203.0.113.4 route-map S"),
        ] {
            assert_eq!(pair(one, other), [""; 0], "{one}");
        }
    }
}
