//! An access list as a chain: its lines in their order, each with its counter. Lines of one shape
//! that follow each other become one look-up in a map from what they match to their counters, so
//! that a list of a thousand lines costs a packet a few look-ups.

use super::counter;
use super::packets::{Match, Side, Unknown, of_line};
use super::text;
use crate::guard::ranges;
use hubward_config::model::{Acl, AclEntry, AclKind, AclLine, AclLog, AclRule, Config, Moment};
use std::collections::{BTreeMap, BTreeSet};

/// What a chain does with packets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// What comes in by an interface: what is denied is refused.
    Input,
    /// What leaves by an interface.
    Output,
    /// Fragments but the first, before they are put together: they have no ports.
    Fragments,
    /// What the list permits continues in another chain; nothing is counted.
    Select {
        /// The other chain.
        then: String,
    },
    /// What the list permits returns; the rest continues in this chain. Nothing is counted.
    Unless(String),
    /// The same, and it is counted: the exceptions of a filter.
    Except(String),
}

/// The chain that refuses what comes in.
pub(super) const REFUSE: &str = "refuse";
/// The group to which logged packets go ("HW").
pub(crate) const LOG_GROUP: u16 = 0x4857;
/// Lines of one shape that become a map.
const RUN: usize = 8;
/// Seconds for which a reflexive entry lives without packets: `ip reflexive-list timeout`.
const REFLEXIVE: u32 = 300;

/// A line with `log`, by its place in the table of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoggedLine {
    /// The list's name.
    pub(crate) list: String,
    /// Whether it is a standard list.
    pub(crate) standard: bool,
    /// Whether the line permits.
    pub(crate) permit: bool,
    /// `log-input`
    pub(crate) input: bool,
}

/// The chains and objects of lists.
pub(super) struct Lists<'c> {
    pub(super) config: &'c Config,
    pub(super) moment: Moment,
    by_name: BTreeMap<&'c str, &'c Acl>,
    made: BTreeMap<(String, Use), String>,
    /// Maps and sets.
    pub(super) objects: Vec<String>,
    pub(super) chains: Vec<String>,
    pub(super) counters: BTreeSet<String>,
    pub(super) logged: Vec<LoggedLine>,
    reflexive: BTreeSet<String>,
}

/// A rule of a line.
struct Piece {
    ask: Match,
    counter: Option<String>,
    verdict: String,
    /// What comes before the verdict: `log`, or an entry of a reflexive list.
    before: Vec<String>,
}

impl<'c> Lists<'c> {
    pub(super) fn new(config: &'c Config, moment: Moment) -> Self {
        Self {
            config,
            moment,
            by_name: config.acls.iter().map(|list| (list.name.as_str(), list)).collect(),
            made: BTreeMap::new(),
            objects: Vec::new(),
            chains: Vec::new(),
            counters: BTreeSet::new(),
            logged: Vec::new(),
            reflexive: BTreeSet::new(),
        }
    }

