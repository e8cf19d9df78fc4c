//! Quick mode.

use crate::flow::selector::Selector;
use crate::ike::lookup;
use crate::ike::proposal::{Phase2Choice, judge_phase2};
use crate::ike::snapshot::IsakmpState;
use crate::ike::trace::{EngineStep, Fsm, FsmInput, PayloadName, Trace};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::names::{ChildId, Spi};
use crate::policy::EntryTerms;
use crate::wire::ike1::Proposal;
use crate::wire::isakmp::Chain;
use crate::wire::registry::payload;
use std::sync::Arc;

// either side
impl V1<'_> {
    /// A message with a proposal was received.
    fn quick_steps(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.steps(sa, || {
            vec![
                Trace::Engine(EngineStep::Hmac),
                Trace::Processing(PayloadName::Hash, message_id),
                Trace::Processing(PayloadName::Sa, message_id),
            ]
        });
    }

    /// Traces the comparison of the transforms with the terms of a crypto map entry, and what is
    /// chosen.
    fn proposal_steps(
        &mut self,
        sa: &IsakmpSa,
        terms: &EntryTerms,
        selector: &Selector,
        offered: &[Proposal],
        choice: Option<&Phase2Choice>,
    ) {
        if !self.traces(sa) {
            return;
        }
        let judged = judge_phase2(&Self::wish(sa, terms, selector), offered, choice);
        let map =
            self.cx.policy.map_of(sa.path.interface).map(|map| Arc::clone(&map.name)).unwrap_or_default();
        self.steps(sa, || {
            let mut out: Vec<_> = judged.into_iter().map(Trace::Phase2Transform).collect();
            match choice {
                Some(choice) => out.extend([
                    Trace::ProposalRequest(*selector, choice.suite.suite, choice.suite.mode),
                    Trace::Engine(EngineStep::ValidateRequest),
                    Trace::ProxyCheck(map, true),
                ]),
                None if terms.transform_sets.is_empty() => {
                    out.extend([Trace::ProxyCheck(map, false), Trace::Phase2Refused]);
                }
                None => out.push(Trace::Phase2Refused),
            }
            out
        });
    }

    /// A new child SA is in use in both directions.
    pub(crate) fn trace_child_installed(&mut self, child: ChildId) {
        self.cx.installed_step(child);
    }
}

// initiator
impl V1<'_> {
    /// Message 1 is sent.
    pub(crate) fn trace_quick_1_sent(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.steps(sa, || {
            vec![
                Trace::NewNode(message_id, IsakmpState::QmIdle),
                Trace::Engine(EngineStep::Hmac),
                Trace::Sent(IsakmpState::QmIdle, sa.initiator),
            ]
        });
        self.node_moves(sa, message_id, FsmInput::RequestQuick, Fsm::QuickReady, Fsm::QuickInitiator);
    }

    /// Message 2 was received.
    pub(crate) fn trace_quick_2_received(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.quick_steps(sa, message_id);
    }

    /// Message 2 chooses one of our proposals.
    pub(crate) fn trace_quick_2_accepted(
        &mut self,
        sa: &IsakmpSa,
        terms: &EntryTerms,
        selector: &Selector,
        answer: &[Proposal],
        choice: &Phase2Choice,
    ) {
        self.proposal_steps(sa, terms, selector, answer, Some(choice));
    }

    /// Message 3 is sent.
    pub(crate) fn trace_quick_3_sent(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::Sent(IsakmpState::QmIdle, sa.initiator));
    }

    /// With message 3 the exchange is over for us; `child` is the child SA, if it is in use now.
    pub(crate) fn trace_quick_initiated(&mut self, sa: &IsakmpSa, message_id: u32, child: Option<ChildId>) {
        self.step(sa, || Trace::NodeDeleted(message_id, "No Error"));
        self.node_moves(sa, message_id, FsmInput::QuickMode, Fsm::QuickInitiator, Fsm::Phase2Complete);
        if let Some(child) = child {
            self.trace_child_installed(child);
        }
    }
}

// responder
impl V1<'_> {
    /// Message 1 was received.
    pub(crate) fn trace_quick_1_received(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.step(sa, || Trace::NewNode(message_id, IsakmpState::QmIdle));
        self.quick_steps(sa, message_id);
    }

    /// The proposals of message 1 are compared with the crypto map entries that could serve the
    /// peer, and one of them has accepted, or none.
    pub(crate) fn trace_quick_1_compared(
        &mut self,
        sa: &IsakmpSa,
        profile: Option<&str>,
        selector: &Selector,
        offered: &[Proposal],
        chosen: Option<(&EntryTerms, &Phase2Choice)>,
    ) {
        if !self.traces(sa) {
            return;
        }
        if let Some((terms, choice)) = chosen {
            return self.proposal_steps(sa, terms, selector, offered, Some(choice));
        }
        // IOS prints only the comparison with the first
        let policy = Arc::clone(&self.cx.policy);
        let entries = lookup::entries_for(&policy, sa.path.interface, sa.path.remote, profile, selector);
        let first = entries.first().map(|found| found.terms.clone()).unwrap_or_default();
        self.proposal_steps(sa, &first, selector, offered, None);
    }

    /// Message 1 is accepted; the child SA gets an SPI.
    pub(crate) fn trace_quick_1_accepted(&mut self, sa: &IsakmpSa, message_id: u32, chain: &Chain<'_>) {
        self.steps(sa, || {
            let ids = chain.all(payload::ID).map(|_| Trace::Processing(PayloadName::Id, message_id));
            let nonce = Trace::Processing(PayloadName::Nonce, message_id);
            std::iter::once(nonce).chain(ids).chain([Trace::SpiAsked]).collect()
        });
        self.node_moves(sa, message_id, FsmInput::QuickMode, Fsm::QuickReady, Fsm::QuickSpi);
    }

    /// The child SA has this SPI.
    pub(crate) fn trace_spi_given(&mut self, sa: &IsakmpSa, spi: Spi) {
        self.step(sa, || Trace::SpiGiven(spi));
    }

    /// Message 2 is sent.
    pub(crate) fn trace_quick_2_sent(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.steps(sa, || {
            vec![Trace::Engine(EngineStep::Hmac), Trace::Sent(IsakmpState::QmIdle, sa.initiator)]
        });
        self.node_moves(sa, message_id, FsmInput::SpiReply, Fsm::QuickSpi, Fsm::QuickResponder);
    }

    /// Message 3 was received, and its hash is correct.
    pub(crate) fn trace_quick_3_received(&mut self, sa: &IsakmpSa) {
        self.engine_step(sa, EngineStep::Hmac);
    }

    /// With message 3 the exchange is over for us too, and the child SA is in use.
    pub(crate) fn trace_quick_answered(&mut self, sa: &IsakmpSa, message_id: u32, child: ChildId) {
        self.step(sa, || Trace::NodeDeleted(message_id, "quick mode done (await)"));
        self.node_moves(sa, message_id, FsmInput::QuickMode, Fsm::QuickResponder, Fsm::Phase2Complete);
        self.trace_child_installed(child);
    }
}
