//! What a line of an access list says of a packet, as tests of nftables: a line becomes one rule or
//! several, each of which is true of packets that the line means.

use crate::guard::ranges::{self, Range};
use hubward_config::acl::{networks, services};
use hubward_config::model::{
    AclAddress, AclConditions, AclHeader, AclOption, AclProtocol, AclRule, Config, Moment, NetworkObject,
    Numbers, ServicePorts, ServiceProtocol, TcpMatch, Wildcard,
};
use std::net::Ipv4Addr;

/// Rules of one line; of more, the line would cost every packet too much, and it is closed.
const MOST: usize = 512;

/// A side of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Any,
    /// These addresses; the ranges do not overlap.
    In(Vec<Range>),
    /// An address with don't-care bits that are no prefix: the bits that count, and their values.
    Bits(Ipv4Addr, Ipv4Addr),
}

/// What becomes of a line of which not everything is known, or can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It means fewer packets: a filter permits them.
    Narrower,
    /// It means more packets: a filter denies them.
    Wider,
    /// It is closed as a whole: packets are chosen by it.
    Closed,
}

/// What one rule asks of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) source: Side,
    pub(super) destination: Side,
    /// IP protocol.
    pub(super) protocol: Option<u8>,
    /// Empty: any.
    pub(super) source_ports: Vec<(u16, u16)>,
    /// Empty: any.
    pub(super) destination_ports: Vec<(u16, u16)>,
    /// Other tests, as text.
    pub(super) rest: String,
}

impl Match {
    /// Every packet.
    pub(super) const fn everything() -> Self {
        Self {
            source: Side::Any,
            destination: Side::Any,
            protocol: None,
            source_ports: Vec::new(),
            destination_ports: Vec::new(),
            rest: String::new(),
        }
    }

    /// The tests, as text that a verdict follows.
    pub(super) fn text(&self) -> String {
        let mut tests = Vec::new();
        tests.extend(side("ip saddr", &self.source));
        tests.extend(side("ip daddr", &self.destination));
        tests.extend(self.protocol.map(|number| format!("ip protocol {number}")));
        tests.extend(ports("th sport", &self.source_ports));
        tests.extend(ports("th dport", &self.destination_ports));
        tests.extend((!self.rest.is_empty()).then(|| self.rest.clone()));
        tests.join(" ")
    }
}

fn side(name: &str, side: &Side) -> Option<String> {
    match side {
        Side::Any => None,
        Side::In(these) => Some(format!("{name} {}", set(these.iter().map(|range| ranges::told(*range))))),
        Side::Bits(mask, value) => Some(format!("{name} & {mask} == {value}")),
    }
}

fn ports(name: &str, these: &[(u16, u16)]) -> Option<String> {
    let told = |(first, last): &(u16, u16)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    (!these.is_empty()).then(|| format!("{name} {}", set(these.iter().map(told))))
}

/// One value, or several in braces.
pub(super) fn set(values: impl Iterator<Item = String>) -> String {
    let values: Vec<_> = values.collect();
    match values.as_slice() {
        [one] => one.clone(),
        more => format!("{{ {} }}", more.join(", ")),
    }
}

/// The rules of a `permit` or `deny` line at a moment; `None`: it says what nftables cannot ask, or
/// what is not known, and is closed as a whole.
pub(super) fn of_line(
    config: &Config,
    rule: &AclRule,
    moment: Moment,
    unknown: Unknown,
) -> Option<Vec<Match>> {
    if let Some(name) = &rule.only.time_range {
        let range = config.time_range(name).filter(|range| range.is_known());
        match (range.map(|range| range.contains(moment)), unknown) {
            (Some(true), _) | (None, Unknown::Wider) => {}
            (Some(false), _) | (None, Unknown::Narrower) => return Some(Vec::new()),
            (None, Unknown::Closed) => return None,
        }
    }
    let conditions = match (conditions(&rule.only), unknown) {
        (Some(conditions), _) => conditions,
        (None, Unknown::Narrower) => return Some(Vec::new()),
        (None, Unknown::Wider) => String::new(),
        (None, Unknown::Closed) => return None,
    };
    let source = address(config, &rule.source, unknown)?;
    let destination = address(config, &rule.destination, unknown)?;
    // what comes of nobody, or goes to nobody, is no packet
    if [&source, &destination].into_iter().any(|side| matches!(side, Side::In(none) if none.is_empty())) {
        return Some(Vec::new());
    }
    let mut found = Vec::new();
    for (protocol, from, to, header) in protocols(config, rule, unknown)? {
        let (Some(from), Some(to)) = (numbers(from), numbers(to)) else { continue };
        for header in header.map_or_else(|| vec![String::new()], self::header) {
            let rest: Vec<&str> =
                [header.as_str(), conditions.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
            found.push(Match {
                source: source.clone(),
                destination: destination.clone(),
                protocol,
                source_ports: from.clone(),
                destination_ports: to.clone(),
                rest: rest.join(" "),
            });
        }
    }
    (found.len() <= MOST).then_some(found)
}

/// The ports of a comparison, empty for any; `None`: no port fits.
fn numbers(numbers: Option<&Numbers<u16>>) -> Option<Vec<(u16, u16)>> {
    let ranges = numbers.map(Numbers::ranges).unwrap_or_default();
    (numbers.is_none() || !ranges.is_empty()).then_some(ranges)
}

/// The addresses of a side; `None`: they are not known.
pub(super) fn address(config: &Config, side: &AclAddress, if_unknown: Unknown) -> Option<Side> {
    match side {
        AclAddress::V4(Wildcard::ANY) => Some(Side::Any),
        AclAddress::V4(wildcard) => Some(match wildcard.prefix() {
            Some(net) => Side::In(vec![ranges::of(net)]),
            None => Side::Bits(Ipv4Addr::from(!u32::from(wildcard.wildcard)), wildcard.address),
        }),
        AclAddress::Group(name) => {
            let (members, unknown) = networks(config, name);
            match if_unknown {
                Unknown::Wider if unknown.is_some() => return Some(Side::Any),
                Unknown::Closed if unknown.is_some() => return None,
                _ => {}
            }
            let ranges = members.iter().filter_map(|member| match member {
                NetworkObject::Net(net) => Some(ranges::of(*net)),
                NetworkObject::Range(first, last) => Some((*first, *last)),
                NetworkObject::Group(_) | NetworkObject::Name(_) | NetworkObject::Unread => None,
            });
            let ranges = ranges::disjoint(ranges);
            let all = ranges.as_slice() == [(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST)];
            Some(if all { Side::Any } else { Side::In(ranges) })
        }
        AclAddress::V6(_) | AclAddress::Name(_) => match if_unknown {
            Unknown::Narrower => Some(Side::In(Vec::new())),
            Unknown::Wider => Some(Side::Any),
            Unknown::Closed => None,
        },
    }
}

type Protocol<'c> = (Option<u8>, Option<&'c Numbers<u16>>, Option<&'c Numbers<u16>>, Option<&'c AclHeader>);

