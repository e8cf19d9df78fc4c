//! Inbound ESP: the SA is found by SPI, the anti-replay window is checked, the batch is opened in
//! place, the window moves, and the inner packets are checked against the SA's selector and lease.

pub use crate::esp::refused::Refused;
use crate::esp::sad::{Counters, Sa, Sad};
use crate::esp::view::{InboundSa, InboundView};
use crate::flow::tables::Lookup;
use crate::names::ChildId;
use crate::path::{Encapsulation, Mode, Path};
use crate::reuse::reuse;
use crate::time::Instant;
use crate::wire::ip::{Ipv4, header, protocol};
use hubward_crypto::esp::{OpenError, OpenJob, open};
use hubward_crypto::suite::EspAuth;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// One ESP packet as it arrived.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// From the SPI on; opened in place.
    pub bytes: &'a mut [u8],
    /// Outer destination, where it is known.
    pub local: Option<IpAddr>,
    /// Outer source.
    pub remote: IpAddr,
    /// Outer UDP source port; 0 for native ESP.
    pub remote_port: u16,
    /// Native or in UDP.
    pub encapsulation: Encapsulation,
    /// The outer header's DSCP and ECN.
    pub tos: u8,
}

/// Something that the engine must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The first packet of an SA verified.
    Seen(ChildId),
    /// A valid packet, newer than all before it, came from another address or port. Reported at
    /// most once a second.
    Moved(ChildId, IpAddr, u16),
    /// This SPI is unknown.
    UnknownSpi {
        /// The SPI.
        spi: u32,
        /// Outer destination, where it is known.
        local: Option<IpAddr>,
        /// Outer source, which anyone may have forged.
        remote: IpAddr,
        /// Native or in UDP.
        encapsulation: Encapsulation,
    },
    /// The volume limit is nearly used up: the child SA should be rekeyed. Reported once.
    NearlyExhausted(ChildId),
    /// The volume limit is used up. Reported once.
    Exhausted(ChildId),
    /// A packet was refused; of each kind, only the first few in a second are reported.
    Refused(ChildId, Refused),
}

/// Packets opened together: enough to fill the lanes of a cipher that works on several at once, and
/// no more, so that they are still in the processor's first-level cache when they are checked and
/// coalesced.
const GRAIN: usize = 16;

/// A packet whose SA is known.
struct Known<'a> {
    /// The SA's place in the view.
    at: usize,
    sequence: u32,
    packet: Arrived<'a>,
}

/// Opens batches; holds buffers for reuse.
pub struct Inbound {
    view: InboundView,
    known: Vec<Known<'static>>,
    jobs: Vec<OpenJob<'static>>,
    inside: Inside,
}

/// Checks the contents of opened packets.
#[derive(Default)]
struct Inside {
    notices: Vec<Notice>,
    /// Buffer in which a packet of transport mode gets its IP header back.
    whole: Vec<u8>,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbound({} notices)", self.inside.notices.len())
    }
}

impl Inbound {
    /// Opens the packets for the SAs of `sad`. There must be only one, because it holds the
    /// anti-replay windows.
    pub fn new(sad: &Sad) -> Self {
        Self { view: sad.inbound_view(), known: Vec::new(), jobs: Vec::new(), inside: Inside::default() }
    }

