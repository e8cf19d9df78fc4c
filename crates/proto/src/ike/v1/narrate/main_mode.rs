//! Main mode.

use crate::ike::snapshot::IsakmpState;
use crate::ike::trace::{EngineStep, Fsm, FsmInput, PayloadName, Trace};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{IsakmpSa, State};
use crate::policy::{IsakmpPolicy, IsakmpProfile};
use crate::wire::ike1::Proposal;
use crate::wire::isakmp::Chain;
use crate::wire::registry::ike;
use std::sync::Arc;

/// The state machine once the next message was received: its state before and after.
fn next_message(state: &State) -> Option<(Fsm, Fsm)> {
    match state {
        State::MainInitiator(state) => {
            state.number().map(|number| (Fsm::MainInitiator(number), Fsm::MainInitiator(number + 1)))
        }
        State::MainResponder(state) => {
            state.number().map(|number| (Fsm::MainResponder(number), Fsm::MainResponder(number + 1)))
        }
        _ => None,
    }
}

// either side
impl V1<'_> {
    /// A message of phase 1 was received, in this state of the SA.
    pub(crate) fn trace_phase1_message(&mut self, sa: &IsakmpSa) {
        if let Some((old, new)) = next_message(&sa.state) {
            self.moves(sa, FsmInput::MainMode, old, new);
        }
    }

    /// The message is refused, and the SA is in the same state again.
    pub(crate) fn trace_phase1_message_refused(&mut self, sa: &IsakmpSa) {
        if let Some((old, new)) = next_message(&sa.state) {
            self.moves(sa, FsmInput::ProcessError, new, old);
        }
    }

    /// Message 5 or 6 was decrypted: it names the peer's identity, which is not proved yet.
    pub(crate) fn trace_identity_received(&mut self, sa: &IsakmpSa, chain: &Chain<'_>) {
        self.identity_steps(sa, chain);
    }

    /// This message of main mode is accepted.
    fn main_message_accepted(&mut self, sa: &IsakmpSa, message: Fsm) {
        self.moves(sa, FsmInput::ProcessMainMode, message, message);
    }

    /// Our next message of main mode is sent in this state; it moves the state machine.
    fn main_message_sent(&mut self, sa: &IsakmpSa, state: IsakmpState, old: Fsm, new: Fsm) {
        self.step(sa, || Trace::Sent(state, sa.initiator));
        self.moves(sa, FsmInput::ProcessComplete, old, new);
    }
}

// initiator
impl V1<'_> {
    /// Message 1 is sent.
    pub(crate) fn trace_main_1_sent(&mut self, sa: &IsakmpSa) {
        self.moves(sa, FsmInput::RequestMain, Fsm::Ready, Fsm::MainInitiator(1));
        self.step(sa, || Trace::Sent(IsakmpState::MmNoState, true));
    }

    /// Message 2 was received: its transforms are compared with what we proposed.
    pub(crate) fn trace_main_2_received(
        &mut self,
        sa: &IsakmpSa,
        chain: &Chain<'_>,
        policies: &[IsakmpPolicy],
        answer: &[Proposal],
        method: u16,
    ) {
        self.step(sa, || Trace::Processing(PayloadName::Sa, 0));
        self.vendor_steps(sa, chain, false);
        self.transform_steps(sa, policies, answer, &[method]);
    }

    /// The answer is one of our proposals; message 3 is sent.
    pub(crate) fn trace_main_3_sent(&mut self, sa: &IsakmpSa) {
        self.main_message_accepted(sa, Fsm::MainInitiator(2));
        self.main_message_sent(sa, IsakmpState::MmSaSetup, Fsm::MainInitiator(2), Fsm::MainInitiator(3));
    }

    /// Message 4 was received: the secret is shared, and a NAT is found.
    pub(crate) fn trace_main_4_accepted(&mut self, sa: &IsakmpSa, chain: &Chain<'_>) {
        self.key_exchange_steps(sa);
        self.keys_steps(sa);
        self.vendor_steps(sa, chain, true);
        self.nat_steps(sa, chain);
        self.main_message_accepted(sa, Fsm::MainInitiator(4));
    }

    /// Message 5 is sent, with our identity.
    pub(crate) fn trace_main_5_sent(&mut self, sa: &IsakmpSa, identity: &[u8]) {
        self.own_identity_steps(sa, identity, sa.connection.is_some());
        self.main_message_sent(sa, IsakmpState::MmKeyExch, Fsm::MainInitiator(4), Fsm::MainInitiator(5));
    }

    /// Message 6 proves the peer's identity, which belongs to this profile.
    pub(crate) fn trace_main_6_accepted(
        &mut self,
        sa: &IsakmpSa,
        profile: Option<&str>,
        first_contact: bool,
    ) {
        self.step(sa, || Trace::Profile(profile.map(str::to_string)));
        self.hash_steps(sa, first_contact);
        self.main_message_accepted(sa, Fsm::MainInitiator(6));
        self.moves(sa, FsmInput::ProcessComplete, Fsm::MainInitiator(6), Fsm::Phase1Complete);
    }
}

