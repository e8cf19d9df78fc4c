//! `logging rate-limit`: how many lines a second has.

use crate::log::line::{Body, LogLine};
use hubward_config::model::RateLimit;

/// The lines of the current second.
#[derive(Debug, Default)]
pub(super) struct Rate {
    second: u64,
    count: u32,
}

impl Rate {
    /// Whether a line may be logged. Every line that is limited counts.
    pub(super) fn allows(&mut self, limit: &RateLimit, line: &LogLine) -> bool {
        let is_excepted = limit.except.is_some_and(|severity| line.severity() <= severity);
        if is_excepted || (matches!(line.body, Body::Debug(_)) && !limit.debug) {
            return true;
        }
        let second = line.at.as_secs();
        if self.second != second {
            (self.second, self.count) = (second, 0);
        }
        self.count = self.count.saturating_add(1);
        self.count <= u32::from(limit.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_second_has_as_many_lines_as_it_may() {
        let line =
            |second, severity| LogLine::message(Duration::from_secs(second), "SYS", severity, "TEST", "");
        let limit = RateLimit { console: false, debug: false, number: 2, except: Some(3) };
        let mut rate = Rate::default();
        let mut allows = |second, severity| rate.allows(&limit, &line(second, severity));
        assert!(allows(1, 6) && allows(1, 6) && !allows(1, 6) && !allows(1, 4));
        assert!(allows(1, 3), "what is severe is always logged");
        assert!(allows(2, 6) && allows(2, 6) && !allows(2, 6));
        // a clock that is set back begins anew
        assert!(allows(1, 6));
    }
}
