//! The spoof matrix: what a branch or a client with the real keys of its SA may send into the hub,
//! and what it may not. Every packet that is not its own is dropped and counted under its reason, and
//! the good packet after it still passes; over protocol 50 and in UDP, with three suites.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_crypto::esp::{EspKeys, SealJob, seal};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
use hubward_proto::esp::inbound::{Arrived, Inbound, Notice, Refused};
use hubward_proto::esp::sa::{ChildSa, Direction, Half};
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::names::{ChildId, InterfaceId, Service, Spi, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use hubward_proto::time::Instant;
use hubward_proto::wire::ip::{self, checksum, protocol};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

const HUB: [u8; 4] = [10, 48, 67, 181];
const HUB_HOST: [u8; 4] = [10, 1, 1, 10];
const OUTER: [u8; 4] = [10, 100, 2, 102];
const STRANGER: [u8; 4] = [203, 0, 113, 66];
const WINDOW: u32 = 64;

/// Whose SA carries the packet.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Via {
    /// 10.2.0.0/16 <-> 10.1.0.0/16
    Branch,
    /// 10.3.0.0/16 <-> 10.1.0.0/16
    OtherBranch,
    /// 10.5.5.1, a lease, <-> everything
    Client,
    /// 10.4.0.0/16 <-> 10.1.0.0/16, UDP port 53 of the hub's side
    Ports,
}

const ALL: [Via; 4] = [Via::Branch, Via::OtherBranch, Via::Client, Via::Ports];

impl Via {
    fn number(self) -> u32 {
        ALL.iter().position(|via| *via == self).unwrap() as u32 + 1
    }

    fn spi(self) -> u32 {
        0x1000 + self.number()
    }

    fn child(self) -> ChildId {
        ChildId(self.number().into())
    }

    /// The host behind this SA.
    fn host(self) -> [u8; 4] {
        match self {
            Self::Branch => [10, 2, 2, 10],
            Self::OtherBranch => [10, 3, 2, 10],
            Self::Client => [10, 5, 5, 1],
            Self::Ports => [10, 4, 2, 10],
        }
    }

    fn selector(self) -> Selector {
        let between = |local: &str, remote: &str| {
            Selector::between(
                AddressRange::prefix(local.parse().unwrap()),
                AddressRange::prefix(remote.parse().unwrap()),
            )
        };
        match self {
            Self::Branch => between("10.1.0.0/16", "10.2.0.0/16"),
            Self::OtherBranch => between("10.1.0.0/16", "10.3.0.0/16"),
            Self::Client => between("0.0.0.0/0", "10.5.5.1/32"),
            Self::Ports => Selector {
                protocol: Some(protocol::UDP),
                local_port: Some(53),
                ..between("10.1.0.0/16", "10.4.0.0/16")
            },
        }
    }

    fn keymat(self, suite: EspSuite) -> Vec<u8> {
        vec![self.number() as u8; suite.keymat_len()]
    }

    fn child_sa(self, suite: EspSuite, encapsulation: Encapsulation) -> Arc<ChildSa> {
        let port = if encapsulation == Encapsulation::Udp { 4500 } else { 500 };
        Arc::new(ChildSa {
            id: self.child(),
            path: Path {
                local: IpAddr::from(HUB),
                local_port: port,
                remote: IpAddr::from(OUTER),
                remote_port: port,
                interface: InterfaceId(0),
                vrf: VrfId(0),
                encapsulation,
            },
            service: Service::entry("mymap", 10),
            selector: self.selector(),
            lease: (self == Self::Client).then(|| IpAddr::from(self.host())),
            mode: Mode::Tunnel,
            suite,
            inbound: Half { spi: Spi(self.spi()), keymat: Secret::new(self.keymat(suite)) },
            outbound: Half { spi: Spi(self.spi() + 0x1000), keymat: Secret::new(self.keymat(suite)) },
            replay_window: WINDOW,
            soft_bytes: None,
            hard_bytes: None,
            df: DfBit::Copy,
        })
    }

    /// A packet that this SA may carry.
    fn good(self) -> Vec<u8> {
        udp(self.host(), HUB_HOST, 1024, 53)
    }
}

