//! Old messages that an attacker recorded, and messages that are repeated because their answer was
//! lost.

use super::peer::{Bench, Peer, path, quick_mode};
use super::support::*;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::limits;
use hubward_proto::time::Instant;
use hubward_proto::wire::ike1::Notify;
use hubward_proto::wire::isakmp::{Chain, Writer};
use hubward_proto::wire::registry::{exchange, notify, payload};
use std::sync::Arc;
use std::time::Duration;

const LAN: [u8; 8] = [10, 2, 0, 0, 255, 255, 0, 0];
const HUB_LAN: [u8; 8] = [10, 1, 0, 0, 255, 255, 0, 0];

fn hub_and_peer() -> (Bench, Peer) {
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
    let peer = Peer::main_mode(&mut bench, path(ip(HUB), ip("10.100.2.102"), 500), "cisco123", 3);
    (bench, peer)
}

/// Completes a quick mode; returns its message 1.
fn complete(bench: &mut Bench, peer: &mut Peer, message_id: u32) -> Vec<u8> {
    let writer = quick_mode(1000 + message_id, &[1; 20], LAN, HUB_LAN);
    let first = peer.seal(exchange::QUICK, message_id, &writer);
    let answer = bench.datagram(peer.path, &first);
    let (header, plain) = peer.open(&answer[0]);
    let chain = Chain::parse(header.first, &plain).unwrap();
    let hash = peer.keys.hash3(message_id, &[1; 20], chain.first(payload::NONCE).unwrap());
    let third = peer.seal_with(exchange::QUICK, message_id, payload::NONE, &hash, &[]);
    bench.datagram(peer.path, &third);
    first
}

fn probe(bench: &mut Bench, peer: &mut Peer, message_id: u32) {
    let (initiator, responder) = (peer.cookies.initiator, peer.cookies.responder);
    let mut writer = Writer::new();
    writer.push(payload::NOTIFY, Notify::isakmp(notify::R_U_THERE, initiator, responder, [0; 4]).write());
    let message = peer.seal(exchange::INFORMATIONAL, message_id, &writer);
    bench.datagram(peer.path, &message);
}

/// Message 1 of quick mode arrives again when neither its digest nor its IV chain is remembered any
/// more: there is no second child SA, and the one in use is not replaced.
#[test]
fn an_old_quick_mode_makes_no_second_pair() {
    let (mut bench, mut peer) = hub_and_peer();
    let first = complete(&mut bench, &mut peer, 77);
    let running = bench.engine.inspect().children[0].sa.id;
    for message_id in 0..2 * limits::SEEN as u32 {
        probe(&mut bench, &mut peer, 1000 + message_id);
    }
    for round in 0..3 {
        assert!(bench.datagram(peer.path, &first).is_empty(), "round {round}");
        bench.wait(Duration::from_secs(10));
    }
    assert_eq!(bench.refusals, vec![Refusal::MessageIdUsed(77); 3]);
    let view = bench.engine.inspect();
    assert_eq!(view.children.iter().map(|child| child.sa.id).collect::<Vec<_>>(), [running]);
}

/// A refused quick mode arrives again: it gets the same answer, and is evaluated only once.
#[test]
fn a_refused_quick_mode_is_recognised() {
    let (mut bench, mut peer) = hub_and_peer();
    let mut writer = Writer::new();
    writer.push(payload::NONCE, [1; 20]);
    let message = peer.seal(exchange::QUICK, 77, &writer);
    let first = bench.datagram(peer.path, &message);
    assert_eq!(bench.refusals, [Refusal::MissingPayload("SA")]);
    let (header, plain) = peer.open(&first[0]);
    let chain = Chain::parse(header.first, &plain).unwrap();
    let told = Notify::parse(chain.first(payload::NOTIFY).unwrap()).unwrap();
    assert_eq!(told.kind, notify::PAYLOAD_MALFORMED);
    for _ in 0..3 {
        assert_eq!(bench.datagram(peer.path, &message), first);
    }
    assert_eq!(bench.refusals.len(), 1, "{:?}", bench.refusals);
}

/// Thousands of quick modes on one SA: none of their ids is forgotten while the SA lives. When no
/// more can be remembered, the SA ends; its last child SA stays.
#[test]
fn message_ids_are_not_forgotten() {
    let (mut bench, mut peer) = hub_and_peer();
    let oldest = complete(&mut bench, &mut peer, 1);
    for message_id in 2..=limits::MESSAGE_IDS as u32 {
        let spi = bench.engine.inspect().children.last().unwrap().sa.outbound.spi.0;
        let mut writer = Writer::new();
        let delete =
            hubward_proto::wire::ike1::Delete { protocol: 3, spis: vec![spi.to_be_bytes().to_vec()] };
        writer.push(payload::DELETE, delete.write());
        let delete = peer.seal(exchange::INFORMATIONAL, 100_000 + message_id, &writer);
        bench.datagram(peer.path, &delete);
        assert_eq!(bench.engine.inspect().isakmp[0].conn_id.0, 1001);
        complete(&mut bench, &mut peer, message_id);
    }
    assert_eq!(bench.refusals, []);
    bench.datagram(peer.path, &oldest);
    assert_eq!(bench.refusals, [Refusal::MessageIdUsed(1)]);
    let writer = quick_mode(1, &[1; 20], LAN, HUB_LAN);
    let one_more = peer.seal(exchange::QUICK, 1_000_000, &writer);
    bench.datagram(peer.path, &one_more);
    assert_eq!(bench.refusals.last(), Some(&Refusal::TooMany));
    bench.wait(Duration::from_secs(5));
    let view = bench.engine.inspect();
    assert!(view.isakmp.iter().all(|sa| sa.conn_id.0 != 1001), "the old SA ended");
    assert_eq!(view.children.len(), 1);
    assert!(view.isakmp.iter().any(|sa| sa.initiator), "another was begun in time");
}

/// Our own message 1 is sent back to us under the same keys, with a HASH that is right for a
/// message 1: it is not treated as the peer's.
#[test]
fn our_own_quick_mode_thrown_back() {
    let mut world = super::hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let (_, first) = world.trace.iter().find(|(_, datagram)| datagram.bytes[18] == exchange::QUICK).unwrap();
    let mut mirrored = first.clone();
    (mirrored.from, mirrored.to) = (first.to, first.from);
    world.inject(mirrored);
    world.run(Duration::from_secs(1));
    assert_eq!(world.nodes[1].inbound.len(), 1);
    assert!(world.nodes[1].refusals()[0].contains("was used before"), "{:?}", world.nodes[1].refusals());
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
}
