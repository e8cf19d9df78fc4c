//! Text to document, model and remarks. Never fails and never drops a line.

use crate::automaton::{Kind, Matched, Token, canonical};
use crate::command::table::{Lookup, lookup};
use crate::command::{Action, Fate, Fold, In, Mode, Row};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::{Class, Document, Line};
use crate::edit::RawEnd;
use crate::form::{Cursor, Word, words};
use crate::model::Config;

/// A configuration that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// Every line.
    pub document: Document,
    /// What it means.
    pub config: Config,
    /// What there is to say, in the order of the lines.
    pub diagnostics: Vec<Diagnostic>,
}

/// What became of a line, for those who change lines.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// The line spelled out, behind its own indentation.
    pub(crate) spelled: String,
    /// The line that opened the submode in which this one stands; for raw text the command it belongs to.
    pub(crate) under: Option<usize>,
    /// The command, if it is one.
    pub(crate) command: Option<TracedCommand>,
    /// The mode that it opened.
    pub(crate) opens: Option<Mode>,
}

/// A line that is a command.
#[derive(Clone, Debug)]
pub(crate) struct TracedCommand {
    pub(crate) mode: In,
    pub(crate) matched: Matched,
    /// `no` or `default` stands in front.
    pub(crate) negated: bool,
    /// It changes the model.
    pub(crate) folds: bool,
}

/// Whether the items of the model know their lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Kept,
    /// All are 0, so that two models are equal when they mean the same.
    Left,
}

/// Reads a configuration.
pub fn parse(text: &str) -> Parsed {
    read(text, Numbers::Kept).0
}

