//! Watches the program's threads. One rule applies to all that the gateway needs: if such a thread
//! panics, ends unexpectedly or hangs, or the TUN is gone, the program sends deletes to its peers
//! if it still can and exits with status [`FAILED`], so that its supervisor restarts it. The guard
//! in the kernel keeps what was protected from leaving in the meantime. A thread that only serves a
//! command or a session dies alone ([`guarded`]).
//!
//! A [`Heart`] beats at least every [`BEAT`]; the thread "supervisor" checks every [`TICK`]. It
//! counts its own checks, and never reads a clock, so that no thread seems silent after SIGSTOP and
//! SIGCONT, or after suspend. systemd's watchdog is fed only if every heart has beaten, so that it
//! also ends a program whose supervisor hangs.

#[cfg(any(test, feature = "fault-injection"))]
pub(crate) mod injection;
#[cfg(test)]
mod tests;

use hubward_linux::notify;
use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

/// The exit status if a part of the program died or hung: EX_SOFTWARE of sysexits(3).
pub(crate) const FAILED: u8 = 70;
/// The thread that owns the engine; it is the program's first.
pub(crate) const GATEWAY: &str = "gateway";

/// Every worker's heart beats at least that often: longer waits are cut.
pub(crate) const BEAT: Duration = Duration::from_millis(400);
/// How often the supervisor looks.
const TICK: Duration = Duration::from_millis(250);
/// The watchdog is fed while no worker has been silent for longer.
const MOVES: Duration = Duration::from_secs(1);
/// `WatchdogSec` of the unit that is delivered, and what is taken where there is none.
const WATCHDOG: Duration = Duration::from_secs(10);
/// How long the gateway may take to say goodbye after a fault.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long an end that was asked for may take: less than `TimeoutStopSec`.
const STOP: Duration = Duration::from_secs(8);
/// How long the end waits for its worker threads.
const JOIN: Duration = Duration::from_millis(500);

/// Watches over workers.
pub(crate) struct Supervisor {
    workers: Mutex<Vec<Watched>>,
    /// What went wrong first.
    fault: OnceLock<String>,
    /// An end was asked for: threads may end.
    stopping: AtomicBool,
    /// Looks since the end began.
    ending: AtomicU64,
    /// After so many looks without a beat a worker hangs.
    patience: u64,
}

struct Watched {
    worker: Arc<Worker>,
    beats: u64,
    silent: u64,
}

struct Worker {
    name: String,
    beats: AtomicU64,
    /// It may end.
    retired: AtomicBool,
    /// It waits for something that is not the program's, and whose time nobody knows.
    away: AtomicBool,
}

thread_local! {
    /// The worker that this thread is.
    static WORKER: RefCell<Option<Arc<Worker>>> = const { RefCell::new(None) };
}

/// A worker's sign of life.
pub(crate) struct Heart {
    worker: Arc<Worker>,
    supervisor: Arc<Supervisor>,
}

/// What a look leads to.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// All move: the watchdog may know.
    Feed,
    /// Not all of them move, or the end has begun.
    Wait,
    /// The program did not end on its own.
    Exit(String),
}

/// How often the supervisor looks in this time.
pub(crate) fn looks(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(TICK.as_millis())).unwrap_or(u64::MAX)
}

impl Supervisor {
    /// Without workers yet. How long a thread may be silent depends on `WATCHDOG_USEC`
    /// (sd_watchdog_enabled(3)): a hang is logged, and the program has exited, before systemd kills
    /// it.
    pub(crate) fn new() -> Arc<Self> {
        let told = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        Self::within(told.map_or(WATCHDOG, Duration::from_micros))
    }

    fn within(watchdog: Duration) -> Arc<Self> {
        // what is left of the time when a thread has hung: to say goodbye, and to be late on a busy
        // machine
        let patience = watchdog.saturating_sub(GOODBYE * 2).max(GOODBYE);
        Arc::new(Self {
            workers: Mutex::default(),
            fault: OnceLock::new(),
            stopping: AtomicBool::new(false),
            ending: AtomicU64::new(0),
            patience: looks(patience),
        })
    }

