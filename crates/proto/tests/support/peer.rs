//! A peer that is not an engine: it knows the pre-shared key, so it can send anything to an engine,
//! well-formed or not. It talks to one engine only.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use hubward_crypto::dh::DhPrivate;
use hubward_crypto::digest::Digest;
use hubward_crypto::random::Random;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, HashAlg, IkeCipher};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Answer, AskId, Effect, Input, Question};
use hubward_proto::ike::natt::nat_d;
use hubward_proto::ike::v1::iv::{ExchangeIvs, Phase1Iv};
use hubward_proto::ike::v1::keys::{AuthInput, KeyInput, Phase1Keys};
use hubward_proto::ike::vendor::Vendor;
use hubward_proto::names::{InterfaceId, VrfId};
use hubward_proto::path::{Encapsulation, Path};
use hubward_proto::policy::ClientGroup;
use hubward_proto::time::{Instant, Now};
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Config, Proposal, Transform, write_sa};
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Chain, Cookie, FLAG_ENCRYPTION, Header, Writer};
use hubward_proto::wire::registry::{config, exchange, ike, payload, protocol};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// An engine, the time, and everything that the engine returned.
pub struct Bench {
    pub engine: Engine,
    pub now: Now,
    /// Messages since the last [`Bench::take`].
    pub sent: Vec<Vec<u8>>,
    /// Everything refused so far.
    pub refusals: Vec<Refusal>,
    /// Questions that wait for an answer.
    pub asked: Vec<(AskId, Question)>,
    /// Every effect and event in its `Debug` form, as a trace.
    pub trace: Vec<String>,
}

impl Bench {
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            now: Instant::ORIGIN + Duration::from_secs(1),
            sent: vec![],
            refusals: vec![],
            asked: vec![],
            trace: vec![],
        }
    }

    /// Passes a datagram to the engine; returns the immediate answers.
    pub fn datagram(&mut self, path: Path, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.input(Input::Datagram { path, bytes })
    }

    pub fn input(&mut self, input: Input<'_>) -> Vec<Vec<u8>> {
        self.engine.handle(self.now, input);
        self.drain();
        self.take()
    }

    /// Lets time pass, timer by timer.
    pub fn wait(&mut self, time: Duration) -> Vec<Vec<u8>> {
        let end = self.now + time;
        while let Some((at, _)) = self.engine.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self.take()
    }

    /// Handles the timers that are due, once.
    pub fn wait_once(&mut self) {
        self.engine.handle_timeout(self.now);
        self.drain();
    }

    pub fn take(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.sent)
    }

    fn drain(&mut self) {
        while let Some(effect) = self.engine.poll() {
            self.trace.push(format!("{effect:?}"));
            match effect {
                Effect::Transmit { bytes, .. } => self.sent.push(bytes),
                Effect::Ask { id, question } => self.asked.push((id, question)),
                Effect::Event(event) => {
                    if let EventKind::Refused(refusal) = event.kind {
                        self.refusals.push(refusal);
                    }
                }
                _ => {}
            }
        }
    }
}

/// A path from the engine's view.
pub fn path(local: IpAddr, remote: IpAddr, remote_port: u16) -> Path {
    Path {
        local,
        local_port: 500,
        remote,
        remote_port,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    }
}

/// 3DES, SHA-1, group 2, one day, as in the reference configurations.
pub fn phase1_transform(number: u8, method: u16) -> Transform {
    let attributes = vec![
        Attribute::short(ike::ENCRYPTION, 5),
        Attribute::short(ike::HASH, 2),
        Attribute::short(ike::AUTHENTICATION, method),
        Attribute::short(ike::GROUP, 2),
        Attribute::short(ike::LIFE_TYPE, 1),
        Attribute::number(ike::LIFE_DURATION, 86_400),
    ];
    Transform { number, id: ike::KEY_IKE, attributes }
}