/// The protocols of a line with their ports and headers.
fn protocols<'c>(config: &'c Config, rule: &'c AclRule, if_unknown: Unknown) -> Option<Vec<Protocol<'c>>> {
    let own = (rule.source_ports.as_ref(), rule.destination_ports.as_ref(), rule.header.as_ref());
    match &rule.protocol {
        AclProtocol::Any => Some(vec![(None, own.0, own.1, own.2)]),
        AclProtocol::Number(number) => Some(vec![(Some(*number), own.0, own.1, own.2)]),
        AclProtocol::Services(name) => {
            let (services, unknown) = services(config, name);
            match if_unknown {
                Unknown::Wider if unknown.is_some() => return Some(vec![(None, None, None, None)]),
                Unknown::Closed if unknown.is_some() => return None,
                _ => {}
            }
            Some(services.into_iter().flat_map(of_service).collect())
        }
    }
}

fn of_service(service: &ServicePorts) -> Vec<Protocol<'_>> {
    let of =
        |number| (number, service.source.as_ref(), service.destination.as_ref(), service.header.as_ref());
    match service.protocol {
        ServiceProtocol::Any => vec![of(None)],
        ServiceProtocol::Number(number) => vec![of(Some(number))],
        ServiceProtocol::TcpUdp => vec![of(Some(6)), of(Some(17))],
    }
}

/// What a line asks of the header behind that of IP; alternatives.
fn header(header: &AclHeader) -> Vec<String> {
    match header {
        AclHeader::Icmp(kind, None) => vec![format!("icmp type {kind}")],
        AclHeader::Icmp(kind, Some(code)) => vec![format!("icmp type {kind} icmp code {code}")],
        AclHeader::Igmp(kind) => vec![format!("@th,0,8 & 0xf == {kind}")],
        AclHeader::Established => vec!["tcp flags & (rst | ack) != 0".to_owned()],
        AclHeader::Flags(any) => vec![format!("tcp flags & {} != 0", any.0)],
        AclHeader::MatchAll(TcpMatch { set, clear }) => {
            vec![format!("tcp flags & {} == {}", set.0 | clear.0, set.0)]
        }
        AclHeader::MatchAny(TcpMatch { set, clear }) => {
            let set = (set.0 != 0).then(|| format!("tcp flags & {} != 0", set.0));
            // one of them is clear: not all are set
            let clear = (clear.0 != 0).then(|| format!("tcp flags & {} != {}", clear.0, clear.0));
            set.into_iter().chain(clear).collect()
        }
    }
}

/// What a line asks of the IP header; `None`: what nftables cannot ask.
fn conditions(only: &AclConditions) -> Option<String> {
    let AclConditions { dscp, precedence, tos, option, fragments, ttl, time_range: _, ipv6 } = only;
    let mut tests = Vec::new();
    tests.extend(dscp.map(|dscp| format!("ip dscp {dscp}")));
    tests.extend(precedence.map(|precedence| format!("@nh,8,8 & 0xe0 == {}", precedence << 5)));
    tests.extend(tos.map(|tos| format!("@nh,8,8 & 0x1e == {}", tos << 1)));
    match option {
        None => {}
        Some(AclOption::Any) => tests.push("ip hdrlength > 5".into()),
        Some(AclOption::Number(_)) => return None,
    }
    if *fragments {
        tests.push("ip frag-off & 0x1fff != 0".into());
    }
    if let Some(ttl) = ttl {
        let told = |(first, last): (u8, u8)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        let ranges = ttl.ranges();
        if ranges.is_empty() {
            return None;
        }
        tests.push(format!("ip ttl {}", set(ranges.into_iter().map(told))));
    }
    ipv6.is_empty().then(|| tests.join(" "))
}
