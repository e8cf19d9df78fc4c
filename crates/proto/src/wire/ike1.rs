//! Bodies of IKEv1 payloads (RFC 2408 section 3, RFC 2407 section 4.6).

use super::attribute::{self, Attribute};
use super::isakmp::{Cookie, MessageError};
use super::reader::{Reader, Truncated, len16};
use super::registry::{payload, protocol};
use crate::limits;

/// A transform as proposed: attributes in the order of the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transform {
    /// Transform number.
    pub number: u8,
    /// Transform id: KEY_IKE, or an ESP cipher.
    pub id: u8,
    /// Attributes.
    pub attributes: Vec<Attribute>,
}

/// A proposal as received or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Proposal number; equal numbers belong together, different ones are alternatives.
    pub number: u8,
    /// Protocol.
    pub protocol: u8,
    /// The sender's SPI.
    pub spi: Vec<u8>,
    /// Transforms, best first.
    pub transforms: Vec<Transform>,
}

/// The DOI of ISAKMP itself: in phase 1, an SA for any protocol (RFC 2408 section 3.4).
const ISAKMP_DOI: u32 = 0;
/// The IPsec DOI (RFC 2407), in which all numbers of SA payloads are.
const IPSEC_DOI: u32 = 1;
/// SIT_IDENTITY_ONLY (RFC 2407 section 4.2.1); every other situation demands labels of secrecy or
/// integrity.
const IDENTITY_ONLY: u32 = 1;

/// Reads the SA payload of phase 1, as [`parse_sa`] does; the DOI may also be that of ISAKMP
/// itself.
///
/// # Errors
/// The same.
pub fn parse_phase1_sa(body: &[u8]) -> Result<Vec<Proposal>, MessageError> {
    parse_sa_of(&[ISAKMP_DOI, IPSEC_DOI], body)
}

/// Reads an SA payload with the IPsec DOI and SIT_IDENTITY_ONLY. A transform whose attributes
/// cannot be read, or are too many, is ignored; the others are kept.
///
/// # Errors
/// The payload cannot be read, is too long, is of another DOI or situation, or sets reserved bytes.
pub fn parse_sa(body: &[u8]) -> Result<Vec<Proposal>, MessageError> {
    parse_sa_of(&[IPSEC_DOI], body)
}

fn parse_sa_of(dois: &[u32], body: &[u8]) -> Result<Vec<Proposal>, MessageError> {
    let mut reader = Reader::new("an SA payload", body);
    let doi = reader.u32()?;
    if !dois.contains(&doi) {
        return Err(MessageError::Doi(doi));
    }
    let situation = reader.u32()?;
    if situation != IDENTITY_ONLY {
        return Err(MessageError::Situation(situation));
    }
    let mut proposals = Vec::new();
    let mut total = 0;
    loop {
        let next = reader.u8()?;
        zero(reader.u8()?.into(), "a proposal")?;
        let length = usize::from(reader.u16()?).checked_sub(4).ok_or(Truncated("a proposal"))?;
        let mut inner = Reader::new("a proposal", reader.bytes(length)?);
        let number = inner.u8()?;
        let protocol = inner.u8()?;
        let spi_size = usize::from(inner.u8()?);
        let count = inner.u8()?;
        let spi = inner.bytes(spi_size)?.to_vec();
        let mut transforms = Vec::new();
        for _ in 0..count {
            if inner.is_empty() {
                break;
            }
            let _next = inner.u8()?;
            zero(inner.u8()?.into(), "a transform")?;
            let length = usize::from(inner.u16()?).checked_sub(4).ok_or(Truncated("a transform"))?;
            let mut transform = Reader::new("a transform", inner.bytes(length)?);
            let (number, id) = (transform.u8()?, transform.u8()?);
            zero(transform.u16()?, "a transform")?;
            total += 1;
            if total > limits::TRANSFORMS {
                return Err(MessageError::TooManyTransforms);
            }
            if let Ok(attributes) = attribute::parse(transform.rest())
                && attributes.len() <= limits::ATTRIBUTES
            {
                transforms.push(Transform { number, id, attributes });
            }
        }
        proposals.push(Proposal { number, protocol, spi, transforms });
        if next != payload::PROPOSAL {
            break;
        }
        if proposals.len() == limits::PROPOSALS {
            return Err(MessageError::TooManyProposals);
        }
    }
    Ok(proposals)
}

/// A reserved field (RFC 2408 section 5.3: not zero, and the message is discarded).
fn zero(reserved: u16, of: &'static str) -> Result<(), MessageError> {
    if reserved == 0 { Ok(()) } else { Err(MessageError::Reserved(of)) }
}

