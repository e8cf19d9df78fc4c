//! A scan of addresses from outside: what a router lets pass, seen behind its filter, and what
//! answers.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use socket2::{Domain, Protocol, Socket, Type};

use crate::inject::{self, inside};
use crate::net::Ns;
use crate::probes::checksum;

/// What is tried at every address.
const TCP: [u16; 14] = [21, 22, 23, 25, 53, 80, 81, 110, 443, 500, 1723, 3389, 8080, 60_000];
const UDP: [u16; 14] = [53, 67, 69, 80, 123, 161, 500, 501, 514, 1701, 1812, 4500, 4501, 33_434];
const ICMP: [u8; 10] = [0, 3, 4, 5, 8, 11, 12, 13, 15, 17];
const OTHER: [u8; 9] = [2, 4, 41, 47, 50, 51, 88, 89, 112];
/// How long answers are waited for.
const PATIENCE: Duration = Duration::from_millis(1500);

/// What was found, each as `ADDRESS tcp PORT`, `ADDRESS udp PORT`, `ADDRESS icmp TYPE` or `ADDRESS
/// protocol NUMBER`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What passed the filter.
    pub passes: BTreeSet<String>,
    /// What was answered by a connection or a datagram.
    pub answers: BTreeSet<String>,
    /// Ports that are closed, and said so.
    pub closed: BTreeSet<String>,
}

/// What stands behind the filter, and writes down what comes from the scanner: after the lists
/// (priority -150), before destinations are translated (-100).
const WATCH: &str = "\
table ip watch
delete table ip watch
table ip watch {
  set seen_ports {
    type ipv4_addr . inet_proto . inet_service
    flags dynamic
    size 4096
  }
  set seen_icmp {
    type ipv4_addr . icmp_type
    flags dynamic
    size 4096
  }
  set seen_other {
    type ipv4_addr . inet_proto
    flags dynamic
    size 4096
  }
  chain seen {
    type filter hook prerouting priority -149
    ip saddr != SCANNER accept
    ip protocol { 6, 17 } update @seen_ports { ip daddr . ip protocol . th dport }
    ip protocol 1 update @seen_icmp { ip daddr . icmp type }
    ip protocol != { 1, 6, 17 } update @seen_other { ip daddr . ip protocol }
  }
}
";

/// Scans addresses of a router from a namespace outside, whose address is `scanner`.
pub fn scan(router: &Ns, from: &Ns, scanner: Ipv4Addr, to: &[Ipv4Addr]) -> Result<Found> {
    let mut found = Found::default();
    found.passes = watched(router, scanner, || {
        inject::packets(from, &raw(scanner, to))?;
        inside(from, || ports(to, &mut found))
    })?;
    Ok(found)
}

/// What passes of packets without ports that claim to come from another address.
pub fn forged(router: &Ns, from: &Ns, source: Ipv4Addr, to: &[Ipv4Addr]) -> Result<BTreeSet<String>> {
    watched(router, source, || inject::packets(from, &raw(source, to)))
}

/// What comes from a source and passes the filter while somebody sends.
fn watched(router: &Ns, source: Ipv4Addr, work: impl FnOnce() -> Result<()>) -> Result<BTreeSet<String>> {
    router.run(&["nft", &WATCH.replace("SCANNER", &source.to_string())])?;
    work()?;
    let mut passes = BTreeSet::new();
    for (set, word) in [("seen_ports", ""), ("seen_icmp", "icmp "), ("seen_other", "protocol ")] {
        let text = router.run(&["nft", "-n", "list", "set", "ip", "watch", set])?;
        passes.extend(elements(&text, word));
    }
    router.run(&["nft", "delete", "table", "ip", "watch"])?;
    Ok(passes)
}

/// The elements of a set as nft prints it.
fn elements<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = String> + 'a {
    let list = text.split_once("elements = {").and_then(|(_, rest)| rest.split_once('}'));
    let list = list.map_or("", |(list, _)| list);
    list.split(',').map(str::trim).filter(|one| !one.is_empty()).map(move |one| {
        let fields: Vec<&str> = one.split(" . ").map(str::trim).collect();
        match fields.as_slice() {
            [address, protocol, port] => {
                let protocol = protocol.replace("17", "udp").replace('6', "tcp");
                format!("{address} {protocol} {port}")
            }
            [address, number] => format!("{address} {word}{number}"),
            _ => one.to_owned(),
        }
    })
}

