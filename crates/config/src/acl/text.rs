//! Access lists as IOS writes them.

use super::names::{self, Name, name};
use crate::model::{
    AclAddress, AclConditions, AclEntry, AclHeader, AclKind, AclLine, AclLog, AclOption, AclProtocol,
    AclRule, Numbers, TcpFlags, TcpMatch, Wildcard,
};
use std::fmt::{self, Display, Formatter, Write as _};
use std::net::Ipv4Addr;

/// A line of a list without its number, as `show running-config` has it. What was not understood is
/// `permit` or `deny` alone.
pub fn line(entry: &AclEntry, kind: AclKind) -> String {
    match &entry.what {
        AclLine::Rule(rule) => match kind {
            AclKind::Standard => standard(rule),
            AclKind::Extended => extended(rule),
            AclKind::Ipv6 => ipv6(rule),
        },
        AclLine::Remark(text) => format!("remark {text}").trim_end().to_string(),
        AclLine::Evaluate(list) => format!("evaluate {list}"),
        AclLine::Dynamic(rest) => format!("dynamic {rest}"),
        AclLine::Unread { permit } => permit.map_or("…", verb).to_string(),
    }
}

const fn verb(permit: bool) -> &'static str {
    if permit { "permit" } else { "deny" }
}

fn standard(rule: &AclRule) -> String {
    let source = match &rule.source {
        AclAddress::V4(Wildcard { address, wildcard: Ipv4Addr::UNSPECIFIED }) => address.to_string(),
        AclAddress::V4(Wildcard { wildcard: Ipv4Addr::BROADCAST, .. }) => "any".to_string(),
        AclAddress::V4(Wildcard { address, wildcard }) => format!("{address} {wildcard}"),
        // of the other kinds only a name is possible
        AclAddress::Name(name) => format!("host {name}"),
        other => other.to_string(),
    };
    format!("{} {source}{}", verb(rule.permit), logged(rule))
}

/// A line of an extended list.
fn extended(rule: &AclRule) -> String {
    let mut out = String::from(verb(rule.permit));
    // writing to a string cannot fail
    let _ = write!(out, " {}", protocol(&rule.protocol, "ip"));
    sides(rule, &mut out);
    header(rule, names::ICMP, &mut out);
    let AclConditions { dscp, precedence, tos, option, fragments, ttl, time_range, ipv6: _ } = &rule.only;
    let mut put = |what: &str, said: Option<String>| {
        if let Some(said) = said {
            let _ = write!(out, " {what} {said}");
        }
    };
    put("dscp", dscp.map(|value| named(names::DSCP, value)));
    put("precedence", precedence.map(|value| named(names::PRECEDENCE, value)));
    put("tos", tos.map(|value| named(names::TOS, value)));
    put(
        "option",
        option.map(|option| match option {
            AclOption::Any => "any-options".to_string(),
            AclOption::Number(number) => named(names::OPTIONS, number),
        }),
    );
    put("ttl", ttl.as_ref().map(|ttl| compared(ttl, &[])));
    if *fragments {
        out.push_str(" fragments");
    }
    ending(rule, time_range.as_deref(), &mut out);
    out
}

/// ICMP for IPv6, which lists call `icmp`.
const ICMP6: u8 = 58;

/// A line of an IPv6 list.
fn ipv6(rule: &AclRule) -> String {
    let mut out = String::from(verb(rule.permit));
    match rule.protocol {
        AclProtocol::Number(ICMP6) => out.push_str(" icmp"),
        _ => {
            let _ = write!(out, " {}", protocol(&rule.protocol, "ipv6"));
        }
    }
    sides(rule, &mut out);
    header(rule, names::ICMP6, &mut out);
    if let Some(dscp) = rule.only.dscp {
        let _ = write!(out, " dscp {}", named(names::DSCP, dscp));
    }
    for words in &rule.only.ipv6 {
        let _ = write!(out, " {words}");
    }
    if rule.only.fragments {
        out.push_str(" fragments");
    }
    ending(rule, rule.only.time_range.as_deref(), &mut out);
    out
}

fn sides(rule: &AclRule, out: &mut String) {
    let names = match rule.protocol {
        AclProtocol::Number(number) => names::ports(Some(number)),
        AclProtocol::Any | AclProtocol::Services(_) => &[],
    };
    for (address, ports) in [(&rule.source, &rule.source_ports), (&rule.destination, &rule.destination_ports)]
    {
        let _ = write!(out, " {address}");
        if let Some(ports) = ports {
            let _ = write!(out, " {}", compared(ports, names));
        }
    }
}

