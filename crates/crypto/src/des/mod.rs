//! DES and Triple DES in CBC mode, bit-sliced: every step is done for hundreds of blocks at once by
//! logic on whole registers, so that neither time nor memory accesses depend on a key or on data.
//! Decryption takes the blocks of a packet and of all packets of a batch together; encryption,
//! where each block of a packet waits for the one before it, one block of each packet.

pub(crate) mod core;
mod sbox;
pub(crate) mod schedule;
pub(crate) mod word;

mod cbc;
#[cfg(test)]
mod tests;

pub use cbc::{CbcJob, DesKey, Width, decrypt, decrypt_with, encrypt, encrypt_with};
pub use schedule::Kind;
