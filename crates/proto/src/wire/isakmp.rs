//! The ISAKMP header and the chain of generic payloads (RFC 2408 sections 3.1, 3.2).

use super::reader::{Reader, Truncated, len16};
use super::registry::payload;
use crate::limits;

/// Length of the header in bytes.
pub const HEADER_LEN: usize = 28;
/// The encryption flag.
pub const FLAG_ENCRYPTION: u8 = 1;

/// A cookie: the initiator's and the responder's together identify an ISAKMP SA.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookie(pub [u8; 8]);

impl std::fmt::Debug for Cookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl Cookie {
    /// The responder's cookie in an initiator's first message.
    pub const ZERO: Self = Self([0; 8]);
}

/// Both cookies of an ISAKMP SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cookies {
    /// The initiator's.
    pub initiator: Cookie,
    /// The responder's.
    pub responder: Cookie,
}

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Initiator cookie.
    pub initiator: Cookie,
    /// Responder cookie.
    pub responder: Cookie,
    /// Type of the first payload.
    pub first: u8,
    /// Exchange type.
    pub exchange: u8,
    /// Flags.
    pub flags: u8,
    /// Message id; 0 in phase 1.
    pub message_id: u32,
}

/// Why a datagram is not an ISAKMP message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Shorter than its length fields claim.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// The length in the header differs from the datagram's (the cause of CVE-2013-4564).
    #[error("the header says {claimed} bytes, the datagram has {actual}")]
    Length {
        /// The length in the header.
        claimed: u32,
        /// The length of the datagram.
        actual: usize,
    },
    /// Another major version.
    #[error("ISAKMP version {0:#04x}")]
    Version(u8),
    /// A payload's length does not fit the message.
    #[error("a payload of type {0} has a wrong length")]
    PayloadLength(u8),
    /// More payloads than we accept.
    #[error("more than {} payloads", limits::PAYLOADS)]
    TooManyPayloads,
    /// More proposals than we accept.
    #[error("more than {} proposals", limits::PROPOSALS)]
    TooManyProposals,
    /// More transforms than we accept.
    #[error("more than {} transforms", limits::TRANSFORMS)]
    TooManyTransforms,
    /// More attributes in a mode-config or XAUTH message than we accept.
    #[error("more than {} attributes", limits::CONFIG_ATTRIBUTES)]
    TooManyAttributes,
    /// An SA or notify payload of another domain of interpretation than IPsec.
    #[error("domain of interpretation {0}, which is not IPsec")]
    Doi(u32),
    /// An SA payload for another situation than SIT_IDENTITY_ONLY.
    #[error("situation {0:#x}, which is not SIT_IDENTITY_ONLY alone")]
    Situation(u32),
    /// A reserved field is not zero.
    #[error("a reserved field of {0} is not zero")]
    Reserved(&'static str),
    /// More bytes than we accept.
    #[error("more than {} bytes", limits::MESSAGE_BYTES)]
    TooLong,
}

impl Header {
    /// Reads the header of a whole datagram; returns it and the bytes after it.
    pub fn parse(datagram: &[u8]) -> Result<(Self, &[u8]), MessageError> {
        if datagram.len() > limits::MESSAGE_BYTES {
            return Err(MessageError::TooLong);
        }
        let mut reader = Reader::new("the ISAKMP header", datagram);
        let initiator = Cookie(reader.array()?);
        let responder = Cookie(reader.array()?);
        let first = reader.u8()?;
        let version = reader.u8()?;
        let exchange = reader.u8()?;
        let flags = reader.u8()?;
        let message_id = reader.u32()?;
        let claimed = reader.u32()?;
        if version >> 4 != 1 {
            return Err(MessageError::Version(version));
        }
        if claimed as usize != datagram.len() {
            return Err(MessageError::Length { claimed, actual: datagram.len() });
        }
        Ok((Self { initiator, responder, first, exchange, flags, message_id }, reader.rest()))
    }

    /// Whether the payloads are encrypted.
    pub const fn encrypted(&self) -> bool {
        self.flags & FLAG_ENCRYPTION != 0
    }

    /// Writes the header in front of `body`, with the length of both.
    pub fn write(&self, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER_LEN + body.len());
        out.extend(self.initiator.0);
        out.extend(self.responder.0);
        out.extend([self.first, 0x10, self.exchange, self.flags]);
        out.extend(self.message_id.to_be_bytes());
        out.extend(u32::try_from(HEADER_LEN + body.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend(body);
        out
    }
}

/// One payload: its type and its body as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Type.
    pub kind: u8,
    /// Body without the generic header.
    pub body: &'a [u8],
}

