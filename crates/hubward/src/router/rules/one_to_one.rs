//! Pools without `overload`: an inside host has an address of the pool for itself, and keeps its
//! ports. Which host has which address stands in two maps of the table, which Hubward fills when the
//! kernel reports a host that has none; the packet that is reported is dropped.

use crate::guard::ranges::{self, Range};
use hubward_config::model::{
    Addressing, Config, NatGlobal, NatRule, NatSelect, NatTo, StaticNat, StaticNatPair,
};
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// What the names of the maps begin with: their elements outlive a change of the rules.
pub(crate) const MAPS: &str = "pool_";
/// The group of the kernel's log for hosts that have no address yet.
pub(crate) const POOL_GROUP: u16 = 0x4858;
/// What a report begins with; the mark of the pool follows.
const PREFIX: &str = "hubward pool ";
/// Hosts that are reported within a second.
const REPORTED: usize = 4096;
/// Addresses that are given from all pools together, and hosts that are noted as busy.
pub(crate) const MOST: usize = 65_536;
/// `ip nat translation timeout` without a line, in seconds.
const IDLE: u32 = 86_400;

/// A pool whose addresses hosts have for themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pool {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// The addresses that hosts may get, in order.
    pub(crate) free: Vec<Range>,
    /// `type match-host`: the network, whose host part is the host's own.
    matching: Option<Ipv4Net>,
    /// What comes from outside for an address goes to its host.
    from_outside: bool,
    /// How long a host keeps an address without a connection; `None`: for ever.
    pub(crate) idle: Option<Duration>,
}

/// A host with its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Held {
    pub(crate) local: Ipv4Addr,
    pub(crate) global: Ipv4Addr,
    /// How long it keeps it without a new connection; `None`: that time is over, and it has it as long
    /// as it has connections.
    pub(crate) left: Option<Duration>,
}

/// Who has which address, by the names of the pools.
pub(crate) type Holdings = BTreeMap<String, Vec<Held>>;

/// Why a host gets no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl Pool {
    /// What tells it from other pools in the table: its name may have characters that nftables refuses.
    pub(crate) fn mark(&self) -> String {
        let hash = |hash: u64, byte: u8| hash.wrapping_mul(257).wrapping_add(byte.into());
        format!("{:x}", self.name.bytes().fold(0, hash))
    }

    fn map(&self, what: &str) -> String {
        format!("{MAPS}{}_{what}", self.mark())
    }

    /// The map from inside hosts to their addresses.
    pub(crate) fn outward(&self) -> String {
        self.map("out")
    }

    /// The map from these addresses to the hosts.
    pub(crate) fn inward(&self) -> String {
        self.map("in")
    }

    /// The set of hosts and addresses that have begun connections lately, or were given lately. A set
    /// keeps its time: one with another has another name.
    pub(crate) fn busy(&self) -> String {
        self.map(&format!("busy_{}", self.idle.map_or(0, |idle| idle.as_secs())))
    }

    fn asking(&self) -> String {
        self.map("asking")
    }

    /// The maps and sets.
    pub(super) fn objects(&self) -> Vec<String> {
        let map = |name| format!("  map {name} {{\n    type ipv4_addr : ipv4_addr\n  }}\n");
        let set = |name, size: usize, time: u64| {
            format!(
                "  set {name} {{\n    type ipv4_addr\n    size {size}\n    flags dynamic,timeout\n    timeout {time}s\n  }}\n"
            )
        };
        let idle = self.idle.map_or(IDLE.into(), |idle| idle.as_secs());
        vec![
            map(self.outward()),
            map(self.inward()),
            set(self.busy(), 2 * MOST, idle),
            set(self.asking(), REPORTED, 1),
        ]
    }

    /// The rules for packets from inside that a rule selects.
    pub(super) fn to_global(&self) -> Vec<String> {
        let (map, busy, asking) = (self.outward(), self.busy(), self.asking());
        vec![
            // kernels before 6.5 cannot look whether a map has something
            format!("ip saddr @{busy} update @{busy} {{ ip saddr }}"),
            format!("snat to ip saddr map @{map}"),
            format!(
                "ip saddr != @{asking} add @{asking} {{ ip saddr }} log prefix \"{PREFIX}{}\" group {POOL_GROUP} snaplen 64 queue-threshold 1",
                self.mark()
            ),
            "drop".to_owned(),
        ]
    }

    /// The rules for packets from outside.
    pub(super) fn to_local(&self) -> Vec<String> {
        if !self.from_outside {
            return Vec::new();
        }
        let (map, busy) = (self.inward(), self.busy());
        vec![
            format!("ip daddr @{busy} update @{busy} {{ ip daddr }}"),
            format!("dnat to ip daddr map @{map}"),
        ]
    }

    /// Whether a host may have an address.
    pub(crate) fn may_give(&self, local: Ipv4Addr, global: Ipv4Addr) -> bool {
        let is_free = self.free.iter().any(|(first, last)| (*first..=*last).contains(&global));
        is_free && self.matching.is_none_or(|net| matched(net, local) == global)
    }

    /// What comes from outside for this address, if a host has it, goes to the host.
    pub(crate) const fn lets_in(&self) -> bool {
        self.from_outside
    }

    /// Addresses for hosts that have none, beginning with the lowest that is not `taken`; those that are
    /// given are taken then.
    pub(crate) fn give(
        &self,
        hosts: impl IntoIterator<Item = Ipv4Addr>,
        taken: &mut BTreeSet<Ipv4Addr>,
    ) -> Vec<(Ipv4Addr, Result<Ipv4Addr, Exhausted>)> {
        let all = self.free.iter().flat_map(|(first, last)| u32::from(*first)..=u32::from(*last));
        let mut all = all.map(Ipv4Addr::from);
        let mut give = |local: Ipv4Addr| {
            if taken.len() >= MOST {
                return Err(Exhausted);
            }
            let found = match self.matching {
                None => all.find(|address| !taken.contains(address)),
                Some(net) => Some(matched(net, local))
                    .filter(|address| self.may_give(local, *address) && !taken.contains(address)),
            };
            taken.extend(found);
            found.ok_or(Exhausted)
        };
        hosts.into_iter().map(|local| (local, give(local))).collect()
    }
}

