//! `object-group`: addresses and services by name.

use super::numbers::Numbers;
use super::rule::AclHeader;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// `object-group network` or `object-group service`.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectGroup {
    /// Name; IOS has one name space for both kinds.
    pub name: String,
    /// What it holds.
    pub members: GroupMembers,
    /// Line.
    pub line: u32,
}

impl ObjectGroup {
    /// The groups that it contains.
    pub fn inner(&self) -> impl Iterator<Item = &String> {
        let (networks, services) = match &self.members {
            GroupMembers::Network(members) => (members.as_slice(), &[][..]),
            GroupMembers::Service(members) => (&[][..], members.as_slice()),
        };
        let networks = networks.iter().filter_map(|member| match member {
            NetworkObject::Group(name) => Some(name),
            _ => None,
        });
        let services = services.iter().filter_map(|member| match member {
            ServiceObject::Group(name) => Some(name),
            _ => None,
        });
        networks.chain(services)
    }
}

/// The members of a group.
#[derive(Clone, Debug, PartialEq)]
pub enum GroupMembers {
    /// `object-group network`
    Network(Vec<NetworkObject>),
    /// `object-group service`
    Service(Vec<ServiceObject>),
}

/// A line of a group of addresses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NetworkObject {
    /// `any`, `host A.B.C.D`, or an address and its mask.
    Net(Ipv4Net),
    /// `range A.B.C.D A.B.C.D`
    Range(Ipv4Addr, Ipv4Addr),
    /// `group-object NAME`
    Group(String),
    /// `host NAME`: a router resolves it.
    Name(String),
    /// A line that was not understood.
    Unread,
}

/// A line of a group of services.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceObject {
    /// A protocol with its ports.
    Service(ServicePorts),
    /// `group-object NAME`
    Group(String),
    /// A line that was not understood.
    Unread,
}

/// `tcp source gt 1023 eq 80`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServicePorts {
    /// Protocols.
    pub protocol: ServiceProtocol,
    /// Source ports.
    pub source: Option<Numbers<u16>>,
    /// Destination ports.
    pub destination: Option<Numbers<u16>>,
    /// ICMP type.
    pub header: Option<AclHeader>,
}

/// The protocols of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServiceProtocol {
    /// `ip`
    Any,
    /// One.
    Number(u8),
    /// `tcp-udp`: both.
    TcpUdp,
}
