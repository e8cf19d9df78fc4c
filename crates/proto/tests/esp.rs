//! Packets through both ends of a tunnel: each end opens what the other seals, and nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::esp::inbound::{Arrived, Inbound, Notice, Refused};
use hubward_proto::esp::outbound::{DropReason, Outbound, Outcome, Sealed};
use hubward_proto::esp::sa::{ChildSa, Direction, Half};
use hubward_proto::esp::sad::{Counted, Reached, Sad};
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::flow::tables::{Lookup, Tables};
use hubward_proto::flow::too_big::Told;
use hubward_proto::limits;
use hubward_proto::names::{ChildId, InterfaceId, Service, Spi, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use hubward_proto::policy::{
    CryptoAcl, CryptoAclLine, CryptoMap, EntryTerms, Interface, MapEntry, MapEntryKind, Policy,
};
use hubward_proto::time::Instant;
use hubward_proto::wire::ip;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

fn range(text: &str) -> AddressRange {
    AddressRange::prefix(text.parse().unwrap())
}

fn suite() -> EspSuite {
    EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap()
}

/// The child SA as the spoke has it, and as the hub has it.
fn pair(suite: EspSuite, mode: Mode, change: impl Fn(&mut ChildSa)) -> (Arc<ChildSa>, Arc<ChildSa>) {
    let path = Path {
        local: "10.100.2.102".parse().unwrap(),
        local_port: 500,
        remote: "10.48.67.181".parse().unwrap(),
        remote_port: 500,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    };
    let half =
        |spi: u32, fill: u8| Half { spi: Spi(spi), keymat: Secret::new(vec![fill; suite.keymat_len()]) };
    let selector = match mode {
        Mode::Tunnel => Selector::between(range("10.2.0.0/16"), range("10.1.0.0/16")),
        Mode::Transport => Selector::between(AddressRange::host(path.local), AddressRange::host(path.remote)),
    };
    let mut spoke = ChildSa {
        id: ChildId(1),
        path,
        service: Service::entry("mymap", 10),
        selector,
        lease: None,
        mode,
        suite,
        inbound: half(0x1001, 1),
        outbound: half(0x2002, 2),
        replay_window: 64,
        soft_bytes: None,
        hard_bytes: None,
        df: DfBit::Copy,
    };
    change(&mut spoke);
    let mut hub = spoke.clone();
    hub.path = Path { local: path.remote, remote: path.local, ..path };
    hub.selector = spoke.selector.mirrored();
    hub.inbound = spoke.outbound.clone();
    hub.outbound = spoke.inbound.clone();
    (Arc::new(spoke), Arc::new(hub))
}

fn packet(source: &str, destination: &str, length: usize) -> Vec<u8> {
    let (source, destination): (Ipv4Addr, Ipv4Addr) = (source.parse().unwrap(), destination.parse().unwrap());
    let mut packet = ip::header(source, destination, ip::protocol::UDP, 0, length).to_vec();
    packet.extend((0..length).map(|byte| byte as u8));
    packet
}

fn seal(child: &Arc<ChildSa>, packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let sad = Sad::new();
    sad.install(child, Direction::Outbound).unwrap();
    let mut outbound = Outbound::new(&sad, [5; 32]);
    for packet in packets {
        let outcome = outbound.push(&Tables::default(), Instant::ORIGIN, packet);
        assert!(matches!(outcome, Outcome::Queued), "{outcome:?}");
    }
    let mut sealed = Vec::new();
    outbound.seal(|batch| sealed.extend(batch.iter().flat_map(Sealed::packets).map(<[u8]>::to_vec)));
    sealed
}

struct Receiver {
    sad: Sad,
    inbound: Inbound,
    now: Instant,
}

impl Receiver {
    fn new(child: &Arc<ChildSa>) -> Self {
        let sad = Sad::new();
        sad.install(child, Direction::Inbound).unwrap();
        Self { inbound: Inbound::new(&sad), sad, now: Instant::ORIGIN }
    }

    /// Opens packets, each of which arrives in UDP from the next port.
    fn open_from_ports(&mut self, packets: &[Vec<u8>]) -> Vec<Notice> {
        let mut packets = packets.to_vec();
        let batch = packets.iter_mut().zip(20_000..).map(|(bytes, remote_port)| Arrived {
            bytes,
            local: None,
            remote: "10.100.2.102".parse().unwrap(),
            remote_port,
            encapsulation: Encapsulation::Udp,
            tos: 0,
        });
        self.inbound.process(self.now, batch, |_, _| {});
        self.inbound.notices().collect()
    }

    fn open(&mut self, packets: &[Vec<u8>]) -> (Vec<Vec<u8>>, Vec<Notice>) {
        let mut packets = packets.to_vec();
        let mut out = Vec::new();
        let batch = packets.iter_mut().map(|bytes| Arrived {
            bytes,
            local: None,
            remote: "10.100.2.102".parse().unwrap(),
            remote_port: 500,
            encapsulation: Encapsulation::Native,
            tos: 0,
        });
        self.inbound.process(self.now, batch, |_, packet| out.push(packet.to_vec()));
        (out, self.inbound.notices().collect())
    }
}

#[test]
fn every_suite_and_length_in_tunnel_mode() {
    let mut suites =
        vec![EspSuite::new(EspCipher::AesGcm128, None), EspSuite::new(EspCipher::AesGcm256, None)];
    for cipher in
        [EspCipher::Des, EspCipher::TripleDes, EspCipher::Aes128, EspCipher::Aes192, EspCipher::Aes256]
    {
        for auth in [EspAuth::Md5, EspAuth::Sha1, EspAuth::Sha256, EspAuth::Sha384, EspAuth::Sha512] {
            suites.push(EspSuite::new(cipher, Some(auth)));
        }
    }
    for suite in suites.into_iter().flatten() {
        let (spoke, hub) = pair(suite, Mode::Tunnel, |_| {});
        let packets: Vec<_> =
            (8..40).chain([1400]).map(|length| packet("10.2.2.2", "10.1.1.1", length)).collect();
        let (opened, notices) = Receiver::new(&hub).open(&seal(&spoke, &packets));
        assert_eq!(opened, packets, "{suite:?}");
        assert_eq!(notices, [Notice::Seen(ChildId(1))]);
    }
}

#[test]
fn transport_mode() {
    let (spoke, hub) = pair(suite(), Mode::Transport, |_| {});
    let packets = [packet("10.100.2.102", "10.48.67.181", 64)];
    let (opened, _) = Receiver::new(&hub).open(&seal(&spoke, &packets));
    assert_eq!(opened, packets);
}

#[test]
fn a_replayed_packet_is_refused() {
    let (spoke, hub) = pair(suite(), Mode::Tunnel, |_| {});
    let sealed = seal(&spoke, &[packet("10.2.2.2", "10.1.1.1", 64)]);
    let mut receiver = Receiver::new(&hub);
    assert_eq!(receiver.open(&sealed).0.len(), 1);
    let (opened, notices) = receiver.open(&sealed);
    assert!(opened.is_empty());
    assert_eq!(notices, [Notice::Refused(ChildId(1), Refused::Replay)]);
    // a replay within one batch is refused too
    let mut receiver = Receiver::new(&hub);
    let twice = [sealed[0].clone(), sealed[0].clone()];
    assert_eq!(receiver.open(&twice).0.len(), 1);
}

/// Someone who knows an SPI sends invalid packets without end: the notices about them must not fill
/// the queue that IKE goes through.
#[test]
fn a_flood_of_refused_packets_tells_little() {
    let (spoke, hub) = pair(suite(), Mode::Tunnel, |_| {});
    let sealed = seal(&spoke, &[packet("10.2.2.2", "10.1.1.1", 64)]);
    let mut rubbish = sealed[0].clone();
    rubbish[7] = 9;
    let mut receiver = Receiver::new(&hub);
    let told: usize = (0..100).map(|_| receiver.open(&vec![rubbish.clone(); 32]).1.len()).sum();
    assert_eq!(told, limits::REFUSALS_TOLD as usize);
    receiver.open(&sealed);
    let replayed = receiver.open(&sealed).1;
    assert_eq!(replayed, [Notice::Refused(ChildId(1), Refused::Replay)], "another kind");
    let sa = receiver.sad.get(ChildId(1), Direction::Inbound).unwrap();
    assert_eq!(sa.counters.verify_errors.load(std::sync::atomic::Ordering::Relaxed), 3200);
    receiver.now = Instant::ORIGIN + std::time::Duration::from_secs(1);
    assert_eq!(receiver.open(&[rubbish]).1, [Notice::Refused(ChildId(1), Refused::Icv)], "the next second");
}

/// A peer that sends each packet from another port is followed at most once a second.
#[test]
fn a_peer_that_moves_with_each_packet() {
    let (spoke, hub) = pair(suite(), Mode::Tunnel, |_| {});
    let mut hub = (*hub).clone();
    hub.path.encapsulation = Encapsulation::Udp;
    let packets = vec![packet("10.2.2.2", "10.1.1.1", 64); 40];
    let sealed = seal(&spoke, &packets);
    let mut receiver = Receiver::new(&Arc::new(hub));
    let moves = |notices: Vec<Notice>| -> Vec<u16> {
        let port = |notice| match notice {
            Notice::Moved(_, _, port) => Some(port),
            _ => None,
        };
        notices.into_iter().filter_map(port).collect()
    };
    assert_eq!(moves(receiver.open_from_ports(&sealed[..30])), [20_000]);
    receiver.now = Instant::ORIGIN + std::time::Duration::from_secs(1);
    assert_eq!(moves(receiver.open_from_ports(&sealed[30..])), [20_000]);
}

/// A check value that old systems truncate to 96 bits is distinguished from a wrong one.
#[test]
fn a_check_value_of_96_bits() {
    for cipher in [EspCipher::TripleDes, EspCipher::Aes128] {
        let suite = EspSuite::new(cipher, Some(EspAuth::Sha256)).unwrap();
        let (spoke, hub) = pair(suite, Mode::Tunnel, |_| {});
        let [sealed] = &seal(&spoke, &[packet("10.2.2.2", "10.1.1.1", 64)])[..] else { panic!("one packet") };
        let cut = |by: usize| sealed[..sealed.len() - by].to_vec();
        let refused = |bytes: Vec<u8>| Receiver::new(&hub).open(&[bytes]).1;
        assert_eq!(refused(cut(4)), [Notice::Refused(ChildId(1), Refused::ShortIcv)]);
        for other in [1, 3, 5, 8] {
            assert_eq!(refused(cut(other)), [Notice::Refused(ChildId(1), Refused::Icv)], "{other}");
        }
    }
    // packets of another algorithm are never mistaken for this
    let (spoke, hub) = pair(suite(), Mode::Tunnel, |_| {});
    let sealed = seal(&spoke, &[packet("10.2.2.2", "10.1.1.1", 64)]);
    let cut = sealed[0][..sealed[0].len() - 4].to_vec();
    assert_eq!(Receiver::new(&hub).open(&[cut]).1, [Notice::Refused(ChildId(1), Refused::Icv)]);
}

/// A forged sequence number must not move the window.
#[test]
fn the_window_moves_only_after_the_integrity_check() {
    let (spoke, hub) = pair(suite(), Mode::Tunnel, |_| {});
    let sealed = seal(&spoke, &[packet("10.2.2.2", "10.1.1.1", 64)]);
    let mut forged = sealed[0].clone();
    forged[4..8].copy_from_slice(&1_000_000u32.to_be_bytes());
    let mut receiver = Receiver::new(&hub);
    let (opened, notices) = receiver.open(&[forged]);
    assert!(opened.is_empty());
    assert_eq!(notices, [Notice::Refused(ChildId(1), Refused::Icv)]);
    assert_eq!(receiver.open(&sealed).0.len(), 1);
}

/// Inner sources and destinations outside the selectors, martians, and another client's address.
#[test]
fn spoofed_inner_addresses_are_refused() {
    let cases = [
        ("10.3.2.2", "10.1.1.1"),
        ("10.1.1.1", "10.1.1.2"),
        ("10.2.2.2", "10.9.1.1"),
        ("127.0.0.1", "10.1.1.1"),
        ("224.0.0.1", "10.1.1.1"),
        ("0.0.0.0", "10.1.1.1"),
        ("255.255.255.255", "10.1.1.1"),
    ];
    for (source, destination) in cases {
        // the sender's own selectors are widened, as a hostile sender's would be
        let (spoke, _) = pair(suite(), Mode::Tunnel, |child| {
            child.selector = Selector::between(range("0.0.0.0/0"), range("0.0.0.0/0"));
        });
        let (_, hub) = pair(suite(), Mode::Tunnel, |_| {});
        let (opened, notices) = Receiver::new(&hub).open(&seal(&spoke, &[packet(source, destination, 64)]));
        assert!(opened.is_empty(), "{source} -> {destination}");
        let refused =
            Refused::Selector { source: source.parse().unwrap(), destination: destination.parse().unwrap() };
        assert_eq!(notices, [Notice::Refused(ChildId(1), refused)]);
    }
    let (spoke, hub) = pair(suite(), Mode::Tunnel, |child| child.lease = None);
    let mut hub = (*hub).clone();
    hub.lease = Some("10.2.5.1".parse().unwrap());
    let sealed = seal(&spoke, &[packet("10.2.5.2", "10.1.1.1", 64), packet("10.2.5.1", "10.1.1.1", 64)]);
    let (opened, _) = Receiver::new(&Arc::new(hub)).open(&sealed);
    assert_eq!(opened.len(), 1);
}

#[test]
fn volume_limits() {
    let (spoke, _) = pair(suite(), Mode::Tunnel, |child| {
        child.soft_bytes = Some(100);
        child.hard_bytes = Some(200);
    });
    let sad = Sad::new();
    sad.install(&spoke, Direction::Outbound).unwrap();
    let mut outbound = Outbound::new(&sad, [5; 32]);
    let packet = packet("10.2.2.2", "10.1.1.1", 80);
    let mut push = || outbound.push(&Tables::default(), Instant::ORIGIN, &packet);
    assert!(matches!(push(), Outcome::Queued));
    assert!(matches!(push(), Outcome::QueuedAndSoft(ChildId(1))));
    assert!(matches!(push(), Outcome::Drop(DropReason::Exhausted(ChildId(1)))));
    // a reader that missed the notice finds the state here
    let sa = sad.get(ChildId(1), Direction::Outbound).unwrap();
    assert_eq!(sa.reached(), Reached { seen: false, soft: true, hard: true });
}

/// A peer that sends more than it receives, and counts nothing itself: the inbound SA also asks for
/// a rekey, later than the outbound SA would.
#[test]
fn volume_limits_of_what_comes() {
    let (spoke, _) = pair(suite(), Mode::Tunnel, |_| {});
    let (_, hub) = pair(suite(), Mode::Tunnel, |child| {
        child.soft_bytes = Some(360);
        child.hard_bytes = Some(400);
    });
    // 90 bytes each: 360 after the fourth; 380 is half-way to the hard limit
    let packets = vec![packet("10.2.2.2", "10.1.1.1", 70); 4];
    let more = vec![packet("10.2.2.2", "10.1.1.1", 2); 2];
    let sealed = seal(&spoke, &[packets, more].concat());
    let mut receiver = Receiver::new(&hub);
    assert_eq!(receiver.open(&sealed[..4]).1, [Notice::Seen(ChildId(1))]);
    assert_eq!(receiver.open(&sealed[4..5]).1, [Notice::NearlyExhausted(ChildId(1))]);
    let (spoke, _) = pair(suite(), Mode::Tunnel, |_| {});
    let sealed = seal(&spoke, &vec![packet("10.2.2.2", "10.1.1.1", 75); 5]);
    let notices = Receiver::new(&hub).open(&sealed).1;
    assert_eq!(
        notices,
        [Notice::Seen(ChildId(1)), Notice::NearlyExhausted(ChildId(1)), Notice::Exhausted(ChildId(1))],
        "told once"
    );
}

/// Truncated, extended and changed packets are never delivered and never cause a panic.
#[test]
fn mutated_packets_are_refused() {
    let (spoke, hub) = pair(suite(), Mode::Tunnel, |_| {});
    let sealed = seal(&spoke, &[packet("10.2.2.2", "10.1.1.1", 100)]).remove(0);
    let mut receiver = Receiver::new(&hub);
    for length in 0..sealed.len() {
        assert!(receiver.open(&[sealed[..length].to_vec()]).0.is_empty());
    }
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(receiver.open(&[changed]).0.is_empty(), "bit {bit}");
    }
    assert_eq!(receiver.open(&[sealed]).0.len(), 1);
}

