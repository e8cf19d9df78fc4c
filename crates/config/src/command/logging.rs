//! `logging`, `service timestamps`.

use super::mode::In;
use super::row::{Fold, No, Row, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{LogHost, LogSettings, Stamp};
use std::net::IpAddr;

/// What follows the name of a stamp.
const STAMP: &str = "= [datetime [localtime|msec|show-timezone|year]...|uptime]";

/// What follows where lines go.
const LEVEL: &str =
    "= [<0-7:severity>|alerts|critical|debugging|emergencies|errors|informational|notifications|warnings]";

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "service timestamps debug", STAMP, |fold, given| {
        fold.config.log.debug_stamp = stamp(fold, given);
        Ok(())
    }).no(No::IsASetting),
    fold(In::Global, "service timestamps log", STAMP, |fold, given| {
        fold.config.log.log_stamp = stamp(fold, given);
        Ok(())
    }).no(No::IsASetting),
    fold(In::Global, "service timestamps", "", stamps).no(No::IsASetting),
    fold(In::Global, "logging on", "", on).no(No::IsASetting),
    fold(
        In::Global,
        "logging buffered",
        "= [<4096-2147483647:size>] [<0-7:severity>|alerts|critical|debugging|emergencies|errors|informational|notifications|warnings]",
        buffered,
    ).no(No::IsASetting),
    fold(In::Global, "logging console", LEVEL, |fold, given| {
        fold.config.log.console = level(fold, given, LogSettings::default().console);
        Ok(())
    }).no(No::IsASetting),
    fold(In::Global, "logging monitor", LEVEL, |fold, given| {
        fold.config.log.monitor = level(fold, given, LogSettings::default().monitor);
        Ok(())
    }).no(No::IsASetting),
    fold(In::Global, "logging trap", LEVEL, |fold, given| {
        fold.config.log.trap = level(fold, given, LogSettings::default().trap);
        Ok(())
    }).no(No::IsASetting),
    fold(In::Global, "logging host <A.B.C.D:address>", "= [transport udp [port <1-65535:port>]]", host),
    fold(In::Global, "logging <A.B.C.D:address>", "", host),
];

/// Names of the severities.
const SEVERITIES: [(&str, u8); 8] = [
    ("emergencies", 0),
    ("alerts", 1),
    ("critical", 2),
    ("errors", 3),
    ("warnings", 4),
    ("notifications", 5),
    ("informational", 6),
    ("debugging", 7),
];

fn on(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    fold.config.logging = (!fold.default).then_some(!fold.no);
    Ok(())
}

/// `service timestamps`, which is `service timestamps debug uptime`; `no` takes both stamps away.
fn stamps(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    let LogSettings { debug_stamp, log_stamp, .. } = LogSettings::default();
    (fold.config.log.debug_stamp, fold.config.log.log_stamp) = match (fold.default, fold.no) {
        (true, _) => (debug_stamp, log_stamp),
        (false, true) => (Stamp::None, Stamp::None),
        (false, false) => (Stamp::Uptime, fold.config.log.log_stamp),
    };
    Ok(())
}

/// `[datetime [localtime] [msec] [show-timezone] [year] | uptime]`; uptime when neither is given.
fn stamp(fold: &Fold<'_>, given: &Given<'_>) -> Stamp {
    let (milliseconds, zone, year) = (given.has("msec"), given.has("show-timezone"), given.has("year"));
    match (fold.default, fold.no) {
        (true, _) => LogSettings::default().debug_stamp,
        (false, true) => Stamp::None,
        (false, false) if given.has("datetime") => Stamp::Datetime { milliseconds, zone, year },
        (false, false) => Stamp::Uptime,
    }
}

/// A level; debugging when none is given, nothing at all with `no`.
fn level(fold: &Fold<'_>, given: &Given<'_>, default: Option<u8>) -> Option<u8> {
    let severity = given.number("severity").or_else(|| given.choose(&SEVERITIES)).unwrap_or(7);
    if fold.default { default } else { fold.unless_no(Some(severity)) }
}

fn buffered(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.log.buffered = level(fold, given, LogSettings::default().buffered);
    fold.config.log.size = fold.unless_no(given.number("size"));
    Ok(())
}

fn host(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let Some(address) = given.address("address").map(IpAddr::V4) else { return Ok(()) };
    let port = given.number("port").unwrap_or(514);
    let host = fold.unless_no(Some(LogHost { address, port }));
    fold.config.log_hosts.replace(address, host);
    Ok(())
}
