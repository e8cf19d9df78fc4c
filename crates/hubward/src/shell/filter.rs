//! Output filters: `| include`, `exclude`, `begin`, `section`, `count`, with IOS regular
//! expressions.

use crate::manage::desk::Refusal;
use regex::{Regex, RegexBuilder};
use std::io::{self, Write};

/// Bytes that a compiled expression may take.
const COMPILED: usize = 1 << 20;
/// Bound on the memory of one expression; many readers may match at once.
const CACHE: usize = 64 * 1024;

/// One filter of a command line.
#[derive(Clone, Debug)]
pub(crate) enum Filter {
    /// Lines that match.
    Include(Regex),
    /// Lines that do not match.
    Exclude(Regex),
    /// Everything from the first line that matches.
    Begin(Regex),
    /// Lines that match, and what is indented under them; or everything else.
    Section { pattern: Regex, exclude: bool },
    /// How many lines match.
    Count(Regex),
}

/// Why a filter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Nothing, or no expression, after the `|`.
    Incomplete,
    /// No filter of this name; its offset in the line, in bytes.
    Unknown(usize),
    /// The expression, as IOS words it.
    Expression,
}

const NAMES: [&str; 5] = ["begin", "count", "exclude", "include", "section"];

/// Splits a line at its first ` | ` and reads the filters after it: the command, and the filter if
/// there is one.
pub(crate) fn split(line: &str) -> Result<(&str, Option<Filter>), Problem> {
    let Some(bar) = bar(line) else { return Ok((line, None)) };
    let (command, rest) = line.split_at(bar);
    let rest = rest.get(1..).unwrap_or_default();
    let name_at = bar + 1 + (rest.len() - rest.trim_start().len());
    let rest = rest.trim_start();
    let (name, expression) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    if name.is_empty() {
        return Err(Problem::Incomplete);
    }
    let typed = name.to_ascii_lowercase();
    let Some(name) = NAMES.iter().find(|known| known.starts_with(&typed)) else {
        return Err(Problem::Unknown(name_at));
    };
    // blanks at the end of the line belong to the expression on IOS as well, but they are never
    // intended
    let mut expression = expression.trim();
    let mut exclude = false;
    if *name == "section"
        && let Some((word, rest)) = expression.split_once(char::is_whitespace)
        && ["include", "exclude"].iter().any(|full| word.len() > 2 && full.starts_with(word))
    {
        exclude = word.starts_with('e');
        expression = rest.trim();
    }
    if expression.is_empty() {
        return Err(Problem::Incomplete);
    }
    let pattern = compile(expression).ok_or(Problem::Expression)?;
    Ok((
        command.trim_end(),
        Some(match *name {
            "begin" => Filter::Begin(pattern),
            "count" => Filter::Count(pattern),
            "exclude" => Filter::Exclude(pattern),
            "include" => Filter::Include(pattern),
            _ => Filter::Section { pattern, exclude },
        }),
    ))
}

/// A line's command and its filter. `| json` is not a filter: the command itself returns other
/// rows, and keeps it.
pub(crate) fn command(line: &str) -> Result<(&str, Option<Filter>), Refusal> {
    split(line).or_else(|problem| match problem {
        Problem::Unknown(at) if is_json(line, at) => Ok((line, None)),
        Problem::Unknown(at) => Err(Refusal::Invalid(at)),
        Problem::Incomplete => Err(Refusal::Incomplete),
        Problem::Expression => Err(Refusal::Failed("Failed to compile regular expression".into())),
    })
}

/// Whether the filter at a place is `| json`.
fn is_json(line: &str, at: usize) -> bool {
    line.get(at..).is_some_and(|name| !name.trim().is_empty() && "json".starts_with(name.trim()))
}

