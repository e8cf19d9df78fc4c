//! Standard error, which may be a file on a full disk, or a pipe or socket (systemd's journal) whose
//! reader does not read. Whoever logs must neither wait for it nor end because of it, the gateway
//! least of all: what cannot be written at once is left out there, and is still in the log's buffer.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::borrow::Cow;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Lines that were left out and not reported yet.
static LEFT_OUT: AtomicU64 = AtomicU64::new(0);
/// Bytes that a pipe takes at once if it can be written to at all (`PIPE_BUF`); what is longer is
/// cut.
const AT_ONCE: usize = 4096;
/// The end of a line that was cut.
const CUT: &str = " …\n";

/// Writes lines to standard error, if that is possible at once. Never returns an error.
pub(crate) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        write(&mut stderr, line, &LEFT_OUT);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(out: &mut (impl Write + AsFd), line: &[u8], left_out: &AtomicU64) {
    let lost = left_out.load(Ordering::Relaxed);
    if lost > 0 && takes_more(out.as_fd()) {
        let told = out.write_all(format!("{lost} lines of the log could not be written here\n").as_bytes());
        if told.is_ok() {
            left_out.fetch_sub(lost, Ordering::Relaxed);
        }
    }
    let written = takes_more(out.as_fd()) && out.write_all(&at_once(line)).is_ok();
    if !written {
        left_out.fetch_add(1, Ordering::Relaxed);
    }
}

/// As much of a line as is written at once, without a part of a character at its end.
fn at_once(line: &[u8]) -> Cow<'_, [u8]> {
    if line.len() <= AT_ONCE {
        return Cow::Borrowed(line);
    }
    let room = AT_ONCE - CUT.len();
    let continues = |at: &usize| line.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
    // a character of UTF-8 has at most four bytes
    let end = (room - 3..=room).rev().find(|at| !continues(at)).unwrap_or(room);
    Cow::Owned([line.get(..end).unwrap_or_default(), CUT.as_bytes()].concat())
}

/// Whether a write would not wait. A file always says so.
fn takes_more(out: BorrowedFd<'_>) -> bool {
    let mut events = [PollFd::from_borrowed_fd(out, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let ready = poll(&mut events, Some(&now));
    ready.is_ok() && events.iter().all(|event| event.revents().contains(PollFlags::OUT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Read as _;

    /// A pipe that nobody reads takes what it has room for, and then nobody waits for it; when it is
    /// read again, it says how much is missing.
    #[test]
    fn a_reader_that_does_not_read_holds_up_nobody() {
        let (reader, writer) = io::pipe().unwrap();
        let (mut writer, left_out) = (File::from(std::os::fd::OwnedFd::from(writer)), AtomicU64::new(0));
        let mut reader = File::from(std::os::fd::OwnedFd::from(reader));
        // however much a pipe holds here
        while left_out.load(Ordering::Relaxed) == 0 {
            write(&mut writer, b"a line of the log, which is about as long as this one\n", &left_out);
        }
        for _ in 0..1_000 {
            write(&mut writer, &[b'x'; 100_000], &left_out);
        }
        let lost = left_out.load(Ordering::Relaxed);
        assert_eq!(lost, 1_001);
        let mut half = vec![0; 1 << 15];
        assert!(reader.read(&mut half).unwrap() > 0);
        write(&mut writer, b"the end\n", &left_out);
        drop(writer);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with(&format!("{lost} lines of the log could not be written here\nthe end\n")));
        assert_eq!(left_out.load(Ordering::Relaxed), 0);
    }

    /// A line that a pipe may not take at once is cut where a character ends, and says so.
    #[test]
    fn a_long_line_is_cut() {
        let whole = [b"x".repeat(AT_ONCE - 1), b"\n".to_vec()].concat();
        assert_eq!(&*at_once(&whole), &*whole);
        for character in ["x", "é", "…", "🔑"] {
            for before in ["", "a", "ab", "abc"] {
                let line = format!("{before}{}\n", character.repeat(AT_ONCE));
                let (reader, writer) = io::pipe().unwrap();
                let (left_out, mut reader) = (AtomicU64::new(0), reader);
                write(&mut File::from(std::os::fd::OwnedFd::from(writer)), line.as_bytes(), &left_out);
                let mut text = String::new();
                reader.read_to_string(&mut text).unwrap();
                let start = text.strip_suffix(CUT).unwrap();
                assert!(line.starts_with(start) && start.ends_with(character), "{character}");
                assert!((AT_ONCE - 3..=AT_ONCE).contains(&text.len()), "{}", text.len());
                assert_eq!(left_out.load(Ordering::Relaxed), 0);
            }
        }
        // what is no text is cut all the same
        assert_eq!(at_once(&[0x80; 10_000]).len(), AT_ONCE);
    }

    /// A disk that is full and a reader that is gone cost the line and nothing else.
    #[test]
    fn an_error_costs_the_line() {
        let left_out = AtomicU64::new(0);
        let mut full = File::options().write(true).open("/dev/full").unwrap();
        write(&mut full, b"a line\n", &left_out);
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        write(&mut File::from(std::os::fd::OwnedFd::from(writer)), b"a line\n", &left_out);
        assert_eq!(left_out.load(Ordering::Relaxed), 2);
    }
}
