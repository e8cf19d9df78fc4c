//! Who may initiate phase 1: bounds on half-open SAs, and on the Diffie-Hellman exchanges that one
//! address makes us spend.
//!
//! All bounds count addresses and not ports, because an attacker has all ports of his address. They
//! are therefore wide enough for a building full of peers behind one NAT that all initiate at once.
//! A peer above the bound repeats its message and is admitted later.
//!
//! A first message proves nothing about its sender, who can forge any address, including that of a
//! peer to lock out. Message 1 of main mode costs little and is therefore always accepted. When too
//! many SAs, of one address or in total, have received only that message, the oldest is dropped: a
//! real peer answers our message 2 long before its SA is the oldest, and a forged one never does.
//! Message 3 carries our cookie, so what it makes us spend is charged to the real holder of the
//! address. Message 1 of aggressive mode costs as much and proves nothing, so it has its own
//! account and its own bound.

use crate::ike::engine::Engine;
use crate::ike::explain::Refusal;
use crate::ike::sa::{IsakmpSa, Seen, State};
use crate::ike::trace::Trace;
use crate::limits;
use crate::names::ConnId;
use crate::path::Path;
use crate::policy::Phase1Mode;
use crate::time::Instant;
use crate::wire::isakmp::Header;
use crate::wire::registry::{exchange, notify};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The SAs that peers have initiated.
#[derive(Debug, Default)]
pub(super) struct Admission {
    /// Spent on peers that sent our cookie.
    shown: Account,
    /// Spent on peers that only claim an address.
    claimed: Account,
    stages: BTreeMap<ConnId, Stage>,
    half_open: usize,
    up_of: BTreeMap<IpAddr, usize>,
    /// The half-open SAs that may be dropped, oldest first.
    called: BTreeSet<ConnId>,
    called_of: BTreeMap<IpAddr, BTreeSet<ConnId>>,
    aggressive: usize,
}

/// A token bucket for each source address, and one that all sources without a bucket share.
#[derive(Debug, Default)]
struct Account {
    /// Half-open SAs that have cost a Diffie-Hellman exchange.
    half_open_of: BTreeMap<IpAddr, usize>,
    of_source: BTreeMap<IpAddr, Bucket>,
    rest: Bucket,
    /// When full buckets were last discarded.
    swept: Option<Instant>,
}

/// How far an SA that a peer initiated has progressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Only message 1 of main mode was received.
    Called,
    /// Message 1 of aggressive mode was received.
    Aggressive,
    /// The peer has proved that it receives what we send to its address.
    Answered,
    /// Phase 1 is established.
    Up,
}

impl Stage {
    /// The stage of an SA.
    pub(super) fn of(sa: &IsakmpSa) -> Self {
        match &sa.state {
            State::Established(_) => Self::Up,
            State::MainResponder(state) if !state.is_exchanged() => Self::Called,
            State::AggressiveResponder(_) => Self::Aggressive,
            _ => Self::Answered,
        }
    }
}

/// Room for one more half-open SA.
enum Room {
    Free,
    /// This SA must be dropped for it.
    InsteadOf(ConnId),
}

/// Counts the tokens that were spent and not refilled yet, so that the default value is a full
/// bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When the bucket will be full again.
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

impl Account {
    /// Takes a token of a source, if there is one.
    fn take(&mut self, source: IpAddr, now: Instant) -> bool {
        let sweeps = self.swept.is_none_or(|last| last + limits::PHASE1_REFILL <= now);
        if sweeps && !self.of_source.contains_key(&source) && self.of_source.len() >= limits::PHASE1_SOURCES {
            // sweeping visits all buckets, so it is not done for each message of a flood: no bucket
            // refills faster than that
            self.of_source.retain(|_, bucket| bucket.full_at.is_some_and(|at| at > now));
            self.swept = Some(now);
        }
        if !self.of_source.contains_key(&source) && self.of_source.len() >= limits::PHASE1_SOURCES {
            return self.rest.take(now);
        }
        self.of_source.entry(source).or_default().take(now)
    }
}

