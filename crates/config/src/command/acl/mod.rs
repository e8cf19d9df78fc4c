//! `access-list`, `ip access-list`, `ipv6 access-list`, and what their lines name.

mod group;
pub(super) mod lines;
mod rule;
mod time;

use crate::command::mode::{Fate, In, Mode};
use crate::command::row::{Fold, Row, fate, fold, opens};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{Acl, AclKind, AclLine};
use lines::Refused;

pub(super) use group::ROWS as GROUP_ROWS;
pub(super) use time::{ROWS as TIME_ROWS, index as calendar_name, minutes as clock_minutes};

const EXTENDED_NUMBERED: &str =
    concat!("{{permit|deny} ", rule::extended!(), "|remark <LINE:text>|dynamic <LINE:rest>}");
const EXTENDED_SEQUENCED: &str =
    concat!("{{permit|deny} ", rule::extended!(), "|remark <LINE:text>|evaluate <name>|dynamic <LINE:rest>}");
const STANDARD_NUMBERED: &str = concat!("{{permit|deny} ", rule::standard!(), "|remark <LINE:text>}");
const IPV6_SEQUENCED: &str =
    concat!("{{permit|deny} ", rule::ipv6!(), "|remark <LINE:text>|evaluate <name>}");
const SEQUENCE: &str = "<1-2147483647:sequence>";

const LOGGED: Fate = Fate::Inert("concerns the logging of lists");

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "access-list <1-99:number>", STANDARD_NUMBERED, standard_numbered),
    fold(In::Global, "access-list <1300-1999:number>", STANDARD_NUMBERED, standard_numbered),
    fold(In::Global, "access-list <100-199:number>", EXTENDED_NUMBERED, extended_numbered),
    fold(In::Global, "access-list <2000-2699:number>", EXTENDED_NUMBERED, extended_numbered),
    fate(
        In::Global,
        "access-list <200-1299:number>",
        Fate::Inert("the list is of a protocol that does not exist here"),
    ),
    fate(
        In::Global,
        "access-list <2700-2799:number>",
        Fate::Inert("the list is of a protocol that does not exist here"),
    ),
    fold(In::Global, "ip access-list extended <name>", "", extended),
    fold(In::Global, "ip access-list standard <name>", "", standard),
    fold(
        In::Global,
        "ip access-list resequence <name>",
        "<1-2147483647:start> <1-2147483647:step>",
        resequence,
    ),
    fate(In::Global, "ip access-list log-update", LOGGED),
    fate(In::Global, "ip access-list logging", LOGGED),
    fate(In::Global, "ip access-list hardware", Fate::Inert("no hardware filters packets")),
    fate(In::Global, "ip access-list helper", LOGGED),
    fate(In::Global, "ip access-list match-local-traffic", LOGGED),
    fate(In::Global, "ip access-list persistent", Fate::Inert("numbers of lines are always kept")),
    opens(In::Global, "ip access-list role-based", Fate::Inert("packets have no security group here")),
    fold(In::Global, "ipv6 access-list <name>", "", ipv6),
    fate(In::Global, "ipv6 access-list log-update", LOGGED),
    fold(In::Acl, "permit", rule::extended!(), permit),
    fold(In::Acl, "deny", rule::extended!(), deny),
    fold(In::Acl, "remark", "<LINE:text>", remark),
    fold(In::Acl, "evaluate <name>", "", evaluate),
    fold(In::Acl, "dynamic", "<LINE:rest>", dynamic),
    fold(In::Acl, SEQUENCE, EXTENDED_SEQUENCED, sequenced),
    fold(In::StandardAcl, "permit", rule::standard!(), permit),
    fold(In::StandardAcl, "deny", rule::standard!(), deny),
    fold(In::StandardAcl, "remark", "<LINE:text>", remark),
    fold(In::StandardAcl, SEQUENCE, STANDARD_NUMBERED, sequenced),
    fold(In::Ipv6Acl, "permit", rule::ipv6!(), permit),
    fold(In::Ipv6Acl, "deny", rule::ipv6!(), deny),
    fold(In::Ipv6Acl, "remark", "<LINE:text>", remark),
    fold(In::Ipv6Acl, "evaluate <name>", "", evaluate),
    fold(In::Ipv6Acl, SEQUENCE, IPV6_SEQUENCED, sequenced),
    fold(In::Ipv6Acl, "sequence <1-2147483647:sequence>", IPV6_SEQUENCED, sequenced),
];