    fn workers(&self) -> MutexGuard<'_, Vec<Watched>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread whose end, unless [`Heart::retire`] announced it, and whose silence are
    /// faults.
    pub(crate) fn spawn(
        self: &Arc<Self>,
        name: &str,
        work: impl FnOnce(&Heart) + Send + 'static,
    ) -> std::io::Result<JoinHandle<()>> {
        let (supervisor, own) = (Arc::clone(self), name.to_string());
        Builder::new().name(name.into()).spawn(move || {
            supervisor.work(&own, work);
        })
    }

    /// The same on the calling thread; `None` when it panicked.
    pub(crate) fn work<T>(self: &Arc<Self>, name: &str, work: impl FnOnce(&Heart) -> T) -> Option<T> {
        let worker = Arc::new(Worker {
            name: name.into(),
            beats: AtomicU64::new(0),
            retired: AtomicBool::new(false),
            away: AtomicBool::new(false),
        });
        self.workers().push(Watched { worker: Arc::clone(&worker), beats: 0, silent: 0 });
        WORKER.set(Some(Arc::clone(&worker)));
        let heart = Heart { worker: Arc::clone(&worker), supervisor: Arc::clone(self) };
        // state that the panic may have left inconsistent is not used again: the program ends
        let done = catch_unwind(AssertUnwindSafe(|| work(&heart)));
        WORKER.set(None);
        self.workers().retain(|watched| !Arc::ptr_eq(&watched.worker, &worker));
        match &done {
            Err(panic) => self.fail(format!("the thread {name} panicked: {}", words(panic.as_ref()))),
            Ok(_) if worker.retired.load(Ordering::Relaxed) || self.stopping.load(Ordering::Relaxed) => {}
            Ok(_) => self.fail(format!("the thread {name} has ended")),
        }
        done.ok()
    }

    /// Begins to look. `check` says what else must be true, and must not wait.
    pub(crate) fn start(
        self: &Arc<Self>,
        check: impl Fn() -> Result<(), String> + Send + 'static,
    ) -> std::io::Result<()> {
        self.spawn("supervisor", move |heart| {
            let supervisor = &heart.supervisor;
            loop {
                sleep(TICK);
                heart.beat();
                match supervisor.look(&check) {
                    Verdict::Wait => {}
                    Verdict::Feed => {
                        let _unsupervised = notify::notify("WATCHDOG=1");
                    }
                    Verdict::Exit(why) => exit(why),
                }
            }
        })
        .map(drop)
    }

    /// One look at everything.
    fn look(&self, check: &dyn Fn() -> Result<(), String>) -> Verdict {
        if let Some(fault) = self.fault.get()
            && self.ending.load(Ordering::Relaxed) >= looks(GOODBYE)
        {
            return Verdict::Exit(fault.clone());
        }
        if self.fault.get().is_some() || self.stopping.load(Ordering::Relaxed) {
            let ended = self.ending.fetch_add(1, Ordering::Relaxed) + 1;
            if ended >= looks(STOP) {
                return Verdict::Exit(format!("the end took more than {} s", STOP.as_secs()));
            }
            return Verdict::Wait;
        }
        if let Err(why) = check() {
            self.fail(why);
            return Verdict::Wait;
        }
        let mut longest = 0;
        let mut hung = None;
        for watched in self.workers().iter_mut() {
            let beats = watched.worker.beats.load(Ordering::Relaxed);
            let moves = beats != watched.beats || watched.worker.away.load(Ordering::Relaxed);
            watched.silent = if moves { 0 } else { watched.silent + 1 };
            watched.beats = beats;
            longest = longest.max(watched.silent);
            if watched.silent >= self.patience {
                hung.get_or_insert_with(|| watched.worker.name.clone());
            }
        }
        if let Some(name) = hung {
            let seconds = (TICK * u32::try_from(self.patience).unwrap_or(u32::MAX)).as_secs();
            let why = format!("the thread {name} has not moved for {seconds} s");
            self.fail(why.clone());
            // no other thread could send the deletes
            return if name == GATEWAY { Verdict::Exit(why) } else { Verdict::Wait };
        }
        if longest > looks(MOVES) { Verdict::Wait } else { Verdict::Feed }
    }

