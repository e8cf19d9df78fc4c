//! Words and small tools that all other rooms may use. They name nothing of the program but each
//! other.

pub(crate) mod clock;
pub(crate) mod console_lines;
pub(crate) mod counters;
pub(crate) mod date;
pub(crate) mod disk;
pub(crate) mod fair;
pub(crate) mod family;
pub(crate) mod files;
pub(crate) mod format;
pub(crate) mod inbox;
pub(crate) mod lockout;
pub(crate) mod message;
pub(crate) mod program;
pub(crate) mod store;
pub(crate) mod wait;
