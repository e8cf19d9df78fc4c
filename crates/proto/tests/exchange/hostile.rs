//! Attacks by someone without a pre-shared key, or with one that many share.

use super::hub_and_spoke;
use super::peer::{Bench, Peer, clear, path, phase1_sa, quick_mode};
use super::support::*;
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::random::Random;
use hubward_crypto::suite::DhGroup;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::limits;
use hubward_proto::names::Spi;
use hubward_proto::path::Path;
use hubward_proto::policy::{IdentityMatch, Keepalive, Policy, SelfIdentity};
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Delete, Notify};
use hubward_proto::wire::isakmp::Cookies;
use hubward_proto::wire::isakmp::{Chain, Cookie, Header, Writer};
use hubward_proto::wire::registry::{config, exchange, ike, notify, payload, protocol};
use std::sync::Arc;
use std::time::Duration;

const SPOKE: &str = "10.100.2.102";

fn bench(policy: Policy) -> Bench {
    Bench::new(Engine::new(Arc::new(policy), [1; 32], Instant::ORIGIN))
}

fn from(address: &str, port: u16) -> Path {
    path(ip(HUB), ip(address), port)
}

fn first_message(initiator: Cookie) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.push(payload::SA, phase1_sa(ike::AUTH_PRESHARED));
    clear(Cookies { initiator, responder: Cookie::ZERO }, exchange::MAIN, &writer)
}

/// An attacker who forges the source address does not see message 2, so does not know our cookie.
/// Without it, message 3 costs us no Diffie-Hellman exchange.
#[test]
fn a_forged_source_gets_no_diffie_hellman() {
    let mut bench = bench(hub_policy());
    let initiator = Cookie([7; 8]);
    assert_eq!(bench.datagram(from("203.0.113.66", 500), &first_message(initiator)).len(), 1);
    let private = DhPrivate::generate(DhGroup::Modp1024, &mut Random::new([5; 32]));
    let mut writer = Writer::new();
    writer.push(payload::KE, private.public()).push(payload::NONCE, [1; 20]);
    let blind = clear(Cookies { initiator, responder: Cookie::ZERO }, exchange::MAIN, &writer);
    assert!(bench.datagram(from("203.0.113.66", 500), &blind).is_empty());
    assert_eq!(bench.refusals, [Refusal::UnknownCookies]);
    // a repeated message 1 has no cookie of ours
    assert_eq!(bench.datagram(from("203.0.113.66", 500), &first_message(initiator)).len(), 1);
}

/// Our refusal of a first message contains no cookie of ours, because the message contained none.
/// The other side understands it nevertheless.
#[test]
fn a_refused_caller_knows_why() {
    let mut world = hub_and_spoke();
    let mut policy = hub_policy();
    policy.proposals[0].group = DhGroup::Modp2048;
    world.nodes[0] = Node::new(HUB, policy, 1);
    world.acquire(1);
    world.run(Duration::from_secs(1));
    let told = Refusal::PeerError { kind: notify::NO_PROPOSAL_CHOSEN, of_answer: false }.to_string();
    assert!(world.nodes[1].refusals().contains(&told), "{:?}", world.nodes[1].refusals());
}

/// `invalid-spi-recovery`: an ESP packet with an unknown SPI makes us initiate to its sender, who
/// may have forged its address. One packet is followed by one message, not by many.
#[test]
fn a_forged_packet_with_an_unknown_spi_is_answered_once() {
    let mut policy = hub_policy();
    policy.global.invalid_spi_recovery = true;
    let mut bench = bench(policy);
    let unknown = |bench: &mut Bench, address: &str| {
        bench.input(Input::UnknownSpi { path: from(address, 500), spi: Spi(7) }).len()
    };
    assert_eq!(unknown(&mut bench, "203.0.113.66"), 1);
    assert_eq!(unknown(&mut bench, "203.0.113.66"), 0, "while that waits for its answer");
    assert!(bench.wait(limits::LAST_RETRANSMIT).is_empty());
    assert!(bench.engine.inspect().isakmp.is_empty() && bench.engine.poll_timeout().is_none());
    assert_eq!(unknown(&mut bench, "203.0.113.66"), 1, "the peer is still there");
    let sources = (0..=255).flat_map(|third| (0..4).map(move |fourth| format!("198.18.{third}.{fourth}")));
    let sent: usize = sources.map(|source| unknown(&mut bench, &source)).sum();
    assert!(sent <= limits::NOTICES_ALL as usize, "{sent} messages");
    assert!(bench.wait(Duration::from_secs(120)).is_empty());
}