/// The same configuration with every command spelled out: keywords and interface names in full, arguments as given, without
/// the comment that may follow a command. What is not a command stays as it is. It means the same.
pub fn spell_out(text: &str) -> String {
    let (_, traces) = read(text, Numbers::Kept);
    let lines: Vec<_> = traces.into_iter().map(|trace| trace.spelled).collect();
    let mut out = lines.join("\n");
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// Reads a configuration, and tells what became of each line.
pub(crate) fn read(text: &str, numbers: Numbers) -> (Parsed, Vec<Trace>) {
    let mut parsed = Parsed::default();
    let mut traces: Vec<Trace> = Vec::new();
    parsed.document.ends_with_newline = text.ends_with('\n');
    let body = text.strip_suffix('\n').unwrap_or(text);
    let lines: Vec<&str> = if text.is_empty() { Vec::new() } else { body.split('\n').collect() };
    let mut mode = Mode::Global;
    // the lines that opened the modes around this one, the outermost first
    let mut openers: Vec<usize> = Vec::new();
    let mut ended = false;
    let mut index = 0;
    let mut blocks = Blocks::default();
    while let Some(line) = lines.get(index) {
        let under = openers.last().copied();
        traces.push(Trace { spelled: (*line).to_string(), under, command: None, opens: None });
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let trimmed = line.trim();
        if ended || trimmed.is_empty() || trimmed.starts_with('!') {
            push(&mut parsed, line, Class::Blank);
            index += 1;
            continue;
        }
        if trimmed.eq_ignore_ascii_case("end") {
            ended = true;
            push(&mut parsed, line, Class::Implemented);
            index += 1;
            continue;
        }
        let leaves =
            matches!(mode, Mode::PubkeyChain | Mode::PubkeyUser(_)) && trimmed.eq_ignore_ascii_case("quit");
        if leaves || trimmed.eq_ignore_ascii_case("exit") {
            mode = mode.outer();
            match mode {
                Mode::Global => openers.clear(),
                _ => drop(openers.pop()),
            }
            push(&mut parsed, line, Class::NoOp);
            index += 1;
            continue;
        }
        // a command that begins a block of raw text
        let block = blocks.length(trimmed, lines.get(index + 1..).unwrap_or_default());
        let number = if numbers == Numbers::Kept { number } else { 0 };
        let (class, left) = match traces.last_mut() {
            Some(trace) => {
                let block = lines.get(index + 1..index + 1 + block).unwrap_or_default();
                command(&mut parsed, &mut mode, line, number, block, trace)
            }
            None => (Class::Unknown, false),
        };
        if left {
            openers.clear();
        }
        if let Some(trace) = traces.last_mut() {
            trace.under = openers.last().copied();
            if trace.opens.is_some() {
                openers.push(index);
            }
        }
        push(&mut parsed, line, class);
        let command = index;
        index += 1;
        for _ in 0..block {
            if let Some(raw) = lines.get(index) {
                let spelled = (*raw).to_string();
                traces.push(Trace { spelled, under: Some(command), command: None, opens: None });
                push(&mut parsed, raw, class);
                index += 1;
            }
        }
    }
    for (line, trace) in parsed.document.lines.iter_mut().zip(&traces) {
        line.under = trace.under;
        line.spelled = trace.spelled.trim().to_string();
    }
    crate::check::check(&mut parsed);
    parsed.diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    (parsed, traces)
}

/// The place of the `end` of a configuration, counted in lines from 0: what is behind it is no configuration. A line of a banner
/// that says `end` is none.
pub fn end_of(text: &str) -> Option<usize> {
    let says_end = |line: &str| line.trim().eq_ignore_ascii_case("end");
    let first = text.lines().position(says_end)?;
    // most files have no raw text, and need not be read for this
    if !text.lines().take(first).any(|line| Blocks::end(line.trim()).is_some()) {
        return Some(first);
    }
    let (_, traces) = read(text, Numbers::Left);
    let is_raw = |trace: &Trace| {
        trace.under.and_then(|under| traces.get(under)).is_some_and(|command| command.opens.is_none())
    };
    traces.iter().position(|trace| says_end(&trace.spelled) && !is_raw(trace))
}

/// The places of the lines that stand under a command of the global mode, however they are indented and wherever it is given
/// again, counted from 0. `opener` is spelled out: `interface FastEthernet0/0`. Comments and what ends a mode are left out.
pub fn lines_under(text: &str, opener: &str) -> Vec<usize> {
    let (_, traces) = read(text, Numbers::Left);
    let top = |trace: &Trace| {
        let mut top = trace.under?;
        while let Some(under) = traces.get(top).and_then(|trace| trace.under) {
            top = under;
        }
        traces.get(top)
    };
    let says = |trace: &Trace| {
        let line = trace.spelled.trim();
        !(line.is_empty()
            || line.starts_with('!')
            || ["exit", "end"].iter().any(|end| line.eq_ignore_ascii_case(end)))
    };
    let under = traces
        .iter()
        .enumerate()
        .filter(|(_, trace)| says(trace) && top(trace).is_some_and(|top| top.spelled.trim() == opener));
    under.map(|(place, _)| place).collect()
}

fn push(parsed: &mut Parsed, text: &str, class: Class) {
    let (text, spelled) = (text.to_string(), String::new());
    parsed.document.lines.push(Line { text, class, under: None, spelled });
}

/// Ends of blocks of raw text that may be looked for in vain; in a file with more the others are no blocks.
const ENDLESS: usize = 16;

/// Finds where blocks of raw text end. A search in vain reads the rest of the file, so there are only so many.
#[derive(Default)]
pub(crate) struct Blocks {
    /// Ends that do not come any more.
    missing: Vec<RawEnd>,
    /// Lines that were looked at.
    looked_at: usize,
}

impl Blocks {
    /// What ends the raw text behind a line: a banner's delimiter, `quit` behind a certificate.
    pub(crate) fn end(line: &str) -> Option<RawEnd> {
        let given = words(line);
        let first = given.first().map(|word| word.text.to_ascii_lowercase()).unwrap_or_default();
        if first == "certificate" {
            return Some(RawEnd::Line("quit".into()));
        }
        if first == "key-string" && given.len() == 1 {
            return Some(RawEnd::Line("exit".into()));
        }
        if first != "banner" {
            return None;
        }
        let text = given.get(2).or_else(|| given.get(1))?;
        let start = usize::try_from(text.column.saturating_sub(1)).unwrap_or(0);
        let rest = line.get(start..)?;
        let delimiter = match rest.starts_with("^C") {
            true => "^C",
            false => rest.get(..rest.chars().next().map_or(0, char::len_utf8)).unwrap_or(""),
        };
        let ends_here = rest.get(delimiter.len()..).is_some_and(|rest| rest.contains(delimiter));
        (!delimiter.is_empty() && !ends_here).then(|| RawEnd::Contains(delimiter.to_string()))
    }

    /// How many of the following lines belong to this one.
    fn length(&mut self, line: &str, following: &[&str]) -> usize {
        Self::end(line).map_or(0, |end| self.search(&end, following))
    }

    fn search(&mut self, end: &RawEnd, following: &[&str]) -> usize {
        if self.missing.len() == ENDLESS || self.missing.contains(end) {
            return 0;
        }
        let found = following.iter().position(|line| end.is(line));
        self.looked_at += found.map_or(following.len(), |last| last + 1);
        if found.is_none() {
            self.missing.push(end.clone());
        }
        found.map_or(0, |last| last + 1)
    }
}

/// A line with its words, while its command is looked for.
struct Entered<'a> {
    line: &'a str,
    number: u32,
    all: &'a [Word<'a>],
    /// Without `no` or `default`.
    given: &'a [Word<'a>],
    /// Raw text behind the line.
    block: &'a [&'a str],
    negation: Option<Negation>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Negation {
    No,
    Default,
}

