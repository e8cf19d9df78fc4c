//! Outbound cleartext: the SA of each packet of a batch is looked up, the packets are framed one
//! after another in one arena, and they are protected together. Consecutive packets of equal length
//! on one path form a run, which the kernel can send as one. Nothing is allocated per packet once
//! the arena has grown.

use crate::esp::sad::{Sa, Sad};
use crate::esp::view::{OutboundSa, OutboundView};
use crate::flow::fragment::fragments;
use crate::flow::segment::Segments;
use crate::flow::tables::{Acquire, Lookup, Tables, Verdict};
use crate::names::ChildId;
use crate::path::{DfBit, Mode, Path};
use crate::reuse::reuse;
use crate::time::Instant;
use crate::wire::ip::{Ipv4, protocol};
use hubward_crypto::esp::{HEADER_LEN, SealJob, seal};
use hubward_crypto::random::Random;
use hubward_crypto::suite::EspCipher;
use std::sync::atomic::Ordering;

/// What became of a packet.
#[derive(Debug)]
pub enum Outcome {
    /// It waits in the batch; of a super-packet, all its segments do.
    Queued,
    /// It waits in the batch, and its child SA should be rekeyed soon.
    QueuedAndSoft(ChildId),
    /// There is no SA yet: the caller should keep the packet and notify the engine.
    Acquire(Acquire),
    /// Nothing protects it: it is forwarded in clear.
    Clear,
    /// It is too long and must not be fragmented: its source must be notified of the number of
    /// bytes that fit.
    TooBig(usize),
    /// It must not leave.
    Drop(DropReason),
}

/// Why an outgoing packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// Not an IPv4 packet.
    Malformed,
    /// It belongs to a tunnel that has no SA and that only the peer can initiate.
    NoSa,
    /// The SA's volume or sequence numbers are used up.
    Exhausted(ChildId),
}

/// The SA carries nothing more. That is stored in the SA, so that it holds even if the report is
/// lost.
fn exhausted(sa: &Sa) -> Outcome {
    sa.hard.store(true, Ordering::Relaxed);
    Outcome::Drop(DropReason::Exhausted(sa.child.id))
}

/// ESP packets of one length ready to be sent; the last may be shorter.
#[derive(Debug)]
pub struct Sealed<'a> {
    /// Where.
    pub path: Path,
    /// The packets, one after another, each starting with its SPI.
    pub bytes: &'a [u8],
    /// Bytes of each of them but the last.
    pub segment: usize,
    /// The outer header's DSCP and ECN, copied from the inner header (RFC 4301 section 5.1.2.1).
    pub tos: u8,
    /// The outer header's DF bit.
    pub dont_fragment: bool,
}

impl<'a> Sealed<'a> {
    /// The packets one by one.
    pub fn packets(&self) -> std::slice::Chunks<'a, u8> {
        self.bytes.chunks(self.segment.max(1))
    }
}

/// Packets of a batch when no cipher needs more: as many as fit the processor's second-level cache.
const BATCH: usize = 64;

/// Packets that are protected together: as many as make the cipher fast, and no more, so that they
/// stay in the first two cache levels.
const fn grain(cipher: EspCipher) -> usize {
    match cipher {
        // the bit-sliced cipher encrypts as many packets at once as a vector has bits
        EspCipher::Des | EspCipher::TripleDes => 256,
        EspCipher::Aes128 | EspCipher::Aes192 | EspCipher::Aes256 => 64,
        EspCipher::AesGcm128 | EspCipher::AesGcm256 => 16,
    }
}

/// Packets that UDP segmentation sends as one (`UDP_MAX_SEGMENTS` of Linux before 6.6).
const RUN_PACKETS: usize = 64;
/// Bytes of the longest UDP payload.
const RUN_BYTES: usize = 65_507;

/// Packets of one SA that lie one after another in the arena, as in [`Sealed`].
struct Run {
    /// The SA's place in the view.
    at: usize,
    path: Path,
    tos: u8,
    dont_fragment: bool,
    bytes: usize,
    segment: usize,
    packets: usize,
}

impl Run {
    /// Whether a packet of `length` bytes with this envelope may be appended to the run.
    fn takes(&self, at: usize, envelope: &Envelope, length: usize) -> bool {
        self.at == at
            && self.bytes == self.segment * self.packets
            && length <= self.segment
            && self.packets < RUN_PACKETS
            && self.bytes + length <= RUN_BYTES
            && (self.path, self.tos, self.dont_fragment)
                == (envelope.path, envelope.tos, envelope.dont_fragment)
    }
}

