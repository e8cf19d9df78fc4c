//! The addresses of peers over a restart. While strangers flood the gateway, peers at addresses
//! from which somebody authenticated lately still get in (`ike/tables/known.rs` of proto); after a
//! restart all of them come at once, which is when a flood would hurt most.

use crate::base::store::{KNOWN, Store};
use hubward_proto::limits::{KNOWN_SOURCES, KNOWN_TIME};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// How old a row may be before it is written again.
const FRESH: Duration = Duration::from_secs(3600);

/// What is written of them: when each was last noted, in seconds since 1970.
pub(crate) struct KnownPeers {
    store: Store,
    noted: BTreeMap<IpAddr, Duration>,
    by_time: BTreeSet<(Duration, IpAddr)>,
}

impl KnownPeers {
    /// Reads those that are not too old at this wall-clock time.
    pub(crate) fn open(store: Store, wall: Duration) -> Self {
        let rows = store.rows(KNOWN);
        let mut known = Self { store, noted: BTreeMap::new(), by_time: BTreeSet::new() };
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

    /// All of them.
    pub(crate) fn sources(&self) -> impl Iterator<Item = IpAddr> {
        self.noted.keys().copied()
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
            rows.push((oldest.to_string(), None));
        }
        self.store.write_soon(KNOWN, rows);
    }

    fn insert(&mut self, source: IpAddr, at: Duration) {
        if let Some(before) = self.noted.insert(source, at) {
            self.by_time.remove(&(before, source));
        }
        self.by_time.insert((at, source));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Duration = Duration::from_secs(1_800_000_000);

    fn source(number: usize) -> IpAddr {
        IpAddr::V4(u32::try_from(number).unwrap().into())
    }

    fn after_restart(store: &Store, wall: Duration) -> Vec<IpAddr> {
        KnownPeers::open(store.clone(), wall).sources().collect()
    }

    #[test]
    fn an_address_is_known_for_a_day_over_restarts() {
        let store = Store::default();
        let mut known = KnownPeers::open(store.clone(), WALL);
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
        let mut known = KnownPeers::open(store.clone(), WALL);
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
        let mut known = KnownPeers::open(store.clone(), WALL);
        for number in 0..=KNOWN_SOURCES {
            known.note(source(number), WALL + Duration::from_millis(number as u64));
        }
        assert_eq!((known.noted.len(), known.by_time.len()), (KNOWN_SOURCES, KNOWN_SOURCES));
        assert_eq!(store.rows(KNOWN).len(), KNOWN_SOURCES);
        assert!(!known.noted.contains_key(&source(0)));
    }
}
