//! The kernel's table of connections (`conntrack -L` shows it): those of IPv4, with what address
//! translation made of them.

use crate::error::Error;
use crate::netlink::{Attributes, Message, Netlink, text_of};
use crate::nftables::Counted;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// `NFNL_SUBSYS_CTNETLINK`.
const SUBSYSTEM: u16 = 1;
const NEW: u16 = 0;
const GET: u16 = 1;
const DELETE: u16 = 2;
const IPV4: u8 = libc::NFPROTO_IPV4 as u8;
const ICMP: u8 = libc::IPPROTO_ICMP as u8;
const ORIGINAL: u16 = 1;
const REPLY: u16 = 2;
const ZONE: u16 = 18;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;

/// Connections that [`Conntrack::list`] gives at most, about 200 MB: a table can have more if
/// somebody set `net.netfilter.nf_conntrack_max` so.
pub const MOST: usize = 1_000_000;

/// What tells packets of a connection apart from others, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tuple {
    /// Where they come from.
    pub source: Ipv4Addr,
    /// Where they go.
    pub destination: Ipv4Addr,
    /// Their IP protocol.
    pub protocol: u8,
    /// What the protocol adds.
    pub flow: Flow,
}

/// What a protocol adds to the addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flow {
    /// TCP, UDP and others with ports. Of GRE these are its keys.
    Ports {
        /// Of the source.
        source: u16,
        /// Of the destination.
        destination: u16,
    },
    /// ICMP.
    Icmp {
        /// The identifier of an echo.
        id: u16,
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
    },
    /// Nothing: ESP and other protocols that are not looked into.
    Nothing,
}

/// A connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The packets of the side that began, as they arrived.
    pub original: Tuple,
    /// The packets of the other side, as they arrive: to where the translated ones came from.
    pub reply: Tuple,
    /// `IPS_…` of the kernel; read it by the functions.
    pub status: u32,
    /// How long it stays without another packet.
    pub left: Duration,
    /// Its mark (`ct mark`).
    pub mark: u32,
    /// Its zone, 0 if it has none.
    pub zone: u16,
    /// The helper that reads it (`ftp`).
    pub helper: Option<String>,
    /// The connection that announced this one, such as that of FTP for its data.
    pub master: Option<Tuple>,
    /// Packets of the side that began, if the kernel counts (`nf_conntrack_acct`).
    pub sent: Option<Counted>,
    /// Packets of the other side, likewise.
    pub answered: Option<Counted>,
    /// When it began, in nanoseconds since 1970, if the kernel notes it (`nf_conntrack_timestamp`).
    pub began: Option<u64>,
    /// By what the kernel tells it from most later ones with the same addresses.
    pub id: Option<u32>,
}

impl Connection {
    /// A connection of which no more than this is known.
    pub fn new(original: Tuple, reply: Tuple, status: u32, left: Duration) -> Self {
        Self {
            original,
            reply,
            status,
            left,
            mark: 0,
            zone: 0,
            helper: None,
            master: None,
            sent: None,
            answered: None,
            began: None,
            id: None,
        }
    }

    fn has(&self, bit: u32) -> bool {
        self.status & 1 << bit != 0
    }

    /// Packets of both sides were seen.
    pub fn is_answered(&self) -> bool {
        self.has(1)
    }

    /// It is established for good: it is not given up early when the table is full.
    pub fn is_assured(&self) -> bool {
        self.has(2)
    }

    /// Sources of the side that began are translated.
    pub fn translates_source(&self) -> bool {
        self.has(4)
    }

    /// Destinations of the side that began are translated.
    pub fn translates_destination(&self) -> bool {
        self.has(5)
    }

    /// Either is translated.
    pub fn is_translated(&self) -> bool {
        self.translates_source() || self.translates_destination()
    }
}

/// What [`Conntrack::list`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Connections, in the kernel's order, which is none.
    pub connections: Vec<Connection>,
    /// How many more there are than were asked for.
    pub more: usize,
}

/// The way to the table of connections in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Conntrack {
    netlink: Netlink,
}

