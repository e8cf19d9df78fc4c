//! What address translation does at the moment: the kernel's translated connections, and the static
//! rules of the configuration, as the rows of `show ip nat translations`.

use super::held;
use super::rules::one_to_one::{Held, Holdings, Pool};
use hubward_config::model::{
    Config, DynamicNat, NatGlobal, NatPool, NatRule, NatTimeouts, NatTo, StaticNatPair,
};
use hubward_linux::Error;
use hubward_linux::conntrack::{Connection, Conntrack, Flow, Listing, MOST, Tuple};
use hubward_linux::nftables::Nftables;
use hubward_proto::time::Instant;
use hubward_proto::wire::ip::protocol;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What `show ip nat` is made of, besides the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// The translated connections; `None`: the kernel is asked.
    pub(crate) connections: Option<Listing>,
    /// The most translations that were seen.
    pub(crate) peak: Arc<Peak>,
    /// Who has addresses of pools without `overload`; `None`: the kernel is asked.
    pub(crate) held: Option<Holdings>,
    /// How often there was none.
    pub(crate) misses: Arc<Misses>,
}

impl View {
    /// The translated connections.
    pub(crate) fn listing(&self) -> Result<Listing, Error> {
        match &self.connections {
            Some(listing) => Ok(listing.clone()),
            None => Conntrack::open()?.list(MOST, Connection::is_translated),
        }
    }

    /// The kernel's own times.
    pub(crate) fn kernels(&self) -> Kernels {
        match self.connections {
            Some(_) => Kernels::default(),
            None => Kernels::read(),
        }
    }

    /// Who has addresses of these pools.
    pub(crate) fn holdings(&self, pools: &[Pool]) -> Result<Holdings, Error> {
        match &self.held {
            Some(held) => Ok(held.clone()),
            None if pools.is_empty() => Ok(Holdings::new()),
            None => held::read(&Nftables::open()?, pools),
        }
    }
}

/// The kernel's own times for connections, in seconds, where no line sets them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernels {
    icmp: u32,
    /// Of protocols without ports.
    other: u32,
}

impl Default for Kernels {
    fn default() -> Self {
        Self { icmp: 30, other: 600 }
    }
}

impl Kernels {
    /// As they are in the network namespace of this thread.
    fn read() -> Self {
        let of = |protocol: &str, usual| {
            let file = format!("/proc/sys/net/netfilter/nf_conntrack_{protocol}_timeout");
            std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(usual)
        };
        let Self { icmp, other } = Self::default();
        Self { icmp: of("icmp", icmp), other: of("generic", other) }
    }
}

/// The most translations that were seen, and when. They are counted when somebody looks.
#[derive(Debug, Default)]
pub(crate) struct Peak(Mutex<Option<(usize, Instant)>>);

impl Peak {
    /// There are so many now; the most there were.
    pub(crate) fn note(&self, count: usize, now: Instant) -> (usize, Instant) {
        let mut most = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (before, at) = most.unwrap_or((count, now));
        let peak = if count > before { (count, now) } else { (before, at) };
        *most = Some(peak);
        peak
    }

    /// Begins again.
    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// How often hosts have asked pools for an address and got none, by the pools' names.
#[derive(Debug, Default)]
pub(crate) struct Misses(Mutex<BTreeMap<String, u64>>);

impl Misses {
    /// A host got none.
    pub(crate) fn count(&self, pool: &str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(pool.to_owned()).or_default();
        *count = count.saturating_add(1);
    }

    /// Of a pool.
    pub(crate) fn of(&self, pool: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(pool).copied().unwrap_or_default()
    }

    /// Begins again.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// What makes a translation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A connection.
    Connection,
    /// An inside address that has an address of a pool for itself.
    Simple,
    /// A static rule.
    Static,
}

/// An address, and what tells its connections apart: a port, or the identifier of an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) address: Ipv4Addr,
    pub(crate) port: Option<u16>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}

