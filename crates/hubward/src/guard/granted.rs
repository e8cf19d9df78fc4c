//! The networks that peers of entries without `match address` were granted as their side of a
//! tunnel. Nothing of the configuration names them, so they are remembered: for a week after their
//! last tunnel, over every end of the program.

use super::ranges::{self, Range};
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::names::ChildId;
use ipnet::Ipv4Net;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// How many are remembered; of more the oldest go.
pub(crate) const MOST: usize = 4096;
/// How long one is remembered without a tunnel.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(7 * 86_400);
/// A network with more addresses than a /8 is not a branch's network.
const WIDEST: u32 = 1 << 24;
/// While a tunnel exists, or is established again, the date on disk is updated no more often than
/// this.
const DATED: Duration = Duration::from_secs(3600);

/// If more time than this seems to pass between two checks of the age of grants, the clock was set.
const LEAP: Duration = Duration::from_secs(3600);

/// Our side of a tunnel, as a network around it, and the peer's side.
pub(crate) type Place = (Ipv4Net, Range);

/// What is known of a granted network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// When a tunnel to it was last seen: time since 1970.
    pub(crate) seen: Duration,
    /// The peer that had it last.
    pub(crate) peer: Option<Ipv4Addr>,
    /// Tunnels to it that are there.
    pub(crate) tunnels: usize,
    /// The date that is on disk.
    stored: Option<Duration>,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Granted {
    grants: BTreeMap<Place, Grant>,
    children: BTreeMap<ChildId, Place>,
    /// What the rows on disk do not say yet.
    unsaved: BTreeSet<Place>,
    /// When [`Self::age`] was asked last.
    looked: Option<Duration>,
}

/// Both sides of a tunnel that may be remembered: not networks that no branch can have.
pub(crate) fn place(local: AddressRange, remote: AddressRange) -> Option<Place> {
    let v4 = |range: AddressRange| match (range.first(), range.last()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Some((first, last)),
        _ => None,
    };
    let remote = v4(remote)?;
    let size = u32::from(remote.1).checked_sub(u32::from(remote.0))?;
    (size < WIDEST).then_some((ranges::around(v4(local)?), remote))
}

impl Granted {
    /// A tunnel is there; whether it leads to a place that was not known.
    pub(crate) fn add(&mut self, child: ChildId, place: Place, peer: IpAddr, now: Duration) -> bool {
        if self.children.insert(child, place).is_some() {
            return false;
        }
        let new = !self.grants.contains_key(&place);
        let grant =
            self.grants.entry(place).or_insert(Grant { seen: now, peer: None, tunnels: 0, stored: None });
        let before = grant.peer;
        grant.tunnels += 1;
        grant.seen = now;
        if let IpAddr::V4(peer) = peer {
            grant.peer = Some(peer);
        }
        if new || before != grant.peer || grant.stored.is_none_or(|date| now.abs_diff(date) > DATED) {
            self.unsaved.insert(place);
        }
        new
    }

    /// A tunnel is gone.
    pub(crate) fn remove(&mut self, child: ChildId, now: Duration) {
        let Some(place) = self.children.remove(&child) else { return };
        let Some(grant) = self.grants.get_mut(&place) else { return };
        grant.tunnels = grant.tunnels.saturating_sub(1);
        grant.seen = now;
        if grant.stored.is_none_or(|date| now.abs_diff(date) > DATED) {
            self.unsaved.insert(place);
        }
    }

    /// One that the kernel's table still has although it is not on disk.
    pub(crate) fn found(&mut self, local: Ipv4Net, range: Range, now: Duration) {
        let known = self.grants.keys().filter(|(net, _)| *net == local).map(|(_, range)| *range);
        if ranges::hold(&ranges::disjoint(known), range) {
            return;
        }
        self.grants.insert((local, range), Grant { seen: now, peer: None, tunnels: 0, stored: None });
        self.unsaved.insert((local, range));
    }

