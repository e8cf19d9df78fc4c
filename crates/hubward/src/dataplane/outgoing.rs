//! Cleartext out: one worker for each port, which reads it until it is empty.
//!
//! ```text
//! TUN ─ read ─> a packet, or many under one header, which are cut here
//!   by selector: flow ─> SA; without one the crypto maps decide: keep and Acquire, clear, drop
//!   by interface: its newest SA; without one: keep and Acquire
//! SA ─ frame ─> one arena, in runs of one SA and one length ─ seal ─> ESP, in place
//!   ─ send ─> UDP 4500, a run as one message, or IP protocol 50, packet by packet
//! ```

use super::{PACKET, Shared, WAIT, count};
use crate::base::clock::now;
use crate::base::inbox::Inbox;
use crate::base::message::News;
use crate::base::wait::wait;
use crate::dataplane::offload::undone;
use crate::dataplane::port::{Port, is_gone};
use crate::supervise::Heart;
use hubward_linux::tun::VnetHeader;
use hubward_linux::{Outgoing, SendBatch};
use hubward_proto::esp::outbound::{DropReason, Outbound, Outcome, Sealed};
use hubward_proto::flow::segment::{Segments, Transport, finish_checksum};
use hubward_proto::flow::tables::{Acquire, Tables};
use hubward_proto::flow::too_big;
use hubward_proto::names::{InterfaceId, Service};
use hubward_proto::path::Encapsulation;
use hubward_proto::time::Instant;
use hubward_proto::wire::ip::Ipv4;
use rustix::event::{PollFd, PollFlags};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Packets sent in one system call.
const BATCH: usize = 256;
/// Packets read before the worker checks for changes.
const TURN: usize = 1024;
/// How many packets may wait for a tunnel, one for each flow.
const WAITING: usize = 64;
/// ICMP errors sent in one second about packets that are too long (RFC 1812 section 4.3.2.8).
const TOLD: u32 = 100;
/// How long a packet waits for a tunnel.
const PATIENCE: Duration = Duration::from_secs(5);
/// The shortest time between two requests to the gateway for the same tunnel: its queue also
/// carries the IKE that establishes the tunnel.
const ASK: Duration = Duration::from_millis(100);
/// How long the network's queue may stay full, in milliseconds, before packets are dropped.
const FULL: i64 = 20;
/// How long a worker whose TUN is gone sleeps before it tries again.
const GONE: Duration = Duration::from_millis(50);
/// Where TCP's payload usually begins: after IP header, TCP header, timestamps. The kernel copies
/// fast to whole cache lines.
const USUAL_HEADERS: usize = 52;

/// What was read from the TUN: a packet, or many under one header.
#[derive(Clone, Copy)]
enum Cleartext<'a> {
    Packet(&'a [u8]),
    Super(Segments<'a>),
}

impl<'a> Cleartext<'a> {
    fn of(bytes: &'a [u8], segment: Option<(Transport, u16)>) -> Option<Self> {
        let Some((transport, size)) = segment else { return Some(Self::Packet(bytes)) };
        Segments::new(Ipv4::parse(bytes)?, transport, size).map(Self::Super)
    }

    fn packets(&self) -> usize {
        match self {
            Self::Packet(_) => 1,
            Self::Super(segments) => segments.count(),
        }
    }

    /// Passes each packet to `to`, until that returns `false`.
    fn each(&self, scratch: &mut Vec<u8>, mut to: impl FnMut(&[u8]) -> bool) {
        match self {
            Self::Packet(bytes) => {
                to(bytes);
            }
            Self::Super(segments) => {
                for index in 0..segments.count() {
                    scratch.clear();
                    segments.write(index, 0, scratch);
                    if !to(scratch) {
                        return;
                    }
                }
            }
        }
    }
}

/// A packet that waits for a tunnel.
struct Waiting {
    since: Instant,
    acquire: Acquire,
    packet: Vec<u8>,
    segment: Option<(Transport, u16)>,
}

/// When the gateway was last asked for which tunnel.
#[derive(Default)]
struct Asked(BTreeMap<(InterfaceId, Service, usize), Instant>);

impl Asked {
    /// Whether to ask it now.
    fn is_due(&mut self, now: Instant, acquire: &Acquire) -> bool {
        self.0.retain(|_, last| *last + ASK > now);
        let tunnel = (acquire.interface, acquire.service.clone(), acquire.acl_line);
        let first = !self.0.contains_key(&tunnel);
        self.0.entry(tunnel).or_insert(now);
        first
    }
}

/// The worker for outgoing cleartext.
struct Outgoer<'a> {
    heart: &'a Heart,
    shared: &'a Shared,
    port: &'a Port,
    gateway: &'a Inbox,
    outbound: Outbound,
    sender: SendBatch,
    waiting: Vec<Waiting>,
    asked: Asked,
    answer: Vec<u8>,
    scratch: Vec<u8>,
    /// The second, and how many ICMP errors were sent in it.
    told: (u64, u32),
}

