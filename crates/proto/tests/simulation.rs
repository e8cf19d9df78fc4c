//! A hub with 200 spokes and 50 clients over a bad network: every peer gets its tunnel, nothing is
//! left over, no address is given twice, and the same seed gives the same trace.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use hubward_proto::ike::io::{Command, Input};
use std::collections::BTreeSet;
use std::time::Duration;
use support::*;

const SPOKES: usize = 200;
const CLIENTS: usize = 50;

fn build() -> World {
    let mut nodes = vec![Node::new(HUB, hub_policy(), 1)];
    for index in 0..SPOKES {
        let address = format!("10.100.{}.{}", index / 100, index % 100 + 1);
        let lan = format!("10.{}.0.0/16", 20 + index);
        nodes.push(Node::new(&address, spoke_policy(&address, &lan), (index % 250 + 2) as u8));
    }
    for index in 0..CLIENTS {
        let address = format!("10.51.82.{}", index + 1);
        nodes.push(Node::new(&address, client_policy(&address), (index + 3) as u8));
    }
    let mut world = World::new(nodes);
    world.link = Link { loss: 100, duplicate: 100, jitter: Duration::from_millis(200) };
    world
}

fn run() -> World {
    let mut world = build();
    for node in 1..=SPOKES {
        world.acquire(node);
        world.run(Duration::from_millis(20));
    }
    for node in SPOKES + 1..=SPOKES + CLIENTS {
        world.input(node, Input::Command(Command::Connect { connection: "work".into() }));
        world.run(Duration::from_millis(20));
    }
    // a spoke whose attempt failed completely is triggered again by its traffic
    for _ in 0..12 {
        world.run(Duration::from_secs(20));
        for node in 1..=SPOKES {
            if world.nodes[node].outbound.is_empty() {
                world.acquire(node);
            }
        }
    }
    world
}

#[test]
fn everybody_is_up_and_nothing_leaks() {
    let mut world = run();
    let down: Vec<_> =
        (1..world.nodes.len()).filter(|node| !tunnel(&world.nodes[*node], &world.nodes[0])).collect();
    assert!(down.is_empty(), "{down:?} have no tunnel");
    let addresses: Vec<_> =
        world.nodes.iter().filter_map(|node| node.assignment.as_ref()).map(|given| given.address).collect();
    assert_eq!(addresses.len(), CLIENTS);
    assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), CLIENTS, "an address was given twice");
    // every peer sends deletes; a lost delete is made up for when the lifetimes end
    for node in 1..world.nodes.len() {
        world.input(node, Input::Command(Command::Shutdown));
    }
    world.run(Duration::from_secs(2 * 86400));
    let view = world.nodes[0].engine.inspect();
    assert!(view.isakmp.is_empty(), "{} ISAKMP SAs are left", view.isakmp.len());
    assert!(view.children.is_empty(), "{} child SAs are left", view.children.len());
    assert!(world.nodes[0].inbound.is_empty() && world.nodes[0].outbound.is_empty());
    assert!(world.nodes[0].engine.poll_timeout().is_none(), "a timer is left");
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let trace = || {
        let world = run();
        world.trace.iter().map(|(at, datagram)| (*at, datagram.bytes.clone())).collect::<Vec<_>>()
    };
    assert_eq!(trace(), trace());
}
