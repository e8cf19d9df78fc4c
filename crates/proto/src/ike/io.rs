//! The engine's only interface: its inputs and effects.

use crate::esp::sa::{ChildSa, Direction};
use crate::flow::tables::Acquire;
use crate::ike::event::Event;
pub use crate::ike::explain::LeaseError;
use crate::names::{ChildId, InterfaceId, Spi};
use crate::path::Path;
use crate::policy::{ClientGroup, Policy};
use crate::time::Instant;
use hubward_crypto::secret::Secret;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// What happened outside.
#[derive(Debug)]
pub enum Input<'a> {
    /// An IKE datagram was received; its non-ESP marker is already removed.
    Datagram {
        /// Where it came from and by which socket.
        path: Path,
        /// The ISAKMP message.
        bytes: &'a [u8],
    },
    /// A packet needs an SA: its crypto map entry or client connection has none.
    Acquire(Acquire),
    /// The answer to an earlier [`Effect::Ask`].
    Answer {
        /// The number of the question.
        id: AskId,
        /// The answer.
        answer: Answer,
    },
    /// A child SA reached a volume or sequence-number limit.
    Expire {
        /// Which.
        child: ChildId,
        /// Soft asks for a rekey, hard ends the SA.
        limit: Limit,
    },
    /// The first valid packet was received on the inbound SA of a child SA.
    InboundSeen {
        /// Which.
        child: ChildId,
    },
    /// What a child SA carried lately; sent about once a second for those with changes.
    Traffic {
        /// Which.
        child: ChildId,
        /// When the last valid packet was received.
        last_inbound: Option<Instant>,
        /// When the last packet was sent.
        last_outbound: Option<Instant>,
    },
    /// A valid packet came from another address or port than those of the path (NAT rebinding).
    PeerMoved {
        /// Which child carried it.
        child: ChildId,
        /// Its source address.
        remote: IpAddr,
        /// Its source port.
        remote_port: u16,
    },
    /// An ESP packet with an unknown SPI was received.
    UnknownSpi {
        /// Its outer path; the port is the usual one, not that of a NAT.
        path: Path,
        /// The SPI.
        spi: Spi,
    },
    /// An interface has another address now (DHCP), or none.
    Moved {
        /// Which interface.
        interface: InterfaceId,
        /// Its address.
        address: Option<IpAddr>,
    },
    /// The configuration changed; peers whose terms are the same are left alone.
    Policy(Arc<Policy>),
    /// An operator's command.
    Command(Command),
    /// Fresh entropy from the kernel.
    Reseed([u8; 32]),
}

/// Volume limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Time to rekey.
    Soft,
    /// Stop using it.
    Hard,
}

/// An operator's command.
#[derive(Clone, Debug)]
pub enum Command {
    /// `clear crypto isakmp [conn-id]`.
    ClearIsakmp {
        /// One SA, or all.
        connection: Option<u32>,
    },
    /// `clear crypto sa [peer A]`: remove (and delete at the peer) child SAs.
    ClearSa {
        /// One peer, or all.
        peer: Option<IpAddr>,
    },
    /// `clear crypto session [remote A]`: both phases.
    ClearSession {
        /// One peer, or all.
        peer: Option<IpAddr>,
    },
    /// The VPN client connects.
    Connect {
        /// Name of the connection in the policy.
        connection: String,
    },
    /// The VPN client disconnects.
    Disconnect {
        /// Name of the connection in the policy.
        connection: String,
    },
    /// The gateway stops: deletes are sent to every peer, and nothing new is initiated.
    Shutdown,
}

/// The number of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AskId(pub u64);

/// Slow work that the engine does not do itself.
#[derive(Clone, Debug)]
pub enum Question {
    /// Check a user against `aaa authentication login LIST`.
    Authenticate {
        /// The list.
        list: String,
        /// The user's name.
        user: String,
        /// The password or passcode as the peer sent it.
        password: Secret,
        /// The client group that phase 1 proved.
        group: Option<String>,
        /// The peer's address.
        from: IpAddr,
    },
    /// Look a client group up by `aaa authorization network LIST`.
    Authorize {
        /// The list. Without one every group is unknown; the question is asked anyway, so that the
        /// time of the answer does not reveal whether a group exists.
        list: Option<String>,
        /// The group's name.
        group: String,
    },
    /// An inner address for a client.
    Lease {
        /// `ip local pool` name.
        pool: String,
        /// Who gets it.
        owner: LeaseOwner,
        /// The address the client already uses, if it named one.
        wanted: Option<IpAddr>,
    },
    /// The client role needs the user's name, password or passcode.
    Credentials {
        /// Name of the connection in the policy.
        connection: String,
        /// What the gateway asks for, in its order.
        fields: Vec<CredentialField>,
        /// The gateway's text, from the network: print it escaped.
        message: Option<String>,
        /// Whether the gateway asked before on this SA: it rejected the answers, or requires
        /// another round. Stored credentials have been sent already.
        again: bool,
    },
}

