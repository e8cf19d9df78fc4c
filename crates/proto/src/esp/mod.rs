//! ESP: SAs, the outbound and the inbound packet path.
pub mod inbound;
pub mod outbound;
pub mod replay;
pub mod sa;
pub mod sad;
pub mod view;
