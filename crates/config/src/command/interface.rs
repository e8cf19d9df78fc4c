//! `interface`.

use super::mode::{Fate, In, Mode};
use super::row::{Action, Fold, No, Row, fate, fold, row};
use crate::form::Problem;
use crate::given::Given;
use crate::interface_name::{is_hardware, is_known};
use crate::model::{Addressing, Encapsulation, Interface, InterfaceKind};

const NO_HARDWARE: Fate = Fate::Inert("belongs to hardware that Linux manages");

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "interface <IF:name>", "[<UNIT:unit>] = [<LINE:rest>]", interface)
        .no(No::DefaultEmpties),
    fold(In::Interface, "description", "= <LINE:text>", description),
    fold(
        In::Interface,
        "ip address",
        "= {dhcp [<LINE:rest>]|negotiated [<LINE:rest>]|pool <LINE:rest>|<A.B.C.D:address> <A.B.C.D:mask>}|<A.B.C.D:address> <A.B.C.D:mask> secondary",
        ip_address,
    ),
    fold(In::Interface, "crypto map = <map>", "[redundancy <LINE:rest>]", crypto_map),
    fold(In::Interface, "shutdown", "", shutdown),
    fate(In::Interface, "mtu", Fate::Unsupported("the link keeps its MTU")),
    fate(In::Interface, "ip mtu", Fate::Unsupported("the link keeps its MTU")),
    // what does not end so is another command: `ip acce ext NAME`
    row(
        In::Interface,
        "ip access-group",
        "= <list> [in|out]",
        Action::Fate(Fate::Unenforced("filters the interface's packets")),
    ),
    fate(In::Interface, "ip verify", Fate::Unenforced("drops packets with forged sources")),
    fate(In::Interface, "ip inspect", Fate::Unenforced("is a stateful firewall")),
    fate(In::Interface, "ip nat", Fate::Unenforced("translates addresses")),
    fate(In::Interface, "ip tcp adjust-mss", Fate::Forwarding("shortens TCP segments")),
    fate(In::Interface, "ip policy route-map", Fate::Forwarding("routes by policy")),
    fate(In::Interface, "ip ospf", Fate::Forwarding("is a routing protocol's")),
    fate(In::Interface, "ip rip", Fate::Forwarding("is a routing protocol's")),
    fate(In::Interface, "ip nhrp", Fate::Forwarding("is DMVPN's")),
    fold(In::Interface, "ip vrf forwarding = <vrf>", "[<LINE:rest>]", vrf),
    fold(In::Interface, "vrf forwarding = <vrf>", "[<LINE:rest>]", vrf),
    fate(In::Interface, "ip unnumbered", Fate::Forwarding("borrows another interface's address")),
    fate(In::Interface, "ip helper-address", Fate::Forwarding("relays DHCP")),
    fate(In::Interface, "tunnel", Fate::Forwarding("is a tunnel interface's")),
    fold(
        In::Interface,
        "encapsulation dot1Q",
        "= <1-4094:vlan> [native|second-dot1q <LINE:rest>]",
        encapsulation,
    ),
    fate(In::Interface, "encapsulation", Fate::Forwarding("makes a sub-interface of a VLAN")),
    fate(In::Interface, "zone-member", Fate::Unenforced("is the zone-based firewall's")),
    fate(In::Interface, "service-policy", Fate::Unsupported("there is no QoS")),
    fate(In::Interface, "standby", Fate::Unsupported("HSRP is not implemented")),
    fate(In::Interface, "vrrp", Fate::Unsupported("VRRP is not implemented")),
    fate(In::Interface, "ipv6", Fate::Unsupported("IPv6 is not configured")),
    fate(In::Interface, "ipv6 traffic-filter", Fate::Unenforced("filters the interface's IPv6 packets")),
    fate(In::Interface, "ipv6 inspect", Fate::Unenforced("is a stateful firewall for IPv6")),
    fate(In::Interface, "ipv6 verify", Fate::Unenforced("drops IPv6 packets with forged sources")),
    fate(In::Interface, "ppp", Fate::Unsupported("PPP does not exist here")),
    fate(In::Interface, "pppoe", Fate::Unsupported("PPPoE does not exist here")),
    fate(In::Interface, "pppoe-client", Fate::Unsupported("PPPoE does not exist here")),
    fate(In::Interface, "dialer", Fate::Unsupported("there is no dialer")),
    fate(In::Interface, "switchport", Fate::Unsupported("there is no switch")),
    fate(In::Interface, "peer default", Fate::Unsupported("PPP does not exist here")),
    fold(
        In::Interface,
        "ip virtual-reassembly",
        "= [in|out] [drop-fragments|max-fragments <count>|max-reassemblies <count>|percentage <percent>|timeout <seconds>|<option>]...",
        reassembly,
    ),
    fate(In::Interface, "ip mroute-cache", Fate::Inert("there is no multicast routing")),
    fate(In::Interface, "ip pim", Fate::Forwarding("routes multicast")),
    fate(In::Interface, "ip route-cache", Fate::Inert("Linux has its own forwarding table")),
    fate(In::Interface, "ip redirects", Fate::Inert("Linux decides by its own settings")),
    fate(In::Interface, "ip unreachables", Fate::Inert("Linux decides by its own settings")),
    fold(In::Interface, "ip proxy-arp", "", proxy_arp).no(No::IsASetting),
    fate(In::Interface, "ip directed-broadcast", Fate::Forwarding("forwards broadcasts to the network")),
    fate(In::Interface, "ip flow", Fate::Unsupported("flows are not exported")),
    fate(In::Interface, "ip nbar", Fate::Unsupported("there is no QoS")),
    fate(In::Interface, "ip dhcp client", Fate::Inert("the DHCP client sends its usual options")),
    fate(In::Interface, "duplex", NO_HARDWARE),
    fate(In::Interface, "speed", NO_HARDWARE),
    fate(In::Interface, "media-type", NO_HARDWARE),
    fate(In::Interface, "negotiation", NO_HARDWARE),
    fate(In::Interface, "keepalive", NO_HARDWARE),
    fate(In::Interface, "cdp", NO_HARDWARE),
    fate(In::Interface, "lldp", NO_HARDWARE),
    fate(In::Interface, "mop", NO_HARDWARE),
    fate(In::Interface, "atm", NO_HARDWARE),
    fate(In::Interface, "clock", NO_HARDWARE),
    fate(In::Interface, "serial", NO_HARDWARE),
    fate(In::Interface, "dsl", NO_HARDWARE),
    fate(In::Interface, "hold-queue", NO_HARDWARE),
    fate(In::Interface, "load-interval", NO_HARDWARE),
    fate(In::Interface, "bandwidth", Fate::Inert("only routing protocols and QoS use it")),
    fate(In::Interface, "delay", Fate::Inert("only routing protocols use it")),
    fate(In::Interface, "fair-queue", NO_HARDWARE),
    fate(In::Interface, "arp timeout", NO_HARDWARE),
    fate(In::Interface, "logging event", NO_HARDWARE),
    fate(In::Interface, "snmp", Fate::Inert("there is no SNMP")),
    fate(In::Interface, "spanning-tree", NO_HARDWARE),
    fate(
        In::Interface,
        "crypto ipsec client ezvpn",
        Fate::Unsupported("the router's own Easy VPN client is `hubward client` here"),
    ),
    fate(In::Interface, "crypto ipsec df-bit", Fate::Unsupported("the global df-bit applies")),
];

