//! The reference document's network.
//!
//! ```text
//!  hub_lan 10.1.1.10/23 ── eth1 hub eth0 ── to-hub inet to-spoke ── eth0 spoke eth1 ── spoke_lan 10.2.2.10/24
//!                    10.1.1.1  10.48.67.181/27  │   10.100.2.3/24   10.100.2.102/24  10.2.2.2
//!                                               │ to-client 10.51.82.1/24
//!            without NAT:                       └── eth0 client 10.51.82.100/24
//!            with NAT:     └── outside nat 10.51.82.100/24, in0 192.168.77.1/24 ── eth0 client 192.168.77.10/24
//! ```
//!
//! The reference hub's default route names 10.48.66.181, which is in no network of the hub. Hubward
//! installs it on the outside interface; `inet` owns that address and so answers ARP for it,
//! whatever subnet the request comes from.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::lab::Lab;
use crate::net::Ns;

const fn ip(a: u8, b: u8, c: u8, d: u8) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

/// The hub's outside address.
pub const HUB: Ipv4Addr = ip(10, 48, 67, 181);
/// The hub's inside address.
pub const HUB_INSIDE: Ipv4Addr = ip(10, 1, 1, 1);
/// A host in the hub's LAN.
pub const HUB_HOST: Ipv4Addr = ip(10, 1, 1, 10);
/// The spoke's outside address, by DHCP or by hand.
pub const SPOKE: Ipv4Addr = ip(10, 100, 2, 102);
/// The spoke's inside address.
pub const SPOKE_INSIDE: Ipv4Addr = ip(10, 2, 2, 2);
/// A host in the spoke's LAN.
pub const SPOKE_HOST: Ipv4Addr = ip(10, 2, 2, 10);
/// The spoke's next hop, the router on its outside network.
pub const SPOKE_GATEWAY: Ipv4Addr = ip(10, 100, 2, 3);
/// The client's address, or the NAT router's where there is one.
pub const CLIENT: Ipv4Addr = ip(10, 51, 82, 100);
/// The client's address behind the NAT router.
pub const CLIENT_BEHIND_NAT: Ipv4Addr = ip(192, 168, 77, 10);
/// The first address of the hub's pool.
pub const POOL_FIRST: Ipv4Addr = ip(10, 5, 5, 1);
/// The second address of the hub's pool.
pub const POOL_SECOND: Ipv4Addr = ip(10, 5, 5, 2);
/// The router's address in the hub's outside network.
pub const HUB_ROUTER: Ipv4Addr = ip(10, 48, 67, 161);

/// Networks whose addresses must not be seen between the gateways.
pub const PRIVATE: [(Ipv4Addr, u8); 4] =
    [(ip(10, 1, 0, 0), 16), (ip(10, 2, 0, 0), 16), (ip(10, 3, 0, 0), 16), (ip(10, 5, 5, 0), 24)];

/// The namespaces of the reference network. The hub's and the spoke's interfaces are up and have no
/// address: the program in that role sets their addresses, Hubward by its configuration,
/// strongSwan's with [`Reference::address_hub`] and so on.
#[derive(Debug)]
pub struct Reference {
    /// The hub; eth0 outside, eth1 inside.
    pub hub: Ns,
    /// A host behind the hub.
    pub hub_lan: Ns,
    /// The internet: a router with one leg to everybody.
    pub inet: Ns,
    /// The spoke; eth0 outside, eth1 inside.
    pub spoke: Ns,
    /// A host behind the spoke.
    pub spoke_lan: Ns,
    /// The remote client; eth0.
    pub client: Ns,
    /// The NAT router before the client, if any.
    pub nat: Option<Ns>,
}

/// Whether the client sits behind a masquerading router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// Directly on the internet.
    Direct,
    /// Behind a router that translates its address.
    BehindNat,
}

impl Reference {
    /// Builds the network.
    pub fn build(lab: &Lab, client_at: Client) -> Result<Self> {
        let (hub, hub_lan) = (lab.ns("hub")?, lab.ns("hublan")?);
        let (spoke, spoke_lan) = (lab.ns("spoke")?, lab.ns("spokelan")?);
        let (inet, client) = (lab.ns("inet")?, lab.ns("client")?);

        hub.cable("eth0", &inet, "to-hub")?;
        inet.address("to-hub", "10.48.67.161/27")?;
        inet.address("to-hub", "10.48.66.181/32")?;
        hub.cable("eth1", &hub_lan, "eth0")?;
        hub_lan.address("eth0", "10.1.1.10/23")?;
        hub_lan.default_route(HUB_INSIDE)?;

        spoke.cable("eth0", &inet, "to-spoke")?;
        inet.address("to-spoke", "10.100.2.3/24")?;
        spoke.cable("eth1", &spoke_lan, "eth0")?;
        spoke_lan.address("eth0", "10.2.2.10/24")?;
        spoke_lan.default_route(SPOKE_INSIDE)?;

        let nat = match client_at {
            Client::Direct => {
                client.cable("eth0", &inet, "to-client")?;
                inet.address("to-client", "10.51.82.1/24")?;
                client.address("eth0", "10.51.82.100/24")?;
                client.default_route(ip(10, 51, 82, 1))?;
                None
            }
            Client::BehindNat => {
                let nat = lab.ns("nat")?;
                nat.cable("outside", &inet, "to-client")?;
                inet.address("to-client", "10.51.82.1/24")?;
                nat.address("outside", "10.51.82.100/24")?;
                nat.default_route(ip(10, 51, 82, 1))?;
                nat.masquerade("outside")?;
                nat.cable("in0", &client, "eth0")?;
                nat.address("in0", "192.168.77.1/24")?;
                client.address("eth0", "192.168.77.10/24")?;
                client.default_route(ip(192, 168, 77, 1))?;
                Some(nat)
            }
        };
        Ok(Self { hub, hub_lan, inet, spoke, spoke_lan, client, nat })
    }

    /// The hub's addresses and default route, for a hub that does not set them itself.
    pub fn address_hub(&self) -> Result<()> {
        self.hub.address("eth0", "10.48.67.181/27")?;
        self.hub.address("eth1", "10.1.1.1/23")?;
        self.hub.default_route(HUB_ROUTER)
    }

    /// The spoke's addresses and default route, for a spoke that does not set them itself.
    pub fn address_spoke(&self) -> Result<()> {
        self.spoke.address("eth0", "10.100.2.102/24")?;
        self.spoke.address("eth1", "10.2.2.2/24")?;
        self.spoke.default_route(SPOKE_GATEWAY)
    }
}
