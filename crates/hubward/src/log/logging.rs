//! Where lines of the log go: the buffer of `show logging`, the terminals that watch, standard
//! error, a syslog server. A thread of its own makes lines of the engine's steps and hands
//! everything on, so that nothing that is slow can hold up the gateway.

use crate::base::console_lines::LineName;
use crate::base::format::Format;
use crate::debug::{self, Debugging};
use crate::log::buffer::LogBuffer;
use crate::log::line::{Body, LogLine, Stamps};
use crate::log::monitors::Monitors;
use crate::log::rate::Rate;
use crate::log::stderr::Stderr;
use crate::log::syslog::{Servers, Syslog};
use crate::supervise::{BEAT, Heart, Supervisor};
use hubward_config::model::{Config, LogSettings};
use hubward_linux::clock;
use hubward_proto::ike::event::Event;
use std::io::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Messages that wait for the thread.
const QUEUE: usize = 8192;
/// How long a reader waits for what was logged before it came.
const PATIENCE: Duration = Duration::from_millis(500);

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
    /// Debug messages that were dropped and not reported yet.
    dropped: AtomicU64,
    /// Lines that were logged.
    numbers: AtomicU64,
    settings: Mutex<Arc<Settings>>,
    told: Mutex<Told>,
    syslog: Mutex<Syslog>,
    rate: Mutex<Rate>,
}

/// How much was logged, and to which destinations.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    /// Debug messages that were dropped.
    pub(crate) dropped: u64,
    /// Lines that `logging rate-limit` left out.
    pub(crate) limited: u64,
    /// Messages on standard error.
    pub(crate) console: u64,
    /// Messages to terminals that watch.
    pub(crate) monitor: u64,
    /// Messages to syslog servers.
    pub(crate) trap: u64,
}

enum Entry {
    Line(LogLine),
    Step(Duration, Box<Event>),
    /// Everything before it was handed on.
    Settled(SyncSender<()>),
}

/// What the configuration says of the log.
#[derive(Debug)]
struct Settings {
    /// `logging on`
    on: bool,
    log: LogSettings,
    stamps: Stamps,
    servers: Servers,
}

