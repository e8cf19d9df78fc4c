//! The gateways on which the tests run `show` commands: the reference hub and spoke, and the spoke
//! before anything was sent.

use super::table::{self, Run};
use crate::base::console_lines::{LineName, UserLine};
use crate::base::format::Format;
use crate::base::lockout::{LockedOut, Whose};
use crate::dataplane::offload::Offloads;
use crate::exec::command::{Caller, Context, Output};
use crate::exec::layout::Shown;
use crate::guard::View;
use crate::guard::granted::{Granted, place};
use crate::guard::rules::{Guarded, Here, rules};
use crate::log::buffer::Logged;
use crate::log::line::LogLine;
use crate::machine::view::{AddressedBy, InterfaceView, Static};
use crate::manage::desk::{Desk, PRIVILEGED};
use crate::router::rules::counter;
use crate::router::translations;
use crate::views::snapshot::{Carried, Dropped, Flow, Pair, Snapshot, Traffic, in_order, peers};
use crate::why::failure::{Cause, Failure};
use hubward_config::Parsed;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
use hubward_linux::conntrack::Listing;
use hubward_linux::neighbour::Neighbour;
use hubward_linux::nftables::Counted;
use hubward_linux::route::Route;
use hubward_proto::esp::sa::{ChildSa, Half};
use hubward_proto::flow::selector::{AddressRange, Selector};
use hubward_proto::ike::explain::Refusal;
use hubward_proto::ike::misfit::Phase1Misfit;
use hubward_proto::ike::proposal::{Phase1Difference, Phase1Offer};
use hubward_proto::ike::snapshot::{ChildView, IsakmpState, IsakmpView};
use hubward_proto::names::{ChildId, ConnId, InterfaceId, Service, Spi, Untrusted, VrfId};
use hubward_proto::path::{DfBit, Encapsulation, Mode, Path};
use hubward_proto::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const HUB: Ipv4Addr = Ipv4Addr::new(10, 48, 67, 181);
const SPOKE: Ipv4Addr = Ipv4Addr::new(10, 100, 2, 102);
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 51, 82, 100);
/// One hour after the start.
const NOW: Instant = Instant::from_origin(Duration::from_secs(7200));

fn after(seconds: u64) -> Instant {
    NOW + Duration::from_secs(seconds)
}

fn before(seconds: u64) -> Instant {
    Instant::from_origin(NOW.since_origin() - Duration::from_secs(seconds))
}

fn path(local: Ipv4Addr, remote: Ipv4Addr) -> Path {
    Path {
        local: local.into(),
        local_port: 500,
        remote: remote.into(),
        remote_port: 500,
        interface: InterfaceId(0),
        vrf: VrfId(0),
        encapsulation: Encapsulation::Native,
    }
}

fn isakmp(id: u32, path: Path, initiator: bool, seconds_left: u64) -> IsakmpView {
    IsakmpView {
        conn_id: ConnId(id),
        peer: Some(u64::from(id)),
        created: before(1529),
        path,
        initiator,
        state: IsakmpState::QmIdle,
        deleted: false,
        cipher: Some(IkeCipher::TripleDes),
        hash: Some(HashAlg::Sha1),
        group: Some(DhGroup::Modp1024),
        expires: Some(after(seconds_left)),
        lifetime: Some(Duration::from_secs(86_400)),
        offered: Some(Duration::from_secs(86_400)),
        identity: Some(Untrusted::new(path.remote.to_string())),
        profile: None,
        group_name: None,
        user: None,
        assigned: None,
        mode_config: false,
        xauth: false,
        dpd: false,
        nat: false,
    }
}

fn net(text: &str) -> AddressRange {
    AddressRange::prefix(text.parse().unwrap())
}

fn pair(
    id: u64,
    peer: u64,
    path: Path,
    service: &Service,
    selector: Selector,
    spis: (u32, u32),
    counts: (Carried, Carried),
) -> Pair {
    let suite = EspSuite::new(EspCipher::TripleDes, Some(EspAuth::Sha1)).unwrap();
    let half = |spi| Half { spi: Spi(spi), keymat: Secret::new(vec![0; 44]) };
    let sa = ChildSa {
        id: ChildId(id),
        path,
        service: service.clone(),
        selector,
        lease: None,
        mode: Mode::Tunnel,
        suite,
        inbound: half(spis.0),
        outbound: half(spis.1),
        replay_window: 64,
        soft_bytes: None,
        hard_bytes: None,
        df: DfBit::Copy,
    };
    let view = ChildView {
        sa: Arc::new(sa),
        peer,
        path,
        conn_id: Some(ConnId(1001)),
        service: service.clone(),
        initiator: false,
        offered: Some(Duration::from_secs(3600)),
        superseded: false,
        established: before(1529),
        expires: after(2071),
        pfs: None,
        kilobytes: Some(4_608_000),
    };
    let selected = counts.0.packets + counts.1.packets;
    Pair { view: Arc::new(view), inbound: Some(counts.0), outbound: Some(counts.1), selected }
}

