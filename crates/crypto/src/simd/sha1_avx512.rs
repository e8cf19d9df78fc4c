//! SHA-1 of sixteen messages at once (avx512f, avx512bw).
#![allow(unsafe_code)]

use std::arch::x86_64::*;

/// How many messages.
pub(crate) const LANES: usize = 16;

/// Whether this processor can.
pub(crate) fn is_there() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
}

/// Continues sixteen states, of which the first words come first, then the second ones, over as
/// many blocks as all messages have; false, with nothing done, if the processor does not support
/// it.
pub(crate) fn compress_here(states: &mut [[u32; LANES]; 5], messages: &[&[[u8; 64]]; LANES]) -> bool {
    if !is_there() {
        return false;
    }
    // SAFETY: the processor has the features.
    unsafe { with_features(states, messages) };
    true
}

#[target_feature(enable = "avx512f,avx512bw")]
fn load<T>(from: &T) -> __m512i {
    const { assert!(size_of::<T>() == 64) };
    // SAFETY: 64 bytes are read, and need not be aligned.
    unsafe { _mm512_loadu_si512(std::ptr::from_ref(from).cast()) }
}

/// The first words of all blocks, then the second ones: transposes a square of 16 by 16, in pairs,
/// in fours, and twice in quarters of the register.
#[target_feature(enable = "avx512f,avx512bw")]
fn words(messages: &[&[[u8; 64]]; LANES], at: usize) -> Option<[__m512i; 16]> {
    let order = _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203);
    let mut rows = [_mm512_setzero_si512(); 16];
    for (row, message) in rows.iter_mut().zip(messages) {
        *row = _mm512_shuffle_epi8(load(message.get(at)?), order);
    }
    for [a, b] in rows.as_chunks_mut().0 {
        (*a, *b) = (_mm512_unpacklo_epi32(*a, *b), _mm512_unpackhi_epi32(*a, *b));
    }
    for [a, b, c, d] in rows.as_chunks_mut().0 {
        let (first, second) = ((*a, *c), (*b, *d));
        (*a, *b) = (_mm512_unpacklo_epi64(first.0, first.1), _mm512_unpackhi_epi64(first.0, first.1));
        (*c, *d) = (_mm512_unpacklo_epi64(second.0, second.1), _mm512_unpackhi_epi64(second.0, second.1));
    }
    let quarters = |upper: &mut [__m512i], lower: &mut [__m512i]| {
        for (a, b) in upper.iter_mut().zip(lower) {
            (*a, *b) = (_mm512_shuffle_i32x4::<0x88>(*a, *b), _mm512_shuffle_i32x4::<0xdd>(*a, *b));
        }
    };
    let (upper, lower) = rows.split_at_mut(8);
    for half in [&mut *upper, &mut *lower] {
        let (upper, lower) = half.split_at_mut(4);
        quarters(upper, lower);
    }
    quarters(upper, lower);
    Some(rows)
}

#[target_feature(enable = "avx512f,avx512bw")]
fn with_features(states: &mut [[u32; LANES]; 5], messages: &[&[[u8; 64]]; LANES]) {
    let [mut a, mut b, mut c, mut d, mut e] = states.each_ref().map(|words| load(words));
    for at in 0.. {
        let Some(mut w) = words(messages, at) else { break };
        let old = [a, b, c, d, e];
        // FIPS 180-4, 6.1.2; `$f` is the table of the function of b, c and d
        macro_rules! round {
            ($t:expr, $f:literal, $k:expr) => {
                if $t >= 16 {
                    let three = _mm512_ternarylogic_epi32::<0x96>(
                        w[($t + 13) % 16],
                        w[($t + 8) % 16],
                        w[($t + 2) % 16],
                    );
                    w[$t % 16] = _mm512_rol_epi32::<1>(_mm512_xor_si512(three, w[$t % 16]));
                }
                let sum = _mm512_add_epi32(
                    _mm512_add_epi32(e, _mm512_ternarylogic_epi32::<$f>(b, c, d)),
                    _mm512_add_epi32(w[$t % 16], $k),
                );
                e = d;
                d = c;
                c = _mm512_rol_epi32::<30>(b);
                b = a;
                a = _mm512_add_epi32(sum, _mm512_rol_epi32::<5>(a));
            };
        }
        macro_rules! twenty {
            ($start:literal, $f:literal, $k:expr) => {
                let k = _mm512_set1_epi32($k);
                twenty!($start, $f, k, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);
            };
            ($start:literal, $f:literal, $k:ident, $($t:literal)*) => { $( round!($start + $t, $f, $k); )* };
        }
        twenty!(0, 0xca, 0x5a82_7999);
        twenty!(20, 0x96, 0x6ed9_eba1);
        twenty!(40, 0xe8, 0x8f1b_bcdc_u32.cast_signed());
        twenty!(60, 0x96, 0xca62_c1d6_u32.cast_signed());
        a = _mm512_add_epi32(a, old[0]);
        b = _mm512_add_epi32(b, old[1]);
        c = _mm512_add_epi32(c, old[2]);
        d = _mm512_add_epi32(d, old[3]);
        e = _mm512_add_epi32(e, old[4]);
    }
    for (state, word) in states.iter_mut().zip([a, b, c, d, e]) {
        // SAFETY: 64 bytes are written, and need not be aligned.
        unsafe { _mm512_storeu_si512(state.as_mut_ptr().cast(), word) };
    }
}
