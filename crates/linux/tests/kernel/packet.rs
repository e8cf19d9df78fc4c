//! Packet sockets and captures.

use crate::{Pair, Test, eventually};
use hubward_linux::icmp::{Ping, ping};
use hubward_linux::packet_socket::{
    BROADCAST, Direction, ETHERTYPE_ALL, ETHERTYPE_ARP, ETHERTYPE_IPV4, Layer, PacketSocket, udp_port_filter,
};
use hubward_linux::pcap::Capture;
use hubward_linux::{link, neighbour};
use std::net::UdpSocket;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("packet::a_broadcast_without_address_reaches_the_other_end", broadcast),
        ("packet::the_filter_lets_one_udp_port_through", filter),
        ("packet::an_announcement_moves_an_address", announcement),
        ("packet::a_capture_holds_both_directions", capture),
    ]
}

/// An IPv4 UDP datagram from 0.0.0.0:68 to 255.255.255.255 (the UDP checksum is 0: none).
fn datagram(port: u16, payload: &[u8]) -> Vec<u8> {
    let length = (28 + payload.len()) as u16;
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255];
    packet[2..4].copy_from_slice(&length.to_be_bytes());
    let mut sum: u32 = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    packet[10..12].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    packet.extend(68u16.to_be_bytes());
    packet.extend(port.to_be_bytes());
    packet.extend((length - 20).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

fn broadcast() {
    let pair = Pair::new();
    let (eth0_a, eth0_b) =
        (link::by_name(&pair.netlink_a, "eth0").unwrap(), link::by_name(&pair.netlink_b, "eth0").unwrap());
    let sender = pair
        .a
        .run(|| PacketSocket::open(eth0_a.index, Layer::Network, ETHERTYPE_IPV4, &[]).unwrap())
        .unwrap();
    let receiver = pair
        .b
        .run(|| {
            PacketSocket::open(eth0_b.index, Layer::Network, ETHERTYPE_IPV4, &udp_port_filter(67)).unwrap()
        })
        .unwrap();
    let sent = datagram(67, b"discover");
    sender.send(&sent, BROADCAST).unwrap();
    let mut buffer = [0; 1500];
    let packet = eventually("the broadcast", || receiver.recv(&mut buffer).ok());
    assert_eq!(&buffer[..packet.length], sent);
    assert_eq!((packet.direction, packet.ethertype), (Direction::Incoming, ETHERTYPE_IPV4));
    assert_eq!(packet.sender, eth0_a.mac);
    assert!(packet.checksum_filled, "what a packet socket sends is complete");
    // and the answer to the hardware address, cut by a small buffer
    receiver.send(&datagram(68, b"offer"), packet.sender.unwrap()).unwrap();
    let mut buffer = [0; 10];
    let packet = eventually("the answer", || sender.recv(&mut buffer).ok());
    assert_eq!((packet.length, packet.full_length), (10, 33));
}

fn filter() {
    let pair = Pair::new();
    let eth0_b = link::by_name(&pair.netlink_b, "eth0").unwrap().index;
    let receiver = pair
        .b
        .run(|| PacketSocket::open(eth0_b, Layer::Network, ETHERTYPE_IPV4, &udp_port_filter(6767)).unwrap())
        .unwrap();
    let socket = pair.a.run(|| UdpSocket::bind("0.0.0.0:0").unwrap()).unwrap();
    for port in [6766, 6767, 6768] {
        socket.send_to(&port.to_string().into_bytes(), ("192.0.2.2", port)).unwrap();
    }
    // the first fragment of a long datagram to the port passes, the others do not
    socket.send_to(&[7; 3000], ("192.0.2.2", 6767)).unwrap();
    pair.a.run(|| ping(&Ping { count: 1, ..Ping::new([192, 0, 2, 2].into()) }, |_| {}).unwrap()).unwrap();
    let mut buffer = [0; 2000];
    let packet = eventually("the datagram", || receiver.recv(&mut buffer).ok());
    assert_eq!(&buffer[28..packet.length], b"6767");
    assert!(!packet.checksum_filled, "a UDP socket leaves the checksum to the veth, which fills nothing in");
    let packet = receiver.recv(&mut buffer).unwrap();
    assert_eq!(packet.full_length, 1500);
    assert_eq!(receiver.recv(&mut buffer).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

fn announcement() {
    let pair = Pair::new();
    let eth0_a = link::by_name(&pair.netlink_a, "eth0").unwrap();
    let eth0_b = link::by_name(&pair.netlink_b, "eth0").unwrap();
    let receiver =
        pair.b.run(|| PacketSocket::open(eth0_b.index, Layer::Network, ETHERTYPE_ARP, &[]).unwrap()).unwrap();
    // another machine had the address, and b knows it there
    let old = [2, 0, 0, 0, 0, 9];
    let address = std::net::IpAddr::from([192, 0, 2, 9]);
    let sender = pair.a.run(|| PacketSocket::open(eth0_a.index, Layer::Network, ETHERTYPE_ARP, &[]).unwrap());
    let asked = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &old, &[192, 0, 2, 9], &[0; 6], &[192, 0, 2, 2]].concat();
    sender.unwrap().send(&asked, BROADCAST).unwrap();
    let known = || neighbour::list(&pair.netlink_b).unwrap().into_iter().find(|it| it.address == address);
    eventually("the neighbour", || known().filter(|it| it.mac == Some(old)));
    let mut buffer = [0; 100];
    assert_eq!(receiver.recv(&mut buffer).unwrap().sender, eth0_a.mac);
    let mac = eth0_a.mac.unwrap();
    pair.a.run(|| neighbour::announce(eth0_a.index, mac, [192, 0, 2, 9].into()).unwrap()).unwrap();
    let packet = eventually("the announcement", || receiver.recv(&mut buffer).ok());
    let told = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &mac, &[192, 0, 2, 9], &[0; 6], &[192, 0, 2, 9]].concat();
    assert_eq!(&buffer[..packet.length.min(28)], told);
    // the kernel believes no second change within a second (locktime)
    eventually("the new neighbour", || {
        pair.a.run(|| neighbour::announce(eth0_a.index, mac, [192, 0, 2, 9].into()).unwrap()).unwrap();
        known().filter(|it| it.mac == Some(mac))
    });
}

fn capture() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.pcap");
    let eth0_a = link::by_name(&pair.netlink_a, "eth0").unwrap().index;
    let all = pair.a.run(|| PacketSocket::open(eth0_a, Layer::Link, ETHERTYPE_ALL, &[]).unwrap()).unwrap();
    let capture = pair.a.run(|| Capture::start("eth0", &file).unwrap()).unwrap();
    let request = Ping { count: 3, size: 333, ..Ping::new([192, 0, 2, 2].into()) };
    let outcomes = pair.a.run(|| ping(&request, |_| {}).unwrap()).unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.symbol() == '!'), "{outcomes:?}");
    let count = capture.stop().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    assert_eq!(&bytes[20..24], [1, 0, 0, 0], "Ethernet");
    let (mut at, mut records, mut echoes) = (24, 0, Vec::new());
    while at < bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        let frame = &bytes[at + 16..at + 16 + length];
        if frame[12..14] == [8, 0] && frame[23] == 1 {
            assert_eq!(length, 14 + 333);
            echoes.push(frame[34]);
        }
        records += 1;
        at += 16 + length;
    }
    assert_eq!(echoes, [8, 0, 8, 0, 8, 0], "request and reply, three times");
    assert_eq!(records, count);
    let mut buffer = [0; 2000];
    let mut outgoing = 0;
    while let Ok(packet) = all.recv(&mut buffer) {
        outgoing += u32::from(packet.direction == Direction::Outgoing && packet.length == 347);
    }
    assert_eq!(outgoing, 3);
}
