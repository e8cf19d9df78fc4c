//! `why packet` against what happens: random configurations, random packets, and what was foretold
//! for each compared with what comes out at every interface.
//!
//! ```text
//!  lan, dmz ── router (Hubward) ── outside, where the end of the tunnel never answers
//! ```
//!
//! A configuration is a function of its random number, which a failure prints:
//! `HUBWARD_MODEL_SEED=N HUBWARD_MODEL=1` runs it alone. `HUBWARD_MODEL` is how many are tried.
//!
//! Left out is what a question cannot say: packets that come in by another interface than the
//! routes lead back to their source, fragments, and ICMP but echoes.

mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hubward_interop::hubward::Hubward;
use hubward_interop::inject::inside;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::wait::{self, secs};
use serde_json::Value;
use site::{PEER, POOL, Packet, Random, Side, configuration, neighbors, packets};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{Case, case};

pub(crate) const CASES: &[Case] =
    &[case("why_packet_foretells_what_happens", &[Need::Hubward, Need::Tool("conntrack")], configurations)];

/// Configurations, if nothing else is asked for, and packets for each.
const CONFIGURATIONS: u64 = 20;
const PACKETS: usize = 50;
const SEED: u64 = 0x4855_4257;
/// How long what was foretold may be under way, and how long something else may come after it.
const PATIENCE: Duration = secs(4);
const AFTERWARDS: Duration = Duration::from_millis(150);
/// Between packets.
const GAP: Duration = Duration::from_millis(1);

const ICMP: u8 = 1;
const TCP: u8 = 6;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

/// What stands behind all filters of what is for the router itself, and writes down the
/// identification of what gets there.
const WATCH: &str = "\
table ip watch {
  set seen {
    typeof ip id
    flags dynamic
    size 65535
  }
  chain input {
    type filter hook input priority 400
    update @seen { ip id }
  }
}
";

/// Nobody answers but the test.
const QUIET: &str = "\
table ip quiet {
  chain everything {
    type filter hook prerouting priority -400
    drop
  }
}
";

fn configurations(lab: &Lab) -> Result<()> {
    let asked = |name: &str| std::env::var(name).ok().and_then(|number| number.parse().ok());
    let seed = asked("HUBWARD_MODEL_SEED").unwrap_or(SEED);
    let count = asked("HUBWARD_MODEL").unwrap_or(CONFIGURATIONS);
    let net = Net::build(lab)?;
    let mut hubward: Option<Hubward> = None;
    let (mut wrong, mut tally) = (Vec::new(), Tally::default());
    for seed in seed..seed.saturating_add(count) {
        let mut random = Random(seed);
        let config = configuration(&mut random);
        std::fs::write(lab.dir().join(format!("model-{seed}.cfg")), &config)?;
        let same = match &hubward {
            Some(hubward) => is_taken(hubward, &config)?,
            None => false,
        };
        if !same {
            if let Some(mut old) = hubward.take() {
                old.stop()?;
            }
            let mut new = Hubward::spawn_exactly(lab, "router", &net.router, &config, CARDS)?;
            new.wait_ready().with_context(|| format!("configuration {seed}:\n{config}"))?;
            hubward = Some(new);
        }
        let hubward = hubward.as_ref().context("it runs")?;
        net.forget()?;
        let packets = packets(&mut random, PACKETS);
        let mut found = trial(&net, hubward, &packets, &mut tally)?;
        if !found.is_empty() {
            found.insert(0, format!("configuration {seed}:"));
            wrong.extend(found);
        }
    }
    println!("{count} configurations from {seed}: {tally:?}");
    ensure!(wrong.is_empty(), "{count} configurations from {seed}: {tally:?}\n{}", wrong.join("\n"));
    let Tally { there, back, nowhere, here, protected, translated, .. } = tally;
    ensure!(
        [there, back, nowhere, here, protected, translated].iter().all(|number| *number > 0) || count < 10,
        "the configurations do not reach everything: {tally:?}"
    );
    Ok(())
}

/// Whether a gateway that runs takes a configuration: a change that would leave a tunnel of the old
/// one without its lists is refused.
fn is_taken(hubward: &Hubward, config: &str) -> Result<bool> {
    let count = |what: &str| hubward.log().matches(what).count();
    let (taken, refused) = ("was read again", "the old configuration stays");
    let before = (count(taken), count(refused));
    hubward.reload("router", config)?;
    wait::until("the configuration to be read again", secs(15), || {
        Ok((count(taken), count(refused)) != before)
    })?;
    Ok(count(taken) > before.0)
}

/// What was compared.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    packets: usize,
    there: usize,
    back: usize,
    translated: usize,
    here: usize,
    nowhere: usize,
    protected: usize,
}

