//! The reference document's two peers, byte for byte as far as its debug output shows them: an IOS
//! spoke that initiates main mode, and Cisco's VPN client 4.0. They talk to any hub: an engine in
//! this process, or one behind a socket.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use hubward_crypto::dh::DhPrivate;
use hubward_crypto::random::Random;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, HashAlg, IkeCipher};
use hubward_proto::ike::natt::nat_d;
use hubward_proto::ike::v1::iv::{ExchangeIvs, Phase1Iv};
use hubward_proto::ike::v1::keys::{AuthInput, KeyInput, Phase1Keys};
use hubward_proto::ike::vendor::Vendor;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Config, Notify, Proposal, Transform, parse_sa, write_sa};
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Chain, Cookie, FLAG_ENCRYPTION, Header, Writer};
use hubward_proto::wire::registry::{config, exchange, ike, notify, payload, protocol};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The hub from a peer's point of view.
pub trait Hub {
    /// Sends a message to the hub, and returns its answers, of which there is at least one.
    fn say(&mut self, message: &[u8]) -> Vec<Vec<u8>>;
    /// Sends a message that the hub does not answer.
    fn tell(&mut self, message: &[u8]);
    /// Returns what the hub sends by itself within a short time.
    fn listen(&mut self) -> Vec<Vec<u8>>;
}

/// A peer that talks to the hub.
pub struct Speaker<'h> {
    pub hub: &'h mut dyn Hub,
    own: Ipv4Addr,
    other: Ipv4Addr,
    cookies: Cookies,
    random: Random,
}

/// What both phases need.
struct Session {
    keys: Phase1Keys,
    ivs: ExchangeIvs,
}

fn life(seconds: [u8; 4]) -> [Attribute; 2] {
    [Attribute::short(ike::LIFE_TYPE, 1), Attribute::long(ike::LIFE_DURATION, seconds)]
}

fn phase1(number: u8, cipher: u16, bits: Option<u16>, hash: u16, method: u16, seconds: [u8; 4]) -> Transform {
    let mut attributes = vec![
        Attribute::short(ike::ENCRYPTION, cipher),
        Attribute::short(ike::HASH, hash),
        Attribute::short(ike::GROUP, 2),
        Attribute::short(ike::AUTHENTICATION, method),
    ];
    attributes.extend(life(seconds));
    attributes.extend(bits.map(|bits| Attribute::short(ike::KEY_LENGTH, bits)));
    Transform { number, id: ike::KEY_IKE, attributes }
}

fn sa(transforms: Vec<Transform>) -> Vec<u8> {
    write_sa(&[Proposal { number: 1, protocol: protocol::ISAKMP, spi: vec![], transforms }])
}

/// The lifetime that Cisco's client proposes in phases 1 and 2: 2147483 seconds.
const CLIENT_LIFE: [u8; 4] = [0x00, 0x20, 0xc4, 0x9b];

/// The fourteen transforms of Cisco's client; the ninth is the first that the document's policy
/// accepts.
fn client_transforms() -> Vec<Transform> {
    let kinds = [
        (7, Some(256), 2, 65001),
        (7, Some(256), 1, 65001),
        (7, Some(256), 2, 1),
        (7, Some(256), 1, 1),
        (7, Some(128), 2, 65001),
        (7, Some(128), 1, 65001),
        (7, Some(128), 2, 1),
        (7, Some(128), 1, 1),
        (5, None, 2, 65001),
        (5, None, 1, 65001),
        (5, None, 2, 1),
        (5, None, 1, 1),
        (1, None, 1, 65001),
        (1, None, 1, 1),
    ];
    let number =
        |(number, (cipher, bits, hash, method))| phase1(number, cipher, bits, hash, method, CLIENT_LIFE);
    (1..).zip(kinds).map(number).collect()
}