/// Somebody who forges ESP makes us send one notification after another, so that we forget our probe
/// and take it for the peer's when it is sent back to us.
#[test]
fn forged_esp_does_not_make_us_forget_our_own_messages() {
    let mut bench = bench(hub_policy());
    let mut peer = Peer::with_dpd(&mut bench, from("203.0.113.2", 500), "cisco123", 3);
    // a message by another path is followed by a probe
    let probe = Notify::isakmp(notify::R_U_THERE, peer.cookies.initiator, peer.cookies.responder, [0; 4]);
    let mut writer = Writer::new();
    writer.push(payload::NOTIFY, probe.write());
    let message = peer.seal(exchange::INFORMATIONAL, 100, &writer);
    let ours = bench.datagram(from("203.0.113.2", 5000), &message);
    assert_eq!(ours.len(), 2, "a probe and an acknowledgement");
    for _ in 0..200 {
        let told = bench.input(Input::UnknownSpi { path: from("203.0.113.2", 500), spi: Spi(7) });
        assert_eq!(told.len(), 1);
        bench.wait(Duration::from_millis(1100));
    }
    bench.refusals.clear();
    for message in ours {
        assert!(bench.datagram(from("203.0.113.2", 500), &message).is_empty());
    }
    let used = |refusal: &Refusal| matches!(refusal, Refusal::MessageIdUsed(_));
    assert!(bench.refusals.len() == 2 && bench.refusals.iter().all(used), "{:?}", bench.refusals);
}

/// A peer in main mode names a client group that the authorization list does not know: the whole SA
/// ends.
#[test]
fn an_unknown_group_in_main_mode() {
    let mut hub = hub_policy();
    hub.profiles[1].matches = vec![IdentityMatch::Group("nobody".into())];
    hub.profiles[1].xauth_list = None;
    let mut spoke = spoke_policy(SPOKE, "10.2.0.0/16");
    spoke.global.identity = SelfIdentity::KeyId("nobody".into());
    let mut world = World::new(vec![Node::new(HUB, hub, 1), Node::new(SPOKE, spoke, 2)]);
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let hub = &world.nodes[0];
    assert!(hub.refusals().iter().any(|text| text.contains("client group nobody")), "{:?}", hub.refusals());
    assert!(hub.engine.inspect().isakmp.is_empty(), "{:?}", hub.engine.inspect().isakmp);
    assert!(hub.inbound.is_empty() && hub.engine.poll_timeout().is_none());
    assert!(world.nodes[1].engine.inspect().isakmp.is_empty(), "the peer was told");
}

const LAN: [u8; 8] = [10, 2, 0, 0, 255, 255, 0, 0];
const HUB_LAN: [u8; 8] = [10, 1, 0, 0, 255, 255, 0, 0];

/// An INITIAL-CONTACT arrives again, or late, on an SA that a newer one has followed: the newer SA
/// and its child SA stay.
#[test]
fn an_old_initial_contact_ends_nothing_newer() {
    let mut bench = bench(hub_policy());
    let path = from(SPOKE, 500);
    let mut old = Peer::main_mode(&mut bench, path, "cisco123", 3);
    let mut new = Peer::main_mode(&mut bench, path, "cisco123", 4);
    let message = new.seal(exchange::QUICK, 77, &quick_mode(1000, &[1; 20], LAN, HUB_LAN));
    assert_eq!(bench.datagram(path, &message).len(), 1);
    let contact = |peer: &mut Peer, message_id| {
        let (initiator, responder) = (peer.cookies.initiator, peer.cookies.responder);
        let notify = Notify::isakmp(notify::INITIAL_CONTACT, initiator, responder, []);
        let mut writer = Writer::new();
        writer.push(payload::NOTIFY, notify.write());
        peer.seal(exchange::INFORMATIONAL, message_id, &writer)
    };
    let recorded = contact(&mut old, 5);
    bench.datagram(path, &recorded);
    let view = bench.engine.inspect();
    assert_eq!((view.isakmp.len(), view.children.len()), (2, 1));
    let genuine = contact(&mut new, 6);
    bench.datagram(path, &genuine);
    let view = bench.engine.inspect();
    assert_eq!((view.isakmp.len(), view.children.len()), (1, 1), "the older SA is forgotten");
}

