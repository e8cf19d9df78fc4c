//! The times of an IKEv1 SA: when something is due for it, and what happens then.

use crate::ike::explain::Refusal;
use crate::ike::retransmit::{Due, Retransmit};
use crate::ike::trace::Trace;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::state_of;
use crate::ike::v1::sa::{Exchange, IsakmpSa, State};
use crate::limits;
use crate::names::ConnId;
use crate::time::Instant;

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

    pub(crate) fn isakmp_deadline(&self, sa: &IsakmpSa) -> Option<Instant> {
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
        let now = self.cx.now;
        if let Some(retransmit) = &mut sa.retransmit {
            match retransmit.poll(now) {
                Due::Wait => {}
                Due::Resend => {
                    let (path, bytes) = (retransmit.path, retransmit.bytes.clone());
                    self.step(sa, || Trace::Resent(state_of(sa), sa.initiator));
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
        Refusal::NoAnswer { state: state_of(sa), initiator: sa.initiator, nat }
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
