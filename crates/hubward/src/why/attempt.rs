//! The attempts to establish a tunnel that a capture contains: who initiated to whom, which
//! messages of phase 1 were seen how often, and what followed. Everything here can be read without
//! any key.

use super::recording::{Message, Recording};
use hubward_crypto::suite::HashAlg;
use hubward_proto::ike::natt::NatState;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Chain, Cookie, Header};
use hubward_proto::wire::reader::Reader;
use hubward_proto::wire::registry::{exchange, payload};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// Attempts that are reported of one capture.
const ATTEMPTS: usize = 1000;
/// Different messages of phase 1 of one attempt.
const STEPS: usize = 16;

/// A message of phase 1, however often it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// 1 for the caller's first, 2 for the answer to it.
    pub(super) number: usize,
    pub(super) message: Message,
    pub(super) count: u64,
}

/// What followed phase 1 of an exchange, in one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Behind {
    pub(super) transactions: u64,
    pub(super) quick: u64,
    pub(super) informational: u64,
    /// Types of unencrypted notifications.
    pub(super) notifies: Vec<u16>,
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
    /// What the initiator sent after phase 1, and what the responder did.
    pub(super) behind: [Behind; 2],
}

/// Sorts a capture's messages by attempt. The number is that of messages that belong to none: the
/// capture began too late for them, or they are not ISAKMP version 1.
pub(super) fn attempts(recording: &Recording) -> (Vec<Attempt>, u64) {
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut strange = 0;
    for message in &recording.messages {
        let Ok((header, body)) = Header::parse(&message.bytes) else {
            strange += 1;
            continue;
        };
        // the newest first: nearly every message belongs there
        let room = attempts.len() < ATTEMPTS;
        let known = attempts.iter().rposition(|attempt| attempt.initiator == header.initiator);
        match known.and_then(|place| attempts.get_mut(place)) {
            Some(attempt) => attempt.take(message, header, body),
            None if begins(header) && room => {
                let mut attempt = Attempt {
                    initiator: header.initiator,
                    responder: Cookie::ZERO,
                    exchange: header.exchange,
                    caller: message.source,
                    called: message.destination,
                    steps: Vec::new(),
                    behind: Default::default(),
                };
                attempt.take(message, header, body);
                attempts.push(attempt);
            }
            None => strange += 1,
        }
    }
    (attempts, strange)
}

fn begins(header: Header) -> bool {
    header.responder == Cookie::ZERO && matches!(header.exchange, exchange::MAIN | exchange::AGGRESSIVE)
}

impl Attempt {
    fn take(&mut self, message: &Message, header: Header, body: &[u8]) {
        let called = *message.source.ip() == *self.called.ip();
        if called && self.responder == Cookie::ZERO {
            self.responder = header.responder;
        }
        let [caller_behind, called_behind] = &mut self.behind;
        let behind = if called { called_behind } else { caller_behind };
        match header.exchange {
            exchange::MAIN | exchange::AGGRESSIVE => self.step(message, called),
            exchange::TRANSACTION => behind.transactions += 1,
            exchange::QUICK => behind.quick += 1,
            exchange::INFORMATIONAL => {
                behind.informational += 1;
                let told = (!header.encrypted()).then(|| notify(header, body)).flatten();
                if let Some(told) = told.filter(|told| !behind.notifies.contains(told)) {
                    behind.notifies.push(told);
                }
            }
            _ => {}
        }
    }

    fn step(&mut self, message: &Message, called: bool) {
        let same = |step: &&mut Step| step.message.bytes == message.bytes;
        if let Some(known) = self.steps.iter_mut().find(same) {
            known.count += 1;
            return;
        }
        if self.steps.len() >= STEPS {
            return;
        }
        let before = self.steps.iter().filter(|step| (step.number % 2 == 0) == called).count();
        let number = before * 2 + if called { 2 } else { 1 };
        self.steps.push(Step { number, message: message.clone(), count: 1 });
    }

    /// A message of phase 1 by its number.
    pub(super) fn message(&self, number: usize) -> Option<&Step> {
        self.steps.iter().find(|step| step.number == number)
    }

    /// The last message of phase 1, by number.
    pub(super) fn last(&self) -> usize {
        self.steps.iter().map(|step| step.number).max().unwrap_or(0)
    }

    /// Whether all of phase 1 was seen.
    pub(super) fn phase1_is_whole(&self) -> bool {
        let last = if self.exchange == exchange::MAIN { 6 } else { 3 };
        self.message(last).is_some()
    }

    /// When it began.
    pub(super) fn begun(&self) -> Duration {
        self.steps.first().map_or(Duration::ZERO, |step| step.message.time)
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

    /// ESP packets from the initiator to the responder, and back.
    pub(super) fn esp(&self, recording: &Recording) -> [u64; 2] {
        let count = |from: &Ipv4Addr, to: &Ipv4Addr| recording.esp.get(&(*from, *to)).copied().unwrap_or(0);
        let (caller, called) = (self.caller.ip(), self.called.ip());
        [count(caller, called), count(called, caller)]
    }
}

/// The type of an unencrypted notification (RFC 2408 section 3.14).
fn notify(header: Header, body: &[u8]) -> Option<u16> {
    let chain = Chain::parse(header.first, body).ok()?;
    let mut reader = Reader::new("the notification", chain.first(payload::NOTIFY)?);
    let (_doi, _protocol, _spi_length) = (reader.u32().ok()?, reader.u8().ok()?, reader.u8().ok()?);
    reader.u16().ok()
}
