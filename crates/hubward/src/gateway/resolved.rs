//! A configuration on its way into force: what is known of it alone, and then of it on this machine. Each is made once; what
//! may fail has failed before the first thing is changed.

use crate::machine::apply::Prepared;
use crate::translate::Translation;
use hubward_config::Parsed;
use std::sync::Arc;

/// A configuration that may be put in force, with its meaning. It is translated here and nowhere else, so that what was looked
/// at before is what is in force afterwards.
pub(crate) struct Resolved {
    pub(crate) parsed: Arc<Parsed>,
    pub(crate) translation: Translation,
    /// The exit status that belongs to it, without what the machine adds.
    pub(crate) status: u8,
}

impl Resolved {
    pub(crate) fn new(parsed: Parsed, status: u8) -> Self {
        let translation = Translation::of(&parsed.config);
        Self { parsed: Arc::new(parsed), translation, status }
    }
}

/// The same, once the machine, the data plane and the guard are ready for it: from here on nothing can fail.
pub(crate) struct Ready {
    pub(crate) resolved: Resolved,
    pub(crate) machine: Prepared,
}
