//! Who may initiate phase 1: bounds on half-open SAs, and on the Diffie-Hellman exchanges that one
//! address, and all together, make us spend.
//!
//! All bounds count addresses and not ports, because an attacker has all ports of his address. They
//! are therefore wide enough for a building full of peers behind one NAT that all initiate at once.
//! A peer above the bound repeats its message and is admitted later.
//!
//! A first message proves nothing about its sender, who can forge any address, including that of a
//! peer to lock out. Message 1 of main mode costs little and is always accepted (see `calls.rs`).
//! Message 3 carries our cookie, so what it makes us spend is charged to the real holder of the
//! address. Message 1 of aggressive mode costs as much and proves nothing, so it has its own
//! accounts and its own places.
//!
//! When the places are taken, the SA that has waited longest for its peer gives way, once it has
//! waited longer than any round trip takes: a real peer is no longer there then. Known addresses
//! have places and accounts of their own, which strangers cannot use up.

use crate::ike::explain::Refusal;
use crate::ike::pace::{Account, Empty, Rate};
use crate::ike::v1::sa::{IsakmpSa, State};
use crate::limits;
use crate::names::ConnId;
use crate::policy::Phase1Mode;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

const OF_STRANGER: Rate = Rate { burst: limits::PHASE1_BURST, refill: limits::PHASE1_REFILL };
/// A known address may be the NAT of many peers, or forged by somebody who wants to lock them out.
const OF_KNOWN: Rate = Rate { burst: limits::PHASE1_BURST, refill: limits::PHASE1_REFILL_KNOWN };
const OF_ALL: Rate = Rate { burst: limits::PHASE1_BURST_ALL, refill: limits::PHASE1_REFILL_ALL };
const NOTICES: Rate = Rate { burst: limits::NOTICES, refill: limits::NOTICES_REFILL };
const NOTICES_OF_ALL: Rate = Rate { burst: limits::NOTICES_ALL, refill: Duration::from_millis(10) };

/// Whose places and accounts: those of known addresses, or those of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Known,
    Stranger,
}

/// How far an SA that a peer initiated has progressed. An SA that has received only message 1 of
/// main mode is none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Message 1 of aggressive mode was received.
    Aggressive,
    /// The peer has proved that it receives what we send to its address.
    Answered,
    /// Phase 1 is established.
    Up,
}

impl Stage {
    /// The stage of an SA.
    pub(crate) fn of(sa: &IsakmpSa) -> Self {
        match &sa.state {
            State::Established(_) => Self::Up,
            State::AggressiveResponder(_) => Self::Aggressive,
            _ => Self::Answered,
        }
    }

    /// The stage of an SA for which we now spend a Diffie-Hellman exchange.
    pub(crate) const fn next(mode: Phase1Mode) -> Self {
        match mode {
            Phase1Mode::Main => Self::Answered,
            Phase1Mode::Aggressive => Self::Aggressive,
        }
    }
}

/// The SAs that peers have initiated.
#[derive(Debug)]
pub(crate) struct Admission {
    seats: BTreeMap<ConnId, Seat>,
    rows: BTreeMap<(Stage, Lane), Row>,
    accounts: BTreeMap<(Stage, Lane), Account>,
    up_of: BTreeMap<IpAddr, usize>,
    /// Refusals that a first message was told.
    notices: Account,
}

/// The place of an SA.
#[derive(Clone, Copy, Debug)]
struct Seat {
    stage: Stage,
    lane: Lane,
    number: u64,
}

/// Half-open SAs of one stage, in the order of their arrival.
#[derive(Debug, Default)]
struct Row {
    next: u64,
    order: BTreeMap<u64, (ConnId, Instant)>,
    of_source: BTreeMap<IpAddr, BTreeSet<u64>>,
}

impl Row {
    fn take(&mut self, id: ConnId, source: IpAddr, now: Instant) -> u64 {
        let number = self.next;
        self.next += 1;
        self.order.insert(number, (id, now));
        self.of_source.entry(source).or_default().insert(number);
        number
    }

    fn leave(&mut self, number: u64, source: IpAddr) {
        self.order.remove(&number);
        if let Some(crowd) = self.of_source.get_mut(&source) {
            crowd.remove(&number);
            if crowd.is_empty() {
                self.of_source.remove(&source);
            }
        }
    }

    /// Who gives way when there may be this many SAs, and this many of the source; `None` if there
    /// are not more.
    fn surplus(&self, most: usize, of_source: usize, source: IpAddr) -> Option<(ConnId, Instant)> {
        let crowd = self.of_source.get(&source).filter(|crowd| crowd.len() > of_source);
        let oldest = match crowd {
            Some(crowd) => crowd.first(),
            None if self.order.len() > most => self.order.keys().next(),
            None => None,
        };
        oldest.and_then(|number| self.order.get(number)).copied()
    }
}

