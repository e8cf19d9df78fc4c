//! The TUN interface for cleartext in both directions, with a virtio header before each packet.

use crate::error::{Context, Error, check};
use crate::marks::INTERFACE_PREFIX;
use crate::privilege::{self, Capability};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::writev;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

const DEVICE: &str = "/dev/net/tun";

/// What the kernel may leave undone in the packets that it hands over and may be asked to do in
/// those that it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offload {
    /// Every packet is whole: its checksum is there and it fits the MTU.
    #[default]
    None,
    /// Checksums may be missing ([`VnetHeader::NEEDS_CHECKSUM`]).
    Checksum,
    /// TCP segments of up to 64 KiB, over IPv4 and IPv6, checksums missing.
    Tcp,
    /// As `Tcp`, and UDP datagrams too (Linux 6.2).
    TcpUdp,
}

impl Offload {
    fn flags(self) -> libc::c_uint {
        let checksum = libc::TUN_F_CSUM;
        let tcp = checksum | libc::TUN_F_TSO4 | libc::TUN_F_TSO6 | libc::TUN_F_TSO_ECN;
        match self {
            Self::None => 0,
            Self::Checksum => checksum,
            Self::Tcp => tcp,
            Self::TcpUdp => tcp | libc::TUN_F_USO4 | libc::TUN_F_USO6,
        }
    }
}

/// The header before each packet: `struct virtio_net_hdr` (virtio 1.2, section 5.1.6), here in the
/// machine's byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VnetHeader {
    /// [`Self::NEEDS_CHECKSUM`] or [`Self::DATA_VALID`].
    pub flags: u8,
    /// 0 none, 1 TCP over IPv4, 4 TCP over IPv6, 5 UDP; 0x80 is added if a TCP segment has ECN's
    /// CWR.
    pub gso_type: u8,
    /// Length of all headers, when `gso_type` is not 0.
    pub header_length: u16,
    /// Payload of each segment, when `gso_type` is not 0.
    pub gso_size: u16,
    /// Where the checksummed part begins.
    pub checksum_start: u16,
    /// Where to put it, counted from `checksum_start`.
    pub checksum_offset: u16,
}

impl VnetHeader {
    /// Bytes before each packet.
    pub const LEN: usize = 10;
    /// Flag: the transport checksum is not filled in.
    pub const NEEDS_CHECKSUM: u8 = 1;
    /// Flag: the checksum has been verified.
    pub const DATA_VALID: u8 = 2;
    /// `gso_type`: TCP over IPv4.
    pub const TCP_V4: u8 = 1;
    /// `gso_type`: UDP datagrams.
    pub const UDP: u8 = 5;
    /// Added to `gso_type`: the TCP segments have ECN's CWR.
    pub const ECN: u8 = 0x80;

    /// The header as the kernel wants it.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let fields = [self.header_length, self.gso_size, self.checksum_start, self.checksum_offset];
        let all =
            [self.flags, self.gso_type].into_iter().chain(fields.into_iter().flat_map(u16::to_ne_bytes));
        bytes.iter_mut().zip(all).for_each(|(place, byte)| *place = byte);
        bytes
    }

    /// Reads the header.
    pub fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        let [flags, gso_type, a, b, c, d, e, f, g, h] = bytes;
        Self {
            flags,
            gso_type,
            header_length: u16::from_ne_bytes([a, b]),
            gso_size: u16::from_ne_bytes([c, d]),
            checksum_start: u16::from_ne_bytes([e, f]),
            checksum_offset: u16::from_ne_bytes([g, h]),
        }
    }
}

/// How a TUN interface is made.
#[derive(Debug, Clone, Default)]
pub struct TunOptions {
    /// The interface's name; a `%d` in it becomes the first free number. None is `hubward%d`.
    pub name: Option<String>,
    /// More than one queue can be opened ([`Tun::another_queue`]), each with one reader.
    pub multi_queue: bool,
}

/// One queue of a TUN interface, never blocking. The interface vanishes with its last queue.
#[derive(Debug)]
pub struct Tun {
    fd: OwnedFd,
    name: String,
    /// Another one after [`Self::remake`].
    index: AtomicU32,
    multi_queue: bool,
    /// What was last switched on, as [`Offload::flags`].
    offload: AtomicU32,
}

impl Tun {
    /// Makes the interface in the thread's network namespace, down and without address, offloads
    /// off. Needs CAP_NET_ADMIN.
    pub fn create(options: &TunOptions) -> Result<Self, Error> {
        privilege::require(Capability::NetAdmin, "a TUN interface")?;
        let pattern = options.name.clone().unwrap_or_else(|| format!("{INTERFACE_PREFIX}%d"));
        Self::attach(&pattern, options.multi_queue)
    }

    /// One more queue of an interface that was made with `multi_queue`.
    pub fn another_queue(&self) -> Result<Self, Error> {
        Self::attach(&self.name, self.multi_queue)
    }

