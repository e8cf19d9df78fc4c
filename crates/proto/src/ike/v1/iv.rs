//! IV chains (RFC 2409 appendix B). Phase 1 is one chain; every later exchange has a chain of its
//! own that starts from the last block of phase 1 and its message id, so [`ExchangeIvs`] cannot
//! exist before that block does.

use super::keys::Phase1Keys;
use crate::limits;
use hubward_crypto::cipher::{CryptoError, cbc_decrypt, cbc_encrypt};

/// The chain of phase 1.
#[derive(Clone, Debug)]
pub struct Phase1Iv {
    iv: Vec<u8>,
}

/// A message that is decrypted but not yet verified: [`Phase1Iv::advance`] and
/// [`ExchangeIvs::advance`] advance the chain after its hash was verified.
#[derive(Debug)]
pub struct Decrypted {
    /// The payloads and their padding.
    pub plain: Vec<u8>,
    next_iv: Vec<u8>,
}

impl Phase1Iv {
    /// The chain at its start.
    pub fn new(keys: &Phase1Keys) -> Self {
        Self { iv: keys.first_iv().to_vec() }
    }

    /// Encrypts our next message; pads with zeros to whole blocks.
    pub fn encrypt(&mut self, keys: &Phase1Keys, plain: Vec<u8>) -> Vec<u8> {
        encrypt(keys, &mut self.iv, plain)
    }

    /// Decrypts the peer's next message.
    pub fn decrypt(&self, keys: &Phase1Keys, cipher: &[u8]) -> Result<Decrypted, CryptoError> {
        decrypt(keys, &self.iv, cipher)
    }

    /// Advances the chain: the message was genuine.
    pub fn advance(&mut self, message: &Decrypted) {
        self.iv.clone_from(&message.next_iv);
    }

    /// Phase 1 is over: later exchanges start from its last block.
    pub fn finish(self) -> ExchangeIvs {
        ExchangeIvs { last_block: self.iv, chains: Vec::new(), advanced: 0 }
    }
}

/// The chains of the exchanges after phase 1, by message id.
#[derive(Clone, Debug)]
pub struct ExchangeIvs {
    last_block: Vec<u8>,
    /// Least recently used first.
    chains: Vec<(u32, Vec<u8>)>,
    /// Number of the peer's genuine messages.
    advanced: u64,
}

impl ExchangeIvs {
    fn current(&self, keys: &Phase1Keys, message_id: u32) -> Vec<u8> {
        self.chains
            .iter()
            .find(|(id, _)| *id == message_id)
            .map_or_else(|| keys.exchange_iv(&self.last_block, message_id), |(_, iv)| iv.clone())
    }

    fn store(&mut self, message_id: u32, iv: Vec<u8>) {
        self.chains.retain(|(id, _)| *id != message_id);
        if self.chains.len() == limits::CHAINS {
            self.chains.remove(0);
        }
        self.chains.push((message_id, iv));
    }

    /// Encrypts our next message of an exchange.
    pub fn encrypt(&mut self, keys: &Phase1Keys, message_id: u32, plain: Vec<u8>) -> Vec<u8> {
        let mut iv = self.current(keys, message_id);
        let out = encrypt(keys, &mut iv, plain);
        self.store(message_id, iv);
        out
    }

    /// Encrypts a message that is a whole exchange by itself (informational); no chain is kept.
    pub fn encrypt_single(&self, keys: &Phase1Keys, message_id: u32, plain: Vec<u8>) -> Vec<u8> {
        let mut iv = keys.exchange_iv(&self.last_block, message_id);
        encrypt(keys, &mut iv, plain)
    }

    /// Decrypts a message that is a whole exchange by itself (informational); no chain is changed.
    pub fn decrypt_single(
        &self,
        keys: &Phase1Keys,
        message_id: u32,
        cipher: &[u8],
    ) -> Result<Decrypted, CryptoError> {
        decrypt(keys, &keys.exchange_iv(&self.last_block, message_id), cipher)
    }

    /// Decrypts the peer's next message of an exchange.
    pub fn decrypt(
        &self,
        keys: &Phase1Keys,
        message_id: u32,
        cipher: &[u8],
    ) -> Result<Decrypted, CryptoError> {
        decrypt(keys, &self.current(keys, message_id), cipher)
    }

    /// Advances the chain: the message was genuine.
    pub fn advance(&mut self, message_id: u32, message: &Decrypted) {
        self.store(message_id, message.next_iv.clone());
        self.advanced += 1;
    }

    /// The exchange is over.
    pub fn forget(&mut self, message_id: u32) {
        self.chains.retain(|(id, _)| *id != message_id);
    }

    /// How many of the peer's messages advanced a chain.
    pub fn advanced(&self) -> u64 {
        self.advanced
    }
}

fn encrypt(keys: &Phase1Keys, iv: &mut Vec<u8>, mut plain: Vec<u8>) -> Vec<u8> {
    let block = keys.cipher().block_len();
    plain.resize(plain.len().next_multiple_of(block), 0);
    // key and IV have the cipher's lengths by construction and the data is whole blocks
    let sealed = cbc_encrypt(keys.cipher(), keys.encryption().expose(), iv, &mut plain);
    debug_assert!(sealed.is_ok());
    if let Some(last) = plain.len().checked_sub(block).and_then(|start| plain.get(start..)) {
        *iv = last.to_vec();
    }
    plain
}

fn decrypt(keys: &Phase1Keys, iv: &[u8], cipher: &[u8]) -> Result<Decrypted, CryptoError> {
    let block = keys.cipher().block_len();
    let next_iv = cipher
        .len()
        .checked_sub(block)
        .and_then(|start| cipher.get(start..))
        .ok_or(CryptoError::NotBlocks)?;
    let mut plain = cipher.to_vec();
    cbc_decrypt(keys.cipher(), keys.encryption().expose(), iv, &mut plain)?;
    Ok(Decrypted { plain, next_iv: next_iv.to_vec() })
}
