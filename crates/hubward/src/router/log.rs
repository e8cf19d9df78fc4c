//! `log` and `log-input` of access lists: the lines `%SEC-6-IPACCESSLOG…` of the packets that the
//! kernel reports. The first packet of a flow is told at once, those after it every five minutes as
//! a number.

use crate::router::rules::list::{LOG_GROUP, LoggedLine};
use hubward_linux::Error;
use hubward_linux::nflog::{Group, Packet};
use hubward_proto::time::Instant;
use hubward_proto::wire::ip::{Ipv4, protocol};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

/// What the prefix of a logging rule begins with; a space and the place of its
/// [`LoggedLine`] follow.
const PREFIX: &str = "hubward";
/// Bytes of a packet that are reported: the longest IP header, and the ports.
const RANGE: u32 = 128;
/// Flows that are known at a time. Further ones are counted only.
const MOST: usize = 4096;
/// How often further packets of a flow are told.
const INTERVAL: Duration = Duration::from_secs(300);
/// How often it is told at most that packets were not told.
const MISSED: Duration = Duration::from_secs(60);

/// A message of the facility SEC, severity 6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// `IPACCESSLOGP`
    pub(crate) mnemonic: &'static str,
    /// `list DMZ-IN denied tcp …`
    pub(crate) text: String,
}

impl Said {
    /// The whole line, as the log takes it.
    pub(crate) fn line(&self) -> String {
        format!("%SEC-6-{}: {}", self.mnemonic, self.text)
    }
}

/// What is told of packets that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Flow {
    list: String,
    permit: bool,
    /// ` (GigabitEthernet0/0 0011.2233.4455)`, of `log-input` only.
    came_by: String,
    what: What,
}

/// What is told of the packet itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum What {
    /// Of a standard list.
    Source(Ipv4Addr),
    /// TCP and UDP; the ports of later fragments are 0.
    Ports { name: &'static str, source: (Ipv4Addr, u16), destination: (Ipv4Addr, u16) },
    /// Type and code.
    Icmp { source: Ipv4Addr, destination: Ipv4Addr, kind: u8, code: u8 },
    /// Another protocol.
    Other { protocol: u8, source: Ipv4Addr, destination: Ipv4Addr },
}

/// Further packets of a flow.
#[derive(Clone, Copy, Debug)]
struct Further {
    packets: u64,
    /// When they are told, and the flow is forgotten if there were none.
    due: Instant,
}

/// The packets that were reported lately.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// What the numbers in the prefixes mean.
    lines: Vec<LoggedLine>,
    flows: HashMap<Flow, Further>,
    /// Packets that are told by no line.
    missed: u64,
    /// When that was told.
    missed_told: Option<Instant>,
}

impl Recorder {
    /// The rules were replaced: what the numbers mean from now on.
    pub(crate) fn follow(&mut self, lines: Vec<LoggedLine>) {
        self.lines = lines;
    }

    /// A packet that the kernel reported; `name` gives the configuration's name of an interface.
    /// What is told at once.
    pub(crate) fn packet(
        &mut self,
        packet: &Packet,
        name: impl Fn(u32) -> Option<String>,
        now: Instant,
    ) -> Option<Said> {
        let line = packet.prefix.strip_prefix(PREFIX)?.trim().parse().ok();
        let line: &LoggedLine = line.and_then(|place: usize| self.lines.get(place))?;
        let view = Ipv4::parse_start(&packet.bytes)?;
        let came_by = if line.input { came_by(packet, name) } else { String::new() };
        let flow =
            Flow { list: line.list.clone(), permit: line.permit, came_by, what: what(&view, line.standard) };
        if let Some(further) = self.flows.get_mut(&flow) {
            further.packets += 1;
            return None;
        }
        if self.flows.len() >= MOST {
            self.missed(1);
            return None;
        }
        let said = flow.said(1);
        self.flows.insert(flow, Further { packets: 0, due: now + INTERVAL });
        Some(said)
    }

    /// Packets were reported faster than they were read.
    pub(crate) fn missed(&mut self, packets: u64) {
        self.missed = self.missed.saturating_add(packets);
    }

