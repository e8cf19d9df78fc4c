//! Native ESP, IP protocol 50, by a raw socket (RFC 4303), and its IPv4 header taken off.

use crate::batch::{Outgoing, RecvBatch, SendBatch};
use crate::error::{Context, Error};
use crate::privilege::{self, Capability};
use crate::socket::{Datagrams, SocketOptions};
use socket2::{Protocol, Type};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// A raw socket of IP protocol 50, never blocking. Every such socket receives every ESP packet of
/// the machine, so there is one reader, which dispatches by SPI. Fragments arrive reassembled.
#[derive(Debug)]
pub struct EspSocket {
    datagrams: Datagrams,
    ipv6: bool,
}

impl EspSocket {
    /// Opens the socket for one local address or, with 0.0.0.0, for all. Needs CAP_NET_RAW.
    pub fn open(local: IpAddr, options: &SocketOptions) -> Result<Self, Error> {
        privilege::require(Capability::NetRaw, "native ESP (IP protocol 50)")?;
        let datagrams = Datagrams::open(local, Type::RAW, Protocol::from(libc::IPPROTO_ESP), options)?;
        if !local.is_unspecified() {
            datagrams
                .socket()
                .bind(&std::net::SocketAddr::from((local, 0)).into())
                .context("bind ESP to", local)?;
        }
        Ok(Self { datagrams, ipv6: local.is_ipv6() })
    }

    /// Receives what is there, up to the batch's size; `WouldBlock` when there is nothing. The data
    /// begins at the SPI; the batch also needs room for the IP header.
    pub fn recv_batch(&self, batch: &mut RecvBatch) -> io::Result<usize> {
        let count = self.datagrams.recv_batch(batch)?;
        if !self.ipv6 {
            batch.strip_ipv4_header();
        }
        Ok(count)
    }

    /// Sends the first of `messages` as [`crate::udp::UdpSocket::send_batch`] does. Data begins at
    /// the SPI; ports are 0.
    pub fn send_batch<'a>(
        &self,
        batch: &mut SendBatch,
        messages: impl IntoIterator<Item = Outgoing<'a>>,
    ) -> io::Result<usize> {
        self.datagrams.send_batch(batch, messages)
    }
}

impl AsFd for EspSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.datagrams.socket().as_fd()
    }
}

impl AsRawFd for EspSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.datagrams.socket().as_raw_fd()
    }
}
