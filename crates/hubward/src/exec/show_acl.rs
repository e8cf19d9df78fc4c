//! `show access-lists` and `show ip access-lists`, with the packets that their lines met: those that
//! SAs of crypto access lists carried, and those that interfaces filter. `clear access-list counters`.

use crate::base::date::Date;
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::{Layout, port_suffix, protocol_name};
use crate::manage::desk::{Answers, Desk, Refusal};
use crate::router::reflexive::Entry;
use crate::router::rules::counter;
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

/// `show access-lists`: the lists of both families.
pub(super) fn lists(context: &Context, arguments: &Arguments) -> Output {
    shown(Acls::new(context, arguments, Families::Both))
}

/// `show ip access-lists`
pub(super) fn ip_lists(context: &Context, arguments: &Arguments) -> Output {
    shown(Acls::new(context, arguments, Families::Ipv4))
}

/// `clear access-list counters [NAME]`, `clear ip access-list counters [NAME]`
pub(super) fn clear(desk: &Desk, arguments: &Arguments, _: &Answers<'_>) -> Result<String, Refusal> {
    let only = arguments.get("name");
    if let Some(name) = only {
        let parsed = desk.views.parsed();
        let config = &parsed.config;
        if !config.acls.iter().chain(&config.ipv6_acls).any(|acl| acl.name == name) {
            return Err(arguments.invalid("name"));
        }
    }
    let cleared = desk.views.clear_access_list_counters(only);
    cleared.map_err(|error| Refusal::Failed(format!("The kernel's counters were not cleared: {error}")))?;
    Ok(String::new())
}

/// Whose lists are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Families {
    Ipv4,
    Both,
}

/// One access list.
#[derive(Debug, Serialize)]
struct AclRow {
    name: String,
    /// `standard`, `extended`, `ipv6`; `reflexive`: what it knows at the moment
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
    /// Packets that an interface's access list let pass or dropped by the line, and those, in both
    /// directions, of SAs that it selected.
    matches: u64,
    /// Seconds that an entry of a reflexive list stays without packets.
    left: Option<u64>,
}

impl LineRow {
    /// An entry of a reflexive list.
    fn reflexive(entry: &Entry) -> Self {
        let protocol = protocol_name(Some(entry.protocol));
        let side = |address: Ipv4Addr, port: Option<u16>| {
            format!("host {address}{}", port_suffix(Some(entry.protocol), port))
        };
        let (from, to) = entry.ports.unzip();
        Self {
            sequence: None,
            text: format!("permit {protocol} {} {}", side(entry.source, from), side(entry.destination, to)),
            matches: entry.packets,
            left: Some(entry.left.as_secs()),
        }
    }
}

struct Acls {
    snapshot: Arc<Snapshot>,
    families: Families,
    only: Option<String>,
    now: Moment,
}

