//! Offers that a peer should not make: attributes that nobody here implements, lifetimes of seconds,
//! other situations; and peers that give up what they began.

use super::peer::{Bench, Peer, clear, path, phase1_sa, phase1_transform, phase2_transform, quick_mode};
use super::support::*;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Input, Limit};
use hubward_proto::limits;
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Delete, Notify, Proposal, Transform, parse_sa, write_sa};
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Chain, Cookie, Header, Writer};
use hubward_proto::wire::registry::{exchange, ike, ipsec, notify, payload, protocol};
use std::sync::Arc;
use std::time::Duration;

const LAN: [u8; 8] = [10, 2, 0, 0, 255, 255, 0, 0];
const HUB_LAN: [u8; 8] = [10, 1, 0, 0, 255, 255, 0, 0];
const SPI: u32 = 1000;

fn hub_and_peer() -> (Bench, Peer) {
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
    let peer = Peer::main_mode(&mut bench, path(ip(HUB), ip("10.100.2.102"), 500), "cisco123", 3);
    (bench, peer)
}

/// Message 1 of quick mode with this SA payload.
fn offer(peer: &mut Peer, message_id: u32, sa: Vec<u8>) -> Vec<u8> {
    let plain = quick_mode(SPI, &[1; 20], LAN, HUB_LAN).bytes();
    let chain = Chain::parse(payload::SA, &plain).unwrap();
    let mut writer = Writer::new();
    writer.push(payload::SA, sa);
    for part in &chain.payloads[1..] {
        writer.push(part.kind, part.body);
    }
    peer.seal(exchange::QUICK, message_id, &writer)
}

fn esp(transforms: Vec<Transform>) -> Vec<u8> {
    write_sa(&[Proposal { number: 1, protocol: protocol::ESP, spi: SPI.to_be_bytes().to_vec(), transforms }])
}

/// The transforms and notifications of an answer.
fn answered(peer: &mut Peer, answer: &[u8]) -> (Vec<Transform>, Vec<Notify>) {
    let (header, plain) = peer.open(answer);
    let chain = Chain::parse(header.first, &plain).unwrap();
    let proposals = chain.first(payload::SA).map(|sa| parse_sa(sa).unwrap()).unwrap_or_default();
    let notes = chain.all(payload::NOTIFY).map(|body| Notify::parse(body).unwrap()).collect();
    (proposals.into_iter().flat_map(|proposal| proposal.transforms).collect(), notes)
}

/// Extended sequence numbers, compression, key rounds, private attributes and the like: the next
/// transform is chosen, the answer has nothing of them, and without another transform the peer and
/// the operator are told.
#[test]
fn an_attribute_that_is_not_implemented_is_not_agreed_to() {
    let odd: [(Attribute, &str); 13] = [
        (Attribute::short(11, 1), "attribute 11 (extended sequence numbers), which is not implemented"),
        (Attribute::long(11, [0, 0, 0, 1]), "attribute 11"),
        (Attribute::short(7, 3), "attribute 7 (key rounds)"),
        (Attribute::short(8, 1), "attribute 8"),
        (Attribute::long(9, [1; 4]), "attribute 9"),
        (Attribute::short(10, 1), "attribute 10 (ECN tunnel)"),
        (Attribute::short(12, 96), "attribute 12 (authentication key length)"),
        (Attribute::short(0, 0), "attribute 0"),
        (Attribute::long(32_001, [7; 40]), "attribute 32001, which is not implemented"),
        (Attribute::short(ipsec::ENCAPSULATION, 2), "attribute 4 (encapsulation mode), which is given with"),
        (Attribute::short(ipsec::AUTHENTICATION, 1), "attribute 5"),
        (Attribute::short(ipsec::LIFE_TYPE, 9), "attribute 1 (life type), which has a value"),
        (Attribute::long(ipsec::LIFE_DURATION, []), "attribute 2"),
    ];
    for (attribute, said) in odd {
        let mut with = phase2_transform(1);
        with.attributes.push(attribute.clone());
        let (mut bench, mut peer) = hub_and_peer();
        let message = offer(&mut peer, 5, esp(vec![with.clone(), phase2_transform(2)]));
        let answer = bench.datagram(peer.path, &message);
        let (transforms, _) = answered(&mut peer, &answer[0]);
        assert_eq!(transforms, [phase2_transform(2)], "{attribute:?}");

        let (mut bench, mut peer) = hub_and_peer();
        let message = offer(&mut peer, 5, esp(vec![with]));
        let answer = bench.datagram(peer.path, &message);
        let (transforms, notes) = answered(&mut peer, &answer[0]);
        assert!(transforms.is_empty(), "{attribute:?}");
        assert_eq!(notes[0].kind, notify::NO_PROPOSAL_CHOSEN);
        assert!(notes[0].data.is_empty(), "nothing is echoed");
        let refusal = bench.refusals[0].to_string();
        assert!(refusal.contains(said), "{attribute:?}: {refusal}");
        assert!(bench.engine.inspect().children.is_empty());
    }
}

