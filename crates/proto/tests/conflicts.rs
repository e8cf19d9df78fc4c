//! Who gets a network that two peers of a dynamic entry propose, and what none of them ever gets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/peer.rs"]
mod peer;
mod support;

use hubward_crypto::dh::DhPrivate;
use hubward_crypto::random::Random;
use hubward_crypto::suite::DhGroup;
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::{EventKind, Rival};
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::limits;
use hubward_proto::names::ChildId;
use hubward_proto::policy::Reserved;
use hubward_proto::policy::{CryptoAcl, CryptoAclLine, EntryTerms, MapEntry, MapEntryKind, Overlap, Policy};
use hubward_proto::time::Instant;
use hubward_proto::wire::attribute::Attribute;
use hubward_proto::wire::ike1::{Proposal, write_sa};
use hubward_proto::wire::isakmp::{Chain, Header, Writer};
use hubward_proto::wire::registry::{exchange, payload, protocol};
use peer::{Bench, Peer, path, phase2_transform};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use support::*;

const BRANCH: &str = "10.100.2.102";
const ROGUE: &str = "10.100.2.103";
const LAN: &str = "10.2.0.0/16";

/// A hub, a branch with its tunnel, and another peer that proposes `lan`.
fn world(hub: Policy, lan: &str) -> World {
    let mut world = World::new(vec![
        Node::new(HUB, hub, 1),
        Node::new(BRANCH, spoke_policy(BRANCH, LAN), 2),
        Node::new(ROGUE, spoke_policy(ROGUE, lan), 3),
    ]);
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    world
}

/// Which network was contested, between whom, and whether it stayed.
fn contests(node: &Node) -> Vec<(Rival, Rival, bool)> {
    let rivals = |kind: &EventKind| match kind {
        EventKind::NetworkContested { newcomer, holder, kept } => {
            Some(((**newcomer).clone(), (**holder).clone(), *kept))
        }
        _ => None,
    };
    node.events.iter().filter_map(|event| rivals(&event.kind)).collect()
}

/// The number of informational messages from the hub to an address.
fn questions(world: &World, to: &str) -> usize {
    let asks = |datagram: &Datagram| {
        (datagram.from.ip(), datagram.to.ip()) == (ip(HUB), ip(to))
            && datagram.bytes[18] == exchange::INFORMATIONAL
    };
    world.trace.iter().filter(|(_, datagram)| asks(datagram)).count()
}

/// The outer addresses to which the hub has tunnels.
fn peers_of_hub(world: &World) -> Vec<IpAddr> {
    world.nodes[0].engine.inspect().children.iter().map(|child| child.path.remote).collect()
}

#[test]
fn a_rogue_branch_gets_nothing_of_a_network_whose_branch_answers() {
    for lan in ["10.2.0.0/16", "10.2.2.10/32", "10.2.128.0/17", "10.2.0.0/15", "10.0.0.0/14"] {
        let mut world = world(hub_policy(), lan);
        let (asked, child) = (questions(&world, BRANCH), peers_of_hub(&world));
        world.acquire(2);
        world.run(Duration::from_secs(1));
        assert_eq!(peers_of_hub(&world), child, "{lan}");
        assert!(world.nodes[2].inbound.is_empty() && tunnel(&world.nodes[1], &world.nodes[0]), "{lan}");
        assert_eq!(questions(&world, BRANCH) - asked, 1, "{lan}: the branch is asked once");
        let contests = contests(&world.nodes[0]);
        let [(newcomer, holder, true)] = contests.as_slice() else { panic!("{lan}: {contests:?}") };
        assert_eq!((newcomer.path.remote, newcomer.network), (ip(ROGUE), net(lan)));
        assert_eq!((holder.path.remote, holder.network), (ip(BRANCH), net(LAN)));
        let refusals = world.nodes[0].refusals();
        let refusal = format!("{} overlaps {}, which {BRANCH} has and keeps: it answers", net(lan), net(LAN));
        assert_eq!(refusals, [refusal], "{lan}");
        // it is told, so its side does not wait for long
        let told = |text: &String| text.contains("INVALID_ID_INFORMATION");
        assert!(world.nodes[2].refusals().iter().any(told), "{lan}: {:?}", world.nodes[2].refusals());
    }
}

