//! Routes.

use crate::error::Error;
use crate::marks::{Made, PROTOCOL};
use crate::netlink::{
    Attributes, CREATE, EXCLUSIVE, Message, Netlink, REPLACE, address_of, family, number_at, short_at,
};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The table that `ip route` shows.
pub const MAIN: u32 = libc::RT_TABLE_MAIN as u32;
/// The table of the machine's own addresses.
pub const LOCAL: u32 = libc::RT_TABLE_LOCAL as u32;

const HEADER: usize = 12;
const FLAG_ONLINK: u32 = 4;
const FLAG_CLONED: u32 = 0x200;
const METRIC_MTU: u16 = 2;
const SCOPE_NOWHERE: u8 = 255;
const SCOPE_LINK: u8 = 253;

/// What happens to a packet that a route matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RouteKind {
    /// It is sent on.
    Unicast,
    /// It is for this machine.
    Local,
    /// It is a broadcast of this machine's network.
    Broadcast,
    /// It is dropped silently.
    Blackhole,
    /// It is dropped and ICMP says "host unreachable".
    Unreachable,
    /// It is dropped and ICMP says "administratively prohibited".
    Prohibit,
    /// The next rule decides, as if this table had no route.
    Throw,
    /// Any other type, by its number.
    Other(u8),
}

impl RouteKind {
    fn number(self) -> u8 {
        match self {
            Self::Unicast => libc::RTN_UNICAST,
            Self::Local => libc::RTN_LOCAL,
            Self::Broadcast => libc::RTN_BROADCAST,
            Self::Blackhole => libc::RTN_BLACKHOLE,
            Self::Unreachable => libc::RTN_UNREACHABLE,
            Self::Prohibit => libc::RTN_PROHIBIT,
            Self::Throw => libc::RTN_THROW,
            Self::Other(number) => number,
        }
    }

    fn from_number(number: u8) -> Self {
        match number {
            libc::RTN_UNICAST => Self::Unicast,
            libc::RTN_LOCAL => Self::Local,
            libc::RTN_BROADCAST => Self::Broadcast,
            libc::RTN_BLACKHOLE => Self::Blackhole,
            libc::RTN_UNREACHABLE => Self::Unreachable,
            libc::RTN_PROHIBIT => Self::Prohibit,
            libc::RTN_THROW => Self::Throw,
            other => Self::Other(other),
        }
    }
}

/// A route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The prefix.
    pub destination: IpNet,
    /// The table it is in.
    pub table: u32,
    /// What it does.
    pub kind: RouteKind,
    /// The next hop.
    pub gateway: Option<IpAddr>,
    /// Index of the interface packets leave by; 0 when the kernel finds it by the next hop.
    pub interface: u32,
    /// The next hop counts as connected although no address of the interface makes it so.
    pub onlink: bool,
    /// Of routes with the same prefix the lowest metric is used (IOS: administrative distance).
    pub metric: u32,
    /// Source address of packets that this machine originates by it.
    pub source: Option<IpAddr>,
    /// MTU of the path, if the route has one.
    pub mtu: Option<u32>,
    /// Who made it ([`PROTOCOL`] is Hubward).
    pub protocol: u8,
}

impl Route {
    /// A route of Hubward's in the main table, to be completed with `..` or by assignment.
    pub fn new(destination: IpNet) -> Self {
        Self {
            destination: destination.trunc(),
            table: MAIN,
            kind: RouteKind::Unicast,
            gateway: None,
            interface: 0,
            onlink: false,
            metric: 0,
            source: None,
            mtu: None,
            protocol: PROTOCOL,
        }
    }

