//! Where a datagram came from or goes to.

use crate::names::{InterfaceId, VrfId};
use std::net::IpAddr;

/// The UDP port of ISAKMP.
pub const ISAKMP_PORT: u16 = 500;
/// The UDP port that ISAKMP and ESP share after a NAT was found (RFC 3947, RFC 3948).
pub const NATT_PORT: u16 = 4500;

/// How IKE and ESP travel between two gateways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encapsulation {
    /// IKE on UDP 500 without a marker; ESP as IP protocol 50.
    Native,
    /// UDP 4500: IKE after the non-ESP marker, ESP in UDP (RFC 3948).
    Udp,
}

/// A path between this gateway and a peer. The non-ESP marker is not part of a datagram's bytes:
/// the owner of the sockets removes and adds it, depending on `encapsulation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Path {
    /// Our address.
    pub local: IpAddr,
    /// Our UDP port (500 or 4500).
    pub local_port: u16,
    /// The peer's address as seen here: the NAT's, if there is one.
    pub remote: IpAddr,
    /// The peer's UDP port as seen here.
    pub remote_port: u16,
    /// The interface whose crypto map serves the peer.
    pub interface: InterfaceId,
    /// The routing instance of the outer packets.
    pub vrf: VrfId,
    /// Native or in UDP 4500.
    pub encapsulation: Encapsulation,
}

/// Tunnel or transport mode (RFC 4301 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// The whole inner packet is encapsulated.
    Tunnel,
    /// Only the payload is encapsulated; the selectors are the addresses of the gateways
    /// themselves.
    Transport,
}

/// `crypto ipsec df-bit`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DfBit {
    /// The bit is copied from the inner packet.
    #[default]
    Copy,
    /// Always set.
    Set,
    /// Never set.
    Clear,
}

/// The path of something on `old` after its peer has moved to `new`; `None` if it does not follow
/// there. What was negotiated without UDP stays where it is, except for the port of IKE.
pub(crate) fn moved(old: Path, new: Path) -> Option<Path> {
    let same_kind = (old.interface, old.encapsulation) == (new.interface, new.encapsulation);
    let may = match new.encapsulation {
        Encapsulation::Udp => true,
        Encapsulation::Native => (old.local, old.remote) == (new.local, new.remote),
    };
    (same_kind && may).then_some(new)
}
