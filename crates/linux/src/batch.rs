//! Many datagrams per system call: recvmmsg(2) and sendmmsg(2) with their addresses and control
//! messages. Everything is allocated once; socket addresses and control messages are written and
//! read as bytes, so that only the two system calls themselves are unsafe.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};

/// A `sockaddr_in` or `sockaddr_in6`.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Name([u8; 32]);

/// Room for the control messages of one datagram: packet information and traffic class of IPv6 take
/// 64 bytes.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; 128]);

const CMSG_HEADER: usize = 16;

impl Name {
    const EMPTY: Self = Self([0; 32]);

    /// Writes the address; returns its length for the kernel.
    fn set(&mut self, address: SocketAddr) -> usize {
        let mut writer = Writer { buffer: &mut self.0, at: 0 };
        match address {
            SocketAddr::V4(v4) => {
                writer.put(&(libc::AF_INET as u16).to_ne_bytes());
                writer.put(&v4.port().to_be_bytes());
                writer.put(&v4.ip().octets());
                writer.put(&[0; 8]);
            }
            SocketAddr::V6(v6) => {
                writer.put(&(libc::AF_INET6 as u16).to_ne_bytes());
                writer.put(&v6.port().to_be_bytes());
                writer.put(&v6.flowinfo().to_ne_bytes());
                writer.put(&v6.ip().octets());
                writer.put(&v6.scope_id().to_ne_bytes());
            }
        }
        writer.at
    }

    fn get(&self) -> Option<SocketAddr> {
        let bytes = &self.0;
        let port = u16::from_be_bytes(array(bytes, 2)?);
        match i32::from(u16::from_ne_bytes(array(bytes, 0)?)) {
            libc::AF_INET => Some((Ipv4Addr::from(array::<4>(bytes, 4)?), port).into()),
            libc::AF_INET6 => {
                let address = Ipv6Addr::from(array::<16>(bytes, 8)?);
                let scope = u32::from_ne_bytes(array(bytes, 24)?);
                Some(SocketAddrV6::new(address, port, 0, scope).into())
            }
            _ => None,
        }
    }
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    /// What does not fit is left out; the buffers here are sized for the largest case.
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at.saturating_add(bytes.len());
        if let Some(place) = self.buffer.get_mut(self.at..end) {
            place.copy_from_slice(bytes);
            self.at = end;
        }
    }

    /// One control message, padded to eight bytes.
    fn control(&mut self, level: i32, kind: i32, data: &[u8]) {
        self.put(&(CMSG_HEADER + data.len()).to_ne_bytes());
        self.put(&level.to_ne_bytes());
        self.put(&kind.to_ne_bytes());
        self.put(data);
        let padding = self.at.next_multiple_of(8) - self.at;
        self.put([0; 8].get(..padding).unwrap_or_default());
    }
}

/// The content of the control messages of a received datagram.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Arrival {
    local: Option<IpAddr>,
    interface: u32,
    tos: u8,
    segment: Option<usize>,
}

fn parse_control(mut bytes: &[u8]) -> Arrival {
    let mut arrival = Arrival::default();
    while let (Some(length), Some(level), Some(kind)) = (array(bytes, 0), array(bytes, 8), array(bytes, 12)) {
        let length = usize::from_ne_bytes(length);
        let Some(data) = bytes.get(CMSG_HEADER..length) else { break };
        match (i32::from_ne_bytes(level), i32::from_ne_bytes(kind)) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                // struct in_pktinfo: interface, the local address, the destination in the header
                arrival.interface = array(data, 0).map_or(0, u32::from_ne_bytes);
                arrival.local = array::<4>(data, 8).map(|octets| Ipv4Addr::from(octets).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                arrival.local = array::<16>(data, 0).map(|octets| Ipv6Addr::from(octets).into());
                arrival.interface = array(data, 16).map_or(0, u32::from_ne_bytes);
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                arrival.segment = array(data, 0)
                    .and_then(|size| i32::from_ne_bytes(size).try_into().ok())
                    .filter(|size| *size > 0);
            }
            (libc::IPPROTO_IP, libc::IP_TOS) => arrival.tos = data.first().copied().unwrap_or(0),
            (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                arrival.tos = array(data, 0).map_or(0, i32::from_ne_bytes).try_into().unwrap_or(0);
            }
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    arrival
}

/// One datagram that arrived, or several of one sender that the kernel gathered (UDP receive
/// offload).
#[derive(Debug)]
pub struct Received<'a> {
    /// The payload, to be worked on in place.
    pub data: &'a mut [u8],
    /// Bytes of each datagram in `data`; the last may have less. Never 0.
    pub segment: usize,
    /// The sender; for a raw socket the port is 0.
    pub from: SocketAddr,
    /// The destination address in the IP header.
    pub to: Option<IpAddr>,
    /// Index of the interface it arrived by.
    pub interface: u32,
    /// The TOS or traffic class byte of the outer header: DSCP and ECN.
    pub tos: u8,
    /// The buffer was too small and the rest is lost.
    pub truncated: bool,
}

