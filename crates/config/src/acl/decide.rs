//! Which line of an access list decides about a packet.

use super::groups::{networks, services};
use crate::model::{
    Acl, AclAddress, AclConditions, AclEntry, AclHeader, AclLine, AclOption, AclProtocol, AclRule, Config,
    Moment, NetworkObject, Numbers, ServicePorts, ServiceProtocol, TcpMatch, Wildcard,
};
use std::net::IpAddr;

/// What is known of a packet. What is `None` is not known, unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Source.
    pub source: IpAddr,
    /// Destination; not known where the list is asked about a peer only.
    pub destination: Option<IpAddr>,
    /// Protocol.
    pub protocol: u8,
    /// It is a fragment behind the first, and has no header of that protocol.
    pub later_fragment: bool,
    /// Source and destination port, of TCP, UDP and SCTP.
    pub ports: Ports,
    /// ICMP type and code, or the IGMP type and 0.
    pub icmp: Option<(u8, u8)>,
    /// TCP flags.
    pub tcp: Tcp,
    /// The byte of precedence, type of service or DSCP.
    pub tos: Option<u8>,
    /// TTL.
    pub ttl: Option<u8>,
    /// Options of the IP header.
    pub options: Option<Vec<u8>>,
    /// When it came.
    pub moment: Option<Moment>,
}

impl Packet {
    /// A packet of which no more is known.
    pub const fn new(source: IpAddr, destination: Option<IpAddr>, protocol: u8, ports: Ports) -> Self {
        Self {
            source,
            destination,
            protocol,
            later_fragment: false,
            ports,
            icmp: None,
            tcp: Tcp(None),
            tos: None,
            ttl: None,
            options: None,
            moment: None,
        }
    }
}

/// Ports of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Source.
    pub source: Option<u16>,
    /// Destination.
    pub destination: Option<u16>,
}

/// The flags of TCP of a packet, as bits of the header's byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp(pub Option<u8>);

/// What a list says of a packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decision<'a> {
    /// This line permits or denies it.
    By(&'a AclEntry, bool),
    /// This line may concern it, and denies if it does.
    MayDeny(&'a AclEntry),
    /// No line concerns it: denied. Lines that may have permitted it were passed over.
    None,
}

impl Decision<'_> {
    /// Whether the packet is permitted for sure.
    pub const fn permits(&self) -> bool {
        matches!(self, Self::By(_, true))
    }
}

/// Whether something holds that may not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Holds {
    No,
    Maybe,
    Yes,
}

impl Holds {
    const fn of(known: bool) -> Self {
        if known { Self::Yes } else { Self::No }
    }

    fn ask<T>(value: Option<T>, is: impl FnOnce(T) -> bool) -> Self {
        value.map_or(Self::Maybe, |value| Self::of(is(value)))
    }

    fn and(self, other: Self) -> Self {
        self.min(other)
    }

    fn or(self, other: Self) -> Self {
        self.max(other)
    }
}

/// The line of a list that decides about a packet. A line that permits and may not concern the
/// packet is passed over; one that denies and may concern it decides.
///
/// A fragment behind the first has no ports, so of a line that names some, `permit` concerns it by
/// addresses and protocol, and `deny` does not, as on IOS.
pub fn decide<'a>(config: &Config, acl: &'a Acl, packet: &Packet) -> Decision<'a> {
    for entry in &acl.entries {
        let (holds, permit) = match &entry.what {
            AclLine::Remark(_) => continue,
            AclLine::Rule(rule) => (concerns(config, rule, packet), rule.permit),
            // what a reflexive or dynamic list holds is not known
            AclLine::Evaluate(_) => (Holds::Maybe, true),
            AclLine::Dynamic(rest) => (Holds::Maybe, !rest.split_whitespace().any(|word| word == "deny")),
            // it may deny
            AclLine::Unread { permit } => (Holds::Maybe, permit.unwrap_or(false)),
        };
        match (holds, permit) {
            (Holds::Yes, permit) => return Decision::By(entry, permit),
            (Holds::Maybe, false) => return Decision::MayDeny(entry),
            (Holds::Maybe, true) | (Holds::No, _) => {}
        }
    }
    Decision::None
}

fn concerns(config: &Config, rule: &AclRule, packet: &Packet) -> Holds {
    let addresses = address(config, &rule.source, Some(packet.source)).and(address(
        config,
        &rule.destination,
        packet.destination,
    ));
    let ip = addresses.and(conditions(config, &rule.only, packet));
    if ip == Holds::No {
        return Holds::No;
    }
    let proto = match &rule.protocol {
        AclProtocol::Any => Holds::Yes,
        AclProtocol::Number(number) => Holds::of(*number == packet.protocol),
        AclProtocol::Services(name) => {
            let (services, unknown) = services(config, name);
            let known = services.iter().map(|service| of_service(service, rule.permit, packet));
            known.fold(Holds::No, Holds::or).or(if unknown.is_some() { Holds::Maybe } else { Holds::No })
        }
    };
    let behind = upper(
        (rule.source_ports.as_ref(), rule.destination_ports.as_ref(), rule.header.as_ref()),
        rule.permit,
        packet,
    );
    ip.and(proto).and(behind)
}

