//! ICMP "fragmentation needed and DF set" (RFC 792, RFC 1191): sent to inner hosts, and received
//! from routers on the path.

use crate::path::Encapsulation;
use crate::wire::ip::{Ipv4, checksum, header, protocol};
use std::net::{IpAddr, Ipv4Addr};

const UNREACHABLE: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
/// Bytes of the longest ICMP error (RFC 1812 section 4.3.2.3).
const LONGEST: usize = 576;
/// Common link MTUs, for a router that does not report its own (RFC 1191 section 7).
const PLATEAUS: [u16; 5] = [17_914, 4352, 1492, 1006, 576];

/// Writes into `out` the ICMP error for the source of `packet`: packets to that destination may
/// have at most `mtu` bytes. False if RFC 1812 section 4.3.2.7 forbids an error.
pub fn answer(packet: &Ipv4<'_>, from: Ipv4Addr, mtu: usize, out: &mut Vec<u8>) -> bool {
    let (source, destination) = (packet.source(), packet.destination());
    let nobody = source.is_unspecified() || source.is_multicast() || source.is_broadcast();
    let many = destination.is_multicast() || destination.is_broadcast();
    let error = packet.protocol() == protocol::ICMP
        && packet.payload().first().is_none_or(|kind| matches!(kind, 3 | 4 | 5 | 11 | 12));
    if nobody || source.is_loopback() || many || packet.later_fragment() || error {
        return false;
    }
    let quoted = packet.bytes().get(..packet.bytes().len().min(LONGEST - 28)).unwrap_or_default();
    let [high, low] = u16::try_from(mtu).unwrap_or(u16::MAX).to_be_bytes();
    out.clear();
    out.extend_from_slice(&header(from, source, protocol::ICMP, 0xc0, 8 + quoted.len()));
    out.extend_from_slice(&[UNREACHABLE, FRAGMENTATION_NEEDED, 0, 0, 0, 0, high, low]);
    out.extend_from_slice(quoted);
    let sum = out.get(20..).map_or(0, checksum).to_be_bytes();
    if let Some(place) = out.get_mut(22..24) {
        place.copy_from_slice(&sum);
    }
    true
}

/// What a router reported about one of our ESP packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Source of the quoted packet.
    pub local: IpAddr,
    /// Its destination.
    pub remote: IpAddr,
    /// Its UDP destination port; 0 for native ESP.
    pub remote_port: u16,
    /// Native or in UDP.
    pub encapsulation: Encapsulation,
    /// Its SPI.
    pub spi: u32,
    /// Its sequence number.
    pub sequence: u32,
    /// The longest packet that the router can forward, in bytes.
    pub mtu: u16,
}

