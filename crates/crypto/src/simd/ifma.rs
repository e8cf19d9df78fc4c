//! Montgomery multiplication by AVX-512 IFMA: eight 52-bit digits of a product at a time.
//!
//! Every prime here ends in 64 ones, so that -1/p is 1 modulo 2^52: the multiple of p that clears
//! the lowest digit `t` is `t` itself, and what that digit carries on is `(t >> 52) + (t mod
//! 2^52)`. The lowest digit of p is thereby never multiplied.
#![allow(unsafe_code)]

use core::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_alignr_epi64, _mm512_and_si512, _mm512_broadcastq_epi64,
    _mm512_castsi512_si128, _mm512_cmpeq_epu64_mask, _mm512_cmpgt_epu64_mask, _mm512_loadu_si512,
    _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_add_epi64, _mm512_maskz_add_epi64,
    _mm512_set1_epi64, _mm512_setzero_si512, _mm512_srli_epi64, _mm512_storeu_si512,
};

/// Digits of 52 bits, the lowest first, eight in a vector; those above the highest are zero.
pub(crate) type Digits<const V: usize> = [[u64; 8]; V];

/// Bits of a digit.
pub(crate) const DIGIT: u32 = 52;
const MASK: u64 = (1 << DIGIT) - 1;

/// Proof that this processor has the instructions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ifma(());

impl Ifma {
    /// The proof, where it has them.
    pub(crate) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
        has.then_some(Self(()))
    }

    /// `a * b / 2^(52 L)` modulo p, below 2p if both factors are and `4p < 2^(52 L)`. Time and
    /// memory accesses depend on no digit. `p` is given without its lowest digit, which is 2^52 -
    /// 1.
    pub(crate) fn multiply<const V: usize, const L: usize>(
        self,
        a: &Digits<V>,
        b: &Digits<V>,
        p: &Digits<V>,
    ) -> Digits<V> {
        // SAFETY: `self` exists only where the processor has AVX-512F and IFMA
        unsafe { multiply::<V, L>(a, b, p) }
    }

    /// An entry of a table, all of which is read.
    pub(crate) fn select<const V: usize>(self, table: &[Digits<V>], index: usize) -> Digits<V> {
        // SAFETY: `self` exists only where the processor has AVX-512F
        unsafe { select(table, index) }
    }
}

#[target_feature(enable = "avx512f")]
fn load<const V: usize>(digits: &Digits<V>) -> [__m512i; V] {
    let mut out = [_mm512_setzero_si512(); V];
    for (vector, digits) in out.iter_mut().zip(digits) {
        // SAFETY: eight digits of eight bytes are 64 readable bytes; the load needs no alignment
        *vector = unsafe { _mm512_loadu_si512(digits.as_ptr().cast()) };
    }
    out
}

#[target_feature(enable = "avx512f")]
fn store<const V: usize>(vectors: &[__m512i; V]) -> Digits<V> {
    let mut out = [[0; 8]; V];
    for (digits, vector) in out.iter_mut().zip(vectors) {
        // SAFETY: eight digits of eight bytes are 64 writable bytes; the store needs no alignment
        unsafe { _mm512_storeu_si512(digits.as_mut_ptr().cast(), *vector) };
    }
    out
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply<const V: usize, const L: usize>(a: &Digits<V>, b: &Digits<V>, p: &Digits<V>) -> Digits<V> {
    let (a, p, zero) = (load(a), load(p), _mm512_setzero_si512());
    let mask = _mm512_set1_epi64(MASK.cast_signed());
    let mut sum = [zero; V];
    let mut digit = zero;
    // the low halves of the products with a digit are added one step ahead, so that nothing waits
    // for them. The digit above the highest is zero, and the first step starts with nothing.
    let ahead = b.as_flattened().iter().take(L).copied().chain([0]);
    for next in ahead {
        let next = _mm512_set1_epi64(next.cast_signed());
        let lowest = sum.first().copied().unwrap_or(zero);
        let multiple = _mm512_broadcastq_epi64(_mm512_castsi512_si128(lowest));
        let mut carry =
            _mm512_maskz_add_epi64(1, _mm512_srli_epi64(lowest, DIGIT), _mm512_and_si512(lowest, mask));
        let mut new = [zero; V];
        for (((new, sum), a), p) in new.iter_mut().zip(&mut sum).zip(&a).zip(&p) {
            let product = _mm512_madd52hi_epu64(_mm512_madd52lo_epu64(zero, *a, next), *a, digit);
            *new = _mm512_add_epi64(_mm512_madd52hi_epu64(product, *p, multiple), carry);
            *sum = _mm512_madd52lo_epu64(*sum, *p, multiple);
            carry = zero;
        }
        // one digit down
        let mut above = zero;
        for (sum, new) in sum.iter_mut().zip(&new).rev() {
            let here = *sum;
            *sum = _mm512_add_epi64(_mm512_alignr_epi64::<1>(above, here), *new);
            above = here;
        }
        digit = next;
    }
    store(&normal(sum))
}

/// Carries what is above 52 bits of each digit on to the next.
#[target_feature(enable = "avx512f")]
fn normal<const V: usize>(mut sum: [__m512i; V]) -> [__m512i; V] {
    let (mask, zero) = (_mm512_set1_epi64(MASK.cast_signed()), _mm512_setzero_si512());
    let mut below = zero;
    // which digits carry once more, and which would if one came to them: a bit each
    let (mut over, mut full, mut shift) = (0_u128, 0_u128, 0);
    for digits in &mut sum {
        let carry = _mm512_srli_epi64::<DIGIT>(*digits);
        *digits = _mm512_add_epi64(_mm512_and_si512(*digits, mask), _mm512_alignr_epi64::<7>(carry, below));
        below = carry;
        over |= u128::from(_mm512_cmpgt_epu64_mask(*digits, mask)) << shift;
        full |= u128::from(_mm512_cmpeq_epu64_mask(*digits, mask)) << shift;
        shift += 8;
    }
    let mut carried = ((over << 1) + full) ^ full;
    for digits in &mut sum {
        let [here, ..] = carried.to_le_bytes();
        let more = _mm512_mask_add_epi64(*digits, here, *digits, _mm512_set1_epi64(1));
        *digits = _mm512_and_si512(more, mask);
        carried >>= 8;
    }
    sum
}

#[target_feature(enable = "avx512f")]
fn select<const V: usize>(table: &[Digits<V>], index: usize) -> Digits<V> {
    let mut out = [_mm512_setzero_si512(); V];
    for (place, entry) in table.iter().enumerate() {
        let wanted =
            _mm512_cmpeq_epu64_mask(_mm512_set1_epi64(place as i64), _mm512_set1_epi64(index as i64));
        for (out, entry) in out.iter_mut().zip(load(entry)) {
            *out = _mm512_mask_add_epi64(*out, wanted, *out, entry);
        }
    }
    store(&out)
}
