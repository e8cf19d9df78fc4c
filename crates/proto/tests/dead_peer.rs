//! Child SAs that the peer has lost: when that is noticed, and how the tunnel comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/peer.rs"]
mod peer;
mod support;

use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::names::ChildId;
use hubward_proto::policy::{Keepalive, Policy};
use hubward_proto::time::Instant;
use hubward_proto::wire::ike1::Notify;
use hubward_proto::wire::isakmp::Writer;
use hubward_proto::wire::registry::{exchange, notify, payload, protocol};
use peer::{Bench, Peer, path};
use std::sync::Arc;
use std::time::Duration;
use support::traffic::in_use;
use support::*;

const SPOKE: &str = "10.100.2.102";
const LAN: &str = "10.2.0.0/16";

fn probing(mut policy: Policy) -> Policy {
    policy.global.keepalive =
        Some(Keepalive { interval: Duration::from_secs(10), retry: Duration::from_secs(2), periodic: false });
    policy
}

/// A hub and a spoke with a tunnel whose phase 1 has ended on both sides.
fn without_phase_1(hub: Policy, nat: bool) -> World {
    let mut world = World::new(vec![Node::new(HUB, hub, 1), Node::new(SPOKE, spoke_policy(SPOKE, LAN), 2)]);
    world.nodes[1].nat = nat.then(|| ip("192.0.2.7"));
    world.acquire(1);
    world.run(Duration::from_secs(2));
    // the deletes are lost: a child SA stays without its phase 1
    world.filter = Some(Box::new(|_| false));
    for node in [0, 1] {
        world.input(node, Input::Command(Command::ClearIsakmp { connection: None }));
        assert!(world.nodes[node].engine.inspect().isakmp.is_empty());
        assert_eq!(world.nodes[node].inbound.len(), 1);
    }
    world.filter = None;
    world
}

/// The spoke loses its memory.
fn restart(world: &mut World) {
    let now = world.now;
    world.nodes[1].engine = Engine::new(Arc::new(spoke_policy(SPOKE, LAN)), [77; 32], now);
    world.nodes[1].inbound.clear();
    world.nodes[1].outbound.clear();
}

/// The hub sends a packet each second; what the spoke has an SA for is answered if `answers`.
/// Returns after how many seconds the first one arrived, if any did.
fn stream(world: &mut World, seconds: u64, answers: bool) -> Option<u64> {
    let mut arrived = None;
    for second in 0..seconds {
        for child in in_use(&world.nodes[0]) {
            let there = world.nodes[1].inbound.values().any(|sa| sa.inbound.spi == child.outbound.spi);
            let (now, id) = (world.now, child.id);
            let heard = (there && answers).then_some(now);
            world.input(0, Input::Traffic { child: id, last_inbound: heard, last_outbound: Some(now) });
            if there {
                arrived = arrived.or(Some(second));
            }
        }
        world.run(Duration::from_secs(1));
    }
    arrived
}

fn is_dead(world: &World) -> bool {
    world.nodes[0].events.iter().any(|event| event.kind == EventKind::PeerDead)
}

/// First messages from the hub.
fn calls(world: &World) -> usize {
    let call = |datagram: &Datagram| datagram.from.ip() == ip(HUB) && datagram.bytes[8..16] == [0; 8];
    world.trace.iter().filter(|(_, datagram)| call(datagram)).count()
}

#[test]
fn a_peer_that_restarted_has_its_tunnel_back_although_phase_1_was_gone() {
    for (policy, nat) in
        [(probing(hub_policy()), false), (hub_policy(), false), (probing(hub_policy()), true)]
    {
        let mut world = without_phase_1(policy, nat);
        restart(&mut world);
        let arrived = stream(&mut world, 30, true).expect("packets arrive again");
        assert!((10..=13).contains(&arrived), "after {arrived} s");
        assert!(tunnel(&world.nodes[0], &world.nodes[1]) && !is_dead(&world), "nat: {nat}");
        world.run(Duration::from_secs(10));
        assert_eq!(world.nodes[0].inbound.len(), 1, "the lost pair is gone");
    }
}

