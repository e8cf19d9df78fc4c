//! The engine: every IKE SA of the gateway. Its inputs are events and the time; its outputs are
//! effects.
//!
//! This file holds the tables and the routing of datagrams to SAs. Exchanges are in `v1/`, one
//! concern per file; child SAs are in `child.rs`, peers in `peer.rs`, timers in `timers.rs`. Who
//! may initiate is in `admission.rs`; who has sent only a first message, in `calls.rs`.

use crate::ike::admission::Admission;
use crate::ike::asks::{AskFor, AskedLease, Asks};
use crate::ike::calls::Calls;
use crate::ike::claims::Claims;
use crate::ike::event::{Event, EventKind};
use crate::ike::explain::Refusal;
use crate::ike::fragment::Fragments;
use crate::ike::io::{Answer, AskId, Command, Effect, Input, LeaseOwner, Limit, Question};
use crate::ike::known::Known;
use crate::ike::peers::Peers;
use crate::ike::retransmit::Retransmit;
use crate::ike::sa::{Child, Exchange, IsakmpSa, Lease, Seen, State};
use crate::ike::snapshot::{IkeSnapshot, IsakmpState, IsakmpView};
use crate::ike::timers::Timer;
use crate::ike::trace::{Fsm, FsmInput, Trace, TraceScope};
use crate::ike::v1::keys::Cookies;
use crate::ike::watch::Watched;
use crate::limits;
use crate::names::{ChildId, ConnId, InterfaceId, PeerId, Service};
use crate::path::Path;
use crate::policy::{Phase1Mode, Policy};
use crate::time::{Instant, Now};
use crate::wire::isakmp::{Cookie, Header};
use crate::wire::registry::{exchange, payload};
use hubward_crypto::random::Random;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The connection id of the first SA, as on IOS.
const FIRST_CONN_ID: u32 = 1001;

/// Every IKE SA of the gateway.
pub struct Engine {
    pub(super) policy: Arc<Policy>,
    pub(super) random: Random,
    pub(super) now: Now,
    effects: VecDeque<Effect>,
    /// Boxed, like peers and child SAs: the nodes of a tree are half empty, and an SA is taken out
    /// and put back for each message.
    pub(super) sas: BTreeMap<ConnId, Box<IsakmpSa>>,
    by_cookie: BTreeMap<Cookie, ConnId>,
    by_first_message: BTreeMap<(IpAddr, Cookie), ConnId>,
    /// Ids of the informational messages that we sent last on each SA: a message with one of them
    /// is our own sent back to us.
    pub(super) own_informationals: BTreeMap<ConnId, VecDeque<u32>>,
    pub(super) peers: Peers,
    pub(super) children: BTreeMap<ChildId, Box<Child>>,
    /// The children of each peer.
    pub(super) children_of: BTreeSet<(PeerId, ChildId)>,
    /// The established SAs of each peer.
    pub(super) sas_of: BTreeSet<(PeerId, ConnId)>,
    pub(super) by_spi: BTreeMap<u32, ChildId>,
    /// The networks of the children.
    pub(super) claims: Claims,
    asks: Asks,
    pub(super) timers: BTreeSet<(Instant, Timer)>,
    pub(super) armed: BTreeMap<Timer, Instant>,
    pub(super) reconnects: BTreeMap<String, Reconnect>,
    pub(super) watched: Option<Watched>,
    /// Which peers are traced.
    pub(super) tracing: TraceScope,
    next: NextIds,
    pub(super) stopping: bool,
    pub(super) admission: Admission,
    pub(super) known: Known,
    pub(super) calls: Calls,
    pub(super) fragments: Fragments,
    /// The peer with which a crypto map entry with several peers initiates next, if it is not the
    /// first.
    pub(super) next_peer: BTreeMap<Service, IpAddr>,
    /// Peers of SAs that are being worked on and are therefore in no table right now.
    pub(super) in_work: Vec<PeerId>,
}

#[derive(Clone, Copy, Debug)]
struct NextIds {
    conn: u32,
    child: u64,
    peer: u64,
    ask: u64,
}