// ---- packets
// ------------------------------------------------------------------------------------------------------

fn packet(source: [u8; 4], destination: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = ip::header(Ipv4Addr::from(source), Ipv4Addr::from(destination), protocol, 0, payload.len());
    [&header[..], payload].concat()
}

fn udp(source: [u8; 4], destination: [u8; 4], from: u16, to: u16) -> Vec<u8> {
    let ports = [from.to_be_bytes(), to.to_be_bytes()].concat();
    packet(source, destination, protocol::UDP, &[&ports[..], &[0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]].concat())
}

/// The packet with another field of flags and fragment offset.
fn fragment(mut packet: Vec<u8>, field: u16) -> Vec<u8> {
    packet[6..8].copy_from_slice(&field.to_be_bytes());
    packet[10..12].fill(0);
    let sum = checksum(&packet[..20]).to_be_bytes();
    packet[10..12].copy_from_slice(&sum);
    packet
}

/// The packet with another byte in its IP header.
fn patched(mut packet: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    packet[at] = value;
    packet
}

/// Changes a packet after it was sealed.
type Change = fn(&mut Vec<u8>);

/// What is wrong.
enum Bad {
    /// The inner packet.
    Inner(Vec<u8>),
    /// The inner packet and the next header.
    Next(Vec<u8>, u8),
    /// The length of the padding is this.
    Padding(u8),
    /// The plaintext is this and nothing else: no padding, no next header are added.
    Plain(Vec<u8>),
    /// The good packet is changed after it was sealed.
    Sealed(Change),
    /// The good packet has this number, after number 100 was received.
    Number(u32),
    /// The good packet of this SA carries the SPI of the case's SA.
    KeysOf(Via),
    /// The good packet is received twice, the second time from elsewhere.
    AgainFromElsewhere,
    /// The good packet comes by the other encapsulation.
    OtherEncapsulation,
}

/// The reason under which it is counted.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reason {
    Selector,
    Malformed,
    Icv,
    Replay,
    Encapsulation,
    UnknownSpi,
    /// Too short for an SPI.
    Nothing,
}

struct Case {
    name: String,
    via: Via,
    bad: Bad,
    reason: Reason,
}

fn case(name: &str, via: Via, bad: Bad, reason: Reason) -> Case {
    Case { name: name.into(), via, bad, reason }
}

/// Inner sources that are not the branch's.
fn sources() -> Vec<Case> {
    let sources: [(&str, [u8; 4]); 20] = [
        ("another branch's host", [10, 3, 2, 10]),
        ("the address before the branch's network", [10, 1, 255, 255]),
        ("the address behind the branch's network", [10, 3, 0, 0]),
        ("a host of the hub's LAN", [10, 1, 1, 20]),
        ("the host that it is for", HUB_HOST),
        ("the hub itself", HUB),
        ("the branch's own outer address", OUTER),
        ("a pool address", [10, 5, 5, 1]),
        ("a pool address that is free", [10, 5, 5, 99]),
        ("loopback", [127, 0, 0, 1]),
        ("the end of loopback", [127, 255, 255, 254]),
        ("multicast", [224, 0, 0, 1]),
        ("the end of multicast", [239, 255, 255, 255]),
        ("0.0.0.0", [0, 0, 0, 0]),
        ("network 0", [0, 1, 2, 3]),
        ("broadcast", [255, 255, 255, 255]),
        ("class E", [240, 0, 0, 1]),
        ("link-local", [169, 254, 1, 1]),
        ("the internet", [8, 8, 8, 8]),
        ("a private network of nobody's", [192, 168, 1, 1]),
    ];
    let case = |(name, source)| {
        let bad = Bad::Inner(udp(source, HUB_HOST, 1024, 53));
        case(&format!("source: {name}"), Via::Branch, bad, Reason::Selector)
    };
    sources.into_iter().map(case).collect()
}

