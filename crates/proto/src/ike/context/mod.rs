//! What an exchange of any version may touch: the configuration, peers and their child SAs, timers,
//! questions to the outside, and the outbox. IKE SAs are not among it: each version has its own, in
//! a room of its own, so that an exchange holds its SA and the context at the same time.

pub(crate) mod child;
mod claims;
mod known;
mod peer;

use crate::ike::io::{AskId, Effect, Question};
use crate::ike::outbox::Outbox;
use crate::ike::retransmit::Retransmit;
use crate::ike::tables::asks::{AskFor, AskedLease, Asks};
use crate::ike::tables::child::Child;
use crate::ike::tables::claims::Claims;
use crate::ike::tables::known::Known;
use crate::ike::tables::peers::Peers;
use crate::ike::tables::timers::{Timer, Timers};
use crate::names::{ChildId, ConnId, InterfaceId, PeerId, Service};
use crate::path::Path;
use crate::policy::Policy;
use crate::time::{Instant, Now};
use hubward_crypto::random::Random;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The connection id of the first SA, as on IOS.
const FIRST_CONN_ID: u32 = 1001;

/// What all versions of IKE share.
pub struct Context {
    pub(crate) policy: Arc<Policy>,
    pub(crate) random: Random,
    pub(crate) now: Now,
    pub(crate) out: Outbox,
    pub(crate) timers: Timers,
    pub(crate) ids: NextIds,
    /// The IKE SAs of other versions than IKEv1, and the major version of each.
    pub(crate) elsewhere: BTreeMap<ConnId, u8>,
    pub(crate) asks: Asks,
    pub(crate) peers: Peers,
    /// The established IKE SAs of each peer.
    pub(crate) sas_of: BTreeSet<(PeerId, ConnId)>,
    /// Peers whose IKE SAs are being worked on. Such an SA may not be among those of its peer yet.
    pub(crate) in_work: Vec<PeerId>,
    pub(crate) children: BTreeMap<ChildId, Box<Child>>,
    /// The children of each peer.
    pub(crate) children_of: BTreeSet<(PeerId, ChildId)>,
    pub(crate) by_spi: BTreeMap<u32, ChildId>,
    /// The networks of the children.
    pub(crate) claims: Claims,
    pub(crate) known: Known,
    pub(crate) reconnects: BTreeMap<String, Reconnect>,
    /// The peer with which a crypto map entry with several peers initiates next, if it is not the
    /// first.
    pub(crate) next_peer: BTreeMap<Service, IpAddr>,
    pub(crate) stopping: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct NextIds {
    pub(crate) conn: u32,
    child: u64,
    peer: u64,
    ask: u64,
}

/// When the VPN client tries again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reconnect {
    pub(crate) at: Instant,
    pub(crate) wait: Duration,
    /// The gateway to initiate with next, named by another gateway.
    pub(crate) redirect: Option<IpAddr>,
    /// The gateway that is used instead of the connection's own.
    pub(crate) gateway: Option<IpAddr>,
    /// How often gateways redirected us since we last initiated with the connection's own.
    pub(crate) redirects: u32,
}

impl Context {
    pub(crate) fn new(policy: Arc<Policy>, seed: [u8; 32], now: Now) -> Self {
        Self {
            policy,
            random: Random::new(seed),
            now,
            out: Outbox::default(),
            timers: Timers::default(),
            ids: NextIds { conn: FIRST_CONN_ID, child: 1, peer: 1, ask: 1 },
            elsewhere: BTreeMap::new(),
            asks: Asks::default(),
            peers: Peers::default(),
            sas_of: BTreeSet::new(),
            in_work: Vec::new(),
            children: BTreeMap::new(),
            children_of: BTreeSet::new(),
            by_spi: BTreeMap::new(),
            claims: Claims::default(),
            known: Known::default(),
            reconnects: BTreeMap::new(),
            next_peer: BTreeMap::new(),
            stopping: false,
        }
    }

    /// The configuration.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// Another configuration; returns the old one.
    pub(crate) fn set_policy(&mut self, policy: Arc<Policy>) -> Arc<Policy> {
        std::mem::replace(&mut self.policy, policy)
    }

    /// An interface has another address, or none.
    pub(crate) fn set_address(&mut self, interface: InterfaceId, address: Option<IpAddr>) {
        let mut policy = (*self.policy).clone();
        for known in policy.interfaces.iter_mut().filter(|known| known.id == interface) {
            known.address = address;
        }
        self.policy = Arc::new(policy);
    }

