//! Access lists that a typed line renumbers: a line with a number, `no` of a line, `resequence`.
//!
//! The lines of a list have numbers although a router of IOS 12 or 15 prints none: they are those
//! that lines without a number get. Where the numbers are others, the list is written as newer
//! releases print it: in order, each line with its number.

use super::position::{Opener, without_negation};
use crate::command::Mode;
use crate::model::{Acl, AclEntry, AclLine, Config};
use crate::parse::read;
use crate::parsed::Numbers;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The list that a typed line renumbers, if it may do so. `line` is spelled out, `within` the line
/// that opened its mode.
pub(super) fn renumbers(line: &str, within: Option<&Opener>) -> Option<String> {
    let (before, behind) = without_negation(line);
    if let Some(opener) = within {
        let is_list = matches!(opener.mode, Mode::Acl(_) | Mode::StandardAcl(_));
        let numbered = behind.starts_with(|first: char| first.is_ascii_digit());
        return opener
            .line
            .split_whitespace()
            .last()
            .filter(|_| is_list && (numbered || !before.is_empty()))
            .map(str::to_string);
    }
    behind.strip_prefix("ip access-list resequence ")?.split_whitespace().next().map(str::to_string)
}

/// The document with a list written anew: what it is in `after`. `typed` is the line that brought
/// a new entry, if one did.
pub(super) fn rewritten(old: &[&str], after: &Config, list: &str, typed: &str) -> Option<Vec<String>> {
    let text: String = old.iter().flat_map(|line| [*line, "\n"]).collect();
    let (parsed, traces) = read(&text, Numbers::Kept);
    let (before, after) = (parsed.config.acl(list)?, after.acl(list)?);
    let place = |entry: &AclEntry| usize::try_from(entry.line.checked_sub(1)?).ok();
    let known: BTreeSet<usize> = before.entries.iter().filter_map(place).collect();
    let opening = opening(after);
    // lines of `access-list 101` cannot have numbers, so these become a list with a name
    let header = known
        .iter()
        .any(|line| traces.get(*line).is_some_and(|trace| trace.under.is_none()))
        .then(|| opening.clone());
    // which may have been opened by name already, without a line there
    let others = traces.iter().enumerate().filter(|(place, _)| !known.contains(place));
    let filled: BTreeSet<usize> = others.filter_map(|(_, trace)| trace.under).collect();
    let is_bare = |line: usize| {
        let opens = traces.get(line).is_some_and(|trace| trace.spelled.trim() == opening);
        opens && !filled.contains(&line)
    };
    let bare: BTreeSet<usize> = (0..old.len()).filter(|line| header.is_some() && is_bare(*line)).collect();
    let mut left: BTreeMap<&AclLine, VecDeque<&AclEntry>> = BTreeMap::new();
    for entry in &before.entries {
        left.entry(&entry.what).or_default().push_back(entry);
    }
    let mut lines: Vec<String> = header.into_iter().collect();
    for entry in &after.entries {
        let text = match left.get_mut(&entry.what).and_then(VecDeque::pop_front) {
            Some(found) => said(traces.get(place(found)?)?.spelled.trim(), list),
            None => said(typed.trim(), list),
        };
        let number = entry.sequence.filter(|_| !after.is_numbered_by_default());
        let number = number.map(|number| format!("{number} ")).unwrap_or_default();
        lines.push(format!(" {number}{text}"));
    }
    // a list that is empty, or was, has no place of its own for its lines
    let first = *known.first()?;
    let mut out = Vec::with_capacity(old.len());
    for (place, text) in old.iter().enumerate() {
        if place == first {
            out.append(&mut lines);
        }
        if !known.contains(&place) && !bare.contains(&place) {
            out.push((*text).to_string());
        }
    }
    Some(out)
}

fn opening(acl: &Acl) -> String {
    let kind = if acl.kind == crate::model::AclKind::Standard { "standard" } else { "extended" };
    format!("ip access-list {kind} {}", acl.name)
}

/// A line without its number and its list: `permit …`.
fn said(line: &str, list: &str) -> String {
    let line = line.strip_prefix(&format!("access-list {list} ")).unwrap_or(line);
    line.trim_start_matches(|first: char| first.is_ascii_digit()).trim_start().to_string()
}