    /// Forgets what is too old, and the oldest of too many; what was forgotten, and how many of
    /// that for want of room.
    pub(crate) fn age(&mut self, now: Duration) -> (Vec<Place>, usize) {
        self.follow_the_clock(now);
        let old = |grant: &Grant| grant.tunnels == 0 && now.saturating_sub(grant.seen) >= REMEMBERED;
        let mut gone: Vec<_> =
            self.grants.iter().filter(|(_, grant)| old(grant)).map(|(place, _)| *place).collect();
        let surplus = (self.grants.len() - gone.len()).saturating_sub(MOST);
        if surplus > 0 {
            let mut others: Vec<_> = self.grants.iter().filter(|(_, grant)| !old(grant)).collect();
            others.sort_by_key(|(_, grant)| (grant.tunnels > 0, grant.seen));
            gone.extend(others.into_iter().take(surplus).map(|(place, _)| *place));
        }
        for place in &gone {
            self.forget(place);
        }
        (gone, surplus)
    }

    /// A machine without a battery-backed clock starts in 1970 and learns the date later: grants
    /// from before do not age by that. The same holds for time that it slept.
    fn follow_the_clock(&mut self, now: Duration) {
        let Some(before) = self.looked.replace(now) else { return };
        let leap = now.saturating_sub(before);
        if leap < LEAP {
            return;
        }
        for grant in self.grants.values_mut().filter(|grant| grant.seen <= before) {
            grant.seen += leap;
        }
        self.unsaved.extend(self.grants.keys().copied());
    }

    /// Forgets those that share an address with a network, or all; how many. Those with a tunnel
    /// stay.
    pub(crate) fn clear(&mut self, net: Option<Ipv4Net>) -> usize {
        let meets = |range: &Range| {
            net.map(ranges::of).is_none_or(|(first, last)| range.0 <= last && first <= range.1)
        };
        let gone: Vec<_> = self
            .grants
            .iter()
            .filter(|((_, range), grant)| grant.tunnels == 0 && meets(range))
            .map(|(place, _)| *place)
            .collect();
        for place in &gone {
            self.forget(place);
        }
        gone.len()
    }

    fn forget(&mut self, place: &Place) {
        self.grants.remove(place);
        self.children.retain(|_, of| of != place);
        self.unsaved.insert(*place);
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Place, &Grant)> {
        self.grants.iter()
    }

    /// The peers' sides for each of ours, in ranges that do not overlap.
    pub(crate) fn by_local(&self) -> Vec<(Ipv4Net, Vec<Range>)> {
        let mut by_local: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (local, range) in self.grants.keys() {
            by_local.entry(*local).or_default().push(*range);
        }
        by_local.into_iter().map(|(local, all)| (local, ranges::disjoint(all))).collect()
    }

    /// The rows that the store does not have yet; after this it has them.
    pub(crate) fn unsaved(&mut self) -> Vec<(String, Option<Vec<u8>>)> {
        let places = std::mem::take(&mut self.unsaved);
        let rows = places.into_iter().map(|place| {
            let name = name(&place);
            let Some(grant) = self.grants.get_mut(&place) else { return (name, None) };
            grant.stored = Some(grant.seen);
            let peer = grant.peer.map(|peer| format!(" {peer}")).unwrap_or_default();
            (name, Some(format!("{}{peer}", grant.seen.as_secs()).into_bytes()))
        });
        rows.collect()
    }

    /// From the rows on disk. Rows that make no sense are passed over.
    pub(crate) fn load(rows: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut granted = Self::default();
        granted.grants.extend(rows.iter().filter_map(|(name, value)| row(name, value)));
        granted
    }
}

/// `10.1.0.0/16 10.2.0.0-10.2.255.255`
fn name((local, (first, last)): &Place) -> String {
    format!("{local} {first}-{last}")
}

