//! `show access-lists`, with the packets that crypto access lists selected.

use crate::base::date::Date;
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::translate;
use crate::views::snapshot::Snapshot;
use hubward_config::acl::written;
use hubward_config::model::{Acl, AclAddress, AclEntry, AclKind, AclLine, AclRule, Moment, Wildcard};
use hubward_proto::flow::selector::Selector;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

pub(super) fn lists(context: &Context, arguments: &Arguments) -> Output {
    let only = arguments.get("name").map(str::to_string);
    let now = Date::new(context.snapshot.wall).minute();
    shown(Acls { snapshot: Arc::clone(&context.snapshot), only, now })
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
    /// A line that was not understood has none.
    sequence: Option<u32>,
    /// `permit ip 10.2.0.0 0.0.255.255 any`
    text: String,
    /// Packets, in both directions, of SAs that the line selected; only lines of crypto access
    /// lists that permit count.
    matches: u64,
}

struct Acls {
    snapshot: Arc<Snapshot>,
    only: Option<String>,
    now: Moment,
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

    /// A line as IOS shows it: in a standard list with more words than in the configuration. One
    /// that was not understood is shown as it is written.
    fn line(&self, acl: &Acl, entry: &AclEntry) -> String {
        match &entry.what {
            AclLine::Unread { permit } => {
                let place = entry.line.checked_sub(1).and_then(|place| usize::try_from(place).ok());
                let line = place.and_then(|place| self.snapshot.parsed.document.lines.get(place));
                let verb = if *permit { "permit" } else { "deny" };
                line.map_or(verb, |line| line.text.trim()).to_string()
            }
            AclLine::Rule(rule) if acl.kind == AclKind::Standard => standard(rule),
            _ => {
                let text = written(entry, acl.kind);
                match entry.rule().and_then(|rule| rule.only.time_range.as_ref()) {
                    // the state of the range stands behind its name
                    Some(name) => {
                        let said = format!("time-range {name}");
                        text.replacen(&said, &format!("{said} ({})", self.time(name)), 1)
                    }
                    None => text,
                }
            }
        }
    }

    /// Whether a time range holds now.
    fn time(&self, name: &str) -> &'static str {
        let range = self.snapshot.parsed.config.time_range(name);
        match range.is_some_and(|range| range.is_known() && range.contains(self.now)) {
            true => "active",
            false => "inactive",
        }
    }
}

/// A line of a standard list.
fn standard(rule: &AclRule) -> String {
    let verb = if rule.permit { "permit" } else { "deny  " };
    let log = if rule.log.is_some() { " log" } else { "" };
    match &rule.source {
        AclAddress::V4(Wildcard::ANY) => format!("{verb} any{log}"),
        AclAddress::V4(Wildcard { address, wildcard: Ipv4Addr::UNSPECIFIED }) => {
            format!("{verb} {address}{log}")
        }
        AclAddress::V4(Wildcard { address, wildcard }) => {
            format!("{verb} {address}, wildcard bits {wildcard}{log}")
        }
        other => format!("{verb} {other}{log}"),
    }
}

impl Layout for Acls {
    type Row = AclRow;

    fn rows(&self) -> impl Iterator<Item = AclRow> {
        let config = &self.snapshot.parsed.config;
        let wanted = config.acls.iter().filter(|acl| self.only.as_ref().is_none_or(|name| *name == acl.name));
        let hits = self.hits();
        wanted.map(move |acl| {
            // a remark is shown in the configuration only
            let says = |entry: &&AclEntry| !matches!(entry.what, AclLine::Remark(_));
            let line = |entry: &AclEntry| {
                let permits = entry.rule().is_some_and(|rule| rule.permit);
                let selectors = translate::selectors(config, entry).ok().filter(|_| permits);
                let hit = |selector| hits.get(&(acl.name.clone(), selector)).copied();
                LineRow {
                    sequence: entry.sequence,
                    text: self.line(acl, entry),
                    matches: selectors.into_iter().flatten().filter_map(hit).sum(),
                }
            };
            AclRow {
                name: acl.name.clone(),
                kind: if acl.kind == AclKind::Standard { "standard" } else { "extended" },
                lines: acl.entries.iter().filter(says).map(line).collect(),
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
                let sequence = line.sequence.map_or_else(String::new, |number| format!("{number} "));
                writeln!(out, "    {sequence}{}{matches}", line.text)?;
            }
        }
        Ok(())
    }
}
