//! `cargo bench-peers`: Hubward and other tunnels between two network namespaces of this machine,
//! alternating on the same machine; and `cargo bench-ike`: Hubward and strongSwan as responders.

#![allow(
    clippy::indexing_slicing,
    reason = "of what this tool made itself; a bench that finds its machine wrong may stop"
)]

mod against;
mod ike;
mod load;
mod machine;
mod net;
mod order;
mod peers;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::load::Load;
use crate::net::{Link, Pair};
use crate::order::Order;
use crate::peers::Peer;
use crate::report::Row;

const USAGE: &str = "usage: cargo bench-peers [--rounds N] [--seconds N] [--quick] [--only PEER]… [--targets] [--ungathered]
                         [--against PROGRAM] [--seed N] [--prototype PROGRAM]

Runs Hubward, strongSwan, OpenVPN, wireguard-go, boringtun and gotatun between two network namespaces, as root, in turns and in
another order in each round: once with a network device that carries UDP super-packets whole, once as with a plain
network card. What is missing is installed, by name.
The tables go to target/bench/peers.md and peers.json.

  --rounds N           rounds (5); releases are compared with nine
  --seconds N          seconds of each measurement (4)
  --quick              one round of two seconds
  --only PEER          only these, by the beginning of their names; may be repeated: veth (the cable alone), hubward-gcm, hubward-gcm-native
                       (protocol 50), hubward-cbc, hubward-3des, strongswan-gcm, strongswan-cbc, strongswan-3des, openvpn, wireguard-go,
                       boringtun, gotatun, against-gcm and so on, prototype
  --targets            only the loads that the targets are about: one stream of TCP, 64 bytes
  --ungathered         also over a cable whose receiving end does not gather datagrams
  --against PROGRAM    another Hubward program, beside each of Hubward's that runs: the ratio new to old within each round, its median and
                       its quartiles
  --seed N             the seed of the orders, to repeat those of another run; it is printed at the start
  --prototype PROGRAM  one more program: PROGRAM gcm TUN LOCAL:PORT REMOTE:PORT";

/// The options.
struct Arguments {
    rounds: usize,
    time: Duration,
    only: Vec<String>,
    loads: Vec<Load>,
    links: Vec<Link>,
    against: Option<PathBuf>,
    seed: u64,
    prototype: Option<String>,
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Option<Arguments>> {
    let mut all = Arguments {
        rounds: 5,
        time: Duration::from_secs(4),
        only: Vec::new(),
        loads: Load::ALL.to_vec(),
        links: vec![Link::SuperPackets, Link::NicLike],
        against: None,
        seed: order::any_seed()?,
        prototype: None,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| anyhow::anyhow!("{word} wants a value"));
        match word.as_str() {
            "--rounds" => all.rounds = number(&word, &value()?)?,
            "--seconds" => all.time = Duration::from_secs(number(&word, &value()?)?),
            "--quick" => (all.rounds, all.time) = (1, Duration::from_secs(2)),
            "--only" => all.only.push(value()?),
            "--targets" => all.loads = vec![Load::Tcp(1), Load::Small],
            "--ungathered" => all.links.push(Link::Ungathered),
            "--against" => all.against = Some(against::program(&value()?)?),
            "--seed" => all.seed = number(&word, &value()?)?,
            "--prototype" => all.prototype = Some(value()?),
            "--help" | "-h" => return Ok(None),
            _ => bail!("there is no {word}\n\n{USAGE}"),
        }
    }
    Ok(Some(all))
}

/// Parses the number of an option.
pub(crate) fn number<T: std::str::FromStr + PartialOrd + From<u8>>(option: &str, value: &str) -> Result<T> {
    let number = value.parse().ok().filter(|number| *number >= T::from(1));
    number.with_context(|| format!("{option} wants a whole number of at least 1, and not {value}"))
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).peekable();
    // this runs inside a namespace
    if words.peek().is_some_and(|word| word == load::GENERATE || word == load::SINK) {
        return finish(load::inside(&words.collect::<Vec<_>>()));
    }
    if words.peek().is_some_and(|word| word == ike::INITIATE) {
        return finish(ike::inside(&words.collect::<Vec<_>>()));
    }
    match words.next().as_deref() {
        Some("ike") => finish(ike::command(words)),
        Some("peers") => match arguments(words) {
            Ok(Some(arguments)) => finish(run(&arguments)),
            Ok(None) => {
                println!("{USAGE}");
                ExitCode::SUCCESS
            }
            Err(error) => finish(Err(error)),
        },
        _ => finish(Err(anyhow::anyhow!("usage: cargo bench-peers …, or cargo bench-ike …"))),
    }
}

fn finish(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let all = peers::all(arguments.against.as_deref(), arguments.prototype.as_deref());
    let peers: Vec<Peer> = all.into_iter().filter(|peer| peer.is_wanted(&arguments.only)).collect();
    let only = |only: &&String| !peers.iter().any(|peer| peer.name().starts_with(*only));
    if let Some(only) = arguments.only.iter().find(only) {
        bail!("none of the peers begins with {only}\n\n{USAGE}");
    }
    machine::install(|program| peers.iter().any(|peer| peer.name() == program))?;
    println!("seed {}", arguments.seed);
    let mut order = Order::new(arguments.seed);
    let mut rows: Vec<Row> = Vec::new();
    let mut absent: Vec<(String, String)> = Vec::new();
    for round in 1..=arguments.rounds {
        for link in arguments.links.iter().copied() {
            for peer in order.shuffled(&peers) {
                if absent.iter().any(|(name, _)| *name == peer.name()) {
                    continue;
                }
                match measure(peer, link, arguments, round) {
                    Ok(measured) => {
                        for row in measured {
                            println!("{round}/{} {row}", arguments.rounds);
                            rows.push(row);
                        }
                    }
                    Err(error) => {
                        println!("{round}/{} {} could not run: {error:#}", arguments.rounds, peer.name());
                        // a peer that never ran is not tried again
                        if !rows.iter().any(|row| row.peer == peer.name()) {
                            absent.push((peer.name(), format!("{error:#}")));
                        }
                    }
                }
            }
        }
    }
    report::write(&rows, &absent, arguments)
}

/// Measures one peer over one kind of link: the loads, one after the other.
fn measure(peer: &Peer, link: Link, arguments: &Arguments, round: usize) -> Result<Vec<Row>> {
    let pair = Pair::build(link)?;
    let tunnel = peer.start(&pair)?;
    tunnel.wait_up(&pair)?;
    let mut rows = Vec::new();
    for load in &arguments.loads {
        rows.push(load.run(peer, &pair, &tunnel, link, arguments.time, round)?);
    }
    Ok(rows)
}
