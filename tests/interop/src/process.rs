//! Processes of a test: a log file each, ended by process id when the guard is dropped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::wait;

/// Runs a command to its end and returns its standard output; fails with both outputs when it exits
/// non-zero or has not ended within `timeout`.
pub fn run(command: &mut Command, timeout: Duration) -> Result<String> {
    let (status, out, err) = output(command, timeout)?;
    if !status.success() {
        bail!("{command:?}: {status}\n{out}{err}");
    }
    Ok(out)
}

/// Like [`run`], but an exit status other than zero is the caller's to judge: (status, stdout,
/// stderr).
pub fn output(command: &mut Command, timeout: Duration) -> Result<(ExitStatus, String, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    // both pipes are drained while the program runs: a full pipe would stop it
    let out = drain(child.stdout.take());
    let err = drain(child.stderr.take());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > timeout {
            let _ = child.kill();
            let _ = child.wait();
            let text = format!("{}{}", out.join().unwrap_or_default(), err.join().unwrap_or_default());
            bail!("{command:?} did not end within {} s\n{text}", timeout.as_secs());
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    Ok((status, out.join().unwrap_or_default(), err.join().unwrap_or_default()))
}

fn drain(pipe: Option<impl std::io::Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A running program with its log. Dropping it ends the program: SIGTERM, then SIGKILL after five
/// seconds.
#[derive(Debug)]
pub struct Proc {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Proc {
    /// Starts `command` with both outputs going to `log`, which is created.
    pub fn spawn(name: &str, command: &Command, log: &Path) -> Result<Self> {
        // the kernel ends the program should the test runner itself be killed
        let mut guarded = Command::new("setpriv");
        guarded.args(["--pdeathsig", "KILL", "--"]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(key, value),
                None => guarded.env_remove(key),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            guarded.current_dir(dir);
        }
        let file = File::create(log).with_context(|| format!("create {}", log.display()))?;
        let child = guarded
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("start {name}: {command:?}"))?;
        Ok(Self { name: name.into(), child, log: log.into() })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything the program has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Waits until the log contains `needle`; fails at once when the program ends first.
    pub fn wait_log(&mut self, needle: &str, timeout: Duration) -> Result<()> {
        let start = Instant::now();
        while !self.log().contains(needle) {
            if let Some(status) = self.child.try_wait()? {
                if self.log().contains(needle) {
                    return Ok(());
                }
                bail!("{} ended ({status}) before it wrote {needle:?}", self.name);
            }
            if start.elapsed() > timeout {
                bail!("{} did not write {needle:?} within {} s", self.name, timeout.as_secs());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Whether the program still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a signal to exactly this process.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("process id")?;
        kill_process(pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Waits for the program to end by itself and returns its status.
    pub fn wait_exit(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let mut status = None;
        let what = format!("the end of {}", self.name);
        wait::until(&what, timeout, || {
            status = self.child.try_wait()?;
            Ok(status.is_some())
        })?;
        status.context("no status")
    }

    /// SIGTERM, then waits for the end: the clean way to stop a daemon.
    pub fn terminate(&mut self, timeout: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait_exit(timeout)
    }

    /// `kill -9`, and waits until the process is gone.
    pub fn kill9(&mut self) -> Result<()> {
        self.child.kill().with_context(|| format!("kill -9 {}", self.name))?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Proc {
    fn drop(&mut self) {
        if !self.alive() {
            return;
        }
        // a stopped program (SIGSTOP) would never see the SIGTERM
        let _ = self.signal(Signal::CONT);
        let _ = self.signal(Signal::TERM);
        if self.wait_exit(wait::secs(5)).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
