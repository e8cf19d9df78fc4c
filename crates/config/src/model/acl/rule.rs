//! `permit` and `deny` lines.

use super::numbers::Numbers;
use ipnet::{Ipv4Net, Ipv6Net};
use std::net::Ipv4Addr;

/// A line that permits or denies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclRule {
    /// `permit` or `deny`.
    pub permit: bool,
    /// Protocol; in a standard list any.
    pub protocol: AclProtocol,
    /// Source.
    pub source: AclAddress,
    /// Source ports, of TCP, UDP and SCTP.
    pub source_ports: Option<Numbers<u16>>,
    /// Destination; any in a standard list.
    pub destination: AclAddress,
    /// Destination ports, of TCP, UDP and SCTP.
    pub destination_ports: Option<Numbers<u16>>,
    /// What else the protocol's header must say.
    pub header: Option<AclHeader>,
    /// What else the packet must be.
    pub only: AclConditions,
    /// `log` or `log-input`.
    pub log: Option<AclLog>,
    /// `reflect NAME [timeout SECONDS]`
    pub reflect: Option<(String, Option<u32>)>,
}

/// The protocols of a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AclProtocol {
    /// `ip` or `ipv6`.
    Any,
    /// One.
    Number(u8),
    /// `object-group NAME`: those of the services of a group.
    Services(String),
}

/// A side of a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AclAddress {
    /// `any`, `host A.B.C.D` or an address with don't-care bits.
    V4(Wildcard),
    /// Of an IPv6 list: `any`, `host X:X::X` or a prefix.
    V6(Ipv6Net),
    /// `object-group NAME`
    Group(String),
    /// `host NAME`: a router resolves it.
    Name(String),
}

/// An address with don't-care bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wildcard {
    /// Address; its don't-care bits are 0.
    pub address: Ipv4Addr,
    /// Don't-care bits.
    pub wildcard: Ipv4Addr,
}

impl Wildcard {
    /// `any`.
    pub const ANY: Self = Self { address: Ipv4Addr::UNSPECIFIED, wildcard: Ipv4Addr::BROADCAST };

    /// An address with its don't-care bits, which IOS clears.
    pub fn new(address: Ipv4Addr, wildcard: Ipv4Addr) -> Self {
        Self { address: Ipv4Addr::from(u32::from(address) & !u32::from(wildcard)), wildcard }
    }

    /// One address.
    pub const fn host(address: Ipv4Addr) -> Self {
        Self { address, wildcard: Ipv4Addr::UNSPECIFIED }
    }

    /// A network.
    pub fn of(net: Ipv4Net) -> Self {
        Self { address: net.network(), wildcard: net.hostmask() }
    }

    /// Whether an address is meant.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        (u32::from(address) ^ u32::from(self.address)) & !u32::from(self.wildcard) == 0
    }

    /// The prefix, when the don't-care bits are the last ones.
    pub fn prefix(&self) -> Option<Ipv4Net> {
        let bits = u32::from(self.wildcard);
        if bits.leading_zeros() + bits.trailing_ones() != 32 {
            return None;
        }
        let length = u8::try_from(bits.leading_zeros()).ok()?;
        Ipv4Net::new(self.address, length).ok().map(|net| net.trunc())
    }

    /// The prefixes that make it up, in their order; `None` if there are more than `limit`.
    pub fn prefixes(&self, limit: usize) -> Option<Vec<Ipv4Net>> {
        let bits = u32::from(self.wildcard);
        let inner = bits.trailing_ones();
        // don't-care bits in front of one that counts: each doubles the prefixes
        let outer = bits.checked_shr(inner).unwrap_or(0).checked_shl(inner).unwrap_or(0);
        let count = 1_usize.checked_shl(outer.count_ones()).filter(|count| *count <= limit)?;
        let length = u8::try_from(32 - inner).ok()?;
        let mut out = Vec::with_capacity(count);
        // every value of the outer bits, ascending
        let mut chosen = 0_u32;
        loop {
            let address = Ipv4Addr::from(u32::from(self.address) | chosen);
            out.extend(Ipv4Net::new(address, length));
            chosen = chosen.wrapping_sub(outer) & outer;
            if chosen == 0 {
                return Some(out);
            }
        }
    }

    /// The smallest network that contains every matching address.
    pub fn covering(&self) -> Ipv4Net {
        let length = u8::try_from(u32::from(self.wildcard).leading_zeros()).unwrap_or(0);
        Ipv4Net::new(self.address, length).map_or_else(|_| Ipv4Net::default(), |net| net.trunc())
    }
}

