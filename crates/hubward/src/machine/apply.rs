//! The configuration on the Linux side: interfaces, addresses, routes, and what leads cleartext into the TUN. Everything that
//! is made is marked and removed again; what was there is left alone.

use crate::base::program::mapping;
use crate::machine::capture::{Capture, Ways};
use crate::machine::view::{Names, Static, is_absent_network};
use crate::translate::Addresses;
use anyhow::bail;
use hubward_config::model::{Addressing, Config, Interface};
use hubward_config::verdict::{has_no_link, takes_card};
use hubward_linux::netlink::Netlink;
use hubward_linux::owned::{self, Ledger};
use hubward_linux::route::{self, Route, RouteKind};
use hubward_linux::rule::{self, Family};
use hubward_linux::sysctl::Setting;
use hubward_linux::tun::Tun;
use hubward_linux::{address, link, marks, neighbour};
use hubward_proto::dhcp::Lease;
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::flow::tables::{self, Exit};
use hubward_proto::names::InterfaceId;
use hubward_proto::policy::reserved::Reserved;
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Gives interfaces of the configuration their links: those that `given` names (`IOS-NAME=LINUX-NAME`), and nothing else; or,
/// if `guess`, each physical Ethernet interface that has something to do and none yet the next free network card.
pub(crate) fn map_interfaces(config: &Config, given: &[String], guess: bool) -> anyhow::Result<Names> {
    let netlink = Netlink::open()?;
    let links: Vec<_> = link::list(&netlink)?
        .into_iter()
        .filter(|link| !link.loopback && !link.name.starts_with(marks::INTERFACE_PREFIX))
        .collect();
    let mut names = Names::new();
    for pair in given {
        let (ios, linux) = mapping(pair)?;
        if !config.interfaces.iter().any(|interface| interface.name == ios) {
            bail!("--map {pair}: the configuration has no interface {ios}");
        }
        if has_no_link(&ios) {
            bail!(
                "--map {pair}: tunnel interfaces and templates do not exist here, and no link stands for one"
            );
        }
        if !links.iter().any(|link| link.name == linux) {
            bail!("--map {pair}: this machine has no interface {linux}");
        }
        if names.values().any(|name| name == linux) {
            bail!("--map {pair}: {linux} is another interface of the configuration already");
        }
        if names.insert(ios.clone(), linux.to_string()).is_some() {
            bail!("--map {pair}: {ios} is mapped already");
        }
    }
    if guess {
        let cards =
            links.iter().filter(|link| is_card(link) && !names.values().any(|name| *name == link.name));
        let free: Vec<_> = cards.map(|link| link.name.as_str()).collect();
        for (ios, linux) in guesses(config, &names, &free) {
            tracing::info!("{ios} is {linux} (by order; --map {ios}=… says otherwise)");
            names.insert(ios, linux);
        }
    }
    Ok(names)
}

/// Which of the free cards each interface without a link gets: by order. An interface that is shut takes none: it may be there
/// in the configuration for a card that this machine does not have. One that only bears sub-interfaces takes its card, too: else
/// the next would get it, and stand on the wrong side.
fn guesses(config: &Config, names: &Names, free: &[&str]) -> Vec<(String, String)> {
    let bears = |interface: &Interface| {
        let part = |name: &str| name.strip_prefix(&interface.name).is_some_and(|rest| rest.starts_with('.'));
        !interface.shutdown && config.interfaces.iter().any(|other| part(&other.name) && is_busy(other))
    };
    let needing = config.interfaces.iter().filter(|interface| {
        (is_busy(interface) || bears(interface))
            && takes_card(&interface.name)
            && !names.contains_key(&interface.name)
    });
    needing.zip(free).map(|(interface, card)| (interface.name.clone(), (*card).to_string())).collect()
}

/// The interfaces that have something to do and no link, although they could have one. What is left out has none.
pub(crate) fn without_card(config: &Config, names: &Names) -> BTreeSet<String> {
    let busy = config.interfaces.iter().filter(|one| is_busy(one) && !has_no_link(&one.name));
    busy.filter(|one| !names.contains_key(&one.name)).map(|one| one.name.clone()).collect()
}

