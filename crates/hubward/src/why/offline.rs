//! `hubward why --pcap FILE --config CFG`: how this configuration would have answered the attempts
//! in a capture, and what the capture itself shows. What can be judged without the keys of the
//! recording is judged by the engine itself: the first message of each attempt, and in main mode
//! the third, go into a fresh engine. Encrypted messages cannot be read afterwards; how often they
//! were sent and what came back is still informative.

use super::attempt::{Attempt, Step, attempts};
use super::recording::Recording;
use super::{explain, print};
use crate::base::date::Date;
use crate::base::family::v4_address;
use crate::gateway::aaa;
use crate::translate;
use crate::why::explanation::Explanation;
use crate::why::record::Record;
use hubward_config::Parsed;
use hubward_config::model::{Addressing, Interface, KeyPeer};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::io::{Answer, Effect, Input, LeaseError, Question};
use hubward_proto::ike::trace::{Trace, TraceScope};
use hubward_proto::names::{InterfaceId, VrfId};
use hubward_proto::path::{Encapsulation, NATT_PORT, Path};
use hubward_proto::policy::Policy;
use hubward_proto::time::Instant;
use hubward_proto::wire::isakmp::Header;
use hubward_proto::wire::registry::{exchange, notify};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What a gateway with this configuration says to an attempt.
#[derive(Default)]
struct Judgement {
    explanations: Vec<Explanation>,
    /// The ISAKMP policy that was taken.
    policy: Option<u32>,
    /// How many messages it answered.
    answers: usize,
}

