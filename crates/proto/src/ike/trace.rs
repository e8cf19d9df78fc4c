//! The steps of an exchange, typed: what IOS's `debug crypto` prints, in its order. They are made
//! only for peers that are traced; otherwise a step costs one comparison. No step carries a secret:
//! keys, nonces and a user's answers never appear here.

use crate::flow::selector::Selector;
pub use crate::ike::proposal::{Phase1Judged, Phase2Judged};
use crate::ike::snapshot::IsakmpState;
use crate::ike::vendor::Vendor;
use crate::names::{ChildId, Spi, Untrusted};
use crate::path::Mode;
use crate::wire::attribute::Attribute;
use hubward_crypto::suite::EspSuite;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Which peers are traced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TraceScope {
    /// None.
    #[default]
    Off,
    /// All.
    All,
    /// Those with these outer addresses (`debug crypto condition peer ipv4`).
    Peers(BTreeSet<IpAddr>),
}

impl TraceScope {
    /// Whether the steps of a peer are traced.
    pub fn covers(&self, peer: IpAddr) -> bool {
        match self {
            Self::Off => false,
            Self::All => true,
            Self::Peers(peers) => peers.contains(&peer),
        }
    }
}

/// States of IOS's IKE state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fsm {
    /// Nothing yet.
    Ready,
    /// Main mode, responder: this message was sent or received (1 to 5).
    MainResponder(u8),
    /// Main mode, initiator: this message was sent or received (1 to 6).
    MainInitiator(u8),
    /// Aggressive mode, responder: the authorization list is asked for the group.
    AggressiveAaa,
    /// Aggressive mode, responder: message 2 is sent.
    AggressiveResponder,
    /// Aggressive mode, initiator: message 1 is sent.
    AggressiveInitiator,
    /// Phase 1 is established.
    Phase1Complete,
    /// The login list supplies what to ask the user.
    XauthStart,
    /// The user is asked.
    XauthRequested,
    /// The login list checks the user's answer.
    XauthJudged,
    /// The verdict is sent.
    XauthSet,
    /// The client's attributes are looked up.
    ConfigAaa,
    /// Quick mode starts.
    QuickReady,
    /// Quick mode waits for an SPI.
    QuickSpi,
    /// Quick mode, responder: message 2 is sent.
    QuickResponder,
    /// Quick mode, initiator: message 1 is sent.
    QuickInitiator,
    /// Quick mode is complete.
    Phase2Complete,
    /// The SA ends.
    Ending,
}

/// What moves the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FsmInput {
    /// A message of main mode.
    MainMode,
    /// A message of aggressive mode.
    AggressiveMode,
    /// A message of quick mode.
    QuickMode,
    /// A mode-config or Xauth request.
    ConfigRequest,
    /// A mode-config or Xauth reply.
    ConfigReply,
    /// A mode-config or Xauth acknowledgement.
    ConfigAck,
    /// The main mode message is being processed.
    ProcessMainMode,
    /// Processing is complete.
    ProcessComplete,
    /// Processing failed.
    ProcessError,
    /// Phase 1 is established.
    Phase1Complete,
    /// The authorization list returned the group's key.
    PresharedKey,
    /// The login list supplies what to ask the user.
    StartLogin,
    /// The login list checked the user's answer.
    ContinueLogin,
    /// The client's attributes are known.
    GroupAttributes,
    /// An SPI is allocated.
    SpiReply,
    /// Traffic needs an SA: phase 1 in main mode.
    RequestMain,
    /// Traffic needs an SA: phase 1 in aggressive mode.
    RequestAggressive,
    /// Traffic needs an SA: quick mode.
    RequestQuick,
    /// The SA is deleted.
    Delete,
}

/// A step of the crypto engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineStep {
    /// The parameters of the agreed Diffie-Hellman group are available.
    Group,
    /// The shared secret of a Diffie-Hellman exchange is computed.
    Agree,
    /// Phase 1's keys are derived.
    Skeyid,
    /// A hash is computed or checked.
    Hmac,
    /// The Diffie-Hellman values are wiped.
    ClearDh,
    /// The algorithms of a transform are checked.
    ValidateProposal,
    /// The algorithms and proxy identities of a proposal are checked.
    ValidateRequest,
    /// One direction of a child SA is allocated.
    AllocateFlow,
}

