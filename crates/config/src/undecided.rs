//! Lines that translate or route by a route map of which it is not known what it selects, or that
//! says more than is implemented: they stop the start.

use crate::document::Class;
use crate::model::{
    Config, InterfaceKind, NatRule, NatSelect, RouteMap, RouteMapEntry, RouteMatch, RouteSet,
};
use crate::parsed::Parsed;
use crate::policy_routing;
use crate::verdict::lines::{Block, Spelled, blocks};
use std::collections::{BTreeMap, BTreeSet};

/// The route maps that something here is translated or routed by.
pub(crate) fn maps_in_use(config: &Config) -> BTreeSet<&str> {
    let translated = config.nat.rules.iter().filter_map(|rule| match rule {
        NatRule::Dynamic(rule) => match &rule.which {
            NatSelect::RouteMap(name) => Some(name),
            NatSelect::List(_) => None,
        },
        NatRule::Static(rule) => rule.route_map.as_ref(),
    });
    translated.map(String::as_str).chain(policy_routing::names(config)).collect()
}

/// What policy routing sets in packets: they are routed without it all the same.
const MARKS: [&str; 5] = ["ip df", "ip dscp", "ip precedence", "ip qos-group", "ip tos"];

/// The words of a `set` that marks packets.
pub(crate) fn marks(one: &RouteSet) -> Option<&str> {
    let RouteSet::Other(text) = one else { return None };
    let begins =
        |words: &str| text.strip_prefix(words).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    MARKS.iter().any(|words| begins(words)).then_some(text)
}

/// Why it is not known which packets address translation by a route map concerns: of all its entries.
fn of_translation(map: &RouteMap) -> Option<String> {
    all(map.entries.iter().flat_map(|entry| {
        entry.matches.iter().filter_map(|one| match one {
            RouteMatch::Other(text) => Some(says(map, entry, "match", text)),
            _ => None,
        })
    }))
}

/// Why policy routing by a route map is not what it says: of all its entries.
fn of_routing(map: &RouteMap) -> Option<String> {
    all(map.entries.iter().flat_map(|entry| {
        let unknown = entry.matches.iter().filter_map(|one| match one {
            RouteMatch::Address(_) | RouteMatch::Length(..) => None,
            RouteMatch::Interface(names) => Some(format!("interface {}", names.join(" "))),
            RouteMatch::NextHop(lists) => Some(format!("ip next-hop {}", lists.join(" "))),
            RouteMatch::Other(text) => Some(text.clone()),
        });
        let sets = entry.sets.iter().filter(|_| entry.permit).filter_map(|one| match one {
            // `set vrf` is told where it stands
            RouteSet::Other(text) if marks(one).is_none() && !text.starts_with("vrf ") => Some(text.clone()),
            // packets would come in again by it
            RouteSet::Interface(names) => loops(names).map(|name| format!("interface {name}")),
            RouteSet::DefaultInterface(names) => loops(names).map(|name| format!("default interface {name}")),
            _ => None,
        });
        // what an entry denies is routed as ever, unless it is not known what that is
        let unknown = unknown.map(move |text| says(map, entry, "match", &text));
        unknown.chain(sets.map(move |text| says(map, entry, "set", &text)))
    }))
}

/// Entries of a route map that a message names.
const NAMED: usize = 8;

fn all(reasons: impl Iterator<Item = String>) -> Option<String> {
    let reasons: Vec<String> = reasons.collect();
    let more = reasons.len().saturating_sub(NAMED);
    let named = reasons.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join("; ");
    match (reasons.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named),
        (false, more) => Some(format!("{named}; and {more} more")),
    }
}

fn loops(names: &[String]) -> Option<&String> {
    names.iter().find(|name| InterfaceKind::of(name) == InterfaceKind::Loopback)
}

/// Why there are more decisions than packets can be marked with.
fn too_many(config: &Config) -> Option<String> {
    let count = policy_routing::decisions(config).collect::<BTreeSet<_>>().len();
    (count > policy_routing::MOST).then(|| {
        format!(
            "the route maps of policy routing decide in {count} different ways: Hubward can tell {} apart",
            policy_routing::MOST
        )
    })
}

