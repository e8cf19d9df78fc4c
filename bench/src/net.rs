//! Two network namespaces, a cable between them, and processes in them. However this program ends,
//! the kernel sends those SIGTERM and removes the namespaces with the last of them; the next run
//! removes a folder that is left.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hubward_linux::netns::NetNs;

/// The outer addresses.
pub(crate) const OUTER: [&str; 2] = ["192.0.2.1", "192.0.2.2"];
/// The inner addresses.
pub(crate) const INNER: [&str; 2] = ["10.9.1.1", "10.9.2.1"];

/// What the cable does with UDP super-packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// It carries them whole.
    SuperPackets,
    /// They are cut when they are sent and gathered when they arrive, as with a plain network card
    /// and its driver.
    NicLike,
    /// They are cut when they are sent and arrive one by one, as with a driver that gathers
    /// nothing.
    Ungathered,
}

impl Link {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SuperPackets => "super-packets",
            Self::NicLike => "NIC-like",
            Self::Ungathered => "NIC-like, ungathered",
        }
    }
}

/// The namespaces, with a folder for files. All are removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Pair {
    namespaces: [NetNs; 2],
    pub(crate) folder: PathBuf,
}

/// The prefix of the folders' names; the process id follows.
const FOLDER: &str = "hubward-bench-";

/// The cable's end in each of them.
pub(crate) const CABLE: [&str; 2] = ["v0", "v1"];

impl Pair {
    pub(crate) fn build(link: Link) -> Result<Self> {
        remove_left_folders();
        let pair = Self {
            namespaces: [NetNs::create()?, NetNs::create()?],
            folder: std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id())),
        };
        std::fs::create_dir_all(&pair.folder)?;
        let there = pair.namespaces[1].path().display().to_string();
        let cable =
            ["ip", "link", "add", CABLE[0], "type", "veth", "peer", "name", CABLE[1], "netns", &there];
        pair.run(0, &cable)?;
        for side in [0, 1] {
            pair.ip(side, &format!("addr add {}/24 dev {}", OUTER[side], CABLE[side]))?;
            pair.ip(side, &format!("link set {} up", CABLE[side]))?;
            let cuts = ["ethtool", "-K", CABLE[side], "tx-udp-segmentation", "off", "gro", "on"];
            match link {
                Link::SuperPackets => {}
                // veth gathers nothing while the other end may send it super-packets of TCP, which
                // none of the tunnels does
                Link::NicLike => drop(pair.run(side, &[&cuts[..], &["tso", "off"]].concat())?),
                Link::Ungathered => drop(pair.run(side, &cuts)?),
            }
        }
        Ok(pair)
    }

    /// Sets the inner address on the loopback of each, and the route to the other.
    pub(crate) fn inner_on_loopback(&self) -> Result<()> {
        for side in [0, 1] {
            self.ip(side, &format!("addr add {}/32 dev lo", INNER[side]))?;
            self.ip(
                side,
                &format!("route add {}/32 via {} src {}", INNER[1 - side], OUTER[1 - side], INNER[side]),
            )?;
        }
        Ok(())
    }

    /// A command that runs in one of the namespaces, and ends when this program does.
    pub(crate) fn command(&self, side: usize, program: &str) -> Result<Command> {
        let mut command = Command::new(program);
        self.namespaces[side].start_in(command.stdin(Stdio::null()))?;
        Ok(command)
    }

    /// Runs a command in one of the namespaces until it ends.
    pub(crate) fn run(&self, side: usize, words: &[&str]) -> Result<String> {
        let Some((program, arguments)) = words.split_first() else { bail!("nothing to run") };
        output(self.command(side, program)?.args(arguments), words)
    }

    pub(crate) fn ip(&self, side: usize, words: &str) -> Result<String> {
        self.run(side, &std::iter::once("ip").chain(words.split_whitespace()).collect::<Vec<_>>())
    }

    /// Starts a program; its output goes to a file.
    pub(crate) fn start(&self, name: &str, mut command: Command) -> Result<Process> {
        let log = self.folder.join(format!("{name}.log"));
        let file = File::create(&log)?;
        command.stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("start {name}"))?;
        Ok(Process { child, log })
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders of runs that were killed.
fn remove_left_folders() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(FOLDER)?.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            let _gone = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Runs a command until it ends.
pub(crate) fn say(words: &[&str]) -> Result<String> {
    let Some((program, arguments)) = words.split_first() else { bail!("nothing to run") };
    output(Command::new(program).args(arguments), words)
}

fn output(command: &mut Command, words: &[&str]) -> Result<String> {
    let output = command.output().with_context(|| format!("start {}", words.join(" ")))?;
    if !output.status.success() {
        bail!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A running program, which is ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn wait(&mut self, time: Duration) -> Result<()> {
        let end = std::time::Instant::now() + time;
        while std::time::Instant::now() < end {
            if let Some(status) = self.child.try_wait()? {
                if status.success() {
                    return Ok(());
                }
                bail!("{}: {status}: {}", self.log.display(), self.log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("{} does not end", self.log.display())
    }

    /// Seconds of processor time so far, of all threads, in user mode and in the kernel.
    pub(crate) fn cpu(&self) -> Result<f64> {
        // fields 14 and 15, counted after the name, which may contain anything
        let stat = std::fs::read_to_string(Path::new("/proc").join(self.pid().to_string()).join("stat"))?;
        let (_, fields) = stat.rsplit_once(')').context("/proc/PID/stat")?;
        let ticks: u64 =
            fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(ticks as f64 / 100.0)
    }

    /// Resident memory in KiB.
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(Path::new("/proc").join(self.pid().to_string()).join("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.split_whitespace().next().context("VmRSS")?.parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let pid = self.pid().to_string();
            let _told = Command::new("kill").arg(&pid).stderr(Stdio::null()).status();
            for _ in 0..100 {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let _killed = self.child.kill();
            let _status = self.child.wait();
        }
    }
}