const CARDS: &[&str] = &[
    "--map",
    "GigabitEthernet0/0=eth0",
    "--map",
    "GigabitEthernet0/1=eth1",
    "--map",
    "GigabitEthernet0/2=eth2",
];

struct Net {
    router: Ns,
    places: Vec<Place>,
}

/// A network of the router: whoever is in it, and what comes there.
struct Place {
    side: Side,
    sender: Socket,
    tap: Socket,
}

impl Net {
    fn build(lab: &Lab) -> Result<Self> {
        let router = lab.ns("router")?;
        let mut places = Vec::new();
        for (number, side) in Side::ALL.into_iter().enumerate() {
            let ns = lab.ns(&format!("side{number}"))?;
            let link = format!("eth{number}");
            router.cable(&link, &ns, "eth0")?;
            ns.address("eth0", "169.254.9.9/32")?;
            let card = |ns: &Ns, link: &str| -> Result<String> {
                Ok(ns.run(&["cat", &format!("/sys/class/net/{link}/address")])?.trim().to_owned())
            };
            // everything from here goes to the router, whoever it is for
            let to = side.router();
            ns.ip(&format!("route add {to} dev eth0"))?;
            ns.default_route(to)?;
            ns.ip(&format!("neigh replace {to} lladdr {} dev eth0 nud permanent", card(&router, &link)?))?;
            // and everybody whom the router looks for is here
            let here = card(&ns, "eth0")?;
            for address in neighbors(side) {
                router.ip(&format!("neigh replace {address} lladdr {here} dev {link} nud permanent"))?;
            }
            ns.run(&["nft", QUIET])?;
            let sender = inside(&ns, || {
                // protocol 255 is IPPROTO_RAW: the header is ours
                Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).context("raw socket")
            })?;
            let tap = inside(&ns, || {
                // ETH_P_IP: what comes in, without the header of Ethernet
                let ip = Protocol::from(i32::from(0x0800_u16.to_be()));
                Socket::new(Domain::PACKET, Type::DGRAM, Some(ip)).context("packet socket")
            })?;
            tap.set_nonblocking(true)?;
            places.push(Place { side, sender, tap });
        }
        router.run(&["nft", WATCH])?;
        Ok(Self { router, places })
    }

    /// No connection of an earlier configuration is left.
    fn forget(&self) -> Result<()> {
        // it says how many on its standard error
        self.router.run(&["conntrack", "-F"])?;
        self.router.run(&["nft", "flush set ip watch seen"])?;
        self.seen().map(drop)
    }

    fn send(&self, side: Side, packet: &[u8]) -> Result<()> {
        let place = self.places.iter().find(|place| place.side == side).context("a place")?;
        let to: [u8; 4] = packet.get(16..20).context("a packet with a header")?.try_into()?;
        place.sender.send_to(packet, &SocketAddrV4::new(to.into(), 0).into()).context("send")?;
        std::thread::sleep(GAP);
        Ok(())
    }

    /// What has come since the last time.
    fn seen(&self) -> Result<Vec<Seen>> {
        let mut all = Vec::new();
        let mut bytes = [0; 2048];
        for place in &self.places {
            loop {
                match (&place.tap).read(&mut bytes) {
                    Ok(length) => all.extend(Seen::of(place.side, bytes.get(..length).unwrap_or_default())),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error).context("tap"),
                }
            }
        }
        Ok(all)
    }

    /// What comes until everything that was foretold is there, and a moment longer.
    fn collect(&self, foretold: &BTreeSet<u16>) -> Result<BTreeMap<u16, Vec<Seen>>> {
        let mut found: BTreeMap<u16, Vec<Seen>> = BTreeMap::new();
        let mut end = Instant::now() + PATIENCE;
        let mut complete = false;
        while Instant::now() < end {
            for seen in self.seen()? {
                found.entry(seen.id).or_default().push(seen);
            }
            if !complete && foretold.iter().all(|id| found.contains_key(id)) {
                complete = true;
                end = Instant::now() + AFTERWARDS;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(found)
    }

    /// Which packets the router itself has got.
    fn here(&self) -> Result<BTreeSet<u16>> {
        let text = self.router.run(&["nft", "-n", "list", "set", "ip", "watch", "seen"])?;
        let list = text.split_once("elements = {").and_then(|(_, rest)| rest.split_once('}'));
        let list = list.map_or("", |(list, _)| list);
        Ok(list.split(',').filter_map(|id| id.trim().parse().ok()).collect())
    }
}

/// A packet that came out.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    side: Side,
    id: u16,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    /// Of TCP and UDP.
    ports: Option<(u16, u16)>,
    /// Behind the header of IP.
    body: Vec<u8>,
}

