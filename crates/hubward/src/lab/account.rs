//! The report that the lab prints as it runs.

use crate::base::program::say;
use hubward_linux::terminal::is_terminal;
use std::time::Instant;

/// Prints lines with the time since the lab started.
pub(crate) struct Account {
    begun: Instant,
    colour: bool,
}

impl Account {
    /// Starts the clock.
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), colour: is_terminal(std::io::stdout()) }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Starts a new section.
    pub(crate) fn title(&mut self, text: &str) {
        say(&format!("\n{}\n", self.paint("1", &format!("== {text}"))));
    }

    /// Prints a sentence.
    pub(crate) fn say(&mut self, text: &str) {
        say(&format!("{:6.1} s  {text}\n", self.begun.elapsed().as_secs_f32()));
    }

    /// Prints a check that passed or failed.
    pub(crate) fn proof(&mut self, passed: bool, text: &str) {
        let sign = if passed { self.paint("32", "passed") } else { self.paint("31", "FAILED") };
        say(&format!("          {sign}  {text}\n"));
    }

    /// Prints the output of a command.
    pub(crate) fn block(&mut self, title: &str, text: &str) {
        say(&format!("\n{}\n{}\n", self.paint("1", title), text.trim_end()));
    }
}
