//! A world around one router, in which all that it lets out in clear is seen.
//!
//! ```text
//!  lan (a host on each inside card) ── router ── world (every outside card; answers ARP for everybody, and records)
//! ```
//!
//! The world keeps every address of the internet for its own, so that a next hop, a peer or a host is always there to send to:
//! what a router would send in clear does leave, and is recorded by tcpdump and read by tshark. Probes bear a mark in their
//! payload, so that they are known whatever was done to their headers.

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
use crate::survey::{Carries, Interface, Probe, Survey};
use crate::wait::secs;

/// What the payload of every probe starts with.
const MARK: &str = "hubward-probe-";

/// A public address that nothing protects: packets to it must be seen outside, or the test sees nothing.
pub const UNPROTECTED: Ipv4Addr = Ipv4Addr::new(198, 41, 0, 4);

/// The next hop of the inside host's routes where the configuration has no inside card.
const SPARE: &str = "169.254.77";

/// Where probes are sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A host behind an inside card.
    Lan,
    /// The router itself.
    Router,
}

/// A packet that was seen in clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Number in the capture.
    pub frame: u32,
    /// Which probe, by the number that [`Surroundings::send`] was given.
    pub probe: usize,
    /// The rest, for a person.
    pub text: String,
}

/// The router's namespace and what is around it.
#[derive(Debug)]
pub struct Surroundings {
    /// The router's own namespace.
    pub router: Ns,
    lan: Ns,
    /// The world outside.
    pub world: Ns,
    /// `(IOS name, Linux name, outside)` of each card.
    pub cards: Vec<(String, String, bool)>,
    /// The router's name of the link by which an unprotected packet would leave.
    way_out: String,
    /// The host's link, its router's address.
    inside: (String, Ipv4Addr),
    tcpdump: Proc,
    file: PathBuf,
}

impl Surroundings {
    /// Cables each card of the configuration, in its order: `eth0`, `eth1`, …; outside cards to the world, inside cards to the
    /// host. Where there is none of a kind, the machine has a further card that the configuration does not know.
    pub fn build(lab: &Lab, survey: &Survey) -> Result<Self> {
        let (router, lan, world) = (lab.ns("router")?, lab.ns("lan")?, lab.ns("world")?);
        world.run(&[
            "sysctl",
            "-qw",
            "net.ipv4.conf.all.accept_local=1",
            "net.ipv4.conf.default.accept_local=1",
            "net.ipv4.icmp_ratelimit=0",
        ])?;
        let mut cards = Vec::new();
        let mut host = None;
        for (number, card) in survey.cards().into_iter().enumerate() {
            let name = format!("eth{number}");
            let outside = survey.is_outside(card);
            let there = if outside { &world } else { &lan };
            router.cable(&name, there, &name)?;
            if outside {
                join_outside(&world, &name, card, survey)?;
            } else if let Some((own, wildcard)) = card.addresses.first().copied() {
                let neighbour = (100..250)
                    .map(|salt| Ipv4Addr::from((u32::from(own) & !wildcard) | (salt & wildcard)))
                    .find(|a| !survey.own(*a))
                    .context("no address for a host of the inside network")?;
                lan.address(&name, &format!("{neighbour}/{}", wildcard.leading_zeros()))?;
                // one inside host, on the first inside network: a probe bears whatever source it needs
                if host.is_none() {
                    lan.default_route(own)?;
                    host = Some((name.clone(), own));
                }
            }
            cards.push((card.name.clone(), name, outside));
        }
        let way_out = match cards.iter().find(|(_, _, outside)| *outside) {
            Some((_, name, _)) => name.clone(),
            None => {
                router.cable("uplink", &world, "uplink")?;
                world.address("uplink", "192.0.2.201/30")?;
                router.address("uplink", "192.0.2.202/30")?;
                "uplink".to_owned()
            }
        };
        let inside = match host {
            Some(host) => host,
            None => {
                router.cable("spare", &lan, "spare")?;
                router.address("spare", &format!("{SPARE}.1/24"))?;
                lan.address("spare", &format!("{SPARE}.2/24"))?;
                let own = Ipv4Addr::new(169, 254, 77, 1);
                lan.default_route(own)?;
                ("spare".to_owned(), own)
            }
        };
        // after the addresses: what is not in a network of a card is the world's own
        world.ip("route add local default dev lo table main")?;

        let file = lab.dir().join("world.pcap");
        let mut command = world.command("tcpdump");
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
        let mut tcpdump = lab.spawn("tcpdump", command.arg(&file))?;
        tcpdump.wait_log("listening on", secs(20))?;
        Ok(Self { router, lan, world, cards, way_out, inside, tcpdump, file })
    }

    /// Gives the router a default route by its outside card where its configuration has none, so that what is not held does leave.
    /// Says whether there is a default route that leads anywhere.
    pub fn let_leak(&self) -> Result<bool> {
        let now = self.router.ip("route show default")?;
        if now.trim().is_empty() {
            self.router.ip(&format!("route add default dev {} metric 4000", self.way_out))?;
            return Ok(true);
        }
        Ok(!now.lines().any(|line| line.starts_with("unreachable") || line.starts_with("blackhole")))
    }

