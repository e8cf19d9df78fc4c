//! Output filters: `| include`, `exclude`, `begin`, `section`, `count`, with IOS regular expressions.

use crate::exec::Refusal;
use regex::{Regex, RegexBuilder};

/// Bytes that a compiled expression may take.
const COMPILED: usize = 1 << 20;

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
    /// No filter of this name; the byte where it stands in the line.
    Unknown(usize),
    /// The expression, as IOS words it.
    Expression,
}

const NAMES: [&str; 5] = ["begin", "count", "exclude", "include", "section"];

/// Splits a line at its first ` | ` and reads the filters behind it: the command, and the filter if there is one.
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
    // blanks at the end of the line belong to the expression on IOS too, but nobody means them
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

/// A line's command and its filter. `| json` is no filter: the command itself gives other rows, and keeps it.
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

/// Where the filter's bar stands: after a blank, so that an expression or a password with a bar in it is left alone.
fn bar(line: &str) -> Option<usize> {
    line.match_indices('|').map(|(at, _)| at).find(|at| {
        let before = line.get(..*at).unwrap_or_default();
        before.ends_with(char::is_whitespace)
    })
}

/// Compiles an IOS expression. `_` stands for a delimiter: a comma, a brace, a parenthesis, a blank, or either end; and for
/// itself, so that `include QM_IDLE` finds what it says.
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
    RegexBuilder::new(&out).size_limit(COMPILED).dfa_size_limit(COMPILED).build().ok()
}

impl Filter {
    /// The lines that are left of an output.
    pub(crate) fn apply(&self, text: &str) -> String {
        let lines = text.lines();
        let kept: Vec<&str> = match self {
            Self::Include(pattern) => lines.filter(|line| pattern.is_match(line)).collect(),
            Self::Exclude(pattern) => lines.filter(|line| !pattern.is_match(line)).collect(),
            Self::Begin(pattern) => lines.skip_while(|line| !pattern.is_match(line)).collect(),
            Self::Section { pattern, exclude } => {
                let mut inside: Option<usize> = None;
                let mut belongs = |line: &str| {
                    let indent = line.len() - line.trim_start().len();
                    if inside.is_none_or(|head| indent <= head) {
                        inside = pattern.is_match(line).then_some(indent);
                    }
                    inside.is_some()
                };
                lines.filter(|line| belongs(line) != *exclude).collect()
            }
            Self::Count(pattern) => {
                let count = lines.filter(|line| pattern.is_match(line)).count();
                return format!("Number of lines which match regexp = {count}\n");
            }
        };
        let mut out = kept.join("\n");
        if !out.is_empty() {
            out.push('\n');
        }
        out
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

    #[test]
    fn no_expression_takes_long() {
        // the engine is linear in the text; a set operation of the library's own syntax is plain text here
        let text = "a".repeat(100_000);
        let (_, filter) = split("x | include (a|aa|aaa)*b").unwrap();
        assert_eq!(filter.unwrap().apply(&text), "");
        assert!(split("x | include [a&&b]").is_ok());
    }
}
