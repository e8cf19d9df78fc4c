//! The configuration on the Linux side: interfaces, addresses, routes, and what leads cleartext into the TUN. Everything that
//! is made is marked and removed again; what was there is left alone.

use crate::routes::Static;
use anyhow::{Context as _, anyhow, bail};
use hubward_config::model::{Addressing, Config};
use hubward_linux::netlink::Netlink;
use hubward_linux::owned::{self, Ledger};
use hubward_linux::route::{self, Route, RouteKind};
use hubward_linux::rule::{self, Family};
use hubward_linux::sysctl::Setting;
use hubward_linux::tun::Tun;
use hubward_linux::{address, link, neighbour};
use hubward_proto::dhcp::Lease;
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::flow::tables::{self, Exit};
use hubward_proto::ike::path::InterfaceId;
use ipnet::{IpNet, Ipv4Net};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// The Linux names of the configuration's interfaces.
pub(crate) type Names = BTreeMap<String, String>;

/// Gives every interface of the configuration that has something to do a link: by `--map`, else in order of appearance.
pub(crate) fn map_interfaces(config: &Config, given: &[String]) -> anyhow::Result<Names> {
    let netlink = Netlink::open()?;
    let links: Vec<_> = link::list(&netlink)?
        .into_iter()
        .filter(|link| !link.loopback && !link.name.starts_with(owned::INTERFACE_PREFIX))
        .collect();
    let mut names = Names::new();
    for pair in given {
        let (ios, linux) =
            pair.split_once('=').ok_or_else(|| anyhow!("--map takes IOS-NAME=LINUX-NAME, not {pair:?}"))?;
        let ios = hubward_config::long_name(ios);
        if !config.interfaces.iter().any(|interface| interface.name == ios) {
            bail!("--map {pair}: the configuration has no interface {ios}");
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
    let mut free: Vec<_> =
        links.iter().filter(|link| !names.values().any(|name| *name == link.name)).collect();
    for interface in &config.interfaces {
        let idle =
            interface.shutdown || (interface.address == Addressing::None && interface.crypto_map.is_none());
        if idle || names.contains_key(&interface.name) || interface.name.starts_with("Tunnel") {
            continue;
        }
        // a loopback or a VLAN is no cable, and must not take the place of one
        if !interface.name.contains("Ethernet") {
            tracing::warn!(
                "{} has no interface of this machine; map one with --map {}=NAME",
                interface.name,
                interface.name
            );
            continue;
        }
        if free.is_empty() {
            tracing::warn!(
                "{}: no interface of this machine is left for it; map one with --map",
                interface.name
            );
            continue;
        }
        let link = free.remove(0);
        tracing::info!(
            "{} is {} (by order; --map {}=… says otherwise)",
            interface.name,
            link.name,
            interface.name
        );
        names.insert(interface.name.clone(), link.name.clone());
    }
    Ok(names)
}

/// What was done to the machine, and the means to do more and to undo it.
pub(crate) struct Machine {
    pub(crate) netlink: Netlink,
    ledger: Ledger,
    pub(crate) names: Names,
    /// `None`: the kernel carries the packets.
    tun: Option<u32>,
    keep_addresses: bool,
    /// Indices of the interfaces with a crypto map, and the routes of the main table, when everything was captured last.
    bearers: Vec<u32>,
    main: Vec<Route>,
    captured: BTreeMap<IpNet, Route>,
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
    /// Removes the leftovers of a run that ended badly.
    pub(crate) fn open(state: Option<&Path>, names: Names, keep_addresses: bool) -> anyhow::Result<Self> {
        let netlink = Netlink::open()?;
        let mut ledger = match state {
            Some(folder) => {
                std::fs::create_dir_all(folder)
                    .with_context(|| format!("cannot make the folder {}", folder.display()))?;
                Ledger::open(&folder.join("made"))?
            }
            None => Ledger::in_memory(),
        };
        for removed in owned::sweep(&netlink, &mut ledger)?.removed {
            tracing::info!("removed a leftover of an earlier run: {removed}");
        }
        let machine = Self {
            netlink,
            ledger,
            names,
            tun: None,
            keep_addresses,
            bearers: Vec::new(),
            main: Vec::new(),
            captured: BTreeMap::new(),
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
        let known: Vec<_> = self.names.iter().map(|(ios, linux)| format!("{ios}={linux}")).collect();
        map_interfaces(config, &known)
    }

    /// Interfaces and addresses of the configuration, forwarding, and the TUN unless the kernel carries the packets. Addresses of the configuration before it that
    /// this one does not name are taken away.
    pub(crate) fn apply(&mut self, config: &Config, names: Names, tun: Option<&Tun>) -> anyhow::Result<()> {
        self.names = names;
        let mut wanted = Vec::new();
        for interface in config.interfaces.iter().filter(|interface| !interface.shutdown) {
            let Some(name) = self.names.get(&interface.name).cloned() else { continue };
            let link = link::by_name(&self.netlink, &name)?;
            link::set_up(&self.netlink, link.index, true)?;
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
        self.apply_routes(config)
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
    pub(crate) fn addresses(&self, config: &Config) -> anyhow::Result<Vec<Option<Ipv4Addr>>> {
        let there = address::list(&self.netlink)?;
        let links = link::list(&self.netlink)?;
        let found = config.interfaces.iter().map(|interface| {
            let name = self.names.get(&interface.name)?;
            let link = links.iter().find(|link| link.name == *name)?;
            let mut on_link = there.iter().filter(|address| address.interface == link.index);
            match &interface.address {
                Addressing::Static(nets) => nets.first().map(|net| net.addr()),
                _ => on_link.find_map(|address| match address.net {
                    IpNet::V4(net) => Some(net.addr()),
                    IpNet::V6(_) => None,
                }),
            }
        });
        Ok(found.collect())
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
    /// removes the others.
    pub(crate) fn capture(&mut self, config: &Config, ranges: Vec<AddressRange>) -> anyhow::Result<()> {
        self.bearers = config
            .interfaces
            .iter()
            .filter(|interface| interface.crypto_map.is_some())
            .filter_map(|interface| self.names.get(&interface.name))
            .filter_map(|name| link::by_name(&self.netlink, name).ok())
            .map(|link| link.index)
            .collect();
        self.main = route::list(&self.netlink)?
            .into_iter()
            .filter(|route| route.table == route::MAIN && matches!(route.kind, RouteKind::Unicast))
            .collect();
        let prefixes = tables::prefixes(ranges);
        if self.tun.is_some() {
            self.guard(config, &prefixes)?;
        }
        let mut wanted = BTreeMap::new();
        for route in prefixes.iter().flat_map(|prefix| self.capturing(*prefix)) {
            wanted.entry(route.destination).or_insert(route);
        }
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
    ) -> anyhow::Result<bool> {
        let prefixes = tables::prefixes(ranges);
        if self.tun.is_none() || prefixes.iter().any(|prefix| is_outside(config, prefix)) {
            return Ok(false);
        }
        let routes: Vec<_> = prefixes.iter().flat_map(|prefix| self.capturing(*prefix)).collect();
        let mut outcome = Ok(true);
        for route in routes {
            if let Entry::Vacant(place) = self.captured.entry(route.destination) {
                match route::replace(&self.netlink, &route) {
                    Ok(()) => drop(place.insert(route)),
                    // the others are other peers'
                    Err(error) => outcome = outcome.and(Err(error.into())),
                }
            }
        }
        outcome
    }

    /// A prefix is captured where the route that would be taken leaves by an interface that bears a crypto map; what a longer
    /// route leads elsewhere is thrown back to the main table.
    fn capturing(&self, prefix: IpNet) -> Vec<Route> {
        let throw =
            |destination| Route { table: owned::TABLE, kind: RouteKind::Throw, ..Route::new(destination) };
        let mut wanted = Vec::new();
        // of equal routes the kernel uses, and lists, the first
        let covering = self.main.iter().rev().filter(|r| r.destination.contains(&prefix));
        let taken = covering.max_by_key(|r| (r.destination.prefix_len(), std::cmp::Reverse(r.metric)));
        let way = match (taken, self.tun) {
            (Some(taken), None) if !self.bearers.contains(&taken.interface) => {
                wanted.push(throw(prefix));
                None
            }
            (Some(taken), Some(_)) if !self.bearers.contains(&taken.interface) => None,
            (_, Some(tun)) => Some(tun),
            // the kernel's policies are asked of packets that have a route
            (None, None) => self.bearers.first().copied(),
            (Some(_), None) => None,
        };
        wanted.extend(way.map(|interface| Route { table: owned::TABLE, interface, ..Route::new(prefix) }));
        let inside = self.main.iter().filter(|r| prefix.contains(&r.destination) && r.destination != prefix);
        let elsewhere = inside.filter(|r| !self.bearers.contains(&r.interface));
        wanted.extend(elsewhere.map(|route| throw(route.destination)));
        wanted
    }

    /// Networks of which [`Self::capture`] found that their routes lead elsewhere.
    pub(crate) fn elsewhere(&self) -> Vec<Ipv4Net> {
        let thrown = self.captured.values().filter(|route| route.kind == RouteKind::Throw);
        thrown
            .filter_map(|route| match route.destination {
                IpNet::V4(net) => Some(net),
                IpNet::V6(_) => None,
            })
            .collect()
    }

    /// Where the routes of the main table lead, seen from the interfaces with a crypto map.
    pub(crate) fn exits(&self, config: &Config) -> anyhow::Result<Vec<Exit>> {
        let mut bearers = BTreeMap::new();
        for (index, interface) in config.interfaces.iter().enumerate() {
            if interface.crypto_map.is_some()
                && let Some(name) = self.names.get(&interface.name)
                && let Ok(link) = link::by_name(&self.netlink, name)
            {
                bearers.insert(link.index, InterfaceId(u16::try_from(index)?));
            }
        }
        let mut main: Vec<_> = route::list(&self.netlink)?
            .into_iter()
            .filter(|route| route.table == route::MAIN && matches!(route.kind, RouteKind::Unicast))
            .collect();
        main.sort_by_key(|route| route.metric);
        Ok(main.iter().map(|route| (route.destination, bearers.get(&route.interface).copied())).collect())
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

/// The interfaces of the configuration with their links, in its order.
pub(crate) fn interface_views(
    netlink: &Netlink,
    names: &Names,
    config: &Config,
) -> anyhow::Result<Vec<InterfaceView>> {
    let there = address::list(netlink)?;
    let links = link::list(netlink)?;
    let views = config.interfaces.iter().map(|interface| {
        let link = names.get(&interface.name).and_then(|name| links.iter().find(|l| l.name == *name));
        let of_link = there.iter().filter(|address| link.is_some_and(|link| address.interface == link.index));
        let on_link: Vec<_> = of_link
            .filter_map(|address| match address.net {
                IpNet::V4(net) => Some(net),
                IpNet::V6(_) => None,
            })
            .collect();
        let configured = match &interface.address {
            Addressing::Static(nets) => nets.as_slice(),
            Addressing::None | Addressing::Dhcp => &[],
        };
        // the kernel lists them by age; the first of the configuration is the primary one
        let first = configured.first().filter(|net| on_link.contains(net)).or(on_link.first()).copied();
        InterfaceView {
            name: interface.name.clone(),
            description: interface.description.clone(),
            index: link.map(|link| link.index),
            shutdown: interface.shutdown,
            up: link.is_some_and(|link| link.up),
            running: link.is_some_and(|link| link.running),
            mtu: link.map_or(1500, |link| link.mtu),
            mac: link.and_then(|link| link.mac),
            net: first,
            secondary: on_link.iter().filter(|net| Some(**net) != first).copied().collect(),
            addressing: match (&interface.address, first) {
                (Addressing::Dhcp, _) => AddressedBy::Dhcp,
                (Addressing::Static(nets), Some(net)) if nets.contains(&net) => AddressedBy::Configuration,
                (_, Some(_)) => AddressedBy::Host,
                _ => AddressedBy::Nothing,
            },
            crypto_map: interface.crypto_map.clone(),
            statistics: link.map(|link| link.statistics).unwrap_or_default(),
        }
    });
    Ok(views.collect())
}

/// Who gave an interface its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressedBy {
    /// `ip address A M`.
    Configuration,
    /// `ip address dhcp`.
    Dhcp,
    /// The machine had it already, and the configuration does not name it.
    Host,
    /// It has none.
    Nothing,
}

/// An interface for `show`.
#[derive(Clone, Debug)]
pub(crate) struct InterfaceView {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// Of its link, when it has one.
    pub(crate) index: Option<u32>,
    pub(crate) shutdown: bool,
    pub(crate) up: bool,
    pub(crate) running: bool,
    pub(crate) mtu: u32,
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) net: Option<Ipv4Net>,
    pub(crate) secondary: Vec<Ipv4Net>,
    pub(crate) addressing: AddressedBy,
    pub(crate) crypto_map: Option<String>,
    pub(crate) statistics: link::Statistics,
}
