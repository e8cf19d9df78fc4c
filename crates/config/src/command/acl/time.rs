//! `time-range`.

use crate::acl::names::{DAYS, MONTHS};
use crate::command::mode::{In, Mode};
use crate::command::row::{Fold, Row, fold};
use crate::form::Problem;
use crate::given::Given;
use crate::model::{Absolute, Minute, Periodic, TimeRange};

pub(crate) const ROWS: &[Row] = &[
    fold(In::Global, "time-range <name>", "", time_range),
    fold(
        In::TimeRange,
        "absolute",
        "{start <start-time> <1-31:start-day> <start-month> <1993-2035:start-year> [end <end-time> <1-31:end-day> <end-month> <1993-2035:end-year>]|end <end-time> <1-31:end-day> <end-month> <1993-2035:end-year> [start <start-time> <1-31:start-day> <start-month> <1993-2035:start-year>]}",
        absolute,
    ),
    fold(
        In::TimeRange,
        "periodic",
        "{daily|weekdays|weekend|{Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday}...} <start-time> to [<end-weekday>] <end-time>",
        periodic,
    ),
];

fn time_range(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.word("name").unwrap_or_default();
    if fold.no {
        fold.config.time_ranges.remove(name);
        return Ok(());
    }
    let line = fold.line;
    let make = || TimeRange { name: name.to_string(), line, ..TimeRange::default() };
    let place = fold.config.time_ranges.entry(name.to_string(), make);
    fold.mode = Mode::TimeRange(place);
    Ok(())
}

fn here<'f>(fold: &'f mut Fold<'_>) -> Option<&'f mut TimeRange> {
    let Mode::TimeRange(place) = fold.mode else { return None };
    fold.config.time_ranges.get_mut(place)
}

fn absolute(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let start = minute(given, ["start-time", "start-day", "start-month", "start-year"])?;
    let end = minute(given, ["end-time", "end-day", "end-month", "end-year"])?;
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(given.problem("end-time", "a time after the start"));
    }
    let no = fold.no;
    if let Some(range) = here(fold) {
        range.absolute = if no { None } else { Some(Absolute { start, end }) };
    }
    Ok(())
}

fn minute(given: &Given<'_>, [time, day, month, year]: [&str; 4]) -> Result<Option<Minute>, Problem> {
    let Some(clock) = given.word(time) else { return Ok(None) };
    let minute = minutes(clock).ok_or_else(|| given.problem(time, "a time hh:mm"))?;
    let typed = given.word(month).unwrap_or_default();
    let found = index(&MONTHS, typed).ok_or_else(|| given.problem(month, "a month"))?;
    let (Some(day), Some(year)) = (given.number(day), given.number(year)) else {
        return Err(given.problem(year, "a year"));
    };
    Ok(Some(Minute { year, month: found + 1, day, minute }))
}

/// `hh:mm` in minutes since midnight.
pub(crate) fn minutes(clock: &str) -> Option<u16> {
    let (hours, minutes) = clock.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// The place of a name; three letters are enough.
pub(crate) fn index(names: &[&str], typed: &str) -> Option<u8> {
    let begins = |name: &&str| name.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed));
    let place = names.iter().position(|name| typed.len() > 2 && begins(name))?;
    u8::try_from(place).ok()
}

fn periodic(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let time =
        |name: &str| given.word(name).and_then(minutes).ok_or_else(|| given.problem(name, "a time hh:mm"));
    let (start, end) = (time("start-time")?, time("end-time")?);
    let end_day = match given.word("end-weekday") {
        None => None,
        Some(day) => Some(index(&DAYS, day).ok_or_else(|| given.problem("end-weekday", "a day"))?),
    };
    if end_day.is_none() && end < start {
        return Err(given.problem("end-time", "a time that is not before the start"));
    }
    let groups = [("daily", 0b111_1111), ("weekdays", 0b001_1111), ("weekend", 0b110_0000)];
    let days = given.choose(&groups).unwrap_or_else(|| {
        let named = DAYS.iter().zip(0_u8..).filter(|(day, _)| given.has(day));
        named.fold(0, |days, (_, place)| days | 1 << place)
    });
    let period = Periodic { days, start, end_day, end };
    let Mode::TimeRange(range) = fold.mode else { return Ok(()) };
    if fold.no {
        fold.config.periods.remove(&(range, period));
    } else {
        fold.config.periods.entry((range, period), || period);
    }
    Ok(())
}