/// Whether an interface has something to do.
fn is_busy(interface: &Interface) -> bool {
    !interface.shutdown && (interface.address != Addressing::None || interface.crypto_map.is_some())
}

/// Whether a link is a network card, or what containers and virtual machines have for one: a bridge or a tunnel of somebody
/// else's is none.
fn is_card(link: &link::Link) -> bool {
    matches!(link.kind.as_deref(), None | Some("veth" | "macvlan" | "ipvlan" | "bond" | "team"))
}

/// What was done to the machine, and the means to do more and to undo it.
pub(crate) struct Machine {
    pub(crate) netlink: Netlink,
    ledger: Ledger,
    pub(crate) names: Names,
    /// The links of all interfaces that there have been: one that comes back gets its own.
    known: Names,
    /// `None`: the kernel carries the packets.
    tun: Option<u32>,
    keep_addresses: bool,
    /// Whether interfaces without a link get one by order.
    guess: bool,
    /// The interfaces without a link of which that was told.
    cardless: BTreeSet<String>,
    /// Why the ledger's file is not as it should be, as it was told.
    unsaved: Option<String>,
    /// The index of an interface with a crypto map, and where the routes led, when everything was captured last.
    bearer: Option<u32>,
    ways: Ways,
    captured: BTreeMap<IpNet, Route>,
    /// Networks that [`Self::capture`] found to be led elsewhere.
    elsewhere: Vec<Ipv4Net>,
    /// The addresses that the configuration names, by link.
    configured: Vec<(String, IpNet)>,
    /// The addresses that neighbours were told of, by link.
    announced: BTreeSet<(u32, Ipv4Addr)>,
    /// What DHCP lent, by link.
    pub(crate) leases: BTreeMap<String, Lease>,
    pub(crate) statics: Vec<Static>,
    pub(crate) told: BTreeSet<String>,
}

impl Machine {
    /// Removes the leftovers of a run that ended badly; links that this configuration shuts stay down. `guess`: interfaces
    /// without a link get one by order.
    pub(crate) fn open(
        state: Option<&Path>,
        config: &Config,
        names: Names,
        keep_addresses: bool,
        guess: bool,
    ) -> anyhow::Result<Self> {
        let netlink = Netlink::open()?;
        let mut ledger = match state {
            Some(folder) => {
                let (ledger, trouble) = Ledger::open(&folder.join("made"));
                if let Some(trouble) = trouble {
                    tracing::error!(
                        "what an earlier run changed on this machine is not known for certain: {trouble}"
                    );
                }
                ledger
            }
            None => Ledger::in_memory(),
        };
        let shut = config.interfaces.iter().filter(|interface| interface.shutdown);
        let shut: Vec<_> = shut.filter_map(|interface| names.get(&interface.name).cloned()).collect();
        for removed in owned::sweep_but(&netlink, &mut ledger, &shut)?.removed {
            tracing::info!("removed a leftover of an earlier run: {removed}");
        }
        let machine = Self {
            netlink,
            ledger,
            known: names.clone(),
            names,
            tun: None,
            keep_addresses,
            guess,
            cardless: BTreeSet::new(),
            unsaved: None,
            bearer: None,
            ways: Ways::default(),
            captured: BTreeMap::new(),
            elsewhere: Vec::new(),
            configured: Vec::new(),
            announced: BTreeSet::new(),
            leases: BTreeMap::new(),
            statics: Vec::new(),
            told: BTreeSet::new(),
        };
        Ok(machine)
    }

    /// What another configuration needs of this machine before anything is changed: links for interfaces that had nothing
    /// to do so far.
    pub(crate) fn prepare(&self, config: &Config) -> anyhow::Result<Names> {
        let stays = |ios: &String| config.interfaces.iter().any(|interface| interface.name == *ios);
        let here = self.names.iter().filter(|(ios, _)| stays(ios));
        let taken = |linux: &String| self.names.iter().any(|(ios, name)| name == linux && stays(ios));
        let back = self.known.iter().filter(|(ios, linux)| stays(ios) && !taken(linux));
        let known: Vec<_> = here.chain(back).map(|(ios, linux)| format!("{ios}={linux}")).collect();
        map_interfaces(config, &known, self.guess)
    }

