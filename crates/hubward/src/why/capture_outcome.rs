//! What the sequence of messages in a capture shows by itself, without keys: how far an attempt
//! came, which message was lost in which direction, and what cannot be told from the file.

use super::attempt::{Attempt, Exchange, Seen, Step};
use super::print;
use super::recording::{Message, Part, Recording};
use hubward_config::Parsed;
use hubward_config::model::KeyPeer;
use hubward_proto::path::NATT_PORT;
use hubward_proto::wire::registry::{exchange, notify};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};

/// A first message of quick mode with fewer bytes has no room for the public value of the smallest
/// MODP group: header 28, hash 20, SA 36, nonce 12, key exchange 100.
const PFS_BYTES: usize = 196;

/// What is known of an attempt.
pub(super) struct Known<'a> {
    pub(super) attempt: &'a Attempt,
    /// ESP packets of its tunnel, from the initiator and from the responder.
    pub(super) esp: [u64; 2],
    pub(super) recording: &'a Recording,
    pub(super) parsed: &'a Parsed,
}

/// Tells it.
pub(super) fn outcome(known: &Known<'_>, out: &mut dyn Write) -> io::Result<()> {
    let attempt = known.attempt;
    let (caller, called) = (attempt.caller.ip(), attempt.called.ip());
    if let Some(nat) = attempt.nat().filter(|nat| nat.any()) {
        let who = match (nat.remote, nat.local) {
            (true, true) => "Both sides are".to_string(),
            (true, false) => format!("{caller} is"),
            (false, _) => format!("{called} is"),
        };
        writeln!(out, "  {who} behind a NAT: from message 5 on, all messages use UDP 4500.")?;
    }
    let [behind_caller, behind_called] = &attempt.behind;
    for (who, behind) in [(caller, behind_caller), (called, behind_called)] {
        for told in &behind.notifies {
            writeln!(out, "  {who} sent an unencrypted notification: {}.", notify::name(*told))?;
        }
    }
    match attempt.seen() {
        Seen::Caller => return one_way(caller, called, out),
        Seen::Called => return one_way(called, caller, out),
        Seen::Unanswered | Seen::Both => {}
    }
    let tunnels = attempt.quick().filter(|one| one.last() >= 2).count();
    let works = tunnels > 0 && known.esp.iter().all(|count| *count > 0);
    if works {
        writeln!(out, "  The tunnel works: there are ESP packets both ways.")?;
    }
    if attempt.phase1_is_whole() || !attempt.exchanges.is_empty() {
        if !works {
            writeln!(out, "  Phase 1 is up; what follows is encrypted.")?;
        }
        for exchange in attempt.quick() {
            quick(known, exchange, out)?;
        }
        return match (tunnels, attempt.quick().count()) {
            (1.., _) if !works => esp(known, out),
            (0, 0) => no_quick(attempt, out),
            _ => Ok(()),
        };
    }
    phase1(known, out)
}

fn one_way(from: &Ipv4Addr, to: &Ipv4Addr, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "  The file has only what {from} sent, not what {to} sent: it shows neither whether {to} answered nor whether the tunnel came up. Record both directions."
    )
}

