//! IPv4 headers of inner packets (RFC 791), as far as SA selection and checks need them.

use std::net::Ipv4Addr;

/// IP protocol numbers.
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IPv4 in IP, the next header of tunnel mode.
    pub const IPIP: u8 = 4;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ESP.
    pub const ESP: u8 = 50;
    /// No next header: a dummy packet (RFC 4303 section 2.6).
    pub const DUMMY: u8 = 59;
}

/// A checked view of an IPv4 packet: the header is complete and the lengths are consistent.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4<'a> {
    bytes: &'a [u8],
    header: &'a [u8; 20],
    header_len: usize,
}

impl<'a> Ipv4<'a> {
    /// Checks version, header length and total length; bytes after the total length are ignored.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        Self::parse_start(bytes).filter(|view| view.bytes.len() == view.total())
    }

    /// The same of a packet whose end may be missing, as in a log: the payload is what there is.
    pub fn parse_start(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.first_chunk::<20>()?;
        let [first, _, high, low, ..] = *header;
        let header_len = usize::from(first & 15) * 4;
        let total = usize::from(u16::from_be_bytes([high, low]));
        if first >> 4 != 4 || header_len < 20 || total < header_len {
            return None;
        }
        let bytes = bytes.get(..total).unwrap_or(bytes);
        (bytes.len() >= header_len).then_some(Self { bytes, header, header_len })
    }

    /// The total length of the packet.
    fn total(&self) -> usize {
        let [_, _, high, low, ..] = *self.header;
        usize::from(u16::from_be_bytes([high, low]))
    }

    /// The packet without the bytes after it.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The type-of-service byte: DSCP and ECN.
    pub fn tos(&self) -> u8 {
        let [_, tos, ..] = *self.header;
        tos
    }

    /// The DF bit.
    pub fn dont_fragment(&self) -> bool {
        let [_, _, _, _, _, _, flags, ..] = *self.header;
        flags & 0x40 != 0
    }

    /// Whether it is a fragment other than the first.
    pub fn later_fragment(&self) -> bool {
        let [_, _, _, _, _, _, high, low, ..] = *self.header;
        u16::from_be_bytes([high & 0x1f, low]) != 0
    }

    /// The payload's protocol.
    pub fn protocol(&self) -> u8 {
        let [_, _, _, _, _, _, _, _, _, protocol, ..] = *self.header;
        protocol
    }

    /// Source address.
    pub fn source(&self) -> Ipv4Addr {
        let [_, _, _, _, _, _, _, _, _, _, _, _, a, b, c, d, ..] = *self.header;
        Ipv4Addr::new(a, b, c, d)
    }

    /// Destination address.
    pub fn destination(&self) -> Ipv4Addr {
        let [.., a, b, c, d] = *self.header;
        Ipv4Addr::new(a, b, c, d)
    }

    /// Type and code of an ICMP message; a later fragment has none.
    pub fn icmp(&self) -> Option<(u8, u8)> {
        let has = self.protocol() == protocol::ICMP && !self.later_fragment();
        let [kind, code] = *self.payload().first_chunk::<2>().filter(|_| has)?;
        Some((kind, code))
    }

    /// Header length in bytes.
    pub fn header_len(&self) -> usize {
        self.header_len
    }

    /// The payload, as long as the header announces.
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.header_len..).unwrap_or_default()
    }
}

/// The Internet checksum (RFC 1071).
pub fn checksum(bytes: &[u8]) -> u16 {
    !Sum::default().with(bytes).fold()
}