/// The rogue says that its tunnel is for another network of the hub than the branch's.
#[test]
fn another_network_of_the_hub_is_no_way_around() {
    let mut policy = spoke_policy(ROGUE, LAN);
    let map = Arc::make_mut(&mut policy.maps[0]);
    let MapEntryKind::Static { terms, .. } = &mut map.entries[0].kind else { panic!() };
    let selector = Selector::between(net("10.2.3.0/24"), net("10.77.0.0/16"));
    let lines = vec![CryptoAclLine { permit: true, selector, line: 1 }];
    terms.acl = Some(Arc::new(CryptoAcl { name: "100".into(), lines }));
    let mut world = world(hub_policy(), LAN);
    world.nodes[2] = Node::new(ROGUE, policy, 3);
    world.acquire(2);
    world.run(Duration::from_secs(1));
    assert_eq!(peers_of_hub(&world), [ip(BRANCH)]);
    assert_eq!(contests(&world.nodes[0]).len(), 1);
}

#[test]
fn networks_beside_each_other_are_nobodys_conflict() {
    for lan in ["10.3.0.0/16", "10.1.255.0/24", "192.168.0.0/16"] {
        let mut world = world(hub_policy(), lan);
        let asked = questions(&world, BRANCH);
        world.acquire(2);
        world.run(Duration::from_secs(1));
        assert!(tunnel(&world.nodes[2], &world.nodes[0]), "{lan}: {:?}", world.nodes[0].refusals());
        assert_eq!((questions(&world, BRANCH), contests(&world.nodes[0]).len()), (asked, 0));
    }
}

/// The branch's provider gives it another address, and its old one leads nowhere: it waits for the
/// old one to be asked, three seconds if that was silent before and six if not, and then has its
/// tunnel.
#[test]
fn a_branch_that_returns_from_another_address_gets_its_network() {
    for (lan, idle) in
        [("10.2.0.0/16", true), ("10.2.3.0/24", false), ("10.0.0.0/14", true), ("10.2.0.0/16", false)]
    {
        let mut world = world(hub_policy(), lan);
        world.filter = Some(Box::new(|datagram| datagram.to.ip() != ip(BRANCH)));
        let patience = if idle { 2500 } else { 5500 };
        if idle {
            world.run(Duration::from_secs(15));
        }
        world.acquire(2);
        world.run(Duration::from_millis(patience));
        assert_eq!(peers_of_hub(&world), [ip(BRANCH)], "{lan}: it is being asked");
        world.run(Duration::from_secs(2));
        assert_eq!(peers_of_hub(&world), [ip(ROGUE)], "{lan}");
        assert!(tunnel(&world.nodes[2], &world.nodes[0]));
        assert!(matches!(contests(&world.nodes[0]).as_slice(), [(_, _, false)]));
        assert!(world.nodes[0].refusals().is_empty(), "{:?}", world.nodes[0].refusals());
    }
}

/// One message in three is lost: the branch that is there keeps its network.
#[test]
fn a_lossy_path_does_not_cost_the_branch_its_network() {
    let mut kept = 0;
    for seed in 0..10 {
        let mut world = world(hub_policy(), LAN);
        world.link = Link { loss: 300, ..Link::default() };
        for _ in 0..seed {
            world.acquire(1);
        }
        world.acquire(2);
        world.run(Duration::from_secs(20));
        kept += usize::from(tunnel(&world.nodes[1], &world.nodes[0]));
    }
    assert!(kept >= 8, "{kept} of 10");
}

/// The branch restarts, with the same address: nobody has to be asked. Behind a NAT that maps it
/// to another port, the old place is asked first.
#[test]
fn a_branch_that_restarts_is_not_its_own_rival() {
    for nat in [None, Some(ip("192.0.2.7"))] {
        let mut world = World::new(vec![
            Node::new(HUB, hub_policy(), 1),
            Node::new(BRANCH, spoke_policy(BRANCH, LAN), 2),
        ]);
        world.nodes[1].nat = nat;
        world.acquire(1);
        world.run(Duration::from_secs(30));
        assert!(tunnel(&world.nodes[1], &world.nodes[0]));
        if let Some(nat) = nat {
            world.forget_mappings(nat);
        }
        let now = world.now;
        world.nodes[1].engine = Engine::new(Arc::new(spoke_policy(BRANCH, LAN)), [77; 32], now);
        world.nodes[1].inbound.clear();
        world.nodes[1].outbound.clear();
        world.acquire(1);
        world.run(Duration::from_secs(if nat.is_some() { 9 } else { 1 }));
        assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{nat:?}: {:?}", world.nodes[0].refusals());
        assert_eq!(world.nodes[0].inbound.len(), 1, "{nat:?}");
        assert_eq!(contests(&world.nodes[0]).len(), usize::from(nat.is_some()));
    }
}

