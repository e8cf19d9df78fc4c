//! Every bound on what a peer can make us hold or do. Each has a test at the bound and one above
//! it, in `tests/limits.rs` or beside what it bounds.

use std::time::Duration;

/// Bytes of an IKE message.
pub const MESSAGE_BYTES: usize = 16_384;
/// Payloads of a message.
pub const PAYLOADS: usize = 32;
/// Proposals in an SA payload; Cisco's VPN client sends sixteen, seven of them with a second
/// payload for compression.
pub const PROPOSALS: usize = 32;
/// Transforms in a whole SA payload; Windows and Android send long lists.
pub const TRANSFORMS: usize = 128;
/// Attributes of a transform.
pub const ATTRIBUTES: usize = 16;
/// Attributes of a mode-config or XAUTH message; some gateways send one for each split network.
pub const CONFIG_ATTRIBUTES: usize = 512;
/// Bytes of a nonce (RFC 2409 section 5).
pub const NONCE_BYTES: std::ops::RangeInclusive<usize> = 8..=256;
/// Bytes of an identity.
pub const IDENTITY_BYTES: usize = 256;
/// Bytes of an Xauth user name or password.
pub const XAUTH_BYTES: usize = 128;
/// Networks in a split-include list that a client takes.
pub const SPLIT_NETWORKS: usize = 256;
/// Message-id chains and phase-2 exchanges of one ISAKMP SA.
pub const EXCHANGES: usize = 16;
/// Half-open ISAKMP SAs altogether; of more than that, the oldest whose peer has shown nothing
/// gives way.
pub const HALF_OPEN: usize = 2_048;
/// Half-open ISAKMP SAs of aggressive mode, which are refused above it.
pub const HALF_OPEN_AGGRESSIVE: usize = 1_024;
/// Established ISAKMP SAs that peers began from one address, which may be the NAT of many.
pub const SAS_PER_SOURCE: usize = 4_096;
/// Half-open ISAKMP SAs on which a Diffie-Hellman exchange was spent, from one address, which may
/// be the NAT of many peers.
pub const HALF_OPEN_PER_SOURCE: usize = 32;
/// SAs of one address for which no more than message 1 of main mode came; of more, the oldest gives
/// way.
pub const CALLED_PER_SOURCE: usize = 256;
/// Diffie-Hellman exchanges of phase 1 that one address may make us spend at once, ...
pub const PHASE1_BURST: u32 = 64;
/// ... and the time after which it may make us spend one more.
pub const PHASE1_REFILL: Duration = Duration::from_millis(100);
/// Addresses whose Diffie-Hellman exchanges are counted apart.
pub const PHASE1_SOURCES: usize = 4_096;
/// Refused packets of one SA and kind that are told in a second; the counters have all.
pub const REFUSALS_TOLD: u64 = 8;
/// Message ids of a peer's exchanges that one ISAKMP SA remembers; it is renewed before they are
/// used up.
pub const MESSAGE_IDS: usize = 2_048;
/// Protected messages that an initiator keeps until phase 1 is through on its side.
pub const EARLY_MESSAGES: usize = 4;
/// Pieces of a fragmented message; Windows sends up to 29.
pub const FRAGMENTS: usize = 32;
/// Time in which a fragmented message must be whole.
pub const FRAGMENT_TIME: Duration = Duration::from_secs(30);
/// Other gateways that a client may be sent to before it is up.
pub const REDIRECTS: u32 = 4;
/// How long an ISAKMP SA that a peer began may be half open.
pub const HALF_OPEN_TIME: Duration = Duration::from_secs(30);
/// How long phase 1 may take where we began it: all sendings of one message take 63.5 seconds.
pub const CALL_TIME: Duration = Duration::from_secs(64);
/// Sendings of a message that is not answered.
pub const SENDINGS: u32 = 7;
/// Time before the first repetition; doubles each time.
pub const FIRST_RETRANSMIT: Duration = Duration::from_millis(500);
/// Tries at Xauth of one ISAKMP SA.
pub const XAUTH_TRIES: u32 = 3;
/// Time for Xauth as a whole.
pub const XAUTH_TIME: Duration = Duration::from_secs(60);
/// Child SA pairs of one peer beyond one for each ACL line.
pub const CHILDREN_PER_PEER: usize = 16;
/// Ids of our own informational messages that are remembered for each SA, so that none is taken for
/// the peer's.
pub const OWN_INFORMATIONALS: usize = 32;
