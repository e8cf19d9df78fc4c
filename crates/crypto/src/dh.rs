//! Diffie-Hellman: MODP groups (RFC 2409, RFC 3526) and NIST curves (RFC 5903).

use crate::montgomery::{self, Power};
use crate::random::Random;
use crate::secret::Secret;
use crate::suite::DhGroup;
use zeroize::Zeroize as _;

/// Why a public value was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DhError {
    /// Its length is not the group's.
    #[error("the public value does not have the group's length")]
    Length,
    /// It is 0, 1, p-1, not below p, or not a point of the curve.
    #[error("the public value is not a usable element of the group")]
    Value,
}

/// Our part of an exchange: the private value, wiped when dropped, and the public value.
pub struct DhPrivate {
    group: DhGroup,
    private: Secret,
    public: Vec<u8>,
}

impl std::fmt::Debug for DhPrivate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DhPrivate(group {})", self.group.number())
    }
}

impl DhPrivate {
    /// Draws a private value and computes the public one.
    pub fn generate(group: DhGroup, random: &mut Random) -> Self {
        loop {
            let mut private = vec![0; private_len(group)];
            random.fill(&mut private);
            if group == DhGroup::Ecp521
                && let Some(first) = private.first_mut()
            {
                *first &= 1;
            }
            // a curve scalar of zero or above the order is drawn again
            let half = Self::from_private(group, &private);
            private.zeroize();
            if let Some(half) = half {
                return half;
            }
        }
    }

    /// Computes the public value of a given private one, for known answers. `None` if the value is
    /// not a scalar of the curve.
    pub fn from_private(group: DhGroup, private: &[u8]) -> Option<Self> {
        let public = match group {
            DhGroup::Ecp256 => ecp::p256_public(private),
            DhGroup::Ecp384 => ecp::p384_public(private),
            DhGroup::Ecp521 => ecp::p521_public(private),
            _ => modp_public(group, private),
        }?;
        Some(Self { group, private: Secret::new(private), public })
    }

    /// The group.
    pub fn group(&self) -> DhGroup {
        self.group
    }

    /// The public value, padded on the left to the group's length; both coordinates for a curve.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    /// The shared secret, padded on the left to the group's length; the x coordinate for a curve
    /// (RFC 5903 section 9).
    pub fn agree(&self, peer: &[u8]) -> Result<Secret, DhError> {
        if peer.len() != self.group.public_len() {
            return Err(DhError::Length);
        }
        let shared = match self.group {
            DhGroup::Ecp256 => ecp::p256_agree(self.private.expose(), peer),
            DhGroup::Ecp384 => ecp::p384_agree(self.private.expose(), peer),
            DhGroup::Ecp521 => ecp::p521_agree(self.private.expose(), peer),
            group => modp_agree(group, self.private.expose(), peer),
        };
        shared.map(Secret::new).ok_or(DhError::Value)
    }
}

/// Bytes of private values: at least twice the group's strength (RFC 3526 section 8, RFC 7919
/// appendix A; NIST SP 800-57 gives 80 bits to group 2).
const fn private_len(group: DhGroup) -> usize {
    match group {
        DhGroup::Modp768 | DhGroup::Modp1024 => 24,
        DhGroup::Modp1536 | DhGroup::Modp2048 | DhGroup::Ecp256 => 32,
        DhGroup::Modp3072 => 40,
        DhGroup::Modp4096 | DhGroup::Ecp384 => 48,
        DhGroup::Ecp521 => 66,
    }
}

/// Powers in a MODP group.
fn powers(group: DhGroup) -> Option<&'static dyn Power> {
    montgomery::fastest(group, private_len(group))
}

/// The public value of a MODP group. A known answer may have a private value as long as the prime.
fn modp_public(group: DhGroup, private: &[u8]) -> Option<Vec<u8>> {
    let powers = powers(group)?;
    Some(if private.len() <= private_len(group) {
        powers.power_of_two(private)
    } else {
        powers.power(&[2], private)
    })
}

