//! Which of many selectors a flow matches, found by their prefixes with one look-up for each pair
//! of prefix lengths in use. IPv4 only, like the packets.

use crate::flow::selector::{AddressRange, Flow, Selector};
use std::collections::HashMap;
use std::collections::hash_map::Entry as Place;
use std::net::{IpAddr, Ipv4Addr};

/// Selectors with their values. A range that is not a prefix is stored under the narrowest prefix
/// that contains it.
#[derive(Clone, Debug)]
pub struct SelectorIndex<T> {
    /// Sorted: the longest remote prefix first, of equal ones the longest local prefix first.
    groups: Vec<Group<T>>,
    /// All entries except the newest of each pair of prefixes, which is in its group's table. Most
    /// pairs have no other, and one memory access less counts if the tables are larger than the
    /// processor's caches.
    older: Vec<Entry<T>>,
    /// The first of the older entries that are not in use.
    free: u32,
}

/// The selectors with one pair of prefix lengths.
#[derive(Clone, Debug)]
struct Group<T> {
    /// Remote, local.
    lengths: (u8, u8),
    mask: u64,
    /// The newest entry of each pair of prefixes.
    table: HashMap<u64, Entry<T>>,
}

/// An entry is small, so that many fit the processor's caches.
#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    local: (u32, u32),
    remote: (u32, u32),
    protocol: Option<u8>,
    local_port: Option<u16>,
    remote_port: Option<u16>,
    /// The next older entry of the same prefixes, or the next one that is not in use; or [`NONE`].
    next: u32,
    value: T,
}

const NONE: u32 = u32::MAX;

impl<T> Default for SelectorIndex<T> {
    fn default() -> Self {
        Self { groups: Vec::new(), older: Vec::new(), free: NONE }
    }
}

impl<T: Copy> SelectorIndex<T> {
    /// Adds a selector. One that no IPv4 packet can match is ignored.
    pub fn insert(&mut self, selector: &Selector, value: T) {
        let Some((local, remote)) = ends(selector) else { return };
        let (lengths, key) = key_of(local, remote);
        let found = self.groups.binary_search_by(|group| lengths.cmp(&group.lengths));
        let place = found.unwrap_or_else(|place| {
            let mask = u64::from(mask_of(lengths.0)) << 32 | u64::from(mask_of(lengths.1));
            self.groups.insert(place, Group { lengths, mask, table: HashMap::new() });
            place
        });
        let Some(group) = self.groups.get_mut(place) else { return };
        let Selector { protocol, local_port, remote_port, .. } = *selector;
        let entry = Entry { local, remote, protocol, local_port, remote_port, next: NONE, value };
        match group.table.entry(key) {
            Place::Vacant(place) => {
                place.insert(entry);
            }
            Place::Occupied(mut place) => {
                let older = *place.get();
                let at = match self.older.get_mut(self.free as usize) {
                    Some(unused) => {
                        let at = self.free;
                        self.free = unused.next;
                        *unused = older;
                        at
                    }
                    None => {
                        let Ok(at) = u32::try_from(self.older.len()) else { return };
                        self.older.push(older);
                        at
                    }
                };
                place.insert(Entry { next: at, ..entry });
            }
        }
    }

    /// Removes the entry of a selector whose value satisfies `is_it`.
    pub fn remove(&mut self, selector: &Selector, is_it: impl Fn(&T) -> bool) {
        let Some((local, remote)) = ends(selector) else { return };
        let (lengths, key) = key_of(local, remote);
        let Ok(place) = self.groups.binary_search_by(|group| lengths.cmp(&group.lengths)) else { return };
        let Some(group) = self.groups.get_mut(place) else { return };
        let Some(newest) = group.table.get_mut(&key) else { return };
        if is_it(&newest.value) {
            let at = newest.next;
            match self.older.get(at as usize) {
                Some(next) => {
                    *newest = *next;
                    self.release(at);
                }
                None => {
                    group.table.remove(&key);
                    if group.table.is_empty() {
                        self.groups.remove(place);
                    }
                }
            }
            return;
        }
        let (mut before, mut at) = (NONE, newest.next);
        while let Some(entry) = self.older.get(at as usize) {
            let next = entry.next;
            if !is_it(&entry.value) {
                (before, at) = (at, next);
                continue;
            }
            match self.older.get_mut(before as usize) {
                Some(before) => before.next = next,
                None => newest.next = next,
            }
            self.release(at);
            return;
        }
    }

    fn release(&mut self, at: u32) {
        if let Some(entry) = self.older.get_mut(at as usize) {
            entry.next = self.free;
            self.free = at;
        }
    }

    /// The values of the selectors that a flow matches, each with the length of its remote prefix,
    /// the longest first.
    pub fn matching(&self, flow: &Flow) -> impl Iterator<Item = (u8, T)> {
        let addresses = match (flow.source, flow.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => Some((source.to_bits(), destination.to_bits())),
            _ => None,
        };
        let flow = *flow;
        addresses.into_iter().flat_map(move |(local, remote)| {
            let address = u64::from(remote) << 32 | u64::from(local);
            self.groups.iter().flat_map(move |group| {
                let mut next = group.table.get(&(address & group.mask));
                std::iter::from_fn(move || {
                    loop {
                        let entry = next?;
                        next = self.older.get(entry.next as usize);
                        if entry.matches(local, remote, &flow) {
                            return Some((group.lengths.0, entry.value));
                        }
                    }
                })
            })
        })
    }
}

