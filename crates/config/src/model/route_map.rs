//! `route-map`.

use std::net::Ipv4Addr;

/// `route-map`: all entries of a name.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteMap {
    /// Name.
    pub name: String,
    /// By their sequence numbers: the first that matches decides. What none matches is denied.
    pub entries: Vec<RouteMapEntry>,
}

/// `route-map NAME {permit|deny} SEQUENCE`, with the lines below it.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteMapEntry {
    /// Number.
    pub sequence: u16,
    /// `permit` or `deny`.
    pub permit: bool,
    /// All of these must match; none matches everything.
    pub matches: Vec<RouteMatch>,
    /// What is done with packets that match.
    pub sets: Vec<RouteSet>,
    /// Line.
    pub line: u32,
}

/// A `match` line. Several values of a line are alternatives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteMatch {
    /// `match ip address LIST…`
    Address(Vec<String>),
    /// `match length MIN MAX`: the length of the IP packet.
    Length(u32, u32),
    /// `match interface IF…`: the interface by which the packet leaves.
    Interface(Vec<String>),
    /// `match ip next-hop LIST…`: lists of the next hop's address.
    NextHop(Vec<String>),
    /// Another `match`, which says nothing of packets or is not implemented; its words.
    Other(String),
}

/// A `set` line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RouteSet {
    /// `set ip next-hop A…`: the first that is reachable.
    NextHop(Vec<Ipv4Addr>),
    /// `set ip default next-hop A…`: likewise, for packets without a route but the default.
    DefaultNextHop(Vec<Ipv4Addr>),
    /// `set interface IF…`: the first that is up.
    Interface(Vec<String>),
    /// `set default interface IF…`: likewise, for packets without a route but the default.
    DefaultInterface(Vec<String>),
    /// Another `set`, which is not implemented; its words.
    Other(String),
}
