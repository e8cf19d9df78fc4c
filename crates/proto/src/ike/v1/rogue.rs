//! Peers that misbehave with valid keys: messages that can only be forged from inside an engine.

#[path = "../../../tests/support/mod.rs"]
mod support;

use crate::flow::selector::{AddressRange, Selector};
use crate::ike::event::EventKind;
use crate::ike::explain::Refusal;
use crate::ike::io::{Command, Input};
use crate::ike::tables::child::PendingChild;
use crate::ike::v1::protected::with_hash;
use crate::limits;
use crate::names::{ConnId, Service};
use crate::policy::SelfIdentity;
use crate::wire::attribute::Attribute;
use crate::wire::ike1::{Config, Delete, Notify};
use crate::wire::isakmp::Writer;
use crate::wire::registry::{config, exchange, notify, payload, protocol};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use support::*;

const SPOKE: &str = "10.100.2.102";
const CLIENT: &str = "10.51.82.100";

fn hub_and_spoke() -> World {
    let mut world = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2),
    ]);
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    world
}

fn hub_and_client() -> World {
    let mut world =
        World::new(vec![Node::new(HUB, hub_policy(), 1), Node::new(CLIENT, client_policy(CLIENT), 2)]);
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world
}

fn connection(world: &World, node: usize) -> ConnId {
    world.nodes[node].engine.inspect().isakmp[0].conn_id
}

/// Sends a forged message that is protected with the rogue's SA keys, optionally with one bit of
/// the hash flipped.
fn forge(world: &mut World, kind: u8, message_id: u32, payloads: &Writer, wrong: Option<usize>) {
    let id = connection(world, 1);
    let engine = &mut world.nodes[1].engine;
    engine.v1().with_sa(id, |engine, sa| {
        let established = sa.established().unwrap();
        let mut plain = with_hash(payloads, |rest| established.keys.hash1(message_id, rest));
        if let Some(bit) = wrong {
            plain[4 + bit / 8] ^= 1 << (bit % 8);
        }
        let bytes = crate::ike::v1::room::V1::seal_exchange(sa, kind, message_id, plain).unwrap();
        engine.cx.out.transmit(sa.path, bytes);
    });
    world.drain(1);
}

fn payload_of(kind: u8, body: Vec<u8>) -> Writer {
    let mut writer = Writer::new();
    writer.push(kind, body);
    writer
}

fn configuration(kind: u8, attribute: Attribute) -> Writer {
    payload_of(payload::ATTRIBUTE, Config { kind, identifier: 7, attributes: vec![attribute] }.write())
}

fn propose(world: &mut World, map: &str, local: AddressRange, remote: AddressRange) {
    let service = if map == "mymap" { Service::entry(map, 10) } else { Service::Client(map.into()) };
    let child =
        PendingChild { service, selector: Selector::between(local, remote), replaces: None, unanswered: 0 };
    let id = connection(world, 1);
    let engine = &mut world.nodes[1].engine;
    engine.v1().with_sa(id, |engine, sa| engine.start_quick_mode(sa, child)).unwrap().unwrap();
    world.drain(1);
    world.run(Duration::from_secs(1));
}

fn exchanges_from_hub(world: &World, kind: u8) -> usize {
    world
        .trace
        .iter()
        .filter(|(_, datagram)| datagram.from.ip() == ip(HUB) && datagram.bytes[18] == kind)
        .count()
}

/// CVE-2005-1057, CVE-2005-1058: a group key alone gives access to nothing. The client never
/// answers Xauth and tries everything else.
#[test]
fn before_xauth_nothing_else_is_answered() {
    let mut world = hub_and_client();
    let rogue = Rc::new(Cell::new(false));
    let allowed = Rc::clone(&rogue);
    world.filter = Some(Box::new(move |datagram| {
        datagram.from.ip() == ip(HUB) || datagram.bytes[18] != exchange::TRANSACTION || allowed.get()
    }));
    world.run(Duration::from_secs(3));
    rogue.set(true);
    let first = connection(&world, 0);
    let attributes = [
        Attribute::long(config::ADDRESS, []),
        Attribute::long(config::ADDRESS, [10, 5, 5, 9]),
        Attribute::long(config::XAUTH_USER_NAME, []),
        Attribute::short(config::XAUTH_STATUS, 1),
        Attribute::long(config::APPLICATION_VERSION, []),
    ];
    let mut message_id = 100;
    for attribute in attributes {
        for kind in [config::REQUEST, config::REPLY, config::SET, config::ACK] {
            message_id += 1;
            let message = configuration(kind, attribute.clone());
            forge(&mut world, exchange::TRANSACTION, message_id, &message, None);
        }
    }
    rogue.set(false);
    propose(&mut world, "work", AddressRange::host(ip("10.5.5.1")), AddressRange::ANY_V4);
    propose(&mut world, "work", net("10.2.0.0/16"), net("10.1.0.0/16"));
    let hub = &world.nodes[0];
    assert_eq!(exchanges_from_hub(&world, exchange::QUICK), 0);
    assert!(hub.inbound.is_empty() && hub.leases.is_empty());
    assert!(hub.refusals().iter().filter(|text| text.contains("must pass Xauth")).count() >= 3);
    assert!(hub.engine.inspect().isakmp[0].user.is_none());
    world.run(Duration::from_secs(80));
    let still = world.nodes[0].engine.inspect().isakmp.iter().any(|sa| sa.conn_id == first);
    assert!(!still, "Xauth has its time and no more");
    assert!(world.nodes[0].inbound.is_empty() && world.nodes[0].leases.is_empty());
}