impl<T> Entry<T> {
    /// [`Selector::matches`] for this representation.
    fn matches(&self, local: u32, remote: u32, flow: &Flow) -> bool {
        (self.local.0..=self.local.1).contains(&local)
            && (self.remote.0..=self.remote.1).contains(&remote)
            && self.protocol.is_none_or(|protocol| protocol == flow.protocol)
            && (flow.is_later_fragment()
                || (self.local_port.is_none_or(|port| flow.source_port == Some(port))
                    && self.remote_port.is_none_or(|port| flow.destination_port == Some(port))))
    }
}

/// First and last address on each side: local, remote.
fn ends(selector: &Selector) -> Option<((u32, u32), (u32, u32))> {
    let v4 = |range: AddressRange| match (range.first(), range.last()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => Some((Ipv4Addr::to_bits(first), Ipv4Addr::to_bits(last))),
        _ => None,
    };
    Some((v4(selector.local)?, v4(selector.remote)?))
}

/// Lengths of the narrowest prefixes around two ranges, remote and local, and these prefixes.
fn key_of(local: (u32, u32), remote: (u32, u32)) -> ((u8, u8), u64) {
    let length = |(first, last): (u32, u32)| (first ^ last).leading_zeros() as u8;
    let lengths = (length(remote), length(local));
    let key = u64::from(remote.0 & mask_of(lengths.0)) << 32 | u64::from(local.0 & mask_of(lengths.1));
    (lengths, key)
}

fn mask_of(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range() -> impl Strategy<Value = AddressRange> {
        let few = prop::sample::select(vec![0x0a00_0000u32, 0x0a01_0100, 0x0a01_0180, 0xc0a8_0000]);
        (few, 0u32..=32, 0u32..6, any::<bool>()).prop_map(|(base, length, span, prefix)| {
            if prefix {
                let net = ipnet::Ipv4Net::new(base.into(), length as u8).unwrap();
                return AddressRange::prefix(net.trunc().into());
            }
            AddressRange::new(
                IpAddr::V4(Ipv4Addr::from_bits(base)),
                IpAddr::V4(Ipv4Addr::from_bits(base + span)),
            )
            .unwrap()
        })
    }

    fn selector() -> impl Strategy<Value = Selector> {
        let protocol = prop::sample::select(vec![None, Some(6u8), Some(17)]);
        let port = prop::sample::select(vec![None, Some(53u16)]);
        (range(), range(), protocol, port).prop_map(|(local, remote, protocol, remote_port)| Selector {
            protocol,
            remote_port,
            ..Selector::between(local, remote)
        })
    }

    fn flow() -> impl Strategy<Value = Flow> {
        let address = || {
            let near = prop::sample::select(vec![
                0x0a00_0000u32,
                0x0a01_0100,
                0x0a01_0183,
                0x0a01_0181,
                0xc0a8_0000,
            ]);
            (near, 0u32..4).prop_map(|(base, offset)| IpAddr::V4(Ipv4Addr::from_bits(base + offset)))
        };
        let port = prop::sample::select(vec![None, Some(53u16), Some(54)]);
        (address(), address(), prop::sample::select(vec![6u8, 17, 1]), port).prop_map(
            |(source, destination, protocol, port)| Flow {
                source,
                destination,
                protocol,
                source_port: port,
                destination_port: port,
            },
        )
    }

    proptest! {
        /// Against a plain list: the same selectors match, longest remote prefix first, while
        /// selectors are added and removed.
        #[test]
        fn finds_what_a_list_finds(
            selectors in proptest::collection::vec((selector(), any::<bool>()), 1..40),
            flows in proptest::collection::vec(flow(), 1..20),
        ) {
            let mut index = SelectorIndex::default();
            let mut list = Vec::new();
            for (number, (selector, _)) in selectors.iter().enumerate() {
                index.insert(selector, number);
                list.push((*selector, number));
            }
            for (number, (selector, goes)) in selectors.iter().enumerate() {
                if *goes {
                    index.remove(selector, |value| *value == number);
                    list.retain(|(_, value)| *value != number);
                }
            }
            for (number, (selector, goes)) in selectors.iter().enumerate().filter(|(number, _)| number % 3 == 0) {
                if *goes {
                    index.insert(selector, number);
                    list.push((*selector, number));
                }
            }
            for flow in &flows {
                let found: Vec<(u8, usize)> = index.matching(flow).collect();
                prop_assert!(found.is_sorted_by(|(a, _), (b, _)| a >= b));
                let mut found: Vec<usize> = found.into_iter().map(|(_, value)| value).collect();
                let mut expected: Vec<usize> =
                    list.iter().filter(|(selector, _)| selector.matches(flow)).map(|(_, value)| *value).collect();
                found.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(found, expected);
            }
        }
    }

    #[test]
    fn the_newest_of_equal_ones_comes_first_and_an_empty_index_is_small() {
        let any = Selector::between(AddressRange::ANY_V4, AddressRange::ANY_V4);
        let mut index = SelectorIndex::default();
        index.insert(&any, 1);
        index.insert(&any, 2);
        let flow = Flow {
            source: Ipv4Addr::new(10, 1, 1, 1).into(),
            destination: Ipv4Addr::new(10, 2, 2, 2).into(),
            protocol: 1,
            source_port: None,
            destination_port: None,
        };
        assert_eq!(index.matching(&flow).collect::<Vec<_>>(), [(0, 2), (0, 1)]);
        index.remove(&any, |value| *value == 2);
        index.remove(&any, |value| *value == 1);
        assert!(index.groups.is_empty() && index.matching(&flow).next().is_none());
        // what a view of the SAs stores
        assert!(size_of::<Entry<crate::esp::view::Place>>() <= 48);
    }
}
