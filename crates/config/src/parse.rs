//! Text to document, model and remarks. Never fails and never drops a line.

use crate::automaton::{Kind, Matched, Token, canonical};
use crate::blocks::{Blocks, RawEnd};
use crate::command::draft::Draft;
use crate::command::says::Says;
use crate::command::table::{Lookup, is_family};
use crate::command::{Action, Fate, Fold, In, Mode, Row, Sub};
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::{Class, Line};
use crate::form::{Word, words};
use crate::given::Given;
use crate::model::AclKind;
use crate::parsed::{Numbers, Parsed};
use crate::placing::{Has, Open, Placed, opened, place};
use crate::secret::{shown, shown_half_read, shown_unread};
use crate::source::{Heard, Terminal, column, is_beside, is_do, pasted};
use std::collections::{BTreeMap, BTreeSet};

/// What became of a line, for those who change lines.
#[derive(Clone, Debug)]
pub(crate) struct Trace {
    /// The line in full spelling, after its own indentation.
    pub(crate) spelled: String,
    /// The line that opened the submode of this one; for raw text the command that it belongs to.
    pub(crate) under: Option<usize>,
    /// The command, if it is one.
    pub(crate) command: Option<TracedCommand>,
    /// The mode that it opened.
    pub(crate) opens: Option<Mode>,
    /// Whether it is configuration at all.
    pub(crate) said: Said,
    /// It was typed at a prompt.
    pub(crate) typed: bool,
}

/// What a line of a text is, without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Line,
    Frame,
    End,
    Unread,
    Output,
}

impl Said {
    fn of(heard: Heard<'_>) -> Self {
        match heard {
            Heard::Line(..) | Heard::Typed(..) | Heard::Global(..) => Self::Line,
            Heard::Frame | Heard::Exec => Self::Frame,
            Heard::End => Self::End,
            Heard::Unread => Self::Unread,
            Heard::Output => Self::Output,
        }
    }
}

/// A line that is a command.
#[derive(Clone, Debug)]
pub(crate) struct TracedCommand {
    pub(crate) mode: In,
    pub(crate) matched: Matched,
    /// The line begins with `no` or `default`.
    pub(crate) negated: bool,
    /// It changes the model.
    pub(crate) folds: bool,
    /// It opens a mode, here without effect; with `no` it takes one away.
    pub(crate) heads: bool,
    /// It restricts, and is neither implemented nor a default that `no` may take away.
    pub(crate) restricts: bool,
    /// It is a family of commands, of which the words that follow are none that is known.
    pub(crate) family: bool,
}

/// Reads a configuration.
pub fn parse(text: &str) -> Parsed {
    read(text, Numbers::Kept).0
}

/// The same configuration with every command spelled out: keywords and interface names in full,
/// arguments as given, without the comment that may follow a command. What is not a command stays
/// as it is. It means the same.
pub fn spell_out(text: &str) -> String {
    let (parsed, mut traces) = read(text, Numbers::Kept);
    let end = end_of(text);
    let (mut is_framed, mut is_session) = (false, false);
    for (place, (trace, read)) in traces.iter_mut().zip(&parsed.document.lines).enumerate() {
        // what is not configuration is a comment where only the configuration is left
        let line = trace.spelled.trim();
        let is_comment = line.is_empty() || line.starts_with('!');
        // behind a prompt, a line that is no command where it stands would be one somewhere else
        is_session |= trace.typed;
        let is_astray = is_session && read.class == Class::Unknown;
        let is_read = trace.said == Said::Line && !is_astray || Some(place) == end;
        if !is_read && !is_comment {
            trace.spelled = format!("! {line}");
            is_framed = true;
        } else if is_framed && trace.under.is_none() {
            // the frame that ended the mode above is a comment now
            trace.spelled = line.to_string();
        }
    }
    let lines: Vec<_> = traces.into_iter().map(|trace| trace.spelled).collect();
    let mut out = lines.join("\n");
    if text.ends_with('\n') {
        out.push('\n');
    }
    out
}

