//! What the engine remembers of a phase-1 SA.

use crate::ike::authorization::Gate;
use crate::ike::identity::Identity;
use crate::ike::io::CredentialField;
use crate::ike::lookup::Demands;
use crate::ike::natt::{Dialect, NatState};
use crate::ike::pace::Repeats;
use crate::ike::proposal::Phase1Suite;
use crate::ike::retransmit::Retransmit;
use crate::ike::snapshot::IsakmpState;
use crate::ike::tables::child::PendingChild;
use crate::ike::tables::peer::Lease;
use crate::ike::v1::iv::ExchangeIvs;
use crate::ike::v1::keys::Phase1Keys;
use crate::ike::v1::quick_waiting::Waiting;
use crate::ike::v1::states::{
    AggressiveInitiator, AggressiveResponder, Held, MainInitiator, MainResponder, Meant, QuickInitiator,
    QuickResponder,
};
use crate::ike::vendor::Vendors;
use crate::limits;
use crate::names::{ConnId, PeerId};
use crate::path::Path;
use crate::policy::{ClientGroup, Connection, Phase1Mode};
use crate::time::Instant;
use crate::wire::attribute::Attribute;
use crate::wire::isakmp::Cookies;
use crate::wire::isakmp::{Cookie, Header};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// An ISAKMP SA in any state.
pub(crate) struct IsakmpSa {
    pub(crate) id: ConnId,
    pub(crate) path: Path,
    pub(crate) initiator: bool,
    pub(crate) mode: Phase1Mode,
    pub(crate) cookies: Cookies,
    pub(crate) created: Instant,
    /// When phase 1 last progressed.
    pub(crate) progress: Instant,
    /// Where its first message came from, if the peer initiated it.
    pub(crate) first_source: Option<IpAddr>,
    pub(crate) suite: Option<Phase1Suite>,
    pub(crate) vendors: Vendors,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) nat: NatState,
    /// In the client role: the client's connection.
    pub(crate) connection: Option<Arc<Connection>>,
    /// The profile that the initiator's crypto map entry names.
    pub(crate) wanted_profile: Option<String>,
    /// The peer that we begin it for, if we know one.
    pub(crate) meant: Option<Meant>,
    /// Our phase-1 message that waits for an answer.
    pub(crate) retransmit: Option<Retransmit>,
    /// Messages seen lately and what we answered.
    pub(crate) seen: Seen,
    /// Protected messages received before phase 1 was established on our side.
    pub(crate) early: Vec<(Path, Vec<u8>)>,
    /// Child SAs to negotiate once the IKE SA is established.
    pub(crate) pending: Vec<PendingChild>,
    /// Whether a packet came for one of these after the attempt had begun: if the attempt fails, it
    /// is made again.
    pub(crate) awaited: bool,
    pub(crate) state: State,
    pub(crate) dead: bool,
}

impl IsakmpSa {
    /// An SA in no state yet.
    pub(crate) fn new(
        id: ConnId,
        path: Path,
        mode: Phase1Mode,
        initiator: bool,
        cookies: Cookies,
        now: Instant,
    ) -> Self {
        Self {
            id,
            path,
            initiator,
            mode,
            cookies,
            created: now,
            progress: now,
            first_source: (!initiator).then_some(path.remote),
            suite: None,
            vendors: Vendors::default(),
            dialect: None,
            nat: NatState::default(),
            connection: None,
            wanted_profile: None,
            meant: None,
            retransmit: None,
            seen: Seen::default(),
            early: Vec::new(),
            pending: Vec::new(),
            awaited: false,
            state: State::Void,
            dead: false,
        }
    }

    /// Whether a message carries our cookie, and the peer's if we know it.
    pub(crate) fn carries_cookies(&self, header: &Header) -> bool {
        let (own, peer) = if self.initiator {
            (header.initiator, header.responder)
        } else {
            (header.responder, header.initiator)
        };
        let expected = self.other_cookie();
        own == self.own_cookie() && (expected == Cookie::ZERO || peer == expected)
    }

    /// Our own cookie, by which datagrams find the SA.
    pub(crate) fn own_cookie(&self) -> Cookie {
        if self.initiator { self.cookies.initiator } else { self.cookies.responder }
    }

