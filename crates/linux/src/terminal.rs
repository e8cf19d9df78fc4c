//! The terminal that a program was started from.

use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use std::os::fd::AsFd;

/// Whether a person is at the other end (colours, prompts, a pager).
pub fn is_terminal(fd: impl AsFd) -> bool {
    isatty(fd)
}

/// How a terminal was set before somebody was asked for a password with the echo off.
#[derive(Clone, Debug)]
pub struct Modes(Termios);

impl Modes {
    /// The modes now, if `fd` is a terminal.
    pub fn of(fd: impl AsFd) -> Option<Self> {
        tcgetattr(fd).ok().map(Self)
    }

    /// Sets them again.
    pub fn restore(&self, fd: impl AsFd) {
        // a terminal that is gone has no modes
        let _gone = tcsetattr(fd, OptionalActions::Now, &self.0);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_is_no_terminal() {
        let file = std::fs::File::open("/proc/self/status").unwrap();
        assert!(!super::is_terminal(&file));
        assert!(super::Modes::of(&file).is_none());
    }

    #[test]
    fn the_echo_comes_back() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let before = super::Modes::of(&terminal).unwrap();
        let mut silent = tcgetattr(&terminal).unwrap();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&terminal, OptionalActions::Now, &silent).unwrap();
        before.restore(&terminal);
        assert!(tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO));
    }
}
