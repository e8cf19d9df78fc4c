//! Requests to the kernel's routing socket, rtnetlink(7): one request, its answers, the
//! acknowledgement. The attributes Hubward uses are few, and an attribute that it does not know
//! must never spoil a listing, so messages are read and written here.

use crate::error::{Context, Error};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, send, socket_with,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use zeroize::{Zeroize, Zeroizing};

/// Enough for any message of the kernel's dumps (they arrive in parts of up to 32 KiB).
const BUFFER: usize = 64 * 1024;
const HEADER: usize = 16;
/// Room for any message that holds keys.
const ROOM: usize = 1536;
/// How long to wait for an answer.
const ANSWER_TIME: std::time::Duration = std::time::Duration::from_secs(10);

pub(crate) const ACK: u16 = libc::NLM_F_ACK as u16;
pub(crate) const DUMP: u16 = libc::NLM_F_DUMP as u16;
pub(crate) const CREATE: u16 = libc::NLM_F_CREATE as u16;
pub(crate) const EXCLUSIVE: u16 = libc::NLM_F_EXCL as u16;
pub(crate) const REPLACE: u16 = libc::NLM_F_REPLACE as u16;
const DUMP_INTERRUPTED: u16 = 0x10;
const ACK_HAS_ATTRIBUTES: u16 = 0x200;
/// `NFNL_MSG_BATCH_BEGIN` and `NFNL_MSG_BATCH_END`.
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const ERROR_MESSAGE: u16 = libc::NLMSG_ERROR as u16;

/// A routing socket. It belongs to the network namespace of the thread that opened it, wherever it
/// is used afterwards.
#[derive(Debug)]
pub struct Netlink {
    fd: OwnedFd,
    /// Locked during a request.
    turn: Mutex<Turn>,
}

/// What one request leaves for the next.
#[derive(Debug)]
struct Turn {
    /// The last sequence number.
    sequence: u32,
    /// For answers, wiped after each request: there are several for each new peer, and memory of
    /// this size is not made for each.
    buffer: Zeroizing<Vec<u8>>,
    /// How much of the buffer was used.
    used: usize,
}

impl Turn {
    /// Waits for answers.
    fn receive(
        &mut self,
        fd: &OwnedFd,
        operation: &'static str,
        object: &impl std::fmt::Display,
    ) -> Result<Messages<'_>, Error> {
        loop {
            match recv(fd, self.buffer.as_mut_slice(), RecvFlags::empty()) {
                Ok((length, _)) => {
                    self.used = self.used.max(length);
                    return Ok(Messages(self.buffer.get(..length).unwrap_or_default()));
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => {
                    return Err(Error::Answer { operation, reason: "there was none within ten seconds" });
                }
                Err(error) => return Err(error).context(operation, object),
            }
        }
    }

    fn wipe(&mut self) {
        self.buffer.get_mut(..self.used).unwrap_or_default().zeroize();
        self.used = 0;
    }
}

impl Netlink {
    /// Opens a socket in the thread's network namespace.
    pub fn open() -> Result<Self, Error> {
        Self::speaking(None)
    }

    /// The same for xfrm(8) (`NETLINK_XFRM`): its answers hold keys, which is why every buffer here
    /// is wiped.
    pub(crate) fn open_xfrm() -> Result<Self, Error> {
        Self::speaking(Some(netlink::XFRM))
    }

    /// The same for packet filters, nf_tables (`NETLINK_NETFILTER`).
    pub(crate) fn open_netfilter() -> Result<Self, Error> {
        Self::speaking(Some(netlink::NETFILTER))
    }

    fn speaking(protocol: Option<Protocol>) -> Result<Self, Error> {
        let fd = open_socket(protocol, 0, SocketFlags::CLOEXEC)?;
        // the kernel answers at once; an answer that got lost must not stop the gateway for ever
        rustix::net::sockopt::set_socket_timeout(&fd, rustix::net::sockopt::Timeout::Recv, Some(ANSWER_TIME))
            .context("configure", "a routing socket")?;
        for option in [libc::NETLINK_EXT_ACK, libc::NETLINK_CAP_ACK, libc::NETLINK_GET_STRICT_CHK] {
            // older kernels know less: the answers are only less detailed then
            let _ = crate::socket::set_option(fd.as_fd(), libc::SOL_NETLINK, option, 1);
        }
        let turn = Turn { sequence: 0, buffer: Zeroizing::new(vec![0; BUFFER]), used: 0 };
        Ok(Self { fd, turn: Mutex::new(turn) })
    }

    /// Sends a request that the kernel acknowledges. `object` names what it is about, for the
    /// error.
    pub(crate) fn execute(
        &self,
        operation: &'static str,
        object: impl std::fmt::Display,
        mut message: Message,
    ) -> Result<(), Error> {
        message.flags |= ACK;
        self.request(operation, object, message, |_, _| Ok(()))
    }

