//! What comes before parsing: the bytes of a file, and what a terminal showed around a
//! configuration. Configurations are copied from terminals: prompts, `Building configuration...`
//! and `--More--` come with them.

use crate::form::{Word, words};
use crate::placing::{indentation, is_global};

/// Why bytes are not the text of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// UTF-16 with half a character.
    Utf16,
    /// A byte that no text has; its offset.
    Binary(usize),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Utf16 => f.write_str("it is encoded in UTF-16 and broken; save it as UTF-8 or ASCII"),
            Self::Binary(offset) => {
                write!(f, "byte {offset} (counted from 0) is one that no text contains: it is a binary file")
            }
        }
    }
}

impl std::error::Error for Unreadable {}

/// Control characters that a configuration may contain: tabs, line and page ends, and what a
/// terminal's log has: bell, backspace, Ctrl-C of a banner, Ctrl-V, Ctrl-Z, escape.
const CONTROLS: [u8; 11] = [3, 7, 8, 9, 10, 11, 12, 13, 0x16, 0x1a, 0x1b];

/// The text of a file: UTF-8, UTF-16 in either byte order, or ASCII with bytes of an older encoding
/// in its comments and descriptions, which become `U+FFFD`. The byte order mark is left out, and
/// every line ends with a line feed, whether it ended with CR, LF or both.
///
/// # Errors
/// The bytes are not text.
pub fn decode(bytes: &[u8]) -> Result<String, Unreadable> {
    let text = match utf16(bytes) {
        Some((unit, bytes)) => {
            if !bytes.len().is_multiple_of(2) {
                return Err(Unreadable::Utf16);
            }
            let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(unit);
            let text: Result<String, _> = char::decode_utf16(units).collect();
            text.map_err(|_| Unreadable::Utf16)?
        }
        None => String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)).into_owned(),
    };
    let is_binary = |byte: &u8| *byte < 0x20 && !CONTROLS.contains(byte);
    if let Some(offset) = text.bytes().position(|byte| is_binary(&byte)) {
        return Err(Unreadable::Binary(bytes.iter().position(is_binary).unwrap_or(offset)));
    }
    if !text.contains('\r') {
        return Ok(text);
    }
    // a log of Telnet has CR CR LF
    let lines = text.split_inclusive('\n').map(|line| match line.strip_suffix('\n') {
        Some(line) => format!("{}\n", line.trim_end_matches('\r')),
        None => line.to_string(),
    });
    Ok(lines.collect::<String>().replace('\r', "\n"))
}

/// How two bytes are one unit of UTF-16.
type Unit = fn([u8; 2]) -> u16;

/// How the bytes are UTF-16, and the bytes behind the mark. As some editors write it, it has the
/// mark, or every other byte is 0 and the others are not.
fn utf16(bytes: &[u8]) -> Option<(Unit, &[u8])> {
    for (mark, unit) in [(b"\xff\xfe", u16::from_le_bytes as Unit), (b"\xfe\xff", u16::from_be_bytes)] {
        if let Some(bytes) = bytes.strip_prefix(mark) {
            return Some((unit, bytes));
        }
    }
    let sample = bytes.get(..4096).unwrap_or(bytes);
    let zeros = |odd| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let (some, others) = (even.max(odd), even.min(odd));
    let is_utf16 = some * 10 > sample.len() * 4 && others * 20 < sample.len();
    is_utf16.then_some((if even > odd { u16::from_be_bytes } else { u16::from_le_bytes }, bytes))
}

