//! `interface`.

use super::{Action, Fate, Fold, In, Mode, Row, entry};
use crate::form::{Cursor, Problem};
use crate::model::{Addressing, Interface};

const NO_HARDWARE: Fate = Fate::Inert("belongs to hardware that Linux looks after");

pub(super) const ROWS: &[Row] = &[
    Row { mode: In::Global, form: "interface <name>", action: Action::Fold(interface) },
    Row { mode: In::Interface, form: "description", action: Action::Fold(description) },
    Row { mode: In::Interface, form: "ip address", action: Action::Fold(ip_address) },
    Row { mode: In::Interface, form: "crypto map <name>", action: Action::Fold(crypto_map) },
    Row { mode: In::Interface, form: "shutdown", action: Action::Fold(shutdown) },
    Row {
        mode: In::Interface,
        form: "mtu",
        action: Action::Fate(Fate::Unsupported("the link keeps its MTU")),
    },
    Row {
        mode: In::Interface,
        form: "ip mtu",
        action: Action::Fate(Fate::Unsupported("the link keeps its MTU")),
    },
    Row {
        mode: In::Interface,
        form: "ip access-group",
        action: Action::Fate(Fate::Unenforced("filters the interface's packets")),
    },
    Row {
        mode: In::Interface,
        form: "ip verify",
        action: Action::Fate(Fate::Unenforced("drops packets with forged sources")),
    },
    Row {
        mode: In::Interface,
        form: "ip inspect",
        action: Action::Fate(Fate::Unenforced("is a stateful firewall")),
    },
    Row {
        mode: In::Interface,
        form: "ip nat",
        action: Action::Fate(Fate::Forwarding("translates addresses")),
    },
    Row {
        mode: In::Interface,
        form: "ip tcp adjust-mss",
        action: Action::Fate(Fate::Forwarding("shortens TCP segments")),
    },
    Row {
        mode: In::Interface,
        form: "ip policy route-map",
        action: Action::Fate(Fate::Forwarding("routes by policy")),
    },
    Row {
        mode: In::Interface,
        form: "ip ospf",
        action: Action::Fate(Fate::Forwarding("is a routing protocol's")),
    },
    Row {
        mode: In::Interface,
        form: "ip rip",
        action: Action::Fate(Fate::Forwarding("is a routing protocol's")),
    },
    Row { mode: In::Interface, form: "ip nhrp", action: Action::Fate(Fate::Forwarding("is DMVPN's")) },
    Row {
        mode: In::Interface,
        form: "ip vrf forwarding",
        action: Action::Fate(Fate::Forwarding("puts the interface into a VRF")),
    },
    Row {
        mode: In::Interface,
        form: "vrf forwarding",
        action: Action::Fate(Fate::Forwarding("puts the interface into a VRF")),
    },
    Row {
        mode: In::Interface,
        form: "ip unnumbered",
        action: Action::Fate(Fate::Forwarding("borrows another interface's address")),
    },
    Row {
        mode: In::Interface,
        form: "ip helper-address",
        action: Action::Fate(Fate::Forwarding("relays DHCP")),
    },
    Row {
        mode: In::Interface,
        form: "tunnel",
        action: Action::Fate(Fate::Forwarding("is a tunnel interface's")),
    },
    Row {
        mode: In::Interface,
        form: "encapsulation",
        action: Action::Fate(Fate::Forwarding("makes a sub-interface of a VLAN")),
    },
    Row {
        mode: In::Interface,
        form: "zone-member",
        action: Action::Fate(Fate::Unenforced("is the zone-based firewall's")),
    },
    Row {
        mode: In::Interface,
        form: "service-policy",
        action: Action::Fate(Fate::Unsupported("there is no QoS")),
    },
    Row {
        mode: In::Interface,
        form: "standby",
        action: Action::Fate(Fate::Unsupported("HSRP is not implemented")),
    },
    Row {
        mode: In::Interface,
        form: "vrrp",
        action: Action::Fate(Fate::Unsupported("VRRP is not implemented")),
    },
    Row {
        mode: In::Interface,
        form: "ipv6",
        action: Action::Fate(Fate::Unsupported("IPv6 is not configured")),
    },
    Row {
        mode: In::Interface,
        form: "ppp",
        action: Action::Fate(Fate::Unsupported("PPP does not exist here")),
    },
    Row {
        mode: In::Interface,
        form: "pppoe",
        action: Action::Fate(Fate::Unsupported("PPPoE does not exist here")),
    },
    Row {
        mode: In::Interface,
        form: "pppoe-client",
        action: Action::Fate(Fate::Unsupported("PPPoE does not exist here")),
    },
    Row {
        mode: In::Interface,
        form: "dialer",
        action: Action::Fate(Fate::Unsupported("there is no dialer")),
    },
    Row {
        mode: In::Interface,
        form: "switchport",
        action: Action::Fate(Fate::Unsupported("there is no switch")),
    },
    Row {
        mode: In::Interface,
        form: "peer default",
        action: Action::Fate(Fate::Unsupported("PPP does not exist here")),
    },
    Row {
        mode: In::Interface,
        form: "ip virtual-reassembly",
        action: Action::Fate(Fate::Inert("Linux reassembles where it must")),
    },
    Row {
        mode: In::Interface,
        form: "ip mroute-cache",
        action: Action::Fate(Fate::Inert("there is no multicast routing")),
    },
    Row { mode: In::Interface, form: "ip pim", action: Action::Fate(Fate::Forwarding("routes multicast")) },
    Row {
        mode: In::Interface,
        form: "ip route-cache",
        action: Action::Fate(Fate::Inert("Linux has its own forwarding table")),
    },
    Row {
        mode: In::Interface,
        form: "ip redirects",
        action: Action::Fate(Fate::Inert("Linux decides by its own settings")),
    },
    Row {
        mode: In::Interface,
        form: "ip unreachables",
        action: Action::Fate(Fate::Inert("Linux decides by its own settings")),
    },
    Row {
        mode: In::Interface,
        form: "ip proxy-arp",
        action: Action::Fate(Fate::Inert("Linux decides by its own settings")),
    },
    Row {
        mode: In::Interface,
        form: "ip directed-broadcast",
        action: Action::Fate(Fate::Inert("Linux does not forward directed broadcasts")),
    },
    Row {
        mode: In::Interface,
        form: "ip flow",
        action: Action::Fate(Fate::Unsupported("flows are not exported")),
    },
    Row { mode: In::Interface, form: "ip nbar", action: Action::Fate(Fate::Unsupported("there is no QoS")) },
    Row {
        mode: In::Interface,
        form: "ip dhcp client",
        action: Action::Fate(Fate::Inert("the DHCP client sends its usual options")),
    },
    Row { mode: In::Interface, form: "duplex", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "speed", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "media-type", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "negotiation", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "keepalive", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "cdp", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "lldp", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "mop", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "atm", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "clock", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "serial", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "dsl", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "hold-queue", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "load-interval", action: Action::Fate(NO_HARDWARE) },
    Row {
        mode: In::Interface,
        form: "bandwidth",
        action: Action::Fate(Fate::Inert("only routing protocols and QoS look at it")),
    },
    Row {
        mode: In::Interface,
        form: "delay",
        action: Action::Fate(Fate::Inert("only routing protocols look at it")),
    },
    Row { mode: In::Interface, form: "fair-queue", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "arp timeout", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "logging event", action: Action::Fate(NO_HARDWARE) },
    Row { mode: In::Interface, form: "snmp", action: Action::Fate(Fate::Inert("there is no SNMP")) },
    Row { mode: In::Interface, form: "spanning-tree", action: Action::Fate(NO_HARDWARE) },
    Row {
        mode: In::Interface,
        form: "crypto ipsec client ezvpn",
        action: Action::Fate(Fate::Unsupported("the router's own Easy VPN client is `hubward client` here")),
    },
    Row {
        mode: In::Interface,
        form: "crypto ipsec df-bit",
        action: Action::Fate(Fate::Unsupported("the global df-bit applies")),
    },
];