/// A holder that rekeys, and one whose phase 1 is renewed, is asked by nobody.
#[test]
fn a_rekey_is_no_conflict() {
    let mut world = world(hub_policy(), LAN);
    for node in [1, 0, 1] {
        let child = *world.nodes[node].outbound.keys().last().unwrap();
        let limit = hubward_proto::ike::io::Limit::Soft;
        world.input(node, Input::Expire { child, limit });
        world.run(Duration::from_secs(8));
    }
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    assert_eq!(contests(&world.nodes[0]).len(), 0);
}

/// Phase 1 of the holder has ended, its child SA has not: it is asked by a new phase 1.
#[test]
fn a_holder_without_phase_1_is_asked_too() {
    for there in [true, false] {
        let mut world = world(hub_policy(), LAN);
        let lost = std::rc::Rc::new(std::cell::Cell::new(false));
        let drops = std::rc::Rc::clone(&lost);
        // the deletes do not arrive
        world.filter = Some(Box::new(move |datagram| {
            !drops.get() || [datagram.from.ip(), datagram.to.ip()].iter().all(|end| *end != ip(BRANCH))
        }));
        lost.set(true);
        world.input(0, Input::Command(Command::ClearIsakmp { connection: None }));
        world.run(Duration::from_secs(15));
        assert_eq!(world.nodes[0].inbound.len(), 1);
        assert!(world.nodes[0].engine.inspect().isakmp.is_empty());
        lost.set(!there);
        world.acquire(2);
        world.run(Duration::from_secs(9));
        let holder = if there { BRANCH } else { ROGUE };
        assert_eq!(peers_of_hub(&world), [ip(holder)], "there: {there}");
        assert!(matches!(contests(&world.nodes[0]).as_slice(), [(_, _, kept)] if *kept == there));
    }
}

/// With the way of a router, the newest gets the traffic.
#[test]
fn the_newest_wins_where_that_was_chosen() {
    let mut policy = hub_policy();
    policy.global.overlap = Overlap::NewestWins;
    let mut world = world(policy, "10.2.2.0/24");
    world.acquire(2);
    world.run(Duration::from_secs(1));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]) && tunnel(&world.nodes[2], &world.nodes[0]));
    assert_eq!(contests(&world.nodes[0]).len(), 0);
}

/// The hub with a static entry for a network before the dynamic one.
fn with_static(sequence: u16, lines: &[(bool, &str)]) -> Policy {
    let mut policy = hub_policy();
    let line = |(permit, remote): &(bool, &str)| CryptoAclLine {
        permit: *permit,
        selector: Selector::between(net("10.1.0.0/16"), net(remote)),
        line: 1,
    };
    let acl = CryptoAcl { name: "101".into(), lines: lines.iter().map(line).collect() };
    let terms = EntryTerms { acl: Some(Arc::new(acl)), ..terms() };
    let kind = MapEntryKind::Static { peers: vec![ip(BRANCH)], terms };
    let entries = &mut Arc::make_mut(&mut policy.maps[0]).entries;
    entries.push(MapEntry { sequence, kind, line: 1 });
    entries.sort_by_key(|entry| entry.sequence);
    policy
}

/// What the access list of a static entry names is its peer's, although that is not there; what the
/// list denies, or what stands behind the dynamic entry, is not.
#[test]
fn the_network_of_a_static_entry_is_kept_for_its_peer() {
    let all = [(true, "10.2.0.0/16")];
    let but_one = [(false, "10.2.2.0/24"), (true, "10.2.0.0/16")];
    for (sequence, lines, lan, granted) in [
        (5, &all[..], "10.2.0.0/16", false),
        (5, &all, "10.2.2.10/32", false),
        (5, &all, "10.0.0.0/14", false),
        (5, &all, "10.3.0.0/16", true),
        (5, &but_one, "10.2.2.0/24", true),
        (5, &but_one, "10.2.3.0/24", false),
        (5, &but_one, "10.2.0.0/16", false),
        (20, &all, "10.2.0.0/16", true),
    ] {
        let rogue = Node::new(ROGUE, spoke_policy(ROGUE, lan), 3);
        let mut world = World::new(vec![Node::new(HUB, with_static(sequence, lines), 1), rogue]);
        world.acquire(1);
        world.run(Duration::from_secs(2));
        let refusals = world.nodes[0].refusals();
        assert_eq!(tunnel(&world.nodes[1], &world.nodes[0]), granted, "{lan} {sequence}: {refusals:?}");
        let told = refusals.iter().any(|text| text.contains("entry 5 of the crypto map"));
        assert_ne!(told, granted, "{lan} {sequence}: {refusals:?}");
    }
    let branch = Node::new(BRANCH, spoke_policy(BRANCH, LAN), 3);
    let mut world = World::new(vec![Node::new(HUB, with_static(5, &all), 1), branch]);
    world.acquire(1);
    world.run(Duration::from_secs(2));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{:?}", world.nodes[0].refusals());
}

