//! What Cisco's clients and gateways do beyond the RFCs.

use super::peer::{Bench, Peer, clear, path, phase1_sa, phase1_transform, phase2_transform, quick_mode};
use super::support::*;
use super::{exchanges, hub_and_client};
use hubward_proto::esp::sa::Direction;
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::selector::{AddressRange, Flow};
use hubward_proto::flow::tables::Lookup;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::ike::vendor::Vendor;
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Delete, Notify, Proposal, parse_sa, write_sa};
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Chain, Cookie, Header, Writer};
use hubward_proto::wire::registry::{exchange, notify, payload, protocol};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const SPOKE: &str = "10.100.2.102";
const CLIENT: &str = "10.51.82.100";
const LAN: [u8; 8] = [10, 2, 0, 0, 255, 255, 0, 0];
const HUB_LAN: [u8; 8] = [10, 1, 0, 0, 255, 255, 0, 0];

fn hub_and_peer() -> (Bench, Peer) {
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
    let peer = Peer::main_mode(&mut bench, path(ip(HUB), ip(SPOKE), 500), "cisco123", 3);
    (bench, peer)
}

/// Old Cisco VPN Clients open two SAs: their address to the hub itself (ID type 1), and to
/// everything.
#[test]
fn a_client_opens_an_sa_to_the_hub_itself_first() {
    let mut world = hub_and_client();
    let mut policy = client_policy(CLIENT);
    let mut connection = (*policy.connections[0]).clone();
    connection.networks = vec![format!("{HUB}/32").parse().unwrap(), "0.0.0.0/0".parse().unwrap()];
    policy.connections = vec![connection.into()];
    world.nodes[1] = Node::new(CLIENT, policy, 3);
    world.trace.clear();
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_secs(3));
    assert!(world.nodes[0].refusals().is_empty(), "{:?}", world.nodes[0].refusals());
    let lease = AddressRange::host(world.nodes[1].assignment.clone().unwrap().address.into());
    let children = world.nodes[0].engine.inspect().children;
    let locals: Vec<_> = children.iter().map(|child| child.sa.selector.local).collect();
    assert_eq!(locals, [AddressRange::host(ip(HUB)), AddressRange::ANY_V4]);
    assert!(children.iter().all(|child| child.sa.selector.remote == lease));
    assert_eq!(world.nodes[0].outbound.len(), 2, "both are in use");
    assert_eq!(exchanges(&world).iter().filter(|kind| **kind == exchange::QUICK).count(), 6);
    // packets to the client from the hub itself, and from a host behind it, each have an SA whose
    // selector allows them
    let sad = Sad::new();
    for child in world.nodes[0].outbound.values() {
        sad.install(child, Direction::Outbound).unwrap();
    }
    let address = IpAddr::V4(world.nodes[1].assignment.as_ref().unwrap().address);
    let carried = |source: &str| {
        let flow = Flow {
            source: ip(source),
            destination: address,
            protocol: 17,
            source_port: Some(53),
            destination_port: Some(1024),
        };
        sad.outbound_view(Lookup::BySelector).by_flow(&flow, |_| false).map(|sa| sa.child.selector.local)
    };
    assert!(carried(HUB).is_some());
    assert_eq!(carried("10.1.1.10"), Some(AddressRange::ANY_V4));
}

const OTHER: &str = "10.48.67.182";

/// A cluster: the gateway that the client knows, and another one.
fn cluster() -> World {
    let mut policy = hub_policy();
    policy.interfaces[0].address = Some(ip(OTHER));
    let mut world = hub_and_client();
    world.nodes.push(Node::new(OTHER, policy, 5));
    // Xauth requests are held back: a gateway that redirects sends none
    world.filter = Some(Box::new(|datagram| {
        datagram.from.ip() != ip(HUB) || datagram.bytes[18] != exchange::TRANSACTION
    }));
    world
}

fn refusals(world: &World, node: usize, refusal: &Refusal) -> usize {
    world.nodes[node].refusals().iter().filter(|text| **text == refusal.to_string()).count()
}

