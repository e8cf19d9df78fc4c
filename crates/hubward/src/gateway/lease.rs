//! `ip local pool`: one address for a user's device, kept across reconnects and restarts in a small
//! database.

use crate::base::family::v4_address;
use crate::base::store::{LEASES, Rows, Store};
use crate::gateway::pool::Free;
use hubward_config::model::Pool;
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::ike::io::{LeaseError, LeaseOwner};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where leases are stored. A store may be slow: only the leases' own thread waits for it.
pub(crate) enum LeaseStore {
    /// This machine's database.
    Local(Store),
    /// One that answers when the test lets it.
    #[cfg(test)]
    Stuck(std::sync::mpsc::Receiver<()>),
}

impl LeaseStore {
    fn rows(&self) -> Rows {
        match self {
            Self::Local(store) => store.rows(LEASES),
            #[cfg(test)]
            Self::Stuck(_) => Rows::new(),
        }
    }

    /// Sets rows, or removes those without a value; returns when they are stored.
    fn write(&self, rows: &[(String, Option<Vec<u8>>)]) {
        match self {
            Self::Local(store) => store.write(LEASES, rows),
            #[cfg(test)]
            Self::Stuck(until) => until.recv().unwrap(),
        }
    }
}

/// The leases of all pools. Whatever is asked takes about as long for one lease as for very many.
pub(crate) struct Leases {
    store: LeaseStore,
    /// Pools that have addresses, by name.
    pools: BTreeMap<String, Free>,
    /// The address of each owner; it stays reserved for the owner after its session, until somebody
    /// else needs it.
    owned: BTreeMap<String, IpAddr>,
    /// The same the other way round: no address has two owners.
    owners: BTreeMap<IpAddr, String>,
    /// Addresses in use, with how often they were granted and not released: an answer that was too
    /// late is released when its owner may already have asked again.
    in_use: BTreeMap<IpAddr, u32>,
    /// Addresses that have an owner who does not use them, with their turn to be given to another.
    released: BTreeMap<IpAddr, u64>,
    next_turn: u64,
    /// What is still to be stored.
    unstored: Vec<(String, Option<Vec<u8>>)>,
}

fn key(pool: &str, owner: &LeaseOwner) -> String {
    let user = owner.user.as_deref().unwrap_or_default();
    [pool, &owner.group, user, &owner.device].join("\u{1f}")
}

/// An address as stored. The table has 32-bit numbers, so a lease of an IPv6 address lasts only as
/// long as the program runs.
fn row(address: IpAddr) -> Option<Vec<u8>> {
    v4_address(address).map(|address| address.octets().to_vec())
}

impl Leases {
    /// Starts with the leases of the previous process.
    pub(crate) fn open(store: LeaseStore) -> Self {
        let rows = store.rows();
        let mut leases = Self {
            store,
            pools: BTreeMap::new(),
            owned: BTreeMap::new(),
            owners: BTreeMap::new(),
            in_use: BTreeMap::new(),
            released: BTreeMap::new(),
            next_turn: 0,
            unstored: Vec::new(),
        };
        let mut wrong = Vec::new();
        for (key, row) in rows {
            let address = row.first_chunk::<4>().map(|octets| IpAddr::from(*octets));
            match address.filter(|address| !leases.owners.contains_key(address)) {
                Some(address) => {
                    leases.owners.insert(address, key.clone());
                    leases.owned.insert(key, address);
                    leases.put_back(address);
                }
                // no lease, or a second one of an address: a file that was not written here
                None => wrong.push((key, None)),
            }
        }
        if !wrong.is_empty() {
            leases.store.write(&wrong);
        }
        leases
    }

    /// Sets the configured pools.
    pub(crate) fn configure(&mut self, pools: &[Pool]) {
        self.pools.clear();
        for pool in pools {
            if let Some(range) = AddressRange::new(pool.low, pool.high) {
                self.pools.entry(pool.name.clone()).or_default().add(range);
            }
        }
        for (address, turn) in &self.released {
            self.pools.values_mut().for_each(|pool| pool.released(*address, *turn));
        }
    }