/// What a line of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard<'a> {
    /// A line of the configuration, and the length in bytes of what is before it.
    Line(&'a str, usize),
    /// The same behind a prompt of configuration mode.
    Typed(&'a str, usize),
    /// The same behind the prompt of the global mode: no other mode is open any more.
    Global(&'a str, usize),
    /// What is behind an exec prompt: it configures nothing, and no mode is open there.
    Exec,
    /// Shown by a terminal, or an exec command: it configures nothing.
    Frame,
    /// The end of a configuration, or of configuration mode.
    End,
    /// Not read, and perhaps meant to configure something.
    Unread,
    /// What an exec command printed.
    Output,
}

impl<'a> Heard<'a> {
    /// The line, if it is one of the configuration, and the length in bytes of what is before it.
    pub(crate) fn command(self) -> Option<(&'a str, usize)> {
        match self {
            Self::Line(line, before) | Self::Typed(line, before) | Self::Global(line, before) => {
                Some((line, before))
            }
            Self::Exec | Self::Frame | Self::End | Self::Unread | Self::Output => None,
        }
    }
}

/// Where a text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In a configuration.
    #[default]
    Configuring,
    /// After its end, or at an exec prompt.
    Ended,
    /// In what an exec command prints.
    Printing,
}

/// Follows a text line by line. Raw text of a banner is not given to it.
#[derive(Debug, Default)]
pub(crate) struct Terminal {
    state: State,
    /// A line of a configuration was read.
    has_read: bool,
}

impl Terminal {
    /// What the next line is.
    pub(crate) fn hear<'a>(&mut self, line: &'a str) -> Heard<'a> {
        let heard = self.classify(line);
        // the banner of a login, before the first prompt, is no configuration
        let reads = |(text, before)| says(text) && (before > 0 || !self.has_read && is_command(text));
        self.has_read |= heard.command().is_some_and(reads);
        heard
    }

    fn classify<'a>(&mut self, line: &'a str) -> Heard<'a> {
        let text = without_pager(line);
        let before = line.len() - text.len();
        match prompt(text) {
            Some((at @ (Prompt::Global | Prompt::Mode), command)) => {
                self.state = State::Configuring;
                let before = line.len() - command.len();
                if ends(command) {
                    self.state = State::Ended;
                    Heard::End
                } else if asks(command) {
                    self.state = State::Printing;
                    Heard::Frame
                } else if at == Prompt::Global {
                    Heard::Global(command, before)
                } else {
                    Heard::Typed(command, before)
                }
            }
            Some((Prompt::Exec, command)) => {
                self.state = self.after(command);
                Heard::Exec
            }
            None if is_frame(text.trim()) => Heard::Frame,
            None if configures(text) && (self.state != State::Configuring || !self.has_read) => {
                self.state = State::Configuring;
                Heard::Frame
            }
            None => match self.state {
                State::Configuring if ends(text) => {
                    self.state = State::Ended;
                    Heard::End
                }
                State::Configuring if is_exec_only(text) => Heard::Frame,
                State::Configuring => Heard::Line(text, before),
                _ if !says(text) => Heard::Frame,
                _ if ends(text) || is_exec(text) => Heard::Frame,
                State::Ended => Heard::Unread,
                State::Printing => Heard::Output,
            },
        }
    }

    /// Where a text is after a command at an exec prompt.
    fn after(&self, command: &str) -> State {
        if configures(command) {
            return State::Configuring;
        }
        let shows = shows_configuration(command);
        match command.trim() {
            "" => State::Ended,
            // a part of it is not the configuration
            command if shows && command.contains('|') => State::Printing,
            _ if shows && !self.has_read => State::Configuring,
            // of a second configuration it is not known which one is meant
            _ if shows => State::Ended,
            command if prints(command) => State::Printing,
            _ => State::Ended,
        }
    }
}

/// What a line says that is typed or pasted in configuration mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pasted<'a> {
    /// A command, and the length in bytes of what a terminal shows before it.
    Command(&'a str, usize),
    /// A command behind the prompt of the global mode: no other mode is open any more.
    Global(&'a str, usize),
    /// Nothing: it is what a terminal shows beside commands, or an exec command.
    Nothing,
    /// It was given at a prompt, and left configuration mode.
    Ends,
}

impl<'a> Pasted<'a> {
    /// The command, if it is one.
    pub(crate) fn command(self) -> Option<(&'a str, usize)> {
        match self {
            Self::Command(command, before) | Self::Global(command, before) => Some((command, before)),
            Self::Nothing | Self::Ends => None,
        }
    }
}

/// What a line says that is typed or pasted in configuration mode.
pub(crate) fn pasted(line: &str) -> Pasted<'_> {
    let text = without_pager(line);
    match prompt(text) {
        Some((Prompt::Exec, _)) => Pasted::Ends,
        Some((_, command)) if ends(command) => Pasted::Ends,
        Some((_, command)) if asks(command) => Pasted::Nothing,
        Some((Prompt::Global, command)) => Pasted::Global(command, line.len() - command.len()),
        Some((Prompt::Mode, command)) => Pasted::Command(command, line.len() - command.len()),
        None if is_frame(text.trim()) => Pasted::Nothing,
        None => Pasted::Command(text, line.len() - text.len()),
    }
}

/// How far a line is indented, in columns; one behind a prompt as far as the prompt.
pub(crate) fn column(line: &str) -> usize {
    indentation(without_pager(line))
}

/// Whether a line at a prompt of configuration mode is an exec command there, or asks for help.
fn asks(line: &str) -> bool {
    is_do(line) || line.trim_end().ends_with('?')
}

