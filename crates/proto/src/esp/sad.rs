//! The SA database. The engine's effects change it in place. Each packet worker follows the changes
//! with its own view ([`crate::esp::view`]), which finds the SA of an SPI or of a flow.

use crate::esp::inbound::Refused;
use crate::esp::sa::{ChildSa, Direction};
use crate::esp::view::{Change, Feed, InboundView, OutboundView};
use crate::flow::mtu::{self, PathMtu, plaintext_mtu};
use crate::flow::tables::Lookup;
use crate::flow::too_big::Told;
use crate::limits;
use crate::names::{ChildId, InterfaceId};
use crate::path::{Encapsulation, Path};
use crate::time::Instant;
use hubward_crypto::cipher::CryptoError;
use hubward_crypto::esp::EspKeys;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// What an SA carried, for `show crypto ipsec sa` and for liveness.
#[derive(Debug, Default)]
pub struct Counters {
    /// Packets protected or opened.
    pub packets: AtomicU64,
    /// Bytes of inner packets.
    pub bytes: AtomicU64,
    /// Packets that failed, for any reason.
    pub errors: AtomicU64,
    /// Of these: seen before, or older than the window.
    pub replay_errors: AtomicU64,
    /// Of these: the integrity check failed.
    pub verify_errors: AtomicU64,
    /// Of these: the inner packet does not belong to the SA.
    pub identity_errors: AtomicU64,
    /// Nanoseconds since the clock's origin of the last packet, plus one; zero before the first.
    last: AtomicU64,
}

impl Counters {
    /// When the last packet was carried.
    pub fn last(&self) -> Option<Instant> {
        let last = self.last.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Instant::from_origin(Duration::from_nanos(last)))
    }

    /// Adds to one of the counters. Only the worker that owns this direction calls it, so that no
    /// count is lost although there is no atomic addition, which would cost as much as the look-up
    /// of the SA.
    pub(crate) fn add(counter: &AtomicU64, number: u64) {
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(number), Ordering::Relaxed);
    }

    pub(crate) fn count(&self, now: Instant, packets: u64, bytes: u64) {
        Self::add(&self.packets, packets);
        Self::add(&self.bytes, bytes);
        let nanos = u64::try_from(now.since_origin().as_nanos()).unwrap_or(u64::MAX - 1);
        self.last.store(nanos + 1, Ordering::Relaxed);
    }
}

/// One direction of a child SA, with its keys ready.
#[derive(Debug)]
pub struct Sa {
    /// The child SA.
    pub child: Arc<ChildSa>,
    /// Keys of this direction.
    pub keys: EspKeys,
    /// What it carried.
    pub counters: Counters,
    path: Mutex<Path>,
    /// Outbound: how long an ESP packet may be.
    path_mtu: PathMtu,
    /// Outbound: the next sequence number.
    sequence: AtomicU64,
    /// Inbound: the highest sequence number that verified, published by the worker that has the
    /// anti-replay window.
    pub(crate) highest: AtomicU32,
    /// Inbound: a packet verified.
    pub(crate) seen: AtomicBool,
    /// The volume limit is nearly used up.
    pub(crate) soft: AtomicBool,
    /// The volume limit or the sequence numbers are used up.
    pub(crate) hard: AtomicBool,
    /// Inbound, for each kind of refusal: a second, and how many refusals were reported in it.
    refusals: [AtomicU64; Refused::KINDS],
    /// Inbound: the second in which a move was last reported, plus one.
    moved: AtomicU64,
}

/// Conditions that hold from some moment until the SA ends. The packet workers set them and the
/// driver of the engine reads them, so that no condition is missed if a message about it is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Inbound: a packet verified.
    pub seen: bool,
    /// The volume limit is nearly used up: time to rekey.
    pub soft: bool,
    /// The volume limit or the sequence numbers are used up: the SA carries nothing more.
    pub hard: bool,
}

impl Sa {
    /// The conditions that it has reached.
    pub fn reached(&self) -> Reached {
        Reached {
            seen: self.seen.load(Ordering::Relaxed),
            soft: self.soft.load(Ordering::Relaxed),
            hard: self.hard.load(Ordering::Relaxed),
        }
    }