/// Reads a configuration, and reports the effect of each line.
pub(crate) fn read(text: &str, numbers: Numbers) -> (Parsed, Vec<Trace>) {
    let mut parsed = Parsed::default();
    let mut draft = Draft::default();
    let mut traces: Vec<Trace> = Vec::new();
    parsed.document.ends_with_newline = text.ends_with('\n');
    let body = text.strip_suffix('\n').unwrap_or(text);
    let lines: Vec<&str> = if text.is_empty() { Vec::new() } else { body.split('\n').collect() };
    // the modes around a line, the outermost first; none is the global mode
    let mut open: Vec<Open> = Vec::new();
    let mut terminal = Terminal::default();
    let (mut unread, mut output) = (Vec::new(), Vec::new());
    // prompts before commands
    let mut shifts: BTreeMap<u32, usize> = BTreeMap::new();
    let depths = depths(&lines);
    let mut index = 0;
    let mut blocks = Blocks::default();
    while let Some(whole) = lines.get(index) {
        let heard = terminal.hear(whole);
        match heard {
            // it is no text of the prose above
            Heard::Typed(..) => while open.pop_if(|open| open.mode == Mode::Unknown).is_some() {},
            Heard::Global(..) | Heard::Exec => open.clear(),
            _ => {}
        }
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let number = if numbers == Numbers::Kept { number } else { 0 };
        let line = match (heard.command(), heard) {
            (Some((line, before)), _) => {
                shifts.extend((before > 0).then_some((number, before)));
                line
            }
            (None, Heard::End) => "end",
            (None, _) => whole,
        };
        let said = Said::of(heard);
        let under = open.last().map(|open| open.line);
        let typed = matches!(heard, Heard::Typed(..) | Heard::Global(..));
        let mut trace = Trace { spelled: line.to_string(), under, command: None, opens: None, said, typed };
        let trimmed = line.trim();
        let mut block = 0;
        match said {
            Said::Unread => unread.push(number),
            Said::Output => output.push(number),
            Said::Line | Said::Frame | Said::End => {}
        }
        let class = if said == Said::End {
            open.clear();
            Class::Implemented
        } else if said != Said::Line || trimmed.is_empty() || trimmed.starts_with('!') {
            Class::Blank
        } else if leaves(trimmed, &open) {
            open.pop();
            Class::NoOp
        } else if is_do(trimmed) {
            // an exec command in a script: it configures nothing, whichever mode is open
            Class::NoOp
        } else {
            let following = lines.get(index + 1..).unwrap_or_default();
            // a command that opens a block of raw text
            block = blocks.length(trimmed, following).unwrap_or_else(|end| {
                parsed.diagnostics.push(endless(line, number, &end));
                0
            });
            let text = following.get(..block).unwrap_or(following);
            // lines that are indented further belong to this one, whatever it is
            let behind = depths.get(index + 1).copied().flatten();
            let left = column(whole);
            let heads = text.is_empty() && behind.is_some_and(|behind| behind > left);
            // the prompt of a mode is the indentation of its lines
            let column = left + usize::from(matches!(heard, Heard::Typed(..)) && !open.is_empty());
            let at = At { line, left, column, index, number, block: text, heads };
            command(&mut parsed, &mut draft, &mut open, at, &mut trace)
        };
        if typed {
            // it stands where its prompt stood, and further right in a mode
            let before = whole.get(..whole.len() - whole.trim_start().len()).unwrap_or_default();
            let within = if trace.under.is_some() { " " } else { "" };
            trace.spelled = format!("{before}{within}{}", trace.spelled.trim_start());
        }
        traces.push(trace);
        push(&mut parsed, whole, class);
        let command = index;
        index += 1;
        for _ in 0..block {
            if let Some(raw) = lines.get(index) {
                let spelled = (*raw).to_string();
                let under = Some(command);
                let said = Said::Line;
                traces.push(Trace { spelled, under, command: None, opens: None, said, typed: false });
                push(&mut parsed, raw, class);
                index += 1;
            }
        }
    }
    for (line, trace) in parsed.document.lines.iter_mut().zip(&traces) {
        line.under = trace.under;
        line.spelled = trace.spelled.trim().to_string();
    }
    parsed.config = draft.finish();
    parsed.config.number_interfaces();
    match numbers {
        Numbers::Kept => crate::check::check(&mut parsed),
        // who compares models wants no remarks
        Numbers::Left => crate::effect::complete(&mut parsed, numbers),
    }
    for told in &mut parsed.diagnostics {
        let before = shifts.get(&told.line).map_or(0, |before| u32::try_from(*before).unwrap_or(u32::MAX));
        told.column = told.column.saturating_add(before);
    }
    parsed.diagnostics.extend(not_read(&lines, &unread, Said::Unread));
    parsed.diagnostics.extend(not_read(&lines, &output, Said::Output));
    parsed.diagnostics.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    (parsed, traces)
}

