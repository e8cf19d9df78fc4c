//! Super-packets into the TUN interface: consecutive packets of one TCP or UDP flow are passed to
//! the kernel under one header, which costs it as much as one packet. Packets are coalesced only if
//! the kernel's own segmentation would restore them byte for byte. [`crate::flow::segment`] is the
//! other direction.

use crate::flow::segment::{HEADERS, Transport};
use crate::wire::ip::{Ipv4, Sum};

/// Flows that are coalesced at the same time.
const FLOWS: usize = 8;
/// Bytes of the longest super-packet.
const LONGEST: usize = 65_535;
/// Datagrams of one UDP super-packet, as in the kernel's own receive offload.
const DATAGRAMS: usize = 64;
const IP_HEADER: usize = 20;
const ACK: u8 = 0x10;
const PSH: u8 = 0x08;

/// How a super-packet must be segmented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Super {
    /// Its transport.
    pub transport: Transport,
    /// Bytes of its IP header, which the transport header follows.
    pub ip_header_len: usize,
    /// Bytes of its headers.
    pub header_len: usize,
    /// Payload bytes of each segment; the last may have fewer.
    pub segment: usize,
}

/// A packet that could be part of a super-packet.
struct Candidate<'a> {
    bytes: &'a [u8],
    transport: Transport,
    header_len: usize,
    /// Addresses and ports.
    flow: [u8; 12],
    /// In host byte order.
    identification: u16,
    /// TCP only.
    sequence: u32,
    push: bool,
}

impl<'a> Candidate<'a> {
    /// `None` if the kernel could not restore the packet as it is: options, fragments, TCP flags
    /// other than ACK and PSH, no payload, no UDP checksum, bytes after the packet.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let view = Ipv4::parse(bytes)?;
        let [0x45, _, _, _, i1, i2, fragment_1, fragment_2, .., s1, s2, s3, s4, d1, d2, d3, d4] =
            *bytes.first_chunk::<IP_HEADER>()?
        else {
            return None;
        };
        if view.bytes().len() != bytes.len() || u16::from_be_bytes([fragment_1 & 0xbf, fragment_2]) != 0 {
            return None;
        }
        let transport = Transport::of(view.protocol())?;
        let payload = view.payload();
        let header_len = IP_HEADER + transport.header_len(payload)?;
        let [p1, p2, p3, p4, n1, n2, n3, n4] = *payload.first_chunk::<8>()?;
        let push = match transport {
            Transport::Tcp => {
                let flags = *payload.get(13)?;
                let urgent = payload.get(18..20)?;
                if flags & !PSH != ACK || payload.get(12)? & 0x0f != 0 || urgent != [0, 0] {
                    return None;
                }
                flags & PSH != 0
            }
            Transport::Udp => {
                let length = usize::from(u16::from_be_bytes([n1, n2]));
                if [n3, n4] == [0, 0] || length != payload.len() {
                    return None;
                }
                false
            }
        };
        (bytes.len() > header_len).then_some(Self {
            bytes,
            transport,
            header_len,
            flow: [s1, s2, s3, s4, d1, d2, d3, d4, p1, p2, p3, p4],
            identification: u16::from_be_bytes([i1, i2]),
            sequence: u32::from_be_bytes([n1, n2, n3, n4]),
            push,
        })
    }

    fn payload(&self) -> &'a [u8] {
        self.bytes.get(self.header_len..).unwrap_or_default()
    }

    /// The headers without the fields that differ between segments.
    fn common(&self) -> [u8; HEADERS] {
        let mut common = [0; HEADERS];
        for (to, from) in common.iter_mut().zip(self.bytes.iter().take(self.header_len)) {
            *to = *from;
        }
        let checksum = IP_HEADER + self.transport.checksum_offset();
        let varying: [std::ops::Range<usize>; 4] = match self.transport {
            // total length and identification, IP checksum, sequence number, transport checksum
            Transport::Tcp => [2..6, 10..12, 24..28, checksum..checksum + 2],
            Transport::Udp => [2..6, 10..12, 24..26, checksum..checksum + 2],
        };
        for range in varying {
            if let Some(place) = common.get_mut(range) {
                place.fill(0);
            }
        }
        if self.transport == Transport::Tcp
            && let Some(flags) = common.get_mut(IP_HEADER + 13)
        {
            *flags &= !PSH;
        }
        common
    }

    fn is_correct(&self) -> bool {
        is_correct(self.bytes)
    }
}