    /// Periodic work, once a second: what is told now.
    pub(crate) fn every_second(&mut self, now: Instant) -> Vec<Said> {
        let mut said = Vec::new();
        self.flows.retain(|flow, further| {
            if further.due > now {
                return true;
            }
            let packets = std::mem::take(&mut further.packets);
            further.due = now + INTERVAL;
            if packets > 0 {
                said.push(flow.said(packets));
            }
            packets > 0
        });
        // a table of hashes has no order; the log has one
        said.sort_by(|a, b| a.text.cmp(&b.text));
        if self.missed > 0 && self.missed_told.is_none_or(|told| told + MISSED <= now) {
            let missed = std::mem::take(&mut self.missed);
            self.missed_told = Some(now);
            let text = format!("access-list logging rate-limited or missed {missed} {}", packets(missed));
            said.push(Said { mnemonic: "IPACCESSLOGRL", text });
        }
        said
    }
}

/// What a gateway does with the packets that its rules report.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Where they come from; `None`: no line logs, or the kernel gives none.
    group: Option<Group>,
    recorder: Recorder,
    /// Why there is no group, as it was last told.
    why: Option<String>,
}

impl Journal {
    /// The rules were replaced, and log these lines. Read what the kernel has reported before they
    /// are loaded.
    pub(crate) fn follow(&mut self, lines: Vec<LoggedLine>) {
        if lines.is_empty() {
            self.group = None;
        }
        self.recorder.follow(lines);
        if self.group.is_none() && !self.recorder.lines.is_empty() {
            self.open();
        }
    }

    /// Takes what the kernel has reported, as often as the gateway has time; what is told at once.
    pub(crate) fn read(&mut self, name: impl Fn(u32) -> Option<String>, now: Instant) -> Vec<Said> {
        let Some(group) = &mut self.group else { return Vec::new() };
        let packets = group.read().unwrap_or_else(|error| {
            tracing::debug!("{error}");
            Vec::new()
        });
        self.recorder.missed(group.missed());
        packets.iter().filter_map(|packet| self.recorder.packet(packet, &name, now)).collect()
    }

    /// Periodic work, once a second: what is told of packets that were not told at once.
    pub(crate) fn every_second(&mut self, now: Instant) -> Vec<Said> {
        if self.group.is_none() && !self.recorder.lines.is_empty() {
            self.open();
        }
        self.recorder.every_second(now)
    }

    fn open(&mut self) {
        match Group::open(LOG_GROUP, RANGE) {
            Ok(group) => (self.group, self.why) = (Some(group), None),
            Err(error) => self.cannot(&error),
        }
    }

    /// The lists filter without it; it is told once, and tried again.
    fn cannot(&mut self, error: &Error) {
        let why = error.to_string();
        if self.why.as_ref() != Some(&why) {
            tracing::warn!("what access lists log is not told: {why}");
        }
        self.why = Some(why);
    }
}

impl Flow {
    fn said(&self, count: u64) -> Said {
        let (list, came_by, packets) = (&self.list, &self.came_by, packets(count));
        let action = if self.permit { "permitted" } else { "denied" };
        let start = format!("list {list} {action}");
        let (mnemonic, text) = match self.what {
            What::Source(source) => ("IPACCESSLOGS", format!("{start} {source}{came_by} {count} {packets}")),
            What::Ports { name, source: (from, port), destination: (to, to_port) } => (
                "IPACCESSLOGP",
                format!("{start} {name} {from}({port}){came_by} -> {to}({to_port}), {count} {packets}"),
            ),
            What::Icmp { source, destination, kind, code } => (
                "IPACCESSLOGDP",
                format!("{start} icmp {source}{came_by} -> {destination} ({kind}/{code}), {count} {packets}"),
            ),
            What::Other { protocol, source, destination } => {
                // protocols that IOS knows by name have a message of their own
                let named = NAMED.iter().find(|(number, _)| *number == protocol);
                let (mnemonic, protocol) = match named {
                    Some((_, name)) => ("IPACCESSLOGRP", (*name).to_owned()),
                    None => ("IPACCESSLOGNP", protocol.to_string()),
                };
                (
                    mnemonic,
                    format!("{start} {protocol} {source}{came_by} -> {destination}, {count} {packets}"),
                )
            }
        };
        Said { mnemonic, text }
    }
}

/// Protocols without ports that are told by name.
const NAMED: [(u8, &str); 7] =
    [(2, "igmp"), (4, "ipinip"), (47, "gre"), (88, "eigrp"), (89, "ospf"), (94, "nos"), (103, "pim")];