    /// A list that has lines; one without permits everything, as one that does not exist.
    pub(super) fn list(&self, name: &str) -> Option<&'c Acl> {
        self.by_name.get(name).copied().filter(|list| list.entries.iter().any(|entry| !entry.is_remark()))
    }

    /// Whether a list speaks of fragments.
    pub(super) fn asks_fragments(&self, name: &str) -> bool {
        self.list(name).is_some_and(|list| {
            list.entries.iter().filter_map(|entry| entry.rule()).any(|rule| rule.only.fragments)
        })
    }

    /// The chain of a list for a use, made if there is none yet; `None`: the list permits everything.
    pub(super) fn chain(&mut self, name: &str, of: Use) -> Option<String> {
        let list = self.list(name)?;
        if let Some(chain) = self.made.get(&(name.to_owned(), of.clone())) {
            return Some(chain.clone());
        }
        let chain = format!("list_{}", self.made.len());
        self.made.insert((name.to_owned(), of.clone()), chain.clone());
        let mut rules = Vec::new();
        let pieces = self.pieces(list, &of);
        let mut left = pieces.as_slice();
        while let Some((first, after)) = left.split_first() {
            let run = run(left);
            if run >= RUN {
                let (these, rest) = left.split_at_checked(run).unwrap_or((left, &[]));
                rules.push(self.map(&chain, rules.len(), these));
                left = rest;
                continue;
            }
            rules.extend(first.rules());
            left = after;
        }
        rules.extend(match &of {
            // the line that every list ends with
            Use::Input | Use::Fragments => Some(format!("goto {REFUSE}")),
            Use::Output => Some("drop".to_owned()),
            Use::Select { .. } => None,
            Use::Unless(next) | Use::Except(next) => Some(format!("goto {next}")),
        });
        self.chains.push(text::chain(&chain, &rules));
        Some(chain)
    }

    fn pieces(&mut self, list: &'c Acl, of: &Use) -> Vec<Piece> {
        let counts = matches!(of, Use::Input | Use::Output | Use::Fragments | Use::Except(_));
        let names = counter::names(list);
        let mut pieces = Vec::new();
        for (entry, name) in list.entries.iter().zip(names) {
            let verdict = |permit: bool| match (of, permit) {
                (Use::Select { then }, true) => format!("goto {then}"),
                (Use::Unless(next) | Use::Except(next), false) => format!("goto {next}"),
                (Use::Output, false) => "drop".to_owned(),
                (Use::Input | Use::Fragments, false) => format!("goto {REFUSE}"),
                (_, true) | (Use::Select { .. }, false) => "return".to_owned(),
            };
            let counter = name.filter(|_| counts);
            let piece = |ask, before, permit| Piece {
                ask,
                counter: counter.clone(),
                verdict: verdict(permit),
                before,
            };
            match &entry.what {
                AclLine::Remark(_) => continue,
                AclLine::Rule(rule) => {
                    let before = if counts { self.before(list, rule, of) } else { Vec::new() };
                    match self.asks(rule, of) {
                        Some(asks) => {
                            pieces
                                .extend(asks.into_iter().map(|ask| piece(ask, before.clone(), rule.permit)));
                        }
                        None => pieces.extend(closing(of, rule.permit, piece)),
                    }
                }
                AclLine::Evaluate(reflexive) => {
                    if counts {
                        pieces.extend(
                            self.evaluate(reflexive)
                                .map(|rest| piece(Match { rest, ..Match::everything() }, Vec::new(), true)),
                        );
                    }
                }
                AclLine::Dynamic(rest) => {
                    let denies = rest.split_whitespace().any(|word| word == "deny");
                    pieces.extend(closing(of, !denies, piece));
                }
                AclLine::Unread { permit } => {
                    pieces.extend(closing(of, permit.unwrap_or(false), piece));
                }
            }
            self.count(counter);
        }
        pieces
    }

    /// What a line asks, for a use; `None`: it is not known.
    fn asks(&self, rule: &AclRule, of: &Use) -> Option<Vec<Match>> {
        let unknown = match of {
            Use::Select { .. } | Use::Unless(_) | Use::Except(_) => Unknown::Closed,
            Use::Input | Use::Output | Use::Fragments if rule.permit => Unknown::Narrower,
            Use::Input | Use::Output | Use::Fragments => Unknown::Wider,
        };
        match of {
            Use::Input | Use::Output | Use::Select { .. } | Use::Unless(_) | Use::Except(_) => {
                of_line(self.config, rule, self.moment, unknown)
            }
            Use::Fragments => {
                let has_upper =
                    rule.source_ports.is_some() || rule.destination_ports.is_some() || rule.header.is_some();
                if has_upper && !rule.permit {
                    return Some(Vec::new());
                }
                let plain =
                    AclRule { source_ports: None, destination_ports: None, header: None, ..rule.clone() };
                of_line(self.config, &plain, self.moment, unknown)
            }
        }
    }

    fn count(&mut self, counter: Option<String>) {
        self.counters.extend(counter);
    }

    /// What a line does besides its verdict.
    fn before(&mut self, list: &Acl, rule: &AclRule, of: &Use) -> Vec<String> {
        let mut before = Vec::new();
        if let Some(log) = rule.log.filter(|_| *of != Use::Fragments) {
            let line = LoggedLine {
                list: list.name.clone(),
                standard: list.kind == AclKind::Standard,
                permit: rule.permit,
                input: log == AclLog::Input,
            };
            let known = self.logged.iter().position(|known| *known == line);
            let place = known.unwrap_or_else(|| {
                self.logged.push(line);
                self.logged.len() - 1
            });
            before.push(format!(
                "limit rate 100/second burst 100 packets log prefix \"hubward {place}\" group {LOG_GROUP} snaplen 128"
            ));
        }
        if let Some((name, seconds)) = rule.reflect.as_ref().filter(|_| *of != Use::Fragments) {
            let set = self.reflexive(name);
            let seconds = seconds.unwrap_or(REFLEXIVE);
            before.push(format!(
                "ip protocol {{ 6, 17 }} update @{set} {{ ip protocol . ip daddr . th dport . ip saddr . th sport timeout {seconds}s }}"
            ));
            before.push(format!(
                "ip protocol != {{ 6, 17 }} update @{set}_other {{ ip protocol . ip daddr . ip saddr timeout {seconds}s }}"
            ));
        }
        before
    }

    /// The sets of a reflexive list: with ports, and what has none.
    fn reflexive(&mut self, name: &str) -> String {
        let place = self.reflexive.iter().position(|known| known == name);
        if place.is_none() {
            self.reflexive.insert(name.to_owned());
        }
        let set = reflexive_set(name);
        if place.is_none() {
            self.objects.push(format!(
                "  set {set} {{\n    type inet_proto . ipv4_addr . inet_service . ipv4_addr . inet_service\n    flags dynamic,timeout\n    size 65535\n    counter\n  }}\n"
            ));
            self.objects.push(format!(
                "  set {set}_other {{\n    type inet_proto . ipv4_addr . ipv4_addr\n    flags dynamic,timeout\n    size 65535\n    counter\n  }}\n"
            ));
        }
        set
    }

    /// The tests for packets that answer what a reflexive list has seen.
    fn evaluate(&mut self, name: &str) -> impl Iterator<Item = String> + use<> {
        let set = self.reflexive(name);
        [
            format!("ip protocol {{ 6, 17 }} ip protocol . ip saddr . th sport . ip daddr . th dport @{set}"),
            format!("ip protocol != {{ 6, 17 }} ip protocol . ip saddr . ip daddr @{set}_other"),
        ]
        .into_iter()
    }

    /// One rule for lines of one shape.
    fn map(&mut self, chain: &str, place: usize, these: &[Piece]) -> String {
        let Some((shape, first)) = these.first().and_then(|piece| Some((shape(piece)?, piece))) else {
            return String::new();
        };
        let name = format!("{chain}_{place}");
        let keys: Vec<String> = these
            .iter()
            .filter_map(|piece| {
                Some(format!("{} : \"{}\"", key(&piece.ask).join(" . "), piece.counter.as_ref()?))
            })
            .collect();
        let (types, asks): (Vec<_>, Vec<_>) = shape.keys().unzip();
        let protocol = shape.protocol.map(|number| format!("ip protocol {number} ")).unwrap_or_default();
        let lines: Vec<String> = keys.chunks(4).map(|chunk| format!("      {}", chunk.join(", "))).collect();
        self.objects.push(format!(
            "  map {name} {{\n    type {} : counter\n    flags interval\n    elements = {{\n{}\n    }}\n  }}\n",
            types.join(" . "),
            lines.join(",\n")
        ));
        format!("{protocol}counter name {} map @{name} {}", asks.join(" . "), first.verdict)
    }
}

