//! Every fuzz target on mutated seeds: the same ones in every run, so that a failure can be
//! repeated.
//!
//! `HUBWARD_FUZZ_ROUNDS` multiplies the number of inputs and `HUBWARD_FUZZ_SEED` (a number below
//! 256) changes them; with `HUBWARD_CAPTURES` and `HUBWARD_CORPUS` recorded negotiations and real
//! configurations are seeds as well.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../../../crates/proto/tests/vectors/packets.rs"]
mod packets;

use hubward_crypto::random::Random;
use hubward_fuzz_targets::{TARGETS, Target};
use libtest_mimic::{Arguments, Trial};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// No input grows longer.
const LONGEST: usize = 40_000;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = TARGETS.iter().map(|target| Trial::test(target.name, move || attack(target)));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

fn number(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).map_or(usual, |text| text.parse().expect("a number"))
}

fn attack(target: &'static Target) -> Result<(), libtest_mimic::Failed> {
    let seed = u8::try_from(number("HUBWARD_FUZZ_SEED", 1)).expect("a number below 256");
    let rounds = u64::from(target.rounds) * u64::from(number("HUBWARD_FUZZ_ROUNDS", 1));
    let mut random = Random::new([seed; 32]);
    let mut seeds = (target.seeds)();
    seeds.extend(recorded(target.name));
    assert!(!seeds.is_empty());
    let mut slowest = (Duration::ZERO, Vec::new());
    let mut run = |input: &[u8]| {
        let begun = Instant::now();
        let outcome = std::panic::catch_unwind(|| (target.run)(input));
        if begun.elapsed() > slowest.0 {
            slowest = (begun.elapsed(), input.to_vec());
        }
        outcome.map_err(|_| format!("{} fails on {}", target.name, hex(input)))
    };
    for seed in &seeds {
        run(seed)?;
    }
    for _ in 0..rounds {
        run(&mutate(&mut random, &seeds))?;
    }
    let (time, input) = slowest;
    println!("{}: {rounds} inputs, the slowest took {time:?} for {} bytes", target.name, input.len());
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn below(random: &mut Random, end: usize) -> usize {
    random.u32() as usize % end.max(1)
}

/// A seed with one to eight things wrong.
fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut out = seeds[below(random, seeds.len())].clone();
    for _ in 0..=below(random, 8) {
        let at = below(random, out.len());
        let longest = if random.u32().is_multiple_of(8) { 512 } else { 8 };
        let length = 1 + below(random, longest);
        let end = out.len().min(at + length);
        match random.u32() % 9 {
            0 => out.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (length & 7)),
            1 => {
                let value = [0, 1, 0x7f, 0x80, 0xff, b'\n', b' ', 255 - 4][below(random, 8)];
                out.iter_mut().skip(at).take(length.min(4)).for_each(|byte| *byte = value);
            }
            2 => {
                let step = (random.u32() % 9) as u8;
                out.iter_mut()
                    .skip(at)
                    .take(1)
                    .for_each(|byte| *byte = byte.wrapping_add(step).wrapping_sub(4));
            }
            3 => {
                out.drain(at.min(out.len())..end);
            }
            4 => {
                let new: Vec<u8> = (0..length).map(|_| random.u32() as u8).collect();
                out.splice(at..at, new);
            }
            5 => {
                let copy = out.get(at..end).unwrap_or_default().to_vec();
                let place = below(random, out.len() + 1);
                let most = if random.u32().is_multiple_of(16) { 200 } else { 2 };
                let times = 1 + below(random, most);
                out.splice(place..place, copy.repeat(times));
            }
            6 => out.truncate(at),
            7 => {
                let other = &seeds[below(random, seeds.len())];
                let from = below(random, other.len());
                let piece = other.get(from..other.len().min(from + length * 16)).unwrap_or_default();
                out.splice(at..end, piece.iter().copied());
            }
            _ => {
                // a length field: right for what follows, or just beside it
                let rest = u16::try_from(out.len().saturating_sub(at)).unwrap_or(u16::MAX);
                let value = rest.wrapping_add((random.u32() % 7) as u16).wrapping_sub(3).to_be_bytes();
                for (place, byte) in out.iter_mut().skip(at).zip(value) {
                    *place = byte;
                }
            }
        }
        out.truncate(LONGEST);
    }
    out
}

/// Seeds that others made, where their folders are known.
fn recorded(target: &str) -> Vec<Vec<u8>> {
    let folder = |variable| std::env::var_os(variable).map(PathBuf::from);
    match target {
        "isakmp_message" => captures(folder("HUBWARD_CAPTURES")),
        "configuration" => {
            let files = folder("HUBWARD_CORPUS").map(|folder| entries(&folder)).unwrap_or_default();
            files.iter().filter(|path| path.is_file()).map(|path| read(path)).collect()
        }
        _ => Vec::new(),
    }
}

fn captures(folder: Option<PathBuf>) -> Vec<Vec<u8>> {
    let files = folder.map(|folder| entries(&folder)).unwrap_or_default();
    let files = files.iter().map(|path| path.join("capture.pcap")).filter(|path| path.is_file());
    files
        .flat_map(|path| packets::datagrams(&path))
        .filter_map(|datagram| datagram.ike().map(<[u8]>::to_vec))
        .collect()
}

/// A file's bytes.
pub(crate) fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let folder = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut entries: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}
