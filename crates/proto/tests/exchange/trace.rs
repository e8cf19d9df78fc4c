//! The steps that an engine reports while a peer is traced.

use super::hub_and_client;
use super::peer::{Bench, Peer, path, quick_mode};
use super::support::*;
use hubward_proto::ike::engine::Engine;
use hubward_proto::ike::event::EventKind;
use hubward_proto::ike::io::{Command, Input};
use hubward_proto::ike::trace::{Fsm, Trace, TraceScope};
use hubward_proto::time::Instant;
use hubward_proto::wire::registry::exchange;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

const SPOKE: &str = "10.100.2.102";
const CLIENT: &str = "10.51.82.100";

/// What the hub reports during a spoke's two phases.
fn spoke(scope: TraceScope) -> Vec<String> {
    let mut engine = Engine::new(Arc::new(hub_policy()), [1; 32], Instant::ORIGIN);
    engine.trace(scope);
    let mut bench = Bench::new(engine);
    let mut peer = Peer::main_mode(&mut bench, path(ip(HUB), ip(SPOKE), 500), "cisco123", 3);
    let lan = ([10, 2, 0, 0, 255, 255, 0, 0], [10, 1, 0, 0, 255, 255, 0, 0]);
    let first = peer.seal(exchange::QUICK, 7, &quick_mode(1000, &[1; 20], lan.0, lan.1));
    assert_eq!(bench.datagram(peer.path, &first).len(), 1, "{:?}", bench.refusals);
    bench.trace.into_iter().filter(|effect| effect.contains("Trace(")).collect()
}

#[test]
fn nobody_is_told_what_nobody_asked_for() {
    assert_eq!(spoke(TraceScope::Off), Vec::<String>::new());
    let others = TraceScope::Peers(BTreeSet::from([ip(CLIENT)]));
    assert_eq!(spoke(others), Vec::<String>::new());
    let all = spoke(TraceScope::All);
    assert!(all.len() > 50, "{all:#?}");
    assert_eq!(spoke(TraceScope::Peers(BTreeSet::from([ip(SPOKE)]))), all);
}

fn states(world: &World, node: usize) -> Vec<(Fsm, Fsm)> {
    let steps = world.nodes[node].events.iter().filter_map(|event| match &event.kind {
        EventKind::Trace(step) => Some(step.as_ref()),
        _ => None,
    });
    steps
        .filter_map(|step| match step {
            Trace::Transition { old, new, .. } => Some((*old, *new)),
            _ => None,
        })
        .collect()
}

/// Both sides of a client's connection; each state starts where the last one of its kind ended.
#[test]
fn both_sides_of_a_client() {
    let mut world = hub_and_client();
    for node in &mut world.nodes {
        node.engine.trace(TraceScope::All);
    }
    world.input(1, Input::Command(Command::Connect { connection: "work".into() }));
    world.run(Duration::from_secs(3));
    let hub: Vec<_> = states(&world, 0).into_iter().map(|(_, new)| new).collect();
    let expected = [
        Fsm::AggressiveAaa,
        Fsm::AggressiveResponder,
        Fsm::Phase1Complete,
        Fsm::XauthStart,
        Fsm::XauthRequested,
        Fsm::XauthJudged,
        Fsm::XauthSet,
        Fsm::Phase1Complete,
        Fsm::Phase1Complete,
        Fsm::ConfigAaa,
        Fsm::Phase1Complete,
        Fsm::Phase1Complete,
        Fsm::QuickSpi,
        Fsm::QuickResponder,
        Fsm::Phase2Complete,
    ];
    assert_eq!(hub, expected);
    let client: Vec<_> = states(&world, 1).into_iter().map(|(_, new)| new).collect();
    assert_eq!(client.first(), Some(&Fsm::AggressiveInitiator));
    assert_eq!(client.last(), Some(&Fsm::Phase2Complete));
}