/// A line's words as its form has them, behind its own indentation. The rest of a line that is a text stays as it is written.
fn spelled_out(entered: &Entered<'_>, matched: &Matched) -> String {
    let line = entered.line;
    let indentation = line.get(..line.len() - line.trim_start().len()).unwrap_or_default();
    let word = match entered.negation {
        Some(Negation::No) => "no ",
        Some(Negation::Default) => "default ",
        None => "",
    };
    let is_text = |(token, _): &(Token, String)| matches!(token, Token::Argument(Kind::Line, _));
    let text = matched.words.iter().position(is_text);
    let (known, rest) = matched.words.split_at(text.unwrap_or(matched.words.len()));
    let mut out = format!("{indentation}{word}{}", canonical(known));
    if !rest.is_empty()
        && let Some(start) = entered.given.get(known.len())
        && let Some(rest) = line.get(usize::try_from(start.column.saturating_sub(1)).unwrap_or(0)..)
    {
        out.push(' ');
        out.push_str(rest);
    }
    out
}

/// Does a line, and tells whether it left the submode.
fn command(
    parsed: &mut Parsed,
    mode: &mut Mode,
    line: &str,
    number: u32,
    block: &[&str],
    trace: &mut Trace,
) -> (Class, bool) {
    let all = words(line);
    let negation = all.first().and_then(|word| match word.text.to_ascii_lowercase().as_str() {
        "no" => Some(Negation::No),
        "default" => Some(Negation::Default),
        _ => None,
    });
    let given = if negation.is_some() { all.get(1..).unwrap_or_default() } else { &all };
    let entered = Entered { line, number, all: &all, given, block, negation };
    if let (Mode::Opaque(fate), true) = (*mode, line.starts_with([' ', '\t'])) {
        return (fated(parsed, fate, &entered, true), false);
    }
    let mut found = |row: &Row, matched: &Matched| {
        trace.spelled = spelled_out(&entered, matched);
        let folds = matches!(row.action, Action::Fold(_));
        let negated = negation.is_some();
        trace.command = Some(TracedCommand { mode: row.mode, matched: matched.clone(), negated, folds });
    };
    // the command decides: it is tried in the submode, then globally
    let find = |kind| lookup(kind, given, negation.is_some());
    let inner = mode.kind().filter(|kind| *kind != In::Global).map(find);
    let outer = find(In::Global);
    match (inner, outer) {
        // an abbreviation in the submode gives way to a global command that is spelled out
        (Some(Lookup::Command(row, matched)), outer)
            if matched.spelled_out
                || !matches!(&outer, Lookup::Command(_, matched) if matched.spelled_out) =>
        {
            found(row, &matched);
            let before = *mode;
            let class = run(parsed, mode, row, &matched, &entered);
            trace.opens = (*mode != before).then_some(*mode);
            (class, false)
        }
        (_, Lookup::Command(row, matched)) => {
            found(row, &matched);
            *mode = Mode::Global;
            let class = run(parsed, mode, row, &matched, &entered);
            trace.opens = (*mode != Mode::Global).then_some(*mode);
            (class, true)
        }
        (inner, outer) => {
            let wrong = match inner {
                Some(inner) if reach(&inner) >= reach(&outer) => inner,
                _ => outer,
            };
            parsed.diagnostics.push(misfit(&entered, &wrong));
            (Class::Unknown, false)
        }
    }
}

