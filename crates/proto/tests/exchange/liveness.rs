//! Peers that vanish, restart, move, or get another configuration.

use super::renewal::with_terms;
use super::support::traffic::Traffic;
use super::support::*;
use super::{hub_and_client, hub_and_spoke};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::names::InterfaceId;
use hubward_proto::policy::{Interface, Keepalive, MapEntryKind, Policy};
use std::sync::Arc;
use std::time::Duration;

fn keepalive(mut policy: Policy, periodic: bool) -> Policy {
    policy.global.keepalive =
        Some(Keepalive { interval: Duration::from_secs(10), retry: Duration::from_secs(2), periodic });
    policy
}

/// A node loses its memory.
fn restart(world: &mut World, node: usize, policy: Policy) {
    let now = world.now;
    let old = &mut world.nodes[node];
    old.engine = Engine::new(Arc::new(policy), [77; 32], now);
    old.inbound.clear();
    old.outbound.clear();
    old.assignment = None;
}

fn is_dead(world: &World, node: usize) -> bool {
    world.nodes[node].events.iter().any(|event| event.kind == EventKind::PeerDead)
}

/// `crypto isakmp keepalive 10 2 periodic`: R-U-THERE five times, then the peer is dead.
#[test]
fn a_silent_peer_is_dead() {
    let mut world = hub_and_spoke();
    world.nodes[0] = Node::new(HUB, keepalive(hub_policy(), true), 1);
    world.acquire(1);
    world.run(Duration::from_secs(60));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "an idle peer that answers lives");
    world.filter = Some(Box::new(|datagram| datagram.from.ip() != ip("10.100.2.102")));
    world.run(Duration::from_secs(40));
    assert!(is_dead(&world, 0));
    assert!(world.nodes[0].inbound.is_empty() && world.nodes[0].engine.inspect().isakmp.is_empty());
}

/// An attacker on the path sends the hub's own probes, and the hub's answers to them, back to it:
/// the peer is still dead.
#[test]
fn reflected_probes_keep_nobody_alive() {
    let mut world = hub_and_spoke();
    world.nodes[0] = Node::new(HUB, keepalive(hub_policy(), true), 1);
    world.acquire(1);
    world.run(Duration::from_secs(20));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
    let recorded = Arc::clone(&sent);
    world.filter = Some(Box::new(move |datagram| {
        if datagram.from.ip() == ip(HUB) {
            recorded.lock().unwrap().push(datagram.clone());
        }
        false
    }));
    for _ in 0..600 {
        world.run(Duration::from_millis(100));
        for mut datagram in std::mem::take(&mut *sent.lock().unwrap()) {
            std::mem::swap(&mut datagram.from, &mut datagram.to);
            world.inject(datagram);
        }
    }
    assert!(is_dead(&world, 0));
    let used = |refusal: &String| refusal.contains("used");
    assert!(world.nodes[0].refusals().iter().any(used), "{:?}", world.nodes[0].refusals());
}

/// The address of a client that vanished is released.
#[test]
fn a_dead_clients_lease_is_released() {
    let mut world = hub_and_client();
    world.nodes[0] = Node::new(HUB, keepalive(hub_policy(), true), 1);
    world.run(Duration::from_secs(5));
    assert_eq!(world.nodes[0].leases.len(), 1);
    world.filter = Some(Box::new(|datagram| datagram.from.ip() == ip(HUB)));
    world.run(Duration::from_secs(60));
    assert_eq!(world.nodes[0].released.len(), 1);
    assert!(world.nodes[0].inbound.is_empty());
}

/// The hub restarts. A spoke without `crypto isakmp keepalive` notices within half a minute that
/// nobody answers.
#[test]
fn a_spoke_finds_out_that_the_hub_restarted() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let mut traffic = Traffic::default();
    traffic.run(&mut world, 10);
    restart(&mut world, 0, hub_policy());
    traffic.run(&mut world, 40);
    assert!(is_dead(&world, 1));
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
}

