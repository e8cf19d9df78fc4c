//! A hash or a MAC.

use std::ops::Deref;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The output of a hash or an HMAC: up to 64 bytes, wiped when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Digest {
    bytes: [u8; 64],
    len: usize,
}

impl Digest {
    pub(crate) fn new(value: &[u8]) -> Self {
        let mut bytes = [0; 64];
        let len = value.len().min(64);
        for (to, from) in bytes.iter_mut().zip(value) {
            *to = *from;
        }
        Self { bytes, len }
    }
}

impl Deref for Digest {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}
