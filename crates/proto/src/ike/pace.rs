//! How often: token buckets for what one address, and all addresses together, make us do, and the
//! bound on answers to the same message.

use crate::limits;
use crate::time::Instant;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// How many at once, and how long until one more is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) burst: u32,
    pub(crate) refill: Duration,
}

/// A token bucket. It counts the tokens that were spent and not refilled yet, so that the default
/// value is a full bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When the bucket will be full again.
    full_at: Option<Instant>,
}

impl Bucket {
    /// When the bucket would be full again if a token were taken; `None` if there is none.
    fn without_one(self, rate: Rate, now: Instant) -> Option<Instant> {
        let full_at = self.full_at.filter(|at| *at > now).unwrap_or(now) + rate.refill;
        (full_at.since(now) <= rate.refill * rate.burst).then_some(full_at)
    }
}

/// Which bucket of an [`Account`] has no token left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Empty {
    /// That of the source.
    Source,
    /// That of all sources together, whatever the source's own has.
    All,
}

/// A token bucket for each source address, and one for all of them together. Sources that do not
/// fit into the table have only the latter.
#[derive(Debug)]
pub(crate) struct Account {
    each: Rate,
    all: Rate,
    of_source: BTreeMap<IpAddr, Bucket>,
    total: Bucket,
    /// When full buckets were last discarded.
    swept: Option<Instant>,
}

impl Account {
    pub(crate) fn new(each: Rate, all: Rate) -> Self {
        Self { each, all, of_source: BTreeMap::new(), total: Bucket::default(), swept: None }
    }

    /// Takes a token of a source and one of all, if there are both. A source that has none does not
    /// use up those of the others.
    ///
    /// # Errors
    /// Whose tokens are used up.
    pub(crate) fn take(&mut self, source: IpAddr, now: Instant) -> Result<(), Empty> {
        let sweeps = self.swept.is_none_or(|last| last + self.each.refill <= now);
        if sweeps && !self.of_source.contains_key(&source) && self.of_source.len() >= limits::PACED_SOURCES {
            // sweeping visits all buckets, so it is not done for each message of a flood: no bucket
            // refills faster than that
            self.of_source.retain(|_, bucket| bucket.full_at.is_some_and(|at| at > now));
            self.swept = Some(now);
        }
        let bucket = self.of_source.get(&source).copied().unwrap_or_default();
        let total = self.total.without_one(self.all, now).ok_or(Empty::All)?;
        let own = bucket.without_one(self.each, now).ok_or(Empty::Source)?;
        let has_own = self.of_source.contains_key(&source) || self.of_source.len() < limits::PACED_SOURCES;
        self.total = Bucket { full_at: Some(total) };
        if has_own {
            self.of_source.insert(source, Bucket { full_at: Some(own) });
        }
        Ok(())
    }
}

/// How often the same message was answered lately. A message that is repeated more often than any
/// peer does is somebody's attempt to have us flood the address that it claims.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeats {
    /// Milliseconds of the clock, modulo 2^32.
    since: u32,
    answers: u8,
    /// It came more than once.
    repeated: bool,
}

impl Repeats {
    /// The message was answered now, for the first time.
    pub(crate) fn first(now: Instant) -> Self {
        Self { since: millis(now), answers: 1, repeated: false }
    }

    /// Whether it may be answered once more; counts the answer.
    pub(crate) fn again(&mut self, now: Instant) -> bool {
        self.repeated = true;
        let elapsed = Duration::from_millis(millis(now).wrapping_sub(self.since).into());
        if elapsed >= limits::REPEATED_TIME {
            *self = Self { since: millis(now), answers: 0, repeated: true };
        }
        let may = self.answers < limits::REPEATED_ANSWERS;
        self.answers += u8::from(may);
        may
    }

    /// Whether it came more than once.
    pub(crate) const fn seen(&self) -> bool {
        self.repeated
    }
}

fn millis(now: Instant) -> u32 {
    (now.since_origin().as_millis() & u128::from(u32::MAX)).try_into().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: Rate = Rate { burst: 64, refill: Duration::from_millis(100) };
    const ALL: Rate = Rate { burst: 6_000, refill: Duration::from_millis(2) };
    const NOW: Instant = Instant::from_origin(Duration::from_secs(1));

    fn source(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    fn taken(account: &mut Account, source: IpAddr, now: Instant) -> usize {
        (0..1000).filter(|_| account.take(source, now).is_ok()).count()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut account = Account::new(EACH, ALL);
        assert_eq!(taken(&mut account, source(1), NOW), 64);
        assert_eq!(taken(&mut account, source(1), NOW + Duration::from_secs(1)), 10);
        assert_eq!(taken(&mut account, source(2), NOW), 64, "others are not concerned");
        assert_eq!(taken(&mut account, source(1), NOW + Duration::from_secs(3600)), 64);
    }

    /// All sources together have a rate too, which one source alone does not use up.
    #[test]
    fn all_sources_have_a_rate_too() {
        let mut account = Account::new(EACH, Rate { burst: 100, ..ALL });
        assert_eq!(taken(&mut account, source(1), NOW), 64);
        assert_eq!(account.take(source(1), NOW), Err(Empty::Source));
        assert_eq!(taken(&mut account, source(2), NOW), 36);
        assert_eq!(account.take(source(3), NOW), Err(Empty::All), "it has not taken any");
        assert_eq!(account.take(source(1), NOW), Err(Empty::All), "its own would not help");
        assert_eq!(taken(&mut account, source(3), NOW + Duration::from_millis(20)), 10);
    }

    /// Sources beyond those that have a bucket are not refused for that; once the others are quiet,
    /// each gets its own.
    #[test]
    fn more_sources_than_buckets() {
        let mut account = Account::new(EACH, ALL);
        let most = u32::try_from(limits::PACED_SOURCES).unwrap();
        assert!((0..most).all(|number| account.take(source(number), NOW).is_ok()));
        assert!((10_000..10_200).all(|number| account.take(source(number), NOW).is_ok()));
        assert_eq!(account.of_source.len(), limits::PACED_SOURCES);
        let later = NOW + Duration::from_secs(1);
        assert!((10_200..10_300).all(|number| account.take(source(number), later).is_ok()));
        assert_eq!(account.of_source.len(), 100);
    }

    /// Also over the moment in which the milliseconds start again.
    #[test]
    fn a_repetition_is_answered_a_few_times() {
        for origin in [Duration::from_secs(1), Duration::from_millis(u64::from(u32::MAX) - 4_000)] {
            let start = Instant::from_origin(origin);
            let mut repeats = Repeats::first(start);
            let answered = |repeats: &mut Repeats, from: u64, until: u64| {
                let times = (from..until).step_by(10);
                times.filter(|ms| repeats.again(start + Duration::from_millis(*ms))).count()
            };
            assert_eq!(answered(&mut repeats, 0, 10_000), 4, "the first answer counts");
            assert_eq!(answered(&mut repeats, 10_000, 20_000), 5);
            assert_eq!(answered(&mut repeats, 100_000, 110_000), 5);
        }
    }
}