/// How far into a line a lookup came.
fn reach(lookup: &Lookup) -> usize {
    match lookup {
        Lookup::Command(..) | Lookup::Incomplete { .. } => usize::MAX,
        Lookup::Ambiguous(word) | Lookup::Invalid { word, .. } => *word,
    }
}

/// What to say of a line that is no command.
fn misfit(entered: &Entered<'_>, lookup: &Lookup) -> Diagnostic {
    let line = entered.line;
    let end = u32::try_from(line.trim_end().len() + 1).unwrap_or(u32::MAX);
    let column = |word: &usize| entered.given.get(*word).map_or(end, |word| word.column);
    let unknown = |column| Diagnostic {
        severity: Severity::Warning,
        code: Code::Unknown,
        line: entered.number,
        column,
        message: format!(
            "`{}` is not a command that Hubward knows; the line is kept and has no effect",
            shown(line)
        ),
        remedy: "check the spelling, or remove the line".into(),
    };
    let invalid = |column, problem: String| Diagnostic {
        severity: Severity::Error,
        code: Code::Invalid,
        line: entered.number,
        column,
        message: format!("`{}` has no effect: {problem}", shown(line)),
        remedy: "correct the line".into(),
    };
    match lookup {
        Lookup::Incomplete { named: true, expected } => invalid(end, format!("{expected} is expected here")),
        Lookup::Invalid { word, named: true, expected } => {
            invalid(column(word), format!("{expected} is expected here"))
        }
        Lookup::Ambiguous(word) => {
            invalid(column(word), "this word is the beginning of several keywords".into())
        }
        _ => unknown(entered.all.first().map_or(1, |word| word.column)),
    }
}

/// Does what a row says.
fn run(parsed: &mut Parsed, mode: &mut Mode, row: &Row, matched: &Matched, entered: &Entered<'_>) -> Class {
    let Entered { line, number, .. } = *entered;
    match row.action {
        Action::Fate(fate) => fated(parsed, fate, entered, false),
        Action::Opens(fate) => {
            if entered.negation.is_none() {
                *mode = Mode::Opaque(fate);
            }
            fated(parsed, fate, entered, false)
        }
        Action::Fold(run) => {
            let behind = row.words();
            // the words as written give the columns, the matched ones the keywords in full
            let rest = matched.words.iter().zip(entered.given).skip(behind);
            let rest: Vec<_> =
                rest.map(|((_, text), word)| Word { text: text.as_str(), column: word.column }).collect();
            let end = u32::try_from(line.trim_end().len() + 1).unwrap_or(u32::MAX);
            let raw = entered
                .given
                .get(behind)
                .and_then(|word| line.get(usize::try_from(word.column.saturating_sub(1)).unwrap_or(0)..))
                .unwrap_or_default();
            let argument = |token: &Token| matches!(token, Token::Argument(..));
            let arguments = matched.words.iter().filter(|(token, _)| argument(token));
            let mut fold = Fold {
                config: &mut parsed.config,
                mode: *mode,
                no: entered.negation.is_some(),
                default: entered.negation == Some(Negation::Default),
                line: number,
                arguments: arguments.map(|(_, word)| word.clone()).collect(),
                raw: raw.to_string(),
                block: entered.block.iter().map(|line| (*line).to_string()).collect(),
                fate: None,
            };
            let outcome = run(&mut fold, &mut Cursor::new(rest, end));
            *mode = fold.mode;
            match (outcome, fold.fate) {
                (Ok(()), None) => Class::Implemented,
                (Ok(()), Some(fate)) => fated(parsed, fate, &Entered { negation: None, ..*entered }, false),
                (Err(problem), _) => {
                    parsed.diagnostics.push(Diagnostic {
                        severity: Severity::Error,
                        code: Code::Invalid,
                        line: number,
                        column: problem.column,
                        message: format!(
                            "`{}` has no effect: {} is expected here",
                            shown(line),
                            problem.expected
                        ),
                        remedy: "correct the line".into(),
                    });
                    Class::Unknown
                }
            }
        }
    }
}

