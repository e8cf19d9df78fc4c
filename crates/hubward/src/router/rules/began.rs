//! Connections that began when the rules were others. The kernel translates a connection as it
//! translated its first packet, so one that the rules translate in another way now has to begin
//! again.

use super::nat;
use super::one_to_one::{Holdings, Pool};
use super::site::{Here, Site};
use crate::guard::ranges::Range;
use hubward_config::acl::{Decision, Packet, Ports, Tcp, decide};
use hubward_config::model::{
    Config, NatGlobal, NatRule, NatSelect, NatSide, NatTo, RouteMatch, StaticNat, StaticNatPair,
};
use hubward_linux::conntrack::{Connection, Flow, Tuple};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// What tells one translation from another: its rules as text, the links of both sides, the addresses
/// that it gives, and the pools that decide which host may keep one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Translation {
    pub(super) text: String,
    inside: BTreeSet<String>,
    outside: BTreeSet<String>,
    globals: Vec<Range>,
    pools: Vec<Pool>,
}

impl Translation {
    pub(super) fn of(site: &Site<'_>, text: String) -> Self {
        if text.is_empty() {
            return Self::default();
        }
        let side = |side: NatSide| {
            let links = site.interfaces().filter(|(one, _)| one.nat == Some(side));
            let names = links.filter_map(|(one, _)| site.here.names.get(&one.name).cloned());
            let tun = site.here.tun.filter(|_| site.crypto().any(|(one, _)| one.nat == Some(side)));
            names.chain(tun.map(str::to_owned)).collect()
        };
        Self {
            text,
            inside: side(NatSide::Inside),
            outside: side(NatSide::Outside),
            globals: nat::globals(site),
            pools: site.pools(),
        }
    }

    /// Whether there is one.
    pub(crate) const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn gives(&self, address: Ipv4Addr) -> bool {
        gives(&self.globals, address)
    }

    /// What connections may have begun under, if others were in force as well.
    pub(crate) fn join(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        self.inside.extend(other.inside);
        self.outside.extend(other.outside);
        let new = other.globals.into_iter().filter(|range| !self.globals.contains(range));
        let new: Vec<Range> = new.collect();
        self.globals.extend(new);
    }
}

fn gives(ranges: &[Range], address: Ipv4Addr) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&address))
}

/// What the rules do to a packet from inside.
#[derive(Debug, PartialEq, Eq)]
enum Outward {
    /// It is not known.
    Unknown,
    Nothing,
    Dropped,
    /// One of these addresses, and this port if the rule has one.
    To(Vec<Range>, Option<u16>),
}

