//! Access lists against a matcher of the test's own, which shares no code with the model: lines are
//! made at random, written as IOS writes them, parsed, and asked about random packets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_config::acl::{Decision, Packet, Ports, Tcp, decide, written};
use hubward_config::model::{Acl, AclKind, AclLine, Minute, Moment};
use hubward_config::parse;
use std::fmt::Write;
use std::net::Ipv4Addr;

/// A generator of numbers that are the same each time (xorshift64*).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_shr(33) % sides
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.roll(many) == 0
    }

    fn of<T: Copy>(&mut self, these: &[T]) -> T {
        these[usize::try_from(self.roll(these.len() as u64)).unwrap()]
    }
}

// ---- what the test knows of a line --------------------------------------------------------------

#[derive(Clone, Debug)]
enum Side {
    Any,
    Host(u32),
    Bits(u32, u32),
    Group(usize),
}

#[derive(Clone, Debug)]
enum Port {
    Any,
    Eq(Vec<u16>),
    Neq(Vec<u16>),
    Gt(u16),
    Lt(u16),
    Range(u16, u16),
}

#[derive(Clone, Debug)]
enum Header {
    None,
    Icmp(u8, Option<u8>),
    Established,
    Any(Vec<(bool, u8)>),
    All(Vec<(bool, u8)>),
    Flags(Vec<u8>),
}

#[derive(Clone, Debug)]
enum Proto {
    Ip,
    Number(u8),
    Services(usize),
}

#[derive(Clone, Debug)]
struct Rule {
    permit: bool,
    proto: Proto,
    source: Side,
    source_port: Port,
    destination: Side,
    destination_port: Port,
    header: Header,
    dscp: Option<u8>,
    precedence: Option<u8>,
    tos: Option<u8>,
    option: Option<Option<u8>>,
    ttl: Option<(u8, u8)>,
    fragments: bool,
    time_range: Option<usize>,
    log: Option<&'static str>,
}

