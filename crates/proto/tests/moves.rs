//! A NAT maps a peer to another port or address: everything of the peer follows, once a packet or
//! an answer proves it, and nothing else makes it move.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use hubward_proto::esp::inbound::{Arrived, Inbound, Notice};
use hubward_proto::esp::outbound::{Outbound, Outcome};
use hubward_proto::esp::sa::{ChildSa, Direction, Half};
use hubward_proto::esp::sad::Sad;
use hubward_proto::flow::selector::{Flow, Selector};
use hubward_proto::flow::tables::{Acquire, Lookup, Tables};
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::io::{Command, Input, Limit};
use hubward_proto::names::{ChildId, InterfaceId, Service};
use hubward_proto::path::Encapsulation;
use hubward_proto::policy::{CryptoAcl, CryptoAclLine, Keepalive, MapEntryKind, Policy};
use hubward_proto::wire::ip as packets;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use support::*;

const SPOKE: &str = "192.168.77.10";
const NAT: &str = "192.0.2.7";

fn probing(mut policy: Policy) -> Policy {
    policy.global.keepalive =
        Some(Keepalive { interval: Duration::from_secs(10), retry: Duration::from_secs(2), periodic: true });
    policy
}

/// A hub that probes, and a spoke behind a NAT that does not.
fn world() -> World {
    let mut world = World::new(vec![
        Node::new(HUB, probing(hub_policy()), 1),
        Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2),
    ]);
    world.nodes[1].nat = Some(ip(NAT));
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    world
}

/// The ports at which the hub's SAs of both phases have their peers, without repetitions.
fn ports(world: &World) -> Vec<u16> {
    let view = world.nodes[0].engine.inspect();
    let isakmp = view.isakmp.iter().map(|sa| sa.path.remote_port);
    let mut ports: Vec<_> = isakmp.chain(view.children.iter().map(|child| child.path.remote_port)).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn child_of(world: &World, place: usize) -> ChildId {
    world.nodes[0].engine.inspect().children[place].sa.id
}

/// ESP of a child SA verified that came from this port of the NAT.
fn esp_from(world: &mut World, child: ChildId, port: u16) {
    world.input(0, Input::PeerMoved { child, remote: ip(NAT), remote_port: port });
}

/// The NAT gives the spoke another port, which its next ESP packet shows.
fn remap(world: &mut World) -> (u16, u16) {
    let old = ports(world)[0];
    world.forget_mappings(ip(NAT));
    let child = child_of(world, 0);
    esp_from(world, child, old + 5_000);
    (old, old + 5_000)
}

/// What the hub sent to a port of the NAT since then.
fn sent_to(world: &World, since: usize, port: u16) -> usize {
    world.trace[since..].iter().filter(|(_, datagram)| datagram.to == (ip(NAT), port).into()).count()
}

fn is_dead(world: &World) -> bool {
    world.nodes[0].events.iter().any(|event| event.kind == EventKind::PeerDead)
}

#[test]
fn probes_follow_esp_and_a_living_tunnel_stays() {
    let mut world = world();
    let before = world.trace.len();
    let (old, new) = remap(&mut world);
    assert_eq!(ports(&world), [new], "both phases, for `show`");
    world.run(Duration::from_secs(60));
    assert!(!is_dead(&world) && tunnel(&world.nodes[1], &world.nodes[0]));
    assert_eq!(sent_to(&world, before, old), 0);
    assert!(sent_to(&world, before, new) >= 4, "probes");
    let moved =
        |kind: &EventKind| matches!(kind, EventKind::PeerMoved { remote_port, .. } if *remote_port == new);
    assert_eq!(world.nodes[0].events.iter().filter(|event| moved(&event.kind)).count(), 1);
}

#[test]
fn rekeys_and_deletes_of_the_hub_follow_esp() {
    let mut world = world();
    remap(&mut world);
    let child = child_of(&world, 0);
    world.input(0, Input::Expire { child, limit: Limit::Soft });
    world.run(Duration::from_secs(8));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    assert!(!world.nodes[0].inbound.contains_key(&child), "the old pair was replaced and deleted");
    assert_eq!(world.nodes[1].inbound.len(), 1, "on both sides");
    world.input(0, Input::Command(Command::ClearSession { peer: None }));
    world.run(Duration::from_secs(1));
    assert!(world.nodes[1].inbound.is_empty() && world.nodes[1].engine.inspect().isakmp.is_empty());
}

/// The spoke's quick mode waits until another branch was asked for its network: the answer goes to
/// the port that the spoke has by then.
#[test]
fn a_quick_mode_that_waits_is_answered_on_the_new_path() {
    const HOLDER: &str = "192.0.2.9";
    let mut policy = spoke_policy(SPOKE, "10.2.0.0/16");
    let map = Arc::make_mut(&mut policy.maps[0]);
    let MapEntryKind::Static { terms, .. } = &mut map.entries[0].kind else { panic!() };
    let line = |lan| CryptoAclLine {
        permit: true,
        selector: Selector::between(net(lan), net("10.1.0.0/16")),
        line: 1,
    };
    let lines = vec![line("10.2.0.0/16"), line("10.3.0.0/16")];
    terms.acl = Some(Arc::new(CryptoAcl { name: "100".into(), lines }));
    let mut world = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new(SPOKE, policy, 2),
        Node::new(HOLDER, spoke_policy(HOLDER, "10.3.0.0/16"), 3),
    ]);
    world.nodes[1].nat = Some(ip(NAT));
    world.acquire(1);
    world.acquire(2);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]) && tunnel(&world.nodes[2], &world.nodes[0]));
    world.filter = Some(Box::new(|datagram| datagram.to.ip() != ip(HOLDER)));
    let flow = Flow {
        source: ip("10.3.2.10"),
        destination: ip("10.1.1.10"),
        protocol: 1,
        source_port: None,
        destination_port: None,
    };
    let service = Service::entry("mymap", 10);
    world.input(1, Input::Acquire(Acquire { interface: InterfaceId(0), service, acl_line: 1, flow }));
    world.run(Duration::from_millis(300));
    let old = world.nodes[0].engine.inspect().isakmp.iter().map(|sa| sa.path.remote_port).max().unwrap();
    world.forget_mappings(ip(NAT));
    let before = world.trace.len();
    let child = ChildId(1);
    assert_eq!(world.nodes[0].engine.inspect().children[0].path.remote, ip(NAT));
    esp_from(&mut world, child, old + 5_000);
    // repetitions from the new port would show it too
    world.filter = Some(Box::new(|datagram| datagram.to.ip() != ip(HOLDER) && datagram.from.ip() != ip(NAT)));
    world.run(Duration::from_secs(8));
    world.filter = None;
    world.run(Duration::from_secs(3));
    assert_eq!(sent_to(&world, before, old), 0);
    assert_eq!(world.nodes[1].outbound.len(), 2, "{:?}", world.nodes[0].refusals());
}

