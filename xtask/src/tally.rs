//! Counting tests from the closing lines of cargo's test harness, libtest-mimic's included.

/// Tests of one or more runs.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// Names of skipped tests, each with its reason where the harness gives one.
    pub(crate) skipped_names: Vec<String>,
    /// Names of failed tests.
    pub(crate) failed_names: Vec<String>,
}

impl Tally {
    /// Takes one line of output into account.
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix("test result: ") {
            // "ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s"
            for part in rest.split(['.', ';']) {
                let mut words = part.split_whitespace();
                let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
                let Ok(number) = number.parse::<u64>() else { continue };
                match what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    "ignored" => self.skipped += number,
                    _ => {}
                }
            }
            return;
        }
        let Some((name, outcome)) = line.strip_prefix("test ").and_then(|l| l.rsplit_once(" ... ")) else {
            return;
        };
        match outcome.split([',', ' ']).next() {
            Some("ignored") => self.skipped_names.push(name.trim().to_owned()),
            Some("FAILED") => self.failed_names.push(name.trim().to_owned()),
            _ => {}
        }
    }

    /// Adds another tally.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.skipped_names.extend(other.skipped_names.iter().cloned());
        self.failed_names.extend(other.failed_names.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_several_binaries_add_up() {
        let mut tally = Tally::default();
        for line in [
            "test a::b ... ok",
            "test c (needs vpnc) ... ignored",
            "test d ... ignored, too slow",
            "test e ... FAILED",
            "test result: ok. 4 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 1 ignored; 0 measured; 3 filtered out; finished in 1.50s",
        ] {
            tally.line(line);
        }
        assert_eq!((tally.passed, tally.failed, tally.skipped), (14, 2, 2));
        assert_eq!(tally.skipped_names, ["c (needs vpnc)", "d"]);
        assert_eq!(tally.failed_names, ["e"]);
    }
}