fn carried(packets: u64) -> Carried {
    Carried {
        packets,
        bytes: packets * 2048,
        last_sequence: u32::try_from(packets).unwrap(),
        path_mtu: 1500,
        plaintext_mtu: 1446,
        ..Carried::default()
    }
}

pub(super) fn interface(index: u32, name: &str, net: Option<&str>, addressing: AddressedBy) -> InterfaceView {
    InterfaceView {
        name: name.into(),
        description: None,
        index: net.map(|_| index),
        shutdown: net.is_none(),
        up: net.is_some(),
        running: net.is_some(),
        mtu: 1500,
        mac: net.map(|_| [2, 0, 0, 0, 0, u8::try_from(index).unwrap()]),
        net: net.map(|net| net.parse().unwrap()),
        secondary: Vec::new(),
        aliases: Vec::new(),
        addressing,
        crypto_map: None,
        statistics: hubward_linux::link::Statistics {
            packets_in: 208,
            bytes_in: 24_960,
            packets_out: 27,
            bytes_out: 3240,
            ..Default::default()
        },
    }
}

/// The guard of a configuration, with two networks that peers were granted, one of them long ago.
fn guarded(parsed: &Parsed, interfaces: &[InterfaceView], wall: Duration) -> View {
    let names: BTreeMap<_, _> =
        interfaces.iter().map(|view| (view.name.clone(), "eth0".to_string())).collect();
    let mut granted = Granted::default();
    let mut grant = |id, remote: &str, peer: Ipv4Addr, ago| {
        let place = place(net("10.1.0.0/16"), net(remote)).unwrap();
        granted.add(ChildId(id), place, peer.into(), wall - Duration::from_secs(ago));
    };
    grant(1, "10.2.0.0/16", SPOKE, 0);
    grant(2, "10.77.0.0/24", CLIENT, 90_000);
    granted.remove(ChildId(2), wall - Duration::from_secs(90_000));
    let ruleset = rules(parsed, Here { names: &names, leased: &[], absent: &[] }, &granted);
    let counted =
        |(one, packets): (&Guarded, u64)| (one.comment.clone(), Counted { packets, bytes: packets * 84 });
    let counts = ruleset.guarded.iter().zip(15..).map(counted).collect();
    let granted = granted.iter().map(|(place, grant)| (*place, grant.clone())).collect();
    View { missing: None, guarded: ruleset.guarded, granted, counts: Some(counts) }
}

/// One lock-out of each kind.
fn locked_out() -> Vec<LockedOut> {
    let user = |name: &str| Untrusted::new(name);
    let source = CLIENT.into();
    let whose = [
        (5, 3, Whose::UserAt { user: user("gfullage"), enable: None, source }),
        (
            4,
            12,
            Whose::UserAt { user: user("admin"), enable: Some(15), source: "10.1.1.50".parse().unwrap() },
        ),
        (
            24,
            40,
            Whose::UserEverywhere { user: user("root"), enable: None, last: "192.0.2.9".parse().unwrap() },
        ),
        (12, 41, Whose::AnyAt { source: "192.0.2.9".parse().unwrap() }),
    ];
    let one = |(failures, ago, whose)| LockedOut { whose, failures, since: before(ago), until: after(8) };
    whose.into_iter().map(one).collect()
}

