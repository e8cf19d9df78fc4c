//! What follows `permit` and `deny`: the forms, and the line that they give.

use crate::acl::names::{self, Name, value};
use crate::form::Problem;
use crate::given::Given;
use crate::meant;
use crate::model::{
    AclAddress, AclConditions, AclHeader, AclKind, AclLine, AclLog, AclOption, AclProtocol, AclRule, Numbers,
    TcpFlags, TcpMatch, Wildcard,
};
use ipnet::Ipv6Net;
use std::net::Ipv6Addr;

macro_rules! source {
    () => {
        "{any|host {<A.B.C.D:source>|<source-name>}|object-group <source-group>|<A.B.C.D:source> <A.B.C.D:source-wildcard>}"
    };
}
macro_rules! destination {
    () => {
        "{any|host {<A.B.C.D:destination>|<destination-name>}|object-group <destination-group>|<A.B.C.D:destination> <A.B.C.D:destination-wildcard>}"
    };
}
macro_rules! source_ports {
    () => {
        "[eq <source-eq>...|neq <source-neq>...|gt <source-gt>|lt <source-lt>|range <source-first> <source-last>]"
    };
}
macro_rules! destination_ports {
    () => {
        "[eq <destination-eq>...|neq <destination-neq>...|gt <destination-gt>|lt <destination-lt>|range <destination-first> <destination-last>]"
    };
}
macro_rules! tcp_flags {
    () => {
        "[established|{ack|fin|psh|rst|syn|urg}...|{match-any|match-all} {+ack|+fin|+psh|+rst|+syn|+urg|-ack|-fin|-psh|-rst|-syn|-urg}...]"
    };
}
macro_rules! reflect {
    () => {
        "time-range <time-range>|log [<cookie>]|log-input [<cookie>]|reflect <reflect> [timeout <1-2147483:timeout>]"
    };
}

/// The protocols that have ports or types, between the addresses of one family.
macro_rules! ported {
    ($source:ident, $destination:ident) => {
        concat!(
            "{tcp ",
            $crate::command::acl::rule::$source!(),
            " ",
            $crate::command::acl::rule::source_ports!(),
            " ",
            $crate::command::acl::rule::$destination!(),
            " ",
            $crate::command::acl::rule::destination_ports!(),
            " ",
            $crate::command::acl::rule::tcp_flags!(),
            "|{udp|sctp} ",
            $crate::command::acl::rule::$source!(),
            " ",
            $crate::command::acl::rule::source_ports!(),
            " ",
            $crate::command::acl::rule::$destination!(),
            " ",
            $crate::command::acl::rule::destination_ports!(),
            "|icmp ",
            $crate::command::acl::rule::$source!(),
            " ",
            $crate::command::acl::rule::$destination!(),
            " [<0-255:icmp-type> [<0-255:icmp-code>]|<icmp-name>]"
        )
    };
}

/// What follows the verb in an extended list.
macro_rules! extended {
    () => {
        concat!(
            $crate::command::acl::rule::ported!(source, destination),
            "|igmp ",
            $crate::command::acl::rule::source!(),
            " ",
            $crate::command::acl::rule::destination!(),
            " [<igmp-type>]|{ip|ipinip|gre|esp|ahp|eigrp|ospf|nos|pim|pcp|object-group <services>|<0-255:protocol>} ",
            $crate::command::acl::rule::source!(),
            " ",
            $crate::command::acl::rule::destination!(),
            "} [dscp <dscp>|precedence <precedence>|tos <tos>|option <option>|fragments|\
             ttl {eq <0-255:ttl-eq>...|neq <0-255:ttl-neq>...|gt <0-255:ttl-gt>|lt <0-255:ttl-lt>|range <0-255:ttl-first> <0-255:ttl-last>}|",
            $crate::command::acl::rule::reflect!(),
            "]..."
        )
    };
}

/// What follows the verb in a standard list.
macro_rules! standard {
    () => {
        "{any|host {<A.B.C.D:source>|<source-name>}|<A.B.C.D:source> [<A.B.C.D:source-wildcard>]|<source-name>} [log [<cookie>]]"
    };
}

macro_rules! source6 {
    () => {
        "{any|host <source-host>|<source-prefix>}"
    };
}
macro_rules! destination6 {
    () => {
        "{any|host <destination-host>|<destination-prefix>}"
    };
}

/// What follows the verb in an IPv6 list.
macro_rules! ipv6 {
    () => {
        concat!(
            $crate::command::acl::rule::ported!(source6, destination6),
            "|{ipv6|esp|ahp|pcp|<0-255:protocol>} ",
            $crate::command::acl::rule::source6!(),
            " ",
            $crate::command::acl::rule::destination6!(),
            "} [dscp <dscp>|fragments|routing|mobility|auth|hbh|undetermined-transport|\
             flow-label <0-1048575:flow-label>|dest-option-type <dest-option-type>|mobility-type <mobility-type>|\
             routing-type <routing-type>|sequence <1-2147483647:sequence>|",
            $crate::command::acl::rule::reflect!(),
            "]..."
        )
    };
}