    /// Sends a request for a listing; an interrupted one (something changed meanwhile) is asked for
    /// again.
    pub(crate) fn list<T>(
        &self,
        operation: &'static str,
        object: impl std::fmt::Display + Clone,
        message: &Message,
        parse: impl Fn(u16, &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let mut attempts = 0;
        loop {
            let mut found = Vec::new();
            let mut message = message.clone();
            message.flags |= DUMP;
            let result = self.request(operation, object.clone(), message, |kind, body| {
                found.extend(parse(kind, body));
                Ok(())
            });
            match result {
                Err(error) if error.errno() == Some(libc::EINTR) && attempts < 10 => attempts += 1,
                Err(error) => return Err(error),
                Ok(()) => return Ok(found),
            }
        }
    }

    /// Sends a request and hands each answer to `each` until the acknowledgement or the end of the
    /// listing.
    pub(crate) fn request(
        &self,
        operation: &'static str,
        object: impl std::fmt::Display,
        message: Message,
        each: impl FnMut(u16, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.request_in(&mut turn, operation, object, message, each);
        turn.wipe();
        result
    }

    fn request_in(
        &self,
        turn: &mut Turn,
        operation: &'static str,
        object: impl std::fmt::Display,
        message: Message,
        mut each: impl FnMut(u16, &[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        turn.sequence = turn.sequence.wrapping_add(1);
        let sequence = turn.sequence;
        let single = message.flags & (DUMP | ACK) == 0;
        let bytes = Zeroizing::new(message.to_bytes(sequence));
        send(&self.fd, &bytes, SendFlags::empty()).context(operation, &object)?;
        let mut interrupted = false;
        loop {
            for answer in turn.receive(&self.fd, operation, &object)? {
                if answer.sequence != sequence {
                    continue;
                }
                interrupted |= answer.flags & DUMP_INTERRUPTED != 0;
                match answer.kind {
                    ERROR_MESSAGE => return acknowledgement(operation, &object, &answer),
                    kind if kind == libc::NLMSG_DONE as u16 => {
                        if interrupted {
                            return Err(io::Error::from_raw_os_error(libc::EINTR))
                                .context(operation, &object);
                        }
                        // the end of a listing may carry an error, as an acknowledgement does
                        return acknowledgement(operation, &object, &answer);
                    }
                    kind => each(kind, answer.body)?,
                }
                if single {
                    return Ok(());
                }
            }
        }
    }
}

impl Netlink {
    /// Sends requests to a subsystem of netfilter that are applied atomically. The kernel reports
    /// the first that it refused.
    pub(crate) fn batch(
        &self,
        operation: &'static str,
        object: impl std::fmt::Display,
        subsystem: u16,
        mut messages: Vec<Message>,
    ) -> Result<(), Error> {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let first = turn.sequence.wrapping_add(1);
        // one answer is enough where all is well
        if let Some(last) = messages.last_mut() {
            last.flags |= ACK;
        }
        // nfgenmsg, whose last two bytes are the subsystem
        let [high, low] = subsystem.to_be_bytes();
        let frame = |kind| Message::new(kind, 0, &[0, 0, high, low]);
        let mut bytes = Vec::new();
        let (begin, end) = (frame(BATCH_BEGIN), frame(BATCH_END));
        for message in std::iter::once(&begin).chain(&messages).chain([&end]) {
            turn.sequence = turn.sequence.wrapping_add(1);
            bytes.extend(message.to_bytes(turn.sequence));
        }
        let count = turn.sequence.wrapping_sub(first);
        let (asked, ours) = (count.wrapping_sub(1), |number: u32| number.wrapping_sub(first) <= count);
        // the kernel takes it as one message, if the socket may hold so much (CAP_NET_ADMIN)
        let room = libc::c_int::try_from(bytes.len() + BUFFER).unwrap_or(libc::c_int::MAX);
        let _ = crate::socket::set_option(self.fd.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, room);
        send(&self.fd, &bytes, SendFlags::empty()).context(operation, &object)?;
        loop {
            for answer in turn.receive(&self.fd, operation, &object)? {
                if answer.kind != ERROR_MESSAGE || !ours(answer.sequence) {
                    continue;
                }
                acknowledgement(operation, &object, &answer)?;
                if answer.sequence.wrapping_sub(first) == asked {
                    return Ok(());
                }
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// A bound socket. Protocol `None`, which is 0 of the netlink family, is NETLINK_ROUTE.
pub(crate) fn open_socket(
    protocol: Option<Protocol>,
    groups: u32,
    flags: SocketFlags,
) -> Result<OwnedFd, Error> {
    const OBJECT: &str = "a netlink socket";
    let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags | SocketFlags::CLOEXEC, protocol)
        .context("open", OBJECT)?;
    bind(&fd, &SocketAddrNetlink::new(0, groups)).context("bind", OBJECT)?;
    Ok(fd)
}

fn acknowledgement(
    operation: &'static str,
    object: &dyn std::fmt::Display,
    answer: &Answer<'_>,
) -> Result<(), Error> {
    let code = number_at(answer.body, 0).map_or(0, u32::cast_signed);
    if code == 0 {
        return Ok(());
    }
    let detail = (answer.flags & ACK_HAS_ATTRIBUTES != 0)
        .then(|| Attributes(answer.body.get(4 + HEADER..).unwrap_or_default()).find(|(kind, _)| *kind == 1))
        .flatten()
        .map(|(_, text)| text_of(text));
    let source = io::Error::from_raw_os_error(code.saturating_neg());
    Err(Error::Os { operation, object: object.to_string(), detail, cause: source })
}

/// A message under construction: its header, then attributes.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    kind: u16,
    pub(crate) flags: u16,
    body: Zeroizing<Vec<u8>>,
}

impl Message {
    pub(crate) fn new(kind: u16, flags: u16, header: &[u8]) -> Self {
        // a message with keys must not be moved while it grows: the old copy would not be wiped
        let mut body = Zeroizing::new(Vec::with_capacity(ROOM.max(header.len())));
        body.extend_from_slice(header);
        Self { kind, flags, body }
    }

    /// Adds an attribute, padded to four bytes.
    pub(crate) fn attribute(mut self, kind: u16, data: &[u8]) -> Self {
        let length = u16::try_from(data.len() + 4).unwrap_or(u16::MAX);
        self.body.extend(length.to_ne_bytes());
        self.body.extend(kind.to_ne_bytes());
        self.body.extend(data);
        let padded = self.body.len().next_multiple_of(4);
        self.body.resize(padded, 0);
        self
    }

    pub(crate) fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    pub(crate) fn text(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    pub(crate) fn address(self, kind: u16, value: IpAddr) -> Self {
        match value {
            IpAddr::V4(v4) => self.attribute(kind, &v4.octets()),
            IpAddr::V6(v6) => self.attribute(kind, &v6.octets()),
        }
    }

    /// Adds an attribute whose content is `header` followed by the attributes that `fill` adds.
    pub(crate) fn nested(self, kind: u16, header: &[u8], fill: impl FnOnce(Self) -> Self) -> Self {
        let inner = fill(Self::new(0, 0, header));
        self.attribute(kind, &inner.body)
    }

    /// Applies `add` when there is a value.
    pub(crate) fn maybe<T>(self, value: Option<T>, add: impl FnOnce(Self, T) -> Self) -> Self {
        match value {
            Some(value) => add(self, value),
            None => self,
        }
    }

    pub(crate) fn to_bytes(&self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(HEADER + self.body.len()).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(HEADER + self.body.len());
        bytes.extend(length.to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend((self.flags | libc::NLM_F_REQUEST as u16).to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend(0u32.to_ne_bytes());
        bytes.extend(self.body.iter());
        bytes
    }
}

/// One message from the kernel.
pub(crate) struct Answer<'a> {
    pub(crate) kind: u16,
    flags: u16,
    sequence: u32,
    pub(crate) body: &'a [u8],
}

/// The messages in one datagram; what is malformed ends it.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        let length = usize::try_from(number_at(self.0, 0)?).ok()?;
        let answer = Answer {
            kind: short_at(self.0, 4)?,
            flags: short_at(self.0, 6)?,
            sequence: number_at(self.0, 8)?,
            body: self.0.get(HEADER..length)?,
        };
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(answer)
    }
}

/// The attributes in a message body; what is malformed ends them.
pub(crate) struct Attributes<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        const NESTED_AND_ORDER: u16 = 0xc000;
        let length = usize::from(short_at(self.0, 0)?);
        let kind = short_at(self.0, 2)? & !NESTED_AND_ORDER;
        let data = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, data))
    }
}

pub(crate) fn short_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

pub(crate) fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

pub(crate) fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|octets| Ipv6Addr::from(octets).into())
}