/// Inner destinations that are not on the hub's side.
fn destinations() -> Vec<Case> {
    let destinations: [(&str, [u8; 4]); 14] = [
        ("another branch", [10, 3, 2, 10]),
        ("the hub itself", HUB),
        ("a client", [10, 5, 5, 1]),
        ("loopback", [127, 0, 0, 1]),
        ("multicast", [224, 0, 0, 5]),
        ("broadcast", [255, 255, 255, 255]),
        ("0.0.0.0", [0, 0, 0, 0]),
        ("the internet", [8, 8, 8, 8]),
        ("the branch's own network", [10, 2, 2, 11]),
        ("the sender itself", [10, 2, 2, 10]),
        ("the broadcast address of its own network", [10, 2, 255, 255]),
        ("the address before the hub's network", [10, 0, 255, 255]),
        ("the address behind the hub's network", [10, 2, 0, 0]),
        ("the branch's outer address", OUTER),
    ];
    let case = |(name, destination)| {
        let bad = Bad::Inner(udp(Via::Branch.host(), destination, 1024, 53));
        case(&format!("destination: {name}"), Via::Branch, bad, Reason::Selector)
    };
    destinations.into_iter().map(case).collect()
}

/// Packets for the hub itself, and packets in packets.
fn nested() -> Vec<Case> {
    let host = Via::Branch.host();
    let inside = udp([10, 3, 2, 10], HUB_HOST, 1024, 53);
    let cases = [
        ("ESP for the hub in the tunnel", packet(host, HUB, protocol::ESP, &[0, 0, 16, 2, 0, 0, 0, 1])),
        ("IKE for the hub in the tunnel", udp(host, HUB, 500, 500)),
        ("ESP in UDP for the hub in the tunnel", udp(host, HUB, 4500, 4500)),
        ("SSH for the hub in the tunnel", packet(host, HUB, protocol::TCP, &[4, 0, 0, 22])),
        ("IP in IP for the hub in the tunnel", packet(host, HUB, protocol::IPIP, &inside)),
        ("ICMP for the hub in the tunnel", packet(host, HUB, protocol::ICMP, &[8, 0, 0, 0])),
    ];
    cases.map(|(name, inner)| case(name, Via::Branch, Bad::Inner(inner), Reason::Selector)).into()
}

fn of_a_client() -> Vec<Case> {
    let sources: [(&str, [u8; 4]); 10] = [
        ("the next client's address", [10, 5, 5, 2]),
        ("the network of the pool", [10, 5, 5, 0]),
        ("a host of the hub's LAN", HUB_HOST),
        ("a branch's host", [10, 2, 2, 10]),
        ("the hub itself", HUB),
        ("the client's own outer address", OUTER),
        ("loopback", [127, 0, 0, 1]),
        ("multicast", [224, 0, 0, 1]),
        ("broadcast", [255, 255, 255, 255]),
        ("0.0.0.0", [0, 0, 0, 0]),
    ];
    let case = |(name, source)| {
        let bad = Bad::Inner(udp(source, HUB_HOST, 1024, 53));
        case(&format!("client's source: {name}"), Via::Client, bad, Reason::Selector)
    };
    sources.into_iter().map(case).collect()
}

/// An SA for UDP to port 53 carries nothing else.
fn protocols_and_ports() -> Vec<Case> {
    let host = Via::Ports.host();
    let cases = [
        ("TCP in an SA for UDP", packet(host, HUB_HOST, protocol::TCP, &[4, 0, 0, 53, 0, 0, 0, 0])),
        ("ICMP in an SA for UDP", packet(host, HUB_HOST, protocol::ICMP, &[8, 0, 0, 0])),
        ("ESP in an SA for UDP", packet(host, HUB_HOST, protocol::ESP, &[0, 0, 16, 2, 0, 0, 0, 1])),
        ("IPv6 in an SA for UDP", packet(host, HUB_HOST, 41, &[0x60; 40])),
        ("protocol 0 in an SA for UDP", packet(host, HUB_HOST, 0, &[4, 0, 0, 53])),
        ("port 54", udp(host, HUB_HOST, 1024, 54)),
        ("port 53 as the source instead", udp(host, HUB_HOST, 53, 1024)),
        ("port 0", udp(host, HUB_HOST, 1024, 0)),
        ("a first fragment with port 54", fragment(udp(host, HUB_HOST, 1024, 54), 0x2000)),
        ("a later fragment of TCP", fragment(packet(host, HUB_HOST, protocol::TCP, &[1; 16]), 0x0002)),
        ("the right port, another source", udp([10, 2, 2, 10], HUB_HOST, 1024, 53)),
        ("the right port, another destination", udp(host, [10, 9, 1, 1], 1024, 53)),
        ("another network's later fragment", fragment(udp([10, 2, 2, 10], HUB_HOST, 1024, 53), 0x0002)),
        ("options in front of port 54", with_options(udp(host, HUB_HOST, 1024, 54))),
        ("options that look like port 53", {
            let mut packet = with_options(udp(host, HUB_HOST, 1024, 54));
            packet[20..24].copy_from_slice(&[1, 1, 0, 53]);
            packet
        }),
    ];
    cases.map(|(name, inner)| case(name, Via::Ports, Bad::Inner(inner), Reason::Selector)).into()
}

