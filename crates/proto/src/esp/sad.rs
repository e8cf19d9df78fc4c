//! The SA database: which SA an SPI names, which SA carries a flow. The engine's effects change it in place; the packet
//! workers read it.

use crate::esp::replay::ReplayWindow;
use crate::esp::sa::{ChildId, ChildSa, Direction, EntryRef};
use crate::flow::selector::Flow;
use crate::ike::path::Path;
use crate::time::Instant;
use hubward_crypto::cipher::CryptoError;
use hubward_crypto::esp::EspKeys;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// What an SA carried, for `show crypto ipsec sa` and for liveness.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets protected or opened.
    pub packets: AtomicU64,
    /// Bytes of inner packets.
    pub bytes: AtomicU64,
    /// Packets that failed.
    pub errors: AtomicU64,
    /// Milliseconds since the clock's origin of the last packet, plus one; zero before the first.
    last: AtomicU64,
}

impl Counters {
    /// When the last packet was carried.
    pub fn last(&self) -> Option<Instant> {
        let last = self.last.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Instant::from_origin(Duration::from_millis(last)))
    }

    pub(crate) fn count(&self, now: Instant, bytes: usize) {
        self.packets.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let millis = u64::try_from(now.since_origin().as_millis()).unwrap_or(u64::MAX - 1);
        self.last.store(millis + 1, Ordering::Relaxed);
    }
}

/// One direction of a child, with its keys ready.
#[derive(Debug)]
pub struct Sa {
    /// The pair.
    pub child: Arc<ChildSa>,
    /// Keys of this direction.
    pub keys: EspKeys,
    /// What it carried.
    pub counters: Counters,
    path: RwLock<Path>,
    /// Outbound: the next sequence number.
    sequence: AtomicU64,
    /// Inbound.
    pub(crate) replay: Mutex<ReplayWindow>,
    /// Inbound: a packet verified. Outbound: the soft limit was told.
    pub(crate) told: AtomicBool,
}

impl Sa {
    /// The outer path now.
    pub fn path(&self) -> Path {
        *self.path.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next sequence number, while there is one: numbers never wrap.
    pub(crate) fn next_sequence(&self) -> Option<u32> {
        let next = self.sequence.fetch_add(1, Ordering::Relaxed);
        u32::try_from(next).ok().filter(|sequence| *sequence < u32::MAX)
    }

    /// The last sequence number used outbound, or the highest that verified inbound.
    pub fn last_sequence(&self, direction: Direction) -> u32 {
        match direction {
            Direction::Inbound => self.replay.lock().unwrap_or_else(PoisonError::into_inner).highest(),
            Direction::Outbound => {
                u32::try_from(self.sequence.load(Ordering::Relaxed).saturating_sub(1)).unwrap_or(u32::MAX)
            }
        }
    }
}

/// The SAs of all peers.
#[derive(Debug, Default)]
pub struct Sad {
    inbound: RwLock<HashMap<u32, Arc<Sa>>>,
    outbound: RwLock<Outbound>,
}

/// Outbound SAs by the prefix of their remote selector; the newest of equal ones first.
#[derive(Debug, Default)]
struct Outbound {
    by_prefix: BTreeMap<std::cmp::Reverse<u8>, HashMap<IpAddr, Vec<Arc<Sa>>>>,
    /// Selectors whose remote side is a range and no prefix.
    ranges: Vec<Arc<Sa>>,
    by_child: HashMap<ChildId, Arc<Sa>>,
}

impl Sad {
    /// Without SAs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts using one half of a child.
    pub fn install(&self, child: &Arc<ChildSa>, direction: Direction) -> Result<(), CryptoError> {
        let half = match direction {
            Direction::Inbound => &child.inbound,
            Direction::Outbound => &child.outbound,
        };
        let sa = Arc::new(Sa {
            keys: EspKeys::new(child.suite, half.keymat.expose())?,
            path: RwLock::new(child.path),
            sequence: AtomicU64::new(1),
            replay: Mutex::new(ReplayWindow::new(child.replay_window)),
            counters: Counters::default(),
            told: AtomicBool::new(false),
            child: Arc::clone(child),
        });
        match direction {
            Direction::Inbound => {
                self.inbound.write().unwrap_or_else(PoisonError::into_inner).insert(half.spi.0, sa);
            }
            Direction::Outbound => {
                let mut outbound = self.outbound.write().unwrap_or_else(PoisonError::into_inner);
                outbound.by_child.insert(child.id, Arc::clone(&sa));
                match child.selector.remote.to_prefix() {
                    Some(prefix) => outbound
                        .by_prefix
                        .entry(std::cmp::Reverse(prefix.prefix_len()))
                        .or_default()
                        .entry(prefix.network())
                        .or_default()
                        .insert(0, sa),
                    None => outbound.ranges.insert(0, sa),
                }
            }
        }
        Ok(())
    }

