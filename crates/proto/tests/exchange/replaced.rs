//! Replaced child SAs, with peers that never delete what they rekeyed (strongSwan with IKEv1).

use super::peer::{Bench, Peer, path};
use super::support::traffic::Traffic;
use super::support::*;
use super::{hub_and_client, renewal::expire};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Command, Input, Limit};
use hubward_proto::limits;
use hubward_proto::policy::Policy;
use hubward_proto::time::Instant;
use hubward_proto::wire::ike1::Delete;
use hubward_proto::wire::isakmp::{Chain, Writer};
use hubward_proto::wire::registry::{exchange, payload, protocol};
use std::sync::Arc;
use std::time::Duration;

const HUB_NET: [u8; 8] = [10, 1, 0, 0, 255, 255, 0, 0];
/// The reference hub's map has two dynamic entries without ACL, which count as one line each: with
/// one in use, that many child SAs stay.
const LIMIT: usize = limits::REPLACED_PER_PEER + 2;
/// As many networks as a peer may have.
const NETWORKS: usize = limits::CHILDREN_PER_PEER + 2;

fn network(index: usize) -> [u8; 8] {
    [10, 60 + u8::try_from(index >> 8).unwrap(), (index & 255) as u8, 0, 255, 255, 255, 0]
}

fn hub_and_peer(policy: Policy) -> (Bench, Peer) {
    let mut bench = Bench::new(Engine::new(Arc::new(policy), [1; 32], Instant::ORIGIN));
    let peer = Peer::main_mode(&mut bench, path(ip(HUB), ip("10.100.2.102"), 500), "cisco123", 3);
    (bench, peer)
}

/// The reference hub with further entries, each of which allows one more child SA.
fn with_entries(mut policy: Policy, count: u16) -> Policy {
    let spoke = spoke_policy("10.9.9.9", "10.2.0.0/16");
    let map = Arc::make_mut(&mut policy.maps[0]);
    for index in 0..count {
        let mut entry = spoke.maps[0].entries[0].clone();
        entry.sequence = 100 + index;
        map.entries.push(entry);
    }
    policy
}

fn pairs(bench: &Bench) -> usize {
    bench.engine.inspect().children.len()
}

fn delete_pair(bench: &mut Bench, peer: &mut Peer, message_id: u32, spi: u32) {
    let delete = Delete { protocol: protocol::ESP, spis: vec![spi.to_be_bytes().to_vec()] };
    let mut writer = Writer::new();
    writer.push(payload::DELETE, delete.write());
    let message = peer.seal(exchange::INFORMATIONAL, message_id, &writer);
    bench.datagram(peer.path, &message);
}

fn is_delete(peer: &mut Peer, message: &[u8]) -> bool {
    let (header, plain) = peer.open(message);
    let chain = Chain::parse(header.first, &plain).unwrap();
    header.exchange == exchange::INFORMATIONAL && chain.first(payload::DELETE).is_some()
}

/// Its rekeys are never refused, replaced child SAs do not pile up, and a delete is sent for each
/// that ends.
#[test]
fn a_peer_that_never_deletes() {
    let (mut bench, mut peer) = hub_and_peer(hub_policy());
    let mut told = 0;
    for message_id in 1..=70 {
        assert!(peer.quick_mode(&mut bench, message_id, network(0), HUB_NET), "{message_id}");
        told += bench
            .wait(Duration::from_millis(500))
            .iter()
            .filter(|message| is_delete(&mut peer, message))
            .count();
        assert!(pairs(&bench) <= LIMIT + 3, "{} pairs", pairs(&bench));
    }
    bench.wait(Duration::from_secs(2));
    assert_eq!(pairs(&bench), LIMIT);
    assert!(told >= 70 - LIMIT - 3, "{told} deletes");
    assert!(bench.refusals.is_empty(), "{:?}", bench.refusals);
}

/// A peer with as many networks as it may have can rekey each of them, but not add one; and
/// replaced child SAs do not keep a new network out.
#[test]
fn renewals_at_the_limit() {
    let (mut bench, mut peer) = hub_and_peer(hub_policy());
    for index in 0..NETWORKS - 1 {
        assert!(peer.quick_mode(&mut bench, 1 + index as u32, network(index), HUB_NET), "{index}");
    }
    for round in 1..=3 {
        assert!(peer.quick_mode(&mut bench, 1000 + round, network(0), HUB_NET), "{round}");
    }
    assert!(peer.quick_mode(&mut bench, 2000, network(NETWORKS - 1), HUB_NET));
    for round in 0..2 {
        for index in 0..NETWORKS {
            let message_id = 3000 + round * 1000 + index as u32;
            assert!(peer.quick_mode(&mut bench, message_id, network(index), HUB_NET), "{index}");
        }
        // the replaced child SAs stay for packets in flight
        assert!(pairs(&bench) >= 2 * NETWORKS);
    }
    bench.wait(Duration::from_secs(2));
    assert_eq!(pairs(&bench), 2 * NETWORKS + limits::REPLACED_PER_PEER);
    assert!(!peer.quick_mode(&mut bench, 400, network(NETWORKS), HUB_NET));
    assert_eq!(bench.refusals, [Refusal::TooManyChildren { limit: NETWORKS }]);
}

