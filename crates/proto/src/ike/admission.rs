//! Who may begin phase 1: bounds on half-open SAs, and on how fast one address may begin them.
//!
//! Both count addresses and not ports, since an attacker has all ports of his address. So they are wide enough for a building
//! full of peers behind one NAT that all begin at once; whoever is too many repeats message 1 and is let in then.

use crate::ike::engine::Engine;
use crate::ike::event::ConnId;
use crate::ike::explain::Refusal;
use crate::ike::path::Path;
use crate::ike::policy::Phase1Mode;
use crate::ike::sa::Seen;
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
    half_open: BTreeSet<ConnId>,
    half_open_of: BTreeMap<IpAddr, usize>,
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
    /// A peer's SA is half-open now, or is not any more.
    pub(super) fn note(&mut self, id: ConnId, source: IpAddr, half_open: bool) {
        if half_open && self.half_open.insert(id) {
            *self.half_open_of.entry(source).or_default() += 1;
        } else if !half_open && self.half_open.remove(&id) {
            match self.half_open_of.get_mut(&source) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(self.half_open_of.remove(&source)),
            }
        }
    }

    /// Whether one more half-open SA of this source is one too many.
    fn is_full(&self, source: IpAddr) -> bool {
        self.half_open.len() >= limits::HALF_OPEN
            || self.half_open_of.get(&source).is_some_and(|count| *count >= limits::HALF_OPEN_PER_SOURCE)
    }

    /// Whether another Diffie-Hellman exchange may be spent on this source.
    pub(super) fn take(&mut self, source: IpAddr, now: Instant) -> bool {
        if !self.buckets.contains_key(&source) && self.buckets.len() >= limits::PHASE1_SOURCES {
            self.buckets.retain(|_, bucket| bucket.full_at.is_some_and(|at| at > now));
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
        if self.admission.is_full(path.remote) {
            self.count("ike refused half-open");
            return self.refuse(None, path, Refusal::TooManyHalfOpen);
        }
        let mode = match header.exchange {
            exchange::MAIN => Phase1Mode::Main,
            exchange::AGGRESSIVE => Phase1Mode::Aggressive,
            other => return self.refuse(None, path, Refusal::Unexpected(other)),
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
