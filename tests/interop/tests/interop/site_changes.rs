//! Lines of filters and of the translation that are typed while packets pass: each packet meets the
//! lines before a change or those after it, never something between.
//!
//! ```text
//!  lan 10.1.1.10–14, .20, .21 ── hq (Hubward) 198.51.100.2, .4, .5 ── inet 198.41.0.4
//! ```

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hubward_interop::hubward::{Hubward, edit, example};
use hubward_interop::inject::inside;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::probes::{Recorder, Seen, udp};
use hubward_interop::surroundings::UNPROTECTED;
use socket2::{Domain, Protocol, Socket, Type};

use crate::headquarters::{Net, start};
use crate::site::typed;
use crate::{Case, case};

pub(crate) const CASES: &[Case] =
    &[case("sixty_changes_under_traffic_let_nothing_pass_that_none_permits", &[Need::Hubward], changes)];

/// How many, if `HUBWARD_CHANGES` does not say otherwise.
const CHANGES: usize = 60;
/// What a random number begins with; it is printed when the test fails, like everything.
const SEED: u64 = 0x4855_4257;
/// Between packets: 500 a second.
const GAP: Duration = Duration::from_millis(2);
/// How long a packet may be under way.
const UNDER_WAY: Duration = Duration::from_millis(150);

/// Ports of what goes outwards: the first is always permitted and the second never.
const PORTS: [u16; 6] = [5000, 5001, 5002, 5003, 5004, 5005];
/// Ports of what comes in for [`SERVER`], likewise.
const INWARDS: [u16; 4] = [7000, 7001, 7002, 7003];
/// Hosts that are translated to the router's address: the first always, the last never.
const HOSTS: [Ipv4Addr; 5] = [host(10), host(11), host(12), host(13), host(14)];
/// The host that has a global address of its own, and that address.
const SERVER: Ipv4Addr = host(20);
const SERVER_GLOBAL: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 4);
/// The host that has one at times.
const PUBLISHED: Ipv4Addr = host(21);
const PUBLISHED_GLOBAL: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 5);
const SHARED: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

const fn host(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 1, number)
}

/// What the lines say, in as much as they change.
#[derive(Debug, Clone)]
struct Lines {
    /// The list of the inside interface: one of two.
    list: usize,
    /// What each of the two permits.
    permits: [BTreeSet<u16>; 2],
    /// Hosts that are not translated.
    excepted: BTreeSet<Ipv4Addr>,
    /// What may come in for the server.
    inwards: BTreeSet<u16>,
    /// [`PUBLISHED`] has its own global address.
    published: bool,
}

const LISTS: [&str; 2] = ["LAN-A", "LAN-B"];

/// A packet that is sent.
#[derive(Debug, Clone, Copy)]
enum Packet {
    /// From a host inside to a port outside.
    Outwards(Ipv4Addr, u16),
    /// From outside to a port of the server.
    Inwards(u16),
}

impl Lines {
    fn new() -> Self {
        Self {
            list: 0,
            permits: [BTreeSet::from([5000, 5002, 5004]), BTreeSet::from([5000, 5003, 5004])],
            excepted: BTreeSet::from([HOSTS[4]]),
            inwards: BTreeSet::from([7000, 7002]),
            published: false,
        }
    }

    /// The headquarters' configuration with these lines in it.
    fn config(&self) -> Result<String> {
        let text = example("hq-2911.cfg")?;
        let text = edit(&text, " description LAN\n", " description LAN\n ip access-group LAN-A in\n")?;
        let nat = "ip access-list extended NAT-ACL\n";
        let text = edit(&text, nat, &format!("{nat} deny   ip host {} any\n", HOSTS[4]))?;
        let outside = "ip access-list extended OUTSIDE-IN\n";
        let permitted: String = self.inwards.iter().map(|port| format!(" {}\n", inward(*port))).collect();
        let text = edit(&text, outside, &format!("{outside}{permitted}"))?;
        let mut added = format!("ip nat inside source static {SERVER} {SERVER_GLOBAL}\n");
        for (name, ports) in LISTS.iter().zip(&self.permits) {
            added.push_str(&format!("ip access-list extended {name}\n"));
            ports.iter().for_each(|port| added.push_str(&format!(" permit udp any any eq {port}\n")));
        }
        let first = "ip nat inside source route-map NONAT";
        edit(&text, first, &format!("{added}{first}"))
    }

