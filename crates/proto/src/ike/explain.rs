//! Why something was refused: typed, counted, and explained in words. No variant carries a secret.

use crate::flow::selector::{AddressRange, Selector};
use crate::ike::identity::IdentityError;
use crate::ike::misfit::{Phase1Misfit, Phase2Misfit};
use crate::ike::snapshot::IsakmpState;
use crate::names::Untrusted;
use crate::policy::Reserved;
use crate::wire::isakmp::MessageError;
use crate::wire::reader::Truncated;

/// Why a message, a proposal or a peer was refused. One variant per distinct cause; each carries
/// the evidence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The datagram is not a well-formed ISAKMP message.
    #[error("malformed ISAKMP message: {0}")]
    Malformed(#[from] MessageError),
    /// A payload is cut short.
    #[error("malformed payload: {0}")]
    Truncated(#[from] Truncated),
    /// An identity is unusable.
    #[error("unusable identity: {0}")]
    Identity(#[from] IdentityError),
    /// No SA has these cookies.
    #[error("no ISAKMP SA has these cookies")]
    UnknownCookies,
    /// The exchange or message makes no sense in this state.
    #[error("a message of exchange type {0} makes no sense in this state")]
    Unexpected(u8),
    /// A mandatory payload is missing or present more than once.
    #[error("the {0} payload is missing or not alone")]
    MissingPayload(&'static str),
    /// A message that must be encrypted is not.
    #[error("the message must be encrypted and is not")]
    NotEncrypted,
    /// A message decrypts to nonsense: in message 5 of main mode, the sign of a wrong pre-shared
    /// key.
    #[error("the message does not decrypt to anything sensible; the pre-shared keys differ")]
    WrongPresharedKey,
    /// A HASH payload is wrong.
    #[error("the HASH payload does not verify")]
    Hash,
    /// A nonce is too short, too long, or equal to ours.
    #[error("unusable nonce")]
    Nonce,
    /// A Diffie-Hellman value is refused.
    #[error("unusable Diffie-Hellman value: {0}")]
    KeyExchange(#[from] hubward_crypto::dh::DhError),
    /// No phase-1 policy accepts any of the proposals.
    #[error("no ISAKMP policy takes an offer of the peer; the closest differs in {}", .0.nearest.as_ref().map_or_else(|| "everything".to_string(), |(_, _, difference)| difference.to_string()))]
    NoPhase1Proposal(Box<Phase1Misfit>),
    /// There is no pre-shared key for this peer.
    #[error("no keyring has a pre-shared key for this peer")]
    NoPresharedKey,
    /// The key used is not in a keyring of the profile that the identity matched.
    #[error("the profile {0} has another pre-shared key for this peer than the one that opened the exchange")]
    KeyOfAnotherKeyring(String),
    /// `crypto isakmp aggressive-mode disable`, or nothing in the configuration uses aggressive
    /// mode.
    #[error("aggressive mode is disabled")]
    AggressiveModeDisabled,
    /// In aggressive mode, the only key for the peer is one of many peers, and nothing in the
    /// configuration names this peer: the answer would show everybody a hash of that key.
    #[error(
        "no key or profile names {0}, and aggressive mode would show anybody a hash of the key of many peers"
    )]
    KeyOfMany(Untrusted),
    /// The answer to the first message would be much longer than the message, whose sender may have
    /// forged its address.
    #[error("the first message is too short for an answer")]
    TooShort,
    /// The client group is not configured; that is not revealed to the peer.
    #[error("client group {0} is not known")]
    UnknownGroup(Untrusted),
    /// The gateway identifies itself as another than the configured one.
    #[error("the gateway identifies itself as {0}")]
    WrongGateway(Untrusted),
    /// Too many half-open SAs.
    #[error("too many half-open ISAKMP SAs")]
    TooManyHalfOpen,
    /// One address has too many established ISAKMP SAs.
    #[error("this address has as many ISAKMP SAs as one may have")]
    TooManyOfSource,
    /// One address initiates phase 1 too often.
    #[error("this address initiates phase 1 too often")]
    TooFast,
    /// All addresses together initiate phase 1 too often: all known ones, or all others.
    #[error("all addresses together initiate phase 1 too often")]
    TooFastTogether,
    /// The message id was used before on this SA: the message is replayed, or one too many.
    #[error("the message id {0:#010x} was used before")]
    MessageIdUsed(u32),
    /// The gateway redirects the client to an invalid address, to itself, or too often.
    #[error("the gateway names another that is not called")]
    Redirect,
    /// A fragment of a message does not fit into it, or the message would be too long.
    #[error("a fragment that fits no message")]
    Fragment,
    /// The peer starts quick mode or mode-config before Xauth has passed.
    #[error("the peer must pass Xauth first")]
    NotAuthorized,
    /// Xauth failed.
    #[error("Xauth failed")]
    XauthFailed,
    /// The peer asks for Xauth, and we are not a client.
    #[error("the peer asks for Xauth, and this is no VPN client")]
    XauthAsked,
    /// Mode-config is not configured for this peer.
    #[error("mode-config is not configured for this peer")]
    NoModeConfig,
    /// There is no inner address for the client.
    #[error("no inner address: {0}")]
    Lease(#[from] LeaseError),
    /// No crypto map entry serves this peer and these proxy identities.
    #[error("no crypto map entry serves {} <-> {} for this peer", .selector.local, .selector.remote)]
    NoCryptoMapEntry {
        /// The proxy identities, seen from our side.
        selector: Selector,
        /// The profile that the peer's identity matched.
        profile: Option<String>,
    },
    /// The peer's proxy identity is not the client's assigned address.
    #[error("a client may only speak for its own address, not for {0}")]
    ForeignAddress(String),
    /// The peer's proxy identity is an address that is leased to another peer.
    #[error("{0} is lent to a client, and no other peer may speak for it")]
    LeasedAddress(String),
    /// The peer's side of the tunnel would overlap a reserved network or be everything.
    #[error("{theirs} overlaps {reserved}, {kind}, and is never a peer's side of a tunnel")]
    ReservedNetwork {
        /// The peer's side as proposed.
        theirs: AddressRange,
        /// What it overlaps.
        reserved: AddressRange,
        /// What that is.
        kind: Reserved,
    },
    /// The peer's side of the tunnel would overlap what another peer has that is there.
    #[error("{theirs} overlaps {range}, which {holder} has and keeps: it answers")]
    HeldNetwork {
        /// The peer's side as proposed.
        theirs: AddressRange,
        /// What the other peer has.
        range: AddressRange,
        /// The other peer's address.
        holder: std::net::IpAddr,
    },
    /// The peer's side of the tunnel would overlap what a static entry is for, which has other
    /// peers.
    #[error(
        "{theirs} overlaps what entry {sequence} of the crypto map is for, and this peer comes by another one"
    )]
    ConfiguredNetwork {
        /// The peer's side as proposed.
        theirs: AddressRange,
        /// The entry's sequence number.
        sequence: u16,
    },
    /// No transform set accepts any of the proposals.
    #[error("no transform set takes an offer of the peer; the closest differs in {}", .0.difference)]
    NoPhase2Proposal(Box<Phase2Misfit>),
    /// The peer answered with something that we did not propose.
    #[error("the peer chose something that was not offered")]
    NotOffered,
    /// The peer reports an error.
    #[error("the peer reports {} ({kind})", crate::wire::registry::notify::name(*.kind))]
    PeerError {
        /// Notify message type.
        kind: u16,
        /// The peer began the exchange, so it refuses our answer, and not what we proposed.
        of_answer: bool,
    },
    /// A peer has too many exchanges in progress.
    #[error("too many exchanges of one peer at the same time")]
    TooMany,
    /// A peer has as many child SAs as one may have.
    #[error("the peer has as many child SAs as one may have, {limit}")]
    TooManyChildren {
        /// How many it may have.
        limit: usize,
    },
    /// The gateway assigns more split networks than we accept. If we ignored some of them, their
    /// packets would leave in clear.
    #[error("more than {} split networks", crate::limits::SPLIT_NETWORKS)]
    TooManyNetworks,
    /// The peer did not answer.
    #[error("no answer")]
    NoAnswer {
        /// The state in which the SA waited.
        state: IsakmpState,
        /// Whether we initiated the SA.
        initiator: bool,
        /// Whether a NAT was found on the path.
        nat: bool,
        /// Whether the peer has repeated its message, so that it waits for an answer.
        repeated: bool,
    },
    /// There is no route, no address, or nothing to negotiate with.
    #[error("{0}")]
    Local(&'static str),
}

/// Why there is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// The pool is not configured.
    #[error("the pool is not configured")]
    NoPool,
    /// All addresses are in use.
    #[error("every address of the pool is in use")]
    Exhausted,
    /// `max-users` or `max-logins`.
    #[error("the group's limit of users or logins is reached")]
    LimitReached,
    /// Too many others wait for an address: the lease store does not answer in time.
    #[error("too many others wait for an address")]
    Busy,
    /// The pool has IPv6 addresses, and the client asks for INTERNAL_IP4_ADDRESS.
    #[error("the pool has IPv6 addresses, and the client wants one of IPv4")]
    NotIpv4,
}
