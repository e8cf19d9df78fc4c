//! The IKE engine: sans-IO, deterministic.

pub mod attributes;
mod authenticator;
pub mod authorization;
pub mod context;
pub mod engine;
pub mod event;
pub mod explain;
pub mod identity;
pub mod io;
pub mod lifetime;
pub mod lookup;
pub mod misfit;
pub mod natt;
pub mod outbox;
mod pace;
pub mod proposal;
mod retransmit;
pub mod snapshot;
mod tables;
pub mod trace;
pub mod v1;
pub mod vendor;
pub mod version;
pub mod watch;
