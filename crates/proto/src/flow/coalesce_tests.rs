use super::*;
use crate::flow::segment::Segments;
use crate::wire::ip::{header, protocol};
use proptest::prelude::*;

const A: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 1, 1, 1);
const B: std::net::Ipv4Addr = std::net::Ipv4Addr::new(10, 2, 2, 2);

/// A packet as a host sends it, with correct checksums.
#[derive(Clone, Debug)]
struct Packet {
    transport: Transport,
    port: u16,
    identification: u16,
    sequence: u32,
    flags: u8,
    tos: u8,
    options: Vec<u8>,
    payload: Vec<u8>,
}

impl Packet {
    fn tcp(sequence: u32, identification: u16, length: usize) -> Self {
        Self {
            transport: Transport::Tcp,
            port: 5001,
            identification,
            sequence,
            flags: ACK,
            tos: 0,
            options: vec![1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
            payload: (0..length).map(|byte| (byte * 7 + sequence as usize) as u8).collect(),
        }
    }

    fn udp(identification: u16, length: usize) -> Self {
        Self { transport: Transport::Udp, options: Vec::new(), ..Self::tcp(0, identification, length) }
    }

    fn bytes(&self) -> Vec<u8> {
        let (number, head) = match self.transport {
            Transport::Tcp => {
                let mut head = [&self.port.to_be_bytes()[..], &80u16.to_be_bytes()].concat();
                head.extend(self.sequence.to_be_bytes());
                head.extend([0, 0, 0, 9]);
                head.extend([(5 + self.options.len() / 4) as u8 * 16, self.flags, 2, 0, 0, 0, 0, 0]);
                head.extend(&self.options);
                (protocol::TCP, head)
            }
            Transport::Udp => {
                let mut head = [&self.port.to_be_bytes()[..], &80u16.to_be_bytes()].concat();
                head.extend((8 + self.payload.len() as u16).to_be_bytes());
                head.extend([0, 0]);
                (protocol::UDP, head)
            }
        };
        let body = [head, self.payload.clone()].concat();
        let mut packet = [&header(A, B, number, self.tos, body.len())[..], &body].concat();
        packet[4..6].copy_from_slice(&self.identification.to_be_bytes());
        packet[6] = 0x40;
        packet[10..12].fill(0);
        let sum = crate::wire::ip::checksum(&packet[..20]).to_be_bytes();
        packet[10..12].copy_from_slice(&sum);
        let ip: [u8; 20] = packet[..20].try_into().unwrap();
        let sum = !Sum::default().with_pseudo_header(&ip, body.len()).with(&body).fold();
        let at = 20 + self.transport.checksum_offset();
        packet[at..at + 2].copy_from_slice(&sum.max(1).to_be_bytes());
        packet
    }
}

/// What the kernel gets, and what its segmentation makes from it.
fn pass(packets: &[Vec<u8>]) -> (Vec<Option<Super>>, Vec<Vec<u8>>) {
    let (mut supers, mut given_back) = (Vec::new(), Vec::new());
    let mut coalescer = Coalescer::new(true, true);
    let mut out = |bytes: &[u8], whole: Option<Super>| {
        supers.push(whole);
        let Some(Super { transport, segment, header_len, ip_header_len }) = whole else {
            given_back.push(bytes.to_vec());
            return;
        };
        let view = Ipv4::parse(bytes).unwrap();
        assert_eq!(view.bytes().len(), bytes.len());
        assert_eq!(view.header_len(), ip_header_len);
        assert_eq!(crate::wire::ip::checksum(&bytes[..20]), 0);
        let segments = Segments::new(view, transport, segment as u16).unwrap();
        assert!(segments.count() > 1 && segments.longest() == header_len + segment);
        for index in 0..segments.count() {
            let mut packet = Vec::new();
            segments.write(index, 0, &mut packet);
            assert_eq!(packet.len(), segments.len(index));
            given_back.push(packet);
        }
    };
    for packet in packets {
        coalescer.push(packet, &mut out);
    }
    coalescer.flush(&mut out);
    (supers, given_back)
}

fn stream(count: u32, length: usize) -> Vec<Packet> {
    (0..count).map(|n| Packet::tcp(1000 + n * length as u32, 77 + n as u16, length)).collect()
}

fn bytes(packets: &[Packet]) -> Vec<Vec<u8>> {
    packets.iter().map(Packet::bytes).collect()
}

#[test]
fn a_stream_becomes_one_packet_and_itself_again() {
    let mut packets = stream(40, 1348);
    packets.push(Packet { flags: ACK | PSH, ..Packet::tcp(1000 + 40 * 1348, 117, 99) });
    let (supers, given_back) = pass(&bytes(&packets));
    assert_eq!(supers.len(), 1);
    assert_eq!(supers[0].unwrap().segment, 1348);
    assert_eq!(given_back, bytes(&packets));
    // as many as fit 64 KiB
    let packets = bytes(&stream(100, 1348));
    let (supers, given_back) = pass(&packets);
    assert_eq!((supers.len(), given_back), (3, packets));
}

#[test]
fn datagrams_are_gathered_and_given_back() {
    let mut packets: Vec<Packet> = (0..70).map(|n| Packet::udp(65_530u16.wrapping_add(n), 64)).collect();
    packets.push(Packet::udp(65_530u16.wrapping_add(70), 9));
    let (supers, given_back) = pass(&bytes(&packets));
    assert_eq!((supers.len(), given_back), (2, bytes(&packets)));
}

/// A packet that the kernel's segmentation would not restore is passed on alone, in its place.
#[test]
fn what_differs_is_not_gathered() {
    type Change = fn(&mut Packet);
    let changes: [(&str, Change); 10] = [
        ("sequence number", |packet| packet.sequence += 1),
        ("identification", |packet| packet.identification = 0),
        ("congestion experienced", |packet| packet.tos = 3),
        ("FIN", |packet| packet.flags |= 1),
        ("SYN", |packet| packet.flags |= 2),
        ("RST", |packet| packet.flags |= 4),
        ("CWR", |packet| packet.flags |= 0x80),
        ("options", |packet| packet.options[5] = 9),
        ("more options", |packet| packet.options.extend([1; 4])),
        ("longer", |packet| packet.payload.push(1)),
    ];
    for (what, change) in changes {
        let mut packets = stream(3, 500);
        change(&mut packets[1]);
        let (supers, given_back) = pass(&bytes(&packets));
        assert!(supers.len() >= 2, "{what}");
        assert_eq!(given_back, bytes(&packets), "{what}");
    }
}

#[test]
fn a_broken_packet_stays_broken() {
    for place in 0..3 {
        let packets = stream(3, 500);
        let mut packets = bytes(&packets);
        *packets[place].last_mut().unwrap() ^= 1;
        assert_eq!(pass(&packets).1, packets);
        let mut packets = bytes(&stream(3, 500));
        packets[place][10] ^= 1;
        assert_eq!(pass(&packets).1, packets);
    }
}

#[test]
fn flows_between_each_other_are_gathered_each_for_itself() {
    let mut packets = Vec::new();
    for n in 0..5 {
        for port in 0..20 {
            let packet = Packet::tcp(1000 + n * 700, n as u16, 700);
            packets.push(Packet { port: 6000 + port, ..packet });
        }
    }
    packets.retain(|packet| packet.port < 6000 + FLOWS as u16);
    let (supers, given_back) = pass(&bytes(&packets));
    assert_eq!(supers.len(), FLOWS);
    packets.sort_by_key(|packet| (packet.port, packet.sequence));
    assert_eq!(given_back, bytes(&packets));
}

#[test]
fn what_is_switched_off_goes_on_at_once() {
    for (tcp, udp) in [(false, false), (true, false), (false, true)] {
        let packets = bytes(&[stream(2, 100), vec![Packet::udp(1, 64), Packet::udp(2, 64)]].concat());
        let mut coalescer = Coalescer::new(tcp, udp);
        let mut out = Vec::new();
        packets.iter().for_each(|packet| coalescer.push(packet, |_, whole| out.push(whole)));
        coalescer.flush(|_, whole| out.push(whole));
        assert_eq!(out.iter().flatten().count(), usize::from(tcp) + usize::from(udp));
    }
}

/// A few flows that mostly continue as a real sender would; now and then a packet is changed,
/// truncated or corrupt.
fn packets() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let step = (0..3u16, 0..10u8, any::<u16>(), 1..1400usize, any::<bool>());
    proptest::collection::vec(step, 1..80).prop_map(|steps| {
        let mut next = [(5u32, 1u16, 800usize); 3];
        let mut out = Vec::new();
        for (flow, what, random, length, udp) in steps {
            let (sequence, identification, usual) = &mut next[usize::from(flow)];
            if what == 9 {
                *usual = length;
            }
            let length = if what == 8 { length } else { *usual };
            let mut packet = if udp {
                Packet::udp(*identification, length)
            } else {
                Packet::tcp(*sequence, *identification, length)
            };
            packet.port += flow;
            match what {
                0 => packet.flags |= (random & 0xff) as u8,
                1 => packet.identification = random,
                2 => packet.tos = random as u8,
                _ => {}
            }
            *sequence = sequence.wrapping_add(length as u32);
            *identification = identification.wrapping_add(1);
            let mut bytes = packet.bytes();
            match what {
                3 => {
                    let at = usize::from(random) % bytes.len();
                    bytes[at] ^= 1 << (random % 8);
                }
                4 => bytes.truncate(usize::from(random) % bytes.len()),
                5 => bytes.extend([0; 3]),
                _ => {}
            }
            out.push(bytes);
        }
        out
    })
}

