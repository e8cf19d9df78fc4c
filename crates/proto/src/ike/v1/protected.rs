//! Messages after phase 1: encrypted, and authenticated by a HASH payload, which is the first. The
//! order is always: decrypt, check the hash in constant time, parse, act.

use crate::ike::explain::Refusal;
use crate::ike::v1::iv::Decrypted;
use crate::ike::v1::keys::{Phase1Keys, Verified};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Answer, IsakmpSa};
use crate::limits;
use crate::wire::ike1::{Delete, Notify};
use crate::wire::isakmp::{Chain, FLAG_ENCRYPTION, Header, Writer};
use crate::wire::registry::{exchange, payload};
use hubward_crypto::digest::Digest;

/// The payloads of a protected message after its verified HASH payload.
pub(crate) struct Opened<'a> {
    pub(crate) chain: Chain<'a>,
    pub(crate) _verified: Verified,
}

/// Parses a decrypted message and checks its hash, which `expected` computes from the bytes after
/// the HASH payload.
pub(crate) fn open<'a>(
    keys: &Phase1Keys,
    first: u8,
    decrypted: &'a Decrypted,
    expected: impl FnOnce(&[u8]) -> Digest,
) -> Result<Opened<'a>, Refusal> {
    if first != payload::HASH {
        return Err(Refusal::Hash);
    }
    // a wrong key or IV gives garbage, which is a broken chain: it is reported like a hash that
    // does not verify
    let mut chain = Chain::parse(first, &decrypted.plain).map_err(|_| Refusal::Hash)?;
    let hash = chain.payloads.first().ok_or(Refusal::Hash)?.body;
    let rest = decrypted.plain.get(hash.len() + 4..chain.length).ok_or(Refusal::Hash)?;
    let verified = keys.verify(&expected(rest), hash).map_err(|_| Refusal::Hash)?;
    chain.payloads.remove(0);
    Ok(Opened { chain, _verified: verified })
}

/// The payloads of our message with the HASH payload first.
pub(crate) fn with_hash(writer: &Writer, hash: impl FnOnce(&[u8]) -> Digest) -> Vec<u8> {
    let rest = writer.bytes();
    let digest = hash(&rest);
    let mut out = Vec::with_capacity(rest.len() + digest.len() + 4);
    out.extend([writer.first(), 0]);
    out.extend(crate::wire::reader::len16(digest.len() + 4).to_be_bytes());
    out.extend_from_slice(&digest);
    out.extend(rest);
    out
}

impl V1<'_> {
    /// The header of a protected message.
    pub(crate) fn protected_header(sa: &IsakmpSa, exchange: u8, message_id: u32) -> Header {
        Header {
            initiator: sa.cookies.initiator,
            responder: sa.cookies.responder,
            first: payload::HASH,
            exchange,
            flags: FLAG_ENCRYPTION,
            message_id,
        }
    }

    /// Encrypts a message of an exchange under its chain.
    pub(crate) fn seal_exchange(
        sa: &mut IsakmpSa,
        exchange: u8,
        message_id: u32,
        plain: Vec<u8>,
    ) -> Option<Vec<u8>> {
        let header = Self::protected_header(sa, exchange, message_id);
        let established = sa.established_mut()?;
        let body = established.ivs.encrypt(&established.keys, message_id, plain);
        Some(header.write(&body))
    }

    /// Sends a notification or a delete as a separate informational exchange.
    pub(crate) fn send_informational(&mut self, sa: &IsakmpSa, kind: u8, body: Vec<u8>) -> Answer {
        let established = sa.established()?;
        let message_id = self.cx.new_message_id(|id| established.is_in_use(id));
        let own = self.own.own_informationals.entry(sa.id).or_default();
        own.push_back(message_id);
        if own.len() > limits::OWN_INFORMATIONALS {
            own.pop_front();
        }
        let mut writer = Writer::new();
        writer.push(kind, body);
        let plain = with_hash(&writer, |rest| established.keys.hash1(message_id, rest));
        let body = established.ivs.encrypt_single(&established.keys, message_id, plain);
        let header = Self::protected_header(sa, exchange::INFORMATIONAL, message_id);
        let bytes = header.write(&body);
        self.trace_informational_sent(sa, message_id);
        self.cx.out.transmit(sa.path, bytes.clone());
        Some((sa.path, bytes))
    }

    /// Sends a protected notification, and returns it for repetitions.
    pub(crate) fn notify(&mut self, sa: &IsakmpSa, notify: &Notify) -> Answer {
        self.send_informational(sa, payload::NOTIFY, notify.write())
    }

    /// Sends a protected delete.
    pub(crate) fn send_delete(&mut self, sa: &IsakmpSa, delete: &Delete) {
        self.send_informational(sa, payload::DELETE, delete.write());
    }

    /// Notifies a peer without an SA that its first message, of this many bytes, is refused; the
    /// responder cookie stays zero (CVE-2023-30570).
    pub(crate) fn reject_unprotected(&mut self, sa: &IsakmpSa, kind: u16, asked: usize) {
        let notify = Notify { protocol: 1, spi: Vec::new(), kind, data: Vec::new() };
        let mut writer = Writer::new();
        writer.push(payload::NOTIFY, notify.write());
        let header = Header {
            initiator: sa.cookies.initiator,
            responder: crate::wire::isakmp::Cookie::ZERO,
            first: writer.first(),
            exchange: exchange::INFORMATIONAL,
            flags: 0,
            message_id: self.cx.random.u32(),
        };
        let bytes = header.write(&writer.bytes());
        if bytes.len() <= Self::answer_limit(asked) {
            self.cx.out.transmit(sa.path, bytes);
        }
    }
}
