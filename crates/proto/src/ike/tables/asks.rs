//! The questions that are not answered yet, found by their number, by the SA that asked, and by the
//! owner of the lease that is asked for: a storm of clients makes no question cost more than the
//! first.

use crate::ike::io::{AskId, LeaseOwner};
use crate::names::{ConnId, PeerId};
use std::collections::{BTreeMap, BTreeSet};

/// Who asked a question.
pub(crate) struct AskFor {
    pub(crate) conn: ConnId,
    pub(crate) message_id: u32,
    /// The lease, if the question asks for one: the entry outlives its SA, because a lease that the
    /// answer grants must be returned.
    pub(crate) lease: Option<AskedLease>,
}

/// A lease that was asked for.
pub(crate) struct AskedLease {
    pub(crate) peer: PeerId,
    pub(crate) pool: String,
    pub(crate) owner: LeaseOwner,
}

/// All of them.
#[derive(Default)]
pub(crate) struct Asks {
    all: BTreeMap<AskId, AskFor>,
    of: BTreeSet<(ConnId, AskId)>,
    leases: BTreeSet<(LeaseOwner, AskId)>,
}

impl Asks {
    pub(crate) fn insert(&mut self, id: AskId, ask: AskFor) {
        self.of.insert((ask.conn, id));
        self.leases.extend(ask.lease.as_ref().map(|lease| (lease.owner.clone(), id)));
        self.all.insert(id, ask);
    }

    pub(crate) fn remove(&mut self, id: AskId) -> Option<AskFor> {
        let ask = self.all.remove(&id)?;
        self.of.remove(&(ask.conn, id));
        if let Some(lease) = &ask.lease {
            self.leases.remove(&(lease.owner.clone(), id));
        }
        Some(ask)
    }

    /// What an SA asked.
    pub(crate) fn of(&self, conn: ConnId) -> impl Iterator<Item = &AskFor> {
        let range = self.of.range((conn, AskId(0))..=(conn, AskId(u64::MAX)));
        range.filter_map(|(_, id)| self.all.get(id))
    }

    /// What was asked for leases of an owner.
    pub(crate) fn for_owner(&self, owner: &LeaseOwner) -> impl Iterator<Item = (&AskFor, &AskedLease)> {
        let range = self.leases.range((owner.clone(), AskId(0))..=(owner.clone(), AskId(u64::MAX)));
        range.filter_map(|(_, id)| {
            let ask = self.all.get(id)?;
            Some((ask, ask.lease.as_ref()?))
        })
    }

    /// An SA ended: its questions are forgotten, except those for leases.
    pub(crate) fn ended(&mut self, conn: ConnId) {
        let range = self.of.range((conn, AskId(0))..=(conn, AskId(u64::MAX)));
        let forgotten = |id: &AskId| self.all.get(id).is_some_and(|ask| ask.lease.is_none());
        for id in range.map(|(_, id)| *id).filter(forgotten).collect::<Vec<_>>() {
            self.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(device: &str) -> LeaseOwner {
        LeaseOwner { group: "g".into(), user: None, device: device.into() }
    }

    #[test]
    fn questions_are_found_by_their_sa_and_by_the_owner_of_a_lease() {
        let mut asks = Asks::default();
        let lease =
            |peer, device| Some(AskedLease { peer: PeerId(peer), pool: "p".into(), owner: owner(device) });
        for (id, conn, lease) in [(1, 7, None), (2, 7, lease(1, "a")), (3, 8, lease(2, "a")), (4, 8, None)] {
            asks.insert(AskId(id), AskFor { conn: ConnId(conn), message_id: id as u32, lease });
        }
        let of = |asks: &Asks, conn| asks.of(ConnId(conn)).map(|ask| ask.message_id).collect::<Vec<_>>();
        let leased = |asks: &Asks, device| {
            asks.for_owner(&owner(device)).map(|(_, lease)| lease.peer.0).collect::<Vec<_>>()
        };
        assert_eq!((of(&asks, 7), of(&asks, 8), of(&asks, 9)), (vec![1, 2], vec![3, 4], vec![]));
        assert_eq!((leased(&asks, "a"), leased(&asks, "b")), (vec![1, 2], vec![]));
        asks.ended(ConnId(7));
        assert_eq!((of(&asks, 7), leased(&asks, "a")), (vec![2], vec![1, 2]), "the lease is still to come");
        assert!(asks.remove(AskId(2)).is_some() && asks.remove(AskId(2)).is_none());
        assert_eq!((of(&asks, 7), leased(&asks, "a")), (vec![], vec![2]));
        assert!(asks.remove(AskId(1)).is_none());
    }
}
