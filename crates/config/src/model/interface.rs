//! `interface`.

use super::Config;
pub use crate::interface_name::InterfaceKind;
use crate::interface_name::parent;
use ipnet::IpNet;
use std::collections::{BTreeMap, BTreeSet};

/// How an interface gets its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// `no ip address`.
    #[default]
    None,
    /// `ip address A M secondary` alone, as before the line of the primary address: none is set
    /// without it.
    Secondary(Vec<IpNet>),
    /// `ip address A M`, the first, with secondaries.
    Static(Vec<IpNet>),
    /// `ip address dhcp`.
    Dhcp,
}

impl Addressing {
    /// Whether the configuration gives the interface no address.
    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None | Self::Secondary(_))
    }

    /// `ip address A M [secondary]`. The lines come in either order: IOS prints secondaries first.
    pub(crate) fn add(&mut self, net: IpNet, secondary: bool) {
        match (&mut *self, secondary) {
            (Self::Static(known) | Self::Secondary(known), true) => {
                if !known.contains(&net) {
                    known.push(net);
                }
            }
            (Self::Static(known), false) => {
                known.splice(..known.len().min(1), [net]);
                let mut rest = known.split_off(1);
                rest.retain(|other| *other != net);
                known.append(&mut rest);
            }
            (Self::Secondary(known), false) => {
                let others = known.iter().copied().filter(|known| *known != net);
                *self = Self::Static(std::iter::once(net).chain(others).collect());
            }
            (Self::None | Self::Dhcp, true) => *self = Self::Secondary(vec![net]),
            (Self::None | Self::Dhcp, false) => *self = Self::Static(vec![net]),
        }
    }

    /// `no ip address A M [secondary]`. False if there is no such address, or if it is the primary
    /// one and there are secondaries, which go before it.
    pub(crate) fn remove(&mut self, net: IpNet, secondary: bool) -> bool {
        match self {
            Self::Static(known) if !secondary => {
                let is_only = *known == [net];
                if is_only {
                    *self = Self::None;
                }
                is_only
            }
            Self::Static(known) => {
                let place = known.iter().skip(1).position(|known| *known == net);
                place.map(|place| known.remove(place + 1)).is_some()
            }
            Self::Secondary(known) if secondary => {
                let before = known.len();
                known.retain(|known| *known != net);
                let found = known.len() < before;
                if known.is_empty() {
                    *self = Self::None;
                }
                found
            }
            Self::None | Self::Secondary(_) | Self::Dhcp => false,
        }
    }
}

/// `encapsulation dot1Q`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encapsulation {
    /// The VLAN's number, 1 to 4094.
    pub vlan: u16,
    /// `native`: its frames have no tag.
    pub native: bool,
}

/// `interface`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interface {
    /// Long name.
    pub name: String,
    /// What it is, by its name.
    pub kind: InterfaceKind,
    /// Identifies the interface as long as the program runs, whatever is added, moved or removed
    /// around it ([`Config::keep_numbers`]).
    pub number: u16,
    /// `description`.
    pub description: Option<String>,
    /// Address.
    pub address: Addressing,
    /// `encapsulation dot1Q`.
    pub encapsulation: Option<Encapsulation>,
    /// `no ip proxy-arp`: does not answer for addresses that are elsewhere.
    pub no_proxy_arp: bool,
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

impl Interface {
    /// An interface without any command, by its long name.
    pub fn new(name: String, line: u32) -> Self {
        let kind = InterfaceKind::of(&name);
        Self { name, kind, line, ..Self::default() }
    }
}

/// The interfaces of a configuration, found by their names.
pub(crate) struct Links<'c> {
    mapped: BTreeSet<&'c str>,
    by_name: BTreeMap<&'c str, &'c Interface>,
}

impl<'c> Links<'c> {
    /// The interface with this long name.
    pub(crate) fn interface(&self, name: &str) -> Option<&'c Interface> {
        self.by_name.get(name).copied()
    }

    /// As [`Config::has_link`].
    pub(crate) fn has(&self, name: &str) -> bool {
        has_link(name, |name| self.mapped.contains(name), self.mapped.is_empty(), &|name| {
            self.interface(name)
        })
    }
}

/// Whether an interface has a link, by which are mapped, and whether none is.
fn has_link<'c>(
    name: &str,
    is_mapped: impl Fn(&str) -> bool + Copy,
    none_mapped: bool,
    interface: &dyn Fn(&str) -> Option<&'c Interface>,
) -> bool {
    if is_mapped(name) {
        return true;
    }
    match InterfaceKind::of(name) {
        InterfaceKind::Loopback => interface(name).is_some(),
        InterfaceKind::Ethernet => none_mapped,
        InterfaceKind::SubInterface => {
            let tagged = interface(name).is_some_and(|one| one.encapsulation.is_some());
            tagged && parent(name).is_some_and(|parent| has_link(parent, is_mapped, none_mapped, interface))
        }
        InterfaceKind::Vlan
        | InterfaceKind::Bridge
        | InterfaceKind::Null
        | InterfaceKind::Tunnel
        | InterfaceKind::Overlay
        | InterfaceKind::VirtualTemplate
        | InterfaceKind::VirtualAccess
        | InterfaceKind::Dialer
        | InterfaceKind::Serial
        | InterfaceKind::PortChannel
        | InterfaceKind::Async
        | InterfaceKind::Atm
        | InterfaceKind::Cellular
        | InterfaceKind::Hardware => false,
    }
}

impl Config {
    /// The interfaces as they are found by their names.
    pub(crate) fn links(&self) -> Links<'_> {
        Links {
            mapped: self.chosen.mapped.iter().map(String::as_str).collect(),
            // of two of a name, the first
            by_name: self.interfaces.iter().rev().map(|one| (one.name.as_str(), one)).collect(),
        }
    }

    /// The interface with this long name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name == name)
    }

    /// Whether an interface is up here with an address, as far as the configuration and the options
    /// of the start say.
    pub fn has_address(&self, name: &str) -> bool {
        let is_up = |one: &&Interface| !one.shutdown && one.vrf.is_none() && !one.kind.is_absent();
        let addressed = |one: &Interface| {
            // what has no address in the configuration may use that of its link
            !one.address.is_none() || self.chosen.mapped.contains(&one.name)
        };
        self.interface(name).filter(is_up).is_some_and(|one| addressed(one) && self.has_link(name))
    }

    /// The interface at whose address the tunnels of an interface with a crypto map terminate, if
    /// the map has `local-address` with another interface.
    pub fn terminates<'c>(&'c self, interface: &Interface) -> Option<&'c str> {
        let map = interface.crypto_map.as_ref()?;
        let map = self.maps.iter().find(|known| known.name == *map)?;
        map.local_address.as_deref().filter(|name| *name != interface.name)
    }

    /// Whether an interface has a link here, by the options of the start: a loopback has, and a
    /// sub-interface with a VLAN on an interface that has. Of the others those that `--map` names,
    /// if there is any, and otherwise the Ethernet cards.
    pub fn has_link(&self, name: &str) -> bool {
        let mapped = &self.chosen.mapped;
        let is_mapped = |name: &str| mapped.iter().any(|mapped| mapped == name);
        has_link(name, is_mapped, mapped.is_empty(), &|name| self.interface(name))
    }
}
