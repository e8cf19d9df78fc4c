//! What the engine does, written down: every message in every state, every payload of every message
//! missing, doubled or cut, every type of identity, mutated negotiations, and the datagrams of two
//! hundred simulations.
//!
//! These tests do not say what is right; they say what changed. A change of behaviour shows in the
//! difference of the files in `golden`, a line for each case, and a change that is none leaves them
//! as they are. `HUBWARD_BLESS=1 cargo test -p hubward-proto --test recorded` writes them again:
//! review the difference.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/golden.rs"]
mod golden;
mod identities;
mod lost;
mod mutations;
mod payloads;
#[path = "../support/peer.rs"]
mod peer;
#[path = "../support/stories.rs"]
mod stories;
#[path = "../support/story.rs"]
mod story;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod traces;

/// A SHA-256 digest in hexadecimal digits.
fn digest(parts: &[&[u8]]) -> String {
    let digest = hubward_crypto::mac::hash(hubward_crypto::suite::HashAlg::Sha256, parts);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
