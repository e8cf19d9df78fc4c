//! What is known of a child SA.

use crate::esp::sa::ChildSa;
use crate::esp::sa::Half;
use crate::flow::selector::Selector;
use crate::ike::lifetime::Lifetimes;
use crate::ike::proposal::Phase2Suite;
use crate::ike::snapshot::ChildView;
use crate::names::{ChildId, PeerId};
use crate::names::{ConnId, Service};
use crate::path::Path;
use crate::policy::EntryTerms;
use crate::time::Instant;
use hubward_crypto::suite::DhGroup;
use std::sync::Arc;

/// A child SA.
pub(crate) struct Child {
    pub(crate) sa: Arc<ChildSa>,
    pub(crate) path: Path,
    pub(crate) peer: PeerId,
    pub(crate) conn: ConnId,
    pub(crate) initiator: bool,
    pub(crate) pfs: Option<DhGroup>,
    pub(crate) kilobytes: Option<u64>,
    /// The lifetimes that were proposed.
    pub(crate) offered: Lifetimes,
    /// The child SA that it replaces.
    pub(crate) replaced: Option<ChildId>,
    /// Whether it was reported that it is up.
    pub(crate) reported: bool,
    pub(crate) established: Instant,
    /// When the outbound SA is used at the latest, while an older child SA still serves.
    pub(crate) hand_over: Option<Instant>,
    pub(crate) soft: Option<Instant>,
    pub(crate) hard: Instant,
    /// When this child SA is deleted after another replaced it.
    pub(crate) retire: Option<Instant>,
    /// Whether it is then deleted even if the peer still uses it, because the peer has too many.
    pub(crate) crowded: bool,
    pub(crate) superseded: bool,
    pub(crate) outbound: bool,
    pub(crate) idle: Option<std::time::Duration>,
    pub(crate) last_inbound: Option<Instant>,
    pub(crate) last_outbound: Option<Instant>,
}

impl Child {
    /// Whether this child SA, in use, replaced an older one that was in use. One that is not in use
    /// yet belongs to a simultaneous rekey: if each side regarded the other's child SA as replaced,
    /// both would be deleted.
    pub(crate) fn replaces(&self, old: &Self) -> bool {
        old.sa.id < self.sa.id && self.outbound && old.outbound && old.sa.selector == self.sa.selector
    }

    /// Whether both sides have rekeyed the same child SA at the same time, and made these two.
    pub(crate) fn is_rival(&self, other: &Self) -> bool {
        self.replaced.is_some()
            && self.replaced == other.replaced
            && self.initiator != other.initiator
            && self.sa.selector == other.sa.selector
    }

    /// Which of two rivals stays: both sides see the same two SPIs, in opposite directions.
    pub(crate) fn yields_to(&self, rival: &Self) -> bool {
        let smaller = |child: &Self| child.sa.inbound.spi.0.min(child.sa.outbound.spi.0);
        smaller(rival) < smaller(self)
    }

    /// What `show` commands see of it.
    pub(crate) fn view(&self) -> ChildView {
        ChildView {
            sa: Arc::clone(&self.sa),
            peer: self.peer.0,
            path: self.path,
            conn_id: Some(self.conn),
            service: self.sa.service.clone(),
            initiator: self.initiator,
            offered: self.offered.seconds.map(std::time::Duration::from_secs),
            superseded: self.superseded,
            established: self.established,
            expires: self.hard,
            pfs: self.pfs,
            kilobytes: self.kilobytes,
        }
    }
}

impl Child {
    /// A child SA like this one, to replace it.
    pub(crate) fn again(&self) -> PendingChild {
        PendingChild {
            service: self.sa.service.clone(),
            selector: self.sa.selector,
            replaces: Some(self.sa.id),
            unanswered: 0,
        }
    }
}

/// A child SA that waits for phase 1.
#[derive(Clone, Debug)]
pub(crate) struct PendingChild {
    pub(crate) service: Service,
    pub(crate) selector: Selector,
    pub(crate) replaces: Option<ChildId>,
    /// Peers of the entry that did not answer when we initiated for it.
    pub(crate) unanswered: usize,
}

impl PendingChild {
    /// Whether both are for the same traffic.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.service == other.service && self.selector == other.selector
    }
}

/// Everything that makes a child SA.
pub(crate) struct NewChild {
    pub(crate) service: Service,
    pub(crate) terms: EntryTerms,
    pub(crate) selector: Selector,
    pub(crate) suite: Phase2Suite,
    /// The lifetimes that were proposed.
    pub(crate) offered: Lifetimes,
    pub(crate) inbound: Half,
    pub(crate) outbound: Half,
    pub(crate) replaces: Option<ChildId>,
    pub(crate) initiator: bool,
}
