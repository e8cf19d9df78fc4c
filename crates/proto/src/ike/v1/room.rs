//! IKEv1 at work: its SAs, how a datagram finds the one that it is for, and which exchange handles it.

use crate::ike::context::Context;
use crate::ike::event::EventKind;
use crate::ike::explain::Refusal;
use crate::ike::io::{Answer, AskId, Command, LeaseOwner};
use crate::ike::tables::asks::AskedLease;
use crate::ike::tables::peer::Lease;
use crate::ike::tables::timers::Timer;
use crate::ike::v1::admission::Admission;
use crate::ike::v1::calls::Calls;
use crate::ike::v1::fragment::{Class, Fragments};
use crate::ike::v1::sa::{IsakmpSa, Seen, State};
use crate::limits;
use crate::names::{ConnId, InterfaceId, PeerId};
use crate::path::Path;
use crate::policy::Phase1Mode;
use crate::wire::isakmp::{Chain, Cookie, Cookies, Header};
use crate::wire::registry::{exchange, payload};
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

/// What IKEv1 alone has.
#[derive(Default)]
pub(crate) struct Tables {
    /// Boxed, like peers and child SAs: the nodes of a tree are half empty, and an SA is taken out
    /// and put back for each message.
    pub(crate) sas: BTreeMap<ConnId, Box<IsakmpSa>>,
    by_cookie: BTreeMap<Cookie, ConnId>,
    by_first_message: BTreeMap<(IpAddr, Cookie), ConnId>,
    /// Ids of the informational messages that we sent last on each SA: a message with one of them
    /// is our own sent back to us.
    pub(crate) own_informationals: BTreeMap<ConnId, VecDeque<u32>>,
    pub(crate) admission: Admission,
    pub(crate) calls: Calls,
    pub(crate) fragments: Fragments,
}

/// IKEv1 while it handles an input: its own tables, and what all versions share.
pub(crate) struct V1<'e> {
    pub(crate) cx: &'e mut Context,
    pub(crate) own: &'e mut Tables,
}

