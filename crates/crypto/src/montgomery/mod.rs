//! Powers modulo the MODP primes in constant time: what is done, and where in memory, depends on no bit of an exponent.
//!
//! Any base is raised with a window of four bits. The generator, which is 2 in every group, is raised with a comb of
//! [`TEETH`] teeth (Lim and Lee, 1994), whose table is made once for each group: that leaves a quarter of the multiplications.

mod digits;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod scalar;

use crate::modp;
use crate::suite::DhGroup;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroize;

/// Teeth of the comb: bits of the exponent that one multiplication takes in.
const TEETH: usize = 5;
/// Bits of a window.
const WINDOW: usize = 4;

/// Numbers modulo a prime in Montgomery form, and what can be done with them.
trait Field {
    /// A number.
    type Number: Copy + Zeroize;

    /// The product of two numbers.
    fn multiply(&self, a: &Self::Number, b: &Self::Number) -> Self::Number;

    /// The entry of a table, all of which is read.
    fn select(&self, table: &[Self::Number], index: usize) -> Self::Number;

    /// One.
    fn one(&self) -> Self::Number;

    /// The number that the bytes, the highest first, stand for; below the prime.
    fn enter(&self, bytes: &[u8]) -> Self::Number;

    /// A number that is not zero as bytes, the highest first, as many as the prime has.
    fn leave(&self, number: &Self::Number) -> Vec<u8>;
}

/// A group: powers of any number and of its generator.
pub(crate) trait Power: Send + Sync {
    /// `base` to the power of `exponent`, both with the highest byte first; `base` is above zero and below the prime.
    fn power(&self, base: &[u8], exponent: &[u8]) -> Vec<u8>;

    /// 2 to the power of `exponent`, which has at most as many bytes as the group was made for.
    fn power_of_two(&self, exponent: &[u8]) -> Vec<u8>;
}

/// A field with the table of its comb.
struct Comb<F: Field> {
    field: F,
    /// For each set of teeth the product of the powers of 2 that they stand for.
    table: Vec<F::Number>,
    /// Bits from one tooth to the next.
    distance: usize,
}

impl<F: Field> Comb<F> {
    fn new(field: F, exponent_bytes: usize) -> Self {
        let distance = (exponent_bytes * 8).div_ceil(TEETH);
        let mut table = vec![field.one()];
        let mut tooth = field.enter(&[2]);
        for number in 0..TEETH {
            if number > 0 {
                (0..distance).for_each(|_| tooth = field.multiply(&tooth, &tooth));
            }
            let with: Vec<_> = table.iter().map(|entry| field.multiply(entry, &tooth)).collect();
            table.extend(with);
        }
        Self { field, table, distance }
    }
}

/// A bit of a number, the lowest being 0; those above the highest are zero.
fn bit(number: &[u8], place: usize) -> usize {
    let byte = number.len().checked_sub(place / 8 + 1).and_then(|index| number.get(index));
    byte.map_or(0, |byte| usize::from(byte >> (place % 8) & 1))
}

impl<F: Field + Send + Sync> Power for Comb<F>
where
    F::Number: Send + Sync,
{
    fn power(&self, base: &[u8], exponent: &[u8]) -> Vec<u8> {
        let field = &self.field;
        let base = field.enter(base);
        let mut table = vec![field.one()];
        for _ in 1..1 << WINDOW {
            table.extend(table.last().map(|last| field.multiply(last, &base)));
        }
        let mut sum = field.one();
        let windows = exponent.iter().flat_map(|byte| [byte >> WINDOW, byte & 0x0f]);
        for (number, window) in windows.enumerate() {
            if number > 0 {
                (0..WINDOW).for_each(|_| sum = field.multiply(&sum, &sum));
            }
            let mut entry = field.select(&table, usize::from(window));
            sum = field.multiply(&sum, &entry);
            entry.zeroize();
        }
        let power = field.leave(&sum);
        sum.zeroize();
        power
    }

    fn power_of_two(&self, exponent: &[u8]) -> Vec<u8> {
        let field = &self.field;
        let mut sum = field.one();
        for column in (0..self.distance).rev() {
            let teeth = (0..TEETH).rev();
            let teeth =
                teeth.fold(0, |teeth, number| teeth << 1 | bit(exponent, number * self.distance + column));
            let mut entry = field.select(&self.table, teeth);
            sum = field.multiply(&field.multiply(&sum, &sum), &entry);
            entry.zeroize();
        }
        let power = field.leave(&sum);
        sum.zeroize();
        power
    }
}