/// Groups of addresses: inclusive ranges.
const NETWORKS: [&[(u32, u32)]; 3] = [
    &[(0x0A00_0001, 0x0A00_0001), (0x0A00_0100, 0x0A00_01FF)],
    &[(0x0A00_0003, 0x0A00_0006), (0x0A00_0001, 0x0A00_0001), (0x0A00_0100, 0x0A00_01FF)],
    &[(0, u32::MAX)],
];
/// Protocols, source ports, destination ports.
type Service = (&'static [u8], (u16, u16), (u16, u16));
/// Groups of services.
const SERVICES: [&[Service]; 2] = [
    &[(&[6], (0, 65535), (80, 80)), (&[6, 17], (0, 65535), (53, 53))],
    &[(&[17], (1024, 65535), (0, 122)), (&[1], (0, 65535), (0, 65535))],
];
/// Minutes of the day between which the time ranges hold, and their weekdays.
const TIMES: [(u16, u16, &[u8]); 2] = [(480, 1020, &[0, 1, 2, 3, 4]), (0, 60, &[5, 6])];

const GROUPS: &str = "\
object-group network N0
 host 10.0.0.1
 10.0.1.0 255.255.255.0
object-group network N1
 range 10.0.0.3 10.0.0.6
 group-object N0
object-group network N2
 any
object-group service S0
 tcp eq www
 tcp-udp eq domain
object-group service S1
 udp source gt 1023 lt ntp
 icmp
time-range T0
 periodic weekdays 8:00 to 17:00
time-range T1
 periodic weekend 0:00 to 1:00
";

const PORTS: [u16; 8] = [20, 22, 23, 53, 80, 123, 1023, 65535];
const FLAGS: [(&str, u8); 6] = [("ack", 16), ("fin", 1), ("psh", 8), ("rst", 4), ("syn", 2), ("urg", 32)];

fn address(dice: &mut Dice) -> u32 {
    // few bits differ, so that lines and packets meet
    0x0A00_0000 | (dice.roll(2) << 8 | dice.roll(8)) as u32
}

fn side(dice: &mut Dice) -> Side {
    match dice.roll(6) {
        0 => Side::Any,
        1 => Side::Host(address(dice)),
        2 => Side::Group(dice.roll(3) as usize),
        3 => Side::Bits(address(dice), 0xFF),
        _ => Side::Bits(address(dice), (dice.roll(2) << 8 | dice.roll(8)) as u32),
    }
}

fn port(dice: &mut Dice) -> Port {
    let mut some = |many: u64| {
        let count = 1 + dice.roll(many);
        (0..count).map(|_| dice.of(&PORTS)).collect::<Vec<_>>()
    };
    let ports = some(3);
    let (one, other) = (ports[0], *ports.last().unwrap());
    match dice.roll(7) {
        0 => Port::Eq(ports),
        1 => Port::Neq(ports),
        2 => Port::Gt(one),
        3 => Port::Lt(one),
        4 => Port::Range(one.min(other), one.max(other)),
        _ => Port::Any,
    }
}

fn header(dice: &mut Dice, proto: u8) -> Header {
    let signed = |dice: &mut Dice| {
        let mut these: Vec<(bool, u8)> = Vec::new();
        for (_, bit) in FLAGS {
            if dice.one_in(3) {
                these.push((dice.one_in(2), bit));
            }
        }
        if these.is_empty() { vec![(true, 2)] } else { these }
    };
    match proto {
        1 => match dice.roll(3) {
            0 => Header::None,
            1 => Header::Icmp(dice.of(&[0, 3, 8, 11, 77]), None),
            _ => Header::Icmp(dice.of(&[3, 5, 11, 77]), Some(dice.roll(5) as u8)),
        },
        6 => match dice.roll(8) {
            0 => Header::Established,
            1 => Header::Any(signed(dice)),
            2 => Header::All(signed(dice)),
            3 => Header::Flags(signed(dice).into_iter().map(|(_, bit)| bit).collect()),
            _ => Header::None,
        },
        _ => Header::None,
    }
}

fn rule(dice: &mut Dice) -> Rule {
    let proto = match dice.roll(8) {
        0 => Proto::Ip,
        1 => Proto::Services(dice.roll(2) as usize),
        2 => Proto::Number(dice.of(&[47, 50, 99])),
        3 => Proto::Number(1),
        4 | 5 => Proto::Number(17),
        _ => Proto::Number(6),
    };
    let number = if let Proto::Number(number) = proto { number } else { 0 };
    let mut ports = || if matches!(number, 6 | 17) { port(dice) } else { Port::Any };
    let (source_port, destination_port) = (ports(), ports());
    let condition = dice.roll(14);
    Rule {
        permit: dice.one_in(2),
        proto,
        source: side(dice),
        source_port,
        destination: side(dice),
        destination_port,
        header: header(dice, number),
        dscp: (condition == 0).then(|| dice.of(&[0, 10, 46, 63])),
        precedence: (condition == 1).then(|| dice.roll(8) as u8),
        tos: (condition == 2).then(|| dice.roll(16) as u8),
        option: (condition == 3).then(|| dice.of(&[None, Some(7), Some(99)])),
        ttl: (condition == 4).then(|| dice.of(&[(0, 63), (64, 255), (1, 1), (5, 200)])),
        fragments: condition == 5 && number == 0,
        time_range: dice.one_in(10).then(|| dice.roll(2) as usize),
        log: dice.of(&[None, None, Some("log"), Some("log-input")]),
    }
}

// ---- as IOS writes it ---------------------------------------------------------------------------

fn dotted(bits: u32) -> Ipv4Addr {
    Ipv4Addr::from(bits)
}

fn write_side(side: &Side) -> String {
    match side {
        Side::Any | Side::Bits(_, u32::MAX) => "any".into(),
        Side::Host(address) | Side::Bits(address, 0) => format!("host {}", dotted(*address)),
        Side::Bits(address, bits) => format!("{} {}", dotted(address & !bits), dotted(*bits)),
        Side::Group(group) => format!("object-group N{group}"),
    }
}

fn write_port(port: &Port, tcp: bool) -> String {
    let one = |port: &u16| match (port, tcp) {
        (20, true) => "ftp-data".into(),
        (23, true) => "telnet".into(),
        (53, _) => "domain".into(),
        (80, true) => "www".into(),
        (123, false) => "ntp".into(),
        (port, _) => port.to_string(),
    };
    let all = |ports: &[u16]| ports.iter().map(one).collect::<Vec<String>>().join(" ");
    match port {
        Port::Any => String::new(),
        Port::Eq(ports) => format!(" eq {}", all(ports)),
        Port::Neq(ports) => format!(" neq {}", all(ports)),
        Port::Gt(port) => format!(" gt {}", one(port)),
        Port::Lt(port) => format!(" lt {}", one(port)),
        Port::Range(first, last) => format!(" range {} {}", one(first), one(last)),
    }
}

fn write_rule(rule: &Rule) -> String {
    let proto = match rule.proto {
        Proto::Ip => "ip".to_string(),
        Proto::Number(1) => "icmp".into(),
        Proto::Number(6) => "tcp".into(),
        Proto::Number(17) => "udp".into(),
        Proto::Number(47) => "gre".into(),
        Proto::Number(50) => "esp".into(),
        Proto::Number(number) => number.to_string(),
        Proto::Services(group) => format!("object-group S{group}"),
    };
    let tcp = matches!(rule.proto, Proto::Number(6));
    let mut out = format!(
        "{} {proto} {}{} {}{}",
        if rule.permit { "permit" } else { "deny" },
        write_side(&rule.source),
        write_port(&rule.source_port, tcp),
        write_side(&rule.destination),
        write_port(&rule.destination_port, tcp)
    );
    let flag = |bit: u8| FLAGS.iter().find(|(_, known)| *known == bit).unwrap().0;
    let signed = |these: &[(bool, u8)]| {
        // IOS has the set ones first
        let set = these.iter().filter(|(set, _)| *set).map(|(_, bit)| format!(" +{}", flag(*bit)));
        let clear = these.iter().filter(|(set, _)| !set).map(|(_, bit)| format!(" -{}", flag(*bit)));
        set.chain(clear).collect::<String>()
    };
    match &rule.header {
        Header::None => {}
        Header::Icmp(kind, code) => match (kind, code) {
            (0, None) => out.push_str(" echo-reply"),
            (3, None) => out.push_str(" unreachable"),
            (8, None) => out.push_str(" echo"),
            (11, None) => out.push_str(" time-exceeded"),
            (3, Some(0)) => out.push_str(" net-unreachable"),
            (3, Some(1)) => out.push_str(" host-unreachable"),
            (3, Some(2)) => out.push_str(" protocol-unreachable"),
            (3, Some(3)) => out.push_str(" port-unreachable"),
            (3, Some(4)) => out.push_str(" packet-too-big"),
            (5, Some(0)) => out.push_str(" net-redirect"),
            (5, Some(1)) => out.push_str(" host-redirect"),
            (5, Some(2)) => out.push_str(" net-tos-redirect"),
            (5, Some(3)) => out.push_str(" host-tos-redirect"),
            (11, Some(0)) => out.push_str(" ttl-exceeded"),
            (11, Some(1)) => out.push_str(" reassembly-timeout"),
            (kind, None) => write!(out, " {kind}").unwrap(),
            (kind, Some(code)) => write!(out, " {kind} {code}").unwrap(),
        },
        Header::Established => out.push_str(" established"),
        Header::Any(these) => write!(out, " match-any{}", signed(these)).unwrap(),
        Header::All(these) => write!(out, " match-all{}", signed(these)).unwrap(),
        Header::Flags(these) => these.iter().for_each(|bit| write!(out, " {}", flag(*bit)).unwrap()),
    }
    match rule.dscp {
        Some(0) => out.push_str(" dscp default"),
        Some(10) => out.push_str(" dscp af11"),
        Some(46) => out.push_str(" dscp ef"),
        Some(other) => write!(out, " dscp {other}").unwrap(),
        None => {}
    }
    const PRECEDENCE: [&str; 8] =
        ["routine", "priority", "immediate", "flash", "flash-override", "critical", "internet", "network"];
    if let Some(precedence) = rule.precedence {
        write!(out, " precedence {}", PRECEDENCE[usize::from(precedence)]).unwrap();
    }
    if let Some(tos) = rule.tos {
        let name = match tos {
            0 => "normal".into(),
            1 => "min-monetary-cost".into(),
            2 => "max-reliability".into(),
            4 => "max-throughput".into(),
            8 => "min-delay".into(),
            other => other.to_string(),
        };
        write!(out, " tos {name}").unwrap();
    }
    match rule.option {
        Some(None) => out.push_str(" option any-options"),
        Some(Some(7)) => out.push_str(" option record-route"),
        Some(Some(other)) => write!(out, " option {other}").unwrap(),
        None => {}
    }
    match rule.ttl {
        Some((0, last)) => write!(out, " ttl lt {}", last + 1).unwrap(),
        Some((first, 255)) => write!(out, " ttl gt {}", first - 1).unwrap(),
        Some((first, last)) if first == last => write!(out, " ttl eq {first}").unwrap(),
        Some((first, last)) => write!(out, " ttl range {first} {last}").unwrap(),
        None => {}
    }
    if rule.fragments {
        out.push_str(" fragments");
    }
    if let Some(range) = rule.time_range {
        write!(out, " time-range T{range}").unwrap();
    }
    if let Some(log) = rule.log {
        write!(out, " {log}").unwrap();
    }
    out
}

// ---- the reference matcher ----------------------------------------------------------------------

fn packet(dice: &mut Dice) -> Packet {
    let source = dotted(address(dice)).into();
    let destination = dotted(address(dice)).into();
    let protocol = dice.of(&[1, 6, 6, 6, 17, 17, 47, 99]);
    let near = |dice: &mut Dice| dice.of(&PORTS).wrapping_add(dice.of(&[0, 0, 1, u16::MAX]));
    Packet {
        source,
        destination: Some(destination),
        protocol,
        later_fragment: dice.one_in(8),
        ports: Ports { source: Some(near(dice)), destination: Some(near(dice)) },
        icmp: Some((dice.of(&[0, 3, 5, 8, 11, 77]), dice.roll(5) as u8)),
        tcp: Tcp(Some(dice.roll(64) as u8)),
        tos: Some(dice.of(&[0, 0x28, 0xB8, 0xFC, 0x20, 0x08, 0x1E])),
        ttl: Some(dice.of(&[0, 1, 5, 63, 64, 200, 255])),
        options: Some(dice.of(&[&[][..], &[7], &[99, 7]]).to_vec()),
        moment: Some(Moment {
            at: Minute {
                year: 2026,
                month: 11,
                day: 30,
                minute: dice.of(&[0, 60, 61, 479, 480, 1020, 1021]),
            },
            weekday: dice.roll(7) as u8,
        }),
    }
}

fn in_side(side: &Side, address: std::net::IpAddr) -> bool {
    let std::net::IpAddr::V4(address) = address else { return false };
    let address = u32::from(address);
    match side {
        Side::Any => true,
        Side::Host(host) => address == *host,
        Side::Bits(base, bits) => address | bits == base | bits,
        Side::Group(group) => NETWORKS[*group].iter().any(|(low, high)| *low <= address && address <= *high),
    }
}

fn in_port(port: &Port, given: u16) -> bool {
    match port {
        Port::Any => true,
        Port::Eq(ports) => ports.contains(&given),
        Port::Neq(ports) => ports.iter().all(|port| *port != given),
        Port::Gt(port) => given > *port,
        Port::Lt(port) => given < *port,
        Port::Range(first, last) => given >= *first && given <= *last,
    }
}

fn in_header(header: &Header, packet: &Packet) -> bool {
    let flags = packet.tcp.0.unwrap();
    let is = |(set, bit): &(bool, u8)| (flags & bit != 0) == *set;
    match header {
        Header::None => true,
        Header::Icmp(kind, code) => {
            let (own, of) = packet.icmp.unwrap();
            own == *kind && code.is_none_or(|code| code == of)
        }
        Header::Established => flags & 16 != 0 || flags & 4 != 0,
        Header::Any(these) => these.iter().any(is),
        Header::All(these) => these.iter().all(is),
        Header::Flags(these) => these.iter().any(|bit| flags & bit != 0),
    }
}

/// Whether a line is about a packet.
fn about(rule: &Rule, packet: &Packet) -> bool {
    if !in_side(&rule.source, packet.source) || !in_side(&rule.destination, packet.destination.unwrap()) {
        return false;
    }
    let (from, to) = (packet.ports.source.unwrap(), packet.ports.destination.unwrap());
    // a later fragment has no ports: a permit line is about it all the same, a deny line not
    let later = packet.later_fragment;
    match rule.proto {
        Proto::Ip => {}
        Proto::Number(number) if number != packet.protocol => return false,
        Proto::Number(_) => {}
        Proto::Services(group) => {
            let is = |(protocols, source, destination): &Service| {
                let all = (0, u16::MAX);
                let whole = *source == all && *destination == all;
                let ports =
                    source.0 <= from && from <= source.1 && destination.0 <= to && to <= destination.1;
                protocols.contains(&packet.protocol) && (whole || if later { rule.permit } else { ports })
            };
            if !SERVICES[group].iter().any(is) {
                return false;
            }
        }
    }
    let says_more = !matches!(
        (&rule.source_port, &rule.destination_port, &rule.header),
        (Port::Any, Port::Any, Header::None)
    );
    if says_more {
        let fits = in_port(&rule.source_port, from)
            && in_port(&rule.destination_port, to)
            && in_header(&rule.header, packet);
        if !(if later { rule.permit } else { fits }) {
            return false;
        }
    }
    let tos = packet.tos.unwrap();
    let moment = packet.moment.unwrap();
    let options = packet.options.as_ref().unwrap();
    rule.dscp.is_none_or(|dscp| tos >> 2 == dscp)
        && rule.precedence.is_none_or(|precedence| tos / 32 == precedence)
        && rule.tos.is_none_or(|wanted| tos % 32 / 2 == wanted)
        && rule.option.is_none_or(|wanted| match wanted {
            None => !options.is_empty(),
            Some(number) => options.contains(&number),
        })
        && rule.ttl.is_none_or(|(first, last)| (first..=last).contains(&packet.ttl.unwrap()))
        && (!rule.fragments || later)
        && rule.time_range.is_none_or(|range| {
            let (first, last, days) = TIMES[range];
            days.contains(&moment.weekday) && (first..=last).contains(&moment.at.minute)
        })
}

fn list(text: &str) -> (hubward_config::Parsed, Acl) {
    let parsed = parse(text);
    let acl = parsed.config.acl("L").expect("the list").clone();
    (parsed, acl)
}

// ---- tests --------------------------------------------------------------------------------------

/// 100,000 packets: the line that decides is the one that the test finds itself.
#[test]
fn the_line_that_decides_is_the_one_that_a_reference_matcher_finds() {
    let mut dice = Dice(0x1DEA_5EED);
    let mut decided = 0;
    for round in 0..250 {
        let mut rules: Vec<(Rule, String)> = Vec::new();
        for _ in 0..12 {
            let rule = rule(&mut dice);
            let text = write_rule(&rule);
            // a line that is there already changes nothing
            if rules.iter().all(|(_, known)| *known != text) {
                rules.push((rule, text));
            }
        }
        let mut text = format!("{GROUPS}ip access-list extended L\n");
        let first = text.lines().count() + 1;
        rules.iter().for_each(|(_, line)| writeln!(text, " {line}").unwrap());
        let (parsed, acl) = list(&text);
        assert!(parsed.diagnostics.is_empty(), "{text}{:?}", parsed.diagnostics);
        for _ in 0..400 {
            let packet = packet(&mut dice);
            let wanted = rules.iter().position(|(rule, _)| about(rule, &packet));
            let wanted = wanted.map(|place| (first + place, rules[place].0.permit));
            let found = match decide(&parsed.config, &acl, &packet) {
                Decision::By(entry, permit) => Some((usize::try_from(entry.line).unwrap(), permit)),
                Decision::None => None,
                Decision::MayDeny(entry) => panic!("{entry:?}"),
            };
            assert_eq!(found, wanted, "round {round}: {packet:?}\n{text}");
            decided += usize::from(wanted.is_some());
        }
    }
    assert!((30_000..95_000).contains(&decided), "lines and packets must meet, and miss: {decided}");
}

/// What is printed is what IOS writes, and reads as the same line.
#[test]
fn printed_lines_read_as_the_same_lines() {
    let mut dice = Dice(0x0B5E_55ED);
    let mut lines: Vec<String> = Vec::new();
    while lines.len() < 2000 {
        let line = write_rule(&rule(&mut dice));
        // a line that is there already changes nothing
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let body: String = lines.iter().map(|line| format!(" {line}\n")).collect();
    let (parsed, acl) = list(&format!("{GROUPS}ip access-list extended L\n{body}"));
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let printed: Vec<_> = acl.entries.iter().map(|entry| written(entry, AclKind::Extended)).collect();
    assert_eq!(printed, lines);
}

/// Spellings that IOS changes, and kinds of lines that the random ones have not.
#[test]
fn lines_are_printed_as_ios_prints_them() {
    for (typed, printed) in [
        ("permit ip 10.1.2.3 0.0.0.255 10.9.9.9 0.0.0.0", "permit ip 10.1.2.0 0.0.0.255 host 10.9.9.9"),
        ("permit ip 0.0.0.0 255.255.255.255 any", "permit ip any any"),
        ("permit tcp any any range 25 20", "permit tcp any any range ftp-data smtp"),
        ("perm tcp an an eq 514 80 time", "permit tcp any any eq cmd www 37"),
        ("permit udp any eq 500 any eq 4500", "permit udp any eq isakmp any eq non500-isakmp"),
        ("permit 6 any any", "permit tcp any any"),
        ("permit 99 any any", "permit 99 any any"),
        ("permit igmp any any 2", "permit igmp any any host-report"),
        ("permit icmp any any 3 13", "permit icmp any any administratively-prohibited"),
        ("permit tcp any any reflect R timeout 60", "permit tcp any any reflect R timeout 60"),
        ("permit tcp any any established log", "permit tcp any any established log"),
        ("permit ip host server any", "permit ip host server any"),
        ("remark  two  words", "remark two  words"),
        ("evaluate R", "evaluate R"),
        ("dynamic D timeout 5 permit ip any any", "dynamic D timeout 5 permit ip any any"),
    ] {
        let (_, acl) = list(&format!("ip access-list extended L\n {typed}\n"));
        assert_eq!(written(&acl.entries[0], AclKind::Extended), printed, "{typed}");
    }
    for (typed, printed) in [
        ("permit host 10.0.0.1", "permit 10.0.0.1"),
        ("permit 10.0.0.1 0.0.0.0 log", "permit 10.0.0.1 log"),
        ("deny 10.1.1.1 0.255.255.255", "deny 10.0.0.0 0.255.255.255"),
        ("permit any", "permit any"),
        ("permit server", "permit host server"),
    ] {
        let (_, acl) = list(&format!("ip access-list standard L\n {typed}\n"));
        assert_eq!(written(&acl.entries[0], AclKind::Standard), printed, "{typed}");
    }
}

/// `access-list N` and `ip access-list extended N` are one list.
#[test]
fn a_numbered_list_may_be_entered_by_name() {
    let text =
        "access-list 101 permit ip host 10.0.0.1 any\nip access-list extended 101\n 5 deny ip any any\n";
    let acls = parse(text).config.acls;
    assert_eq!(acls.len(), 1);
    let lines: Vec<_> = acls[0].entries.iter().map(|entry| (entry.sequence, entry.line)).collect();
    assert_eq!(lines, [(Some(5), 3), (Some(10), 1)]);
    let gone = parse(&format!("{text}no access-list 101 permit ip host 10.0.0.1 any\n")).config.acls;
    assert!(gone.is_empty(), "any `no access-list 101` takes away the whole list, as on IOS: {gone:?}");
    let wrong = parse(
        "ip access-list standard 101\n permit any\nip access-list extended X\nip access-list standard X\n",
    );
    let kinds: Vec<_> = wrong.config.acls.iter().map(|acl| (acl.name.as_str(), acl.kind)).collect();
    // what was written under the refused line is still closed
    assert_eq!(kinds, [("X", AclKind::Extended), ("101", AclKind::Standard)]);
    assert_eq!(
        wrong.diagnostics.iter().filter(|told| told.code.name() == "invalid").count(),
        2,
        "{:?}",
        wrong.diagnostics
    );
}

/// The numbers and lines of a list, and the lines that were refused.
fn numbered(lines: &[&str]) -> (Vec<String>, Vec<u32>) {
    let body: String = lines.iter().map(|line| format!(" {line}\n")).collect();
    let body = body.replace(" ip access-list", "ip access-list");
    let parsed = parse(&format!("ip access-list extended L\n{body}"));
    let mut acl = parsed.config.acl("L").unwrap().clone();
    acl.entries.retain(|entry| !matches!(entry.what, hubward_config::model::AclLine::Unread { .. }));
    let said = |entry: &hubward_config::model::AclEntry| {
        let number = entry.sequence.map(|number| format!("{number} ")).unwrap_or_default();
        format!("{number}{}", written(entry, AclKind::Extended))
    };
    let refused = parsed.diagnostics.iter().filter(|told| told.code.name() == "invalid");
    (acl.entries.iter().map(said).collect(), refused.map(|told| told.line).collect())
}

const A: &str = "permit ip host 10.0.0.1 any";
const B: &str = "permit ip host 10.0.0.2 any";
const C: &str = "deny ip any any";

#[test]
fn sequence_numbers_are_those_of_ios() {
    let n = |number: u32, line: &str| format!("{number} {line}");
    let is = |typed: &[&str], lines: &[String], refused: &[u32]| {
        let (found, wrong) = numbered(typed);
        assert_eq!((found.as_slice(), wrong.as_slice()), (lines, refused), "{typed:?}");
    };
    is(&[A, B, C], &[n(10, A), n(20, B), n(30, C)], &[]);
    // a number inserts
    is(&[A, B, &n(5, C)], &[n(5, C), n(10, A), n(20, B)], &[]);
    is(&[A, C, &n(15, B)], &[n(10, A), n(15, B), n(20, C)], &[]);
    // IOS XE prints remarks with the number of the line below them
    let remark = "remark why";
    is(
        &[&n(10, remark), &n(10, A), &n(20, remark), &n(20, B)],
        &[n(10, remark), n(10, A), n(20, remark), n(20, B)],
        &[],
    );
    is(&[A, B, &n(20, remark)], &[n(10, A), n(20, remark), n(20, B)], &[]);
    is(&[&n(10, remark), &n(10, A), &n(10, B)], &[n(10, remark), n(10, A)], &[4]);
    // what has no number comes last, ten after the greatest
    is(&[&n(25, A), B], &[n(25, A), n(35, B)], &[]);
    is(&[A, &n(7, B), C], &[n(7, B), n(10, A), n(20, C)], &[]);
    // a number that another line has is refused, unless it is the same line
    is(&[A, &n(10, B), C], &[n(10, A), n(20, C)], &[3]);
    is(&[A, &n(10, A), C], &[n(10, A), n(20, C)], &[]);
    // a line that is there already changes nothing, whatever its number
    is(&[A, A, &n(5, A), B], &[n(10, A), n(20, B)], &[]);
    // `no` by number and by line
    is(&[A, B, C, "no 20"], &[n(10, A), n(30, C)], &[]);
    is(&[A, B, C, "no 20", B], &[n(10, A), n(30, C), n(40, B)], &[]);
    is(&[A, B, C, &format!("no {B}")], &[n(10, A), n(30, C)], &[]);
    is(&[A, B, "no 15", &format!("no {C}")], &[n(10, A), n(20, B)], &[]);
    is(&[A, "no permit ip any"], &[n(10, A)], &[3]);
    // a remark has no number, and goes with the line that follows it
    is(&[A, "remark b", B, &n(15, C)], &[n(10, A), n(15, C), "remark b".into(), n(20, B)], &[]);
    is(&[A, B, "no remark x", "remark x", "no remark x"], &[n(10, A), n(20, B)], &[]);
    // resequencing
    is(&[A, &n(7, B), C, "ip access-list resequence L 100 5"], &[n(100, B), n(105, A), n(110, C)], &[]);
    is(&[A, B, "ip access-list resequence L 2147483647 1"], &[n(10, A), n(20, B)], &[4]);
    is(&[&n(2_147_483_647, A), B], &[n(2_147_483_647, A)], &[3]);
}

#[test]
fn ports_and_types_that_ios_does_not_know_are_refused() {
    for line in [
        "permit udp any any eq www",
        "permit tcp any any eq 65536",
        "permit tcp any any eq 1 2 3 4 5 6 7 8 9 10 11",
        "permit ip any any eq 80",
        "permit udp any any established",
        "permit icmp any any echo-replay",
        "permit ip any any dscp 64",
        "permit ip any any precedence high",
        "permit ip any",
        "permit tcp any any log x y",
        "permit ip host 1x any",
    ] {
        let parsed = parse(&format!("ip access-list extended L\n {line}\n"));
        let wrong: Vec<_> = parsed.diagnostics.iter().filter(|told| told.code.name() == "invalid").collect();
        assert_eq!(wrong.len(), 1, "{line}: {:?}", parsed.diagnostics);
    }
    // the caret stands under the port that is wrong
    let parsed = parse("access-list 101 permit tcp any any eq 80 nonsense\n");
    assert_eq!(parsed.diagnostics[0].column, 42, "{:?}", parsed.diagnostics);
}

/// IPv6 lists are in the model; nothing here uses them.
#[test]
fn ipv6_lists_are_read_whole() {
    let text = "ipv6 access-list V6\n permit tcp 2001:db8::/32 any eq www established\n \
                permit icmp any any nd-na\n sequence 15 permit udp any host 2001:db8::5 eq 53\n \
                permit ipv6 any any flow-label 5 routing log sequence 25\n deny ipv6 any any\n remark end\n";
    let parsed = parse(text);
    let lists = &parsed.config.ipv6_acls;
    assert_eq!(lists.len(), 1);
    let lines: Vec<_> =
        lists[0].entries.iter().map(|entry| (entry.sequence, written(entry, AclKind::Ipv6))).collect();
    let n = |number, line: &str| (number, line.to_string());
    assert_eq!(
        lines,
        [
            n(Some(10), "permit tcp 2001:DB8::/32 any eq www established"),
            n(Some(15), "permit udp any host 2001:DB8::5 eq domain"),
            n(Some(20), "permit icmp any any nd-na"),
            n(Some(25), "permit ipv6 any any flow-label 5 routing log"),
            n(Some(35), "deny ipv6 any any"),
            n(None, "remark end"),
        ]
    );
    assert_eq!(parsed.diagnostics.len(), 1, "{:?}", parsed.diagnostics);
    assert!(parse("ipv6 access-list V\n permit ipv6 10.0.0.0/8 any\n").diagnostics.len() == 2);
}

/// The start and the end of `absolute` come in either order, and each may be absent.
#[test]
fn the_ends_of_a_time_range_come_in_any_order() {
    let absolute = |line: &str| {
        let parsed = parse(&format!("time-range T\n absolute {line}\n"));
        assert!(parsed.diagnostics.is_empty(), "{line}: {:?}", parsed.diagnostics);
        parsed.config.time_ranges[0].absolute.unwrap()
    };
    let (start, end) = ("start 00:00 1 January 2026", "end 23:59 31 December 2026");
    let whole = absolute(&format!("{start} {end}"));
    assert!(whole.start.is_some() && whole.end.is_some());
    assert_eq!(absolute(&format!("{end} {start}")), whole);
    assert_eq!((absolute(start).start, absolute(start).end), (whole.start, None));
    assert_eq!((absolute(end).start, absolute(end).end), (None, whole.end));
}

/// Every line of the groups and time ranges, and what takes it back.
#[test]
fn groups_and_time_ranges_are_read_whole() {
    let text = "object-group network N\n description x\n host 10.0.0.1\n host server\n 10.1.0.0 255.255.0.0\n \
                10.2.0.0 /16\n 10.3.0.0/16\n range 10.4.0.1 10.4.0.9\n any\n group-object M\n\
                object-group service S\n tcp\n tcp source range 1 5 gt 1023\n udp eq ntp\n tcp 8080\n tcp-udp lt 9\n \
                icmp echo\n icmp 3\n 99\n esp\n ip\n group-object R\n\
                object-group network M\nobject-group service R\n\
                time-range T\n absolute start 00:00 1 January 2026 end 23:59 31 December 2026\n \
                periodic daily 8:00 to 12:00\n periodic Monday Wed 8:00 to Friday 17:30\n";
    let parsed = parse(text);
    assert!(parsed.diagnostics.is_empty(), "{:?}", parsed.diagnostics);
    let config = &parsed.config;
    let members = |place: usize| match &config.object_groups[place].members {
        hubward_config::model::GroupMembers::Network(members) => members.len(),
        hubward_config::model::GroupMembers::Service(members) => members.len(),
    };
    assert_eq!((members(0), members(1)), (8, 11));
    let range = &config.time_ranges[0];
    assert!(range.absolute.is_some() && range.periodic.len() == 2, "{range:?}");
    assert_eq!(
        (range.periodic[1].days, range.periodic[1].end_day, range.periodic[1].end),
        (0b101, Some(4), 1050)
    );
    // each line is taken back by its `no`
    let mut mode = "";
    for line in text.lines() {
        if !line.starts_with(' ') {
            mode = line;
            continue;
        }
        let with = parse(&format!("{mode}\n{line}\n no{line}\n")).config;
        let without = parse(&format!("{mode}\n")).config;
        assert_eq!(with, without, "{mode}: {line}");
    }
    for line in [
        "object-group network N\n range 10.0.0.9 10.0.0.1\n",
        "object-group network N\n 10.0.0.0 255.0.255.0\n",
        "object-group service S\n udp eq www\n",
        "time-range T\n periodic daily 9:00 to 8:00\n",
        "time-range T\n absolute start 25:00 1 January 2026\n",
        "object-group network N\nobject-group service N\n",
    ] {
        assert_eq!(parse(line).diagnostics.len(), 1, "{line}: {:?}", parse(line).diagnostics);
    }
}

/// A group that a tunnel in use needs cannot be taken away by accident, nor one inside it.
#[test]
fn what_lists_name_is_needed_like_the_list() {
    let whole = "object-group network INNER\n host 10.1.0.1\nobject-group network LAN\n group-object INNER\n\
                 ip access-list extended A\n permit ip object-group LAN any time-range T\n\
                 ip access-list extended B\n permit ip object-group OTHER any\n\
                 time-range T\n periodic daily 8:00 to 9:00\n\
                 crypto map M 10 ipsec-isakmp\n match address A\ninterface FastEthernet0/0\n crypto map M\n";
    let old = parse(whole).config;
    let lost = |removed: &str| {
        let new = parse(&format!("{whole}{removed}\n")).config;
        let lost = hubward_config::check::lost(&old, &new);
        lost.into_iter().map(|one| format!("{} {} of {}", one.what, one.name, one.owner)).collect::<Vec<_>>()
    };
    assert_eq!(lost("no object-group network LAN"), ["object group LAN of access list A"]);
    assert_eq!(lost("no object-group network INNER"), ["object group INNER of object group LAN"]);
    assert_eq!(lost("no time-range T"), ["time range T of access list A"]);
    assert_eq!(lost("hostname A"), [""; 0]);
    // as on IOS every packet passes until there is a list again
    let filtered = format!(
        "{whole}ip access-list extended F\n permit ip any any\ninterface FastEthernet0/1\n ip access-group F in\n"
    );
    let (with, without) = (parse(&filtered), parse(&format!("{filtered}no ip access-list extended F\n")));
    assert!(with.config.acls.len() == without.config.acls.len() + 1);
    assert_eq!(hubward_config::check::lost(&with.config, &without.config), []);
    let mut told = without.diagnostics.iter();
    assert!(told.any(|told| told.message.contains("F is not defined")), "{:?}", without.diagnostics);
    let told = parse(whole).diagnostics;
    let dangling: Vec<_> = told.iter().filter(|told| told.message.contains("object group OTHER")).collect();
    assert!(dangling.len() == 1 && dangling[0].message.contains("any packet"), "{told:?}");
}

/// A word behind `log` is a cookie, unless it restricts the line or is meant to: it would be lost,
/// and the line would permit more than it was written for.
#[test]
fn a_restriction_behind_log_is_no_cookie() {
    for (rest, taken) in [
        ("log", true),
        ("log Branch-7", true),
        ("log-input audit", true),
        ("log fragmnets", false),
        ("log fragments", true),
        ("log established", false),
        ("log tiem-range WORK", false),
        ("log-input estabished", false),
    ] {
        let text = format!("ip access-list extended L\n permit tcp any any {rest}\n");
        let lists = hubward_config::parse(&text).config.acls;
        let [entry] = lists[0].entries.as_slice() else { panic!("{rest}: {lists:?}") };
        // what is not read leaves a hole in the list, which closes what uses it
        assert_eq!(!matches!(entry.what, AclLine::Unread { .. }), taken, "{rest}: {entry:?}");
    }
}

/// Clients are sent networks: a line that says more than those leaves the group without a list that
/// means what it says, and the group does not exist here.
#[test]
fn a_line_that_no_client_can_be_sent_closes_its_group() {
    let whole = "aaa new-model\naaa authentication login X local\naaa authorization network N local\n\
                 username ada password 0 x\ncrypto isakmp policy 10\n encr aes\n authentication pre-share\n group 14\n\
                 crypto isakmp client configuration group G\n key secret\n pool P\n acl SPLIT\n\
                 ip local pool P 10.9.9.1 10.9.9.9\ncrypto isakmp profile VPN\n match identity group G\n \
                 client authentication list X\n isakmp authorization list N\n client configuration address respond\n\
                 crypto ipsec transform-set T esp-aes esp-sha-hmac\ncrypto dynamic-map D 10\n set transform-set T\n \
                 set isakmp-profile VPN\ncrypto map M 10 ipsec-isakmp dynamic D\ninterface FastEthernet0/0\n \
                 ip address 203.0.113.2 255.255.255.0\n crypto map M\nobject-group network LAN\n host 10.1.0.9\n\
                 time-range DAY\n periodic daily 8:00 to 9:00\nip access-list extended SPLIT\n";
    let group = |line: &str| {
        let parsed = parse(&format!("{whole} {line}\n permit ip 10.1.0.0 0.0.255.255 any\n"));
        let verdicts = hubward_config::verdict::verdicts(&parsed);
        verdicts.into_iter().find(|verdict| verdict.name == "group G").unwrap()
    };
    for line in ["permit ip 10.2.0.0 0.0.255.255 any", "permit ip object-group LAN any", "remark x"] {
        let verdict = group(line);
        assert!(verdict.outcome.reasons().is_empty(), "{line}: {verdict:?}");
    }
    for line in [
        "permit ip object-group NONE any",
        "permit tcp 10.2.0.0 0.0.255.255 any range 20 25",
        "permit tcp 10.2.0.0 0.0.255.255 gt 1023 any",
        "permit tcp 10.2.0.0 0.0.255.255 any neq 22",
        "permit tcp 10.2.0.0 0.0.255.255 any established",
        "permit ip 10.2.0.0 0.0.255.255 any time-range DAY",
        "permit icmp 10.2.0.0 0.0.255.255 any echo",
        "permit sctp 10.2.0.0 0.0.255.255 any",
        "permit ip host server.example.com any",
        "permit ip 10.2.0.0 0.255.0.255 any",
        "evaluate R",
        "permit ip 10.2.0.0 0.0.255.255 any frobnicate",
    ] {
        let verdict = group(line);
        assert!(verdict.outcome.is_missing(), "{line}: {verdict:?}");
        assert!(!verdict.flows.is_empty(), "{line}: its pool is closed");
    }
}
