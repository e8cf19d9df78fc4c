//! Which packet belongs to which SA.
pub mod selector;
