//! The field with 64-bit words: numbers below the prime.
//!
//! Every prime here ends in 64 ones, so that the multiple of p that clears the lowest word `t` is
//! `t` itself, and that word carries on just `t`.

use super::digits;
use super::power::{Comb, Field, Power};

struct Numbers<const N: usize> {
    prime: [u64; N],
    one: [u64; N],
    /// What brings a number into Montgomery form.
    into: [u64; N],
}

/// `sum + a * b + carry`: its lower word, and its upper one as the next carry.
fn add_product(sum: u64, a: u64, b: u64, carry: &mut u64) -> u64 {
    let wide = u128::from(sum) + u128::from(a) * u128::from(b) + u128::from(*carry);
    // the upper half of 128 bits has 64
    *carry = (wide >> 64) as u64;
    wide as u64
}

/// `a * b / 2^(64 N)` modulo p.
fn multiply<const N: usize>(a: &[u64; N], b: &[u64; N], p: &[u64; N]) -> [u64; N] {
    let mut sum = [0; N];
    let mut top = 0;
    let mut row = [0; N];
    for b in b {
        let mut carry = 0;
        for ((row, sum), a) in row.iter_mut().zip(&sum).zip(a) {
            *row = add_product(*sum, *a, *b, &mut carry);
        }
        let multiple = row.first().copied().unwrap_or_default();
        let mut reduced = multiple;
        for ((sum, row), p) in sum.iter_mut().zip(row.iter().skip(1)).zip(p.iter().skip(1)) {
            *sum = add_product(*row, multiple, *p, &mut reduced);
        }
        let (highest, first) = carry.overflowing_add(reduced);
        let (highest, second) = highest.overflowing_add(top);
        if let Some(last) = sum.last_mut() {
            *last = highest;
        }
        top = u64::from(first) + u64::from(second);
    }
    // the sum is below 2p: p is subtracted once if the result is not negative
    let mut less = [0; N];
    let mut borrow = 0;
    for ((less, sum), p) in less.iter_mut().zip(&sum).zip(p) {
        let (difference, first) = sum.overflowing_sub(*p);
        let (difference, second) = difference.overflowing_sub(borrow);
        *less = difference;
        borrow = u64::from(first | second);
    }
    let keep = (borrow & !top).wrapping_neg();
    for (sum, less) in sum.iter_mut().zip(&less) {
        *sum = (*sum & keep) | (*less & !keep);
    }
    sum
}

impl<const N: usize> Numbers<N> {
    fn new(prime: &[u8]) -> Self {
        let bits = u32::try_from(64 * N).unwrap_or_default();
        let read = |bytes: &[u8]| {
            let mut out = [0; N];
            digits::from_bytes(bytes, 64, &mut out);
            out
        };
        let (into, prime) = (read(&digits::square_of_radix(prime, bits)), read(prime));
        Self { prime, one: multiply(&into, &read(&[1]), &prime), into }
    }
}

impl<const N: usize> Field for Numbers<N> {
    type Number = [u64; N];

    fn multiply(&self, a: &[u64; N], b: &[u64; N]) -> [u64; N] {
        multiply(a, b, &self.prime)
    }

    fn select(&self, table: &[[u64; N]], index: usize) -> [u64; N] {
        let mut out = [0; N];
        for (place, entry) in table.iter().enumerate() {
            // the optimiser must not make a branch of it
            let different = std::hint::black_box((place ^ index) as u64);
            let wanted = different.wrapping_sub(1) & !different;
            let mask = (wanted >> 63).wrapping_neg();
            for (out, entry) in out.iter_mut().zip(entry) {
                *out |= entry & mask;
            }
        }
        out
    }

    fn one(&self) -> [u64; N] {
        self.one
    }

    fn enter(&self, bytes: &[u8]) -> [u64; N] {
        let mut number = [0; N];
        digits::from_bytes(bytes, 64, &mut number);
        self.multiply(&number, &self.into)
    }

    fn leave(&self, number: &[u64; N]) -> Vec<u8> {
        let mut one = [0; N];
        if let Some(lowest) = one.first_mut() {
            *lowest = 1;
        }
        digits::to_bytes(&self.multiply(number, &one), 64, N * 8)
    }
}

/// Powers modulo a prime.
pub(super) fn make(prime: &[u8], exponent_bytes: usize) -> Option<Box<dyn Power>> {
    Some(match prime.len() * 8 {
        768 => Box::new(Comb::new(Numbers::<12>::new(prime), exponent_bytes)),
        1024 => Box::new(Comb::new(Numbers::<16>::new(prime), exponent_bytes)),
        1536 => Box::new(Comb::new(Numbers::<24>::new(prime), exponent_bytes)),
        2048 => Box::new(Comb::new(Numbers::<32>::new(prime), exponent_bytes)),
        3072 => Box::new(Comb::new(Numbers::<48>::new(prime), exponent_bytes)),
        4096 => Box::new(Comb::new(Numbers::<64>::new(prime), exponent_bytes)),
        _ => return None,
    })
}
