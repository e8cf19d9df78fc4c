//! A line's addresses, protocols and ports, with what its groups contain.

use super::groups::{networks, services};
use super::text::compared;
use crate::model::{
    AclAddress, AclConditions, AclEntry, AclHeader, AclLine, AclProtocol, AclRule, Config, NetworkObject,
    Numbers, ServiceProtocol, Wildcard,
};
use ipnet::Ipv4Subnets;

/// Combinations into which a line is taken apart; one that is more is widened to the network around
/// all of its addresses.
const MOST: usize = 4096;

/// What a line selects.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// `permit` or `deny`.
    pub permit: bool,
    /// The line selects what one of these matches, but for what follows.
    pub patterns: Vec<Pattern>,
    /// What the line says that patterns cannot: it selects fewer packets than they match.
    pub narrower: Option<String>,
    /// What is not known of the line: it may select packets that no pattern matches.
    pub unknown: Option<String>,
}

/// Packets by addresses, protocol and ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// IP protocol; `None` is any.
    pub protocol: Option<u8>,
    /// Source.
    pub source: Wildcard,
    /// Source ports; `None` is any.
    pub source_ports: Option<PortRange>,
    /// Destination.
    pub destination: Wildcard,
    /// Destination ports; `None` is any.
    pub destination_ports: Option<PortRange>,
}

/// Ports, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortRange {
    /// The lowest.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

impl Reading {
    /// Whether the line selects exactly what its patterns match.
    pub const fn is_exact(&self) -> bool {
        self.narrower.is_none() && self.unknown.is_none()
    }

    fn nothing_known(permit: bool, why: String) -> Self {
        Self { permit, patterns: Vec::new(), narrower: None, unknown: Some(why) }
    }
}

impl Pattern {
    /// Whether it says nothing of protocols and ports.
    pub const fn is_addresses(&self) -> bool {
        self.protocol.is_none() && self.source_ports.is_none() && self.destination_ports.is_none()
    }
}

/// What a line selects; nothing for a remark.
pub fn read(config: &Config, entry: &AclEntry) -> Option<Reading> {
    Some(match &entry.what {
        AclLine::Remark(_) => return None,
        AclLine::Rule(rule) => of_rule(config, rule),
        AclLine::Evaluate(list) => {
            Reading::nothing_known(true, format!("reflexive list {list} is not known"))
        }
        AclLine::Dynamic(rest) => {
            let permit = !rest.split_whitespace().any(|word| word == "deny");
            Reading::nothing_known(permit, "entries of lock-and-key are not known".to_string())
        }
        AclLine::Unread { permit } => {
            // it may permit
            Reading::nothing_known(permit.unwrap_or(true), "the line is not understood".to_string())
        }
    })
}

/// Protocol, source ports and destination ports.
type Service = (Option<u8>, Option<Numbers<u16>>, Option<Numbers<u16>>);

fn of_rule(config: &Config, rule: &AclRule) -> Reading {
    let (sources, no_source) = addresses(config, &rule.source);
    let (destinations, no_destination) = addresses(config, &rule.destination);
    let mut narrower = condition(&rule.only).or_else(|| rule.header.as_ref().map(said));
    let mut unknown = no_source.or(no_destination);
    let services: Vec<Service> = match &rule.protocol {
        AclProtocol::Any => vec![(None, rule.source_ports.clone(), rule.destination_ports.clone())],
        AclProtocol::Number(number) => {
            vec![(Some(*number), rule.source_ports.clone(), rule.destination_ports.clone())]
        }
        AclProtocol::Services(name) => {
            let (members, missing) = self::services(config, name);
            unknown = unknown.or(missing);
            let header = members.iter().find_map(|member| member.header.as_ref());
            narrower = narrower.or_else(|| header.map(said));
            let one = |number, member: &crate::model::ServicePorts| {
                (number, member.source.clone(), member.destination.clone())
            };
            let of = |member: &&crate::model::ServicePorts| match member.protocol {
                ServiceProtocol::Any => vec![one(None, member)],
                ServiceProtocol::Number(number) => vec![one(Some(number), member)],
                ServiceProtocol::TcpUdp => vec![one(Some(6), member), one(Some(17), member)],
            };
            members.iter().flat_map(of).collect()
        }
    };
    let ports = |numbers: &Option<Numbers<u16>>| match numbers {
        None => vec![None],
        Some(numbers) => {
            let ranges = numbers.ranges().into_iter();
            ranges.map(|(first, last)| Some(PortRange { first, last })).collect()
        }
    };
    let services: Vec<_> =
        services.iter().map(|(number, from, to)| (*number, ports(from), ports(to))).collect();
    let of_services: usize = services.iter().map(|(_, from, to)| from.len() * to.len()).sum();
    let count = sources.len().saturating_mul(destinations.len()).saturating_mul(of_services);
    if count > MOST {
        let more = format!("it has more than {MOST} combinations of addresses, protocols and ports");
        let pattern = Pattern {
            protocol: None,
            source: around(&sources),
            source_ports: None,
            destination: around(&destinations),
            destination_ports: None,
        };
        return Reading { permit: rule.permit, patterns: vec![pattern], narrower: Some(more), unknown };
    }
    let mut patterns = Vec::with_capacity(count);
    for source in &sources {
        for destination in &destinations {
            for (protocol, from, to) in &services {
                for source_ports in from {
                    for destination_ports in to {
                        patterns.push(Pattern {
                            protocol: *protocol,
                            source: *source,
                            source_ports: *source_ports,
                            destination: *destination,
                            destination_ports: *destination_ports,
                        });
                    }
                }
            }
        }
    }
    Reading { permit: rule.permit, patterns, narrower, unknown }
}