/// What is dropped of a text. Lines after the `end` may contain restrictions and protection that are
/// unknown here; what an exec command printed cannot.
fn not_read(lines: &[&str], dropped: &[u32], said: Said) -> Option<Diagnostic> {
    let (first, last) = (*dropped.first()?, *dropped.last()?);
    let line = usize::try_from(first.checked_sub(1)?).ok().and_then(|place| lines.get(place))?;
    let what = match dropped.len() {
        1 => format!("`{}` is", shown_unread(line)),
        count => format!("`{}` and {} more lines up to line {last} are", shown_unread(line), count - 1),
    };
    let unread = Diagnostic {
        severity: Severity::Error,
        code: Code::Unenforced,
        line: first,
        column: 1,
        message: format!(
            "{what} after the first `end`, where nothing is read but after `configure terminal`"
        ),
        remedy: "put the lines before `end`, or remove them".into(),
    };
    match said {
        Said::Output => Some(Diagnostic {
            severity: Severity::Warning,
            code: Code::Unknown,
            message: format!("{what} what an exec command printed, and not read"),
            remedy: "remove what is not configuration".into(),
            ..unread
        }),
        _ => Some(unread),
    }
}

/// The index of the `end` of a configuration, counted in lines from 0: what follows is not
/// configuration. An `end` in a banner does not count, nor one after which a script goes on with
/// `configure terminal`.
pub fn end_of(text: &str) -> Option<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let (mut terminal, mut blocks) = (Terminal::default(), Blocks::default());
    let (mut found, mut index) = (None, 0);
    while let Some(line) = lines.get(index) {
        let heard = terminal.hear(line);
        match heard.command() {
            None if heard == Heard::End => found = found.or(Some(index)),
            Some((line, _)) if !line.trim().is_empty() && !line.trim().starts_with('!') => {
                found = None;
                let following = lines.get(index + 1..).unwrap_or_default();
                index += blocks.length(line.trim(), following).unwrap_or(0);
            }
            _ => {}
        }
        index += 1;
    }
    found
}

/// The indexes of the lines under a command of the global mode, however they are indented and
/// wherever the command occurs again, counted from 0. `opener` is in full spelling: `interface
/// FastEthernet0/0`. Comments and lines that end a mode are left out.
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

/// How a line ends the innermost mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// `exit`: it says nothing else.
    Typed,
    /// `exit-address-family` and its like, which are commands of a mode within another.
    AsCommand,
}

impl Leaves {
    /// How a line ends the innermost of these modes; `None` if it does not.
    pub(crate) fn of(line: &str, modes: &[Mode]) -> Option<Self> {
        let is = |word: &str| line.eq_ignore_ascii_case(word);
        let begins = || line.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("exit-"));
        match modes {
            [.., Mode::PubkeyChain | Mode::PubkeyUser(_)] if is("quit") => Some(Self::Typed),
            [_, .., Mode::Opaque(..)] if begins() => Some(Self::AsCommand),
            _ => is("exit").then_some(Self::Typed),
        }
    }
}

/// Whether a line ends the innermost mode.
fn leaves(line: &str, open: &[Open]) -> bool {
    let begins = |word: &str| line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let modes = || open.iter().map(|open| open.mode).collect::<Vec<_>>();
    (begins("exit") || begins("quit")) && Leaves::of(line, &modes()).is_some()
}

/// For each line how far it is indented, or, if it says nothing, the next one that does.
fn depths(lines: &[&str]) -> Vec<Option<usize>> {
    let says = |line: &str| !line.trim().is_empty() && !line.trim().starts_with('!');
    let mut next = None;
    let mut out: Vec<_> = lines
        .iter()
        .rev()
        .map(|line| {
            let text = pasted(line).command().filter(|(text, _)| says(text) && !is_beside(line));
            next = text.map(|_| column(line)).or(next);
            next
        })
        .collect();
    out.reverse();
    out
}

