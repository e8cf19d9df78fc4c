//! Effects of a line that depend on the whole configuration: a filter of an interface that is shut
//! filters nothing, a bare `control-plane` polices nothing, and an access list with a line that was
//! not understood is not the list that was intended.

use crate::crypto_filters::Networks;
use crate::diagnostic::{Code, Diagnostic, Kind, Severity};
use crate::document::Class;
use crate::model::{
    Acl, AclEntry, AclKind, AclLine, GroupMembers, Interface, NetworkObject, RouteMatch, ServiceObject,
};
use crate::parsed::{Numbers, Parsed, unenforced};
use crate::slip::near;
use crate::verdict::kinds::{has_no_link, is_template, is_tunnel};
use crate::verdict::lines::{Block, Negated, Spelled, blocks};
use std::collections::{BTreeMap, BTreeSet};

/// Puts right what was said of lines one by one.
pub(crate) fn settle(parsed: &mut Parsed) {
    holes_of_route_maps(parsed);
    let changes = changes(parsed);
    let mut quieted: BTreeMap<u32, &str> = BTreeMap::new();
    for change in &changes {
        if let Change::Quiet(line, why) = change {
            quieted.entry(*line).or_insert(why);
        }
    }
    quiet(parsed, &quieted);
    let mut stopping: BTreeMap<u32, String> = BTreeMap::new();
    for change in changes {
        if let Change::Stops(line, message) = change {
            stopping.entry(line).or_insert(message);
        }
    }
    stops(parsed, stopping);
    let undecided = undecided(parsed);
    stops(parsed, undecided);
    let filters = crate::crypto_filters::undecided(parsed, Networks::Kept);
    stops(parsed, filters);
    routing_only(parsed);
    let astray = crate::astray::restrictions(parsed);
    stops(parsed, astray);
    // what is wrong with the line itself is said beside this
    let weaker = crate::astray::unprotecting(parsed).into_iter().map(|(line, message)| Diagnostic {
        severity: Severity::Error,
        code: Code::Unenforced,
        line,
        column: 1,
        message,
        remedy: "correct the line".into(),
    });
    parsed.diagnostics.extend(weaker);
    holes(parsed, Numbers::Kept);
    held_otherwise(parsed);
}

/// If static entries of crypto maps do not keep their networks from the peers of dynamic ones, more
/// filters of such entries stop the start.
pub fn free_networks(parsed: &mut Parsed) {
    let filters = crate::crypto_filters::undecided(parsed, Networks::Free);
    stops(parsed, filters);
    parsed.diagnostics.sort_by_key(|told| (told.line, told.column));
}

/// Completes the model of what only the whole configuration shows.
pub(crate) fn complete(parsed: &mut Parsed, numbers: Numbers) {
    holes_of_route_maps(parsed);
    holes(parsed, numbers);
}

/// The message for a line that changes forwarding.
pub(crate) const FORWARDED: &str = "packets are forwarded without it";

/// The consequences of lines that change forwarding and without which packets are not forwarded
/// either, by how they begin.
const HELD: &[(&str, &str)] = &[
    (
        "crypto ipsec profile",
        "the tunnel interfaces that it protects do not exist here, and the networks behind them are unreachable",
    ),
    ("ip route vrf", VRF),
    ("ip vrf", VRF),
    (
        "virtual-template",
        "the tunnel interface does not exist here, and the networks behind it are unreachable",
    ),
    ("vrf", VRF),
];
const VRF: &str = "an interface in a VRF is shut here, and an entry for peers in one does not exist";
const TUNNEL: &str = "the interface does not exist here, and the networks behind it are unreachable";

/// Of tunnel interfaces and VRFs it is not true that packets are forwarded without them.
fn held_otherwise(parsed: &mut Parsed) {
    let mut held: BTreeMap<u32, &str> = BTreeMap::new();
    let blocks = blocks(parsed);
    let is_absent = |block: &Block<'_>| has_no_link(&block.interface());
    // a line of a range may be that of an interface that exists, too
    let exist = blocks.iter().filter(|block| block.head.begins("interface") && !is_absent(block));
    let exist: BTreeSet<u32> = exist.flat_map(|block| &block.below).map(|line| line.line).collect();
    for block in &blocks {
        let absent = block.head.begins("interface") && is_absent(block);
        for line in block.lines() {
            let known = HELD.iter().find(|(words, _)| line.begins(words)).map(|(_, holds)| *holds);
            let tunnel = (absent && !exist.contains(&line.line)).then_some(TUNNEL);
            held.extend(known.or(tunnel).map(|holds| (line.line, holds)));
        }
    }
    // where an interface is given again, its head is not among its lines
    let lines = parsed.document.lines.iter().zip(1..);
    let heads = lines.filter(|(line, _)| line.under.is_none() && line.spelled.starts_with("interface "));
    for (_, line) in heads {
        held.entry(line).or_insert(TUNNEL);
    }
    for told in parsed.diagnostics.iter_mut().filter(|told| told.code == Code::Forwarding) {
        let Some(holds) = held.get(&told.line) else { continue };
        told.message = told.message.replace(FORWARDED, holds);
        told.remedy = "leave the tunnel out with --without, or remove the line".into();
    }
}

