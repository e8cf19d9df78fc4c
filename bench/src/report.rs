//! The tables.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anyhow::Result;
use serde_json::json;

use crate::Arguments;
use crate::against::{self, Comparison, Figures};
use crate::load::Load;
use crate::machine;
use crate::net::Link;
use crate::peers;

/// One measurement.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) peer: String,
    pub(crate) link: Link,
    pub(crate) load: Load,
    /// What arrived: bytes, packets if they were counted, and in what time.
    pub(crate) bytes: f64,
    pub(crate) packets: f64,
    pub(crate) seconds: f64,
    /// Milliseconds.
    pub(crate) round_trip: Option<f64>,
    /// Processor seconds of the tunnel's programs.
    pub(crate) sender: f64,
    pub(crate) receiver: f64,
    /// KiB, the larger of both sides.
    pub(crate) memory: u64,
    /// The round in which it was measured.
    pub(crate) round: usize,
}

impl Row {
    /// Processor seconds of both sides for each GB, or microseconds for each packet.
    fn cost(&self) -> f64 {
        self.part(self.sender + self.receiver)
    }

    fn part(&self, seconds: f64) -> f64 {
        if self.load.counts_packets() { seconds / self.packets * 1e6 } else { seconds / self.bytes * 1e9 }
    }

    fn megabits(&self) -> f64 {
        self.bytes * 8.0 / self.seconds / 1e6
    }

    fn rate(&self) -> f64 {
        self.packets / self.seconds / 1e3
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<20} {:<20} {:<16}", self.peer, self.link.name(), self.load.name())?;
        let unit = if self.load.counts_packets() {
            write!(f, " {:>8.1} kpps ", self.rate())?;
            "µs a packet"
        } else {
            write!(f, " {:>8.0} Mbit/s", self.megabits())?;
            "s/GB"
        };
        write!(f, "  {:.2} + {:.2} {unit}", self.part(self.sender), self.part(self.receiver))?;
        if let Some(round_trip) = self.round_trip {
            write!(f, ", ping {round_trip:.2} ms")?;
        }
        write!(f, ", {} KiB", self.memory)
    }
}

/// A target: the peer that Hubward is compared with (by the start of its name), the Hubward peer,
/// and the ratios.
const TARGETS: [(&str, &str, [f64; 3]); 7] = [
    ("strongswan-gcm", "hubward-gcm", [14.0, 7.0, 9.0]),
    ("strongswan-cbc", "hubward-cbc", [12.0, 6.0, 7.0]),
    ("strongswan-3des", "hubward-3des", [12.0, 10.0, 5.0]),
    ("openvpn", "hubward-gcm", [10.0, 5.0, 6.0]),
    ("boringtun", "hubward-gcm", [8.0, 4.0, 5.0]),
    ("wireguard-go", "hubward-gcm", [8.0, 4.0, 5.0]),
    ("gotatun", "hubward-gcm", [7.0, 4.0, 5.0]),
];

/// A target for throughput with one stream of TCP: the peer, the peer that it is compared with, the
/// cable, and the ratio.
const RATES: [(&str, &str, Link, f64); 3] = [
    ("hubward-gcm", "prototype", Link::SuperPackets, 0.75),
    ("hubward-gcm", "prototype", Link::NicLike, 0.75),
    ("hubward-gcm-native", "hubward-gcm", Link::NicLike, 0.6),
];

/// Lowest, middle and highest.
pub(crate) fn spread(mut values: Vec<f64>) -> Option<(f64, f64, f64)> {
    values.sort_by(f64::total_cmp);
    Some((*values.first()?, *values.get(values.len() / 2)?, *values.last()?))
}

type Group<'a> = BTreeMap<(&'static str, Load), BTreeMap<&'a str, Vec<&'a Row>>>;

/// Writes `target/bench/peers.md` and `peers.json`, and prints the former.
pub(crate) fn write(rows: &[Row], absent: &[(String, String)], arguments: &Arguments) -> Result<()> {
    let (rounds, seconds, seed) = (arguments.rounds, arguments.time.as_secs(), arguments.seed);
    let mut groups: Group<'_> = BTreeMap::new();
    for row in rows {
        groups.entry((row.link.name(), row.load)).or_default().entry(&row.peer).or_default().push(row);
    }
    let mut text = String::new();
    writeln!(
        text,
        "{}; {rounds} rounds of {seconds} s each, seed {seed}; medians, and in brackets the lowest and the highest.\n",
        machine::description()?,
    )?;
    for version in machine::versions() {
        writeln!(text, "- {version}")?;
    }
    for (name, why) in absent {
        writeln!(text, "- {name} could not run: {}", why.lines().next().unwrap_or_default())?;
    }
    for ((link, load), peers) in &groups {
        let (rate, cost) =
            if load.counts_packets() { ("kpps", "µs a packet") } else { ("Mbit/s", "CPU s/GB") };
        writeln!(
            text,
            "\n**{}, {link}**\n\n| | {rate} | {cost}, both sides | sender | receiver | ping, ms | KiB |\n|---|---|---|---|---|---|---|",
            load.name()
        )?;
        for (peer, rows) in peers {
            let middle = |value: &dyn Fn(&Row) -> f64| {
                spread(rows.iter().map(|row| value(row)).collect()).unwrap_or_default()
            };
            let (low, mid, high) = middle(&|row| row.cost());
            let rate = middle(&|row| if load.counts_packets() { row.rate() } else { row.megabits() }).1;
            let (sender, receiver) =
                (middle(&|row| row.part(row.sender)).1, middle(&|row| row.part(row.receiver)).1);
            let ping = spread(rows.iter().filter_map(|row| row.round_trip).collect());
            let ping = ping.map_or(String::new(), |(_, ping, _)| format!("{ping:.2}"));
            let memory = rows.iter().map(|row| row.memory).max().unwrap_or(0);
            writeln!(
                text,
                "| {peer} | {rate:.0} | {mid:.2} ({low:.2}–{high:.2}) | {sender:.2} | {receiver:.2} | {ping} | {memory} |"
            )?;
        }
    }
    text.push_str(&targets(&groups)?);
    let comparisons = comparisons(&groups);
    if let Some(program) = &arguments.against {
        text.push_str(&against::table(program, &comparisons)?);
    }
    let folder = machine::workspace().join("target/bench");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("peers.md"), &text)?;
    let all: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "peer": row.peer, "link": row.link.name(), "load": row.load.name(), "round": row.round, "bytes": row.bytes,
                "packets": row.packets, "seconds": row.seconds, "round_trip_ms": row.round_trip,
                "sender_cpu_s": row.sender, "receiver_cpu_s": row.receiver, "memory_kib": row.memory,
            })
        })
        .collect();
    let against = arguments.against.as_deref().map(|program| against::json(program, &comparisons));
    let whole = json!({ "machine": machine::description()?, "versions": machine::versions(), "seed": seed,
        "rows": all, "against": against,
        "could_not_run": absent.iter().map(|(name, why)| json!({ "peer": name, "why": why })).collect::<Vec<_>>() });
    std::fs::write(folder.join("peers.json"), serde_json::to_string_pretty(&whole)?)?;
    println!("\n{text}\n(target/bench/peers.md and peers.json)");
    Ok(())
}

