//! The shell that engineers and their scripts know: keystrokes in, text out, in user, privileged
//! and configuration mode.

mod configuring;
pub(crate) mod console;
mod editor;
pub(crate) mod enabled;
pub(crate) mod filter;
pub(crate) mod forms;
mod key;
pub(crate) mod line;
pub(crate) mod pager;
pub(crate) mod serve;
pub(crate) mod session;
pub(crate) mod socket;
mod wrap;