/// Reads an ICMP packet with its IP header. `None` if it is about something else, or does not quote
/// the SPI and sequence number, which only a party that saw the packet can know (RFC 4301 section
/// 8.2.1).
pub fn read(packet: &[u8], natt_port: u16) -> Option<Told> {
    let view = Ipv4::parse(packet)?;
    let (fixed, quoted) = view.payload().split_first_chunk::<8>()?;
    let [UNREACHABLE, FRAGMENTATION_NEEDED, _, _, _, _, high, low] = *fixed else { return None };
    if view.protocol() != protocol::ICMP || view.later_fragment() {
        return None;
    }
    // the quoted packet is truncated: its total length field is that of the whole packet
    let inner = quoted.first_chunk::<20>()?;
    let [first, _, long, short, .., kind, _, _, s1, s2, s3, s4, d1, d2, d3, d4] = *inner;
    let length = u16::from_be_bytes([long, short]);
    let header_len = usize::from(first & 15) * 4;
    if first >> 4 != 4 || header_len < 20 {
        return None;
    }
    let after = quoted.get(header_len..)?;
    let (esp, remote_port, encapsulation) = match kind {
        protocol::ESP => (after, 0, Encapsulation::Native),
        protocol::UDP => {
            let (udp, esp) = after.split_first_chunk::<8>()?;
            let [a, b, c, d, ..] = *udp;
            if u16::from_be_bytes([a, b]) != natt_port {
                return None;
            }
            (esp, u16::from_be_bytes([c, d]), Encapsulation::Udp)
        }
        _ => return None,
    };
    let [i1, i2, i3, i4, n1, n2, n3, n4] = *esp.first_chunk::<8>()?;
    let mtu = match u16::from_be_bytes([high, low]) {
        0 => PLATEAUS.into_iter().find(|plateau| *plateau < length)?,
        mtu => mtu,
    };
    // a router does not refuse a packet that fits its MTU
    (mtu < length).then_some(Told {
        local: Ipv4Addr::new(s1, s2, s3, s4).into(),
        remote: Ipv4Addr::new(d1, d2, d3, d4).into(),
        remote_port,
        encapsulation,
        spi: u32::from_be_bytes([i1, i2, i3, i4]),
        sequence: u32::from_be_bytes([n1, n2, n3, n4]),
        mtu,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv4Addr = Ipv4Addr::new(10, 48, 67, 181);
    const B: Ipv4Addr = Ipv4Addr::new(10, 100, 2, 102);

    fn error(outer: u8, payload: &[u8], length: usize, mtu: u16) -> Vec<u8> {
        let mut quoted = header(A, B, outer, 0, length - 20).to_vec();
        quoted.extend(payload);
        let [high, low] = mtu.to_be_bytes();
        let mut packet = header(B, A, protocol::ICMP, 0, 8 + quoted.len()).to_vec();
        packet.extend([3, 4, 0, 0, 0, 0, high, low]);
        packet.extend(quoted);
        packet
    }

    #[test]
    fn the_source_is_told_and_silence_is_kept() {
        let mut packet = header("10.1.1.10".parse().unwrap(), B, protocol::UDP, 0, 1480).to_vec();
        packet.resize(1500, 7);
        let mut out = Vec::new();
        assert!(answer(&Ipv4::parse(&packet).unwrap(), A, 1246, &mut out));
        let view = Ipv4::parse(&out).unwrap();
        assert_eq!((view.source(), view.destination()), (A, "10.1.1.10".parse().unwrap()));
        assert_eq!(view.payload()[..2], [3, 4]);
        assert_eq!(view.payload()[6..8], 1246u16.to_be_bytes());
        assert_eq!(view.payload()[8..], packet[..548]);
        assert_eq!((checksum(view.payload()), out.len()), (0, 576));
        let silent = |change: fn(&mut Vec<u8>)| {
            let mut packet = packet.clone();
            change(&mut packet);
            !answer(&Ipv4::parse(&packet).unwrap(), A, 1246, &mut Vec::new())
        };
        assert!(!silent(|_| {}));
        assert!(silent(|packet| packet[7] = 1), "a later fragment");
        assert!(silent(|packet| packet[12] = 0xe0), "a source that is many");
        assert!(silent(|packet| packet[16] = 0xe0), "a destination that is many");
        assert!(silent(|packet| (packet[9], packet[20]) = (1, 3)), "an error about an error");
        assert!(!silent(|packet| (packet[9], packet[20]) = (1, 8)), "an echo is no error");
    }

    #[test]
    fn routers_are_heard_when_they_quote_enough() {
        let esp = [0, 0, 0x20, 2, 0, 0, 0, 9];
        let told = read(&error(protocol::ESP, &esp, 1400, 1300), 4500).unwrap();
        assert_eq!((told.spi, told.sequence, told.mtu), (0x2002, 9, 1300));
        assert_eq!((told.local, told.remote, told.remote_port), (A.into(), B.into(), 0));
        let udp = [&[0x11, 0x94, 0x04, 0x01, 0, 0, 0, 0][..], &esp].concat();
        let told = read(&error(protocol::UDP, &udp, 1400, 1300), 4500).unwrap();
        assert_eq!((told.spi, told.remote_port, told.encapsulation), (0x2002, 1025, Encapsulation::Udp));
        assert_eq!(read(&error(protocol::UDP, &udp, 1400, 1300), 4501), None, "not our port");
        assert_eq!(read(&error(protocol::ESP, &esp, 1300, 1300), 4500), None, "it fitted");
        assert_eq!(read(&error(protocol::ESP, &esp, 1400, 0), 4500).unwrap().mtu, 1006, "a plateau");
        for (kind, payload) in [(protocol::ESP, &esp[..]), (protocol::UDP, &udp)] {
            let whole = error(kind, payload, 1400, 1300);
            for length in 0..whole.len() {
                assert_eq!(read(&whole[..length], 4500), None, "cut at {length}");
            }
        }
    }
}