/// The address in a network with the host part of another.
fn matched(net: Ipv4Net, local: Ipv4Addr) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(net.network()) | u32::from(local) & u32::from(net.hostmask()))
}

/// The mark of the pool that a report is about.
pub(crate) fn reported(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX)
}

/// The pools of a configuration. `own` are addresses of this router that do not stand in it.
pub(crate) fn pools(config: &Config, own: impl IntoIterator<Item = Ipv4Addr>) -> Vec<Pool> {
    let rules = || {
        config.nat.rules.iter().filter_map(|rule| match rule {
            NatRule::Dynamic(rule) if !rule.overload => match &rule.to {
                NatTo::Pool(name) => Some((name, &rule.which)),
                NatTo::Interface(_) => None,
            },
            NatRule::Dynamic(_) | NatRule::Static(_) => None,
        })
    };
    let names: BTreeSet<&String> = rules().map(|(name, _)| name).collect();
    if names.is_empty() {
        return Vec::new();
    }
    let idle = match config.nat.timeouts.simple.unwrap_or(IDLE) {
        0 => None,
        seconds => Some(Duration::from_secs(seconds.into())),
    };
    let reserved: Vec<Range> =
        reserved(config).chain(own.into_iter().map(|address| (address, address))).collect();
    let used = config.nat.pools.iter().filter(|pool| names.contains(&pool.name) && !pool.ranges.is_empty());
    let made = used.map(|pool| {
        let net = |address| Ipv4Net::new(address, pool.prefix_length).map(|net| net.trunc()).ok();
        let edges =
            pool.ranges.iter().filter_map(|(first, _)| net(*first)).filter(|net| net.prefix_len() < 31);
        let edges = edges.flat_map(|net| [net.network(), net.broadcast()]).map(|address| (address, address));
        let reserved = ranges::disjoint(reserved.iter().copied().chain(edges));
        Pool {
            name: pool.name.clone(),
            free: without(&ranges::disjoint(pool.ranges.iter().copied()), &reserved),
            matching: pool.ranges.first().and_then(|(first, _)| net(*first)).filter(|_| pool.match_host),
            // which connections a route map would choose is not known of what comes from outside
            from_outside: rules()
                .any(|(name, which)| *name == pool.name && matches!(which, NatSelect::List(_))),
            idle,
        }
    });
    made.collect()
}