/// How many half-open SAs of a stage there may be in each lane.
const fn places(stage: Stage) -> usize {
    match stage {
        Stage::Aggressive => limits::HALF_OPEN_AGGRESSIVE,
        Stage::Answered | Stage::Up => limits::HALF_OPEN,
    }
}

impl Default for Admission {
    fn default() -> Self {
        let account = |stage, lane| {
            let each = match lane {
                Lane::Known => OF_KNOWN,
                Lane::Stranger => OF_STRANGER,
            };
            ((stage, lane), Account::new(each, OF_ALL))
        };
        Self {
            seats: BTreeMap::new(),
            rows: BTreeMap::new(),
            accounts: [Stage::Aggressive, Stage::Answered]
                .into_iter()
                .flat_map(|stage| [Lane::Known, Lane::Stranger].map(|lane| account(stage, lane)))
                .collect(),
            up_of: BTreeMap::new(),
            notices: Account::new(NOTICES, NOTICES_OF_ALL),
        }
    }
}

impl Admission {
    /// The lane of an SA that has a place.
    pub(crate) fn lane(&self, id: ConnId) -> Option<Lane> {
        self.seats.get(&id).map(|seat| seat.lane)
    }

    /// Records the stage of a peer's SA; returns the SA that must give way for it.
    pub(crate) fn note(
        &mut self,
        id: ConnId,
        source: IpAddr,
        stage: Stage,
        lane: Lane,
        now: Instant,
    ) -> Option<ConnId> {
        if self.seats.get(&id).is_some_and(|seat| seat.stage == stage) {
            return None;
        }
        self.forget(id, source);
        if stage == Stage::Up {
            *self.up_of.entry(source).or_default() += 1;
            self.seats.insert(id, Seat { stage, lane, number: 0 });
            return None;
        }
        let row = self.rows.entry((stage, lane)).or_default();
        let number = row.take(id, source, now);
        self.seats.insert(id, Seat { stage, lane, number });
        row.surplus(places(stage), limits::HALF_OPEN_PER_SOURCE, source).map(|(oldest, _)| oldest)
    }

    /// The SA is gone.
    pub(crate) fn forget(&mut self, id: ConnId, source: IpAddr) {
        let Some(seat) = self.seats.remove(&id) else { return };
        if seat.stage == Stage::Up {
            let left = self.up_of.get(&source).map_or(0, |count| count.saturating_sub(1));
            if left == 0 {
                self.up_of.remove(&source);
            } else {
                self.up_of.insert(source, left);
            }
        } else if let Some(row) = self.rows.get_mut(&(seat.stage, seat.lane)) {
            row.leave(seat.number, source);
        }
    }

    /// Whether this source may not have another SA.
    pub(crate) fn has_enough(&self, source: IpAddr) -> bool {
        self.up_of.get(&source).is_some_and(|count| *count >= limits::SAS_PER_SOURCE)
    }

    /// Whether another Diffie-Hellman exchange may be spent on this source.
    pub(crate) fn spend(
        &mut self,
        source: IpAddr,
        stage: Stage,
        lane: Lane,
        now: Instant,
    ) -> Result<(), Refusal> {
        let row = self.rows.get(&(stage, lane));
        let crowded =
            row.and_then(|row| row.surplus(places(stage) - 1, limits::HALF_OPEN_PER_SOURCE - 1, source));
        if crowded.is_some_and(|(_, since)| now.since(since) < limits::ROUND_TRIP) {
            return Err(Refusal::TooManyHalfOpen);
        }
        let account = self.accounts.get_mut(&(stage, lane));
        let taken = account.map_or(Err(Empty::All), |account| account.take(source, now));
        taken.map_err(|empty| match empty {
            _ if crowded.is_some() => Refusal::TooManyHalfOpen,
            Empty::Source => Refusal::TooFast,
            Empty::All => Refusal::TooFastTogether,
        })
    }

