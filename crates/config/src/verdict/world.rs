//! What verdicts look at: the configuration, its lines, and which networks are reached otherwise.

use super::defined::Defined;
use super::kinds::{is_template, is_tunnel, takes_card};
use super::lines::{Block, Spelled};
use super::networks::Flow;
use super::outcome::Reason;
use super::peer_keys::{FoundKey, PeerKeys};
use super::ways::{Ways, nets};
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Class;
use crate::interface_name::long_name;
use crate::model::{
    Acl, Config, CryptoMap, Group, Interface, InterfaceKind, IsakmpPolicy, Keyring, PeerAuthentication,
    Profile,
};
use crate::nets::Nets;
use crate::parsed::Parsed;
use crate::slip::near;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// A configuration as verdicts look at it.
pub(super) struct World<'p> {
    pub(super) parsed: &'p Parsed,
    pub(super) config: &'p Config,
    pub(super) blocks: Vec<Block<'p>>,
    /// A routing protocol runs, over whichever interface.
    pub(super) routing: bool,
    /// Lines that are not understood and may be of access lists.
    like_lists: Vec<Spelled<'p>>,
    /// The words of lines that are not understood, each with the first of its lines.
    unread: BTreeMap<&'p str, u32>,
    /// What is said of each line.
    told: BTreeMap<u32, Vec<&'p Diagnostic>>,
    /// The places of blocks by the first four words of their heads, in small letters: what names an
    /// entry of a crypto map.
    places: BTreeMap<String, Vec<usize>>,
    defined: Defined<'p>,
    /// Names that were asked after.
    asked: Cell<usize>,
    pub(super) ways: Ways<'p>,
    /// The networks of interfaces that are not shut, of whatever table.
    pub(super) attached: Nets<()>,
    pub(super) keys: PeerKeys<'p>,
    pub(super) of_vrfs: OfVrfs<'p>,
    named: Named<'p>,
    index: Index<'p>,
    /// Where each crypto map is applied.
    applied: BTreeMap<String, Applied>,
    /// Why the tunnels of a crypto map do not come up without more than the configuration, by the
    /// map.
    doubts: BTreeMap<String, Vec<Reason>>,
}

