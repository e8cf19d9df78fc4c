//! Xauth: wrong passwords, and messages that arrive in another order.

use super::hub_and_client;
use super::peer::{Bench, Peer, path};
use super::support::*;
use hubward_crypto::secret::Secret;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Answer, Command, Input, Question};
use hubward_proto::limits;
use hubward_proto::policy::Phase1Mode;
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::Config;
use hubward_proto::wire::isakmp::{Chain, Writer};
use hubward_proto::wire::registry::{config, exchange, payload};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The users that a hub refused, in the order of their tries.
fn rejected(world: &World) -> Vec<String> {
    let user = |event: &hubward_proto::ike::event::Event| match &event.kind {
        EventKind::XauthRejected { user } => Some(user.to_string()),
        _ => None,
    };
    world.nodes[0].events.iter().filter_map(user).collect()
}

/// A user who types the same wrong password repeatedly has three tries on the SA, and then the SA
/// ends.
#[test]
fn three_tries() {
    let mut world = hub_and_client();
    world.nodes[1].users[0].1 = "wrong".into();
    world.nodes[1].insists = true;
    world.run(Duration::from_secs(30));
    assert_eq!(world.nodes[1].passwords_asked, limits::XAUTH_TRIES);
    assert_eq!(rejected(&world), ["gfullage"; 3]);
    assert!(world.nodes[1].refusals().iter().any(|text| text == "Xauth failed"));
    assert!(
        world.nodes.iter().all(|node| node.inbound.is_empty() && node.engine.inspect().isakmp.is_empty())
    );
    let phase1 = world.trace.iter().filter(|(_, datagram)| datagram.bytes[18] == exchange::AGGRESSIVE);
    assert_eq!(phase1.count(), 3, "all tries were on one SA");
}

/// A user who mistyped once is accepted at the second try.
#[test]
fn the_second_try_is_right() {
    let mut world = hub_and_client();
    world.nodes[1].users[0].1 = "gfulage".into();
    world.nodes[1].insists = true;
    while world.nodes[1].passwords_asked == 0 {
        world.run(Duration::from_millis(5));
    }
    world.nodes[1].users[0].1 = "gfullage".into();
    world.run(Duration::from_secs(3));
    assert_eq!(rejected(&world), ["gfullage"]);
    assert_eq!(world.nodes[1].passwords_asked, 2);
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
}

/// An empty password (one of Libreswan's bugs) is a wrong password and causes no crash.
#[test]
fn an_empty_password() {
    let mut world = hub_and_client();
    world.nodes[1].users[0].1 = String::new();
    world.run(Duration::from_secs(30));
    assert_eq!(rejected(&world), ["gfullage"]);
    assert!(world.nodes[0].inbound.is_empty() && world.nodes[0].leases.is_empty());
}

/// A hub, a peer that has completed aggressive mode, and the message id of the first Xauth request.
fn asked() -> (Bench, Peer, u32) {
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
    let from = path(ip(HUB), ip("10.51.82.100"), 500);
    let (peer, message_id) = Peer::aggressive_mode(&mut bench, from, &test_group(), 3);
    (bench, peer, message_id)
}

fn transaction(peer: &mut Peer, message_id: u32, kind: u8, attributes: Vec<Attribute>) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.push(payload::ATTRIBUTE, Config { kind, identifier: 1, attributes }.write());
    peer.seal(exchange::TRANSACTION, message_id, &writer)
}

fn reply(bench: &mut Bench, peer: &mut Peer, message_id: u32, user: &str, password: &[u8]) {
    let attributes = vec![
        Attribute::long(config::XAUTH_USER_NAME, user.as_bytes()),
        Attribute::long(config::XAUTH_USER_PASSWORD, password),
    ];
    let message = transaction(peer, message_id, config::REPLY, attributes);
    bench.datagram(peer.path, &message);
}

/// The status that a SET of the hub carries, and its message id.
fn status(peer: &mut Peer, bytes: &[u8]) -> (u32, Option<u64>) {
    let (header, plain) = peer.open(bytes);
    let chain = Chain::parse(header.first, &plain).unwrap();
    let message = Config::parse(chain.first(payload::ATTRIBUTE).unwrap()).unwrap();
    (header.message_id, message.get(config::XAUTH_STATUS).and_then(Attribute::as_number))
}

