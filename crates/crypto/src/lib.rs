//! Algorithms, keys and passwords. No sockets, no clock; randomness is handed in.

mod aes_cbc;
pub mod choice;
pub mod cipher;
pub mod des;
pub mod dh;
pub mod digest;
pub mod esp;
pub mod mac;
mod midstate;
mod modp;
mod montgomery;
pub mod password;
pub mod random;
pub mod secret;
pub mod selftest;
mod sha1_lanes;
mod simd;
pub mod suite;
pub mod sum;
