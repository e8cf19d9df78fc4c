//! Which packet belongs to which SA.
pub mod coalesce;
pub mod fragment;
pub mod index;
pub mod mtu;
pub mod segment;
pub mod selector;
pub mod tables;
pub mod too_big;