/// The payloads of a message, and how many bytes they took (padding may follow in a decrypted
/// message).
#[derive(Clone, Debug, Default)]
pub struct Chain<'a> {
    /// In the order of the message.
    pub payloads: Vec<Payload<'a>>,
    /// Bytes of all payloads with their generic headers.
    pub length: usize,
}

impl<'a> Chain<'a> {
    /// Reads the chain that starts with a payload of type `first`.
    pub fn parse(first: u8, bytes: &'a [u8]) -> Result<Self, MessageError> {
        let mut reader = Reader::new("a payload", bytes);
        let mut payloads = Vec::new();
        let mut kind = first;
        while kind != payload::NONE {
            if payloads.len() == limits::PAYLOADS {
                return Err(MessageError::TooManyPayloads);
            }
            let next = reader.u8()?;
            let _reserved = reader.u8()?;
            let length = usize::from(reader.u16()?);
            let body = length.checked_sub(4).ok_or(MessageError::PayloadLength(kind))?;
            let body = reader.bytes(body).map_err(|_| MessageError::PayloadLength(kind))?;
            payloads.push(Payload { kind, body });
            kind = next;
        }
        Ok(Self { payloads, length: bytes.len() - reader.rest().len() })
    }

    /// The body of the first payload of a type.
    pub fn first(&self, kind: u8) -> Option<&'a [u8]> {
        self.all(kind).next()
    }

    /// The bodies of all payloads of a type.
    pub fn all(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> + '_ {
        self.payloads.iter().filter(move |payload| payload.kind == kind).map(|payload| payload.body)
    }

    /// The body of the only payload of a type; `None` when there is none or more than one.
    pub fn only(&self, kind: u8) -> Option<&'a [u8]> {
        let mut all = self.all(kind);
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }
}

/// Builds the payloads of a message.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    payloads: Vec<(u8, Vec<u8>)>,
}

impl Writer {
    /// Without payloads.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a payload.
    pub fn push(&mut self, kind: u8, body: impl Into<Vec<u8>>) -> &mut Self {
        self.payloads.push((kind, body.into()));
        self
    }

    /// Type of the first payload.
    pub fn first(&self) -> u8 {
        self.payloads.first().map_or(payload::NONE, |(kind, _)| *kind)
    }

    /// The chained payloads.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let following = self.payloads.iter().skip(1).map(|(kind, _)| *kind).chain([payload::NONE]);
        for ((_, body), next) in self.payloads.iter().zip(following) {
            out.extend([next, 0]);
            out.extend(len16(body.len() + 4).to_be_bytes());
            out.extend(body);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            initiator: Cookie([1; 8]),
            responder: Cookie::ZERO,
            first: payload::NONCE,
            exchange: 2,
            flags: 0,
            message_id: 0,
        }
    }

    #[test]
    fn payload_count_limit() {
        let mut writer = Writer::new();
        for _ in 0..limits::PAYLOADS {
            writer.push(payload::VENDOR, [0; 4]);
        }
        assert!(Chain::parse(writer.first(), &writer.bytes()).is_ok());
        writer.push(payload::VENDOR, [0; 4]);
        assert_eq!(Chain::parse(writer.first(), &writer.bytes()).unwrap_err(), MessageError::TooManyPayloads);
    }

    #[test]
    fn message_length_limit() {
        let body = vec![0; limits::MESSAGE_BYTES - HEADER_LEN];
        assert!(Header::parse(&header().write(&body)).is_ok());
        let body = vec![0; limits::MESSAGE_BYTES - HEADER_LEN + 1];
        assert_eq!(Header::parse(&header().write(&body)).unwrap_err(), MessageError::TooLong);
    }

    #[test]
    fn length_must_be_the_datagrams() {
        let mut bytes = header().write(&[0, 0, 0, 4]);
        bytes.push(0);
        assert!(matches!(Header::parse(&bytes), Err(MessageError::Length { .. })));
    }

    proptest! {
        #[test]
        fn chains_round_trip(bodies in proptest::collection::vec((1u8..140, proptest::collection::vec(any::<u8>(), 0..40)), 0..20)) {
            let mut writer = Writer::new();
            for (kind, body) in &bodies {
                writer.push(*kind, body.clone());
            }
            let bytes = writer.bytes();
            let chain = Chain::parse(writer.first(), &bytes).unwrap();
            prop_assert_eq!(chain.length, bytes.len());
            let read: Vec<_> = chain.payloads.iter().map(|payload| (payload.kind, payload.body.to_vec())).collect();
            prop_assert_eq!(read, bodies);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), first in any::<u8>()) {
            let _ = Header::parse(&bytes);
            let _ = Chain::parse(first, &bytes);
        }
    }
}
