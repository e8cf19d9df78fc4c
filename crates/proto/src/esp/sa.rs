//! A child SA pair as the engine negotiated it and the data plane runs it.

use crate::flow::selector::Selector;
use crate::flow::tables::Lookup;
use crate::names::{ChildId, Service, Spi};
use crate::path::{DfBit, Mode, Path};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::EspSuite;
use std::net::IpAddr;

/// Which half of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the peer.
    Inbound,
    /// To the peer.
    Outbound,
}

/// One half of a child SA pair.
#[derive(Clone, Debug)]
pub struct Half {
    /// The receiver's SPI.
    pub spi: Spi,
    /// Cipher key, GCM salt, integrity key, in this order (`EspSuite::keymat_len` bytes).
    pub keymat: Secret,
}

/// A negotiated pair of ESP SAs. Immutable: a rekey makes a new one.
#[derive(Clone, Debug)]
pub struct ChildSa {
    /// Its name.
    pub id: ChildId,
    /// Where the outer packets go. Later moves (NAT rebinding, a new address) are told by
    /// [`crate::ike::io::Effect::Repath`].
    pub path: Path,
    /// What it serves.
    pub service: Service,
    /// The inner packets it carries.
    pub selector: Selector,
    /// Inner sources allowed inbound, narrower than the selector: the address leased to a client.
    pub lease: Option<IpAddr>,
    /// Tunnel or transport.
    pub mode: Mode,
    /// Algorithms, the same in both directions.
    pub suite: EspSuite,
    /// From the peer: our SPI.
    pub inbound: Half,
    /// To the peer: the peer's SPI.
    pub outbound: Half,
    /// Anti-replay window in packets, 64 to 4096; 0 only where the configuration disables it.
    pub replay_window: u32,
    /// Volume after which the data plane asks for a rekey, in bytes; `None` for no volume limit.
    pub soft_bytes: Option<u64>,
    /// Volume after which the SA must not be used, in bytes.
    pub hard_bytes: Option<u64>,
    /// What the outer header's DF bit becomes.
    pub df: DfBit,
}

impl ChildSa {
    /// How the port that carries its packets finds it.
    pub fn lookup(&self) -> Lookup {
        match self.service {
            Service::Tunnel(interface) => Lookup::ByInterface(interface),
            Service::Entry(_) | Service::Dynamic { .. } | Service::Client(_) => Lookup::BySelector,
        }
    }

    /// Volume after which the receiving half asks for a rekey: half-way between what makes the
    /// sending half ask and the end, so that as a rule only one side renews, and a peer that counts
    /// nothing and sends more than it gets is renewed all the same.
    pub fn inbound_soft_bytes(&self) -> Option<u64> {
        let (soft, hard) = (self.soft_bytes?, self.hard_bytes?);
        Some(soft + hard.saturating_sub(soft) / 2)
    }
}
