//! The path for unencrypted packets: a captured packet that the crypto ACL denies goes back to the
//! kernel with its own IP header, marked so that it is routed by the main table and not captured
//! again.

use crate::error::{Context, Error};
use crate::privilege::{self, Capability};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

/// A raw socket that sends IPv4 packets whose header is already written (`IP_HDRINCL`).
#[derive(Debug)]
pub struct ClearSocket {
    socket: Socket,
}

impl ClearSocket {
    /// Opens the socket; everything it sends has the firewall mark `mark`. Needs CAP_NET_RAW and
    /// CAP_NET_ADMIN.
    pub fn open(mark: u32) -> Result<Self, Error> {
        privilege::require(Capability::NetRaw, "sending unencrypted packets")?;
        // protocol 255 (IPPROTO_RAW) means IP_HDRINCL and receives nothing
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW)))
            .context("open", "a raw IPv4 socket")?;
        socket.set_nonblocking(true).context("configure", "a raw IPv4 socket")?;
        socket.set_mark(mark).context("set the firewall mark of", "a raw IPv4 socket")?;
        socket.set_broadcast(true).context("allow broadcasts on", "a raw IPv4 socket")?;
        Ok(Self { socket })
    }

    /// Sends a whole IPv4 packet to the destination in its header; the kernel fills in the header
    /// checksum. `EMSGSIZE` when it is longer than the MTU of the interface it leaves by: the
    /// kernel does not fragment here.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        let destination: [u8; 4] = match packet.get(16..20).map(TryInto::try_into) {
            Some(Ok(destination)) if packet.first().is_some_and(|byte| byte >> 4 == 4) => destination,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not an IPv4 packet")),
        };
        let to: SockAddr = SocketAddr::from((Ipv4Addr::from(destination), 0)).into();
        self.socket.send_to(packet, &to).map(drop)
    }
}
