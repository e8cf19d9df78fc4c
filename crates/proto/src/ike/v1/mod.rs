//! IKEv1 (RFC 2407, 2408, 2409).

pub(crate) mod aggressive;
mod due;
pub(crate) mod informational;
pub mod iv;
pub mod keys;
pub(crate) mod main_mode;
mod mode_config;
mod narrate;
pub(crate) mod phase1;
pub(crate) mod protected;
pub(crate) mod quick;
mod quick_responder;
pub(crate) mod quick_waiting;
pub(crate) mod room;
pub(crate) mod transaction;
pub mod vendor;
pub(crate) mod view;
