//! The entries of crypto maps and dynamic crypto maps.

use super::barren;
use super::defined::{ACCESS_LIST, DYNAMIC_MAP, KEYRING, LOGIN_LIST, NETWORK_LIST, PROFILE, TRANSFORM_SET};
use super::group::undefined;
use super::lines::{Block, Spelled};
use super::networks::{Flow, permitted};
use super::nulls::nulls;
use super::outcome::{Outcome, Reason, Verdict};
use super::peer_keys::{FoundKey, readable};
use super::world::{Applied, World};
use crate::acl::selectors;
use crate::document::Class;
use crate::model::{
    Acl, AclEntry, AclKind, AclLine, AclRule, CryptoMap, EntryTerms, Group, IdentityMatch, KeyPeer, Keyring,
    MapEntry, Profile, TransformSet,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub(super) fn verdicts(world: &World<'_>) -> Vec<Verdict> {
    let config = world.config;
    let mut out = Vec::new();
    let defined: BTreeSet<&str> = config.dynamic_maps.iter().map(|map| map.name.as_str()).collect();
    // the maps that name a dynamic one, each with its entries that do
    let mut naming: BTreeMap<&str, Vec<(&CryptoMap, Vec<&MapEntry>)>> = BTreeMap::new();
    for map in &config.maps {
        for entry in &map.entries {
            let Some(dynamic) = entry.dynamic.as_deref() else { continue };
            let maps = naming.entry(dynamic).or_default();
            match maps.last_mut() {
                Some((known, entries)) if known.name == map.name => entries.push(entry),
                _ => maps.push((map, vec![entry])),
            }
        }
    }
    for map in &config.maps {
        for entry in &map.entries {
            let name = format!("{}/{}", map.name, entry.sequence);
            match &entry.dynamic {
                Some(dynamic) if entry.has_own_terms() => {
                    out.push(beside_dynamic(world, map, &name, entry, dynamic));
                }
                None => out.push(fixed(world, map, &name, entry)),
                Some(dynamic) if !defined.contains(dynamic.as_str()) => {
                    let text =
                        format!("dynamic map {dynamic} is not defined; it serves nobody on a router either");
                    let mut found = Found::new(world, &name, entry.line);
                    found.unknown = found.undefined(DYNAMIC_MAP, dynamic, text);
                    out.push(found.verdict());
                }
                Some(_) => {}
            }
        }
    }
    for map in &config.dynamic_maps {
        let maps = naming.get(map.name.as_str()).map_or(&[][..], Vec::as_slice);
        for entry in &map.entries {
            let name = format!("{}/{}", map.name, entry.sequence);
            let head = format!("crypto dynamic-map {} {}", map.name, entry.sequence);
            let mut found = Found::new(world, &name, entry.line);
            found.lines(world.called(&head));
            found.applied(maps.iter().map(|(map, _)| map.name.as_str()), || {
                format!("no crypto map names the dynamic map {}", map.name)
            });
            // what the map says of its entry with this dynamic map
            for (of, entries) in maps {
                for entry in entries {
                    found.lines(world.called(&format!("crypto map {} {}", of.name, entry.sequence)));
                }
                found.whole_map(of);
                found.differs.extend(barren::led_past(world, &of.name, &entry.terms));
                found.differs.extend(barren::xauth(world, of, None, &entry.terms));
            }
            found.terms(&entry.terms);
            let names_list = |line: &&Spelled<'_>| {
                line.text
                    .split_whitespace()
                    .any(|word| word == "address" || world.config.acls.iter().any(|acl| acl.name == word))
            };
            let unread = world.called(&head).filter_map(Block::unread).find(|line| {
                entry.terms.transform_sets.is_empty() || entry.terms.acl.is_none() && names_list(line)
            });
            found.unread(unread);
            found.vrfs(None, &entry.terms);
            let by_map = maps.iter().any(|(map, _)| map.authorization_list.is_some());
            found.keys(None, &entry.terms, by_map);
            found.unknown |= entry.terms.acl.is_none();
            out.push(found.verdict());
        }
    }
    out.extend(of_ipv6(world));
    out
}

