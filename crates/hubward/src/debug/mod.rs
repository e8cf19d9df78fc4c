//! IOS's `debug crypto`: which of it is on, and the lines that the engine's steps are.

mod engine;
mod ipsec;
mod isakmp;
mod line;
mod options;
#[cfg(test)]
mod tests;

pub(crate) use line::{Class, Line};
pub(crate) use options::{Debugging, Options, Switch, name};

use hubward_proto::ike::event::{Event, EventKind};
use line::About;

/// The lines of an event, of every class; none if it is not a step.
pub(crate) fn lines(event: &Event) -> Vec<Line> {
    let (EventKind::Trace(step), Some(path)) = (&event.kind, event.path) else { return Vec::new() };
    let about = About { conn: event.connection.map_or(0, |conn| conn.0), path };
    isakmp::lines(about, step)
}
