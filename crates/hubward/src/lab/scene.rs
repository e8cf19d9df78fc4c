//! The namespaces and the cables between them.

use crate::lab::account::Account;
use anyhow::Context as _;
use hubward_linux::netns::NetNs;
use hubward_linux::pcap::Capture;
use hubward_linux::route::Route;
use hubward_linux::{address, link, route};
use ipnet::IpNet;
use std::net::IpAddr;
use std::path::Path;

/// The reference hub.
pub(crate) const HUB_CFG: &str = include_str!("../../../../examples/hub.cfg");
/// The reference spoke.
pub(crate) const SPOKE_CFG: &str = include_str!("../../../../examples/spoke.cfg");
/// The router between them. It has the address of the hub's next hop, which is in no network of the
/// hub.
pub(crate) const INTERNET_CFG: &str = "\
hostname Internet
!
ip dhcp excluded-address 10.100.2.1 10.100.2.101
ip dhcp pool branch
 network 10.100.2.0 255.255.255.0
 default-router 10.100.2.3
!
interface FastEthernet0/0
 ip address 10.48.67.161 255.255.255.224
 ip address 10.48.66.181 255.255.255.255 secondary
!
interface FastEthernet0/1
 ip address 10.100.2.3 255.255.255.0
!
interface FastEthernet1/0
 ip address 10.51.82.1 255.255.255.0
!
end
";
/// Interface names at the hub and at the spoke.
pub(crate) const MAP: &[&str] = &["FastEthernet0/0=outside", "FastEthernet0/1=inside"];
/// Interface names at the router.
pub(crate) const INTERNET_MAP: &[&str] =
    &["FastEthernet0/0=to-hub", "FastEthernet0/1=to-spoke", "FastEthernet1/0=to-client"];

/// The six places.
pub(crate) struct Scene {
    pub(crate) hub: NetNs,
    pub(crate) hub_lan: NetNs,
    pub(crate) internet: NetNs,
    pub(crate) spoke: NetNs,
    pub(crate) spoke_lan: NetNs,
    pub(crate) client: NetNs,
}

impl Scene {
    /// Makes the namespaces and cables. Hubward sets the routers' addresses; the hosts' are set
    /// here.
    pub(crate) fn build(account: &mut Account) -> anyhow::Result<Self> {
        let scene = Self {
            hub: NetNs::create()?,
            hub_lan: NetNs::create()?,
            internet: NetNs::create()?,
            spoke: NetNs::create()?,
            spoke_lan: NetNs::create()?,
            client: NetNs::create()?,
        };
        cable(&scene.hub, "outside", &scene.internet, "to-hub")?;
        cable(&scene.hub, "inside", &scene.hub_lan, "eth0")?;
        cable(&scene.spoke, "outside", &scene.internet, "to-spoke")?;
        cable(&scene.spoke, "inside", &scene.spoke_lan, "eth0")?;
        cable(&scene.client, "eth0", &scene.internet, "to-client")?;
        host(&scene.hub_lan, "10.1.1.10/23", "10.1.1.1")?;
        host(&scene.spoke_lan, "10.2.2.10/24", "10.2.2.2")?;
        host(&scene.client, "10.51.82.100/24", "10.51.82.1")?;
        account
            .say("hub LAN 10.1.1.10 -- hub 10.48.67.181 -- internet -- spoke (DHCP) -- spoke LAN 10.2.2.10");
        account.say("                                            +---- client 10.51.82.100");
        Ok(scene)
    }

    /// All places by name.
    pub(crate) fn all(&self) -> [(&'static str, &NetNs); 6] {
        [
            ("hub", &self.hub),
            ("hub-lan", &self.hub_lan),
            ("internet", &self.internet),
            ("spoke", &self.spoke),
            ("spoke-lan", &self.spoke_lan),
            ("client", &self.client),
        ]
    }

    /// Records the packets on every cable, each into its own file.
    pub(crate) fn record(&self, dir: &Path) -> anyhow::Result<Vec<Capture>> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let links = [
            (&self.internet, "to-hub"),
            (&self.internet, "to-spoke"),
            (&self.internet, "to-client"),
            (&self.hub, "inside"),
            (&self.spoke, "inside"),
        ];
        let names = ["hub-outside", "spoke-outside", "client-outside", "hub-inside", "spoke-inside"];
        links
            .iter()
            .zip(names)
            .map(|((namespace, interface), name)| {
                let file = dir.join(format!("{name}.pcap"));
                Ok(namespace.run(|| Capture::start(interface, &file))??)
            })
            .collect()
    }
}

fn cable(one: &NetNs, name: &str, other: &NetNs, peer: &str) -> anyhow::Result<()> {
    let netlink = one.netlink()?;
    link::create_veth(&netlink, name, peer, Some(other))?;
    link::set_up(&netlink, link::by_name(&netlink, name)?.index, true)?;
    let netlink = other.netlink()?;
    link::set_up(&netlink, link::by_name(&netlink, peer)?.index, true)?;
    Ok(())
}

fn host(place: &NetNs, address: &str, router: &str) -> anyhow::Result<()> {
    let netlink = place.netlink()?;
    let index = link::by_name(&netlink, "eth0")?.index;
    let net: IpNet = address.parse().context("an address of the lab")?;
    let gateway: IpAddr = router.parse().context("a router of the lab")?;
    address::add_as(&netlink, index, net, BOOT)?;
    let default =
        Route { gateway: Some(gateway), protocol: BOOT, ..Route::new(IpNet::V4(ipnet::Ipv4Net::default())) };
    route::add(&netlink, &default)?;
    Ok(())
}

/// The protocol number of routes that are not Hubward's, so that Hubward does not remove them as
/// its own leftovers.
const BOOT: u8 = 3;