/// An address in clear does not redirect the client.
#[test]
fn a_redirection_in_clear_is_ignored() {
    let mut world = cluster();
    world.run(Duration::from_millis(25));
    let message_2 = world.trace[1].1.clone();
    assert_eq!(message_2.from.ip(), ip(HUB));
    world.run(Duration::from_millis(100));
    let (header, _) = Header::parse(&message_2.bytes).unwrap();
    let told = Notify::isakmp(notify::LOAD_BALANCE, header.initiator, header.responder, [10, 48, 67, 182]);
    let mut writer = Writer::new();
    writer.push(payload::NOTIFY, told.write());
    let header =
        Header { first: payload::NOTIFY, exchange: exchange::INFORMATIONAL, message_id: 9, ..header };
    let mut forged = message_2;
    forged.bytes = header.write(&writer.bytes());
    forged.to.set_port(500);
    world.inject(forged);
    world.run(Duration::from_secs(3));
    assert!(world.trace.iter().all(|(_, datagram)| datagram.to.ip() != ip(OTHER)));
    assert_eq!(refusals(&world, 1, &Refusal::NotEncrypted), 1);
    assert!(!world.nodes[1].events.iter().any(|event| matches!(event.kind, EventKind::Redirected { .. })));
}

fn probe(peer: &mut Peer, message_id: u32, doi: Option<u32>) -> Vec<u8> {
    let (initiator, responder) = (peer.cookies.initiator, peer.cookies.responder);
    let mut body = Notify::isakmp(notify::R_U_THERE, initiator, responder, [0, 0, 0, 9]).write();
    if let Some(doi) = doi {
        body[..4].copy_from_slice(&doi.to_be_bytes());
    }
    let mut writer = Writer::new();
    writer.push(payload::NOTIFY, body);
    peer.seal(exchange::INFORMATIONAL, message_id, &writer)
}

/// The message ids of vpnc's deletes are one random byte, so 0 occurs: it has an IV chain of its
/// own, not that of phase 1.
#[test]
fn an_informational_with_message_id_0() {
    let (mut bench, mut peer) = hub_and_peer();
    let message = probe(&mut peer, 0, None);
    let answer = bench.datagram(peer.path, &message);
    let (header, plain) = peer.open(&answer[0]);
    let chain = Chain::parse(header.first, &plain).unwrap();
    let told = Notify::parse(chain.first(payload::NOTIFY).unwrap()).unwrap();
    assert_eq!((told.kind, told.data), (notify::R_U_THERE_ACK, vec![0, 0, 0, 9]));
    assert_eq!(bench.refusals, []);
}

/// Message 1 of quick mode and what follows it; returns the child SA of the hub.
fn child(bench: &mut Bench, peer: &mut Peer, writer: &Writer, ids: usize) -> Option<Vec<u8>> {
    let message_id = 0x77;
    let first = peer.seal(exchange::QUICK, message_id, writer);
    let answer = bench.datagram(peer.path, &first);
    let (header, plain) = peer.open(answer.first()?);
    let chain = Chain::parse(header.first, &plain).unwrap();
    assert_eq!(chain.all(payload::ID).count(), ids);
    let hash = peer.keys.hash3(message_id, &[1; 20], chain.first(payload::NONCE)?);
    let third = peer.seal_with(exchange::QUICK, message_id, payload::NONE, &hash, &[]);
    bench.datagram(peer.path, &third);
    Some(third)
}

/// Deletes: with DOI 0 (Cisco's client when it disconnects), twice in one message, with our own SPI
/// instead of the sender's, and with both SPIs (vpnc).
#[test]
fn deletes_of_all_kinds() {
    for kind in ["doi 0", "twice", "our spi", "both"] {
        let (mut bench, mut peer) = hub_and_peer();
        child(&mut bench, &mut peer, &quick_mode(1000, &[1; 20], LAN, HUB_LAN), 2);
        let ours = bench.engine.inspect().children[0].sa.inbound.spi.0.to_be_bytes().to_vec();
        let theirs = 1000u32.to_be_bytes().to_vec();
        let spis = match kind {
            "twice" => vec![theirs.clone(), theirs],
            "our spi" => vec![ours],
            "both" => vec![ours, theirs],
            _ => vec![theirs],
        };
        let mut body = Delete { protocol: protocol::ESP, spis }.write();
        if kind == "doi 0" {
            body[..4].fill(0);
        }
        let mut writer = Writer::new();
        writer.push(payload::DELETE, body);
        let message = peer.seal(exchange::INFORMATIONAL, 5, &writer);
        bench.datagram(peer.path, &message);
        bench.datagram(peer.path, &message);
        assert!(bench.engine.inspect().children.is_empty(), "{kind}");
        assert_eq!(bench.engine.inspect().isakmp.len(), 1, "{kind}");
        assert_eq!(bench.refusals, [], "{kind}");
    }
}

