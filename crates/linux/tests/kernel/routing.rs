//! Interfaces, addresses, routes, rules, settings, the sweep and the monitor.

use crate::{Pair, Test, eventually};
use hubward_linux::marks::{CLEAR_MARK, FWMARK, Made, PROTOCOL, TABLE};
use hubward_linux::monitor::{Change, Monitor};
use hubward_linux::netns::NetNs;
use hubward_linux::owned::{self, Ledger, capture_from, capture_own, capture_rule, exemption, sweep};
use hubward_linux::route::{self, Lookup, Route, RouteKind};
use hubward_linux::rule::{self, Action, Family, Rule};
use hubward_linux::sysctl::{self, Setting};
use hubward_linux::{address, link, marks, neighbour};
use ipnet::IpNet;
use std::net::IpAddr;
use std::process::Command;

pub(crate) fn tests() -> Vec<Test> {
    vec![
        ("routing::namespaces_are_apart_and_programs_start_in_them", namespaces),
        ("routing::links_are_made_changed_moved_and_removed", links),
        ("routing::neighbours_and_counters_tell_of_traffic", traffic),
        ("routing::addresses_are_added_adopted_and_removed", addresses),
        ("routing::routes_of_every_kind_read_back_as_written", routes),
        ("routing::onlink_next_hop_needs_no_connected_network", onlink),
        ("routing::lookup_follows_rules_marks_and_throw_routes", lookup),
        ("routing::rules_by_source_capture_what_is_not_marked", by_source),
        ("routing::rules_read_back_as_written", rules),
        ("routing::sweep_removes_exactly_what_is_ours", sweeping),
        ("routing::ledger_survives_a_crash", ledger),
        ("routing::a_link_that_was_set_down_is_up_again_at_the_end", link_state),
        ("routing::a_ledger_that_cannot_be_read_or_written_stops_nothing", broken_ledger),
        ("routing::settings_belong_to_the_namespace", settings),
        ("routing::monitor_tells_links_addresses_and_routes", monitor),
        ("routing::errors_name_operation_object_and_reason", errors),
    ]
}

fn traffic() {
    let pair = Pair::new();
    for (netlink, net) in [(&pair.netlink_a, "10.1.1.1/24"), (&pair.netlink_b, "10.1.1.2/24")] {
        let link = link::by_name(netlink, "eth0").unwrap();
        address::add(netlink, link.index, net.parse().unwrap()).unwrap();
    }
    let before = link::by_name(&pair.netlink_a, "eth0").unwrap();
    let mut ping = Command::new("ping");
    ping.args(["-c", "1", "-W", "2", "10.1.1.2"]);
    assert!(pair.a.start_in(&mut ping).unwrap().status().unwrap().success());
    let other = link::by_name(&pair.netlink_b, "eth0").unwrap();
    let found = neighbour::list(&pair.netlink_a).unwrap();
    let found = found.iter().find(|neighbour| neighbour.address == ip("10.1.1.2")).unwrap();
    assert_eq!((found.interface, found.mac), (before.index, other.mac));
    assert!(found.age < 5, "{found:?}");
    let after = link::by_name(&pair.netlink_a, "eth0").unwrap().statistics;
    assert!(after.packets_in > before.statistics.packets_in, "{after:?}");
    assert!(after.bytes_out >= before.statistics.bytes_out + 98, "{after:?}");
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn namespaces() {
    let pair = Pair::new();
    let names = |netlink| link::list(netlink).unwrap().into_iter().map(|link| link.name).collect::<Vec<_>>();
    assert_eq!(names(&pair.netlink_a), ["lo", "eth0"]);
    let empty = NetNs::create().unwrap();
    assert_eq!(names(&empty.netlink().unwrap()), ["lo"]);
    let mut command = Command::new("cat");
    command.arg("/proc/self/net/dev");
    let output = pair.a.start_in(&mut command).unwrap().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("eth0:"), "{text}");
    assert!(pair.b.path().exists());
    let inside = pair.a.run(|| std::fs::read_link("/proc/thread-self/ns/net").unwrap()).unwrap();
    assert_ne!(
        inside,
        std::fs::read_link("/proc/thread-self/ns/net").unwrap(),
        "only the other thread moved"
    );
    assert_eq!(
        inside,
        pair.a
            .run(|| NetNs::current()
                .unwrap()
                .run(|| std::fs::read_link("/proc/thread-self/ns/net").unwrap())
                .unwrap())
            .unwrap()
    );
}

