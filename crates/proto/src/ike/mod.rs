//! The IKE engine: sans-IO, deterministic.

mod admission;
mod asks;
pub mod attributes;
pub mod authorization;
mod calling;
mod calls;
mod child;
mod claims;
pub mod engine;
pub mod event;
pub mod explain;
mod fragment;
pub mod identity;
pub mod io;
mod known;
pub mod lifetime;
pub mod lookup;
pub mod misfit;
mod moves;
pub mod natt;
mod pace;
mod peer;
mod peers;
pub mod proposal;
mod redirect;
mod retransmit;
#[cfg(test)]
mod rogue;
mod sa;
mod silence;
pub mod snapshot;
mod timers;
pub mod trace;
pub mod v1;
pub mod watch;