/// One datagram to send, or several of one length that the kernel cuts (UDP segmentation offload).
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The payload.
    pub data: &'a [u8],
    /// Bytes of each datagram in `data`, when there are several: at most 64 and, together, 65 507
    /// bytes. A network device that cannot fill in checksums refuses with `EIO`, a path that is too
    /// narrow with `EINVAL` or `EMSGSIZE`.
    pub segment: Option<u16>,
    /// The receiver; for a raw socket the port is 0.
    pub to: SocketAddr,
    /// The source address; the kernel chooses when there is none.
    pub from: Option<IpAddr>,
    /// Leave by this interface (index); 0 lets the routing table decide.
    pub interface: u32,
    /// TOS or traffic class of the outer header; the socket's own when there is none.
    pub tos: Option<u8>,
    /// Set the DF bit of the outer header: a datagram longer than the link's MTU then fails with
    /// `EMSGSIZE`. Clear, it is fragmented.
    pub dont_fragment: bool,
}

/// Buffers for a run of received datagrams, used again and again.
pub struct RecvBatch {
    size: usize,
    /// From the start of one buffer to that of the next.
    stride: usize,
    buffer: Vec<u8>,
    names: Vec<Name>,
    controls: Vec<Control>,
    arrived: Vec<Arrived>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    /// Datagrams to ask for next time.
    wanted: usize,
    /// The last call returned as many as were requested.
    more: bool,
}

#[derive(Clone, Copy, Default)]
struct Arrived {
    start: usize,
    end: usize,
    control: usize,
    truncated: bool,
}

// SAFETY: the pointers in `vectors` and `headers` are read by system calls only; all that they
// point to is owned by the same value, on the heap, and is neither moved nor freed before it.
unsafe impl Send for RecvBatch {}

impl std::fmt::Debug for RecvBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecvBatch({} of {} bytes, {} filled)", self.names.len(), self.size, self.arrived.len())
    }
}

/// Bytes that one call should return when datagrams are long: more would evict each other from the
/// processor's second cache.
const CALL: usize = 256 * 1024;

impl RecvBatch {
    /// Room for `datagrams` datagrams of at most `size` bytes each (for a raw socket, with their IP
    /// header).
    pub fn new(datagrams: usize, size: usize) -> Self {
        let datagrams = datagrams.max(1);
        let size = size.max(1);
        // buffers begin on a cache line, where the kernel's copy is fast, and each on another one
        // modulo a page: buffers with only a few hundred bytes would otherwise share a handful of
        // the cache's sets
        let stride = size.next_multiple_of(64).saturating_add(if size > 4096 { 64 * 25 } else { 0 });
        let mut batch = Self {
            size,
            stride,
            buffer: vec![0; datagrams.saturating_mul(stride)],
            names: vec![Name::EMPTY; datagrams],
            controls: vec![Control([0; 128]); datagrams],
            arrived: Vec::with_capacity(datagrams),
            vectors: Vec::with_capacity(datagrams),
            headers: Vec::with_capacity(datagrams),
            wanted: datagrams,
            more: false,
        };
        batch.point();
        batch
    }

    /// Points the vectors and headers at the buffers.
    fn point(&mut self) {
        for chunk in self.buffer.chunks_exact_mut(self.stride) {
            self.vectors.push(libc::iovec { iov_base: chunk.as_mut_ptr().cast(), iov_len: self.size });
        }
        for ((vector, name), control) in self.vectors.iter_mut().zip(&mut self.names).zip(&mut self.controls)
        {
            let mut header = empty_header();
            header.msg_name = name.0.as_mut_ptr().cast();
            header.msg_namelen = size_of::<Name>() as u32;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = control.0.as_mut_ptr().cast();
            header.msg_controllen = size_of::<Control>();
            self.headers.push(libc::mmsghdr { msg_hdr: header, msg_len: 0 });
        }
    }

    /// How many the last call received.
    pub fn len(&self) -> usize {
        self.arrived.len()
    }

    /// Whether nothing arrived.
    pub fn is_empty(&self) -> bool {
        self.arrived.is_empty()
    }

    /// Whether there may be more than the last call returned: it got as many as it requested.
    pub fn may_have_left_some(&self) -> bool {
        self.more
    }