#[test]
fn a_packet_without_an_sa_follows_the_policy() {
    let sad = Sad::new();
    let tables = Tables::build(&hubward_proto::policy::Policy::default(), vec![range("10.5.5.0/24")]);
    let mut outbound = Outbound::new(&sad, [5; 32]);
    let pool = outbound.push(&tables, Instant::ORIGIN, &packet("10.1.1.1", "10.5.5.9", 10));
    assert!(matches!(pool, Outcome::Drop(DropReason::NoSa)));
    let other = outbound.push(&tables, Instant::ORIGIN, &packet("10.1.1.1", "192.0.2.1", 10));
    assert!(matches!(other, Outcome::Clear));
    assert!(matches!(
        outbound.push(&tables, Instant::ORIGIN, &[0x45, 0, 0]),
        Outcome::Drop(DropReason::Malformed)
    ));
}

/// The ACL decides before the SAs: a deny line keeps a flow out of the SA of a wider permit line.
#[test]
fn a_denied_flow_stays_out_of_the_sa_of_a_wider_permit() {
    let line = |permit, local: &str| CryptoAclLine {
        permit,
        selector: Selector::between(range(local), range("10.1.0.0/16")),
        line: 1,
    };
    let acl =
        CryptoAcl { name: "101".into(), lines: vec![line(false, "10.2.2.5/32"), line(true, "10.2.0.0/16")] };
    let entry = MapEntry {
        sequence: 10,
        kind: MapEntryKind::Static {
            peers: vec!["10.48.67.181".parse().unwrap()],
            terms: EntryTerms { acl: Some(Arc::new(acl)), ..EntryTerms::default() },
        },
        line: 1,
    };
    let policy = Policy {
        maps: vec![Arc::new(CryptoMap {
            name: "mymap".into(),
            entries: vec![entry],
            xauth_list: None,
            authorization_list: None,
            respond: false,
            initiate: false,
        })],
        interfaces: vec![Interface {
            id: InterfaceId(0),
            name: "FastEthernet0/0".into(),
            address: None,
            crypto_map: Some("mymap".into()),
        }],
        ..Policy::default()
    };
    let tables = Tables::build(&policy, Vec::new());
    let sad = Sad::new();
    let mut outbound = Outbound::new(&sad, [5; 32]);
    let mut push = |source: &str| outbound.push(&tables, Instant::ORIGIN, &packet(source, "10.1.1.1", 8));
    assert!(matches!(push("10.2.2.5"), Outcome::Clear), "before the SA");
    assert!(matches!(push("10.2.2.6"), Outcome::Acquire(_)));
    let (spoke, _) = pair(suite(), Mode::Tunnel, |_| {});
    sad.install(&spoke, Direction::Outbound).unwrap();
    assert!(matches!(push("10.2.2.6"), Outcome::Queued));
    let denied = push("10.2.2.5");
    assert!(matches!(denied, Outcome::Clear), "with the SA up: {denied:?}");
}

