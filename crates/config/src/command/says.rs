//! What the names of commands say, and how the files beside this one list them.

use super::mode::{Fate, In, Sub};

/// Where names are looked up: a mode of the command tables or one without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    Of(In),
    Sub(Sub),
}

/// What a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// The mode has this command, with this fate.
    Is(Fate),
    /// The mode has it, and it shares the mode's fate.
    Shares,
    /// It opens a mode, with this fate; where a row has the command, the fate is the row's.
    Opens(Fate, Sub),
    /// It opens a mode that shares the fate of the one around it.
    Nests(Sub),
    /// The command is another mode's, although a row of this one would take it.
    Elsewhere,
}

/// Names that say the same: commands separated by `;`. A `*` is any word.
pub(super) type Names = (Says, &'static str);

/// Names of several modes.
pub(super) type Modes = &'static [(Sub, &'static [Names])];
