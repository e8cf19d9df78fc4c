//! Proposals: what is proposed, what is chosen, and the first difference when nothing matches.

use crate::ike::attributes::{Oddity, PHASE1, PHASE2, Reading};
use crate::ike::lifetime::{self, Lifetimes};
use crate::ike::natt::Dialect;
use crate::limits;
use crate::names::Spi;
use crate::path::Mode;
use crate::policy::{Authentication, IsakmpPolicy, TransformSet};
use crate::wire::attribute::Attribute;
use crate::wire::ike1::{Proposal, Transform};
use crate::wire::registry::{ike, ipsec, protocol};
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use std::time::Duration;

/// Transforms of one message that are traced; later ones are evaluated too, but not traced.
pub(crate) const TRANSFORMS: usize = 64;

/// A transform of phase 1, and the result of its comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase1Judged {
    /// Its number.
    pub number: u8,
    /// Its attributes, as proposed.
    pub attributes: Vec<Attribute>,
    /// Priority of the policy that it was compared with.
    pub priority: u32,
    /// Whether another transform follows it.
    pub more: bool,
    /// The first attribute that differs; `None` if the transform is acceptable.
    pub differs: Option<Phase1Difference>,
}

/// A transform of phase 2, and the result of its comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase2Judged {
    /// The number of its proposal.
    pub proposal: u8,
    /// The proposal's protocol.
    pub protocol: u8,
    /// Its number.
    pub number: u8,
    /// Its id: the algorithm.
    pub id: u8,
    /// Its attributes, as proposed.
    pub attributes: Vec<Attribute>,
    /// Whether another transform follows it.
    pub more: bool,
    /// The first difference; `None` if the transform is acceptable.
    pub differs: Option<Phase2Difference>,
}

/// What phase 1 agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase1Suite {
    /// Cipher.
    pub cipher: IkeCipher,
    /// Hash and prf.
    pub hash: HashAlg,
    /// Group.
    pub group: DhGroup,
    /// Authentication method on the wire: 1, or 65001 with Xauth.
    pub method: u16,
    /// Lifetime, the shorter of what both sides proposed.
    pub lifetime: Duration,
    /// The lifetime that the peer proposed.
    pub wished: Option<Duration>,
    /// Whether the peer proposed another one and must be notified (RESPONDER-LIFETIME).
    pub told: bool,
}

/// One side's proposal for phase 1, for explanations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase1Offer {
    /// Encryption algorithm and key length in bits.
    pub encryption: Option<(u64, Option<u64>)>,
    /// Hash.
    pub hash: Option<u64>,
    /// Authentication method.
    pub method: Option<u64>,
    /// Group.
    pub group: Option<u64>,
    /// Lifetime in seconds.
    pub seconds: Option<u64>,
    /// The attribute for which the transform is not chosen, whatever its algorithms.
    pub odd: Option<Oddity>,
}

impl Phase1Offer {
    pub(crate) fn read(transform: &Transform) -> Self {
        let reading = Reading::of(&PHASE1, &transform.attributes);
        let bits = reading.value(ike::KEY_LENGTH);
        Self {
            encryption: reading.value(ike::ENCRYPTION).map(|number| (number, bits)),
            hash: reading.value(ike::HASH),
            method: reading.value(ike::AUTHENTICATION),
            group: reading.value(ike::GROUP),
            seconds: reading.lifetimes.seconds,
            odd: reading.oddity,
        }
    }
}

/// The cipher of a phase-1 number and key length; AES without a length is AES-128.
fn ike_cipher(number: u64, bits: Option<u64>) -> Option<IkeCipher> {
    match (number, bits) {
        (1, None) => Some(IkeCipher::Des),
        (5, None | Some(192)) => Some(IkeCipher::TripleDes),
        (7, None | Some(128)) => Some(IkeCipher::Aes128),
        (7, Some(192)) => Some(IkeCipher::Aes192),
        (7, Some(256)) => Some(IkeCipher::Aes256),
        _ => None,
    }
}

