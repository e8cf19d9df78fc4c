//! Slips in commands of a family that takes any words: in a file, what is not read there stops the
//! start; whoever types it is shown the word.

use super::position::without_negation;
use super::wrong::Wrong;
use crate::check::corrected;
use crate::command::table::{Lookup, lookup, lookup_named};
use crate::command::{In, REST, Row};
use crate::form::words;
use crate::parse::Trace;

/// Why a line is refused that is read as one of a family, and is none of its commands.
pub(super) fn slip(trace: &Trace, typed: &str) -> Option<Wrong> {
    let command = trace.command.as_ref().filter(|command| command.family && !command.negated)?;
    let (before, _) = without_negation(typed);
    let all = words(typed);
    let given = if before.is_empty() { &all[..] } else { all.get(1..)? };
    // what a route map may say besides is routing's, and only a slip is refused
    if command.mode == In::RouteMap && corrected(command.mode, given).is_none() {
        return None;
    }
    match lookup_named(command.mode, given, false) {
        Lookup::Incomplete { .. } => Some(Wrong::Incomplete),
        Lookup::Ambiguous(_) => Some(Wrong::Ambiguous),
        Lookup::Invalid { word, .. } => Some(given.get(word).map_or(Wrong::Incomplete, |word| {
            Wrong::Invalid(usize::try_from(word.column.saturating_sub(1)).unwrap_or(0))
        })),
        Lookup::Command(..) => None,
    }
}

/// Where a line has a slip that, with it undone, is a command of a mode, and that only a global
/// command takes which takes any words: `ip tcp adjus-mss 1360` of an interface is no `ip tcp`. The
/// offset of the word in the line.
pub(super) fn of_mode(mode: Option<In>, typed: &str) -> Option<usize> {
    let mode = mode.filter(|mode| *mode != In::Global)?;
    let (before, _) = without_negation(typed);
    let all = words(typed);
    let given = if before.is_empty() { &all[..] } else { all.get(1..)? };
    let takes_any = |row: &Row| !row.action.folds() && row.tail == REST;
    let Lookup::Invalid { word, .. } = lookup(mode, given, false) else { return None };
    match lookup(In::Global, given, false) {
        // its own words are no slip
        Lookup::Command(row, _) if takes_any(row) && row.words() <= word => {}
        _ => return None,
    }
    corrected(mode, given)?;
    usize::try_from(given.get(word)?.column.checked_sub(1)?).ok()
}
