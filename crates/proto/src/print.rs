//! Messages on one line, as tcpdump prints them, for logs.
//!
//! Values that could be secret are never shown: keys, nonces, hashes, and mode-config and Xauth
//! attributes are shown by their length only. Whatever the bytes are, the line is bounded and has
//! no control characters, and printing it cannot fail.

use crate::ike::vendor::Vendor;
use crate::names::Untrusted;
use crate::wire::attribute::{Attribute, Value};
use crate::wire::ike1::{Config, Delete, Notify, Proposal, parse_phase1_sa};
use crate::wire::isakmp::{Chain, Header, MessageError};
use crate::wire::reader::{Reader, Truncated};
use crate::wire::registry::{config, exchange, id, ike, ipsec, notify, payload, protocol};
use std::fmt::{self, Display, Formatter};
use std::net::Ipv4Addr;

/// Elements of one kind that a line shows; it only counts further ones.
const SHOWN: usize = 4;
/// Attributes of one transform or mode-config message that a line shows; it only counts further
/// ones.
const ATTRIBUTES_SHOWN: usize = 16;

/// A datagram: header, and the payloads unless they are encrypted.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(
    /// From the initiator cookie to the end, without a non-ESP marker.
    pub &'a [u8],
);

impl Display for Message<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (header, body) = match Header::parse(self.0) {
            Ok(parsed) => parsed,
            Err(error) => return write!(f, "isakmp {} bytes, not read: {error}", self.0.len()),
        };
        write!(f, "{header}")?;
        if header.encrypted() {
            return write!(f, " encrypted ({} bytes)", body.len());
        }
        match Chain::parse(header.first, body) {
            Ok(chain) => write!(f, " {}", Payloads(&chain)),
            Err(error) => write!(f, " {} bytes, not read: {error}", body.len()),
        }
    }
}

impl Display for Header {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "isakmp {:?}:{:?} ", self.initiator, self.responder)?;
        match self.exchange {
            exchange::MAIN => f.write_str("main")?,
            exchange::AGGRESSIVE => f.write_str("aggressive")?,
            exchange::INFORMATIONAL => f.write_str("informational")?,
            exchange::TRANSACTION => f.write_str("transaction")?,
            exchange::QUICK => f.write_str("quick")?,
            other => write!(f, "exchange-{other}")?,
        }
        if self.message_id != 0 {
            write!(f, " {:08x}", self.message_id)?;
        }
        Ok(())
    }
}

/// The payloads of a message, in clear or decrypted.
#[derive(Clone, Copy, Debug)]
pub struct Payloads<'a>(
    /// The chain.
    pub &'a Chain<'a>,
);

impl Display for Payloads<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.0.payloads.is_empty() {
            return f.write_str("no payloads");
        }
        for (index, payload) in self.0.payloads.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            one_payload(f, payload.kind, payload.body)?;
        }
        Ok(())
    }
}

fn one_payload(f: &mut Formatter<'_>, kind: u8, body: &[u8]) -> fmt::Result {
    let name = match kind {
        payload::SA => "SA",
        payload::KE => "KE",
        payload::ID => "ID",
        payload::HASH => "HASH",
        payload::NONCE => "NONCE",
        payload::NOTIFY => "NOTIFY",
        payload::DELETE => "DELETE",
        payload::VENDOR => "VID",
        payload::ATTRIBUTE => "ATTR",
        payload::NAT_D | payload::NAT_D_DRAFT => "NAT-D",
        payload::NAT_OA | payload::NAT_OA_DRAFT => "NAT-OA",
        other => return write!(f, "payload-{other}({})", body.len()),
    };
    write!(f, "{name}(")?;
    let read = match kind {
        payload::SA => parse_phase1_sa(body).map(|proposals| sa(f, &proposals)),
        payload::ID => identity(f, body).map_err(MessageError::from),
        payload::NOTIFY => Notify::parse(body).map(|message| notification(f, &message)),
        payload::DELETE => Delete::parse(body).map(|message| delete(f, &message)).map_err(MessageError::from),
        payload::ATTRIBUTE => Config::parse(body).map(|message| mode_config(f, &message)),
        payload::VENDOR => match Vendor::recognise(body) {
            Some(vendor) => Ok(write!(f, "{vendor:?}")),
            None => Ok(write!(f, "{}", body.len())),
        },
        _ => Ok(write!(f, "{}", body.len())),
    };
    match read {
        Ok(written) => written?,
        Err(_) => write!(f, "{} bytes, not read", body.len())?,
    }
    f.write_str(")")
}

