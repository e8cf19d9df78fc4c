//! The DES over words of bits (FIPS 46-3): the same step of every block at once, by circuits and
//! without look-ups, so that time and memory accesses depend on no key and no data.

use super::sbox::{s1, s2, s3, s4, s5, s6, s7, s8};
use super::schedule::Schedule;
use super::word::Word;

/// Words of the largest kind that [`crypt`] is made for hold the bits of this many blocks.
pub(crate) const MAX_BLOCKS: usize = 512;
/// Blocks, or their keys, as little-endian numbers.
pub(crate) type Blocks = [u64; MAX_BLOCKS];

/// Where the rounds' keys come from.
trait RoundKeys<W> {
    /// The bits of a round's key, for every block.
    fn round(&self, number: usize) -> impl Fn(usize) -> W;
}

/// One key for all blocks.
struct OneKey<'a>(&'a Schedule);

impl<W: Word> RoundKeys<W> for OneKey<'_> {
    #[inline(always)]
    fn round(&self, number: usize) -> impl Fn(usize) -> W {
        let masks = self.0.masks(number);
        move |bit| W::splat(masks.get(bit).copied().unwrap_or(0))
    }
}

/// A key for each block.
struct OwnKeys<'a, W> {
    /// For each DES of the chain the words of its key bits.
    words: [[W; 64]; 3],
    schedule: &'a Schedule,
}

impl<W: Word> RoundKeys<W> for OwnKeys<'_, W> {
    #[inline(always)]
    fn round(&self, number: usize) -> impl Fn(usize) -> W {
        let (which, sources) = self.schedule.sources(number);
        let [first, second, third] = &self.words;
        let words = match which {
            0 => first,
            1 => second,
            _ => third,
        };
        move |bit| {
            let source = sources.get(bit).map_or(0, |source| usize::from(*source & 63));
            words.get(source).copied().unwrap_or(W::splat(0))
        }
    }
}

/// Transposes 64 words of 64-bit lanes in each lane: bit `b` of word `w` changes places with bit
/// `w` of word `b`.
#[inline(always)]
fn transpose<W: Word>(words: &mut [W; 64]) {
    #[inline(always)]
    fn stage<W: Word, const N: i32>(words: &mut [W; 64], mask: u64) {
        let mask = W::splat(mask);
        for both in words.chunks_exact_mut(2 * N as usize) {
            let (first, second) = both.split_at_mut(N as usize);
            for (a, b) in first.iter_mut().zip(second) {
                // the upper half of the first with the lower half of the second
                let changed = a.down::<N>().xor(*b).and(mask);
                *b = b.xor(changed);
                *a = a.xor(changed.up::<N>());
            }
        }
    }
    stage::<W, 32>(words, 0x0000_0000_ffff_ffff);
    stage::<W, 16>(words, 0x0000_ffff_0000_ffff);
    stage::<W, 8>(words, 0x00ff_00ff_00ff_00ff);
    stage::<W, 4>(words, 0x0f0f_0f0f_0f0f_0f0f);
    stage::<W, 2>(words, 0x3333_3333_3333_3333);
    stage::<W, 1>(words, 0x5555_5555_5555_5555);
}

/// Bit by bit: the words of as many numbers as a word has bits.
#[inline(always)]
fn slice<W: Word>(numbers: &Blocks) -> [W; 64] {
    let mut words = [W::splat(0); 64];
    for (word, lanes) in words.iter_mut().zip(numbers.chunks_exact(W::LANES)) {
        *word = W::load(lanes);
    }
    transpose(&mut words);
    words
}

/// Where bit `number` (1 to 64) of a block is after [`transpose`]: blocks are read as little-endian
/// numbers.
const fn place(number: usize) -> usize {
    let (byte, bit) = ((number - 1) / 8, (number - 1) % 8);
    byte * 8 + 7 - bit
}

/// Where the bits of the halves L and R are in a block before the first round: the initial
/// permutation.
const LEFT: [usize; 32] = half(57);
const RIGHT: [usize; 32] = half(56);

