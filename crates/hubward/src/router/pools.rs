//! Gives inside hosts addresses of pools without `overload`, as the kernel reports who asks for one,
//! and takes back those of hosts that have been idle for as long as `ip nat translation timeout`
//! says.

use super::held;
use super::rules::one_to_one::{Exhausted, Held, Holdings, MOST as MOST_GIVEN, POOL_GROUP, Pool, reported};
use super::translations::{Misses, Wanted};
use hubward_linux::conntrack::{Conntrack, MOST};
use hubward_linux::error::Error;
use hubward_linux::nflog::{Group, Packet};
use hubward_linux::nftables::Nftables;
use hubward_proto::time::Instant;
use hubward_proto::wire::ip::Ipv4;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a packet that are reported: its header.
const RANGE: u32 = 64;
/// How often a host that gets no address is told of.
const INTERVAL: Duration = Duration::from_secs(60);
/// Hosts that are remembered for that. Further ones are counted only.
const TOLD: usize = 1024;
/// How often idle hosts are looked for: all connections of the kernel may be read for it.
const LOOK: Duration = Duration::from_secs(60);
/// How often while a host has asked in vain.
const SOON: Duration = Duration::from_secs(10);
/// How long a report waits for being read, at most.
const PATIENCE: Duration = Duration::from_millis(50);
/// How long it is remembered who had addresses of a pool that is gone: lists and rules are taken away
/// to be pasted again.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What does not work, as it is told.
const NONE: &str = "no host gets an address of a pool without `overload`";
const ASKING: &str = "hosts get no addresses of pools";
const KEEPING: &str = "idle hosts keep their addresses of pools";

/// Gives the addresses.
#[derive(Debug, Default)]
pub(crate) struct Allocator {
    /// Where the kernel reports hosts; `None`: there is no pool, or the kernel gives no reports.
    group: Option<Group>,
    pools: Vec<Pool>,
    /// Who has which address, and the kernel's number of changes when that was read.
    known: Holdings,
    generation: Option<u32>,
    /// Who had addresses of pools that are gone, and since when they are.
    gone: BTreeMap<String, (Instant, Vec<Held>)>,
    /// Hosts that got no address, and when that was told.
    told: HashMap<(usize, Ipv4Addr), Instant>,
    misses: Arc<Misses>,
    /// When idle hosts were last looked for.
    looked: Option<Instant>,
    /// A host has asked in vain since.
    wanting: bool,
    /// What went wrong and does still, as it was last told.
    why: BTreeMap<&'static str, String>,
}

impl Allocator {
    /// Counts here from now on.
    pub(crate) fn count(&mut self, misses: Arc<Misses>) {
        self.misses = misses;
    }

    /// The pools of now, and who has addresses of them.
    pub(crate) fn follow(&mut self, pools: Vec<Pool>, held: Holdings, now: Instant) {
        self.told.clear();
        for (name, held) in std::mem::take(&mut self.known) {
            if !held.is_empty() {
                self.gone.insert(name, (now, held));
            }
        }
        self.gone.retain(|name, _| pools.iter().all(|pool| pool.name != *name));
        self.forget(now);
        (self.pools, self.known, self.generation) = (pools, held, None);
        if self.pools.is_empty() {
            self.group = None;
        } else if self.group.is_none() {
            self.open();
        }
    }

    /// What the maps say now. Of pools whose maps are not there, as after `flush ruleset`, it stays
    /// known what they said.
    fn learn(&mut self, there: Holdings) {
        self.known.extend(there);
    }

    /// Reads who has addresses of the pools, before they change.
    pub(crate) fn look(&mut self, filters: &Nftables) -> Result<(), Error> {
        let there = held::read(filters, &self.pools)?;
        self.learn(there);
        Ok(())
    }

    /// Adds to what the maps of pools say what was known of those that have no maps. What others have
    /// meanwhile they keep.
    pub(crate) fn remember(&self, pools: &[Pool], there: &mut Holdings) {
        let mut taken: BTreeSet<_> = there.values().flatten().map(|one| one.global).collect();
        for pool in pools.iter().filter(|pool| !there.contains_key(&pool.name)).collect::<Vec<_>>() {
            let gone = || self.gone.get(&pool.name).map(|(_, held)| held::anew(pool, held));
            let Some(mut held) = self.known.get(&pool.name).cloned().or_else(gone) else { continue };
            held.retain(|one| taken.insert(one.global));
            there.insert(pool.name.clone(), held);
        }
    }

