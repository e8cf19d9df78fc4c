//! Cleartext out: packets of a batch find their SA, are framed one behind the other in one arena, and are protected
//! together. Packets of equal length that follow each other on one path make a run, which the kernel can send as one. Nothing
//! is allocated per packet once the arena has grown.

use crate::esp::sa::{ChildId, DfBit, Mode};
use crate::esp::sad::{Sa, Sad};
use crate::flow::fragment::fragments;
use crate::flow::mtu::plaintext_mtu;
use crate::flow::segment::Segments;
use crate::flow::tables::{Tables, Verdict};
use crate::ike::io::Acquire;
use crate::ike::path::Path;
use crate::reuse::reuse;
use crate::time::Instant;
use crate::wire::ip::{Ipv4, protocol};
use hubward_crypto::esp::{HEADER_LEN, SealJob, seal};
use hubward_crypto::random::Random;
use hubward_crypto::suite::EspCipher;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What became of a packet.
#[derive(Debug)]
pub enum Outcome {
    /// It waits in the batch; of a super-packet, all its segments do.
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

/// ESP packets of one length ready to be sent; the last may be shorter.
#[derive(Debug)]
pub struct Sealed<'a> {
    /// Where.
    pub path: Path,
    /// The packets, one behind the other, each from the SPI on.
    pub bytes: &'a [u8],
    /// Bytes of each of them but the last.
    pub segment: usize,
    /// The outer header's DSCP and ECN, from the inner one (RFC 4301 section 5.1.2.1).
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

/// Packets of a batch when no cipher asks for more: what fits the processor's second cache.
const BATCH: usize = 64;

/// Packets that are protected together: as many as make the cipher fast, and no more, while they are in the first cache.
const fn grain(cipher: EspCipher) -> usize {
    match cipher {
        // a vector has as many bits, and the bit-sliced cipher encrypts as many packets at once
        EspCipher::Des | EspCipher::TripleDes => 256,
        EspCipher::Aes128 | EspCipher::Aes192 | EspCipher::Aes256 => 32,
        EspCipher::AesGcm128 | EspCipher::AesGcm256 => 16,
    }
}

/// Packets that UDP segmentation sends as one (`UDP_MAX_SEGMENTS` of Linux before 6.6).
const RUN_PACKETS: usize = 64;
/// Bytes of the longest UDP payload.
const RUN_BYTES: usize = 65_507;

/// Packets of one SA that lie one behind the other in the arena, as [`Sealed`] has them.
struct Run {
    sa: Arc<Sa>,
    path: Path,
    tos: u8,
    dont_fragment: bool,
    bytes: usize,
    segment: usize,
    packets: usize,
}

impl Run {
    /// Whether a packet of `length` bytes with this envelope may follow.
    fn takes(&self, sa: &Arc<Sa>, envelope: &Envelope, length: usize) -> bool {
        Arc::ptr_eq(&self.sa, sa)
            && self.bytes == self.segment * self.packets
            && length <= self.segment
            && self.packets < RUN_PACKETS
            && self.bytes + length <= RUN_BYTES
            && (self.path, self.tos, self.dont_fragment)
                == (envelope.path, envelope.tos, envelope.dont_fragment)
    }
}

/// What the outer header of a packet shows.
#[derive(Clone, Copy)]
struct Envelope {
    path: Path,
    tos: u8,
    dont_fragment: bool,
}

/// A batch under way.
pub struct Outbound {
    arena: Vec<u8>,
    runs: Vec<Run>,
    packets: usize,
    /// Run and length of each packet at the arena's end that is not protected yet.
    pending: Vec<(usize, usize)>,
    pending_bytes: usize,
    /// The largest [`grain`] of the batch.
    grain: usize,
    /// A packet could not be protected: none may leave.
    failed: bool,
    jobs: Vec<SealJob<'static>>,
    /// Where inner fragments, and the segments that must be fragmented, are built.
    fragment: Vec<u8>,
    segment: Vec<u8>,
    random: Random,
}

/// What is needed to go on with a packet after it found its SA.
struct Found {
    sa: Arc<Sa>,
    envelope: Envelope,
    /// Bytes of the longest inner packet that fits the path.
    mtu: usize,
}

impl Outbound {
    /// `seed` makes the IVs of the CBC ciphers unpredictable.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            arena: Vec::with_capacity(256 * 1024),
            runs: Vec::with_capacity(BATCH),
            packets: 0,
            pending: Vec::with_capacity(BATCH),
            pending_bytes: 0,
            grain: 0,
            failed: false,
            jobs: Vec::with_capacity(BATCH),
            fragment: Vec::with_capacity(2048),
            segment: Vec::with_capacity(2048),
            random: Random::new(seed),
        }
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.packets
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// Whether the batch is best protected now, though more may be had.
    pub fn is_full(&self) -> bool {
        self.packets >= BATCH.max(self.grain)
    }

