//! Lifetimes that a peer proposes or announces, and what we grant: never more than is configured
//! here, and never so little that the peer keeps us busy with rekeys.

use crate::limits;
use crate::wire::attribute::{self, Attribute};
use crate::wire::registry::{ike, ipsec};
use std::time::Duration;

/// Lifetimes of a transform, as proposed, or of a RESPONDER-LIFETIME notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lifetimes {
    /// In seconds.
    pub seconds: Option<u64>,
    /// In kilobytes.
    pub kilobytes: Option<u64>,
}

impl Lifetimes {
    /// Those in the data of a RESPONDER-LIFETIME notification, with the attribute numbers of either
    /// phase (RFC 2407 section 4.6.3.1); what cannot be read says nothing.
    pub(crate) fn announced(data: &[u8]) -> Self {
        let mut life = Life::default();
        for attribute in attribute::parse(data).unwrap_or_default() {
            match (attribute.kind, attribute.as_number()) {
                (ipsec::LIFE_TYPE | ike::LIFE_TYPE, Some(unit)) => {
                    let _known = u16::try_from(unit).is_ok_and(|unit| life.unit(unit));
                }
                (ipsec::LIFE_DURATION | ike::LIFE_DURATION, Some(value)) => life.duration(value),
                _ => {}
            }
        }
        life.read()
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The attributes of phase 2 that say this: the type and then its duration, as clients read it.
    pub(crate) fn attributes(&self) -> Vec<Attribute> {
        let one = |unit: u16, value: Option<u64>| {
            let value = u32::try_from(value?).unwrap_or(u32::MAX);
            let duration = Attribute::long(ipsec::LIFE_DURATION, value.to_be_bytes());
            Some([Attribute::short(ipsec::LIFE_TYPE, unit), duration])
        };
        let both = [one(ipsec::SECONDS, self.seconds), one(ipsec::KILOBYTES, self.kilobytes)];
        both.into_iter().flatten().flatten().collect()
    }
}

/// Life types and durations in the order in which they come. A duration belongs to the type before
/// it, or, if there is none, to the type after it.
#[derive(Debug, Default)]
pub(crate) struct Life {
    read: Lifetimes,
    unit: Option<u16>,
    duration: Option<u64>,
    ambiguous: bool,
}

impl Life {
    /// A life type; `false` if it is not one.
    pub(crate) fn unit(&mut self, unit: u16) -> bool {
        match self.duration.take() {
            Some(duration) => self.set(unit, duration),
            None => self.unit = Some(unit),
        }
        matches!(unit, ipsec::SECONDS | ipsec::KILOBYTES)
    }

    /// A life duration.
    pub(crate) fn duration(&mut self, duration: u64) {
        match self.unit.take() {
            Some(unit) => self.set(unit, duration),
            None => self.ambiguous |= self.duration.replace(duration).is_some_and(|other| other != duration),
        }
    }

    fn set(&mut self, unit: u16, duration: u64) {
        let slot = match unit {
            ipsec::SECONDS => &mut self.read.seconds,
            ipsec::KILOBYTES => &mut self.read.kilobytes,
            _ => return,
        };
        self.ambiguous |= slot.replace(duration).is_some_and(|other| other != duration);
    }

    /// Whether one unit has several durations.
    pub(crate) fn is_ambiguous(&self) -> bool {
        let left_over = self.duration.is_some() && self.read != Lifetimes::default();
        self.ambiguous || left_over
    }

    /// What was read.
    pub(crate) fn read(self) -> Lifetimes {
        self.read
    }
}

/// The lifetime that we grant to a peer: what it proposes, but not longer than `ours` and not
/// shorter than `floor`, unless ours is shorter still. 0 proposes nothing.
pub(crate) fn granted(wished: Option<u64>, ours: Duration, floor: Duration) -> Duration {
    let wished = wished.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    wished.map_or(ours, |wished| wished.clamp(floor.min(ours), ours))
}

/// The volume in kilobytes that we grant to a peer, by the same rule; without one here, the peer's
/// applies.
pub(crate) fn granted_volume(wished: Option<u64>, ours: Option<u64>) -> Option<u64> {
    let floor = limits::SHORTEST_VOLUME;
    match (wished.filter(|kilobytes| *kilobytes > 0), ours) {
        (None, ours) => ours,
        (Some(wished), None) => Some(wished.max(floor)),
        (Some(wished), Some(ours)) => Some(wished.clamp(floor.min(ours), ours)),
    }
}

/// The lifetime of a child SA for which the responder announces this one. 0 announces nothing.
pub(crate) fn shortened(ours: Duration, announced: u64) -> Duration {
    match announced {
        0 => ours,
        _ => ours.min(Duration::from_secs(announced).max(limits::SHORTEST_CHILD)),
    }
}

/// How long before the end of its lifetime an SA is rekeyed at the latest, by each side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Margins {
    pub(crate) initiator: Duration,
    pub(crate) responder: Duration,
}

impl Margins {
    /// The margin of one side.
    pub(crate) const fn of(&self, initiator: bool) -> Duration {
        if initiator { self.initiator } else { self.responder }
    }