/// What is sent for one cleartext packet: ESP lengths, DF bits and TOS bytes, or how many bytes
/// fit.
fn sent(child: &Arc<ChildSa>, sad: &Sad, packet: &[u8]) -> Result<Vec<(usize, bool, u8)>, usize> {
    let mut outbound = Outbound::new(sad, [5; 32]);
    match outbound.push(&Tables::default(), Instant::ORIGIN, packet) {
        Outcome::Queued => {}
        Outcome::TooBig(mtu) => return Err(mtu),
        other => panic!("{child:?}: {other:?}"),
    }
    let mut out = Vec::new();
    outbound.seal(|batch| {
        out.extend(
            batch
                .iter()
                .flat_map(|run| run.packets().map(|packet| (packet.len() + 20, run.dont_fragment, run.tos))),
        )
    });
    Ok(out)
}

#[test]
fn df_bit_and_fragmentation_before_encryption() {
    let inner = |length: usize, df: bool| {
        let mut packet = packet("10.2.2.2", "10.1.1.1", length - 20);
        packet[1] = 0xb9;
        packet[6] = if df { 0x40 } else { 0 };
        packet
    };
    for (df, with, without) in
        [(DfBit::Copy, true, false), (DfBit::Set, true, true), (DfBit::Clear, false, false)]
    {
        let (spoke, _) = pair(suite(), Mode::Tunnel, |child| child.df = df);
        let sad = Sad::new();
        sad.install(&spoke, Direction::Outbound).unwrap();
        // 1446 is the longest that fits, and DSCP and ECN are copied
        assert_eq!(sent(&spoke, &sad, &inner(1446, true)), Ok(vec![(1496, with, 0xb9)]));
        assert_eq!(sent(&spoke, &sad, &inner(1446, false)), Ok(vec![(1496, without, 0xb9)]));
        let pieces = sent(&spoke, &sad, &inner(1447, false)).unwrap();
        assert_eq!(pieces.len(), 2);
        assert!(pieces.iter().all(|piece| piece.0 <= 1500 && piece.1 == without && piece.2 == 0xb9));
        let whole = sent(&spoke, &sad, &inner(1447, true));
        // with `clear` it is fragmented after encryption, whatever the inner packet's DF bit says
        assert_eq!(whole, if df == DfBit::Clear { Ok(vec![(1504, false, 0xb9)]) } else { Err(1446) });
    }
    let (spoke, _) = pair(suite(), Mode::Transport, |_| {});
    let sad = Sad::new();
    sad.install(&spoke, Direction::Outbound).unwrap();
    let mut long = packet("10.100.2.102", "10.48.67.181", 1480);
    assert_eq!(sent(&spoke, &sad, &long).unwrap().len(), 1, "transport mode carries whole packets");
    long[6] = 0x40;
    assert_eq!(sent(&spoke, &sad, &long), Err(1466));
}