/// Runs the outgoing worker of a port. While the port's TUN is gone, it waits for the next one.
pub(crate) fn run(heart: &Heart, shared: &Shared, port: &Port, gateway: &Inbox, seed: [u8; 32]) {
    let mut buffer = vec![0; PACKET + 128];
    let line = buffer.as_ptr().align_offset(64).min(64) + 64 - USUAL_HEADERS;
    let read = buffer.get_mut(line - VnetHeader::LEN..).unwrap_or_default();
    let mut worker = Outgoer {
        heart,
        shared,
        port,
        gateway,
        outbound: Outbound::of_port(&shared.sad, port.lookup(), seed),
        sender: SendBatch::new(BATCH),
        waiting: Vec::with_capacity(WAITING),
        asked: Asked::default(),
        answer: Vec::with_capacity(1024),
        scratch: Vec::with_capacity(2048),
        told: (0, 0),
    };
    while !shared.stop.load(Ordering::Relaxed) {
        heart.beat();
        let patience = if worker.waiting.is_empty() { WAIT } else { 20 };
        wait(&mut [PollFd::new(port.tun(), PollFlags::IN)], patience);
        let (tables, now) = (shared.tables.load(), now());
        worker.outbound.refresh();
        for waiting in std::mem::take(&mut worker.waiting) {
            if let Some(cleartext) = Cleartext::of(&waiting.packet, waiting.segment) {
                worker.take(&tables, now, cleartext, waiting.segment, Some(waiting.since));
            }
        }
        worker.flush();
        for _ in 0..TURN {
            let (header, packet) = match port.tun().read(read) {
                Ok(read) => read,
                Err(error) => {
                    if is_gone(&error) {
                        std::thread::sleep(GONE);
                    }
                    break;
                }
            };
            worker.read(&tables, now, header, packet);
            if worker.outbound.is_full() {
                worker.flush();
            }
        }
        worker.flush();
    }
}

