//! Known classes of attacks, as docs/security.md lists them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/peer.rs"]
mod peer;
mod support;

use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, HashAlg, IkeCipher};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::ike::proposal::{choose_phase1, offer_phase1};
use hubward_proto::policy::{Authentication, IsakmpPolicy};
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::Proposal;
use hubward_proto::wire::registry::{exchange, ike};
use peer::{Bench, Peer, quick_mode};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use support::{HUB, Node, World, client_policy, hub_policy, ip, tunnel};

fn policy() -> IsakmpPolicy {
    IsakmpPolicy {
        priority: 10,
        cipher: IkeCipher::Aes256,
        hash: HashAlg::Sha1,
        authentication: Authentication::PreShared,
        group: DhGroup::Modp2048,
        lifetime: Duration::from_secs(86400),
        line: 1,
    }
}

/// What a peer offers that fits, changed.
fn offered(change: impl FnOnce(&mut Vec<Attribute>)) -> Vec<Proposal> {
    let mut offered = offer_phase1(&[policy()], ike::AUTH_PRESHARED, None);
    change(&mut offered[0].transforms[0].attributes);
    offered
}

fn is_chosen(offered: &[Proposal]) -> bool {
    let methods = [ike::AUTH_PRESHARED, ike::AUTH_XAUTH_INIT_PRESHARED];
    choose_phase1(&[policy()], offered, &methods).is_ok()
}

/// The kinds of attributes without which there is no SA: cipher, hash, method, group, key length.
const NEEDED: [u16; 5] = [1, 2, 3, 4, 14];

/// Numbers that are private, unassigned or of another kind become no algorithm.
#[test]
fn no_number_but_the_configured_one_is_chosen() {
    assert!(is_chosen(&offered(|_| {})));
    for kind in NEEDED {
        for value in 0..=u16::MAX {
            let mut same = false;
            let changed = offered(|attributes| {
                let attribute = attributes.iter_mut().find(|attribute| attribute.kind == kind).unwrap();
                same = attribute.as_number() == Some(value.into());
                *attribute = Attribute::short(kind, value);
            });
            // Xauth is the other method of these
            let is_xauth = kind == 3 && value == ike::AUTH_XAUTH_INIT_PRESHARED;
            assert_eq!(is_chosen(&changed), same || is_xauth, "attribute {kind} = {value}");
        }
    }
}

/// A proposal without one of its parts is none.
#[test]
fn a_proposal_that_lacks_a_part_is_not_chosen() {
    for kind in NEEDED {
        let changed = offered(|attributes| attributes.retain(|attribute| attribute.kind != kind));
        assert!(!is_chosen(&changed), "without attribute {kind}");
    }
    assert!(!is_chosen(&offered(Vec::clear)));
    let mut empty = offered(|_| {});
    empty[0].transforms.clear();
    assert!(!is_chosen(&empty) && !is_chosen(&[]));
}

/// RSA encryption (4, and 5 as revised) is not implemented, and so are signatures (2, 3) and the
/// hybrid modes of clients.
#[test]
fn rsa_encrypted_nonces_and_signatures_are_refused() {
    for method in (2..=8).chain(64221..=64224).chain(65002..=65010) {
        let changed = offered(|attributes| {
            let attribute = attributes.iter_mut().find(|attribute| attribute.kind == 3).unwrap();
            *attribute = Attribute::short(3, method);
        });
        assert!(!is_chosen(&changed), "method {method}");
        for methods in [[ike::AUTH_PRESHARED, 0], [ike::AUTH_XAUTH_INIT_PRESHARED, 0]] {
            assert!(choose_phase1(&[policy()], &changed, &methods).is_err(), "method {method}");
        }
    }
}