fn fixed(world: &World<'_>, map: &CryptoMap, name: &str, entry: &MapEntry) -> Verdict {
    let mut found = Found::new(world, name, entry.line);
    found.lines(world.called(&format!("crypto map {} {}", map.name, entry.sequence)));
    found.applied(std::iter::once(map.name.as_str()), || {
        format!("crypto map {} is on no interface", map.name)
    });
    found.whole_map(map);
    if entry.peers.is_empty() {
        let blocks = world.called(&format!("crypto map {} {}", map.name, entry.sequence));
        match blocks.flat_map(|block| &block.below).find(|line| line.begins("set peer")) {
            Some(line) => found.lacks(line.line, "a peer must be an address here; names are not resolved"),
            None => found.fault("no peer is set; the entry is disabled on a router too"),
        }
    }
    if entry.terms.acl.is_none() {
        found.fault("there is no `match address`; the entry is disabled on a router too");
    }
    found.terms(&entry.terms);
    let lacks_some =
        entry.peers.is_empty() || entry.terms.acl.is_none() || entry.terms.transform_sets.is_empty();
    let mut blocks = world.called(&format!("crypto map {} {}", map.name, entry.sequence));
    found.unread(blocks.find_map(Block::unread).filter(|_| lacks_some));
    found.unknown |= entry.terms.acl.is_none() && !found.missing.is_empty();
    found.vrfs(Some(&entry.peers), &entry.terms);
    if matches!(world.applied(&map.name), Applied::Yes) {
        found.differs.extend(barren::led_past(world, &map.name, &entry.terms));
    }
    found.differs.extend(barren::xauth(world, map, Some(&entry.peers), &entry.terms));
    found.differs.extend(barren::captured(world.first_dynamic(&map.name), entry));
    found.differs.extend(barren::hidden_key(world, &entry.peers, &entry.terms));
    if !entry.peers.is_empty() {
        found.keys(Some(&entry.peers), &entry.terms, false);
    }
    found.verdict()
}

/// An entry that points to a dynamic map and has lines of its own: a number that is given twice, or
/// the lines of another entry whose first line is lost. Only the dynamic map is served.
fn beside_dynamic(
    world: &World<'_>,
    map: &CryptoMap,
    name: &str,
    entry: &MapEntry,
    dynamic: &str,
) -> Verdict {
    let mut found = Found::new(world, name, entry.line);
    let text = format!(
        "this entry refers to the dynamic map {dynamic} and also has a peer, a list or a transform set of its own, which are not used: its sequence number occurs twice, or the line that opens another entry is missing"
    );
    found.lacks(entry.line, text);
    found.lines(world.called(&format!("crypto map {} {}", map.name, entry.sequence)));
    match &entry.terms.acl {
        Some(list) => found.access_list(list),
        None => found.unknown = true,
    }
    found.unknown |= found.flows.is_empty();
    found.applied(std::iter::once(map.name.as_str()), || {
        format!("crypto map {} is on no interface", map.name)
    });
    found.verdict()
}

/// Entries for IPv6 peers, which the model does not have.
fn of_ipv6(world: &World<'_>) -> Vec<Verdict> {
    let mut out = Vec::new();
    for block in world.having("crypto map ipv6") {
        let head = &block.head;
        let (Some(map), Some(sequence)) = (head.word(3), head.word(4)) else { continue };
        if sequence.parse::<u16>().is_err() {
            continue;
        }
        out.push(Verdict {
            name: format!("ipv6 {map}/{sequence}"),
            line: head.line,
            outcome: Outcome::Missing(vec![Reason::new(
                head.line,
                "crypto maps for IPv6 are not implemented",
            )]),
            // IPv6 packets are forwarded nowhere
            flows: Vec::new(),
            unknown: false,
            idle: false,
        });
    }
    out
}

/// What was found of an entry.
struct Found<'w, 'p> {
    world: &'w World<'p>,
    name: String,
    line: u32,
    missing: Vec<Reason>,
    differs: Vec<Reason>,
    flows: Vec<Flow>,
    unknown: bool,
    idle: bool,
    /// It is on no interface, up or shut.
    unused: bool,
}

