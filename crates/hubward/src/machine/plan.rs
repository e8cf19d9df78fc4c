//! What a configuration requires of the machine, as a value, and the steps from the current state
//! to it. Pure: neither the machine nor a clock is read here, so that the tests are tables.

use crate::base::family::v4;
use crate::machine::capture::{Captured, Captures, CryptoLinks, ReversePath};
use crate::machine::faces::{self, LOOPBACK, MadeLink, MadeLinks};
use crate::machine::policy::{self, Policy};
use crate::machine::published;
use crate::machine::reverse::{Answer, ReverseRoutes};
use crate::machine::routes::{self, Statics};
use crate::machine::seen::Seen;
use crate::machine::sources::Sources;
use crate::machine::view::{CONNECTED_DISTANCE, Names, Static, is_absent_network, same};
use crate::translate::ReverseRoute;
use hubward_config::model::{Addressing, Config, Interface};
use hubward_config::parent;
use hubward_linux::marks::PROTOCOL;
use hubward_linux::route::Route;
use hubward_linux::rule::Rule;
use hubward_linux::sysctl::Setting;
use hubward_proto::dhcp::Lease;
use hubward_proto::flow::selector::Selector;
use hubward_proto::flow::tables;
use hubward_proto::names::InterfaceId;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// Who carries the packets, as far as the machine is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// Hubward's own workers, behind this TUN.
    Tun {
        /// The index of its link.
        index: u32,
        /// The name of its link.
        name: String,
    },
    /// The kernel's xfrm.
    Kernel,
}

/// What a plan is made of, besides what the machine shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) config: &'a Config,
    /// The links of its interfaces.
    pub(crate) names: &'a Names,
    /// Those of them that Hubward makes.
    pub(crate) made: &'a MadeLinks,
    /// Cards that no interface has any more, and that are to be down.
    pub(crate) closed: &'a [String],
    pub(crate) carrier: &'a Carrier,
    /// `--no-addresses`: something else gives the links their addresses.
    pub(crate) keep_addresses: bool,
    /// The leases of DHCP clients, by link.
    pub(crate) leases: &'a BTreeMap<String, Lease>,
    /// What crypto access lists, pools and tunnels select, by the addresses of both sides.
    pub(crate) selected: &'a [Selector],
    /// The networks to which `reverse-route` adds a route.
    pub(crate) reverse: &'a [ReverseRoute],
}

/// The state of the machine, as far as Hubward manages it: as it should be or, as the same kind of
/// value, as it is.
///
/// Filter rules come before all of this: a rule must be in place before the link that it filters
/// comes up, and before a route leads packets past it. The table of the guard ([`crate::guard`]) and
/// that of access lists and translation ([`crate::router`]) are not part of a plan, because they
/// outlive the program; the gateway sets them before a plan is carried out.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    /// The links that Hubward makes, by name.
    pub(crate) made: MadeLinks,
    /// The ports of those that are bridges, with the bridge's name.
    pub(crate) ports: BTreeMap<String, String>,
    /// Whether links are up, by name. Hubward does not manage other links.
    pub(crate) links: BTreeMap<String, bool>,
    /// The indices of the machine's links when they were last looked at: a card that was replaced has
    /// the name of the old one and another index. Not planned.
    pub(crate) indices: BTreeMap<String, u32>,
    /// Addresses and their links, from the configuration and the leases.
    pub(crate) addresses: Vec<(String, IpNet)>,
    /// The TUN that receives packets, by index.
    pub(crate) tun: Option<u32>,
    /// Settings of the kernel, for as long as Hubward runs.
    pub(crate) settings: BTreeMap<Setting, &'static str>,
    pub(crate) rules: Vec<Rule>,
    /// Static routes in the main table. A route by an interface that is not here is unreachable.
    pub(crate) routes: Vec<Route>,
    /// The routes of `reverse-route` in the main table, by destination.
    pub(crate) reverse: BTreeMap<IpNet, Route>,
    /// The addresses of clients for which this machine answers on its LANs.
    pub(crate) answers: BTreeSet<Answer>,
    /// The reverse path filter of the links of crypto interfaces.
    pub(crate) reverse_paths: BTreeMap<String, ReversePath>,
    /// Hubward's own tables: what is led to the crypto maps, also by reverse routes, and which parts
    /// of that are not.
    pub(crate) captured: BTreeMap<Captured, Route>,
    /// Policy routing.
    pub(crate) policy: Policy,
}