impl Conntrack {
    /// Opens it. Reading and changing take CAP_NET_ADMIN.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { netlink: Netlink::open_netfilter()? })
    }

    /// The connections that are `wanted`, `most` of them at most and never more than [`MOST`].
    pub fn list(&self, most: usize, mut wanted: impl FnMut(&Connection) -> bool) -> Result<Listing, Error> {
        let mut listing = Listing::default();
        let mut message = request(GET);
        message.flags |= crate::netlink::DUMP;
        // the kernel's answer is read to its end in any case, or the next request would be refused
        self.netlink.request("list", "the connections", message, |kind, body| {
            if kind == SUBSYSTEM << 8 | NEW
                && let Some(connection) = connection(body)
                && wanted(&connection)
            {
                match listing.connections.len() < most.min(MOST) {
                    true => listing.connections.push(connection),
                    false => listing.more += 1,
                }
            }
            Ok(())
        })?;
        Ok(listing)
    }

    /// Removes a connection; whether it was there. Its next packet begins another, which is
    /// translated as the rules say by then.
    pub fn remove(&self, connection: &Connection) -> Result<bool, Error> {
        let message = request(DELETE)
            .tuple(ORIGINAL, &connection.original)
            .maybe((connection.zone != 0).then_some(connection.zone), |message, zone| {
                message.attribute(ZONE, &zone.to_be_bytes())
            })
            .maybe(connection.id, |message, id| message.attribute(12, &id.to_be_bytes()));
        let object = format_args!("{} to {}", connection.original.source, connection.original.destination);
        match self.netlink.execute("remove the connection of", object, message) {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

fn request(kind: u16) -> Message {
    // nfgenmsg: family, version, resource
    Message::new(SUBSYSTEM << 8 | kind, 0, &[IPV4, 0, 0, 0])
}

impl Message {
    fn tuple(self, kind: u16, tuple: &Tuple) -> Self {
        self.nested(kind | NESTED, &[], |message| {
            let message = message.nested(1 | NESTED, &[], |addresses| {
                addresses.address(1, IpAddr::V4(tuple.source)).address(2, IpAddr::V4(tuple.destination))
            });
            message.nested(2 | NESTED, &[], |protocol| {
                let protocol = protocol.attribute(1, &[tuple.protocol]);
                match tuple.flow {
                    Flow::Ports { source, destination } => {
                        protocol.attribute(2, &source.to_be_bytes()).attribute(3, &destination.to_be_bytes())
                    }
                    Flow::Icmp { id, kind, code } => {
                        protocol.attribute(4, &id.to_be_bytes()).attribute(5, &[kind]).attribute(6, &[code])
                    }
                    Flow::Nothing => protocol,
                }
            })
        })
    }
}

fn find(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    Attributes(attributes).find(|(kind, _)| *kind == wanted).map(|(_, data)| data)
}

fn short(bytes: &[u8]) -> Option<u16> {
    bytes.try_into().ok().map(u16::from_be_bytes)
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_be_bytes)
}

fn long(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

fn tuple(data: &[u8]) -> Option<Tuple> {
    let (addresses, protocol) = (find(data, 1)?, find(data, 2)?);
    let address = |kind| Some(Ipv4Addr::from(<[u8; 4]>::try_from(find(addresses, kind)?).ok()?));
    let port = |kind| find(protocol, kind).and_then(short);
    let byte = |kind| find(protocol, kind).and_then(|data| data.first().copied());
    let number = byte(1)?;
    let flow = match (port(2), port(3), port(4)) {
        (Some(source), Some(destination), _) => Flow::Ports { source, destination },
        (_, _, Some(id)) if number == ICMP => Flow::Icmp { id, kind: byte(5)?, code: byte(6)? },
        _ => Flow::Nothing,
    };
    Some(Tuple { source: address(1)?, destination: address(2)?, protocol: number, flow })
}

fn counted(data: &[u8]) -> Option<Counted> {
    Some(Counted { packets: long(find(data, 1)?)?, bytes: long(find(data, 2)?)? })
}

fn connection(body: &[u8]) -> Option<Connection> {
    // the first byte is the family; the same messages tell of IPv6
    if body.first() != Some(&IPV4) {
        return None;
    }
    let data = body.get(4..)?;
    Some(Connection {
        original: tuple(find(data, ORIGINAL)?)?,
        reply: tuple(find(data, REPLY)?)?,
        status: find(data, 3).and_then(number)?,
        left: Duration::from_secs(find(data, 7).and_then(number).unwrap_or_default().into()),
        mark: find(data, 8).and_then(number).unwrap_or_default(),
        zone: find(data, ZONE).and_then(short).unwrap_or_default(),
        helper: find(data, 5).and_then(|help| find(help, 1)).map(text_of),
        master: find(data, 14).and_then(tuple),
        sent: find(data, 9).and_then(counted),
        answered: find(data, 10).and_then(counted),
        began: find(data, 20).and_then(|time| find(time, 1)).and_then(long),
        id: find(data, 12).and_then(number),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_is_read_back_as_it_was_written() {
        let address = |last| Ipv4Addr::new(192, 0, 2, last);
        for (protocol, flow) in [
            (6, Flow::Ports { source: 1024, destination: 80 }),
            (1, Flow::Icmp { id: 7, kind: 8, code: 0 }),
            (50, Flow::Nothing),
        ] {
            let written = Tuple { source: address(1), destination: address(2), protocol, flow };
            let bytes = request(GET).tuple(ORIGINAL, &written).to_bytes(1);
            let data = find(&bytes[20..], ORIGINAL).unwrap();
            assert_eq!(tuple(data), Some(written));
            for length in 0..data.len() {
                let _ = tuple(&data[..length]);
            }
        }
    }
}