impl Seen {
    /// A packet of this test, if it is one.
    fn of(side: Side, bytes: &[u8]) -> Option<Self> {
        let address = |at: usize| {
            let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
            Some(Ipv4Addr::from(octets))
        };
        let (protocol, body) = (*bytes.get(9)?, bytes.get(20..)?);
        let (source, destination) = (address(12)?, address(16)?);
        // IKE; and errors, which tell a sender that a packet was refused
        let error = protocol == ICMP && ![Some(&0), Some(&8)].contains(&body.first());
        let ports = (protocol != ICMP).then_some((word(body, 0)?, word(body, 2)?));
        let seen =
            Self { side, id: word(bytes, 4)?, source, destination, protocol, ports, body: body.to_vec() };
        (destination != PEER && !error).then_some(seen)
    }

    /// The answer of whoever has got it.
    fn answer(&self, id: u16) -> Vec<u8> {
        let mut body = self.body.clone();
        match self.protocol {
            ICMP => {
                body.splice(0..4, [0, 0, 0, 0]);
            }
            TCP => {
                let syn = body.get(13).is_some_and(|flags| flags & SYN != 0);
                body = tcp((word(&body, 2), word(&body, 0)), if syn { SYN | ACK } else { ACK }, true);
            }
            _ => {
                let (source, destination) = self.ports.unwrap_or_default();
                body = udp(destination, source);
            }
        }
        whole(self.destination, self.source, self.protocol, id, body)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn udp(source: u16, destination: u16) -> Vec<u8> {
    // no checksum, RFC 768
    [source, destination, 12, 0].into_iter().flat_map(u16::to_be_bytes).chain(*b"test").collect()
}

/// A segment without data; the sequence numbers fit to those of the other direction.
fn tcp((source, destination): (Option<u16>, Option<u16>), flags: u8, answers: bool) -> Vec<u8> {
    let mut body: Vec<u8> =
        [source, destination].into_iter().flat_map(|port| port.unwrap_or(0).to_be_bytes()).collect();
    let (mine, theirs) = if answers { (2000_u32, 1001_u32) } else { (1000, 2000) };
    body.extend(mine.to_be_bytes());
    body.extend(if flags & ACK == 0 { 0 } else { theirs }.to_be_bytes());
    body.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    body
}

/// A packet as it is sent.
fn bytes(packet: &Packet, id: u16) -> Vec<u8> {
    let ports = (packet.source_port, packet.destination_port);
    let body = match packet.protocol {
        ICMP => [0x0800, 0, ports.0, 1].into_iter().flat_map(u16::to_be_bytes).chain(*b"test").collect(),
        TCP => tcp((Some(ports.0), Some(ports.1)), if packet.established { ACK } else { SYN }, false),
        _ => udp(ports.0, ports.1),
    };
    whole(packet.from, packet.to, packet.protocol, id, body)
}

fn whole(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, id: u16, mut body: Vec<u8>) -> Vec<u8> {
    let mut pseudo = [source.octets(), destination.octets()].concat();
    pseudo.extend([0, protocol]);
    pseudo.extend((body.len() as u16).to_be_bytes());
    pseudo.extend(&body);
    match protocol {
        ICMP => {
            let sum = checksum(&body).to_be_bytes();
            body.splice(2..4, sum);
        }
        TCP => {
            let sum = checksum(&pseudo).to_be_bytes();
            body.splice(16..18, sum);
        }
        _ => {}
    }
    let mut packet = vec![0x45, 0];
    packet.extend(((20 + body.len()) as u16).to_be_bytes());
    packet.extend(id.to_be_bytes());
    packet.extend([0, 0, 64, protocol, 0, 0]);
    packet.extend(source.octets());
    packet.extend(destination.octets());
    let sum = checksum(&packet).to_be_bytes();
    packet.splice(10..12, sum);
    packet.extend(body);
    packet
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

/// The identification of a packet of a configuration, and of the answer to it.
const FIRST: u16 = 0x4800;
const ANSWERS: u16 = 0x5700;

/// Asks about each packet, sends it, and answers it: where what happens is not what was foretold.
fn trial(net: &Net, hubward: &Hubward, packets: &[Packet], tally: &mut Tally) -> Result<Vec<String>> {
    let questions: Vec<_> = packets.iter().map(|packet| format!("{} | json", packet.question())).collect();
    let told = hubward.exec(&questions.join("\n"))?;
    let documents: Vec<Value> = serde_json::Deserializer::from_str(&told)
        .into_iter()
        .collect::<Result<_, _>>()
        .with_context(|| told.clone())?;
    ensure!(documents.len() == packets.len(), "{} answers: {told}", documents.len());
    let journeys: Vec<&Value> = documents.iter().map(|document| &document["rows"][0]).collect();

    let numbered = || (FIRST..).zip(packets.iter().zip(&journeys));
    for (id, (packet, _)) in numbered() {
        net.send(packet.side, &bytes(packet, id))?;
    }
    let foretold = numbered().filter(|(_, (_, journey))| end(&journey["there"]) == "leaves");
    let seen = net.collect(&foretold.map(|(id, _)| id).collect())?;
    let here = net.here()?;
    let (mut wrong, mut answered) = (Vec::new(), Vec::new());
    for (id, (packet, journey)) in numbered() {
        let way = &journey["there"];
        let found = seen.get(&id).map(Vec::as_slice).unwrap_or_default();
        tally.packets += 1;
        match end(way) {
            "leaves" => tally.there += 1,
            "local" => tally.here += 1,
            "protected" => tally.protected += 1,
            _ => tally.nowhere += 1,
        }
        if let Some(what) = disagrees(way, packet.protocol, found, here.contains(&id)) {
            wrong.push(format!("{}\n  {what}\n{}", packet.question(), stages(way)));
        } else if let [one] = found {
            tally.translated += usize::from(one.source != packet.from || one.destination != packet.to);
            answered.push((ANSWERS + (id - FIRST), one, packet, &journey["back"]));
        }
    }
    for (id, one, _, _) in &answered {
        net.send(one.side, &one.answer(*id))?;
    }
    let foretold = answered.iter().filter(|(_, _, _, back)| end(back) == "leaves");
    let seen = net.collect(&foretold.map(|(id, ..)| *id).collect())?;
    let here = net.here()?;
    for (id, one, packet, way) in answered {
        let found = seen.get(&id).map(Vec::as_slice).unwrap_or_default();
        tally.back += usize::from(end(way) == "leaves");
        if let Some(what) = disagrees(way, packet.protocol, found, here.contains(&id)) {
            wrong.push(format!(
                "the answer to {} ({} -> {})\n  {what}\n{}",
                packet.question(),
                one.destination,
                one.source,
                stages(way)
            ));
        }
    }
    Ok(wrong)
}

fn end(way: &Value) -> &str {
    way["end"].as_str().unwrap_or("nothing")
}

/// What is told of a way, for a person.
fn stages(way: &Value) -> String {
    let stages = way["stages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |stage: &Value| {
        let text = |name: &str| stage[name].as_str().unwrap_or_default().to_owned();
        format!("    {}: {} (line {})", text("stage"), text("says"), stage["line"])
    };
    stages.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What is not as it was foretold.
fn disagrees(way: &Value, protocol: u8, found: &[Seen], here: bool) -> Option<String> {
    let told: Vec<String> = found
        .iter()
        .map(|one| {
            format!("{} -> {} {:?} at {}", one.source, one.destination, one.ports, one.side.interface())
        })
        .collect();
    let came = format!("came out: {}{}", told.join(", "), if here { " at the router" } else { "" });
    let local = end(way) == "local";
    if local != here {
        return Some(format!("foretold: {}; {came}", end(way)));
    }
    // which address of the pool a list sees is not known before
    let all = way["stages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let filtered = all.iter().any(|stage| stage["stage"] == "output-filter");
    if filtered && way["source_known"] == false && (found.is_empty() || end(way) != "leaves") {
        return None;
    }
    if end(way) != "leaves" {
        return (!found.is_empty()).then(|| format!("foretold: {}; {came}", end(way)));
    }
    let text = |name: &str| way[name].as_str().unwrap_or_default();
    let ports = (way["source_port"].as_u64(), way["destination_port"].as_u64());
    let fits = |one: &Seen| {
        let source = match way["source_known"].as_bool() {
            Some(false) => {
                let [net @ .., host] = one.source.octets();
                net == [198, 51, 100] && (POOL[0]..=POOL[1]).contains(&host)
            }
            _ => one.source.to_string() == text("source"),
        };
        let real = one.ports.map(|(from, to)| (Some(u64::from(from)), Some(u64::from(to))));
        source
            && one.protocol == protocol
            && one.side.interface() == text("interface")
            && one.destination.to_string() == text("destination")
            // which port stands in for one of the router's own is not known before
            && real.is_none_or(|real| real.1 == ports.1 && (real.0 == ports.0 || ports.0.is_none()))
    };
    match found {
        [one] if fits(one) => None,
        _ => Some(format!(
            "foretold: {} -> {} {ports:?} at {}; {came}",
            text("source"),
            text("destination"),
            text("interface")
        )),
    }
}