/// Writes the first few items with `one`, and the number of the others.
fn some<T>(
    f: &mut Formatter<'_>,
    items: &[T],
    shown: usize,
    separator: &str,
    mut one: impl FnMut(&mut Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().take(shown).enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        one(f, item)?;
    }
    match items.len().saturating_sub(shown) {
        0 => Ok(()),
        more => write!(f, "{separator}{more} more"),
    }
}

struct Protocol(u8);

impl Display for Protocol {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            protocol::ISAKMP => f.write_str("ISAKMP"),
            protocol::AH => f.write_str("AH"),
            protocol::ESP => f.write_str("ESP"),
            other => write!(f, "protocol-{other}"),
        }
    }
}

fn hex(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    if bytes.len() > 16 {
        return write!(f, "{} bytes", bytes.len());
    }
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn sa(f: &mut Formatter<'_>, proposals: &[Proposal]) -> fmt::Result {
    some(f, proposals, SHOWN, ", ", |f, proposal| {
        write!(f, "#{} {}", proposal.number, Protocol(proposal.protocol))?;
        if !proposal.spi.is_empty() {
            f.write_str(" spi=")?;
            hex(f, &proposal.spi)?;
        }
        f.write_str(" ")?;
        some(f, &proposal.transforms, SHOWN, " +", |f, transform| {
            write!(f, "{}:{} ", transform.number, transform.id)?;
            let phase1 = proposal.protocol == protocol::ISAKMP;
            some(f, &transform.attributes, ATTRIBUTES_SHOWN, " ", |f, attribute| {
                sa_attribute(f, phase1, attribute)
            })
        })
    })
}

/// Phase 1 and phase 2 number their attributes differently.
fn sa_attribute(f: &mut Formatter<'_>, phase1: bool, attribute: &Attribute) -> fmt::Result {
    let name = match (phase1, attribute.kind) {
        (true, ike::ENCRYPTION) => "enc",
        (true, ike::HASH) => "hash",
        (true, ike::AUTHENTICATION) | (false, ipsec::AUTHENTICATION) => "auth",
        (true, ike::GROUP) | (false, ipsec::GROUP) => "group",
        (true, ike::LIFE_TYPE) | (false, ipsec::LIFE_TYPE) => "lifetype",
        (true, ike::LIFE_DURATION) | (false, ipsec::LIFE_DURATION) => "life",
        (true, ike::KEY_LENGTH) | (false, ipsec::KEY_LENGTH) => "keylen",
        (false, ipsec::ENCAPSULATION) => "mode",
        (_, other) => return write!(f, "{other}={}", Number(attribute)),
    };
    write!(f, "{name}={}", Number(attribute))
}

struct Number<'a>(&'a Attribute);

impl Display for Number<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.0.as_number(), &self.0.value) {
            (Some(number), _) => write!(f, "{number}"),
            (None, Value::Long(bytes)) => write!(f, "({} bytes)", bytes.len()),
            (None, Value::Short(number)) => write!(f, "{number}"),
        }
    }
}

fn identity(f: &mut Formatter<'_>, body: &[u8]) -> Result<fmt::Result, Truncated> {
    let mut reader = Reader::new("an ID payload", body);
    let (kind, protocol, port) = (reader.u8()?, reader.u8()?, reader.u16()?);
    let mut address = || reader.array::<4>().map(Ipv4Addr::from);
    let written = match kind {
        id::IPV4_ADDR => write!(f, "{}", address()?),
        id::IPV4_ADDR_SUBNET => write!(f, "{}/{}", address()?, address()?),
        id::IPV4_ADDR_RANGE => write!(f, "{}-{}", address()?, address()?),
        id::FQDN | id::USER_FQDN | id::KEY_ID => write!(f, "{}", Untrusted::new(reader.rest())),
        other => write!(f, "type {other}, {} bytes", reader.rest().len()),
    };
    Ok(written.and_then(|()| write!(f, " {protocol}/{port}")))
}

