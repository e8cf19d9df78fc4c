//! Every `show` command's text in both layouts, and its JSON, compared with files in `golden/`; and
//! what the acceptance rows require of them. `HUBWARD_BLESS=1` writes the files again: review the
//! difference.

use super::table::{self, ROWS, Run};
use crate::base::console_lines::{LineName, UserLine};
use crate::base::format::Format;
use crate::dataplane::offload::Offloads;
use crate::exec::command::{Caller, Context};
use crate::exec::layout::Shown;
use crate::guard::View;
use crate::guard::granted::{Granted, place};
use crate::guard::rules::{Guarded, Here, rules};
use crate::log::buffer::Logged;
use crate::log::line::LogLine;
use crate::machine::view::{AddressedBy, InterfaceView, Static};
use crate::manage::desk::PRIVILEGED;
use crate::views::snapshot::{Carried, Dropped, Flow, Pair, Snapshot, Traffic, in_order, peers};
use crate::why::failure::{Cause, Failure};
use hubward_config::Parsed;
use hubward_crypto::secret::Secret;
use hubward_crypto::suite::{DhGroup, EspAuth, EspCipher, EspSuite, HashAlg, IkeCipher};
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
use std::path::PathBuf;
use std::sync::Arc;
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

fn interface(index: u32, name: &str, net: Option<&str>, addressing: AddressedBy) -> InterfaceView {
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

fn snapshot(config: &str, interfaces: Vec<InterfaceView>) -> Snapshot {
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
        in_use: BTreeSet::new(),
        hits: BTreeMap::new(),
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
        told: crate::log::logging::Told { dropped: 0, console: 2, monitor: 1, trap: 1 },
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
                }],
                nearest: Some((
                    Phase1Offer {
                        encryption: Some((7, Some(256))),
                        hash: Some(2),
                        method: Some(1),
                        group: Some(2),
                        seconds: Some(86_400),
                    },
                    10,
                    Phase1Difference::Encryption,
                )),
            }))),
            identity: None,
            solved: None,
        }],
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

