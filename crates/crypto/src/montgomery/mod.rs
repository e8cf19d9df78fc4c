//! Powers modulo the MODP primes in constant time: what is done, and where in memory, depends on no
//! bit of an exponent.
//!
//! Any base is raised with a window of four bits. The generator, which is 2 in every group, is
//! raised with a comb of [`TEETH`] teeth (Lim and Lee, 1994), whose table is made once for each
//! group: that leaves a quarter of the multiplications.

mod digits;
#[cfg(target_arch = "x86_64")]
mod ifma;
mod power;
mod scalar;

pub(crate) use power::Power;

use crate::modp;
use crate::suite::DhGroup;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

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

/// Powers in a group by one implementation, made for exponents of so many bytes; `None` for a
/// curve, and where the processor lacks the instructions.
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

/// Powers in a group by the implementation that is chosen when it is used first; `None` for a
/// curve.
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
