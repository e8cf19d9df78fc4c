//! Exec commands: the table of them, and the local socket by which `hubward exec` gives one.

mod debug;
#[cfg(test)]
mod golden;
mod layout;
mod manage;
mod ping;
#[cfg(test)]
mod reference;
mod show_acl;
mod show_config;
mod show_engine;
mod show_failures;
mod show_guard;
mod show_interface;
mod show_ipsec;
mod show_isakmp;
mod show_isakmp_config;
mod show_map;
mod show_pool;
mod show_route;
mod show_session;
mod show_system;
mod socket;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use layout::{Date, Format};
pub(crate) use socket::{ask, filtered, serve};
pub(crate) use table::{allowed_forms, find};

use crate::console_lines::LineName;
use crate::gateway::Message;
use crate::snapshot::Snapshot;
use crate::views::Views;
use hubward_config::automaton::Matched;
use layout::Shown;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use table::Run;

/// The privilege of whoever may do everything.
pub(crate) const PRIVILEGED: u8 = 15;
/// How long the gateway may take for an order.
const PATIENCE: Duration = Duration::from_secs(10);

/// What commands work with.
#[derive(Clone)]
pub(crate) struct Desk {
    /// What there is to show.
    pub(crate) views: Arc<Views>,
    /// Who takes orders.
    pub(crate) gateway: SyncSender<Message>,
}

/// Who gives a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// 1 to 15.
    pub(crate) privilege: u8,
    /// The layout that `terminal show-format` chose.
    pub(crate) format: Format,
    /// The line that it comes by.
    pub(crate) line: Option<LineName>,
}

/// What a `show` command is made of.
pub(crate) struct Context {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) caller: Caller,
    pub(crate) desk: Desk,
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
    /// A word stands for several commands.
    #[error("% Ambiguous command:  \"{0}\"\n")]
    Ambiguous(String),
    /// The command is right, but cannot be carried out; in words.
    #[error("% {0}\n")]
    Failed(String),
    /// A question has to be answered first; the command is then given again with the answer.
    #[error("{}", .0.text)]
    Ask(Question),
}

/// What a command asks before it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// Several lines, perhaps; the answer stands behind the last.
    pub(crate) text: String,
    /// One keystroke answers it: `[confirm]`.
    pub(crate) key: bool,
}

/// What was answered so far.
#[derive(Debug)]
pub(crate) struct Answers<'a> {
    /// `None`: nobody is there to be asked, and every answer is the usual one.
    given: Option<&'a [String]>,
    next: std::cell::Cell<usize>,
}

impl<'a> Answers<'a> {
    /// A person's answers.
    pub(crate) fn of(given: &'a [String]) -> Self {
        Self { given: Some(given), next: std::cell::Cell::new(0) }
    }

    /// Nobody is asked.
    fn usual() -> Self {
        Self { given: None, next: std::cell::Cell::new(0) }
    }

    fn ask(&self, text: &str, key: bool, usual: &str) -> Result<String, Refusal> {
        let Some(given) = self.given else { return Ok(usual.to_string()) };
        let place = self.next.replace(self.next.get() + 1);
        let question = || Refusal::Ask(Question { text: text.to_string(), key });
        given.get(place).cloned().ok_or_else(question)
    }

    /// A line; where nobody is asked, an empty one.
    fn line(&self, text: &str) -> Result<String, Refusal> {
        self.ask(text, false, "")
    }

    /// `yes` or `no`, asked until it is one of them, as on IOS; where nobody is asked, no.
    fn yes_or_no(&self, text: &str) -> Result<bool, Refusal> {
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

    /// Enter or `y`; where nobody is asked, yes.
    fn confirm(&self, text: &str) -> Result<bool, Refusal> {
        self.ask(text, true, "y").map(|answer| matches!(answer.as_str(), "" | "y" | "Y"))
    }
}

/// A line that is a command: its words, spelled out.
#[derive(Debug)]
pub(crate) struct Arguments {
    matched: Matched,
    /// Where each of its words stands in the line, in bytes from 0.
    places: Vec<usize>,
}

impl Arguments {
    /// Whether a keyword was given.
    fn has(&self, keyword: &str) -> bool {
        self.matched.has(keyword)
    }