/// Two key lengths: whichever is meant, the peer may mean the other. The same one twice is one.
#[test]
fn conflicting_key_lengths_are_not_chosen() {
    let mut policy = hub_policy();
    policy = super::renewal::with_terms(policy, |terms| {
        let aes = hubward_crypto::suite::EspSuite::new(
            hubward_crypto::suite::EspCipher::Aes128,
            Some(hubward_crypto::suite::EspAuth::Sha1),
        );
        terms.transform_sets[0].suite = aes.unwrap();
    });
    for (lengths, fits) in
        [(&[128][..], true), (&[128, 256], false), (&[256, 128], false), (&[128, 128], true)]
    {
        let mut bench = Bench::new(Engine::new(Arc::new(policy.clone()), [1; 32], Instant::ORIGIN));
        let from = path(ip(HUB), ip("10.100.2.102"), 500);
        let mut peer = Peer::main_mode(&mut bench, from, "cisco123", 3);
        let mut aes = phase2_transform(1);
        aes.id = 12;
        let lengths_of = lengths.iter().map(|bits| Attribute::short(ipsec::KEY_LENGTH, *bits));
        aes.attributes.extend(lengths_of);
        let message = offer(&mut peer, 5, esp(vec![aes]));
        bench.datagram(peer.path, &message);
        assert_eq!(bench.engine.inspect().children.len(), usize::from(fits), "{lengths:?}");
    }
}

/// The same in phase 1: PRF, field size, a group of the peer's own.
#[test]
fn phase_1_agrees_to_no_unknown_attribute() {
    let first = |transforms: Vec<Transform>| {
        let sa = write_sa(&[Proposal { number: 1, protocol: protocol::ISAKMP, spi: vec![], transforms }]);
        let mut writer = Writer::new();
        writer.push(payload::SA, sa);
        let cookies = Cookies { initiator: Cookie([9; 8]), responder: Cookie::ZERO };
        let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
        let message = clear(cookies, exchange::MAIN, &writer);
        let answer = bench.datagram(path(ip(HUB), ip("10.100.2.102"), 500), &message);
        let (header, body) = Header::parse(&answer[0]).unwrap();
        let chain = Chain::parse(header.first, body).unwrap();
        let chosen = chain.first(payload::SA).map(|sa| parse_sa(sa).unwrap()[0].transforms.clone());
        let told = chain.first(payload::NOTIFY).map(|body| Notify::parse(body).unwrap().kind);
        (chosen, told, bench.refusals.first().map(ToString::to_string).unwrap_or_default())
    };
    for attribute in [
        Attribute::short(13, 1),
        Attribute::short(15, 1024),
        Attribute::short(5, 1),
        Attribute::long(6, [255; 128]),
        Attribute::long(7, [2]),
        Attribute::long(16_384, [1, 2, 3, 4, 5]),
        Attribute::short(ike::ENCRYPTION, 7),
        Attribute::short(ike::GROUP, 14),
        Attribute::short(ike::LIFE_TYPE, 3),
    ] {
        let mut with = phase1_transform(1, ike::AUTH_PRESHARED);
        with.attributes.push(attribute.clone());
        let plain = phase1_transform(2, ike::AUTH_PRESHARED);
        let (chosen, _, _) = first(vec![with.clone(), plain.clone()]);
        assert_eq!(chosen, Some(vec![plain]), "{attribute:?}");
        let (chosen, told, refusal) = first(vec![with]);
        assert_eq!((chosen, told), (None, Some(notify::NO_PROPOSAL_CHOSEN)), "{attribute:?}");
        let said = format!("attribute {}", attribute.kind);
        assert!(refusal.contains(&said), "{attribute:?}: {refusal}");
    }
    // a volume for phase 1 is said by some and changes nothing here
    let mut volume = phase1_transform(1, ike::AUTH_PRESHARED);
    volume
        .attributes
        .extend([Attribute::short(ike::LIFE_TYPE, 2), Attribute::short(ike::LIFE_DURATION, 9000)]);
    assert_eq!(first(vec![volume.clone()]).0, Some(vec![volume]));
}

