//! How much a peer, or anybody, may have in progress, and for how long.

use super::peer::{Bench, Peer, clear, phase1_sa, phase1_transform, quick_mode};
use super::support::{hub_policy, ip, net, spoke_policy, test_group};
use super::{bench, from};
use hubward_proto::flow::selector::{AddressRange, Flow, Selector};
use hubward_proto::flow::tables::Acquire;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Answer, Input};
use hubward_proto::ike::vendor::Vendor;
use hubward_proto::limits;
use hubward_proto::names::{InterfaceId, Service};
use hubward_proto::policy::{CryptoAclLine, KeyPeer, MapEntryKind, Policy, PresharedKey};
use hubward_proto::wire::ike1::{Proposal, write_sa};
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Chain, Cookie, Header, Writer};
use hubward_proto::wire::registry::{exchange, ike, payload, protocol};
use std::sync::Arc;
use std::time::Duration;

const LOCAL: [u8; 8] = [10, 1, 0, 0, 255, 255, 0, 0];

fn spoke_net(index: usize) -> [u8; 8] {
    [10, 60 + u8::try_from(index >> 8).unwrap(), (index & 255) as u8, 0, 255, 255, 255, 0]
}

/// Quick modes whose third message never arrives, and those that wait behind them.
pub(crate) fn quick_modes_begun(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    let mut peer = Peer::main_mode(&mut bench, from(0), "cisco123", 3);
    for index in 0..count + limits::QUICK_MODES {
        let writer = quick_mode(1000 + index as u32, &[1; 20], spoke_net(index), LOCAL);
        let message = peer.seal(exchange::QUICK, 77 + index as u32, &writer);
        bench.datagram(from(0), &message);
    }
    bench
}

/// Quick modes of one peer on as many SAs as they need, whose third message never arrives.
pub(crate) fn half_made(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    let indices: Vec<_> = (0..count).collect();
    for (number, some) in indices.chunks(limits::QUICK_MODES).enumerate() {
        let mut peer = Peer::main_mode(&mut bench, from(0), "cisco123", 3 + number as u8);
        for index in some {
            let writer = quick_mode(1000 + *index as u32, &[1; 20], spoke_net(*index), LOCAL);
            let message = peer.seal(exchange::QUICK, 77 + *index as u32, &writer);
            bench.datagram(from(0), &message);
        }
    }
    bench
}

/// Completed quick modes.
pub(crate) fn children(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    let mut peer = Peer::main_mode(&mut bench, from(0), "cisco123", 3);
    for index in 0..count {
        if !peer.quick_mode(&mut bench, 77 + index as u32, spoke_net(index), LOCAL) {
            break;
        }
    }
    assert_eq!(bench.engine.inspect().children.len(), count.min(limits::CHILDREN_PER_PEER + 2));
    bench
}

/// A spoke with this many permit lines.
fn spoke_with_lines(count: usize) -> Policy {
    let mut policy = spoke_policy("10.100.2.102", "10.2.0.0/16");
    let map = Arc::make_mut(&mut policy.maps[0]);
    if let MapEntryKind::Static { terms, .. } = &mut map.entries[0].kind {
        let acl = Arc::make_mut(terms.acl.as_mut().unwrap());
        acl.lines = (0..count)
            .map(|index| {
                let lan = net(&format!("10.{}.{}.0/24", 60 + (index >> 8), index & 255));
                CryptoAclLine { permit: true, selector: Selector::between(lan, net("10.1.0.0/16")), line: 1 }
            })
            .collect();
    }
    policy
}

fn acquire(line: usize) -> Input<'static> {
    let flow = Flow {
        source: ip("10.2.2.10"),
        destination: ip("10.1.1.10"),
        protocol: 1,
        source_port: None,
        destination_port: None,
    };
    let service = Service::entry("mymap", 10);
    Input::Acquire(Acquire { interface: InterfaceId(0), service, acl_line: line, flow })
}

/// Packets for this many lines while phase 1 is in progress.
pub(crate) fn packets_waiting(count: usize) -> Bench {
    let mut bench = bench(spoke_with_lines(count));
    for line in 0..count {
        bench.input(acquire(line));
    }
    assert_eq!(bench.engine.inspect().isakmp.len(), 1);
    bench
}

