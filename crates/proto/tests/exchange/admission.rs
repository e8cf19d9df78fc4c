//! Who may initiate phase 1, and how often.

use super::peer::{Bench, Peer, clear, path, phase1_sa};
use super::support::*;
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::random::Random;
use hubward_crypto::suite::DhGroup;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::limits;
use hubward_proto::time::Instant;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Header, Writer};
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

/// Message 1 of aggressive mode, which costs a Diffie-Hellman exchange although anybody can send it
/// from anywhere.
fn first_aggressive(cookie: u64) -> Vec<u8> {
    let cookies = Cookies { initiator: Cookie(cookie.to_be_bytes()), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    writer
        .push(payload::SA, phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED))
        .push(payload::KE, [2; 128])
        .push(payload::NONCE, [1; 20])
        .push(payload::ID, [&[11, 17, 1, 244], &b"nobody"[..]].concat());
    clear(cookies, exchange::AGGRESSIVE, &writer)
}

/// One address gets no more half-open SAs with all its ports than with one, and answers only at the
/// rate for one address. Another address is still served.
#[test]
fn ports_do_not_multiply_a_source() {
    let mut bench = bench();
    let (mut answered, mut cookie) = (0, 0);
    for second in 0..60 {
        for port in 0..100 {
            cookie += 1;
            let from = path(ip(HUB), ip("203.0.113.66"), 1024 + second * 100 + port);
            answered += bench.datagram(from, &first_aggressive(cookie)).len();
        }
        assert!(bench.engine.inspect().isakmp.len() <= limits::HALF_OPEN_PER_SOURCE);
        bench.wait(Duration::from_secs(1));
    }
    assert!(answered <= 2 * limits::HALF_OPEN_PER_SOURCE, "{answered} answers in a minute");
    let refused = bench.refusals.iter().filter(|refusal| **refusal == Refusal::TooManyHalfOpen);
    assert!(refused.count() > 5000);
    assert_eq!(bench.datagram(path(ip(HUB), ip("203.0.113.67"), 500), &first_message(1)).len(), 1);
}

/// An attacker forges a spoke's address in first messages, a thousand a second. The spoke still
/// gets its SA, because it answers. What the attacker makes us remember and compute is bounded.
#[test]
fn a_forged_address_is_not_locked_out() {
    let spoke = "10.100.2.102";
    let mut bench = bench();
    let flood = |bench: &mut Bench, first: u64| {
        for cookie in first..first + 1000 {
            let from = path(ip(HUB), ip(spoke), 1024 + (cookie % 10_000) as u16);
            bench.datagram(from, &first_message(cookie));
            bench.datagram(from, &first_aggressive(cookie + 500_000));
        }
    };
    flood(&mut bench, 1);
    for round in 0..3u8 {
        Peer::main_mode(&mut bench, path(ip(HUB), ip(spoke), 500), "cisco123", 3 + round);
        flood(&mut bench, 10_000 * (u64::from(round) + 1));
        bench.wait(Duration::from_secs(1));
    }
    let half_open = bench.engine.inspect().isakmp.iter().filter(|sa| sa.identity.is_none()).count();
    assert!(half_open <= limits::CALLED_PER_SOURCE + limits::HALF_OPEN_PER_SOURCE, "{half_open}");
}

/// Anyone who has our cookie makes us compute no more than anybody else, and is distinguished from
/// those who do not have it.
#[test]
fn third_messages_are_counted() {
    let mut bench = bench();
    let from = path(ip(HUB), ip("203.0.113.66"), 500);
    let private = DhPrivate::generate(DhGroup::Modp1024, &mut Random::new([5; 32]));
    let mut answered = 0;
    for cookie in 1..=100 {
        let second = bench.datagram(from, &first_message(cookie));
        let (header, _) = Header::parse(&second[0]).unwrap();
        let cookies = Cookies { initiator: header.initiator, responder: header.responder };
        let mut writer = Writer::new();
        writer.push(payload::KE, private.public()).push(payload::NONCE, [1; 20]);
        // the claimed source makes no difference
        let forged = path(ip(HUB), ip("10.100.2.102"), cookie as u16);
        answered += bench.datagram(forged, &clear(cookies, exchange::MAIN, &writer)).len();
    }
    assert_eq!(answered, limits::HALF_OPEN_PER_SOURCE);
    Peer::main_mode(&mut bench, path(ip(HUB), ip("10.100.2.102"), 500), "cisco123", 3);
    // invalid public values are tried as often as the address's budget allows
    bench.wait(limits::HALF_OPEN_TIME);
    let second = bench.datagram(from, &first_message(1000));
    let (header, _) = Header::parse(&second[0]).unwrap();
    let cookies = Cookies { initiator: header.initiator, responder: header.responder };
    let mut writer = Writer::new();
    writer.push(payload::KE, [0; 128]).push(payload::NONCE, [1; 20]);
    bench.refusals.clear();
    for _ in 0..100 {
        bench.datagram(from, &clear(cookies, exchange::MAIN, &writer));
    }
    let spent = bench.refusals.iter().filter(|refusal| matches!(refusal, Refusal::KeyExchange(_))).count();
    assert_eq!(spent, limits::PHASE1_BURST as usize);
    assert_eq!(bench.refusals.last(), Some(&Refusal::TooFast));
}

/// A building full of clients and spokes behind one NAT, all connecting at once after a power cut:
/// every one of them gets its tunnel.
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
