//! `show ip interface [brief]` and `show interfaces`.

use crate::base::date::age;
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::machine::view::{AddressedBy, InterfaceView};
use crate::manage::desk::Refusal;
use crate::views::snapshot::Snapshot;
use hubward_config::model::{Config, Interface, InterfaceKind, NatSide};
use serde::Serialize;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;

fn of(context: &Context, arguments: &Arguments) -> Result<Interfaces, Refusal> {
    let snapshot = Arc::clone(&context.snapshot);
    let only = arguments.interface();
    let known = |name: &String| snapshot.interfaces.iter().any(|view| view.name == *name);
    if !only.as_ref().is_none_or(known) {
        return Err(arguments.invalid("interface"));
    }
    Ok(Interfaces { snapshot, only })
}

pub(super) fn ip(context: &Context, arguments: &Arguments) -> Output {
    let interfaces = of(context, arguments)?;
    if arguments.has("brief") { shown(Brief(interfaces)) } else { shown(Ip(interfaces)) }
}

pub(super) fn interfaces(context: &Context, arguments: &Arguments) -> Output {
    shown(Full(of(context, arguments)?))
}

/// An interface of the configuration.
#[derive(Debug, Serialize)]
struct InterfaceRow {
    name: String,
    description: Option<String>,
    /// `up`, `down`, `administratively down`
    status: &'static str,
    /// `up`, `down`
    protocol: &'static str,
    address: Option<Ipv4Addr>,
    prefix_length: Option<u8>,
    /// `10.1.2.1/24`
    secondary: Vec<String>,
    /// `NVRAM`, `DHCP`, `manual` (the machine had the address), `unset`
    method: &'static str,
    mtu: u32,
    /// `0200.0000.0001`
    mac: Option<String>,
    crypto_map: Option<String>,
    /// `ip access-group … in`
    access_in: Option<String>,
    /// `ip access-group … out`
    access_out: Option<String>,
    directed_broadcast: bool,
    /// Of directed broadcasts only what this list permits.
    directed_broadcast_list: Option<String>,
    proxy_arp: bool,
    redirects: bool,
    unreachables: bool,
    /// `ip policy route-map`
    policy: Option<String>,
    /// `inside`, `outside`
    nat: Option<&'static str>,
    /// `ip verify unicast`
    source_check: Option<SourceCheckRow>,
    packets_in: u64,
    bytes_in: u64,
    multicast_in: u64,
    errors_in: u64,
    dropped_in: u64,
    packets_out: u64,
    bytes_out: u64,
    errors_out: u64,
    dropped_out: u64,
}

/// Where packets may claim to come from.
#[derive(Debug, Serialize)]
struct SourceCheckRow {
    /// `RX`: the source is reachable by this interface; `ANY`: by some.
    reachable_via: &'static str,
    allow_default: bool,
    allow_self_ping: bool,
    /// Packets that fail and that this list permits pass nevertheless.
    list: Option<String>,
}

impl SourceCheckRow {
    fn of(interface: &Interface) -> Option<Self> {
        let check = interface.source_check.as_ref()?;
        Some(Self {
            reachable_via: if check.by_this_interface { "RX" } else { "ANY" },
            allow_default: check.allow_default,
            allow_self_ping: check.allow_self_ping,
            list: check.list.clone(),
        })
    }

    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "  IP verify source reachable-via {}", self.reachable_via)?;
        let words = [(self.allow_default, ", allow default"), (self.allow_self_ping, ", allow self-ping")];
        words.iter().filter(|(is, _)| *is).try_for_each(|(_, word)| write!(out, "{word}"))?;
        match &self.list {
            Some(list) => writeln!(out, ", ACL {list}"),
            None => writeln!(out),
        }
    }
}

/// `0200.0000.0001`
pub(super) fn mac_text(mac: [u8; 6]) -> String {
    let [a, b, c, d, e, f] = mac;
    format!("{a:02x}{b:02x}.{c:02x}{d:02x}.{e:02x}{f:02x}")
}

