//! Key derivation and authentication hashes of IKEv1 (RFC 2409 section 5 and appendix B).

use crate::wire::isakmp::{Cookie, Cookies};
use hubward_crypto::digest::Digest;
use hubward_crypto::mac::{equal, hmac};
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{EspSuite, HashAlg, IkeCipher};

/// Proof that a hash was compared and is correct. Only this module creates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified(());

/// The hash is missing, of another length, or wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the HASH payload does not verify")]
pub struct HashMismatch;

/// What phase 1 agreed on and exchanged; all keys and hashes are derived from it.
#[derive(Clone, Debug)]
pub struct KeyInput<'a> {
    /// Hash, also the prf.
    pub hash: HashAlg,
    /// Cipher.
    pub cipher: IkeCipher,
    /// Cookies.
    pub cookies: Cookies,
    /// Pre-shared key.
    pub key: &'a Secret,
    /// Initiator's nonce.
    pub nonce_i: &'a [u8],
    /// Responder's nonce.
    pub nonce_r: &'a [u8],
    /// Initiator's public value.
    pub public_i: &'a [u8],
    /// Responder's public value.
    pub public_r: &'a [u8],
    /// g^xy, padded to the group's length.
    pub shared: &'a Secret,
}

/// SKEYID and what is derived from it. Exists only after the Diffie-Hellman exchange.
#[derive(Clone)]
pub struct Phase1Keys {
    hash: HashAlg,
    cipher: IkeCipher,
    skeyid: Digest,
    skeyid_d: Digest,
    skeyid_a: Digest,
    encryption: Secret,
    iv: Vec<u8>,
}

impl std::fmt::Debug for Phase1Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Phase1Keys({:?}, {:?})", self.cipher, self.hash)
    }
}

impl Phase1Keys {
    /// Derives SKEYID for pre-shared keys, SKEYID_d, _a, _e, the cipher key and the first IV. The
    /// derivation for XAUTH's authentication methods 65001 and 65002 is that for pre-shared keys.
    pub fn derive(input: &KeyInput<'_>) -> Self {
        let skeyid = hmac(input.hash, input.key.expose(), &[input.nonce_i, input.nonce_r]);
        let shared = input.shared.expose();
        let (cky_i, cky_r) = (&input.cookies.initiator.0[..], &input.cookies.responder.0[..]);
        let skeyid_d = hmac(input.hash, &skeyid, &[shared, cky_i, cky_r, &[0]]);
        let skeyid_a = hmac(input.hash, &skeyid, &[&skeyid_d, shared, cky_i, cky_r, &[1]]);
        let skeyid_e = hmac(input.hash, &skeyid, &[&skeyid_a, shared, cky_i, cky_r, &[2]]);
        let encryption = stretch(input.hash, &skeyid_e, input.cipher.key_len());
        let iv = hubward_crypto::mac::hash(input.hash, &[input.public_i, input.public_r]);
        let iv = iv.get(..input.cipher.block_len()).unwrap_or_default().to_vec();
        Self { hash: input.hash, cipher: input.cipher, skeyid, skeyid_d, skeyid_a, encryption, iv }
    }

    /// The hash agreed on.
    pub fn hash(&self) -> HashAlg {
        self.hash
    }

    /// The cipher agreed on.
    pub fn cipher(&self) -> IkeCipher {
        self.cipher
    }

    /// The cipher's key.
    pub fn encryption(&self) -> &Secret {
        &self.encryption
    }

    /// The IV of the first encrypted message.
    pub fn first_iv(&self) -> &[u8] {
        &self.iv
    }

    /// SKEYID_d, SKEYID_a for tests against published values.
    #[doc(hidden)]
    pub fn derived(&self) -> [&[u8]; 3] {
        [&self.skeyid, &self.skeyid_d, &self.skeyid_a]
    }

    /// The same keys with another cipher key, for published transcripts that give only that key.
    #[doc(hidden)]
    pub fn with_encryption(self, encryption: Secret) -> Self {
        Self { encryption, ..self }
    }

