//! A peer by hand, message by message: it knows the pre-shared key, and each of its messages can be
//! changed before it is sealed.
//!
//! A [`Story`] is a negotiation of this peer with an engine. Wherever the engine waits for a
//! message, the story keeps a [`Point`]: what brings a new engine there, and the message that it
//! waits for. The same inputs give the same state, so that a test goes back to any point as often
//! as it wants and sends something else there.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use super::support::{ip, test_group};
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::random::Random;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, HashAlg, IkeCipher};
use hubward_proto::flow::tables::Acquire;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Answer, AskId, Command, CredentialField, Effect, Input, Limit, Question};
use hubward_proto::ike::natt::nat_d;
use hubward_proto::ike::v1::iv::{ExchangeIvs, Phase1Iv};
use hubward_proto::ike::v1::keys::{AuthInput, KeyInput, Phase1Keys};
use hubward_proto::names::ChildId;
use hubward_proto::path::Path;
use hubward_proto::policy::Policy;
use hubward_proto::time::{Instant, Now};
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Config, Notify};
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Chain, Cookie, FLAG_ENCRYPTION, Header};
use hubward_proto::wire::registry::{exchange, payload};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

// ---- messages
// -----------------------------------------------------------------------------------------------------

/// One payload as it will be on the wire.
#[derive(Clone, Debug)]
pub struct Part {
    pub kind: u8,
    pub reserved: u8,
    pub body: Vec<u8>,
}

pub fn part(kind: u8, body: impl Into<Vec<u8>>) -> Part {
    Part { kind, reserved: 0, body: body.into() }
}

/// A HASH payload; its content is made when the message is sealed.
pub fn hash_part() -> Part {
    part(payload::HASH, [0; 20])
}

fn chained(parts: &[Part]) -> Vec<u8> {
    let mut out = Vec::new();
    let following = parts.iter().skip(1).map(|part| part.kind).chain([payload::NONE]);
    for (part, next) in parts.iter().zip(following) {
        out.extend([next, part.reserved]);
        out.extend(u16::try_from(part.body.len() + 4).unwrap().to_be_bytes());
        out.extend(&part.body);
    }
    out
}

/// What a HASH payload proves.
#[derive(Clone)]
pub enum Proof {
    /// The message has none.
    Nothing,
    /// HASH_I or HASH_R: the identity, which is that of the message if it has one.
    Identity {
        own_public: Vec<u8>,
        other_public: Vec<u8>,
        own: Cookie,
        other: Cookie,
        sa: Vec<u8>,
        id: Vec<u8>,
    },
    /// HASH(1): what follows it.
    Following,
    /// HASH(2): what follows it, and the initiator's nonce.
    Answering(Vec<u8>),
    /// HASH(3): both nonces.
    Closing(Vec<u8>, Vec<u8>),
}

/// How a message is protected.
#[derive(Clone)]
pub enum Cover {
    Clear,
    Phase1(Phase1Iv),
    Later(ExchangeIvs),
}

/// A message that is not sealed yet.
#[derive(Clone)]
pub struct Draft {
    pub name: String,
    pub cookies: Cookies,
    pub exchange: u8,
    pub message_id: u32,
    pub parts: Vec<Part>,
    pub keys: Option<Phase1Keys>,
    pub proof: Proof,
    pub cover: Cover,
}

impl Draft {
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// The payloads, the hash being right for what the message says now.
    pub fn plain(&self) -> Vec<u8> {
        let mut parts = self.parts.clone();
        if let Some(at) = parts.iter().position(|part| part.kind == payload::HASH)
            && let Some(keys) = &self.keys
        {
            let rest = chained(&parts[at + 1..]);
            let digest = match &self.proof {
                Proof::Nothing => return chained(&parts),
                Proof::Identity { own_public, other_public, own, other, sa, id } => {
                    let said = parts.iter().find(|part| part.kind == payload::ID);
                    keys.auth_hash(&AuthInput {
                        own_public,
                        other_public,
                        own_cookie: *own,
                        other_cookie: *other,
                        sa,
                        identity: said.map_or(id, |part| &part.body),
                    })
                }
                Proof::Following => keys.hash1(self.message_id, &rest),
                Proof::Answering(nonce_i) => keys.hash2(self.message_id, nonce_i, &rest),
                Proof::Closing(nonce_i, nonce_r) => keys.hash3(self.message_id, nonce_i, nonce_r),
            };
            let room = parts[at].body.len().min(digest.len());
            parts[at].body = digest[..room].to_vec();
        }
        chained(&parts)
    }