fn says(map: &RouteMap, entry: &RouteMapEntry, verb: &str, text: &str) -> String {
    let line = match text.starts_with("continue") {
        true => text.to_string(),
        false => format!("{verb} {text}"),
    };
    format!("entry {} of route map {} says `{line}`, which is not implemented", entry.sequence, map.name)
}

/// The lines that stop the start, each with why. `unused` says which blocks are interfaces that
/// carry nothing.
pub(crate) fn lines(parsed: &Parsed, unused: impl Fn(&Block<'_>) -> bool) -> BTreeMap<u32, String> {
    let config = &parsed.config;
    let mut out = BTreeMap::new();
    if maps_in_use(config).is_empty() {
        return out;
    }
    let maps: BTreeMap<&str, &RouteMap> =
        config.route_maps.iter().map(|map| (map.name.as_str(), map)).collect();
    let blocks = blocks(parsed);
    let heads: BTreeMap<u32, &Spelled<'_>> =
        blocks.iter().map(|block| (block.head.line, &block.head)).collect();
    for rule in &config.nat.rules {
        let name = match rule {
            NatRule::Dynamic(rule) => match &rule.which {
                NatSelect::RouteMap(name) => Some(name),
                NatSelect::List(_) => None,
            },
            NatRule::Static(rule) => rule.route_map.as_ref(),
        };
        let why = name.and_then(|name| maps.get(name.as_str())).and_then(|map| of_translation(map));
        if let Some((why, line)) = why.zip(heads.get(&rule.line())) {
            out.insert(line.line, format!("`{}` translates addresses, and {why}", line.front()));
        }
    }
    let too_many = too_many(config);
    let mut route = |line: &Spelled<'_>, name: Option<&str>| {
        let map = name.and_then(|name| maps.get(name));
        let why = map.and_then(|map| of_routing(map).or_else(|| too_many.clone()));
        if let Some(why) = why.filter(|_| line.class == Class::Implemented) {
            out.insert(line.line, format!("`{}` routes by policy, and {why}", line.front()));
        }
    };
    for block in blocks.iter().filter(|block| block.head.begins("interface") && !unused(block)) {
        let taken = block.taken_back();
        for line in block.having("ip policy route-map").filter(|line| !taken.contains(&line.line)) {
            route(line, line.word(3));
        }
    }
    for line in heads.values().filter(|line| line.begins("ip local policy route-map")) {
        route(line, line.word(4).filter(|name| config.local_policy.as_deref() == Some(*name)));
    }
    out
}

