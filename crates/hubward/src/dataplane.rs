//! The packet workers: one thread takes cleartext from the TUN and sends ESP, one takes ESP and gives cleartext to the TUN.
//! They read the policy tables through an `ArcSwap`, share the SA database with the gateway, and never wait for it.

use crate::gateway::Message;
use arc_swap::ArcSwap;
use hubward_linux::clear::ClearSocket;
use hubward_linux::esp_raw::EspSocket;
use hubward_linux::tun::{Tun, VnetHeader};
use hubward_linux::udp::UdpSocket;
use hubward_linux::unreachable::UnreachableSocket;
use hubward_linux::{Outgoing, RecvBatch, SendBatch};
use hubward_proto::esp::inbound::{Arrived, Inbound, Notice};
use hubward_proto::esp::outbound::{DropReason, Outbound, Outcome, Sealed};
use hubward_proto::esp::sa::ChildId;
use hubward_proto::esp::sa::EntryRef;
use hubward_proto::esp::sad::{Sa, Sad};
use hubward_proto::flow::tables::Tables;
use hubward_proto::flow::too_big;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Acquire, Input, Limit};
use hubward_proto::ike::path::{Encapsulation, InterfaceId, NATT_PORT};
use hubward_proto::time::Instant;
use hubward_proto::wire::ip::Ipv4;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;

/// Packets of one batch.
const BATCH: usize = 64;
/// Bytes of the longest packet.
const PACKET: usize = 65_535;
/// Packets that wait for a tunnel, one for each flow that asked.
const WAITING: usize = 64;
/// Hosts told in one second that a packet is too long (RFC 1812 section 4.3.2.8).
const TOLD: u32 = 100;
/// How long a packet waits for a tunnel.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
/// How often the gateway is asked for one and the same tunnel: its queue has IKE to carry, by which the tunnel comes up.
const ASK: std::time::Duration = std::time::Duration::from_millis(100);
/// Batches that one socket may give before the others, and what else changes, have their turn.
const TURN: usize = 16;
/// How often the gateway hears of an SPI that nobody knows; `invalid-spi-recovery` calls no more peers than that.
const UNKNOWN_SPI: std::time::Duration = std::time::Duration::from_millis(100);

/// What the workers share with the gateway.
pub(crate) struct Shared {
    pub(crate) sad: Arc<Sad>,
    pub(crate) tables: ArcSwap<Tables>,
    pub(crate) tun: Tun,
    pub(crate) natt: UdpSocket,
    pub(crate) esp: Option<EspSocket>,
    pub(crate) clear: Option<ClearSocket>,
    pub(crate) unreachable: UnreachableSocket,
    pub(crate) stop: AtomicBool,
    pub(crate) drops: Arc<Drops>,
}

/// Packets that no SA counts.
#[derive(Default)]
pub(crate) struct Drops {
    /// Cleartext for a tunnel that is not up.
    pub(crate) no_sa: AtomicU64,
    /// Not an IPv4 packet.
    pub(crate) malformed: AtomicU64,
    /// Too long for its tunnel, and not to be fragmented.
    pub(crate) too_big: AtomicU64,
    /// The kernel did not take it.
    pub(crate) send: AtomicU64,
    /// ESP for an unknown SPI.
    pub(crate) unknown_spi: AtomicU64,
}

/// The monotonic clock that goes on during suspend.
pub(crate) fn now() -> Instant {
    Instant::from_origin(hubward_linux::clock::now())
}

