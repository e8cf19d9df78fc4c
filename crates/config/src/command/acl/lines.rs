//! The lines of an access list while it is read, in the order in which they are tried.

use crate::model::{AclEntry, AclLine, LAST_SEQUENCE, STEP};
use std::collections::{BTreeMap, BTreeSet};

/// Why a line is not taken into a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another line has the number: IOS's `% Duplicate sequence number`.
    Duplicate,
    /// IOS's `% Exceeded maximum sequence number`.
    Exceeded,
}

/// Where a line is: by a number, remarks before the line that has it, and then in the order in
/// which they came. A remark without a number has that of the line that follows it, or comes after
/// all lines.
type Place = (u32, bool, usize);

/// The number of remarks that no line follows.
const BEHIND: u32 = u32::MAX;

/// The lines of a list. Whatever is asked of them is looked up, however many there are.
#[derive(Default)]
pub(crate) struct Lines {
    all: BTreeMap<Place, AclEntry>,
    /// Where each text is: of lines once, of remarks as often as it was given.
    said: BTreeMap<AclLine, BTreeSet<Place>>,
    /// The numbers that are given, each with how many entries have it.
    numbers: BTreeMap<u32, usize>,
    /// How many came.
    came: usize,
}

impl Lines {
    /// Adds a line as IOS does: with a number in its place, without one at the end. A line that the
    /// list has already changes nothing, whatever its number. A remark has the number of the line
    /// that follows it.
    pub(crate) fn add(&mut self, sequence: Option<u32>, what: AclLine, line: u32) -> Result<(), Refused> {
        let is_line = !matches!(what, AclLine::Remark(_));
        let same = self.said.get(&what);
        if let Some(sequence) = sequence {
            let mut at = same.into_iter().flat_map(|same| same.range(of(sequence, is_line)));
            let numbered = |place: &Place| self.all.get(place).is_some_and(|one| one.sequence.is_some());
            if at.any(numbered) {
                return Ok(());
            }
            if is_line && self.all.range(of(sequence, true)).next().is_some() {
                return Err(Refused::Duplicate);
            }
        }
        if is_line && same.is_some_and(|same| !same.is_empty()) {
            return Ok(());
        }
        let sequence = match sequence {
            None if is_line => Some(self.next_sequence().ok_or(Refused::Exceeded)?),
            sequence => sequence,
        };
        if let Some(sequence) = sequence {
            // what comes after all others takes the remarks before it along
            let is_last = self.numbers.range(sequence.saturating_add(1)..).next().is_none();
            let is_before_its_line = !is_line && self.all.range(of(sequence, true)).next().is_some();
            if is_last && !is_before_its_line {
                self.take_along(sequence);
            }
            *self.numbers.entry(sequence).or_default() += 1;
        }
        self.came += 1;
        let place = (sequence.unwrap_or(BEHIND), is_line, self.came);
        self.said.entry(what.clone()).or_default().insert(place);
        self.all.insert(place, AclEntry { sequence, what, line });
        Ok(())
    }

    /// The number that the next line without one gets.
    fn next_sequence(&self) -> Option<u32> {
        let last = self.numbers.last_key_value().map_or(0, |(number, _)| *number);
        last.checked_add(STEP).filter(|next| *next <= LAST_SEQUENCE)
    }

    /// Gives the remarks behind all lines the number of the line that follows them now.
    fn take_along(&mut self, sequence: u32) {
        for (place, entry) in self.all.split_off(&(sequence, true, usize::MAX)) {
            let moved = (sequence, place.1, place.2);
            if let Some(same) = self.said.get_mut(&entry.what) {
                same.remove(&place);
                same.insert(moved);
            }
            self.all.insert(moved, entry);
        }
    }

    /// Takes away the line with a number, and its remarks that have the number: `no 10`.
    pub(crate) fn remove_numbered(&mut self, sequence: u32) {
        let numbered = self.all.range((sequence, false, 0)..=(sequence, true, usize::MAX));
        let gone: Vec<Place> =
            numbered.filter(|(_, entry)| entry.sequence.is_some()).map(|(place, _)| *place).collect();
        for place in gone {
            if let Some(entry) = self.forget(place)
                && let Some(same) = self.said.get_mut(&entry.what)
            {
                same.remove(&place);
            }
        }
    }

    /// Takes away the line that says this: `no permit …`.
    pub(crate) fn remove(&mut self, what: &AclLine) {
        for place in self.said.remove(what).into_iter().flatten() {
            self.forget(place);
        }
    }

    fn forget(&mut self, place: Place) -> Option<AclEntry> {
        let entry = self.all.remove(&place)?;
        if let Some(number) = entry.sequence
            && let Some(count) = self.numbers.get_mut(&number)
        {
            *count -= 1;
            if *count == 0 {
                self.numbers.remove(&number);
            }
        }
        Some(entry)
    }

    /// Numbers the lines anew: `ip access-list resequence`.
    ///
    /// # Errors
    /// The last number would be too great; the list does not change.
    pub(crate) fn resequence(&mut self, start: u32, step: u32) -> Result<(), Refused> {
        let lines = self.all.values().filter(|entry| !entry.is_remark()).count();
        let steps = u32::try_from(lines.saturating_sub(1)).map_err(|_| Refused::Exceeded)?;
        let last = step.checked_mul(steps).and_then(|all| all.checked_add(start));
        if last.is_none_or(|last| last > LAST_SEQUENCE) {
            return Err(Refused::Exceeded);
        }
        let mut next = start;
        self.said.clear();
        self.numbers.clear();
        for ((number, is_line, came), mut entry) in std::mem::take(&mut self.all) {
            let is_behind = number == BEHIND;
            if entry.sequence.is_some() {
                entry.sequence = Some(next);
                *self.numbers.entry(next).or_default() += 1;
            }
            let place = (if is_behind { BEHIND } else { next }, is_line, came);
            self.said.entry(entry.what.clone()).or_default().insert(place);
            self.all.insert(place, entry);
            if is_line {
                next = next.saturating_add(step);
            }
        }
        Ok(())
    }

    /// Whether there is no line, nor a remark.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The lines in order.
    pub(crate) fn finish(self) -> Vec<AclEntry> {
        self.all.into_values().collect()
    }
}

/// Every place with a number, of lines or of remarks.
fn of(sequence: u32, is_line: bool) -> std::ops::RangeInclusive<Place> {
    (sequence, is_line, 0)..=(sequence, is_line, usize::MAX)
}
