//! The IKE engine: sans-IO, deterministic.

pub mod event;
pub mod explain;
pub mod io;
pub mod path;
pub mod policy;
pub mod snapshot;
