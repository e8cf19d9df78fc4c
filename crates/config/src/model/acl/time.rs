//! `time-range`: when a line counts.

/// A time range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TimeRange {
    /// Name.
    pub name: String,
    /// `absolute`
    pub absolute: Option<Absolute>,
    /// `periodic`: one of these must hold, if there is any.
    pub periodic: Vec<Periodic>,
    /// A line of it was not understood.
    pub unread: bool,
    /// Line.
    pub line: u32,
}

/// `absolute [start …] [end …]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Absolute {
    /// From the beginning of this minute.
    pub start: Option<Minute>,
    /// Up to the end of this minute.
    pub end: Option<Minute>,
}

/// A minute of a day of the calendar; the order is that of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day, from 1.
    pub day: u8,
    /// Minutes since midnight.
    pub minute: u16,
}

/// `periodic DAYS hh:mm to [DAY] hh:mm`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Periodic {
    /// Days on which it begins; bit 0 is Monday.
    pub days: u8,
    /// Minutes since midnight.
    pub start: u16,
    /// The weekday on which it ends, if that is not the day on which it begins; 0 is Monday.
    pub end_day: Option<u8>,
    /// Minutes since midnight; this minute is the last.
    pub end: u16,
}

/// A minute as a time range looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The minute.
    pub at: Minute,
    /// The weekday; 0 is Monday.
    pub weekday: u8,
}

/// Minutes of a day.
const DAY: u32 = 24 * 60;

impl Periodic {
    /// Whether a moment lies in it.
    pub fn contains(&self, moment: Moment) -> bool {
        let now = u32::from(moment.weekday) * DAY + u32::from(moment.at.minute);
        (0_u8..7).filter(|day| self.days >> day & 1 == 1).any(|day| {
            let start = u32::from(day) * DAY + u32::from(self.start);
            let mut end = u32::from(self.end_day.unwrap_or(day)) * DAY + u32::from(self.end);
            // over the end of the week
            if end < start {
                end += 7 * DAY;
            }
            (start..=end).contains(&now) || (start..=end).contains(&(now + 7 * DAY))
        })
    }
}

impl TimeRange {
    /// Whether it says when it is, and every line of it was understood.
    pub fn is_known(&self) -> bool {
        !self.unread && (self.absolute.is_some() || !self.periodic.is_empty())
    }

    /// Whether a moment lies in it: within `absolute`, and within one of `periodic`.
    pub fn contains(&self, moment: Moment) -> bool {
        let absolute = self.absolute.unwrap_or_default();
        absolute.start.is_none_or(|start| start <= moment.at)
            && absolute.end.is_none_or(|end| moment.at <= end)
            && (self.periodic.is_empty() || self.periodic.iter().any(|period| period.contains(moment)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(weekday: u8, minute: u16) -> Moment {
        Moment { at: Minute { year: 2026, month: 11, day: 30, minute }, weekday }
    }

    #[test]
    fn a_period_may_cross_the_end_of_the_week() {
        let weekend = Periodic { days: 1 << 4, start: 18 * 60, end_day: Some(0), end: 6 * 60 };
        for (weekday, minute, inside) in [
            (4, 1079, false),
            (4, 1080, true),
            (5, 0, true),
            (6, 1439, true),
            (0, 360, true),
            (0, 361, false),
        ] {
            assert_eq!(weekend.contains(moment(weekday, minute)), inside, "{weekday} {minute}");
        }
        let workdays = Periodic { days: 0b1_1111, start: 480, end_day: None, end: 1020 };
        for (weekday, minute, inside) in [(0, 479, false), (0, 480, true), (4, 1020, true), (5, 600, false)] {
            assert_eq!(workdays.contains(moment(weekday, minute)), inside, "{weekday} {minute}");
        }
    }

    #[test]
    fn absolute_and_periodic_must_both_hold() {
        let day = |day| Minute { year: 2026, month: 11, day, minute: 0 };
        let absolute = Absolute { start: Some(day(29)), end: Some(day(30)) };
        let mut range = TimeRange { absolute: Some(absolute), ..TimeRange::default() };
        assert!(!range.contains(moment(0, 1)) && range.contains(moment(0, 0)));
        range.periodic.push(Periodic { days: 2, start: 0, end_day: None, end: 9 });
        assert!(!range.contains(moment(0, 0)));
    }
}