    fn message(&self, kind: u16, flags: u16) -> Message {
        let delete = kind == libc::RTM_DELROUTE;
        let scope = match (delete, self.kind, self.gateway) {
            (true, ..) => SCOPE_NOWHERE,
            (_, RouteKind::Unicast, None) => SCOPE_LINK,
            _ => libc::RT_SCOPE_UNIVERSE,
        };
        let header = RouteHeader {
            destination: self.destination,
            protocol: self.protocol,
            scope,
            kind: self.kind.number(),
            flags: if self.onlink { FLAG_ONLINK } else { 0 },
        };
        let positive = |value: u32| (value != 0).then_some(value);
        Message::new(kind, flags, &header.to_bytes())
            .address(libc::RTA_DST, self.destination.addr())
            .number(libc::RTA_TABLE, self.table)
            .maybe(self.gateway, |message, gateway| message.address(libc::RTA_GATEWAY, gateway))
            .maybe(positive(self.interface), |message, index| message.number(libc::RTA_OIF, index))
            .maybe(positive(self.metric), |message, metric| message.number(libc::RTA_PRIORITY, metric))
            .maybe(self.source, |message, source| message.address(libc::RTA_PREFSRC, source))
            .maybe(self.mtu, |message, mtu| {
                message.nested(libc::RTA_METRICS, &[], |metrics| metrics.number(METRIC_MTU, mtu))
            })
    }

    fn name(&self) -> String {
        let via = self.gateway.map(|gateway| format!(" via {gateway}")).unwrap_or_default();
        let by =
            if self.interface == 0 { String::new() } else { format!(" by interface {}", self.interface) };
        format!("{}{via}{by} in table {}", self.destination, self.table)
    }
}

/// `struct rtmsg`.
struct RouteHeader {
    destination: IpNet,
    protocol: u8,
    scope: u8,
    kind: u8,
    flags: u32,
}

impl RouteHeader {
    /// The table is in an attribute, which has room for numbers above 255.
    fn to_bytes(&self) -> Vec<u8> {
        let prefix = self.destination.prefix_len();
        let family = family(self.destination.addr());
        [&[family, prefix, 0, 0, 0, self.protocol, self.scope, self.kind][..], &self.flags.to_ne_bytes()]
            .concat()
    }
}

