//! Blocks of text after a command: banners, menus, macros, certificates, keys. Their lines are not
//! commands.

use crate::form::{Word, words};

/// What ends the text that a line begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawEnd {
    /// A line that contains this.
    Contains(String),
    /// A line that is this.
    Line(String),
    /// A line that is `exit` or `quit`.
    Leave,
}

impl RawEnd {
    /// The end that completes the command that a line opens. `None` if it is complete already.
    pub fn of(line: &str) -> Option<Self> {
        Blocks::end(line)
    }

    /// Whether a line is the last.
    pub fn is(&self, line: &str) -> bool {
        match self {
            Self::Contains(end) => line.contains(end),
            Self::Line(end) => line.trim() == end,
            Self::Leave => matches!(line.trim(), "exit" | "quit"),
        }
    }

    /// The end as a message names it.
    pub(crate) fn shown(&self) -> String {
        match self {
            // the control character that a router prints as `^C`
            Self::Contains(end) if end == "\u{3}" => "^C".into(),
            Self::Contains(end) | Self::Line(end) => end.clone(),
            Self::Leave => "exit".into(),
        }
    }
}

/// Texts between two delimiters: the words before the first delimiter. `*` is any word.
const DELIMITED: [&str; 13] = [
    "aaa authentication banner",
    "aaa authentication fail-message",
    "vacant-message",
    "refuse-message",
    "busy-message *",
    "menu * title",
    "menu * prompt",
    "ip admission auth-proxy-banner http",
    "ip admission auth-proxy-banner telnet",
    "ip admission auth-proxy-banner ftp",
    "ip auth-proxy auth-proxy-banner http",
    "ip auth-proxy auth-proxy-banner telnet",
    "ip auth-proxy auth-proxy-banner ftp",
];

/// The global banners. The banner of a client group has no such word before its delimiter.
const BANNERS: [&str; 7] = ["config-save", "exec", "incoming", "login", "motd", "prompt-timeout", "slip-ppp"];

/// Whether a word is a command's, or the beginning of it. One letter may as well be a delimiter.
fn is(typed: &str, word: &str) -> bool {
    word == "*"
        || typed.len() >= 2 && word.get(..typed.len()).is_some_and(|start| start.eq_ignore_ascii_case(typed))
}

