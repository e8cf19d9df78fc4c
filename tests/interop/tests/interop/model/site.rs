//! A random router: its filters, translations and crypto map, and packets for it.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// Which network a packet comes from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Outside,
    Lan,
    Dmz,
}

impl Side {
    pub(super) const ALL: [Self; 3] = [Self::Outside, Self::Lan, Self::Dmz];

    pub(super) const fn interface(self) -> &'static str {
        match self {
            Self::Outside => "GigabitEthernet0/0",
            Self::Lan => "GigabitEthernet0/1",
            Self::Dmz => "GigabitEthernet0/2",
        }
    }

    /// The router's address there.
    pub(super) const fn router(self) -> Ipv4Addr {
        match self {
            Self::Outside => Ipv4Addr::new(198, 51, 100, 2),
            Self::Lan => Ipv4Addr::new(10, 1, 1, 1),
            Self::Dmz => Ipv4Addr::new(172, 16, 10, 1),
        }
    }
}

/// The end of the tunnel, which never answers.
pub(super) const PEER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
/// The addresses of the pool.
pub(super) const POOL: [u8; 2] = [40, 43];
const LAN: [&str; 4] = ["10.1.1.10", "10.1.1.20", "10.1.1.77", "10.1.1.130"];
const DMZ: [&str; 3] = ["172.16.10.10", "172.16.10.20", "172.16.10.200"];
/// The last two are private addresses, which an attacker invents.
const OUTSIDE: [&str; 6] =
    ["192.0.2.5", "203.0.113.77", "192.88.7.7", "198.51.100.77", "10.9.9.9", "192.168.5.5"];
/// Behind the tunnel, where it is told.
const REMOTE: [&str; 3] = ["10.2.0.5", "10.2.1.9", "10.3.0.5"];
/// What translations may answer for, and the last never does.
const GLOBALS: [&str; 6] =
    ["198.51.100.40", "198.51.100.43", "198.51.100.50", "198.51.100.51", "198.51.100.104", "198.51.100.60"];
const PORTS: [u16; 8] = [22, 53, 80, 443, 1024, 5000, 8080, 40_000];
const KINDS: [&str; 5] = ["echo", "echo-reply", "unreachable", "time-exceeded", "8"];

/// Neighbors of the router, which the test tells it.
pub(super) fn neighbors(side: Side) -> Vec<&'static str> {
    match side {
        Side::Lan => LAN.to_vec(),
        Side::Dmz => DMZ.to_vec(),
        Side::Outside => GLOBALS
            .iter()
            .chain(&["198.51.100.1", "198.51.100.41", "198.51.100.42", "198.51.100.77"])
            .copied()
            .collect(),
    }
}

/// SplitMix64.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    const fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    const fn percent(&mut self, of: usize) -> bool {
        self.below(100) < of
    }

    fn of<T: Copy>(&mut self, these: &[T]) -> T {
        these[self.below(these.len())]
    }
}

/// A packet that is sent, and asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) from: Ipv4Addr,
    pub(super) to: Ipv4Addr,
    /// 1: an echo.
    pub(super) protocol: u8,
    /// Of an echo, its identifier.
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    /// TCP: ACK instead of SYN.
    pub(super) established: bool,
    pub(super) side: Side,
}

impl Packet {
    /// The question that is asked about it.
    pub(super) fn question(&self) -> String {
        let Self { from, to, source_port, destination_port, .. } = self;
        let established = if self.established { " established" } else { "" };
        match self.protocol {
            1 => format!("why packet {from} {to} icmp"),
            6 => format!("why packet {from} {to} tcp {destination_port} from {source_port}{established}"),
            _ => format!("why packet {from} {to} udp {destination_port} from {source_port}"),
        }
    }

    /// Whether one is a part of the other's connection, before or after a translation.
    fn meets(&self, other: &Self) -> bool {
        let ports = (self.source_port, self.destination_port);
        self.protocol == other.protocol
            && (ports == (other.source_port, other.destination_port)
                || ports == (other.destination_port, other.source_port))
    }
}

