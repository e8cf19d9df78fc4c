//! `cargo bench-ike`: handshakes for each second of processor time, and memory for each established
//! peer, of Hubward and of strongSwan's charon as responder, in turns and with the same initiator.

mod initiator;
mod report;
mod responder;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::net::{Link, Pair};
use crate::order::Order;
use crate::{against, machine, number, order};
use report::Row;
use responder::Responder;

pub(crate) use initiator::{INITIATE, inside};

const USAGE: &str = "usage: cargo bench-ike [--rounds N] [--peers N] [--quick] [--against PROGRAM] [--seed N]

Runs main mode with a pre-shared key and quick mode from many addresses against Hubward and against strongSwan's charon, as root, in
two network namespaces, in turns and in another order in each round, with MODP groups 2 and 14. What is missing is installed, by name.
The table goes to target/bench/ike.md and ike.json.

  --rounds N         rounds (5); releases are compared with nine
  --peers N          peers that connect in each measurement (4000); with less than 1000 the figures say little
  --quick            one round of 1000 peers
  --against PROGRAM  another Hubward program beside this build: the ratio new to old within each round, its median and its quartiles
  --seed N           the seed of the orders, to repeat those of another run; it is printed at the start";

/// A Diffie-Hellman group of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Group {
    Two,
    Fourteen,
}

impl Group {
    const ALL: [Self; 2] = [Self::Two, Self::Fourteen];

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Two => 2,
            Self::Fourteen => 14,
        }
    }
}

/// Peers that connect before anything is measured: by then, tables and buffers have grown.
const WARM_UP: u32 = 200;

/// The options.
struct Arguments {
    rounds: usize,
    peers: u32,
    /// Another Hubward program.
    against: Option<PathBuf>,
    seed: u64,
}

/// Runs the comparison with the words of the command line as options.
pub(crate) fn command(mut words: impl Iterator<Item = String>) -> Result<()> {
    let mut arguments = Arguments { rounds: 5, peers: 4000, against: None, seed: order::any_seed()? };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| anyhow::anyhow!("{word} wants a value"));
        match word.as_str() {
            "--rounds" => arguments.rounds = number(&word, &value()?)?,
            "--peers" => arguments.peers = number(&word, &value()?)?,
            "--quick" => (arguments.rounds, arguments.peers) = (1, 1000),
            "--against" => arguments.against = Some(against::program(&value()?)?),
            "--seed" => arguments.seed = number(&word, &value()?)?,
            "--help" | "-h" => {
                println!("{USAGE}");
                return Ok(());
            }
            _ => bail!("there is no {word}\n\n{USAGE}"),
        }
    }
    if arguments.peers > 60_000 {
        bail!("there are addresses for 60000 peers");
    }
    machine::install(|_| false)?;
    run(&arguments)
}

fn run(arguments: &Arguments) -> Result<()> {
    println!("seed {}", arguments.seed);
    let mut order = Order::new(arguments.seed);
    let responders = Responder::all(arguments.against.as_deref());
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for round in 1..=arguments.rounds {
        for group in Group::ALL {
            for responder in order.shuffled(&responders) {
                match measure(responder, group, arguments.peers, round) {
                    Ok(row) => {
                        println!("{round}/{} {row}", arguments.rounds);
                        rows.push(row);
                    }
                    Err(error) => {
                        println!(
                            "{round}/{} {} could not run: {error:#}",
                            arguments.rounds,
                            responder.name()
                        );
                        failed.push(format!("{}, group {}: {error:#}", responder.name(), group.number()));
                    }
                }
            }
        }
    }
    report::write(&rows, &failed, arguments)
}

fn measure(responder: &Responder, group: Group, peers: u32, round: usize) -> Result<Row> {
    let pair = Pair::build(Link::SuperPackets)?;
    initiator::addresses(&pair)?;
    let running = responder.start(&pair, group)?;
    initiator::run(&pair, group, 0, WARM_UP)?;
    let (cpu, memory) = (running.process().cpu()?, running.process().memory()?);
    let start = std::time::Instant::now();
    initiator::run(&pair, group, WARM_UP, peers)?;
    let seconds = start.elapsed().as_secs_f64();
    // gives it time for delayed frees and writes
    std::thread::sleep(Duration::from_secs(1));
    let (cpu, grown) = (running.process().cpu()? - cpu, running.process().memory()?.saturating_sub(memory));
    let established = running.established()?;
    if established != WARM_UP + peers {
        bail!("{established} of {} peers are established", WARM_UP + peers);
    }
    Ok(Row { responder: responder.clone(), group, peers, cpu, seconds, grown, round })
}
