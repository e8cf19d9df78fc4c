//! First messages of main mode and of aggressive mode from 100,000 forged addresses, for twenty
//! seconds, while the branches are 60 ms away: 40,000 and 800 a second, more than a debug build
//! answers.
//!
//! ```text
//!  hub_lan ── hub ── inet ── far (30 ms each way) ── spoke      four branches of strongSwan
//!                     └───── client                             sends the flood
//! ```
//!
//! Established tunnels go on, a branch that starts anew comes in, and the hub's memory is bounded
//! and afterwards given back.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use hubward_interop::charon::{Build, Charon};
use hubward_interop::hubward::{Hubward, hub_cfg, workspace};
use hubward_interop::inject::inside;
use hubward_interop::lab::Lab;
use hubward_interop::net::Ns;
use hubward_interop::ping::{self, Running};
use hubward_interop::process::Proc;
use hubward_interop::topology::{Client, HUB, HUB_HOST, Reference};
use hubward_interop::wait::{self, secs};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::branches::Branch;
use crate::soak::resident;

/// How long the flood takes at least: after the first part of it a branch starts anew.
const FLOOD: Duration = secs(20);
const FIRST_PART: Duration = secs(12);
/// First messages a second, of both modes: one in fifty is of aggressive mode. A debug build of the
/// hub drops some in front of the engine, for which they are too many.
const RATE: u64 = 40_800;
const OF_AGGRESSIVE: u64 = 51;
/// A branch that starts anew is back: its messages are not lost, or one of the first two is, which
/// strongSwan repeats after 4 s and after 11 s.
const BACK: u64 = 10;
/// Forged addresses, from 172.16.0.0 on; what the hub answers them goes nowhere.
const ADDRESSES: u32 = 100_000;
const FORGED_NET: &str = "172.16.0.0/12";
/// The last one starts anew under the flood.
const BRANCHES: u8 = 4;
/// Pings of each of the others a second.
const PINGS: u32 = 50;
/// What the flood may add to the hub's memory, in KiB.
const GROWTH: u64 = 32 * 1024;
/// How long the hub keeps a first message that nothing followed.
const HALF_OPEN: Duration = secs(30);
const AGAIN: Duration = secs(5);
/// Records of the hub that the second flood has to fill again.
const ROOM: u64 = 32_768;
/// What the second flood may add to the memory, in KiB.
const SLACK: u64 = 4 * 1024;
/// What the hub may keep once no record of a flood is left, in KiB.
const KEPT: u64 = 10 * 1024;
/// That takes the time of a record, and until the hub looks at its memory: once a minute, or in two
/// minutes if it had nothing to give back the last time.
const GIVEN_BACK: Duration = secs(30 + 120 + 10);

/// Puts 30 ms into each way between the internet and the spoke.
fn far_away(lab: &Lab, net: &Reference) -> Result<Proc> {
    let far = lab.ns("far")?;
    net.inet.ip("link del to-spoke")?;
    far.cable("near", &net.inet, "to-spoke")?;
    far.cable("away", &net.spoke, "eth0")?;
    for end in ["near", "away"] {
        far.ip(&format!("link set {end} promisc on"))?;
    }
    net.inet.address("to-spoke", "10.100.2.3/24")?;
    net.address_spoke()?;
    let mut command = far.command("python3");
    command.arg(workspace().join("tests/interop/python/delay.py")).args(["near", "away", "30"]);
    let mut delay = lab.spawn("delay", &command)?;
    delay.wait_log("joined", secs(10))?;
    Ok(delay)
}

/// An ISAKMP message in an IPv4 packet of UDP, from port 500 to the hub's. The kernel fills in the
/// lengths and the checksum of IP; UDP needs none.
fn packet(message: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend([0; 4]);
    packet.extend(HUB.octets());
    let length = u16::try_from(8 + message.len()).unwrap_or_default().to_be_bytes();
    packet.extend([1, 0xf4, 1, 0xf4, length[0], length[1], 0, 0]);
    packet.extend(message);
    packet
}

/// Where the forged source and the initiator's cookie are in such a packet.
const SOURCE: std::ops::Range<usize> = 12..16;
const COOKIE: std::ops::Range<usize> = 28..36;

/// Aggressive mode, message 1, of the reference document's group: what the hub answers with a
/// Diffie-Hellman exchange. The first payload is that of main mode's message.
fn aggressive() -> Vec<u8> {
    let main = super::first_message();
    let sa = main.get(28 + 4..).unwrap_or_default();
    let mut message = main.get(..28).unwrap_or_default().to_vec();
    let group = [&[11, 17, 1, 0xf4], &b"testgroup"[..]].concat();
    // SA, KE, NONCE, ID: the type of each is in the payload in front of it
    for (next, body) in [(4, sa), (10, &[2; 128]), (5, &[1; 20]), (0, &group)] {
        let length = u16::try_from(body.len() + 4).unwrap_or_default().to_be_bytes();
        message.extend([next, 0, length[0], length[1]]);
        message.extend(body);
    }
    let length = u32::try_from(message.len()).unwrap_or_default().to_be_bytes();
    message.splice(18..19, [4]);
    message.splice(24..28, length);
    message
}

