//! What `show` commands read: a copy of the engine's state at one moment.

use crate::esp::sa::ChildSa;
use crate::names::{ConnId, Service, Untrusted};
use crate::path::Path;
use crate::time::Instant;
use hubward_crypto::suite::{DhGroup, HashAlg, IkeCipher};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Everything the engine knows.
#[derive(Clone, Debug, Default)]
pub struct IkeSnapshot {
    /// ISAKMP SAs in order of connection id.
    pub isakmp: Vec<IsakmpView>,
    /// Child SAs in order of their ids.
    pub children: Vec<ChildView>,
}

/// State names of `show crypto isakmp sa`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IsakmpState {
    /// Main mode started.
    MmNoState,
    /// Main mode proposal agreed.
    MmSaSetup,
    /// Main mode keys exchanged.
    MmKeyExch,
    /// Aggressive mode started.
    AgNoState,
    /// Aggressive mode first exchange done.
    AgInitExch,
    /// Xauth in progress.
    ConfXauth,
    /// Mode-config in progress.
    ConfAddr,
    /// Established and idle.
    QmIdle,
}

impl IsakmpState {
    /// The name IOS prints.
    pub const fn ios_name(self) -> &'static str {
        match self {
            Self::MmNoState => "MM_NO_STATE",
            Self::MmSaSetup => "MM_SA_SETUP",
            Self::MmKeyExch => "MM_KEY_EXCH",
            Self::AgNoState => "AG_NO_STATE",
            Self::AgInitExch => "AG_INIT_EXCH",
            Self::ConfXauth => "CONF_XAUTH",
            Self::ConfAddr => "CONF_ADDR",
            Self::QmIdle => "QM_IDLE",
        }
    }
}

/// One ISAKMP SA.
#[derive(Clone, Debug)]
pub struct IsakmpView {
    /// Its connection id.
    pub conn_id: ConnId,
    /// The peer it belongs to, once authenticated: SAs and child SAs of one peer have the same
    /// number.
    pub peer: Option<u64>,
    /// When its first message was sent or received.
    pub created: Instant,
    /// Its path.
    pub path: Path,
    /// Whether we initiated it.
    pub initiator: bool,
    /// Its state.
    pub state: IsakmpState,
    /// Whether it is kept only until its deletion is complete.
    pub deleted: bool,
    /// Cipher, once agreed.
    pub cipher: Option<IkeCipher>,
    /// Hash, once agreed.
    pub hash: Option<HashAlg>,
    /// Group, once agreed.
    pub group: Option<DhGroup>,
    /// When it expires.
    pub expires: Option<Instant>,
    /// Agreed lifetime.
    pub lifetime: Option<Duration>,
    /// The lifetime that the initiator proposed.
    pub offered: Option<Duration>,
    /// The peer's identity, once proven.
    pub identity: Option<Untrusted>,
    /// The ISAKMP profile.
    pub profile: Option<String>,
    /// The client group.
    pub group_name: Option<String>,
    /// The Xauth user.
    pub user: Option<Untrusted>,
    /// The inner address of the client.
    pub assigned: Option<IpAddr>,
    /// Cap. C: mode-config was used.
    pub mode_config: bool,
    /// Cap. X: Xauth was used.
    pub xauth: bool,
    /// Cap. D: dead peer detection is configured and the peer supports it.
    pub dpd: bool,
    /// Cap. N: a NAT was found.
    pub nat: bool,
}

/// One child SA.
#[derive(Clone, Debug)]
pub struct ChildView {
    /// Its parameters.
    pub sa: Arc<ChildSa>,
    /// The peer it belongs to; its ISAKMP SAs have the same number.
    pub peer: u64,
    /// Its current path.
    pub path: Path,
    /// The phase-1 SA under which it was negotiated.
    pub conn_id: Option<ConnId>,
    /// The entry that serves it.
    pub service: Service,
    /// Whether we initiated it.
    pub initiator: bool,
    /// The lifetime that the initiator proposed.
    pub offered: Option<Duration>,
    /// Whether a newer child SA replaced it.
    pub superseded: bool,
    /// When it was established.
    pub established: Instant,
    /// When it expires.
    pub expires: Instant,
    /// PFS group used.
    pub pfs: Option<DhGroup>,
    /// Volume limit in kilobytes.
    pub kilobytes: Option<u64>,
}
