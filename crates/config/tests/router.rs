//! What surrounds the tunnels: address translation, filters and policy routing, as the model has
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use hubward_config::model::{
    Config, DirectedBroadcast, DynamicNat, Interface, NatGlobal, NatPool, NatRule, NatSelect, NatSide, NatTo,
    RouteMap, RouteMapEntry, RouteMatch, RouteSet, SourceCheck, StaticNat, StaticNatPair,
};
use hubward_config::{parse, unenforced};
use std::net::Ipv4Addr;

fn address(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// What an interface says of filters and translation.
type Said<'c> = (&'c str, Option<NatSide>, Option<&'c str>, Option<&'c str>, Option<u16>, [bool; 3]);

fn said(config: &Config) -> Vec<Said<'_>> {
    let of = |one: &Interface| {
        let flags = [one.source_check.is_some(), one.no_redirects, one.no_unreachables];
        one.nat.is_some() || one.access_in.is_some() || one.adjust_mss.is_some() || flags.contains(&true)
    };
    let interfaces = config.interfaces.iter().filter(|one| of(one));
    interfaces
        .map(|one| {
            let flags = [one.source_check.is_some(), one.no_redirects, one.no_unreachables];
            let (name, into, out) = (one.name.as_str(), one.access_in.as_deref(), one.access_out.as_deref());
            (name, one.nat, into, out, one.adjust_mss, flags)
        })
        .collect()
}

fn line_of(text: &str, start: &str) -> u32 {
    let place = text.lines().position(|line| line.trim_start().starts_with(start)).unwrap();
    u32::try_from(place + 1).unwrap()
}

#[test]
fn the_router_of_the_headquarters() {
    let text = include_str!("../../../examples/hq-2911.cfg");
    let config = parse(text).config;
    assert_eq!(config.version, Some((15, 7)));
    let (inside, outside) = (Some(NatSide::Inside), Some(NatSide::Outside));
    let expected: [Said<'_>; 3] = [
        ("GigabitEthernet0/0", outside, Some("OUTSIDE-IN"), None, None, [true, true, true]),
        ("GigabitEthernet0/1", inside, None, None, Some(1360), [false; 3]),
        ("GigabitEthernet0/2", inside, Some("DMZ-IN"), None, Some(1360), [false; 3]),
    ];
    assert_eq!(said(&config), expected);
    let wan = config.interfaces.iter().find(|one| one.nat == outside).unwrap();
    let old_form =
        SourceCheck { by_this_interface: true, allow_default: true, allow_self_ping: false, list: None };
    assert_eq!(wan.source_check, Some(old_form));
    let rules = [
        NatRule::Dynamic(DynamicNat {
            which: NatSelect::RouteMap("NONAT".into()),
            to: NatTo::Interface("GigabitEthernet0/0".into()),
            overload: true,
            line: line_of(text, "ip nat inside source route-map"),
        }),
        NatRule::Static(StaticNat {
            what: StaticNatPair::Port {
                protocol: 6,
                local: address("172.16.10.10"),
                local_port: 80,
                global: NatGlobal::Address(address("198.51.100.3")),
                global_port: 80,
            },
            route_map: None,
            extendable: true,
            no_alias: false,
            line: line_of(text, "ip nat inside source static"),
        }),
    ];
    assert_eq!(config.nat.rules, rules);
    assert!(config.nat.pools.is_empty());
    let entry = RouteMapEntry {
        sequence: 10,
        permit: true,
        matches: vec![RouteMatch::Address(vec!["NAT-ACL".into()])],
        sets: Vec::new(),
        line: line_of(text, "route-map NONAT"),
    };
    assert_eq!(config.route_maps, [RouteMap { name: "NONAT".into(), entries: vec![entry] }]);
}