/// A plan, and what else was found while making it.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// The static routes with their distances, for `show ip route`.
    pub(crate) statics: Vec<Static>,
    /// What an operator should know about the routes, a line each.
    pub(crate) notices: BTreeSet<String>,
    pub(crate) captures: Captures,
    pub(crate) reverse: ReverseRoutes,
}

/// One change of the machine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// `shutdown` of a link.
    LinkDown(String),
    /// Removes an address of a link.
    AddressAway(String, IpNet),
    /// Removes a link that Hubward made.
    UnmakeLink(String),
    /// Makes a link.
    MakeLink(String, MadeLink),
    /// Makes a link a port of a bridge.
    JoinBridge {
        /// The name of the port.
        port: String,
        /// The name of the bridge.
        bridge: String,
    },
    /// `no shutdown` of a link.
    LinkUp(String),
    /// Adds an address to a link.
    AddressOn(String, IpNet),
    /// Gives a setting of the kernel a value.
    Set(Setting, &'static str),
    /// Sets the TUN with this index up, for packets of [`TUN_MTU`] bytes.
    OpenTun(u32),
    /// Adds a routing rule.
    AddRule(Rule),
    /// Adds a route to the main table, before others with its prefix and metric.
    RouteOn(Route),
    /// Removes a route from the main table.
    RouteAway(Route),
    /// Sets the reverse path filter of a link.
    FilterSources(String, ReversePath),
    /// Sets a route in one of Hubward's own tables, replacing another one with its prefix.
    Capture(Route),
    /// Removes a route from one of Hubward's own tables.
    Release(Route),
    /// Removes a routing rule.
    RuleAway(Rule),
    /// Adds a route of `reverse-route` to the main table.
    ReverseOn(Route),
    /// Removes a route of `reverse-route` from the main table.
    ReverseAway(Route),
    /// Changes policy routing.
    Policy(policy::Change),
    /// Answers for a client's address on a link.
    AnswerOn(Answer),
    /// Stops answering for one.
    AnswerAway(Answer),
}

/// The order of steps: each stage builds on the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Links, addresses, settings and rules.
    Base,
    /// The main table, whose routes depend on the links and their addresses.
    Main,
    /// Hubward's own tables, which follow where the main table leads, and what follows the tunnels.
    Own,
}

impl Step {
    /// The stage that a step belongs to.
    pub(crate) const fn stage(&self) -> Stage {
        match self {
            Self::LinkDown(_)
            | Self::AddressAway(..)
            | Self::UnmakeLink(_)
            | Self::MakeLink(..)
            | Self::JoinBridge { .. }
            | Self::LinkUp(_)
            | Self::AddressOn(..)
            | Self::Set(..)
            | Self::OpenTun(_)
            | Self::AddRule(_) => Stage::Base,
            Self::RouteOn(_) | Self::RouteAway(_) => Stage::Main,
            Self::FilterSources(..)
            | Self::Capture(_)
            | Self::Release(_)
            | Self::RuleAway(_)
            | Self::ReverseOn(_)
            | Self::ReverseAway(_)
            | Self::Policy(_)
            | Self::AnswerOn(_)
            | Self::AnswerAway(_) => Stage::Own,
        }
    }

    /// Whether the main table may differ afterwards from what the plan expected: the kernel adds
    /// and removes routes with links and addresses, and may refuse a route.
    pub(crate) const fn changes_routes(&self) -> bool {
        matches!(
            self,
            Self::LinkDown(_)
                | Self::AddressAway(..)
                | Self::UnmakeLink(_)
                | Self::MakeLink(..)
                | Self::LinkUp(_)
                | Self::AddressOn(..)
                | Self::RouteOn(_)
                | Self::RouteAway(_)
        )
    }
}