/// A gateway that runs a configuration and has these interfaces, without SAs.
pub(super) fn snapshot(config: &str, interfaces: Vec<InterfaceView>) -> Snapshot {
    let parsed = hubward_config::parse(config);
    let wall = Duration::from_millis(1_795_425_167_123);
    let line = |severity, mnemonic: &str, text: &str| {
        LogLine::message(wall - Duration::from_secs(60), "CRYPTO", severity, mnemonic, text)
    };
    let connected = interfaces.iter().filter_map(|view| {
        let mut route = Route::new(view.net?.trunc().into());
        route.interface = view.index?;
        route.source = Some(view.net?.addr().into());
        Some(route)
    });
    let guard = guarded(&parsed, &interfaces, wall);
    Snapshot {
        now: NOW,
        wall,
        started: before(3600),
        startup: Some(config.to_string()),
        isakmp: Vec::new(),
        flows: Vec::new(),
        peers: BTreeMap::new(),
        histories: std::sync::Arc::default(),
        in_use: BTreeSet::new(),
        hits: BTreeMap::new(),
        filtered: BTreeMap::new(),
        reflexive: BTreeMap::new(),
        foreign: Vec::new(),
        translations: translations::View {
            connections: Some(Listing::default()),
            held: Some(BTreeMap::new()),
            ..Default::default()
        },
        links: interfaces.iter().filter_map(|view| Some((view.index?, view.name.clone()))).collect(),
        routes: connected.collect(),
        statics: Arc::default(),
        guard: Arc::new(guard),
        neighbours: Vec::new(),
        cleared: None,
        offloads: Offloads::default().states(),
        implementations: [
            ("DES, 3DES", "bit-sliced, 64 blocks"),
            ("HMAC-SHA1", "one by one"),
            ("MODP groups", "64-bit words"),
        ],
        plane: crate::plane::Chosen::default(),
        drops: Dropped { no_sa: 2, unknown_spi: 1, ..Dropped::default() },
        debugging: crate::debug::Options {
            classes: [crate::debug::Class::Isakmp].into(),
            peers: [std::net::Ipv4Addr::new(10, 100, 2, 102)].into(),
        },
        told: crate::log::logging::Told { dropped: 0, limited: 0, console: 2, monitor: 1, trap: 1 },
        log: Logged {
            size: 65_536,
            messages: 2,
            lines: vec![
                Arc::new(line(6, "ISAKMP_ON_OFF", "ISAKMP is ON")),
                Arc::new(line(5, "SESSION_STATUS", "Crypto tunnel 1 is up\u{1b}[2J")),
            ],
        },
        failures: vec![Failure {
            path: path(HUB, Ipv4Addr::new(192, 0, 2, 77)),
            first: Duration::from_secs(1_795_340_000),
            last: Duration::from_secs(1_795_340_060),
            count: 4,
            cause: Cause::Refused(Refusal::NoPhase1Proposal(Box::new(Phase1Misfit {
                offers: vec![Phase1Offer {
                    encryption: Some((7, Some(256))),
                    hash: Some(2),
                    method: Some(1),
                    group: Some(2),
                    seconds: Some(86_400),
                    odd: None,
                }],
                nearest: Some((
                    Phase1Offer {
                        encryption: Some((7, Some(256))),
                        hash: Some(2),
                        method: Some(1),
                        group: Some(2),
                        seconds: Some(86_400),
                        odd: None,
                    },
                    10,
                    Phase1Difference::Encryption,
                )),
            }))),
            identity: None,
            solved: None,
        }],
        lockouts: Vec::new(),
        users: vec![UserLine {
            line: LineName::Vty(0),
            user: "admin".into(),
            location: "10.1.1.50".into(),
            privilege: 15,
            typed: before(75),
        }],
        interfaces,
        parsed: Arc::new(parsed),
    }
}