    /// Forgets pools that are gone for long, and the one that is gone longest if they had very many
    /// hosts together.
    fn forget(&mut self, now: Instant) {
        self.gone.retain(|_, (since, _)| *since + REMEMBERED > now);
        while self.gone.values().map(|(_, held)| held.len()).sum::<usize>() > MOST_GIVEN {
            let first = self.gone.iter().min_by_key(|(_, (since, _))| *since).map(|(name, _)| name.clone());
            let Some(first) = first else { break };
            self.gone.remove(&first);
        }
    }

    /// When reports should be read.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        self.group.is_some().then(|| now + PATIENCE)
    }

    fn open(&mut self) {
        let opened = Group::open(POOL_GROUP, RANGE);
        match opened {
            Ok(group) => {
                self.group = Some(group);
                self.why.remove(NONE);
            }
            Err(error) => self.tell(NONE, &error),
        }
    }

    /// Tells an error, once until it is over.
    fn tell(&mut self, what: &'static str, error: &Error) {
        let error = error.to_string();
        if self.why.get(what) != Some(&error) {
            tracing::warn!("{what}: {error}");
        }
        self.why.insert(what, error);
    }

    /// Takes what the kernel has reported; what is told of it.
    pub(crate) fn hear(&mut self, filters: Option<&Nftables>, now: Instant) -> Vec<String> {
        let (Some(group), Some(filters)) = (&mut self.group, filters) else { return Vec::new() };
        let packets = group.read().unwrap_or_else(|error| {
            tracing::debug!("{error}");
            Vec::new()
        });
        let place = |mark: &str| self.pools.iter().position(|pool| pool.mark() == mark);
        let asking = packets.iter().filter_map(asks);
        let asking: BTreeSet<_> = asking.filter_map(|(mark, host)| Some((place(mark)?, host))).collect();
        if asking.is_empty() {
            return Vec::new();
        }
        match self.give(filters, &asking) {
            Ok(missed) => {
                self.why.remove(ASKING);
                self.missed(missed, now)
            }
            Err(error) => {
                self.generation = None;
                self.tell(ASKING, &error);
                Vec::new()
            }
        }
    }

    /// Gives addresses; who gets none.
    fn give(
        &mut self,
        filters: &Nftables,
        asking: &BTreeSet<(usize, Ipv4Addr)>,
    ) -> Result<Vec<(usize, Ipv4Addr)>, Error> {
        let generation = filters.generation()?;
        if self.generation != Some(generation) {
            self.look(filters)?;
            self.generation = Some(generation);
        }
        let Found { given, missed } = found(&self.pools, &self.known, asking);
        if !given.is_empty() {
            self.generation = None;
            let pools = given
                .iter()
                .filter_map(|(place, local, global)| Some((self.pools.get(*place)?, *local, *global)));
            held::give(filters, &pools.collect::<Vec<_>>())?;
            // nobody else has changed anything if it is the next one
            let after = filters.generation()?;
            self.generation = (after == generation.wrapping_add(1)).then_some(after);
            for (place, local, global) in given {
                let Some(pool) = self.pools.get(place) else { continue };
                tracing::debug!("{local} has {global} of pool {}", pool.name);
                let one = Held { local, global, left: pool.idle };
                self.known.entry(pool.name.clone()).or_default().push(one);
            }
        }
        Ok(missed)
    }

    fn missed(&mut self, missed: Vec<(usize, Ipv4Addr)>, now: Instant) -> Vec<String> {
        let mut said = Vec::new();
        self.wanting |= !missed.is_empty();
        for (place, local) in missed {
            let Some(pool) = self.pools.get(place) else { continue };
            self.misses.count(&pool.name);
            let is_new = self.told.len() < TOLD && !self.told.contains_key(&(place, local));
            if is_new {
                self.told.insert((place, local), now);
                said.push(format!(
                    "%IPNAT-4-ADDR_ALLOC_FAILURE: Address allocation failed for {local}, pool {} might be exhausted",
                    pool.name
                ));
            }
        }
        said
    }

    /// Periodic work, once a second: hosts that are idle lose their addresses.
    pub(crate) fn every_second(&mut self, filters: Option<&Nftables>, now: Instant) {
        self.told.retain(|_, told| *told + INTERVAL > now);
        self.forget(now);
        let Some(filters) = filters.filter(|_| !self.pools.is_empty()) else { return };
        if self.group.is_none() {
            self.open();
        }
        if !self.should_look(now) {
            return;
        }
        (self.looked, self.wanting) = (Some(now), false);
        match self.release_idle(filters) {
            Ok(()) => drop(self.why.remove(KEEPING)),
            Err(error) => self.tell(KEEPING, &error),
        }
    }

    fn should_look(&self, now: Instant) -> bool {
        let interval = if self.wanting { SOON } else { LOOK };
        self.looked.is_none_or(|looked| looked + interval <= now)
    }

    fn release_idle(&mut self, filters: &Nftables) -> Result<(), Error> {
        self.look(filters)?;
        self.generation = None;
        let over = over(&self.pools, &self.known);
        let pairs: BTreeSet<_> = over.iter().map(|(_, one)| (one.global, one.local)).collect();
        if pairs.is_empty() {
            return Ok(());
        }
        let conntrack = Conntrack::open()?;
        let mut used = BTreeSet::new();
        conntrack.list(MOST, |connection| {
            used.extend(Wanted::pair_of(connection).filter(|pair| pairs.contains(pair)));
            false
        })?;
        let mut released = false;
        for pool in &self.pools {
            let of = over.iter().filter(|(of, _)| *of == pool).map(|(_, one)| *one);
            let (busy, idle): (Vec<Held>, Vec<Held>) =
                of.partition(|one| used.contains(&(one.global, one.local)));
            held::renew(filters, pool, &busy)?;
            if idle.is_empty() {
                continue;
            }
            held::release(filters, pool, &idle)?;
            released = true;
            tracing::debug!("{} addresses of pool {} are free again", idle.len(), pool.name);
        }
        if !released {
            return Ok(());
        }
        // a connection may have begun in between
        let late = conntrack.list(MOST, |connection| {
            Wanted::pair_of(connection).is_some_and(|pair| pairs.contains(&pair) && !used.contains(&pair))
        })?;
        for connection in &late.connections {
            conntrack.remove(connection)?;
        }
        Ok(())
    }
}