/// The trailing NUL that some clients count is no part of the password (hwdsl2 #353).
#[test]
fn a_trailing_nul_is_no_part_of_the_password() {
    let (mut bench, mut peer, message_id) = asked();
    reply(&mut bench, &mut peer, message_id, "gfullage", b"gfullage\0");
    let Some((_, Question::Authenticate { password, .. })) = bench.asked.pop() else { panic!("a question") };
    assert_eq!(password.expose(), b"gfullage");
}

/// A further round (RADIUS Access-Challenge) asks for no name; its answer belongs to the user of
/// the first round, whatever name it contains.
#[test]
fn a_further_round_is_the_same_users() {
    let (mut bench, mut peer, message_id) = asked();
    reply(&mut bench, &mut peer, message_id, "gfullage", b"gfullage");
    let (id, _) = bench.asked.pop().unwrap();
    let request = bench.input(Input::Answer { id, answer: Answer::Challenge { message: "token?".into() } });
    let (message_id, _) = status(&mut peer, &request[0]);
    reply(&mut bench, &mut peer, message_id, "somebody-else", b"123456");
    let Some((_, Question::Authenticate { user, password, .. })) = bench.asked.pop() else {
        panic!("a question")
    };
    assert_eq!((user.as_str(), password.expose()), ("gfullage", &b"123456"[..]));
}

/// Nobody could check the password: the same user is asked again and told why, which is not what a
/// wrong password looks like, and the right one passes afterwards. It does not go on for ever.
#[test]
fn a_password_that_nobody_could_check_is_asked_for_again() {
    let (mut bench, mut peer, mut message_id) = asked();
    for round in 1..=2 {
        reply(&mut bench, &mut peer, message_id, "gfullage", b"gfullage");
        let (id, Question::Authenticate { from, .. }) = bench.asked.pop().unwrap() else { panic!("a login") };
        assert_eq!(from, ip("10.51.82.100"));
        let request = bench.input(Input::Answer { id, answer: Answer::Later });
        let (header, plain) = peer.open(&request[0]);
        let chain = Chain::parse(header.first, &plain).unwrap();
        let message = Config::parse(chain.first(payload::ATTRIBUTE).unwrap()).unwrap();
        let text = message.get(config::XAUTH_MESSAGE).map(|text| text.bytes()).unwrap();
        assert!(String::from_utf8(text).unwrap().contains("try again later"), "round {round}");
        assert!(!bench.trace.iter().any(|told| format!("{told:?}").contains("XauthRejected")));
        message_id = header.message_id;
    }
    reply(&mut bench, &mut peer, message_id, "gfullage", b"gfullage");
    let (id, _) = bench.asked.pop().unwrap();
    let set = bench.input(Input::Answer { id, answer: Answer::Accepted { user: "gfullage".into() } });
    assert_eq!(status(&mut peer, &set[0]).1, Some(1), "two rounds cost no try");
    // and three rounds end it
    let (mut bench, mut peer, mut message_id) = asked();
    for round in 1..=3 {
        reply(&mut bench, &mut peer, message_id, "gfullage", b"gfullage");
        let (id, _) = bench.asked.pop().unwrap();
        let sent = bench.input(Input::Answer { id, answer: Answer::Later });
        let (id, said) = status(&mut peer, &sent[0]);
        assert_eq!(said, (round == 3).then_some(0));
        message_id = id;
    }
}

/// An acknowledgement of the SET without attributes, and strongSwan's with an empty one, are
/// accepted.
#[test]
fn an_acknowledgement_needs_no_attributes() {
    for attributes in [vec![], vec![Attribute::long(config::XAUTH_STATUS, [])]] {
        let (mut bench, mut peer, message_id) = asked();
        reply(&mut bench, &mut peer, message_id, "gfullage", b"gfullage");
        let (id, _) = bench.asked.pop().unwrap();
        let set = bench.input(Input::Answer { id, answer: Answer::Accepted { user: "gfullage".into() } });
        let (message_id, said) = status(&mut peer, &set[0]);
        assert_eq!(said, Some(1));
        let ack = transaction(&mut peer, message_id, config::ACK, attributes);
        bench.datagram(peer.path, &ack);
        assert_eq!(bench.refusals, []);
        let view = bench.engine.inspect();
        assert_eq!(view.isakmp[0].user.as_ref().map(ToString::to_string).as_deref(), Some("gfullage"));
    }
}

