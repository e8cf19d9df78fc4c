//! The lines of a configuration by the command that opens their mode.

use crate::document::Class;
use crate::parse::Parsed;

/// One line: its number from 1, and its command spelled out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelled<'p> {
    pub(super) line: u32,
    pub(super) text: &'p str,
    pub(super) class: Class,
}

impl<'p> Spelled<'p> {
    /// A word by its place.
    pub(super) fn word(&self, place: usize) -> Option<&'p str> {
        self.text.split_whitespace().nth(place)
    }

    /// Whether a word stands anywhere in the line.
    pub(super) fn has(&self, word: &str) -> bool {
        self.text.split_whitespace().any(|own| own == word)
    }

    /// Whether the line begins with these words, in whatever case: what is no command here is as it was written.
    pub(super) fn begins(&self, words: &str) -> bool {
        let mut own = self.text.split_whitespace();
        words.split(' ').all(|word| own.next().is_some_and(|own| own.eq_ignore_ascii_case(word)))
    }
}

/// A global command with the lines that stand below it, at whatever depth.
#[derive(Clone, Debug)]
pub(super) struct Block<'p> {
    pub(super) head: Spelled<'p>,
    pub(super) below: Vec<Spelled<'p>>,
}

impl<'p> Block<'p> {
    /// The lines below that begin with these words.
    pub(super) fn having(&self, words: &str) -> impl Iterator<Item = &Spelled<'p>> {
        self.below.iter().filter(move |line| line.begins(words))
    }

    /// The head and what is below it.
    pub(super) fn lines(&self) -> impl Iterator<Item = &Spelled<'p>> {
        std::iter::once(&self.head).chain(&self.below)
    }
}

/// Every global command in order. Comments and blank lines are left out.
pub(super) fn blocks(parsed: &Parsed) -> Vec<Block<'_>> {
    let lines = &parsed.document.lines;
    let mut out: Vec<Block<'_>> = Vec::new();
    // the block of each line, for the lines below it
    let mut places: Vec<Option<usize>> = Vec::with_capacity(lines.len());
    for (number, line) in (1..).zip(lines) {
        if line.class == Class::Blank {
            places.push(None);
            continue;
        }
        let spelled = Spelled { line: number, text: &line.spelled, class: line.class };
        let above = line.under.and_then(|under| places.get(under).copied().flatten());
        let place = match above {
            Some(place) => {
                if let Some(block) = out.get_mut(place) {
                    block.below.push(spelled);
                }
                place
            }
            None => {
                out.push(Block { head: spelled, below: Vec::new() });
                out.len() - 1
            }
        };
        places.push(Some(place));
    }
    out
}