/// The position of the filter's bar: after a blank, so that an expression or a password with a bar
/// in it is left alone.
fn bar(line: &str) -> Option<usize> {
    line.match_indices('|').map(|(at, _)| at).find(|at| {
        let before = line.get(..*at).unwrap_or_default();
        before.ends_with(char::is_whitespace)
    })
}

/// Compiles an IOS expression. `_` matches a delimiter: a comma, a brace, a parenthesis, a blank,
/// or either end; and itself, so that `include QM_IDLE` finds it.
fn compile(expression: &str) -> Option<Regex> {
    let mut out = String::with_capacity(expression.len() + 16);
    let mut characters = expression.chars();
    let mut in_class = false;
    while let Some(character) = characters.next() {
        match character {
            '\\' => {
                let escaped = characters.next()?;
                out.push_str(&regex::escape(escaped.encode_utf8(&mut [0; 4])));
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
            }
            // the class syntax of IOS knows neither nested classes nor set operations
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(character);
            }
            ']' => {
                in_class = false;
                out.push(']');
            }
            '_' if !in_class => out.push_str("(?:^|[_,{}() ]|$)"),
            '{' | '}' => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
    }
    RegexBuilder::new(&out).size_limit(COMPILED).dfa_size_limit(CACHE).build().ok()
}

/// Filters an output as it is written, a line at a time: however long the output is, it is nowhere
/// as a whole.
#[derive(Debug)]
pub(crate) struct Filtering<'f> {
    filter: &'f Filter,
    /// The line that is not whole yet.
    line: Vec<u8>,
    /// `begin`: the first match was found.
    begun: bool,
    /// `section`: the indentation of the line that opened it.
    inside: Option<usize>,
    count: u64,
}

impl<'f> Filtering<'f> {
    pub(crate) fn new(filter: &'f Filter) -> Self {
        Self { filter, line: Vec::new(), begun: false, inside: None, count: 0 }
    }

    /// Takes the next part of the output, and passes on what remains of it.
    pub(crate) fn write(&mut self, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end_line(out)?;
            }
        }
        Ok(())
    }

    /// The output has ended.
    pub(crate) fn finish(mut self, out: &mut dyn Write) -> io::Result<()> {
        if !self.line.is_empty() {
            self.end_line(out)?;
        }
        match self.filter {
            Filter::Count(_) => writeln!(out, "Number of lines which match regexp = {}", self.count),
            _ => Ok(()),
        }
    }

    fn end_line(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.strip_suffix('\n').unwrap_or(&line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if self.keeps(line) { writeln!(out, "{line}") } else { Ok(()) }
    }

    fn keeps(&mut self, line: &str) -> bool {
        match self.filter {
            Filter::Include(pattern) => pattern.is_match(line),
            Filter::Exclude(pattern) => !pattern.is_match(line),
            Filter::Begin(pattern) => {
                self.begun = self.begun || pattern.is_match(line);
                self.begun
            }
            Filter::Section { pattern, exclude } => {
                let indent = line.len() - line.trim_start().len();
                if self.inside.is_none_or(|head| indent <= head) {
                    self.inside = pattern.is_match(line).then_some(indent);
                }
                self.inside.is_some() != *exclude
            }
            Filter::Count(pattern) => {
                self.count += u64::from(pattern.is_match(line));
                false
            }
        }
    }
}

