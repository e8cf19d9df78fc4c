//! The field with AVX-512 IFMA: digits of 52 bits, numbers below twice the prime.

use super::digits;
use super::power::{Comb, Field, Power};
use crate::simd::ifma::{DIGIT, Digits, Ifma};

/// The field of a prime of at most `52 L - 2` bits, in `V` vectors.
struct Numbers<const V: usize, const L: usize> {
    ifma: Ifma,
    /// The prime without its lowest digit.
    prime: Digits<V>,
    bytes: usize,
    one: Digits<V>,
    /// What brings a number into Montgomery form.
    into: Digits<V>,
}

fn read<const V: usize>(bytes: &[u8]) -> Digits<V> {
    let mut out = [[0; 8]; V];
    digits::from_bytes(bytes, DIGIT, out.as_flattened_mut());
    out
}

impl<const V: usize, const L: usize> Numbers<V, L> {
    fn new(ifma: Ifma, prime: &[u8]) -> Self {
        let bits = DIGIT * u32::try_from(L).unwrap_or_default();
        let into = read(&digits::square_of_radix(prime, bits));
        let bytes = prime.len();
        let mut prime: Digits<V> = read(prime);
        if let Some(lowest) = prime.as_flattened_mut().first_mut() {
            *lowest = 0;
        }
        let one = ifma.multiply::<V, L>(&into, &read(&[1]), &prime);
        Self { ifma, prime, bytes, one, into }
    }
}

impl<const V: usize, const L: usize> Field for Numbers<V, L> {
    type Number = Digits<V>;

    fn multiply(&self, a: &Digits<V>, b: &Digits<V>) -> Digits<V> {
        self.ifma.multiply::<V, L>(a, b, &self.prime)
    }

    fn select(&self, table: &[Digits<V>], index: usize) -> Digits<V> {
        self.ifma.select(table, index)
    }

    fn one(&self) -> Digits<V> {
        self.one
    }

    fn enter(&self, bytes: &[u8]) -> Digits<V> {
        self.multiply(&read(bytes), &self.into)
    }

    /// A product with one is not above the prime, and the prime itself only for zero.
    fn leave(&self, number: &Digits<V>) -> Vec<u8> {
        let plain = self.multiply(number, &read(&[1]));
        digits::to_bytes(plain.as_flattened(), DIGIT, self.bytes)
    }
}

/// Powers modulo a prime; `None` where the processor lacks the instructions.
pub(super) fn make(prime: &[u8], exponent_bytes: usize) -> Option<Box<dyn Power>> {
    let ifma = Ifma::detect()?;
    Some(match prime.len() * 8 {
        768 => Box::new(Comb::new(Numbers::<2, 15>::new(ifma, prime), exponent_bytes)),
        1024 => Box::new(Comb::new(Numbers::<3, 20>::new(ifma, prime), exponent_bytes)),
        1536 => Box::new(Comb::new(Numbers::<4, 30>::new(ifma, prime), exponent_bytes)),
        2048 => Box::new(Comb::new(Numbers::<5, 40>::new(ifma, prime), exponent_bytes)),
        3072 => Box::new(Comb::new(Numbers::<8, 60>::new(ifma, prime), exponent_bytes)),
        4096 => Box::new(Comb::new(Numbers::<10, 79>::new(ifma, prime), exponent_bytes)),
        _ => return None,
    })
}
