//! Tunnels, groups and peers whose first line is missing or misspelt: the lines below it belong to
//! nothing, and what they should protect would leave unencrypted.

use super::kinds::is_tunnel;
use super::lines::{Block, Spelled};
use super::networks::{Flow, of_pool, permitted, to};
use super::outcome::{Outcome, Reason, Verdict};
use super::world::World;
use crate::command::{Fate, Mode, Sub};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Class;
use crate::form::words;
use crate::interface_name::long_name;
use crate::placing::knows;
use crate::slip::near;
use std::collections::BTreeSet;

/// Commands of crypto submodes that no other mode has, so that they show what was intended even
/// without their first line.
const TELLING: [&str; 13] = [
    "client authentication list",
    "client configuration address",
    "isakmp authorization list",
    "match address",
    "match identity address",
    "match identity group",
    "match identity host",
    "match identity user",
    "pre-shared-key",
    "set isakmp-profile",
    "set peer",
    "set security-association",
    "set transform-set",
];

/// Modes whose lines show that an unknown `crypto …` line above them opens something.
const MODES: [Mode; 9] = [
    Mode::CryptoMap(0, 0),
    Mode::DynamicMap(0, 0),
    Mode::Keyring(0),
    Mode::Profile(0),
    Mode::Group(0),
    Mode::IsakmpPolicy(0),
    Mode::TransformSet(0),
    Mode::Opaque(Fate::NoOp, Sub::IpsecProfile),
    Mode::Opaque(Fate::NoOp, Sub::Gdoi),
];

/// Lines that belong to nothing, in the order of the file, and what seems to have been meant as
/// their first line.
struct Orphan<'w> {
    head: Option<&'w Spelled<'w>>,
    lines: Vec<&'w Spelled<'w>>,
}

pub(super) fn verdicts(world: &World<'_>) -> Vec<Verdict> {
    let found = orphans(world);
    let mut out: Vec<Verdict> = Vec::new();
    let mut undefined = undefined_maps(world);
    // of the undefined maps of interfaces, leave out those whose misspelt entries are reported by
    // their own names
    let named = |map: &str| found.iter().filter_map(|one| one.head).any(|head| head.has(map));
    let without_head = found.iter().any(|one| one.head.is_none());
    let described = !found.is_empty() || world.blocks.iter().any(|block| is_unread_crypto(&block.head));
    undefined.retain(|(map, _)| described && !named(map));
    let map = undefined.first().map(|(map, _)| format!("crypto map {map}")).filter(|_| without_head);
    for (name, line) in &undefined {
        let text =
            format!("crypto map {name} is not defined, and there are crypto lines that are not understood");
        out.push(verdict(format!("crypto map {name}"), vec![Reason::new(*line, text)], Vec::new()));
    }
    for orphan in &found {
        let Some(first) = orphan.lines.first() else { continue };
        let (name, reason) = match orphan.head {
            Some(head) => {
                let text = format!(
                    "`{}` is not understood{}: what the lines below it describe does not exist here",
                    head.front(),
                    question(world, head.line)
                );
                (name_of(head), Reason::new(head.line, text))
            }
            None => {
                let text = format!(
                    "`{}` belongs to no entry, profile, group or keyring: the line that opens one is missing",
                    first.front()
                );
                let own = first.front();
                (map.clone().unwrap_or(own), Reason::new(first.line, text))
            }
        };
        out.push(verdict(name, vec![reason], flows(world, orphan)));
    }
    out.extend(on_interfaces(world));
    out.extend(single_lines(world, &found));
    out.extend(behind_end(world));
    out
}

/// The question that the remark on a line ends with: ` (did you mean …?)`, or nothing.
fn question<'w>(world: &'w World<'_>, line: u32) -> &'w str {
    let told = world.parsed.diagnostics.iter().find(|told| told.line == line && told.code == Code::Unknown);
    let place = told.and_then(|told| Some((told, told.message.rfind(" (did you mean `")?)));
    place.and_then(|(told, place)| told.message.get(place..)).unwrap_or_default()
}

/// Lines after `end` are not read. If there seems to be a tunnel, what it should protect is
/// unknown.
fn behind_end(world: &World<'_>) -> Option<Verdict> {
    let lines = &world.parsed.document.lines;
    let place = |line: u32| usize::try_from(line).ok()?.checked_sub(1);
    // a line that says something and counts as blank is one that is not read
    let is_unread = |told: &&Diagnostic| {
        let line = place(told.line).and_then(|place| lines.get(place));
        told.code == Code::Unenforced && line.is_some_and(|line| line.class == Class::Blank)
    };
    let first = world.parsed.diagnostics.iter().find(is_unread)?.line;
    let mut spelled = (first..).zip(lines.get(place(first)?..)?).map(|(line, read)| Spelled {
        line,
        text: &read.spelled,
        class: Class::Unknown,
    });
    let found = spelled.find(|line| begins_tunnel(line))?;
    let text = format!("`{}` is after `end`, where nothing is read", found.front());
    Some(verdict("behind end".into(), vec![Reason::new(found.line, text)], Vec::new()))
}

