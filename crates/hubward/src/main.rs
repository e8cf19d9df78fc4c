//! Hubward: an IPsec hub and spoke that runs Cisco IOS configurations on Linux.
#![forbid(unsafe_code)]

mod aaa;
mod apply;
mod check;
mod client;
mod configure;
mod console_lines;
mod dataplane;
mod debug;
mod dhcp;
mod dhcp_server;
mod exec;
mod files;
mod gateway;
mod lab;
mod lease;
mod log;
mod log_buffer;
mod logging;
#[cfg_attr(not(test), expect(dead_code, reason = "sessions take them"))]
mod monitors;
mod routes;
mod run;
mod shell;
mod snapshot;
mod ssh;
mod store;
mod syslog;
mod translate;
mod typed_password;
mod views;
mod why;

use crate::gateway::End;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The control socket, unless `--socket` says otherwise.
const SOCKET: &str = "/run/hubward/control.sock";

#[derive(Parser)]
#[command(name = "hubward", version, about = "An IPsec hub that runs Cisco IOS configurations on Linux")]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Read a configuration and say what each line will do here.
    Check {
        /// The configuration.
        file: PathBuf,
    },
    /// Run a configuration.
    Run(run::Arguments),
    /// The VPN client.
    Client {
        #[command(subcommand)]
        verb: client::Verb,
    },
    /// Build the reference network in namespaces of this machine, run Hubward everywhere, and see that it works.
    Lab(lab::Arguments),
    /// Open the running gateway's shell: help with ?, completion with Tab, history, filters, a pager.
    Console {
        /// The gateway's control socket.
        #[arg(long, default_value = SOCKET)]
        socket: PathBuf,
    },
    /// Give the running gateway a command, such as "show crypto isakmp sa".
    Exec {
        /// The layouts of IOS 12.3 instead of those of IOS 15.
        #[arg(long)]
        classic: bool,
        /// The gateway's control socket.
        #[arg(long, default_value = SOCKET)]
        socket: PathBuf,
        /// The command; its words need no quotes.
        #[arg(required = true, trailing_var_arg = true)]
        line: Vec<String>,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Verb::Check { file } => check_file(&file),
        Verb::Run(arguments) => run::run(&arguments).and_then(|end| match end {
            End::Stop => Ok(ExitCode::SUCCESS),
            End::Restart => Err(run::restart()),
        }),
        Verb::Client { verb } => client::run(verb),
        Verb::Lab(arguments) => lab::run(&arguments),
        Verb::Console { socket } => shell::console::open(&socket),
        Verb::Exec { classic, socket, line } => {
            let format = if classic { exec::Format::Classic } else { exec::Format::Modern };
            exec::ask(&socket, format, &line.join(" ")).map(|text| {
                say(&text);
                if text.starts_with('%') { ExitCode::FAILURE } else { ExitCode::SUCCESS }
            })
        }
    };
    done.unwrap_or_else(|error| {
        eprintln!("hubward: {error:#}");
        ExitCode::FAILURE
    })
}

/// Prints; whoever read it may be gone (`| head`).
fn say(text: &str) {
    let _gone = std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes());
}

fn check_file(file: &Path) -> anyhow::Result<ExitCode> {
    let text = check::read(file)?;
    let parsed = hubward_config::parse(&text);
    let may_start = check::print(&file.display().to_string(), &text, &parsed);
    Ok(if may_start { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