/// The peer is there, has its SAs, and has nothing to say: phase 1 is made once, and nothing ends.
#[test]
fn a_stream_in_one_direction_ends_nothing() {
    let mut world = without_phase_1(probing(hub_policy()), false);
    assert_eq!(stream(&mut world, 120, false), Some(0));
    assert!(!is_dead(&world) && tunnel(&world.nodes[0], &world.nodes[1]));
    assert_eq!(calls(&world), 1);
}

#[test]
fn an_idle_tunnel_without_phase_1_calls_nobody() {
    let mut world = without_phase_1(probing(hub_policy()), false);
    world.run(Duration::from_secs(600));
    assert_eq!((calls(&world), world.nodes[0].inbound.len()), (0, 1));
}

/// Nobody is where the peer was: with `crypto isakmp keepalive`, its child SAs end within the time
/// of dead peer detection, and with them their routes; without, they stay, as on a router.
#[test]
fn a_peer_that_cannot_be_reached_is_dead_within_the_time_of_dpd() {
    for (policy, dies) in [(probing(hub_policy()), true), (hub_policy(), false)] {
        let mut world = without_phase_1(policy, false);
        world.filter = Some(Box::new(|datagram| datagram.to.ip() != ip(SPOKE)));
        stream(&mut world, 15, false);
        assert!(!is_dead(&world) && world.nodes[0].inbound.len() == 1, "it is being asked");
        stream(&mut world, 8, false);
        assert_eq!((is_dead(&world), world.nodes[0].inbound.is_empty()), (dies, dies));
        stream(&mut world, 100, false);
        assert_eq!(world.nodes[0].inbound.is_empty(), dies);
        assert!(calls(&world) < 30, "{}", calls(&world));
    }
}

/// While the hub asks, the peer's own packet arrives: it is not dead, though it answers no call.
#[test]
fn a_peer_that_is_heard_meanwhile_is_not_dead() {
    let mut world = without_phase_1(probing(hub_policy()), false);
    world.filter = Some(Box::new(|datagram| datagram.to.ip() != ip(SPOKE)));
    stream(&mut world, 15, false);
    let (now, child) = (world.now, *world.nodes[0].inbound.keys().next().unwrap());
    world.input(0, Input::Traffic { child, last_inbound: Some(now), last_outbound: Some(now) });
    stream(&mut world, 6, false);
    assert!(!is_dead(&world) && world.nodes[0].inbound.len() == 1);
}

/// Somebody else is at the peer's address, with the key that all branches share: the hub's call is
/// answered, and the network is not given away.
#[test]
fn whoever_answers_the_call_is_not_given_the_network() {
    let mut world = without_phase_1(probing(hub_policy()), false);
    let mut other = spoke_policy(SPOKE, LAN);
    other.global.identity = hubward_proto::policy::SelfIdentity::Fqdn("rogue.example.org".into());
    let mut policy = probing(hub_policy());
    let host = hubward_proto::policy::IdentityMatch::Host("rogue.example.org".into());
    policy.profiles[0].matches.push(host);
    world.nodes[0].engine.handle(world.now, Input::Policy(Arc::new(policy)));
    let now = world.now;
    world.nodes[1].engine = Engine::new(Arc::new(other), [78; 32], now);
    world.nodes[1].inbound.clear();
    world.nodes[1].outbound.clear();
    stream(&mut world, 40, false);
    assert!(world.nodes[1].inbound.is_empty(), "{:?}", world.nodes[0].refusals());
    let told = |text: &String| text.contains("another peer than the one that was called");
    assert!(world.nodes[0].refusals().iter().any(told), "{:?}", world.nodes[0].refusals());
}