fn wait(fds: &mut [PollFd<'_>], milliseconds: i64) {
    let timeout = Timespec { tv_sec: milliseconds / 1000, tv_nsec: (milliseconds % 1000) * 1_000_000 };
    // an interrupted wait is a wait that ended
    let _ready = poll(fds, Some(&timeout));
}

/// When each child last carried something: in, out.
pub(crate) type LastTraffic = BTreeMap<ChildId, (Option<Instant>, Option<Instant>)>;

/// Tells the engine what the children carried since it was told last.
pub(crate) fn report_traffic(engine: &mut Engine, sad: &Sad, told: &mut LastTraffic) {
    // in the order of their ids: what the engine does in answer must not depend on a hash
    for (id, halves) in sad.pairs().into_iter().collect::<BTreeMap<_, _>>() {
        let last = |sa: Option<std::sync::Arc<Sa>>| sa.and_then(|sa| sa.counters.last());
        let seen = (last(halves.inbound), last(halves.outbound));
        // unanswered traffic must go on being looked at
        let unanswered = seen.1 > seen.0;
        if seen != (None, None) && (told.get(&id) != Some(&seen) || unanswered) {
            told.insert(id, seen);
            let input = Input::Traffic { child: id, last_inbound: seen.0, last_outbound: seen.1 };
            engine.handle(now(), input);
        }
    }
}

/// A packet that waits for a tunnel.
struct Waiting {
    since: Instant,
    acquire: Acquire,
    packet: Vec<u8>,
}

/// When the gateway was asked for which tunnel last.
#[derive(Default)]
struct Asked(BTreeMap<(InterfaceId, EntryRef, usize), Instant>);

impl Asked {
    /// Whether it is asked now.
    fn is_due(&mut self, now: Instant, acquire: &Acquire) -> bool {
        self.0.retain(|_, last| *last + ASK > now);
        let tunnel = (acquire.interface, acquire.entry.clone(), acquire.acl_line);
        let first = !self.0.contains_key(&tunnel);
        self.0.entry(tunnel).or_insert(now);
        first
    }
}

/// The worker that takes cleartext out.
struct Outgoer<'a> {
    shared: &'a Shared,
    gateway: &'a SyncSender<Message>,
    outbound: Outbound,
    sender: SendBatch,
    waiting: Vec<Waiting>,
    asked: Asked,
    answer: Vec<u8>,
    /// The second, and how many were told in it.
    told: (u64, u32),
}

/// Cleartext out.
pub(crate) fn outbound(shared: &Shared, gateway: &SyncSender<Message>, seed: [u8; 32]) {
    let mut packet = vec![0; PACKET];
    let mut worker = Outgoer {
        shared,
        gateway,
        outbound: Outbound::new(seed),
        sender: SendBatch::new(BATCH),
        waiting: Vec::with_capacity(WAITING),
        asked: Asked::default(),
        answer: Vec::with_capacity(1024),
        told: (0, 0),
    };
    while !shared.stop.load(Ordering::Relaxed) {
        let patience = if worker.waiting.is_empty() { 500 } else { 20 };
        wait(&mut [PollFd::new(&shared.tun, PollFlags::IN)], patience);
        let (tables, now) = (shared.tables.load(), now());
        for waiting in std::mem::take(&mut worker.waiting) {
            worker.take(&tables, now, &waiting.packet, Some(waiting.since));
        }
        worker.flush();
        // a batch at a time, until dry or until it is time to look around
        for _ in 0..TURN * BATCH {
            let Ok((_, length)) = shared.tun.read(&mut packet) else { break };
            let Some(bytes) = packet.get(..length) else { continue };
            worker.take(&tables, now, bytes, None);
            if worker.outbound.len() >= BATCH {
                worker.flush();
            }
        }
        worker.flush();
    }
}

