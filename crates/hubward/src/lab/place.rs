//! A Hubward at one of the places: this same program, started in a namespace.

use anyhow::{Context as _, bail};
use hubward_linux::netns::NetNs;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running Hubward, which ends when this is dropped.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) socket: PathBuf,
    log: PathBuf,
    process: Child,
}

impl Drop for Place {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process};
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::TERM);
        }
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _gone = self.process.kill();
        let _gone = self.process.wait();
    }
}

impl Place {
    /// Starts `hubward run` with a configuration.
    pub(crate) fn gateway(
        folder: &Path,
        name: &str,
        namespace: &NetNs,
        config: &str,
        map: &[&str],
    ) -> anyhow::Result<Self> {
        let file = folder.join(format!("{name}.cfg"));
        std::fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))?;
        let socket = folder.join(format!("{name}.sock"));
        let mut command = program()?;
        command.arg("run").arg(&file).arg("--socket").arg(&socket);
        command.arg("--state").arg(folder.join(format!("{name}.state")));
        for pair in map {
            command.args(["--map", pair]);
        }
        Self::start(folder, name, namespace, command, socket)
    }

    /// Starts `hubward client connect` as the reference document's user. Name resolution belongs to
    /// the machine and is not changed.
    pub(crate) fn client(folder: &Path, namespace: &NetNs) -> anyhow::Result<Self> {
        let secret = |name: &str, text: &str| -> anyhow::Result<PathBuf> {
            let file = folder.join(name);
            std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
            Ok(file)
        };
        let mut command = program()?;
        command.args(["client", "connect", "--no-dns", "--gateway", "10.48.67.181", "--group", "testgroup"]);
        command.args(["--user", "gfullage"]);
        command.arg("--group-password-file").arg(secret("group-password", "cisco321\n")?);
        command.arg("--password-file").arg(secret("password", "gfullage\n")?);
        command.arg("--state").arg(folder.join("client.state"));
        Self::start(folder, "client", namespace, command, PathBuf::new())
    }

    fn start(
        folder: &Path,
        name: &str,
        namespace: &NetNs,
        mut command: Command,
        socket: PathBuf,
    ) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let out = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let process = namespace
            .start_in(&mut command)?
            .spawn()
            .with_context(|| format!("cannot start Hubward at {name}"))?;
        Ok(Self { name: name.to_owned(), socket, log, process })
    }

    /// Waits until the gateway answers commands.
    pub(crate) fn wait_ready(&self) -> anyhow::Result<()> {
        let until = Instant::now() + Duration::from_secs(20);
        while Instant::now() < until {
            if crate::shell::socket::ask(&self.socket, crate::base::format::Format::Modern, "show version")
                .is_ok()
            {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("Hubward at {} does not start; its log says:\n{}", self.name, self.log_tail())
    }

    /// Runs a command on it.
    pub(crate) fn exec(&self, line: &str) -> anyhow::Result<String> {
        crate::shell::socket::ask(&self.socket, crate::base::format::Format::Modern, line)
    }

    /// The last lines of its log.
    pub(crate) fn log_tail(&self) -> String {
        let text = std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let text = text.unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
    }
}

fn program() -> anyhow::Result<Command> {
    Ok(Command::new(std::env::current_exe().context("where is this program?")?))
}