    /// The current outer path.
    pub fn path(&self) -> Path {
        *self.path.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes of the longest ESP packet that the path takes now, outer IP header included.
    pub fn path_mtu(&self, now: Instant) -> usize {
        self.path_mtu.get(now)
    }

    /// Bytes of the longest inner packet that the path takes now.
    pub fn plaintext_mtu(&self, now: Instant) -> usize {
        self.plaintext_mtu_on(self.path().encapsulation, now)
    }

    pub(crate) fn plaintext_mtu_on(&self, encapsulation: Encapsulation, now: Instant) -> usize {
        plaintext_mtu(self.child.suite, self.child.mode, encapsulation, self.path_mtu.get(now))
    }

    /// Takes the next `count` sequence numbers and returns the first, or `None` when fewer are
    /// left. Numbers never wrap, and each call gets different ones: under GCM a number used twice
    /// would reveal the key.
    pub(crate) fn next_sequences(&self, count: u32) -> Option<u32> {
        let first = self.sequence.fetch_add(u64::from(count), Ordering::Relaxed);
        let last = first + u64::from(count) - 1;
        if last < u64::from(u32::MAX) { u32::try_from(first).ok() } else { None }
    }

    /// Whether to report a refused packet. Anyone who knows the SPI can send any number of them,
    /// and the reader of the reports has other work.
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

    /// Whether to report a move. A peer may send each packet from another address; it is followed
    /// once a second.
    pub(crate) fn tells_move(&self, now: Instant) -> bool {
        let this_second = now.since_origin().as_secs().saturating_add(1);
        self.moved.swap(this_second, Ordering::Relaxed) != this_second
    }

    /// The last sequence number used outbound, or the highest that verified inbound.
    pub fn last_sequence(&self, direction: Direction) -> u32 {
        match direction {
            Direction::Inbound => self.highest.load(Ordering::Relaxed),
            Direction::Outbound => {
                u32::try_from(self.sequence.load(Ordering::Relaxed).saturating_sub(1)).unwrap_or(u32::MAX)
            }
        }
    }
}

/// What another data plane (the kernel) counted for one direction of a child SA since it was
/// installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Packets protected or opened.
    pub packets: u64,
    /// Bytes of inner packets.
    pub bytes: u64,
    /// Packets seen before, or older than the window.
    pub replay_errors: u64,
    /// Packets whose integrity check failed.
    pub verify_errors: u64,
    /// The last sequence number used outbound, or the highest that verified inbound.
    pub sequence: u32,
}

impl Sa {
    /// Takes over what another data plane counted.
    pub fn counted(&self, now: Instant, direction: Direction, counted: Counted) {
        let Counters { packets, bytes, errors, replay_errors, verify_errors, .. } = &self.counters;
        if packets.swap(counted.packets, Ordering::Relaxed) != counted.packets {
            self.counters.count(now, 0, 0);
        }
        bytes.store(counted.bytes, Ordering::Relaxed);
        replay_errors.store(counted.replay_errors, Ordering::Relaxed);
        verify_errors.store(counted.verify_errors, Ordering::Relaxed);
        errors.store(counted.replay_errors + counted.verify_errors, Ordering::Relaxed);
        match direction {
            Direction::Inbound => self.highest.store(counted.sequence, Ordering::Relaxed),
            Direction::Outbound => {
                self.sequence.store(u64::from(counted.sequence) + 1, Ordering::Relaxed);
            }
        }
    }
}

/// The SAs of all peers.
#[derive(Debug, Default)]
pub struct Sad(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    pairs: BTreeMap<ChildId, Halves>,
    /// Outbound SAs by the peer's SPI, which another peer may have chosen too.
    by_peer_spi: HashMap<u32, Vec<Arc<Sa>>>,
    /// MTUs of the interfaces, where they are known.
    links: BTreeMap<InterfaceId, u16>,
    /// The views that follow the changes. Each outbound view has the SAs of its port. There is a
    /// single inbound view, because it holds the anti-replay windows.
    outbound: Vec<(Lookup, Weak<Feed>)>,
    inbound: Weak<Feed>,
}

/// Both directions of a child SA, as far as they are installed.
#[derive(Clone, Debug, Default)]
pub struct Halves {
    /// From the peer.
    pub inbound: Option<Arc<Sa>>,
    /// To the peer.
    pub outbound: Option<Arc<Sa>>,
}

impl Halves {
    /// The SA of one direction.
    pub fn get(&self, direction: Direction) -> Option<&Arc<Sa>> {
        match direction {
            Direction::Inbound => self.inbound.as_ref(),
            Direction::Outbound => self.outbound.as_ref(),
        }
    }
}

impl Known {
    /// Passes a change to the view of inbound SAs.
    fn tell_inbound(&self, change: Change) {
        if let Some(feed) = self.inbound.upgrade() {
            feed.push(change);
        }
    }

    /// Passes a change to the views that have an SA of this child.
    fn tell(&mut self, direction: Direction, child: &ChildSa, change: Change) {
        match direction {
            Direction::Inbound => self.tell_inbound(change),
            Direction::Outbound => {
                let of_child = child.lookup();
                self.outbound.retain(|(lookup, feed)| match feed.upgrade() {
                    Some(feed) => {
                        if *lookup == of_child {
                            feed.push(change.clone());
                        }
                        true
                    }
                    None => false,
                });
            }
        }
    }

    /// The feed of a new view, filled with the SAs of this direction that belong to it.
    fn feed(&self, direction: Direction, is_own: impl Fn(&ChildSa) -> bool) -> Arc<Feed> {
        let feed = Feed::default();
        let sas = self.pairs.values().filter_map(|halves| halves.get(direction));
        for sa in sas.filter(|sa| is_own(&sa.child)) {
            feed.push(Change::Installed(Arc::clone(sa)));
        }
        Arc::new(feed)
    }

    fn link(&self, interface: InterfaceId) -> u16 {
        self.links.get(&interface).copied().unwrap_or(mtu::LINK)
    }
}

