//! Hubward: the IPsec hub, spoke and VPN client that a Cisco IOS configuration describes.
#![forbid(unsafe_code)]
#![allow(dead_code, unused_imports)] // until `run` uses it

mod check;
mod exec;
mod settings;
mod snapshot;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs a Cisco IOS configuration as an IPsec gateway on Linux.
#[derive(Parser)]
#[command(name = "hubward", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read a configuration and say what each noteworthy line will do
    Check {
        /// The configuration
        file: PathBuf,
    },
    /// Ask a running gateway, for instance `hubward exec "show crypto isakmp sa"`
    Exec {
        /// The gateway's control socket
        #[arg(long, default_value = settings::SOCKET)]
        socket: PathBuf,
        /// The command line, as on a router's console
        #[arg(required = true)]
        line: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Check { file } => check::command(&file),
        Command::Exec { socket, line } => exec::client::command(&socket, &line.join(" ")),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("hubward: {error:#}");
        ExitCode::FAILURE
    })
}
