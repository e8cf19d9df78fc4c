//! `route-map`, and what lines below it match and set.
//!
//! What routing protocols use of a route map is kept as it is written: address translation and
//! policy routing cannot decide by it, and do not pass what such an entry might concern.

use super::mode::{Fate, In, Mode};
use super::row::{Fold, Row, fate, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{RouteMap, RouteMapEntry, RouteMatch, RouteSet};

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "route-map <name>", "[= {permit|deny}] [<0-65535:sequence>]", route_map),
    fate(In::RouteMap, "description", Fate::NoOp),
    fold(In::RouteMap, "match ip address", "<access-list>...", match_address),
    fold(In::RouteMap, "match ip next-hop", "<access-list>...", match_next_hop),
    fold(In::RouteMap, "match length", "= <0-2147483647:shortest> <0-2147483647:longest>", match_length),
    fold(In::RouteMap, "match interface", "{<IF:interface> [<UNIT:unit>]}...", match_interface),
    fold(In::RouteMap, "match", "<LINE:rest>", match_other),
    fold(In::RouteMap, "set ip next-hop", "<A.B.C.D:hop>...", set_next_hop),
    fold(In::RouteMap, "set ip default next-hop", "<A.B.C.D:hop>...", set_default_next_hop),
    fold(In::RouteMap, "set interface", "{<IF:interface> [<UNIT:unit>]}...", set_interface),
    fold(In::RouteMap, "set default interface", "{<IF:interface> [<UNIT:unit>]}...", set_default_interface),
    fold(In::RouteMap, "set", "<LINE:rest>", set_other),
    fold(In::RouteMap, "continue", "[<LINE:rest>]", continues),
];

/// The number of the first entry of a map.
const FIRST: u16 = 10;

/// `route-map NAME [permit|deny] [SEQUENCE]`
fn route_map(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.string("name").unwrap_or_default();
    let sequence = given.number::<u16>("sequence");
    let known = fold.config.route_maps.place(&name);
    if fold.no {
        let Some(map) = known else { return Ok(()) };
        if !given.is_bare() {
            fold.config.route_entries.remove(&(map, sequence.unwrap_or(FIRST)));
        }
        if given.is_bare() || !fold.config.route_entries.has((map, 0)..=(map, u16::MAX)) {
            fold.config.route_maps.remove(&name);
        }
        return Ok(());
    }
    // without a number, the only entry there is
    let only = known.and_then(|map| {
        let mut all = fold.config.route_entries.keys((map, 0)..=(map, u16::MAX));
        all.next().map(|(_, sequence)| *sequence).filter(|_| all.next().is_none())
    });
    let sequence = sequence.or(only).unwrap_or(FIRST);
    let make = || RouteMap { name: name.clone(), entries: Vec::new() };
    let map = fold.config.route_maps.entry(name.clone(), make);
    let line = fold.line;
    let make = || RouteMapEntry { sequence, permit: true, matches: Vec::new(), sets: Vec::new(), line };
    let place = fold.config.route_entries.entry((map, sequence), make);
    if let Some(entry) = fold.config.route_entries.get_mut(place) {
        entry.permit = given.choose(&[("permit", true), ("deny", false)]).unwrap_or(entry.permit);
    }
    fold.mode = Mode::RouteMap(map, place);
    Ok(())
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut RouteMapEntry)) {
    if let Mode::RouteMap(_, place) = fold.mode
        && let Some(entry) = fold.config.route_entries.get_mut(place)
    {
        change(entry);
    }
}

/// Adds values to what an entry has of a kind, or takes them away; `no` without values takes all.
fn several<E, T: PartialEq>(
    all: &mut Vec<E>,
    no: bool,
    values: Vec<T>,
    of: impl Fn(&mut E) -> Option<&mut Vec<T>>,
    make: impl FnOnce(Vec<T>) -> E,
) {
    let Some(place) = all.iter_mut().position(|one| of(one).is_some()) else {
        if !no {
            all.push(make(values));
        }
        return;
    };
    let Some(known) = all.get_mut(place).and_then(of) else { return };
    if no {
        known.retain(|known| !values.is_empty() && !values.contains(known));
    } else {
        for value in values {
            if !known.contains(&value) {
                known.push(value);
            }
        }
    }
    if known.is_empty() {
        all.remove(place);
    }
}

/// [`several`] of the kind that has the name.
macro_rules! several {
    ($all:expr, $no:expr, $values:expr, $kind:path) => {
        several(
            $all,
            $no,
            $values,
            |one| match one {
                $kind(values) => Some(values),
                _ => None,
            },
            $kind,
        )
    };
}

/// Adds a line that is kept as it is written, or takes away those that begin like it.
fn written<E: PartialEq>(all: &mut Vec<E>, no: bool, text: &str, of: fn(&E) -> Option<&str>, one: E) {
    if no {
        let begins =
            |own: &str| own.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
        all.retain(|one| of(one).is_none_or(|own| !begins(own)));
    } else if !all.contains(&one) {
        all.push(one);
    }
}