fn interface(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let name = given.interface("name").unwrap_or_default();
    if !name.contains(|character: char| character.is_ascii_digit()) {
        return Err(given.missing("the number of the interface"));
    }
    if !fold.no && !is_known(&name) {
        fold.warning = Some("is of no kind that Hubward knows: it has a link only by --map");
    }
    open(fold, vec![name]).map_err(|expected| given.problem("name", expected))
}

/// Opens interfaces, or takes them away: the one of `interface`, or those of `interface range`. The
/// error is what was expected instead.
pub(super) fn open(fold: &mut Fold<'_>, names: Vec<String>) -> Result<(), &'static str> {
    let line = fold.line;
    let interfaces = &mut fold.config.interfaces;
    if fold.default {
        // `default interface` empties it and leaves it where it is
        for name in names {
            let place = interfaces.place(&name);
            if let Some(interface) = place.and_then(|place| interfaces.get_mut(place)) {
                *interface = Interface::new(name, line);
            }
        }
        return Ok(());
    }
    if fold.no {
        if names.iter().any(|name| is_hardware(name)) {
            return Err("an interface that is not hardware");
        }
        for name in names {
            interfaces.remove(&name);
        }
        return Ok(());
    }
    if names.iter().any(|name| InterfaceKind::of(name).is_absent()) {
        fold.fate = Some(Fate::Forwarding("is a tunnel interface"));
    }
    let places = names.into_iter().map(|name| interfaces.entry(name.clone(), || Interface::new(name, line)));
    let places: Vec<usize> = places.collect();
    if let Some((first, others)) = places.split_first() {
        fold.mode = Mode::Interface(*first);
        fold.also = others.to_vec();
    }
    Ok(())
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut Interface)) {
    if let Mode::Interface(place) = fold.mode
        && let Some(interface) = fold.config.interfaces.get_mut(place)
    {
        change(interface);
    }
}

