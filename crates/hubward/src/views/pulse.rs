//! When packets last passed in each direction of each tunnel. The SAs count packets; a look at their
//! counts every other second tells since when a direction is silent, without a word from the packet
//! path.

use hubward_proto::names::ChildId;
use hubward_proto::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Time between two looks.
pub(crate) const EVERY: Duration = Duration::from_secs(2);
/// How long a span is in which losses are counted.
const SPAN: Duration = Duration::from_secs(10);

/// Losses and repetitions are told from so many packets on, and from one in so many.
const FEW: u64 = 3;
const ONE_IN: u64 = 10;
/// Packets that came twice or too late and are no chance: so many, one in so many.
const REPEATED: u64 = 10;
const ONE_REPEATED_IN: u64 = 200;
/// Packets in a row that are lost, and no chance.
const OUTAGE: u64 = 5;

/// One direction of a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beat {
    /// When the last packets were seen to have passed.
    pub(crate) last: Option<Instant>,
    /// Packets of this direction since the other one was seen to move.
    pub(crate) alone: u64,
    /// Packets that came since the last one that was accepted, and were refused.
    pub(crate) refused: u64,
}

/// What came from the peer in a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recent {
    /// Packets that it sent, by its sequence numbers.
    pub(crate) sent: u64,
    /// Of these, what did not come.
    pub(crate) lost: u64,
    /// Packets that came twice or too late.
    pub(crate) repeated: u64,
    /// All that came.
    pub(crate) came: u64,
}

impl Recent {
    /// Whether more was lost than by chance.
    pub(crate) const fn is_lossy(&self) -> bool {
        self.lost >= FEW && self.lost.saturating_mul(ONE_IN) >= self.sent
    }

    /// Whether the path repeats or reorders packets.
    pub(crate) const fn is_repeated(&self) -> bool {
        self.repeated >= REPEATED && self.repeated.saturating_mul(ONE_REPEATED_IN) >= self.came
    }

    fn add(&mut self, other: Self) {
        self.sent = self.sent.saturating_add(other.sent);
        self.lost = self.lost.saturating_add(other.lost);
        self.repeated = self.repeated.saturating_add(other.repeated);
        self.came = self.came.saturating_add(other.came);
    }
}

/// What was wrong lately with what comes from the peer, and when that was seen last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ills {
    /// A span in which packets were lost.
    pub(crate) lossy: Option<(Instant, Recent)>,
    /// A span in which packets came twice or too late.
    pub(crate) repeated: Option<(Instant, Recent)>,
    /// Packets that were lost while nothing came, when something came again.
    pub(crate) outage: Option<(Instant, u64)>,
}

/// A tunnel: what carries the same packets for the same peer, over all rekeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// When it was seen first.
    pub(crate) since: Instant,
    pub(crate) inbound: Beat,
    pub(crate) outbound: Beat,
    pub(crate) ills: Ills,
    /// The last span that is over.
    recent: Recent,
    /// When the span that is counted now began, and what it has until now.
    span: (Instant, Recent),
}

impl Pulse {
    fn new(now: Instant) -> Self {
        Self::seen(now, Beat::default(), Beat::default(), Ills::default())
    }

    /// One that was seen like this.
    pub(crate) fn seen(since: Instant, inbound: Beat, outbound: Beat, ills: Ills) -> Self {
        let recent = Recent::default();
        Self { since, inbound, outbound, ills, recent, span: (since, recent) }
    }

    /// What came from the peer in the last span that is over, and since.
    pub(crate) fn lately(&self) -> Recent {
        let mut all = self.recent;
        all.add(self.span.1);
        all
    }