    /// Leases an address to an owner: the one it has, the one it asks for, the lowest that was
    /// never used, or the one that was released longest ago. Nobody may learn of it before
    /// [`Leases::store`] returned.
    pub(crate) fn grant(
        &mut self,
        pool: &str,
        owner: &LeaseOwner,
        wanted: Option<IpAddr>,
    ) -> Result<IpAddr, LeaseError> {
        let key = key(pool, owner);
        let Some(pool) = self.pools.get_mut(pool) else { return Err(LeaseError::NoPool) };
        // a session may still use an address that its owner lost to a change of the pools
        let known =
            |address: IpAddr| self.owners.contains_key(&address) || self.in_use.contains_key(&address);
        let had = self.owned.get(&key).copied().filter(|address| pool.contains(*address));
        let wanted = || wanted.filter(|address| pool.contains(*address) && !known(*address));
        let address = match had.or_else(wanted) {
            Some(address) => address,
            None => pool.fresh(known).or_else(|| pool.reused()).ok_or(LeaseError::Exhausted)?,
        };
        if let Some(other) = self.owners.insert(address, key.clone())
            && other != key
        {
            self.owned.remove(&other);
            self.unstored.push((other, None));
        }
        let before = self.owned.insert(key.clone(), address);
        if before != Some(address) {
            self.unstored.push((key, row(address)));
        }
        let turn = self.released.remove(&address);
        self.pools.values_mut().for_each(|pool| pool.taken(address, turn));
        if let Some(lost) = before.filter(|before| *before != address) {
            self.lose(lost);
        }
        *self.in_use.entry(address).or_default() += 1;
        Ok(address)
    }

    /// Returns when everything that was granted is stored.
    pub(crate) fn store(&mut self) {
        let rows = std::mem::take(&mut self.unstored);
        if !rows.is_empty() {
            self.store.write(&rows);
        }
    }

    /// One lease, stored.
    #[cfg(test)]
    pub(crate) fn lease(
        &mut self,
        pool: &str,
        owner: &LeaseOwner,
        wanted: Option<IpAddr>,
    ) -> Result<IpAddr, LeaseError> {
        let granted = self.grant(pool, owner, wanted);
        self.store();
        granted
    }

    /// One grant of the address is no longer used; returns whether the address is free now.
    pub(crate) fn release(&mut self, address: IpAddr) -> bool {
        let Some(uses) = self.in_use.get_mut(&address) else { return false };
        *uses -= 1;
        if *uses > 0 {
            return false;
        }
        self.in_use.remove(&address);
        match self.owners.contains_key(&address) {
            true => self.put_back(address),
            false => self.pools.values_mut().for_each(|pool| pool.forgotten(address)),
        }
        true
    }

    /// An address that has an owner is not used.
    fn put_back(&mut self, address: IpAddr) {
        let turn = self.next_turn;
        self.next_turn += 1;
        self.released.insert(address, turn);
        self.pools.values_mut().for_each(|pool| pool.released(address, turn));
    }

