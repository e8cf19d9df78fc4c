//! Tables and their entries: what the engine remembers, found by what it is asked for. They know
//! nothing of exchanges.

pub(crate) mod asks;
pub(crate) mod child;
pub(crate) mod claims;
pub(crate) mod known;
pub(crate) mod peer;
pub(crate) mod peers;
pub(crate) mod timers;
