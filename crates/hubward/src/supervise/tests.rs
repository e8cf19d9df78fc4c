//! The supervisor alone: its checks are counted, so that nothing here has to wait for it.

use super::*;
use std::sync::mpsc::{Receiver, Sender, channel};

const PATIENCE: Duration = Duration::from_secs(10);

fn fine() -> Result<(), String> {
    Ok(())
}

/// A worker that beats on request, and confirms it.
struct Puppet {
    order: Sender<()>,
    done: Receiver<()>,
    thread: JoinHandle<()>,
}

impl Puppet {
    fn start(supervisor: &Arc<Supervisor>, name: &str) -> Self {
        let (order, orders) = channel();
        let (done, told) = channel();
        let work = move |heart: &Heart| {
            let _ready = done.send(());
            while orders.recv().is_ok() {
                heart.beat();
                let _gone = done.send(());
            }
        };
        let thread = supervisor.spawn(name, work).unwrap();
        told.recv_timeout(PATIENCE).unwrap();
        Self { order, done: told, thread }
    }

    fn beat(&self) {
        self.order.send(()).unwrap();
        self.done.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_worker_that_panics_is_told_with_its_words() {
    let supervisor = Supervisor::new();
    let thread = supervisor.spawn("esp-out", |_| std::panic::panic_any("no room".to_string())).unwrap();
    thread.join().unwrap();
    assert_eq!(supervisor.fault(), Some("the thread esp-out panicked: no room"));
    assert_eq!(supervisor.look(&fine), Verdict::Wait, "the watchdog is not fed any more");
}

#[test]
fn a_worker_that_returns_early_is_a_fault_and_one_that_retires_or_is_stopped_is_none() {
    let supervisor = Supervisor::new();
    supervisor.spawn("dhcp", |heart| heart.retire()).unwrap().join().unwrap();
    assert_eq!(supervisor.fault(), None);
    supervisor.spawn("isakmp", |_| {}).unwrap().join().unwrap();
    assert_eq!(supervisor.fault(), Some("the thread isakmp has ended"));
    let supervisor = Supervisor::new();
    supervisor.stop();
    supervisor.spawn("isakmp", |_| {}).unwrap().join().unwrap();
    assert_eq!(supervisor.fault(), None);
}

/// The rule of the watchdog: while one of them is silent for more than a second, it is not fed,
/// however much the others move.
#[test]
fn the_watchdog_is_fed_only_if_every_worker_moves() {
    let supervisor = Supervisor::new();
    let (busy, quiet) = (Puppet::start(&supervisor, "esp-in"), Puppet::start(&supervisor, "aaa"));
    for _ in 0..100 {
        busy.beat();
        quiet.beat();
        assert_eq!(supervisor.look(&fine), Verdict::Feed);
    }
    let fed = (0..20).filter(|_| {
        busy.beat();
        supervisor.look(&fine) == Verdict::Feed
    });
    assert_eq!(fed.count() as u64, looks(MOVES));
    quiet.beat();
    assert_eq!(supervisor.look(&fine), Verdict::Feed, "it moves again");
    assert_eq!(supervisor.fault(), None, "a thread that was slow is no fault");
}

/// From the last heartbeat to the exit less than the watchdog's time passes: systemd's watchdog is
/// not needed.
#[test]
fn a_worker_that_hangs_ends_the_program_within_the_watchdogs_time() {
    for (watchdog, hangs) in [(WATCHDOG, GATEWAY), (WATCHDOG, "aaa"), (WATCHDOG * 3, "aaa")] {
        let supervisor = Supervisor::within(watchdog);
        let (busy, _hung) = (Puppet::start(&supervisor, "esp-in"), Puppet::start(&supervisor, hangs));
        let mut seen = 0;
        let why = loop {
            busy.beat();
            seen += 1;
            if let Verdict::Exit(why) = supervisor.look(&fine) {
                break why;
            }
        };
        assert!(why.starts_with(&format!("the thread {hangs} has not moved for")), "{why}");
        assert!((looks(watchdog) / 2..=looks(watchdog) - looks(MOVES)).contains(&seen), "{seen} looks");
    }
}

#[test]
fn what_else_is_broken_ends_it_too() {
    let supervisor = Supervisor::new();
    let check = || Err("hubward0 is gone".to_string());
    assert_eq!(supervisor.look(&check), Verdict::Wait);
    assert_eq!(supervisor.fault(), Some("hubward0 is gone"), "told at the first look");
    assert!((0..looks(GOODBYE)).all(|_| supervisor.look(&check) == Verdict::Wait), "time to say goodbye");
    assert_eq!(supervisor.look(&check), Verdict::Exit("hubward0 is gone".into()));
}

/// SIGTERM while a worker hangs: the end has a bound all the same.
#[test]
fn an_end_that_was_asked_for_has_a_bound() {
    let supervisor = Supervisor::new();
    let _hung = Puppet::start(&supervisor, "gateway");
    supervisor.stop();
    let looked = (1..1000).find(|_| supervisor.look(&fine) != Verdict::Wait);
    assert_eq!(looked, Some(looks(STOP)));
    assert_eq!(supervisor.fault(), None);
}

/// A panic on the calling thread, like one of the gateway's.
#[test]
fn the_first_fault_is_the_one_that_is_told() {
    let supervisor = Supervisor::new();
    assert_eq!(supervisor.work(GATEWAY, |_| 7), Some(7));
    let supervisor = Supervisor::new();
    let none: Option<()> = supervisor.work(GATEWAY, |_| std::panic::panic_any("first"));
    assert_eq!(none, None);
    supervisor.fail("second".into());
    assert_eq!(supervisor.fault(), Some("the thread gateway panicked: first"));
    assert!(told("x").contains("status 70"));
}

#[test]
fn who_serves_dies_alone() {
    assert_eq!(guarded("command", || 1), Some(1));
    assert_eq!(guarded("command", || -> u8 { std::panic::panic_any(1) }), None);
}

#[test]
fn a_thread_that_hangs_is_not_waited_for() {
    let supervisor = Supervisor::new();
    let hung = Puppet::start(&supervisor, "esp-out");
    let before = Instant::now();
    join(vec![hung.thread]);
    assert!((JOIN..JOIN * 10).contains(&before.elapsed()));
}

#[test]
fn a_fault_on_order_comes_once() {
    let folder = tempfile::tempdir().unwrap();
    let point = || catch_unwind(|| injection::point_in(folder.path(), "esp-out"));
    assert!(point().is_ok());
    std::fs::write(folder.path().join("panic-esp-in"), "").unwrap();
    assert!(point().is_ok(), "another thread's");
    std::fs::write(folder.path().join("panic-esp-out"), "").unwrap();
    assert_eq!(words(point().unwrap_err().as_ref()), "a panic in esp-out was ordered");
    assert!(point().is_ok());
}

/// Whoever waits for a disk may wait; when it is back, its silence counts again.
#[test]
fn a_worker_that_is_away_does_not_hang() {
    away(|heart, wait| heart.away(wait));
}

/// So may whoever waits for a program that is stopped when its time is over, without knowing the
/// heart.
#[test]
fn a_worker_that_waits_for_a_limited_time_does_not_hang() {
    away(|_, wait| limited(wait));
}

fn away(waits: fn(&Heart, &mut dyn FnMut())) {
    let supervisor = Supervisor::new();
    let (ready, told) = channel();
    let (order, orders) = channel::<()>();
    let thread = supervisor
        .spawn("leases", move |heart| {
            waits(heart, &mut || {
                ready.send(()).unwrap();
                orders.recv().unwrap();
            });
            ready.send(()).unwrap();
            // silent, and not away
            let _ended = orders.recv();
            heart.retire();
        })
        .unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    for _ in 0..=supervisor.patience {
        assert_eq!(supervisor.look(&fine), Verdict::Feed);
    }
    assert_eq!(supervisor.fault(), None);
    order.send(()).unwrap();
    told.recv_timeout(PATIENCE).unwrap();
    for _ in 0..=supervisor.patience {
        supervisor.look(&fine);
    }
    assert!(supervisor.fault().is_some_and(|fault| fault.contains("leases has not moved")));
    drop(order);
    thread.join().unwrap();
}