    /// The notices for the engine from the batches since the last call.
    pub fn notices(&mut self) -> std::vec::Drain<'_, Notice> {
        self.inside.notices.drain(..)
    }

    /// Applies the changes that the gateway made, as each batch does. Call it when there is no
    /// traffic, because removed SAs are kept until then.
    pub fn refresh(&mut self) {
        self.view.refresh();
    }

    /// Opens a batch; `deliver` gets each accepted inner packet, in order, with the look-up of the
    /// port that its SA belongs to.
    pub fn process<'a>(
        &mut self,
        now: Instant,
        batch: impl Iterator<Item = Arrived<'a>>,
        mut deliver: impl FnMut(Lookup, &[u8]),
    ) {
        self.view.refresh();
        let mut known: Vec<Known<'a>> = reuse(std::mem::take(&mut self.known));
        for packet in batch {
            known.extend(self.know(now, packet));
            if known.len() >= GRAIN {
                self.open(now, &mut known, &mut deliver);
            }
        }
        self.open(now, &mut known, &mut deliver);
        self.known = reuse(known);
    }

    /// Finds the SA, and checks its window before any key is used.
    fn know<'a>(&mut self, now: Instant, packet: Arrived<'a>) -> Option<Known<'a>> {
        let [s1, s2, s3, s4, n1, n2, n3, n4] = packet.bytes.first_chunk::<8>().copied()?;
        let (spi, sequence) = (u32::from_be_bytes([s1, s2, s3, s4]), u32::from_be_bytes([n1, n2, n3, n4]));
        let found = self.view.find(spi).and_then(|at| self.view.get(at).map(|found| (at, found)));
        let Some((at, InboundSa { sa, path, replay, .. })) = found else {
            let Arrived { local, remote, encapsulation, .. } = packet;
            self.inside.notices.push(Notice::UnknownSpi { spi, local, remote, encapsulation });
            return None;
        };
        if packet.encapsulation != path.encapsulation {
            self.inside.refuse(sa, now, Refused::Encapsulation);
            return None;
        }
        if !replay.may_accept(sequence) {
            self.inside.refuse(sa, now, Refused::Replay);
            return None;
        }
        Some(Known { at, sequence, packet })
    }

    /// Opens the packets whose SA is known, and delivers them.
    fn open(&mut self, now: Instant, known: &mut Vec<Known<'_>>, deliver: &mut impl FnMut(Lookup, &[u8])) {
        let mut jobs = reuse(std::mem::take(&mut self.jobs));
        jobs.extend(known.iter_mut().filter_map(|known| {
            let keys = &self.view.get(known.at)?.sa.keys;
            Some(OpenJob { keys, packet: known.packet.bytes, outcome: Err(OpenError::Pending) })
        }));
        open(&mut jobs);
        let outcomes: [_; GRAIN] = std::array::from_fn(|index| {
            jobs.get(index).map_or(Err(OpenError::Pending), |job| job.outcome.clone())
        });
        self.jobs = reuse(jobs);
        for (Known { at, sequence, packet }, outcome) in known.drain(..).zip(outcomes) {
            let Some(found) = self.view.get_mut(at) else { continue };
            if let Err(refused) = self.inside.opened(now, found, sequence, packet, outcome, deliver) {
                self.inside.refuse(&found.sa, now, refused);
            }
        }
    }
}

impl Inside {
    /// Moves the window after a packet has verified, checks the inner packet, and delivers it.
    fn opened(
        &mut self,
        now: Instant,
        InboundSa { sa, path, replay, lookup }: &mut InboundSa,
        sequence: u32,
        packet: Arrived<'_>,
        outcome: Result<Range<usize>, OpenError>,
        deliver: &mut impl FnMut(Lookup, &[u8]),
    ) -> Result<(), Refused> {
        let length = packet.bytes.len();
        let plain = outcome.ok().and_then(|range| packet.bytes.get_mut(range));
        let Some(plain) = plain else {
            return Err(if has_short_icv(sa, length) { Refused::ShortIcv } else { Refused::Icv });
        };
        let newest = sequence > replay.highest();
        if !replay.accept(sequence) {
            return Err(Refused::Replay);
        }
        sa.highest.store(replay.highest(), Ordering::Relaxed);
        let mut deliver = |packet: &[u8]| deliver(*lookup, packet);
        let length = self.inner(sa, path, plain, packet.tos, &mut deliver)?;
        sa.counters.count(now, 1, length as u64);
        if !sa.seen.load(Ordering::Relaxed) {
            sa.seen.store(true, Ordering::Relaxed);
            self.notices.push(Notice::Seen(sa.child.id));
        }
        let elsewhere = (path.remote, path.remote_port) != (packet.remote, packet.remote_port);
        if newest && packet.encapsulation == Encapsulation::Udp && elsewhere && sa.tells_move(now) {
            self.notices.push(Notice::Moved(sa.child.id, packet.remote, packet.remote_port));
        }
        let carried = sa.counters.bytes.load(Ordering::Relaxed);
        if sa.child.hard_bytes.is_some_and(|limit| carried >= limit) {
            if !sa.hard.swap(true, Ordering::Relaxed) {
                self.notices.push(Notice::Exhausted(sa.child.id));
            }
        } else if sa.child.inbound_soft_bytes().is_some_and(|limit| carried >= limit)
            && !sa.soft.swap(true, Ordering::Relaxed)
        {
            self.notices.push(Notice::NearlyExhausted(sa.child.id));
        }
        Ok(())
    }

