//! A second version of IKE takes a file of its own and no change of IKEv1's: it answers, has a timer,
//! refuses, is shown and cleared, while IKEv1 goes on beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/made_up_version.rs"]
mod made_up_version;
mod support;

use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::io::{Command, Effect, Input};
use hubward_proto::ike::snapshot::IsakmpState;
use hubward_proto::ike::watch::Change;
use hubward_proto::names::{InterfaceId, VrfId};
use hubward_proto::path::{Encapsulation, Path};
use hubward_proto::policy::Policy;
use hubward_proto::time::Instant;
use made_up_version::{HELLO, MAJOR, MadeUp, PATIENCE, THANKS, message};
use std::sync::Arc;
use std::time::Duration;
use support::*;

const SPI: [u8; 8] = [7; 8];
const SPOKE: &str = "10.100.2.102";

fn path_to(remote: &str) -> Path {
    Path {
        local: ip(HUB),
        local_port: 500,
        remote: ip(remote),
        remote_port: 500,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    }
}

fn hub() -> Engine {
    let mut engine = Node::new(HUB, hub_policy(), 1).engine;
    engine.add_version(Box::<MadeUp>::default());
    engine.watch();
    engine
}

fn say(engine: &mut Engine, path: Path, bytes: &[u8]) -> Vec<Effect> {
    engine.handle(Instant::ORIGIN, Input::Datagram { path, bytes });
    std::iter::from_fn(|| engine.poll()).collect()
}

fn answer(effects: &[Effect]) -> Vec<u8> {
    let sent = effects.iter().find_map(|effect| match effect {
        Effect::Transmit { bytes, .. } => Some(bytes.clone()),
        _ => None,
    });
    sent.expect("an answer")
}

fn refusals(effects: &[Effect]) -> Vec<Refusal> {
    let refused = effects.iter().filter_map(|effect| match effect {
        Effect::Event(event) => match &event.kind {
            EventKind::Refused(refusal) => Some(refusal.clone()),
            _ => None,
        },
        _ => None,
    });
    refused.collect()
}

fn own_spi(answer: &[u8]) -> [u8; 8] {
    answer[8..16].try_into().unwrap()
}

#[test]
fn its_first_message_is_answered_and_its_sa_is_shown() {
    let mut engine = hub();
    let path = path_to(SPOKE);
    let answered = answer(&say(&mut engine, path, &message(SPI, [0; 8], HELLO)));
    assert_eq!((answered[17] >> 4, &answered[..8]), (MAJOR, &SPI[..]));
    let view = engine.inspect();
    assert_eq!(view.isakmp.len(), 1);
    assert_eq!((view.isakmp[0].path, view.isakmp[0].state), (path, IsakmpState::MmNoState));
    assert!(matches!(engine.poll_view(), Some(Change::Isakmp(_, Some(_)))));

    assert!(say(&mut engine, path, &message(SPI, own_spi(&answered), THANKS)).is_empty());
    assert_eq!(engine.inspect().isakmp[0].state, IsakmpState::QmIdle);
    assert_eq!(engine.poll_timeout(), None, "it has nothing to wait for");
}

#[test]
fn its_timer_ends_what_is_not_completed() {
    let mut engine = hub();
    say(&mut engine, path_to(SPOKE), &message(SPI, [0; 8], HELLO));
    let (due, _) = engine.poll_timeout().unwrap();
    assert_eq!(due, Instant::ORIGIN + PATIENCE);
    engine.handle_timeout(due);
    let effects: Vec<_> = std::iter::from_fn(|| engine.poll()).collect();
    assert!(matches!(refusals(&effects)[..], [Refusal::NoAnswer { .. }]), "{effects:?}");
    assert!(engine.inspect().isakmp.is_empty());
    let gone = std::iter::from_fn(|| engine.poll_view()).last();
    assert!(matches!(gone, Some(Change::Isakmp(_, None))));
    assert_eq!(engine.poll_timeout(), None);
}

