//! Wire codecs, the IKE engine and ESP. The crate has no sockets, files, clock or randomness of its
//! own: the same inputs give the same outputs.
#![forbid(unsafe_code)]

// the simulated network of the integration tests is also used by tests that need an engine's
// internals
#[cfg(test)]
extern crate self as hubward_proto;

pub mod dhcp;
pub mod esp;
pub mod flow;
pub mod ike;
pub mod limits;
pub mod names;
pub mod path;
pub mod policy;
pub mod print;
mod reuse;
pub mod time;
pub mod wire;