/// A half as the initial permutation produces it: its first bit is bit `first + 1`, each further
/// one is 8 before it.
#[expect(clippy::indexing_slicing, reason = "counted at compile time")]
const fn half(first: usize) -> [usize; 32] {
    let mut places = [0; 32];
    let mut index = 0;
    while index < 32 {
        let (row, column) = (index / 8, index % 8);
        places[index] = place(first + 2 * row + 1 - 8 * column);
        index += 1;
    }
    places
}

/// One round: the function of `right` under the round's key into `left`. The permutations E and P
/// are in the numbers.
#[inline(always)]
fn round<W: Word, K: RoundKeys<W>>(left: &mut [W; 32], right: &[W; 32], keys: &K, number: usize) {
    let key = keys.round(number);
    macro_rules! s_box {
        ($circuit:ident, $first:literal, [$i1:literal $i2:literal $i3:literal $i4:literal $i5:literal $i6:literal],
         [$o1:literal $o2:literal $o3:literal $o4:literal]) => {
            let [a, b, c, d] = $circuit([
                right[$i1 - 1].xor(key($first)),
                right[$i2 - 1].xor(key($first + 1)),
                right[$i3 - 1].xor(key($first + 2)),
                right[$i4 - 1].xor(key($first + 3)),
                right[$i5 - 1].xor(key($first + 4)),
                right[$i6 - 1].xor(key($first + 5)),
            ]);
            left[$o1 - 1] = left[$o1 - 1].xor(a);
            left[$o2 - 1] = left[$o2 - 1].xor(b);
            left[$o3 - 1] = left[$o3 - 1].xor(c);
            left[$o4 - 1] = left[$o4 - 1].xor(d);
        };
    }
    // the bits that E gives to each box, and where P puts its output
    s_box!(s1, 0, [32 1 2 3 4 5], [9 17 23 31]);
    s_box!(s2, 6, [4 5 6 7 8 9], [13 28 2 18]);
    s_box!(s3, 12, [8 9 10 11 12 13], [24 16 30 6]);
    s_box!(s4, 18, [12 13 14 15 16 17], [26 20 10 1]);
    s_box!(s5, 24, [16 17 18 19 20 21], [8 14 25 3]);
    s_box!(s6, 30, [20 21 22 23 24 25], [4 29 11 19]);
    s_box!(s7, 36, [24 25 26 27 28 29], [32 12 22 7]);
    s_box!(s8, 42, [28 29 30 31 32 1], [5 27 15 21]);
}

#[inline(always)]
fn rounds<W: Word, K: RoundKeys<W>>(words: &mut [W; 64], chain: usize, keys: &K) {
    let bits = |places: [usize; 32]| places.map(|place| words.get(place).copied().unwrap_or(W::splat(0)));
    let (mut left, mut right): ([W; 32], [W; 32]) = (bits(LEFT), bits(RIGHT));
    for des in 0..chain {
        for pair in 0..8 {
            let number = des * 16 + pair * 2;
            round(&mut left, &right, keys, number);
            round(&mut right, &left, keys, number + 1);
        }
        // the last round does not change sides; between two DES of a chain the final and the
        // initial permutation cancel
        std::mem::swap(&mut left, &mut right);
    }
    for (place, bit) in LEFT.into_iter().zip(left).chain(RIGHT.into_iter().zip(right)) {
        if let Some(word) = words.get_mut(place) {
            *word = bit;
        }
    }
}

/// Encrypts or decrypts in place, as the schedule says, as many blocks as a word has bits: under
/// the schedule's key, or each under its own where there are `own` ones, for each DES of the chain.
#[inline(always)]
pub(crate) fn crypt<W: Word>(blocks: &mut Blocks, schedule: &Schedule, own: Option<&[Blocks; 3]>) {
    let mut words = slice(blocks);
    match own {
        None => rounds(&mut words, schedule.chain(), &OneKey(schedule)),
        Some([first, second, third]) => {
            let own: [[W; 64]; 3] = match schedule.chain() {
                1 => [slice(first), [W::splat(0); 64], [W::splat(0); 64]],
                _ => [slice(first), slice(second), slice(third)],
            };
            rounds(&mut words, schedule.chain(), &OwnKeys { words: own, schedule });
        }
    }
    transpose(&mut words);
    for (word, lanes) in words.iter().zip(blocks.chunks_exact_mut(W::LANES)) {
        word.store(lanes);
    }
}
