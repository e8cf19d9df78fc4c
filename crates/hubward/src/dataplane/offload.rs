//! What the kernel does for the packet path: segmentation and gathering, on the TUN and on the UDP
//! socket. Each is tried when the program starts and can be switched off. Where it is off or
//! unavailable, the program does the work itself.

use crate::dataplane::port::Ports;
use hubward_linux::tun::{self, VnetHeader};
use hubward_linux::udp::UdpSocket;
use hubward_proto::flow::coalesce::Super;
use hubward_proto::flow::segment::{Transport, Undone};
use std::sync::atomic::{AtomicBool, Ordering};

/// An offload, as `--no-offload` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Offload {
    /// TCP super-packets between the kernel and the tunnel (TSO, GRO).
    TunTcp,
    /// UDP super-packets between the kernel and the tunnel (USO); needs the one for TCP.
    TunUdp,
    /// ESP packets in UDP, many sent as one (UDP_SEGMENT).
    UdpSend,
    /// ESP packets in UDP, many received as one (UDP_GRO).
    UdpReceive,
}

/// Whether an offload is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is.
    On,
    /// Switched off by `--no-offload`.
    Off,
    /// Not supported by this kernel.
    Unavailable,
    /// A network device refused it.
    Refused,
}

/// The offloads of the running gateway.
#[derive(Debug)]
pub(crate) struct Offloads {
    tun_tcp: State,
    tun_udp: State,
    udp_send: State,
    udp_receive: State,
    /// A device refused to send a packet that the kernel would have had to finish.
    refused: AtomicBool,
}

impl Default for Offloads {
    /// Nothing is used.
    fn default() -> Self {
        let (tun_tcp, tun_udp, udp_send, udp_receive) = (State::Off, State::Off, State::Off, State::Off);
        Self { tun_tcp, tun_udp, udp_send, udp_receive, refused: AtomicBool::new(false) }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Unavailable => "unavailable",
            Self::Refused => "refused",
        })
    }
}

impl Offloads {
    /// Tries what is not switched off, in the same way on all ports.
    pub(crate) fn start(off: &[Offload], ports: &Ports, natt: &UdpSocket) -> Self {
        let all_take = |offload| ports.iter().all(|port| port.tun().set_offload(offload).is_ok());
        let state = |offload, works: &dyn Fn() -> bool| match off.contains(&offload) {
            true => State::Off,
            false if works() => State::On,
            false => State::Unavailable,
        };
        let tun_tcp = state(Offload::TunTcp, &|| all_take(tun::Offload::Tcp));
        let tun_udp = match tun_tcp {
            State::On => state(Offload::TunUdp, &|| all_take(tun::Offload::TcpUdp)),
            other => other,
        };
        Self {
            tun_tcp,
            tun_udp,
            udp_send: state(Offload::UdpSend, &|| natt.can_segment()),
            udp_receive: state(Offload::UdpReceive, &|| natt.gather(true).is_ok()),
            refused: AtomicBool::new(false),
        }
    }

    /// Whether packets for the TUN are gathered, for TCP and for UDP.
    pub(crate) fn gathers(&self) -> (bool, bool) {
        (self.tun_tcp == State::On, self.tun_udp == State::On)
    }

    /// Whether many datagrams are sent as one.
    pub(crate) fn sends_segmented(&self) -> bool {
        self.udp_send == State::On && !self.refused.load(Ordering::Relaxed)
    }

    /// Records that a device refused; the offload is not tried again.
    pub(crate) fn refuse(&self) {
        if !self.refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a network device cannot fill in UDP checksums: packets are sent one by one from now on"
            );
        }
    }

    /// Each with its name and state, for `show crypto engine brief`.
    pub(crate) fn states(&self) -> [(&'static str, State); 4] {
        let udp_send = match self.udp_send {
            State::On if self.refused.load(Ordering::Relaxed) => State::Refused,
            state => state,
        };
        [
            ("TUN TCP segmentation", self.tun_tcp),
            ("TUN UDP segmentation", self.tun_udp),
            ("UDP send segmentation", udp_send),
            ("UDP receive gathering", self.udp_receive),
        ]
    }
}

/// What the kernel left undone in a packet from the TUN; `None` for a kind of segments that was not
/// enabled.
pub(crate) fn undone(header: VnetHeader) -> Option<Undone> {
    let segment = match header.gso_type & !VnetHeader::ECN {
        0 => None,
        VnetHeader::TCP_V4 => Some((Transport::Tcp, header.gso_size)),
        VnetHeader::UDP => Some((Transport::Udp, header.gso_size)),
        _ => return None,
    };
    let missing = header.flags & VnetHeader::NEEDS_CHECKSUM != 0;
    Some(Undone { segment, checksum: missing.then_some((header.checksum_start, header.checksum_offset)) })
}

/// The header that describes a super-packet to the kernel.
pub(crate) fn header_of(whole: Super) -> VnetHeader {
    let short = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
    VnetHeader {
        flags: VnetHeader::NEEDS_CHECKSUM,
        gso_type: match whole.transport {
            Transport::Tcp => VnetHeader::TCP_V4,
            Transport::Udp => VnetHeader::UDP,
        },
        header_length: short(whole.header_len),
        gso_size: short(whole.segment),
        checksum_start: short(whole.ip_header_len),
        checksum_offset: short(whole.transport.checksum_offset()),
    }
}
