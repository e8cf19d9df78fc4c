//! Which packet belongs to which SA.
pub mod fragment;
pub mod mtu;
pub mod selector;
pub mod tables;
pub mod too_big;
