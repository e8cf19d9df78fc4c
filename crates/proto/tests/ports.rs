//! Several ports: which SA carries the packets of each, and to which port an SA's packets go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::esp::inbound::{Arrived, Inbound, Notice, Refused};
use hubward_proto::esp::outbound::{Outbound, Outcome, Sealed};
use hubward_proto::esp::sa::{ChildSa, Direction, Half};
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::flow::tables::{Lookup, Tables};
use hubward_proto::names::{ChildId, InterfaceId, Service, Spi, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use hubward_proto::policy::{
    CryptoAcl, CryptoAclLine, CryptoMap, EntryTerms, Interface, MapEntry, MapEntryKind, Policy,
};
use hubward_proto::time::Instant;
use hubward_proto::wire::ip;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const TUNNEL_1: Lookup = Lookup::ByInterface(InterfaceId(7));
const TUNNEL_2: Lookup = Lookup::ByInterface(InterfaceId(8));
const ALL: [Lookup; 3] = [Lookup::BySelector, TUNNEL_1, TUNNEL_2];
const ANY: Selector = Selector::between(AddressRange::ANY_V4, AddressRange::ANY_V4);

fn range(text: &str) -> AddressRange {
    AddressRange::prefix(text.parse().unwrap())
}

fn service(of: Lookup) -> Service {
    match of {
        Lookup::BySelector => Service::entry("mymap", 10),
        Lookup::ByInterface(interface) => Service::Tunnel(interface),
    }
}

/// A child SA of a port whose two directions have the same keys, so that it opens what it seals.
/// Its SPI is 0x1000 plus its number.
fn child(number: u32, of: Lookup, selector: Selector) -> Arc<ChildSa> {
    let suite = EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)).unwrap();
    let spi = Spi(0x1000 + number);
    let half = || Half { spi, keymat: Secret::new(vec![number as u8; suite.keymat_len()]) };
    let path = Path {
        local: "192.0.2.1".parse().unwrap(),
        local_port: 500,
        remote: "192.0.2.2".parse().unwrap(),
        remote_port: 500,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    };
    Arc::new(ChildSa {
        id: ChildId(number.into()),
        path,
        service: service(of),
        selector,
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

fn packet(source: &str, destination: &str) -> Vec<u8> {
    let (source, destination): (Ipv4Addr, Ipv4Addr) = (source.parse().unwrap(), destination.parse().unwrap());
    let mut packet = ip::header(source, destination, ip::protocol::UDP, 0, 64).to_vec();
    packet.extend([7; 64]);
    packet
}

/// A crypto map on interface 0 that protects what goes to 10.1.0.0/16, except for one host, and has
/// a peer to contact.
fn crypto_map() -> Tables {
    let line = |permit, remote: &str| CryptoAclLine {
        permit,
        selector: Selector::between(AddressRange::ANY_V4, range(remote)),
        line: 1,
    };
    let lines = vec![line(false, "10.1.9.9/32"), line(true, "10.1.0.0/16")];
    let acl = CryptoAcl { name: "101".into(), lines };
    let terms = EntryTerms { acl: Some(Arc::new(acl)), ..EntryTerms::default() };
    let peers = vec!["192.0.2.2".parse().unwrap()];
    let map = CryptoMap {
        name: "mymap".into(),
        entries: vec![MapEntry { sequence: 10, kind: MapEntryKind::Static { peers, terms }, line: 1 }],
        xauth_list: None,
        authorization_list: None,
        respond: false,
        initiate: false,
    };
    let interface = Interface {
        id: InterfaceId(0),
        name: "FastEthernet0/0".into(),
        address: None,
        crypto_map: Some("mymap".into()),
    };
    let policy = Policy { maps: vec![Arc::new(map)], interfaces: vec![interface], ..Policy::default() };
    Tables::build(&policy, vec![range("10.5.5.0/24")])
}

/// One worker for each port, and one for received ESP.
struct Gateway {
    sad: Sad,
    tables: Tables,
    workers: Vec<(Lookup, Outbound)>,
    inbound: Inbound,
}

impl Gateway {
    fn new(tables: Tables) -> Self {
        let sad = Sad::new();
        let workers = ALL.map(|port| (port, Outbound::of_port(&sad, port, [5; 32]))).into();
        Self { inbound: Inbound::new(&sad), workers, tables, sad }
    }

    fn install(&self, children: &[Arc<ChildSa>]) {
        for child in children {
            self.sad.install(child, Direction::Inbound).unwrap();
            self.sad.install(child, Direction::Outbound).unwrap();
        }
    }

    fn push(&mut self, port: Lookup, packet: &[u8]) -> (Outcome, Vec<(Path, Vec<u8>)>) {
        let (_, outbound) = self.workers.iter_mut().find(|(known, _)| *known == port).unwrap();
        let outcome = outbound.push(&self.tables, Instant::ORIGIN, packet);
        let mut sent = Vec::new();
        outbound.seal(|batch| {
            let packets = |run: &Sealed<'_>| run.packets().map(|packet| packet.to_vec()).collect::<Vec<_>>();
            sent.extend(batch.iter().flat_map(|run| packets(run).into_iter().map(|bytes| (run.path, bytes))));
        });
        (outcome, sent)
    }

    /// The number of the child SA that protects a packet of a port, and the ESP packet.
    fn carried(&mut self, port: Lookup, packet: &[u8]) -> (u32, Vec<u8>) {
        let (outcome, mut sent) = self.push(port, packet);
        assert!(matches!(outcome, Outcome::Queued), "{port:?}: {outcome:?}");
        let (_, esp) = sent.pop().unwrap();
        (u32::from_be_bytes(*esp.first_chunk().unwrap()) - 0x1000, esp)
    }

    /// The inner packets of ESP packets, the ports that they go to, and the notices.
    fn open(&mut self, mut packets: Vec<Vec<u8>>) -> (Vec<(Lookup, Vec<u8>)>, Vec<Notice>) {
        let batch = packets.iter_mut().map(|bytes| Arrived {
            bytes,
            local: None,
            remote: IpAddr::from([192, 0, 2, 2]),
            remote_port: 0,
            encapsulation: Encapsulation::Native,
            tos: 0,
        });
        let mut out = Vec::new();
        self.inbound.process(Instant::ORIGIN, batch, |port, packet| out.push((port, packet.to_vec())));
        (out, self.inbound.notices().collect())
    }
}

#[test]
fn equal_packets_of_several_ports_go_into_the_sa_of_each_and_come_out_where_it_belongs() {
    let mut gateway = Gateway::new(crypto_map());
    // in an order that would make the last one the newest of all
    gateway.install(&[child(1, TUNNEL_1, ANY), child(2, TUNNEL_2, ANY), child(3, Lookup::BySelector, ANY)]);
    let there = packet("10.2.2.2", "10.1.1.1");
    let carried = [TUNNEL_1, TUNNEL_2, Lookup::BySelector].map(|port| gateway.carried(port, &there));
    assert_eq!(carried.each_ref().map(|(number, _)| *number), [1, 2, 3]);
    // the peer of these child SAs uses the same keys, so what it sends equals what was sent to it
    let (opened, _) = gateway.open(carried.into_iter().rev().map(|(_, esp)| esp).collect());
    assert_eq!(opened, [Lookup::BySelector, TUNNEL_2, TUNNEL_1].map(|port| (port, there.clone())));
}

#[test]
fn the_sa_of_an_interface_attracts_nothing_from_the_port_of_the_selectors() {
    let mut gateway = Gateway::new(crypto_map());
    gateway.install(&[child(1, TUNNEL_1, ANY)]);
    let mut by_selector = |destination: &str| {
        let (outcome, sent) = gateway.push(Lookup::BySelector, &packet("10.2.2.2", destination));
        assert!(sent.is_empty());
        outcome
    };
    assert!(
        matches!(by_selector("10.1.1.1"), Outcome::Acquire(wanted) if wanted.service == Service::entry("mymap", 10))
    );
    assert!(matches!(by_selector("10.1.9.9"), Outcome::Clear));
    assert!(matches!(by_selector("10.5.5.5"), Outcome::Drop(_)));
}

/// Crypto maps and their SAs are not consulted, and there is no other way out.
#[test]
fn a_packet_of_an_interface_waits_for_an_sa_of_that_interface() {
    let mut gateway = Gateway::new(crypto_map());
    gateway.install(&[child(1, Lookup::BySelector, ANY), child(2, TUNNEL_2, ANY)]);
    let packets = ["10.1.1.1", "10.1.9.9", "10.5.5.5", "203.0.113.9"].map(|to| packet("10.2.2.2", to));
    for packet in &packets {
        let (outcome, sent) = gateway.push(TUNNEL_1, packet);
        let Outcome::Acquire(wanted) = outcome else { panic!("{outcome:?}") };
        assert_eq!((wanted.interface, wanted.service), (InterfaceId(7), service(TUNNEL_1)));
        assert_eq!(wanted.flow, ip::Ipv4::parse(packet).unwrap().flow());
        assert!(sent.is_empty());
    }
    // once there is an SA, all of them are sent, although its selector contains none of them
    gateway.install(&[child(3, TUNNEL_1, Selector::between(range("10.0.0.1/32"), range("10.0.0.2/32")))]);
    assert_eq!(packets.map(|packet| gateway.carried(TUNNEL_1, &packet).0), [3; 4]);
}

#[test]
fn the_newest_child_of_an_interface_carries_and_the_one_before_takes_over() {
    let mut gateway = Gateway::new(Tables::default());
    let there = packet("10.2.2.2", "10.1.1.1");
    gateway.install(&[child(1, TUNNEL_1, ANY), child(2, TUNNEL_1, ANY), child(9, TUNNEL_2, ANY)]);
    assert_eq!(gateway.carried(TUNNEL_1, &there).0, 2);
    gateway.install(&[child(3, TUNNEL_1, ANY)]);
    assert_eq!(gateway.carried(TUNNEL_1, &there).0, 3);
    gateway.sad.remove(ChildId(2));
    assert_eq!(gateway.carried(TUNNEL_1, &there).0, 3, "an older one went");
    gateway.sad.remove(ChildId(3));
    assert_eq!(gateway.carried(TUNNEL_1, &there).0, 1);
    gateway.sad.remove(ChildId(1));
    assert!(matches!(gateway.push(TUNNEL_1, &there).0, Outcome::Acquire(_)));
    assert_eq!(gateway.carried(TUNNEL_2, &there).0, 9, "another interface");
    // a slot that was used is reused
    gateway.install(&[child(4, TUNNEL_1, ANY)]);
    assert_eq!(gateway.carried(TUNNEL_1, &there).0, 4);
}

#[test]
fn an_interface_follows_its_peer_to_another_place() {
    let mut gateway = Gateway::new(Tables::default());
    let child = child(1, TUNNEL_1, ANY);
    gateway.install(&[Arc::clone(&child)]);
    let elsewhere = Path { remote: "192.0.2.77".parse().unwrap(), ..child.path };
    let there = packet("10.2.2.2", "10.1.1.1");
    assert_eq!(gateway.push(TUNNEL_1, &there).1[0].0, child.path);
    gateway.sad.repath(child.id, elsewhere);
    assert_eq!(gateway.push(TUNNEL_1, &there).1[0].0, elsewhere);
}

/// The interface decides the SA for outgoing packets; received packets must still match the
/// selector.
#[test]
fn what_comes_in_for_an_interface_is_held_against_its_selector() {
    let mut gateway = Gateway::new(Tables::default());
    let narrow = Selector::between(range("10.2.0.0/16"), range("10.1.0.0/16"));
    gateway.install(&[child(1, TUNNEL_1, narrow)]);
    let inside = gateway.carried(TUNNEL_1, &packet("10.1.1.1", "10.2.2.2")).1;
    let outside = gateway.carried(TUNNEL_1, &packet("10.9.1.1", "10.2.2.2")).1;
    let (opened, notices) = gateway.open(vec![outside, inside]);
    assert_eq!(opened, [(TUNNEL_1, packet("10.1.1.1", "10.2.2.2"))]);
    assert!(matches!(notices[0], Notice::Refused(ChildId(1), Refused::Selector { .. })), "{notices:?}");
}