/// What the header behind the IP header must say.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AclHeader {
    /// ICMP type, and code.
    Icmp(u8, Option<u8>),
    /// IGMP type, as IOS numbers it: the low four bits.
    Igmp(u8),
    /// `established`: ACK or RST is set.
    Established,
    /// `syn`, `ack` …: one of these flags is set.
    Flags(TcpFlags),
    /// `match-any +ack -syn`: one of these flags is as said.
    MatchAny(TcpMatch),
    /// `match-all +ack -syn`: all of these flags are as said.
    MatchAll(TcpMatch),
}

/// Flags of TCP, as bits of the header's byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// The flags that lines name, in the order in which IOS lists them.
    pub const NAMES: [(&'static str, u8); 6] =
        [("ack", 0x10), ("fin", 0x01), ("psh", 0x08), ("rst", 0x04), ("syn", 0x02), ("urg", 0x20)];
}

/// Flags that must be set, and flags that must not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct TcpMatch {
    /// `+ack`
    pub set: TcpFlags,
    /// `-ack`
    pub clear: TcpFlags,
}

/// What else a packet must be.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AclConditions {
    /// `dscp`: the upper six bits of the type of service.
    pub dscp: Option<u8>,
    /// `precedence`: its upper three bits.
    pub precedence: Option<u8>,
    /// `tos`: the four bits behind the precedence.
    pub tos: Option<u8>,
    /// `option`: an option of the IP header.
    pub option: Option<AclOption>,
    /// `fragments`: only fragments that are not the first.
    pub fragments: bool,
    /// `ttl`
    pub ttl: Option<Numbers<u8>>,
    /// `time-range NAME`
    pub time_range: Option<String>,
    /// `flow-label`, `routing` and so on, of IPv6 lists: the words as given.
    pub ipv6: Vec<String>,
}

/// `option`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AclOption {
    /// `any-options`
    Any,
    /// The option's number.
    Number(u8),
}

/// What is logged of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AclLog {
    /// `log`
    Log,
    /// `log-input`: with the interface.
    Input,
}

impl AclRule {
    /// A line that speaks of every IPv4 packet.
    pub fn of_all(permit: bool) -> Self {
        Self {
            permit,
            protocol: AclProtocol::Any,
            source: AclAddress::V4(Wildcard::ANY),
            source_ports: None,
            destination: AclAddress::V4(Wildcard::ANY),
            destination_ports: None,
            header: None,
            only: AclConditions::default(),
            log: None,
            reflect: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_the_prefixes_that_make_it_up() {
        let wildcard =
            |address: &str, bits: &str| Wildcard::new(address.parse().unwrap(), bits.parse().unwrap());
        for (address, bits, prefixes) in [
            ("10.1.2.3", "0.0.0.255", vec!["10.1.2.0/24"]),
            ("10.1.2.3", "0.0.0.0", vec!["10.1.2.3/32"]),
            ("10.1.2.3", "255.255.255.255", vec!["0.0.0.0/0"]),
            ("10.0.1.0", "0.0.2.255", vec!["10.0.1.0/24", "10.0.3.0/24"]),
            ("10.0.0.0", "0.0.0.5", vec!["10.0.0.0/31", "10.0.0.4/31"]),
            ("0.0.0.1", "128.0.0.0", vec!["0.0.0.1/32", "128.0.0.1/32"]),
        ] {
            let found = wildcard(address, bits).prefixes(64).unwrap();
            assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), prefixes, "{address}");
        }
        assert_eq!(wildcard("10.0.0.0", "0.0.126.255").prefixes(64).unwrap().len(), 64);
        assert_eq!(wildcard("10.0.0.0", "0.0.254.255").prefixes(64), None);
        assert_eq!(wildcard("0.0.0.0", "255.255.255.254").prefixes(usize::MAX >> 40), None);
    }
}
