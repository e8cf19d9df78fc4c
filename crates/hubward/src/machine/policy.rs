//! Policy routing: where the packets go that the packet filter has marked with a decision of a route
//! map (`router/rules/policy.rs`). Each decision has a routing table with its way, and a rule that
//! leads packets with its mark there. What the table does not lead goes on to the other rules, as a
//! packet without a decision would.
//!
//! As on IOS, the decision comes first, and the crypto map of the interface to which it leads sees the
//! packet then. So a decision that leads to a crypto interface has another table, which is asked first
//! and leads what the crypto map may protect into the TUN. Hubward's own packets are never led there.

use crate::base::family::v4;
use crate::machine::capture::CryptoLinks;
use crate::machine::faces::LOOPBACK;
use crate::machine::seen::Seen;
use crate::machine::view::{Names, same};
use hubward_config::model::{Addressing, Config, InterfaceKind};
use hubward_config::policy_routing::{NULL, Way, decisions, numbers};
use hubward_linux::link::Link;
use hubward_linux::marks::{POLICY_CAPTURE_TABLE, POLICY_SHIFT, POLICY_TABLE};
use hubward_linux::owned::{policy_capture, policy_exemption, policy_way};
use hubward_linux::route::{Route, RouteKind};
use hubward_linux::rule::Rule;
use hubward_linux::sysctl::Setting;
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

/// The rules and routes of decisions.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Policy {
    pub(crate) rules: Vec<Rule>,
    /// By table and destination.
    pub(crate) routes: BTreeMap<(u32, IpNet), Route>,
}

/// One change of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// Sets a route, in the place of another one with its prefix.
    RouteOn(Route),
    /// Removes a route.
    RouteAway(Route),
    /// Adds a rule.
    RuleOn(Rule),
    /// Removes a rule.
    RuleAway(Rule),
}

/// What decides where decisions lead.
pub(crate) struct Surroundings<'a> {
    pub(crate) config: &'a Config,
    pub(crate) names: &'a Names,
    pub(crate) seen: &'a Seen,
    /// The routes that are used, of equal ones the first.
    pub(crate) routes: Vec<&'a Route>,
    pub(crate) crypto: &'a CryptoLinks,
    /// The TUN; `None`: the kernel carries the packets.
    pub(crate) tun: Option<u32>,
    /// What crypto maps may protect.
    pub(crate) protected: &'a [IpNet],
}

/// Where a way leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Out by a link, to a next hop or to the destination itself.
    Link(u32, Option<IpAddr>),
    /// `Null0`.
    Null,
    /// By an interface that Hubward does not have: what a tunnel should carry takes no other way.
    Absent,
}

impl Policy {
    /// The rules and routes of a configuration.
    pub(crate) fn new(around: &Surroundings<'_>) -> Self {
        let mut policy = Self::default();
        let numbers = numbers(around.config);
        if numbers.is_empty() {
            return policy;
        }
        let explicit = around.explicit();
        let mut captures = Vec::new();
        for (decision, number) in numbers {
            let way = around.table(&decision, &explicit);
            if way.is_empty() {
                continue;
            }
            let captured = around.captured(&way, &explicit);
            let number = u32::from(number);
            let mark = number << POLICY_SHIFT;
            policy.add(policy_way(mark, POLICY_TABLE + number), way);
            if !captured.is_empty() {
                captures.push((policy_capture(mark, POLICY_CAPTURE_TABLE + number), captured));
            }
        }
        // what these would capture of Hubward's own packets must have a way around them before
        policy.rules.extend((!captures.is_empty()).then(policy_exemption));
        for (rule, captured) in captures {
            policy.add(rule, captured);
        }
        policy
    }

    fn add(&mut self, rule: Rule, routes: BTreeMap<Ipv4Net, Route>) {
        let table = rule.table;
        self.rules.push(rule);
        for (net, route) in routes {
            self.routes.insert((table, IpNet::V4(net)), Route { table, ..route });
        }
    }

