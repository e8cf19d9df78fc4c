//! `ip route` and `ip local pool`.

use ipnet::IpNet;
use std::net::IpAddr;

/// `ip route`.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Destination.
    pub destination: IpNet,
    /// Next hop.
    pub next_hop: Option<IpAddr>,
    /// Interface.
    pub interface: Option<String>,
    /// `[INTERFACE] dhcp`: the next hop is the router that DHCP gave that interface, or any.
    pub by_dhcp: bool,
    /// Administrative distance.
    pub distance: u8,
    /// Line.
    pub line: u32,
}

/// One range of `ip local pool`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Name.
    pub name: String,
    /// Lowest address; of the same family as the highest.
    pub low: IpAddr,
    /// Highest address.
    pub high: IpAddr,
    /// Line.
    pub line: u32,
}