impl InterfaceRow {
    fn new(view: &InterfaceView, config: &Config) -> Self {
        const fn state(up: bool) -> &'static str {
            if up { "up" } else { "down" }
        }
        let count = &view.statistics;
        // there is a view of every interface of the configuration, but that may have changed since
        let nameless = Interface::default();
        let interface = config.interfaces.iter().find(|one| one.name == view.name).unwrap_or(&nameless);
        Self {
            name: view.name.clone(),
            description: view.description.clone(),
            status: if view.shutdown { "administratively down" } else { state(view.up) },
            protocol: state(view.running && !view.shutdown),
            address: view.net.map(|net| net.addr()),
            prefix_length: view.net.map(|net| net.prefix_len()),
            secondary: view
                .secondary
                .iter()
                .map(|net| format!("{}/{}", net.addr(), net.prefix_len()))
                .collect(),
            method: match view.addressing {
                AddressedBy::Configuration => "NVRAM",
                AddressedBy::Dhcp => "DHCP",
                AddressedBy::Host => "manual",
                AddressedBy::Nothing => "unset",
            },
            mtu: view.mtu,
            mac: view.mac.map(mac_text),
            crypto_map: view.crypto_map.clone(),
            access_in: interface.access_in.clone(),
            access_out: interface.access_out.clone(),
            directed_broadcast: interface.directed_broadcast.is_some(),
            directed_broadcast_list: interface.directed_broadcast.as_ref().and_then(|of| of.list.clone()),
            proxy_arp: !interface.no_proxy_arp && !config.proxy_arp_off,
            redirects: !interface.no_redirects,
            unreachables: !interface.no_unreachables,
            policy: interface.policy.clone(),
            nat: interface.nat.map(|side| match side {
                NatSide::Inside => "inside",
                NatSide::Outside => "outside",
            }),
            source_check: SourceCheckRow::of(interface),
            packets_in: count.packets_in,
            bytes_in: count.bytes_in,
            multicast_in: count.multicast_in,
            errors_in: count.errors_in,
            dropped_in: count.dropped_in,
            packets_out: count.packets_out,
            bytes_out: count.bytes_out,
            errors_out: count.errors_out,
            dropped_out: count.dropped_out,
        }
    }

    /// What `show ip interface` tells of filters, translation and ICMP.
    fn filters(&self, out: &mut dyn Write) -> io::Result<()> {
        const fn able(is: bool) -> &'static str {
            if is { "enabled" } else { "disabled" }
        }
        const fn sent(is: bool) -> &'static str {
            if is { "always" } else { "never" }
        }
        let list = |name: &Option<String>| name.clone().unwrap_or_else(|| "not set".into());
        let restricted = self.directed_broadcast_list.as_ref();
        let restricted = restricted.map(|name| format!(" - but restricted by access list {name}"));
        let (forwarded, restricted) = (able(self.directed_broadcast), restricted.unwrap_or_default());
        writeln!(out, "  Directed broadcast forwarding is {forwarded}{restricted}")?;
        for net in &self.secondary {
            writeln!(out, "  Secondary address {net}")?;
        }
        writeln!(out, "  Outgoing access list is {}", list(&self.access_out))?;
        writeln!(out, "  Inbound  access list is {}", list(&self.access_in))?;
        writeln!(out, "  Proxy ARP is {}", able(self.proxy_arp))?;
        writeln!(out, "  ICMP redirects are {} sent", sent(self.redirects))?;
        writeln!(out, "  ICMP unreachables are {} sent", sent(self.unreachables))?;
        match &self.policy {
            Some(map) => writeln!(out, "  Policy routing is enabled, using route map {map}")?,
            None => writeln!(out, "  Policy routing is disabled")?,
        }
        let side = self.nat.map(|side| format!(", interface in domain {side}")).unwrap_or_default();
        writeln!(out, "  Network address translation is {}{side}", able(self.nat.is_some()))?;
        self.source_check.as_ref().map_or(Ok(()), |check| check.text(out))
    }

    fn address_and_length(&self) -> Option<String> {
        Some(format!("{}/{}", self.address?, self.prefix_length?))
    }

    /// What IOS takes for the bandwidth of an interface of this kind: kilobits, and tens of
    /// microseconds of delay.
    fn bandwidth_and_delay(&self) -> (u32, u32) {
        match self.name.trim_end_matches(|c: char| !c.is_ascii_alphabetic()) {
            "Ethernet" => (10_000, 1000),
            "GigabitEthernet" => (1_000_000, 10),
            "TenGigabitEthernet" => (10_000_000, 10),
            "Loopback" => (8_000_000, 5000),
            "Tunnel" => (100, 50_000),
            "Serial" => (1544, 20_000),
            _ => (100_000, 100),
        }
    }
}

struct Interfaces {
    snapshot: Arc<Snapshot>,
    only: Option<String>,
}