// ---- match --------------------------------------------------------------------------------------

/// `match ip address LIST…`; `match ip address prefix-list LIST…` is a routing protocol's.
fn match_address(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let lists = given.strings("access-list");
    if let Some(rest) = prefix_lists(&lists) {
        return keep_match(fold, &format!("ip address {rest}"));
    }
    let no = fold.no;
    change(fold, |entry| {
        several!(&mut entry.matches, no, lists, RouteMatch::Address);
    });
    Ok(())
}

fn match_next_hop(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let lists = given.strings("access-list");
    if let Some(rest) = prefix_lists(&lists) {
        return keep_match(fold, &format!("ip next-hop {rest}"));
    }
    let no = fold.no;
    change(fold, |entry| {
        several!(&mut entry.matches, no, lists, RouteMatch::NextHop);
    });
    Ok(())
}

/// `prefix-list` and what follows it.
fn prefix_lists(words: &[String]) -> Option<String> {
    let is_it = |word: &&String| word.len() > 2 && "prefix-list".starts_with(&word.to_ascii_lowercase());
    words.first().filter(is_it)?;
    Some(
        std::iter::once("prefix-list")
            .chain(words.iter().skip(1).map(String::as_str))
            .collect::<Vec<_>>()
            .join(" "),
    )
}

/// `match length SHORTEST LONGEST`
fn match_length(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let lengths = given.number("shortest").zip(given.number("longest"));
    if lengths.is_some_and(|(shortest, longest): (u32, u32)| longest < shortest) {
        return Err(given.problem("longest", "the greatest length, not below the smallest"));
    }
    let lengths = fold.unless_no(lengths);
    change(fold, |entry| {
        entry.matches.retain(|one| !matches!(one, RouteMatch::Length(..)));
        entry.matches.extend(lengths.map(|(shortest, longest)| RouteMatch::Length(shortest, longest)));
    });
    Ok(())
}

fn match_interface(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |entry| {
        several!(&mut entry.matches, no, given.interfaces(), RouteMatch::Interface);
    });
    Ok(())
}

/// What is half of a command that is known is not another one.
fn other<'g>(given: &Given<'g>, known: &[&str]) -> Result<&'g str, Problem> {
    let text = given.text("rest").unwrap_or_default();
    let mut rest = known.iter().filter_map(|known| text.strip_prefix(known)).map(str::trim_start);
    if !rest.any(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit())) {
        return Ok(text);
    }
    // behind the verb and the words that are known
    let known = known.iter().filter(|known| text.starts_with(**known)).map(|known| known.split(' ').count());
    let place = known.max().unwrap_or_default() + 1;
    Err(given.problem_at(place, "another value, or more of the command,"))
}

fn match_other(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let text = other(given, &["ip address", "ip next-hop", "length", "interface"])?;
    keep_match(fold, text)
}

fn keep_match(fold: &mut Fold<'_>, text: &str) -> Result<(), Problem> {
    let no = fold.no;
    fn of(one: &RouteMatch) -> Option<&str> {
        match one {
            RouteMatch::Other(text) => Some(text),
            _ => None,
        }
    }
    change(fold, |entry| written(&mut entry.matches, no, text, of, RouteMatch::Other(text.to_string())));
    Ok(())
}

// ---- set ----------------------------------------------------------------------------------------

fn set_next_hop(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |entry| {
        several!(&mut entry.sets, no, given.addresses("hop").collect(), RouteSet::NextHop);
    });
    Ok(())
}

fn set_default_next_hop(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |entry| {
        several!(&mut entry.sets, no, given.addresses("hop").collect(), RouteSet::DefaultNextHop);
    });
    Ok(())
}

fn set_interface(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |entry| {
        several!(&mut entry.sets, no, given.interfaces(), RouteSet::Interface);
    });
    Ok(())
}

fn set_default_interface(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |entry| {
        several!(&mut entry.sets, no, given.interfaces(), RouteSet::DefaultInterface);
    });
    Ok(())
}

fn set_other(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let known = ["ip next-hop", "ip default next-hop", "interface", "default interface"];
    let text = other(given, &known)?;
    if text.split_whitespace().next() == Some("vrf") && !fold.no {
        fold.fate = Some(Fate::Unenforced("puts packets into a VRF"));
    }
    keep_set(fold, text);
    Ok(())
}

/// `continue [SEQUENCE]`
fn continues(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let text = format!("continue {}", given.text("rest").unwrap_or_default());
    keep_set(fold, text.trim_end());
    Ok(())
}

fn keep_set(fold: &mut Fold<'_>, text: &str) {
    let no = fold.no;
    fn of(one: &RouteSet) -> Option<&str> {
        match one {
            RouteSet::Other(text) => Some(text),
            _ => None,
        }
    }
    change(fold, |entry| written(&mut entry.sets, no, text, of, RouteSet::Other(text.to_string())));
}
