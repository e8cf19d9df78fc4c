//! What must not leave unencrypted, as a table of the kernel's packet filter: a function of the
//! configuration, the Linux names of its interfaces and the networks that peers were granted, and
//! of nothing else.
//!
//! The table is one of IPv4, so what a configuration says of IPv6 has no rule here; that it is not
//! guarded is told when the configuration is translated.
//!
//! Crypto ACLs are matched as on IOS: the entries of a map in their order, `permit` protects,
//! `deny` continues with the next entry. A packet that reaches this table was not protected, so
//! what should have been is dropped.

use super::granted::Granted;
use super::ranges::{self, Range};
use crate::base::family::{v4, v4_address};
use crate::machine::view::Names;
use hubward_config::Parsed;
use hubward_config::acl::{MOST_SELECTORS, Pattern, PortRange, Reading};
use hubward_config::model::{
    Acl, Addressing, Config, EntryTerms, Interface, InterfaceKind, KeyPeer, Pool, Wildcard,
};
use hubward_linux::marks::{FWMARK, INTERFACE_PREFIX};
use hubward_linux::nftables::{Chain, Hook, Rule, Set, Table, Test, Verdict};
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// The table of the client's guard.
pub(crate) const CLIENT: &str = "hubward_guard_client";

/// The name of the table.
pub(crate) const TABLE: &str = "hubward_guard";
/// The prefix of the names of sets of granted networks; our side of the tunnel follows.
pub(crate) const GRANTED: &str = "granted_";
/// The chain of what leaves by other links than the TUN.
const WAYS: &str = "ways";
/// Addresses that no grant closes.
const NEVER: &str = "never_granted";
/// Private destinations and the networks of the configuration.
const PRIVATE: &str = "private";
/// RFC 1918 and RFC 6598.
const PRIVATE_USE: [([u8; 4], u8); 4] =
    [([10, 0, 0, 0], 8), ([172, 16, 0, 0], 12), ([192, 168, 0, 0], 16), ([100, 64, 0, 0], 10)];
/// Room for the comment of a rule; the kernel keeps 127 bytes.
const COMMENT: usize = 120;

/// A table and what its counted rules guard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ruleset {
    pub(crate) table: Table,
    /// One for each line of an access list, pool and so on, in the order of the rules.
    pub(crate) guarded: Vec<Guarded>,
}

/// Something that must not leave unencrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guarded {
    pub(crate) kind: Kind,
    /// The configuration's name of the interface by which it must not leave; `None`: by several.
    pub(crate) interface: Option<String>,
    /// Which entry, pool or access list it comes from.
    pub(crate) from: String,
    /// Which packets, in words.
    pub(crate) packets: String,
    /// What its rules are known by in the kernel.
    pub(crate) comment: String,
}

/// Why something is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A crypto access list permits it.
    AccessList,
    /// It is an address of clients.
    Pool,
    /// A peer was granted it as its side of a tunnel.
    Granted,
    /// The tunnel that would carry it is left out.
    LeftOut,
    /// A tunnel whose networks are not known is left out, and it is private.
    Private,
}

/// What the rules depend on besides the configuration.
#[derive(Clone, Copy)]
pub(crate) struct Here<'a> {
    /// The Linux names of the interfaces; of a link that is not there yet too.
    pub(crate) names: &'a Names,
    /// Networks of interfaces that DHCP gave, with the interface's name in the configuration.
    pub(crate) leased: &'a [(String, Ipv4Net)],
    /// Interfaces of the configuration whose links are not there, and may have got another name.
    pub(crate) absent: &'a [String],
}

