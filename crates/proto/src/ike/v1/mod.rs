//! IKEv1 (RFC 2407, 2408, 2409).

mod admission;
pub(crate) mod aggressive;
mod calling;
pub(crate) mod calls;
pub(crate) mod children;
pub(crate) mod claims;
mod due;
mod first;
pub(crate) mod fragment;
pub(crate) mod informational;
pub mod iv;
pub mod keys;
pub(crate) mod main_mode;
mod mode_config;
mod moves;
mod narrate;
mod peer;
pub(crate) mod phase1;
pub(crate) mod protected;
pub(crate) mod quick;
mod quick_responder;
pub(crate) mod quick_waiting;
mod redirect;
#[cfg(test)]
mod rogue;
pub(crate) mod room;
pub(crate) mod sa;
pub(crate) mod silence;
pub(crate) mod states;
pub(crate) mod transaction;
pub(crate) mod view;
