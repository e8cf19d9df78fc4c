//! What `why` says when nothing was refused, of gateways whose counters, SAs and history are given;
//! and that docs/why.md quotes its sentences.

use super::fixtures::{json, new_hub, text};
use crate::base::format::Format;
use crate::views::pulse::{Beat, Lost, Pulse};
use crate::views::snapshot::Snapshot;
use crate::why::history::{Ended, History, Stray};
use hubward_proto::ike::snapshot::{IsakmpState, IsakmpView};
use hubward_proto::names::Untrusted;
use hubward_proto::time::Instant;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

const SPOKE: &str = "10.100.2.102";

/// A moment so many seconds before the snapshot.
fn before(snapshot: &Snapshot, seconds: u64) -> Instant {
    Instant::from_origin(snapshot.now.since_origin() - Duration::from_secs(seconds))
}

fn wall(snapshot: &Snapshot, seconds: u64) -> Duration {
    snapshot.wall - Duration::from_secs(seconds)
}

/// The spoke's tunnel, in which packets moved so many seconds ago, so many alone.
fn moved(snapshot: &mut Snapshot, inbound: (Option<u64>, u64), outbound: (Option<u64>, u64)) {
    let beat = |(last, alone): (Option<u64>, u64)| Beat {
        last: last.map(|seconds| before(snapshot, seconds)),
        alone,
    };
    let pulse = Pulse::seen(before(snapshot, 600), beat(inbound), beat(outbound), Lost::default());
    let spoke: IpAddr = SPOKE.parse().unwrap();
    snapshot.flows.iter_mut().find(|flow| flow.path.remote == spoke).unwrap().pulse = Some(pulse);
}

fn history(snapshot: &mut Snapshot, peer: &str, of: History) {
    snapshot.histories = Arc::new(BTreeMap::from([(peer.parse().unwrap(), of)]));
}

/// The spoke's phase 1 as it is in the middle of something, and no tunnel.
fn halfway(snapshot: &mut Snapshot, state: IsakmpState, initiator: bool) {
    let created = before(snapshot, 12);
    let sa = IsakmpView { state, initiator, created, peer: None, ..(*snapshot.isakmp[0]).clone() };
    snapshot.isakmp = vec![Arc::new(sa)];
    snapshot.flows.clear();
    snapshot.peers.clear();
}

fn no_spoke(snapshot: &mut Snapshot) {
    let spoke: IpAddr = SPOKE.parse().unwrap();
    snapshot.flows.retain(|flow| flow.path.remote != spoke);
    snapshot.isakmp.retain(|sa| sa.path.remote != spoke);
}

fn ended(snapshot: &Snapshot, seconds: u64, reason: &'static str) -> History {
    History {
        heard: wall(snapshot, seconds),
        phase1: Some(wall(snapshot, 4000)),
        tunnel: Some(wall(snapshot, 4000)),
        identity: Some(Untrusted::new(SPOKE)),
        ends: [Ended { at: wall(snapshot, seconds), tunnel: true, reason }].into(),
        ..History::default()
    }
}

type Fault = (&'static str, &'static str, fn(&mut Snapshot), &'static [&'static str]);

/// What is wrong: the cause, who is asked about, the fault, and what must be said of it besides.
const FAULTS: &[Fault] = &[
    (
        "nothing-comes",
        SPOKE,
        |hub| moved(hub, (Some(180), 0), (Some(2), 42)),
        &["packets sent: 19, the last 2 s ago; received: 19, the last 3 min ago"],
    ),
    ("nothing-comes", "10.2.2.10", |hub| moved(hub, (None, 0), (Some(1), 7)), &["none since it is watched"]),
    (
        "nothing-goes",
        SPOKE,
        |hub| moved(hub, (Some(1), 17), (Some(90), 0)),
        &["no answer to ARP: 10.1.1.99", "`why packet 10.1.1.10 10.2.0.1` shows the way of an answer"],
    ),
    (
        "lost-on-the-way",
        SPOKE,
        |hub| {
            moved(hub, (Some(1), 0), (Some(1), 0));
            let spoke: IpAddr = SPOKE.parse().unwrap();
            let flow = hub.flows.iter_mut().find(|flow| flow.path.remote == spoke).unwrap();
            let pulse = flow.pulse.unwrap();
            let lost = Lost { packets: 120, of: 1000 };
            flow.pulse = Some(Pulse::seen(pulse.since, pulse.inbound, pulse.outbound, lost));
        },
        &["gaps"],
    ),
    (
        "replayed",
        SPOKE,
        |hub| {
            let spoke: IpAddr = SPOKE.parse().unwrap();
            let flow = hub.flows.iter_mut().find(|flow| flow.path.remote == spoke).unwrap();
            flow.pairs[0].inbound.as_mut().unwrap().replay_errors = 31;
        },
        &["window-size 1024"],
    ),
    (
        "two-peers-one-network",
        SPOKE,
        |hub| {
            let selector =
                hub.flows.iter().find(|flow| flow.path.remote.to_string() == SPOKE).unwrap().selector;
            hub.flows.iter_mut().for_each(|flow| flow.selector = selector);
        },
        &[
            "what 10.1.0.0/16 sends there goes to 10.100.2.102 now",
            "clear crypto session remote 10.51.82.100",
        ],
    ),
    (
        "unknown-spi",
        SPOKE,
        |hub| {
            no_spoke(hub);
            let stray = Stray { first: wall(hub, 60), last: wall(hub, 2), times: 40, spi: 0xc0ff_ee01 };
            history(hub, SPOKE, History { stray: Some(stray), ..History::default() });
        },
        &["has had no tunnel with it since", "invalid-spi-recovery"],
    ),
    ("hangs", SPOKE, |hub| halfway(hub, IsakmpState::MmSaSetup, false), &[]),
    ("hangs", SPOKE, |hub| halfway(hub, IsakmpState::MmKeyExch, true), &["its key may differ from ours"]),
    (
        "ended",
        SPOKE,
        |hub| {
            no_spoke(hub);
            let of = ended(hub, 360, "deleted by the peer");
            history(hub, SPOKE, of);
        },
        &["a tunnel with it came up last at", "There: its log says why."],
    ),
    (
        "ended",
        "hansi",
        |hub| {
            no_spoke(hub);
            let of = ended(hub, 30, "the client disconnected");
            history(hub, SPOKE, History { user: Some(Untrusted::new("hansi")), ..of });
        },
        &["hansi at 10.100.2.102 has no SA here now"],
    ),
];

