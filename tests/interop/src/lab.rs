//! One test's laboratory: its folder, its namespaces, and what is printed if it fails.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::net::Ns;
use crate::process::{self, Proc};
use crate::wait::secs;

/// Namespaces are called `hw<pid>-<n>-<name>`: two concurrent runs do not collide, and a later run
/// can recognise leftovers.
const PREFIX: &str = "hw";
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// A test's folder and namespaces; dropping it deletes both (the folder only when the test passed).
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    dir: PathBuf,
    namespaces: RefCell<Vec<Ns>>,
}

impl Lab {
    /// A fresh laboratory.
    pub fn new(test: &str) -> Result<Self> {
        let pid = std::process::id();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("{PREFIX}{pid}-{number}");
        // a control socket in a folder of it has a path of at most 107 bytes
        let name = test.chars().take(48);
        let safe: String = name.map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let dir =
            std::env::temp_dir().join(format!("hubward-interop-{pid}")).join(format!("{number}-{safe}"));
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        Ok(Self { prefix, dir, namespaces: RefCell::new(Vec::new()) })
    }

    /// The folder of this test: configurations, logs, captures.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes (or empties) a subfolder.
    pub fn subdir(&self, name: &str) -> Result<PathBuf> {
        let path = self.dir.join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
        Ok(path)
    }

    /// Makes a namespace with this laboratory's prefix.
    pub fn ns(&self, name: &str) -> Result<Ns> {
        let ns = Ns::create(format!("{}-{name}", self.prefix))?;
        self.namespaces.borrow_mut().push(ns.clone());
        Ok(ns)
    }

    /// Starts a program in a namespace; its log is `NAME.log` in the folder.
    pub fn spawn(&self, name: &str, command: &Command) -> Result<Proc> {
        Proc::spawn(name, command, &self.dir.join(format!("{name}.log")))
    }

    /// The ends of all logs below the folder, for the report of a failed test.
    pub fn story(&self, lines: usize) -> String {
        let mut logs = Vec::new();
        collect_logs(&self.dir, &mut logs);
        logs.sort();
        let mut text = format!("\nfolder kept: {}\n", self.dir.display());
        for log in logs {
            let content =
                fs::read(&log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
            let all: Vec<&str> = content.lines().collect();
            let tail = all.get(all.len().saturating_sub(lines)..).unwrap_or_default();
            let name = log.strip_prefix(&self.dir).unwrap_or(&log);
            text.push_str(&format!("---- {} ({} lines)\n", name.display(), all.len()));
            for line in tail {
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }

    /// Deletes the folder; called when the test passed.
    pub fn forget(&self) {
        if std::env::var_os("HUBWARD_KEEP_LOGS").is_none() {
            let _ = fs::remove_dir_all(&self.dir);
            // the run's own folder goes with its last test
            let _ = self.dir.parent().map(fs::remove_dir);
        }
    }
}

fn collect_logs(dir: &Path, logs: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && entry.file_name() != "etc" => collect_logs(&path, logs),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|e| e == "log") => logs.push(path),
            _ => {}
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for ns in self.namespaces.borrow().iter() {
            let _ = process::run(Command::new("ip").args(["netns", "del", ns.name()]), secs(10));
        }
    }
}

/// Deletes namespaces that a killed run of these tests left behind.
pub fn sweep() {
    let Ok(list) = process::run(Command::new("ip").args(["netns", "list"]), secs(10)) else { return };
    for name in list.lines().filter_map(|line| line.split_whitespace().next()) {
        let Some(rest) = name.strip_prefix(PREFIX) else { continue };
        let Some(pid) = rest.split('-').next().and_then(|p| p.parse::<u32>().ok()) else { continue };
        if !Path::new(&format!("/proc/{pid}")).exists() {
            let _ = process::run(Command::new("ip").args(["netns", "del", name]), secs(10));
        }
    }
}