    /// Sends one packet for each probe, one millisecond apart; `number` of the first, the others follow.
    pub fn send(&self, from: Place, survey: &Survey, probes: &[Probe], number: usize) -> Result<()> {
        let default = self.inside_source(survey)?;
        let mut packets = Vec::new();
        for (at, probe) in probes.iter().enumerate() {
            let source = match (from, probe.source) {
                // a packet from outside that bears an address of the router itself is refused before anything else looks at it
                (Place::Lan, Some(source)) if survey.own(source) => continue,
                (_, Some(source)) => source,
                (Place::Lan, None) => default,
                // the kernel fills in its own
                (Place::Router, None) => Ipv4Addr::UNSPECIFIED,
            };
            packets.push(packet(source, probe.destination, probe.carries, number + at));
        }
        let ns = if from == Place::Lan { &self.lan } else { &self.router };
        let link = (from == Place::Lan).then_some(self.inside.0.as_str());
        inside(ns, || {
            // protocol 255 is IPPROTO_RAW: the header is ours
            let socket =
                Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).context("raw socket")?;
            if let Some(link) = link {
                socket.bind_device(Some(link.as_bytes())).context("bind to a link")?;
            }
            for (to, bytes) in &packets {
                // a route that is unreachable is an answer, not a failure
                let _ = socket.send_to(bytes, &SocketAddrV4::new(*to, 0).into());
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            Ok(())
        })
    }

    /// An address of the inside network that is nobody's.
    fn inside_source(&self, survey: &Survey) -> Result<Ipv4Addr> {
        let (_, router) = self.inside;
        (60..250)
            .map(|host| {
                let [a, b, c, _] = router.octets();
                Ipv4Addr::new(a, b, c, host)
            })
            .find(|a| !survey.own(*a) && *a != router)
            .context("no address for an inside host")
    }

    /// A packet that nothing protects, from the inside host where the configuration leaves that in clear, else from the router.
    pub fn unprotected(&self, survey: &Survey) -> Result<Vec<(Place, Probe)>> {
        let source = self.inside_source(survey)?;
        let probe = Probe {
            why: "nothing: it has to be seen".into(),
            source: None,
            destination: UNPROTECTED,
            carries: Carries::Udp(40_077),
        };
        let mut all = vec![(Place::Router, probe.clone())];
        if !survey.is_protected(source, UNPROTECTED) {
            all.push((Place::Lan, probe));
        }
        Ok(all)
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
        let marks = marks(&bytes);
        let mut seen = Vec::new();
        for line in out.lines().filter(|line| line.contains('|')) {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            // an error that quotes a probe tells its sender of it: unreachable, redirect, time exceeded, parameter problem
            if ["3", "5", "11", "12"].contains(&field(&fields, 4).split(',').next().unwrap_or("")) {
                continue;
            }
            let frame = fields.first().and_then(|f| f.parse().ok()).context("tshark's frame number")?;
            let probe = marks.iter().find(|(number, _)| *number == frame).map(|(_, probe)| *probe);
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

fn field<'a>(fields: &[&'a str], at: usize) -> &'a str {
    fields.get(at).copied().unwrap_or("")
}

/// The world's end of an outside card: the next hop's address, or another of the network; where the card's address comes by DHCP,
/// that of a provider.
fn join_outside(world: &Ns, link: &str, card: &Interface, survey: &Survey) -> Result<()> {
    if card.dhcp {
        return world.address(link, "203.0.113.1/24");
    }
    let Some((own, wildcard)) = card.addresses.first().copied() else { return Ok(()) };
    let in_network = |a: Ipv4Addr| u32::from(a) & !wildcard == u32::from(own) & !wildcard && a != own;
    let hop = survey.routes.iter().filter_map(|route| route.hop).find(|hop| in_network(*hop));
    let other = || {
        let at = |salt: u32| Ipv4Addr::from((u32::from(own) & !wildcard) | (salt & wildcard));
        [254, 1, 2, 3].map(at).into_iter().find(|a| *a != own && u32::from(*a) & wildcard != wildcard)
    };
    match hop.or_else(other) {
        Some(there) => world.address(link, &format!("{there}/{}", wildcard.leading_zeros())),
        None => Ok(()),
    }
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
        // GRE's header without options, RFC 2784; of ESP and AH, nobody looks further than at the protocol
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
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| {
        u32::from(pair.first().copied().unwrap_or(0)) << 8 | u32::from(pair.get(1).copied().unwrap_or(0))
    };
    let sum: u32 = bytes.chunks(2).map(word).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !(((folded & 0xffff) + (folded >> 16)) as u16)
}

/// The probe's number in each marked frame of a capture file (classic pcap, little-endian), by frame number.
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