fn broken(fault: fn(&mut Snapshot)) -> Arc<Snapshot> {
    let mut hub = new_hub();
    hub.failures.clear();
    moved(&mut hub, (Some(1), 0), (Some(1), 0));
    fault(&mut hub);
    Arc::new(hub)
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

const PAGE: &str = include_str!("../../../../docs/why.md");

#[test]
fn what_is_wrong_is_said_with_its_evidence() {
    for (cause, who, fault, more) in FAULTS {
        let hub = broken(*fault);
        let told = text(&format!("why {who}"), Arc::clone(&hub), Format::Modern);
        let told = flat(&told);
        assert!(more.iter().all(|words| told.contains(words)), "{cause}, {more:?}:\n{told}");
        assert!(
            !told.contains("nothing to explain") && !told.contains("Nothing is known"),
            "{cause}:\n{told}"
        );
        let rows = json(&format!("why {who}"), Arc::clone(&hub));
        assert!(rows.contains(&format!("\"cause\": \"{cause}\"")), "{rows}");
        // whoever has gone is no fault of the hub
        if *cause != "ended" {
            let all = json("why", hub);
            assert!(all.contains(&format!("\"cause\": \"{cause}\"")), "{all}");
        }
    }
}

/// Each sentence of the page is said by one of the faults, in these words.
#[test]
fn the_page_quotes_what_is_said() {
    let said: Vec<String> = FAULTS
        .iter()
        .map(|(_, who, fault, _)| flat(&text(&format!("why {who}"), broken(*fault), Format::Modern)))
        .collect();
    for (cause, ..) in FAULTS {
        let section = PAGE.split(&format!("### `{cause}`\n")).nth(1).unwrap_or_default();
        let section = section.split("\n#").next().unwrap_or_default();
        let quotes: Vec<_> = section.lines().filter_map(|line| line.strip_prefix("> ")).collect();
        assert!(!quotes.is_empty(), "{cause} has no section that quotes something");
        for quote in quotes {
            assert!(said.iter().any(|said| said.contains(quote)), "{quote}\nis not among\n{said:#?}");
        }
    }
}

/// That nothing is wrong is said with what proves it.
#[test]
fn what_passes_is_told() {
    let told = |inbound, outbound| {
        let mut hub = new_hub();
        hub.failures.clear();
        moved(&mut hub, inbound, outbound);
        text(&format!("why {SPOKE}"), hub, Format::Modern)
    };
    for (inbound, outbound, words) in [
        (
            (Some(3), 0),
            (Some(1), 2),
            "packets have passed in both directions, the last came 3 s and left 1 s ago",
        ),
        // too few to tell, or too long ago
        ((None, 0), (Some(1), 4), "packets have left, the last 1 s ago, and none has come"),
        (
            (Some(500), 0),
            (Some(400), 90),
            "packets have passed in both directions, the last came 8 min and left 6 min ago",
        ),
        ((None, 0), (None, 0), "19 packets have come and 19 have left"),
    ] {
        let told = told(inbound, outbound);
        assert!(told.starts_with(&format!("{SPOKE}: up, 1 tunnel; {words}.")), "{told}");
    }
    let mut hub = new_hub();
    hub.failures.clear();
    moved(&mut hub, (Some(1), 0), (Some(1), 0));
    let all = text("why", hub, Format::Modern);
    let words = "2 tunnels are up with 2 peers; packets have passed in both directions in 1.";
    assert!(all.starts_with(words) && all.ends_with("Nothing has failed since the start.\n"), "{all}");
}
