//! The path between two gateways is interrupted while they set up a tunnel: it is up a few seconds
//! after the path is back.

use super::support::*;
use hubward_proto::time::Instant;
use hubward_proto::wire::registry::{exchange, payload};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const SPOKE: &str = "10.100.2.102";

/// From this many seconds to that, nothing arrives at the hub, at the spoke, or at either.
#[derive(Clone, Copy, Debug)]
struct Outage {
    at_hub: bool,
    at_spoke: bool,
}

/// The number of a message of main mode.
fn number(datagram: &Datagram) -> Option<u8> {
    let from_hub = u8::from(datagram.from.ip() == ip(HUB));
    let of_initiator = match (datagram.bytes[16], datagram.bytes[19]) {
        (payload::SA, 0) => 1,
        (payload::KE, 0) => 3,
        _ => 5,
    };
    (datagram.bytes[18] == exchange::MAIN).then_some(of_initiator + from_hub)
}

/// Loses everything in a direction from the `lost`th message on for a time; returns how long after
/// the path is back the tunnel is up. A packet asks for it at the start only, or every second.
fn until_up(lost: u8, outage: Outage, seconds: u64, asks_again: bool) -> Duration {
    let mut world = World::new(vec![
        Node::new(HUB, hub_policy(), 1),
        Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2),
    ]);
    let broken = Rc::new(Cell::new(false));
    let seen = Rc::clone(&broken);
    world.filter = Some(Box::new(move |datagram| {
        if number(datagram) == Some(lost) {
            seen.set(true);
        }
        let to_hub = datagram.to.ip() == ip(HUB);
        let lost = seen.get() && if to_hub { outage.at_hub } else { outage.at_spoke };
        !lost
    }));
    world.acquire(1);
    let run = |world: &mut World, time: Duration| {
        for _ in 0..time.as_millis() / 100 {
            world.run(Duration::from_millis(100));
            if asks_again && world.nodes[1].outbound.is_empty() && millis(world.now) % 1000 < 100 {
                world.acquire(1);
            }
        }
    };
    run(&mut world, Duration::from_secs(seconds));
    assert!(broken.get(), "message {lost} was never sent");
    world.filter = None;
    let back = world.now;
    for _ in 0..1000 {
        run(&mut world, Duration::from_millis(100));
        if tunnel(&world.nodes[1], &world.nodes[0]) {
            return world.now.since(back);
        }
    }
    Duration::MAX
}

fn millis(now: Instant) -> u128 {
    now.since_origin().as_millis()
}

const WAYS: [Outage; 3] = [
    Outage { at_hub: false, at_spoke: true },
    Outage { at_hub: true, at_spoke: false },
    Outage { at_hub: true, at_spoke: true },
];

/// Any message of main mode is lost, with all that follow for 16 seconds.
#[test]
fn sixteen_seconds_without_a_path() {
    for lost in 1..=6 {
        for outage in WAYS {
            if (lost % 2 == 0 && !outage.at_spoke) || (lost % 2 == 1 && !outage.at_hub) {
                continue;
            }
            let late = until_up(lost, outage, 16, false);
            assert!(late <= Duration::from_secs(6), "message {lost}, {outage:?}: {late:?}");
        }
    }
}

/// However long the outage is: packets that wait for the tunnel begin anew when an attempt has
/// failed.
#[test]
fn long_outages() {
    for lost in [1, 2, 3, 4, 5, 6] {
        for outage in WAYS {
            for seconds in [29, 31, 45, 66, 100] {
                let late = until_up(lost, outage, seconds, true);
                assert!(late <= Duration::from_secs(8), "message {lost}, {outage:?}, {seconds} s: {late:?}");
            }
        }
    }
}
