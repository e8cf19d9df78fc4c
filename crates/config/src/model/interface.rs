//! `interface`.

use super::Config;
use crate::interface_name::{kind, parent};
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

/// What an interface is, by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum InterfaceKind {
    /// A socket for an Ethernet cable, of any speed: a network card of the machine, in order or by
    /// `--map`.
    Ethernet,
    /// `GigabitEthernet0/1.20`: a VLAN on the link of the interface before the dot, if it has
    /// `encapsulation dot1Q`.
    SubInterface,
    /// `VlanN`, the untagged side of switch ports: a card by `--map`, or a bridge of several.
    Vlan,
    /// `BVIn`, `BDIn`: like [`Self::Vlan`].
    Bridge,
    /// `LoopbackN`: a link that Hubward makes.
    Loopback,
    /// `NullN`: routes by it drop packets.
    Null,
    /// `TunnelN`: does not exist here.
    Tunnel,
    /// An encapsulation of other kinds (`Virtual-PPP`, `LISP`, `nve`): does not exist here.
    Overlay,
    /// `Virtual-TemplateN`, from which tunnels are made: does not exist here.
    VirtualTemplate,
    /// `Virtual-AccessN`, which is made from a template: does not exist here.
    VirtualAccess,
    /// `DialerN`: a link of the machine only by `--map`.
    Dialer,
    /// `SerialN` and other lines: a link of the machine only by `--map`.
    Serial,
    /// `Port-channelN`: a link of the machine only by `--map` (a bond).
    PortChannel,
    /// `AsyncN`: a link of the machine only by `--map`.
    Async,
    /// `ATMn`: a link of the machine only by `--map`.
    Atm,
    /// `CellularN`: a link of the machine only by `--map`.
    Cellular,
    /// Anything else: a link of the machine only by `--map`.
    #[default]
    Hardware,
}

impl InterfaceKind {
    /// The kind of the interface with this long name.
    pub fn of(name: &str) -> Self {
        kind(name)
    }

    /// Whether the router has it, and the configuration did not make it: `no interface` does not
    /// remove it.
    pub const fn is_hardware(self) -> bool {
        match self {
            Self::Ethernet
            | Self::Serial
            | Self::Async
            | Self::Atm
            | Self::Cellular
            | Self::Hardware
            | Self::Null => true,
            Self::SubInterface
            | Self::Vlan
            | Self::Bridge
            | Self::Loopback
            | Self::Tunnel
            | Self::Overlay
            | Self::VirtualTemplate
            | Self::VirtualAccess
            | Self::Dialer
            | Self::PortChannel => false,
        }
    }

    /// Whether packets by it are encapsulated, and usually encrypted: nothing here replaces it.
    pub const fn is_tunnel(self) -> bool {
        matches!(self, Self::Tunnel | Self::Overlay)
    }

    /// Whether it exists only in software that is not implemented here, so that no link can replace
    /// it: a tunnel interface, a template for some, or what is made from one.
    pub const fn is_absent(self) -> bool {
        self.is_tunnel() || matches!(self, Self::VirtualTemplate | Self::VirtualAccess)
    }

    /// Whether several links of the machine can be its ports.
    pub const fn takes_ports(self) -> bool {
        matches!(self, Self::Vlan | Self::Bridge)
    }

    /// Whether packets leave this machine by it: not by a loopback, and not into nothing.
    pub const fn is_way_out(self) -> bool {
        !self.is_absent() && !matches!(self, Self::Loopback | Self::Null)
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

impl Config {
    /// The interface with this long name.
    pub fn interface(&self, name: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.name == name)
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
