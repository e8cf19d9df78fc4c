//! Who may begin phase 1: bounds on half-open SAs, and on how fast one address may begin them.
//!
//! Both count addresses and not ports, since an attacker has all ports of his address. So they are wide enough for a building
//! full of peers behind one NAT that all begin at once; whoever is too many repeats message 1 and is let in then.
//!
//! A first message shows nothing of its sender, who can forge any address. So when all half-open SAs are taken, the oldest of which
//! no more came than message 1 of main mode gives way: a peer that is there answers our message 2 long before it is the oldest,
//! a forged one never does. What has cost a Diffie-Hellman exchange stays, and aggressive mode, which costs one for a message that
//! may be forged, does not get all the room.

use crate::ike::engine::Engine;
use crate::ike::event::ConnId;
use crate::ike::explain::Refusal;
use crate::ike::path::Path;
use crate::ike::policy::Phase1Mode;
use crate::ike::sa::{IsakmpSa, Seen, State};
use crate::ike::trace::Trace;
use crate::limits;
use crate::time::Instant;
use crate::wire::isakmp::Header;
use crate::wire::registry::{exchange, notify};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A token bucket for each source address, and one for all sources that found no room for a bucket of their own.
#[derive(Debug, Default)]
pub(super) struct Admission {
    buckets: BTreeMap<IpAddr, Bucket>,
    rest: Bucket,
    /// When buckets that are full again were thrown away last.
    swept: Option<Instant>,
    half_open: BTreeMap<ConnId, Stage>,
    half_open_of: BTreeMap<IpAddr, usize>,
    /// Those of the half-open SAs that give way, oldest first.
    called: BTreeSet<ConnId>,
    aggressive: usize,
}

/// How far a half-open SA is that a peer began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Message 1 of main mode came, and nothing else.
    Called,
    /// Message 1 of aggressive mode came.
    Aggressive,
    /// The peer has shown that it receives what we send to its address.
    Answered,
}

impl Stage {
    /// The stage of an SA that is not established.
    pub(super) fn of(sa: &IsakmpSa) -> Self {
        match &sa.state {
            State::MainResponder(state) if !state.is_exchanged() => Self::Called,
            State::AggressiveResponder(_) => Self::Aggressive,
            _ => Self::Answered,
        }
    }
}

/// Whether one more half-open SA has room.
enum Room {
    Free,
    /// This one gives way to it.
    InsteadOf(ConnId),
    Full,
}

/// Counts what was spent and not refilled yet, so that a bucket nobody drew from is the default one.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When all tokens will be there again.
    full_at: Option<Instant>,
}

impl Bucket {
    /// Takes a token, if there is one.
    fn take(&mut self, now: Instant) -> bool {
        let whole = limits::PHASE1_REFILL * limits::PHASE1_BURST;
        let full_at = self.full_at.filter(|at| *at > now).unwrap_or(now) + limits::PHASE1_REFILL;
        let fits = full_at.since(now) <= whole;
        if fits {
            self.full_at = Some(full_at);
        }
        fits
    }
}

impl Admission {
    /// A peer's SA is half-open now and has come this far, or is not half-open any more.
    pub(super) fn note(&mut self, id: ConnId, source: IpAddr, stage: Option<Stage>) {
        let before = match stage {
            Some(stage) => self.half_open.insert(id, stage),
            None => self.half_open.remove(&id),
        };
        if before == stage {
            return;
        }
        match before {
            Some(Stage::Called) => drop(self.called.remove(&id)),
            Some(Stage::Aggressive) => self.aggressive = self.aggressive.saturating_sub(1),
            Some(Stage::Answered) => {}
            None => *self.half_open_of.entry(source).or_default() += 1,
        }
        match stage {
            Some(Stage::Called) => drop(self.called.insert(id)),
            Some(Stage::Aggressive) => self.aggressive += 1,
            Some(Stage::Answered) => {}
            None => match self.half_open_of.get_mut(&source) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.half_open_of.remove(&source)),
            },
        }
    }

    /// Whether there is room for one more half-open SA of this source.
    fn room(&self, source: IpAddr, mode: Phase1Mode) -> Room {
        let of_source = self.half_open_of.get(&source).copied().unwrap_or_default();
        let aggressive = mode == Phase1Mode::Aggressive && self.aggressive >= limits::HALF_OPEN_AGGRESSIVE;
        if aggressive || of_source >= limits::HALF_OPEN_PER_SOURCE {
            return Room::Full;
        }
        if self.half_open.len() < limits::HALF_OPEN {
            return Room::Free;
        }
        self.called.first().map_or(Room::Full, |oldest| Room::InsteadOf(*oldest))
    }

    /// Whether another Diffie-Hellman exchange may be spent on this source.
    pub(super) fn take(&mut self, source: IpAddr, now: Instant) -> bool {
        let sweeps = self.swept.is_none_or(|last| last + limits::PHASE1_REFILL <= now);
        if sweeps && !self.buckets.contains_key(&source) && self.buckets.len() >= limits::PHASE1_SOURCES {
            // all of them, so not for each message of a flood: a bucket is not full again any sooner
            self.buckets.retain(|_, bucket| bucket.full_at.is_some_and(|at| at > now));
            self.swept = Some(now);
        }
        if !self.buckets.contains_key(&source) && self.buckets.len() >= limits::PHASE1_SOURCES {
            return self.rest.take(now);
        }
        self.buckets.entry(source).or_default().take(now)
    }
}

