//! Algorithms, keys and passwords. No sockets, no clock; randomness is handed in.

pub mod random;
pub mod secret;
pub mod suite;
