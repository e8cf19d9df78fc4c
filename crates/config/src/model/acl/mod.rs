//! Access lists: every line whole, as plain data. What a use makes of a line is decided by the
//! views in [`crate::acl`].

mod group;
mod numbers;
mod rule;
mod time;

pub use group::*;
pub use numbers::*;
pub use rule::*;
pub use time::*;

/// The greatest sequence number that IOS takes.
pub(crate) const LAST_SEQUENCE: u32 = 2_147_483_647;

/// The first sequence number, and the distance from one to the next.
pub(crate) const STEP: u32 = 10;

/// An access list.
#[derive(Clone, Debug, PartialEq)]
pub struct Acl {
    /// Number or name.
    pub name: String,
    /// What its lines may say.
    pub kind: AclKind,
    /// Lines in the order in which they are tried.
    pub entries: Vec<AclEntry>,
    /// Line.
    pub line: u32,
}

/// The kinds of access lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclKind {
    /// Sources only.
    Standard,
    /// Protocols, both sides, ports.
    Extended,
    /// `ipv6 access-list`.
    Ipv6,
}

impl AclKind {
    /// The kind of a numbered list; `None` if lists of this number are of another protocol.
    pub fn of_number(number: u32) -> Option<Self> {
        match number {
            1..=99 | 1300..=1999 => Some(Self::Standard),
            100..=199 | 2000..=2699 => Some(Self::Extended),
            _ => None,
        }
    }
}

/// A line of an access list, in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct AclEntry {
    /// The sequence number. Remarks have none unless it is given, as on IOS; nor has a line that
    /// was not understood.
    pub sequence: Option<u32>,
    /// What the line says.
    pub what: AclLine,
    /// Line.
    pub line: u32,
}

/// What a line of an access list says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AclLine {
    /// `permit …` or `deny …`
    Rule(Box<AclRule>),
    /// `remark TEXT`
    Remark(String),
    /// `evaluate NAME`: the entries of a reflexive list.
    Evaluate(String),
    /// `dynamic …`: a template of lock-and-key; the words after `dynamic`.
    Dynamic(String),
    /// A line that was not understood. It may concern any packet.
    Unread {
        /// Whether it permits, as far as its verb can be read.
        permit: Option<bool>,
    },
}

impl AclEntry {
    /// Whether it is a remark.
    pub const fn is_remark(&self) -> bool {
        matches!(self.what, AclLine::Remark(_))
    }

    /// What the line permits or denies, if it is such a line.
    pub fn rule(&self) -> Option<&AclRule> {
        match &self.what {
            AclLine::Rule(rule) => Some(rule),
            _ => None,
        }
    }
}

impl Acl {
    /// Whether the numbers are those that lines without a number would get in this order.
    pub fn is_numbered_by_default(&self) -> bool {
        let lines = self.entries.iter().filter(|entry| !entry.is_remark());
        let numbers = lines.filter_map(|entry| entry.sequence);
        numbers.zip(1_u32..).all(|(number, place)| place.checked_mul(STEP) == Some(number))
    }
}
