//! The port of management: what people and programs may ask of the gateway, and how it refuses.

use crate::base::inbox::Inbox;
use crate::views::Views;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The highest privilege, which permits everything.
pub(crate) const PRIVILEGED: u8 = 15;

/// How long the gateway may take for an order.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// What commands work with.
#[derive(Clone)]
pub(crate) struct Desk {
    /// What there is to show.
    pub(crate) views: Arc<Views>,
    /// Who takes orders.
    pub(crate) gateway: Arc<Inbox>,
}

/// Why a command is not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Something more must follow.
    #[error("% Incomplete command.\n")]
    Incomplete,
    /// A word is wrong; its place in the line, in bytes from 0.
    #[error("% Invalid input detected at '^' marker.\n")]
    Invalid(usize),
    /// A word abbreviates several commands.
    #[error("% Ambiguous command:  \"{0}\"\n")]
    Ambiguous(String),
    /// The command is right, but cannot be carried out; in words.
    #[error("% {0}\n")]
    Failed(String),
    /// A question has to be answered first; the command is then given again with the answer.
    #[error("{}", .0.text)]
    Ask(Question),
}

/// A question of a command before it continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Possibly several lines; the answer follows the last.
    pub(crate) text: String,
    /// One keystroke answers it: `[confirm]`.
    pub(crate) key: bool,
}

/// What was answered so far.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    /// `None`: there is no user to ask, and every answer is the default.
    given: Option<&'a [String]>,
    next: std::cell::Cell<usize>,
}

impl<'a> Answers<'a> {
    /// A person's answers.
    pub(crate) fn of(given: &'a [String]) -> Self {
        Self { given: Some(given), next: std::cell::Cell::new(0) }
    }

    /// Nobody is asked.
    pub(crate) fn usual() -> Self {
        Self { given: None, next: std::cell::Cell::new(0) }
    }

    pub(crate) fn ask(&self, text: &str, key: bool, usual: &str) -> Result<String, Refusal> {
        let Some(given) = self.given else { return Ok(usual.to_string()) };
        let place = self.next.replace(self.next.get() + 1);
        let question = || Refusal::Ask(Question { text: text.to_string(), key });
        given.get(place).cloned().ok_or_else(question)
    }

    /// A line; empty if there is no user to ask.
    pub(crate) fn line(&self, text: &str) -> Result<String, Refusal> {
        self.ask(text, false, "")
    }

    /// `yes` or `no`, asked until it is one of them, as on IOS; no if there is no user to ask.
    pub(crate) fn yes_or_no(&self, text: &str) -> Result<bool, Refusal> {
        let again = format!("% Please answer 'yes' or 'no'.\n{}", text.trim_start_matches('\n'));
        let mut asked = text;
        loop {
            let answer = self.line(asked)?.trim().to_ascii_lowercase();
            match answer.as_str() {
                "y" | "ye" | "yes" => return Ok(true),
                "n" | "no" => return Ok(false),
                _ if self.given.is_none() => return Ok(false),
                _ => asked = &again,
            }
        }
    }

    /// Enter or `y`; yes if there is no user to ask.
    pub(crate) fn confirm(&self, text: &str) -> Result<bool, Refusal> {
        self.ask(text, true, "y").map(|answer| matches!(answer.as_str(), "" | "y" | "Y"))
    }
}

/// What came of a command: the output could not be written, or it was refused, or it is done.
pub(crate) type Outcome = io::Result<Result<(), Refusal>>;
