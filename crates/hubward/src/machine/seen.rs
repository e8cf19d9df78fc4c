//! What the machine shows now, and what it is expected to show after a change.

use crate::base::family::v4;
use crate::machine::faces;
use crate::machine::view::Names;
use crate::translate::Addresses;
use hubward_config::model::{Addressing, Config, Interface};
use hubward_linux::Error;
use hubward_linux::address::{self, Address};
use hubward_linux::link::{self, Link};
use hubward_linux::marks::{CAPTURE_TABLES, INTERFACE_PREFIX, PROTOCOL};
use hubward_linux::neighbour::{self, Proxy};
use hubward_linux::netlink::Netlink;
use hubward_linux::route::{self, Route, RouteKind};
use hubward_linux::rule::{self, Rule};
use hubward_linux::sysctl::{self, Setting};
use hubward_proto::names::InterfaceId;
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// `RTPROT_KERNEL`: the route of a connected network, which comes before every static one in IOS
/// too.
pub(crate) const CONNECTED: u8 = 2;

/// What the machine shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) links: Vec<Link>,
    pub(crate) addresses: Vec<Address>,
    /// The main table, in the kernel's order.
    pub(crate) main: Vec<Route>,
    /// Hubward's own tables.
    pub(crate) own: Vec<Route>,
    pub(crate) rules: Vec<Rule>,
    /// The addresses for which the machine answers on a link.
    pub(crate) proxies: Vec<Proxy>,
    /// The requested settings, as far as they could be read.
    pub(crate) settings: BTreeMap<Setting, String>,
}

impl Seen {
    /// Reads everything, including these settings. Nothing is changed.
    pub(crate) fn look(
        netlink: &Netlink,
        settings: impl IntoIterator<Item = Setting>,
    ) -> Result<Self, Error> {
        let (mut main, mut own) = (Vec::new(), Vec::new());
        for route in route::list(netlink)? {
            match route.table {
                route::MAIN => main.push(route),
                table if CAPTURE_TABLES.contains(&table) => own.push(route),
                _ => {}
            }
        }
        let values = settings.into_iter().filter_map(|setting| {
            let value = sysctl::get(&setting).ok()?;
            Some((setting, value))
        });
        Ok(Self {
            links: link::list(netlink)?,
            addresses: address::list(netlink)?,
            main,
            own,
            rules: rule::list(netlink)?,
            proxies: neighbour::proxies(netlink)?,
            settings: values.collect(),
        })
    }

    /// Reads links and addresses only.
    pub(crate) fn look_at_addresses(netlink: &Netlink) -> Result<Self, Error> {
        let (links, addresses) = (link::list(netlink)?, address::list(netlink)?);
        Ok(Self { links, addresses, ..Self::default() })
    }

    /// The link of this name.
    pub(crate) fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// Whether a link has this address.
    pub(crate) fn has(&self, link: &str, net: IpNet) -> bool {
        let index = self.link(link).map(|link| link.index);
        self.addresses.iter().any(|there| Some(there.interface) == index && there.net == net)
    }

    /// Whether the machine answers for an address on a link.
    pub(crate) fn answers(&self, link: &str, address: IpAddr) -> bool {
        let index = self.link(link).map(|link| link.index);
        self.proxies.iter().any(|there| Some(there.interface) == index && there.address == address)
    }

    /// What the machine will show once these links are up or down (by name), and these addresses
    /// are removed and added. The kernel adds and removes the routes of connected networks itself.
    /// Whether a link that comes up works is known only afterwards, so it is not expected to work.
    pub(crate) fn expected(
        &self,
        links: &BTreeMap<String, bool>,
        away: &[(String, IpNet)],
        on: &[(String, IpNet)],
    ) -> Self {
        let mut after = self.clone();
        for link in &mut after.links {
            match links.get(&link.name) {
                Some(true) => link.up = true,
                Some(false) => {
                    (link.up, link.running) = (false, false);
                    after.main.retain(|route| route.interface != link.index);
                }
                None => {}
            }
        }
        for (name, net) in away {
            let Some(index) = self.link(name).map(|link| link.index) else { continue };
            after.addresses.retain(|there| there.interface != index || there.net != *net);
            let network = net.trunc();
            let others = |there: &Address| there.interface == index && there.net.trunc() == network;
            if !after.addresses.iter().any(others) {
                after.main.retain(|route| !is_connected(route, index, network));
            }
        }
        for (name, net) in on.iter().filter(|(name, net)| !self.has(name, *net)) {
            let Some(link) = after.links.iter().find(|link| link.name == *name) else { continue };
            let (interface, network) = (link.index, net.trunc());
            after.addresses.push(Address { interface, net: *net, protocol: PROTOCOL, label: None });
            let known = after.main.iter().any(|route| is_connected(route, interface, network));
            if link.up && !known && network.prefix_len() < network.max_prefix_len() {
                after.main.push(Route { interface, protocol: CONNECTED, ..Route::new(network) });
            }
        }
        after
    }

    /// The addresses at which a configuration's interfaces are reached. A configured address counts
    /// before it is set, and before its link is made. The tunnels of a crypto map with
    /// `local-address` terminate at the address of another interface, so that counts in the place
    /// of its own.
    pub(crate) fn addresses_of(&self, config: &Config, names: &Names) -> Addresses {
        let own: Addresses = config
            .interfaces
            .iter()
            .filter_map(|one| Some((InterfaceId(one.number), self.address_of(one, names)?)))
            .collect();
        let ends = config.interfaces.iter().filter_map(|one| {
            let id = InterfaceId(one.number);
            let end = match config.terminates(one) {
                Some(other) => InterfaceId(config.interface(other)?.number),
                None => id,
            };
            Some((id, *own.get(&end)?))
        });
        ends.collect()
    }

    /// The primary address of an interface.
    fn address_of(&self, interface: &Interface, names: &Names) -> Option<IpAddr> {
        let name = names.get(&interface.name).filter(|_| !interface.shutdown)?;
        let link = self.link(name);
        if link.is_none() && !name.starts_with(INTERFACE_PREFIX) {
            return None;
        }
        match &interface.address {
            Addressing::Static(nets) => nets.first().map(|net| net.addr()),
            // those are other interfaces'
            Addressing::None | Addressing::Secondary(_) if faces::is_shared(names, name) => None,
            // addresses that the kernel assigned itself (fe80::) do not terminate tunnels
            Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => {
                let mut on_link = self
                    .addresses
                    .iter()
                    .filter(|there| there.interface == link.map_or(0, |link| link.index));
                on_link.find_map(|address| v4(address.net)).map(|net| net.addr().into())
            }
        }
    }
}

fn is_connected(route: &Route, interface: u32, network: IpNet) -> bool {
    route.protocol == CONNECTED
        && route.kind == RouteKind::Unicast
        && route.interface == interface
        && route.destination == network
}

/// A link of a test: it works, unless the test says otherwise.
#[cfg(test)]
pub(crate) fn link_of_test(index: u32, name: impl Into<String>) -> Link {
    Link {
        index,
        name: name.into(),
        kind: None,
        up: true,
        running: true,
        carrier: true,
        loopback: false,
        master: 0,
        mtu: 1500,
        mac: None,
        statistics: hubward_linux::link::Statistics::default(),
    }
}
