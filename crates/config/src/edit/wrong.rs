//! Why a line is refused.

use std::borrow::Cow;

/// Why a line is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Something more must follow.
    Incomplete,
    /// A word is the beginning of several.
    Ambiguous,
    /// A word is wrong; its offset in the line, in bytes from 0.
    Invalid(usize),
    /// The line is right, and what it sets cannot be set: IOS's own words, without the `% ` before
    /// them.
    Said(Cow<'static, str>),
}
