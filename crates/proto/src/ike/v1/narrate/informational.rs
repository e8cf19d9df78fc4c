//! Informational exchanges, and the end of an SA.

use crate::ike::snapshot::IsakmpState;
use crate::ike::trace::{EngineStep, Fsm, FsmInput, PayloadName, Trace};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{IsakmpSa, state_of};
use crate::wire::ike1::Notify;
use crate::wire::registry::notify;

impl V1<'_> {
    /// A message was received, and its hash is correct.
    pub(crate) fn trace_informational_received(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.steps(sa, || {
            vec![
                Trace::NewNode(message_id, state_of(sa)),
                Trace::Engine(EngineStep::Hmac),
                Trace::Processing(PayloadName::Hash, message_id),
            ]
        });
    }

    /// It has a notification.
    pub(crate) fn trace_notified(&mut self, sa: &IsakmpSa, message: &Notify, message_id: u32) {
        self.step(sa, || match (message.kind, <[u8; 4]>::try_from(message.data.as_slice())) {
            (notify::R_U_THERE | notify::R_U_THERE_ACK, Ok(sequence)) => Trace::Dpd {
                came: true,
                ack: message.kind == notify::R_U_THERE_ACK,
                sequence: u32::from_be_bytes(sequence),
            },
            _ => Trace::Notified(message.kind, message.protocol, message_id),
        });
    }

    /// It has a delete.
    pub(crate) fn trace_delete_received(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.step(sa, || Trace::Processing(PayloadName::Delete, message_id));
    }

    /// All of it is handled.
    pub(crate) fn trace_informational_handled(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.step(sa, || Trace::NodeDeleted(message_id, "Informational (in) state 1"));
    }

    /// A message is sent.
    pub(crate) fn trace_informational_sent(&mut self, sa: &IsakmpSa, message_id: u32) {
        self.steps(sa, || {
            vec![
                Trace::NewNode(message_id, state_of(sa)),
                Trace::Engine(EngineStep::Hmac),
                Trace::Sent(IsakmpState::QmIdle, sa.initiator),
                Trace::NodePurged(message_id),
            ]
        });
    }

    /// Dead peer detection: we send a probe, or answer one.
    pub(crate) fn trace_probe_sent(&mut self, sa: &IsakmpSa, message: &Notify) {
        if let Ok(sequence) = <[u8; 4]>::try_from(message.data.as_slice()) {
            let ack = message.kind == notify::R_U_THERE_ACK;
            let sequence = u32::from_be_bytes(sequence);
            self.step(sa, || Trace::Dpd { came: false, ack, sequence });
        }
    }

    /// The peer has deleted the SA.
    pub(crate) fn trace_deleted_by_peer(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::SaDeleted(state_of(sa), sa.initiator, "deleted by the peer"));
    }

    /// We end the SA for this reason.
    pub(crate) fn trace_sa_deleted(&mut self, sa: &IsakmpSa, reason: &'static str) {
        self.step(sa, || Trace::SaDeleted(state_of(sa), sa.initiator, reason));
        self.moves(sa, FsmInput::Delete, Fsm::Phase1Complete, Fsm::Ending);
    }
}