    fn header(&self, flags: u8) -> Header {
        Header {
            initiator: self.cookies.initiator,
            responder: self.cookies.responder,
            first: self.parts.first().map_or(payload::NONE, |part| part.kind),
            exchange: self.exchange,
            flags,
            message_id: self.message_id,
        }
    }

    /// The message on the wire, and the protection of the next one.
    pub fn sealed(&self) -> (Vec<u8>, Cover) {
        self.sealed_plain(self.plain())
    }

    /// The same with any plaintext.
    pub fn sealed_plain(&self, plain: Vec<u8>) -> (Vec<u8>, Cover) {
        let mut cover = self.cover.clone();
        let body = match (&mut cover, &self.keys) {
            (Cover::Phase1(iv), Some(keys)) => iv.encrypt(keys, plain),
            (Cover::Later(ivs), Some(keys)) if self.exchange == exchange::INFORMATIONAL => {
                ivs.encrypt_single(keys, self.message_id, plain)
            }
            (Cover::Later(ivs), Some(keys)) => ivs.encrypt(keys, self.message_id, plain),
            _ => return (self.header(0).write(&plain), cover),
        };
        (self.header(FLAG_ENCRYPTION).write(&body), cover)
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.sealed().0
    }

    /// Protected if it should be in clear, and in clear if it should be protected.
    pub fn wrongly_protected(&self) -> Vec<u8> {
        match self.cover {
            Cover::Clear => self.header(FLAG_ENCRYPTION).write(&self.plain()),
            _ => self.header(0).write(&self.plain()),
        }
    }
}

// ---- the engine
// ---------------------------------------------------------------------------------------------------

/// What an engine is told, kept so that another engine can be told the same.
#[derive(Clone, Debug)]
pub enum Told {
    Datagram(Path, Vec<u8>),
    Acquire(Acquire),
    Command(Command),
    Answer(AskId, Answer),
    /// A child SA reached its soft limit.
    Expire(ChildId),
    Wait(Duration),
}

/// An engine, and what it did.
pub struct Stage {
    pub engine: Engine,
    pub now: Now,
    pub asked: Vec<(AskId, Question)>,
    /// What it did, a text for each effect.
    pub done: Vec<String>,
    pub sent: Vec<Vec<u8>>,
}

