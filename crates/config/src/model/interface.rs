//! `interface`.

use super::Config;
pub use crate::interface_name::InterfaceKind;
use crate::interface_name::parent;
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

impl Config {
    /// The interface with this long name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name == name)
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
        if mapped.iter().any(|mapped| mapped == name) {
            return true;
        }
        match InterfaceKind::of(name) {
            InterfaceKind::Loopback => self.interface(name).is_some(),
            InterfaceKind::Ethernet => mapped.is_empty(),
            InterfaceKind::SubInterface => {
                let tagged = self.interface(name).is_some_and(|one| one.encapsulation.is_some());
                tagged && parent(name).is_some_and(|parent| self.has_link(parent))
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
}