pub(crate) use {
    destination, destination_ports, destination6, extended, ipv6, ported, reflect, source, source_ports,
    source6, standard, tcp_flags,
};

/// A line after its number or its list: `permit …`, `remark …`.
pub(super) fn line(given: &Given<'_>, kind: AclKind) -> Result<AclLine, Problem> {
    let verb = given.choose(&[
        ("permit", Some(true)),
        ("deny", Some(false)),
        ("remark", None),
        ("evaluate", None),
        ("dynamic", None),
    ]);
    Ok(match verb.flatten() {
        Some(permit) => return rule(given, kind, permit),
        None if given.has("evaluate") => {
            AclLine::Evaluate(given.word("name").unwrap_or_default().to_string())
        }
        None if given.has("dynamic") => AclLine::Dynamic(given.text("rest").unwrap_or_default().to_string()),
        None => AclLine::Remark(given.text("text").unwrap_or_default().to_string()),
    })
}

/// Words of a line that restrict it, and the end of which is lost if they are taken for a cookie.
const RESTRICTING: &[&str] = &[
    "established",
    "fragments",
    "reflect",
    "time-range",
    "precedence",
    "dscp",
    "option",
    "match-any",
    "match-all",
    "ack",
    "fin",
    "psh",
    "rst",
    "syn",
    "urg",
    "tos",
    "ttl",
    "log-input",
];

/// The cookie of `log` may be any word, but not one that restricts the line, nor one that is meant
/// as such: the line would permit more than it was written for.
fn cookie(given: &Given<'_>) -> Result<(), Problem> {
    let Some(cookie) = given.word("cookie") else { return Ok(()) };
    let restricts = RESTRICTING.contains(&cookie.to_ascii_lowercase().as_str());
    if restricts || meant::meant(cookie, RESTRICTING.iter().copied()).is_some() {
        return Err(given.problem("cookie", "a cookie, or `log` at the end of the line"));
    }
    Ok(())
}

/// What follows `permit` or `deny`.
pub(super) fn rule(given: &Given<'_>, kind: AclKind, permit: bool) -> Result<AclLine, Problem> {
    cookie(given)?;
    let source = side(given, &SOURCE)?;
    let destination = match kind {
        AclKind::Standard => None,
        AclKind::Extended | AclKind::Ipv6 => side(given, &DESTINATION)?,
    };
    // with `no`, the line may end early
    let named = usize::from(source.is_some()) + usize::from(destination.is_some()) + given.count("any");
    if named < if kind == AclKind::Standard { 1 } else { 2 } {
        return Err(given.problem("", "the rest of the line"));
    }
    let any = match kind {
        AclKind::Standard | AclKind::Extended => AclAddress::V4(Wildcard::ANY),
        AclKind::Ipv6 => AclAddress::V6(Ipv6Net::default()),
    };
    let protocol = match kind {
        AclKind::Standard => AclProtocol::Any,
        AclKind::Extended | AclKind::Ipv6 => protocol(given, kind),
    };
    let number = match protocol {
        AclProtocol::Number(number) => Some(number),
        AclProtocol::Any | AclProtocol::Services(_) => None,
    };
    let icmp = if kind == AclKind::Ipv6 { names::ICMP6 } else { names::ICMP };
    Ok(AclLine::Rule(Box::new(AclRule {
        permit,
        protocol,
        source: source.unwrap_or_else(|| any.clone()),
        source_ports: ports(given, &SOURCE, number)?,
        destination: destination.unwrap_or(any),
        destination_ports: ports(given, &DESTINATION, number)?,
        header: header(given, icmp)?,
        only: conditions(given)?,
        log: given.choose(&[("log", AclLog::Log), ("log-input", AclLog::Input)]),
        reflect: given.word("reflect").map(|list| (list.to_string(), given.number("timeout"))),
    })))
}

fn protocol(given: &Given<'_>, kind: AclKind) -> AclProtocol {
    if let Some(group) = given.word("services") {
        return AclProtocol::Services(group.to_string());
    }
    if let Some(number) = given.number("protocol") {
        return AclProtocol::Number(number);
    }
    match given.choose(names::PROTOCOLS) {
        // ICMP for IPv6 has a number of its own
        Some(1) if kind == AclKind::Ipv6 => AclProtocol::Number(58),
        Some(number) => AclProtocol::Number(number),
        None => AclProtocol::Any,
    }
}