impl Stage {
    pub fn new(policy: &Arc<Policy>) -> Self {
        Self {
            engine: Engine::new(Arc::clone(policy), [1; 32], Instant::ORIGIN),
            now: Instant::ORIGIN + Duration::from_secs(1),
            asked: Vec::new(),
            done: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// Returns what it sent.
    pub fn tell(&mut self, told: &Told) -> Vec<Vec<u8>> {
        match told.clone() {
            Told::Datagram(path, bytes) => self.input(Input::Datagram { path, bytes: &bytes }),
            Told::Acquire(acquire) => self.input(Input::Acquire(acquire)),
            Told::Command(command) => self.input(Input::Command(command)),
            Told::Answer(id, answer) => {
                self.asked.retain(|(asked, _)| *asked != id);
                self.input(Input::Answer { id, answer });
            }
            Told::Expire(child) => self.input(Input::Expire { child, limit: Limit::Soft }),
            Told::Wait(time) => self.wait(time),
        }
        std::mem::take(&mut self.sent)
    }

    fn input(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input);
        self.drain();
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some((at, _)) = self.engine.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(effect) = self.engine.poll() {
            self.done.push(describe(&effect));
            match effect {
                Effect::Transmit { bytes, .. } => self.sent.push(bytes),
                Effect::Ask { id, question } => self.asked.push((id, question)),
                _ => {}
            }
        }
    }

    /// Answers all questions as a gateway and a user do that have nothing against the peer.
    pub fn answer_all(&mut self) {
        while let Some((id, question)) = self.asked.pop() {
            self.input(Input::Answer { id, answer: usual_answer(&question) });
        }
    }

    /// The SAs that there are.
    pub fn state(&self) -> String {
        let view = self.engine.inspect();
        let mut out: Vec<_> = view
            .isakmp
            .iter()
            .map(|sa| format!("{}{}", sa.state.ios_name(), if sa.deleted { " (deleted)" } else { "" }))
            .collect();
        match view.children.len() {
            0 => {}
            1 => out.push("1 child SA".into()),
            several => out.push(format!("{several} child SAs")),
        }
        if out.is_empty() { "no SA".into() } else { out.join(", ") }
    }
}

pub fn usual_answer(question: &Question) -> Answer {
    match question {
        Question::Authorize { list, group } => {
            Answer::Group((list.is_some() && group == "testgroup").then(test_group))
        }
        Question::Authenticate { user, password, .. } => {
            if user == "gfullage" && password.matches(b"gfullage") {
                Answer::Accepted { user: user.clone() }
            } else {
                Answer::Rejected { reason: "no".into() }
            }
        }
        Question::Lease { .. } => Answer::Lease(Ok(ip("10.5.5.1"))),
        Question::Credentials { again: true, .. } => Answer::Credentials(None),
        Question::Credentials { fields, .. } => {
            let value = |field: &CredentialField| (*field, Secret::new(*b"gfullage"));
            Answer::Credentials(Some(fields.iter().map(value).collect()))
        }
    }
}

pub fn exchange_name(number: u8) -> String {
    match number {
        exchange::MAIN => "main".into(),
        exchange::AGGRESSIVE => "aggressive".into(),
        exchange::INFORMATIONAL => "informational".into(),
        exchange::TRANSACTION => "transaction".into(),
        exchange::QUICK => "quick".into(),
        other => format!("exchange {other}"),
    }
}

/// An effect in a few words. Numbers that the engine draws at random are left out.
pub fn describe(effect: &Effect) -> String {
    match effect {
        Effect::Transmit { bytes, .. } => {
            let exchange = exchange_name(bytes.get(18).copied().unwrap_or(0));
            let clear = if bytes.get(19).is_some_and(|flags| flags & 1 == 0) { " clear" } else { "" };
            format!("sends {exchange}{clear} {}", bytes.len())
        }
        Effect::NatKeepalive { .. } => "sends a NAT keepalive".into(),
        Effect::Install { direction, .. } => format!("installs {direction:?}").to_lowercase(),
        Effect::Repath { path, .. } => format!("moves a child SA to {}:{}", path.remote, path.remote_port),
        Effect::Remove { .. } => "removes a child SA".into(),
        Effect::Ask { question, .. } => match question {
            Question::Authenticate { .. } => "asks about the user".into(),
            Question::Authorize { .. } => "asks about the group".into(),
            Question::Lease { .. } => "asks for an address".into(),
            Question::Credentials { .. } => "asks the user".into(),
        },
        Effect::Release { .. } => "releases an address".into(),
        Effect::Assign(assignment) => format!("is assigned {}", assignment.address),
        Effect::Unassign { .. } => "loses its address".into(),
        Effect::Event(event) => match &event.kind {
            EventKind::Refused(Refusal::MessageIdUsed(_)) => "refuses: the message id was used before".into(),
            EventKind::Refused(refusal) => format!("refuses: {refusal}"),
            EventKind::Phase1Up { identity, profile } => {
                format!(
                    "phase 1 established with {identity}, profile {}",
                    profile.as_deref().unwrap_or("none")
                )
            }
            EventKind::Phase1Down { reason } => format!("phase 1 down: {reason}"),
            EventKind::XauthAccepted { user } => format!("Xauth accepts {user}"),
            EventKind::XauthRejected { user } => format!("Xauth rejects {user}"),
            EventKind::AddressAssigned { address } => format!("assigns {address}"),
            EventKind::AttributesNotAnswered { kinds } => format!("does not answer attributes {kinds:?}"),
            EventKind::ChildUp { selector, replaces, .. } => {
                let replaces = if replaces.is_some() { ", a replacement" } else { "" };
                format!("child SA established {} <-> {}{replaces}", selector.local, selector.remote)
            }
            EventKind::ChildDown { reason, .. } => format!("child SA down: {reason}"),
            EventKind::Redirected { gateway } => format!("is redirected to {gateway}"),
            EventKind::PeerMoved { remote, remote_port } => format!("peer moved to {remote}:{remote_port}"),
            other => format!("{other:?}"),
        },
    }
}

// ---- a negotiation
// ------------------------------------------------------------------------------------------------

/// An engine that waits for something.
#[derive(Clone)]
pub struct Point {
    pub name: String,
    pub policy: Arc<Policy>,
    pub path: Path,
    /// What brings a new engine there.
    pub told: Vec<Told>,
    /// What the peer says next.
    pub next: Draft,
    /// The peer's messages so far, oldest first.
    pub sent: Vec<Vec<u8>>,
    /// A notification that means nothing, in an exchange of its own.
    pub fresh: Draft,
    /// Whether it is the first of the points in this state.
    pub first: bool,
}

impl Point {
    /// An engine that is here.
    pub fn stage(&self) -> Stage {
        let mut stage = Stage::new(&self.policy);
        for told in &self.told {
            stage.tell(told);
        }
        stage.done.clear();
        stage
    }