impl<'w, 'p> Found<'w, 'p> {
    fn new(world: &'w World<'p>, name: &str, line: u32) -> Self {
        Self {
            world,
            name: name.to_string(),
            line,
            missing: Vec::new(),
            differs: Vec::new(),
            flows: Vec::new(),
            unknown: false,
            idle: false,
            unused: false,
        }
    }

    fn verdict(self) -> Verdict {
        Verdict {
            name: self.name,
            line: self.line,
            outcome: Outcome::of(self.missing, self.differs),
            flows: self.flows,
            // of what is on no interface nothing is meant to be carried: it closes no more than the
            // networks it names
            unknown: self.unknown && !self.unused,
            idle: self.idle,
        }
    }

    /// What does not work on a router either.
    fn fault(&mut self, text: impl Into<String>) {
        let reason = Reason::new(self.line, text);
        self.differs.push(reason);
    }

    /// What nothing defines: no router has it either, unless the line that was to define it is not
    /// understood here. Tells whether that is so.
    fn undefined(&mut self, what: &'static str, name: &str, text: String) -> bool {
        let Some(line) = self.world.unread(name) else {
            self.fault(text + &self.world.question(what, name));
            return false;
        };
        self.lacks(line, format!("this line is not understood, and names {name}, which is not defined"));
        true
    }

    /// A line of an entry that lacks a part, and may have been that part.
    fn unread(&mut self, line: Option<&Spelled<'_>>) {
        if let Some(line) = line {
            let text = format!(
                "`{}` is not understood, and the entry lacks a part that it may have set",
                line.front()
            );
            self.lacks(line.line, text);
        }
    }

    /// Profiles and keyrings of VRFs that the entry's peers may use.
    fn vrfs(&mut self, peers: Option<&[IpAddr]>, terms: &EntryTerms) {
        let world = self.world;
        let is_peer =
            |net: &ipnet::IpNet| peers.is_none_or(|peers| peers.iter().any(|peer| net.contains(peer)));
        // a profile that the entry names is reported with it
        let others = world.of_vrfs.profiles.iter().filter(|_| terms.profile.is_none());
        for (profile, lines) in others {
            let comes = profile.matches.iter().any(|matched| match matched {
                IdentityMatch::Address(net) => is_peer(net),
                IdentityMatch::Group(_) => peers.is_none(),
                _ => true,
            });
            for line in lines.iter().copied().filter(|_| comes) {
                let text = format!(
                    "profile {} puts peers that may use this entry into a VRF; VRFs are not implemented",
                    profile.name
                );
                self.lacks(line, text);
            }
        }
        let profile = terms.profile.as_ref().and_then(|name| world.profile(name));
        let only: &[String] = profile.map_or(&[], |profile| &profile.keyrings);
        let searched = |ring: &Keyring| only.is_empty() || only.contains(&ring.name);
        for (ring, lines) in world.of_vrfs.keyrings.iter().filter(|(ring, _)| searched(ring)) {
            let serves = ring.keys.iter().any(|key| match &key.peer {
                KeyPeer::Address(net) => is_peer(net),
                KeyPeer::Hostname(_) => peers.is_none(),
            });
            for line in lines.iter().copied().filter(|_| serves) {
                let text = format!(
                    "keyring {} has keys for peers of a VRF, which peers of this entry must not use; VRFs are not implemented",
                    ring.name
                );
                self.lacks(line, text);
            }
        }
    }

    /// An entry into which the lines of the next one have fallen, whose own first line is lost.
    fn fallen(&mut self, block: &Block<'_>) {
        let replaced = ["match address", "set transform-set", "set isakmp-profile"];
        for line in replaced.iter().filter_map(|words| block.twice(words)) {
            let text = format!(
                "`{}` occurs twice: the line that opens another entry seems to be missing",
                line.front()
            );
            self.lacks(line.line, text);
        }
        if block.twice("match address").is_none() {
            return;
        }
        for line in block.having("match address") {
            let list = self.world.config.acls.iter().find(|acl| Some(acl.name.as_str()) == line.word(2));
            match list {
                Some(list) => self.flows.extend(permitted(self.world.config, list)),
                None => self.unknown = true,
            }
        }
    }

