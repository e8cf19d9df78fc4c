//! The buffer of `show logging`: the last lines of the log, in the form that IOS gives them.

use hubward_linux::clock;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Bytes of the buffer.
const SIZE: usize = 65_536;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// When, since 1970 in UTC.
    pub(crate) at: Duration,
    /// `CRYPTO`.
    pub(crate) facility: String,
    /// 0 (emergency) to 7 (debugging).
    pub(crate) severity: u8,
    /// `SESSION_STATUS`.
    pub(crate) mnemonic: String,
    /// What is behind the colon.
    pub(crate) text: String,
}

/// The buffer.
#[derive(Debug, Default)]
pub(crate) struct LogBuffer(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    lines: VecDeque<Arc<LogLine>>,
    bytes: usize,
    messages: u64,
}

impl LogLine {
    /// From a message that may begin with `%FACILITY-SEVERITY-MNEMONIC: `.
    pub(crate) fn new(at: Duration, level: Level, message: &str) -> Self {
        if let Some(line) = tagged(at, message) {
            return line;
        }
        let (severity, mnemonic) = match level {
            Level::ERROR => (3, "ERROR"),
            Level::WARN => (4, "WARNING"),
            Level::INFO => (6, "INFO"),
            _ => (7, "DEBUG"),
        };
        Self {
            at,
            facility: "HUBWARD".into(),
            severity,
            mnemonic: mnemonic.into(),
            text: message.to_string(),
        }
    }

    fn len(&self) -> usize {
        // the time stamp and the marks around the parts
        32 + self.facility.len() + self.mnemonic.len() + self.text.len()
    }
}

fn tagged(at: Duration, message: &str) -> Option<LogLine> {
    let (tag, text) = message.strip_prefix('%')?.split_once(": ")?;
    let mut parts = tag.splitn(3, '-');
    let (facility, severity, mnemonic) = (parts.next()?, parts.next()?, parts.next()?);
    let severity = severity.parse().ok().filter(|severity| *severity <= 7)?;
    Some(LogLine {
        at,
        facility: facility.into(),
        severity,
        mnemonic: mnemonic.into(),
        text: text.to_string(),
    })
}

impl LogBuffer {
    /// Adds a line; the oldest ones go when there is no room.
    pub(crate) fn push(&self, line: LogLine) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.messages += 1;
        held.bytes += line.len();
        held.lines.push_back(Arc::new(line));
        while held.bytes > SIZE {
            let Some(oldest) = held.lines.pop_front() else { break };
            held.bytes -= oldest.len();
        }
    }

    /// Forgets every line.
    pub(crate) fn clear(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.lines.clear();
        held.bytes = 0;
    }

    /// What it holds.
    pub(crate) fn view(&self) -> crate::snapshot::Logged {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        crate::snapshot::Logged {
            size: SIZE,
            messages: held.messages,
            lines: held.lines.iter().cloned().collect(),
        }
    }
}

/// Feeds the buffer with what is logged.
pub(crate) struct BufferLayer(pub(crate) Arc<LogBuffer>);

impl<S: Subscriber> Layer<S> for BufferLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        if !message.peer.is_empty() {
            let _infallible = write!(message.text, " (peer {})", message.peer);
        }
        self.0.push(LogLine::new(clock::wall(), *event.metadata().level(), &message.text));
    }
}

#[derive(Default)]
struct Message {
    text: String,
    peer: String,
}

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "peer" => self.peer = value.to_string(),
            "message" => self.text = value.to_string(),
            _ => {}
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.text = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_taken_apart_and_a_line_without_one_gets_one() {
        let line = LogLine::new(Duration::ZERO, Level::INFO, "%CRYPTO-5-SESSION_STATUS: up: or not");
        assert_eq!((line.facility.as_str(), line.severity), ("CRYPTO", 5));
        assert_eq!((line.mnemonic.as_str(), line.text.as_str()), ("SESSION_STATUS", "up: or not"));
        let line = LogLine::new(Duration::ZERO, Level::WARN, "100% of it: lost");
        assert_eq!((line.facility.as_str(), line.severity), ("HUBWARD", 4));
        assert_eq!(line.text, "100% of it: lost");
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
        assert_eq!(view.lines.last().unwrap().text, format!("{:060}", 1999));
    }
}