    /// What a datagram does here, and where it leaves the engine. Questions are answered.
    pub fn effect(&self, datagram: &[u8]) -> String {
        let mut stage = self.stage();
        stage.asked.clear();
        stage.tell(&Told::Datagram(self.path, datagram.to_vec()));
        stage.answer_all();
        let done = if stage.done.is_empty() { "nothing".into() } else { stage.done.join("; ") };
        format!("{done} | {}", stage.state())
    }
}

/// A negotiation with an engine.
pub struct Story {
    pub name: &'static str,
    pub policy: Arc<Policy>,
    pub path: Path,
    pub stage: Stage,
    pub told: Vec<Told>,
    pub sent: Vec<Vec<u8>>,
    pub points: Vec<Point>,
    pub random: Random,
    pub cookies: Cookies,
    pub keys: Option<Phase1Keys>,
    pub iv: Option<Phase1Iv>,
    pub ivs: Option<ExchangeIvs>,
    next_message_id: u32,
}

impl Story {
    pub fn new(name: &'static str, policy: Policy, path: Path) -> Self {
        let policy = Arc::new(policy);
        Self {
            name,
            stage: Stage::new(&policy),
            policy,
            path,
            told: Vec::new(),
            sent: Vec::new(),
            points: Vec::new(),
            random: Random::new([3; 32]),
            cookies: Cookies { initiator: Cookie::ZERO, responder: Cookie::ZERO },
            keys: None,
            iv: None,
            ivs: None,
            next_message_id: 0x1000_0000,
        }
    }

    /// The same negotiation again, to be continued in another way; without its points.
    pub fn fork(&self) -> Self {
        let mut stage = Stage::new(&self.policy);
        for told in &self.told {
            stage.tell(told);
        }
        Self {
            name: self.name,
            policy: Arc::clone(&self.policy),
            path: self.path,
            stage,
            told: self.told.clone(),
            sent: self.sent.clone(),
            points: Vec::new(),
            random: Random::new([4; 32]),
            cookies: self.cookies,
            keys: self.keys.clone(),
            iv: self.iv.clone(),
            ivs: self.ivs.clone(),
            next_message_id: self.next_message_id + 0x1000,
        }
    }

    /// Tells the engine something; returns its messages.
    pub fn tell(&mut self, told: Told) -> Vec<Vec<u8>> {
        let sent = self.stage.tell(&told);
        self.told.push(told);
        sent
    }

