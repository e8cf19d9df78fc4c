//! What an attacker on the wire can send: recorded packets again, and datagrams of any content.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use socket2::{Domain, Protocol, Socket, Type};

use crate::net::Ns;

/// Runs `work` with a thread that lives in the network namespace; sockets it makes are the
/// namespace's.
pub fn inside<T: Send>(ns: &Ns, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let path = Path::new("/run/netns").join(ns.name());
    let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).context("setns")?;
            work()
        });
        thread.join().unwrap_or_else(|_| bail!("the thread in {} panicked", ns.name()))
    })
}

/// Sends UDP datagrams, one after the other, from a port of `ns` that is not in use.
pub fn datagrams(ns: &Ns, to: (Ipv4Addr, u16), datagrams: &[Vec<u8>]) -> Result<()> {
    inside(ns, || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).context("bind")?;
        for datagram in datagrams {
            socket.send_to(datagram, SocketAddr::from(to)).context("send")?;
            // faster than this the receiver's socket buffer, not the program, would be tested
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(())
    })
}

/// Sends whole IPv4 packets exactly as given, source address included.
pub fn packets(ns: &Ns, packets: &[Vec<u8>]) -> Result<()> {
    inside(ns, || {
        // protocol 255 is IPPROTO_RAW: the header is ours
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).context("raw socket")?;
        for packet in packets {
            let to: [u8; 4] = packet.get(16..20).context("packet without an IPv4 header")?.try_into()?;
            let to = SocketAddr::V4(SocketAddrV4::new(to.into(), 0));
            socket.send_to(packet, &to.into()).context("send")?;
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(())
    })
}

/// The IPv4 packets of an Ethernet capture file (classic pcap, little-endian as tcpdump writes it
/// here).
pub fn recorded(file: &Path) -> Result<Vec<Vec<u8>>> {
    const FILE_HEADER: usize = 24;
    const RECORD_HEADER: usize = 16;
    const ETHERNET_HEADER: usize = 14;
    let bytes = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    if bytes.get(..4) != Some(&[0xd4, 0xc3, 0xb2, 0xa1]) {
        bail!("{} is not a little-endian pcap file", file.display());
    }
    let mut packets = Vec::new();
    let mut rest = bytes.get(FILE_HEADER..).unwrap_or_default();
    while let (Some(length), Some(body)) = (rest.get(8..12), rest.get(RECORD_HEADER..)) {
        let length = u32::from_le_bytes(length.try_into()?) as usize;
        let Some(frame) = body.get(..length) else { break };
        if frame.get(12..ETHERNET_HEADER) == Some(&[0x08, 0x00]) {
            packets.push(frame.get(ETHERNET_HEADER..).unwrap_or_default().to_vec());
        }
        rest = body.get(length..).unwrap_or_default();
    }
    Ok(packets)
}
