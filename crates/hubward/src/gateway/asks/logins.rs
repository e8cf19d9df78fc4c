//! The threads `aaa`, which check users and look up client groups. scrypt and PBKDF2 are slow on
//! purpose, and no peer may have to wait for another: there are several threads, and one of them is
//! always free for questions that need no password, which are answered first. So a method that
//! waits for a server blocks neither the other logins nor the groups.
//!
//! How long an answer takes tells a stranger nothing: every group is made ready when the
//! configuration comes, so that one that exists is found as quickly as one that does not, and the
//! log is written after the answer.

use crate::base::clock::now;
use crate::base::inbox::Inbox;
use crate::base::lockout::Source;
use crate::gateway::aaa;
use crate::supervise::{BEAT, Heart, Supervisor};
use crate::views::Views;
use hubward_config::model::Config;
use hubward_crypto::secret::Secret;
use hubward_proto::ike::io::{Answer, AskId};
use hubward_proto::limits;
use hubward_proto::names::Untrusted;
use hubward_proto::time::Instant;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The threads.
const THREADS: usize = 3;
/// How many logins are checked at a time: more would take processor time from the packets.
const CHECKING: usize = THREADS - 1;
/// How many logins may wait to be checked.
const LOGINS: usize = 64;
/// Of these, from one address.
const LOGINS_FROM_ONE: usize = 16;
/// How many client groups may wait to be looked up: as many as there may be half-open SAs.
const GROUPS: usize = limits::HALF_OPEN;

/// A question's content.
pub(crate) enum Work {
    /// A user against `aaa authentication login LIST`.
    Check { list: String, user: String, password: Secret, from: IpAddr },
    /// A client group by `aaa authorization network LIST`.
    LookUp { list: Option<String>, group: String },
}

impl Work {
    /// Where a login comes from.
    fn source(&self) -> Option<Source> {
        match self {
            Self::Check { from, .. } => Some(Source::of(*from)),
            Self::LookUp { .. } => None,
        }
    }
}

/// A question, with the configuration that was in force when it was asked.
struct Job {
    id: AskId,
    known: Arc<Known>,
    work: Work,
}

/// What is looked up: a configuration, and its groups.
struct Known {
    config: Config,
    groups: aaa::Groups,
}

impl Known {
    fn of(config: &Config) -> Arc<Self> {
        Arc::new(Self { config: config.clone(), groups: aaa::Groups::of(config) })
    }
}

/// What waits for the threads.
#[derive(Default)]
struct Queue {
    lanes: Mutex<Lanes>,
    changed: Condvar,
}

#[derive(Default)]
struct Lanes {
    groups: VecDeque<Job>,
    logins: VecDeque<Job>,
    /// How many logins are being checked.
    checking: usize,
    /// The gateway has ended.
    closed: bool,
}

impl Lanes {
    fn next(&mut self) -> Option<Job> {
        if let Some(group) = self.groups.pop_front() {
            return Some(group);
        }
        let login = if self.checking < CHECKING { self.logins.pop_front() } else { None };
        self.checking += usize::from(login.is_some());
        login
    }
}

/// The gateway has ended, so there are no more questions.
struct Closed;

impl Queue {
    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a job; returns whether there was room.
    fn put(&self, job: Job) -> bool {
        let mut lanes = self.lanes();
        let (lane, room) = match job.work {
            Work::Check { .. } => (&mut lanes.logins, LOGINS),
            Work::LookUp { .. } => (&mut lanes.groups, GROUPS),
        };
        let of_it = lane
            .iter()
            .filter(|other| job.work.source().is_some_and(|from| other.work.source() == Some(from)));
        let fits = lane.len() < room && of_it.count() < LOGINS_FROM_ONE;
        if fits {
            lane.push_back(job);
            self.changed.notify_all();
        }
        fits
    }

    /// Takes a job that may be started now, if there is one within this time.
    fn take(&self, time: Duration) -> Result<Option<Job>, Closed> {
        let mut lanes = self.lanes();
        if let Some(job) = lanes.next() {
            return Ok(Some(job));
        }
        if !lanes.closed {
            (lanes, _) = self.changed.wait_timeout(lanes, time).unwrap_or_else(PoisonError::into_inner);
        }
        match lanes.closed {
            true => Err(Closed),
            false => Ok(lanes.next()),
        }
    }

    /// A login has been checked.
    fn checked(&self) {
        self.lanes().checking -= 1;
        self.changed.notify_all();
    }
}

/// Where the gateway has users checked and groups looked up.
pub(crate) struct Logins {
    known: Arc<Known>,
    queue: Arc<Queue>,
}

impl Drop for Logins {
    fn drop(&mut self) {
        self.queue.lanes().closed = true;
        self.queue.changed.notify_all();
    }
}