    /// Interfaces and addresses of the configuration, forwarding, and the TUN unless the kernel carries the packets. Addresses of the configuration before it that
    /// this one does not name are taken away.
    pub(crate) fn apply(&mut self, config: &Config, names: Names, tun: Option<&Tun>) -> anyhow::Result<()> {
        self.known.extend(names.clone());
        self.names = names;
        let cardless = without_card(config, &self.names);
        for name in cardless.difference(&self.cardless) {
            tracing::warn!("{name} has no interface of this machine; map one with --map {name}=NAME");
        }
        self.cardless = cardless;
        let mut wanted = Vec::new();
        for interface in &config.interfaces {
            let Some(name) = self.names.get(&interface.name).cloned() else { continue };
            // what is not there is as good as shut
            if interface.shutdown {
                match self.ledger.set_link(&self.netlink, &name, false) {
                    Err(error) if !error.is_not_found() => return Err(error.into()),
                    _ => continue,
                }
            }
            self.ledger.set_link(&self.netlink, &name, true)?;
            if let (Addressing::Static(nets), false) = (&interface.address, self.keep_addresses) {
                wanted.extend(nets.iter().map(|net| (name.clone(), IpNet::V4(*net))));
            }
        }
        // first away, then on: the kernel takes the other addresses of a network with the first of it
        for (name, net) in
            std::mem::take(&mut self.configured).into_iter().filter(|old| !wanted.contains(old))
        {
            if let Err(error) = self.ledger.remove_address(&self.netlink, &name, net) {
                tracing::warn!("the address {net} of {name} is left behind: {error}");
            }
        }
        for (name, net) in &wanted {
            self.ledger.add_address(&self.netlink, name, *net)?;
        }
        self.configured = wanted;
        self.ledger.set(Setting::IpForward, "1")?;
        self.tun = tun.map(Tun::index);
        if let Some(tun) = tun {
            // what is too long for its tunnel is fragmented, or its source is told: that depends on the tunnel
            link::set_mtu(&self.netlink, tun.index(), 1500)?;
            link::set_up(&self.netlink, tun.index(), true)?;
            self.ledger.set(Setting::RpFilter(tun.name().to_string()), "0")?;
        } else {
            // the kernel asks for an SA once, and again only after this time
            self.ledger.set(Setting::XfrmAcquireExpires, "1")?;
        }
        rule::add(&self.netlink, &owned::capture_rule(Family::V4))?;
        self.tell_unsaved();
        self.apply_routes(config)
    }

    /// Tells that the ledger's file cannot be written, or can again.
    fn tell_unsaved(&mut self) {
        let unsaved = self.ledger.unsaved().map(str::to_string);
        if unsaved == self.unsaved {
            return;
        }
        match &unsaved {
            Some(why) => tracing::error!(
                "{why}; after a crash, what Hubward changed on this machine would stay. It is tried again with every change"
            ),
            None => tracing::info!("what Hubward changes on this machine is written down again"),
        }
        self.unsaved = unsaved;
    }