/// Whether the checksums of a packet without IP options are correct: the kernel will recompute
/// them, and must not turn a corrupt packet into a valid one.
fn is_correct(packet: &[u8]) -> bool {
    let Some((header, payload)) = packet.split_first_chunk::<IP_HEADER>() else { return false };
    Sum::default().with(header).fold() == 0xffff
        && Sum::default().with_pseudo_header(header, payload.len()).with(payload).fold() == 0xffff
}

/// Packets of one flow.
struct Gathered {
    /// The whole first packet, then the payload of the others.
    buffer: Vec<u8>,
    flow: [u8; 12],
    transport: Transport,
    common: [u8; HEADERS],
    header_len: usize,
    segment: usize,
    count: usize,
    next_identification: u16,
    next_sequence: u32,
    /// The first packet's checksums were verified, which is not done while it is alone.
    correct: bool,
    push: bool,
    /// Nothing may be appended: the last segment was short or had PSH set.
    closed: bool,
}

impl Gathered {
    fn new() -> Self {
        Self {
            buffer: Vec::with_capacity(LONGEST),
            flow: [0; 12],
            transport: Transport::Tcp,
            common: [0; HEADERS],
            header_len: 0,
            segment: 0,
            count: 0,
            next_identification: 0,
            next_sequence: 0,
            correct: false,
            push: false,
            closed: false,
        }
    }

    fn start(&mut self, packet: &Candidate<'_>) {
        self.buffer.clear();
        self.buffer.extend_from_slice(packet.bytes);
        self.flow = packet.flow;
        self.transport = packet.transport;
        self.common = packet.common();
        self.header_len = packet.header_len;
        self.segment = packet.payload().len();
        self.count = 1;
        self.next_identification = packet.identification.wrapping_add(1);
        self.next_sequence = packet.sequence.wrapping_add(self.segment as u32);
        self.correct = false;
        self.push = packet.push;
        self.closed = packet.push;
    }

    fn is_of(&self, packet: &Candidate<'_>) -> bool {
        self.flow == packet.flow && self.transport == packet.transport
    }

    /// Appends a packet; false if it does not belong to this super-packet.
    fn append(&mut self, packet: &Candidate<'_>) -> bool {
        let payload = packet.payload();
        let continues = match self.transport {
            Transport::Tcp => packet.sequence == self.next_sequence,
            Transport::Udp => self.count < DATAGRAMS,
        };
        if self.closed
            || !continues
            || packet.identification != self.next_identification
            || packet.header_len != self.header_len
            || payload.len() > self.segment
            || self.buffer.len() + payload.len() > LONGEST
            || packet.common() != self.common
            || !packet.is_correct()
            || !(self.correct || is_correct(&self.buffer))
        {
            return false;
        }
        self.correct = true;
        self.buffer.extend_from_slice(payload);
        self.count += 1;
        self.next_identification = packet.identification.wrapping_add(1);
        self.next_sequence = packet.sequence.wrapping_add(payload.len() as u32);
        self.push |= packet.push;
        self.closed = packet.push || payload.len() < self.segment;
        true
    }

