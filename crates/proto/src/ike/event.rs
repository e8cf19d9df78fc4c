//! What the engine reports, as typed events; logs, IOS `debug` lines and explanations are rendered
//! from them. No event carries a secret. Text that came from a peer is wrapped in [`Untrusted`].

use crate::flow::selector::{AddressRange, Selector};
use crate::names::{ChildId, ConnId, Service, Spi, Untrusted};
use crate::path::Path;
use std::net::IpAddr;

/// One thing that happened, with the SA or path concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The ISAKMP SA, when there is one.
    pub connection: Option<ConnId>,
    /// The path, when there is one.
    pub path: Option<Path>,
    /// What happened.
    pub kind: EventKind,
}

/// Kinds of events. The set grows with the engine; each variant carries what `why` needs to explain
/// it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A phase-1 SA is established.
    Phase1Up {
        /// The peer's identity.
        identity: Untrusted,
        /// The profile that matched.
        profile: Option<String>,
    },
    /// A phase-1 SA ended.
    Phase1Down {
        /// Why, in words.
        reason: &'static str,
    },
    /// Xauth passed.
    XauthAccepted {
        /// The user.
        user: Untrusted,
    },
    /// Xauth failed.
    XauthRejected {
        /// The user.
        user: Untrusted,
    },
    /// An inner address was assigned to a client.
    AddressAssigned {
        /// The address.
        address: IpAddr,
    },
    /// A client asked for attributes that are not known or not configured; they are not answered.
    AttributesNotAnswered {
        /// Their numbers, as asked for.
        kinds: Vec<u16>,
    },
    /// A child SA is established.
    ChildUp {
        /// Which.
        child: ChildId,
        /// The entry that serves it.
        service: Service,
        /// Its selector.
        selector: Selector,
        /// Our SPI.
        inbound: Spi,
        /// The peer's SPI.
        outbound: Spi,
        /// The child SA that it replaces.
        replaces: Option<ChildId>,
    },
    /// A child SA ended.
    ChildDown {
        /// Which.
        child: ChildId,
        /// Why, in words.
        reason: &'static str,
    },
    /// The VPN client's gateway redirects it to another.
    Redirected {
        /// The other gateway.
        gateway: IpAddr,
    },
    /// The peer does not answer.
    PeerDead,
    /// The peer's address or port changed.
    PeerMoved {
        /// Its new address.
        remote: IpAddr,
        /// Its new port.
        remote_port: u16,
    },
    /// A peer of a dynamic entry proposed a network that another peer has.
    NetworkContested {
        /// Who proposed it, and what.
        newcomer: Box<Rival>,
        /// Who has it, and what exactly.
        holder: Box<Rival>,
        /// Whether it stays with the one that has it, because that one answers; else the newcomer
        /// gets it.
        kept: bool,
    },
    /// A message or a proposal was refused.
    Refused(crate::ike::explain::Refusal),
    /// A step of an exchange, reported only while the peer is traced.
    Trace(Box<crate::ike::trace::Trace>),
}

/// One of two peers that both claim a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rival {
    /// Where it is.
    pub path: Path,
    /// Its identity in phase 1; with a key that many know, anyone may have named it.
    pub identity: Untrusted,
    /// What it has, or proposes.
    pub network: AddressRange,
}
