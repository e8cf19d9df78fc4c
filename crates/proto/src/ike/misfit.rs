//! Mismatches: what a peer proposed and how it differs from the configuration. This is the evidence
//! of a refusal.

use crate::ike::attributes::{Oddity, PHASE2, Reading};
use crate::ike::proposal::{Phase1Difference, Phase1Offer, Phase2Difference, phase1_difference};
use crate::policy::{Authentication, EntryTerms, IsakmpPolicy};
use crate::wire::ike1::{Proposal, Transform};
use crate::wire::registry::{ike, ipsec, protocol};
use hubward_crypto::suite::{DhGroup, EspSuite};

/// Proposals that are kept as evidence; later ones are evaluated too, but not kept.
pub const OFFERS: usize = 16;

/// Phase 1: no policy accepts a proposal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase1Misfit {
    /// What the peer proposed, in its order, without repetitions.
    pub offers: Vec<Phase1Offer>,
    /// The proposal and the policy (its priority) that are closest, and their first difference.
    /// `None` if there was nothing to compare.
    pub nearest: Option<(Phase1Offer, u16, Phase1Difference)>,
}

impl Phase1Misfit {
    pub(crate) fn new(policies: &[IsakmpPolicy], offered: &[Proposal], methods: &[u16]) -> Self {
        let mut misfit = Self::default();
        let proposals = offered.iter().filter(|proposal| proposal.protocol == protocol::ISAKMP);
        let transforms = proposals.flat_map(|proposal| &proposal.transforms);
        for transform in transforms.filter(|transform| transform.id == ike::KEY_IKE) {
            let offer = Phase1Offer::read(transform);
            for policy in policies.iter().filter(|policy| policy.authentication == Authentication::PreShared)
            {
                let Some(difference) = phase1_difference(policy, &offer, methods) else { continue };
                if misfit.nearest.as_ref().is_none_or(|(_, _, nearest)| difference > *nearest) {
                    misfit.nearest = Some((offer.clone(), policy.priority, difference));
                }
            }
            if misfit.offers.len() < OFFERS && !misfit.offers.contains(&offer) {
                misfit.offers.push(offer);
            }
        }
        misfit
    }
}

/// One transform of phase 2, as proposed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Phase2Offer {
    /// Protocol of the proposal.
    pub protocol: u8,
    /// Transform id: the cipher.
    pub id: u8,
    /// Key length in bits.
    pub bits: Option<u64>,
    /// Authentication algorithm.
    pub authentication: Option<u64>,
    /// Encapsulation mode.
    pub mode: Option<u64>,
    /// PFS group.
    pub group: Option<u64>,
    /// The attribute for which the transform is not chosen, whatever its algorithms.
    pub odd: Option<Oddity>,
}

impl Phase2Offer {
    fn read(protocol: u8, transform: &Transform) -> Self {
        let reading = Reading::of(&PHASE2, &transform.attributes);
        Self {
            protocol,
            id: transform.id,
            bits: reading.value(ipsec::KEY_LENGTH),
            authentication: reading.value(ipsec::AUTHENTICATION),
            mode: reading.value(ipsec::ENCAPSULATION),
            group: reading.value(ipsec::GROUP),
            odd: reading.oddity,
        }
    }
}

/// Phase 2: no transform set accepts a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase2Misfit {
    /// What the peer proposed, in its order, without repetitions.
    pub offers: Vec<Phase2Offer>,
    /// What the crypto map entry requires: the name of each set and its algorithms.
    pub wanted: Vec<(String, EspSuite)>,
    /// The PFS group that it requires.
    pub pfs: Option<DhGroup>,
    /// The first difference between the closest proposal and set.
    pub difference: Phase2Difference,
}

impl Phase2Misfit {
    pub(crate) fn new(terms: &EntryTerms, offered: &[Proposal], difference: Phase2Difference) -> Self {
        let mut offers = Vec::new();
        for proposal in offered {
            for offer in proposal.transforms.iter().map(|one| Phase2Offer::read(proposal.protocol, one)) {
                if offers.len() < OFFERS && !offers.contains(&offer) {
                    offers.push(offer);
                }
            }
        }
        let wanted = terms.transform_sets.iter().map(|set| (set.name.clone(), set.suite)).collect();
        Self { offers, wanted, pfs: terms.pfs, difference }
    }
}