/// What to say of a text whose end does not come.
fn endless(line: &str, number: u32, end: &RawEnd) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: Code::Invalid,
        line: number,
        column: words(line).first().map_or(1, |word| word.column),
        message: format!(
            "`{}` opens a text whose closing `{}` is missing; the lines after it are read as commands",
            shown(line),
            end.shown()
        ),
        remedy: "close the text".into(),
    }
}

/// A line with its position.
struct At<'a> {
    line: &'a str,
    /// How far it or its prompt is indented.
    left: usize,
    /// How far it is indented among the lines around; further than its prompt in a mode.
    column: usize,
    /// Counted from 0.
    index: usize,
    number: u32,
    /// Raw text after the line.
    block: &'a [&'a str],
    /// Lines that are indented further belong to it.
    heads: bool,
}

/// A line with its words, while its command is looked for.
struct Entered<'a> {
    line: &'a str,
    number: u32,
    all: &'a [Word<'a>],
    /// Without `no` or `default`.
    given: &'a [Word<'a>],
    /// Raw text after the line.
    block: &'a [&'a str],
    negation: Option<Negation>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Negation {
    No,
    Default,
}

/// A line's words as its form has them, after its own indentation. Text that runs to the end of a
/// line stays as it is written.
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

/// Does a line where it belongs.
fn command(
    parsed: &mut Parsed,
    draft: &mut Draft,
    open: &mut Vec<Open>,
    at: At<'_>,
    trace: &mut Trace,
) -> Class {
    let At { line, left, column, index, number, block, heads } = at;
    let all = words(line);
    let negation = all.first().and_then(|word| match word.text.to_ascii_lowercase().as_str() {
        "no" => Some(Negation::No),
        "default" => Some(Negation::Default),
        _ => None,
    });
    let given = if negation.is_some() { all.get(1..).unwrap_or_default() } else { &all };
    let entered = Entered { line, number, all: &all, given, block, negation };
    let placed = place(open, given, negation.is_some(), column, heads);
    match placed {
        Placed::Within(depth, _) => open.truncate(depth + 1),
        Placed::Global(_) => open.clear(),
        Placed::Stays | Placed::Nowhere { .. } => {}
    }
    let around = open.last().map_or(Mode::Global, |open| open.mode);
    let mut mode = around;
    let mut also = Vec::new();
    let mut class = Class::Unknown;
    // what lines under this one are, if it is not known to open a mode
    let mut below = Mode::Unknown;
    match placed {
        Placed::Within(_, Has::Row(row, matched)) | Placed::Global(Has::Row(row, matched)) => {
            trace.spelled = spelled_out(&entered, &matched);
            let told = parsed.diagnostics.len();
            class = run(parsed, draft, (&mut mode, &mut also), row, &matched, &entered);
            for place in open.last().filter(|_| row.action.folds()).map_or(&[][..], |open| &open.also) {
                let mut other = Mode::Interface(*place);
                let also = run(parsed, draft, (&mut other, &mut Vec::new()), row, &matched, &entered);
                class = class.and(also);
            }
            // what is said of several interfaces is said once
            let mut said = BTreeSet::new();
            for remark in parsed.diagnostics.split_off(told) {
                if said.insert(remark.message.clone()) {
                    parsed.diagnostics.push(remark);
                }
            }
            if class != Class::Unknown {
                below = match row.action {
                    Action::Fate(fate) | Action::Opens(fate) => Mode::Opaque(fate, Sub::Loose),
                    Action::Fold(_) => around,
                };
            }
            let folds = row.action.folds();
            let heads = matches!(row.action, Action::Opens(_));
            let restricts = matches!(row.action, Action::Fate(Fate::Unenforced(_)));
            let family = is_family(row);
            let negated = negation.is_some();
            let mode = around.kind().unwrap_or(row.mode);
            trace.command = Some(TracedCommand { mode, matched, negated, folds, heads, restricts, family });
        }
        Placed::Within(_, Has::Name(says)) | Placed::Global(Has::Name(says)) => {
            let shared = match around {
                Mode::Opaque(fate, _) => Some(fate),
                _ => None,
            };
            let (own, opens) = match says {
                Says::Is(fate) => (Some(fate), None),
                Says::Opens(fate, sub) => (Some(fate), Some(sub)),
                Says::Nests(sub) => (None, Some(sub)),
                Says::Shares | Says::Elsewhere => (None, None),
            };
            // a line that shares the effect of its mode was reported with it
            let fate = own.or(shared).unwrap_or(Fate::NoOp);
            class = fated(parsed, fate, &entered, own.is_none());
            below = Mode::Opaque(fate, Sub::Loose);
            if let Some(sub) = opens.filter(|_| negation.is_none()) {
                mode = Mode::Opaque(fate, sub);
            }
        }
        Placed::Stays => match around {
            Mode::Opaque(fate, _) => {
                class = fated(parsed, fate, &entered, true);
                below = Mode::Opaque(fate, Sub::Anything);
            }
            // reported with the line that opened it
            _ => below = around,
        },
        Placed::Nowhere { inner, outer } => {
            let wrong = match inner {
                Some(inner) if reach(&inner) >= reach(&outer) => inner,
                _ => outer,
            };
            let mut remark = misfit(&entered, around.kind(), &wrong);
            if heads {
                remark.message.push_str("; neither have the lines under it");
            }
            parsed.diagnostics.push(remark);
            // a misspelt `crypto map` in a file without indentation ends the entry before it all
            // the same: what follows is not that one's
            let is_crypto = all.first().is_some_and(|word| word.text.eq_ignore_ascii_case("crypto"));
            let in_interface = matches!(around, Mode::Interface(_));
            if is_crypto && !in_interface && open.first().is_some_and(|base| column <= base.column) {
                open.clear();
            }
        }
    }
    // the lines indented under a line are not the mode's around it
    if mode == around && heads && below != around && negation.is_none() {
        mode = below;
        if below == Mode::Unknown && open.first().is_some_and(|base| column <= base.column) {
            open.clear();
        }
    }
    // `interface range` may begin with the interface whose mode is open
    let opens = (mode != around || !also.is_empty()).then_some(mode);
    // a mode is not within another one of its own kind: `username a`, `username b`
    if opens.is_some() && mode.kind().is_some() && mode.kind() == around.kind() {
        open.pop();
    }
    trace.under = open.last().map(|open| open.line);
    let column = if trace.under.is_none() { left } else { column };
    if let Some(base) = open.first_mut() {
        base.indented |= column > base.column;
    }
    trace.opens = opens;
    if let Some(mode) = opens {
        open.push(Open { line: index, mode, column, indented: false, also });
    }
    class
}

