//! The steps of an exchange, typed: what IOS's `debug crypto` tells, in its order. They are made
//! only for peers that somebody traces; otherwise a step costs a comparison. No step carries a
//! secret: of keys, nonces and what a user answers there is nothing here.

use crate::flow::selector::Selector;
use crate::ike::engine::Engine;
use crate::ike::event::{Event, EventKind};
use crate::ike::io::Effect;
use crate::ike::proposal::{Phase1Difference, Phase2Difference};
use crate::ike::sa::IsakmpSa;
use crate::ike::snapshot::IsakmpState;
use crate::ike::v1::vendor::Vendor;
use crate::names::{ChildId, ConnId, Spi, Untrusted};
use crate::path::{Mode, Path};
use crate::wire::attribute::Attribute;
use crate::wire::isakmp::Chain;
use crate::wire::registry::payload;
use hubward_crypto::suite::EspSuite;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// Transforms of one message that are traced; what is behind them is judged all the same.
pub(crate) const TRANSFORMS: usize = 64;

/// Whose steps are told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TraceScope {
    /// Nobody's.
    #[default]
    Off,
    /// Everybody's.
    All,
    /// Those of these outer addresses (`debug crypto condition peer ipv4`).
    Peers(BTreeSet<IpAddr>),
}

impl TraceScope {
    /// Whether the steps of a peer are told.
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
    /// Main mode, responder: this message was sent or has come (1 to 5).
    MainResponder(u8),
    /// Main mode, initiator: this message was sent or has come (1 to 6).
    MainInitiator(u8),
    /// Aggressive mode, responder: the group is asked for.
    AggressiveAaa,
    /// Aggressive mode, responder: message 2 is out.
    AggressiveResponder,
    /// Aggressive mode, initiator: message 1 is out.
    AggressiveInitiator,
    /// Phase 1 is through.
    Phase1Complete,
    /// The login list says what to ask.
    XauthStart,
    /// The user is asked.
    XauthRequested,
    /// The login list judges.
    XauthJudged,
    /// The verdict is sent.
    XauthSet,
    /// The client's attributes are looked up.
    ConfigAaa,
    /// Quick mode begins.
    QuickReady,
    /// Quick mode waits for an SPI.
    QuickSpi,
    /// Quick mode, responder: message 2 is out.
    QuickResponder,
    /// Quick mode, initiator: message 1 is out.
    QuickInitiator,
    /// Quick mode is through.
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
    /// The main mode message is worked on.
    ProcessMainMode,
    /// That is done.
    ProcessComplete,
    /// That failed.
    ProcessError,
    /// Phase 1 is through.
    Phase1Complete,
    /// The authorization list gave the group's key.
    PresharedKey,
    /// The login list says what to ask the user.
    StartLogin,
    /// The login list judged the user's answer.
    ContinueLogin,
    /// The client's attributes are known.
    GroupAttributes,
    /// There is an SPI.
    SpiReply,
    /// Something wants out: phase 1 in main mode.
    RequestMain,
    /// Something wants out: phase 1 in aggressive mode.
    RequestAggressive,
    /// Something wants out: quick mode.
    RequestQuick,
    /// The SA is deleted.
    Delete,
}

/// A step of the crypto engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineStep {
    /// The parameters of an agreed Diffie-Hellman group are at hand.
    Group,
    /// The shared secret of a Diffie-Hellman exchange is made.
    Agree,
    /// Phase 1's keys are made.
    Skeyid,
    /// A hash is made or checked.
    Hmac,
    /// The Diffie-Hellman values are wiped.
    ClearDh,
    /// The algorithms of a transform are looked at.
    ValidateProposal,
    /// The algorithms and proxies of a proposal are looked at.
    ValidateRequest,
    /// One half of a pair gets its place.
    AllocateFlow,
}

/// What a vendor id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorSeen {
    /// One that we know.
    Known(Vendor),
    /// One as long as those of Unity and DPD, with this number where they have their version.
    Unlike(u8),
    /// The id, another in each negotiation, that IOS sends beside its key exchange.
    IosBox,
}

