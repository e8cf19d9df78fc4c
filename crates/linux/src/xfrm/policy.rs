//! Policies: `struct xfrm_userpolicy_info` and the template of an SA.

use super::layout::{CARRIED, LIMITS, Reader, SELECTOR, Writer};
use super::numbers::{Priorities, Reqids, UNLIMITED};
use super::sa::Mode;
use super::selector::Selector;
use crate::netlink::{Attributes, Message};
use std::fmt;
use std::net::Ipv4Addr;

const INFO: usize = 168;
const AT_PRIORITY: usize = SELECTOR + LIMITS + CARRIED;
const AT_DIRECTION: usize = AT_PRIORITY + 8;
const TEMPLATE: usize = 64;
const TMPL: u16 = 5;
const BLOCK: u8 = 1;

/// When a policy is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// For packets to this machine.
    In,
    /// For packets that leave, this machine's own and others'.
    Out,
    /// For packets that are received and forwarded.
    Forward,
}

impl Direction {
    const fn number(self) -> u8 {
        match self {
            Self::In => 0,
            Self::Out => 1,
            Self::Forward => 2,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Forward => "fwd",
        })
    }
}

/// Which SA a packet must take, or have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Template {
    /// Outer source; unspecified is any.
    pub source: Ipv4Addr,
    /// Outer destination; unspecified is any.
    pub destination: Ipv4Addr,
    /// SPI; 0 is any.
    pub spi: u32,
    /// Request number.
    pub reqid: u32,
    /// Tunnel or transport.
    pub mode: Mode,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It passes unencrypted.
    Allow,
    /// It is dropped.
    Block,
    /// It passes by an SA only.
    Protect(Template),
}

/// One policy. No two have the same direction and selector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// When it is asked.
    pub direction: Direction,
    /// Of which packets it speaks.
    pub selector: Selector,
    /// Of several that speak of a packet the one with the lowest priority decides.
    pub priority: u32,
    /// What becomes of them.
    pub action: Action,
}

impl Policy {
    /// `struct xfrm_userpolicy_info` alone.
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let block = matches!(self.action, Action::Block);
        let limits = Writer::default().selector(&self.selector);
        // bytes and packets have no limit; time has none when it is 0
        let limits = (0..4).fold(limits, |writer, _| writer.u64(UNLIMITED)).pad(AT_PRIORITY);
        let info = limits.u32(self.priority).u32(0).u8(self.direction.number());
        info.u8(if block { BLOCK } else { 0 }).pad(INFO).finish()
    }

    pub(super) fn message(&self, kind: u16, flags: u16) -> Message {
        let message = Message::new(kind, flags, &self.to_bytes());
        let Action::Protect(template) = self.action else { return message };
        let bytes = Writer::default()
            .address(template.destination)
            .u32_be(template.spi)
            .u8(libc::IPPROTO_ESP as u8)
            .pad(24)
            .family()
            .pad(28)
            .address(template.source)
            .u32(template.reqid)
            .u8(template.mode.number())
            .pad(52)
            // algorithms: the SA's
            .u32(u32::MAX)
            .u32(u32::MAX)
            .u32(u32::MAX);
        message.attribute(TMPL, &bytes.pad(TEMPLATE).finish())
    }

    /// `None` for what Hubward never makes: another family, another direction, several templates.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let info = Reader(body.get(..INFO)?);
        let direction = match info.u8(AT_DIRECTION)? {
            0 => Direction::In,
            1 => Direction::Out,
            2 => Direction::Forward,
            _ => return None,
        };
        let mut action = if info.u8(AT_DIRECTION + 1)? == BLOCK { Action::Block } else { Action::Allow };
        for (kind, data) in Attributes(body.get(INFO..)?) {
            if kind == TMPL {
                action = Action::Protect(template(data)?);
            }
        }
        Some(Self { direction, selector: info.selector(0)?, priority: info.u32(AT_PRIORITY)?, action })
    }

    /// Whether Hubward made it.
    pub fn is_ours(&self) -> bool {
        match self.action {
            Action::Protect(template) => Reqids::are_ours(template.reqid),
            Action::Allow | Action::Block => Priorities::are_ours(self.priority),
        }
    }
}

