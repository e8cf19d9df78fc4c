//! What a configuration promises to protect, read here word by word and without Hubward's own
//! parser: what that one overlooks would else be overlooked by the test too.
//!
//! The reading is coarse: it knows the commands that name networks, and takes a line that it does
//! not know for one of the mode that is open.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// An address and its wildcard: the bits that may differ.
pub type Range = (Ipv4Addr, u32);

/// An interface of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Interface {
    /// Its long name, `GigabitEthernet0/0`.
    pub name: String,
    /// Addresses with the wildcards of their networks.
    pub addresses: Vec<Range>,
    /// `ip address dhcp`.
    pub dhcp: bool,
    /// `shutdown`.
    pub shutdown: bool,
    /// `crypto map NAME`.
    pub map: Option<String>,
    /// `ip nat outside`.
    pub nat_outside: bool,
    /// `tunnel source`, a name or an address.
    pub tunnel_source: Option<String>,
    /// A routing protocol is switched on here by a line of the interface.
    pub routing: bool,
}

impl Interface {
    /// An Ethernet interface of the device itself, not a part of one.
    pub fn is_card(&self) -> bool {
        self.name.contains("Ethernet") && !self.name.contains('.')
    }

    /// An interface that exists only as a tunnel, or as a dialled session.
    pub fn is_tunnel(&self) -> bool {
        ["Tunnel", "Virtual-Template", "Dialer"].iter().any(|kind| self.name.starts_with(kind))
    }
}

/// A line of an ACL.
#[derive(Debug, Clone)]
pub struct Line {
    /// `permit`.
    pub permit: bool,
    /// `ip`, `tcp`, `gre`, …
    pub protocol: String,
    /// From.
    pub source: Range,
    /// To.
    pub destination: Range,
    /// `eq PORT` after the destination.
    pub port: Option<u16>,
    /// The line as it was written.
    pub text: String,
}

/// A static route.
#[derive(Debug, Clone)]
pub struct Static {
    /// Where to.
    pub to: Range,
    /// By which interface, if it names one.
    pub interface: Option<String>,
    /// By which next hop, if it names one.
    pub hop: Option<Ipv4Addr>,
    /// The line as it was written.
    pub text: String,
}

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    /// A UDP datagram to this port.
    Udp(u16),
    /// A TCP segment to this port.
    Tcp(u16),
    /// An echo request.
    Icmp,
    /// This IP protocol.
    Other(u8),
}

/// A packet that must not leave unencrypted, and why.
#[derive(Debug, Clone)]
pub struct Probe {
    /// What protects it, as a person would find it in the configuration.
    pub why: String,
    /// The source that the protection selects; `None` if any will do.
    pub source: Option<Ipv4Addr>,
    /// To.
    pub destination: Ipv4Addr,
    /// What it carries.
    pub carries: Carries,
}

/// Everything that was read.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// In the order of the configuration.
    pub interfaces: Vec<Interface>,
    /// By name or number.
    pub acls: BTreeMap<String, Vec<Line>>,
    /// The entries of each crypto map, by map and sequence number.
    pub maps: BTreeMap<String, BTreeMap<u32, Vec<Match>>>,
    /// The same of dynamic maps.
    pub dynamic: BTreeMap<String, BTreeMap<u32, Vec<Match>>>,
    /// First and last addresses of the pools.
    pub pools: Vec<(String, Ipv4Addr, Ipv4Addr)>,
    /// Static routes.
    pub routes: Vec<Static>,
    /// What `network` lines of routing protocols say, and the addresses of their neighbours.
    pub routed: Vec<Range>,
}

/// What a crypto map entry says of packets.
#[derive(Debug, Clone)]
pub enum Match {
    /// `match address ACL`.
    Acl(String),
    /// `… ipsec-isakmp dynamic NAME`.
    Dynamic(String),
}

enum Mode {
    Global,
    Interface(usize),
    Acl(String),
    Entry(String, u32),
    Dynamic(String, u32),
    Router,
}

