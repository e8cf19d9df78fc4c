//! `interface`.

use super::{Action, Fate, Fold, In, Mode, REST, Row, entry, fate, fold};
use crate::form::{Cursor, Problem};
use crate::interface_name::{is_hardware, long_name};
use crate::model::{Addressing, Interface};

const NO_HARDWARE: Fate = Fate::Inert("belongs to hardware that Linux manages");

pub(super) const ROWS: &[Row] = &[
    fold(In::Global, "interface <IF:name>", "[<UNIT:unit>] = [<LINE:rest>]", interface),
    fold(In::Interface, "description", "= <LINE:text>", description),
    fold(
        In::Interface,
        "ip address",
        "= {dhcp [<LINE:rest>]|negotiated [<LINE:rest>]|pool <LINE:rest>|<A.B.C.D:address> <A.B.C.D:mask>}|<A.B.C.D:address> <A.B.C.D:mask> secondary",
        ip_address,
    ),
    fold(In::Interface, "crypto map = <name>", "[redundancy <LINE:rest>]", crypto_map),
    fold(In::Interface, "shutdown", "", shutdown),
    fate(In::Interface, "mtu", Fate::Unsupported("the link keeps its MTU")),
    fate(In::Interface, "ip mtu", Fate::Unsupported("the link keeps its MTU")),
    // what does not end so is another command: `ip acce ext NAME`
    Row {
        mode: In::Interface,
        form: "ip access-group",
        tail: "= <list> [in|out]",
        action: Action::Fate(Fate::Unenforced("filters the interface's packets")),
    },
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
    fold(In::Interface, "ip virtual-reassembly", REST, reassembly),
    fate(In::Interface, "ip mroute-cache", Fate::Inert("there is no multicast routing")),
    fate(In::Interface, "ip pim", Fate::Forwarding("routes multicast")),
    fate(In::Interface, "ip route-cache", Fate::Inert("Linux has its own forwarding table")),
    fate(In::Interface, "ip redirects", Fate::Inert("Linux decides by its own settings")),
    fate(In::Interface, "ip unreachables", Fate::Inert("Linux decides by its own settings")),
    fate(In::Interface, "ip proxy-arp", Fate::Forwarding("answers ARP for hosts of other networks")),
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

fn interface(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let hardware = cursor.problem("");
    let mut typed = fold.argument(0);
    if let Some(number) = cursor.peek().filter(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
        typed.push_str(number);
        cursor.next();
    }
    cursor.rest();
    let name = long_name(&typed);
    if fold.default {
        // `default interface` empties it and leaves it where it is
        for interface in fold.config.interfaces.iter_mut().filter(|interface| interface.name == name) {
            *interface = Interface { name: name.clone(), line: fold.line, ..Interface::default() };
        }
        return Ok(());
    }
    if fold.no {
        if is_hardware(&name) {
            return Err(Problem { expected: "an interface that is not hardware".into(), ..hardware });
        }
        fold.config.interfaces.retain(|interface| interface.name != name);
        return Ok(());
    }
    if name.starts_with("Tunnel") || name.starts_with("Virtual-Template") {
        fold.fate = Some(Fate::Forwarding("is a tunnel interface"));
    }
    let line = fold.line;
    let place = entry(
        &mut fold.config.interfaces,
        |interface| interface.name == name,
        || Interface { name: name.clone(), line, ..Interface::default() },
    );
    fold.mode = Mode::Interface(place);
    Ok(())
}

fn change(fold: &mut Fold<'_>, change: impl FnOnce(&mut Interface)) {
    if let Mode::Interface(place) = fold.mode
        && let Some(interface) = fold.config.interfaces.get_mut(place)
    {
        change(interface);
    }
}

fn description(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    cursor.rest();
    let (no, text) = (fold.no, fold.raw.trim().to_string());
    change(fold, |interface| interface.description = (!no).then_some(text));
    Ok(())
}

/// `ip address {A M [secondary] | dhcp …}`
fn ip_address(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    if cursor.peek().is_none() && fold.no {
        change(fold, |interface| interface.address = Addressing::None);
        return Ok(());
    }
    if cursor.keyword("dhcp") {
        cursor.rest();
        let no = fold.no;
        change(fold, |interface| interface.address = if no { Addressing::None } else { Addressing::Dhcp });
        return Ok(());
    }
    if cursor.peek().is_some_and(|word| crate::form::is(word, "negotiated") || crate::form::is(word, "pool"))
    {
        cursor.rest();
        fold.fate = Some(Fate::Unsupported("PPP does not exist here; the interface has no address"));
        return Ok(());
    }
    let given = cursor.problem("");
    let address = cursor.address()?;
    let problem = cursor.problem("a network mask");
    let mask = cursor.address()?;
    let net = ipnet::IpNet::with_netmask(address.into(), mask.into()).map_err(|_| problem)?;
    let secondary = cursor.keyword("secondary");
    cursor.finish()?;
    let no = fold.no;
    let mut refused = false;
    change(fold, |interface| match (&mut interface.address, no, secondary) {
        (Addressing::Static(known), true, true) => {
            let primary = known.first().copied();
            known.retain(|known| *known != net || Some(*known) == primary);
        }
        // secondaries go before the primary address
        (Addressing::Static(known), true, false) if known.as_slice() != [net] => refused = true,
        (address @ Addressing::Static(_), true, false) => *address = Addressing::None,
        (_, true, _) => refused = true,
        (Addressing::Static(known), false, true) => {
            if !known.contains(&net) {
                known.push(net);
            }
        }
        (Addressing::Static(known), false, false) => match known.first_mut() {
            Some(first) => *first = net,
            None => known.push(net),
        },
        (address, false, _) => *address = Addressing::Static(vec![net]),
    });
    match refused {
        true => Err(Problem { expected: "the interface's only address".into(), ..given }),
        false => Ok(()),
    }
}

fn crypto_map(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    if cursor.keyword("redundancy") {
        cursor.rest();
        fold.fate = Some(Fate::Unsupported("the map has no failover to another router"));
    }
    cursor.finish()?;
    change(fold, |interface| interface.crypto_map = (!no).then_some(name));
    Ok(())
}

fn shutdown(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let no = fold.no;
    change(fold, |interface| interface.shutdown = !no);
    cursor.finish()
}

/// `[ip] vrf forwarding VRF`: the interface belongs to another table than the global one, and there
/// is only that one here.
fn vrf(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    cursor.rest();
    if !no {
        fold.fate = Some(Fate::Unenforced("puts the interface into a VRF, without which it is shut"));
    }
    change(fold, |interface| interface.vrf = (!no).then_some(name));
    Ok(())
}

/// `ip virtual-reassembly [in|out] [drop-fragments] …`
fn reassembly(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let mut drops = false;
    while let Some(word) = cursor.next() {
        drops |= crate::form::is(word, "drop-fragments");
    }
    fold.fate = Some(match drops && !fold.no {
        true => Fate::Unenforced("drops fragments"),
        false => Fate::Inert("Linux reassembles where it must"),
    });
    Ok(())
}
