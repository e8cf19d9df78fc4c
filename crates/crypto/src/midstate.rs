//! HMAC with SHA-1 and SHA-256 (RFC 2104) from the states that the hash has behind the padded key: a message costs its own
//! blocks and one or two more.

use crate::mac::Digest;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A hash of 64-byte blocks.
pub(crate) struct Hash<const N: usize> {
    start: [u32; N],
    compress: fn(&mut [u32; N], &[[u8; 64]]),
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

/// The two states behind a key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Midstates<const N: usize> {
    inner: [u32; N],
    outer: [u32; N],
}

/// The end of a message: what did not fill a block, the padding, and the length in bits.
struct End {
    blocks: [[u8; 64]; 2],
    count: usize,
}

impl End {
    /// `length` is the whole message's, in bytes.
    fn new(rest: &[u8], length: usize) -> Self {
        let count = if rest.len() < 56 { 1 } else { 2 };
        let mut blocks = [[0; 64]; 2];
        for (to, from) in blocks.as_flattened_mut().iter_mut().zip(rest.iter().chain(&[0x80])) {
            *to = *from;
        }
        if let Some(place) = blocks.get_mut(count - 1).and_then(|block| block.last_chunk_mut()) {
            *place = (length as u64 * 8).to_be_bytes();
        }
        Self { blocks, count }
    }

    fn blocks(&self) -> &[[u8; 64]] {
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

fn bytes<const N: usize>(state: [u32; N]) -> [[u8; 4]; N] {
    state.map(u32::to_be_bytes)
}

/// HMAC-SHA1 of two messages, each under its key, in little more time than one of them takes where the processor has instructions for
/// SHA-1.
pub(crate) fn sign_two(keys: [&Midstates<5>; 2], messages: [&[u8]; 2]) -> [Digest; 2] {
    sign_two_as(together(), keys, messages)
}

/// Going together was tried and is slower here.
static ONE_BY_ONE: AtomicBool = AtomicBool::new(false);

/// Whether two messages go together.
pub(crate) fn together() -> bool {
    #[cfg(target_arch = "x86_64")]
    return crate::simd::sha1_two::is_there() && !ONE_BY_ONE.load(Ordering::Relaxed);
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Lets two messages go together from now on, or not.
pub(crate) fn choose(together: bool) {
    ONE_BY_ONE.store(!together, Ordering::Relaxed);
}

/// The same, together or one by one.
pub(crate) fn sign_two_as(together: bool, keys: [&Midstates<5>; 2], messages: [&[u8]; 2]) -> [Digest; 2] {
    if !together {
        let ([a, b], [first, second]) = (keys, messages);
        return [a.sign(SHA1, &[first]), b.sign(SHA1, &[second])];
    }
    let mut states = keys.map(|key| key.inner);
    let [(first, first_rest), (second, second_rest)] = messages.map(<[u8]>::as_chunks::<64>);
    compress_two(&mut states, [first, second]);
    let [a, b] = messages.map(|message| 64 + message.len());
    let ends = [End::new(first_rest, a), End::new(second_rest, b)];
    compress_two(&mut states, [ends[0].blocks(), ends[1].blocks()]);
    let ends = states.map(|state| End::new(bytes(state).as_flattened(), 64 + 20));
    let mut states = keys.map(|key| key.outer);
    compress_two(&mut states, [ends[0].blocks(), ends[1].blocks()]);
    states.map(|state| Digest::new(bytes(state).as_flattened()))
}

/// Goes on with both states: side by side as far as both messages reach.
fn compress_two(states: &mut [[u32; 5]; 2], messages: [&[[u8; 64]]; 2]) {
    let [first, second] = messages;
    #[cfg(target_arch = "x86_64")]
    let common = {
        let common = first.len().min(second.len());
        if crate::simd::sha1_two::compress_here(states, messages) { common } else { 0 }
    };
    #[cfg(not(target_arch = "x86_64"))]
    let common = 0;
    let [a, b] = states;
    for (state, message) in [(a, first), (b, second)] {
        (SHA1.compress)(state, message.get(common..).unwrap_or_default());
    }
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

    /// Two messages of all kinds of lengths against one after the other.
    #[test]
    fn two_at_once() {
        let mut random = Random::new([4; 32]);
        let (mut keys, mut message) = ([[0; 64]; 2], [0; 700]);
        keys.iter_mut().for_each(|key| random.fill(key));
        random.fill(&mut message);
        let [a, b] = keys.map(|key| Midstates::new(SHA1, key));
        for (first, second) in
            (0..=256).flat_map(|first| [0, 1, 63, 64, 256, 600].map(|second| (first, second)))
        {
            let messages = [&message[..first], &message[100..100 + second]];
            let [one, two] = sign_two([&a, &b], messages);
            assert_eq!(*one, *a.sign(SHA1, &messages[..1]), "{first} and {second} bytes");
            assert_eq!(*two, *b.sign(SHA1, &messages[1..]), "{first} and {second} bytes");
        }
    }
}