    fn attach(pattern: &str, multi_queue: bool) -> Result<Self, Error> {
        let fd = open(DEVICE, OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())
            .context("open", DEVICE)?;
        let mut request = request_for(pattern)?;
        let queues = if multi_queue { libc::IFF_MULTI_QUEUE } else { 0 };
        let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR | queues;
        request.ifr_ifru.ifru_flags = flags as libc::c_short;
        // SAFETY: TUNSETIFF reads and writes one ifreq, which outlives the call.
        let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETIFF, &mut request) };
        check(result).context("make TUN interface", pattern)?;
        let length = VnetHeader::LEN as libc::c_int;
        // SAFETY: TUNSETVNETHDRSZ reads one int, which outlives the call.
        let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::TUNSETVNETHDRSZ, &length) };
        check(result).context("set the virtio header of", pattern)?;
        let name = request.ifr_name.iter().map(|byte| *byte as u8).take_while(|byte| *byte != 0).collect();
        let name = String::from_utf8(name).map_err(|_| Error::Answer {
            operation: "making a TUN interface",
            reason: "its name is not UTF-8",
        })?;
        let index = crate::link::index_of(&name)?;
        let (index, offload) = (AtomicU32::new(index), AtomicU32::new(0));
        let tun = Self { fd, name, index, multi_queue, offload };
        tun.set_offload(Offload::None)?;
        Ok(tun)
    }

    /// The interface's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The interface's index.
    pub fn index(&self) -> u32 {
        self.index.load(Ordering::Relaxed)
    }

    /// Makes the interface again after somebody removed it: with the same name, down and without
    /// addresses, and with the offloads that it had. Whoever uses this value goes on with the new
    /// interface, also a thread that waits for the old one.
    pub fn remake(&self) -> Result<(), Error> {
        let new = Self::attach(&self.name, self.multi_queue)?;
        new.switch(self.offload.load(Ordering::Relaxed))?;
        // SAFETY: both descriptors are open and stay owned by their values; the old interface, to
        // which this one's descriptor led, is closed by the kernel.
        check(unsafe { libc::dup3(new.fd.as_raw_fd(), self.fd.as_raw_fd(), libc::O_CLOEXEC) })
            .context("make TUN interface", &self.name)?;
        self.index.store(new.index(), Ordering::Relaxed);
        Ok(())
    }

    /// Whether an interface with its name exists and is up. Does not wait for kernel locks that are
    /// held for long.
    pub fn is_up(&self) -> Result<bool, Error> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)
            .context("open a socket for", &self.name)?;
        let mut request = request_for(&self.name)?;
        // SAFETY: SIOCGIFFLAGS reads and writes one ifreq, which outlives the call.
        let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS, &mut request) };
        check(result).context("look at", &self.name)?;
        // SAFETY: the call has filled in the flags.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        Ok(libc::c_int::from(flags) & libc::IFF_UP != 0)
    }

    /// Switches offloads for the whole interface. `EINVAL` says that the kernel does not know them.
    pub fn set_offload(&self, offload: Offload) -> Result<(), Error> {
        self.switch(offload.flags())
    }

    fn switch(&self, flags: u32) -> Result<(), Error> {
        // SAFETY: TUNSETOFFLOAD takes its flags by value.
        let result =
            unsafe { libc::ioctl(self.fd.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(flags)) };
        check(result).context("set the offloads of", &self.name)?;
        self.offload.store(flags, Ordering::Relaxed);
        Ok(())
    }

    /// Reads one packet; returns its header and the packet. `WouldBlock` when there is none. A
    /// buffer of [`VnetHeader::LEN`] bytes and the MTU is enough without offloads, 65 535 bytes
    /// more with; what does not fit is lost.
    pub fn read<'a>(&self, buffer: &'a mut [u8]) -> io::Result<(VnetHeader, &'a mut [u8])> {
        let length = loop {
            // one buffer for both: reading into two costs a twentieth more for a small packet
            match rustix::io::read(&self.fd, &mut *buffer) {
                Err(rustix::io::Errno::INTR) => {}
                result => break result?,
            }
        };
        let whole = buffer.get_mut(..length).unwrap_or_default();
        let (header, packet) = whole.split_first_chunk_mut().ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((VnetHeader::from_bytes(*header), packet))
    }

    /// Writes one packet: the kernel receives it as if it came in by this interface.
    pub fn write(&self, header: VnetHeader, packet: &[u8]) -> io::Result<()> {
        let header = header.to_bytes();
        loop {
            match writev(&self.fd, &[IoSlice::new(&header), IoSlice::new(packet)]) {
                Err(rustix::io::Errno::INTR) => {}
                result => return Ok(result.map(drop)?),
            }
        }
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Tun {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

fn request_for(name: &str) -> Result<libc::ifreq, Error> {
    // SAFETY: an ifreq of zeroes is valid: an empty name and a union of integers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.contains(['\0', '/', ' ']) {
        return Err(Error::Invalid {
            object: format!("interface name {name:?}"),
            reason: "it must have 1 to 15 characters",
        });
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *place = byte as libc::c_char;
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_virtio_header_survives() {
        let header = VnetHeader {
            flags: 1,
            gso_type: 4,
            header_length: 0x1234,
            gso_size: 1400,
            checksum_start: 40,
            checksum_offset: 16,
        };
        assert_eq!(VnetHeader::from_bytes(header.to_bytes()), header);
        assert_eq!(VnetHeader::default().to_bytes(), [0; 10]);
    }

    #[test]
    fn a_name_that_is_too_long_is_refused() {
        let error = request_for("hubward-interface-0").unwrap_err();
        assert!(error.to_string().contains("hubward-interface-0"), "{error}");
    }
}