/// The proposals of Cisco's client for phase 2, with and without compression; the twelfth is 3DES
/// and SHA without it.
fn client_proposals(spi: u32) -> Vec<Proposal> {
    let kinds = [
        (12, Some(256), 1, true),
        (12, Some(256), 2, true),
        (12, Some(128), 1, true),
        (12, Some(128), 2, true),
        (12, Some(256), 1, false),
        (12, Some(256), 2, false),
        (12, Some(128), 1, false),
        (12, Some(128), 2, false),
        (3, None, 1, true),
        (3, None, 2, true),
        (3, None, 1, false),
        (3, None, 2, false),
        (2, None, 1, true),
        (2, None, 1, false),
        (11, None, 1, false),
        (11, None, 2, false),
    ];
    let mut out = Vec::new();
    for (number, (id, bits, auth, compressed)) in (1..).zip(kinds) {
        let mut attributes = vec![
            Attribute::short(5, auth),
            Attribute::short(4, 1),
            Attribute::short(1, 1),
            Attribute::long(2, CLIENT_LIFE),
        ];
        attributes.extend(bits.map(|bits| Attribute::short(6, bits)));
        let transforms = vec![Transform { number: 1, id, attributes }];
        out.push(Proposal { number, protocol: protocol::ESP, spi: spi.to_be_bytes().to_vec(), transforms });
        if compressed {
            let attributes =
                vec![Attribute::short(4, 1), Attribute::short(1, 1), Attribute::long(2, CLIENT_LIFE)];
            let transforms = vec![Transform { number: 1, id: 3, attributes }];
            out.push(Proposal { number, protocol: 4, spi: vec![0x12, 0x34], transforms });
        }
    }
    out
}

fn address_id(address: Ipv4Addr, port: u16) -> Vec<u8> {
    [&[1, 17][..], &port.to_be_bytes(), &address.octets()].concat()
}

impl<'h> Speaker<'h> {
    pub fn new(hub: &'h mut dyn Hub, own: Ipv4Addr, other: Ipv4Addr, seed: [u8; 32]) -> Self {
        let mut random = Random::new(seed);
        let cookies = Cookies { initiator: Cookie(random.array()), responder: Cookie::ZERO };
        Self { hub, own, other, cookies, random }
    }

    fn header(&self, exchange: u8, first: u8, message_id: u32, flags: u8) -> Header {
        let (initiator, responder) = (self.cookies.initiator, self.cookies.responder);
        Header { initiator, responder, first, exchange, flags, message_id }
    }

    fn clear(&mut self, exchange: u8, writer: &Writer) -> Vec<u8> {
        let message = self.header(exchange, writer.first(), 0, 0).write(&writer.bytes());
        let answer = self.hub.say(&message).into_iter().next().expect("an answer");
        let (header, _) = Header::parse(&answer).unwrap();
        self.cookies.responder = header.responder;
        answer
    }

    fn keys(&self, key: &str, private: &DhPrivate, nonces: (&[u8], &[u8]), public_r: &[u8]) -> Phase1Keys {
        Phase1Keys::derive(&KeyInput {
            hash: HashAlg::Sha1,
            cipher: IkeCipher::TripleDes,
            cookies: self.cookies,
            key: &Secret::new(key),
            nonce_i: nonces.0,
            nonce_r: nonces.1,
            public_i: private.public(),
            public_r,
            shared: &private.agree(public_r).unwrap(),
        })
    }

    fn hash(
        &self,
        keys: &Phase1Keys,
        private: &DhPrivate,
        public_r: &[u8],
        sa: &[u8],
        identity: &[u8],
    ) -> Vec<u8> {
        let input = AuthInput {
            own_public: private.public(),
            other_public: public_r,
            own_cookie: self.cookies.initiator,
            other_cookie: self.cookies.responder,
            sa,
            identity,
        };
        keys.auth_hash(&input).to_vec()
    }