fn links() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let eth0 = link::by_name(netlink, "eth0").unwrap();
    assert!(eth0.up && !eth0.loopback && eth0.mac.is_some());
    assert_eq!(eth0.kind.as_deref(), Some("veth"));
    eventually("carrier", || link::by_index(netlink, eth0.index).unwrap().running.then_some(()));
    link::set_mtu(netlink, eth0.index, 1400).unwrap();
    assert_eq!(link::by_index(netlink, eth0.index).unwrap().mtu, 1400);
    link::set_up(netlink, eth0.index, false).unwrap();
    assert!(!link::by_index(netlink, eth0.index).unwrap().up);
    link::rename(netlink, eth0.index, "wan0").unwrap();
    assert!(link::by_name(netlink, "eth0").unwrap_err().is_not_found());
    link::create_veth(netlink, "lan0", "lan1", None).unwrap();
    link::create_bridge(netlink, "br0").unwrap();
    let index = |name| link::by_name(netlink, name).unwrap().index;
    link::set_bridge(netlink, index("lan0"), index("br0")).unwrap();
    assert_eq!(link::by_name(netlink, "br0").unwrap().kind.as_deref(), Some("bridge"));
    link::move_to(netlink, index("lan0"), &pair.b).unwrap();
    assert_eq!(link::by_name(&pair.netlink_b, "lan0").unwrap().kind.as_deref(), Some("veth"));
    link::delete(netlink, index("wan0")).unwrap();
    assert!(link::by_name(&pair.netlink_b, "eth0").unwrap_err().is_not_found(), "a veth goes with its peer");
    link::create_veth(netlink, "v0", "v1", None).unwrap();
    assert!(link::create_veth(netlink, "v0", "v2", None).unwrap_err().is_already_there());
    assert_eq!(pair.a.run(|| link::index_of("v1").unwrap()).unwrap(), index("v1"));
}

fn addresses() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let eth0 = link::by_name(netlink, "eth0").unwrap().index;
    assert_eq!(address::add(netlink, eth0, net("10.1.1.1/24")).unwrap(), Made::New);
    assert_eq!(address::add(netlink, eth0, net("10.1.1.1/24")).unwrap(), Made::AlreadyThere);
    assert_eq!(address::add(netlink, eth0, net("10.1.1.2/31")).unwrap(), Made::New);
    assert_eq!(address::add(netlink, eth0, net("2001:db8::1/64")).unwrap(), Made::New);
    let ours =
        |wanted: IpNet| address::list(netlink).unwrap().into_iter().find(|address| address.net == wanted);
    let found = ours(net("10.1.1.1/24")).unwrap();
    assert_eq!((found.interface, found.protocol, found.label.as_deref()), (eth0, PROTOCOL, Some("eth0")));
    assert_eq!(ours(net("2001:db8::1/64")).unwrap().interface, eth0);
    address::remove(netlink, eth0, net("10.1.1.1/24")).unwrap();
    assert_eq!(ours(net("10.1.1.1/24")), None);
    assert!(address::remove(netlink, eth0, net("10.1.1.1/24")).unwrap_err().is_not_found());
}