#[test]
fn fragments_are_opened_and_are_the_packet() {
    let (spoke, hub) = pair(suite(), Mode::Tunnel, |_| {});
    let whole = packet("10.2.2.2", "10.1.1.1", 4000);
    let (opened, _) = Receiver::new(&hub).open(&seal(&spoke, std::slice::from_ref(&whole)));
    assert_eq!(opened.len(), 3);
    assert_eq!(opened.iter().flat_map(|piece| piece[20..].to_vec()).collect::<Vec<_>>(), whole[20..]);
}

#[test]
fn a_router_is_believed_when_it_quotes_a_packet_that_was_sent() {
    let (spoke, _) = pair(suite(), Mode::Tunnel, |_| {});
    let sad = Sad::new();
    sad.install(&spoke, Direction::Outbound).unwrap();
    let told = Told {
        local: spoke.path.local,
        remote: spoke.path.remote,
        remote_port: 0,
        encapsulation: Encapsulation::Native,
        spi: 0x2002,
        sequence: 1,
        mtu: 1300,
    };
    assert_eq!(sad.too_big(Instant::ORIGIN, &told), None, "nothing was sent yet");
    let mut long = packet("10.2.2.2", "10.1.1.1", 1400);
    long[6] = 0x40;
    sent(&spoke, &sad, &long).unwrap();
    for forged in [
        Told { spi: 0x2003, ..told },
        Told { sequence: 2, ..told },
        Told { sequence: 0, ..told },
        Told { remote: spoke.path.local, ..told },
        Told { local: spoke.path.remote, ..told },
        Told { remote_port: 4500, ..told },
        Told { encapsulation: Encapsulation::Udp, ..told },
    ] {
        assert_eq!(sad.too_big(Instant::ORIGIN, &forged), None, "{forged:?}");
    }
    assert_eq!(sad.too_big(Instant::ORIGIN, &told), Some((ChildId(1), 1300)));
    assert_eq!(sent(&spoke, &sad, &long), Err(1246));
    assert_eq!(
        sad.too_big(Instant::ORIGIN, &Told { mtu: 0, ..told }),
        Some((ChildId(1), 576)),
        "never below the floor"
    );
    // nothing is known about the MTU of a new path
    sad.repath(ChildId(1), spoke.path);
    assert!(sent(&spoke, &sad, &long).is_ok());
    sad.set_link(spoke.path.interface, 1400);
    assert_eq!(sent(&spoke, &sad, &long), Err(1350));
}