/// The prime of a MODP group, the highest byte first; `None` for a curve.
pub(crate) fn prime(group: DhGroup) -> Option<&'static [u8]> {
    Some(match group {
        DhGroup::Modp768 => &modp::MODP_768,
        DhGroup::Modp1024 => &modp::MODP_1024,
        DhGroup::Modp1536 => &modp::MODP_1536,
        DhGroup::Modp2048 => &modp::MODP_2048,
        DhGroup::Modp3072 => &modp::MODP_3072,
        DhGroup::Modp4096 => &modp::MODP_4096,
        DhGroup::Ecp256 | DhGroup::Ecp384 | DhGroup::Ecp521 => return None,
    })
}

/// Which implementation does it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Implementation {
    /// AVX-512 IFMA.
    #[cfg(target_arch = "x86_64")]
    Ifma,
    /// 64-bit words.
    Scalar,
}

/// IFMA was tried and is slower here.
static SCALAR: AtomicBool = AtomicBool::new(false);

impl Implementation {
    /// All that this processor has, the one that is fastest on most first.
    pub(crate) fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let ifma = crate::simd::ifma::Ifma::detect().map(|_| Self::Ifma);
        #[cfg(not(target_arch = "x86_64"))]
        let ifma = None;
        ifma.into_iter().chain([Self::Scalar])
    }

    /// The one that was chosen, or else the first.
    pub(crate) fn chosen() -> Self {
        let first = Self::available().next().filter(|_| !SCALAR.load(Ordering::Relaxed));
        first.unwrap_or(Self::Scalar)
    }

    /// Takes this one for groups that are used from now on.
    pub(crate) fn choose(self) {
        SCALAR.store(self == Self::Scalar, Ordering::Relaxed);
    }

    /// For people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ifma => "AVX-512 IFMA",
            Self::Scalar => "64-bit words",
        }
    }
}

/// Powers in a group by one implementation, made for exponents of so many bytes; `None` for a curve, and where the processor
/// lacks the instructions.
pub(crate) fn make(
    group: DhGroup,
    exponent_bytes: usize,
    implementation: Implementation,
) -> Option<Box<dyn Power>> {
    let prime = prime(group)?;
    match implementation {
        #[cfg(target_arch = "x86_64")]
        Implementation::Ifma => ifma::make(prime, exponent_bytes),
        Implementation::Scalar => scalar::make(prime, exponent_bytes),
    }
}

/// Powers in a group by the implementation that is chosen when it is used first; `None` for a curve.
pub(crate) fn fastest(group: DhGroup, exponent_bytes: usize) -> Option<&'static dyn Power> {
    static GROUPS: [OnceLock<Option<Box<dyn Power>>>; 6] = [const { OnceLock::new() }; 6];
    let [first, second, fifth, fourteenth, fifteenth, sixteenth] = &GROUPS;
    let cell = match group {
        DhGroup::Modp768 => first,
        DhGroup::Modp1024 => second,
        DhGroup::Modp1536 => fifth,
        DhGroup::Modp2048 => fourteenth,
        DhGroup::Modp3072 => fifteenth,
        DhGroup::Modp4096 => sixteenth,
        DhGroup::Ecp256 | DhGroup::Ecp384 | DhGroup::Ecp521 => return None,
    };
    cell.get_or_init(|| make(group, exponent_bytes, Implementation::chosen())).as_deref()
}

#[cfg(test)]
mod tests;