impl Settings {
    fn new(config: &Config, started: Duration) -> Self {
        Self {
            on: config.logging != Some(false),
            log: config.log.clone(),
            stamps: Stamps::new(config, started),
            servers: Servers::new(config),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new(&Config::default(), clock::wall())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Logging {
    /// A log with a thread. Without one, as in tests, everything is handed on at once.
    pub(crate) fn start(supervisor: &Arc<Supervisor>) -> Arc<Self> {
        let (queue, entries) = sync_channel(QUEUE);
        let logging = Arc::new(Self::default());
        let own = Arc::clone(&logging);
        let thread = supervisor.spawn("log", move |heart| own.work(heart, &entries));
        if thread.is_ok() {
            let _first = logging.queue.set(queue);
        }
        logging
    }

    fn work(&self, heart: &Heart, entries: &Receiver<Entry>) {
        loop {
            heart.beat();
            let entry = match entries.recv_timeout(BEAT) {
                Ok(entry) => entry,
                Err(RecvTimeoutError::Timeout) => continue,
                // nothing logs any longer
                Err(RecvTimeoutError::Disconnected) => return heart.retire(),
            };
            let dropped = self.dropped.swap(0, Ordering::Relaxed);
            if dropped > 0 {
                locked(&self.told).dropped += dropped;
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
                        self.hand_on(LogLine { at, number: 0, body: Body::Debug(line) });
                    }
                }
            }
            // the waiting thread may have given up
            Entry::Settled(done) => {
                let _gone = done.try_send(());
            }
        }
    }

    /// Logs a message. Never waits: if the thread is far behind, the message is dropped before
    /// those that wait.
    pub(crate) fn message(&self, line: LogLine) {
        match self.queue.get() {
            Some(queue) => {
                if let Err(error) = queue.try_send(Entry::Line(line))
                    && let std::sync::mpsc::TrySendError::Full(Entry::Line(line))
                    | std::sync::mpsc::TrySendError::Disconnected(Entry::Line(line)) = error
                {
                    self.buffer.push(self.numbered(line));
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
                }
            }
            None => self.entry(entry),
        }
    }

    /// Waits until everything that was logged before has been handed on. Not for the gateway
    /// thread.
    pub(crate) fn settle(&self) {
        let Some(queue) = self.queue.get() else { return };
        let (done, wait) = sync_channel(1);
        // a thread that is far behind is not waited for
        if queue.try_send(Entry::Settled(done)).is_ok() {
            let _late = wait.recv_timeout(PATIENCE);
        }
    }

    /// How much was logged since the start.
    pub(crate) fn told(&self) -> Told {
        *locked(&self.told)
    }

    /// Another configuration is in force.
    pub(crate) fn configure(&self, config: &Config) {
        let mut settings = locked(&self.settings);
        *settings = Arc::new(Settings::new(config, settings.stamps.started));
        self.buffer.resize(config.log.size);
    }

    fn numbered(&self, line: LogLine) -> LogLine {
        LogLine { number: self.numbers.fetch_add(1, Ordering::Relaxed) + 1, ..line }
    }

    fn hand_on(&self, line: LogLine) {
        let line = self.numbered(line);
        let settings = Arc::clone(&locked(&self.settings));
        let Settings { on, log, stamps, servers } = settings.as_ref();
        let wanted = |level: Option<u8>| level.is_some_and(|level| line.severity() <= level);
        let mut told = *locked(&self.told);
        let within = log.rate.is_none_or(|limit| locked(&self.rate).allows(&limit, &line));
        told.limited += u64::from(!within);
        // `logging rate-limit console` leaves everything else alone
        let elsewhere = *on && (within || log.rate.is_some_and(|limit| limit.console));
        if wanted(log.console) && within {
            told.console += 1;
            // `tracing` writes everything else there, in a machine-readable format as well
            if matches!(line.body, Body::Debug(_)) {
                let text = line.text(Format::Modern, stamps) + "\n";
                let _infallible = Stderr.write_all(text.as_bytes());
            }
        }
        // `no logging on` leaves the console alone
        let may = |name: LineName| if matches!(name, LineName::Console(_)) { within } else { elsewhere };
        if wanted(log.monitor) {
            let watching = self.monitors.publish(may, |format| line.text(format, stamps));
            told.monitor += u64::from(watching > 0);
        }
        if elsewhere && wanted(log.trap) {
            let sent = locked(&self.syslog).send(servers, &line, stamps);
            told.trap += u64::from(sent > 0);
        }
        *locked(&self.told) = told;
        if elsewhere && wanted(log.buffered) {
            self.buffer.push(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::ike::event::EventKind;
    use hubward_proto::ike::trace::Trace;
    use hubward_proto::names::{ConnId, InterfaceId, VrfId};
    use hubward_proto::path::{Encapsulation, Path};
    use std::net::Ipv4Addr;
    use std::sync::mpsc::channel;

    fn step() -> Event {
        let path = Path {
            local: Ipv4Addr::new(10, 48, 67, 181).into(),
            local_port: 500,
            remote: Ipv4Addr::new(10, 100, 2, 102).into(),
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        };
        let kind = EventKind::Trace(Box::new(Trace::NeedXauth));
        Event { connection: Some(ConnId(1001)), path: Some(path), kind }
    }

    fn words(logging: &Logging) -> Vec<String> {
        logging.settle();
        logging.buffer.view().lines.iter().map(|line| line.words(Format::Modern)).collect()
    }

    fn message(severity: u8) -> LogLine {
        LogLine::message(Duration::ZERO, "SYS", severity, "TEST", "a line")
    }

    #[test]
    fn the_buffer_takes_what_its_level_lets_in() {
        let logging = Logging::start(&Supervisor::new());
        logging.debugging.switch(crate::debug::Switch::On(crate::debug::Class::Isakmp));
        logging.message(message(6));
        logging.step(step());
        assert_eq!(words(&logging), ["%SYS-6-TEST: a line", "ISAKMP:(1001):Need XAUTH"]);
        let configure = |text: &str| logging.configure(&hubward_config::parse(text).config);
        for (text, lets_in) in [
            ("logging buffered informational", 6),
            ("logging buffered 8192 3", 3),
            ("no logging buffered", 0),
            ("no logging on", 0),
        ] {
            configure(&format!("no logging console\n{text}"));
            logging.buffer.clear();
            for severity in 1..=7 {
                logging.message(message(severity));
            }
            logging.step(step());
            assert_eq!(words(&logging).len(), lets_in, "{text}");
        }
    }

    /// Lines of a class that is off are not made.
    #[test]
    fn what_is_off_is_silent() {
        let logging = Logging::start(&Supervisor::new());
        logging.debugging.switch(crate::debug::Switch::On(crate::debug::Class::Ipsec));
        logging.step(step());
        assert!(words(&logging).is_empty());
    }

    #[test]
    fn terminals_have_a_level_and_the_console_is_left_alone() {
        let logging = Logging::start(&Supervisor::new());
        let (sender, told) = channel();
        let tell = |name: &'static str| {
            let sender = sender.clone();
            move |line: &str| sender.send((name, line.to_string())).unwrap()
        };
        let _vty = logging.monitors.subscribe(LineName::Vty(0), Format::Modern, tell("vty")).unwrap();
        let console = LineName::Console(0);
        let _console = logging.monitors.subscribe(console, Format::Modern, tell("console")).unwrap();
        let configure = |text: &str| logging.configure(&hubward_config::parse(text).config);
        let patience = Duration::from_secs(10);
        configure("no service timestamps log\nlogging monitor warnings");
        logging.message(message(5));
        logging.message(message(4));
        let mut names: Vec<_> = (0..2).map(|_| told.recv_timeout(patience).unwrap()).collect();
        names.sort_unstable();
        let line = "%SYS-4-TEST: a line".to_string();
        assert_eq!(names, [("console", line.clone()), ("vty", line.clone())]);
        configure("no service timestamps log\nno logging on");
        logging.message(message(4));
        assert_eq!(told.recv_timeout(patience).unwrap(), ("console", line));
        logging.settle();
        assert!(told.try_recv().is_err());
    }

    /// Of the lines of a second, as many are logged as the configuration says, and the others are
    /// counted; their numbers are missing.
    #[test]
    fn a_rate_is_held_and_what_it_costs_is_counted() {
        let logging = Logging::start(&Supervisor::new());
        let configure = |text: &str| logging.configure(&hubward_config::parse(text).config);
        let burst = || {
            logging.buffer.clear();
            for severity in [6, 6, 3, 6, 6] {
                logging.message(message(severity));
            }
            logging.settle();
            logging.buffer.view().lines.iter().map(|line| line.number).collect::<Vec<_>>()
        };
        assert_eq!(burst(), [1, 2, 3, 4, 5]);
        configure("logging rate-limit 2 except errors");
        assert_eq!((burst(), logging.told().limited), (vec![6, 7, 8], 2));
        configure("logging rate-limit console 2");
        assert_eq!(burst(), [11, 12, 13, 14, 15], "only the console is limited");
    }

    /// A reader that hangs costs lines, which are counted; nothing waits for it.
    #[test]
    fn what_does_not_fit_is_dropped_and_told_of() {
        let logging = Logging::start(&Supervisor::new());
        logging.configure(&hubward_config::parse("no logging console\nlogging buffered 9000000").config);
        logging.debugging.switch(crate::debug::Switch::On(crate::debug::Class::Isakmp));
        let hold = locked(&logging.told);
        for _ in 0..QUEUE + 100 {
            logging.step(step());
        }
        drop(hold);
        let mut waits = 0;
        while logging.told().dropped == 0 && waits < 1000 {
            std::thread::sleep(Duration::from_millis(10));
            waits += 1;
        }
        let told = words(&logging);
        let dropped = logging.told().dropped;
        assert!((90..=110).contains(&dropped), "{dropped}");
        assert!(told.iter().any(|line| line.contains("debug messages were dropped")), "{}", told.len());
    }
}