    /// Passes the super-packet to `out`. A packet that stayed alone is unchanged.
    fn emit(&mut self, out: &mut impl FnMut(&[u8], Option<Super>)) {
        if self.count < 2 {
            out(&self.buffer, None);
            return;
        }
        let total = self.buffer.len();
        let (transport, push) = (self.transport, self.push);
        if let Some((ip, rest)) = self.buffer.split_first_chunk_mut::<IP_HEADER>() {
            let [_, _, t1, t2, ..] = ip;
            [*t1, *t2] = crate::wire::reader::len16(total).to_be_bytes();
            let [.., c1, c2, _, _, _, _, _, _, _, _] = ip;
            [*c1, *c2] = [0, 0];
            let [c1, c2] = crate::wire::ip::checksum(ip).to_be_bytes();
            let [.., p1, p2, _, _, _, _, _, _, _, _] = ip;
            [*p1, *p2] = [c1, c2];
            // the kernel continues from the sum of the pseudo-header
            let sum = Sum::default().with_pseudo_header(ip, rest.len()).fold().to_be_bytes();
            let length = crate::wire::reader::len16(rest.len()).to_be_bytes();
            match (transport, rest.first_chunk_mut::<8>(), push) {
                (Transport::Udp, Some([_, _, _, _, l1, l2, _, _]), _) => [*l1, *l2] = length,
                (Transport::Tcp, _, true) => {
                    if let Some(flags) = rest.get_mut(13) {
                        *flags |= PSH;
                    }
                }
                _ => {}
            }
            let place = rest.get_mut(transport.checksum_offset()..).and_then(|rest| rest.first_chunk_mut());
            if let Some(place) = place {
                *place = sum;
            }
        }
        let (header_len, segment) = (self.header_len, self.segment);
        out(&self.buffer, Some(Super { transport, ip_header_len: IP_HEADER, header_len, segment }));
    }
}

/// Coalesces the packets of a batch.
pub struct Coalescer {
    /// In the order in which they started; entries after the first `open` are kept for reuse.
    flows: Vec<Gathered>,
    open: usize,
    gathers: [bool; 2],
}

impl std::fmt::Debug for Coalescer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Coalescer({} flows)", self.open)
    }
}

impl Coalescer {
    /// Coalesces TCP, UDP, both, or nothing; in the last case every packet is passed on at once.
    pub fn new(tcp: bool, udp: bool) -> Self {
        Self { flows: Vec::with_capacity(FLOWS), open: 0, gathers: [tcp, udp] }
    }

    fn gathers(&self, transport: Transport) -> bool {
        let [tcp, udp] = self.gathers;
        match transport {
            Transport::Tcp => tcp,
            Transport::Udp => udp,
        }
    }

    /// Takes a packet; `out` gets the super-packets that cannot grow any more. The order of the
    /// packets of a flow is kept.
    pub fn push(&mut self, packet: &[u8], mut out: impl FnMut(&[u8], Option<Super>)) {
        if self.gathers == [false, false] {
            return out(packet, None);
        }
        let Some(candidate) = Candidate::read(packet).filter(|packet| self.gathers(packet.transport)) else {
            self.overtaken_by(packet, &mut out);
            return out(packet, None);
        };
        let open = self.flows.iter_mut().take(self.open);
        if let Some((place, flow)) = open.enumerate().find(|(_, flow)| flow.is_of(&candidate)) {
            if flow.append(&candidate) {
                return;
            }
            self.close(place, &mut out);
        }
        if self.open == FLOWS {
            self.close(0, &mut out);
        }
        if self.flows.len() == self.open {
            self.flows.push(Gathered::new());
        }
        if let Some(flow) = self.flows.get_mut(self.open) {
            flow.start(&candidate);
            self.open += 1;
        }
    }

    /// Passes everything that was coalesced to `out`.
    pub fn flush(&mut self, mut out: impl FnMut(&[u8], Option<Super>)) {
        for flow in self.flows.iter_mut().take(self.open) {
            flow.emit(&mut out);
        }
        self.open = 0;
    }

    fn close(&mut self, place: usize, out: &mut impl FnMut(&[u8], Option<Super>)) {
        let Some(open) = self.flows.get_mut(place..self.open) else { return };
        if let Some(flow) = open.first_mut() {
            flow.emit(out);
        }
        open.rotate_left(1);
        self.open -= 1;
    }

    /// A packet that cannot be coalesced must not overtake those of its flow, and a fragment has no
    /// ports: what was coalesced between its addresses is passed on first.
    fn overtaken_by(&mut self, packet: &[u8], out: &mut impl FnMut(&[u8], Option<Super>)) {
        let addresses = packet.get(12..20).unwrap_or_default();
        let mut place = 0;
        while let Some(flow) = self.flows.get(place).filter(|_| place < self.open) {
            if flow.flow.get(..8) == Some(addresses) {
                self.close(place, out);
            } else {
                place += 1;
            }
        }
    }
}

#[cfg(test)]
#[path = "coalesce_tests.rs"]
mod tests;