/// Packets from everywhere to everywhere, each a connection of its own.
pub(super) fn packets(random: &mut Random, count: usize) -> Vec<Packet> {
    let mut packets: Vec<Packet> = Vec::new();
    while packets.len() < count {
        let (side, from) = match random.below(10) {
            0..4 => (Side::Lan, random.of(&LAN)),
            4..6 => (Side::Dmz, random.of(&DMZ)),
            6 => (Side::Outside, random.of(&REMOTE)),
            _ => (Side::Outside, random.of(&OUTSIDE)),
        };
        let to = match random.below(12) {
            0..2 => random.of(&LAN),
            2..4 => random.of(&DMZ),
            4..7 => random.of(&OUTSIDE),
            7..9 => random.of(&REMOTE),
            9..11 => random.of(&GLOBALS),
            _ => ["198.51.100.2", "10.1.1.1", "172.16.10.1"][random.below(3)],
        };
        let protocol = random.of(&[1, 6, 6, 17, 17]);
        let unique = 20_000 + packets.len() as u16;
        let packet = Packet {
            from: address(from),
            to: address(to),
            protocol,
            source_port: if protocol != 1 && random.percent(15) { random.of(&PORTS) } else { unique },
            destination_port: if protocol == 1 { 0 } else { random.of(&PORTS) },
            established: protocol == 6 && random.percent(35),
            side,
        };
        if from != to && !packets.iter().any(|one| one.meets(&packet)) {
            packets.push(packet);
        }
    }
    packets
}

fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap_or(Ipv4Addr::UNSPECIFIED)
}

/// The configuration of a router that is only described by its random number.
pub(super) fn configuration(random: &mut Random) -> String {
    let mut site = Site::default();
    let version = random.of(&["12.2", "12.4", "15.7"]);
    let crypto = random.percent(70);
    let nat = random.percent(80);
    site.groups(random);
    let interfaces: String =
        Side::ALL.iter().map(|side| site.interface(random, *side, crypto, nat)).collect();
    let translations = if nat { site.translations(random) } else { String::new() };
    let mut text = format!("version {version}\nhostname Router\n");
    if crypto {
        text.push_str(CRYPTO);
    }
    let list = if crypto { crypto_list(random) } else { String::new() };
    // nothing comes out of the tunnel, and what goes into it must not be confused with what leaves in clear
    let filter = if crypto && random.percent(40) {
        format!("crypto map VPN 10 ipsec-isakmp\n set ip access-group {} out\n", site.list(random))
    } else {
        String::new()
    };
    // without a line that decides, it permits everything
    let mut lists = "ip access-list extended EMPTY\n remark to be written\n".to_owned();
    lists.push_str(&site.lists);
    let groups = site.groups;
    format!(
        "{text}{filter}{groups}{interfaces}{translations}ip route 0.0.0.0 0.0.0.0 198.51.100.1\n{lists}{list}end\n"
    )
}

const CRYPTO: &str = "\
crypto isakmp policy 10
 encr aes 256
 hash sha256
 authentication pre-share
 group 14
crypto isakmp key Secret-Key-1 address 203.0.113.10
crypto ipsec transform-set TS esp-aes 256 esp-sha-hmac
 mode tunnel
crypto map VPN 10 ipsec-isakmp
 set peer 203.0.113.10
 set transform-set TS
 match address TUNNEL
";

fn crypto_list(random: &mut Random) -> String {
    let mut text = "ip access-list extended TUNNEL\n".to_owned();
    if random.percent(30) {
        let _ = writeln!(text, " deny ip host {} any", random.of(&LAN));
    }
    for _ in 0..=random.below(3) {
        let source = random.of(&[
            "10.1.1.0 0.0.0.255",
            "10.1.0.0 0.0.255.255",
            "172.16.10.0 0.0.0.255",
            "host 198.51.100.2",
            "host 198.51.100.50",
        ]);
        let destination = random.of(&["10.2.0.0 0.0.255.255", "10.2.1.0 0.0.0.255", "10.3.0.0 0.0.255.255"]);
        let _ = writeln!(text, " permit ip {source} {destination}");
    }
    text
}

