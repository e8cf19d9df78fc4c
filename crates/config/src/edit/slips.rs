//! Slips in commands of a family that takes any words: in a file, what is not read there stops the
//! start; whoever types it is shown the word.

use super::position::without_negation;
use super::wrong::Wrong;
use crate::check::corrected;
use crate::command::In;
use crate::command::table::{Lookup, lookup_named};
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