    /// Takes one cleartext packet.
    pub fn push(&mut self, sad: &Sad, tables: &Tables, now: Instant, packet: &[u8]) -> Outcome {
        let Some(view) = Ipv4::parse(packet) else { return Outcome::Drop(DropReason::Malformed) };
        match Self::find(sad, tables, now, &view) {
            Ok(found) => self.fit(&found, now, &view),
            Err(outcome) => outcome,
        }
    }

    /// Takes a super-packet: all segments of it go the same way.
    pub fn push_segments(
        &mut self,
        sad: &Sad,
        tables: &Tables,
        now: Instant,
        segments: &Segments<'_>,
    ) -> Outcome {
        let found = match Self::find(sad, tables, now, segments.view()) {
            Ok(found) => found,
            Err(outcome) => return outcome,
        };
        if segments.longest() > found.mtu {
            return self.fit_each(&found, now, segments);
        }
        let (next_header, from) = match found.sa.child.mode {
            Mode::Tunnel => (protocol::IPIP, 0),
            Mode::Transport => (segments.view().protocol(), segments.view().header_len()),
        };
        let mut carried = 0;
        let mut outcome = Outcome::Queued;
        let mut packets = 0;
        for index in 0..segments.count() {
            let length = segments.len(index);
            let framed = self.frame(&found, carried, next_header, length - from.min(length), |arena| {
                segments.write(index, from, arena);
            });
            match framed {
                Outcome::Queued => {}
                Outcome::QueuedAndSoft(_) => outcome = framed,
                refused => {
                    outcome = refused;
                    break;
                }
            }
            carried += length as u64;
            packets += 1;
        }
        found.sa.counters.count_many(now, packets, carried);
        outcome
    }

    /// The SA of a packet and what its outer header will show; or what becomes of the packet without one.
    fn find(sad: &Sad, tables: &Tables, now: Instant, view: &Ipv4<'_>) -> Result<Found, Outcome> {
        let flow = view.flow();
        let Some(sa) = sad.by_flow(&flow, |entry| tables.denies(entry, &flow)) else {
            return Err(match tables.classify(&flow) {
                Verdict::Protect(acquire) => Outcome::Acquire(acquire),
                Verdict::Drop => Outcome::Drop(DropReason::NoSa),
                Verdict::Clear => Outcome::Clear,
            });
        };
        let dont_fragment = match sa.child.df {
            DfBit::Copy => view.dont_fragment(),
            DfBit::Set => true,
            DfBit::Clear => false,
        };
        let path = sa.path();
        let mtu = plaintext_mtu(sa.child.suite, sa.child.mode, path.encapsulation, sa.path_mtu(now));
        Ok(Found { envelope: Envelope { path, tos: view.tos(), dont_fragment }, mtu, sa })
    }

