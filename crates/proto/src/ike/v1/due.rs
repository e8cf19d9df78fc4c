//! The times of an IKEv1 SA: when something is due for it, and what happens then.

use crate::ike::explain::Refusal;
use crate::ike::retransmit::{Due, Retransmit};
use crate::ike::v1::mode_config::has_user;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::state_of;
use crate::ike::v1::sa::{Established, Exchange, IsakmpSa, State};
use crate::limits;
use crate::names::ConnId;
use crate::time::Instant;

/// Why the timer of an SA is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    Phase1Message,
    HalfOpen,
    Exchange,
    Lifetime,
    Rekey,
    XauthStart,
    XauthEnd,
    Probe,
    Replaced,
    NatKeepalive,
}

impl Reason {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Phase1Message => "phase 1: message sent again",
            Self::HalfOpen => "phase 1: half-open SA given up",
            Self::Exchange => "message of an exchange sent again",
            Self::Lifetime => "phase 1: lifetime expired",
            Self::Rekey => "phase 1: rekey",
            Self::XauthStart => "Xauth: first request",
            Self::XauthEnd => "Xauth: given up",
            Self::Probe => "dead peer detection",
            Self::Replaced => "phase 1: replaced SA deleted",
            Self::NatKeepalive => "NAT keepalive",
        }
    }
}

impl V1<'_> {
    /// The timer of an SA is due.
    pub(crate) fn isakmp_due(&mut self, id: ConnId) {
        self.with_sa(id, Self::isakmp_timeout);
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
    pub(crate) fn still_there(&self, sa: &mut IsakmpSa) {
        if !sa.initiator && self.cx.now <= sa.created + limits::CALL_TIME {
            sa.progress = self.cx.now;
        }
    }

    /// Everything that an SA waits for, each for one reason.
    fn deadlines(sa: &IsakmpSa) -> impl Iterator<Item = (Instant, Reason)> {
        let established = sa.established();
        let exchange = established.and_then(|it| it.exchanges.values().filter_map(Exchange::deadline).min());
        let at = |field: fn(&Established) -> Option<Instant>| established.and_then(field);
        [
            (sa.retransmit.as_ref().map(Retransmit::deadline), Reason::Phase1Message),
            (established.is_none().then(|| Self::half_open_until(sa)), Reason::HalfOpen),
            (exchange, Reason::Exchange),
            (at(|it| Some(it.expires)), Reason::Lifetime),
            (at(|it| it.renew), Reason::Rekey),
            (at(|it| it.xauth_start), Reason::XauthStart),
            (at(|it| it.xauth_end), Reason::XauthEnd),
            (at(|it| it.dpd.next), Reason::Probe),
            (at(|it| it.retire), Reason::Replaced),
            (at(|it| it.nat_keepalive), Reason::NatKeepalive),
        ]
        .into_iter()
        .filter_map(|(at, reason)| Some((at?, reason)))
    }

    /// The next thing that an SA waits for.
    pub(crate) fn next_deadline(sa: &IsakmpSa) -> Option<(Instant, Reason)> {
        Self::deadlines(sa).min()
    }

    /// A timer of an ISAKMP SA is due.
    fn isakmp_timeout(&mut self, sa: &mut IsakmpSa) {
        let now = self.cx.now;
        if let Some(retransmit) = &mut sa.retransmit {
            match retransmit.poll(now) {
                Due::Wait => {}
                Due::Resend => {
                    let (path, bytes) = (retransmit.path, retransmit.bytes.clone());
                    self.trace_resent(sa);
                    self.cx.out.transmit(path, bytes);
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
    pub(crate) fn silence(sa: &IsakmpSa) -> Refusal {
        let nat = sa.nat.any();
        Refusal::NoAnswer { state: state_of(sa), initiator: sa.initiator, nat, repeated: false }
    }

    /// Phase 1 failed because the peer does not answer.
    fn unanswered(&mut self, sa: &mut IsakmpSa) {
        let path = sa.path;
        let silence = Self::silence(sa);
        self.refuse(Some(sa), path, silence);
        sa.dead = true;
        self.call_next_peer(sa);
    }

    // ---- time
    // ---------------------------------------------------------------------------------------------------

    /// Does what is due for an established SA.
    pub(crate) fn established_timeout(&mut self, sa: &mut IsakmpSa) {
        let now = self.cx.now;
        let due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let Some(established) = sa.established_mut() else { return };
        if established.expires <= now || due(established.retire) {
            let reason = if due(established.retire) { "replaced" } else { "lifetime expired" };
            self.delete_isakmp(sa, reason);
            return;
        }
        if due(established.xauth_end) {
            self.delete_isakmp(sa, "Xauth took too long");
            return;
        }
        if due(established.xauth_start) {
            established.xauth_start = None;
            self.request_xauth(sa, None);
        }
        self.repeat_exchanges(sa);
        let Some(established) = sa.established_mut() else { return };
        if due(established.renew) {
            established.renew = None;
            self.renew_phase1(sa);
        }
        let interval = self.nat_keepalive_interval();
        let Some(established) = sa.established_mut() else { return };
        if due(established.nat_keepalive) {
            established.nat_keepalive = Some(now + interval);
            let path = sa.path;
            self.cx.out.effect(crate::ike::io::Effect::NatKeepalive { path });
        }
        if sa.established().is_some_and(|established| due(established.dpd.next)) {
            self.probe(sa);
        }
    }

    fn repeat_exchanges(&mut self, sa: &mut IsakmpSa) {
        let now = self.cx.now;
        let Some(established) = sa.established_mut() else { return };
        // a child SA that has ended in the meantime, for whatever reason, needs no third message
        let children = &self.cx.children;
        established.exchanges.retain(|_, exchange| match exchange {
            Exchange::QuickResponder(quick) => children.contains_key(&quick.child),
            _ => true,
        });
        let mut failed = Vec::new();
        let mut resend = Vec::new();
        for (id, exchange) in &mut established.exchanges {
            let Some(retransmit) = exchange.retransmit() else { continue };
            match retransmit.poll(now) {
                crate::ike::retransmit::Due::Wait => {}
                crate::ike::retransmit::Due::Resend => {
                    resend.push((retransmit.path, retransmit.bytes.clone()))
                }
                crate::ike::retransmit::Due::GiveUp => failed.push(*id),
            }
        }
        for (path, bytes) in resend {
            self.trace_resent(sa);
            self.cx.out.transmit(path, bytes);
        }
        for id in failed {
            let exchange = sa.established_mut().and_then(|established| {
                established.ivs.forget(id);
                established.exchanges.remove(&id)
            });
            let path = sa.path;
            let silence = Self::silence(sa);
            self.refuse(Some(sa), path, silence);
            match exchange {
                Some(Exchange::QuickInitiator(quick)) => self.quick_mode_failed(sa, &quick),
                Some(Exchange::QuickResponder(quick)) => {
                    self.end_child(quick.child, "no third message", true)
                }
                Some(Exchange::ConfigSet { lease, .. }) => {
                    self.cx.give_back(lease);
                    // a peer without a user may be a gateway that knows no mode-config
                    if has_user(sa) {
                        self.delete_isakmp(sa, "no answer");
                    }
                }
                // a peer that does not answer Xauth or mode-config has left
                _ => self.delete_isakmp(sa, "no answer"),
            }
        }
    }
}