/// An ID payload of phase 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityPayload {
    /// Type of the payload behind it.
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

/// A transform of phase 1, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase1Judged {
    /// Its number.
    pub number: u8,
    /// Its attributes, as offered.
    pub attributes: Vec<Attribute>,
    /// The policy that it was held against.
    pub priority: u32,
    /// Whether another transform is behind it.
    pub more: bool,
    /// The first attribute that differs, unless it is taken.
    pub differs: Option<Phase1Difference>,
}

/// A transform of phase 2, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase2Judged {
    /// The number of its proposal.
    pub proposal: u8,
    /// The proposal's protocol.
    pub protocol: u8,
    /// Its number.
    pub number: u8,
    /// Its id: the algorithm.
    pub id: u8,
    /// Its attributes, as offered.
    pub attributes: Vec<Attribute>,
    /// Whether another transform is behind it.
    pub more: bool,
    /// What differs first, unless it is taken.
    pub differs: Option<Phase2Difference>,
}

/// A child SA pair as it was negotiated.
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
    /// The lifetime in seconds that was offered, which may be longer than the one that we keep to.
    pub seconds: Option<u64>,
    /// The lifetime in kilobytes that was offered.
    pub kilobytes: Option<u64>,
}

/// What becomes of an attribute that a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigAnswer {
    /// It is sent, with this value.
    Sent(Attribute),
    /// It is not known, or not configured.
    Left(u16),
}

