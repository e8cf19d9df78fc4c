//! Transaction exchanges: Xauth and mode-config.

use crate::ike::snapshot::IsakmpState;
use crate::ike::trace::{ConfigAnswer, EngineStep, Fsm, FsmInput, Trace};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::wire::attribute::Attribute;
use crate::wire::ike1::Config;
use crate::wire::registry::config;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

impl V1<'_> {
    /// A message was received; `begins` tells whether it begins an exchange of the peer's.
    pub(crate) fn trace_config_received(
        &mut self,
        sa: &IsakmpSa,
        message_id: u32,
        message: &Config,
        begins: bool,
    ) {
        self.steps(sa, || {
            let came = [
                Trace::ConfigCame(message_id),
                Trace::Engine(EngineStep::Hmac),
                Trace::ConfigKind(message.kind),
            ];
            let node = begins.then_some(Trace::NewNode(message_id, IsakmpState::QmIdle));
            node.into_iter().chain(came).collect()
        });
    }
}

// Xauth
impl V1<'_> {
    /// An exchange of ours begins with this message.
    fn begun_steps(&mut self, sa: &IsakmpSa, message_id: u32, message: &Config) {
        self.steps(sa, || {
            let mut out = vec![Trace::AaaAnswered, Trace::NewNode(message_id, IsakmpState::ConfXauth)];
            if message.kind == config::REQUEST {
                out.extend(message.attributes.iter().map(|attribute| Trace::XauthAsked(attribute.kind)));
            }
            out.extend([
                Trace::Engine(EngineStep::Hmac),
                Trace::ConfigBegun(message_id),
                Trace::Sent(IsakmpState::ConfXauth, sa.initiator),
            ]);
            out
        });
    }

    /// The user is asked; `again` tells whether it was before.
    pub(crate) fn trace_xauth_asked(
        &mut self,
        sa: &IsakmpSa,
        message_id: u32,
        message: &Config,
        again: bool,
    ) {
        self.begun_steps(sa, message_id, message);
        if again {
            self.moves(sa, FsmInput::ContinueLogin, Fsm::XauthJudged, Fsm::XauthRequested);
        } else {
            self.moves(sa, FsmInput::StartLogin, Fsm::XauthStart, Fsm::XauthRequested);
        }
    }

    /// The user has answered, and the login list checks it.
    pub(crate) fn trace_xauth_replied(&mut self, sa: &IsakmpSa, message_id: u32, message: &Config) {
        self.steps(sa, || {
            let replied = message.attributes.iter().map(|attribute| Trace::XauthReplied(attribute.kind));
            let done = Trace::NodeDeleted(message_id, "done with xauth request/reply exchange");
            replied.chain([done]).collect()
        });
        self.moves(sa, FsmInput::ConfigReply, Fsm::XauthRequested, Fsm::XauthJudged);
    }

    /// The verdict is sent.
    pub(crate) fn trace_xauth_verdict_sent(&mut self, sa: &IsakmpSa, message_id: u32, message: &Config) {
        self.begun_steps(sa, message_id, message);
        self.moves(sa, FsmInput::ContinueLogin, Fsm::XauthJudged, Fsm::XauthSet);
    }

    /// The client has acknowledged the verdict.
    pub(crate) fn trace_xauth_acknowledged(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.steps(sa, || {
            vec![Trace::XauthAcknowledged, Trace::NodeDeleted(message_id, "done with transaction")]
        });
        self.moves(sa, FsmInput::ConfigAck, Fsm::XauthSet, Fsm::Phase1Complete);
        self.moves(sa, FsmInput::Phase1Complete, Fsm::Phase1Complete, Fsm::Phase1Complete);
    }
}

// mode-config
impl V1<'_> {
    /// A client asks for its configuration.
    pub(crate) fn trace_configuration_asked(&mut self, sa: &IsakmpSa, message: &Config) {
        self.step(sa, || {
            Trace::ConfigAsked(message.attributes.iter().map(|attribute| attribute.kind).collect())
        });
        self.moves(sa, FsmInput::ConfigRequest, Fsm::Phase1Complete, Fsm::ConfigAaa);
    }

    /// A client is answered: it has this address, and what it asked for as far as that is
    /// configured.
    pub(crate) fn trace_configuration_answered(
        &mut self,
        sa: &IsakmpSa,
        message_id: u32,
        requested: &[Attribute],
        answered: &[Attribute],
        address: Ipv4Addr,
    ) {
        self.steps(sa, || {
            let asked = requested.iter().find(|attribute| attribute.kind == config::ADDRESS);
            let asked = asked.and_then(|attribute| <[u8; 4]>::try_from(attribute.bytes()).ok());
            let mut told = BTreeSet::from([config::ADDRESS]);
            let mut answers = Vec::new();
            for kind in requested.iter().map(|attribute| attribute.kind).filter(|kind| told.insert(*kind)) {
                let sent = answered.iter().filter(|attribute| attribute.kind == kind).cloned();
                let before = answers.len();
                answers.extend(sent.map(ConfigAnswer::Sent));
                if answers.len() == before {
                    answers.push(ConfigAnswer::Left(kind));
                }
            }
            vec![
                Trace::AaaAnswered,
                Trace::ConfigAddress(asked.map(Ipv4Addr::from), address),
                Trace::ConfigAnswers(answers),
                Trace::Engine(EngineStep::Hmac),
                Trace::ConfigAnswered(message_id),
                Trace::Sent(IsakmpState::ConfAddr, sa.initiator),
                Trace::NodeDeleted(message_id, ""),
            ]
        });
        self.moves(sa, FsmInput::GroupAttributes, Fsm::ConfigAaa, Fsm::Phase1Complete);
        self.moves(sa, FsmInput::Phase1Complete, Fsm::Phase1Complete, Fsm::Phase1Complete);
    }
}
