//! `ip dhcp`.

use std::net::Ipv4Addr;

/// `ip dhcp pool`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DhcpPool {
    /// Name.
    pub name: String,
    /// `network`.
    pub network: Option<ipnet::Ipv4Net>,
    /// `host`, with its network's mask.
    pub host: Option<ipnet::Ipv4Net>,
    /// `hardware-address`.
    pub hardware: Option<[u8; 6]>,
    /// `client-identifier`.
    pub client_identifier: Option<Vec<u8>>,
    /// `default-router`.
    pub routers: Vec<Ipv4Addr>,
    /// `dns-server`.
    pub dns: Vec<Ipv4Addr>,
    /// `domain-name`.
    pub domain: Option<String>,
    /// `lease`.
    pub lease: Option<DhcpLease>,
    /// Line.
    pub line: u32,
}

/// `lease`: how long an address is a client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DhcpLease {
    /// For ever.
    Infinite,
    /// This many seconds.
    Seconds(u32),
}
