//! What `why` says when nothing was refused, of gateways whose counters, SAs and history are given;
//! and that docs/why.md quotes its sentences.

use super::fixtures::{json, new_hub, text};
use crate::base::format::Format;
use crate::views::pulse::{Beat, Ills, Pulse, Recent};
use crate::views::snapshot::{Flow, Snapshot};
use crate::why::history::{Ended, History, Stray};
use hubward_proto::flow::selector::AddressRange;
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
        refused: 0,
    };
    let pulse = Pulse::seen(before(snapshot, 600), beat(inbound), beat(outbound), Ills::default());
    spoke(snapshot).pulse = Some(pulse);
}

fn spoke(snapshot: &mut Snapshot) -> &mut Flow {
    let spoke: IpAddr = SPOKE.parse().unwrap();
    snapshot.flows.iter_mut().find(|flow| flow.path.remote == spoke).unwrap()
}

/// Something is wrong with what comes from the spoke.
fn ill(snapshot: &mut Snapshot, ills: Ills) {
    let beat = Beat { last: Some(before(snapshot, 1)), alone: 0, refused: 0 };
    let pulse = Pulse::seen(before(snapshot, 600), beat, beat, ills);
    spoke(snapshot).pulse = Some(pulse);
}

fn history(snapshot: &mut Snapshot, peer: &str, of: History) {
    snapshot.histories = Arc::new(BTreeMap::from([(peer.parse().unwrap(), Arc::new(of))]));
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
        ends: [Ended { at: wall(snapshot, seconds), tunnel: true, reason, tunnels: 1 }].into(),
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
            let recent = Recent { sent: 1000, lost: 120, came: 880, ..Recent::default() };
            let lossy = Some((before(hub, 4), recent));
            ill(hub, Ills { lossy, ..Ills::default() });
        },
        &["of 1000 that it sent in about 10 seconds until", "(4 s ago), 120 have not arrived", "gaps"],
    ),
    (
        "replayed",
        SPOKE,
        |hub| {
            let recent = Recent { repeated: 31, came: 500, ..Recent::default() };
            let repeated = Some((before(hub, 4), recent));
            ill(hub, Ills { repeated, ..Ills::default() });
        },
        &["window-size 128", "the anti-replay window is 64 packets"],
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
    (
        "two-peers-one-network",
        SPOKE,
        |hub| {
            let of = spoke(hub);
            let (selector, path) = (of.selector, of.path);
            hub.flows.iter_mut().for_each(|flow| (flow.selector, flow.path) = (selector, path));
        },
        &["Both come from one address"],
    ),
    (
        "nothing-comes",
        SPOKE,
        |hub| {
            moved(hub, (Some(180), 0), (Some(2), 42));
            spoke(hub).pulse.as_mut().unwrap().inbound.refused = 40;
        },
        &["40 packets have come since, and were refused here", "Packets do come, and are refused here"],
    ),
    ("hangs", SPOKE, |hub| halfway(hub, IsakmpState::AgInitExch, true), &["our first message has no answer"]),
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
    (
        "ended",
        SPOKE,
        |hub| {
            no_spoke(hub);
            let of = History { ends: [].into(), ..ended(hub, 4000, "idle") };
            hub.started = before(hub, 60);
            history(hub, SPOKE, of);
        },
        &["its SAs ended when this router started at"],
    ),
];

/// A hub with a thousand peers, some of them with faults, is looked at in little time.
#[test]
fn a_thousand_peers_are_looked_at_quickly() {
    let mut hub = new_hub();
    moved(&mut hub, (Some(1), 0), (Some(1), 0));
    let (flow, sa) = (hub.flows.remove(0), hub.isakmp.remove(0));
    let mut histories = BTreeMap::new();
    let of = ended(&hub, 360, "deleted by the peer");
    for number in 0..1000u32 {
        let remote = std::net::Ipv4Addr::from(0x0a64_0000 + number).into();
        let network = std::net::Ipv4Addr::from(0x0b00_0000 + number * 256).into();
        let path = hubward_proto::path::Path { remote, ..flow.path };
        let mut selector = flow.selector;
        selector.remote = AddressRange::new(network, network).unwrap();
        let beat = |last| Beat { last: Some(before(&hub, last)), alone: 20, refused: 0 };
        let silent = if number % 10 == 0 { 60 } else { 1 };
        let pulse = Pulse::seen(before(&hub, 600), beat(silent), beat(1), Ills::default());
        let peer = u64::from(number);
        hub.flows.push(Flow {
            service: flow.service.clone(),
            selector,
            path,
            peer,
            before: flow.before,
            pulse: Some(pulse),
            pairs: Vec::new(),
        });
        hub.isakmp.push(Arc::new(IsakmpView { peer: Some(peer), path, ..(*sa).clone() }));
        histories.insert(remote, Arc::new(of.clone()));
        histories.insert(std::net::Ipv4Addr::from(0x0c00_0000 + number).into(), Arc::new(of.clone()));
    }
    hub.histories = Arc::new(histories);
    let hub = Arc::new(hub);
    // nanoseconds of this thread on a processor
    let spent = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    };
    for line in ["why", "why 10.100.0.7", "why 11.0.9.0", "show crypto isakmp failures"] {
        let before = spent();
        let told = text(line, Arc::clone(&hub), Format::Modern);
        let took = spent() - before;
        eprintln!("{line}: {took:?}");
        // a program that is optimized takes a tenth of it
        assert!(took < Duration::from_secs(1), "{line} took {took:?}");
        assert!(line != "why" || told.contains("100 tunnels are silent in one direction"), "{told}");
    }
}