/// What is told of dynamic lists.
const DYNAMIC: Fate = Fate::Unenforced("lock-and-key lists are not implemented");

// ---- lists --------------------------------------------------------------------------------------

/// The list of a name, made if there is none.
fn list(fold: &mut Fold<'_>, given: &Given<'_>, name: &str, kind: AclKind) -> Result<usize, Problem> {
    let line = fold.line;
    let all = fold.config.lists(kind);
    let make = || Acl { name: name.to_string(), kind, entries: Vec::new(), line };
    let place = all.entry(name.to_string(), make);
    match all.get(place) {
        Some(known) if known.kind != kind => {
            Err(given.problem("name", "the name of no list of the other kind"))
        }
        _ => Ok(place),
    }
}

fn extended(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let place = named(fold, given, AclKind::Extended)?;
    fold.mode = place.map_or(fold.mode, Mode::Acl);
    Ok(())
}

fn standard(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let place = named(fold, given, AclKind::Standard)?;
    fold.mode = place.map_or(fold.mode, Mode::StandardAcl);
    Ok(())
}

fn ipv6(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let place = named(fold, given, AclKind::Ipv6)?;
    fold.mode = place.map_or(fold.mode, Mode::Ipv6Acl);
    fold.fate = place.map(|_| Fate::Unsupported("IPv6 is not configured"));
    Ok(())
}

/// `ip access-list {standard|extended} NAME`; a number must be one of such lists.
fn named(fold: &mut Fold<'_>, given: &Given<'_>, kind: AclKind) -> Result<Option<usize>, Problem> {
    let name = given.word("name").unwrap_or_default();
    if fold.no {
        let lists = fold.config.lists(kind);
        let own = lists.place(name).and_then(|place| lists.get(place));
        if own.is_some_and(|acl| acl.kind == kind) {
            lists.remove(name);
        }
        return Ok(None);
    }
    if let Ok(number) = name.parse::<u32>()
        && kind != AclKind::Ipv6
        && AclKind::of_number(number) != Some(kind)
    {
        return Err(given.problem("name", "a name or the number of such a list"));
    }
    list(fold, given, name, kind).map(Some)
}

fn resequence(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.word("name").unwrap_or_default();
    let (Some(start), Some(step)) = (given.number("start"), given.number("step")) else { return Ok(()) };
    let Some(place) = fold.config.acls.place(name).filter(|_| !fold.no) else { return Ok(()) };
    let lines = fold.config.lines_of(AclKind::Extended, place);
    lines.resequence(start, step).map_err(|_| given.problem("step", "a step that leaves room for every line"))
}

// ---- lines --------------------------------------------------------------------------------------

fn standard_numbered(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    numbered(fold, given, AclKind::Standard)
}

fn extended_numbered(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    numbered(fold, given, AclKind::Extended)
}

/// `access-list N …`; `no` takes the whole list away, whatever follows. Only a remark goes alone,
/// and the list with its last one.
fn numbered(fold: &mut Fold<'_>, given: &Given<'_>, kind: AclKind) -> Result<(), Problem> {
    let name = given.word("number").unwrap_or_default();
    if fold.no {
        if given.has("remark") {
            let Some(place) = fold.config.acls.place(name) else { return Ok(()) };
            let lines = fold.config.lines_of(kind, place);
            lines.remove(&rule::line(given, kind)?);
            if !lines.is_empty() {
                return Ok(());
            }
        }
        fold.config.acls.remove(name);
        return Ok(());
    }
    let what = rule::line(given, kind)?;
    let place = list(fold, given, name, kind)?;
    put(fold, given, place, kind, None, what)
}

