//! Text to document, model and remarks. Never fails and never drops a line.

use crate::command::{Action, Fate, Fold, Mode, Row, rows};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::{Class, Document, Line};
use crate::form::{Cursor, Word, fit, words};
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

/// Reads a configuration.
pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    parsed.document.ends_with_newline = text.ends_with('\n');
    let body = text.strip_suffix('\n').unwrap_or(text);
    let lines: Vec<&str> = if text.is_empty() { Vec::new() } else { body.split('\n').collect() };
    let mut mode = Mode::Global;
    let mut ended = false;
    let mut index = 0;
    let mut blocks = Blocks::default();
    while let Some(line) = lines.get(index) {
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
        if trimmed.eq_ignore_ascii_case("exit") {
            mode = Mode::Global;
            push(&mut parsed, line, Class::NoOp);
            index += 1;
            continue;
        }
        // a command that begins a block of raw text
        let block = blocks.length(trimmed, lines.get(index + 1..).unwrap_or_default());
        let class = command(&mut parsed, &mut mode, line, number);
        push(&mut parsed, line, class);
        index += 1;
        for _ in 0..block {
            if let Some(raw) = lines.get(index) {
                push(&mut parsed, raw, class);
                index += 1;
            }
        }
    }
    crate::check::check(&mut parsed);
    parsed.diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    parsed
}

fn push(parsed: &mut Parsed, text: &str, class: Class) {
    parsed.document.lines.push(Line { text: text.to_string(), class });
}

/// Ends of blocks of raw text that may be looked for in vain; in a file with more the others are no blocks.
const ENDLESS: usize = 16;

/// Finds where blocks of raw text end. A search in vain reads the rest of the file, so there are only so many.
#[derive(Default)]
struct Blocks {
    /// Ends that do not come any more.
    missing: Vec<String>,
    /// Lines that were looked at.
    looked_at: usize,
}

impl Blocks {
    /// How many of the following lines belong to this one: a banner up to its delimiter, a certificate up to `quit`.
    fn length(&mut self, line: &str, following: &[&str]) -> usize {
        let given = words(line);
        let first = given.first().map(|word| word.text.to_ascii_lowercase()).unwrap_or_default();
        if first == "banner" {
            let Some(text) = given.get(2).or_else(|| given.get(1)) else { return 0 };
            let start = usize::try_from(text.column.saturating_sub(1)).unwrap_or(0);
            let Some(rest) = line.get(start..) else { return 0 };
            let delimiter = if rest.starts_with("^C") {
                "^C"
            } else {
                rest.get(..rest.chars().next().map_or(0, char::len_utf8)).unwrap_or("")
            };
            if delimiter.is_empty()
                || rest.get(delimiter.len()..).is_some_and(|rest| rest.contains(delimiter))
            {
                return 0;
            }
            return self.search(delimiter, following, |line| line.contains(delimiter));
        }
        if first == "certificate" {
            return self.search("quit", following, |line| line.trim() == "quit");
        }
        0
    }

    fn search(&mut self, end: &str, following: &[&str], ends: impl Fn(&str) -> bool) -> usize {
        if self.missing.len() == ENDLESS || self.missing.iter().any(|missing| missing == end) {
            return 0;
        }
        let found = following.iter().position(|line| ends(line));
        self.looked_at += found.map_or(following.len(), |last| last + 1);
        if found.is_none() {
            self.missing.push(end.to_string());
        }
        found.map_or(0, |last| last + 1)
    }
}

/// A row that fits, how many words its form took, how many of them were spelled out, and its arguments.
struct Found<'a> {
    row: &'static Row,
    words: usize,
    exact: usize,
    arguments: Vec<Word<'a>>,
}

/// The row of a mode that fits best: the most words, then the most of them spelled out, then the first. A word that is a
/// keyword by itself is not taken for the abbreviation of another (`ip` is not `ipv6`).
fn best<'a>(mode: Mode, given: &[Word<'a>]) -> Option<Found<'a>> {
    let kind = mode.kind()?;
    let first = given.first()?.text.to_ascii_lowercase();
    let begins = |row: &&Row| row.form.split(' ').next() == Some(first.as_str());
    let spelled_out = rows().filter(|row| row.mode == kind).any(|row| begins(&row));
    let mut found: Option<Found<'a>> = None;
    for row in rows().filter(|row| row.mode == kind).filter(|row| !spelled_out || begins(row)) {
        if let Some(((exact, words), arguments)) = fit(row.form, given)
            && found.as_ref().is_none_or(|best| (words, exact) > (best.words, best.exact))
        {
            found = Some(Found { row, words, exact, arguments });
        }
    }
    found
}

