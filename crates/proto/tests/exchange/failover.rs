//! Crypto map entries with several `set peer` lines.

use super::support::*;
use hubward_proto::flow::selector::{AddressRange, Flow, Selector};
use hubward_proto::flow::tables::Acquire;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::names::{InterfaceId, Service};
use hubward_proto::policy::{CryptoAcl, CryptoAclLine, Keepalive, KeyPeer, MapEntryKind, Policy};
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

/// Packets for two lines of the list came while the only peer did not answer: it is called once
/// more for both, and then, without another packet, not again.
#[test]
fn a_failed_attempt_does_not_renew_itself() {
    let mut policy = spoke(&[NOBODY]);
    let map = Arc::make_mut(&mut policy.maps[0]);
    let MapEntryKind::Static { terms, .. } = &mut map.entries[0].kind else { panic!() };
    let line = |lan| CryptoAclLine {
        permit: true,
        selector: Selector::between(net(lan), net("10.1.0.0/16")),
        line: 1,
    };
    let lines = vec![line("10.2.0.0/16"), line("10.3.0.0/16"), line("10.4.0.0/16")];
    terms.acl = Some(Arc::new(CryptoAcl { name: "100".into(), lines }));
    let mut world = World::new(vec![Node::new(SPOKE, policy, 2)]);
    for acl_line in [0, 1, 2, 0] {
        let flow = Flow {
            source: ip("10.2.2.10"),
            destination: ip("10.1.1.10"),
            protocol: 1,
            source_port: None,
            destination_port: None,
        };
        let service = Service::entry("mymap", 10);
        world.input(0, Input::Acquire(Acquire { interface: InterfaceId(0), service, acl_line, flow }));
        world.run(Duration::from_secs(1));
    }
    world.run(Duration::from_secs(600));
    let cookies: std::collections::BTreeSet<_> =
        world.trace.iter().map(|(_, datagram)| datagram.bytes[..8].to_vec()).collect();
    assert_eq!(cookies.len(), 2);
    assert!(world.nodes[0].engine.inspect().isakmp.is_empty());
}
