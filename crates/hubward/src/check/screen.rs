//! What `check` prints for people: what they must know first, in as few lines as it takes.

use super::groups::{Group, counted, essence, feature, grouped, ranges, sort_of, title};
use super::report::Report;
use super::start::{reason, shown};
use crate::choices::Judgement;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use hubward_config::Parsed;
use hubward_config::diagnostic::{Code, Diagnostic, Kind, Severity};
use hubward_config::document::Class;
use hubward_config::model::Config;
use hubward_config::verdict::{Outcome, Verdict, has_no_link};
use std::collections::{BTreeMap, BTreeSet};

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Reasons that are shown of a tunnel, unless all are.
const REASONS: usize = 4;
/// Remarks of one section that are shown, unless all are.
const REMARKS: usize = 10;

/// Kinds of lines without effect that are shown, unless all are.
const KINDS: usize = 24;

/// The whole text.
pub(super) fn text(report: &Report, all: bool) -> String {
    let mut out = String::new();
    let judgement = &report.judgement;
    for verdict in &judgement.verdicts {
        becomes(&mut out, judgement, verdict, all);
    }
    refused(&mut out, report);
    let told = Told::of(report);
    section(&mut out, "Goes another way than on a router, or nowhere:", &told.ways, all);
    section(&mut out, "Allowed, and not enforced:", &told.allowed, all);
    section(&mut out, "Not implemented:", &told.missing, all);
    section(&mut out, "Not understood:", &told.unread, all);
    section(&mut out, "Warnings:", &told.warnings, all);
    section(&mut out, "Notes:", &told.notes, all);
    section(&mut out, "Without effect, and none is needed:", &told.inert, all || told.inert.len() <= KINDS);
    out.push('\n');
    if all {
        remarks(&mut out, report);
    }
    let hidden = !all && !report.parsed.diagnostics.is_empty();
    wrapped(&mut out, 0, &(counts(&report.parsed) + if hidden { "; --all shows each" } else { "" }));
    for warning in &report.warnings {
        wrapped(&mut out, 0, &format!("warning: {warning}"));
    }
    let wanting = wanting(&report.parsed.config);
    if !wanting.is_empty() {
        let text = format!(
            "without a link here: {}; name one for each with --map (then also for the others)",
            wanting.iter().map(|name| format!("--map {name}=NAME")).collect::<Vec<_>>().join(" ")
        );
        wrapped(&mut out, 0, &text);
    }
    let verb = if report.starts { "ready to start" } else { "start it with" };
    command(&mut out, &format!("{verb}: {}", report.command));
    out
}

/// What becomes of a tunnel, group or peer, and why.
fn becomes(out: &mut String, judgement: &Judgement, verdict: &Verdict, all: bool) {
    let becomes = match &verdict.outcome {
        _ if judgement.without.contains(&verdict.name) => "left out; its networks are unreachable",
        Outcome::Works => "works",
        Outcome::Differs(_) => "differs",
        Outcome::Missing(_) => "does not exist here",
    };
    out.push_str(&format!("{}: {becomes}\n", verdict.name));
    let reasons = verdict.outcome.reasons();
    let shown = if all { reasons.len() } else { REASONS };
    for why in reasons.iter().take(shown) {
        wrapped(out, 4, &reason(why));
    }
    if reasons.len() > shown {
        wrapped(out, 4, &format!("and {} more (--all shows them)", reasons.len() - shown));
    }
    if (verdict.idle || verdict.outcome.is_missing()) && verdict.unknown {
        wrapped(
            out,
            4,
            "its networks are not known: without it, private networks are unreachable by outside interfaces, unless a route of the configuration other than the default leads there",
        );
    }
}

/// What stops the start.
fn refused(out: &mut String, report: &Report) {
    if report.starts {
        return;
    }
    let judgement = &report.judgement;
    out.push('\n');
    wrapped(
        out,
        0,
        "this configuration does not start: Hubward would not protect or restrict all that it specifies",
    );
    for name in &judgement.missing {
        wrapped(out, 2, &format!("{name} does not exist here"));
    }
    let kinds = judgement.refused.iter().map(|line| {
        let kind = match line.kind {
            Kind::Other => format!("{} (the line itself)", title(line.kind)),
            kind => format!("{} ({})", title(kind), kind.name()),
        };
        (kind, line.line, essence(&line.message))
    });
    for group in grouped(kinds) {
        wrapped(out, 2, &of(&group));
    }
}

