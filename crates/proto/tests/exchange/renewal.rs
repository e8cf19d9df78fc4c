//! Rekeys of both phases, with traffic that must not be lost.

use super::support::traffic::Traffic;
use super::support::*;
use super::{hub_and_client, hub_and_spoke};
use hubward_crypto::suite::DhGroup;
use hubward_proto::ike::io::{Command, Input, Limit};
use hubward_proto::policy::{MapEntryKind, Policy};
use std::sync::Arc;
use std::time::Duration;

/// Changes the terms of every crypto map entry.
pub(crate) fn with_terms(
    mut policy: Policy,
    change: impl Fn(&mut hubward_proto::policy::EntryTerms),
) -> Policy {
    for map in &mut policy.maps {
        for entry in &mut Arc::make_mut(map).entries {
            match &mut entry.kind {
                MapEntryKind::Static { terms, .. } => change(terms),
                MapEntryKind::Dynamic { entries, .. } => {
                    entries.iter_mut().for_each(|entry| change(&mut entry.terms))
                }
            }
        }
    }
    policy
}

pub(crate) fn expire(world: &mut World, node: usize, limit: Limit) {
    let child = *world.nodes[node].outbound.keys().last().unwrap();
    world.input(node, Input::Expire { child, limit });
}

/// Six hours with a lifetime of one hour: every rekey is done before traffic breaks.
#[test]
fn no_packet_is_lost_in_six_hours() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let mut traffic = Traffic::default();
    traffic.run(&mut world, 6 * 3600);
    assert_eq!(traffic.lost, 0);
    assert!(traffic.delivered >= 2 * 6 * 3600);
    assert_eq!((world.nodes[0].inbound.len(), world.nodes[1].inbound.len()), (1, 1));
}

/// The same while one IKE message in five is lost.
#[test]
fn no_packet_is_lost_over_a_bad_line() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(20));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    world.link = Link { loss: 200, duplicate: 100, jitter: Duration::from_millis(300) };
    let mut traffic = Traffic::default();
    traffic.run(&mut world, 4 * 3600);
    assert_eq!(traffic.lost, 0, "of {}", traffic.delivered);
}

/// A peer that rekeys faster than it deletes the old child SAs: its tunnel stays, and child SAs do
/// not pile up.
#[test]
fn renewals_without_deletes_end_no_tunnel() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let mut traffic = Traffic::default();
    for _ in 0..60 {
        expire(&mut world, 1, Limit::Soft);
        world.run(Duration::from_millis(1_100));
        assert!(tunnel(&world.nodes[1], &world.nodes[0]) && tunnel(&world.nodes[0], &world.nodes[1]));
    }
    let refusals = world.nodes[0].refusals();
    assert!(refusals.is_empty(), "{refusals:?}");
    let pairs = world.nodes[0].engine.inspect().children.len();
    assert!(pairs > 3 && pairs <= hubward_proto::limits::REPLACED_PER_PEER + 2, "{pairs}");
    traffic.run(&mut world, 30);
    assert_eq!(traffic.lost, 0);
    assert_eq!(world.nodes[0].engine.inspect().children.len(), 1);
}

/// Both sides start to rekey the same child SA at the same moment.
#[test]
fn crossing_renewals_leave_one_tunnel() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let mut traffic = Traffic::default();
    for _ in 0..3 {
        expire(&mut world, 0, Limit::Soft);
        expire(&mut world, 1, Limit::Soft);
        traffic.run(&mut world, 30);
        assert!(tunnel(&world.nodes[1], &world.nodes[0]) && tunnel(&world.nodes[0], &world.nodes[1]));
    }
    assert_eq!(traffic.lost, 0);
    assert!(world.nodes.iter().all(|node| node.inbound.len() <= 2), "crossing renewals do not pile up");
}