/// The body of an SA payload that proposes it.
pub fn phase1_sa(method: u16) -> Vec<u8> {
    let transforms = vec![phase1_transform(1, method)];
    write_sa(&[Proposal { number: 1, protocol: protocol::ISAKMP, spi: vec![], transforms }])
}

/// A message in clear.
pub fn clear(cookies: Cookies, exchange: u8, writer: &Writer) -> Vec<u8> {
    let header = Header {
        initiator: cookies.initiator,
        responder: cookies.responder,
        first: writer.first(),
        exchange,
        flags: 0,
        message_id: 0,
    };
    header.write(&writer.bytes())
}

/// A peer with an ISAKMP SA.
pub struct Peer {
    pub path: Path,
    pub cookies: Cookies,
    pub keys: Phase1Keys,
    pub ivs: ExchangeIvs,
    pub random: Random,
}

impl Peer {
    /// Main mode as a spoke.
    pub fn main_mode(bench: &mut Bench, path: Path, key: &str, seed: u8) -> Self {
        Self::main_mode_as(bench, path, key, seed, &identity(path.remote), None)
    }

    /// Main mode as a spoke that answers R-U-THERE.
    pub fn with_dpd(bench: &mut Bench, path: Path, key: &str, seed: u8) -> Self {
        Self::main_mode_with(bench, path, key, seed, &identity(path.remote), None, &[Vendor::Dpd])
    }

    /// Main mode under any identity (an ID payload's body); with NAT-D payloads that claim
    /// `claimed` as the peer's address, and give the engine's real address.
    pub fn main_mode_as(
        bench: &mut Bench,
        path: Path,
        key: &str,
        seed: u8,
        identity: &[u8],
        claimed: Option<SocketAddr>,
    ) -> Self {
        Self::main_mode_with(bench, path, key, seed, identity, claimed, &[])
    }

    fn main_mode_with(
        bench: &mut Bench,
        path: Path,
        key: &str,
        seed: u8,
        identity: &[u8],
        claimed: Option<SocketAddr>,
        vendors: &[Vendor],
    ) -> Self {
        let mut random = Random::new([seed; 32]);
        let mut cookies = Cookies { initiator: Cookie(random.array()), responder: Cookie::ZERO };
        let sa = phase1_sa(ike::AUTH_PRESHARED);
        let mut writer = Writer::new();
        writer.push(payload::SA, sa.clone());
        if claimed.is_some() {
            writer.push(payload::VENDOR, Vendor::NatT.bytes());
        }
        for vendor in vendors {
            writer.push(payload::VENDOR, vendor.bytes());
        }
        let answer = bench.datagram(path, &clear(cookies, exchange::MAIN, &writer));
        let (header, _) = Header::parse(answer.first().expect("message 2")).unwrap();
        cookies.responder = header.responder;
        let private = DhPrivate::generate(DhGroup::Modp1024, &mut random);
        let nonce_i = random.array::<20>();
        let mut writer = Writer::new();
        writer.push(payload::KE, private.public()).push(payload::NONCE, nonce_i);
        if let Some(claimed) = claimed {
            for end in [SocketAddr::new(path.local, path.local_port), claimed] {
                writer.push(payload::NAT_D, nat_d(HashAlg::Sha1, cookies, end).to_vec());
            }
        }
        let answer = bench.datagram(path, &clear(cookies, exchange::MAIN, &writer));
        let (header, body) = Header::parse(answer.first().expect("message 4")).unwrap();
        let chain = Chain::parse(header.first, body).unwrap();
        let (public_r, nonce_r) = (chain.first(payload::KE).unwrap(), chain.first(payload::NONCE).unwrap());
        let keys = derive(cookies, key, &private, (&nonce_i, nonce_r), public_r);
        let hash = keys.auth_hash(&AuthInput {
            own_public: private.public(),
            other_public: public_r,
            own_cookie: cookies.initiator,
            other_cookie: cookies.responder,
            sa: &sa,
            identity,
        });
        let mut iv = Phase1Iv::new(&keys);
        let mut writer = Writer::new();
        writer.push(payload::ID, identity).push(payload::HASH, hash.to_vec());
        let sealed = iv.encrypt(&keys, writer.bytes());
        let message = Header {
            initiator: cookies.initiator,
            responder: cookies.responder,
            first: payload::ID,
            exchange: exchange::MAIN,
            flags: FLAG_ENCRYPTION,
            message_id: 0,
        };
        let answer = bench.datagram(path, &message.write(&sealed));
        let (_, body) = Header::parse(answer.first().expect("message 6")).unwrap();
        let decrypted = iv.decrypt(&keys, body).unwrap();
        iv.advance(&decrypted);
        Self { path, cookies, keys, ivs: iv.finish(), random }
    }

