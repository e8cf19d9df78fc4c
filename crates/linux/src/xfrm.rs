//! The kernel's own ESP (RFC 4303), by xfrm(8)'s netlink protocol: security associations, the
//! policies that lead packets into them, and the kernel's notifications about both. IPv4.
//!
//! Hubward's own have a request number ([`Reqids`]) or, if a policy has no template, a priority
//! ([`Priorities`]) that no other program uses; only these are changed, listed or removed.

mod event;
mod layout;
mod numbers;
mod policy;
mod sa;
mod selector;

pub use event::{Event, Events};
pub use numbers::{Priorities, Reqids};
pub use policy::{Action, Direction, Policy, Template};
pub use sa::{Algorithms, Encapsulation, Limits, Mode, Resume, Sa, SaId, SaState};
pub use selector::Selector;

use crate::error::{Context, Error};
use crate::netlink::{CREATE, EXCLUSIVE, Message, Netlink};
use crate::socket::{set_option, set_option_bytes};
use ipnet::Ipv4Net;
use numbers::{DELPOLICY, DELSA, GETPOLICY, GETSA, NEWPOLICY, NEWSA, UPDPOLICY};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;

/// A socket for requests. It belongs to the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Xfrm {
    netlink: Netlink,
}

impl Xfrm {
    /// Opens a socket in the thread's network namespace. `EPROTONOSUPPORT`: this kernel has no xfrm
    /// interface.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { netlink: Netlink::open_xfrm()? })
    }

    /// Whether this kernel currently supports ESP with these algorithms: tests it by creating and
    /// removing an SA with dummy keys between documentation addresses (RFC 5737). The error says
    /// what is missing.
    pub fn probe(&self, algorithms: Algorithms<'_>, encapsulated: bool) -> Result<(), Error> {
        let (source, destination) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2));
        // an SPI that Hubward's generator may choose too would have another destination
        let id = SaId { destination, spi: 0x4857_4857 };
        let sa = Sa {
            source,
            reqid: Reqids::SA,
            mode: Mode::Tunnel,
            encapsulation: encapsulated
                .then_some(Encapsulation { source_port: 4500, destination_port: 4500 }),
            replay_window: 64,
            ..Sa::new(id, algorithms)
        };
        // a Hubward was killed in the middle of its probe
        match self.remove_sa(id) {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => {}
        }
        self.add_sa(&sa)?;
        self.remove_sa(id)
    }

    /// Starts using an SA.
    pub fn add_sa(&self, sa: &Sa<'_>) -> Result<(), Error> {
        self.netlink.execute("add SA", sa.id, sa.message(NEWSA, CREATE | EXCLUSIVE)?)
    }

    /// Forgets an SA.
    pub fn remove_sa(&self, id: SaId) -> Result<(), Error> {
        self.netlink.execute("remove SA", id, id.message(DELSA, 0))
    }

    /// What an SA has carried.
    pub fn sa(&self, id: SaId) -> Result<SaState, Error> {
        let mut found = None;
        self.netlink.request("read SA", id, id.message(GETSA, 0), |kind, body| {
            found = (kind == NEWSA).then(|| SaState::parse(body)).flatten();
            Ok(())
        })?;
        found.ok_or(Error::Answer { operation: "reading an SA", reason: "no SA in it" })
    }

    /// Hubward's SAs, without those that the kernel keeps a place for while it asks for one.
    pub fn sas(&self) -> Result<Vec<SaState>, Error> {
        let message = Message::new(GETSA, 0, &[]);
        self.netlink.list("list", "the SAs", &message, |kind, body| {
            let sa = (kind == NEWSA).then(|| SaState::parse(body)).flatten()?;
            (Reqids::are_ours(sa.reqid) && sa.id.spi != 0).then_some(sa)
        })
    }

    /// Puts a policy in force, in the place of the one with the same direction and selector, if
    /// there is one.
    pub fn set_policy(&self, policy: &Policy) -> Result<(), Error> {
        self.netlink.execute("set policy", policy, policy.message(UPDPOLICY, 0))
    }

    /// Removes the policy with this direction and selector.
    pub fn remove_policy(&self, direction: Direction, selector: &Selector) -> Result<(), Error> {
        let message = policy::removal(DELPOLICY, direction, selector);
        self.netlink.execute("remove policy", format_args!("{direction} {selector}"), message)
    }

    /// Hubward's policies.
    pub fn policies(&self) -> Result<Vec<Policy>, Error> {
        let message = Message::new(GETPOLICY, 0, &[]);
        self.netlink.list("list", "the policies", &message, |kind, body| {
            (kind == NEWPOLICY).then(|| Policy::parse(body)).flatten().filter(Policy::is_ours)
        })
    }

    /// Removes all of Hubward's SAs and policies; gives what was removed, in words.
    pub fn sweep(&self) -> Result<Vec<String>, Error> {
        let mut removed = Vec::new();
        let mut note = |what: String, result: Result<(), Error>| match result {
            Ok(()) => {
                removed.push(what);
                Ok(())
            }
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        };
        for sa in self.sas()? {
            note(format!("SA {}", sa.id), self.remove_sa(sa.id))?;
        }
        for policy in self.policies()? {
            note(format!("policy {policy}"), self.remove_policy(policy.direction, &policy.selector))?;
        }
        Ok(removed)
    }
}

/// Lets a UDP socket's own packets past all policies, in and out: IKE that protects itself must not
/// wait for an SA.
pub fn exempt(socket: &impl AsFd) -> Result<(), Error> {
    const IP_XFRM_POLICY: i32 = 17;
    for direction in [Direction::In, Direction::Out] {
        let all = Selector::between(Ipv4Net::default(), Ipv4Net::default());
        let policy = Policy { direction, selector: all, priority: 0, action: Action::Allow };
        let bytes = policy.to_bytes();
        set_option_bytes(socket.as_fd(), libc::IPPROTO_IP, IP_XFRM_POLICY, &bytes)
            .context("exempt from xfrm policies", "an IKE socket")?;
    }
    Ok(())
}

/// Passes the ESP packets that arrive on a UDP socket to the kernel's SAs (RFC 3948); packets with
/// the non-ESP marker still reach the socket's reader.
pub fn encapsulate(socket: &impl AsFd) -> Result<(), Error> {
    const UDP_ENCAP: i32 = 100;
    set_option(socket.as_fd(), libc::IPPROTO_UDP, UDP_ENCAP, i32::from(sa::ESP_IN_UDP))
        .context("pass ESP to the kernel from", "the UDP 4500 socket")
}
