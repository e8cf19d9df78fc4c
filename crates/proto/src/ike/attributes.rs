//! Attributes of a transform: read strictly, because the answer repeats the chosen transform as it
//! was proposed, and whoever repeats an attribute agrees to it.

use crate::ike::lifetime::{Life, Lifetimes};
use crate::wire::attribute::{Attribute, Value};
use crate::wire::ike1::Transform;
use crate::wire::registry::{ike, ipsec};

/// Bytes of a number with a length of its own; the longest that a peer needs is a lifetime.
const NUMBER_BYTES: usize = 8;

/// What keeps a transform from being chosen although its algorithms may fit: one of its attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// Its value is no number, or one that is not defined.
    Value(u16),
    /// It is there with several values, and only one can be meant.
    Repeated(u16),
    /// It is not implemented.
    Unknown(u16),
}

impl Oddity {
    /// The attribute's number.
    pub const fn attribute(self) -> u16 {
        match self {
            Self::Value(kind) | Self::Repeated(kind) | Self::Unknown(kind) => kind,
        }
    }

    /// What is wrong with it, as the end of a sentence.
    pub const fn fault(self) -> &'static str {
        match self {
            Self::Value(_) => "has a value that is not defined",
            Self::Repeated(_) => "is given with several values",
            Self::Unknown(_) => "is not implemented",
        }
    }

    /// For people: `attribute 11 (extended sequence numbers), which is not implemented`.
    pub(crate) fn words(self, name: fn(u16) -> Option<&'static str>) -> String {
        let kind = self.attribute();
        let name = name(kind).map_or_else(String::new, |name| format!(" ({name})"));
        format!("attribute {kind}{name}, which {}", self.fault())
    }
}

/// The attribute numbers of a phase.
#[derive(Debug)]
pub(crate) struct Phase {
    known: &'static [u16],
    life_type: u16,
    life_duration: u16,
}

/// Phase 1 (RFC 2409 appendix A).
pub(crate) const PHASE1: Phase =
    Phase { known: &ike::KNOWN, life_type: ike::LIFE_TYPE, life_duration: ike::LIFE_DURATION };

/// Phase 2 (RFC 2407 section 4.5).
pub(crate) const PHASE2: Phase =
    Phase { known: &ipsec::KNOWN, life_type: ipsec::LIFE_TYPE, life_duration: ipsec::LIFE_DURATION };

/// The attributes of a transform, in whatever order they came.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    values: Vec<(u16, u64)>,
    /// What the transform says of lifetimes.
    pub(crate) lifetimes: Lifetimes,
    /// The first attribute for which the transform must not be chosen.
    pub(crate) oddity: Option<Oddity>,
}

impl Reading {
    pub(crate) fn of(phase: &Phase, attributes: &[Attribute]) -> Self {
        let mut out = Self::default();
        let mut life = Life::default();
        for attribute in attributes {
            let kind = attribute.kind;
            let number = number(attribute);
            let life_time = kind == phase.life_type || kind == phase.life_duration;
            let fault = match number {
                _ if !life_time && !phase.known.contains(&kind) => Some(Oddity::Unknown(kind)),
                None => Some(Oddity::Value(kind)),
                Some(value) if kind == phase.life_type => {
                    let unit = u16::try_from(value).is_ok_and(|unit| life.unit(unit));
                    (!unit).then_some(Oddity::Value(kind))
                }
                Some(value) if kind == phase.life_duration => {
                    life.duration(value);
                    None
                }
                Some(value) => match out.value(kind) {
                    Some(first) => (first != value).then_some(Oddity::Repeated(kind)),
                    None => {
                        out.values.push((kind, value));
                        None
                    }
                },
            };
            out.oddity = out.oddity.or(fault);
        }
        if life.is_ambiguous() {
            out.oddity = out.oddity.or(Some(Oddity::Repeated(phase.life_duration)));
        }
        out.lifetimes = life.read();
        out
    }

    /// The value of an attribute.
    pub(crate) fn value(&self, kind: u16) -> Option<u64> {
        self.values.iter().find(|(known, _)| *known == kind).map(|(_, value)| *value)
    }
}

/// An attribute's value. One in more bytes than a number needs would be repeated with all of them.
fn number(attribute: &Attribute) -> Option<u64> {
    match &attribute.value {
        Value::Long(bytes) if bytes.len() > NUMBER_BYTES => None,
        Value::Long(_) | Value::Short(_) => attribute.as_number(),
    }
}

impl Lifetimes {
    /// Those of a phase-2 transform.
    pub fn of(transform: &Transform) -> Self {
        Reading::of(&PHASE2, &transform.attributes).lifetimes
    }
}
