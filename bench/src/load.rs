//! What goes through a tunnel, and what it costs.

use std::io::IoSlice;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hubward_linux::{RecvBatch, SocketOptions};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sockopt};

use crate::net::{INNER, Link, OUTER, Pair};
use crate::peers::{Peer, Tunnel};
use crate::report::Row;

/// The words that make this program run inside a namespace.
pub(crate) const GENERATE: &str = "generate-datagrams";
pub(crate) const SINK: &str = "count-datagrams";

const PORT: u16 = 9000;
/// Packets a second of the fixed rate.
const FIXED: u32 = 20_000;

/// A kind of traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Load {
    /// TCP with this many streams.
    Tcp(u32),
    /// Datagrams of 64 bytes, as many as possible.
    Small,
    /// Datagrams of 64 bytes at a fixed rate.
    SmallFixed,
    /// Datagrams of 64, 570 and 1300 bytes in the ratio 7 to 4 to 1, as many as possible.
    Mix,
    /// The same at a fixed rate.
    MixFixed,
}

impl Load {
    pub(crate) const ALL: [Self; 6] =
        [Self::Tcp(1), Self::Tcp(4), Self::Small, Self::SmallFixed, Self::Mix, Self::MixFixed];

    pub(crate) fn name(self) -> String {
        match self {
            Self::Tcp(1) => "TCP, 1 stream".into(),
            Self::Tcp(streams) => format!("TCP, {streams} streams"),
            Self::Small => "64 bytes".into(),
            Self::SmallFixed => format!("64 bytes, {FIXED}/s"),
            Self::Mix => "IMIX".into(),
            Self::MixFixed => format!("IMIX, {FIXED}/s"),
        }
    }

    /// Whether packets count, not bytes.
    pub(crate) fn counts_packets(self) -> bool {
        !matches!(self, Self::Tcp(_))
    }

    pub(crate) fn run(
        self,
        peer: &Peer,
        pair: &Pair,
        tunnel: &Tunnel,
        link: Link,
        time: Duration,
        round: usize,
    ) -> Result<Row> {
        let [from, to] = peer.ends();
        tunnel.settle()?;
        let before = tunnel.cpu()?;
        let done = match self {
            Self::Tcp(streams) => tcp(pair, [from, to], streams, time)?,
            _ => datagrams(pair, [from, to], self, time)?,
        };
        let after = tunnel.cpu()?;
        Ok(Row {
            peer: peer.name(),
            link,
            load: self,
            bytes: done.bytes,
            packets: done.packets,
            seconds: done.seconds,
            round_trip: done.round_trip,
            sender: after[0] - before[0],
            receiver: after[1] - before[1],
            memory: tunnel.memory()?,
            round,
        })
    }
}

/// What arrived.
struct Done {
    bytes: f64,
    packets: f64,
    seconds: f64,
    /// The median in milliseconds of pings sent at the same time.
    round_trip: Option<f64>,
}

fn tcp(pair: &Pair, [from, to]: [&str; 2], streams: u32, time: Duration) -> Result<Done> {
    let mut server = pair.command(1, "iperf3")?;
    server.args(["--server", "--one-off", "--bind", to]);
    let mut server = pair.start("iperf3-server", server)?;
    std::thread::sleep(Duration::from_millis(300));
    let seconds = time.as_secs().to_string();
    let mut ping = pair.command(0, "ping")?;
    ping.args(["-i", "0.05", "-w", &seconds, "-I", from, to]);
    let mut client = pair.command(0, "iperf3")?;
    let streams = streams.to_string();
    client.args(["--client", to, "--bind", from, "--json", "--time", &seconds, "--parallel", &streams]);
    let mut client = pair.start("iperf3-client", client)?;
    let mut ping = pair.start("ping", ping)?;
    client.wait(time + Duration::from_secs(20))?;
    // a ping that lost a packet is fine too
    let _told = ping.wait(Duration::from_secs(5));
    server.wait(Duration::from_secs(5))?;
    let report: serde_json::Value = serde_json::from_str(&client.log()).context("iperf3's report")?;
    let end = &report["end"]["sum_received"];
    let (Some(bytes), Some(seconds)) = (end["bytes"].as_f64(), end["seconds"].as_f64()) else {
        bail!("iperf3 said {}", client.log());
    };
    let said = ping.log();
    let mut times: Vec<f64> = said
        .lines()
        .filter_map(|line| line.split("time=").nth(1)?.split_whitespace().next()?.parse().ok())
        .collect();
    times.sort_by(f64::total_cmp);
    Ok(Done { bytes, packets: 0.0, seconds, round_trip: times.get(times.len() / 2).copied() })
}

fn datagrams(pair: &Pair, [from, to]: [&str; 2], load: Load, time: Duration) -> Result<Done> {
    let program = std::env::current_exe()?;
    let program = program.to_str().context("the program's path is not UTF-8")?;
    let mut sink = pair.command(1, program)?;
    sink.args([SINK, to, &time.as_secs().to_string()]);
    let mut sink = pair.start("sink", sink)?;
    std::thread::sleep(Duration::from_millis(200));
    let lengths = match load {
        Load::Mix | Load::MixFixed => "64 64 64 570 64 570 64 570 64 1300 64 570",
        _ => "64",
    };
    let rate = if matches!(load, Load::SmallFixed | Load::MixFixed) { FIXED } else { 0 };
    let mut source = pair.command(0, program)?;
    source.args([GENERATE, from, to, &time.as_secs().to_string(), &rate.to_string(), lengths]);
    pair.start("source", source)?.wait(time + Duration::from_secs(10))?;
    sink.wait(Duration::from_secs(10))?;
    let said = sink.log();
    let numbers: Vec<f64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [packets, bytes, seconds] = numbers[..] else { bail!("the sink said {said:?}") };
    if packets == 0.0 {
        bail!("nothing arrived");
    }
    Ok(Done { bytes, packets, seconds, round_trip: None })
}