pub(crate) fn parse(kind: u16, body: &[u8]) -> Option<Route> {
    if kind != libc::RTM_NEWROUTE && kind != libc::RTM_DELROUTE {
        return None;
    }
    let unspecified: IpAddr = match i32::from(*body.first()?) {
        libc::AF_INET => Ipv4Addr::UNSPECIFIED.into(),
        libc::AF_INET6 => Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let flags = number_at(body, 8)?;
    let mut route = Route::new(IpNet::new(unspecified, 0).ok()?);
    let mut destination = unspecified;
    route.table = u32::from(*body.get(4)?);
    route.protocol = *body.get(5)?;
    route.kind = RouteKind::from_number(*body.get(7)?);
    route.onlink = flags & FLAG_ONLINK != 0;
    for (kind, data) in Attributes(body.get(HEADER..)?) {
        match kind {
            libc::RTA_DST => destination = address_of(data)?,
            libc::RTA_TABLE => route.table = number_at(data, 0)?,
            libc::RTA_GATEWAY => route.gateway = address_of(data),
            libc::RTA_OIF => route.interface = number_at(data, 0)?,
            libc::RTA_PRIORITY => route.metric = number_at(data, 0)?,
            libc::RTA_PREFSRC => route.source = address_of(data),
            libc::RTA_METRICS => {
                let mtu = Attributes(data).find(|(kind, _)| *kind == METRIC_MTU);
                route.mtu = mtu.and_then(|(_, data)| number_at(data, 0));
            }
            libc::RTA_MULTIPATH => first_hop(data, &mut route),
            _ => {}
        }
    }
    route.destination = IpNet::new(destination, *body.get(1)?).ok()?;
    Some(route)
}

/// Of several next hops only the first is used: `struct rtnexthop`, then attributes.
fn first_hop(data: &[u8], route: &mut Route) {
    let (Some(length), Some(index)) = (short_at(data, 0), number_at(data, 4)) else { return };
    route.interface = index;
    route.onlink |= data.get(2).is_some_and(|flags| u32::from(*flags) & FLAG_ONLINK != 0);
    if let Some(attributes) = data.get(8..usize::from(length)) {
        route.gateway = Attributes(attributes)
            .find(|(kind, _)| *kind == libc::RTA_GATEWAY)
            .and_then(|(_, data)| address_of(data));
    }
}

/// All routes of all tables, IPv4 and IPv6; the kernel's cached ones are left out.
pub fn list(netlink: &Netlink) -> Result<Vec<Route>, Error> {
    let message = Message::new(libc::RTM_GETROUTE, 0, &[0; HEADER]);
    netlink.list("list", "the routes", &message, |kind, body| {
        (number_at(body, 8)? & FLAG_CLONED == 0).then(|| parse(kind, body)).flatten()
    })
}

/// Adds a route. An existing one with the same prefix, table and metric is left as it is, whoever
/// made it.
pub fn add(netlink: &Netlink, route: &Route) -> Result<Made, Error> {
    let message = route.message(libc::RTM_NEWROUTE, CREATE | EXCLUSIVE);
    match netlink.execute("add route", route.name(), message) {
        Ok(()) => Ok(Made::New),
        Err(error) if error.is_already_there() => Ok(Made::AlreadyThere),
        Err(error) => Err(error),
    }
}

/// Adds a route before those with the same prefix, table and metric, whoever made them: it is used,
/// and they are used again once it is gone. One that is equal in everything is left as it is.
pub fn prepend(netlink: &Netlink, route: &Route) -> Result<Made, Error> {
    // without EXCLUSIVE, REPLACE and APPEND the kernel puts an IPv4 route first among its equals
    let message = route.message(libc::RTM_NEWROUTE, CREATE);
    match netlink.execute("add route", route.name(), message) {
        Ok(()) => Ok(Made::New),
        Err(error) if error.is_already_there() => Ok(Made::AlreadyThere),
        Err(error) => Err(error),
    }
}

/// Adds a route or replaces the one with the same prefix, table and metric, *whoever made that*:
/// for tables that are Hubward's own.
pub fn replace(netlink: &Netlink, route: &Route) -> Result<(), Error> {
    netlink.execute("set route", route.name(), route.message(libc::RTM_NEWROUTE, CREATE | REPLACE))
}

/// Removes the route that agrees in everything that `route` says.
pub fn remove(netlink: &Netlink, route: &Route) -> Result<(), Error> {
    netlink.execute("remove route", route.name(), route.message(libc::RTM_DELROUTE, 0))
}

/// What the kernel would do with a packet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lookup {
    /// Its source address, when it is fixed already.
    pub source: Option<IpAddr>,
    /// Its firewall mark.
    pub mark: u32,
    /// Index of the interface it came in by; 0 for one of this machine's own. With it, `source` has
    /// to be set.
    pub arrived_by: u32,
}

/// Asks the kernel which route a packet to `destination` takes: its next hop, its interface, the
/// source address it would get. An unreachable destination is an error whose number is that of the
/// route (`ENETUNREACH`, `EHOSTUNREACH`, `EACCES`, `EINVAL` for a blackhole).
pub fn lookup(netlink: &Netlink, destination: IpAddr, how: Lookup) -> Result<Route, Error> {
    let full = |address: IpAddr| if address.is_ipv4() { 32 } else { 128 };
    let source_length = how.source.map_or(0, full);
    let header =
        [&[family(destination), full(destination), source_length, 0, 0, 0, 0, 0][..], &0u32.to_ne_bytes()]
            .concat();
    let message = Message::new(libc::RTM_GETROUTE, 0, &header)
        .address(libc::RTA_DST, destination)
        .maybe(how.source, |message, source| message.address(libc::RTA_SRC, source))
        .maybe((how.arrived_by != 0).then_some(how.arrived_by), |message, index| {
            message.number(libc::RTA_IIF, index)
        })
        .maybe((how.mark != 0).then_some(how.mark), |message, mark| message.number(libc::RTA_MARK, mark));
    let mut found = None;
    netlink.request("find a route to", destination, message, |kind, body| {
        found = parse(kind, body);
        Ok(())
    })?;
    found.ok_or(Error::Answer { operation: "finding a route", reason: "no route in it" })
}
