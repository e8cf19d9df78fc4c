//! The thread `leases`, which owns the leases of the pools and is the only one that waits for the
//! disk they are on. It carries out orders in sequence, so a release precedes the next peer's
//! question.

use crate::base::inbox::Inbox;
use crate::gateway::asks::alarm::{Alarm, Busy, STATE};
use crate::gateway::lease::Leases;
use crate::supervise::{BEAT, Heart, Supervisor};
use hubward_config::model::Pool;
use hubward_proto::ike::io::{Answer, AskId, LeaseError, LeaseOwner};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};

/// How many questions may wait: while a disk does not answer, peers ask repeatedly.
const WAITING: usize = 4096;
/// How many orders are carried out together, and stored at once: a disk that takes seconds makes a
/// hundred clients wait as long as one.
const TOGETHER: usize = 256;

/// An order to the thread.
enum Order {
    Lease { id: AskId, pool: String, owner: LeaseOwner, wanted: Option<IpAddr> },
    Release(IpAddr),
    Configure(Vec<Pool>),
}

/// What is reported of an order that was carried out.
enum Done {
    Lease { id: AskId, pool: String, lease: Result<IpAddr, LeaseError> },
    Free(IpAddr),
}

/// Where the gateway asks for leases.
pub(crate) struct LeaseDesk {
    orders: Sender<Order>,
    /// Questions that are not answered yet.
    waiting: Arc<AtomicUsize>,
    alarm: Alarm,
}

impl LeaseDesk {
    /// Starts the thread. `shown` is called with the addresses that are in use, and with those that
    /// are free again.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start(
        supervisor: &Arc<Supervisor>,
        leases: Leases,
        gateway: &Arc<Inbox>,
        shown: impl Fn(IpAddr, bool) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (orders, ordered) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let alarm = Alarm::new("clients get no address");
        let mut task = Task {
            leases,
            gateway: Arc::clone(gateway),
            waiting: Arc::clone(&waiting),
            shown: Box::new(shown),
        };
        let busy = alarm.busy();
        supervisor.spawn("leases", move |heart| task.run(heart, &ordered, &busy))?;
        Ok(Self { orders, waiting, alarm })
    }

    /// Asks for a lease; refuses it at once if too many others wait.
    pub(crate) fn ask(
        &self,
        id: AskId,
        pool: String,
        owner: LeaseOwner,
        wanted: Option<IpAddr>,
    ) -> Option<Answer> {
        let refused = Some(Answer::Lease(Err(LeaseError::Busy)));
        if self.waiting.load(Ordering::Relaxed) >= WAITING {
            return refused;
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        match self.orders.send(Order::Lease { id, pool, owner, wanted }) {
            Ok(()) => None,
            // the thread has panicked, and the program ends
            Err(_) => refused,
        }
    }

    /// Releases a lease. There are never more of these than leases.
    pub(crate) fn release(&self, address: IpAddr) {
        let _ended = self.orders.send(Order::Release(address));
    }

    /// Uses other pools from the next question on.
    pub(crate) fn configure(&self, pools: &[Pool]) {
        let _ended = self.orders.send(Order::Configure(pools.to_vec()));
    }

    /// Called once a second: logs that the disk does not answer, and that it answers again.
    pub(crate) fn look(&mut self) {
        self.alarm.look();
    }
}

struct Task {
    leases: Leases,
    gateway: Arc<Inbox>,
    waiting: Arc<AtomicUsize>,
    shown: Box<dyn Fn(IpAddr, bool) + Send>,
}

impl Task {
    fn run(&mut self, heart: &Heart, ordered: &Receiver<Order>, busy: &Busy) {
        loop {
            heart.beat();
            match ordered.recv_timeout(BEAT) {
                Ok(order) => {
                    let orders = std::iter::once(order).chain(ordered.try_iter().take(TOGETHER - 1));
                    let orders: Vec<_> = orders.collect();
                    busy.during(STATE, || heart.away(|| self.carry_out(orders)));
                }
                Err(RecvTimeoutError::Timeout) => {}
                // the gateway has ended
                Err(RecvTimeoutError::Disconnected) => return heart.retire(),
            }
        }
    }