#[test]
fn it_refuses_with_the_same_words() {
    let mut engine = hub();
    let effects = say(&mut engine, path_to(SPOKE), &message(SPI, [9; 8], THANKS));
    assert_eq!(refusals(&effects), [Refusal::UnknownCookies]);
    assert!(engine.inspect().isakmp.is_empty());
}

#[test]
fn orders_reach_it() {
    for command in [
        Command::ClearIsakmp { connection: None },
        Command::ClearSession { peer: Some(ip(SPOKE)) },
        Command::Shutdown,
    ] {
        let mut engine = hub();
        say(&mut engine, path_to(SPOKE), &message(SPI, [0; 8], HELLO));
        engine.handle(Instant::ORIGIN + Duration::from_secs(1), Input::Command(command.clone()));
        assert!(engine.inspect().isakmp.is_empty(), "{command:?}");
        assert_eq!(engine.poll_timeout(), None, "{command:?}");
    }
    let mut engine = hub();
    say(&mut engine, path_to(SPOKE), &message(SPI, [0; 8], HELLO));
    let other = Command::ClearSession { peer: Some(ip("192.0.2.9")) };
    engine.handle(Instant::ORIGIN, Input::Command(other));
    assert_eq!(engine.inspect().isakmp.len(), 1);
}

/// What ends SAs of every version reaches it: another configuration, another address, the end.
#[test]
fn changes_reach_it() {
    let path = path_to(SPOKE);
    let hello = message(SPI, [0; 8], HELLO);
    let without_key = Policy { keyrings: vec![], ..hub_policy() };
    for (input, left) in [
        (Input::Policy(Arc::new(without_key)), 0),
        (Input::Policy(Arc::new(hub_policy())), 1),
        (Input::Moved { interface: path.interface, address: None }, 0),
        (Input::Moved { interface: path.interface, address: Some(path.local) }, 1),
        (Input::Moved { interface: InterfaceId(77), address: None }, 1),
        (Input::Command(Command::Shutdown), 0),
    ] {
        let stops = matches!(input, Input::Command(_));
        let what = format!("{input:?}");
        let mut engine = hub();
        say(&mut engine, path, &hello);
        engine.handle(Instant::ORIGIN, input);
        assert_eq!(engine.inspect().isakmp.len(), left, "{what}");
        if stops {
            say(&mut engine, path, &hello);
            assert!(engine.inspect().isakmp.is_empty(), "nothing new is accepted");
        }
    }
}

/// A branch that speaks IKEv1 comes up beside it.
#[test]
fn ike_version_1_goes_on_beside_it() {
    let hub = Node::new(HUB, hub_policy(), 1);
    let spoke = Node::new(SPOKE, spoke_policy(SPOKE, "10.2.2.0/24"), 2);
    let mut world = World::new(vec![hub, spoke]);
    world.nodes[0].engine.add_version(Box::<MadeUp>::default());
    let hello = message(SPI, [0; 8], HELLO);
    world.input(0, Input::Datagram { path: path_to("192.0.2.77"), bytes: &hello });
    world.acquire(1);
    world.run(Duration::from_secs(2));
    let view = world.nodes[0].engine.inspect();
    let ids: Vec<_> = view.isakmp.iter().map(|sa| sa.conn_id.0).collect();
    assert_eq!(ids, [1001, 1002]);
    assert_eq!(view.children.len(), 1);
    assert_eq!(view.isakmp[1].state, IsakmpState::QmIdle);
}

/// A hub without this version refuses it as it does any other.
#[test]
fn a_version_without_a_room_is_refused() {
    let mut engine = Node::new(HUB, hub_policy(), 1).engine;
    let effects = say(&mut engine, path_to(SPOKE), &message(SPI, [0; 8], HELLO));
    assert!(matches!(refusals(&effects)[..], [Refusal::Malformed(_)]), "{effects:?}");
}
