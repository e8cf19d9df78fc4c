//! ESP in: one worker for all sources and all ports.
//!
//! ```text
//! UDP 4500, IP protocol 50 ─ read a batch ─> packets ─ steer ─> IKE: the gateway's inbox
//!   ESP ─ SPI ─> SA; unknown: counted, and reported at a limited rate
//!   SA ─ window, open in place, window, selector and lease ─> inner packet
//!   ─ port of the SA ─> gathered with others of its flow
//!   ─ end of the batch ─> TUN of the port; what the engine must know: the inbox
//! ```

use super::{PACKET, Shared, WAIT, count};
use crate::base::clock::now;
use crate::base::counters::Drops;
use crate::base::inbox::Inbox;
use crate::base::message::News;
use crate::base::wait::wait;
use crate::dataplane::offload::header_of;
use crate::dataplane::steer::{Packet, Source, Steered, packets, steer};
use crate::supervise::Heart;
use hubward_linux::RecvBatch;
use hubward_linux::tun::VnetHeader;
use hubward_proto::esp::inbound::{Inbound, Notice};
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::coalesce::{Coalescer, Super};
use hubward_proto::flow::tables::Lookup;
use hubward_proto::flow::too_big;
use hubward_proto::path::NATT_PORT;
use hubward_proto::time::Instant;
use rustix::event::{PollFd, PollFlags};
use std::io;
use std::os::fd::AsFd as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Datagrams of one call.
const BATCH: usize = 64;
/// Batches read from one socket before the others, and changed tables, have their turn.
const TURN: usize = 16;
/// The shortest time between two reports of an unknown SPI to the gateway, which also limits how
/// often `invalid-spi-recovery` contacts peers.
const UNKNOWN_SPI: Duration = Duration::from_millis(100);

/// ESP in, and IKE on UDP 4500, which goes to the gateway.
pub(crate) fn run(heart: &Heart, shared: &Shared, gateway: &Inbox) {
    let ports = shared.ports.iter().map(|port| port.lookup());
    let mut worker = Incomer::new(&shared.sad, gateway, &shared.drops, ports, shared.offloads.gathers());
    // two, because packets from UDP arrive gathered into longer ones
    let mut datagrams = RecvBatch::new(BATCH, PACKET);
    let mut native = RecvBatch::new(BATCH, PACKET);
    let mut heard = vec![0; PACKET];
    let write = |place: usize, packet: &[u8], whole: Option<Super>| {
        let header = whole.map_or_else(VnetHeader::default, header_of);
        let Some(port) = shared.ports.get(place) else { return };
        if port.tun().write(header, packet).is_err() {
            count(&shared.drops.send, 1);
        }
    };
    while !shared.stop.load(Ordering::Relaxed) {
        heart.beat();
        let esp = shared.esp.as_ref().map_or(shared.natt.as_fd(), |esp| esp.as_fd());
        let fds = [shared.natt.as_fd(), shared.unreachable.as_fd(), esp];
        let mut fds = fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        wait(&mut fds, WAIT);
        // a single packet costs one system call to wait for it and one to read it
        worker.inbound.refresh();
        let [by_udp, unreachable, by_esp] = fds.map(|fd| !fd.revents().is_empty());
        if unreachable {
            hear(shared, &mut heard);
        }
        if by_udp {
            worker.turn(Source::Udp, &mut datagrams, |batch| shared.natt.recv_batch(batch), write);
        }
        if let Some(esp) = shared.esp.as_ref().filter(|_| by_esp) {
            worker.turn(Source::Native, &mut native, |batch| esp.recv_batch(batch), write);
        }
    }
}

/// Reads what routers report about packets that are too long for them.
fn hear(shared: &Shared, packet: &mut [u8]) {
    while let Ok(length) = shared.unreachable.recv(packet) {
        let told = packet.get(..length).and_then(|packet| too_big::read(packet, NATT_PORT));
        if let Some((child, mtu)) = told.and_then(|told| shared.sad.too_big(now(), &told)) {
            tracing::info!("the path of tunnel {} takes packets of {mtu} bytes only", child.0);
        }
    }
}

/// The worker for received ESP: everything except reading and writing.
struct Incomer<'a> {
    gateway: &'a Inbox,
    drops: &'a Drops,
    inbound: Inbound,
    /// In the order of the look-ups.
    outlets: Vec<Outlet>,
    told_unknown: Option<Instant>,
}

/// The output side of a port.
struct Outlet {
    port: Lookup,
    coalescer: Coalescer,
    /// Something was added since the last flush.
    used: bool,
}

impl<'a> Incomer<'a> {
    /// `ports` in their order; `gathers` TCP, UDP.
    fn new(
        sad: &Sad,
        gateway: &'a Inbox,
        drops: &'a Drops,
        ports: impl Iterator<Item = Lookup>,
        (tcp, udp): (bool, bool),
    ) -> Self {
        let outlet = |port| Outlet { port, coalescer: Coalescer::new(tcp, udp), used: false };
        let outlets = ports.map(outlet).collect();
        Self { gateway, drops, inbound: Inbound::new(sad), outlets, told_unknown: None }
    }

    /// Reads from a source until it is empty or has had its turn.
    fn turn(
        &mut self,
        source: Source,
        batch: &mut RecvBatch,
        read: impl Fn(&mut RecvBatch) -> io::Result<usize>,
        write: impl Fn(usize, &[u8], Option<Super>),
    ) {
        for _ in 0..TURN {
            if !matches!(read(batch), Ok(count) if count > 0) {
                return;
            }
            self.take(now(), source, batch.datagrams().flat_map(packets), &write);
            if !batch.may_have_left_some() {
                return;
            }
        }
    }

    /// Handles the packets of one read. `write` gets the index of a port, a packet for it, and how
    /// the packet is to be segmented.
    fn take<'p>(
        &mut self,
        now: Instant,
        source: Source,
        packets: impl Iterator<Item = Packet<'p>>,
        mut write: impl FnMut(usize, &[u8], Option<Super>),
    ) {
        let Self { gateway, drops, inbound, outlets, .. } = self;
        let esp = packets.filter_map(|packet| match steer(source, packet) {
            Steered::Esp(arrived) => Some(arrived),
            Steered::Ike(datagram) => {
                gateway.datagram(datagram);
                None
            }
            Steered::Short => {
                count(&drops.short, 1);
                None
            }
            Steered::Keepalive => None,
        });
        inbound.process(now, esp, |port, packet| {
            let place = outlets.binary_search_by_key(&port, |outlet| outlet.port);
            let Some((place, outlet)) = place.ok().and_then(|place| Some((place, outlets.get_mut(place)?)))
            else {
                return count(&drops.send, 1);
            };
            outlet.used = true;
            outlet.coalescer.push(packet, |packet, whole| write(place, packet, whole));
        });
        for (place, outlet) in outlets.iter_mut().enumerate().filter(|(_, outlet)| outlet.used) {
            outlet.used = false;
            outlet.coalescer.flush(|packet, whole| write(place, packet, whole));
        }
        self.tell(now);
    }

    /// Reports to the gateway what the batch showed.
    fn tell(&mut self, now: Instant) {
        for notice in self.inbound.notices() {
            match notice {
                notice @ Notice::UnknownSpi { .. } => {
                    count(&self.drops.unknown_spi, 1);
                    // a flood of them must not keep the gateway busy
                    if self.told_unknown.is_none_or(|last| last + UNKNOWN_SPI <= now) {
                        self.told_unknown = Some(now);
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

#[cfg(test)]
mod tests;
