//! The configuration on the Linux side: which links its interfaces are mapped to, what a change
//! needs from the machine before it is made, and the plan that is carried out.

use crate::base::program::mapping;
use crate::machine::capture::Captures;
use crate::machine::execute::{Executor, Round, Undone};
use crate::machine::faces::{self, Cards, Faces, Kinds};
use crate::machine::line_state::LineStates;
use crate::machine::plan::{self, Carrier, Plan, Situation, Stage, Step};
use crate::machine::reverse::ReverseRoutes;
use crate::machine::seen::Seen;
use crate::machine::view::{Names, Static};
use crate::translate::{Addresses, ReverseRoute};
use anyhow::bail;
use hubward_config::model::{Config, Interface, InterfaceKind};
use hubward_config::parent;
use hubward_linux::monitor::Change;
use hubward_linux::netlink::Netlink;
use hubward_linux::route::{self, Lookup};
use hubward_linux::{address, link, marks, neighbour};
use hubward_proto::dhcp::Lease;
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::flow::tables::Exit;
use hubward_proto::names::InterfaceId;
use hubward_proto::policy::Reserved;
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::OnceLock;

/// Finds the links of the configuration's interfaces. `given` says which cards some have
/// (`IOS-NAME=LINUX-NAME`). If `guess`, each physical Ethernet interface that is in use and has no
/// card yet also gets the next free one.
pub(crate) fn map_interfaces(config: &Config, given: &[String], guess: bool) -> anyhow::Result<Faces> {
    let given = given.iter().map(|pair| mapping(pair)).collect::<Result<Vec<_>, _>>()?;
    let netlink = Netlink::open()?;
    let cards = map_cards(&netlink, config, given, guess)?;
    let made = |kind| {
        let mut open = config.interfaces.iter().filter(|one| !one.shutdown && !cards.contains_key(&one.name));
        open.any(|one| one.kind == kind)
    };
    let dummies = made(InterfaceKind::Loopback) && *DUMMIES.get_or_init(|| link::has_dummies(&netlink));
    let vlans = made(InterfaceKind::SubInterface) && *VLANS.get_or_init(|| has_vlans(&netlink));
    Ok(Faces::of(config, cards, Kinds { dummies, vlans }))
}

/// Whether this kernel has dummy links, once somebody asked.
static DUMMIES: OnceLock<bool> = OnceLock::new();
/// Whether this kernel has VLANs, once somebody asked.
static VLANS: OnceLock<bool> = OnceLock::new();

fn has_vlans(netlink: &Netlink) -> bool {
    let has = link::has_vlans(netlink);
    if !has {
        tracing::warn!("this kernel has no VLANs, so sub-interfaces with a tag have no links");
    }
    has
}

fn map_cards(
    netlink: &Netlink,
    config: &Config,
    given: impl IntoIterator<Item = (String, Vec<String>)>,
    guess: bool,
) -> anyhow::Result<Cards> {
    let links: Vec<_> = link::list(netlink)?
        .into_iter()
        .filter(|link| !link.loopback && !link.name.starts_with(marks::INTERFACE_PREFIX))
        .collect();
    let mut cards = Cards::new();
    for (ios, of_ios) in given {
        let pair = format!("{ios}={}", of_ios.join(","));
        if config.interface(&ios).is_none() {
            bail!("--map {pair}: the configuration has no interface {ios}");
        }
        let kind = InterfaceKind::of(&ios);
        if kind.is_absent() {
            bail!(
                "--map {pair}: tunnel interfaces and templates do not exist here, and no link stands for one"
            );
        }
        if of_ios.len() > 1 && !kind.takes_ports() {
            bail!("--map {pair}: only VlanN, BVIn and BDIn can have several links, as the ports of a bridge");
        }
        for (place, linux) in of_ios.iter().enumerate() {
            let Some(link) = links.iter().find(|link| link.name == *linux) else {
                bail!("--map {pair}: this machine has no interface {linux}");
            };
            if !is_plain(linux) {
                bail!(
                    "--map {pair}: the packet filter cannot name {linux}; rename it (ip link set {linux} name …)"
                );
            }
            if let Some(master) = foreign_master(&links, link) {
                bail!(
                    "--map {pair}: {linux} is a port of {master}, which gets its packets; use {master}, or take the port out: ip link set {linux} nomaster"
                );
            }
            let before = of_ios.iter().take(place);
            if cards.values().flatten().chain(before).any(|name| name == linux) {
                bail!("--map {pair}: {linux} is another interface of the configuration already");
            }
        }
        if cards.insert(ios.clone(), of_ios).is_some() {
            bail!("--map {pair}: {ios} is mapped already");
        }
    }
    if guess {
        let is_taken = |name: &String| cards.values().flatten().any(|taken| taken == name);
        let free = links
            .iter()
            .filter(|link| is_card(link) && is_plain(&link.name) && !is_taken(&link.name))
            .filter(|link| foreign_master(&links, link).is_none());
        let free: Vec<_> = free.map(|link| link.name.as_str()).collect();
        for (ios, linux) in guesses(config, &cards, &free) {
            tracing::info!("{ios} is {linux} (by order; --map {ios}=… says otherwise)");
            cards.insert(ios, vec![linux]);
        }
    }
    Ok(cards)
}

