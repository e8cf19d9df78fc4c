//! SHA-1 of two messages at once with the SHA instructions: each of them waits for the one before
//! it, and the other message's instructions run in the meantime.
#![allow(unsafe_code)]

use std::arch::x86_64::*;

/// Whether this processor can.
pub(crate) fn is_there() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1")
}

/// Goes on with two states over as many blocks as both messages have; false, and nothing done,
/// where the processor cannot.
pub(crate) fn compress_here(states: &mut [[u32; 5]; 2], messages: [&[[u8; 64]]; 2]) -> bool {
    if !is_there() {
        return false;
    }
    // SAFETY: the processor has the features.
    unsafe { with_features(states, messages) };
    true
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn load(part: &[u8; 16], order: __m128i) -> __m128i {
    // SAFETY: sixteen bytes are read, and need not be aligned.
    _mm_shuffle_epi8(unsafe { _mm_loadu_si128(part.as_ptr().cast()) }, order)
}

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn with_features(states: &mut [[u32; 5]; 2], messages: [&[[u8; 64]]; 2]) {
    // the instructions want the first word of four in the highest lane
    let order = _mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f);
    let [[a0, b0, c0, d0, e0], [a1, b1, c1, d1, e1]] = states.map(|state| state.map(u32::cast_signed));
    let mut abcd = [_mm_set_epi32(a0, b0, c0, d0), _mm_set_epi32(a1, b1, c1, d1)];
    let mut e = [_mm_set_epi32(e0, 0, 0, 0), _mm_set_epi32(e1, 0, 0, 0)];
    for (first, second) in messages[0].iter().zip(messages[1]) {
        let ([p0, p1, p2, p3], []) = first.as_chunks::<16>() else { return };
        let ([q0, q1, q2, q3], []) = second.as_chunks::<16>() else { return };
        let mut w = [
            [load(p0, order), load(q0, order)],
            [load(p1, order), load(q1, order)],
            [load(p2, order), load(q2, order)],
            [load(p3, order), load(q3, order)],
        ];
        let mut odd = [_mm_add_epi32(e[0], w[0][0]), _mm_add_epi32(e[1], w[0][1])];
        let mut even = abcd;
        odd = [_mm_sha1rnds4_epu32(even[0], odd[0], 0), _mm_sha1rnds4_epu32(even[1], odd[1], 0)];
        // four rounds of both: `$a` has the words a to d, `$e` those of four rounds before, of
        // which e follows
        macro_rules! rounds {
            ($a:ident, $e:ident, $at:literal, $kind:literal) => {
                if $at > 3 {
                    let [old, next, third, last] =
                        [w[$at % 4], w[($at + 1) % 4], w[($at + 2) % 4], w[($at + 3) % 4]];
                    let sums = [_mm_sha1msg1_epu32(old[0], next[0]), _mm_sha1msg1_epu32(old[1], next[1])];
                    w[$at % 4] = [
                        _mm_sha1msg2_epu32(_mm_xor_si128(sums[0], third[0]), last[0]),
                        _mm_sha1msg2_epu32(_mm_xor_si128(sums[1], third[1]), last[1]),
                    ];
                }
                $e = [
                    _mm_sha1rnds4_epu32($a[0], _mm_sha1nexte_epu32($e[0], w[$at % 4][0]), $kind),
                    _mm_sha1rnds4_epu32($a[1], _mm_sha1nexte_epu32($e[1], w[$at % 4][1]), $kind),
                ];
            };
        }
        rounds!(odd, even, 1, 0);
        rounds!(even, odd, 2, 0);
        rounds!(odd, even, 3, 0);
        rounds!(even, odd, 4, 0);
        rounds!(odd, even, 5, 1);
        rounds!(even, odd, 6, 1);
        rounds!(odd, even, 7, 1);
        rounds!(even, odd, 8, 1);
        rounds!(odd, even, 9, 1);
        rounds!(even, odd, 10, 2);
        rounds!(odd, even, 11, 2);
        rounds!(even, odd, 12, 2);
        rounds!(odd, even, 13, 2);
        rounds!(even, odd, 14, 2);
        rounds!(odd, even, 15, 3);
        rounds!(even, odd, 16, 3);
        rounds!(odd, even, 17, 3);
        rounds!(even, odd, 18, 3);
        rounds!(odd, even, 19, 3);
        e = [_mm_sha1nexte_epu32(odd[0], e[0]), _mm_sha1nexte_epu32(odd[1], e[1])];
        abcd = [_mm_add_epi32(abcd[0], even[0]), _mm_add_epi32(abcd[1], even[1])];
    }
    macro_rules! words {
        ($s:literal) => {
            [
                _mm_extract_epi32(abcd[$s], 3).cast_unsigned(),
                _mm_extract_epi32(abcd[$s], 2).cast_unsigned(),
                _mm_extract_epi32(abcd[$s], 1).cast_unsigned(),
                _mm_extract_epi32(abcd[$s], 0).cast_unsigned(),
                _mm_extract_epi32(e[$s], 3).cast_unsigned(),
            ]
        };
    }
    *states = [words!(0), words!(1)];
}