fn row(name: &str, value: &[u8]) -> Option<(Place, Grant)> {
    let (local, range) = name.split_once(' ')?;
    let (first, last) = range.split_once('-')?;
    let range: Range = (first.parse().ok()?, last.parse().ok()?);
    let mut words = std::str::from_utf8(value).ok()?.split(' ');
    let seen = Duration::from_secs(words.next()?.parse().ok()?);
    let peer = words.next().and_then(|peer| peer.parse().ok());
    let grant = Grant { seen, peer, tunnels: 0, stored: Some(seen) };
    (range.0 <= range.1).then_some(((local.parse().ok()?, range), grant))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1_800_000_000);
    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 100, 2, 102));

    fn range(text: &str) -> AddressRange {
        AddressRange::prefix(text.parse().unwrap())
    }

    fn branch(text: &str) -> Place {
        place(range("10.1.0.0/16"), range(text)).unwrap()
    }

    fn told(granted: &Granted) -> Vec<String> {
        let all = granted.by_local().into_iter();
        all.flat_map(|(local, all)| all.into_iter().map(move |one| format!("{local} {}", ranges::told(one))))
            .collect()
    }

    #[test]
    fn everything_is_no_branch() {
        let lan = range("10.1.0.0/16");
        for wide in ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/7"] {
            assert_eq!(place(lan, range(wide)), None, "{wide}");
        }
        assert!(place(lan, range("10.0.0.0/8")).is_some());
        assert_eq!(place(range("0.0.0.0/0"), range("10.2.0.0/16")).unwrap().0, Ipv4Net::default());
        assert_eq!(place(lan, range("2001:db8::/64")), None);
    }

    #[test]
    fn a_network_is_remembered_for_a_week_after_its_last_tunnel() {
        let mut granted = Granted::default();
        assert!(granted.add(ChildId(1), branch("10.2.0.0/16"), PEER, NOW));
        assert!(!granted.add(ChildId(2), branch("10.2.0.0/16"), PEER, NOW), "rekeyed");
        granted.remove(ChildId(1), NOW);
        let long = NOW + REMEMBERED * 3;
        assert_eq!(granted.age(long).0, [], "its tunnel is there");
        granted.remove(ChildId(2), long);
        let week = (1..REMEMBERED.as_secs() / 600).map(|n| long + Duration::from_secs(n * 600));
        assert_eq!(week.flat_map(|now| granted.age(now).0).count(), 0);
        assert_eq!(granted.age(long + REMEMBERED), (vec![branch("10.2.0.0/16")], 0));
        assert_eq!(told(&granted), [""; 0]);
    }

    #[test]
    fn a_clock_that_begins_in_1970_makes_no_grant_old() {
        let boot = Duration::from_secs(30);
        let mut read = Granted::default();
        read.add(ChildId(1), branch("10.2.0.0/16"), PEER, NOW - Duration::from_secs(60));
        let rows = read.unsaved().into_iter().map(|(name, value)| (name, value.unwrap())).collect();
        let mut granted = Granted::load(&rows);
        granted.age(boot);
        granted.add(ChildId(2), branch("10.3.0.0/16"), PEER, boot);
        granted.remove(ChildId(2), boot);
        granted.age(boot + Duration::from_secs(1));
        assert_eq!(granted.age(NOW).0, [], "the date was learned");
        let week = (1..=REMEMBERED.as_secs() / 600).map(|n| NOW + Duration::from_secs(n * 600));
        let gone: Vec<_> = week.flat_map(|now| granted.age(now).0).collect();
        assert_eq!(gone, [branch("10.2.0.0/16"), branch("10.3.0.0/16")]);
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let mut granted = Granted::default();
        for number in 0..u32::try_from(MOST).unwrap() + 2 {
            let address = Ipv4Addr::from(0x0a02_0000 + number * 2);
            let place = place(range("10.1.0.0/16"), AddressRange::host(address.into())).unwrap();
            granted.add(ChildId(number.into()), place, PEER, NOW + Duration::from_secs(number.into()));
            if number > 0 {
                granted.remove(ChildId(number.into()), NOW + Duration::from_secs(number.into()));
            }
        }
        let (gone, surplus) = granted.age(NOW + Duration::from_secs(10_000));
        let first = |place: &Place| place.1.0.to_string();
        // the very first has its tunnel
        assert_eq!(gone.iter().map(first).collect::<Vec<_>>(), ["10.2.0.2", "10.2.0.4"]);
        assert_eq!((surplus, granted.iter().count()), (2, MOST));
    }

    #[test]
    fn an_operator_clears_a_network_or_all_but_not_under_a_tunnel() {
        let mut granted = Granted::default();
        for (number, net) in [(1, "10.2.0.0/16"), (2, "10.3.0.0/16"), (3, "10.4.0.0/16")] {
            granted.add(ChildId(number), branch(net), PEER, NOW);
        }
        granted.remove(ChildId(1), NOW);
        granted.remove(ChildId(2), NOW);
        assert_eq!(granted.clear(Some("10.3.7.0/24".parse().unwrap())), 1);
        assert_eq!(told(&granted), ["10.1.0.0/16 10.2.0.0/16", "10.1.0.0/16 10.4.0.0/16"]);
        assert_eq!(granted.clear(None), 1);
        assert_eq!(told(&granted), ["10.1.0.0/16 10.4.0.0/16"]);
    }

    #[test]
    fn what_is_written_reads_back_and_is_not_written_with_each_tunnel() {
        let mut granted = Granted::default();
        granted.add(ChildId(1), branch("10.2.0.0/16"), PEER, NOW);
        let rows: BTreeMap<_, _> =
            granted.unsaved().into_iter().map(|(name, value)| (name, value.unwrap())).collect();
        assert_eq!(rows["10.1.0.0/16 10.2.0.0-10.2.255.255"], b"1800000000 10.100.2.102");
        // updated again and again
        for number in 2..100 {
            granted.add(ChildId(number), branch("10.2.0.0/16"), PEER, NOW + Duration::from_secs(number));
            granted.remove(ChildId(number - 1), NOW + Duration::from_secs(number));
        }
        assert_eq!(granted.unsaved(), []);
        granted.add(ChildId(100), branch("10.2.0.0/16"), PEER, NOW + DATED * 2);
        assert_eq!(granted.unsaved().len(), 1, "but its date is not forgotten");

        let read = Granted::load(&rows);
        assert_eq!(told(&read), ["10.1.0.0/16 10.2.0.0/16"]);
        let grant = read.iter().next().unwrap().1.clone();
        assert_eq!((grant.seen, grant.peer, grant.tunnels), (NOW, Some(Ipv4Addr::new(10, 100, 2, 102)), 0));
        for (name, value) in [
            ("", "1"),
            ("10.1.0.0/16 x", "1"),
            ("10.1.0.0/16 2.0.0.0-1.0.0.0", "1"),
            ("10.1.0.0/16 1.0.0.0-1.0.0.0", ""),
        ] {
            let bad = BTreeMap::from([(name.to_owned(), value.as_bytes().to_vec())]);
            assert_eq!(Granted::load(&bad).iter().count(), 0, "{name:?}");
        }
    }

    #[test]
    fn what_only_the_kernel_knows_is_taken_over() {
        let mut granted = Granted::default();
        granted.add(ChildId(1), branch("10.2.0.0/24"), PEER, NOW);
        granted.add(ChildId(2), branch("10.2.1.0/24"), PEER, NOW);
        let net = |text: &str| ranges::of(text.parse().unwrap());
        let lan = "10.1.0.0/16".parse().unwrap();
        granted.found(lan, net("10.2.0.0/23"), NOW);
        assert_eq!(granted.iter().count(), 2, "both together");
        granted.found(lan, net("10.9.0.0/24"), NOW);
        granted.found("10.7.0.0/16".parse().unwrap(), net("10.2.0.0/24"), NOW);
        assert_eq!(
            told(&granted),
            [
                "10.1.0.0/16 10.2.0.0/24",
                "10.1.0.0/16 10.2.1.0/24",
                "10.1.0.0/16 10.9.0.0/24",
                "10.7.0.0/16 10.2.0.0/24"
            ]
        );
        assert_eq!(granted.unsaved().len(), 4);
    }
}