impl Acls {
    fn new(context: &Context, arguments: &Arguments, families: Families) -> Self {
        let only = arguments.get("name").map(str::to_string);
        let now = Date::local(context.snapshot.wall, &context.snapshot.parsed.config.clock).minute();
        Self { snapshot: Arc::clone(&context.snapshot), families, only, now }
    }

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
                let verb = match permit {
                    Some(true) => "permit",
                    Some(false) => "deny",
                    None => "…",
                };
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
        let of_ipv6 = config.ipv6_acls.iter().filter(|_| self.families == Families::Both);
        let all = config.acls.iter().chain(of_ipv6);
        let wanted = all.filter(|acl| self.only.as_ref().is_none_or(|name| *name == acl.name));
        let hits = self.hits();
        let reflexive = self.snapshot.reflexive.iter();
        let reflexive = reflexive.filter(|(list, _)| self.only.as_ref().is_none_or(|name| name == *list));
        let reflexive = reflexive.map(|(name, entries)| AclRow {
            name: name.clone(),
            kind: "reflexive",
            lines: entries.iter().map(LineRow::reflexive).collect(),
        });
        let lists = wanted.map(move |acl| {
            // a remark is shown in the configuration only
            let says = |(entry, _): &(&AclEntry, _)| !matches!(entry.what, AclLine::Remark(_));
            let line = |(entry, counter): (&AclEntry, Option<String>)| {
                let permits = entry.rule().is_some_and(|rule| rule.permit);
                let selectors = translate::selectors(config, entry).ok().filter(|_| permits);
                let hit = |selector| hits.get(&(acl.name.clone(), selector)).copied();
                let filtered = counter.and_then(|name| self.snapshot.filtered.get(&name));
                let carried: u64 = selectors.into_iter().flatten().filter_map(hit).sum();
                LineRow {
                    sequence: entry.sequence,
                    text: self.line(acl, entry),
                    matches: carried.saturating_add(filtered.map_or(0, |counted| counted.packets)),
                    left: None,
                }
            };
            AclRow {
                name: acl.name.clone(),
                kind: match acl.kind {
                    AclKind::Standard => "standard",
                    AclKind::Extended => "extended",
                    AclKind::Ipv6 => "ipv6",
                },
                lines: acl.entries.iter().zip(counter::names(acl)).filter(says).map(line).collect(),
            }
        });
        lists.chain(reflexive)
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            let kind = match row.kind {
                "standard" => "Standard IP",
                "ipv6" => "IPv6",
                "reflexive" => "Reflexive IP",
                _ => "Extended IP",
            };
            writeln!(out, "{kind} access list {}", row.name)?;
            for line in &row.lines {
                let matches = match line.matches {
                    0 => String::new(),
                    1 => " (1 match)".into(),
                    count => format!(" ({count} matches)"),
                };
                // of IPv6 the number comes last
                let (before, behind) = match line.sequence {
                    Some(number) if row.kind == "ipv6" => (String::new(), format!(" sequence {number}")),
                    Some(number) => (format!("{number} "), String::new()),
                    None => (String::new(), String::new()),
                };
                let left = line.left.map(|left| format!(" (time left {left})")).unwrap_or_default();
                let indent = if line.left.is_some() { "     " } else { "    " };
                writeln!(out, "{indent}{before}{}{matches}{left}{behind}", line.text)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::base::format::Format;
    use crate::exec::fixtures::{json, snapshot, text};
    use crate::router::reflexive::Entry;
    use std::time::Duration;

    const LISTS: &str = "\
ip access-list extended ALL
 remark web
 permit tcp 10.1.7.7 0.0.255.255 eq 20 any eq 80 443
 permit udp any range 67 bootpc host 10.0.0.1 neq 500
 deny icmp any any 3 13
 permit icmp any any echo log
 permit tcp any any established
 permit tcp any any match-all +syn -ack
 permit ip any any dscp 46 fragments
 permit object-group WEB object-group LAN any log-input
 permit ip any any time-range WORK
 permit ip any any precedence 5 time-range NIGHT
 permit tcp any any reflect ANSWERS timeout 60
 evaluate ANSWERS
 5 deny ip host server any
 frobnicate
time-range WORK
 periodic weekdays 8:00 to 17:00
time-range NIGHT
 periodic daily 0:00 to 6:00
access-list 10 permit 10.0.0.1
access-list 10 deny 10.1.0.0 0.0.255.255 log
access-list 10 permit any
ipv6 access-list SIX
 permit tcp any host 2001:db8::1 eq www
 remark the rest
 deny ipv6 2001:db8:7::/48 any log
";

    /// Monday, 09:12.
    #[test]
    fn lines_are_shown_as_ios_shows_them() {
        let shown = text("show access-lists", snapshot(LISTS, Vec::new()), Format::Modern);
        let expected = "\
Extended IP access list ALL
    5 deny ip host server any
    10 permit tcp 10.1.0.0 0.0.255.255 eq ftp-data any eq www 443
    20 permit udp any range bootps bootpc host 10.0.0.1 neq isakmp
    30 deny icmp any any administratively-prohibited
    40 permit icmp any any echo log
    50 permit tcp any any established
    60 permit tcp any any match-all +syn -ack
    70 permit ip any any dscp ef fragments
    80 permit object-group WEB object-group LAN any log-input
    90 permit ip any any time-range WORK (active)
    100 permit ip any any precedence critical time-range NIGHT (inactive)
    110 permit tcp any any reflect ANSWERS timeout 60
    120 evaluate ANSWERS
    frobnicate
Standard IP access list 10
    10 permit 10.0.0.1
    20 deny   10.1.0.0, wildcard bits 0.0.255.255 log
    30 permit any
IPv6 access list SIX
    permit tcp any host 2001:DB8::1 eq www sequence 10
    deny ipv6 2001:DB8:7::/48 any log sequence 20
";
        assert_eq!(shown, expected);
        let of_ipv4 = text("show ip access-lists", snapshot(LISTS, Vec::new()), Format::Modern);
        assert_eq!(of_ipv4, expected[..expected.find("IPv6").unwrap()]);
        assert_eq!(text("show ip access-lists SIX", snapshot(LISTS, Vec::new()), Format::Modern), "");
        let six = text("show access-lists SIX", snapshot(LISTS, Vec::new()), Format::Modern);
        assert_eq!(six, expected[expected.find("IPv6").unwrap()..]);
        let mut answered = snapshot(LISTS, Vec::new());
        let entry = |protocol, ports, packets| Entry {
            protocol,
            source: [203, 0, 113, 77].into(),
            destination: [10, 1, 1, 10].into(),
            ports,
            packets,
            left: Duration::from_millis(59_900),
        };
        let entries = vec![entry(1, None, 10), entry(6, Some((23, 1024)), 1)];
        answered.reflexive = [("ANSWERS".to_owned(), entries), ("NONE".to_owned(), Vec::new())].into();
        let shown = text("show ip access-lists", answered, Format::Modern);
        let told = "\
Reflexive IP access list ANSWERS
     permit icmp host 203.0.113.77 host 10.1.1.10 (10 matches) (time left 59)
     permit tcp host 203.0.113.77 eq telnet host 10.1.1.10 eq 1024 (1 match) (time left 59)
Reflexive IP access list NONE
";
        assert!(shown.ends_with(told), "{shown}");
        let shown = json("show access-lists 10", snapshot(LISTS, Vec::new()));
        assert!(shown.contains(r#""kind":"standard""#) || shown.contains(r#""kind": "standard""#), "{shown}");
    }
}
