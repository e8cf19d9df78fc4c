//! What is shown of the machine: its interfaces and the static routes of the configuration.

use crate::base::family::v4;
pub(crate) use crate::machine::faces::Names;
use crate::machine::{faces, published};
use hubward_config::model::{Addressing, Config};
use hubward_linux::marks::PROTOCOL;
use hubward_linux::netlink::Netlink;
use hubward_linux::route::{Route, RouteKind};
use hubward_linux::{address, link};
use ipnet::Ipv4Net;

/// Where the address of an interface comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressedBy {
    /// `ip address A M`.
    Configuration,
    /// `ip address dhcp`.
    Dhcp,
    /// The machine already had it, and the configuration does not name it.
    Host,
    /// It has none.
    Nothing,
}

/// An interface for `show`.
#[derive(Clone, Debug)]
pub(crate) struct InterfaceView {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// The index of its link, if it has one.
    pub(crate) index: Option<u32>,
    pub(crate) shutdown: bool,
    pub(crate) up: bool,
    pub(crate) running: bool,
    pub(crate) mtu: u32,
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) net: Option<Ipv4Net>,
    pub(crate) secondary: Vec<Ipv4Net>,
    /// Addresses for which it answers because of `ip nat`.
    pub(crate) aliases: Vec<Ipv4Net>,
    pub(crate) addressing: AddressedBy,
    pub(crate) crypto_map: Option<String>,
    pub(crate) statistics: link::Statistics,
}

/// The interfaces of the configuration with their links, in its order.
pub(crate) fn interface_views(
    netlink: &Netlink,
    names: &Names,
    config: &Config,
) -> anyhow::Result<Vec<InterfaceView>> {
    let there = address::list(netlink)?;
    let links = link::list(netlink)?;
    let aliases = published::aliases(config);
    let views = config.interfaces.iter().map(|interface| {
        let link = names.get(&interface.name).and_then(|name| links.iter().find(|l| l.name == *name));
        let of_link = there.iter().filter(|address| link.is_some_and(|link| address.interface == link.index));
        let on_link = of_link.filter_map(|address| v4(address.net));
        // what answers for a translation is no address of the interface
        let (aliases, on_link): (Vec<_>, Vec<_>) = on_link.partition(|net| aliases.contains(net));
        let shared = link.filter(|link| faces::is_shared(names, &link.name));
        // these views are for `show ip`
        let configured: Vec<Ipv4Net> = match &interface.address {
            Addressing::Static(nets) => nets.iter().copied().filter_map(v4).collect(),
            Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => Vec::new(),
        };
        let on_link = match (interface.shutdown, shared, &interface.address) {
            // a router still shows the addresses of an interface that is shut
            (true, ..) => configured.clone(),
            // the others on the link are those of other interfaces
            (false, Some(link), Addressing::Static(_) | Addressing::Secondary(_) | Addressing::None) => {
                let there = |net: &&Ipv4Net| v4(faces::on_link(&link.name, (**net).into()));
                configured
                    .iter()
                    .filter(|net| there(net).is_some_and(|net| on_link.contains(&net)))
                    .copied()
                    .collect()
            }
            (false, ..) => on_link,
        };
        // the kernel lists them by age, but the configuration's first address is the primary one
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
            aliases,
            addressing: match (&interface.address, first) {
                (Addressing::Dhcp, _) => AddressedBy::Dhcp,
                (Addressing::Static(_), Some(net)) if configured.contains(&net) => AddressedBy::Configuration,
                (_, Some(_)) => AddressedBy::Host,
                _ => AddressedBy::Nothing,
            },
            crypto_map: interface.crypto_map.clone(),
            statistics: link.map(|link| link.statistics).unwrap_or_default(),
        }
    });
    Ok(views.collect())
}

/// A static route as installed, or kept for when a better one is withdrawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Static {
    /// The route.
    pub(crate) route: Route,
    /// IOS's administrative distance.
    pub(crate) distance: u8,
    /// The IOS name of the interface it leaves by.
    pub(crate) interface: Option<String>,
    /// Why it is not used although no other route of the configuration is better.
    pub(crate) hidden: Option<String>,
}

/// Whether a route of the machine represents the network of an interface that Hubward does not
/// have.
pub(crate) fn is_absent_network(statics: &[Static], route: &Route) -> bool {
    statics.iter().any(|known| known.distance == CONNECTED_DISTANCE && same(&known.route, route))
}

/// The distance of a connected network.
pub(crate) const CONNECTED_DISTANCE: u8 = 0;

/// Whether a route of the machine is the one that Hubward wanted.
pub(crate) fn same(wanted: &Route, there: &Route) -> bool {
    wanted.destination == there.destination
        && wanted.metric == there.metric
        && wanted.kind == there.kind
        && wanted.gateway == there.gateway
        && (wanted.interface == there.interface || wanted.kind != RouteKind::Unicast)
        && there.protocol == PROTOCOL
}
