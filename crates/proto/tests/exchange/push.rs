//! Addresses for clients in main mode, whose identity names no group: asked for, or pushed.

use super::peer::{Bench, Peer, path};
use super::support::traffic::Traffic;
use super::support::*;
use hubward_crypto::secret::Secret;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Answer, Command, Input, Question};
use hubward_proto::policy::{
    DynamicEntry, IdentityMatch, IsakmpProfile, MapEntryKind, Phase1Mode, Policy, SelfIdentity,
};
use hubward_proto::time::Instant;
use hubward_proto::wire::ike1::Config;
use hubward_proto::wire::isakmp::Chain;
use hubward_proto::wire::registry::{config, exchange, payload};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

const CLIENT: &str = "10.51.82.100";

/// A hub whose dynamic map serves whoever has the wildcard key, with these changes.
fn hub(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = hub_policy();
    policy.profiles.clear();
    let map = Arc::make_mut(&mut policy.maps[0]);
    if let MapEntryKind::Dynamic { entries, .. } = &mut map.entries[0].kind {
        *entries = vec![DynamicEntry { sequence: 10, terms: terms(), line: 1 }];
    }
    change(&mut policy);
    policy
}

/// A client in main mode that identifies itself by its address.
fn client() -> Policy {
    let mut policy = client_policy(CLIENT);
    let mut connection = (*policy.connections[0]).clone();
    connection.mode = Phase1Mode::Main;
    connection.identity = SelfIdentity::Address;
    connection.key = Secret::new(*b"cisco123");
    policy.connections = vec![connection.into()];
    policy
}

fn connected(hub: Policy) -> World {
    let mut world = World::new(vec![Node::new(HUB, hub, 1), Node::new(CLIENT, client(), 2)]);
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_secs(5));
    world
}

/// The client has an address of the pool and a tunnel that carries packets, and goes on having it;
/// when it leaves, the address is free again.
fn is_served(world: &mut World, dns: &[Ipv4Addr]) {
    let refusals = (world.nodes[0].refusals(), world.nodes[1].refusals());
    let given = world.nodes[1].assignment.clone().unwrap_or_else(|| panic!("no address: {refusals:?}"));
    assert_eq!(given.address, Ipv4Addr::new(10, 5, 5, 1));
    assert_eq!(given.dns, dns);
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{refusals:?}");
    let mut traffic = Traffic::default();
    traffic.run(world, 200);
    assert_eq!(traffic.lost, 0);
    assert!(world.nodes[1].assignment.is_some(), "{:?}", world.nodes[1].refusals());
    world.input(1, Input::Command(Command::Disconnect { connection: "work".into() }));
    world.run(Duration::from_secs(5));
    assert_eq!(world.nodes[0].released.len(), 1);
    assert!(world.nodes[0].holds.values().all(|count| *count == 0), "{:?}", world.nodes[0].holds);
}

/// `client configuration group G` in the profile.
#[test]
fn the_profile_names_the_group() {
    let mut world = connected(hub(|policy| {
        policy.profiles = vec![IsakmpProfile {
            name: "clients".into(),
            matches: vec![IdentityMatch::Address(net("0.0.0.0/0"))],
            xauth_list: Some("clientauth".into()),
            authorization_list: Some("groupauthor".into()),
            group: Some("testgroup".into()),
            respond: true,
            ..IsakmpProfile::default()
        }];
    }));
    is_served(&mut world, &test_group().dns);
}

/// `crypto isakmp client configuration address-pool local POOL` and
/// `crypto map M client configuration address respond`.
#[test]
fn the_pool_of_all_clients_is_asked() {
    let mut world = connected(hub(|policy| {
        let map = Arc::make_mut(&mut policy.maps[0]);
        (map.xauth_list, map.respond) = (Some("clientauth".into()), true);
        policy.global.address_pool = Some("ippool".into());
    }));
    is_served(&mut world, &[]);
}

/// The same with `initiate`: the hub pushes the address once Xauth has passed.
#[test]
fn an_address_is_pushed() {
    let mut world = connected(hub(|policy| {
        let map = Arc::make_mut(&mut policy.maps[0]);
        (map.xauth_list, map.initiate) = (Some("clientauth".into()), true);
        policy.global.address_pool = Some("ippool".into());
    }));
    is_served(&mut world, &[]);
}

