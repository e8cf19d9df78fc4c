//! `show ip route` and `show arp`: what the kernel has.

use super::show_interface::mac_text;
use crate::base::format::Format;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::{Layout, as_text};
use crate::views::snapshot::Snapshot;
use hubward_config::model::InterfaceKind;
use hubward_linux::marks::PROTOCOL;
use hubward_linux::route::{Route, RouteKind};
use ipnet::{IpNet, Ipv4Net};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub(super) fn route(context: &Context, _: &Arguments) -> Output {
    shown(Routes(Arc::clone(&context.snapshot)))
}

pub(super) fn arp(context: &Context, _: &Arguments) -> Output {
    shown(Arp(Arc::clone(&context.snapshot)))
}

/// One route.
#[derive(Clone, Debug, Serialize)]
struct RouteRow {
    /// `C` connected, `L` an address of ours, `S` static
    code: char,
    /// Whether it is the gateway of last resort.
    candidate_default: bool,
    #[serde(serialize_with = "as_text")]
    destination: Ipv4Net,
    distance: u32,
    metric: u32,
    next_hop: Option<Ipv4Addr>,
    interface: Option<String>,
    /// Whether its packets are dropped and their senders notified: its interface in the
    /// configuration does not exist here.
    unreachable: bool,
    /// Why a route of the configuration is not used, though it has none better.
    hidden: Option<String>,
    /// Of several to one destination the kernel uses that with the lowest metric.
    #[serde(skip)]
    preference: u32,
}

struct Routes(Arc<Snapshot>);

impl Routes {
    fn interface(&self, index: u32) -> Option<String> {
        self.0.links.get(&index).cloned()
    }

    fn row(&self, route: &Route) -> Option<RouteRow> {
        let IpNet::V4(destination) = route.destination else { return None };
        let null = match route.kind {
            RouteKind::Unicast => false,
            RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => true,
            _ => return None,
        };
        let unreachable = matches!(route.kind, RouteKind::Unreachable | RouteKind::Prohibit);
        let next_hop = match route.gateway {
            Some(IpAddr::V4(hop)) => Some(hop),
            _ => None,
        };
        // the kernel makes a route for the network of each address
        // where the kernel has no dummy links, Hubward drops packets to a loopback's network
        let loopback = self.loopback(destination).filter(|_| null);
        let connected = next_hop.is_none() && (!null && self.is_connected(destination) || loopback.is_some());
        let ours = self.0.statics.iter().find(|found| {
            let same = (found.route.destination, found.route.gateway) == (route.destination, route.gateway);
            same && found.route.metric == route.metric && route.protocol == PROTOCOL
        });
        Some(RouteRow {
            code: if connected { 'C' } else { 'S' },
            candidate_default: !connected && !unreachable && destination.prefix_len() == 0,
            destination,
            distance: match (connected, ours) {
                (true, _) => 0,
                (false, Some(ours)) => ours.distance.into(),
                (false, None) => route.metric,
            },
            metric: 0,
            next_hop,
            interface: match (unreachable, null) {
                (true, _) => ours.and_then(|ours| ours.interface.clone()),
                (false, true) => Some(loopback.unwrap_or("Null0").into()),
                (false, false) => self.interface(route.interface),
            },
            unreachable,
            hidden: None,
            preference: if connected { 0 } else { route.metric },
        })
    }

    fn nets(&self) -> impl Iterator<Item = (Ipv4Net, &str)> {
        // the networks of an interface that is shut are not connected
        let open = self.0.interfaces.iter().filter(|view| !view.shutdown);
        open.flat_map(|view| view.net.iter().chain(&view.secondary).map(|net| (*net, view.name.as_str())))
    }

    /// The loopback interface with this network.
    fn loopback(&self, destination: Ipv4Net) -> Option<&str> {
        let of = |name: &str| InterfaceKind::of(name) == InterfaceKind::Loopback;
        self.nets().find(|(net, name)| net.trunc() == destination && of(name)).map(|(_, name)| name)
    }

    fn is_connected(&self, destination: Ipv4Net) -> bool {
        destination.prefix_len() > 0
            && (self.nets().any(|(net, _)| net.trunc() == destination)
                // an interface that the configuration does not name
                || self.0.routes.iter().any(|route| {
                    route.destination == IpNet::V4(destination) && route.gateway.is_none() && route.source.is_some()
                }))
    }
}