/// Whether a line as it was written, in full or abbreviated, is of `crypto`, a tunnel interface or
/// an entry.
fn begins_tunnel(line: &Spelled<'_>) -> bool {
    let first = line.word(0).unwrap_or_default().to_ascii_lowercase();
    let begins = |keyword: &str, least: usize| first.len() >= least && keyword.starts_with(&first);
    let interface = || long_name(&line.text.split_whitespace().skip(1).collect::<String>());
    begins("crypto", 2)
        || is_crypto(line)
        || is_telling(line)
        || begins("interface", 3) && is_tunnel(&interface())
}

/// A line without others below it that names a crypto map or a dynamic one: it may have bound a
/// dynamic map to the map, or asked its peers for Xauth.
fn single_lines(world: &World<'_>, found: &[Orphan<'_>]) -> Vec<Verdict> {
    let config = world.config;
    let names: BTreeSet<&str> = config
        .maps
        .iter()
        .map(|map| map.name.as_str())
        .chain(config.dynamic_maps.iter().map(|map| map.name.as_str()))
        .collect();
    let told: BTreeSet<u32> = found.iter().filter_map(|one| Some(one.head?.line)).collect();
    let told = |head: &Spelled<'_>| told.contains(&head.line);
    let heads = world.blocks.iter().map(|block| &block.head);
    let heads = heads.filter(|head| is_unread_crypto(head) && !told(head) && !head.begins("crypto map ipv6"));
    // a map may have any word as its name
    let names_map = |head: &Spelled<'_>| {
        let mut pairs = head.text.split_whitespace().zip(head.text.split_whitespace().skip(1));
        pairs.any(|(before, name)| {
            let is_map =
                near(before, "map", 1) || near(before, "dynamic-map", 2) || near(before, "dynamic", 2);
            is_map && names.contains(name)
        })
    };
    let naming = heads.filter(|head| names_map(head));
    let told = naming.map(|head| {
        let text = format!(
            "`{}` is not understood, and names a crypto map: what it sets for that map is ignored",
            head.front()
        );
        verdict(name_of(head), vec![Reason::new(head.line, text)], Vec::new())
    });
    told.collect()
}

/// What closes the networks that are named, and private ones where none is.
fn verdict(name: String, reasons: Vec<Reason>, flows: Vec<Flow>) -> Verdict {
    let line = reasons.first().map_or(0, |reason| reason.line);
    let unknown = flows.is_empty();
    Verdict { name, line, outcome: Outcome::Missing(reasons), flows, unknown, idle: false }
}

/// `CM/10` if the line says so, otherwise the line itself.
fn name_of(head: &Spelled<'_>) -> String {
    let entry = head.begins("crypto map") || head.begins("crypto dynamic-map");
    match (head.word(2), head.word(3)) {
        (Some(map), Some(sequence)) if entry && sequence.parse::<u16>().is_ok() => {
            format!("{map}/{sequence}")
        }
        _ => {
            let kept = crate::secret::public_part_of_unread(head.text).split_whitespace();
            kept.take_while(|word| *word != "ipsec-isakmp").take(8).collect::<Vec<_>>().join(" ")
        }
    }
}

/// Whether a line is meant to begin with `crypto`: two wrong letters, or two transposed ones, count
/// as a slip.
fn is_crypto(line: &Spelled<'_>) -> bool {
    let word = line.word(0).unwrap_or_default().to_ascii_lowercase();
    let mut letters: Vec<char> = word.chars().collect();
    let mut wanted: Vec<char> = "crypto".chars().collect();
    if word == "crypto" {
        return true;
    }
    letters.sort_unstable();
    wanted.sort_unstable();
    // the same letters in another order, or one of them missing, doubled or another
    let kept = wanted.iter().filter(|letter| letters.contains(letter)).count();
    (5..=7).contains(&letters.len()) && kept >= 5 && (word.starts_with('c') || word.ends_with("pto"))
}

fn is_unread_crypto(line: &Spelled<'_>) -> bool {
    line.class == Class::Unknown && is_crypto(line)
}

fn is_telling(line: &Spelled<'_>) -> bool {
    TELLING.iter().any(|words| line.begins(words))
}

/// Whether a line is one of a crypto submode.
fn is_part(line: &Spelled<'_>) -> bool {
    let words = words(line.text);
    MODES.iter().any(|mode| knows(*mode, &words))
}

