//! ESP in: the SPI finds the SA, the window is asked, the batch is opened in place, the window
//! moves, and what came out is held against the SA's selectors and lease.

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
use std::net::{IpAddr, Ipv4Addr};
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
    /// A packet that verified, newer than all before, came from another place. Told once a second.
    Moved(ChildId, IpAddr, u16),
    /// Nobody knows this SPI.
    UnknownSpi {
        /// The SPI.
        spi: u32,
        /// Outer destination, where it is known.
        local: Option<IpAddr>,
        /// Outer source, which anybody may have written there.
        remote: IpAddr,
        /// Native or in UDP.
        encapsulation: Encapsulation,
    },
    /// The volume limit is nearly used up: the pair should be renewed. Told once.
    NearlyExhausted(ChildId),
    /// The volume limit is used up. Told once.
    Exhausted(ChildId),
    /// A packet was refused; of each kind only the first few of a second are told.
    Refused(ChildId, Refused),
}

/// Why a packet of a known SA is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// Its sequence number was seen, or is too old.
    Replay,
    /// The integrity check failed.
    Icv,
    /// Its check value is as long as that of old systems, which cut HMAC-SHA-256 to 96 bits instead
    /// of 128 (draft-ietf-ipsec-ciph-sha-256-00, before RFC 4868).
    ShortIcv,
    /// Padding, next header or the inner packet are wrong.
    Malformed,
    /// The inner addresses are not the SA's.
    Selector {
        /// The inner source.
        source: Ipv4Addr,
        /// The inner destination.
        destination: Ipv4Addr,
    },
    /// It came native for an SA in UDP, or the other way round.
    Encapsulation,
}

impl Refused {
    /// How many kinds there are.
    pub(crate) const KINDS: usize = 6;

    pub(crate) const fn kind(self) -> usize {
        match self {
            Self::Replay => 0,
            Self::Icv => 1,
            Self::ShortIcv => 2,
            Self::Malformed => 3,
            Self::Selector { .. } => 4,
            Self::Encapsulation => 5,
        }
    }
}

/// Packets opened together: as many as let a cipher that works on several at once fill its lanes,
/// and no more, so that they are still in the processor's first cache when they are looked at and
/// gathered.
const GRAIN: usize = 16;

/// A packet whose SA is known.
struct Known<'a> {
    /// Where the view has it.
    at: usize,
    sequence: u32,
    packet: Arrived<'a>,
}

/// Opens batches; holds what is used again.
pub struct Inbound {
    view: InboundView,
    known: Vec<Known<'static>>,
    jobs: Vec<OpenJob<'static>>,
    inside: Inside,
}

/// What looks into the packets that were opened.
#[derive(Default)]
struct Inside {
    notices: Vec<Notice>,
    /// Where a packet of transport mode gets its header back.
    whole: Vec<u8>,
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbound({} notices)", self.inside.notices.len())
    }
}

impl Inbound {
    /// Opens what comes for the SAs of `sad`, and nobody else does: the anti-replay windows are
    /// here.
    pub fn new(sad: &Sad) -> Self {
        Self { view: sad.inbound_view(), known: Vec::new(), jobs: Vec::new(), inside: Inside::default() }
    }

    /// What the engine must know of the batches since the last call.
    pub fn notices(&mut self) -> std::vec::Drain<'_, Notice> {
        self.inside.notices.drain(..)
    }

    /// Sees what the gateway changed, as each batch does: for when no packet comes, since what is
    /// gone is kept until then.
    pub fn refresh(&mut self) {
        self.view.refresh();
    }

    /// Opens a batch; `deliver` gets each inner packet that may go on, in order, with the look-up
    /// of the port that its SA belongs to.
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

    /// Finds the SA, and asks its window before any key is used.
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

    /// Opens what is known, and delivers it.
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
    /// Moves the window behind a packet that verified, looks at what is inside, and delivers it.
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

    /// The trailer, then the inner packet against the SA's selectors; gives its length.
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

/// The inner packet must come from the peer's side of the SA, and from nobody but the client for a
/// client's SA (RFC 4301 section 5.2).
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

/// Whether a packet that does not open is as long as one whose SHA-256 check value was cut to 96
/// bits: it is no whole number of blocks then, but four bytes more would make it one.
fn has_short_icv(sa: &Sa, length: usize) -> bool {
    let suite = sa.child.suite;
    let front = hubward_crypto::esp::HEADER_LEN + suite.cipher().iv_len() + 12;
    suite.auth() == Some(EspAuth::Sha256)
        && length.checked_sub(front).is_some_and(|data| data > 0 && data % suite.cipher().block_len() == 0)
}

/// Congestion that the outer header met is passed on to an inner packet that can say so (RFC 6040):
/// outer CE on an inner ECT becomes CE, on an inner Not-ECT the packet is dropped. Gives whether
/// the packet goes on.
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