impl Interfaces {
    fn rows(&self) -> impl Iterator<Item = InterfaceRow> {
        let config = &self.snapshot.parsed.config;
        let views = self.snapshot.interfaces.iter();
        let wanted = views.filter(|view| self.only.as_ref().is_none_or(|name| *name == view.name));
        wanted.map(|view| InterfaceRow::new(view, config))
    }
}

struct Ip(Interfaces);

impl Layout for Ip {
    type Row = InterfaceRow;

    fn rows(&self) -> impl Iterator<Item = InterfaceRow> {
        self.0.rows()
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            writeln!(out, "{} is {}, line protocol is {}", row.name, row.status, row.protocol)?;
            let Some(address) = row.address_and_length() else {
                match row.method {
                    "DHCP" => writeln!(out, "  Internet address will be negotiated using DHCP")?,
                    _ => writeln!(out, "  Internet protocol processing disabled")?,
                }
                continue;
            };
            let by = match row.method {
                "DHCP" => "DHCP",
                "NVRAM" => "non-volatile memory",
                _ => "setup command",
            };
            writeln!(out, "  Internet address is {address}")?;
            writeln!(out, "  Broadcast address is 255.255.255.255")?;
            writeln!(out, "  Address determined by {by}")?;
            writeln!(out, "  MTU is {} bytes", row.mtu)?;
            writeln!(out, "  Helper address is not set")?;
            row.filters(out)?;
        }
        Ok(())
    }
}

struct Brief(Interfaces);

impl Layout for Brief {
    type Row = InterfaceRow;

    fn rows(&self) -> impl Iterator<Item = InterfaceRow> {
        self.0.rows()
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "Interface                  IP-Address      OK? Method Status                Protocol"
        )?;
        for row in self.rows() {
            let address = row.address.map_or_else(|| "unassigned".into(), |address| address.to_string());
            writeln!(
                out,
                "{:<26} {address:<15} YES {:<6} {:<21} {:<8}",
                row.name, row.method, row.status, row.protocol
            )?;
        }
        Ok(())
    }
}

struct Full(Interfaces);

impl Layout for Full {
    type Row = InterfaceRow;

    fn rows(&self) -> impl Iterator<Item = InterfaceRow> {
        self.0.rows()
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        for row in self.rows() {
            writeln!(out, "{} is {}, line protocol is {} ", row.name, row.status, row.protocol)?;
            let mac = row.mac.as_deref().unwrap_or("0000.0000.0000");
            match InterfaceKind::of(&row.name) {
                // as on a router, it has no address of its own
                InterfaceKind::Loopback => writeln!(out, "  Hardware is Loopback")?,
                _ => writeln!(out, "  Hardware is Linux Ethernet, address is {mac} (bia {mac})")?,
            }
            if let Some(description) = &row.description {
                writeln!(out, "  Description: {description}")?;
            }
            if let Some(address) = row.address_and_length() {
                writeln!(out, "  Internet address is {address}")?;
            }
            let (bandwidth, delay) = row.bandwidth_and_delay();
            writeln!(out, "  MTU {} bytes, BW {bandwidth} Kbit/sec, DLY {delay} usec, ", row.mtu)?;
            writeln!(out, "     reliability 255/255, txload 1/255, rxload 1/255")?;
            writeln!(out, "  Encapsulation ARPA, loopback not set")?;
            writeln!(out, "  Keepalive not set")?;
            writeln!(out, "  ARP type: ARPA, ARP Timeout 04:00:00")?;
            let cleared = self.0.snapshot.cleared.map(|at| self.0.snapshot.now.since(at).as_secs());
            let cleared = cleared.map_or_else(|| "never".into(), age);
            writeln!(out, "  Last clearing of \"show interface\" counters {cleared}")?;
            writeln!(
                out,
                "  Input queue: 0/75/{}/0 (size/max/drops/flushes); Total output drops: {}",
                row.dropped_in, row.dropped_out
            )?;
            writeln!(out, "     {} packets input, {} bytes, 0 no buffer", row.packets_in, row.bytes_in)?;
            writeln!(out, "     Received 0 broadcasts ({} IP multicasts)", row.multicast_in)?;
            writeln!(out, "     0 runts, 0 giants, 0 throttles ")?;
            writeln!(out, "     {} input errors, 0 CRC, 0 frame, 0 overrun, 0 ignored", row.errors_in)?;
            writeln!(out, "     {} packets output, {} bytes, 0 underruns", row.packets_out, row.bytes_out)?;
            writeln!(out, "     {} output errors, 0 collisions, 0 interface resets", row.errors_out)?;
        }
        Ok(())
    }
}
