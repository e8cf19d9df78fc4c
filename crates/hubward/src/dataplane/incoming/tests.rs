use super::*;
use crate::base::inbox::DATAGRAMS;
use crate::base::message::Message;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::esp::inbound::Refused;
use hubward_proto::esp::outbound::{Outbound, Outcome, Sealed};
use hubward_proto::esp::sa::{ChildSa, Direction, Half};
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::flow::tables::Tables;
use hubward_proto::names::{ChildId, InterfaceId, Service, Spi, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use hubward_proto::wire::ip::{self, Sum};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

const TUNNEL: Lookup = Lookup::ByInterface(InterfaceId(7));
const OTHER: Lookup = Lookup::ByInterface(InterfaceId(9));
const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

fn service(port: Lookup) -> Service {
    match port {
        Lookup::BySelector => Service::entry("mymap", 10),
        Lookup::ByInterface(interface) => Service::Tunnel(interface),
    }
}

/// A child SA of a port whose two directions have the same keys, so that it opens what it seals.
/// Its SPI is 0x1000 plus its number.
fn child(number: u32, port: Lookup, encapsulation: Encapsulation) -> Arc<ChildSa> {
    let suite = EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)).unwrap();
    let spi = Spi(0x1000 + number);
    let half = || Half { spi, keymat: Secret::new(vec![number as u8; suite.keymat_len()]) };
    let path = Path {
        local: HERE.into(),
        local_port: NATT_PORT,
        remote: PEER.into(),
        remote_port: NATT_PORT,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation,
    };
    Arc::new(ChildSa {
        id: ChildId(number.into()),
        path,
        service: service(port),
        selector: Selector::between(AddressRange::ANY_V4, AddressRange::ANY_V4),
        lease: None,
        mode: Mode::Tunnel,
        suite,
        inbound: half(),
        outbound: half(),
        replay_window: 64,
        soft_bytes: None,
        hard_bytes: None,
        df: DfBit::Copy,
    })
}

/// A datagram of the one inner flow of these tests.
fn inner(number: u16) -> Vec<u8> {
    let payload = [number as u8; 100];
    let length = u16::try_from(payload.len() + 8).unwrap();
    let (from, to) = (Ipv4Addr::new(10, 1, 1, 1), Ipv4Addr::new(10, 2, 2, 2));
    let mut header = ip::header(from, to, ip::protocol::UDP, 0, length.into());
    // numbered as the kernel would number the segments of one packet
    header[4..6].copy_from_slice(&number.to_be_bytes());
    header[10..12].fill(0);
    let sum = ip::checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    let mut udp = [&[0, 53, 0, 54][..], &length.to_be_bytes(), &[0, 0], &payload].concat();
    let sum = !Sum::default().with_pseudo_header(&header, length.into()).with(&udp).fold();
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    [&header[..], &udp].concat()
}

/// Ports, SAs and an inbox, without a socket.
struct Site {
    sad: Sad,
    gateway: Inbox,
    drops: Drops,
}

/// What was written: to which port, how many bytes, and the length of the segments that it is to be
/// cut into.
type Written = Vec<(Lookup, usize, Option<usize>)>;

const PORTS: [Lookup; 2] = [Lookup::BySelector, TUNNEL];

impl Site {
    fn with(children: &[Arc<ChildSa>]) -> Self {
        let site = Self { sad: Sad::new(), gateway: Inbox::default(), drops: Drops::default() };
        for child in children {
            site.sad.install(child, Direction::Inbound).unwrap();
            site.sad.install(child, Direction::Outbound).unwrap();
        }
        site
    }

    fn worker(&self, gathers: bool) -> Incomer<'_> {
        Incomer::new(&self.sad, &self.gateway, &self.drops, PORTS.into_iter(), (gathers, gathers))
    }

    /// What the peer of a port's child SA sends for some inner packets. The keys are the same in
    /// both directions, so it equals what is sent to the peer.
    fn sealed(&self, port: Lookup, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut outbound = Outbound::of_port(&self.sad, port, [5; 32]);
        for packet in packets {
            let outcome = outbound.push(&Tables::default(), Instant::ORIGIN, packet);
            assert!(matches!(outcome, Outcome::Queued));
        }
        let mut sealed = Vec::new();
        outbound.seal(|runs| sealed.extend(runs.iter().flat_map(Sealed::packets).map(<[u8]>::to_vec)));
        sealed
    }

    /// What waits in the inbox.
    fn waiting(&self) -> Vec<Message> {
        std::iter::from_fn(|| self.gateway.take(Duration::ZERO)).collect()
    }

    fn dropped(&self) -> [u64; 3] {
        let Drops { unknown_spi, short, send, .. } = &self.drops;
        [unknown_spi, short, send].map(|counter: &AtomicU64| counter.load(Ordering::Relaxed))
    }
}