fn cookie(index: usize) -> Cookie {
    Cookie((index as u64 + 1).to_be_bytes())
}

fn first_message(cookie: usize) -> Vec<u8> {
    let cookies = Cookies { initiator: self::cookie(cookie), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    writer.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
    clear(cookies, exchange::MAIN, &writer)
}

/// Message 1 of main mode from many sources.
pub(crate) fn called(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    for index in 0..count {
        bench.datagram(from(index), &first_message(index));
    }
    bench
}

/// The same from addresses that the configuration names.
pub(crate) fn called_by_known(count: usize) -> Bench {
    let mut policy = hub_policy();
    let key = policy.keyrings[0].keys[0].clone();
    let host = |index| KeyPeer::Address(AddressRange::host(from(index).remote));
    policy.keyrings[0].keys = (0..8).map(|index| PresharedKey { peer: host(index), ..key.clone() }).collect();
    let mut bench = bench(policy);
    for index in 0..count {
        bench.datagram(from(index % 8), &first_message(index));
    }
    bench
}

/// The same from many sources, with an SA payload of several proposals.
pub(crate) fn called_at_length(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    for index in 0..count {
        let cookies = Cookies { initiator: cookie(index), responder: Cookie::ZERO };
        let transforms = (0..8).map(|number| phase1_transform(number, ike::AUTH_PRESHARED)).collect();
        let proposal = Proposal { number: 1, protocol: protocol::ISAKMP, spi: vec![], transforms };
        let mut writer = Writer::new();
        writer.push(payload::SA, write_sa(&[proposal]));
        bench.datagram(from(index), &clear(cookies, exchange::MAIN, &writer));
    }
    bench
}

/// Messages 1 and 3 of main mode from many sources.
pub(crate) fn half_open(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    let mut random = hubward_crypto::random::Random::new([9; 32]);
    let private =
        hubward_crypto::dh::DhPrivate::generate(hubward_crypto::suite::DhGroup::Modp1024, &mut random);
    for index in 0..count {
        let second = bench.datagram(from(index), &first_message(index));
        let (header, _) = hubward_proto::wire::isakmp::Header::parse(&second[0]).unwrap();
        let cookies = Cookies { initiator: header.initiator, responder: header.responder };
        let mut writer = Writer::new();
        writer.push(payload::KE, private.public()).push(payload::NONCE, [1; 20]);
        bench.datagram(from(index), &clear(cookies, exchange::MAIN, &writer));
        // as fast as this is allowed for all together
        if index % 1000 == 0 {
            bench.now += Duration::from_millis(1);
        }
    }
    bench
}

/// Message 1 of aggressive mode from many sources.
pub(crate) fn half_open_aggressive(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    flood_aggressive(&mut bench, count);
    bench
}

fn flood_aggressive(bench: &mut Bench, count: usize) {
    for index in 0..count {
        bench.datagram(from(index), &first_aggressive(index));
    }
}

fn first_aggressive(index: usize) -> Vec<u8> {
    let cookies = Cookies { initiator: Cookie((index as u64 + 1).to_be_bytes()), responder: Cookie::ZERO };
    let mut writer = Writer::new();
    writer
        .push(payload::SA, phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED))
        .push(payload::KE, [2; 128])
        .push(payload::NONCE, [1; 20])
        .push(payload::ID, [&[11, 17, 1, 244], &b"testgroup"[..]].concat());
    clear(cookies, exchange::AGGRESSIVE, &writer)
}

pub(crate) fn half_open_of_one_source(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    for index in 0..count {
        bench.datagram(from(0), &first_aggressive(index));
    }
    bench
}

pub(crate) fn called_by_one_source(count: usize) -> Bench {
    let mut bench = bench(hub_policy());
    for index in 0..count {
        bench.datagram(from(0), &first_message(index));
    }
    bench
}

