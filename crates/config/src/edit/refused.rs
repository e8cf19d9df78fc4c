//! The lines after a refused line. A pasted text continues after one of its lines was refused, and
//! the lines under that line must not change whatever mode was open before it.

use super::position::{Opener, Position, Refused, chain, entry_lines, joined, without_negation};
use super::slips::of_mode;
use crate::command::In;
use crate::command::table::{Lookup, lookup};
use crate::document::Class;
use crate::form::words;
use crate::parse::{reach, read};
use crate::parsed::Numbers;
use crate::placing::indentation;
use crate::secret::public_part;

impl Position {
    /// Where the next line goes after `line` was refused here. A line that would have left the mode
    /// leaves it all the same.
    pub fn after_refused(&self, line: &str) -> Self {
        let command = line.lines().next().unwrap_or_default();
        let mut refused =
            Refused { line: shown(command), column: indentation(command), heads: true, opener: None };
        let not_removed = self.not_removed.clone();
        let Some(Place { under, opener, spelled }) = placed(&self.openers, command) else {
            // of no known meaning; if it is more of a global command than of one of this mode, it
            // was meant as that
            if self.is_more_global(command) {
                return Self { refused: Some(refused), not_removed, ..Self::default() };
            }
            return Self { refused: Some(refused), ..self.clone() };
        };
        // a wrong setting of this mode has no lines of its own
        refused.heads = opener.is_some() || under != self.openers;
        refused.opener = opener;
        let new = spelled.strip_prefix("no ").map(str::to_string);
        let new = new.filter(|new| !not_removed.contains(new));
        let not_removed = not_removed.into_iter().chain(new).collect();
        let range = if under == self.openers { self.range.clone() } else { Vec::new() };
        Self { openers: under, range, refused: Some(refused), not_removed }
    }

    /// Why a line is not to be entered here: it belongs to a line above that was refused.
    pub fn belongs_to_refused(&self, line: &str) -> Option<String> {
        let refused = self.refused.as_ref()?;
        let command = line.lines().next().unwrap_or_default();
        let is_deeper = refused.heads && indentation(command) > refused.column;
        let belongs = is_deeper
            || refused.opener.as_ref().is_some_and(|opener| {
                let mut within = self.openers.clone();
                within.push(opener.clone());
                placed(&within, command).is_none_or(|place| lines(&place.under).starts_with(&lines(&within)))
            });
        belongs.then(|| format!("`{}` belongs to the refused `{}`", shown(command), refused.line))
    }

    /// Why a line is not to be entered here: it builds anew what an earlier line was to remove, which
    /// was refused. Otherwise a pasted list would be added to the one that it was to replace.
    pub fn rebuilds_refused(&self, line: &str) -> Option<String> {
        if self.not_removed.is_empty() {
            return None;
        }
        let command = line.lines().next().unwrap_or_default();
        let place = placed(&self.openers, command)?;
        let is_builder = place.opener.is_some() || place.spelled.starts_with("access-list ");
        let is_same = |removes: &&String| {
            let rest = place.spelled.strip_prefix(removes.as_str()).filter(|_| is_builder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let removes = self.not_removed.iter().find(is_same)?;
        Some(format!(
            "`{}` would be added to what `no {removes}` did not remove; to do so, `end` and enter it again",
            shown(command)
        ))
    }

    /// What of [`Self::not_removed`] remains after a line was accepted here.
    pub(super) fn still_not_removed(&self, line: &str) -> Vec<String> {
        let mut left = self.not_removed.clone();
        if !left.is_empty()
            && let Some(place) = placed(&self.openers, line.lines().next().unwrap_or_default())
            && let Some(removed) = place.spelled.strip_prefix("no ")
        {
            left.retain(|one| one != removed);
        }
        left
    }

    fn is_more_global(&self, command: &str) -> bool {
        if of_mode(self.mode(), command).is_some() {
            return false;
        }
        let all = words(command);
        let negated = !without_negation(command).0.is_empty();
        let given = if negated { all.get(1..).unwrap_or_default() } else { &all[..] };
        let global = lookup(In::Global, given, negated);
        self.mode().is_none_or(|mode| {
            let here = lookup(mode, given, negated);
            // a wrong value of a command of this mode is no family of global ones that take any words
            let is_wrong =
                matches!(here, Lookup::Incomplete { named: true, .. } | Lookup::Invalid { named: true, .. });
            let is_family = matches!(global, Lookup::Command(row, _) if !row.action.folds());
            !(is_wrong && is_family) && reach(&global) > reach(&here)
        })
    }
}

fn lines(openers: &[Opener]) -> Vec<&str> {
    openers.iter().map(|opener| opener.line.as_str()).collect()
}

/// What may be repeated of a line.
fn shown(line: &str) -> String {
    let public = public_part(line).trim().chars();
    public.filter(|c| c.is_ascii_graphic() || *c == ' ').take(80).collect()
}

/// Where a line is entered.
struct Place {
    /// The modes around it.
    under: Vec<Opener>,
    /// The mode that it opens.
    opener: Option<Opener>,
    /// The line in full.
    spelled: String,
}

/// Where a line goes that is entered under these openers; `None` if it is not a command there.
fn placed(openers: &[Opener], command: &str) -> Option<Place> {
    let position = Position { openers: openers.to_vec(), ..Position::default() };
    let (mut text, entry) = entry_lines(&position, command);
    let place = text.len();
    text.push(entry);
    let text: Vec<&str> = text.iter().map(String::as_str).collect();
    let (parsed, traces) = read(&joined(&text, &[]), Numbers::Left);
    let class = parsed.document.lines.get(place).map(|line| line.class);
    let trace = traces.get(place).filter(|_| class != Some(Class::Unknown))?;
    if trace.under.is_none() && of_mode(position.mode(), command).is_some() {
        return None;
    }
    let spelled = trace.spelled.trim().to_string();
    let opener = trace.opens.map(|mode| Opener { line: spelled.clone(), mode });
    Some(Place { under: chain(&traces, trace.under), opener, spelled })
}
