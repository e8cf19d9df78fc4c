//! The bit-sliced DES over words of 512 bits (avx512f).
#![allow(unsafe_code)]

use crate::des::core::{Blocks, crypt};
use crate::des::schedule::Schedule;
use crate::des::word::Word;
use std::arch::x86_64::*;

/// A register.
#[derive(Clone, Copy)]
struct Register(__m512i);

// SAFETY, for every intrinsic here: only `with_feature` below makes such words, and it runs on
// processors that have the instructions; what is loaded and stored is a slice of the length that
// the instruction takes.
impl Word for Register {
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(lane: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_epi64(lane.cast_signed()) })
    }

    #[inline(always)]
    fn load(lanes: &[u64]) -> Self {
        match lanes.first_chunk::<{ Self::LANES }>() {
            // SAFETY: see above; the load need not be aligned.
            Some(lanes) => Self(unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }),
            None => Self::splat(0),
        }
    }

    #[inline(always)]
    fn store(self, lanes: &mut [u64]) {
        if let Some(lanes) = lanes.first_chunk_mut::<{ Self::LANES }>() {
            // SAFETY: see above; the store need not be aligned.
            unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), self.0) }
        }
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_and_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_or_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        // SAFETY: see above. The instruction inverts its first operand.
        Self(unsafe { _mm512_andnot_si512(other.0, self.0) })
    }

    #[inline(always)]
    fn up<const N: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sll_epi64(self.0, _mm_cvtsi32_si128(N)) })
    }

    #[inline(always)]
    fn down<const N: i32>(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_srl_epi64(self.0, _mm_cvtsi32_si128(N)) })
    }
}

#[target_feature(enable = "avx512f")]
fn with_feature(blocks: &mut Blocks, schedule: &Schedule, own: Option<&[Blocks; 3]>) {
    crypt::<Register>(blocks, schedule, own);
}

/// Whether this processor can.
pub(crate) fn is_there() -> bool {
    is_x86_feature_detected!("avx512f")
}

/// [`crypt`] of as many blocks as a word has bits; false, and nothing done, where the processor
/// cannot.
pub(crate) fn crypt_here(blocks: &mut Blocks, schedule: &Schedule, own: Option<&[Blocks; 3]>) -> bool {
    if !is_there() {
        return false;
    }
    // SAFETY: the processor has the feature.
    unsafe { with_feature(blocks, schedule, own) };
    true
}
