//! The attempts to establish a tunnel that a capture contains: who initiated to whom, which
//! messages of phase 1 were seen how often, and what followed. Everything here can be read without
//! any key.

use super::recording::{EspFlow, Message, Part, Recording};
use hubward_crypto::suite::HashAlg;
use hubward_proto::ike::natt::NatState;
use hubward_proto::path::NATT_PORT;
use hubward_proto::wire::isakmp::{Chain, Cookie, Cookies, HEADER_LEN, Header};
use hubward_proto::wire::reader::Reader;
use hubward_proto::wire::registry::{exchange, payload};
use std::borrow::Cow;
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

/// Attempts that are reported of one capture.
const ATTEMPTS: usize = 1000;
/// Different messages of one exchange.
const STEPS: usize = 16;
/// Quick modes and transactions of one attempt.
const EXCHANGES: usize = 64;

/// A message of an exchange, however often it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// 1 for the first, 2 for the answer to it.
    pub(super) number: usize,
    pub(super) message: Message,
    pub(super) count: u64,
    /// The frame in which it was sent last.
    pub(super) last: u64,
}

impl Step {
    fn new(number: usize, message: &Message) -> Self {
        Self { number, message: message.clone(), count: 1, last: message.frame }
    }
}

/// Counts a message that was sent before.
fn repeated(steps: &mut [Step], message: &Message) -> bool {
    let Some(known) = steps.iter_mut().find(|step| same(&step.message, message)) else { return false };
    known.count += 1;
    known.last = message.frame;
    if known.message.part != Part::Whole && message.part == Part::Whole {
        known.message.bytes.clone_from(&message.bytes);
        known.message.part = Part::Whole;
    }
    true
}

/// Whether one message is the other again; of either, only the beginning may be there.
fn same(known: &Message, new: &Message) -> bool {
    known.bytes == new.bytes
        || (known.part != Part::Whole && new.bytes.starts_with(&known.bytes))
        || (new.part != Part::Whole && known.bytes.starts_with(&new.bytes))
}

/// A quick mode, or a transaction of Xauth or mode-config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exchange {
    /// [`exchange::QUICK`] or [`exchange::TRANSACTION`].
    pub(super) kind: u8,
    id: u32,
    /// The responder of phase 1 sent its first message.
    pub(super) by_called: bool,
    pub(super) steps: Vec<Step>,
}

impl Exchange {
    fn take(&mut self, message: &Message, called: bool) {
        if repeated(&mut self.steps, message) || self.steps.len() >= STEPS {
            return;
        }
        let first = called == self.by_called;
        let before = self.steps.iter().filter(|step| (step.number % 2 == 1) == first).count();
        self.steps.push(Step::new(before * 2 + if first { 1 } else { 2 }, message));
    }

    /// Its last message, by number.
    pub(super) fn last(&self) -> usize {
        last(&self.steps)
    }
}

fn last(steps: &[Step]) -> usize {
    steps.iter().map(|step| step.number).max().unwrap_or(0)
}

/// What followed phase 1 of an exchange, in one direction, besides quick modes and transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) informational: u64,
    /// Types of unencrypted notifications.
    pub(super) notifies: Vec<u16>,
}

/// Which directions of an attempt are in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Both,
    /// Only what the initiator sent; it had answers.
    Caller,
    /// Only what the initiator sent, and nothing shows that there was an answer.
    Unanswered,
    /// Only what the responder sent.
    Called,
}

