//! What standard output is connected to.

use rustix::termios::{isatty, tcgetwinsize};
use std::os::fd::AsFd;

/// Whether a person is at the other end (colours, prompts, a pager).
pub fn is_terminal(fd: impl AsFd) -> bool {
    isatty(fd)
}

/// Columns and rows, when `fd` is a terminal that knows its size.
pub fn size(fd: impl AsFd) -> Option<(u16, u16)> {
    let size = tcgetwinsize(fd).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then_some((size.ws_col, size.ws_row))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_file_is_no_terminal() {
        let file = std::fs::File::open("/proc/self/status").unwrap();
        assert!(!super::is_terminal(&file));
        assert_eq!(super::size(&file), None);
    }
}
