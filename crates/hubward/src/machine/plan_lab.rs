//! The machine of the tests of plans: a model of what the kernel shows.

use crate::machine::faces::{Cards, Faces, Kinds};
use crate::machine::plan::*;
use crate::machine::seen::{CONNECTED, link_of_test};
use hubward_linux::address::Address;
use hubward_linux::link::Link;
use hubward_linux::marks::TABLE;
use hubward_linux::neighbour::Proxy;
use hubward_linux::route::{MAIN, RouteKind};
use hubward_linux::rule::Action;
use hubward_proto::flow::selector::AddressRange;
use std::net::Ipv4Addr;

pub(super) const TUN: u32 = 9;

/// The IOS configuration of a row. `0 198.51.100.2/29 map` is GigabitEthernet0/0 with that address
/// and the crypto map, `1 dhcp` and `2 10.1.1.1/24 10.1.2.1/24 shut` are others; anything that does
/// not begin with a digit is a line of IOS.
pub(super) fn config(lines: &[&str]) -> Config {
    let mut text = "crypto isakmp policy 10\n encr aes\n\
        crypto ipsec transform-set AES esp-aes esp-sha-hmac\n\
        ip access-list extended TO-SPOKE\n permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
        crypto map CM 10 ipsec-isakmp\n set peer 203.0.113.10\n set transform-set AES\n match address TO-SPOKE\n"
        .to_string();
    for line in lines {
        if !line.starts_with(|first: char| first.is_ascii_digit()) {
            text += &format!("{line}\n");
            continue;
        }
        let mut words = line.split(' ');
        text += &format!("interface GigabitEthernet0/{}\n", words.next().unwrap());
        let mut secondary = "";
        for word in words {
            match word {
                "map" => text += " crypto map CM\n",
                "shut" => text += " shutdown\n",
                "dhcp" => text += " ip address dhcp\n",
                net => {
                    let net: ipnet::Ipv4Net = net.parse().unwrap();
                    text += &format!(" ip address {} {}{secondary}\n", net.addr(), net.netmask());
                    secondary = " secondary";
                }
            }
        }
    }
    hubward_config::parse(&text).config
}

/// A gateway on a machine with four working network cards, eth0 to eth3.
pub(super) struct Lab {
    pub(super) seen: Seen,
    pub(super) standing: Plan,
    pub(super) carrier: Carrier,
    pub(super) keep_addresses: bool,
    pub(super) leases: BTreeMap<String, Lease>,
    pub(super) selected: Vec<Selector>,
    pub(super) reverse: Vec<ReverseRoute>,
    pub(super) refused: Vec<Route>,
    /// The kernel has dummy links.
    pub(super) dummies: bool,
    /// Cards besides those of GigabitEthernet0/0 to 0/3.
    pub(super) cards: Cards,
}

impl Lab {
    /// The machine of a row, by what is special about it: `eth1 down`, `no eth1`, `eth1
    /// 10.9.0.1/24` (an address that Hubward did not set), `route 10.9.0.0/16 via 10.1.1.9 eth1 5`
    /// (a route that Hubward did not add, with its metric), `lease eth1 10.8.0.5/24 10.8.0.1`,
    /// `kernel` (it carries the packets), `no addresses`, `range 10.2.0.0/16` (what is captured), `range
    /// 10.1.0.0/16 10.2.0.0/16` (likewise, by both sides), `reverse 10.2.0.0/16`, `no dummies` (the kernel has none), `map Vlan1=eth2,eth3`, `eth1
    /// pulled` (the card is taken out), `eth1 back`, and `eth1 replaced` (both at once).
    pub(super) fn new(special: &[&str]) -> Self {
        let mut links: Vec<_> =
            (0..4).map(|number| link_of_test(number + 1, format!("eth{number}"))).collect();
        links.push(Link { up: false, ..link_of_test(TUN, "hubward0") });
        links.push(Link { loopback: true, ..link_of_test(10, LOOPBACK) });
        let mut lab = Self {
            seen: Seen { links, ..Seen::default() },
            standing: Plan::default(),
            carrier: Carrier::Tun { index: TUN, name: "hubward0".into() },
            keep_addresses: false,
            leases: BTreeMap::new(),
            selected: Vec::new(),
            reverse: Vec::new(),
            refused: Vec::new(),
            dummies: true,
            cards: Cards::new(),
        };
        for line in special {
            lab.change(line);
        }
        lab
    }