    /// Forgets both halves of a child.
    pub fn remove(&self, child: ChildId) {
        self.inbound.write().unwrap_or_else(PoisonError::into_inner).retain(|_, sa| sa.child.id != child);
        let mut outbound = self.outbound.write().unwrap_or_else(PoisonError::into_inner);
        outbound.by_child.remove(&child);
        outbound.ranges.retain(|sa| sa.child.id != child);
        for table in outbound.by_prefix.values_mut() {
            table.retain(|_, list| {
                list.retain(|sa| sa.child.id != child);
                !list.is_empty()
            });
        }
        outbound.by_prefix.retain(|_, table| !table.is_empty());
    }

    /// The outer path of a child changed.
    pub fn repath(&self, child: ChildId, path: Path) {
        for sa in
            [self.get(child, Direction::Inbound), self.get(child, Direction::Outbound)].into_iter().flatten()
        {
            *sa.path.write().unwrap_or_else(PoisonError::into_inner) = path;
        }
    }

    /// One half of a child.
    pub fn get(&self, child: ChildId, direction: Direction) -> Option<Arc<Sa>> {
        match direction {
            Direction::Inbound => {
                let inbound = self.inbound.read().unwrap_or_else(PoisonError::into_inner);
                inbound.values().find(|sa| sa.child.id == child).cloned()
            }
            Direction::Outbound => {
                let outbound = self.outbound.read().unwrap_or_else(PoisonError::into_inner);
                outbound.by_child.get(&child).cloned()
            }
        }
    }

    /// The SA that an SPI names.
    pub fn by_spi(&self, spi: u32) -> Option<Arc<Sa>> {
        self.inbound.read().unwrap_or_else(PoisonError::into_inner).get(&spi).cloned()
    }

    /// The SA that carries a flow: the longest remote prefix, the newest of equal ones; `denied` tells of which crypto map
    /// entries the flow is none.
    pub fn by_flow(&self, flow: &Flow, denied: impl Fn(&EntryRef) -> bool) -> Option<Arc<Sa>> {
        let fits = |sa: &Sa| fits(sa, flow) && !denied(&sa.child.entry);
        let outbound = self.outbound.read().unwrap_or_else(PoisonError::into_inner);
        for (length, table) in &outbound.by_prefix {
            let Ok(net) = ipnet::IpNet::new(flow.destination, length.0) else { continue };
            if let Some(sa) = table.get(&net.network()).and_then(|list| list.iter().find(|sa| fits(sa))) {
                return Some(Arc::clone(sa));
            }
        }
        outbound.ranges.iter().find(|sa| fits(sa)).cloned()
    }

    /// Remote selectors of all outbound SAs, for the routes that lead into the tunnel.
    pub fn remotes(&self) -> Vec<crate::flow::selector::Selector> {
        let outbound = self.outbound.read().unwrap_or_else(PoisonError::into_inner);
        outbound.by_child.values().map(|sa| sa.child.selector).collect()
    }
}

fn fits(sa: &Sa, flow: &Flow) -> bool {
    sa.child.selector.matches(flow) && sa.child.lease.is_none_or(|lease| lease == flow.destination)
}
