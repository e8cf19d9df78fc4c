//! Numbers as digits of some bits, the lowest first, and the constant that brings a number into
//! Montgomery form.

use crypto_bigint::{BoxedUint, NonZero, Resize as _};

/// The digits of a number given as bytes, the highest first.
pub(super) fn from_bytes(bytes: &[u8], bits: u32, digits: &mut [u64]) {
    digits.fill(0);
    let (mut held, mut have) = (0_u128, 0);
    let mut places = digits.iter_mut();
    for byte in bytes.iter().rev() {
        held |= u128::from(*byte) << have;
        have += 8;
        if have >= bits {
            let digit = held & ((1 << bits) - 1);
            if let Some(place) = places.next() {
                *place = u64::try_from(digit).unwrap_or_default();
            }
            held >>= bits;
            have -= bits;
        }
    }
    if let Some(place) = places.next() {
        *place = u64::try_from(held).unwrap_or_default();
    }
}

/// The bytes of a number, the highest first, as many as asked for.
pub(super) fn to_bytes(digits: &[u64], bits: u32, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let (mut held, mut have) = (0_u128, 0);
    let mut digits = digits.iter();
    for byte in bytes.iter_mut().rev() {
        if have < 8 {
            held |= u128::from(digits.next().copied().unwrap_or_default()) << have;
            have += bits;
        }
        let [lowest, ..] = held.to_le_bytes();
        *byte = lowest;
        held >>= 8;
        have -= 8;
    }
    bytes
}

/// The bytes of 2^(2 `bits`) modulo a prime, the highest first.
pub(super) fn square_of_radix(prime: &[u8], bits: u32) -> Vec<u8> {
    let wide = bits * 2 + 64;
    let prime = BoxedUint::from_be_slice_vartime(prime).resize(wide);
    let radix = BoxedUint::one_with_precision(wide).wrapping_shl(bits * 2);
    match NonZero::new(prime).into_option() {
        Some(prime) => radix.rem_vartime(&prime).to_be_bytes().to_vec(),
        None => Vec::new(),
    }
}
