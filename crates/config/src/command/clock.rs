//! `clock`: the router's own time, which time ranges and, on request, time stamps go by.

use super::acl::{calendar_name, clock_minutes};
use super::mode::In;
use super::row::{Fold, Row, fold};
use crate::acl::names::{DAYS, MONTHS};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{Minute, Summer, SummerTime, TimeZone, Turn};

/// Minutes that clocks are put forward where the line does not say how many.
const USUAL: u16 = 60;

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "clock timezone", "= <zone> <hours-offset> [<0-59:minutes-offset>]", timezone),
    fold(
        In::Global,
        "clock summer-time",
        "= <zone> {recurring [<start-week> <start-weekday> <start-month> <start-time> <end-week> <end-weekday> <end-month> <end-time> [<1-1440:offset>]]|date <start-day> <start-month> <1993-2035:start-year> <start-time> <end-day> <end-month> <1993-2035:end-year> <end-time> [<1-1440:offset>]}",
        summer_time,
    ),
];

fn timezone(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.clock.timezone = if fold.no { None } else { Some(zone(given)?) };
    Ok(())
}

/// `NAME HOURS [MINUTES]`, where the sign of the hours is that of the minutes, too.
fn zone(given: &Given<'_>) -> Result<TimeZone, Problem> {
    let typed = given.word("hours-offset").unwrap_or_default();
    let hours = typed.parse::<i16>().ok().filter(|hours| (-23..=23).contains(hours));
    let hours = hours.ok_or_else(|| given.problem("hours-offset", "hours from UTC, from -23 to 23"))?;
    let minutes: i16 = given.number("minutes-offset").unwrap_or(0);
    let minutes = if typed.starts_with('-') { -minutes } else { minutes };
    Ok(TimeZone { name: given.string("zone").unwrap_or_default(), minutes: hours * 60 + minutes })
}

fn summer_time(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.config.clock.summer = if fold.no { None } else { Some(summer(given)?) };
    Ok(())
}

fn summer(given: &Given<'_>) -> Result<SummerTime, Problem> {
    let when = if given.has("date") {
        let start = date(given, ["start-day", "start-month", "start-year", "start-time"])?;
        let end = date(given, ["end-day", "end-month", "end-year", "end-time"])?;
        if start >= end {
            return Err(given.problem("end-day", "a time after the start"));
        }
        Summer::Once { start, end }
    } else if given.word("start-week").is_some() {
        let start = turn(given, ["start-week", "start-weekday", "start-month", "start-time"])?;
        let end = turn(given, ["end-week", "end-weekday", "end-month", "end-time"])?;
        Summer::Recurring { start, end }
    } else {
        Summer::USUAL
    };
    let minutes = given.number("offset").unwrap_or(USUAL);
    Ok(SummerTime { name: given.string("zone").unwrap_or_default(), minutes, when })
}

fn minute(given: &Given<'_>, time: &str) -> Result<u16, Problem> {
    given.word(time).and_then(clock_minutes).ok_or_else(|| given.problem(time, "a time hh:mm"))
}

/// `WEEK WEEKDAY MONTH hh:mm`
fn turn(given: &Given<'_>, [week, weekday, month, time]: [&str; 4]) -> Result<Turn, Problem> {
    let typed = given.word(week).unwrap_or_default();
    let is = |word: &str| {
        !typed.is_empty() && word.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed))
    };
    let which = match typed.parse::<u8>() {
        Ok(number @ 1..=4) => Some(number),
        // as releases before 12.4 write it
        Ok(5) => None,
        _ if is("first") => Some(1),
        _ if is("last") => None,
        _ => return Err(given.problem(week, "a week of the month: 1 to 4, first or last")),
    };
    let day = given.word(weekday).and_then(|typed| calendar_name(&DAYS, typed));
    let weekday = day.ok_or_else(|| given.problem(weekday, "a day"))?;
    let found = given.word(month).and_then(|typed| calendar_name(&MONTHS, typed));
    let month = found.ok_or_else(|| given.problem(month, "a month"))? + 1;
    Ok(Turn { week: which, weekday, month, minute: minute(given, time)? })
}

