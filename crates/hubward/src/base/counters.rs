//! Counters that several threads share.

use std::sync::atomic::AtomicU64;

/// Packets that no SA counts.
#[derive(Default)]
pub(crate) struct Drops {
    /// Cleartext for a tunnel that is not up.
    pub(crate) no_sa: AtomicU64,
    /// Not an IPv4 packet.
    pub(crate) malformed: AtomicU64,
    /// Too long for its tunnel, and not to be fragmented.
    pub(crate) too_big: AtomicU64,
    /// The kernel did not take it, or the port that it belongs to is not there.
    pub(crate) send: AtomicU64,
    /// ESP for an unknown SPI.
    pub(crate) unknown_spi: AtomicU64,
    /// Too short for ESP.
    pub(crate) short: AtomicU64,
}