/// The reference hub with its spoke and a client, for a test that changes it.
pub(super) fn new_hub() -> Snapshot {
    let mut hub = snapshot(
        include_str!("../../../../examples/hub.cfg"),
        vec![
            interface(2, "FastEthernet0/0", Some("10.48.67.181/27"), AddressedBy::Configuration),
            interface(3, "FastEthernet0/1", Some("10.1.1.1/23"), AddressedBy::Configuration),
        ],
    );
    let mut default = Route::new("0.0.0.0/0".parse().unwrap());
    // before one that another program made
    (default.gateway, default.interface, default.metric) = (Some("10.48.66.181".parse().unwrap()), 2, 0);
    hub.routes.push(default.clone());
    let interface = Some("FastEthernet0/0".to_string());
    hub.statics = Arc::new(vec![Static { route: default, distance: 1, interface, hidden: None }]);
    let mac = Some([2, 0, 0, 0, 1, 1]);
    let neighbour =
        |address: &str, mac| Neighbour { interface: 3, address: address.parse().unwrap(), mac, age: 130 };
    hub.neighbours = vec![neighbour("10.1.1.10", mac), neighbour("10.1.1.99", None)];
    let spoke = IsakmpView { profile: Some("L2L".into()), ..isakmp(1001, path(HUB, SPOKE), false, 15_343) };
    let client = IsakmpView {
        profile: Some("VPNclient".into()),
        identity: Some(Untrusted::new("testgroup")),
        group_name: Some("testgroup".into()),
        user: Some(Untrusted::new("gfullage")),
        assigned: Some("10.5.5.1".parse().unwrap()),
        mode_config: true,
        xauth: true,
        ..isakmp(1002, path(HUB, CLIENT), false, 19_918)
    };
    hub.isakmp = vec![Arc::new(spoke), Arc::new(client)];
    hub.in_use = ["10.5.5.1".parse().unwrap()].into();
    let service = |sequence| Service::dynamic("mymap", 10, "dynmap", sequence);
    let mut flow = |id, peer, path: Path, sequence, selector, spis, counts| {
        hub.flows.push(Flow {
            service: service(sequence),
            selector,
            path,
            peer,
            before: Traffic::default(),
            pulse: None,
            pairs: vec![pair(id, peer, path, &service(sequence), selector, spis, counts)],
        });
    };
    let lan = Selector::between(net("10.1.0.0/16"), net("10.2.0.0/16"));
    let spis = (0xC0FF_EE01, 0x0A0B_0C0D);
    flow(1, 1001, path(HUB, SPOKE), 10, lan, spis, (carried(19), carried(19)));
    let all = Selector::between(AddressRange::ANY_V4, net("10.5.5.1/32"));
    let spis = (0x1234_5678, 0xFEDC_BA98);
    flow(2, 1002, path(HUB, CLIENT), 5, all, spis, (carried(189), carried(8)));
    in_order(&mut hub.flows);
    let since = [(1001, self::before(1529)), (1002, self::before(431))];
    hub.peers = peers(since.into_iter(), &hub.isakmp, &hub.flows);
    hub
}

/// The reference spoke, in the middle of a rekey.
fn new_spoke() -> Snapshot {
    let mut spoke = snapshot(
        include_str!("../../../../examples/spoke.cfg"),
        vec![
            interface(2, "FastEthernet0/0", Some("10.100.2.102/24"), AddressedBy::Dhcp),
            interface(3, "FastEthernet0/1", Some("10.2.2.2/24"), AddressedBy::Configuration),
            interface(4, "ATM1/0", None, AddressedBy::Nothing),
        ],
    );
    let mut default = Route::new("0.0.0.0/0".parse().unwrap());
    (default.gateway, default.interface, default.metric) = (Some("10.100.2.3".parse().unwrap()), 2, 1);
    spoke.routes.push(default);
    spoke.isakmp = vec![Arc::new(IsakmpView { dpd: true, ..isakmp(1001, path(SPOKE, HUB), true, 15_343) })];
    let service = Service::entry("mymap", 10);
    let selector = Selector::between(net("10.2.0.0/16"), net("10.1.0.0/16"));
    let path = path(SPOKE, HUB);
    let old = pair(3, 1001, path, &service, selector, (0x100, 0x200), (carried(5), carried(6)));
    let old = Pair { view: Arc::new(ChildView { superseded: true, ..(*old.view).clone() }), ..old };
    let new = pair(4, 1001, path, &service, selector, (0x300, 0x400), (carried(1), carried(2)));
    let before = Traffic { inbound: carried(100), outbound: carried(200) };
    let acl = ("100".to_string(), selector);
    spoke.hits = [(acl, 300)].into();
    spoke.lockouts = locked_out();
    spoke.flows =
        vec![Flow { service, selector, path, peer: 1001, before, pulse: None, pairs: vec![old, new] }];
    spoke.peers = peers([(1001, self::before(1529))].into_iter(), &spoke.isakmp, &spoke.flows);
    spoke
}

/// The spoke before anything was sent.
fn new_idle() -> Snapshot {
    let spoke = new_spoke();
    Snapshot { isakmp: Vec::new(), flows: Vec::new(), peers: BTreeMap::new(), ..spoke }
}

