//! Nothing is allocated per packet, in either direction: a large batch takes as many allocations as
//! a small one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unsafe_code)] // a global allocator cannot be had without it; it only counts and passes on

use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::esp::inbound::{Arrived, Inbound};
use hubward_proto::esp::outbound::{Outbound, Outcome, Sealed};
use hubward_proto::esp::sa::{ChildSa, Direction, Half};
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::flow::tables::Tables;
use hubward_proto::names::{ChildId, InterfaceId, Service, Spi, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use hubward_proto::time::Instant;
use hubward_proto::wire::ip;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::IpAddr;
use std::sync::Arc;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // a thread that is ending no longer has a counter
    let _ending = COUNT.try_with(|count| count.set(count.get() + 1));
}

// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `work` makes on this thread.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// A child SA whose two directions have the same keys, so that it opens what it seals.
fn child(mode: Mode, service: Service) -> Arc<ChildSa> {
    let suite = EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)).unwrap();
    let half = || Half { spi: Spi(0x1234), keymat: Secret::new(vec![7; suite.keymat_len()]) };
    let path = Path {
        local: address(1),
        local_port: 500,
        remote: address(2),
        remote_port: 500,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    };
    Arc::new(ChildSa {
        id: ChildId(1),
        path,
        service,
        selector: Selector::between(AddressRange::ANY_V4, AddressRange::ANY_V4),
        lease: None,
        mode,
        suite,
        inbound: half(),
        outbound: half(),
        replay_window: 4096,
        soft_bytes: None,
        hard_bytes: None,
        df: DfBit::Copy,
    })
}

struct Tunnel {
    tables: Tables,
    outbound: Outbound,
    inbound: Inbound,
    delivered: usize,
}

impl Tunnel {
    /// Seals a batch; returns what the network would carry and how many allocations that took.
    fn seal(&mut self, packets: &[Vec<u8>]) -> (Vec<Vec<u8>>, u64) {
        let mut carried = Vec::with_capacity(packets.len());
        let mut copies = 0;
        let all = allocations(|| {
            for packet in packets {
                let outcome = self.outbound.push(&self.tables, Instant::ORIGIN, packet);
                assert!(matches!(outcome, Outcome::Queued));
            }
            self.outbound.seal(|batch| {
                copies = allocations(|| {
                    carried.extend(batch.iter().flat_map(Sealed::packets).map(<[u8]>::to_vec))
                });
            });
        });
        (carried, all - copies)
    }

    /// Opens a batch whose outer headers are marked for congestion; returns how many allocations
    /// that took.
    fn open(&mut self, packets: &mut [Vec<u8>]) -> u64 {
        let batch = packets.iter_mut().map(|bytes| Arrived {
            bytes,
            local: None,
            remote: address(2),
            remote_port: 0,
            encapsulation: Encapsulation::Native,
            tos: 3,
        });
        let (inbound, delivered) = (&mut self.inbound, &mut self.delivered);
        allocations(|| inbound.process(Instant::ORIGIN, batch, |_, _| *delivered += 1))
    }
}

#[test]
fn nothing_is_allocated_per_packet() {
    let services = [Service::entry("mymap", 10), Service::Tunnel(InterfaceId(7))];
    let kinds = [Mode::Tunnel, Mode::Transport].map(|mode| services.clone().map(|service| (mode, service)));
    for (mode, service) in kinds.into_iter().flatten() {
        let child = child(mode, service);
        let sad = Sad::new();
        let mut tunnel = Tunnel {
            tables: Tables::default(),
            outbound: Outbound::of_port(&sad, child.lookup(), [1; 32]),
            inbound: Inbound::new(&sad),
            delivered: 0,
        };
        sad.install(&child, Direction::Outbound).unwrap();
        sad.install(&child, Direction::Inbound).unwrap();
        let (from, to) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let packet = |_| [&ip::header(from, to, ip::protocol::UDP, 2, 600)[..], &[5; 600]].concat();
        let mut taken = Vec::new();
        // the first round lets buffers grow
        for count in [60, 4, 60] {
            let packets: Vec<Vec<u8>> = (0..count).map(packet).collect();
            let (mut carried, sealing) = tunnel.seal(&packets);
            let opening = tunnel.open(&mut carried);
            taken.push((sealing, opening));
        }
        assert_eq!(tunnel.delivered, 124, "{mode:?}, {:?}", child.service);
        assert_eq!(taken[1], taken[2], "{mode:?}, {:?}: four packets, and sixty", child.service);
    }
}