/// How far into a line a lookup came.
pub(crate) fn reach(lookup: &Lookup) -> usize {
    match lookup {
        Lookup::Command(..) | Lookup::Incomplete { .. } => usize::MAX,
        Lookup::Ambiguous(word) | Lookup::Invalid { word, .. } => *word,
    }
}

/// Whether a word would be an address if its numbers were not too great.
fn is_beyond(word: &str) -> bool {
    let numbers: Vec<Option<u32>> = word.split('.').map(|number| number.parse().ok()).collect();
    numbers.len() == 4
        && numbers.iter().all(Option::is_some)
        && numbers.iter().flatten().any(|number| *number > 255)
}

/// The protocol that a line of a standard list names, and its place: `access-list 99 permit ip any
/// any`. A list takes what is no address for the name of a host, and errs behind it. `within` is the
/// mode of a line without the number of its list.
pub(crate) fn protocol_of_standard<'w>(given: &[Word<'w>], within: Option<In>) -> Option<(usize, &'w str)> {
    let text = |place: usize| given.get(place).map(|word| word.text);
    let number = || text(1)?.parse().ok().and_then(AclKind::of_number);
    let begins = |place: usize, keyword: &str| {
        text(place).is_some_and(|word| word.len() > 2 && keyword.starts_with(&word.to_ascii_lowercase()))
    };
    let verb = match within {
        Some(In::StandardAcl) if text(0)?.starts_with(|first: char| first.is_ascii_digit()) => 1,
        Some(In::StandardAcl) => 0,
        _ if begins(0, "access-list") && number() == Some(AclKind::Standard) => 2,
        _ => return None,
    };
    let is_verb = begins(verb, "permit") || begins(verb, "deny");
    let place = verb + 1;
    let protocol = text(place).filter(|word| {
        ["ip", "tcp", "udp", "icmp", "gre", "esp", "ahp"].iter().any(|known| word.eq_ignore_ascii_case(known))
    })?;
    (is_verb && given.len() > place + 1 && !begins(place + 1, "log")).then_some((place, protocol))
}

