//! `interface`.

use super::draft::Draft;
use super::mode::{Fate, In, Mode};
use super::nat::VIRTUAL;
use super::row::{Fold, No, Row, fate, fold, name_it};
use crate::form::Problem;
use crate::given::Given;
use crate::interface_name::{is_hardware, is_known};
use crate::model::{
    Addressing, DirectedBroadcast, Encapsulation, Interface, InterfaceKind, NatSide, SourceCheck,
};
use std::net::Ipv4Addr;

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
    fold(In::Interface, "mtu", "= <64-18000:bytes>", mtu),
    fold(In::Interface, "ip mtu", "= <68-18000:bytes>", ip_mtu),
    fold(In::Interface, "ip access-group", "{= <access-list>} [in|out]", access_group),
    fold(
        In::Interface,
        "ip verify unicast reverse-path",
        "= [allow-self-ping|l2-src]... [<access-list>]",
        reverse_path,
    ),
    fold(
        In::Interface,
        "ip verify unicast source reachable-via",
        "= {rx|any} [allow-default|allow-self-ping|l2-src]... [<access-list>]",
        reachable_via,
    ),
    fate(In::Interface, "ip verify", Fate::Unenforced("drops packets with forged sources")),
    fate(In::Interface, "ip inspect", Fate::Unenforced("is a stateful firewall")),
    fold(In::Interface, "ip nat", "= {inside|outside}", nat),
    fate(In::Interface, "ip nat", Fate::Unenforced("translates addresses, or is not understood")),
    fate(In::Interface, "ip nat enable", VIRTUAL),
    fold(In::Interface, "ip tcp adjust-mss", "= <500-1460:bytes>", adjust_mss),
    fold(In::Interface, "ip policy route-map = <route-map>", "", policy),
    fold(In::Global, "ip local policy route-map = <route-map>", "", local_policy),
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
    fold(In::Interface, "ip redirects", "", redirects).no(No::IsASetting),
    fold(In::Interface, "ip unreachables", "", unreachables).no(No::IsASetting),
    fold(In::Interface, "ip proxy-arp", "", proxy_arp).no(No::IsASetting),
    fold(In::Interface, "ip directed-broadcast", "= [<access-list>]", directed_broadcast),
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
    let Draft { interfaces, mtus, .. } = &mut *fold.config;
    if fold.default {
        // `default interface` empties it and leaves it where it is
        for name in names {
            let place = interfaces.place(&name);
            if let Some(interface) = place.and_then(|place| interfaces.get_mut(place)) {
                *interface = Interface::new(name, line);
            }
            if let Some(place) = place {
                mtus.remove(&place);
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

/// Whether an address is that of no host: of this network, loopback, multicast or reserved.
fn is_of_no_host(address: Ipv4Addr) -> bool {
    matches!(address.octets().first(), Some(0 | 127 | 224..))
}

/// Whether links of a kind have several hosts.
const fn shares_a_link(kind: InterfaceKind) -> bool {
    use InterfaceKind::{Bridge, Ethernet, Hardware, PortChannel, SubInterface, Vlan};
    matches!(kind, Bridge | Ethernet | Hardware | PortChannel | SubInterface | Vlan)
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
    if !no && given.address("address").is_some_and(is_of_no_host) {
        return Err(given.said("address", format!("Not a valid host address - {}", net.addr())));
    }
    let secondary = given.has("secondary");
    let mut done = true;
    let mut is_shared = false;
    change(fold, |interface| is_shared = shares_a_link(interface.kind));
    let is_host = match net.max_prefix_len() - net.prefix_len() {
        // on a link of several hosts it would be alone
        0 => secondary || !is_shared,
        1 => true,
        // whatever a tunnel's own address is, its network is behind it
        _ => !is_shared || net.addr() != net.network() && net.addr() != net.broadcast(),
    };
    if !no && !is_host {
        let says = format!("Bad mask /{} for address {}", net.prefix_len(), net.addr());
        return Err(given.said("address", says));
    }
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
    let (no, given) = (fold.no, given.string("map"));
    change(fold, |interface| name_it(&mut interface.crypto_map, no, given));
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

/// `[no] ip redirects`; a router sends them unless it is told not to.
fn redirects(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no && !fold.default;
    change(fold, |interface| interface.no_redirects = no);
    Ok(())
}

/// `[no] ip unreachables`; a router sends them unless it is told not to.
fn unreachables(fold: &mut Fold<'_>, _: &Given<'_>) -> Result<(), Problem> {
    let no = fold.no && !fold.default;
    change(fold, |interface| interface.no_unreachables = no);
    Ok(())
}

/// `ip directed-broadcast [LIST]`
fn directed_broadcast(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let broadcast = fold.unless_no(Some(DirectedBroadcast { list: given.string("access-list") }));
    change(fold, |interface| interface.directed_broadcast = broadcast);
    Ok(())
}

/// `mtu N`, of the link.
fn mtu(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let bytes = fold.unless_no(given.number("bytes"));
    if let Mode::Interface(place) = fold.mode {
        fold.config.mtus.entry(place).or_default().0 = bytes;
    }
    Ok(())
}

/// `ip mtu N`, of IP packets.
fn ip_mtu(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let bytes = fold.unless_no(given.number("bytes"));
    if let Mode::Interface(place) = fold.mode {
        fold.config.mtus.entry(place).or_default().1 = bytes;
    }
    Ok(())
}

/// `ip access-group LIST {in|out}`; `no ip access-group in` names no list.
fn access_group(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let Some(list) = given.string("access-list") else {
        return Err(given.missing("a list and its direction"));
    };
    let no = fold.no;
    let is_in = given.choose(&[("in", true), ("out", false)]);
    let any_in = match list.as_str() {
        "in" if no && is_in.is_none() => Some(true),
        "out" if no && is_in.is_none() => Some(false),
        _ => None,
    };
    if no && is_in.is_none() && any_in.is_none() {
        // IOS reports it as incomplete, and the filter stays
        return Err(given.missing("`in` or `out`"));
    }
    if !no && is_in.is_none() {
        // a filter that nobody meant leaves open what was meant to be closed
        fold.fate = Some(Fate::Unenforced("says neither `in` nor `out`"));
        return Ok(());
    }
    change(fold, |interface| {
        let filter = match any_in.or(is_in) {
            Some(true) => &mut interface.access_in,
            Some(false) | None => &mut interface.access_out,
        };
        if !no {
            *filter = Some(list);
        } else if any_in.is_some() || filter.as_ref() == Some(&list) {
            *filter = None;
        }
    });
    Ok(())
}

/// `ip verify unicast reverse-path [allow-self-ping] [LIST]`: the default route counts.
fn reverse_path(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let check = SourceCheck {
        by_this_interface: true,
        allow_default: true,
        allow_self_ping: given.has("allow-self-ping"),
        list: given.string("access-list"),
    };
    verify(fold, given, check)
}

/// `ip verify unicast source reachable-via {rx|any} [allow-default] [allow-self-ping] [LIST]`
fn reachable_via(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let check = SourceCheck {
        by_this_interface: given.has("rx"),
        allow_default: given.has("allow-default"),
        allow_self_ping: given.has("allow-self-ping"),
        list: given.string("access-list"),
    };
    verify(fold, given, check)
}

fn verify(fold: &mut Fold<'_>, given: &Given<'_>, check: SourceCheck) -> Result<(), Problem> {
    if given.has("l2-src") && !fold.no {
        fold.fate = Some(Fate::Unenforced("drops packets with forged link addresses"));
    }
    let check = fold.unless_no(Some(check));
    change(fold, |interface| interface.source_check = check);
    Ok(())
}

/// `ip nat {inside|outside}`; an interface is on one side.
fn nat(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let side = given.choose(&[("inside", NatSide::Inside), ("outside", NatSide::Outside)]);
    let no = fold.no;
    change(fold, |interface| {
        if !no {
            interface.nat = side;
        } else if interface.nat == side {
            interface.nat = None;
        }
    });
    Ok(())
}

fn adjust_mss(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let bytes = fold.unless_no(given.number("bytes"));
    change(fold, |interface| interface.adjust_mss = bytes);
    Ok(())
}

fn policy(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    let (no, given) = (fold.no, given.string("route-map"));
    change(fold, |interface| name_it(&mut interface.policy, no, given));
    Ok(())
}

/// `ip local policy route-map MAP`: for the router's own packets.
fn local_policy(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    name_it(&mut fold.config.local_policy, fold.no, given.string("route-map"));
    Ok(())
}

/// `[ip] vrf forwarding VRF`: the interface belongs to another table than the global one, and there
/// is only that one here.
fn vrf(fold: &mut Fold<'_>, given: &Given<'_>) -> Result<(), Problem> {
    if !fold.no {
        fold.fate = Some(Fate::Unenforced("puts the interface into a VRF, without which it is shut"));
    }
    let (no, given) = (fold.no, given.string("vrf"));
    change(fold, |interface| name_it(&mut interface.vrf, no, given));
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