/// Tells what a capture says about a configuration.
///
/// # Errors
/// Nothing can be written.
pub(crate) fn tell(recording: &Recording, parsed: &Parsed, out: &mut dyn Write) -> io::Result<()> {
    let (attempts, strange) = attempts(recording);
    writeln!(
        out,
        "{} frames, {} IKE messages, {}.",
        recording.frames,
        recording.messages.len(),
        counted(attempts.len(), "attempt"),
    )?;
    for (number, what) in [
        (strange, "messages belong to no attempt whose beginning is in the capture, or are not IKEv1"),
        (recording.fragments, "fragments of UDP datagrams were not reassembled"),
        (recording.cut, "packets were truncated when they were captured (use tcpdump -s 0)"),
    ] {
        if number > 0 {
            writeln!(out, "  {number} {what}.")?;
        }
    }
    if recording.incomplete {
        writeln!(out, "  The capture is truncated, or longer than is read.")?;
    }
    let ours = addresses(parsed);
    for attempt in &attempts {
        writeln!(out)?;
        attempted(attempt, recording, parsed, &ours, out)?;
    }
    Ok(())
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// The addresses that the configuration gives to interfaces.
fn addresses(parsed: &Parsed) -> Vec<Ipv4Addr> {
    parsed.config.interfaces.iter().filter_map(fixed_address).filter_map(v4_address).collect()
}

fn fixed_address(interface: &Interface) -> Option<IpAddr> {
    match &interface.address {
        Addressing::Static(nets) => nets.first().map(|net| net.addr()),
        Addressing::None | Addressing::Secondary(_) | Addressing::Dhcp => None,
    }
}

fn attempted(
    attempt: &Attempt,
    recording: &Recording,
    parsed: &Parsed,
    ours: &[Ipv4Addr],
    out: &mut dyn Write,
) -> io::Result<()> {
    let (caller, called) = (attempt.caller.ip(), attempt.called.ip());
    let mode = if attempt.exchange == exchange::MAIN { "main mode" } else { "aggressive mode" };
    writeln!(out, "{caller} initiates to {called}, {mode}, {}", Date::new(attempt.begun()).iso())?;
    for step in &attempt.steps {
        message(step, out)?;
    }
    let esp = attempt.esp(recording);
    for (number, (who, behind)) in
        [(caller, &attempt.behind[0]), (called, &attempt.behind[1])].into_iter().enumerate()
    {
        let kinds = [
            (behind.transactions, "mode-config or Xauth"),
            (behind.quick, "quick mode"),
            (behind.informational, "informational"),
            (esp.get(number).copied().unwrap_or(0), "ESP"),
        ];
        let seen: Vec<_> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if !seen.is_empty() {
            writeln!(out, "    then from {who}: {}", seen.join(", "))?;
        }
    }
    if ours.contains(caller) && !ours.contains(called) {
        writeln!(
            out,
            "  This configuration is the initiator's; how the other side answers is decided there."
        )?;
        return outcome(attempt, &esp, parsed, out);
    }
    if !ours.contains(called) {
        writeln!(out, "  {called} is not an address of this configuration; it is judged as if it were.")?;
    }
    let judgement = judge(attempt, parsed);
    if !judgement.explanations.is_empty() {
        for said in &judgement.explanations {
            writeln!(out, "  This hub says: {}", said.verdict)?;
            let texts: Vec<_> = said.lines.iter().map(|line| print::line(*line, parsed)).collect();
            print::evidence(said, &texts, out)?;
        }
        return Ok(());
    }
    if let Some(policy) = judgement.policy {
        let line = parsed.config.policies.iter().find(|known| u32::from(known.priority) == policy);
        let line = line.map_or_else(String::new, |policy| format!(" (line {})", policy.line));
        let answered = if judgement.answers > 1 { "messages 1 and 3" } else { "message 1" };
        writeln!(out, "  This hub answers {answered}: it selects ISAKMP policy {policy}{line}.")?;
    }
    outcome(attempt, &esp, parsed, out)
}

fn message(step: &Step, out: &mut dyn Write) -> io::Result<()> {
    let Step { number, message, count } = step;
    let times = if *count == 1 { String::new() } else { format!(", {count} times") };
    let date = Date::new(message.time).iso();
    let clock = date.get(11..23).unwrap_or_default();
    writeln!(out, "    {clock} message {number} {} -> {}{times}", message.source, message.destination)
}

/// What the sequence of messages shows by itself.
fn outcome(attempt: &Attempt, esp: &[u64; 2], parsed: &Parsed, out: &mut dyn Write) -> io::Result<()> {
    let (caller, called) = (attempt.caller.ip(), attempt.called.ip());
    let [behind_caller, behind_called] = &attempt.behind;
    let nat = attempt.nat().filter(|nat| nat.any());
    if let Some(nat) = nat {
        let who = match (nat.remote, nat.local) {
            (true, true) => "Both sides are".to_string(),
            (true, false) => format!("{caller} is"),
            (false, _) => format!("{called} is"),
        };
        writeln!(out, "  {who} behind a NAT: from message 5 on, all messages use UDP 4500.")?;
    }
    for (who, behind) in [(caller, behind_caller), (called, behind_called)] {
        for told in &behind.notifies {
            writeln!(out, "  {who} sent an unencrypted notification: {}.", notify::name(*told))?;
        }
    }
    let main = attempt.exchange == exchange::MAIN;
    let refused = behind_called.informational > 0;
    match attempt.last() {
        _ if esp.iter().all(|count| *count > 0) => {
            writeln!(out, "  The tunnel works: there are ESP packets both ways.")
        }
        _ if attempt.phase1_is_whole() => phase1_up(attempt, esp, out),
        1 if behind_called.notifies.is_empty() => {
            writeln!(
                out,
                "  {called} does not answer at all: the message from {caller} does not arrive there, or is not accepted, or the answer is lost on the path."
            )
        }
        1 => writeln!(out, "  {called} refuses the proposal."),
        5 if main
            && !refused
            && attempt.message(5).is_some_and(|step| step.message.destination.port() == NATT_PORT) =>
        {
            writeln!(
                out,
                "  Message 5 is never answered: either UDP 4500 is blocked towards {caller}, or the pre-shared keys differ."
            )?;
            keys(attempt, parsed, out)
        }
        5 if main => {
            writeln!(
                out,
                "  Message 5 is the first that is encrypted, and {called} does not accept it: usually the pre-shared keys differ."
            )?;
            keys(attempt, parsed, out)
        }
        4 if main && nat.is_some() => {
            writeln!(out, "  Message 5 is missing: it should be sent on UDP 4500, which is probably blocked.")
        }
        2 if !main => {
            writeln!(
                out,
                "  {caller} does not answer message 2: usually its group key (pre-shared key) differs from that of {called}."
            )
        }
        last => writeln!(out, "  Nothing follows message {last}."),
    }
}

/// The report on an attempt whose phase 1 is complete.
fn phase1_up(attempt: &Attempt, esp: &[u64; 2], out: &mut dyn Write) -> io::Result<()> {
    let (caller, called) = (attempt.caller.ip(), attempt.called.ip());
    let [behind_caller, behind_called] = &attempt.behind;
    writeln!(out, "  Phase 1 is up; what follows is encrypted.")?;
    match (behind_caller.quick, behind_called.quick) {
        (1.., 0) if behind_called.informational > 0 => writeln!(
            out,
            "  {called} refuses quick mode: there is no common transform set, or no access list mirrors the networks. `why {caller}` on the running hub says which."
        ),
        (1.., 0) => writeln!(out, "  Quick mode is never answered."),
        (0, 0) if behind_caller.transactions > 0 => writeln!(
            out,
            "  There is no quick mode after Xauth and mode-config: the user's password was refused, or there was no address for the client. `why {caller}` on the running hub says which."
        ),
        (0, 0) => {
            writeln!(out, "  Neither side initiates quick mode: there is no packet for the tunnel yet.")
        }
        _ => match esp {
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
        },
    }
}

/// The lines of the keys that this configuration has for the caller.
fn keys(attempt: &Attempt, parsed: &Parsed, out: &mut dyn Write) -> io::Result<()> {
    let config = &parsed.config;
    let caller = IpAddr::V4(*attempt.caller.ip());
    let fits = |peer: &KeyPeer| matches!(peer, KeyPeer::Address(net) if net.contains(&caller));
    let all = config.default_keys.iter().chain(config.keyrings.iter().flat_map(|ring| &ring.keys));
    for key in all.filter(|key| fits(&key.peer)) {
        writeln!(out, "  {:>5}  {}", key.line, print::line(key.line, parsed).trim_end())?;
    }
    Ok(())
}

/// Lets a gateway with this configuration judge what it can read.
fn judge(attempt: &Attempt, parsed: &Parsed) -> Judgement {
    let config = &parsed.config;
    let called = *attempt.called.ip();
    let interfaces = || config.interfaces.iter();
    let named = interfaces().find(|interface| fixed_address(interface) == Some(called.into()));
    let outside = interfaces().find(|interface| interface.crypto_map.is_some());
    let id = |interface: &Interface| InterfaceId(interface.number);
    let fixed = |interface| Some((id(interface), fixed_address(interface)?));
    let mut addresses: translate::Addresses = interfaces().filter_map(fixed).collect();
    if let Some(interface) = named.or(outside) {
        addresses.insert(id(interface), called.into());
    }
    let policy = Arc::new(translate::policy(config, &addresses).0);
    let interface = policy
        .interfaces
        .iter()
        .find(|interface| interface.address == Some(IpAddr::V4(called)))
        .map_or(InterfaceId(0), |interface| interface.id);
    // nothing here is secret: the answers go nowhere
    let mut hub = Hub {
        engine: Engine::new(Arc::clone(&policy), [0; 32], Instant::ORIGIN),
        record: Record::default(),
        policy,
        parsed,
        judgement: Judgement::default(),
        cookie: None,
    };
    hub.engine.trace(TraceScope::All);
    for number in [1, 3] {
        let Some(step) = attempt.message(number) else { break };
        if number == 3 && (attempt.exchange != exchange::MAIN || hub.cookie.is_none()) {
            break;
        }
        hub.hear(step, interface);
    }
    let Hub { record, policy, mut judgement, .. } = hub;
    let failures = record.failures();
    judgement.explanations = failures.iter().map(|failure| explain(failure, parsed, &policy)).collect();
    judgement
}

/// A gateway that hears a capture.
struct Hub<'p> {
    engine: Engine,
    record: Record,
    policy: Arc<Policy>,
    parsed: &'p Parsed,
    judgement: Judgement,
    /// Its own cookie, once it has answered.
    cookie: Option<[u8; 8]>,
}