impl Outgoer<'_> {
    /// One packet, from the TUN or after it has waited `since` then.
    fn take(&mut self, tables: &Tables, now: Instant, bytes: &[u8], since: Option<Instant>) {
        let drops = &self.shared.drops;
        match self.outbound.push(&self.shared.sad, tables, now, bytes) {
            Outcome::Queued => {}
            Outcome::QueuedAndSoft(child) => {
                let _full = self.gateway.try_send(Message::Limit(child, Limit::Soft));
            }
            Outcome::Acquire(acquire) => self.keep(now, bytes, acquire, since),
            Outcome::Clear => match self.shared.clear.as_ref().map(|clear| clear.send(bytes)) {
                Some(Ok(())) => {}
                _ => count(&drops.send),
            },
            Outcome::TooBig(mtu) => {
                count(&drops.too_big);
                self.tell(now, bytes, mtu);
            }
            Outcome::Drop(DropReason::Malformed) => count(&drops.malformed),
            Outcome::Drop(DropReason::NoSa) => count(&drops.no_sa),
            Outcome::Drop(DropReason::Exhausted(child)) => {
                let _full = self.gateway.try_send(Message::Limit(child, Limit::Hard));
            }
        }
    }

    /// Keeps a packet until its tunnel is up. Of a flow the first one waits, as on IOS; the rest is lost, and the engine is
    /// asked once.
    fn keep(&mut self, now: Instant, bytes: &[u8], acquire: Acquire, since: Option<Instant>) {
        let lost = match since {
            Some(since) => now.since(since) >= PATIENCE,
            None => {
                self.waiting.len() >= WAITING || self.waiting.iter().any(|w| w.acquire.flow == acquire.flow)
            }
        };
        if since.is_none() && self.asked.is_due(now, &acquire) {
            let _full = self.gateway.try_send(Message::Acquire(acquire.clone()));
        }
        if lost {
            count(&self.shared.drops.no_sa);
        } else {
            self.waiting.push(Waiting { since: since.unwrap_or(now), acquire, packet: bytes.to_vec() });
        }
    }

    /// Tells the source of a packet how many bytes fit. The kernel puts the address in by which this gateway is known on the
    /// source's side; where there is no way on in clear the source is this machine, which is told in the destination's name.
    fn tell(&mut self, now: Instant, bytes: &[u8], mtu: usize) {
        let second = now.since_origin().as_secs();
        if self.told.0 != second {
            self.told = (second, 0);
        }
        if self.told.1 >= TOLD {
            return;
        }
        self.told.1 += 1;
        let Some(packet) = Ipv4::parse(bytes) else { return };
        let sent = match &self.shared.clear {
            Some(clear) if too_big::answer(&packet, Ipv4Addr::UNSPECIFIED, mtu, &mut self.answer) => {
                clear.send(&self.answer)
            }
            None if too_big::answer(&packet, packet.destination(), mtu, &mut self.answer) => {
                self.shared.tun.write(VnetHeader::default(), &[&self.answer])
            }
            _ => Ok(()),
        };
        if sent.is_err() {
            count(&self.shared.drops.send);
        }
    }

    fn flush(&mut self) {
        flush(self.shared, &mut self.outbound, &mut self.sender);
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn flush(shared: &Shared, outbound: &mut Outbound, sender: &mut SendBatch) {
    if outbound.is_empty() {
        return;
    }
    outbound.seal(|batch| {
        for run in batch.chunk_by(|a, b| a.path.encapsulation == b.path.encapsulation) {
            send(shared, run, sender);
        }
    });
}

fn send(shared: &Shared, mut run: &[Sealed<'_>], sender: &mut SendBatch) {
    while let Some(first) = run.first() {
        let udp = first.path.encapsulation == Encapsulation::Udp;
        let messages = run.iter().map(|packet| Outgoing {
            data: packet.bytes,
            to: SocketAddr::new(packet.path.remote, if udp { packet.path.remote_port } else { 0 }),
            from: Some(packet.path.local),
            interface: 0,
            tos: Some(packet.tos),
            dont_fragment: packet.dont_fragment,
        });
        let sent = match (udp, &shared.esp) {
            (true, _) => shared.natt.send_batch(sender, messages),
            (false, Some(esp)) => esp.send_batch(sender, messages),
            (false, None) => Err(std::io::ErrorKind::Unsupported.into()),
        };
        // an error concerns the first packet: it is lost, the others go on
        let taken = match sent {
            Ok(0) | Err(_) => {
                count(&shared.drops.send);
                1
            }
            Ok(taken) => taken,
        };
        run = run.get(taken..).unwrap_or_default();
    }
}

/// ESP in, and IKE on UDP 4500, which goes to the gateway.
pub(crate) fn inbound(shared: &Shared, gateway: &SyncSender<Message>) {
    let mut inbound = Inbound::new();
    let mut told_unknown = None;
    let mut batch = RecvBatch::new(BATCH, PACKET);
    let mut heard = vec![0; PACKET];
    while !shared.stop.load(Ordering::Relaxed) {
        let esp = shared.esp.as_ref().map_or(shared.natt.as_fd(), |esp| esp.as_fd());
        let fds = [shared.natt.as_fd(), shared.unreachable.as_fd(), esp];
        wait(&mut fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)), 500);
        hear(shared, &mut heard);
        let mut turn = 0..TURN;
        while turn.next().is_some() && matches!(shared.natt.recv_batch(&mut batch), Ok(count) if count > 0) {
            let packets = batch.datagrams().filter_map(|received| {
                if received.truncated || received.data.len() < 4 {
                    // one byte is a NAT keepalive
                    return None;
                }
                if let Some(message) = received.data.strip_prefix(&[0; 4]) {
                    let (from, to) = (received.from, received.to);
                    let _full =
                        gateway.try_send(Message::Datagram { from, to, port: 4500, bytes: message.to_vec() });
                    return None;
                }
                Some(Arrived {
                    bytes: received.data,
                    local: received.to,
                    remote: received.from.ip(),
                    remote_port: received.from.port(),
                    encapsulation: Encapsulation::Udp,
                    tos: received.tos,
                })
            });
            open(shared, gateway, &mut inbound, &mut told_unknown, packets);
        }
        let Some(esp) = &shared.esp else { continue };
        let mut turn = 0..TURN;
        while turn.next().is_some() && matches!(esp.recv_batch(&mut batch), Ok(count) if count > 0) {
            let packets = batch.datagrams().filter(|received| !received.truncated).map(|received| Arrived {
                local: received.to,
                remote: received.from.ip(),
                remote_port: 0,
                encapsulation: Encapsulation::Native,
                tos: received.tos,
                bytes: received.data,
            });
            open(shared, gateway, &mut inbound, &mut told_unknown, packets);
        }
    }
}

