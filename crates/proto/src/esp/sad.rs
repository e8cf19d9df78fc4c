//! The SA database: which SA an SPI names, which SA carries a flow. The engine's effects change it in place; the packet
//! workers read it.

use crate::esp::inbound::Refused;
use crate::esp::replay::ReplayWindow;
use crate::esp::sa::{ChildId, ChildSa, Direction, EntryRef};
use crate::flow::mtu::{self, PathMtu, plaintext_mtu};
use crate::flow::selector::Flow;
use crate::flow::too_big::Told;
use crate::ike::path::{Encapsulation, InterfaceId, Path};
use crate::limits;
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
    /// Packets that failed, for whatever reason.
    pub errors: AtomicU64,
    /// Of these: seen before, or older than the window.
    pub replay_errors: AtomicU64,
    /// Of these: the integrity check failed.
    pub verify_errors: AtomicU64,
    /// Of these: the inner packet is none of the SA's.
    pub identity_errors: AtomicU64,
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
        self.count_many(now, 1, bytes as u64);
    }

    pub(crate) fn count_many(&self, now: Instant, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
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
    /// Outbound: how long an ESP packet may be.
    path_mtu: PathMtu,
    /// Outbound: the next sequence number.
    sequence: AtomicU64,
    /// Inbound.
    pub(crate) replay: Mutex<ReplayWindow>,
    /// Inbound: a packet verified. Outbound: the soft limit was told.
    pub(crate) told: AtomicBool,
    /// Inbound: refusals of each kind that were told in the second behind them.
    refusals: [AtomicU64; Refused::KINDS],
    /// Inbound: the second in which a move was told last, plus one.
    moved: AtomicU64,
}