    /// The owner of an address has another one.
    fn lose(&mut self, address: IpAddr) {
        self.owners.remove(&address);
        let turn = self.released.remove(&address);
        self.pools.values_mut().for_each(|pool| pool.taken(address, turn));
        if !self.in_use.contains_key(&address) {
            self.pools.values_mut().for_each(|pool| pool.forgotten(address));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(user: &str, device: &str) -> LeaseOwner {
        LeaseOwner { group: "g".into(), user: Some(user.into()), device: device.into() }
    }

    fn pool() -> Pool {
        range("10.5.5.1", "10.5.5.2")
    }

    fn range(low: &str, high: &str) -> Pool {
        Pool { name: "p".into(), low: low.parse().unwrap(), high: high.parse().unwrap(), line: 1 }
    }

    #[test]
    fn an_owner_keeps_its_address_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut leases = Leases::open(LeaseStore::Local(Store::open(folder.path()).unwrap()));
        leases.configure(&[pool()]);
        let first = leases.lease("p", &owner("a", "1"), None).unwrap();
        let second = leases.lease("p", &owner("b", "2"), None).unwrap();
        assert_eq!((first.to_string(), second.to_string()), ("10.5.5.1".into(), "10.5.5.2".into()));
        drop(leases);
        let mut leases = Leases::open(LeaseStore::Local(Store::open(folder.path()).unwrap()));
        leases.configure(&[pool()]);
        assert_eq!(leases.lease("p", &owner("b", "2"), None), Ok(second));
    }

    #[test]
    fn a_pool_may_be_of_either_family() {
        let folder = tempfile::tempdir().unwrap();
        let store = || LeaseStore::Local(Store::open(folder.path()).unwrap());
        let mut leases = Leases::open(store());
        let wide = range("2001:db8:5::1", "2001:db8:5:0:ffff:ffff:ffff:ffff");
        leases.configure(&[range("10.5.5.1", "2001:db8:5::1"), range("10.5.5.9", "10.5.5.9"), wide]);
        let mut given = |user: &str| leases.lease("p", &owner(user, user), None).unwrap().to_string();
        assert_eq!(
            (given("a"), given("b"), given("c")),
            ("10.5.5.9".into(), "2001:db8:5::1".into(), "2001:db8:5::2".into())
        );
        drop(leases);
        assert_eq!(store().rows().into_values().collect::<Vec<_>>(), [[10, 5, 5, 9]], "no other is kept");
    }

    #[test]
    fn an_address_is_given_to_nobody_else_while_it_is_used() {
        let mut leases = Leases::open(LeaseStore::Local(Store::default()));
        leases.configure(&[pool()]);
        let first = leases.lease("p", &owner("a", "1"), None).unwrap();
        leases.lease("p", &owner("b", "2"), None).unwrap();
        assert_eq!(leases.lease("p", &owner("c", "3"), Some(first)), Err(LeaseError::Exhausted));
        assert!(leases.release(first));
        assert!(!leases.release(first), "it is free already");
        assert_eq!(leases.lease("p", &owner("c", "3"), None), Ok(first));
        assert_eq!(leases.lease("q", &owner("c", "3"), None), Err(LeaseError::NoPool));
    }

    /// The owner asked again before it was known that the first answer was not used.
    #[test]
    fn an_address_that_was_granted_twice_is_free_when_it_was_released_twice() {
        let mut leases = Leases::open(LeaseStore::Local(Store::default()));
        leases.configure(&[pool()]);
        let address = leases.lease("p", &owner("a", "1"), None).unwrap();
        assert_eq!(leases.lease("p", &owner("a", "1"), None), Ok(address));
        leases.lease("p", &owner("b", "2"), None).unwrap();
        assert!(!leases.release(address));
        assert_eq!(leases.lease("p", &owner("c", "3"), None), Err(LeaseError::Exhausted));
        assert!(leases.release(address));
        assert_eq!(leases.lease("p", &owner("c", "3"), None), Ok(address));
    }

    /// Every step with very many leases: a table that is searched for each would take minutes.
    #[test]
    fn twenty_thousand_leases_cost_as_much_each_as_one() {
        let mut leases = Leases::open(LeaseStore::Local(Store::default()));
        leases.configure(&[range("10.0.0.0", "10.0.78.31")]);
        let name = |number: u32| owner(&format!("user{number}"), "d");
        // other programs do not count
        let processor_time = || -> u64 {
            let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
            text.split(' ').next().unwrap().parse().unwrap()
        };
        let mut given = Vec::new();
        let mut quarters = Vec::new();
        for number in 0..20_000 {
            if number % 5_000 == 0 {
                quarters.push(processor_time());
            }
            given.push(leases.lease("p", &name(number), None).unwrap());
        }
        let (first, last) = (quarters[1] - quarters[0], processor_time() - quarters[3]);
        assert!(last < first * 4, "the first 5,000: {first} ns, the last: {last} ns");
        assert_eq!(given.iter().collect::<std::collections::BTreeSet<_>>().len(), given.len());
        assert_eq!(leases.lease("p", &owner("more", "d"), None), Err(LeaseError::Exhausted));
        for (number, address) in given.iter().enumerate() {
            assert!(leases.release(*address));
            // renewed, and ended
            assert_eq!(leases.lease("p", &name(number as u32), None), Ok(*address));
            assert!(leases.release(*address));
        }
        // others, who get what was released the longest ago
        for (number, address) in given.iter().enumerate() {
            let other = owner(&format!("other{number}"), "d");
            assert_eq!(leases.lease("p", &other, None), Ok(*address));
        }
    }

    /// The pools change under sessions: an address in use is given to nobody else, whoever owned
    /// it.
    #[test]
    fn an_address_in_use_survives_any_change_of_the_pools() {
        let mut leases = Leases::open(LeaseStore::Local(Store::default()));
        let named = |name: &str, low: &str, high: &str| Pool { name: name.into(), ..range(low, high) };
        leases.configure(&[named("p", "10.5.5.1", "10.5.5.2")]);
        let first = leases.lease("p", &owner("a", "1"), None).unwrap();
        // the owner gets another from the new range, while the first is in use
        leases.configure(&[named("p", "10.6.6.1", "10.6.6.2"), named("q", "10.5.5.1", "10.5.5.2")]);
        assert_eq!(leases.lease("p", &owner("a", "1"), None).unwrap().to_string(), "10.6.6.1");
        assert_eq!(leases.lease("q", &owner("b", "1"), Some(first)).unwrap().to_string(), "10.5.5.2");
        assert_eq!(leases.lease("q", &owner("c", "1"), None), Err(LeaseError::Exhausted));
        assert!(leases.release(first));
        assert_eq!(leases.lease("q", &owner("c", "1"), None), Ok(first), "a hole below the highest");
        assert_eq!(leases.lease("q", &owner("d", "1"), None), Err(LeaseError::Exhausted));
    }

    /// A file with two owners of one address: the second gets another.
    #[test]
    fn a_ledger_that_names_an_address_twice_leases_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let keys = [key("p", &owner("a", "1")), key("p", &owner("b", "1"))];
        let rows = [&keys[0], &keys[1]].map(|key| (key.clone(), Some(vec![10, 5, 5, 1])));
        store.write(LEASES, &rows);
        store.write(LEASES, &[("short".into(), Some(vec![0, 0, 0, 7]))]);
        let mut leases = Leases::open(LeaseStore::Local(store));
        leases.configure(&[pool()]);
        let first = leases.lease("p", &owner("a", "1"), None).unwrap();
        let second = leases.lease("p", &owner("b", "1"), None).unwrap();
        assert_eq!((first.to_string(), second.to_string()), ("10.5.5.1".into(), "10.5.5.2".into()));
    }