/// The reference hub with its spoke and a client.
fn hub() -> Snapshot {
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
fn spoke() -> Snapshot {
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
    spoke.flows = vec![Flow { service, selector, path, peer: 1001, before, pairs: vec![old, new] }];
    spoke.peers = peers([(1001, self::before(1529))].into_iter(), &spoke.isakmp, &spoke.flows);
    spoke
}

/// The spoke before anything was sent.
fn idle() -> Snapshot {
    let spoke = spoke();
    Snapshot { isakmp: Vec::new(), flows: Vec::new(), peers: BTreeMap::new(), ..spoke }
}

fn shown(line: &str, snapshot: Snapshot) -> Box<dyn Shown> {
    let (row, arguments) =
        table::find(line, PRIVILEGED).unwrap_or_else(|refusal| panic!("{line}: {refusal}"));
    let caller = Caller { privilege: PRIVILEGED, format: Format::Modern, line: Some(LineName::Vty(0)) };
    let context = Context { snapshot: Arc::new(snapshot), caller, desk: crate::views::tests::desk() };
    let Run::Show(show) = row.run else { panic!("{line} shows nothing") };
    show(&context, &arguments).unwrap_or_else(|refusal| panic!("{line}: {refusal}"))
}

fn text(line: &str, snapshot: Snapshot, format: Format) -> String {
    let mut out = Vec::new();
    shown(line, snapshot).text(format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(line: &str, snapshot: Snapshot) -> String {
    let mut out = Vec::new();
    shown(line, snapshot).json(line, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Every `show` command without its options.
fn plain() -> Vec<&'static str> {
    let shows = ROWS.iter().filter(|row| matches!(row.run, Run::Show(_)));
    shows.map(|row| row.form.split_once(" [").map_or(row.form, |(plain, _)| plain)).collect()
}

/// Options that change the output.
const WITH_OPTIONS: [&str; 15] = [
    "show crypto isakmp sa detail",
    "show crypto ipsec sa detail",
    "show crypto session detail",
    "show crypto session brief",
    "show ip interface brief",
    "show crypto ipsec sa peer 10.100.2.102",
    "show crypto ipsec sa interface FastEthernet0/0",
    "show crypto ipsec sa map mymap detail",
    "show crypto session remote 10.51.82.100 detail",
    "show crypto session username gfullage",
    "show crypto map interface FastEthernet0/1",
    "show ip interface FastEthernet0/0",
    "show interfaces FastEthernet0/1",
    "show running-config interface FastEthernet0/0",
    "show access-lists 100",
];

/// Its text names this machine.
const OF_THE_MACHINE: &str = "show version";

#[test]
fn every_command_is_laid_out_as_written_down() {
    let commands = plain()
        .into_iter()
        .chain(WITH_OPTIONS)
        .filter(|command| command.starts_with("show") && *command != OF_THE_MACHINE);
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/exec/golden");
    let bless = std::env::var_os("HUBWARD_BLESS").is_some();
    let mut wrong = Vec::new();
    for command in commands {
        for (name, gateway) in [("hub", hub as fn() -> Snapshot), ("spoke", spoke), ("idle", idle)] {
            let modern = text(command, gateway(), Format::Modern);
            let classic = text(command, gateway(), Format::Classic);
            let differs = if classic == modern { None } else { Some(classic) };
            let rows = json(command, gateway());
            // an idle spoke is of interest where tunnels are
            if name == "idle" && !command.contains("crypto") {
                continue;
            }
            let place = folder.join(name);
            let file = command.replace([' ', '/'], "_");
            for (kind, made) in [("modern", Some(modern)), ("classic", differs), ("json", Some(rows))] {
                let path = place.join(format!("{file}.{kind}"));
                if bless {
                    std::fs::create_dir_all(&place).unwrap();
                    match &made {
                        Some(made) => std::fs::write(&path, made).unwrap(),
                        None => drop(std::fs::remove_file(&path)),
                    }
                } else if std::fs::read_to_string(&path).ok() != made {
                    wrong.push(format!("{}:\n{}", path.display(), made.unwrap_or_default()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} outputs are others now:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_json_is_a_document_of_rows() {
    for command in plain() {
        let document: serde_json::Value = serde_json::from_str(&json(command, hub())).unwrap();
        assert_eq!((&document["show"], &document["version"]), (&command.into(), &1.into()));
        assert!(document["rows"].is_array(), "{command}");
    }
}

/// Every field is explained in the document that promises to keep it.
#[test]
fn every_field_is_documented() {
    fn names(value: &serde_json::Value, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                found.extend(fields.keys().cloned());
                fields.values().for_each(|value| names(value, found));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| names(value, found)),
            _ => {}
        }
    }
    let document = include_str!("../../../../docs/show-json.md");
    let sections: Vec<_> = document.split("\n## ").skip(1).filter_map(|text| text.split_once('\n')).collect();
    for command in plain().into_iter().filter(|command| command.starts_with("show")) {
        let about = sections.iter().find(|(title, _)| title.split(", ").any(|name| name == command));
        let (_, about) = about.unwrap_or_else(|| panic!("{command} is not documented"));
        let mut fields = BTreeSet::new();
        for gateway in [hub, spoke, idle] {
            let rows: serde_json::Value = serde_json::from_str(&json(command, gateway())).unwrap();
            if command == OF_THE_MACHINE {
                // the kinds of interfaces are keys too
                fields.extend(rows["rows"][0].as_object().unwrap().keys().cloned());
            } else {
                names(&rows["rows"], &mut fields);
            }
        }
        // a dynamic map's terms are explained with the crypto map's
        let terms = sections.iter().find(|(title, _)| *title == "show crypto map").unwrap().1;
        let missing: Vec<_> = fields
            .iter()
            .filter(|field| {
                let name = format!("`{field}`");
                let elsewhere = command == "show crypto dynamic-map" && terms.contains(&name);
                !about.contains(&name) && !elsewhere
            })
            .collect();
        assert!(missing.is_empty(), "{command}: {missing:?}");
    }
}

/// A12.
#[test]
fn a12_the_spokes_outside_interface() {
    for format in [Format::Modern, Format::Classic] {
        let text = text("show ip interface f0/0", spoke(), format);
        assert!(text.starts_with(
            "FastEthernet0/0 is up, line protocol is up\n  Internet address is 10.100.2.102/24\n  \
             Broadcast address is 255.255.255.255\n  Address determined by DHCP\n"
        ));
    }
}

/// A13, A14.
#[test]
fn a13_two_isakmp_sas_in_detail() {
    let text = text("show crypto isakmp sa detail", hub(), Format::Classic);
    let rows: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let lifetime =
        |seconds: u64| format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let (first, second) = (lifetime(15_343), lifetime(19_918));
    let spoke = vec!["1", "10.48.67.181", "10.100.2.102", "3des", "sha", "psk", "2", first.as_str()];
    let client = vec!["2", "10.48.67.181", "10.51.82.100", "3des", "sha", "2", second.as_str(), "CX"];
    assert!(rows.ends_with(&[spoke, client]), "{text}");
}

/// A15 to A18.
#[test]
fn a15_two_flows_with_their_sas() {
    let classic = text("show crypto ipsec sa", hub(), Format::Classic);
    let words: Vec<_> =
        classic.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for expected in [
        "interface: FastEthernet0/0",
        "Crypto map tag: mymap, local addr. 10.48.67.181",
        "local ident (addr/mask/prot/port): (0.0.0.0/0.0.0.0/0/0)",
        "remote ident (addr/mask/prot/port): (10.5.5.1/255.255.255.255/0/0)",
        "current_peer: 10.51.82.100:500",
        "local ident (addr/mask/prot/port): (10.1.0.0/255.255.0.0/0/0)",
        "remote ident (addr/mask/prot/port): (10.2.0.0/255.255.0.0/0/0)",
        "current_peer: 10.100.2.102:500",
        "#pkts encaps: 19, #pkts encrypt: 19, #pkts digest 19",
        "#pkts decaps: 189, #pkts decrypt: 189, #pkts verify 189",
        "path mtu 1500, ip mtu 1500",
        "transform: esp-3des esp-sha-hmac ,",
        "in use settings ={Tunnel, }",
        "IV size: 8 bytes",
        "replay detection support: Y",
        "current outbound spi: FEDCBA98",
        "sa timing: remaining key lifetime (k/sec): (4607962/2071)",
    ] {
        assert!(words.iter().any(|line| line == expected), "{expected}\n{classic}");
    }
}

/// A18: the SPIs in hexadecimal and decimal are the same number, and the current outbound one is an
/// outbound SA's.
#[test]
fn a18_spis_agree() {
    for gateway in [hub, spoke] {
        let text = text("show crypto ipsec sa", gateway(), Format::Modern);
        let mut current = None;
        let mut outbound = false;
        let mut seen = 0;
        for line in text.lines().map(str::trim) {
            outbound = (outbound || line == "outbound esp sas:") && line != "inbound esp sas:";
            let spi = |text: &str| {
                let (hex, decimal) = text.strip_prefix("0x").unwrap().split_once('(').unwrap();
                let number = u32::from_str_radix(hex, 16).unwrap();
                assert_eq!(number.to_string(), decimal.trim_end_matches(')'));
                number
            };
            if let Some(text) = line.strip_prefix("current outbound spi: ") {
                current = Some(spi(text));
            } else if let Some(text) = line.strip_prefix("spi: ") {
                let spi = spi(text);
                seen += usize::from(outbound && Some(spi) == current);
            }
        }
        assert_eq!(seen, gateway().flows.len(), "{text}");
    }
}

/// A32: connection ids of ESP start with 2000 inbound and 2001 outbound.
#[test]
fn a32_connection_ids() {
    let text = text("show crypto ipsec sa", hub(), Format::Classic);
    let mut ids: Vec<_> = text.lines().filter(|line| line.contains("conn id")).map(str::trim).collect();
    // the client's flow comes first, as in the document: its entry of the dynamic map does
    assert!(ids[0].contains("conn id: 2002"), "{text}");
    ids.sort_unstable();
    assert_eq!(
        ids,
        [
            "slot: 0, conn id: 2000, flow_id: 1, crypto map: mymap",
            "slot: 0, conn id: 2001, flow_id: 2, crypto map: mymap",
            "slot: 0, conn id: 2002, flow_id: 3, crypto map: mymap",
            "slot: 0, conn id: 2003, flow_id: 4, crypto map: mymap",
        ]
    );
}

/// A39.
#[test]
fn a39_the_next_hop_of_no_connected_network() {
    let text = text("show ip route", hub(), Format::Modern);
    assert!(text.contains("Gateway of last resort is 10.48.66.181 to network 0.0.0.0"), "{text}");
    assert!(text.contains("\nS*    0.0.0.0/0 [1/0] via 10.48.66.181, FastEthernet0/0\n"), "{text}");
}

/// A route of the configuration that is not used is reported, with the reason.
#[test]
fn a_route_that_is_not_used() {
    let mut hub = hub();
    let mut hidden = hub.statics[0].clone();
    (hidden.route.destination, hidden.distance) = ("10.9.0.0/16".parse().unwrap(), 5);
    hidden.hidden = Some("that network is connected".into());
    hub.statics = Arc::new(vec![hidden]);
    let text = text("show ip route", hub, Format::Modern);
    assert!(text.ends_with("\n\n10.9.0.0/16 [5/0] is not used: that network is connected\n"), "{text}");
}

#[test]
fn the_version_claims_nothing_of_ciscos() {
    let text = text("show version", hub(), Format::Modern);
    assert!(text.starts_with("Hubward Software, Version "), "{text}");
    assert!(text.contains("\nHub uptime is 1 hour, 0 minutes\n"), "{text}");
    assert!(text.contains("\n2 FastEthernet interfaces\n"), "{text}");
    for word in ["cisco", "ios ", "techsupport", "copyright"] {
        assert!(!text.to_lowercase().contains(word), "{word}: {text}");
    }
}

/// All child SAs of a flow count, including those that were deleted; the newest is the current one.
#[test]
fn a_renewal_loses_no_packet() {
    let text = text("show crypto ipsec sa", spoke(), Format::Modern);
    assert!(text.contains("#pkts encaps: 208, "), "{text}");
    assert!(text.contains("#pkts decaps: 106, "), "{text}");
    assert!(text.contains("current outbound spi: 0x400(1024)"), "{text}");
    let text = self::text("show access-lists", spoke(), Format::Modern);
    assert!(text.contains("10.1.0.0 0.0.255.255 (314 matches)"), "{text}");
}

/// Below privilege 15 no rendering function gives a secret, whatever the table says.
#[test]
fn secrets_need_privilege_15() {
    let secrets = ["cisco123", "cisco321", "0201024E070A0E2649", "121A0C041104"];
    for command in plain().into_iter().chain(WITH_OPTIONS) {
        let (row, arguments) = table::find(command, PRIVILEGED).unwrap();
        let Run::Show(show) = row.run else { panic!("{command} shows nothing") };
        for privilege in [1, 14, 15] {
            let caller = Caller { privilege, format: Format::Modern, line: None };
            let context = Context { snapshot: Arc::new(hub()), caller, desk: crate::views::tests::desk() };
            let Ok(shown) = show(&context, &arguments) else { continue };
            let mut out = Vec::new();
            shown.text(Format::Modern, &mut out).unwrap();
            shown.json(row.form, &mut out).unwrap();
            let out = String::from_utf8(out).unwrap();
            let found = secrets.iter().any(|secret| out.contains(secret));
            let may = privilege == 15 && row.privilege == 15;
            assert!(!found || may, "{command} at privilege {privilege}:\n{out}");
        }
    }
    let key = self::text("show crypto isakmp key", hub(), Format::Modern);
    assert!(key.contains("spokes       0.0.0.0        [0.0.0.0        ]            cisco123\n"), "{key}");
}

/// `show running-config` begins and ends as collectors of configurations expect, and counts its
/// bytes.
#[test]
fn the_running_configuration_is_framed_as_on_ios() {
    let text = text("show running-config", hub(), Format::Modern);
    let rest = text.strip_prefix("Building configuration...\n\nCurrent configuration : ").unwrap();
    let (bytes, config) = rest.split_once(" bytes\n").unwrap();
    let config = config.strip_suffix('\n').unwrap();
    assert_eq!(config.len().to_string(), bytes);
    assert!(config.ends_with("\nend\n"));
    assert_eq!(hubward_config::parse(config).config, hub().parsed.config);
}

/// The log is shown while logging is on, each line as IOS writes it.
#[test]
fn the_log_is_shown() {
    let views = vec![interface(2, "FastEthernet0/0", None, AddressedBy::Nothing)];
    let text = text("show logging", snapshot("hostname R\n", views), Format::Modern);
    assert!(text.starts_with("Syslog logging: enabled ("), "{text}");
    let lines = "Log Buffer (65536 bytes):\n\nNov 23 09:11:47.123: %CRYPTO-6-ISAKMP_ON_OFF: ISAKMP is ON\n\
                 Nov 23 09:11:47.123: %CRYPTO-5-SESSION_STATUS: Crypto tunnel 1 is up\\u{1b}[2J\n";
    assert!(text.ends_with(lines), "{text}");
}

/// What comes from a peer or a log line cannot steer a terminal.
#[test]
fn no_output_steers_a_terminal() {
    let mut hub = hub();
    let mut evil = (*hub.isakmp[1]).clone();
    evil.user = Some(Untrusted::new("a\u{1b}[2Jb\nc"));
    evil.identity = Some(Untrusted::new(b"\x9b\xff\x07".to_vec()));
    hub.isakmp[1] = Arc::new(evil);
    let hub = Arc::new(hub);
    for command in plain().into_iter().chain(WITH_OPTIONS) {
        let (row, arguments) = table::find(command, PRIVILEGED).unwrap();
        let Run::Show(show) = row.run else { panic!("{command} shows nothing") };
        let caller = Caller { privilege: 15, format: Format::Modern, line: None };
        let context = Context { snapshot: Arc::clone(&hub), caller, desk: crate::views::tests::desk() };
        let Ok(shown) = show(&context, &arguments) else { continue };
        let mut out = Vec::new();
        shown.text(Format::Modern, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert!(!out.contains(|c: char| c.is_control() && c != '\n'), "{command}:\n{out:?}");
    }
}

/// `why`: the sentence, both sides, the lines with their text, and what to do.
#[test]
fn a_failure_is_explained() {
    let expected = "\nNo common phase 1 proposal with 192.0.2.77: the closest of our policies is 10, and there the encryption differs: they offer aes 256, we want 3des.
  (4 times, the last time 2026-11-22T09:34:20.000Z)

                     they                               here
--> encryption       aes 256                            3des
    hash             sha                                sha
    authentication   pre-share                          pre-share
    group            2                                  2

  Configuration:
     27  crypto isakmp policy 10

  What to do:
  * Here: `crypto isakmp policy N` with `encryption aes 256`, `hash sha`, `authentication pre-share`, `group 2`.
  * Or there: offer encryption 3des, hash sha, group 2 as in policy 10.
";
    assert_eq!(text("why 192.0.2.77", hub(), Format::Modern), expected);
    assert_eq!(text("why", hub(), Format::Modern), expected);
    assert!(
        text("why 10.100.2.102", hub(), Format::Modern)
            .contains("10.100.2.102: up, 1 tunnel; there is nothing")
    );
    assert!(text("why nobody", hub(), Format::Modern).starts_with("Nothing is known of nobody here"));
}