/// SPIs of many peers: none twice, none reserved, and each bit is as often set as not.
#[test]
fn spis_are_random_and_never_taken_twice() {
    const PEERS: u32 = 64;
    let mut policy = hub_policy();
    policy.keyrings[0].keys[0].secret = Secret::new(*b"a key of all");
    let mut bench = Bench::new(Engine::new(Arc::new(policy), [200; 32], Instant::ORIGIN));
    for number in 0..PEERS {
        let octet = number as u8;
        let path = peer::path(ip(HUB), ip(&format!("10.100.2.{octet}")), 500);
        let mut peer = Peer::main_mode(&mut bench, path, "a key of all", octet);
        let theirs = [10, 2, octet, 0, 255, 255, 255, 0];
        let writer = quick_mode(0x1001, &[octet; 20], theirs, [10, 1, 0, 0, 255, 255, 0, 0]);
        let message = peer.seal(exchange::QUICK, 77, &writer);
        bench.datagram(path, &message);
    }
    let view = bench.engine.inspect();
    let spis: BTreeSet<u32> = view.children.iter().map(|child| child.sa.inbound.spi.0).collect();
    assert_eq!((view.children.len(), spis.len()), (PEERS as usize, PEERS as usize));
    // RFC 2406 section 2.1 reserves 1 to 255, and 0
    assert!(spis.iter().all(|spi| *spi > 255));
    for bit in 0..32 {
        let set = spis.iter().filter(|spi| **spi >> bit & 1 == 1).count();
        assert!((12..=52).contains(&set), "bit {bit} is set in {set} of {PEERS}");
    }
}

/// A gateway that has the group key and another identity than the user expects gets no password, in
/// either mode.
#[test]
fn no_password_is_given_to_a_gateway_of_another_identity() {
    use hubward_proto::policy::Phase1Mode;
    for mode in [Phase1Mode::Aggressive, Phase1Mode::Main] {
        for (wanted, is_right) in [(HUB, true), ("gateway.example.com", false)] {
            let mut policy = client_policy("10.51.82.100");
            let mut connection = (*policy.connections[0]).clone();
            connection.mode = mode;
            connection.gateway_identity = Some(wanted.into());
            // in main mode the key is found by the address
            if mode == Phase1Mode::Main {
                connection.key = Secret::new(*b"cisco123");
            }
            policy.connections = vec![connection.into()];
            let mut world =
                World::new(vec![Node::new(HUB, hub_policy(), 1), Node::new("10.51.82.100", policy, 2)]);
            world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
            world.run(Duration::from_secs(3));
            let asked = world.nodes[1].passwords_asked;
            assert_eq!(asked > 0, is_right, "{mode:?} {wanted}: {:?}", world.nodes[1].refusals());
            assert_eq!(tunnel(&world.nodes[1], &world.nodes[0]), is_right, "{mode:?} {wanted}");
        }
    }
}

/// Everything that a hub sends after a first message of aggressive mode for a group, and a third
/// message that proves nothing, within three minutes. The hub has the same seed each time.
fn sent_for_group(known: bool) -> Vec<Vec<u8>> {
    use hubward_proto::ike::io::Answer;
    use hubward_proto::wire::isakmp::Cookies;
    use hubward_proto::wire::isakmp::{Cookie, FLAG_ENCRYPTION, Header, Writer};
    use hubward_proto::wire::registry::payload;
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
    let from = peer::path(ip(HUB), ip("10.51.82.100"), 500);
    let cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    writer
        .push(payload::SA, peer::phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED))
        .push(payload::KE, [2; 128])
        .push(payload::NONCE, [1; 20])
        .push(payload::ID, [&[11, 17, 1, 244], &b"testgroup"[..]].concat());
    bench.datagram(from, &peer::clear(cookies, exchange::AGGRESSIVE, &writer));
    let (id, _) = bench.asked.pop().expect("the group is asked for");
    let group = known.then(support::test_group);
    let mut sent = bench.input(Input::Answer { id, answer: Answer::Group(group) });
    let (header, _) = Header::parse(&sent[0]).unwrap();
    // the client repeats itself, proves nothing, and proves nothing again
    sent.extend(bench.datagram(from, &peer::clear(cookies, exchange::AGGRESSIVE, &writer)));
    let third = Header { first: payload::HASH, flags: FLAG_ENCRYPTION, ..header };
    for _ in 0..2 {
        sent.extend(bench.datagram(from, &third.write(&[0x5a; 40])));
        sent.extend(bench.wait(Duration::from_secs(90)));
    }
    sent
}

