//! The document: every line of a configuration with what became of it. It prints back exactly what
//! was read.

/// What a line is to Hubward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Blank, a comment, or after `end`.
    Blank,
    /// It has its effect.
    Implemented,
    /// It states a default or something that does not exist here.
    NoOp,
    /// Harmless without effect.
    Inert,
    /// Known to IOS, not implemented here.
    Unsupported,
    /// Not a command that we know, or one with a wrong argument.
    Unknown,
}

impl Class {
    /// What a line is that is this for one interface and that for another: what it lacks for one,
    /// it lacks.
    pub(crate) fn and(self, other: Self) -> Self {
        let rank = |class: Self| match class {
            Self::Blank => 0,
            Self::NoOp => 1,
            Self::Implemented => 2,
            Self::Inert => 3,
            Self::Unsupported => 4,
            Self::Unknown => 5,
        };
        if rank(other) > rank(self) { other } else { self }
    }

    /// The stable name, as it is printed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Implemented => "implemented",
            Self::NoOp => "default",
            Self::Inert => "inert",
            Self::Unsupported => "not-implemented",
            Self::Unknown => "unknown",
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// As written, without the line end.
    pub text: String,
    /// What it is.
    pub class: Class,
    /// The index of the line that opened the submode of this one, counted from 0; for raw text the
    /// index of the command that it belongs to.
    pub under: Option<usize>,
    /// The command in full spelling: keywords and interface names in full, without indentation. A
    /// line that is not a command is kept as written.
    pub spelled: String,
}

/// All lines of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// In order.
    pub lines: Vec<Line>,
    /// Whether the last line had a line end.
    pub ends_with_newline: bool,
}

impl Document {
    /// The text, as it was read.
    pub fn print(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|line| line.text.as_str()).collect();
        let mut text = lines.join("\n");
        if self.ends_with_newline {
            text.push('\n');
        }
        text
    }
}