/// The hosts whose time is over, with their pools.
fn over<'p>(pools: &'p [Pool], known: &Holdings) -> Vec<(&'p Pool, Held)> {
    let of = |pool: &'p Pool| {
        let held = known.get(&pool.name).map(Vec::as_slice).unwrap_or_default();
        held.iter().filter(|one| one.left.is_none()).map(move |one| (pool, *one)).collect::<Vec<_>>()
    };
    pools.iter().filter(|pool| pool.idle.is_some()).flat_map(of).collect()
}

/// The mark of the pool, and the host, of a report.
fn asks(packet: &Packet) -> Option<(&str, Ipv4Addr)> {
    Some((reported(&packet.prefix)?, Ipv4::parse_start(&packet.bytes)?.source()))
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    given: Vec<(usize, Ipv4Addr, Ipv4Addr)>,
    missed: Vec<(usize, Ipv4Addr)>,
}

/// Addresses for hosts that ask for them.
fn found(pools: &[Pool], known: &Holdings, asking: &BTreeSet<(usize, Ipv4Addr)>) -> Found {
    let mut taken: BTreeSet<_> = known.values().flatten().map(|one| one.global).collect();
    let mut found = Found { given: Vec::new(), missed: Vec::new() };
    for (place, pool) in pools.iter().enumerate() {
        let held = known.get(&pool.name).map(Vec::as_slice).unwrap_or_default();
        let has: BTreeSet<_> = held.iter().map(|one| one.local).collect();
        let hosts = asking.iter().filter(|(of, host)| *of == place && !has.contains(host));
        for (local, got) in pool.give(hosts.map(|(_, host)| *host), &mut taken) {
            match got {
                Ok(global) => found.given.push((place, local, global)),
                Err(Exhausted) => found.missed.push((place, local)),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::rules::one_to_one::pools;
    use hubward_proto::wire::ip::header;

    fn host(last: u8) -> Ipv4Addr {
        [10, 1, 1, last].into()
    }

    fn address(last: u8) -> Ipv4Addr {
        [198, 51, 100, last].into()
    }

    fn of() -> Vec<Pool> {
        let text = "\
ip nat pool A 198.51.100.1 198.51.100.2 prefix-length 24
ip nat pool B 198.51.100.2 198.51.100.3 prefix-length 24
ip nat inside source list 1 pool A
ip nat inside source list 2 pool B
";
        pools(&hubward_config::parse(text).config, [])
    }

    #[test]
    fn each_host_that_asks_gets_an_address_that_nobody_has() {
        let pools = of();
        let known: Holdings =
            [("A".to_owned(), vec![Held { local: host(5), global: address(1), left: None }])].into();
        // the first has one already: its report came before it was given
        let asking = [(0, host(5)), (0, host(6)), (0, host(7)), (1, host(6)), (9, host(6))].into();
        let found = found(&pools, &known, &asking);
        assert_eq!(found.given, [(0, host(6), address(2)), (1, host(6), address(3))]);
        assert_eq!(found.missed, [(0, host(7))]);
    }

    #[test]
    fn a_host_without_an_address_is_told_once_a_minute_and_counted() {
        let at = |seconds| Instant::from_origin(Duration::from_secs(seconds));
        let mut allocator = Allocator { pools: of(), ..Allocator::default() };
        let said = allocator.missed(vec![(0, host(7)), (1, host(7))], at(0));
        let text =
            "%IPNAT-4-ADDR_ALLOC_FAILURE: Address allocation failed for 10.1.1.7, pool A might be exhausted";
        assert_eq!((said.len(), said[0].as_str()), (2, text));
        assert!(allocator.missed(vec![(0, host(7))], at(1)).is_empty());
        allocator.every_second(None, at(59));
        assert!(allocator.missed(vec![(0, host(7))], at(59)).is_empty());
        allocator.every_second(None, at(60));
        assert_eq!(allocator.missed(vec![(0, host(7)), (7, host(7))], at(60)).len(), 1);
        let misses = Arc::clone(&allocator.misses);
        assert_eq!((misses.of("A"), misses.of("B"), misses.of("C")), (4, 1, 0));
        // many hosts are counted, and not all of them told
        let many = (0..5000u32).map(|host| (1, Ipv4Addr::from(0x0a00_0000 + host))).collect();
        assert_eq!(allocator.missed(many, at(60)).len(), TOLD - 1);
        assert_eq!(misses.of("B"), 5001);
    }

    #[test]
    fn who_had_addresses_of_a_pool_that_comes_back_has_them_again() {
        let at = |seconds| Instant::from_origin(Duration::from_secs(seconds));
        let pools = of();
        let one = |last, global| Held { local: host(last), global: address(global), left: None };
        let known: Holdings = [("A".to_owned(), vec![one(5, 1), one(6, 2)]), ("B".to_owned(), vec![])].into();
        let mut allocator = Allocator { pools: pools.clone(), known, ..Allocator::default() };
        let remembered = |allocator: &Allocator, mut there: Holdings| {
            allocator.remember(&pools, &mut there);
            there
        };
        // the table is gone, and with it the maps
        allocator.learn(Holdings::new());
        assert_eq!(remembered(&allocator, Holdings::new())["A"], [one(5, 1), one(6, 2)]);
        // what a map says counts
        assert!(remembered(&allocator, [("A".to_owned(), vec![])].into())["A"].is_empty());
        // the pools are gone, and come back
        allocator.follow(Vec::new(), Holdings::new(), at(0));
        allocator.follow(Vec::new(), Holdings::new(), at(300));
        let full = |one: Held| Held { left: pools[0].idle, ..one };
        assert_eq!(remembered(&allocator, Holdings::new())["A"], [full(one(5, 1)), full(one(6, 2))]);
        let there = [("B".to_owned(), vec![one(9, 2)])].into();
        assert_eq!(remembered(&allocator, there)["A"], [full(one(5, 1))], "another host has it meanwhile");
        allocator.every_second(None, at(600));
        assert!(remembered(&allocator, Holdings::new()).is_empty());
    }

    #[test]
    fn idle_hosts_are_looked_for_sooner_while_an_address_is_wanted() {
        let at = |seconds| Instant::from_origin(Duration::from_secs(seconds));
        let mut allocator = Allocator { pools: of(), ..Allocator::default() };
        assert!(allocator.should_look(at(0)));
        allocator.looked = Some(at(0));
        assert!(!allocator.should_look(at(59)) && allocator.should_look(at(60)));
        allocator.missed(Vec::new(), at(1));
        assert!(!allocator.should_look(at(10)));
        allocator.missed(vec![(0, host(7))], at(1));
        assert!(!allocator.should_look(at(9)) && allocator.should_look(at(10)));
    }

    #[test]
    fn a_report_tells_the_pool_and_the_host() {
        let report = |prefix: &str, bytes: &[u8]| Packet {
            prefix: prefix.into(),
            bytes: bytes.to_vec(),
            ..Packet::default()
        };
        let bytes = header(host(5), address(1), 17, 0, 1000);
        assert_eq!(asks(&report("hubward pool 3f", &bytes)), Some(("3f", host(5))));
        assert_eq!(asks(&report("hubward 3", &bytes)), None);
        assert_eq!(asks(&report("hubward pool 3", &bytes[..19])), None);
    }
}
