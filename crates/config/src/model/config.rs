//! A whole configuration.

use super::acl::{Acl, ObjectGroup, TimeRange};
use super::archive::Archive;
use super::clock::Clock;
use super::dhcp::DhcpPool;
use super::ike::{Group, IsakmpPolicy, Key, Keyring, Profile};
use super::interface::Interface;
use super::ipsec::{CryptoGlobal, CryptoMap, DynamicMap, TransformSet};
use super::logging::LogSettings;
use super::login::{Aaa, EnablePassword, Ssh, TerminalLine, User};
use super::nat::Nat;
use super::route::{Pool, Route};
use super::route_map::RouteMap;
use ipnet::IpNet;
use std::net::Ipv4Addr;

/// A whole configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// `version`: of which release the configuration is, as far as it says.
    pub version: Option<(u16, u16)>,
    /// `hostname`.
    pub hostname: Option<String>,
    /// `ip domain name`.
    pub domain_name: Option<String>,
    /// `service password-encryption`.
    pub password_encryption: bool,
    /// `logging on`, the default.
    pub logging: Option<bool>,
    /// Where lines of the log go, and how they are stamped.
    pub log: LogSettings,
    /// `archive`: whether the log says what is typed.
    pub archive: Archive,
    /// `clock`: the router's own time.
    pub clock: Clock,
    /// `username`.
    pub users: Vec<User>,
    /// AAA.
    pub aaa: Aaa,
    /// `interface`, in order.
    pub interfaces: Vec<Interface>,
    /// `ip route`.
    pub routes: Vec<Route>,
    /// `ip nat`.
    pub nat: Nat,
    /// `route-map`.
    pub route_maps: Vec<RouteMap>,
    /// `ip local policy route-map`: for the router's own packets.
    pub local_policy: Option<String>,
    /// `ip local pool`, several lines of a name extend it.
    pub pools: Vec<Pool>,
    /// IPv4 access lists by name or number.
    pub acls: Vec<Acl>,
    /// `ipv6 access-list`
    pub ipv6_acls: Vec<Acl>,
    /// `object-group`
    pub object_groups: Vec<ObjectGroup>,
    /// `time-range`
    pub time_ranges: Vec<TimeRange>,
    /// `crypto isakmp policy`, by number.
    pub policies: Vec<IsakmpPolicy>,
    /// `crypto isakmp key`: the keyring called `default`.
    pub default_keys: Vec<Key>,
    /// `crypto keyring`.
    pub keyrings: Vec<Keyring>,
    /// `crypto isakmp profile`.
    pub profiles: Vec<Profile>,
    /// `crypto isakmp client configuration group`.
    pub groups: Vec<Group>,
    /// `crypto ipsec transform-set`.
    pub transform_sets: Vec<TransformSet>,
    /// `crypto dynamic-map`.
    pub dynamic_maps: Vec<DynamicMap>,
    /// `crypto map`.
    pub maps: Vec<CryptoMap>,
    /// Global `crypto` settings.
    pub crypto: CryptoGlobal,
    /// `ip dhcp pool`.
    pub dhcp_pools: Vec<DhcpPool>,
    /// `no service dhcp`: no address is assigned.
    pub dhcp_off: bool,
    /// `ip arp proxy disable`: no interface answers for addresses that are elsewhere.
    pub proxy_arp_off: bool,
    /// `line`, in order.
    pub lines: Vec<TerminalLine>,
    /// `enable secret` and `enable password`.
    pub enable: Vec<EnablePassword>,
    /// `ip ssh`.
    pub ssh: Ssh,
    /// `ip dhcp excluded-address`.
    pub dhcp_excluded: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// What the tunnels carried that are left out here; empty in what [`parse`](crate::parse())
    /// gives.
    pub closed: Closed,
    /// What the start was told to leave out or allow; empty in what [`parse`](crate::parse())
    /// returns.
    pub chosen: Chosen,
    /// The first number that no interface has had, see [`Interface::number`].
    pub first_free_number: u16,
}

impl Config {
    /// The client group for clients that name this one: the group itself, or the one named
    /// `default`, which is for the clients whose group has no configuration.
    pub fn group_for(&self, name: &str) -> Option<&Group> {
        let named = |name: &str| self.groups.iter().find(|group| group.name == name);
        named(name).or_else(|| named("default"))
    }