impl Sad {
    /// Without SAs.
    pub fn new() -> Self {
        Self::default()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The outbound SAs of one port, for the worker that takes packets from it.
    pub fn outbound_view(&self, lookup: Lookup) -> OutboundView {
        let mut known = self.known();
        let feed = known.feed(Direction::Outbound, |child| child.lookup() == lookup);
        known.outbound.push((lookup, Arc::downgrade(&feed)));
        OutboundView::new(lookup, feed)
    }

    /// The inbound SAs, for the packet worker that opens packets. An earlier view loses all its
    /// SAs: two anti-replay windows would let a packet through twice.
    pub fn inbound_view(&self) -> InboundView {
        let mut known = self.known();
        known.tell_inbound(Change::Superseded);
        let feed = known.feed(Direction::Inbound, |_| true);
        known.inbound = Arc::downgrade(&feed);
        InboundView::new(feed)
    }

    /// Starts to use one direction of a child SA.
    pub fn install(&self, child: &Arc<ChildSa>, direction: Direction) -> Result<(), CryptoError> {
        let half = match direction {
            Direction::Inbound => &child.inbound,
            Direction::Outbound => &child.outbound,
        };
        let keys = EspKeys::new(child.suite, half.keymat.expose())?;
        let mut known = self.known();
        let sa = Arc::new(Sa {
            keys,
            path: Mutex::new(child.path),
            path_mtu: PathMtu::new(known.link(child.path.interface)),
            sequence: AtomicU64::new(1),
            highest: AtomicU32::new(0),
            counters: Counters::default(),
            seen: AtomicBool::new(false),
            soft: AtomicBool::new(false),
            hard: AtomicBool::new(false),
            refusals: Default::default(),
            moved: AtomicU64::new(0),
            child: Arc::clone(child),
        });
        let halves = known.pairs.entry(child.id).or_default();
        match direction {
            Direction::Inbound => halves.inbound = Some(Arc::clone(&sa)),
            Direction::Outbound => {
                halves.outbound = Some(Arc::clone(&sa));
                known.by_peer_spi.entry(half.spi.0).or_default().push(Arc::clone(&sa));
            }
        }
        known.tell(direction, child, Change::Installed(sa));
        Ok(())
    }

    /// Forgets both directions of a child SA, and returns them with their counters. The workers use
    /// them until they have finished their current batch.
    pub fn remove(&self, child: ChildId) -> Halves {
        let mut known = self.known();
        let Some(halves) = known.pairs.remove(&child) else { return Halves::default() };
        if let Some(outbound) = &halves.outbound {
            let spi = outbound.child.outbound.spi.0;
            if let Some(list) = known.by_peer_spi.get_mut(&spi) {
                list.retain(|sa| sa.child.id != child);
                if list.is_empty() {
                    known.by_peer_spi.remove(&spi);
                }
            }
        }
        for direction in [Direction::Inbound, Direction::Outbound] {
            if let Some(sa) = halves.get(direction) {
                known.tell(direction, &sa.child, Change::Removed(child));
            }
        }
        halves
    }

    /// Sets the MTU of an interface, for the SAs whose packets leave by it.
    pub fn set_link(&self, interface: InterfaceId, mtu: u16) {
        let mut known = self.known();
        if known.links.insert(interface, mtu) == Some(mtu) {
            return;
        }
        let outbound = known.pairs.values().filter_map(|halves| halves.outbound.as_ref());
        for sa in outbound.filter(|sa| sa.path().interface == interface) {
            sa.path_mtu.set_link(mtu);
        }
    }

    /// A router refused an ESP packet because of its length. It is believed if the packet that it
    /// quotes was sent lately. Returns the child SA and the MTU of its path if that MTU is new.
    pub fn too_big(&self, now: Instant, told: &Told) -> Option<(ChildId, usize)> {
        /// Packets that may be sent before the router's message arrives.
        const LATELY: u32 = 1 << 20;
        let known = self.known();
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
        let sa = known.by_peer_spi.get(&told.spi)?.iter().find(ours)?;
        sa.path_mtu.learn(now, told.mtu).then(|| (sa.child.id, sa.path_mtu.get(now)))
    }

    /// The outer path of a child changed.
    pub fn repath(&self, child: ChildId, path: Path) {
        let mut known = self.known();
        let link = known.link(path.interface);
        let Some(halves) = known.pairs.get(&child).cloned() else { return };
        for direction in [Direction::Inbound, Direction::Outbound] {
            let Some(sa) = halves.get(direction) else { continue };
            *sa.path.lock().unwrap_or_else(PoisonError::into_inner) = path;
            sa.path_mtu.forget();
            sa.path_mtu.set_link(link);
            known.tell(direction, &sa.child, Change::Moved(child, path));
        }
    }

    /// One direction of a child SA.
    pub fn get(&self, child: ChildId, direction: Direction) -> Option<Arc<Sa>> {
        self.known().pairs.get(&child)?.get(direction).cloned()
    }

    /// All child SAs, for a reader that looks at each of them.
    pub fn pairs(&self) -> BTreeMap<ChildId, Halves> {
        self.known().pairs.clone()
    }
}
