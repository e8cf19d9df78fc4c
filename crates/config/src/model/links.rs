//! Which interfaces of a configuration have a link here.

use super::config::Config;
use super::interface::Interface;
use crate::interface_name::{InterfaceKind, parent};
use std::collections::{BTreeMap, BTreeSet};

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