impl Outgoer<'_> {
    /// Handles what was read from the TUN, with what the kernel left undone in it.
    fn read(&mut self, tables: &Tables, now: Instant, header: VnetHeader, bytes: &mut [u8]) {
        let undone = undone(header);
        let finished = undone.is_some_and(|undone| match (undone.segment, undone.checksum) {
            // each segment gets its own checksum
            (Some(_), _) | (None, None) => true,
            (None, Some(place)) => finish_checksum(bytes, place),
        });
        let segment = undone.and_then(|undone| undone.segment);
        match Cleartext::of(bytes, segment).filter(|_| finished) {
            Some(cleartext) => self.take(tables, now, cleartext, segment, None),
            None => count(&self.shared.drops.malformed, 1),
        }
    }

    /// Handles one packet or super-packet, from the TUN or after it has waited since `since`.
    fn take(
        &mut self,
        tables: &Tables,
        now: Instant,
        cleartext: Cleartext<'_>,
        segment: Option<(Transport, u16)>,
        since: Option<Instant>,
    ) {
        let drops = &self.shared.drops;
        let packets = cleartext.packets();
        let outcome = match &cleartext {
            Cleartext::Packet(bytes) => self.outbound.push(tables, now, bytes),
            Cleartext::Super(segments) => self.outbound.push_segments(tables, now, segments),
        };
        match outcome {
            Outcome::Queued => {}
            Outcome::QueuedAndSoft(child) => {
                self.gateway.news(News::Reached(child));
            }
            Outcome::Acquire(acquire) => self.keep(now, cleartext, segment, acquire, since),
            Outcome::Clear => self.send_clear(cleartext),
            Outcome::TooBig(mtu) => {
                count(&drops.too_big, packets);
                self.tell(now, cleartext, mtu);
            }
            Outcome::Drop(DropReason::Malformed) => count(&drops.malformed, packets),
            Outcome::Drop(DropReason::NoSa) => count(&drops.no_sa, packets),
            Outcome::Drop(DropReason::Exhausted(child)) => {
                self.gateway.news(News::Reached(child));
            }
        }
    }

    /// Nothing protects the packet: it goes back to the kernel.
    fn send_clear(&mut self, cleartext: Cleartext<'_>) {
        let shared = self.shared;
        cleartext.each(&mut self.scratch, |packet| {
            if !matches!(shared.clear.as_ref().map(|clear| clear.send(packet)), Some(Ok(()))) {
                count(&shared.drops.send, 1);
            }
            true
        });
    }

    /// Keeps a packet until its tunnel is up. The first packet of a flow waits, as on IOS; the
    /// others are dropped. The engine is asked at most once in [`ASK`] for each tunnel.
    fn keep(
        &mut self,
        now: Instant,
        cleartext: Cleartext<'_>,
        segment: Option<(Transport, u16)>,
        acquire: Acquire,
        since: Option<Instant>,
    ) {
        let lost = match since {
            Some(since) => now.since(since) >= PATIENCE,
            None => {
                self.waiting.len() >= WAITING || self.waiting.iter().any(|w| w.acquire.flow == acquire.flow)
            }
        };
        if since.is_none() && self.asked.is_due(now, &acquire) {
            self.gateway.news(News::Acquire(acquire.clone()));
        }
        if lost {
            count(&self.shared.drops.no_sa, cleartext.packets());
            return;
        }
        let packet = match cleartext {
            Cleartext::Packet(bytes) => bytes.to_vec(),
            Cleartext::Super(segments) => segments.view().bytes().to_vec(),
        };
        self.waiting.push(Waiting { since: since.unwrap_or(now), acquire, packet, segment });
    }

    /// Reports to the source of a packet how many bytes fit. The kernel fills in the address that
    /// this gateway has on the source's side. If packets never leave in clear, the source is this
    /// machine, and the report comes from the destination's address.
    fn tell(&mut self, now: Instant, cleartext: Cleartext<'_>, mtu: usize) {
        let second = now.since_origin().as_secs();
        if self.told.0 != second {
            self.told = (second, 0);
        }
        if self.told.1 >= TOLD {
            return;
        }
        self.told.1 += 1;
        let (shared, tun, answer) = (self.shared, self.port.tun(), &mut self.answer);
        cleartext.each(&mut self.scratch, |bytes| {
            let Some(packet) = Ipv4::parse(bytes) else { return false };
            let sent = match &shared.clear {
                Some(clear) if too_big::answer(&packet, Ipv4Addr::UNSPECIFIED, mtu, answer) => {
                    clear.send(answer)
                }
                None if too_big::answer(&packet, packet.destination(), mtu, answer) => {
                    tun.write(VnetHeader::default(), answer)
                }
                _ => Ok(()),
            };
            if sent.is_err() {
                count(&shared.drops.send, 1);
            }
            // one report is enough for all of them
            false
        });
    }

    /// Protects and sends what waits in the batch.
    fn flush(&mut self) {
        if self.outbound.is_empty() {
            return;
        }
        let (heart, shared, sender) = (self.heart, self.shared, &mut self.sender);
        self.outbound.seal(|batch| {
            for runs in batch.chunk_by(|a, b| a.path.encapsulation == b.path.encapsulation) {
                let segmented = runs.first().is_some_and(|run| run.path.encapsulation == Encapsulation::Udp)
                    && shared.offloads.sends_segmented();
                let messages: Vec<_> = if segmented {
                    runs.iter().map(whole).collect()
                } else {
                    runs.iter().flat_map(one_by_one).collect()
                };
                send(heart, shared, &messages, sender);
            }
        });
    }
}