    /// Aggressive mode as a client of a group; the bench's authorization list knows `group`. Ends
    /// with the first Xauth request, whose message id is also returned.
    pub fn aggressive_mode(bench: &mut Bench, path: Path, group: &Arc<ClientGroup>, seed: u8) -> (Self, u32) {
        let mut random = Random::new([seed; 32]);
        let mut cookies = Cookies { initiator: Cookie(random.array()), responder: Cookie::ZERO };
        let sa = phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED);
        let private = DhPrivate::generate(DhGroup::Modp1024, &mut random);
        let nonce_i = random.array::<20>();
        let identity = [&[11, 17, 1, 244], group.name.as_bytes()].concat();
        let mut writer = Writer::new();
        writer
            .push(payload::SA, sa.clone())
            .push(payload::KE, private.public())
            .push(payload::NONCE, nonce_i)
            .push(payload::ID, identity.clone())
            .push(payload::VENDOR, Vendor::Dpd.bytes());
        bench.datagram(path, &clear(cookies, exchange::AGGRESSIVE, &writer));
        let (id, _) = bench.asked.pop().expect("the group is asked for");
        let answer = bench.input(Input::Answer { id, answer: Answer::Group(Some(Arc::clone(group))) });
        let (header, body) = Header::parse(answer.first().expect("message 2")).unwrap();
        cookies.responder = header.responder;
        let chain = Chain::parse(header.first, body).unwrap();
        let (public_r, nonce_r) = (chain.first(payload::KE).unwrap(), chain.first(payload::NONCE).unwrap());
        let key = String::from_utf8(group.key.expose().to_vec()).unwrap();
        let keys = derive(cookies, &key, &private, (&nonce_i, nonce_r), public_r);
        let hash = keys.auth_hash(&AuthInput {
            own_public: private.public(),
            other_public: public_r,
            own_cookie: cookies.initiator,
            other_cookie: cookies.responder,
            sa: &sa,
            identity: &identity,
        });
        let mut iv = Phase1Iv::new(&keys);
        let mut writer = Writer::new();
        writer.push(payload::HASH, hash.to_vec());
        let sealed = iv.encrypt(&keys, writer.bytes());
        let message = Header {
            initiator: cookies.initiator,
            responder: cookies.responder,
            first: payload::HASH,
            exchange: exchange::AGGRESSIVE,
            flags: FLAG_ENCRYPTION,
            message_id: 0,
        };
        let mut later = bench.datagram(path, &message.write(&sealed));
        let mut peer = Self { path, cookies, keys, ivs: iv.finish(), random };
        later.extend(bench.wait(Duration::from_millis(200)));
        let request = later.last().expect("an Xauth request");
        let (header, _) = peer.open(request);
        assert_eq!(header.exchange, exchange::TRANSACTION);
        (peer, header.message_id)
    }

    /// Aggressive mode as a client's gateway that knows the group's pre-shared key; the bench's
    /// client has just sent message 1.
    pub fn gateway(bench: &mut Bench, call: &[u8], path: Path, key: &str, seed: u8) -> Self {
        let mut random = Random::new([seed; 32]);
        let (header, body) = Header::parse(call).unwrap();
        let chain = Chain::parse(header.first, body).unwrap();
        let of = |kind| chain.first(kind).unwrap();
        let (sa, public_i, nonce_i) = (of(payload::SA), of(payload::KE), of(payload::NONCE));
        let cookies = Cookies { initiator: header.initiator, responder: Cookie(random.array()) };
        let private = DhPrivate::generate(DhGroup::Modp1024, &mut random);
        let nonce_r = random.array::<20>();
        let keys = Phase1Keys::derive(&KeyInput {
            hash: HashAlg::Sha1,
            cipher: IkeCipher::TripleDes,
            cookies,
            key: &Secret::new(key),
            nonce_i,
            nonce_r: &nonce_r,
            public_i,
            public_r: private.public(),
            shared: &private.agree(public_i).unwrap(),
        });
        let identity = identity(path.remote);
        let hash = keys.auth_hash(&AuthInput {
            own_public: private.public(),
            other_public: public_i,
            own_cookie: cookies.responder,
            other_cookie: cookies.initiator,
            sa,
            identity: &identity,
        });
        let mut writer = Writer::new();
        writer
            .push(payload::SA, sa)
            .push(payload::KE, private.public())
            .push(payload::NONCE, nonce_r)
            .push(payload::ID, identity)
            .push(payload::HASH, hash.to_vec());
        let answer = bench.datagram(path, &clear(cookies, exchange::AGGRESSIVE, &writer));
        let (_, body) = Header::parse(answer.first().expect("message 3")).unwrap();
        let mut iv = Phase1Iv::new(&keys);
        let decrypted = iv.decrypt(&keys, body).unwrap();
        iv.advance(&decrypted);
        Self { path, cookies, keys, ivs: iv.finish(), random }
    }

    /// Answers the Xauth request and the status; the bench's login list accepts any user.
    pub fn pass_xauth(&mut self, bench: &mut Bench, request: u32) {
        let attributes = vec![
            Attribute::long(config::XAUTH_USER_NAME, *b"user"),
            Attribute::long(config::XAUTH_USER_PASSWORD, *b"password"),
        ];
        let message = self.config(request, config::REPLY, attributes);
        bench.datagram(self.path, &message);
        let (id, _) = bench.asked.pop().expect("the login list is asked");
        let accepted = Answer::Accepted { user: "user".into() };
        let status = bench.input(Input::Answer { id, answer: accepted });
        let (header, _) = self.open(status.first().expect("a status"));
        let message = self.config(header.message_id, config::ACK, vec![]);
        bench.datagram(self.path, &message);
    }

    /// A complete quick mode for a network of the peer; its inbound SPI is 1000 plus the message
    /// id. `false`: no answer.
    pub fn quick_mode(&mut self, bench: &mut Bench, message_id: u32, own: [u8; 8], remote: [u8; 8]) -> bool {
        let nonce_i = [1; 20];
        let message =
            self.seal(exchange::QUICK, message_id, &quick_mode(1000 + message_id, &nonce_i, own, remote));
        let answers = bench.datagram(self.path, &message);
        let answers = answers.iter().map(|answer| self.open(answer)).collect::<Vec<_>>();
        let Some((header, plain)) = answers.iter().find(|(header, _)| header.exchange == exchange::QUICK)
        else {
            return false;
        };
        let chain = Chain::parse(header.first, plain).unwrap();
        let hash = self.keys.hash3(message_id, &nonce_i, chain.first(payload::NONCE).unwrap());
        let third = self.seal_with(exchange::QUICK, message_id, payload::NONE, &hash, &[]);
        bench.datagram(self.path, &third);
        true
    }

    /// A transaction message.
    pub fn config(&mut self, message_id: u32, kind: u8, attributes: Vec<Attribute>) -> Vec<u8> {
        let message = Config { kind, identifier: 1, attributes };
        let mut writer = Writer::new();
        writer.push(payload::ATTRIBUTE, message.write());
        self.seal(exchange::TRANSACTION, message_id, &writer)
    }

    /// Decrypts a message of the engine and moves its IV chain; returns header and plaintext.
    pub fn open(&mut self, bytes: &[u8]) -> (Header, Vec<u8>) {
        let (header, body) = Header::parse(bytes).unwrap();
        let decrypted = if header.exchange == exchange::INFORMATIONAL {
            self.ivs.decrypt_single(&self.keys, header.message_id, body).unwrap()
        } else {
            let decrypted = self.ivs.decrypt(&self.keys, header.message_id, body).unwrap();
            self.ivs.advance(header.message_id, &decrypted);
            decrypted
        };
        (header, decrypted.plain)
    }

    /// Seals payloads after the HASH(1) that belongs to them.
    pub fn seal(&mut self, exchange: u8, message_id: u32, writer: &Writer) -> Vec<u8> {
        let rest = writer.bytes();
        let hash = self.keys.hash1(message_id, &rest);
        self.seal_with(exchange, message_id, writer.first(), &hash, &rest)
    }

    /// Seals any bytes after a HASH payload.
    pub fn seal_with(
        &mut self,
        exchange: u8,
        message_id: u32,
        second: u8,
        hash: &Digest,
        rest: &[u8],
    ) -> Vec<u8> {
        let mut plain = vec![second, 0];
        plain.extend(u16::try_from(hash.len() + 4).unwrap().to_be_bytes());
        plain.extend_from_slice(hash);
        plain.extend(rest);
        self.seal_plain(exchange, message_id, payload::HASH, plain)
    }

    /// Seals any plaintext.
    pub fn seal_plain(&mut self, exchange: u8, message_id: u32, first: u8, plain: Vec<u8>) -> Vec<u8> {
        let body = if exchange == exchange::INFORMATIONAL {
            self.ivs.encrypt_single(&self.keys, message_id, plain)
        } else {
            self.ivs.encrypt(&self.keys, message_id, plain)
        };
        let header = Header {
            initiator: self.cookies.initiator,
            responder: self.cookies.responder,
            first,
            exchange,
            flags: FLAG_ENCRYPTION,
            message_id,
        };
        header.write(&body)
    }
}