/// Runs this program's part inside a namespace.
pub(crate) fn inside(words: &[String]) -> Result<()> {
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [GENERATE, from, to, seconds, rate, lengths] => {
            let lengths = lengths.split(' ').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
            generate(from, to, Duration::from_secs(seconds.parse()?), rate.parse()?, &lengths)
        }
        [SINK, at, seconds] => sink(at, Duration::from_secs(seconds.parse()?)),
        _ => bail!("{words:?}"),
    }
}

/// Datagrams in one system call when as many as possible are sent.
const BURST: usize = 32;
/// The buffer size in bytes of the sockets of source and sink.
const BUFFER: usize = 8 << 20;

/// Sends datagrams that have these lengths including the UDP and IP headers, `rate` a second or as
/// many as possible. Several are sent in one call, because a source with a call for each would be
/// slower than the tunnels.
fn generate(from: &str, to: &str, time: Duration, rate: u32, lengths: &[usize]) -> Result<()> {
    let socket = UdpSocket::bind((from, 0))?;
    socket.connect((to, PORT))?;
    sockopt::set_socket_send_buffer_size(&socket, BUFFER)?;
    let buffer = [0; 2000];
    let burst = if rate > 0 { 1 } else { BURST };
    // whole cycles of the lengths, in bursts
    let slices: Vec<IoSlice<'_>> = lengths
        .iter()
        .cycle()
        .take(lengths.len() * burst)
        .map(|length| IoSlice::new(buffer.get(..length.saturating_sub(28)).unwrap_or_default()))
        .collect();
    let mut controls: Vec<_> = slices.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let mut messages: Vec<_> = slices
        .iter()
        .zip(&mut controls)
        .map(|(slice, control)| MMsgHdr::new(std::slice::from_ref(slice), control))
        .collect();
    let begun = Instant::now();
    let mut sent = 0u32;
    for number in 0.. {
        let elapsed = begun.elapsed();
        if elapsed >= time {
            break;
        }
        if rate > 0 {
            let due = Duration::from_secs(1) * sent / rate;
            if due > elapsed {
                std::thread::sleep(due - elapsed);
            }
        }
        let start = number % lengths.len() * burst;
        // a full queue drops, as a network would
        let taken = rustix::net::sendmmsg(&socket, &mut messages[start..start + burst], SendFlags::empty());
        sent = sent.wrapping_add(taken.unwrap_or(burst) as u32);
    }
    // the end marker is sent several times because it may be lost
    for _ in 0..20 {
        std::thread::sleep(Duration::from_millis(20));
        let _full = socket.send(b"end");
    }
    Ok(())
}

/// Counts until the end marker arrives, and for no longer than datagrams were sent, because some
/// tunnels deliver a backlog for a long time afterwards. Datagrams that came through the tunnel and
/// found no room here, because this program got no processor time, count too.
fn sink(at: &str, time: Duration) -> Result<()> {
    let options = SocketOptions { buffer: BUFFER, ..SocketOptions::default() };
    let socket = hubward_linux::udp::UdpSocket::bind((at.parse::<IpAddr>()?, PORT).into(), &options)?;
    let mut batch = RecvBatch::new(64, 2048);
    let (mut packets, mut bytes) = (0u64, 0u64);
    let mut span: Option<(Instant, Instant)> = None;
    let begun = Instant::now();
    let mut ended = false;
    let before = damaged()?;
    while !ended && begun.elapsed() < time + Duration::from_secs(5) {
        let patience = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        poll(&mut [PollFd::new(&socket, PollFlags::IN)], Some(&patience))?;
        if socket.recv_batch(&mut batch).is_err() {
            continue;
        }
        let now = Instant::now();
        let (first, last) = span.get_or_insert((now, now));
        for datagram in batch.datagrams() {
            ended |= datagram.data == b"end";
            packets += 1;
            bytes += datagram.data.len() as u64 + 28;
        }
        ended |= now - *first > time;
        *last = now;
    }
    let seconds = span.map_or(0.0, |(first, last)| (last - first).as_secs_f64());
    if damaged()? > before {
        bail!("datagrams with wrong checksums arrived");
    }
    let average = bytes as f64 / packets.max(1) as f64;
    packets += dropped()?;
    println!("{packets} {} {seconds}", packets as f64 * average);
    Ok(())
}

/// Datagrams with wrong checksums that arrived in this namespace, either through the tunnel or as
/// its outer packets.
fn damaged() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/net/snmp").context("read /proc/net/snmp")?;
    let mut lines = text.lines().filter(|line| line.starts_with("Udp: ")).map(str::split_whitespace);
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { bail!("no UDP in /proc/net/snmp") };
    let value = names.zip(values).find_map(|(name, value)| (name == "InCsumErrors").then_some(value));
    Ok(value.context("no InCsumErrors in /proc/net/snmp")?.parse()?)
}

/// Datagrams that found no room in the sink's socket: the last column of the kernel's table.
fn dropped() -> Result<u64> {
    let table = std::fs::read_to_string("/proc/net/udp").context("read /proc/net/udp")?;
    let port = format!(":{PORT:04X}");
    let line =
        table.lines().find(|line| line.split_whitespace().nth(1).is_some_and(|at| at.ends_with(&port)));
    let line = line.context("the sink's socket is not in /proc/net/udp")?;
    Ok(line.split_whitespace().last().context("no drops in /proc/net/udp")?.parse()?)
}

/// The addresses between which a bare cable is measured.
pub(crate) const BARE: [&str; 2] = OUTER;
/// The addresses behind a tunnel.
pub(crate) const BEHIND: [&str; 2] = INNER;
