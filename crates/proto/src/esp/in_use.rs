//! One direction of a child SA while packets use it: its keys, what it carried, how far it has come.

use crate::esp::refused::Refused;
use crate::esp::sa::{ChildSa, Direction};
use crate::flow::mtu::{PathMtu, plaintext_mtu};
use crate::limits;
use crate::path::{Encapsulation, Path};
use crate::time::Instant;
use hubward_crypto::esp::EspKeys;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
    pub(crate) path: Mutex<Path>,
    /// Outbound: how long an ESP packet may be.
    pub(crate) path_mtu: PathMtu,
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
    /// One that has carried nothing; `link` is the MTU of the interface by which it leaves.
    pub(crate) fn new(child: Arc<ChildSa>, keys: EspKeys, link: u16) -> Self {
        Self {
            keys,
            path: Mutex::new(child.path),
            path_mtu: PathMtu::new(link),
            sequence: AtomicU64::new(1),
            highest: AtomicU32::new(0),
            counters: Counters::default(),
            seen: AtomicBool::new(false),
            soft: AtomicBool::new(false),
            hard: AtomicBool::new(false),
            refusals: Default::default(),
            moved: AtomicU64::new(0),
            child,
        }
    }

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
