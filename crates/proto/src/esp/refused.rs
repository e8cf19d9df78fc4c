//! Why a packet of a known SA is not let through.

use std::net::Ipv4Addr;

/// Why a packet of a known SA is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// Its sequence number was already seen, or is too old.
    Replay,
    /// The integrity check failed.
    Icv,
    /// Its check value has the length used by old systems, which truncate HMAC-SHA-256 to 96 bits
    /// instead of 128 (draft-ietf-ipsec-ciph-sha-256-00, before RFC 4868).
    ShortIcv,
    /// Padding, next header or the inner packet are wrong.
    Malformed,
    /// The inner addresses do not match the SA.
    Selector {
        /// The inner source.
        source: Ipv4Addr,
        /// The inner destination.
        destination: Ipv4Addr,
    },
    /// It was received as native ESP for an SA in UDP, or the reverse.
    Encapsulation,
}

impl Refused {
    /// How many kinds there are.
    pub(crate) const KINDS: usize = 6;

    pub(crate) const fn kind(self) -> usize {
        match self {
            Self::Replay => 0,
            Self::Icv => 1,
            Self::ShortIcv => 2,
            Self::Malformed => 3,
            Self::Selector { .. } => 4,
            Self::Encapsulation => 5,
        }
    }
}