/// `NAT: 7 lines (112-118, 301): translates addresses`
fn of(group: &Group) -> String {
    // what follows from it is said once
    let mut consequences = BTreeSet::new();
    let shortened = |says: &String| match says.split_once("; ") {
        Some((what, consequence)) if !consequences.insert(consequence.to_string()) => what.to_string(),
        _ => says.clone(),
    };
    let mut says: Vec<_> = group.says.iter().take(SENTENCES).map(shortened).collect();
    if group.says.len() > SENTENCES {
        says.push("…".into());
    }
    format!("{}: {}: {}", group.title, counted(&group.lines), says.join("; "))
}

/// The same on one line of the screen: the count matters, and the reasons as far as they fit.
fn short(group: &Group) -> String {
    let says: Vec<_> =
        group.says.iter().filter(|says| *says != "has no effect").map(String::as_str).collect();
    let text = match says.is_empty() {
        true => format!("{}: {}", group.title, counted(&group.lines)),
        false => format!("{}: {}: {}", group.title, counted(&group.lines), says.join("; ")),
    };
    let most = COLUMNS - 2;
    if text.chars().count() <= most {
        return text;
    }
    let cut: String = text.chars().take(most - 1).collect();
    // no word is cut
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(whole, _)| whole);
    format!("{} …", whole.trim_end_matches([' ', ';', ':', ',']))
}

/// Different sentences that are shown of a group.
const SENTENCES: usize = 3;

/// The remarks that are not told with the verdicts, by section, a paragraph each.
#[derive(Default)]
struct Told {
    ways: Vec<String>,
    allowed: Vec<String>,
    missing: Vec<String>,
    unread: Vec<String>,
    warnings: Vec<String>,
    notes: Vec<String>,
    inert: Vec<String>,
}

impl Told {
    fn of(report: &Report) -> Self {
        let Report { parsed, judgement, .. } = report;
        let lines = &parsed.document.lines;
        let by_feature = |codes: &[Code]| {
            let told = parsed.diagnostics.iter().filter(|told| codes.contains(&told.code));
            let titled = told.map(|told| (feature(lines, told.line), told.line, essence(&told.message)));
            grouped(titled).iter().map(of).collect::<Vec<_>>()
        };
        let allowed = judgement.allowed.iter();
        let allowed = allowed.map(|line| (title(line.kind).to_string(), line.line, essence(&line.message)));
        let inert = parsed.diagnostics.iter().filter(|told| told.code == Code::Inert);
        let inert = inert.map(|told| (feature(lines, told.line), told.line, essence(&told.message)));
        let mut out = Self {
            ways: by_feature(&[Code::Forwarding, Code::Unreachable, Code::OffLink]),
            allowed: grouped(allowed).iter().map(of).collect(),
            missing: by_feature(&[Code::Unsupported]),
            inert: grouped(inert).iter().map(short).collect(),
            ..Self::default()
        };
        let grouped_before = [
            Code::Forwarding,
            Code::Unreachable,
            Code::OffLink,
            Code::Unsupported,
            Code::Inert,
            Code::Unenforced,
            // one warning each tells of all keys that many know
            Code::AnyProxy,
            Code::AggressivePsk,
        ];
        let others = parsed.diagnostics.iter().filter(|told| !grouped_before.contains(&told.code));
        for (first, lines) in sorts(others) {
            let text = paragraph(first, &lines);
            match (first.code, first.severity) {
                (Code::Unknown | Code::Invalid, _) => out.unread.push(text),
                (_, Severity::Notice) => out.notes.push(text),
                _ => out.warnings.push(text),
            }
        }
        out
    }
}

/// Remarks of one sort, with the first of them; each unread line is a sort of its own.
fn sorts<'d>(all: impl Iterator<Item = &'d Diagnostic>) -> Vec<(&'d Diagnostic, Vec<u32>)> {
    let mut out: Vec<(&Diagnostic, Vec<u32>)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for told in all {
        let sort = match told.code {
            Code::Unknown | Code::Invalid => told.line.to_string(),
            _ if told.severity == Severity::Notice => told.code.name().to_string(),
            _ => sort_of(told),
        };
        let place = *places.entry(sort).or_insert(out.len());
        match out.get_mut(place) {
            Some((_, lines)) => lines.push(told.line),
            None => out.push((told, vec![told.line])),
        }
    }
    out
}

/// A remark, with the other lines of which the same is said, and what to do.
fn paragraph(told: &Diagnostic, lines: &[u32]) -> String {
    let mut text = match told.line {
        0 => told.message.clone(),
        line => format!("line {line}: {}", told.message),
    };
    // what is said of each line that is not understood
    let usual = "is not a command that Hubward knows; the line is kept and has no effect";
    text = text.replace(usual, "is not a command");
    if let Some((_, others @ [_, ..])) = lines.split_first() {
        let word = if others.len() == 1 { "line" } else { "lines" };
        text.push_str(&format!(" (and {word} {})", ranges(others)));
    }
    let usual = ["correct the line", "check the spelling, or remove the line"];
    // a note asks for nothing
    let wants = told.severity > Severity::Notice && told.code != Code::Dangling;
    if wants && !told.remedy.is_empty() && !usual.contains(&told.remedy.as_str()) {
        text.push_str(&format!(" -> {}", told.remedy));
    }
    text
}

