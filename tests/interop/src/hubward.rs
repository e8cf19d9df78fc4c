//! The program under test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::lab::Lab;
use crate::needs;
use crate::net::Ns;
use crate::process::{self, Proc};
use crate::wait::{self, secs};

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).unwrap_or_else(|| workspace().join("target"))
}

/// The program: `HUBWARD_BIN`, else the newer of the workspace's release and debug builds.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("HUBWARD_BIN") {
        let path = PathBuf::from(path);
        if !path.exists() {
            bail!("HUBWARD_BIN names {}, which is not there", path.display());
        }
        return Ok(path);
    }
    let target = target();
    ["release", "debug"]
        .iter()
        .map(|profile| target.join(profile).join("hubward"))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .max()
        .map(|(_, path)| path)
        .with_context(|| {
            format!("no hubward in {}; build it with `cargo build -p hubward`", target.display())
        })
}

/// The program that fails on order: `HUBWARD_FAULTS_BIN`, else what `cargo build -p hubward
/// --features fault-injection --bin hubward-faults` makes.
pub fn faults_binary() -> Result<PathBuf> {
    let built = || target().join("debug").join("hubward-faults");
    let path = std::env::var_os("HUBWARD_FAULTS_BIN").map_or_else(built, PathBuf::from);
    if !path.exists() {
        bail!("no {}; build it with the feature fault-injection", path.display());
    }
    Ok(path)
}

/// The reference hub's configuration, unchanged.
pub fn hub_cfg() -> Result<String> {
    example("hub.cfg")
}

/// The reference spoke's configuration, unchanged.
pub fn spoke_cfg() -> Result<String> {
    example("spoke.cfg")
}

/// A configuration of the folder `examples`, unchanged.
pub fn example(name: &str) -> Result<String> {
    let path = workspace().join("examples").join(name);
    fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
}

/// Replaces `from` by `to` in a configuration; fails when there is nothing to replace, so that a
/// variant cannot silently be the original.
pub fn edit(text: &str, from: &str, to: &str) -> Result<String> {
    if !text.contains(from) {
        bail!("the configuration has no {from:?} to replace");
    }
    Ok(text.replace(from, to))
}

/// The reference hub with one more suite before its own, as an administrator would add it.
pub fn hub_with(policy: &str, transform_set: &str, map_lines: &str) -> Result<String> {
    let text = hub_cfg()?;
    let text =
        edit(&text, "crypto isakmp policy 10\n  encr 3des\n  authentication pre-share\n  group 2\n", policy)?;
    let text = edit(&text, "crypto ipsec transform-set myset esp-3des esp-sha-hmac\n", transform_set)?;
    edit(&text, " set transform-set myset\n", &format!(" set transform-set myset\n{map_lines}"))
}

/// A running `hubward run`.
///
/// It runs in a mount namespace of its own whose `/run` and `/var/lib` are folders of the test,
/// kept over restarts, and whose `/etc` is a copy: several instances do not meet, and the machine's
/// own files are out of reach.
#[derive(Debug)]
pub struct Hubward {
    process: Proc,
    socket: PathBuf,
    dir: PathBuf,
    name: String,
}

/// The names of the interfaces: IOS name and Linux name.
pub const MAP: [&str; 4] = ["--map", "FastEthernet0/0=eth0", "--map", "FastEthernet0/1=eth1"];

impl Hubward {
    /// Starts `hubward run` with a configuration and waits until its control socket answers.
    pub fn start(lab: &Lab, name: &str, ns: &Ns, config: &str) -> Result<Self> {
        Self::start_with(lab, name, ns, config, &[])
    }

    /// Like [`Hubward::start`] with further arguments.
    pub fn start_with(lab: &Lab, name: &str, ns: &Ns, config: &str, arguments: &[&str]) -> Result<Self> {
        let mut this = Self::spawn(lab, name, ns, config, arguments)?;
        this.wait_ready()?;
        Ok(this)
    }

    /// Starts it without waiting: for configurations that it must refuse.
    pub fn spawn(lab: &Lab, name: &str, ns: &Ns, config: &str, arguments: &[&str]) -> Result<Self> {
        let arguments: Vec<&str> = MAP.iter().chain(arguments).copied().collect();
        Self::spawn_exactly(lab, name, ns, config, &arguments)
    }

