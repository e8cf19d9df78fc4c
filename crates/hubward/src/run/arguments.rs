//! The arguments of `hubward run` and `hubward guard`.

use crate::base::program::SOCKET;
use crate::choices::Options;
use crate::dataplane::offload::Offload;
use crate::plane::Choice;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The configuration.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) options: Options,
    /// Leave the guard in place when Hubward is ended by Ctrl-C at a terminal, as it is left
    /// however else it ends: what the configuration protects then stays in until Hubward is back,
    /// or `hubward release` is given.
    #[arg(long)]
    pub(crate) guard: bool,
    /// Leave the addresses of the interfaces alone.
    #[arg(long)]
    pub(crate) no_addresses: bool,
    /// The control socket.
    #[arg(long, default_value = SOCKET)]
    pub(crate) socket: PathBuf,
    /// Where SSH listens, if the configuration opens a vty line to somebody.
    /// 127.0.0.1:2222 unless it is said here or in the mapping file.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) ssh: Option<SocketAddr>,
    /// Do without an offload of the kernel; may be given several times. See `show crypto engine
    /// brief`.
    #[arg(long, value_name = "OFFLOAD")]
    pub(crate) no_offload: Vec<Offload>,
    /// Who carries the packets; `user` unless it is said here or in the mapping file. See `show
    /// crypto engine brief`.
    #[arg(long, value_enum, value_name = "PLANE")]
    pub(crate) dataplane: Option<Choice>,
    /// The folder for leases, the SSH host key, and the list of what was changed.
    #[arg(long, default_value = "/var/lib/hubward")]
    pub(crate) state: PathBuf,
}

impl Arguments {
    /// Where SSH listens.
    pub(crate) fn ssh(&self) -> SocketAddr {
        let of_file = self.options.mapping.as_ref().and_then(|mapping| mapping.ssh);
        self.ssh.or(of_file).unwrap_or(crate::ssh::ADDRESS)
    }

    /// Who carries the packets.
    pub(crate) fn dataplane(&self) -> Choice {
        let of_file = self.options.mapping.as_ref().and_then(|mapping| mapping.dataplane);
        self.dataplane.or(of_file).unwrap_or(Choice::User)
    }

    /// The offloads to do without, as the options and the mapping file say.
    pub(crate) fn no_offload(&self) -> Vec<Offload> {
        let of_file = self.options.mapping.iter().flat_map(|mapping| &mapping.no_offload);
        self.no_offload.iter().chain(of_file).copied().collect()
    }
}
