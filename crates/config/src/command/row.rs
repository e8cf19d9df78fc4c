//! What the command tables are made of: a row, and the model as its fold changes it.

use super::draft::Draft;
use super::mode::{Fate, In, Mode};
use crate::form::Problem;
use crate::given::Given;

/// What a row does.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// Changes the model.
    Fold(fn(&mut Fold<'_>, &Given<'_>) -> Result<(), Problem>),
    /// Has this fate; with `no`, which takes away what is not there, none at all.
    Fate(Fate),
    /// Has this fate and opens a submode that shares it.
    Opens(Fate),
}

impl Action {
    /// Whether it changes the model.
    pub(crate) const fn folds(self) -> bool {
        matches!(self, Self::Fold(_))
    }
}

/// One command: its name, including what distinguishes it from others of that name, and the rest.
/// In both, `=` marks where the value begins: of two lines that agree up to there, the later one
/// replaces the earlier.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) mode: In,
    /// Further modes that have the command.
    pub(crate) also: &'static [In],
    pub(crate) form: &'static str,
    pub(crate) tail: &'static str,
    pub(crate) no: No,
    pub(crate) action: Action,
}

/// What `no` and `default` do to a command that changes the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// Each takes the command away: the model is as it was without it.
    TakesAway,
    /// `no` is a setting too, because the command is on unless it says otherwise or has a value in
    /// any case (`no exec`, `no exec-timeout`); `default` takes either away.
    IsASetting,
    /// `no` takes the command away; `default` leaves what it made, and empties it.
    DefaultEmpties,
}

/// A command that is kept as it is, whatever follows.
pub(crate) const REST: &str = "= [<LINE:rest>]";

/// A command of one mode.
pub(super) const fn row(mode: In, form: &'static str, tail: &'static str, action: Action) -> Row {
    Row { mode, also: &[], form, tail, no: No::TakesAway, action }
}

/// A command that changes the model, by its named arguments.
pub(super) const fn fold(
    mode: In,
    form: &'static str,
    tail: &'static str,
    run: fn(&mut Fold<'_>, &Given<'_>) -> Result<(), Problem>,
) -> Row {
    row(mode, form, tail, Action::Fold(run))
}

/// A command without a fold.
pub(super) const fn fate(mode: In, form: &'static str, fate: Fate) -> Row {
    row(mode, form, REST, Action::Fate(fate))
}

/// A command without a fold that opens a submode.
pub(super) const fn opens(mode: In, form: &'static str, fate: Fate) -> Row {
    row(mode, form, REST, Action::Opens(fate))
}

impl Row {
    /// The same command in further modes.
    pub(super) const fn also(self, modes: &'static [In]) -> Self {
        Self { also: modes, ..self }
    }

    /// The same command with another meaning of `no`.
    pub(super) const fn no(self, no: No) -> Self {
        Self { no, ..self }
    }

    /// Every mode that has the command.
    pub(crate) fn modes(&self) -> impl Iterator<Item = In> {
        std::iter::once(self.mode).chain(self.also.iter().copied())
    }
}

/// The model while it is being built, and the line at hand.
pub(crate) struct Fold<'c> {
    pub(crate) config: &'c mut Draft,
    pub(crate) mode: Mode,
    /// Of `interface range`, the other interfaces that the lines below it are of, by their indexes.
    pub(crate) also: Vec<usize>,
    /// It was preceded by `no` or `default`.
    pub(crate) no: bool,
    /// It was `default`; only for commands whose default is not what `no` leaves.
    pub(crate) default: bool,
    pub(crate) line: u32,
    /// The raw text after the line.
    pub(crate) block: Vec<String>,
    /// Set by a fold whose line is accepted, and is not done as it says.
    pub(crate) fate: Option<Fate>,
    /// Set by a fold whose line is accepted and done; what IOS says of it.
    pub(crate) warning: Option<&'static str>,
}

impl Fold<'_> {
    /// The value of a setting; `no` and `default` leave none.
    pub(crate) fn unless_no<T>(&self, value: Option<T>) -> Option<T> {
        if self.no { None } else { value }
    }
}

/// Gives a setting the name that a line gives. `no` and `default` take away what they name, and
/// nothing if that is something else: what restricts or protects must not go by a mistaken name.
pub(crate) fn name_it<T: PartialEq>(setting: &mut Option<T>, no: bool, given: Option<T>) {
    if !no {
        *setting = given;
    } else if given.is_none() || *setting == given {
        *setting = None;
    }
}
