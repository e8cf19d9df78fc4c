//! The account that the lab prints as it goes.

use hubward_linux::terminal::is_terminal;
use std::time::Instant;

/// Prints, with the time since the lab began.
pub(crate) struct Account {
    begun: Instant,
    colour: bool,
}

impl Account {
    /// The clock runs from now.
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), colour: is_terminal(std::io::stdout()) }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A new chapter.
    pub(crate) fn title(&mut self, text: &str) {
        println!("\n{}", self.paint("1", &format!("== {text}")));
    }

    /// A sentence.
    pub(crate) fn say(&mut self, text: &str) {
        println!("{:6.1} s  {text}", self.begun.elapsed().as_secs_f32());
    }

    /// A proof that passed or did not.
    pub(crate) fn proof(&mut self, passed: bool, text: &str) {
        let sign = if passed { self.paint("32", "passed") } else { self.paint("31", "FAILED") };
        println!("          {sign}  {text}");
    }

    /// Output of a command.
    pub(crate) fn block(&mut self, title: &str, text: &str) {
        println!("\n{}\n{}", self.paint("1", title), text.trim_end());
    }
}