/// A peer of the configuration of which nothing was ever heard, and nothing was tried.
#[test]
fn a_peer_that_was_never_tried_is_not_unknown() {
    const UNTRIED: &str = "\
interface FastEthernet0/0
 ip address 10.48.67.181 255.255.254.0
crypto map away 7 ipsec-isakmp
 set peer 192.0.2.99
 set transform-set T
 match address 101
";
    let why = |text_of: &str| {
        let mut hub = new_hub();
        hub.parsed = Arc::new(hubward_config::parse(text_of));
        hub.failures.clear();
        flat(&text("why 192.0.2.99", hub, Format::Modern))
    };
    let told = why(UNTRIED);
    let quote = PAGE.split("### `not-tried`\n").nth(1).and_then(|section| section.split("> ").nth(1));
    let quote = quote.and_then(|quote| quote.lines().next()).unwrap();
    assert!(told.starts_with(quote), "{told}");
    assert!(
        told.contains("crypto map away is on no interface") && told.contains("3 crypto map away 7"),
        "{told}"
    );
    let on = UNTRIED.replace("255.255.254.0\n", "255.255.254.0\n crypto map away\n shutdown\n");
    let told = why(&on);
    assert!(!told.contains("on no interface") && told.contains("which has the map, is shut down"), "{told}");
    assert!(why("hostname X\n").contains("Nothing is known of 192.0.2.99"));
}

/// Who is asked about, and what must be said, or must not.
#[test]
fn whoever_is_meant_is_found() {
    let hub = |change: &dyn Fn(&mut Snapshot)| {
        let mut hub = new_hub();
        moved(&mut hub, (Some(1), 0), (Some(1), 0));
        change(&mut hub);
        Arc::new(hub)
    };
    let why =
        |who: &str, hub: &Arc<Snapshot>| flat(&text(&format!("why {who}"), Arc::clone(hub), Format::Modern));
    // a host behind a peer: the peer's name, and what failed with the peer
    let sound = hub(&|_| {});
    let behind = why("10.2.2.10", &sound);
    assert!(behind.starts_with(&format!("10.2.2.10 is behind {SPOKE}, which is up, 1 tunnel;")), "{behind}");
    // a tunnel for everything has nobody behind it who is known otherwise
    let to_everywhere = |hub: &mut Snapshot| {
        spoke(hub).selector.remote = AddressRange::ANY_V4;
    };
    let second = "10.77.0.1";
    let open = hub(&to_everywhere);
    assert!(why(second, &open).contains(&format!("{second} is behind {SPOKE}")));
    let known = hub(&|hub| {
        to_everywhere(hub);
        let of = ended(hub, 360, "deleted by the peer");
        history(hub, second, of);
    });
    let told = why(second, &known);
    let words = [&format!("{second} has no SA here now"), "it is here from 10.100.2.102 now"];
    assert!(words.iter().all(|words| told.contains(words)) && !told.contains("is behind"), "{told}");
    // who has come again from elsewhere is here
    let elsewhere = hub(&|hub| {
        let of = ended(hub, 360, "deleted by the peer");
        history(hub, "10.99.0.7", History { identity: hub.isakmp[0].identity.clone(), ..of });
    });
    let identity = elsewhere.isakmp[0].identity.as_ref().unwrap().to_string();
    let told = why(&identity, &elsewhere);
    assert!(!told.contains("has no SA here now"), "{told}");
}

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
    let outage = Some((before(&hub, 30), 360_000));
    ill(&mut hub, Ills { outage, ..Ills::default() });
    let lost = text(&format!("why {SPOKE}"), hub, Format::Modern);
    let words = "; 360000 of its packets in a row were lost on the way here before 09:12:17 UTC (30 s ago).";
    assert!(lost.contains(words), "{lost}");
    let mut hub = new_hub();
    hub.failures.clear();
    moved(&mut hub, (Some(1), 0), (Some(1), 0));
    let all = text("why", hub, Format::Modern);
    let words = "2 tunnels are up with 2 peers; packets have passed in both directions in 1.";
    assert!(all.starts_with(words) && all.ends_with("Nothing has failed since the start.\n"), "{all}");
}
