//! What the engine has to say: effects to carry out, steps for whoever traces, and which SAs changed
//! since they were last reported. Every room writes into it, and effects are read only by the
//! engine's caller, in the order in which they were written.

use crate::ike::event::{Event, EventKind};
use crate::ike::explain::Refusal;
use crate::ike::io::Effect;
use crate::ike::trace::{Trace, TraceScope};
use crate::ike::watch::Watched;
use crate::names::{ChildId, ConnId};
use crate::path::Path;
use std::collections::VecDeque;

/// Effects, steps and changes.
#[derive(Debug, Default)]
pub struct Outbox {
    effects: VecDeque<Effect>,
    /// Which peers are traced.
    pub(crate) tracing: TraceScope,
    pub(crate) watched: Option<Watched>,
}

impl Outbox {
    pub(crate) fn poll(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// Sends a datagram.
    pub fn transmit(&mut self, path: Path, bytes: Vec<u8>) {
        self.effect(Effect::Transmit { path, bytes });
    }

    /// Reports what happened, on an SA if there is one.
    pub fn report(&mut self, connection: Option<ConnId>, path: Option<Path>, kind: EventKind) {
        self.effect(Effect::Event(Event { connection, path, kind }));
    }

    /// Reports a refusal; `why` explains it.
    pub fn refuse(&mut self, connection: Option<ConnId>, path: Path, refusal: Refusal) {
        self.report(connection, Some(path), EventKind::Refused(refusal));
    }

    /// Traces a step, if its peer is traced.
    pub(crate) fn step_on(&mut self, connection: Option<ConnId>, path: Path, trace: impl FnOnce() -> Trace) {
        if self.tracing.covers(path.remote) {
            self.report(connection, Some(path), EventKind::Trace(Box::new(trace())));
        }
    }

    /// An IKE SA is not as it was last reported.
    pub fn isakmp_changed(&mut self, id: ConnId) {
        if let Some(watched) = &mut self.watched {
            watched.isakmp.insert(id);
        }
    }

    pub(crate) fn child_changed(&mut self, id: ChildId) {
        if let Some(watched) = &mut self.watched {
            watched.children.insert(id);
        }
    }
}