/// Four bytes of options between the header and the payload.
fn with_options(packet: Vec<u8>) -> Vec<u8> {
    let mut out = [&packet[..20], &[1, 1, 1, 0], &packet[20..]].concat();
    out[0] = 0x46;
    let length = u16::try_from(out.len()).unwrap().to_be_bytes();
    out[2..4].copy_from_slice(&length);
    out[10..12].fill(0);
    let sum = checksum(&out[..24]).to_be_bytes();
    out[10..12].copy_from_slice(&sum);
    out
}

fn malformed() -> Vec<Case> {
    let good = || Via::Branch.good();
    let v6 = [&[0x60, 0, 0, 0, 0, 0, 59, 64][..], &[0; 32]].concat();
    let inner = [
        ("an empty packet", Vec::new()),
        ("half a header", good()[..10].to_vec()),
        ("a header without its last byte", good()[..19].to_vec()),
        ("version 6 in the header", patched(good(), 0, 0x65)),
        ("version 0 in the header", patched(good(), 0, 0x05)),
        ("an IPv6 packet announced as IPv4", v6.clone()),
        ("a header of 16 bytes", patched(good(), 0, 0x44)),
        ("a header longer than the packet", patched(good(), 0, 0x4f)),
        ("a total length beyond the packet", patched(good(), 2, 0x40)),
        ("a total length of 0", patched(patched(good(), 2, 0), 3, 0)),
        ("a total length of 19", patched(patched(good(), 2, 0), 3, 19)),
    ];
    let next = [
        ("next header 41: IPv6", 41),
        ("next header 17: UDP without IP", 17),
        ("next header 6: TCP without IP", 6),
        ("next header 50: ESP in ESP", 50),
        ("next header 0", 0),
        ("next header 255", 255),
        ("next header 47: GRE", 47),
        ("next header 97: Ethernet in IP", 97),
    ];
    let inner = inner.map(|(name, inner)| case(name, Via::Branch, Bad::Inner(inner), Reason::Malformed));
    let next = next.map(|(name, next)| {
        let bad = Bad::Next(if next == 41 { v6.clone() } else { good() }, next);
        case(name, Via::Branch, bad, Reason::Malformed)
    });
    let padding = [
        case("padding longer than the packet", Via::Branch, Bad::Padding(255), Reason::Malformed),
        case("padding that eats the header", Via::Branch, Bad::Padding(40), Reason::Malformed),
        case("nothing but padding", Via::Branch, Bad::Plain(padding_only()), Reason::Malformed),
    ];
    inner.into_iter().chain(next).chain(padding).collect()
}

/// 16 bytes: padding, its length, next header 4.
fn padding_only() -> Vec<u8> {
    let mut plain: Vec<u8> = (1..=14).collect();
    plain.extend([14, protocol::IPIP]);
    plain
}