/// Both, and with a group: pushed and asked for, it is one address.
#[test]
fn pushed_and_asked_for_is_one_address() {
    let mut world = connected(hub(|policy| {
        policy.profiles = vec![IsakmpProfile {
            name: "clients".into(),
            matches: vec![IdentityMatch::Address(net("0.0.0.0/0"))],
            xauth_list: Some("clientauth".into()),
            authorization_list: Some("groupauthor".into()),
            group: Some("testgroup".into()),
            respond: true,
            initiate: true,
            ..IsakmpProfile::default()
        }];
    }));
    is_served(&mut world, &test_group().dns);
}

/// Nothing configured: no address, and the refusal says so.
#[test]
fn without_a_pool_there_is_no_address() {
    let world = connected(hub(|policy| {
        let map = Arc::make_mut(&mut policy.maps[0]);
        (map.xauth_list, map.respond) = (Some("clientauth".into()), true);
    }));
    assert!(world.nodes[1].assignment.is_none());
    assert!(world.nodes[0].refusals().iter().any(|text| text.contains("mode-config is not configured")));
}

/// A gateway with the wildcard key that knows no mode-config is pushed an address in vain: the
/// address comes back, and its SA stays. One that an entry names is pushed nothing.
#[test]
fn a_gateway_that_is_pushed_an_address_stays() {
    let policy = hub(|policy| {
        Arc::make_mut(&mut policy.maps[0]).initiate = true;
        policy.global.address_pool = Some("ippool".into());
    });
    let mut bench = Bench::new(Engine::new(Arc::new(policy.clone()), [1; 32], Instant::ORIGIN));
    let from = path(ip(HUB), ip("10.100.2.102"), 500);
    let mut peer = Peer::main_mode(&mut bench, from, "cisco123", 3);
    let (id, question) = bench.asked.pop().expect("a lease is asked for");
    assert!(matches!(question, Question::Lease { .. }));
    let pushed = bench.input(Input::Answer { id, answer: Answer::Lease(Ok(ip("10.5.5.1"))) });
    let (header, plain) = peer.open(&pushed[0]);
    assert_eq!(header.exchange, exchange::TRANSACTION);
    let chain = Chain::parse(header.first, &plain).unwrap();
    let set = Config::parse(chain.first(payload::ATTRIBUTE).unwrap()).unwrap();
    assert_eq!(set.kind, config::SET);
    assert_eq!(set.get(config::ADDRESS).unwrap().bytes(), [10, 5, 5, 1]);
    bench.wait(Duration::from_secs(120));
    assert_eq!(bench.engine.inspect().isakmp.len(), 1);
    assert!(bench.trace.iter().any(|line| line.starts_with("Release")));
    assert!(peer.quick_mode(&mut bench, 7, [10, 2, 0, 0, 255, 255, 0, 0], [10, 1, 0, 0, 255, 255, 0, 0]));

    let mut policy = policy;
    let spoke = spoke_policy("10.9.9.9", "10.2.0.0/16");
    let mut entry = spoke.maps[0].entries[0].clone();
    if let MapEntryKind::Static { peers, .. } = &mut entry.kind {
        *peers = vec![ip("10.100.2.102")];
    }
    Arc::make_mut(&mut policy.maps[0]).entries.insert(0, entry);
    let mut bench = Bench::new(Engine::new(Arc::new(policy), [1; 32], Instant::ORIGIN));
    Peer::main_mode(&mut bench, from, "cisco123", 3);
    assert!(bench.asked.is_empty());
}

/// The SA ends before the client acknowledges: the address comes back.
#[test]
fn an_address_that_nobody_acknowledged_comes_back() {
    let policy = hub(|policy| {
        Arc::make_mut(&mut policy.maps[0]).initiate = true;
        policy.global.address_pool = Some("ippool".into());
    });
    let mut bench = Bench::new(Engine::new(Arc::new(policy), [1; 32], Instant::ORIGIN));
    let from = path(ip(HUB), ip("10.100.2.102"), 500);
    Peer::main_mode(&mut bench, from, "cisco123", 3);
    let (id, _) = bench.asked.pop().expect("a lease is asked for");
    bench.input(Input::Answer { id, answer: Answer::Lease(Ok(ip("10.5.5.1"))) });
    bench.input(Input::Command(Command::ClearIsakmp { connection: None }));
    assert!(bench.trace.iter().any(|line| line.starts_with("Release")));
}