fn orphans<'w>(world: &'w World<'_>) -> Vec<Orphan<'w>> {
    let mut out: Vec<Orphan<'w>> = Vec::new();
    // the last one takes what follows it directly
    let mut open = false;
    for block in &world.blocks {
        let head = &block.head;
        if ["exit", "end"].iter().any(|word| head.begins(word)) {
            open = false;
            continue;
        }
        // those have a verdict of their own; the list of `fail-close` follows it, because it opens
        // no mode here
        if head.begins("crypto map ipv6") || head.begins("crypto map") && head.has("fail-close") {
            open = false;
            continue;
        }
        if head.class != Class::Unknown {
            let stray = block.below.iter().filter(|line| is_stray(block, line));
            let lines: Vec<_> = stray.collect();
            open = !lines.is_empty() && block.below.last().is_some_and(|line| is_stray(block, line));
            if !lines.is_empty() {
                out.push(Orphan { head: None, lines });
            }
            continue;
        }
        if is_telling(head) {
            let lines = std::iter::once(head).chain(&block.below);
            match out.last_mut().filter(|_| open) {
                Some(orphan) => orphan.lines.extend(lines),
                None => out.push(Orphan { head: None, lines: lines.collect() }),
            }
            open = true;
        } else if is_crypto(head) || block.below.iter().any(is_telling) {
            let lines = block.below.iter().filter(|line| is_part(line)).collect();
            out.push(Orphan { head: Some(head), lines });
            open = true;
        } else if open && is_part(head) {
            out.last_mut().into_iter().for_each(|orphan| orphan.lines.push(head));
        } else {
            open = false;
        }
    }
    out.retain(|orphan| !orphan.lines.is_empty() && !follows_fail_close(world, orphan));
    out
}

/// Whether a line below a known command belongs to a crypto submode that is not open.
fn is_stray(block: &Block<'_>, line: &Spelled<'_>) -> bool {
    let head = &block.head;
    let own = ["crypto map", "crypto dynamic-map", "crypto ipsec profile", "crypto ikev2", "crypto gdoi"];
    is_telling(line)
        && match line.class {
            Class::Implemented | Class::Blank => false,
            // a line of a known mode that cannot be fully read is reported by its own verdict
            Class::Unknown => !head.begins("crypto map") && !head.begins("crypto dynamic-map"),
            _ => {
                let of_profile = head.begins("crypto isakmp") || head.begins("crypto keyring");
                !of_profile && own.iter().all(|words| !head.begins(words))
            }
        }
}

/// What GET VPN sends unencrypted while it has no keys is not a tunnel.
fn follows_fail_close(world: &World<'_>, orphan: &Orphan<'_>) -> bool {
    let Some(first) = orphan.lines.first().filter(|_| orphan.head.is_none()) else { return false };
    let behind = world.blocks.partition_point(|block| block.head.line < first.line);
    let before = behind.checked_sub(1).and_then(|place| world.blocks.get(place));
    before.is_some_and(|block| block.head.begins("crypto map") && block.head.has("fail-close"))
}

/// What the named lists select, and the addresses of the named pools.
fn flows(world: &World<'_>, orphan: &Orphan<'_>) -> Vec<Flow> {
    let config = world.config;
    let mut out = Vec::new();
    for line in &orphan.lines {
        if line.begins("match address") {
            let list = config.acls.iter().find(|acl| Some(acl.name.as_str()) == line.word(2));
            // a list that is not read whole closes nothing that could be named
            match list.filter(|acl| !acl.may_permit_unknown(config)) {
                Some(list) => out.extend(permitted(config, list)),
                None => return Vec::new(),
            }
        } else if line.begins("pool") {
            let pools = config.pools.iter().filter(|pool| Some(pool.name.as_str()) == line.word(1));
            out.extend(of_pool(pools).into_iter().map(to));
        }
    }
    out
}

/// Crypto maps of interfaces that are up which have no entry.
fn undefined_maps(world: &World<'_>) -> Vec<(String, u32)> {
    let config = world.config;
    let bearers = config.interfaces.iter().filter(|interface| !interface.shutdown && interface.vrf.is_none());
    let known = config.maps.iter().filter(|map| !map.entries.is_empty());
    let mut known: BTreeSet<&str> = known.map(|map| map.name.as_str()).collect();
    let mut out: Vec<(String, u32)> = Vec::new();
    for interface in bearers {
        let Some(name) = &interface.crypto_map else { continue };
        if known.insert(name) {
            out.push((name.clone(), interface.line));
        }
    }
    out
}

/// `crypto mpa CM` on an interface: what it should protect is unknown.
fn on_interfaces(world: &World<'_>) -> Vec<Verdict> {
    let blocks = world.having("interface");
    let lines = blocks.flat_map(|block| block.below.iter().map(move |line| (block, line)));
    let found = lines.filter(|(_, line)| is_unread_crypto(line));
    let found = found.map(|(block, line)| {
        let text = format!(
            "`{}` on {} is not understood: what it should protect is not protected",
            line.front(),
            block.interface()
        );
        verdict(name_of(line), vec![Reason::new(line.line, text)], Vec::new())
    });
    found.collect()
}

#[cfg(test)]
#[path = "orphan_tests.rs"]
mod tests;