#[test]
fn a_removed_child_is_gone_from_everywhere() {
    let (spoke, _) = pair(suite(), Mode::Tunnel, |_| {});
    let (other, _) = pair(suite(), Mode::Tunnel, |child| {
        child.id = ChildId(2);
        child.inbound.spi = Spi(0x1002);
    });
    let sad = Sad::new();
    for child in [&spoke, &other] {
        sad.install(child, Direction::Inbound).unwrap();
        sad.install(child, Direction::Outbound).unwrap();
    }
    let flow = ip::Ipv4::parse(&packet("10.2.2.2", "10.1.1.1", 8)).unwrap().flow();
    let carrier = || sad.outbound_view(Lookup::BySelector).by_flow(&flow, |_| false).map(|sa| sa.child.id);
    let mut inbound = sad.inbound_view();
    assert_eq!(carrier(), Some(ChildId(2)), "the newest");
    sad.remove(ChildId(2));
    assert_eq!(carrier(), Some(ChildId(1)));
    inbound.refresh();
    assert!(inbound.by_spi(0x1002).is_none() && sad.get(ChildId(2), Direction::Inbound).is_none());
    assert!(inbound.by_spi(0x1001).is_some() && sad.get(ChildId(1), Direction::Inbound).is_some());
    sad.remove(ChildId(1));
    assert_eq!(carrier(), None);
    inbound.refresh();
    assert!(inbound.by_spi(0x1001).is_none() && sad.pairs().is_empty());
}