/// The names of a side's arguments.
pub(super) struct Side {
    pub(super) address: &'static str,
    pub(super) wildcard: &'static str,
    pub(super) name: &'static str,
    pub(super) group: &'static str,
    pub(super) host6: &'static str,
    pub(super) prefix6: &'static str,
    pub(super) eq: &'static str,
    pub(super) neq: &'static str,
    pub(super) gt: &'static str,
    pub(super) lt: &'static str,
    pub(super) first: &'static str,
    pub(super) last: &'static str,
}

pub(super) const SOURCE: Side = Side {
    address: "source",
    wildcard: "source-wildcard",
    name: "source-name",
    group: "source-group",
    host6: "source-host",
    prefix6: "source-prefix",
    eq: "source-eq",
    neq: "source-neq",
    gt: "source-gt",
    lt: "source-lt",
    first: "source-first",
    last: "source-last",
};

pub(super) const DESTINATION: Side = Side {
    address: "destination",
    wildcard: "destination-wildcard",
    name: "destination-name",
    group: "destination-group",
    host6: "destination-host",
    prefix6: "destination-prefix",
    eq: "destination-eq",
    neq: "destination-neq",
    gt: "destination-gt",
    lt: "destination-lt",
    first: "destination-first",
    last: "destination-last",
};

/// A side's addresses, unless they are any.
fn side(given: &Given<'_>, names: &Side) -> Result<Option<AclAddress>, Problem> {
    if let Some(address) = given.address(names.address) {
        let wildcard = given.address(names.wildcard).map(|wildcard| Wildcard::new(address, wildcard));
        return Ok(Some(AclAddress::V4(wildcard.unwrap_or(Wildcard::host(address)))));
    }
    if let Some(group) = given.word(names.group) {
        return Ok(Some(AclAddress::Group(group.to_string())));
    }
    if let Some(host) = given.word(names.host6) {
        let address: Ipv6Addr = host.parse().map_err(|_| given.problem(names.host6, "an IPv6 address"))?;
        return Ok(Some(AclAddress::V6(Ipv6Net::from(address))));
    }
    if let Some(prefix) = given.word(names.prefix6) {
        let net: Ipv6Net = prefix.parse().map_err(|_| given.problem(names.prefix6, "an IPv6 prefix"))?;
        return Ok(Some(AclAddress::V6(net.trunc())));
    }
    let Some(name) = given.word(names.name) else { return Ok(None) };
    if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return Err(given.problem(names.name, "an address A.B.C.D or a name"));
    }
    Ok(Some(AclAddress::Name(name.to_string())))
}

/// A side's ports.
pub(super) fn ports(
    given: &Given<'_>,
    names: &Side,
    protocol: Option<u8>,
) -> Result<Option<Numbers<u16>>, Problem> {
    let known = names::ports(protocol);
    let all = |name: &str| {
        let read = |(place, word): (usize, &str)| {
            let port = number_or_name(known, word);
            port.ok_or_else(|| given.problem_with(name, place, &format!("a port{}", meant_port(known, word))))
        };
        given.words(name).enumerate().map(read).collect::<Result<Vec<u16>, Problem>>()
    };
    let one = |name: &str| all(name).map(|ports| ports.first().copied());
    // IOS takes ten
    const MOST: usize = 10;
    for name in [names.eq, names.neq] {
        if given.words(name).count() > MOST {
            return Err(given.problem_with(name, MOST, "at most ten ports"));
        }
    }
    let (eq, neq) = (all(names.eq)?, all(names.neq)?);
    if !eq.is_empty() {
        return Ok(Some(Numbers::Eq(eq)));
    }
    if !neq.is_empty() {
        return Ok(Some(Numbers::Neq(neq)));
    }
    if let Some(port) = one(names.gt)? {
        return Ok(Some(Numbers::Gt(port)));
    }
    if let Some(port) = one(names.lt)? {
        return Ok(Some(Numbers::Lt(port)));
    }
    Ok(match (one(names.first)?, one(names.last)?) {
        // IOS puts the ends of a range in order
        (Some(first), Some(last)) => Some(Numbers::Range(first.min(last), first.max(last))),
        _ => None,
    })
}

/// Ports that have a name elsewhere, and only a number here.
const UNNAMED: &[(&str, u16)] = &[
    ("dhcp", 67),
    ("dns", 53),
    ("http", 80),
    ("https", 443),
    ("imap", 143),
    ("imaps", 993),
    ("ldap", 389),
    ("ldaps", 636),
    ("ntp", 123),
    ("rdp", 3389),
    ("ssh", 22),
];

