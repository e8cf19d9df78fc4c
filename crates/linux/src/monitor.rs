//! News of interfaces, addresses and routes.

use crate::address::Address;
use crate::error::{Context, Error};
use crate::link::Link;
use crate::netlink::{Messages, open_socket};
use crate::route::Route;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketFlags, recv};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Something that changed in the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An interface appeared or changed (up, carrier, MTU, name).
    Link(Link),
    /// An interface is gone.
    LinkGone(Link),
    /// An address appeared or changed.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
    /// A route appeared or took another's place.
    Route(Route),
    /// A route is gone. (The kernel does not report routes that go with their interface or
    /// address.)
    RouteGone(Route),
    /// Changes arrived faster than they were read and some are lost: list everything again.
    Lost,
}

/// A subscription. Its descriptor becomes readable when there is news.
#[derive(Debug)]
pub struct Monitor {
    fd: OwnedFd,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Subscribes to the changes in the thread's network namespace from now on.
    pub fn open() -> Result<Self, Error> {
        let groups = libc::RTMGRP_LINK
            | libc::RTMGRP_IPV4_IFADDR
            | libc::RTMGRP_IPV6_IFADDR
            | libc::RTMGRP_IPV4_ROUTE
            | libc::RTMGRP_IPV6_ROUTE;
        let fd = open_socket(None, groups.cast_unsigned(), SocketFlags::NONBLOCK)?;
        Ok(Self { fd, buffer: vec![0; 64 * 1024] })
    }

    /// Takes all news there is; empty when there is none.
    pub fn read(&mut self) -> Result<Vec<Change>, Error> {
        let mut changes = Vec::new();
        loop {
            match recv(&self.fd, self.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    changes.extend(Messages(bytes).filter_map(|answer| parse(answer.kind, answer.body)));
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(changes),
                Err(Errno::NOBUFS) => changes.push(Change::Lost),
                Err(error) => return Err(error).context("read", "the changes of interfaces and routes"),
            }
        }
    }
}

fn parse(kind: u16, body: &[u8]) -> Option<Change> {
    match kind {
        libc::RTM_NEWLINK => crate::link::parse(kind, body).map(Change::Link),
        libc::RTM_DELLINK => crate::link::parse(kind, body).map(Change::LinkGone),
        libc::RTM_NEWADDR => crate::address::parse(kind, body).map(Change::Address),
        libc::RTM_DELADDR => crate::address::parse(kind, body).map(Change::AddressGone),
        libc::RTM_NEWROUTE => crate::route::parse(kind, body).map(Change::Route),
        libc::RTM_DELROUTE => crate::route::parse(kind, body).map(Change::RouteGone),
        _ => None,
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Monitor {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}