/// One read.
fn take(worker: &mut Incomer<'_>, now: Instant, source: Source, mut read: Vec<Vec<u8>>) -> Written {
    let from = match source {
        Source::Udp => (PEER, NATT_PORT).into(),
        Source::Native => (PEER, 0).into(),
    };
    let read = read.iter_mut().map(|bytes| Packet { bytes, from, to: Some(HERE.into()), tos: 0 });
    let mut written = Vec::new();
    worker.take(now, source, read, |place, packet, whole: Option<Super>| {
        written.push((PORTS[place], packet.len(), whole.map(|whole| whole.segment)));
    });
    written
}

fn at(millis: u64) -> Instant {
    Instant::ORIGIN + Duration::from_millis(millis)
}

fn ike(number: u8) -> Vec<u8> {
    // an exchange in progress
    [vec![0; 4], vec![1; 27], vec![number]].concat()
}

#[test]
fn ike_goes_to_the_gateway_without_its_marker_and_a_keepalive_nowhere() {
    let site = Site::with(&[]);
    let mut worker = site.worker(false);
    let read = vec![vec![0xff], ike(7), vec![0xff]];
    assert!(take(&mut worker, at(0), Source::Udp, read).is_empty());
    let waiting = site.waiting();
    let [Message::Datagram(datagram)] = &waiting[..] else { panic!("{} messages", waiting.len()) };
    assert_eq!(datagram.bytes, ike(7)[4..]);
    let from = (PEER, NATT_PORT).into();
    assert_eq!((datagram.from, datagram.to, datagram.port), (from, Some(HERE.into()), NATT_PORT));
    assert_eq!(site.dropped(), [0, 0, 0]);
}

#[test]
fn what_is_too_short_is_counted_whoever_read_it() {
    let site = Site::with(&[]);
    let mut worker = site.worker(false);
    let read = || vec![vec![], vec![7], vec![7; 7]];
    assert!(take(&mut worker, at(0), Source::Udp, read()).is_empty());
    assert_eq!(site.dropped(), [0, 3, 0]);
    assert!(take(&mut worker, at(0), Source::Native, read()).is_empty());
    assert_eq!(site.dropped(), [0, 6, 0]);
    assert!(site.waiting().is_empty());
}

#[test]
fn an_unknown_spi_is_counted_each_time_and_told_now_and_then() {
    let site = Site::with(&[]);
    let mut worker = site.worker(false);
    let foreign = || vec![vec![9; 100]; 20];
    let told = |site: &Site| {
        let is_it = |message: &Message| {
            matches!(message, Message::News(News::Notice(Notice::UnknownSpi { spi: 0x0909_0909, remote, .. }))
                if *remote == PEER)
        };
        let waiting = site.waiting();
        assert!(waiting.iter().all(is_it));
        waiting.len()
    };
    assert!(take(&mut worker, at(0), Source::Native, foreign()).is_empty());
    assert_eq!((site.dropped(), told(&site)), ([20, 0, 0], 1));
    take(&mut worker, at(99), Source::Udp, foreign());
    assert_eq!((site.dropped(), told(&site)), ([40, 0, 0], 0));
    take(&mut worker, at(100), Source::Udp, foreign());
    assert_eq!((site.dropped(), told(&site)), ([60, 0, 0], 1));
}