impl Routes {
    /// Routes of the configuration that are not used because of a route of another program.
    fn hidden(&self) -> impl Iterator<Item = RouteRow> {
        self.0.statics.iter().filter_map(|chosen| {
            let IpNet::V4(destination) = chosen.route.destination else { return None };
            Some(RouteRow {
                code: 'S',
                candidate_default: false,
                destination,
                distance: chosen.distance.into(),
                metric: 0,
                next_hop: match chosen.route.gateway {
                    Some(IpAddr::V4(hop)) => Some(hop),
                    _ => None,
                },
                interface: chosen.interface.clone(),
                unreachable: chosen.route.kind == RouteKind::Unreachable,
                hidden: Some(chosen.hidden.clone()?),
                preference: chosen.route.metric,
            })
        })
    }
}

impl Layout for Routes {
    type Row = RouteRow;

    /// The default route first, then by destination, as IOS 15 sorts them; last what is not used.
    fn rows(&self) -> impl Iterator<Item = RouteRow> {
        // the kernel has no route for the network of a single address
        let ours = self.nets().map(|(net, name)| RouteRow {
            code: if net.prefix_len() < 32 { 'L' } else { 'C' },
            candidate_default: false,
            destination: net.addr().into(),
            distance: 0,
            metric: 0,
            next_hop: None,
            interface: Some(name.to_string()),
            unreachable: false,
            hidden: None,
            preference: 0,
        });
        let mut rows: Vec<_> = self.0.routes.iter().filter_map(|route| self.row(route)).chain(ours).collect();
        rows.sort_by_key(|row| {
            let net = row.destination;
            (net.prefix_len() != 0, net.addr(), net.prefix_len(), row.preference)
        });
        // of several to one destination only the one that is used is shown
        rows.dedup_by_key(|row| row.destination);
        rows.extend(self.hidden());
        rows.into_iter()
    }

    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        let first = if format == Format::Modern { "L - local, " } else { "" };
        writeln!(out, "Codes: {first}C - connected, S - static, R - RIP, M - mobile, B - BGP")?;
        writeln!(out, "       D - EIGRP, EX - EIGRP external, O - OSPF, IA - OSPF inter area ")?;
        writeln!(out, "       N1 - OSPF NSSA external type 1, N2 - OSPF NSSA external type 2")?;
        writeln!(out, "       E1 - OSPF external type 1, E2 - OSPF external type 2")?;
        writeln!(out, "       i - IS-IS, su - IS-IS summary, L1 - IS-IS level-1, L2 - IS-IS level-2")?;
        writeln!(out, "       ia - IS-IS inter area, * - candidate default, U - per-user static route")?;
        writeln!(out, "       o - ODR, P - periodic downloaded static route\n")?;
        let (hidden, rows): (Vec<_>, Vec<_>) = self
            .rows()
            .filter(|row| format == Format::Modern || row.code != 'L')
            .partition(|row| row.hidden.is_some());
        let default = rows.iter().find(|row| row.candidate_default);
        match default.map(|row| (row.next_hop, &row.interface)) {
            Some((Some(hop), _)) => writeln!(out, "Gateway of last resort is {hop} to network 0.0.0.0\n")?,
            Some((None, _)) => writeln!(out, "Gateway of last resort is 0.0.0.0 to network 0.0.0.0\n")?,
            None => writeln!(out, "Gateway of last resort is not set\n")?,
        }
        for row in rows.iter().filter(|row| row.destination.prefix_len() == 0) {
            row.text(format, false, out)?;
        }
        for (network, subnets) in networks(&rows) {
            let lengths: BTreeSet<_> = subnets.iter().map(|row| row.destination.prefix_len()).collect();
            match subnets.as_slice() {
                [row] if row.destination.prefix_len() <= network.prefix_len() => {
                    row.text(format, false, out)?
                }
                _ => {
                    let count = subnets.len();
                    let indent = if format == Format::Modern { "      " } else { "     " };
                    match lengths.iter().next().filter(|_| lengths.len() == 1) {
                        Some(length) => writeln!(
                            out,
                            "{indent}{}/{length} is subnetted, {count} subnets",
                            network.network()
                        )?,
                        None => writeln!(
                            out,
                            "{indent}{network} is variably subnetted, {count} subnets, {} masks",
                            lengths.len()
                        )?,
                    }
                    for row in subnets {
                        row.text(format, true, out)?;
                    }
                }
            }
        }
        for row in hidden {
            let why = row.hidden.unwrap_or_default();
            writeln!(out, "\n{} [{}/0] is not used: {why}", row.destination, row.distance)?;
        }
        Ok(())
    }
}

