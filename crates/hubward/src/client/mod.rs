//! `hubward client`: the VPN client of a Cisco-style gateway, in the foreground until it is
//! interrupted.

pub(crate) mod arguments;
mod credentials;
mod network;
pub(crate) mod profile;
mod session;

use crate::client::arguments::Connect;
use clap::Subcommand;
use std::process::ExitCode;

/// What the client does.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Connect, and stay connected until Ctrl-C.
    Connect(Connect),
}

/// Does it.
pub(crate) fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    hubward_crypto::choice::choose(&hubward_linux::clock::now);
    hubward_crypto::selftest::selftest()?;
    match verb {
        Verb::Connect(connect) => session::connect(connect),
    }
}
