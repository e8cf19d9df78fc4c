//! What an exchange keeps between two messages: one type for each state, with exactly the fields that
//! are valid in it.

use crate::ike::authenticator::Authenticator;
use crate::ike::identity::Identity;
use crate::ike::lookup::Demands;
use crate::ike::proposal::Phase1Choice;
use crate::ike::retransmit::Retransmit;
use crate::ike::snapshot::IsakmpState;
use crate::ike::tables::child::PendingChild;
use crate::ike::v1::iv::Phase1Iv;
use crate::ike::v1::keys::Phase1Keys;
use crate::names::{ChildId, PeerId, Spi};
use crate::path::Path;
use crate::policy::{ClientGroup, EntryTerms};
use crate::time::Instant;
use hubward_crypto::dh::DhPrivate;
use std::sync::Arc;

/// Main mode, initiator.
pub(crate) enum MainInitiator {
    /// Message 1 is sent.
    Proposed { sa_body: Vec<u8>, authenticator: Authenticator },
    /// Message 3 is sent.
    Exchanged { sa_body: Vec<u8>, authenticator: Authenticator, private: DhPrivate, nonce: Vec<u8> },
    /// Message 5 is sent.
    Identified {
        sa_body: Vec<u8>,
        authenticator: Authenticator,
        keys: Box<Phase1Keys>,
        iv: Phase1Iv,
        public: Vec<u8>,
        peer_public: Vec<u8>,
    },
}

/// Main mode, responder.
pub(crate) enum MainResponder {
    /// Message 2 is sent.
    Proposed { sa_body: Vec<u8> },
    /// Message 4 is sent.
    Exchanged {
        sa_body: Vec<u8>,
        keys: Box<Phase1Keys>,
        iv: Phase1Iv,
        authenticator: Authenticator,
        public: Vec<u8>,
        peer_public: Vec<u8>,
    },
}

impl MainInitiator {
    /// Whether only message 6 is missing.
    pub(crate) fn is_identified(&self) -> bool {
        matches!(self, Self::Identified { .. })
    }

    /// The number of our last message: 1, 3 or 5.
    pub(crate) fn number(&self) -> Option<u8> {
        Some(match self {
            Self::Proposed { .. } => 1,
            Self::Exchanged { .. } => 3,
            Self::Identified { .. } => 5,
        })
    }

    pub(crate) fn show(&self) -> IsakmpState {
        match self {
            Self::Proposed { .. } => IsakmpState::MmNoState,
            Self::Exchanged { .. } => IsakmpState::MmSaSetup,
            Self::Identified { .. } => IsakmpState::MmKeyExch,
        }
    }
}

impl MainResponder {
    /// Whether message 3 was received, with our cookie.
    pub(crate) fn is_exchanged(&self) -> bool {
        matches!(self, Self::Exchanged { .. })
    }

    /// The length of the SA payload of message 1.
    pub(crate) fn proposal_len(&self) -> usize {
        let (Self::Proposed { sa_body } | Self::Exchanged { sa_body, .. }) = self;
        sa_body.len()
    }

    /// The number of our last message: 2 or 4.
    pub(crate) fn number(&self) -> Option<u8> {
        Some(match self {
            Self::Proposed { .. } => 2,
            Self::Exchanged { .. } => 4,
        })
    }

    pub(crate) fn show(&self) -> IsakmpState {
        match self {
            Self::Proposed { .. } => IsakmpState::MmSaSetup,
            Self::Exchanged { .. } => IsakmpState::MmKeyExch,
        }
    }
}

/// Aggressive mode, initiator: message 1 is sent.
pub(crate) struct AggressiveInitiator {
    pub(crate) sa_body: Vec<u8>,
    pub(crate) identity: Vec<u8>,
    pub(crate) authenticator: Authenticator,
    pub(crate) private: DhPrivate,
    pub(crate) nonce: Vec<u8>,
}

/// Aggressive mode, responder.
pub(crate) enum AggressiveResponder {
    /// The authorization list is asked for the group's key.
    Authorizing(Box<Authorizing>),
    /// Message 2 is sent.
    Answered(Box<Answered>),
}

impl AggressiveResponder {
    pub(crate) fn show(&self) -> IsakmpState {
        match self {
            Self::Authorizing(_) => IsakmpState::AgNoState,
            Self::Answered(_) => IsakmpState::AgInitExch,
        }
    }
}

/// What message 1 contained.
pub(crate) struct Authorizing {
    /// Its length in bytes.
    pub(crate) asked: usize,
    pub(crate) sa_body: Vec<u8>,
    pub(crate) choice: Phase1Choice,
    pub(crate) peer_public: Vec<u8>,
    pub(crate) nonce_i: Vec<u8>,
    pub(crate) id_body: Vec<u8>,
    pub(crate) identity: Identity,
    pub(crate) profile: Option<String>,
    pub(crate) demands: Demands,
}

/// What is known once message 2 is sent.
pub(crate) struct Answered {
    pub(crate) authenticator: Authenticator,
    pub(crate) sa_body: Vec<u8>,
    pub(crate) keys: Phase1Keys,
    pub(crate) iv: Phase1Iv,
    pub(crate) public: Vec<u8>,
    pub(crate) peer_public: Vec<u8>,
    pub(crate) id_body: Vec<u8>,
    pub(crate) identity: Identity,
    pub(crate) profile: Option<String>,
    pub(crate) demands: Demands,
    pub(crate) group: Option<Arc<ClientGroup>>,
}

/// Quick mode, initiator: message 1 is sent.
pub(crate) struct QuickInitiator {
    pub(crate) child: PendingChild,
    pub(crate) retransmit: Retransmit,
    pub(crate) terms: EntryTerms,
    pub(crate) spi: Spi,
    pub(crate) nonce: Vec<u8>,
    pub(crate) private: Option<DhPrivate>,
}

/// Quick mode, responder: message 2 is sent.
pub(crate) struct QuickResponder {
    pub(crate) child: ChildId,
    pub(crate) retransmit: Retransmit,
    pub(crate) nonce_i: Vec<u8>,
    pub(crate) nonce_r: Vec<u8>,
}

/// A quick mode whose answer waits until it is known who has the network.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) first: u8,
    pub(crate) payloads: Vec<u8>,
    pub(crate) path: Path,
    pub(crate) since: Instant,
}

/// A phase 1 that we begin for a peer that is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meant {
    /// For whom: whoever else answers gets nothing of that peer's.
    pub(crate) peer: PeerId,
    /// When to give up, if not after the usual time.
    pub(crate) until: Option<Instant>,
}
