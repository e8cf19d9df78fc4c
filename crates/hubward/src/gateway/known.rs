//! The addresses of peers, over a restart too. While strangers flood the gateway, peers at addresses
//! from which somebody authenticated lately still get in (`ike/tables/known.rs` of proto); after a
//! restart all of them come at once, which is when a flood would hurt most.
//!
//! First messages from these addresses, from those that the configuration names and from those
//! where a peer is now have a lane of their own in the inbox.

use crate::base::inbox::KnownAddresses;
use crate::base::store::{KNOWN, Store};
use hubward_proto::ike::lookup;
use hubward_proto::limits::{KNOWN_SOURCES, KNOWN_TIME};
use hubward_proto::names::ChildId;
use hubward_proto::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How old a row may be before it is written again.
const FRESH: Duration = Duration::from_secs(3600);

/// The known addresses. Each of the three kinds is a reason for the inbox.
pub(crate) struct KnownPeers {
    store: Store,
    inbox: Arc<KnownAddresses>,
    /// What is written of them: when each was last noted, in seconds since 1970.
    noted: BTreeMap<IpAddr, Duration>,
    by_time: BTreeSet<(Duration, IpAddr)>,
    /// Those that the policy names.
    named: BTreeSet<IpAddr>,
    /// Where the peers of the child SAs are.
    here: BTreeMap<ChildId, IpAddr>,
}

impl KnownPeers {
    /// Reads those that are not too old at this wall-clock time.
    pub(crate) fn open(store: Store, inbox: Arc<KnownAddresses>, wall: Duration) -> Self {
        let rows = store.rows(KNOWN);
        let mut known = Self {
            store,
            inbox,
            noted: BTreeMap::new(),
            by_time: BTreeSet::new(),
            named: BTreeSet::new(),
            here: BTreeMap::new(),
        };
        let mut outdated = Vec::new();
        for (name, row) in rows {
            let at = row.first_chunk().map(|bytes| Duration::from_secs(u64::from_be_bytes(*bytes)));
            // a clock that was set back makes no row last for ever
            let lasts = at.filter(|at| *at <= wall && *at + KNOWN_TIME > wall);
            match (name.parse(), lasts) {
                (Ok(source), Some(at)) => known.insert(source, at),
                _ => outdated.push((name, None)),
            }
        }
        known.store.write_soon(KNOWN, outdated);
        known
    }

    /// All from which somebody authenticated.
    pub(crate) fn sources(&self) -> impl Iterator<Item = IpAddr> {
        self.noted.keys().copied()
    }

    /// Whether somebody authenticated from an address lately, or the configuration names it.
    pub(crate) fn is_known(&self, source: IpAddr) -> bool {
        self.noted.contains_key(&source) || self.named.contains(&source)
    }

    /// A peer has authenticated from this address.
    pub(crate) fn note(&mut self, source: IpAddr, wall: Duration) {
        if self.noted.get(&source).is_some_and(|at| *at <= wall && *at + FRESH > wall) {
            return;
        }
        self.insert(source, wall);
        let mut rows = vec![(source.to_string(), Some(wall.as_secs().to_be_bytes().to_vec()))];
        while self.noted.len() > KNOWN_SOURCES
            && let Some((_, oldest)) = self.by_time.pop_first()
        {
            self.noted.remove(&oldest);
            self.inbox.remove(oldest);
            rows.push((oldest.to_string(), None));
        }
        self.store.write_soon(KNOWN, rows);
    }

    fn insert(&mut self, source: IpAddr, at: Duration) {
        if let Some(before) = self.noted.insert(source, at) {
            self.by_time.remove(&(before, source));
        } else {
            self.inbox.add(source);
        }
        self.by_time.insert((at, source));
    }

    /// This policy is in force.
    pub(crate) fn configured(&mut self, policy: &Policy) {
        let named = lookup::named_addresses(policy);
        named.difference(&self.named).for_each(|new| self.inbox.add(*new));
        self.named.difference(&named).for_each(|old| self.inbox.remove(*old));
        self.named = named;
    }

    /// The peer of this child SA is at this address.
    pub(crate) fn here(&mut self, child: ChildId, address: IpAddr) {
        let before = self.here.insert(child, address);
        if before != Some(address) {
            self.inbox.add(address);
            before.into_iter().for_each(|before| self.inbox.remove(before));
        }
    }