/// A row of `show ip nat translations`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Translation {
    pub(crate) inside_global: Place,
    pub(crate) inside_local: Place,
    pub(crate) kind: Kind,
    /// IP protocol, of rows with ports.
    pub(crate) protocol: Option<u8>,
    /// The outside host as the inside sees it, and as it is.
    pub(crate) outside: Option<(Place, Place)>,
    /// The number of the dynamic rule that made it, from 1.
    pub(crate) rule: Option<usize>,
    /// How long it stays without a packet, and how long it is still there if none comes.
    pub(crate) timeout: Option<(Duration, Duration)>,
    /// It has seen its end, and only waits for late packets.
    pub(crate) closing: bool,
    /// When it began, in nanoseconds since 1970, where the kernel notes that.
    pub(crate) began: Option<u64>,
    /// Packets of both directions, where the kernel counts them.
    pub(crate) packets: Option<u64>,
}

impl Translation {
    /// How IOS names its protocol.
    pub(crate) fn protocol_name(&self) -> String {
        match self.protocol {
            None => "---".into(),
            Some(number) => {
                let named = PROTOCOLS.iter().find(|(known, _)| *known == number);
                named.map_or_else(|| number.to_string(), |(_, name)| (*name).into())
            }
        }
    }

    /// It came by packets, and goes without them.
    pub(crate) fn is_dynamic(&self) -> bool {
        self.kind != Kind::Static
    }

    /// It says more than a pair of addresses.
    pub(crate) fn is_extended(&self) -> bool {
        self.protocol.is_some()
    }
}

const PROTOCOLS: [(u8, &str); 6] = [
    (protocol::ICMP, "icmp"),
    (protocol::TCP, "tcp"),
    (protocol::UDP, "udp"),
    (47, "gre"),
    (protocol::ESP, "esp"),
    (51, "ahp"),
];

/// The rows of a configuration, the kernel's connections, and the addresses that hosts have. `address`
/// gives the address that an interface has at the moment.
pub(crate) fn translations(
    config: &Config,
    address: impl Fn(&str) -> Option<Ipv4Addr>,
    connections: &[Connection],
    (held, kernels): (&Holdings, Kernels),
) -> Vec<Translation> {
    let rules = dynamic_rules(config);
    let mut rows: Vec<_> = static_rows(config, &address).collect();
    let fixed: BTreeSet<_> =
        rows.iter().map(|row| (row.inside_global.address, row.inside_local.address)).collect();
    for connection in connections.iter().filter(|one| one.is_translated()) {
        let ends = Ends::of(connection);
        let pair = (ends.inside_global.address, ends.inside_local.address);
        let made_by = rules.iter().position(|rule| gives(config, rule, pair.0, &address));
        let made_by = made_by.filter(|_| !fixed.contains(&pair));
        let timeout = timeout(config.nat.timeouts, kernels, connection).max(connection.left);
        let row = Translation {
            inside_global: ends.inside_global,
            inside_local: ends.inside_local,
            kind: Kind::Connection,
            protocol: Some(connection.original.protocol),
            outside: Some((ends.outside_local, ends.outside_global)),
            rule: made_by.map(|place| place + 1),
            timeout: Some((timeout, connection.left)),
            closing: connection.is_closing(),
            began: connection.began,
            packets: connection.sent.zip(connection.answered).map(|(to, from)| to.packets + from.packets),
        };
        rows.push(row);
    }
    let idle = Duration::from_secs(config.nat.timeouts.simple.unwrap_or(86_400).into());
    for (name, held) in held {
        let rule = rules
            .iter()
            .position(|rule| matches!(&rule.to, NatTo::Pool(pool) if pool == name && !rule.overload));
        rows.extend(held.iter().map(|one| Translation {
            inside_global: Place { address: one.global, port: None },
            inside_local: Place { address: one.local, port: None },
            kind: Kind::Simple,
            protocol: None,
            outside: None,
            rule: rule.map(|place| place + 1),
            timeout: Some((idle, one.left.unwrap_or_default())),
            closing: false,
            began: None,
            packets: None,
        }));
    }
    // those of an address are together, and what many use stands behind them
    rows.sort_by_key(|row| {
        let (global, local) = (row.inside_global, row.inside_local);
        (global.address, local.address, row.kind, global.port, local.port, row.protocol, row.outside)
    });
    rows
}

