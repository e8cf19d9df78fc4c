//! A real terminal: a program in a tmux of its own, to which keys are struck and whose screen is
//! read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::lab::Lab;
use crate::process;
use crate::wait::{self, secs};

/// A terminal; dropping it ends the program and the tmux server, which no other shares.
#[derive(Debug)]
pub struct Terminal {
    socket: PathBuf,
    dir: PathBuf,
}

impl Terminal {
    /// Starts `command` in a terminal of `columns` and `lines`.
    pub fn start(lab: &Lab, name: &str, command: &Command, columns: u16, lines: u16) -> Result<Self> {
        let dir = lab.subdir(name)?;
        let this = Self { socket: dir.join("tmux.sock"), dir };
        let conf = this.dir.join("tmux.conf");
        fs::write(&conf, "set -g history-limit 50000\nset -s escape-time 0\nset -g remain-on-exit on\n")?;
        let mut start = Command::new("tmux");
        start.arg("-S").arg(&this.socket).arg("-f").arg(&conf);
        start.args(["new-session", "-d", "-x", &columns.to_string(), "-y", &lines.to_string()]);
        start.arg(command.get_program()).args(command.get_args());
        process::run(&mut start, secs(10)).context("start tmux")?;
        Ok(this)
    }

    fn tmux(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new("tmux");
        command.arg("-S").arg(&self.socket).args(arguments);
        process::run(&mut command, secs(10))
    }

    /// Types text as it is.
    pub fn strike(&self, text: &str) -> Result<()> {
        self.tmux(&["send-keys", "-l", "--", text]).map(drop)
    }

    /// Strikes a key by tmux's name for it: `Enter`, `Tab`, `C-c`, `Space`.
    pub fn key(&self, name: &str) -> Result<()> {
        self.tmux(&["send-keys", name]).map(drop)
    }

    /// Types a line and Enter.
    pub fn line(&self, text: &str) -> Result<()> {
        self.strike(text)?;
        self.key("Enter")
    }

    /// Pastes text as a terminal does: all at once.
    pub fn paste(&self, text: &str) -> Result<()> {
        let file = self.dir.join("pasted");
        fs::write(&file, text)?;
        self.tmux(&["load-buffer", path(&file)?])?;
        self.tmux(&["paste-buffer"]).map(drop)
    }

    /// What is on the screen, without the blank lines at its end.
    pub fn screen(&self) -> Result<String> {
        Ok(self.tmux(&["capture-pane", "-p"])?.trim_end().to_owned())
    }

    /// The screen and all that has scrolled out of it; wrapped lines are joined.
    pub fn everything(&self) -> Result<String> {
        Ok(self.tmux(&["capture-pane", "-p", "-J", "-S", "-"])?.trim_end().to_owned())
    }

    /// Clears the screen and what has scrolled out of it.
    pub fn clear(&self) -> Result<()> {
        // Ctrl-L is the shell's: it writes the line again on an empty screen
        self.tmux(&["send-keys", "-R"])?;
        self.tmux(&["clear-history"]).map(drop)
    }

    /// Waits until the last line of the screen is `last`, and gives the screen.
    pub fn until_last(&self, last: &str, timeout: Duration) -> Result<String> {
        let mut screen = String::new();
        wait::until(&format!("a last line {last:?}"), timeout, || {
            screen = self.screen()?;
            Ok(screen.lines().last().map(str::trim_end) == Some(last))
        })
        .with_context(|| format!("on the screen:\n{screen}"))?;
        Ok(screen)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is not UTF-8")
}
