//! `ip local pool`: one address for a user's device, kept across reconnects and restarts in a small
//! database.

use crate::base::family::v4_address;
use crate::base::store::{LEASES, Rows, Store};
use hubward_config::model::Pool;
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::ike::io::{LeaseError, LeaseOwner};
use ipnet::{IpAddrRange, Ipv4AddrRange, Ipv6AddrRange};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Where leases are stored. A store may be slow: only the leases' own thread waits for it.
pub(crate) enum LeaseStore {
    /// This machine's database.
    Local(Store),
    /// One that answers when the test lets it.
    #[cfg(test)]
    Stuck(std::sync::mpsc::Receiver<()>),
}

impl LeaseStore {
    fn rows(&self) -> Rows {
        match self {
            Self::Local(store) => store.rows(LEASES),
            #[cfg(test)]
            Self::Stuck(_) => Rows::new(),
        }
    }

    /// Sets rows, or removes those without a value; returns when they are stored.
    fn write(&self, rows: &[(String, Option<Vec<u8>>)]) {
        match self {
            Self::Local(store) => store.write(LEASES, rows),
            #[cfg(test)]
            Self::Stuck(until) => until.recv().unwrap(),
        }
    }
}

/// The leases of all pools.
pub(crate) struct Leases {
    store: LeaseStore,
    pools: Vec<Pool>,
    /// The address of each owner; it stays reserved for the owner after its session, until somebody
    /// else needs it.
    owned: BTreeMap<String, IpAddr>,
    /// Addresses in use, with how often they were granted and not released: an answer that was too
    /// late is released when its owner may already have asked again.
    in_use: BTreeMap<IpAddr, u32>,
    /// Addresses of ended sessions, the longest unused first.
    released: Vec<IpAddr>,
}

fn key(pool: &str, owner: &LeaseOwner) -> String {
    let user = owner.user.as_deref().unwrap_or_default();
    [pool, &owner.group, user, &owner.device].join("\u{1f}")
}

/// An address as stored. The table has 32-bit numbers, so a lease of an IPv6 address lasts only as
/// long as the program runs.
fn row(address: IpAddr) -> Option<Vec<u8>> {
    v4_address(address).map(|address| address.octets().to_vec())
}

/// The addresses of a range, from the lowest; `None` if the ends are of different families.
fn addresses(range: &AddressRange) -> Option<IpAddrRange> {
    match (range.first(), range.last()) {
        (IpAddr::V4(low), IpAddr::V4(high)) => Some(IpAddrRange::V4(Ipv4AddrRange::new(low, high))),
        (IpAddr::V6(low), IpAddr::V6(high)) => Some(IpAddrRange::V6(Ipv6AddrRange::new(low, high))),
        _ => None,
    }
}

impl Leases {
    /// Starts with the leases of the previous process.
    pub(crate) fn open(store: LeaseStore) -> Self {
        let rows = store.rows();
        let known =
            rows.into_iter().filter_map(|(key, row)| Some((key, IpAddr::from(*row.first_chunk::<4>()?))));
        let owned: BTreeMap<_, _> = known.collect();
        let released = owned.values().copied().collect();
        Self { store, pools: Vec::new(), owned, in_use: BTreeMap::new(), released }
    }

    /// Sets the configured pools.
    pub(crate) fn configure(&mut self, pools: &[Pool]) {
        self.pools = pools.to_vec();
    }

    /// Leases an address to an owner: the one it has, the one it asks for, the lowest that was
    /// never used, or the one that was released longest ago.
    pub(crate) fn lease(
        &mut self,
        pool: &str,
        owner: &LeaseOwner,
        wanted: Option<IpAddr>,
    ) -> Result<IpAddr, LeaseError> {
        let pools = self.pools.iter().filter(|known| known.name == pool);
        let ranges: Vec<_> = pools.filter_map(|pool| AddressRange::new(pool.low, pool.high)).collect();
        if ranges.is_empty() {
            return Err(LeaseError::NoPool);
        }
        let inside = |address: &IpAddr| ranges.iter().any(|range| range.contains(*address));
        let key = key(pool, owner);
        let had = self.owned.get(&key).copied().filter(inside);
        let known: BTreeSet<_> = self.owned.values().copied().collect();
        let free = |address: &IpAddr| inside(address) && !known.contains(address);
        let fresh = ranges.iter().filter_map(addresses).flatten().find(|address| !known.contains(address));
        let reused = self
            .released
            .iter()
            .copied()
            .find(|address| inside(address) && !self.in_use.contains_key(address));
        let address = had.or(wanted.filter(free)).or(fresh).or(reused).ok_or(LeaseError::Exhausted)?;
        let gone = self.owned.extract_if(.., |other, given| *given == address && *other != key);
        let mut rows: Vec<_> = gone.map(|(other, _)| (other, None)).collect();
        if self.owned.insert(key.clone(), address) != Some(address) {
            rows.push((key, row(address)));
        }
        if !rows.is_empty() {
            self.store.write(&rows);
        }
        self.released.retain(|other| *other != address);
        *self.in_use.entry(address).or_default() += 1;
        Ok(address)
    }