    /// The peer's cookie.
    pub(crate) fn other_cookie(&self) -> Cookie {
        if self.initiator { self.cookies.responder } else { self.cookies.initiator }
    }

    pub(crate) fn established(&self) -> Option<&Established> {
        match &self.state {
            State::Established(established) => Some(established),
            _ => None,
        }
    }

    pub(crate) fn established_mut(&mut self) -> Option<&mut Established> {
        match &mut self.state {
            State::Established(established) => Some(established),
            _ => None,
        }
    }

    /// The NAT traversal dialect, if the SA's path has ESP in UDP.
    pub(crate) fn udp_dialect(&self) -> Option<Dialect> {
        self.dialect.filter(|_| self.path.encapsulation == crate::path::Encapsulation::Udp)
    }
}

/// Phase 1 is a chain of states; the message that ends a state consumes it.
pub(crate) enum State {
    /// Main mode, initiator.
    MainInitiator(Box<MainInitiator>),
    /// Main mode, responder.
    MainResponder(Box<MainResponder>),
    /// Aggressive mode, initiator.
    AggressiveInitiator(Box<AggressiveInitiator>),
    /// Aggressive mode, responder.
    AggressiveResponder(Box<AggressiveResponder>),
    /// Phase 1 is established.
    Established(Box<Established>),
    /// Between two states, while a message is handled.
    Void,
}

/// What an established SA has.
pub(crate) struct Established {
    pub(crate) keys: Phase1Keys,
    pub(crate) ivs: ExchangeIvs,
    pub(crate) message_ids: MessageIds,
    pub(crate) peer: PeerId,
    pub(crate) identity: Identity,
    pub(crate) profile: Option<String>,
    pub(crate) demands: Demands,
    pub(crate) group: Option<Arc<ClientGroup>>,
    pub(crate) gate: Gate,
    pub(crate) exchanges: BTreeMap<u32, Exchange>,
    /// Quick modes for which there is no room now.
    pub(crate) waiting: Waiting,
    /// When the SA ends.
    pub(crate) expires: Instant,
    /// When it is rekeyed, if anything still needs it.
    pub(crate) renew: Option<Instant>,
    /// When the first Xauth request is sent.
    pub(crate) xauth_start: Option<Instant>,
    /// When Xauth must be complete.
    pub(crate) xauth_end: Option<Instant>,
    /// INITIAL-CONTACT was received and waits for authorisation.
    pub(crate) initial_contact: bool,
    /// Whether this SA replaces another one with the same peer.
    pub(crate) renewal: bool,
    pub(crate) xauth_used: bool,
    /// Client: the user's answers were sent once.
    pub(crate) xauth_answered: bool,
    /// Wrong passwords so far.
    pub(crate) xauth_failures: u32,
    /// How often nobody could check a password.
    pub(crate) xauth_deferred: u32,
    pub(crate) config_used: bool,
    pub(crate) dpd: Dpd,
    /// When to delete this SA after another replaced it.
    pub(crate) retire: Option<Instant>,
    /// When the next NAT keepalive is sent.
    pub(crate) nat_keepalive: Option<Instant>,
}

impl Established {
    /// Quick modes in progress, whoever began them.
    pub(crate) fn quick_modes(&self) -> usize {
        let quick = |exchange: &&Exchange| {
            matches!(
                exchange,
                Exchange::QuickInitiator(_) | Exchange::QuickResponder(_) | Exchange::QuickHeld(_)
            )
        };
        self.exchanges.values().filter(quick).count()
    }

    /// Whether an exchange has or had this message id.
    pub(crate) fn is_in_use(&self, message_id: u32) -> bool {
        self.exchanges.contains_key(&message_id) || self.message_ids.contains(message_id)
    }
}

/// Message ids of the quick modes that either side initiated on an SA. An id is used once: a
/// message 1 with a used id is a replayed message of the peer or one of our own sent back to us.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageIds {
    used: BTreeSet<u32>,
}

impl MessageIds {
    /// Whether a quick mode with this id was initiated.
    pub(crate) fn contains(&self, id: u32) -> bool {
        self.used.contains(&id)
    }

