//! Two hundred simulations of three minutes: a hub, six branches and four clients over a bad network,
//! some behind NATs, with short lifetimes, dead peer detection and a few accidents. A line has the
//! digest of all datagrams of a simulation with their times, addresses and ports.

use super::golden;
use super::support::traffic::Traffic;
use super::support::*;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Command, Input, Limit};
use hubward_proto::policy::{Connection, Keepalive, MapEntryKind, Policy};
use hubward_proto::time::Instant;
use std::sync::Arc;
use std::time::Duration;

const SEEDS: u32 = 200;
const SPOKES: usize = 6;
const CLIENTS: usize = 4;

/// Phase 1 lasts 160 s and a child SA 110 s, so that both are renewed; peers are probed.
fn short(mut policy: Policy) -> Policy {
    let (phase1, child) = (Duration::from_secs(160), Duration::from_secs(110));
    policy.proposals.iter_mut().for_each(|proposal| proposal.lifetime = phase1);
    policy.global.keepalive =
        Some(Keepalive { interval: Duration::from_secs(20), retry: Duration::from_secs(3), periodic: true });
    for map in &mut policy.maps {
        for entry in &mut Arc::make_mut(map).entries {
            match &mut entry.kind {
                MapEntryKind::Static { terms, .. } => terms.lifetime = child,
                MapEntryKind::Dynamic { entries, .. } => {
                    entries.iter_mut().for_each(|entry| entry.terms.lifetime = child);
                }
            }
        }
    }
    for connection in &mut policy.connections {
        let connection: &mut Connection = Arc::make_mut(connection);
        connection.terms.lifetime = child;
        connection.proposals.iter_mut().for_each(|proposal| proposal.lifetime = phase1);
    }
    policy
}

fn address(index: usize) -> String {
    if index == 0 { HUB.into() } else { format!("172.16.0.{index}") }
}

fn policy(index: usize) -> Policy {
    short(match index {
        0 => hub_policy(),
        _ if index <= SPOKES => spoke_policy(&address(index), &format!("10.2.{}.0/24", index - 1)),
        _ => client_policy(&address(index)),
    })
}

fn engine(seed: u32, index: usize, start: u8, now: Instant) -> Engine {
    let mut own = [start; 32];
    own[..4].copy_from_slice(&seed.to_be_bytes());
    own[4..12].copy_from_slice(&(index as u64).to_be_bytes());
    Engine::new(Arc::new(policy(index)), own, now)
}

fn build(seed: u32) -> World {
    let nodes = (0..=SPOKES + CLIENTS).map(|index| {
        let mut node = Node::new(&address(index), policy(index), 1);
        node.engine = engine(seed, index, 1, Instant::ORIGIN);
        // every third site is behind one NAT
        if index > 0 && index % 3 == 0 {
            node.nat = Some(ip("192.0.2.1"));
        }
        node
    });
    let mut world = World::new(nodes.collect()).with_seed(seed);
    world.link = Link { loss: 80, duplicate: 50, jitter: Duration::from_millis(120) };
    world
}

/// One accident a minute, by the seed.
fn accident(world: &mut World, seed: u32, minute: u32) {
    let any = 1 + (seed + minute) as usize % (SPOKES + CLIENTS);
    match (seed / 10 + minute) % 6 {
        0 => {
            // a site loses power
            let now = world.now;
            let node = &mut world.nodes[any];
            node.engine = engine(seed, any, 2 + minute as u8, now);
            node.inbound.clear();
            node.outbound.clear();
            node.assignment = None;
            wake(world, any);
        }
        1 => world.forget_mappings(ip("192.0.2.1")),
        2 => {
            if let Some(child) = world.nodes[0].outbound.keys().next().copied() {
                world.input(0, Input::Expire { child, limit: Limit::Soft });
            }
        }
        3 => world.input(any, Input::Command(Command::ClearIsakmp { connection: None })),
        4 => world.input(0, Input::Command(Command::ClearSa { peer: None })),
        _ => world.input(any, Input::Command(Command::ClearSession { peer: None })),
    }
}

fn wake(world: &mut World, index: usize) {
    if index > SPOKES {
        world.input(index, Input::Command(Command::Connect { connection: "work".into() }));
    } else if world.nodes[index].outbound.is_empty() {
        world.acquire_from(index, ip(&format!("10.2.{}.10", index - 1)));
    }
}

fn simulated(seed: u32) -> String {
    let mut world = build(seed);
    let mut traffic = Traffic { every: 5, ..Traffic::default() };
    for client in SPOKES + 1..=SPOKES + CLIENTS {
        wake(&mut world, client);
    }
    for minute in 0..3 {
        for _ in 0..4 {
            (1..=SPOKES).for_each(|spoke| wake(&mut world, spoke));
            traffic.run(&mut world, 15);
        }
        accident(&mut world, seed, minute);
    }
    let mut text = Vec::new();
    for (at, datagram) in &world.trace {
        let head = format!("{} {} {} ", at.since_origin().as_nanos(), datagram.from, datagram.to);
        text.extend(head.as_bytes());
        text.extend(&datagram.bytes);
    }
    let up = (1..world.nodes.len()).filter(|index| tunnel(&world.nodes[*index], &world.nodes[0])).count();
    let (lost, delivered) = (traffic.lost, traffic.delivered);
    format!(
        "seed {seed:03} | {} datagrams | {up} of {} up | {lost} of {} packets lost | {}",
        world.trace.len(),
        SPOKES + CLIENTS,
        lost + delivered,
        super::digest(&[&text])
    )
}

/// Two threads share the seeds.
#[test]
fn two_hundred_seeds() {
    let half = |first: u32| (first..first + SEEDS / 2).map(simulated).collect::<Vec<_>>();
    let (one, other) = std::thread::scope(|scope| {
        let other = scope.spawn(move || half(SEEDS / 2));
        (half(0), other.join().unwrap())
    });
    golden::compare("recorded/golden/traces.txt", &[one, other].concat());
}