/// The contents of a packet's outer header.
#[derive(Clone, Copy)]
struct Envelope {
    path: Path,
    tos: u8,
    dont_fragment: bool,
}

/// Protects cleartext, a batch at a time.
pub struct Outbound {
    view: OutboundView,
    batch: Batch,
    /// Buffers for inner fragments and for the segments that must be fragmented.
    fragment: Vec<u8>,
    segment: Vec<u8>,
}

/// The current batch.
struct Batch {
    arena: Vec<u8>,
    runs: Vec<Run>,
    packets: usize,
    /// Run and length of each packet at the end of the arena that is not protected yet.
    pending: Vec<(usize, usize)>,
    pending_bytes: usize,
    /// The largest [`grain`] of the batch.
    grain: usize,
    /// A packet could not be protected: none of the batch may be sent.
    failed: bool,
    jobs: Vec<SealJob<'static>>,
    random: Random,
}

/// What is needed to process a packet once its SA is found.
#[derive(Clone, Copy)]
struct Found<'a> {
    view: &'a OutboundView,
    at: usize,
    sa: &'a OutboundSa,
    envelope: Envelope,
    /// Bytes of the longest inner packet that fits the path.
    mtu: usize,
}

impl Outbound {
    /// For packets whose SAs are found in `sad` by selector; `seed` makes the IVs of the CBC
    /// ciphers unpredictable.
    pub fn new(sad: &Sad, seed: [u8; 32]) -> Self {
        Self::of_port(sad, Lookup::BySelector, seed)
    }

    /// For the packets of a port. Each port needs its own seed.
    pub fn of_port(sad: &Sad, lookup: Lookup, seed: [u8; 32]) -> Self {
        Self {
            view: sad.outbound_view(lookup),
            batch: Batch {
                arena: Vec::with_capacity(256 * 1024),
                runs: Vec::with_capacity(BATCH),
                packets: 0,
                pending: Vec::with_capacity(BATCH),
                pending_bytes: 0,
                grain: 0,
                failed: false,
                jobs: Vec::with_capacity(BATCH),
                random: Random::new(seed),
            },
            fragment: Vec::with_capacity(2048),
            segment: Vec::with_capacity(2048),
        }
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.batch.packets
    }

    /// Whether no packet waits.
    pub fn is_empty(&self) -> bool {
        self.batch.packets == 0
    }

    /// Whether to protect the batch now even if more packets are available.
    pub fn is_full(&self) -> bool {
        self.batch.packets >= BATCH.max(self.batch.grain)
    }

    /// Takes one cleartext packet.
    pub fn push(&mut self, tables: &Tables, now: Instant, packet: &[u8]) -> Outcome {
        let Some(view) = Ipv4::parse(packet) else { return Outcome::Drop(DropReason::Malformed) };
        self.refresh();
        match find(&self.view, tables, now, &view) {
            Ok(found) => self.batch.fit(found, now, &view, &mut self.fragment),
            Err(outcome) => outcome,
        }
    }

