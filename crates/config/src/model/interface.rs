//! `interface`.

use ipnet::IpNet;

/// How an interface gets its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// `no ip address`.
    #[default]
    None,
    /// `ip address A M`, with secondaries.
    Static(Vec<IpNet>),
    /// `ip address dhcp`.
    Dhcp,
}

/// `interface`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interface {
    /// Long name.
    pub name: String,
    /// Identifies the interface as long as the program runs, whatever is added, moved or removed
    /// around it ([`Config::keep_numbers`]).
    pub number: u16,
    /// `description`.
    pub description: Option<String>,
    /// Address.
    pub address: Addressing,
    /// `shutdown`.
    pub shutdown: bool,
    /// `crypto map`.
    pub crypto_map: Option<String>,
    /// `vrf forwarding`, `ip vrf forwarding`: not the global table.
    pub vrf: Option<String>,
    /// `ip mtu` or `mtu`.
    pub mtu: Option<u32>,
    /// Line.
    pub line: u32,
}
