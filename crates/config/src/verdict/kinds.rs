//! What the kind of an interface says, by its name.

use crate::interface_name::InterfaceKind;

/// Whether an interface exists only in software that is not implemented here.
pub(crate) fn is_tunnel(name: &str) -> bool {
    InterfaceKind::of(name).is_tunnel()
}

/// Whether an interface of IOS is a socket for a cable. A sub-interface, a VLAN, a loopback or a
/// tunnel is none.
pub fn takes_card(name: &str) -> bool {
    InterfaceKind::of(name) == InterfaceKind::Ethernet
}

/// Whether an interface is of a kind that does not exist here, so that no link can replace it: a
/// tunnel interface, or a template for others.
pub fn has_no_link(name: &str) -> bool {
    InterfaceKind::of(name).is_absent()
}

/// Whether an interface is a template for others.
pub(crate) fn is_template(name: &str) -> bool {
    InterfaceKind::of(name) == InterfaceKind::VirtualTemplate
}