    /// HASH_I or HASH_R (RFC 2409 section 5); in `auth`, "own" is the side whose hash it is.
    pub fn auth_hash(&self, auth: &AuthInput<'_>) -> Digest {
        let cookies = [auth.own_cookie.0, auth.other_cookie.0].concat();
        hmac(self.hash, &self.skeyid, &[auth.own_public, auth.other_public, &cookies, auth.sa, auth.identity])
    }

    /// HASH(1) of quick mode, transaction and informational exchanges: over the payloads after the
    /// HASH payload.
    pub fn hash1(&self, message_id: u32, rest: &[u8]) -> Digest {
        hmac(self.hash, &self.skeyid_a, &[&message_id.to_be_bytes(), rest])
    }

    /// HASH(2) of quick mode.
    pub fn hash2(&self, message_id: u32, nonce_i: &[u8], rest: &[u8]) -> Digest {
        hmac(self.hash, &self.skeyid_a, &[&message_id.to_be_bytes(), nonce_i, rest])
    }

    /// HASH(3) of quick mode.
    pub fn hash3(&self, message_id: u32, nonce_i: &[u8], nonce_r: &[u8]) -> Digest {
        hmac(self.hash, &self.skeyid_a, &[&[0], &message_id.to_be_bytes(), nonce_i, nonce_r])
    }

    /// Checks a peer's HASH(1), HASH(2) or HASH(3) against ours.
    pub fn verify(&self, ours: &Digest, theirs: &[u8]) -> Result<Verified, HashMismatch> {
        if equal(ours, theirs) { Ok(Verified(())) } else { Err(HashMismatch) }
    }

    /// KEYMAT of one direction of an ESP SA (RFC 2409 section 5.5): `spi` is the receiver's.
    pub fn keymat(&self, suite: EspSuite, spi: u32, nonces: (&[u8], &[u8]), pfs: Option<&Secret>) -> Secret {
        let shared = pfs.map_or(&[][..], Secret::expose);
        let spi = spi.to_be_bytes();
        let mut out = Vec::new();
        let mut block: Option<Digest> = None;
        while out.len() < suite.keymat_len() {
            let previous = block.as_deref().unwrap_or_default();
            let next = hmac(
                self.hash,
                &self.skeyid_d,
                &[previous, shared, &[crate::wire::registry::protocol::ESP], &spi, nonces.0, nonces.1],
            );
            out.extend_from_slice(&next);
            block = Some(next);
        }
        out.truncate(suite.keymat_len());
        Secret::new(out)
    }

    /// The first IV of an exchange after phase 1.
    pub fn exchange_iv(&self, last_phase1_block: &[u8], message_id: u32) -> Vec<u8> {
        let digest = hubward_crypto::mac::hash(self.hash, &[last_phase1_block, &message_id.to_be_bytes()]);
        digest.get(..self.cipher.block_len()).unwrap_or_default().to_vec()
    }
}

/// What goes into HASH_I and HASH_R; "own" is the side whose hash it is.
#[derive(Clone, Copy, Debug)]
pub struct AuthInput<'a> {
    /// Own public value.
    pub own_public: &'a [u8],
    /// The other side's public value.
    pub other_public: &'a [u8],
    /// Own cookie.
    pub own_cookie: Cookie,
    /// The other side's cookie.
    pub other_cookie: Cookie,
    /// The initiator's SA payload body as sent, with all its proposals.
    pub sa: &'a [u8],
    /// Own ID payload body as sent.
    pub identity: &'a [u8],
}

/// Ka (RFC 2409 appendix B): SKEYID_e, truncated, or expanded if the cipher needs more.
fn stretch(hash: HashAlg, skeyid_e: &Digest, length: usize) -> Secret {
    if skeyid_e.len() >= length {
        return Secret::new(skeyid_e.get(..length).unwrap_or_default());
    }
    let mut block = hmac(hash, skeyid_e, &[&[0]]);
    let mut out = block.to_vec();
    while out.len() < length {
        block = hmac(hash, skeyid_e, &[&block]);
        out.extend_from_slice(&block);
    }
    out.truncate(length);
    Secret::new(out)
}
