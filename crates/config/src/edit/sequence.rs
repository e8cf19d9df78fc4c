//! Access lists that a typed line changes: a line taken away, a line with a number, a list taken
//! away, `resequence`.
//!
//! A list may stand in a document in several places and forms: lines of `access-list 101`, lines
//! under `ip access-list extended 101`, repeated lines, which do not count, lines that take others
//! away. Where a typed line does more than add a line at the end, the list is written anew, as it
//! is then: in one place, without what does not count. Its lines have numbers although a router of
//! IOS 12 or 15 prints none: they are those that lines without a number get. Where the numbers are
//! others, every line is written with its number, as newer releases print it.

use super::position::{Opener, chain, joined, without_negation};
use crate::command::Mode;
use crate::document::Class;
use crate::model::{Acl, AclEntry, AclKind, AclLine, Config};
use crate::parse::{Trace, read};
use crate::parsed::Numbers;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What IOS says where there is nothing to take away or to number.
const NO_ENTRY: &str = "Access-list entry does not exist";
const NO_LIST: &str = "Access list does not exist";

/// A line that is about an access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// The number or the name of the list.
    list: String,
    /// Whether it is one of IPv6, which have names of their own.
    ipv6: bool,
    says: Says,
    /// The line is a global one.
    global: bool,
    /// The line begins with `no` or `default`.
    negated: bool,
}

/// What a line says of its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    /// `ip access-list extended A`, `ipv6 access-list A`; with `no` the whole list.
    List,
    /// A line at the end; with `no` of a numbered list, the whole list.
    Line,
    /// `access-list 101 remark …`
    Remark,
    /// A line that begins with its number.
    Numbered,
    /// `ip access-list resequence A …`
    Resequence,
}

/// The list that a line is about, if it is about one. `line` is spelled out, `within` the line that
/// opened its mode.
pub(super) fn about(line: &str, within: Option<&Opener>) -> Option<About> {
    let (before, behind) = without_negation(line);
    let words: Vec<&str> = behind.split_whitespace().collect();
    let negated = !before.is_empty();
    if let Some(opener) = within {
        if !matches!(opener.mode, Mode::Acl(_) | Mode::StandardAcl(_) | Mode::Ipv6Acl(_)) {
            return None;
        }
        let numbered = words.first().is_some_and(|first| {
            first.starts_with(|first: char| first.is_ascii_digit()) || *first == "sequence"
        });
        let list = opener.line.split_whitespace().last()?.to_string();
        let ipv6 = matches!(opener.mode, Mode::Ipv6Acl(_));
        let says = if numbered { Says::Numbered } else { Says::Line };
        return Some(About { list, ipv6, says, global: false, negated });
    }
    let (list, ipv6, says) = match words.as_slice() {
        ["access-list", number, rest @ ..] if is_number(number) => {
            let says = if rest.first() == Some(&"remark") { Says::Remark } else { Says::Line };
            (*number, false, says)
        }
        ["ip", "access-list", "extended" | "standard", list] => (*list, false, Says::List),
        ["ip", "access-list", "resequence", list, ..] => (*list, false, Says::Resequence),
        ["ipv6", "access-list", list] => (*list, true, Says::List),
        _ => return None,
    };
    Some(About { list: list.to_string(), ipv6, says, global: true, negated })
}

fn is_number(word: &str) -> bool {
    word.parse().ok().and_then(AclKind::of_number).is_some()
}

impl About {
    /// The list in a configuration.
    fn list<'c>(&self, config: &'c Config) -> Option<&'c Acl> {
        let lists = if self.ipv6 { &config.ipv6_acls } else { &config.acls };
        lists.iter().find(|acl| acl.name == self.list)
    }

    fn is_of_the_same(&self, other: &Self) -> bool {
        self.list == other.list && self.ipv6 == other.ipv6
    }

    /// What IOS says to a line that changes nothing in `config`, if it refuses it. A line that is
    /// there already, or a list that is not there, is no mistake.
    pub(super) fn refused(&self, config: &Config) -> Option<&'static str> {
        match self.says {
            Says::Resequence if !self.negated && self.list(config).is_none() => Some(NO_LIST),
            Says::Line | Says::Numbered if self.negated && !self.global => Some(NO_ENTRY),
            Says::Remark if self.negated => Some(NO_ENTRY),
            _ => None,
        }
    }

    /// Whether the line may be written behind those of its list as it is: it is one more at the
    /// end, in the form that the list has. `after` has it.
    pub(super) fn adds(&self, traces: &[Trace], after: &Config) -> bool {
        let is_one_more = matches!(self.says, Says::Line | Says::Remark | Says::List) && !self.negated;
        let Some(list) = self.list(after).filter(|_| is_one_more) else { return false };
        let is_own = |trace: &&Trace| {
            let about = of_trace(trace, traces);
            about.is_some_and(|about| about.is_of_the_same(self) && !about.negated)
        };
        let own: Vec<&Trace> = traces.iter().filter(is_own).collect();
        let is_opened = own.iter().any(|trace| trace.opens.is_some());
        let has_global = own.iter().any(|trace| trace.under.is_none() && trace.opens.is_none());
        match self.says {
            Says::List => true,
            _ if self.global => !is_opened && has_usual_numbers(list),
            _ => is_opened && !has_global && has_usual_numbers(list),
        }
    }
}

/// The list that a line of a document is about, if the line counts as a command.
fn of_trace(trace: &Trace, traces: &[Trace]) -> Option<About> {
    trace.command.as_ref()?;
    about(trace.spelled.trim(), chain(traces, trace.under).last())
}

