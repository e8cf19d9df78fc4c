//! What `check --json` prints: docs/check-json.md.

use super::report::Report;
use hubward_config::diagnostic::{Diagnostic, Kind, Severity, Unenforced};
use hubward_config::verdict::{Outcome, Verdict};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// While it is the same, no field is removed, renamed or given another meaning.
const VERSION: u32 = 1;

/// The document of a file that was read.
pub(super) fn document(report: &Report) -> Value {
    let Report { parsed, judgement, .. } = report;
    let verdict = |verdict: &Verdict| {
        let reasons = verdict.outcome.reasons().iter();
        json!({
            "name": verdict.name,
            "line": verdict.line,
            "verdict": match verdict.outcome {
                Outcome::Works => "works",
                Outcome::Differs(_) => "differs",
                Outcome::Missing(_) => "missing",
            },
            "left_out": judgement.without.contains(&verdict.name),
            "idle": verdict.idle,
            "reasons": reasons.map(|why| json!({"line": why.line, "text": why.text})).collect::<Vec<_>>(),
            "networks": verdict.flows.iter().map(|(from, to)| json!({"from": from.to_string(), "to": to.to_string()})).collect::<Vec<_>>(),
            "more_networks": verdict.unknown,
        })
    };
    json!({
        "check": report.name,
        "version": VERSION,
        "status": report.status,
        "error": null,
        "starts": report.starts,
        "command": report.command,
        "warnings": report.warnings,
        "verdicts": judgement.verdicts.iter().map(verdict).collect::<Vec<_>>(),
        "refused": judgement.refused.iter().map(unenforced).collect::<Vec<_>>(),
        "allowed": judgement.allowed.iter().map(unenforced).collect::<Vec<_>>(),
        "findings": parsed.diagnostics.iter().map(finding).collect::<Vec<_>>(),
        "lines": lines(report),
    })
}

/// The document of a file that could not be read, or that is no configuration.
pub(super) fn unread(name: &str, error: &anyhow::Error) -> Value {
    json!({
        "check": name,
        "version": VERSION,
        "status": 1,
        "error": format!("{error:#}"),
        "starts": false,
        "command": null,
        "warnings": [],
        "verdicts": [],
        "refused": [],
        "allowed": [],
        "findings": [],
        "lines": [],
    })
}

fn unenforced(line: &Unenforced) -> Value {
    let name = line.name();
    let allow = if line.kind == Kind::Other { name.as_str() } else { line.kind.name() };
    json!({"line": line.line, "kind": line.kind.name(), "name": name, "allow": allow, "message": line.message})
}

fn finding(told: &Diagnostic) -> Value {
    let remedy = Some(&told.remedy).filter(|remedy| !remedy.is_empty());
    json!({
        // 0 is no line
        "line": Some(told.line).filter(|line| *line > 0),
        "column": told.column,
        "severity": match told.severity {
            Severity::Notice => "notice",
            Severity::Warning => "warning",
            Severity::Error => "error",
        },
        "code": told.code.name(),
        "message": told.message,
        "remedy": remedy,
    })
}

/// Each line that says something, with what is most serious of what is said of it.
fn lines(report: &Report) -> Vec<Value> {
    let mut worst: BTreeMap<u32, &Diagnostic> = BTreeMap::new();
    for told in &report.parsed.diagnostics {
        let known = worst.entry(told.line).or_insert(told);
        if told.severity > known.severity {
            *known = told;
        }
    }
    let lines = (1_u32..).zip(&report.parsed.document.lines);
    let lines = lines.filter(|(number, line)| {
        line.class != hubward_config::document::Class::Blank || worst.contains_key(number)
    });
    let value = lines.map(|(number, line)| {
        let told = worst.get(&number);
        json!({
            "line": number,
            "class": line.class.name(),
            "under": line.under.map(|under| under + 1),
            "code": told.map(|told| told.code.name()),
            "reason": told.map(|told| told.message.as_str()),
        })
    });
    value.collect()
}