impl Logins {
    /// Starts the threads.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub(crate) fn start(
        supervisor: &Arc<Supervisor>,
        config: &Config,
        gateway: &Arc<Inbox>,
        views: &Arc<Views>,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        for _ in 0..THREADS {
            let (queue, gateway, views) = (Arc::clone(&queue), Arc::clone(gateway), Arc::clone(views));
            supervisor.spawn("aaa", move |heart| work(heart, &queue, &gateway, &views))?;
        }
        Ok(Self { known: Known::of(config), queue })
    }

    /// Uses another configuration for what is asked from now on.
    pub(crate) fn configure(&mut self, config: &Config) {
        self.known = Known::of(config);
    }

    /// Queues a question, or refuses it at once if too many wait.
    pub(crate) fn put(&self, id: AskId, work: Work) -> Option<Answer> {
        let refusal = match work {
            Work::Check { .. } => Answer::Later,
            Work::LookUp { .. } => Answer::Group(None),
        };
        if self.queue.put(Job { id, known: Arc::clone(&self.known), work }) {
            return None;
        }
        match refusal {
            Answer::Group(_) => tracing::warn!("a client was refused: {GROUPS} others wait for their groups"),
            _ => tracing::warn!(
                "%SEC_LOGIN-4-LATER: a login was not checked, and is asked for again: {LOGINS} others wait, or {LOGINS_FROM_ONE} from its address"
            ),
        }
        Some(refusal)
    }
}

fn work(heart: &Heart, queue: &Queue, gateway: &Inbox, views: &Views) {
    loop {
        heart.beat();
        let Job { id, known, work } = match queue.take(BEAT) {
            Ok(Some(job)) => job,
            Ok(None) => continue,
            Err(Closed) => return heart.retire(),
        };
        let answer = match work {
            Work::LookUp { list, group } => known.groups.authorize(&known.config, list.as_deref(), &group),
            Work::Check { list, user, password, from } => {
                let answer = check(&known.config, &list, &user, &password, from, views, now());
                queue.checked();
                let user = Untrusted::new(user.as_bytes());
                let whose = format!("[user: {user}] [Source: {from}] [list: {list}]");
                let told = match &answer {
                    Answer::Rejected { reason } => {
                        Some(format!("%SEC_LOGIN-4-LOGIN_FAILED: Login failed {whose} [reason: {reason}]"))
                    }
                    Answer::Later => Some(format!(
                        "%SEC_LOGIN-4-LATER: a login was not checked, and is asked for again {whose} [reason: too many failures of others at its address]"
                    )),
                    _ => None,
                };
                let answered = gateway.answer(id, answer);
                if let Some(told) = told {
                    tracing::warn!("{told}");
                }
                if answered {
                    continue;
                }
                return heart.retire();
            }
        };
        if !gateway.answer(id, answer) {
            return heart.retire();
        }
    }
}

