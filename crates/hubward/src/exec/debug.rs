//! `debug crypto`, `undebug`, `show debugging`, `show crypto debug-condition`.

use crate::base::format::Format;
use crate::base::message::Request;
use crate::debug::{Class, Options, Switch, name};
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::{Answers, Desk, PATIENCE, Refusal};
use serde::Serialize;
use std::io::{self, Write};

/// `debug crypto {engine|ipsec|isakmp}`, `debug crypto condition {peer ipv4 A.B.C.D|reset}`
pub(super) fn on(desk: &Desk, arguments: &Arguments, _: &Answers<'_>) -> Result<String, Refusal> {
    let switch = match arguments.parsed("address")? {
        Some(peer) => Switch::Peer(peer),
        None => class(arguments).map_or(Switch::AnyPeer, Switch::On),
    };
    turn(desk, switch)
}

/// `undebug all`, `undebug crypto {engine|ipsec|isakmp}`, `undebug crypto condition peer ipv4
/// A.B.C.D`
pub(super) fn off(desk: &Desk, arguments: &Arguments, _: &Answers<'_>) -> Result<String, Refusal> {
    let switch = match arguments.parsed("address")? {
        Some(peer) => Switch::NoPeer(peer),
        None => class(arguments).map_or(Switch::AllOff, Switch::Off),
    };
    turn(desk, switch)
}

fn class(arguments: &Arguments) -> Option<Class> {
    [("engine", Class::Engine), ("ipsec", Class::Ipsec), ("isakmp", Class::Isakmp)]
        .into_iter()
        .find_map(|(keyword, class)| arguments.has(keyword).then_some(class))
}

/// Done when the engine traces what was requested, and no more than that.
fn turn(desk: &Desk, switch: Switch) -> Result<String, Refusal> {
    let (options, told) = desk.views.logging.debugging.switch(switch);
    let (done, wait) = std::sync::mpsc::channel();
    let sent = desk.gateway.request(Request::Trace(options.scope(), done));
    if !sent || wait.recv_timeout(PATIENCE).is_err() {
        return Err(Refusal::Failed("The gateway does not answer".into()));
    }
    desk.views.ordered();
    Ok(told)
}

pub(super) fn debugging(context: &Context, _: &Arguments) -> Output {
    shown(Debugging(context.snapshot.debugging.clone()))
}

pub(super) fn condition(context: &Context, _: &Arguments) -> Output {
    shown(Condition(context.snapshot.debugging.clone()))
}

struct Debugging(Options);

/// A debugging option that is on.
#[derive(Debug, Serialize)]
struct DebugRow {
    option: &'static str,
}

impl Layout for Debugging {
    type Row = DebugRow;

    fn rows(&self) -> impl Iterator<Item = DebugRow> {
        [Class::Isakmp, Class::Engine, Class::Ipsec]
            .into_iter()
            .filter(|class| self.0.classes.contains(class))
            .map(|class| DebugRow { option: name(class) })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        if self.rows().next().is_some() {
            writeln!(out, "\n\nCryptographic Subsystem:")?;
        }
        for row in self.rows() {
            writeln!(out, "  {} debugging is on", row.option)?;
        }
        Ok(())
    }
}

struct Condition(Options);

/// A peer whose debugging is wanted.
#[derive(Debug, Serialize)]
struct ConditionRow {
    peer: String,
}

impl Layout for Condition {
    type Row = ConditionRow;

    fn rows(&self) -> impl Iterator<Item = ConditionRow> {
        self.0.peers.iter().map(|peer| ConditionRow { peer: peer.to_string() })
    }

    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        let state = if self.0.peers.is_empty() { "OFF" } else { "ON" };
        writeln!(out, "Crypto conditional debug currently is turned {state}")?;
        writeln!(out, "IKE debug context unmatched flag: OFF")?;
        writeln!(out, "IPsec debug context unmatched flag: OFF")?;
        writeln!(out, "Crypto Engine debug context unmatched flag: OFF")?;
        for row in self.rows() {
            writeln!(out, "\nIKE peer IP address filters:\n{}", row.peer)?;
        }
        Ok(())
    }
}