    /// Something is broken: the program has to end.
    pub(crate) fn fail(&self, why: String) {
        // the first one is reported: later ones may be its consequences
        let _later = self.fault.set(why);
    }

    /// What went wrong, if something did.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    /// From now on threads may end, and the program has [`STOP`] to do so.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

impl Worker {
    fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
        #[cfg(any(test, feature = "fault-injection"))]
        injection::point(&self.name);
    }

    fn away<T>(&self, work: impl FnOnce() -> T) -> T {
        self.away.store(true, Ordering::Relaxed);
        let done = work();
        self.away.store(false, Ordering::Relaxed);
        self.beat();
        done
    }
}

impl Heart {
    /// It moves.
    pub(crate) fn beat(&self) {
        self.worker.beat();
    }

    /// Does what may wait for a disk, however long that takes: the silence meanwhile is no fault.
    /// Only for threads for which nobody waits that must go on.
    pub(crate) fn away<T>(&self, work: impl FnOnce() -> T) -> T {
        self.worker.away(work)
    }

    /// Beats for as long as the thread's runtime turns.
    pub(crate) async fn beating(&self) {
        loop {
            self.beat();
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Waits a time that may be long.
    pub(crate) fn sleep(&self, time: Duration) {
        let until = Instant::now() + time;
        loop {
            self.beat();
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            sleep(left.min(BEAT));
        }
    }

    /// The worker was asked to end.
    pub(crate) fn retire(&self) {
        self.worker.retired.store(true, Ordering::Relaxed);
    }

    /// Whoever watches it.
    pub(crate) fn supervisor(&self) -> &Supervisor {
        &self.supervisor
    }
}

/// Does on any thread what ends by itself, by a limit of its own that is longer than a thread may
/// be silent: the silence meanwhile is no fault.
pub(crate) fn limited<T>(work: impl FnOnce() -> T) -> T {
    let worker = WORKER.with_borrow(Option::clone);
    match worker {
        Some(worker) => worker.away(work),
        None => work(),
    }
}

/// What a thread that ended without being joined said of it.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it did not say why")
}

/// Runs what serves one user: a panic in it is logged, and ends nothing else. `None` if it
/// panicked.
pub(crate) fn guarded<T>(name: &str, work: impl FnOnce() -> T) -> Option<T> {
    let done = catch_unwind(AssertUnwindSafe(|| {
        #[cfg(any(test, feature = "fault-injection"))]
        injection::point(name);
        work()
    }));
    done.inspect_err(|panic| {
        tracing::error!(
            "%HUBWARD-3-SESSION: the thread {name} panicked: {}; the others continue",
            words(panic.as_ref())
        );
    })
    .ok()
}

/// Waits a moment for threads that were asked to end.
pub(crate) fn join(threads: Vec<JoinHandle<()>>) {
    let until = Instant::now() + JOIN;
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
        sleep(Duration::from_millis(5));
    }
}

/// The log's line for a fault.
pub(crate) fn told(why: &str) -> String {
    let again = match std::env::var_os("NOTIFY_SOCKET") {
        Some(_) => "systemd restarts it",
        None => "it was not started by systemd, so nothing restarts it",
    };
    format!("%HUBWARD-2-FAULT: {why}; the program ends with status {FAILED}: {again}")
}

/// Ends the program if it cannot end itself. A log that is not read must not delay that.
fn exit(why: String) -> ! {
    let (sender, logged) = sync_channel(1);
    let tell = move || {
        tracing::error!("{}", told(&why));
        let _late = sender.send(());
    };
    if Builder::new().name("last words".into()).spawn(tell).is_ok() {
        let _stuck = logged.recv_timeout(JOIN);
    }
    std::process::exit(FAILED.into())
}