impl Sa {
    /// The outer path now.
    pub fn path(&self) -> Path {
        *self.path.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of the longest ESP packet that the path takes now, outer IP header included.
    pub fn path_mtu(&self, now: Instant) -> usize {
        self.path_mtu.get(now)
    }

    /// Bytes of the longest inner packet that the path takes now.
    pub fn plaintext_mtu(&self, now: Instant) -> usize {
        let encapsulation = self.path().encapsulation;
        plaintext_mtu(self.child.suite, self.child.mode, encapsulation, self.path_mtu.get(now))
    }

    /// The next sequence number, while there is one: numbers never wrap.
    pub(crate) fn next_sequence(&self) -> Option<u32> {
        let next = self.sequence.fetch_add(1, Ordering::Relaxed);
        u32::try_from(next).ok().filter(|sequence| *sequence < u32::MAX)
    }

    /// Whether a refused packet is told: whoever can name the SPI can send as many as he likes, and what listens has more to do.
    pub(crate) fn tells(&self, now: Instant, refused: Refused) -> bool {
        const TOLD: u64 = (1 << 16) - 1;
        let Some(told) = self.refusals.get(refused.kind()) else { return false };
        let this_second = now.since_origin().as_secs().wrapping_add(1) << 16;
        let before = Some(told.load(Ordering::Relaxed))
            .filter(|told| told & !TOLD == this_second)
            .unwrap_or(this_second);
        let tells = before & TOLD < limits::REFUSALS_TOLD;
        if tells {
            told.store(before + 1, Ordering::Relaxed);
        }
        tells
    }

    /// Whether a move is told: a peer may come from another place with each packet, and is followed once a second.
    pub(crate) fn tells_move(&self, now: Instant) -> bool {
        let this_second = now.since_origin().as_secs().saturating_add(1);
        self.moved.swap(this_second, Ordering::Relaxed) != this_second
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
    inbound: RwLock<Inbound>,
    outbound: RwLock<Outbound>,
    /// MTUs of the interfaces, where they are known.
    links: RwLock<BTreeMap<InterfaceId, u16>>,
}

/// Inbound SAs by our SPI, which names one of them only.
#[derive(Debug, Default)]
struct Inbound {
    by_spi: HashMap<u32, Arc<Sa>>,
    spis: HashMap<ChildId, u32>,
}

/// Both halves of a pair, as far as they are installed.
#[derive(Clone, Debug, Default)]
pub struct Halves {
    /// From the peer.
    pub inbound: Option<Arc<Sa>>,
    /// To the peer.
    pub outbound: Option<Arc<Sa>>,
}

/// Outbound SAs by the prefix of their remote selector; the newest of equal ones first.
#[derive(Debug, Default)]
struct Outbound {
    by_prefix: BTreeMap<std::cmp::Reverse<u8>, HashMap<IpAddr, Vec<Arc<Sa>>>>,
    /// Selectors whose remote side is a range and no prefix.
    ranges: Vec<Arc<Sa>>,
    by_child: HashMap<ChildId, Arc<Sa>>,
    /// By the peer's SPI, which another peer may have chosen too.
    by_spi: HashMap<u32, Vec<Arc<Sa>>>,
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
            path_mtu: PathMtu::new(self.link(child.path.interface)),
            sequence: AtomicU64::new(1),
            replay: Mutex::new(ReplayWindow::new(child.replay_window)),
            counters: Counters::default(),
            told: AtomicBool::new(false),
            refusals: Default::default(),
            moved: AtomicU64::new(0),
            child: Arc::clone(child),
        });
        match direction {
            Direction::Inbound => {
                let mut inbound = self.inbound.write().unwrap_or_else(PoisonError::into_inner);
                inbound.spis.insert(child.id, half.spi.0);
                inbound.by_spi.insert(half.spi.0, sa);
            }
            Direction::Outbound => {
                let mut outbound = self.outbound.write().unwrap_or_else(PoisonError::into_inner);
                outbound.by_child.insert(child.id, Arc::clone(&sa));
                outbound.by_spi.entry(half.spi.0).or_default().push(Arc::clone(&sa));
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

    /// Forgets both halves of a child, and gives them with what they carried.
    pub fn remove(&self, child: ChildId) -> Halves {
        let mut inbound = self.inbound.write().unwrap_or_else(PoisonError::into_inner);
        let spi = inbound.spis.remove(&child);
        let removed = spi.and_then(|spi| inbound.by_spi.remove(&spi));
        drop(inbound);
        let outbound = self.remove_outbound(child);
        Halves { inbound: removed, outbound }
    }

    fn remove_outbound(&self, child: ChildId) -> Option<Arc<Sa>> {
        let mut outbound = self.outbound.write().unwrap_or_else(PoisonError::into_inner);
        let gone = outbound.by_child.remove(&child)?;
        let spi = gone.child.outbound.spi.0;
        if let Some(list) = outbound.by_spi.get_mut(&spi) {
            list.retain(|sa| sa.child.id != child);
            if list.is_empty() {
                outbound.by_spi.remove(&spi);
            }
        }
        let Some(prefix) = gone.child.selector.remote.to_prefix() else {
            outbound.ranges.retain(|sa| sa.child.id != child);
            return Some(gone);
        };
        let length = std::cmp::Reverse(prefix.prefix_len());
        let Some(table) = outbound.by_prefix.get_mut(&length) else { return Some(gone) };
        if let Some(list) = table.get_mut(&prefix.network()) {
            list.retain(|sa| sa.child.id != child);
            if list.is_empty() {
                table.remove(&prefix.network());
            }
        }
        if table.is_empty() {
            outbound.by_prefix.remove(&length);
        }
        Some(gone)
    }

    fn link(&self, interface: InterfaceId) -> u16 {
        let links = self.links.read().unwrap_or_else(PoisonError::into_inner);
        links.get(&interface).copied().unwrap_or(mtu::LINK)
    }

    /// The MTU of an interface, for the SAs that leave by it.
    pub fn set_link(&self, interface: InterfaceId, mtu: u16) {
        let old = self.links.write().unwrap_or_else(PoisonError::into_inner).insert(interface, mtu);
        if old == Some(mtu) {
            return;
        }
        let outbound = self.outbound.read().unwrap_or_else(PoisonError::into_inner);
        for sa in outbound.by_child.values().filter(|sa| sa.path().interface == interface) {
            sa.path_mtu.set_link(mtu);
        }
    }

    /// A router refused an ESP packet for its length. Believed when the packet that it quotes is one that was sent lately;
    /// then gives the SA, and the MTU of its path where that is new.
    pub fn too_big(&self, now: Instant, told: &Told) -> Option<(ChildId, usize)> {
        /// Packets that may be under way until the router's word is here.
        const LATELY: u32 = 1 << 20;
        let outbound = self.outbound.read().unwrap_or_else(PoisonError::into_inner);
        let ours = |sa: &&Arc<Sa>| {
            let (path, last) = (sa.path(), sa.last_sequence(Direction::Outbound));
            let port = match path.encapsulation {
                Encapsulation::Native => 0,
                Encapsulation::Udp => path.remote_port,
            };
            (path.local, path.remote, path.encapsulation) == (told.local, told.remote, told.encapsulation)
                && port == told.remote_port
                && (1..=last).contains(&told.sequence)
                && last - told.sequence < LATELY
        };
        let sa = outbound.by_spi.get(&told.spi)?.iter().find(ours)?;
        sa.path_mtu.learn(now, told.mtu).then(|| (sa.child.id, sa.path_mtu.get(now)))
    }

    /// The outer path of a child changed.
    pub fn repath(&self, child: ChildId, path: Path) {
        for sa in
            [self.get(child, Direction::Inbound), self.get(child, Direction::Outbound)].into_iter().flatten()
        {
            *sa.path.write().unwrap_or_else(PoisonError::into_inner) = path;
            sa.path_mtu.forget();
            sa.path_mtu.set_link(self.link(path.interface));
        }
    }

    /// One half of a child.
    pub fn get(&self, child: ChildId, direction: Direction) -> Option<Arc<Sa>> {
        match direction {
            Direction::Inbound => {
                let inbound = self.inbound.read().unwrap_or_else(PoisonError::into_inner);
                inbound.spis.get(&child).and_then(|spi| inbound.by_spi.get(spi)).cloned()
            }
            Direction::Outbound => {
                let outbound = self.outbound.read().unwrap_or_else(PoisonError::into_inner);
                outbound.by_child.get(&child).cloned()
            }
        }
    }

    /// All pairs, for a reader that looks at each of them.
    pub fn pairs(&self) -> HashMap<ChildId, Halves> {
        let mut pairs: HashMap<ChildId, Halves> = HashMap::new();
        for sa in self.inbound.read().unwrap_or_else(PoisonError::into_inner).by_spi.values() {
            pairs.entry(sa.child.id).or_default().inbound = Some(Arc::clone(sa));
        }
        for (id, sa) in &self.outbound.read().unwrap_or_else(PoisonError::into_inner).by_child {
            pairs.entry(*id).or_default().outbound = Some(Arc::clone(sa));
        }
        pairs
    }

    /// The SA that an SPI names.
    pub fn by_spi(&self, spi: u32) -> Option<Arc<Sa>> {
        self.inbound.read().unwrap_or_else(PoisonError::into_inner).by_spi.get(&spi).cloned()
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