    /// Whether the gateway stops: SAs end, and nothing new is accepted.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        self.reconnects.clear();
    }

    /// The time of the input that is being handled.
    pub fn now(&self) -> Now {
        self.now
    }

    /// The engine's only source of randomness: the same seed and inputs give the same bytes.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Where effects and events go.
    pub fn out(&mut self) -> &mut Outbox {
        &mut self.out
    }

    // ---- IKE SAs of other versions
    // ------------------------------------------------------------------------------

    /// An id for a new IKE SA of this major version; it is given back with [`Self::close`].
    pub fn open(&mut self, major: u8) -> ConnId {
        let id = loop {
            let id = self.next_conn_id();
            // an SA of IKEv1 always has a timer
            if !self.elsewhere.contains_key(&id) && !self.timers.is_armed(&Timer::Isakmp(id)) {
                break id;
            }
        };
        self.elsewhere.insert(id, major);
        self.out.isakmp_changed(id);
        id
    }

    /// Sets the timer of an SA that [`Self::open`] made to another time, or takes it away.
    pub fn arm(&mut self, id: ConnId, at: Option<Instant>) {
        if let Some(major) = self.elsewhere.get(&id) {
            self.timers.arm(Timer::Version(*major, id), at);
        }
    }

    /// An SA that [`Self::open`] made has ended.
    pub fn close(&mut self, id: ConnId) {
        self.arm(id, None);
        self.asks.ended(id);
        self.elsewhere.remove(&id);
        self.out.isakmp_changed(id);
    }

    // ---- questions and messages
    // ---------------------------------------------------------------------------------

    /// Sends a message that expects an answer.
    pub(crate) fn transmit_expecting(&mut self, path: Path, bytes: Vec<u8>) -> Retransmit {
        self.out.transmit(path, bytes.clone());
        Retransmit::sent(path, bytes, self.now)
    }

    pub(crate) fn ask(&mut self, conn: ConnId, message_id: u32, question: Question) {
        self.ask_for(AskFor { conn, message_id, lease: None }, question);
    }

    /// Asks for an address from a pool.
    pub(crate) fn ask_for_lease(
        &mut self,
        conn: ConnId,
        message_id: u32,
        asked: AskedLease,
        wanted: Option<IpAddr>,
    ) {
        let question = Question::Lease { pool: asked.pool.clone(), owner: asked.owner.clone(), wanted };
        self.ask_for(AskFor { conn, message_id, lease: Some(asked) }, question);
    }

    fn ask_for(&mut self, asked: AskFor, question: Question) {
        let id = AskId(self.ids.ask);
        self.ids.ask += 1;
        self.asks.insert(id, asked);
        self.out.effect(Effect::Ask { id, question });
    }

    /// Whether the authorization list has not yet answered for the client group of this SA.
    pub(crate) fn waits_for_group(&self, conn: ConnId) -> bool {
        self.asks.of(conn).any(|ask| ask.message_id == 0 && ask.lease.is_none())
    }

    // ---- names
    // --------------------------------------------------------------------------------------------------

    /// The next connection id, in use or not. After 2^32 of them they start again.
    pub(crate) fn next_conn_id(&mut self) -> ConnId {
        let id = ConnId(self.ids.conn);
        self.ids.conn = self.ids.conn.checked_add(1).unwrap_or(FIRST_CONN_ID);
        id
    }

    pub(crate) fn new_child_id(&mut self) -> ChildId {
        let id = ChildId(self.ids.child);
        self.ids.child += 1;
        id
    }

    pub(crate) fn new_peer_id(&mut self) -> PeerId {
        let id = PeerId(self.ids.peer);
        self.ids.peer += 1;
        id
    }

    /// A message id that is not zero and not in use.
    pub(crate) fn new_message_id(&mut self, in_use: impl Fn(u32) -> bool) -> u32 {
        loop {
            let id = self.random.u32();
            if id != 0 && !in_use(id) {
                return id;
            }
        }
    }

    /// How many ids were given out since this one.
    pub(crate) fn age(&self, id: ConnId) -> u32 {
        self.ids.conn.wrapping_sub(id.0)
    }

    /// The established SAs of a peer, oldest first.
    pub(crate) fn sas_of(&self, peer: PeerId) -> impl DoubleEndedIterator<Item = ConnId> {
        self.sas_of.range((peer, ConnId(0))..=(peer, ConnId(u32::MAX))).map(|(_, id)| *id)
    }

    /// The ids of the child SAs of a peer, oldest first.
    pub(crate) fn child_ids_of(&self, peer: PeerId) -> impl DoubleEndedIterator<Item = ChildId> {
        self.children_of.range((peer, ChildId(0))..=(peer, ChildId(u64::MAX))).map(|(_, id)| *id)
    }
}
