//! Received packets, from any reader: each packet is steered once. ESP is opened by the SA that its
//! SPI names ([`hubward_proto::esp::inbound`]), and that SA names the port; IKE goes to the
//! gateway.

use crate::base::message::Datagram;
use hubward_crypto::esp::HEADER_LEN;
use hubward_linux::Received;
use hubward_proto::esp::inbound::Arrived;
use hubward_proto::path::{Encapsulation, NATT_PORT};
use std::net::{IpAddr, SocketAddr};

/// What a reader reads, which determines how its packets begin. Another reader of the same packets
/// needs no new source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// UDP 4500 (RFC 3948): ESP, IKE after a marker, and NAT keepalives.
    Udp,
    /// IP protocol 50: ESP.
    Native,
}

/// One packet of a source, without its IP or UDP header.
#[derive(Debug)]
pub(crate) struct Packet<'a> {
    pub(crate) bytes: &'a mut [u8],
    /// The sender; its port is 0 for protocol 50.
    pub(crate) from: SocketAddr,
    /// The destination, if it is known.
    pub(crate) to: Option<IpAddr>,
    /// DSCP and ECN of the IP header.
    pub(crate) tos: u8,
}

/// Where a packet goes.
pub(crate) enum Steered<'a> {
    /// To the SA that its SPI names.
    Esp(Arrived<'a>),
    /// To the gateway.
    Ike(Datagram),
    /// Nowhere: it keeps a NAT mapping alive (RFC 3948 section 2.3).
    Keepalive,
    /// Nowhere: it is too short for an SPI and a sequence number.
    Short,
}

/// Decides by the first bytes of the packet.
pub(crate) fn steer(source: Source, packet: Packet<'_>) -> Steered<'_> {
    let Packet { bytes, from, to, tos } = packet;
    let (encapsulation, remote_port) = match source {
        Source::Native => (Encapsulation::Native, 0),
        Source::Udp => {
            // the non-ESP marker: no SPI is 0 (RFC 3948 section 2.2)
            if let Some(message) = bytes.strip_prefix(&[0; 4]) {
                return Steered::Ike(Datagram { from, to, port: NATT_PORT, bytes: message.to_vec() });
            }
            if *bytes == [0xff] {
                return Steered::Keepalive;
            }
            (Encapsulation::Udp, from.port())
        }
    };
    if bytes.len() < HEADER_LEN {
        return Steered::Short;
    }
    Steered::Esp(Arrived { bytes, local: to, remote: from.ip(), remote_port, encapsulation, tos })
}

/// The packets of a datagram: several if the kernel gathered them. One that the read truncated is
/// empty.
pub(crate) fn packets<'a>(received: Received<'a>) -> impl Iterator<Item = Packet<'a>> {
    let Received { data, segment, from, to, tos, truncated, .. } = received;
    let data = if truncated { &mut [] } else { data };
    let empty: Option<&'a mut [u8]> = if data.is_empty() { Some(&mut []) } else { None };
    empty.into_iter().chain(data.chunks_mut(segment)).map(move |bytes| Packet { bytes, from, to, tos })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where these bytes are steered, in short.
    fn steered(source: Source, bytes: &[u8]) -> String {
        let (from, to) = ("192.0.2.1:4711".parse().unwrap(), Some("192.0.2.9".parse().unwrap()));
        let mut bytes = bytes.to_vec();
        match steer(source, Packet { bytes: &mut bytes, from, to, tos: 3 }) {
            Steered::Esp(Arrived { bytes, local, remote, remote_port, encapsulation, tos }) => {
                assert_eq!((local, remote, tos), (to, from.ip(), 3));
                format!("{encapsulation:?} {remote_port} {}", bytes.len())
            }
            Steered::Ike(datagram) => {
                assert_eq!((datagram.from, datagram.to, datagram.port), (from, to, 4500));
                format!("IKE {:?}", datagram.bytes)
            }
            Steered::Keepalive => "keepalive".into(),
            Steered::Short => "short".into(),
        }
    }

    #[test]
    fn the_first_bytes_say_what_it_is() {
        let esp = [0, 0, 1, 0, 0, 0, 0, 1, 9];
        let ike = [0, 0, 0, 0, 7, 8];
        for (bytes, by_udp, native) in [
            (&esp[..], "Udp 4711 9", "Native 0 9"),
            (&esp[..8], "Udp 4711 8", "Native 0 8"),
            (&esp[..7], "short", "short"),
            (&ike[..], "IKE [7, 8]", "short"),
            // a message without a header is for the gateway to refuse
            (&ike[..4], "IKE []", "short"),
            (&ike[..3], "short", "short"),
            (&[0xff], "keepalive", "short"),
            (&[0xff, 0xff], "short", "short"),
            (&[0x00], "short", "short"),
            (&[], "short", "short"),
            // protocol 50 has no marker: this is an unknown SPI
            (&[0; 9], "IKE [0, 0, 0, 0, 0]", "Native 0 9"),
        ] {
            assert_eq!(steered(Source::Udp, bytes), by_udp, "{bytes:?}");
            assert_eq!(steered(Source::Native, bytes), native, "{bytes:?}");
        }
    }

    #[test]
    fn what_the_kernel_gathered_is_steered_one_by_one() {
        let lengths = |length: usize, segment, truncated| {
            let mut data = vec![7; length];
            let from = "192.0.2.1:4500".parse().unwrap();
            let received =
                Received { data: &mut data, segment, from, to: None, interface: 1, tos: 0, truncated };
            packets(received).map(|packet| packet.bytes.len()).collect::<Vec<_>>()
        };
        assert_eq!(lengths(250, 100, false), [100, 100, 50]);
        assert_eq!(lengths(100, 100, false), [100]);
        assert_eq!(lengths(0, 1, false), [0], "it is counted");
        assert_eq!(lengths(100, 100, true), [0]);
    }
}