/// The lines of route maps that nothing here is translated or routed by.
pub(crate) fn idle(parsed: &Parsed) -> Vec<(u32, Vec<u32>)> {
    if parsed.config.route_maps.is_empty() {
        return Vec::new();
    }
    let used = maps_in_use(&parsed.config);
    let blocks = blocks(parsed);
    let idle = blocks.iter().filter(|block| {
        let name = block.head.word(1).unwrap_or_default();
        block.head.begins("route-map") && block.head.class == Class::Implemented && !used.contains(name)
    });
    let implemented = |line: &&Spelled<'_>| line.class == Class::Implemented;
    idle.map(|block| {
        let below = block.below.iter().filter(implemented).map(|line| line.line);
        (block.head.line, below.collect())
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;
    use crate::{parse, unenforced};

    fn stops(text: &str) -> Vec<(u32, String)> {
        unenforced(&parse(text)).into_iter().map(|one| (one.line, one.message)).collect()
    }

    #[test]
    fn what_a_route_map_selects_must_be_known() {
        let nat = "ip nat inside source route-map R interface FastEthernet0/0 overload\n";
        let fixed = "ip nat inside source static 10.0.0.1 192.0.2.1 route-map R\n";
        let policy = "interface FastEthernet0/0\n ip policy route-map R\n";
        let local = "ip local policy route-map R\n";
        let entry = |lines: &str| format!("route-map R permit 10\n match ip address 1\n{lines}");
        for (text, says) in [
            (format!("{nat}{}", entry(" match tag 5\n")), Some((1, "`match tag 5`"))),
            (
                format!("{fixed}{}", entry(" match ip address prefix-list P\n")),
                Some((1, "`match ip address prefix-list P`")),
            ),
            (format!("{nat}{}", entry(" match interface FastEthernet0/0\n set metric 5\n")), None),
            // a line that is not understood may have been a condition
            (format!("{nat}{}", entry(" mtach length 5 9\n")), Some((1, "`match mtach length 5 9`"))),
            (
                format!("{local}{}", entry(" set ip next-hop recursive 10.1.1.1\n")),
                Some((1, "`set ip next-hop recursive 10.1.1.1`")),
            ),
            (
                format!("{policy}{}", entry(" set default interface Null0 Loopback0\n")),
                Some((2, "`set default interface Loopback0`")),
            ),
            (
                format!("{policy}{}", entry(" match interface FastEthernet0/0\n")),
                Some((2, "`match interface")),
            ),
            (format!("{policy}{}", entry(" set ip next-hop 10.1.1.1\n")), None),
            (format!("{policy}{}", entry(" match length 5 9\n set interface Null0\n")), None),
            (format!("{policy}{}", entry(" set ip precedence 5\n")), None),
            // what an entry denies is routed as ever
            (format!("{policy}route-map R deny 10\n set ip next-hop recursive 10.1.1.1\n"), None),
            (format!("{policy} shutdown\n{}", entry(" match tag 5\n")), None),
            (format!("{policy} no ip policy route-map R\n{}", entry(" match tag 5\n")), None),
            // only routing protocols use it
            (entry(" match tag 5\n set ip next-hop recursive 10.1.1.1\n"), None),
        ] {
            let found = stops(&text);
            assert_eq!(found.len(), usize::from(says.is_some()), "{text}: {found:?}");
            if let (Some((line, says)), Some((own, message))) = (says, found.first()) {
                assert!(line == *own && message.contains(says), "{text}: {message}");
            }
        }
    }

    #[test]
    fn every_entry_that_is_not_understood_is_named() {
        let map = "route-map R permit 10\n match tag 5\nroute-map R permit 20\n match ip address 1\n\
                   route-map R permit 30\n match metric 7\n set ip next-hop recursive 10.1.1.1\n";
        let nat = stops(&format!("ip nat inside source route-map R interface FastEthernet0/0\n{map}"));
        assert!(nat[0].1.contains("entry 10 ") && nat[0].1.contains("entry 30 "), "{nat:?}");
        let policy = stops(&format!("ip local policy route-map R\n{map}"));
        for words in ["`match tag 5`", "`match metric 7`", "`set ip next-hop recursive 10.1.1.1`"] {
            assert!(policy[0].1.contains(words), "{policy:?}");
        }
    }

    #[test]
    fn a_route_map_that_nothing_here_uses_is_told() {
        let map = "route-map R permit 10\n match ip address 1\n set ip next-hop 10.1.1.1\n";
        let told = |text: &str| {
            let told =
                parse(text).diagnostics.into_iter().filter(|told| told.message.contains("route-map R"));
            told.map(|told| (told.line, told.code)).collect::<Vec<_>>()
        };
        assert_eq!(told(map), [(1, Code::Inert)]);
        let lan = "interface FastEthernet0/0\n ip address 10.1.1.2 255.255.255.0\n ip policy route-map R\n";
        assert_eq!(told(&format!("{map}{lan}")), []);
    }

    #[test]
    fn more_ways_than_marks_stop_the_start() {
        let hops = |count: u8| {
            let entry = |hop| format!("route-map R permit {hop}\n set ip next-hop 10.1.1.{hop} 10.1.2.1\n");
            (1..=count).map(entry).collect::<String>()
        };
        let policy = "interface FastEthernet0/0\n ip policy route-map R\n";
        assert_eq!(stops(&format!("{policy}{}", hops(255))), []);
        let one_more = "route-map S permit 10\n set interface Null0\nip local policy route-map S\n";
        let found = stops(&format!("{policy}{}{one_more}", hops(255)));
        assert!(found.iter().all(|(_, why)| why.contains("256 different ways")), "{found:?}");
        assert_eq!(found.len(), 2, "both lines: {found:?}");
    }
}
