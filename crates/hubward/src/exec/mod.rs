//! The gateway's command line: one request line in, text and an exit code out.

pub(crate) mod client;
mod request;
mod server;
mod show_run;

pub(crate) use request::{Request, Show};
pub(crate) use server::{Call, listen};

use crate::snapshot::Snapshot;

/// What a command prints, and whether it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// 0, or 1 for a line that cannot be carried out.
    pub(crate) code: u8,
    /// What it prints.
    pub(crate) text: String,
}

impl Reply {
    /// A command that was carried out.
    pub(crate) fn done(text: impl Into<String>) -> Self {
        Self { code: 0, text: text.into() }
    }

    /// One that was not.
    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Self { code: 1, text: text.into() }
    }
}

/// Renders a `show` command.
pub(crate) fn show(command: &Show, snapshot: &Snapshot) -> Reply {
    match command {
        Show::RunningConfig => Reply::done(show_run::running_config(snapshot)),
        _ => Reply::refused("% This command is not there yet\n"),
    }
}
