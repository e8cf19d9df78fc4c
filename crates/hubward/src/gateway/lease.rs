//! `ip local pool`: one address for a user's device, kept over reconnects and over a restart in a small database.

use crate::base::store::{LEASES, Store};
use hubward_config::model::Pool;
use hubward_proto::ike::io::{LeaseError, LeaseOwner};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The leases of all pools.
pub(crate) struct Leases {
    store: Store,
    pools: Vec<Pool>,
    /// The address of each owner; it stays the owner's after its session, as long as nobody else needs it.
    owned: BTreeMap<String, Ipv4Addr>,
    /// Addresses in use by a session.
    in_use: BTreeSet<Ipv4Addr>,
    /// Addresses of ended sessions, the longest unused first.
    released: Vec<Ipv4Addr>,
}

fn key(pool: &str, owner: &LeaseOwner) -> String {
    let user = owner.user.as_deref().unwrap_or_default();
    [pool, &owner.group, user, &owner.device].join("\u{1f}")
}

impl Leases {
    /// With the leases of the process before this one.
    pub(crate) fn open(store: Store) -> Self {
        let rows = store.rows(LEASES);
        let known =
            rows.into_iter().filter_map(|(key, row)| Some((key, Ipv4Addr::from(*row.first_chunk::<4>()?))));
        let owned: BTreeMap<_, _> = known.collect();
        let released = owned.values().copied().collect();
        Self { store, pools: Vec::new(), owned, in_use: BTreeSet::new(), released }
    }

    /// Tries again to write down what could not be, every now and then.
    pub(crate) fn retry(&self) {
        self.store.retry();
    }

    /// The pools that are configured now.
    pub(crate) fn configure(&mut self, pools: &[Pool]) {
        self.pools = pools.to_vec();
    }

    /// An address for an owner: the one it has, the one it wants, the lowest that nobody ever had, or the one that was
    /// released longest ago.
    pub(crate) fn lease(
        &mut self,
        pool: &str,
        owner: &LeaseOwner,
        wanted: Option<Ipv4Addr>,
    ) -> Result<Ipv4Addr, LeaseError> {
        let ranges: Vec<_> = self.pools.iter().filter(|p| p.name == pool).map(|p| (p.low, p.high)).collect();
        if ranges.is_empty() {
            return Err(LeaseError::NoPool);
        }
        let inside = |address: &Ipv4Addr| ranges.iter().any(|(low, high)| low <= address && address <= high);
        let key = key(pool, owner);
        let had = self.owned.get(&key).copied().filter(inside);
        let known: BTreeSet<_> = self.owned.values().copied().collect();
        let free = |address: &Ipv4Addr| inside(address) && !known.contains(address);
        let fresh = ranges
            .iter()
            .flat_map(|(low, high)| u32::from(*low)..=u32::from(*high))
            .map(Ipv4Addr::from)
            .find(|address| !known.contains(address));
        let reused =
            self.released.iter().copied().find(|address| inside(address) && !self.in_use.contains(address));
        let address = had.or(wanted.filter(free)).or(fresh).or(reused).ok_or(LeaseError::Exhausted)?;
        let gone = self.owned.extract_if(.., |other, given| *given == address && *other != key);
        let mut rows: Vec<_> = gone.map(|(other, _)| (other, None)).collect();
        if self.owned.insert(key.clone(), address) != Some(address) {
            rows.push((key, Some(address.octets().to_vec())));
        }
        self.store.write(LEASES, &rows);
        self.released.retain(|other| *other != address);
        self.in_use.insert(address);
        Ok(address)
    }

    /// The owner's session ended.
    pub(crate) fn release(&mut self, address: Ipv4Addr) {
        if self.in_use.remove(&address) {
            self.released.push(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(user: &str, device: &str) -> LeaseOwner {
        LeaseOwner { group: "g".into(), user: Some(user.into()), device: device.into() }
    }

    fn pool() -> Pool {
        Pool { name: "p".into(), low: Ipv4Addr::new(10, 5, 5, 1), high: Ipv4Addr::new(10, 5, 5, 2), line: 1 }
    }

    #[test]
    fn an_owner_keeps_its_address_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut leases = Leases::open(Store::open(folder.path()).unwrap());
        leases.configure(&[pool()]);
        let first = leases.lease("p", &owner("a", "1"), None).unwrap();
        let second = leases.lease("p", &owner("b", "2"), None).unwrap();
        assert_eq!((first.to_string(), second.to_string()), ("10.5.5.1".into(), "10.5.5.2".into()));
        drop(leases);
        let mut leases = Leases::open(Store::open(folder.path()).unwrap());
        leases.configure(&[pool()]);
        assert_eq!(leases.lease("p", &owner("b", "2"), None), Ok(second));
    }

    #[test]
    fn an_address_is_given_to_nobody_else_while_it_is_used() {
        let mut leases = Leases::open(Store::default());
        leases.configure(&[pool()]);
        let first = leases.lease("p", &owner("a", "1"), None).unwrap();
        leases.lease("p", &owner("b", "2"), None).unwrap();
        assert_eq!(leases.lease("p", &owner("c", "3"), Some(first)), Err(LeaseError::Exhausted));
        leases.release(first);
        assert_eq!(leases.lease("p", &owner("c", "3"), None), Ok(first));
        assert_eq!(leases.lease("q", &owner("c", "3"), None), Err(LeaseError::NoPool));
    }
}
