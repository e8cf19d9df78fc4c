//! The packet workers: one thread for each port reads cleartext and sends ESP, and one thread
//! receives ESP and writes cleartext to the ports. They read the policy tables through an
//! `ArcSwap`, share the SA database with the gateway, and never wait for it.

pub(crate) mod incoming;
pub(crate) mod offload;
pub(crate) mod outgoing;
pub(crate) mod port;
mod steer;

use crate::base::counters::Drops;
use crate::base::inbox::Inbox;
use crate::base::message::Datagram;
use crate::base::wait::wait;
use crate::dataplane::offload::Offloads;
use crate::dataplane::port::Ports;
use crate::supervise::Heart;
use arc_swap::ArcSwap;
use hubward_linux::RecvBatch;
use hubward_linux::clear::ClearSocket;
use hubward_linux::esp_raw::EspSocket;
use hubward_linux::udp::UdpSocket;
use hubward_linux::unreachable::UnreachableSocket;
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::tables::Tables;
use hubward_proto::path::NATT_PORT;
use rustix::event::{PollFd, PollFlags};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The length of the longest packet in bytes.
pub(crate) const PACKET: usize = 65_535;

/// What the workers share with the gateway.
pub(crate) struct Shared {
    pub(crate) sad: Arc<Sad>,
    pub(crate) tables: ArcSwap<Tables>,
    pub(crate) ports: Ports,
    pub(crate) natt: UdpSocket,
    /// IP protocol 50, unless the kernel carries the packets. One socket for all ports: each raw
    /// socket gets every packet, and a packet must be handled only once.
    pub(crate) esp: Option<EspSocket>,
    pub(crate) clear: Option<ClearSocket>,
    pub(crate) unreachable: UnreachableSocket,
    pub(crate) stop: AtomicBool,
    pub(crate) drops: Arc<Drops>,
    pub(crate) offloads: Arc<Offloads>,
}

/// The longest wait of a worker, in milliseconds: its heart must beat (`supervise::BEAT`).
pub(crate) const WAIT: i64 = 400;

/// Batches read from a socket before its worker checks for changes.
const TURN: usize = 16;

fn count(counter: &AtomicU64, packets: usize) {
    counter.fetch_add(packets as u64, Ordering::Relaxed);
}

/// IKE on UDP 500; or on UDP 4500, where the kernel carries the packets and takes the ESP itself.
pub(crate) fn isakmp(heart: &Heart, shared: &Shared, socket: &UdpSocket, port: u16, gateway: &Inbox) {
    let mut batch = RecvBatch::new(16, PACKET);
    while !shared.stop.load(Ordering::Relaxed) {
        heart.beat();
        wait(&mut [PollFd::new(socket, PollFlags::IN)], WAIT);
        let mut turn = 0..TURN;
        while turn.next().is_some() && matches!(socket.recv_batch(&mut batch), Ok(count) if count > 0) {
            for received in batch.datagrams().filter(|received| !received.truncated) {
                // the non-ESP marker (RFC 3948 section 2.2)
                let message = match port {
                    NATT_PORT => received.data.strip_prefix(&[0; 4]),
                    _ => Some(&*received.data),
                };
                let Some(message) = message else { continue };
                let (from, to, bytes) = (received.from, received.to, message.to_vec());
                gateway.datagram(Datagram { from, to, port, bytes });
            }
        }
    }
}
