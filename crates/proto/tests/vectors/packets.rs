//! UDP datagrams of pcap and pcapng files.

use crate::read;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};
use std::net::Ipv4Addr;
use std::path::Path;

/// A UDP datagram over IPv4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) source: (Ipv4Addr, u16),
    pub(crate) destination: (Ipv4Addr, u16),
    pub(crate) payload: Vec<u8>,
}

impl Datagram {
    /// The IKE message: the whole datagram on port 500, what follows the non-ESP marker on port
    /// 4500, otherwise nothing.
    pub(crate) fn ike(&self) -> Option<&[u8]> {
        let ports = [self.source.1, self.destination.1];
        if ports.contains(&4500) {
            return self.payload.strip_prefix(&[0; 4]);
        }
        ports.contains(&500).then_some(self.payload.as_slice())
    }
}

/// All UDP datagrams of a capture, as far as the packets are long enough to have a UDP header.
pub(crate) fn datagrams(path: &Path) -> Vec<Datagram> {
    packets(path).iter().filter_map(|packet| datagram(packet)).collect()
}

/// All IPv4 packets of a capture.
pub(crate) fn packets(path: &Path) -> Vec<Vec<u8>> {
    let bytes = read(path);
    let mut reader = create_reader(1 << 16, &bytes[..]).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut link = Linktype::ETHERNET;
    let mut found = Vec::new();
    loop {
        let exhausted = reader.reader_exhausted();
        match reader.next() {
            Ok((used, block)) => {
                match block {
                    // the upper bits of the field show whether frames end with a checksum
                    PcapBlockOwned::LegacyHeader(header) => link = Linktype(header.network.0 & 0xffff),
                    PcapBlockOwned::Legacy(packet) => found.extend(ip_packet(link, packet.data)),
                    PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => link = interface.linktype,
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let captured = packet.data.len().min(packet.caplen as usize);
                        found.extend(ip_packet(link, &packet.data[..captured]));
                    }
                    PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                        found.extend(ip_packet(link, packet.data))
                    }
                    PcapBlockOwned::NG(_) => {}
                }
                reader.consume(used);
            }
            Err(PcapError::Incomplete(_)) if !exhausted => reader.refill().unwrap(),
            // some of the captures are deliberately cut in the middle of a packet
            Err(PcapError::Eof | PcapError::Incomplete(_) | PcapError::UnexpectedEof) => return found,
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

fn ip_packet(link: Linktype, frame: &[u8]) -> Option<Vec<u8>> {
    let packet = match link {
        Linktype::ETHERNET => frame.get(12..)?.strip_prefix(&[8, 0])?,
        Linktype::NULL => frame.get(4..)?,
        Linktype::RAW | Linktype::IPV4 => frame,
        other => panic!("link type {other}"),
    };
    Some(packet.to_vec())
}

fn datagram(packet: &[u8]) -> Option<Datagram> {
    let word = |at: usize| Some(u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    let header = usize::from(packet.first()? & 15) * 4;
    if packet.first()? >> 4 != 4 || *packet.get(9)? != 17 || word(6)? & 0x1fff != 0 {
        return None;
    }
    let end = packet.len().min(usize::from(word(2)?).max(header + 8));
    let end = end.min(header + usize::from(word(header + 4)?).max(8));
    Some(Datagram {
        source: (address(12)?, word(header)?),
        destination: (address(16)?, word(header + 2)?),
        payload: packet.get(header + 8..end)?.to_vec(),
    })
}
