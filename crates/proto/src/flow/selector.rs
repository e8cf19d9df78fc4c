//! Traffic selectors: which inner packets an SA or a crypto ACL line covers.

use crate::wire::ip::{Ipv4, protocol};
use std::fmt;
use std::net::IpAddr;

/// An inclusive range of addresses of one family.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressRange {
    first: IpAddr,
    last: IpAddr,
}

impl AddressRange {
    /// Every IPv4 address.
    pub const ANY_V4: Self = Self {
        first: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        last: IpAddr::V4(std::net::Ipv4Addr::BROADCAST),
    };

    /// The range from `first` to `last`; `None` when they differ in family or are in the wrong
    /// order.
    pub fn new(first: IpAddr, last: IpAddr) -> Option<Self> {
        (first.is_ipv4() == last.is_ipv4() && first <= last).then_some(Self { first, last })
    }

    /// One address.
    pub const fn host(address: IpAddr) -> Self {
        Self { first: address, last: address }
    }

    /// The addresses of a prefix.
    pub fn prefix(net: ipnet::IpNet) -> Self {
        Self { first: net.network(), last: net.broadcast() }
    }

    /// The lowest address.
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// The highest address.
    pub const fn last(&self) -> IpAddr {
        self.last
    }

    /// Whether `address` lies in the range.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && self.first <= address && address <= self.last
    }

    /// Whether all of `other` lies in the range.
    pub fn covers(&self, other: &Self) -> bool {
        self.contains(other.first) && self.contains(other.last)
    }

    /// Whether the ranges share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }

    /// The range as a prefix, if it is one.
    pub fn to_prefix(self) -> Option<ipnet::IpNet> {
        let net = match (self.first, self.last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => {
                let len = (u32::from(first) ^ u32::from(last)).leading_zeros() as u8;
                ipnet::IpNet::new(self.first, len).ok()?
            }
            (IpAddr::V6(first), IpAddr::V6(last)) => {
                let len = (u128::from(first) ^ u128::from(last)).leading_zeros() as u8;
                ipnet::IpNet::new(self.first, len).ok()?
            }
            _ => return None,
        };
        (net.network() == self.first && net.broadcast() == self.last).then_some(net)
    }
}

impl fmt::Debug for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_prefix() {
            Some(net) => write!(f, "{net}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

/// What a packet must look like, seen from this gateway: `local` is our side of the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Selector {
    /// Addresses on our side.
    pub local: AddressRange,
    /// Addresses on the peer's side.
    pub remote: AddressRange,
    /// IP protocol; `None` is any.
    pub protocol: Option<u8>,
    /// TCP or UDP port on our side; `None` is any.
    pub local_port: Option<u16>,
    /// TCP or UDP port on the peer's side; `None` is any.
    pub remote_port: Option<u16>,
}

/// `10.1.0.0/16 port 80 <-> 10.2.0.0/16, protocol 6`: our side first; what is any is not said.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = |port: Option<u16>| port.map(|port| format!(" port {port}")).unwrap_or_default();
        write!(f, "{}{} <-> {}{}", self.local, port(self.local_port), self.remote, port(self.remote_port))?;
        self.protocol.map_or(Ok(()), |protocol| write!(f, ", protocol {protocol}"))
    }
}

impl Selector {
    /// All protocols and ports between two ranges.
    pub const fn between(local: AddressRange, remote: AddressRange) -> Self {
        Self { local, remote, protocol: None, local_port: None, remote_port: None }
    }

    /// The same selector as the peer sees it.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        Self {
            local: self.remote,
            remote: self.local,
            protocol: self.protocol,
            local_port: self.remote_port,
            remote_port: self.local_port,
        }
    }

    /// Whether every packet that matches `other` matches this selector.
    pub fn covers(&self, other: &Self) -> bool {
        fn within<T: PartialEq>(outer: Option<T>, inner: Option<T>) -> bool {
            outer.is_none() || outer == inner
        }
        self.local.covers(&other.local)
            && self.remote.covers(&other.remote)
            && within(self.protocol, other.protocol)
            && within(self.local_port, other.local_port)
            && within(self.remote_port, other.remote_port)
    }

    /// Whether an outgoing packet matches (its source is on our side). A later fragment has no
    /// ports: it matches by its addresses and protocol, just as it passes a `permit` line with
    /// ports on IOS.
    pub fn matches(&self, packet: &Flow) -> bool {
        self.local.contains(packet.source)
            && self.remote.contains(packet.destination)
            && self.protocol.is_none_or(|protocol| protocol == packet.protocol)
            && (packet.is_later_fragment()
                || (self.local_port.is_none_or(|port| packet.source_port == Some(port))
                    && self.remote_port.is_none_or(|port| packet.destination_port == Some(port))))
    }

    /// Whether it distinguishes packets by their ports.
    pub const fn has_ports(&self) -> bool {
        self.local_port.is_some() || self.remote_port.is_some()
    }
}

/// What identifies the flow of an inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Inner source address.
    pub source: IpAddr,
    /// Inner destination address.
    pub destination: IpAddr,
    /// IP protocol.
    pub protocol: u8,
    /// Source port; `None` if the packet has none (another protocol, a later fragment).
    pub source_port: Option<u16>,
    /// Destination port; `None` if the packet has none.
    pub destination_port: Option<u16>,
}

impl Flow {
    /// Whether the packet is a fragment after the first: its protocol has ports, but the packet has
    /// none.
    pub const fn is_later_fragment(&self) -> bool {
        matches!(self.protocol, protocol::TCP | protocol::UDP)
            && self.source_port.is_none()
            && self.destination_port.is_none()
    }

    /// The flow of the answers.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            protocol: self.protocol,
            source_port: self.destination_port,
            destination_port: self.source_port,
        }
    }
}

impl Ipv4<'_> {
    /// The packet's flow; a later fragment has no ports. Those of a packet that is too short for
    /// them are 0, so that it does not pass for a later fragment (RFC 1858 section 3).
    pub fn flow(&self) -> Flow {
        let has_ports = matches!(self.protocol(), protocol::TCP | protocol::UDP) && !self.later_fragment();
        let ports = has_ports.then(|| self.payload().first_chunk::<4>().unwrap_or(&[0; 4]));
        Flow {
            source: IpAddr::V4(self.source()),
            destination: IpAddr::V4(self.destination()),
            protocol: self.protocol(),
            source_port: ports.map(|[a, b, ..]| u16::from_be_bytes([*a, *b])),
            destination_port: ports.map(|[.., a, b]| u16::from_be_bytes([*a, *b])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first fragment has ports, the later ones have none: all fragments of a packet take the
    /// same path.
    #[test]
    fn later_fragments_go_with_their_packet() {
        let host = |last| IpAddr::V4(std::net::Ipv4Addr::new(10, 1, 1, last));
        let selector = Selector {
            protocol: Some(protocol::UDP),
            remote_port: Some(53),
            ..Selector::between(AddressRange::host(host(1)), AddressRange::host(host(2)))
        };
        let flow = |protocol, port| Flow {
            source: host(1),
            destination: host(2),
            protocol,
            source_port: port,
            destination_port: port,
        };
        assert!(selector.matches(&flow(protocol::UDP, Some(53))));
        assert!(!selector.matches(&flow(protocol::UDP, Some(54))));
        assert!(selector.matches(&flow(protocol::UDP, None)));
        assert!(!selector.matches(&flow(protocol::TCP, None)), "of another protocol");
        assert!(!flow(protocol::ICMP, None).is_later_fragment());
    }
}
