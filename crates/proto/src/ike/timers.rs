//! Time: what is due when, and what happens then.

use crate::ike::engine::Engine;
use crate::ike::explain::Refusal;
use crate::ike::retransmit::{Due, Retransmit};
use crate::ike::sa::{Exchange, IsakmpSa, State};
use crate::ike::trace::Trace;
use crate::limits;
use crate::names::{ChildId, ConnId, PeerId};
use crate::time::{Instant, Now};

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// An ISAKMP SA.
    Isakmp(ConnId),
    /// The oldest of the peers that have sent only message 1 of main mode.
    Calls,
    /// A child SA.
    Child(ChildId),
    /// A peer is asked whether it is there.
    Holder(PeerId),
    /// The VPN client's next attempt.
    Reconnect(String),
}

impl Engine {
    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Now) {
        self.now = now;
        while let Some((due, timer)) = self.timers.first().cloned() {
            if due > now {
                break;
            }
            self.timers.remove(&(due, timer.clone()));
            self.armed.remove(&timer);
            match timer {
                Timer::Isakmp(id) => {
                    self.with_sa(id, Self::isakmp_timeout);
                }
                Timer::Calls => self.calls_timeout(),
                Timer::Child(id) => self.child_timeout(id),
                Timer::Holder(id) => self.holder_timeout(id),
                Timer::Reconnect(name) => self.reconnect_timeout(&name),
            }
        }
    }

    /// The next moment at which [`Self::handle_timeout`] has something to do, and what for.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.timers.first().map(|(at, timer)| {
            let reason = match timer {
                Timer::Isakmp(_) | Timer::Calls => "ISAKMP SA",
                Timer::Child(_) => "child SA",
                Timer::Holder(_) => "holder of a network",
                Timer::Reconnect(_) => "reconnect",
            };
            (*at, reason)
        })
    }

    /// Sets a timer to another time, or takes it away.
    pub(super) fn arm(&mut self, timer: Timer, at: Option<Instant>) {
        if self.armed.get(&timer).copied() == at {
            return;
        }
        if let Some(old) = self.armed.remove(&timer) {
            self.timers.remove(&(old, timer.clone()));
        }
        if let Some(at) = at {
            self.armed.insert(timer.clone(), at);
            self.timers.insert((at, timer));
        }
    }

    pub(super) fn arm_child(&mut self, id: ChildId, at: Option<Instant>) {
        self.arm(Timer::Child(id), at);
    }

    pub(super) fn arm_holder(&mut self, id: PeerId, at: Option<Instant>) {
        self.arm(Timer::Holder(id), at);
    }

    pub(super) fn arm_reconnect(&mut self, name: &str, at: Option<Instant>) {
        self.arm(Timer::Reconnect(name.to_string()), at);
    }

    /// How long a half-open SA is kept. Both sides count from the last message that brought phase 1
    /// forward, so that neither repeats itself to somebody who has forgotten it. A first message is
    /// understood however late it arrives.
    fn half_open_until(sa: &IsakmpSa) -> Instant {
        if let Some(until) = sa.meant.and_then(|meant| meant.until) {
            return until;
        }
        let waits_for_second = match &sa.state {
            State::MainInitiator(state) => state.number() == Some(1),
            State::AggressiveInitiator(_) => true,
            _ => false,
        };
        match (waits_for_second, &sa.retransmit) {
            (true, Some(_)) => sa.created + limits::CALL_TIME,
            (true, None) => sa.created + limits::LAST_RETRANSMIT,
            (false, _) => sa.progress + limits::HALF_OPEN_TIME,
        }
    }

    /// A peer repeats the message that we answered last: it still waits for phase 1.
    pub(super) fn still_there(&self, sa: &mut IsakmpSa) {
        if !sa.initiator && self.now <= sa.created + limits::CALL_TIME {
            sa.progress = self.now;
        }
    }

    pub(super) fn isakmp_deadline(&self, sa: &IsakmpSa) -> Option<Instant> {
        let phase1 = sa.retransmit.as_ref().map(Retransmit::deadline);
        let Some(established) = sa.established() else {
            let end = Self::half_open_until(sa);
            return Some(phase1.map_or(end, |at| at.min(end)));
        };
        let exchanges = established.exchanges.values().filter_map(Exchange::deadline).min();
        [
            phase1,
            exchanges,
            Some(established.expires),
            established.renew,
            established.xauth_start,
            established.xauth_end,
            established.dpd.next,
            established.retire,
            established.nat_keepalive,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// A timer of an ISAKMP SA is due.
    fn isakmp_timeout(&mut self, sa: &mut IsakmpSa) {
        let now = self.now;
        if let Some(retransmit) = &mut sa.retransmit {
            match retransmit.poll(now) {
                Due::Wait => {}
                Due::Resend => {
                    let (path, bytes) = (retransmit.path, retransmit.bytes.clone());
                    self.step(sa, || Trace::Resent(Self::isakmp_state(sa), sa.initiator));
                    self.transmit(path, bytes);
                }
                // an established peer that sends nothing has not necessarily missed anything
                Due::GiveUp if sa.established().is_some() && sa.connection.is_none() => sa.retransmit = None,
                Due::GiveUp => return self.unanswered(sa),
            }
        }
        if sa.established().is_some() {
            self.established_timeout(sa);
        } else if now >= Self::half_open_until(sa) {
            self.unanswered(sa);
        }
    }

    /// The refusal of an SA whose peer does not answer.
    pub(super) fn silence(sa: &IsakmpSa) -> Refusal {
        let nat = sa.nat.any();
        Refusal::NoAnswer { state: Self::isakmp_state(sa), initiator: sa.initiator, nat }
    }

    /// Phase 1 failed because the peer does not answer.
    fn unanswered(&mut self, sa: &mut IsakmpSa) {
        let path = sa.path;
        let silence = Self::silence(sa);
        self.refuse(Some(sa), path, silence);
        sa.dead = true;
        self.call_next_peer(sa);
    }
}