/// Addresses that no host gets: those of this router, and those of static rules.
fn reserved(config: &Config) -> impl Iterator<Item = Range> {
    let one = |address: Ipv4Addr| (address, address);
    let own = config.interfaces.iter().flat_map(|interface| match &interface.address {
        Addressing::Static(nets) | Addressing::Secondary(nets) => nets.as_slice(),
        Addressing::Dhcp | Addressing::None => &[],
    });
    let own = own.filter_map(move |net| match net {
        IpNet::V4(net) => Some(one(net.addr())),
        IpNet::V6(_) => None,
    });
    own.chain(config.nat.rules.iter().filter_map(move |rule| match rule {
        NatRule::Static(StaticNat { what: StaticNatPair::Network { global, .. }, .. }) => {
            Some(ranges::of(*global))
        }
        NatRule::Static(StaticNat {
            what:
                StaticNatPair::Host { global: NatGlobal::Address(global), .. }
                | StaticNatPair::Port { global: NatGlobal::Address(global), .. },
            ..
        }) => Some(one(*global)),
        NatRule::Static(_) | NatRule::Dynamic(_) => None,
    }))
}

/// Ranges without others; both do not overlap and are in order.
fn without(ranges: &[Range], others: &[Range]) -> Vec<Range> {
    let mut left = Vec::new();
    for (first, last) in ranges {
        let (mut next, last) = (Some(u32::from(*first)), u32::from(*last));
        for (from, to) in others.iter().filter(|other| ranges::overlap(**other, (*first, last.into()))) {
            let Some(begin) = next else { break };
            if let Some(end) = u32::from(*from).checked_sub(1).filter(|end| *end >= begin) {
                left.push((begin.into(), end.into()));
            }
            next = u32::from(*to).checked_add(1);
        }
        left.extend(next.filter(|begin| *begin <= last).map(|begin| (begin.into(), last.into())));
    }
    left
}

/// What of these holdings the pools may still give: an address is given once.
pub(crate) fn still_held(pools: &[Pool], there: &Holdings) -> Holdings {
    let mut taken = BTreeSet::new();
    let mut of = |pool: &Pool| {
        let held = there.get(&pool.name).map(Vec::as_slice).unwrap_or_default();
        let may = |one: &&Held| pool.may_give(one.local, one.global) && taken.insert(one.global);
        held.iter().filter(may).copied().collect::<Vec<_>>()
    };
    pools.iter().map(|pool| (pool.name.clone(), of(pool))).collect()
}

