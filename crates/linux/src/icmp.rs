//! Ping: ICMP echoes (RFC 792), as the exec command `ping` and the lab send them.

use crate::clock;
use crate::error::{Context, Error};
use crate::socket::set_option;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

/// What to send.
#[derive(Debug, Clone)]
pub struct Ping {
    /// The destination.
    pub destination: Ipv4Addr,
    /// From which of this machine's addresses; the kernel chooses when there is none.
    pub source: Option<Ipv4Addr>,
    /// How many echoes.
    pub count: u16,
    /// Time from one echo to the next at least; the next is sent earlier when the answer is there
    /// (as IOS does) if this is zero.
    pub interval: Duration,
    /// How long to wait for each answer.
    pub timeout: Duration,
    /// Bytes of the whole IP packet, as on IOS: 28 at least.
    pub size: u16,
    /// Set the DF bit.
    pub dont_fragment: bool,
    /// Firewall mark, to bypass capture.
    pub mark: Option<u32>,
}

impl Ping {
    /// Five packets of 100 bytes, two seconds each: what `ping` does on IOS.
    pub fn new(destination: Ipv4Addr) -> Self {
        Self {
            destination,
            source: None,
            count: 5,
            interval: Duration::ZERO,
            timeout: Duration::from_secs(2),
            size: 100,
            dont_fragment: false,
            mark: None,
        }
    }
}

/// What became of one echo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, by the destination, after this time.
    Reply(Duration),
    /// No answer in time.
    Timeout,
    /// A router said that it cannot be delivered; the code is that of RFC 792's destination
    /// unreachable.
    Unreachable {
        /// Who said so.
        by: Ipv4Addr,
        /// Why: 0 network, 1 host, 13 administratively prohibited, …
        code: u8,
    },
    /// It was too long for an MTU on the way and DF was set.
    TooBig {
        /// Who said so; none when it is this machine itself.
        by: Option<Ipv4Addr>,
        /// The MTU of the next hop, if the message has it.
        mtu: Option<u16>,
    },
    /// Its time to live ended on the way.
    Expired(Ipv4Addr),
    /// This machine could not send it.
    NotSent(String),
}

impl Outcome {
    /// The character that IOS prints for it.
    pub fn symbol(&self) -> char {
        match self {
            Self::Reply(_) => '!',
            Self::Timeout | Self::NotSent(_) => '.',
            Self::Unreachable { .. } => 'U',
            Self::TooBig { .. } => 'M',
            Self::Expired(_) => '&',
        }
    }
}

const HEADER: usize = 8;
const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const TIME_EXCEEDED: u8 = 11;
const FRAGMENTATION_NEEDED: u8 = 4;

/// Sends the echoes one after another from the thread's network namespace and waits for their
/// answers; `each` sees every outcome as it comes. Needs CAP_NET_RAW or a group within
/// `net.ipv4.ping_group_range` (then routers' errors are not seen).
pub fn ping(ping: &Ping, mut each: impl FnMut(&Outcome)) -> Result<Vec<Outcome>, Error> {
    let (socket, raw) = open(ping)?;
    let mut identifier = [0; 2];
    crate::random::fill(&mut identifier)?;
    let mut outcomes = Vec::with_capacity(usize::from(ping.count));
    for sequence in 0..ping.count {
        let sent = clock::now();
        let outcome = one(&socket, raw, ping, identifier, sequence, sent)?;
        each(&outcome);
        outcomes.push(outcome);
        if sequence + 1 < ping.count {
            std::thread::sleep(ping.interval.saturating_sub(clock::now().saturating_sub(sent)));
        }
    }
    Ok(outcomes)
}

fn open(ping: &Ping) -> Result<(Socket, bool), Error> {
    const OBJECT: &str = "an ICMP socket";
    let (socket, raw) = match Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)) {
        Ok(socket) => (socket, true),
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::ICMPV4));
            (
                socket
                    .context("open (without CAP_NET_RAW or a group in net.ipv4.ping_group_range)", OBJECT)?,
                false,
            )
        }
        Err(error) => return Err(error).context("open", OBJECT),
    };
    socket.set_nonblocking(true).context("configure", OBJECT)?;
    if let Some(mark) = ping.mark {
        socket.set_mark(mark).context("set the firewall mark of", OBJECT)?;
    }
    let discover = if ping.dont_fragment { libc::IP_PMTUDISC_PROBE } else { libc::IP_PMTUDISC_DONT };
    set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, discover)
        .context("set DF on", OBJECT)?;
    if let Some(source) = ping.source {
        socket.bind(&SocketAddr::from((source, 0)).into()).context("ping from", source)?;
    }
    Ok((socket, raw))
}

fn one(
    socket: &Socket,
    raw: bool,
    ping: &Ping,
    identifier: [u8; 2],
    sequence: u16,
    sent: Duration,
) -> Result<Outcome, Error> {
    let message = echo(identifier, sequence, usize::from(ping.size).saturating_sub(20));
    match socket.send_to(&message, &SocketAddr::from((ping.destination, 0)).into()) {
        Ok(_) => {}
        Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
            return Ok(Outcome::TooBig { by: None, mtu: None });
        }
        Err(error) => return Ok(Outcome::NotSent(error.to_string())),
    }
    let deadline = sent + ping.timeout;
    let mut buffer = vec![0; 65_535];
    loop {
        let left = deadline.saturating_sub(clock::now());
        if left.is_zero() {
            return Ok(Outcome::Timeout);
        }
        let left = Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() };
        match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("wait for", "an ICMP echo reply"),
        }
        match io::Read::read(&mut &*socket, &mut buffer) {
            Ok(length) => {
                let packet = buffer.get(..length).unwrap_or_default();
                let answer = if raw {
                    let expected = Expected { destination: ping.destination, identifier, sequence };
                    judge(packet, &expected, clock::now().saturating_sub(sent))
                } else {
                    // the kernel has chosen the identifier and hands over our own replies only
                    let same = packet.first() == Some(&ECHO_REPLY)
                        && packet.get(6..8) == Some(&sequence.to_be_bytes());
                    same.then(|| Outcome::Reply(clock::now().saturating_sub(sent)))
                };
                if let Some(outcome) = answer {
                    return Ok(outcome);
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Ok(Outcome::NotSent(error.to_string())),
        }
    }
}

