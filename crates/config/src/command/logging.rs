//! `logging`, `service timestamps`, `service sequence-numbers`.

use super::mode::In;
use super::row::{Fold, No, Row, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{LogHost, LogSettings, Origin, RateLimit, Stamp};
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
    fold(In::Global, "service sequence-numbers", "", |fold, _| {
        fold.config.log.sequence_numbers = !fold.no;
        Ok(())
    }),
    fold(
        In::Global,
        "logging facility",
        "= {auth|cron|daemon|kern|local0|local1|local2|local3|local4|local5|local6|local7|lpr|mail|news|sys9|sys10|sys11|sys12|sys13|sys14|syslog|user|uucp}",
        |fold, given| {
            let facility = fold.unless_no(given.choose(&FACILITIES));
            fold.config.log.facility = facility.unwrap_or(LogSettings::FACILITY);
            Ok(())
        },
    ),
    fold(In::Global, "logging origin-id", "= {hostname|ip|string <LINE:text>}", origin),
    fold(In::Global, "logging source-interface", "= <IF:interface> [<UNIT:unit>]", |fold, given| {
        fold.config.log.source = fold.unless_no(given.interface("interface"));
        Ok(())
    }),
    fold(
        In::Global,
        "logging rate-limit",
        "= {<1-10000:number>|all <1-10000:number>|console {<1-10000:number>|all <1-10000:number>}} [except {<0-7:severity>|alerts|critical|debugging|emergencies|errors|informational|notifications|warnings}]",
        rate_limit,
    ),
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

/// Names of syslog's facilities.
const FACILITIES: [(&str, u8); 24] = [
    ("auth", 4),
    ("cron", 9),
    ("daemon", 3),
    ("kern", 0),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
    ("lpr", 6),
    ("mail", 2),
    ("news", 7),
    ("sys10", 10),
    ("sys11", 11),
    ("sys12", 12),
    ("sys13", 13),
    ("sys14", 14),
    ("sys9", 9),
    ("syslog", 5),
    ("user", 1),
    ("uucp", 8),
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
    let (milliseconds, local) = (given.has("msec"), given.has("localtime"));
    let (zone, year) = (given.has("show-timezone"), given.has("year"));
    match (fold.default, fold.no) {
        (true, _) => LogSettings::default().debug_stamp,
        (false, true) => Stamp::None,
        (false, false) if given.has("datetime") => Stamp::Datetime { milliseconds, local, zone, year },
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

fn origin(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let text = given.text("text").map(|text| Origin::Text(text.to_string()));
    let origin = text.or_else(|| given.choose(&[("hostname", Origin::Hostname), ("ip", Origin::Address)]));
    fold.config.log.origin = fold.unless_no(origin).unwrap_or_default();
    Ok(())
}

fn rate_limit(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let limit = given.number("number").map(|number| RateLimit {
        console: given.has("console"),
        debug: given.has("all"),
        number,
        except: given.number("severity").or_else(|| given.choose(&SEVERITIES)),
    });
    fold.config.log.rate = fold.unless_no(limit);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    #[test]
    fn stamps_numbers_and_servers() {
        let log = |text: &str| parse(text).config.log;
        let stamp = |local, zone| Stamp::Datetime { milliseconds: true, local, zone, year: false };
        assert_eq!(log("").log_stamp, stamp(false, false));
        assert_eq!(log("service timestamps log datetime msec localtime").log_stamp, stamp(true, false));
        assert_eq!(
            log("service timestamps debug datetime show-timezone msec").debug_stamp,
            stamp(false, true)
        );
        assert!(log("service sequence-numbers").sequence_numbers && !log("").sequence_numbers);
        let numbers = [("local0", 16), ("sys10", 10), ("sys9", 9), ("syslog", 5), ("kern", 0)];
        for (name, number) in numbers {
            assert_eq!(log(&format!("logging facility {name}")).facility, number, "{name}");
        }
        assert_eq!(log("logging facility mail\nno logging facility").facility, 23);
        assert_eq!(log("logging origin-id hostname").origin, Origin::Hostname);
        assert_eq!(log("logging origin-id ip").origin, Origin::Address);
        assert_eq!(
            log("logging origin-id string hub of Berlin").origin,
            Origin::Text("hub of Berlin".into())
        );
        assert_eq!(log("logging origin-id ip\nno logging origin-id").origin, Origin::None);
        assert_eq!(log("logging source-interface Gi0/1").source.as_deref(), Some("GigabitEthernet0/1"));
    }

    #[test]
    fn rates_in_their_forms() {
        let limit = |console, debug, number, except| Some(RateLimit { console, debug, number, except });
        for (line, expected) in [
            ("", None),
            ("logging rate-limit 100 except warnings", limit(false, false, 100, Some(4))),
            ("logging rate-limit all 10", limit(false, true, 10, None)),
            ("logging rate-limit console 10 except errors", limit(true, false, 10, Some(3))),
            ("logging rate-limit console all 5 except 2", limit(true, true, 5, Some(2))),
            ("logging rate-limit 5\nno logging rate-limit", None),
        ] {
            assert_eq!(parse(line).config.log.rate, expected, "{line}");
        }
    }
}
