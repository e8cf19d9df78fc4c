//! ESP: SAs, the outbound and the inbound packet path.
pub mod sa;