/// First messages from more forged addresses than there is room for, before a peer initiates and
/// between its messages: it still gets its SA, because it answers. Aggressive mode does not use
/// main mode's room.
#[test]
fn a_flood_of_first_messages_locks_nobody_out() {
    let flood = |bench: &mut Bench, first: usize| {
        for index in first..first + 2 * limits::CALLED {
            bench.datagram(from(index), &first_message(index));
        }
    };
    let mut bench = bench(hub_policy());
    flood(&mut bench, 0);
    Peer::main_mode(&mut bench, from(5000), "cisco123", 3);
    assert_eq!(bench.engine.inspect().isakmp.len(), limits::CALLED_SHOWN);
    flood_aggressive(&mut bench, 5000);
    Peer::main_mode(&mut bench, from(5001), "cisco123", 4);
    flood(&mut bench, 10_000);
    Peer::main_mode(&mut bench, from(5002), "cisco123", 5);
    assert_eq!(bench.asked.len(), limits::HALF_OPEN_AGGRESSIVE);
    bench.wait(limits::HALF_OPEN_TIME + Duration::from_secs(1));
    assert_eq!(bench.engine.inspect().isakmp.len(), 3);
}

/// An SA whose peer has answered is not evicted.
#[test]
fn who_has_answered_stays() {
    let mut bench = bench(hub_policy());
    let first = bench.datagram(from(5000), &first_message(5000));
    let (header, _) = hubward_proto::wire::isakmp::Header::parse(&first[0]).unwrap();
    let mut random = hubward_crypto::random::Random::new([9; 32]);
    let private =
        hubward_crypto::dh::DhPrivate::generate(hubward_crypto::suite::DhGroup::Modp1024, &mut random);
    let mut writer = Writer::new();
    writer.push(payload::KE, private.public()).push(payload::NONCE, [1; 20]);
    let cookies = Cookies { initiator: header.initiator, responder: header.responder };
    let third = clear(cookies, exchange::MAIN, &writer);
    let fourth = bench.datagram(from(5000), &third);
    assert_eq!(fourth.len(), 1);
    for index in 0..2 * limits::CALLED {
        bench.datagram(from(index), &first_message(index));
    }
    assert_eq!(
        bench.datagram(from(5000), &third),
        fourth,
        "its repetition gets the answer that is remembered"
    );
}

/// With a full table, established SAs are served; when the half-open SAs expire, there is room
/// again.
#[test]
fn a_full_table_keeps_what_it_has() {
    let mut bench = bench(hub_policy());
    let mut peer = Peer::main_mode(&mut bench, from(70_000), "cisco123", 3);
    for index in 0..=limits::CALLED {
        bench.datagram(from(index), &first_message(index));
    }
    assert_eq!(bench.refusals, [Refusal::TooManyHalfOpen]);
    let writer = quick_mode(1000, &[1; 20], spoke_net(0), LOCAL);
    let message = peer.seal(exchange::QUICK, 77, &writer);
    assert_eq!(bench.datagram(from(70_000), &message).len(), 1, "an SA that is up is served");
    bench.wait(limits::HALF_OPEN_TIME + Duration::from_secs(1));
    assert_eq!(bench.engine.inspect().isakmp.len(), 1);
    assert_eq!(bench.datagram(from(9), &first_message(9)).len(), 1);
}

#[test]
fn half_open_time() {
    let mut bench = called(1);
    bench.wait(limits::HALF_OPEN_TIME - Duration::from_millis(1));
    assert_eq!((bench.engine.inspect().isakmp.len(), bench.refusals.len()), (1, 0));
    bench.wait(Duration::from_millis(1));
    assert!(bench.engine.inspect().isakmp.is_empty());
    assert!(matches!(bench.refusals[..], [Refusal::NoAnswer { .. }]), "{:?}", bench.refusals);
    assert!(bench.engine.poll_timeout().is_none(), "a timer is left");
}

/// A responder retransmits nothing by itself before the peer is authenticated.
#[test]
fn a_half_open_responder_is_silent() {
    for reach in [called, half_open] {
        let mut bench = reach(1);
        assert!(bench.wait(limits::HALF_OPEN_TIME * 2).is_empty());
        assert!(bench.engine.inspect().isakmp.is_empty() && bench.engine.poll_timeout().is_none());
    }
}

#[test]
fn sendings_and_first_retransmit() {
    let mut bench = bench(spoke_with_lines(1));
    assert_eq!(bench.input(acquire(0)).len(), 1);
    assert!(bench.wait(limits::FIRST_RETRANSMIT - Duration::from_millis(1)).is_empty());
    assert_eq!(bench.wait(Duration::from_millis(1)).len(), 1);
    let later = bench.wait(Duration::from_secs(3600));
    assert_eq!(later.len() + 2, limits::SENDINGS as usize);
    assert!(matches!(bench.refusals[..], [Refusal::NoAnswer { .. }]), "{:?}", bench.refusals);
    assert!(bench.engine.inspect().isakmp.is_empty());
}

