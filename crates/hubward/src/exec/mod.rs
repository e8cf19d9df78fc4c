//! Exec commands: their table, and the local socket by which `hubward exec` runs one.

#[cfg(test)]
mod canary;
pub(crate) mod command;
mod debug;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod health_property_tests;
#[cfg(test)]
mod health_tests;
mod layout;
mod lockout;
mod manage;
mod ping;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod replace_tests;
mod show_acl;
mod show_config;
mod show_engine;
mod show_failures;
mod show_guard;
mod show_interface;
mod show_ipsec;
mod show_isakmp;
mod show_isakmp_config;
mod show_map;
mod show_nat;
mod show_objects;
mod show_policy;
mod show_pool;
mod show_route;
mod show_session;
mod show_system;
mod show_weak;
mod table;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod version_tests;
mod who;
mod why_packet;
mod why_summary;

pub(crate) use table::{allowed_forms, find};

use crate::base::message::Request;
use crate::exec::command::{Caller, Context};
use crate::manage::desk::{Answers, Desk, Outcome, PATIENCE, Refusal};
use std::io::Write;
use table::Run;

/// Runs a command; with `| json` after it, a `show` command returns its rows as JSON. What was
/// written before an error of `out` has been written.
pub(crate) fn run(line: &str, caller: Caller, desk: &Desk, out: &mut dyn Write) -> Outcome {
    answered(line, caller, &Answers::usual(), desk, out)
}

/// The same for a user who can be asked.
pub(crate) fn answered(
    line: &str,
    caller: Caller,
    answers: &Answers<'_>,
    desk: &Desk,
    out: &mut dyn Write,
) -> Outcome {
    let (command, json) = match line.split_once(" | ") {
        Some((command, filter)) if !filter.trim().is_empty() && "json".starts_with(filter.trim()) => {
            (command, true)
        }
        Some((command, _)) => return Ok(Err(Refusal::Invalid(command.len() + 3))),
        None => (line, false),
    };
    let (row, arguments) = match table::find(command, caller.privilege) {
        Ok(found) => found,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let shown = match row.run {
        Run::Show(show) => {
            show(&Context { snapshot: desk.views.snapshot(), caller, desk: desk.clone() }, &arguments)
        }
        Run::Order(_) | Run::Clear(_) | Run::Tell(_) | Run::Manage(_) | Run::Configure(_) if json => {
            return Ok(Err(Refusal::Invalid(command.len() + 1)));
        }
        Run::Tell(tell) => {
            return tell(
                &Context { snapshot: desk.views.snapshot(), caller, desk: desk.clone() },
                &arguments,
                out,
            );
        }
        Run::Manage(manage) => return written(manage(desk, &arguments, answers), out),
        Run::Configure(change) => return written(change(desk, caller, &arguments, answers), out),
        Run::Clear(clear) => {
            clear(&desk.views);
            return Ok(Ok(()));
        }
        Run::Order(order) => {
            return Ok(order(&arguments).and_then(|command| {
                let (sender, receiver) = std::sync::mpsc::channel();
                let sent = desk.gateway.request(Request::Order(command, sender));
                match sent && receiver.recv_timeout(PATIENCE).is_ok() {
                    true => Ok(()),
                    false => Err(Refusal::Failed("The gateway does not answer".into())),
                }
            }));
        }
    };
    match shown {
        Ok(shown) if json => shown.json(&arguments.spelled(), out).map(Ok),
        Ok(shown) => shown.text(caller.format, out).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Writes what a command says at its end.
fn written(said: Result<String, Refusal>, out: &mut dyn Write) -> Outcome {
    match said {
        Ok(text) => out.write_all(text.as_bytes()).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}
