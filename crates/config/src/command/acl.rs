//! `access-list` and `ip access-list`.

use super::{Fate, Fold, In, Mode, Row, by_cursor, entry, fate};
use crate::form::{Cursor, Problem};
use crate::model::{Acl, AclEntry, Wildcard};
use std::net::Ipv4Addr;

/// What follows `permit` or `deny`: of an extended list, or of a standard one.
macro_rules! entry_form {
    () => {
        "{{ip|icmp|igmp|ipinip|tcp|udp|gre|esp|ahp|eigrp|ospf|nos|pim|pcp|sctp|object-group <service>|<0-255:protocol>} \
         {any|host <A.B.C.D:source>|object-group <source>|<A.B.C.D:source> <A.B.C.D:wildcard>} \
         [eq <port>...|{gt|lt|neq} <port>|range <port> <port>] \
         {any|host <A.B.C.D:destination>|object-group <destination>|<A.B.C.D:destination> <A.B.C.D:wildcard>} \
         [eq <port>...|{gt|lt|neq} <port>|range <port> <port>] [log|log-input|fragments|established|<option>]...\
         |{any|host <A.B.C.D:source>|<A.B.C.D:source> [<A.B.C.D:wildcard>]} [log]}"
    };
}

const ENTRY: &str = entry_form!();
const NUMBERED: &str = concat!("{permit|deny} ", entry_form!(), "|remark [<LINE:text>]|dynamic <LINE:rest>");

pub(super) const ROWS: &[Row] = &[
    by_cursor(In::Global, "access-list <1-2699:number>", NUMBERED, numbered),
    by_cursor(In::Global, "access-list <200-1299:number>", "<LINE:rest>", numbered),
    by_cursor(In::Global, "ip access-list extended <name>", "", extended),
    by_cursor(In::Global, "ip access-list standard <name>", "", standard),
    fate(In::Global, "ip access-list", Fate::Inert("concerns the numbering or logging of lists")),
    by_cursor(In::Acl, "permit", ENTRY, permit),
    by_cursor(In::Acl, "deny", ENTRY, deny),
    fate(In::Acl, "remark", Fate::NoOp),
    fate(In::Acl, "evaluate", Fate::Unsupported("reflexive lists are not implemented")),
    by_cursor(In::Acl, "<1-2147483647:number> permit", ENTRY, numbered_permit),
    by_cursor(In::Acl, "<1-2147483647:number> deny", ENTRY, numbered_deny),
    fate(In::Acl, "<number> remark", Fate::NoOp),
];

fn list(fold: &mut Fold<'_>, name: &str) -> usize {
    let line = fold.line;
    entry(
        &mut fold.config.acls,
        |acl| acl.name == name,
        || Acl { name: name.to_string(), entries: Vec::new(), line },
    )
}

/// `access-list N {permit|deny|remark} …`
fn numbered(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let name = fold.argument(0);
    let problem = cursor.problem("a list number 1-199 or 1300-2699");
    let number: u32 = name.parse().map_err(|_| problem.clone())?;
    let is_extended = match number {
        1..=99 | 1300..=1999 => false,
        100..=199 | 2000..=2699 => true,
        200..=1299 => {
            cursor.rest();
            fold.fate = Some(Fate::Inert("the list is of a protocol that does not exist here"));
            return Ok(());
        }
        _ => return Err(problem),
    };
    if fold.no {
        fold.config.acls.retain(|acl| acl.name != name);
        cursor.rest();
        return Ok(());
    }
    let place = list(fold, &name);
    if cursor.keyword("remark") {
        cursor.rest();
        return Ok(());
    }
    let permit = if cursor.keyword("permit") {
        true
    } else if cursor.keyword("deny") {
        false
    } else if cursor.keyword("dynamic") {
        cursor.rest();
        fold.fate = Some(Fate::Unenforced("lock-and-key lists are not implemented"));
        return Ok(());
    } else {
        return Err(cursor.problem("permit, deny or remark"));
    };
    push(fold, cursor, place, is_extended, permit, None)
}

fn extended(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    named(fold, cursor, true)
}

fn standard(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    named(fold, cursor, false)
}

fn named(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>, is_extended: bool) -> Result<(), Problem> {
    let name = fold.argument(0);
    if fold.no {
        fold.config.acls.retain(|acl| acl.name != name);
        return Ok(());
    }
    let place = list(fold, &name);
    fold.mode = Mode::Acl(place, is_extended);
    cursor.finish()
}

fn permit(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    line(fold, cursor, true, None)
}

fn deny(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    line(fold, cursor, false, None)
}

fn numbered_permit(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let number = fold.argument(0).parse().ok();
    line(fold, cursor, true, number)
}

fn numbered_deny(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let number = fold.argument(0).parse().ok();
    line(fold, cursor, false, number)
}

fn line(
    fold: &mut Fold<'_>,
    cursor: &mut Cursor<'_>,
    permit: bool,
    number: Option<u32>,
) -> Result<(), Problem> {
    let Mode::Acl(place, is_extended) = fold.mode else { return Ok(()) };
    push(fold, cursor, place, is_extended, permit, number)
}

