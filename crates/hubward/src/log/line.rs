//! A line of the log, and its text.

use crate::base::date::{Date, unset_mark};
use crate::base::format::Format;
use crate::debug;
use hubward_config::model::{Clock, Config, Stamp};
use std::time::Duration;
use tracing::Level;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// When, since 1970 in UTC.
    pub(crate) at: Duration,
    /// Its number since the start, from 1; 0 until it is logged.
    pub(crate) number: u64,
    /// What.
    pub(crate) body: Body,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// A message: `%CRYPTO-5-SESSION_STATUS: ...`
    Message {
        /// `CRYPTO`.
        facility: String,
        /// 0 (emergency) to 7 (debugging).
        severity: u8,
        /// `SESSION_STATUS`.
        mnemonic: String,
        /// The text after the colon.
        text: String,
    },
    /// Debugging.
    Debug(debug::Line),
}

/// How lines are stamped.
#[derive(Clone, Debug)]
pub(crate) struct Stamps {
    /// Debugging.
    pub(crate) debug: Stamp,
    /// Messages.
    pub(crate) log: Stamp,
    /// Whether lines are numbered.
    numbers: bool,
    /// The router's own time.
    clock: Clock,
    /// When the gateway started, since 1970 in UTC.
    pub(crate) started: Duration,
}

impl Stamps {
    /// As `service timestamps`, `service sequence-numbers` and `clock` say.
    pub(crate) fn new(config: &Config, started: Duration) -> Self {
        let (log, clock) = (&config.log, config.clock.clone());
        Self { debug: log.debug_stamp, log: log.log_stamp, numbers: log.sequence_numbers, clock, started }
    }

    /// What precedes a line: its number and its time.
    pub(super) fn of(&self, line: &LogLine) -> String {
        let number = if self.numbers { format!("{:06}: ", line.number) } else { String::new() };
        let stamp = if matches!(line.body, Body::Debug(_)) { self.debug } else { self.log };
        let time = match stamp {
            Stamp::None => String::new(),
            Stamp::Uptime => format!("{}: ", uptime(line.at.saturating_sub(self.started).as_secs())),
            Stamp::Datetime { milliseconds, local, zone, year } => {
                let date = if local { Date::local(line.at, &self.clock) } else { Date::new(line.at) };
                format!("{}{}: ", unset_mark(line.at), date.stamped(milliseconds, zone, year))
            }
        };
        number + &time
    }
}

/// `00:12:34`, `1d02h`, `3w4d`
fn uptime(seconds: u64) -> String {
    let (hours, days) = (seconds / 3600, seconds / 86_400);
    match days {
        0 => format!("{:02}:{:02}:{:02}", hours, seconds / 60 % 60, seconds % 60),
        1..7 => format!("{days}d{:02}h", hours % 24),
        _ => format!("{}w{}d", days / 7, days % 7),
    }
}

impl LogLine {
    /// From a message that may begin with `%FACILITY-SEVERITY-MNEMONIC: `.
    pub(crate) fn new(at: Duration, level: Level, message: &str) -> Self {
        if let Some(line) = tagged(at, message) {
            return line;
        }
        let (severity, mnemonic) = match level {
            Level::ERROR => (3, "ERROR"),
            Level::WARN => (4, "WARNING"),
            Level::INFO => (6, "INFO"),
            _ => (7, "DEBUG"),
        };
        Self::message(at, "HUBWARD", severity, mnemonic, message)
    }

    /// From its parts.
    pub(crate) fn message(
        at: Duration,
        facility: &str,
        severity: u8,
        mnemonic: &str,
        text: impl Into<String>,
    ) -> Self {
        let (facility, mnemonic) = (facility.into(), mnemonic.into());
        Self { at, number: 0, body: Body::Message { facility, severity, mnemonic, text: text.into() } }
    }

    /// 0 (emergency) to 7 (debugging).
    pub(crate) fn severity(&self) -> u8 {
        match &self.body {
            Body::Message { severity, .. } => *severity,
            Body::Debug(_) => 7,
        }
    }

