//! The sum of 32-bit words (avx2).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

/// Whether this processor can.
pub(crate) fn is_there() -> bool {
    is_x86_feature_detected!("avx2")
}

/// The sum of the blocks' 32-bit words in the machine's byte order; `None` where the processor
/// cannot. Of no more than 2^32 words.
pub(crate) fn sum_here(blocks: &[[u8; 64]]) -> Option<u64> {
    if !is_there() {
        return None;
    }
    // SAFETY: the processor has the feature.
    Some(unsafe { with_feature(blocks) })
}

#[target_feature(enable = "avx2")]
fn with_feature(blocks: &[[u8; 64]]) -> u64 {
    let mut sums = [_mm256_setzero_si256(); 4];
    let low = _mm256_set1_epi64x(0xffff_ffff);
    for block in blocks {
        let (halves, _) = block.as_chunks::<32>();
        for (half, sums) in halves.iter().zip(sums.as_chunks_mut::<2>().0) {
            // SAFETY: 32 bytes are read, and need not be aligned.
            let words = unsafe { _mm256_loadu_si256(half.as_ptr().cast()) };
            sums[0] = _mm256_add_epi64(sums[0], _mm256_and_si256(words, low));
            sums[1] = _mm256_add_epi64(sums[1], _mm256_srli_epi64::<32>(words));
        }
    }
    let [a, b, c, d] = sums;
    let sum = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
    let sum = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256::<1>(sum));
    let sum = _mm_add_epi64(sum, _mm_unpackhi_epi64(sum, sum));
    _mm_cvtsi128_si64(sum).cast_unsigned()
}