fn forged() -> Vec<Case> {
    let sealed: [(&str, Change, Reason); 15] = [
        ("a wrong bit in the check value", |packet| *packet.last_mut().unwrap() ^= 1, Reason::Icv),
        ("a wrong bit in the IV", |packet| packet[8] ^= 0x80, Reason::Icv),
        ("a wrong bit in the data", |packet| packet[30] ^= 0x10, Reason::Icv),
        (
            "another sequence number",
            |packet| packet[4..8].copy_from_slice(&1_000_000u32.to_be_bytes()),
            Reason::Icv,
        ),
        ("a block shorter", |packet| packet.truncate(packet.len() - 16), Reason::Icv),
        ("a byte shorter", |packet| packet.truncate(packet.len() - 1), Reason::Icv),
        ("a byte longer", |packet| packet.push(0), Reason::Icv),
        ("only SPI and sequence number", |packet| packet.truncate(8), Reason::Icv),
        ("without its check value", |packet| packet.truncate(packet.len() - 12), Reason::Icv),
        ("seven bytes", |packet| packet.truncate(7), Reason::Nothing),
        ("an empty datagram", |packet| packet.clear(), Reason::Nothing),
        (
            "an SPI that nobody has",
            |packet| packet[0..4].copy_from_slice(&0x9999u32.to_be_bytes()),
            Reason::UnknownSpi,
        ),
        ("SPI 0", |packet| packet[0..4].fill(0), Reason::UnknownSpi),
        (
            "the SPI of the other direction",
            |packet| packet[0..4].copy_from_slice(&(0x1001u32 + 0x1000).to_be_bytes()),
            Reason::UnknownSpi,
        ),
        ("sequence number 0", |packet| packet[4..8].fill(0), Reason::Replay),
    ];
    let sealed = sealed.map(|(name, change, reason)| case(name, Via::Branch, Bad::Sealed(change), reason));
    let others = [
        case("another branch's SPI", Via::OtherBranch, Bad::KeysOf(Via::Branch), Reason::Icv),
        case("a client's SPI", Via::Client, Bad::KeysOf(Via::Branch), Reason::Icv),
        case("a branch's SPI, from a client", Via::Branch, Bad::KeysOf(Via::Client), Reason::Icv),
        case("a number that was received", Via::Branch, Bad::Number(100), Reason::Replay),
        case("the oldest number outside the window", Via::Branch, Bad::Number(100 - WINDOW), Reason::Replay),
        case("number 1 after number 100", Via::Branch, Bad::Number(1), Reason::Replay),
        case("a recorded packet from elsewhere", Via::Branch, Bad::AgainFromElsewhere, Reason::Replay),
        case("the other encapsulation", Via::Branch, Bad::OtherEncapsulation, Reason::Encapsulation),
    ];
    sealed.into_iter().chain(others).collect()
}

fn cases() -> Vec<Case> {
    [sources(), destinations(), nested(), of_a_client(), protocols_and_ports(), malformed(), forged()]
        .into_iter()
        .flatten()
        .collect()
}

// ---- the hub
// ------------------------------------------------------------------------------------------------------

struct Hub {
    sad: Sad,
    inbound: Inbound,
    suite: EspSuite,
    encapsulation: Encapsulation,
}

/// Errors of an SA: all, replays, failed checks, foreign packets; and how many it carried.
type Counts = [u64; 5];

impl Hub {
    fn new(suite: EspSuite, encapsulation: Encapsulation) -> Self {
        let sad = Sad::new();
        for via in ALL {
            sad.install(&via.child_sa(suite, encapsulation), Direction::Inbound).unwrap();
        }
        Self { inbound: Inbound::new(&sad), sad, suite, encapsulation }
    }

    fn receive_from(
        &mut self,
        remote: [u8; 4],
        encapsulation: Encapsulation,
        packet: &[u8],
    ) -> (Vec<Vec<u8>>, Vec<Notice>) {
        let (mut packet, mut out) = (packet.to_vec(), Vec::new());
        let arrived = Arrived {
            bytes: &mut packet,
            local: None,
            remote: IpAddr::from(remote),
            remote_port: if encapsulation == Encapsulation::Udp { 4500 } else { 500 },
            encapsulation,
            tos: 0,
        };
        self.inbound.process(Instant::ORIGIN, std::iter::once(arrived), |_, inner| out.push(inner.to_vec()));
        (out, self.inbound.notices().collect())
    }