impl Filter {
    /// The lines that are left of a text.
    pub(crate) fn apply(&self, text: &str) -> String {
        let (mut filtering, mut out) = (Filtering::new(self), Vec::new());
        // a vector takes everything
        let _written = filtering.write(text.as_bytes(), &mut out).and_then(|()| filtering.finish(&mut out));
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "hostname Hub\n!\ncrypto isakmp policy 10\n encr 3des\n group 2\ncrypto keyring spokes\n  \
                        pre-shared-key address 0.0.0.0\n!\ninterface FastEthernet0/0\n ip address 10.48.67.181 \
                        255.255.255.224\n crypto map mymap\n";

    fn filtered(line: &str) -> String {
        let (command, filter) = split(line).unwrap();
        assert_eq!(command, "show run");
        filter.unwrap().apply(TEXT)
    }

    #[test]
    fn each_filter() {
        assert_eq!(
            filtered("show run | include ^crypto"),
            "crypto isakmp policy 10\ncrypto keyring spokes\n"
        );
        assert_eq!(filtered("show run | i map|host"), "hostname Hub\n crypto map mymap\n");
        assert!(filtered("show run | b interface").starts_with("interface FastEthernet0/0\n ip"));
        assert!(!filtered("show run | ex ^ ").contains("encr"));
        assert_eq!(filtered("show run | s crypto isakmp"), "crypto isakmp policy 10\n encr 3des\n group 2\n");
        assert!(!filtered("show run | section exclude crypto (isakmp|keyring)").contains("3des"));
        assert_eq!(filtered("show run | count crypto"), "Number of lines which match regexp = 3\n");
        assert_eq!(filtered("show run | include nothing at all"), "");
    }

    /// However an output is split, the same remains of it.
    #[test]
    fn pieces_make_no_difference() {
        for line in [
            "x | i crypto|2",
            "x | b keyring",
            "x | s isakmp",
            "x | s exclude crypto",
            "x | c net",
            "x | e a",
        ] {
            let (_, filter) = split(line).unwrap();
            let filter = filter.unwrap();
            for size in [1, 3, 7, 1000] {
                let (mut filtering, mut out) = (Filtering::new(&filter), Vec::new());
                for piece in TEXT.as_bytes().chunks(size) {
                    filtering.write(piece, &mut out).unwrap();
                }
                filtering.finish(&mut out).unwrap();
                assert_eq!(String::from_utf8(out).unwrap(), filter.apply(TEXT), "{line} by {size}");
            }
        }
    }

    #[test]
    fn an_underscore_is_a_delimiter() {
        assert_eq!(filtered("show run | include _2_"), " group 2\n");
        assert_eq!(filtered("show run | include _10_"), "crypto isakmp policy 10\n");
        let (_, filter) = split("show crypto isakmp sa | include QM_IDLE").unwrap();
        assert_eq!(filter.unwrap().apply("a QM_IDLE b\nQM IDLE\nQMIDLE\n"), "a QM_IDLE b\nQM IDLE\n");
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(split("show run |").unwrap_err(), Problem::Incomplete);
        assert_eq!(split("show run | include").unwrap_err(), Problem::Incomplete);
        assert_eq!(split("show run | frobnicate x").unwrap_err(), Problem::Unknown(11));
        assert_eq!(split("show run | include (").unwrap_err(), Problem::Expression);
        assert_eq!(split("show run | include a{1000000}").map(|_| ()), Ok(()));
        assert!(split("username a password x|y").unwrap().1.is_none());
    }

    /// Whoever asks by the control socket has a small stack.
    #[test]
    fn no_expression_is_too_deep() {
        let deep = || {
            for (open, close) in [("(", ")"), ("(a|", ")"), ("(a*b", ")*"), ("", "*"), ("[", "]"), ("(", "")]
            {
                for depth in [100, 240, 249, 1900] {
                    let line = format!("x | include {}a{}", open.repeat(depth), close.repeat(depth));
                    if let Ok((_, Some(filter))) = command(&line) {
                        filter.apply(&"a".repeat(1000));
                    }
                }
            }
        };
        std::thread::Builder::new().stack_size(512 * 1024).spawn(deep).unwrap().join().unwrap();
    }

    #[test]
    fn no_expression_takes_long() {
        // the engine is linear in the text; a set operation of the library's own syntax is plain
        // text here
        let text = "a".repeat(100_000);
        let (_, filter) = split("x | include (a|aa|aaa)*b").unwrap();
        assert_eq!(filter.unwrap().apply(&text), "");
        assert!(split("x | include [a&&b]").is_ok());
    }
}