/// The profiles and keyrings that keep their peers out of the global table, with the lines that do.
#[derive(Default)]
pub(super) struct OfVrfs<'p> {
    pub(super) profiles: Vec<(&'p Profile, Vec<u32>)>,
    pub(super) keyrings: Vec<(&'p Keyring, Vec<u32>)>,
}

/// Where a crypto map is applied.
#[derive(Clone)]
pub(super) enum Applied {
    /// On an interface that is up.
    Yes,
    /// Only where it cannot be here.
    NotHere(Vec<Reason>),
    /// On none that is up.
    Nowhere(Option<Reason>),
}

impl<'p> World<'p> {
    pub(super) fn new(parsed: &'p Parsed, blocks: Vec<Block<'p>>) -> Self {
        let routing = blocks.iter().any(|block| block.head.begins("router"));
        let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, block) in blocks.iter().enumerate() {
            places.entry(key(block.head.text)).or_default().push(place);
        }
        let config = &parsed.config;
        let (applied, doubts) = Default::default();
        let strange = blocks.iter().flat_map(Block::lines).filter(|line| line.class == Class::Unknown);
        let like_lists = strange.filter(|line| is_like_list(line)).copied().collect();
        let mut unread = BTreeMap::new();
        for line in blocks.iter().flat_map(Block::lines).filter(|line| line.class == Class::Unknown) {
            for word in line.text.split_whitespace() {
                unread.entry(word).or_insert(line.line);
            }
        }
        let mut told: BTreeMap<u32, Vec<_>> = BTreeMap::new();
        for one in &parsed.diagnostics {
            told.entry(one.line).or_default().push(one);
        }
        let (ways, named) = (Ways::new(config), Named::new(config, &blocks));
        let index = Index::new(config, &blocks);
        let mut world = Self {
            parsed,
            config,
            blocks,
            routing,
            like_lists,
            unread,
            told,
            places,
            defined: Defined::of(config),
            asked: Cell::new(0),
            ways,
            attached: attached(config),
            keys: PeerKeys::new(config),
            of_vrfs: OfVrfs::default(),
            named,
            index,
            applied,
            doubts,
        };
        let applied = config.maps.iter().map(|map| (map.name.clone(), world.where_applied(&map.name)));
        world.applied = applied.collect();
        let doubts = config.maps.iter().map(|map| (map.name.clone(), world.doubts_of(&map.name)));
        world.doubts = doubts.collect();
        let profiles = config.profiles.iter().map(|profile| (profile, world.vrfs_of(profile)));
        let profiles = profiles.filter(|(_, lines)| !lines.is_empty()).collect();
        let of_ring = |ring: &Keyring| {
            let blocks = world.called(&format!("crypto keyring {} vrf", ring.name));
            blocks.map(|block| block.head.line).collect::<Vec<u32>>()
        };
        let keyrings = config.keyrings.iter().map(|ring| (ring, of_ring(ring)));
        let keyrings = keyrings.filter(|(_, lines)| !lines.is_empty()).collect();
        world.of_vrfs = OfVrfs { profiles, keyrings };
        world
    }

    /// The commands that begin with these words, each with what is below it.
    pub(super) fn having(&self, words: &str) -> impl Iterator<Item = &Block<'p>> {
        self.blocks.iter().filter(move |block| block.head.begins(words))
    }

    /// The commands whose first four words are these.
    pub(super) fn called(&self, words: &str) -> impl Iterator<Item = &Block<'p>> + use<'_, 'p> {
        let places = self.places.get(&key(words)).into_iter().flatten();
        places.filter_map(|place| self.blocks.get(*place))
    }

    /// Where a crypto map is applied.
    pub(super) fn applied(&self, map: &str) -> Applied {
        self.applied.get(map).cloned().unwrap_or(Applied::Nowhere(None))
    }

    /// Why the tunnels of a crypto map that is applied do not come up without more than the
    /// configuration.
    pub(super) fn doubts(&self, map: &str) -> &[Reason] {
        self.doubts.get(map).map(Vec::as_slice).unwrap_or_default()
    }

    fn doubts_of(&self, map: &str) -> Vec<Reason> {
        let bears = |interface: &&Interface| !interface.shutdown && interface.vrf.is_none();
        let bearers = self.named.bearers.get(map).into_iter().flatten().copied().filter(bears);
        let here = bearers.filter(|interface| !is_tunnel(&interface.name) && !is_template(&interface.name));
        let doubt = |interface: &Interface| {
            let name = &interface.name;
            let negotiated = self.named.negotiated.contains(name);
            let given = self.config.chosen.mapped.iter().any(|mapped| mapped == name);
            let text = match (self.config.has_link(name), interface.address.is_none()) {
                _ if interface.kind == InterfaceKind::Loopback && !given => {
                    format!("{name} has the crypto map, but no packet leaves by a loopback")
                }
                // what has no address in the configuration uses that of its link
                (true, true) if given && (negotiated || !takes_card(name)) => return None,
                (false, _) if takes_card(name) => {
                    format!("{name} has no link here, because --map names others: it needs --map {name}=NAME")
                }
                (_, true) if negotiated => format!(
                    "{name} gets its address by PPP, which does not exist here: it needs --map {name}=NAME with a link that has the address"
                ),
                (false, true) => {
                    format!("{name} has no address and is not a network card: it needs --map {name}=NAME")
                }
                (false, false) => format!("{name} is not a network card and needs --map {name}=NAME"),
                (true, true) => format!("{name} has the crypto map but no address"),
                (true, false) => return None,
            };
            Some(Reason::new(interface.line, text))
        };
        here.filter_map(doubt).collect()
    }

    /// A line that is not understood and has a word: what nothing defines may have been meant by
    /// it.
    pub(super) fn unread(&self, word: &str) -> Option<u32> {
        self.unread.get(word).copied()
    }

    /// Lines that are not understood and seem to be meant as a part of an access list.
    pub(super) fn unread_of_list(&self, name: &str) -> impl Iterator<Item = &Spelled<'p>> {
        self.like_lists.iter().filter(move |line| says_list(line, name))
    }

    /// The lines of a profile that keep its peers out of the global table: `vrf X`, and the VRF of
    /// `match identity address`.
    pub(super) fn vrfs_of(&self, profile: &Profile) -> Vec<u32> {
        let is_address = |word: &str| word.parse::<Ipv4Addr>().is_ok();
        let names_vrf = |line: &&Spelled<'_>| {
            let behind = line.text.split_whitespace().skip(4).take_while(|word| !word.starts_with('!'));
            line.begins("vrf")
                || line.begins("match identity address") && behind.into_iter().any(|word| !is_address(word))
        };
        let blocks = self.called(&format!("crypto isakmp profile {}", profile.name));
        let lines = blocks.flat_map(|block| &block.below);
        lines.filter(|line| line.class != Class::Unknown).filter(names_vrf).map(|line| line.line).collect()
    }

    /// An access list.
    pub(super) fn acl(&self, name: &str) -> Option<&'p Acl> {
        self.index.acls.get(name).copied()
    }

    /// An ISAKMP profile.
    pub(super) fn profile(&self, name: &str) -> Option<&'p Profile> {
        self.index.profiles.get(name).copied()
    }

    /// The group of clients that call themselves so, as `Config::group_for`.
    pub(super) fn group_for(&self, name: &str) -> Option<&'p Group> {
        self.index.groups.get(name).or(self.index.groups.get("default")).copied()
    }

    /// The sequence number of the first entry of a crypto map that names a dynamic one.
    pub(super) fn first_dynamic(&self, map: &str) -> Option<u16> {
        self.index.first_dynamic.get(map).copied()
    }

    /// The lines that assign keys of aggressive mode to peers: `crypto isakmp peer`.
    pub(super) fn aggressive(&self, peers: &[IpAddr]) -> Vec<Reason> {
        let lines = peers.iter().filter_map(|peer| self.index.aggressive.get(peer)).flatten();
        let text = "aggressive mode with per-peer attributes is not implemented";
        lines.map(|line| Reason::new(*line, text)).collect()
    }

    /// The message for a line that does not have its effect.
    pub(super) fn told(&self, line: u32) -> Option<Reason> {
        let differs = |code: Code| {
            matches!(
                code,
                Code::Unsupported | Code::Unenforced | Code::Forwarding | Code::Unknown | Code::Invalid
            )
        };
        let known = self.told.get(&line).into_iter().flatten();
        let told = known.copied().find(|told| differs(told.code))?;
        Some(Reason::new(line, told.message.clone()))
    }

    /// ` (did you mean NAME?)` of a name that nothing has, if it is nearly that of something. Of
    /// thousands, nobody reads the answers.
    pub(super) fn question(&self, what: &str, name: &str) -> String {
        const ASKED: usize = 200;
        self.asked.set(self.asked.get() + 1);
        if self.asked.get() <= ASKED { self.defined.question(what, name) } else { String::new() }
    }

    /// What static routes send through an interface, and its own networks, from wherever.
    pub(super) fn routed(&self, name: &str) -> Vec<Flow> {
        self.ways.through(name)
    }

    fn where_applied(&self, map: &str) -> Applied {
        let Some(bearers) = self.named.bearers.get(map) else { return Applied::Nowhere(None) };
        let up: Vec<_> = bearers.iter().filter(|interface| !interface.shutdown).collect();
        if up.is_empty() {
            let shut = bearers.first().map(|bearer| {
                Reason::new(bearer.line, format!("{} has the crypto map and is shut down", bearer.name))
            });
            return Applied::Nowhere(shut);
        }
        let not_here = |interface: &Interface| {
            let line = interface.line;
            if let Some(vrf) = &interface.vrf {
                let text = format!("{} is in VRF {vrf}; there is only the global table here", interface.name);
                return Some(Reason::new(line, text));
            }
            (is_tunnel(&interface.name) || is_template(&interface.name)).then(|| {
                Reason::new(line, format!("{} has the crypto map and does not exist here", interface.name))
            })
        };
        let mut missing: Vec<_> = up.iter().filter_map(|interface| not_here(interface)).collect();
        if missing.len() < up.len() {
            missing.clear();
            missing.extend(self.elsewhere(map, &up));
        }
        if missing.is_empty() { Applied::Yes } else { Applied::NotHere(missing) }
    }

    /// Why the peers of a whole map initiate to an address that is not the one of the map's
    /// interface.
    fn elsewhere(&self, map: &str, bearers: &[&&Interface]) -> Vec<Reason> {
        let mut out = Vec::new();
        for (line, name) in self.named.local_addresses.get(map).into_iter().flatten() {
            if bearers.iter().any(|bearer| bearer.name != *name) && !self.config.has_address(name) {
                let text = format!("the peers initiate to the address of {name}, which has none here");
                out.push(Reason::new(*line, text));
            }
        }
        for line in self.named.shared.get(map).into_iter().flatten() {
            let text = "the peers initiate to an address that this router shares with another, which is not implemented";
            out.push(Reason::new(*line, text));
        }
        out
    }

    /// The ISAKMP policies that work here, with a pre-shared key.
    pub(super) fn has_policy(&self) -> bool {
        self.config
            .policies
            .iter()
            .any(|policy| policy.authentication == PeerAuthentication::PreShare && is_known(policy))
    }

    /// Why no phase 1 can be agreed on.
    pub(super) fn no_policy(&self, line: u32) -> Vec<Reason> {
        let why = |policy: &IsakmpPolicy| {
            let text = if policy.authentication != PeerAuthentication::PreShare {
                format!(
                    "ISAKMP policy {} authenticates by {}, but certificates are not implemented",
                    policy.priority, policy.authentication
                )
            } else {
                format!("ISAKMP policy {} has an algorithm that is not implemented", policy.priority)
            };
            Reason::new(policy.line, text)
        };
        if self.config.policies.is_empty() {
            let text =
                "there is no `crypto isakmp policy`, and the default policies of IOS are not implemented";
            return vec![Reason::new(line, text)];
        }
        self.config.policies.iter().map(why).collect()
    }

    /// Whether some ISAKMP policy asks for certificates.
    pub(super) fn by_certificate(&self) -> Option<Reason> {
        let policy = self
            .config
            .policies
            .iter()
            .find(|policy| policy.authentication != PeerAuthentication::PreShare)?;
        let text = format!(
            "without a key the peer is authenticated by {} (ISAKMP policy {}), but certificates are not implemented",
            policy.authentication, policy.priority
        );
        Some(Reason::new(policy.line, text))
    }

    /// A key for a peer, or for anybody, in a profile's keyrings or in all.
    pub(super) fn key(&self, peer: Option<IpAddr>, profile: Option<&Profile>) -> FoundKey {
        self.keys.found(peer, profile.map_or(&[], |profile| &profile.keyrings))
    }
}

