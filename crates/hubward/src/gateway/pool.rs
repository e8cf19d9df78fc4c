//! The addresses of one `ip local pool` that may be leased, in the order in which they are. What a
//! lease costs does not grow with the pool.

use hubward_proto::flow::selector::AddressRange;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The free addresses of a pool, which may have several ranges.
#[derive(Debug, Default)]
pub(super) struct Free {
    ranges: Vec<Range>,
    /// Addresses below the [`Range::next`] of their range that are nobody's again.
    holes: BTreeSet<IpAddr>,
    /// Addresses that are reserved for somebody who does not use them, in the order in which they
    /// were released.
    released: BTreeSet<(u64, IpAddr)>,
}

#[derive(Debug)]
struct Range {
    all: AddressRange,
    /// Everything below it was somebody's, or is a hole; `None` at the end.
    next: Option<IpAddr>,
}

impl Free {
    /// One more range.
    pub(super) fn add(&mut self, range: AddressRange) {
        self.ranges.push(Range { all: range, next: Some(range.first()) });
    }

    /// Whether an address is of the pool.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.all.contains(address))
    }

    /// The lowest address that nobody had, range by range. `known` says who is somebody's.
    pub(super) fn fresh(&mut self, known: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        for range in &mut self.ranges {
            let hole = self.holes.range(range.all.first()..=range.all.last()).next();
            // every address is passed once: what becomes free behind `next` is a hole
            while let Some(next) = range.next.filter(|next| known(*next)) {
                range.next = successor(next).filter(|next| range.all.contains(*next));
            }
            if let Some(address) = hole.copied().or(range.next) {
                return Some(address);
            }
        }
        None
    }

    /// The address that was released the longest ago.
    pub(super) fn reused(&self) -> Option<IpAddr> {
        self.released.first().map(|(_, address)| *address)
    }

    /// An address is somebody's.
    pub(super) fn taken(&mut self, address: IpAddr, released: Option<u64>) {
        self.holes.remove(&address);
        if let Some(turn) = released {
            self.released.remove(&(turn, address));
        }
    }

    /// An address is not used, and stays reserved until it is needed. `turn` grows with each.
    pub(super) fn released(&mut self, address: IpAddr, turn: u64) {
        if self.contains(address) {
            self.released.insert((turn, address));
        }
    }

    /// An address is nobody's again.
    pub(super) fn forgotten(&mut self, address: IpAddr) {
        let passed =
            |range: &Range| range.all.contains(address) && range.next.is_none_or(|next| address < next);
        if self.ranges.iter().any(passed) {
            self.holes.insert(address);
        }
    }
}

fn successor(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address).checked_add(1).map(|next| Ipv4Addr::from(next).into()),
        IpAddr::V6(address) => u128::from(address).checked_add(1).map(|next| Ipv6Addr::from(next).into()),
    }
}