/// What has been written so far.
#[derive(Default)]
struct Site {
    groups: String,
    lists: String,
    number: usize,
}

impl Site {
    fn groups(&mut self, random: &mut Random) {
        self.groups.push_str("object-group network HOSTS\n");
        for _ in 0..=random.below(2) {
            let _ = writeln!(self.groups, " host {}", host(random));
        }
        self.groups.push_str(" 10.2.0.0 255.255.0.0\nobject-group service SERVICES\n");
        for _ in 0..=random.below(2) {
            let line = match random.below(4) {
                0 => format!("tcp eq {}", random.of(&PORTS)),
                1 => "udp range 50 500".to_owned(),
                2 => "icmp echo".to_owned(),
                _ => format!("tcp-udp gt {}", random.of(&PORTS)),
            };
            let _ = writeln!(self.groups, " {line}");
        }
    }

    fn interface(&mut self, random: &mut Random, side: Side, crypto: bool, nat: bool) -> String {
        let mut text =
            format!("interface {}\n ip address {} 255.255.255.0\n", side.interface(), side.router());
        for way in ["in", "out"] {
            if random.percent(if way == "in" { 50 } else { 30 }) {
                let list = match random.percent(8) {
                    true => "EMPTY".to_owned(),
                    false => self.list(random),
                };
                let _ = writeln!(text, " ip access-group {list} {way}");
            }
        }
        if random.percent(15) {
            let check = random.of(&[
                "reverse-path",
                "source reachable-via rx",
                "source reachable-via any",
                "source reachable-via rx allow-default",
            ]);
            let _ = writeln!(text, " ip verify unicast {check}");
        }
        let (word, share) = match side {
            Side::Outside => ("outside", 95),
            Side::Lan => ("inside", 95),
            Side::Dmz => ("inside", 60),
        };
        if nat && random.percent(share) {
            let _ = writeln!(text, " ip nat {word}");
        }
        if crypto && side == Side::Outside {
            text.push_str(" crypto map VPN\n");
        }
        text
    }

    /// A list for an interface: its name.
    fn list(&mut self, random: &mut Random) -> String {
        self.number += 1;
        let lines = 1 + random.below(6);
        if random.percent(15) {
            let number = 10 + self.number;
            for _ in 0..lines {
                let _ = writeln!(self.lists, "access-list {number} {} {}", verdict(random), standard(random));
            }
            self.end(random, &format!("access-list {number} permit any"));
            return number.to_string();
        }
        let name = format!("LIST-{}", self.number);
        let _ = writeln!(self.lists, "ip access-list extended {name}");
        for _ in 0..lines {
            let line = extended(random);
            let _ = writeln!(self.lists, " {line}");
        }
        self.end(random, " permit ip any any");
        name
    }

    /// Many lists end with a line that permits.
    fn end(&mut self, random: &mut Random, line: &str) {
        if random.percent(60) {
            let _ = writeln!(self.lists, "{line}");
        }
    }