fn attached(config: &Config) -> Nets<()> {
    let up = config.interfaces.iter().filter(|interface| !interface.shutdown);
    Nets::new(up.flat_map(nets).map(|net| (*net, ())))
}

/// What is looked up by its own name, of which the first counts.
struct Index<'p> {
    acls: BTreeMap<&'p str, &'p Acl>,
    profiles: BTreeMap<&'p str, &'p Profile>,
    groups: BTreeMap<&'p str, &'p Group>,
    /// By the crypto map.
    first_dynamic: BTreeMap<&'p str, u16>,
    /// The lines of `crypto isakmp peer` that want aggressive mode, by the peer.
    aggressive: BTreeMap<IpAddr, Vec<u32>>,
}

impl<'p> Index<'p> {
    fn new(config: &'p Config, blocks: &[Block<'p>]) -> Self {
        // the first of a name is put in last
        let acls = config.acls.iter().rev().map(|acl| (acl.name.as_str(), acl)).collect();
        let profiles = config.profiles.iter().rev().map(|own| (own.name.as_str(), own)).collect();
        let groups = config.groups.iter().rev().map(|group| (group.name.as_str(), group)).collect();
        let dynamic = |map: &'p CryptoMap| {
            let entries = map.entries.iter().filter(|entry| entry.dynamic.is_some());
            Some((map.name.as_str(), entries.map(|entry| entry.sequence).min()?))
        };
        let mut aggressive: BTreeMap<IpAddr, Vec<u32>> = BTreeMap::new();
        for block in blocks.iter().filter(|block| block.head.begins("crypto isakmp peer")) {
            let peer = block.head.text.split_whitespace().last().and_then(|word| word.parse().ok());
            let Some(peer) = peer else { continue };
            let lines = block.having("set aggressive-mode").map(|line| line.line);
            aggressive.entry(peer).or_default().extend(lines);
        }
        let first_dynamic = config.maps.iter().filter_map(dynamic).collect();
        Self { acls, profiles, groups, first_dynamic, aggressive }
    }
}

