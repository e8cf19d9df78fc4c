//! Guessing passwords takes time: after some failures a login is refused without being checked, for
//! longer with each further failure. SSH, `enable` and Xauth count together.
//!
//! Nobody locks anybody else out at another address. Failures are counted for a user at an address
//! first; an address as a whole, behind which there may be many users, waits only for seconds, and
//! whoever logged in from there before does not wait for the others, unless they try his name. The
//! failures of a user at many addresses count only against addresses that have failed themselves:
//! the right password from an address that never failed is always checked.
//!
//! [`Lockout::waiting`] says who waits, for `show aaa local user lockout` and `why`.

use hubward_crypto::mac;
use hubward_crypto::suite::HashAlg;
use hubward_proto::names::Untrusted;
use hubward_proto::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Failures after which a user waits at an address; as many tries as Xauth and SSH give at once.
const OF_A_USER_HERE: Measure = Measure { free: 3, longest: Duration::from_secs(60) };
/// Failures after which an address waits, whatever users are tried there.
const OF_AN_ADDRESS: Measure = Measure { free: 10, longest: Duration::from_secs(15) };
/// Failures of a user at all addresses, after which addresses that have failed wait.
const OF_A_USER: Measure = Measure { free: 20, longest: Duration::from_secs(60) };
/// Failures are forgotten after this time without another.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);
/// Rows of each table; the one that was not changed for the longest time gives way.
const ROWS: usize = 4096;
/// Bytes of a user's name that are remembered to show it.
const SHOWN: usize = 64;
/// Stands for the rest of a name that was cut. No name has a space where an operator types it, so
/// none that was cut is taken for a whole one.
const CUT: &str = " ...";

/// How long the wait is after so many failures.
struct Measure {
    free: u32,
    longest: Duration,
}

impl Measure {
    /// Two seconds, and twice as long after each further failure.
    fn wait(&self, failures: u32) -> Duration {
        match failures.checked_sub(self.free) {
            None => Duration::ZERO,
            Some(more) => Duration::from_secs(2 << more.min(16)).min(self.longest),
        }
    }
}

/// An address of IPv4, or a network of 64 bits of IPv6, which is what one machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Source(IpAddr);

impl Source {
    /// That of a machine's address.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes())),
            address => Self(address),
        }
    }
}

/// A user's name as it is counted: hashed, because a stranger chooses its length, and in lower
/// case, because `local` takes names in either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct User([u8; 16]);

impl User {
    fn of(name: &str) -> Self {
        let hash = mac::hash(HashAlg::Sha256, &[name.to_ascii_lowercase().as_bytes()]);
        Self(hash.first_chunk().copied().unwrap_or_default())
    }
}

/// What a password is for, with the user's name as it was typed, or as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Account<U> {
    /// A login of a user, whether there is one of that name or not.
    Login(U),
    /// `enable LEVEL` of a user who has logged in.
    Enable(u8, U),
}

impl<U: Copy> Account<U> {
    /// The user.
    fn user(self) -> U {
        match self {
            Self::Login(user) | Self::Enable(_, user) => user,
        }
    }

    /// The level of `enable`, if it is its password.
    fn enable(self) -> Option<u8> {
        match self {
            Self::Login(_) => None,
            Self::Enable(level, _) => Some(level),
        }
    }
}

impl Account<&str> {
    fn key(self) -> Account<User> {
        match self {
            Self::Login(user) => Account::Login(User::of(user)),
            Self::Enable(level, user) => Account::Enable(level, User::of(user)),
        }
    }
}

impl<'n> From<&'n str> for Account<&'n str> {
    fn from(user: &'n str) -> Self {
        Self::Login(user)
    }
}

/// Whose passwords are not checked for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// One user's, at one address. For `enable`, its level, and the user who has logged in.
    UserAt { user: Untrusted, enable: Option<u8>, source: IpAddr },
    /// Those of all users at one address, except of those who logged in from there before.
    AnyAt { source: IpAddr },
    /// One user's, at all addresses from which any password was wrong; this one was the last.
    UserEverywhere { user: Untrusted, enable: Option<u8>, last: IpAddr },
}