/// Judges connections by the rules of now.
pub(crate) struct Judge<'a> {
    site: Site<'a>,
    now: &'a Translation,
    /// The rules that were in force when connections may have begun.
    before: &'a Translation,
    /// Pools without `overload`, and who has their addresses.
    pools: Vec<Pool>,
    held: &'a Holdings,
    /// The interfaces of links, by their names in the configuration.
    by_link: BTreeMap<String, Vec<&'a str>>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(
        config: &'a Config,
        here: Here<'a>,
        now: &'a Translation,
        before: &'a Translation,
        held: &'a Holdings,
    ) -> Self {
        let site = Site { config, here };
        let pools = site.pools();
        let mut by_link: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (interface, _) in site.interfaces() {
            // the TUN stands for every interface with a crypto map
            let tun = here.tun.filter(|_| interface.crypto_map.is_some());
            for link in here.names.get(&interface.name).map(String::as_str).into_iter().chain(tun) {
                by_link.entry(link.to_owned()).or_default().push(&interface.name);
            }
        }
        Self { site, now, before, pools, held, by_link }
    }

    /// Whether the rules translate a connection in another way than it is. `comes` gives the link
    /// that leads to where packets come from, and `goes` the one by which they leave; `None`: this
    /// machine itself, or it is not known.
    pub(crate) fn is_outdated(
        &self,
        connection: &Connection,
        mut comes: impl FnMut(Ipv4Addr) -> Option<String>,
        mut goes: impl FnMut(Ipv4Addr) -> Option<String>,
    ) -> bool {
        let (original, reply) = (&connection.original, &connection.reply);
        // what a helper announced goes as its connection does
        if connection.zone != 0 || connection.master.is_some() {
            return false;
        }
        if connection.translates_destination() {
            return match self.inward(original) {
                Some((local, port)) => local != reply.source || port != source_port(reply),
                None => self.before.gives(original.destination),
            };
        }
        let Some(from) = comes(original.source) else { return false };
        if self.now.outside.contains(&from) {
            let inward = self.inward(original);
            return inward.is_some_and(|(local, port)| {
                local != original.destination || port != destination_port(original)
            });
        }
        let (now, before) = (self.now.inside.contains(&from), self.before.inside.contains(&from));
        if !now && !before {
            return false;
        }
        let Some(to) = goes(original.destination) else { return false };
        // another program may translate what these rules do not
        let was_ours = || {
            connection.translates_source()
                && (self.before.gives(reply.destination) || self.now.gives(reply.destination))
        };
        if !now || !self.now.outside.contains(&to) {
            return before && self.before.outside.contains(&to) && was_ours();
        }
        match self.outward(original, &to) {
            // an interface without an address may get the same again
            Outward::Unknown | Outward::Dropped => false,
            Outward::Nothing => was_ours(),
            Outward::To(ranges, port) => {
                !gives(&ranges, reply.destination)
                    || port.is_some_and(|port| Some(port) != destination_port(reply))
            }
        }
    }

    /// The links of outside interfaces.
    pub(crate) fn links_outside(&self) -> impl Iterator<Item = &String> {
        self.now.outside.iter()
    }

    fn address(&self, global: &NatGlobal) -> Option<Ipv4Addr> {
        match global {
            NatGlobal::Address(address) => Some(*address),
            NatGlobal::Interface(name) => self.site.address(name),
        }
    }

    /// The local address and port that something from outside is for.
    fn inward(&self, packet: &Tuple) -> Option<(Ipv4Addr, Option<u16>)> {
        let port = destination_port(packet);
        let of_pools = || {
            let open = self.pools.iter().filter(|pool| pool.lets_in());
            let mut held = open.filter_map(|pool| self.held.get(&pool.name)).flatten();
            held.find(|one| one.global == packet.destination).map(|one| (one.local, port))
        };
        let of_rules = self.site.config.nat.rules.iter().find_map(|rule| {
            let NatRule::Static(rule) = rule else { return None };
            match &rule.what {
                StaticNatPair::Host { local, global } => {
                    (self.address(global) == Some(packet.destination)).then_some((*local, port))
                }
                StaticNatPair::Network { local, global } => global
                    .contains(&packet.destination)
                    .then(|| (moved(packet.destination, *global, *local), port)),
                StaticNatPair::Port { protocol, local, local_port, global, global_port } => {
                    let is = packet.protocol == *protocol && port == Some(*global_port);
                    (is && self.address(global) == Some(packet.destination))
                        .then_some((*local, Some(*local_port)))
                }
            }
        });
        of_rules.or_else(of_pools)
    }

    fn outward(&self, packet: &Tuple, out: &str) -> Outward {
        let rules = &self.site.config.nat.rules;
        for rule in rules {
            if let NatRule::Static(rule) = rule
                && let Some(found) = self.of_static(rule, packet, out)
            {
                return found;
            }
        }
        for rule in rules {
            let NatRule::Dynamic(rule) = rule else { continue };
            match self.selects(&rule.which, packet, out) {
                None => return Outward::Unknown,
                Some(false) => {}
                Some(true) => {
                    let addresses = match &rule.to {
                        NatTo::Interface(name) => {
                            self.site.address(name).map(|address| vec![(address, address)])
                        }
                        // without an address it begins again, and gets one
                        NatTo::Pool(name) if !rule.overload => {
                            let held = self.held.get(name).map(Vec::as_slice).unwrap_or_default();
                            let own = held.iter().filter(|one| one.local == packet.source);
                            Some(own.map(|one| (one.global, one.global)).collect())
                        }
                        NatTo::Pool(name) => {
                            nat::pool(self.site.config, name).map(|pool| pool.ranges.clone())
                        }
                    };
                    return addresses.map_or(Outward::Dropped, |addresses| Outward::To(addresses, None));
                }
            }
        }
        Outward::Nothing
    }

    fn of_static(&self, rule: &StaticNat, packet: &Tuple, out: &str) -> Option<Outward> {
        let port = source_port(packet);
        let (to, port) = match &rule.what {
            StaticNatPair::Host { local, global } if *local == packet.source => (self.address(global), port),
            StaticNatPair::Network { local, global } if local.contains(&packet.source) => {
                (Some(moved(packet.source, *local, *global)), port)
            }
            StaticNatPair::Port { protocol, local, local_port, global, global_port }
                if *local == packet.source && *protocol == packet.protocol && port == Some(*local_port) =>
            {
                (self.address(global), Some(*global_port))
            }
            _ => return None,
        };
        if let Some(map) = &rule.route_map {
            match self.by_route_map(map, packet, out) {
                Some(true) => {}
                Some(false) => return None,
                None => return Some(Outward::Unknown),
            }
        }
        // of a host with an address of its own the kernel changes ports only where two would be one
        let port = port.filter(|_| matches!(rule.what, StaticNatPair::Port { .. }));
        Some(to.map_or(Outward::Dropped, |to| Outward::To(vec![(to, to)], port)))
    }

    /// Whether packets are chosen; `None`: it is not known.
    fn selects(&self, which: &NatSelect, packet: &Tuple, out: &str) -> Option<bool> {
        match which {
            NatSelect::List(name) => self.permits(name, packet),
            NatSelect::RouteMap(name) => self.by_route_map(name, packet, out),
        }
    }

    fn permits(&self, name: &str, packet: &Tuple) -> Option<bool> {
        let Some(list) = self.site.config.acls.iter().find(|list| list.name == name) else {
            return Some(false);
        };
        match decide(self.site.config, list, &first_packet(packet, &self.site.here)) {
            Decision::By(_, permits) => Some(permits),
            Decision::MayDeny(_) => None,
            Decision::None => Some(false),
        }
    }

    fn by_route_map(&self, name: &str, packet: &Tuple, out: &str) -> Option<bool> {
        let Some(map) = nat::route_map(self.site.config, name) else { return Some(false) };
        for entry in &map.entries {
            let (mut has_lists, mut permitted, mut others) = (false, false, true);
            for one in &entry.matches {
                match one {
                    RouteMatch::Address(names) => {
                        has_lists = true;
                        for name in names {
                            permitted |= self.permits(name, packet)?;
                        }
                    }
                    RouteMatch::Interface(names) => {
                        let of_link = self.by_link.get(out).map(Vec::as_slice).unwrap_or_default();
                        others &= of_link.iter().any(|one| names.iter().any(|name| name == one));
                    }
                    RouteMatch::Length(..) | RouteMatch::NextHop(_) | RouteMatch::Other(_) => return None,
                }
            }
            if others && (!has_lists || permitted) {
                return Some(entry.permit);
            }
        }
        Some(false)
    }
}