    /// `crypto ipsec df-bit` and `crypto ipsec fragmentation before-encryption`: what is too long for the path is fragmented
    /// before encryption where its source allows it; else after it, unless the outer packet must not be fragmented either.
    fn fit(&mut self, found: &Found, now: Instant, view: &Ipv4<'_>) -> Outcome {
        let (sa, mtu) = (&found.sa, found.mtu);
        if view.bytes().len() <= mtu {
            return self.frame_whole(found, now, view);
        }
        // transport mode carries whole packets only (RFC 4301 section 4.1)
        if sa.child.mode == Mode::Tunnel && !view.dont_fragment() {
            let mut scratch = std::mem::take(&mut self.fragment);
            let (mut soft, mut refused) = (None, None);
            let whole =
                fragments(view, mtu, &mut scratch, |piece| match self.frame_whole(found, now, piece) {
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
            self.fragment = scratch;
            return match (refused, soft) {
                (Some(refused), _) => refused,
                (None, Some(child)) => Outcome::QueuedAndSoft(child),
                (None, None) if whole => Outcome::Queued,
                (None, None) => Outcome::TooBig(mtu),
            };
        }
        if found.envelope.dont_fragment { Outcome::TooBig(mtu) } else { self.frame_whole(found, now, view) }
    }

    /// The segments of a super-packet that are too long for the path, each for itself.
    fn fit_each(&mut self, found: &Found, now: Instant, segments: &Segments<'_>) -> Outcome {
        let mut scratch = std::mem::take(&mut self.segment);
        let mut outcome = Outcome::Queued;
        for index in 0..segments.count() {
            scratch.clear();
            segments.write(index, 0, &mut scratch);
            let Some(view) = Ipv4::parse(&scratch) else { break };
            match self.fit(found, now, &view) {
                Outcome::Queued => {}
                soft @ Outcome::QueuedAndSoft(_) => outcome = soft,
                refused => {
                    outcome = refused;
                    break;
                }
            }
        }
        self.segment = scratch;
        outcome
    }

    fn frame_whole(&mut self, found: &Found, now: Instant, view: &Ipv4<'_>) -> Outcome {
        let (plain, next_header) = match found.sa.child.mode {
            Mode::Tunnel => (view.bytes(), protocol::IPIP),
            Mode::Transport => (view.payload(), view.protocol()),
        };
        let framed = self.frame(found, 0, next_header, plain.len(), |arena| arena.extend_from_slice(plain));
        if matches!(framed, Outcome::Queued | Outcome::QueuedAndSoft(_)) {
            found.sa.counters.count(now, view.bytes().len());
        }
        framed
    }

    /// SPI | sequence | IV | plaintext | padding | pad length | next header | room for the ICV. `write` appends the plaintext;
    /// `carried` bytes are not in the SA's counter yet.
    fn frame(
        &mut self,
        found: &Found,
        carried: u64,
        next_header: u8,
        length: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Outcome {
        let (sa, envelope) = (&found.sa, &found.envelope);
        let id = sa.child.id;
        let sent = sa.counters.bytes.load(Ordering::Relaxed) + carried;
        if sa.child.hard_bytes.is_some_and(|limit| sent >= limit) {
            return Outcome::Drop(DropReason::Exhausted(id));
        }
        let Some(sequence) = sa.next_sequence() else { return Outcome::Drop(DropReason::Exhausted(id)) };
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
        let plain = self.arena.len();
        write(&mut self.arena);
        debug_assert_eq!(self.arena.len(), plain + length);
        let body = self.arena.len() - plain + 2;
        let padding = body.next_multiple_of(cipher.block_len()) - body;
        for byte in 1..=padding {
            self.arena.push(byte as u8);
        }
        self.arena.push(padding as u8);
        self.arena.push(next_header);
        self.arena.resize(self.arena.len() + suite.icv_len(), 0);
        self.append(sa, envelope, self.arena.len() - start);
        self.grain = self.grain.max(grain(cipher));
        if self.pending.len() >= self.grain {
            self.protect();
        }
        let soft = sa.child.soft_bytes.is_some_and(|limit| sent >= limit) || sequence >= 1 << 31;
        let tell = soft && !sa.told.swap(true, Ordering::Relaxed);
        if tell { Outcome::QueuedAndSoft(id) } else { Outcome::Queued }
    }

    /// Counts the last packet of the arena to the last run, or begins another.
    fn append(&mut self, sa: &Arc<Sa>, envelope: &Envelope, length: usize) {
        self.packets += 1;
        self.pending_bytes += length;
        if let Some(run) = self.runs.last_mut().filter(|run| run.takes(sa, envelope, length)) {
            run.bytes += length;
            run.packets += 1;
            self.pending.push((self.runs.len() - 1, length));
            return;
        }
        self.pending.push((self.runs.len(), length));
        let Envelope { path, tos, dont_fragment } = *envelope;
        let sa = Arc::clone(sa);
        self.runs.push(Run { sa, path, tos, dont_fragment, bytes: length, segment: length, packets: 1 });
    }

    /// Protects the packets at the arena's end.
    fn protect(&mut self) {
        let mut jobs = reuse(std::mem::take(&mut self.jobs));
        let start = self.arena.len().saturating_sub(self.pending_bytes);
        let mut rest = self.arena.get_mut(start..).unwrap_or_default();
        for (run, length) in self.pending.drain(..) {
            let Some((packet, after)) = rest.split_at_mut_checked(length) else { break };
            jobs.extend(self.runs.get(run).map(|run| SealJob { keys: &run.sa.keys, packet }));
            rest = after;
        }
        let sealed = seal(&mut jobs);
        debug_assert!(sealed.is_ok());
        self.failed |= sealed.is_err();
        self.jobs = reuse(jobs);
        self.pending_bytes = 0;
    }

    /// Protects everything that waits and hands it over, in order; then the batch is empty again.
    pub fn seal(&mut self, send: impl FnOnce(&[Sealed<'_>])) {
        self.protect();
        let mut ready = Vec::with_capacity(self.runs.len());
        // of several that could not be protected only one is named, and none may leave
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
        write!(f, "Outbound({} packets)", self.packets)
    }
}
