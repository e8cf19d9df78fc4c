//! The IPsec content of a packet capture: IKE messages, and how many ESP packets went each way by
//! their SPIs. Reads pcap and pcapng files of tcpdump and Wireshark.

use super::capture_fragments::{Datagram, Fragments, Joined, Piece};
use super::capture_link::{Unsupported, packet};
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
/// ESP SAs whose packets are counted.
const FLOWS: usize = 10_000;
/// Interfaces of a pcapng file.
const INTERFACES: usize = 4096;
/// Bytes of the reader's buffer; no frame is longer (tcpdump truncates at 262,144 bytes).
const BUFFER: usize = 1 << 19;

/// An IKE message of the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The number of the frame that had it, or its last fragment.
    pub(super) frame: u64,
    /// When it was recorded, since 1970.
    pub(super) time: Duration,
    pub(super) source: SocketAddrV4,
    pub(super) destination: SocketAddrV4,
    /// Without the non-ESP marker.
    pub(super) bytes: Vec<u8>,
    pub(super) part: Part,
}

/// How much of a message is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// An IP fragment of it is missing; what is there is its beginning.
    Fragment,
    /// It was truncated when it was recorded (`tcpdump -s`).
    Cut,
}

/// The packets of one ESP SA. Ports are 0 where ESP is not in UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EspFlow {
    pub(super) source: SocketAddrV4,
    pub(super) destination: SocketAddrV4,
    pub(super) spi: u32,
}

/// How many packets there were, and the frame of the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packets {
    pub(super) first: u64,
    pub(super) count: u64,
}