    /// Main mode as an IOS spoke, then a quick mode between its network and the hub's.
    pub fn spoke(mut self, key: &str) {
        let offered = sa(vec![phase1(1, 5, None, 2, 1, [0x00, 0x01, 0x51, 0x80])]);
        let mut writer = Writer::new();
        writer.push(payload::SA, offered.clone());
        self.clear(exchange::MAIN, &writer);
        let private = DhPrivate::generate(DhGroup::Modp1024, &mut self.random);
        let nonce = self.random.array::<20>();
        // identifies IOS to IOS: 16 bytes, partly different each time
        let ios: [u8; 12] = self.random.array();
        let ios = [&[0x3e, 0x98, 0x40, 0x48][..], &ios].concat();
        let mut writer = Writer::new();
        writer.push(payload::KE, private.public()).push(payload::NONCE, nonce).push(payload::VENDOR, ios);
        let answer = self.clear(exchange::MAIN, &writer);
        let (header, body) = Header::parse(&answer).unwrap();
        let chain = Chain::parse(header.first, body).unwrap();
        let (public_r, nonce_r) = (chain.first(payload::KE).unwrap(), chain.first(payload::NONCE).unwrap());
        let keys = self.keys(key, &private, (&nonce, nonce_r), public_r);
        let identity = address_id(self.own, 500);
        let hash = self.hash(&keys, &private, public_r, &offered, &identity);
        let mut iv = Phase1Iv::new(&keys);
        let mut writer = Writer::new();
        writer.push(payload::ID, identity).push(payload::HASH, hash);
        let sealed = iv.encrypt(&keys, writer.bytes());
        let message = self.header(exchange::MAIN, payload::ID, 0, FLAG_ENCRYPTION).write(&sealed);
        let answer = self.hub.say(&message).into_iter().next().expect("message 6");
        let (_, body) = Header::parse(&answer).unwrap();
        let decrypted = iv.decrypt(&keys, body).unwrap();
        iv.advance(&decrypted);
        let mut session = Session { keys, ivs: iv.finish() };
        let attributes = vec![
            Attribute::short(4, 1),
            Attribute::short(1, 1),
            Attribute::short(2, 3600),
            Attribute::short(1, 2),
            Attribute::long(2, [0x00, 0x46, 0x50, 0x00]),
            Attribute::short(5, 2),
        ];
        let transforms = vec![Transform { number: 1, id: 3, attributes }];
        let spi = 0x68bc_0109_u32.to_be_bytes().to_vec();
        let proposals = vec![Proposal { number: 1, protocol: protocol::ESP, spi, transforms }];
        let networks = [[10, 2, 0, 0, 255, 255, 0, 0], [10, 1, 0, 0, 255, 255, 0, 0]];
        self.quick(
            &mut session,
            &proposals,
            1,
            &networks.map(|network| [&[4, 0, 0, 0][..], &network].concat()),
        );
    }

    fn seal(&self, session: &mut Session, exchange: u8, message_id: u32, writer: &Writer) -> Vec<u8> {
        let rest = writer.bytes();
        let hash = session.keys.hash1(message_id, &rest);
        self.sealed(session, exchange, message_id, writer.first(), &hash, &rest)
    }

    fn sealed(
        &self,
        session: &mut Session,
        exchange: u8,
        message_id: u32,
        second: u8,
        hash: &[u8],
        rest: &[u8],
    ) -> Vec<u8> {
        let length = u16::try_from(hash.len() + 4).unwrap().to_be_bytes();
        let plain = [&[second, 0][..], &length, hash, rest].concat();
        let body = session.ivs.encrypt(&session.keys, message_id, plain);
        self.header(exchange, payload::HASH, message_id, FLAG_ENCRYPTION).write(&body)
    }

    fn open(session: &mut Session, bytes: &[u8]) -> (Header, Vec<u8>) {
        let (header, body) = Header::parse(bytes).unwrap();
        if header.exchange == exchange::INFORMATIONAL {
            let plain = session.ivs.decrypt_single(&session.keys, header.message_id, body).unwrap().plain;
            return (header, plain);
        }
        let decrypted = session.ivs.decrypt(&session.keys, header.message_id, body).unwrap();
        session.ivs.advance(header.message_id, &decrypted);
        (header, decrypted.plain)
    }

    fn quick(&mut self, session: &mut Session, proposals: &[Proposal], taken: u8, ids: &[Vec<u8>; 2]) {
        let message_id = self.random.u32() | 1;
        let nonce = self.random.array::<20>();
        let mut writer = Writer::new();
        writer
            .push(payload::SA, write_sa(proposals))
            .push(payload::NONCE, nonce)
            .push(payload::ID, ids[0].clone())
            .push(payload::ID, ids[1].clone());
        let first = self.seal(session, exchange::QUICK, message_id, &writer);
        let answers = self.hub.say(&first);
        let second =
            answers.iter().find(|bytes| bytes[18] == exchange::QUICK).expect("message 2 of quick mode");
        let (header, plain) = Self::open(session, second);
        let chain = Chain::parse(header.first, &plain).unwrap();
        let chosen = parse_sa(chain.first(payload::SA).unwrap()).unwrap();
        assert_eq!(chosen[0].number, taken);
        let hash = session.keys.hash3(message_id, &nonce, chain.first(payload::NONCE).unwrap());
        let third = self.sealed(session, exchange::QUICK, message_id, payload::NONE, &hash, &[]);
        self.hub.tell(&third);
    }