    fn lacks(&mut self, line: u32, text: impl Into<String>) {
        self.missing.push(Reason::new(line, text));
    }

    /// What the entry's own lines say that is not implemented.
    fn lines<'b>(&mut self, blocks: impl Iterator<Item = &'b Block<'p>>)
    where
        'p: 'b,
    {
        for block in blocks {
            let head = block.head;
            match (head.word(4), head.word(5)) {
                (Some("ipsec-manual"), _) => self.lacks(head.line, "manual keys are not implemented"),
                (Some("gdoi"), _) => {
                    self.unknown = true;
                    self.fail_close(head.word(2).unwrap_or_default());
                    self.lacks(head.line, "GET VPN is not implemented");
                }
                (Some("ipsec-isakmp"), Some("profile")) => {
                    self.unknown = true;
                    self.lacks(head.line, "IPsec profiles in crypto maps are not implemented");
                }
                (Some("ipsec-isakmp"), Some("dynamic")) if head.text.ends_with(" discover") => {
                    self.differs.push(Reason::new(head.line, "peers are not discovered (`discover`)"));
                }
                _ => {}
            }
            self.fallen(block);
            for line in &block.below {
                let text = if line.begins("set ikev2-profile") {
                    "IKEv2 is not implemented"
                } else if line.begins("set session-key") {
                    "manual keys are not implemented"
                } else if line.begins("set group") {
                    self.unknown = true;
                    "GET VPN is not implemented"
                } else if line.begins("set pfs group24") {
                    "group 24 is not implemented"
                } else {
                    if matches!(line.class, Class::Unsupported | Class::Unknown) {
                        self.differs.extend(self.world.told(line.line));
                    }
                    continue;
                };
                self.lacks(line.line, text);
            }
        }
    }