/// What is looked up by the name of a crypto map or an interface.
struct Named<'p> {
    /// The interfaces with a crypto map.
    bearers: BTreeMap<&'p str, Vec<&'p Interface>>,
    /// Lines with `local-address` of a crypto map, and the interfaces that they name.
    local_addresses: BTreeMap<&'p str, Vec<(u32, String)>>,
    /// Lines with which a crypto map is shared with another router.
    shared: BTreeMap<&'p str, Vec<u32>>,
    /// The interfaces that get their address by PPP.
    negotiated: BTreeSet<String>,
}

impl<'p> Named<'p> {
    fn new(config: &'p Config, blocks: &[Block<'p>]) -> Self {
        let mut named = Self {
            bearers: BTreeMap::new(),
            local_addresses: BTreeMap::new(),
            shared: BTreeMap::new(),
            negotiated: BTreeSet::new(),
        };
        for interface in &config.interfaces {
            if let Some(map) = interface.crypto_map.as_deref() {
                named.bearers.entry(map).or_default().push(interface);
            }
        }
        for block in blocks {
            let head = &block.head;
            if head.begins("crypto map")
                && head.word(3) == Some("local-address")
                && let Some(map) = head.word(2)
            {
                let name = long_name(&head.text.split_whitespace().skip(4).collect::<String>());
                named.local_addresses.entry(map).or_default().push((head.line, name));
            } else if head.begins("interface") {
                let mut said = BTreeSet::new();
                for line in block.having("crypto map").filter(|line| line.word(3) == Some("redundancy")) {
                    // once for each map of an interface
                    if let Some(map) = line.word(2).filter(|map| said.insert(*map)) {
                        named.shared.entry(map).or_default().push(line.line);
                    }
                }
                if block.having("ip address negotiated").next().is_some() {
                    named.negotiated.insert(block.interface());
                }
            }
        }
        named
    }
}