    /// What the last call received, in the order of arrival.
    pub fn datagrams(&mut self) -> impl Iterator<Item = Received<'_>> {
        self.buffer
            .chunks_mut(self.stride)
            .zip(&self.names)
            .zip(&self.controls)
            .zip(&self.arrived)
            .filter_map(|(((data, name), control), arrived)| {
                let Arrival { local, interface, tos, segment } =
                    parse_control(control.0.get(..arrived.control)?);
                let data = data.get_mut(arrived.start..arrived.end)?;
                Some(Received {
                    segment: segment.unwrap_or(data.len()).max(1),
                    data,
                    from: name.get()?,
                    to: local,
                    interface,
                    tos,
                    truncated: arrived.truncated,
                })
            })
    }

    /// Receives what is there, without waiting.
    pub(crate) fn receive(&mut self, fd: BorrowedFd<'_>) -> io::Result<usize> {
        // what the last call wrote into the headers
        for header in self.headers.iter_mut().take(self.arrived.len()) {
            header.msg_hdr.msg_namelen = size_of::<Name>() as u32;
            header.msg_hdr.msg_controllen = size_of::<Control>();
            header.msg_hdr.msg_flags = 0;
        }
        self.arrived.clear();
        self.more = false;
        let count = u32::try_from(self.wanted.min(self.headers.len())).unwrap_or(1);
        let received = loop {
            // SAFETY: each of the `count` headers points to a name, a control buffer and one
            // vector, all of the given lengths and all owned by `self`, which is borrowed mutably
            // until the call has returned.
            let result = unsafe {
                libc::recvmmsg(
                    fd.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    count,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            };
            match usize::try_from(result) {
                Ok(received) => break received,
                Err(_) => {
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
            }
        };
        let mut bytes = 0;
        for header in self.headers.iter().take(received) {
            bytes += header.msg_len as usize;
            self.arrived.push(Arrived {
                start: 0,
                end: header.msg_len as usize,
                control: header.msg_hdr.msg_controllen,
                truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            });
        }
        self.more = received >= count as usize;
        let average = bytes.checked_div(received).unwrap_or(0).max(1);
        self.wanted = (CALL / average).clamp(2, self.headers.len().max(2));
        Ok(received)
    }

    /// Takes the IPv4 header off that a raw socket delivers. A datagram whose header makes no sense
    /// becomes empty.
    pub(crate) fn strip_ipv4_header(&mut self) {
        for (chunk, arrived) in self.buffer.chunks(self.stride).zip(&mut self.arrived) {
            let length = chunk.first().map_or(0, |byte| usize::from(byte & 0x0f) * 4);
            arrived.start = if length < 20 { arrived.end } else { length.min(arrived.end) };
        }
    }
}

/// Buffers for a run of datagrams to send, used again and again.
pub struct SendBatch {
    capacity: usize,
    names: Vec<Name>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    dont_fragment: Vec<bool>,
}

// SAFETY: the pointers in `vectors` and `headers` are written before each system call and never
// read otherwise.
unsafe impl Send for SendBatch {}

impl std::fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SendBatch({})", self.capacity)
    }
}

impl SendBatch {
    /// Room for `datagrams` datagrams per call.
    pub fn new(datagrams: usize) -> Self {
        let capacity = datagrams.max(1);
        Self {
            capacity,
            names: vec![Name::EMPTY; capacity],
            controls: vec![Control([0; 128]); capacity],
            vectors: Vec::with_capacity(capacity),
            headers: Vec::with_capacity(capacity),
            dont_fragment: Vec::with_capacity(capacity),
        }
    }

    /// The maximum number of datagrams per call.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Sends the first datagrams of `messages`, at most [`capacity`](Self::capacity); returns how
    /// many the kernel accepted. `set_df` is called before each run that needs another DF setting.
    /// An error is that of the first datagram that was not sent, and is returned only if that is
    /// the first of all.
    pub(crate) fn send<'a>(
        &mut self,
        fd: BorrowedFd<'_>,
        messages: impl IntoIterator<Item = Outgoing<'a>>,
        mut set_df: impl FnMut(bool) -> io::Result<()>,
    ) -> io::Result<usize> {
        self.vectors.clear();
        self.headers.clear();
        self.dont_fragment.clear();
        let places = self.names.iter_mut().zip(&mut self.controls);
        // the vectors stay within their capacity, so that the pointers to them stay valid
        let mut messages = messages.into_iter();
        for (name, control) in places {
            let Some(message) = messages.next() else { break };
            self.dont_fragment.push(message.dont_fragment);
            let mut header = empty_header();
            header.msg_namelen = name.set(message.to) as u32;
            header.msg_name = name.0.as_mut_ptr().cast();
            let length = write_control(control, &message);
            if length > 0 {
                header.msg_control = control.0.as_mut_ptr().cast();
                header.msg_controllen = length;
            }
            self.vectors.push(libc::iovec {
                iov_base: message.data.as_ptr().cast_mut().cast(),
                iov_len: message.data.len(),
            });
            self.headers.push(libc::mmsghdr { msg_hdr: header, msg_len: 0 });
        }
        for (header, vector) in self.headers.iter_mut().zip(&mut self.vectors) {
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
        }
        let mut sent = 0;
        while let Some(df) = self.dont_fragment.get(sent).copied() {
            let run = self.dont_fragment.iter().skip(sent).take_while(|other| **other == df).count();
            let Some(headers) = self.headers.get_mut(sent..sent + run) else { break };
            let result = set_df(df).and_then(|()| send_run(fd, headers));
            match result {
                Ok(0) => break,
                Ok(count) => {
                    sent += count;
                    if count < run {
                        break;
                    }
                }
                Err(error) if sent == 0 => return Err(error),
                Err(_) => break,
            }
        }
        Ok(sent)
    }
}