/// Which of the free cards each interface without a link gets, by position. An interface that is
/// shut gets none, because it may be in the configuration for a card that this machine does not
/// have. One that only has sub-interfaces gets its card too; otherwise the next interface would get
/// that card and be on the wrong network.
fn guesses(config: &Config, cards: &Cards, free: &[&str]) -> Vec<(String, String)> {
    let bears = |interface: &Interface| {
        let part = |name: &str| parent(name) == Some(interface.name.as_str());
        !interface.shutdown && config.interfaces.iter().any(|other| part(&other.name) && is_busy(other))
    };
    let needing = config.interfaces.iter().filter(|interface| {
        (is_busy(interface) || bears(interface))
            && interface.kind == InterfaceKind::Ethernet
            && !cards.contains_key(&interface.name)
    });
    needing.zip(free).map(|(interface, card)| (interface.name.clone(), (*card).to_string())).collect()
}

/// The interfaces that are in use and have no link, although they could have one. Interfaces that
/// are left out do not count.
pub(crate) fn without_card(config: &Config, names: &Names) -> BTreeSet<String> {
    let busy = config.interfaces.iter().filter(|one| is_busy(one) && !one.kind.is_absent());
    busy.filter(|one| !names.contains_key(&one.name)).map(|one| one.name.clone()).collect()
}

/// Whether an interface is in use: not shut, and with an address or a crypto map.
fn is_busy(interface: &Interface) -> bool {
    !interface.shutdown && (!interface.address.is_none() || interface.crypto_map.is_some())
}

/// The name of the bridge, bond or team of another program that gets this link's packets. A VRF does
/// not take them.
fn foreign_master<'l>(links: &'l [link::Link], port: &link::Link) -> Option<&'l str> {
    let master = links.iter().find(|link| link.index == port.master)?;
    (master.kind.as_deref() != Some("vrf")).then_some(master.name.as_str())
}

/// Whether nftables can name a link: in quotes, and not as a pattern.
pub(crate) fn is_plain(link: &str) -> bool {
    link.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '*'))
}

/// Whether a link is a network card, or what containers and virtual machines have in place of one.
/// A bridge or a tunnel that another program made is not.
fn is_card(link: &link::Link) -> bool {
    matches!(link.kind.as_deref(), None | Some("veth" | "macvlan" | "ipvlan" | "bond" | "team"))
}

/// The machine under a gateway: the links of its interfaces, their leases, and the means to bring
/// it in line with a configuration.
pub(crate) struct Machine {
    executor: Executor,
    /// The links of the interfaces.
    faces: Faces,
    /// The cards of all interfaces that have existed: one that comes back gets its old card.
    known: Cards,
    /// The cards of interfaces that another configuration ended while they were in use. They are
    /// down, as an interface without a configuration is on a router.
    closed: Vec<String>,
    carrier: Carrier,
    keep_addresses: bool,
    /// Whether interfaces without a link get one by position.
    guess: bool,
    /// The interfaces without a link for which a warning was logged.
    cardless: BTreeSet<String>,
    /// The addresses announced to neighbours, by link.
    announced: BTreeSet<(u32, Ipv4Addr)>,
    /// The leases of DHCP clients, by link.
    pub(crate) leases: BTreeMap<String, Lease>,
    /// The static routes as last planned.
    pub(crate) statics: Vec<Static>,
    /// What was logged about them.
    notices: BTreeSet<String>,
    captures: Captures,
    reverse: ReverseRoutes,
    /// How the interfaces stood when it was last told.
    lines: LineStates,
    /// Why the last look at the machine failed.
    blind: Option<String>,
}