/// The dynamic rules, in the order of the configuration; their places and one are their numbers.
pub(crate) fn dynamic_rules<'c>(config: &'c Config) -> Vec<&'c DynamicNat> {
    let of = |rule: &'c NatRule| match rule {
        NatRule::Dynamic(rule) => Some(rule),
        NatRule::Static(_) => None,
    };
    config.nat.rules.iter().filter_map(of).collect()
}

/// The pool of a rule.
pub(crate) fn pool<'c>(config: &'c Config, rule: &DynamicNat) -> Option<&'c NatPool> {
    let NatTo::Pool(name) = &rule.to else { return None };
    config.nat.pools.iter().find(|pool| pool.name == *name)
}

/// Whether a rule translates to an address.
fn gives(
    config: &Config,
    rule: &DynamicNat,
    global: Ipv4Addr,
    address: &impl Fn(&str) -> Option<Ipv4Addr>,
) -> bool {
    match &rule.to {
        NatTo::Interface(name) => address(name) == Some(global),
        NatTo::Pool(_) => {
            let ranges = pool(config, rule).map(|pool| pool.ranges.as_slice()).unwrap_or_default();
            ranges.iter().any(|(first, last)| (*first..=*last).contains(&global))
        }
    }
}

fn static_rows<'c>(
    config: &'c Config,
    address: &'c impl Fn(&str) -> Option<Ipv4Addr>,
) -> impl Iterator<Item = Translation> + 'c {
    let of = |global: &NatGlobal| match global {
        NatGlobal::Address(address) => *address,
        // an interface that has none yet
        NatGlobal::Interface(name) => address(name).unwrap_or(Ipv4Addr::UNSPECIFIED),
    };
    config.nat.rules.iter().filter_map(move |rule| {
        let NatRule::Static(rule) = rule else { return None };
        let (local, global, ports) = match &rule.what {
            StaticNatPair::Host { local, global } => (*local, of(global), None),
            StaticNatPair::Network { local, global } => (local.network(), global.network(), None),
            StaticNatPair::Port { protocol, local, local_port, global, global_port } => {
                (*local, of(global), Some((*protocol, *local_port, *global_port)))
            }
        };
        Some(Translation {
            inside_global: Place { address: global, port: ports.map(|(_, _, port)| port) },
            inside_local: Place { address: local, port: ports.map(|(_, port, _)| port) },
            kind: Kind::Static,
            protocol: ports.map(|(protocol, ..)| protocol),
            outside: None,
            rule: None,
            timeout: None,
            closing: false,
            began: None,
            packets: None,
        })
    })
}

/// Who a translated connection is between.
struct Ends {
    inside_global: Place,
    inside_local: Place,
    outside_local: Place,
    outside_global: Place,
}

impl Ends {
    fn of(connection: &Connection) -> Self {
        let (original, reply) = (&connection.original, &connection.reply);
        // the inside began, or the outside called a static translation
        let (inside, outside) = match connection.translates_source() {
            true => ((receiver(reply), sender(original)), (receiver(original), sender(reply))),
            false => ((receiver(original), sender(reply)), (receiver(reply), sender(original))),
        };
        Self {
            inside_global: inside.0,
            inside_local: inside.1,
            outside_local: outside.0,
            outside_global: outside.1,
        }
    }
}

fn sender(tuple: &Tuple) -> Place {
    let port = match tuple.flow {
        Flow::Ports { source, .. } => source,
        Flow::Icmp { id, .. } => id,
        Flow::Nothing => 0,
    };
    Place { address: tuple.source, port: Some(port) }
}

fn receiver(tuple: &Tuple) -> Place {
    let port = match tuple.flow {
        Flow::Ports { destination, .. } => destination,
        Flow::Icmp { id, .. } => id,
        Flow::Nothing => 0,
    };
    Place { address: tuple.destination, port: Some(port) }
}

/// How long the kernel keeps a connection of TCP whose data nobody has acknowledged.
const UNACKNOWLEDGED: u32 = 300;