/// The list whose mode this is.
fn here(fold: &Fold<'_>) -> Option<(usize, AclKind)> {
    match fold.mode {
        Mode::Acl(place) => Some((place, AclKind::Extended)),
        Mode::StandardAcl(place) => Some((place, AclKind::Standard)),
        Mode::Ipv6Acl(place) => Some((place, AclKind::Ipv6)),
        _ => None,
    }
}

fn permit(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    ruled(fold, given, true)
}

fn deny(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    ruled(fold, given, false)
}

fn ruled(fold: &mut Fold<'_>, given: &Given<'_>, permit: bool) -> Result<(), Problem> {
    let Some((place, kind)) = here(fold) else { return Ok(()) };
    // `no deny tcp any any eq` must not take away `deny tcp any any`
    if !given.is_whole() {
        return Err(given.missing("the rest of the line"));
    }
    let what = rule::rule(given, kind, permit)?;
    put(fold, given, place, kind, given.number("sequence"), what)
}

fn remark(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let what = AclLine::Remark(given.text("text").unwrap_or_default().to_string());
    let Some((place, kind)) = here(fold) else { return Ok(()) };
    put(fold, given, place, kind, None, what)
}

fn evaluate(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let what = AclLine::Evaluate(given.word("name").unwrap_or_default().to_string());
    let Some((place, kind)) = here(fold) else { return Ok(()) };
    put(fold, given, place, kind, None, what)
}

fn dynamic(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let what = AclLine::Dynamic(given.text("rest").unwrap_or_default().to_string());
    let Some((place, kind)) = here(fold) else { return Ok(()) };
    put(fold, given, place, kind, None, what)
}

/// A line that begins with its number. `no 10` needs no more.
fn sequenced(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let Some((place, kind)) = here(fold) else { return Ok(()) };
    let sequence = given.number("sequence");
    if fold.no {
        if let Some(sequence) = sequence {
            fold.config.lines_of(kind, place).remove_numbered(sequence);
        }
        return Ok(());
    }
    let what = rule::line(given, kind)?;
    put(fold, given, place, kind, sequence, what)
}

/// What is expected instead of a number that another line has, or of one that is too great.
const DUPLICATE: &str = "a sequence number that no other line has";
const EXCEEDED: &str = "a smaller sequence number";

/// What IOS says of a line that is refused for this: it does not mark a word of it.
pub(crate) fn said_by_ios(expected: &str) -> Option<&'static str> {
    match expected {
        DUPLICATE => Some("Duplicate sequence number"),
        EXCEEDED => Some("Exceeded maximum sequence number"),
        _ => None,
    }
}

/// Puts a line into its list, or takes it away.
fn put(
    fold: &mut Fold<'_>,
    given: &Given<'_>,
    place: usize,
    kind: AclKind,
    sequence: Option<u32>,
    what: AclLine,
) -> Result<(), Problem> {
    let (no, line) = (fold.no, fold.line);
    let fate = match &what {
        // the lines of what is not used say nothing of themselves
        _ if kind == AclKind::Ipv6 => Some(Fate::NoOp),
        AclLine::Remark(_) => Some(Fate::NoOp),
        AclLine::Dynamic(_) => Some(DYNAMIC),
        AclLine::Evaluate(_) | AclLine::Rule(_) | AclLine::Unread { .. } => None,
    };
    let lines = fold.config.lines_of(kind, place);
    if no {
        lines.remove(&what);
        return Ok(());
    }
    let refused = |why| match why {
        Refused::Duplicate => given.problem("sequence", DUPLICATE),
        Refused::Exceeded => given.problem("sequence", EXCEEDED),
    };
    lines.add(sequence, what, line).map_err(refused)?;
    fold.fate = fate;
    Ok(())
}

#[cfg(test)]
mod tests;