/// The table of a configuration.
pub(crate) fn rules(parsed: &Parsed, here: Here<'_>, granted: &Granted) -> Ruleset {
    let config = &parsed.config;
    let mut build = Builder::default();
    let mut first = vec![
        // Hubward's own IKE and ESP; what it sends unencrypted has another mark
        Rule::new(vec![Test::Mark(FWMARK)], Verdict::Accept),
        Rule::new(vec![Test::Ipsec], Verdict::Accept),
        Rule::new(vec![Test::LeavesBy("lo".into())], Verdict::Accept),
    ];
    // VLANs and bridges that Hubward made are ways out like any other; its other links are the TUN
    // and loopbacks
    let ways = here.names.values().filter(|link| link.starts_with(INTERFACE_PREFIX));
    first.extend(ways.map(|link| Rule::new(vec![Test::LeavesBy(link.clone())], Verdict::Jump(WAYS.into()))));
    first.push(Rule::new(vec![Test::LeavesByPrefix(INTERFACE_PREFIX.into())], Verdict::Accept));
    first.push(Rule::new(vec![], Verdict::Jump(WAYS.into())));
    let mut guard = vec![
        // crypto maps are for unicast
        Rule::new(vec![Test::destination(net([224, 0, 0, 0], 4))], Verdict::Accept),
        Rule::new(vec![Test::destination(net([255, 255, 255, 255], 32))], Verdict::Accept),
    ];
    build.pools(config);
    build.granted(config, here, granted);
    let bearers = || config.interfaces.iter().filter(|interface| interface.crypto_map.is_some());
    let link = |interface: &Interface| here.names.get(&interface.name);
    for interface in bearers() {
        if let Some(link) = link(interface) {
            let chain = build.map(config, interface);
            guard.push(Rule::new(vec![Test::LeavesBy(link.clone())], Verdict::Jump(chain)));
        }
    }
    let outside = outside(parsed, here);
    // what a line of the configuration leads to by another interface leads to no tunnel as long as
    // it leaves there, whatever a wide line says
    for interface in config.interfaces.iter().filter(|i| i.crypto_map.is_none() && !outside.contains(&i.name))
    {
        let Some(link) = link(interface) else { continue };
        for net in leads_by(config, here, &interface.name) {
            let tests = vec![Test::LeavesBy(link.clone()), Test::destination(net)];
            guard.push(Rule::new(tests, Verdict::Accept));
        }
    }
    for interface in bearers().filter(|interface| !interface.shutdown && link(interface).is_none()) {
        let chain = build.map(config, interface);
        guard.push(Rule::new(vec![], Verdict::Jump(chain)));
    }
    // a missing link may appear under another name: what its interface protects is blocked on all
    // links that belong to no other interface
    for interface in bearers().filter(|interface| here.absent.contains(&interface.name)) {
        let chain = build.map(config, interface);
        let name = format!("absent_{}", build.chains.len());
        let others = here.names.iter().filter(|(ios, _)| !here.absent.contains(*ios));
        let mut rules: Vec<_> =
            others.map(|(_, link)| Rule::new(vec![Test::LeavesBy(link.clone())], Verdict::Return)).collect();
        rules.push(Rule::new(vec![], Verdict::Jump(chain)));
        build.chains.push(Chain { name: name.clone(), hook: None, rules });
        guard.push(Rule::new(vec![], Verdict::Jump(name)));
    }
    // without a crypto map on any interface no tunnel can lead to clients, and the default route
    // would
    if bearers().next().is_none() {
        guard.push(Rule::new(vec![], Verdict::Jump("pools".into())));
    }
    for (source, destination) in &config.closed.flows {
        let Some((source, destination)) = v4(*source).zip(v4(*destination)) else { continue };
        let packets = format!("ip {} to {}", place(source), place(destination));
        let tests = vec![Test::source(source), Test::destination(destination)];
        guard.push(build.drop(Kind::LeftOut, None, "a tunnel that is left out", packets, tests));
    }
    if config.closed.private {
        build.sets.push(Set { name: PRIVATE.into(), ranges: private(config) });
        guard.extend(build.private(config, here, &outside));
    }
    build.chains.push(Chain { name: WAYS.into(), hook: None, rules: guard });
    build.chains.push(Chain { name: "guard".into(), hook: None, rules: first });
    for (name, hook) in
        [("forward", Hook::Forward), ("output", Hook::Output), ("translated", Hook::Postrouting)]
    {
        let rules = vec![Rule::new(vec![], Verdict::Jump("guard".into()))];
        build.chains.push(Chain { name: name.into(), hook: Some(hook), rules });
    }
    let table = Table { name: TABLE.into(), sets: build.sets, chains: build.chains };
    Ruleset { table, guarded: build.guarded }
}