/// Another DOI, a situation with secrecy, reserved fields: refused with the notify of RFC 2408.
#[test]
fn situations_dois_and_reserved_fields() {
    let sa = esp(vec![phase2_transform(1)]);
    // the reserved byte of the proposal at 9, those of the transform at 21, 26 and 27
    for (at, value, kind) in [
        (3, 0, notify::DOI_NOT_SUPPORTED),
        (3, 2, notify::DOI_NOT_SUPPORTED),
        (0, 1, notify::DOI_NOT_SUPPORTED),
        (7, 0, notify::SITUATION_NOT_SUPPORTED),
        (7, 2, notify::SITUATION_NOT_SUPPORTED),
        (7, 3, notify::SITUATION_NOT_SUPPORTED),
        (4, 128, notify::SITUATION_NOT_SUPPORTED),
        (9, 1, notify::PAYLOAD_MALFORMED),
        (21, 1, notify::PAYLOAD_MALFORMED),
        (26, 1, notify::PAYLOAD_MALFORMED),
        (27, 255, notify::PAYLOAD_MALFORMED),
    ] {
        let mut changed = sa.clone();
        assert_ne!(changed[at], value);
        changed[at] = value;
        let (mut bench, mut peer) = hub_and_peer();
        let message = offer(&mut peer, 5, changed);
        let answer = bench.datagram(peer.path, &message);
        let (_, notes) = answered(&mut peer, &answer[0]);
        assert_eq!(notes[0].kind, kind, "{at} {value}: {:?}", bench.refusals);
        assert!(bench.engine.inspect().children.is_empty());
    }
}

/// DOI 0 in phase 1 is an SA for any protocol (RFC 2408 section 3.4); any other is refused.
#[test]
fn phase_1_may_be_of_the_doi_of_isakmp() {
    for (doi, answered) in [(0, true), (1, true), (2, false)] {
        let mut sa = phase1_sa(ike::AUTH_PRESHARED);
        sa[3] = doi;
        let mut writer = Writer::new();
        writer.push(payload::SA, sa);
        let cookies = Cookies { initiator: Cookie([9; 8]), responder: Cookie::ZERO };
        let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
        let message = clear(cookies, exchange::MAIN, &writer);
        let answer = bench.datagram(path(ip(HUB), ip("10.100.2.102"), 500), &message);
        let chosen = answer.first().is_some_and(|answer| answer[16] == payload::SA);
        assert_eq!(chosen, answered, "{doi}: {:?}", bench.refusals);
    }
}

fn lifetimes(attributes: &[Attribute]) -> Transform {
    let mut transform = phase2_transform(1);
    transform.attributes.drain(..2);
    transform.attributes.extend_from_slice(attributes);
    transform
}

