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
/// Exchanges after phase 1, other than quick modes, of one ISAKMP SA.
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
/// Messages that one ISAKMP SA remembers, so that each is answered once.
pub const SEEN: usize = CHAINS;
/// Child SAs that wait for phase 1, or for room on an ISAKMP SA.
pub const CHILDREN_PENDING: usize = 1_024;
/// Half-open ISAKMP SAs whose peer has proved that it receives at its address, of known addresses
/// and of others; above that, the one that has waited longest gives way.
pub const HALF_OPEN: usize = 2_048;
/// Half-open ISAKMP SAs of aggressive mode, of known addresses and of others; above that, the one
/// that has waited longest gives way.
pub const HALF_OPEN_AGGRESSIVE: usize = 1_024;
/// How long a half-open ISAKMP SA waits for its peer before it gives way to another peer: longer
/// than any round trip takes.
pub const ROUND_TRIP: Duration = Duration::from_secs(1);
/// Established ISAKMP SAs that peers initiated from one address, which may be the NAT of many
/// peers.
pub const SAS_PER_SOURCE: usize = 4_096;
/// Half-open ISAKMP SAs on which a Diffie-Hellman exchange was spent, from one address, which may
/// be the NAT of many peers.
pub const HALF_OPEN_PER_SOURCE: usize = 32;
/// Peers at unknown addresses that have sent only message 1 of main mode; above that, the oldest is
/// dropped. At 60,000 messages a second, a peer has half a second to answer.
pub const CALLED: usize = 32_768;
/// The same of known addresses.
pub const CALLED_KNOWN: usize = 16_384;
/// Bytes of their SA payloads.
pub const CALLED_KNOWN_BYTES: usize = 4 * 1024 * 1024;
/// Peers at unknown addresses that have sent only message 1 of main mode, with an SA payload of
/// more than [`SHORT_PROPOSAL`] bytes; above that, the oldest is dropped.
pub const CALLED_LONG: usize = 4_096;
/// Bytes of their SA payloads.
pub const CALLED_LONG_BYTES: usize = 2 * 1024 * 1024;
/// Bytes of an SA payload that is not counted as a long one.
pub const SHORT_PROPOSAL: usize = 256;
/// Peers of one address that have sent only message 1 of main mode; above that, the oldest is
/// dropped. At 6,000 messages a second with a forged address, the peer at that address has two
/// thirds of a second to answer.
pub const CALLED_PER_SOURCE: usize = 4_096;
/// How many of these peers `show` commands list.
pub const CALLED_SHOWN: usize = 1_024;
/// Addresses that are remembered because somebody authenticated from there.
pub const KNOWN_SOURCES: usize = 16_384;
/// For how long.
pub const KNOWN_TIME: Duration = Duration::from_secs(86_400);
/// Token bucket for the Diffie-Hellman exchanges of phase 1 from one address: burst.
pub const PHASE1_BURST: u32 = 64;
/// Token bucket for the Diffie-Hellman exchanges of phase 1 from one address: time to refill one
/// token.
pub const PHASE1_REFILL: Duration = Duration::from_millis(100);
/// The same for a known address.
pub const PHASE1_REFILL_KNOWN: Duration = Duration::from_millis(20);
/// Token bucket for the Diffie-Hellman exchanges of phase 1 from all addresses, for each mode, of
/// known addresses and of others: burst.
pub const PHASE1_BURST_ALL: u32 = 2_048;
/// The same: time to refill one token.
pub const PHASE1_REFILL_ALL: Duration = Duration::from_millis(2);
/// Addresses for which something is counted separately.
pub const PACED_SOURCES: usize = 4_096;
/// Notifications about refused first messages to one address: burst.
pub const NOTICES: u32 = 5;
/// The same: time until one more is sent.
pub const NOTICES_REFILL: Duration = Duration::from_secs(2);
/// Notifications about refused first messages to all addresses: burst, and in a second.
pub const NOTICES_ALL: u32 = 100;
/// Answers to the same message in [`REPEATED_TIME`].
pub const REPEATED_ANSWERS: u8 = 5;
/// In this time a message is answered [`REPEATED_ANSWERS`] times, if it is repeated.
pub const REPEATED_TIME: Duration = Duration::from_secs(10);
/// How much longer the answer to a message of an unknown sender may be than that message, in
/// tenths.
pub const ANSWER_TENTHS: usize = 12;
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
/// Bytes of the incomplete messages of all half-open SAs, and of all established SAs.
pub const FRAGMENTS_BYTES: usize = 2 * 1024 * 1024;
/// How often a client may be redirected before it is connected.
pub const REDIRECTS: u32 = 4;
/// How long either side keeps a half-open ISAKMP SA that does not progress.
pub const HALF_OPEN_TIME: Duration = Duration::from_secs(30);
/// How long we wait for the answer to our first message, and how long a peer that repeats itself
/// can keep an SA half-open.
pub const CALL_TIME: Duration = Duration::from_secs(64);
/// Transmissions of a message that is not answered; they take 62.5 seconds.
pub const SENDINGS: u32 = 15;
/// Time before the first repetition; it doubles each time.
pub const FIRST_RETRANSMIT: Duration = Duration::from_millis(500);
/// Longest time between two repetitions.
pub const LAST_RETRANSMIT: Duration = Duration::from_secs(5);
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
/// Peers that are asked whether they are there because another peer proposes a network that
/// overlaps theirs; a network that overlaps those of more peers is refused.
pub const HOLDERS: usize = 8;
/// Child SAs with which a network is compared that a peer of a dynamic entry proposes; one that is
/// around more of them is refused.
pub const NETWORKS_COMPARED: usize = 2_048;
/// Ids of our own informational messages that are remembered for each SA, so that none is mistaken
/// for the peer's.
pub const OWN_INFORMATIONALS: usize = 4_096;