/// What decides about the machine: a configuration, and the networks behind its tunnels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand<'a> {
    pub(crate) config: &'a Config,
    /// The packets that are captured, by the addresses of both sides.
    pub(crate) selected: &'a [Selector],
    /// The networks to which `reverse-route` adds a route.
    pub(crate) reverse: &'a [ReverseRoute],
}

/// What another configuration will find on this machine. [`Machine::prepare`] determines it and
/// changes nothing.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The links of its interfaces.
    pub(crate) faces: Faces,
    /// Their addresses.
    pub(crate) addresses: Addresses,
    /// What no peer of a dynamic entry may get as its side of a tunnel, because the machine uses
    /// it.
    pub(crate) reserved: Vec<(AddressRange, Reserved)>,
}

/// A change looks at the machine once for each stage of a plan, because each stage may turn out
/// differently than expected.
const ROUNDS: [Round; 3] = [Round::More, Round::More, Round::Last];

impl Machine {
    /// Removes the leftovers of a run that crashed; links that this configuration shuts stay down.
    /// `guess`: interfaces without a link get one by position.
    pub(crate) fn open(
        state: Option<&Path>,
        config: &Config,
        faces: Faces,
        keep_addresses: bool,
        guess: bool,
    ) -> anyhow::Result<Self> {
        let shut = config.interfaces.iter().filter(|interface| interface.shutdown);
        let shut: Vec<_> = shut
            .filter(|interface| faces::turns_link(&faces.names, interface))
            .filter_map(|interface| faces.names.get(&interface.name).cloned())
            .collect();
        Ok(Self {
            executor: Executor::open(Netlink::open()?, state, &shut)?,
            known: faces.cards.clone(),
            closed: Vec::new(),
            faces,
            carrier: Carrier::Kernel,
            keep_addresses,
            guess,
            cardless: BTreeSet::new(),
            announced: BTreeSet::new(),
            leases: BTreeMap::new(),
            statics: Vec::new(),
            notices: BTreeSet::new(),
            captures: Captures::default(),
            reverse: ReverseRoutes::default(),
            lines: LineStates::default(),
            blind: None,
        })
    }

    /// Sets who carries the packets: the kernel, unless this is called. A TUN that was made again
    /// is set up like the first one.
    pub(crate) fn carry_by(&mut self, carrier: Carrier) {
        self.executor.forget_carrier(&self.carrier);
        self.carrier = carrier;
    }

    /// Finds the links that another configuration needs, including those of interfaces that were
    /// not in use so far, and the addresses that they will have once it is applied. Every failure
    /// that can be foreseen happens here, and an error leaves everything as it was.
    pub(crate) fn prepare(&self, config: &Config) -> anyhow::Result<Prepared> {
        let here = &self.faces.cards;
        let stays = |ios: &String| config.interface(ios).is_some();
        let taken = |linux: &String| here.iter().any(|(ios, links)| stays(ios) && links.contains(linux));
        let back =
            self.known.iter().filter(|(ios, links)| !here.contains_key(*ios) && !links.iter().any(taken));
        let known = here.iter().chain(back).filter(|(ios, _)| stays(ios));
        let known: Vec<_> = known.map(|(ios, links)| format!("{ios}={}", links.join(","))).collect();
        let faces = map_interfaces(config, &known, self.guess)?;
        let demand = Demand { config, selected: &[], reverse: &[] };
        let now = Situation { names: &faces.names, made: &faces.made, ..self.situation(demand) };
        let seen = Seen::look_at_addresses(self.netlink())?;
        let (expected, leases) = plan::expected(&now, &seen, self.executor.standing());
        let addresses = expected.addresses_of(config, &faces.names);
        let reserved = reserved(&expected, &faces.names, &leases);
        Ok(Prepared { faces, addresses, reserved })
    }

    /// Adopts the links of the configuration that is about to be applied. Interfaces that are
    /// `gone` were in use until now.
    pub(crate) fn adopt(&mut self, faces: Faces, gone: &[String]) {
        let closed = gone.iter().filter_map(|name| self.faces.cards.get(name)).flatten();
        self.closed.extend(closed.cloned());
        self.closed.retain(|card| !faces.cards.values().flatten().any(|used| used == card));
        let taken = |links: &Vec<String>| faces.cards.values().flatten().any(|name| links.contains(name));
        self.known.retain(|ios, links| faces.cards.contains_key(ios) || !taken(links));
        self.known.extend(faces.cards.clone());
        self.faces = faces;
    }