fn section(out: &mut String, title: &str, paragraphs: &[String], all: bool) {
    if paragraphs.is_empty() {
        return;
    }
    out.push_str(&format!("\n{title}\n"));
    let shown = if all { paragraphs.len() } else { REMARKS };
    for paragraph in paragraphs.iter().take(shown) {
        wrapped(out, 2, paragraph);
    }
    if paragraphs.len() > shown {
        wrapped(out, 2, &format!("and {} more (--all shows them)", paragraphs.len() - shown));
    }
}

/// A paragraph, its first line indented by so many columns and the others by two more.
fn wrapped(out: &mut String, indent: usize, text: &str) {
    let mut column = indent;
    out.push_str(&" ".repeat(indent));
    let mut is_first = true;
    for word in text.split(' ') {
        let width = word.chars().count();
        if !is_first && column + 1 + width > COLUMNS {
            out.push('\n');
            out.push_str(&" ".repeat(indent + 2));
            column = indent + 2;
        } else if !is_first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
        is_first = false;
    }
    out.push('\n');
}

/// A command to be copied: a shell joins the lines again.
fn command(out: &mut String, text: &str) {
    let mut column = 0;
    for (place, part) in text.split(" --").enumerate() {
        let part = if place == 0 { part.to_string() } else { format!("--{part}") };
        let width = part.chars().count();
        if place > 0 && column + width + 3 > COLUMNS {
            out.push_str(" \\\n    ");
            column = 4;
        } else if place > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(&part);
        column += width;
    }
    out.push('\n');
}

/// Interfaces in use that have no link here, and could have one by `--map`.
fn wanting(config: &Config) -> Vec<String> {
    let used = |name: &str| {
        let own = config.interfaces.iter().find(|interface| interface.name == name);
        own.is_some_and(|own| !own.shutdown && own.vrf.is_none() && !own.address.is_none())
            || own.is_some_and(|own| !own.shutdown && own.crypto_map.is_some())
    };
    let names = config.interfaces.iter().map(|interface| interface.name.as_str());
    let names = names.filter(|name| used(name) && !config.has_link(name) && !has_no_link(name));
    names.map(str::to_string).collect()
}

/// How many lines of each class there are.
fn counts(parsed: &Parsed) -> String {
    let count = |class| parsed.document.lines.iter().filter(|line| line.class == class).count();
    format!(
        "{} lines: {} implemented, {} that need no effect, {} inert, {} not implemented, {} unknown",
        parsed.document.lines.iter().filter(|line| line.class != Class::Blank).count(),
        count(Class::Implemented),
        count(Class::NoOp),
        count(Class::Inert),
        count(Class::Unsupported),
        count(Class::Unknown)
    )
}

/// Every remark with its line.
fn remarks(out: &mut String, report: &Report) {
    let renderer = Renderer::plain();
    let lines: Vec<_> = report.text.split('\n').collect();
    for told in &report.parsed.diagnostics {
        out.push_str(&format!("{}\n\n", render(&renderer, &report.name, &lines, told)));
    }
}

fn render(renderer: &Renderer, name: &str, lines: &[&str], told: &Diagnostic) -> String {
    let level = match told.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Notice => Level::INFO,
    };
    let number = usize::try_from(told.line.saturating_sub(1)).unwrap_or(0);
    // a line may contain a key; only what precedes it is shown
    let line = lines.get(number).copied().unwrap_or_default().trim_end_matches('\r');
    let unread = matches!(told.code, Code::Unknown | Code::Invalid);
    let shown = shown(line, unread);
    // the column refers to the whole line, and may be within the sign that replaces the rest
    let column = shown.floor_char_boundary(usize::try_from(told.column.saturating_sub(1)).unwrap_or(0));
    let end = shown.len().max(column);
    let mut group = level.primary_title(told.message.as_str()).id(told.code.name()).element(
        Snippet::source(shown.as_str())
            .line_start(usize::try_from(told.line).unwrap_or(1))
            .path(name)
            .annotation(AnnotationKind::Primary.span(column..end)),
    );
    if !told.remedy.is_empty() {
        group = group.element(Level::HELP.message(told.remedy.as_str()));
    }
    renderer.render(&[group]).to_string()
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