/// The address with its host part in another network of the same length.
fn moved(address: Ipv4Addr, from: ipnet::Ipv4Net, to: ipnet::Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(to.network()) | u32::from(address) & u32::from(from.hostmask()))
}

const fn source_port(tuple: &Tuple) -> Option<u16> {
    match tuple.flow {
        Flow::Ports { source, .. } => Some(source),
        Flow::Icmp { .. } | Flow::Nothing => None,
    }
}

const fn destination_port(tuple: &Tuple) -> Option<u16> {
    match tuple.flow {
        Flow::Ports { destination, .. } => Some(destination),
        Flow::Icmp { .. } | Flow::Nothing => None,
    }
}

/// The first packet of a connection that begins now.
fn first_packet(tuple: &Tuple, here: &Here<'_>) -> Packet {
    const SYN: u8 = 2;
    Packet {
        source: tuple.source.into(),
        destination: Some(tuple.destination.into()),
        protocol: tuple.protocol,
        later_fragment: false,
        ports: Ports { source: source_port(tuple), destination: destination_port(tuple) },
        icmp: match tuple.flow {
            Flow::Icmp { kind, code, .. } => Some((kind, code)),
            Flow::Ports { .. } | Flow::Nothing => None,
        },
        tcp: Tcp(Some(SYN)),
        tos: None,
        ttl: None,
        options: None,
        moment: Some(here.moment),
    }
}

#[cfg(test)]
mod tests {
    use super::super::one_to_one::Held;
    use super::super::tests::{names, noon};
    use super::*;
    use std::time::Duration;

    const CONFIG: &str = "\
interface GigabitEthernet0/0
 ip address 198.51.100.2 255.255.255.0
 ip nat outside
 crypto map M
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip nat inside
interface GigabitEthernet0/2
 ip address 10.3.1.1 255.255.255.0
ip nat pool P 198.51.100.16 198.51.100.17 prefix-length 24
ip nat inside source list 101 interface GigabitEthernet0/0 overload
ip nat inside source list 2 pool P overload
ip nat pool ONE 198.51.100.20 198.51.100.29 prefix-length 24
ip nat inside source list 4 pool ONE
ip nat inside source static tcp 10.1.1.5 80 interface GigabitEthernet0/0 8080
ip nat inside source static 10.1.1.6 198.51.100.6
access-list 101 deny ip any 10.2.0.0 0.0.255.255
access-list 101 permit ip 10.1.1.0 0.0.0.255 any
access-list 2 permit 10.1.2.0 0.0.0.255
access-list 4 permit 10.1.4.0 0.0.0.255
crypto map M 10 ipsec-isakmp
";
    const WEB: &str = "192.0.2.80:80";