/// Makes the plan for a situation on a machine in the state `seen`. `standing` is what Hubward has
/// done so far, which is removed unless it is planned again. `refused` are routes that the kernel
/// did not accept, so no packet follows them.
pub(crate) fn plan(now: &Situation<'_>, seen: &Seen, standing: &Plan, refused: &[&Route]) -> Planned {
    let leases = leases_in_force(now);
    let (mut plan, expected) = base(now, &leases, seen, standing);
    let Statics { routes: statics, notices } = routes::statics(now.config, now.names, &leases, &expected);
    plan.routes = statics.iter().map(|found| found.route.clone()).collect();
    let crypto = crypto_links(now, &expected);
    let peers = now.config.maps.iter().flat_map(|map| &map.entries).flat_map(|entry| &entry.peers);
    let main = main_table(&expected, &statics, refused);
    let reverse = ReverseRoutes::new(now.config, now.names, &expected, main.iter().copied(), crypto.clone());
    let mut sources = Sources::new(now.config, |name| addresses_of(now, &expected, name));
    let locals = now.selected.iter().map(|selector| selector.local);
    // the policies of the kernel look at sources themselves
    sources.assign(locals, &standing.rules, plan.tun.is_none());
    let mut captures = Captures::new(
        main.iter().copied(),
        crypto.clone(),
        plan.tun,
        peers.copied().collect(),
        now.reverse,
        sources,
    );
    plan.rules = captures.rules();
    let prefixes = tables::prefixes(now.selected.iter().map(|selector| selector.remote));
    if plan.tun.is_some() {
        let filter = captures.filter(&prefixes);
        let there = guarded(now).filter(|name| expected.link(name).is_some());
        plan.reverse_paths = there.map(|name| (name.clone(), filter)).collect();
    }
    plan.captured = captures.routes(now.selected);
    let led = now.reverse.iter().flat_map(|to| reverse.routes(to));
    plan.reverse = led.map(|route| (route.destination, route)).collect();
    plan.answers = now.reverse.iter().flat_map(|to| reverse.answers(to)).collect();
    let absent = statics.iter().filter(|known| known.distance == CONNECTED_DISTANCE);
    plan.policy = Policy::new(&policy::Surroundings {
        config: now.config,
        names: now.names,
        seen: &expected,
        routes: main
            .into_iter()
            .chain(absent.map(|known| &known.route))
            .chain(plan.reverse.values())
            .collect(),
        crypto: &crypto,
        tun: plan.tun,
        protected: &prefixes,
    });
    // answers come in where decisions lead, and the routes lead elsewhere: the router's table checks
    // their sources then
    let exits = plan.policy.exits();
    for (name, filter) in &mut plan.reverse_paths {
        if expected.link(name).is_some_and(|link| exits.contains(&link.index)) {
            *filter = ReversePath::Loose;
        }
    }
    Planned { plan, statics, notices, captures, reverse }
}

/// What the machine will show once links and addresses are as configured, and the leases that stay
/// in force.
pub(crate) fn expected(now: &Situation<'_>, seen: &Seen, standing: &Plan) -> (Seen, BTreeMap<String, Lease>) {
    let leases = leases_in_force(now);
    let (_, expected) = base(now, &leases, seen, standing);
    (expected, leases)
}

/// The plan without its routes, and what the machine will show when it is carried out.
fn base(now: &Situation<'_>, leases: &BTreeMap<String, Lease>, seen: &Seen, standing: &Plan) -> (Plan, Seen) {
    let mut plan = Plan {
        made: now.made.clone(),
        ports: ports(now.made),
        links: links(now, seen),
        addresses: addresses(now, leases),
        tun: now.carrier.tun(),
        settings: settings(now),
        ..Plan::default()
    };
    plan.settings.extend(policy::loosened(now.config, now.names, seen));
    let expected = seen.expected(&plan.links, &away(standing, &plan), &plan.addresses);
    (plan, expected)
}

/// The addresses of an interface, as they will be, without those for which it only answers.
fn addresses_of(now: &Situation<'_>, expected: &Seen, name: &str) -> Vec<Ipv4Addr> {
    let link = now.names.get(name).and_then(|name| expected.link(name));
    let there =
        expected.addresses.iter().filter(|there| Some(there.interface) == link.map(|link| link.index));
    let aliases = published::aliases(now.config);
    let there = there.filter_map(|there| v4(there.net)).filter(|net| !aliases.contains(net));
    let mut found: Vec<_> = there.map(|net| net.addr()).collect();
    // also before the link is made
    if let Some(Addressing::Static(nets)) = now.config.interface(name).map(|one| &one.address) {
        found.extend(nets.iter().copied().filter_map(v4).map(|net| net.addr()));
    }
    found
}

impl Carrier {
    /// The index of the TUN.
    const fn tun(&self) -> Option<u32> {
        match self {
            Self::Tun { index, .. } => Some(*index),
            Self::Kernel => None,
        }
    }
}

