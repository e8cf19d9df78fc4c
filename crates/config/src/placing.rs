//! Where a line belongs. As on IOS, the command decides: a line belongs to the innermost open mode
//! that has it, whether it is implemented here or not, and only a line that no open mode has is
//! tried globally. Indentation decides one case: a command that both the open mode and the global
//! mode have is global if it is flush left and the lines of this block are indented.

use crate::automaton::Matched;
use crate::command::says::{Place, Says};
use crate::command::submode::{Named, find};
use crate::command::table::{Lookup, lookup};
use crate::command::{Mode, Row, Sub};
use crate::form::Word;

/// A mode that is open.
pub(crate) struct Open {
    /// The line that opened it, counted from 0.
    pub(crate) line: usize,
    pub(crate) mode: Mode,
    /// How far that line is indented.
    pub(crate) column: usize,
    /// A line below is indented further.
    pub(crate) indented: bool,
    /// Other interfaces that its lines are of, by their indexes.
    pub(crate) also: Vec<usize>,
}

/// How a mode has a line.
pub(crate) enum Has {
    /// As a command of a table.
    Row(&'static Row, Matched),
    /// By name.
    Name(Says),
}

/// Where a line goes.
pub(crate) enum Placed {
    /// To the open mode at this depth; what is open within it ends.
    Within(usize, Has),
    /// To the global mode; every open mode ends.
    Global(Has),
    /// It is text of the innermost mode, whose commands are not all known.
    Stays,
    /// No open mode has it, nor has the global mode.
    Nowhere { inner: Option<Lookup>, outer: Lookup },
}

/// How far a line is indented, in columns; a tab advances to the next multiple of 8.
pub(crate) fn indentation(line: &str) -> usize {
    let mut column = 0;
    for character in line.chars().take_while(|character| character.is_whitespace()) {
        column = if character == '\t' { (column / 8 + 1) * 8 } else { column + 1 };
    }
    column
}

/// A line in a mode, and how surely it is there.
struct Candidate {
    has: Has,
    exact: bool,
}

/// Looks a line up in a mode. An error is what the mode's table says of it.
fn look(mode: Mode, given: &[Word<'_>], negated: bool) -> Result<Candidate, Option<Lookup>> {
    let mut named = mode.place().and_then(|place| find(place, given));
    // two words that are abbreviated may be something else: `vrf def`
    if let Some(found) = named.take_if(|named| named.says == Says::Elsewhere)
        && (found.exact || found.words > 2)
    {
        return Err(None);
    }
    // so many global names exist that any word begins like one of them; abbreviated ones have a row
    // of their own
    let named = named.filter(|named| named.exact || mode != Mode::Global);
    let by_name = |named: Named| Candidate { has: Has::Name(named.says), exact: named.exact };
    match (mode.kind().map(|kind| lookup(kind, given, negated)), named) {
        (Some(Lookup::Command(row, matched)), named) => match named {
            Some(named) if named.exact && !matched.spelled_out => Ok(by_name(named)),
            _ => Ok(Candidate { exact: matched.spelled_out, has: Has::Row(row, matched) }),
        },
        // a wrong `ip address` is not an `ip address-pool`
        (
            Some(wrong @ (Lookup::Incomplete { named: true, .. } | Lookup::Invalid { named: true, .. })),
            Some(named),
        ) if !named.exact => Err(Some(wrong)),
        (_, Some(named)) => Ok(by_name(named)),
        (other, None) => Err(other),
    }
}

/// The submode of a line that a row says to open one; `None` if this line of the row's family opens
/// none.
pub(crate) fn opened(mode: Mode, given: &[Word<'_>]) -> Option<Sub> {
    match mode.place().and_then(|place| find(place, given)).map(|named| named.says) {
        Some(Says::Opens(_, sub) | Says::Nests(sub)) => Some(sub),
        Some(Says::Is(_)) => None,
        Some(Says::Shares | Says::Elsewhere) | None => Some(Sub::Anything),
    }
}

/// Whether the global mode has a line.
pub(crate) fn is_global(given: &[Word<'_>], negated: bool) -> bool {
    look(Mode::Global, given, negated).is_ok()
}

/// Whether a mode has a line, spelled out or abbreviated.
pub(crate) fn knows(mode: Mode, given: &[Word<'_>]) -> bool {
    look(mode, given, false).is_ok()
}

/// Places a line that is indented by `column`, and that has lines under it if it `heads` some. Ends
/// modes whose lines it cannot be among.
pub(crate) fn place(
    open: &mut Vec<Open>,
    given: &[Word<'_>],
    negated: bool,
    column: usize,
    heads: bool,
) -> Placed {
    // the commands of an unknown mode are not known; only indentation shows that a line does not
    // belong to it
    while open.pop_if(|open| open.mode == Mode::Unknown && column <= open.column).is_some() {}
    let unknown = |open: &Open| matches!(open.mode, Mode::Unknown | Mode::Opaque(_, Sub::Anything));
    if let Some(around) = open.last().filter(|open| unknown(open) && column > open.column) {
        // a whole configuration may be indented after a line of prose
        let global = if heads && around.mode == Mode::Unknown {
            look(Mode::Global, given, negated)
        } else {
            Err(None)
        };
        return match global {
            Ok(Candidate { has: has @ Has::Row(row, _), exact: true }) if row.action.folds() => {
                Placed::Global(has)
            }
            _ => Placed::Stays,
        };
    }
    let base = open.first();
    let flush_left = base.is_some_and(|base| base.indented && column <= base.column);
    let looked: Vec<_> = open.iter().map(|open| look(open.mode, given, negated)).collect();
    let global = look(Mode::Global, given, negated);
    // a wrong line of the innermost mode is not a global command that merely begins like it
    let wrong = |found: &Result<Candidate, Option<Lookup>>| match found {
        Err(Some(Lookup::Incomplete { named, .. } | Lookup::Invalid { named, .. })) => *named,
        _ => false,
    };
    let is_whole = |found: &Candidate| match &found.has {
        Has::Row(row, _) => row.action.folds(),
        Has::Name(_) => false,
    };
    let global = match global {
        Ok(found) if !is_whole(&found) && looked.last().is_some_and(wrong) => Err(None),
        global => global,
    };
    let exact = |found: &Result<Candidate, Option<Lookup>>| found.as_ref().is_ok_and(|found| found.exact);
    let any = |found: &Result<Candidate, Option<Lookup>>| found.is_ok();
    // spelled out, the innermost mode that has it; else abbreviated, unless it is a global command
    // spelled out, and not merely a family of them that takes any words: `ip nat out`, `ip tcp adj 1360`
    let folds = |found: &Result<Candidate, Option<Lookup>>| found.as_ref().is_ok_and(is_whole);
    let within = looked.iter().rposition(exact);
    let within = within.or_else(|| {
        let depth = looked.iter().rposition(any)?;
        let is_meant = looked.get(depth).is_some_and(folds) && !folds(&global);
        (is_meant || !exact(&global)).then_some(depth)
    });
    // a line that opens a mode of the same kind is next to it, not in it
    let beside = |depth: &usize| {
        let opens = |depth: usize| match looked.get(depth) {
            Some(Ok(Candidate { has: Has::Name(Says::Nests(sub)), .. })) => Some(*sub),
            _ => None,
        };
        let outer = depth.checked_sub(1).filter(|outer| opens(*outer).is_some())?;
        let around = open.get(*depth).and_then(|open| open.mode.place());
        opens(*depth).is_some_and(|sub| around == Some(Place::Sub(sub))).then_some(outer)
    };
    let within = within.and_then(|depth| std::iter::successors(Some(depth), beside).last());
    let both = within.is_some() && any(&global);
    let stays = open.last().is_some_and(|open| matches!(open.mode, Mode::Opaque(..)) && column > open.column);
    let mut looked = looked;
    let found = within.filter(|_| !(both && flush_left)).map(|depth| (depth, looked.swap_remove(depth)));
    match (found, global) {
        (Some((depth, Ok(found))), _) => Placed::Within(depth, found.has),
        (_, Ok(found)) => Placed::Global(found.has),
        _ if stays => Placed::Stays,
        (_, Err(outer)) => Placed::Nowhere {
            inner: looked.pop().and_then(Result::err).flatten(),
            outer: outer.unwrap_or(Lookup::Incomplete { named: false, expected: String::new() }),
        },
    }
}

impl Mode {
    /// Where the mode's names are; an unknown mode has none.
    pub(crate) fn place(self) -> Option<Place> {
        match self {
            Self::Opaque(_, sub) => Some(Place::Sub(sub)),
            mode => mode.kind().map(Place::Of),
        }
    }
}