/// Of two workers that open packets, the later one continues where the other was: no packet is
/// delivered twice.
#[test]
fn a_window_has_one_owner() {
    let (spoke, hub) = pair(suite(), Mode::Tunnel, |_| {});
    let sealed = seal(&spoke, &[packet("10.2.2.2", "10.1.1.1", 100), packet("10.2.2.2", "10.1.1.1", 100)]);
    let mut receiver = Receiver::new(&hub);
    assert_eq!(receiver.open(&sealed[..1]).0.len(), 1);
    let mut later = Receiver { inbound: Inbound::new(&receiver.sad), sad: Sad::new(), now: Instant::ORIGIN };
    assert_eq!(later.open(&sealed).0.len(), 1, "the second only");
    let (opened, notices) = receiver.open(&sealed);
    assert!(opened.is_empty() && matches!(notices[..], [Notice::UnknownSpi { .. }, ..]), "{notices:?}");
}

/// If the kernel carries the packets, its counters are shown, and one more packet is a sign of
/// life.
#[test]
fn counters_are_taken_over() {
    let suite = EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)).unwrap();
    let (child, _) = pair(suite, Mode::Tunnel, |_| {});
    let sad = Sad::new();
    for (direction, sequence) in [(Direction::Inbound, 7), (Direction::Outbound, u32::MAX)] {
        sad.install(&child, direction).unwrap();
        let sa = sad.get(child.id, direction).unwrap();
        let mut counted = Counted { packets: 7, bytes: 700, replay_errors: 1, verify_errors: 2, sequence };
        let later = |seconds| Instant::ORIGIN + std::time::Duration::from_secs(seconds);
        sa.counted(later(1), direction, counted);
        counted.verify_errors += 1;
        sa.counted(later(2), direction, counted);
        assert_eq!(sa.counters.last(), Some(later(1)), "a refused packet is no sign of life");
        let value = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &sa.counters;
        let all = [&counters.packets, &counters.bytes, &counters.replay_errors, &counters.verify_errors];
        assert_eq!(all.map(value), [7, 700, 1, 3]);
        assert_eq!(value(&counters.errors), 4);
        assert_eq!(sa.last_sequence(direction), sequence);
    }
}