#[test]
fn the_spi_names_the_sa_and_the_sa_its_port() {
    let native = Encapsulation::Native;
    let site = Site::with(&[child(1, Lookup::BySelector, native), child(2, TUNNEL, native)]);
    let mut worker = site.worker(false);
    let (selector, tunnel) =
        (site.sealed(Lookup::BySelector, &[inner(1)]), site.sealed(TUNNEL, &[inner(2), inner(3)]));
    let read = vec![tunnel[0].clone(), selector[0].clone(), tunnel[1].clone()];
    let written = take(&mut worker, at(0), Source::Native, read);
    assert_eq!(written, [(TUNNEL, 128, None), (Lookup::BySelector, 128, None), (TUNNEL, 128, None)]);
    // the first packet of each SA is reported, with the level that the SA reached
    let reached = |message: Message| match message {
        Message::News(News::Reached(child)) => child.0,
        _ => panic!("something else is told"),
    };
    assert_eq!(site.waiting().into_iter().map(reached).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(site.dropped(), [0, 0, 0]);
}

/// Two ports may carry equal addresses: their packets are never merged.
#[test]
fn packets_are_gathered_for_each_port_by_itself() {
    let udp = Encapsulation::Udp;
    let site = Site::with(&[child(1, Lookup::BySelector, udp), child(2, TUNNEL, udp)]);
    let mut worker = site.worker(true);
    let mut read = Vec::new();
    for (one, other) in site
        .sealed(Lookup::BySelector, &[inner(1), inner(2), inner(3)])
        .into_iter()
        .zip(site.sealed(TUNNEL, &[inner(4), inner(5), inner(6)]))
    {
        read.extend([one, other]);
    }
    let written = take(&mut worker, at(0), Source::Udp, read);
    assert_eq!(written, PORTS.map(|port| (port, 28 + 3 * 100, Some(100))));
    // nothing was left over for the next read
    assert!(take(&mut worker, at(1), Source::Udp, vec![vec![0xff]]).is_empty());
}

#[test]
fn a_packet_that_comes_twice_is_handled_once() {
    let native = Encapsulation::Native;
    let site = Site::with(&[child(1, Lookup::BySelector, native)]);
    let mut worker = site.worker(false);
    let sealed = site.sealed(Lookup::BySelector, &[inner(1)]);
    assert_eq!(take(&mut worker, at(0), Source::Native, sealed.clone()).len(), 1);
    assert_eq!(take(&mut worker, at(0), Source::Native, sealed.clone()).len(), 0);
    // nor is it taken from a source that is not its SA's
    assert_eq!(take(&mut worker, at(0), Source::Udp, site.sealed(Lookup::BySelector, &[inner(2)])).len(), 0);
    let refused = |message: Message| match message {
        Message::News(News::Notice(Notice::Refused(_, refused))) => Some(refused),
        _ => None,
    };
    let refused: Vec<_> = site.waiting().into_iter().filter_map(refused).collect();
    assert_eq!(refused, [Refused::Replay, Refused::Encapsulation]);
}

#[test]
fn what_belongs_to_a_port_that_is_not_there_is_written_nowhere() {
    let native = Encapsulation::Native;
    let site = Site::with(&[child(1, OTHER, native), child(2, TUNNEL, native)]);
    let mut worker = site.worker(false);
    let read = [site.sealed(OTHER, &[inner(1)]), site.sealed(TUNNEL, &[inner(2)])].concat();
    assert_eq!(take(&mut worker, at(0), Source::Native, read), [(TUNNEL, 128, None)]);
    assert_eq!(site.dropped(), [0, 0, 1]);
}

/// A flood of IKE on UDP 4500 fills the inbox, which drops the excess; the ESP packets among it are
/// delivered in the same read.
#[test]
fn a_flood_of_ike_keeps_no_esp_of_the_same_read_waiting() {
    let site = Site::with(&[child(1, Lookup::BySelector, Encapsulation::Udp)]);
    let mut worker = site.worker(false);
    let reads = 2 * DATAGRAMS / BATCH;
    for number in 0..reads {
        let mut read: Vec<_> = (1..BATCH).map(|number| ike(number as u8)).collect();
        let place = number % BATCH;
        read.splice(place..place, site.sealed(Lookup::BySelector, &[inner(number as u16)]));
        assert_eq!(read.len(), BATCH);
        assert_eq!(take(&mut worker, at(0), Source::Udp, read).len(), 1, "read {number}");
    }
    assert_eq!(site.gateway.dropped(), (reads * (BATCH - 1) - DATAGRAMS) as u64);
    assert_eq!(site.dropped(), [0, 0, 0]);
    // and the reports about ESP are delivered
    assert!(site.waiting().iter().any(|message| matches!(message, Message::News(News::Reached(_)))));
}