/// `crypto isakmp invalid-spi-recovery`: the hub restarts, and notifies a spoke of its dynamic map
/// as soon as the spoke sends something.
#[test]
fn a_hub_tells_a_spoke_that_sends_an_unknown_spi() {
    for recovery in [true, false] {
        let mut world = hub_and_spoke();
        world.acquire(1);
        world.run(Duration::from_secs(2));
        let mut traffic = Traffic::default();
        traffic.run(&mut world, 3);
        let mut policy = hub_policy();
        policy.global.invalid_spi_recovery = recovery;
        restart(&mut world, 0, policy);
        traffic.run(&mut world, 3);
        assert_eq!(
            world.nodes[1].inbound.is_empty(),
            recovery,
            "the spoke knows, before any probe of its own"
        );
        world.acquire(1);
        world.run(Duration::from_secs(2));
        assert_eq!(tunnel(&world.nodes[1], &world.nodes[0]), recovery);
        let calls = world.nodes[0].engine.inspect().isakmp.len();
        assert!(calls <= 2, "{calls} ISAKMP SAs: each packet called the spoke");
    }
}

/// The hub restarts; the client reconnects by itself and gets an address again.
#[test]
fn a_client_reconnects() {
    let mut world = hub_and_client();
    world.run(Duration::from_secs(3));
    let mut traffic = Traffic::default();
    traffic.run(&mut world, 10);
    restart(&mut world, 0, hub_policy());
    traffic.run(&mut world, 60);
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    assert!(world.nodes[1].assignment.is_some());
}

/// A client whose hub is unreachable retries with growing pauses, and connects once the hub is
/// reachable.
#[test]
fn a_client_keeps_trying() {
    let mut world = hub_and_client();
    world.filter = Some(Box::new(|_| false));
    world.run(Duration::from_secs(600));
    assert!(world.nodes[1].assignment.is_none());
    world.filter = None;
    world.run(Duration::from_secs(150));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
}

/// `Disconnect` takes both phases down on both sides, and nothing comes up again.
#[test]
fn a_client_disconnects() {
    let mut world = hub_and_client();
    world.run(Duration::from_secs(3));
    world.input(1, Input::Command(Command::Disconnect { connection: "work".into() }));
    world.run(Duration::from_secs(120));
    for node in &world.nodes {
        assert!(node.inbound.is_empty() && node.engine.inspect().isakmp.is_empty());
    }
    assert!(world.nodes[1].assignment.is_none());
    assert_eq!(world.nodes[0].released.len(), 1);
}

/// INITIAL-CONTACT of a restarted spoke clears the SAs that the hub had for it, and only those.
#[test]
fn initial_contact_clears_the_same_peer_only() {
    let mut world = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new("192.168.77.10", spoke_policy("192.168.77.10", "10.2.0.0/16"), 2),
        Node::new("192.168.77.11", spoke_policy("192.168.77.11", "10.3.0.0/16"), 3),
    ]);
    world.nodes[1].nat = Some(ip("192.0.2.7"));
    world.nodes[2].nat = Some(ip("192.0.2.7"));
    world.acquire(1);
    world.acquire(2);
    world.run(Duration::from_secs(3));
    assert_eq!(world.nodes[0].inbound.len(), 2);
    let neighbour = *world.nodes[2].outbound.keys().next().unwrap();
    restart(&mut world, 1, spoke_policy("192.168.77.10", "10.2.0.0/16"));
    world.acquire(1);
    world.run(Duration::from_secs(3));
    assert_eq!(
        world.nodes[0].inbound.len(),
        2,
        "the old pair is gone, the new one and the neighbour's are there"
    );
    assert_eq!(world.nodes[0].engine.inspect().isakmp.len(), 2);
    assert!(world.nodes[2].outbound.contains_key(&neighbour));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]) && tunnel(&world.nodes[2], &world.nodes[0]));
}

/// Applying the same configuration again sends nothing and changes nothing.
#[test]
fn the_same_policy_touches_nobody() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let (sent, child) = (world.trace.len(), *world.nodes[0].inbound.keys().next().unwrap());
    world.input(0, Input::Policy(Arc::new(hub_policy())));
    world.run(Duration::from_secs(5));
    assert_eq!(world.trace.len(), sent);
    assert!(world.nodes[0].inbound.contains_key(&child));
}

/// Another transform set for the entry ends its child SAs on both sides; phase 1 stays.
#[test]
fn another_entry_ends_its_pairs() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let policy = with_terms(hub_policy(), |terms| terms.lifetime = Duration::from_secs(1800));
    world.input(0, Input::Policy(Arc::new(policy)));
    world.run(Duration::from_secs(1));
    assert!(world.nodes.iter().all(|node| node.inbound.is_empty()));
    assert_eq!(world.nodes[0].engine.inspect().isakmp.len(), 1);
}