/// The addresses of a side, and what is not known of them.
fn addresses(config: &Config, side: &AclAddress) -> (Vec<Wildcard>, Option<String>) {
    match side {
        AclAddress::V4(wildcard) => (vec![*wildcard], None),
        AclAddress::V6(net) => (Vec::new(), Some(format!("{net} is of IPv6"))),
        AclAddress::Name(name) => {
            (Vec::new(), Some(format!("the address of {name} is not known: names are not resolved")))
        }
        AclAddress::Group(name) => {
            let (members, unknown) = networks(config, name);
            let mut out: Vec<Wildcard> = Vec::new();
            for member in members {
                match member {
                    NetworkObject::Net(net) => out.push(Wildcard::of(*net)),
                    NetworkObject::Range(first, last) => {
                        out.extend(Ipv4Subnets::new(*first, *last, 0).map(Wildcard::of));
                    }
                    NetworkObject::Group(_) | NetworkObject::Name(_) | NetworkObject::Unread => {}
                }
            }
            (out, unknown)
        }
    }
}

/// The smallest network around all of these.
fn around(these: &[Wildcard]) -> Wildcard {
    let nets: Vec<_> = these.iter().map(Wildcard::covering).collect();
    let first = nets.iter().map(|net| net.network()).min();
    let last = nets.iter().map(|net| net.broadcast()).max();
    let Some((first, last)) = first.zip(last) else { return Wildcard::ANY };
    let equal = (u32::from(first) ^ u32::from(last)).leading_zeros();
    let length = u8::try_from(equal).unwrap_or(0);
    ipnet::Ipv4Net::new(first, length).map_or(Wildcard::ANY, Wildcard::of)
}

/// What a line says of the header behind that of IP.
fn said(header: &AclHeader) -> String {
    match header {
        AclHeader::Icmp(..) => "it names an ICMP type",
        AclHeader::Igmp(_) => "it names an IGMP type",
        AclHeader::Established => "it says `established`",
        AclHeader::Flags(_) | AclHeader::MatchAny(_) | AclHeader::MatchAll(_) => "it names TCP flags",
    }
    .to_string()
}

/// What a line says of the IP header, and when it counts.
fn condition(only: &AclConditions) -> Option<String> {
    let AclConditions { dscp, precedence, tos, option, fragments, ttl, time_range, ipv6 } = only;
    let says = |is: bool, word: &str| is.then(|| format!("it says `{word}`"));
    says(dscp.is_some(), "dscp")
        .or_else(|| says(precedence.is_some(), "precedence"))
        .or_else(|| says(tos.is_some(), "tos"))
        .or_else(|| says(option.is_some(), "option"))
        .or_else(|| says(*fragments, "fragments"))
        .or_else(|| ttl.as_ref().map(|ttl| format!("it says `ttl {}`", compared(ttl, &[]))))
        .or_else(|| time_range.as_ref().map(|name| format!("it counts only in time range {name}")))
        .or_else(|| ipv6.first().map(|words| format!("it says `{words}`")))
}