/// The packets of each flow (protocol, addresses, ports) in their order.
fn by_flow(packets: &[Vec<u8>]) -> std::collections::BTreeMap<Vec<u8>, Vec<&Vec<u8>>> {
    let mut flows = std::collections::BTreeMap::<_, Vec<_>>::new();
    for packet in packets {
        let fields = packet.iter().skip(9).take(1).chain(packet.iter().skip(12).take(12));
        flows.entry(fields.copied().collect()).or_default().push(packet);
    }
    flows
}

proptest! {
    #[test]
    fn nothing_is_changed_lost_or_overtaken(packets in packets()) {
        let (_, given_back) = pass(&packets);
        prop_assert_eq!(by_flow(&given_back), by_flow(&packets));
    }

    #[test]
    fn any_bytes_are_cut_or_refused(bytes in proptest::collection::vec(any::<u8>(), 20..200), size in any::<u16>(),
        udp in any::<bool>()) {
        let mut bytes = bytes;
        bytes[0] = 0x45;
        bytes[6..8].fill(0);
        let total = (bytes.len() as u16).to_be_bytes();
        bytes[2..4].copy_from_slice(&total);
        bytes[9] = if udp { protocol::UDP } else { protocol::TCP };
        let transport = if udp { Transport::Udp } else { Transport::Tcp };
        if let Some(segments) = Ipv4::parse(&bytes).and_then(|view| Segments::new(view, transport, size)) {
            let mut out = Vec::new();
            (0..segments.count()).for_each(|index| segments.write(index, 0, &mut out));
            prop_assert!(out.len() >= bytes.len());
        }
    }
}