#[test]
fn the_router_of_a_branch() {
    let text = include_str!("../../../examples/hamburg.cfg");
    let config = parse(text).config;
    assert_eq!(config.version, Some((15, 1)));
    let expected: [Said<'_>; 2] = [
        ("FastEthernet4", Some(NatSide::Outside), None, None, None, [false; 3]),
        ("Vlan1", Some(NatSide::Inside), None, None, Some(1360), [false; 3]),
    ];
    assert_eq!(said(&config), expected);
    let rule = NatRule::Dynamic(DynamicNat {
        which: NatSelect::List("102".into()),
        to: NatTo::Interface("FastEthernet4".into()),
        overload: true,
        line: line_of(text, "ip nat inside source list"),
    });
    assert_eq!(config.nat.rules, [rule]);
    assert!(config.route_maps.is_empty());
    // nothing of it stops the start
    assert!(unenforced(&parse(text)).is_empty());
}

/// What the headquarters' router still has that nothing holds.
#[test]
fn what_is_left_of_the_headquarters() {
    let open = unenforced(&parse(include_str!("../../../examples/hq-2911.cfg")));
    let of_scope = ["ip nat", "ip access-group", "ip verify", "ip policy", "ip tcp"];
    for one in &open {
        assert!(!of_scope.iter().any(|words| one.text.starts_with(words)), "{}", one.name());
    }
    assert!(open.iter().any(|one| one.text.starts_with("ip inspect")));
}