/// If a filter tells the packets of the dynamic entry by what no static entry's list names, not even
/// the peer of the static entry gets that by the dynamic one, nor a peer at such an address its own.
#[test]
fn a_filter_of_the_rest_leaves_nothing_of_a_static_entry() {
    let own = format!("{BRANCH}/32");
    for (names, lan, filters, overlap, granted) in [
        ("10.2.0.0/16", LAN, false, Overlap::HolderKeeps, true),
        ("10.2.0.0/16", LAN, true, Overlap::HolderKeeps, false),
        ("10.3.0.0/16", LAN, true, Overlap::HolderKeeps, true),
        ("10.2.0.0/16", LAN, true, Overlap::NewestWins, true),
        ("0.0.0.0/0", &own, false, Overlap::HolderKeeps, true),
        ("0.0.0.0/0", &own, true, Overlap::HolderKeeps, false),
        ("0.0.0.0/0", &own, true, Overlap::NewestWins, true),
    ] {
        let told = format!("{names} {lan} {filters} {overlap:?}");
        let mut policy = with_static(5, &[(true, names)]);
        policy.global.overlap = overlap;
        let map = Arc::make_mut(&mut policy.maps[0]);
        for entry in &mut map.entries {
            if let MapEntryKind::Dynamic { entries, .. } = &mut entry.kind {
                entries.iter_mut().for_each(|entry| entry.terms.filters_rest = filters);
            }
        }
        let filtered = policy.clone();
        let mut world =
            World::new(vec![Node::new(HUB, policy, 1), Node::new(BRANCH, spoke_policy(BRANCH, lan), 3)]);
        world.acquire(1);
        world.run(Duration::from_secs(2));
        let refusals = world.nodes[0].refusals();
        assert_eq!(tunnel(&world.nodes[1], &world.nodes[0]), granted, "{told}: {refusals:?}");
        // and what it has when the static entry comes, it loses
        let mut before = filtered.clone();
        Arc::make_mut(&mut before.maps[0]).entries.retain(|entry| entry.sequence != 5);
        let mut world =
            World::new(vec![Node::new(HUB, before, 1), Node::new(BRANCH, spoke_policy(BRANCH, lan), 3)]);
        world.acquire(1);
        world.run(Duration::from_secs(2));
        assert!(tunnel(&world.nodes[1], &world.nodes[0]), "{told}: {:?}", world.nodes[0].refusals());
        world.input(0, Input::Policy(Arc::new(filtered)));
        world.run(Duration::from_secs(1));
        assert_eq!(tunnel(&world.nodes[1], &world.nodes[0]), granted, "{told}");
    }
}

/// A static entry, or a network of our own, that is configured while a wildcard peer has the
/// network takes it away.
#[test]
fn what_is_configured_later_is_taken_back() {
    let mut reserved = hub_policy();
    reserved.reserved.push((net("10.2.7.0/24"), Reserved::Connected));
    for (policy, stays) in
        [(with_static(5, &[(true, "10.2.7.0/24")]), false), (reserved, false), (hub_policy(), true)]
    {
        let rogue = Node::new(ROGUE, spoke_policy(ROGUE, LAN), 3);
        let mut world = World::new(vec![Node::new(HUB, hub_policy(), 1), rogue]);
        world.acquire(1);
        world.run(Duration::from_secs(2));
        world.input(0, Input::Policy(Arc::new(policy)));
        world.run(Duration::from_secs(1));
        assert_eq!(tunnel(&world.nodes[1], &world.nodes[0]), stays);
        assert_eq!(world.nodes[1].inbound.is_empty(), !stays, "it is told");
    }
}

// ---- one peer at a time, by hand
// -------------------------------------------------------------------------------------------------

fn bench(policy: Policy) -> Bench {
    Bench::new(Engine::new(Arc::new(policy), [7; 32], Instant::ORIGIN))
}

