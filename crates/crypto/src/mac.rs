//! Hashes and HMAC (RFC 2104), which is also the IKEv1 prf (RFC 2409 section 4).

use crate::digest::Digest;
use crate::midstate::{Midstates, SHA1, SHA256};
use crate::sha1_lanes::{self, Lanes};
use crate::suite::HashAlg;
use hmac::Hmac;
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use zeroize::Zeroize;

/// Hashes the concatenation of `parts`.
pub fn hash(algorithm: HashAlg, parts: &[&[u8]]) -> Digest {
    fn run<D: sha2::Digest>(parts: &[&[u8]]) -> Digest {
        let mut state = D::new();
        for part in parts {
            state.update(part);
        }
        Digest::new(&state.finalize())
    }
    match algorithm {
        HashAlg::Md5 => run::<Md5>(parts),
        HashAlg::Sha1 => run::<Sha1>(parts),
        HashAlg::Sha256 => run::<Sha256>(parts),
        HashAlg::Sha384 => run::<Sha384>(parts),
        HashAlg::Sha512 => run::<Sha512>(parts),
    }
}

/// HMAC over the concatenation of `parts`.
pub fn hmac(algorithm: HashAlg, key: &[u8], parts: &[&[u8]]) -> Digest {
    HmacKey::new(algorithm, key).sign(parts)
}

/// A key whose padded blocks are already hashed: using it allocates nothing.
#[derive(Clone)]
pub struct HmacKey(Keyed);

/// The states with a buffer are in boxes: there are two of these for each peer, and few with such
/// an algorithm.
#[derive(Clone)]
enum Keyed {
    Md5(Box<Hmac<Md5>>),
    Sha1(Midstates<5>),
    Sha256(Midstates<8>),
    Sha384(Box<Hmac<Sha384>>),
    Sha512(Box<Hmac<Sha512>>),
}

impl HmacKey {
    /// Prepares a key of any length.
    pub fn new(algorithm: HashAlg, key: &[u8]) -> Self {
        // HMAC takes keys of every length: one longer than a block is hashed first
        let block_key = |block: usize| -> Vec<u8> {
            let mut padded = if key.len() > block { hash(algorithm, &[key]).to_vec() } else { key.to_vec() };
            padded.resize(block, 0);
            padded
        };
        fn init<M: hmac::KeyInit>(mut block: Vec<u8>) -> M {
            let mut padded = hmac::digest::Key::<M>::default();
            for (to, from) in padded.iter_mut().zip(&block) {
                *to = *from;
            }
            block.zeroize();
            M::new(&padded)
        }
        fn whole(mut block: Vec<u8>) -> [u8; 64] {
            let mut whole = [0; 64];
            whole.iter_mut().zip(&block).for_each(|(to, from)| *to = *from);
            block.zeroize();
            whole
        }
        Self(match algorithm {
            HashAlg::Md5 => Keyed::Md5(Box::new(init(block_key(64)))),
            HashAlg::Sha1 => Keyed::Sha1(Midstates::new(SHA1, whole(block_key(64)))),
            HashAlg::Sha256 => Keyed::Sha256(Midstates::new(SHA256, whole(block_key(64)))),
            HashAlg::Sha384 => Keyed::Sha384(Box::new(init(block_key(128)))),
            HashAlg::Sha512 => Keyed::Sha512(Box::new(init(block_key(128)))),
        })
    }

    /// HMAC over the concatenation of `parts`.
    pub fn sign(&self, parts: &[&[u8]]) -> Digest {
        fn run<M: hmac::Mac>(mut state: M, parts: &[&[u8]]) -> Digest {
            for part in parts {
                state.update(part);
            }
            Digest::new(&state.finalize().into_bytes())
        }
        match &self.0 {
            Keyed::Md5(state) => run((**state).clone(), parts),
            Keyed::Sha1(states) => states.sign(SHA1, parts),
            Keyed::Sha256(states) => states.sign(SHA256, parts),
            Keyed::Sha384(state) => run((**state).clone(), parts),
            Keyed::Sha512(state) => run((**state).clone(), parts),
        }
    }
}

/// HMAC of each message under its key: faster than one after the other if the algorithm allows.
/// `done` gets the digest and the value that came with the message, in any order.
pub(crate) fn sign_each<'a, T>(
    messages: impl Iterator<Item = (&'a HmacKey, &'a [u8], T)>,
    mut done: impl FnMut(T, &[u8]),
) {
    let lanes = Lanes::chosen();
    let mut messages = messages;
    loop {
        // what has no lanes is signed as it comes
        let mut next = || {
            messages.find_map(|(key, message, with)| match &key.0 {
                Keyed::Sha1(states) => Some(((states, message), with)),
                _ => {
                    done(with, &key.sign(&[message]));
                    None
                }
            })
        };
        let Some((first, with)) = next() else { return };
        let mut group = [first; sha1_lanes::MOST];
        let mut withs = [const { None }; sha1_lanes::MOST];
        let mut count = 0;
        // the places come first in the pairing: when there is none left, no message is taken
        let places = group.iter_mut().zip(&mut withs);
        let rest = std::iter::from_fn(&mut next);
        for ((to, with_to), (message, with)) in places.zip(std::iter::once((first, with)).chain(rest)) {
            (*to, *with_to) = (message, Some(with));
            count += 1;
        }
        let mut withs = withs.into_iter().flatten();
        sha1_lanes::sign(lanes, group.get(..count).unwrap_or_default(), |digest| {
            withs.next().into_iter().for_each(|with| done(with, digest));
        });
    }
}

/// Compares two values in constant time, lengths first.
pub fn equal(ours: &[u8], theirs: &[u8]) -> bool {
    use subtle::ConstantTimeEq as _;
    ours.ct_eq(theirs).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    /// RFC 2202 and RFC 4231, test case 2.
    #[test]
    fn hmac_of_jefe() {
        let data: &[u8] = b"what do ya want for nothing?";
        for (algorithm, expected) in [
            (HashAlg::Md5, "750c783e6ab0b503eaa86e310a5db738"),
            (HashAlg::Sha1, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (HashAlg::Sha256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
        ] {
            assert_eq!(&*hmac(algorithm, b"Jefe", &[&data[..5], &data[5..]]), &hex(expected)[..]);
        }
    }

    /// RFC 2202 test case 6: a key longer than the block.
    #[test]
    fn long_keys_are_hashed() {
        let expected = hex("aa4ae5e15272d00e95705637ce8a3b55ed402112");
        let data = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(&*hmac(HashAlg::Sha1, &[0xaa; 80], &[data]), &expected[..]);
    }
}