/// What a received vendor id means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorSeen {
    /// One that we know.
    Known(Vendor),
    /// One as long as those of Unity and DPD, with this number in the place of their version.
    Unlike(u8),
    /// The id that IOS sends with its key exchange; it differs in each negotiation.
    IosBox,
}

/// An ID payload of phase 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityPayload {
    /// Type of the payload after it.
    pub next: u8,
    /// Type of the identity.
    pub kind: u8,
    /// Its text.
    pub text: Untrusted,
    /// Protocol.
    pub protocol: u8,
    /// Port.
    pub port: u16,
    /// Bytes of the payload, its generic header included.
    pub length: usize,
}

impl IdentityPayload {
    /// Reads the payload's body.
    pub(crate) fn read(next: u8, body: &[u8]) -> Self {
        let byte = |place: usize| body.get(place).copied().unwrap_or_default();
        let data = body.get(4..).unwrap_or_default();
        let text = match (byte(0), <[u8; 4]>::try_from(data)) {
            (crate::wire::registry::id::IPV4_ADDR, Ok(octets)) => {
                Untrusted::new(Ipv4Addr::from(octets).to_string())
            }
            _ => Untrusted::new(data),
        };
        let port = u16::from_be_bytes([byte(2), byte(3)]);
        // IOS counts the type, protocol, port and identity, and the generic header
        Self { next, kind: byte(0), text, protocol: byte(1), port, length: body.len() + 4 }
    }
}

/// A child SA as it was negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Which.
    pub child: ChildId,
    /// The crypto map.
    pub map: String,
    /// Its selector.
    pub selector: Selector,
    /// Its algorithms.
    pub suite: EspSuite,
    /// Tunnel or transport.
    pub mode: Mode,
    /// Our SPI.
    pub inbound: Spi,
    /// The peer's.
    pub outbound: Spi,
    /// The proposed lifetime in seconds, which may be longer than the one that we apply.
    pub seconds: Option<u64>,
    /// The proposed lifetime in kilobytes.
    pub kilobytes: Option<u64>,
}

/// How an attribute that a client asked for is handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigAnswer {
    /// It is sent, with this value.
    Sent(Attribute),
    /// It is unknown or not configured, and not sent.
    Left(u16),
}