/// Lifetimes of seconds, kilobytes, nothing and everything: what is granted, and what the peer is
/// told.
#[test]
fn lifetimes_of_seconds_or_kilobytes_have_a_floor() {
    let seconds = |value: u32| [Attribute::short(1, 1), Attribute::long(2, value.to_be_bytes())];
    let volume = |value: u32| [Attribute::short(1, 2), Attribute::long(2, value.to_be_bytes())];
    let eight = [Attribute::short(1, 1), Attribute::long(2, [0, 0, 0, 0, 0, 0, 0, 3])];
    let huge = [Attribute::short(1, 1), Attribute::long(2, [255; 8])];
    let both = [seconds(3), volume(1)].concat();
    let reversed = [Attribute::short(2, 3), Attribute::short(1, 1)];
    let twice = [seconds(600), volume(5000), seconds(600), volume(5000)].concat();
    // attributes; granted seconds and kilobytes; told seconds and kilobytes
    type Row<'a> = (&'a [Attribute], (u64, u64), (Option<u64>, Option<u64>));
    let rows: [Row<'_>; 12] = [
        (&seconds(3), (120, 4_608_000), (Some(120), None)),
        (&seconds(0), (3600, 4_608_000), (Some(3600), None)),
        (&seconds(120), (120, 4_608_000), (None, None)),
        (&seconds(u32::MAX), (3600, 4_608_000), (Some(3600), None)),
        (&eight, (120, 4_608_000), (Some(120), None)),
        (&huge, (3600, 4_608_000), (Some(3600), None)),
        (&[], (3600, 4_608_000), (None, None)),
        (&volume(1), (3600, 2560), (None, Some(2560))),
        (&volume(u32::MAX), (3600, 4_608_000), (None, Some(4_608_000))),
        (&both, (120, 2560), (Some(120), Some(2560))),
        (&reversed, (120, 4_608_000), (Some(120), None)),
        (&twice, (600, 5000), (None, None)),
    ];
    for (attributes, (life, kilobytes), told) in rows {
        let (mut bench, mut peer) = hub_and_peer();
        let message = offer(&mut peer, 5, esp(vec![lifetimes(attributes)]));
        let answer = bench.datagram(peer.path, &message);
        let (transforms, notes) = answered(&mut peer, &answer[0]);
        assert_eq!(transforms, [lifetimes(attributes)]);
        let child = bench.engine.inspect().children[0].clone();
        assert_eq!(child.expires.since(child.established).as_secs(), life, "{attributes:?}");
        assert_eq!(child.kilobytes, Some(kilobytes), "{attributes:?}");
        let mut said = (None, None);
        for note in &notes {
            assert_eq!(note.kind, notify::RESPONDER_LIFETIME);
            let read = hubward_proto::wire::attribute::parse(&note.data).unwrap();
            for pair in read.chunks(2) {
                match pair[0].as_number() {
                    Some(1) => said.0 = pair[1].as_number(),
                    _ => said.1 = pair[1].as_number(),
                }
            }
        }
        assert_eq!(said, told, "{attributes:?}");
    }
    // conflicting ones are not chosen (RFC 2407 section 4.5.2)
    let (mut bench, mut peer) = hub_and_peer();
    let conflict = [seconds(600), seconds(700)].concat();
    let message = offer(&mut peer, 5, esp(vec![lifetimes(&conflict)]));
    bench.datagram(peer.path, &message);
    assert!(matches!(bench.refusals[..], [Refusal::NoPhase2Proposal(_)]));
}

