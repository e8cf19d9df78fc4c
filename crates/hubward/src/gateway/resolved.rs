//! A configuration that is being put in force. First it is resolved, which needs nothing but its
//! text. Then the machine, the data plane and the guard are prepared for it; if that fails, the old
//! one stays in force. Then it is applied, which cannot fail.

use crate::machine::apply::Prepared;
use crate::translate::Translation;
use hubward_config::Parsed;
use hubward_proto::policy::Overlap;
use std::sync::Arc;

/// A configuration that may be put in force, and its one translation, so that what the data plane
/// was asked about is what is in force afterwards.
pub(crate) struct Resolved {
    pub(crate) parsed: Arc<Parsed>,
    pub(crate) translation: Translation,
    /// Its exit status, without what the machine adds.
    pub(crate) status: u8,
}

impl Resolved {
    pub(crate) fn new(parsed: Parsed, status: u8, overlap: Overlap) -> Self {
        let translation = Translation::of(&parsed.config).with_overlap(overlap);
        Self { parsed: Arc::new(parsed), translation, status }
    }
}

/// A configuration for which everything is prepared.
pub(crate) struct Ready {
    pub(crate) resolved: Resolved,
    /// What it finds on the machine.
    pub(crate) machine: Prepared,
}
