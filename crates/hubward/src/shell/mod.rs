//! The shell that engineers and their scripts know: keystrokes in, text out, in user and privileged mode.

pub(crate) mod console;
mod editor;
mod filter;
mod key;
mod pager;
pub(crate) mod serve;
pub(crate) mod session;