/// Whether all keywords of a found form were spelled out.
fn all_spelled_out(found: &Found<'_>) -> bool {
    found.exact + found.arguments.len() == found.words
}

fn command(parsed: &mut Parsed, mode: &mut Mode, line: &str, number: u32) -> Class {
    let all = words(line);
    let negated = all.first().is_some_and(|word| {
        word.text.eq_ignore_ascii_case("no") || word.text.eq_ignore_ascii_case("default")
    });
    let given = if negated { all.get(1..).unwrap_or_default() } else { &all };
    let indented = line.starts_with([' ', '\t']);
    // the command decides: it is tried in the submode, then globally
    let in_submode = (*mode != Mode::Global).then(|| best(*mode, given)).flatten();
    let global = best(Mode::Global, given);
    let found = match (in_submode, global) {
        // an abbreviation in the submode gives way to a global command that is spelled out
        (Some(inner), Some(outer)) if !all_spelled_out(&inner) && all_spelled_out(&outer) => {
            *mode = Mode::Global;
            Some(outer)
        }
        (Some(inner), Some(outer)) => {
            // what the submode cannot take as it stands may be a global command (`crypto map NAME 10 …` in an interface)
            let before = parsed.diagnostics.len();
            let mut inside = *mode;
            let class = run(parsed, &mut inside, &inner, line, number, &all, given, negated);
            if class != Class::Unknown {
                *mode = inside;
                return class;
            }
            let mut outside = Mode::Global;
            let said = parsed.diagnostics.len();
            let class = run(parsed, &mut outside, &outer, line, number, &all, given, negated);
            if class == Class::Unknown {
                parsed.diagnostics.truncate(said);
                return Class::Unknown;
            }
            parsed.diagnostics.drain(before..said);
            *mode = outside;
            return class;
        }
        (Some(inner), None) => Some(inner),
        (None, outer) => {
            if let (Mode::Opaque(fate), true) = (*mode, indented) {
                return fated(parsed, fate, line, number, &all, negated, true);
            }
            if outer.is_some() {
                *mode = Mode::Global;
            }
            outer
        }
    };
    let Some(found) = found else {
        let column = all.first().map_or(1, |word| word.column);
        parsed.diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            code: Code::Unknown,
            line: number,
            column,
            message: format!(
                "`{}` is not a command that Hubward knows; the line is kept and has no effect",
                shown(line)
            ),
            remedy: "check the spelling, or remove the line".into(),
        });
        return Class::Unknown;
    };
    run(parsed, mode, &found, line, number, &all, given, negated)
}

/// Does what a row says.
fn run(
    parsed: &mut Parsed,
    mode: &mut Mode,
    found: &Found<'_>,
    line: &str,
    number: u32,
    all: &[Word<'_>],
    given: &[Word<'_>],
    negated: bool,
) -> Class {
    match found.row.action {
        Action::Fate(fate) => fated(parsed, fate, line, number, all, negated, false),
        Action::Opens(fate) => {
            if !negated {
                *mode = Mode::Opaque(fate);
            }
            fated(parsed, fate, line, number, all, negated, false)
        }
        Action::Fold(run) => {
            let rest = given.get(found.words..).unwrap_or_default().to_vec();
            let end = u32::try_from(line.trim_end().len() + 1).unwrap_or(u32::MAX);
            let raw = rest
                .first()
                .and_then(|word| line.get(usize::try_from(word.column.saturating_sub(1)).unwrap_or(0)..))
                .unwrap_or_default();
            let mut fold = Fold {
                config: &mut parsed.config,
                mode: *mode,
                no: negated,
                line: number,
                arguments: found.arguments.iter().map(|word| word.text.to_string()).collect(),
                raw: raw.to_string(),
                fate: None,
            };
            let outcome = run(&mut fold, &mut Cursor::new(rest, end));
            *mode = fold.mode;
            let fate = fold.fate;
            match outcome {
                Ok(()) => match fate {
                    Some(fate) => fated(parsed, fate, line, number, all, false, false),
                    None => Class::Implemented,
                },
                Err(problem) => {
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

fn fated(
    parsed: &mut Parsed,
    fate: Fate,
    line: &str,
    number: u32,
    given: &[Word<'_>],
    negated: bool,
    quiet: bool,
) -> Class {
    // taking away what does not exist is done already
    let (severity, code, class, message, remedy) = match fate {
        Fate::NoOp => return Class::NoOp,
        _ if negated => match fate {
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
            "enforce it elsewhere and start with --allow-unenforced",
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
            line: number,
            column: given.first().map_or(1, |word| word.column),
            message: format!("`{}` {message}", shown(line)),
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