/// The commands that put holdings into maps without elements.
pub(crate) fn elements(table: &str, pool: &Pool, held: &[Held]) -> String {
    if held.is_empty() {
        return String::new();
    }
    // the kernel refuses what would stay longer than its set says
    let all = pool.idle.map_or(IDLE.into(), |idle| idle.as_secs());
    let add = |name: String, element: &dyn Fn(&Held) -> String| {
        let all: Vec<_> = held.iter().map(element).collect();
        format!("add element ip {table} {name} {{ {} }}\n", all.join(", "))
    };
    [
        add(pool.outward(), &|one| format!("{} : {}", one.local, one.global)),
        add(pool.inward(), &|one| format!("{} : {}", one.global, one.local)),
        add(pool.busy(), &|one| {
            // who has had none for long is asked about again soon
            let left = one.left.map_or(1, |left| left.as_secs()).min(all).max(1);
            format!("{} expires {left}s, {} expires {left}s", one.local, one.global)
        }),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "\
interface GigabitEthernet0/0
 ip address 198.51.100.2 255.255.255.240
 ip address 198.51.100.3 255.255.255.240 secondary
 ip nat outside
ip nat pool P 198.51.100.0 198.51.100.8 prefix-length 28
ip nat pool Q 198.51.100.7 198.51.100.8 prefix-length 28
ip nat inside source list 1 pool P
ip nat inside source route-map R pool Q
ip nat inside source list 3 pool SHARED overload
ip nat inside source static 10.1.1.9 198.51.100.5
ip nat inside source static tcp 10.1.1.9 80 198.51.100.6 80
";

    fn address(last: u8) -> Ipv4Addr {
        [198, 51, 100, last].into()
    }

    fn host(last: u8) -> Ipv4Addr {
        [10, 1, 1, last].into()
    }

    fn of(text: &str, own: &[Ipv4Addr]) -> Vec<Pool> {
        pools(&hubward_config::parse(text).config, own.iter().copied())
    }

    fn held(local: Ipv4Addr, global: Ipv4Addr) -> Held {
        Held { local, global, left: Some(Duration::from_secs(60)) }
    }

    #[test]
    fn addresses_that_others_have_are_given_to_nobody() {
        let made = of(CONFIG, &[]);
        let names: Vec<_> = made.iter().map(|pool| (pool.name.as_str(), pool.lets_in())).collect();
        assert_eq!(names, [("P", true), ("Q", false)]);
        // the network, two of this router, two of static rules
        assert_eq!(
            made[0].free,
            [(address(1), address(1)), (address(4), address(4)), (address(7), address(8))]
        );
        let leased = of(CONFIG, &[address(7)]);
        assert_eq!(leased[0].free.last(), Some(&(address(8), address(8))));
        let all = "ip nat pool P 198.51.100.254 198.51.100.255 prefix-length 24\nip nat inside source list 1 pool P\n";
        assert_eq!(of(all, &[])[0].free, [(address(254), address(254))]);
        assert_eq!(of(all, &[address(254)])[0].free, []);
        let last = "ip nat pool P 255.255.255.254 255.255.255.255 prefix-length 31\nip nat inside source list 1 pool P\n";
        assert_eq!(of(last, &[])[0].free, [(Ipv4Addr::new(255, 255, 255, 254), Ipv4Addr::BROADCAST)]);
        assert_eq!(of(last, &[Ipv4Addr::BROADCAST])[0].free.len(), 1);
    }

    #[test]
    fn the_lowest_free_address_is_given() {
        let pool = &of(CONFIG, &[])[0];
        let mut taken = BTreeSet::from([address(4)]);
        let given = pool.give([host(5), host(6), host(7), host(8)], &mut taken);
        let expected = [Ok(address(1)), Ok(address(7)), Ok(address(8)), Err(Exhausted)];
        assert_eq!(given.iter().map(|(_, got)| *got).collect::<Vec<_>>(), expected);
        assert_eq!(pool.give([host(9)], &mut taken), [(host(9), Err(Exhausted))]);
        taken.remove(&address(4));
        assert_eq!(pool.give([host(9)], &mut taken), [(host(9), Ok(address(4)))]);
    }

    #[test]
    fn match_host_keeps_the_host_part() {
        let text = "ip nat pool P 198.51.100.1 198.51.100.200 prefix-length 24 type match-host\nip nat inside source list 1 pool P\n";
        let pool = &of(text, &[address(7)])[0];
        let mut taken = BTreeSet::new();
        let given = pool.give([host(9), host(7), host(201), Ipv4Addr::new(10, 1, 2, 9)], &mut taken);
        let expected = [Ok(address(9)), Err(Exhausted), Err(Exhausted), Err(Exhausted)];
        assert_eq!(given.iter().map(|(_, got)| *got).collect::<Vec<_>>(), expected);
        assert!(pool.may_give(host(9), address(9)) && !pool.may_give(host(9), address(10)));
    }

    /// What is given already stays, in as far as the pools of now have it.
    #[test]
    fn an_address_stays_with_its_host_while_the_pool_has_it() {
        let there: Holdings = [
            (
                "P".to_owned(),
                vec![held(host(5), address(1)), held(host(6), address(5)), held(host(7), address(8))],
            ),
            ("Q".to_owned(), vec![held(host(7), address(8)), held(host(8), address(7))]),
            ("GONE".to_owned(), vec![held(host(9), address(4))]),
        ]
        .into();
        let stays = still_held(&of(CONFIG, &[]), &there);
        assert_eq!(stays["P"], [held(host(5), address(1)), held(host(7), address(8))]);
        assert_eq!(stays["Q"], [held(host(8), address(7))], "an address is given once");
        assert_eq!(stays.len(), 2);
    }

    #[test]
    fn elements_say_both_ways_and_the_time_that_is_left() {
        let pool = &of(CONFIG, &[])[0];
        let over = Held { left: None, ..held(host(6), address(4)) };
        let text = elements("t", pool, &[held(host(5), address(1)), over]);
        let expected = "add element ip t pool_50_out { 10.1.1.5 : 198.51.100.1, 10.1.1.6 : 198.51.100.4 }\n\
                        add element ip t pool_50_in { 198.51.100.1 : 10.1.1.5, 198.51.100.4 : 10.1.1.6 }\n\
                        add element ip t pool_50_busy_86400 { 10.1.1.5 expires 60s, 198.51.100.1 expires 60s, 10.1.1.6 expires 1s, 198.51.100.4 expires 1s }\n";
        assert_eq!(text, expected);
        assert_eq!(elements("t", pool, &[]), "");
    }
}