    fn carry_out(&mut self, orders: Vec<Order>) {
        let mut done = Vec::with_capacity(orders.len());
        for order in orders {
            match order {
                Order::Lease { id, pool, owner, wanted } => {
                    let lease = self.leases.grant(&pool, &owner, wanted);
                    done.push(Done::Lease { id, pool, lease });
                }
                Order::Release(address) => {
                    if self.leases.release(address) {
                        done.push(Done::Free(address));
                    }
                }
                Order::Configure(pools) => self.leases.configure(&pools),
            }
        }
        self.leases.store();
        done.into_iter().for_each(|done| self.report(done));
    }

    fn report(&self, done: Done) {
        match done {
            Done::Lease { id, pool, lease } => {
                match lease {
                    Ok(address) => (self.shown)(address, true),
                    Err(LeaseError::Exhausted) => {
                        tracing::warn!("%IP-4-POOL: local pool {pool} has no free address");
                    }
                    Err(_) => {}
                }
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                // a gateway that has ended needs no answer
                let _ended = self.gateway.answer(id, Answer::Lease(lease));
            }
            Done::Free(address) => (self.shown)(address, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::message::Message;
    use crate::base::store::Store;
    use crate::gateway::asks::logins::{Logins, Work};
    use crate::gateway::lease::LeaseStore;
    use hubward_crypto::secret::Secret;
    use std::sync::mpsc::Sender;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn pool(last: u8) -> Pool {
        Pool { name: "p".into(), low: [10, 5, 5, 1].into(), high: [10, 5, 5, last].into(), line: 1 }
    }

    fn owner(user: &str) -> LeaseOwner {
        LeaseOwner { group: "g".into(), user: Some(user.into()), device: user.into() }
    }

    struct Bench {
        desk: LeaseDesk,
        gateway: Arc<Inbox>,
        supervisor: Arc<Supervisor>,
        shown: Receiver<(IpAddr, bool)>,
    }

    impl Bench {
        /// With a pool of so many addresses.
        fn new(store: LeaseStore, size: u8) -> Self {
            let (supervisor, gateway) = (Supervisor::new(), Arc::new(Inbox::default()));
            let mut leases = Leases::open(store);
            leases.configure(&[pool(size)]);
            let (show, shown) = channel();
            let desk = LeaseDesk::start(&supervisor, leases, &gateway, move |address, in_use| {
                let _ended = show.send((address, in_use));
            });
            Self { desk: desk.unwrap(), gateway, supervisor, shown }
        }

        fn stuck(size: u8) -> (Self, Sender<()>) {
            let (go_on, until) = channel();
            (Self::new(LeaseStore::Stuck(until), size), go_on)
        }

        fn ask(&self, id: u64, user: &str) -> Option<Answer> {
            self.desk.ask(AskId(id), "p".into(), owner(user), None)
        }

        /// The next answer, which must arrive through the inbox.
        fn answer(&self) -> (u64, Answer) {
            match self.gateway.take(PATIENCE) {
                Some(Message::Answer(id, answer)) => (id.0, answer),
                _ => panic!("no answer"),
            }
        }

        fn lease(&self) -> (u64, Result<u8, LeaseError>) {
            match self.answer() {
                (id, Answer::Lease(Ok(IpAddr::V4(address)))) => (id, Ok(address.octets()[3])),
                (id, Answer::Lease(Err(error))) => (id, Err(error)),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_release_comes_before_the_question_after_it() {
        let bench = Bench::new(LeaseStore::Local(Store::default()), 1);
        for round in 0..50 {
            assert!(bench.ask(round * 2, "a").is_none(), "it comes through the inbox");
            assert_eq!(bench.lease(), (round * 2, Ok(1)));
            // there is one address: the next client gets it only after the release
            bench.desk.release([10, 5, 5, 1].into());
            assert!(bench.ask(round * 2 + 1, "b").is_none());
            bench.desk.release([10, 5, 5, 1].into());
            assert_eq!(bench.lease(), (round * 2 + 1, Ok(1)));
        }
        let shown: Vec<_> = bench.shown.try_iter().map(|(_, in_use)| in_use).collect();
        assert_eq!(shown.iter().filter(|in_use| **in_use).count(), 100);
        assert!(shown.chunks(2).all(|pair| pair.first() == Some(&true)));
    }

    #[test]
    fn a_question_before_the_release_finds_no_address() {
        let bench = Bench::new(LeaseStore::Local(Store::default()), 1);
        bench.ask(1, "a");
        bench.ask(2, "b");
        bench.desk.release([10, 5, 5, 1].into());
        assert_eq!(bench.lease(), (1, Ok(1)));
        assert_eq!(bench.lease(), (2, Err(LeaseError::Exhausted)));
    }

    #[test]
    fn pools_change_between_two_questions() {
        let bench = Bench::new(LeaseStore::Local(Store::default()), 1);
        bench.ask(1, "a");
        bench.ask(2, "b");
        bench.desk.configure(&[pool(2)]);
        bench.ask(3, "b");
        bench.desk.configure(&[]);
        bench.ask(4, "a");
        let answers = [bench.lease(), bench.lease(), bench.lease(), bench.lease()];
        let expected =
            [(1, Ok(1)), (2, Err(LeaseError::Exhausted)), (3, Ok(2)), (4, Err(LeaseError::NoPool))];
        assert_eq!(answers, expected);
    }

    /// A disk that hangs: only leases wait, and the thread is not treated as hung.
    #[test]
    fn a_store_that_hangs_delays_no_other_question() {
        let (bench, go_on) = Bench::stuck(9);
        let text = "username a password 0 right\naaa new-model\naaa authentication login x local\n";
        let config = hubward_config::parse(text).config;
        let logins =
            Logins::start(&bench.supervisor, &config, &bench.gateway, &crate::views::tests::desk().views)
                .unwrap();
        assert!(bench.ask(1, "a").is_none());
        assert!(bench.ask(2, "b").is_none());
        for id in 10..20 {
            let password = Secret::new(*b"right");
            let check =
                Work::Check { list: "x".into(), user: "a".into(), password, from: [192, 0, 2, 1].into() };
            assert!(logins.put(AskId(id), check).is_none());
            assert!(matches!(bench.answer(), (answered, Answer::Accepted { .. }) if answered == id));
            let look_up = Work::LookUp { list: Some("x".into()), group: "g".into() };
            assert!(logins.put(AskId(id), look_up).is_none());
            assert!(matches!(bench.answer(), (answered, Answer::Group(None)) if answered == id));
        }
        assert!(bench.gateway.take(Duration::ZERO).is_none(), "no lease yet");
        assert_eq!(bench.supervisor.fault(), None);
        go_on.send(()).unwrap();
        assert_eq!(bench.lease(), (1, Ok(1)));
        go_on.send(()).unwrap();
        assert_eq!(bench.lease(), (2, Ok(2)));
    }

    /// Every write takes the disk half a second, and a hundred clients come at once: each has its
    /// address, and it is on the disk, after about two writes.
    #[test]
    fn a_slow_disk_makes_a_hundred_clients_wait_as_long_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        crate::base::disk::order(folder.path(), Duration::from_millis(500), None);
        let bench = Bench::new(LeaseStore::Local(store.clone()), 200);
        let began = std::time::Instant::now();
        for id in 0..100 {
            assert!(bench.ask(id, &format!("user{id}")).is_none());
        }
        let mut given = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let (_, lease) = bench.lease();
            given.insert(lease.unwrap());
        }
        let took = began.elapsed();
        assert!(took < Duration::from_secs(10), "{took:?}, which would be 50 s one after the other");
        assert_eq!(given.len(), 100);
        store.close();
        crate::base::disk::order(folder.path(), Duration::ZERO, None);
        let kept = Store::open(folder.path()).unwrap().rows(crate::base::store::LEASES);
        assert_eq!(kept.len(), 100, "each is on the disk");
    }

    #[test]
    fn of_too_many_questions_the_rest_is_refused_at_once() {
        let (bench, go_on) = Bench::stuck(9);
        for id in 0..WAITING as u64 {
            assert!(bench.ask(id, "a").is_none());
        }
        assert!(matches!(bench.ask(9999, "a"), Some(Answer::Lease(Err(LeaseError::Busy)))));
        go_on.send(()).unwrap();
        // the owner already has its address, so nothing needs to be written
        for id in 0..WAITING as u64 {
            assert_eq!(bench.lease(), (id, Ok(1)));
        }
        assert!(bench.ask(9999, "a").is_none());
        assert_eq!(bench.lease(), (9999, Ok(1)));
    }
}