/// The hub's message has already been sent to the old port when ESP shows the new one: its
/// repetition goes there.
#[test]
fn a_message_that_waits_for_its_answer_is_repeated_on_the_new_path() {
    let mut world = world();
    let old = ports(&world)[0];
    world.forget_mappings(ip(NAT));
    let child = child_of(&world, 0);
    world.input(0, Input::Expire { child, limit: Limit::Soft });
    world.run(Duration::from_millis(100));
    esp_from(&mut world, child, old + 5_000);
    world.run(Duration::from_secs(2));
    assert_eq!(world.nodes[1].inbound.len(), 2, "the new pair is there");
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
}

/// The spoke's message was answered on the old path, where the answer was lost; ESP moves the
/// spoke, and its repetition is answered on the new one.
#[test]
fn a_repeated_answer_goes_by_the_new_path() {
    let mut world = world();
    let old = ports(&world)[0];
    let child = *world.nodes[1].outbound.keys().next().unwrap();
    world.filter = Some(Box::new(|datagram| datagram.from.ip() != ip(HUB)));
    world.input(1, Input::Expire { child, limit: Limit::Soft });
    world.run(Duration::from_millis(100));
    world.filter = None;
    world.forget_mappings(ip(NAT));
    let child = child_of(&world, 0);
    esp_from(&mut world, child, old + 5_000);
    world.run(Duration::from_millis(600));
    // it goes on sending by the old pair for a second
    assert!(world.nodes[1].inbound.len() == 2, "its first repetition was answered");
}

/// The spoke has lost phase 1 and makes it anew: for some seconds the hub has two, and two pairs.
#[test]
fn both_phase_1_sas_and_all_children_follow() {
    let mut world = world();
    let old = ports(&world)[0];
    world.filter = Some(Box::new(|_| false));
    world.input(1, Input::Command(Command::ClearIsakmp { connection: None }));
    world.filter = None;
    let child = *world.nodes[1].outbound.keys().next().unwrap();
    world.input(1, Input::Expire { child, limit: Limit::Soft });
    world.run(Duration::from_secs(1));
    let view = world.nodes[0].engine.inspect();
    assert_eq!((view.isakmp.len(), view.children.len()), (2, 2));
    // the newest child SA, whose phase 1 is the newest too
    esp_from(&mut world, view.children[1].sa.id, old + 5_000);
    assert_eq!(ports(&world), [old + 5_000]);
}