fn call(bench: &mut Bench, last: u8) -> Peer {
    let remote = IpAddr::from([203, 0, 113, last]);
    Peer::main_mode(bench, path(ip(HUB), remote, 500), "cisco123", last)
}

const INSIDE: [u8; 8] = [10, 1, 0, 0, 255, 255, 0, 0];

fn subnet(second: u8, third: u8, mask: [u8; 4]) -> [u8; 8] {
    let [a, b, c, d] = mask;
    [10, second, third, 0, a, b, c, d]
}

fn has_held(bench: &Bench) -> usize {
    bench.refusals.iter().filter(|refusal| matches!(refusal, Refusal::HeldNetwork { .. })).count()
}

/// A peer without DPD cannot be asked: what counts is whether anything of it verified in the last
/// ten seconds.
#[test]
fn a_holder_without_dpd_is_there_for_ten_seconds_after_it_was_heard() {
    for (silence, traffic, kept) in [(9, false, true), (11, false, false), (30, true, true)] {
        let mut bench = bench(hub_policy());
        let mut holder = call(&mut bench, 2);
        assert!(holder.quick_mode(&mut bench, 21, subnet(2, 0, [255, 255, 0, 0]), INSIDE));
        bench.wait(Duration::from_secs(silence));
        if traffic {
            let last = Some(bench.now);
            bench.input(Input::Traffic { child: ChildId(1), last_inbound: last, last_outbound: None });
        }
        let mut newcomer = call(&mut bench, 3);
        let granted = newcomer.quick_mode(&mut bench, 31, subnet(2, 2, [255, 255, 255, 0]), INSIDE);
        assert_eq!(granted, !kept, "{silence}");
        let children = bench.engine.inspect().children;
        let [child] = children.as_slice() else { panic!("{silence}: {children:?}") };
        assert_eq!(child.path.remote, if kept { holder.path.remote } else { newcomer.path.remote });
        assert_eq!(has_held(&bench), usize::from(kept));
    }
}

/// A network that overlaps those of more peers than may be asked is refused, whether they are there
/// or not.
#[test]
fn a_network_around_many_branches_is_refused_at_once() {
    let branches = u8::try_from(hubward_proto::limits::HOLDERS).unwrap();
    for (number, granted) in [(branches, true), (branches + 1, false)] {
        let mut bench = bench(hub_policy());
        for number in 0..number {
            let mut branch = call(&mut bench, number + 10);
            assert!(branch.quick_mode(&mut bench, 21, subnet(2, number, [255, 255, 255, 0]), INSIDE));
        }
        bench.wait(Duration::from_secs(60));
        let mut newcomer = call(&mut bench, 3);
        let wide = subnet(2, 0, [255, 255, 0, 0]);
        assert_eq!(newcomer.quick_mode(&mut bench, 31, wide, INSIDE), granted, "{number}");
        assert_eq!(bench.engine.inspect().children.len(), if granted { 1 } else { usize::from(number) });
    }
}

/// What no peer of a dynamic entry gets, whoever else has it or not.
#[test]
fn a_rogue_branch_gets_nothing_that_is_the_hubs_or_everybodys() {
    let mut policy = hub_policy();
    policy.reserved = vec![
        (AddressRange::host(ip("10.1.1.1")), Reserved::Own),
        (net("10.1.0.0/16"), Reserved::Connected),
        (AddressRange::host(ip("10.48.67.1")), Reserved::NextHop),
        (AddressRange::host(ip("198.51.100.9")), Reserved::Peer),
        (net("10.5.5.0/24"), Reserved::Pool),
    ];
    let host = |address: [u8; 4]| [address, [255; 4]].concat().try_into().unwrap();
    let proposals: [[u8; 8]; 17] = [
        host([10, 1, 1, 1]),
        host([10, 1, 1, 10]),
        host([10, 48, 67, 1]),
        host([198, 51, 100, 9]),
        host([10, 5, 5, 5]),
        host([127, 0, 0, 1]),
        host([224, 0, 0, 5]),
        host([239, 255, 255, 250]),
        host([240, 0, 0, 1]),
        host([255, 255, 255, 255]),
        host([0, 0, 0, 1]),
        [127, 0, 0, 0, 255, 0, 0, 0],
        [224, 0, 0, 0, 240, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 128, 0, 0, 0],
        [128, 0, 0, 0, 128, 0, 0, 0],
        [10, 0, 0, 0, 255, 0, 0, 0],
    ];
    let mut bench = bench(policy);
    let mut rogue = call(&mut bench, 3);
    for (proposal, message_id) in proposals.into_iter().zip(31..) {
        assert!(!rogue.quick_mode(&mut bench, message_id, proposal, INSIDE), "{proposal:?}");
    }
    let count = bench.refusals.iter().filter(|refusal| {
        // 0.0.0.0 and class E are no addresses at all for an identity
        matches!(refusal, Refusal::ReservedNetwork { .. } | Refusal::Identity(_))
    });
    assert_eq!(count.count(), proposals.len(), "{:?}", bench.refusals);
    assert!(bench.engine.inspect().children.is_empty());
}