/// The set of a reflexive list's entries, whose name may have characters that nftables refuses. That
/// of protocols without ports ends with `_other`.
pub(crate) fn reflexive_set(name: &str) -> String {
    let hash = name.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(257).wrapping_add(byte.into()));
    format!("reflexive_{hash:x}")
}

/// Whether a list by which packets are chosen drops what reaches an entry, because not everything that
/// the entry asks is known.
pub(crate) fn is_closed(config: &Config, entry: &AclEntry, moment: Moment) -> bool {
    match &entry.what {
        AclLine::Remark(_) | AclLine::Evaluate(_) => false,
        AclLine::Rule(rule) => of_line(config, rule, moment, Unknown::Closed).is_none(),
        AclLine::Dynamic(_) | AclLine::Unread { .. } => true,
    }
}

/// What becomes of packets that a line may concern of which not everything is known: a filter lets
/// nothing through by it, and drops what it may deny; what it would choose is dropped.
fn closing(of: &Use, permit: bool, piece: impl Fn(Match, Vec<String>, bool) -> Piece) -> Option<Piece> {
    let all = piece(Match::everything(), Vec::new(), false);
    match of {
        Use::Input | Use::Output | Use::Fragments => (!permit).then_some(all),
        Use::Select { .. } | Use::Unless(_) | Use::Except(_) => {
            Some(Piece { verdict: "drop".to_owned(), ..all })
        }
    }
}

impl Piece {
    fn rules(&self) -> Vec<String> {
        let ask = self.ask.text();
        let spaced = if ask.is_empty() { String::new() } else { format!("{ask} ") };
        let mut rules: Vec<_> = self.before.iter().map(|what| format!("{spaced}{what}")).collect();
        let counter =
            self.counter.as_ref().map(|name| format!("counter name \"{name}\" ")).unwrap_or_default();
        rules.push(format!("{spaced}{counter}{}", self.verdict));
        rules
    }
}