/// Someone with the pre-shared key that all spokes share, behind the same NAT, claims to be another
/// spoke and that there is no NAT. The other spoke's tunnel is not redirected, and nothing of it
/// ends.
#[test]
fn a_neighbour_behind_the_nat_is_somebody_else() {
    const NAT: &str = "198.51.100.7";
    let identity = [1, 17, 1, 244, 192, 168, 1, 2];
    let mut bench = bench(hub_policy());
    let (inside, forged) = (std::net::SocketAddr::new(ip("192.168.1.2"), 500), from(NAT, 30_000));
    let mut victim =
        Peer::main_mode_as(&mut bench, from(NAT, 20_000), "cisco123", 3, &identity, Some(inside));
    let message = victim.seal(exchange::QUICK, 77, &quick_mode(1000, &[1; 20], LAN, HUB_LAN));
    assert_eq!(bench.datagram(victim.path, &message).len(), 1, "{:?}", bench.refusals);
    let outside = std::net::SocketAddr::new(forged.remote, forged.remote_port);
    Peer::main_mode_as(&mut bench, forged, "cisco123", 4, &identity, Some(outside));
    bench.wait(Duration::from_secs(10));
    let view = bench.engine.inspect();
    assert!(view.children.iter().all(|child| child.path.remote_port == 20_000), "{:?}", view.children);
    assert_eq!(view.isakmp.len(), 2, "the victim's SA does not retire");
}

/// A spoke that proposes a client's address must not get the client's traffic.
#[test]
fn a_spoke_does_not_take_a_clients_address() {
    let mut world = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new(SPOKE, spoke_policy(SPOKE, "10.5.5.1/32"), 2),
        Node::new("10.51.82.100", client_policy("10.51.82.100"), 3),
    ]);
    world.input(2, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_secs(3));
    assert!(tunnel(&world.nodes[2], &world.nodes[0]));
    assert_eq!(world.nodes[2].assignment.as_ref().unwrap().address.to_string(), "10.5.5.1");
    world.acquire(1);
    world.run(Duration::from_secs(3));
    assert!(world.nodes[1].outbound.is_empty(), "the spoke has the client's address");
    assert!(world.nodes[0].refusals().iter().any(|text| text.contains("lent to a client")));
    assert!(tunnel(&world.nodes[2], &world.nodes[0]));
}

/// A gateway that asks its client for Xauth again and again makes it remember no more exchanges
/// than any other peer.
#[test]
fn a_gateway_that_asks_without_end() {
    let mut bench = bench(client_policy("10.51.82.100"));
    let call = bench.input(Input::Command(Command::Connect { connection: "work".into() }));
    let call = if call.is_empty() { bench.wait(Duration::from_millis(1)) } else { call };
    let path = path(ip("10.51.82.100"), ip(HUB), 500);
    let mut gateway = Peer::gateway(&mut bench, &call[0], path, "cisco321", 3);
    for message_id in 1..=limits::EXCHANGES as u32 + 1 {
        let asked = vec![Attribute::long(config::XAUTH_USER_NAME, [])];
        let request = gateway.config(message_id, config::REQUEST, asked);
        bench.datagram(path, &request);
    }
    assert_eq!(bench.asked.len(), limits::EXCHANGES);
    assert_eq!(bench.refusals, [Refusal::TooMany]);
}

/// A client that passed Xauth, and the same client on a second SA on which it has not. The hub
/// probes both.
fn client_and_unproven_renewal() -> (Bench, Peer, Peer) {
    let mut policy = hub_policy();
    policy.global.keepalive =
        Some(Keepalive { interval: Duration::from_secs(10), retry: Duration::from_secs(2), periodic: true });
    let mut bench = bench(policy);
    let path = from("10.51.82.100", 500);
    let (mut client, request) = Peer::aggressive_mode(&mut bench, path, &test_group(), 3);
    client.pass_xauth(&mut bench, request);
    let (unproven, _) = Peer::aggressive_mode(&mut bench, path, &test_group(), 4);
    (bench, client, unproven)
}

/// The unproven SA ends at once. The earlier SA is probed as if nothing had happened, and ends too
/// if there is no answer.
#[test]
fn an_unproven_renewal_stops_no_probes() {
    let (mut bench, _, mut unproven) = client_and_unproven_renewal();
    let message = unproven.seal(exchange::INFORMATIONAL, 9, &delete_of(&unproven));
    bench.datagram(unproven.path, &message);
    assert_eq!(bench.engine.inspect().isakmp.len(), 1);
    bench.wait(Duration::from_secs(60));
    assert!(bench.trace.iter().any(|line| line.contains("PeerDead")), "{:?}", bench.engine.inspect().isakmp);
    assert!(bench.engine.inspect().isakmp.is_empty());
}

fn delete_of(peer: &Peer) -> Writer {
    let cookies = [peer.cookies.initiator.0, peer.cookies.responder.0].concat();
    let mut writer = Writer::new();
    writer.push(payload::DELETE, Delete { protocol: protocol::ISAKMP, spis: vec![cookies] }.write());
    writer
}

