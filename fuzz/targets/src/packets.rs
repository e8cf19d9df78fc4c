//! Packets: ESP from a stranger and from the peer, cleartext, DHCP.

use crate::support::{HUB, ip, net, spoke_policy};
use hubward_crypto::esp::{EspKeys, HEADER_LEN, SealJob, seal};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::dhcp;
use hubward_proto::esp::inbound::{Arrived, Inbound};
use hubward_proto::esp::outbound::{Outbound, Outcome};
use hubward_proto::esp::replay::ReplayWindow;
use hubward_proto::esp::sa::{ChildSa, Direction, Half};
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::flow::tables::Tables;
use hubward_proto::names::{ChildId, InterfaceId, Service, Spi, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use hubward_proto::time::Instant;
use hubward_proto::wire::ip::{Ipv4, header, protocol};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

const SPOKE: &str = "10.100.2.102";

fn suites() -> [EspSuite; 3] {
    [
        EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap(),
        EspSuite::new(EspCipher::Aes256, Some(EspAuth::Sha256)).unwrap(),
        EspSuite::new(EspCipher::AesGcm128, None).unwrap(),
    ]
}

/// The hub's child SA with a spoke.
fn child(suite: EspSuite, mode: Mode) -> Arc<ChildSa> {
    let path = Path {
        local: ip(HUB),
        local_port: 500,
        remote: ip(SPOKE),
        remote_port: 500,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    };
    let half = |spi| Half { spi: Spi(spi), keymat: Secret::new(vec![7; suite.keymat_len()]) };
    let selector = match mode {
        Mode::Tunnel => Selector::between(net("10.1.0.0/16"), net("10.2.0.0/16")),
        Mode::Transport => Selector::between(AddressRange::host(path.local), AddressRange::host(path.remote)),
    };
    Arc::new(ChildSa {
        id: ChildId(1),
        path,
        service: Service::entry("mymap", 10),
        selector,
        lease: None,
        mode,
        suite,
        inbound: half(0x1001),
        outbound: half(0x2002),
        replay_window: 64,
        soft_bytes: None,
        hard_bytes: None,
        df: DfBit::Copy,
    })
}

/// Opens one packet, and checks that everything delivered is within the selector.
fn open(child: &Arc<ChildSa>, packet: &mut [u8]) -> usize {
    let sad = Sad::new();
    sad.install(child, Direction::Inbound).unwrap();
    let mut inbound = Inbound::new(&sad);
    let mut delivered = 0;
    let length = packet.len();
    let arrived = Arrived {
        bytes: packet,
        local: None,
        remote: ip(SPOKE),
        remote_port: 500,
        encapsulation: Encapsulation::Native,
        tos: 3,
    };
    inbound.process(Instant::ORIGIN, std::iter::once(arrived), |_, inner| {
        let view = Ipv4::parse(inner).expect("what is delivered is an IPv4 packet");
        assert!(child.selector.remote.contains(IpAddr::V4(view.source())));
        assert!(child.selector.local.contains(IpAddr::V4(view.destination())));
        assert!(inner.len() <= length + 20);
        delivered += 1;
    });
    assert!(delivered + inbound.notices().len() <= 2);
    delivered
}

/// What a stranger sends: without the keys nothing is delivered.
pub(crate) fn esp_open(data: &[u8]) {
    let Some((first, packet)) = data.split_first() else { return };
    let suite = suites()[usize::from(first & 3) % 3];
    let child = child(suite, if first & 4 == 0 { Mode::Tunnel } else { Mode::Transport });
    let known = esp_packets().iter().any(|seed| seed[1..] == *packet);
    let delivered = open(&child, &mut packet.to_vec());
    assert!(delivered == 0 || known, "a packet that nobody sealed");
}

/// What the peer seals: any trailer and any inner packet with the right keys.
pub(crate) fn esp_inner(data: &[u8]) {
    let Some((first, plain)) = data.split_first() else { return };
    let suite = suites()[usize::from(first & 3) % 3];
    let child = child(suite, if first & 4 == 0 { Mode::Tunnel } else { Mode::Transport });
    let block = suite.cipher().block_len();
    let mut plain = plain.to_vec();
    plain.resize(plain.len().next_multiple_of(block), 0);
    open(&child, &mut sealed(suite, &plain));
}

fn sealed(suite: EspSuite, plain: &[u8]) -> Vec<u8> {
    let keys = EspKeys::new(suite, &vec![7; suite.keymat_len()]).unwrap();
    let mut packet = [0x1001u32.to_be_bytes(), 1u32.to_be_bytes()].concat();
    assert_eq!(packet.len(), HEADER_LEN);
    packet.resize(HEADER_LEN + suite.cipher().iv_len(), 9);
    packet.extend(plain);
    packet.resize(packet.len() + suite.icv_len(), 0);
    seal(&mut [SealJob { keys: &keys, packet: &mut packet }]).expect("whole blocks");
    packet
}

fn udp(source: [u8; 4], destination: [u8; 4]) -> Vec<u8> {
    let (source, destination) = (Ipv4Addr::from(source), Ipv4Addr::from(destination));
    let mut packet = header(source, destination, protocol::UDP, 1, 16).to_vec();
    packet.extend([0, 53, 0, 53, 0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    packet
}

/// The plaintexts of seeds: an inner packet with its trailer.
fn plain(suite: EspSuite) -> Vec<u8> {
    let mut plain = udp([10, 2, 2, 10], [10, 1, 1, 10]);
    let padding = (plain.len() + 2).next_multiple_of(suite.cipher().block_len()) - plain.len() - 2;
    plain.extend((1..=padding).map(|byte| byte as u8));
    plain.extend([padding as u8, protocol::IPIP]);
    plain
}

pub(crate) fn inner_packets() -> Vec<Vec<u8>> {
    let seeds = suites().into_iter().zip(0u8..).map(|(suite, index)| [&[index], &plain(suite)[..]].concat());
    seeds.chain([vec![4, 0, 53, 0, 53, 0, 8, 0, 0, 1, 2, 3, 4, 5, 6, 6, protocol::UDP]]).collect()
}

pub(crate) fn esp_packets() -> Vec<Vec<u8>> {
    let seeds = suites().into_iter().zip(0u8..);
    seeds.map(|(suite, index)| [&[index], &sealed(suite, &plain(suite))[..]].concat()).collect()
}

/// Sequence numbers against a set: each number is accepted once, and only while it is in the
/// window.
pub(crate) fn replay_window(data: &[u8]) {
    let Some(([high, low], rest)) = data.split_first_chunk::<2>() else { return };
    let wanted = u32::from(u16::from_be_bytes([*high, *low]));
    let mut window = ReplayWindow::new(wanted);
    let size = if wanted == 0 { u32::MAX } else { wanted.clamp(64, 4096).next_multiple_of(64) };
    let mut seen = BTreeSet::new();
    let mut highest = 0u32;
    for step in rest.chunks_exact(4) {
        let number = u32::from_be_bytes([step[0], step[1], step[2], step[3]]);
        let sequence = match number >> 30 {
            0 => number,
            1 => highest.saturating_add(number & 0xff),
            2 => highest.saturating_sub(number & 0x1fff),
            _ => u32::MAX - (number & 0xff),
        };
        let inside = sequence > highest || highest - sequence < size;
        let expected = sequence != 0 && (wanted == 0 || (inside && !seen.contains(&sequence)));
        assert_eq!(window.may_accept(sequence), expected, "{sequence} of {highest}");
        assert_eq!(window.accept(sequence), expected, "{sequence} of {highest}");
        if expected {
            seen.insert(sequence);
            highest = highest.max(sequence);
            assert_eq!(window.highest(), highest);
        }
    }
}

pub(crate) fn sequences() -> Vec<Vec<u8>> {
    let steps: Vec<u8> = [1u32, 2, 3, 0x4000_0001, 0x8000_0002, 0x4000_00ff, 0x8000_0040, u32::MAX]
        .into_iter()
        .flat_map(u32::to_be_bytes)
        .collect();
    [0u16, 64, 100, 1024, u16::MAX].iter().map(|size| [&size.to_be_bytes(), &steps[..]].concat()).collect()
}

/// An outgoing packet is protected, held back, or sent in clear, and in clear only if no line
/// permits it.
pub(crate) fn cleartext_packet(data: &[u8]) {
    let policy = spoke_policy(SPOKE, "10.2.0.0/16");
    let tables = Tables::build(&policy, vec![net("10.5.5.0/24")]);
    let (empty, full) = (Sad::new(), Sad::new());
    let child = child(suites()[0], Mode::Tunnel);
    let mut spoke = (*child).clone();
    spoke.selector = child.selector.mirrored();
    full.install(&Arc::new(spoke), Direction::Outbound).unwrap();
    let protected = Ipv4::parse(data).is_some_and(|view| {
        net("10.2.0.0/16").contains(IpAddr::V4(view.source()))
            && net("10.1.0.0/16").contains(IpAddr::V4(view.destination()))
    });
    let mut outbound = Outbound::new(&empty, [1; 32]);
    match outbound.push(&tables, Instant::ORIGIN, data) {
        Outcome::Acquire(_) => assert!(protected),
        Outcome::Drop(_) => assert!(!protected),
        Outcome::Clear => assert!(!protected && Ipv4::parse(data).is_some()),
        other => panic!("{other:?} without an SA"),
    }
    let mut outbound = Outbound::new(&full, [1; 32]);
    let outcome = outbound.push(&tables, Instant::ORIGIN, data);
    assert_eq!(matches!(outcome, Outcome::Queued), protected, "{outcome:?}");
    outbound.seal(|batch| assert_eq!(batch.len(), usize::from(protected)));
}

pub(crate) fn ip_packets() -> Vec<Vec<u8>> {
    vec![
        udp([10, 2, 2, 10], [10, 1, 1, 10]),
        udp([10, 2, 2, 10], [10, 5, 5, 1]),
        udp([192, 0, 2, 1], [198, 51, 100, 1]),
        [0x46].into_iter().chain(udp([10, 2, 2, 10], [10, 1, 1, 10]).into_iter().skip(1)).collect(),
    ]
}

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn dhcp_pool() -> dhcp::server::Pool {
    dhcp::server::Pool {
        network: "10.1.1.0/29".parse().unwrap(),
        server: Ipv4Addr::new(10, 1, 1, 1),
        excluded: vec![(Ipv4Addr::new(10, 1, 1, 1), Ipv4Addr::new(10, 1, 1, 2))],
        routers: vec![Ipv4Addr::new(10, 1, 1, 1)],
        dns: vec![Ipv4Addr::new(10, 1, 1, 1)],
        domain: Some("example.com".into()),
        lease: Duration::from_secs(3600),
        dynamic: true,
        fixed: Vec::new(),
    }
}

/// The packets that a client sent, from discovery to a lease and its renewal, and the server's
/// packets.
fn dhcp_conversation() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let mut client = dhcp::Client::new(MAC, "host", [1; 32], Instant::ORIGIN);
    let mut server = dhcp::server::Server::new(dhcp_pool());
    let (mut requests, mut answers) = (vec![], vec![]);
    let mut now = Instant::ORIGIN;
    for _ in 0..4 {
        now = now.max(client.poll_timeout());
        client.handle_timeout(now);
        while let Some(effect) = client.poll() {
            let dhcp::Effect::Send(packet) = effect else { continue };
            if let Some(answer) = server.handle(now, &packet) {
                client.handle(now, &answer);
                answers.push(answer);
            }
            requests.push(packet);
        }
    }
    (requests, answers)
}

pub(crate) fn dhcp_requests() -> Vec<Vec<u8>> {
    dhcp_conversation().0
}

pub(crate) fn dhcp_answers() -> Vec<Vec<u8>> {
    dhcp_conversation().1
}

/// What a server on the link sends: the client never uses an address that is not a host's, and
/// sends no flood.
pub(crate) fn dhcp_client(data: &[u8]) {
    let mut client = dhcp::Client::new(MAC, "host", [1; 32], Instant::ORIGIN);
    let mut now = Instant::ORIGIN;
    let mut sent = 0;
    let (_, answers) = dhcp_conversation();
    client.handle_timeout(now);
    client.handle(now, data);
    for packet in answers.iter().take(1).map(Vec::as_slice).chain([data, data]) {
        client.handle(now, packet);
        while let Some(effect) = client.poll() {
            match effect {
                dhcp::Effect::Send(_) | dhcp::Effect::Unicast { .. } => sent += 1,
                dhcp::Effect::Bound(lease) => {
                    let address = lease.address.addr();
                    assert!(!address.is_loopback() && !address.is_multicast() && !address.is_unspecified());
                }
                dhcp::Effect::Lost => {}
            }
        }
    }
    assert!(sent <= 8, "{sent} packets for four");
    // after a hundred timers it still does not spin
    for _ in 0..100 {
        let next = client.poll_timeout();
        assert!(next >= now, "a timer in the past");
        now = next;
        client.handle_timeout(now);
        while client.poll().is_some() {}
    }
    assert!(now.since_origin() > Duration::from_secs(60), "{now:?}");
}

/// What a client on the link sends: no more than the pool is leased.
pub(crate) fn dhcp_server(data: &[u8]) {
    let mut server = dhcp::server::Server::new(dhcp_pool());
    for packet in [data].into_iter().chain(dhcp_requests().iter().map(Vec::as_slice)).chain([data]) {
        if let Some(answer) = server.handle(Instant::ORIGIN, packet) {
            assert!(answer.len() <= 576, "{} bytes", answer.len());
            assert!(Ipv4::parse(&answer).is_some());
        }
    }
    let lent = server.lent(Instant::ORIGIN);
    assert!(lent.len() <= 4, "{lent:?}");
    assert!(lent.iter().all(|address| (3..=6).contains(&address.octets()[3])), "{lent:?}");
}