/// What lines of one map have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    protocol: Option<u8>,
    source: bool,
    destination: bool,
    port: bool,
}

impl Shape {
    /// The types of the map's keys, and what is looked up.
    fn keys(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        [
            (self.source, ("ipv4_addr", "ip saddr")),
            (self.destination, ("ipv4_addr", "ip daddr")),
            (self.port, ("inet_service", "th dport")),
        ]
        .into_iter()
        .filter_map(|(is, key)| is.then_some(key))
    }
}

/// The shape of a rule that may be in a map: one range for each key, and nothing else is asked.
fn shape(piece: &Piece) -> Option<Shape> {
    let Match { source, destination, protocol, source_ports, destination_ports, rest } = &piece.ask;
    let one = |side: &Side| match side {
        Side::Any => Some(false),
        Side::In(these) if these.len() == 1 => Some(true),
        Side::In(_) | Side::Bits(..) => None,
    };
    let (source, destination) = (one(source)?, one(destination)?);
    let plain = rest.is_empty()
        && source_ports.is_empty()
        && destination_ports.len() <= 1
        && piece.before.is_empty()
        && piece.counter.is_some();
    let port = !destination_ports.is_empty();
    (plain && (source || destination)).then_some(Shape { protocol: *protocol, source, destination, port })
}

fn key(ask: &Match) -> Vec<String> {
    let range = |side: &Side| match side {
        Side::In(these) => these.first().map(|range| ranges::told(*range)),
        Side::Any | Side::Bits(..) => None,
    };
    let port = ask.destination_ports.first().map(|(first, last)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    });
    [range(&ask.source), range(&ask.destination), port].into_iter().flatten().collect()
}

/// How many of the first pieces can be one map: of one shape and verdict, and none of them meets a
/// packet of another.
fn run(pieces: &[Piece]) -> usize {
    let Some((first, of)) = pieces.first().and_then(|first| Some((first, shape(first)?))) else { return 0 };
    let mut length = 0;
    let mut seen = Overlaps::default();
    for piece in pieces {
        if shape(piece) != Some(of) || piece.verdict != first.verdict || seen.meets(&bounds(&piece.ask)) {
            break;
        }
        length += 1;
        seen.add(bounds(&piece.ask));
    }
    length
}

/// Boxes near a new one that are compared with it; where there are more, another map begins.
const NEAR: usize = 256;

/// First and last value of a key.
type Bounds = (u32, u32);

fn bounds(ask: &Match) -> [Bounds; 3] {
    let side = |side: &Side| match side {
        Side::In(these) => {
            these.first().map_or((0, u32::MAX), |(first, last)| (u32::from(*first), u32::from(*last)))
        }
        Side::Any | Side::Bits(..) => (0, u32::MAX),
    };
    let port = ask.destination_ports.first().map_or((0, u32::MAX), |(a, b)| (u32::from(*a), u32::from(*b)));
    [side(&ask.source), side(&ask.destination), port]
}

/// Boxes that do not meet. They are found by any of their keys, and compared where they are near by
/// that which tells most of them apart.
#[derive(Default)]
struct Overlaps([Near; 3]);

/// Boxes by one of their keys.
#[derive(Default)]
struct Near {
    boxes: BTreeMap<Bounds, Vec<[Bounds; 3]>>,
    widest: u32,
}

impl Near {
    fn to(&self, key: Bounds) -> impl Iterator<Item = &[Bounds; 3]> + Clone {
        // what begins earlier than the widest is long cannot reach it
        let from = (key.0.saturating_sub(self.widest), 0);
        self.boxes.range(from..=(key.1, u32::MAX)).flat_map(|(_, boxes)| boxes)
    }
}

impl Overlaps {
    fn add(&mut self, new: [Bounds; 3]) {
        for (near, key) in self.0.iter_mut().zip(new) {
            near.widest = near.widest.max(key.1 - key.0);
            near.boxes.entry(key).or_default().push(new);
        }
    }

    fn meets(&self, new: &[Bounds; 3]) -> bool {
        let few = self.0.iter().zip(new).find_map(|(near, key)| {
            let near = near.to(*key);
            near.clone().nth(NEAR).is_none().then_some(near)
        });
        // so many are not compared that a long list would cost more than it gains
        few.is_none_or(|mut near| {
            near.any(|old| old.iter().zip(new).all(|(old, new)| old.0 <= new.1 && new.0 <= old.1))
        })
    }
}
