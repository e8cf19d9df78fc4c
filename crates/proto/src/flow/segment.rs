//! Super-packets out of the TUN interface: the kernel passes up to 64 KiB of one TCP or UDP flow
//! under one header, and they are split here into the packets that it would have sent itself (TCP
//! and UDP segmentation offload).

use crate::wire::ip::{Ipv4, Sum, protocol};

/// What the kernel left undone in a packet (virtio 1.2, section 5.1.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// It must be split into segments with this many bytes of payload.
    pub segment: Option<(Transport, u16)>,
    /// Its checksum is missing. The first number is the offset from which to sum; the second is the
    /// offset of the checksum field, counted from the first.
    pub checksum: Option<(u16, u16)>,
}

/// The transport protocol of a super-packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// TCP segments.
    Tcp,
    /// UDP datagrams.
    Udp,
}

impl Transport {
    /// The transport of an IP protocol number.
    pub fn of(number: u8) -> Option<Self> {
        match number {
            protocol::TCP => Some(Self::Tcp),
            protocol::UDP => Some(Self::Udp),
            _ => None,
        }
    }

    /// The offset of the checksum in the transport header.
    pub const fn checksum_offset(self) -> usize {
        match self {
            Self::Tcp => 16,
            Self::Udp => 6,
        }
    }

    /// Bytes of the transport header at the start of `payload`.
    pub fn header_len(self, payload: &[u8]) -> Option<usize> {
        match self {
            Self::Tcp => {
                let length = usize::from(payload.get(12)? >> 4) * 4;
                (20..=payload.len()).contains(&length).then_some(length)
            }
            Self::Udp => (payload.len() >= UDP_HEADER).then_some(UDP_HEADER),
        }
    }
}

const UDP_HEADER: usize = 8;
/// Bytes of the longest IPv4 and TCP headers together.
pub(crate) const HEADERS: usize = 120;
const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// Writes the checksum that the kernel left out of a packet; false if its place is not in the
/// packet.
pub fn finish_checksum(packet: &mut [u8], (start, offset): (u16, u16)) -> bool {
    let Some(covered) = packet.get_mut(usize::from(start)..) else { return false };
    let mut sum = !Sum::default().with(covered).fold();
    // in UDP, zero means that there is no checksum (RFC 768); in other protocols, all ones is the
    // same number
    if sum == 0 {
        sum = 0xffff;
    }
    covered.get_mut(usize::from(offset)..).and_then(|place| place.first_chunk_mut()).is_some_and(|place| {
        *place = sum.to_be_bytes();
        true
    })
}

/// The packets of a super-packet.
#[derive(Clone, Copy, Debug)]
pub struct Segments<'a> {
    view: Ipv4<'a>,
    transport: Transport,
    /// The IP header and the transport header.
    header: &'a [u8],
    payload: &'a [u8],
    size: usize,
}

impl<'a> Segments<'a> {
    /// `size` is the payload of each segment; the last may have less. `None` if the headers do not
    /// fit the transport.
    pub fn new(view: Ipv4<'a>, transport: Transport, size: u16) -> Option<Self> {
        if Transport::of(view.protocol()) != Some(transport) || view.later_fragment() || size == 0 {
            return None;
        }
        let length = view.header_len() + transport.header_len(view.payload())?;
        let (header, payload) = view.bytes().split_at_checked(length)?;
        Some(Self { view, transport, header, payload, size: usize::from(size) })
    }

    /// The header that they have in common.
    pub fn view(&self) -> &Ipv4<'a> {
        &self.view
    }

    /// The number of segments; without payload there is one.
    pub fn count(&self) -> usize {
        self.payload.len().div_ceil(self.size).max(1)
    }

    /// Bytes of the longest segment.
    pub fn longest(&self) -> usize {
        self.header.len() + self.payload.len().min(self.size)
    }

    /// The payload of a segment.
    fn chunk(&self, index: usize) -> &'a [u8] {
        let start = index.saturating_mul(self.size).min(self.payload.len());
        let end = start.saturating_add(self.size).min(self.payload.len());
        self.payload.get(start..end).unwrap_or_default()
    }

    /// Bytes of a segment.
    pub fn len(&self, index: usize) -> usize {
        self.header.len() + self.chunk(index).len()
    }

    /// Whether there is nothing to send; there always is.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Appends a segment to `out`, starting at byte `from`, which is after the IP header for
    /// transport mode. The result is that of the kernel's own segmentation: the IP identification
    /// increases, PSH and FIN are only in the last segment, CWR only in the first.
    pub fn write(&self, index: usize, from: usize, out: &mut Vec<u8>) {
        let chunk = self.chunk(index);
        let mut headers = [0; HEADERS];
        let Some(header) = headers.get_mut(..self.header.len()) else { return };
        header.copy_from_slice(self.header);
        let Some((ip, transport)) = header.split_at_mut_checked(self.view.header_len()) else { return };
        let transport_len = transport.len() + chunk.len();
        finish_ip_header(ip, index, transport_len);
        let last = index + 1 >= self.count();
        match (self.transport, transport.first_chunk_mut::<20>()) {
            (Transport::Tcp, Some([_, _, _, _, s1, s2, s3, s4, .., flags, _, _, _, _, _, _])) => {
                let sequence = u32::from_be_bytes([*s1, *s2, *s3, *s4]);
                let moved = sequence.wrapping_add((index * self.size) as u32);
                [*s1, *s2, *s3, *s4] = moved.to_be_bytes();
                if !last {
                    *flags &= !(FIN | PSH);
                }
                if index > 0 {
                    *flags &= !CWR;
                }
            }
            _ => {
                if let Some(length) = transport.get_mut(4..).and_then(|rest| rest.first_chunk_mut()) {
                    *length = crate::wire::reader::len16(transport_len).to_be_bytes();
                }
            }
        }
        let place = self.transport.checksum_offset();
        if let Some(checksum) = transport.get_mut(place..).and_then(|rest| rest.first_chunk_mut::<2>()) {
            *checksum = [0, 0];
        }
        let pseudo = ip
            .first_chunk()
            .map_or_else(Sum::default, |ip| Sum::default().with_pseudo_header(ip, transport_len));
        let sum = match !pseudo.with(transport).with(chunk).fold() {
            0 if self.transport == Transport::Udp => 0xffff,
            sum => sum,
        };
        if let Some(checksum) = transport.get_mut(place..).and_then(|rest| rest.first_chunk_mut()) {
            *checksum = sum.to_be_bytes();
        }
        out.extend_from_slice(header.get(from..).unwrap_or_default());
        out.extend_from_slice(chunk);
    }
}

/// Total length, identification and checksum of one segment's IP header.
fn finish_ip_header(ip: &mut [u8], index: usize, transport_len: usize) {
    let total = crate::wire::reader::len16(ip.len() + transport_len).to_be_bytes();
    if let Some([_, _, t1, t2, i1, i2, _, _, _, _, c1, c2, ..]) = ip.first_chunk_mut::<20>() {
        [*t1, *t2] = total;
        [*i1, *i2] = u16::from_be_bytes([*i1, *i2]).wrapping_add(index as u16).to_be_bytes();
        [*c1, *c2] = [0, 0];
    }
    let sum = crate::wire::ip::checksum(ip).to_be_bytes();
    if let Some([.., c1, c2, _, _, _, _, _, _, _, _]) = ip.first_chunk_mut::<20>() {
        [*c1, *c2] = sum;
    }
}