/// The command's first words, for messages: what follows may be a secret.
fn shown(line: &str) -> String {
    let given = words(crate::secret::public_part(line));
    let kept: Vec<_> = given.iter().take(3).map(|word| word.text).collect();
    kept.join(" ")
}

fn fated(parsed: &mut Parsed, fate: Fate, entered: &Entered<'_>, quiet: bool) -> Class {
    // taking away what does not exist is done already
    let (severity, code, class, message, remedy) = match fate {
        Fate::NoOp => return Class::NoOp,
        _ if entered.negation.is_some() => match fate {
            Fate::Inert(_) => (Severity::Notice, Code::Inert, Class::Inert, "has no effect".to_string(), ""),
            _ => return Class::NoOp,
        },
        Fate::Inert(reason) => {
            (Severity::Notice, Code::Inert, Class::Inert, format!("has no effect: {reason}"), "")
        }
        Fate::Unsupported(reason) => (
            Severity::Warning,
            Code::Unsupported,
            Class::Unsupported,
            format!("is not implemented: {reason}"),
            "remove the line if you can do without",
        ),
        Fate::Unenforced(reason) => (
            Severity::Error,
            Code::Unenforced,
            Class::Unsupported,
            format!("{reason}, and that is not enforced"),
            "enforce it elsewhere and allow it with --allow-unenforced",
        ),
        Fate::Forwarding(reason) => (
            Severity::Warning,
            Code::Forwarding,
            Class::Unsupported,
            format!("{reason}, and that is not implemented: packets are forwarded without it"),
            "do it elsewhere, for instance with nftables, or remove the line",
        ),
    };
    if !quiet {
        parsed.diagnostics.push(Diagnostic {
            severity,
            code,
            line: entered.number,
            column: entered.all.first().map_or(1, |word| word.column),
            message: format!("`{}` {message}", shown(entered.line)),
            remedy: remedy.into(),
        });
    }
    class
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks without an end, each with a delimiter of its own: the rest of the file is read a bounded number of times.
    #[test]
    fn endless_blocks() {
        let banners: Vec<String> = (0..5000u32)
            .map(|index| format!("banner motd {}", char::from_u32(0x4e00 + index).unwrap()))
            .collect();
        let certificates = vec!["certificate 01".to_string(); 5000];
        for lines in [banners, certificates] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let mut blocks = Blocks::default();
            for (index, line) in lines.iter().enumerate() {
                assert_eq!(blocks.length(line, &lines[index + 1..]), 0);
            }
            assert!(blocks.looked_at <= ENDLESS * lines.len(), "{}", blocks.looked_at);
        }
    }

    /// One end after the other is missing; what was missing once is no reason to miss another.
    #[test]
    fn ends_and_one_more() {
        let block = |unfinished: usize| {
            let mut blocks = Blocks::default();
            for index in 0..unfinished {
                blocks.length(&format!("banner motd {}", char::from(b'A' + index as u8)), &["x"]);
            }
            blocks.length("banner motd #", &["text", "#", "end"])
        };
        assert_eq!((block(ENDLESS - 1), block(ENDLESS)), (2, 0));
    }
}