/// `{ HASH(1), SA, Ni, KE, IDci, IDcr } -->` with `set pfs`, also when the responder rekeys.
#[test]
fn perfect_forward_secrecy() {
    let pfs = |terms: &mut hubward_proto::policy::EntryTerms| terms.pfs = Some(DhGroup::Modp1024);
    let mut world = hub_and_spoke();
    world.nodes[0] = Node::new(HUB, with_terms(hub_policy(), pfs), 1);
    world.nodes[1] =
        Node::new("10.100.2.102", with_terms(spoke_policy("10.100.2.102", "10.2.0.0/16"), pfs), 2);
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
    assert_eq!(world.nodes[0].engine.inspect().children[0].pfs, Some(DhGroup::Modp1024));
    expire(&mut world, 0, Limit::Soft);
    let mut traffic = Traffic::default();
    traffic.run(&mut world, 20);
    assert_eq!(traffic.lost, 0);
    assert_eq!(world.nodes[0].engine.inspect().children.last().unwrap().pfs, Some(DhGroup::Modp1024));
}

/// A hub with `set pfs` refuses a peer without it.
#[test]
fn missing_pfs_is_refused() {
    let mut world = hub_and_spoke();
    let policy = with_terms(hub_policy(), |terms| terms.pfs = Some(DhGroup::Modp1024));
    world.nodes[0] = Node::new(HUB, policy, 1);
    world.acquire(1);
    world.run(Duration::from_secs(5));
    assert!(world.nodes.iter().all(|node| node.inbound.is_empty()));
    assert!(world.nodes[0].refusals().iter().any(|text| text.contains("no transform set")));
    assert!(world.nodes[1].refusals().iter().any(|text| text.contains("NO_PROPOSAL_CHOSEN")));
}

/// A hard limit ends the child SA on both sides at once; the next packet brings up another.
#[test]
fn a_hard_limit_ends_the_pair() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    expire(&mut world, 0, Limit::Hard);
    world.run(Duration::from_secs(1));
    assert!(world.nodes.iter().all(|node| node.inbound.is_empty() && node.outbound.is_empty()));
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    assert_eq!(world.nodes[1].engine.inspect().isakmp.len(), 1, "phase 1 is still the first");
}

/// The client rekeys phase 1, passes Xauth again and keeps its address; its child SA stays in use.
#[test]
fn a_client_keeps_its_address_over_phase_1() {
    let mut world = hub_and_client();
    let mut policy = client_policy("10.51.82.100");
    let mut connection = (*policy.connections[0]).clone();
    connection.proposals[0].lifetime = Duration::from_secs(600);
    policy.connections = vec![connection.into()];
    world.nodes[1] = Node::new("10.51.82.100", policy, 3);
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_secs(3));
    let first = world.nodes[1].assignment.clone().unwrap();
    let mut traffic = Traffic::default();
    traffic.run(&mut world, 3000);
    assert_eq!(traffic.lost, 0);
    assert_eq!(world.nodes[1].assignment.as_ref().unwrap().address, first.address);
    assert_eq!(world.nodes[0].leases.len(), 1);
    assert!(world.nodes[0].released.is_empty());
    assert!(world.nodes[1].passwords_asked >= 4, "each phase 1 has its Xauth");
    assert!(world.nodes[0].engine.inspect().isakmp.len() <= 2);
}

/// The hub rekeys a client's child SA: it proposes one transform, and the client accepts it.
#[test]
fn the_hub_renews_a_clients_pair() {
    let mut world = hub_and_client();
    world.run(Duration::from_secs(3));
    let mut traffic = Traffic::default();
    traffic.run(&mut world, 5);
    expire(&mut world, 0, Limit::Soft);
    traffic.run(&mut world, 5);
    assert!(tunnel(&world.nodes[0], &world.nodes[1]));
    assert_eq!(world.nodes[1].engine.inspect().children.iter().filter(|child| !child.superseded).count(), 1);
    assert_eq!(traffic.lost, 0);
}