impl Whose {
    /// The user's name, if it is one user's; for `enable`, that of the user who has logged in.
    pub(crate) fn user(&self) -> Option<&Untrusted> {
        match self {
            Self::UserAt { user, .. } | Self::UserEverywhere { user, .. } => Some(user),
            Self::AnyAt { .. } => None,
        }
    }

    /// The level of `enable`, if it is its password.
    pub(crate) fn enable(&self) -> Option<u8> {
        match self {
            Self::UserAt { enable, .. } | Self::UserEverywhere { enable, .. } => *enable,
            Self::AnyAt { .. } => None,
        }
    }

    /// The address, or the last one. Of IPv6, it is the first of its network.
    pub(crate) fn source(&self) -> IpAddr {
        match self {
            Self::UserAt { source, .. } | Self::AnyAt { source } => *source,
            Self::UserEverywhere { last, .. } => *last,
        }
    }
}

/// Somebody who is locked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LockedOut {
    pub(crate) whose: Whose,
    /// Wrong passwords that were counted.
    pub(crate) failures: u32,
    /// When the wait began: at the last wrong password.
    pub(crate) since: Instant,
    /// When a password is checked again.
    pub(crate) until: Instant,
}

/// What is counted of one key.
#[derive(Clone, Debug)]
struct Row {
    failures: u32,
    /// When it was last changed.
    since: Instant,
    /// The user's name, or its beginning and [`CUT`], where one is counted.
    name: Arc<[u8]>,
    /// Where the last failure came from.
    last: Source,
}

impl Row {
    fn user(&self) -> Untrusted {
        Untrusted::new(&*self.name)
    }
}

/// A name as it is shown, if it is not too long.
fn remembered(name: &str) -> Arc<[u8]> {
    match name.len() > SHOWN {
        true => {
            [name.get(..name.floor_char_boundary(SHOWN)).unwrap_or_default(), CUT].concat().as_bytes().into()
        }
        false => name.as_bytes().into(),
    }
}

/// Rows of which the oldest gives way.
#[derive(Debug)]
struct Table<K> {
    rows: BTreeMap<K, Row>,
    by_age: BTreeSet<(Instant, K)>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), by_age: BTreeSet::new() }
    }
}

impl<K: Copy + Ord> Table<K> {
    fn get(&self, key: K, now: Instant) -> Option<&Row> {
        self.rows.get(&key).filter(|row| now.since(row.since) < FORGOTTEN)
    }

    fn set(&mut self, key: K, row: Row) {
        self.remove(key);
        let now = row.since;
        if self.rows.len() >= ROWS
            && let Some((_, oldest)) = self.by_age.first().copied()
        {
            self.remove(oldest);
        }
        self.rows.insert(key, row);
        self.by_age.insert((now, key));
    }

    fn remove(&mut self, key: K) {
        if let Some(row) = self.rows.remove(&key) {
            self.by_age.remove(&(row.since, key));
        }
    }

    fn count(&mut self, key: K, name: &Arc<[u8]>, last: Source, now: Instant) {
        let failures = self.get(key, now).map_or(0, |row| row.failures).saturating_add(1);
        self.set(key, Row { failures, since: now, name: Arc::clone(name), last });
    }

    fn wait(&self, key: K, measure: &Measure, now: Instant) -> Duration {
        let row = self.get(key, now);
        row.map_or(Duration::ZERO, |row| measure.wait(row.failures).saturating_sub(now.since(row.since)))
    }

    /// Those who wait.
    fn waiting<'t>(
        &'t self,
        measure: &'t Measure,
        now: Instant,
        whose: impl Fn(&K, &Row) -> Whose + 't,
    ) -> impl Iterator<Item = LockedOut> + 't {
        self.rows.iter().filter_map(move |(key, row)| {
            let until = row.since + measure.wait(row.failures);
            let locked =
                || LockedOut { whose: whose(key, row), failures: row.failures, since: row.since, until };
            (until > now).then(locked)
        })
    }

    /// Removes all for which this holds, and returns them.
    fn remove_where(&mut self, holds: impl Fn(&K) -> bool) -> Vec<K> {
        let gone: Vec<_> = self.rows.keys().filter(|key| holds(key)).copied().collect();
        gone.iter().for_each(|key| self.remove(*key));
        gone
    }
}