/// The leases of interfaces with `ip address dhcp`: another configuration ends the others.
fn leases_in_force(now: &Situation<'_>) -> BTreeMap<String, Lease> {
    let asking = |name: &str| {
        now.config.interfaces.iter().any(|interface| {
            interface.address == Addressing::Dhcp
                && !interface.shutdown
                && now.names.get(&interface.name).is_some_and(|link| link == name)
        })
    };
    let leases = now.leases.iter().filter(|(name, _)| asking(name));
    leases.map(|(name, lease)| (name.clone(), lease.clone())).collect()
}

/// The links of the configuration's interfaces, and the ports of bridges. One that is shut and does
/// not exist needs nothing. A sub-interface is down with its parent, and a card without its
/// interface.
fn links(now: &Situation<'_>, seen: &Seen) -> BTreeMap<String, bool> {
    let closed = now.closed.iter().filter(|card| seen.link(card).is_some());
    let mut wanted: BTreeMap<String, bool> = closed.map(|card| (card.clone(), false)).collect();
    for interface in now.config.interfaces.iter().filter(|one| faces::turns_link(now.names, one)) {
        let Some(name) = now.names.get(&interface.name) else { continue };
        let parent = parent(&interface.name).and_then(|parent| now.config.interface(parent));
        let up = !interface.shutdown && parent.is_none_or(|parent| !parent.shutdown);
        if !interface.shutdown || seen.link(name).is_some() {
            wanted.insert(name.clone(), up);
        }
        if let Some(MadeLink::Bridge { ports }) = now.made.get(name) {
            wanted.extend(ports.iter().map(|port| (port.clone(), up)));
        }
    }
    if now.config.interfaces.iter().any(|one| !one.shutdown && on_loopback(now, one)) {
        wanted.insert(LOOPBACK.to_string(), true);
    }
    wanted
}

/// Whether the addresses of an interface are on the kernel's loopback link.
fn on_loopback(now: &Situation<'_>, interface: &Interface) -> bool {
    now.names.get(&interface.name).is_some_and(|name| name == LOOPBACK)
}

/// The ports of the bridges that Hubward makes.
fn ports(made: &MadeLinks) -> BTreeMap<String, String> {
    let of_bridge = |(bridge, made): (&String, &MadeLink)| match made {
        MadeLink::Bridge { ports } => {
            ports.iter().map(|port| (port.clone(), bridge.clone())).collect::<Vec<_>>()
        }
        MadeLink::Dummy | MadeLink::Vlan { .. } => Vec::new(),
    };
    made.iter().flat_map(of_bridge).collect()
}

fn addresses(now: &Situation<'_>, leases: &BTreeMap<String, Lease>) -> Vec<(String, IpNet)> {
    let mut wanted = Vec::new();
    for interface in now.config.interfaces.iter().filter(|interface| !interface.shutdown) {
        if let (Some(name), Addressing::Static(nets)) = (now.names.get(&interface.name), &interface.address)
            // nothing else could give a link its addresses that was not there before the start
            && (!now.keep_addresses || now.made.contains_key(name) || name == LOOPBACK)
        {
            wanted.extend(nets.iter().map(|net| (name.clone(), faces::on_link(name, *net))));
        }
    }
    wanted.extend(leases.iter().map(|(name, lease)| (name.clone(), IpNet::V4(lease.address))));
    if !now.keep_addresses {
        let published = published::addresses(now.config, now.names, leases);
        let new: Vec<_> = published.into_iter().filter(|new| !wanted.contains(new)).collect();
        wanted.extend(new);
    }
    wanted
}