#[test]
fn xauth_time() {
    let mut bench = bench(hub_policy());
    Peer::aggressive_mode(&mut bench, from(0), &test_group(), 3);
    // phase 1 was established 200 ms ago
    bench.wait(limits::XAUTH_TIME - Duration::from_millis(201));
    assert_eq!(bench.engine.inspect().isakmp.len(), 1);
    bench.wait(Duration::from_millis(1));
    assert!(bench.engine.inspect().isakmp.is_empty());
    assert!(bench.trace.iter().any(|line| line.contains("Xauth took too long")));
}

/// The last messages of an SA are recognised when they are repeated, and an R-U-THERE that is
/// recognised is not answered twice. Older ones are no longer recognised.
#[test]
fn exchanges_remembered() {
    let begun = |count: usize| {
        let mut bench = bench(hub_policy());
        let mut peer = Peer::main_mode(&mut bench, from(0), "cisco123", 3);
        let messages: Vec<_> = (0..count)
            .map(|index| {
                let notify = hubward_proto::wire::ike1::Notify::isakmp(
                    hubward_proto::wire::registry::notify::R_U_THERE,
                    peer.cookies.initiator,
                    peer.cookies.responder,
                    (index as u32).to_be_bytes(),
                );
                let mut writer = Writer::new();
                writer.push(payload::NOTIFY, notify.write());
                peer.seal(exchange::INFORMATIONAL, 100 + index as u32, &writer)
            })
            .collect();
        let answers: Vec<_> = messages.iter().map(|message| bench.datagram(from(0), message)).collect();
        assert!(answers.iter().all(|answer| answer.len() == 1));
        let again = bench.datagram(from(0), &messages[0]);
        assert!(bench.refusals.is_empty());
        again.len()
    };
    assert_eq!(begun(limits::SEEN), 0, "a repetition");
    assert_eq!(begun(limits::SEEN + 1), 1, "a probe like any other");
}

/// Message-id chains: the least recently used makes room.
#[test]
fn exchanges_of_iv_chains() {
    let spoil = |count: usize| {
        let mut bench = bench(hub_policy());
        let mut peer = Peer::main_mode(&mut bench, from(0), "cisco123", 3);
        let mut other = peer.ivs.clone();
        // two messages of one exchange, and others of other exchanges between them
        let first = other.encrypt(&peer.keys, 1, vec![1; 8]);
        let second = other.encrypt(&peer.keys, 1, vec![2; 8]);
        let decrypted = peer.ivs.decrypt(&peer.keys, 1, &first).unwrap();
        peer.ivs.advance(1, &decrypted);
        for id in 2..count as u32 + 1 {
            peer.ivs.encrypt(&peer.keys, id, vec![0; 8]);
        }
        peer.ivs.decrypt(&peer.keys, 1, &second).unwrap().plain
    };
    assert_eq!(spoil(limits::CHAINS), vec![2; 8]);
    assert_ne!(spoil(limits::CHAINS + 1), vec![2; 8]);
}

/// What a flood leaves expires in pieces, so that messages do not wait for all of it, and is
/// reported as far as `show` commands list it.
#[test]
fn a_floods_records_expire_in_pieces() {
    let mut bench = bench(hub_policy());
    let count = 2 * limits::CALLED_SHOWN;
    for index in 0..count {
        assert_eq!(bench.datagram(from(index), &first_message(index)).len(), 1);
    }
    bench.now += limits::HALF_OPEN_TIME;
    let mut pieces = 0;
    while let Some((at, _)) = bench.engine.poll_timeout() {
        bench.now = bench.now.max(at);
        let before = bench.engine.inspect().isakmp.len();
        bench.wait_once();
        assert!(before - bench.engine.inspect().isakmp.len() <= 256);
        pieces += 1;
    }
    assert!((count / 256..20).contains(&pieces), "{pieces}");
    assert!(bench.engine.inspect().isakmp.is_empty());
    let silent = bench.refusals.iter().filter(|refusal| matches!(refusal, Refusal::NoAnswer { .. }));
    assert_eq!(silent.count(), limits::CALLED_SHOWN);
}

