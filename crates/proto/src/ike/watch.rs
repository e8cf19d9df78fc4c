//! Views for a reader that keeps copies: the engine reports each changed SA with its view, once
//! however often it changed. So the cost of `show` for the engine depends on the number of changes
//! and not on the number of readers.

use crate::ike::engine::Engine;
use crate::ike::sa::Child;
use crate::ike::snapshot::{ChildView, IsakmpView};
use crate::names::{ChildId, ConnId};
use std::collections::BTreeSet;

/// What changed since the last report.
#[derive(Debug, Default)]
pub(super) struct Watched {
    isakmp: BTreeSet<ConnId>,
    children: BTreeSet<ChildId>,
}

/// An SA that changed.
#[derive(Clone, Debug)]
pub enum Change {
    /// An ISAKMP SA; no view means that it is gone.
    Isakmp(ConnId, Option<Box<IsakmpView>>),
    /// A child SA; no view means that it is gone.
    Child(ChildId, Option<Box<ChildView>>),
}

impl Engine {
    /// From now on, changes are remembered until [`Self::poll_view`] returns them. Existing SAs
    /// count as changed.
    pub fn watch(&mut self) {
        self.watched = Some(Watched {
            isakmp: self.sas.keys().copied().chain(self.calls.shown_ids()).collect(),
            children: self.children.keys().copied().collect(),
        });
    }

    /// The next SA that changed; `None` when all were reported, or [`Self::watch`] was not called.
    pub fn poll_view(&mut self) -> Option<Change> {
        let watched = self.watched.as_mut()?;
        if let Some(id) = watched.isakmp.pop_first() {
            let view = match self.sas.get(&id) {
                Some(sa) => Some(self.isakmp_view(sa)),
                None => self.calls.shown(id).map(|call| self.isakmp_view(&call.resume())),
            };
            return Some(Change::Isakmp(id, view.map(Box::new)));
        }
        let id = watched.children.pop_first()?;
        Some(Change::Child(id, self.children.get(&id).map(|child| Box::new(Child::view(child)))))
    }

    pub(super) fn isakmp_changed(&mut self, id: ConnId) {
        if let Some(watched) = &mut self.watched {
            watched.isakmp.insert(id);
        }
    }

    pub(super) fn child_changed(&mut self, id: ChildId) {
        if let Some(watched) = &mut self.watched {
            watched.children.insert(id);
        }
    }
}
