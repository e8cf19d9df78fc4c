//! No message that the engine sends has a byte of memory that nobody wrote, whatever it was sent:
//! in the messages as they are, and in what the peer decrypts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../support/peer.rs"]
mod peer;
mod poison;
#[path = "../support/mod.rs"]
mod support;

use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::Notify;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Writer};
use hubward_proto::wire::registry::{config, exchange, ike, payload};
use peer::{Bench, Peer, clear, path, phase1_sa, quick_mode};
use std::sync::Arc;
use std::time::Duration;
use support::{HUB, Node, World, client_policy, hub_policy, ip, spoke_policy, test_group, tunnel};

fn bench() -> Bench {
    Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN))
}

fn assert_clean(what: &str, bytes: &[u8]) {
    assert!(!poison::is_in(bytes), "{what} has memory that nobody wrote: {bytes:02x?}");
}

/// Opens the answers of an established peer, and returns how many there were.
fn open(peer: &mut Peer, what: &str, answers: &[Vec<u8>]) -> usize {
    for answer in answers {
        assert_clean(what, answer);
        let (header, plain) = peer.open(answer);
        assert_clean(&format!("{what}, {header:?}"), &plain);
    }
    answers.len()
}

/// A hub, a spoke, and a client with Xauth and an address, over a day with all rekeys, and until
/// they are cleared: no datagram of any of them.
#[test]
fn no_datagram_of_a_day_has_memory_that_nobody_wrote() {
    let spoke = Node::new("10.100.2.102", spoke_policy("10.100.2.102", "10.2.0.0/16"), 2);
    let mut client = Node::new("10.51.82.100", client_policy("10.51.82.100"), 3);
    client.nat = Some(ip("192.0.2.1"));
    let mut world = World::new(vec![Node::new(HUB, hub_policy(), 1), spoke, client]);
    world.acquire(1);
    world.input(2, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_secs(30));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]) && tunnel(&world.nodes[2], &world.nodes[0]));
    world.run(Duration::from_secs(90_000));
    world.input(0, Input::Command(Command::ClearSession { peer: None }));
    world.run(Duration::from_secs(120));
    assert!(world.trace.len() > 40, "{} datagrams", world.trace.len());
    for (_, datagram) in &world.trace {
        assert_clean("a datagram", &datagram.bytes);
    }
}

/// What a spoke decrypts: of quick mode, of dead peer detection, of refusals, of deletes.
#[test]
fn nothing_that_a_spoke_decrypts_has_memory_that_nobody_wrote() {
    let mut bench = bench();
    let from = path(ip(HUB), ip("10.100.2.102"), 500);
    let mut peer = Peer::with_dpd(&mut bench, from, "cisco123", 2);
    let mut opened = 0;
    let local = [10, 1, 0, 0, 255, 255, 0, 0];
    let remote = [10, 2, 0, 0, 255, 255, 0, 0];
    for (number, (own, other)) in
        [(remote, local), (local, local), ([0; 8], [0; 8]), (remote, [9; 8])].into_iter().enumerate()
    {
        let id = 100 + u32::try_from(number).unwrap();
        let message = peer.seal(exchange::QUICK, id, &quick_mode(5000 + id, &[1; 20], own, other));
        let answers = bench.datagram(from, &message);
        opened += open(&mut peer, "quick mode", &answers);
    }
    for (number, kind) in (0..40_000).step_by(271).enumerate() {
        let notify = Notify {
            protocol: 1,
            spi: [peer.cookies.initiator.0, peer.cookies.responder.0].concat(),
            kind: if number == 0 { 36_136 } else { kind },
            data: vec![0, 0, 0, 1],
        };
        let mut writer = Writer::new();
        writer.push(payload::NOTIFY, notify.write());
        let message = peer.seal(exchange::INFORMATIONAL, 1_000 + u32::from(kind), &writer);
        let answers = bench.datagram(from, &message);
        opened += open(&mut peer, "an informational message", &answers);
    }
    let answers = bench.input(Input::Command(Command::ClearSession { peer: None }));
    opened += open(&mut peer, "a delete", &answers);
    assert!(opened > 4, "{opened} messages were decrypted");
}

/// What a client decrypts: of Xauth, and of mode-config with every attribute that it can ask for.
#[test]
fn nothing_that_a_client_decrypts_has_memory_that_nobody_wrote() {
    let mut bench = bench();
    let from = path(ip(HUB), ip("10.51.82.100"), 500);
    let (mut peer, request) = Peer::aggressive_mode(&mut bench, from, &test_group(), 3);
    peer.pass_xauth(&mut bench, request);
    let mut opened = 0;
    let kinds: Vec<_> = (0..=20).chain(28_670..28_690).collect();
    for (number, kinds) in kinds.chunks(1).chain([&kinds[..]]).enumerate() {
        let attributes = kinds.iter().map(|kind| Attribute::long(*kind, *b"")).collect();
        let message = peer.config(7_000 + u32::try_from(number).unwrap(), config::REQUEST, attributes);
        let mut answers = bench.datagram(from, &message);
        while let Some((id, question)) = bench.asked.pop() {
            let answer = match question {
                hubward_proto::ike::io::Question::Lease { .. } => {
                    hubward_proto::ike::io::Answer::Lease(Ok(ip("10.5.5.1")))
                }
                other => panic!("{other:?}"),
            };
            answers.extend(bench.input(Input::Answer { id, answer }));
        }
        opened += open(&mut peer, "mode-config", &answers);
    }
    assert!(opened > 10, "{opened} messages were decrypted");
}

/// First messages that are cut anywhere, with lengths that fit, and with every byte changed.
#[test]
fn no_answer_to_a_damaged_first_message_has_memory_that_nobody_wrote() {
    let cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie::ZERO };
    let mut main = Writer::new();
    main.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
    let mut aggressive = Writer::new();
    aggressive
        .push(payload::SA, phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED))
        .push(payload::KE, [2; 128])
        .push(payload::NONCE, [1; 20])
        .push(payload::ID, [&[11, 17, 1, 244], &b"testgroup"[..]].concat());
    let mut answers = 0;
    let mut source = 0x2c00_0000_u32;
    let mut bench = bench();
    let mut send = |message: &[u8]| {
        // each from an address of its own, so that none is refused for its predecessors
        source += 1;
        let from = path(ip(HUB), std::net::Ipv4Addr::from_bits(source).into(), 500);
        bench.now += Duration::from_millis(100);
        let mut sent = bench.datagram(from, message);
        while let Some((id, _)) = bench.asked.pop() {
            let group = hubward_proto::ike::io::Answer::Group(Some(test_group()));
            sent.extend(bench.input(Input::Answer { id, answer: group }));
        }
        sent.iter().for_each(|answer| assert_clean("an answer", answer));
        answers += sent.len();
        bench.trace.clear();
        bench.refusals.clear();
    };
    for message in [clear(cookies, exchange::MAIN, &main), clear(cookies, exchange::AGGRESSIVE, &aggressive)]
    {
        for at in 0..message.len() {
            let mut cut = message[..at].to_vec();
            send(&cut);
            if at >= 28 {
                cut[24..28].copy_from_slice(&u32::try_from(at).unwrap().to_be_bytes());
                send(&cut);
            }
            // most bytes of the public value are as good as others
            if message.len() > 200 && (120..220).contains(&at) && at % 16 != 0 {
                continue;
            }
            for value in [0, 0x80, 0xff, message[at] ^ 1] {
                let mut changed = message.clone();
                changed[at] = value;
                send(&changed);
            }
        }
    }
    assert!(answers > 100, "{answers} answers");
}