/// While the holder is asked, repetitions of message 1 change nothing, and each gets the answer
/// once there is one.
#[test]
fn repetitions_of_a_message_that_waits_are_absorbed() {
    let mut world = world(hub_policy(), LAN);
    world.filter = Some(Box::new(|datagram| datagram.to.ip() != ip(BRANCH)));
    world.acquire(2);
    world.run(Duration::from_secs(2));
    let first = |(_, datagram): &&(Instant, Datagram)| {
        datagram.from.ip() == ip(ROGUE) && datagram.bytes[18] == exchange::QUICK
    };
    let sent: Vec<_> = world.trace.iter().filter(first).map(|(_, datagram)| datagram.clone()).collect();
    assert!(sent.len() >= 2 && sent.windows(2).all(|pair| pair[0].bytes == pair[1].bytes), "{}", sent.len());
    let asked = questions(&world, BRANCH);
    for _ in 0..100 {
        world.inject(sent[0].clone());
    }
    world.run(Duration::from_millis(100));
    assert_eq!(questions(&world, BRANCH), asked);
    assert!(world.nodes[0].refusals().is_empty(), "{:?}", world.nodes[0].refusals());
    world.run(Duration::from_secs(6));
    assert!(tunnel(&world.nodes[2], &world.nodes[0]));
    let before = world.trace.len();
    world.inject(sent[0].clone());
    world.run(Duration::from_millis(100));
    let again = &world.trace[before..];
    assert!(again.len() <= 1, "{}", again.len());
}

/// A rogue that asks for the network again and again makes the hub ask its branch once in two
/// seconds.
#[test]
fn a_rogue_cannot_make_the_hub_flood_a_branch() {
    let mut world = world(hub_policy(), LAN);
    let before = questions(&world, BRANCH);
    for _ in 0..100 {
        world.acquire(2);
        world.run(Duration::from_millis(100));
    }
    let asked = questions(&world, BRANCH) - before;
    assert!((1..=6).contains(&asked), "{asked} in ten seconds");
    assert!(tunnel(&world.nodes[1], &world.nodes[0]) && world.nodes[2].inbound.is_empty());
}

/// Two newcomers wait for the same network, and its holder is gone: the first one gets it.
#[test]
fn of_two_that_wait_the_first_gets_it() {
    let mut world = world(hub_policy(), LAN);
    const THIRD: &str = "10.100.2.104";
    world.nodes.push(Node::new(THIRD, spoke_policy(THIRD, "10.2.2.0/24"), 4));
    world.filter = Some(Box::new(|datagram| datagram.to.ip() != ip(BRANCH)));
    world.acquire(2);
    world.run(Duration::from_millis(200));
    world.acquire(3);
    world.run(Duration::from_secs(8));
    assert_eq!(peers_of_hub(&world), [ip(ROGUE)]);
    assert!(tunnel(&world.nodes[2], &world.nodes[0]) && world.nodes[3].inbound.is_empty());
}

/// The one that waits goes away meanwhile: nothing is left of it, and the holder keeps what it has
/// until its own time.
#[test]
fn a_newcomer_that_leaves_takes_nothing() {
    let mut world = world(hub_policy(), LAN);
    world.filter = Some(Box::new(|datagram| datagram.to.ip() != ip(BRANCH)));
    world.acquire(2);
    world.run(Duration::from_secs(1));
    world.input(2, Input::Command(Command::Shutdown));
    world.run(Duration::from_secs(10));
    assert_eq!(peers_of_hub(&world), [ip(BRANCH)]);
    assert!(contests(&world.nodes[0]).is_empty());
}

