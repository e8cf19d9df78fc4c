//! Packets that rules of the packet filter report (`log group N` of nft, NFLOG): their prefix and
//! their first bytes.

use crate::error::{Context, Error};
use crate::netlink::{Attributes, Message, Messages, Netlink, text_of};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// `NFNL_SUBSYS_ULOG`.
const SUBSYSTEM: u16 = 4;
const PACKET: u16 = 0;
const CONFIG: u16 = 1;
/// `NFULNL_CFG_CMD_BIND`.
const BIND: u8 = 1;
/// `NFULNL_COPY_PACKET`.
const COPY_PACKET: u8 = 2;
/// `NFULNL_CFG_F_SEQ`: packets are numbered, so that it is known how many are missing.
const NUMBERED: u16 = 1;
/// How long the kernel gathers packets for one message, in hundredths of a second, and how many.
const GATHERED: u32 = 10;
const TOGETHER: u32 = 50;
/// Room for packets that have not been read.
const ROOM: i32 = 1 << 20;
const BUFFER: usize = 256 * 1024;
/// Messages that one call reads at most: whoever floods the log does not keep its reader.
const AT_ONCE: usize = 64;

/// A packet that was reported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Packet {
    /// The prefix of the rule.
    pub prefix: String,
    /// Its first bytes, from the IP header on.
    pub bytes: Vec<u8>,
    /// Number of the interface by which it came.
    pub input: Option<u32>,
    /// Number of the interface by which it leaves.
    pub output: Option<u32>,
    /// The hardware address from which it came.
    pub source: Option<[u8; 6]>,
}

/// A group of the log. Its descriptor becomes readable when there are packets.
#[derive(Debug)]
pub struct Group {
    netlink: Netlink,
    buffer: Vec<u8>,
    /// The number of the next packet.
    next: u32,
    /// Packets that came faster than they were read.
    missed: u64,
}

impl Group {
    /// Receives the packets of a group in the thread's network namespace from now on, `range` bytes
    /// of each. Needs CAP_NET_ADMIN. Only one program can have a group.
    pub fn open(group: u16, range: u32) -> Result<Self, Error> {
        let netlink = Netlink::open_netfilter()?;
        // without the right for more room there is less of it
        let _ = crate::socket::set_option(netlink.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, ROOM);
        let [high, low] = group.to_be_bytes();
        let mode = [&range.to_be_bytes()[..], &[COPY_PACKET, 0]].concat();
        // nfgenmsg: family, version, the group
        let message = Message::new(SUBSYSTEM << 8 | CONFIG, 0, &[0, 0, high, low])
            .attribute(1, &[BIND])
            .attribute(2, &mode)
            .attribute(4, &GATHERED.to_be_bytes())
            .attribute(5, &TOGETHER.to_be_bytes())
            .attribute(6, &NUMBERED.to_be_bytes());
        netlink.execute("receive packets of log group", group, message)?;
        rustix::io::ioctl_fionbio(&netlink, true).context("configure", "a log group")?;
        Ok(Self { netlink, buffer: vec![0; BUFFER], next: 0, missed: 0 })
    }

    /// Takes the packets there are, or a part of them if there are many; empty when there are none.
    pub fn read(&mut self) -> Result<Vec<Packet>, Error> {
        let mut packets = Vec::new();
        for _ in 0..AT_ONCE {
            match recv(self.netlink.as_fd(), self.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    for message in Messages(bytes).filter(|told| told.kind == SUBSYSTEM << 8 | PACKET) {
                        let Some((number, packet)) = packet(message.body) else { continue };
                        let gap = number.map_or(0, |number| number.wrapping_sub(self.next));
                        self.missed = self.missed.saturating_add(gap.into());
                        self.next = number.unwrap_or(self.next).wrapping_add(1);
                        packets.push(packet);
                    }
                }
                // some were lost: how many is known from the number of the next one
                Err(Errno::INTR | Errno::NOBUFS) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(error).context("read", "the packets of a log group"),
            }
        }
        Ok(packets)
    }

    /// How many packets have been lost since this was last asked.
    pub fn missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }
}

/// A packet and its number.
fn packet(body: &[u8]) -> Option<(Option<u32>, Packet)> {
    let mut packet = Packet::default();
    let mut number = None;
    for (kind, data) in Attributes(body.get(4..)?) {
        let value = || <[u8; 4]>::try_from(data).ok().map(u32::from_be_bytes);
        match kind {
            4 => packet.input = value(),
            5 => packet.output = value(),
            // its length, two bytes for nothing, and room for eight bytes
            8 if data.starts_with(&[0, 6]) => {
                packet.source = data.get(4..10).and_then(|address| address.try_into().ok());
            }
            9 => packet.bytes = data.to_vec(),
            10 => packet.prefix = text_of(data),
            12 => number = value(),
            _ => {}
        }
    }
    Some((number, packet))
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }
}

impl AsRawFd for Group {
    fn as_raw_fd(&self) -> RawFd {
        self.netlink.as_fd().as_raw_fd()
    }
}