/// What routers say of packets that are too long for them.
fn hear(shared: &Shared, packet: &mut [u8]) {
    while let Ok(length) = shared.unreachable.recv(packet) {
        let told = packet.get(..length).and_then(|packet| too_big::read(packet, NATT_PORT));
        if let Some((child, mtu)) = told.and_then(|told| shared.sad.too_big(now(), &told)) {
            tracing::info!("the path of tunnel {} takes packets of {mtu} bytes only", child.0);
        }
    }
}

fn open<'a>(
    shared: &Shared,
    gateway: &SyncSender<Message>,
    inbound: &mut Inbound,
    told_unknown: &mut Option<Instant>,
    packets: impl Iterator<Item = Arrived<'a>>,
) {
    inbound.process(&shared.sad, now(), packets, |packet| {
        if shared.tun.write(VnetHeader::default(), &[packet]).is_err() {
            count(&shared.drops.send);
        }
    });
    for notice in inbound.notices() {
        match notice {
            notice @ Notice::UnknownSpi { .. } => {
                count(&shared.drops.unknown_spi);
                // a flood of them must not keep the gateway busy
                if told_unknown.is_none_or(|last| last + UNKNOWN_SPI <= now()) {
                    *told_unknown = Some(now());
                    let _full = gateway.try_send(Message::Notice(notice));
                }
            }
            Notice::Exhausted(child) => {
                let _full = gateway.try_send(Message::Limit(child, Limit::Hard));
            }
            notice => {
                let _full = gateway.try_send(Message::Notice(notice));
            }
        }
    }
}

/// IKE on UDP 500.
pub(crate) fn isakmp(shared: &Arc<Shared>, socket: &UdpSocket, gateway: &SyncSender<Message>) {
    let mut batch = RecvBatch::new(16, PACKET);
    while !shared.stop.load(Ordering::Relaxed) {
        wait(&mut [PollFd::new(socket, PollFlags::IN)], 500);
        while matches!(socket.recv_batch(&mut batch), Ok(count) if count > 0) {
            for received in batch.datagrams().filter(|received| !received.truncated) {
                let (from, to, bytes) = (received.from, received.to, received.data.to_vec());
                let _full = gateway.try_send(Message::Datagram { from, to, port: 500, bytes });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::flow::selector::Flow;

    /// A stream into a tunnel that is not up yet asks for it now and then, and not with each packet.
    #[test]
    fn a_stream_asks_now_and_then() {
        let flow = Flow {
            source: Ipv4Addr::new(10, 1, 1, 1).into(),
            destination: Ipv4Addr::new(10, 2, 2, 2).into(),
            protocol: 17,
            source_port: Some(1),
            destination_port: Some(2),
        };
        let entry = EntryRef { map: "mymap".into(), sequence: 10, dynamic: None };
        let acquire = |acl_line| Acquire { interface: InterfaceId(0), entry: entry.clone(), acl_line, flow };
        let mut asked = Asked::default();
        let at = |millis| Instant::ORIGIN + std::time::Duration::from_millis(millis);
        let due = (0..1000).filter(|millis| asked.is_due(at(*millis), &acquire(0))).count();
        assert_eq!(due, 10);
        assert!(asked.is_due(at(950), &acquire(1)), "another tunnel");
        assert!(asked.is_due(at(2000), &acquire(0)));
        assert_eq!(asked.0.len(), 1);
    }
}