    /// The links by which decisions lead out.
    pub(crate) fn exits(&self) -> BTreeSet<u32> {
        let ways = self.routes.values().filter(|route| route.table < POLICY_CAPTURE_TABLE);
        ways.filter(|route| route.kind == RouteKind::Unicast).map(|route| route.interface).collect()
    }

    /// Whether something is captured by decisions: a new network behind a tunnel is of concern then.
    pub(crate) fn captures(&self) -> bool {
        self.routes.keys().any(|(table, _)| *table > POLICY_CAPTURE_TABLE)
    }

    /// The changes from one state to another: no rule leads to a table that is not complete.
    pub(crate) fn difference(before: &Self, after: &Self) -> Vec<Change> {
        let new = after
            .routes
            .iter()
            .filter(|(key, new)| before.routes.get(*key).is_none_or(|old| !same(new, old)));
        let mut changes: Vec<_> = new.map(|(_, route)| Change::RouteOn(route.clone())).collect();
        let new = after.rules.iter().filter(|rule| !before.rules.contains(rule));
        changes.extend(new.cloned().map(Change::RuleOn));
        let old = before.rules.iter().rev().filter(|rule| !after.rules.contains(rule));
        changes.extend(old.cloned().map(Change::RuleAway));
        let old = before.routes.iter().filter(|(key, _)| !after.routes.contains_key(*key));
        changes.extend(old.map(|(_, route)| Change::RouteAway(route.clone())));
        changes
    }

    /// Records a change that was made.
    pub(crate) fn note(&mut self, change: &Change) {
        match change {
            Change::RouteOn(route) => {
                self.routes.insert((route.table, route.destination), route.clone());
            }
            Change::RouteAway(route) => {
                self.routes.remove(&(route.table, route.destination));
            }
            Change::RuleOn(rule) => self.rules.push(rule.clone()),
            Change::RuleAway(rule) => self.rules.retain(|known| known != rule),
        }
    }

    /// Adopts what the machine shows: routes go with their links, and other programs remove rules.
    pub(crate) fn correct(&mut self, seen: &Seen) {
        let own = seen.policy.iter();
        self.routes = own.map(|route| ((route.table, route.destination), route.clone())).collect();
        self.rules.retain(|rule| seen.rules.contains(rule));
    }
}

/// The settings by which the kernel would drop answers that come in where a decision led the packets
/// that they answer: the routes lead elsewhere. IOS has no such check unless it is configured.
pub(crate) fn settings<'a>(config: &'a Config, names: &'a Names) -> impl Iterator<Item = Setting> + use<'a> {
    let links = possible_exits(config, names);
    let all = (!links.is_empty()).then(|| "all".to_owned());
    all.into_iter().chain(links).map(Setting::RpFilter)
}

/// The values that those settings need, where they are strict now.
pub(crate) fn loosened(config: &Config, names: &Names, seen: &Seen) -> Vec<(Setting, &'static str)> {
    let value = |name: &str| {
        let value = seen.settings.get(&Setting::RpFilter(name.to_owned()));
        value.and_then(|value| value.parse::<u8>().ok()).unwrap_or_default()
    };
    let strict = |link: &String| value("all").max(value(link)) == 1;
    let links = possible_exits(config, names).into_iter().filter(strict);
    links.map(|link| (Setting::RpFilter(link), "2")).collect()
}

/// The links without a crypto map by which decisions may lead out.
fn possible_exits(config: &Config, names: &Names) -> BTreeSet<String> {
    let ways: Vec<Way<'_>> = decisions(config).flatten().collect();
    let leads = |name: &str, address: &Addressing| {
        ways.iter().any(|way| match way {
            Way::Interface(to) | Way::DefaultInterface(to) => *to == name,
            Way::NextHop(hop) | Way::DefaultNextHop(hop) => match address {
                Addressing::Static(nets) => nets.iter().any(|net| net.contains(&IpAddr::V4(*hop))),
                Addressing::Dhcp => true,
                Addressing::None | Addressing::Secondary(_) => false,
            },
        })
    };
    let open = config.interfaces.iter().filter(|one| !one.shutdown && one.crypto_map.is_none());
    let exits = open.filter(|one| leads(&one.name, &one.address));
    exits.filter_map(|one| names.get(&one.name)).filter(|link| *link != LOOPBACK).cloned().collect()
}

