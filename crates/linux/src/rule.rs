//! Routing policy rules: which table decides for which packet.

use crate::error::Error;
use crate::marks::{Made, PROTOCOL};
use crate::netlink::{Attributes, CREATE, EXCLUSIVE, Message, Netlink, address_of, number_at, text_of};
use ipnet::IpNet;

const HEADER: usize = 12;
const FRA_DST: u16 = 1;
const FRA_SRC: u16 = 2;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_PROTOCOL: u16 = 21;
const ACTION_LOOKUP: u8 = 1;
const ACTION_GOTO: u8 = 2;
const ACTION_NOTHING: u8 = 3;
const FLAG_INVERT: u32 = 2;

/// IPv4 or IPv6: each has its own rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn number(self) -> u8 {
        match self {
            Self::V4 => libc::AF_INET as u8,
            Self::V6 => libc::AF_INET6 as u8,
        }
    }
}

/// What a rule does with the packets that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// They are looked up in its table; when that has no route, the next rule is tried.
    Lookup,
    /// The next rule that is tried is the one with this priority, which comes after it.
    Goto(u32),
    /// The next rule is tried. Another rule can lead here.
    Nothing,
    /// Another one, by its number.
    Other(u8),
}

impl Action {
    fn number(self) -> u8 {
        match self {
            Self::Lookup => ACTION_LOOKUP,
            Self::Goto(_) => ACTION_GOTO,
            Self::Nothing => ACTION_NOTHING,
            Self::Other(number) => number,
        }
    }
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// IPv4 or IPv6.
    pub family: Family,
    /// Rules are tried in ascending order (the main table is looked up at 32 766).
    pub priority: u32,
    /// The firewall mark and its mask.
    pub mark: Option<(u32, u32)>,
    /// Only packets from this network.
    pub source: Option<IpNet>,
    /// Only packets to this network.
    pub destination: Option<IpNet>,
    /// Only packets that came in by this interface; "lo" are this machine's own.
    pub arrived_by: Option<String>,
    /// Match the packets that the conditions together do *not* match.
    pub invert: bool,
    /// What it does.
    pub action: Action,
    /// The table to look up; 0 for rules that do something else.
    pub table: u32,
    /// Who made it ([`PROTOCOL`] is Hubward; 0 on kernels before 4.17).
    pub protocol: u8,
}

impl Rule {
    /// A rule of Hubward's that sends every packet to `table`.
    pub fn new(family: Family, priority: u32, table: u32) -> Self {
        Self {
            family,
            priority,
            mark: None,
            source: None,
            destination: None,
            arrived_by: None,
            invert: false,
            action: Action::Lookup,
            table,
            protocol: PROTOCOL,
        }
    }

    fn message(&self, kind: u16, flags: u16) -> Message {
        let length = |net: Option<IpNet>| net.map_or(0, |net| net.prefix_len());
        let rule_flags = if self.invert { FLAG_INVERT } else { 0 };
        let header = [
            &[
                self.family.number(),
                length(self.destination),
                length(self.source),
                0,
                0,
                0,
                0,
                self.action.number(),
            ][..],
            &rule_flags.to_ne_bytes(),
        ]
        .concat();
        Message::new(kind, flags, &header)
            .number(FRA_PRIORITY, self.priority)
            .number(FRA_TABLE, self.table)
            .attribute(FRA_PROTOCOL, &[self.protocol])
            .maybe(self.mark, |message, (mark, mask)| {
                message.number(FRA_FWMARK, mark).number(FRA_FWMASK, mask)
            })
            .maybe(self.source, |message, net| message.address(FRA_SRC, net.addr()))
            .maybe(self.destination, |message, net| message.address(FRA_DST, net.addr()))
            .maybe(self.arrived_by.as_deref(), |message, name| message.text(FRA_IIFNAME, name))
            .maybe(self.target(), |message, target| message.number(FRA_GOTO, target))
    }

    fn target(&self) -> Option<u32> {
        match self.action {
            Action::Goto(target) => Some(target),
            Action::Lookup | Action::Nothing | Action::Other(_) => None,
        }
    }

    pub(crate) fn name(&self) -> String {
        let from = self.source.map(|net| format!(" from {net}")).unwrap_or_default();
        match self.action {
            Action::Lookup => format!("{}{from} to table {}", self.priority, self.table),
            Action::Goto(target) => format!("{}{from} to rule {target}", self.priority),
            Action::Nothing | Action::Other(_) => format!("{}{from}", self.priority),
        }
    }
}

fn parse(kind: u16, body: &[u8]) -> Option<Rule> {
    if kind != libc::RTM_NEWRULE {
        return None;
    }
    let family = match i32::from(*body.first()?) {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        _ => return None,
    };
    let (destination_length, source_length) = (*body.get(1)?, *body.get(2)?);
    let mut rule = Rule::new(family, 0, u32::from(*body.get(4)?));
    rule.protocol = 0;
    rule.invert = number_at(body, 8)? & FLAG_INVERT != 0;
    let action = *body.get(7)?;
    let (mut mark, mut mask, mut target) = (None, u32::MAX, 0);
    for (kind, data) in Attributes(body.get(HEADER..)?) {
        match kind {
            FRA_PRIORITY => rule.priority = number_at(data, 0)?,
            FRA_TABLE => rule.table = number_at(data, 0)?,
            FRA_FWMARK => mark = number_at(data, 0),
            FRA_FWMASK => mask = number_at(data, 0)?,
            FRA_PROTOCOL => rule.protocol = data.first().copied().unwrap_or(0),
            FRA_IIFNAME => rule.arrived_by = Some(text_of(data)),
            FRA_SRC => rule.source = IpNet::new(address_of(data)?, source_length).ok(),
            FRA_GOTO => target = number_at(data, 0)?,
            FRA_DST => rule.destination = IpNet::new(address_of(data)?, destination_length).ok(),
            _ => {}
        }
    }
    rule.mark = mark.map(|mark| (mark, mask));
    rule.action = match action {
        ACTION_LOOKUP => Action::Lookup,
        ACTION_GOTO => Action::Goto(target),
        ACTION_NOTHING => Action::Nothing,
        other => Action::Other(other),
    };
    Some(rule)
}

/// All rules, IPv4 and IPv6.
pub fn list(netlink: &Netlink) -> Result<Vec<Rule>, Error> {
    netlink.list("list", "the routing rules", &Message::new(libc::RTM_GETRULE, 0, &[0; HEADER]), parse)
}

/// Adds a rule. The very same one that is there already is left as it is.
pub fn add(netlink: &Netlink, rule: &Rule) -> Result<Made, Error> {
    let message = rule.message(libc::RTM_NEWRULE, CREATE | EXCLUSIVE);
    match netlink.execute("add routing rule", rule.name(), message) {
        Ok(()) => Ok(Made::New),
        Err(error) if error.is_already_there() => Ok(Made::AlreadyThere),
        Err(error) => Err(error),
    }
}

/// Removes the first rule that agrees in everything that `rule` says.
pub fn remove(netlink: &Netlink, rule: &Rule) -> Result<(), Error> {
    netlink.execute("remove routing rule", rule.name(), rule.message(libc::RTM_DELRULE, 0))
}
