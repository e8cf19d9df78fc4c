//! `ip nat`.

use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// The side of address translation that an interface is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatSide {
    /// `ip nat inside`
    Inside,
    /// `ip nat outside`
    Outside,
}

/// Everything that `ip nat` says globally.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nat {
    /// `ip nat pool`
    pub pools: Vec<NatPool>,
    /// `ip nat inside source`, in the order of the configuration.
    pub rules: Vec<NatRule>,
    /// `ip nat translation`
    pub timeouts: NatTimeouts,
}

/// `ip nat pool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatPool {
    /// Name.
    pub name: String,
    /// First and last address of each range, in order. A pool without a range translates nothing.
    pub ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// `netmask` or `prefix-length`: the length of the network that the addresses are in.
    pub prefix_length: u8,
    /// `type match-host`: the host part of the address stays.
    pub match_host: bool,
    /// Line.
    pub line: u32,
}

/// A line of `ip nat inside source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatRule {
    /// `list` or `route-map`: addresses are assigned as packets come.
    Dynamic(DynamicNat),
    /// `static`
    Static(StaticNat),
}

impl NatRule {
    /// Its line.
    pub const fn line(&self) -> u32 {
        match self {
            Self::Dynamic(rule) => rule.line,
            Self::Static(rule) => rule.line,
        }
    }
}

/// `ip nat inside source {list|route-map} X {interface|pool} Y [overload]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DynamicNat {
    /// Which packets it translates.
    pub which: NatSelect,
    /// To which addresses.
    pub to: NatTo,
    /// `overload`: many share an address, by their ports. An interface implies it.
    pub overload: bool,
    /// Line.
    pub line: u32,
}

/// Which packets a rule translates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatSelect {
    /// `list NAME`: what the access list permits.
    List(String),
    /// `route-map NAME`: what the route map permits.
    RouteMap(String),
}

/// To which addresses a dynamic rule translates.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatTo {
    /// `interface NAME`: the interface's address, as it is at the moment.
    Interface(String),
    /// `pool NAME`
    Pool(String),
}

/// `ip nat inside source static …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticNat {
    /// What is translated to what.
    pub what: StaticNatPair,
    /// `route-map NAME`: only packets that it permits.
    pub route_map: Option<String>,
    /// `extendable`: there may be others of the same local address.
    pub extendable: bool,
    /// `no-alias`: this router does not answer ARP for the global address.
    pub no_alias: bool,
    /// Line.
    pub line: u32,
}

/// What a static rule translates to what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StaticNatPair {
    /// `static LOCAL GLOBAL`
    Host {
        /// The inside host.
        local: Ipv4Addr,
        /// As which address it is seen outside.
        global: NatGlobal,
    },
    /// `static network LOCAL GLOBAL MASK`: the host part stays.
    Network {
        /// Of the inside hosts.
        local: Ipv4Net,
        /// As which addresses they are seen outside; of the same length.
        global: Ipv4Net,
    },
    /// `static {tcp|udp} LOCAL PORT GLOBAL PORT`
    Port {
        /// TCP (6) or UDP (17).
        protocol: u8,
        /// The inside host.
        local: Ipv4Addr,
        /// Its port.
        local_port: u16,
        /// As which address it is seen outside.
        global: NatGlobal,
        /// By which port.
        global_port: u16,
    },
}

/// The outside address of a static rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NatGlobal {
    /// This address.
    Address(Ipv4Addr),
    /// `interface NAME`: the interface's address, as it is at the moment.
    Interface(String),
}

/// `ip nat translation …-timeout`, in seconds. `None`: the default; `Some(0)`: `never`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatTimeouts {
    /// `timeout`: translations without ports; 86,400.
    pub simple: Option<u32>,
    /// `tcp-timeout`: 86,400.
    pub tcp: Option<u32>,
    /// `udp-timeout`: 300.
    pub udp: Option<u32>,
    /// `icmp-timeout`: 60.
    pub icmp: Option<u32>,
    /// `dns-timeout`: 60.
    pub dns: Option<u32>,
    /// `finrst-timeout`: TCP after FIN or RST; 60.
    pub finrst: Option<u32>,
    /// `syn-timeout`: TCP after SYN without data; 60.
    pub syn: Option<u32>,
}
