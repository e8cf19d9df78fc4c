//! `cargo gates`: instructions of the packet path, of look-ups and of a handshake, counted by
//! valgrind and compared with `xtask/gates.txt`. Instructions, because time says little on a
//! machine with other load; those of a processor with AVX2 but without SHA and AVX-512
//! instructions, because valgrind emulates such a processor wherever it runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::tally::Tally;

/// More than that many hundredths above what was accepted is a failure.
const MORE: u64 = 5;

/// Packets of one time (`bench/src/bin/work.rs`).
const BATCH: u64 = 64;
/// Look-ups of one time.
const LOOKUPS: u64 = 1000;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("gates.txt")
}

/// `cargo gates [--accept]`
pub(crate) fn command(arguments: impl Iterator<Item = String>) -> ExitCode {
    let outcome = match arguments.collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => check(&mut Tally::default()),
        ["--accept"] => accept(),
        _ => {
            eprintln!("usage: cargo gates [--accept]");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes down what is counted.
fn accept() -> Result<()> {
    let counted = count_all()?;
    let mut text = String::from(
        "# Instructions: of a packet (bytes of the inner one), of a look-up, of a handshake (both ends).\n\
         # Written by `cargo gates --accept`, after whoever changed them has said why in the commit.\n",
    );
    counted.iter().try_for_each(|(name, count)| writeln!(text, "{name} = {count}"))?;
    std::fs::write(file(), text).context("write xtask/gates.txt")?;
    println!("accepted {} counts", counted.len());
    Ok(())
}

/// Counts, and compares with what was accepted.
pub(crate) fn check(tally: &mut Tally) -> Result<()> {
    let (counted, accepted) = (count_all()?, read()?);
    let mut failed = Vec::new();
    for (name, count) in &counted {
        let Some(before) = accepted.get(name) else {
            failed.push(format!("{name} is {count}, and not in xtask/gates.txt"));
            continue;
        };
        let change = *count as f64 / *before as f64 * 100.0 - 100.0;
        println!("{name:<16} {count:>10} instructions, {change:+.1} %");
        if *count * 100 > *before * (100 + MORE) {
            failed.push(format!(
                "{name} takes {count} instructions, {change:.1} % more than the {before} accepted"
            ));
        }
    }
    for name in accepted.keys().filter(|name| !counted.contains_key(*name)) {
        failed.push(format!("{name} is in xtask/gates.txt and was not counted"));
    }
    tally.failed += failed.len() as u64;
    tally.passed += (counted.len() as u64).saturating_sub(failed.len() as u64);
    if failed.is_empty() {
        return Ok(());
    }
    bail!(
        "{}\nIf that is meant, run `cargo gates --accept`, commit xtask/gates.txt, and say why in the message.",
        failed.join("\n")
    )
}

fn build() -> Result<PathBuf> {
    // together with the program itself, because then all that both need has the same features and
    // is compiled once
    let packages = ["--package", "hubward", "--package", "hubward-bench"];
    let arguments = ["build", "--release", "--locked", "--bin", "hubward", "--bin", "work"];
    if !crate::step::cargo_command().args(arguments).args(packages).status()?.success() {
        bail!("bench/src/bin/work.rs does not build");
    }
    Ok(crate::step::target().join("release/work"))
}

/// What each gate counts, by its name.
fn count_all() -> Result<BTreeMap<String, u64>> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        bail!("valgrind is not installed: `cargo ci packages` does that");
    }
    #[cfg(target_arch = "x86_64")]
    if !is_x86_feature_detected!("avx2") {
        bail!("this processor has no AVX2: its counts cannot be compared with those of xtask/gates.txt");
    }
    let program = &build()?;
    let mut counted = BTreeMap::new();
    for cipher in ["gcm", "cbc", "3des"] {
        for bytes in [64, 576, 1400] {
            let seal = each(program, &format!("seal-{cipher}-{bytes}"), 2)? / BATCH;
            let both = each(program, &format!("both-{cipher}-{bytes}"), 2)? / BATCH;
            counted.insert(format!("seal-{cipher}-{bytes}"), seal);
            counted.insert(format!("open-{cipher}-{bytes}"), both.saturating_sub(seal));
        }
    }
    for sas in ["1000", "100000"] {
        let name = format!("lookup-{sas}");
        let count = each(program, &name, 10)? / LOOKUPS;
        counted.insert(name, count);
    }
    for group in ["2", "14"] {
        let name = format!("handshake-{group}");
        let count = each(program, &name, 1)?;
        counted.insert(name, count);
    }
    Ok(counted)
}

/// Instructions of one time, from runs of `times` and of twice as many: what comes before and after
/// is in both.
fn each(program: &Path, name: &str, times: u64) -> Result<u64> {
    let once = instructions(program, name, times)?;
    let twice = instructions(program, name, 2 * times)?;
    Ok(twice.saturating_sub(once) / times)
}

fn instructions(program: &Path, name: &str, times: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([name, &times.to_string()])
        .output()
        .context("start valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let counted = said.lines().find_map(|line| line.split("Collected : ").nth(1));
    match counted.and_then(|count| count.trim().parse().ok()) {
        Some(count) if output.status.success() => Ok(count),
        _ => bail!("{name}: {said}"),
    }
}

fn read() -> Result<BTreeMap<String, u64>> {
    let text = std::fs::read_to_string(file()).context("read xtask/gates.txt")?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (name, count) = line.split_once('=').with_context(|| format!("xtask/gates.txt: {line:?}"))?;
            Ok((
                name.trim().to_owned(),
                count.trim().parse().with_context(|| format!("xtask/gates.txt: {line:?}"))?,
            ))
        })
        .collect()
}
