//! Views for a reader that keeps copies: the engine reports each changed SA with its view, once
//! however often it changed. So the cost of `show` for the engine depends on the number of changes
//! and not on the number of readers.

use crate::ike::snapshot::{ChildView, IsakmpView};
use crate::names::{ChildId, ConnId};
use std::collections::BTreeSet;

/// What changed since the last report.
#[derive(Debug, Default)]
pub(crate) struct Watched {
    pub(crate) isakmp: BTreeSet<ConnId>,
    pub(crate) children: BTreeSet<ChildId>,
}

/// An SA that changed.
#[derive(Clone, Debug)]
pub enum Change {
    /// An ISAKMP SA; no view means that it is gone.
    Isakmp(ConnId, Option<Box<IsakmpView>>),
    /// A child SA; no view means that it is gone.
    Child(ChildId, Option<Box<ChildView>>),
}
