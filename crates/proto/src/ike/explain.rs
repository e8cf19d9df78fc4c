//! Why something was refused: typed, counted, and explained in words.

/// Why a message, a proposal or a peer was refused. One variant per distinct cause; each carries the evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The datagram is not a well-formed ISAKMP message.
    #[error("malformed ISAKMP message: {0}")]
    Malformed(String),
}