enum Change {
    /// A line that is not enforced has no effect in the first place.
    Quiet(u32, &'static str),
    /// A line has an effect that is not enforced.
    Stops(u32, String),
}

/// Lines that translate or route by what is not known.
fn undecided(parsed: &Parsed) -> BTreeMap<u32, String> {
    let interfaces: Interfaces<'_> =
        parsed.config.interfaces.iter().map(|one| (one.name.as_str(), one)).collect();
    crate::undecided::lines(parsed, |block| unused(&interfaces, block).is_some())
}

/// Of route maps by which nothing is translated or routed it is said that they have no effect.
fn routing_only(parsed: &mut Parsed) {
    for (head, below) in crate::undecided::idle(parsed) {
        let lines = &mut parsed.document.lines;
        let front =
            place(head).and_then(|place| lines.get(place)).map(|line| crate::secret::shown(&line.spelled));
        let why = "nothing is translated or routed by it, and only routing protocols use it otherwise";
        parsed.diagnostics.push(Diagnostic {
            severity: Severity::Notice,
            code: Code::Inert,
            line: head,
            column: 1,
            message: format!("`{}` has no effect: {why}", front.unwrap_or_default()),
            remedy: String::new(),
        });
        for line in std::iter::once(head).chain(below) {
            if let Some(line) = place(line).and_then(|place| lines.get_mut(place)) {
                line.class = Class::Inert;
            }
        }
    }
}

type Interfaces<'c> = BTreeMap<&'c str, &'c Interface>;

/// What makes an interface's filters matter not.
fn unused(interfaces: &Interfaces<'_>, block: &Block<'_>) -> Option<&'static str> {
    let name = block.interface();
    if is_tunnel(&name) || is_template(&name) {
        return Some("the interface does not exist here");
    }
    let interface = interfaces.get(name.as_str())?;
    if interface.shutdown {
        return Some("the interface is shut down");
    }
    interface.vrf.is_some().then_some(IN_VRF)
}

const TAKEN_BACK: &str = "a later line negates it";

/// In a VRF's interface only the line that names the VRF must be allowed.
const IN_VRF: &str = "the interface is in a VRF, and is shut here";

fn changes(parsed: &Parsed) -> Vec<Change> {
    let blocks = blocks(parsed);
    let open = unenforced(parsed);
    let mut out = Vec::new();
    let kinds: BTreeMap<_, _> = open.iter().map(|one| (one.line, one.kind)).collect();
    let kind_of = |line: u32| kinds.get(&line).copied();
    let interfaces: Interfaces<'_> =
        parsed.config.interfaces.iter().map(|one| (one.name.as_str(), one)).collect();
    // lines of interfaces that are up, by kind
    let mut used: Vec<(Kind, u32)> = Vec::new();
    for block in blocks.iter().filter(|block| block.head.begins("interface")) {
        let why = unused(&interfaces, block);
        let taken = block.taken_back();
        for line in &block.below {
            let Some(kind) = kind_of(line.line) else { continue };
            if taken.contains(&line.line) {
                out.push(Change::Quiet(line.line, TAKEN_BACK));
                continue;
            }
            match why.filter(|why| kind != Kind::Vrf || *why != IN_VRF) {
                Some(why) => out.push(Change::Quiet(line.line, why)),
                None => used.push((kind, line.line)),
            }
        }
        if why.is_none() {
            out.extend(ipv6_beside_filters(block));
        }
    }
    // a line of a range that one interface does not use may be another's
    let lines: BTreeSet<u32> = used.iter().map(|(_, line)| *line).collect();
    out.retain(|change| !matches!(change, Change::Quiet(line, _) if lines.contains(line)));
    out.extend(taken_back(&blocks).map(|line| Change::Quiet(line, TAKEN_BACK)));
    let is_used = |kind: Kind| used.iter().any(|(used, _)| *used == kind);
    let rules: Vec<_> = open.iter().filter(|one| one.header.is_none()).collect();
    if !is_used(Kind::Zone) {
        let zones = rules.iter().filter(|one| one.kind == Kind::Zone);
        out.extend(zones.map(|one| Change::Quiet(one.line, "no interface is a member of a zone")));
    }
    let nat: Vec<_> = rules.iter().filter(|one| one.kind == Kind::Nat).collect();
    let has_side = |block: &Block<'_>| {
        unused(&interfaces, block).is_none()
            && interfaces.get(block.interface().as_str()).is_some_and(|interface| interface.nat.is_some())
    };
    let is_translated =
        is_used(Kind::Nat) || blocks.iter().any(|block| block.head.begins("interface") && has_side(block));
    match (nat.is_empty(), is_translated) {
        (true, true) if parsed.config.nat.rules.is_empty() => {
            let lines = used.iter().filter(|(kind, _)| *kind == Kind::Nat);
            out.extend(lines.map(|(_, line)| Change::Quiet(*line, "there is no translation rule")));
        }
        (false, false) => {
            let why = "no interface is inside or outside";
            out.extend(nat.iter().map(|one| Change::Quiet(one.line, why)));
        }
        _ => {}
    }
    let idle = crate::settings::idle(&blocks, &open, |block| {
        block.head.begins("interface") && unused(&interfaces, block).is_some()
    });
    out.extend(idle.into_iter().map(|(line, why)| Change::Quiet(line, why)));
    out.extend(routes_half_read(parsed));
    for block in blocks.iter().filter(|block| block.head.begins("control-plane")) {
        let taken = block.taken_back();
        let polices =
            |line: &&Spelled<'_>| line.begins("service-policy") || line.begins("management-interface");
        for line in block.below.iter().filter(polices).filter(|line| !taken.contains(&line.line)) {
            let text = format!(
                "`{}` polices what reaches the router itself, and that is not enforced",
                line.front()
            );
            out.push(Change::Stops(line.line, text));
        }
    }
    out
}