    /// One grant of the address is no longer used; returns whether the address is free now.
    pub(crate) fn release(&mut self, address: IpAddr) -> bool {
        let Some(uses) = self.in_use.get_mut(&address) else { return false };
        *uses -= 1;
        if *uses > 0 {
            return false;
        }
        self.in_use.remove(&address);
        self.released.push(address);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(user: &str, device: &str) -> LeaseOwner {
        LeaseOwner { group: "g".into(), user: Some(user.into()), device: device.into() }
    }

    fn pool() -> Pool {
        range("10.5.5.1", "10.5.5.2")
    }

    fn range(low: &str, high: &str) -> Pool {
        Pool { name: "p".into(), low: low.parse().unwrap(), high: high.parse().unwrap(), line: 1 }
    }

    #[test]
    fn an_owner_keeps_its_address_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut leases = Leases::open(LeaseStore::Local(Store::open(folder.path()).unwrap()));
        leases.configure(&[pool()]);
        let first = leases.lease("p", &owner("a", "1"), None).unwrap();
        let second = leases.lease("p", &owner("b", "2"), None).unwrap();
        assert_eq!((first.to_string(), second.to_string()), ("10.5.5.1".into(), "10.5.5.2".into()));
        drop(leases);
        let mut leases = Leases::open(LeaseStore::Local(Store::open(folder.path()).unwrap()));
        leases.configure(&[pool()]);
        assert_eq!(leases.lease("p", &owner("b", "2"), None), Ok(second));
    }

    #[test]
    fn a_pool_may_be_of_either_family() {
        let folder = tempfile::tempdir().unwrap();
        let store = || LeaseStore::Local(Store::open(folder.path()).unwrap());
        let mut leases = Leases::open(store());
        let wide = range("2001:db8:5::1", "2001:db8:5:0:ffff:ffff:ffff:ffff");
        leases.configure(&[range("10.5.5.1", "2001:db8:5::1"), range("10.5.5.9", "10.5.5.9"), wide]);
        let mut given = |user: &str| leases.lease("p", &owner(user, user), None).unwrap().to_string();
        assert_eq!(
            (given("a"), given("b"), given("c")),
            ("10.5.5.9".into(), "2001:db8:5::1".into(), "2001:db8:5::2".into())
        );
        drop(leases);
        assert_eq!(store().rows().into_values().collect::<Vec<_>>(), [[10, 5, 5, 9]], "no other is kept");
    }

    #[test]
    fn an_address_is_given_to_nobody_else_while_it_is_used() {
        let mut leases = Leases::open(LeaseStore::Local(Store::default()));
        leases.configure(&[pool()]);
        let first = leases.lease("p", &owner("a", "1"), None).unwrap();
        leases.lease("p", &owner("b", "2"), None).unwrap();
        assert_eq!(leases.lease("p", &owner("c", "3"), Some(first)), Err(LeaseError::Exhausted));
        assert!(leases.release(first));
        assert!(!leases.release(first), "it is free already");
        assert_eq!(leases.lease("p", &owner("c", "3"), None), Ok(first));
        assert_eq!(leases.lease("q", &owner("c", "3"), None), Err(LeaseError::NoPool));
    }

    /// The owner asked again before it was known that the first answer was not used.
    #[test]
    fn an_address_that_was_granted_twice_is_free_when_it_was_released_twice() {
        let mut leases = Leases::open(LeaseStore::Local(Store::default()));
        leases.configure(&[pool()]);
        let address = leases.lease("p", &owner("a", "1"), None).unwrap();
        assert_eq!(leases.lease("p", &owner("a", "1"), None), Ok(address));
        leases.lease("p", &owner("b", "2"), None).unwrap();
        assert!(!leases.release(address));
        assert_eq!(leases.lease("p", &owner("c", "3"), None), Err(LeaseError::Exhausted));
        assert!(leases.release(address));
        assert_eq!(leases.lease("p", &owner("c", "3"), None), Ok(address));
    }
}
