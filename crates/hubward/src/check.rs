//! `hubward check`, and what is told of a configuration at start.

use anyhow::Context as _;
use hubward_config::diagnostic::{Code, Diagnostic, Severity};
use std::path::Path;
use std::process::ExitCode;

/// Reads a configuration file; bytes that are no UTF-8 (old banners) are kept readable, not refused.
pub(crate) fn read(file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// `hubward check FILE`: every remark, then a count. Fails when a line that should have an effect has none.
pub(crate) fn command(file: &Path) -> anyhow::Result<ExitCode> {
    let parsed = hubward_config::parse(&read(file)?);
    for diagnostic in &parsed.diagnostics {
        println!("{}", render(file, diagnostic));
    }
    let count = |severity| parsed.diagnostics.iter().filter(|remark| remark.severity == severity).count();
    println!(
        "{}: {} lines, {} errors, {} warnings, {} notices",
        file.display(),
        parsed.document.lines.len(),
        count(Severity::Error),
        count(Severity::Warning),
        count(Severity::Notice)
    );
    Ok(if count(Severity::Error) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// One remark: place, severity, stable name, what happens, what to do.
pub(crate) fn render(file: &Path, diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let mut text = format!(
        "{}:{}:{}: {severity}[{}]: {}",
        file.display(),
        diagnostic.line,
        diagnostic.column,
        diagnostic.code.name(),
        diagnostic.message
    );
    if !diagnostic.remedy.is_empty() {
        text.push_str("\n  remedy: ");
        text.push_str(&diagnostic.remedy);
    }
    text
}

/// The order in which a start tells its remarks: what stops it, then what changes forwarding, then the rest.
pub(crate) fn by_weight(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut ordered: Vec<_> = diagnostics.iter().collect();
    ordered.sort_by_key(|remark| match (remark.code, remark.severity) {
        (Code::Unenforced, _) => 0,
        (Code::Forwarding, _) => 1,
        (_, Severity::Error) => 2,
        (_, Severity::Warning) => 3,
        (_, Severity::Notice) => 4,
    });
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remark(code: Code, severity: Severity) -> Diagnostic {
        Diagnostic {
            severity,
            code,
            line: 7,
            column: 3,
            message: "`ip nat` rewrites addresses".into(),
            remedy: "use nftables".into(),
        }
    }

    #[test]
    fn a_remark_names_its_place_and_remedy() {
        let text = render(Path::new("hub.cfg"), &remark(Code::Forwarding, Severity::Warning));
        assert_eq!(
            text,
            "hub.cfg:7:3: warning[forwarding]: `ip nat` rewrites addresses\n  remedy: use nftables"
        );
    }

    #[test]
    fn what_is_not_enforced_or_forwarded_otherwise_comes_first() {
        let all = [
            remark(Code::Inert, Severity::Notice),
            remark(Code::Invalid, Severity::Error),
            remark(Code::Forwarding, Severity::Warning),
            remark(Code::Unenforced, Severity::Error),
        ];
        let codes: Vec<_> = by_weight(&all).iter().map(|remark| remark.code).collect();
        assert_eq!(codes, [Code::Unenforced, Code::Forwarding, Code::Invalid, Code::Inert]);
    }
}
