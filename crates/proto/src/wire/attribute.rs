//! Data attributes (RFC 2408 section 3.3): type and value in four bytes, or type, length and value.

use super::reader::{Reader, Truncated, len16};

/// One attribute. Its form on the wire is kept, because peers differ in which form they accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// Type without the format bit.
    pub kind: u16,
    /// Value.
    pub value: Value,
}

/// An attribute's value in its form on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// TV: two bytes.
    Short(u16),
    /// TLV.
    Long(Vec<u8>),
}

impl Attribute {
    /// A two-byte attribute.
    pub const fn short(kind: u16, value: u16) -> Self {
        Self { kind, value: Value::Short(value) }
    }

    /// An attribute with a length.
    pub fn long(kind: u16, value: impl Into<Vec<u8>>) -> Self {
        Self { kind, value: Value::Long(value.into()) }
    }

    /// A number in the shortest form that IOS uses: two bytes if it fits, else four.
    pub fn number(kind: u16, value: u32) -> Self {
        match u16::try_from(value) {
            Ok(value) => Self::short(kind, value),
            Err(_) => Self::long(kind, value.to_be_bytes()),
        }
    }

    /// The value as a number; values that need more than 64 bits are not numbers.
    pub fn as_number(&self) -> Option<u64> {
        match &self.value {
            Value::Short(value) => Some(u64::from(*value)),
            Value::Long(bytes) => {
                let significant = bytes.iter().skip_while(|byte| **byte == 0);
                if significant.clone().count() > 8 || bytes.is_empty() {
                    return None;
                }
                Some(significant.fold(0, |number, byte| number << 8 | u64::from(*byte)))
            }
        }
    }

    /// The value's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        match &self.value {
            Value::Short(value) => value.to_be_bytes().to_vec(),
            Value::Long(bytes) => bytes.clone(),
        }
    }
}

/// Reads attributes until the end of the body.
pub fn parse(body: &[u8]) -> Result<Vec<Attribute>, Truncated> {
    let mut reader = Reader::new("an attribute list", body);
    let mut attributes = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u16()?;
        let value = reader.u16()?;
        attributes.push(if kind & 0x8000 != 0 {
            Attribute::short(kind & 0x7fff, value)
        } else {
            Attribute::long(kind, reader.bytes(usize::from(value))?)
        });
    }
    Ok(attributes)
}

/// Writes attributes without padding: the payload's length is exactly theirs.
pub fn write(attributes: &[Attribute], out: &mut Vec<u8>) {
    for attribute in attributes {
        match &attribute.value {
            Value::Short(value) => {
                out.extend((attribute.kind | 0x8000).to_be_bytes());
                out.extend(value.to_be_bytes());
            }
            Value::Long(bytes) => {
                out.extend(attribute.kind.to_be_bytes());
                out.extend(len16(bytes.len()).to_be_bytes());
                out.extend(bytes);
            }
        }
    }
}
