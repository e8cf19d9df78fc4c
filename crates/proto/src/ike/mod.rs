//! The IKE engine: sans-IO, deterministic.

mod admission;
pub mod attributes;
pub mod authorization;
mod calling;
mod child;
pub mod engine;
pub mod event;
pub mod explain;
mod fragment;
pub mod identity;
pub mod io;
pub mod lifetime;
pub mod lookup;
pub mod misfit;
pub mod natt;
mod peer;
mod peers;
pub mod proposal;
mod redirect;
mod retransmit;
#[cfg(test)]
mod rogue;
mod sa;
pub mod snapshot;
pub mod trace;
pub mod v1;
pub mod watch;
