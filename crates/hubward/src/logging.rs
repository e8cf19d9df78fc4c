//! Where lines of the log go: the buffer of `show logging`, the terminals that watch, standard error, a syslog server. A thread
//! of its own makes lines of the engine's steps and hands everything on, so that nothing that is slow can hold up the gateway.

use crate::console_lines::LineName;
use crate::debug::{self, Debugging};
use crate::exec::Format;
use crate::log_buffer::{Body, LogBuffer, LogLine};
use crate::monitors::Monitors;
use hubward_linux::clock;
use hubward_proto::ike::event::Event;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Messages that wait for the thread.
const QUEUE: usize = 8192;
/// How long a reader waits for what was logged before it came.
const PATIENCE: Duration = Duration::from_secs(2);

/// The log.
#[derive(Default)]
pub(crate) struct Logging {
    /// What `show logging` shows.
    pub(crate) buffer: LogBuffer,
    /// The terminals that watch.
    pub(crate) monitors: Arc<Monitors>,
    /// Which debugging is on.
    pub(crate) debugging: Debugging,
    queue: OnceLock<SyncSender<Entry>>,
    dropped: AtomicU64,
    all_dropped: AtomicU64,
    settings: Mutex<Settings>,
}

enum Entry {
    Line(LogLine),
    Step(Duration, Box<Event>),
    /// Everything before it was handed on.
    Settled(SyncSender<()>),
}

/// What the configuration says of the log.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// `logging on`
    pub(crate) on: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { on: true }
    }
}

impl Logging {
    /// A log with a thread. Without one, as in tests, everything is handed on at once.
    pub(crate) fn start() -> Arc<Self> {
        let (queue, entries) = sync_channel(QUEUE);
        let logging = Arc::new(Self::default());
        let own = Arc::clone(&logging);
        let thread = std::thread::Builder::new().name("log".into()).spawn(move || own.work(&entries));
        if thread.is_ok() {
            let _first = logging.queue.set(queue);
        }
        logging
    }

    fn work(&self, entries: &Receiver<Entry>) {
        for entry in entries {
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                let text = format!("{dropped} debug messages were dropped: they came too fast");
                self.hand_on(LogLine::message(clock::wall(), "HUBWARD", 4, "LOG_DROPPED", text));
            }
            self.entry(entry);
        }
    }

    fn entry(&self, entry: Entry) {
        match entry {
            Entry::Line(line) => self.hand_on(line),
            Entry::Step(at, event) => {
                for line in debug::lines(&event) {
                    if self.debugging.wants(line.class) {
                        self.hand_on(LogLine { at, body: Body::Debug(line) });
                    }
                }
            }
            // whoever waits may have given up
            Entry::Settled(done) => {
                let _gone = done.try_send(());
            }
        }
    }

    /// Logs a message. Never waits: when the thread is far behind, the message goes before what waits.
    pub(crate) fn message(&self, line: LogLine) {
        match self.queue.get() {
            Some(queue) => {
                if let Err(error) = queue.try_send(Entry::Line(line))
                    && let std::sync::mpsc::TrySendError::Full(Entry::Line(line))
                    | std::sync::mpsc::TrySendError::Disconnected(Entry::Line(line)) = error
                {
                    self.buffer.push(line);
                }
            }
            None => self.hand_on(line),
        }
    }

    /// Logs a step of the engine. Never waits: what does not fit is dropped and counted.
    pub(crate) fn step(&self, event: Event) {
        let entry = Entry::Step(clock::wall(), Box::new(event));
        match self.queue.get() {
            Some(queue) => {
                if queue.try_send(entry).is_err() {
                    self.dropped.fetch_add(1, Ordering::Relaxed);
                    self.all_dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            None => self.entry(entry),
        }
    }

    /// Waits until everything that was logged before has been handed on. Not for the gateway thread.
    pub(crate) fn settle(&self) {
        let Some(queue) = self.queue.get() else { return };
        let (done, wait) = sync_channel(1);
        if queue.send(Entry::Settled(done)).is_ok() {
            let _late = wait.recv_timeout(PATIENCE);
        }
    }

    /// Debug messages that were dropped since the start.
    pub(crate) fn dropped(&self) -> u64 {
        self.all_dropped.load(Ordering::Relaxed)
    }

    /// Another configuration is in force.
    pub(crate) fn configure(&self, config: &hubward_config::model::Config) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) =
            Settings { on: config.logging != Some(false) };
    }

    fn settings(&self) -> Settings {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hand_on(&self, line: LogLine) {
        let settings = self.settings();
        let is_debug = matches!(line.body, Body::Debug(_));
        // what is no debugging is written there by `tracing`, in words for a machine too
        if is_debug {
            let mut stderr = std::io::stderr().lock();
            let _closed = writeln!(stderr, "{}", line.text(Format::Modern));
        }
        // `no logging on` leaves the console alone
        let may = |name: LineName| settings.on || matches!(name, LineName::Console(_));
        self.monitors.publish(may, |format| line.text(format));
        if settings.on {
            self.buffer.push(line);
        }
    }
}