    /// Like [`Hubward::spawn`] for other configurations than the reference ones: the interfaces are
    /// mapped by the arguments, or by Hubward itself.
    pub fn spawn_exactly(lab: &Lab, name: &str, ns: &Ns, config: &str, arguments: &[&str]) -> Result<Self> {
        let dir = lab.dir().join(name);
        let file = sandbox(&dir)?.join(format!("{name}.cfg"));
        fs::write(&file, config)?;
        let socket = dir.join("control.sock");
        let mut command = in_sandbox(ns, &dir)?;
        command.arg("run").arg(&file).arg("--socket").arg(&socket).args(arguments);
        if needs::in_guest() && !arguments.contains(&"--dataplane") {
            command.args(["--dataplane", "kernel"]);
        }
        // a restart must not overwrite the log of the run before it
        let generation = (1..).find(|n| !lab.dir().join(format!("{name}.{n}.log")).exists()).unwrap_or(0);
        let process = lab.spawn(&format!("{name}.{generation}"), &command)?;
        Ok(Self { process, socket, dir, name: name.to_owned() })
    }

    /// Another verb of the program that takes a configuration and ends, such as `guard`, where
    /// [`Hubward::start`] of this name runs it: exit status and both outputs.
    pub fn once(
        lab: &Lab,
        name: &str,
        ns: &Ns,
        config: &str,
        verb: &str,
        arguments: &[&str],
    ) -> Result<(ExitStatus, String, String)> {
        let dir = lab.dir().join(name);
        let file = sandbox(&dir)?.join(format!("{name}.cfg"));
        fs::write(&file, config)?;
        process::output(in_sandbox(ns, &dir)?.arg(verb).arg(&file).args(arguments), secs(20))
    }

    /// `hubward release`, likewise.
    pub fn release(lab: &Lab, name: &str, ns: &Ns) -> Result<String> {
        let dir = lab.dir().join(name);
        Self::release_at(lab, name, ns, &dir.join("control.sock"))
    }

    /// The same with another control socket.
    pub fn release_at(lab: &Lab, name: &str, ns: &Ns, socket: &Path) -> Result<String> {
        let dir = lab.dir().join(name);
        process::run(in_sandbox(ns, &dir)?.arg("release").arg("--socket").arg(socket), secs(20))
    }

    /// Waits until its control socket answers.
    pub fn wait_ready(&mut self) -> Result<()> {
        wait::until("hubward to start", secs(60), || {
            if !self.process.alive() {
                bail!("hubward has ended");
            }
            Ok(self.exec("show version").is_ok() || self.exec("show crypto isakmp sa").is_ok())
        })
    }

    /// `hubward exec "LINE"`: what the router's console would print.
    pub fn exec(&self, line: &str) -> Result<String> {
        let mut command = Command::new(binary()?);
        command.arg("exec").arg("--socket").arg(&self.socket).arg(line);
        process::run(&mut command, secs(10))
    }

    /// `hubward console` without a terminal: what its shell prints when these keys are struck.
    pub fn console(&self, typed: &str) -> Result<String> {
        let file = self.dir.join("typed");
        fs::write(&file, typed)?;
        let mut command = Command::new("sh");
        command.arg("-c").arg("exec \"$0\" console --socket \"$1\" < \"$2\"");
        command.arg(binary()?).arg(&self.socket).arg(&file);
        process::run(&mut command, secs(10))
    }