/// Checks a user, unless he has to wait because too many of his passwords were wrong: that is
/// answered like another wrong one. One who waits for what others failed is asked again.
fn check(
    config: &Config,
    list: &str,
    user: &str,
    password: &Secret,
    from: IpAddr,
    views: &Views,
    now: Instant,
) -> Answer {
    if let Some(wait) = views.lockout.wait(from, user, now) {
        if views.lockout.waits_for_others(from, user, now) {
            return Answer::Later;
        }
        let seconds = wait.as_secs() + 1;
        return Answer::Rejected { reason: format!("too many failures; not checked for {seconds} s") };
    }
    let answer = aaa::authenticate(config, list, user, password);
    match &answer {
        Answer::Accepted { .. } => views.lockout.passed(from, user, now),
        Answer::Rejected { .. } => views.lockout.failed(from, user, now),
        _ => {}
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::message::Message;

    fn job(id: u64, work: Work) -> Job {
        Job { id: AskId(id), known: Known::of(&Config::default()), work }
    }

    fn check(id: u64) -> Job {
        let (from, password) = (IpAddr::from((id as u32).to_be_bytes()), Secret::new(*b"p"));
        job(id, Work::Check { list: "x".into(), user: "u".into(), password, from })
    }

    fn look_up(id: u64) -> Job {
        job(id, Work::LookUp { list: None, group: "g".into() })
    }

    fn taken(queue: &Queue) -> Option<u64> {
        queue.take(Duration::ZERO).ok().flatten().map(|job| job.id.0)
    }

    /// However many logins wait, a group is looked up next, and a thread is free for it.
    #[test]
    fn logins_hold_up_no_group() {
        let queue = Queue::default();
        for id in 0..10 {
            assert!(queue.put(check(id)));
        }
        assert_eq!(taken(&queue), Some(0));
        assert!(queue.put(look_up(100)));
        assert_eq!(taken(&queue), Some(100), "before the logins that came earlier");
        // a login that waits for a server does not block the next
        assert_eq!(taken(&queue), Some(1));
        assert_eq!(taken(&queue), None, "the last thread is kept free");
        assert!(queue.put(look_up(101)));
        assert_eq!(taken(&queue), Some(101));
        queue.checked();
        assert_eq!(taken(&queue), Some(2));
        assert_eq!(taken(&queue), None);
    }

    #[test]
    fn what_is_too_much_is_refused() {
        let queue = Queue::default();
        assert_eq!((0..LOGINS as u64 + 5).filter(|id| queue.put(check(*id))).count(), LOGINS);
        assert_eq!((0..GROUPS as u64 + 5).filter(|id| queue.put(look_up(*id))).count(), GROUPS);
        queue.lanes().closed = true;
        queue.lanes().groups.clear();
        queue.lanes().logins.clear();
        assert!(queue.take(Duration::from_secs(20)).is_err());
    }

    /// A full queue is no wrong password: it is asked for again, and nothing is counted. One
    /// address does not fill it.
    #[test]
    fn a_full_queue_answers_later_and_not_wrong_password() {
        let queue = Arc::new(Queue::default());
        let logins = Logins { known: Known::of(&Config::default()), queue };
        let ask = |id: u64, address: u8| {
            let (from, password) = (IpAddr::from([192, 0, 2, address]), Secret::new(*b"p"));
            logins.put(AskId(id), Work::Check { list: "x".into(), user: "u".into(), password, from })
        };
        for id in 0..LOGINS_FROM_ONE as u64 {
            assert!(ask(id, 1).is_none());
        }
        assert!(matches!(ask(100, 1), Some(Answer::Later)));
        for id in 0..(LOGINS - LOGINS_FROM_ONE) as u64 {
            assert!(ask(id, 2 + id as u8).is_none(), "another address");
        }
        assert!(matches!(ask(101, 200), Some(Answer::Later)));
    }

    /// After three wrong passwords the fourth is not checked, and is answered in the same way; the
    /// right one passes from elsewhere.
    #[test]
    fn guessing_an_xauth_password_locks_out_the_guesser_and_nobody_else() {
        let views = crate::views::tests::desk().views;
        let text = "username a password 0 right\naaa new-model\naaa authentication login x local\n";
        let config = hubward_config::parse(text).config;
        let give = |user: &str, given: &str, address: u8, second: u64| {
            let from = IpAddr::from([192, 0, 2, address]);
            let now = Instant::default() + Duration::from_secs(second);
            super::check(&config, "x", user, &Secret::new(given.as_bytes()), from, &views, now)
        };
        for _ in 0..3 {
            let Answer::Rejected { reason } = give("a", "guess", 1, 0) else { panic!("a guess") };
            assert_eq!(reason, "wrong password");
        }
        let Answer::Rejected { reason } = give("a", "right", 1, 1) else { panic!("it is checked") };
        assert!(reason.starts_with("too many failures"), "{reason}");
        assert!(matches!(give("a", "right", 2, 1), Answer::Accepted { .. }));
        for _ in 0..3 {
            give("nobody", "guess", 3, 1);
        }
        assert!(
            matches!(give("nobody", "guess", 3, 1), Answer::Rejected { reason } if reason.starts_with("too many"))
        );
        assert!(matches!(give("a", "right", 1, 2), Answer::Accepted { .. }), "after two seconds");
        // one who waits for what others failed is not told that his password is wrong
        for number in 0..10 {
            give(&format!("other{number}"), "guess", 4, 3);
        }
        assert!(matches!(give("a", "right", 4, 3), Answer::Later));
        assert!(matches!(give("a", "right", 4, 6), Answer::Accepted { .. }));
    }

    /// A login is checked against the configuration that was in force when it arrived.
    #[test]
    fn answers_come_through_the_inbox() {
        let (supervisor, gateway) = (Supervisor::new(), Arc::new(Inbox::default()));
        let before = "aaa new-model\naaa authentication login x none\naaa authorization network n local\n\
                      crypto isakmp client configuration group g\n key secret\n";
        let config = hubward_config::parse(before).config;
        let mut logins =
            Logins::start(&supervisor, &config, &gateway, &crate::views::tests::desk().views).unwrap();
        let ask = |logins: &Logins, id| {
            let password = Secret::new(*b"any");
            let from = IpAddr::from([192, 0, 2, 1]);
            let work = Work::Check { list: "x".into(), user: "u".into(), password, from };
            let refused = logins.put(AskId(id), work);
            assert!(refused.is_none());
        };
        let answer = || match gateway.take(Duration::from_secs(20)) {
            Some(Message::Answer(id, answer)) => (id.0, answer),
            _ => panic!("no answer"),
        };
        ask(&logins, 1);
        assert!(matches!(answer(), (1, Answer::Accepted { .. })));
        for (id, list, known) in [(2, Some("n"), true), (3, Some("x"), false), (4, None, false)] {
            let list = list.map(str::to_string);
            assert!(logins.put(AskId(id), Work::LookUp { list, group: "g".into() }).is_none());
            assert!(
                matches!(answer(), (answered, Answer::Group(group)) if answered == id && group.is_some() == known)
            );
        }
        logins.configure(&hubward_config::parse("").config);
        ask(&logins, 5);
        assert!(matches!(answer(), (5, Answer::Rejected { .. })));
        assert_eq!(supervisor.fault(), None);
    }
}