impl Engine {
    /// Message 1 of main or aggressive mode.
    pub(super) fn first_message(&mut self, path: Path, header: &Header, body: &[u8], bytes: &[u8]) {
        if self.stopping {
            return;
        }
        if !self.admission.take(path.remote, self.now) {
            self.count("ike refused too fast");
            return self.refuse(None, path, Refusal::TooFast);
        }
        let mode = match header.exchange {
            exchange::MAIN => Phase1Mode::Main,
            exchange::AGGRESSIVE => Phase1Mode::Aggressive,
            other => return self.refuse(None, path, Refusal::Unexpected(other)),
        };
        let oldest = match self.admission.room(path.remote, mode) {
            Room::Free => None,
            Room::InsteadOf(oldest) => Some(oldest),
            Room::Full => {
                self.count("ike refused half-open");
                return self.refuse(None, path, Refusal::TooManyHalfOpen);
            }
        };
        if header.encrypted() || header.message_id != 0 {
            return self.refuse(None, path, Refusal::Unexpected(header.exchange));
        }
        let mut sa = self.new_responder(path, mode, header.initiator);
        self.steps(&sa, || vec![Trace::Received(None, false), Trace::NewSa]);
        let handled = match mode {
            Phase1Mode::Main => self.main_mode_first(&mut sa, header, body),
            Phase1Mode::Aggressive => self.aggressive_first(&mut sa, header, body),
        };
        match handled {
            Ok(answer) => {
                sa.seen.remember(Seen::digest(bytes), header.message_id, answer);
                if let Some(oldest) = oldest {
                    self.with_sa(oldest, Self::give_way);
                }
                self.keep(sa);
            }
            Err(refusal) => {
                if matches!(refusal, Refusal::NoPhase1Proposal(_)) {
                    self.step(&sa, || Trace::Phase1Refused);
                    self.reject_unprotected(&sa, notify::NO_PROPOSAL_CHOSEN);
                }
                self.refuse(None, path, refusal);
            }
        }
    }

    /// All half-open SAs are taken, and another peer calls.
    fn give_way(&mut self, sa: &mut IsakmpSa) {
        self.count("ike refused half-open");
        self.refuse(Some(sa), sa.path, Refusal::TooManyHalfOpen);
        sa.dead = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn taken(admission: &mut Admission, source: IpAddr, now: Instant) -> u32 {
        (0..1000).map(|_| u32::from(admission.take(source, now))).sum()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut admission = Admission::default();
        let now = Instant::ORIGIN + Duration::from_secs(1);
        assert_eq!(taken(&mut admission, source(1), now), limits::PHASE1_BURST);
        assert_eq!(taken(&mut admission, source(1), now + Duration::from_secs(1)), 10);
        assert_eq!(taken(&mut admission, source(2), now), limits::PHASE1_BURST, "others are not concerned");
        let later = now + Duration::from_secs(3600);
        assert_eq!(taken(&mut admission, source(1), later), limits::PHASE1_BURST);
    }

    /// More sources than we keep count of share what is left; when the others are quiet again, each has its own.
    #[test]
    fn too_many_sources_share_a_bucket() {
        let mut admission = Admission::default();
        let now = Instant::ORIGIN + Duration::from_secs(1);
        for number in 0..limits::PHASE1_SOURCES as u32 {
            assert!(admission.take(source(number), now));
        }
        let shared =
            (10_000..10_200).map(|number| u32::from(admission.take(source(number), now))).sum::<u32>();
        assert_eq!(shared, limits::PHASE1_BURST);
        assert_eq!(admission.buckets.len(), limits::PHASE1_SOURCES);
        let later = now + Duration::from_secs(1);
        assert!((10_200..10_300).all(|number| admission.take(source(number), later)));
        assert_eq!(admission.buckets.len(), 100);
    }
}