    /// A quick mode starts.
    pub(crate) fn insert(&mut self, id: u32) {
        self.used.insert(id);
    }

    /// Whether no further quick mode may start.
    pub(crate) fn is_full(&self) -> bool {
        self.used.len() >= limits::MESSAGE_IDS
    }

    /// Whether it is time to rekey: true once, when three quarters of the ids are used.
    pub(crate) fn runs_out(&self) -> bool {
        self.used.len() == limits::MESSAGE_IDS / 4 * 3
    }
}

/// Dead peer detection (RFC 3706).
#[derive(Clone, Debug, Default)]
pub(crate) struct Dpd {
    /// Sequence number of the last probe.
    pub(crate) sequence: u32,
    /// Probes without an answer.
    pub(crate) unanswered: u32,
    /// When the next probe is sent.
    pub(crate) next: Option<Instant>,
    /// When we last heard from the peer.
    pub(crate) heard: Instant,
}

/// An exchange after phase 1 that is in progress.
pub(crate) enum Exchange {
    /// Hub: Xauth request sent; the user's name if it is a further round.
    XauthRequest { user: Option<String>, retransmit: Retransmit },
    /// Hub: the AAA list is asked about this user.
    XauthCheck { user: String },
    /// Hub: the verdict is sent; the user's name if Xauth passed.
    XauthSet { user: Option<String>, retransmit: Retransmit },
    /// Hub: an address is asked for.
    ConfigLease { identifier: u16, requested: Vec<Attribute> },
    /// Hub: an address to push is asked for.
    PushLease { identifier: u16 },
    /// Hub: the address is pushed; it belongs to the peer once the peer acknowledges it.
    ConfigSet { lease: Lease, retransmit: Retransmit },
    /// Client: the user is asked.
    XauthAnswer { identifier: u16, fields: Vec<CredentialField> },
    /// Client: mode-config request sent.
    ConfigRequest { retransmit: Retransmit },
    /// Quick mode that we initiated.
    QuickInitiator(Box<QuickInitiator>),
    /// Quick mode that the peer initiated.
    QuickResponder(Box<QuickResponder>),
    /// Quick mode that the peer initiated, for a network that may be another peer's: its answer
    /// waits.
    QuickHeld(Box<Held>),
}

impl Exchange {
    /// Our message that is repeated until it is answered.
    pub(crate) fn retransmit(&mut self) -> Option<&mut Retransmit> {
        match self {
            Self::XauthRequest { retransmit, .. }
            | Self::XauthSet { retransmit, .. }
            | Self::ConfigSet { retransmit, .. }
            | Self::ConfigRequest { retransmit, .. } => Some(retransmit),
            Self::QuickInitiator(quick) => Some(&mut quick.retransmit),
            Self::QuickResponder(quick) => Some(&mut quick.retransmit),
            Self::XauthCheck { .. }
            | Self::ConfigLease { .. }
            | Self::PushLease { .. }
            | Self::XauthAnswer { .. }
            | Self::QuickHeld(_) => None,
        }
    }

    /// Where our next message of it goes, if that is known already.
    pub(crate) fn path(&mut self) -> Option<&mut Path> {
        match self {
            Self::QuickHeld(held) => Some(&mut held.path),
            other => other.retransmit().map(|retransmit| &mut retransmit.path),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::XauthRequest { retransmit, .. }
            | Self::XauthSet { retransmit, .. }
            | Self::ConfigSet { retransmit, .. }
            | Self::ConfigRequest { retransmit, .. } => Some(retransmit.deadline()),
            Self::QuickInitiator(quick) => Some(quick.retransmit.deadline()),
            Self::QuickResponder(quick) => Some(quick.retransmit.deadline()),
            Self::XauthCheck { .. }
            | Self::ConfigLease { .. }
            | Self::PushLease { .. }
            | Self::XauthAnswer { .. }
            | Self::QuickHeld(_) => None,
        }
    }
}

/// The message that answered another, and its path.
pub(crate) type Answer = Option<(Path, Vec<u8>)>;

/// Messages seen lately, by digest, with our answers: a byte-equal repetition gets the same answer,
/// a few times, and changes nothing else.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    messages: VecDeque<SeenMessage>,
    late: Option<(u32, (Path, Vec<u8>))>,
}

