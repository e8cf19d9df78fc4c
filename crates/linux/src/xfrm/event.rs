//! The kernel's notifications: a packet that needs an SA, an SA that reached a limit, a peer that
//! moved.

use super::layout::Reader;
use super::numbers::{ACQUIRE, EXPIRE, MAPPING};
use super::policy;
use super::sa::SaState;
use super::selector::Selector;
use crate::error::{Context, Error};
use crate::netlink::{Attributes, Messages, open_socket};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SocketFlags, netlink, recv};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use zeroize::Zeroizing;

/// Multicast groups of acquires, expiries and mappings: `1 << (XFRMNLGRP_… - 1)`.
const GROUPS: u32 = 1 << 0 | 1 << 1 | 1 << 7;
const ACQUIRE_INFO: usize = 280;
const EXPIRE_INFO: usize = 224;
const TMPL: u16 = 5;

/// Something happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A packet matched a policy whose template no SA fits. It is lost; others like it are for a
    /// while without another word.
    Acquire {
        /// The packet's addresses, protocol, ports.
        flow: Selector,
        /// The template's request number.
        reqid: u32,
    },
    /// An SA reached a limit.
    Expire {
        /// What it had carried.
        state: SaState,
        /// Whether it is gone.
        hard: bool,
    },
    /// A packet that verified came from another address or port than its SA says.
    Moved {
        /// Destination of the SA.
        destination: Ipv4Addr,
        /// SPI of the SA.
        spi: u32,
        /// Where the packet came from.
        source: Ipv4Addr,
        /// Its port.
        port: u16,
    },
    /// Events came faster than they were read and some are lost.
    Lost,
}

/// A subscription. Its descriptor becomes readable when there is news.
#[derive(Debug)]
pub struct Events {
    fd: OwnedFd,
    buffer: Zeroizing<Vec<u8>>,
}

impl Events {
    /// Subscribes in the thread's network namespace. Needs CAP_NET_ADMIN.
    pub fn open() -> Result<Self, Error> {
        let fd = open_socket(Some(netlink::XFRM), GROUPS, SocketFlags::NONBLOCK)?;
        Ok(Self { fd, buffer: Zeroizing::new(vec![0; 64 * 1024]) })
    }

    /// Takes all news there is; empty when there is none.
    pub fn read(&mut self) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        loop {
            match recv(&self.fd, self.buffer.as_mut_slice(), RecvFlags::DONTWAIT) {
                Ok((length, _)) => {
                    let bytes = self.buffer.get(..length).unwrap_or_default();
                    events.extend(Messages(bytes).filter_map(|told| parse(told.kind, told.body)));
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(events),
                Err(Errno::NOBUFS) => events.push(Event::Lost),
                Err(error) => return Err(error).context("read", "the events of SAs"),
            }
        }
    }
}

impl AsFd for Events {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

pub(super) fn parse(kind: u16, body: &[u8]) -> Option<Event> {
    let reader = Reader(body);
    match kind {
        ACQUIRE => {
            let flow = reader.selector(40)?;
            let template = Attributes(body.get(ACQUIRE_INFO..)?).find(|(kind, _)| *kind == TMPL);
            Some(Event::Acquire { flow, reqid: policy::template(template?.1)?.reqid })
        }
        EXPIRE => {
            let hard = reader.u8(EXPIRE_INFO)? != 0;
            Some(Event::Expire { state: SaState::parse(body.get(..EXPIRE_INFO)?)?, hard })
        }
        MAPPING => Some(Event::Moved {
            destination: reader.address(0)?,
            spi: reader.u32_be(16)?,
            source: reader.address(44)?,
            port: reader.u16_be(62)?,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, Algorithms, Direction, Mode, Policy, Sa, SaId, Template};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_acquire_is_read() {
        let flow = Selector {
            protocol: Some(17),
            source_port: Some(1024),
            destination_port: Some(53),
            ..Selector::between("10.1.1.10/32".parse().unwrap(), "10.2.2.10/32".parse().unwrap())
        };
        let template = Template {
            source: Ipv4Addr::UNSPECIFIED,
            destination: Ipv4Addr::UNSPECIFIED,
            spi: 0,
            reqid: 0x4857_0003,
            mode: Mode::Tunnel,
        };
        let policy = Policy {
            direction: Direction::Out,
            selector: flow,
            priority: 0,
            action: Action::Protect(template),
        };
        let message = policy.message(0x13, 0).to_bytes(1);
        // struct xfrm_user_acquire: id, saddr, sel, policy, four numbers; then the attributes
        let mut body = vec![0; 40];
        body.extend(&message[16..16 + 56]);
        body.extend(&message[16..16 + 168]);
        body.resize(280, 0);
        body.extend(&message[16 + 168..]);
        assert_eq!(parse(0x17, &body), Some(Event::Acquire { flow, reqid: 0x4857_0003 }));
        assert_eq!(parse(0x17, &body[..280]), None, "an acquire without a template is not ours");
    }

    #[test]
    fn an_expiry_and_a_move_are_read() {
        let id = SaId { destination: Ipv4Addr::new(10, 48, 67, 181), spi: 0x0102_0304 };
        let gcm = Algorithms::Aead { name: "rfc4106(gcm(aes))", key: &[0; 20], icv_bits: 128 };
        let mut body = Sa::new(id, gcm).message(0x10, 0).unwrap().to_bytes(1)[16..16 + 224].to_vec();
        body.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        let Some(Event::Expire { state, hard: true }) = parse(0x18, &body) else { panic!() };
        assert_eq!(state.id, id);

        let mut body = vec![0; 64];
        body[..4].copy_from_slice(&id.destination.octets());
        body[16..20].copy_from_slice(&id.spi.to_be_bytes());
        body[44..48].copy_from_slice(&[10, 51, 82, 100]);
        body[60..].copy_from_slice(&[0x11, 0x94, 0xc0, 0x01]);
        let expected = Event::Moved {
            destination: id.destination,
            spi: id.spi,
            source: Ipv4Addr::new(10, 51, 82, 100),
            port: 0xc001,
        };
        assert_eq!(parse(0x26, &body), Some(expected));
    }

    proptest! {
        /// Whatever a datagram contains, reading it ends without a panic.
        #[test]
        fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..700), kind in 0x10u16..0x28) {
            let _event = parse(kind, &bytes);
            let _sa = SaState::parse(&bytes);
            let _policy = Policy::parse(&bytes);
            let _messages = Messages(&bytes).filter_map(|told| parse(told.kind, told.body)).count();
        }

        /// The same for messages with a valid beginning that are truncated or modified somewhere.
        #[test]
        fn reading_what_is_almost_right_never_panics(
            cut in 0usize..320, at in 0usize..320, value in any::<u8>(), kind in 0x10u16..0x28,
        ) {
            let template = Template {
                source: Ipv4Addr::LOCALHOST,
                destination: Ipv4Addr::LOCALHOST,
                spi: 1,
                reqid: 0x4857_0000,
                mode: Mode::Tunnel,
            };
            let selector = Selector::between("10.1.0.0/16".parse().unwrap(), "10.2.0.0/16".parse().unwrap());
            let action = Action::Protect(template);
            let policy = Policy { direction: Direction::In, selector, priority: 9, action };
            let mut bytes = policy.message(0x13, 0).to_bytes(1)[16..].to_vec();
            bytes.resize(344, 0);
            bytes[at] = value;
            bytes.truncate(cut);
            let _event = parse(kind, &bytes);
            let _sa = SaState::parse(&bytes);
            let _policy = Policy::parse(&bytes);
        }
    }
}