fn header(rule: &AclRule, icmp: &[Name<(u8, Option<u8>)>], out: &mut String) {
    let said = match &rule.header {
        None => return,
        Some(AclHeader::Icmp(kind, code)) => match (name(icmp, &(*kind, *code)), code) {
            (Some(name), _) => name.to_string(),
            (None, Some(code)) => format!("{kind} {code}"),
            (None, None) => kind.to_string(),
        },
        Some(AclHeader::Igmp(kind)) => named(names::IGMP, *kind),
        Some(AclHeader::Established) => "established".to_string(),
        Some(AclHeader::Flags(flags)) => flags_of(*flags, "").join(" "),
        Some(AclHeader::MatchAny(these)) => format!("match-any {}", signed(these)),
        Some(AclHeader::MatchAll(these)) => format!("match-all {}", signed(these)),
    };
    let _ = write!(out, " {said}");
}

fn flags_of(flags: TcpFlags, sign: &str) -> Vec<String> {
    let set = TcpFlags::NAMES.iter().filter(|(_, bit)| flags.0 & bit != 0);
    set.map(|(name, _)| format!("{sign}{name}")).collect()
}

fn signed(these: &TcpMatch) -> String {
    let mut all = flags_of(these.set, "+");
    all.extend(flags_of(these.clear, "-"));
    all.join(" ")
}

fn ending(rule: &AclRule, time_range: Option<&str>, out: &mut String) {
    if let Some(name) = time_range {
        let _ = write!(out, " time-range {name}");
    }
    out.push_str(logged(rule));
    if let Some((list, timeout)) = &rule.reflect {
        let _ = write!(out, " reflect {list}");
        if let Some(seconds) = timeout {
            let _ = write!(out, " timeout {seconds}");
        }
    }
}

const fn logged(rule: &AclRule) -> &'static str {
    match rule.log {
        None => "",
        Some(AclLog::Log) => " log",
        Some(AclLog::Input) => " log-input",
    }
}

/// A protocol as a list names it; `any` is what every protocol is called.
fn protocol(protocol: &AclProtocol, any: &str) -> String {
    match protocol {
        AclProtocol::Any => any.to_string(),
        AclProtocol::Number(number) => named(names::PROTOCOLS, *number),
        AclProtocol::Services(group) => format!("object-group {group}"),
    }
}

fn named<T: PartialEq + Display>(known: &[Name<T>], value: T) -> String {
    name(known, &value).map_or_else(|| value.to_string(), str::to_string)
}

/// A comparison of ports or of numbers without names.
pub(crate) fn compared<T: PartialEq + Display + Copy>(numbers: &Numbers<T>, known: &[Name<T>]) -> String {
    // behind another port, `time` would be the beginning of `time-range`
    let one = |(place, one): (usize, &T)| match name(known, one) {
        Some("time") if place > 0 => one.to_string(),
        _ => named(known, *one),
    };
    let all = |these: &[T]| these.iter().enumerate().map(one).collect::<Vec<_>>().join(" ");
    match numbers {
        Numbers::Eq(these) => format!("eq {}", all(these)),
        Numbers::Neq(these) => format!("neq {}", all(these)),
        Numbers::Gt(than) => format!("gt {}", all(&[*than])),
        Numbers::Lt(than) => format!("lt {}", all(&[*than])),
        Numbers::Range(first, last) => format!("range {}", all(&[*first, *last])),
    }
}

impl Display for Wildcard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match *self {
            Self { wildcard: Ipv4Addr::BROADCAST, .. } => f.write_str("any"),
            Self { address, wildcard: Ipv4Addr::UNSPECIFIED } => write!(f, "host {address}"),
            Self { address, wildcard } => write!(f, "{address} {wildcard}"),
        }
    }
}

impl Display for AclAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::V4(wildcard) => wildcard.fmt(f),
            Self::V6(net) if net.prefix_len() == 0 => f.write_str("any"),
            // IOS prints these in capitals
            Self::V6(net) if net.prefix_len() == 128 => {
                write!(f, "host {}", net.addr().to_string().to_uppercase())
            }
            Self::V6(net) => f.write_str(&net.to_string().to_uppercase()),
            Self::Group(name) => write!(f, "object-group {name}"),
            Self::Name(name) => write!(f, "host {name}"),
        }
    }
}