/// IKE moves ESP as well: the spoke's message comes from another port, and its answer to the hub's
/// proves that it is no recorded one.
#[test]
fn an_answer_by_ike_moves_the_children_too() {
    let mut world = world();
    let old = ports(&world)[0];
    world.forget_mappings(ip(NAT));
    let child = *world.nodes[1].outbound.keys().next().unwrap();
    world.input(1, Input::Expire { child, limit: Limit::Soft });
    world.run(Duration::from_secs(1));
    assert_eq!(ports(&world), [old + 5_000]);
}

/// Two clients behind one NAT that restarts: each gets the other's port.
#[test]
fn two_peers_whose_ports_swap_keep_their_tunnels() {
    const OTHER: &str = "192.168.77.11";
    let mut world = World::new(vec![
        Node::new(HUB, probing(hub_policy()), 1),
        Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2),
        Node::new(OTHER, spoke_policy(OTHER, "10.3.0.0/16"), 3),
    ]);
    for node in [1, 2] {
        world.nodes[node].nat = Some(ip(NAT));
        world.acquire(node);
    }
    world.run(Duration::from_secs(2));
    let view = world.nodes[0].engine.inspect();
    let pairs: Vec<_> = view.children.iter().map(|child| (child.sa.id, child.path.remote_port)).collect();
    let [(first, one), (second, two)] = pairs.as_slice() else { panic!("{pairs:?}") };
    world.swap_mappings(ip(NAT), *one, *two);
    esp_from(&mut world, *first, *two);
    world.run(Duration::from_secs(3));
    esp_from(&mut world, *second, *one);
    for _ in 0..4 {
        world.run(Duration::from_secs(15));
        assert!(!is_dead(&world));
    }
    let view = world.nodes[0].engine.inspect();
    for child in &view.children {
        let port = if child.sa.id == *first { *two } else { *one };
        assert_eq!(child.path.remote_port, port);
        let of_peer = view.isakmp.iter().filter(|sa| sa.peer == Some(child.peer));
        assert!(of_peer.map(|sa| sa.path.remote_port).eq([port]));
    }
    for node in [1, 2] {
        assert!(tunnel(&world.nodes[node], &world.nodes[0]));
    }
}

/// Without NAT traversal, and if only we are behind a NAT, the peer stays where it is.
#[test]
fn a_peer_that_is_behind_no_nat_is_not_followed() {
    for behind in [None, Some(0)] {
        let mut world = World::new(vec![
            Node::new(HUB, hub_policy(), 1),
            Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2),
        ]);
        // seen from the spoke the hub is where it says; seen from the hub the spoke is, or is not
        let node = match behind {
            None => 0,
            Some(_) => {
                world.nodes[1].nat = Some(ip(NAT));
                1
            }
        };
        world.acquire(1);
        world.run(Duration::from_secs(2));
        let before = world.nodes[node].engine.inspect();
        let child = before.children[0].sa.id;
        let encapsulation = if node == 0 { Encapsulation::Native } else { Encapsulation::Udp };
        assert_eq!(before.children[0].path.encapsulation, encapsulation);
        world.input(node, Input::PeerMoved { child, remote: ip("198.51.100.66"), remote_port: 4500 });
        let after = world.nodes[node].engine.inspect();
        assert_eq!(before.children[0].path, after.children[0].path, "{behind:?}");
        assert_eq!(before.isakmp[0].path, after.isakmp[0].path, "{behind:?}");
    }
}

/// Two paths that deliver in turn: the peer is followed twice a second at most.
#[test]
fn a_peer_that_jumps_is_followed_at_a_bounded_rate() {
    let mut world = world();
    let (child, old) = (child_of(&world, 0), ports(&world)[0]);
    let mut moves = 0;
    for turn in 0..100 {
        let before = ports(&world);
        esp_from(&mut world, child, old + turn % 2);
        moves += usize::from(before != ports(&world));
        world.now += Duration::from_millis(10);
    }
    assert!((1..=3).contains(&moves), "{moves} in a second");
}

