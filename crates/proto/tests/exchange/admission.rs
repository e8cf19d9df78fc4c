//! Who may begin phase 1, and how often.

use super::peer::{Bench, clear, path, phase1_sa};
use super::support::*;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::ike::v1::keys::Cookies;
use hubward_proto::limits;
use hubward_proto::time::Instant;
use hubward_proto::wire::isakmp::{Cookie, Writer};
use hubward_proto::wire::registry::{exchange, ike, payload};
use std::sync::Arc;
use std::time::Duration;

fn first_message(cookie: u64) -> Vec<u8> {
    let cookies = Cookies { initiator: Cookie(cookie.to_be_bytes()), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    writer.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
    clear(cookies, exchange::MAIN, &writer)
}

fn bench() -> Bench {
    Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN))
}

/// One address with all its ports gets no more half-open SAs than with one, and answers only at the rate that is its own;
/// another address is served all the same.
#[test]
fn ports_do_not_multiply_a_source() {
    let mut bench = bench();
    let (mut answered, mut cookie) = (0, 0);
    for second in 0..60 {
        for port in 0..100 {
            cookie += 1;
            let from = path(ip(HUB), ip("203.0.113.66"), 1024 + second * 100 + port);
            answered += bench.datagram(from, &first_message(cookie)).len();
        }
        assert!(bench.engine.inspect().isakmp.len() <= limits::HALF_OPEN_PER_SOURCE);
        bench.wait(Duration::from_secs(1));
    }
    assert!(answered <= 2 * limits::HALF_OPEN_PER_SOURCE, "{answered} answers in a minute");
    assert!(bench.refusals.contains(&Refusal::TooManyHalfOpen) && bench.refusals.contains(&Refusal::TooFast));
    assert!(bench.count("ike refused too fast") > 5000 && bench.count("ike refused half-open") > 100);
    assert_eq!(bench.datagram(path(ip(HUB), ip("203.0.113.67"), 500), &first_message(1)).len(), 1);
}

/// A building full of clients and spokes behind one NAT, all of them at once after a power cut: everybody comes up.
#[test]
fn a_crowd_behind_one_nat() {
    let nat = ip("192.0.2.7");
    let mut nodes = vec![Node::new(HUB, hub_policy(), 1)];
    for index in 0..100u8 {
        let address = format!("192.168.77.{}", index + 1);
        let policy = if index % 2 == 0 {
            spoke_policy(&address, &format!("10.{}.0.0/16", 20 + index))
        } else {
            client_policy(&address)
        };
        let mut node = Node::new(&address, policy, index + 2);
        node.nat = Some(nat);
        nodes.push(node);
    }
    let mut world = World::new(nodes);
    for node in 1..=100 {
        if node % 2 == 1 {
            world.acquire(node);
        } else {
            world.input(node, Input::Command(Command::Connect { connection: "work".into() }));
        }
    }
    world.run(Duration::from_secs(30));
    let down: Vec<_> = (1..=100).filter(|node| !tunnel(&world.nodes[*node], &world.nodes[0])).collect();
    assert!(down.is_empty(), "{down:?} have no tunnel");
}