fn settings(now: &Situation<'_>) -> BTreeMap<Setting, &'static str> {
    let of_carrier = match now.carrier {
        Carrier::Tun { name, .. } => (Setting::RpFilter(name.clone()), "0"),
        // the kernel sends one acquire for an SA, and another only after this many seconds
        Carrier::Kernel => (Setting::XfrmAcquireExpires, "1"),
    };
    let mut settings = BTreeMap::from([(Setting::IpForward, "1"), of_carrier]);
    let links = |is: fn(&Interface) -> bool| {
        let open = now.config.interfaces.iter().filter(move |one| !one.shutdown && is(one));
        open.filter_map(|one| now.names.get(&one.name).cloned())
    };
    // a link sends redirects if it or "all" says so
    let silent: Vec<String> = links(|one| one.no_redirects).collect();
    if !silent.is_empty() {
        settings.insert(Setting::SendRedirects("all".into()), "0");
        settings.extend(silent.into_iter().map(|link| (Setting::SendRedirects(link), "0")));
    }
    // the kernel asks the link by which a packet comes, IOS that by which it leaves: the packet
    // filter decides between those
    if links(|one| one.directed_broadcast.is_some()).next().is_some() {
        settings.insert(Setting::ForwardBroadcasts("all".into()), "1");
        settings.extend(links(|_| true).map(|link| (Setting::ForwardBroadcasts(link), "1")));
    }
    settings
}

/// The links of the crypto interfaces that are not shut.
fn crypto_links(now: &Situation<'_>, seen: &Seen) -> CryptoLinks {
    let open = now.config.interfaces.iter().filter(|one| one.crypto_map.is_some() && !one.shutdown);
    let found = open.filter_map(|interface| {
        let link = seen.link(now.names.get(&interface.name)?)?;
        Some((InterfaceId(interface.number), link.index))
    });
    found.collect()
}

/// The main table as it will be, in the kernel's order: a new route comes before its equals. The
/// network of an interface that is not here is left out: it may contain a pool or a network that a
/// crypto map protects, whose packets belong in their tunnel.
fn main_table<'t>(expected: &'t Seen, statics: &'t [Static], refused: &[&Route]) -> Vec<&'t Route> {
    let there = |new: &Route| expected.main.iter().any(|old| same(new, old));
    let added = statics.iter().map(|found| &found.route).filter(|new| !there(new) && !refused.contains(new));
    let stays =
        |old: &&Route| old.protocol != PROTOCOL || statics.iter().any(|found| same(&found.route, old));
    let table = added.rev().chain(expected.main.iter().filter(stays));
    table.filter(|route| !is_absent_network(statics, route)).collect()
}

/// Addresses that are set and not planned.
fn away(standing: &Plan, plan: &Plan) -> Vec<(String, IpNet)> {
    standing.addresses.iter().filter(|old| !plan.addresses.contains(old)).cloned().collect()
}

impl Plan {
    /// The steps from the current state to the planned one, in the order in which they must be
    /// made.
    ///
    /// A link that is made again has no addresses, and is down. Links and addresses are removed
    /// before others are added, because an address may move from one link to another, and because
    /// the kernel removes the other addresses of a network with the first one: those are added
    /// again. New routes are added before old ones are removed, so
    /// that no packet is without one. Links, settings and reverse path filters that are no longer
    /// planned stay as they are until Hubward ends.
    pub(crate) fn difference(before: &Self, after: &Self) -> Vec<Step> {
        let mut steps = Vec::new();
        let new = |name: &str| after.made.contains_key(name) && before.made.get(name) != after.made.get(name);
        let turned = |up: bool| {
            let changed = after.links.iter().filter(move |(name, to)| {
                **to == up && (before.links.get(*name) != Some(&up) || up && new(name))
            });
            changed.map(|(name, _)| name.clone())
        };
        steps.extend(turned(false).map(Step::LinkDown));
        let away = away(before, after);
        steps.extend(away.iter().cloned().map(|(link, net)| Step::AddressAway(link, net)));
        let unmade = before.made.iter().filter(|(name, made)| after.made.get(*name) != Some(*made));
        steps.extend(unmade.map(|(name, _)| Step::UnmakeLink(name.clone())));
        let made = after.made.iter().filter(|(name, _)| new(name));
        steps.extend(made.map(|(name, made)| Step::MakeLink(name.clone(), made.clone())));
        let joining = after
            .ports
            .iter()
            .filter(|(port, bridge)| before.ports.get(*port) != Some(*bridge) || new(bridge));
        steps.extend(
            joining.map(|(port, bridge)| Step::JoinBridge { port: port.clone(), bridge: bridge.clone() }),
        );
        // a VLAN comes up only on a parent that is up, and a bridge works by its ports
        let mut up: Vec<String> = turned(true).collect();
        up.sort_by_key(|name| match after.made.get(name) {
            None => 0,
            Some(MadeLink::Dummy) => 1,
            Some(MadeLink::Bridge { .. }) => 2,
            Some(MadeLink::Vlan { .. }) => 3,
        });
        steps.extend(up.into_iter().map(Step::LinkUp));
        let taken_along = |on: &(String, IpNet)| {
            away.iter().any(|(link, net)| *link == on.0 && net.trunc() == on.1.trunc())
        };
        let on = after
            .addresses
            .iter()
            .filter(|on| !before.addresses.contains(on) || taken_along(on) || new(&on.0));
        steps.extend(on.cloned().map(|(link, net)| Step::AddressOn(link, net)));
        let changed =
            after.settings.iter().filter(|(setting, value)| before.settings.get(*setting) != Some(*value));
        steps.extend(changed.map(|(setting, value)| Step::Set(setting.clone(), value)));
        steps.extend(after.tun.filter(|_| before.tun != after.tun).map(Step::OpenTun));
        let rules = after.rules.iter().filter(|rule| !before.rules.contains(rule));
        steps.extend(rules.cloned().map(Step::AddRule));

        let new = after.routes.iter().filter(|new| !before.routes.iter().any(|old| same(new, old)));
        steps.extend(new.cloned().map(Step::RouteOn));
        let old = before.routes.iter().filter(|old| !after.routes.iter().any(|new| same(new, old)));
        steps.extend(old.cloned().map(Step::RouteAway));

        let filters = after
            .reverse_paths
            .iter()
            .filter(|(link, filter)| before.reverse_paths.get(*link) != Some(*filter));
        steps.extend(filters.map(|(link, filter)| Step::FilterSources(link.clone(), *filter)));
        let new = after
            .captured
            .iter()
            .filter(|(place, new)| before.captured.get(*place).is_none_or(|old| !same(new, old)));
        steps.extend(new.map(|(_, new)| Step::Capture(new.clone())));
        let old = before.captured.iter().filter(|(place, _)| !after.captured.contains_key(*place));
        steps.extend(old.map(|(_, old)| Step::Release(old.clone())));
        let old = before.rules.iter().filter(|rule| !after.rules.contains(rule));
        steps.extend(old.cloned().map(Step::RuleAway));
        steps.extend(Policy::difference(&before.policy, &after.policy).into_iter().map(Step::Policy));

        // the kernel keeps two routes to a destination apart by their next hops
        let stands = |of: &Self, route: &Route| {
            of.reverse.get(&route.destination).is_some_and(|known| same(route, known))
        };
        let old = before.reverse.values().filter(|old| !stands(after, old));
        steps.extend(old.cloned().map(Step::ReverseAway));
        let new = after.reverse.values().filter(|new| !stands(before, new));
        steps.extend(new.cloned().map(Step::ReverseOn));
        steps.extend(before.answers.difference(&after.answers).cloned().map(Step::AnswerAway));
        steps.extend(after.answers.difference(&before.answers).cloned().map(Step::AnswerOn));
        steps
    }

    /// Whether a step that leads packets was carried out already.
    pub(crate) fn has(&self, step: &Step) -> bool {
        match step {
            Step::Capture(new) => {
                self.captured.get(&(new.table, new.destination)).is_some_and(|old| same(new, old))
            }
            Step::ReverseOn(new) => self.reverse.get(&new.destination).is_some_and(|old| same(new, old)),
            Step::AnswerOn(answer) => self.answers.contains(answer),
            _ => false,
        }
    }

    /// Records a step that was carried out.
    pub(crate) fn note(&mut self, step: &Step) {
        match step {
            Step::LinkDown(name) => drop(self.links.insert(name.clone(), false)),
            Step::UnmakeLink(name) => {
                self.made.remove(name);
                self.ports.retain(|_, bridge| bridge != name);
                self.links.remove(name);
                self.addresses.retain(|(link, _)| link != name);
            }
            Step::MakeLink(name, made) => {
                self.made.insert(name.clone(), made.clone());
                // it has another index than the link that it replaces
                self.indices.remove(name);
            }
            Step::JoinBridge { port, bridge } => drop(self.ports.insert(port.clone(), bridge.clone())),
            Step::LinkUp(name) => drop(self.links.insert(name.clone(), true)),
            Step::AddressAway(link, net) => self.addresses.retain(|old| (&old.0, &old.1) != (link, net)),
            Step::AddressOn(link, net) => {
                let new = (link.clone(), *net);
                if !self.addresses.contains(&new) {
                    self.addresses.push(new);
                }
            }
            Step::Set(setting, value) => drop(self.settings.insert(setting.clone(), value)),
            Step::OpenTun(index) => self.tun = Some(*index),
            Step::AddRule(rule) => self.rules.push(rule.clone()),
            Step::RouteOn(route) => self.routes.push(route.clone()),
            Step::RouteAway(route) => self.routes.retain(|old| old != route),
            Step::FilterSources(link, filter) => drop(self.reverse_paths.insert(link.clone(), *filter)),
            Step::Capture(route) => {
                self.captured.insert((route.table, route.destination), route.clone());
            }
            Step::Release(route) => drop(self.captured.remove(&(route.table, route.destination))),
            Step::RuleAway(rule) => self.rules.retain(|old| old != rule),
            Step::ReverseOn(route) => drop(self.reverse.insert(route.destination, route.clone())),
            Step::ReverseAway(route) => drop(self.reverse.remove(&route.destination)),
            Step::Policy(change) => self.policy.note(change),
            Step::AnswerOn(answer) => drop(self.answers.insert(answer.clone())),
            Step::AnswerAway(answer) => drop(self.answers.remove(answer)),
        }
    }

    /// Adopts routes, reverse path filters and the links that Hubward makes as the machine shows
    /// them: the kernel removes routes with a link or with its last address, and a VLAN with its
    /// parent, and other programs may remove them too. A card that is pulled loses everything, and
    /// gets it again when it is back, also if both happen between two looks.
    pub(crate) fn correct_routes(&mut self, seen: &Seen) {
        self.made.retain(|name, _| seen.link(name).is_some());
        let indices: BTreeMap<_, _> = seen.links.iter().map(|link| (link.name.clone(), link.index)).collect();
        let stands = |name: &str| {
            let (before, there) = (self.indices.get(name), indices.get(name));
            there.is_some_and(|there| before.is_none_or(|before| before == there))
        };
        self.links.retain(|name, _| stands(name));
        self.addresses.retain(|(link, _)| stands(link));
        self.indices = indices;
        // a port that somebody has given to another bridge stays there
        self.ports.retain(|port, _| seen.link(port).is_some_and(|link| link.master != 0));
        let ours = |route: &&Route| route.protocol == PROTOCOL;
        let reverse = std::mem::take(&mut self.reverse);
        let is_reverse =
            |route: &Route| reverse.get(&route.destination).is_some_and(|known| same(known, route));
        let (reverse, routes): (Vec<_>, Vec<_>) =
            seen.main.iter().filter(ours).cloned().partition(|route| is_reverse(route));
        self.routes = routes;
        self.reverse = reverse.into_iter().map(|route| (route.destination, route)).collect();
        self.answers.retain(|(link, address)| seen.answers(link, *address));
        let own = seen.own.iter().filter(ours).map(|route| ((route.table, route.destination), route.clone()));
        self.captured = own.collect();
        self.policy.correct(seen);
        self.reverse_paths.retain(|link, filter| {
            let setting = Setting::RpFilter(link.clone());
            seen.settings.get(&setting).is_some_and(|value| value == filter.value())
        });
    }

    /// Adopts everything else as the machine shows it. This is done only for another configuration:
    /// a link that an administrator set down by hand stays down until then.
    pub(crate) fn correct_base(&mut self, seen: &Seen) {
        self.links = seen.links.iter().map(|link| (link.name.clone(), link.up)).collect();
        self.addresses.retain(|(link, net)| seen.has(link, *net));
        let open =
            |index: u32| seen.links.iter().any(|link| link.index == index && link.up && link.mtu == TUN_MTU);
        self.tun = self.tun.filter(|index| open(*index));
        self.settings.retain(|setting, value| seen.settings.get(setting).is_some_and(|now| now == value));
        self.rules.retain(|rule| seen.rules.contains(rule));
    }
}

/// The MTU of the TUN, in bytes. A packet that is too long for its tunnel is fragmented, or its
/// source gets an ICMP error, depending on the tunnel.
pub(crate) const TUN_MTU: u32 = 1500;

/// The links of all crypto interfaces, including those that are shut.
fn guarded<'a>(now: &Situation<'a>) -> impl Iterator<Item = &'a String> {
    let names = now.names;
    let crypto = now.config.interfaces.iter().filter(|interface| interface.crypto_map.is_some());
    crypto.filter_map(|interface| names.get(&interface.name))
}

/// The settings that a plan for a situation is compared with.
pub(crate) fn settings_of(now: &Situation<'_>) -> Vec<Setting> {
    let filters = guarded(now).cloned().map(Setting::RpFilter);
    settings(now).into_keys().chain(filters).chain(policy::settings(now.config, now.names)).collect()
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