    fn translations(&mut self, random: &mut Random) -> String {
        let mut text = String::new();
        if random.percent(40) {
            text.push_str("ip nat inside source static 10.1.1.20 198.51.100.50\n");
        }
        if random.percent(40) {
            let global = random.of(&["198.51.100.51 8080", "interface GigabitEthernet0/0 8080"]);
            let protocol = random.of(&["tcp", "udp"]);
            let _ = writeln!(text, "ip nat inside source static {protocol} 172.16.10.10 80 {global}");
        }
        if random.percent(30) {
            text.push_str("ip nat inside source static network 172.16.10.192 198.51.100.96 /28\n");
        }
        let pool = random.percent(40);
        if pool {
            text.push_str("ip nat pool POOL 198.51.100.40 198.51.100.43 netmask 255.255.255.0\n");
        }
        for number in 0..random.below(3) {
            let to = match pool && number == 0 {
                true => "pool POOL overload",
                false => "interface GigabitEthernet0/0 overload",
            };
            let list = self.translated(random);
            if random.percent(50) {
                let _ = writeln!(text, "ip nat inside source list {list} {to}");
                continue;
            }
            let map = format!("MAP-{number}");
            let _ = writeln!(text, "ip nat inside source route-map {map} {to}");
            if random.percent(40) {
                let but = self.translated(random);
                let _ = writeln!(self.lists, "route-map {map} deny 5\n match ip address {but}");
            }
            let _ = writeln!(self.lists, "route-map {map} permit 10\n match ip address {list}");
            if random.percent(40) {
                self.lists.push_str(" match interface GigabitEthernet0/0\n");
            }
        }
        text
    }

    /// A list of what is translated.
    fn translated(&mut self, random: &mut Random) -> String {
        self.number += 1;
        let name = format!("NAT-{}", self.number);
        let _ = writeln!(self.lists, "ip access-list extended {name}");
        for _ in 0..random.below(3) {
            let line = extended_without_header(random);
            let _ = writeln!(self.lists, " {line}");
        }
        if random.percent(60) {
            self.lists.push_str(" deny ip any 10.2.0.0 0.0.255.255\n");
        }
        let _ = writeln!(self.lists, " permit ip {} any", inside(random));
        name
    }
}

fn inside(random: &mut Random) -> &'static str {
    random.of(&["10.1.1.0 0.0.0.255", "172.16.10.0 0.0.0.255", "10.1.1.0 0.0.0.127", "any"])
}

fn verdict(random: &mut Random) -> &'static str {
    random.of(&["permit", "deny"])
}

fn host(random: &mut Random) -> &'static str {
    match random.below(5) {
        0 => random.of(&LAN),
        1 => random.of(&DMZ),
        2 => random.of(&OUTSIDE),
        3 => random.of(&REMOTE),
        _ => random.of(&GLOBALS),
    }
}

fn standard(random: &mut Random) -> String {
    match random.below(3) {
        0 => format!("host {}", host(random)),
        1 => {
            random.of(&["10.1.1.0 0.0.0.255", "172.16.0.0 0.15.255.255", "10.0.0.0 0.255.255.255"]).to_owned()
        }
        // every second address
        _ => "0.0.0.0 255.255.255.254".to_owned(),
    }
}

fn side(random: &mut Random) -> String {
    match random.below(10) {
        0..4 => "any".to_owned(),
        4 => "object-group HOSTS".to_owned(),
        _ => standard(random),
    }
}

fn ports(random: &mut Random) -> String {
    let port = random.of(&PORTS);
    match random.below(10) {
        0..3 => String::new(),
        3..6 => format!(" eq {port}"),
        6 => format!(" neq {port}"),
        7 => format!(" gt {port}"),
        8 => format!(" lt {port}"),
        _ => " range 50 500".to_owned(),
    }
}

fn extended(random: &mut Random) -> String {
    let (from, to) = (side(random), side(random));
    match random.below(10) {
        0 => format!("{} icmp {from} {to} {}", verdict(random), random.of(&KINDS)),
        1 => format!("{} tcp {from} {to} established", verdict(random)),
        2 => format!("{} object-group SERVICES {from} {to}", verdict(random)),
        _ => extended_without_header(random),
    }
}

fn extended_without_header(random: &mut Random) -> String {
    let (from, to) = (side(random), side(random));
    let verdict = verdict(random);
    match random.below(4) {
        0 => format!("{verdict} ip {from} {to}"),
        1 => format!("{verdict} icmp {from} {to}"),
        number => {
            let protocol = if number == 2 { "tcp" } else { "udp" };
            let source = if random.percent(25) { ports(random) } else { String::new() };
            format!("{verdict} {protocol} {from}{source} {to}{}", ports(random))
        }
    }
}
