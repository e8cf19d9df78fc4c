//! `object-group network` and `object-group service`.

use super::rule::{DESTINATION, SOURCE, ports};
use crate::acl::names::{self, value};
use crate::command::draft::Kept;
use crate::command::mode::{Fate, In, Mode};
use crate::command::row::{Fold, Row, fate, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{
    AclHeader, GroupMembers, NetworkObject, ObjectGroup, ServiceObject, ServicePorts, ServiceProtocol,
};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

macro_rules! service_ports {
    () => {
        "[source {eq <source-eq>|gt <source-gt>|lt <source-lt>|range <source-first> <source-last>|<source-eq>}] \
         [eq <destination-eq>|gt <destination-gt>|lt <destination-lt>|range <destination-first> <destination-last>|<destination-eq>]"
    };
}

pub(crate) const ROWS: &[Row] = &[
    fold(In::Global, "object-group network <name>", "", network),
    fold(In::Global, "object-group service <name>", "", service),
    fate(In::NetworkGroup, "description", Fate::NoOp),
    fold(In::NetworkGroup, "any", "", any),
    fold(In::NetworkGroup, "host", "{<A.B.C.D:address>|<HOST:host>}", host),
    fold(In::NetworkGroup, "range", "<A.B.C.D:low> <A.B.C.D:high>", range),
    fold(In::NetworkGroup, "group-object <name>", "", network_inner),
    fold(In::NetworkGroup, "<A.B.C.D:address>", "{<A.B.C.D:mask>|<length>}", subnet),
    fold(In::NetworkGroup, "<A.B.C.D/nn:prefix>", "", prefix),
    fate(In::ServiceGroup, "description", Fate::NoOp),
    fold(In::ServiceGroup, "tcp", service_ports!(), tcp),
    fold(In::ServiceGroup, "udp", service_ports!(), udp),
    fold(In::ServiceGroup, "tcp-udp", service_ports!(), tcp_udp),
    fold(In::ServiceGroup, "icmp", "[<0-255:icmp-type>|<icmp-name>]", icmp),
    fold(In::ServiceGroup, "group-object <name>", "", service_inner),
    fold(In::ServiceGroup, "ip", "", ip),
    fold(In::ServiceGroup, "ahp", "", ahp),
    fold(In::ServiceGroup, "eigrp", "", eigrp),
    fold(In::ServiceGroup, "esp", "", esp),
    fold(In::ServiceGroup, "gre", "", gre),
    fold(In::ServiceGroup, "igmp", "", igmp),
    fold(In::ServiceGroup, "ipinip", "", ipinip),
    fold(In::ServiceGroup, "nos", "", nos),
    fold(In::ServiceGroup, "ospf", "", ospf),
    fold(In::ServiceGroup, "pcp", "", pcp),
    fold(In::ServiceGroup, "pim", "", pim),
    fold(In::ServiceGroup, "<0-255:protocol>", "", numbered),
];

fn network(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let place = group(fold, given, GroupMembers::Network(Vec::new()))?;
    fold.mode = place.map_or(fold.mode, Mode::NetworkGroup);
    Ok(())
}

fn service(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let place = group(fold, given, GroupMembers::Service(Vec::new()))?;
    fold.mode = place.map_or(fold.mode, Mode::ServiceGroup);
    Ok(())
}

/// The group of a name, made if there is none; nothing with `no`.
fn group(fold: &mut Fold<'_>, given: &Given<'_>, empty: GroupMembers) -> Result<Option<usize>, Problem> {
    let name = given.word("name").unwrap_or_default();
    if fold.no {
        fold.config.object_groups.remove(name);
        return Ok(None);
    }
    let line = fold.line;
    let same = std::mem::discriminant(&empty);
    let make = || ObjectGroup { name: name.to_string(), members: empty, line };
    let place = fold.config.object_groups.entry(name.to_string(), make);
    let known = fold.config.object_groups.get(place);
    if known.is_some_and(|known| std::mem::discriminant(&known.members) != same) {
        return Err(given.problem("name", "the name of no group of the other kind"));
    }
    Ok(Some(place))
}

/// Adds a member to a group, or takes it away. A member that is there already is not added again.
fn put<T: Ord + Clone>(members: &mut Kept<(usize, T), T>, group: usize, member: T, no: bool) {
    let key = (group, member.clone());
    if no {
        members.remove(&key);
    } else {
        members.entry(key, || member);
    }
}

// ---- addresses ----------------------------------------------------------------------------------

fn put_network(fold: &mut Fold<'_>, object: NetworkObject) {
    let Mode::NetworkGroup(place) = fold.mode else { return };
    put(&mut fold.config.network_objects, place, object, fold.no);
}

fn any(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    put_network(fold, NetworkObject::Net(Ipv4Net::default()));
    Ok(())
}

fn host(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let object = match given.address("address") {
        Some(address) => NetworkObject::Net(Ipv4Net::from(address)),
        None => NetworkObject::Name(given.string("host").unwrap_or_default()),
    };
    put_network(fold, object);
    Ok(())
}

fn range(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (Some(low), Some(high)) = (given.address("low"), given.address("high")) else {
        return Err(given.problem("high", "the last address"));
    };
    if low > high {
        return Err(given.problem("high", "an address that is not lower"));
    }
    put_network(fold, NetworkObject::Range(low, high));
    Ok(())
}

fn network_inner(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    put_network(fold, NetworkObject::Group(given.word("name").unwrap_or_default().to_string()));
    Ok(())
}

/// `A.B.C.D MASK` and `A.B.C.D /nn`
fn subnet(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let address = given.address("address").unwrap_or(Ipv4Addr::UNSPECIFIED);
    let net = match (given.address("mask"), given.word("length")) {
        (Some(mask), _) => Ipv4Net::with_netmask(address, mask).ok(),
        (None, Some(length)) => format!("{address}{length}").parse().ok().filter(|_| length.starts_with('/')),
        (None, None) => None,
    };
    let net = net.ok_or_else(|| {
        let wildcard = given.address("mask").and_then(|mask| given.no_mask("mask", mask));
        wildcard.unwrap_or_else(|| given.problem("mask", "a network mask"))
    })?;
    put_network(fold, NetworkObject::Net(net.trunc()));
    Ok(())
}

/// `A.B.C.D/nn`
fn prefix(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let net = given.word("prefix").and_then(|word| word.parse::<Ipv4Net>().ok());
    let net = net.ok_or_else(|| given.problem("prefix", "a network A.B.C.D/nn"))?;
    put_network(fold, NetworkObject::Net(net.trunc()));
    Ok(())
}

// ---- services -----------------------------------------------------------------------------------

fn put_service(fold: &mut Fold<'_>, object: ServiceObject) {
    let Mode::ServiceGroup(place) = fold.mode else { return };
    put(&mut fold.config.service_objects, place, object, fold.no);
}

fn service_inner(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    put_service(fold, ServiceObject::Group(given.word("name").unwrap_or_default().to_string()));
    Ok(())
}

fn with_ports(
    fold: &mut Fold<'_>,
    given: &Given<'_>,
    protocol: ServiceProtocol,
    names: Option<u8>,
) -> Result<(), Problem> {
    if !given.is_whole() {
        return Err(given.missing("the rest of the line"));
    }
    let source = ports(given, &SOURCE, names)?;
    let destination = ports(given, &DESTINATION, names)?;
    put_service(fold, ServiceObject::Service(ServicePorts { protocol, source, destination, header: None }));
    Ok(())
}

fn tcp(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    with_ports(fold, given, ServiceProtocol::Number(6), Some(6))
}

fn udp(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    with_ports(fold, given, ServiceProtocol::Number(17), Some(17))
}

fn tcp_udp(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    // a name that both have means the same port in both
    with_ports(fold, given, ServiceProtocol::TcpUdp, Some(6))
}

fn icmp(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let header = match (given.number("icmp-type"), given.word("icmp-name")) {
        (Some(kind), _) => Some((kind, None)),
        (None, Some(name)) => {
            Some(value(names::ICMP, name).ok_or_else(|| given.problem("icmp-name", "an ICMP type"))?)
        }
        (None, None) => None,
    };
    let header = header.map(|(kind, code)| AclHeader::Icmp(kind, code));
    bare(fold, ServiceProtocol::Number(1), header)
}

fn bare(fold: &mut Fold<'_>, protocol: ServiceProtocol, header: Option<AclHeader>) -> Result<(), Problem> {
    put_service(
        fold,
        ServiceObject::Service(ServicePorts { protocol, source: None, destination: None, header }),
    );
    Ok(())
}

fn numbered(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    match given.number("protocol") {
        Some(number) => bare(fold, ServiceProtocol::Number(number), None),
        None => Ok(()),
    }
}

fn ip(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    bare(fold, ServiceProtocol::Any, None)
}

macro_rules! protocols {
    ($($name:ident $number:literal),*) => {
        $(fn $name(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
            bare(fold, ServiceProtocol::Number($number), None)
        })*
    };
}

protocols!(ahp 51, eigrp 88, esp 50, gre 47, igmp 2, ipinip 4, nos 94, ospf 89, pcp 108, pim 103);
