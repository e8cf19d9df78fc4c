//! Powers, by what a field can do.

use zeroize::Zeroize;

/// Teeth of the comb: bits of the exponent that one multiplication takes in.
pub(super) const TEETH: usize = 5;

/// Bits of a window.
pub(super) const WINDOW: usize = 4;

/// Numbers modulo a prime in Montgomery form, and what can be done with them.
pub(super) trait Field {
    /// A number.
    type Number: Copy + Zeroize;

    /// The product of two numbers.
    fn multiply(&self, a: &Self::Number, b: &Self::Number) -> Self::Number;

    /// An entry of a table, all of which is read.
    fn select(&self, table: &[Self::Number], index: usize) -> Self::Number;

    /// One.
    fn one(&self) -> Self::Number;

    /// The number represented by the bytes, the highest first; below the prime.
    fn enter(&self, bytes: &[u8]) -> Self::Number;

    /// A number that is not zero as bytes, the highest first, as many as the prime has.
    fn leave(&self, number: &Self::Number) -> Vec<u8>;
}

/// A group: powers of any number and of its generator.
pub(crate) trait Power: Send + Sync {
    /// `base` to the power of `exponent`, both with the highest byte first; `base` is above zero
    /// and below the prime.
    fn power(&self, base: &[u8], exponent: &[u8]) -> Vec<u8>;

    /// 2 to the power of `exponent`, which has at most as many bytes as the group was made for.
    fn power_of_two(&self, exponent: &[u8]) -> Vec<u8>;
}

/// A field with the table of its comb.
pub(super) struct Comb<F: Field> {
    pub(super) field: F,
    /// For each set of teeth the product of the powers of 2 that they represent.
    pub(super) table: Vec<F::Number>,
    /// Bits from one tooth to the next.
    pub(super) distance: usize,
}

impl<F: Field> Comb<F> {
    pub(super) fn new(field: F, exponent_bytes: usize) -> Self {
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
