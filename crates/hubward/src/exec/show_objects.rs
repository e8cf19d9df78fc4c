//! `show object-group` and `show time-range`: what access lists refer to.

use crate::base::date::Date;
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::views::snapshot::Snapshot;
use hubward_config::model::{GroupMembers, Moment};
use serde::Serialize;
use std::io::{self, Write};
use std::sync::Arc;

/// `show object-group [NAME]`
pub(super) fn groups(context: &Context, arguments: &Arguments) -> Output {
    let only = arguments.get("name").map(str::to_string);
    shown(Groups { snapshot: Arc::clone(&context.snapshot), only })
}

/// `show time-range [NAME]`
pub(super) fn ranges(context: &Context, arguments: &Arguments) -> Output {
    let only = arguments.get("name").map(str::to_string);
    let now = Date::local(context.snapshot.wall, &context.snapshot.parsed.config.clock).minute();
    shown(Ranges { snapshot: Arc::clone(&context.snapshot), only, now })
}

/// The lines that a configuration has in the mode that a line opens; the line counts from 1.
fn lines_of(snapshot: &Snapshot, line: u32) -> Vec<String> {
    let opener = line.checked_sub(1).and_then(|line| usize::try_from(line).ok());
    let all = &snapshot.parsed.document.lines;
    let said = opener.and_then(|opener| all.get(opener)).map(|line| &line.spelled);
    // the mode may be opened again
    let opens = |place: usize| all.get(place).is_some_and(|line| Some(&line.spelled) == said);
    let inside = all.iter().filter(|line| line.under.is_some_and(opens));
    let inside = inside.filter(|line| line.spelled != "exit" && !line.spelled.trim_start().starts_with('!'));
    inside.map(|line| line.spelled.clone()).filter(|text| !text.is_empty()).collect()
}

/// An object group.
#[derive(Debug, Serialize)]
struct GroupRow {
    name: String,
    /// `network`, `service`
    kind: &'static str,
    members: Vec<String>,
}

struct Groups {
    snapshot: Arc<Snapshot>,
    only: Option<String>,
}

impl Layout for Groups {
    type Row = GroupRow;

    fn rows(&self) -> impl Iterator<Item = GroupRow> {
        let groups = self.snapshot.parsed.config.object_groups.iter();
        let wanted = groups.filter(|group| self.only.as_ref().is_none_or(|name| *name == group.name));
        wanted.map(|group| GroupRow {
            name: group.name.clone(),
            kind: match group.members {
                GroupMembers::Network(_) => "network",
                GroupMembers::Service(_) => "service",
            },
            members: lines_of(&self.snapshot, group.line),
        })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for (place, row) in self.rows().enumerate() {
            if place > 0 {
                writeln!(out)?;
            }
            let kind = if row.kind == "network" { "Network" } else { "Service" };
            writeln!(out, "{kind} object group {}", row.name)?;
            row.members.iter().try_for_each(|member| writeln!(out, " {member}"))?;
        }
        Ok(())
    }
}

/// A time range.
#[derive(Debug, Serialize)]
struct RangeRow {
    name: String,
    /// It holds now.
    active: bool,
    lines: Vec<String>,
    /// The access lists of the lines that it restricts, one for each.
    used_in: Vec<String>,
}

struct Ranges {
    snapshot: Arc<Snapshot>,
    only: Option<String>,
    now: Moment,
}

impl Layout for Ranges {
    type Row = RangeRow;

    fn rows(&self) -> impl Iterator<Item = RangeRow> {
        let config = &self.snapshot.parsed.config;
        let ranges = config.time_ranges.iter();
        let wanted = ranges.filter(|range| self.only.as_ref().is_none_or(|name| *name == range.name));
        wanted.map(|range| {
            let lists = config.acls.iter().chain(&config.ipv6_acls);
            let of_entries = lists.flat_map(|list| list.entries.iter().map(move |entry| (list, entry)));
            let uses = of_entries.filter(|(_, entry)| {
                entry.rule().is_some_and(|rule| rule.only.time_range.as_ref() == Some(&range.name))
            });
            RangeRow {
                name: range.name.clone(),
                active: range.is_known() && range.contains(self.now),
                lines: lines_of(&self.snapshot, range.line),
                used_in: uses.map(|(list, _)| list.name.clone()).collect(),
            }
        })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            let state = if row.active { "active" } else { "inactive" };
            writeln!(out, "time-range entry: {} ({state})", row.name)?;
            row.lines.iter().try_for_each(|line| writeln!(out, "   {line}"))?;
            row.used_in.iter().try_for_each(|_| writeln!(out, "   used in: IP ACL entry"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::base::format::Format;
    use crate::exec::fixtures::{json, snapshot, text};

    const CONFIG: &str = "\
object-group network BRANCHES
 description all of them
 host 10.2.0.1
 10.3.0.0 255.255.0.0
object-group service WEB
 tcp eq 80
 group-object MORE
! the branches again
object-group network BRANCHES
 range 10.4.0.1 10.4.0.9
time-range WORK
 periodic weekdays 8:00 to 17:00
time-range NIGHT
 periodic daily 0:00 to 6:00
ip access-list extended L
 permit ip any any time-range WORK
 permit tcp any any time-range WORK
 permit udp any any time-range NIGHT
";

    /// Monday, 09:12.
    #[test]
    fn what_lists_refer_to_is_shown() {
        let shown = |line: &str| text(line, snapshot(CONFIG, Vec::new()), Format::Modern);
        let branches = "\
Network object group BRANCHES
 description all of them
 host 10.2.0.1
 10.3.0.0 255.255.0.0
 range 10.4.0.1 10.4.0.9
";
        let web = "Service object group WEB\n tcp eq 80\n group-object MORE\n";
        assert_eq!(shown("show object-group"), format!("{branches}\n{web}"));
        assert_eq!(shown("show object-group WEB"), web);
        assert_eq!(shown("show object-group NONE"), "");
        let work = "\
time-range entry: WORK (active)
   periodic weekdays 8:00 to 17:00
   used in: IP ACL entry
   used in: IP ACL entry
";
        let night = "\
time-range entry: NIGHT (inactive)
   periodic daily 0:00 to 6:00
   used in: IP ACL entry
";
        assert_eq!(shown("show time-range"), format!("{work}{night}"));
        assert_eq!(shown("show time-range NIGHT"), night);
        let json = json("show time-range WORK", snapshot(CONFIG, Vec::new()));
        assert!(json.contains("\"active\": true"), "{json}");
    }

    /// Monday, 18:12: a time range and the clock go by the router's own time.
    #[test]
    fn a_time_range_goes_by_the_routers_own_time() {
        let config = format!("clock timezone JST 9\n{CONFIG}");
        let shown = |line: &str| text(line, snapshot(&config, Vec::new()), Format::Modern);
        assert_eq!(shown("show clock"), "18:12:47.123 JST Mon Nov 23 2026\n");
        assert!(shown("show time-range WORK").starts_with("time-range entry: WORK (inactive)\n"));
        let list = shown("show access-lists L");
        assert!(list.contains("time-range WORK (inactive)") && !list.contains("(active)"), "{list}");
        let json = json("show clock", snapshot(&config, Vec::new()));
        assert!(json.contains("2026-11-23T09:12:47.123Z"), "in UTC: {json}");
    }
}