fn packets(count: u64) -> &'static str {
    if count == 1 { "packet" } else { "packets" }
}

fn what(view: &Ipv4<'_>, standard: bool) -> What {
    let (source, destination, flow) = (view.source(), view.destination(), view.flow());
    if standard {
        return What::Source(source);
    }
    let ports = |name| What::Ports {
        name,
        source: (source, flow.source_port.unwrap_or(0)),
        destination: (destination, flow.destination_port.unwrap_or(0)),
    };
    match view.protocol() {
        protocol::TCP => ports("tcp"),
        protocol::UDP => ports("udp"),
        protocol::ICMP => {
            let (kind, code) = view.icmp().unwrap_or((0, 0));
            What::Icmp { source, destination, kind, code }
        }
        protocol => What::Other { protocol, source, destination },
    }
}

/// Where a packet came from, for `log-input`: a link without hardware addresses has a space there.
fn came_by(packet: &Packet, name: impl Fn(u32) -> Option<String>) -> String {
    let Some(interface) = packet.input.and_then(name) else { return String::new() };
    let mut text = format!(" ({interface} ");
    for (place, byte) in packet.source.iter().flatten().enumerate() {
        let dot = if place > 0 && place % 2 == 0 { "." } else { "" };
        // writing into a text does not fail
        let _ = write!(text, "{dot}{byte:02x}");
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::wire::ip::header;

    const FROM: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 20);
    const TO: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 10);

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn recorder() -> Recorder {
        let line =
            |list: &str, standard, permit, input| LoggedLine { list: list.into(), standard, permit, input };
        let mut recorder = Recorder::default();
        recorder.follow(vec![
            line("DMZ-IN", false, false, false),
            line("101", false, true, true),
            line("10", true, false, false),
        ]);
        recorder
    }

    fn packet(place: usize, protocol: u8, payload: &[u8]) -> Packet {
        // the kernel reports the first bytes of a longer packet
        let mut bytes = header(FROM, TO, protocol, 0, 1000).to_vec();
        bytes.extend(payload);
        let source = Some([0, 0x11, 0x22, 0x33, 0x44, 0x55]);
        Packet { prefix: format!("hubward {place}"), bytes, input: Some(3), output: None, source }
    }

    fn tcp(place: usize, from: u16, to: u16) -> Packet {
        packet(place, 6, &[from.to_be_bytes(), to.to_be_bytes()].concat())
    }

    fn name(index: u32) -> Option<String> {
        (index == 3).then(|| "GigabitEthernet0/0".to_owned())
    }

    fn told(recorder: &mut Recorder, packet: &Packet) -> Option<String> {
        recorder.packet(packet, name, at(0)).map(|said| said.line())
    }

    #[test]
    fn each_kind_of_packet_has_the_line_of_ios() {
        let mut recorder = recorder();
        let mut told = |packet| told(&mut recorder, &packet).unwrap();
        let told_of_tcp =
            "%SEC-6-IPACCESSLOGP: list DMZ-IN denied tcp 172.16.10.20(1234) -> 10.1.1.10(80), 1 packet";
        assert_eq!(told(tcp(0, 1234, 80)), told_of_tcp);
        assert_eq!(
            told(packet(1, 17, &[0, 53, 0, 7])),
            "%SEC-6-IPACCESSLOGP: list 101 permitted udp 172.16.10.20(53) (GigabitEthernet0/0 0011.2233.4455) -> 10.1.1.10(7), 1 packet"
        );
        assert_eq!(
            told(packet(0, 1, &[8, 0])),
            "%SEC-6-IPACCESSLOGDP: list DMZ-IN denied icmp 172.16.10.20 -> 10.1.1.10 (8/0), 1 packet"
        );
        assert_eq!(
            told(packet(0, 50, &[])),
            "%SEC-6-IPACCESSLOGNP: list DMZ-IN denied 50 172.16.10.20 -> 10.1.1.10, 1 packet"
        );
        assert_eq!(
            told(packet(0, 2, &[])),
            "%SEC-6-IPACCESSLOGRP: list DMZ-IN denied igmp 172.16.10.20 -> 10.1.1.10, 1 packet"
        );
        assert_eq!(told(tcp(2, 1, 2)), "%SEC-6-IPACCESSLOGS: list 10 denied 172.16.10.20 1 packet");
        // a link without hardware addresses, an interface that the configuration does not name
        let mut bare = packet(1, 1, &[3, 1]);
        bare.source = None;
        assert_eq!(
            told(bare.clone()),
            "%SEC-6-IPACCESSLOGDP: list 101 permitted icmp 172.16.10.20 (GigabitEthernet0/0 ) -> 10.1.1.10 (3/1), 1 packet"
        );
        bare.input = Some(4);
        assert_eq!(
            told(bare),
            "%SEC-6-IPACCESSLOGDP: list 101 permitted icmp 172.16.10.20 -> 10.1.1.10 (3/1), 1 packet"
        );
        let mut fragment = tcp(0, 1234, 80);
        fragment.bytes[7] = 9;
        assert_eq!(
            told(fragment),
            "%SEC-6-IPACCESSLOGP: list DMZ-IN denied tcp 172.16.10.20(0) -> 10.1.1.10(0), 1 packet"
        );
    }

    #[test]
    fn what_is_not_ours_is_not_told() {
        let mut recorder = recorder();
        for prefix in ["hubward 3", "hubward", "hubward x", "other 0", "", "hubward -1"] {
            let packet = Packet { prefix: prefix.into(), ..tcp(0, 1, 2) };
            assert_eq!(told(&mut recorder, &packet), None, "{prefix}");
        }
        for length in 0..20 {
            let mut packet = tcp(0, 1, 2);
            packet.bytes.truncate(length);
            assert_eq!(told(&mut recorder, &packet), None, "{length}");
        }
        // after a change the same number is another line
        recorder.follow(vec![LoggedLine { list: "NEW".into(), standard: false, permit: true, input: false }]);
        assert!(told(&mut recorder, &tcp(0, 1, 2)).unwrap().contains("list NEW permitted"));
        assert_eq!(told(&mut recorder, &tcp(1, 1, 2)), None);
    }

    #[test]
    fn further_packets_of_a_flow_are_told_every_five_minutes() {
        let mut recorder = recorder();
        assert!(told(&mut recorder, &tcp(0, 1234, 80)).is_some());
        for _ in 0..7 {
            assert_eq!(told(&mut recorder, &tcp(0, 1234, 80)), None);
        }
        assert!(told(&mut recorder, &tcp(0, 1235, 80)).is_some(), "another flow");
        assert_eq!(recorder.every_second(at(299)), []);
        let said: Vec<_> = recorder.every_second(at(300)).iter().map(Said::line).collect();
        assert_eq!(
            said,
            ["%SEC-6-IPACCESSLOGP: list DMZ-IN denied tcp 172.16.10.20(1234) -> 10.1.1.10(80), 7 packets"]
        );
        // the one that was silent is forgotten, and its next packet is a first one
        assert!(told(&mut recorder, &tcp(0, 1235, 80)).is_some());
        assert_eq!(told(&mut recorder, &tcp(0, 1234, 80)), None);
        assert!(recorder.every_second(at(600))[0].text.ends_with("(80), 1 packet"));
        assert_eq!(recorder.every_second(at(900)), []);
        assert!(told(&mut recorder, &tcp(0, 1234, 80)).is_some());
    }

    #[test]
    fn a_flood_of_flows_is_bounded_and_said() {
        let mut recorder = recorder();
        let said = (0..10_000).filter(|port| told(&mut recorder, &tcp(0, *port, 80)).is_some()).count();
        assert_eq!((said, recorder.flows.len()), (MOST, MOST));
        // one that is known is still counted
        assert_eq!(told(&mut recorder, &tcp(0, 0, 80)), None);
        recorder.missed(96);
        let said: Vec<_> = recorder.every_second(at(1)).iter().map(Said::line).collect();
        assert_eq!(said, ["%SEC-6-IPACCESSLOGRL: access-list logging rate-limited or missed 6000 packets"]);
        recorder.missed(1);
        assert_eq!(recorder.every_second(at(60)), []);
        let said: Vec<_> = recorder.every_second(at(61)).iter().map(Said::line).collect();
        assert_eq!(said, ["%SEC-6-IPACCESSLOGRL: access-list logging rate-limited or missed 1 packet"]);
        let said = recorder.every_second(at(400));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(recorder.flows.len() == 1 && told(&mut recorder, &tcp(0, 9999, 80)).is_some());
    }
}