    /// `crypto map NAME gdoi fail-close`: while there are no keys, the router sends unencrypted
    /// only what a list denies.
    fn fail_close(&mut self, map: &str) {
        let blocks = &self.world.blocks;
        let opens = |block: &Block<'_>| {
            block.head.begins(&format!("crypto map {map} gdoi")) && block.head.has("fail-close")
        };
        for place in blocks.iter().enumerate().filter(|(_, block)| opens(block)).map(|(place, _)| place) {
            // it opens no mode here, so its lines follow it
            let behind = blocks.iter().skip(place + 1).map(|block| &block.head);
            let own = behind.take_while(|line| line.begins("match address") || line.begins("activate"));
            let (lists, activates): (Vec<_>, Vec<_>) = own.partition(|line| line.begins("match"));
            let Some(activates) = activates.first() else { continue };
            let list = |line: &&Spelled<'_>| {
                self.world.config.acls.iter().find(|acl| Some(acl.name.as_str()) == line.word(2))
            };
            let denied = lists.first().and_then(list).map(|acl| acl.entries.clone());
            let mut entries = denied.unwrap_or_default();
            let line = activates.line;
            let what = AclLine::Rule(Box::new(AclRule::of_all(true)));
            entries.push(AclEntry { sequence: None, what, line });
            let kind = AclKind::Extended;
            let acl = Acl { name: map.to_string(), kind, entries, line };
            self.flows.extend(permitted(self.world.config, &acl));
        }
    }

    /// Where the maps of the entry are.
    fn applied<'m>(&mut self, maps: impl Iterator<Item = &'m str>, nowhere: impl Fn() -> String) {
        let (mut missing, mut shut, mut is_used) = (Vec::new(), Vec::new(), false);
        for map in maps {
            match self.world.applied(map) {
                Applied::Yes => {
                    self.differs.extend_from_slice(self.world.doubts(map));
                    return;
                }
                Applied::NotHere(reasons) => missing.extend(reasons),
                Applied::Nowhere(Some(reason)) => {
                    is_used = true;
                    shut.push(reason);
                }
                Applied::Nowhere(None) => {
                    shut.push(Reason::new(self.line, format!("crypto map {map} is on no interface")));
                }
            }
        }
        if missing.is_empty() {
            self.idle = true;
            self.unused = !is_used;
            if shut.is_empty() {
                shut.push(Reason::new(self.line, nowhere()));
            }
            self.differs.extend(shut);
        } else {
            self.missing.extend(missing);
        }
    }

    /// Settings for all entries of a map that are not implemented.
    fn whole_map(&mut self, map: &CryptoMap) {
        let login = map.xauth_list.as_ref().map(|(list, _)| list);
        for (what, name) in [(NETWORK_LIST, map.authorization_list.as_ref()), (LOGIN_LIST, login)] {
            self.differs.extend(undefined(self.world, what, name, self.line));
        }
        for word in ["isakmp-profile", "redundancy", "gdoi"] {
            for block in self.world.called(&format!("crypto map {} {word}", map.name)) {
                self.differs.extend(self.world.told(block.head.line));
            }
        }
    }

    /// Transform sets, access list and profile.
    fn terms(&mut self, terms: &EntryTerms) {
        self.transform_sets(terms);
        for (line, destination) in nulls(self.world, terms) {
            let text = format!("packets to {destination} are dropped by this route, as on a router");
            self.differs.push(Reason::new(line, text));
        }
        if let Some(name) = &terms.acl {
            self.access_list(name);
        }
        if let Some(name) = &terms.profile {
            match self.world.profile(name) {
                None => {
                    let text =
                        format!("ISAKMP profile {name} is not defined; it serves nobody on a router either");
                    self.undefined(PROFILE, name, text);
                }
                Some(profile) => self.profile(profile),
            }
        }
    }

    fn transform_sets(&mut self, terms: &EntryTerms) {
        if terms.transform_sets.is_empty() {
            self.fault("no transform set is set; the entry is disabled on a router too");
            return;
        }
        let known = |name: &&String| self.world.config.transform_sets.iter().find(|set| set.name == **name);
        let sets: Vec<_> = terms.transform_sets.iter().filter_map(|name| known(&name)).collect();
        let unusable = |set: &&&TransformSet| !set.is_usable();
        let reasons: Vec<_> = sets
            .iter()
            .filter(unusable)
            .map(|set| {
                Reason::new(
                    set.line,
                    format!("transform set {} has a transform that is not implemented", set.name),
                )
            })
            .collect();
        let undefined: Vec<_> =
            terms.transform_sets.iter().filter(|name| known(name).is_none()).cloned().collect();
        let only =
            if sets.is_empty() { ", and there is no other: no tunnel comes up, as on a router" } else { "" };
        for name in undefined {
            let text = format!("transform set {name} is not defined{only}");
            self.undefined(TRANSFORM_SET, &name, text);
        }
        match reasons.len() {
            0 => {}
            all if all == sets.len() => self.missing.extend(reasons),
            _ => self.differs.extend(reasons),
        }
    }

    fn access_list(&mut self, name: &str) {
        let Some(acl) = self.world.acl(name) else {
            let text = format!("access list {name} is not defined; nothing is protected on a router either");
            self.unknown |= self.undefined(ACCESS_LIST, name, text);
            return;
        };
        // a line that was read as part of the list is reported below
        let own: BTreeSet<u32> = acl.entries.iter().map(|entry| entry.line).collect();
        for line in self.world.unread_of_list(name).filter(|line| !own.contains(&line.line)) {
            let text =
                format!("`{}` is not understood, and seems to be a part of access list {name}", line.front());
            self.missing.push(Reason::new(line.line, text));
            self.unknown = true;
        }
        for entry in &acl.entries {
            if let Err(why) = selectors(self.world.config, entry) {
                let text = format!(
                    "this line of access list {name} cannot be expressed as a proxy identity here: {why}"
                );
                self.missing.push(Reason::new(entry.line, text));
            }
        }
        self.unknown |= acl.may_permit_unknown(self.world.config);
        self.flows.extend(permitted(self.world.config, acl));
        if acl.entries.is_empty() {
            self.fault(format!("access list {name} is empty"));
        } else if barren::selects_nothing(self.world.config, acl) {
            self.fault(format!("access list {name} permits nothing, so it selects nothing, as on a router"));
        }
    }

    fn profile(&mut self, profile: &Profile) {
        for line in self.world.vrfs_of(profile) {
            self.lacks(line, "VRFs are not implemented");
        }
        for block in self.world.called(&format!("crypto isakmp profile {}", profile.name)) {
            let replaced = ["keyring", "client authentication list", "isakmp authorization list"];
            for line in replaced.iter().filter_map(|words| block.twice(words)) {
                let text = format!(
                    "`{}` occurs twice: the line that opens another profile seems to be missing",
                    line.front()
                );
                self.lacks(line.line, text);
            }
            if profile.matches.is_empty() {
                for line in block.having("match certificate") {
                    self.lacks(line.line, "certificates are not implemented");
                }
            }
            let differs = |line: &&Spelled<'_>| matches!(line.class, Class::Unsupported | Class::Unknown);
            for line in block.below.iter().filter(differs) {
                self.differs.extend(self.world.told(line.line));
            }
        }
        if profile.matches.is_empty() && self.missing.is_empty() {
            self.fault(format!("ISAKMP profile {} matches no peer", profile.name));
        }
        self.differs.extend(barren::hidden_profile(self.world.config, profile));
        let lists = [(NETWORK_LIST, &profile.authorization_list), (LOGIN_LIST, &profile.xauth_list)];
        for (what, name) in lists {
            self.differs.extend(undefined(self.world, what, name.as_ref(), profile.line));
        }
        for name in &profile.keyrings {
            if name != "default" && self.world.config.keyrings.iter().all(|ring| ring.name != *name) {
                self.undefined(KEYRING, name, format!("keyring {name} is not defined"));
            }
        }
    }

    /// What phase 1 needs: a policy, and a key for one of the peers or of one of the groups.
    fn keys(&mut self, peers: Option<&[IpAddr]>, terms: &EntryTerms, by_map: bool) {
        let world = self.world;
        if !world.has_policy() {
            self.missing.extend(world.no_policy(self.line));
            return;
        }
        let profile = terms.profile.as_ref().and_then(|name| world.profile(name));
        let mut found = FoundKey::None;
        let own: Vec<_> = match peers {
            Some(peers) => peers.iter().map(|peer| world.key(Some(*peer), profile)).collect(),
            None => vec![world.key(None, profile), group_key(world, profile, by_map)],
        };
        for key in own {
            match key {
                FoundKey::Readable => return,
                FoundKey::Unreadable(line) => found = FoundKey::Unreadable(line),
                FoundKey::None => {}
            }
        }
        match found {
            FoundKey::Readable => {}
            FoundKey::Unreadable(line) => {
                self.lacks(line, "this key cannot be read without the master key of its router");
            }
            FoundKey::None => {
                let aggressive = world.aggressive(peers.unwrap_or_default());
                if !aggressive.is_empty() {
                    self.missing.extend(aggressive);
                } else if let Some(reason) = world.by_certificate() {
                    self.missing.push(reason);
                } else {
                    self.fault("there is no key for its peer; it does not come up on a router either");
                }
            }
        }
    }
}

/// The key of one of the groups whose clients may come by a dynamic entry.
fn group_key(world: &World<'_>, profile: Option<&Profile>, by_map: bool) -> FoundKey {
    let mut found = FoundKey::None;
    let mut look = |group: &Group| match &group.key {
        Some(key) if readable(key) => found = FoundKey::Readable,
        Some(_) if found != FoundKey::Readable => found = FoundKey::Unreadable(group.line),
        _ => {}
    };
    match profile {
        Some(profile) => {
            let named = profile.matches.iter().filter_map(|matched| match matched {
                IdentityMatch::Group(name) => world.group_for(name),
                _ => None,
            });
            named.for_each(look);
        }
        None => world.config.groups.iter().filter(|_| by_map).for_each(&mut look),
    }
    found
}