/// The words that may follow the name of an access list, or precede it.
const OF_LISTS: [&str; 4] = ["permit", "deny", "extended", "standard"];

/// Whether a line begins with a word that is meant as `access-list`, or with `ip` and such a word.
fn begins_list(line: &Spelled<'_>) -> bool {
    let is_list = |place: usize| line.word(place).is_some_and(|word| near(word, "access-list", 2));
    is_list(0) || line.begins("ip") && is_list(1)
}

/// Whether a line may be meant as one of an access list. A line within a list begins with no name.
fn is_like_list(line: &Spelled<'_>) -> bool {
    let within = |word: &str| word == "no" || word.parse::<u32>().is_ok() || OF_LISTS.contains(&word);
    !line.word(0).is_some_and(within) && (begins_list(line) || OF_LISTS.iter().any(|word| line.has(word)))
}

/// Whether a line that may be one of an access list is one of the list of this name.
fn says_list(line: &Spelled<'_>, name: &str) -> bool {
    let place = |word: &str| line.text.split_whitespace().position(|own| own == word);
    let Some(named) = place(name) else { return false };
    let beside = |word: &str| match word {
        "permit" | "deny" => place(word).is_some_and(|place| place > named),
        _ => place(word).is_some_and(|place| place + 1 == named),
    };
    begins_list(line) || OF_LISTS.iter().any(|word| beside(word))
}

/// The first four words of a line.
fn key(line: &str) -> String {
    let words: Vec<_> = line.split_whitespace().take(4).map(str::to_ascii_lowercase).collect();
    words.join(" ")
}

fn is_known(policy: &IsakmpPolicy) -> bool {
    matches!(policy.group, 1 | 2 | 5 | 14 | 15 | 16 | 19 | 20 | 21)
}
