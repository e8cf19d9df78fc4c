//! Cipher block chaining (FIPS 81) over batches of packets.

use super::core::{Blocks, MAX_BLOCKS, crypt};
use super::schedule::{Direction, Keys, Kind, Schedule};
use crate::cipher::CryptoError;
use std::sync::atomic::{AtomicUsize, Ordering};
use zeroize::Zeroize;

/// A key of DES (8 bytes) or Triple DES (24 bytes, keying option 1 of FIPS 46-3). Parity bits are
/// ignored.
#[derive(Clone)]
pub struct DesKey(Keys);

impl std::fmt::Debug for DesKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DesKey")
    }
}

impl DesKey {
    /// From 8 or 24 bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, CryptoError> {
        let (keys, rest) = bytes.as_chunks::<8>();
        let mut numbers = [0; 3];
        numbers.iter_mut().zip(keys).for_each(|(number, key)| *number = u64::from_le_bytes(*key));
        let kind = match (keys.len(), rest) {
            (1, []) => Kind::Single,
            (3, []) => Kind::Triple,
            _ => return Err(CryptoError::KeyLength),
        };
        Ok(Self(Keys { keys: numbers, kind }))
    }
}

/// Whole blocks to encrypt or decrypt in place; bytes after the last whole block do not change.
#[derive(Debug)]
pub struct CbcJob<'a> {
    /// The SA's key.
    pub key: &'a DesKey,
    /// The initialisation vector.
    pub iv: [u8; 8],
    /// The blocks.
    pub data: &'a mut [u8],
}

/// How many blocks one pass takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Width {
    /// 64, in general registers: on every processor.
    Bits64,
    /// 256, in AVX2 registers.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// 512, in AVX-512 registers.
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// The blocks of the width that was chosen, or zero.
static CHOSEN: AtomicUsize = AtomicUsize::new(0);

impl Width {
    /// All that this processor has, the narrowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let more = [
            (Self::Avx2, crate::simd::des_avx2::is_there()),
            // what is narrower is done in AVX2
            (Self::Avx512, crate::simd::des_avx512::is_there() && crate::simd::des_avx2::is_there()),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let more: [(Self, bool); 0] = [];
        std::iter::once(Self::Bits64)
            .chain(more.into_iter().filter(|(_, there)| *there).map(|(width, _)| width))
    }

    /// The widest that this processor has.
    pub fn widest() -> Self {
        Self::available().last().unwrap_or(Self::Bits64)
    }

    /// The one that was chosen, or else the widest.
    pub fn chosen() -> Self {
        match CHOSEN.load(Ordering::Relaxed) {
            0 => Self::widest(),
            blocks => Self::available().find(|width| width.blocks() == blocks).unwrap_or(Self::Bits64),
        }
    }

    /// Takes this one from now on.
    pub(crate) fn choose(self) {
        CHOSEN.store(self.blocks(), Ordering::Relaxed);
    }

    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bits64 => "bit-sliced, 64 blocks",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "bit-sliced, 256 blocks (AVX2)",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "bit-sliced, 512 blocks (AVX-512)",
        }
    }

    /// Blocks of one pass.
    pub const fn blocks(self) -> usize {
        match self {
            Self::Bits64 => 64,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => 256,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => 512,
        }
    }

    /// One pass over `count` blocks, in the narrowest registers that hold them and are not wider
    /// than these: a pass takes the longer the wider they are, though far less than in proportion.
    fn pass(self, count: usize, blocks: &mut Blocks, schedule: &Schedule, own: Option<&[Blocks; 3]>) {
        #[cfg(target_arch = "x86_64")]
        {
            use crate::simd::{des_avx2, des_avx512};
            let narrow = count <= Self::Avx2.blocks();
            let done = count > Self::Bits64.blocks()
                && match self {
                    Self::Bits64 => false,
                    Self::Avx512 if !narrow => des_avx512::crypt_here(blocks, schedule, own),
                    Self::Avx2 | Self::Avx512 => des_avx2::crypt_here(blocks, schedule, own),
                };
            if done {
                return;
            }
        }
        debug_assert!(count <= Self::Bits64.blocks());
        crypt::<u64>(blocks, schedule, own);
    }
}

/// The keys of the blocks of a pass.
struct PassKeys<'a, 'o> {
    direction: Direction,
    /// The key of the first block.
    first: Option<&'a DesKey>,
    /// The schedule of the first block's key.
    schedule: Schedule,
    /// Whether all blocks have that key.
    one: bool,
    /// The caller's, because moving them costs as much as a pass.
    own: &'o mut [Blocks; 3],
    /// There are keys in them.
    used: bool,
}

impl<'a, 'o> PassKeys<'a, 'o> {
    fn new(direction: Direction, own: &'o mut [Blocks; 3]) -> Self {
        Self { direction, first: None, schedule: Schedule::empty(), one: true, own, used: false }
    }

    /// The keys of all blocks of the next pass, in their order.
    fn of(&mut self, keys: impl Iterator<Item = &'a DesKey>) {
        for (place, key) in keys.enumerate() {
            self.set(place, key);
        }
    }

    /// The key of the block at `place`; the places of a pass are set in their order.
    #[inline(always)]
    fn set(&mut self, place: usize, key: &'a DesKey) {
        let is_first = self.first.is_some_and(|first| std::ptr::eq(first, key));
        if place == 0 {
            self.begin(key, is_first);
        } else if !(is_first && self.one) {
            self.set_own(place, key);
        }
    }

    /// The first block of a pass.
    fn begin(&mut self, key: &'a DesKey, is_first: bool) {
        self.one = true;
        if !is_first {
            self.first = Some(key);
            self.schedule.set(&key.0, self.direction);
        }
    }