/// Other interfaces than the crypto interface are added, moved and removed: no packet is sent and
/// nothing ends.
#[test]
fn other_interfaces_are_not_this_one() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let sent = world.trace.len();
    let mut policy = hub_policy();
    let loopback = Interface {
        id: InterfaceId(7),
        name: "Loopback0".into(),
        address: Some(ip("10.9.0.1")),
        crypto_map: None,
    };
    policy.interfaces.insert(0, loopback);
    world.input(0, Input::Policy(Arc::new(policy)));
    world.input(0, Input::Policy(Arc::new(hub_policy())));
    world.run(Duration::from_secs(5));
    assert_eq!(world.trace.len(), sent);
    assert_eq!(world.nodes[0].inbound.len(), 1);
}

/// The interface loses its crypto map, or is removed: what it served ends on both sides.
#[test]
fn an_interface_without_its_map_serves_nobody() {
    for removed in [false, true] {
        let mut world = hub_and_spoke();
        world.acquire(1);
        world.run(Duration::from_secs(2));
        assert_eq!(world.nodes[0].inbound.len(), 1);
        let mut policy = hub_policy();
        match removed {
            true => policy.interfaces.clear(),
            false => policy.interfaces[0].crypto_map = None,
        }
        world.input(0, Input::Policy(Arc::new(policy)));
        world.run(Duration::from_secs(1));
        assert!(world.nodes.iter().all(|node| node.inbound.is_empty()), "removed: {removed}");
    }
}

/// `reverse-route` adds its route when a tunnel comes up, so an entry that gains the command ends
/// its tunnels.
#[test]
fn an_entry_that_gains_its_reverse_route_starts_afresh() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert_eq!(world.nodes[1].inbound.len(), 1);
    let mut policy = spoke_policy("10.100.2.102", "10.2.0.0/16");
    let mut map = (*policy.maps[0]).clone();
    let MapEntryKind::Static { terms, .. } = &mut map.entries[0].kind else { panic!("{map:?}") };
    terms.reverse_route = true;
    policy.maps = vec![Arc::new(map)];
    world.input(1, Input::Policy(Arc::new(policy)));
    assert!(world.nodes[1].inbound.is_empty());
}

/// DHCP gives the spoke another address: the old tunnel ends without a message, and traffic brings
/// up another, once the hub has found nobody at the old address.
#[test]
fn another_local_address() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let sent = world.trace.len();
    world.nodes[1].address = ip("10.100.2.200");
    world.input(1, Input::Moved { interface: InterfaceId(0), address: Some(ip("10.100.2.200")) });
    assert!(world.nodes[1].inbound.is_empty());
    assert_eq!(world.trace.len(), sent, "nothing can be sent from the old address");
    world.acquire(1);
    // its old address was heard just now, and is asked for six seconds
    world.run(Duration::from_secs(7));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    assert_eq!(in_use_path(&world), ip("10.100.2.200"));
}

fn in_use_path(world: &World) -> std::net::IpAddr {
    world.nodes[0].engine.inspect().children.last().unwrap().path.remote
}

/// The NAT restarts and maps the spoke to another port: the hub follows messages that are proven to
/// be the spoke's.
#[test]
fn the_nat_maps_another_port() {
    let mut world = hub_and_spoke();
    world.nodes[1] =
        Node::new("10.100.2.102", keepalive(spoke_policy("10.100.2.102", "10.2.0.0/16"), true), 2);
    world.nodes[1].nat = Some(ip("192.0.2.7"));
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let before = world.nodes[0].engine.inspect().children[0].path.remote_port;
    world.forget_mappings(ip("192.0.2.7"));
    world.run(Duration::from_secs(30));
    let after = world.nodes[0].engine.inspect();
    assert_ne!(after.children[0].path.remote_port, before);
    assert_eq!(after.isakmp[0].path.remote_port, after.children[0].path.remote_port);
    assert!(world.nodes[1].keepalives > 0, "the side behind the NAT keeps its mapping alive");
    assert!(!is_dead(&world, 1));
}