const ANY: Range = (Ipv4Addr::UNSPECIFIED, u32::MAX);

impl Survey {
    /// Reads a configuration.
    pub fn read(text: &str) -> Self {
        let mut this = Self::default();
        let mut mode = Mode::Global;
        let mut banner: Option<String> = None;
        for line in text.lines() {
            if let Some(end) = &banner {
                if line.contains(end.as_str()) {
                    banner = None;
                }
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Some(mark) = opens_text(&words) {
                banner = Some(mark);
                continue;
            }
            this.line(&words, line.trim(), &mut mode);
        }
        this
    }

    fn line(&mut self, words: &[&str], text: &str, mode: &mut Mode) {
        if text.starts_with('!') {
            return;
        }
        match *words {
            ["interface" | "inter" | "int", name, ..] => {
                // `loopback 0`
                let number = words.get(2).filter(|w| w.starts_with(|c: char| c.is_ascii_digit()));
                let name = long(&format!("{name}{}", number.copied().unwrap_or("")));
                let at = self.interfaces.iter().position(|i| i.name == name).unwrap_or_else(|| {
                    self.interfaces.push(Interface { name, ..Interface::default() });
                    self.interfaces.len() - 1
                });
                *mode = Mode::Interface(at);
            }
            ["ip", list, kind, name, ..]
                if short(list, "access-list") && (short(kind, "extended") || short(kind, "standard")) =>
            {
                *mode = Mode::Acl(name.to_owned());
            }
            ["access-list", name, ref rest @ ..] => self.acl_line(name, rest, text),
            ["crypto", "map", name] if matches!(mode, Mode::Interface(_)) => {
                self.on_interface(mode, |interface| interface.map = Some(name.to_owned()));
            }
            ["crypto", "map", name, number, ref rest @ ..] if number.parse::<u32>().is_ok() => {
                let number = number.parse().unwrap_or(0);
                let entry = self.maps.entry(name.to_owned()).or_default().entry(number).or_default();
                if let ["ipsec-isakmp", "dynamic", dynamic, ..] = *rest {
                    entry.push(Match::Dynamic(dynamic.to_owned()));
                }
                *mode = Mode::Entry(name.to_owned(), number);
            }
            ["crypto", "dynamic-map", name, number, ..] => {
                let number = number.parse().unwrap_or(0);
                self.dynamic.entry(name.to_owned()).or_default().entry(number).or_default();
                *mode = Mode::Dynamic(name.to_owned(), number);
            }
            ["crypto" | "line" | "aaa" | "username" | "hostname" | "end", ..] => *mode = Mode::Global,
            ["router", ..] => *mode = Mode::Router,
            ["ip", "local", "pool", name, ref rest @ ..] => {
                let mut ends = rest.iter().filter_map(|word| word.parse().ok());
                let (first, last) = (ends.next(), ends.next());
                // a router refuses a pool whose end is before its beginning
                if let Some(first) = first
                    && last.is_none_or(|last| first <= last)
                {
                    self.pools.push((name.to_owned(), first, last.unwrap_or(first)));
                }
                *mode = Mode::Global;
            }
            ["ip", "route", to, mask, ref rest @ ..] => {
                self.route(to, mask, rest, text);
                *mode = Mode::Global;
            }
            ["match", "address", name, ..] => {
                let entry = match mode {
                    Mode::Entry(map, number) => self.maps.get_mut(map).and_then(|m| m.get_mut(number)),
                    Mode::Dynamic(map, number) => self.dynamic.get_mut(map).and_then(|m| m.get_mut(number)),
                    _ => None,
                };
                if let Some(entry) = entry {
                    entry.push(Match::Acl(name.to_owned()));
                }
            }
            ["network", address, ref rest @ ..] if matches!(mode, Mode::Router) => {
                if let Ok(address) = address.parse::<Ipv4Addr>() {
                    let wildcard = rest.first().and_then(|w| w.parse::<Ipv4Addr>().ok()).map(u32::from);
                    self.routed.push((address, wildcard.unwrap_or_else(|| classful(address))));
                }
            }
            ["neighbor", address, ..] if matches!(mode, Mode::Router) => {
                self.routed.extend(address.parse().ok().map(|address| (address, 0)));
            }
            _ => self.in_mode(words, text, mode),
        }
    }

    fn in_mode(&mut self, words: &[&str], text: &str, mode: &Mode) {
        if let Mode::Acl(name) = mode {
            let rest = match words {
                [number, rest @ ..] if number.bytes().all(|b| b.is_ascii_digit()) => rest,
                all => all,
            };
            let name = name.clone();
            return self.acl_line(&name, rest, text);
        }
        match *words {
            ["ip", "address" | "add", address, mask, ref rest @ ..] => {
                if let (Ok(address), Ok(mask)) = (address.parse(), mask.parse::<Ipv4Addr>()) {
                    self.on_interface(mode, |i| {
                        if rest.first() != Some(&"secondary") {
                            i.addresses.clear();
                        }
                        i.addresses.push((address, !u32::from(mask)));
                    });
                }
            }
            ["ip", "address", "dhcp", ..] => self.on_interface(mode, |i| i.dhcp = true),
            ["ip", "nat", "outside"] => self.on_interface(mode, |i| i.nat_outside = true),
            ["shutdown"] => self.on_interface(mode, |i| i.shutdown = true),
            ["no", "shutdown" | "shut"] => self.on_interface(mode, |i| i.shutdown = false),
            ["tunnel", "source", from, ..] => {
                self.on_interface(mode, |i| i.tunnel_source = Some(long(from)));
            }
            ["ip", "ospf", process, "area", ..] if process.parse::<u32>().is_ok() => {
                self.on_interface(mode, |i| i.routing = true);
            }
            ["ip", "router", "isis", ..] => self.on_interface(mode, |i| i.routing = true),
            _ => {}
        }
    }

    fn on_interface(&mut self, mode: &Mode, change: impl FnOnce(&mut Interface)) {
        if let Mode::Interface(at) = mode
            && let Some(interface) = self.interfaces.get_mut(*at)
        {
            change(interface);
        }
    }

    fn acl_line(&mut self, name: &str, words: &[&str], text: &str) {
        let [action, rest @ ..] = words else { return };
        if !short(action, "permit") && !short(action, "deny") {
            return;
        }
        let acl = self.acls.entry(name.to_owned()).or_default();
        let mut rest = rest;
        // a standard ACL names sources alone
        let standard =
            rest.first().is_some_and(|w| *w == "any" || *w == "host" || w.parse::<Ipv4Addr>().is_ok());
        let protocol = if standard {
            "ip"
        } else {
            rest.split_first().map_or("ip", |(first, behind)| {
                rest = behind;
                first
            })
        };
        let Some(source) = range(&mut rest) else { return };
        skip_port(&mut rest);
        let destination = if standard { ANY } else { range(&mut rest).unwrap_or(ANY) };
        let port = match rest {
            ["eq", port, ..] => Some(match *port {
                "isakmp" => 500,
                "non500-isakmp" => 4500,
                "telnet" => 23,
                "www" => 80,
                other => other.parse().unwrap_or(9),
            }),
            _ => None,
        };
        acl.push(Line {
            permit: short(action, "permit"),
            protocol: protocol.to_owned(),
            source,
            destination,
            port,
            text: text.to_owned(),
        });
    }

    fn route(&mut self, to: &str, mask: &str, rest: &[&str], text: &str) {
        let (Ok(to), Ok(mask)) = (to.parse::<Ipv4Addr>(), mask.parse::<Ipv4Addr>()) else { return };
        let mut rest = rest;
        let mut interface = None;
        if let [first, behind @ ..] = rest
            && first.parse::<Ipv4Addr>().is_err()
        {
            interface = Some(long(first));
            rest = behind;
        }
        let hop = rest.first().and_then(|word| word.parse().ok());
        self.routes.push(Static { to: (to, !u32::from(mask)), interface, hop, text: text.to_owned() });
    }

    /// Addresses of the device.
    pub fn own(&self, address: Ipv4Addr) -> bool {
        self.interfaces.iter().flat_map(|i| &i.addresses).any(|(own, _)| *own == address)
    }

    /// The interface on whose network an address is.
    pub fn on(&self, address: Ipv4Addr) -> Option<&Interface> {
        self.interfaces.iter().find(|i| i.addresses.iter().any(|net| holds(*net, address)))
    }

    /// The cards that the device has to have: what has an address, a crypto map, or a part with
    /// one.
    pub fn cards(&self) -> Vec<&Interface> {
        let busy = |i: &Interface| !i.shutdown && (i.dhcp || !i.addresses.is_empty() || i.map.is_some());
        self.interfaces
            .iter()
            .filter(|card| card.is_card() && !card.shutdown)
            .filter(|card| busy(card) || self.parts(card).any(busy))
            .collect()
    }

    /// The subinterfaces of a card.
    fn parts<'a>(&'a self, card: &'a Interface) -> impl Iterator<Item = &'a Interface> {
        let own = |i: &&Interface| i.name.strip_prefix(&card.name).is_some_and(|rest| rest.starts_with('.'));
        self.interfaces.iter().filter(own)
    }

    /// Whether the outer world is behind this card.
    pub fn is_outside(&self, card: &Interface) -> bool {
        let default = |i: &Interface| {
            self.routes.iter().filter(|route| route.to.1 == u32::MAX).any(|route| {
                route.interface.as_ref() == Some(&i.name)
                    || route.hop.is_some_and(|hop| i.addresses.iter().any(|net| holds(*net, hop)))
            })
        };
        let source = |i: &Interface| {
            let of =
                |from: &String| *from == i.name || i.addresses.iter().any(|(a, _)| *from == a.to_string());
            self.interfaces.iter().filter_map(|tunnel| tunnel.tunnel_source.as_ref()).any(of)
        };
        std::iter::once(card)
            .chain(self.parts(card))
            .any(|i| i.map.is_some() || i.nat_outside || default(i) || source(i))
    }

    /// A packet for each line of each ACL of a crypto map on an interface, each pool, each static
    /// route that leads into a tunnel, each tunnel's own network; and ten private addresses that no
    /// line names if a routing protocol ran over a tunnel.
    pub fn probes(&self) -> Vec<Probe> {
        let mut probes = Vec::new();
        let borne: Vec<&String> = self.interfaces.iter().filter_map(|i| i.map.as_ref()).collect();
        for (map, entries) in self.maps.iter().filter(|(name, _)| borne.contains(name)) {
            for (number, matches) in entries {
                self.of_entry(&format!("{map}/{number}"), matches, &mut probes);
            }
        }
        for (name, first, last) in &self.pools {
            let middle = u32::midpoint(u32::from(*first), u32::from(*last));
            probes.push(udp(format!("pool {name}"), middle.into()));
        }
        for route in self.routes.iter().filter(|route| route.to.1 != u32::MAX && self.is_tunnelled(route)) {
            probes.push(udp(route.text.clone(), self.host(route.to, 77)));
        }
        for tunnel in self.interfaces.iter().filter(|i| i.is_tunnel() && !i.shutdown) {
            for net in tunnel.addresses.iter().filter(|net| net.1 != 0) {
                let inside = [2, 1, 5].map(|salt| self.host(*net, salt));
                let other = inside.into_iter().find(|a| !self.own(*a)).unwrap_or(inside[0]);
                probes.push(udp(format!("the network of {}", tunnel.name), other));
            }
        }
        if self.has_routed_tunnel() {
            probes.extend(self.unnamed().map(|a| udp("a private network behind a routed tunnel".into(), a)));
        }
        probes
    }

    fn of_entry(&self, entry: &str, matches: &[Match], probes: &mut Vec<Probe>) {
        for one in matches {
            match one {
                Match::Acl(name) => {
                    let lines = self.acls.get(name).map(Vec::as_slice).unwrap_or_default();
                    let with_packet = |(at, line): (usize, &Line)| {
                        if !line.permit {
                            return None;
                        }
                        self.packet(line, lines.get(..at).unwrap_or_default()).map(|(source, destination)| {
                            Probe {
                                why: format!("{entry}: {}", line.text),
                                source: Some(source),
                                destination,
                                carries: carries(line),
                            }
                        })
                    };
                    probes.extend(lines.iter().enumerate().filter_map(with_packet));
                }
                Match::Dynamic(name) => {
                    for (number, matches) in self.dynamic.get(name).into_iter().flatten() {
                        self.of_entry(&format!("{entry} {name}/{number}"), matches, probes);
                    }
                }
            }
        }
    }

    /// A packet that a line selects and none before it takes out again.
    fn packet(&self, line: &Line, before: &[Line]) -> Option<(Ipv4Addr, Ipv4Addr)> {
        [77, 141, 10, 201]
            .into_iter()
            .map(|salt| (self.host(line.source, salt), self.host(line.destination, salt)))
            .find(|(source, destination)| {
                let taken =
                    |l: &Line| !l.permit && holds(l.source, *source) && holds(l.destination, *destination);
                !self.own(*destination) && !before.iter().any(taken)
            })
    }

    /// A host of a range that is not an address of the device, if there is one; for the whole
    /// internet, a documentation address.
    fn host(&self, (address, wildcard): Range, salt: u32) -> Ipv4Addr {
        let address =
            if wildcard == u32::MAX { u32::from(Ipv4Addr::new(198, 18, 7, 0)) } else { u32::from(address) };
        let wildcard = if wildcard == u32::MAX { 0xff } else { wildcard };
        let at = |salt: u32| Ipv4Addr::from((address & !wildcard) | (salt & wildcard));
        if self.own(at(salt)) { at(salt ^ 1) } else { at(salt) }
    }

    fn is_tunnelled(&self, route: &Static) -> bool {
        let named = |name: &String| {
            *name != "Null0"
                && self.interfaces.iter().find(|i| i.name == *name).is_none_or(Interface::is_tunnel)
        };
        route.interface.as_ref().is_some_and(named)
            || route.hop.and_then(|hop| self.on(hop)).is_some_and(Interface::is_tunnel)
    }

    /// Whether a routing protocol runs over a tunnel of the configuration.
    pub fn has_routed_tunnel(&self) -> bool {
        let by_network = |i: &Interface| {
            let meets = |net: &Range| i.addresses.iter().any(|a| holds(*net, a.0) || holds(*a, net.0));
            self.routed.iter().any(meets)
        };
        self.interfaces.iter().any(|i| i.is_tunnel() && !i.shutdown && (i.routing || by_network(i)))
    }

    /// Ten private addresses that no line of the configuration names.
    fn unnamed(&self) -> impl Iterator<Item = Ipv4Addr> {
        const PRIVATE: [[u8; 4]; 14] = [
            [10, 213, 7, 9],
            [10, 66, 129, 3],
            [10, 251, 0, 200],
            [10, 171, 88, 1],
            [172, 19, 44, 5],
            [172, 27, 3, 99],
            [172, 30, 201, 17],
            [172, 22, 9, 130],
            [192, 168, 139, 21],
            [192, 168, 233, 8],
            [192, 168, 71, 250],
            [100, 81, 5, 60],
            [100, 117, 190, 2],
            [100, 99, 45, 33],
        ];
        let named = |a: Ipv4Addr| {
            self.routes.iter().any(|r| r.to.1 != u32::MAX && holds(r.to, a)) || self.on(a).is_some()
        };
        PRIVATE.into_iter().map(Ipv4Addr::from).filter(move |a| !named(*a)).take(10)
    }

    /// Whether something protects a packet, so that it cannot show that unprotected packets do
    /// leave.
    pub fn is_protected(&self, source: Ipv4Addr, destination: Ipv4Addr) -> bool {
        let selects = |l: &Line| l.permit && holds(l.source, source) && holds(l.destination, destination);
        let borne: Vec<&String> = self.interfaces.iter().filter_map(|i| i.map.as_ref()).collect();
        let lists = self
            .maps
            .iter()
            .filter(|(name, _)| borne.contains(name))
            .flat_map(|(_, entries)| entries.values())
            .chain(self.dynamic.values().flat_map(BTreeMap::values))
            .flatten();
        lists
            .filter_map(|m| if let Match::Acl(name) = m { self.acls.get(name) } else { None })
            .any(|lines| lines.iter().any(selects))
    }
}

/// `acce` is `access-list`.
fn short(word: &str, whole: &str) -> bool {
    word.len() >= 3 && whole.starts_with(word)
}

/// The closing delimiter of a banner, if the line opens one that continues in the next line. A
/// client group's banner has no word for its kind; one that has lost its delimiters is a line like
/// any other.
fn opens_text(words: &[&str]) -> Option<String> {
    const KINDS: [&str; 6] = ["motd", "login", "exec", "incoming", "slip-ppp", "prompt-timeout"];
    let ["banner", rest @ ..] = words else { return None };
    let (global, text) = match rest {
        [kind, rest @ ..] if KINDS.contains(kind) => (true, rest.join(" ")),
        rest => (false, rest.join(" ")),
    };
    let mark: String = text.chars().take(if text.starts_with('^') { 2 } else { 1 }).collect();
    let control = mark.starts_with('^') || mark.chars().any(char::is_control);
    let closed = text.get(mark.len()..).is_some_and(|rest| rest.contains(&mark));
    (!mark.is_empty() && (global || control) && !closed).then_some(mark)
}

fn udp(why: String, destination: Ipv4Addr) -> Probe {
    Probe { why, source: None, destination, carries: Carries::Udp(40_077) }
}

fn carries(line: &Line) -> Carries {
    match line.protocol.as_str() {
        "tcp" => Carries::Tcp(line.port.unwrap_or(9)),
        "udp" | "ip" => Carries::Udp(line.port.unwrap_or(40_077)),
        "icmp" => Carries::Icmp,
        "gre" => Carries::Other(47),
        "esp" => Carries::Other(50),
        "ahp" => Carries::Other(51),
        number => number.parse().map_or(Carries::Udp(40_077), Carries::Other),
    }
}

/// Whether an address is in a range.
pub fn holds((address, wildcard): Range, other: Ipv4Addr) -> bool {
    u32::from(address) & !wildcard == u32::from(other) & !wildcard
}

fn range(words: &mut &[&str]) -> Option<Range> {
    let (found, rest) = match *words {
        ["any", rest @ ..] => (ANY, rest),
        ["host", address, rest @ ..] => ((address.parse().ok()?, 0), rest),
        ["object-group", _, ..] => return None,
        [address, wildcard, rest @ ..] if wildcard.parse::<Ipv4Addr>().is_ok() => {
            ((address.parse().ok()?, u32::from(wildcard.parse::<Ipv4Addr>().ok()?)), rest)
        }
        [address, rest @ ..] => ((address.parse().ok()?, 0), rest),
        [] => return None,
    };
    *words = rest;
    Some(found)
}

fn skip_port(words: &mut &[&str]) {
    if let [operator, _, rest @ ..] = *words
        && ["eq", "gt", "lt", "neq"].contains(operator)
    {
        *words = rest;
    }
}

/// The wildcard of the class A, B or C network.
fn classful(address: Ipv4Addr) -> u32 {
    match address.octets()[0] {
        0..=127 => 0x00ff_ffff,
        128..=191 => 0xffff,
        _ => 0xff,
    }
}

/// `g0/0` is `GigabitEthernet0/0`.
pub fn long(name: &str) -> String {
    const KINDS: [&str; 12] = [
        "FastEthernet",
        "GigabitEthernet",
        "TenGigabitEthernet",
        "Ethernet",
        "Embedded-Service-Engine",
        "Loopback",
        "Tunnel",
        "Serial",
        "Dialer",
        "Virtual-Template",
        "Vlan",
        "Null",
    ];
    let digits = name.find(|c: char| c.is_ascii_digit()).unwrap_or(name.len());
    let (kind, number) = name.split_at(digits);
    let starts = |long: &&&str| long.to_lowercase().starts_with(&kind.to_lowercase());
    match KINDS.iter().find(starts).filter(|_| !kind.is_empty() && !number.is_empty()) {
        Some(long) => format!("{long}{number}"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
banner motd #
 crypto map M
 interface FastEthernet0/0
#
crypto isakmp client configuration group G
 banner ^Cof one line, with a C in it ^C
crypto isakmp client configuration group H
 banner THE MARK IS LOST
crypto dynamic-map D 20
 match address DYN
crypto map M 10 ipsec-isakmp
 match address STATIC
crypto map M 99 ipsec-isakmp dynamic D
crypto map UNUSED 10 ipsec-isakmp
 match address OTHER
interface f0/0
 ip address 203.0.113.2 255.255.255.0
 crypto map M
interface FastEthernet0/1
 ip address 10.1.1.1 255.255.255.0
interface Tunnel 7
 ip address 172.31.0.1 255.255.255.252
 tunnel source FastEthernet0/0
router ospf 1
 network 172.31.0.0 0.0.0.3 area 0
ip local pool P 10.9.9.10 10.9.9.20
ip local pool TYPO 10.67.83.51 10.57.83.100
ip route 0.0.0.0 0.0.0.0 203.0.113.1
ip route 10.7.0.0 255.255.0.0 172.31.0.2
ip route 10.8.0.0 255.255.0.0 Tunnel9
ip access-list extended STATIC
 deny ip host 10.1.1.77 any
 10 permit ip 10.1.1.0 0.0.0.255 10.2.0.0 0.0.255.255
access-list 5 permit 10.1.1.0
ip acce ext DYN
 per gre host 203.0.113.2 host 192.0.2.1
ip access-list extended OTHER
 permit ip any any
";

    #[test]
    fn each_thing_that_is_protected_has_a_packet() {
        let survey = Survey::read(TEXT);
        let mut seen: Vec<_> = survey
            .probes()
            .iter()
            .map(|p| {
                format!(
                    "{} -> {} ({})",
                    p.source.map_or("any".into(), |a| a.to_string()),
                    p.destination,
                    p.why
                )
            })
            .collect();
        let private = seen.split_off(6);
        assert_eq!(
            seen,
            [
                "10.1.1.141 -> 10.2.0.141 (M/10: 10 permit ip 10.1.1.0 0.0.0.255 10.2.0.0 0.0.255.255)",
                "203.0.113.2 -> 192.0.2.1 (M/99 D/20: per gre host 203.0.113.2 host 192.0.2.1)",
                "any -> 10.9.9.15 (pool P)",
                "any -> 10.7.0.77 (ip route 10.7.0.0 255.255.0.0 172.31.0.2)",
                "any -> 10.8.0.77 (ip route 10.8.0.0 255.255.0.0 Tunnel9)",
                "any -> 172.31.0.2 (the network of Tunnel7)",
            ]
        );
        assert_eq!(private.len(), 10, "{private:?}");
    }

    #[test]
    fn the_outside_is_where_the_map_is() {
        let survey = Survey::read(TEXT);
        let sides: Vec<_> = survey.cards().iter().map(|c| (c.name.as_str(), survey.is_outside(c))).collect();
        assert_eq!(sides, [("FastEthernet0/0", true), ("FastEthernet0/1", false)]);
    }

    #[test]
    fn names_are_long() {
        assert_eq!(long("g0/1"), "GigabitEthernet0/1");
        assert_eq!(long("10.1.1.1"), "10.1.1.1");
        assert_eq!(long("tunnel0"), "Tunnel0");
    }
}
