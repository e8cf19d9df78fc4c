//! Packets that are known again wherever they are seen, and a recorder that sees them.
//!
//! A probe has a mark and a number in its payload, so that it is found whatever was done to its
//! headers: translated, or encapsulated, but not encrypted. Claims about cleartext rest on what
//! tshark finds in tcpdump's recording.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use socket2::{Domain, Protocol, Socket, Type};

use crate::inject::inside;
use crate::lab::Lab;
use crate::net::Ns;
use crate::process::{self, Proc};
use crate::survey::{Carries, Probe};
use crate::wait::secs;

/// What the payload of every probe starts with.
const MARK: &str = "hubward-probe-";

/// A packet that was seen unencrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Number in the capture.
    pub frame: u32,
    /// Which probe, by the number in its payload.
    pub probe: usize,
    /// Addresses and protocol, for a person.
    pub text: String,
}

/// A running recording of all that comes into a namespace.
#[derive(Debug)]
pub struct Recorder {
    tcpdump: Proc,
    file: PathBuf,
}

impl Recorder {
    /// Starts to record what arrives on every link, and waits until tcpdump listens.
    pub fn start(lab: &Lab, name: &str, ns: &Ns) -> Result<Self> {
        let file = lab.dir().join(format!("{name}.pcap"));
        let mut command = ns.command("tcpdump");
        command.args([
            "-U",
            "--immediate-mode",
            "-n",
            "-i",
            "any",
            "-Q",
            "in",
            "-s",
            "0",
            "-Z",
            "root",
            "-w",
        ]);
        let mut tcpdump = lab.spawn(&format!("tcpdump-{name}"), command.arg(&file))?;
        tcpdump.wait_log("listening on", secs(20))?;
        Ok(Self { tcpdump, file })
    }

    /// Ends the recording; tshark reads what is marked.
    pub fn finish(mut self) -> Result<Vec<Seen>> {
        // frames of the last moment are still in the kernel's ring
        std::thread::sleep(std::time::Duration::from_millis(300));
        self.tcpdump.signal(Signal::INT)?;
        self.tcpdump.wait_exit(secs(10))?;
        let mut command = Command::new("tshark");
        let filter = format!("frame contains \"{MARK}\"");
        command.args(["-n", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", "-Y", &filter]);
        for field in ["frame.number", "ip.src", "ip.dst", "ip.proto", "icmp.type", "frame.len"] {
            command.args(["-e", field]);
        }
        command.arg("-r").arg(&self.file);
        let (status, out, err) = process::output(&mut command, secs(90))?;
        if !status.success() {
            bail!("tshark: {status}: {err}");
        }
        let bytes = std::fs::read(&self.file)?;
        let marks: BTreeMap<u32, usize> = marks(&bytes).into_iter().collect();
        let mut seen = Vec::new();
        for line in out.lines().filter(|line| line.contains('|')) {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            // an error that quotes a probe notifies its sender: unreachable, redirect, time
            // exceeded, parameter problem
            if ["3", "5", "11", "12"].contains(&field(&fields, 4).split(',').next().unwrap_or("")) {
                continue;
            }
            let frame = fields.first().and_then(|f| f.parse().ok()).context("tshark's frame number")?;
            let probe = marks.get(&frame).copied();
            let probe =
                probe.with_context(|| format!("tshark sees a mark in frame {frame}, and there is none"))?;
            let mut text = String::new();
            let _ = write!(
                text,
                "{} -> {}, protocol {}",
                field(&fields, 1),
                field(&fields, 2),
                field(&fields, 3)
            );
            seen.push(Seen { frame, probe, text });
        }
        Ok(seen)
    }
}

/// Whole IPv4 packets, ready to be sent.
#[derive(Debug, Default)]
pub struct Packets(Vec<(Ipv4Addr, Vec<u8>)>);

impl Packets {
    /// Adds the packet of a probe. Without a source, the kernel fills in the sender's own.
    pub fn add(&mut self, probe: &Probe, source: Option<Ipv4Addr>, number: usize) {
        let source = source.unwrap_or(Ipv4Addr::UNSPECIFIED);
        self.0.push(packet(source, probe.destination, probe.carries, number));
    }

    /// Sends them from a namespace, by one link if one is given, a millisecond apart.
    pub fn send(&self, ns: &Ns, link: Option<&str>) -> Result<()> {
        inside(ns, || {
            // protocol 255 is IPPROTO_RAW: the header is ours
            let socket =
                Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).context("raw socket")?;
            if let Some(link) = link {
                socket.bind_device(Some(link.as_bytes())).context("bind to a link")?;
            }
            for (to, bytes) in &self.0 {
                // a route that is unreachable is an answer, not a failure
                let _ = socket.send_to(bytes, &SocketAddrV4::new(*to, 0).into());
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            Ok(())
        })
    }
}

fn field<'a>(fields: &[&'a str], at: usize) -> &'a str {
    fields.get(at).copied().unwrap_or("")
}

