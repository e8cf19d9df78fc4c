//! The tables compiled: for each mode its rows and their forms.

use super::{In, Row, rows};
use crate::automaton::{Form, Matched, Misfit, Outcome, Token, run_asking};
use crate::form::Word;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The commands of a mode.
#[derive(Default)]
pub(crate) struct Commands {
    pub(crate) rows: Vec<&'static Row>,
    pub(crate) forms: Vec<Form>,
    /// The places of the forms that may begin with a letter, in small.
    by_letter: BTreeMap<u8, Vec<usize>>,
    /// The places of all forms.
    all: Vec<usize>,
}

impl Commands {
    fn add(&mut self, row: &'static Row, form: Form) {
        let place = self.forms.len();
        let mut letters: BTreeSet<u8> = BTreeSet::new();
        for token in form.begins_with() {
            match token {
                Token::Keyword(keyword) => letters.extend(first_letter(keyword)),
                Token::Argument(..) => letters.extend(0..=u8::MAX),
            }
        }
        for letter in letters {
            self.by_letter.entry(letter).or_default().push(place);
        }
        self.all.push(place);
        self.rows.push(row);
        self.forms.push(form);
    }

    /// The places of the forms that a line may have, by its first word.
    fn for_line(&self, words: &[Word<'_>]) -> &[usize] {
        match words.first().and_then(|word| first_letter(word.text)) {
            Some(letter) => self.by_letter.get(&letter).map_or(&[], Vec::as_slice),
            None => &self.all,
        }
    }
}

fn first_letter(word: &str) -> Option<u8> {
    word.bytes().next().map(|byte| byte.to_ascii_lowercase())
}

static TABLE: LazyLock<BTreeMap<In, Commands>> = LazyLock::new(|| {
    let mut table: BTreeMap<In, Commands> = BTreeMap::new();
    for row in rows() {
        // made once for the life of the program
        let form: &'static str = format!("{} {{{}}}", row.form, row.tail).leak();
        for mode in row.modes() {
            let commands = table.entry(mode).or_default();
            commands.add(row, Form::compile(form));
        }
    }
    table
});

/// The commands of a mode.
pub(crate) fn commands(mode: In) -> &'static Commands {
    static NONE: Commands =
        Commands { rows: Vec::new(), forms: Vec::new(), by_letter: BTreeMap::new(), all: Vec::new() };
    TABLE.get(&mode).unwrap_or(&NONE)
}

/// What a line is in a mode.
pub(crate) enum Lookup {
    /// A command.
    Command(&'static Row, Matched),
    /// The beginning of one, whose name is complete or not.
    Incomplete { named: bool, expected: String },
    /// Several, by the word at this place.
    Ambiguous(usize),
    /// Up to the word at this place one, whose name is complete or not.
    Invalid { word: usize, named: bool, expected: String },
}

impl Row {
    /// Words of the command's name.
    pub(crate) fn words(&self) -> usize {
        self.form.split(' ').filter(|word| *word != "=").count()
    }

    /// Words that name the setting, without the value that ends some names: what `no` needs at
    /// least.
    fn naming(&self) -> usize {
        self.form.split(' ').take_while(|word| *word != "=").count()
    }

    /// Words that identify the command, without the arguments of its name. A command that may begin
    /// with any word is identified only by all of them.
    fn known_by(&self) -> usize {
        if self.form.starts_with('<') && !self.form.split(' ').next().is_some_and(|word| word.contains(':')) {
            return self.words();
        }
        self.form.split(' ').take_while(|word| *word != "=" && !word.starts_with('<')).count().max(1)
    }
}

/// Looks a line up. With `prefix`, a line matches that has a command's name and ends somewhere
/// after it.
pub(crate) fn lookup(mode: In, words: &[Word<'_>], prefix: bool) -> Lookup {
    let commands = commands(mode);
    lookup_of(commands, commands.for_line(words), words, prefix)
}

/// Whether a row takes whatever follows, so that a slip in a command of its family is not one: what
/// is not read there is not enforced, or decides by what is not known.
pub(crate) fn is_family(row: &Row) -> bool {
    match row.mode {
        In::Global | In::Interface => row.form == "ip nat" && !row.action.folds(),
        In::RouteMap => ["match", "set"].contains(&row.form),
        _ => false,
    }
}

/// [`lookup`] without the rows of whole families.
pub(crate) fn lookup_named(mode: In, words: &[Word<'_>], prefix: bool) -> Lookup {
    let commands = commands(mode);
    let is_named = |place: &&usize| commands.rows.get(**place).is_some_and(|row| !is_family(row));
    let places: Vec<usize> = commands.for_line(words).iter().filter(is_named).copied().collect();
    lookup_of(commands, &places, words, prefix)
}

fn lookup_of(commands: &'static Commands, places: &[usize], words: &[Word<'_>], prefix: bool) -> Lookup {
    let forms: Vec<&Form> = places.iter().filter_map(|place| commands.forms.get(*place)).collect();
    let place = |form: usize| places.get(form).copied().unwrap_or_default();
    let row = |form: usize| commands.rows.get(*places.get(form)?).copied();
    let list = |expected: &[Token]| {
        let mut shown: Vec<_> = expected.iter().map(|token| token.shown()).collect();
        if shown.is_empty() {
            shown.push("the end of the line".into());
        }
        match shown.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => shown.concat(),
        }
    };
    let is_named = |form: usize, word: usize| row(form).is_some_and(|row| word >= row.known_by());
    match run_asking(&forms, words, prefix, is_named) {
        Outcome::Complete(mut matched) => match row(matched.form) {
            Some(row) if matched.words.len() >= row.naming() => {
                matched.form = place(matched.form);
                Lookup::Command(row, matched)
            }
            Some(row) if matched.words.len() >= row.known_by() => {
                Lookup::Incomplete { named: true, expected: "more of the command".into() }
            }
            _ => Lookup::Incomplete { named: false, expected: String::new() },
        },
        Outcome::Incomplete(form, expected) => {
            Lookup::Incomplete { named: is_named(form, words.len()), expected: list(&expected) }
        }
        Outcome::Ambiguous(word) => Lookup::Ambiguous(word),
        Outcome::Invalid(Misfit { word, form, expected }) => {
            let named = word > 0 && is_named(form, word);
            Lookup::Invalid { word, named, expected: if named { list(&expected) } else { String::new() } }
        }
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "no_tests.rs"]
mod no_tests;
