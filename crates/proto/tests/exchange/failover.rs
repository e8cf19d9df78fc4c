//! Crypto map entries with several `set peer` lines.

use super::support::*;
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::policy::{Keepalive, KeyPeer, MapEntryKind, Policy};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const SPOKE: &str = "10.100.2.102";
const BACKUP: &str = "10.48.67.182";
const NOBODY: &str = "10.48.67.199";

/// A spoke that contacts these peers, in this order.
fn spoke(peers: &[&str]) -> Policy {
    let mut policy = spoke_policy(SPOKE, "10.2.0.0/16");
    policy.keyrings[0].keys[0].peer = KeyPeer::Address(AddressRange::ANY_V4);
    let map = Arc::make_mut(&mut policy.maps[0]);
    if let MapEntryKind::Static { peers: list, .. } = &mut map.entries[0].kind {
        *list = peers.iter().map(|peer| ip(peer)).collect();
    }
    policy
}

/// The peers to which the spoke sent message 1 of phase 1, without repetitions.
fn called(world: &World) -> Vec<IpAddr> {
    let mut called: Vec<_> = world
        .trace
        .iter()
        .filter(|(_, datagram)| datagram.from.ip() == ip(SPOKE) && datagram.bytes[8..16] == [0; 8])
        .map(|(_, datagram)| datagram.to.ip())
        .collect();
    called.dedup();
    called
}

fn world(peers: &[&str]) -> World {
    World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new(BACKUP, hub_policy_at(BACKUP), 3),
        Node::new(SPOKE, spoke(peers), 2),
    ])
}

fn hub_policy_at(address: &str) -> Policy {
    let mut policy = hub_policy();
    policy.interfaces[0].address = Some(ip(address));
    policy
}

/// The first peer is silent: when its time is over, the waiting packet gets its tunnel with the
/// second peer, without another packet. After that tunnel ends, the first peer is tried first
/// again.
#[test]
fn a_silent_peer_is_passed_over() {
    let mut world = world(&[NOBODY, HUB]);
    world.acquire(2);
    world.run(Duration::from_secs(60));
    assert_eq!(called(&world), [ip(NOBODY)]);
    world.run(Duration::from_secs(10));
    assert_eq!(called(&world), [ip(NOBODY), ip(HUB)]);
    assert!(tunnel(&world.nodes[2], &world.nodes[0]));
    world.acquire(2);
    world.run(Duration::from_secs(1));
    assert_eq!(called(&world).len(), 2, "while the second serves it nobody else is called");
    world.input(2, Input::Command(Command::ClearSession { peer: None }));
    world.acquire(2);
    world.run(Duration::from_secs(1));
    assert_eq!(called(&world), [ip(NOBODY), ip(HUB), ip(NOBODY)]);
}

/// No peer answers: each is tried once for a packet, and the next packet starts the round again.
#[test]
fn one_round_for_a_packet() {
    let mut world = world(&[NOBODY, BACKUP, HUB]);
    world.filter = Some(Box::new(|datagram| datagram.from.ip() == ip(SPOKE)));
    world.acquire(2);
    world.run(Duration::from_secs(600));
    assert_eq!(called(&world), [ip(NOBODY), ip(BACKUP), ip(HUB)]);
    world.acquire(2);
    world.run(Duration::from_secs(1));
    assert_eq!(called(&world).last(), Some(&ip(NOBODY)));
}

/// A packet that arrives while the second peer is being tried waits for that attempt and starts
/// none of its own.
#[test]
fn a_packet_joins_the_call_under_way() {
    let mut world = world(&[NOBODY, BACKUP, HUB]);
    world.filter = Some(Box::new(|datagram| datagram.from.ip() == ip(SPOKE)));
    world.acquire(2);
    world.run(Duration::from_secs(80));
    world.acquire(2);
    world.run(Duration::from_secs(1));
    assert_eq!(called(&world), [ip(NOBODY), ip(BACKUP)]);
}

/// `crypto isakmp keepalive 10 2 periodic`: the first peer dies while its tunnel is up, and the
/// next packet goes to the second.
#[test]
fn a_dead_peer_is_passed_over() {
    let mut world = world(&[HUB, BACKUP]);
    let mut policy = spoke(&[HUB, BACKUP]);
    policy.global.keepalive =
        Some(Keepalive { interval: Duration::from_secs(10), retry: Duration::from_secs(2), periodic: true });
    world.nodes[2].engine = Engine::new(Arc::new(policy), [5; 32], world.now);
    world.acquire(2);
    world.run(Duration::from_secs(5));
    assert!(tunnel(&world.nodes[2], &world.nodes[0]));
    world.filter = Some(Box::new(|datagram| datagram.from.ip() != ip(HUB)));
    world.run(Duration::from_secs(40));
    assert!(world.nodes[2].events.iter().any(|event| event.kind == EventKind::PeerDead));
    world.acquire(2);
    world.run(Duration::from_secs(2));
    assert_eq!(called(&world), [ip(HUB), ip(BACKUP)]);
    assert!(tunnel(&world.nodes[2], &world.nodes[1]));
}