/// What a hub answers for a group that exists and for one that does not are the same bytes, but for
/// random ones and the hash, which nobody can tell from another without the key; and as many messages.
#[test]
fn an_unknown_group_is_answered_byte_for_byte_like_a_known_one() {
    use hubward_proto::wire::isakmp::{Chain, Header};
    use hubward_proto::wire::registry::payload;
    let (known, unknown) = (sent_for_group(true), sent_for_group(false));
    assert!(known.len() >= 2, "message 2, and again");
    assert_eq!(known.len(), unknown.len());
    for (one, other) in known.iter().zip(&unknown) {
        let (header, body) = Header::parse(one).unwrap();
        let (header_of_other, body_of_other) = Header::parse(other).unwrap();
        assert_eq!(header, header_of_other);
        if header.encrypted() {
            assert_eq!(body.len(), body_of_other.len());
            continue;
        }
        let (chain, of_other) =
            (Chain::parse(header.first, body).unwrap(), Chain::parse(header.first, body_of_other).unwrap());
        assert_eq!(chain.payloads.len(), of_other.payloads.len());
        for (payload, of_other) in chain.payloads.iter().zip(&of_other.payloads) {
            assert_eq!((payload.kind, payload.body.len()), (of_other.kind, of_other.body.len()));
            // random, or made of that
            let may_differ = [payload::KE, payload::NONCE, payload::HASH, payload::NAT_D];
            if !may_differ.contains(&payload.kind) {
                assert_eq!(payload.body, of_other.body, "payload {}", payload.kind);
            }
        }
    }
}

/// A user who does not exist, a wrong password and one that was not checked because of a lock-out
/// are answered with the same bytes, until the last try.
#[test]
fn every_refused_password_is_answered_with_the_same_bytes() {
    use hubward_proto::ike::io::Answer;
    use hubward_proto::wire::registry::config;
    let opened = |reason: &str| {
        let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
        let from = peer::path(ip(HUB), ip("10.51.82.100"), 500);
        let (mut peer, mut request) = Peer::aggressive_mode(&mut bench, from, &support::test_group(), 3);
        let mut plain = Vec::new();
        for _ in 0..3 {
            let attributes = vec![
                Attribute::long(config::XAUTH_USER_NAME, *b"user"),
                Attribute::long(config::XAUTH_USER_PASSWORD, *b"password"),
            ];
            let reply = peer.config(request, config::REPLY, attributes);
            bench.datagram(from, &reply);
            let (id, _) = bench.asked.pop().expect("the login list is asked");
            let rejected = Answer::Rejected { reason: reason.into() };
            let mut answers = bench.input(Input::Answer { id, answer: rejected });
            answers.extend(bench.wait(Duration::from_millis(200)));
            for answer in answers {
                let (header, text) = peer.open(&answer);
                request = header.message_id;
                plain.push((header, text));
            }
        }
        plain
    };
    let wrong = opened("wrong password");
    assert!(wrong.len() >= 3, "{wrong:?}");
    assert_eq!(wrong, opened("unknown user"));
    assert_eq!(wrong, opened("too many failures; not checked for 60 s"));
}

/// R-U-THERE and R-U-THERE-ACK (RFC 3706) of an SA that there is not, in clear and encrypted, with
/// no responder cookie and with an invented one: no answer, no state, no change for those who are
/// here.
#[test]
fn dead_peer_detection_without_an_sa_is_answered_by_nothing() {
    use hubward_proto::wire::ike1::Notify;
    use hubward_proto::wire::isakmp::Cookies;
    use hubward_proto::wire::isakmp::{Cookie, FLAG_ENCRYPTION, Header, Writer};
    use hubward_proto::wire::registry::{notify, payload};
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
    let from = peer::path(ip(HUB), ip("10.100.2.102"), 500);
    let mut branch = Peer::with_dpd(&mut bench, from, "cisco123", 2);
    let networks = [[10, 2, 0, 0, 255, 255, 0, 0], [10, 1, 0, 0, 255, 255, 0, 0]];
    assert!(branch.quick_mode(&mut bench, 77, networks[0], networks[1]));
    let before = format!("{:?}", bench.engine.inspect());
    for responder in [Cookie::ZERO, Cookie([9; 8]), branch.cookies.responder] {
        let cookies = Cookies { initiator: Cookie([8; 8]), responder };
        for kind in [notify::R_U_THERE, notify::R_U_THERE_ACK] {
            let spi = [cookies.initiator.0, cookies.responder.0].concat();
            let body = Notify { protocol: 1, spi, kind, data: vec![0, 0, 0, 1] };
            for (first, chain) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut writer = Writer::new();
                if chain {
                    writer.push(payload::HASH, [7; 20]);
                }
                writer.push(payload::NOTIFY, body.write());
                let mut message = peer::clear(cookies, exchange::INFORMATIONAL, &writer);
                if first {
                    let (header, _) = Header::parse(&message).unwrap();
                    let header = Header { flags: FLAG_ENCRYPTION, message_id: 5, ..header };
                    message = header.write(&[0x5a; 64]);
                }
                for remote in ["10.100.2.102", "44.0.0.1"] {
                    let path = peer::path(ip(HUB), ip(remote), 500);
                    assert_eq!(bench.datagram(path, &message), Vec::<Vec<u8>>::new());
                }
            }
        }
    }
    assert_eq!(format!("{:?}", bench.engine.inspect()), before);
}

