//! The terminal that a program was started from.

use crate::error::{Context, Error};
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::os::fd::{AsFd, BorrowedFd};

/// Whether a person is at the other end (colours, prompts, a pager).
pub fn is_terminal(fd: impl AsFd) -> bool {
    isatty(fd)
}

/// Columns and rows, when `fd` is a terminal that knows its size.
pub fn size(fd: impl AsFd) -> Option<(u16, u16)> {
    let size = tcgetwinsize(fd).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

/// A terminal in raw mode: keystrokes arrive one by one and nothing is echoed. Dropping it gives
/// the terminal back.
#[derive(Debug)]
pub struct RawMode<'f> {
    fd: BorrowedFd<'f>,
    before: Modes,
}

impl<'f> RawMode<'f> {
    /// Switches a terminal to raw mode.
    ///
    /// # Errors
    /// When `fd` is not a terminal.
    pub fn enter(fd: BorrowedFd<'f>) -> Result<Self, Error> {
        let before = tcgetattr(fd).context("read the modes of", "the terminal")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(fd, OptionalActions::Flush, &raw).context("set the modes of", "the terminal")?;
        Ok(Self { fd, before: Modes(before) })
    }
}

impl Drop for RawMode<'_> {
    fn drop(&mut self) {
        self.before.restore(self.fd);
    }
}

/// The settings of a terminal before a password prompt disabled the echo.
#[derive(Clone, Debug)]
pub struct Modes(Termios);

impl Modes {
    /// The modes now, if `fd` is a terminal.
    pub fn of(fd: impl AsFd) -> Option<Self> {
        tcgetattr(fd).ok().map(Self)
    }

    /// The same modes, but what is typed is not shown.
    #[must_use]
    pub fn without_echo(&self) -> Self {
        let mut silent = self.clone();
        silent.0.local_modes.remove(LocalModes::ECHO);
        silent
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
        assert_eq!(super::size(&file), None);
        assert!(super::RawMode::enter(std::os::fd::AsFd::as_fd(&file)).is_err());
    }

    #[test]
    fn the_echo_comes_back() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, unlockpt};
        use rustix::termios::{LocalModes, tcgetattr};
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let before = super::Modes::of(&terminal).unwrap();
        before.without_echo().restore(&terminal);
        assert!(!tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO));
        before.restore(&terminal);
        assert!(tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO));
    }
}