    /// Names the folder of the ledger in a process that is to be killed.
    const VICTIM: &str = "HUBWARD_TEST_LEDGER";
    const MANY: u32 = 5000;

    /// Leases address after address, and says of each that it was given, until it is killed.
    fn lease_until_killed(folder: &std::path::Path) {
        use std::io::Write as _;
        let mut leases = Leases::open(LeaseStore::Local(Store::open(folder).unwrap()));
        leases.configure(&[range("10.0.0.1", "10.0.50.255")]);
        let mut out = std::io::stdout().lock();
        for number in 0..MANY {
            let address = leases.lease("p", &owner(&format!("user{number}"), "d"), None).unwrap();
            writeln!(out, "lease {number} {address}").unwrap();
            out.flush().unwrap();
        }
    }

    /// The process is killed again and again between two writes and within one: each owner keeps
    /// the address that it was given, and no address is given twice.
    #[test]
    fn five_thousand_leases_outlive_kill_9() {
        use std::io::BufRead as _;
        if let Some(folder) = std::env::var_os(VICTIM) {
            return lease_until_killed(std::path::Path::new(&folder));
        }
        let folder = tempfile::tempdir().unwrap();
        let mut given: BTreeMap<u32, IpAddr> = BTreeMap::new();
        let mut rounds = 0;
        while given.len() < MANY as usize {
            let until = given.len() + 397 * (rounds % 3 + 1);
            let name = "gateway::lease::tests::five_thousand_leases_outlive_kill_9";
            let mut victim = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name, "--nocapture", "--test-threads=1"])
                .env(VICTIM, folder.path())
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let out = std::io::BufReader::new(victim.stdout.take().unwrap());
            for line in out.lines().map_while(Result::ok) {
                let words: Vec<_> = line.split(' ').collect();
                let Some(at) = words.iter().position(|word| word.ends_with("lease")) else { continue };
                let [number, address] = words[at + 1..] else { continue };
                let (number, address) = (number.parse().unwrap(), address.parse().unwrap());
                let before = given.insert(number, address);
                assert!(before.is_none_or(|before| before == address), "{number}: {before:?} and {address}");
                if given.len() == until {
                    victim.kill().unwrap();
                }
            }
            victim.wait().unwrap();
            rounds += 1;
            assert!(rounds < 100, "{} leases", given.len());
        }
        assert!(rounds > 5, "it was killed {rounds} times");
        let different: std::collections::BTreeSet<_> = given.values().collect();
        assert_eq!(different.len(), MANY as usize, "an address was given twice");
        let mut leases = Leases::open(LeaseStore::Local(Store::open(folder.path()).unwrap()));
        leases.configure(&[range("10.0.0.1", "10.0.50.255")]);
        for (number, address) in given {
            assert_eq!(leases.lease("p", &owner(&format!("user{number}"), "d"), None), Ok(address));
        }
    }
}