/// How far phase 1 came.
fn phase1(known: &Known<'_>, out: &mut dyn Write) -> io::Result<()> {
    let attempt = known.attempt;
    let (caller, called) = (attempt.caller.ip(), attempt.called.ip());
    let main = attempt.exchange == exchange::MAIN;
    let [_, behind] = &attempt.behind;
    let refused = behind.informational > 0;
    match attempt.last() {
        1 if !refused => {
            let or = match attempt.way_back(known.recording) {
                true => "",
                false => ", or the file has only one direction: nothing else from it is in the file either",
            };
            writeln!(
                out,
                "  {called} does not answer at all: the message from {caller} does not arrive there, or is not accepted, or the answer is lost on the path{or}."
            )
        }
        1 if behind.notifies.is_empty() => {
            writeln!(out, "  {called} answers message 1 with an informational message only: it refuses.")
        }
        1 if behind.notifies.iter().all(|kind| *kind == notify::NO_PROPOSAL_CHOSEN) => {
            writeln!(out, "  {called} refuses the proposal.")
        }
        1 => writeln!(out, "  {called} refuses."),
        5 if main
            && !refused
            && attempt.message(5).is_some_and(|step| step.message.destination.port() == NATT_PORT) =>
        {
            writeln!(
                out,
                "  Message 5 is never answered: UDP 4500 is blocked towards {called}, or towards {caller}, or the pre-shared keys differ."
            )?;
            keys(known, out)
        }
        5 if main => {
            writeln!(
                out,
                "  Message 5 is the first that is encrypted, and {called} does not accept it: usually the pre-shared keys differ."
            )?;
            keys(known, out)
        }
        4 if main && attempt.nat().is_some_and(|nat| nat.any()) => {
            // message 3 that is sent again says that message 4 did not arrive
            if lost(&attempt.steps, "", out)? {
                return Ok(());
            }
            writeln!(out, "  Message 5 is missing: it should be sent on UDP 4500, which is probably blocked.")
        }
        2 if !main => {
            lost(&attempt.steps, "", out)?;
            writeln!(
                out,
                "  {caller} does not answer message 2: usually its group key (pre-shared key) differs from that of {called}."
            )
        }
        last => {
            if lost(&attempt.steps, "", out)? {
                return Ok(());
            }
            writeln!(out, "  Nothing follows message {last}.")
        }
    }
}

/// What repetitions at the end of an exchange show; false if there are none.
fn lost(steps: &[Step], of: &str, out: &mut dyn Write) -> io::Result<bool> {
    let Some(last) = steps.iter().max_by_key(|step| step.number) else { return Ok(false) };
    let Message { source, destination, .. } = &last.message;
    let (from, to, number) = (source.ip(), destination.ip(), last.number);
    let before = steps.iter().find(|step| step.number + 1 == number);
    if let Some(before) = before.filter(|before| before.last > last.message.frame) {
        writeln!(
            out,
            "  Message {}{of} is sent again after message {number}: message {number} is lost on the path from {from} to {to} after the place of the capture, or {to} discards it.",
            before.number
        )?;
        return Ok(true);
    }
    if last.count > 1 {
        writeln!(
            out,
            "  Message {number}{of} is sent {} times, and message {} never follows: message {number} is lost on the path from {from} to {to}, or {to} does not answer it, or the answer is lost before the place of the capture.",
            last.count,
            number + 1
        )?;
    }
    Ok(last.count > 1)
}

/// What one quick mode came to.
fn quick(known: &Known<'_>, exchange: &Exchange, out: &mut dyn Write) -> io::Result<()> {
    let attempt = known.attempt;
    let (caller, called) = (attempt.caller.ip(), attempt.called.ip());
    let (who, other) = if exchange.by_called { (called, caller) } else { (caller, called) };
    let first = exchange.steps.iter().find(|step| step.number == 1);
    let of = " of quick mode";
    match (exchange.last(), first) {
        (1, Some(first)) if attempt.informs_after(first.message.frame, !exchange.by_called) => {
            writeln!(
                out,
                "  {other} refuses quick mode: there is no common transform set, PFS differs, no access list mirrors the networks, no entry of the crypto map is for this peer or its profile, or another peer holds the network. The informational message that says so is encrypted: the file does not show which it is, nor whether it is dead peer detection or a delete while message 1 or 2 of quick mode was lost. `why {who}` on {other} says it, if that is a running hub."
            )?;
            let length = first.message.bytes.len();
            if first.message.part == Part::Whole && length < PFS_BYTES {
                writeln!(
                    out,
                    "  Message 1 of quick mode has {length} bytes, too few for a key exchange of a MODP group: {who} proposes no PFS with such a group."
                )?;
            }
            Ok(())
        }
        (1, _) => {
            if lost(&exchange.steps, of, out)? {
                return Ok(());
            }
            writeln!(out, "  Quick mode is never answered.")
        }
        (2, _) if known.esp.contains(&0) => {
            lost(&exchange.steps, of, out)?;
            writeln!(
                out,
                "  Message 3 of quick mode is missing: {other} has no confirmation from {who}, and may not use the tunnel."
            )
        }
        // a loss that did not last shows as a count only
        _ if known.esp == [0; 2] => lost(&exchange.steps, of, out).map(drop),
        _ => Ok(()),
    }
}