/// One try of one peer: what has one initiator cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) initiator: Cookie,
    /// Zero while there is no answer.
    pub(super) responder: Cookie,
    /// [`exchange::MAIN`] or [`exchange::AGGRESSIVE`].
    pub(super) exchange: u8,
    /// The sender of the first message, and its destination.
    pub(super) caller: SocketAddrV4,
    pub(super) called: SocketAddrV4,
    pub(super) steps: Vec<Step>,
    pub(super) exchanges: Vec<Exchange>,
    /// What the initiator sent after phase 1, and what the responder did.
    pub(super) behind: [Behind; 2],
    /// Who sent informational messages in which frame; true is the responder.
    informational: Vec<(u64, bool)>,
    /// Messages of the initiator, and of the responder.
    messages: [u64; 2],
    /// The initiator has heard an answer: it knows the responder's cookie.
    heard: bool,
    /// When the first message was recorded.
    begun: Duration,
    /// Where both were last on UDP 4500.
    natt: Option<[SocketAddrV4; 2]>,
}

/// Messages that belong to no attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strange {
    /// The capture began too late for them, or has more attempts than are reported.
    pub(super) stray: u64,
    /// They are not ISAKMP version 1.
    pub(super) foreign: u64,
}

/// The header of a message and what follows. Of a message whose end is missing, zeros stand for it.
fn parse(message: &Message) -> Option<(Header, Vec<u8>)> {
    let mut bytes = Cow::Borrowed(&message.bytes);
    if message.part != Part::Whole {
        let [.., a, b, c, d] = *bytes.first_chunk::<HEADER_LEN>()?;
        let claimed = u16::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
        bytes.to_mut().resize(usize::from(claimed).max(message.bytes.len()), 0);
    }
    let (header, body) = Header::parse(&bytes).ok()?;
    Some((header, body.to_vec()))
}

/// The types of the payloads of an unencrypted message, or the first of them if the rest cannot be
/// read.
fn kinds(header: Header, body: &[u8]) -> Vec<u8> {
    let chain = Chain::parse(header.first, body);
    chain.map_or_else(|_| vec![header.first], |all| all.payloads.iter().map(|one| one.kind).collect())
}

/// Sorts a capture's messages by attempt.
pub(super) fn attempts(recording: &Recording) -> (Vec<Attempt>, Strange) {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut strange = Strange::default();
    for message in &recording.messages {
        let Some((header, body)) = parse(message) else {
            strange.foreign += 1;
            continue;
        };
        // the newest first: nearly every message belongs there
        let room = attempts.len() < ATTEMPTS;
        let known = attempts.iter().rposition(|attempt| attempt.initiator == header.initiator);
        let place = match known {
            Some(place) => Some(place),
            None => Attempt::begin(message, header, &body).filter(|_| room).map(|attempt| {
                attempts.push(attempt);
                attempts.len() - 1
            }),
        };
        match place.and_then(|place| attempts.get_mut(place)) {
            Some(attempt) => attempt.take(message, header, &body),
            None => strange.stray += 1,
        }
    }
    (attempts, strange)
}

impl Attempt {
    /// The attempt that a message is the first of in the file: message 1, or message 2 where the
    /// file does not have message 1.
    fn begin(message: &Message, header: Header, body: &[u8]) -> Option<Self> {
        let phase1 = matches!(header.exchange, exchange::MAIN | exchange::AGGRESSIVE);
        let first = header.responder == Cookie::ZERO;
        let second = || !header.encrypted() && kinds(header, body).contains(&payload::SA);
        let (caller, called) = match first {
            true => (message.source, message.destination),
            false => (message.destination, message.source),
        };
        (phase1 && (first || second())).then(|| Self {
            initiator: header.initiator,
            responder: Cookie::ZERO,
            exchange: header.exchange,
            caller,
            called,
            steps: Vec::new(),
            exchanges: Vec::new(),
            behind: Default::default(),
            informational: Vec::new(),
            messages: [0; 2],
            heard: false,
            begun: message.time,
            natt: None,
        })
    }

