//! Who has a network, as far as the tables of child SAs and peers tell.

use crate::flow::selector::{AddressRange, Selector};
use crate::ike::context::Context;
use crate::ike::explain::Refusal;
use crate::ike::tables::child::Child;
use crate::ike::tables::claims::{Asked, configured_for, contests};
use crate::limits;
use crate::names::{PeerId, Service};
use crate::policy::Overlap;
use crate::policy::reserved::reserved;
use crate::time::Instant;

impl Context {
    /// The other peers that have something of a network, with what each has; one more than may be
    /// asked at most.
    ///
    /// # Errors
    /// The network overlaps those of so many child SAs that looking at all of them would take long.
    pub(crate) fn holders(
        &self,
        newcomer: PeerId,
        service: &Service,
        selector: &Selector,
    ) -> Result<Vec<(PeerId, AddressRange)>, Refusal> {
        let place = |id: &PeerId| self.peers.get(id).map(|peer| (peer.path.remote, peer.path.remote_port));
        let own = place(&newcomer);
        let mut found: Vec<(PeerId, AddressRange)> = Vec::new();
        let near = self.claims.near(selector.remote).filter_map(|id| self.children.get(&id));
        for (child, number) in near.zip(1..) {
            if number > limits::NETWORKS_COMPARED {
                return Err(Refusal::TooMany);
            }
            let is_new = found.iter().all(|(peer, _)| *peer != child.peer);
            // what is at the same address and port is the same device
            if is_new
                && child.peer != newcomer
                && place(&child.peer) != own
                && contests(&self.policy, child, service, selector)
            {
                found.push((child.peer, child.sa.selector.remote));
            }
            if found.len() > limits::HOLDERS {
                return Ok(found);
            }
        }
        Ok(found)
    }

    /// Whether the configuration does not let a child SA's peer have its network any more: it is
    /// reserved now, or a static entry's.
    pub(crate) fn may_not_have(&self, child: &Child) -> bool {
        let (service, selector, path) = (&child.sa.service, &child.sa.selector, &child.path);
        let Some(terms) = self.policy.terms(service).filter(|_| service.template().is_some()) else {
            return false;
        };
        let behind_nat = self.peers.get(&child.peer).is_some_and(|peer| peer.behind_nat);
        let own =
            child.sa.lease.is_some() || (selector.remote == AddressRange::host(path.remote) && !behind_nat);
        if own && !terms.filters_rest {
            return false;
        }
        let static_entry = || configured_for(&self.policy, path.interface, service, path.remote, selector);
        let decides = self.policy.global.overlap == Overlap::HolderKeeps;
        (!own && reserved(&self.policy, terms, selector).is_some()) || (decides && static_entry().is_some())
    }

    // ---- the answer
    // ---------------------------------------------------------------------------------------------

    /// Something of a peer verified that arrived at this time. What is older than the question does
    /// not answer it.
    pub(crate) fn holder_heard(&mut self, id: PeerId, at: Instant) {
        let answers = |asked: &Asked| asked.verdict.is_none() && at >= asked.since;
        if self.claims.asked.get(&id).is_some_and(answers) {
            // not within this message: the quick modes that wait are other SAs'
            self.timers.arm_holder(id, Some(self.now));
        }
    }
}