    fn tuple(protocol: u8, (from, to): (&str, &str)) -> Tuple {
        let ends = |text: &str| {
            let (address, port) = text.split_once(':').unwrap();
            (address.parse::<Ipv4Addr>().unwrap(), port.parse::<u16>().unwrap())
        };
        let ((source, own), (destination, port)) = (ends(from), ends(to));
        Tuple { source, destination, protocol, flow: Flow::Ports { source: own, destination: port } }
    }

    fn connection(original: (&str, &str), reply: (&str, &str)) -> Connection {
        let (there, back) = (tuple(6, original), tuple(6, reply));
        let changed = |one: bool, bit: u32| u32::from(one) << bit;
        let status = changed(original.0 != reply.1, 4) | changed(original.1 != reply.0, 5);
        Connection::new(there, back, status, Duration::from_secs(9))
    }

    /// Where routes lead here.
    fn leads(address: Ipv4Addr) -> Option<String> {
        let link = match address.octets() {
            [10, 1, _, 1] | [198, 51, 100, 2] => return None,
            [10, 1, ..] => "eth1",
            [10, 3, ..] => "eth2",
            [10, 2, ..] => "hubward0",
            [172, 17, ..] => "docker0",
            _ => "eth0",
        };
        Some(link.to_owned())
    }

    /// Whether a connection is outdated under a configuration that replaces another.
    fn outdated(before: &str, now: &str, connection: &Connection) -> bool {
        let names = names(&[
            ("GigabitEthernet0/0", "eth0"),
            ("GigabitEthernet0/1", "eth1"),
            ("GigabitEthernet0/2", "eth2"),
        ]);
        let (before, now) = (hubward_config::parse(before), hubward_config::parse(now));
        let here = Here {
            names: &names,
            leased: &[],
            tun: Some("hubward0"),
            moment: noon(0),
            inner_again: false,
            follows: true,
            leaving: &[],
        };
        let of = |parsed| super::super::rules(parsed, here).translation;
        let (earlier, later) = (of(&before), of(&now));
        let held =
            |local: [u8; 4], global: [u8; 4]| Held { local: local.into(), global: global.into(), left: None };
        let holdings = [("ONE".to_owned(), vec![held([10, 1, 4, 5], [198, 51, 100, 20])])].into();
        Judge::new(&now.config, here, &later, &earlier, &holdings).is_outdated(connection, leads, leads)
    }

    #[test]
    fn what_is_translated_as_it_would_be_stays() {
        for (original, reply) in [
            (("10.1.1.10:1025", WEB), (WEB, "198.51.100.2:1025")),
            // another port, because two would be one
            (("10.1.1.11:1025", WEB), (WEB, "198.51.100.2:61000")),
            (("10.1.2.9:1", WEB), (WEB, "198.51.100.17:1")),
            (("10.1.1.6:1", WEB), (WEB, "198.51.100.6:1")),
            (("192.0.2.9:7", "198.51.100.2:8080"), ("10.1.1.5:80", "192.0.2.9:7")),
            (("192.0.2.9:7", "198.51.100.6:25"), ("10.1.1.6:25", "192.0.2.9:7")),
            // into a tunnel and out of one
            (("10.1.1.10:1", "10.2.1.10:80"), ("10.2.1.10:80", "10.1.1.10:1")),
            (("10.2.1.10:1", "10.1.1.6:80"), ("10.1.1.6:80", "10.2.1.10:1")),
            // the address of a pool that the host has for itself
            (("10.1.4.5:1", WEB), (WEB, "198.51.100.20:1")),
            (("192.0.2.9:7", "198.51.100.20:25"), ("10.1.4.5:25", "192.0.2.9:7")),
            // this router's own, and an interface that is on neither side
            (("198.51.100.2:1", WEB), (WEB, "198.51.100.2:1")),
            (("192.0.2.9:7", "198.51.100.2:22"), ("198.51.100.2:22", "192.0.2.9:7")),
            (("10.3.1.9:7", WEB), (WEB, "10.3.1.9:7")),
            // another program's
            (("172.17.0.2:7", WEB), (WEB, "198.51.100.2:7")),
            (("192.0.2.9:7", "198.51.100.2:9000"), ("172.17.0.2:9000", "192.0.2.9:7")),
        ] {
            assert!(!outdated("", CONFIG, &connection(original, reply)), "{original:?} {reply:?}");
        }
    }