/// The diagnostic for a line that is not a command.
fn misfit(entered: &Entered<'_>, within: Option<In>, lookup: &Lookup) -> Diagnostic {
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
            shown_unread(line)
        ),
        remedy: "check the spelling, or remove the line".into(),
    };
    let invalid = |column, problem: String| Diagnostic {
        severity: Severity::Error,
        code: Code::Invalid,
        line: entered.number,
        column,
        message: format!("`{}` has no effect: {problem}", shown_half_read(line, column)),
        remedy: "correct the line".into(),
    };
    if let Some((word, protocol)) = protocol_of_standard(entered.given, within) {
        let problem = format!("a standard list has no protocol, and `{protocol}` is none of its addresses");
        return invalid(column(&word), problem);
    }
    let is_address = |word: &usize| entered.given.get(*word).filter(|word| is_beyond(word.text));
    match lookup {
        Lookup::Incomplete { named: true, expected } => invalid(end, format!("{expected} is expected here")),
        Lookup::Invalid { word, named: true, .. } if is_address(word).is_some() => {
            invalid(column(word), "a number of an address is at most 255".into())
        }
        Lookup::Invalid { word, named: true, expected } => {
            invalid(column(word), format!("{expected} is expected here"))
        }
        Lookup::Ambiguous(word) => invalid(column(word), "this word abbreviates several keywords".into()),
        _ => unknown(entered.all.first().map_or(1, |word| word.column)),
    }
}

/// Does what a row says.
fn run(
    parsed: &mut Parsed,
    draft: &mut Draft,
    (mode, also): (&mut Mode, &mut Vec<usize>),
    row: &Row,
    matched: &Matched,
    entered: &Entered<'_>,
) -> Class {
    let Entered { line, number, .. } = *entered;
    match row.action {
        Action::Fate(fate) => fated(parsed, fate, entered, false),
        Action::Opens(fate) => {
            if entered.negation.is_none()
                && let Some(sub) = opened(*mode, entered.given)
            {
                *mode = Mode::Opaque(fate, sub);
            }
            fated(parsed, fate, entered, false)
        }
        Action::Fold(run) => {
            let mut fold = Fold {
                config: draft,
                mode: *mode,
                also: Vec::new(),
                no: entered.negation.is_some(),
                default: entered.negation == Some(Negation::Default),
                line: number,
                block: entered.block.iter().map(|line| (*line).to_string()).collect(),
                fate: None,
                warning: None,
            };
            let outcome = run(&mut fold, &Given::new(matched, entered.given, line, row.words()));
            *mode = fold.mode;
            parsed.diagnostics.extend(fold.warning.map(|warning| Diagnostic {
                severity: Severity::Warning,
                code: Code::Name,
                line: number,
                column: entered.all.first().map_or(1, |word| word.column),
                message: format!("`{}` {warning}", shown(line)),
                remedy: String::new(),
            }));
            *also = std::mem::take(&mut fold.also);
            match (outcome, fold.fate) {
                (Ok(()), None) => Class::Implemented,
                (Ok(()), Some(fate)) => fated(parsed, fate, &Entered { negation: None, ..*entered }, false),
                (Err(problem), _) => {
                    let what = match problem.said {
                        true => problem.expected,
                        false => format!("{} is expected here", problem.expected),
                    };
                    parsed.diagnostics.push(Diagnostic {
                        severity: Severity::Error,
                        code: Code::Invalid,
                        line: number,
                        column: problem.column,
                        message: format!("`{}` has no effect: {what}", shown_half_read(line, problem.column)),
                        remedy: "correct the line".into(),
                    });
                    Class::Unknown
                }
            }
        }
    }
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
            "remove the line if you do not need it",
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
            format!("{reason}, and that is not implemented: {}", crate::effect::FORWARDED),
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