    /// Whether this source is told once more why its first message is refused.
    pub(crate) fn may_tell(&mut self, source: IpAddr, now: Instant) -> bool {
        self.notices.take(source, now).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::from_origin(Duration::from_secs(1));

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn id(number: usize) -> ConnId {
        ConnId(u32::try_from(number).unwrap())
    }

    /// A claimed address is not charged to the peer that proved it holds that address, nor are
    /// strangers to known peers.
    #[test]
    fn accounts_are_apart() {
        let mut admission = Admission::default();
        let mut taken =
            |stage, lane| (0..1000).filter(|_| admission.spend(source(1), stage, lane, NOW).is_ok()).count();
        for stage in [Stage::Aggressive, Stage::Answered] {
            for lane in [Lane::Known, Lane::Stranger] {
                assert_eq!(taken(stage, lane), limits::PHASE1_BURST as usize, "{stage:?} {lane:?}");
            }
        }
    }

    /// A refusal says whose rate is used up: what helps is not the same.
    #[test]
    fn too_fast_alone_and_too_fast_together() {
        let mut admission = Admission::default();
        let mut refusal = |number: u32| {
            let mut spend = || admission.spend(source(number), Stage::Answered, Lane::Stranger, NOW);
            (0..=limits::PHASE1_BURST).find_map(|_| spend().err())
        };
        let crowd = limits::PHASE1_BURST_ALL / limits::PHASE1_BURST;
        for number in 0..crowd - 1 {
            assert_eq!(refusal(number), Some(Refusal::TooFast), "{number}");
        }
        assert_eq!(refusal(crowd - 1), Some(Refusal::TooFastTogether));
        assert_eq!(refusal(crowd), Some(Refusal::TooFastTogether), "at its first attempt");
        let known = admission.spend(source(0), Stage::Answered, Lane::Known, NOW);
        assert_eq!(known, Ok(()), "known addresses have a rate of their own");
    }

    /// Admits SAs of a source until one is refused, or as many as this.
    fn admit(
        admission: &mut Admission,
        number: usize,
        source: IpAddr,
        lane: Lane,
        now: Instant,
    ) -> Result<Option<ConnId>, Refusal> {
        admission.spend(source, Stage::Aggressive, lane, now)?;
        Ok(admission.note(id(number), source, Stage::Aggressive, lane, now))
    }

    /// The places of strangers are all taken: who waits for less than a round trip stays, then the
    /// oldest gives way. Known addresses are not concerned.
    #[test]
    fn the_oldest_gives_way_after_a_round_trip() {
        let mut admission = Admission::default();
        for number in 0..limits::HALF_OPEN_AGGRESSIVE {
            let at = NOW + Duration::from_millis(number as u64 / 16);
            assert_eq!(admit(&mut admission, number, source(number as u32), Lane::Stranger, at), Ok(None));
        }
        let soon = NOW + (limits::ROUND_TRIP - Duration::from_millis(1));
        let refused = Err(Refusal::TooManyHalfOpen);
        assert_eq!(admit(&mut admission, 5000, source(5000), Lane::Stranger, soon), refused);
        assert_eq!(admit(&mut admission, 5001, source(5001), Lane::Known, soon), Ok(None));
        let later = NOW + limits::ROUND_TRIP;
        assert_eq!(admit(&mut admission, 5002, source(5002), Lane::Stranger, later), Ok(Some(id(0))));
        admission.forget(id(0), source(0));
        assert_eq!(admit(&mut admission, 5003, source(5003), Lane::Stranger, later), Ok(Some(id(1))));
    }

    /// One address has some of the places, and gives way to itself.
    #[test]
    fn a_crowded_source_gives_way_to_itself() {
        let mut admission = Admission::default();
        for number in 0..limits::HALF_OPEN_PER_SOURCE {
            assert_eq!(admit(&mut admission, number, source(1), Lane::Known, NOW), Ok(None));
        }
        let refused = Err(Refusal::TooManyHalfOpen);
        assert_eq!(admit(&mut admission, 100, source(1), Lane::Known, NOW), refused);
        assert_eq!(admit(&mut admission, 101, source(2), Lane::Known, NOW), Ok(None));
        let later = NOW + limits::ROUND_TRIP;
        assert_eq!(admit(&mut admission, 102, source(1), Lane::Known, later), Ok(Some(id(0))));
    }

    /// Established SAs count for their source and not as half-open ones; once they are gone,
    /// nothing is left.
    #[test]
    fn sas_of_one_source() {
        let mut admission = Admission::default();
        let up = |admission: &mut Admission, from: usize, until: usize| {
            for number in from..until {
                admission.note(id(number), source(1), Stage::Answered, Lane::Known, NOW);
                admission.note(id(number), source(1), Stage::Up, Lane::Known, NOW);
            }
        };
        up(&mut admission, 0, limits::SAS_PER_SOURCE - 1);
        assert!(!admission.has_enough(source(1)));
        up(&mut admission, limits::SAS_PER_SOURCE - 1, limits::SAS_PER_SOURCE);
        assert!(admission.has_enough(source(1)) && !admission.has_enough(source(2)));
        (0..limits::SAS_PER_SOURCE).for_each(|number| admission.forget(id(number), source(1)));
        assert!(admission.seats.is_empty() && admission.up_of.is_empty());
        assert!(admission.rows.values().all(|row| row.order.is_empty() && row.of_source.is_empty()));
    }
}