    fn moved(&mut self, now: Instant, look: &Look) {
        if look.inbound > 0 {
            self.inbound = Beat { last: Some(now), refused: 0, ..self.inbound };
            self.outbound.alone = 0;
        } else {
            self.inbound.refused = self.inbound.refused.saturating_add(look.refused);
        }
        if look.outbound > 0 {
            self.outbound.last = Some(now);
            self.inbound.alone = 0;
        }
        // what both did since the last look answers each other
        if look.outbound == 0 {
            self.inbound.alone = self.inbound.alone.saturating_add(look.inbound);
        }
        if look.inbound == 0 {
            self.outbound.alone = self.outbound.alone.saturating_add(look.outbound);
        }
        if look.outage >= OUTAGE {
            self.ills.outage = Some((now, look.outage));
        }
        self.span.1.add(look.recent);
        // what is lost is told while it is, and not only when the span is over
        if self.span.1.is_lossy() {
            self.ills.lossy = Some((now, self.span.1));
        }
        if self.span.1.is_repeated() {
            self.ills.repeated = Some((now, self.span.1));
        }
        if now.since(self.span.0) >= SPAN {
            self.recent = self.span.1;
            self.span = (now, Recent::default());
        }
    }
}

/// What moved in a tunnel between two looks.
#[derive(Clone, Copy, Debug, Default)]
struct Look {
    inbound: u64,
    outbound: u64,
    refused: u64,
    recent: Recent,
    /// Lost while nothing came, so that nobody knows when.
    outage: u64,
}

/// What a child SA has carried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Packets that were accepted.
    pub(crate) inbound: u64,
    pub(crate) outbound: u64,
    /// The highest sequence number that verified.
    pub(crate) sequence: u32,
    /// Packets that came and were refused.
    pub(crate) refused: u64,
    /// Of these, what came twice or too late.
    pub(crate) repeated: u64,
}

impl Counts {
    const fn arrived(&self) -> u64 {
        self.inbound.saturating_add(self.refused)
    }
}

/// A child SA at the last look.
#[derive(Clone, Copy, Debug)]
struct Seen {
    counts: Counts,
    /// Whether anything had come since the look before.
    moved: bool,
}

/// The tunnels of all peers, by a name that outlives rekeys.
#[derive(Debug)]
pub(crate) struct Pulses<N> {
    tunnels: BTreeMap<N, Pulse>,
    seen: BTreeMap<ChildId, Seen>,
}

impl<N> Default for Pulses<N> {
    fn default() -> Self {
        Self { tunnels: BTreeMap::new(), seen: BTreeMap::new() }
    }
}

impl<N: Ord + Clone> Pulses<N> {
    /// A look at what all child SAs have carried; those that are not among them are gone.
    pub(crate) fn look(&mut self, now: Instant, children: impl Iterator<Item = (N, ChildId, Counts)>) {
        let mut moved: BTreeMap<N, Look> = BTreeMap::new();
        let mut there = BTreeSet::new();
        for (name, child, counts) in children {
            there.insert(child);
            let known = self.seen.get(&child).copied();
            let before = known.map(|seen| seen.counts).unwrap_or_default();
            let came = counts.arrived().saturating_sub(before.arrived());
            self.seen.insert(child, Seen { counts, moved: came > 0 });
            let look = moved.entry(name).or_default();
            look.inbound += counts.inbound.saturating_sub(before.inbound);
            look.outbound += counts.outbound.saturating_sub(before.outbound);
            look.refused += counts.refused.saturating_sub(before.refused);
            let sent = u64::from(counts.sequence.saturating_sub(before.sequence));
            let lost = sent.saturating_sub(came);
            let mut recent =
                Recent { sent, lost, repeated: counts.repeated.saturating_sub(before.repeated), came };
            if known.is_some_and(|seen| !seen.moved) {
                // a gap after silence may be as old as the silence
                (recent.sent, recent.lost) = (sent - lost, 0);
                look.outage += lost;
            }
            look.recent.add(recent);
        }
        self.seen.retain(|child, _| there.contains(child));
        self.tunnels.retain(|name, _| moved.contains_key(name));
        for (name, look) in moved {
            self.tunnels.entry(name).or_insert_with(|| Pulse::new(now)).moved(now, &look);
        }
    }