fn routes() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let eth0 = link::by_name(netlink, "eth0").unwrap().index;
    let via = Route { gateway: Some(ip("192.0.2.2")), interface: eth0, ..Route::new(net("10.2.0.0/16")) };
    let mut written = vec![
        via.clone(),
        Route { metric: 200, mtu: Some(1300), source: Some(ip("192.0.2.1")), ..via.clone() },
        Route { interface: eth0, ..Route::new(net("10.3.0.0/16")) },
        Route { gateway: Some(ip("192.0.2.2")), interface: eth0, ..Route::new(net("0.0.0.0/0")) },
    ];
    for (number, kind) in
        [RouteKind::Throw, RouteKind::Unreachable, RouteKind::Blackhole, RouteKind::Prohibit]
            .into_iter()
            .enumerate()
    {
        let destination = IpNet::new(ip(&format!("10.4.{number}.0")), 24).unwrap();
        written.push(Route { kind, table: TABLE, ..Route::new(destination) });
    }
    for route in &written {
        assert_eq!(route::add(netlink, route).unwrap(), Made::New, "{route:?}");
        assert_eq!(route::add(netlink, route).unwrap(), Made::AlreadyThere, "{route:?}");
    }
    let listed = || -> Vec<Route> {
        route::list(netlink).unwrap().into_iter().filter(|route| route.protocol == PROTOCOL).collect()
    };
    let found = listed();
    assert_eq!(found.len(), written.len());
    for route in &written {
        assert!(found.contains(route), "{route:?} is not in {found:?}");
    }
    let replaced = Route { interface: eth0, table: TABLE, ..Route::new(net("10.4.0.0/24")) };
    route::replace(netlink, &replaced).unwrap();
    assert!(listed().contains(&replaced) && !listed().iter().any(|route| route.kind == RouteKind::Throw));
    for route in listed() {
        route::remove(netlink, &route).unwrap();
    }
    assert!(listed().is_empty());
    assert!(route::remove(netlink, &via).unwrap_err().is_not_found());
    let connected =
        route::list(netlink).unwrap().into_iter().find(|route| route.destination == net("192.0.2.0/24"));
    assert_eq!(connected.unwrap().protocol, libc_rtprot_kernel(), "other routes are left alone");
}

/// `RTPROT_KERNEL` of linux/rtnetlink.h.
fn libc_rtprot_kernel() -> u8 {
    2
}

fn onlink() {
    let pair = Pair::new();
    let eth0 = link::by_name(&pair.netlink_a, "eth0").unwrap().index;
    let route = Route { gateway: Some(ip("203.0.113.9")), interface: eth0, ..Route::new(net("10.9.0.0/16")) };
    let error = route::add(&pair.netlink_a, &route).unwrap_err().to_string();
    assert!(error.contains("10.9.0.0/16 via 203.0.113.9") && error.contains("invalid gateway"), "{error}");
    let route = Route { onlink: true, ..route };
    assert_eq!(route::add(&pair.netlink_a, &route).unwrap(), Made::New);
    assert!(route::list(&pair.netlink_a).unwrap().contains(&route));
}

fn lookup() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let eth0 = link::by_name(netlink, "eth0").unwrap().index;
    let way = |destination: &str, mark| {
        route::lookup(netlink, ip(destination), Lookup { mark, ..Lookup::default() })
    };
    assert!(way("10.2.2.1", 0).unwrap_err().to_string().contains("find a route to 10.2.2.1"));
    let default = Route { gateway: Some(ip("192.0.2.2")), interface: eth0, ..Route::new(net("0.0.0.0/0")) };
    route::add(netlink, &default).unwrap();
    let found = way("10.2.2.1", 0).unwrap();
    assert_eq!(
        (found.interface, found.gateway, found.source),
        (eth0, default.gateway, Some(ip("192.0.2.1")))
    );
    // the captured prefix 10.0.0.0/8 leaves by a tunnel (here the loopback), but for 10.2.2.0/24,
    // which is thrown back
    rule::add(netlink, &capture_rule(Family::V4)).unwrap();
    route::add(netlink, &Route { interface: 1, table: TABLE, ..Route::new(net("10.0.0.0/8")) }).unwrap();
    let throw = Route { kind: RouteKind::Throw, table: TABLE, ..Route::new(net("10.2.2.0/24")) };
    route::add(netlink, &throw).unwrap();
    assert_eq!(way("10.1.1.1", 0).unwrap().interface, 1);
    assert_eq!(way("10.1.1.1", FWMARK).unwrap().interface, eth0);
    assert_eq!(way("10.2.2.1", 0).unwrap().interface, eth0);
}

