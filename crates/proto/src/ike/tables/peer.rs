//! What is known of a peer, and of an address leased to it.

use crate::ike::identity::Identity;
use crate::ike::io::LeaseOwner;
use crate::path::Path;
use crate::policy::Connection;
use crate::time::Instant;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// A peer.
pub(crate) struct Peer {
    pub(crate) path: Path,
    pub(crate) identity: Identity,
    pub(crate) profile: Option<String>,
    /// Xauth user.
    pub(crate) user: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) lease: Option<Lease>,
    /// Client role: the connection and its assigned address.
    pub(crate) connection: Option<(Arc<Connection>, Option<Ipv4Addr>)>,
    /// Whether the peer announced DPD.
    pub(crate) dpd: bool,
    /// Whether the peer was found behind a NAT.
    pub(crate) behind_nat: bool,
    /// Since when it has been on its path.
    pub(crate) since: Instant,
    /// When phase 1 was last begun to ask whether it is there.
    pub(crate) called: Option<Instant>,
    /// When it was last notified of an SPI that we do not know.
    pub(crate) told: Option<Instant>,
}

impl Peer {
    /// Whether it is a VPN client of ours: phase 1 is its session.
    pub(crate) fn is_client(&self) -> bool {
        self.lease.is_some() || self.user.is_some()
    }
}

/// An address leased to a client.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) pool: String,
    pub(crate) owner: LeaseOwner,
    pub(crate) address: IpAddr,
}
