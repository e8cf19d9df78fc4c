//! The IPsec content of a packet capture: IKE messages, and how many ESP packets went each way.
//! Reads pcap and pcapng files of tcpdump and Wireshark, with Ethernet (and VLAN tags), Linux
//! cooked or raw IP frames.

use hubward_proto::path::{ISAKMP_PORT, NATT_PORT};
use hubward_proto::wire::ip::{Ipv4, protocol};
use pcap_parser::traits::PcapNGPacketBlock as _;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};
use std::collections::BTreeMap;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// IKE messages that are read of one capture.
const MESSAGES: usize = 100_000;
/// Pairs of addresses whose ESP packets are counted.
const PAIRS: usize = 10_000;
/// Interfaces of a pcapng file.
const INTERFACES: usize = 4096;
/// Bytes of the reader's buffer; no frame is longer (tcpdump truncates at 262,144 bytes).
const BUFFER: usize = 1 << 19;
/// EtherTypes.
const IPV4: u16 = 0x0800;
const VLAN: [u16; 2] = [0x8100, 0x88a8];

/// An IKE message of the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// When it was recorded, since 1970.
    pub(super) time: Duration,
    pub(super) source: SocketAddrV4,
    pub(super) destination: SocketAddrV4,
    /// Without the non-ESP marker.
    pub(super) bytes: Vec<u8>,
}

/// A capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(super) messages: Vec<Message>,
    /// ESP packets from one address to another, native and in UDP 4500.
    pub(super) esp: BTreeMap<(Ipv4Addr, Ipv4Addr), u64>,
    /// Frames of every kind.
    pub(super) frames: u64,
    /// Fragments of UDP datagrams on the IKE ports, which are not reassembled.
    pub(super) fragments: u64,
    /// Messages that were cut short when they were recorded (`tcpdump -s`).
    pub(super) cut: u64,
    /// The file ends within a frame, or contains more than is read.
    pub(super) incomplete: bool,
}

/// Why a file is not a capture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    #[error("this is not a capture in a format that tcpdump or Wireshark writes (pcap or pcapng)")]
    NoCapture,
    #[error("the capture is damaged after frame {0}")]
    Damaged(u64),
    #[error("frames of link type {0} are not supported; Ethernet, Linux cooked and raw IP are")]
    LinkType(i32),
    #[error("{0}")]
    Read(String),
}

/// How frames of an interface look, and how their time is counted.
#[derive(Clone, Copy)]
struct Link {
    kind: Linktype,
    /// Units a second.
    resolution: u64,
    offset: u64,
}

impl Recording {
    /// Reads a capture.
    pub(crate) fn read(file: impl Read + Send) -> Result<Self, RecordingError> {
        let mut reader = create_reader(BUFFER, file).map_err(|_| RecordingError::NoCapture)?;
        let mut recording = Self::default();
        let mut links: Vec<Link> = Vec::new();
        loop {
            let exhausted = reader.reader_exhausted();
            match reader.next() {
                Ok((used, block)) => {
                    recording.block(&block, &mut links)?;
                    drop(block);
                    reader.consume(used);
                }
                Err(PcapError::Incomplete(_)) if !exhausted => {
                    reader.refill().map_err(|error| match error {
                        PcapError::ReadError => RecordingError::Read("the file cannot be read".into()),
                        _ => RecordingError::Damaged(recording.frames),
                    })?;
                }
                Err(PcapError::Eof) => return Ok(recording),
                // a capture that was copied while it was written
                Err(PcapError::Incomplete(_) | PcapError::UnexpectedEof) => {
                    recording.incomplete = true;
                    return Ok(recording);
                }
                Err(_) if recording.frames == 0 => return Err(RecordingError::NoCapture),
                Err(_) => return Err(RecordingError::Damaged(recording.frames)),
            }
            if recording.messages.len() >= MESSAGES {
                recording.incomplete = true;
                return Ok(recording);
            }
        }
    }

