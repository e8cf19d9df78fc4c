//! HMAC with SHA-1 and SHA-256 (RFC 2104) from the states that the hash has after the padded key: a
//! message costs its own blocks and one or two more.

use crate::digest::Digest;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A hash of 64-byte blocks.
pub(crate) struct Hash<const N: usize> {
    start: [u32; N],
    pub(crate) compress: fn(&mut [u32; N], &[[u8; 64]]),
}

/// SHA-1 (FIPS 180-4).
pub(crate) const SHA1: &Hash<5> = &Hash {
    start: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0],
    compress: sha1::block_api::compress,
};

/// SHA-256 (FIPS 180-4).
pub(crate) const SHA256: &Hash<8> = &Hash {
    start: [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ],
    compress: sha2::block_api::compress256,
};

/// The two states after a key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Midstates<const N: usize> {
    pub(crate) inner: [u32; N],
    pub(crate) outer: [u32; N],
}

/// The end of a message: what did not fill a block, the padding, and the length in bits.
pub(crate) struct End {
    blocks: [[u8; 64]; 2],
    count: usize,
}

impl End {
    pub(crate) const NONE: Self = Self { blocks: [[0; 64]; 2], count: 0 };

    /// `length` is the whole message's, in bytes.
    pub(crate) fn new(rest: &[u8], length: usize) -> Self {
        let count = if rest.len() < 56 { 1 } else { 2 };
        let mut blocks = [[0; 64]; 2];
        if let Some((message, [mark, ..])) = blocks.as_flattened_mut().split_at_mut_checked(rest.len()) {
            message.copy_from_slice(rest);
            *mark = 0x80;
        }
        if let Some(place) = blocks.get_mut(count - 1).and_then(|block| block.last_chunk_mut()) {
            *place = (length as u64 * 8).to_be_bytes();
        }
        Self { blocks, count }
    }

    pub(crate) fn blocks(&self) -> &[[u8; 64]] {
        self.blocks.get(..self.count).unwrap_or_default()
    }
}

impl<const N: usize> Midstates<N> {
    /// From a key that is padded with zeros to one block, or was hashed before where it was longer.
    pub(crate) fn new(hash: &Hash<N>, mut key: [u8; 64]) -> Self {
        let [mut inner, mut outer] = [hash.start; 2];
        (hash.compress)(&mut inner, &[key.map(|byte| byte ^ 0x36)]);
        (hash.compress)(&mut outer, &[key.map(|byte| byte ^ 0x5c)]);
        key.zeroize();
        Self { inner, outer }
    }

    /// HMAC over the concatenation of `parts`.
    pub(crate) fn sign(&self, hash: &Hash<N>, parts: &[&[u8]]) -> Digest {
        let mut state = self.inner;
        let mut buffer = [0; 64];
        let mut filled = 0;
        let mut length = 64;
        for part in parts {
            length += part.len();
            let mut part = *part;
            if filled > 0 {
                let (now, later) = part.split_at(part.len().min(64 - filled));
                buffer.iter_mut().skip(filled).zip(now).for_each(|(to, from)| *to = *from);
                filled += now.len();
                part = later;
                if filled < 64 {
                    continue;
                }
                (hash.compress)(&mut state, &[buffer]);
            }
            let (blocks, rest) = part.as_chunks::<64>();
            (hash.compress)(&mut state, blocks);
            buffer.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            filled = rest.len();
        }
        (hash.compress)(&mut state, End::new(buffer.get(..filled).unwrap_or_default(), length).blocks());
        let inner = bytes(state);
        let mut state = self.outer;
        (hash.compress)(&mut state, End::new(inner.as_flattened(), 64 + 4 * N).blocks());
        Digest::new(bytes(state).as_flattened())
    }
}

pub(crate) fn bytes<const N: usize>(state: [u32; N]) -> [[u8; 4]; N] {
    state.map(u32::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use hmac::{Hmac, KeyInit, Mac};

    fn reference<M: Mac + KeyInit>(key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut state = <M as KeyInit>::new_from_slice(key).unwrap();
        state.update(message);
        state.finalize().into_bytes().to_vec()
    }

    /// Each length around the ends of blocks, whole and in parts, against the generic construction.
    #[test]
    fn every_length_and_every_cut() {
        let mut random = Random::new([3; 32]);
        let (mut key, mut message) = ([0; 64], [0; 300]);
        random.fill(&mut key);
        random.fill(&mut message);
        let (sha1, sha256) = (Midstates::new(SHA1, key), Midstates::new(SHA256, key));
        for length in 0..message.len() {
            let message = &message[..length];
            let expected = reference::<Hmac<sha1::Sha1>>(&key, message);
            assert_eq!(*sha1.sign(SHA1, &[message]), expected[..], "{length} bytes");
            assert_eq!(*sha256.sign(SHA256, &[message]), reference::<Hmac<sha2::Sha256>>(&key, message)[..]);
            for cut in (0..length).step_by(7) {
                let (one, two) = message.split_at(cut);
                assert_eq!(*sha1.sign(SHA1, &[one, two, &[]]), expected[..], "{length} cut at {cut}");
            }
        }
    }
}
