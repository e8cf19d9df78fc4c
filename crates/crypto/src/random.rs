//! Randomness as a value: a ChaCha20 generator that is given its seed, so that the same seed and
//! inputs give the same trace, and that can be reseeded.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};

/// A deterministic cryptographic generator. A production seed comes from the kernel and is never
/// recorded.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Neither who knows the old state nor who knows the entropy alone knows what comes.
    #[test]
    fn a_new_seed_depends_on_state_and_entropy() {
        let after = |seed: u8, entropy: u8| {
            let mut random = Random::new([seed; 32]);
            random.reseed([entropy; 32]);
            random.array::<32>()
        };
        assert_eq!(after(1, 2), after(1, 2));
        assert_ne!(after(1, 2), after(1, 3));
        assert_ne!(after(1, 2), after(2, 2));
        assert_ne!(after(1, 2), Random::new([2; 32]).array::<32>());
    }
}
