//! Wire formats: checked readers and writers, no logic.

pub mod attribute;
pub mod ike1;
pub mod ip;
pub mod isakmp;
pub mod reader;
pub mod registry;
