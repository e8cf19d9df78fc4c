//! Aggressive mode: who gets an answer, which contains a hash by which the pre-shared key can be
//! guessed offline.

use super::peer::{Bench, clear, path, phase1_sa};
use super::support::*;
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::policy::{IdentityMatch, KeyPeer, Policy};
use hubward_proto::time::Instant;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Writer};
use hubward_proto::wire::registry::{exchange, ike, payload};
use std::sync::Arc;

const SPOKE: &str = "10.100.2.102";
const ADDRESS: &[u8] = &[1, 17, 1, 244, 10, 100, 2, 102];
const NAME: &[u8] = b"\x02\x11\x01\xf4branch7.example.org";
const USER: &[u8] = b"\x03\x11\x01\xf4branch7@example.org";

/// What the hub answers to message 1 of a peer without Xauth that identifies itself in this way.
fn answers(policy: Policy, identity: &[u8]) -> Bench {
    let mut bench = Bench::new(Engine::new(Arc::new(policy), [1; 32], Instant::ORIGIN));
    let cookies = Cookies { initiator: Cookie([7; 8]), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    writer
        .push(payload::SA, phase1_sa(ike::AUTH_PRESHARED))
        .push(payload::KE, [2; 128])
        .push(payload::NONCE, [1; 20])
        .push(payload::ID, identity);
    let message = clear(cookies, exchange::AGGRESSIVE, &writer);
    let answer = bench.datagram(path(ip(HUB), ip(SPOKE), 500), &message);
    assert!(answer.iter().all(|answer| answer.len() * 10 <= message.len() * 12));
    bench.sent = answer;
    bench
}

/// The reference hub, with this peer of its key, and these lines of the profile for spokes.
fn hub(peer: KeyPeer, matches: Vec<IdentityMatch>) -> Policy {
    let mut policy = hub_policy();
    policy.keyrings[0].keys[0].peer = peer;
    policy.profiles[0].matches = matches;
    policy
}

fn anybody() -> KeyPeer {
    KeyPeer::Address(AddressRange::ANY_V4)
}

fn everything() -> IdentityMatch {
    IdentityMatch::Address(AddressRange::ANY_V4)
}

#[test]
fn the_key_of_all_branches_is_shown_to_nobody() {
    let network = || KeyPeer::Address(net("10.100.2.0/24"));
    let domains = || {
        vec![
            IdentityMatch::HostDomain("example.org".into()),
            IdentityMatch::UserDomain("example.org".into()),
            IdentityMatch::Address(net("10.100.2.0/24")),
        ]
    };
    for (peer, matches) in [
        (anybody(), vec![everything()]),
        (anybody(), vec![]),
        (anybody(), domains()),
        (network(), vec![everything()]),
        (network(), domains()),
        (anybody(), vec![IdentityMatch::Host("branch8.example.org".into())]),
    ] {
        for identity in [ADDRESS, NAME, USER] {
            let bench = answers(hub(peer.clone(), matches.clone()), identity);
            assert_eq!(bench.sent, Vec::<Vec<u8>>::new(), "{peer:?} {matches:?}");
            assert!(matches!(bench.refusals[..], [Refusal::KeyOfMany(_)]), "{:?}", bench.refusals);
            assert!(bench.engine.inspect().isakmp.is_empty());
        }
    }
}

#[test]
fn a_peer_that_the_configuration_means_is_answered() {
    let host = || KeyPeer::Address(AddressRange::host(ip(SPOKE)));
    for (peer, line, identity) in [
        (host(), everything(), ADDRESS),
        (host(), everything(), NAME),
        (KeyPeer::Hostname("branch7.example.org".into()), everything(), NAME),
        (KeyPeer::Hostname("branch7@example.org".into()), everything(), USER),
        (anybody(), IdentityMatch::Host("branch7.example.org".into()), NAME),
        (anybody(), IdentityMatch::User("branch7@example.org".into()), USER),
        (anybody(), IdentityMatch::Address(AddressRange::host(ip(SPOKE))), ADDRESS),
    ] {
        let bench = answers(hub(peer.clone(), vec![line]), identity);
        assert_eq!(bench.sent.len(), 1, "{peer:?}: {:?}", bench.refusals);
    }
}

/// A key for the peer alone wins over that of all others, in whatever order they stand. A peer
/// whose name is not that of the key is not meant by it.
#[test]
fn a_key_of_one_beside_the_key_of_all() {
    for both in [[0, 1], [1, 0]] {
        let mut policy = hub(KeyPeer::Address(AddressRange::host(ip(SPOKE))), vec![everything()]);
        let one = policy.keyrings[0].keys[0].clone();
        let all = hubward_proto::policy::PresharedKey { peer: anybody(), ..one.clone() };
        policy.keyrings[0].keys = both.map(|index| [one.clone(), all.clone()][index].clone()).into();
        assert_eq!(answers(policy.clone(), ADDRESS).sent.len(), 1);
        for key in &mut policy.keyrings[0].keys {
            if key.peer != anybody() {
                key.peer = KeyPeer::Hostname("branch8.example.org".into());
            }
        }
        assert!(answers(policy, NAME).sent.is_empty());
    }
}

/// A group that nobody knows gets an answer like any other, under a random key: the key of all
/// branches is not in it.
#[test]
fn an_unknown_group_is_not_answered_with_the_key_of_all() {
    use hubward_proto::ike::io::{Answer, Input, Question};
    let mut policy = hub_policy();
    policy.maps = policy
        .maps
        .iter()
        .map(|map| Arc::new(hubward_proto::policy::CryptoMap { xauth_list: None, ..(**map).clone() }))
        .collect();
    policy.profiles.remove(1);
    let mut bench = answers(policy, b"\x0b\x11\x01\xf4nobody");
    assert!(bench.sent.is_empty());
    let (id, question) = bench.asked.pop().unwrap();
    assert!(matches!(question, Question::Authorize { group, .. } if group == "nobody"));
    let answer = bench.input(Input::Answer { id, answer: Answer::Group(None) });
    assert_eq!(answer.len(), 1);
    assert!(matches!(bench.refusals[..], [Refusal::UnknownGroup(_)]), "{:?}", bench.refusals);
}

/// `crypto isakmp aggressive-mode disable`: nobody is answered.
#[test]
fn aggressive_mode_is_off() {
    let mut policy = hub(KeyPeer::Address(AddressRange::host(ip(SPOKE))), vec![everything()]);
    policy.global.aggressive_mode = false;
    for identity in [ADDRESS, NAME, b"\x0b\x11\x01\xf4testgroup"] {
        let bench = answers(policy.clone(), identity);
        assert!(bench.sent.is_empty() && bench.asked.is_empty());
        assert_eq!(bench.refusals, [Refusal::AggressiveModeDisabled]);
    }
}
