//! Times and ages as IOS prints them.

use hubward_config::model::{Clock, Minute, Moment};
use std::time::Duration;

/// `hh:mm:ss`
pub(crate) fn clock_time(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// An age as IOS shortens it: `00:07:11`, `1d02h`, `7w0d`.
pub(crate) fn age(seconds: u64) -> String {
    let (hours, days) = (seconds / 3600, seconds / 86_400);
    match days {
        0 => clock_time(seconds),
        1..=6 => format!("{days}d{:02}h", hours % 24),
        _ => format!("{}w{}d", days / 7, days % 7),
    }
}

/// An age in words: `2 days, 3 hours, 4 minutes`.
pub(crate) fn age_in_words(seconds: u64) -> String {
    let minutes = seconds / 60;
    let parts = [
        (minutes / 10_080 / 52, "year"),
        (minutes / 10_080 % 52, "week"),
        (minutes / 1440 % 7, "day"),
        (minutes / 60 % 24, "hour"),
        (minutes % 60, "minute"),
    ];
    let words: Vec<_> = parts
        .into_iter()
        .filter(|(count, name)| *count > 0 || *name == "minute")
        .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
        .collect();
    words.join(", ")
}

/// A date in UTC, or in the router's own time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date<'c> {
    year: u64,
    /// From 0.
    month: usize,
    day: u64,
    /// Sunday is 0.
    weekday: usize,
    seconds: u64,
    milliseconds: u32,
    /// `UTC`, or what the configuration calls it.
    zone: &'c str,
}

/// 2025 in seconds since 1970: a clock that shows an earlier time than this program's has never
/// been set.
const SET: u64 = 1_735_689_600;

/// What precedes a time of a clock that was never set, as on IOS: `*`.
pub(crate) fn unset_mark(wall: Duration) -> &'static str {
    if wall.as_secs() < SET { "*" } else { "" }
}

/// Some minutes later, or earlier.
fn shifted(wall: Duration, minutes: i16) -> Duration {
    let by = Duration::from_secs(u64::from(minutes.unsigned_abs()) * 60);
    if minutes < 0 { wall.saturating_sub(by) } else { wall.saturating_add(by) }
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Date<'static> {
    /// From the time since 1970, in UTC.
    pub(crate) fn new(wall: Duration) -> Self {
        let (days, seconds) = (wall.as_secs() / 86_400, wall.as_secs() % 86_400);
        // civil date from a day count, with years that begin in March
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let month = if from_march < 10 { from_march + 2 } else { from_march - 10 };
        Self {
            year: year_of_era + era * 400 + u64::from(month < 2),
            month: usize::try_from(month).unwrap_or(0),
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
            weekday: usize::try_from((days + 4) % 7).unwrap_or(0),
            seconds,
            milliseconds: wall.subsec_millis(),
            zone: "UTC",
        }
    }

    /// `2026-11-23T09:12:47.123Z`
    pub(crate) fn iso(self) -> String {
        format!(
            "{:04}-{:02}-{:02}T{}.{:03}Z",
            self.year,
            self.month + 1,
            self.day,
            clock_time(self.seconds),
            self.milliseconds
        )
    }
}

impl<'c> Date<'c> {
    /// From the time since 1970, in the router's own time (`clock timezone`, `clock summer-time`).
    pub(crate) fn local(wall: Duration, clock: &'c Clock) -> Self {
        let (zone, minutes) =
            clock.timezone.as_ref().map_or(("UTC", 0), |zone| (zone.name.as_str(), zone.minutes));
        let standard = Date::new(shifted(wall, minutes));
        if let Some(summer) = &clock.summer {
            let ahead = i16::try_from(summer.minutes).unwrap_or(0);
            let then = Date::new(shifted(shifted(wall, minutes), ahead));
            if summer.when.holds(standard.minute().at, then.minute().at) {
                return Self { zone: &summer.name, ..then };
            }
        }
        Self { zone, ..standard }
    }

    /// The minute, as time ranges look at it.
    pub(crate) fn minute(self) -> Moment {
        let small = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
        let at = Minute {
            year: u16::try_from(self.year).unwrap_or(u16::MAX),
            month: u8::try_from(self.month + 1).unwrap_or(u8::MAX),
            day: small(self.day),
            minute: u16::try_from(self.seconds / 60).unwrap_or(u16::MAX),
        };
        // time ranges count from Monday
        Moment { at, weekday: u8::try_from((self.weekday + 6) % 7).unwrap_or(0) }
    }

