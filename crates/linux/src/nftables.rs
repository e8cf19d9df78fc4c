//! Packet filters of the kernel, nf_tables (`nft list ruleset` shows them): whole tables of IPv4,
//! installed or removed atomically, so that no packet meets half of one. Only the parts that
//! Hubward uses are here.

pub mod chains;
pub mod elements;
pub mod objects;
mod replace;

use crate::error::Error;
use crate::marks::POLICY_MASK;
use crate::netlink::{Attributes, CREATE, Message, Netlink, text_of};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

/// `NFNL_SUBSYS_NFTABLES`.
const SUBSYSTEM: u16 = 10;
const NEWTABLE: u16 = 0;
const GETTABLE: u16 = 1;
const DELTABLE: u16 = 2;
const NEWCHAIN: u16 = 3;
const GETCHAIN: u16 = 4;
const DELCHAIN: u16 = 5;
const NEWRULE: u16 = 6;
const GETRULE: u16 = 7;
const DELRULE: u16 = 8;
const NEWSET: u16 = 9;
const GETSET: u16 = 10;
const DELSET: u16 = 11;
const NEWSETELEM: u16 = 12;
const NEWGEN: u16 = 15;
const GETGEN: u16 = 16;
const GETSETELEM: u16 = 13;
const NEWOBJ: u16 = 18;
const IPV4: u8 = libc::NFPROTO_IPV4 as u8;
/// `NLA_F_NESTED`.
const NESTED: u16 = 0x8000;
/// `NFT_REG_1`: sixteen bytes, enough for the name of an interface.
const REGISTER: u32 = 1;
/// `IFNAMSIZ`.
const NAME: usize = 16;
/// Ranges of a set in one message: the length of an attribute has 16 bits.
const RANGES: usize = 512;
/// Bytes of a comment that `nft` shows.
const COMMENT: usize = 127;

/// A table of the family `ip`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Sets of addresses.
    pub sets: Vec<Set>,
    /// Chains. A chain must be before those that jump to it.
    pub chains: Vec<Chain>,
}

/// A set of addresses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Set {
    /// Its name in the table.
    pub name: String,
    /// First and last address of each range. Ranges do not overlap.
    pub ranges: Vec<(Ipv4Addr, Ipv4Addr)>,
}

/// Where the kernel asks a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// Packets that this machine forwards.
    Forward,
    /// Packets that this machine sends.
    Output,
    /// Both, after the translation of their sources.
    Postrouting,
}

impl Hook {
    /// Number and priority: filters (0), and what comes after translated sources (100).
    const fn place(self) -> (u32, i32) {
        match self {
            Self::Forward => (libc::NF_INET_FORWARD as u32, 0),
            Self::Output => (libc::NF_INET_LOCAL_OUT as u32, 0),
            Self::Postrouting => (libc::NF_INET_POST_ROUTING as u32, 150),
        }
    }
}

/// A list of rules; a packet that no rule decides on is accepted, or continues in the chain that
/// jumped here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chain {
    /// Its name in the table.
    pub name: String,
    /// Where it is asked; `None`: where another chain jumps to it.
    pub hook: Option<Hook>,
    /// Rules, in order.
    pub rules: Vec<Rule>,
}

/// A rule: what becomes of the packets that fit all its tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Tests.
    pub tests: Vec<Test>,
    /// What becomes of the packet.
    pub verdict: Verdict,
    /// Whether packets are counted, and from how many on.
    pub counter: Option<Counted>,
    /// What `nft` shows beside it, and what its count is known by. Up to 127 bytes are kept.
    pub comment: String,
}

impl Rule {
    /// A rule without a counter and a comment.
    pub fn new(tests: Vec<Test>, verdict: Verdict) -> Self {
        Self { tests, verdict, counter: None, comment: String::new() }
    }

    /// The same, counted by this name.
    pub fn counted(self, comment: impl Into<String>) -> Self {
        Self { counter: Some(Counted::default()), comment: comment.into(), ..self }
    }
}

/// What a rule met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// Packets.
    pub packets: u64,
    /// Their bytes, with IP headers.
    pub bytes: u64,
}

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing more in this table is asked.
    Accept,
    /// It is gone.
    Drop,
    /// Back to the chain that jumped here.
    Return,
    /// On in another chain, and back if that decides nothing.
    Jump(String),
}