    /// Answers the engine's last question as usual.
    pub fn answer(&mut self) -> Vec<Vec<u8>> {
        let (id, question) = self.stage.asked.last().expect("a question").clone();
        self.tell(Told::Answer(id, usual_answer(&question)))
    }

    fn keep(&mut self, state: &str, next: &Draft, first: bool) {
        self.next_message_id += 1;
        let about = Notify::isakmp(40_000, self.cookies.initiator, self.cookies.responder, []);
        let fresh = self.informational(part(payload::NOTIFY, about.write()));
        self.points.push(Point {
            name: format!("{}: {state}", self.name),
            policy: Arc::clone(&self.policy),
            path: self.path,
            told: self.told.clone(),
            next: next.clone(),
            sent: self.sent.clone(),
            fresh,
            first,
        });
    }

    /// In this state the peer may say this, but the story goes on otherwise.
    pub fn may_say(&mut self, state: &str, draft: &Draft) {
        let known = self.points.iter().any(|point| point.name == format!("{}: {state}", self.name));
        self.keep(state, draft, !known);
    }

    /// In this state the peer says this; returns the engine's answers.
    pub fn says(&mut self, state: &str, draft: Draft) -> Vec<Vec<u8>> {
        self.may_say(state, &draft);
        self.sends(draft)
    }

    /// The peer says this; no point is kept.
    pub fn sends(&mut self, draft: Draft) -> Vec<Vec<u8>> {
        let (bytes, cover) = draft.sealed();
        match cover {
            Cover::Clear => {}
            Cover::Phase1(iv) => self.iv = Some(iv),
            Cover::Later(ivs) => self.ivs = Some(ivs),
        }
        self.sent.push(bytes.clone());
        self.tell(Told::Datagram(self.path, bytes))
    }

    // ---- drafts

    pub fn clear(&self, exchange: u8, parts: Vec<Part>) -> Draft {
        Draft {
            name: String::new(),
            cookies: self.cookies,
            exchange,
            message_id: 0,
            parts,
            keys: self.keys.clone(),
            proof: Proof::Nothing,
            cover: Cover::Clear,
        }
    }

    /// A message of phase 1 that is encrypted.
    pub fn phase1(&self, exchange: u8, parts: Vec<Part>, proof: Proof) -> Draft {
        let cover = Cover::Phase1(self.iv.clone().expect("phase 1 has keys"));
        Draft { proof, cover, ..self.clear(exchange, parts) }
    }

    /// A message after phase 1.
    pub fn later(&self, exchange: u8, message_id: u32, parts: Vec<Part>, proof: Proof) -> Draft {
        let cover = Cover::Later(self.ivs.clone().expect("phase 1 is through"));
        let parts = [vec![hash_part()], parts].concat();
        Draft { message_id, proof, cover, ..self.clear(exchange, parts) }
    }

    pub fn new_message_id(&mut self) -> u32 {
        self.next_message_id += 1;
        self.next_message_id
    }

    pub fn informational(&mut self, said: Part) -> Draft {
        let message_id = self.new_message_id();
        if self.ivs.is_some() {
            return self.later(exchange::INFORMATIONAL, message_id, vec![said], Proof::Following);
        }
        Draft { message_id, ..self.clear(exchange::INFORMATIONAL, vec![said]) }
    }

    pub fn notify(&mut self, kind: u16, data: &[u8]) -> Draft {
        let body = Notify::isakmp(kind, self.cookies.initiator, self.cookies.responder, data).write();
        self.informational(part(payload::NOTIFY, body))
    }

    pub fn config(&self, message_id: u32, kind: u8, attributes: Vec<Attribute>) -> Draft {
        let body = Config { kind, identifier: 7, attributes }.write();
        let parts = vec![part(payload::ATTRIBUTE, body)];
        self.later(exchange::TRANSACTION, message_id, parts, Proof::Following)
    }

    // ---- what the engine says

