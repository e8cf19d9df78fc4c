//! Takes the program's own events (tracing) into the log.

use crate::log::line::LogLine;
use crate::log::logging::Logging;
use hubward_linux::clock;
use std::fmt::Write as _;
use std::sync::Arc;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Feeds the log from `tracing`.
pub(crate) struct BufferLayer(pub(crate) Arc<Logging>);

impl<S: Subscriber> Layer<S> for BufferLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        if !message.peer.is_empty() {
            let _infallible = write!(message.text, " (peer {})", message.peer);
        }
        self.0.message(LogLine::new(clock::wall(), *event.metadata().level(), &message.text));
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