/// A table for the client: these networks leave by nothing but the tunnel, whichever way out the
/// machine has by then. What is in `except` leaves by `link` as if there were no client, and the
/// gateway is reached by whichever way.
pub(crate) fn client_rules(
    name: &str,
    link: &str,
    gateway: Ipv4Addr,
    networks: &[Ipv4Net],
    except: &[Ipv4Net],
) -> Table {
    let mut build = Builder::default();
    let mut rules = vec![
        Rule::new(vec![Test::Mark(FWMARK)], Verdict::Accept),
        Rule::new(vec![Test::LeavesBy("lo".into())], Verdict::Accept),
        Rule::new(vec![Test::LeavesByPrefix(INTERFACE_PREFIX.into())], Verdict::Accept),
        Rule::new(vec![Test::destination(net([224, 0, 0, 0], 4))], Verdict::Accept),
        Rule::new(vec![Test::destination(net([255, 255, 255, 255], 32))], Verdict::Accept),
        Rule::new(vec![Test::destination(Ipv4Net::from(gateway))], Verdict::Accept),
    ];
    let by = || Test::LeavesBy(link.to_owned());
    rules.extend(except.iter().map(|net| Rule::new(vec![by(), Test::destination(*net)], Verdict::Accept)));
    for net in networks {
        let packets = format!("ip any to {}", place(*net));
        rules.push(build.drop(
            Kind::Granted,
            None,
            "the client's tunnel",
            packets,
            vec![Test::destination(*net)],
        ));
    }
    let hooked = |chain: &str, hook| Chain {
        name: chain.into(),
        hook: Some(hook),
        rules: vec![Rule::new(vec![], Verdict::Jump("guard".into()))],
    };
    let chains = vec![
        Chain { name: "guard".into(), hook: None, rules },
        hooked("forward", Hook::Forward),
        hooked("output", Hook::Output),
    ];
    Table { name: name.into(), sets: Vec::new(), chains }
}

/// The name of the set of what is granted to peers for one network of ours.
pub(crate) fn set_of(local: Ipv4Net) -> String {
    format!("{GRANTED}{local}")
}

#[derive(Default)]
struct Builder {
    sets: Vec<Set>,
    chains: Vec<Chain>,
    guarded: Vec<Guarded>,
    comments: BTreeSet<String>,
}

/// The comment of a rule, with a sign if it exceeds what the kernel keeps.
pub(super) fn shortened(said: &str) -> String {
    if said.len() <= COMMENT {
        return said.to_owned();
    }
    const MORE: &str = " …)";
    let room = said.floor_char_boundary(COMMENT - MORE.len());
    let kept = said.get(..room).unwrap_or_default();
    // not in the middle of a word
    let kept = kept.rsplit_once(' ').map_or(kept, |(words, _)| words);
    format!("{kept}{MORE}")
}

impl Builder {
    /// A rule that drops, counts and says what it guards.
    fn drop(
        &mut self,
        kind: Kind,
        interface: Option<&str>,
        from: &str,
        packets: String,
        tests: Vec<Test>,
    ) -> Rule {
        let by = interface.map(|name| format!(" by {name}")).unwrap_or_default();
        let said = format!("{packets}{by} ({from})");
        let mut comment = shortened(&said);
        let mut number = 1;
        while !self.comments.insert(comment.clone()) {
            number += 1;
            comment = shortened(&format!("#{number} {said}"));
        }
        self.guarded.push(Guarded {
            kind,
            interface: interface.map(str::to_owned),
            from: from.to_owned(),
            packets,
            comment: comment.clone(),
        });
        Rule::new(tests, Verdict::Drop).counted(comment)
    }

    /// The chain of a crypto map on an interface: its entries' access lists, then pools and granted
    /// networks.
    fn map(&mut self, config: &Config, interface: &Interface) -> String {
        let number = self.chains.len();
        let name = format!("map_{number}");
        let mut rules = Vec::new();
        for (entry, terms) in entries(config, interface) {
            let list = terms.acl.as_ref().and_then(|acl| config.acl(acl));
            let Some(list) = list else { continue };
            let chain = format!("list_{}", self.chains.len());
            let lines = self.list(config, &interface.name, &entry, list);
            self.chains.push(Chain { name: chain.clone(), hook: None, rules: lines });
            rules.push(Rule::new(vec![], Verdict::Jump(chain)));
        }
        rules.push(Rule::new(vec![], Verdict::Jump("pools".into())));
        rules.push(Rule::new(vec![], Verdict::Jump("granted".into())));
        self.chains.push(Chain { name: name.clone(), hook: None, rules });
        name
    }