const fn ike_cipher_numbers(cipher: IkeCipher) -> (u16, Option<u16>) {
    match cipher {
        IkeCipher::Des => (1, None),
        IkeCipher::TripleDes => (5, None),
        IkeCipher::Aes128 => (7, Some(128)),
        IkeCipher::Aes192 => (7, Some(192)),
        IkeCipher::Aes256 => (7, Some(256)),
    }
}

fn ike_hash(number: u64) -> Option<HashAlg> {
    Some(match number {
        1 => HashAlg::Md5,
        2 => HashAlg::Sha1,
        4 => HashAlg::Sha256,
        5 => HashAlg::Sha384,
        6 => HashAlg::Sha512,
        _ => return None,
    })
}

const fn ike_hash_number(hash: HashAlg) -> u16 {
    match hash {
        HashAlg::Md5 => 1,
        HashAlg::Sha1 => 2,
        HashAlg::Sha256 => 4,
        HashAlg::Sha384 => 5,
        HashAlg::Sha512 => 6,
    }
}

/// The first attribute in which a proposal that none of our policies accepts differs from the
/// closest policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase1Difference {
    /// Encryption algorithm or key length.
    Encryption,
    /// Hash.
    Hash,
    /// Authentication method.
    Authentication,
    /// Diffie-Hellman group.
    Group,
    /// An attribute that is not implemented, or makes no sense.
    Attribute(Oddity),
}

impl std::fmt::Display for Phase1Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Encryption => "encryption",
            Self::Hash => "hash",
            Self::Authentication => "authentication method",
            Self::Group => "Diffie-Hellman group",
            Self::Attribute(odd) => return f.write_str(&odd.words(ike::attribute)),
        })
    }
}

/// The transform chosen, ready to be sent back.
#[derive(Clone, Debug)]
pub struct Phase1Choice {
    /// What it means.
    pub suite: Phase1Suite,
    /// The SA payload's proposals for the answer: the chosen transform, as proposed.
    pub answer: Vec<Proposal>,
}

/// Chooses as an IOS responder does: our policies in order of priority, each against all proposals.
/// A longer lifetime is accepted and shortened, a very short one raised. `methods` are the
/// authentication methods that are acceptable while the peer is not known.
pub fn choose_phase1(
    policies: &[IsakmpPolicy],
    offered: &[Proposal],
    methods: &[u16],
) -> Result<Phase1Choice, Option<Phase1Difference>> {
    let mut closest = None;
    for policy in policies.iter().filter(|policy| policy.authentication == Authentication::PreShared) {
        for proposal in offered.iter().filter(|proposal| proposal.protocol == protocol::ISAKMP) {
            for transform in proposal.transforms.iter().filter(|transform| transform.id == ike::KEY_IKE) {
                let offer = Phase1Offer::read(transform);
                match fits(policy, &offer, methods) {
                    Ok(method) => {
                        let lifetime =
                            lifetime::granted(offer.seconds, policy.lifetime, limits::SHORTEST_PHASE1);
                        let suite = Phase1Suite {
                            cipher: policy.cipher,
                            hash: policy.hash,
                            group: policy.group,
                            method,
                            lifetime,
                            wished: offer.seconds.map(Duration::from_secs).filter(|wish| !wish.is_zero()),
                            told: offer.seconds.is_some_and(|wished| wished != lifetime.as_secs()),
                        };
                        let answer = vec![Proposal {
                            number: proposal.number,
                            protocol: protocol::ISAKMP,
                            spi: Vec::new(),
                            transforms: vec![transform.clone()],
                        }];
                        return Ok(Phase1Choice { suite, answer });
                    }
                    Err(difference) => closest = closest.max(Some(difference)),
                }
            }
        }
    }
    Err(closest)
}