fn notification(f: &mut Formatter<'_>, message: &Notify) -> fmt::Result {
    write!(f, "{} {} {}", Protocol(message.protocol), message.kind, notify::name(message.kind))?;
    // cookies are in the header of every message anyway; an ESP SPI identifies the SA
    if message.protocol != protocol::ISAKMP && !message.spi.is_empty() {
        f.write_str(" spi=")?;
        hex(f, &message.spi)?;
    }
    match message.data.as_slice() {
        [] => Ok(()),
        [a, b, c, d] => write!(f, " data={}", u32::from_be_bytes([*a, *b, *c, *d])),
        data => write!(f, " data={} bytes", data.len()),
    }
}

fn delete(f: &mut Formatter<'_>, message: &Delete) -> fmt::Result {
    write!(f, "{} ", Protocol(message.protocol))?;
    some(f, &message.spis, SHOWN, " ", |f, spi| hex(f, spi))
}

fn mode_config(f: &mut Formatter<'_>, message: &Config) -> fmt::Result {
    match message.kind {
        config::REQUEST => f.write_str("REQUEST")?,
        config::REPLY => f.write_str("REPLY")?,
        config::SET => f.write_str("SET")?,
        config::ACK => f.write_str("ACK")?,
        other => write!(f, "type-{other}")?,
    }
    write!(f, " id={:#06x} ", message.identifier)?;
    some(f, &message.attributes, ATTRIBUTES_SHOWN, " ", |f, attribute| {
        let length = match &attribute.value {
            Value::Short(_) => 2,
            Value::Long(bytes) => bytes.len(),
        };
        match config_name(attribute.kind) {
            Some(name) => write!(f, "{name}[{length}]"),
            None => write!(f, "{}[{length}]", attribute.kind),
        }
    })
}