/// What an XAUTH request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CredentialField {
    /// XAUTH_USER_NAME.
    User,
    /// XAUTH_USER_PASSWORD.
    Password,
    /// XAUTH_PASSCODE.
    Passcode,
    /// XAUTH_ANSWER to a challenge.
    Answer,
    /// XAUTH_DOMAIN.
    Domain,
    /// XAUTH_NEXT_PIN.
    NextPin,
}

/// Who holds a lease: one address for a user's device.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseOwner {
    /// Client group.
    pub group: String,
    /// Xauth user, when there is one.
    pub user: Option<String>,
    /// What distinguishes two devices of one user: the outer address, or behind a NAT the outer
    /// address and port.
    pub device: String,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// [`Question::Authenticate`]: passed, as this user (after canonicalisation).
    Accepted {
        /// The user.
        user: String,
    },
    /// [`Question::Authenticate`]: refused, for any reason; the reason is not sent to the peer.
    Rejected {
        /// For the log only.
        reason: String,
    },
    /// [`Question::Authenticate`]: nothing was checked, because too many others wait. The peer is
    /// asked again, and is told why; it is no wrong password.
    Later,
    /// [`Question::Authenticate`]: another round (RADIUS Access-Challenge).
    Challenge {
        /// Text for the user.
        message: String,
    },
    /// [`Question::Authorize`].
    Group(Option<Arc<ClientGroup>>),
    /// [`Question::Lease`].
    Lease(Result<IpAddr, LeaseError>),
    /// [`Question::Credentials`]; `None` when the user gave up.
    Credentials(Option<Vec<(CredentialField, Secret)>>),
}

/// What the driver of the engine must do.
#[derive(Debug)]
pub enum Effect {
    /// Send an IKE message; the owner of the socket adds the non-ESP marker if the path requires
    /// it.
    Transmit {
        /// Where.
        path: Path,
        /// The message.
        bytes: Vec<u8>,
    },
    /// Send a NAT keepalive: one byte 0xFF.
    NatKeepalive {
        /// Where.
        path: Path,
    },
    /// Start to use one direction of a child SA. An outbound SA supersedes an older one with the
    /// same peer and selector; the older one stays until it is removed.
    Install {
        /// The child SA.
        child: Arc<ChildSa>,
        /// Which direction.
        direction: Direction,
    },
    /// The outer path of a child changed.
    Repath {
        /// Which.
        child: ChildId,
        /// Its new path.
        path: Path,
    },
    /// Remove both directions of a child SA.
    Remove {
        /// Which.
        child: ChildId,
    },
    /// Do slow work.
    Ask {
        /// Its number.
        id: AskId,
        /// The question.
        question: Question,
    },
    /// Return a lease; its address stays reserved for its owner until another client needs it. Each
    /// lease that an [`Answer::Lease`] grants is released once, even if it arrives too late. An
    /// address that was granted twice is free after it was released twice.
    Release {
        /// The pool.
        pool: String,
        /// The owner.
        owner: LeaseOwner,
        /// The address.
        address: IpAddr,
    },
    /// The VPN client received its configuration.
    Assign(Box<Assignment>),
    /// The VPN client lost its tunnel.
    Unassign {
        /// Name of the connection in the policy.
        connection: String,
    },
    /// Report an event.
    Event(Event),
}

/// What mode-config assigned to the VPN client. Every text comes from the network; its length is
/// bounded, and it is restricted to printable characters, a domain to the characters of host names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Name of the connection in the policy.
    pub connection: String,
    /// The gateway's outer address.
    pub gateway: IpAddr,
    /// Our inner address.
    pub address: Ipv4Addr,
    /// Its mask, if assigned.
    pub netmask: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// NetBIOS name servers.
    pub wins: Vec<Ipv4Addr>,
    /// Default domain.
    pub domain: Option<String>,
    /// Domains for which the name servers are used.
    pub split_dns: Vec<String>,
    /// Networks behind the gateway; empty means all.
    pub split_include: Vec<ipnet::Ipv4Net>,
    /// Networks that are not tunnelled.
    pub split_exclude: Vec<ipnet::Ipv4Net>,
    /// The gateway's banner.
    pub banner: Option<String>,
    /// Whether the user's password may be stored.
    pub save_password: bool,
    /// Lifetime of the address, if assigned.
    pub expiry: Option<Duration>,
}