#[derive(Debug, Default)]
struct Tables {
    here: Table<(Source, Account<User>)>,
    addresses: Table<Source>,
    users: Table<Account<User>>,
    /// Who logged in from where; failures are not counted in it.
    welcome: Table<(Source, Account<User>)>,
}

/// The failures of all logins.
#[derive(Debug, Default)]
pub(crate) struct Lockout(Mutex<Tables>);

impl Lockout {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long this user has to wait at this address until a password is checked; `None` if it is
    /// checked now. An attempt before that counts nothing and prolongs nothing.
    pub(crate) fn wait<'n>(
        &self,
        from: IpAddr,
        account: impl Into<Account<&'n str>>,
        now: Instant,
    ) -> Option<Duration> {
        let (source, account) = (Source::of(from), account.into().key());
        let tables = self.tables();
        let mut wait = tables.here.wait((source, account), &OF_A_USER_HERE, now);
        if !tables.welcome.rows.contains_key(&(source, account)) {
            wait = wait.max(tables.addresses.wait(source, &OF_AN_ADDRESS, now));
            if tables.addresses.get(source, now).is_some() {
                wait = wait.max(tables.users.wait(account, &OF_A_USER, now));
            }
        }
        (!wait.is_zero()).then_some(wait)
    }

    /// Whether a user who waits does so only for what others failed at his address: nothing is held
    /// against him.
    pub(crate) fn waits_for_others<'n>(
        &self,
        from: IpAddr,
        account: impl Into<Account<&'n str>>,
        now: Instant,
    ) -> bool {
        let (source, account) = (Source::of(from), account.into().key());
        let tables = self.tables();
        tables.here.wait((source, account), &OF_A_USER_HERE, now).is_zero()
            && tables.users.wait(account, &OF_A_USER, now).is_zero()
    }

    /// A password was wrong.
    pub(crate) fn failed<'n>(&self, from: IpAddr, account: impl Into<Account<&'n str>>, now: Instant) {
        let account = account.into();
        let (source, key, name) = (Source::of(from), account.key(), remembered(account.user()));
        let mut tables = self.tables();
        tables.here.count((source, key), &name, source, now);
        tables.addresses.count(source, &Arc::default(), source, now);
        tables.users.count(key, &name, source, now);
    }

    /// A user logged in. Only what he failed at this address is forgotten: with a password of his
    /// own nobody guesses another's any faster.
    pub(crate) fn passed<'n>(&self, from: IpAddr, account: impl Into<Account<&'n str>>, now: Instant) {
        let key = (Source::of(from), account.into().key());
        let mut tables = self.tables();
        tables.here.remove(key);
        tables.welcome.set(key, Row { failures: 0, since: now, name: Arc::default(), last: key.0 });
    }

    /// Who waits now, those first whose wait began last.
    pub(crate) fn waiting(&self, now: Instant) -> Vec<LockedOut> {
        let tables = self.tables();
        let here = tables.here.waiting(&OF_A_USER_HERE, now, |(source, account), row| Whose::UserAt {
            user: row.user(),
            enable: account.enable(),
            source: source.0,
        });
        let addresses =
            tables.addresses.waiting(&OF_AN_ADDRESS, now, |source, _| Whose::AnyAt { source: source.0 });
        let users = tables.users.waiting(&OF_A_USER, now, |account, row| Whose::UserEverywhere {
            user: row.user(),
            enable: account.enable(),
            last: row.last.0,
        });
        let mut all: Vec<_> = here.chain(users).chain(addresses).collect();
        all.sort_by_key(|locked| std::cmp::Reverse(locked.since));
        all
    }

    /// Forgets the failures of one user, those with `enable` too, and of the addresses from which he
    /// failed; or all. His next password is checked at once, wherever it comes from. Returns whether
    /// there were any.
    pub(crate) fn forget(&self, user: Option<&str>) -> bool {
        let mut tables = self.tables();
        let Some(user) = user else {
            let Tables { here, addresses, users, welcome: _ } = &mut *tables;
            let any = !here.rows.is_empty() || !users.rows.is_empty() || !addresses.rows.is_empty();
            (*here, *addresses, *users) = Default::default();
            return any;
        };
        let user = User::of(user);
        let gone = tables.here.remove_where(|(_, account)| account.user() == user);
        gone.iter().for_each(|(source, _)| tables.addresses.remove(*source));
        let everywhere = tables.users.remove_where(|account| account.user() == user);
        !gone.is_empty() || !everywhere.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn address(number: u32) -> IpAddr {
        IpAddr::from((0x0a00_0000 + number).to_be_bytes())
    }

    /// Guesses as fast as it is let, and returns how many passwords were checked.
    fn guesses(lockout: &Lockout, seconds: u64, mut next: impl FnMut(u32) -> (IpAddr, String)) -> u32 {
        let mut checked = 0;
        for second in 0..seconds {
            // ten tries a second
            for _ in 0..10 {
                let (from, user) = next(checked);
                if lockout.wait(from, &*user, at(second)).is_none() {
                    lockout.failed(from, &*user, at(second));
                    checked += 1;
                }
            }
        }
        checked
    }

    #[test]
    fn guessing_one_users_password_from_one_address_becomes_slow() {
        let lockout = Lockout::default();
        let checked = guesses(&lockout, 3600, |_| (address(1), "anna".into()));
        assert!((3..70).contains(&checked), "{checked} in an hour");
        // another user at that address waits for seconds
        assert!(lockout.wait(address(1), "bert", at(3600)).is_none_or(|wait| wait <= OF_AN_ADDRESS.longest));
        // and who was there before does not
        let lockout = Lockout::default();
        lockout.passed(address(1), "bert", at(0));
        guesses(&lockout, 3600, |_| (address(1), "anna".into()));
        assert_eq!(lockout.wait(address(1), "bert", at(3600)), None);
    }

    #[test]
    fn guessing_one_password_for_many_users_from_one_address_becomes_slow() {
        let lockout = Lockout::default();
        let checked = guesses(&lockout, 3600, |number| (address(1), format!("user{number}")));
        assert!((10..300).contains(&checked), "{checked} in an hour");
    }

    /// An address that guessed once is measured by all of them; the user comes in from elsewhere,
    /// however many guess.
    #[test]
    fn many_addresses_do_not_lock_a_user_out() {
        let lockout = Lockout::default();
        let mut each = vec![0; 100];
        guesses(&lockout, 3600, |number| {
            if let Some(count) = each.get_mut(number as usize % 100) {
                *count += 1;
            }
            (address(number % 100), "anna".into())
        });
        assert_eq!(lockout.wait(address(5000), "anna", at(3600)), None, "from an address that never failed");
        assert!(lockout.wait(address(1), "anna", at(3600)).is_some_and(|wait| wait <= OF_A_USER.longest));
        let checked = guesses(&lockout, 600, |number| (address(number % 100), "ANNA".into()));
        assert!(checked < 100, "{checked} with 100 addresses that have failed");
    }

    #[test]
    fn a_login_forgets_the_failures_and_time_does() {
        let lockout = Lockout::default();
        let fail = |count: u32| (0..count).for_each(|_| lockout.failed(address(1), "anna", at(10)));
        fail(2);
        assert_eq!(lockout.wait(address(1), "anna", at(10)), None);
        fail(1);
        assert_eq!(lockout.wait(address(1), "anna", at(10)), Some(Duration::from_secs(2)));
        assert_eq!(lockout.wait(address(1), "anna", at(12)), None, "after two seconds");
        fail(1);
        assert_eq!(lockout.wait(address(1), "Anna", at(10)), Some(Duration::from_secs(4)));
        lockout.passed(address(1), "anna", at(14));
        fail(1);
        assert_eq!(lockout.wait(address(1), "anna", at(14)), None);
        fail(9);
        assert_eq!(lockout.wait(address(1), "anna", at(10)), Some(OF_A_USER_HERE.longest));
        assert_eq!(lockout.wait(address(1), "anna", at(10) + FORGOTTEN), None);
        fail(1);
        assert_eq!(lockout.wait(address(2), "anna", at(10)), None);
    }

    #[test]
    fn an_address_of_ipv6_is_its_network() {
        let lockout = Lockout::default();
        for number in 0..3u128 {
            let from = IpAddr::from((0x2001_0db8_u128 << 96 | number).to_be_bytes());
            lockout.failed(from, "anna", at(0));
        }
        assert!(lockout.wait("2001:db8::77".parse().unwrap(), "anna", at(0)).is_some());
        assert!(lockout.wait("2001:db8:0:1::77".parse().unwrap(), "anna", at(0)).is_none());
        (0..3).for_each(|_| lockout.failed("::ffff:10.0.0.1".parse().unwrap(), "bert", at(0)));
        assert!(lockout.wait(address(1), "bert", at(0)).is_some(), "the same address as IPv6 writes it");
    }

    /// As many rows as there may be, and one more: the oldest gives way, and the others stay.
    #[test]
    fn failures_of_any_number_of_addresses_take_no_more_memory() {
        let lockout = Lockout::default();
        for number in 0..20_000 {
            lockout.failed(address(number), &*format!("user{number}"), at(number.into()));
            lockout.passed(address(number), &*format!("user{number}"), at(number.into()));
            lockout.failed(address(number), &*format!("user{number}"), at(number.into()));
        }
        let tables = lockout.tables();
        assert_eq!((tables.here.rows.len(), tables.here.by_age.len()), (ROWS, ROWS));
        assert_eq!((tables.addresses.rows.len(), tables.users.rows.len()), (ROWS, ROWS));
        assert_eq!(tables.welcome.rows.len(), ROWS);
        assert!(tables.addresses.rows.contains_key(&Source(address(19_999))));
        assert!(!tables.addresses.rows.contains_key(&Source(address(0))));
    }

    /// What is shown of those who wait is what keeps them out; when nobody waits, nobody is shown.
    #[test]
    fn whoever_waits_is_shown_with_the_end_of_the_wait() {
        let lockout = Lockout::default();
        (0..3).for_each(|_| lockout.failed(address(1), "anna", at(10)));
        (0..3).for_each(|_| lockout.failed(address(2), Account::Enable(15, "admin"), at(11)));
        let user = |name: &str| Untrusted::new(name);
        let here = LockedOut {
            whose: Whose::UserAt { user: user("anna"), enable: None, source: address(1) },
            failures: 3,
            since: at(10),
            until: at(12),
        };
        let enable = LockedOut {
            whose: Whose::UserAt { user: user("admin"), enable: Some(15), source: address(2) },
            failures: 3,
            since: at(11),
            until: at(13),
        };
        assert_eq!(lockout.waiting(at(11)), [enable.clone(), here]);
        assert_eq!(lockout.waiting(at(12)), [enable]);
        assert_eq!(lockout.waiting(at(13)), []);
        (0..20).for_each(|number| lockout.failed(address(10 + number), "bert", at(20)));
        let everywhere = LockedOut {
            whose: Whose::UserEverywhere { user: user("bert"), enable: None, last: address(29) },
            failures: 20,
            since: at(20),
            until: at(22),
        };
        assert_eq!(lockout.waiting(at(20)), [everywhere]);
        (0..10).for_each(|number| lockout.failed(address(5), &*format!("user{number}"), at(30)));
        let any = lockout.waiting(at(30)).remove(0);
        assert_eq!((any.whose, any.until), (Whose::AnyAt { source: address(5) }, at(32)));
    }

    /// Whose failures are forgotten comes in at once, wherever he failed; others still wait.
    #[test]
    fn an_operator_ends_a_lockout() {
        let lockout = Lockout::default();
        (0..12).for_each(|_| lockout.failed(address(1), "Anna", at(10)));
        (0..12).for_each(|_| lockout.failed(address(2), "anna", at(10)));
        (0..5).for_each(|_| lockout.failed(address(2), Account::Enable(15, "anna"), at(10)));
        (0..5).for_each(|_| lockout.failed(address(3), "bert", at(10)));
        assert!(!lockout.forget(Some("carl")));
        assert!(lockout.forget(Some("anna")));
        for place in [1, 2, 3] {
            assert_eq!(lockout.wait(address(place), "anna", at(10)), None, "{place}");
        }
        assert_eq!(lockout.wait(address(2), Account::Enable(15, "anna"), at(10)), None);
        assert!(lockout.wait(address(3), "bert", at(10)).is_some());
        assert_eq!(lockout.waiting(at(10)).len(), 1);
        assert!(lockout.forget(None));
        assert_eq!(lockout.waiting(at(10)), []);
        assert_eq!(lockout.wait(address(3), "bert", at(10)), None);
        assert!(!lockout.forget(None));
    }

    /// A stranger's name takes no more room than a user's.
    #[test]
    fn a_long_name_is_cut() {
        let lockout = Lockout::default();
        (0..3).for_each(|_| lockout.failed(address(1), &*"a".repeat(100_000), at(0)));
        let shown = lockout.waiting(at(0)).remove(0);
        assert_eq!(shown.whose.user(), Some(&Untrusted::new("a".repeat(SHOWN) + CUT)));
        assert_eq!(&*remembered(&"a".repeat(SHOWN)), "a".repeat(SHOWN).as_bytes(), "as long as may be");
        // in the middle of a letter of two bytes
        assert_eq!(
            &*remembered(&format!("a{}", "é".repeat(40))),
            format!("a{}{CUT}", "é".repeat(31)).as_bytes()
        );
    }

    /// A stranger may log in by any name, also one that looks like something of ours.
    #[test]
    fn no_name_of_a_login_counts_against_enable() {
        let (lockout, looks_like_it) = (Lockout::default(), "\0enable 15 admin");
        (0..5).for_each(|_| lockout.failed(address(1), looks_like_it, at(0)));
        assert!(lockout.wait(address(1), looks_like_it, at(0)).is_some());
        assert_eq!(lockout.wait(address(1), Account::Enable(15, "admin"), at(0)), None);
        for name in [looks_like_it, "enable 15 admin", "15 admin", "admin"] {
            (0..30).for_each(|number| lockout.failed(address(number % 2), name, at(0)));
        }
        let enable = Account::Enable(15, "admin");
        let of_enable =
            lockout.waiting(at(0)).iter().filter(|locked| locked.whose.enable().is_some()).count();
        assert_eq!(of_enable, 0, "nothing is shown of it");
        assert!(!lockout.tables().users.rows.contains_key(&enable.key()));
        lockout.passed(address(1), enable, at(0));
        assert_eq!(lockout.wait(address(1), enable, at(0)), None);
        assert_eq!(lockout.wait(address(5), enable, at(0)), None);
        assert!(lockout.wait(address(1), "admin", at(0)).is_some());
        // nor do other levels, other users, or logins wait for an `enable`
        (0..5).for_each(|_| lockout.failed(address(7), enable, at(0)));
        assert!(lockout.wait(address(7), Account::Enable(15, "Admin"), at(0)).is_some());
        for other in [Account::Enable(7, "admin"), Account::Enable(15, "anna"), "bert".into()] {
            assert_eq!(lockout.wait(address(7), other, at(0)), None, "{other:?}");
        }
    }

    /// The command finds a user's rows of `enable` in whatever case he wrote his name, and however
    /// long it is.
    #[test]
    fn the_end_of_a_lockout_is_also_that_of_enable() {
        for (typed, given) in [("Admin", "aDMIN"), (&*"a".repeat(70), &*"A".repeat(70))] {
            let lockout = Lockout::default();
            (0..5).for_each(|_| lockout.failed(address(1), Account::Enable(15, typed), at(0)));
            (0..5).for_each(|_| lockout.failed(address(2), Account::Enable(7, given), at(0)));
            assert!(lockout.forget(Some(given)), "{given}");
            assert_eq!(lockout.waiting(at(0)), []);
            assert_eq!(lockout.wait(address(1), Account::Enable(15, typed), at(0)), None);
        }
    }

    #[test]
    fn who_waits_for_others_at_his_address_has_failed_nothing_himself() {
        let lockout = Lockout::default();
        (0..10).for_each(|number| lockout.failed(address(1), &*format!("user{number}"), at(0)));
        assert!(lockout.wait(address(1), "anna", at(0)).is_some());
        assert!(lockout.waits_for_others(address(1), "anna", at(0)));
        (0..3).for_each(|_| lockout.failed(address(1), "anna", at(0)));
        assert!(!lockout.waits_for_others(address(1), "anna", at(0)));
        (0..20).for_each(|number| lockout.failed(address(number), "bert", at(0)));
        assert!(!lockout.waits_for_others(address(1), "bert", at(0)), "they are tries of his name");
    }
}