/// Our own restart: the peer's packets have SPIs that we do not know. With
/// `crypto isakmp invalid-spi-recovery` it is called, once.
#[test]
fn after_our_own_restart_the_peer_is_called_once() {
    let mut world = without_phase_1(hub_policy(), false);
    let mut policy = hub_policy();
    policy.global.invalid_spi_recovery = true;
    let now = world.now;
    world.nodes[0].engine = Engine::new(Arc::new(policy), [77; 32], now);
    world.nodes[0].inbound.clear();
    world.nodes[0].outbound.clear();
    let mut traffic = traffic::Traffic::default();
    traffic.run(&mut world, 5);
    assert!(world.nodes[1].inbound.is_empty(), "INITIAL-CONTACT told it");
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    assert_eq!(calls(&world), 1);
}

// ---- INVALID-SPI
// -------------------------------------------------------------------------------------------------

fn bench() -> (Bench, Peer) {
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [7; 32], Instant::ORIGIN));
    let mut spoke = Peer::main_mode(&mut bench, path(ip(HUB), ip(SPOKE), 500), "cisco123", 2);
    assert!(spoke.quick_mode(&mut bench, 21, [10, 2, 0, 0, 255, 255, 0, 0], [10, 1, 0, 0, 255, 255, 0, 0]));
    (bench, spoke)
}

fn invalid_spi(spi: u32, in_data: bool) -> Writer {
    let spi = spi.to_be_bytes().to_vec();
    let (data, spi) = if in_data { (spi, Vec::new()) } else { (Vec::new(), spi) };
    let message = Notify { protocol: protocol::ESP, spi, kind: notify::INVALID_SPI, data };
    let mut writer = Writer::new();
    writer.push(payload::NOTIFY, message.write());
    writer
}

fn children(bench: &Bench) -> Vec<ChildId> {
    bench.engine.inspect().children.iter().map(|child| child.sa.id).collect()
}

/// Under phase 1 the peer says that it does not know the SPI: the child SA is made anew at once.
#[test]
fn a_peer_that_does_not_know_an_spi_gets_another_child() {
    for in_data in [true, false] {
        let (mut bench, mut spoke) = bench();
        let message = spoke.seal(exchange::INFORMATIONAL, 77, &invalid_spi(1021, in_data));
        let sent = bench.datagram(spoke.path, &message);
        assert!(children(&bench).is_empty());
        assert!(sent.iter().any(|bytes| bytes[18] == exchange::QUICK), "in data: {in_data}");
        // once
        assert!(bench.datagram(spoke.path, &message).is_empty());
    }
}

/// An SPI that is nobody's, or another peer's, ends nothing, nor does it end a quick mode of ours.
#[test]
fn an_spi_of_another_peer_is_not_this_ones_to_revoke() {
    let (mut bench, _spoke) = bench();
    let other = path(ip(HUB), ip("10.100.2.103"), 500);
    let mut other = Peer::main_mode(&mut bench, other, "cisco123", 3);
    let before = children(&bench);
    for spi in [1021, 4711] {
        let message = other.seal(exchange::INFORMATIONAL, 77 + spi, &invalid_spi(spi, true));
        assert!(bench.datagram(other.path, &message).is_empty());
    }
    assert_eq!(children(&bench), before);
    let told = |refusal: &&Refusal| matches!(refusal, Refusal::PeerError { kind: notify::INVALID_SPI, .. });
    assert_eq!(bench.refusals.iter().filter(told).count(), 2);
}

/// Without protection anybody can say it.
#[test]
fn an_unprotected_invalid_spi_has_no_effect() {
    let (mut bench, spoke) = bench();
    let before = children(&bench);
    let writer = invalid_spi(1021, true);
    let zero = hubward_proto::wire::isakmp::Cookie::ZERO;
    let none = hubward_proto::wire::isakmp::Cookies { initiator: zero, responder: zero };
    for cookies in [spoke.cookies, none] {
        assert!(
            bench.datagram(spoke.path, &peer::clear(cookies, exchange::INFORMATIONAL, &writer)).is_empty()
        );
    }
    assert_eq!(children(&bench), before);
    assert_eq!(bench.engine.inspect().isakmp.len(), 1);
}

