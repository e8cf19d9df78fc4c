//! Who may log in: lists of methods that admit nobody, and access lists that are not understood.

use super::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::Config;

/// Lists of `access-class` with a line that is not understood: a user whom that line may deny is
/// refused.
pub(super) fn access_classes(config: &Config, found: &mut Vec<Diagnostic>) {
    for line in &config.lines {
        let Some(acl) =
            line.access_class.as_ref().and_then(|name| config.acls.iter().find(|a| a.name == *name))
        else {
            continue;
        };
        for entry in acl.entries.iter().filter(|entry| entry.inexact) {
            let becomes =
                if entry.permit { "it admits nobody" } else { "it refuses everyone whom it may match" };
            let message = format!(
                "line {} of access list {} cannot be applied exactly: {becomes} on this terminal line",
                entry.line, acl.name
            );
            let remedy = "name addresses in a standard list";
            say(found, Severity::Warning, Code::Unsupported, line.line, message, remedy);
        }
    }
}
