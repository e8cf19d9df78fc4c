//! What there is to say of a configuration before its start, for people and for programs.

use super::start::{
    FORWARDS_IPV6, allowed_for_nothing, forwards_ipv6, is_open, may_start, parse, read, read_input, readable,
    status,
};
use crate::choices::{Choices, Judgement, quoted};
use crate::router;
use crate::translate::Translation;
use hubward_config::Parsed;
use hubward_config::diagnostic::{Code, Diagnostic, Severity};
use std::collections::BTreeSet;
use std::path::Path;

/// A configuration and what it comes to.
pub(super) struct Report {
    /// The file, as it was named.
    pub(super) name: String,
    pub(super) text: String,
    pub(super) parsed: Parsed,
    pub(super) judgement: Judgement,
    /// Whether it starts with the options that were given.
    pub(super) starts: bool,
    /// The exit status.
    pub(super) status: u8,
    /// The command that starts it.
    pub(super) command: String,
    /// What is said of the machine, the options or several lines together, and not of one line.
    pub(super) warnings: Vec<String>,
}

/// Whether a file is standard input: `-`.
pub(super) fn is_input(file: &Path) -> bool {
    file.as_os_str() == "-"
}

impl Report {
    /// Reads a configuration, and judges it.
    ///
    /// # Errors
    /// There is none, it is no configuration, or the options are not right for it.
    pub(super) fn of(file: &Path, choices: &Choices) -> anyhow::Result<Self> {
        let (name, text) = match is_input(file) {
            true => ("standard input".to_string(), read_input()?),
            false => (file.display().to_string(), read(file)?),
        };
        let mut parsed = parse(Path::new(&name), &text)?;
        let judgement = choices.apply(&mut parsed)?;
        let starts = may_start(&judgement).is_ok();
        let status = if starts { status(&parsed, &judgement) } else { 1 };
        add_left_out(&mut parsed);
        let mut warnings = Vec::new();
        if forwards_ipv6() {
            warnings.push(FORWARDS_IPV6.to_string());
        }
        warnings.extend(router::foreign_warnings());
        warnings.extend(judgement.idle.iter().map(|line| allowed_for_nothing(line)));
        if !is_input(file) && is_open(file, &parsed) {
            warnings.push(readable(file));
        }
        warnings.extend(super::keys::shared(&parsed));
        // a start needs a file
        let started = if is_input(file) { "FILE".to_string() } else { quoted(&name) };
        let command = format!("hubward run {started}{}", choices.options_for(&judgement));
        Ok(Self { name, text, parsed, judgement, starts, status, command, warnings })
    }
}

/// What the engine leaves out of a configuration: a start logs it.
fn add_left_out(parsed: &mut Parsed) {
    let told: BTreeSet<u32> = parsed
        .diagnostics
        .iter()
        .filter(|told| told.severity > Severity::Notice)
        .map(|told| told.line)
        .collect();
    for sentence in Translation::of(&parsed.config).left_out {
        let of_line = sentence.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
        let of_line = of_line.and_then(|(line, rest)| Some((line.parse::<u32>().ok()?, rest.to_string())));
        let (line, message) = of_line.unwrap_or((0, sentence));
        if !told.contains(&line) {
            let (severity, code, remedy) = (Severity::Warning, Code::LeftOut, String::new());
            parsed.diagnostics.push(Diagnostic { severity, code, line, column: 1, message, remedy });
        }
    }
    parsed.diagnostics.sort_by_key(|told| (told.line, told.column));
}