/// The unproven SA may not delete the earlier one.
#[test]
fn an_unproven_renewal_deletes_nothing_else() {
    let (mut bench, client, mut unproven) = client_and_unproven_renewal();
    let message = unproven.seal(exchange::INFORMATIONAL, 9, &delete_of(&client));
    bench.datagram(unproven.path, &message);
    let view = bench.engine.inspect();
    assert_eq!(view.isakmp.iter().filter(|sa| sa.user.is_some()).count(), 2, "both are the peer's");
}

/// Probes on the unproven SA are not answered, but the client answers those on its own SA: only the
/// unproven one ends.
#[test]
fn silence_on_an_unproven_renewal_ends_nothing_else() {
    let (mut bench, mut client, _) = client_and_unproven_renewal();
    for _ in 0..120 {
        for probe in bench.wait(Duration::from_secs(1)) {
            let (header, _) = Header::parse(&probe).unwrap();
            if header.initiator != client.cookies.initiator {
                continue;
            }
            let (header, plain) = client.open(&probe);
            let chain = Chain::parse(header.first, &plain).unwrap();
            let probe = Notify::parse(chain.first(payload::NOTIFY).unwrap()).unwrap();
            let mut writer = Writer::new();
            writer.push(payload::NOTIFY, Notify { kind: notify::R_U_THERE_ACK, ..probe }.write());
            let answer = client.seal(exchange::INFORMATIONAL, header.message_id ^ 1, &writer);
            bench.datagram(client.path, &answer);
        }
    }
    let view = bench.engine.inspect();
    assert_eq!(view.isakmp.len(), 1, "{:?}", bench.refusals);
    assert!(view.isakmp[0].user.is_some());
}

/// A client that initiates phase 1 repeatedly, passes Xauth each time and deletes nothing has its
/// newest SA and the one before.
#[test]
fn a_client_does_not_pile_up_sas() {
    let mut bench = bench(hub_policy());
    let path = from("10.51.82.100", 500);
    for seed in 3..9 {
        let (mut client, request) = Peer::aggressive_mode(&mut bench, path, &test_group(), seed);
        client.pass_xauth(&mut bench, request);
    }
    let view = bench.engine.inspect();
    assert_eq!(view.isakmp.len(), 2);
    assert!(view.isakmp.iter().all(|sa| sa.user.is_some()));
}

/// With the pre-shared key of all branches, a peer proposes everything, loopback, and the hub's own
/// networks. A peer may propose its own outer address, as old Cisco routers do.
#[test]
fn a_wildcard_peer_gets_nothing_of_the_hubs_own_as_its_side() {
    use hubward_proto::policy::Reserved;
    let mut hub = hub_policy();
    hub.reserved = vec![
        (net("10.1.1.0/24"), Reserved::Connected),
        (net("10.48.67.161/32"), Reserved::NextHop),
        (net("10.100.2.0/24"), Reserved::Connected),
        (net("10.5.5.0/24"), Reserved::Pool),
    ];
    let mut bench = bench(hub);
    let mut peer = Peer::main_mode(&mut bench, from(SPOKE, 500), "cisco123", 3);
    for (number, (address, bits, refused)) in [
        ([0, 0, 0, 0], 0, Some(Reserved::Everything)),
        ([127, 0, 0, 0], 8, Some(Reserved::Special)),
        ([224, 0, 0, 0], 4, Some(Reserved::Special)),
        ([10, 1, 1, 10], 32, Some(Reserved::Connected)),
        ([10, 0, 0, 0], 8, Some(Reserved::Connected)),
        ([10, 48, 67, 161], 32, Some(Reserved::NextHop)),
        ([10, 5, 5, 9], 32, Some(Reserved::Pool)),
        ([10, 100, 2, 77], 32, Some(Reserved::Connected)),
        ([10, 100, 2, 102], 32, None),
        ([10, 2, 0, 0], 16, None),
    ]
    .into_iter()
    .enumerate()
    {
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0).to_be_bytes();
        let side: Vec<u8> = [address, mask].concat();
        let side: [u8; 8] = side.try_into().unwrap();
        let message = quick_mode(1000 + number as u32, &[1; 20], side, HUB_LAN);
        let message = peer.seal(exchange::QUICK, 77 + number as u32, &message);
        let before = bench.refusals.len();
        bench.datagram(peer.path, &message);
        let children = bench.engine.inspect().children.len();
        match refused {
            Some(wanted) => {
                let refusal = bench.refusals.get(before);
                let kind = match refusal {
                    Some(Refusal::ReservedNetwork { kind, .. }) => Some(*kind),
                    _ => None,
                };
                assert_eq!((kind, children), (Some(wanted), 0), "{address:?}/{bits}: {refusal:?}");
            }
            None => assert!(children > 0, "{address:?}/{bits}: {:?}", bench.refusals),
        }
    }
    assert_eq!(bench.engine.inspect().children.len(), 2);
}
