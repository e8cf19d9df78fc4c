//! Quick modes that wait because as many as may be are in progress: a branch with a hundred lines
//! begins a hundred at once. Nothing is lost and nothing is answered twice; what waits is bounded.

use crate::ike::engine::Engine;
use crate::ike::explain::Refusal;
use crate::ike::sa::{IsakmpSa, PendingChild};
use crate::limits;
use crate::path::Path;
use crate::wire::isakmp::Header;
use std::collections::VecDeque;

/// A message 1 of the peer whose HASH has verified.
pub(crate) struct Begun {
    pub(crate) path: Path,
    pub(crate) header: Header,
    pub(crate) body: Vec<u8>,
}

/// What waits on an ISAKMP SA, oldest first.
#[derive(Default)]
pub(crate) struct Waiting {
    begun: VecDeque<Begun>,
    wanted: VecDeque<PendingChild>,
}

impl Waiting {
    /// A message of the peer waits. If as many wait as may, the peer must repeat it.
    pub(crate) fn begin(&mut self, begun: Begun) -> Result<(), Refusal> {
        let bytes: usize = self.begun.iter().map(|begun| begun.body.len()).sum();
        if self.begun.len() >= limits::QUICK_MODES_WAITING
            || bytes + begun.body.len() > limits::QUICK_MODE_BYTES_WAITING
        {
            return Err(Refusal::TooMany);
        }
        self.begun.push_back(begun);
        Ok(())
    }

    /// A child SA that we want waits. One that is wanted already does not wait twice.
    pub(crate) fn want(&mut self, child: PendingChild) -> Result<(), Refusal> {
        if self.wanted.iter().any(|other| other.is_like(&child)) {
            return Ok(());
        }
        if self.wanted.len() >= limits::CHILDREN_PENDING {
            return Err(Refusal::TooMany);
        }
        self.wanted.push_back(child);
        Ok(())
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.begun.is_empty() && self.wanted.is_empty()
    }
}

impl Engine {
    /// Goes on with what waits while there is room, the peer's messages first.
    pub(crate) fn quick_modes_that_waited(&mut self, sa: &mut IsakmpSa) {
        while !sa.dead
            && let Some(established) = sa.established_mut()
            && established.quick_modes() < limits::QUICK_MODES
        {
            if let Some(Begun { path, header, body }) = established.waiting.begun.pop_front() {
                match self.quick_mode(sa, path, &header, &body) {
                    Ok(Some(answer)) => sa.seen.amend(header.message_id, answer),
                    Ok(None) => {}
                    Err(refusal) => self.refuse(Some(sa), path, refusal),
                }
            } else if let Some(child) = established.waiting.wanted.pop_front() {
                if let Err(refusal) = self.start_quick_mode(sa, child) {
                    let path = sa.path;
                    self.refuse(Some(sa), path, refusal);
                }
            } else {
                return;
            }
        }
    }
}