impl Surroundings<'_> {
    /// The routes besides the default one, by destination.
    fn explicit(&self) -> BTreeMap<Ipv4Net, &Route> {
        let mut explicit: BTreeMap<Ipv4Net, &Route> = BTreeMap::new();
        for route in &self.routes {
            let leads = matches!(
                route.kind,
                RouteKind::Unicast | RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit
            );
            let Some(net) = v4(route.destination).filter(|net| leads && net.prefix_len() > 0) else {
                continue;
            };
            if explicit.get(&net).is_none_or(|known| route.metric < known.metric) {
                explicit.insert(net, route);
            }
        }
        explicit
    }

    /// The table of a decision; empty: it leads nowhere at the moment, and the routes decide.
    fn table(&self, decision: &[Way<'_>], explicit: &BTreeMap<Ipv4Net, &Route>) -> BTreeMap<Ipv4Net, Route> {
        let everything = Ipv4Net::default();
        let mut table = BTreeMap::new();
        for way in decision {
            let exit = match way {
                Way::NextHop(hop) | Way::DefaultNextHop(hop) => self.by_hop(*hop),
                Way::Interface(name) | Way::DefaultInterface(name) => self.by_interface(name),
            };
            let Some(exit) = exit else { continue };
            match (way, exit) {
                // an interface that is no point-to-point link leads only where there is a route
                (Way::Interface(_), Exit::Link(link, _)) => {
                    if table.is_empty() {
                        table.extend(explicit.iter().map(|(net, known)| {
                            let gateway = known.gateway.filter(|_| known.interface == link);
                            let onlink = gateway.is_some();
                            let out = Exit::Link(link, gateway).route(*net);
                            (*net, Route { onlink, ..out })
                        }));
                    }
                }
                (Way::NextHop(_) | Way::Interface(_), exit) => {
                    // what came before leads some packets already
                    table.insert(everything, exit.route(everything));
                    break;
                }
                (Way::DefaultNextHop(_) | Way::DefaultInterface(_), exit) => {
                    for net in explicit.keys() {
                        let other = || Route { kind: RouteKind::Throw, ..Route::new(IpNet::V4(*net)) };
                        table.entry(*net).or_insert_with(other);
                    }
                    table.insert(everything, exit.route(everything));
                    break;
                }
            }
        }
        table
    }

    /// A next hop must be in a connected network whose link works.
    fn by_hop(&self, hop: Ipv4Addr) -> Option<Exit> {
        let hop = IpAddr::V4(hop);
        let connected = self.seen.addresses.iter().filter(|known| known.net.contains(&hop));
        let mut holders: Vec<(u8, bool, Exit)> = Vec::new();
        for known in connected {
            if known.net.addr() == hop {
                return None;
            }
            let works = |link: &&Link| link.index == known.interface && link.running && !link.loopback;
            if self.seen.links.iter().any(|link| works(&link)) {
                holders.push((known.net.prefix_len(), true, Exit::Link(known.interface, Some(hop))));
            }
        }
        for interface in self.config.interfaces.iter().filter(|one| self.is_absent(&one.name)) {
            let Addressing::Static(nets) = &interface.address else { continue };
            let holding = nets.iter().filter(|net| net.contains(&hop));
            holders.extend(holding.map(|net| (net.prefix_len(), false, Exit::Absent)));
        }
        holders.into_iter().max_by_key(|(length, here, _)| (*length, *here)).map(|(.., exit)| exit)
    }

    /// An interface must be up.
    fn by_interface(&self, name: &str) -> Option<Exit> {
        if name == NULL {
            return Some(Exit::Null);
        }
        if self.is_absent(name) {
            return Some(Exit::Absent);
        }
        if self.config.interface(name).is_some_and(|one| one.shutdown) {
            return None;
        }
        let link = self.seen.link(self.names.get(name)?).filter(|link| link.running && !link.loopback)?;
        Some(Exit::Link(link.index, None))
    }

    /// Whether Hubward does not have an interface. One that is shut leads nowhere on a router either,
    /// but what a tunnel carried takes no other way.
    fn is_absent(&self, name: &str) -> bool {
        let shut = self.config.interface(name).is_some_and(|one| one.shutdown);
        !self.names.contains_key(name) && (!shut || InterfaceKind::of(name).is_absent())
    }

    /// What of a decision's packets is led into the TUN first: the networks that crypto maps may
    /// protect, where the decision leads to a crypto interface.
    fn captured(
        &self,
        way: &BTreeMap<Ipv4Net, Route>,
        explicit: &BTreeMap<Ipv4Net, &Route>,
    ) -> BTreeMap<Ipv4Net, Route> {
        let mut captured = BTreeMap::new();
        let Some(tun) = self.tun else { return captured };
        let is_crypto = |route: &Route| {
            route.kind == RouteKind::Unicast && self.crypto.values().any(|link| *link == route.interface)
        };
        if !way.values().any(is_crypto) {
            return captured;
        }
        let route = |net: Ipv4Net, of: Option<&Route>| {
            let own = Route::new(IpNet::V4(net));
            match of.filter(|of| is_crypto(of)) {
                Some(of) if self.sees_the_map_of(net, of.interface, explicit) => {
                    Route { interface: tun, ..own }
                }
                // the data plane would ask the crypto map of another interface
                Some(_) => Route { kind: RouteKind::Unreachable, ..own },
                None => Route { kind: RouteKind::Throw, ..own },
            }
        };
        for net in self.protected.iter().copied().filter_map(v4) {
            let covering =
                way.iter().filter(|(held, _)| held.contains(&net)).max_by_key(|(held, _)| held.prefix_len());
            captured.insert(net, route(net, covering.map(|(_, of)| of)));
            for (part, of) in inside(way, net) {
                captured.insert(*part, route(*part, Some(of)));
            }
        }
        captured
    }

    /// Whether the data plane, which follows the routes, asks the crypto map of this link for all of a
    /// network: if it is the only one, or the routes lead there as well.
    fn sees_the_map_of(&self, net: Ipv4Net, link: u32, explicit: &BTreeMap<Ipv4Net, &Route>) -> bool {
        let links: BTreeSet<u32> = self.crypto.values().copied().collect();
        if links.len() < 2 {
            return true;
        }
        let covers = |route: &&&Route| v4(route.destination).is_some_and(|held| held.contains(&net));
        let best = self
            .routes
            .iter()
            .filter(covers)
            .min_by_key(|route| (std::cmp::Reverse(route.destination.prefix_len()), route.metric));
        best.is_some_and(|best| best.interface == link)
            && inside(explicit, net).all(|(_, part)| part.interface == link)
    }
}

/// What is narrower than a network and in it.
fn inside<T>(map: &BTreeMap<Ipv4Net, T>, net: Ipv4Net) -> impl Iterator<Item = (&Ipv4Net, &T)> {
    let last = Ipv4Net::new(net.broadcast(), 32).unwrap_or(net);
    map.range(net..=last).filter(move |(part, _)| **part != net && net.contains(*part))
}

impl Exit {
    fn route(self, net: Ipv4Net) -> Route {
        let route = Route::new(IpNet::V4(net));
        match self {
            Self::Link(interface, gateway) => Route { interface, gateway, ..route },
            Self::Null => Route { kind: RouteKind::Blackhole, ..route },
            Self::Absent => Route { kind: RouteKind::Unreachable, ..route },
        }
    }
}
