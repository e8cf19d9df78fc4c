//! A child SA as the engine negotiated it and the data plane uses it.

use crate::flow::selector::Selector;
use crate::flow::tables::Lookup;
use crate::names::{ChildId, Service, Spi};
use crate::path::{DfBit, Mode, Path};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::EspSuite;
use std::net::IpAddr;

/// A direction of a child SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the peer.
    Inbound,
    /// To the peer.
    Outbound,
}

/// One direction of a child SA.
#[derive(Clone, Debug)]
pub struct Half {
    /// The receiver's SPI.
    pub spi: Spi,
    /// Cipher key, GCM salt, integrity key, in this order (`EspSuite::keymat_len` bytes).
    pub keymat: Secret,
}

/// A negotiated child SA: the ESP SAs of both directions. It is immutable; a rekey makes a new one.
#[derive(Clone, Debug)]
pub struct ChildSa {
    /// Its name.
    pub id: ChildId,
    /// Where the outer packets go. Later moves (NAT rebinding, a new address) are published by
    /// [`crate::ike::io::Effect::Repath`].
    pub path: Path,
    /// What it serves.
    pub service: Service,
    /// The inner packets it carries.
    pub selector: Selector,
    /// Inner sources allowed inbound, if narrower than the selector: the address leased to a
    /// client.
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
    /// How the outer header's DF bit is set.
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

    /// Volume after which the inbound SA asks for a rekey: half-way between the soft limit of the
    /// outbound SA and the hard limit. So normally only one side rekeys, and a child SA is rekeyed
    /// even if its peer does not count and sends more than it receives.
    pub fn inbound_soft_bytes(&self) -> Option<u64> {
        let (soft, hard) = (self.soft_bytes?, self.hard_bytes?);
        Some(soft + hard.saturating_sub(soft) / 2)
    }
}