/// A spoke's key with a client's group name in main mode: the profile of the group requires Xauth,
/// so nothing is permitted.
#[test]
fn a_group_name_in_main_mode_meets_xauth() {
    let mut policy = spoke_policy(SPOKE, "10.2.0.0/16");
    policy.global.identity = SelfIdentity::KeyId("testgroup".into());
    let mut world = World::new(vec![Node::new(HUB, hub_policy(), 1), Node::new(SPOKE, policy, 2)]);
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(world.nodes.iter().all(|node| node.inbound.is_empty()));
    assert!(world.nodes[0].refusals().iter().any(|text| text.contains("must pass Xauth")));
    assert_eq!(world.nodes[1].passwords_asked, 0, "a spoke has no password to give");
}

/// One wrong bit in the HASH payload of each kind of protected message: it is refused and has no
/// effect.
#[test]
fn one_bit_of_each_hash() {
    let mut world = hub_and_spoke();
    let spi = world.nodes[1].engine.inspect().children[0].sa.inbound.spi.0.to_be_bytes().to_vec();
    let delete = Delete { protocol: protocol::ESP, spis: vec![spi] };
    let messages = [
        (exchange::INFORMATIONAL, payload_of(payload::DELETE, delete.write())),
        (exchange::TRANSACTION, configuration(config::REQUEST, Attribute::long(config::ADDRESS, []))),
        (exchange::QUICK, payload_of(payload::NONCE, vec![1; 20])),
    ];
    for (kind, message) in &messages {
        for bit in 0..160usize {
            let before = world.nodes[0].refusals().len();
            forge(&mut world, *kind, 1000, message, Some(bit));
            world.run(Duration::from_millis(50));
            let refusals = world.nodes[0].refusals();
            assert_eq!(refusals.len(), before + 1);
            assert!(refusals.last().unwrap().contains("HASH"), "{refusals:?}");
        }
    }
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    // with the right hash, the same delete is accepted
    forge(&mut world, exchange::INFORMATIONAL, 5000, &messages[0].1, None);
    world.run(Duration::from_millis(50));
    assert!(world.nodes[0].inbound.is_empty());
}

/// Encrypted messages with a byte changed in transit are refused, and their repetition still
/// establishes the tunnel.
#[test]
fn tampered_messages_change_nothing() {
    for victim in 4..9 {
        for place in [28, 35, 40, 51] {
            let mut world = World::new(vec![
                Node::new(HUB, hub_policy(), 1),
                Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2),
            ]);
            let held = Rc::new(Cell::new(None));
            let (keep, mut count) = (Rc::clone(&held), 0);
            world.filter = Some(Box::new(move |datagram| {
                count += 1;
                if count == victim + 1 {
                    keep.set(Some(datagram.clone()));
                    return false;
                }
                true
            }));
            world.acquire(1);
            world.run(Duration::from_millis(200));
            let mut datagram = held.take().unwrap();
            datagram.bytes[place] ^= 0x10;
            world.inject(datagram);
            world.run(Duration::from_secs(5));
            assert!(tunnel(&world.nodes[1], &world.nodes[0]), "message {victim}, byte {place}");
            assert_eq!(world.nodes[0].inbound.len(), 1, "message {victim}, byte {place}");
        }
    }
}