fn by_source() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    pair.a.run(|| sysctl::set(&Setting::IpForward, "1").unwrap()).unwrap();
    let eth0 = link::by_name(netlink, "eth0").unwrap().index;
    let default = Route { gateway: Some(ip("192.0.2.2")), interface: eth0, ..Route::new(net("0.0.0.0/0")) };
    route::add(netlink, &default).unwrap();
    let (table, source) = (TABLE + 1, Some(net("10.1.0.0/16")));
    // here the tunnel is the loopback
    route::add(netlink, &Route { interface: 1, table, ..Route::new(net("10.2.0.0/16")) }).unwrap();
    let mut all = exemption(Family::V4).to_vec();
    all.extend([capture_from(source, Family::V4, table), capture_own(Family::V4, table)]);
    for rule in &all {
        assert_eq!(rule::add(netlink, rule).unwrap(), Made::New, "{rule:?}");
    }
    // from a host (`None`: from this machine, which does not know its source yet), its mark, and by
    // which link it leaves
    let rows = [
        (Some("10.1.9.9"), 0, 1),
        (Some("10.1.9.9"), 0x1_0000, 1),
        (Some("10.1.9.9"), FWMARK, eth0),
        (Some("10.1.9.9"), CLEAR_MARK, eth0),
        (Some("172.16.1.1"), 0, eth0),
        (None, 0, 1),
        (None, FWMARK, eth0),
    ];
    for (source, mark, wanted) in rows {
        let arrived_by = if source.is_some() { eth0 } else { 0 };
        let how = Lookup { source: source.map(ip), mark, arrived_by };
        assert_eq!(
            route::lookup(netlink, ip("10.2.1.1"), how).unwrap().interface,
            wanted,
            "{source:?} {mark:#x}"
        );
    }
    let swept = sweep(netlink, &mut Ledger::in_memory()).unwrap();
    assert_eq!((swept.failed.len(), swept.removed.len()), (0, all.len() + 2), "{swept:?}");
    assert!(!rule::list(netlink).unwrap().iter().any(|rule| rule.protocol == PROTOCOL));
}

fn rules() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let before = rule::list(netlink).unwrap();
    assert!(before.iter().any(|rule| rule.priority == 32_766 && rule.table == route::MAIN));
    let [behind, marked] = exemption(Family::V4);
    let written = [
        capture_rule(Family::V4),
        capture_rule(Family::V6),
        Rule { priority: 11_180, ..behind },
        Rule { priority: 11_170, action: Action::Goto(11_180), ..marked },
        Rule {
            source: Some(net("10.0.0.0/8")),
            destination: Some(net("10.9.0.0/16")),
            arrived_by: Some("eth0".to_owned()),
            ..Rule::new(Family::V4, marks::RULE_PRIORITY + 5, TABLE + 1)
        },
    ];
    for rule in &written {
        assert_eq!(rule::add(netlink, rule).unwrap(), Made::New);
        assert_eq!(rule::add(netlink, rule).unwrap(), Made::AlreadyThere);
    }
    let listed = rule::list(netlink).unwrap();
    assert_eq!(listed.len(), before.len() + written.len());
    for rule in &written {
        assert!(listed.contains(rule), "{rule:?} is not in {listed:?}");
        rule::remove(netlink, rule).unwrap();
    }
    assert_eq!(rule::list(netlink).unwrap(), before);
}

