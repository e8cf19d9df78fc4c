//! ESP: SAs, the outbound and the inbound packet path.
pub mod in_use;
pub mod inbound;
pub mod outbound;
pub mod refused;
pub mod replay;
pub mod sa;
pub mod sad;
pub mod view;
