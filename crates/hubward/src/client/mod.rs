//! `hubward client`: the VPN client of a Cisco-style gateway, in the foreground until it is interrupted.

mod credentials;
mod network;
pub(crate) mod profile;
mod session;

use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// What the client does.
#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Connect, and stay connected until Ctrl-C.
    Connect(Connect),
}

/// Where to connect to; the command line has precedence over the profile.
#[derive(Args)]
pub(crate) struct Connect {
    /// A profile: a file (.toml or .pcf), or its name in ~/.config/hubward or /etc/hubward.
    name: Option<String>,
    /// The gateway's name or address.
    #[arg(long)]
    gateway: Option<String>,
    /// The group's name.
    #[arg(long)]
    group: Option<String>,
    /// A file whose first line is the group's password.
    #[arg(long, value_name = "FILE")]
    group_password_file: Option<PathBuf>,
    /// The user's name.
    #[arg(long)]
    user: Option<String>,
    /// A file whose first line is the user's password.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Main mode; the group's password is then the gateway's pre-shared key for this address.
    #[arg(long)]
    main_mode: bool,
    /// Diffie-Hellman group of phase 1: 1, 2, 5, 14, 15, 16, 19, 20, 21 [default: 2].
    #[arg(long, value_name = "NUMBER")]
    dh_group: Option<u16>,
    /// Diffie-Hellman group of phase 2; without, none.
    #[arg(long, value_name = "NUMBER")]
    pfs: Option<u16>,
    /// Reach only this network through the tunnel (may be given several times).
    #[arg(long = "network", value_name = "NETWORK")]
    networks: Vec<ipnet::Ipv4Net>,
    /// Do not look for NAT.
    #[arg(long)]
    no_nat_traversal: bool,
    /// Keep what goes through the tunnel from leaving in clear while the tunnel is down, and after the client has ended,
    /// however it ended, until `hubward release`.
    #[arg(long)]
    guard: bool,
    /// Leave name resolution alone.
    #[arg(long)]
    no_dns: bool,
    /// The folder for the list of what was changed on this machine.
    #[arg(long, default_value = "/var/lib/hubward/client")]
    state: PathBuf,
}

/// Does it.
pub(crate) fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    hubward_crypto::choice::choose(&hubward_linux::clock::now);
    hubward_crypto::selftest::selftest()?;
    match verb {
        Verb::Connect(connect) => session::connect(connect),
    }
}