/// The transforms that [`choose_phase1`] compares until it has chosen, for traces.
pub(crate) fn judge_phase1(
    policies: &[IsakmpPolicy],
    offered: &[Proposal],
    methods: &[u16],
) -> Vec<Phase1Judged> {
    let mut out = Vec::new();
    for policy in policies.iter().filter(|policy| policy.authentication == Authentication::PreShared) {
        for proposal in offered.iter().filter(|proposal| proposal.protocol == protocol::ISAKMP) {
            let last = proposal.transforms.last().map(|transform| transform.number);
            for transform in proposal.transforms.iter().filter(|transform| transform.id == ike::KEY_IKE) {
                let differs = fits(policy, &Phase1Offer::read(transform), methods).err();
                out.push(Phase1Judged {
                    number: transform.number,
                    attributes: transform.attributes.clone(),
                    priority: u32::from(policy.priority),
                    more: last != Some(transform.number),
                    differs,
                });
                if differs.is_none() || out.len() == TRANSFORMS {
                    return out;
                }
            }
        }
    }
    out
}

/// The first attribute in which a proposal differs from a policy; `None` if it matches.
pub(crate) fn phase1_difference(
    policy: &IsakmpPolicy,
    offer: &Phase1Offer,
    methods: &[u16],
) -> Option<Phase1Difference> {
    fits(policy, offer, methods).err()
}

fn fits(policy: &IsakmpPolicy, offer: &Phase1Offer, methods: &[u16]) -> Result<u16, Phase1Difference> {
    let cipher = offer.encryption.and_then(|(number, bits)| ike_cipher(number, bits));
    if cipher != Some(policy.cipher) {
        return Err(Phase1Difference::Encryption);
    }
    if offer.hash.and_then(ike_hash) != Some(policy.hash) {
        return Err(Phase1Difference::Hash);
    }
    let method = methods.iter().find(|method| offer.method == Some(u64::from(**method)));
    let method = *method.ok_or(Phase1Difference::Authentication)?;
    if offer.group != Some(u64::from(policy.group.number())) {
        return Err(Phase1Difference::Group);
    }
    match offer.odd {
        Some(odd) => Err(Phase1Difference::Attribute(odd)),
        None => Ok(method),
    }
}

/// Our proposal for phase 1. Aggressive mode fixes the group, so it proposes only policies with the
/// group of the first one.
pub fn offer_phase1(policies: &[IsakmpPolicy], method: u16, group: Option<DhGroup>) -> Vec<Proposal> {
    let usable = policies
        .iter()
        .filter(|policy| policy.authentication == Authentication::PreShared)
        .filter(|policy| group.is_none_or(|group| policy.group == group));
    let transforms = usable.zip(1..=u8::MAX).map(|(policy, number)| {
        let (cipher, bits) = ike_cipher_numbers(policy.cipher);
        let mut attributes = vec![
            Attribute::short(ike::ENCRYPTION, cipher),
            Attribute::short(ike::HASH, ike_hash_number(policy.hash)),
            Attribute::short(ike::GROUP, policy.group.number()),
            Attribute::short(ike::AUTHENTICATION, method),
            Attribute::short(ike::LIFE_TYPE, ipsec::SECONDS),
            Attribute::long(
                ike::LIFE_DURATION,
                u32::try_from(policy.lifetime.as_secs()).unwrap_or(u32::MAX).to_be_bytes(),
            ),
        ];
        if let Some(bits) = bits {
            attributes.push(Attribute::short(ike::KEY_LENGTH, bits));
        }
        Transform { number, id: ike::KEY_IKE, attributes }
    });
    let transforms = transforms.collect();
    vec![Proposal { number: 1, protocol: protocol::ISAKMP, spi: Vec::new(), transforms }]
}

