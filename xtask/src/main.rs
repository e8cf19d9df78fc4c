//! `cargo ci`: installs what the tests need and runs everything.
//!
//! Steps that wait for the network, and the release build, run in parallel with the others
//! (`runner.rs`). A failed step does not stop the steps after it (except those that need its
//! result), so that one run reports everything. The last line counts the tests of all steps: `N
//! passed, N failed, N skipped`.

mod advisories;
mod debian;
mod deny;
mod gates;
mod guest;
mod layers;
mod programs;
mod python;
mod runner;
#[cfg(test)]
mod security;
mod step;
mod tally;

use std::process::ExitCode;

use runner::Runner;
use step::Step;

/// Folders of test data; with all of them set, a skipped test is a failure.
const DATA: [&str; 4] = ["HUBWARD_VECTORS", "HUBWARD_CORPUS", "HUBWARD_CAPTURES", "HUBWARD_REFERENCE"];

const USAGE: &str = "usage: cargo ci [STEP…]

Runs every step, or only those named:
  packages  Debian packages that the tests need (as root or with sudo)
  python    a virtual environment with Netmiko, NAPALM, Ansible, pyATS and parsers, from PyPI
  guest     Debian's kernel for the step `kernel`, from Debian
  fmt       rustfmt, check only
  layers    which file names which, against xtask/layers.toml
  deny      dependencies: bans, licences, sources, known advisories
  clippy    all targets, warnings are errors
  test      unit, vector, golden, exchange and simulation tests; compiles those of interop, too
  build     release build of hubward
  gates     instructions of the packet path and of a handshake against xtask/gates.txt
  lab       cargo lab: the reference network, from end to end
  interop   Hubward against strongSwan, vpnc and dnsmasq; nothing may be missing
  kernel    the kernel as data plane, against the same, in Debian's kernel under QEMU";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("ci") => {}
        Some("gates") => return gates::command(arguments),
        Some("advisories") => return advisories::command(arguments),
        // what `cargo ci` starts beside itself
        Some("step") => {
            let step =
                arguments.next().and_then(|name| Step::ALL.into_iter().find(|step| step.name() == name));
            return step.map_or(ExitCode::from(2), runner::step);
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    let mut chosen = Vec::new();
    for name in arguments {
        match Step::ALL.into_iter().find(|step| step.name() == name) {
            Some(step) => chosen.push(step),
            None => {
                eprintln!("cargo ci has no step {name:?}\n\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    if chosen.is_empty() {
        chosen = Step::ALL.to_vec();
    }
    let complete = DATA.iter().all(|name| std::env::var_os(name).is_some());
    Runner::run(&chosen).conclude(complete)
}