    /// This child SA is gone.
    pub(crate) fn gone(&mut self, child: ChildId) {
        self.here.remove(&child).into_iter().for_each(|address| self.inbox.remove(address));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::translate::Translation;

    const WALL: Duration = Duration::from_secs(1_800_000_000);

    fn source(number: usize) -> IpAddr {
        IpAddr::V4(u32::try_from(number).unwrap().into())
    }

    fn open(store: &Store, wall: Duration) -> KnownPeers {
        KnownPeers::open(store.clone(), Arc::default(), wall)
    }

    fn after_restart(store: &Store, wall: Duration) -> Vec<IpAddr> {
        open(store, wall).sources().collect()
    }

    #[test]
    fn an_address_is_known_for_a_day_over_restarts() {
        let store = Store::default();
        let mut known = open(&store, WALL);
        known.note(source(1), WALL);
        known.note(source(2), WALL + KNOWN_TIME / 2);
        assert_eq!(after_restart(&store, WALL + KNOWN_TIME / 2), [source(1), source(2)]);
        assert_eq!(after_restart(&store, WALL + KNOWN_TIME), [source(2)]);
        assert_eq!(store.rows(KNOWN).len(), 1, "what is old is gone from the disk");
        assert!(after_restart(&store, WALL).is_empty(), "a clock that was set back");
    }

    #[test]
    fn the_disk_is_not_written_for_each_rekey() {
        let store = Store::default();
        let mut known = open(&store, WALL);
        known.note(source(1), WALL);
        let written = store.rows(KNOWN);
        known.note(source(1), WALL + FRESH / 2);
        assert_eq!(store.rows(KNOWN), written);
        known.note(source(1), WALL + FRESH);
        assert_ne!(store.rows(KNOWN), written);
    }

    #[test]
    fn the_oldest_makes_room() {
        let store = Store::default();
        let mut known = open(&store, WALL);
        for number in 0..=KNOWN_SOURCES {
            known.note(source(number), WALL + Duration::from_millis(number as u64));
        }
        assert_eq!((known.noted.len(), known.by_time.len()), (KNOWN_SOURCES, KNOWN_SOURCES));
        assert_eq!(store.rows(KNOWN).len(), KNOWN_SOURCES);
        assert!(!known.noted.contains_key(&source(0)));
    }

    /// As many reasons as there are, no more and no fewer.
    #[test]
    fn the_inbox_learns_what_becomes_known_and_what_is_no_longer() {
        let store = Store::default();
        open(&store, WALL).note(source(1), WALL);
        let inbox = Arc::new(KnownAddresses::default());
        let mut known = KnownPeers::open(store, Arc::clone(&inbox), WALL + FRESH);
        let has = |number| inbox.contains(source(number));
        assert!(has(1) && !has(2), "over a restart");
        // noted again, and the oldest once more than there is room
        known.note(source(1), WALL + FRESH);
        for number in 2..=KNOWN_SOURCES {
            known.note(source(number), WALL + FRESH + Duration::from_millis(number as u64));
        }
        assert!(has(1) && has(2) && has(KNOWN_SOURCES));
        known.note(source(KNOWN_SOURCES + 1), WALL + 2 * FRESH);
        assert!(!has(1) && has(2) && has(KNOWN_SOURCES + 1));
        // two child SAs of one peer, which moves
        let away = |number: usize| source(1_000_000 + number);
        for child in [1, 2] {
            known.here(ChildId(child), away(1));
            known.here(ChildId(child), away(1));
        }
        known.here(ChildId(1), away(2));
        assert!(inbox.contains(away(1)) && inbox.contains(away(2)));
        known.gone(ChildId(2));
        assert!(!inbox.contains(away(1)) && inbox.contains(away(2)));
        known.gone(ChildId(1));
        known.gone(ChildId(1));
        assert!(!inbox.contains(away(2)));
        // the configuration
        let policy = |peers: &str| {
            let text = format!(
                "crypto isakmp key k address 198.51.100.9\ncrypto isakmp key k address 0.0.0.0\n{peers}"
            );
            Translation::of(&hubward_config::parse(&text).config).policy().clone()
        };
        let (host, peer) = ([198, 51, 100, 9].into(), [198, 51, 100, 7].into());
        known.configured(&policy("crypto map m 10 ipsec-isakmp\n set peer 198.51.100.7\n"));
        known.configured(&policy("crypto map m 10 ipsec-isakmp\n set peer 198.51.100.7\n"));
        assert!(inbox.contains(host) && inbox.contains(peer) && !inbox.contains([0, 0, 0, 0].into()));
        known.configured(&policy(""));
        assert!(inbox.contains(host) && !inbox.contains(peer));
    }
}