/// What phase 2 agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase2Suite {
    /// Algorithms.
    pub suite: EspSuite,
    /// Tunnel or transport.
    pub mode: Mode,
    /// PFS group.
    pub pfs: Option<DhGroup>,
    /// The peer's SPI.
    pub spi: Spi,
    /// Lifetime, the shorter of what both sides proposed.
    pub lifetime: Duration,
    /// Volume limit in kilobytes, the smaller of what both sides proposed.
    pub kilobytes: Option<u64>,
    /// Which of the two the peer proposed otherwise, so that it must be notified
    /// (RESPONDER-LIFETIME).
    pub told: Lifetimes,
}

/// What we propose or accept in phase 2.
#[derive(Clone, Copy, Debug)]
pub struct Phase2Wish<'a> {
    /// Transform sets, best first.
    pub sets: &'a [TransformSet],
    /// PFS group that must be used.
    pub pfs: Option<DhGroup>,
    /// Lifetime.
    pub lifetime: Duration,
    /// Volume limit.
    pub kilobytes: Option<u64>,
    /// NAT traversal dialect, if ESP is encapsulated in UDP.
    pub udp: Option<Dialect>,
    /// Whether the proxy identities are the gateways themselves, so that transport mode is
    /// possible.
    pub transport_possible: bool,
}

/// The first thing in a phase-2 proposal that none of our transform sets accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase2Difference {
    /// Not ESP alone.
    Protocol,
    /// Cipher or key length.
    Cipher,
    /// Integrity algorithm.
    Integrity,
    /// Encapsulation mode.
    Mode,
    /// PFS missing, or another group.
    Pfs,
    /// An attribute that is not implemented, or makes no sense.
    Attribute(Oddity),
}

impl std::fmt::Display for Phase2Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Protocol => "protocol",
            Self::Cipher => "cipher",
            Self::Integrity => "integrity algorithm",
            Self::Mode => "encapsulation mode",
            Self::Pfs => "PFS group",
            Self::Attribute(odd) => return f.write_str(&odd.words(ipsec::attribute)),
        })
    }
}

/// The phase-2 transform chosen, ready to be sent back with our SPI.
#[derive(Clone, Debug)]
pub struct Phase2Choice {
    /// What it means.
    pub suite: Phase2Suite,
    /// Proposal number, for the answer.
    pub number: u8,
    /// The transform, as proposed.
    pub transform: Transform,
}

impl Phase2Choice {
    /// The SA payload's proposals for the answer.
    pub fn answer(&self, spi: Spi) -> Vec<Proposal> {
        vec![Proposal {
            number: self.number,
            protocol: protocol::ESP,
            spi: spi.0.to_be_bytes().to_vec(),
            transforms: vec![self.transform.clone()],
        }]
    }
}

/// Chooses as an IOS responder does: our transform sets in order, each against all proposals.
/// Proposals with different numbers are alternatives; several with the same number (ESP with AH or
/// compression) are not implemented.
pub fn choose_phase2(wish: &Phase2Wish<'_>, offered: &[Proposal]) -> Result<Phase2Choice, Phase2Difference> {
    let mut closest = Phase2Difference::Protocol;
    for set in wish.sets {
        for proposal in offered {
            let alone = offered.iter().filter(|other| other.number == proposal.number).count() == 1;
            let spi = proposal.spi.as_slice().try_into().map(u32::from_be_bytes);
            let (Ok(spi), true, protocol::ESP) = (spi, alone, proposal.protocol) else { continue };
            if spi < 256 {
                continue;
            }
            for transform in &proposal.transforms {
                match read_phase2(wish, set, Spi(spi), transform) {
                    Ok(suite) => {
                        return Ok(Phase2Choice {
                            suite,
                            number: proposal.number,
                            transform: transform.clone(),
                        });
                    }
                    Err(difference) => closest = closest.max(difference),
                }
            }
        }
    }
    Err(closest)
}

