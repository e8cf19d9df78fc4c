//! Whose network it is: one that a peer of a dynamic entry proposes may be another peer's already.
//!
//! A key that many branches share proves that somebody is one of them, and not which. So the tunnel
//! that is there keeps its network as long as its peer answers, and whoever else proposes that
//! network, a part of it, or more than it, is refused and reported. If the peer does not answer,
//! the newcomer gets the network: most often it is the same branch, with another address.
//!
//! ```text
//!  newcomer                        gateway                          older peer
//!   quick mode, message 1  -->
//!                                  R-U-THERE  -->                   four times in three seconds, or
//!                                                                   eight in six
//!                                             <--  R-U-THERE-ACK, or any packet that verifies
//!          <--  INVALID-ID-INFORMATION
//!                                                                   nothing:
//!          <--  message 2          its tunnel for that network ends
//! ```
//!
//! A peer that was heard lately is asked for twice as long: most likely its way is only interrupted,
//! and somebody who goes on proposing its network waits for just that. A peer without DPD counts as
//! there if something of it verified in the last ten seconds; one whose phase 1 is gone is asked by a
//! new one. The networks that the access lists of static entries name belong to the peers of those
//! entries, whether they are there or not. With [`Overlap::NewestWins`] all this is left out, as on a
//! router.
//!
//! Which child SAs overlap is in `tables/claims.rs`, who has what in `context/claims.rs`.

use crate::flow::selector::{AddressRange, Selector};
use crate::ike::event::{EventKind, Rival};
use crate::ike::explain::Refusal;
use crate::ike::tables::claims::{Asked, Claim, Verdict, configured_for, contests};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Exchange, IsakmpSa};
use crate::ike::v1::states::Held;
use crate::ike::vendor::Vendor;
use crate::limits;
use crate::names::{ConnId, PeerId, Service};
use crate::policy::{EntryTerms, Overlap};
use crate::time::Instant;
use crate::wire::isakmp::{Chain, Writer};
use std::time::Duration;

/// Time between two questions to a peer.
const AGAIN: Duration = Duration::from_millis(750);
/// How often a peer is asked before it counts as gone.
const QUESTIONS: u32 = 4;
/// The same for a peer that was heard lately.
const QUESTIONS_LATELY: u32 = 8;
/// What was heard within this time was heard lately.
const LATELY: Duration = Duration::from_secs(15);
/// How long a peer that has answered is not asked again: an attacker may propose its network many
/// times in a second.
const ANSWERED: Duration = Duration::from_secs(2);
/// How long a peer that did not answer counts as gone, unless it is heard: a newcomer may wait for
/// another holder meanwhile, or have many networks.
const GONE: Duration = Duration::from_millis(6750);
/// A peer that cannot be asked counts as there for this time after it was last heard.
const HEARD: Duration = Duration::from_secs(10);
/// How long the answer to a quick mode may be held back in total, if one holder after another has
/// to be asked.
const LONGEST: Duration = Duration::from_secs(12);