    /// Takes a super-packet: all its segments take the same path.
    pub fn push_segments(&mut self, tables: &Tables, now: Instant, segments: &Segments<'_>) -> Outcome {
        self.refresh();
        let found = match find(&self.view, tables, now, segments.view()) {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        if segments.longest() <= found.mtu {
            return self.batch.frame_segments(found, now, segments);
        }
        // too long for the path: handle each segment by itself
        let mut outcome = Outcome::Queued;
        for index in 0..segments.count() {
            self.segment.clear();
            segments.write(index, 0, &mut self.segment);
            let Some(view) = Ipv4::parse(&self.segment) else { break };
            match self.batch.fit(found, now, &view, &mut self.fragment) {
                Outcome::Queued => {}
                soft @ Outcome::QueuedAndSoft(_) => outcome = soft,
                refused => return refused,
            }
        }
        outcome
    }

    /// Applies the changes that the gateway made. That happens before the first packet of each
    /// batch, because the runs of a batch refer to places in the view. Without traffic it should be
    /// called now and then: removed SAs are kept until then.
    pub fn refresh(&mut self) {
        if self.batch.runs.is_empty() {
            self.view.refresh();
        }
    }

    /// Protects every packet that waits and passes them to `send` in order; then the batch is empty
    /// again.
    pub fn seal(&mut self, send: impl FnOnce(&[Sealed<'_>])) {
        self.batch.seal(&self.view, send);
    }
}

/// The SA of a packet and the contents of its outer header, or the outcome for a packet without an
/// SA.
fn find<'a>(
    view: &'a OutboundView,
    tables: &Tables,
    now: Instant,
    packet: &Ipv4<'_>,
) -> Result<Found<'a>, Outcome> {
    let flow = packet.flow();
    let at = view.find(&flow, |entry| tables.denies(entry, &flow));
    let Some((at, found)) = at.and_then(|at| Some((at, view.get(at)?))) else {
        return Err(match tables.verdict(view.lookup(), &flow) {
            Verdict::Protect(acquire) => Outcome::Acquire(acquire),
            Verdict::Drop => Outcome::Drop(DropReason::NoSa),
            Verdict::Clear => Outcome::Clear,
        });
    };
    let dont_fragment = match found.sa.child.df {
        DfBit::Copy => packet.dont_fragment(),
        DfBit::Set => true,
        DfBit::Clear => false,
    };
    let mtu = found.sa.plaintext_mtu_on(found.path.encapsulation, now);
    let envelope = Envelope { path: found.path, tos: packet.tos(), dont_fragment };
    Ok(Found { view, at, sa: found, envelope, mtu })
}

impl Batch {
    /// Frames the segments of a super-packet, which fit the path. All their sequence numbers are
    /// taken at once.
    fn frame_segments(&mut self, found: Found<'_>, now: Instant, segments: &Segments<'_>) -> Outcome {
        let sa = &found.sa.sa;
        let (next_header, from) = match sa.child.mode {
            Mode::Tunnel => (protocol::IPIP, 0),
            Mode::Transport => (segments.view().protocol(), segments.view().header_len()),
        };
        let count = u32::try_from(segments.count()).unwrap_or(u32::MAX);
        let Some(first) = sa.next_sequences(count) else {
            return exhausted(sa);
        };
        let (mut packets, mut carried) = (0, 0);
        let mut outcome = Outcome::Queued;
        for (index, sequence) in (first..first + count).enumerate() {
            let framed =
                self.frame(found, sequence, carried, next_header, |arena| segments.write(index, from, arena));
            match framed {
                Outcome::Queued => {}
                Outcome::QueuedAndSoft(_) => outcome = framed,
                refused => {
                    outcome = refused;
                    break;
                }
            }
            carried += segments.len(index) as u64;
            packets += 1;
        }
        sa.counters.count(now, packets, carried);
        outcome
    }

    /// `crypto ipsec df-bit` and `crypto ipsec fragmentation before-encryption`: a packet that is
    /// too long for the path is fragmented before encryption if its source allows it, else after
    /// encryption, unless the outer packet must not be fragmented either.
    fn fit(&mut self, found: Found<'_>, now: Instant, packet: &Ipv4<'_>, scratch: &mut Vec<u8>) -> Outcome {
        let mtu = found.mtu;
        if packet.bytes().len() <= mtu {
            return self.frame_whole(found, now, packet);
        }
        // transport mode carries whole packets only (RFC 4301 section 4.1)
        if found.sa.sa.child.mode == Mode::Tunnel && !packet.dont_fragment() {
            let (mut soft, mut refused) = (None, None);
            let whole = fragments(packet, mtu, scratch, |piece| match self.frame_whole(found, now, piece) {
                Outcome::Queued => true,
                Outcome::QueuedAndSoft(child) => {
                    soft = Some(child);
                    true
                }
                other => {
                    refused = Some(other);
                    false
                }
            });
            return match (refused, soft) {
                (Some(refused), _) => refused,
                (None, Some(child)) => Outcome::QueuedAndSoft(child),
                (None, None) if whole => Outcome::Queued,
                (None, None) => Outcome::TooBig(mtu),
            };
        }
        if found.envelope.dont_fragment { Outcome::TooBig(mtu) } else { self.frame_whole(found, now, packet) }
    }

    fn frame_whole(&mut self, found: Found<'_>, now: Instant, packet: &Ipv4<'_>) -> Outcome {
        let sa = &found.sa.sa;
        let (plain, next_header) = match sa.child.mode {
            Mode::Tunnel => (packet.bytes(), protocol::IPIP),
            Mode::Transport => (packet.payload(), packet.protocol()),
        };
        let Some(sequence) = sa.next_sequences(1) else {
            return exhausted(sa);
        };
        let framed = self.frame(found, sequence, 0, next_header, |arena| arena.extend_from_slice(plain));
        if matches!(framed, Outcome::Queued | Outcome::QueuedAndSoft(_)) {
            sa.counters.count(now, 1, packet.bytes().len() as u64);
        }
        framed
    }