    fn block(&mut self, block: &PcapBlockOwned<'_>, links: &mut Vec<Link>) -> Result<(), RecordingError> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                // the upper bits say whether frames end with a checksum
                links.push(Link { kind: Linktype(header.network.0 & 0xffff), resolution, offset: 0 });
            }
            PcapBlockOwned::Legacy(frame) => {
                let Some(link) = links.first() else { return Ok(()) };
                let time = moment(frame.ts_sec, frame.ts_usec, link.resolution);
                let whole = frame.origlen <= frame.caplen;
                self.frame(link.kind, time, frame.data, whole)?;
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => links.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) if links.len() < INTERFACES => {
                let resolution = interface.ts_resolution().unwrap_or(1_000_000);
                let offset = u64::try_from(interface.ts_offset()).unwrap_or(0);
                links.push(Link { kind: interface.linktype, resolution, offset });
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(frame)) => {
                let place = usize::try_from(frame.if_id).unwrap_or(usize::MAX);
                let Some(link) = links.get(place).copied() else { return Ok(()) };
                let (seconds, units) = frame.decode_ts(link.offset, link.resolution.max(1));
                let time = moment(seconds, units, link.resolution);
                self.frame(link.kind, time, frame.packet_data(), frame.origlen <= frame.caplen)?;
            }
            PcapBlockOwned::NG(Block::SimplePacket(frame)) => {
                let Some(link) = links.first().copied() else { return Ok(()) };
                let data = frame.packet_data();
                let whole = usize::try_from(frame.origlen).is_ok_and(|length| length <= data.len());
                self.frame(link.kind, Duration::ZERO, data, whole)?;
            }
            PcapBlockOwned::NG(_) => {}
        }
        Ok(())
    }

    fn frame(
        &mut self,
        kind: Linktype,
        time: Duration,
        frame: &[u8],
        whole: bool,
    ) -> Result<(), RecordingError> {
        self.frames += 1;
        let Some(packet) = packet(kind, frame)? else { return Ok(()) };
        match Ipv4::parse(packet) {
            Some(packet) => self.packet(time, &packet),
            // the header announces more than was recorded
            None if !whole => self.cut += 1,
            None => {}
        }
        Ok(())
    }

    fn packet(&mut self, time: Duration, packet: &Ipv4<'_>) {
        let pair = (packet.source(), packet.destination());
        if packet.protocol() == protocol::ESP && !packet.later_fragment() {
            return self.esp(pair);
        }
        if packet.protocol() != protocol::UDP {
            return;
        }
        if packet.later_fragment() {
            self.fragments += 1;
            return;
        }
        let Some(([a, b, c, d, e, f, _, _], rest)) = packet.payload().split_first_chunk::<8>() else {
            return;
        };
        let ports = [u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])];
        let length = usize::from(u16::from_be_bytes([*e, *f])).saturating_sub(8);
        let natt = ports.contains(&NATT_PORT);
        if !natt && !ports.contains(&ISAKMP_PORT) {
            return;
        }
        let Some(payload) = rest.get(..length) else {
            self.fragments += 1;
            return;
        };
        let message = match natt {
            true => payload.strip_prefix(&[0; 4]),
            false => Some(payload),
        };
        match message {
            Some(bytes) => self.messages.push(Message {
                time,
                source: SocketAddrV4::new(pair.0, ports[0]),
                destination: SocketAddrV4::new(pair.1, ports[1]),
                bytes: bytes.to_vec(),
            }),
            // one byte is a NAT keepalive
            None if payload.len() > 8 => self.esp(pair),
            None => {}
        }
    }

    fn esp(&mut self, pair: (Ipv4Addr, Ipv4Addr)) {
        if self.esp.len() < PAIRS || self.esp.contains_key(&pair) {
            *self.esp.entry(pair).or_default() += 1;
        }
    }
}

/// A time in seconds and units, with this many units per second.
fn moment(seconds: u32, units: u32, resolution: u64) -> Duration {
    let nanoseconds = u64::from(units).saturating_mul(1_000_000_000).checked_div(resolution).unwrap_or(0);
    Duration::from_secs(seconds.into()).saturating_add(Duration::from_nanos(nanoseconds))
}

/// The IPv4 packet of a frame, if it has one.
fn packet(kind: Linktype, frame: &[u8]) -> Result<Option<&[u8]>, RecordingError> {
    Ok(match kind {
        Linktype::ETHERNET => frame.get(12..).and_then(behind_ether_type),
        Linktype::LINUX_SLL => frame.get(14..).and_then(behind_ether_type),
        Linktype::LINUX_SLL2 => {
            let is_ipv4 = frame.starts_with(&IPV4.to_be_bytes());
            frame.get(20..).filter(|_| is_ipv4)
        }
        Linktype::NULL | Linktype::LOOP => frame.get(4..),
        Linktype::RAW | Linktype::IPV4 => Some(frame),
        // what some systems write for raw IP
        Linktype(12 | 14) => Some(frame),
        Linktype(other) => return Err(RecordingError::LinkType(other)),
    })
}

/// What follows the EtherType, after any VLAN tags.
fn behind_ether_type(mut rest: &[u8]) -> Option<&[u8]> {
    // two tags are the most there are
    for _ in 0..3 {
        let (kind, behind) = rest.split_first_chunk::<2>()?;
        match u16::from_be_bytes(*kind) {
            IPV4 => return Some(behind),
            tag if VLAN.contains(&tag) => rest = behind.get(2..)?,
            _ => return None,
        }
    }
    None
}