    /// Brings the machine in line with a configuration that was prepared. This cannot fail: what
    /// the kernel does not accept is logged, shows in [`Self::undone`], and is tried again with
    /// each call of this and of [`Self::follow`].
    pub(crate) fn apply(&mut self, demand: Demand<'_>) {
        let cardless = without_card(demand.config, &self.faces.names);
        for name in cardless.difference(&self.cardless) {
            tracing::warn!("{name} has no interface of this machine; map one with --map {name}=NAME");
        }
        self.cardless = cardless;
        self.bring_in_line(demand, Base::AsSeen);
    }

    /// Follows a change of leases, links, routes or tunnels. What an administrator did by hand to
    /// links, addresses and settings stays until the next configuration.
    pub(crate) fn follow(&mut self, demand: Demand<'_>) {
        self.bring_in_line(demand, Base::AsMade);
    }

    fn bring_in_line(&mut self, demand: Demand<'_>, base: Base) {
        let mut undone = Vec::new();
        for round in ROUNDS {
            let now = self.situation(demand);
            let seen = match Seen::look(self.netlink(), plan::settings_of(&now)) {
                Ok(seen) => seen,
                Err(error) => {
                    let blind = error.to_string();
                    if self.blind.as_ref() != Some(&blind) {
                        tracing::error!("the state of this machine could not be read: {blind}");
                    }
                    self.blind = Some(blind);
                    self.executor.keep(undone);
                    return;
                }
            };
            let refused: Vec<_> =
                undone.iter().chain(self.executor.undone()).filter_map(Undone::refused).collect();
            let mut standing = self.executor.standing().clone();
            standing.correct_routes(&seen);
            if base == Base::AsSeen {
                standing.correct_base(&seen);
            }
            let planned = plan::plan(&now, &seen, &standing, &refused);
            let steps = Plan::difference(&standing, &planned.plan);
            tracing::debug!("{} steps bring the machine in line", steps.len());
            self.blind = None;
            self.executor.stand(standing);
            (self.statics, self.captures, self.reverse) =
                (planned.statics, planned.captures, planned.reverse);
            let again = self.executor.carry_out(steps, &mut undone, round);
            if !again || round == Round::Last {
                for line in planned.notices.difference(&self.notices) {
                    tracing::warn!("{line}");
                }
                self.notices = planned.notices;
                break;
            }
        }
        self.executor.keep(undone);
    }

    fn situation<'a>(&'a self, demand: Demand<'a>) -> Situation<'a> {
        Situation {
            config: demand.config,
            names: &self.faces.names,
            made: &self.faces.made,
            closed: &self.closed,
            carrier: &self.carrier,
            keep_addresses: self.keep_addresses,
            leases: &self.leases,
            selected: demand.selected,
            reverse: demand.reverse,
        }
    }

    /// Captures more packets from what the last plan found, because the cost of a new peer must not
    /// grow with the number of peers.
    pub(crate) fn capture_more(&mut self, selected: &[Selector], reverse: &[ReverseRoute]) -> More {
        let Some(routes) = self.captures.more(selected, reverse) else { return More::Everything };
        let mut steps: Vec<_> = routes.into_iter().map(Step::Capture).collect();
        for to in reverse {
            steps.extend(self.reverse.routes(to).into_iter().map(Step::ReverseOn));
            steps.extend(self.reverse.answers(to).into_iter().map(Step::AnswerOn));
        }
        match self.executor.capture(steps) {
            true => More::Done,
            false => More::Undone,
        }
    }

    /// Whether these changes of the machine are only what was captured and released here.
    pub(crate) fn caused(&self, changes: &[Change]) -> bool {
        changes.iter().all(|change| self.executor.caused(change))
    }

    /// Why the machine is not in line, if it is not.
    pub(crate) fn undone(&self) -> Option<&str> {
        let first = || self.executor.undone().first().map(|undone| undone.why.as_str());
        self.blind.as_deref().or_else(first)
    }

    /// Why a link, an address, a setting or a rule is not as planned, if one is not. The gateway
    /// does not start then.
    pub(crate) fn unfounded(&self) -> Option<&str> {
        let mut base = self.executor.undone().iter().filter(|undone| undone.step.stage() == Stage::Base);
        self.blind.as_deref().or_else(|| base.next().map(|undone| undone.why.as_str()))
    }

