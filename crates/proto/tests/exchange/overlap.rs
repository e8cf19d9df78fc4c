//! Rekeys of child SAs while packets are on the way: whoever sends on a new SA must be sure that the
//! other side has it, and whoever ends an old one that nobody sends on it any more.

use super::hub_and_spoke;
use super::renewal::expire;
use super::support::traffic::in_use;
use super::support::*;
use hubward_crypto::random::Random;
use hubward_proto::ike::io::{Input, Limit};
use hubward_proto::names::ChildId;
use hubward_proto::wire::registry::exchange;
use std::collections::BTreeSet;
use std::time::Duration;

/// A packet on its way: when it arrives, at whom, and for which SPI.
struct Flying {
    at: hubward_proto::time::Instant,
    to: usize,
    spi: u32,
}

/// Packets of both directions every few milliseconds that need as long as IKE messages do.
#[derive(Default)]
struct Stream {
    flying: Vec<Flying>,
    seen: BTreeSet<(usize, ChildId)>,
    arrived: usize,
    lost: usize,
}

impl Stream {
    fn run(&mut self, world: &mut World, time: Duration, random: &mut Random) {
        let end = world.now + time;
        while world.now < end {
            world.run(Duration::from_millis(10));
            let now = world.now;
            for from in 0..2 {
                for child in in_use(&world.nodes[from]) {
                    let jitter = world.link.jitter.mul_f64(f64::from(random.u32() % 1000) / 1000.0);
                    let at = now + Duration::from_millis(10) + jitter;
                    self.flying.push(Flying { at, to: 1 - from, spi: child.outbound.spi.0 });
                }
            }
            let (due, flying) = std::mem::take(&mut self.flying).into_iter().partition(|one| one.at <= now);
            self.flying = flying;
            for Flying { to, spi, .. } in due {
                let found = world.nodes[to].inbound.values().find(|child| child.inbound.spi.0 == spi);
                let Some(child) = found.map(|child| child.id) else {
                    self.lost += 1;
                    continue;
                };
                self.arrived += 1;
                if self.seen.insert((to, child)) {
                    world.input(to, Input::InboundSeen { child });
                }
                let traffic = Input::Traffic { child, last_inbound: Some(now), last_outbound: Some(now) };
                world.input(to, traffic);
            }
        }
    }
}

/// One side rekeys, or both at the same time, over lines of 10 to 310 ms with reordering: no packet
/// is lost, and one child SA is left.
#[test]
fn no_packet_is_lost_over_rekeys_and_crossing_rekeys() {
    for jitter in [0, 50, 150, 300].map(Duration::from_millis) {
        for (first, second) in
            [(0, None), (1, None), (0, Some(0)), (1, Some(0)), (0, Some(40)), (1, Some(250))]
        {
            let mut world = hub_and_spoke();
            let mut random = Random::new([7; 32]);
            world.acquire(1);
            world.run(Duration::from_secs(5));
            world.link.jitter = jitter;
            let mut stream = Stream::default();
            for round in 0..2 {
                expire(&mut world, first, Limit::Soft);
                if let Some(later) = second {
                    stream.run(&mut world, Duration::from_millis(later), &mut random);
                    expire(&mut world, 1 - first, Limit::Soft);
                }
                stream.run(&mut world, Duration::from_secs(20), &mut random);
                let what = format!("{jitter:?} {first} {second:?} {round}");
                assert_eq!(stream.lost, 0, "{what}, of {}", stream.arrived);
                for node in &world.nodes {
                    let view = node.engine.inspect().children;
                    assert_eq!(view.len(), 1, "{what}");
                    assert_eq!((node.inbound.len(), node.outbound.len()), (1, 1), "{what}");
                }
                assert!(tunnel(&world.nodes[0], &world.nodes[1]), "{what}");
            }
            assert!(stream.arrived > 2 * 2 * 19 * 90);
        }
    }
}