fn push(
    fold: &mut Fold<'_>,
    cursor: &mut Cursor<'_>,
    place: usize,
    is_extended: bool,
    permit: bool,
    number: Option<u32>,
) -> Result<(), Problem> {
    let mut found = AclEntry { number, ..AclEntry::of_all(permit, fold.line) };
    if is_extended {
        found.inexact = cursor.keyword("object-group");
        found.protocol = match found.inexact {
            true => cursor.word("a group of services").map(|_| None)?,
            false => protocol(cursor)?,
        };
        found.vague |= object_group(cursor)?;
        found.source = if found.vague { Wildcard::ANY } else { wildcard(cursor)? };
        let (source_port, inexact) = port(cursor)?;
        found.source_port = source_port;
        found.inexact |= inexact;
        let vague = object_group(cursor)?;
        found.destination = if vague { Wildcard::ANY } else { wildcard(cursor)? };
        found.vague |= vague;
        found.inexact |= found.vague;
        let (destination_port, inexact) = port(cursor)?;
        found.destination_port = destination_port;
        found.inexact |= inexact;
        let has_ports = found.source_port.is_some() || found.destination_port.is_some();
        // of other protocols nothing here reads ports
        found.inexact |= has_ports && !matches!(found.protocol, Some(6 | 17));
        while let Some(word) = cursor.peek().filter(|word| !word.starts_with('!')) {
            // logging changes nothing; anything else narrows the line in a way that this model does
            // not hold
            found.inexact |= !crate::form::is(word, "log") && !crate::form::is(word, "log-input");
            cursor.next();
        }
    } else {
        found.source = if cursor.peek().is_some_and(|word| word.parse::<Ipv4Addr>().is_ok()) {
            let address = cursor.address()?;
            Wildcard { address, wildcard: cursor.optional_address().unwrap_or(Ipv4Addr::UNSPECIFIED) }
        } else {
            wildcard(cursor)?
        };
        cursor.rest();
    }
    if let Some(acl) = fold.config.acls.get_mut(place) {
        if fold.no {
            acl.entries.retain(|known| AclEntry { line: found.line, number, ..known.clone() } != found);
        } else {
            acl.entries.push(found);
        }
    }
    Ok(())
}

fn protocol(cursor: &mut Cursor<'_>) -> Result<Option<u8>, Problem> {
    let problem = cursor.problem("a protocol");
    let word = cursor.word("a protocol")?.to_ascii_lowercase();
    Ok(match word.as_str() {
        "ip" => None,
        "icmp" => Some(1),
        "igmp" => Some(2),
        "ipinip" => Some(4),
        "tcp" => Some(6),
        "udp" => Some(17),
        "gre" => Some(47),
        "esp" => Some(50),
        "ahp" => Some(51),
        "eigrp" => Some(88),
        "ospf" => Some(89),
        "nos" => Some(94),
        "pim" => Some(103),
        "pcp" => Some(108),
        "sctp" => Some(132),
        number => Some(number.parse().map_err(|_| problem)?),
    })
}

/// `object-group G`, whose addresses are not known here.
fn object_group(cursor: &mut Cursor<'_>) -> Result<bool, Problem> {
    let is_group = cursor.keyword("object-group");
    if is_group {
        cursor.word("an object group")?;
    }
    Ok(is_group)
}

/// `any`, `host A`, or `A W`
fn wildcard(cursor: &mut Cursor<'_>) -> Result<Wildcard, Problem> {
    if cursor.keyword("any") {
        return Ok(Wildcard::ANY);
    }
    if cursor.keyword("host") {
        return Ok(Wildcard { address: cursor.address()?, wildcard: Ipv4Addr::UNSPECIFIED });
    }
    let address = cursor.address()?;
    Ok(Wildcard { address, wildcard: cursor.address()? })
}

/// `eq PORT`; a range or a comparison is more than one SA can hold.
fn port(cursor: &mut Cursor<'_>) -> Result<(Option<u16>, bool), Problem> {
    if cursor.peek().is_some_and(|word| word.eq_ignore_ascii_case("eq")) {
        cursor.next();
        let port = port_number(cursor)?;
        // `eq` may list several ports
        let mut more = false;
        while cursor.peek().is_some_and(|word| word.parse::<u16>().is_ok()) {
            cursor.next();
            more = true;
        }
        return Ok((port, more || port.is_none()));
    }
    if cursor.peek().is_some_and(|word| ["gt", "lt", "neq"].contains(&word)) {
        cursor.next();
        cursor.word("a port")?;
        return Ok((None, true));
    }
    if cursor.peek().is_some_and(|word| word == "range") {
        cursor.next();
        cursor.word("a port")?;
        cursor.word("a port")?;
        return Ok((None, true));
    }
    Ok((None, false))
}

fn port_number(cursor: &mut Cursor<'_>) -> Result<Option<u16>, Problem> {
    let word = cursor.word("a port")?.to_ascii_lowercase();
    let named = [
        ("ftp-data", 20),
        ("ftp", 21),
        ("ssh", 22),
        ("22", 22),
        ("telnet", 23),
        ("smtp", 25),
        ("domain", 53),
        ("bootps", 67),
        ("bootpc", 68),
        ("tftp", 69),
        ("www", 80),
        ("pop3", 110),
        ("sunrpc", 111),
        ("ntp", 123),
        ("snmp", 161),
        ("snmptrap", 162),
        ("bgp", 179),
        ("isakmp", 500),
        ("syslog", 514),
        ("non500-isakmp", 4500),
    ];
    Ok(word.parse().ok().or_else(|| named.iter().find(|(name, _)| *name == word).map(|(_, port)| *port)))
}
