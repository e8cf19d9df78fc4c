//! What the UDP, ESP and raw sockets have in common: a socket with a mark, a DF bit that follows
//! the datagram, batches.

use crate::batch::{Outgoing, Received, RecvBatch, SendBatch};
use crate::error::{Context, Error};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::{Mutex, PoisonError};

/// What a socket of the data plane or of IKE is opened with, beside its address.
#[derive(Debug, Clone, Default)]
pub struct SocketOptions {
    /// Firewall mark of everything sent (`SO_MARK`, needs CAP_NET_ADMIN): see
    /// [`crate::marks::FWMARK`].
    pub mark: Option<u32>,
    /// Use this interface only, by name (`SO_BINDTODEVICE`).
    pub interface: Option<String>,
    /// Bytes that may wait in each direction; 0 leaves the kernel's default. Above the system's
    /// limit it needs CAP_NET_ADMIN.
    pub buffer: usize,
}

/// A datagram socket that reports where a datagram was sent to and can choose where it comes from.
#[derive(Debug)]
pub(crate) struct Datagrams {
    socket: Socket,
    ipv6: bool,
    /// The DF setting the socket has now. It belongs to the socket, not to a datagram, so senders
    /// take turns.
    dont_fragment: Mutex<bool>,
}

impl Datagrams {
    pub(crate) fn open(
        local: IpAddr,
        kind: Type,
        protocol: Protocol,
        options: &SocketOptions,
    ) -> Result<Self, Error> {
        let object = format!("a socket for {local}");
        let socket = Socket::new(Domain::for_address((local, 0).into()), kind, Some(protocol))
            .context("open", &object)?;
        socket.set_nonblocking(true).context("configure", &object)?;
        if let Some(mark) = options.mark {
            socket.set_mark(mark).context("set the firewall mark of", &object)?;
        }
        if let Some(interface) = &options.interface {
            socket.bind_device(Some(interface.as_bytes())).context("bind to interface", interface)?;
        }
        if options.buffer > 0 {
            set_buffers(&socket, options.buffer).context("set the buffers of", &object)?;
        }
        let ipv6 = local.is_ipv6();
        let mut names: Vec<(i32, i32)> = Vec::new();
        if ipv6 {
            socket.set_only_v6(true).context("configure", &object)?;
            names.extend([
                (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
                (libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS),
            ]);
        } else {
            names.extend([(libc::IPPROTO_IP, libc::IP_PKTINFO), (libc::IPPROTO_IP, libc::IP_RECVTOS)]);
        }
        for (level, name) in names {
            set_option(socket.as_fd(), level, name, 1).context("enable packet information on", &object)?;
        }
        let datagrams = Self { socket, ipv6, dont_fragment: Mutex::new(false) };
        datagrams.set_df(false).context("clear the DF bit of", &object)?;
        Ok(datagrams)
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The path MTU is the data plane's to learn: the kernel would believe anybody who knows
    /// addresses and ports. So with DF only the link's MTU binds (PROBE), and without it packets
    /// are cut to the link's MTU (OMIT).
    fn set_df(&self, df: bool) -> io::Result<()> {
        let (level, name, value) = match (self.ipv6, df) {
            (false, true) => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE),
            (false, false) => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT),
            (true, true) => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_PROBE),
            (true, false) => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_OMIT),
        };
        set_option(self.socket.as_fd(), level, name, value)
    }

    pub(crate) fn send_batch<'a>(
        &self,
        batch: &mut SendBatch,
        messages: impl IntoIterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        let mut current = self.dont_fragment.lock().unwrap_or_else(PoisonError::into_inner);
        batch.send(self.socket.as_fd(), messages, |wanted| {
            if *current != wanted {
                self.set_df(wanted)?;
                *current = wanted;
            }
            Ok(())
        })
    }

    pub(crate) fn recv_batch(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        batch.receive(self.socket.as_fd())
    }
}

/// Receives one datagram into `batch` and hands it over; helper of the single-datagram methods.
pub(crate) fn first(batch: &mut RecvBatch) -> io::Result<Received<'_>> {
    batch.datagrams().next().ok_or_else(|| io::ErrorKind::WouldBlock.into())
}

fn set_buffers(socket: &Socket, bytes: usize) -> io::Result<()> {
    let value = i32::try_from(bytes).unwrap_or(i32::MAX);
    let fd = socket.as_fd();
    // without CAP_NET_ADMIN the system's limit applies, which is no reason not to start
    if set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, value).is_err() {
        SockRef::from(socket).set_recv_buffer_size(bytes)?;
    }
    if set_option(fd, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, value).is_err() {
        SockRef::from(socket).set_send_buffer_size(bytes)?;
    }
    Ok(())
}

/// Sets a socket option whose value is an integer.
pub(crate) fn set_option(fd: BorrowedFd<'_>, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_option_bytes(fd, level, name, &value.to_ne_bytes())
}

/// Sets a socket option whose value is a structure.
pub(crate) fn set_option_bytes(fd: BorrowedFd<'_>, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    let length = libc::socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the pointer and the length describe `value`, which outlives the call.
    let result = unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, value.as_ptr().cast(), length) };
    crate::error::check(result).map(drop)
}
