//! Every bound on what a peer can make us store or do. Each has a test at the bound and one above
//! it, in `tests/limits.rs` or next to the code that it bounds.

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
/// Networks in a split-include list that a client accepts.
pub const SPLIT_NETWORKS: usize = 256;
/// Exchanges after phase 1, other than quick modes, of one ISAKMP SA, and messages that it
/// remembers.
pub const EXCHANGES: usize = 16;
/// Quick modes of one ISAKMP SA at the same time; further ones wait.
pub const QUICK_MODES: usize = 32;
/// First messages of quick mode that wait on one ISAKMP SA; the peer must repeat further ones.
pub const QUICK_MODES_WAITING: usize = 64;
/// Bytes of all first messages of quick mode that wait on one ISAKMP SA; usual ones have 150 to
/// 500.
pub const QUICK_MODE_BYTES_WAITING: usize = 32_768;
/// Message-id chains of one ISAKMP SA.
pub const CHAINS: usize = QUICK_MODES + EXCHANGES;
/// Child SAs that wait for phase 1, or for room on an ISAKMP SA.
pub const CHILDREN_PENDING: usize = 1_024;
/// Half-open ISAKMP SAs in total; above that, the oldest whose peer has not answered is dropped.
pub const HALF_OPEN: usize = 2_048;
/// Half-open ISAKMP SAs of aggressive mode; further ones are refused.
pub const HALF_OPEN_AGGRESSIVE: usize = 1_024;
/// Established ISAKMP SAs that peers initiated from one address, which may be the NAT of many
/// peers.
pub const SAS_PER_SOURCE: usize = 4_096;
/// Half-open ISAKMP SAs on which a Diffie-Hellman exchange was spent, from one address, which may
/// be the NAT of many peers.
pub const HALF_OPEN_PER_SOURCE: usize = 32;
/// SAs of one address that have received only message 1 of main mode; above that, the oldest is
/// dropped.
pub const CALLED_PER_SOURCE: usize = 256;
/// Token bucket for the Diffie-Hellman exchanges of phase 1 from one address: burst.
pub const PHASE1_BURST: u32 = 64;
/// Token bucket for the Diffie-Hellman exchanges of phase 1 from one address: time to refill one
/// token.
pub const PHASE1_REFILL: Duration = Duration::from_millis(100);
/// Addresses whose Diffie-Hellman exchanges are counted separately.
pub const PHASE1_SOURCES: usize = 4_096;
/// Refused packets of one SA and kind that are reported in a second; the counters count all.
pub const REFUSALS_TOLD: u64 = 8;
/// Message ids of quick modes that one ISAKMP SA remembers; it is rekeyed before they are used up.
pub const MESSAGE_IDS: usize = 2_048;
/// Protected messages that an initiator keeps until phase 1 is established on its side.
pub const EARLY_MESSAGES: usize = 4;
/// Fragments of a message; Windows sends up to 29.
pub const FRAGMENTS: usize = 32;
/// Time in which a fragmented message must be complete.
pub const FRAGMENT_TIME: Duration = Duration::from_secs(30);
/// How often a client may be redirected before it is connected.
pub const REDIRECTS: u32 = 4;
/// How long an ISAKMP SA that a peer initiated may be half-open.
pub const HALF_OPEN_TIME: Duration = Duration::from_secs(30);
/// How long phase 1 may take if we initiated it: all transmissions of one message take 63.5
/// seconds.
pub const CALL_TIME: Duration = Duration::from_secs(64);
/// Transmissions of a message that is not answered.
pub const SENDINGS: u32 = 7;
/// Time before the first repetition; it doubles each time.
pub const FIRST_RETRANSMIT: Duration = Duration::from_millis(500);
/// Xauth attempts on one ISAKMP SA.
pub const XAUTH_TRIES: u32 = 3;
/// Time for Xauth as a whole.
pub const XAUTH_TIME: Duration = Duration::from_secs(60);
/// Child SAs of one peer in addition to one for each ACL line of the crypto map. The networks of a
/// branch whose entry has no ACL are known to the branch only.
pub const CHILDREN_PER_PEER: usize = 256;
/// Replaced child SAs of one peer that stay until the peer deletes them, in addition to one for
/// each in use.
pub const REPLACED_PER_PEER: usize = 16;
/// Child SAs of one peer whose third message has not arrived.
pub const HALF_MADE: usize = 64;
/// The shortest lifetime of phase 1 that a peer is granted, the least that IOS lets configure.
pub const SHORTEST_PHASE1: Duration = Duration::from_secs(60);
/// The shortest lifetime of a child SA that a peer is granted, the least that IOS lets configure.
pub const SHORTEST_CHILD: Duration = Duration::from_secs(120);
/// The smallest volume of a child SA in kilobytes that a peer is granted, the least that IOS lets
/// configure.
pub const SHORTEST_VOLUME: u64 = 2_560;
/// Ids of our own informational messages that are remembered for each SA, so that none is mistaken
/// for the peer's.
pub const OWN_INFORMATIONALS: usize = 32;
