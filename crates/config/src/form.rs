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
//! an address or mask, `<A.B.C.D/nn:name>` a network, `</nn:name>` the length of a prefix (`/24`),
//! `<HOST:name>` the name of a host, `<LINE:name>` the rest of the line, `<IF:name>` an interface,
//! `<UNIT:name>` its number if that is separate.

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
    /// `expected` is a whole sentence: what IOS says of the line, without marking a word.
    pub said: bool,
}