/// A stranger gets one answer to a message, which is hardly longer, and a few to its repetitions.
/// Longer messages get all our vendor ids.
#[test]
fn a_stranger_is_no_amplifier() {
    for vendors in 0..6 {
        let cookies = Cookies { initiator: cookie(0), responder: Cookie::ZERO };
        let mut writer = Writer::new();
        writer.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
        (0..vendors).for_each(|_| {
            writer.push(payload::VENDOR, [vendors; 16]);
        });
        let message = clear(cookies, exchange::MAIN, &writer);
        let mut bench = bench(hub_policy());
        let answers: Vec<_> = (0..20).map(|_| bench.datagram(from(0), &message)).collect();
        assert_eq!(answers.iter().map(Vec::len).sum::<usize>(), usize::from(limits::REPEATED_ANSWERS));
        let answer = &answers[0][0];
        assert!(answers.iter().flatten().all(|again| again == answer));
        assert!(answer.len() * 10 <= message.len() * limits::ANSWER_TENTHS);
        assert!(vendors < 3 || answer.len() > message.len() - 20 * usize::from(vendors) + 50);
        bench.wait(limits::REPEATED_TIME);
        assert_eq!(bench.datagram(from(0), &message), answers[0]);
    }
}

/// In aggressive mode too; and whoever announces NAT traversal gets what it needs for that, or no
/// answer: a tunnel through a NAT would come up and carry nothing.
#[test]
fn an_answer_in_aggressive_mode_never_leaves_nat_traversal_out() {
    for vendors in 0..6 {
        let cookies = Cookies { initiator: cookie(0), responder: Cookie::ZERO };
        let mut writer = Writer::new();
        writer
            .push(payload::SA, phase1_sa(ike::AUTH_XAUTH_INIT_PRESHARED))
            .push(payload::KE, [2; 128])
            .push(payload::NONCE, [1; 20])
            .push(payload::ID, [&[11, 17, 1, 244], &b"testgroup"[..]].concat())
            .push(payload::VENDOR, Vendor::NatT.bytes());
        (0..vendors).for_each(|_| {
            writer.push(payload::VENDOR, [vendors; 8]);
        });
        let message = clear(cookies, exchange::AGGRESSIVE, &writer);
        let mut bench = bench(hub_policy());
        bench.datagram(from(0), &message);
        let (id, _) = bench.asked.pop().unwrap();
        let answer = bench.input(Input::Answer { id, answer: Answer::Group(None) });
        let Some(answer) = answer.first() else {
            assert!(vendors < 2 && bench.refusals.contains(&Refusal::TooShort), "{vendors}");
            continue;
        };
        assert!(vendors > 0, "{} {}", message.len(), answer.len());
        assert!(answer.len() * 10 <= message.len() * limits::ANSWER_TENTHS);
        let (header, body) = Header::parse(answer).unwrap();
        let chain = Chain::parse(header.first, body).unwrap();
        assert_eq!(chain.all(payload::NAT_D).count(), 2, "{vendors}");
        assert!(chain.all(payload::VENDOR).any(|vendor| vendor == Vendor::NatT.bytes()));
    }
}

/// A stranger whose proposals are refused is told so a few times.
#[test]
fn notices() {
    let mut policy = hub_policy();
    policy.proposals[0].group = hubward_crypto::suite::DhGroup::Modp2048;
    let mut bench = bench(policy);
    let told = |bench: &mut Bench, source| {
        (0..20).map(|index| bench.datagram(from(source), &first_message(index)).len()).sum::<usize>()
    };
    assert_eq!(told(&mut bench, 0), limits::NOTICES as usize);
    assert_eq!(told(&mut bench, 1), limits::NOTICES as usize);
    assert_eq!(
        (2..100).map(|source| told(&mut bench, source)).sum::<usize>(),
        limits::NOTICES_ALL as usize - 10
    );
    bench.wait(limits::NOTICES_REFILL);
    assert_eq!(told(&mut bench, 0), 1);
    assert_eq!(bench.refusals.len(), 101 * 20, "the log has all of them");
}