/// `DAY MONTH YEAR hh:mm` or `MONTH DAY YEAR hh:mm`
fn date(given: &Given<'_>, [first, second, year, time]: [&str; 4]) -> Result<Minute, Problem> {
    let begins_with_day =
        given.word(first).is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let (day, month) = if begins_with_day { (first, second) } else { (second, first) };
    let found = given.word(month).and_then(|typed| calendar_name(&MONTHS, typed));
    let found = found.ok_or_else(|| given.problem(month, "a month"))?;
    let number =
        given.word(day).and_then(|typed| typed.parse::<u8>().ok()).filter(|day| (1..=31).contains(day));
    let day = number.ok_or_else(|| given.problem(day, "a day of the month"))?;
    let Some(year) = given.number(year) else { return Err(given.problem(year, "a year")) };
    Ok(Minute { year, month: found + 1, day, minute: minute(given, time)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Class;
    use crate::parse;

    #[test]
    fn a_time_zone_is_ahead_of_utc_or_behind() {
        let zone = |line: &str| parse(line).config.clock.timezone.map(|zone| (zone.name, zone.minutes));
        assert_eq!(zone("clock timezone CET 1"), Some(("CET".into(), 60)));
        assert_eq!(zone("clock timezone EST -5 0"), Some(("EST".into(), -300)));
        assert_eq!(zone("clock timezone IST 5 30"), Some(("IST".into(), 330)));
        assert_eq!(zone("clock timezone NST -3 30"), Some(("NST".into(), -210)));
        assert_eq!(zone("clock timezone CET 1\nclock timezone EST -5"), Some(("EST".into(), -300)));
        assert_eq!(zone("clock timezone CET 1\nno clock timezone"), None);
        for wrong in ["clock timezone CET 24", "clock timezone CET one", "clock timezone CET 1 60"] {
            let parsed = parse(wrong);
            assert_eq!(parsed.config.clock.timezone, None, "{wrong}");
            assert_eq!(parsed.document.lines[0].class, Class::Unknown, "{wrong}");
        }
    }

    #[test]
    fn summer_time_in_its_forms() {
        let summer = |line: &str| parse(line).config.clock.summer;
        let turn = |week, month, minute| Turn { week, weekday: 6, month, minute };
        let europe = Summer::Recurring { start: turn(None, 3, 120), end: turn(None, 10, 180) };
        for (line, minutes, when) in [
            ("clock summer-time CEST recurring last Sun Mar 2:00 last Sun Oct 3:00", 60, europe),
            ("clock summer-time CEST recurring last sunday march 2:00 5 Sun october 3:00 60", 60, europe),
            ("clock summer-time EDT recurring", 60, Summer::USUAL),
            ("clock summer-time EDT recurring 2 Sun Mar 2:00 first Sun Nov 2:00 30", 30, Summer::USUAL),
        ] {
            let found = summer(line).unwrap();
            assert_eq!((found.minutes, found.when), (minutes, when), "{line}");
        }
        let once = Summer::Once {
            start: Minute { year: 2026, month: 3, day: 29, minute: 120 },
            end: Minute { year: 2026, month: 10, day: 25, minute: 180 },
        };
        for dates in ["29 March 2026 2:00 25 October 2026 3:00", "Mar 29 2026 2:00 Oct 25 2026 3:00"] {
            assert_eq!(summer(&format!("clock summer-time CEST date {dates}")).unwrap().when, once);
        }
        for wrong in [
            "clock summer-time CEST recurring 6 Sun Mar 2:00 last Sun Oct 3:00",
            "clock summer-time CEST recurring last Sun Mar 25:00 last Sun Oct 3:00",
            "clock summer-time CEST recurring last Sun",
            "clock summer-time CEST date 25 Oct 2026 3:00 29 Mar 2026 2:00",
        ] {
            assert_eq!(summer(wrong), None, "{wrong}");
        }
        assert_eq!(summer("clock summer-time EDT recurring\nno clock summer-time"), None);
    }
}