    /// That of one.
    pub(crate) fn of(&self, name: &N) -> Option<Pulse> {
        self.tunnels.get(name).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    const fn traffic(inbound: u64, sequence: u32, outbound: u64) -> Counts {
        Counts { inbound, outbound, sequence, refused: 0, repeated: 0 }
    }

    fn look(pulses: &mut Pulses<&'static str>, seconds: u64, child: u64, counts: Counts) -> Pulse {
        pulses.look(at(seconds), std::iter::once(("tunnel", ChildId(child), counts)));
        pulses.of(&"tunnel").unwrap()
    }

    #[test]
    fn a_direction_is_silent_since_it_moved_last() {
        let mut pulses = Pulses::default();
        let beat = |last, alone| Beat { last: Some(at(last)), alone, refused: 0 };
        let pulse = look(&mut pulses, 10, 1, traffic(3, 3, 4));
        assert_eq!((pulse.inbound.last, pulse.outbound.alone), (Some(at(10)), 0));
        look(&mut pulses, 12, 1, traffic(3, 3, 9));
        let pulse = look(&mut pulses, 14, 1, traffic(3, 3, 11));
        assert_eq!((pulse.inbound, pulse.outbound), (beat(10, 0), beat(14, 7)));
        // a rekey changes nothing
        let pulse = look(&mut pulses, 16, 2, traffic(0, 0, 2));
        assert_eq!((pulse.since, pulse.outbound.alone), (at(10), 9));
        let pulse = look(&mut pulses, 18, 2, traffic(1, 1, 2));
        assert_eq!((pulse.outbound.alone, pulse.inbound), (0, beat(18, 1)));
        // what is gone begins anew
        pulses.look(at(20), std::iter::empty());
        assert_eq!(pulses.of(&"tunnel"), None);
    }

    #[test]
    fn gaps_in_the_sequence_numbers_are_losses() {
        let mut pulses = Pulses::default();
        look(&mut pulses, 0, 1, traffic(1, 1, 0));
        look(&mut pulses, 4, 1, traffic(41, 51, 0));
        let pulse = look(&mut pulses, 10, 1, traffic(81, 101, 0));
        let (moment, recent) = pulse.ills.lossy.unwrap();
        assert_eq!((moment, recent.lost, recent.sent), (at(10), 20, 101));
        // the next span has none; the last one with losses is remembered
        let pulse = look(&mut pulses, 20, 1, traffic(181, 201, 0));
        assert_eq!((pulse.recent.lost, pulse.recent.sent), (0, 100));
        assert_eq!(pulse.ills.lossy.unwrap().0, at(10));
        assert_eq!((pulse.ills.outage, pulse.ills.repeated), (None, None));
    }

    /// What was sent while nothing came was not lost in the two seconds in which it came again.
    #[test]
    fn a_gap_after_silence_is_an_outage() {
        let mut pulses = Pulses::default();
        look(&mut pulses, 0, 1, traffic(10, 10, 10));
        look(&mut pulses, 2, 1, traffic(10, 10, 20));
        let pulse = look(&mut pulses, 3602, 1, traffic(12, 360_012, 20));
        assert_eq!(pulse.ills.outage, Some((at(3602), 360_000)));
        assert_eq!(pulse.ills.lossy, None);
        // one packet is a chance
        look(&mut pulses, 3604, 1, traffic(12, 360_012, 20));
        let pulse = look(&mut pulses, 3606, 1, traffic(13, 360_014, 20));
        assert_eq!(pulse.ills.outage, Some((at(3602), 360_000)));
    }

    #[test]
    fn what_is_refused_since_something_came_is_counted() {
        let mut pulses = Pulses::default();
        let refused = |inbound, refused, repeated| Counts { refused, repeated, ..traffic(inbound, 5, 0) };
        look(&mut pulses, 0, 1, refused(5, 40, 0));
        let pulse = look(&mut pulses, 2, 1, refused(5, 47, 0));
        assert_eq!((pulse.inbound.refused, pulse.ills.repeated), (7, None));
        let pulse = look(&mut pulses, 4, 1, refused(5, 60, 12));
        assert_eq!(pulse.inbound.refused, 20);
        assert_eq!(pulse.ills.repeated.map(|(moment, of)| (moment, of.repeated)), Some((at(4), 12)));
        assert_eq!(look(&mut pulses, 6, 1, refused(6, 60, 12)).inbound.refused, 0);
    }
}