/// An echo message of `length` bytes, header included, filled with the pattern that IOS uses.
fn echo(identifier: [u8; 2], sequence: u16, length: usize) -> Vec<u8> {
    let mut message = vec![ECHO, 0, 0, 0];
    message.extend(identifier);
    message.extend(sequence.to_be_bytes());
    message.extend([0xab, 0xcd].into_iter().cycle().take(length.saturating_sub(HEADER)));
    let [high, low] = checksum(&message).to_be_bytes();
    message.splice(2..4, [high, low]);
    message
}

/// The Internet checksum, RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
            [high] => u32::from(*high) << 8,
            _ => 0,
        })
        .fold(0, u32::wrapping_add);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

struct Expected {
    destination: Ipv4Addr,
    identifier: [u8; 2],
    sequence: u16,
}

/// What an ICMP packet, with its IP header, says about the echo; nothing when it is about something
/// else.
fn judge(packet: &[u8], expected: &Expected, after: Duration) -> Option<Outcome> {
    let (from, _, message) = split(packet)?;
    let (kind, code) = (*message.first()?, *message.get(1)?);
    if kind == ECHO_REPLY {
        let ours = from == expected.destination && is_echo(message, expected);
        return ours.then_some(Outcome::Reply(after));
    }
    // an error quotes the packet it is about: IP header and at least eight bytes
    let (_, to, quoted) = split(message.get(HEADER..)?)?;
    if to != expected.destination || quoted.first() != Some(&ECHO) || !is_echo(quoted, expected) {
        return None;
    }
    match (kind, code) {
        (UNREACHABLE, FRAGMENTATION_NEEDED) => {
            let mtu = u16::from_be_bytes(message.get(6..8)?.try_into().ok()?);
            Some(Outcome::TooBig { by: Some(from), mtu: (mtu != 0).then_some(mtu) })
        }
        (UNREACHABLE, code) => Some(Outcome::Unreachable { by: from, code }),
        (TIME_EXCEEDED, _) => Some(Outcome::Expired(from)),
        _ => None,
    }
}

fn is_echo(message: &[u8], expected: &Expected) -> bool {
    message.get(4..6) == Some(&expected.identifier)
        && message.get(6..8) == Some(&expected.sequence.to_be_bytes())
}

/// Source, destination and payload of an IPv4 packet of ICMP.
fn split(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr, &[u8])> {
    let first = *packet.first()?;
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < 20 || packet.get(9) != Some(&1) {
        return None;
    }
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let destination: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    Some((source.into(), destination.into(), packet.get(header..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_has_a_checksum_and_the_length_asked_for() {
        let message = echo([0x12, 0x34], 1, 80);
        assert_eq!(message.len(), 80);
        assert_eq!(checksum(&message), 0, "the sum over a message with its checksum is zero");
        assert_eq!(
            checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            !0xddf2,
            "the example of RFC 1071"
        );
        assert_eq!(echo([0, 0], 0, 0).len(), HEADER);
    }

    fn ip(source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0];
        packet.extend(source);
        packet.extend(destination);
        packet.extend(payload);
        packet
    }

    #[test]
    fn answers_to_others_are_not_ours_and_errors_are_matched_by_what_they_quote() {
        let (us, router, them) = ([10, 0, 0, 1], [10, 0, 0, 254], [10, 9, 9, 9]);
        let expected = Expected { destination: them.into(), identifier: [1, 2], sequence: 3 };
        let after = Duration::from_millis(1);
        let reply = |identifier: [u8; 2], sequence: u16| {
            let mut message = echo(identifier, sequence, 20);
            message[0] = ECHO_REPLY;
            message
        };
        assert_eq!(judge(&ip(them, us, &reply([1, 2], 3)), &expected, after), Some(Outcome::Reply(after)));
        assert_eq!(judge(&ip(them, us, &reply([1, 3], 3)), &expected, after), None);
        assert_eq!(judge(&ip(them, us, &reply([1, 2], 4)), &expected, after), None);
        assert_eq!(judge(&ip(router, us, &reply([1, 2], 3)), &expected, after), None);
        let quoted = ip(us, them, &echo([1, 2], 3, 8));
        let error = |kind: u8, code: u8, mtu: u8| {
            ip(router, us, &[&[kind, code, 0, 0, 0, 0, 5, mtu][..], &quoted].concat())
        };
        let by = router.into();
        assert_eq!(judge(&error(3, 1, 0), &expected, after), Some(Outcome::Unreachable { by, code: 1 }));
        assert_eq!(
            judge(&error(3, 4, 0xdc), &expected, after),
            Some(Outcome::TooBig { by: Some(by), mtu: Some(1500) })
        );
        assert_eq!(judge(&error(11, 0, 0), &expected, after), Some(Outcome::Expired(by)));
        let whole = error(3, 1, 0);
        for length in 0..whole.len() {
            assert_eq!(judge(&whole[..length], &expected, after), None, "cut at {length}");
        }
    }
}