    #[test]
    fn what_would_be_translated_in_another_way_begins_again() {
        for (original, reply) in [
            // before there was any translation
            (("10.1.1.10:1025", WEB), (WEB, "10.1.1.10:1025")),
            (("10.1.1.6:1", WEB), (WEB, "10.1.1.6:1")),
            // with an address of before
            (("10.1.1.10:1025", WEB), (WEB, "198.51.100.9:1025")),
            (("10.1.2.9:1", WEB), (WEB, "198.51.100.18:1")),
            (("10.1.1.5:80", WEB), (WEB, "198.51.100.2:80")),
            // hosts of a pool that have none, or another one
            (("10.1.4.6:1", WEB), (WEB, "198.51.100.21:1")),
            (("10.1.4.6:1", WEB), (WEB, "198.51.100.20:1")),
            (("10.1.4.5:1", WEB), (WEB, "198.51.100.21:1")),
            (("10.1.4.5:1", WEB), (WEB, "10.1.4.5:1")),
            (("192.0.2.9:7", "198.51.100.20:25"), ("10.1.4.9:25", "192.0.2.9:7")),
            // published now, or for another host
            (("192.0.2.9:7", "198.51.100.2:8080"), ("198.51.100.2:8080", "192.0.2.9:7")),
            (("192.0.2.9:7", "198.51.100.6:25"), ("10.1.1.7:25", "192.0.2.9:7")),
        ] {
            assert!(outdated("", CONFIG, &connection(original, reply)), "{original:?} {reply:?}");
        }
    }

    /// What the rules of before have done ends with them.
    #[test]
    fn what_is_translated_no_longer_begins_again() {
        let less = |line: &str| CONFIG.replace(line, "");
        let out = connection(("10.1.1.10:1025", WEB), (WEB, "198.51.100.2:1025"));
        let server = connection(("192.0.2.9:7", "198.51.100.6:25"), ("10.1.1.6:25", "192.0.2.9:7"));
        let host = less("ip nat inside source static 10.1.1.6 198.51.100.6\n");
        assert!(outdated(CONFIG, &host, &server));
        assert!(!outdated("", &host, &server), "it may be another program's");
        assert!(!outdated(CONFIG, &host, &out));
        assert!(outdated(CONFIG, &less(" ip nat inside\n"), &out));
        assert!(outdated(CONFIG, "", &out));
        let except = CONFIG.replace(
            "access-list 101 deny",
            "access-list 101 deny ip any host 192.0.2.80\naccess-list 101 deny",
        );
        assert!(outdated(CONFIG, &except, &out));
        let moved = CONFIG.replace("198.51.100.2 ", "198.51.100.3 ");
        assert!(outdated(CONFIG, &moved, &out));
        // another program translates what these rules do not
        let others = connection(("10.1.1.10:1025", WEB), (WEB, "198.51.100.99:1025"));
        assert!(!outdated(CONFIG, &except, &others));
    }

    /// A pool that is typed again takes addresses from hosts, whatever the rules are as text; their
    /// connections begin again, before others get the addresses.
    #[test]
    fn a_pool_that_gives_other_addresses_is_another_translation() {
        let names = names(&[("GigabitEthernet0/0", "eth0"), ("GigabitEthernet0/1", "eth1")]);
        let leased = [("Dialer1".to_owned(), "198.51.100.20/32".parse().unwrap())];
        let of = |text: &str, leased: &[(String, ipnet::Ipv4Net)]| {
            let here = Here {
                names: &names,
                leased,
                tun: None,
                moment: noon(0),
                inner_again: false,
                follows: true,
                leaving: &[],
            };
            super::super::rules(&hubward_config::parse(text), here).translation
        };
        let there = of(CONFIG, &[]);
        let pool = "ip nat pool ONE 198.51.100.20 198.51.100.29 prefix-length 24";
        let matching = of(&CONFIG.replace(pool, &format!("{pool} type match-host")), &[]);
        assert_eq!(matching.text, there.text);
        assert_ne!(matching, there);
        let broadcast = pool.replace("100.20", "100.31").replace("100.29", "100.40");
        assert_ne!(
            of(&CONFIG.replace(pool, &broadcast.replace("length 24", "length 28")), &[]),
            of(&CONFIG.replace(pool, &broadcast), &[])
        );
        assert_ne!(of(CONFIG, &leased), there, "an address that this router got itself");
    }
}