    /// The lines of a crypto access list.
    fn list(&mut self, config: &Config, interface: &str, entry: &str, list: &Acl) -> Vec<Rule> {
        let mut rules = Vec::new();
        let from = format!("{entry}, access list {}", list.name);
        for (_, line) in list.readings(config) {
            if let Some(patterns) = exact(&line) {
                for pattern in &patterns {
                    self.line(interface, &from, line.permit, pattern, &mut rules);
                }
                continue;
            }
            // of a line that says more than is known here too much is dropped, and nothing let
            // through; where not all of its addresses are known, its entry is left out and private
            // destinations are closed
            let mut seen: BTreeSet<(Wildcard, Wildcard)> = BTreeSet::new();
            for pattern in line.patterns.iter().filter(|_| line.permit) {
                if seen.insert((pattern.source, pattern.destination)) {
                    let pattern = Pattern {
                        protocol: None,
                        source_ports: None,
                        destination_ports: None,
                        ..pattern.clone()
                    };
                    self.line(interface, &from, true, &pattern, &mut rules);
                }
            }
        }
        rules
    }

    /// The rules for packets that a line of a crypto access list selects by addresses, protocol and
    /// single ports.
    fn line(&mut self, interface: &str, from: &str, permit: bool, pattern: &Pattern, rules: &mut Vec<Rule>) {
        let mut addresses = vec![
            Test::Source(pattern.source.address, mask(&pattern.source)),
            Test::Destination(pattern.destination.address, mask(&pattern.destination)),
        ];
        addresses.extend(pattern.protocol.map(Test::Protocol));
        let mut ports = Vec::new();
        ports.extend(pattern.source_ports.map(|ports| Test::SourcePort(ports.first)));
        ports.extend(pattern.destination_ports.map(|ports| Test::DestinationPort(ports.first)));
        let with_ports = |addresses: &[Test]| match ports.is_empty() {
            true => addresses.to_vec(),
            false => [addresses, &[Test::NoLaterFragment], &ports].concat(),
        };
        if !permit {
            // of a later fragment a `deny` line with ports says nothing
            rules.push(Rule::new(with_ports(&addresses), Verdict::Return));
            return;
        }
        let rule = self.drop(Kind::AccessList, Some(interface), from, words(pattern), with_ports(&addresses));
        if !ports.is_empty() {
            // it has no ports, and goes with the packets of its addresses
            addresses.push(Test::LaterFragment);
            rules.push(Rule { tests: addresses, ..rule.clone() });
        }
        rules.push(rule);
    }

    /// Addresses of clients.
    fn pools(&mut self, config: &Config) {
        let mut rules = Vec::new();
        for (pool, number) in config.pools.iter().zip(1..) {
            let Some(range) = range_of(pool) else { continue };
            let set = format!("pool_{number}");
            let packets = format!("ip any to {}", ranges::told(range));
            let tests = vec![Test::DestinationIn(set.clone())];
            rules.push(self.drop(Kind::Pool, None, &format!("pool {}", pool.name), packets, tests));
            self.sets.push(Set { name: set, ranges: ranges::disjoint([range]) });
        }
        self.chains.push(Chain { name: "pools".into(), hook: None, rules });
    }

    /// What peers were granted.
    fn granted(&mut self, config: &Config, here: Here<'_>, granted: &Granted) {
        self.sets.push(Set { name: NEVER.into(), ranges: never(config, here) });
        let mut rules = Vec::new();
        for (local, ranges) in granted.by_local() {
            let set = set_of(local);
            let tests = vec![
                Test::source(local),
                Test::DestinationIn(set.clone()),
                Test::DestinationNotIn(NEVER.into()),
            ];
            let packets = format!("ip {} to networks that peers were granted", place(local));
            rules.push(self.drop(Kind::Granted, None, "entries without an access list", packets, tests));
            self.sets.push(Set { name: set, ranges });
        }
        self.chains.push(Chain { name: "granted".into(), hook: None, rules });
    }