/// A test of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// It leaves by the interface of this name, which need not exist.
    LeavesBy(String),
    /// It leaves by an interface whose name has this prefix.
    LeavesByPrefix(String),
    /// It has exactly this firewall mark in all bits but those of policy routing, which belong to the
    /// packet's way and say nothing of what it is ([`POLICY_MASK`]).
    Mark(u32),
    /// The kernel is going to protect it by IPsec.
    Ipsec,
    /// Its IP protocol.
    Protocol(u8),
    /// Its source, with the bits that count.
    Source(Ipv4Addr, Ipv4Addr),
    /// Its destination, with the bits that count.
    Destination(Ipv4Addr, Ipv4Addr),
    /// Its destination is in a set of the table.
    DestinationIn(String),
    /// Its destination is in none of the ranges of a set.
    DestinationNotIn(String),
    /// Source port of UDP and TCP, of a packet that is [`Test::NoLaterFragment`]: some kernels take
    /// the bytes at that offset of other fragments for a port.
    SourcePort(u16),
    /// Destination port, likewise.
    DestinationPort(u16),
    /// A whole packet, or the first fragment of one: it has ports.
    NoLaterFragment,
    /// A fragment but the first.
    LaterFragment,
}

impl Test {
    /// Its source is in a network.
    pub fn source(net: Ipv4Net) -> Self {
        Self::Source(net.network(), net.netmask())
    }

    /// Its destination is in a network.
    pub fn destination(net: Ipv4Net) -> Self {
        Self::Destination(net.network(), net.netmask())
    }
}

/// The way to nf_tables in the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Nftables {
    netlink: Netlink,
}

impl Nftables {
    /// Opens it. Needs no right; to change anything takes CAP_NET_ADMIN.
    pub fn open() -> Result<Self, Error> {
        Ok(Self { netlink: Netlink::open_netfilter()? })
    }

    /// Adds ranges to a set. None of them may overlap one that is there, or the kernel refuses all.
    pub fn add(&self, table: &str, set: &str, ranges: &[(Ipv4Addr, Ipv4Addr)]) -> Result<(), Error> {
        let messages = elements(table, set, ranges);
        if messages.is_empty() {
            return Ok(());
        }
        self.netlink.batch("add addresses to the packet filter", table, SUBSYSTEM, messages)
    }