pub(crate) fn text_of(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned()
}

/// The address family number of an IP address.
pub(crate) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_nested_and_read_back() {
        let message =
            Message::new(16, 0, &[1, 2, 3, 4]).text(3, "eth0").number(4, 1400).nested(18, &[], |inner| {
                inner.text(1, "veth").maybe(None::<u32>, |inner, value| inner.number(9, value))
            });
        let bytes = message.to_bytes(7);
        assert_eq!(bytes.len() % 4, 0);
        let mut messages = Messages(&bytes);
        let answer = messages.next().unwrap();
        assert_eq!((answer.kind, answer.sequence), (16, 7));
        assert!(messages.next().is_none());
        let attributes: Vec<_> = Attributes(&answer.body[4..]).collect();
        assert_eq!(attributes.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [3, 4, 18]);
        assert_eq!(text_of(attributes[0].1), "eth0");
        assert_eq!(number_at(attributes[1].1, 0), Some(1400));
        assert_eq!(Attributes(attributes[2].1).map(|(_, data)| text_of(data)).collect::<Vec<_>>(), ["veth"]);
    }

    #[test]
    fn malformed_messages_end_the_reading() {
        for length in 0..40 {
            for filler in [0, 1, 5, 0xff] {
                assert!(Messages(&vec![filler; length]).count() <= 2);
                assert!(Attributes(&vec![filler; length]).count() <= length);
            }
        }
        assert!(
            Attributes(&[0, 0, 1, 0, 4, 0, 1, 0]).next().is_none(),
            "a length below the header's ends it"
        );
    }
}
