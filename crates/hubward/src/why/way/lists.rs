//! What access lists and route maps say of a packet, by the model.

use super::answer::Moving;
use crate::router::reflexive::Entry;
use crate::router::rules::is_closed;
use hubward_config::acl::{Decision, decide, written};
use hubward_config::model::{Acl, AclEntry, AclLine, Config, Moment, RouteMap, RouteMapEntry, RouteMatch};
use std::collections::BTreeMap;

/// What a list says of a packet, and the words for the line that says it.
pub(super) struct Said {
    pub(super) permits: bool,
    pub(super) says: String,
    pub(super) line: Option<u32>,
    /// The reflexive list in which the line opens a way for answers.
    pub(super) reflects: Option<String>,
    /// It cannot be decided, and the packet is dropped: a list or route map chooses by it.
    pub(super) closed: bool,
}

impl Said {
    /// It does not permit it.
    pub(super) fn no(says: String, line: Option<u32>) -> Self {
        Self { permits: false, says, line, reflects: None, closed: false }
    }
}

/// What a reflexive list knows: who may answer whom.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    /// The list's name.
    pub(super) list: String,
    /// The packet, as it was where a line let it pass.
    pub(super) by: Moving,
}

impl Opened {
    /// Whether a packet answers it.
    fn lets(&self, name: &str, packet: &Moving) -> bool {
        let of =
            |one: &Moving| (one.protocol, one.source, one.source_port, one.destination, one.destination_port);
        self.list == name && of(packet) == of(&self.by.answer())
    }
}

/// What is known of reflexive lists.
pub(super) struct Known<'k> {
    /// What the packet opened that is answered.
    pub(super) opened: &'k [Opened],
    /// The entries that the kernel has now.
    pub(super) entries: &'k BTreeMap<String, Vec<Entry>>,
}

impl Known<'_> {
    /// Who opened a list for a packet.
    fn lets(&self, name: &str, packet: &Moving) -> Option<&'static str> {
        if self.opened.iter().any(|one| one.lets(name, packet)) {
            return Some("the packet that it answers");
        }
        let is = |one: &Entry| {
            let ports = packet.source_port.zip(packet.destination_port);
            (one.protocol, one.source, one.destination)
                == (packet.protocol, packet.source, packet.destination)
                && (one.ports.is_none() || one.ports == ports)
        };
        self.entries.get(name)?.iter().any(is).then_some("a packet before it")
    }
}

/// A list that has no lines says nothing: `None`.
pub(super) fn ask(config: &Config, name: &str, packet: &Moving, moment: Moment) -> Option<Said> {
    ask_knowing(config, name, packet, moment, &Known { opened: &[], entries: &BTreeMap::new() })
}

/// The same where packets before have opened the way for their answers.
pub(super) fn ask_knowing(
    config: &Config,
    name: &str,
    packet: &Moving,
    moment: Moment,
    known: &Known<'_>,
) -> Option<Said> {
    let list = config.acls.iter().find(|list| list.name == name)?;
    if list.entries.iter().all(|entry| entry.is_remark()) {
        return None;
    }
    let decision = decide(config, list, &packet.packet(moment));
    let by = match decision {
        Decision::By(entry, _) | Decision::MayDeny(entry) => Some(entry),
        Decision::None => None,
    };
    // reflexive lists are asked in their places among the lines
    let before = list.entries.iter().take_while(|entry| by.is_none_or(|by| !std::ptr::eq(*entry, by)));
    let mut evaluated = before.filter_map(|entry| match &entry.what {
        AclLine::Evaluate(name) => Some((entry, name)),
        _ => None,
    });
    let first = evaluated.clone().next();
    if let Some((entry, by)) = evaluated.find_map(|(entry, name)| Some((entry, known.lets(name, packet)?))) {
        let says = format!("{}, opened by {by},", line(list, entry));
        return Some(Said { permits: true, ..Said::no(says, Some(entry.line)) });
    }
    let unless = match (first, decision.permits()) {
        (Some((_, name)), false) => format!(", unless {name} knows it as an answer,"),
        _ => String::new(),
    };
    Some(match decision {
        Decision::By(entry, permits) => Said {
            permits,
            reflects: entry.rule().and_then(|rule| rule.reflect.as_ref()).map(|(name, _)| name.clone()),
            ..Said::no(line(list, entry) + &unless, Some(entry.line))
        },
        Decision::MayDeny(entry) => {
            Said::no(format!("{}, which may match it{unless}", line(list, entry)), Some(entry.line))
        }
        Decision::None => {
            Said::no(format!("access list {name}: no line permits it{unless}"), Some(list.line))
        }
    })
}