/// One spoke cannot delete the SAs of another.
#[test]
fn a_peer_deletes_only_its_own() {
    let mut world = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new("10.100.2.66", spoke_policy("10.100.2.66", "10.6.0.0/16"), 3),
        Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2),
    ]);
    world.acquire(1);
    world.acquire(2);
    world.run(Duration::from_secs(2));
    let victim = world.nodes[2].engine.inspect();
    let child = &victim.children[0].sa;
    for spi in [child.inbound.spi, child.outbound.spi] {
        let delete = Delete { protocol: protocol::ESP, spis: vec![spi.0.to_be_bytes().to_vec()] };
        let message = payload_of(payload::DELETE, delete.write());
        forge(&mut world, exchange::INFORMATIONAL, spi.0, &message, None);
    }
    let id = connection(&world, 2);
    let mut cookies = Vec::new();
    world.nodes[2]
        .engine
        .v1()
        .with_sa(id, |_, sa| cookies = [sa.cookies.initiator.0, sa.cookies.responder.0].concat());
    let delete = Delete { protocol: protocol::ISAKMP, spis: vec![cookies] };
    let message = payload_of(payload::DELETE, delete.write());
    forge(&mut world, exchange::INFORMATIONAL, 77, &message, None);
    world.run(Duration::from_secs(1));
    assert!(tunnel(&world.nodes[2], &world.nodes[0]));
    assert_eq!(world.nodes[0].engine.inspect().isakmp.len(), 2);
}

/// CVE-2023-38711: two deletes of the SA itself, followed by notifications in the same message.
#[test]
fn deletes_come_last() {
    let mut world = hub_and_spoke();
    let id = connection(&world, 1);
    let mut own = None;
    world.nodes[1].engine.v1().with_sa(id, |_, sa| own = Some(sa.cookies));
    let cookies = own.unwrap();
    let delete = Delete {
        protocol: protocol::ISAKMP,
        spis: vec![[cookies.initiator.0, cookies.responder.0].concat(); 2],
    };
    let probe = Notify::isakmp(notify::R_U_THERE, cookies.initiator, cookies.responder, [0, 0, 0, 1]);
    let mut writer = Writer::new();
    writer.push(payload::DELETE, delete.write()).push(payload::DELETE, delete.write());
    writer.push(payload::NOTIFY, probe.write());
    let before = exchanges_from_hub(&world, exchange::INFORMATIONAL);
    forge(&mut world, exchange::INFORMATIONAL, 9, &writer, None);
    world.run(Duration::from_millis(100));
    assert_eq!(
        exchanges_from_hub(&world, exchange::INFORMATIONAL),
        before + 1,
        "the probe is answered first"
    );
    let hub = &world.nodes[0];
    assert!(hub.engine.inspect().isakmp.is_empty());
    assert_eq!(hub.inbound.len(), 1, "a spoke's children outlive its phase 1");
}

/// A client may propose its own address as its proxy identity and no other.
#[test]
fn a_client_speaks_only_for_its_address() {
    let mut world = hub_and_client();
    world.run(Duration::from_secs(3));
    assert_eq!(world.nodes[0].inbound.len(), 1);
    for local in [net("10.5.5.2/32"), net("10.5.5.0/24"), net("10.1.0.0/16"), AddressRange::ANY_V4] {
        propose(&mut world, "work", local, AddressRange::ANY_V4);
        if world.nodes[1].engine.inspect().isakmp.is_empty() {
            world.run(Duration::from_secs(5));
        }
    }
    let refused = world.nodes[0].refusals().iter().filter(|text| text.contains("its own address")).count();
    assert_eq!(refused, 4, "{:?}", world.nodes[0].refusals());
    let address = *world.nodes[0].leases.values().next().unwrap();
    let foreign = |child: &&crate::ike::snapshot::ChildView| {
        child.sa.selector.remote != AddressRange::host(address) || child.sa.lease != Some(address)
    };
    assert_eq!(world.nodes[0].engine.inspect().children.iter().filter(foreign).count(), 0);
}

/// All messages of a session are replayed from an attacker's address: no path moves and no SA ends.
#[test]
fn a_replayed_session_moves_nothing() {
    let mut world = hub_and_spoke();
    for sequence in 0..40 {
        let id = connection(&world, 1);
        world.nodes[1].engine.v1().with_sa(id, |engine, sa| {
            let probe = Notify::isakmp(
                notify::R_U_THERE,
                sa.cookies.initiator,
                sa.cookies.responder,
                [0, 0, 0, sequence],
            );
            engine.notify(sa, &probe);
        });
        world.drain(1);
        world.run(Duration::from_millis(100));
    }
    let recorded: Vec<_> = world.trace.iter().map(|(_, datagram)| datagram.clone()).collect();
    let children = world.nodes[0].inbound.len();
    for mut datagram in recorded {
        if datagram.to.ip() == ip(HUB) {
            datagram.from = "203.0.113.66:500".parse().unwrap();
            world.inject(datagram);
            world.run(Duration::from_millis(20));
        }
    }
    world.run(Duration::from_secs(90));
    let view = world.nodes[0].engine.inspect();
    assert!(view.children.iter().all(|child| child.path.remote == ip(SPOKE)), "ESP goes where it went");
    assert!(view.isakmp.iter().all(|sa| sa.path.remote == ip(SPOKE)));
    assert_eq!(world.nodes[0].inbound.len(), children);
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
}