    /// What follows the time stamp: one line, or for debugging several.
    pub(crate) fn words(&self, format: Format) -> String {
        match &self.body {
            Body::Message { facility, severity, mnemonic, text } => {
                // a line of the log is a line here
                let text = text.escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"");
                format!("%{facility}-{severity}-{mnemonic}: {text}")
            }
            Body::Debug(line) => line.text(format).into_owned(),
        }
    }

    /// With its time stamp.
    pub(crate) fn text(&self, format: Format, stamps: &Stamps) -> String {
        stamps.of(self) + &self.words(format)
    }

    pub(super) fn len(&self) -> usize {
        // the time stamp and the marks around the parts
        32 + match &self.body {
            Body::Message { facility, mnemonic, text, .. } => facility.len() + mnemonic.len() + text.len(),
            Body::Debug(line) => line.len(),
        }
    }
}

fn tagged(at: Duration, message: &str) -> Option<LogLine> {
    let (tag, text) = message.strip_prefix('%')?.split_once(": ")?;
    let mut parts = tag.splitn(3, '-');
    let (facility, severity, mnemonic) = (parts.next()?, parts.next()?, parts.next()?);
    let severity = severity.parse().ok().filter(|severity| *severity <= 7)?;
    Some(LogLine::message(at, facility, severity, mnemonic, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_taken_apart_and_a_line_without_one_gets_one() {
        let line = LogLine::new(Duration::ZERO, Level::INFO, "%CRYPTO-5-SESSION_STATUS: up: or not");
        assert_eq!(line, LogLine::message(Duration::ZERO, "CRYPTO", 5, "SESSION_STATUS", "up: or not"));
        assert_eq!(line.words(Format::Modern), "%CRYPTO-5-SESSION_STATUS: up: or not");
        let line = LogLine::new(Duration::ZERO, Level::WARN, "100% of it: lost");
        assert_eq!(line, LogLine::message(Duration::ZERO, "HUBWARD", 4, "WARNING", "100% of it: lost"));
    }

    /// `service timestamps` in its forms.
    #[test]
    fn lines_are_stamped_as_the_configuration_says() {
        let at = Duration::from_millis(1_795_425_167_123);
        let line = LogLine::new(at, Level::INFO, "%CRYPTO-5-SESSION_STATUS: up");
        let stamped = |text: &str, ago: u64| {
            let config = hubward_config::parse(text).config;
            let started = at - Duration::from_secs(ago);
            let text = line.text(Format::Modern, &Stamps::new(&config, started));
            text.strip_suffix("%CRYPTO-5-SESSION_STATUS: up").unwrap().to_string()
        };
        assert_eq!(stamped("", 0), "Nov 23 09:12:47.123: ");
        assert_eq!(stamped("service timestamps log datetime", 0), "Nov 23 09:12:47: ");
        let all = "service timestamps log datetime msec localtime show-timezone year";
        assert_eq!(stamped(all, 0), "Nov 23 2026 09:12:47.123 UTC: ");
        assert_eq!(stamped("service timestamps log uptime", 754), "00:12:34: ");
        assert_eq!(stamped("service timestamps log uptime", 93_600), "1d02h: ");
        assert_eq!(stamped("service timestamps log uptime", 25 * 86_400), "3w4d: ");
        assert_eq!(stamped("no service timestamps log", 0), "");
        assert_eq!(stamped("no service timestamps debug", 0), "Nov 23 09:12:47.123: ");
        // local time is the configuration's, and only where it is asked for
        let berlin = "clock timezone CET 1\n";
        assert_eq!(stamped(&format!("{berlin}{all}"), 0), "Nov 23 2026 10:12:47.123 CET: ");
        let utc = format!("{berlin}service timestamps log datetime show-timezone");
        assert_eq!(stamped(&utc, 0), "Nov 23 09:12:47 UTC: ");
    }

    /// `service sequence-numbers` counts what is logged; a clock that was never set has a mark.
    #[test]
    fn a_number_precedes_the_time() {
        let text = |at, config: &str| {
            let mut line = LogLine::message(at, "SYS", 5, "TEST", "a line");
            line.number = 44;
            line.text(Format::Modern, &Stamps::new(&hubward_config::parse(config).config, at))
        };
        let at = Duration::from_millis(1_795_425_167_123);
        assert_eq!(text(at, "service sequence-numbers"), "000044: Nov 23 09:12:47.123: %SYS-5-TEST: a line");
        let bare = "service sequence-numbers\nno service timestamps";
        assert_eq!(text(at, bare), "000044: %SYS-5-TEST: a line");
        let never_set = Duration::from_secs(60);
        assert_eq!(text(never_set, ""), "*Jan  1 00:01:00.000: %SYS-5-TEST: a line");
    }
}