/// The one template of an attribute.
pub(super) fn template(data: &[u8]) -> Option<Template> {
    let data = Reader(<&[u8; TEMPLATE]>::try_from(data).ok()?);
    Some(Template {
        destination: data.address(0)?,
        spi: data.u32_be(16)?,
        source: data.address(28)?,
        reqid: data.u32(44)?,
        mode: if data.u8(48)? == Mode::Transport.number() { Mode::Transport } else { Mode::Tunnel },
    })
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.direction, self.selector)
    }
}

/// `struct xfrm_userpolicy_id`.
pub(super) fn removal(kind: u16, direction: Direction, selector: &Selector) -> Message {
    let id = Writer::default().selector(selector).u32(0).u8(direction.number()).pad(64);
    Message::new(kind, 0, &id.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(action: Action) -> Policy {
        let selector = Selector::between("10.1.0.0/16".parse().unwrap(), "10.2.0.0/16".parse().unwrap());
        Policy { direction: Direction::Forward, selector, priority: 0x4800_0001, action }
    }

    const TUNNEL: Template = Template {
        source: Ipv4Addr::new(10, 48, 67, 181),
        destination: Ipv4Addr::new(10, 100, 2, 102),
        spi: 0x0102_0304,
        reqid: 0x4857_0000,
        mode: Mode::Tunnel,
    };

    /// Held against `offsetof` of linux/xfrm.h on x86-64.
    #[test]
    fn a_policy_is_laid_out_as_the_kernel_wants_it() {
        let bytes = example(Action::Protect(TUNNEL)).message(0x19, 0).to_bytes(1)[16..].to_vec();
        assert_eq!(bytes.len(), INFO + 4 + TEMPLATE);
        assert!(bytes[56..88].iter().all(|byte| *byte == 0xff), "no limits of bytes and packets");
        assert!(bytes[88..152].iter().all(|byte| *byte == 0), "none of time; nothing carried");
        assert_eq!(bytes[152..156], 0x4800_0001u32.to_ne_bytes());
        assert_eq!(bytes[156..164], [0, 0, 0, 0, 2, 0, 0, 0]);
        let template = &bytes[INFO + 4..];
        assert_eq!(template[..4], [10, 100, 2, 102]);
        assert_eq!(template[16..21], [1, 2, 3, 4, 50]);
        assert_eq!(template[24..26], 2u16.to_ne_bytes());
        assert_eq!(template[28..32], [10, 48, 67, 181]);
        assert_eq!(template[44..48], 0x4857_0000u32.to_ne_bytes());
        assert_eq!(template[48..52], [1, 0, 0, 0]);
        assert!(template[52..].iter().all(|byte| *byte == 0xff));
    }

    #[test]
    fn policies_are_read_back_and_ours_are_known() {
        for action in [Action::Allow, Action::Block, Action::Protect(TUNNEL)] {
            let policy = example(action);
            let bytes = policy.message(0x13, 0).to_bytes(1)[16..].to_vec();
            assert_eq!(Policy::parse(&bytes), Some(policy));
            assert!(policy.is_ours());
        }
        assert!(!Policy { priority: 1, ..example(Action::Block) }.is_ours());
        let foreign = Template { reqid: 1, ..TUNNEL };
        assert!(!example(Action::Protect(foreign)).is_ours(), "another program's, whatever its priority");
    }

    #[test]
    fn a_removal_names_direction_and_selector() {
        let policy = example(Action::Block);
        let bytes = removal(0x14, policy.direction, &policy.selector).to_bytes(1)[16..].to_vec();
        assert_eq!(bytes.len(), 64);
        assert_eq!(bytes[..56], policy.to_bytes()[..56]);
        assert_eq!(bytes[56..], [0, 0, 0, 0, 2, 0, 0, 0]);
    }
}