/// Counts one more of a source, or one less.
fn step(counts: &mut BTreeMap<IpAddr, usize>, source: IpAddr, more: bool) {
    let count = counts.entry(source).or_default();
    *count = if more { *count + 1 } else { count.saturating_sub(1) };
    if *count == 0 {
        counts.remove(&source);
    }
}

impl Admission {
    /// Records the stage of a peer's SA, or that the SA is gone.
    pub(super) fn note(&mut self, id: ConnId, source: IpAddr, stage: Option<Stage>) {
        let before = match stage {
            Some(stage) => self.stages.insert(id, stage),
            None => self.stages.remove(&id),
        };
        if before != stage {
            before.into_iter().for_each(|before| self.count(id, source, before, false));
            stage.into_iter().for_each(|stage| self.count(id, source, stage, true));
        }
    }

    /// Counts one more of a stage, or one less.
    fn count(&mut self, id: ConnId, source: IpAddr, stage: Stage, more: bool) {
        let by = |count: &mut usize| *count = if more { *count + 1 } else { count.saturating_sub(1) };
        match stage {
            Stage::Called => {
                let of_source = self.called_of.entry(source).or_default();
                if more {
                    of_source.insert(id);
                    self.called.insert(id);
                } else {
                    of_source.remove(&id);
                    self.called.remove(&id);
                }
                if of_source.is_empty() {
                    self.called_of.remove(&source);
                }
            }
            Stage::Aggressive => {
                by(&mut self.aggressive);
                step(&mut self.claimed.half_open_of, source, more);
            }
            Stage::Answered => step(&mut self.shown.half_open_of, source, more),
            Stage::Up => step(&mut self.up_of, source, more),
        }
        if stage != Stage::Up {
            by(&mut self.half_open);
        }
    }

    /// Whether there is room for one more half-open SA of this source.
    fn room(&self, source: IpAddr, mode: Phase1Mode) -> Result<Room, Refusal> {
        if self.up_of.get(&source).is_some_and(|count| *count >= limits::SAS_PER_SOURCE) {
            return Err(Refusal::TooManyOfSource);
        }
        let crowd = self.called_of.get(&source).filter(|called| called.len() >= limits::CALLED_PER_SOURCE);
        match (mode, crowd.and_then(BTreeSet::first)) {
            (Phase1Mode::Main, Some(oldest)) => return Ok(Room::InsteadOf(*oldest)),
            (Phase1Mode::Aggressive, _) if self.aggressive >= limits::HALF_OPEN_AGGRESSIVE => {
                return Err(Refusal::TooManyHalfOpen);
            }
            _ => {}
        }
        if self.half_open < limits::HALF_OPEN {
            return Ok(Room::Free);
        }
        self.called.first().map(|oldest| Room::InsteadOf(*oldest)).ok_or(Refusal::TooManyHalfOpen)
    }

    /// Whether another Diffie-Hellman exchange may be spent on this source.
    fn spend(&mut self, source: IpAddr, mode: Phase1Mode, now: Instant) -> Result<(), Refusal> {
        let account = match mode {
            Phase1Mode::Main => &mut self.shown,
            Phase1Mode::Aggressive => &mut self.claimed,
        };
        if account.half_open_of.get(&source).is_some_and(|count| *count >= limits::HALF_OPEN_PER_SOURCE) {
            return Err(Refusal::TooManyHalfOpen);
        }
        if account.take(source, now) { Ok(()) } else { Err(Refusal::TooFast) }
    }
}