/// A run of packets as one message, which the kernel segments.
fn whole<'a>(run: &Sealed<'a>) -> Outgoing<'a> {
    let segment = u16::try_from(run.segment).ok().filter(|segment| usize::from(*segment) < run.bytes.len());
    Outgoing { segment, ..message(run, run.bytes) }
}

/// A run of packets, each as a message of its own.
fn one_by_one<'a>(run: &Sealed<'a>) -> impl Iterator<Item = Outgoing<'a>> {
    run.packets().map(|packet| message(run, packet))
}

fn message<'a>(run: &Sealed<'_>, data: &'a [u8]) -> Outgoing<'a> {
    let port = match run.path.encapsulation {
        Encapsulation::Udp => run.path.remote_port,
        Encapsulation::Native => 0,
    };
    Outgoing {
        data,
        segment: None,
        to: SocketAddr::new(run.path.remote, port),
        from: Some(run.path.local),
        interface: 0,
        tos: Some(run.tos),
        dont_fragment: run.dont_fragment,
    }
}

/// Sends messages of one encapsulation, which their port shows. An error concerns the first
/// message, which is dropped, and the others are still sent. But a full queue is waited for, and
/// what the kernel would not segment is segmented here.
fn send(heart: &Heart, shared: &Shared, mut messages: &[Outgoing<'_>], sender: &mut SendBatch) {
    let mut waited = false;
    while let Some(first) = messages.first() {
        let native = first.to.port() == 0;
        let sent = match (native, &shared.esp) {
            (false, _) => shared.natt.send_batch(sender, messages.iter().copied()),
            (true, Some(esp)) => esp.send_batch(sender, messages.iter().copied()),
            (true, None) => Err(io::ErrorKind::Unsupported.into()),
        };
        let taken = match sent {
            Ok(taken) if taken > 0 => {
                waited = false;
                taken
            }
            Err(error) if is_full(&error) && !waited => {
                let fd =
                    shared.esp.as_ref().filter(|_| native).map_or(shared.natt.as_fd(), |esp| esp.as_fd());
                // on a slow link every packet of a turn may wait
                heart.beat();
                wait(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], FULL);
                waited = true;
                0
            }
            Err(error) if first.segment.is_some() && !is_full(&error) => {
                if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) {
                    shared.offloads.refuse();
                }
                let size = first.segment.map_or(1, usize::from).max(1);
                let packets: Vec<_> =
                    first.data.chunks(size).map(|data| Outgoing { data, segment: None, ..*first }).collect();
                send(heart, shared, &packets, sender);
                1
            }
            _ => {
                let packets =
                    first.segment.map_or(1, |size| first.data.len().div_ceil(usize::from(size).max(1)));
                count(&shared.drops.send, packets);
                1
            }
        };
        messages = messages.get(taken..).unwrap_or_default();
    }
}

/// Whether the kernel has no room at the moment.
fn is_full(error: &io::Error) -> bool {
    let no_buffers = rustix::io::Errno::NOBUFS.raw_os_error();
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(no_buffers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::flow::selector::Flow;

    /// A stream into a tunnel that is not up yet asks for it at a limited rate, and not with each
    /// packet.
    #[test]
    fn a_stream_asks_now_and_then() {
        let flow = Flow {
            source: Ipv4Addr::new(10, 1, 1, 1).into(),
            destination: Ipv4Addr::new(10, 2, 2, 2).into(),
            protocol: 17,
            source_port: Some(1),
            destination_port: Some(2),
        };
        let service = Service::entry("mymap", 10);
        let acquire =
            |acl_line| Acquire { interface: InterfaceId(0), service: service.clone(), acl_line, flow };
        let mut asked = Asked::default();
        let at = |millis| Instant::ORIGIN + std::time::Duration::from_millis(millis);
        let due = (0..1000).filter(|millis| asked.is_due(at(*millis), &acquire(0))).count();
        assert_eq!(due, 10);
        assert!(asked.is_due(at(950), &acquire(1)), "another tunnel");
        assert!(asked.is_due(at(2000), &acquire(0)));
        assert_eq!(asked.0.len(), 1);
    }
}
