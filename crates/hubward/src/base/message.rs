//! What reaches the gateway thread.

use hubward_config::Parsed;
use hubward_proto::esp::inbound::Notice;
use hubward_proto::esp::sa::ChildId;
use hubward_proto::ike::io::{Acquire, Answer, AskId, Command, Limit};
use hubward_proto::ike::trace::TraceScope;
use ipnet::Ipv4Net;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// What reaches the gateway.
pub(crate) enum Message {
    /// An IKE message, without its non-ESP marker.
    Datagram { from: SocketAddr, to: Option<IpAddr>, port: u16, bytes: Vec<u8> },
    /// A packet waits for a tunnel.
    Acquire(Acquire),
    /// A child SA reached a limit.
    Limit(ChildId, Limit),
    /// News of the kernel's data plane.
    Kernel(hubward_linux::xfrm::Event),
    /// Something that the packet path saw.
    Notice(Notice),
    /// An operator's order, and who waits until it was carried out.
    Order(Command, Sender<()>),
    /// Whose steps are told from now on, and who waits for that.
    Trace(TraceScope, Sender<()>),
    /// An answer that took its time: a password that was checked, a person at the terminal.
    Answer(AskId, Answer),
    /// Forget granted networks that share an address with this one, or all; and who waits for how many they were.
    ClearGuard(Option<Ipv4Net>, Sender<usize>),
    /// SIGHUP: read the configuration again.
    Reload,
    /// A configuration that was made out of another, and who waits for what becomes of it.
    Configure {
        /// What it was made out of: if that is not in force any more, it is refused.
        base: Arc<Parsed>,
        parsed: Arc<Parsed>,
        done: Sender<Result<(), NotConfigured>>,
    },
    /// SIGTERM or SIGINT, or `reload`.
    Stop(End),
}

/// How the gateway ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Stop,
    /// The same, by Ctrl-C: somebody may sit at the terminal.
    Interrupt,
    /// The program begins anew, with its saved configuration: `reload`.
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
