//! What reaches the thread that owns the engine, by where it comes from: the lanes of
//! [`crate::base::inbox::Inbox`].

use hubward_config::Parsed;
use hubward_proto::esp::inbound::{Notice, Refused};
use hubward_proto::flow::tables::Acquire;
use hubward_proto::ike::io::{Answer, AskId, Command, Limit};
use hubward_proto::ike::trace::TraceScope;
use hubward_proto::names::{ChildId, InterfaceId, Service};
use ipnet::Ipv4Net;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// What the inbox gives.
pub(crate) enum Message {
    Datagram(Datagram),
    News(News),
    /// An answer that took its time: a password that was checked, a lease, a person at the
    /// terminal.
    Answer(AskId, Answer),
    Dhcp(LinkPacket),
    Request(Request),
}

/// An IKE message, without its non-ESP marker. It may be lost: a peer repeats what is not answered.
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    /// The address that it was sent to, where the kernel says it.
    pub(crate) to: Option<IpAddr>,
    /// The port that it was sent to.
    pub(crate) port: u16,
    pub(crate) bytes: Vec<u8>,
}

impl Datagram {
    /// Whether it starts an exchange with an unknown peer: it has no cookie of ours (RFC 2408,
    /// section 3.1), so that everything known about its sender is what the sender wrote.
    pub(crate) fn is_first(&self) -> bool {
        self.bytes.get(8..16).is_none_or(|responder| responder == [0; 8])
    }
}

/// An IP packet with DHCP for a client of ours. It may be lost: a client repeats what is not
/// answered (RFC 2131, section 4.1).
pub(crate) struct LinkPacket {
    /// The link that it came in on, by its Linux name.
    pub(crate) link: Arc<str>,
    pub(crate) bytes: Vec<u8>,
}

/// The notifications of the data plane.
pub(crate) enum News {
    /// A packet waits for a tunnel.
    Acquire(Acquire),
    /// An SA of this child has reached something that its counters say.
    Reached(ChildId),
    /// The kernel's data plane says that a volume limit is reached.
    Limit(ChildId, Limit),
    /// Something else that the packet path saw.
    Notice(Notice),
    /// News of the kernel's data plane.
    Kernel(hubward_linux::xfrm::Event),
}

/// What two notifications have in common of which only the later one matters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Same {
    Acquire(InterfaceId, Service, usize),
    Reached(ChildId),
    Moved(ChildId),
    Refused(ChildId, Refused),
}

impl News {
    /// What it replaces where that still waits; so there is never more of it than there are
    /// tunnels.
    pub(crate) fn same(&self) -> Option<Same> {
        match self {
            Self::Acquire(acquire) => {
                Some(Same::Acquire(acquire.interface, acquire.service.clone(), acquire.acl_line))
            }
            Self::Reached(child) => Some(Same::Reached(*child)),
            Self::Notice(Notice::Moved(child, ..)) => Some(Same::Moved(*child)),
            Self::Notice(Notice::Refused(child, refused)) => Some(Same::Refused(*child, *refused)),
            Self::Limit(..) | Self::Notice(_) | Self::Kernel(_) => None,
        }
    }
}

/// What people and the system ask for.
pub(crate) enum Request {
    /// An operator's order, and who waits until it was carried out.
    Order(Command, Sender<()>),
    /// Whose steps are logged from now on, and who waits for that.
    Trace(TraceScope, Sender<()>),
    /// Forget granted networks that share an address with this one, or all; and who waits for how
    /// many they were.
    ClearGuard(Option<Ipv4Net>, Sender<usize>),
    /// SIGHUP: read the configuration again.
    Reload,
    /// A configuration that was made out of another, and who waits for what becomes of it.
    Configure {
        /// What it was made out of: if that is not in force any more, it is refused.
        base: Arc<Parsed>,
        parsed: Arc<Parsed>,
        extent: Extent,
        done: Sender<Result<(), NotConfigured>>,
    },
    /// SIGTERM or SIGINT, or `reload`.
    Stop(End),
}

/// How much of a configuration somebody changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Somebody changed lines, at a console or in the file: what is lost by a slip is refused.
    Lines,
    /// `configure replace`: it was said that this is a complete configuration.
    Whole,
}

/// How the gateway ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Stop,
    /// The same, by Ctrl-C: there may be a user at the terminal.
    Interrupt,
    /// The program restarts with its saved configuration: `reload`.
    Restart,
    /// A part of it died or hung.
    Failed,
}

/// Why a configuration is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotConfigured {
    /// Another one came before.
    Overtaken,
    /// It cannot be used; why.
    Refused(String),
}
