//! Randomness as a value: a ChaCha20 generator that is given its seed, so that the same seed and inputs give the
//! same trace, and that can be reseeded.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// A deterministic cryptographic generator. A production seed comes from the kernel and is never recorded.
pub struct Random(ChaCha20Rng);

impl Random {
    /// A generator started from `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    /// Fills `out` with random bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// `N` random bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// A random 32-bit number.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Mixes fresh entropy in: the new seed depends on both the old state and `entropy`.
    pub fn reseed(&mut self, entropy: [u8; 32]) {
        let mut seed = self.array::<32>();
        for (byte, new) in seed.iter_mut().zip(entropy) {
            *byte ^= new;
        }
        self.0 = ChaCha20Rng::from_seed(seed);
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random")
    }
}
