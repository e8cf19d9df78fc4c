//! The arguments of `hubward client connect`.

use clap::Args;
use std::path::PathBuf;

/// Where to connect to; the command line has precedence over the profile.
#[derive(Args)]
pub(crate) struct Connect {
    /// A profile: a file (.toml or .pcf), or its name in ~/.config/hubward or /etc/hubward.
    pub(super) name: Option<String>,
    /// The gateway's name or address.
    #[arg(long)]
    pub(super) gateway: Option<String>,
    /// The group's name.
    #[arg(long)]
    pub(super) group: Option<String>,
    /// A file whose first line is the group's password.
    #[arg(long, value_name = "FILE")]
    pub(super) group_password_file: Option<PathBuf>,
    /// The user's name.
    #[arg(long)]
    pub(super) user: Option<String>,
    /// A file whose first line is the user's password.
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
    /// Main mode; the group's password is then the gateway's pre-shared key for this address.
    #[arg(long)]
    pub(super) main_mode: bool,
    /// Diffie-Hellman group of phase 1: 1, 2, 5, 14, 15, 16, 19, 20, 21 [default: 2].
    #[arg(long, value_name = "NUMBER")]
    pub(super) dh_group: Option<u16>,
    /// Diffie-Hellman group of phase 2; without, none.
    #[arg(long, value_name = "NUMBER")]
    pub(super) pfs: Option<u16>,
    /// Reach only this network through the tunnel (may be given several times).
    #[arg(long = "network", value_name = "NETWORK")]
    pub(super) networks: Vec<ipnet::Ipv4Net>,
    /// Do not look for NAT.
    #[arg(long)]
    pub(super) no_nat_traversal: bool,
    /// Keep what goes through the tunnel from leaving in clear while the tunnel is down, and after
    /// the client has ended, however it ended, until `hubward release`.
    #[arg(long)]
    pub(super) guard: bool,
    /// Leave name resolution alone.
    #[arg(long)]
    pub(super) no_dns: bool,
    /// The folder for the list of what was changed on this machine.
    #[arg(long, default_value = "/var/lib/hubward/client")]
    pub(super) state: PathBuf,
}