/// A payload that is looked at.
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
    /// A message came, in this state; without one it begins a new SA.
    Received(Option<IsakmpState>, bool),
    /// A message that came before came again.
    Repeated,
    /// There is a new SA.
    NewSa,
    /// A message goes out in this state; the flag says whether we began the SA.
    Sent(IsakmpState, bool),
    /// A message goes out again.
    Resent(IsakmpState, bool),
    /// The state machine of the SA, or of the node with this message id, moves.
    Transition {
        /// The node's message id.
        node: Option<u32>,
        /// What moves it.
        input: FsmInput,
        /// From this state.
        old: Fsm,
        /// To this one.
        new: Fsm,
    },
    /// A payload is looked at, in the exchange of this message id.
    Processing(PayloadName, u32),
    /// Keyrings are searched for the key of an address: their names, and whether it is there.
    KeySearch(IpAddr, Vec<(String, bool)>),
    /// There is a key for the peer.
    KeyFound,
    /// There is none.
    NoKey,
    /// Our own key is at hand.
    LocalKey,
    /// The peer's key is in this keyring.
    KeyringFound(String),
    /// These profiles are looked at: does one ask for Xauth?
    ProfileScan(Vec<String>),
    /// Offers with Xauth are acceptable.
    XauthPossible,
    /// A transform of phase 1 is looked at.
    Phase1Transform(Phase1Judged),
    /// None is taken.
    Phase1Refused,
    /// The crypto engine works.
    Engine(EngineStep),
    /// Phase 1 has its keys.
    SkeyidGenerated,
    /// A vendor id is looked at.
    Vendor(VendorSeen),
    /// This dialect of NAT traversal is spoken.
    NatDialect(Vendor),
    /// It is announced to the peer.
    NatConstructed(Vendor),
    /// A NAT-D payload came, of the RFC or of a draft.
    NatPayload {
        /// Of RFC 3947.
        rfc: bool,
    },
    /// There is a NAT in front of us, or of the peer.
    NatFound {
        /// In front of us.
        local: bool,
        /// In front of the peer.
        remote: bool,
    },
    /// An ID payload of phase 1, the peer's or our own.
    Identity(IdentityPayload),
    /// We name ourselves by an identity of this type; with Xauth to follow or not.
    OwnIdentity {
        /// Type.
        kind: u8,
        /// Whether Xauth follows.
        xauth: bool,
    },
    /// The bytes of our identity.
    IdentityLength(usize),
    /// The peer's identity matches this profile, or none.
    Profile(Option<String>),
    /// The profile makes the peer a client.
    ClientSettings,
    /// INITIAL-CONTACT came with phase 1.
    InitialContactCame,
    /// The peer has proved who it is.
    Authenticated,
    /// So this SA is authenticated.
    AuthenticatedWith,
    /// INITIAL-CONTACT ends what was there before.
    InitialContact,
    /// A client's address is free again.
    AddressReturned,
    /// The peer is remembered.
    PeerInserted,
    /// An exchange begins.
    NewNode(u32, IsakmpState),
    /// An exchange is over.
    NodeDeleted(u32, &'static str),
    /// What was told in one message is told.
    NodePurged(u32),
    /// The peer is told phase 1's lifetime in seconds.
    ResponderLifetime(u64),
    /// Xauth must follow.
    NeedXauth,
    /// AAA answered.
    AaaAnswered,
    /// The user is asked for this.
    XauthAsked(u16),
    /// The user answered this; what is not told.
    XauthReplied(u16),
    /// A transaction of ours begins.
    ConfigBegun(u32),
    /// A transaction of the peer's is answered.
    ConfigAnswered(u32),
    /// A message of a transaction came.
    ConfigCame(u32),
    /// It is of this kind.
    ConfigKind(u8),
    /// The client has heard that Xauth passed.
    XauthAcknowledged,
    /// The client asks for these attributes.
    ConfigAsked(Vec<u16>),
    /// The client gets an address; the one that it asked for.
    ConfigAddress(Option<Ipv4Addr>, Ipv4Addr),
    /// What becomes of the other attributes.
    ConfigAnswers(Vec<ConfigAnswer>),
    /// A transform of phase 2 is looked at.
    Phase2Transform(Phase2Judged),
    /// None is taken.
    Phase2Refused,
    /// The proposal is held against what is configured.
    ProposalRequest(Selector, EspSuite, Mode),
    /// The proxies are held against a crypto map; whether an entry takes them.
    ProxyCheck(String, bool),
    /// An SPI is asked for.
    SpiAsked,
    /// Here it is.
    SpiGiven(Spi),
    /// A pair comes into use.
    PairCreated(Box<Pair>),
    /// And is in its place.
    PairInstalled(Box<Pair>),
    /// A pair ends.
    PairDeleted(Spi, Spi, EspSuite),
    /// An SA ends, for this reason.
    SaDeleted(IsakmpState, bool, &'static str),
    /// A dead peer detection message came (`true`) or goes out; whether it is the answer; its
    /// sequence number.
    Dpd {
        /// It came.
        came: bool,
        /// It is an answer.
        ack: bool,
        /// Sequence number.
        sequence: u32,
    },
    /// A notification came: its type, protocol, the exchange's message id.
    Notified(u16, u8, u32),
}

impl Engine {
    /// Says whose steps are told from now on.
    pub fn trace(&mut self, scope: TraceScope) {
        self.tracing = scope;
    }

    /// Whether steps of this SA are told.
    pub(crate) fn traces(&self, sa: &IsakmpSa) -> bool {
        self.tracing.covers(sa.path.remote)
    }

    /// Tells a step of an SA, if somebody wants to know.
    pub(crate) fn step(&mut self, sa: &IsakmpSa, trace: impl FnOnce() -> Trace) {
        if self.traces(sa) {
            self.event(Some(sa), EventKind::Trace(Box::new(trace())));
        }
    }

    /// Tells a step of what belongs to no SA that is at hand.
    pub(crate) fn step_on(&mut self, connection: Option<ConnId>, path: Path, trace: impl FnOnce() -> Trace) {
        if self.tracing.covers(path.remote) {
            let kind = EventKind::Trace(Box::new(trace()));
            self.effect(Effect::Event(Event { connection, path: Some(path), kind }));
        }
    }

    /// Several steps.
    pub(crate) fn steps(&mut self, sa: &IsakmpSa, traces: impl FnOnce() -> Vec<Trace>) {
        if self.traces(sa) {
            for trace in traces() {
                self.event(Some(sa), EventKind::Trace(Box::new(trace)));
            }
        }
    }

    /// The state machine moves.
    pub(crate) fn moves(&mut self, sa: &IsakmpSa, input: FsmInput, old: Fsm, new: Fsm) {
        self.step(sa, || Trace::Transition { node: None, input, old, new });
    }

    /// The state machine of a quick mode moves.
    pub(crate) fn node_moves(&mut self, sa: &IsakmpSa, node: u32, input: FsmInput, old: Fsm, new: Fsm) {
        self.step(sa, || Trace::Transition { node: Some(node), input, old, new });
    }

    /// A step of the crypto engine.
    pub(crate) fn engine_step(&mut self, sa: &IsakmpSa, step: EngineStep) {
        self.step(sa, || Trace::Engine(step));
    }

    /// The vendor ids of a message; `key_exchange` says that it is the one with the key exchange.
    pub(crate) fn vendor_steps(&mut self, sa: &IsakmpSa, chain: &Chain<'_>, key_exchange: bool) {
        self.steps(sa, || {
            let mut out = Vec::new();
            for body in chain.all(payload::VENDOR) {
                out.push(Trace::Processing(PayloadName::Vendor, 0));
                let known = Vendor::recognise(body);
                match (known, body.get(14)) {
                    (None, Some(_)) if key_exchange && body.len() == 16 => {
                        out.push(Trace::Vendor(VendorSeen::IosBox));
                    }
                    (Some(Vendor::Unity | Vendor::Dpd), _) | (_, None) => {}
                    (_, Some(version)) => out.push(Trace::Vendor(VendorSeen::Unlike(*version))),
                }
                out.extend(known.map(|vendor| Trace::Vendor(VendorSeen::Known(vendor))));
            }
            out
        });
    }

    /// The ID payload of a phase-1 message, and the type of the payload behind it.
    pub(crate) fn identity_step(&mut self, sa: &IsakmpSa, chain: &Chain<'_>) {
        self.steps(sa, || {
            let place = chain.payloads.iter().position(|part| part.kind == payload::ID);
            let Some((place, part)) = place.and_then(|place| Some((place, chain.payloads.get(place)?)))
            else {
                return Vec::new();
            };
            let next = chain.payloads.get(place + 1).map_or(payload::NONE, |part| part.kind);
            vec![
                Trace::Processing(PayloadName::Id, 0),
                Trace::Identity(IdentityPayload::read(next, part.body)),
            ]
        });
    }

    /// Our own ID payload.
    pub(crate) fn own_identity_steps(&mut self, sa: &IsakmpSa, next: u8, body: &[u8], xauth: bool) {
        self.steps(sa, || {
            let identity = IdentityPayload::read(next, body);
            let length = identity.length;
            vec![
                Trace::OwnIdentity { kind: identity.kind, xauth },
                Trace::Identity(identity),
                Trace::IdentityLength(length),
                Trace::Engine(EngineStep::Hmac),
            ]
        });
    }

    /// The search for the key of the peer's address in these keyrings, the default one first.
    pub(crate) fn key_search_steps(&mut self, sa: &IsakmpSa, only: &[String], found: Option<&str>) {
        if !self.traces(sa) {
            return;
        }
        let address = sa.path.remote;
        let mut searched: Vec<(String, bool)> = Vec::new();
        let rings = self.policy.keyrings.iter().map(|keyring| keyring.name.as_str());
        let rings =
            rings.filter(|name| *name != "default" && (only.is_empty() || only.iter().any(|o| o == name)));
        for name in std::iter::once("default").chain(rings) {
            let here = found == Some(name);
            searched.push((name.to_string(), here));
            if here {
                break;
            }
        }
        self.step(sa, || Trace::KeySearch(address, searched));
    }
}