    /// Where a packet is seen, and with which source.
    fn outcome(&self, packet: Packet) -> Option<String> {
        match packet {
            Packet::Outwards(host, port) => self.permits[self.list].contains(&port).then(|| {
                let source = match host {
                    PUBLISHED if self.published => PUBLISHED_GLOBAL,
                    host if self.excepted.contains(&host) => host,
                    _ => SHARED,
                };
                format!("{source} -> {UNPROTECTED}")
            }),
            Packet::Inwards(port) => {
                self.inwards.contains(&port).then(|| format!("{UNPROTECTED} -> {SERVER}"))
            }
        }
    }

    /// Makes a change, and returns the lines to type.
    fn change(&mut self, random: &mut Random) -> String {
        match random.below(10) {
            0..4 => {
                let (list, port) = (random.below(2), PORTS[2 + random.below(PORTS.len() - 2)]);
                let rule = format!("permit udp any any eq {port}");
                let line = toggle(&mut self.permits[list], port, &rule);
                format!("ip access-list extended {}\n{line}\nexit\n", LISTS[list])
            }
            4 => {
                self.list = 1 - self.list;
                format!("interface GigabitEthernet0/1\nip access-group {} in\nexit\n", LISTS[self.list])
            }
            5..7 => {
                let host = HOSTS[1 + random.below(HOSTS.len() - 2)];
                let line = match self.excepted.insert(host) {
                    true => format!("{} deny ip host {host} any", host.octets()[3] - 10),
                    false => {
                        self.excepted.remove(&host);
                        format!("no {}", host.octets()[3] - 10)
                    }
                };
                format!("ip access-list extended NAT-ACL\n{line}\nexit\n")
            }
            7..9 => {
                let port = INWARDS[2 + random.below(INWARDS.len() - 2)];
                let line = toggle(&mut self.inwards, port, &inward(port));
                let line = if line.starts_with("no ") { line } else { format!("{} {line}", port - 6999) };
                format!("ip access-list extended OUTSIDE-IN\n{line}\nexit\n")
            }
            _ => {
                self.published = !self.published;
                let no = if self.published { "" } else { "no " };
                format!("{no}ip nat inside source static {PUBLISHED} {PUBLISHED_GLOBAL}\n")
            }
        }
    }
}

fn inward(port: u16) -> String {
    format!("permit udp any host {SERVER_GLOBAL} eq {port}")
}

fn toggle(ports: &mut BTreeSet<u16>, port: u16, rule: &str) -> String {
    match ports.insert(port) {
        true => rule.to_owned(),
        false => {
            ports.remove(&port);
            format!("no {rule}")
        }
    }
}

/// Numbers that are the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // Knuth's MMIX
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Lines that are in force from some moment of `typed` until some moment of the next change.
struct Epoch {
    begun: Instant,
    done: Instant,
    lines: Lines,
    typed: String,
}

struct Sent {
    packet: Packet,
    before: Instant,
    after: Instant,
}

fn changes(lab: &Lab) -> Result<()> {
    let net = Net::build(lab)?;
    for number in [11, 12, 13, 14, 20, 21] {
        net.lan.address("eth0", &format!("{}/24", host(number)))?;
    }
    let mut lines = Lines::new();
    let hq = start(lab, "hq", &net.hq, &lines.config()?, &[])?;
    ping::until_answered(&net.inet, SHARED, hubward_interop::wait::secs(5))?;
    let (outside, inside) =
        (Recorder::start(lab, "inet", &net.inet)?, Recorder::start(lab, "lan", &net.lan)?);
    let began = Instant::now();
    let over = AtomicBool::new(false);
    let mut epochs = vec![Epoch { begun: began, done: began, lines: lines.clone(), typed: String::new() }];
    let sent = std::thread::scope(|scope| -> Result<[Vec<Sent>; 2]> {
        let over = &over;
        let sender = |ns, packets| scope.spawn(move || send(ns, packets, over));
        let outwards = sender(&net.lan, outwards());
        let inwards = sender(&net.inet, inwards());
        let done = type_changes(&hq, &mut lines, &mut epochs);
        over.store(true, Ordering::Relaxed);
        let joined = [outwards, inwards].map(|thread| thread.join().ok().context("a sender panicked"));
        let [outwards, inwards] = joined;
        done?;
        Ok([outwards??, inwards??])
    })?;
    std::thread::sleep(UNDER_WAY);
    let [outwards, inwards] = sent;
    let mut judged = Judged::default();
    judge(&outwards, &outside.finish()?, &epochs, &mut judged);
    judge(&inwards, &inside.finish()?, &epochs, &mut judged);
    println!("{} changes from {SEED:#x}: {}", epochs.len() - 1, judged.told());
    ensure!(judged.wrong.is_empty(), "seed {SEED:#x}, {}:\n{}", judged.told(), judged.wrong.join("\n"));
    ensure!(judged.sure > 5000 && judged.passed > 1000 && judged.stopped > 1000, "{}", judged.told());
    Ok(())
}