impl V1<'_> {
    /// Refuses what a static entry's access list names of a peer's own address, or of one that was
    /// leased to it, if that would pass the filter of its dynamic entry.
    ///
    /// # Errors
    /// A static entry's list names it.
    pub(crate) fn claim_own_address(
        &self,
        sa: &IsakmpSa,
        service: &Service,
        terms: &EntryTerms,
        selector: &Selector,
    ) -> Result<(), Refusal> {
        if !terms.filters_rest || self.cx.policy.global.overlap == Overlap::NewestWins {
            return Ok(());
        }
        match configured_for(&self.cx.policy, sa.path.interface, service, sa.path.remote, selector) {
            Some(sequence) => Err(Refusal::ConfiguredNetwork { theirs: selector.remote, sequence }),
            None => Ok(()),
        }
    }

    // ---- the question
    // -------------------------------------------------------------------------------------------

    /// Who has the network that a peer proposes in a quick mode.
    ///
    /// # Errors
    /// It belongs to another peer.
    pub(crate) fn claim_network(
        &mut self,
        sa: &IsakmpSa,
        message_id: u32,
        service: &Service,
        selector: &Selector,
    ) -> Result<Claim, Refusal> {
        let Some(newcomer) = sa.established().map(|established| established.peer) else {
            return Ok(Claim::Free(Vec::new()));
        };
        if service.template().is_none() || self.cx.policy.global.overlap == Overlap::NewestWins {
            return Ok(Claim::Free(Vec::new()));
        }
        let theirs = selector.remote;
        if let Some(sequence) =
            configured_for(&self.cx.policy, sa.path.interface, service, sa.path.remote, selector)
        {
            return Err(Refusal::ConfiguredNetwork { theirs, sequence });
        }
        let holders = self.cx.holders(newcomer, service, selector)?;
        let mut open = Vec::new();
        for (holder, range) in &holders {
            // too many to be asked for one message count as there
            let there = holders.len() > limits::HOLDERS;
            match self.verdict_on(*holder).filter(|_| !there) {
                Some(Verdict::Gone) => {}
                None if !there => open.push(*holder),
                _ => {
                    self.report(sa, *holder, *range, selector, true);
                    let other = self.cx.peers.get(holder).map_or(sa.path.remote, |peer| peer.path.remote);
                    return Err(Refusal::HeldNetwork { theirs, range: *range, holder: other });
                }
            }
        }
        for holder in &open {
            self.cx.claims.waiting.insert((*holder, sa.id, message_id));
            self.ask_holder(*holder);
        }
        if !open.is_empty() {
            return Ok(Claim::Asked);
        }
        Ok(Claim::Free(holders))
    }

    /// A peer gets a network: the tunnels for it of those that did not answer end.
    pub(crate) fn take_over(
        &mut self,
        sa: &IsakmpSa,
        holders: Vec<(PeerId, AddressRange)>,
        service: &Service,
        selector: &Selector,
    ) {
        for (holder, range) in holders {
            self.report(sa, holder, range, selector, false);
            self.lose(holder, service, selector);
        }
    }

    /// Whether a peer is there; `None` if it has to be asked, or is being asked.
    fn verdict_on(&self, id: PeerId) -> Option<Verdict> {
        let heard = self.heard_from(id);
        if let Some(asked) = self.cx.claims.asked.get(&id) {
            let answered = heard.is_some_and(|heard| heard >= asked.since);
            return if answered { Some(Verdict::There) } else { asked.verdict };
        }
        if self.can_be_asked(id) {
            return None;
        }
        let lately = heard.is_some_and(|heard| heard + HEARD > self.cx.now);
        Some(if lately { Verdict::There } else { Verdict::Gone })
    }

    /// When a message or packet of a peer last verified.
    fn heard_from(&self, id: PeerId) -> Option<Instant> {
        let by_ike = self.established_with(id).filter_map(|sa| Some(sa.established()?.dpd.heard)).max();
        by_ike.max(self.cx.children_of(id).filter_map(|child| child.last_inbound).max())
    }

    /// Whether a peer answers R-U-THERE, as far as we know.
    fn can_be_asked(&self, id: PeerId) -> bool {
        self.sa_with_dpd(id).is_some()
            || self.cx.peers.get(&id).is_some_and(|peer| peer.dpd && self.cx.can_call(peer))
    }

    fn sa_with_dpd(&self, id: PeerId) -> Option<ConnId> {
        let newest = self.newest_sa(id)?;
        self.own.sas.get(&newest).filter(|sa| sa.vendors.has(Vendor::Dpd)).map(|sa| sa.id)
    }

    /// Asks a peer, unless it is being asked.
    fn ask_holder(&mut self, id: PeerId) {
        if self.cx.claims.asked.contains_key(&id) {
            return;
        }
        let lately = self.heard_from(id).is_some_and(|heard| heard + LATELY > self.cx.now);
        let most = if lately { QUESTIONS_LATELY } else { QUESTIONS };
        let asked = Asked { since: self.cx.now, next: self.cx.now, questions: 0, most, verdict: None };
        self.cx.claims.asked.insert(id, asked);
        self.question(id);
    }

    fn question(&mut self, id: PeerId) {
        let Some(asked) = self.cx.claims.asked.get_mut(&id) else { return };
        asked.questions += 1;
        asked.next = self.cx.now + AGAIN;
        let (first, next, time) = (asked.questions == 1, asked.next, AGAIN * asked.most);
        self.cx.timers.arm_holder(id, Some(next));
        match self.sa_with_dpd(id) {
            Some(conn) => {
                self.with_sa(conn, |v1, sa| v1.r_u_there(sa, sa.path));
            }
            None if first => self.call_to_ask(id, Vec::new(), time),
            None => {}
        }
    }

    /// It is time to ask again, or to judge.
    pub(crate) fn holder_timeout(&mut self, id: PeerId) {
        let answered = self.verdict_on(id) == Some(Verdict::There);
        let Some(asked) = self.cx.claims.asked.get_mut(&id) else { return };
        if asked.verdict.is_some() {
            self.cx.claims.asked.remove(&id);
        } else if answered {
            asked.verdict = Some(Verdict::There);
            self.cx.timers.arm_holder(id, Some(self.cx.now + ANSWERED));
            self.judge(id);
        } else if self.cx.now < asked.next {
            let next = asked.next;
            self.cx.timers.arm_holder(id, Some(next));
        } else if asked.questions < asked.most {
            self.question(id);
        } else {
            asked.verdict = Some(Verdict::Gone);
            self.cx.timers.arm_holder(id, Some(self.cx.now + GONE));
            self.judge(id);
        }
    }

    /// Goes on with the quick modes that waited for a peer.
    fn judge(&mut self, id: PeerId) {
        let of_peer = (id, ConnId(0), 0)..=(id, ConnId(u32::MAX), u32::MAX);
        let waiting: Vec<_> = self.cx.claims.waiting.range(of_peer).copied().collect();
        for wait in waiting {
            self.cx.claims.waiting.remove(&wait);
            let (_, conn, message_id) = wait;
            self.with_sa(conn, |v1, sa| v1.go_on(sa, message_id));
        }
    }

    /// A peer did not answer: its tunnels for a network end.
    fn lose(&mut self, id: PeerId, newcomer: &Service, selector: &Selector) {
        let lost =
            self.cx.children_of(id).filter(|child| contests(&self.cx.policy, child, newcomer, selector));
        let lost: Vec<_> = lost.map(|child| child.sa.id).collect();
        for child in lost {
            self.end_child(child, "another peer has its network, and this one does not answer", true);
        }
    }

    fn report(
        &mut self,
        sa: &IsakmpSa,
        holder: PeerId,
        range: AddressRange,
        selector: &Selector,
        kept: bool,
    ) {
        let Some(peer) = self.cx.peers.get(&holder) else { return };
        let holder = Rival { path: peer.path, identity: peer.identity.display(), network: range };
        let Some(identity) = sa.established().map(|established| established.identity.display()) else {
            return;
        };
        let newcomer = Rival { path: sa.path, identity, network: selector.remote };
        let kind =
            EventKind::NetworkContested { newcomer: Box::new(newcomer), holder: Box::new(holder), kept };
        self.cx.out.report(Some(sa.id), Some(sa.path), kind);
    }

    // ---- what waits
    // ---------------------------------------------------------------------------------------------

    /// Holds the answer to message 1 of a quick mode back.
    pub(crate) fn hold(&self, sa: &mut IsakmpSa, message_id: u32, chain: &Chain<'_>) {
        let mut writer = Writer::new();
        for payload in &chain.payloads {
            writer.push(payload.kind, payload.body);
        }
        let (first, payloads) = (writer.first(), writer.bytes());
        let held = Held { first, payloads, path: sa.path, since: self.cx.now };
        if let Some(established) = sa.established_mut() {
            established.exchanges.insert(message_id, Exchange::QuickHeld(Box::new(held)));
        }
    }

    /// Answers a quick mode that waited, or refuses it, or lets it wait for another peer.
    fn go_on(&mut self, sa: &mut IsakmpSa, message_id: u32) {
        let Some(established) = sa.established_mut() else { return };
        let Some(Exchange::QuickHeld(held)) = established.exchanges.get(&message_id) else { return };
        let held = held.clone();
        established.exchanges.remove(&message_id);
        let Some(authorized) = established.gate.authorized().cloned() else { return };
        let Ok(chain) = Chain::parse(held.first, &held.payloads) else { return };
        let home = std::mem::replace(&mut sa.path, held.path);
        let answered = match held.since + LONGEST > self.cx.now {
            true => self.quick_mode_respond(sa, message_id, &chain, &authorized),
            false => Err(Refusal::TooMany),
        };
        let told = match answered {
            Ok(answer) => answer,
            Err(refusal) => {
                let told = self.quick_mode_reject(sa, &refusal);
                self.refuse(Some(sa), held.path, refusal);
                told
            }
        };
        sa.path = home;
        if let Some(told) = told {
            sa.seen.amend(message_id, told);
        }
        if let Some(established) = sa.established_mut()
            && let Some(Exchange::QuickHeld(again)) = established.exchanges.get_mut(&message_id)
        {
            again.since = held.since;
        }
    }
}
