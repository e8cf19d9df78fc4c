//! The first message of a peer: who gets in, who gives way, and peers that have sent no more than
//! message 1 of main mode.

use crate::ike::explain::Refusal;
use crate::ike::snapshot::IsakmpState;
use crate::ike::tables::timers::Timer;
use crate::ike::v1::admission::{Lane, Stage};
use crate::ike::v1::calls::{Call, Class};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{IsakmpSa, Seen, State};
use crate::limits;
use crate::path::Path;
use crate::policy::Phase1Mode;
use crate::wire::isakmp::{Cookie, Header};
use crate::wire::registry::{exchange, notify, payload};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How many records expire at a time: messages must not wait for a whole flood.
const EXPIRED_AT_ONCE: usize = 256;
/// Time until the next ones do.
const EXPIRY_GOES_ON: Duration = Duration::from_millis(1);

impl V1<'_> {
    /// Message 1 of main or aggressive mode.
    pub(crate) fn first_message(&mut self, path: Path, header: &Header, body: &[u8], bytes: &[u8]) {
        if self.cx.stopping {
            return;
        }
        let is_first = matches!(header.exchange, exchange::MAIN | exchange::AGGRESSIVE);
        if !is_first || header.encrypted() || header.message_id != 0 {
            return self.refuse(None, path, Refusal::Unexpected(header.exchange));
        }
        if self.own.admission.has_enough(path.remote) {
            return self.refuse(None, path, Refusal::TooManyOfSource);
        }
        if header.exchange == exchange::MAIN {
            return self.called(path, header, body, bytes);
        }
        let mut sa = self.new_responder(path, Phase1Mode::Aggressive, header.initiator);
        self.trace_new_peer(&sa);
        match self.aggressive_first(&mut sa, header, body, bytes.len()) {
            Ok(answer) => {
                sa.seen.remember(Seen::digest(bytes), header.message_id, answer, self.cx.now);
                self.keep(Box::new(sa));
            }
            Err(refusal) => self.refuse_first(&sa, refusal, bytes.len()),
        }
    }

    /// Before a Diffie-Hellman exchange for a peer. It is charged to the source of message 1: in
    /// main mode our cookie was sent there, and the source of message 3 may be forged again.
    pub(crate) fn spend(&mut self, sa: &IsakmpSa) -> Result<(), Refusal> {
        let source = sa.first_source.unwrap_or(sa.path.remote);
        let lane = self.lane(source);
        self.own.admission.spend(source, Stage::next(sa.mode), lane, self.cx.now)
    }

    fn lane(&mut self, source: IpAddr) -> Lane {
        if self.cx.is_known(source) { Lane::Known } else { Lane::Stranger }
    }

    /// Records how far an SA that a peer initiated has progressed.
    pub(crate) fn seat(&mut self, sa: &IsakmpSa, source: IpAddr) {
        let lane = match self.own.admission.lane(sa.id) {
            Some(lane) => lane,
            None => self.lane(source),
        };
        if let Some(oldest) = self.own.admission.note(sa.id, source, Stage::of(sa), lane, self.cx.now) {
            self.with_sa(oldest, Self::give_way);
        }
    }

    /// Drops this half-open SA because there are too many and another peer initiates.
    fn give_way(&mut self, sa: &mut IsakmpSa) {
        self.refuse(Some(sa), sa.path, Refusal::TooManyHalfOpen);
        sa.dead = true;
    }

    /// Message 1 of main mode.
    pub(crate) fn called(&mut self, path: Path, header: &Header, body: &[u8], bytes: &[u8]) {
        let mut sa = self.new_responder(path, Phase1Mode::Main, header.initiator);
        self.trace_new_peer(&sa);
        if let Err(refusal) = self.main_mode_first(&mut sa, header, body, bytes.len()) {
            return self.refuse_first(&sa, refusal, bytes.len());
        }
        let class = if self.cx.is_known(path.remote) {
            Class::Known
        } else if matches!(&sa.state, State::MainResponder(state) if state.proposal_len() > limits::SHORT_PROPOSAL)
        {
            Class::StrangerAtLength
        } else {
            Class::Stranger
        };
        let id = sa.id;
        let Some(call) = Call::of(sa, Seen::digest(bytes), class, self.cx.now) else { return };
        for gone in self.own.calls.insert(call) {
            self.call_ended(&gone, Some(Refusal::TooManyHalfOpen));
        }
        if self.own.calls.shown(id).is_some() {
            self.cx.out.isakmp_changed(id);
        }
        self.arm_calls();
    }

    /// A message of a peer that has sent only message 1 so far: that message again, or one with our
    /// cookie.
    pub(crate) fn call_continues(
        &mut self,
        number: u64,
        path: Path,
        header: &Header,
        body: &[u8],
        bytes: &[u8],
    ) {
        let Some(call) = self.own.calls.records.get_mut(&number) else { return };
        let mut sa = call.resume();
        if header.responder == Cookie::ZERO {
            // every later message must carry our cookie, which proves that the sender receives at
            // its address (RFC 2408 section 2.5.3)
            if Seen::digest(bytes) != call.digest {
                return self.refuse(Some(&sa), path, Refusal::UnknownCookies);
            }
            if !call.repeats.again(self.cx.now) {
                return;
            }
            self.trace_repeated(&sa);
            // message 2 is not kept: it is made of message 1 and our cookie
            if let Some(again) = self.main_mode_again(&sa, header, body, bytes.len()) {
                self.cx.out.transmit(sa.path, again);
            }
            return;
        }
        if header.first == payload::FRAGMENT {
            if let Some(whole) = self.fragment(&sa, path, header, body) {
                self.datagram(path, &whole);
            }
            return;
        }
        self.message(&mut sa, path, header, body, bytes);
        let waits = matches!(&sa.state, State::MainResponder(state) if !state.is_exchanged());
        if waits && !sa.dead {
            return;
        }
        self.own.calls.remove(number);
        self.arm_calls();
        self.keep(Box::new(sa));
    }

    /// Records expire. Those that no `show` command lists are not reported either: nobody reads as
    /// many events as a flood leaves.
    pub(crate) fn calls_timeout(&mut self) {
        let mut left = EXPIRED_AT_ONCE;
        for class in Class::ALL {
            while left > 0
                && let Some(number) = self.own.calls.oldest(class)
                && self.own.calls.records.get(&number).is_some_and(|call| call.until() <= self.cx.now)
            {
                left -= 1;
                let Some(call) = self.own.calls.remove(number) else { continue };
                let silence = Refusal::NoAnswer {
                    state: IsakmpState::MmSaSetup,
                    initiator: false,
                    nat: false,
                    repeated: call.repeats.seen(),
                };
                self.call_ended(&call, call.shown.then_some(silence));
            }
        }
        let rest = self.own.calls.deadline().map(|at| at.max(self.cx.now + EXPIRY_GOES_ON));
        self.cx.timers.arm(Timer::Calls, rest);
    }

    /// Forgets some records, by an order or because they have become useless.
    pub(crate) fn end_calls(&mut self, reason: Option<&'static str>, which: impl Fn(&Call) -> bool) {
        let records = self.own.calls.records.iter();
        let numbers: Vec<_> = records.filter(|(_, call)| which(call)).map(|(number, _)| *number).collect();
        for number in numbers {
            let Some(call) = self.own.calls.remove(number) else { continue };
            if let Some(reason) = reason.filter(|_| call.shown) {
                self.delete_isakmp(&mut call.resume(), reason);
            }
            self.call_ended(&call, None);
        }
        self.arm_calls();
    }

    /// Forgets the records of local addresses that have gone.
    pub(crate) fn end_stray_calls(&mut self, reason: &'static str) {
        let policy = Arc::clone(&self.cx.policy);
        self.end_calls(Some(reason), |call| {
            let interface = policy.interface(call.path.interface);
            interface.and_then(|interface| interface.address) != Some(call.path.local)
        });
    }

    fn call_ended(&mut self, call: &Call, refusal: Option<Refusal>) {
        self.own.fragments.forget(call.id);
        if call.shown {
            self.cx.out.isakmp_changed(call.id);
        }
        if let Some(refusal) = refusal {
            self.cx.out.refuse(Some(call.id), call.path, refusal);
        }
    }

    fn arm_calls(&mut self) {
        let deadline = self.own.calls.deadline();
        self.cx.timers.arm(Timer::Calls, deadline);
    }

    /// A first message is refused: the peer is told why if its proposals are the reason.
    pub(crate) fn refuse_first(&mut self, sa: &IsakmpSa, refusal: Refusal, asked: usize) {
        if matches!(refusal, Refusal::NoPhase1Proposal(_)) {
            self.trace_phase1_refused(sa);
            if self.own.admission.may_tell(sa.path.remote, self.cx.now) {
                self.reject_unprotected(sa, notify::NO_PROPOSAL_CHOSEN, asked);
            }
        }
        self.refuse(None, sa.path, refusal);
    }
}