    pub(super) fn change(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["no", "addresses"] => self.keep_addresses = true,
            ["no", "dummies"] => self.dummies = false,
            ["map", pair] => {
                let (ios, links) = crate::base::program::mapping(pair).unwrap();
                self.cards.insert(ios, links);
            }
            ["no", name] => self.seen.links.retain(|link| link.name != *name),
            ["kernel"] => self.carrier = Carrier::Kernel,
            ["range", net] => self.selected.push(between("0.0.0.0/0", net)),
            ["range", local, net] => self.selected.push(between(local, net)),
            ["reverse", net] => {
                self.reverse.push(reverse_route(net));
            }
            ["lease", name, net, router] => {
                let lease = lease(net, router);
                self.leases.insert((*name).to_string(), lease);
            }
            ["lost", name] => drop(self.leases.remove(*name)),
            ["route", net, "via", hop, name, metric] => {
                let mut route = Route { protocol: 3, ..Route::new(net.parse().unwrap()) };
                route.gateway = Some(hop.parse().unwrap());
                route.interface = self.index(name);
                route.metric = metric.parse().unwrap();
                self.seen.main.push(route);
            }
            ["refuses", net] => {
                let net: IpNet = net.parse().unwrap();
                self.refused.push(Route { interface: self.index("eth1"), metric: 1, ..Route::new(net) });
            }
            [name, "pulled"] => {
                self.pull(name);
                self.standing.correct_routes(&self.seen);
            }
            [name, "replaced"] => {
                // the kernel gives no index twice
                let index = self.seen.links.iter().map(|link| link.index).max().unwrap() + 1;
                self.pull(name);
                self.seen.links.push(Link { up: false, running: false, ..link_of_test(index, *name) });
            }
            [name, "back"] => {
                let index = self.seen.links.iter().map(|link| link.index).max().unwrap() + 1;
                self.seen.links.push(Link { up: false, running: false, ..link_of_test(index, *name) });
            }
            [name, "down"] => {
                let link = self.seen.links.iter_mut().find(|link| link.name == *name).unwrap();
                (link.carrier, link.running) = (false, false);
            }
            [name, net] => self.address(name, net.parse().unwrap()),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn index(&self, name: &str) -> u32 {
        self.seen.link(name).unwrap().index
    }

    pub(super) fn name(&self, index: u32) -> String {
        let link = self.seen.links.iter().find(|link| link.index == index);
        link.map_or_else(|| index.to_string(), |link| link.name.clone())
    }

    fn pull(&mut self, name: &str) {
        let index = self.index(name);
        self.seen.links.retain(|link| link.index != index);
        self.seen.addresses.retain(|there| there.interface != index);
        self.seen.main.retain(|route| route.interface != index);
    }

    fn address(&mut self, name: &str, net: IpNet) {
        let interface = self.index(name);
        self.seen.addresses.push(Address { interface, net, protocol: 0, label: None });
        if net.prefix_len() < net.max_prefix_len() {
            self.seen.main.push(Route { interface, protocol: CONNECTED, ..Route::new(net) });
        }
    }

    /// The plan for a configuration.
    pub(super) fn plan(&self, config: &Config) -> Planned {
        let mut cards: Cards = config
            .interfaces
            .iter()
            .filter_map(|one| {
                let number = one.name.strip_prefix("GigabitEthernet0/")?.parse::<u32>().ok()?;
                (number < 4).then(|| (one.name.clone(), vec![format!("eth{number}")]))
            })
            .collect();
        cards.extend(self.cards.clone());
        let faces = Faces::of(config, cards, Kinds { dummies: self.dummies, vlans: true });
        let now = Situation {
            config,
            names: &faces.names,
            made: &faces.made,
            closed: &[],
            carrier: &self.carrier,
            keep_addresses: self.keep_addresses,
            leases: &self.leases,
            selected: &self.selected,
            reverse: &self.reverse,
        };
        plan(&now, &self.seen, &self.standing, &self.refused.iter().collect::<Vec<_>>())
    }

    /// The steps to a configuration, as the model of the kernel carries them out.
    pub(super) fn steps(&mut self, config: &Config) -> Vec<Step> {
        self.standing.correct_routes(&self.seen);
        let planned = self.plan(config);
        let steps = Plan::difference(&self.standing, &planned.plan);
        for step in &steps {
            self.carry_out(step);
            self.standing.note(step);
        }
        steps
    }

    fn carry_out(&mut self, step: &Step) {
        match step {
            Step::LinkDown(name) => self.turn(name, false),
            Step::LinkUp(name) => self.turn(name, true),
            Step::MakeLink(name, made) => {
                let index = self.seen.links.iter().map(|link| link.index).max().unwrap() + 1;
                let kind = format!("{made:?}").to_lowercase();
                let first = self.seen.links[0].clone();
                let link = Link { index, name: name.clone(), kind: Some(kind), ..first };
                self.seen.links.push(Link { up: false, running: false, carrier: true, ..link });
            }
            Step::UnmakeLink(name) => {
                let index = self.index(name);
                self.seen.links.retain(|link| link.index != index);
                self.seen.addresses.retain(|there| there.interface != index);
                self.seen.main.retain(|route| route.interface != index);
            }
            Step::JoinBridge { port, bridge } => {
                let master = self.index(bridge);
                self.seen.links.iter_mut().find(|link| link.name == *port).unwrap().master = master;
            }
            Step::AddressOn(name, net) if !self.seen.has(name, *net) => self.address(name, *net),
            Step::AddressOn(..) => {}
            Step::AddRule(rule) => self.seen.rules.push(rule.clone()),
            Step::RuleAway(rule) => self.seen.rules.retain(|there| there != rule),
            Step::AddressAway(name, net) => {
                let index = self.index(name);
                let network = net.trunc();
                let mut of_network = self.seen.addresses.iter().filter(|there| there.net.trunc() == network);
                // the kernel removes all other addresses of a network with the first one
                let first = of_network.next().is_some_and(|there| there.net == *net);
                self.seen.addresses.retain(|there| {
                    there.interface != index || !(there.net == *net || first && there.net.trunc() == network)
                });
                if first {
                    let connected =
                        |route: &Route| route.protocol == CONNECTED && route.destination == network;
                    self.seen.main.retain(|route| !connected(route));
                }
            }
            Step::Set(setting, value) => drop(self.seen.settings.insert(setting.clone(), (*value).into())),
            Step::OpenTun(index) => {
                let tun = self.seen.links.iter_mut().find(|link| link.index == *index).unwrap();
                (tun.up, tun.mtu) = (true, TUN_MTU);
            }
            Step::RouteOn(route) => self.seen.main.insert(0, route.clone()),
            Step::RouteAway(route) => self.seen.main.retain(|there| there != route),
            Step::FilterSources(name, filter) => {
                let setting = Setting::RpFilter(name.clone());
                self.seen.settings.insert(setting, filter.value().into());
            }
            Step::Capture(route) => {
                self.seen
                    .own
                    .retain(|there| (there.table, there.destination) != (route.table, route.destination));
                self.seen.own.push(route.clone());
            }
            Step::Release(route) => self.seen.own.retain(|there| there != route),
            Step::ReverseOn(route) => self.seen.main.insert(0, route.clone()),
            Step::ReverseAway(route) => self.seen.main.retain(|there| there != route),
            Step::AnswerOn((name, address)) => {
                let interface = self.index(name);
                self.seen.proxies.push(Proxy { interface, address: *address, protocol: PROTOCOL });
            }
            Step::AnswerAway((_, address)) => self.seen.proxies.retain(|there| there.address != *address),
        }
    }

    pub(super) fn turn(&mut self, name: &str, up: bool) {
        let Some(link) = self.seen.links.iter_mut().find(|link| link.name == *name) else { return };
        (link.up, link.running) = (up, up && link.carrier);
        let index = link.index;
        if !up {
            self.seen.main.retain(|route| route.interface != index);
        }
    }

    /// `on 10.1.1.1/24 eth1`, `route 10.9.0.0/16 via 10.1.1.2 eth1 metric 5`, `capture 10.2.0.0/16
    /// hubward0`.
    pub(super) fn words(&self, step: &Step) -> String {
        match step {
            Step::LinkDown(name) => format!("down {name}"),
            Step::LinkUp(name) => format!("up {name}"),
            Step::UnmakeLink(name) => format!("unmake {name}"),
            Step::MakeLink(name, made) => match made {
                MadeLink::Dummy => format!("make {name}"),
                MadeLink::Vlan { parent, vlan } => format!("make {name}: {parent} tag {vlan}"),
                MadeLink::Bridge { ports } => format!("make {name}: {}", ports.join(" ")),
            },
            Step::JoinBridge { port, bridge } => format!("join {port} {bridge}"),
            Step::AddressAway(name, net) => format!("away {net} {name}"),
            Step::AddressOn(name, net) => format!("on {net} {name}"),
            Step::Set(setting, value) => format!("set {setting:?} {value}"),
            Step::OpenTun(index) => format!("open {}", self.name(*index)),
            Step::AddRule(rule) => format!("rule {}", self.rule(rule)),
            Step::RuleAway(rule) => format!("no rule {}", self.rule(rule)),
            Step::RouteOn(route) => format!("route {}", self.route(route)),
            Step::RouteAway(route) => format!("no route {}", self.route(route)),
            Step::FilterSources(name, filter) => format!("guard {name} {filter:?}"),
            Step::Capture(route) => format!("capture {}", self.route(route)),
            Step::Release(route) => format!("release {}", self.route(route)),
            Step::ReverseOn(route) => format!("reverse {}", self.route(route)),
            Step::ReverseAway(route) => format!("no reverse {}", self.route(route)),
            Step::AnswerOn((name, address)) => format!("answer {address} {name}"),
            Step::AnswerAway((name, address)) => format!("no answer {address} {name}"),
        }
    }

    /// `mark to 11102`, `behind`, `10.1.0.0/16: 1` (the table), `own: 1`, `any: 0`
    fn rule(&self, rule: &Rule) -> String {
        let table = rule.table.saturating_sub(TABLE);
        match (rule.action, rule.source, &rule.arrived_by) {
            (Action::Goto(target), ..) => format!("mark to {target}"),
            (Action::Nothing, ..) => "behind".to_string(),
            (_, Some(net), _) => format!("{net}: {table}"),
            (_, None, Some(_)) => format!("own: {table}"),
            (_, None, None) => format!("any: {table}"),
        }
    }

    fn route(&self, route: &Route) -> String {
        let hop = route.gateway.map(|hop| format!("via {hop} ")).unwrap_or_default();
        let way = match route.kind {
            RouteKind::Unicast => format!("{hop}{}", self.name(route.interface)),
            kind => format!("{kind:?}").to_lowercase(),
        };
        let onlink = if route.onlink { " onlink" } else { "" };
        match route.table {
            MAIN => format!("{} {way}{onlink} metric {}", route.destination, route.metric),
            TABLE => format!("{} {way}", route.destination),
            other => format!("{} {way} in {}", route.destination, other - TABLE),
        }
    }
}

/// Packets from one network to another.
pub(super) fn between(local: &str, remote: &str) -> Selector {
    let [local, remote] = [local, remote].map(|net| AddressRange::prefix(net.parse().unwrap()));
    Selector::between(local, remote)
}

pub(super) fn reverse_route(net: &str) -> ReverseRoute {
    ReverseRoute {
        net: AddressRange::prefix(net.parse().unwrap()),
        interface: InterfaceId(0),
        peer: Some(Ipv4Addr::new(203, 0, 113, 10).into()),
    }
}

pub(super) fn lease(net: &str, router: &str) -> Lease {
    let router: Ipv4Addr = router.parse().unwrap();
    Lease { address: net.parse().unwrap(), router: Some(router), dns: Vec::new(), server: router }
}

/// The steps of one stage, in words.
pub(super) fn of_stage(lab: &Lab, steps: &[Step], stage: Stage) -> Vec<String> {
    steps.iter().filter(|step| step.stage() == stage).map(|step| lab.words(step)).collect()
}

/// A machine with a configuration in force, to which something special has happened since; `.`: the
/// configuration was brought in line with it.
pub(super) fn changed(before: &[&str], special: &[&str]) -> Lab {
    let mut lab = Lab::new(&[]);
    lab.steps(&config(before));
    for line in special {
        match *line {
            "." => drop(lab.steps(&config(before))),
            line => lab.change(line),
        }
    }
    lab
}

/// Checks that a second look finds nothing left to do.
pub(super) fn settled(lab: &mut Lab, config: &Config, name: &str) {
    let left: Vec<_> = lab.steps(config).iter().map(|step| lab.words(step)).collect();
    assert!(left.is_empty(), "{name}: {left:?} the second time");
}