fn sweeping() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let eth0 = link::by_name(netlink, "eth0").unwrap().index;
    let script = "ip address add 10.9.9.1/24 dev eth0 && ip route add 10.5.0.0/16 via 192.0.2.2 && \
                  ip rule add priority 11105 table 77 && ip rule add priority 90 fwmark 0x4857 table 11100";
    let mut command = Command::new("sh");
    command.args(["-ec", script]);
    assert!(
        pair.a.start_in(&mut command).unwrap().status().unwrap().success(),
        "iproute2 is needed for this test"
    );
    let state =
        || (address::list(netlink).unwrap(), route::list(netlink).unwrap(), rule::list(netlink).unwrap());
    let before = state();
    assert_eq!(address::add(netlink, eth0, net("192.0.2.1/24")).unwrap(), Made::AlreadyThere);
    address::add(netlink, eth0, net("10.1.1.1/24")).unwrap();
    route::add(netlink, &Route { gateway: Some(ip("192.0.2.2")), ..Route::new(net("10.6.0.0/16")) }).unwrap();
    route::add(netlink, &Route { kind: RouteKind::Throw, table: TABLE, ..Route::new(net("10.7.0.0/16")) })
        .unwrap();
    rule::add(netlink, &capture_rule(Family::V4)).unwrap();
    rule::add(netlink, &capture_rule(Family::V6)).unwrap();
    let swept = sweep(netlink, &mut Ledger::in_memory()).unwrap();
    assert_eq!(state(), before);
    assert_eq!(swept.failed, Vec::<String>::new());
    assert_eq!(swept.removed.len(), 5, "{swept:?}");
    assert_eq!(sweep(netlink, &mut Ledger::in_memory()).unwrap(), owned::Swept::default());
}

fn ledger() {
    let pair = Pair::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let netlink = &pair.netlink_a;
    let has = |wanted: &str| address::list(netlink).unwrap().iter().any(|address| address.net == net(wanted));
    pair.a
        .run(|| {
            let mut ledger = Ledger::open(&path).0;
            assert!(ledger.is_empty());
            assert_eq!(ledger.add_address(netlink, "eth0", net("192.0.2.1/24")).unwrap(), Made::AlreadyThere);
            assert_eq!(ledger.add_address(netlink, "eth0", net("10.1.1.1/24")).unwrap(), Made::New);
            assert_eq!(ledger.add_address(netlink, "eth0", net("10.1.2.1/24")).unwrap(), Made::New);
            ledger.remove_address(netlink, "eth0", net("10.1.2.1/24")).unwrap();
            ledger.remove_address(netlink, "eth0", net("192.0.2.1/24")).unwrap();
            assert!(has("192.0.2.1/24"), "an adopted address stays");
            ledger.set(Setting::IpForward, "1").unwrap();
            ledger.set(Setting::RpFilter("eth0".to_owned()), "2").unwrap();
            // and here it is killed
        })
        .unwrap();
    assert!(has("10.1.1.1/24") && !has("10.1.2.1/24") && path.exists());
    pair.a
        .run(|| {
            assert_eq!(sysctl::get(&Setting::IpForward).unwrap(), "1");
            let mut ledger = Ledger::open(&path).0;
            sweep(netlink, &mut ledger).unwrap();
            assert!(ledger.is_empty());
            assert_eq!(sysctl::get(&Setting::IpForward).unwrap(), "0");
            assert_ne!(sysctl::get(&Setting::RpFilter("eth0".to_owned())).unwrap(), "2");
        })
        .unwrap();
    assert!(!has("10.1.1.1/24") && !path.exists());
}

