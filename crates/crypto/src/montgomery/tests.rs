//! Every implementation against crypto-bigint.

use super::*;
use crate::random::Random;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};

const GROUPS: [DhGroup; 6] = [
    DhGroup::Modp768,
    DhGroup::Modp1024,
    DhGroup::Modp1536,
    DhGroup::Modp2048,
    DhGroup::Modp3072,
    DhGroup::Modp4096,
];

/// What this processor can run.
fn implementations() -> Vec<Implementation> {
    vec![
        Implementation::Scalar,
        #[cfg(target_arch = "x86_64")]
        Implementation::Ifma,
    ]
}

fn reference(prime: &[u8], base: &[u8], exponent: &[u8]) -> Vec<u8> {
    let parameters = BoxedMontyParams::new(Odd::new(BoxedUint::from_be_slice_vartime(prime)).unwrap());
    let bits = parameters.bits_precision();
    let base = BoxedUint::from_be_slice(base, bits).unwrap();
    let exponent = BoxedUint::from_be_slice_vartime(exponent);
    BoxedMontyForm::new(base, &parameters).pow(&exponent).retrieve().to_be_bytes().to_vec()
}

/// The prime less a small number.
fn below(prime: &[u8], less: u8) -> Vec<u8> {
    let mut out = prime.to_vec();
    *out.last_mut().unwrap() -= less;
    out
}

fn padded(prime: &[u8], low: &[u8]) -> Vec<u8> {
    let mut out = vec![0; prime.len() - low.len()];
    out.extend(low);
    out
}

/// Random numbers, and those at the edges: next to zero and to the prime, all ones in a word or a
/// digit, and exponents of nothing but zeros or ones.
#[test]
fn powers_are_those_of_the_reference() {
    let mut random = Random::new([11; 32]);
    let mut tried = 0;
    for group in GROUPS {
        let prime = prime(group).unwrap();
        let mut draw = |length| {
            let mut out = vec![0; length];
            random.fill(&mut out);
            out
        };
        let mut bases = vec![
            padded(prime, &[1]),
            padded(prime, &[2]),
            padded(prime, &[0xff; 8]),
            padded(prime, &[0x0f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            padded(prime, &[1, 0, 0, 0, 0, 0, 0, 0, 0]),
            padded(prime, &vec![0xff; prime.len() - 9]),
            below(prime, 1),
            below(prime, 2),
        ];
        bases.extend((0..8).map(|_| {
            let mut base = draw(prime.len());
            base[0] &= 0x7f;
            base
        }));
        let exponents = [vec![0; 20], vec![0xff; 20], vec![1], vec![0x80, 0], draw(20), draw(31), draw(32)];
        for implementation in implementations() {
            let Some(powers) = make(group, 32, implementation) else { continue };
            for exponent in &exponents {
                for base in &bases {
                    let expected = reference(prime, base, exponent);
                    assert_eq!(powers.power(base, exponent), expected, "{group:?} {implementation:?}");
                    tried += 1;
                }
                let expected = reference(prime, &padded(prime, &[2]), exponent);
                assert_eq!(powers.power_of_two(exponent), expected, "2 in {group:?} {implementation:?}");
            }
        }
    }
    assert!(tried >= 600);
}

/// A comb for every length of exponent that a group has, and others that do not divide evenly.
#[test]
fn the_comb_takes_exponents_of_every_length() {
    let mut random = Random::new([12; 32]);
    for length in [1, 2, 3, 20, 24, 31, 40, 48] {
        for implementation in implementations() {
            let Some(powers) = make(DhGroup::Modp768, length, implementation) else { continue };
            for short in 0..2 {
                let mut exponent = vec![0; length - short.min(length - 1)];
                random.fill(&mut exponent);
                let expected = powers.power(&[2], &exponent);
                assert_eq!(powers.power_of_two(&exponent), expected, "{length} bytes");
            }
            let ones = vec![0xff; length];
            assert_eq!(powers.power_of_two(&ones), powers.power(&[2], &ones));
        }
    }
}

/// (2^a)^b is (2^b)^a.
#[test]
fn exponents_commute() {
    let mut random = Random::new([13; 32]);
    for implementation in implementations() {
        let Some(powers) = make(DhGroup::Modp1024, 24, implementation) else { continue };
        for _ in 0..20 {
            let (mut first, mut second) = (vec![0; 24], vec![0; 24]);
            random.fill(&mut first);
            random.fill(&mut second);
            let one = powers.power(&powers.power_of_two(&first), &second);
            let other = powers.power(&powers.power_of_two(&second), &first);
            assert_eq!(one, other);
        }
    }
}
