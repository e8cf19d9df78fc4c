//! Each message of main mode, of aggressive mode with Xauth and mode-config, and of quick mode, lost:
//! once, twice, and with everything in its direction for 16 s. A line says how long after the way is
//! back the tunnel is up. A host behind the branch sends a packet each second.

use super::golden;
use super::stories::{CLIENT, SPOKE};
use super::support::*;
use hubward_proto::ike::io::{Command, Input};
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(300);
const OUTAGE: Duration = Duration::from_secs(16);

#[derive(Clone, Copy)]
enum Loss {
    Times(u32),
    Outage,
}

const LOSSES: [(&str, Loss); 3] =
    [("once", Loss::Times(1)), ("twice", Loss::Times(2)), ("for 16 s", Loss::Outage)];

const BRANCH: [&str; 9] = [
    "main mode 1",
    "main mode 2",
    "main mode 3",
    "main mode 4",
    "main mode 5",
    "main mode 6",
    "quick mode 1",
    "quick mode 2",
    "quick mode 3",
];

const VPN_CLIENT: [&str; 12] = [
    "aggressive mode 1",
    "aggressive mode 2",
    "aggressive mode 3",
    "Xauth request",
    "Xauth reply",
    "Xauth status",
    "Xauth acknowledgement",
    "mode-config request",
    "mode-config reply",
    "quick mode 1",
    "quick mode 2",
    "quick mode 3",
];

/// A hub, and a branch or a client that has not initiated.
fn world(client: bool) -> World {
    let peer = if client {
        Node::new(CLIENT, client_policy(CLIENT), 2)
    } else {
        Node::new(SPOKE, spoke_policy(SPOKE, "10.2.0.0/16"), 2)
    };
    World::new(vec![Node::new(HUB, hub_policy(), 1), peer])
}

fn initiate(world: &mut World, client: bool) {
    if client {
        world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    } else {
        world.acquire(1);
    }
}

/// The messages if none is lost, in order.
fn undisturbed(client: bool) -> Vec<Datagram> {
    let mut world = world(client);
    initiate(&mut world, client);
    world.run(Duration::from_secs(3));
    assert!(tunnel(&world.nodes[1], &world.nodes[0]));
    world.trace.into_iter().map(|(_, datagram)| datagram).collect()
}

/// What happened to the victim so far.
#[derive(Default)]
struct Way {
    lost: Cell<u32>,
    broken: Cell<bool>,
}

/// How long it takes from the end of the loss until the tunnel is up.
fn delay(client: bool, victim: &Datagram, loss: Loss) -> Option<Duration> {
    let way = Rc::new(Way::default());
    let mut world = world(client);
    let (seen, victim) = (Rc::clone(&way), victim.clone());
    world.filter = Some(Box::new(move |datagram| {
        let hit = datagram.bytes == victim.bytes;
        let dropped = match loss {
            Loss::Times(times) => hit && seen.lost.get() < times,
            Loss::Outage if hit && seen.lost.get() == 0 => {
                seen.broken.set(true);
                true
            }
            Loss::Outage => seen.broken.get() && datagram.from.ip() == victim.from.ip(),
        };
        seen.lost.set(seen.lost.get() + u32::from(dropped));
        !dropped
    }));
    initiate(&mut world, client);
    let start = world.now;
    let (mut lost, mut back, mut last_packet) = (0, start, start);
    while world.now.since(start) < PATIENCE {
        if way.lost.get() > lost {
            if matches!(loss, Loss::Times(_)) || lost == 0 {
                back = world.now;
            }
            lost = way.lost.get();
        }
        if matches!(loss, Loss::Outage) && way.broken.get() && world.now.since(back) >= OUTAGE {
            way.broken.set(false);
            back = world.now;
        }
        // quick mode 3 is not needed if a packet of the branch arrives first, but none is sent here
        if lost > 0 && !way.broken.get() && tunnel(&world.nodes[1], &world.nodes[0]) && in_use(&world) {
            return Some(world.now.since(back));
        }
        if !client && world.now.since(last_packet) >= Duration::from_secs(1) {
            last_packet = world.now;
            if world.nodes[1].outbound.is_empty() {
                world.acquire(1);
            }
        }
        world.run(STEP);
    }
    None
}

/// The hub uses its side too.
fn in_use(world: &World) -> bool {
    tunnel(&world.nodes[0], &world.nodes[1])
}

#[test]
fn each_message_lost_once_twice_and_for_16_seconds() {
    let mut lines = Vec::new();
    for (who, client, names) in [("branch", false, &BRANCH[..]), ("client", true, &VPN_CLIENT)] {
        let messages = undisturbed(client);
        assert_eq!(messages.len(), names.len(), "{who}");
        for (name, victim) in names.iter().zip(&messages) {
            for (how, loss) in LOSSES {
                let after = delay(client, victim, loss)
                    .map_or("never up".into(), |time| format!("up after {:.1} s", time.as_secs_f64()));
                lines.push(format!("{who} | {name} lost {how} | {after}"));
            }
        }
    }
    lines.iter().for_each(|line| println!("{line}"));
    golden::compare("recorded/golden/lost.txt", &lines);
}