/// Message 3 is late: the initiator goes on with the old child SA for a second at most, or until
/// the peer sends on the new one.
#[test]
fn the_initiator_waits_for_the_peer() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let old = in_use(&world.nodes[1])[0].id;
    expire(&mut world, 1, Limit::Soft);
    world.run(Duration::from_millis(500));
    assert_eq!(in_use(&world.nodes[1])[0].id, old, "message 3 may still be on its way");
    assert_eq!(world.nodes[1].inbound.len(), 2);
    world.run(Duration::from_millis(600));
    assert_ne!(in_use(&world.nodes[1])[0].id, old, "it is long there");

    let old = in_use(&world.nodes[1])[0].id;
    expire(&mut world, 1, Limit::Soft);
    world.run(Duration::from_millis(200));
    let new = *world.nodes[1].inbound.keys().last().unwrap();
    assert_eq!(in_use(&world.nodes[1])[0].id, old);
    world.input(1, Input::InboundSeen { child: new });
    assert_eq!(in_use(&world.nodes[1])[0].id, new, "the peer has it");
}

/// The peer deletes the old child SA as soon as it has the new one: the new one serves at once.
#[test]
fn a_delete_of_the_old_hands_over_at_once() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    expire(&mut world, 1, Limit::Soft);
    world.run(Duration::from_millis(100));
    let old = in_use(&world.nodes[1])[0].id;
    let hubs = world.nodes[0].inbound.keys().next().copied().unwrap();
    world.input(0, Input::Expire { child: hubs, limit: Limit::Hard });
    world.run(Duration::from_millis(100));
    let now = in_use(&world.nodes[1]);
    assert_eq!(now.len(), 1);
    assert_ne!(now[0].id, old);
}

/// A peer that goes on sending on the old child SA is not cut off: the old one ends when the peer
/// has stopped.
#[test]
fn an_old_child_sa_stays_while_the_peer_uses_it() {
    let mut world = hub_and_spoke();
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let old = in_use(&world.nodes[1])[0].id;
    expire(&mut world, 1, Limit::Soft);
    for _ in 0..20 {
        world.run(Duration::from_secs(1));
        let now = world.now;
        world.input(1, Input::Traffic { child: old, last_inbound: Some(now), last_outbound: None });
        assert!(world.nodes[1].inbound.contains_key(&old));
    }
    world.run(Duration::from_secs(11));
    assert!(!world.nodes[1].inbound.contains_key(&old));
}

/// 250 tunnels of one birth second, whose renewals are spread over a tenth of their life on both
/// sides, and made by the side that initiated them.
#[test]
fn a_renewal_storm_is_spread() {
    let mut world = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new("10.100.2.102", super::offers::with_lines(250), 2),
    ]);
    for line in 0..250 {
        super::offers::want(&mut world, 1, line);
    }
    world.run(Duration::from_secs(8));
    assert_eq!(world.nodes[0].outbound.len(), 250, "{:?}", world.nodes[0].refusals());
    for node in 0..2 {
        let ids: Vec<_> = world.nodes[node].inbound.keys().copied().collect();
        for child in ids {
            let now = world.now;
            let used = Input::Traffic { child, last_inbound: Some(now), last_outbound: Some(now) };
            world.input(node, used);
        }
    }
    world.trace.clear();
    world.run(Duration::from_secs(3580));
    let from_hub = |datagram: &Datagram| datagram.from.ip() == ip(HUB);
    let begun: Vec<_> = world
        .trace
        .iter()
        .filter(|(_, datagram)| datagram.bytes[18] == exchange::QUICK)
        .filter({
            let mut known = BTreeSet::new();
            move |(_, datagram)| known.insert(datagram.bytes[20..24].to_vec())
        })
        .map(|(at, datagram)| (at.since_origin().as_secs(), from_hub(datagram)))
        .collect();
    assert_eq!(begun.len(), 250);
    assert!(begun.iter().all(|(_, hub)| !hub), "the initiator is the first");
    let (first, last) = (begun.iter().map(|one| one.0).min(), begun.iter().map(|one| one.0).max());
    let (first, last) = (first.unwrap(), last.unwrap());
    assert!(last - first > 300, "{first} to {last}");
    let most =
        (first..=last).map(|second| begun.iter().filter(|one| one.0 / 10 == second / 10).count()).max();
    assert!(most.unwrap() <= 30, "{most:?} of 250 in ten seconds");
}
