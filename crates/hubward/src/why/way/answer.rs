//! What is asked of a packet, and what is answered.

use hubward_config::acl::{Packet, Ports, Tcp};
use hubward_config::model::Moment;
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};

/// Protocols that have ports, and ICMP.
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ESP: u8 = 50;
}

/// The source port of a question that names none.
const EPHEMERAL: u16 = 50_000;

/// TCP flags of the first packet of a connection, and of its answer.
const SYN: u8 = 0x02;
const SYN_ACK: u8 = 0x12;

/// A packet that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    /// IP protocol.
    pub(crate) protocol: u8,
    /// Type and code of ICMP; `None`: an echo.
    pub(crate) icmp: Option<(u8, u8)>,
    /// `None`: any above the well-known ones.
    pub(crate) source_port: Option<u16>,
    /// `None`: not known.
    pub(crate) destination_port: Option<u16>,
    /// It belongs to a connection that is established already (TCP: ACK instead of SYN).
    pub(crate) established: bool,
    /// Bytes with the IP header; `None`: not known.
    pub(crate) length: Option<u16>,
    /// The interface by which it comes in; `None`: the one to which the route to its source leads.
    pub(crate) input: Option<String>,
}

/// One stage of a packet's way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Stage {
    /// What is done there.
    pub(crate) stage: Name,
    /// What happens to the packet, in a sentence without its end.
    pub(crate) says: String,
    /// The line of the configuration that decides, from 1.
    pub(crate) line: Option<u32>,
    /// Whether the packet goes on.
    pub(crate) passes: bool,
}

/// The stages, in the order of a packet that comes from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Name {
    Arrival,
    Decryption,
    /// `set ip access-group` of a crypto map entry.
    MapFilter,
    InputFilter,
    SourceCheck,
    Nat,
    PolicyRouting,
    Route,
    CryptoMap,
    Sa,
    OutputFilter,
    Departure,
}

impl Name {
    /// The word in front of a stage.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Arrival => "arrives",
            Self::Decryption => "decrypted",
            Self::MapFilter => "map filter",
            Self::InputFilter => "filter in",
            Self::SourceCheck => "source",
            Self::Nat => "NAT",
            Self::PolicyRouting => "policy",
            Self::Route => "route",
            Self::CryptoMap => "crypto map",
            Self::Sa => "SA",
            Self::OutputFilter => "filter out",
            Self::Departure => "leaves",
        }
    }
}

/// Where a packet ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "end")]
pub(crate) enum End {
    /// It leaves in clear.
    Leaves {
        /// By this interface.
        interface: String,
    },
    /// It leaves in a tunnel.
    Protected {
        /// By this interface.
        interface: String,
        /// To this peer; `None`: there is no SA yet, and the packet asks for one.
        peer: Option<IpAddr>,
    },
    /// It is for this router.
    Local,
    /// It is dropped.
    Dropped {
        /// At this stage.
        at: Name,
    },
}

/// The way of a packet in one direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Way {
    pub(crate) stages: Vec<Stage>,
    #[serde(flatten)]
    pub(crate) end: End,
    /// The packet as it leaves, after all translations.
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    pub(crate) source_port: Option<u16>,
    pub(crate) destination_port: Option<u16>,
    /// The addresses of a pool or translated ports are chosen when the packet comes.
    pub(crate) source_known: bool,
}

/// There and back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Journey {
    pub(crate) there: Way,
    /// `None`: no answer comes, because the packet does not arrive, or is for this router.
    pub(crate) back: Option<Way>,
}

/// The packet at a moment of its way.
#[derive(Clone, Debug)]
pub(super) struct Moving {
    pub(super) source: Ipv4Addr,
    pub(super) destination: Ipv4Addr,
    pub(super) protocol: u8,
    pub(super) source_port: Option<u16>,
    pub(super) destination_port: Option<u16>,
    pub(super) icmp: Option<(u8, u8)>,
    pub(super) flags: Option<u8>,
    /// Bytes with the IP header.
    pub(super) length: Option<u16>,
    /// The source is one of several, of a pool.
    pub(super) source_known: bool,
}

/// What answers a message of ICMP: of those that ask, the reply.
const fn icmp_answer((kind, code): (u8, u8)) -> (u8, u8) {
    match kind {
        8 => (0, 0),
        13 => (14, 0),
        15 => (16, 0),
        17 => (18, 0),
        _ => (kind, code),
    }
}

impl Moving {
    pub(super) fn of(question: &Question) -> Self {
        let has_ports = matches!(question.protocol, protocol::TCP | protocol::UDP);
        Self {
            source: question.source,
            destination: question.destination,
            protocol: question.protocol,
            source_port: question.source_port.or(has_ports.then_some(EPHEMERAL)),
            destination_port: question.destination_port,
            icmp: (question.protocol == protocol::ICMP).then_some(question.icmp.unwrap_or((8, 0))),
            flags: (question.protocol == protocol::TCP).then_some(if question.established {
                0x10
            } else {
                SYN
            }),
            length: question.length,
            source_known: true,
        }
    }

    /// The answer to it, as the other end sends it.
    pub(super) fn answer(&self) -> Self {
        Self {
            source: self.destination,
            destination: self.source,
            source_port: self.destination_port,
            destination_port: self.source_port,
            icmp: self.icmp.map(icmp_answer),
            flags: self.flags.map(|_| SYN_ACK),
            length: None,
            source_known: true,
            ..*self
        }
    }

    /// As access lists look at it.
    pub(super) fn packet(&self, moment: Moment) -> Packet {
        let ports = Ports { source: self.source_port, destination: self.destination_port };
        Packet {
            icmp: self.icmp,
            tcp: Tcp(self.flags),
            tos: Some(0),
            options: Some(Vec::new()),
            moment: Some(moment),
            ..Packet::new(self.source.into(), Some(self.destination.into()), self.protocol, ports)
        }
    }
}
