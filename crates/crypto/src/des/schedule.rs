//! The key schedule of DES and Triple DES (FIPS 46-3), as masks for the bit-sliced rounds.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bits of a round's key.
pub(super) const ROUND_BITS: usize = 48;
/// Rounds of three DES.
const ROUNDS: usize = 48;

/// Permuted choice 1: the halves C and D from the 64 bits of a key.
#[rustfmt::skip]
const PC1: [u8; 56] = [
    57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
    63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
];
/// Permuted choice 2: a round's key from C and D.
#[rustfmt::skip]
const PC2: [u8; 48] = [
    14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
    41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
];
/// How far C and D have been turned at each round.
const TURNS: [u8; 16] = [1, 2, 4, 6, 8, 10, 12, 14, 15, 17, 19, 21, 23, 25, 27, 28];

/// Which bit of the key, read as a little-endian number, each bit of a round's key is.
#[expect(clippy::indexing_slicing, reason = "counted at compile time")]
static SOURCES: [[u8; ROUND_BITS]; 16] = {
    let mut sources = [[0; ROUND_BITS]; 16];
    let mut round = 0;
    while round < 16 {
        let mut bit = 0;
        while bit < ROUND_BITS {
            let place = PC2[bit] as usize - 1;
            let (half, within) = (place / 28 * 28, place % 28);
            let number = PC1[half + (within + TURNS[round] as usize) % 28] - 1;
            sources[round][bit] = number / 8 * 8 + 7 - number % 8;
            bit += 1;
        }
        round += 1;
    }
    sources
};

/// The direction in which blocks go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Encrypt,
    Decrypt,
}

/// How many DES a block goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// DES.
    Single,
    /// Triple DES: encryption, decryption and encryption under three keys (EDE).
    Triple,
}

/// A DES key, or the three of Triple DES, each as a little-endian number.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(super) struct Keys {
    pub(super) keys: [u64; 3],
    #[zeroize(skip)]
    pub(super) kind: Kind,
}

/// What each round uses, in the order of the rounds.
pub(crate) struct Schedule {
    chain: usize,
    /// For each DES which key it uses, and whether its rounds go backwards.
    order: [(usize, bool); 3],
    /// All ones for a bit of a round's key that is set, and zero for one that is not.
    masks: [[u64; ROUND_BITS]; ROUNDS],
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.masks.as_flattened_mut().zeroize();
    }
}

impl Schedule {
    /// Of no key yet.
    pub(super) const fn empty() -> Self {
        Self { chain: 0, order: [(0, false); 3], masks: [[0; ROUND_BITS]; ROUNDS] }
    }

    /// Becomes that of these keys, the rounds in the order in which a block goes through them. In
    /// place, because moving a schedule (18 KB) costs as much as a pass.
    pub(super) fn set(&mut self, keys: &Keys, direction: Direction) {
        let backwards = direction == Direction::Decrypt;
        (self.chain, self.order) = match (keys.kind, direction) {
            (Kind::Single, _) => (1, [(0, backwards); 3]),
            (Kind::Triple, Direction::Encrypt) => (3, [(0, false), (1, true), (2, false)]),
            (Kind::Triple, Direction::Decrypt) => (3, [(2, true), (1, false), (0, true)]),
        };
        let order = self.order;
        for (round, masks) in self.masks.iter_mut().enumerate().take(self.chain * 16) {
            let (which, sources) = sources(&order, round);
            let key = keys.keys.get(which).copied().unwrap_or(0);
            for (mask, source) in masks.iter_mut().zip(sources) {
                *mask = (key >> source & 1).wrapping_neg();
            }
        }
    }

    /// How many DES follow each other.
    #[inline(always)]
    pub(super) fn chain(&self) -> usize {
        self.chain
    }

    /// The bits of a round's key as masks.
    #[inline(always)]
    pub(super) fn masks(&self, round: usize) -> &[u64; ROUND_BITS] {
        const NONE: &[u64; ROUND_BITS] = &[0; ROUND_BITS];
        self.masks.get(round).unwrap_or(NONE)
    }

    /// Which key a round uses, and which bits of it its own are. Depends on no key.
    #[inline(always)]
    pub(super) fn sources(&self, round: usize) -> (usize, &'static [u8; ROUND_BITS]) {
        sources(&self.order, round)
    }
}

#[inline(always)]
fn sources(order: &[(usize, bool); 3], round: usize) -> (usize, &'static [u8; ROUND_BITS]) {
    let (which, backwards) = order.get(round / 16).copied().unwrap_or_default();
    let within = if backwards { 15 - round % 16 } else { round % 16 };
    let [first, ..] = &SOURCES;
    (which, SOURCES.get(within).unwrap_or(first))
}