    /// SPI | sequence | IV | plaintext | padding | pad length | next header | room for the ICV.
    /// `write` appends the plaintext; `carried` bytes are not yet in the SA's counter.
    fn frame(
        &mut self,
        found: Found<'_>,
        sequence: u32,
        carried: u64,
        next_header: u8,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Outcome {
        /// The padding of RFC 4303 section 2.4, of which the first bytes are used.
        const PADDING: [u8; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        let sa = &found.sa.sa;
        let id = sa.child.id;
        let sent = sa.counters.bytes.load(Ordering::Relaxed) + carried;
        if sa.child.hard_bytes.is_some_and(|limit| sent >= limit) {
            return exhausted(sa);
        }
        let suite = sa.child.suite;
        let cipher = suite.cipher();
        let arena = &mut self.arena;
        let start = arena.len();
        let header = u64::from(sa.child.outbound.spi.0) << 32 | u64::from(sequence);
        arena.extend_from_slice(&header.to_be_bytes());
        if cipher.is_aead() {
            // a nonce must not repeat under one key, and the sequence number never does (RFC 4106
            // section 3.1)
            arena.extend_from_slice(&u64::from(sequence).to_be_bytes());
        } else {
            let at = arena.len();
            arena.resize(at + cipher.iv_len(), 0);
            if let Some(iv) = arena.get_mut(at..) {
                self.random.fill(iv);
            }
        }
        let plain = arena.len();
        debug_assert_eq!(plain, start + HEADER_LEN + cipher.iv_len());
        write(arena);
        let body = arena.len() - plain + 2;
        // the block length is a power of two
        let padding = body.wrapping_neg() & (cipher.block_len() - 1);
        arena.extend_from_slice(PADDING.get(..padding).unwrap_or_default());
        arena.extend_from_slice(&[padding as u8, next_header]);
        arena.resize(arena.len() + suite.icv_len(), 0);
        let length = arena.len() - start;
        self.append(found.at, &found.envelope, length);
        self.grain = self.grain.max(grain(cipher));
        if self.pending.len() >= self.grain {
            self.protect(found.view);
        }
        let soft = sa.child.soft_bytes.is_some_and(|limit| sent >= limit) || sequence >= 1 << 31;
        let tell = soft && !sa.soft.swap(true, Ordering::Relaxed);
        if tell { Outcome::QueuedAndSoft(id) } else { Outcome::Queued }
    }

    /// Adds the last packet of the arena to the last run, or starts a new run.
    fn append(&mut self, at: usize, envelope: &Envelope, length: usize) {
        self.packets += 1;
        self.pending_bytes += length;
        if let Some(run) = self.runs.last_mut().filter(|run| run.takes(at, envelope, length)) {
            run.bytes += length;
            run.packets += 1;
            self.pending.push((self.runs.len() - 1, length));
            return;
        }
        self.pending.push((self.runs.len(), length));
        let Envelope { path, tos, dont_fragment } = *envelope;
        self.runs.push(Run { at, path, tos, dont_fragment, bytes: length, segment: length, packets: 1 });
    }

    /// Protects the packets at the end of the arena.
    fn protect(&mut self, view: &OutboundView) {
        let mut jobs = reuse(std::mem::take(&mut self.jobs));
        let pending = self.pending.len();
        let start = self.arena.len().saturating_sub(self.pending_bytes);
        let mut rest = self.arena.get_mut(start..).unwrap_or_default();
        for (run, length) in self.pending.drain(..) {
            let Some((packet, after)) = rest.split_at_mut_checked(length) else { break };
            let Some(found) = self.runs.get(run).and_then(|run| view.get(run.at)) else { break };
            jobs.push(SealJob { keys: &found.sa.keys, packet });
            rest = after;
        }
        let all = jobs.len() == pending;
        let sealed = seal(&mut jobs);
        debug_assert!(all && sealed.is_ok());
        self.failed |= !all || sealed.is_err();
        self.jobs = reuse(jobs);
        self.pending_bytes = 0;
    }

    fn seal(&mut self, view: &OutboundView, send: impl FnOnce(&[Sealed<'_>])) {
        self.protect(view);
        let mut ready = Vec::with_capacity(self.runs.len());
        // the report names a single packet that could not be protected, so none may be sent
        if !self.failed {
            let mut rest = self.arena.as_slice();
            for Run { path, tos, dont_fragment, bytes, segment, .. } in &self.runs {
                let (packets, after) = rest.split_at_checked(*bytes).unwrap_or_default();
                let (path, tos, dont_fragment) = (*path, *tos, *dont_fragment);
                ready.push(Sealed { path, bytes: packets, segment: *segment, tos, dont_fragment });
                rest = after;
            }
        }
        send(&ready);
        drop(ready);
        self.runs.clear();
        self.arena.clear();
        self.packets = 0;
        self.grain = 0;
        self.failed = false;
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outbound({} packets)", self.batch.packets)
    }
}