    fn receive(&mut self, packet: &[u8]) -> (Vec<Vec<u8>>, Vec<Notice>) {
        self.receive_from(OUTER, self.encapsulation, packet)
    }

    fn counts(&self, via: Via) -> Counts {
        let sa = self.sad.get(via.child(), Direction::Inbound).unwrap();
        let counters = &sa.counters;
        let all = [
            &counters.errors,
            &counters.replay_errors,
            &counters.verify_errors,
            &counters.identity_errors,
            &counters.packets,
        ];
        all.map(|counter| counter.load(Ordering::Relaxed))
    }

    /// ESP around a plaintext that has its trailer.
    fn sealed_plain(&self, keys_of: Via, spi: u32, number: u32, plain: &[u8]) -> Vec<u8> {
        let keys = EspKeys::new(self.suite, &keys_of.keymat(self.suite)).unwrap();
        let mut out = [spi.to_be_bytes(), number.to_be_bytes()].concat();
        out.resize(out.len() + self.suite.cipher().iv_len(), number as u8);
        out.extend(plain);
        out.resize(out.len() + self.suite.icv_len(), 0);
        seal(&mut [SealJob { keys: &keys, packet: &mut out }]).expect("whole blocks");
        out
    }

    fn plain(&self, inner: &[u8], next_header: u8, padding: Option<u8>) -> Vec<u8> {
        let block = self.suite.cipher().block_len().max(4);
        let fill = (inner.len() + 2).next_multiple_of(block) - inner.len() - 2;
        let mut plain = inner.to_vec();
        plain.extend((1..=fill).map(|byte| byte as u8));
        plain.extend([padding.unwrap_or(fill as u8), next_header]);
        plain
    }

    fn sealed(&self, via: Via, number: u32, inner: &[u8]) -> Vec<u8> {
        self.sealed_plain(via, via.spi(), number, &self.plain(inner, protocol::IPIP, None))
    }

    /// Receives what is bad about this case, as number 1 or, for old numbers, after number 100.
    /// Returns the counts before it.
    fn attacked(&mut self, case: &Case) -> (Counts, Vec<Vec<u8>>, Vec<Notice>) {
        let via = case.via;
        let good = via.good();
        let mut prepared = None;
        match &case.bad {
            Bad::Number(_) => prepared = Some(self.sealed(via, 100, &good)),
            Bad::AgainFromElsewhere => prepared = Some(self.sealed(via, 1, &good)),
            _ => {}
        }
        if let Some(packet) = prepared {
            assert_eq!(self.receive(&packet).0, std::slice::from_ref(&good), "{}", case.name);
        }
        let before = self.counts(via);
        let packet = match &case.bad {
            Bad::Inner(inner) => self.sealed(via, 1, inner),
            Bad::Next(inner, next) => self.sealed_plain(via, via.spi(), 1, &self.plain(inner, *next, None)),
            Bad::Padding(length) => {
                self.sealed_plain(via, via.spi(), 1, &self.plain(&good, protocol::IPIP, Some(*length)))
            }
            Bad::Plain(plain) => self.sealed_plain(via, via.spi(), 1, plain),
            Bad::Sealed(change) => {
                let mut packet = self.sealed(via, 1, &good);
                change(&mut packet);
                packet
            }
            Bad::Number(number) => self.sealed(via, *number, &good),
            Bad::KeysOf(other) => {
                let plain = self.plain(&other.good(), protocol::IPIP, None);
                self.sealed_plain(*other, via.spi(), 1, &plain)
            }
            Bad::AgainFromElsewhere => {
                let packet = self.sealed(via, 1, &good);
                let (out, notices) = self.receive_from(STRANGER, self.encapsulation, &packet);
                return (before, out, notices);
            }
            Bad::OtherEncapsulation => {
                let other = match self.encapsulation {
                    Encapsulation::Udp => Encapsulation::Native,
                    _ => Encapsulation::Udp,
                };
                let packet = self.sealed(via, 1, &good);
                let (out, notices) = self.receive_from(OUTER, other, &packet);
                return (before, out, notices);
            }
        };
        let (out, notices) = self.receive(&packet);
        (before, out, notices)
    }
}

