//! Aggressive mode.

use crate::ike::lookup::Demands;
use crate::ike::natt::Dialect;
use crate::ike::snapshot::IsakmpState;
use crate::ike::trace::{EngineStep, Fsm, FsmInput, PayloadName, Trace};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::policy::{IsakmpPolicy, IsakmpProfile};
use crate::wire::ike1::{Proposal, parse_phase1_sa};
use crate::wire::isakmp::Chain;
use crate::wire::registry::{ike, payload};

// initiator
impl V1<'_> {
    /// Message 1 is sent.
    pub(crate) fn trace_aggressive_1_sent(&mut self, sa: &IsakmpSa) {
        self.moves(sa, FsmInput::RequestAggressive, Fsm::Ready, Fsm::AggressiveInitiator);
        self.step(sa, || Trace::Sent(IsakmpState::AgInitExch, true));
    }

    /// Message 2 was received: its transforms are compared with what we proposed.
    pub(crate) fn trace_aggressive_2_received(
        &mut self,
        sa: &IsakmpSa,
        policies: &[IsakmpPolicy],
        answer: &[Proposal],
        method: u16,
    ) {
        self.step(sa, || Trace::Processing(PayloadName::Sa, 0));
        self.transform_steps(sa, policies, answer, &[method]);
    }

    /// Message 2 proves the peer's identity.
    pub(crate) fn trace_aggressive_2_accepted(
        &mut self,
        sa: &IsakmpSa,
        chain: &Chain<'_>,
        first_contact: bool,
    ) {
        self.identity_steps(sa, chain);
        self.vendor_steps(sa, chain, false);
        self.key_exchange_steps(sa);
        self.keys_steps(sa);
        self.hash_steps(sa, first_contact);
    }

    /// Message 3 is sent.
    pub(crate) fn trace_aggressive_3_sent(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::Sent(IsakmpState::AgInitExch, true));
    }
}

// responder
impl V1<'_> {
    /// Message 1 was received: its identity belongs to this profile, which has these demands, and
    /// its transforms are compared with those of our policies that fit its public value.
    pub(crate) fn trace_aggressive_1_received(
        &mut self,
        sa: &IsakmpSa,
        chain: &Chain<'_>,
        profile: Option<&IsakmpProfile>,
        demands: &Demands,
        policies: &[IsakmpPolicy],
        method: u16,
    ) {
        if !self.traces(sa) {
            return;
        }
        self.step(sa, || Trace::Processing(PayloadName::Sa, 0));
        self.identity_steps(sa, chain);
        self.step(sa, || Trace::Profile(profile.map(|profile| profile.name.clone())));
        if demands.xauth_list.is_some() {
            self.step(sa, || Trace::ClientSettings);
        }
        self.vendor_steps(sa, chain, false);
        if method == ike::AUTH_XAUTH_INIT_PRESHARED {
            self.step(sa, || Trace::XauthPossible);
        }
        let offered = chain.only(payload::SA).and_then(|body| parse_phase1_sa(body).ok());
        self.transform_steps(sa, policies, &offered.unwrap_or_default(), &[method]);
    }

    /// A proposal is chosen: the peer's key is looked for.
    pub(crate) fn trace_aggressive_1_accepted(&mut self, sa: &IsakmpSa) {
        self.engine_step(sa, EngineStep::Group);
        self.steps(sa, || {
            vec![Trace::Processing(PayloadName::Ke, 0), Trace::Processing(PayloadName::Nonce, 0)]
        });
        let nat_traversal = self.cx.policy.global.nat_traversal;
        if let Some(dialect) = Dialect::choose(&sa.vendors).filter(|_| nat_traversal) {
            self.step(sa, || Trace::NatDialect(dialect.vendor()));
        }
        self.moves(sa, FsmInput::AggressiveMode, Fsm::Ready, Fsm::AggressiveAaa);
    }

    /// The peer is no group: its key is looked for in these keyrings, and is in this one.
    pub(crate) fn trace_key_searched(&mut self, sa: &IsakmpSa, only: &[String], keyring: Option<&str>) {
        self.key_search_steps(sa, only, keyring);
    }

    /// The authorization list has answered for the group.
    pub(crate) fn trace_group_answered(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::AaaAnswered);
    }

    /// The secret is shared; message 2 is sent, with our identity; whether Xauth follows.
    pub(crate) fn trace_aggressive_2_sent(&mut self, sa: &IsakmpSa, identity: &[u8], xauth: bool) {
        self.engine_step(sa, EngineStep::Agree);
        self.keys_steps(sa);
        self.nat_announced_step(sa);
        self.own_identity_steps(sa, identity, xauth);
        self.step(sa, || Trace::Sent(IsakmpState::AgInitExch, false));
        self.moves(sa, FsmInput::PresharedKey, Fsm::AggressiveAaa, Fsm::AggressiveResponder);
    }

    /// Message 3 proves the peer's identity, and a NAT is found.
    pub(crate) fn trace_aggressive_3_accepted(
        &mut self,
        sa: &IsakmpSa,
        chain: &Chain<'_>,
        first_contact: bool,
    ) {
        self.hash_steps(sa, first_contact);
        self.nat_steps(sa, chain);
        self.steps(sa, || {
            let authenticated = [Trace::Authenticated, Trace::AuthenticatedWith];
            authenticated.into_iter().chain([Trace::Engine(EngineStep::ClearDh)]).collect()
        });
    }
}