/// How long a connection stays without packets, as `ip nat translation` says.
fn timeout(of: NatTimeouts, kernels: Kernels, connection: &Connection) -> Duration {
    const DNS: u16 = 53;
    let tuple = &connection.original;
    let is_dns =
        matches!(tuple.flow, Flow::Ports { source, destination } if source == DNS || destination == DNS);
    let seconds = match tuple.protocol {
        protocol::TCP if connection.is_closing() => of.finrst.unwrap_or(60),
        protocol::TCP if connection.is_opening() => of.syn.unwrap_or(60),
        // data that nobody has acknowledged yet, which the kernel keeps for a shorter time
        protocol::TCP if connection.left.as_secs() <= UNACKNOWLEDGED.into() => {
            UNACKNOWLEDGED.min(of.tcp.unwrap_or(86_400))
        }
        protocol::TCP => of.tcp.unwrap_or(86_400),
        protocol::UDP if is_dns => of.dns.unwrap_or(60),
        protocol::UDP => of.udp.unwrap_or(300),
        // no line has set these
        protocol::ICMP => kernels.icmp,
        _ => kernels.other,
    };
    Duration::from_secs(seconds.into())
}

/// Which translations are to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Of this protocol only.
    pub(crate) protocol: Option<u8>,
    /// Inside global and inside local.
    pub(crate) inside: Option<(Place, Place)>,
    /// Outside local and outside global.
    pub(crate) outside: Option<(Place, Place)>,
}

impl Wanted {
    /// Whether it is about hosts and not about connections of theirs.
    pub(crate) fn takes_addresses(&self) -> bool {
        let has_no_port = |place: &Place| place.port.is_none();
        self.protocol.is_none()
            && self.outside.is_none()
            && self.inside.is_none_or(|(global, local)| has_no_port(&global) && has_no_port(&local))
    }

    /// Whether a host's address of a pool is among them.
    pub(crate) fn takes(&self, held: &Held) -> bool {
        let is =
            |(global, local): (Place, Place)| (global.address, local.address) == (held.global, held.local);
        self.takes_addresses() && self.inside.is_none_or(is)
    }

    /// The inside global and the inside local address of a translated connection.
    pub(crate) fn pair_of(connection: &Connection) -> Option<(Ipv4Addr, Ipv4Addr)> {
        let ends = connection.is_translated().then(|| Ends::of(connection))?;
        Some((ends.inside_global.address, ends.inside_local.address))
    }

    /// Whether a connection is among them. What names no port means all ports.
    pub(crate) fn has(&self, connection: &Connection) -> bool {
        let ends = Ends::of(connection);
        let is = |wanted: Place, there: Place| {
            wanted.address == there.address && (wanted.port.is_none() || wanted.port == there.port)
        };
        let are = |wanted: Option<(Place, Place)>, one: Place, other: Place| {
            wanted.is_none_or(|wanted| is(wanted.0, one) && is(wanted.1, other))
        };
        connection.is_translated()
            && self.protocol.is_none_or(|protocol| protocol == connection.original.protocol)
            && are(self.inside, ends.inside_global, ends.inside_local)
            && are(self.outside, ends.outside_local, ends.outside_global)
    }