/// Whether the lines need no numbers in front.
fn has_usual_numbers(list: &Acl) -> bool {
    let mut remarks = list.entries.iter().filter(|entry| entry.is_remark());
    list.is_numbered_by_default() && remarks.all(|remark| remark.sequence.is_none())
}

/// The document with a list written anew: what it is in `after`. `typed` is the line that brought
/// a new entry, if one did. None if the document does not have the list.
pub(super) fn rewritten(old: &[&str], after: &Config, about: &About, typed: &str) -> Option<Vec<String>> {
    let (parsed, traces) = read(&joined(old, &[]), Numbers::Kept);
    let before = about.list(&parsed.config);
    let place = |entry: &AclEntry| usize::try_from(entry.line.checked_sub(1)?).ok();
    let entries: BTreeSet<usize> = before.iter().flat_map(|list| &list.entries).filter_map(place).collect();
    let is_command =
        |place: usize| parsed.document.lines.get(place).is_some_and(|line| line.class != Class::Unknown);
    let own = traces.iter().enumerate().filter(|(place, trace)| {
        is_command(*place) && of_trace(trace, &traces).is_some_and(|other| other.is_of_the_same(about))
    });
    let (openers, mut gone): (BTreeSet<usize>, BTreeSet<usize>) =
        own.map(|(place, _)| place).partition(|place| {
            traces.get(*place).is_some_and(|trace| trace.opens.is_some() && trace.under.is_none())
        });
    gone.extend(&entries);
    let under = |place: usize| traces.get(place).and_then(|trace| trace.under);
    let kept = |gone: &dyn Fn(usize) -> bool| -> Vec<String> {
        let kept = old.iter().enumerate().filter(|(place, _)| !gone(*place));
        kept.map(|(_, text)| (*text).to_string()).collect()
    };
    let Some(after) = about.list(after) else {
        let is_gone = |place: usize| {
            gone.contains(&place)
                || openers.contains(&place)
                || under(place).is_some_and(|opener| openers.contains(&opener))
        };
        return Some(kept(&is_gone));
    };
    let opener = openers.first().copied();
    let numbers = !has_usual_numbers(after);
    // lines of `access-list 101` cannot have numbers, and without a line there is none
    let is_global =
        opener.is_none() && !numbers && !after.entries.is_empty() && is_number(&after.name) && !about.ipv6;
    // what opened the list again, without a line that stays
    let stays = |place: usize| {
        let says = |trace: &Trace| !trace.spelled.trim().is_empty() && !trace.spelled.trim().starts_with('!');
        !gone.contains(&place) && traces.get(place).is_some_and(says)
    };
    let filled: BTreeSet<usize> = (0..old.len()).filter(|place| stays(*place)).filter_map(under).collect();
    let again: BTreeSet<usize> =
        openers.iter().skip(1).filter(|place| !filled.contains(place)).copied().collect();
    // where the list was
    let first = gone.iter().find(|place| opener.is_none() || under(**place) == opener).copied();
    let first = entries.iter().find(|place| opener.is_none() || under(**place) == opener).copied().or(first);
    let indentation = first.filter(|_| opener.is_some()).and_then(|place| {
        let text = *old.get(place)?;
        text.get(..text.len() - text.trim_start().len())
    });
    let mut lines: Vec<String> = Vec::new();
    if opener.is_none() && !is_global {
        lines.push(opening(after));
    }
    let mut left: BTreeMap<&AclLine, VecDeque<&AclEntry>> = BTreeMap::new();
    for entry in before.iter().flat_map(|list| &list.entries) {
        left.entry(&entry.what).or_default().push_back(entry);
    }
    for entry in &after.entries {
        let line = match left.get_mut(&entry.what).and_then(VecDeque::pop_front) {
            Some(found) => traces.get(place(found)?)?.spelled.trim(),
            None => typed.trim(),
        };
        let said = said(line, about, entry);
        lines.push(match (is_global, entry.sequence.filter(|_| numbers)) {
            (true, _) => format!("access-list {} {said}", after.name),
            (false, number) => {
                let word = if about.ipv6 { "sequence " } else { "" };
                let number = number.map(|number| format!("{word}{number} ")).unwrap_or_default();
                format!("{}{number}{said}", indentation.unwrap_or(" "))
            }
        });
    }
    let behind = if first.is_none() { Some(opener?) } else { None };
    let mut out = Vec::with_capacity(old.len());
    for (place, text) in old.iter().enumerate() {
        if first == Some(place) {
            out.append(&mut lines);
        }
        if !gone.contains(&place) && !again.contains(&place) {
            out.push((*text).to_string());
        }
        if behind == Some(place) {
            out.append(&mut lines);
        }
    }
    Some(out)
}

fn opening(acl: &Acl) -> String {
    let kind = match acl.kind {
        AclKind::Standard => "ip access-list standard",
        AclKind::Extended => "ip access-list extended",
        AclKind::Ipv6 => "ipv6 access-list",
    };
    format!("{kind} {}", acl.name)
}

/// A line without its number and its list: `permit …`.
fn said(line: &str, about: &About, entry: &AclEntry) -> String {
    let line = line.strip_prefix(&format!("access-list {} ", about.list)).unwrap_or(line);
    let line = if about.ipv6 { line.strip_prefix("sequence ").unwrap_or(line) } else { line };
    let line = line.trim_start_matches(|first: char| first.is_ascii_digit()).trim_start();
    if !about.ipv6 || entry.is_remark() {
        return line.to_string();
    }
    // in a line of IPv6 the number may be behind the addresses as well
    let mut words = line.split_whitespace();
    let mut out: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        if word == "sequence" {
            words.next();
        } else {
            out.push(word);
        }
    }
    out.join(" ")
}
