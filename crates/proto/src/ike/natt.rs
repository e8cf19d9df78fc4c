//! NAT traversal: who is behind a NAT, and which dialect is used (RFC 3947 and its drafts 02 and
//! 03).

use crate::ike::vendor::{Vendor, Vendors};
use crate::wire::isakmp::Cookies;
use crate::wire::registry::payload;
use hubward_crypto::digest::Digest;
use hubward_crypto::mac::{equal, hash};
use hubward_crypto::suite::HashAlg;
use std::net::{IpAddr, SocketAddr};

/// The dialect agreed on: payload and encapsulation numbers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// RFC 3947.
    Rfc,
    /// Drafts 02 and 03.
    Draft(Vendor),
}

impl Dialect {
    /// The best dialect that a peer announced.
    pub fn choose(vendors: &Vendors) -> Option<Self> {
        if vendors.has(Vendor::NatT) {
            return Some(Self::Rfc);
        }
        [Vendor::NatTDraft3, Vendor::NatTDraft2Newline, Vendor::NatTDraft2]
            .into_iter()
            .find(|vendor| vendors.has(*vendor))
            .map(Self::Draft)
    }

    /// The vendor id that announces it.
    pub fn vendor(self) -> Vendor {
        match self {
            Self::Rfc => Vendor::NatT,
            Self::Draft(vendor) => vendor,
        }
    }

    /// NAT-D payload type.
    pub const fn nat_d(self) -> u8 {
        match self {
            Self::Rfc => payload::NAT_D,
            Self::Draft(_) => payload::NAT_D_DRAFT,
        }
    }

    /// Encapsulation mode numbers of tunnel and transport mode in UDP.
    pub const fn udp_modes(self) -> (u16, u16) {
        match self {
            Self::Rfc => (3, 4),
            Self::Draft(_) => (61443, 61444),
        }
    }
}

/// HASH(CKY-I | CKY-R | IP | port).
pub fn nat_d(algorithm: HashAlg, cookies: Cookies, address: SocketAddr) -> Digest {
    let port = address.port().to_be_bytes();
    let (cky_i, cky_r) = (cookies.initiator.0, cookies.responder.0);
    match address.ip() {
        IpAddr::V4(ip) => hash(algorithm, &[&cky_i, &cky_r, &ip.octets(), &port]),
        IpAddr::V6(ip) => hash(algorithm, &[&cky_i, &cky_r, &ip.octets(), &port]),
    }
}

/// Who is behind a NAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatState {
    /// We are: the peer sees us at another address than our own.
    pub local: bool,
    /// The peer is: we see it at another address than its own.
    pub remote: bool,
}

impl NatState {
    /// Whether there is a NAT at all.
    pub const fn any(self) -> bool {
        self.local || self.remote
    }

    /// Evaluates the peer's NAT-D payloads: the first is the hash of our address as the peer sees
    /// it, the others are hashes of the peer's own addresses. Some peers send a set for each
    /// dialect, so any match counts.
    pub fn judge(
        algorithm: HashAlg,
        cookies: Cookies,
        local: SocketAddr,
        remote: SocketAddr,
        hashes: &[&[u8]],
    ) -> Self {
        let ours = nat_d(algorithm, cookies, local);
        let theirs = nat_d(algorithm, cookies, remote);
        Self {
            local: !hashes.iter().any(|hash| equal(hash, &ours)),
            remote: !hashes.iter().any(|hash| equal(hash, &theirs)),
        }
    }
}