/// A shared secret, with 0, 1, p-1 and what is not below p refused.
fn modp_agree(group: DhGroup, private: &[u8], peer: &[u8]) -> Option<Vec<u8>> {
    let (last, above) = peer.split_last()?;
    let (_, prime_above) = montgomery::prime(group)?.split_last()?;
    // every prime ends in ones: p-1 differs from it in the last bit only
    let small = above.iter().all(|byte| *byte == 0) && *last <= 1;
    let large = above > prime_above || (above == prime_above && *last >= 0xfe);
    if small || large {
        return None;
    }
    Some(powers(group)?.power(peer, private))
}

mod ecp {
    macro_rules! curve {
        ($public:ident, $agree:ident, $curve:ident) => {
            pub(super) fn $public(private: &[u8]) -> Option<Vec<u8>> {
                use $curve::elliptic_curve::sec1::ToSec1Point as _;
                let secret = $curve::SecretKey::from_slice(private).ok()?;
                let point = secret.public_key().to_sec1_point(false);
                point.as_bytes().get(1..).map(<[u8]>::to_vec)
            }

            pub(super) fn $agree(private: &[u8], peer: &[u8]) -> Option<Vec<u8>> {
                let secret = $curve::SecretKey::from_slice(private).ok()?;
                let mut sec1 = Vec::with_capacity(peer.len() + 1);
                sec1.push(4);
                sec1.extend_from_slice(peer);
                let public = $curve::PublicKey::from_sec1_bytes(&sec1).ok()?;
                let shared = $curve::ecdh::diffie_hellman(secret.to_nonzero_scalar(), public.as_affine());
                Some(shared.raw_secret_bytes().to_vec())
            }
        };
    }
    curve!(p256_public, p256_agree, p256);
    curve!(p384_public, p384_agree, p384);
    curve!(p521_public, p521_agree, p521);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [DhGroup; 9] = [
        DhGroup::Modp768,
        DhGroup::Modp1024,
        DhGroup::Modp1536,
        DhGroup::Modp2048,
        DhGroup::Modp3072,
        DhGroup::Modp4096,
        DhGroup::Ecp256,
        DhGroup::Ecp384,
        DhGroup::Ecp521,
    ];

    #[test]
    fn both_sides_agree_in_every_group() {
        let mut random = Random::new([7; 32]);
        for group in ALL {
            let (a, b) = (DhPrivate::generate(group, &mut random), DhPrivate::generate(group, &mut random));
            assert_eq!(a.public().len(), group.public_len());
            let shared = a.agree(b.public()).unwrap();
            assert!(shared.matches(b.agree(a.public()).unwrap().expose()), "group {}", group.number());
        }
    }

    /// Zero, one, p-1, p, p+1 and wrong lengths (invalid public values of CVE-2015-3240's kind).
    #[test]
    fn degenerate_public_values_are_refused() {
        let mut random = Random::new([8; 32]);
        for group in ALL {
            let us = DhPrivate::generate(group, &mut random);
            let len = group.public_len();
            assert_eq!(us.agree(&vec![2; len - 1]).unwrap_err(), DhError::Length);
            assert_eq!(us.agree(&vec![0; len]).unwrap_err(), DhError::Value);
            assert_eq!(us.agree(&vec![0xff; len]).unwrap_err(), DhError::Value);
            let mut one = vec![0; len];
            *one.last_mut().unwrap() = 1;
            assert_eq!(us.agree(&one).unwrap_err(), DhError::Value);
        }
        let us = DhPrivate::generate(DhGroup::Modp1024, &mut random);
        let mut value = montgomery::prime(DhGroup::Modp1024).unwrap().to_vec();
        assert_eq!(us.agree(&value).unwrap_err(), DhError::Value);
        *value.last_mut().unwrap() -= 1;
        assert_eq!(us.agree(&value).unwrap_err(), DhError::Value);
    }
}
