//! Hubward as systemd runs it with `packaging/hubward.service`: restarted a second after it failed,
//! with readiness and watchdog notifications by `NOTIFY_SOCKET`, ended with SIGABRT if the watchdog
//! is not fed. The times of all that are recorded.

use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::hubward;
use crate::lab::Lab;
use crate::net::Ns;
use crate::process::{self, Proc};
use crate::wait::{self, secs};

/// `WatchdogSec`
pub const WATCHDOG: Duration = secs(10);
/// `RestartSec`
const RESTART: Duration = secs(1);

/// What happened to the program.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// It was started.
    Started,
    /// It said `READY=1`.
    Ready,
    /// It said `WATCHDOG=1`.
    Fed,
    /// It was not fed, and got SIGABRT.
    Bitten,
    /// It ended.
    Ended(ExitStatus),
}

/// What is started.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The program.
    pub program: PathBuf,
    /// The configuration's text.
    pub config: String,
    /// Arguments after the configuration.
    pub arguments: Vec<String>,
    /// Commands of a shell that come before the program, in its mount namespace; `$d` is the
    /// service's folder.
    pub before: String,
}

#[derive(Debug)]
struct Inner {
    events: Mutex<Vec<(Instant, Event)>>,
    /// The service is to end.
    over: AtomicBool,
    /// The next end is an order to start it again, as `systemctl restart` does.
    again: AtomicBool,
    pid: AtomicU32,
    runs: AtomicU32,
}

/// A supervised Hubward.
#[derive(Debug)]
pub struct Service {
    inner: Arc<Inner>,
    supervisor: Option<JoinHandle<()>>,
    dir: PathBuf,
    logs: PathBuf,
    name: String,
}

impl Inner {
    fn events(&self) -> MutexGuard<'_, Vec<(Instant, Event)>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, event: Event) {
        self.events().push((Instant::now(), event));
    }
}

impl Service {
    /// Starts it and waits until it is ready. A folder `faults` in its own takes orders to fail.
    pub fn start(lab: &Lab, name: &str, ns: &Ns, unit: &Unit) -> Result<Self> {
        let dir = hubward::sandbox(&lab.dir().join(name))?;
        std::fs::create_dir_all(dir.join("faults"))?;
        std::fs::write(dir.join("hubward.cfg"), &unit.config)?;
        let notify = UnixDatagram::bind(dir.join("notify")).context("bind the notify socket")?;
        notify.set_nonblocking(true)?;
        let mut command = hubward::in_sandbox_with(ns, &dir, &unit.before, &unit.program);
        command.arg("run").arg(dir.join("hubward.cfg")).args(&unit.arguments);
        command.arg("--socket").arg(dir.join("control.sock"));
        command.env("NOTIFY_SOCKET", dir.join("notify")).env("HUBWARD_INJECT_FAULTS", dir.join("faults"));
        let inner = Arc::new(Inner {
            events: Mutex::default(),
            over: AtomicBool::new(false),
            again: AtomicBool::new(false),
            pid: AtomicU32::new(0),
            runs: AtomicU32::new(0),
        });
        let (own, of, logs) = (Arc::clone(&inner), name.to_owned(), lab.dir().to_owned());
        let supervisor = std::thread::spawn(move || {
            // the program is ended by the kernel when the thread that started it ends
            if let Err(error) = supervise(&own, &of, &logs, &command, &notify) {
                eprintln!("the supervisor of {of} gave up: {error:#}");
            }
        });
        let this = Self {
            inner,
            supervisor: Some(supervisor),
            dir,
            logs: lab.dir().to_owned(),
            name: name.to_owned(),
        };
        // an emulated machine reads the program from a cold disk
        this.ready_since(Instant::now() - secs(1), secs(60))?;
        Ok(this)
    }