/// A UDP datagram with its IPv4 header; the payload says which probe it is.
pub fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), number: usize) -> Vec<u8> {
    let (_, mut packet) = packet(from.0, to.0, Carries::Udp(to.1), number);
    packet.splice(20..22, from.1.to_be_bytes());
    packet
}

/// An IPv4 packet; the payload says which probe it is.
fn packet(source: Ipv4Addr, to: Ipv4Addr, carries: Carries, number: usize) -> (Ipv4Addr, Vec<u8>) {
    let payload = format!("{MARK}{number:05}.");
    let (protocol, mut body) = match carries {
        Carries::Udp(port) => {
            let length = (8 + payload.len()) as u16;
            let mut header = 40_078u16.to_be_bytes().to_vec();
            header.extend(port.to_be_bytes());
            header.extend(length.to_be_bytes());
            // no checksum, RFC 768
            header.extend([0, 0]);
            (17, header)
        }
        Carries::Tcp(port) => {
            let mut header = 40_078u16.to_be_bytes().to_vec();
            header.extend(port.to_be_bytes());
            header.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0x20, 0, 0, 0, 0, 0]);
            (6, header)
        }
        Carries::Icmp => (1, vec![8, 0, 0, 0, 0x12, 0x34, 0, 1]),
        // GRE's header without options, RFC 2784; of ESP and AH, only the protocol is examined
        Carries::Other(protocol) => (protocol, vec![0, 0, 0x08, 0]),
    };
    body.extend(payload.as_bytes());
    if carries == Carries::Icmp {
        let sum = checksum(&body).to_be_bytes();
        body.splice(2..4, sum);
    }
    let mut packet = vec![0x45, 0];
    packet.extend(((20 + body.len()) as u16).to_be_bytes());
    packet.extend([0x48, 0x57, 0, 0, 64, protocol, 0, 0]);
    packet.extend(source.octets());
    packet.extend(to.octets());
    let sum = checksum(&packet).to_be_bytes();
    packet.splice(10..12, sum);
    packet.extend(body);
    (to, packet)
}

/// RFC 1071.
pub(crate) fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| {
        u32::from(pair.first().copied().unwrap_or(0)) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))
    };
    let sum: u32 = bytes.chunks(2).map(word).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !(((folded & 0xffff) + (folded >> 16)) as u16)
}

/// The probe's number in each marked frame of a capture file (classic pcap, little-endian), by
/// frame number.
fn marks(file: &[u8]) -> Vec<(u32, usize)> {
    let mut found = Vec::new();
    let mut rest = file.get(24..).unwrap_or_default();
    let mut number = 1;
    while let (Some(length), Some(body)) = (rest.get(8..12), rest.get(16..)) {
        let length = length.try_into().map(u32::from_le_bytes).unwrap_or(0) as usize;
        let Some(frame) = body.get(..length) else { break };
        if let Some(at) = frame.windows(MARK.len()).position(|w| w == MARK.as_bytes()) {
            let digits = frame.get(at + MARK.len()..at + MARK.len() + 5).unwrap_or_default();
            found.extend(std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).map(|p| (number, p)));
        }
        rest = body.get(length..).unwrap_or_default();
        number += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_bears_its_number_and_right_checksums() {
        let (to, bytes) = packet(Ipv4Addr::new(10, 1, 1, 7), Ipv4Addr::new(10, 2, 0, 1), Carries::Icmp, 42);
        assert_eq!(to, Ipv4Addr::new(10, 2, 0, 1));
        assert_eq!(checksum(&bytes[..20]), 0);
        assert_eq!(checksum(&bytes[20..]), 0);
        assert!(bytes.ends_with(b"hubward-probe-00042."));
    }

    #[test]
    fn marks_are_found_in_a_capture() {
        let mut file = vec![0; 24];
        for body in [&b"nothing"[..], b"xx hubward-probe-00007."] {
            file.extend([0; 8]);
            file.extend((body.len() as u32).to_le_bytes());
            file.extend((body.len() as u32).to_le_bytes());
            file.extend(body);
        }
        assert_eq!(marks(&file), [(2, 7)]);
    }
}
