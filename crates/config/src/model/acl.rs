//! Access lists.

use std::net::Ipv4Addr;

/// An access list.
#[derive(Clone, Debug, PartialEq)]
pub struct Acl {
    /// Number or name.
    pub name: String,
    /// Lines in order.
    pub entries: Vec<AclEntry>,
    /// Line.
    pub line: u32,
}

/// An address with don't-care bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wildcard {
    /// Address.
    pub address: Ipv4Addr,
    /// Don't-care bits.
    pub wildcard: Ipv4Addr,
}

impl Wildcard {
    /// `any`.
    pub const ANY: Self = Self { address: Ipv4Addr::UNSPECIFIED, wildcard: Ipv4Addr::BROADCAST };

    /// The prefix, when the don't-care bits are the last ones.
    pub fn prefix(&self) -> Option<ipnet::Ipv4Net> {
        let bits = u32::from(self.wildcard);
        if bits.leading_zeros() + bits.trailing_ones() != 32 {
            return None;
        }
        let length = u8::try_from(bits.leading_zeros()).ok()?;
        ipnet::Ipv4Net::new(self.address, length).ok().map(|net| net.trunc())
    }

    /// The smallest network that contains every matching address.
    pub fn covering(&self) -> ipnet::Ipv4Net {
        let length = u8::try_from(u32::from(self.wildcard).leading_zeros()).unwrap_or(0);
        ipnet::Ipv4Net::new(self.address, length)
            .map_or_else(|_| ipnet::Ipv4Net::default(), |net| net.trunc())
    }
}

/// One line of an access list.
#[derive(Clone, Debug, PartialEq)]
pub struct AclEntry {
    /// `permit` or `deny`.
    pub permit: bool,
    /// IP protocol; `None` is `ip`.
    pub protocol: Option<u8>,
    /// Source.
    pub source: Wildcard,
    /// Destination; `any` in a standard list.
    pub destination: Wildcard,
    /// `eq` on the source side.
    pub source_port: Option<u16>,
    /// `eq` on the destination side.
    pub destination_port: Option<u16>,
    /// Whether the line has conditions that this model cannot express (ranges, flags), or is not a
    /// command at all: it must not be used for crypto, and nobody may be admitted because of it.
    pub inexact: bool,
    /// Whether not even its addresses are known (object groups, host names): they are `any` here,
    /// and the line may mean less.
    pub vague: bool,
    /// Its sequence number, if it has one.
    pub number: Option<u32>,
    /// Line.
    pub line: u32,
}

impl AclEntry {
    /// A line that speaks of every packet.
    pub(crate) const fn of_all(permit: bool, line: u32) -> Self {
        Self {
            permit,
            protocol: None,
            source: Wildcard::ANY,
            destination: Wildcard::ANY,
            source_port: None,
            destination_port: None,
            inexact: false,
            vague: false,
            number: None,
            line,
        }
    }
}