/// Phase 1 is complete, and no quick mode follows.
fn no_quick(attempt: &Attempt, out: &mut dyn Write) -> io::Result<()> {
    let (caller, called) = (attempt.caller.ip(), attempt.called.ip());
    let [_, behind] = &attempt.behind;
    let transactions = &attempt.exchanges;
    let Some(last) = transactions.last() else {
        if lost(&attempt.steps, "", out)? {
            return Ok(());
        }
        if behind.informational > 0 {
            return writeln!(
                out,
                "  {called} sends only informational messages after phase 1; they are encrypted: it may have refused the last message or ended the SA."
            );
        }
        return writeln!(
            out,
            "  Neither side initiates quick mode: there is no packet for the tunnel yet, or the client waits for Xauth and is not asked."
        );
    };
    let count = last.steps.iter().map(|step| step.count).max().unwrap_or(1);
    let sent = if count == 1 { "sent once".to_string() } else { format!("sent {count} times") };
    let first = transactions.len() == 1;
    let answered = last.last().is_multiple_of(2);
    let begun_by_caller = transactions.iter().any(|one| !one.by_called);
    match (last.by_called, answered, first) {
        (true, false, true) => writeln!(
            out,
            "  Xauth is never answered: {called} asks {caller} for user and password, {sent}, and gets no answer. Nobody typed them, {caller} does no Xauth, or the messages are lost on the path."
        ),
        (true, false, false) if !begun_by_caller => writeln!(
            out,
            "  {caller} answered Xauth, but not the next message of {called}, {sent}, which asks again or tells the result: usually the user's password was refused, or the message is lost on the path from {called} to {caller}. The messages are encrypted; `why {caller}` on the running hub says it."
        ),
        (true, false, false) => writeln!(
            out,
            "  The last message of Xauth or mode-config from {called}, {sent}, is never answered by {caller}."
        ),
        (false, false, _) => writeln!(
            out,
            "  {caller} asks for its address (mode-config), {sent}, and {called} does not answer."
        ),
        (_, true, _) if begun_by_caller => writeln!(
            out,
            "  There is no quick mode after Xauth and mode-config: there was no address for the client, or it gave up. The messages are encrypted; `why {caller}` on the running hub says which."
        ),
        (_, true, _) => writeln!(
            out,
            "  There is no quick mode after Xauth, and {caller} asks for no address: usually the user's password was refused. The messages are encrypted; `why {caller}` on the running hub says it."
        ),
    }
}

/// A tunnel was negotiated, but its packets are not seen in both directions.
fn esp(known: &Known<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (caller, called) = (known.attempt.caller.ip(), known.attempt.called.ip());
    match known.esp {
        [0, 0] => writeln!(
            out,
            "  A tunnel was negotiated, but the capture has no packet of it: there was none, or ESP (IP protocol 50) is blocked."
        ),
        [0, _] => writeln!(
            out,
            "  ESP goes from {called} to {caller} only: the packets of {caller} are lost on the path, or never sent into the tunnel."
        ),
        _ => writeln!(
            out,
            "  ESP goes from {caller} to {called} only: the return packets are lost on the path, or have no route into the tunnel."
        ),
    }
}

/// The lines of the keys that this configuration has for the caller.
fn keys(known: &Known<'_>, out: &mut dyn Write) -> io::Result<()> {
    let config = &known.parsed.config;
    let caller = IpAddr::V4(*known.attempt.caller.ip());
    let fits = |peer: &KeyPeer| matches!(peer, KeyPeer::Address(net) if net.contains(&caller));
    let all = config.default_keys.iter().chain(config.keyrings.iter().flat_map(|ring| &ring.keys));
    for key in all.filter(|key| fits(&key.peer)) {
        writeln!(out, "  {:>5}  {}", key.line, print::line(key.line, known.parsed).trim_end())?;
    }
    Ok(())
}