impl Engine {
    /// Message 1 of main or aggressive mode.
    pub(super) fn first_message(&mut self, path: Path, header: &Header, body: &[u8], bytes: &[u8]) {
        if self.stopping {
            return;
        }
        let mode = match header.exchange {
            exchange::MAIN => Phase1Mode::Main,
            exchange::AGGRESSIVE => Phase1Mode::Aggressive,
            other => return self.refuse(None, path, Refusal::Unexpected(other)),
        };
        let room = match mode {
            Phase1Mode::Main => Ok(()),
            Phase1Mode::Aggressive => self.admission.spend(path.remote, mode, self.now),
        };
        let oldest = match room.and_then(|()| self.admission.room(path.remote, mode)) {
            Ok(Room::Free) => None,
            Ok(Room::InsteadOf(oldest)) => Some(oldest),
            Err(refusal) => return self.refuse(None, path, refusal),
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
                self.keep(Box::new(sa));
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

    /// Before a Diffie-Hellman exchange for message 3 of main mode. It is charged to the source of
    /// message 1, because our cookie was sent there; the source of message 3 may be forged again.
    pub(crate) fn spend(&mut self, sa: &IsakmpSa) -> Result<(), Refusal> {
        let source = sa.first_source.unwrap_or(sa.path.remote);
        self.admission.spend(source, sa.mode, self.now)
    }

    /// Drops this half-open SA because there are too many and another peer initiates.
    fn give_way(&mut self, sa: &mut IsakmpSa) {
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
        (0..1000).map(|_| u32::from(admission.spend(source, Phase1Mode::Main, now).is_ok())).sum()
    }

    /// A claimed address is not charged to the peer that proved it holds that address.
    #[test]
    fn a_burst_and_then_the_rate() {
        let mut admission = Admission::default();
        let now = Instant::ORIGIN + Duration::from_secs(1);
        assert_eq!(taken(&mut admission, source(1), now), limits::PHASE1_BURST);
        assert_eq!(taken(&mut admission, source(1), now + Duration::from_secs(1)), 10);
        assert_eq!(taken(&mut admission, source(2), now), limits::PHASE1_BURST, "others are not concerned");
        let later = now + Duration::from_secs(3600);
        let claims = (0..1000).filter(|_| admission.spend(source(1), Phase1Mode::Aggressive, later).is_ok());
        assert_eq!(claims.count(), limits::PHASE1_BURST as usize);
        assert_eq!(taken(&mut admission, source(1), later), limits::PHASE1_BURST);
    }

    /// Sources beyond those that we count separately share one bucket; once the others are quiet,
    /// each gets its own.
    #[test]
    fn too_many_sources_share_a_bucket() {
        let mut admission = Account::default();
        let now = Instant::ORIGIN + Duration::from_secs(1);
        for number in 0..limits::PHASE1_SOURCES as u32 {
            assert!(admission.take(source(number), now));
        }
        let shared =
            (10_000..10_200).map(|number| u32::from(admission.take(source(number), now))).sum::<u32>();
        assert_eq!(shared, limits::PHASE1_BURST);
        assert_eq!(admission.of_source.len(), limits::PHASE1_SOURCES);
        let later = now + Duration::from_secs(1);
        assert!((10_200..10_300).all(|number| admission.take(source(number), later)));
        assert_eq!(admission.of_source.len(), 100);
    }

    /// Established SAs count for their source and not as half-open ones; once they are gone,
    /// nothing is left.
    #[test]
    fn sas_of_one_source() {
        let mut admission = Admission::default();
        let up = |admission: &mut Admission, count: usize, stage: Option<Stage>| {
            for number in 0..count {
                let id = ConnId(u32::try_from(number).unwrap());
                admission.note(id, source(1), stage.map(|_| Stage::Called));
                admission.note(id, source(1), stage.map(|_| Stage::Answered));
                admission.note(id, source(1), stage);
            }
        };
        up(&mut admission, limits::SAS_PER_SOURCE - 1, Some(Stage::Up));
        assert!(admission.room(source(1), Phase1Mode::Main).is_ok());
        up(&mut admission, limits::SAS_PER_SOURCE, Some(Stage::Up));
        let refused = admission.room(source(1), Phase1Mode::Main);
        assert!(matches!(refused, Err(Refusal::TooManyOfSource)));
        assert!(admission.room(source(2), Phase1Mode::Main).is_ok());
        up(&mut admission, limits::SAS_PER_SOURCE, None);
        assert!(admission.room(source(1), Phase1Mode::Main).is_ok());
        let left = (admission.stages.len(), admission.half_open, admission.up_of.len());
        assert_eq!((left, admission.shown.half_open_of.len(), admission.called_of.len()), ((0, 0, 0), 0, 0));
    }
}