/// The long name of an interface: `fa0/0`, `FastEthernet 0/0` and `FastEthernet0/0` are one.
pub fn long_name(typed: &str) -> String {
    const KINDS: [&str; 16] = [
        "FastEthernet",
        "GigabitEthernet",
        "TenGigabitEthernet",
        "Ethernet",
        "Serial",
        "Loopback",
        "Tunnel",
        "Vlan",
        "Dialer",
        "ATM",
        "BVI",
        "Port-channel",
        "Virtual-Template",
        "Cellular",
        "Async",
        "Null",
    ];
    let digits = typed.find(|character: char| character.is_ascii_digit()).unwrap_or(typed.len());
    let (kind, number) = typed.split_at(digits);
    let kind = kind.trim();
    let lower = kind.to_ascii_lowercase();
    let found =
        KINDS.iter().find(|known| !lower.is_empty() && known.to_ascii_lowercase().starts_with(&lower));
    format!("{}{number}", found.copied().unwrap_or(kind))
}

fn interface(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let mut typed = fold.argument(0);
    if let Some(number) = cursor.peek().filter(|word| word.starts_with(|c: char| c.is_ascii_digit())) {
        typed.push_str(number);
        cursor.next();
    }
    cursor.rest();
    let name = long_name(&typed);
    if fold.no {
        fold.config.interfaces.retain(|interface| interface.name != name);
        return Ok(());
    }
    if name.starts_with("Tunnel") || name.starts_with("Virtual-Template") {
        fold.fate = Some(Fate::Forwarding("tunnel interfaces are not implemented"));
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
    let address = cursor.address()?;
    let problem = cursor.problem("a network mask");
    let mask = cursor.address()?;
    let net = ipnet::Ipv4Net::with_netmask(address, mask).map_err(|_| problem)?;
    let secondary = cursor.keyword("secondary");
    let no = fold.no;
    change(fold, |interface| match (&mut interface.address, no, secondary) {
        (Addressing::Static(known), true, true) => known.retain(|known| *known != net),
        (address, true, _) => *address = Addressing::None,
        (Addressing::Static(known), false, true) => known.push(net),
        (Addressing::Static(known), false, false) => match known.first_mut() {
            Some(first) => *first = net,
            None => known.push(net),
        },
        (address, false, _) => *address = Addressing::Static(vec![net]),
    });
    cursor.finish()
}

fn crypto_map(fold: &mut Fold<'_>, cursor: &mut Cursor<'_>) -> Result<(), Problem> {
    let (no, name) = (fold.no, fold.argument(0));
    if cursor.keyword("redundancy") {
        cursor.rest();
        fold.fate = Some(Fate::Unsupported("the map is not shared with another router"));
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
