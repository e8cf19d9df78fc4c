//! ICMP "destination unreachable" (RFC 792) as routers send it, among it what they say of packets
//! that are too long.

use crate::error::{Context, Error};
use crate::privilege::{self, Capability};
use crate::socket::set_option;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// `SOL_RAW` and its option `ICMP_FILTER` (linux/icmp.h), which libc does not name.
const SOL_RAW: i32 = 255;
const ICMP_FILTER: i32 = 1;
/// The filter has a bit for each type that is not wanted: all but type 3.
const BUT_UNREACHABLE: i32 = !(1 << 3);

/// A raw ICMP socket that hears destination unreachable only, never blocking.
#[derive(Debug)]
pub struct UnreachableSocket {
    socket: Socket,
}

impl UnreachableSocket {
    /// Opens the socket in the thread's network namespace. Needs CAP_NET_RAW.
    pub fn open() -> Result<Self, Error> {
        const OBJECT: &str = "a raw ICMP socket";
        privilege::require(Capability::NetRaw, "enabling path MTU notifications")?;
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).context("open", OBJECT)?;
        socket.set_nonblocking(true).context("configure", OBJECT)?;
        set_option(socket.as_fd(), SOL_RAW, ICMP_FILTER, BUT_UNREACHABLE).context("filter", OBJECT)?;
        Ok(Self { socket })
    }

    /// Receives one ICMP packet with its IP header; gives its length. `WouldBlock` when there is
    /// none.
    pub fn recv(&self, packet: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut &self.socket, packet)
    }
}

impl AsFd for UnreachableSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