    /// Removes a table with all that is in it; whether it was there.
    pub fn remove(&self, table: &str) -> Result<bool, Error> {
        let messages = vec![named(DELTABLE, 0, table)];
        match self.netlink.batch("remove the packet filter", table, SUBSYSTEM, messages) {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a table is there.
    pub fn exists(&self, table: &str) -> Result<bool, Error> {
        match self.netlink.execute("look for the packet filter", table, named(GETTABLE, 0, table)) {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The number of changes that any program has made to nf_tables in this namespace: as long as
    /// it stays, all tables are as they were.
    pub fn generation(&self) -> Result<u32, Error> {
        let mut found = None;
        let message = request(GETGEN, 0);
        self.netlink.request("look for changes of", "the packet filter", message, |kind, body| {
            if kind == SUBSYSTEM << 8 | NEWGEN {
                let mut attributes = Attributes(body.get(4..).unwrap_or_default());
                let id = attributes.find(|(kind, _)| *kind == 1).map(|(_, data)| data);
                found = id.and_then(|id| id.try_into().ok()).map(u32::from_be_bytes);
            }
            Ok(())
        })?;
        found.ok_or(Error::Answer {
            operation: "looking for changes of the packet filter",
            reason: "no number in it",
        })
    }

    /// The counted rules of a table: comment and count, in the order of chains and rules. Empty if
    /// there is no table.
    pub fn counters(&self, table: &str) -> Result<Vec<(String, Counted)>, Error> {
        let message = request(GETRULE, 0).text(1, table);
        let found = self.netlink.list("read the packet filter", table, &message, |_, body| {
            let attributes = || Attributes(body.get(4..).unwrap_or_default());
            // kernels that do not filter list the rules of all tables
            if attributes().find(|(kind, _)| *kind == 1).map(|(_, name)| text_of(name)).as_deref()
                != Some(table)
            {
                return None;
            }
            let (_, expressions) = attributes().find(|(kind, _)| *kind == 4)?;
            let counted = Attributes(expressions).find_map(|(_, expression)| counter_of(expression))?;
            let comment = attributes().find(|(kind, _)| *kind == 7).and_then(|(_, data)| comment_of(data));
            Some((comment.unwrap_or_default(), counted))
        });
        match found {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            found => found,
        }
    }
}

impl Nftables {
    /// The sets of a table with their ranges. Empty if there is no table.
    pub fn sets(&self, table: &str) -> Result<Vec<Set>, Error> {
        let of_table = |body: &[u8]| {
            let mut attributes = Attributes(body.get(4..).unwrap_or_default());
            attributes.find(|(kind, _)| *kind == 1).map(|(_, name)| text_of(name)).as_deref() == Some(table)
        };
        let message = request(GETSET, 0).text(1, table);
        let names = self.netlink.list("read the sets of the packet filter", table, &message, |_, body| {
            let mut attributes = Attributes(body.get(4..)?);
            of_table(body).then(|| attributes.find(|(kind, _)| *kind == 2).map(|(_, name)| text_of(name)))?
        });
        let names = match names {
            Err(error) if error.is_not_found() => return Ok(Vec::new()),
            names => names?,
        };
        let mut sets = Vec::new();
        for name in names {
            let message = request(GETSETELEM, 0).text(1, table).text(2, &name);
            let parts =
                self.netlink.list("read a set of the packet filter", &name, &message, |_, body| {
                    let mut attributes = Attributes(body.get(4..)?);
                    let (_, list) = attributes.find(|(kind, _)| *kind == 3)?;
                    Some(Attributes(list).filter_map(|(_, element)| edge(element)).collect::<Vec<_>>())
                })?;
            let mut edges: Vec<_> = parts.into_iter().flatten().collect();
            // an end precedes the range that begins there
            edges.sort_by_key(|(address, end)| (*address, !end));
            sets.push(Set { name, ranges: between(&edges) });
        }
        Ok(sets)
    }
}

/// The address of an element of a set, and whether a range ends before it.
fn edge(element: &[u8]) -> Option<(u32, bool)> {
    let (_, key) = Attributes(element).find(|(kind, _)| *kind == 1)?;
    let (_, value) = Attributes(key).find(|(kind, _)| *kind == 1)?;
    let flags = Attributes(element)
        .find(|(kind, _)| *kind == 3)
        .map_or(0, |(_, flags)| flags.try_into().map(u32::from_be_bytes).unwrap_or_default());
    Some((u32::from_be_bytes(value.try_into().ok()?), flags & 1 != 0))
}

fn between(edges: &[(u32, bool)]) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let mut ranges = Vec::new();
    let mut begun: Option<u32> = None;
    for (address, end) in edges {
        if let Some(first) = begun.take() {
            ranges.push((Ipv4Addr::from(first), Ipv4Addr::from(address.saturating_sub(1))));
        }
        begun = (!end).then_some(*address);
    }
    ranges.extend(begun.map(|first| (Ipv4Addr::from(first), Ipv4Addr::BROADCAST)));
    ranges
}

fn request(kind: u16, flags: u16) -> Message {
    // nfgenmsg: family, version, resource
    Message::new(SUBSYSTEM << 8 | kind, flags, &[IPV4, 0, 0, 0])
}

/// A request about a table.
fn named(kind: u16, flags: u16, table: &str) -> Message {
    request(kind, flags).text(1, table)
}

impl Message {
    /// Adds a number in the order of the network, as all of nf_tables' are.
    fn big(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_be_bytes())
    }

    fn nest(self, kind: u16, fill: impl FnOnce(Self) -> Self) -> Self {
        self.nested(kind | NESTED, &[], fill)
    }

    /// Adds an expression of a rule.
    fn expression(self, name: &str, fill: impl FnOnce(Self) -> Self) -> Self {
        self.nest(1, |expression| expression.text(1, name).nest(2, fill))
    }

    /// Adds a value to compare with.
    fn value(self, kind: u16, value: &[u8]) -> Self {
        self.nest(kind, |data| data.attribute(1, value))
    }

    /// Compares the register (`NFT_CMP_EQ` is 0, `NFT_CMP_NEQ` is 1).
    fn compare(self, how: u32, value: &[u8]) -> Self {
        self.expression("cmp", |compare| compare.big(1, REGISTER).big(2, how).value(3, value))
    }

    /// Loads what the kernel knows of a packet (`NFT_META_…`).
    fn meta(self, key: u32) -> Self {
        self.expression("meta", |meta| meta.big(1, REGISTER).big(2, key))
    }

    /// Loads bytes of the network header (`NFT_PAYLOAD_NETWORK_HEADER`, 1) or the transport header
    /// (2).
    fn payload(self, base: u32, offset: u32, length: u32) -> Self {
        self.expression("payload", |load| load.big(1, REGISTER).big(2, base).big(3, offset).big(4, length))
    }

    fn mask(self, mask: &[u8]) -> Self {
        let length = u32::try_from(mask.len()).unwrap_or_default();
        self.expression("bitwise", |bits| {
            bits.big(1, REGISTER)
                .big(2, REGISTER)
                .big(3, length)
                .value(4, mask)
                .value(5, &vec![0; mask.len()])
        })
    }

    fn address_test(self, offset: u32, address: Ipv4Addr, mask: Ipv4Addr) -> Self {
        if mask.is_unspecified() {
            return self;
        }
        let wanted = (u32::from(address) & u32::from(mask)).to_be_bytes();
        let loaded = self.payload(1, offset, 4);
        match mask.is_broadcast() {
            true => loaded.compare(0, &wanted),
            false => loaded.mask(&mask.octets()).compare(0, &wanted),
        }
    }

    fn fragment_offset(self) -> Self {
        self.payload(1, 6, 2).mask(&[0x1f, 0xff])
    }

    fn lookup(self, set: &str, inverted: bool) -> Self {
        self.payload(1, 16, 4).expression("lookup", |lookup| {
            lookup
                .text(1, set)
                .big(2, REGISTER)
                .maybe(inverted.then_some(1), |lookup, flag| lookup.big(5, flag))
        })
    }

    fn test(self, test: &Test) -> Self {
        match test {
            Test::LeavesBy(name) => {
                let mut padded = [0; NAME];
                // the last byte stays 0: no interface has a longer name
                for (to, from) in padded.iter_mut().take(NAME - 1).zip(name.bytes()) {
                    *to = from;
                }
                self.meta(7).compare(0, &padded)
            }
            Test::LeavesByPrefix(start) => {
                self.meta(7).compare(0, start.as_bytes().get(..NAME).unwrap_or(start.as_bytes()))
            }
            Test::Mark(mark) => {
                self.meta(3).mask(&(!POLICY_MASK).to_ne_bytes()).compare(0, &mark.to_ne_bytes())
            }
            Test::Ipsec => self.expression("rt", |route| route.big(1, REGISTER).big(2, 4)).compare(0, &[1]),
            Test::Protocol(protocol) => self.meta(16).compare(0, &[*protocol]),
            Test::Source(address, mask) => self.address_test(12, *address, *mask),
            Test::Destination(address, mask) => self.address_test(16, *address, *mask),
            Test::DestinationIn(set) => self.lookup(set, false),
            Test::DestinationNotIn(set) => self.lookup(set, true),
            Test::SourcePort(port) => self.payload(2, 0, 2).compare(0, &port.to_be_bytes()),
            Test::DestinationPort(port) => self.payload(2, 2, 2).compare(0, &port.to_be_bytes()),
            Test::NoLaterFragment => self.fragment_offset().compare(0, &[0, 0]),
            Test::LaterFragment => self.fragment_offset().compare(1, &[0, 0]),
        }
    }

    fn verdict(self, verdict: &Verdict) -> Self {
        let (code, chain): (i32, _) = match verdict {
            Verdict::Accept => (libc::NF_ACCEPT, None),
            Verdict::Drop => (libc::NF_DROP, None),
            Verdict::Return => (-5, None),
            Verdict::Jump(chain) => (-3, Some(chain)),
        };
        self.expression("immediate", |immediate| {
            immediate.big(1, 0).nest(2, |data| {
                data.nest(2, |verdict| {
                    verdict.big(1, code.cast_unsigned()).maybe(chain, |verdict, chain| verdict.text(2, chain))
                })
            })
        })
    }
}

fn rule_message(table: &str, chain: &str, rule: &Rule) -> Message {
    let mut comment = rule.comment.clone();
    while comment.len() > COMMENT {
        comment.pop();
    }
    request(NEWRULE, CREATE | libc::NLM_F_APPEND as u16)
        .text(1, table)
        .text(2, chain)
        .nest(4, |expressions| {
            let expressions = rule.tests.iter().fold(expressions, Message::test);
            expressions
                .maybe(rule.counter, |expressions, count| {
                    expressions.expression("counter", |counter| {
                        counter
                            .attribute(1, &count.bytes.to_be_bytes())
                            .attribute(2, &count.packets.to_be_bytes())
                    })
                })
                .verdict(&rule.verdict)
        })
        .maybe((!comment.is_empty()).then_some(comment), |message, comment| {
            // type 0 is a comment; its length counts the 0 at the end
            let length = u8::try_from(comment.len() + 1).unwrap_or(u8::MAX);
            message.attribute(7, &[&[0, length], comment.as_bytes(), &[0]].concat())
        })
}

/// The messages that add ranges to a set: the start of each, and the first address after it.
fn elements(table: &str, set: &str, ranges: &[(Ipv4Addr, Ipv4Addr)]) -> Vec<Message> {
    let some = |ranges: &[(Ipv4Addr, Ipv4Addr)]| {
        request(NEWSETELEM, CREATE).text(1, table).text(2, set).nest(3, |list| {
            ranges.iter().fold(list, |list, (first, last)| {
                let list = list.nest(1, |element| element.value(1, &first.octets()));
                list.maybe(u32::from(*last).checked_add(1), |list, end| {
                    // NFT_SET_ELEM_INTERVAL_END
                    list.nest(1, |element| element.big(3, 1).value(1, &end.to_be_bytes()))
                })
            })
        })
    };
    ranges.chunks(RANGES).map(some).collect()
}

fn counter_of(expression: &[u8]) -> Option<Counted> {
    let mut attributes = Attributes(expression);
    if attributes.find(|(kind, _)| *kind == 1).map(|(_, name)| text_of(name))? != "counter" {
        return None;
    }
    let (_, data) = Attributes(expression).find(|(kind, _)| *kind == 2)?;
    counted_of(data)
}

/// What a counter, of a rule or with a name, says.
fn counted_of(data: &[u8]) -> Option<Counted> {
    let number = |wanted| {
        let (_, bytes) = Attributes(data).find(|(kind, _)| *kind == wanted)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    };
    Some(Counted { bytes: number(1)?, packets: number(2)? })
}

fn comment_of(mut data: &[u8]) -> Option<String> {
    loop {
        let (kind, length) = (*data.first()?, usize::from(*data.get(1)?));
        let value = data.get(2..2 + length)?;
        if kind == 0 {
            return Some(text_of(value));
        }
        data = data.get(2 + length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_back_as_it_was_written() {
        let mut rule = Rule::new(vec![Test::LeavesBy("eth0".into())], Verdict::Drop).counted("pool p");
        rule.counter = Some(Counted { packets: 7, bytes: 700 });
        let bytes = rule_message("t", "c", &rule).to_bytes(1);
        let attributes = || Attributes(&bytes[20..]);
        let (_, expressions) = attributes().find(|(kind, _)| *kind == 4).unwrap();
        let found = Attributes(expressions).find_map(|(_, expression)| counter_of(expression));
        assert_eq!(found, rule.counter);
        let (_, data) = attributes().find(|(kind, _)| *kind == 7).unwrap();
        assert_eq!(comment_of(data).as_deref(), Some("pool p"));
        rule.comment = "x".repeat(500);
        let bytes = rule_message("t", "c", &rule).to_bytes(1);
        let (_, data) = Attributes(&bytes[20..]).find(|(kind, _)| *kind == 7).unwrap();
        assert_eq!(comment_of(data).unwrap().len(), COMMENT);
    }

    #[test]
    fn the_last_address_ends_no_range() {
        let everything = [(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST)];
        let length =
            |ranges: &[_]| elements("t", "s", ranges).iter().map(|m| m.to_bytes(1).len()).sum::<usize>();
        let one = [(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST)];
        assert!(length(&one) > length(&everything));
        let many: Vec<_> = (0..2000u32).map(|n| (Ipv4Addr::from(n * 4), Ipv4Addr::from(n * 4 + 1))).collect();
        assert_eq!(elements("t", "s", &many).len(), 4);
        assert!(elements("t", "s", &[]).is_empty());
    }
}