/// The peer's small volume makes us rekey once, with our own volume.
#[test]
fn a_small_volume_is_no_rekey_storm() {
    let (mut bench, mut peer) = hub_and_peer();
    let message = offer(
        &mut peer,
        5,
        esp(vec![lifetimes(&[Attribute::short(1, 2), Attribute::long(2, [0, 0, 0, 1])])]),
    );
    bench.datagram(peer.path, &message);
    let child = bench.engine.inspect().children[0].clone();
    assert_eq!(child.sa.hard_bytes, Some(2560 * 1024));
    bench.input(Input::InboundSeen { child: child.sa.id });
    let called = bench.input(Input::Expire { child: child.sa.id, limit: Limit::Soft });
    let (header, plain) = peer.open(&called[0]);
    let chain = Chain::parse(header.first, &plain).unwrap();
    let ours = parse_sa(chain.first(payload::SA).unwrap()).unwrap();
    let offered = hubward_proto::ike::lifetime::Lifetimes::of(&ours[0].transforms[0]);
    assert_eq!(offered.kilobytes, Some(4_608_000));
}

/// Phase 1 of seconds gets IOS's minimum, and the peer is told.
#[test]
fn a_phase_1_of_seconds_gets_a_minute() {
    let mut spoke = spoke_policy("10.100.2.102", "10.2.0.0/16");
    spoke.proposals[0].lifetime = Duration::from_secs(5);
    let mut world = World::new(vec![Node::new(HUB, hub_policy(), 1), Node::new("10.100.2.102", spoke, 2)]);
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let sa = world.nodes[0].engine.inspect().isakmp[0].clone();
    assert_eq!(sa.lifetime, Some(limits::SHORTEST_PHASE1));
}

fn is_up(bench: &Bench) -> bool {
    bench.trace.iter().any(|line| line.contains("ChildUp"))
}

/// The responder reports a tunnel when message 3, or the first packet, has arrived.
#[test]
fn a_tunnel_is_up_when_the_peer_has_it() {
    for by_packet in [false, true] {
        let (mut bench, mut peer) = hub_and_peer();
        let message = offer(&mut peer, 5, esp(vec![phase2_transform(1)]));
        let answer = bench.datagram(peer.path, &message);
        assert!(!is_up(&bench), "message 2 is sent, and perhaps nobody receives it");
        if by_packet {
            let child = bench.engine.inspect().children[0].sa.id;
            bench.input(Input::InboundSeen { child });
        } else {
            let (header, plain) = peer.open(&answer[0]);
            let chain = Chain::parse(header.first, &plain).unwrap();
            let hash = peer.keys.hash3(5, &[1; 20], chain.first(payload::NONCE).unwrap());
            let third = peer.seal_with(exchange::QUICK, 5, payload::NONE, &hash, &[]);
            bench.datagram(peer.path, &third);
        }
        assert!(is_up(&bench), "{by_packet}");
        assert_eq!(bench.trace.iter().filter(|line| line.contains("ChildUp")).count(), 1);
    }
}

/// A peer that never sends message 3 leaves nothing behind, and no tunnel is said to be up or down.
#[test]
fn a_half_made_tunnel_ends_without_a_word() {
    let (mut bench, mut peer) = hub_and_peer();
    let message = offer(&mut peer, 5, esp(vec![phase2_transform(1)]));
    bench.datagram(peer.path, &message);
    bench.wait(Duration::from_secs(70));
    assert!(bench.engine.inspect().children.is_empty());
    assert!(!bench.trace.iter().any(|line| line.contains("ChildUp") || line.contains("ChildDown")));
}