/// Windows sends a fourth message of quick mode, with INITIAL-CONTACT: nothing is done, and nothing
/// is lost.
#[test]
fn a_fourth_quick_mode_message() {
    let (mut bench, mut peer) = hub_and_peer();
    child(&mut bench, &mut peer, &quick_mode(1000, &[1; 20], LAN, HUB_LAN), 2);
    let contact = Notify::isakmp(notify::INITIAL_CONTACT, peer.cookies.initiator, peer.cookies.responder, []);
    let mut writer = Writer::new();
    writer.push(payload::NOTIFY, contact.write());
    let fourth = peer.seal(exchange::QUICK, 0x77, &writer);
    assert!(bench.datagram(peer.path, &fourth).is_empty());
    assert_eq!(bench.engine.inspect().children.len(), 1);
    assert_eq!(bench.refusals, [Refusal::MessageIdUsed(0x77)]);
}

/// Quick mode without identities is for the gateways themselves.
#[test]
fn no_identities_in_quick_mode() {
    let (mut bench, mut peer) = hub_and_peer();
    let with = quick_mode(1000, &[1; 20], LAN, HUB_LAN).bytes();
    let chain = Chain::parse(payload::SA, &with).unwrap();
    let mut writer = Writer::new();
    for kind in [payload::SA, payload::NONCE] {
        writer.push(kind, chain.first(kind).unwrap());
    }
    assert!(child(&mut bench, &mut peer, &writer, 0).is_some());
    let selector = bench.engine.inspect().children[0].sa.selector;
    assert_eq!(
        (selector.local, selector.remote),
        (AddressRange::host(ip(HUB)), AddressRange::host(ip(SPOKE)))
    );
}

/// Unexpected payloads in quick mode: NAT-D, NAT-OA without a NAT, a vendor id, and payload 15,
/// which was NAT-D in old Cisco drafts. They are skipped.
#[test]
fn unused_payloads_are_skipped() {
    for kind in [payload::NAT_D, payload::NAT_OA, payload::NAT_OA_DRAFT, payload::VENDOR, 15] {
        let (mut bench, mut peer) = hub_and_peer();
        let mut writer = quick_mode(1000, &[1; 20], LAN, HUB_LAN);
        writer.push(kind, [1, 0, 0, 0, 10, 2, 0, 1]);
        assert!(child(&mut bench, &mut peer, &writer, 2).is_some(), "payload {kind}: {:?}", bench.refusals);
        assert_eq!(bench.engine.inspect().children.len(), 1);
    }
    // and in phase 1
    let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
    let mut writer = Writer::new();
    writer.push(payload::SA, phase1_sa(1)).push(15, [7; 20]).push(payload::VENDOR, [1; 3]);
    let cookies = Cookies { initiator: Cookie([9; 8]), responder: Cookie::ZERO };
    let message = clear(cookies, exchange::MAIN, &writer);
    assert_eq!(bench.datagram(path(ip(HUB), ip(SPOKE), 500), &message).len(), 1);
    assert_eq!(bench.refusals, []);
}

/// Splits a message as Cisco and Microsoft do.
fn fragments(message: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (header, _) = Header::parse(message).unwrap();
    let count = message.len().div_ceil(size);
    let piece = |(index, bytes): (usize, &[u8])| {
        let mut writer = Writer::new();
        writer.push(132, [&[0, 1, index as u8 + 1, u8::from(index + 1 == count)], bytes].concat());
        Header { first: 132, flags: 0, ..header }.write(&writer.bytes())
    };
    message.chunks(size).enumerate().map(piece).collect()
}