fn expected_notice(notice: &Notice, via: Via, reason: Reason) -> bool {
    match (notice, reason) {
        (Notice::Refused(child, refused), _) if *child == via.child() => matches!(
            (refused, reason),
            (Refused::Selector { .. }, Reason::Selector)
                | (Refused::Malformed, Reason::Malformed)
                | (Refused::Icv | Refused::ShortIcv, Reason::Icv)
                | (Refused::Replay, Reason::Replay)
                | (Refused::Encapsulation, Reason::Encapsulation)
        ),
        (Notice::UnknownSpi { .. }, Reason::UnknownSpi) => true,
        _ => false,
    }
}

/// How the counts of the SA must have grown.
fn growth(reason: Reason) -> Counts {
    match reason {
        Reason::Selector => [1, 0, 0, 1, 0],
        Reason::Malformed | Reason::Encapsulation => [1, 0, 0, 0, 0],
        Reason::Icv => [1, 0, 1, 0, 0],
        Reason::Replay => [1, 1, 0, 0, 0],
        Reason::UnknownSpi | Reason::Nothing => [0; 5],
    }
}

fn suites() -> [EspSuite; 3] {
    [
        EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap(),
        EspSuite::new(EspCipher::Aes256, Some(EspAuth::Sha256)).unwrap(),
        EspSuite::new(EspCipher::AesGcm128, None).unwrap(),
    ]
}

fn try_case(case: &Case, suite: EspSuite, encapsulation: Encapsulation) -> Result<(), String> {
    let mut hub = Hub::new(suite, encapsulation);
    let told = |what: &str| Err(format!("{}, {encapsulation:?}, {suite:?}: {what}", case.name));
    let (before, delivered, notices) = hub.attacked(case);
    if !delivered.is_empty() {
        return told("it was delivered");
    }
    let wanted = usize::from(case.reason != Reason::Nothing);
    let right = notices.iter().filter(|notice| expected_notice(notice, case.via, case.reason)).count();
    if right != wanted || notices.len() != wanted {
        return told(&format!("{notices:?} instead of {:?}", case.reason));
    }
    let after = hub.counts(case.via);
    let grown: Vec<_> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    if grown != growth(case.reason) {
        return told(&format!("counted as {grown:?}"));
    }
    for via in ALL {
        let number = if via == case.via { 101 } else { 1 };
        let packet = hub.sealed(via, number, &via.good());
        if hub.receive(&packet).0 != [via.good()] {
            return told(&format!("the good packet of {via:?} after it is lost"));
        }
    }
    Ok(())
}

#[test]
fn nothing_foreign_comes_out_of_a_tunnel() {
    let cases = cases();
    assert!(cases.len() >= 58, "{} cases", cases.len());
    println!("{} cases", cases.len());
    let mut wrong = Vec::new();
    for encapsulation in [Encapsulation::Native, Encapsulation::Udp] {
        for suite in suites() {
            wrong.extend(cases.iter().filter_map(|case| try_case(case, suite, encapsulation).err()));
        }
    }
    assert!(wrong.is_empty(), "{} packets:\n{}", wrong.len(), wrong.join("\n"));
}

/// A packet that is not a later fragment and yet too short for its ports is no way around them.
#[test]
#[ignore = "a packet of TCP or UDP without room for its ports is taken for a later fragment"]
fn a_packet_too_short_for_its_ports_is_no_later_fragment() {
    let host = Via::Ports.host();
    for suite in suites() {
        for length in 0..4 {
            for field in [0, 0x2000] {
                let inner = fragment(packet(host, HUB_HOST, protocol::UDP, &[0; 4][..length]), field);
                let name = format!("{length} bytes of UDP, flags {field:#06x}");
                let case = case(&name, Via::Ports, Bad::Inner(inner), Reason::Selector);
                assert_eq!(try_case(&case, suite, Encapsulation::Native), Ok(()));
            }
        }
    }
}
