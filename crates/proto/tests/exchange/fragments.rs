//! Messages in fragments (Cisco's IKE fragmentation), from whom they should come and from others.

use super::peer::{Bench, Peer, clear, path, phase1_sa, quick_mode};
use super::support::*;
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::random::Random;
use hubward_crypto::suite::DhGroup;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::time::Instant;
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Cookie, Header, Writer};
use hubward_proto::wire::registry::{exchange, ike, payload};
use std::sync::Arc;

const SPOKE: &str = "10.100.2.102";

fn bench() -> Bench {
    Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN))
}

/// A message in two fragments that carry these cookies.
fn halves(cookies: Cookies, message: &[u8]) -> [Vec<u8>; 2] {
    let (front, back) = message.split_at(message.len() / 2);
    [(1, 0, front), (2, 1, back)].map(|(index, last, part)| {
        let mut writer = Writer::new();
        writer.push(payload::FRAGMENT, [&[0, 1, index, last], part].concat());
        clear(cookies, exchange::MAIN, &writer)
    })
}

fn first_message(initiator: Cookie) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
    clear(Cookies { initiator, responder: Cookie::ZERO }, exchange::MAIN, &writer)
}

/// A peer has initiated. Somebody else sends fragments with its address and its cookie, but cannot
/// know ours: they are not kept, nor do they disturb the peer's own fragments.
#[test]
fn fragments_without_our_cookie_are_not_kept() {
    let mut bench = bench();
    let from = path(ip(HUB), ip(SPOKE), 500);
    let initiator = Cookie([7; 8]);
    let second = bench.datagram(from, &first_message(initiator));
    let (header, _) = Header::parse(&second[0]).unwrap();
    let cookies = Cookies { initiator, responder: header.responder };
    let private = DhPrivate::generate(DhGroup::Modp1024, &mut Random::new([5; 32]));
    let mut writer = Writer::new();
    writer.push(payload::KE, private.public()).push(payload::NONCE, [1; 20]);
    let [front, back] = halves(cookies, &clear(cookies, exchange::MAIN, &writer));
    assert!(bench.datagram(from, &front).is_empty() && bench.refusals.is_empty());
    for responder in [Cookie::ZERO, Cookie([9; 8])] {
        let forged = Cookies { initiator, responder };
        for half in halves(forged, &first_message(Cookie([8; 8]))) {
            assert!(bench.datagram(from, &half).is_empty());
            assert_eq!(bench.refusals.pop(), Some(Refusal::UnknownCookies));
        }
    }
    // nobody's first message comes in fragments
    let nobody = Cookies { initiator: Cookie([6; 8]), responder: Cookie::ZERO };
    for half in halves(nobody, &first_message(Cookie([6; 8]))) {
        assert!(bench.datagram(from, &half).is_empty());
        assert_eq!(bench.refusals.pop(), Some(Refusal::UnknownCookies));
    }
    assert_eq!(bench.datagram(from, &back).len(), 1, "message 4: {:?}", bench.refusals);
}

/// On an established SA too, a fragment must carry both cookies, and what it is a part of as well.
#[test]
fn fragments_of_an_established_peer() {
    let mut bench = bench();
    let from = path(ip(HUB), ip(SPOKE), 500);
    let mut peer = Peer::main_mode(&mut bench, from, "cisco123", 3);
    let networks = [[10, 2, 0, 0, 255, 255, 0, 0], [10, 1, 0, 0, 255, 255, 0, 0]];
    let message = peer.seal(exchange::QUICK, 77, &quick_mode(1000, &[1; 20], networks[0], networks[1]));
    for wrong in [
        Cookies { responder: Cookie::ZERO, ..peer.cookies },
        Cookies { initiator: Cookie([9; 8]), ..peer.cookies },
    ] {
        for half in halves(wrong, &message) {
            assert!(bench.datagram(from, &half).is_empty());
        }
    }
    assert!(bench.refusals.iter().all(|refusal| *refusal == Refusal::UnknownCookies), "{:?}", bench.refusals);
    let [front, back] = halves(peer.cookies, &first_message(Cookie([8; 8])));
    assert!(bench.datagram(from, &front).is_empty() && bench.datagram(from, &back).is_empty());
    assert_eq!(bench.engine.inspect().isakmp.len(), 1, "another's first message does not come in these");
    let [front, back] = halves(peer.cookies, &message);
    assert!(bench.datagram(from, &front).is_empty());
    assert_eq!(bench.datagram(from, &back).len(), 1, "{:?}", bench.refusals);
}
