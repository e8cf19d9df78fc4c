//! Packet sockets, packet(7): DHCP before there is an address, replies to clients that have none,
//! and captures.

use crate::error::{Context, Error, check};
use crate::privilege::{self, Capability};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// The EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// Every EtherType, and packets that leave too: for captures.
pub const ETHERTYPE_ALL: u16 = libc::ETH_P_ALL as u16;
/// The Ethernet broadcast address.
pub const BROADCAST: [u8; 6] = [0xff; 6];

/// The first header of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// The link-layer header (`SOCK_RAW`).
    Link,
    /// The network header; the kernel makes and takes off the link layer's (`SOCK_DGRAM`).
    Network,
}

/// Where a packet came from or went to, as seen on the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To this machine, broadcasts and multicasts included.
    Incoming,
    /// To another machine (seen in promiscuous mode).
    Other,
    /// Sent by this machine.
    Outgoing,
}

/// A packet from a packet socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packet {
    /// Bytes in the buffer.
    pub length: usize,
    /// Length of the packet; more than `length` when the buffer was too small.
    pub full_length: usize,
    /// Its EtherType.
    pub ethertype: u16,
    /// Its direction.
    pub direction: Direction,
    /// The Ethernet address of the sender, where the link has one.
    pub sender: Option<[u8; 6]>,
    /// The transport checksum is in the packet. It is not when the sender's kernel left it to a
    /// network card that does not exist, as between the ends of a veth or with a virtual machine:
    /// it must not be verified then.
    pub checksum_filled: bool,
}

/// One instruction of a classic BPF program (`struct sock_filter`).
pub type Instruction = libc::sock_filter;

#[repr(C, align(8))]
struct Control([u8; 64]);

/// A packet socket on one interface, never blocking.
#[derive(Debug)]
pub struct PacketSocket {
    fd: OwnedFd,
    interface: u32,
    ethertype: u16,
}

impl PacketSocket {
    /// Opens a socket for packets of one EtherType on the interface of this index; `filter`, if not
    /// empty, decides which of them arrive. Needs CAP_NET_RAW.
    pub fn open(interface: u32, layer: Layer, ethertype: u16, filter: &[Instruction]) -> Result<Self, Error> {
        privilege::require(Capability::NetRaw, "a packet socket")?;
        let object = format!("a packet socket on interface {interface}");
        let kind = match layer {
            Layer::Link => libc::SOCK_RAW,
            Layer::Network => libc::SOCK_DGRAM,
        };
        // protocol 0 receives nothing until bind, so that no packet gets in before the filter
        // SAFETY: socket takes its arguments by value.
        let result =
            unsafe { libc::socket(libc::AF_PACKET, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0) };
        let raw = check(result).context("open", &object)?;
        // SAFETY: the descriptor is new and has no other owner.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        let socket = Self { fd, interface, ethertype };
        if !filter.is_empty() {
            socket.attach(filter).context("set the filter of", &object)?;
        }
        crate::socket::set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)
            .context("enable the checksum state on", &object)?;
        let address = socket.address([0; 6], 0);
        let length = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: the pointer and the length describe the address, which outlives the call.
        let result =
            unsafe { libc::bind(socket.fd.as_raw_fd(), std::ptr::from_ref(&address).cast(), length) };
        check(result).context("bind", &object)?;
        Ok(socket)
    }

    fn attach(&self, filter: &[Instruction]) -> io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
            filter: filter.as_ptr().cast_mut(),
        };
        let length = size_of::<libc::sock_fprog>() as u32;
        // SAFETY: the program describes the slice; the kernel copies both during the call and does
        // not write to them.
        let result = unsafe {
            libc::setsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_ATTACH_FILTER,
                std::ptr::from_ref(&program).cast(),
                length,
            )
        };
        check(result).map(drop)
    }

    fn address(&self, to: [u8; 6], length: u8) -> libc::sockaddr_ll {
        // SAFETY: a sockaddr_ll of zeroes is valid: it is all integers.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_protocol = self.ethertype.to_be();
        address.sll_ifindex = self.interface.cast_signed();
        address.sll_halen = length;
        address.sll_addr.iter_mut().zip(to).for_each(|(place, byte)| *place = byte);
        address
    }

    /// Takes one packet; `WouldBlock` when there is none.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<Packet> {
        let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut control = Control([0; 64]);
        // SAFETY: a sockaddr_ll of zeroes is valid: it is all integers.
        let mut from: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        // SAFETY: a msghdr of zeroes is valid: null pointers with zero lengths.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_name = std::ptr::from_mut(&mut from).cast();
        header.msg_namelen = size_of::<libc::sockaddr_ll>() as u32;
        header.msg_iov = &mut vector;
        header.msg_iovlen = 1;
        header.msg_control = control.0.as_mut_ptr().cast();
        header.msg_controllen = control.0.len();
        // SAFETY: name, buffer and control are described by their lengths and outlive the call.
        let result = unsafe { libc::recvmsg(self.fd.as_raw_fd(), &mut header, libc::MSG_TRUNC) };
        let full_length = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        let length = header.msg_controllen;
        // one control message: its header of 16 bytes, then struct tpacket_auxdata, which begins
        // with the status
        let status = control.0.get(16..20).filter(|_| length >= 20).and_then(|bytes| bytes.try_into().ok());
        let status = status.map_or(0, u32::from_ne_bytes);
        let [a, b, c, d, e, f, ..] = from.sll_addr;
        Ok(Packet {
            length: full_length.min(buffer.len()),
            full_length,
            ethertype: u16::from_be(from.sll_protocol),
            direction: match from.sll_pkttype {
                libc::PACKET_OUTGOING => Direction::Outgoing,
                libc::PACKET_OTHERHOST => Direction::Other,
                _ => Direction::Incoming,
            },
            checksum_filled: status & libc::TP_STATUS_CSUMNOTREADY == 0,
            sender: (from.sll_halen == 6).then_some([a, b, c, d, e, f]),
        })
    }

    /// Sends one packet to an Ethernet address. With [`Layer::Link`] the packet has its own header,
    /// and `to` is only for the kernel.
    pub fn send(&self, packet: &[u8], to: [u8; 6]) -> io::Result<()> {
        let address = self.address(to, 6);
        let length = size_of::<libc::sockaddr_ll>() as u32;
        // SAFETY: packet and address are described by their lengths, outlive the call and are only
        // read.
        let result = unsafe {
            libc::sendto(
                self.fd.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                std::ptr::from_ref(&address).cast(),
                length,
            )
        };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for PacketSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

/// A filter for [`Layer::Network`] sockets: whole IPv4 UDP datagrams, or first fragments, to this
/// port.
pub fn udp_port_filter(port: u16) -> Vec<Instruction> {
    let load_byte = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
    let load_half = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let has_bits = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
    let header_length = (libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH) as u16;
    let load_after_header = (libc::BPF_LD | libc::BPF_H | libc::BPF_IND) as u16;
    let give = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| Instruction { code, jt, jf, k };
    vec![
        step(load_byte, 0, 0, 9),
        step(equal, 0, 6, u32::from(libc::IPPROTO_UDP.unsigned_abs() as u8)),
        step(load_half, 0, 0, 6),
        step(has_bits, 4, 0, 0x1fff),
        step(header_length, 0, 0, 0),
        step(load_after_header, 0, 0, 2),
        step(equal, 0, 1, u32::from(port)),
        step(give, 0, 0, u32::MAX),
        step(give, 0, 0, 0),
    ]
}
