//! `hubward check`, and what the remarks on a configuration mean for its start.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use hubward_config::Parsed;
use hubward_config::diagnostic::{Code, Diagnostic, Severity};
use hubward_config::document::Class;

/// Prints every remark with its line, and counts the lines of each class. Gives whether the configuration may start.
pub(crate) fn print(name: &str, text: &str, parsed: &Parsed) -> bool {
    let renderer = Renderer::plain();
    for diagnostic in &parsed.diagnostics {
        println!("{}\n", render(&renderer, name, text, diagnostic));
    }
    let count = |class| parsed.document.lines.iter().filter(|line| line.class == class).count();
    println!(
        "{} lines: {} implemented, {} without need of an effect, {} inert, {} not implemented, {} unknown",
        parsed.document.lines.iter().filter(|line| line.class != Class::Blank).count(),
        count(Class::Implemented),
        count(Class::NoOp),
        count(Class::Inert),
        count(Class::Unsupported),
        count(Class::Unknown)
    );
    match may_start(parsed, false) {
        Ok(()) => true,
        Err(refusal) => {
            println!("{refusal}");
            false
        }
    }
}

fn render(renderer: &Renderer, name: &str, text: &str, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Notice => Level::INFO,
    };
    let number = usize::try_from(diagnostic.line.saturating_sub(1)).unwrap_or(0);
    // a line may hold a key; only what stands in front of it is shown
    let line = text.split('\n').nth(number).unwrap_or_default().trim_end_matches('\r');
    let shown = shown(line);
    let column = usize::try_from(diagnostic.column.saturating_sub(1)).unwrap_or(0).min(shown.len());
    let end = shown.len().max(column);
    let mut group = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.name()).element(
        Snippet::source(shown.as_str())
            .line_start(usize::try_from(diagnostic.line).unwrap_or(1))
            .path(name)
            .annotation(AnnotationKind::Primary.span(column..end)),
    );
    if !diagnostic.remedy.is_empty() {
        group = group.element(Level::HELP.message(diagnostic.remedy.as_str()));
    }
    renderer.render(&[group]).to_string()
}

/// A line without the secret at its end.
fn shown(line: &str) -> String {
    let mut words = Vec::new();
    for word in line.split(' ') {
        words.push(word);
        let lower = word.to_ascii_lowercase();
        if ["key", "password", "secret"].contains(&lower.as_str()) {
            words.push("…");
            break;
        }
    }
    words.join(" ")
}

/// Refuses a configuration whose access controls would not be enforced.
pub(crate) fn may_start(parsed: &Parsed, allow_unenforced: bool) -> Result<(), String> {
    let open: Vec<_> = parsed.diagnostics.iter().filter(|d| d.code == Code::Unenforced).collect();
    if open.is_empty() || allow_unenforced {
        return Ok(());
    }
    let lines: Vec<_> = open.iter().map(|d| format!("  line {}: {}", d.line, d.message)).collect();
    Err(format!(
        "this configuration restricts access in ways that Hubward does not enforce; it does not start:\n{}\n\
         enforce this elsewhere and start with --allow-unenforced",
        lines.join("\n")
    ))
}

/// Tells the remarks at start: what changes forwarding first, by name.
pub(crate) fn tell(parsed: &Parsed) {
    let forwarding = parsed.diagnostics.iter().filter(|d| d.code == Code::Forwarding);
    for diagnostic in forwarding {
        tracing::warn!("line {}: {}", diagnostic.line, diagnostic.message);
    }
    for diagnostic in parsed.diagnostics.iter().filter(|d| d.code != Code::Forwarding) {
        match diagnostic.severity {
            Severity::Notice => tracing::info!("line {}: {}", diagnostic.line, diagnostic.message),
            Severity::Warning | Severity::Error => {
                tracing::warn!("line {}: {}", diagnostic.line, diagnostic.message);
            }
        }
    }
}
