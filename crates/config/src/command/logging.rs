//! `logging`, `service timestamps`.

use super::{In, Row, fold};
use crate::command::Fold;
use crate::form::{Cursor, Problem, is};
use crate::model::{LogHost, LogSettings, Stamp};
use std::net::{IpAddr, Ipv4Addr};

pub(super) const ROWS: &[Row] = &[
    fold(
        In::Global,
        "service timestamps debug",
        "= [datetime [localtime|msec|show-timezone|year]...|uptime]",
        |fold, cursor| {
            fold.config.log.debug_stamp = stamp(fold, cursor)?;
            cursor.finish()
        },
    ),
    fold(
        In::Global,
        "service timestamps log",
        "= [datetime [localtime|msec|show-timezone|year]...|uptime]",
        |fold, cursor| {
            fold.config.log.log_stamp = stamp(fold, cursor)?;
            cursor.finish()
        },
    ),
    fold(In::Global, "service timestamps", "", stamps),
    fold(In::Global, "logging on", "", on),
    fold(
        In::Global,
        "logging buffered",
        "= [<4096-2147483647:size>] [<0-7:severity>|alerts|critical|debugging|emergencies|errors|informational|notifications|warnings]",
        buffered,
    ),
    fold(
        In::Global,
        "logging console",
        "= [<0-7:severity>|alerts|critical|debugging|emergencies|errors|informational|notifications|warnings]",
        |fold, cursor| {
            fold.config.log.console = level(fold, cursor, LogSettings::default().console)?;
            cursor.finish()
        },
    ),
    fold(
        In::Global,
        "logging monitor",
        "= [<0-7:severity>|alerts|critical|debugging|emergencies|errors|informational|notifications|warnings]",
        |fold, cursor| {
            fold.config.log.monitor = level(fold, cursor, LogSettings::default().monitor)?;
            cursor.finish()
        },
    ),
    fold(
        In::Global,
        "logging trap",
        "= [<0-7:severity>|alerts|critical|debugging|emergencies|errors|informational|notifications|warnings]",
        |fold, cursor| {
            fold.config.log.trap = level(fold, cursor, LogSettings::default().trap)?;
            cursor.finish()
        },
    ),
    fold(In::Global, "logging host <A.B.C.D:address>", "= [transport udp [port <1-65535:port>]]", host),
    fold(In::Global, "logging <A.B.C.D:address>", "", host),
];

/// Names of the severities, from 0.
const SEVERITIES: [&str; 8] = [
    "emergencies",
    "alerts",
    "critical",
    "errors",
    "warnings",
    "notifications",
    "informational",
    "debugging",
];

fn on(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    fold.config.logging = (!fold.default).then_some(!fold.no);
    cursor.finish()
}

/// `service timestamps`, which is `service timestamps debug uptime`; `no` takes both stamps away.
fn stamps(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let LogSettings { debug_stamp, log_stamp, .. } = LogSettings::default();
    (fold.config.log.debug_stamp, fold.config.log.log_stamp) = match (fold.default, fold.no) {
        (true, _) => (debug_stamp, log_stamp),
        (false, true) => (Stamp::None, Stamp::None),
        (false, false) => (Stamp::Uptime, fold.config.log.log_stamp),
    };
    cursor.finish()
}

fn stamp(fold: &Fold<'_>, cursor: &mut Cursor<'_>) -> Result<Stamp, Problem> {
    let datetime = cursor.keyword("datetime");
    if !datetime {
        // IOS's own default of the command
        cursor.keyword("uptime");
    }
    let (mut milliseconds, mut zone, mut year) = (false, false, false);
    while datetime && cursor.peek().is_some_and(|word| !word.starts_with('!')) {
        if cursor.keyword("msec") {
            milliseconds = true;
        } else if cursor.keyword("show-timezone") {
            zone = true;
        } else if cursor.keyword("year") {
            year = true;
        } else if !cursor.keyword("localtime") {
            return Err(cursor.problem("localtime, msec, show-timezone or year"));
        }
    }
    Ok(match (fold.default, fold.no) {
        (true, _) => LogSettings::default().debug_stamp,
        (false, true) => Stamp::None,
        (false, false) if datetime => Stamp::Datetime { milliseconds, zone, year },
        (false, false) => Stamp::Uptime,
    })
}

/// A level; debugging when none is given, nothing at all with `no`.
fn level(fold: &Fold<'_>, cursor: &mut Cursor<'_>, default: Option<u8>) -> Result<Option<u8>, Problem> {
    let given = match cursor.peek().filter(|word| !word.starts_with('!')) {
        None => 7,
        Some(word) => {
            let problem = cursor.problem("a level 0-7");
            let named = SEVERITIES.iter().position(|name| is(word, name)).and_then(|n| u8::try_from(n).ok());
            let severity = named.or_else(|| word.parse().ok().filter(|severity| *severity <= 7));
            cursor.next();
            severity.ok_or(problem)?
        }
    };
    Ok(match (fold.default, fold.no) {
        (true, _) => default,
        (false, true) => None,
        (false, false) => Some(given),
    })
}

fn buffered(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let size = cursor.peek().and_then(|word| word.parse::<u32>().ok()).filter(|size| *size >= 4096);
    if size.is_some() {
        cursor.next();
    }
    fold.config.log.buffered = level(fold, cursor, LogSettings::default().buffered)?;
    fold.config.log.size = size.filter(|_| !fold.no && !fold.default);
    cursor.finish()
}

fn host(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let problem = cursor.problem("an address A.B.C.D");
    let address = fold.argument(0).parse::<Ipv4Addr>().map(IpAddr::V4).map_err(|_| problem)?;
    let mut port = 514;
    if cursor.keyword("transport") {
        if !cursor.keyword("udp") {
            return Err(cursor.problem("udp"));
        }
        if cursor.keyword("port") {
            port = u16::try_from(cursor.number("a port 1-65535", 1..=65_535)?).unwrap_or(port);
        }
    }
    fold.config.log.hosts.retain(|host| host.address != address);
    if !fold.no && !fold.default {
        fold.config.log.hosts.push(LogHost { address, port });
    }
    cursor.finish()
}
