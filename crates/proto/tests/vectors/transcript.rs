//! Follows the recorded messages of one ISAKMP SA: decrypts them with the IV chains, checks their
//! hashes, reads them, and encrypts them again.

use crate::packets::Datagram;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{HashAlg, IkeCipher};
use hubward_proto::ike::v1::iv::{Decrypted, ExchangeIvs, Phase1Iv};
use hubward_proto::ike::v1::keys::{AuthInput, KeyInput, Phase1Keys};
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::parse_sa;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Chain, Cookie, Header};
use hubward_proto::wire::registry::{exchange, ike, payload};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A message of the SA, as recorded.
pub(crate) struct Recorded {
    pub(crate) header: Header,
    pub(crate) from_initiator: bool,
    /// What follows the header.
    body: Vec<u8>,
}

/// The messages of one ISAKMP SA without repetitions, and the algorithms agreed in phase 1.
pub(crate) struct Session {
    pub(crate) cookies: Cookies,
    pub(crate) messages: Vec<Recorded>,
    pub(crate) hash: HashAlg,
    pub(crate) cipher: IkeCipher,
    sa: Vec<u8>,
    nonces: [Vec<u8>; 2],
    publics: [Vec<u8>; 2],
    identities: [Option<Vec<u8>>; 2],
}

/// A message that was decrypted and accepted.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) header: Header,
    pub(crate) from_initiator: bool,
    /// Payloads and padding.
    pub(crate) plain: Vec<u8>,
    pub(crate) payloads: Vec<(u8, Vec<u8>)>,
}

impl Opened {
    pub(crate) fn first(&self, kind: u8) -> Option<&[u8]> {
        self.payloads.iter().find(|(other, _)| *other == kind).map(|(_, body)| body.as_slice())
    }
}

/// Whether the transcript's SKEYIDs are known, so that hashes can be checked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hashes {
    Check,
    Unknown,
}

impl Session {
    /// Gathers the messages of an SA. `None` if its phase 1 is incomplete.
    pub(crate) fn gather(datagrams: &[Datagram], cookies: Cookies) -> Option<Self> {
        let mut messages: Vec<Recorded> = Vec::new();
        let mut seen: Vec<(Ipv4Addr, &[u8])> = Vec::new();
        let mut initiator = None;
        for datagram in datagrams {
            let Some((bytes, (header, body))) =
                datagram.ike().and_then(|bytes| Some((bytes, Header::parse(bytes).ok()?)))
            else {
                continue;
            };
            let ours = header.initiator == cookies.initiator
                && [Cookie::ZERO, cookies.responder].contains(&header.responder);
            if !ours || seen.contains(&(datagram.source.0, bytes)) {
                continue;
            }
            seen.push((datagram.source.0, bytes));
            // only addresses distinguish the sides, because ports change with NAT traversal
            let initiator = *initiator.get_or_insert(datagram.source.0);
            let from_initiator = datagram.source.0 == initiator;
            messages.push(Recorded { header, from_initiator, body: body.to_vec() });
        }
        let body = |from_initiator: bool, kind: u8| -> Option<Vec<u8>> {
            messages
                .iter()
                .filter(|message| message.from_initiator == from_initiator && !message.header.encrypted())
                .filter(|message| [exchange::MAIN, exchange::AGGRESSIVE].contains(&message.header.exchange))
                .find_map(|message| {
                    Chain::parse(message.header.first, &message.body).ok()?.first(kind).map(<[u8]>::to_vec)
                })
        };
        let (hash, cipher) = agreed(&body(false, payload::SA)?)?;
        Some(Self {
            cookies,
            hash,
            cipher,
            sa: body(true, payload::SA)?,
            nonces: [body(true, payload::NONCE)?, body(false, payload::NONCE)?],
            publics: [body(true, payload::KE)?, body(false, payload::KE)?],
            identities: [body(true, payload::ID), body(false, payload::ID)],
            messages,
        })
    }

    /// The keys derived from a pre-shared key and a Diffie-Hellman secret.
    pub(crate) fn keys(&self, key: &str, shared: &[u8]) -> Phase1Keys {
        // a secret is as long as the group, but logs may omit leading zeros
        let mut padded = vec![0; self.publics[0].len() - shared.len()];
        padded.extend(shared);
        Phase1Keys::derive(&KeyInput {
            hash: self.hash,
            cipher: self.cipher,
            cookies: self.cookies,
            key: &Secret::new(key),
            nonce_i: &self.nonces[0],
            nonce_r: &self.nonces[1],
            public_i: &self.publics[0],
            public_r: &self.publics[1],
            shared: &Secret::new(padded),
        })
    }