/// A peer that gives up by a notify or a delete is not sent message 2 again, and nothing of its
/// attempt stays.
#[test]
fn who_gave_up_is_not_sent_message_2_again() {
    let notify =
        |kind: u16, spi: Vec<u8>| Notify { protocol: protocol::ESP, spi, kind, data: vec![] }.write();
    let spi = || SPI.to_be_bytes().to_vec();
    let goodbyes = [
        (payload::NOTIFY, notify(notify::NO_PROPOSAL_CHOSEN, spi())),
        (payload::NOTIFY, notify(notify::NO_PROPOSAL_CHOSEN, vec![])),
        (payload::NOTIFY, notify(notify::INVALID_ID_INFORMATION, vec![0; 16])),
        (payload::NOTIFY, notify(notify::PAYLOAD_MALFORMED, spi())),
        (payload::DELETE, Delete { protocol: protocol::ESP, spis: vec![spi()] }.write()),
    ];
    for (kind, body) in goodbyes {
        let (mut bench, mut peer) = hub_and_peer();
        let message = offer(&mut peer, 5, esp(vec![phase2_transform(1)]));
        assert_eq!(bench.datagram(peer.path, &message).len(), 1);
        let mut writer = Writer::new();
        writer.push(kind, body.clone());
        let goodbye = peer.seal(exchange::INFORMATIONAL, 900, &writer);
        assert!(bench.datagram(peer.path, &goodbye).is_empty());
        assert!(bench.engine.inspect().children.is_empty(), "{kind} {body:?}");
        assert!(bench.datagram(peer.path, &message).is_empty(), "not even for message 1 again");
        assert!(bench.wait(Duration::from_secs(120)).is_empty(), "{kind} {body:?}");
    }
}

/// The operator clears the SA before message 3: message 2 is not sent for nothing.
#[test]
fn a_cleared_half_made_tunnel_is_silent() {
    let (mut bench, mut peer) = hub_and_peer();
    let message = offer(&mut peer, 5, esp(vec![phase2_transform(1)]));
    bench.datagram(peer.path, &message);
    bench.input(Input::Command(hubward_proto::ike::io::Command::ClearSa { peer: None }));
    assert!(bench.engine.inspect().children.is_empty());
    assert!(bench.wait(Duration::from_secs(120)).is_empty());
}

/// A public value without the group in the transform: the two sides would compute different keys.
#[test]
fn a_public_value_without_its_group_is_refused() {
    let (mut bench, mut peer) = hub_and_peer();
    let plain = quick_mode(SPI, &[1; 20], LAN, HUB_LAN).bytes();
    let chain = Chain::parse(payload::SA, &plain).unwrap();
    let mut writer = Writer::new();
    for part in &chain.payloads {
        writer.push(part.kind, part.body);
    }
    writer.push(payload::KE, [2; 128]);
    let message = peer.seal(exchange::QUICK, 5, &writer);
    let answer = bench.datagram(peer.path, &message);
    let (_, notes) = answered(&mut peer, &answer[0]);
    assert_eq!(notes[0].kind, notify::NO_PROPOSAL_CHOSEN);
    assert!(bench.engine.inspect().children.is_empty());
}

/// 0 is phase 1's message id.
#[test]
fn a_quick_mode_with_message_id_0_is_refused() {
    let (mut bench, mut peer) = hub_and_peer();
    let message = offer(&mut peer, 0, esp(vec![phase2_transform(1)]));
    assert!(bench.datagram(peer.path, &message).is_empty());
    assert_eq!(bench.refusals, [Refusal::Unexpected(exchange::QUICK)]);
}

/// The commit bit is not ours to set, whatever the peer sets.
#[test]
fn the_commit_bit_is_not_answered_in_kind() {
    let (mut bench, mut peer) = hub_and_peer();
    let mut message = offer(&mut peer, 5, esp(vec![phase2_transform(1)]));
    message[19] |= 2;
    let answer = bench.datagram(peer.path, &message);
    assert_eq!(Header::parse(&answer[0]).unwrap().0.flags, 1);
}

