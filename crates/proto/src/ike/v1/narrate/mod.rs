//! The narration of `debug crypto isakmp`: which steps IOS prints of what happens in an exchange.
//! The exchanges say what happened (`trace_…`); nothing here decides or sends anything, and for a
//! peer that is not traced it costs a few comparisons.

mod aggressive;
mod config;
mod informational;
mod main_mode;
mod phase1;
mod quick;

use crate::ike::event::EventKind;
use crate::ike::trace::{EngineStep, Fsm, FsmInput, Trace};
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{IsakmpSa, state_of};

// only this folder can make steps
impl V1<'_> {
    /// Whether the steps of this SA are traced.
    fn traces(&self, sa: &IsakmpSa) -> bool {
        self.cx.out.tracing.covers(sa.path.remote)
    }

    /// Traces a step of an SA, if its peer is traced.
    fn step(&mut self, sa: &IsakmpSa, trace: impl FnOnce() -> Trace) {
        self.cx.out.step_on(Some(sa.id), sa.path, trace);
    }

    /// Traces several steps.
    fn steps(&mut self, sa: &IsakmpSa, traces: impl FnOnce() -> Vec<Trace>) {
        if self.traces(sa) {
            for trace in traces() {
                self.event(Some(sa), EventKind::Trace(Box::new(trace)));
            }
        }
    }

    /// Traces a change of the SA's state machine.
    fn moves(&mut self, sa: &IsakmpSa, input: FsmInput, old: Fsm, new: Fsm) {
        self.step(sa, || Trace::Transition { node: None, input, old, new });
    }

    /// Traces a change of a quick mode's state machine.
    fn node_moves(&mut self, sa: &IsakmpSa, node: u32, input: FsmInput, old: Fsm, new: Fsm) {
        self.step(sa, || Trace::Transition { node: Some(node), input, old, new });
    }

    /// A step of the crypto engine.
    fn engine_step(&mut self, sa: &IsakmpSa, step: EngineStep) {
        self.step(sa, || Trace::Engine(step));
    }
}

impl V1<'_> {
    /// A message of a new peer was received.
    pub(crate) fn trace_new_peer(&mut self, sa: &IsakmpSa) {
        self.steps(sa, || vec![Trace::Received(None, false), Trace::NewSa]);
    }

    /// A message for this SA was received.
    pub(crate) fn trace_received(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::Received(Some(state_of(sa)), sa.initiator));
    }

    /// A message was received again.
    pub(crate) fn trace_repeated(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::Repeated);
    }

    /// A message of ours was not answered and is sent again.
    pub(crate) fn trace_resent(&mut self, sa: &IsakmpSa) {
        self.step(sa, || Trace::Resent(state_of(sa), sa.initiator));
    }
}