/// A worker that gets no packets does not keep the keys of an SA that is gone.
#[test]
fn what_is_gone_is_let_go() {
    let (spoke, _) = pair(suite(), Mode::Tunnel, |_| {});
    let sad = Sad::new();
    let (mut outbound, mut inbound) = (Outbound::new(&sad, [5; 32]), Inbound::new(&sad));
    sad.install(&spoke, Direction::Outbound).unwrap();
    sad.install(&spoke, Direction::Inbound).unwrap();
    outbound.refresh();
    inbound.refresh();
    let halves = sad.remove(ChildId(1));
    outbound.refresh();
    inbound.refresh();
    for sa in [halves.inbound.unwrap(), halves.outbound.unwrap()] {
        assert_eq!(Arc::strong_count(&sa), 1);
    }
}

/// The IVs of CBC are random (RFC 3602 section 3): none twice, each bit set in half of them, none a
/// counter, and none the end of the packet before, which would be known in advance. Those of GCM
/// only have to be different (RFC 4106 section 3.1).
#[test]
fn ivs_are_random_where_they_must_be_and_different_everywhere() {
    const PACKETS: usize = 10_000;
    for (cipher, auth, length) in [
        (EspCipher::TripleDes, Some(EspAuth::Sha1), 8),
        (EspCipher::Aes128, Some(EspAuth::Sha1), 16),
        (EspCipher::AesGcm128, None, 8),
    ] {
        let suite = EspSuite::new(cipher, auth).unwrap();
        let (spoke, _) = pair(suite, Mode::Tunnel, |_| {});
        let sad = Sad::new();
        sad.install(&spoke, Direction::Outbound).unwrap();
        let mut outbound = Outbound::new(&sad, [5; 32]);
        let inner = packet("10.2.2.10", "10.1.1.10", 40);
        let mut sealed: Vec<Vec<u8>> = Vec::new();
        while sealed.len() < PACKETS {
            for _ in 0..50 {
                let outcome = outbound.push(&Tables::default(), Instant::ORIGIN, &inner);
                assert!(matches!(outcome, Outcome::Queued), "{outcome:?}");
            }
            outbound.seal(|batch| sealed.extend(batch.iter().flat_map(Sealed::packets).map(<[u8]>::to_vec)));
        }
        let ivs: Vec<&[u8]> = sealed.iter().map(|packet| &packet[8..8 + length]).collect();
        let different: std::collections::BTreeSet<_> = ivs.iter().collect();
        assert_eq!(different.len(), ivs.len(), "{cipher:?}");
        if auth.is_none() {
            continue;
        }
        for bit in 0..length * 8 {
            let set = ivs.iter().filter(|iv| iv[bit / 8] >> (bit % 8) & 1 == 1).count();
            // half of them, and eight standard deviations
            assert!(set.abs_diff(PACKETS / 2) < 400, "{cipher:?}, bit {bit}: {set} of {PACKETS}");
        }
        let icv = suite.icv_len();
        for (before, after) in sealed.iter().zip(sealed.iter().skip(1)) {
            let last = &before[before.len() - icv - length..before.len() - icv];
            assert_ne!(last, &after[8..8 + length], "{cipher:?}");
        }
        let number = |iv: &[u8]| u64::from_be_bytes(iv[..8].try_into().unwrap());
        let steps: std::collections::BTreeSet<_> =
            ivs.windows(2).map(|two| number(two[1]).wrapping_sub(number(two[0]))).collect();
        assert_eq!(steps.len(), ivs.len() - 1, "{cipher:?}: no step twice");
    }
}