/// Sends both kinds at [`RATE`] until it ends; says how many.
fn flood(ends: &AtomicBool) -> Result<u64> {
    // protocol 255 is IPPROTO_RAW: the header is ours
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).context("raw socket")?;
    let to = SockAddr::from(std::net::SocketAddrV4::new(HUB, 0));
    let (mut main, mut aggressive) = (packet(&super::first_message()), packet(&aggressive()));
    let (mut last, mut due, mut count, mut sent) = (Instant::now(), 0.0, 0_u64, 0);
    loop {
        let now = Instant::now();
        if ends.load(Ordering::Relaxed) {
            return Ok(sent);
        }
        // a sender that was held up does not catch up for long: that would be a burst
        due = (due + (now - last).as_secs_f64() * RATE as f64).min(1000.0);
        last = now;
        while due >= 1.0 {
            due -= 1.0;
            count += 1;
            let packet = if count.is_multiple_of(OF_AGGRESSIVE) { &mut aggressive } else { &mut main };
            let mixed = count.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let source = u32::from(Ipv4Addr::new(172, 16, 0, 0)) + (mixed >> 32) as u32 % ADDRESSES;
            packet.splice(SOURCE, source.to_be_bytes());
            packet.splice(COOKIE, mixed.to_be_bytes());
            // where the way is full, the next one may find room
            sent += u64::from(socket.send_to(packet, &to).is_ok());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Floods the hub from the client's place while `meanwhile` runs; says how many messages were sent.
fn flooded(net: &Reference, meanwhile: impl FnOnce() -> Result<()>) -> Result<u64> {
    let ends = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flooding = scope.spawn(|| inside(&net.client, || flood(&ends)));
        let outcome = meanwhile();
        ends.store(true, Ordering::Relaxed);
        let sent = flooding.join().map_err(|_| anyhow::anyhow!("the flood panicked"))??;
        outcome.map(|()| sent)
    })
}

/// Datagrams that the sockets of a namespace took, and that found their buffers full.
fn datagrams(ns: &Ns) -> Result<[u64; 2]> {
    let text = ns.run(&["cat", "/proc/net/snmp"])?;
    let mut lines = text.lines().filter(|line| line.starts_with("Udp:"));
    let (names, values) = (lines.next().context("no names")?, lines.next().context("no values")?);
    let value = |wanted| -> Result<u64> {
        let mut both = names.split_whitespace().zip(values.split_whitespace());
        Ok(both.find(|(name, _)| *name == wanted).context("no such counter")?.1.parse()?)
    };
    Ok([value("InDatagrams")?, value("RcvbufErrors")?])
}

pub(super) fn first_messages(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    let _delay = far_away(lab, &net)?;
    net.inet.ip(&format!("route add blackhole {FORGED_NET}"))?;
    let conf = Branch::build(&net.spoke, BRANCHES)?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let spoke = Charon::start_patient(lab, "spoke", &net.spoke, Build::Machine, &conf)?;
    for branch in Branch::all(BRANCHES) {
        spoke.initiate(&branch.child())?;
    }
    let mut traffic = Vec::new();
    for branch in Branch::all(BRANCHES - 1) {
        let name = format!("ping-from-{}", branch.host());
        let (from, gap) = (Some(branch.host()), secs(1) / PINGS);
        ensure!(ping::count_from(&net.spoke, from, HUB_HOST, 3)?.received == 3, "{name} before the flood");
        traffic.push(Running::every_from(lab, &name, &net.spoke, from, HUB_HOST, gap)?);
    }
    let before = resident(hub.process())?;
    let mut highest = before;
    let sent = flooded(&net, || {
        let begun = Instant::now();
        let mut flood_until = |time: Duration| -> Result<()> {
            while begun.elapsed() < time {
                std::thread::sleep(Duration::from_millis(500));
                highest = highest.max(resident(hub.process())?);
            }
            Ok(())
        };
        flood_until(FIRST_PART)?;
        let back = again(&spoke)?;
        println!("a known branch was back after {:.1} s", back.as_secs_f32());
        flood_until(FLOOD)
    })?;
    let [taken, full] = datagrams(&net.hub)?;
    println!("{sent} first messages; the hub's sockets took {taken} datagrams, {full} found them full");
    ensure!(sent > RATE * FLOOD.as_secs() / 2 && taken > 9 * full, "not the flood that was meant");
    let log = hub.log();
    let overrun = log.lines().find(|line| line.contains("IKE messages were dropped"));
    println!("{}", overrun.unwrap_or("the hub was fast enough for all of them"));
    println!("memory {before} KiB, at most {highest} KiB");
    let (mut lost, mut all) = (0, 0);
    for one in traffic {
        all += one.replies();
        lost += u32::try_from(one.lost()?.len())?;
    }
    println!("{lost} pings of {} were lost", all + lost);
    ensure!(lost * 200 < all + lost, "{lost} pings lost, {all} answered");
    ensure!(highest < before + GROWTH, "the hub's memory grew from {before} KiB to {highest} KiB");
    // half a minute later nothing is left of it: the same flood fits into the same memory
    std::thread::sleep(HALF_OPEN + secs(5));
    let sent = flooded(&net, || {
        std::thread::sleep(AGAIN);
        Ok(())
    })?;
    let again = resident(hub.process())?;
    println!("after as many again {again} KiB");
    ensure!(sent > 2 * ROOM, "the second flood has not filled the hub's records");
    ensure!(again < highest + SLACK, "memory was left behind: {highest} KiB, then {again} KiB");
    let given_back = || Ok(resident(hub.process())? < before + KEPT);
    wait::until("the hub gives memory back", GIVEN_BACK, given_back)?;
    println!("at the end {} KiB", resident(hub.process())?);
    Ok(())
}

/// The last branch ends its tunnel and initiates anew; how long that took.
fn again(spoke: &Charon) -> Result<Duration> {
    let last = Branch { number: BRANCHES };
    spoke.swanctl(&["--terminate", "--ike", &last.connection(), "--force"], secs(20))?;
    let begun = Instant::now();
    let wanted = ["--initiate", "--child", &last.child(), "--timeout", &BACK.to_string()];
    spoke.swanctl(&wanted, secs(BACK + 10))?;
    Ok(begun.elapsed())
}