    /// Private destinations by outside interfaces, but where a route of the configuration leads
    /// there.
    fn private(&mut self, config: &Config, here: Here<'_>, outside: &BTreeSet<String>) -> Vec<Rule> {
        let mut jumps = Vec::new();
        // where nothing of the configuration leads outside, the machine's own routes do
        let mut unknown = outside.is_empty() || here.absent.iter().any(|name| outside.contains(name));
        for name in outside {
            let Some(link) = here.names.get(name) else {
                unknown = true;
                continue;
            };
            let exceptions = leads_by(config, here, name);
            let chain = self.private_chain(Some(name), exceptions);
            jumps.push(Rule::new(vec![Test::LeavesBy(link.clone())], Verdict::Jump(chain)));
        }
        if unknown {
            // an outside interface without a link: whatever link it may be, but none that is known
            // to be another
            for (_, link) in here.names.iter().filter(|(ios, _)| !outside.contains(*ios)) {
                jumps.push(Rule::new(vec![Test::LeavesBy(link.clone())], Verdict::Return));
            }
            let chain = self.private_chain(None, Vec::new());
            jumps.push(Rule::new(vec![], Verdict::Jump(chain)));
        }
        jumps
    }

    fn private_chain(&mut self, interface: Option<&str>, exceptions: Vec<Ipv4Net>) -> String {
        let name = format!("private_{}", self.chains.len());
        let mut rules: Vec<_> = exceptions
            .into_iter()
            .map(|net| Rule::new(vec![Test::destination(net)], Verdict::Accept))
            .collect();
        let packets = "ip any to private addresses and networks of the configuration".to_owned();
        let from = "a tunnel that is left out, whose networks are not known";
        let tests = vec![Test::DestinationIn(PRIVATE.into())];
        rules.push(self.drop(Kind::Private, interface, from, packets, tests));
        self.chains.push(Chain { name: name.clone(), hook: None, rules });
        name
    }
}

/// The entries of an interface's crypto map in the order in which IOS matches them, with their
/// names.
fn entries<'c>(config: &'c Config, interface: &Interface) -> Vec<(String, &'c EntryTerms)> {
    let map = interface.crypto_map.as_ref().and_then(|name| config.maps.iter().find(|map| map.name == *name));
    let Some(map) = map else { return Vec::new() };
    let mut found = Vec::new();
    let mut entries: Vec<_> = map.entries.iter().collect();
    entries.sort_by_key(|entry| entry.sequence);
    for entry in entries {
        let Some(dynamic) = &entry.dynamic else {
            found.push((format!("{} {}", map.name, entry.sequence), &entry.terms));
            continue;
        };
        // lines of another entry that fell into this one: no SA carries what their list permits
        if entry.terms.acl.is_some() {
            found.push((format!("{} {}", map.name, entry.sequence), &entry.terms));
        }
        let Some(dynamic) = config.dynamic_maps.iter().find(|map| map.name == *dynamic) else { continue };
        let mut behind: Vec<_> = dynamic.entries.iter().collect();
        behind.sort_by_key(|entry| entry.sequence);
        found.extend(
            behind.iter().map(|entry| (format!("{} {}", dynamic.name, entry.sequence), &entry.terms)),
        );
    }
    found
}

/// The bits of an address that count.
fn mask(wildcard: &Wildcard) -> Ipv4Addr {
    Ipv4Addr::from(!u32::from(wildcard.wildcard))
}

/// What a line selects, by single ports; `None` where addresses, protocols and ports do not say it,
/// or only with more rules than a line may have.
fn exact(line: &Reading) -> Option<Vec<Pattern>> {
    if !line.is_exact() {
        return None;
    }
    let mut out: Vec<Pattern> = Vec::new();
    for pattern in &line.patterns {
        let (source_ports, destination_ports) =
            (singles(pattern.source_ports)?, singles(pattern.destination_ports)?);
        let has_ports = pattern.source_ports.is_some() || pattern.destination_ports.is_some();
        // of other protocols nothing here reads ports
        if has_ports && !matches!(pattern.protocol, Some(6 | 17)) {
            return None;
        }
        for source_ports in &source_ports {
            for destination_ports in &destination_ports {
                out.push(Pattern {
                    source_ports: *source_ports,
                    destination_ports: *destination_ports,
                    ..pattern.clone()
                });
                if out.len() > MOST_SELECTORS {
                    return None;
                }
            }
        }
    }
    Some(out)
}