/// How many words precede a line's first delimiter, if it opens a text between delimiters.
fn before_delimiter(given: &[Word<'_>]) -> Option<usize> {
    let first = given.first()?;
    if first.text.len() >= 3 && is(first.text, "banner") {
        let kind = given.get(1).is_some_and(|word| BANNERS.iter().any(|kind| is(word.text, kind)));
        return Some(1 + usize::from(kind));
    }
    DELIMITED.iter().find_map(|head| {
        let mut length = 0;
        for word in head.split(' ') {
            given.get(length).filter(|typed| is(typed.text, word))?;
            length += 1;
        }
        Some(length)
    })
}

/// A text after its delimiter, up to the second one or to the end of the line; and the delimiter.
pub(crate) fn delimited(text: &str) -> Option<(&str, Option<&str>)> {
    let delimiter = match text.strip_prefix("^C") {
        Some(_) => "^C",
        None => text.get(..text.chars().next()?.len_utf8())?,
    };
    let rest = text.get(delimiter.len()..)?;
    Some(match rest.split_once(delimiter) {
        Some((text, _)) => (text, None),
        None => (rest, Some(delimiter)),
    })
}

/// Bound on unsuccessful searches for the end of a block of raw text; the remaining blocks of such
/// a file are not treated as blocks.
const ENDLESS: usize = 16;

/// Finds where blocks of raw text end. A search in vain reads the rest of the file, so there are
/// only so many.
#[derive(Default)]
pub(crate) struct Blocks {
    /// Ends that do not come any more.
    missing: Vec<RawEnd>,
    /// Lines that were looked at.
    looked_at: usize,
}

impl Blocks {
    /// What ends the raw text after a line: a banner's delimiter, `quit` after a certificate.
    pub(crate) fn end(line: &str) -> Option<RawEnd> {
        let given = words(line);
        let word = |place: usize| given.get(place).map_or("", |word| word.text);
        let first = word(0).to_ascii_lowercase();
        match first.as_str() {
            // the certificate may also be in a file: `certificate 01 nvram:ca.cer`
            "certificate" if given.len() > 1 && given.iter().all(|word| !word.text.contains(':')) => {
                return Some(RawEnd::Line("quit".into()));
            }
            "key-string" if given.len() == 1 => return Some(RawEnd::Leave),
            "macro" if word(1).eq_ignore_ascii_case("name") => return Some(RawEnd::Line("@".into())),
            "macro" if given.last().is_some_and(|last| last.text == "{") => {
                return Some(RawEnd::Line("}".into()));
            }
            _ => {}
        }
        let text = given.get(before_delimiter(&given)?)?;
        let start = usize::try_from(text.column.saturating_sub(1)).unwrap_or(0);
        let (_, open) = delimited(line.get(start..)?)?;
        open.map(|delimiter| RawEnd::Contains(delimiter.to_string()))
    }

    /// How many of the following lines belong to this one; or the end that does not come.
    pub(crate) fn length(&mut self, line: &str, following: &[&str]) -> Result<usize, RawEnd> {
        let Some(end) = Self::end(line) else { return Ok(0) };
        let hexadecimal = line.trim_start().starts_with("certificate");
        self.search(&end, following, hexadecimal).ok_or(end)
    }

    /// The end of a text; a `hexadecimal` one ends in vain at a line that is none.
    fn search(&mut self, end: &RawEnd, following: &[&str], hexadecimal: bool) -> Option<usize> {
        if self.missing.len() == ENDLESS || self.missing.contains(end) {
            return None;
        }
        let other =
            |line: &str| hexadecimal && !line.chars().all(|c| c.is_ascii_hexdigit() || c.is_whitespace());
        let found = following.iter().position(|line| end.is(line) || other(line));
        self.looked_at += found.map_or(following.len(), |last| last + 1);
        if found.is_none() {
            self.missing.push(end.clone());
        }
        let last = found.filter(|last| following.get(*last).is_some_and(|line| end.is(line)))?;
        Some(last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks without an end, each with a delimiter of its own: the rest of the file is read a
    /// bounded number of times.
    #[test]
    fn endless_blocks() {
        let banners: Vec<String> = (0..5000u32)
            .map(|index| format!("banner motd {}", char::from_u32(0x4e00 + index).unwrap()))
            .collect();
        let certificates = vec!["certificate 01".to_string(); 5000];
        let keys = vec!["key-string".to_string(); 5000];
        for lines in [banners, certificates, keys] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let mut blocks = Blocks::default();
            for (index, line) in lines.iter().enumerate() {
                assert!(blocks.length(line, &lines[index + 1..]).is_err(), "{line}");
            }
            assert!(blocks.looked_at <= ENDLESS * lines.len(), "{}", blocks.looked_at);
        }
    }

    /// Several ends are missing; an end that was missing once must not affect another search.
    #[test]
    fn ends_and_one_more() {
        let block = |unfinished: usize| {
            let mut blocks = Blocks::default();
            for index in 0..unfinished {
                let line = format!("banner motd {}", char::from(b'A' + index as u8));
                assert!(blocks.length(&line, &["x"]).is_err());
            }
            blocks.length("banner motd #", &["text", "#", "end"])
        };
        assert_eq!(block(ENDLESS - 1), Ok(2));
        assert_eq!(block(ENDLESS), Err(RawEnd::Contains("#".into())));
    }

    #[test]
    fn what_begins_a_text() {
        let contains = |end: &str| Some(RawEnd::Contains(end.into()));
        for (line, end) in [
            ("banner ^CHello yz", contains("^C")),
            ("banner ^CHello yz^C", None),
            ("banner #Hello", contains("#")),
            ("banner motd \u{3}Hello", contains("\u{3}")),
            ("banner slip-ppp %", contains("%")),
            ("BANNER LOGIN ^C", contains("^C")),
            ("ban mo #", contains("#")),
            ("banner motd", None),
            ("no banner motd", None),
            ("aaa authentication banner *Log in", contains("*")),
            ("aaa authentication fail-message $No$", None),
            ("aaa authentication username-prompt \"Name: \"", None),
            ("aaa authentication login default local", None),
            ("vacant-message #", contains("#")),
            ("refuse-message /Full", contains("/")),
            ("menu M title ^C", contains("^C")),
            ("menu M text 1 Show", None),
            ("macro name M", Some(RawEnd::Line("@".into()))),
            ("macro auto execute M {", Some(RawEnd::Line("}".into()))),
            ("macro description cisco-phone", None),
            ("certificate ca 01", Some(RawEnd::Line("quit".into()))),
            ("certificate self-signed 01 nvram:IOS-Self-Sig#1.cer", None),
            ("key-string", Some(RawEnd::Leave)),
            ("key-string 7 0822455D0A16", None),
        ] {
            assert_eq!(Blocks::end(line), end, "{line}");
        }
    }
}
