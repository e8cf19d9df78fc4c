//! A configuration that was read.

use crate::diagnostic::{Code, Diagnostic, Kind, Unenforced};
use crate::document::{Class, Document, Line};
use crate::model::Config;

/// A configuration that was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// Every line.
    pub document: Document,
    /// What it means.
    pub config: Config,
    /// What there is to say, in the order of the lines.
    pub diagnostics: Vec<Diagnostic>,
}

/// Whether the items of the model know their lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    Kept,
    /// All are 0, so that two models are equal when they mean the same.
    Left,
}

/// The lines of a configuration that are not enforced, in order.
pub fn unenforced(parsed: &Parsed) -> Vec<Unenforced> {
    let lines = &parsed.document.lines;
    let public = |line: &Line| {
        let part = match line.class {
            Class::Blank | Class::Unknown => crate::secret::public_part_of_unread(&line.spelled),
            _ => crate::secret::public_part(&line.spelled),
        };
        part.trim().to_string()
    };
    let found = parsed.diagnostics.iter().filter(|told| told.code == Code::Unenforced);
    let described = found.map(|told| {
        let place = usize::try_from(told.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let line = lines.get(place);
        let header = line.and_then(|line| line.under).and_then(|under| lines.get(under));
        let header = header.map(public);
        let text = line.map(public).unwrap_or_default();
        // a line that says something and counts as blank is one that is not read
        let kind = match line.map(|line| line.class) {
            Some(Class::Blank) => Kind::AfterEnd,
            _ => Kind::of(header.as_deref(), &text),
        };
        Unenforced { line: told.line, kind, header, text, message: told.message.clone() }
    });
    described.collect()
}