    /// The interface with a crypto map by which a peer is reached. `None` if it is reached by none of
    /// them.
    pub(crate) fn bearer_to(&self, peer: IpAddr) -> Option<InterfaceId> {
        let how = Lookup { mark: marks::FWMARK, ..Lookup::default() };
        let way = route::lookup(self.netlink(), peer, how).ok()?;
        self.captures.bearer(way.interface)
    }

    /// Notes how the interfaces stand: later changes are told.
    pub(crate) fn begin_lines(&mut self, config: &Config) {
        let links = self.links();
        self.lines.begin(config, &self.faces.names, &links);
    }

    /// The messages for the interfaces that a configuration shuts.
    pub(crate) fn shut_lines(&mut self, config: &Config) -> Vec<String> {
        self.lines.shut(config)
    }

    /// The messages for changes of links. `None` if the links cannot be listed.
    pub(crate) fn lines(&mut self, config: &Config, changes: &[Change]) -> Option<Vec<String>> {
        let links = link::list(self.netlink()).ok()?;
        Some(self.lines.follow(config, &self.faces.names, changes, &links))
    }

    /// Announces to the neighbours the addresses that are new, or whose link came up: they may have
    /// belonged to the router that this machine replaces. With `--no-addresses` this is left to
    /// whatever sets the addresses.
    pub(crate) fn announce(&mut self) {
        if self.keep_addresses {
            return;
        }
        let (Ok(links), Ok(there)) = (link::list(self.netlink()), address::list(self.netlink())) else {
            return;
        };
        let mut reachable = BTreeSet::new();
        for link in links.iter().filter(|link| {
            link.running && !link.loopback && self.faces.names.values().any(|name| *name == link.name)
        }) {
            let Some(mac) = link.mac else { continue };
            for found in there.iter().filter(|found| found.interface == link.index) {
                let IpNet::V4(net) = found.net else { continue };
                if !self.announced.contains(&(link.index, net.addr()))
                    && let Err(error) = neighbour::announce(link.index, mac, net.addr())
                {
                    tracing::debug!("the neighbours on {} do not hear of {}: {error}", link.name, net.addr());
                    continue;
                }
                reachable.insert((link.index, net.addr()));
            }
        }
        self.announced = reachable;
    }

    /// The addresses of the configuration's interfaces now, and what no peer of a dynamic entry may
    /// get as its side of a tunnel because the machine uses it.
    pub(crate) fn addresses(
        &self,
        config: &Config,
    ) -> anyhow::Result<(Addresses, Vec<(AddressRange, Reserved)>)> {
        let seen = Seen::look_at_addresses(self.netlink())?;
        let names = &self.faces.names;
        Ok((seen.addresses_of(config, names), reserved(&seen, names, &self.leases)))
    }

    /// The means to ask the kernel.
    pub(crate) fn netlink(&self) -> &Netlink {
        self.executor.netlink()
    }

    /// The Linux names of the interfaces.
    pub(crate) fn names(&self) -> &Names {
        &self.faces.names
    }

    /// The TUN to and from the tunnels, unless the kernel is the data plane.
    pub(crate) fn tun(&self) -> Option<&str> {
        match &self.carrier {
            Carrier::Tun { name, .. } => Some(name),
            Carrier::Kernel => None,
        }
    }

    /// Whether the addresses of the interfaces are left alone (`--no-addresses`).
    pub(crate) fn keeps_addresses(&self) -> bool {
        self.keep_addresses
    }

    /// The links of this machine; none if they cannot be listed.
    pub(crate) fn links(&self) -> Vec<link::Link> {
        link::list(self.netlink()).unwrap_or_default()
    }

    /// Whether a link has an IPv4 address.
    pub(crate) fn has_address(&self, name: &str) -> bool {
        let index = link::by_name(self.netlink(), name).map(|link| link.index).ok();
        let there = address::list(self.netlink()).unwrap_or_default();
        there.iter().any(|address| Some(address.interface) == index && matches!(address.net, IpNet::V4(_)))
    }

    /// Networks of crypto maps whose routes do not leave by a crypto interface.
    pub(crate) fn elsewhere(&self) -> Vec<Ipv4Net> {
        self.captures.elsewhere().to_vec()
    }

    /// The crypto interface that each route leaves by, if any.
    pub(crate) fn exits(&self) -> Vec<Exit> {
        self.captures.exits().collect()
    }
}

/// The outcome of [`Machine::capture_more`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum More {
    /// All of them are captured.
    Done,
    /// A route could not be set.
    Undone,
    /// Only a complete plan can decide.
    Everything,
}

/// What links, addresses, settings and rules are compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// With what Hubward made of them.
    AsMade,
    /// With what the machine shows.
    AsSeen,
}