    /// Removes them from the kernel; how many there were.
    pub(crate) fn remove(&self) -> Result<usize, Error> {
        let conntrack = Conntrack::open()?;
        let mut removed = 0;
        loop {
            let listing = conntrack.list(MOST, |connection| self.has(connection))?;
            for connection in &listing.connections {
                removed += usize::from(conntrack.remove(connection)?);
            }
            // of more than that, the others in another turn
            if listing.more == 0 || listing.connections.is_empty() {
                return Ok(removed);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const CONFIG: &str = "\
interface GigabitEthernet0/0
 ip address 203.0.113.2 255.255.255.0
 ip nat outside
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip nat inside
interface GigabitEthernet0/2
 ip address 172.16.10.1 255.255.255.0
 ip nat inside
ip nat pool MANY 198.51.100.1 198.51.100.5 netmask 255.255.255.0
ip nat pool SHARED 198.51.100.9 198.51.100.9 prefix-length 30
ip nat translation udp-timeout 120
ip nat inside source list 1 interface GigabitEthernet0/0 overload
ip nat inside source list 2 pool MANY
ip nat inside source route-map RM pool SHARED overload
ip nat inside source static 172.16.10.10 203.0.113.10
ip nat inside source static tcp 172.16.10.11 80 interface GigabitEthernet0/0 8080
ip nat inside source static network 10.9.0.0 203.0.113.64 /26
";

    fn place(text: &str) -> (Ipv4Addr, u16) {
        let (address, port) = text.split_once(':').unwrap();
        (address.parse().unwrap(), port.parse().unwrap())
    }

    /// A connection of `original`, which is answered by `reply`.
    fn connection(protocol: u8, original: (&str, &str), reply: (&str, &str), left: u64) -> Connection {
        let tuple = |(from, to): (&str, &str)| {
            let ((source, port), (destination, to)) = (place(from), place(to));
            let flow = match protocol {
                1 => Flow::Icmp { id: port, kind: 8, code: 0 },
                50 => Flow::Nothing,
                _ => Flow::Ports { source: port, destination: to },
            };
            Tuple { source, destination, protocol, flow }
        };
        let (there, back) = (tuple(original), tuple(reply));
        let source = u32::from(there.source != back.destination) << 4;
        let destination = u32::from(there.destination != back.source) << 5;
        let port = u32::from(source | destination == 0) << 4;
        Connection::new(there, back, source | destination | port, Duration::from_secs(left))
    }

    /// What the kernel knows in the tests.
    pub(crate) fn listing() -> Listing {
        let outside = "192.0.2.80:80";
        let gate = "203.0.113.2";
        let mut counted =
            connection(6, ("10.1.1.10:1025", outside), (outside, &format!("{gate}:1025")), 86_390);
        let of = |packets| Some(hubward_linux::nftables::Counted { packets, bytes: packets * 100 });
        (counted.sent, counted.answered) = (of(7), of(5));
        let mut ends =
            connection(6, ("192.0.2.99:4000", "203.0.113.10:80"), ("172.16.10.10:80", "192.0.2.99:4000"), 50);
        ends.tcp = Some(7);
        // nobody translates this one
        let mut plain = connection(17, ("10.1.1.1:7", "10.1.1.2:7"), ("10.1.1.2:7", "10.1.1.1:7"), 9);
        plain.status = 0;
        counted.began = Some(1_795_425_107_000_000_000);
        let connections = vec![
            counted,
            connection(6, ("10.1.1.11:1025", outside), (outside, &format!("{gate}:61000")), 431_000),
            connection(17, ("10.1.1.10:5000", "192.0.2.53:53"), ("192.0.2.53:53", "203.0.113.2:5000"), 20),
            connection(1, ("10.1.1.10:512", "192.0.2.7:512"), ("192.0.2.7:513", "203.0.113.2:513"), 59),
            ends,
            connection(6, ("10.2.2.2:1", outside), (outside, "198.51.100.3:1"), 40),
            connection(17, ("10.2.2.2:7", "192.0.2.9:9"), ("192.0.2.9:9", "198.51.100.3:7"), 110),
            connection(50, ("10.3.3.3:0", "192.0.2.9:0"), ("192.0.2.9:0", "198.51.100.9:0"), 600),
            plain,
        ];
        Listing { connections, more: 0 }
    }

    /// Who has addresses of `MANY` in the tests.
    pub(crate) fn holdings() -> Holdings {
        let held = |local: [u8; 4], last, left: u64| Held {
            local: local.into(),
            global: [198, 51, 100, last].into(),
            left: Some(Duration::from_secs(left)),
        };
        [("MANY".to_owned(), vec![held([10, 2, 2, 2], 3, 80_000), held([10, 2, 2, 3], 4, 7)])].into()
    }

    fn rows() -> Vec<Translation> {
        let config = hubward_config::parse(CONFIG).config;
        let address = |name: &str| (name == "GigabitEthernet0/0").then(|| Ipv4Addr::new(203, 0, 113, 2));
        translations(&config, address, &listing().connections, (&holdings(), Kernels::default()))
    }

    fn text(row: &Translation) -> String {
        let outside =
            |place: Option<Place>| place.map_or_else(|| "---".to_owned(), |place| place.to_string());
        let (local, global) = row.outside.unzip();
        format!(
            "{} {} {} {} {} {}",
            row.protocol_name(),
            row.inside_global,
            row.inside_local,
            outside(local),
            outside(global),
            row.rule.unwrap_or(0)
        )
    }

    #[test]
    fn connections_pairs_and_static_rules_are_the_rows() {
        let rows = rows();
        assert_eq!(
            rows.iter().map(text).collect::<Vec<_>>(),
            [
                "tcp 198.51.100.3:1 10.2.2.2:1 192.0.2.80:80 192.0.2.80:80 2",
                "udp 198.51.100.3:7 10.2.2.2:7 192.0.2.9:9 192.0.2.9:9 2",
                "--- 198.51.100.3 10.2.2.2 --- --- 2",
                "--- 198.51.100.4 10.2.2.3 --- --- 2",
                "esp 198.51.100.9:0 10.3.3.3:0 192.0.2.9:0 192.0.2.9:0 3",
                "icmp 203.0.113.2:513 10.1.1.10:512 192.0.2.7:512 192.0.2.7:513 1",
                "tcp 203.0.113.2:1025 10.1.1.10:1025 192.0.2.80:80 192.0.2.80:80 1",
                "udp 203.0.113.2:5000 10.1.1.10:5000 192.0.2.53:53 192.0.2.53:53 1",
                "tcp 203.0.113.2:61000 10.1.1.11:1025 192.0.2.80:80 192.0.2.80:80 1",
                "tcp 203.0.113.2:8080 172.16.10.11:80 --- --- 0",
                "tcp 203.0.113.10:80 172.16.10.10:80 192.0.2.99:4000 192.0.2.99:4000 0",
                "--- 203.0.113.10 172.16.10.10 --- --- 0",
                "--- 203.0.113.64 10.9.0.0 --- --- 0",
            ]
        );
        let timeouts: Vec<_> =
            rows.iter().map(|row| row.timeout.map(|(of, left)| (of.as_secs(), left.as_secs()))).collect();
        assert_eq!(timeouts[..3], [Some((300, 40)), Some((120, 110)), Some((86_400, 80_000))]);
        assert_eq!(timeouts[7], Some((60, 20)), "DNS");
        assert_eq!(timeouts[8], Some((431_000, 431_000)), "the kernel keeps it longer");
        assert_eq!(timeouts[10], Some((60, 50)), "it has seen its end");
        assert_eq!(timeouts[9], None);
    }

    #[test]
    fn what_is_cleared_is_what_was_named() {
        let all = listing().connections;
        let place = |text: &str| match text.split_once(':') {
            Some((address, port)) => Place { address: address.parse().unwrap(), port: port.parse().ok() },
            None => Place { address: text.parse().unwrap(), port: None },
        };
        let pair = |pair: Option<(&str, &str)>| pair.map(|(one, other)| (place(one), place(other)));
        let count = |protocol, inside, outside| {
            let wanted = Wanted { protocol, inside: pair(inside), outside: pair(outside) };
            all.iter().filter(|one| wanted.has(one)).count()
        };
        assert_eq!(count(None, None, None), 8, "what is not translated is left alone");
        assert_eq!(count(Some(17), None, None), 2);
        assert_eq!(count(None, Some(("203.0.113.2", "10.1.1.10")), None), 3);
        assert_eq!(count(None, Some(("10.1.1.10", "203.0.113.2")), None), 0);
        let web = Some(("203.0.113.2:1025", "10.1.1.10:1025"));
        assert_eq!(count(Some(6), web, None), 1);
        assert_eq!(count(Some(17), web, None), 0);
        assert_eq!(count(Some(6), web, Some(("192.0.2.80:80", "192.0.2.80:80"))), 1);
        assert_eq!(count(Some(6), web, Some(("192.0.2.80:80", "192.0.2.80:81"))), 0);
        assert_eq!(count(None, None, Some(("192.0.2.99", "192.0.2.99"))), 1);
    }

    #[test]
    fn the_peak_stays() {
        let at = |seconds| Instant::from_origin(Duration::from_secs(seconds));
        let peak = Peak::default();
        assert_eq!(peak.note(3, at(1)), (3, at(1)));
        assert_eq!(peak.note(5, at(2)), (5, at(2)));
        assert_eq!(peak.note(5, at(3)), (5, at(2)));
        assert_eq!(peak.note(0, at(4)), (5, at(2)));
        peak.clear();
        assert_eq!(peak.note(2, at(5)), (2, at(5)));
    }
}