    /// The folder: configuration, state, faults.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.inner.pid.load(Ordering::Relaxed)
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        signal_to(self.pid(), signal)
    }

    /// SIGTERM, and a new start at once.
    pub fn restart(&self) -> Result<()> {
        self.inner.again.store(true, Ordering::Relaxed);
        self.signal(Signal::TERM)
    }

    /// Orders a fault: `panic-NAME` or `hang-NAME`.
    pub fn order(&self, fault: &str) -> Result<()> {
        std::fs::write(self.dir.join("faults").join(fault), "").context("order a fault")
    }

    /// Replaces the configuration file and sends SIGHUP.
    pub fn reload(&self, config: &str) -> Result<()> {
        std::fs::write(self.dir.join("hubward.cfg"), config)?;
        self.signal(Signal::HUP)
    }

    /// The logs of all its runs, one after the other.
    pub fn log(&self) -> String {
        let runs = 1..=self.inner.runs.load(Ordering::Relaxed);
        let of = |run| std::fs::read(self.logs.join(format!("{}.{run}.log", self.name))).unwrap_or_default();
        runs.map(|run| String::from_utf8_lossy(&of(run)).into_owned()).collect()
    }

    /// `hubward exec LINE`
    pub fn exec(&self, line: &str) -> Result<String> {
        let mut command = Command::new(hubward::binary()?);
        command.arg("exec").arg("--socket").arg(self.socket()).arg(line);
        process::run(&mut command, secs(10))
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("control.sock")
    }

    /// `hubward console` of a user who types this, and stays for so many seconds: its output.
    pub fn console_for(&self, typed: &str, seconds: u32) -> Result<String> {
        hubward::console_for(&self.socket(), typed, seconds)
    }

    /// What happened since then.
    pub fn since(&self, then: Instant) -> Vec<(Instant, Event)> {
        self.inner.events().iter().filter(|(at, _)| *at >= then).copied().collect()
    }

    fn first<T>(
        &self,
        what: &str,
        then: Instant,
        timeout: Duration,
        is: impl Fn(Event) -> Option<T>,
    ) -> Result<(Instant, T)> {
        let mut found = None;
        wait::until(&format!("{} to {what}", self.name), timeout, || {
            found = self.since(then).into_iter().find_map(|(at, event)| Some((at, is(event)?)));
            Ok(found.is_some())
        })?;
        found.context("nothing found")
    }

    /// When it was ready first after that.
    pub fn ready_since(&self, then: Instant, timeout: Duration) -> Result<Instant> {
        let ready = |event| matches!(event, Event::Ready).then_some(());
        self.first("be ready", then, timeout, ready).map(|(at, ())| at)
    }

    /// When and how it ended after that.
    pub fn ended_since(&self, then: Instant, timeout: Duration) -> Result<(Instant, ExitStatus)> {
        self.first("end", then, timeout, |event| match event {
            Event::Ended(status) => Some(status),
            _ => None,
        })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.inner.over.store(true, Ordering::Relaxed);
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
    }
}

fn signal_to(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process")?;
    kill_process(pid, signal).context("signal the service")
}

fn supervise(inner: &Inner, name: &str, logs: &Path, command: &Command, notify: &UnixDatagram) -> Result<()> {
    while !inner.over.load(Ordering::Relaxed) {
        let run = inner.runs.load(Ordering::Relaxed) + 1;
        let mut program =
            Proc::spawn(&format!("{name}.{run}"), command, &logs.join(format!("{name}.{run}.log")))?;
        inner.pid.store(program.pid(), Ordering::Relaxed);
        inner.runs.store(run, Ordering::Relaxed);
        inner.add(Event::Started);
        let mut fed = None;
        let status = loop {
            let mut said = [0; 256];
            while let Ok(length) = notify.recv(&mut said) {
                match said.get(..length) {
                    Some(b"READY=1") => inner.add(Event::Ready),
                    Some(b"WATCHDOG=1") => inner.add(Event::Fed),
                    _ => continue,
                }
                fed = Some(Instant::now());
            }
            if fed.is_some_and(|at| at.elapsed() >= WATCHDOG) {
                inner.add(Event::Bitten);
                fed = None;
                program.signal(Signal::ABORT)?;
                program.signal(Signal::CONT)?;
            }
            if inner.over.load(Ordering::Relaxed) {
                // dropping the process ends it
                return Ok(());
            }
            if !program.alive() {
                break program.wait_exit(secs(1))?;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        inner.add(Event::Ended(status));
        if inner.again.swap(false, Ordering::Relaxed) {
            continue;
        }
        // Restart=on-failure
        if status.success() {
            bail!("the program has ended by itself, without an error");
        }
        std::thread::sleep(RESTART);
    }
    Ok(())
}

/// A status as a table prints it.
pub fn status_words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => code.to_string(),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "?".to_owned(),
    }
}