    /// The argument of a name, if it was given.
    fn get(&self, name: &str) -> Option<&str> {
        self.matched.argument(name)
    }

    /// A word by its place, spelled out.
    fn word(&self, place: usize) -> Option<&str> {
        self.matched.words.get(place).map(|(_, word)| word.as_str())
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.get(name).map(|text| text.parse().map_err(|_| self.invalid(name))).transpose()
    }

    /// An interface's long name, if one was given.
    fn interface(&self) -> Option<String> {
        let name = self.get("interface")?;
        Some(hubward_config::long_name(&format!("{name}{}", self.get("unit").unwrap_or_default())))
    }

    /// The refusal of an argument that means nothing here.
    fn invalid(&self, name: &str) -> Refusal {
        let place = self.matched.words.iter().position(|(token, _)| token.name() == name);
        Refusal::Invalid(place.and_then(|place| self.places.get(place)).copied().unwrap_or(0))
    }

    /// The command, spelled out.
    fn spelled(&self) -> String {
        self.matched.canonical()
    }
}

/// Carries a command out; `| json` behind a `show` command gives its rows as JSON. What is written before an error of `out` has
/// been written.
pub(crate) fn run(line: &str, caller: Caller, desk: &Desk, out: &mut dyn Write) -> Outcome {
    answered(line, caller, &Answers::usual(), desk, out)
}

/// The same for somebody who can be asked.
pub(crate) fn answered(
    line: &str,
    caller: Caller,
    answers: &Answers<'_>,
    desk: &Desk,
    out: &mut dyn Write,
) -> Outcome {
    let (command, json) = match line.split_once(" | ") {
        Some((command, filter)) if !filter.trim().is_empty() && "json".starts_with(filter.trim()) => {
            (command, true)
        }
        Some((command, _)) => return Ok(Err(Refusal::Invalid(command.len() + 3))),
        None => (line, false),
    };
    let (row, arguments) = match table::find(command, caller.privilege) {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let shown = match row.run {
        Run::Show(show) => {
            show(&Context { snapshot: desk.views.snapshot(), caller, desk: desk.clone() }, &arguments)
        }
        Run::Order(_) | Run::Clear(_) | Run::Tell(_) | Run::Manage(_) if json => {
            return Ok(Err(Refusal::Invalid(command.len() + 1)));
        }
        Run::Tell(tell) => {
            return tell(
                &Context { snapshot: desk.views.snapshot(), caller, desk: desk.clone() },
                &arguments,
                out,
            );
        }
        Run::Manage(manage) => {
            return match manage(desk, &arguments, answers) {
                Ok(text) => out.write_all(text.as_bytes()).map(Ok),
                Err(refusal) => Ok(Err(refusal)),
            };
        }
        Run::Clear(clear) => {
            clear(&desk.views);
            return Ok(Ok(()));
        }
        Run::Order(order) => {
            return Ok(order(&arguments).and_then(|command| {
                let (sender, receiver) = std::sync::mpsc::channel();
                let sent = desk.gateway.send(Message::Order(command, sender)).is_ok();
                match sent && receiver.recv_timeout(PATIENCE).is_ok() {
                    true => Ok(()),
                    false => Err(Refusal::Failed("The gateway does not answer".into())),
                }
            }));
        }
    };
    match shown {
        Ok(shown) if json => shown.json(&arguments.spelled(), out).map(Ok),
        Ok(shown) => shown.text(caller.format, out).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// What came of a command: the output could not be written, or it was refused, or it is done.
pub(crate) type Outcome = io::Result<Result<(), Refusal>>;

/// What a `show` command gives.
pub(crate) type Output = Result<Box<dyn Shown>, Refusal>;

/// A command's rows, for the table.
fn shown<S: Shown + 'static>(shown: S) -> Output {
    Ok(Box::new(shown))
}
