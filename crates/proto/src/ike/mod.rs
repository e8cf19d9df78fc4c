//! The IKE engine: sans-IO, deterministic.

pub mod event;
pub mod explain;
pub mod identity;
pub mod io;
pub mod natt;
pub mod path;
pub mod policy;
pub mod proposal;
pub mod snapshot;
pub mod v1;
