//! Answers that take time: leases and client groups are asked for, and other events happen
//! meanwhile.

use crate::support::*;
use hubward_crypto::secret::Secret;
use hubward_proto::ike::io::{Command, Input, Question};
use hubward_proto::policy::Phase1Mode;
use std::time::Duration;

fn connect(world: &mut World, client: usize) {
    world.input(client, Input::Command(Command::Connect { connection: "work".into() }));
}

fn leases(question: &Question) -> bool {
    matches!(question, Question::Lease { .. })
}

fn groups(question: &Question) -> bool {
    matches!(question, Question::Authorize { .. })
}

/// A hub that answers some questions late, and clients at these addresses.
fn hub_and_clients(slow: fn(&Question) -> bool, addresses: &[&str]) -> World {
    let mut hub = Node::new(HUB, hub_policy(), 1);
    hub.slow = slow;
    let clients =
        addresses.iter().zip(2..).map(|(address, seed)| Node::new(address, client_policy(address), seed));
    let mut world = World::new(std::iter::once(hub).chain(clients).collect());
    for client in 1..=addresses.len() {
        connect(&mut world, client);
    }
    world.run(Duration::from_secs(3));
    world
}

#[test]
fn a_lease_that_comes_late_is_the_clients() {
    let mut world = hub_and_clients(leases, &["10.51.82.100"]);
    assert!(world.nodes[1].assignment.is_none());
    assert_eq!(world.nodes[0].unanswered.len(), 1);
    world.answer(0);
    world.run(Duration::from_secs(3));
    assert!(tunnel(&world.nodes[0], &world.nodes[1]));
    assert!(world.nodes[0].released.is_empty());
}

/// An IKEv1 client asks for INTERNAL_IP4_ADDRESS: an IPv6 address is no answer, and is released.
#[test]
fn a_lease_of_ipv6_is_refused_and_given_back() {
    let mut world = hub_and_clients(leases, &["10.51.82.100"]);
    world.nodes[0].pool = vec!["2001:db8:5::1".parse().unwrap()];
    world.answer(0);
    world.run(Duration::from_secs(3));
    assert!(world.nodes[1].assignment.is_none());
    assert_eq!(world.nodes[0].released.len(), 1);
    let refusals = world.nodes[0].refusals();
    assert!(refusals.iter().any(|why| why.contains("the pool has IPv6 addresses")), "{refusals:?}");
}

/// The client repeats its first message while its group is looked up: there is one SA, and one
/// question.
#[test]
fn a_first_message_that_is_repeated_meanwhile_asks_once() {
    let mut world = hub_and_clients(groups, &["10.51.82.100"]);
    let first = world.trace.len();
    world.run(Duration::from_secs(15));
    assert!(world.trace.len() > first, "the client repeats it");
    assert_eq!(world.nodes[0].unanswered.len(), 1);
    assert_eq!(world.nodes[0].engine.inspect().isakmp.len(), 1);
    world.answer(0);
    world.run(Duration::from_secs(3));
    assert!(tunnel(&world.nodes[0], &world.nodes[1]));
}

/// The SA ends while the lease is asked for: the owner of the leases learns that the lease is not
/// used.
#[test]
fn a_lease_that_comes_too_late_is_given_back() {
    let mut world = hub_and_clients(leases, &["10.51.82.100"]);
    world.filter = Some(Box::new(|_| false));
    world.input(0, Input::Command(Command::ClearIsakmp { connection: None }));
    world.run(Duration::from_secs(3));
    assert!(world.nodes[0].engine.inspect().isakmp.is_empty());
    assert!(world.nodes[0].released.is_empty(), "nothing was granted yet");
    world.answer(0);
    assert_eq!(world.nodes[0].released.len(), 1);
    assert!(world.nodes[0].holds.values().all(|holds| *holds == 0));
}

/// Two devices of one user behind one NAT; the second asks before the first is answered.
#[test]
fn two_devices_that_ask_at_the_same_time_get_two_addresses() {
    let mut hub = Node::new(HUB, hub_policy(), 1);
    hub.slow = leases;
    let device = |address: &str, seed| {
        let mut node = Node::new(address, client_policy(address), seed);
        node.nat = Some(ip("192.0.2.7"));
        node
    };
    let mut world = World::new(vec![hub, device("192.168.77.1", 2), device("192.168.77.2", 3)]);
    connect(&mut world, 1);
    connect(&mut world, 2);
    world.run(Duration::from_secs(3));
    assert_eq!(world.nodes[0].unanswered.len(), 2);
    world.answer(0);
    world.answer(0);
    world.run(Duration::from_secs(3));
    let address = |node: usize| world.nodes[node].assignment.as_ref().map(|assignment| assignment.address);
    assert!(address(1).is_some() && address(2).is_some());
    assert_ne!(address(1), address(2));
    assert_eq!(world.nodes[0].leases.len(), 2);
}

/// In main mode the group is looked up after the identity is known, and the client asks for its
/// address before the list answers.
#[test]
fn a_group_that_comes_late_holds_up_a_request_and_refuses_none() {
    let mut hub = Node::new(HUB, hub_policy(), 1);
    hub.slow = groups;
    let mut policy = client_policy("10.51.82.100");
    let mut connection = (*policy.connections[0]).clone();
    connection.mode = Phase1Mode::Main;
    connection.key = Secret::new(*b"cisco123");
    policy.connections = vec![connection.into()];
    let mut world = World::new(vec![hub, Node::new("10.51.82.100", policy, 2)]);
    connect(&mut world, 1);
    world.run(Duration::from_secs(3));
    assert!(world.nodes[1].assignment.is_none());
    assert_eq!(world.nodes[0].unanswered.len(), 1);
    assert!(world.nodes[0].refusals().is_empty(), "{:?}", world.nodes[0].refusals());
    world.answer(0);
    world.run(Duration::from_secs(3));
    assert!(world.nodes[1].assignment.is_some());
    assert!(tunnel(&world.nodes[0], &world.nodes[1]));
}
