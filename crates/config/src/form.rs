//! The form language: what commands look like, as plain data. From the same forms come parsing,
//! abbreviation, the errors with their column, help, completion, the spelled-out line, and the
//! command reference.
//!
//! ```text
//! crypto isakmp key [0|6] <key> {address <A.B.C.D:peer> [<A.B.C.D:mask>]|hostname <host>} [no-xauth]
//! ```
//!
//! A word stands for itself; `[a|b]` is optional, `{a|b}` a choice, a trailing `...` means "any
//! number of times". Arguments: `<name>` is one word, `<1-10000:name>` a number, `<A.B.C.D:name>`
//! an address or mask, `</nn:name>` the length of a prefix (`/24`), `<LINE:name>` the rest of the line, `<IF:name>` an interface, `<UNIT:name>`
//! its number if that is separate.

use std::net::Ipv4Addr;

/// A word of a line and its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word.
    pub text: &'a str,
    /// Its column, from 1.
    pub column: u32,
}

/// Splits a line into words.
pub fn words(line: &str) -> Vec<Word<'_>> {
    let mut out = Vec::new();
    let mut start = None;
    for (index, character) in line.char_indices().chain([(line.len(), ' ')]) {
        match (start, character.is_whitespace()) {
            (None, false) => start = Some(index),
            (Some(from), true) => {
                if let Some(text) = line.get(from..index) {
                    out.push(Word { text, column: u32::try_from(from + 1).unwrap_or(u32::MAX) });
                }
                start = None;
            }
            _ => {}
        }
    }
    out
}

/// Whether a typed word is (an abbreviation of) a keyword.
pub(crate) fn is(typed: &str, keyword: &str) -> bool {
    !typed.is_empty() && keyword.starts_with(&typed.to_ascii_lowercase())
}

/// What is wrong with an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Column of the word, or of the end of the line.
    pub column: u32,
    /// What was expected.
    pub expected: String,
}

/// Reads the words that follow a form.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    words: Vec<Word<'a>>,
    place: usize,
    end: u32,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(words: Vec<Word<'a>>, end: u32) -> Self {
        Self { words, place: 0, end }
    }

    pub(crate) fn peek(&self) -> Option<&'a str> {
        self.words.get(self.place).map(|word| word.text)
    }

    pub(crate) fn next(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        self.place += 1;
        Some(word)
    }

    /// The problem that a wrong or missing word is.
    pub(crate) fn problem(&self, expected: &str) -> Problem {
        let column = self.words.get(self.place).map_or(self.end, |word| word.column);
        Problem { column, expected: expected.to_string() }
    }

    /// Takes a keyword if it comes next.
    pub(crate) fn keyword(&mut self, keyword: &str) -> bool {
        let taken = self.peek().is_some_and(|word| is(word, keyword));
        self.place += usize::from(taken);
        taken
    }

    pub(crate) fn word(&mut self, expected: &str) -> Result<&'a str, Problem> {
        let problem = self.problem(expected);
        self.next().ok_or(problem)
    }

    pub(crate) fn address(&mut self) -> Result<Ipv4Addr, Problem> {
        let problem = self.problem("an address A.B.C.D");
        self.next().and_then(|word| word.parse().ok()).ok_or(problem)
    }

    /// An address and its mask, if a mask comes next.
    pub(crate) fn optional_address(&mut self) -> Option<Ipv4Addr> {
        let address = self.peek()?.parse().ok()?;
        self.place += 1;
        Some(address)
    }

    /// Everything that is left, as written.
    pub(crate) fn rest(&mut self) -> String {
        let words: Vec<_> =
            self.words.get(self.place..).unwrap_or_default().iter().map(|word| word.text).collect();
        self.place = self.words.len();
        words.join(" ")
    }

    /// Nothing may follow but a comment.
    pub(crate) fn finish(&mut self) -> Result<(), Problem> {
        match self.peek() {
            None => Ok(()),
            Some(word) if word.starts_with('!') => Ok(()),
            Some(_) => Err(self.problem("the end of the line")),
        }
    }
}
