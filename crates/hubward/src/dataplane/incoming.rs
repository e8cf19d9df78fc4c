//! ESP in: opened in batches, gathered, and given to the TUN.

use super::{PACKET, Shared, WAIT, count, tun_is_gone};
use crate::base::clock::now;
use crate::base::inbox::Inbox;
use crate::base::message::{Datagram, News};
use crate::base::wait::wait;
use crate::dataplane::offload::header_of;
use crate::supervise::Heart;
use hubward_linux::tun::VnetHeader;
use hubward_linux::{Received, RecvBatch};
use hubward_proto::esp::inbound::{Arrived, Inbound, Notice};
use hubward_proto::flow::coalesce::{Coalescer, Super};
use hubward_proto::flow::too_big;
use hubward_proto::path::{Encapsulation, NATT_PORT};
use hubward_proto::time::Instant;
use rustix::event::{PollFd, PollFlags};
use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Datagrams of one call.
const BATCH: usize = 64;
/// Batches that one socket may give before the others, and what else changes, have their turn.
const TURN: usize = 16;
/// How often the gateway hears of an SPI that nobody knows; `invalid-spi-recovery` calls no more peers than that.
const UNKNOWN_SPI: Duration = Duration::from_millis(100);

/// The worker that takes ESP in.
struct Incomer<'a> {
    heart: &'a Heart,
    shared: &'a Shared,
    gateway: &'a Inbox,
    inbound: Inbound,
    coalescer: Coalescer,
    told_unknown: Option<Instant>,
}

/// ESP in, and IKE on UDP 4500, which goes to the gateway.
pub(crate) fn run(heart: &Heart, shared: &Shared, gateway: &Inbox) {
    let (tcp, udp) = shared.offloads.gathers();
    let mut worker = Incomer {
        heart,
        shared,
        gateway,
        inbound: Inbound::new(&shared.sad),
        coalescer: Coalescer::new(tcp, udp),
        told_unknown: None,
    };
    // two, because what comes by UDP comes in longer pieces
    let mut datagrams = RecvBatch::new(BATCH, PACKET);
    let mut packets = RecvBatch::new(BATCH, PACKET);
    let mut heard = vec![0; PACKET];
    while !shared.stop.load(Ordering::Relaxed) {
        heart.beat();
        let esp = shared.esp.as_ref().map_or(shared.natt.as_fd(), |esp| esp.as_fd());
        let fds = [shared.natt.as_fd(), shared.unreachable.as_fd(), esp];
        let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        wait(&mut fds, WAIT);
        // a packet that comes alone costs one system call to wait for it and one to take it
        worker.inbound.refresh();
        let [by_udp, unreachable, native] = fds.map(|fd| !fd.revents().is_empty());
        if unreachable {
            hear(shared, &mut heard);
        }
        let mut turn = 0..if by_udp { TURN } else { 0 };
        while turn.next().is_some()
            && matches!(shared.natt.recv_batch(&mut datagrams), Ok(count) if count > 0)
        {
            worker.open(datagrams.datagrams().flat_map(|received| arrived_by_udp(gateway, received)));
            if !datagrams.may_have_left_some() {
                break;
            }
        }
        let Some(esp) = shared.esp.as_ref().filter(|_| native) else { continue };
        let mut turn = 0..TURN;
        while turn.next().is_some() && matches!(esp.recv_batch(&mut packets), Ok(count) if count > 0) {
            worker.open(packets.datagrams().filter(|received| !received.truncated).map(|received| Arrived {
                local: received.to,
                remote: received.from.ip(),
                remote_port: 0,
                encapsulation: Encapsulation::Native,
                tos: received.tos,
                bytes: received.data,
            }));
            if !packets.may_have_left_some() {
                break;
            }
        }
    }
}

/// The ESP packets of a datagram, or of several that the kernel gathered; IKE among them goes to the gateway.
fn arrived_by_udp<'a>(gateway: &Inbox, received: Received<'a>) -> impl Iterator<Item = Arrived<'a>> {
    let Received { data, segment, from, to, tos, truncated, .. } = received;
    let data = if truncated { &mut [] } else { data };
    data.chunks_mut(segment).filter_map(move |bytes| {
        if bytes.len() < 4 {
            // one byte is a NAT keepalive
            return None;
        }
        if let Some(message) = bytes.strip_prefix(&[0; 4]) {
            gateway.datagram(Datagram { from, to, port: 4500, bytes: message.to_vec() });
            return None;
        }
        let (remote, remote_port) = (from.ip(), from.port());
        Some(Arrived { bytes, local: to, remote, remote_port, encapsulation: Encapsulation::Udp, tos })
    })
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

impl Incomer<'_> {
    fn open<'a>(&mut self, packets: impl Iterator<Item = Arrived<'a>>) {
        let (heart, shared, coalescer) = (self.heart, self.shared, &mut self.coalescer);
        let write = |packet: &[u8], whole: Option<Super>| {
            let header = whole.map_or_else(VnetHeader::default, header_of);
            if let Err(error) = shared.tun.write(header, packet) {
                count(&shared.drops.send, 1);
                if tun_is_gone(&error) {
                    heart.supervisor().fail(format!("{} is gone: {error}", shared.tun.name()));
                }
            }
        };
        self.inbound.process(now(), packets, |packet| coalescer.push(packet, write));
        self.coalescer.flush(write);
        for notice in self.inbound.notices() {
            match notice {
                notice @ Notice::UnknownSpi { .. } => {
                    count(&shared.drops.unknown_spi, 1);
                    // a flood of them must not keep the gateway busy
                    if self.told_unknown.is_none_or(|last| last + UNKNOWN_SPI <= now()) {
                        self.told_unknown = Some(now());
                        self.gateway.news(News::Notice(notice));
                    }
                }
                Notice::Seen(child) | Notice::NearlyExhausted(child) | Notice::Exhausted(child) => {
                    self.gateway.news(News::Reached(child));
                }
                notice => self.gateway.news(News::Notice(notice)),
            }
        }
    }
}