/// The branch's way is interrupted for five seconds, during which somebody goes on proposing its
/// network.
#[test]
fn a_short_outage_does_not_cost_the_branch_its_network() {
    let mut world = world(hub_policy(), LAN);
    let lost = std::rc::Rc::new(std::cell::Cell::new(true));
    let drops = std::rc::Rc::clone(&lost);
    world.filter = Some(Box::new(move |datagram| {
        !drops.get() || [datagram.from.ip(), datagram.to.ip()].iter().all(|end| *end != ip(BRANCH))
    }));
    for _ in 0..10 {
        world.acquire(2);
        world.run(Duration::from_millis(500));
    }
    lost.set(false);
    world.run(Duration::from_secs(8));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]) && world.nodes[2].inbound.is_empty());
    assert!(matches!(contests(&world.nodes[0]).as_slice(), [(_, _, true), ..]));
}

/// Two branches have something of the network, and neither is there any more: both are asked, and
/// the newcomer does not wait for the second one in vain because the first is forgotten.
#[test]
fn two_holders_that_are_gone_lock_nobody_out() {
    const THIRD: &str = "10.100.2.104";
    for idle in [2, 20] {
        let mut world = world(hub_policy(), "10.2.0.0/15");
        world.run(Duration::from_secs(idle));
        world.nodes.push(Node::new(THIRD, spoke_policy(THIRD, "10.3.0.0/16"), 4));
        world.acquire(3);
        world.run(Duration::from_secs(2));
        assert!(tunnel(&world.nodes[3], &world.nodes[0]));
        world.filter = Some(Box::new(|datagram| ![ip(BRANCH), ip(THIRD)].contains(&datagram.to.ip())));
        world.acquire(2);
        world.run(Duration::from_secs(9));
        assert_eq!(peers_of_hub(&world), [ip(ROGUE)], "{:?}", world.nodes[0].refusals());
        assert!(tunnel(&world.nodes[2], &world.nodes[0]));
        assert!(matches!(contests(&world.nodes[0]).as_slice(), [(_, _, false), (_, _, false)]));
    }
}

/// What the packet path reports of packets before the question is no answer, and no reason to ask
/// faster: the holder has its time.
#[test]
fn old_traffic_does_not_shorten_the_time_to_answer() {
    let mut bench = bench(hub_policy());
    let from = path(ip(HUB), ip("203.0.113.2"), 500);
    let mut holder = Peer::with_dpd(&mut bench, from, "cisco123", 2);
    assert!(holder.quick_mode(&mut bench, 21, subnet(2, 0, [255, 255, 0, 0]), INSIDE));
    let heard = bench.now;
    bench.wait(Duration::from_secs(20));
    let mut newcomer = call(&mut bench, 3);
    assert!(!newcomer.quick_mode(&mut bench, 31, subnet(2, 2, [255, 255, 255, 0]), INSIDE));
    for step in 0..29 {
        let sent = Some(bench.now);
        bench.input(Input::Traffic { child: ChildId(1), last_inbound: Some(heard), last_outbound: sent });
        bench.wait(Duration::from_millis(100));
        let children = bench.engine.inspect().children;
        assert_eq!(children[0].path.remote, holder.path.remote, "after {step} tenths of a second");
    }
    bench.wait(Duration::from_millis(200));
    assert_eq!(bench.engine.inspect().children[0].path.remote, newcomer.path.remote);
}

/// A branch with many lines returns from a new address while its old self is being asked: as many
/// quick modes as may be are held, the others wait, and all get their networks.
#[test]
fn a_branch_with_many_lines_gets_them_all_from_its_old_self() {
    let lines = u8::try_from(limits::QUICK_MODES + limits::QUICK_MODES_WAITING).unwrap();
    let mut bench = bench(hub_policy());
    let from = path(ip(HUB), ip("203.0.113.2"), 500);
    let mut holder = Peer::with_dpd(&mut bench, from, "cisco123", 2);
    let lan = |line: u8| subnet(2, line, [255, 255, 255, 0]);
    for line in 0..lines {
        assert!(holder.quick_mode(&mut bench, 200 + u32::from(line), lan(line), INSIDE));
    }
    bench.wait(Duration::from_secs(20));
    let mut newcomer = call(&mut bench, 3);
    // it has a chain for each of its messages
    let begins = newcomer.ivs.clone();
    let mut chains = std::collections::BTreeMap::new();
    for line in 0..lines {
        let message_id = 400 + u32::from(line);
        newcomer.ivs = begins.clone();
        let writer = peer::quick_mode(1000 + message_id, &[1; 20], lan(line), INSIDE);
        let message = newcomer.seal(exchange::QUICK, message_id, &writer);
        chains.insert(message_id, newcomer.ivs.clone());
        assert!(answers(&bench.datagram(newcomer.path, &message), &newcomer).is_empty());
    }
    let mut most = 0;
    for _ in 0..40 {
        let mut answered = answers(&bench.wait(Duration::from_millis(100)), &newcomer);
        while let Some((header, bytes)) = answered.pop() {
            newcomer.ivs = chains[&header.message_id].clone();
            let (header, plain) = newcomer.open(&bytes);
            let chain = Chain::parse(header.first, &plain).unwrap();
            let nonce_r = chain.first(payload::NONCE).unwrap();
            let hash = newcomer.keys.hash3(header.message_id, &[1; 20], nonce_r);
            let third = newcomer.seal_with(exchange::QUICK, header.message_id, payload::NONE, &hash, &[]);
            let new = answers(&bench.datagram(newcomer.path, &third), &newcomer);
            most = most.max(new.len());
            answered.extend(new);
        }
    }
    assert!(bench.refusals.is_empty(), "{:?}", bench.refusals);
    let children = bench.engine.inspect().children;
    let of_newcomer = children.iter().filter(|child| child.path.remote == newcomer.path.remote).count();
    assert_eq!((children.len(), of_newcomer), (usize::from(lines), usize::from(lines)));
    assert!(most <= 1, "{most} answers at once");
}