const OTHER: &str = "10.48.67.182";

/// A client and two gateways of a cluster; the client knows only the first. No gateway asks for
/// Xauth.
fn cluster() -> World {
    let mut world = hub_and_client();
    let mut policy = hub_policy();
    policy.interfaces[0].address = Some(ip(OTHER));
    world.nodes.push(Node::new(OTHER, policy, 5));
    world.filter = Some(Box::new(|datagram| datagram.bytes[18] != exchange::TRANSACTION));
    world.run(Duration::from_millis(60));
    world
}

/// A gateway sends LOAD_BALANCE with this address to the client.
fn redirect(world: &mut World, gateway: usize, address: &[u8]) {
    let id = world.nodes[gateway].engine.inspect().isakmp.last().unwrap().conn_id;
    world.nodes[gateway].engine.v1().with_sa(id, |engine, sa| {
        let (initiator, responder) = (sa.cookies.initiator, sa.cookies.responder);
        engine.notify(sa, &Notify::isakmp(notify::LOAD_BALANCE, initiator, responder, address.to_vec()));
    });
    world.drain(gateway);
    world.run(Duration::from_millis(60));
}

fn redirections(world: &World) -> usize {
    let events = &world.nodes[1].events;
    events.iter().filter(|event| matches!(event.kind, EventKind::Redirected { .. })).count()
}

/// The client starts over with the named gateway, from port 500, and has its tunnel there.
#[test]
fn a_gateway_sends_its_client_to_another() {
    let mut world = cluster();
    redirect(&mut world, 0, &[10, 48, 67, 182]);
    world.filter = None;
    world.run(Duration::from_secs(3));
    assert!(tunnel(&world.nodes[1], &world.nodes[2]));
    assert_eq!(world.nodes[1].assignment.as_ref().unwrap().gateway, ip(OTHER));
    let first = world.trace.iter().find(|(_, datagram)| datagram.to.ip() == ip(OTHER)).unwrap();
    assert_eq!((first.1.from.port(), first.1.to.port()), (500, 500));
    // once the client has its address, no gateway can redirect it
    redirect(&mut world, 2, &[10, 48, 67, 181]);
    world.run(Duration::from_secs(3));
    assert_eq!(redirections(&world), 1);
    assert!(tunnel(&world.nodes[1], &world.nodes[2]));
}

/// The named gateway does not answer: the client returns to its own.
#[test]
fn nobody_is_where_the_client_was_sent() {
    let mut world = cluster();
    redirect(&mut world, 0, &[10, 48, 67, 199]);
    world.filter = None;
    world.run(Duration::from_secs(70));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
}

/// Two gateways that redirect a client back and forth can do so four times.
#[test]
fn redirections_are_bounded() {
    let mut world = cluster();
    for round in 0..limits::REDIRECTS as usize {
        let (gateway, last) = if round % 2 == 0 { (0, 182) } else { (2, 181) };
        redirect(&mut world, gateway, &[10, 48, 67, last]);
        assert_eq!(redirections(&world), round + 1);
    }
    redirect(&mut world, 0, &[10, 48, 67, 182]);
    assert_eq!(redirections(&world), limits::REDIRECTS as usize);
    assert!(world.nodes[1].refusals().contains(&Refusal::Redirect.to_string()));
}

/// Invalid addresses, or the gateway's own.
#[test]
fn where_no_client_goes() {
    let mut world = cluster();
    for address in [
        &[0, 0, 0, 0][..],
        &[127, 0, 0, 1],
        &[224, 0, 0, 1],
        &[255; 4],
        &[10, 48, 67],
        &[],
        &[10, 48, 67, 181],
    ] {
        redirect(&mut world, 0, address);
    }
    assert_eq!(redirections(&world), 0);
    assert_eq!(world.nodes[1].refusals(), vec![Refusal::Redirect.to_string(); 7]);
    assert_eq!(world.nodes[1].engine.inspect().isakmp.len(), 1);
}
