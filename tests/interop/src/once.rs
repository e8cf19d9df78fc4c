//! What a gateway must never use twice, as a recorded wire shows it: an IV under one key, a cookie,
//! a nonce, a public value.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use anyhow::{Context, Result, ensure};

const UDP: u8 = 17;
const ESP: u8 = 50;
/// ISAKMP payload types, RFC 2408 section 3.1.
const KEY_EXCHANGE: u8 = 4;
const NONCE: u8 = 10;

/// An ESP packet, bare or in UDP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Outer source.
    pub from: Ipv4Addr,
    /// Outer destination, which chose the SPI.
    pub to: Ipv4Addr,
    /// SPI.
    pub spi: u32,
    /// Sequence number.
    pub sequence: u32,
    /// What follows: the IV, then ciphertext and check value.
    pub rest: Vec<u8>,
}

/// An ISAKMP message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Outer source.
    pub from: Ipv4Addr,
    /// Header and payloads.
    pub bytes: Vec<u8>,
}

/// What an IPv4 packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// ESP.
    Esp(Sealed),
    /// IKE.
    Ike(Message),
}

/// Reads a whole IPv4 packet; `None` if it is neither ESP nor IKE.
pub fn carried(packet: &[u8]) -> Option<Carried> {
    let header = usize::from(packet.first()? & 15) * 4;
    let address = |at: usize| -> Option<Ipv4Addr> {
        let bytes: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
        Some(bytes.into())
    };
    let (from, to) = (address(12)?, address(16)?);
    let sealed = |bytes: &[u8]| -> Option<Carried> {
        let (spi, sequence) = (number(bytes, 0)?, number(bytes, 4)?);
        Some(Carried::Esp(Sealed { from, to, spi, sequence, rest: bytes.get(8..)?.to_vec() }))
    };
    let message =
        |bytes: &[u8]| (bytes.len() >= 28).then(|| Carried::Ike(Message { from, bytes: bytes.to_vec() }));
    let content = packet.get(header..)?;
    match *packet.get(9)? {
        ESP => sealed(content),
        UDP => {
            let ports = number(content, 0)?;
            let (ports, data) = ([ports >> 16, ports & 0xffff], content.get(8..)?);
            match () {
                () if ports.contains(&4500) && number(data, 0)? == 0 => message(data.get(4..)?),
                () if ports.contains(&4500) => sealed(data),
                () if ports.contains(&500) => message(data),
                () => None,
            }
        }
        _ => None,
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

impl Message {
    /// The cookie of the end that sent it, and that of the other end; `began` says whether the
    /// sender is the initiator.
    fn cookies(&self, began: bool) -> Option<(&[u8], &[u8])> {
        let (initiator, responder) = (self.bytes.get(..8)?, self.bytes.get(8..16)?);
        Some(if began { (initiator, responder) } else { (responder, initiator) })
    }

    /// Nonces and public values of a message in clear text.
    fn values(&self) -> Vec<(u8, &[u8])> {
        let mut found = Vec::new();
        let (Some(mut next), Some(flags)) = (self.bytes.get(16).copied(), self.bytes.get(19)) else {
            return found;
        };
        let mut rest = self.bytes.get(28..).unwrap_or_default();
        while flags & 1 == 0 && next != 0 {
            let Some(length) = number(rest, 0).map(|word| (word & 0xffff) as usize) else { break };
            let Some(body) = rest.get(4..length) else { break };
            if next == NONCE || next == KEY_EXCHANGE {
                found.push((next, body));
            }
            (next, rest) = (rest.first().copied().unwrap_or(0), rest.get(length..).unwrap_or_default());
        }
        found
    }
}

/// Fails if an IV, or a sequence number, occurs twice under one SPI, or if a `random` IV occurs
/// twice at all. Gives the number of packets and of SPIs.
pub fn ivs<'a>(
    packets: impl IntoIterator<Item = &'a Sealed>,
    length: usize,
    random: bool,
) -> Result<(usize, usize)> {
    let (mut seen, mut sequences, mut spis) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut all = 0;
    for packet in packets {
        let iv = packet.rest.get(..length).context("a packet without an IV")?;
        let key = (packet.to, packet.spi);
        spis.insert(key);
        all += 1;
        ensure!(
            seen.insert(((!random).then_some(key), iv)),
            "IV {iv:02x?} of {key:?} occurs twice, in packet {}",
            packet.sequence
        );
        ensure!(
            sequences.insert((key, packet.sequence)),
            "packet {} of {key:?} occurs twice",
            packet.sequence
        );
    }
    Ok((all, spis.len()))
}

/// Fails if a cookie of a gateway belongs to two negotiations, or a nonce or a public value to two
/// of its cookies. The gateway is the responder of all of them. Gives how many cookies and how many
/// values there were.
pub fn cookies_and_values<'a>(messages: impl IntoIterator<Item = &'a Message>) -> Result<(usize, usize)> {
    let (mut peers, mut owners) = (BTreeMap::new(), BTreeMap::new());
    for message in messages {
        let (own, other) = message.cookies(false).context("a message without cookies")?;
        let peer = peers.entry(own).or_insert(other);
        ensure!(*peer == other, "cookie {own:02x?} was given to {peer:02x?} and to {other:02x?}");
        for value in message.values() {
            let owner = owners.entry(value).or_insert(own);
            ensure!(*owner == own, "{value:02x?} is of {owner:02x?} and of {own:02x?}");
        }
    }
    Ok((peers.len(), owners.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: u8, content: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        packet.extend_from_slice(content);
        packet
    }

    fn sealed(spi: u32, sequence: u32, iv: u64) -> Sealed {
        let content = [&spi.to_be_bytes()[..], &sequence.to_be_bytes(), &iv.to_be_bytes()].concat();
        let Some(Carried::Esp(bare)) = carried(&packet(ESP, &content)) else { panic!("no ESP") };
        let in_udp = [&[0x11, 0x94, 0x11, 0x94, 0, 0, 0, 0][..], &content].concat();
        assert_eq!(carried(&packet(UDP, &in_udp)), Some(Carried::Esp(bare.clone())));
        bare
    }

    /// The responder's message with a nonce: 28 bytes of header, then one payload.
    fn message(initiator: u8, responder: u8, nonce: u8) -> Message {
        let mut bytes = [[initiator; 8], [responder; 8]].concat();
        bytes.extend([NONCE, 0x10, 2, 0, 0, 0, 0, 0, 0, 0, 0, 36, 0, 0, 0, 8]);
        bytes.extend([nonce; 4]);
        let datagram = [&[1, 0xf4, 1, 0xf4, 0, 0, 0, 0][..], &bytes].concat();
        let Some(Carried::Ike(message)) = carried(&packet(UDP, &datagram)) else { panic!("no IKE") };
        message
    }

    #[test]
    fn an_iv_that_occurs_twice_is_found() {
        let good = [sealed(1, 1, 1), sealed(1, 2, 2), sealed(2, 1, 1)];
        assert_eq!(ivs(&good, 8, false).unwrap(), (3, 2));
        assert!(ivs(&good, 8, true).is_err(), "a random IV is used under two keys");
        assert!(ivs(&[sealed(1, 1, 7), sealed(1, 2, 7)], 8, false).is_err());
        assert!(ivs(&[sealed(1, 1, 7), sealed(1, 1, 8)], 8, false).is_err());
        assert!(ivs(&good, 16, false).is_err(), "there are no 16 bytes");
    }

    #[test]
    fn a_cookie_or_a_nonce_that_occurs_twice_is_found() {
        let good = [message(1, 2, 3), message(1, 2, 3), message(4, 5, 6)];
        assert_eq!(cookies_and_values(&good).unwrap(), (2, 2));
        assert!(cookies_and_values(&[message(1, 2, 3), message(4, 2, 5)]).is_err());
        assert!(cookies_and_values(&[message(1, 2, 3), message(4, 5, 3)]).is_err());
    }
}