#[derive(Debug)]
struct SeenMessage {
    digest: [u8; 32],
    message_id: u32,
    repeats: Repeats,
    /// Boxed, because most messages have no answer, or no longer keep one.
    answer: Option<Box<(Path, Vec<u8>)>>,
}

impl Seen {
    /// The digest of a datagram.
    pub(crate) fn digest(bytes: &[u8]) -> [u8; 32] {
        let digest = hubward_crypto::mac::hash(hubward_crypto::suite::HashAlg::Sha256, &[bytes]);
        digest.first_chunk().copied().unwrap_or_default()
    }

    /// Our answer, if the message was seen before, and if it may be sent once more.
    pub(crate) fn answer(&mut self, digest: &[u8; 32], now: Instant) -> Option<Option<&(Path, Vec<u8>)>> {
        let seen = self.messages.iter_mut().find(|seen| seen.digest == *digest)?;
        let may = seen.answer.is_some() && seen.repeats.again(now);
        Some(seen.answer.as_deref().filter(|_| may))
    }

    /// Remembers a message that was genuine.
    pub(crate) fn remember(&mut self, digest: [u8; 32], message_id: u32, answer: Answer, now: Instant) {
        if self.messages.len() == limits::SEEN {
            self.messages.pop_front();
        }
        // a peer that continues has received our earlier answers of this exchange and of phase 1,
        // and will not ask for them again
        let over = |seen: &&mut SeenMessage| seen.message_id == message_id || seen.message_id == 0;
        self.messages.iter_mut().filter(over).for_each(|seen| seen.answer = None);
        let late = self.late.take_if(|(id, _)| *id == message_id).map(|(_, answer)| answer);
        let answer = answer.or(late).map(Box::new);
        self.messages.push_back(SeenMessage { digest, message_id, repeats: Repeats::first(now), answer });
    }

    /// The paths of the answers.
    pub(crate) fn paths(&mut self) -> impl Iterator<Item = &mut Path> {
        let answers = self.messages.iter_mut().filter_map(|seen| seen.answer.as_deref_mut());
        answers.chain(self.late.as_mut().map(|(_, answer)| answer)).map(|(path, _)| path)
    }

    /// Sets the answer to a message of this id when it is made after the message was remembered, or
    /// before.
    pub(crate) fn amend(&mut self, message_id: u32, answer: (Path, Vec<u8>)) {
        match self.messages.iter_mut().rev().find(|seen| seen.message_id == message_id) {
            Some(SeenMessage { answer: slot @ None, .. }) => *slot = Some(Box::new(answer)),
            _ => self.late = Some((message_id, answer)),
        }
    }
}

impl Seen {
    /// The answers to the messages of this id are not sent again.
    pub(crate) fn withdraw(&mut self, message_id: u32) {
        let of_id = |seen: &&mut SeenMessage| seen.message_id == message_id;
        self.messages.iter_mut().filter(of_id).for_each(|seen| seen.answer = None);
    }
}

/// The state of an SA as `show crypto isakmp sa` names it.
pub(crate) fn state_of(sa: &IsakmpSa) -> IsakmpState {
    match (&sa.state, sa.mode) {
        (State::Established(established), _) if established.gate.authorized().is_none() => {
            IsakmpState::ConfXauth
        }
        (State::Established(established), _) => {
            let configuring = established.exchanges.values().any(|exchange| {
                matches!(
                    exchange,
                    Exchange::ConfigLease { .. }
                        | Exchange::ConfigRequest { .. }
                        | Exchange::PushLease { .. }
                        | Exchange::ConfigSet { .. }
                )
            });
            if configuring { IsakmpState::ConfAddr } else { IsakmpState::QmIdle }
        }
        (State::MainInitiator(state), _) => state.show(),
        (State::MainResponder(state), _) => state.show(),
        (State::AggressiveInitiator(_), _) => IsakmpState::AgInitExch,
        (State::AggressiveResponder(state), _) => state.show(),
        (State::Void, Phase1Mode::Main) => IsakmpState::MmNoState,
        (State::Void, Phase1Mode::Aggressive) => IsakmpState::AgNoState,
    }
}
