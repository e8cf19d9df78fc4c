//! `clock`: the router's own time.

use super::acl::Minute;

/// `clock timezone` and `clock summer-time`. Without either, the router's time is UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// `clock timezone`.
    pub timezone: Option<TimeZone>,
    /// `clock summer-time`.
    pub summer: Option<SummerTime>,
}

/// `clock timezone NAME HOURS [MINUTES]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone {
    /// What is printed behind a time.
    pub name: String,
    /// Minutes that it is ahead of UTC.
    pub minutes: i16,
}

/// `clock summer-time NAME …`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummerTime {
    /// What is printed behind a time.
    pub name: String,
    /// Minutes that it is ahead of standard time.
    pub minutes: u16,
    /// When it holds.
    pub when: Summer,
}

/// When summer time holds. It begins at a standard time, and ends at a summer time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summer {
    /// `recurring`: every year; over New Year where it begins later in a year than it ends.
    Recurring {
        /// The first minute.
        start: Turn,
        /// The minute after the last.
        end: Turn,
    },
    /// `date`: once.
    Once {
        /// The first minute.
        start: Minute,
        /// The minute after the last.
        end: Minute,
    },
}

/// A minute of each year, such as 2:00 on the last Sunday in March.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which of the month's days of this name, from 1; `None` is the last.
    pub week: Option<u8>,
    /// 0 is Monday.
    pub weekday: u8,
    /// From 1.
    pub month: u8,
    /// Minutes since midnight.
    pub minute: u16,
}

impl Summer {
    /// `recurring` alone: as in the United States since 2007.
    pub const USUAL: Self = Self::Recurring {
        start: Turn { week: Some(2), weekday: SUNDAY, month: 3, minute: 120 },
        end: Turn { week: Some(1), weekday: SUNDAY, month: 11, minute: 120 },
    };

    /// Whether it is summer in a minute, as a clock of standard time and one of summer time show it.
    pub fn holds(&self, standard: Minute, summer: Minute) -> bool {
        match *self {
            Self::Once { start, end } => start <= standard && summer < end,
            Self::Recurring { start, end } => {
                let (start, end) = (start.of(standard.year), end.of(standard.year));
                let (begun, not_over) = (start <= standard, summer < end);
                if start <= end { begun && not_over } else { begun || not_over }
            }
        }
    }
}

const SUNDAY: u8 = 6;

impl Turn {
    /// The minute in a year.
    fn of(self, year: u16) -> Minute {
        let Self { week, weekday, month, minute } = self;
        let first = 1 + (weekday + 7 - weekday_of_first(year, month)) % 7;
        let length = length(year, month);
        let last = if first + 28 <= length { first + 28 } else { first + 21 };
        // not every month has a fifth
        let day = week.map_or(last, |week| (first + 7 * week.saturating_sub(1)).min(last));
        Minute { year, month, day, minute }
    }
}

/// The days of a month.
fn length(year: u16, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The weekday of the first day of a month; 0 is Monday.
fn weekday_of_first(year: u16, month: u8) -> u8 {
    // 1 January of the year 1 would have been a Monday
    let before = u32::from(year.saturating_sub(1));
    let years = before * 365 + before / 4 - before / 100 + before / 400;
    let months: u32 = (1..month).map(|month| u32::from(length(year, month))).sum();
    u8::try_from((years + months) % 7).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(year: u16, month: u8, day: u8, minute: u16) -> Minute {
        Minute { year, month, day, minute }
    }

    #[test]
    fn the_days_on_which_clocks_are_changed() {
        let turn = |week, weekday, month| Turn { week, weekday, month, minute: 120 };
        for (turn, year, month, day) in [
            (turn(None, SUNDAY, 3), 2026, 3, 29),
            (turn(None, SUNDAY, 10), 2026, 10, 25),
            (turn(Some(2), SUNDAY, 3), 2026, 3, 8),
            (turn(Some(1), SUNDAY, 11), 2026, 11, 1),
            (turn(Some(1), 0, 6), 2026, 6, 1),
            (turn(None, 3, 2), 2024, 2, 29),
            (turn(None, 0, 2), 2100, 2, 22),
            (turn(Some(5), 0, 2), 2026, 2, 23),
        ] {
            assert_eq!(turn.of(year), minute(year, month, day, 120), "{turn:?}");
        }
    }

    /// The clock of the north is put forward at 2:00 and back at 3:00, as it shows them.
    #[test]
    fn summer_time_begins_by_one_clock_and_ends_by_the_other() {
        let turn = |month, minute| Turn { week: None, weekday: SUNDAY, month, minute };
        let north = Summer::Recurring { start: turn(3, 120), end: turn(10, 180) };
        for (standard, holds) in [
            (minute(2026, 3, 29, 119), false),
            (minute(2026, 3, 29, 120), true),
            (minute(2026, 7, 1, 0), true),
            (minute(2026, 10, 25, 119), true),
            (minute(2026, 10, 25, 120), false),
            (minute(2026, 12, 31, 1370), false),
        ] {
            let mut summer = Minute { minute: standard.minute + 60, ..standard };
            if summer.minute >= 1440 {
                summer = minute(2027, 1, 1, summer.minute - 1440);
            }
            assert_eq!(north.holds(standard, summer), holds, "{standard:?}");
        }
    }

    #[test]
    fn in_the_south_it_is_summer_over_new_year() {
        let turn = |month, minute| Turn { week: Some(1), weekday: SUNDAY, month, minute };
        let south = Summer::Recurring { start: turn(10, 120), end: turn(4, 180) };
        for (month, day, holds) in [(1, 1, true), (4, 4, true), (4, 6, false), (10, 3, false), (12, 31, true)]
        {
            assert_eq!(
                south.holds(minute(2026, month, day, 0), minute(2026, month, day, 60)),
                holds,
                "{month}"
            );
        }
    }

    #[test]
    fn once_is_in_one_year_only() {
        let once = Summer::Once { start: minute(2026, 3, 29, 120), end: minute(2026, 10, 25, 180) };
        assert!(once.holds(minute(2026, 6, 1, 0), minute(2026, 6, 1, 60)));
        assert!(!once.holds(minute(2027, 6, 1, 0), minute(2027, 6, 1, 60)));
    }
}
