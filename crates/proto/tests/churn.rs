//! A hub, spokes and clients, half of them behind NATs, with one message in ten lost: sites lose
//! power, move, clear their SAs and rekey at odd moments, while traffic continues.
//!
//! `HUBWARD_SIMULATION_SEED` runs another sequence of events; a failing seed fails again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use hubward_crypto::random::Random;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Command, Input, Limit};
use hubward_proto::names::InterfaceId;
use hubward_proto::policy::{Keepalive, Policy};
use std::sync::Arc;
use std::time::Duration;
use support::traffic::Traffic;
use support::*;

const SPOKES: usize = 40;
const CLIENTS: usize = 10;

fn patient(mut policy: Policy) -> Policy {
    policy.global.keepalive =
        Some(Keepalive { interval: Duration::from_secs(30), retry: Duration::from_secs(3), periodic: true });
    policy
}

fn node_policy(index: usize) -> Policy {
    let address = address(index);
    if index == 0 {
        patient(hub_policy())
    } else if index <= SPOKES {
        spoke_policy(&address, &format!("10.2.{}.0/24", index - 1))
    } else {
        client_policy(&address)
    }
}

fn address(index: usize) -> String {
    if index == 0 { HUB.into() } else { format!("172.16.{}.{}", index / 100, index % 100 + 1) }
}

fn build(seed: u8) -> World {
    let nodes = (0..=SPOKES + CLIENTS).map(|index| {
        let mut node = Node::new(&address(index), node_policy(index), seed.wrapping_add(index as u8));
        let mut own = [seed; 32];
        own[..8].copy_from_slice(&(index as u64).to_be_bytes());
        node.engine = Engine::new(Arc::new(node_policy(index)), own, hubward_proto::time::Instant::ORIGIN);
        // every other site is behind a NAT, ten sites to a NAT
        if index > 0 && index % 2 == 0 {
            node.nat = Some(ip(&format!("192.0.2.{}", index / 20 + 1)));
        }
        node
    });
    let mut world = World::new(nodes.collect());
    world.link = Link { loss: 100, duplicate: 20, jitter: Duration::from_millis(80) };
    world
}

/// Checks what must hold at every moment.
fn invariants(world: &World) {
    for (index, node) in world.nodes.iter().enumerate() {
        let view = node.engine.inspect();
        for child in view.children.iter() {
            assert!(
                node.inbound.contains_key(&child.sa.id),
                "node {index}: the data plane has every pair's inbound half"
            );
        }
        assert_eq!(node.inbound.len(), view.children.len(), "node {index}: and no other");
        for id in node.outbound.keys() {
            assert!(node.inbound.contains_key(id), "node {index}: no outbound half is left behind");
        }
        assert!(view.children.len() <= if index == 0 { 1000 } else { 6 }, "node {index}: pairs pile up");
        assert!(view.isakmp.len() <= if index == 0 { 1200 } else { 12 }, "node {index}: SAs pile up");
        if let Some((due, why)) = node.engine.poll_timeout() {
            assert!(due > world.now, "node {index}: {why} is overdue");
        }
    }
    let hub = &world.nodes[0];
    let mut leases: Vec<_> = hub
        .engine
        .inspect()
        .isakmp
        .iter()
        .filter_map(|sa| Some((sa.assigned?, sa.path.remote, sa.path.remote_port)))
        .collect();
    leases.sort();
    leases.dedup();
    for pair in leases.windows(2) {
        assert_ne!(pair[0].0, pair[1].0, "one inner address belongs to one client");
    }
}

fn spoke_wants(world: &mut World, spoke: usize) {
    if world.nodes[spoke].outbound.is_empty() {
        world.acquire(spoke);
    }
}

#[test]
fn an_eventful_hour() {
    let seed =
        std::env::var("HUBWARD_SIMULATION_SEED").map_or(1, |text| text.parse().expect("a number below 256"));
    let mut world = build(seed);
    let mut random = Random::new([seed; 32]);
    let mut traffic = Traffic { every: 5, ..Traffic::default() };
    for client in SPOKES + 1..=SPOKES + CLIENTS {
        world.input(client, Input::Command(Command::Connect { connection: "work".into() }));
    }
    for minute in 0..60u64 {
        for spoke in 1..=SPOKES {
            spoke_wants(&mut world, spoke);
        }
        let any = 1 + random.u32() as usize % (SPOKES + CLIENTS);
        match random.u32() % 6 {
            0 => {
                // a site loses power
                let now = world.now;
                let mut own = [seed; 32];
                own[..8].copy_from_slice(&(1_000_000 + minute * 1_000 + any as u64).to_be_bytes());
                let node = &mut world.nodes[any];
                node.address = ip(&address(any));
                node.engine = Engine::new(Arc::new(node_policy(any)), own, now);
                node.inbound.clear();
                node.outbound.clear();
                if any > SPOKES {
                    world.input(any, Input::Command(Command::Connect { connection: "work".into() }));
                }
            }
            1 => {
                if let Some(child) = world.nodes[any].outbound.keys().last().copied() {
                    world.input(any, Input::Expire { child, limit: Limit::Soft });
                }
            }
            2 => {
                if let Some(child) = world.nodes[0].outbound.keys().next().copied() {
                    world.input(0, Input::Expire { child, limit: Limit::Soft });
                }
            }
            3 => world.input(any, Input::Command(Command::ClearIsakmp { connection: None })),
            4 => world.input(0, Input::Policy(Arc::new(node_policy(0)))),
            _ if world.nodes[any].nat.is_none() && any <= SPOKES => {
                let address = ip(&format!("172.17.{}.{}", minute, any));
                world.nodes[any].address = address;
                world.input(any, Input::Moved { interface: InterfaceId(0), address: Some(address) });
            }
            _ => {}
        }
        traffic.run(&mut world, 60);
        invariants(&world);
    }
    world.link = Link::default();
    for spoke in 1..=SPOKES {
        spoke_wants(&mut world, spoke);
    }
    traffic.run(&mut world, 180);
    for spoke in 1..=SPOKES {
        spoke_wants(&mut world, spoke);
    }
    traffic.run(&mut world, 30);
    invariants(&world);
    let without: Vec<_> =
        (1..=SPOKES + CLIENTS).filter(|index| !tunnel(&world.nodes[*index], &world.nodes[0])).collect();
    assert!(without.is_empty(), "without a tunnel at the end: {without:?}");
    let (lost, sent) = (traffic.lost, traffic.lost + traffic.delivered);
    println!("{lost} of {sent} packets found no SA");
    assert!(lost * 200 < sent, "{lost} of {sent} packets found no SA");
}
