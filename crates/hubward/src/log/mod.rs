//! The log: from events and the program's own messages to the buffer, terminals, syslog and
//! standard error.

pub(crate) mod buffer;
pub(crate) mod events;
pub(crate) mod layer;
pub(crate) mod line;
pub(crate) mod logging;
pub(crate) mod monitors;
mod rate;
mod repeats;
mod stderr;
pub(crate) mod subscribe;
mod syslog;