/// A router that filters and translates.
pub(super) fn new_router() -> Snapshot {
    let filters = "\
ip access-list extended OUTSIDE-IN
 permit tcp any host 203.0.113.10 eq www
 permit esp any host 203.0.113.2
 deny ip any any log
access-list 1 permit 10.1.1.0 0.0.0.255
access-list 2 permit 10.2.0.0 0.0.255.255
access-list 3 permit 172.16.10.0 0.0.0.255
route-map DMZ permit 10
 match ip address 3
 set ip next-hop 203.0.113.9
object-group network BRANCHES
 host 10.2.0.1
 10.3.0.0 255.255.0.0
time-range WORK
 periodic weekdays 8:00 to 17:00
interface GigabitEthernet0/0
 ip access-group OUTSIDE-IN in
 ip verify unicast reverse-path 1
 no ip redirects
 no ip unreachables
 no ip proxy-arp
interface GigabitEthernet0/1
 ip access-group 2 out
 ip policy route-map RM
 ip verify unicast source reachable-via any allow-self-ping
interface GigabitEthernet0/2
 ip directed-broadcast 1
 no ip proxy-arp
 ip policy route-map DMZ
";
    let mut router = snapshot(
        &[translations::tests::CONFIG, filters].concat(),
        vec![
            interface(2, "GigabitEthernet0/0", Some("203.0.113.2/24"), AddressedBy::Configuration),
            interface(3, "GigabitEthernet0/1", Some("10.1.1.1/24"), AddressedBy::Configuration),
            interface(4, "GigabitEthernet0/2", Some("172.16.10.1/24"), AddressedBy::Configuration),
        ],
    );
    router.translations.connections = Some(translations::tests::listing());
    router.translations.held = Some(translations::tests::holdings());
    let list = router.parsed.config.acls.iter().find(|list| list.name == "OUTSIDE-IN").unwrap();
    let counters = counter::names(list).into_iter().flatten();
    let counted = counters.zip([1, 0, 1234]);
    let counted = counted.chain([(counter::of_entry("DMZ", 10), 17)]);
    router.filtered =
        counted.map(|(name, packets)| (name, Counted { packets, bytes: packets * 60 })).collect();
    router
}

static SHARED: LazyLock<[Arc<Snapshot>; 4]> =
    LazyLock::new(|| [new_hub(), new_spoke(), new_idle(), new_router()].map(Arc::new));

static DESK: LazyLock<Desk> = LazyLock::new(crate::views::tests::desk);

/// The reference hub with its spoke and a client.
pub(super) fn hub() -> Arc<Snapshot> {
    Arc::clone(&SHARED[0])
}

/// The reference spoke, in the middle of a rekey.
pub(super) fn spoke() -> Arc<Snapshot> {
    Arc::clone(&SHARED[1])
}

/// The spoke before anything was sent.
pub(super) fn idle() -> Arc<Snapshot> {
    Arc::clone(&SHARED[2])
}

/// A router that filters and translates.
pub(super) fn router() -> Arc<Snapshot> {
    Arc::clone(&SHARED[3])
}

/// What a command answers on a gateway, for a caller with a privilege.
pub(super) fn answer(line: &str, snapshot: impl Into<Arc<Snapshot>>, privilege: u8) -> Output {
    let (row, arguments) =
        table::find(line, PRIVILEGED).unwrap_or_else(|refusal| panic!("{line}: {refusal}"));
    let Run::Show(show) = row.run else { panic!("{line} shows nothing") };
    let caller = Caller { privilege, format: Format::Modern, line: Some(LineName::Vty(0)) };
    show(&Context { snapshot: snapshot.into(), caller, desk: DESK.clone() }, &arguments)
}

fn shown(line: &str, snapshot: impl Into<Arc<Snapshot>>) -> Box<dyn Shown> {
    answer(line, snapshot, PRIVILEGED).unwrap_or_else(|refusal| panic!("{line}: {refusal}"))
}

/// The text of an answer.
pub(super) fn text_of(shown: &dyn Shown, format: Format) -> String {
    let mut out = Vec::new();
    shown.text(format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The JSON of an answer to a command.
pub(super) fn json_of(shown: &dyn Shown, line: &str) -> String {
    let mut out = Vec::new();
    shown.json(line, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// A command's text.
pub(super) fn text(line: &str, snapshot: impl Into<Arc<Snapshot>>, format: Format) -> String {
    text_of(&*shown(line, snapshot), format)
}

/// A command's JSON.
pub(super) fn json(line: &str, snapshot: impl Into<Arc<Snapshot>>) -> String {
    json_of(&*shown(line, snapshot), line)
}

/// The first line that differs between what is kept and what is made.
pub(super) fn difference(kept: &str, made: &str) -> String {
    let (mut old, mut new) = (kept.lines(), made.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) if old == new => {}
            (old, new) => {
                let line = |line: Option<&str>| line.map_or("(ends)".to_string(), |line| format!("`{line}`"));
                return format!("line {number}\n  old: {}\n  new: {}", line(old), line(new));
            }
        }
    }
    "the end of a line".into()
}