/// A branch with a hundred networks starts them all at once, over a line with loss: all come up.
#[test]
fn a_branch_with_a_hundred_lines_comes_up() {
    let mut world =
        World::new(vec![Node::new(HUB, hub_policy(), 1), Node::new("10.100.2.102", with_lines(100), 2)]);
    for line in 0..100 {
        want(&mut world, 1, line);
    }
    world.run(Duration::from_secs(5));
    assert_eq!(world.nodes[0].outbound.len(), 100, "{:?}", world.nodes[0].refusals());
    assert_eq!(world.nodes[1].outbound.len(), 100);
    assert!(world.nodes.iter().all(|node| node.refusals().is_empty()));
    // and all of them are rekeyed in one moment
    world.link = Link { loss: 50, duplicate: 0, jitter: Duration::from_millis(100) };
    for child in world.nodes[1].outbound.keys().copied().collect::<Vec<_>>() {
        world.input(1, Input::Expire { child, limit: Limit::Soft });
    }
    world.run(Duration::from_secs(40));
    let view = world.nodes[0].engine.inspect().children;
    let standing = view.iter().filter(|child| !child.superseded);
    assert_eq!(standing.clone().count(), 100);
    assert!(standing.clone().all(|child| world.now.since(child.established) < Duration::from_secs(41)));
}

pub(crate) fn with_lines(count: usize) -> hubward_proto::policy::Policy {
    let selector = |index: usize| {
        let lan = net(&format!("10.{}.{}.0/24", 60 + (index >> 8), index & 255));
        hubward_proto::flow::selector::Selector::between(lan, net("10.1.0.0/16"))
    };
    super::renewal::with_terms(spoke_policy("10.100.2.102", "10.2.0.0/16"), |terms| {
        let acl = Arc::make_mut(terms.acl.as_mut().unwrap());
        let line =
            |index| hubward_proto::policy::CryptoAclLine { permit: true, selector: selector(index), line: 1 };
        acl.lines = (0..count).map(line).collect();
    })
}

pub(crate) fn want(world: &mut World, node: usize, line: usize) {
    let flow = hubward_proto::flow::selector::Flow {
        source: ip(&format!("10.{}.{}.10", 60 + (line >> 8), line & 255)),
        destination: ip("10.1.1.10"),
        protocol: 1,
        source_port: None,
        destination_port: None,
    };
    let service = hubward_proto::names::Service::entry("mymap", 10);
    let interface = hubward_proto::names::InterfaceId(0);
    let acquire = hubward_proto::flow::tables::Acquire { interface, service, acl_line: line, flow };
    world.input(node, Input::Acquire(acquire));
}

/// Behind the last child SA that a peer may have there is a notify and a refusal that names the
/// bound; rekeys go on.
#[test]
fn the_bound_of_child_sas_is_told() {
    let (mut bench, mut peer) = hub_and_peer();
    let limit = limits::CHILDREN_PER_PEER + 2;
    let network = |index: usize| [10, 60 + (index >> 8) as u8, index as u8, 0, 255, 255, 255, 0];
    for index in 0..limit {
        assert!(peer.quick_mode(&mut bench, 1 + index as u32, network(index), HUB_LAN), "{index}");
    }
    let writer = quick_mode(9999, &[1; 20], network(limit), HUB_LAN);
    let message = peer.seal(exchange::QUICK, 5000, &writer);
    let answer = bench.datagram(peer.path, &message);
    let (_, notes) = answered(&mut peer, &answer[0]);
    assert_eq!(notes[0].kind, notify::NO_PROPOSAL_CHOSEN);
    assert_eq!(bench.refusals, [Refusal::TooManyChildren { limit }]);
    for round in 0..3 {
        assert!(peer.quick_mode(&mut bench, 6000 + round, network(0), HUB_LAN), "{round}");
    }
}

/// Both ends report a tunnel once, and a rekey as one.
#[test]
fn up_is_an_event_with_what_it_replaces() {
    let mut world = super::hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    super::renewal::expire(&mut world, 1, Limit::Soft);
    world.run(Duration::from_secs(2));
    let ups = |node: &Node| {
        let kinds = node.events.iter().filter_map(|event| match &event.kind {
            EventKind::ChildUp { replaces, .. } => Some(replaces.is_some()),
            _ => None,
        });
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(ups(&world.nodes[0]), [false, true]);
    assert_eq!(ups(&world.nodes[1]), [false, true]);
}