/// The hub's child SAs are cleared, and the delete is lost: the spoke goes on with an SPI that the
/// hub does not know, while phase 1 is up on both sides and answers every probe. The hub tells it.
#[test]
fn a_peer_whose_delete_was_lost_is_told_by_its_own_packets() {
    for nat in [None, Some(ip("192.0.2.7"))] {
        let mut world = World::new(vec![
            Node::new(HUB, probing(hub_policy()), 1),
            Node::new(SPOKE, spoke_policy(SPOKE, LAN), 2),
        ]);
        world.nodes[1].nat = nat;
        world.acquire(1);
        world.run(Duration::from_secs(2));
        world.filter = Some(Box::new(|_| false));
        world.input(0, Input::Command(Command::ClearSa { peer: None }));
        world.filter = None;
        assert!(world.nodes[0].inbound.is_empty() && !world.nodes[1].outbound.is_empty());
        let child = Arc::clone(world.nodes[1].outbound.values().next().unwrap());
        let (local, remote) = (child.path.remote, nat.unwrap_or(child.path.local));
        let path = hubward_proto::path::Path { local, remote, ..child.path };
        world.input(0, Input::UnknownSpi { path, spi: child.outbound.spi });
        world.run(Duration::from_secs(1));
        assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{nat:?}");
        assert_eq!(world.nodes[1].inbound.len(), 1, "{nat:?}");
    }
}

/// Forged ESP with the address of a peer makes the hub send it one message in a second, and costs
/// it nothing.
#[test]
fn forged_spis_flood_nobody() {
    let (mut bench, spoke) = bench();
    let before = children(&bench);
    let mut sent = 0;
    for number in 0..1000 {
        let spi = hubward_proto::names::Spi(0x5000 + number);
        sent += bench.input(Input::UnknownSpi { path: spoke.path, spi }).len();
        bench.now += Duration::from_millis(10);
        let stranger = path(ip(HUB), ip("203.0.113.77"), 500);
        assert!(bench.input(Input::UnknownSpi { path: stranger, spi }).is_empty());
    }
    assert!((9..=11).contains(&sent), "{sent} in ten seconds");
    assert_eq!(children(&bench), before);
}

/// The same for a VPN client, which has only this one child SA.
#[test]
fn a_client_that_is_told_of_an_unknown_spi_has_its_tunnel_back() {
    let client = Node::new("10.51.82.100", client_policy("10.51.82.100"), 2);
    let mut world = World::new(vec![Node::new(HUB, hub_policy(), 1), client]);
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_secs(3));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    world.filter = Some(Box::new(|_| false));
    world.input(0, Input::Command(Command::ClearSa { peer: None }));
    world.filter = None;
    traffic::Traffic::default().run(&mut world, 3);
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    assert_eq!((world.nodes[0].inbound.len(), world.nodes[1].inbound.len()), (1, 1));
    assert!(world.nodes[1].assignment.is_some());
}

/// A peer for whose address there is no key (its key is its name's) cannot be called: it is dead
/// after the time in which another would have answered, or stays without DPD.
#[test]
fn a_peer_that_cannot_be_called_is_dead_in_the_same_time() {
    for (mut policy, dies) in [(probing(hub_policy()), true), (hub_policy(), false)] {
        let mut world = without_phase_1(policy.clone(), false);
        let name = hubward_proto::policy::KeyPeer::Hostname("berlin.example.org".into());
        policy.keyrings[0].keys[0].peer = name;
        world.input(0, Input::Policy(Arc::new(policy)));
        stream(&mut world, 17, false);
        assert_eq!((is_dead(&world), world.nodes[0].inbound.len()), (false, 1));
        stream(&mut world, 6, false);
        assert_eq!((is_dead(&world), world.nodes[0].inbound.is_empty()), (dies, dies));
        assert_eq!(calls(&world), 0);
    }
}
