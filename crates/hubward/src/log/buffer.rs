//! The buffer of `show logging`: the last lines of the log, in the form that IOS gives them.

use crate::log::line::LogLine;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of the buffer where `logging buffered` gives no number, and the most that it may have.
const SIZE: usize = 65_536;
const LARGEST: usize = 16 << 20;

/// The buffer.
#[derive(Debug, Default)]
pub(crate) struct LogBuffer(Mutex<Held>);

#[derive(Debug)]
struct Held {
    size: usize,
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    messages: u64,
}

impl Default for Held {
    fn default() -> Self {
        Self { size: SIZE, lines: VecDeque::new(), bytes: 0, messages: 0 }
    }
}

impl Held {
    fn make_room(&mut self) {
        while self.bytes > self.size {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }
}

/// The log's buffer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logged {
    /// Its size in bytes.
    pub(crate) size: usize,
    /// Lines since the start.
    pub(crate) messages: u64,
    /// The lines that it still contains.
    pub(crate) lines: Vec<Arc<LogLine>>,
}

impl LogBuffer {
    /// Adds a line; the oldest ones are dropped if there is no room.
    pub(crate) fn push(&self, line: LogLine) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.messages += 1;
        held.bytes += line.len();
        held.lines.push_back(Arc::new(line));
        held.make_room();
    }

    /// `logging buffered SIZE`
    pub(crate) fn resize(&self, size: Option<u32>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(SIZE);
        held.size = size.min(LARGEST);
        held.make_room();
    }

    /// Forgets every line.
    pub(crate) fn clear(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.lines.clear();
        held.bytes = 0;
    }

    /// Its content.
    pub(crate) fn view(&self) -> Logged {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Logged { size: held.size, messages: held.messages, lines: held.lines.iter().cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::format::Format;
    use std::time::Duration;
    use tracing::Level;

    #[test]
    fn the_buffer_has_the_size_that_it_is_given() {
        let buffer = LogBuffer::default();
        for number in 0..200 {
            buffer.push(LogLine::new(Duration::ZERO, Level::INFO, &format!("{number:060}")));
        }
        buffer.resize(Some(4096));
        let view = buffer.view();
        assert_eq!(view.size, 4096);
        assert!((20..60).contains(&view.lines.len()), "{}", view.lines.len());
        buffer.resize(Some(u32::MAX));
        assert_eq!(buffer.view().size, LARGEST);
    }

    #[test]
    fn the_oldest_lines_make_room() {
        let buffer = LogBuffer::default();
        for number in 0..2000 {
            buffer.push(LogLine::new(Duration::ZERO, Level::INFO, &format!("{number:060}")));
        }
        let view = buffer.view();
        assert_eq!(view.messages, 2000);
        assert!(view.lines.len() < 1000 && view.lines.iter().map(|line| line.len()).sum::<usize>() <= SIZE);
        assert!(view.lines.last().unwrap().words(Format::Modern).ends_with(&format!("{:060}", 1999)));
    }
}