/// The proposed transforms up to the chosen one, each with its difference if none of our sets
/// accepts it, for traces.
pub(crate) fn judge_phase2(
    wish: &Phase2Wish<'_>,
    offered: &[Proposal],
    choice: Option<&Phase2Choice>,
) -> Vec<Phase2Judged> {
    let mut out = Vec::new();
    for proposal in offered {
        let spi = proposal.spi.as_slice().try_into().map_or(0, u32::from_be_bytes);
        let alone = offered.iter().filter(|other| other.number == proposal.number).count() == 1;
        let last = proposal.transforms.last().map(|transform| transform.number);
        for transform in &proposal.transforms {
            let chosen = choice.is_some_and(|choice| {
                choice.number == proposal.number && choice.transform.number == transform.number
            });
            let differs = match (chosen, alone && proposal.protocol == protocol::ESP) {
                (true, _) => None,
                (false, false) => Some(Phase2Difference::Protocol),
                (false, true) => {
                    let differences =
                        wish.sets.iter().map(|set| read_phase2(wish, set, Spi(spi), transform).err());
                    // a transform without a difference is acceptable, although another one was
                    // preferred
                    differences.max_by_key(|difference| (difference.is_none(), *difference)).flatten()
                }
            };
            out.push(Phase2Judged {
                proposal: proposal.number,
                protocol: proposal.protocol,
                number: transform.number,
                id: transform.id,
                attributes: transform.attributes.clone(),
                more: last != Some(transform.number),
                differs,
            });
            if chosen || out.len() == TRANSFORMS {
                return out;
            }
        }
    }
    out
}

fn read_phase2(
    wish: &Phase2Wish<'_>,
    set: &TransformSet,
    spi: Spi,
    transform: &Transform,
) -> Result<Phase2Suite, Phase2Difference> {
    let reading = Reading::of(&PHASE2, &transform.attributes);
    let bits = reading.value(ipsec::KEY_LENGTH);
    let auth = reading.value(ipsec::AUTHENTICATION);
    let group = reading.value(ipsec::GROUP);
    if esp_cipher(transform.id, bits) != Some(set.suite.cipher()) {
        return Err(Phase2Difference::Cipher);
    }
    if auth.map(esp_auth) != set.suite.auth().map(Some) {
        return Err(Phase2Difference::Integrity);
    }
    let (tunnel, transport) = wish.udp.map_or((1, 2), Dialect::udp_modes);
    let mode = match reading.value(ipsec::ENCAPSULATION) {
        None => Mode::Tunnel,
        Some(value) if value == u64::from(tunnel) => Mode::Tunnel,
        // transport mode is only for traffic of the gateways themselves, and only if the transform
        // set configures it
        Some(value)
            if value == u64::from(transport) && wish.transport_possible && set.mode == Mode::Transport =>
        {
            Mode::Transport
        }
        Some(_) => return Err(Phase2Difference::Mode),
    };
    let pfs = match (group, wish.pfs) {
        (None, None) => None,
        (None, Some(_)) => return Err(Phase2Difference::Pfs),
        (Some(number), wanted) => {
            let group =
                u16::try_from(number).ok().and_then(DhGroup::from_number).ok_or(Phase2Difference::Pfs)?;
            if wanted.is_some_and(|wanted| wanted != group) {
                return Err(Phase2Difference::Pfs);
            }
            Some(group)
        }
    };
    if let Some(odd) = reading.oddity {
        return Err(Phase2Difference::Attribute(odd));
    }
    let wished = reading.lifetimes;
    let lifetime = lifetime::granted(wished.seconds, wish.lifetime, limits::SHORTEST_CHILD);
    let kilobytes = lifetime::granted_volume(wished.kilobytes, wish.kilobytes);
    let told = Lifetimes {
        seconds: Some(lifetime.as_secs()).filter(|_| wished.seconds.is_some_and(|s| s != lifetime.as_secs())),
        kilobytes: kilobytes.filter(|granted| wished.kilobytes.is_some_and(|wished| wished != *granted)),
    };
    Ok(Phase2Suite { suite: set.suite, mode, pfs, spi, lifetime, kilobytes, told })
}