    /// Tells the neighbours of addresses that are new, or whose link came up: another machine may have had them before, the
    /// router that this one takes the place of. With `--no-addresses` that is somebody else's business.
    pub(crate) fn announce(&mut self) {
        if self.keep_addresses {
            return;
        }
        let (Ok(links), Ok(there)) = (link::list(&self.netlink), address::list(&self.netlink)) else {
            return;
        };
        let mut reachable = BTreeSet::new();
        for link in
            links.iter().filter(|link| link.running && self.names.values().any(|name| *name == link.name))
        {
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

    /// The address of each interface of the configuration right now.
    pub(crate) fn addresses(&self, config: &Config) -> anyhow::Result<Addresses> {
        let there = address::list(&self.netlink)?;
        let links = link::list(&self.netlink)?;
        let found = config.interfaces.iter().filter_map(|interface| {
            let name = self.names.get(&interface.name).filter(|_| !interface.shutdown)?;
            let link = links.iter().find(|link| link.name == *name)?;
            let mut on_link = there.iter().filter(|address| address.interface == link.index);
            let address = match &interface.address {
                Addressing::Static(nets) => nets.first().map(|net| net.addr()),
                _ => on_link.find_map(|address| match address.net {
                    IpNet::V4(net) => Some(net.addr()),
                    IpNet::V6(_) => None,
                }),
            };
            Some((InterfaceId(interface.number), IpAddr::V4(address?)))
        });
        Ok(found.collect())
    }

    /// What the machine has right now that no peer of a dynamic entry may get: addresses and networks that DHCP or somebody else
    /// gave the interfaces, and DHCP's routers.
    pub(crate) fn reserved(&self) -> Vec<(AddressRange, Reserved)> {
        let there = address::list(&self.netlink).unwrap_or_default();
        let links = link::list(&self.netlink).unwrap_or_default();
        let mine = links.iter().filter(|link| self.names.values().any(|name| *name == link.name));
        let mut reserved = Vec::new();
        for link in mine {
            for net in there.iter().filter(|found| found.interface == link.index).map(|found| found.net) {
                reserved.push((AddressRange::host(net.addr()), Reserved::Own));
                reserved.push((AddressRange::prefix(net), Reserved::Connected));
            }
        }
        let routers = self.leases.values().filter_map(|lease| lease.router);
        reserved.extend(routers.map(|router| (AddressRange::host(router.into()), Reserved::NextHop)));
        reserved
    }

    /// A lease's address goes on its link, and its router becomes the default route of last choice (distance 254).
    pub(crate) fn lease_bound(&mut self, config: &Config, name: &str, lease: &Lease) -> anyhow::Result<()> {
        self.ledger.add_address(&self.netlink, name, IpNet::V4(lease.address))?;
        self.leases.insert(name.to_string(), lease.clone());
        self.apply_routes(config)
    }

    /// The lease ended.
    pub(crate) fn lease_lost(&mut self, config: &Config, name: &str, lease: &Lease) -> anyhow::Result<()> {
        self.leases.remove(name);
        self.ledger.remove_address(&self.netlink, name, IpNet::V4(lease.address))?;
        self.apply_routes(config)
    }

    /// The Linux names of the interfaces.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Whether the addresses of the interfaces are left alone (`--no-addresses`).
    pub(crate) fn keeps_addresses(&self) -> bool {
        self.keep_addresses
    }

    /// Whether a link has an IPv4 address.
    pub(crate) fn has_address(&self, name: &str) -> bool {
        let index = link::by_name(&self.netlink, name).map(|link| link.index).ok();
        let there = address::list(&self.netlink).unwrap_or_default();
        there.iter().any(|address| Some(address.interface) == index && matches!(address.net, IpNet::V4(_)))
    }

    /// Sets the routes that lead into the TUN, or for the kernel to where its policies are asked, for all these ranges, and
    /// removes the others. `reverse` are the networks to which `reverse-route` makes a route, each with the crypto map.
    pub(crate) fn capture(
        &mut self,
        config: &Config,
        ranges: Vec<AddressRange>,
        reverse: &[ReverseRoute],
    ) -> anyhow::Result<()> {
        let bearers = self.bearers(config);
        self.bearer = bearers.values().next().copied();
        // the network of an interface that is not here may hold a pool, or what a crypto map carries: that goes into its tunnel
        let statics = &self.statics;
        let main = route::list(&self.netlink)?.into_iter().filter_map(|route| match route.destination {
            IpNet::V4(net) if route.table == route::MAIN && !is_absent_network(statics, &route) => {
                let bearer = bearers.values().find(|index| **index == route.interface).copied();
                Some((net, route.metric, route.kind, bearer))
            }
            _ => None,
        });
        let leaving = |(range, interface): &ReverseRoute| {
            let index = bearers.get(interface).copied();
            let nets = tables::prefixes([*range]).into_iter().filter_map(v4);
            nets.filter_map(move |net| Some((net, index?))).collect::<Vec<_>>()
        };
        self.ways = Ways::new(main, reverse.iter().flat_map(leaving));
        let prefixes = tables::prefixes(ranges);
        if self.tun.is_some() {
            self.guard(config, &prefixes)?;
        }
        let mut wanted = BTreeMap::new();
        self.elsewhere.clear();
        for net in prefixes.iter().copied().filter_map(v4) {
            for (part, capture) in self.ways.capture(net) {
                if capture == Capture::Elsewhere {
                    self.elsewhere.push(part);
                }
                if let Some(route) = self.capturing(net, part, capture) {
                    wanted.entry(route.destination).or_insert(route);
                }
            }
        }
        self.elsewhere.sort();
        self.elsewhere.dedup();
        let gone: Vec<_> =
            self.captured.extract_if(.., |destination, _| !wanted.contains_key(destination)).collect();
        for (_, old) in gone {
            let _gone = route::remove(&self.netlink, &old);
        }
        let mut outcome = Ok(());
        for (destination, new) in wanted {
            if self.captured.get(&destination) == Some(&new) {
                continue;
            }
            match route::replace(&self.netlink, &new) {
                Ok(()) => drop(self.captured.insert(destination, new)),
                // the others may be other peers', and this one is tried again
                Err(error) => outcome = outcome.and(Err(error.into())),
            }
        }
        outcome
    }

    /// Like [`Self::capture`] for ranges that are new, by what it found then: a peer that comes must not cost more where there
    /// are many. `false`: everything has to be looked at.
    pub(crate) fn capture_more(
        &mut self,
        config: &Config,
        ranges: Vec<AddressRange>,
        reverse: &[ReverseRoute],
    ) -> anyhow::Result<bool> {
        let prefixes = tables::prefixes(ranges);
        if self.tun.is_none() || prefixes.iter().any(|prefix| is_outside(config, prefix)) {
            return Ok(false);
        }
        if !reverse.is_empty() {
            let bearers = self.bearers(config);
            for (range, interface) in reverse {
                let Some(index) = bearers.get(interface) else { continue };
                for net in tables::prefixes([*range]).into_iter().filter_map(v4) {
                    self.ways.add_reverse(net, *index);
                }
            }
        }
        let mut routes = Vec::new();
        for net in prefixes.iter().copied().filter_map(v4) {
            let said = self.ways.capture(net);
            routes.extend(said.into_iter().filter_map(|(part, capture)| self.capturing(net, part, capture)));
        }
        let mut outcome = Ok(true);
        for route in routes {
            if self.captured.get(&route.destination) == Some(&route) {
                continue;
            }
            match route::replace(&self.netlink, &route) {
                Ok(()) => drop(self.captured.insert(route.destination, route)),
                // the others are other peers'
                Err(error) => outcome = outcome.and(Err(error.into())),
            }
        }
        outcome
    }

    /// The route of Hubward's own table that says what becomes of a part of a captured prefix; `None` where the table has to say
    /// nothing.
    fn capturing(&self, net: Ipv4Net, part: Ipv4Net, capture: Capture) -> Option<Route> {
        let route = Route { table: marks::TABLE, ..Route::new(IpNet::V4(part)) };
        let by = |interface| Route { interface, ..route.clone() };
        match (capture, self.tun) {
            (Capture::Crypto(_), Some(tun)) => Some(by(tun)),
            // the kernel's policies are asked of packets that have a route: it is the main table's, or this
            (Capture::Crypto(None), None) => self.bearer.map(by),
            (Capture::Crypto(Some(bearer)), None) => self.ways.is_reverse(part).then(|| by(bearer)),
            // without a wider prefix that is captured, the main table is asked anyway
            (Capture::Elsewhere | Capture::Dropped, Some(_)) if part == net => None,
            (Capture::Elsewhere | Capture::Dropped, _) => Some(Route { kind: RouteKind::Throw, ..route }),
        }
    }

    /// The links of the interfaces with a crypto map, by the interface's number.
    fn bearers(&self, config: &Config) -> BTreeMap<InterfaceId, u32> {
        let mut bearers = BTreeMap::new();
        for interface in &config.interfaces {
            if interface.crypto_map.is_some()
                && !interface.shutdown
                && let Some(name) = self.names.get(&interface.name)
                && let Ok(link) = link::by_name(&self.netlink, name)
            {
                bearers.insert(InterfaceId(interface.number), link.index);
            }
        }
        bearers
    }

    /// Networks of which [`Self::capture`] found that their routes lead elsewhere.
    pub(crate) fn elsewhere(&self) -> Vec<Ipv4Net> {
        self.elsewhere.clone()
    }

    /// Where the routes lead, seen from the interfaces with a crypto map, as [`Self::capture`] found them.
    pub(crate) fn exits(&self, config: &Config) -> Vec<Exit> {
        let bearers = self.bearers(config);
        let number =
            |index: u32| bearers.iter().find(|(_, found)| **found == index).map(|(number, _)| *number);
        self.ways.exits().map(|(net, bearer)| (IpNet::V4(net), bearer.and_then(number))).collect()
    }

    /// Cleartext that comes in by an interface with a crypto map although its source lies behind a tunnel must have been
    /// encrypted. Strict reverse path filtering drops it: its way back, the TUN, is not the way by which it came. Where a peer
    /// itself may lie behind a tunnel this would drop its ESP too, and is left out.
    fn guard(&mut self, config: &Config, prefixes: &[IpNet]) -> anyhow::Result<()> {
        let strict = !prefixes.iter().any(|prefix| is_outside(config, prefix));
        for interface in config.interfaces.iter().filter(|interface| interface.crypto_map.is_some()) {
            if let Some(name) = self.names.get(&interface.name) {
                self.ledger.set(Setting::RpFilter(name.clone()), if strict { "1" } else { "2" })?;
            }
        }
        Ok(())
    }
}

/// A network to which `reverse-route` makes a route, and the interface whose crypto map has that.
pub(crate) type ReverseRoute = (AddressRange, InterfaceId);

fn v4(net: IpNet) -> Option<Ipv4Net> {
    match net {
        IpNet::V4(net) => Some(net),
        IpNet::V6(_) => None,
    }
}

/// Whether a network behind a tunnel holds what lies outside: everything, or a peer of the configuration.
fn is_outside(config: &Config, prefix: &IpNet) -> bool {
    let mut peers = config.maps.iter().flat_map(|map| &map.entries).flat_map(|entry| &entry.peers);
    prefix.prefix_len() == 0 || peers.any(|peer| prefix.contains(&IpAddr::V4(*peer)))
}

/// Removes everything that was made, however the gateway ends.
impl Drop for Machine {
    fn drop(&mut self) {
        match owned::sweep(&self.netlink, &mut self.ledger) {
            Ok(swept) => {
                for failed in swept.failed {
                    tracing::warn!("left behind: {failed}");
                }
            }
            Err(error) => tracing::warn!("not everything could be removed: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A filter of a tunnel interface has no effect because there is none, so no link may become one.
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
        let found = guesses(&config, &Names::new(), &["eth0", "eth1", "eth2", "eth3"]);
        let wanted = [
            pair("GigabitEthernet0/0", "eth0"),
            pair("FastEthernet4", "eth1"),
            pair("TenGigabitEthernet1/1", "eth2"),
        ];
        assert_eq!(found, wanted);
        // what has a link keeps it, and too few cards are no fault
        let names: Names = [pair("GigabitEthernet0/0", "eth0")].into();
        assert_eq!(guesses(&config, &names, &["eth1"]), [pair("FastEthernet4", "eth1")]);
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
            let link = link::Link {
                index: 1,
                name: "x".into(),
                kind: kind.map(str::to_string),
                up: true,
                running: true,
                carrier: true,
                loopback: false,
                mtu: 1500,
                mac: None,
                statistics: link::Statistics::default(),
            };
            assert_eq!(is_card(&link), card, "{kind:?}");
        }
    }
}
