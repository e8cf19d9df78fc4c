//! What a command is given, and what it gives.

use crate::base::console_lines::LineName;
use crate::base::format::Format;
use crate::exec::layout::Shown;
use crate::manage::desk::{Desk, Refusal};
use crate::views::snapshot::Snapshot;
use hubward_config::automaton::Matched;
use std::sync::Arc;

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

/// A line that is a command: its words, spelled out.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(super) matched: Matched,
    /// The position of each of its words in the line, in bytes from 0.
    pub(super) places: Vec<usize>,
}

impl Arguments {
    /// Whether a keyword was given.
    pub(super) fn has(&self, keyword: &str) -> bool {
        self.matched.has(keyword)
    }

    /// The argument of a name, if it was given.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.matched.argument(name)
    }

    /// A word by its place, spelled out.
    pub(super) fn word(&self, place: usize) -> Option<&str> {
        self.matched.words.get(place).map(|(_, word)| word.as_str())
    }

    pub(super) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        self.get(name).map(|text| text.parse().map_err(|_| self.invalid(name))).transpose()
    }

    /// An interface's long name, if one was given.
    pub(super) fn interface(&self) -> Option<String> {
        let name = self.get("interface")?;
        Some(hubward_config::long_name(&format!("{name}{}", self.get("unit").unwrap_or_default())))
    }

    /// The refusal of an argument that means nothing here.
    pub(super) fn invalid(&self, name: &str) -> Refusal {
        let place = self.matched.words.iter().position(|(token, _)| token.name() == name);
        Refusal::Invalid(place.and_then(|place| self.places.get(place)).copied().unwrap_or(0))
    }

    /// The command, spelled out.
    pub(super) fn spelled(&self) -> String {
        self.matched.canonical()
    }
}

/// What a `show` command gives.
pub(crate) type Output = Result<Box<dyn Shown>, Refusal>;

/// A command's rows, for the table.
pub(super) fn shown<S: Shown + 'static>(shown: S) -> Output {
    Ok(Box::new(shown))
}