/// Global lines, and those of modes other than interfaces, that a later one takes back.
fn taken_back<'b>(blocks: &'b [Block<'_>]) -> impl Iterator<Item = u32> + 'b {
    let negated = Negated::of(blocks.iter().map(|block| &block.head));
    let heads = blocks.iter().map(|block| &block.head);
    let heads = heads.filter(move |head| negated.takes_back(head));
    let others = blocks.iter().filter(|block| !block.head.begins("interface"));
    heads.map(|line| line.line).chain(others.flat_map(Block::taken_back))
}

/// Static routes through a tunnel that are not understood: where they lead, nothing is closed.
fn routes_half_read(parsed: &Parsed) -> Vec<Change> {
    let is_route = |text: &str| text.trim_start().starts_with("ip route ");
    let by_tunnel =
        |text: &str| text.split_whitespace().any(|word| is_tunnel(&crate::interface_name::long_name(word)));
    let lines = parsed.document.lines.iter().zip(1..);
    let found = lines.filter(|(line, _)| line.class == Class::Unknown && is_route(&line.text));
    let found = found.filter(|(line, _)| by_tunnel(&line.text));
    found
        .map(|(line, number)| {
            let text = format!(
                "`{}` leads into a tunnel and is not understood: the networks to make unreachable are unknown",
                line.text.trim()
            );
            Change::Stops(number, text)
        })
        .collect()
}

/// IPv6 on an interface whose IPv4 packets are filtered or protected: the IPv6 packets are neither.
fn ipv6_beside_filters<'b>(block: &'b Block<'_>) -> impl Iterator<Item = Change> + 'b {
    const IPV6: [&str; 5] =
        ["ipv6 address", "ipv6 enable", "ipv6 unnumbered", "ipv6 dhcp client pd", "ipv6 nd"];
    const GUARDED: [&str; 9] = [
        "crypto map",
        "ip access-group",
        "ip inspect",
        "ip verify",
        "ipv6 crypto map",
        "ipv6 traffic-filter",
        "zone-member",
        "ip ips",
        "ip audit",
    ];
    let taken = block.taken_back();
    let stays = move |line: &&Spelled<'_>| !taken.contains(&line.line);
    let is_guarded = GUARDED.iter().any(|words| block.having(words).any(|line| stays(&line)));
    let lines = block.below.iter().filter(stays);
    let lines = lines.filter(move |line| is_guarded && IPV6.iter().any(|words| line.begins(words)));
    lines.map(|line| {
        let text = format!(
            "`{}` is on an interface whose IPv4 packets are filtered or protected; its IPv6 packets are neither",
            line.front()
        );
        Change::Stops(line.line, text)
    })
}

fn place(line: u32) -> Option<usize> {
    usize::try_from(line.checked_sub(1)?).ok()
}

/// Of these lines it is said why they have no effect, and not that they are not enforced.
fn quiet(parsed: &mut Parsed, lines: &BTreeMap<u32, &str>) {
    for told in parsed.diagnostics.iter_mut().filter(|told| told.code == Code::Unenforced) {
        let Some(why) = lines.get(&told.line) else { continue };
        let front = told.message.split('`').nth(1).unwrap_or_default();
        told.message = format!("`{front}` has no effect: {why}");
        told.remedy.clear();
        (told.severity, told.code) = (Severity::Notice, Code::Inert);
    }
    for line in lines.keys() {
        if let Some(line) = place(*line).and_then(|place| parsed.document.lines.get_mut(place)) {
            line.class = Class::Inert;
        }
    }
}

/// These lines stop the start, each with why, unless they do so already.
fn stops(parsed: &mut Parsed, mut lines: BTreeMap<u32, String>) {
    parsed.diagnostics.retain(|told| !lines.contains_key(&told.line) || told.code == Code::Unenforced);
    for told in &parsed.diagnostics {
        lines.remove(&told.line);
    }
    for (line, message) in lines {
        let remedy = match message.contains("is not understood") {
            true => "correct the line, or enforce it elsewhere and allow it with --allow-unenforced",
            false => "enforce it elsewhere and allow it with --allow-unenforced",
        };
        parsed.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            code: Code::Unenforced,
            line,
            column: 1,
            message,
            remedy: remedy.into(),
        });
        if let Some(line) = place(line).and_then(|place| parsed.document.lines.get_mut(place)) {
            line.class = Class::Unsupported;
        }
    }
}

