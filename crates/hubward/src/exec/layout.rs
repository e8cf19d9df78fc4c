//! The common part of all `show` commands. A command returns typed rows; its text and its JSON are
//! both made from them, one row at a time, so that they cannot differ and a long output is never in
//! memory as a whole.

use crate::base::format::Format;
use hubward_config::acl::names;
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::time::Instant;
use serde::{Serialize, Serializer};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};

/// A `show` command's answer.
pub(crate) trait Layout {
    /// What there is one of for each thing shown.
    type Row: Serialize;

    /// The things shown, in their order.
    fn rows(&self) -> impl Iterator<Item = Self::Row>;

    /// The text, as IOS lays it out.
    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()>;

    /// How many more things there are than are shown; the text says that itself.
    fn left_out(&self) -> usize {
        0
    }
}

/// A [`Layout`] whose rows' type does not matter any more.
pub(crate) trait Shown: Send {
    /// The text, as IOS lays it out.
    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()>;

    /// `{"show": COMMAND, "version": 1, "rows": [...]}`, and `"left_out": NUMBER` where rows are left
    /// out. Fields may be added to rows; none changes
    /// its meaning or goes while the version stays.
    fn json(&self, command: &str, out: &mut dyn Write) -> io::Result<()>;
}

impl<L: Layout + Send> Shown for L {
    fn text(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        Layout::text(self, format, out)
    }

    fn json(&self, command: &str, out: &mut dyn Write) -> io::Result<()> {
        let left_out = Some(self.left_out()).filter(|count| *count > 0);
        let document = Document { show: command, version: 1, left_out, rows: Rows(self) };
        serde_json::to_writer_pretty(&mut *out, &document)?;
        writeln!(out)
    }
}

#[derive(Serialize)]
#[serde(bound = "")]
struct Document<'l, L: Layout> {
    show: &'l str,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<usize>,
    rows: Rows<'l, L>,
}

struct Rows<'l, L>(&'l L);

impl<L: Layout> Serialize for Rows<'_, L> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.rows())
    }
}

/// Serializes what has a text as that.
pub(super) fn as_text<S: Serializer>(
    value: &impl std::fmt::Display,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Seconds until a moment; 0 when it is over.
pub(super) fn left(until: Option<Instant>, now: Instant) -> u64 {
    until.map_or(0, |until| until.since(now).as_secs())
}

/// First address and mask of a range, as `show crypto ipsec sa` prints proxies.
pub(super) fn address_and_mask(range: AddressRange) -> (IpAddr, Ipv4Addr) {
    let mask = range.to_prefix().map_or(Ipv4Addr::BROADCAST, |prefix| match prefix {
        ipnet::IpNet::V4(net) => net.netmask(),
        ipnet::IpNet::V6(_) => Ipv4Addr::BROADCAST,
    });
    (range.first(), mask)
}

/// The last address of a range that is no network: it has no mask.
pub(super) fn last_of(range: AddressRange) -> Option<IpAddr> {
    range.to_prefix().is_none().then(|| range.last())
}

/// A side of an access list line: `any`, `host A`, `A WILDCARD`.
pub(super) fn acl_side(address: Ipv4Addr, wildcard: Ipv4Addr) -> String {
    match (address, wildcard) {
        (_, Ipv4Addr::BROADCAST) => "any".into(),
        (address, Ipv4Addr::UNSPECIFIED) => format!("host {address}"),
        (address, wildcard) => format!("{address} {wildcard}"),
    }
}

/// The same of a selector's range.
pub(super) fn acl_range(range: AddressRange) -> String {
    let (address, mask) = address_and_mask(range);
    match address {
        _ if last_of(range).is_some() => format!("range {address} {}", range.last()),
        IpAddr::V4(address) => acl_side(address, Ipv4Addr::from(!u32::from(mask))),
        IpAddr::V6(_) => range.to_string(),
    }
}

/// How access lists spell a protocol.
pub(super) fn protocol_name(protocol: Option<u8>) -> String {
    let Some(number) = protocol else { return "ip".into() };
    names::name(names::PROTOCOLS, &number).map_or_else(|| number.to_string(), str::to_string)
}

/// ` eq PORT`, or nothing.
pub(super) fn port_suffix(protocol: Option<u8>, port: Option<u16>) -> String {
    let Some(port) = port else { return String::new() };
    match names::name(names::ports(protocol), &port) {
        Some(name) => format!(" eq {name}"),
        None => format!(" eq {port}"),
    }
}
