//! `show access-lists`, with the packets that crypto access lists selected.

use super::show_map::acl_text;
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::translate;
use crate::views::snapshot::Snapshot;
use hubward_config::model::{Acl, AclEntry, Wildcard};
use hubward_proto::flow::selector::Selector;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(super) fn lists(context: &Context, arguments: &Arguments) -> Output {
    let only = arguments.get("name").map(str::to_string);
    shown(Acls { snapshot: Arc::clone(&context.snapshot), only })
}

/// One access list.
#[derive(Debug, Serialize)]
struct AclRow {
    name: String,
    /// `standard`, `extended`
    kind: &'static str,
    lines: Vec<LineRow>,
}

/// One of its lines.
#[derive(Debug, Serialize)]
struct LineRow {
    sequence: u32,
    /// `permit ip 10.2.0.0 0.0.255.255 any`
    text: String,
    /// Packets, in both directions, of SAs that the line selected; only lines of crypto access
    /// lists that permit count.
    matches: u64,
}

struct Acls {
    snapshot: Arc<Snapshot>,
    only: Option<String>,
}

impl Acls {
    /// The packets of each permit line.
    fn hits(&self) -> BTreeMap<(String, Selector), u64> {
        let snapshot = &self.snapshot;
        let mut hits = snapshot.hits.clone();
        for flow in &snapshot.flows {
            let found = translate::acl_line(&snapshot.parsed.config, &flow.service, &flow.selector);
            let Some((acl, line)) = found else { continue };
            let carried: u64 = flow.pairs.iter().map(|pair| pair.selected).sum();
            *hits.entry((acl.name.clone(), line)).or_default() += carried;
        }
        hits
    }

    /// The line as it is in the configuration, without the words before `permit`.
    fn written(&self, entry: &AclEntry) -> Option<String> {
        let place = usize::try_from(entry.line.checked_sub(1)?).ok()?;
        let text = &self.snapshot.parsed.document.lines.get(place)?.text;
        let words: Vec<_> = text.split_whitespace().collect();
        let verb = words.iter().position(|word| "permit".starts_with(word) || "deny".starts_with(word));
        words.get(verb.unwrap_or(0)..).map(|words| words.join(" "))
    }

    fn is_standard(&self, acl: &Acl) -> bool {
        if let Ok(number) = acl.name.parse::<u32>() {
            return matches!(number, 1..=99 | 1300..=1999);
        }
        let opening = acl.line.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let line = opening.and_then(|place| self.snapshot.parsed.document.lines.get(place));
        line.and_then(|line| line.text.split_whitespace().nth(2))
            .is_some_and(|kind| "standard".starts_with(&kind.to_ascii_lowercase()))
    }
}

/// A line of a standard list.
fn standard_text(entry: &AclEntry) -> String {
    let verb = if entry.permit { "permit" } else { "deny  " };
    match entry.source {
        Wildcard { wildcard: Ipv4Addr::BROADCAST, .. } => format!("{verb} any"),
        Wildcard { address, wildcard: Ipv4Addr::UNSPECIFIED } => format!("{verb} {address}"),
        Wildcard { address, wildcard } => format!("{verb} {address}, wildcard bits {wildcard}"),
    }
}

impl Layout for Acls {
    type Row = AclRow;

    fn rows(&self) -> impl Iterator<Item = AclRow> {
        let acls = self.snapshot.parsed.config.acls.iter();
        let wanted = acls.filter(|acl| self.only.as_ref().is_none_or(|name| *name == acl.name));
        let hits = self.hits();
        wanted.map(move |acl| {
            let standard = self.is_standard(acl);
            let line = |(index, entry): (u32, &AclEntry)| LineRow {
                sequence: 10 * (index + 1),
                text: match (standard, entry.inexact) {
                    (true, false) => standard_text(entry),
                    (false, false) => acl_text(entry),
                    (_, true) => self.written(entry).unwrap_or_else(|| acl_text(entry)),
                },
                matches: translate::selector(entry)
                    .filter(|_| entry.permit)
                    .and_then(|selector| hits.get(&(acl.name.clone(), selector)).copied())
                    .unwrap_or(0),
            };
            AclRow {
                name: acl.name.clone(),
                kind: if standard { "standard" } else { "extended" },
                lines: (0..).zip(&acl.entries).map(line).collect(),
            }
        })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            let kind = if row.kind == "standard" { "Standard" } else { "Extended" };
            writeln!(out, "{kind} IP access list {}", row.name)?;
            for line in &row.lines {
                let matches = match line.matches {
                    0 => String::new(),
                    1 => " (1 match)".into(),
                    count => format!(" ({count} matches)"),
                };
                writeln!(out, "    {} {}{matches}", line.sequence, line.text)?;
            }
        }
        Ok(())
    }
}