/// When the VPN client tries again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reconnect {
    pub(super) at: Instant,
    pub(super) wait: Duration,
    /// The gateway to initiate with next, named by another gateway.
    pub(super) redirect: Option<IpAddr>,
    /// The gateway that is used instead of the connection's own.
    pub(super) gateway: Option<IpAddr>,
    /// How often gateways redirected us since we last initiated with the connection's own.
    pub(super) redirects: u32,
}

impl Engine {
    /// An engine without SAs. In production `seed` is fresh entropy and is not recorded anywhere.
    pub fn new(policy: Arc<Policy>, seed: [u8; 32], now: Now) -> Self {
        Self {
            policy,
            random: Random::new(seed),
            now,
            effects: VecDeque::new(),
            sas: BTreeMap::new(),
            by_cookie: BTreeMap::new(),
            by_first_message: BTreeMap::new(),
            own_informationals: BTreeMap::new(),
            peers: Peers::default(),
            children: BTreeMap::new(),
            children_of: BTreeSet::new(),
            sas_of: BTreeSet::new(),
            by_spi: BTreeMap::new(),
            claims: Claims::default(),
            asks: Asks::default(),
            timers: BTreeSet::new(),
            armed: BTreeMap::new(),
            reconnects: BTreeMap::new(),
            watched: None,
            tracing: TraceScope::Off,
            next: NextIds { conn: FIRST_CONN_ID, child: 1, peer: 1, ask: 1 },
            stopping: false,
            admission: Admission::default(),
            known: Known::default(),
            calls: Calls::default(),
            fragments: Fragments::default(),
            next_peer: BTreeMap::new(),
            in_work: Vec::new(),
        }
    }