/// A capture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(super) messages: Vec<Message>,
    /// ESP packets, native and in UDP 4500.
    pub(super) esp: BTreeMap<EspFlow, Packets>,
    /// Frames of every kind.
    pub(super) frames: u64,
    /// UDP datagrams of which there are IP fragments, but not the first one.
    pub(super) headless: u64,
    /// UDP datagrams whose fragments overlap.
    pub(super) overlaps: u64,
    fragments: Fragments,
    /// IKE messages that were cut short when they were recorded (`tcpdump -s`), and packets of
    /// which not even the headers are there.
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
    #[error("frames of link type {0} are not supported; Ethernet, Linux cooked, PPP and raw IP are")]
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
        let mut recording = Self::default();
        recording.fill(file)?;
        let rest: Vec<_> = recording.fragments.rest().collect();
        for datagram in &rest {
            recording.given_up(datagram);
        }
        // what was given up is noted late
        recording.messages.sort_by_key(|message| message.frame);
        Ok(recording)
    }

    fn fill(&mut self, file: impl Read + Send) -> Result<(), RecordingError> {
        let mut reader = create_reader(BUFFER, file).map_err(|_| RecordingError::NoCapture)?;
        let mut links: Vec<Link> = Vec::new();
        loop {
            let exhausted = reader.reader_exhausted();
            match reader.next() {
                Ok((used, block)) => {
                    self.block(&block, &mut links)?;
                    drop(block);
                    reader.consume(used);
                }
                Err(PcapError::Incomplete(_)) if !exhausted => {
                    reader.refill().map_err(|error| match error {
                        PcapError::ReadError => RecordingError::Read("the file cannot be read".into()),
                        _ => RecordingError::Damaged(self.frames),
                    })?;
                }
                Err(PcapError::Eof) => return Ok(()),
                // a capture that was copied while it was written
                Err(PcapError::Incomplete(_) | PcapError::UnexpectedEof) => {
                    self.incomplete = true;
                    return Ok(());
                }
                Err(_) if self.frames == 0 => return Err(RecordingError::NoCapture),
                Err(_) => return Err(RecordingError::Damaged(self.frames)),
            }
            if self.messages.len() >= MESSAGES {
                self.incomplete = true;
                return Ok(());
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
        let found = packet(kind, frame).map_err(|Unsupported(kind)| RecordingError::LinkType(kind))?;
        let Some(packet) = found else { return Ok(()) };
        match Ipv4::parse(packet) {
            Some(packet) => self.packet(time, &packet, false),
            // the header announces more than was recorded
            None if !whole => match Ipv4::parse_start(packet) {
                Some(packet) => self.packet(time, &packet, true),
                None => self.cut += 1,
            },
            None => {}
        }
        Ok(())
    }

    fn packet(&mut self, time: Duration, packet: &Ipv4<'_>, cut: bool) {
        let frame = self.frames;
        let between = [packet.source(), packet.destination()];
        match packet.protocol() {
            protocol::ESP if !packet.later_fragment() => {
                let [source, destination] = between.map(|address| SocketAddrV4::new(address, 0));
                self.esp(source, destination, packet.payload());
            }
            protocol::UDP => match Piece::of(packet, cut) {
                None => {
                    let part = if cut { Part::Cut } else { Part::Whole };
                    self.datagram(time, frame, between, packet.payload(), part);
                }
                Some(piece) => match self.fragments.take(time, frame, &piece) {
                    Joined::Waiting => {}
                    Joined::Whole(datagram) => {
                        let part = if datagram.cut { Part::Cut } else { Part::Whole };
                        self.datagram(time, frame, between, &datagram.beginning(), part);
                    }
                    Joined::GivenUp(datagram) => self.given_up(&datagram),
                },
            },
            _ => {}
        }
    }

    /// A datagram whose other fragments never came.
    fn given_up(&mut self, datagram: &Datagram) {
        let beginning = datagram.beginning();
        if datagram.overlaps {
            self.overlaps += 1;
        } else if beginning.is_empty() {
            self.headless += 1;
        } else {
            let part = if datagram.cut { Part::Cut } else { Part::Fragment };
            let between = [datagram.source(), datagram.destination()];
            self.datagram(datagram.time, datagram.frame, between, &beginning, part);
        }
    }

    fn datagram(&mut self, time: Duration, frame: u64, between: [Ipv4Addr; 2], bytes: &[u8], part: Part) {
        let Some(([a, b, c, d, e, f, _, _], rest)) = bytes.split_first_chunk::<8>() else {
            self.cut += u64::from(part == Part::Cut);
            return;
        };
        let ports = [u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d])];
        let length = usize::from(u16::from_be_bytes([*e, *f])).saturating_sub(8);
        let natt = ports.contains(&NATT_PORT);
        if !natt && !ports.contains(&ISAKMP_PORT) {
            return;
        }
        let (payload, part) = match (rest.get(..length), part) {
            (Some(payload), _) => (payload, Part::Whole),
            // the lengths of IP and UDP contradict each other
            (None, Part::Whole) => (rest, Part::Cut),
            (None, part) => (rest, part),
        };
        let [from, to] = between;
        let [from_port, to_port] = ports;
        let (source, destination) = (SocketAddrV4::new(from, from_port), SocketAddrV4::new(to, to_port));
        let message = match natt {
            true => payload.strip_prefix(&[0; 4]),
            false => Some(payload),
        };
        match message {
            Some(bytes) => {
                self.cut += u64::from(part == Part::Cut);
                self.messages.push(Message { frame, time, source, destination, bytes: bytes.to_vec(), part });
            }
            // one byte is a NAT keepalive
            None if length > 8 => self.esp(source, destination, payload),
            None => {}
        }
    }

    fn esp(&mut self, source: SocketAddrV4, destination: SocketAddrV4, packet: &[u8]) {
        let Some(spi) = packet.first_chunk::<4>().map(|spi| u32::from_be_bytes(*spi)) else { return };
        let flow = EspFlow { source, destination, spi };
        let room = self.esp.len() < FLOWS;
        let first = self.frames;
        match self.esp.get_mut(&flow) {
            Some(packets) => packets.count += 1,
            None if room => {
                let _new = self.esp.insert(flow, Packets { first, count: 1 });
            }
            None => self.incomplete = true,
        }
    }
}

/// A time in seconds and units, with this many units per second.
fn moment(seconds: u32, units: u32, resolution: u64) -> Duration {
    let nanoseconds = u64::from(units).saturating_mul(1_000_000_000).checked_div(resolution).unwrap_or(0);
    Duration::from_secs(seconds.into()).saturating_add(Duration::from_nanos(nanoseconds))
}