    /// The configuration file, as it is kept.
    pub fn saved(&self) -> Result<String> {
        let path = self.dir.join(format!("{}.cfg", self.name));
        fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))
    }

    /// The control socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The same for a user who stays for so many seconds after the last key.
    pub fn console_for(&self, typed: &str, seconds: u32) -> Result<String> {
        console_for(&self.socket, typed, seconds)
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The process.
    pub fn process(&mut self) -> &mut Proc {
        &mut self.process
    }

    /// Writes a new configuration and reloads it with SIGHUP.
    pub fn reload(&self, name: &str, config: &str) -> Result<()> {
        fs::write(self.dir.join(format!("{name}.cfg")), config)?;
        self.process.signal(rustix::process::Signal::HUP)
    }

    /// SIGTERM and a clean end: status 0, or 3 if the configuration is not fully enforced.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.process.terminate(secs(10))?;
        match status.code() {
            Some(0 | 3) => Ok(()),
            _ => bail!("hubward ended with {status} on SIGTERM"),
        }
    }

    /// Waits until a `show` line's output contains `needle`.
    pub fn wait_show(&self, line: &str, needle: &str, timeout: Duration) -> Result<String> {
        let mut text = String::new();
        wait::until(&format!("{needle:?} in {line:?}"), timeout, || {
            text = self.exec(line)?;
            Ok(text.contains(needle))
        })
        .with_context(|| text.clone())?;
        Ok(text)
    }

    /// Fails unless the log has a line with all of the words.
    pub fn expect_log(&self, words: &[&str]) -> Result<()> {
        let log = self.log();
        if log.lines().any(|line| words.iter().all(|w| line.to_lowercase().contains(&w.to_lowercase()))) {
            return Ok(());
        }
        bail!("hubward's log has no line with {words:?}")
    }
}

/// `hubward console` of a user who types this, and stays for so many seconds: its output.
pub(crate) fn console_for(socket: &Path, typed: &str, seconds: u32) -> Result<String> {
    let mut command = Command::new("sh");
    command.arg("-c").arg("{ printf %s \"$2\"; sleep \"$3\"; } | \"$0\" console --socket \"$1\"");
    command.arg(binary()?).arg(socket).arg(typed).arg(seconds.to_string());
    process::run(&mut command, secs(10 + u64::from(seconds)))
}

/// A running `hubward client connect`.
#[derive(Debug)]
pub struct Client {
    /// The process.
    pub process: Proc,
    /// Its private `/etc`: `resolv.conf` shows what was done to name resolution.
    pub etc: PathBuf,
}

impl Client {
    /// Starts it with the given arguments; the password goes by a file that only root can read.
    pub fn start(lab: &Lab, name: &str, ns: &Ns, arguments: &[&str], files: &[(&str, &str)]) -> Result<Self> {
        let dir = sandbox(&lab.dir().join(name))?;
        for (file, content) in files {
            let path = dir.join(file);
            fs::write(&path, content)?;
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        }
        let mut command = in_sandbox(ns, &dir)?;
        command.args(["client", "connect"]).args(arguments).current_dir(&dir);
        Ok(Self { process: lab.spawn(name, &command)?, etc: dir.join("etc") })
    }
}

/// Makes the private folders of one instance if they are not there yet.
pub(crate) fn sandbox(dir: &Path) -> Result<PathBuf> {
    for folder in ["run", "varlib"] {
        fs::create_dir_all(dir.join(folder))?;
    }
    if !dir.join("etc").exists() {
        let mut copy = Command::new("cp");
        copy.args(["-a", "/etc"]).arg(dir.join("etc"));
        // an emulated machine reads it from a cold disk
        process::run(&mut copy, secs(90)).context("copy /etc")?;
        // a name server link would point out of the copy
        let resolv = dir.join("etc/resolv.conf");
        let _ = fs::remove_file(&resolv);
        fs::write(&resolv, "nameserver 192.0.2.53\n")?;
    }
    Ok(dir.to_owned())
}

fn in_sandbox(ns: &Ns, dir: &Path) -> Result<Command> {
    Ok(in_sandbox_with(ns, dir, "", &binary()?))
}

/// A program in the private folders of an instance; commands of a shell come `before` it.
pub(crate) fn in_sandbox_with(ns: &Ns, dir: &Path, before: &str, program: &Path) -> Command {
    let script = format!(
        "d=$1; shift; mount --bind \"$d/run\" /run && mount --bind \"$d/varlib\" /var/lib && \
         mount --bind \"$d/etc\" /etc || exit\n{before}\nexec \"$@\""
    );
    let mut command = ns.command("sh");
    command.args(["-c", &script, "sh"]).arg(dir).arg(program);
    command
}