fn link_state() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let up = |name: &str| link::by_name(netlink, name).unwrap().up;
    link::create_veth(netlink, "lan0", "lan1", None).unwrap();
    let mut ledger = Ledger::open(&path).0;
    ledger.set_link(netlink, "eth0", true).unwrap();
    assert!(ledger.is_empty(), "it was up");
    // one that was up, and one that was down before and was only used meanwhile
    ledger.set_link(netlink, "eth0", false).unwrap();
    ledger.set_link(netlink, "lan0", true).unwrap();
    ledger.set_link(netlink, "lan0", false).unwrap();
    assert!(!up("eth0") && !up("lan0") && !ledger.is_empty());
    // killed; the next run shuts the first one too, and nothing passes in between
    let mut ledger = Ledger::open(&path).0;
    owned::sweep_but(netlink, &mut ledger, &["eth0".to_owned()]).unwrap();
    assert!(!up("eth0") && !ledger.is_empty());
    // and the one after that does not
    let mut ledger = Ledger::open(&path).0;
    let swept = sweep(netlink, &mut ledger).unwrap();
    assert!(up("eth0") && !up("lan0") && ledger.is_empty() && !path.exists(), "{swept:?}");
    assert!(swept.removed.iter().any(|line| line.contains("eth0")), "{swept:?}");
    // up, down and up again: as it was
    ledger.set_link(netlink, "eth0", false).unwrap();
    ledger.set_link(netlink, "eth0", true).unwrap();
    sweep(netlink, &mut ledger).unwrap();
    assert!(up("eth0"));
    assert!(ledger.set_link(netlink, "eth9", false).unwrap_err().is_not_found());
}

fn broken_ledger() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let folder = tempfile::tempdir().unwrap();
    let has = |wanted: &str| address::list(netlink).unwrap().iter().any(|address| address.net == net(wanted));
    let aside = |folder: &std::path::Path| {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains(".broken-")).count()
    };
    let eth0 = link::by_name(netlink, "eth0").unwrap().index;
    // other bytes, half of the last line, a folder in its place: valid lines are used
    let whole = "address 10.1.1.1/24 eth0\n";
    for (number, (bytes, known)) in [
        ([whole.as_bytes(), b"\xff\xfe\0\n"].concat(), true),
        ([whole.as_bytes(), b"address 10.1.2.1/24 eth"].concat(), true),
        (vec![0; 512], false),
        (b"nothing of ours\n".to_vec(), false),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = folder.path().join(number.to_string());
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("made"), bytes).unwrap();
        address::add_as(netlink, eth0, net("10.1.1.1/24"), 0).unwrap();
        let (mut ledger, trouble) = Ledger::open(&folder.join("made"));
        let trouble = trouble.unwrap();
        assert!(trouble.contains("made.broken-") && aside(&folder) == 1, "{trouble}");
        sweep(netlink, &mut ledger).unwrap();
        assert_eq!(has("10.1.1.1/24"), !known, "{trouble}");
        if !known {
            address::remove(netlink, eth0, net("10.1.1.1/24")).unwrap();
        }
        assert!(Ledger::open(&folder.join("made")).1.is_none());
    }
    std::fs::create_dir_all(folder.path().join("dir/made/inner")).unwrap();
    let (_, trouble) = Ledger::open(&folder.path().join("dir/made"));
    assert!(trouble.unwrap().contains("Is a directory") && aside(&folder.path().join("dir")) == 1);
    // a folder that is not there: changes are made all the same, and noted once there is one
    let path = folder.path().join("later").join("made");
    let (mut ledger, trouble) = Ledger::open(&path);
    assert_eq!(trouble, None);
    assert_eq!(ledger.add_address(netlink, "eth0", net("10.1.3.1/24")).unwrap(), Made::New);
    assert!(
        has("10.1.3.1/24") && ledger.unsaved().unwrap().contains("No such file"),
        "{:?}",
        ledger.unsaved()
    );
    std::fs::create_dir(path.parent().unwrap()).unwrap();
    ledger.add_address(netlink, "eth0", net("10.1.4.1/24")).unwrap();
    assert_eq!(ledger.unsaved(), None);
    let mut ledger = Ledger::open(&path).0;
    sweep(netlink, &mut ledger).unwrap();
    assert!(!has("10.1.3.1/24") && !has("10.1.4.1/24"));
}