fn send_run(fd: BorrowedFd<'_>, headers: &mut [libc::mmsghdr]) -> io::Result<usize> {
    loop {
        // SAFETY: the headers were filled by `SendBatch::send`: names, controls and vectors are
        // owned by the batch, the data is borrowed by its caller; the kernel only reads them.
        let result = unsafe {
            libc::sendmmsg(
                fd.as_raw_fd(),
                headers.as_mut_ptr(),
                u32::try_from(headers.len()).unwrap_or(1),
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        match usize::try_from(result) {
            Ok(count) => return Ok(count),
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
}

fn write_control(control: &mut Control, message: &Outgoing<'_>) -> usize {
    let mut writer = Writer { buffer: &mut control.0, at: 0 };
    if let Some(segment) = message.segment {
        writer.control(libc::SOL_UDP, libc::UDP_SEGMENT, &segment.to_ne_bytes());
    }
    let interface = message.interface.to_ne_bytes();
    if message.to.is_ipv4() {
        let from = match message.from {
            Some(IpAddr::V4(from)) => Some(from),
            _ => None,
        };
        if from.is_some() || message.interface != 0 {
            let source = from.unwrap_or(Ipv4Addr::UNSPECIFIED).octets();
            let mut info = [0; 12];
            info.iter_mut().zip(interface.iter().chain(&source)).for_each(|(place, byte)| *place = *byte);
            writer.control(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
        }
        if let Some(tos) = message.tos {
            writer.control(libc::IPPROTO_IP, libc::IP_TOS, &i32::from(tos).to_ne_bytes());
        }
    } else {
        let from = match message.from {
            Some(IpAddr::V6(from)) => Some(from),
            _ => None,
        };
        if from.is_some() || message.interface != 0 {
            let source = from.unwrap_or(Ipv6Addr::UNSPECIFIED).octets();
            let mut info = [0; 20];
            info.iter_mut().zip(source.iter().chain(&interface)).for_each(|(place, byte)| *place = *byte);
            writer.control(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
        }
        if let Some(tos) = message.tos {
            writer.control(libc::IPPROTO_IPV6, libc::IPV6_TCLASS, &i32::from(tos).to_ne_bytes());
        }
    }
    writer.at
}

fn empty_header() -> libc::msghdr {
    // SAFETY: a msghdr of zeroes is valid: null pointers with zero lengths.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_kernels_layout() {
        for text in ["192.0.2.7:4500", "[2001:db8::7]:500", "0.0.0.0:0"] {
            let address: SocketAddr = text.parse().unwrap();
            let mut name = Name::EMPTY;
            let length = name.set(address);
            assert_eq!(length, if address.is_ipv4() { 16 } else { 28 });
            assert_eq!(name.get(), Some(address));
        }
        assert_eq!(Name::EMPTY.get(), None);
    }

    #[test]
    fn control_messages_are_padded_and_cut_ones_are_left_out() {
        let mut control = Control([0; 128]);
        let message = Outgoing {
            data: &[],
            segment: None,
            to: "192.0.2.1:500".parse().unwrap(),
            from: Some("192.0.2.2".parse().unwrap()),
            interface: 7,
            tos: Some(0xb8),
            dont_fragment: false,
        };
        let segmented = Outgoing { segment: Some(1400), ..message };
        assert_eq!(write_control(&mut control, &segmented), 24 + 32 + 24);
        let length = write_control(&mut control, &message);
        assert_eq!(length, 32 + 24);
        let arrival = parse_control(&control.0[..length]);
        assert_eq!((arrival.interface, arrival.tos), (7, 0xb8));
        assert_eq!(parse_control(&control.0[..31]).tos, 0);
        assert_eq!(parse_control(&[0xff; 16]), Arrival::default());
        assert_eq!(parse_control(&[0; 64]), Arrival::default());
    }
}