/// A message of IKEv2, and one of IKEv1 with the payload types of IKEv2: no payload type means what
/// it means in the other version.
#[test]
fn payloads_of_another_version_are_not_understood() {
    use hubward_proto::wire::isakmp::Cookies;
    use hubward_proto::wire::isakmp::{Cookie, Writer};
    use hubward_proto::wire::registry::payload;
    let answers = |first: u8, body: Vec<u8>, version: u8, kind: u8| {
        let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
        let cookies = Cookies { initiator: Cookie([1; 8]), responder: Cookie::ZERO };
        let mut writer = Writer::new();
        writer.push(first, body);
        let mut message = peer::clear(cookies, kind, &writer);
        message[17] = version;
        let sent = bench.datagram(peer::path(ip(HUB), ip("44.0.0.1"), 500), &message);
        // an answer to what is no call is none, or a refusal in clear
        (
            sent.iter().filter(|answer| answer[18] == exchange::MAIN).count(),
            bench.engine.inspect().isakmp.len(),
        )
    };
    let sa = || peer::phase1_sa(ike::AUTH_PRESHARED);
    assert_eq!(answers(payload::SA, sa(), 0x10, exchange::MAIN).0, 1);
    // the same with the version of IKEv2, and with its exchanges
    for (version, kind) in
        [(0x20, exchange::MAIN), (0x20, 34), (0x10, 34), (0x10, 35), (0x10, 36), (0x10, 37)]
    {
        let (count, sas) = answers(payload::SA, sa(), version, kind);
        assert_eq!((count, sas), (0, 0), "version {version:#x}, exchange {kind}");
    }
    // its SA payload is 33, its KE 34, and so on; alone they are no call
    for kind in 33..=54 {
        let (count, sas) = answers(kind, sa(), 0x10, exchange::MAIN);
        assert_eq!((count, sas), (0, 0), "payload {kind} in place of the SA");
    }
}

/// A gateway that says that Xauth has passed, before it has asked for anything, and assigns an
/// address that nobody has asked for: the client gives no password for that, and has no tunnel and
/// no address of its.
#[test]
fn an_early_success_gives_a_client_nothing() {
    use hubward_proto::wire::registry::config;
    let policy = Arc::new(client_policy("10.51.82.100"));
    let mut bench = Bench::new(Engine::new(policy, [1; 32], Instant::ORIGIN));
    let connect = Command::Connect { connection: "work".into() };
    let mut call = bench.input(Input::Command(connect));
    call.extend(bench.wait(Duration::from_millis(1)));
    let path = peer::path(ip("10.51.82.100"), ip(HUB), 500);
    let mut gateway = Peer::gateway(&mut bench, &call[0], path, "cisco321", 4);
    let address = || Attribute::long(config::ADDRESS, [10, 5, 5, 1]);
    for (number, (kind, attribute)) in [
        (config::SET, Attribute::short(config::XAUTH_STATUS, 1)),
        (config::REPLY, Attribute::short(config::XAUTH_STATUS, 1)),
        (config::ACK, Attribute::short(config::XAUTH_STATUS, 1)),
        (config::REPLY, address()),
        (config::ACK, address()),
    ]
    .into_iter()
    .enumerate()
    {
        let message = gateway.config(900 + u32::try_from(number).unwrap(), kind, vec![attribute]);
        bench.datagram(path, &message);
    }
    bench.wait(Duration::from_secs(3));
    assert!(bench.asked.is_empty(), "nobody types a password: {:?}", bench.asked);
    let effects = bench.trace.join("\n");
    assert!(!effects.contains("Install"), "{effects}");
    assert!(!effects.contains("Assign("), "{effects}");
}