/// The routes by the class A, B or C network that contains them.
fn networks(rows: &[RouteRow]) -> BTreeMap<Ipv4Net, Vec<&RouteRow>> {
    let mut networks: BTreeMap<Ipv4Net, Vec<&RouteRow>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.destination.prefix_len() > 0) {
        let length = match row.destination.addr().octets() {
            [0..=127, ..] => 8,
            [128..=191, ..] => 16,
            _ => 24,
        };
        // a supernet is listed by itself
        let length = length.min(row.destination.prefix_len());
        let network = Ipv4Net::new(row.destination.addr(), length).unwrap_or_default().trunc();
        networks.entry(network).or_default().push(row);
    }
    networks
}

impl RouteRow {
    fn text(&self, format: Format, subnet: bool, out: &mut dyn Write) -> io::Result<()> {
        let star = if self.candidate_default { "*" } else { " " };
        let indent = match (format, subnet) {
            (Format::Modern, false) => "    ",
            (Format::Classic, false) => "   ",
            (Format::Modern, true) => "       ",
            (Format::Classic, true) => "      ",
        };
        write!(out, "{}{star}{indent}{} ", self.code, self.destination)?;
        if self.code == 'S' && self.next_hop.is_some() {
            write!(out, "[{}/{}] ", self.distance, self.metric)?;
        }
        if self.unreachable {
            let interface = self.interface.as_deref().map(|name| format!(", {name}")).unwrap_or_default();
            return writeln!(out, "is unreachable here{interface}");
        }
        match (self.next_hop, &self.interface) {
            (Some(hop), Some(interface)) => writeln!(out, "via {hop}, {interface}"),
            (Some(hop), None) => writeln!(out, "via {hop}"),
            (None, interface) => {
                writeln!(out, "is directly connected, {}", interface.as_deref().unwrap_or("Null0"))
            }
        }
    }
}

/// One entry of the ARP table.
#[derive(Debug, Serialize)]
struct ArpRow {
    address: Ipv4Addr,
    /// Minutes; `None` for an address of ours.
    age: Option<u32>,
    /// `None` while there is no answer.
    mac: Option<String>,
    interface: String,
}

struct Arp(Arc<Snapshot>);

impl Layout for Arp {
    type Row = ArpRow;

    fn rows(&self) -> impl Iterator<Item = ArpRow> {
        let open = self.0.interfaces.iter().filter(|view| !view.shutdown);
        let ours = open.filter_map(|view| {
            Some(ArpRow {
                address: view.net?.addr(),
                age: None,
                mac: Some(mac_text(view.mac?)),
                interface: view.name.clone(),
            })
        });
        let others = self.0.neighbours.iter().filter_map(|neighbour| {
            let IpAddr::V4(address) = neighbour.address else { return None };
            Some(ArpRow {
                address,
                age: Some(neighbour.age / 60),
                mac: neighbour.mac.map(mac_text),
                interface: self.0.links.get(&neighbour.interface).cloned()?,
            })
        });
        let mut rows: Vec<_> = ours.chain(others).collect();
        rows.sort_by_key(|row| row.address);
        rows.into_iter()
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "Protocol  Address          Age (min)  Hardware Addr   Type   Interface")?;
        for row in self.rows() {
            let age = match (&row.mac, row.age) {
                (None, _) => "0".to_string(),
                (Some(_), None) => "-".to_string(),
                (Some(_), Some(age)) => age.to_string(),
            };
            let mac = row.mac.as_deref().unwrap_or("Incomplete");
            // no interface is printed for an unresolved address
            let interface = row.mac.as_ref().map_or("", |_| &row.interface);
            let line = format!(
                "Internet  {:<15} {age:>10}   {mac:<14}  ARPA   {interface}",
                row.address.to_string()
            );
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