fn type_changes(hq: &Hubward, lines: &mut Lines, epochs: &mut Vec<Epoch>) -> Result<()> {
    let mut random = Random(SEED);
    std::thread::sleep(Duration::from_millis(500));
    let asked = std::env::var("HUBWARD_CHANGES").ok().and_then(|number| number.parse().ok());
    for _ in 0..asked.unwrap_or(CHANGES) {
        let text = lines.change(&mut random);
        let begun = Instant::now();
        typed(hq, &text)?;
        epochs.push(Epoch { begun, done: Instant::now(), lines: lines.clone(), typed: text });
        std::thread::sleep(UNDER_WAY);
    }
    Ok(())
}

fn outwards() -> Vec<Packet> {
    let hosts = HOSTS.iter().chain([&PUBLISHED]);
    hosts.flat_map(|host| PORTS.map(|port| Packet::Outwards(*host, port))).collect()
}

fn inwards() -> Vec<Packet> {
    INWARDS.map(Packet::Inwards).to_vec()
}

/// Sends one after the other, each from a port of its own, so that each is translated anew.
fn send(ns: &Ns, packets: Vec<Packet>, over: &AtomicBool) -> Result<Vec<Sent>> {
    inside(ns, || {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).context("raw socket")?;
        let mut sent = Vec::new();
        for (number, packet) in packets.iter().copied().cycle().enumerate() {
            if over.load(Ordering::Relaxed) || number > 99_999 {
                break;
            }
            let own = 10_000 + (number % 50_000) as u16;
            let (from, to) = match packet {
                Packet::Outwards(host, port) => ((host, own), (UNPROTECTED, port)),
                Packet::Inwards(port) => ((UNPROTECTED, own), (SERVER_GLOBAL, port)),
            };
            let before = Instant::now();
            socket.send_to(&udp(from, to, number), &SocketAddrV4::new(to.0, 0).into())?;
            sent.push(Sent { packet, before, after: Instant::now() });
            std::thread::sleep(2 * GAP);
        }
        Ok(sent)
    })
}

/// What came of all packets.
#[derive(Default)]
struct Judged {
    wrong: Vec<String>,
    /// Packets of which all lines that they can have met say the same.
    sure: usize,
    passed: usize,
    stopped: usize,
}

impl Judged {
    fn told(&self) -> String {
        let Self { wrong, sure, passed, stopped } = self;
        format!(
            "{passed} packets passed and {stopped} did not, of {sure} it was certain; {} wrong",
            wrong.len()
        )
    }
}

fn judge(sent: &[Sent], seen: &[Seen], epochs: &[Epoch], judged: &mut Judged) {
    let mut found: Vec<Option<&Seen>> = vec![None; sent.len()];
    for one in seen {
        if let Some(place) = found.get_mut(one.probe) {
            *place = Some(one);
        }
    }
    for (number, (sent, seen)) in sent.iter().zip(found).enumerate() {
        let ends = epochs.iter().skip(1).map(|next| Some(next.done)).chain([None]);
        let met: Vec<&Epoch> = epochs
            .iter()
            .zip(ends)
            .filter(|(epoch, end)| {
                epoch.begun <= sent.after + UNDER_WAY && end.is_none_or(|end| sent.before <= end)
            })
            .map(|(epoch, _)| epoch)
            .collect();
        match seen {
            Some(_) => judged.passed += 1,
            None => judged.stopped += 1,
        }
        let is = |outcome: &Option<String>| match (outcome, seen) {
            (Some(outcome), Some(seen)) => seen.text.starts_with(&format!("{outcome},")),
            (None, None) => true,
            _ => false,
        };
        let may: Vec<_> = met.iter().map(|epoch| epoch.lines.outcome(sent.packet)).collect();
        judged.sure += usize::from(may.windows(2).all(|pair| pair[0] == pair[1]));
        if !may.iter().any(is) {
            let last = met.last().map_or("", |epoch| epoch.typed.as_str());
            judged.wrong.push(format!(
                "{number}: {:?} is {:?}, and may be {may:?}; the last of {} changes that it can have met, done {:?} after it: {last:?}",
                sent.packet,
                seen.map(|seen| &seen.text),
                met.len(),
                met.last().map(|epoch| epoch.done.saturating_duration_since(sent.before)),
            ));
        }
    }
}