/// The ports of a range, each by itself, if they are not too many.
fn singles(range: Option<PortRange>) -> Option<Vec<Option<PortRange>>> {
    let Some(PortRange { first, last }) = range else { return Some(vec![None]) };
    if (first, last) == (0, u16::MAX) {
        return Some(vec![None]);
    }
    let few = usize::from(last.saturating_sub(first)) < MOST_SELECTORS;
    few.then(|| (first..=last).map(|port| Some(PortRange { first: port, last: port })).collect())
}

/// What a line selects, short.
fn words(line: &Pattern) -> String {
    let side = |side: &Wildcard| match side.prefix() {
        Some(net) => place(net),
        None => format!("{} {}", side.address, side.wildcard),
    };
    let port =
        |ports: Option<PortRange>| ports.map(|ports| format!(" port {}", ports.first)).unwrap_or_default();
    let protocol = match line.protocol {
        None => "ip".to_owned(),
        Some(1) => "icmp".to_owned(),
        Some(6) => "tcp".to_owned(),
        Some(17) => "udp".to_owned(),
        Some(47) => "gre".to_owned(),
        Some(number) => format!("protocol {number}"),
    };
    format!(
        "{protocol} {}{} to {}{}",
        side(&line.source),
        port(line.source_ports),
        side(&line.destination),
        port(line.destination_ports)
    )
}

/// A network in words.
fn place(net: Ipv4Net) -> String {
    if net.prefix_len() == 0 { "any".into() } else { ranges::told(ranges::of(net)) }
}

/// The addresses of a pool.
fn range_of(pool: &Pool) -> Option<Range> {
    v4_address(pool.low).zip(v4_address(pool.high))
}

fn net(octets: [u8; 4], length: u8) -> Ipv4Net {
    Ipv4Net::new(octets.into(), length).unwrap_or_default()
}

/// The networks that an interface is connected to.
fn connected<'a>(interface: &'a Interface, here: Here<'a>) -> impl Iterator<Item = Ipv4Net> + 'a {
    let of_itself = match &interface.address {
        Addressing::Static(nets) => nets.as_slice(),
        Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => &[],
    };
    let lent = here.leased.iter().filter(|(name, _)| *name == interface.name).map(|(_, net)| net);
    let of_itself = of_itself.iter().copied().filter_map(v4);
    of_itself.chain(lent.copied()).map(|net| net.trunc()).filter(|_| !interface.shutdown)
}

/// What a granted network of a peer cannot block: this machine, its neighbours, its peers and their
/// next hops, what is not unicast, and the pools, which have rules of their own.
fn never(config: &Config, here: Here<'_>) -> Vec<Range> {
    let mut never: Vec<Range> =
        [net([0, 0, 0, 0], 8), net([127, 0, 0, 0], 8), net([224, 0, 0, 0], 3)].map(ranges::of).into();
    let is_here = |i: &&Interface| here.names.contains_key(&i.name) || i.kind == InterfaceKind::Loopback;
    let there = config.interfaces.iter().filter(is_here);
    never.extend(there.flat_map(|interface| connected(interface, here)).map(ranges::of));
    never.extend(config.pools.iter().filter_map(range_of));
    let hops = config.routes.iter().filter_map(|route| route.next_hop);
    let peers = config.maps.iter().flat_map(|map| &map.entries).flat_map(|entry| &entry.peers);
    let keys = config.default_keys.iter().chain(config.keyrings.iter().flat_map(|keyring| &keyring.keys));
    let of_keys = keys.filter_map(|key| match &key.peer {
        KeyPeer::Address(net) if net.prefix_len() == net.max_prefix_len() => Some(net.addr()),
        _ => None,
    });
    let hosts = hops.chain(peers.copied()).chain(of_keys).filter_map(v4_address);
    never.extend(hosts.map(|address| (address, address)));
    ranges::disjoint(never)
}