/// The messages of quick mode to a peer.
fn answers(sent: &[Vec<u8>], peer: &Peer) -> Vec<(Header, Vec<u8>)> {
    let headers = sent.iter().map(|bytes| (Header::parse(bytes).unwrap().0, bytes.clone()));
    let is_its =
        |header: &Header| header.initiator == peer.cookies.initiator && header.exchange == exchange::QUICK;
    headers.filter(|(header, _)| is_its(header)).collect()
}

/// The newcomer's message turns out to be unusable when the holder is known to be gone: the holder
/// loses nothing for it.
#[test]
fn a_bad_message_takes_no_network_away() {
    let mut policy = hub_policy();
    let map = Arc::make_mut(&mut policy.maps[0]);
    let MapEntryKind::Dynamic { entries, .. } = &mut map.entries[0].kind else { panic!() };
    for entry in entries.iter_mut() {
        entry.terms.pfs = Some(DhGroup::Modp1024);
    }
    let good = DhPrivate::generate(DhGroup::Modp1024, &mut Random::new([9; 32]));
    let publics: [(Option<Vec<u8>>, bool); 4] = [
        (None, false),
        (Some(vec![0; 128]), false),
        (Some(good.public()[..100].to_vec()), false),
        (Some(good.public().to_vec()), true),
    ];
    for (public, granted) in publics {
        let mut bench = bench(policy.clone());
        let offer = |bench: &mut Bench, peer: &mut Peer, public: Option<Vec<u8>>| {
            let mut transform = phase2_transform(1);
            transform.attributes.push(Attribute::short(3, 2));
            let transforms = vec![transform];
            let spi = vec![0, 0, 4, 1];
            let mut writer = Writer::new();
            writer.push(
                payload::SA,
                write_sa(&[Proposal { number: 1, protocol: protocol::ESP, spi, transforms }]),
            );
            writer.push(payload::NONCE, [1; 20]);
            if let Some(public) = public {
                writer.push(payload::KE, public);
            }
            for id in [subnet(2, 0, [255, 255, 0, 0]), INSIDE] {
                writer.push(payload::ID, [&[4, 0, 0, 0], &id[..]].concat());
            }
            let message = peer.seal(exchange::QUICK, 5, &writer);
            bench.datagram(peer.path, &message);
        };
        let mut holder = call(&mut bench, 2);
        offer(&mut bench, &mut holder, Some(good.public().to_vec()));
        assert_eq!(bench.engine.inspect().children.len(), 1, "{:?}", bench.refusals);
        // its third message
        let child = bench.engine.inspect().children[0].sa.id;
        let heard = Some(bench.now);
        bench.input(Input::Traffic { child, last_inbound: heard, last_outbound: None });
        bench.input(Input::InboundSeen { child });
        bench.wait(Duration::from_secs(20));
        let mut newcomer = call(&mut bench, 3);
        offer(&mut bench, &mut newcomer, public);
        let owner = if granted { newcomer.path.remote } else { holder.path.remote };
        let owners: Vec<_> = bench.engine.inspect().children.iter().map(|child| child.path.remote).collect();
        assert_eq!(owners, [owner], "{:?}", bench.refusals);
        let taken = bench.trace.iter().filter(|line| line.contains("NetworkContested")).count();
        assert_eq!(taken, usize::from(granted));
    }
}
