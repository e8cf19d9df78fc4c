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
const STEP: u32 = 10;

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
#[derive(Clone, Debug, PartialEq)]
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

/// Why a line is not taken into a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Another line has the number: IOS's `% Duplicate sequence number`.
    Duplicate,
    /// IOS's `% Exceeded maximum sequence number`.
    Exceeded,
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
    /// The number that the next line without one gets.
    fn next_sequence(&self) -> Option<u32> {
        // the lines are in the order of their numbers
        let last = self.entries.iter().rev().find_map(|entry| entry.sequence).unwrap_or(0);
        last.checked_add(STEP).filter(|next| *next <= LAST_SEQUENCE)
    }

    /// Adds a line as IOS does: with a number in its place, without one at the end. A line that the
    /// list has already changes nothing, whatever its number. A remark has the number of the line
    /// that follows it.
    ///
    /// # Errors
    /// Another line has the number, or there is no greater one.
    pub fn add(&mut self, sequence: Option<u32>, what: AclLine, line: u32) -> Result<(), Refused> {
        let is_remark = matches!(what, AclLine::Remark(_));
        let numbered = |entry: &&AclEntry| sequence.is_some() && entry.sequence == sequence;
        let exclusive = |entry: &&AclEntry| numbered(entry) && !is_remark && !entry.is_remark();
        if self.entries.iter().any(|entry| numbered(&entry) && entry.what == what) {
            return Ok(());
        }
        if self.entries.iter().any(|entry| exclusive(&entry)) {
            return Err(Refused::Duplicate);
        }
        if !is_remark && self.entries.iter().any(|entry| entry.what == what) {
            return Ok(());
        }
        let Some(sequence) = sequence else {
            let sequence =
                if is_remark { None } else { Some(self.next_sequence().ok_or(Refused::Exceeded)?) };
            self.entries.push(AclEntry { sequence, what, line });
            return Ok(());
        };
        let is_behind = |own: u32| own > sequence || is_remark && own == sequence;
        let behind = self.entries.iter().position(|entry| entry.sequence.is_some_and(is_behind));
        let mut place = behind.unwrap_or(self.entries.len());
        // the remarks before a line stay with it
        let is_tied = |place: usize| {
            let before = place.checked_sub(1).and_then(|before| self.entries.get(before));
            before.is_some_and(|entry| entry.sequence.is_none())
        };
        while behind.is_some() && is_tied(place) {
            place -= 1;
        }
        self.entries.insert(place, AclEntry { sequence: Some(sequence), what, line });
        Ok(())
    }

    /// Takes away the line with a number: `no 10`.
    pub fn remove_numbered(&mut self, sequence: u32) {
        self.entries.retain(|entry| entry.sequence != Some(sequence));
    }

    /// Takes away the line that says this: `no permit …`.
    pub fn remove(&mut self, what: &AclLine) {
        self.entries.retain(|entry| entry.what != *what);
    }

    /// Numbers the lines anew: `ip access-list resequence`.
    ///
    /// # Errors
    /// The last number would be too great; the list does not change.
    pub fn resequence(&mut self, start: u32, step: u32) -> Result<(), Refused> {
        let numbered =
            self.entries.iter().filter(|entry| entry.sequence.is_some() && !entry.is_remark()).count();
        let steps = u32::try_from(numbered.saturating_sub(1)).map_err(|_| Refused::Exceeded)?;
        let last = step.checked_mul(steps).and_then(|all| all.checked_add(start));
        if last.is_none_or(|last| last > LAST_SEQUENCE) {
            return Err(Refused::Exceeded);
        }
        let mut next = start;
        for entry in self.entries.iter_mut().filter(|entry| entry.sequence.is_some()) {
            entry.sequence = Some(next);
            if !entry.is_remark() {
                next = next.saturating_add(step);
            }
        }
        Ok(())
    }

    /// Whether the numbers are those that lines without a number would get in this order.
    pub fn is_numbered_by_default(&self) -> bool {
        let lines = self.entries.iter().filter(|entry| !entry.is_remark());
        let numbers = lines.filter_map(|entry| entry.sequence);
        numbers.zip(1_u32..).all(|(number, place)| place.checked_mul(STEP) == Some(number))
    }
}