impl Hub<'_> {
    fn hear(&mut self, step: &Step, interface: InterfaceId) {
        let message = &step.message;
        let mut bytes = message.bytes.clone();
        // the answers of the recording had another's cookie
        if let (Some(cookie), Some(place)) = (self.cookie, bytes.get_mut(8..16)) {
            place.copy_from_slice(&cookie);
        }
        let natt = message.destination.port() == NATT_PORT;
        let path = Path {
            local: IpAddr::V4(*message.destination.ip()),
            local_port: message.destination.port(),
            remote: IpAddr::V4(*message.source.ip()),
            remote_port: message.source.port(),
            interface,
            vrf: VrfId(0),
            encapsulation: if natt { Encapsulation::Udp } else { Encapsulation::Native },
        };
        self.engine.handle(Instant::ORIGIN, Input::Datagram { path, bytes: &bytes });
        while let Some(effect) = self.engine.poll() {
            self.carry_out(effect, step);
        }
    }

    fn carry_out(&mut self, effect: Effect, step: &Step) {
        match effect {
            Effect::Transmit { bytes, .. } => {
                let header = Header::parse(&bytes).ok().map(|(header, _)| header);
                let answer = header.filter(|header| header.exchange != exchange::INFORMATIONAL);
                if let Some(header) = answer {
                    self.cookie = Some(header.responder.0);
                    self.judgement.answers += 1;
                }
            }
            Effect::Event(event) => {
                if let EventKind::Trace(trace) = &event.kind
                    && let Trace::Phase1Transform(judged) = &**trace
                    && judged.differs.is_none()
                {
                    self.judgement.policy = Some(judged.priority);
                }
                self.record.event(step.message.time, &event);
            }
            Effect::Ask { id, question } => {
                let config = &self.parsed.config;
                let answer = match question {
                    Question::Authorize { list, group } => aaa::authorize(config, list.as_deref(), &group),
                    Question::Authenticate { list, user, password, .. } => {
                        aaa::authenticate(config, &list, &user, &password)
                    }
                    Question::Lease { .. } => Answer::Lease(Err(LeaseError::Exhausted)),
                    Question::Credentials { .. } => Answer::Credentials(None),
                };
                self.engine.handle(Instant::ORIGIN, Input::Answer { id, answer });
            }
            _ => {}
        }
    }
}