/// A payload that is processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "RFC 2408's names")]
pub enum PayloadName {
    Sa,
    Ke,
    Nonce,
    Id,
    Hash,
    Vendor,
    Delete,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// A message was received in this state; without a state it starts a new SA. The flag tells
    /// whether we initiated the SA.
    Received(Option<IsakmpState>, bool),
    /// A message was received again.
    Repeated,
    /// A new SA was created.
    NewSa,
    /// A message is sent in this state; the flag tells whether we initiated the SA.
    Sent(IsakmpState, bool),
    /// A message is sent again.
    Resent(IsakmpState, bool),
    /// The state machine of the SA, or of the node with this message id, changes its state.
    Transition {
        /// The node's message id.
        node: Option<u32>,
        /// The input that changes it.
        input: FsmInput,
        /// The old state.
        old: Fsm,
        /// The new state.
        new: Fsm,
    },
    /// A payload is processed, in the exchange of this message id.
    Processing(PayloadName, u32),
    /// Keyrings are searched for the key of an address: for each, its name and whether it has the
    /// key.
    KeySearch(IpAddr, Vec<(String, bool)>),
    /// A key for the peer was found.
    KeyFound,
    /// No key was found.
    NoKey,
    /// Our own key is available.
    LocalKey,
    /// The peer's key is in this keyring.
    KeyringFound(String),
    /// These profiles are searched for one that requires Xauth.
    ProfileScan(Vec<String>),
    /// Proposals with Xauth are acceptable.
    XauthPossible,
    /// A transform of phase 1 is checked.
    Phase1Transform(Phase1Judged),
    /// No transform is accepted.
    Phase1Refused,
    /// The crypto engine performs a step.
    Engine(EngineStep),
    /// Phase 1 has its keys.
    SkeyidGenerated,
    /// A vendor id is processed.
    Vendor(VendorSeen),
    /// This dialect of NAT traversal is used.
    NatDialect(Vendor),
    /// This dialect is announced to the peer.
    NatConstructed(Vendor),
    /// A NAT-D payload was received, of the RFC or of a draft.
    NatPayload {
        /// It is of RFC 3947.
        rfc: bool,
    },
    /// A NAT was found: we or the peer are behind it.
    NatFound {
        /// We are behind a NAT.
        local: bool,
        /// The peer is behind a NAT.
        remote: bool,
    },
    /// An ID payload of phase 1, the peer's or our own.
    Identity(IdentityPayload),
    /// We identify ourselves by an identity of this type.
    OwnIdentity {
        /// Type.
        kind: u8,
        /// Whether Xauth follows.
        xauth: bool,
    },
    /// The length of our identity in bytes.
    IdentityLength(usize),
    /// The peer's identity matches this profile, or none.
    Profile(Option<String>),
    /// The profile makes the peer a client.
    ClientSettings,
    /// INITIAL-CONTACT was received in phase 1.
    InitialContactCame,
    /// The peer has proved its identity.
    Authenticated,
    /// This SA is authenticated.
    AuthenticatedWith,
    /// INITIAL-CONTACT ends the older SAs of the peer.
    InitialContact,
    /// A client's address was returned to its pool.
    AddressReturned,
    /// The peer was added to the table of peers.
    PeerInserted,
    /// An exchange starts.
    NewNode(u32, IsakmpState),
    /// An exchange is over.
    NodeDeleted(u32, &'static str),
    /// The node of a single-message exchange is removed.
    NodePurged(u32),
    /// RESPONDER-LIFETIME is sent: phase 1's lifetime in seconds.
    ResponderLifetime(u64),
    /// Xauth must follow.
    NeedXauth,
    /// AAA answered.
    AaaAnswered,
    /// The user is asked for this.
    XauthAsked(u16),
    /// The user answered this; the answer is not part of the step.
    XauthReplied(u16),
    /// A transaction of ours starts.
    ConfigBegun(u32),
    /// A transaction of the peer's is answered.
    ConfigAnswered(u32),
    /// A message of a transaction was received.
    ConfigCame(u32),
    /// It is of this kind.
    ConfigKind(u8),
    /// The client has acknowledged that Xauth passed.
    XauthAcknowledged,
    /// The client asks for these attributes.
    ConfigAsked(Vec<u16>),
    /// The address that the client asked for, and the one that it is assigned.
    ConfigAddress(Option<Ipv4Addr>, Ipv4Addr),
    /// How the other attributes are handled.
    ConfigAnswers(Vec<ConfigAnswer>),
    /// A transform of phase 2 is checked.
    Phase2Transform(Phase2Judged),
    /// No transform is accepted.
    Phase2Refused,
    /// The proposal is compared with the configuration.
    ProposalRequest(Selector, EspSuite, Mode),
    /// The proxy identities are compared with a crypto map; whether an entry permits them.
    ProxyCheck(Arc<str>, bool),
    /// An SPI is requested.
    SpiAsked,
    /// This SPI was allocated.
    SpiGiven(Spi),
    /// A child SA is used from now on.
    PairCreated(Box<Pair>),
    /// A child SA is installed.
    PairInstalled(Box<Pair>),
    /// A child SA ends.
    PairDeleted(Spi, Spi, EspSuite),
    /// An SA ends, for this reason.
    SaDeleted(IsakmpState, bool, &'static str),
    /// A dead peer detection message was received or is sent.
    Dpd {
        /// It was received; otherwise it is sent.
        came: bool,
        /// It is an answer.
        ack: bool,
        /// Sequence number.
        sequence: u32,
    },
    /// A notification was received: its type, its protocol and the message id of the exchange.
    Notified(u16, u8, u32),
}