fn of_service(service: &ServicePorts, permit: bool, packet: &Packet) -> Holds {
    let is_it = match service.protocol {
        ServiceProtocol::Any => true,
        ServiceProtocol::Number(number) => number == packet.protocol,
        ServiceProtocol::TcpUdp => matches!(packet.protocol, 6 | 17),
    };
    let said = (service.source.as_ref(), service.destination.as_ref(), service.header.as_ref());
    Holds::of(is_it).and(upper(said, permit, packet))
}

/// What a line says of the header behind that of IP.
type Upper<'a> = (Option<&'a Numbers<u16>>, Option<&'a Numbers<u16>>, Option<&'a AclHeader>);

fn upper((source, destination, header): Upper<'_>, permit: bool, packet: &Packet) -> Holds {
    if source.is_none() && destination.is_none() && header.is_none() {
        return Holds::Yes;
    }
    if packet.later_fragment {
        return Holds::of(permit);
    }
    let port = |wanted: Option<&Numbers<u16>>, port: Option<u16>| match wanted {
        None => Holds::Yes,
        Some(wanted) => Holds::ask(port, |port| wanted.contains(port)),
    };
    port(source, packet.ports.source)
        .and(port(destination, packet.ports.destination))
        .and(header.map_or(Holds::Yes, |header| of_header(header, packet)))
}

fn of_header(header: &AclHeader, packet: &Packet) -> Holds {
    let flags = |is: &dyn Fn(u8) -> bool| Holds::ask(packet.tcp.0, is);
    match header {
        AclHeader::Icmp(kind, code) => {
            Holds::ask(packet.icmp, |(own, of)| own == *kind && code.is_none_or(|code| code == of))
        }
        AclHeader::Igmp(kind) => Holds::ask(packet.icmp, |(own, _)| own & 15 == *kind),
        AclHeader::Established => flags(&|own| own & 0x14 != 0),
        AclHeader::Flags(any) => flags(&|own| own & any.0 != 0),
        AclHeader::MatchAny(TcpMatch { set, clear }) => flags(&|own| own & set.0 != 0 || !own & clear.0 != 0),
        AclHeader::MatchAll(TcpMatch { set, clear }) => {
            flags(&|own| own & set.0 == set.0 && own & clear.0 == 0)
        }
    }
}

fn address(config: &Config, wanted: &AclAddress, address: Option<IpAddr>) -> Holds {
    match (wanted, address) {
        (AclAddress::Name(_), _) => Holds::Maybe,
        (AclAddress::V4(wildcard), Some(IpAddr::V4(address))) => Holds::of(wildcard.contains(address)),
        (AclAddress::V6(net), Some(IpAddr::V6(address))) => Holds::of(net.contains(&address)),
        (AclAddress::V4(_) | AclAddress::V6(_), Some(_)) => Holds::No,
        (AclAddress::V4(Wildcard::ANY), None) => Holds::Yes,
        (AclAddress::V6(net), None) if net.prefix_len() == 0 => Holds::Yes,
        (_, None) => Holds::Maybe,
        (AclAddress::Group(name), Some(address)) => {
            let (members, unknown) = networks(config, name);
            let is_in = members.iter().any(|member| match (member, address) {
                (NetworkObject::Net(net), IpAddr::V4(address)) => net.contains(&address),
                (NetworkObject::Range(first, last), IpAddr::V4(address)) => {
                    (*first..=*last).contains(&address)
                }
                _ => false,
            });
            Holds::of(is_in).or(if unknown.is_some() { Holds::Maybe } else { Holds::No })
        }
    }
}

fn conditions(config: &Config, only: &AclConditions, packet: &Packet) -> Holds {
    let AclConditions { dscp, precedence, tos, option, fragments, ttl, time_range, ipv6 } = only;
    let of_tos = |wanted: Option<u8>, shift: u32, mask: u8| match wanted {
        None => Holds::Yes,
        Some(wanted) => Holds::ask(packet.tos, |byte| (byte >> shift) & mask == wanted),
    };
    let mut holds = of_tos(*dscp, 2, 63).and(of_tos(*precedence, 5, 7)).and(of_tos(*tos, 1, 15));
    if let Some(option) = option {
        holds = holds.and(Holds::ask(packet.options.as_ref(), |own| match option {
            AclOption::Any => !own.is_empty(),
            AclOption::Number(number) => own.contains(number),
        }));
    }
    if *fragments {
        holds = holds.and(Holds::of(packet.later_fragment));
    }
    if let Some(ttl) = ttl {
        holds = holds.and(Holds::ask(packet.ttl, |own| ttl.contains(own)));
    }
    if let Some(name) = time_range {
        holds = holds.and(match config.time_range(name) {
            Some(range) if range.is_known() => Holds::ask(packet.moment, |moment| range.contains(moment)),
            _ => Holds::Maybe,
        });
    }
    if !ipv6.is_empty() {
        holds = holds.and(Holds::Maybe);
    }
    holds
}
