//! Where typed lines go: the modes around, and the lines that opened them.

use crate::automaton::Form;
use crate::command::table::commands;
use crate::command::{In, Mode, Sub};
use crate::form::words;
use crate::help::{self, Choice};
use crate::parse::Trace;
use crate::placing::is_global;

/// Where typed lines go: the lines that opened the modes around, the outermost first. None is the
/// global mode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    pub(super) openers: Vec<Opener>,
    /// The lines that open the other interfaces of an `interface range`, of which the opener is the
    /// first.
    pub(super) range: Vec<String>,
    /// The line above, if it was refused and the next ones may belong to it.
    pub(super) refused: Option<Refused>,
    /// What lines with `no` that were refused would have removed, spelled out, until it is removed.
    pub(super) not_removed: Vec<String>,
}

/// A line that opened a mode, spelled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opener {
    pub(super) line: String,
    pub(super) mode: Mode,
}

/// A line that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// The line, without what may be secret.
    pub(super) line: String,
    /// How far it is indented.
    pub(super) column: usize,
    /// Lines that are indented further belong to it.
    pub(super) heads: bool,
    /// The mode that it would have opened.
    pub(super) opener: Option<Opener>,
}

impl Position {
    /// Whether this is the global mode, and not that of a line that was refused.
    pub fn is_global(&self) -> bool {
        self.openers.is_empty() && self.refused.as_ref().is_none_or(|refused| refused.opener.is_none())
    }

    /// Leaves the innermost mode, or what a refused line would have opened: `exit`. The global mode
    /// stays.
    pub fn leave(&mut self) {
        if self.refused.take().is_none_or(|refused| refused.opener.is_none()) {
            self.openers.pop();
            self.range.clear();
        }
    }

    /// The text in the parentheses of the prompt.
    pub fn prompt(&self) -> &'static str {
        let Some(opener) = self.openers.last() else { return "config" };
        if !self.range.is_empty() {
            return "config-if-range";
        }
        match opener.mode {
            Mode::Interface(_) if opener.line.contains('.') => "config-subif",
            mode => mode.kind().map_or_else(|| opaque_prompt(&opener.line), help::prompt),
        }
    }

    /// The mode of another interface of the range.
    pub(super) fn beside(&self, opener: &str) -> Self {
        let mode = self.openers.first().map_or(Mode::Unknown, |first| first.mode);
        let opener = Opener { line: opener.to_string(), mode };
        let openers = std::iter::once(opener).chain(self.openers.iter().skip(1).cloned());
        Self { openers: openers.collect(), ..Self::default() }
    }

    pub(crate) fn mode(&self) -> Option<In> {
        self.openers.last().map_or(Some(In::Global), |opener| opener.mode.kind())
    }

    /// The forms of the commands that may come here: the mode's own, and every global one.
    fn forms(&self) -> impl Iterator<Item = &'static Form> {
        let own = self.mode().into_iter().filter(|mode| *mode != In::Global);
        own.chain([In::Global]).flat_map(|mode| &commands(mode).forms)
    }

    /// What may come next, for `?`: the commands of this mode, with the forms of the shell's own.
    pub fn choices(&self, shell: &[&'static Form], line: &str) -> Vec<Choice> {
        let own = self.mode().map(|mode| commands(mode).forms.iter()).into_iter().flatten();
        let (_, behind) = without_negation(line);
        let shell = shell.iter().copied().filter(|_| behind.len() == line.len());
        help::choices(&own.chain(shell).collect::<Vec<_>>(), behind)
    }

    /// The line with its last word completed, if only one keyword begins so.
    pub fn complete(&self, shell: &[&'static Form], line: &str) -> Option<String> {
        let (before, behind) = without_negation(line);
        let shell = shell.iter().copied().filter(|_| before.is_empty());
        let completed = help::complete(&self.forms().chain(shell).collect::<Vec<_>>(), behind)?;
        Some(format!("{before}{completed}"))
    }
}

/// The prompts of modes whose commands have no effect.
fn opaque_prompt(line: &str) -> &'static str {
    const PROMPTS: [(&str, &str); 11] = [
        ("class-map", "config-cmap"),
        ("control-plane", "config-cp"),
        ("crypto ca", "ca-trustpoint"),
        ("crypto ikev2", "config-ikev2"),
        ("crypto ipsec profile", "ipsec-profile"),
        ("crypto pki", "ca-trustpoint"),
        ("ip vrf", "config-vrf"),
        ("policy-map", "config-pmap"),
        ("route-map", "config-route-map"),
        ("router", "config-router"),
        ("vrf", "config-vrf"),
    ];
    PROMPTS.iter().find(|(start, _)| line.starts_with(start)).map_or("config-submode", |(_, prompt)| prompt)
}

/// Splits `no ` or `default ` off.
pub(super) fn without_negation(line: &str) -> (&str, &str) {
    let start = line.len() - line.trim_start().len();
    for word in ["no ", "default "] {
        let end = start + word.len();
        if line.get(start..end).is_some_and(|begin| begin.eq_ignore_ascii_case(word)) {
            return line.split_at_checked(end).unwrap_or(("", line));
        }
    }
    ("", line)
}

/// Lines as a text.
pub(super) fn joined(lines: &[&str], tail: &[&str]) -> String {
    lines.iter().chain(tail).flat_map(|line| [*line, "\n"]).collect()
}

/// The lines that open the modes of a position, and the entered line as it is placed under them.
pub(super) fn entry_lines(position: &Position, command: &str) -> (Vec<String>, String) {
    let indented = |(depth, opener): (usize, &Opener)| format!("{}{}", " ".repeat(depth), opener.line);
    let openers = position.openers.iter().enumerate().map(indented).collect();
    let unknown =
        matches!(position.openers.last(), Some(Opener { mode: Mode::Opaque(_, Sub::Anything), .. }));
    // a mode with unknown commands accepts any line; a global command ends it
    let ends = unknown && !command.starts_with([' ', '\t']) && {
        let (before, behind) = without_negation(command);
        is_global(&words(behind), !before.is_empty())
    };
    let indentation = if ends { String::new() } else { " ".repeat(position.openers.len()) };
    (openers, format!("{indentation}{}", command.trim()))
}

/// The modes around a line, the outermost first.
pub(super) fn chain(traces: &[Trace], under: Option<usize>) -> Vec<Opener> {
    let mut out = Vec::new();
    let mut next = under;
    while let Some(trace) = next.and_then(|place| traces.get(place)) {
        if let Some(mode) = trace.opens {
            out.push(Opener { line: trace.spelled.trim().to_string(), mode });
        }
        next = trace.under;
    }
    out.reverse();
    out
}
