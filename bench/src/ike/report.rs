//! The table.

use std::fmt::{self, Write as _};

use anyhow::Result;
use serde_json::json;

use crate::against::{self, Comparison, Figures};
use crate::ike::{Arguments, Group, responder::Responder};
use crate::machine;
use crate::report::spread;

/// One measurement.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) responder: Responder,
    pub(crate) group: Group,
    pub(crate) peers: u32,
    /// Processor seconds of the responder, of all its threads, in user mode and in the kernel.
    pub(crate) cpu: f64,
    pub(crate) seconds: f64,
    /// KiB by which its resident memory grew.
    pub(crate) grown: u64,
    /// The round in which it was measured.
    pub(crate) round: usize,
}

impl Row {
    /// Handshakes for each second of processor time.
    fn rate(&self) -> f64 {
        f64::from(self.peers) / self.cpu
    }

    /// Handshakes for each second of elapsed time, which depends on the initiator as much.
    fn speed(&self) -> f64 {
        f64::from(self.peers) / self.seconds
    }

    /// KiB of memory for each peer.
    fn memory(&self) -> f64 {
        self.grown as f64 / f64::from(self.peers)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<18} group {:<2}  {:>6.0} handshakes/CPU s  {:>6.0} a second  {:.1} KiB a peer",
            self.responder.name(),
            self.group.number(),
            self.rate(),
            self.speed(),
            self.memory()
        )
    }
}

/// The target: how many times as many handshakes Hubward makes.
const TARGET: f64 = 4.0;
/// The target: how many KiB a peer may take.
const MEMORY: f64 = 8.0;

/// The rows of one responder with one group, round by round.
fn of<'a>(rows: &'a [Row], responder: &Responder, group: Group) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.responder == *responder && row.group == group)
}

/// The figures of Hubward and another responder, for each round in which both ran.
fn figures(rows: &[Row], group: Group, other: &Responder, value: fn(&Row) -> f64) -> Vec<Figures> {
    let theirs = |round| of(rows, other, group).find(|row| row.round == round);
    of(rows, &Responder::Hubward, group)
        .filter_map(|row| {
            let old = value(theirs(row.round)?);
            Some(Figures { round: row.round, new: value(row), old })
        })
        .collect()
}

/// A measure with its unit, and the function that reads it from a row.
type Measure = (&'static str, fn(&Row) -> f64);

/// This build compared with the program of `--against`.
fn comparisons(rows: &[Row], old: &Responder) -> Vec<Comparison> {
    let measures: [Measure; 3] = [
        ("handshakes for a CPU second", Row::rate),
        ("handshakes a second", Row::speed),
        ("KiB for a peer", Row::memory),
    ];
    let of = |group: Group, (measure, value)| Comparison {
        subject: format!("group {}", group.number()),
        measure,
        rounds: figures(rows, group, old, value),
    };
    let all = Group::ALL.into_iter().flat_map(|group| measures.map(|measure| of(group, measure)));
    all.filter(|comparison| !comparison.rounds.is_empty()).collect()
}

/// Writes `target/bench/ike.md` and `ike.json`, and prints the former.
pub(crate) fn write(rows: &[Row], failed: &[String], arguments: &Arguments) -> Result<()> {
    let (rounds, peers, seed) = (arguments.rounds, arguments.peers, arguments.seed);
    let responders = Responder::all(arguments.against.as_deref());
    let mut text = String::new();
    writeln!(
        text,
        "{}; {rounds} rounds of {peers} peers, seed {seed}; medians, and in brackets the lowest and the highest.\n",
        machine::description()?
    )?;
    for version in
        machine::versions().iter().filter(|version| version.contains("ward") || version.contains("charon"))
    {
        writeln!(text, "- {version}")?;
    }
    for failed in failed {
        writeln!(text, "- could not run: {failed}")?;
    }
    text.push_str(
        "\n| responder | group | handshakes for a CPU second | KiB for a peer |\n|---|---|---|---|\n",
    );
    for group in Group::ALL {
        for responder in &responders {
            let rates = spread(of(rows, responder, group).map(Row::rate).collect());
            let memory = spread(of(rows, responder, group).map(Row::memory).collect());
            let (Some((low, rate, high)), Some((least, memory, most))) = (rates, memory) else { continue };
            writeln!(
                text,
                "| {} | {} | {rate:.0} ({low:.0}–{high:.0}) | {memory:.1} ({least:.1}–{most:.1}) |",
                responder.name(),
                group.number()
            )?;
        }
    }
    text.push_str("\n| | measured | target | |\n|---|---|---|---|\n");
    for group in Group::ALL {
        let figures = figures(rows, group, &Responder::Charon, Row::rate);
        let ratios = figures.iter().map(|figures| figures.new / figures.old);
        if let Some((low, ratio, high)) = spread(ratios.collect()) {
            let reached = if ratio >= TARGET { "reached" } else { "not reached" };
            writeln!(
                text,
                "| handshakes, group {}, times charon's | {ratio:.1} ({low:.1}–{high:.1}) | ≥ {TARGET:.0} | {reached} |",
                group.number()
            )?;
        }
    }
    let ours = rows.iter().filter(|row| row.responder == Responder::Hubward);
    if let Some((low, memory, high)) = spread(ours.map(Row::memory).collect()) {
        let reached = if memory <= MEMORY { "reached" } else { "not reached" };
        writeln!(text, "| KiB for a peer | {memory:.1} ({low:.1}–{high:.1}) | ≤ {MEMORY:.0} | {reached} |")?;
    }
    let comparisons: Vec<Comparison> = match &arguments.against {
        Some(program) => comparisons(rows, &Responder::Against(program.clone())),
        None => Vec::new(),
    };
    if let Some(program) = &arguments.against {
        text.push_str(&against::table(program, &comparisons)?);
    }
    let folder = machine::workspace().join("target/bench");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("ike.md"), &text)?;
    let all: Vec<_> = rows
        .iter()
        .map(|row| {
            json!({
                "responder": row.responder.name(), "group": row.group.number(), "round": row.round, "peers": row.peers,
                "cpu_s": row.cpu, "seconds": row.seconds, "grown_kib": row.grown,
            })
        })
        .collect();
    let against = arguments.against.as_deref().map(|program| against::json(program, &comparisons));
    let whole = json!({ "machine": machine::description()?, "versions": machine::versions(), "seed": seed,
        "rows": all, "against": against,
        "could_not_run": failed });
    std::fs::write(folder.join("ike.json"), serde_json::to_string_pretty(&whole)?)?;
    println!("\n{text}\n(target/bench/ike.md and ike.json)");
    Ok(())
}