/// Whether a line is an exec command in configuration mode: `do show clock`.
pub(crate) fn is_do(line: &str) -> bool {
    line.split_whitespace().next().is_some_and(|first| first.eq_ignore_ascii_case("do"))
}

/// Whether a line is beside the commands around it, wherever it is.
pub(crate) fn is_beside(line: &str) -> bool {
    pasted(line).command().is_none_or(|(text, _)| is_exec_only(text) || configures(text) || ends(text))
}

/// Whether a line is a command of the global mode, with which every configuration begins. Prose
/// begins with a capital letter: `Service of this system …`
fn is_command(line: &str) -> bool {
    let all = words(line);
    if all.first().is_none_or(|word| word.text.starts_with(char::is_uppercase)) {
        return false;
    }
    let is_negation = |word: &&Word<'_>| ["no", "default"].contains(&word.text.to_ascii_lowercase().as_str());
    let negated = all.first().filter(is_negation).is_some();
    is_global(all.get(usize::from(negated)..).unwrap_or_default(), negated)
}

/// Whether a line says something: it is no comment.
fn says(line: &str) -> bool {
    let line = line.trim();
    !line.starts_with(['!', '#']) && line.contains(char::is_alphanumeric)
}

/// A line without the pager's ` --More-- ` before it, and without the backspaces that delete that.
fn without_pager(line: &str) -> &str {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line);
    match line.trim_start_matches([' ', '\u{8}']).strip_prefix("--More--") {
        Some(rest) => match rest.rfind('\u{8}') {
            Some(last) => rest.get(last + 1..).unwrap_or_default(),
            None => rest.trim_start(),
        },
        None => line.trim_start_matches('\u{8}'),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    Exec,
    /// Of the global mode: `R1(config)#`.
    Global,
    /// Of another mode of configuration: `R1(config-if)#`.
    Mode,
}

/// How the modes of configuration begin in prompts: `(config-if)`, `(cfg-crypto-trans)`,
/// `(ca-trustpoint)`, `(cs-server)`, `(gkm-local-server)`.
const MODES: [&str; 7] = ["conf", "cfg-", "crypto-", "ca-", "cs-", "gkm-", "gdoi-"];

/// The prompt before a line, and what was typed: `R1#`, `R1>`, `R1(config-if)#`. Spaces behind it
/// are part of it.
fn prompt(line: &str) -> Option<(Prompt, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    // a page indents what it quotes
    let line = line.trim_start_matches([' ', '\t']);
    let end = line.find(|c: char| !is_name(c)).filter(|end| (1..=63).contains(end))?;
    let rest = line.get(end..)?;
    if let Some(mode) = rest.strip_prefix('(') {
        let (mode, command) = mode.split_once(")#")?;
        let is_mode = MODES.iter().any(|start| mode.starts_with(start))
            || mode == "ipsec-profile"
            || mode.ends_with("-config");
        let plain = mode.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        let prompt = if mode == "config" { Prompt::Global } else { Prompt::Mode };
        return (is_mode && plain).then_some((prompt, command.trim_start()));
    }
    let command = rest.strip_prefix(['#', '>'])?;
    let exec = command.trim().is_empty() || is_exec(command) || configures(command) || ends(command);
    exec.then_some((Prompt::Exec, command))
}

/// `end`, or Ctrl-Z as a terminal shows it.
fn ends(line: &str) -> bool {
    let line = line.trim();
    line.eq_ignore_ascii_case("end") || line == "^Z" || line == "\u{1a}"
}

/// `configure terminal` and its abbreviations.
fn configures(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    match words.as_slice() {
        [first, rest @ ..] => {
            begins(first, "configure", 4)
                && rest.len() <= 1
                && rest.iter().all(|word| begins(word, "terminal", 1))
        }
        [] => false,
    }
}

/// Whether an exec command prints a configuration.
fn shows_configuration(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match first {
        _ if begins(first, "show", 2) => {
            ["running-config", "startup-config", "configuration"].iter().any(|what| begins(second, what, 2))
        }
        _ if begins(first, "write", 1) => begins(second, "terminal", 1),
        _ => begins(first, "more", 2),
    }
}

/// Whether an exec command prints lines of any form.
fn prints(command: &str) -> bool {
    const PRINTERS: [(&str, usize); 9] = [
        ("debug", 3),
        ("dir", 3),
        ("more", 2),
        ("ping", 2),
        ("show", 2),
        ("telnet", 3),
        ("test", 3),
        ("traceroute", 2),
        ("verify", 3),
    ];
    let first = command.split_whitespace().next().unwrap_or_default();
    command.trim_end().ends_with('?')
        || PRINTERS.iter().any(|(keyword, least)| begins(first, keyword, *least))
}

