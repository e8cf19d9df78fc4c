//! Wire codecs, the IKE engine and ESP. No sockets, no files, no clock, no randomness of its own:
//! the same inputs give the same outputs.
#![forbid(unsafe_code)]

// the tests' network of engines also serves tests that need an engine's inside
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
