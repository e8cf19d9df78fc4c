//! Explanations as text.

use crate::why::explanation::Explanation;
use hubward_config::Parsed;
use hubward_config::secret::public_part;
use std::io::{self, Write};

/// Columns of a side of a comparison.
const SIDE: usize = 28;

/// The text of a line of the configuration by its number, without what is secret in it.
pub(crate) fn line(number: u32, parsed: &Parsed) -> String {
    let place = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let Some(line) = parsed.document.lines.get(place) else { return String::new() };
    let public = public_part(&line.text);
    let cut = if public.len() < line.text.len() { " …" } else { "" };
    format!("{public}{cut}")
}

/// Writes the evidence for a verdict: both sides, the lines of the configuration with their texts,
/// and what to do.
pub(crate) fn evidence(said: &Explanation, configuration: &[String], out: &mut dyn Write) -> io::Result<()> {
    if !said.sides.is_empty() {
        writeln!(out, "\n    {:<16} {:<SIDE$} here", "", "they")?;
        for side in &said.sides {
            let mark = if side.differs { "-->" } else { "   " };
            let line = format!("{mark} {:<16} {:<SIDE$} {}", side.what, side.theirs, side.ours);
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    if !said.evidence.is_empty() {
        writeln!(out, "\n  What is known:")?;
        for evidence in &said.evidence {
            writeln!(out, "  * {evidence}")?;
        }
    }
    if !said.lines.is_empty() {
        writeln!(out, "\n  Configuration:")?;
        for (place, line) in said.lines.iter().enumerate() {
            let text = configuration.get(place).map_or("", |text| text.as_str());
            writeln!(out, "  {:>5}  {}", line, text.trim_end())?;
        }
    }
    if !said.advice.is_empty() {
        writeln!(out, "\n  What to do:")?;
        for advice in &said.advice {
            writeln!(out, "  * {advice}")?;
        }
    }
    Ok(())
}