/// The ESP cipher of a transform id and key length; AES-CBC without a length is AES-128.
fn esp_cipher(id: u8, bits: Option<u64>) -> Option<EspCipher> {
    match (id, bits) {
        (2, None) => Some(EspCipher::Des),
        (3, None | Some(192)) => Some(EspCipher::TripleDes),
        (12, None | Some(128)) => Some(EspCipher::Aes128),
        (12, Some(192)) => Some(EspCipher::Aes192),
        (12, Some(256)) => Some(EspCipher::Aes256),
        // ESP_AES-GCM with a 16-byte ICV (RFC 4106)
        (20, Some(128)) => Some(EspCipher::AesGcm128),
        (20, Some(256)) => Some(EspCipher::AesGcm256),
        _ => None,
    }
}

const fn esp_cipher_numbers(cipher: EspCipher) -> (u8, Option<u16>) {
    match cipher {
        EspCipher::Des => (2, None),
        EspCipher::TripleDes => (3, None),
        EspCipher::Aes128 => (12, Some(128)),
        EspCipher::Aes192 => (12, Some(192)),
        EspCipher::Aes256 => (12, Some(256)),
        EspCipher::AesGcm128 => (20, Some(128)),
        EspCipher::AesGcm256 => (20, Some(256)),
    }
}

fn esp_auth(number: u64) -> Option<EspAuth> {
    Some(match number {
        1 => EspAuth::Md5,
        2 => EspAuth::Sha1,
        5 => EspAuth::Sha256,
        6 => EspAuth::Sha384,
        7 => EspAuth::Sha512,
        _ => return None,
    })
}

const fn esp_auth_number(auth: EspAuth) -> u16 {
    match auth {
        EspAuth::Md5 => 1,
        EspAuth::Sha1 => 2,
        EspAuth::Sha256 => 5,
        EspAuth::Sha384 => 6,
        EspAuth::Sha512 => 7,
    }
}

/// Our phase-2 proposals: one for each transform set, all with the same SPI, so that every peer can
/// choose.
pub fn offer_phase2(wish: &Phase2Wish<'_>, spi: Spi) -> Vec<Proposal> {
    let (tunnel, transport) = wish.udp.map_or((1, 2), Dialect::udp_modes);
    let proposals = wish.sets.iter().zip(1..=u8::MAX).map(|(set, number)| {
        let (id, bits) = esp_cipher_numbers(set.suite.cipher());
        let is_transport = wish.transport_possible && set.mode == Mode::Transport;
        let seconds = u32::try_from(wish.lifetime.as_secs()).unwrap_or(u32::MAX);
        let mut attributes = vec![
            Attribute::short(ipsec::ENCAPSULATION, if is_transport { transport } else { tunnel }),
            Attribute::short(ipsec::LIFE_TYPE, ipsec::SECONDS),
            Attribute::number(ipsec::LIFE_DURATION, seconds),
        ];
        if let Some(kilobytes) = wish.kilobytes {
            let kilobytes = u32::try_from(kilobytes).unwrap_or(u32::MAX);
            attributes.push(Attribute::short(ipsec::LIFE_TYPE, ipsec::KILOBYTES));
            attributes.push(Attribute::long(ipsec::LIFE_DURATION, kilobytes.to_be_bytes()));
        }
        if let Some(auth) = set.suite.auth() {
            attributes.push(Attribute::short(ipsec::AUTHENTICATION, esp_auth_number(auth)));
        }
        if let Some(bits) = bits {
            attributes.push(Attribute::short(ipsec::KEY_LENGTH, bits));
        }
        if let Some(group) = wish.pfs {
            attributes.push(Attribute::short(ipsec::GROUP, group.number()));
        }
        let transform = Transform { number: 1, id, attributes };
        Proposal {
            number,
            protocol: protocol::ESP,
            spi: spi.0.to_be_bytes().to_vec(),
            transforms: vec![transform],
        }
    });
    proposals.collect()
}

#[cfg(test)]
#[path = "proposal_tests.rs"]
mod tests;