/// The client's acknowledgement of the SET is lost, and it goes on: vpnc and Libreswan send it once.
/// Its request for an address shows as well that it knows. A request for Xauth does not, nor does
/// any request after a SET that reported a wrong password.
#[test]
fn a_client_goes_on_although_its_acknowledgement_was_lost() {
    for (accepted, kind, goes_on) in [
        (true, config::ADDRESS, true),
        (true, config::XAUTH_USER_NAME, false),
        (false, config::ADDRESS, false),
    ] {
        let (mut bench, mut peer, message_id) = asked();
        reply(&mut bench, &mut peer, message_id, "gfullage", b"gfullage");
        let (id, _) = bench.asked.pop().unwrap();
        let answer = match accepted {
            true => Answer::Accepted { user: "gfullage".into() },
            false => Answer::Rejected { reason: "wrong".into() },
        };
        bench.input(Input::Answer { id, answer });
        let request = transaction(&mut peer, 0x0bad_cafe, config::REQUEST, vec![Attribute::long(kind, [])]);
        bench.datagram(peer.path, &request);
        let user = bench.engine.inspect().isakmp[0].user.as_ref().map(ToString::to_string);
        assert_eq!(user.is_some(), goes_on, "{accepted} {kind}");
        assert_eq!(bench.refusals.is_empty(), goes_on, "{accepted} {kind}: {:?}", bench.refusals);
        let asked = bench.asked.iter().any(|(_, question)| matches!(question, Question::Lease { .. }));
        assert_eq!(asked, goes_on, "an address is asked for");
    }
}

/// The hub's request overtakes message 6 of main mode: the client keeps it and answers once phase 1
/// is established, so that the hub need not ask twice. The number of unauthenticated messages kept
/// is bounded.
#[test]
fn a_request_before_message_6() {
    let mut world = hub_and_client();
    let mut policy = client_policy("10.51.82.100");
    let mut connection = (*policy.connections[0]).clone();
    connection.mode = Phase1Mode::Main;
    connection.key = Secret::new(*b"cisco123");
    policy.connections = vec![connection.into()];
    world.nodes[1] = Node::new("10.51.82.100", policy, 3);
    world.trace.clear();
    let held = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&held);
    world.filter = Some(Box::new(move |datagram: &Datagram| {
        let message_6 = datagram.from.ip() == ip(HUB)
            && datagram.bytes[18] == exchange::MAIN
            && datagram.bytes[19] == 1
            && keep.borrow().is_none();
        if message_6 {
            *keep.borrow_mut() = Some(datagram.clone());
        }
        !message_6
    }));
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_millis(200));
    let message_6: Datagram = held.borrow().clone().unwrap();
    let early = world.trace.last().unwrap().1.clone();
    assert_eq!(early.bytes[18], exchange::TRANSACTION);
    // forged requests fill the remaining room, and no more
    for index in 0..100u8 {
        let mut forged = early.clone();
        let last = forged.bytes.len() - 1;
        forged.bytes[last] = index;
        world.inject(forged);
    }
    world.run(Duration::from_millis(50));
    world.inject(message_6);
    world.run(Duration::from_millis(150));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[1].refusals());
    let from_hub =
        || world.trace.iter().map(|(_, datagram)| datagram).filter(|sent| sent.from.ip() == ip(HUB));
    let sent: std::collections::BTreeSet<_> = from_hub().map(|datagram| &datagram.bytes).collect();
    assert_eq!(sent.len(), from_hub().count(), "the hub repeats nothing");
    let refused = world.nodes[1].refusals().iter().filter(|text| text.contains("HASH")).count();
    assert_eq!(refused, limits::EARLY_MESSAGES - 1, "the early ones are judged, the others were dropped");
    assert!(!world.nodes[1].refusals().iter().any(|text| *text == Refusal::XauthFailed.to_string()));
}