    /// Opens a protected message of the engine after phase 1.
    pub fn open(&mut self, bytes: &[u8]) -> (Header, Vec<(u8, Vec<u8>)>) {
        let (header, body) = Header::parse(bytes).unwrap();
        assert!(header.encrypted());
        let keys = self.keys.as_ref().expect("keys");
        let ivs = self.ivs.as_mut().expect("phase 1 is through");
        let decrypted = if header.exchange == exchange::INFORMATIONAL {
            ivs.decrypt_single(keys, header.message_id, body).unwrap()
        } else {
            let decrypted = ivs.decrypt(keys, header.message_id, body).unwrap();
            ivs.advance(header.message_id, &decrypted);
            decrypted
        };
        let chain = Chain::parse(header.first, &decrypted.plain).unwrap();
        (header, chain.payloads.iter().map(|payload| (payload.kind, payload.body.to_vec())).collect())
    }

    /// Opens the message of this exchange.
    pub fn open_only(&mut self, answers: &[Vec<u8>], exchange: u8) -> (Header, Vec<(u8, Vec<u8>)>) {
        let found = answers.iter().find(|bytes| bytes[18] == exchange);
        let found = found.unwrap_or_else(|| panic!("{}: {:?}", self.name, self.stage.done)).clone();
        self.open(&found)
    }

    /// Reads the only message, which is in clear.
    pub fn read(&mut self, answers: &[Vec<u8>]) -> (Header, Vec<(u8, Vec<u8>)>) {
        let bytes = answers.first().unwrap_or_else(|| panic!("{}: {:?}", self.name, self.stage.done));
        let (header, body) = Header::parse(bytes).unwrap();
        let chain = Chain::parse(header.first, body).unwrap();
        (header, chain.payloads.iter().map(|payload| (payload.kind, payload.body.to_vec())).collect())
    }

    // ---- keys

    /// SKEYID and the rest; from here on phase 1 can be protected.
    pub fn derive(
        &mut self,
        key: &[u8],
        ours: &DhPrivate,
        theirs: &[u8],
        nonces: (&[u8], &[u8]),
        initiator: bool,
    ) {
        let (public_i, public_r) = if initiator { (ours.public(), theirs) } else { (theirs, ours.public()) };
        let keys = Phase1Keys::derive(&KeyInput {
            hash: HashAlg::Sha1,
            cipher: IkeCipher::TripleDes,
            cookies: self.cookies,
            key: &Secret::new(key),
            nonce_i: nonces.0,
            nonce_r: nonces.1,
            public_i,
            public_r,
            shared: &ours.agree(theirs).unwrap(),
        });
        self.iv = Some(Phase1Iv::new(&keys));
        self.keys = Some(keys);
    }

    pub fn private(&mut self) -> DhPrivate {
        DhPrivate::generate(DhGroup::Modp1024, &mut self.random)
    }

    /// Decrypts the engine's message of phase 1.
    pub fn open_phase1(&mut self, bytes: &[u8]) {
        let (_, body) = Header::parse(bytes).unwrap();
        let (keys, iv) = (self.keys.as_ref().expect("keys"), self.iv.as_mut().expect("keys"));
        let decrypted = iv.decrypt(keys, body).unwrap();
        iv.advance(&decrypted);
    }

    /// Phase 1 is through.
    pub fn through(&mut self) {
        self.ivs = self.iv.take().map(Phase1Iv::finish);
    }

    /// NAT-D payloads that find no NAT.
    pub fn nat_d(&self) -> Vec<Part> {
        let ends = [
            SocketAddr::new(self.path.local, self.path.local_port),
            SocketAddr::new(self.path.remote, self.path.remote_port),
        ];
        ends.map(|end| part(payload::NAT_D, nat_d(HashAlg::Sha1, self.cookies, end).to_vec())).to_vec()
    }
}

/// The body of the first payload of a type.
pub fn body(payloads: &[(u8, Vec<u8>)], kind: u8) -> Vec<u8> {
    let found = payloads.iter().find(|(found, _)| *found == kind);
    found.unwrap_or_else(|| panic!("no payload of type {kind}")).1.clone()
}