impl V1<'_> {
    // ---- events
    // --------------------------------------------------------------------------------------------

    pub(crate) fn event(&mut self, sa: Option<&IsakmpSa>, kind: EventKind) {
        self.cx.out.report(sa.map(|sa| sa.id), sa.map(|sa| sa.path), kind);
    }

    pub(crate) fn refuse(&mut self, sa: Option<&IsakmpSa>, path: Path, refusal: Refusal) {
        self.cx.out.refuse(sa.map(|sa| sa.id), path, refusal);
    }

    /// Whether another peer that still exists has asked for a lease of this owner.
    pub(crate) fn asked_by_another(&self, peer: PeerId, owner: &LeaseOwner) -> bool {
        let mut asked = self.cx.asks.for_owner(owner);
        asked.any(|(ask, lease)| lease.peer != peer && self.own.sas.contains_key(&ask.conn))
    }

    // ---- the table of SAs
    // -------------------------------------------------------------------------------------

    /// A cookie that is not zero and not in use.
    fn new_cookie(&mut self) -> Cookie {
        loop {
            let cookie = Cookie(self.cx.random.array());
            let in_use = self.own.by_cookie.contains_key(&cookie) || self.own.calls.has_cookie(&cookie);
            if cookie != Cookie::ZERO && !in_use {
                return cookie;
            }
        }
    }

    /// A new SA that we initiate.
    pub(crate) fn new_initiator(&mut self, path: Path, mode: Phase1Mode) -> IsakmpSa {
        let cookies = Cookies { initiator: self.new_cookie(), responder: Cookie::ZERO };
        self.new_sa(path, mode, true, cookies)
    }

    pub(crate) fn new_responder(&mut self, path: Path, mode: Phase1Mode, initiator: Cookie) -> IsakmpSa {
        let cookies = Cookies { initiator, responder: self.new_cookie() };
        self.new_sa(path, mode, false, cookies)
    }

    fn new_sa(&mut self, path: Path, mode: Phase1Mode, initiator: bool, cookies: Cookies) -> IsakmpSa {
        IsakmpSa::new(self.new_conn_id(), path, mode, initiator, cookies, self.cx.now)
    }

    /// An id that no SA has.
    fn new_conn_id(&mut self) -> ConnId {
        loop {
            let id = self.cx.next_conn_id();
            if !self.own.sas.contains_key(&id) && !self.cx.elsewhere.contains_key(&id) {
                return id;
            }
        }
    }

    /// Whether an SA is older than another. Ids do not tell, because they start again.
    pub(crate) fn is_older(&self, sa: &IsakmpSa, than: &IsakmpSa) -> bool {
        let order = |sa: &IsakmpSa| (sa.created, Reverse(self.cx.age(sa.id)));
        order(sa) < order(than)
    }

    /// Puts an SA into the table (again), or forgets it if it is dead.
    pub(crate) fn keep(&mut self, sa: Box<IsakmpSa>) {
        self.cx.out.isakmp_changed(sa.id);
        if sa.dead {
            self.bury(sa);
            return;
        }
        self.own.by_cookie.insert(sa.own_cookie(), sa.id);
        if let Some(source) = sa.first_source {
            self.own.by_first_message.insert((source, sa.cookies.initiator), sa.id);
            self.seat(&sa, source);
        }
        if let Some(established) = sa.established() {
            self.cx.sas_of.insert((established.peer, sa.id));
        }
        let deadline = Self::next_deadline(&sa).map(|(at, _)| at);
        self.cx.timers.arm(Timer::Isakmp(sa.id), deadline);
        self.own.sas.insert(sa.id, sa);
    }

    fn bury(&mut self, sa: Box<IsakmpSa>) {
        self.own.by_cookie.remove(&sa.own_cookie());
        if let Some(source) = sa.first_source {
            self.own.by_first_message.remove(&(source, sa.cookies.initiator));
            self.own.admission.forget(sa.id, source);
        }
        self.own.fragments.forget(sa.id);
        self.own.own_informationals.remove(&sa.id);
        if let Some(established) = sa.established() {
            if established.gate.authorized().is_some() {
                self.cx.know(sa.path.remote);
            }
            self.cx.sas_of.remove(&(established.peer, sa.id));
        }
        self.cx.timers.arm(Timer::Isakmp(sa.id), None);
        self.cx.asks.ended(sa.id);
        self.drop_half_made_children(&sa);
        match &sa.state {
            State::Established(established) => self.phase1_ended(established.peer),
            _ => self.phase1_failed(&sa),
        }
    }

    /// Takes an SA out of the table, calls `act` with the SA, and puts it back.
    pub(crate) fn with_sa<T>(
        &mut self,
        id: ConnId,
        act: impl FnOnce(&mut Self, &mut IsakmpSa) -> T,
    ) -> Option<T> {
        let mut sa = self.own.sas.remove(&id)?;
        let depth = self.cx.in_work.len();
        self.cx.in_work.extend(sa.established().map(|established| established.peer));
        let result = act(self, &mut sa);
        if sa.established().is_some_and(|established| !established.waiting.is_empty()) {
            self.quick_modes_that_waited(&mut sa);
        }
        self.cx.in_work.truncate(depth);
        // an emptied tree keeps a node, and most SAs have no exchange in progress most of the time
        if let Some(established) = sa.established_mut().filter(|it| it.exchanges.is_empty()) {
            established.exchanges = BTreeMap::new();
        }
        self.keep(sa);
        Some(result)
    }

    // ---- datagrams
    // --------------------------------------------------------------------------------------------

    pub(crate) fn datagram(&mut self, path: Path, bytes: &[u8]) {
        let (header, body) = match Header::parse(bytes) {
            Ok(parsed) => parsed,
            Err(error) => return self.refuse(None, path, error.into()),
        };
        let known = if header.responder == Cookie::ZERO {
            // a responder that refuses our first message sends no cookie of its own
            let refused = (header.exchange == exchange::INFORMATIONAL).then_some(&header.initiator);
            let first = self.own.by_first_message.get(&(path.remote, header.initiator));
            first.or_else(|| self.own.by_cookie.get(refused?)).copied()
        } else {
            let own = [header.responder, header.initiator];
            own.into_iter().find_map(|cookie| self.own.by_cookie.get(&cookie).copied())
        };
        let called = if known.is_none() { self.own.calls.find(path.remote, &header) } else { None };
        match (known, called) {
            (Some(id), _) if header.first == payload::FRAGMENT => {
                let whole = self.with_sa(id, |v1, sa| v1.fragment(sa, path, &header, body));
                if let Some(whole) = whole.flatten() {
                    self.datagram(path, &whole);
                }
            }
            (Some(id), _) => {
                self.with_sa(id, |v1, sa| v1.message(sa, path, &header, body, bytes));
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

    /// A fragment for an SA; returns the message if this fragment completes it.
    pub(crate) fn fragment(
        &mut self,
        sa: &IsakmpSa,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Option<Vec<u8>> {
        if header.responder == Cookie::ZERO || !sa.carries_cookies(header) {
            self.refuse(Some(sa), path, Refusal::UnknownCookies);
            return None;
        }
        let class = if sa.established().is_some() { Class::Established } else { Class::HalfOpen };
        let whole = Chain::parse(header.first, body)
            .map_err(Refusal::from)
            .and_then(|chain| chain.only(payload::FRAGMENT).ok_or(Refusal::Fragment))
            .and_then(|piece| self.own.fragments.add(sa.id, class, piece, self.cx.now));
        match whole {
            Ok(whole) => {
                let inner = whole.as_deref().and_then(|whole| Header::parse(whole).ok());
                // a message of another SA does not come in fragments of this one
                let fits = inner.is_none_or(|(inner, _)| {
                    inner.first != payload::FRAGMENT
                        && (inner.initiator, inner.responder) == (header.initiator, header.responder)
                });
                whole.filter(|_| fits)
            }
            Err(refusal) => {
                self.refuse(Some(sa), path, refusal);
                None
            }
        }
    }

    /// A message for an SA that exists.
    pub(crate) fn message(
        &mut self,
        sa: &mut IsakmpSa,
        path: Path,
        header: &Header,
        body: &[u8],
        bytes: &[u8],
    ) {
        let digest = Seen::digest(bytes);
        if let Some(answer) = sa.seen.answer(&digest, self.cx.now) {
            let answer = answer.cloned();
            if answer.is_some() && sa.established().is_none() {
                self.still_there(sa);
            }
            self.trace_repeated(sa);
            if let Some((path, bytes)) = answer {
                self.cx.out.transmit(path, bytes);
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
        self.trace_received(sa);
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
                sa.seen.remember(digest, header.message_id, answer, self.cx.now);
                self.early_messages(sa);
            }
            Err(refusal) => {
                if sa.established().map(|established| established.ivs.advanced()) != chains {
                    // the message is genuine although it is refused: a repetition gets the same
                    // answer and is not evaluated again
                    sa.seen.remember(digest, header.message_id, None, self.cx.now);
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
        self.trace_phase1_message(sa);
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
            sa.progress = self.cx.now;
        }
        if handled.is_err() && matches!(sa.state, State::Void) {
            sa.state = state;
            self.trace_phase1_message_refused(sa);
        }
        handled
    }

    pub(crate) fn answer(&mut self, id: AskId, answer: Answer) {
        let Some(ask) = self.cx.asks.remove(id) else { return };
        let mut granted = match (ask.lease, &answer) {
            (Some(AskedLease { pool, owner, .. }), Answer::Lease(Ok(address))) => {
                Some(Lease { pool, owner, address: *address })
            }
            _ => None,
        };
        self.with_sa(ask.conn, |v1, sa| {
            let path = sa.path;
            let handled = match answer {
                Answer::Group(group) => v1.group_answered(sa, group),
                Answer::Lease(Err(error)) => v1.lease_answered(sa, ask.message_id, Err(error)),
                Answer::Lease(Ok(_)) => match granted.take() {
                    Some(lease) => v1.lease_answered(sa, ask.message_id, Ok(lease)),
                    None => Err(Refusal::Unexpected(exchange::TRANSACTION)),
                },
                Answer::Accepted { user } => v1.xauth_checked(sa, ask.message_id, Ok(user)),
                Answer::Rejected { .. } => v1.xauth_checked(sa, ask.message_id, Err(())),
                Answer::Later => v1.xauth_later(sa, ask.message_id),
                Answer::Challenge { message } => v1.xauth_challenged(sa, ask.message_id, &message),
                Answer::Credentials(fields) => v1.credentials_answered(sa, ask.message_id, fields),
            };
            if let Err(refusal) = handled {
                v1.refuse(Some(sa), path, refusal);
            }
        });
        // its SA has ended in the meantime
        if let Some(lease) = granted {
            self.cx.give_back(lease);
        }
    }

    // ---- orders and changes
    // -----------------------------------------------------------------------------------

    pub(crate) fn command(&mut self, command: Command) {
        match command {
            Command::ClearIsakmp { connection } => {
                let ids: Vec<_> =
                    self.own.sas.keys().copied().filter(|id| connection.is_none_or(|c| c == id.0)).collect();
                for id in ids {
                    self.with_sa(id, |v1, sa| v1.delete_isakmp(sa, "cleared"));
                }
                self.end_calls(Some("cleared"), |call| connection.is_none_or(|c| c == call.id.0));
            }
            Command::ClearSa { peer } => self.clear_children(peer),
            Command::ClearSession { peer } => {
                self.clear_children(peer);
                let ids: Vec<_> = self
                    .own
                    .sas
                    .values()
                    .filter(|sa| peer.is_none_or(|p| p == sa.path.remote))
                    .map(|sa| sa.id)
                    .collect();
                for id in ids {
                    self.with_sa(id, |v1, sa| v1.delete_isakmp(sa, "cleared"));
                }
                self.end_calls(Some("cleared"), |call| peer.is_none_or(|p| p == call.path.remote));
            }
            Command::Connect { connection } => self.connect(&connection),
            Command::Disconnect { connection } => self.disconnect(&connection),
            Command::Shutdown => {
                self.clear_children(None);
                let ids: Vec<_> = self.own.sas.keys().copied().collect();
                for id in ids {
                    self.with_sa(id, |v1, sa| v1.delete_isakmp(sa, "the gateway stops"));
                }
                self.end_calls(Some("the gateway stops"), |_| true);
            }
        }
    }

    /// An interface has another address: SAs negotiated from the old address end, and no delete can
    /// be sent from there.
    pub(crate) fn address_changed(&mut self, interface: InterfaceId, address: Option<IpAddr>) {
        let stale = |path: &Path| path.interface == interface && Some(path.local) != address;
        let children: Vec<_> =
            self.cx.children.iter().filter(|(_, child)| stale(&child.path)).map(|(id, _)| *id).collect();
        for id in children {
            self.end_child(id, "the local address changed", false);
        }
        let ids: Vec<_> = self.own.sas.values().filter(|sa| stale(&sa.path)).map(|sa| sa.id).collect();
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
    use crate::policy::Policy;
    use crate::time::Instant;
    use std::sync::Arc;
    use std::time::Duration;

    fn begin(v1: &mut V1<'_>) -> u32 {
        let path = Path {
            local: IpAddr::from([192, 0, 2, 1]),
            local_port: 500,
            remote: IpAddr::from([192, 0, 2, 2]),
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        let sa = v1.new_initiator(path, Phase1Mode::Main);
        let id = sa.id.0;
        v1.keep(Box::new(sa));
        id
    }

    /// After 2^32 connection ids they start again, and those of SAs that still exist are skipped.
    #[test]
    fn connection_ids_start_again() {
        let mut cx = Context::new(Arc::new(Policy::default()), [1; 32], Instant::ORIGIN);
        let mut own = Tables::default();
        let mut v1 = V1 { cx: &mut cx, own: &mut own };
        assert_eq!([(); 2].map(|()| begin(&mut v1)), [1001, 1002]);
        v1.cx.ids.conn = u32::MAX;
        v1.cx.now = Instant::from_origin(Duration::from_secs(1));
        assert_eq!([(); 3].map(|()| begin(&mut v1)), [u32::MAX, 1003, 1004]);
        assert_eq!(v1.own.sas.len(), 5);
        let order = [1001, 1002, u32::MAX, 1003, 1004].map(|id| v1.own.sas.get(&ConnId(id)).unwrap());
        assert!(order.windows(2).all(|pair| v1.is_older(pair[0], pair[1])));
        assert!(order.windows(2).all(|pair| !v1.is_older(pair[1], pair[0])));
        // nor is one of another version's SA given, nor ours to those
        assert_eq!(v1.cx.open(3).0, 1005);
        v1.cx.ids.conn = 1005;
        assert_eq!(begin(&mut v1), 1006);
        v1.cx.ids.conn = 1001;
        assert_eq!(v1.cx.open(3).0, 1007);
    }
}