/// Rows of the same round.
fn pairs<'a>(rows: &'a [&Row], others: &'a [&Row]) -> impl Iterator<Item = (&'a Row, &'a Row)> {
    rows.iter().flat_map(|row| {
        let others = others.iter().filter(|other| other.round == row.round);
        others.map(|other| (*row, *other))
    })
}

/// A measure with its unit, and the function that reads it from a row that has it.
type Measure = (&'static str, fn(&Row) -> Option<f64>);

/// The figures of each peer of `--against` compared with its counterpart.
fn comparisons(groups: &Group<'_>) -> Vec<Comparison> {
    let mut all = Vec::new();
    for ((link, load), peers) in groups {
        let (rate, cost) =
            if load.counts_packets() { ("kpps", "µs a packet") } else { ("Mbit/s", "CPU s/GB") };
        let measures: [Measure; 4] = [
            (rate, |row| Some(if row.load.counts_packets() { row.rate() } else { row.megabits() })),
            (cost, |row| Some(row.cost())),
            ("ping, ms", |row| row.round_trip),
            ("KiB", |row| Some(row.memory as f64)),
        ];
        for (name, old) in peers {
            let Some(ours) = peers::counterpart(name) else { continue };
            let Some(new) = peers.get(ours.as_str()) else { continue };
            for (measure, value) in measures {
                let figures = |(new, old): (&Row, &Row)| {
                    Some(Figures { round: new.round, new: value(new)?, old: value(old)? })
                };
                let rounds: Vec<Figures> = pairs(new, old).filter_map(figures).collect();
                if !rounds.is_empty() {
                    let subject = format!("{ours}, {}, {link}", load.name());
                    all.push(Comparison { subject, measure, rounds });
                }
            }
        }
    }
    all
}

/// How many times as much processor time the others take, round by round.
fn targets(groups: &Group<'_>) -> Result<String> {
    let kinds = [
        ("super-packets", "TCP, super-packets", Load::Tcp(1)),
        ("NIC-like", "TCP, NIC-like", Load::Tcp(1)),
        ("super-packets", "64 bytes", Load::Small),
    ];
    let mut text = String::from(
        "\n**How many times as much processor time the others take**\n\n| against | traffic | ratio | target | |\n|---|---|---|---|---|\n",
    );
    for (other, ours, targets) in TARGETS {
        for ((link, name, load), target) in kinds.into_iter().zip(targets) {
            let Some(peers) = groups.get(&(link, load)) else { continue };
            let (Some(theirs), Some(ours)) = (peers.get(other), peers.get(ours)) else { continue };
            let ratios = pairs(theirs, ours).map(|(theirs, ours)| theirs.cost() / ours.cost()).collect();
            let Some((low, mid, high)) = spread(ratios) else { continue };
            let reached = if mid >= target { "reached" } else { "not reached" };
            writeln!(
                text,
                "| {other} | {name} | {mid:.1} ({low:.1}–{high:.1}) | ≥ {target:.0} | {reached} |"
            )?;
        }
    }
    text.push_str(
        "\n**Throughput with one stream of TCP**\n\n| whose | of whose | cable | part | target | |\n|---|---|---|---|---|---|\n",
    );
    for (ours, other, link, target) in RATES {
        let Some(peers) = groups.get(&(link.name(), Load::Tcp(1))) else { continue };
        let (Some(rows), Some(others)) = (peers.get(ours), peers.get(other)) else { continue };
        let parts = pairs(rows, others).map(|(row, other)| row.megabits() / other.megabits()).collect();
        let Some((low, mid, high)) = spread(parts) else { continue };
        let reached = if mid >= target { "reached" } else { "not reached" };
        writeln!(
            text,
            "| {ours} | {other} | {} | {mid:.2} ({low:.2}–{high:.2}) | ≥ {target:.2} | {reached} |",
            link.name()
        )?;
    }
    Ok(text)
}