/// A hub that renews phase 1 with a spoke behind a NAT reaches it at the port that the spoke keeps
/// open, and nowhere else.
#[test]
fn the_hub_calls_a_peer_behind_a_nat_by_its_mapping() {
    let mut policy = hub_policy();
    policy.proposals[0].lifetime = Duration::from_secs(300);
    let mut world =
        World::new(vec![Node::new(HUB, policy, 1), Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2)]);
    world.nodes[1].nat = Some(ip(NAT));
    world.acquire(1);
    world.run(Duration::from_secs(2));
    // the spoke does not renew by itself
    let call = |datagram: &Datagram| datagram.bytes[8..16] == [0; 8];
    world.filter = Some(Box::new(move |datagram| !(call(datagram) && datagram.from.ip() == ip(NAT))));
    world.run(Duration::from_secs(320));
    let isakmp = world.nodes[0].engine.inspect().isakmp;
    assert!(isakmp.iter().any(|sa| sa.initiator && sa.identity.is_some()), "{isakmp:?}");
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
}

/// A recorded ESP packet moves nobody, although it has not been received before: only one that is
/// newer than all others does.
#[test]
fn an_old_esp_packet_moves_nobody() {
    let child = traffic_child();
    let (sad, out) = (Sad::new(), Sad::new());
    sad.install(&child, Direction::Inbound).unwrap();
    out.install(&child, Direction::Outbound).unwrap();
    let mut outbound = Outbound::of_port(&out, Lookup::BySelector, [5; 32]);
    let mut inbound = Inbound::new(&sad);
    let now = hubward_proto::time::Instant::ORIGIN;
    let mut sealed = Vec::new();
    for _ in 0..4 {
        let (source, destination) = (Ipv4Addr::new(10, 2, 2, 2), Ipv4Addr::new(10, 2, 2, 3));
        let packet = packets::header(source, destination, packets::protocol::UDP, 0, 0).to_vec();
        assert!(matches!(outbound.push(&Tables::default(), now, &packet), Outcome::Queued));
        outbound.seal(|batch| {
            sealed.extend(batch.iter().flat_map(|run| run.packets().map(<[u8]>::to_vec).collect::<Vec<_>>()));
        });
    }
    let mut came = |number: usize, port: u16, second: u64| {
        let mut bytes = sealed[number].clone();
        let arrived = Arrived {
            bytes: &mut bytes,
            local: None,
            remote: child.path.remote,
            remote_port: port,
            encapsulation: Encapsulation::Udp,
            tos: 0,
        };
        let mut opened = 0;
        inbound.process(now + Duration::from_secs(second), std::iter::once(arrived), |_, _| opened += 1);
        let moved = |notice: &Notice| matches!(notice, Notice::Moved(..));
        (opened, inbound.notices().filter(moved).count())
    };
    assert_eq!(came(2, 4500, 1), (1, 0), "the newest, by the known path");
    assert_eq!(came(2, 6000, 3), (0, 0), "the same again, from elsewhere");
    assert_eq!(came(0, 6000, 5), (1, 0), "an older one that was held back");
    assert_eq!(came(0, 6000, 7), (0, 0));
    assert_eq!(came(3, 6000, 9), (1, 1), "a newer one");
}

/// A child SA whose two directions have the same keys.
fn traffic_child() -> Arc<ChildSa> {
    use hubward_crypto::secret::Secret;
    use hubward_crypto::suite::{EspAuth, EspCipher, EspSuite};
    use hubward_proto::flow::selector::{AddressRange, Selector};
    use hubward_proto::names::{InterfaceId, Service, Spi, VrfId};
    use hubward_proto::path::{DfBit, Mode, Path};
    let suite = EspSuite::new(EspCipher::Aes128, Some(EspAuth::Sha1)).unwrap();
    let half = || Half { spi: Spi(0x1001), keymat: Secret::new(vec![7; suite.keymat_len()]) };
    let host = |last| IpAddr::from([192, 0, 2, last]);
    Arc::new(ChildSa {
        id: ChildId(1),
        path: Path {
            local: host(1),
            local_port: 4500,
            remote: host(2),
            remote_port: 4500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Udp,
        },
        service: Service::entry("mymap", 10),
        selector: Selector::between(AddressRange::ANY_V4, AddressRange::ANY_V4),
        lease: None,
        mode: Mode::Tunnel,
        suite,
        inbound: half(),
        outbound: half(),
        replay_window: 64,
        soft_bytes: None,
        hard_bytes: None,
        df: DfBit::Copy,
    })
}