    /// The pass has blocks of several keys, and each gets its own.
    fn set_own(&mut self, place: usize, key: &DesKey) {
        self.used = true;
        if let Some(first) = self.first.filter(|_| self.one) {
            for (keys, key) in self.own.iter_mut().zip(first.0.keys) {
                keys.iter_mut().take(place).for_each(|place| *place = key);
            }
        }
        self.one = false;
        for (keys, key) in self.own.iter_mut().zip(key.0.keys) {
            if let Some(place) = keys.get_mut(place) {
                *place = key;
            }
        }
    }

    fn pass(&self, width: Width, count: usize, blocks: &mut Blocks) {
        if self.first.is_some() {
            width.pass(count, blocks, &self.schedule, (!self.one).then_some(&*self.own));
        }
    }
}

impl Drop for PassKeys<'_, '_> {
    fn drop(&mut self) {
        if self.used {
            self.own.as_flattened_mut().zeroize();
        }
    }
}

/// Decrypts every job whose key is of this kind.
pub fn decrypt<'a>(kind: Kind, jobs: impl Iterator<Item = CbcJob<'a>>) {
    decrypt_with(Width::chosen(), kind, jobs);
}

/// Decrypts in passes of a chosen width, which the processor must have.
pub fn decrypt_with<'a>(width: Width, kind: Kind, jobs: impl Iterator<Item = CbcJob<'a>>) {
    let mut own = [[0; MAX_BLOCKS]; 3];
    let mut keys = PassKeys::new(Direction::Decrypt, &mut own);
    let mut blocks = [0; MAX_BLOCKS];
    let mut chained = [0; MAX_BLOCKS];
    let mut places: [Option<&mut [u8; 8]>; MAX_BLOCKS] = [const { None }; MAX_BLOCKS];
    let mut count = 0;
    for job in jobs.filter(|job| job.key.0.kind == kind) {
        let mut before = u64::from_le_bytes(job.iv);
        for block in job.data.as_chunks_mut::<8>().0 {
            let cipher = u64::from_le_bytes(*block);
            keys.set(count, job.key);
            if let (Some(to), Some(chain), Some(place)) =
                (blocks.get_mut(count), chained.get_mut(count), places.get_mut(count))
            {
                (*to, *chain, *place) = (cipher, before, Some(block));
            }
            before = cipher;
            count += 1;
            if count == width.blocks() {
                keys.pass(width, count, &mut blocks);
                unchain(&blocks, &chained, &mut places);
                count = 0;
            }
        }
    }
    if count > 0 {
        keys.pass(width, count, &mut blocks);
        unchain(&blocks, &chained, &mut places);
    }
}

/// Puts what was decrypted, with the block before it, where it belongs.
fn unchain(blocks: &Blocks, chained: &Blocks, places: &mut [Option<&mut [u8; 8]>; MAX_BLOCKS]) {
    for ((place, block), before) in places.iter_mut().zip(blocks).zip(chained) {
        let Some(place) = place.take() else { return };
        *place = (block ^ before).to_le_bytes();
    }
}

/// A packet under encryption.
struct Lane<'a> {
    key: &'a DesKey,
    chain: u64,
    rest: &'a mut [[u8; 8]],
}

/// Encrypts every job whose key is of this kind.
pub fn encrypt<'a>(kind: Kind, jobs: impl Iterator<Item = CbcJob<'a>>) {
    encrypt_with(Width::chosen(), kind, jobs);
}

/// Encrypts in passes of a chosen width, which the processor must have.
pub fn encrypt_with<'a>(width: Width, kind: Kind, jobs: impl Iterator<Item = CbcJob<'a>>) {
    let mut jobs = jobs
        .filter(|job| job.key.0.kind == kind)
        .map(|job| Lane {
            key: job.key,
            chain: u64::from_le_bytes(job.iv),
            rest: job.data.as_chunks_mut::<8>().0,
        })
        .filter(|lane| !lane.rest.is_empty());
    let mut lanes: [Option<Lane<'_>>; MAX_BLOCKS] = [const { None }; MAX_BLOCKS];
    let mut own = [[0; MAX_BLOCKS]; 3];
    let mut keys = PassKeys::new(Direction::Encrypt, &mut own);
    let mut blocks = [0; MAX_BLOCKS];
    let mut count = 0;
    loop {
        for (place, lane) in lanes.iter_mut().take(width.blocks()).skip(count).zip(&mut jobs) {
            *place = Some(lane);
            count += 1;
        }
        if count == 0 {
            return;
        }
        keys.of(lanes.iter().take(count).flatten().map(|lane| lane.key));
        let mut ended = 0;
        while ended == 0 {
            for (block, lane) in blocks.iter_mut().zip(lanes.iter().take(count).flatten()) {
                *block = lane.chain ^ lane.rest.first().map_or(0, |plain| u64::from_le_bytes(*plain));
            }
            keys.pass(width, count, &mut blocks);
            for (block, lane) in blocks.iter().zip(lanes.iter_mut().take(count).flatten()) {
                lane.chain = *block;
                if let Some((place, rest)) = std::mem::take(&mut lane.rest).split_first_mut() {
                    *place = block.to_le_bytes();
                    lane.rest = rest;
                }
                ended += usize::from(lane.rest.is_empty());
            }
        }
        // the place of a packet that has ended is taken by the last of those under way
        let mut place = 0;
        while place < count {
            if lanes.get(place).and_then(Option::as_ref).is_some_and(|lane| !lane.rest.is_empty()) {
                place += 1;
                continue;
            }
            count -= 1;
            lanes.swap(place, count);
        }
    }
}