    /// Aggressive mode as Cisco's client of a group, Xauth, mode-config, then a quick mode for
    /// everything.
    pub fn client(mut self, group: &str, key: &str, user: &str, password: &str) {
        let offered = sa(client_transforms());
        let private = DhPrivate::generate(DhGroup::Modp1024, &mut self.random);
        let nonce = self.random.array::<20>();
        let identity = [&[11, 17, 1, 244], group.as_bytes()].concat();
        let mut writer = Writer::new();
        writer
            .push(payload::SA, offered.clone())
            .push(payload::KE, private.public())
            .push(payload::NONCE, nonce)
            .push(payload::ID, identity.clone());
        for vendor in
            [Vendor::Xauth, Vendor::Dpd, Vendor::NatTDraft2Newline, Vendor::Fragmentation, Vendor::Unity]
        {
            writer.push(payload::VENDOR, vendor.bytes());
        }
        let answer = self.clear(exchange::AGGRESSIVE, &writer);
        let (header, body) = Header::parse(&answer).unwrap();
        let chain = Chain::parse(header.first, body).unwrap();
        let (public_r, nonce_r) = (chain.first(payload::KE).unwrap(), chain.first(payload::NONCE).unwrap());
        let keys = self.keys(key, &private, (&nonce, nonce_r), public_r);
        let hash = self.hash(&keys, &private, public_r, &offered, &identity);
        let contact =
            Notify::isakmp(notify::INITIAL_CONTACT, self.cookies.initiator, self.cookies.responder, []);
        let end = |address: Ipv4Addr| {
            nat_d(HashAlg::Sha1, self.cookies, SocketAddr::new(IpAddr::V4(address), 500)).to_vec()
        };
        let mut writer = Writer::new();
        writer
            .push(payload::HASH, hash)
            .push(payload::NOTIFY, contact.write())
            .push(payload::NAT_D_DRAFT, end(self.other))
            .push(payload::NAT_D_DRAFT, end(self.own));
        let mut iv = Phase1Iv::new(&keys);
        let sealed = iv.encrypt(&keys, writer.bytes());
        let third = self.header(exchange::AGGRESSIVE, payload::HASH, 0, FLAG_ENCRYPTION).write(&sealed);
        let mut said = self.hub.say(&third);
        let mut session = Session { keys, ivs: iv.finish() };
        let is_transaction = |bytes: &&Vec<u8>| bytes[18] == exchange::TRANSACTION;
        while !said.iter().any(|bytes| is_transaction(&bytes)) {
            said = self.hub.listen();
        }
        let request = said.iter().find(is_transaction).unwrap();
        let (header, _) = Self::open(&mut session, request);
        let attributes = vec![
            Attribute::long(config::XAUTH_USER_NAME, user.as_bytes()),
            Attribute::long(config::XAUTH_USER_PASSWORD, password.as_bytes()),
        ];
        let reply = self.config(&mut session, header.message_id, config::REPLY, attributes);
        let mut said = self.hub.say(&reply);
        // the list may be slow
        while !said.iter().any(|bytes| is_transaction(&bytes)) {
            said = self.hub.listen();
        }
        let (header, _) = Self::open(&mut session, said.iter().find(is_transaction).unwrap());
        let status = vec![Attribute::short(config::XAUTH_STATUS, 1)];
        let ack = self.config(&mut session, header.message_id, config::ACK, status);
        self.hub.tell(&ack);
        let asked = [
            1, 2, 3, 4, 5, 0x7000, 0x7001, 0x7002, 0x7004, 0x7003, 0x7007, 0x7009, 7, 0x7008, 0x700a, 0x7005,
        ];
        let attributes = asked.into_iter().map(|kind| Attribute::long(kind, [])).collect();
        let message_id = self.random.u32() | 1;
        let request = self.config(&mut session, message_id, config::REQUEST, attributes);
        let said = self.hub.say(&request);
        let (header, plain) = Self::open(&mut session, said.iter().find(is_transaction).expect("a reply"));
        let chain = Chain::parse(header.first, &plain).unwrap();
        let given = Config::parse(chain.first(payload::ATTRIBUTE).unwrap()).unwrap();
        let address: [u8; 4] = given.get(config::ADDRESS).unwrap().bytes().try_into().unwrap();
        let ids = [[&[1, 0, 0, 0][..], &address].concat(), vec![4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]];
        self.quick(&mut session, &client_proposals(0xb0c0_f4ac), 12, &ids);
    }

    fn config(
        &self,
        session: &mut Session,
        message_id: u32,
        kind: u8,
        attributes: Vec<Attribute>,
    ) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.push(payload::ATTRIBUTE, Config { kind, identifier: 1, attributes }.write());
        self.seal(session, exchange::TRANSACTION, message_id, &writer)
    }
}