/// Private addresses and the networks of the configuration: the connected ones, those in its access
/// lists, its pools. Single hosts of access lists and very wide networks are left out: time servers
/// and halves of the Internet are not networks of the configuration.
fn private(config: &Config) -> Vec<Range> {
    let mut private: Vec<_> = PRIVATE_USE.map(|(octets, length)| ranges::of(net(octets, length))).into();
    for interface in &config.interfaces {
        if let Addressing::Static(nets) = &interface.address {
            private.extend(nets.iter().copied().filter_map(v4).map(ranges::of));
        }
    }
    private.extend(config.pools.iter().filter_map(range_of));
    let patterns =
        config.acls.iter().flat_map(|acl| acl.readings(config)).flat_map(|(_, line)| line.patterns);
    let sides = patterns.flat_map(|pattern| [pattern.source, pattern.destination]);
    let nets = sides.filter_map(|side| side.prefix()).filter(|net| (8..32).contains(&net.prefix_len()));
    private.extend(nets.map(ranges::of));
    ranges::disjoint(private)
}

/// The networks to which a line of the configuration leads by an interface: those that it is
/// connected to, next hops in them, and static routes but the default.
fn leads_by(config: &Config, here: Here<'_>, name: &str) -> Vec<Ipv4Net> {
    let Some(interface) = config.interfaces.iter().find(|interface| interface.name == name) else {
        return Vec::new();
    };
    let mut nets: BTreeSet<_> = connected(interface, here).collect();
    let routes = config.routes.iter().filter(|route| route.destination.prefix_len() > 0);
    let leaving = routes.filter(|route| leaves_by(route, interface, here));
    nets.extend(leaving.filter_map(|route| v4(route.destination.trunc())));
    nets.into_iter().collect()
}

/// Whether a static route leaves by an interface.
fn leaves_by(route: &hubward_config::model::Route, interface: &Interface, here: Here<'_>) -> bool {
    match (&route.interface, route.next_hop) {
        (None, _) if route.by_dhcp => interface.address == Addressing::Dhcp,
        (Some(name), _) => *name == interface.name,
        (None, Some(hop)) => connected(interface, here).any(|net| IpNet::V4(net).contains(&hop)),
        (None, None) => false,
    }
}

/// The outside interfaces: those that have a crypto map or `ip nat outside`, are a `tunnel source`,
/// get their address by DHCP, or are used by a default route of the configuration.
pub(crate) fn outside(parsed: &Parsed, here: Here<'_>) -> BTreeSet<String> {
    let config = &parsed.config;
    let mut named = BTreeSet::new();
    let lines = &parsed.document.lines;
    for line in lines {
        let header = line.under.and_then(|place| lines.get(place)).map(|line| line.spelled.as_str());
        let Some(interface) = header.and_then(|header| header.trim().strip_prefix("interface ")) else {
            continue;
        };
        let words: Vec<_> = line.spelled.split_whitespace().collect();
        match words.as_slice() {
            ["ip", "nat", "outside", ..] => {
                named.insert(hubward_config::long_name(&interface.replace(' ', "")));
            }
            ["tunnel", "source", source @ ..] if !source.is_empty() => {
                named.insert(hubward_config::long_name(&source.concat()));
            }
            _ => {}
        }
    }
    let has_address = |interface: &Interface, text: &str| match &interface.address {
        Addressing::Static(nets) => nets.iter().any(|net| net.addr().to_string() == text),
        Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => false,
    };
    let defaults: Vec<_> = config.routes.iter().filter(|route| route.destination.prefix_len() == 0).collect();
    let is_outside = |interface: &&Interface| {
        interface.crypto_map.is_some()
            || interface.address == Addressing::Dhcp
            || named.iter().any(|name| *name == interface.name || has_address(interface, name))
            || defaults.iter().any(|route| leaves_by(route, interface, here))
    };
    // a loopback or a tunnel is not a way out of this machine
    let is_way = |interface: &&Interface| interface.kind.is_way_out();
    let found = config.interfaces.iter().filter(|i| !i.shutdown).filter(is_way).filter(is_outside);
    found.map(|interface| interface.name.clone()).collect()
}

/// The rules' counts by what they say of themselves, for the table that takes the place of another.
pub(crate) fn count_on(table: &mut Table, counts: &[(String, hubward_linux::nftables::Counted)]) {
    let mut left: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (comment, count) in counts.iter().rev() {
        left.entry(comment).or_default().push(*count);
    }
    for rule in
        table.chains.iter_mut().flat_map(|chain| &mut chain.rules).filter(|rule| rule.counter.is_some())
    {
        if let Some(count) = left.get_mut(rule.comment.as_str()).and_then(Vec::pop) {
            rule.counter = Some(count);
        }
    }
}