/// What no peer of a dynamic entry may get as its side of a tunnel, because the machine uses it:
/// the addresses and networks of the links, whatever set them, and the routers of leases.
fn reserved(seen: &Seen, names: &Names, leases: &BTreeMap<String, Lease>) -> Vec<(AddressRange, Reserved)> {
    let mine = seen.links.iter().filter(|link| names.values().any(|name| *name == link.name));
    let mut reserved = Vec::new();
    for link in mine {
        for net in seen.addresses.iter().filter(|found| found.interface == link.index).map(|found| found.net)
        {
            reserved.push((AddressRange::host(net.addr()), Reserved::Own));
            reserved.push((AddressRange::prefix(net), Reserved::Connected));
        }
    }
    let routers = leases.values().filter_map(|lease| lease.router);
    reserved.extend(routers.map(|router| (AddressRange::host(router.into()), Reserved::NextHop)));
    reserved
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::seen::link_of_test;

    /// A filter of a tunnel interface has no effect because the tunnel interface does not exist
    /// here, so no link may become one.
    #[test]
    fn no_link_stands_for_a_tunnel_interface() {
        let config = hubward_config::parse("interface Tunnel0\ninterface Virtual-Template1\n").config;
        for pair in ["Tunnel0=gre1", "tu0=lo", "Virtual-Template1=eth0"] {
            let error = map_interfaces(&config, &[pair.to_string()], false).unwrap_err();
            assert!(error.to_string().contains("do not exist here"), "{error}");
        }
    }

    #[test]
    fn only_physical_ethernet_interfaces_take_a_card_by_guess() {
        let text = "interface Loopback0\n ip address 10.9.0.1 255.255.255.255\n\
            interface GigabitEthernet0/0.20\n encapsulation dot1Q 20\n ip address 10.1.20.1 255.255.255.0\n\
            interface Vlan1\n ip address 10.2.2.1 255.255.255.0\n\
            interface Tunnel7\n ip address 10.255.7.1 255.255.255.252\n\
            interface Dialer1\n ip address negotiated\n crypto map CM\n\
            interface BVI1\n ip address 10.3.0.1 255.255.255.0\n\
            interface Port-channel1\n ip address 10.4.0.1 255.255.255.0\n\
            interface Serial0/0\n ip address 10.5.0.1 255.255.255.0\n\
            interface Wlan-GigabitEthernet8\n ip address 10.6.0.1 255.255.255.0\n\
            interface FastEthernet0\n ip address dhcp\n shutdown\n\
            interface FastEthernet1\n no ip address\n\
            interface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n\
            interface FastEthernet4\n ip address dhcp\n\
            interface TenGigabitEthernet1/1\n ip address 10.8.0.1 255.255.255.0\n";
        let config = hubward_config::parse(text).config;
        let pair = |ios: &str, linux: &str| (ios.to_string(), linux.to_string());
        let found = guesses(&config, &Cards::new(), &["eth0", "eth1", "eth2", "eth3"]);
        let wanted = [
            pair("GigabitEthernet0/0", "eth0"),
            pair("FastEthernet4", "eth1"),
            pair("TenGigabitEthernet1/1", "eth2"),
        ];
        assert_eq!(found, wanted);
        // an interface with a link keeps it, and too few cards are not an error
        let cards: Cards = [("GigabitEthernet0/0".to_string(), vec!["eth0".to_string()])].into();
        assert_eq!(guesses(&config, &cards, &["eth1"]), [pair("FastEthernet4", "eth1")]);
        let names: Names = wanted.into();
        let without = without_card(&config, &names);
        assert!(without.contains("Loopback0") && without.contains("Vlan1"));
        assert!(!without.contains("Tunnel7"), "no link can stand for a tunnel, left out or not");
        assert!(!without.contains("FastEthernet0") && !without.contains("FastEthernet1"), "{without:?}");
        assert!(!without.contains("GigabitEthernet0/0"));
    }

    #[test]
    fn bridges_and_tunnels_of_the_machine_are_no_cards() {
        for (kind, card) in [
            (None, true),
            (Some("veth"), true),
            (Some("bridge"), false),
            (Some("wireguard"), false),
            (Some("tun"), false),
            (Some("vlan"), false),
        ] {
            let link = link::Link { kind: kind.map(str::to_string), ..link_of_test(1, "x") };
            assert_eq!(is_card(&link), card, "{kind:?}");
        }
    }
}