/// Whether a word is a keyword or at least so many letters of it.
fn begins(typed: &str, keyword: &str, least: usize) -> bool {
    typed.len() >= least && keyword.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed))
}

/// Exec commands that configuration mode does not have, each with the letters that are enough.
const EXEC: [(&str, usize); 25] = [
    ("cd", 2),
    ("clear", 2),
    ("copy", 3),
    ("debug", 3),
    ("delete", 3),
    ("dir", 3),
    ("disconnect", 5),
    ("end", 3),
    ("erase", 2),
    ("exit", 2),
    ("logout", 4),
    ("more", 2),
    ("ping", 2),
    ("pwd", 3),
    ("quit", 2),
    ("reload", 3),
    ("show", 2),
    ("ssh", 3),
    ("telnet", 3),
    ("terminal", 4),
    ("test", 3),
    ("traceroute", 2),
    ("undebug", 1),
    ("verify", 3),
    ("write", 2),
];

/// Whether a line after a configuration, or after a prompt, is an exec command.
fn is_exec(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next());
    let changes_level = begins(first, "enable", 2) || begins(first, "disable", 4);
    EXEC.iter().any(|(keyword, least)| begins(first, keyword, *least))
        || (changes_level && second.is_none_or(|level| level.parse::<u8>().is_ok()))
        || (first.eq_ignore_ascii_case("no") && second.is_some_and(|what| begins(what, "debug", 3)))
}

/// Whether a line among those of a configuration is an exec command that configuration mode does
/// not have: scripts end with `write memory`, and begin with `enable`.
fn is_exec_only(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    match words.as_slice() {
        [first] => begins(first, "write", 2) || begins(first, "enable", 2) || begins(first, "disable", 4),
        [first, second] => {
            begins(first, "write", 2)
                && ["memory", "terminal", "network", "erase"].iter().any(|what| begins(second, what, 1))
        }
        [first, second, _] => {
            (begins(first, "copy", 3) && begins(second, "running-config", 3))
                || (begins(first, "terminal", 4) && ["length", "width"].contains(second))
        }
        _ => false,
    }
}

/// How lines begin that a router prints around a configuration.
const FRAMES: [&str; 30] = [
    "--More--",
    "<--- More --->",
    "[OK]",
    "Building configuration...",
    "Compressed configuration from ",
    "Configuration of Partition ",
    "Configuring from terminal",
    "Continue? [",
    "Current configuration :",
    "Current configuration:",
    "Destination filename [",
    "Enter configuration commands, one per line.",
    "Enter TEXT message.  End with",
    "Keyboard-interactive authentication prompts from server:",
    "End of keyboard-interactive prompts from server",
    "Load for five secs:",
    "login as:",
    "No time source,",
    "Password:",
    "Re-enter password:",
    "Overwrite the previous NVRAM configuration",
    "Press RETURN to get started",
    "Proceed with reload?",
    "Source filename [",
    "Time source is ",
    "Uncompressed configuration from ",
    "User Access Verification",
    "Username:",
    "Using keyboard-interactive authentication.",
    "Warning: Attempting to overwrite an NVRAM configuration",
];

/// Whether a line is what a router prints beside a configuration.
fn is_frame(line: &str) -> bool {
    let numbers = |text: &str| text.split_whitespace().next().is_some_and(|word| word.parse::<u64>().is_ok());
    FRAMES.iter().any(|frame| line.starts_with(frame))
        || line.strip_prefix("Using ").is_some_and(|rest| numbers(rest) && rest.contains(" out of "))
        || line == "^"
        || line.starts_with("% ")
        || is_message(line)
        || (numbers(line) && line.contains(" bytes copied in "))
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Whether a line is a message of the log: `*Mar  1 00:00:07.003: %SYS-5-CONFIG_I: …`.
fn is_message(line: &str) -> bool {
    let Some((before, rest)) = line.split_once('%') else { return false };
    let name = rest.split(':').next().unwrap_or_default();
    let is_name = name.split('-').count() >= 3
        && name.split('-').nth(1).is_some_and(|level| level.len() == 1 && level < "8")
        && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '-' | '_'));
    // `*Mar  1 00:00:07.003: `, `000123: .Nov 30 2026 08:00:00 UTC: `, `1w2d: `
    let is_stamp = before.is_empty()
        || before.starts_with(['*', '.'])
        || before.starts_with(|c: char| c.is_ascii_digit())
        || MONTHS.iter().any(|month| before.get(..3) == Some(*month));
    is_name && rest.contains(':') && is_stamp && (before.is_empty() || before.trim_end().ends_with(':'))
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