    /// Checks the trailer, then the inner packet against the SA's selector; returns its length.
    fn inner(
        &mut self,
        sa: &Sa,
        path: &Path,
        plain: &mut [u8],
        tos: u8,
        deliver: &mut impl FnMut(&[u8]),
    ) -> Result<usize, Refused> {
        let (rest, [padding, next_header]) = plain.split_last_chunk_mut::<2>().ok_or(Refused::Malformed)?;
        let length = rest.len().checked_sub(usize::from(*padding)).ok_or(Refused::Malformed)?;
        let body = rest.get_mut(..length).ok_or(Refused::Malformed)?;
        if *next_header == protocol::DUMMY {
            return Ok(0);
        }
        match sa.child.mode {
            Mode::Tunnel => {
                if *next_header != protocol::IPIP {
                    return Err(Refused::Malformed);
                }
                let view = Ipv4::parse(body).ok_or(Refused::Malformed)?;
                check(sa, &view)?;
                let length = view.bytes().len();
                if mark_congestion(body, tos) {
                    deliver(body.get(..length).ok_or(Refused::Malformed)?);
                }
                Ok(length)
            }
            Mode::Transport => {
                let (IpAddr::V4(remote), IpAddr::V4(local)) = (path.remote, path.local) else {
                    return Err(Refused::Malformed);
                };
                self.whole.clear();
                self.whole.extend_from_slice(&header(remote, local, *next_header, tos, body.len()));
                self.whole.extend_from_slice(body);
                let view = Ipv4::parse(&self.whole).ok_or(Refused::Malformed)?;
                check(sa, &view)?;
                deliver(view.bytes());
                Ok(self.whole.len())
            }
        }
    }

    fn refuse(&mut self, sa: &Sa, now: Instant, refused: Refused) {
        Counters::add(&sa.counters.errors, 1);
        let of_this_kind = match refused {
            Refused::Replay => Some(&sa.counters.replay_errors),
            Refused::Icv | Refused::ShortIcv => Some(&sa.counters.verify_errors),
            Refused::Selector { .. } => Some(&sa.counters.identity_errors),
            Refused::Malformed | Refused::Encapsulation => None,
        };
        if let Some(counter) = of_this_kind {
            Counters::add(counter, 1);
        }
        if sa.tells(now, refused) {
            self.notices.push(Notice::Refused(sa.child.id, refused));
        }
    }
}

/// The inner packet must come from the peer's side of the SA, and for a client's SA from the
/// client's address only (RFC 4301 section 5.2).
fn check(sa: &Sa, view: &Ipv4<'_>) -> Result<(), Refused> {
    let source = view.source();
    let outside = Refused::Selector { source, destination: view.destination() };
    if source.is_loopback() || source.is_multicast() || source.is_broadcast() || source.is_unspecified() {
        return Err(outside);
    }
    let flow = view.flow();
    let fits = sa.child.selector.matches(&flow.reversed());
    let leased = sa.child.lease.is_none_or(|lease| lease == IpAddr::V4(source));
    if fits && leased { Ok(()) } else { Err(outside) }
}

/// Whether a packet that fails verification has the length of one whose SHA-256 check value is
/// truncated to 96 bits: its ciphertext is then not a whole number of blocks, but would be with
/// four bytes more.
fn has_short_icv(sa: &Sa, length: usize) -> bool {
    let suite = sa.child.suite;
    let front = hubward_crypto::esp::HEADER_LEN + suite.cipher().iv_len() + 12;
    suite.auth() == Some(EspAuth::Sha256)
        && length.checked_sub(front).is_some_and(|data| data > 0 && data % suite.cipher().block_len() == 0)
}

/// Copies a congestion mark of the outer header to an inner packet that supports ECN (RFC 6040):
/// with an outer CE, an inner ECT becomes CE, and an inner Not-ECT packet is dropped. Returns
/// whether the packet is forwarded.
fn mark_congestion(packet: &mut [u8], outer: u8) -> bool {
    const CE: u8 = 3;
    let [first, tos, ..] = packet else { return false };
    if outer & 3 != CE || *tos & 3 == CE {
        return true;
    }
    if *tos & 3 == 0 {
        return false;
    }
    *tos |= CE;
    let header_len = usize::from(*first & 15) * 4;
    let Some(header) = packet.get_mut(..header_len) else { return false };
    if let Some(place) = header.get_mut(10..12) {
        place.fill(0);
    }
    let sum = crate::wire::ip::checksum(header).to_be_bytes();
    if let Some(place) = header.get_mut(10..12) {
        place.copy_from_slice(&sum);
    }
    true
}