    fn take(&mut self, message: &Message, header: Header, body: &[u8]) {
        let called = *message.source.ip() == *self.called.ip();
        if called && self.responder == Cookie::ZERO {
            self.responder = header.responder;
        }
        self.heard |= !called && header.responder != Cookie::ZERO;
        let [from_caller, from_called] = &mut self.messages;
        *if called { from_called } else { from_caller } += 1;
        if [message.source, message.destination].iter().any(|end| end.port() == NATT_PORT) {
            let ends = [message.source, message.destination];
            let [source, destination] = ends;
            self.natt = Some(if called { [destination, source] } else { ends });
        }
        match header.exchange {
            exchange::MAIN | exchange::AGGRESSIVE => self.step(message, header, body, called),
            exchange::TRANSACTION | exchange::QUICK => self.exchange(message, header, called),
            exchange::INFORMATIONAL => {
                if self.informational.len() < EXCHANGES {
                    self.informational.push((message.frame, called));
                }
                let [caller_behind, called_behind] = &mut self.behind;
                let behind = if called { called_behind } else { caller_behind };
                behind.informational += 1;
                let told = (!header.encrypted()).then(|| notify(header, body)).flatten();
                if let Some(told) = told.filter(|told| !behind.notifies.contains(told)) {
                    behind.notifies.push(told);
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, message: &Message, header: Header, body: &[u8], called: bool) {
        if repeated(&mut self.steps, message) || self.steps.len() >= STEPS {
            return;
        }
        if let Some(number) = self.number(header, body, called) {
            self.steps.push(Step::new(number, message));
        }
    }

    /// The number of a message of phase 1 by what it holds: others may be missing in the file.
    fn number(&self, header: Header, body: &[u8], called: bool) -> Option<usize> {
        let main = self.exchange == exchange::MAIN;
        if main && header.encrypted() {
            return Some(if called { 6 } else { 5 });
        }
        let kinds = kinds(header, body);
        let has = |kind| kinds.contains(&kind);
        match (main, has(payload::SA), called) {
            (_, true, false) => Some(1),
            (_, true, true) => Some(2),
            (true, false, _) if !has(payload::KE) && !has(payload::NONCE) => None,
            (true, false, false) => Some(3),
            (true, false, true) => Some(4),
            (false, false, false) if header.responder == Cookie::ZERO => Some(1),
            (false, false, false) => Some(3),
            (false, false, true) => Some(2),
        }
    }

    fn exchange(&mut self, message: &Message, header: Header, called: bool) {
        let (kind, id) = (header.exchange, header.message_id);
        if let Some(known) = self.exchanges.iter_mut().find(|known| known.kind == kind && known.id == id) {
            known.take(message, called);
        } else if self.exchanges.len() < EXCHANGES {
            let mut new = Exchange { kind, id, by_called: called, steps: Vec::new() };
            new.take(message, called);
            self.exchanges.push(new);
        }
    }

    /// A message of phase 1 by its number.
    pub(super) fn message(&self, number: usize) -> Option<&Step> {
        self.steps.iter().find(|step| step.number == number)
    }

    /// The last message of phase 1, by number.
    pub(super) fn last(&self) -> usize {
        last(&self.steps)
    }

    /// Whether all of phase 1 was seen.
    pub(super) fn phase1_is_whole(&self) -> bool {
        let last = if self.exchange == exchange::MAIN { 6 } else { 3 };
        self.message(last).is_some()
    }

    /// When it began.
    pub(super) fn begun(&self) -> Duration {
        self.begun
    }

    /// Which directions are in the file.
    pub(super) fn seen(&self) -> Seen {
        match self.messages {
            [0, _] => Seen::Called,
            [_, 0] if self.heard => Seen::Caller,
            [_, 0] => Seen::Unanswered,
            _ => Seen::Both,
        }
    }

    /// Its quick modes.
    pub(super) fn quick(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter().filter(|one| one.kind == exchange::QUICK)
    }

    /// Whether the first informational message after a frame is of this side: nothing else answers
    /// what is refused.
    pub(super) fn informs_after(&self, frame: u64, called: bool) -> bool {
        self.informational.iter().find(|(at, _)| *at > frame).is_some_and(|(_, who)| *who == called)
    }

    /// Which side is behind a NAT, as the initiator's third message of main mode reports it to the
    /// responder (RFC 3947 section 3.2). `None` if the capture does not show it.
    pub(super) fn nat(&self) -> Option<NatState> {
        let step = self.message(3).filter(|_| self.exchange == exchange::MAIN)?;
        let (header, body) = Header::parse(&step.message.bytes).ok().filter(|(h, _)| !h.encrypted())?;
        let chain = Chain::parse(header.first, body).ok()?;
        let hashes: Vec<&[u8]> =
            [payload::NAT_D, payload::NAT_D_DRAFT].into_iter().flat_map(|kind| chain.all(kind)).collect();
        let algorithm = match hashes.first()?.len() {
            16 => HashAlg::Md5,
            20 => HashAlg::Sha1,
            32 => HashAlg::Sha256,
            48 => HashAlg::Sha384,
            64 => HashAlg::Sha512,
            _ => return None,
        };
        let cookies = Cookies { initiator: self.initiator, responder: self.responder };
        let (local, remote) = (SocketAddr::V4(step.message.destination), SocketAddr::V4(step.message.source));
        Some(NatState::judge(algorithm, cookies, local, remote, &hashes))
    }

    /// The frame from which on ESP packets may be of its tunnel.
    fn tunnel(&self) -> Option<u64> {
        let whole = self.quick().filter(|one| one.last() >= 2);
        whole.filter_map(|one| Some(one.steps.first()?.message.frame)).min()
    }

    /// ESP packets from the initiator to the responder, and back, of SPIs that were first seen since
    /// the quick mode of this attempt and before that of the next one. The SPIs themselves are
    /// encrypted in it.
    pub(super) fn esp(&self, recording: &Recording, all: &[Self]) -> [u64; 2] {
        let Some(begin) = self.tunnel() else { return [0; 2] };
        let fellows = all.iter().filter(|one| {
            one.caller.ip() == self.caller.ip() && one.called.ip() == self.called.ip()
                || one.caller.ip() == self.called.ip() && one.called.ip() == self.caller.ip()
        });
        // behind one NAT there may be many, each with a port of its own
        let rivals = fellows.filter(|one| one.natt == self.natt);
        let end = rivals.filter_map(Self::tunnel).filter(|at| *at > begin).min().unwrap_or(u64::MAX);
        let native = [self.caller, self.called].map(|end| SocketAddrV4::new(*end.ip(), 0));
        let count = |from: usize, to: usize| {
            let is = |flow: &EspFlow, ends: &[SocketAddrV4; 2]| {
                ends.get(from) == Some(&flow.source) && ends.get(to) == Some(&flow.destination)
            };
            let own = |flow: &EspFlow| is(flow, &native) || self.natt.is_some_and(|ends| is(flow, &ends));
            let flows = recording.esp.iter().filter(|(flow, _)| own(flow));
            flows
                .map(|(_, packets)| packets)
                .filter(|packets| packets.first > begin && packets.first < end)
                .map(|packets| packets.count)
                .sum()
        };
        [count(0, 1), count(1, 0)]
    }

    /// Whether the file has anything from the responder's address to the initiator's, apart from
    /// this attempt.
    pub(super) fn way_back(&self, recording: &Recording) -> bool {
        let back = |from: &SocketAddrV4, to: &SocketAddrV4| {
            from.ip() == self.called.ip() && to.ip() == self.caller.ip()
        };
        recording.esp.keys().any(|flow| back(&flow.source, &flow.destination))
            || recording.messages.iter().any(|one| back(&one.source, &one.destination))
    }
}

/// The type of an unencrypted notification (RFC 2408 section 3.14).
fn notify(header: Header, body: &[u8]) -> Option<u16> {
    let chain = Chain::parse(header.first, body).ok()?;
    let mut reader = Reader::new("the notification", chain.first(payload::NOTIFY)?);
    let (_doi, _protocol, _spi_length) = (reader.u32().ok()?, reader.u8().ok()?, reader.u8().ok()?);
    reader.u16().ok()
}