    /// Reads every encrypted message; with `Hashes::Check`, also the hash that aggressive mode
    /// sends in clear. A message that is not genuine does not move a chain.
    pub(crate) fn open(&self, keys: &Phase1Keys, hashes: Hashes) -> Vec<Result<Opened, String>> {
        let mut reader = SessionReader {
            session: self,
            keys,
            hashes,
            identities: self.identities.clone(),
            exchanges: BTreeMap::new(),
        };
        let mut phase1 = Phase1Iv::new(keys);
        let mut later: Option<ExchangeIvs> = None;
        let mut opened = Vec::new();
        for message in &self.messages {
            let (header, body) = (message.header, &message.body);
            if !header.encrypted() {
                let chain = Chain::parse(header.first, body).unwrap();
                // only aggressive mode has a HASH payload in clear
                if chain.first(payload::HASH).is_some() {
                    reader.verify(message, body, &chain).unwrap_or_else(|error| panic!("in clear: {error}"));
                }
                continue;
            }
            let again;
            let decrypted;
            match (header.exchange, &mut later) {
                (exchange::MAIN | exchange::AGGRESSIVE, None) => {
                    decrypted = phase1.decrypt(keys, body).unwrap();
                    again = phase1.clone().encrypt(keys, decrypted.plain.clone());
                }
                (exchange::INFORMATIONAL, later) => {
                    let ivs = later.get_or_insert_with(|| phase1.clone().finish());
                    decrypted = ivs.decrypt_single(keys, header.message_id, body).unwrap();
                    again = ivs.encrypt_single(keys, header.message_id, decrypted.plain.clone());
                }
                (_, later) => {
                    let ivs = later.get_or_insert_with(|| phase1.clone().finish());
                    decrypted = ivs.decrypt(keys, header.message_id, body).unwrap();
                    again = ivs.clone().encrypt(keys, header.message_id, decrypted.plain.clone());
                }
            }
            assert_eq!(&again, body, "encrypted again, {header} is another message");
            let result = reader.accept(message, &decrypted);
            if result.is_ok() {
                match &mut later {
                    None => phase1.advance(&decrypted),
                    Some(ivs) if header.exchange != exchange::INFORMATIONAL => {
                        ivs.advance(header.message_id, &decrypted);
                    }
                    Some(_) => {}
                }
            }
            opened.push(result.map_err(|error| format!("{header}: {error}")));
        }
        opened
    }
}

/// An exchange after phase 1: its messages so far, and its nonces.
#[derive(Default)]
struct Exchange {
    messages: usize,
    nonces: Vec<Vec<u8>>,
}

struct SessionReader<'a> {
    session: &'a Session,
    keys: &'a Phase1Keys,
    hashes: Hashes,
    identities: [Option<Vec<u8>>; 2],
    exchanges: BTreeMap<u32, Exchange>,
}

impl SessionReader<'_> {
    fn accept(&mut self, message: &Recorded, decrypted: &Decrypted) -> Result<Opened, String> {
        let chain =
            Chain::parse(message.header.first, &decrypted.plain).map_err(|error| error.to_string())?;
        self.verify(message, &decrypted.plain, &chain)?;
        Ok(Opened {
            header: message.header,
            from_initiator: message.from_initiator,
            payloads: chain.payloads.iter().map(|payload| (payload.kind, payload.body.to_vec())).collect(),
            plain: decrypted.plain.clone(),
        })
    }

    /// Checks a message's HASH payload by the rule of its exchange.
    fn verify(&mut self, message: &Recorded, plain: &[u8], chain: &Chain<'_>) -> Result<(), String> {
        if self.hashes == Hashes::Unknown {
            return Ok(());
        }
        let theirs = chain.first(payload::HASH).ok_or("no HASH payload")?;
        let id = message.header.message_id;
        if [exchange::MAIN, exchange::AGGRESSIVE].contains(&message.header.exchange) {
            let cookies = self.session.cookies;
            let sides = [cookies.initiator, cookies.responder];
            let (own, other) = if message.from_initiator { (0, 1) } else { (1, 0) };
            if let Some(identity) = chain.first(payload::ID) {
                self.identities[own] = Some(identity.to_vec());
            }
            let auth = AuthInput {
                own_public: &self.session.publics[own],
                other_public: &self.session.publics[other],
                own_cookie: sides[own],
                other_cookie: sides[other],
                sa: &self.session.sa,
                identity: self.identities[own].as_deref().ok_or("no identity")?,
            };
            let proven = *self.keys.auth_hash(&auth) == *theirs;
            return if proven { Ok(()) } else { Err("the HASH payload does not verify".to_owned()) };
        }
        if chain.payloads[0].kind != payload::HASH {
            return Err("the HASH payload is not the first".to_owned());
        }
        let rest = &plain[theirs.len() + 4..chain.length];
        let exchange = self.exchanges.entry(id).or_default();
        let ours = match (message.header.exchange, exchange.messages, exchange.nonces.as_slice()) {
            (exchange::QUICK, 1, [initiator]) => self.keys.hash2(id, initiator, rest),
            (exchange::QUICK, 2, [initiator, responder]) => self.keys.hash3(id, initiator, responder),
            _ => self.keys.hash1(id, rest),
        };
        self.keys.verify(&ours, theirs).map_err(|error| error.to_string())?;
        exchange.messages += 1;
        exchange.nonces.extend(chain.first(payload::NONCE).map(<[u8]>::to_vec));
        Ok(())
    }
}

/// Hash and cipher of the responder's SA payload, by their numbers in RFC 2409 appendix A.
fn agreed(sa: &[u8]) -> Option<(HashAlg, IkeCipher)> {
    let proposals = parse_sa(sa).ok()?;
    let attributes = &proposals.first()?.transforms.first()?.attributes;
    let value =
        |kind: u16| attributes.iter().find(|attribute| attribute.kind == kind).and_then(Attribute::as_number);
    let hash = match value(ike::HASH)? {
        1 => HashAlg::Md5,
        2 => HashAlg::Sha1,
        4 => HashAlg::Sha256,
        5 => HashAlg::Sha384,
        6 => HashAlg::Sha512,
        _ => return None,
    };
    let cipher = match (value(ike::ENCRYPTION)?, value(ike::KEY_LENGTH)) {
        (1, _) => IkeCipher::Des,
        (5, _) => IkeCipher::TripleDes,
        (7, Some(128)) => IkeCipher::Aes128,
        (7, Some(192)) => IkeCipher::Aes192,
        (7, Some(256)) => IkeCipher::Aes256,
        _ => return None,
    };
    Some((hash, cipher))
}