    /// Handles an input.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Datagram { path, bytes } => self.datagram(path, bytes),
            Input::Acquire(acquire) => self.acquire(&acquire),
            Input::Answer { id, answer } => self.answer(id, answer),
            Input::Expire { child, limit: Limit::Soft } => self.rekey_child(child),
            Input::Expire { child, limit: Limit::Hard } => {
                self.end_child(child, "volume limit reached", true)
            }
            Input::InboundSeen { child } => self.inbound_seen(child),
            Input::Traffic { child, last_inbound, last_outbound } => {
                self.traffic(child, last_inbound, last_outbound)
            }
            Input::PeerMoved { child, remote, remote_port } => self.child_moved(child, remote, remote_port),
            Input::UnknownSpi { path, spi } => self.unknown_spi(path, spi),
            Input::Moved { interface, address } => self.moved(interface, address),
            Input::Policy(policy) => {
                self.change_policy(policy);
                self.end_stray_calls("the configuration changed");
            }
            Input::Command(command) => self.command(command),
            Input::Reseed(entropy) => self.random.reseed(entropy),
        }
    }

    /// The next effect to carry out.
    pub fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// The state, for `show` and tests.
    pub fn inspect(&self) -> IkeSnapshot {
        let sas = self.sas.values().map(|sa| self.isakmp_view(sa));
        let mut isakmp: Vec<_> = sas.chain(self.call_views()).collect();
        isakmp.sort_by_key(|view| view.conn_id);
        IkeSnapshot { isakmp, children: self.children.values().map(|child| child.view()).collect() }
    }

    pub(super) fn isakmp_view(&self, sa: &IsakmpSa) -> IsakmpView {
        let established = sa.established();
        let peer = established.and_then(|established| self.peers.get(&established.peer));
        let state = Self::isakmp_state(sa);
        IsakmpView {
            conn_id: sa.id,
            peer: established.map(|established| established.peer.0),
            created: sa.created,
            path: sa.path,
            initiator: sa.initiator,
            state,
            deleted: established.is_some_and(|established| established.retire.is_some()),
            cipher: sa.suite.map(|suite| suite.cipher),
            hash: sa.suite.map(|suite| suite.hash),
            group: sa.suite.map(|suite| suite.group),
            expires: established.map(|established| established.expires),
            lifetime: sa.suite.map(|suite| suite.lifetime),
            offered: sa.suite.and_then(|suite| suite.wished),
            identity: established.map(|established| established.identity.display()),
            profile: established.and_then(|established| established.profile.clone()),
            group_name: peer.and_then(|peer| peer.group.clone()),
            user: peer
                .and_then(|peer| peer.user.as_ref())
                .map(|user| crate::names::Untrusted::new(user.as_bytes())),
            assigned: peer.and_then(|peer| {
                let given = peer.connection.as_ref().and_then(|(_, address)| *address);
                peer.lease.as_ref().map(|lease| lease.address).or(given.map(IpAddr::V4))
            }),
            mode_config: established.is_some_and(|established| established.config_used),
            xauth: established.is_some_and(|established| established.xauth_used),
            dpd: self.keepalive_of(sa).is_some() && sa.vendors.has(crate::ike::v1::vendor::Vendor::Dpd),
            nat: sa.nat.any(),
        }
    }

    /// The state of an SA as `show crypto isakmp sa` names it.
    pub(super) fn isakmp_state(sa: &IsakmpSa) -> IsakmpState {
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

    // ---- effects
    // ------------------------------------------------------------------------------------------------

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(super) fn transmit(&mut self, path: Path, bytes: Vec<u8>) {
        self.effect(Effect::Transmit { path, bytes });
    }

    /// Sends a message that expects an answer.
    pub(super) fn transmit_expecting(&mut self, path: Path, bytes: Vec<u8>) -> Retransmit {
        self.transmit(path, bytes.clone());
        Retransmit::sent(path, bytes, self.now)
    }

    pub(super) fn event(&mut self, sa: Option<&IsakmpSa>, kind: EventKind) {
        let event = Event { connection: sa.map(|sa| sa.id), path: sa.map(|sa| sa.path), kind };
        self.effect(Effect::Event(event));
    }

    pub(super) fn refuse(&mut self, sa: Option<&IsakmpSa>, path: Path, refusal: Refusal) {
        let event =
            Event { connection: sa.map(|sa| sa.id), path: Some(path), kind: EventKind::Refused(refusal) };
        self.effect(Effect::Event(event));
    }

    pub(super) fn ask(&mut self, conn: ConnId, message_id: u32, question: Question) {
        self.ask_for(AskFor { conn, message_id, lease: None }, question);
    }

    /// Asks for an address from a pool.
    pub(super) fn ask_for_lease(
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
        let id = AskId(self.next.ask);
        self.next.ask += 1;
        self.asks.insert(id, asked);
        self.effect(Effect::Ask { id, question });
    }

    /// Whether the authorization list has not yet answered for the client group of this SA.
    pub(super) fn waits_for_group(&self, conn: ConnId) -> bool {
        self.asks.of(conn).any(|ask| ask.message_id == 0 && ask.lease.is_none())
    }

    /// Whether another peer that still exists has asked for a lease of this owner.
    pub(super) fn asked_by_another(&self, peer: PeerId, owner: &LeaseOwner) -> bool {
        let mut asked = self.asks.for_owner(owner);
        asked.any(|(ask, lease)| lease.peer != peer && self.sas.contains_key(&ask.conn))
    }

    // ---- names
    // --------------------------------------------------------------------------------------------------

    pub(super) fn new_child_id(&mut self) -> ChildId {
        let id = ChildId(self.next.child);
        self.next.child += 1;
        id
    }

    pub(super) fn new_peer_id(&mut self) -> PeerId {
        let id = PeerId(self.next.peer);
        self.next.peer += 1;
        id
    }

    /// A message id that is not zero and not in use.
    pub(super) fn new_message_id(&mut self, in_use: impl Fn(u32) -> bool) -> u32 {
        loop {
            let id = self.random.u32();
            if id != 0 && !in_use(id) {
                return id;
            }
        }
    }

    /// A cookie that is not zero and not in use.
    fn new_cookie(&mut self) -> Cookie {
        loop {
            let cookie = Cookie(self.random.array());
            let in_use = self.by_cookie.contains_key(&cookie) || self.calls.has_cookie(&cookie);
            if cookie != Cookie::ZERO && !in_use {
                return cookie;
            }
        }
    }

    // ---- the table of SAs
    // ---------------------------------------------------------------------------------------

    /// A new SA that we initiate.
    pub(super) fn new_initiator(&mut self, path: Path, mode: Phase1Mode) -> IsakmpSa {
        let cookies = Cookies { initiator: self.new_cookie(), responder: Cookie::ZERO };
        self.new_sa(path, mode, true, cookies)
    }

    pub(super) fn new_responder(&mut self, path: Path, mode: Phase1Mode, initiator: Cookie) -> IsakmpSa {
        let cookies = Cookies { initiator, responder: self.new_cookie() };
        self.new_sa(path, mode, false, cookies)
    }

    fn new_sa(&mut self, path: Path, mode: Phase1Mode, initiator: bool, cookies: Cookies) -> IsakmpSa {
        IsakmpSa::new(self.new_conn_id(), path, mode, initiator, cookies, self.now)
    }

    /// An id that no SA has. After 2^32 of them they start again.
    fn new_conn_id(&mut self) -> ConnId {
        loop {
            let id = ConnId(self.next.conn);
            self.next.conn = self.next.conn.checked_add(1).unwrap_or(FIRST_CONN_ID);
            if !self.sas.contains_key(&id) {
                return id;
            }
        }
    }

    /// How many ids were given out since this one.
    pub(super) fn age(&self, id: ConnId) -> u32 {
        self.next.conn.wrapping_sub(id.0)
    }

    /// Whether an SA is older than another. Ids do not tell, because they start again.
    pub(super) fn is_older(&self, sa: &IsakmpSa, than: &IsakmpSa) -> bool {
        let order = |sa: &IsakmpSa| (sa.created, Reverse(self.age(sa.id)));
        order(sa) < order(than)
    }

    /// Puts an SA into the table (again), or forgets it if it is dead.
    pub(super) fn keep(&mut self, sa: Box<IsakmpSa>) {
        self.isakmp_changed(sa.id);
        if sa.dead {
            self.bury(sa);
            return;
        }
        self.by_cookie.insert(sa.own_cookie(), sa.id);
        if let Some(source) = sa.first_source {
            self.by_first_message.insert((source, sa.cookies.initiator), sa.id);
            self.seat(&sa, source);
        }
        if let Some(established) = sa.established() {
            self.sas_of.insert((established.peer, sa.id));
        }
        let deadline = self.isakmp_deadline(&sa);
        self.arm(Timer::Isakmp(sa.id), deadline);
        self.sas.insert(sa.id, sa);
    }

    fn bury(&mut self, sa: Box<IsakmpSa>) {
        self.by_cookie.remove(&sa.own_cookie());
        if let Some(source) = sa.first_source {
            self.by_first_message.remove(&(source, sa.cookies.initiator));
            self.admission.forget(sa.id, source);
        }
        self.fragments.forget(sa.id);
        self.own_informationals.remove(&sa.id);
        if let Some(established) = sa.established() {
            if established.gate.authorized().is_some() {
                self.know(sa.path.remote);
            }
            self.sas_of.remove(&(established.peer, sa.id));
        }
        self.arm(Timer::Isakmp(sa.id), None);
        self.asks.ended(sa.id);
        self.drop_half_made_children(&sa);
        match &sa.state {
            State::Established(established) => self.phase1_ended(&sa, established.peer),
            _ => self.phase1_failed(&sa),
        }
    }

    /// Takes an SA out of the table, calls `act` with the engine and the SA, and puts it back.
    pub(super) fn with_sa<T>(
        &mut self,
        id: ConnId,
        act: impl FnOnce(&mut Self, &mut IsakmpSa) -> T,
    ) -> Option<T> {
        let mut sa = self.sas.remove(&id)?;
        let depth = self.in_work.len();
        self.in_work.extend(sa.established().map(|established| established.peer));
        let result = act(self, &mut sa);
        if sa.established().is_some_and(|established| !established.waiting.is_empty()) {
            self.quick_modes_that_waited(&mut sa);
        }
        self.in_work.truncate(depth);
        // an emptied tree keeps a node, and most SAs have no exchange in progress most of the time
        if let Some(established) = sa.established_mut().filter(|it| it.exchanges.is_empty()) {
            established.exchanges = BTreeMap::new();
        }
        self.keep(sa);
        Some(result)
    }

    /// The established SAs of a peer, oldest first.
    pub(super) fn sas_of(&self, peer: PeerId) -> impl DoubleEndedIterator<Item = ConnId> {
        self.sas_of.range((peer, ConnId(0))..=(peer, ConnId(u32::MAX))).map(|(_, id)| *id)
    }

    /// The child SAs of a peer, oldest first.
    pub(super) fn pairs_of(&self, peer: PeerId) -> impl DoubleEndedIterator<Item = ChildId> {
        self.children_of.range((peer, ChildId(0))..=(peer, ChildId(u64::MAX))).map(|(_, id)| *id)
    }

    // ---- datagrams
    // ----------------------------------------------------------------------------------------------

    pub(super) fn datagram(&mut self, path: Path, bytes: &[u8]) {
        let (header, body) = match Header::parse(bytes) {
            Ok(parsed) => parsed,
            Err(error) => return self.refuse(None, path, error.into()),
        };
        let known = if header.responder == Cookie::ZERO {
            // a responder that refuses our first message sends no cookie of its own
            let refused = (header.exchange == exchange::INFORMATIONAL).then_some(&header.initiator);
            let first = self.by_first_message.get(&(path.remote, header.initiator));
            first.or_else(|| self.by_cookie.get(refused?)).copied()
        } else {
            let own = [header.responder, header.initiator];
            own.into_iter().find_map(|cookie| self.by_cookie.get(&cookie).copied())
        };
        let called = if known.is_none() { self.calls.find(path.remote, &header) } else { None };
        match (known, called) {
            (Some(id), _) if header.first == payload::FRAGMENT => {
                let whole = self.with_sa(id, |engine, sa| engine.fragment(sa, path, &header, body));
                if let Some(whole) = whole.flatten() {
                    self.datagram(path, &whole);
                }
            }
            (Some(id), _) => {
                self.with_sa(id, |engine, sa| engine.message(sa, path, &header, body, bytes));
            }
            (None, Some(number)) => self.call_continues(number, path, &header, body, bytes),
            (None, None) if header.first == payload::FRAGMENT => {
                self.refuse(None, path, Refusal::UnknownCookies);
            }
            (None, None) if header.responder == Cookie::ZERO && header.initiator != Cookie::ZERO => {
                self.first_message(path, &header, body, bytes);
            }
            (None, None) => self.refuse(None, path, Refusal::UnknownCookies),
        }
    }

    /// A message for an SA that exists.
    pub(super) fn message(
        &mut self,
        sa: &mut IsakmpSa,
        path: Path,
        header: &Header,
        body: &[u8],
        bytes: &[u8],
    ) {
        let digest = Seen::digest(bytes);
        if let Some(answer) = sa.seen.answer(&digest, self.now) {
            let answer = answer.cloned();
            if answer.is_some() && sa.established().is_none() {
                self.still_there(sa);
            }
            self.step(sa, || Trace::Repeated);
            if let Some((path, bytes)) = answer {
                self.transmit(path, bytes);
            }
            return;
        }
        // message 1 is recognised by its digest; every later message must carry our cookie, which
        // proves that the sender receives at its address, before we spend a Diffie-Hellman exchange
        // on it (RFC 2408 section 2.5.3)
        if !sa.carries_cookies(header) {
            return self.refuse(Some(sa), path, Refusal::UnknownCookies);
        }
        if comes_early(sa, header) {
            if sa.early.len() < limits::EARLY_MESSAGES && !sa.early.iter().any(|(_, known)| known == bytes) {
                sa.early.push((path, bytes.to_vec()));
            }
            return;
        }
        self.step(sa, || Trace::Received(Some(Self::isakmp_state(sa)), sa.initiator));
        let chains = sa.established().map(|established| established.ivs.advanced());
        let handled = match header.exchange {
            exchange::MAIN | exchange::AGGRESSIVE if sa.established().is_none() => {
                self.phase1_message(sa, path, header, body)
            }
            exchange::INFORMATIONAL => self.informational(sa, path, header, body).map(|()| None),
            exchange::TRANSACTION => self.transaction(sa, path, header, body),
            exchange::QUICK => self.quick_mode(sa, path, header, body),
            other => Err(Refusal::Unexpected(other)),
        };
        match handled {
            Ok(answer) => {
                if sa.established().is_some()
                    && !matches!(header.exchange, exchange::MAIN | exchange::AGGRESSIVE)
                {
                    // a protected message proves that the last message of phase 1 has arrived
                    sa.retransmit = None;
                }
                sa.seen.remember(digest, header.message_id, answer, self.now);
                self.early_messages(sa);
            }
            Err(refusal) => {
                if sa.established().map(|established| established.ivs.advanced()) != chains {
                    // the message is genuine although it is refused: a repetition gets the same
                    // answer and is not evaluated again
                    sa.seen.remember(digest, header.message_id, None, self.now);
                }
                self.refuse(Some(sa), path, refusal);
            }
        }
    }

    /// Handles, once phase 1 is established on our side, the messages that were received before
    /// that.
    fn early_messages(&mut self, sa: &mut IsakmpSa) {
        if sa.established().is_none() {
            return;
        }
        for (path, bytes) in std::mem::take(&mut sa.early) {
            if let Ok((header, body)) = Header::parse(&bytes)
                && !sa.dead
            {
                self.message(sa, path, &header, body, &bytes);
            }
        }
    }

    fn phase1_message(
        &mut self,
        sa: &mut IsakmpSa,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<Option<(Path, Vec<u8>)>, Refusal> {
        let mode = match header.exchange {
            exchange::MAIN => Phase1Mode::Main,
            _ => Phase1Mode::Aggressive,
        };
        if mode != sa.mode || header.message_id != 0 {
            return Err(Refusal::Unexpected(header.exchange));
        }
        let moved = match &sa.state {
            State::MainInitiator(state) => {
                state.number().map(|number| (Fsm::MainInitiator(number), Fsm::MainInitiator(number + 1)))
            }
            State::MainResponder(state) => {
                state.number().map(|number| (Fsm::MainResponder(number), Fsm::MainResponder(number + 1)))
            }
            _ => None,
        };
        if let Some((old, new)) = moved {
            self.moves(sa, FsmInput::MainMode, old, new);
        }
        // only the expected message ends a state; one that does not verify leaves the state
        // unchanged
        let state = std::mem::replace(&mut sa.state, State::Void);
        let handled = match &state {
            State::MainInitiator(state) => self.main_mode_initiator(sa, state, path, header, body),
            State::MainResponder(state) => self.main_mode_responder(sa, state, path, header, body),
            State::AggressiveInitiator(state) => self.aggressive_initiator(sa, state, path, header, body),
            State::AggressiveResponder(state) => self.aggressive_responder(sa, state, path, header, body),
            State::Established(_) | State::Void => Err(Refusal::Unexpected(header.exchange)),
        };
        if handled.is_ok() {
            sa.progress = self.now;
        }
        if handled.is_err() && matches!(sa.state, State::Void) {
            sa.state = state;
            if let Some((old, new)) = moved {
                self.moves(sa, FsmInput::ProcessError, new, old);
            }
        }
        handled
    }

    fn answer(&mut self, id: AskId, answer: Answer) {
        let Some(ask) = self.asks.remove(id) else { return };
        let mut granted = match (ask.lease, &answer) {
            (Some(AskedLease { pool, owner, .. }), Answer::Lease(Ok(address))) => {
                Some(Lease { pool, owner, address: *address })
            }
            _ => None,
        };
        self.with_sa(ask.conn, |engine, sa| {
            let path = sa.path;
            let handled = match answer {
                Answer::Group(group) => engine.group_answered(sa, group),
                Answer::Lease(Err(error)) => engine.lease_answered(sa, ask.message_id, Err(error)),
                Answer::Lease(Ok(_)) => match granted.take() {
                    Some(lease) => engine.lease_answered(sa, ask.message_id, Ok(lease)),
                    None => Err(Refusal::Unexpected(exchange::TRANSACTION)),
                },
                Answer::Accepted { user } => engine.xauth_checked(sa, ask.message_id, Ok(user)),
                Answer::Rejected { .. } => engine.xauth_checked(sa, ask.message_id, Err(())),
                Answer::Later => engine.xauth_later(sa, ask.message_id),
                Answer::Challenge { message } => engine.xauth_challenged(sa, ask.message_id, &message),
                Answer::Credentials(fields) => engine.credentials_answered(sa, ask.message_id, fields),
            };
            if let Err(refusal) = handled {
                engine.refuse(Some(sa), path, refusal);
            }
        });
        // its SA has ended in the meantime
        if let Some(lease) = granted {
            self.give_back(lease);
        }
    }

    // ---- orders and changes
    // -------------------------------------------------------------------------------------

    fn command(&mut self, command: Command) {
        match command {
            Command::ClearIsakmp { connection } => {
                let ids: Vec<_> =
                    self.sas.keys().copied().filter(|id| connection.is_none_or(|c| c == id.0)).collect();
                for id in ids {
                    self.with_sa(id, |engine, sa| engine.delete_isakmp(sa, "cleared"));
                }
                self.end_calls(Some("cleared"), |call| connection.is_none_or(|c| c == call.id.0));
            }
            Command::ClearSa { peer } => self.clear_children(peer),
            Command::ClearSession { peer } => {
                self.clear_children(peer);
                let ids: Vec<_> = self
                    .sas
                    .values()
                    .filter(|sa| peer.is_none_or(|p| p == sa.path.remote))
                    .map(|sa| sa.id)
                    .collect();
                for id in ids {
                    self.with_sa(id, |engine, sa| engine.delete_isakmp(sa, "cleared"));
                }
                self.end_calls(Some("cleared"), |call| peer.is_none_or(|p| p == call.path.remote));
            }
            Command::Connect { connection } => self.connect(&connection),
            Command::Disconnect { connection } => self.disconnect(&connection),
            Command::Shutdown => {
                self.stopping = true;
                self.reconnects.clear();
                self.clear_children(None);
                let ids: Vec<_> = self.sas.keys().copied().collect();
                for id in ids {
                    self.with_sa(id, |engine, sa| engine.delete_isakmp(sa, "the gateway stops"));
                }
                self.end_calls(Some("the gateway stops"), |_| true);
            }
        }
    }

    /// An interface has another address: SAs negotiated from the old address end, and no delete can
    /// be sent from there.
    fn moved(&mut self, interface: InterfaceId, address: Option<IpAddr>) {
        let mut policy = (*self.policy).clone();
        for known in policy.interfaces.iter_mut().filter(|known| known.id == interface) {
            known.address = address;
        }
        self.policy = Arc::new(policy);
        let stale = |path: &Path| path.interface == interface && Some(path.local) != address;
        let children: Vec<_> =
            self.children.iter().filter(|(_, child)| stale(&child.path)).map(|(id, _)| *id).collect();
        for id in children {
            self.end_child(id, "the local address changed", false);
        }
        let ids: Vec<_> = self.sas.values().filter(|sa| stale(&sa.path)).map(|sa| sa.id).collect();
        for id in ids {
            self.with_sa(id, |_, sa| sa.dead = true);
        }
        self.end_calls(None, |call| stale(&call.path));
    }
}

/// Whether a protected message overtook message 6 of main mode, after which the responder may
/// initiate any exchange.
fn comes_early(sa: &IsakmpSa, header: &Header) -> bool {
    matches!(&sa.state, State::MainInitiator(state) if state.is_identified())
        && header.encrypted()
        && matches!(header.exchange, exchange::INFORMATIONAL | exchange::TRANSACTION | exchange::QUICK)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::VrfId;
    use crate::path::Encapsulation;

    fn begin(engine: &mut Engine) -> u32 {
        let path = Path {
            local: IpAddr::from([192, 0, 2, 1]),
            local_port: 500,
            remote: IpAddr::from([192, 0, 2, 2]),
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        let sa = engine.new_initiator(path, Phase1Mode::Main);
        let id = sa.id.0;
        engine.keep(Box::new(sa));
        id
    }

    /// After 2^32 connection ids they start again, and those of SAs that still exist are skipped.
    #[test]
    fn connection_ids_start_again() {
        let mut engine = Engine::new(Arc::new(Policy::default()), [1; 32], Instant::ORIGIN);
        assert_eq!([(); 2].map(|()| begin(&mut engine)), [1001, 1002]);
        engine.next.conn = u32::MAX;
        engine.now = Instant::from_origin(Duration::from_secs(1));
        assert_eq!([(); 3].map(|()| begin(&mut engine)), [u32::MAX, 1003, 1004]);
        assert_eq!(engine.sas.len(), 5);
        let order = [1001, 1002, u32::MAX, 1003, 1004].map(|id| engine.sas.get(&ConnId(id)).unwrap());
        assert!(order.windows(2).all(|pair| engine.is_older(pair[0], pair[1])));
        assert!(order.windows(2).all(|pair| !engine.is_older(pair[1], pair[0])));
    }
}