fn settings() {
    let (one, other) = (NetNs::create().unwrap(), NetNs::create().unwrap());
    one.run(|| assert_eq!(sysctl::set(&Setting::IpForward, "1").unwrap(), "0")).unwrap();
    one.run(|| assert_eq!(sysctl::set(&Setting::IpForward, "1").unwrap(), "1")).unwrap();
    other.run(|| assert_eq!(sysctl::get(&Setting::IpForward).unwrap(), "0")).unwrap();
    let error = one.run(|| sysctl::get(&Setting::RpFilter("eth7".to_owned())).unwrap_err()).unwrap();
    assert!(error.to_string().contains("cannot read /proc/sys/net/ipv4/conf/eth7/rp_filter"), "{error}");
}

fn monitor() {
    let pair = Pair::new();
    let netlink = &pair.netlink_a;
    let eth0 = link::by_name(netlink, "eth0").unwrap().index;
    let mut monitor = pair.a.run(Monitor::open).unwrap().unwrap();
    assert_eq!(monitor.read().unwrap(), []);
    let added = Route { gateway: Some(ip("192.0.2.2")), interface: eth0, ..Route::new(net("10.6.0.0/16")) };
    address::add(netlink, eth0, net("10.1.1.1/24")).unwrap();
    route::add(netlink, &added).unwrap();
    route::remove(netlink, &added).unwrap();
    address::remove(netlink, eth0, net("10.1.1.1/24")).unwrap();
    link::create_veth(netlink, "lan0", "lan1", None).unwrap();
    link::delete(netlink, link::by_name(netlink, "lan0").unwrap().index).unwrap();
    let changes = monitor.read().unwrap();
    let position = |what: &str, wanted: &dyn Fn(&Change) -> bool| {
        changes.iter().position(wanted).unwrap_or_else(|| panic!("no {what} in {changes:?}"))
    };
    let ours = |address: &address::Address| address.net == net("10.1.1.1/24") && address.interface == eth0;
    let order = [
        position("address", &|change| matches!(change, Change::Address(address) if ours(address))),
        position("route", &|change| matches!(change, Change::Route(route) if *route == added)),
        position("route's end", &|change| matches!(change, Change::RouteGone(route) if *route == added)),
        position("address' end", &|change| matches!(change, Change::AddressGone(address) if ours(address))),
        position("link", &|change| matches!(change, Change::Link(link) if link.name == "lan0")),
        position("link's end", &|change| matches!(change, Change::LinkGone(link) if link.name == "lan0")),
    ];
    assert!(order.is_sorted(), "{order:?} in {changes:?}");
    // carrier lost at the other end is seen here
    link::set_up(&pair.netlink_b, link::by_name(&pair.netlink_b, "eth0").unwrap().index, false).unwrap();
    eventually("loss of carrier", || {
        let lost =
            |change: &Change| matches!(change, Change::Link(link) if link.index == eth0 && !link.running);
        monitor.read().unwrap().iter().any(lost).then_some(())
    });
}

fn errors() {
    let pair = Pair::new();
    let error = link::by_name(&pair.netlink_a, "eth9").unwrap_err();
    assert_eq!(error.to_string(), "cannot find interface eth9: No such device (os error 19)");
    let eth0 = link::by_name(&pair.netlink_a, "eth0").unwrap().index;
    let error = link::set_mtu(&pair.netlink_a, eth0, 1).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot set the MTU of interface {eth0}: ")), "{error}");
    assert!(error.to_string().contains("mtu less than device minimum"), "the kernel's own words: {error}");
    let error = link::by_name(&pair.netlink_a, "an-interface-name").unwrap_err();
    assert!(error.to_string().contains("1 to 15 characters"), "{error}");
}
