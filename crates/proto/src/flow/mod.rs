//! Which packet belongs to which SA.
pub mod mtu;
pub mod selector;
pub mod tables;