fn derive(
    cookies: Cookies,
    key: &str,
    private: &DhPrivate,
    nonces: (&[u8], &[u8]),
    public_r: &[u8],
) -> Phase1Keys {
    Phase1Keys::derive(&KeyInput {
        hash: HashAlg::Sha1,
        cipher: IkeCipher::TripleDes,
        cookies,
        key: &Secret::new(key),
        nonce_i: nonces.0,
        nonce_r: nonces.1,
        public_i: private.public(),
        public_r,
        shared: &private.agree(public_r).unwrap(),
    })
}

fn identity(address: IpAddr) -> Vec<u8> {
    let IpAddr::V4(address) = address else { panic!("an IPv4 peer") };
    [&[1, 17, 1, 244], &address.octets()[..]].concat()
}

/// The proposal of quick mode: ESP with 3DES and SHA-1 in tunnel mode.
pub fn phase2_transform(number: u8) -> Transform {
    let attributes = vec![
        Attribute::short(1, 1),
        Attribute::short(2, 3600),
        Attribute::short(4, 1),
        Attribute::short(5, 2),
    ];
    Transform { number, id: 3, attributes }
}

/// The payloads of quick mode's first message after the HASH payload.
pub fn quick_mode(spi: u32, nonce: &[u8], local: [u8; 8], remote: [u8; 8]) -> Writer {
    let transforms = vec![phase2_transform(1)];
    let sa = write_sa(&[Proposal {
        number: 1,
        protocol: protocol::ESP,
        spi: spi.to_be_bytes().to_vec(),
        transforms,
    }]);
    let mut writer = Writer::new();
    writer
        .push(payload::SA, sa)
        .push(payload::NONCE, nonce)
        .push(payload::ID, [&[4, 0, 0, 0], &local[..]].concat())
        .push(payload::ID, [&[4, 0, 0, 0], &remote[..]].concat());
    writer
}