    /// How long after its birth an SA is rekeyed. SAs of one birth second (after a power cut, say)
    /// are spread over a tenth of their life by `random`. The initiator's tenth ends before the
    /// responder's begins, so that the two do not rekey at the same time.
    pub(crate) fn renewal(&self, lifetime: Duration, initiator: bool, random: u32) -> Duration {
        let spread = lifetime / 10;
        let late = self.responder.min(lifetime / 20);
        let margin = if initiator { self.initiator.min(lifetime / 4).max(late + spread) } else { late };
        let jitter = spread.mul_f64(f64::from(random % 10_000) / 10_000.0);
        lifetime.saturating_sub(margin + jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(wished: u64) -> u64 {
        granted(Some(wished), Duration::from_secs(3600), limits::SHORTEST_CHILD).as_secs()
    }

    /// A peer that proposes seconds of lifetime gets the shortest that can be configured.
    #[test]
    fn a_lifetime_of_seconds_is_raised() {
        for (wished, granted) in
            [(1, 120), (3, 120), (119, 120), (120, 120), (121, 121), (3600, 3600), (u64::MAX, 3600)]
        {
            assert_eq!(seconds(wished), granted, "{wished}");
        }
        assert_eq!(seconds(0), 3600, "0 proposes nothing");
        assert_eq!(granted(None, Duration::from_secs(3600), limits::SHORTEST_CHILD).as_secs(), 3600);
        let configured = Duration::from_secs(30);
        assert_eq!(granted(Some(3), configured, limits::SHORTEST_CHILD), configured);
        assert_eq!(granted(Some(99), configured, limits::SHORTEST_CHILD), configured);
    }

    /// What a responder announces shortens ours; 0 is no announcement.
    #[test]
    fn an_announced_lifetime_of_nothing_changes_nothing() {
        let ours = Duration::from_secs(3600);
        for (announced, seconds) in [(0, 3600), (1, 120), (600, 600), (3600, 3600), (u64::MAX, 3600)] {
            assert_eq!(shortened(ours, announced).as_secs(), seconds, "{announced}");
        }
    }

    /// A peer that proposes a few kilobytes must not make us rekey all the time.
    #[test]
    fn a_volume_of_a_few_kilobytes_is_raised() {
        for (wished, ours, granted) in [
            (Some(1), Some(4_608_000), Some(2560)),
            (Some(1), None, Some(2560)),
            (Some(0), Some(4_608_000), Some(4_608_000)),
            (Some(2560), Some(4_608_000), Some(2560)),
            (Some(u64::MAX), Some(4_608_000), Some(4_608_000)),
            (Some(u64::MAX), None, Some(u64::MAX)),
            (Some(1), Some(100), Some(100)),
            (None, None, None),
            (Some(0), None, None),
        ] {
            assert_eq!(granted_volume(wished, ours), granted, "{wished:?} {ours:?}");
        }
    }

    #[test]
    fn announcements_of_either_phase_and_order() {
        let data = |attributes: &[Attribute]| {
            let mut data = Vec::new();
            attribute::write(attributes, &mut data);
            Lifetimes::announced(&data)
        };
        let both = Lifetimes { seconds: Some(300), kilobytes: Some(5000) };
        assert_eq!(data(&both.attributes()), both);
        let phase1 = [Attribute::short(11, 1), Attribute::long(12, [0, 0, 0, 0, 0, 0, 1, 44])];
        assert_eq!(data(&phase1), Lifetimes { seconds: Some(300), kilobytes: None });
        assert_eq!(data(&[Attribute::short(2, 300), Attribute::short(1, 1)]).seconds, Some(300));
        assert_eq!(data(&[Attribute::short(1, 7), Attribute::short(2, 300)]).seconds, None);
        assert!(Lifetimes::announced(&[1, 2, 3]).is_empty());
    }

    /// A responder may shorten a lifetime, but not so far that we rekey all the time.
    #[test]
    fn an_announced_lifetime_has_the_same_floor() {
        let ours = Duration::from_secs(3600);
        assert_eq!(shortened(ours, 600).as_secs(), 600);
        assert_eq!(shortened(ours, 1).as_secs(), 120);
        assert_eq!(shortened(ours, u64::MAX), ours);
        assert_eq!(shortened(Duration::from_secs(60), 1).as_secs(), 60);
    }

    /// 10,000 SAs of one birth second: no moment has more than three times its share, and each
    /// initiator is earlier than each responder.
    #[test]
    fn renewals_are_spread_over_a_tenth_of_the_life() {
        let margins = Margins { initiator: Duration::from_secs(30), responder: Duration::from_secs(12) };
        for lifetime in [60, 120, 3600, 86_400].map(Duration::from_secs) {
            let mut random = hubward_crypto::random::Random::new([1; 32]);
            let mut of = |initiator| {
                let renewals = (0..10_000).map(|_| margins.renewal(lifetime, initiator, random.u32()));
                let mut renewals: Vec<_> = renewals.collect();
                renewals.sort_unstable();
                renewals
            };
            let (initiators, responders) = (of(true), of(false));
            assert!(initiators.last() <= responders.first(), "{lifetime:?}");
            assert!(responders.last().unwrap() < &lifetime && initiators[0] > lifetime / 2, "{lifetime:?}");
            for renewals in [initiators, responders] {
                let (first, last) = (renewals[0], *renewals.last().unwrap());
                assert!(last - first > lifetime / 11, "{lifetime:?}: {first:?} to {last:?}");
                let part = (last - first) / 100;
                for slot in 0..100 {
                    let slot = first + part * slot..first + part * (slot + 1);
                    let at_once = renewals.iter().filter(|at| slot.contains(at)).count();
                    assert!(at_once <= 300, "{lifetime:?}: {at_once} of 10,000 in one hundredth");
                }
            }
        }
    }
}