fn description(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let text = fold.unless_no(given.text("text").map(str::to_string));
    change(fold, |interface| interface.description = text);
    Ok(())
}

/// `ip address {A M [secondary] | dhcp …}`
fn ip_address(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    if given.has("negotiated") || given.has("pool") {
        fold.fate =
            (!no).then_some(Fate::Unsupported("PPP does not exist here; the interface has no address"));
        return Ok(());
    }
    if given.has("dhcp") || given.is_bare() {
        change(fold, |interface| interface.address = if no { Addressing::None } else { Addressing::Dhcp });
        return Ok(());
    }
    let net = given.network("address", "mask")?;
    let secondary = given.has("secondary");
    let mut done = true;
    change(fold, |interface| {
        done = match no {
            true => interface.address.remove(net, secondary),
            // the primary address is no secondary one as well
            false if secondary && interface.address.is_primary(net) => false,
            false => {
                interface.address.add(net, secondary);
                true
            }
        };
    });
    match done {
        true => Ok(()),
        false if !no => Err(given.problem("address", "an address that is not the primary one")),
        // secondaries go before the primary address
        false => Err(given.problem("address", "the interface's only address")),
    }
}

fn crypto_map(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    if given.has("redundancy") && !fold.no {
        fold.fate = Some(Fate::Unsupported("the map has no failover to another router"));
    }
    let map = fold.unless_no(given.string("map"));
    change(fold, |interface| interface.crypto_map = map);
    Ok(())
}

fn shutdown(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |interface| interface.shutdown = !no);
    Ok(())
}

/// `encapsulation dot1Q N [native]`
fn encapsulation(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let vlan = given.number("vlan").map(|vlan| Encapsulation { vlan, native: given.has("native") });
    let vlan = fold.unless_no(vlan);
    let (mut of_part, twice) = (false, given.has("second-dot1q"));
    change(fold, |interface| {
        of_part = interface.kind == InterfaceKind::SubInterface;
        interface.encapsulation = vlan.filter(|_| of_part && !twice);
    });
    fold.fate = match (fold.no, of_part, twice) {
        (false, true, true) => Some(Fate::Forwarding("makes a sub-interface of two tags")),
        (false, false, _) => Some(Fate::Forwarding("makes a sub-interface of a VLAN")),
        _ => None,
    };
    Ok(())
}

/// `[no] ip proxy-arp`; a router answers unless it is told not to.
fn proxy_arp(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no && !fold.default;
    change(fold, |interface| interface.no_proxy_arp = no);
    Ok(())
}

/// `[ip] vrf forwarding VRF`: the interface belongs to another table than the global one, and there
/// is only that one here.
fn vrf(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    if !fold.no {
        fold.fate = Some(Fate::Unenforced("puts the interface into a VRF, without which it is shut"));
    }
    let vrf = fold.unless_no(given.string("vrf"));
    change(fold, |interface| interface.vrf = vrf);
    Ok(())
}

/// `ip virtual-reassembly [in|out] [drop-fragments] …`
fn reassembly(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    fold.fate = Some(match given.has("drop-fragments") && !fold.no {
        true => Fate::Unenforced("drops fragments"),
        false => Fate::Inert("Linux reassembles where it must"),
    });
    Ok(())
}