/// What a list says by which packets are chosen, for a translation or a route: from the first line of
/// which not everything is known, what reaches it is dropped.
pub(super) fn ask_choosing(config: &Config, name: &str, packet: &Moving, moment: Moment) -> Option<Said> {
    let said = ask(config, name, packet, moment)?;
    let list = config.acls.iter().find(|list| list.name == name)?;
    let by = match decide(config, list, &packet.packet(moment)) {
        Decision::By(entry, _) | Decision::MayDeny(entry) => Some(entry),
        Decision::None => None,
    };
    let before = list.entries.iter().take_while(|entry| by.is_none_or(|by| !std::ptr::eq(*entry, by)));
    let closed = before.chain(by).find(|entry| is_closed(config, entry, moment));
    Some(closed.map_or(said, |entry| {
        let says = format!("{}, of which not everything is known, may match it", line(list, entry));
        Said { closed: true, ..Said::no(says, Some(entry.line)) }
    }))
}

/// What a route map says of a packet.
pub(super) enum Chosen<'c> {
    /// The first entry that matches, and the words for it and the line of its list.
    By(&'c RouteMapEntry, String),
    /// Whether an entry matches cannot be decided.
    Closed(Said),
    /// No entry matches.
    Nothing {
        /// What the first list says that does not permit it.
        refused: Option<Said>,
        /// The entries that would match a packet of another length, in words that follow others.
        unless: String,
    },
}

/// The first entry of a route map that matches a packet, which leaves by `out` if that is known.
pub(super) fn choose<'c>(
    config: &Config,
    map: &'c RouteMap,
    packet: &Moving,
    out: Option<&str>,
    moment: Moment,
) -> Chosen<'c> {
    let (mut refused, mut unless): (Option<Said>, String) = (None, String::new());
    for entry in &map.entries {
        let of_map = format!("route map {} {}", map.name, entry.sequence);
        let mut others = true;
        let mut lengths = Vec::new();
        let mut names: Option<Vec<&String>> = None;
        for one in &entry.matches {
            match one {
                RouteMatch::Address(these) => names.get_or_insert_default().extend(these),
                RouteMatch::Interface(these) => others &= these.iter().any(|name| Some(name.as_str()) == out),
                RouteMatch::Length(first, last) => lengths.push((*first, *last)),
                RouteMatch::NextHop(_) | RouteMatch::Other(_) => {
                    let says = format!("{of_map} has a condition that cannot be decided here");
                    return Chosen::Closed(Said { closed: true, ..Said::no(says, Some(entry.line)) });
                }
            }
        }
        let mut said: Option<Said> = None;
        for one in names.iter().flatten().filter_map(|name| ask_choosing(config, name, packet, moment)) {
            let decides = one.permits || one.closed;
            said = if decides { Some(one) } else { said.or(Some(one)) };
            if decides {
                break;
            }
        }
        let of_lists = said.as_ref().map(|said| format!(", {}", said.says)).unwrap_or_default();
        if let Some(said) = said.as_ref().filter(|said| said.closed && others) {
            return Chosen::Closed(Said {
                closed: true,
                ..Said::no(format!("{of_map}{of_lists}"), said.line)
            });
        }
        let permits = names.is_none() || said.as_ref().is_some_and(|said| said.permits);
        let fits =
            packet.length.map(|length| lengths.iter().all(|(a, b)| (*a..=*b).contains(&length.into())));
        match fits.or(lengths.is_empty().then_some(true)) {
            Some(true) if others && permits => return Chosen::By(entry, of_map + &of_lists),
            None if others && permits => {
                let of = lengths.iter().map(|(first, last)| format!("{first} to {last}"));
                let of = of.collect::<Vec<_>>().join(" and ");
                unless += &format!("; {of_map} matches it if it has {of} bytes (`length` says how many)");
            }
            _ => {}
        }
        refused = refused.or(said.map(|said| {
            let more = if said.permits { " permits it, but another condition does not hold" } else { "" };
            Said::no(format!("{of_map}, {}{more}", said.says), said.line)
        }));
    }
    Chosen::Nothing { refused, unless }
}

fn line(list: &Acl, entry: &AclEntry) -> String {
    let number = entry.sequence.map(|number| format!(" line {number}")).unwrap_or_default();
    format!("access list {}{number}, `{}`", list.name, written(entry, list.kind))
}
