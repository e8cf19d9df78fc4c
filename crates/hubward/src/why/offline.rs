//! `hubward why --pcap FILE --config CFG`: how this configuration would have answered the attempts
//! in a capture, and what the capture itself shows. What can be judged without the keys of the
//! recording is judged by the engine itself: the first message of each attempt, and in main mode
//! the third, go into a fresh engine. Encrypted messages cannot be read afterwards; how often they
//! were sent and what came back is still informative.

use super::attempt::{Attempt, Exchange, Seen, Step, Strange, attempts};
use super::capture_outcome::{Known, outcome};
use super::recording::{Part, Recording};
use super::{explain, print};
use crate::base::date::Date;
use crate::base::family::v4_address;
use crate::gateway::aaa;
use crate::translate;
use crate::why::explanation::Explanation;
use crate::why::record::Record;
use hubward_config::Parsed;
use hubward_config::model::{Addressing, Interface};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::io::{Answer, Effect, Input, LeaseError, Question};
use hubward_proto::ike::trace::{Trace, TraceScope};
use hubward_proto::names::{InterfaceId, VrfId};
use hubward_proto::path::{Encapsulation, NATT_PORT, Path};
use hubward_proto::policy::Policy;
use hubward_proto::time::Instant;
use hubward_proto::wire::isakmp::Header;
use hubward_proto::wire::registry::exchange;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Exchanges after phase 1 of which each message is shown.
const SHOWN: usize = 8;

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
    let Strange { stray, foreign } = strange;
    for (number, what) in [
        (stray, "messages belong to no attempt whose beginning is in the capture"),
        (foreign, "messages are not IKEv1, or are damaged"),
        (recording.headless, "UDP datagrams are without their first IP fragment; they may be IKE messages"),
        (recording.overlaps, "UDP datagrams were refused because their IP fragments overlap"),
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
        let esp = attempt.esp(recording, &attempts);
        attempted(&Known { attempt, esp, recording, parsed }, &ours, out)?;
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

fn attempted(known: &Known<'_>, ours: &[Ipv4Addr], out: &mut dyn Write) -> io::Result<()> {
    let Known { attempt, esp, parsed, .. } = known;
    let (caller, called) = (attempt.caller.ip(), attempt.called.ip());
    let mode = if attempt.exchange == exchange::MAIN { "main mode" } else { "aggressive mode" };
    writeln!(out, "{caller} initiates to {called}, {mode}, {}", Date::new(attempt.begun()).iso())?;
    for step in &attempt.steps {
        message(step, "", out)?;
    }
    // who began a later exchange is not in the file when its first message is not
    let numbered = attempt.seen() != Seen::Called;
    for exchange in attempt.exchanges.iter().take(SHOWN).filter(|_| numbered) {
        for step in &exchange.steps {
            message(step, name(exchange), out)?;
        }
    }
    let hidden = attempt.exchanges.len().saturating_sub(if numbered { SHOWN } else { 0 });
    if hidden > 0 {
        writeln!(out, "    then {hidden} more quick modes, Xauth or mode-config exchanges")?;
    }
    let from = [caller, called].into_iter().zip(&attempt.behind).zip(esp);
    for ((who, behind), esp) in from {
        let kinds = [(behind.informational, "informational"), (*esp, "ESP")];
        let seen: Vec<_> =
            kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        if !seen.is_empty() {
            writeln!(out, "    then from {who}: {}", seen.join(", "))?;
        }
    }
    missing(attempt, out)?;
    if ours.contains(caller) && !ours.contains(called) {
        writeln!(
            out,
            "  This configuration is the initiator's; how the other side answers is decided there."
        )?;
        return outcome(known, out);
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
    outcome(known, out)
}

fn name(exchange: &Exchange) -> &'static str {
    match exchange.kind {
        exchange::QUICK => "quick mode ",
        _ => "Xauth or mode-config ",
    }
}

fn message(step: &Step, of: &str, out: &mut dyn Write) -> io::Result<()> {
    let Step { number, message, count, .. } = step;
    let times = if *count == 1 { String::new() } else { format!(", {count} times") };
    let date = Date::new(message.time).iso();
    let clock = date.get(11..23).unwrap_or_default();
    writeln!(out, "    {clock} {of}message {number} {} -> {}{times}", message.source, message.destination)
}

/// The messages of which the file has only the beginning.
fn missing(attempt: &Attempt, out: &mut dyn Write) -> io::Result<()> {
    let of_exchanges =
        attempt.exchanges.iter().flat_map(|one| one.steps.iter().map(move |step| (step, name(one))));
    for (step, of) in attempt.steps.iter().map(|step| (step, "")).chain(of_exchanges) {
        let (number, source) = (step.number, step.message.source.ip());
        match step.message.part {
            Part::Whole => {}
            Part::Fragment => writeln!(
                out,
                "  A fragment of {of}message {number} from {source} is missing: IP fragments are lost on the path, or were not recorded."
            )?,
            Part::Cut => writeln!(
                out,
                "  The {of}message {number} from {source} was truncated when it was captured (use tcpdump -s 0)."
            )?,
        }
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
        // what is not whole cannot be judged
        if step.message.part != Part::Whole {
            break;
        }
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
