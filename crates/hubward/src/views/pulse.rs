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

/// One direction of a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Beat {
    /// When the last packets were seen to have passed.
    pub(crate) last: Option<Instant>,
    /// Packets of this direction since the other one was seen to move.
    pub(crate) alone: u64,
}

/// Packets that the peer sent, by its sequence numbers, and that did not come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    pub(crate) packets: u64,
    /// Of so many.
    pub(crate) of: u64,
}

/// A tunnel: what carries the same packets for the same peer, over all rekeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// When it was seen first.
    pub(crate) since: Instant,
    pub(crate) inbound: Beat,
    pub(crate) outbound: Beat,
    /// In the last span.
    pub(crate) lost: Lost,
    /// When the span that is counted now began, and what it has until now.
    span: (Instant, Lost),
}

impl Pulse {
    fn new(now: Instant) -> Self {
        let (beat, lost) = (Beat::default(), Lost::default());
        Self { since: now, inbound: beat, outbound: beat, lost, span: (now, lost) }
    }

    /// One that was seen like this.
    #[cfg(test)]
    pub(crate) const fn seen(since: Instant, inbound: Beat, outbound: Beat, lost: Lost) -> Self {
        Self { since, inbound, outbound, lost, span: (since, Lost { packets: 0, of: 0 }) }
    }

    fn moved(&mut self, now: Instant, inbound: u64, outbound: u64) {
        if inbound > 0 {
            self.inbound.last = Some(now);
            self.outbound.alone = 0;
        }
        if outbound > 0 {
            self.outbound.last = Some(now);
            self.inbound.alone = 0;
        }
        // what both did since the last look answers each other
        if outbound == 0 {
            self.inbound.alone = self.inbound.alone.saturating_add(inbound);
        }
        if inbound == 0 {
            self.outbound.alone = self.outbound.alone.saturating_add(outbound);
        }
    }

    fn count(&mut self, now: Instant, lost: Lost) {
        self.span.1.packets = self.span.1.packets.saturating_add(lost.packets);
        self.span.1.of = self.span.1.of.saturating_add(lost.of);
        if now.since(self.span.0) >= SPAN {
            self.lost = self.span.1;
            self.span = (now, Lost::default());
        }
    }
}

/// What a child SA has carried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Packets that were accepted.
    pub(crate) inbound: u64,
    pub(crate) outbound: u64,
    /// The highest sequence number that verified.
    pub(crate) sequence: u32,
    /// Packets that came, also those that were refused.
    pub(crate) arrived: u64,
}

/// The tunnels of all peers, by a name that outlives rekeys.
#[derive(Debug)]
pub(crate) struct Pulses<N> {
    tunnels: BTreeMap<N, Pulse>,
    seen: BTreeMap<ChildId, Counts>,
}

impl<N> Default for Pulses<N> {
    fn default() -> Self {
        Self { tunnels: BTreeMap::new(), seen: BTreeMap::new() }
    }
}

impl<N: Ord + Clone> Pulses<N> {
    /// A look at what all child SAs have carried; those that are not among them are gone.
    pub(crate) fn look(&mut self, now: Instant, children: impl Iterator<Item = (N, ChildId, Counts)>) {
        let mut moved: BTreeMap<N, (u64, u64, Lost)> = BTreeMap::new();
        let mut there = BTreeSet::new();
        for (name, child, seen) in children {
            there.insert(child);
            let before = self.seen.insert(child, seen).unwrap_or_default();
            let of = moved.entry(name).or_default();
            of.0 += seen.inbound.saturating_sub(before.inbound);
            of.1 += seen.outbound.saturating_sub(before.outbound);
            let sent = u64::from(seen.sequence.saturating_sub(before.sequence));
            let came = seen.arrived.saturating_sub(before.arrived);
            of.2.of += sent;
            of.2.packets += sent.saturating_sub(came);
        }
        self.seen.retain(|child, _| there.contains(child));
        self.tunnels.retain(|name, _| moved.contains_key(name));
        for (name, (inbound, outbound, lost)) in moved {
            let pulse = self.tunnels.entry(name).or_insert_with(|| Pulse::new(now));
            pulse.moved(now, inbound, outbound);
            pulse.count(now, lost);
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
        Counts { inbound, outbound, sequence, arrived: inbound }
    }

    fn look(pulses: &mut Pulses<&'static str>, seconds: u64, child: u64, counts: Counts) -> Pulse {
        pulses.look(at(seconds), std::iter::once(("tunnel", ChildId(child), counts)));
        pulses.of(&"tunnel").unwrap()
    }

    #[test]
    fn a_direction_is_silent_since_it_moved_last() {
        let mut pulses = Pulses::default();
        let pulse = look(&mut pulses, 10, 1, traffic(3, 3, 4));
        assert_eq!((pulse.inbound.last, pulse.outbound.alone), (Some(at(10)), 0));
        look(&mut pulses, 12, 1, traffic(3, 3, 9));
        let pulse = look(&mut pulses, 14, 1, traffic(3, 3, 11));
        assert_eq!(pulse.inbound, Beat { last: Some(at(10)), alone: 0 });
        assert_eq!(pulse.outbound, Beat { last: Some(at(14)), alone: 7 });
        // a rekey changes nothing
        let pulse = look(&mut pulses, 16, 2, traffic(0, 0, 2));
        assert_eq!((pulse.since, pulse.outbound.alone), (at(10), 9));
        let pulse = look(&mut pulses, 18, 2, traffic(1, 1, 2));
        assert_eq!((pulse.outbound.alone, pulse.inbound), (0, Beat { last: Some(at(18)), alone: 1 }));
        // what is gone begins anew
        pulses.look(at(20), std::iter::empty());
        assert_eq!(pulses.of(&"tunnel"), None);
    }

    #[test]
    fn gaps_in_the_sequence_numbers_are_losses() {
        let mut pulses = Pulses::default();
        look(&mut pulses, 0, 1, traffic(0, 0, 0));
        look(&mut pulses, 4, 1, traffic(40, 50, 0));
        let pulse = look(&mut pulses, 10, 1, traffic(80, 100, 0));
        assert_eq!(pulse.lost, Lost { packets: 20, of: 100 });
        // the next span
        let pulse = look(&mut pulses, 20, 1, traffic(180, 200, 0));
        assert_eq!(pulse.lost, Lost { packets: 0, of: 100 });
    }
}