/// A line of an access list that was not understood stays in the list as one that may concern any
/// packet, so that whatever uses the list knows that it is not whole.
fn holes(parsed: &mut Parsed, numbers: Numbers) {
    let mut found: BTreeMap<String, (AclKind, Vec<AclEntry>)> = BTreeMap::new();
    // a line of a range of interfaces is in several blocks
    let mut seen: BTreeSet<u32> = BTreeSet::new();
    for block in blocks(parsed) {
        let kinds =
            [("ip access-list extended", AclKind::Extended), ("ip access-list standard", AclKind::Standard)];
        let kind = kinds.iter().find(|(words, _)| is_meant(&block.head, words));
        let named = block.head.word(3).zip(kind.map(|(_, kind)| *kind));
        for line in block.lines().filter(|line| line.class == Class::Unknown) {
            // a line of a numbered list that has a mistake may be written where the mode before it
            // was not left
            let number = line.word(1).filter(|_| is_meant(line, "access-list"));
            let of_number = number.and_then(|name| Some((name, kind_of(name)?)));
            // the first line of a list, if it is wrong and not merely misspelt, names none
            let names_none = line.begins("ip access-list");
            let Some((list, kind)) = of_number.or(named).filter(|_| !names_none) else { continue };
            if !seen.insert(line.line) {
                continue;
            }
            let sequence = line.word(0).and_then(|word| word.parse().ok());
            let place = if of_number.is_some() { 2 } else { usize::from(sequence.is_some()) };
            // a remark without its text restricts nothing
            if line.word(place).is_some_and(|word| word.eq_ignore_ascii_case("remark")) {
                continue;
            }
            let permit = line.word(place).and_then(verb);
            let line = if numbers == Numbers::Kept { line.line } else { 0 };
            let what = AclLine::Unread { permit };
            let (_, holes) = found.entry(list.to_string()).or_insert((kind, Vec::new()));
            holes.push(AclEntry { sequence, what, line });
        }
    }
    let acls = &mut parsed.config.acls;
    for acl in acls.iter_mut() {
        if let Some((_, holes)) = found.remove(&acl.name) {
            acl.entries = with_holes(std::mem::take(&mut acl.entries), holes, numbers);
        }
    }
    // lists of which nothing was understood, in the order of their lines
    let mut left: Vec<_> = found.into_iter().collect();
    left.sort_by_key(|(_, (_, holes))| holes.first().map(|hole| hole.line));
    acls.extend(left.into_iter().map(|(name, (kind, holes))| {
        let line = holes.first().map_or(0, |hole| hole.line);
        Acl { name, kind, entries: with_holes(Vec::new(), holes, numbers), line }
    }));
    holes_of_groups(parsed);
}

/// The lines of a list with those that were not understood: by their numbers, or before whatever is
/// written behind them.
fn with_holes(entries: Vec<AclEntry>, holes: Vec<AclEntry>, numbers: Numbers) -> Vec<AclEntry> {
    let sequences: Vec<(u32, usize)> =
        entries.iter().enumerate().filter_map(|(place, entry)| Some((entry.sequence?, place))).collect();
    // of each line and those after it, the first of the file
    let mut firsts: Vec<u32> = entries
        .iter()
        .rev()
        .scan(u32::MAX, |first, entry| {
            *first = entry.line.min(*first);
            Some(*first)
        })
        .collect();
    firsts.reverse();
    let place = |hole: &AclEntry| match hole.sequence {
        Some(own) => {
            let behind = sequences.partition_point(|(sequence, _)| *sequence < own);
            sequences.get(behind).map_or(entries.len(), |(_, place)| *place)
        }
        None if numbers == Numbers::Kept => firsts.partition_point(|first| *first < hole.line),
        None => entries.len(),
    };
    let mut placed: Vec<(usize, u32, AclEntry)> =
        holes.into_iter().map(|hole| (place(&hole), hole.sequence.unwrap_or(0), hole)).collect();
    placed.sort_by_key(|(place, sequence, _)| (*place, *sequence));
    let mut placed = placed.into_iter().peekable();
    let mut out = Vec::with_capacity(entries.len() + placed.len());
    for (place, entry) in entries.into_iter().enumerate() {
        out.extend(std::iter::from_fn(|| placed.next_if(|(own, ..)| *own <= place)).map(|(.., hole)| hole));
        out.push(entry);
    }
    out.extend(placed.map(|(.., hole)| hole));
    out
}

/// Whether a word is `permit` or `deny`, or begins one.
fn verb(word: &str) -> Option<bool> {
    let begins = |verb: &str| verb.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    (begins("permit").then_some(true)).or(begins("deny").then_some(false))
}