/// An ICMP message with a right checksum.
pub fn icmp(from: Ipv4Addr, to: Ipv4Addr, kind: u8) -> Vec<u8> {
    let mut body = vec![kind, 0, 0, 0, 0x12, 0x34, 0, 1];
    body.extend([0; 24]);
    let sum = checksum(&body).to_be_bytes();
    body.splice(2..4, sum);
    packet(from, to, 1, &body)
}

/// Packets that have no ports.
fn raw(from: Ipv4Addr, to: &[Ipv4Addr]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for to in to {
        packets.extend(ICMP.map(|kind| icmp(from, *to, kind)));
        for protocol in OTHER {
            packets.push(packet(from, *to, protocol, &[0x12; 24]));
        }
    }
    packets
}

/// A packet of any protocol.
pub fn packet(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend(((20 + body.len()) as u16).to_be_bytes());
    packet.extend([0x48, 0x57, 0, 0, 64, protocol, 0, 0]);
    packet.extend(from.octets());
    packet.extend(to.octets());
    let sum = checksum(&packet).to_be_bytes();
    packet.splice(10..12, sum);
    packet.extend(body);
    packet
}

/// TCP and UDP, as any program would: all at once, then what came back.
fn ports(to: &[Ipv4Addr], found: &mut Found) -> Result<()> {
    let (mut streams, mut sockets) = (Vec::new(), Vec::new());
    for address in to {
        for port in TCP {
            let socket =
                Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).context("TCP socket")?;
            socket.set_nonblocking(true)?;
            // it is under way, or has failed, which is asked below
            let _ = socket.connect(&SocketAddr::from((*address, port)).into());
            streams.push((format!("{address} tcp {port}"), socket));
        }
        for port in UDP {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("UDP socket")?;
            socket.connect((*address, port))?;
            socket.send(&isakmp(port))?;
            socket.set_nonblocking(true)?;
            sockets.push((format!("{address} udp {port}"), socket));
            // the router answers no more than so many a second
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    std::thread::sleep(PATIENCE);
    for (what, socket) in streams {
        match socket.take_error()? {
            Some(error) if error.kind() == ErrorKind::ConnectionRefused => drop(found.closed.insert(what)),
            Some(_) => {}
            None if socket.peer_addr().is_ok() => drop(found.answers.insert(what)),
            None => {}
        }
    }
    let mut bytes = [0; 2048];
    for (what, socket) in sockets {
        match socket.recv(&mut bytes) {
            Ok(_) => drop(found.answers.insert(what)),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => drop(found.closed.insert(what)),
            Err(_) => {}
        }
    }
    Ok(())
}

/// The first message of main mode (RFC 2408): an offer of 3DES, SHA, pre-shared keys and group 2;
/// with the marker of RFC 3948 for ports that take ESP too.
fn isakmp(port: u16) -> Vec<u8> {
    let mut message = if (4500..4502).contains(&port) { vec![0; 4] } else { Vec::new() };
    message.extend([0x48, 0x55, 0x42, 0x57, 0x41, 0x52]);
    message.extend(port.to_be_bytes());
    message.extend([0; 8]);
    // SA, version 1.0, main mode; no message id; 80 bytes
    message.extend([1, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 80]);
    // SA: IPsec DOI, identity only; one proposal of ISAKMP with one transform of KEY_IKE
    message.extend([0, 0, 0, 52, 0, 0, 0, 1, 0, 0, 0, 1]);
    message.extend([0, 0, 0, 40, 1, 1, 0, 1]);
    message.extend([0, 0, 0, 32, 1, 1, 0, 0]);
    // encryption, hash, authentication, group, lifetime in seconds: 28,800
    for (attribute, value) in [(1u8, 5u16), (2, 2), (3, 1), (4, 2), (11, 1), (12, 28_800)] {
        message.extend([0x80, attribute]);
        message.extend(value.to_be_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_sets() {
        let text = "set seen_ports {\n elements = { 198.51.100.2 . 17 . 500,\n 198.51.100.3 . 6 . 80 }\n}";
        let found: Vec<_> = elements(text, "").collect();
        assert_eq!(found, ["198.51.100.2 udp 500", "198.51.100.3 tcp 80"]);
        let text = "elements = { 198.51.100.2 . 8 }";
        assert_eq!(elements(text, "icmp ").collect::<Vec<_>>(), ["198.51.100.2 icmp 8"]);
        assert_eq!(elements("set x { }", "").count(), 0);
    }

    #[test]
    fn an_offer_has_the_length_that_it_says() {
        assert_eq!(isakmp(500).len(), 80);
        assert_eq!(isakmp(4500).len(), 84);
    }
}