/// Rekeys that all arrive at the same moment are bounded too, but none is refused: the oldest end
/// at once.
#[test]
fn renewals_in_one_moment() {
    let (mut bench, mut peer) = hub_and_peer(hub_policy());
    for message_id in 1..=100 {
        assert!(peer.quick_mode(&mut bench, message_id, network(0), HUB_NET), "{message_id}");
        assert!(pairs(&bench) <= LIMIT + limits::EXCHANGES + 1, "{} pairs", pairs(&bench));
    }
    assert!(bench.refusals.is_empty(), "{:?}", bench.refusals);
    bench.wait(Duration::from_secs(2));
    assert_eq!(pairs(&bench), LIMIT);
}

/// The operator removes lines that had nothing to do with the peer.
#[test]
fn fewer_lines_end_no_tunnel() {
    let (mut bench, mut peer) = hub_and_peer(with_entries(hub_policy(), 40));
    for message_id in 1..=70 {
        assert!(peer.quick_mode(&mut bench, message_id, network(0), HUB_NET), "{message_id}");
    }
    bench.wait(Duration::from_secs(2));
    assert_eq!(pairs(&bench), LIMIT + 40);
    bench.input(Input::Policy(Arc::new(hub_policy())));
    bench.wait(Duration::from_secs(2));
    assert_eq!(pairs(&bench), LIMIT);
    assert!(peer.quick_mode(&mut bench, 100, network(0), HUB_NET));
    assert!(bench.refusals.is_empty(), "{:?}", bench.refusals);
}

/// The new child SA is deleted before the one it replaced: the older one carries the traffic, and
/// is rekeyed in its turn.
#[test]
fn the_older_pair_stays_when_the_newer_goes() {
    let (mut bench, mut peer) = hub_and_peer(hub_policy());
    assert!(peer.quick_mode(&mut bench, 1, network(0), HUB_NET));
    bench.wait(Duration::from_secs(600));
    assert!(peer.quick_mode(&mut bench, 2, network(0), HUB_NET));
    assert!(bench.engine.inspect().children[0].superseded);
    delete_pair(&mut bench, &mut peer, 900, 1002);
    let left = bench.engine.inspect().children;
    assert_eq!((left.len(), left[0].superseded), (1, false));
    let now = bench.now;
    bench.input(Input::Traffic { child: left[0].sa.id, last_inbound: Some(now), last_outbound: Some(now) });
    let called = bench.wait(left[0].expires.since(now) - Duration::from_secs(1));
    let (header, _) = peer.open(called.first().expect("a renewal before the end"));
    assert_eq!(header.exchange, exchange::QUICK);
    assert_eq!(pairs(&bench), 1);
}

/// Such a child SA is not rekeyed at once near its end; otherwise a peer that deletes each new one
/// would cause a rekey every round trip.
#[test]
fn a_peer_that_deletes_every_renewal() {
    let (mut bench, mut peer) = hub_and_peer(hub_policy());
    assert!(peer.quick_mode(&mut bench, 1, network(0), HUB_NET));
    let pair = bench.engine.inspect().children[0].clone();
    bench.wait(pair.expires.since(bench.now) - Duration::from_secs(8));
    assert!(peer.quick_mode(&mut bench, 2, network(0), HUB_NET));
    delete_pair(&mut bench, &mut peer, 900, 1002);
    let now = bench.now;
    bench.input(Input::Traffic { child: pair.sa.id, last_inbound: Some(now), last_outbound: Some(now) });
    assert!(bench.wait(Duration::from_secs(7)).is_empty());
    assert_eq!(pairs(&bench), 1);
}

/// The hub rekeys a client's child SA and does not delete the old one, because the client would
/// take that for the end of its tunnel. The oldest are removed without a delete. The client is
/// allowed more child SAs than the hub, so that the hub is the side that removes them.
#[test]
fn a_clients_pairs_do_not_pile_up() {
    let mut world = hub_and_client();
    let spoke = with_entries(spoke_policy("10.51.82.100", "10.2.0.0/16"), 60);
    let client = client_policy("10.51.82.100");
    let client = Policy { maps: spoke.maps, interfaces: spoke.interfaces, ..client };
    world.nodes[1] = Node::new("10.51.82.100", client, 2);
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_secs(5));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
    for _ in 0..40 {
        expire(&mut world, 0, Limit::Soft);
        world.run(Duration::from_millis(1_100));
        assert!(tunnel(&world.nodes[0], &world.nodes[1]));
    }
    let pairs = |node: usize| world.nodes[node].engine.inspect().children.len();
    assert_eq!((pairs(0), pairs(1)), (LIMIT, 41), "the client was told of none");
    assert!(world.nodes[0].refusals().is_empty(), "{:?}", world.nodes[0].refusals());
    let mut traffic = Traffic::default();
    traffic.run(&mut world, 30);
    assert_eq!(traffic.lost, 0);
}