/// The same for lines of object groups and time ranges, which lists name.
fn holes_of_groups(parsed: &mut Parsed) {
    let mut groups: BTreeSet<String> = BTreeSet::new();
    let mut ranges: BTreeSet<String> = BTreeSet::new();
    for block in blocks(parsed) {
        if !block.below.iter().any(|line| matches!(line.class, Class::Unknown | Class::Unsupported)) {
            continue;
        }
        if block.head.begins("object-group") {
            groups.extend(block.head.word(2).map(str::to_string));
        } else if block.head.begins("time-range") {
            ranges.extend(block.head.word(1).map(str::to_string));
        }
    }
    for group in parsed.config.object_groups.iter_mut().filter(|group| groups.contains(&group.name)) {
        match &mut group.members {
            GroupMembers::Network(members) => members.push(NetworkObject::Unread),
            GroupMembers::Service(members) => members.push(ServiceObject::Unread),
        }
    }
    for range in parsed.config.time_ranges.iter_mut().filter(|range| ranges.contains(&range.name)) {
        range.unread = true;
    }
}

/// The same for the lines of route maps: they may have been conditions.
fn holes_of_route_maps(parsed: &mut Parsed) {
    if parsed.config.route_maps.is_empty() {
        return;
    }
    let mut found: BTreeMap<(String, u16), Vec<RouteMatch>> = BTreeMap::new();
    for block in blocks(parsed).iter().filter(|block| block.head.begins("route-map")) {
        let unread = block.below.iter().filter(|line| line.class == Class::Unknown);
        let holes: Vec<_> = unread.map(|line| RouteMatch::Other(line.text.to_string())).collect();
        if let Some(name) = block.head.word(1).filter(|_| !holes.is_empty()) {
            let sequence = block.head.text.split_whitespace().skip(2).find_map(|word| word.parse().ok());
            found.entry((name.to_string(), sequence.unwrap_or(10))).or_default().extend(holes);
        }
    }
    if found.is_empty() {
        return;
    }
    for map in &mut parsed.config.route_maps {
        for entry in &mut map.entries {
            entry.matches.extend(found.remove(&(map.name.clone(), entry.sequence)).unwrap_or_default());
        }
    }
}

/// Whether a line begins with these words, or is not understood because of slips in them.
fn is_meant(line: &Spelled<'_>, words: &str) -> bool {
    let slips = |word: &str| if word.len() < 4 { 0 } else { 2 };
    let is = |own: &str, word: &str| own.eq_ignore_ascii_case(word) || near(own, word, slips(word));
    let mut own = line.text.split_whitespace();
    line.begins(words)
        || line.class == Class::Unknown
            && words.split(' ').all(|word| own.next().is_some_and(|own| is(own, word)))
}