    fn month(self) -> &'static str {
        MONTHS.get(self.month).copied().unwrap_or_default()
    }

    fn weekday(self) -> &'static str {
        WEEKDAYS.get(self.weekday).copied().unwrap_or_default()
    }

    /// `09:12:47.123 UTC Mon Nov 23 2026`
    pub(crate) fn clock(self) -> String {
        format!(
            "{}.{:03} {} {} {} {} {}",
            clock_time(self.seconds),
            self.milliseconds,
            self.zone,
            self.weekday(),
            self.month(),
            self.day,
            self.year
        )
    }

    /// `09:12:47 UTC Mon Nov 23 2026`
    pub(crate) fn moment(self) -> String {
        format!(
            "{} {} {} {} {} {}",
            clock_time(self.seconds),
            self.zone,
            self.weekday(),
            self.month(),
            self.day,
            self.year
        )
    }

    /// `Nov 23 09:12:47`, with `2026` after the day, `.123` after the seconds, `UTC` at the end.
    pub(crate) fn stamped(self, milliseconds: bool, zone: bool, year: bool) -> String {
        let year = if year { format!(" {}", self.year) } else { String::new() };
        let milliseconds = if milliseconds { format!(".{:03}", self.milliseconds) } else { String::new() };
        let zone = if zone { format!(" {}", self.zone) } else { String::new() };
        let time = clock_time(self.seconds);
        format!("{} {:>2}{year} {time}{milliseconds}{zone}", self.month(), self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let at = |seconds| Date::new(Duration::from_secs(seconds)).moment();
        assert_eq!(at(0), "00:00:00 UTC Thu Jan 1 1970");
        assert_eq!(at(951_782_400), "00:00:00 UTC Tue Feb 29 2000");
        assert_eq!(at(1_709_251_199), "23:59:59 UTC Thu Feb 29 2024");
        assert_eq!(at(1_795_425_167), "09:12:47 UTC Mon Nov 23 2026");
        let date = Date::new(Duration::from_millis(1_793_610_767_042));
        assert_eq!(
            (date.stamped(true, false, false).as_str(), date.iso().as_str()),
            ("Nov  2 09:12:47.042", "2026-11-02T09:12:47.042Z")
        );
    }

    /// The router's own time is ahead of UTC or behind it, and changes with summer time.
    #[test]
    fn a_router_has_a_time_of_its_own() {
        let config = |text: &str| hubward_config::parse(text).config;
        let berlin = config(
            "clock timezone CET 1\nclock summer-time CEST recurring last Sun Mar 2:00 last Sun Oct 3:00\n",
        );
        let at = |seconds, clock: &Clock| Date::local(Duration::from_secs(seconds), clock).moment();
        assert_eq!(at(1_795_425_167, &config("").clock), "09:12:47 UTC Mon Nov 23 2026");
        assert_eq!(at(1_795_425_167, &berlin.clock), "10:12:47 CET Mon Nov 23 2026");
        // the hour before, and the hour after each change
        assert_eq!(at(1_774_745_999, &berlin.clock), "01:59:59 CET Sun Mar 29 2026");
        assert_eq!(at(1_774_746_000, &berlin.clock), "03:00:00 CEST Sun Mar 29 2026");
        assert_eq!(at(1_792_889_999, &berlin.clock), "02:59:59 CEST Sun Oct 25 2026");
        assert_eq!(at(1_792_890_000, &berlin.clock), "02:00:00 CET Sun Oct 25 2026");
        let west = config("clock timezone NST -3 30\n");
        assert_eq!(at(1_795_392_000, &west.clock), "20:30:00 NST Sun Nov 22 2026");
        let date = Date::local(Duration::from_millis(1_795_425_167_042), &berlin.clock);
        assert_eq!(date.clock(), "10:12:47.042 CET Mon Nov 23 2026");
        assert_eq!(date.stamped(true, true, true), "Nov 23 2026 10:12:47.042 CET");
        // a time range goes by it
        assert_eq!((date.minute().at.minute, date.minute().weekday), (612, 0));
    }

    #[test]
    fn ages_are_shortened_as_on_ios() {
        assert_eq!(
            (age(431), age(86_400 + 7205), age(49 * 86_400)),
            ("00:07:11".into(), "1d02h".into(), "7w0d".into())
        );
        assert_eq!(age_in_words(2 * 86_400 + 3 * 3600 + 240), "2 days, 3 hours, 4 minutes");
        assert_eq!(age_in_words(30), "0 minutes");
        assert_eq!(age_in_words(7 * 86_400 + 60), "1 week, 1 minute");
    }
}
