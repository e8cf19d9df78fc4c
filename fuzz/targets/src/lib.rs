//! Everything that reads foreign bytes, as functions that accept any bytes. `cargo fuzz` calls
//! them, and `tests/corpus.rs` calls them with mutated seeds in every `cargo test`.
//!
//! A target panics if something is wrong, as intended.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod console;
mod engine;
mod packets;
mod text;
mod wire;

#[path = "../../../crates/proto/tests/support/peer.rs"]
mod peer;
#[path = "../../../crates/proto/tests/support/mod.rs"]
mod support;

/// A function that must cope with any bytes.
pub struct Target {
    /// Its name, which is also the name of its cargo-fuzz binary.
    pub name: &'static str,
    /// Takes any bytes.
    pub run: fn(&[u8]),
    /// Well-formed inputs to start from, made by our own encoders.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// How many mutated inputs an ordinary test run tries; fewer for slow targets.
    pub rounds: u32,
}

/// All targets.
#[rustfmt::skip]
pub const TARGETS: &[Target] = &[
    Target { name: "isakmp_message", run: wire::isakmp_message, seeds: engine::datagrams, rounds: 20_000 },
    Target { name: "isakmp_payloads", run: wire::isakmp_payloads, seeds: engine::plaintexts, rounds: 20_000 },
    Target { name: "attributes", run: wire::attributes, seeds: wire::attribute_lists, rounds: 20_000 },
    Target { name: "engine_stranger", run: engine::stranger, seeds: engine::conversations, rounds: 1_500 },
    Target { name: "engine_spoke", run: engine::spoke, seeds: engine::spoke_scripts, rounds: 150 },
    Target { name: "engine_client", run: engine::client, seeds: engine::client_scripts, rounds: 150 },
    Target { name: "engine_gateway", run: engine::gateway, seeds: engine::gateway_scripts, rounds: 100 },
    Target { name: "esp_open", run: packets::esp_open, seeds: packets::esp_packets, rounds: 3_000 },
    Target { name: "esp_inner", run: packets::esp_inner, seeds: packets::inner_packets, rounds: 3_000 },
    Target { name: "replay_window", run: packets::replay_window, seeds: packets::sequences, rounds: 5_000 },
    Target { name: "cleartext_packet", run: packets::cleartext_packet, seeds: packets::ip_packets, rounds: 10_000 },
    Target { name: "dhcp_client", run: packets::dhcp_client, seeds: packets::dhcp_answers, rounds: 5_000 },
    Target { name: "dhcp_server", run: packets::dhcp_server, seeds: packets::dhcp_requests, rounds: 5_000 },
    Target { name: "configuration", run: text::configuration, seeds: text::configurations, rounds: 60 },
    Target { name: "client_profile", run: text::client_profile, seeds: text::client_profiles, rounds: 5_000 },
    Target { name: "typed_lines", run: text::typed_lines, seeds: text::typed, rounds: 300 },
    Target { name: "command_line", run: hubward::fuzzing::command_line, seeds: console::lines, rounds: 5_000 },
    Target { name: "keystrokes", run: hubward::fuzzing::keystrokes, seeds: console::keystrokes, rounds: 1_000 },
    Target { name: "ssh_client", run: hubward::fuzzing::ssh_client, seeds: console::ssh_clients, rounds: 500 },
    Target { name: "capture", run: hubward::fuzzing::capture, seeds: console::captures, rounds: 1_000 },
    Target { name: "stored_password", run: text::stored_password, seeds: text::stored_passwords, rounds: 5_000 },
];

/// Runs a target by its name.
///
/// # Panics
/// If there is no target of this name, and if the target finds something.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("no target {name}")).run)(data);
}
