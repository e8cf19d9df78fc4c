//! How the checks say what they find.

use crate::diagnostic::{Code, Diagnostic, Severity};

pub(super) fn say(
    found: &mut Vec<Diagnostic>,
    severity: Severity,
    code: Code,
    line: u32,
    message: String,
    remedy: impl Into<String>,
) {
    found.push(Diagnostic { severity, code, line, column: 1, message, remedy: remedy.into() });
}