/// Writes an SA payload's body.
pub fn write_sa(proposals: &[Proposal]) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 1, 0, 0, 0, 1];
    for (index, proposal) in proposals.iter().enumerate() {
        let mut body = vec![proposal.number, proposal.protocol];
        body.push(u8::try_from(proposal.spi.len()).unwrap_or(u8::MAX));
        body.push(u8::try_from(proposal.transforms.len()).unwrap_or(u8::MAX));
        body.extend(&proposal.spi);
        for (index, transform) in proposal.transforms.iter().enumerate() {
            let mut inner = vec![transform.number, transform.id, 0, 0];
            attribute::write(&transform.attributes, &mut inner);
            let last = index + 1 == proposal.transforms.len();
            body.extend([if last { payload::NONE } else { payload::TRANSFORM }, 0]);
            body.extend(len16(inner.len() + 4).to_be_bytes());
            body.extend(inner);
        }
        let last = index + 1 == proposals.len();
        out.extend([if last { payload::NONE } else { payload::PROPOSAL }, 0]);
        out.extend(len16(body.len() + 4).to_be_bytes());
        out.extend(body);
    }
    out
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notify {
    /// The protocol that it concerns.
    pub protocol: u8,
    /// SPI: both cookies for ISAKMP, four bytes for ESP, or nothing.
    pub spi: Vec<u8>,
    /// Message type.
    pub kind: u16,
    /// Notification data.
    pub data: Vec<u8>,
}

impl Notify {
    /// About an ISAKMP SA.
    pub fn isakmp(kind: u16, initiator: Cookie, responder: Cookie, data: impl Into<Vec<u8>>) -> Self {
        let spi = [initiator.0, responder.0].concat();
        Self { protocol: protocol::ISAKMP, spi, kind, data: data.into() }
    }

    /// Reads the payload's body. The DOI is IPsec's or 0, that of ISAKMP itself: another one
    /// numbers its messages differently.
    ///
    /// # Errors
    /// The payload cannot be read, or is of another DOI.
    pub fn parse(body: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader::new("a notify payload", body);
        let doi = reader.u32()?;
        if doi > IPSEC_DOI {
            return Err(MessageError::Doi(doi));
        }
        let protocol = reader.u8()?;
        let spi_size = usize::from(reader.u8()?);
        let kind = reader.u16()?;
        let spi = reader.bytes(spi_size)?.to_vec();
        Ok(Self { protocol, spi, kind, data: reader.rest().to_vec() })
    }

    /// Writes the payload's body.
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![0, 0, 0, 1, self.protocol, u8::try_from(self.spi.len()).unwrap_or(u8::MAX)];
        out.extend(self.kind.to_be_bytes());
        out.extend(&self.spi);
        out.extend(&self.data);
        out
    }
}

/// A delete payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Protocol whose SAs end.
    pub protocol: u8,
    /// Their SPIs.
    pub spis: Vec<Vec<u8>>,
}

impl Delete {
    /// Reads the payload's body; the DOI is ignored, because Cisco's client sends 0.
    pub fn parse(body: &[u8]) -> Result<Self, Truncated> {
        let mut reader = Reader::new("a delete payload", body);
        let _doi = reader.u32()?;
        let protocol = reader.u8()?;
        let size = usize::from(reader.u8()?);
        let count = reader.u16()?;
        if size == 0 {
            return Err(Truncated("a delete payload"));
        }
        let mut spis = Vec::new();
        for _ in 0..count {
            spis.push(reader.bytes(size)?.to_vec());
        }
        Ok(Self { protocol, spis })
    }

    /// Writes the payload's body.
    pub fn write(&self) -> Vec<u8> {
        let size = self.spis.first().map_or(0, Vec::len);
        let mut out = vec![0, 0, 0, 1, self.protocol, u8::try_from(size).unwrap_or(u8::MAX)];
        out.extend(len16(self.spis.len()).to_be_bytes());
        for spi in &self.spis {
            out.extend(spi);
        }
        out
    }
}

/// A mode-config or XAUTH message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// REQUEST, REPLY, SET or ACK.
    pub kind: u8,
    /// Links an answer to its request.
    pub identifier: u16,
    /// Attributes.
    pub attributes: Vec<Attribute>,
}

impl Config {
    /// Reads the payload's body.
    pub fn parse(body: &[u8]) -> Result<Self, MessageError> {
        let mut reader = Reader::new("an attributes payload", body);
        let kind = reader.u8()?;
        let _reserved = reader.u8()?;
        let identifier = reader.u16()?;
        let attributes = attribute::parse(reader.rest())?;
        if attributes.len() > limits::CONFIG_ATTRIBUTES {
            return Err(MessageError::TooManyAttributes);
        }
        Ok(Self { kind, identifier, attributes })
    }

    /// Writes the payload's body.
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![self.kind, 0];
        out.extend(self.identifier.to_be_bytes());
        attribute::write(&self.attributes, &mut out);
        out
    }

    /// The first attribute of a type.
    pub fn get(&self, kind: u16) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.kind == kind)
    }
}