/// No router of the corpus stops for what is implemented here, but for what is refused by name.
#[test]
fn no_configuration_stops_for_filters_and_translation() {
    const SCOPE: [&str; 12] = [
        "ip nat",
        "ip access-group",
        "ip verify unicast",
        "ip tcp adjust-mss",
        "ip policy route-map",
        "ip local policy",
        "ip unreachables",
        "ip redirects",
        "ip directed-broadcast",
        "set ip access-group",
        "route-map",
        "ip mtu",
    ];
    const REFUSED: [&str; 4] =
        ["ip nat outside source", "ip nat inside destination", "ip nat source", "ip nat enable"];
    let mut wrong = Vec::new();
    for path in common::corpus() {
        let text = hubward_config::source::decode(&std::fs::read(&path).unwrap()).unwrap();
        for one in unenforced(&parse(&text)) {
            let begins = |words: &&str| one.text.starts_with(*words);
            if SCOPE.iter().any(&begins) && !REFUSED.iter().any(begins) {
                wrong.push(format!("{}: {}: {}", path.display(), one.line, one.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const RULES: &str = "\
ip nat pool P 192.0.2.1 192.0.2.9 netmask 255.255.255.0
ip nat pool Q prefix-length 24 type match-host
 address 192.0.2.16 192.0.2.31
 address 192.0.2.64 192.0.2.95
ip nat inside source list 1 pool P
ip nat inside source list 2 pool P overload
ip nat inside source route-map R interface FastEthernet 0/0 overload
ip nat inside source static 10.0.0.1 192.0.2.101
ip nat inside source static 10.0.0.1 192.0.2.102 extendable no-alias
ip nat inside source static network 10.1.7.5 192.0.3.9 255.255.255.0
ip nat inside source static network 10.1.8.0 192.0.4.0 /24
ip nat inside source static udp 10.0.0.2 53 interface Dialer 1 5353
ip nat inside source static tcp 10.0.0.2 25 192.0.2.103 2525 route-map R extendable
ip nat inside source static 10.0.0.3 interface FastEthernet0/0
ip nat translation tcp-timeout 7200
ip nat translation udp-timeout never
";

#[test]
fn rules_of_translation() {
    let nat = parse(RULES).config.nat;
    let pool = |name: &str, ranges: &[(&str, &str)], match_host: bool, line: u32| NatPool {
        name: name.into(),
        ranges: ranges.iter().map(|(low, high)| (address(low), address(high))).collect(),
        prefix_length: 24,
        match_host,
        line,
    };
    let pools = [
        pool("P", &[("192.0.2.1", "192.0.2.9")], false, 1),
        pool("Q", &[("192.0.2.16", "192.0.2.31"), ("192.0.2.64", "192.0.2.95")], true, 2),
    ];
    assert_eq!(nat.pools, pools);
    let dynamic = |which, to, overload, line| NatRule::Dynamic(DynamicNat { which, to, overload, line });
    let list = |name: &str| NatSelect::List(name.into());
    let to_pool = || NatTo::Pool("P".into());
    let fixed = |what, route_map: Option<&str>, extendable, no_alias, line| {
        NatRule::Static(StaticNat { what, route_map: route_map.map(Into::into), extendable, no_alias, line })
    };
    let host = |local: &str, global: &str| StaticNatPair::Host {
        local: address(local),
        global: NatGlobal::Address(address(global)),
    };
    let network = |local: &str, global: &str| StaticNatPair::Network {
        local: local.parse().unwrap(),
        global: global.parse().unwrap(),
    };
    let port = |protocol, local_port, global, global_port| StaticNatPair::Port {
        protocol,
        local: address("10.0.0.2"),
        local_port,
        global,
        global_port,
    };
    let by_interface = |name: &str| NatGlobal::Interface(name.into());
    let expected = [
        dynamic(list("1"), to_pool(), false, 5),
        dynamic(list("2"), to_pool(), true, 6),
        dynamic(NatSelect::RouteMap("R".into()), NatTo::Interface("FastEthernet0/0".into()), true, 7),
        fixed(host("10.0.0.1", "192.0.2.101"), None, false, false, 8),
        fixed(host("10.0.0.1", "192.0.2.102"), None, true, true, 9),
        fixed(network("10.1.7.0/24", "192.0.3.0/24"), None, false, false, 10),
        fixed(network("10.1.8.0/24", "192.0.4.0/24"), None, false, false, 11),
        fixed(port(17, 53, by_interface("Dialer1"), 5353), None, false, false, 12),
        fixed(port(6, 25, NatGlobal::Address(address("192.0.2.103")), 2525), Some("R"), true, false, 13),
        fixed(
            StaticNatPair::Host { local: address("10.0.0.3"), global: by_interface("FastEthernet0/0") },
            None,
            false,
            false,
            14,
        ),
    ];
    assert_eq!(nat.rules, expected);
    assert_eq!((nat.timeouts.tcp, nat.timeouts.udp, nat.timeouts.icmp), (Some(7200), Some(0), None));
}

/// `no` names a rule by the words that tell it from others.
#[test]
fn rules_are_taken_away_by_what_names_them() {
    let count = |line: &str| {
        let nat = parse(&format!("{RULES}{line}\n")).config.nat;
        (nat.pools.len(), nat.pools.iter().map(|pool| pool.ranges.len()).sum::<usize>(), nat.rules.len())
    };
    let all = (2, 3, 10);
    assert_eq!(count(""), all);
    for (line, left) in [
        ("no ip nat pool P", (1, 2, 10)),
        ("no ip nat pool P 192.0.2.1 192.0.2.9 netmask 255.255.255.0", (1, 2, 10)),
        ("ip nat pool Q prefix-length 24\n no address 192.0.2.16 192.0.2.31", (2, 2, 10)),
        ("no ip nat inside source list 1 pool P", (2, 3, 9)),
        ("no ip nat inside source list 1 pool P forced", (2, 3, 9)),
        ("no ip nat inside source list 2 pool P overload", (2, 3, 9)),
        // it is another one
        ("no ip nat inside source list 1 pool Q", all),
        ("no ip nat inside source list 9 pool P", all),
        ("no ip nat inside source", all),
        ("no ip nat inside source static", all),
        ("no ip nat inside source route-map R interface fa0/0", (2, 3, 9)),
        ("no ip nat inside source static 10.0.0.1 192.0.2.102", (2, 3, 9)),
        ("no ip nat inside source static 10.0.0.1 192.0.2.109", all),
        ("no ip nat inside source static tcp 10.0.0.2 25 192.0.2.103 2525", (2, 3, 9)),
        ("no ip nat inside source static tcp 10.0.0.2 25 192.0.2.103 2525 route-map S", all),
        ("no ip nat inside source static network 10.1.7.0 192.0.3.0 /24", (2, 3, 9)),
        // one of a list is one rule
        ("ip nat inside source list 1 interface FastEthernet0/0 overload", all),
        ("ip nat inside source list 3 interface FastEthernet0/0 vrf RED overload", all),
    ] {
        assert_eq!(count(line), left, "{line}");
    }
    let replaced =
        parse(&format!("{RULES}ip nat inside source list 1 interface FastEthernet0/0\n")).config.nat;
    assert!(matches!(&replaced.rules[0], NatRule::Dynamic(rule) if rule.overload && rule.line == 17));
}

#[test]
fn ranges_of_pools_are_in_order_and_in_one_network() {
    for line in [
        "ip nat pool P 192.0.2.9 192.0.2.1 prefix-length 24",
        "ip nat pool P 192.0.2.9 192.0.3.1 prefix-length 24",
        "ip nat pool P 192.0.2.9 192.0.3.1 netmask 255.0.255.0",
        "ip nat pool P 192.0.2.9 192.0.2.19",
    ] {
        let config = parse(line).config;
        assert!(config.nat.pools.is_empty(), "{line}");
    }
}

#[test]
fn what_is_refused_says_why() {
    for (line, says) in [
        ("ip nat outside source static 192.0.2.1 10.0.0.1", "after routing"),
        ("ip nat inside destination list 1 pool P", "ip nat inside source static"),
        ("ip nat source list 1 interface FastEthernet0/1 overload", "ip nat inside source"),
    ] {
        let text = format!("interface FastEthernet0/0\n ip nat inside\n{line}\n");
        let open = unenforced(&parse(&text));
        assert!(open.len() == 1 && open[0].line == 3 && open[0].message.contains(says), "{line}: {open:?}");
    }
}

fn interface(lines: &str) -> Interface {
    parse(&format!("interface FastEthernet0/0\n{lines}")).config.interfaces.remove(0)
}

#[test]
fn filters_of_interfaces() {
    let one = interface(" ip access-group 101 in\n ip access-group B out\n");
    assert_eq!((one.access_in.as_deref(), one.access_out.as_deref()), (Some("101"), Some("B")));
    // without a direction nobody knows what was meant
    let half = interface(" ip access-group 101\n");
    assert_eq!((half.access_in, half.access_out), (None, None));
    let text = "interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\n ip access-group 101\naccess-list 101 permit ip any any\n";
    assert_eq!(unenforced(&parse(text)).len(), 1, "and it stops the start");
    for (line, into, out) in [
        ("no ip access-group 101 in", None, Some("B")),
        ("no ip access-group in", None, Some("B")),
        // IOS reports it as incomplete
        ("no ip access-group B", Some("101"), Some("B")),
        ("no ip access-group B out", Some("101"), None),
        ("default ip access-group 101 in", None, Some("B")),
        // it is not that one that filters
        ("no ip access-group 102 in", Some("101"), Some("B")),
        ("no ip access-group 101", Some("101"), Some("B")),
        ("no ip access-group", Some("101"), Some("B")),
    ] {
        let one = interface(&format!(" ip access-group 101 in\n ip access-group B out\n {line}\n"));
        assert_eq!((one.access_in.as_deref(), one.access_out.as_deref()), (into, out), "{line}");
    }
}

#[test]
fn checks_of_sources() {
    let check = |by_this_interface, allow_default, allow_self_ping, list: Option<&str>| {
        Some(SourceCheck { by_this_interface, allow_default, allow_self_ping, list: list.map(Into::into) })
    };
    for (line, expected) in [
        ("ip verify unicast reverse-path", check(true, true, false, None)),
        ("ip verify unicast reverse-path 101", check(true, true, false, Some("101"))),
        ("ip verify unicast reverse-path allow-self-ping 101", check(true, true, true, Some("101"))),
        ("ip verify unicast source reachable-via rx", check(true, false, false, None)),
        ("ip verify unicast source reachable-via any", check(false, false, false, None)),
        (
            "ip verify unicast source reachable-via any allow-default allow-self-ping 5",
            check(false, true, true, Some("5")),
        ),
    ] {
        assert_eq!(interface(&format!(" {line}\n")).source_check, expected, "{line}");
        assert_eq!(interface(&format!(" {line}\n no {line}\n")).source_check, None, "{line}");
    }
}

#[test]
fn what_else_interfaces_say() {
    let one = interface(" ip nat inside\n ip nat outside\n ip tcp adjust-mss 1360\n ip policy route-map R\n");
    assert_eq!(
        (one.nat, one.adjust_mss, one.policy.as_deref()),
        (Some(NatSide::Outside), Some(1360), Some("R"))
    );
    // a family of global commands takes no line of an interface that is abbreviated
    let one = interface("ip nat out\nip tcp adj 1400\nip policy route R\nno shut\n");
    assert_eq!(
        (one.nat, one.adjust_mss, one.policy.as_deref()),
        (Some(NatSide::Outside), Some(1400), Some("R"))
    );
    let one = interface(" ip nat outside\n no ip nat inside\n");
    assert_eq!(one.nat, Some(NatSide::Outside));
    for (lines, mtu) in [
        (" mtu 1400\n", Some(1400)),
        (" ip mtu 1300\n mtu 1400\n", Some(1300)),
        (" mtu 1400\n ip mtu 1300\n no ip mtu\n", Some(1400)),
        (" mtu 1400\ndefault interface FastEthernet0/0\n", None),
    ] {
        assert_eq!(interface(lines).mtu, mtu, "{lines}");
    }
    let one = interface(" no ip redirects\n no ip unreachables\n ip directed-broadcast 7\n");
    let broadcast = Some(DirectedBroadcast { list: Some("7".into()) });
    assert!(one.no_redirects && one.no_unreachables && one.directed_broadcast == broadcast);
    let one = interface(" no ip redirects\n ip redirects\n no ip unreachables\n default ip unreachables\n");
    assert!(!one.no_redirects && !one.no_unreachables);
    assert_eq!(interface(" ip directed-broadcast\n no ip directed-broadcast\n").directed_broadcast, None);
    // a range is all of its interfaces
    let config =
        parse("interface range FastEthernet0/0 - 1\n ip nat inside\n ip access-group 5 in\n mtu 1400\n")
            .config;
    let all = |one: &Interface| (one.nat, one.access_in.clone(), one.mtu);
    let expected = (Some(NatSide::Inside), Some("5".to_string()), Some(1400));
    assert_eq!(config.interfaces.iter().map(all).collect::<Vec<_>>(), [expected.clone(), expected]);
    assert_eq!(parse("ip local policy route-map L\n").config.local_policy.as_deref(), Some("L"));
}

#[test]
fn filters_of_crypto_maps() {
    for head in ["crypto map M 10 ipsec-isakmp", "crypto dynamic-map D 10"] {
        let terms = |lines: &str| {
            let config = parse(&format!("{head}\n{lines}")).config;
            let fixed = config.maps.first().map(|map| map.entries[0].terms.clone());
            let terms = fixed.unwrap_or_else(|| config.dynamic_maps[0].entries[0].terms.clone());
            (terms.access_in, terms.access_out)
        };
        let both = " set ip access-group A in\n set ip access-group 102 out\n";
        assert_eq!(terms(both), (Some("A".into()), Some("102".into())));
        assert_eq!(terms(&format!("{both} no set ip access-group A in\n")), (None, Some("102".into())));
        assert_eq!(terms(&format!("{both} no set ip access-group B in\n")).0, Some("A".into()));
    }
}

#[test]
fn entries_of_route_maps() {
    let text = "\
route-map R deny 30
route-map R permit 20
 description second
 match ip address 1 2
 match ip address THREE
 match length 100 1500
 match interface FastEthernet 0/0 Loopback1
 match ip next-hop 5
 match tag 7
 set ip next-hop 10.0.0.1 10.0.0.2
 set ip next-hop 10.0.0.3
 set ip default next-hop 10.0.0.4
 set interface Null0
 set default interface FastEthernet0/1
 set ip next-hop verify-availability 10.0.0.5 1 track 1
 continue 30
route-map S
 match ip address prefix-list P
";
    let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
    let hops = |text: &str| text.split(' ').map(address).collect::<Vec<_>>();
    let maps = parse(text).config.route_maps;
    let [r, s] = maps.as_slice() else { panic!("{maps:?}") };
    assert_eq!(
        r.entries.iter().map(|entry| (entry.sequence, entry.permit)).collect::<Vec<_>>(),
        [(20, true), (30, false)]
    );
    let matches = [
        RouteMatch::Address(words("1 2 THREE")),
        RouteMatch::Length(100, 1500),
        RouteMatch::Interface(words("FastEthernet0/0 Loopback1")),
        RouteMatch::NextHop(words("5")),
        RouteMatch::Other("tag 7".into()),
    ];
    assert_eq!(r.entries[0].matches, matches);
    let sets = [
        RouteSet::NextHop(hops("10.0.0.1 10.0.0.2 10.0.0.3")),
        RouteSet::DefaultNextHop(hops("10.0.0.4")),
        RouteSet::Interface(words("Null0")),
        RouteSet::DefaultInterface(words("FastEthernet0/1")),
        RouteSet::Other("ip next-hop verify-availability 10.0.0.5 1 track 1".into()),
        RouteSet::Other("continue 30".into()),
    ];
    assert_eq!(r.entries[0].sets, sets);
    assert_eq!(s.entries[0].sequence, 10);
    assert_eq!(s.entries[0].matches, [RouteMatch::Other("ip address prefix-list P".into())]);

    let left = |lines: &str| {
        let maps = parse(&format!("{text}{lines}")).config.route_maps;
        let found: Vec<_> = maps.iter().map(|map| (map.name.clone(), map.entries.len())).collect();
        found.iter().map(|(name, entries)| format!("{name}{entries}")).collect::<Vec<_>>().join(" ")
    };
    for (lines, expected) in [
        ("no route-map R 20\n", "R1 S1"),
        ("no route-map R permit 20\n", "R1 S1"),
        ("no route-map R\n", "S1"),
        ("no route-map S permit 10\n", "R2"),
        ("no route-map S 20\n", "R2 S1"),
    ] {
        assert_eq!(left(lines), expected, "{lines}");
    }
    let first = |lines: &str| {
        let map = parse(&format!(
            "route-map R permit 10\n match ip address 1 2\n set ip next-hop 10.0.0.1\n{lines}"
        ));
        map.config.route_maps[0].entries[0].clone()
    };
    assert_eq!(first(" no match ip address 1\n").matches, [RouteMatch::Address(words("2"))]);
    assert_eq!(first(" no match ip address\n").matches, []);
    assert_eq!(first(" no set ip next-hop 10.0.0.1\n").sets, []);
    // without a number it is the only entry there is
    assert!(!first("route-map R deny\n").permit);
}

/// A release that no number is read of says nothing.
#[test]
fn releases() {
    for (line, release) in [
        ("version 12.2", Some((12, 2))),
        ("version 12.4", Some((12, 4))),
        ("version 15.0", Some((15, 0))),
        ("version 16.12", Some((16, 12))),
        ("version 12.3(8)T", Some((12, 3))),
        ("version new", None),
        ("version 12.4\nno version 12.4", None),
    ] {
        assert_eq!(parse(line).config.version, release, "{line}");
    }
}