// responder
impl V1<'_> {
    /// Message 1 was received: the key of the peer's address is in this keyring, if there is one,
    /// and the transforms are compared with our policies.
    pub(crate) fn trace_main_1_received(
        &mut self,
        sa: &IsakmpSa,
        chain: &Chain<'_>,
        keyring: Option<&str>,
        offered: &[Proposal],
        methods: &[u16],
    ) {
        if !self.traces(sa) {
            return;
        }
        self.moves(sa, FsmInput::MainMode, Fsm::Ready, Fsm::MainResponder(1));
        self.step(sa, || Trace::Processing(PayloadName::Sa, 0));
        self.vendor_steps(sa, chain, false);
        self.key_search_steps(sa, &[], keyring);
        if keyring.is_none() {
            return self.step(sa, || Trace::NoKey);
        }
        let policy = Arc::clone(&self.cx.policy);
        self.steps(sa, || {
            let xauth = methods.contains(&ike::AUTH_XAUTH_INIT_PRESHARED);
            let profiles = policy.profiles.iter().map(|profile| profile.name.clone()).collect();
            let scan = [Trace::KeyFound, Trace::LocalKey, Trace::ProfileScan(profiles)];
            scan.into_iter().chain(xauth.then_some(Trace::XauthPossible)).collect()
        });
        self.transform_steps(sa, &policy.proposals, offered, methods);
    }

    /// A proposal is chosen; message 2 is sent.
    pub(crate) fn trace_main_2_sent(&mut self, sa: &IsakmpSa) {
        self.engine_step(sa, EngineStep::Group);
        self.main_message_accepted(sa, Fsm::MainResponder(1));
        self.nat_announced_step(sa);
        self.main_message_sent(sa, IsakmpState::MmSaSetup, Fsm::MainResponder(1), Fsm::MainResponder(2));
    }

    /// Message 3 was received: the secret is shared, the key of the peer's address is in this
    /// keyring, and a NAT is found.
    pub(crate) fn trace_main_3_accepted(&mut self, sa: &IsakmpSa, chain: &Chain<'_>, keyring: &str) {
        self.key_exchange_steps(sa);
        self.key_search_steps(sa, &[], Some(keyring));
        self.step(sa, || Trace::KeyFound);
        self.keys_steps(sa);
        self.vendor_steps(sa, chain, true);
        self.nat_steps(sa, chain);
        self.main_message_accepted(sa, Fsm::MainResponder(3));
    }

    /// Message 4 is sent.
    pub(crate) fn trace_main_4_sent(&mut self, sa: &IsakmpSa) {
        self.main_message_sent(sa, IsakmpState::MmKeyExch, Fsm::MainResponder(3), Fsm::MainResponder(4));
    }

    /// Message 5 proves the peer's identity, which belongs to this profile; the key of the
    /// profile's keyrings is in this one, if there is one.
    pub(crate) fn trace_peer_bound(
        &mut self,
        sa: &IsakmpSa,
        profile: Option<&IsakmpProfile>,
        keyring: Option<&str>,
    ) {
        self.step(sa, || Trace::Profile(profile.map(|profile| profile.name.clone())));
        let keyrings = profile.map_or(&[][..], |profile| &profile.keyrings);
        self.key_search_steps(sa, keyrings, keyring);
    }

    /// The key of message 5 is that of the profile's keyring.
    pub(crate) fn trace_main_5_accepted(&mut self, sa: &IsakmpSa, keyring: &str, first_contact: bool) {
        self.step(sa, || Trace::KeyringFound(keyring.to_string()));
        self.hash_steps(sa, first_contact);
        self.main_message_accepted(sa, Fsm::MainResponder(5));
    }

    /// Message 6 is sent, with our identity; whether Xauth follows.
    pub(crate) fn trace_main_6_sent(&mut self, sa: &IsakmpSa, identity: &[u8], xauth: bool) {
        self.own_identity_steps(sa, identity, xauth);
        self.engine_step(sa, EngineStep::ClearDh);
        self.main_message_sent(sa, IsakmpState::MmKeyExch, Fsm::MainResponder(5), Fsm::Phase1Complete);
    }
}
