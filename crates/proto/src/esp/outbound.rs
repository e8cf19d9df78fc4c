//! Cleartext out: packets of a batch find their SA, are framed one behind the other in one arena, and are protected
//! together. Nothing is allocated per packet once the arena has grown.

use crate::esp::sa::{ChildId, DfBit, Mode};
use crate::esp::sad::{Sa, Sad};
use crate::flow::fragment::fragments;
use crate::flow::tables::{Tables, Verdict};
use crate::ike::io::Acquire;
use crate::ike::path::Path;
use crate::time::Instant;
use crate::wire::ip::{Ipv4, protocol};
use hubward_crypto::esp::{HEADER_LEN, SealJob, seal};
use hubward_crypto::random::Random;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What became of a packet.
#[derive(Debug)]
pub enum Outcome {
    /// It waits in the batch.
    Queued,
    /// It waits in the batch, and its SA should be renewed soon.
    QueuedAndSoft(ChildId),
    /// No SA yet: the packet should be kept, and the engine told.
    Acquire(Acquire),
    /// Nothing protects it: it goes on in clear.
    Clear,
    /// It must not be fragmented and is too long: its source is to be told how many bytes fit.
    TooBig(usize),
    /// It must not leave.
    Drop(DropReason),
}

/// Why an outgoing packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// Not an IPv4 packet.
    Malformed,
    /// It belongs to a tunnel that is not up and that only the peer can bring up.
    NoSa,
    /// The SA's volume or sequence numbers are used up.
    Exhausted(ChildId),
}

/// An ESP packet ready to be sent.
#[derive(Debug)]
pub struct Sealed<'a> {
    /// Where.
    pub path: Path,
    /// From the SPI on.
    pub bytes: &'a [u8],
    /// The outer header's DSCP and ECN, from the inner one (RFC 4301 section 5.1.2.1).
    pub tos: u8,
    /// The outer header's DF bit.
    pub dont_fragment: bool,
}

struct Slot {
    sa: Arc<Sa>,
    range: Range<usize>,
    path: Path,
    tos: u8,
    dont_fragment: bool,
}

/// A batch under way.
pub struct Outbound {
    arena: Vec<u8>,
    slots: Vec<Slot>,
    /// Where inner fragments are built.
    fragment: Vec<u8>,
    random: Random,
}