/// What a word was meant as that is no port: ` (did you mean 443?)`.
fn meant_port(known: &[Name<u16>], word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    let unnamed = UNNAMED.iter().map(|(name, _)| *name);
    let names = known.iter().map(|(name, _)| *name);
    let exact = unnamed.clone().find(|name| *name == lower);
    let Some(meant) = exact.or_else(|| meant::meant(&lower, names.chain(unnamed))) else {
        return String::new();
    };
    let number = UNNAMED.iter().find(|(name, _)| *name == meant).filter(|_| value(known, meant).is_none());
    match number {
        Some((name, number)) => format!(" (did you mean {number}, {name}?)"),
        None => format!(" (did you mean {meant}?)"),
    }
}

fn number_or_name<T: std::str::FromStr + Copy + PartialEq>(names: &[Name<T>], word: &str) -> Option<T> {
    match word.starts_with(|first: char| first.is_ascii_digit()) {
        true => word.parse().ok(),
        false => value(names, word),
    }
}

/// ICMP and IGMP types, TCP flags.
fn header(given: &Given<'_>, icmp: &[Name<(u8, Option<u8>)>]) -> Result<Option<AclHeader>, Problem> {
    if let Some(kind) = given.number("icmp-type") {
        return Ok(Some(AclHeader::Icmp(kind, given.number("icmp-code"))));
    }
    if let Some(name) = given.word("icmp-name") {
        let (kind, code) = value(icmp, name).ok_or_else(|| given.problem("icmp-name", "an ICMP type"))?;
        return Ok(Some(AclHeader::Icmp(kind, code)));
    }
    if let Some(name) = given.word("igmp-type") {
        let kind = number_or_name(names::IGMP, name).filter(|kind| *kind < 16);
        return Ok(Some(AclHeader::Igmp(kind.ok_or_else(|| given.problem("igmp-type", "an IGMP type"))?)));
    }
    if given.has("established") {
        return Ok(Some(AclHeader::Established));
    }
    let flags = |sign: &str| {
        let set = TcpFlags::NAMES.iter().filter(|(name, _)| given.has(&format!("{sign}{name}")));
        TcpFlags(set.fold(0, |flags, (_, bit)| flags | bit))
    };
    let these = TcpMatch { set: flags("+"), clear: flags("-") };
    if given.has("match-any") {
        return Ok(Some(AclHeader::MatchAny(these)));
    }
    if given.has("match-all") {
        return Ok(Some(AclHeader::MatchAll(these)));
    }
    let plain = flags("");
    Ok((plain.0 != 0).then_some(AclHeader::Flags(plain)))
}

fn conditions(given: &Given<'_>) -> Result<AclConditions, Problem> {
    let small = |name: &str, names: &[Name<u8>], last: u8, expected: &str| match given.word(name) {
        None => Ok(None),
        Some(word) => {
            let value = number_or_name(names, word).filter(|value| *value <= last);
            value.map(Some).ok_or_else(|| given.problem(name, expected))
        }
    };
    let all = |name: &str| given.words(name).filter_map(|word| word.parse().ok()).collect::<Vec<u8>>();
    let ttl = match (all("ttl-eq"), all("ttl-neq"), given.number("ttl-gt"), given.number("ttl-lt")) {
        (eq, ..) if !eq.is_empty() => Some(Numbers::Eq(eq)),
        (_, neq, ..) if !neq.is_empty() => Some(Numbers::Neq(neq)),
        (_, _, Some(than), _) => Some(Numbers::Gt(than)),
        (.., Some(than)) => Some(Numbers::Lt(than)),
        _ => match (given.number::<u8>("ttl-first"), given.number::<u8>("ttl-last")) {
            (Some(first), Some(last)) => Some(Numbers::Range(first.min(last), first.max(last))),
            _ => None,
        },
    };
    let option = match given.word("option") {
        Some(word) if crate::form::is(word, "any-options") => Some(AclOption::Any),
        _ => small("option", names::OPTIONS, 255, "an option")?.map(AclOption::Number),
    };
    Ok(AclConditions {
        dscp: small("dscp", names::DSCP, 63, "a DSCP")?,
        precedence: small("precedence", names::PRECEDENCE, 7, "a precedence")?,
        tos: small("tos", names::TOS, 15, "a type of service")?,
        option,
        fragments: given.has("fragments"),
        ttl,
        time_range: given.word("time-range").map(str::to_string),
        ipv6: ipv6_words(given),
    })
}

/// What an IPv6 list says of headers that only IPv6 has, in an order of its own.
fn ipv6_words(given: &Given<'_>) -> Vec<String> {
    const VALUES: [&str; 4] = ["dest-option-type", "flow-label", "mobility-type", "routing-type"];
    const WORDS: [&str; 5] = ["auth", "hbh", "mobility", "routing", "undetermined-transport"];
    let values = VALUES.iter().filter_map(|name| Some(format!("{name} {}", given.word(name)?)));
    let words = WORDS.iter().filter(|word| given.has(word)).map(|word| (*word).to_string());
    values.chain(words).collect()
}