/// Every message of the spoke after the first arrives in fragments, the last fragment first.
#[test]
fn messages_in_pieces() {
    let (mut bench, mut peer) = hub_and_peer();
    let first = peer.seal(exchange::QUICK, 7, &quick_mode(1000, &[1; 20], LAN, HUB_LAN));
    let pieces = fragments(&first, 40);
    assert!(pieces.len() > 3);
    for piece in pieces[1..].iter().rev() {
        assert!(bench.datagram(peer.path, piece).is_empty());
    }
    let answer = bench.datagram(peer.path, &pieces[0]);
    assert_eq!(answer.len(), 1);
    assert_eq!(bench.engine.inspect().children.len(), 1);
    // a repetition is recognised
    let again: Vec<_> = pieces.iter().flat_map(|piece| bench.datagram(peer.path, piece)).collect();
    assert_eq!(again, answer);
    assert_eq!(bench.engine.inspect().children.len(), 1);
    assert_eq!(bench.refusals, []);
}

/// Fragments of fragments are dropped, and a stranger's fragments are not collected.
#[test]
fn pieces_that_nobody_puts_together() {
    let (mut bench, mut peer) = hub_and_peer();
    let message = probe(&mut peer, 5, None);
    let inner = fragments(&message, 1000);
    for piece in fragments(&inner[0], 1000) {
        assert!(bench.datagram(peer.path, &piece).is_empty());
    }
    let mut stranger = inner[0].clone();
    stranger[..16].fill(9);
    assert!(bench.datagram(peer.path, &stranger).is_empty());
    assert_eq!(bench.refusals, [Refusal::UnknownCookies]);
    assert_eq!(bench.datagram(peer.path, &inner[0]).len(), 1);
}

/// The vendor id of fragmentation may have four bytes of capabilities; those of Unity and DPD end
/// in a version.
#[test]
fn vendor_ids_of_16_and_20_bytes() {
    let mut body = Vendor::Fragmentation.bytes().to_vec();
    assert_eq!(Vendor::recognise(&body), Some(Vendor::Fragmentation));
    body.extend([0xc0, 0, 0, 0]);
    assert_eq!(Vendor::recognise(&body), Some(Vendor::Fragmentation));
    body.push(0);
    assert_eq!(Vendor::recognise(&body), None);
    for vendor in [Vendor::Unity, Vendor::Dpd] {
        let mut body = vendor.bytes().to_vec();
        body[15] = 7;
        assert_eq!(Vendor::recognise(&body), Some(vendor));
    }
}

/// Key lengths that no cipher has, in both phases: such a transform is skipped, and the next one is
/// chosen.
#[test]
fn impossible_key_lengths() {
    for bits in [0, 1, 129, 65_535] {
        let mut odd = phase1_transform(1, 1);
        odd.attributes.push(Attribute::short(14, bits));
        let transforms = vec![odd, phase1_transform(2, 1)];
        let sa = write_sa(&[Proposal { number: 1, protocol: 1, spi: vec![], transforms }]);
        let mut writer = Writer::new();
        writer.push(payload::SA, sa);
        let cookies = Cookies { initiator: Cookie([9; 8]), responder: Cookie::ZERO };
        let mut bench = Bench::new(Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN));
        let message = clear(cookies, exchange::MAIN, &writer);
        let answer = bench.datagram(path(ip(HUB), ip(SPOKE), 500), &message);
        let (header, body) = Header::parse(&answer[0]).unwrap();
        let chain = Chain::parse(header.first, body).unwrap();
        let chosen = parse_sa(chain.first(payload::SA).unwrap()).unwrap();
        assert_eq!(chosen[0].transforms[0].number, 2);

        let (mut bench, mut peer) = hub_and_peer();
        let mut odd = phase2_transform(1);
        odd.attributes.push(Attribute::short(6, bits));
        let spi = 1000u32.to_be_bytes().to_vec();
        let with = quick_mode(1000, &[1; 20], LAN, HUB_LAN).bytes();
        let rest = Chain::parse(payload::SA, &with).unwrap();
        let mut writer = Writer::new();
        let transforms = vec![odd, phase2_transform(2)];
        writer.push(payload::SA, write_sa(&[Proposal { number: 1, protocol: 3, spi, transforms }]));
        for part in &rest.payloads[1..] {
            writer.push(part.kind, part.body);
        }
        assert!(child(&mut bench, &mut peer, &writer, 2).is_some(), "{bits}: {:?}", bench.refusals);
    }
}