const fn config_name(kind: u16) -> Option<&'static str> {
    Some(match kind {
        config::ADDRESS => "ADDRESS",
        config::NETMASK => "NETMASK",
        config::DNS => "DNS",
        config::NBNS => "NBNS",
        config::ADDRESS_EXPIRY => "ADDRESS_EXPIRY",
        config::APPLICATION_VERSION => "APPLICATION_VERSION",
        config::XAUTH_TYPE => "XAUTH_TYPE",
        config::XAUTH_USER_NAME => "XAUTH_USER_NAME",
        config::XAUTH_USER_PASSWORD => "XAUTH_USER_PASSWORD",
        config::XAUTH_PASSCODE => "XAUTH_PASSCODE",
        config::XAUTH_MESSAGE => "XAUTH_MESSAGE",
        config::XAUTH_CHALLENGE => "XAUTH_CHALLENGE",
        config::XAUTH_DOMAIN => "XAUTH_DOMAIN",
        config::XAUTH_STATUS => "XAUTH_STATUS",
        config::XAUTH_NEXT_PIN => "XAUTH_NEXT_PIN",
        config::XAUTH_ANSWER => "XAUTH_ANSWER",
        config::UNITY_BANNER => "BANNER",
        config::UNITY_SAVE_PASSWORD => "SAVE_PASSWD",
        config::UNITY_DEF_DOMAIN => "DEF_DOMAIN",
        config::UNITY_SPLIT_DNS => "SPLIT_DNS",
        config::UNITY_SPLIT_INCLUDE => "SPLIT_INCLUDE",
        config::UNITY_SPLIT_EXCLUDE => "SPLIT_EXCLUDE",
        config::UNITY_PFS => "PFS",
        config::UNITY_BACKUP_SERVERS => "BACKUP_SERVERS",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ike1::{Transform, write_sa};
    use crate::wire::isakmp::{Cookie, FLAG_ENCRYPTION, Writer};
    use proptest::prelude::*;

    fn header(first: u8, exchange: u8, flags: u8, message_id: u32) -> Header {
        Header { initiator: Cookie([0xab; 8]), responder: Cookie::ZERO, first, exchange, flags, message_id }
    }

    fn chain_text(writer: &Writer) -> String {
        let bytes = writer.bytes();
        Payloads(&Chain::parse(writer.first(), &bytes).unwrap()).to_string()
    }

    #[test]
    fn first_message_of_main_mode() {
        let attributes = vec![
            Attribute::short(ike::ENCRYPTION, 5),
            Attribute::short(ike::HASH, 2),
            Attribute::short(ike::AUTHENTICATION, 65001),
            Attribute::number(ike::LIFE_DURATION, 86400),
        ];
        let transforms = vec![Transform { number: 1, id: 1, attributes }; 6];
        let proposal = Proposal { number: 1, protocol: protocol::ISAKMP, spi: Vec::new(), transforms };
        let mut writer = Writer::new();
        writer.push(payload::SA, write_sa(&[proposal]));
        writer.push(payload::VENDOR, Vendor::Dpd.bytes());
        writer.push(payload::VENDOR, [1; 20]);
        writer.push(99, [1; 3]);
        let text = Message(&header(payload::SA, exchange::MAIN, 0, 0).write(&writer.bytes())).to_string();
        let transform = "1:1 enc=5 hash=2 auth=65001 life=86400";
        assert_eq!(
            text,
            format!(
                "isakmp abababababababab:0000000000000000 main SA(#1 ISAKMP {transform} +{transform} \
                 +{transform} +{transform} +2 more) VID(Dpd) VID(20) payload-99(3)"
            )
        );
    }

    #[test]
    fn encrypted_messages_show_their_length() {
        let text = Message(&header(payload::HASH, exchange::QUICK, FLAG_ENCRYPTION, 0x1234).write(&[0; 64]));
        assert_eq!(
            text.to_string(),
            "isakmp abababababababab:0000000000000000 quick 00001234 encrypted (64 bytes)"
        );
    }

    #[test]
    fn no_user_name_or_password_is_shown() {
        let attributes = vec![
            Attribute::long(config::XAUTH_USER_NAME, *b"gfullage"),
            Attribute::long(config::XAUTH_USER_PASSWORD, *b"hunter22"),
            Attribute::short(config::XAUTH_STATUS, 1),
            Attribute::short(40000 & 0x7fff, 1),
        ];
        let mut writer = Writer::new();
        writer.push(payload::HASH, [7; 20]);
        writer.push(payload::ATTRIBUTE, Config { kind: config::REPLY, identifier: 20, attributes }.write());
        assert_eq!(
            chain_text(&writer),
            "HASH(20) ATTR(REPLY id=0x0014 XAUTH_USER_NAME[8] XAUTH_USER_PASSWORD[8] XAUTH_STATUS[2] 7232[2])"
        );
    }

    #[test]
    fn identities_notifies_and_deletes() {
        let mut writer = Writer::new();
        writer.push(payload::ID, *b"\x0b\x11\x01\xf4a\ngroup");
        writer.push(payload::ID, [4, 0, 0, 0, 10, 1, 0, 0, 255, 255, 0, 0]);
        writer.push(payload::ID, [1, 0, 0]);
        writer.push(
            payload::NOTIFY,
            Notify::isakmp(notify::R_U_THERE, Cookie::ZERO, Cookie::ZERO, [0, 0, 1, 0]).write(),
        );
        writer.push(
            payload::DELETE,
            Delete { protocol: protocol::ESP, spis: vec![vec![1, 2, 3, 4], vec![5, 6, 7, 8]] }.write(),
        );
        assert_eq!(
            chain_text(&writer),
            "ID(a\\ngroup 17/500) ID(10.1.0.0/255.255.0.0 0/0) ID(3 bytes, not read) NOTIFY(ISAKMP 36136 R_U_THERE \
             data=256) DELETE(ESP 01020304 05060708)"
        );
    }

    proptest! {
        #[test]
        fn any_message_is_one_bounded_line(
            body in proptest::collection::vec(any::<u8>(), 0..400),
            first in 0u8..25,
            kinds in proptest::collection::vec((0u8..135, proptest::collection::vec(any::<u8>(), 0..60)), 1..32),
        ) {
            let mut writer = Writer::new();
            for (kind, body) in kinds {
                writer.push(kind.max(1), body);
            }
            for bytes in [
                body.clone(),
                header(first, exchange::INFORMATIONAL, 0, 1).write(&body),
                header(writer.first(), exchange::MAIN, 0, 0).write(&writer.bytes()),
            ] {
                let text = Message(&bytes).to_string();
                prop_assert!(!text.chars().any(char::is_control), "{text:?}");
                prop_assert!(text.len() < 128 + bytes.len() * 16, "{text}");
            }
        }
    }
}