impl Outbound {
    /// `seed` makes the IVs of the CBC ciphers unpredictable.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            arena: Vec::with_capacity(128 * 1024),
            slots: Vec::with_capacity(64),
            fragment: Vec::with_capacity(2048),
            random: Random::new(seed),
        }
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Takes one cleartext packet.
    pub fn push(&mut self, sad: &Sad, tables: &Tables, now: Instant, packet: &[u8]) -> Outcome {
        let Some(view) = Ipv4::parse(packet) else { return Outcome::Drop(DropReason::Malformed) };
        let flow = view.flow();
        let Some(sa) = sad.by_flow(&flow, |entry| tables.denies(entry, &flow)) else {
            return match tables.classify(&flow) {
                Verdict::Protect(acquire) => Outcome::Acquire(acquire),
                Verdict::Drop => Outcome::Drop(DropReason::NoSa),
                Verdict::Clear => Outcome::Clear,
            };
        };
        self.fit(sa, now, &view)
    }

    /// `crypto ipsec df-bit` and `crypto ipsec fragmentation before-encryption`: what is too long for the path is fragmented
    /// before encryption where its source allows it; else after it, unless the outer packet must not be fragmented either.
    fn fit(&mut self, sa: Arc<Sa>, now: Instant, view: &Ipv4<'_>) -> Outcome {
        let dont_fragment = match sa.child.df {
            DfBit::Copy => view.dont_fragment(),
            DfBit::Set => true,
            DfBit::Clear => false,
        };
        let mtu = sa.plaintext_mtu(now);
        if view.bytes().len() <= mtu {
            return self.frame(&sa, now, view, dont_fragment);
        }
        // transport mode carries whole packets only (RFC 4301 section 4.1)
        if sa.child.mode == Mode::Tunnel && !view.dont_fragment() {
            let mut scratch = std::mem::take(&mut self.fragment);
            let (mut soft, mut refused) = (None, None);
            let whole = fragments(view, mtu, &mut scratch, |piece| {
                match self.frame(&sa, now, piece, dont_fragment) {
                    Outcome::Queued => true,
                    Outcome::QueuedAndSoft(child) => {
                        soft = Some(child);
                        true
                    }
                    other => {
                        refused = Some(other);
                        false
                    }
                }
            });
            self.fragment = scratch;
            return match (refused, soft) {
                (Some(refused), _) => refused,
                (None, Some(child)) => Outcome::QueuedAndSoft(child),
                (None, None) if whole => Outcome::Queued,
                (None, None) => Outcome::TooBig(mtu),
            };
        }
        if dont_fragment { Outcome::TooBig(mtu) } else { self.frame(&sa, now, view, false) }
    }

    /// SPI | sequence | IV | plaintext | padding | pad length | next header | room for the ICV
    fn frame(&mut self, sa: &Arc<Sa>, now: Instant, view: &Ipv4<'_>, dont_fragment: bool) -> Outcome {
        let id = sa.child.id;
        let sent = sa.counters.bytes.load(Ordering::Relaxed);
        if sa.child.hard_bytes.is_some_and(|limit| sent >= limit) {
            return Outcome::Drop(DropReason::Exhausted(id));
        }
        let Some(sequence) = sa.next_sequence() else { return Outcome::Drop(DropReason::Exhausted(id)) };
        let (plain, next_header) = match sa.child.mode {
            Mode::Tunnel => (view.bytes(), protocol::IPIP),
            Mode::Transport => (view.payload(), view.protocol()),
        };
        let suite = sa.child.suite;
        let cipher = suite.cipher();
        let start = self.arena.len();
        self.arena.extend_from_slice(&sa.child.outbound.spi.0.to_be_bytes());
        self.arena.extend_from_slice(&sequence.to_be_bytes());
        if cipher.is_aead() {
            // a nonce that never repeats under this key: the sequence number never does (RFC 4106 section 3.1)
            self.arena.extend_from_slice(&u64::from(sequence).to_be_bytes());
        } else {
            let at = self.arena.len();
            self.arena.resize(at + cipher.iv_len(), 0);
            if let Some(iv) = self.arena.get_mut(at..) {
                self.random.fill(iv);
            }
        }
        debug_assert_eq!(self.arena.len(), start + HEADER_LEN + cipher.iv_len());
        self.arena.extend_from_slice(plain);
        let body = plain.len() + 2;
        let padding = body.next_multiple_of(cipher.block_len()) - body;
        for byte in 1..=padding {
            self.arena.push(byte as u8);
        }
        self.arena.push(padding as u8);
        self.arena.push(next_header);
        self.arena.resize(self.arena.len() + suite.icv_len(), 0);
        sa.counters.count(now, view.bytes().len());
        let soft = sa.child.soft_bytes.is_some_and(|limit| sent >= limit) || sequence >= 1 << 31;
        let tell = soft && !sa.told.swap(true, Ordering::Relaxed);
        let path = sa.path();
        let sa = Arc::clone(sa);
        self.slots.push(Slot { sa, range: start..self.arena.len(), path, tos: view.tos(), dont_fragment });
        if tell { Outcome::QueuedAndSoft(id) } else { Outcome::Queued }
    }

    /// Protects everything that waits and hands it over, in order; then the batch is empty again.
    pub fn seal(&mut self, send: impl FnOnce(&[Sealed<'_>])) {
        let mut rest = self.arena.as_mut_slice();
        let mut jobs = Vec::with_capacity(self.slots.len());
        for slot in &self.slots {
            let (packet, after) = std::mem::take(&mut rest).split_at_mut(slot.range.len());
            jobs.push(SealJob { keys: &slot.sa.keys, packet });
            rest = after;
        }
        let sealed = seal(&mut jobs);
        debug_assert!(sealed.is_ok());
        let mut ready = Vec::with_capacity(jobs.len());
        // of several that could not be protected only one is named, and none may leave
        if sealed.is_ok() {
            ready.extend(self.slots.iter().zip(&jobs).map(|(slot, job)| Sealed {
                path: slot.path,
                bytes: job.packet,
                tos: slot.tos,
                dont_fragment: slot.dont_fragment,
            }));
        }
        send(&ready);
        drop(ready);
        drop(jobs);
        self.slots.clear();
        self.arena.clear();
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbound({} packets)", self.slots.len())
    }
}
