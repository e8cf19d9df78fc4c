//! Hubward: an IPsec hub and spoke that runs Cisco IOS configurations on Linux.
#![forbid(unsafe_code)]
// they panic if nobody reads any more; `say` and `complain` do not
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod base;
mod check;
mod choices;
mod client;
mod dataplane;
mod debug;
mod exec;
#[doc(hidden)]
pub mod fuzzing;
mod gateway;
mod guard;
mod lab;
mod log;
mod machine;
mod manage;
mod plane;
mod router;
mod run;
mod shell;
mod ssh;
mod supervise;
mod translate;
mod views;
mod why;

use crate::base::message::End;
use crate::base::program::{NOT_YET, NotYet, SOCKET, WRONG_USE, WrongUse, complain, say};
use anyhow::Context as _;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "hubward", version, about = "An IPsec hub that runs Cisco IOS configurations on Linux")]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Read a configuration and say what each line will do here.
    ///
    /// It judges by --map, --without and --allow-unenforced, which mean the same as for `run`; the
    /// other options of `run` change no verdict, and are not taken.
    Check {
        /// The configurations; - is standard input.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        options: choices::Options,
        #[command(flatten)]
        form: check::Form,
    },
    /// Run a configuration.
    Run(crate::run::arguments::Arguments),
    /// Install the guard of a configuration, with the options of `run`, and exit: from then on
    /// nothing that it protects leaves unencrypted. For the time before Hubward runs; works even if
    /// it would not start.
    Guard(crate::run::arguments::Arguments),
    /// Remove the guard, and say what it protected.
    Release {
        /// Say what it protects, and remove nothing; also while a gateway runs.
        #[arg(long)]
        show: bool,
        /// The control socket of a gateway that must not be running. One that has another is found
        /// among the processes of this network namespace.
        #[arg(long, default_value = SOCKET)]
        socket: PathBuf,
    },
    /// The VPN client.
    Client {
        #[command(subcommand)]
        verb: client::Verb,
    },
    /// Build the reference network in namespaces of this machine, run Hubward everywhere, and see
    /// that it works.
    Lab(lab::Arguments),
    /// Open the running gateway's shell: help with ?, completion with Tab, history, filters, a
    /// pager.
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
    /// Explain why a tunnel is not up: from the running gateway, or from a packet capture.
    Why {
        /// A peer's address or a user; without, what failed last.
        who: Option<String>,
        /// The gateway's control socket.
        #[arg(long, default_value = SOCKET)]
        socket: PathBuf,
        /// A capture (pcap, pcapng) to explain instead, by what a hub with --config would have
        /// said.
        #[arg(long, requires = "config", conflicts_with = "who")]
        pcap: Option<PathBuf>,
        /// The configuration to judge the capture by.
        #[arg(long, requires = "pcap")]
        config: Option<PathBuf>,
    },
}

/// The program: reads its arguments, does what they say, and gives the exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(wrong) => {
            // help and the version are not errors
            let status = if wrong.use_stderr() { WRONG_USE } else { 0 };
            let _gone = wrong.print();
            return ExitCode::from(status);
        }
    };
    let done = match arguments.command {
        Verb::Check { files, options, form } => check::files(&files, &options, form),
        Verb::Run(arguments) => run::run(&arguments).and_then(|(end, status)| match end {
            End::Stop | End::Interrupt => Ok(status),
            End::Restart => Err(run::restart()),
            End::Failed => Ok(ExitCode::from(supervise::FAILED)),
        }),
        Verb::Guard(arguments) => run::guard::guard(&arguments),
        Verb::Release { show: true, .. } => run::guard::show(),
        Verb::Release { socket, .. } => run::guard::release(&socket),
        Verb::Client { verb } => client::run(verb),
        Verb::Lab(arguments) => lab::run(&arguments),
        Verb::Console { socket } => shell::console::open(&socket),
        Verb::Exec { classic, socket, line } => {
            let format = if classic {
                crate::base::format::Format::Classic
            } else {
                crate::base::format::Format::Modern
            };
            ask(&socket, format, &line.join(" "))
        }
        Verb::Why { pcap: Some(pcap), config: Some(config), .. } => explain_capture(&pcap, &config),
        Verb::Why { who, socket, .. } => {
            ask(&socket, crate::base::format::Format::Modern, &format!("why {}", who.unwrap_or_default()))
        }
    };
    done.unwrap_or_else(|error| {
        complain(&format!("hubward: {error:#}\n"));
        if error.is::<WrongUse>() {
            ExitCode::from(WRONG_USE)
        } else if error.is::<NotYet>() {
            ExitCode::from(NOT_YET)
        } else {
            ExitCode::FAILURE
        }
    })
}

/// Gives the running gateway a command.
fn ask(socket: &Path, format: crate::base::format::Format, line: &str) -> anyhow::Result<ExitCode> {
    let answered = crate::shell::socket::ask(socket, format, line);
    let answered = answered.inspect_err(|_| run::guard::tell_of_a_guard_without_a_gateway(socket));
    answered.map(|text| {
        say(&text);
        match crate::shell::socket::is_refusal(&text, line) {
            true => ExitCode::FAILURE,
            false => ExitCode::SUCCESS,
        }
    })
}

fn explain_capture(pcap: &Path, config: &Path) -> anyhow::Result<ExitCode> {
    let parsed = hubward_config::parse(&check::read(config)?);
    let file = std::fs::File::open(pcap).with_context(|| pcap.display().to_string())?;
    let recording = why::recording::Recording::read(file).with_context(|| pcap.display().to_string())?;
    let mut text = Vec::new();
    why::offline::tell(&recording, &parsed, &mut text)?;
    say(&String::from_utf8_lossy(&text));
    Ok(ExitCode::SUCCESS)
}
