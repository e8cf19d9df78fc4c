//! IKEv1 (RFC 2407, 2408, 2409).

pub(crate) mod aggressive;
pub(crate) mod informational;
pub mod iv;
pub mod keys;
pub(crate) mod main_mode;
pub(crate) mod phase1;
pub(crate) mod protected;
pub(crate) mod quick;
pub(crate) mod transaction;
pub mod vendor;