/// The kind of the list of IP addresses that has a number.
fn kind_of(word: &str) -> Option<AclKind> {
    AclKind::of_number(word.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    /// The kinds of the lines that stop the start.
    fn open(text: &str) -> Vec<&'static str> {
        unenforced(&parse(text)).iter().map(|one| one.kind.name()).collect()
    }

    /// What newer releases print in every configuration, and what has no effect on its own.
    #[test]
    fn lines_without_an_effect_stop_no_start() {
        for text in [
            "control-plane\n!\n",
            "control-plane host\n",
            "aaa authentication banner ^CHello^C\n",
            "aaa authentication username-prompt Name:\n",
            "aaa authentication fail-message ^CNo^C\n",
            "ip inspect log drop-pkt\n",
            "ip inspect name FW tcp\n",
            "interface FastEthernet0/0\n ip inspect FW in\n ip verify source\n shutdown\n",
            "interface Tunnel0\n ip inspect FW in\n",
            "zone security INSIDE\n",
            "interface FastEthernet0/0\n ip nat inside\n",
            "ip nat pool P 10.0.0.1 10.0.0.9 netmask 255.255.255.0\n",
            "ip nat inside source list 1 interface FastEthernet0/0 overload\n",
            "ip nat outside source static 192.0.2.1 192.0.2.2\n",
            "aaa authorization exec default local\n",
            "interface FastEthernet0/0\n ip virtual-reassembly in\n",
            "interface FastEthernet0/0\n ipv6 address 2001:db8::1/64\n",
            "no service dhcp\n",
            "ip audit notify log\nip audit po max-events 100\n",
            "ip access-list resequence VPN 10 10\n",
        ] {
            assert!(open(text).is_empty(), "{text}: {:?}", open(text));
        }
    }

    /// A line that is cut off says something else than what is refused.
    #[test]
    fn a_refusal_names_the_whole_line() {
        let long = "ip route 10.0.0.0 255.0.0.0 10.9.9.9 name a-name-that-is-longer-than-what-a-message-shows multicast x";
        for (text, line, words) in [
            ("crypto map M isakmp-profile P\n", 1, "`crypto map M isakmp-profile P` is not"),
            (
                "ip route vrf G 10.0.0.0 255.0.0.0 10.1.1.1\n",
                1,
                "`ip route vrf G 10.0.0.0 255.0.0.0 10.1.1.1`",
            ),
            (
                "crypto ipsec transform-set A ah-sha-hmac esp-aes\n",
                1,
                "`crypto ipsec transform-set A ah-sha-hmac esp-aes`",
            ),
            ("username a privilege 99 secret 5 abc\n", 1, "`username a privilege 99 secret`"),
            (long, 1, "`ip route 10.0.0.0 255.0.0.0 10.9.9.9 name …`"),
        ] {
            let told = parse(text).diagnostics;
            let found = told.iter().any(|told| told.line == line && told.message.contains(words));
            assert!(found, "{text}: {told:?}");
        }
    }

    /// What is closed, or shut, is not forwarded without the line.
    #[test]
    fn of_tunnels_and_vrfs_it_is_not_said_that_packets_are_forwarded_without_them() {
        let text = "interface Tunnel7\n tunnel source FastEthernet0/0\n ip nhrp network-id 1\n ip ospf 1 area 0\n\
                    interface Tunnel7\n tunnel protection ipsec profile P\n\
                    crypto ipsec profile P\n set transform-set A\nvrf definition G\nip vrf H\n\
                    interface Virtual-Template1\n tunnel mode ipsec ipv4\n\
                    crypto isakmp profile Q\n vrf G\n virtual-template 1\n match identity address 10.0.0.1\n\
                    ip route vrf G 10.0.0.0 255.0.0.0 10.1.1.1\n";
        let told = parse(text).diagnostics;
        let forwarding: Vec<_> = told.iter().filter(|told| told.code == Code::Forwarding).collect();
        assert!(forwarding.len() >= 10, "{forwarding:?}");
        for told in forwarding {
            assert!(!told.message.contains(FORWARDED), "{told:?}");
            assert!(told.message.contains("unreachable") || told.message.contains("VRF"), "{told:?}");
        }
        // of what is only not done, it is
        let told =
            parse("router ospf 1\ninterface FastEthernet0/0\n ip helper-address 10.1.1.1\n").diagnostics;
        assert_eq!(told.iter().filter(|told| told.message.contains(FORWARDED)).count(), 2, "{told:?}");
    }

    /// An interface may be opened again, and its lines may be negated there.
    #[test]
    fn an_interface_given_twice_is_looked_at_as_a_whole() {
        let one = "interface FastEthernet0/0\n";
        for (first, second, lines) in [
            (" crypto map M\n", " ipv6 address 2001:db8::1/64\n", vec![4]),
            (" ipv6 address 2001:db8::1/64\n", " crypto map M\n", vec![2]),
            (" ip ips 3 in\n", " ipv6 enable\n", vec![2, 4]),
            (" ip ips 3 in\n", " no ip ips 3 in\n", vec![]),
            (" ip ips 3 in\n", " no ip ips in\n", vec![]),
            (" ip ips 3 in\n", " no ip ips\n", vec![2]),
            (" ip ips 3 in\n", " no ip ips 3\n", vec![2]),
            (" vrf forwarding GUEST\n", " no vrf forwarding\n", vec![]),
            (" ip ips 3 in\n", " no ip ips 3 out\n", vec![2]),
            (" ip ips 3 in\n", " no ip ips 3 in\n ip ips 4 in\n", vec![5]),
            (" no ip ips 3 in\n", " ip ips 3 in\n", vec![4]),
            (" ip ips 3 in\n", " shutdown\n", vec![]),
            (" ip ips 3 in\n", " no ip ips 3 in\n ipv6 enable\n", vec![]),
            (" crypto map M\n", " ipv6 enable\n no ipv6 enable\n", vec![]),
            (" mab\n", " authentication port-control auto\n", vec![2, 4]),
            (" ip inspect FW in\n", " no ip inspect FW in\n", vec![]),
        ] {
            let text = format!("{one}{first}interface fa0/0\n{second}");
            let found: Vec<_> = unenforced(&parse(&text)).iter().map(|one| one.line).collect();
            assert_eq!(found, lines, "{text}");
            let once = unenforced(&parse(&format!("{one}{first}{second}"))).len();
            assert_eq!(once, lines.len(), "in one block: {text}");
        }
        let taken = "control-plane\n service-policy input C\n no service-policy input C\n";
        assert_eq!(open(taken), [""; 0]);
        assert_eq!(open("ip tcp intercept list 101\nno ip tcp intercept list 101\n"), [""; 0]);
        let nat = "interface FastEthernet0/0\n ip nat outside\ninterface FastEthernet0/1\n ip nat inside\n\
                   ip nat outside source list 1 pool P\n";
        let whole = "no ip nat outside source list 1 pool P\n";
        // IOS reports the first as incomplete
        for (line, is_taken) in [("no ip nat\n", false), ("no ip nat outside source\n", false), (whole, true)]
        {
            let stops = unenforced(&parse(&format!("{nat}{line}")));
            assert_eq!(!stops.iter().any(|one| one.line == 5), is_taken, "{line}: {stops:?}");
        }
    }

    /// The lines of a range are those of each of its interfaces, with what it has besides.
    #[test]
    fn the_lines_of_a_range_are_looked_at_with_those_of_each_interface() {
        let range = "interface range FastEthernet0/0 - 1\n";
        let second = "interface FastEthernet0/1\n";
        for (text, lines) in [
            (format!("{second} ip ips 3 in\n{range} ipv6 enable\n"), vec![2, 4]),
            (format!("{range} ip ips 3 in\n{second} ipv6 enable\n"), vec![2, 4]),
            (format!("{range} crypto map M\n{second} ipv6 enable\n"), vec![4]),
            // one that is shut does not speak for the other
            (format!("{range} ip ips 3 in\n{second} shutdown\n"), vec![2]),
            (format!("{range} ip ips 3 in\n shutdown\n"), vec![]),
            (format!("{range} ip ips 3 in\n{second} no ip ips 3 in\n"), vec![2]),
            (format!("{range} ip ips 3 in\n{range} no ip ips 3 in\n"), vec![]),
            (
                format!(
                    "{range} ip nat outside\ninterface FastEthernet0/2\n ip nat inside\n\
                     ip nat outside source list 1 pool P\n"
                ),
                vec![5],
            ),
        ] {
            let found: Vec<_> = unenforced(&parse(&text)).iter().map(|one| one.line).collect();
            assert_eq!(found, lines, "{text}");
        }
    }

    /// What is said of one interface of a range is said, whichever it is, and once.
    #[test]
    fn every_interface_of_a_range_is_spoken_of() {
        for members in ["FastEthernet0/0.5 , FastEthernet0/1", "FastEthernet0/1 , FastEthernet0/0.5"] {
            let parsed = parse(&format!("interface range {members}\n encapsulation dot1Q 5\n"));
            // what it lacks on one interface, the line lacks
            assert_eq!(parsed.document.lines[1].class, Class::Unsupported, "{members}");
            let told = parsed.diagnostics;
            let of_line: Vec<_> = told.iter().filter(|told| told.line == 2).map(|told| told.code).collect();
            assert_eq!(of_line, [Code::Forwarding], "{members}: {told:?}");
        }
        let told =
            parse("interface range FastEthernet0/0 - 3\n ip address 10.0.0.1 255.0.255.0\n").diagnostics;
        assert_eq!(told.iter().filter(|told| told.line == 2).count(), 1, "{told:?}");
    }

    /// What a tunnel in a range does not do, the interfaces beside it do not do either.
    #[test]
    fn a_tunnel_of_a_range_does_not_speak_for_the_interfaces_that_exist() {
        for (members, forwarded) in [
            ("FastEthernet0/0 , Tunnel1", true),
            ("Tunnel1 , FastEthernet0/0", true),
            ("Tunnel1 - 2", false),
            ("FastEthernet0/0 - 1", true),
        ] {
            let text = format!("interface range {members}\n ip helper-address 10.1.1.1\n");
            let told = parse(&text).diagnostics;
            let of_line: Vec<_> = told.iter().filter(|told| told.line == 2).collect();
            assert!(of_line.len() == 1 && of_line[0].code == Code::Forwarding, "{members}: {told:?}");
            assert_eq!(of_line[0].message.contains(FORWARDED), forwarded, "{members}: {told:?}");
        }
    }

    /// Two models that mean the same are equal, whether lists have lines that were understood or not.
    #[test]
    fn a_list_of_which_nothing_was_understood_has_no_line_where_others_have_none() {
        let (parsed, _) = crate::parse::read("access-list 101 permit bogus\n", Numbers::Left);
        assert_eq!(
            parsed.config.acls.iter().map(|acl| (acl.line, acl.entries[0].line)).collect::<Vec<_>>(),
            [(0, 0)]
        );
    }

    /// A static route through a tunnel that is not read whole closes nothing, so the start stops.
    #[test]
    fn a_half_read_route_into_a_tunnel_stops_the_start() {
        for (line, stops) in [
            ("ip route 10.24.0.0 255.255.0.0 Tunnel7 bogus", true),
            ("ip route 10.24.0.0/16 Tunnel7", true),
            ("ip route 10.24.0.0 255.0.255.0 Tunnel7", true),
            ("ip route 10.24.0.0 255.255.0.0 192.0.2.1 bogus", false),
            ("ip route 10.24.0.0 255.255.0.0 Tunnel7 250", false),
        ] {
            let parsed = crate::parse(&format!("hostname a\n{line}\n"));
            let told = crate::parsed::unenforced(&parsed);
            assert_eq!(told.iter().any(|one| one.line == 2), stops, "{line}: {told:?}");
        }
    }

    #[test]
    fn lines_that_restrict_or_translate_stop_the_start() {
        let nat =
            "ip nat outside source static 192.0.2.1 192.0.2.2\ninterface FastEthernet0/0\n ip nat outside\n";
        for (text, kinds) in [
            ("control-plane\n service-policy input COPP\n", vec!["control-plane"]),
            ("control-plane host\n management-interface FastEthernet0/0 allow ssh\n", vec!["control-plane"]),
            ("interface FastEthernet0/0\n ip ips I in\n", vec!["ips"]),
            (
                "interface FastEthernet0/0\n ip nat enable\n ip nat inside\nip nat source list 1 pool P\n",
                vec!["nat", "nat"],
            ),
            ("interface FastEthernet0/0\n shutdown\n no shutdown\n ip inspect FW out\n", vec!["inspect"]),
            ("zone security I\ninterface FastEthernet0/0\n zone-member security I\n", vec!["zone", "zone"]),
            (nat, vec!["nat"]),
            ("aaa authorization exec default group tacacs+ local\n", vec!["aaa"]),
            ("aaa authentication enable default group radius enable\n", vec!["aaa"]),
            ("ip tcp intercept list 101\n", vec!["tcp-intercept"]),
            ("login block-for 120 attempts 5 within 60\n", vec!["login"]),
            ("interface FastEthernet0/0\n ip virtual-reassembly drop-fragments\n", vec!["fragments"]),
            (
                "interface FastEthernet0/0\n ip virtual-reassembly in max-fragments 16 drop-fragments\n",
                vec!["fragments"],
            ),
            ("interface FastEthernet0/0\n ip vrf forwarding GUEST\n", vec!["vrf"]),
            ("interface FastEthernet0/0\n ip vrf select source\n ip vrf receive GUEST\n", vec!["vrf", "vrf"]),
            (
                "vrf selection source 10.0.0.0 255.0.0.0 vrf GUEST\ninterface FastEthernet0/0\n ip vrf select source\n",
                vec!["vrf", "vrf"],
            ),
            (
                "route-map R permit 10\n set vrf GUEST\ninterface FastEthernet0/0\n ip policy route-map R\n",
                vec!["vrf"],
            ),
            ("route-map R permit 10\n set vrf GUEST\nip local policy route-map R\n", vec!["vrf"]),
            ("ip receive access-list 101\n", vec!["control-plane"]),
            ("interface FastEthernet0/0\n ip audit AUDIT in\n", vec!["ips"]),
            (
                "interface FastEthernet0/0\n crypto map M\n ipv6 unnumbered Loopback0\n ipv6 dhcp client pd P\n ipv6 nd other-config-flag\n",
                vec!["ipv6", "ipv6", "ipv6"],
            ),
            ("interface FastEthernet0/0\n vrf forwarding GUEST\n ip access-group 101 in\n", vec!["vrf"]),
            ("interface FastEthernet0/0\n ipv6 traffic-filter V6 in\n", vec!["ipv6"]),
            ("interface FastEthernet0/0\n crypto map M\n ipv6 address 2001:db8::1/64\n", vec!["ipv6"]),
            ("interface FastEthernet0/0\n ipv6 enable\n ip access-group 1 in\n", vec!["ipv6"]),
            (
                "crypto isakmp client configuration group G\n max-logins 2\n max-users 5\n group-lock\n",
                vec!["max-logins", "max-users", "group-lock"],
            ),
        ] {
            assert_eq!(open(text), kinds, "{text}");
        }
    }

    /// A line that is not understood stays in its list, in its place.
    /// What may be a `deny` is never taken for a `permit`, nor the other way round.
    #[test]
    fn the_verb_of_a_line_that_is_not_understood() {
        for (line, permit) in [
            ("DENY 10.1.0.0 bogus", Some(false)),
            ("den 10.1.0.0 0.0.255.255 bogus", Some(false)),
            ("deny permit x", Some(false)),
            ("perm nobody x", Some(true)),
            ("deni host 10.0.0.1", None),
        ] {
            for text in [format!("access-list 10 {line}\n"), format!("ip access-list standard 10\n {line}\n")]
            {
                let config = parse(&text).config;
                let found =
                    config.acl("10").and_then(|acl| acl.entries.first()).map(|entry| entry.what.clone());
                assert_eq!(found, Some(AclLine::Unread { permit }), "{text}");
            }
        }
    }

    #[test]
    fn a_line_that_is_not_understood_does_not_disappear_from_its_list() {
        let text = "ip access-list extended A\n permit ip host 10.0.0.1 any\n deny ip object-grp BAD any\n deny ip any somewhere\n \
                    permit ip any any\n 15 deny ip bad any\nip access-list standard S\n deny server x\n permit any\n\
                    access-list 10 permit tcp any any\nobject-group network G\n host 10.0.0.1\n hots 10.0.0.2\n\
                    time-range T\n periodic some day\n";
        let config = parse(text).config;
        let list = |name: &str| {
            let unread = |entry: &AclEntry| match entry.what {
                AclLine::Unread { permit } => permit,
                _ => None,
            };
            let acl = config.acl(name).unwrap();
            acl.entries.iter().map(|entry| (unread(entry), entry.line)).collect::<Vec<_>>()
        };
        assert_eq!(list("A"), [(None, 2), (Some(false), 3), (Some(false), 4), (Some(false), 6), (None, 5)]);
        assert_eq!(list("S"), [(Some(false), 8), (None, 9)]);
        assert_eq!(list("10"), [(Some(true), 10)]);
        let GroupMembers::Network(members) = &config.object_groups[0].members else { panic!() };
        assert!(members.len() == 2 && members[1] == NetworkObject::Unread, "{members:?}");
        assert!(config.time_ranges[0].unread);
    }
}