    /// The pool of a group's clients: its own, or the one of all clients (`crypto isakmp client
    /// configuration address-pool local`).
    pub fn pool_of<'c>(&'c self, group: &'c Group) -> Option<&'c str> {
        let of_all = self.crypto.address_pool.as_ref().map(|(pool, _)| pool);
        group.pool.as_ref().or(of_all).map(String::as_str)
    }

    /// Whether a user was made for the router, and not only for Xauth: one with a `privilege`, or a
    /// public key.
    pub fn may_log_in(&self, user: &User) -> bool {
        user.privilege.is_some() || self.ssh.keys.iter().any(|key| key.user == user.name)
    }

    /// Numbers the interfaces from 0, in their order.
    pub(crate) fn number_interfaces(&mut self) {
        for (place, interface) in self.interfaces.iter_mut().enumerate() {
            interface.number = u16::try_from(place).unwrap_or(u16::MAX);
        }
        self.first_free_number = u16::try_from(self.interfaces.len()).unwrap_or(u16::MAX);
    }

    /// Gives each interface the number that it has in `before`, and new ones numbers that none has
    /// had: a configuration that takes the place of `before` moves or removes interfaces without
    /// another taking over what belonged to them.
    ///
    /// False if there are no numbers left: after 65,535 interfaces in one run.
    #[must_use]
    pub fn keep_numbers(&mut self, before: &Self) -> bool {
        self.first_free_number = before.first_free_number;
        for interface in &mut self.interfaces {
            let known = before.interfaces.iter().find(|known| known.name == interface.name);
            interface.number = known.map_or(self.first_free_number, |known| known.number);
            if known.is_none() {
                self.first_free_number = self.first_free_number.saturating_add(1);
            }
        }
        self.first_free_number < u16::MAX
    }
}

/// What a start was told to leave out or allow, for display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Tunnels and groups that are left out, by the names of their verdicts.
    pub without: Vec<String>,
    /// Lines that are not enforced and were allowed, with the lines that open their modes: `HEADER:
    /// LINE`.
    pub allowed: Vec<String>,
    /// The interfaces to which `--map` gives a link of this machine; without any, the Ethernet
    /// cards are taken in order.
    pub mapped: Vec<String>,
}

/// What must not leave this machine unencrypted because the tunnel that would carry it is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closed {
    /// Sources and destinations that are unreachable, by whichever interface.
    pub flows: Vec<(IpNet, IpNet)>,
    /// A tunnel's networks are not known (a routing protocol ran over it, or its access list cannot
    /// be read): no private destination (RFC 1918, RFC 6598) and no network of the configuration
    /// leaves by an outside interface, unless a route of the configuration other than the default
    /// leads there.
    pub private: bool,
}

#[cfg(test)]
mod tests {
    /// What is inserted, moved or removed around an interface leaves its number alone, and no
    /// number comes back to another.
    #[test]
    fn an_interface_keeps_its_number() {
        let parse = |names: &str| {
            let lines = names.split_whitespace().map(|name| format!("interface {name}\n"));
            crate::parse(&lines.collect::<String>()).config
        };
        let numbers = |config: &super::Config| {
            let of = |one: &crate::model::Interface| format!("{}={}", one.name, one.number);
            config.interfaces.iter().map(of).collect::<Vec<_>>().join(" ")
        };
        let mut running = parse("FastEthernet0/0 FastEthernet0/1");
        for (typed, expected) in [
            ("FastEthernet0/0 FastEthernet0/1", "FastEthernet0/0=0 FastEthernet0/1=1"),
            ("Loopback0 FastEthernet0/0 FastEthernet0/1", "Loopback0=2 FastEthernet0/0=0 FastEthernet0/1=1"),
            ("FastEthernet0/1 FastEthernet0/0 Loopback0", "FastEthernet0/1=1 FastEthernet0/0=0 Loopback0=2"),
            ("FastEthernet0/0 FastEthernet0/1", "FastEthernet0/0=0 FastEthernet0/1=1"),
            ("Loopback1 FastEthernet0/0 FastEthernet0/1", "Loopback1=3 FastEthernet0/0=0 FastEthernet0/1=1"),
        ] {
            let mut next = parse(typed);
            assert!(next.keep_numbers(&running));
            assert_eq!(numbers(&next), expected);
            running = next;
        }
    }
}
