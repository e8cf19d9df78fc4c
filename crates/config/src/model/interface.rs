//! `interface`.

use super::nat::NatSide;
pub use crate::interface_name::InterfaceKind;
use ipnet::IpNet;

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

    /// Whether this is the primary address.
    pub(crate) fn is_primary(&self, net: IpNet) -> bool {
        matches!(self, Self::Static(known) if known.first() == Some(&net))
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

/// `ip verify unicast source reachable-via …`; the old `ip verify unicast reverse-path [LIST]` is
/// `reachable-via rx allow-default`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceCheck {
    /// `rx` and not `any`: the source must be reachable by the interface itself.
    pub by_this_interface: bool,
    /// `allow-default`: the default route counts.
    pub allow_default: bool,
    /// `allow-self-ping`: the router may ping itself.
    pub allow_self_ping: bool,
    /// Packets that fail and that this list permits pass nevertheless.
    pub list: Option<String>,
}

/// `ip directed-broadcast`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectedBroadcast {
    /// Only what this list permits is forwarded.
    pub list: Option<String>,
}

/// `interface`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Interface {
    /// Long name.
    pub name: String,
    /// What it is, by its name.
    pub kind: InterfaceKind,
    /// Identifies the interface as long as the program runs, whatever is added, moved or removed
    /// around it ([`Config::keep_numbers`](super::Config::keep_numbers)).
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
    /// `ip nat inside` or `ip nat outside`.
    pub nat: Option<NatSide>,
    /// `ip access-group LIST in`
    pub access_in: Option<String>,
    /// `ip access-group LIST out`
    pub access_out: Option<String>,
    /// `ip verify unicast`
    pub source_check: Option<SourceCheck>,
    /// `ip tcp adjust-mss`
    pub adjust_mss: Option<u16>,
    /// `no ip unreachables`
    pub no_unreachables: bool,
    /// `no ip redirects`
    pub no_redirects: bool,
    /// `ip directed-broadcast [LIST]`
    pub directed_broadcast: Option<DirectedBroadcast>,
    /// `ip policy route-map`
    pub policy: Option<String>,
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