/// A running one's complement sum (RFC 1071). It is kept in the machine's byte order, which section
/// 2 (B) allows, because every byte of a segmented packet is summed here.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds bytes; only the last call may add an odd number of them.
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        let sum = hubward_crypto::sum::of_words(bytes);
        // the folded sum is at most 2^33, so that a sum of many parts cannot overflow
        Self(self.0 + (sum & 0xffff_ffff) + (sum >> 32))
    }

    /// Adds a 16-bit number.
    #[must_use]
    pub fn with_u16(self, number: u16) -> Self {
        Self(self.0 + u64::from(u16::from_ne_bytes(number.to_be_bytes())))
    }

    /// Adds the pseudo-header of TCP and UDP (RFC 9293 section 3.1): addresses from an IPv4 header,
    /// protocol, length.
    #[must_use]
    pub fn with_pseudo_header(self, header: &[u8; 20], length: usize) -> Self {
        let [.., protocol, _, _, s1, s2, s3, s4, d1, d2, d3, d4] = *header;
        self.with(&[s1, s2, s3, s4, d1, d2, d3, d4])
            .with_u16(u16::from(protocol))
            .with_u16(crate::wire::reader::len16(length))
    }

    /// The sum in 16 bits, not yet complemented.
    pub fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum >> 16 != 0 {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::from_be_bytes((sum as u16).to_ne_bytes())
    }
}

/// A 20-byte IPv4 header for a payload of `payload_len` bytes.
pub fn header(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    tos: u8,
    payload_len: usize,
) -> [u8; 20] {
    let [length_high, length_low] = crate::wire::reader::len16(payload_len + 20).to_be_bytes();
    let [s1, s2, s3, s4] = source.octets();
    let [d1, d2, d3, d4] = destination.octets();
    let build = |c1, c2| {
        [0x45, tos, length_high, length_low, 0, 0, 0, 0, 64, protocol, c1, c2, s1, s2, s3, s4, d1, d2, d3, d4]
    };
    let [c1, c2] = checksum(&build(0, 0)).to_be_bytes();
    build(c1, c2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn built_headers_parse() {
        let (a, b) = (Ipv4Addr::new(10, 1, 1, 1), Ipv4Addr::new(10, 2, 2, 2));
        let mut packet = header(a, b, protocol::UDP, 0xb8, 8).to_vec();
        packet.extend([0, 53, 0x1f, 0x90, 0, 8, 0, 0]);
        let view = Ipv4::parse(&packet).unwrap();
        assert_eq!((view.source(), view.destination(), view.tos()), (a, b, 0xb8));
        assert_eq!((view.flow().source_port, view.flow().destination_port), (Some(53), Some(8080)));
        assert_eq!(checksum(&packet[..20]), 0);
    }

    #[test]
    fn the_end_of_a_packet_may_be_missing_where_that_is_said() {
        let (a, b) = (Ipv4Addr::new(10, 1, 1, 1), Ipv4Addr::new(10, 2, 2, 2));
        let mut packet = header(a, b, protocol::ICMP, 0, 100).to_vec();
        packet.extend([8, 0, 0, 0]);
        assert!(Ipv4::parse(&packet).is_none());
        let view = Ipv4::parse_start(&packet).unwrap();
        assert_eq!((view.destination(), view.icmp(), view.payload().len()), (b, Some((8, 0)), 4));
        assert_eq!(Ipv4::parse_start(&packet[..20]).unwrap().icmp(), None);
        assert!(Ipv4::parse_start(&packet[..19]).is_none());
        packet[0] = 0x4f;
        assert!(Ipv4::parse_start(&packet).is_none(), "a header of 60 bytes");
    }

    /// RFC 1071 section 3, and every length compared with a plain sum.
    #[test]
    fn sums_are_those_of_rfc_1071() {
        assert_eq!(Sum::default().with(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]).fold(), 0xddf2);
        let bytes: Vec<u8> = (0..400u32).map(|byte| (byte * 151) as u8 | 0x81).collect();
        for length in 0..bytes.len() {
            let mut plain = 0u32;
            for pair in bytes[..length].chunks(2) {
                plain += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
                plain = (plain & 0xffff) + (plain >> 16);
            }
            assert_eq!(checksum(&bytes[..length]), !(plain as u16), "{length}");
        }
        let parts = Sum::default().with(&bytes[..52]).with(&bytes[52..]).fold();
        assert_eq!(parts, Sum::default().with(&bytes).fold());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(view) = Ipv4::parse(&bytes) {
                let _ = view.flow();
                prop_assert!(view.payload().len() + view.header_len() == view.bytes().len());
            }
        }
    }
}
