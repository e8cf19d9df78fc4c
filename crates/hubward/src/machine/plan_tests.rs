//! Tables of plans: a configuration on a machine, and the steps that follow.

use super::*;
use hubward_linux::route::RouteKind;
use lab::{Lab, TUN, between, changed, config, of_stage, reverse_route, settled};

#[path = "plan_lab.rs"]
mod lab;

const OUTSIDE: &str = "0 198.51.100.2/29 map";
const LAN: &str = "1 10.1.1.1/24";

#[test]
fn links_and_addresses_go_before_others_come() {
    // the configuration in force, what is special about the machine, the new configuration, and the
    // steps
    type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str], &'a [&'a str]);
    let rows: &[Row] = &[
        ("nothing changes", &[OUTSIDE, LAN], &[], &[OUTSIDE, LAN], &[]),
        ("an address more", &[OUTSIDE], &[], &[OUTSIDE, LAN], &["up eth1", "on 10.1.1.1/24 eth1"]),
        ("an address less", &[OUTSIDE, LAN], &[], &[OUTSIDE, "1"], &["away 10.1.1.1/24 eth1"]),
        (
            "another address",
            &[OUTSIDE, LAN],
            &[],
            &[OUTSIDE, "1 10.1.9.1/24"],
            &["away 10.1.1.1/24 eth1", "on 10.1.9.1/24 eth1"],
        ),
        (
            "an address moves to a link that comes before its old one",
            &[OUTSIDE, "1 10.1.9.1/24", "2 10.1.1.1/24"],
            &[],
            &[OUTSIDE, "1 10.1.1.1/24", "2 10.1.9.1/24"],
            &["away 10.1.9.1/24 eth1", "away 10.1.1.1/24 eth2", "on 10.1.1.1/24 eth1", "on 10.1.9.1/24 eth2"],
        ),
        (
            "a secondary address comes",
            &[OUTSIDE, LAN],
            &[],
            &[OUTSIDE, "1 10.1.1.1/24 10.1.7.1/24"],
            &["on 10.1.7.1/24 eth1"],
        ),
        (
            "a secondary address of another network goes",
            &[OUTSIDE, "1 10.1.1.1/24 10.1.7.1/24"],
            &[],
            &[OUTSIDE, LAN],
            &["away 10.1.7.1/24 eth1"],
        ),
        (
            "the first of a network goes, and takes the second with it",
            &[OUTSIDE, "1 10.1.1.1/24 10.1.1.2/24 10.1.7.1/24"],
            &[],
            &[OUTSIDE, "1 10.1.1.2/24 10.1.7.1/24"],
            &["away 10.1.1.1/24 eth1", "on 10.1.1.2/24 eth1"],
        ),
        (
            "an interface is shut",
            &[OUTSIDE, LAN],
            &[],
            &[OUTSIDE, "1 10.1.1.1/24 shut"],
            &["down eth1", "away 10.1.1.1/24 eth1"],
        ),
        (
            "and opened again",
            &[OUTSIDE, "1 10.1.1.1/24 shut"],
            &[],
            &[OUTSIDE, LAN],
            &["up eth1", "on 10.1.1.1/24 eth1"],
        ),
        (
            "one is shut, and another takes its address",
            &[OUTSIDE, LAN],
            &[],
            &[OUTSIDE, "1 10.1.1.1/24 shut", "2 10.1.1.1/24"],
            &["down eth1", "away 10.1.1.1/24 eth1", "up eth2", "on 10.1.1.1/24 eth2"],
        ),
        (
            "an interface that is shut has no link",
            &[OUTSIDE],
            &["no eth1"],
            &[OUTSIDE, "1 10.1.1.1/24 shut"],
            &[],
        ),
        (
            "somebody else addresses the links",
            &[],
            &["no addresses", "eth1 10.9.0.1/24"],
            &[OUTSIDE, LAN],
            &["up eth0", "up eth1"],
        ),
        (
            "a lease",
            &[OUTSIDE, "1 dhcp"],
            &["lease eth1 10.8.0.5/24 10.8.0.1"],
            &[OUTSIDE, "1 dhcp"],
            &["on 10.8.0.5/24 eth1"],
        ),
        (
            "an address in the place of a lease",
            &[OUTSIDE, "1 dhcp"],
            &["lease eth1 10.8.0.5/24 10.8.0.1", "."],
            &[OUTSIDE, "1 10.8.0.5/24 10.8.0.6/24"],
            &["on 10.8.0.6/24 eth1"],
        ),
        (
            "a lease of an interface that is shut",
            &[OUTSIDE, "1 dhcp"],
            &["lease eth1 10.8.0.5/24 10.8.0.1", "."],
            &[OUTSIDE, "1 dhcp shut"],
            &["down eth1", "away 10.8.0.5/24 eth1"],
        ),
    ];
    for (name, before, special, after, wanted) in rows {
        let mut lab = changed(before, special);
        let after = config(after);
        let steps = lab.steps(&after);
        assert_eq!(of_stage(&lab, &steps, Stage::Base), *wanted, "{name}");
        settled(&mut lab, &after, name);
        let there = lab.standing.addresses.iter().filter(|(link, _)| lab.seen.link(link).is_some());
        assert!(there.clone().all(|(link, net)| lab.seen.has(link, *net)), "{name}: all are there");
    }
}

/// What each kind of interface needs of the machine.
#[test]
fn loopbacks_vlans_and_bridges_are_made_and_removed() {
    const LO: &str = "interface Loopback0\n ip address 10.255.0.1 255.255.255.0";
    const VLAN: &str =
        "interface GigabitEthernet0/1.20\n encapsulation dot1Q 20\n ip address 10.20.0.1 255.255.255.0";
    const OTHER_VLAN: &str =
        "interface GigabitEthernet0/1.20\n encapsulation dot1Q 30\n ip address 10.20.0.1 255.255.255.0";
    const NATIVE: &str =
        "interface GigabitEthernet0/1.1\n encapsulation dot1Q 1 native\n ip address 10.1.1.1 255.255.255.0";
    const SVI: &str = "interface Vlan1\n ip address 10.30.0.1 255.255.255.0";
    // the configuration in force, what is special about the machine, the new configuration, and the
    // steps
    type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str], &'a [&'a str]);
    let rows: &[Row] = &[
        (
            "a loopback is a dummy",
            &[OUTSIDE],
            &[],
            &[OUTSIDE, LO],
            &["make hubwardlo0", "up hubwardlo0", "on 10.255.0.1/24 hubwardlo0"],
        ),
        (
            "without dummies only its address is on lo",
            &[OUTSIDE],
            &["no dummies"],
            &[OUTSIDE, LO],
            &["up lo", "on 10.255.0.1/32 lo"],
        ),
        (
            "lo is not set down with the last loopback",
            &[OUTSIDE, LO],
            &["no dummies", "."],
            &[OUTSIDE, "interface Loopback0\n ip address 10.255.0.1 255.255.255.0\n shutdown"],
            &["away 10.255.0.1/32 lo"],
        ),
        (
            "a loopback goes",
            &[OUTSIDE, LO],
            &[],
            &[OUTSIDE],
            &["away 10.255.0.1/24 hubwardlo0", "unmake hubwardlo0"],
        ),
        (
            "a loopback that is mapped",
            &[OUTSIDE],
            &["map Loopback0=eth3"],
            &[OUTSIDE, LO],
            &["up eth3", "on 10.255.0.1/24 eth3"],
        ),
        (
            "a sub-interface, and its parent up without an address",
            &[OUTSIDE],
            &[],
            &[OUTSIDE, "1", VLAN],
            &["make hubwardv2: eth1 tag 20", "up eth1", "up hubwardv2", "on 10.20.0.1/24 hubwardv2"],
        ),
        (
            "another tag is another link",
            &[OUTSIDE, "1", VLAN],
            &[],
            &[OUTSIDE, "1", OTHER_VLAN],
            &["unmake hubwardv2", "make hubwardv2: eth1 tag 30", "up hubwardv2", "on 10.20.0.1/24 hubwardv2"],
        ),
        (
            "a sub-interface is down with its parent",
            &[OUTSIDE, "1", VLAN],
            &[],
            &[OUTSIDE, "1 shut", VLAN],
            &["down eth1", "down hubwardv2"],
        ),
        (
            "the native VLAN is the parent itself, which the sub-interface does not shut",
            &[OUTSIDE, "1"],
            &[],
            &[OUTSIDE, "1", NATIVE, VLAN],
            &[
                "make hubwardv3: eth1 tag 20",
                "up hubwardv3",
                "on 10.1.1.1/24 eth1",
                "on 10.20.0.1/24 hubwardv3",
            ],
        ),
        (
            "a shut sub-interface without a tag",
            &[OUTSIDE, "1", NATIVE],
            &[],
            &[OUTSIDE, "1", &format!("{NATIVE}\n shutdown")],
            &["away 10.1.1.1/24 eth1"],
        ),
        (
            "a sub-interface of a parent without a card",
            &[OUTSIDE],
            &[],
            &[
                OUTSIDE,
                "7",
                "interface GigabitEthernet0/7.20\n encapsulation dot1Q 20\n ip address 10.20.0.1 255.255.255.0",
            ],
            &[],
        ),
        ("a VLAN of the switch takes no card by itself", &[OUTSIDE], &[], &[OUTSIDE, SVI], &[]),
        ("as a card", &[OUTSIDE], &["map Vlan1=eth2"], &[OUTSIDE, SVI], &["up eth2", "on 10.30.0.1/24 eth2"]),
        (
            "as a bridge",
            &[OUTSIDE],
            &["map Vlan1=eth2,eth3"],
            &[OUTSIDE, SVI],
            &[
                "make hubwardbr1: eth2 eth3",
                "join eth2 hubwardbr1",
                "join eth3 hubwardbr1",
                "up eth2",
                "up eth3",
                "up hubwardbr1",
                "on 10.30.0.1/24 hubwardbr1",
            ],
        ),
        (
            "a bridge is shut with its ports",
            &[OUTSIDE, SVI],
            &["map Vlan1=eth2,eth3", "."],
            &[OUTSIDE, &format!("{SVI}\n shutdown")],
            &["down eth2", "down eth3", "down hubwardbr1", "away 10.30.0.1/24 hubwardbr1"],
        ),
        (
            "a port of a bridge that comes back",
            &[OUTSIDE, SVI],
            &["map Vlan1=eth2,eth3", ".", "eth2 pulled", "eth2 back"],
            &[OUTSIDE, SVI],
            &["join eth2 hubwardbr1", "up eth2"],
        ),
        (
            "a card that comes back",
            &[OUTSIDE, LAN],
            &[".", "eth1 pulled", "eth1 back"],
            &[OUTSIDE, LAN],
            &["up eth1", "on 10.1.1.1/24 eth1"],
        ),
        (
            "a card that is replaced between two looks",
            &[OUTSIDE, LAN],
            &[".", "eth1 replaced"],
            &[OUTSIDE, LAN],
            &["up eth1", "on 10.1.1.1/24 eth1"],
        ),
        (
            "a card that is replaced twice",
            &[OUTSIDE, LAN],
            &[".", "eth1 replaced", ".", "eth1 replaced"],
            &[OUTSIDE, LAN],
            &["up eth1", "on 10.1.1.1/24 eth1"],
        ),
        (
            "a port of a bridge that is replaced between two looks",
            &[OUTSIDE, SVI],
            &["map Vlan1=eth2,eth3", ".", "eth2 replaced"],
            &[OUTSIDE, SVI],
            &["join eth2 hubwardbr1", "up eth2"],
        ),
        (
            "what another program removed is made again",
            &[OUTSIDE, LO],
            &["no hubwardlo0"],
            &[OUTSIDE, LO],
            &["make hubwardlo0", "up hubwardlo0", "on 10.255.0.1/24 hubwardlo0"],
        ),
    ];
    for (name, before, special, after, wanted) in rows {
        let mut lab = changed(before, special);
        let after = config(after);
        let steps = lab.steps(&after);
        assert_eq!(of_stage(&lab, &steps, Stage::Base), *wanted, "{name}");
        // routes follow when the links are there
        lab.steps(&after);
        settled(&mut lab, &after, name);
    }
}

/// `reverse-route` and proxy ARP: what follows a tunnel, and goes with it.
#[test]
fn reverse_routes_are_in_the_main_table_and_clients_are_answered_for_on_their_lan() {
    const POOL: &str = "ip local pool CLIENTS 10.1.1.200 10.1.1.210";
    const DEFAULT: &str = "ip route 0.0.0.0 0.0.0.0 198.51.100.1";
    const NO_PROXY: &str = "interface GigabitEthernet0/1\n no ip proxy-arp";
    // the configuration, the tunnels, and what is there beside the captures and the filter
    type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);
    let rows: &[Row] = &[
        ("none", &[POOL, DEFAULT], &[], &[]),
        (
            "a client with an address of the LAN",
            &[POOL, DEFAULT],
            &["reverse 10.1.1.203/32", "range 10.1.1.203/32"],
            &["reverse 10.1.1.203/32 via 198.51.100.1 eth0 onlink metric 1", "answer 10.1.1.203 eth1"],
        ),
        (
            "with no ip proxy-arp",
            &[POOL, DEFAULT, NO_PROXY],
            &["reverse 10.1.1.203/32", "range 10.1.1.203/32"],
            &["reverse 10.1.1.203/32 via 198.51.100.1 eth0 onlink metric 1"],
        ),
        (
            "a peer's host that was not lent",
            &[POOL, DEFAULT],
            &["reverse 10.1.1.99/32"],
            &["reverse 10.1.1.99/32 via 198.51.100.1 eth0 onlink metric 1"],
        ),
        (
            "a network of clients is not answered for as a whole",
            &[POOL, DEFAULT],
            &["reverse 10.1.1.200/30"],
            &["reverse 10.1.1.200/30 via 198.51.100.1 eth0 onlink metric 1"],
        ),
        (
            "without a route to the peer",
            &[POOL],
            &["reverse 10.2.0.0/16"],
            &["reverse 10.2.0.0/16 eth0 metric 1"],
        ),
        (
            "a static route with the same distance stays the one that there is",
            &[POOL, DEFAULT, "ip route 10.2.0.0 255.255.0.0 10.1.1.2"],
            &["reverse 10.2.0.0/16"],
            &[],
        ),
        (
            "a floating one does not",
            &[POOL, DEFAULT, "ip route 10.2.0.0 255.255.0.0 10.1.1.2 250"],
            &["reverse 10.2.0.0/16"],
            &["reverse 10.2.0.0/16 via 198.51.100.1 eth0 onlink metric 1"],
        ),
        ("a connected network", &[POOL, DEFAULT], &["reverse 10.1.1.0/24"], &[]),
        ("the link is down", &[POOL, DEFAULT], &["reverse 10.2.0.0/16", "eth0 down"], &[]),
    ];
    for (name, lines, tunnels, wanted) in rows {
        let lines: Vec<_> = [OUTSIDE, LAN].iter().chain(*lines).copied().collect();
        let config = config(&lines);
        let mut lab = Lab::new(&[]);
        lab.steps(&config);
        for line in *tunnels {
            lab.change(line);
        }
        let led = |lab: &Lab, steps: &[Step]| -> Vec<String> {
            let all = of_stage(lab, steps, Stage::Own);
            all.into_iter().filter(|line| line.contains("reverse") || line.contains("answer")).collect()
        };
        let steps = lab.steps(&config);
        assert_eq!(led(&lab, &steps), *wanted, "{name}");
        settled(&mut lab, &config, name);
        // the own table is what it is without these routes
        assert!(lab.seen.own.iter().all(|route| route.interface == TUN || route.kind == RouteKind::Throw));
        // the tunnels go, and what followed them too
        lab.reverse.clear();
        let steps = lab.steps(&config);
        let gone: Vec<_> = wanted.iter().map(|line| format!("no {line}")).collect();
        assert_eq!(led(&lab, &steps), gone, "{name}");
        assert!(lab.seen.proxies.is_empty(), "{name}");
    }
}

/// The rest of a loopback's network goes nowhere, and not by the default route.
#[test]
fn the_network_of_a_loopback_on_lo_is_dropped_but_for_its_address() {
    let config = config(&[
        OUTSIDE,
        "interface Loopback0\n ip address 10.255.0.1 255.255.255.0",
        "interface Loopback1\n ip address 10.254.0.1 255.255.255.255",
        "ip route 0.0.0.0 0.0.0.0 198.51.100.1",
    ]);
    let mut lab = Lab::new(&["no dummies", "range 10.255.0.128/25"]);
    let steps = lab.steps(&config);
    assert_eq!(
        of_stage(&lab, &steps, Stage::Main),
        ["route 0.0.0.0/0 via 198.51.100.1 eth0 metric 1", "route 10.255.0.0/24 blackhole metric 1"]
    );
    assert!(
        of_stage(&lab, &steps, Stage::Own).contains(&"capture 10.255.0.128/25 hubward0".to_string()),
        "what a crypto map protects is still led there"
    );
    assert!(lab.plan(&config).notices.is_empty());
}

#[test]
fn static_routes_follow_distance_links_and_leases() {
    // lines, what is special about the machine, and the routes
    type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);
    let rows: &[Row] = &[
        ("none", &[], &[], &[]),
        (
            "a next hop in a network that comes with the same plan",
            &["ip route 10.7.0.0 255.255.0.0 10.1.1.2"],
            &[],
            &["route 10.7.0.0/16 via 10.1.1.2 eth1 metric 1"],
        ),
        (
            "by distance: both, the kernel takes the lower metric",
            &["ip route 10.7.0.0 255.255.0.0 10.1.1.2", "ip route 10.7.0.0 255.255.0.0 198.51.100.1 200"],
            &[],
            &[
                "route 10.7.0.0/16 via 10.1.1.2 eth1 metric 1",
                "route 10.7.0.0/16 via 198.51.100.1 eth0 metric 200",
            ],
        ),
        (
            "the floating one while the link is down",
            &["ip route 10.7.0.0 255.255.0.0 10.1.1.2", "ip route 10.7.0.0 255.255.0.0 198.51.100.1 200"],
            &["eth1 down"],
            &["route 10.7.0.0/16 via 198.51.100.1 eth0 metric 200"],
        ),
        (
            "by an interface that is not here",
            &["ip route 10.7.0.0 255.255.0.0 GigabitEthernet0/7", "ip route 0.0.0.0 0.0.0.0 198.51.100.1"],
            &[],
            &["route 10.7.0.0/16 unreachable metric 1", "route 0.0.0.0/0 via 198.51.100.1 eth0 metric 1"],
        ),
        (
            "the network of an interface that is not here",
            &["7 10.40.0.1/16"],
            &[],
            &["route 10.40.0.0/16 unreachable metric 1"],
        ),
        (
            "Null0",
            &["ip route 10.0.0.0 255.0.0.0 Null0 250"],
            &[],
            &["route 10.0.0.0/8 blackhole metric 250"],
        ),
        (
            "a lease's router is the default route of last choice",
            &["2 dhcp"],
            &["lease eth2 10.8.0.5/24 10.8.0.1"],
            &["route 0.0.0.0/0 via 10.8.0.1 eth2 metric 254"],
        ),
        (
            "a lease that is lost",
            &["2 dhcp", "ip route 10.7.0.0 255.255.0.0 dhcp"],
            &["lease eth2 10.8.0.5/24 10.8.0.1", ".", "lost eth2"],
            &[
                "no route 10.7.0.0/16 via 10.8.0.1 eth2 metric 1",
                "no route 0.0.0.0/0 via 10.8.0.1 eth2 metric 254",
            ],
        ),
        (
            "a next hop in no network lies out by the crypto map",
            &["ip route 10.7.0.0 255.255.0.0 203.0.113.9"],
            &[],
            &["route 10.7.0.0/16 via 203.0.113.9 eth0 onlink metric 1"],
        ),
        (
            "in front of somebody else's",
            &["ip route 10.7.0.0 255.255.0.0 10.1.1.2"],
            &["route 10.7.0.0/16 via 10.1.1.9 eth1 0"],
            &["route 10.7.0.0/16 via 10.1.1.2 eth1 metric 0"],
        ),
    ];
    for (name, lines, special, wanted) in rows {
        let config = config(&[&[OUTSIDE, LAN], *lines].concat());
        let mut lab = Lab::new(&[]);
        for line in *special {
            match *line {
                "." => drop(lab.steps(&config)),
                line => lab.change(line),
            }
        }
        let mut steps = lab.steps(&config);
        let mut found = of_stage(&lab, &steps, Stage::Main);
        found.sort();
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{name}");
        // new routes are added before old ones are removed
        steps.retain(|step| step.stage() == Stage::Main);
        assert!(steps.is_sorted_by_key(|step| matches!(step, Step::RouteAway(_))), "{name}");
        settled(&mut lab, &config, name);
    }
}

#[test]
fn a_lost_default_route_gives_way_to_that_of_a_lease() {
    let config = config(&[OUTSIDE, "1 dhcp", "ip route 0.0.0.0 0.0.0.0 198.51.100.1"]);
    let mut lab = Lab::new(&["lease eth1 10.8.0.5/24 10.8.0.1"]);
    lab.steps(&config);
    lab.change("eth0 down");
    let steps = lab.steps(&config);
    assert_eq!(
        of_stage(&lab, &steps, Stage::Main),
        ["no route 0.0.0.0/0 via 198.51.100.1 eth0 metric 1"],
        "that of the lease stood all the time"
    );
}

#[test]
fn captured_routes_follow_the_main_table() {
    const DEFAULT: &str = "ip route 0.0.0.0 0.0.0.0 198.51.100.1";
    // lines, what is special about the machine, and the steps in Hubward's own table
    type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);
    let rows: &[Row] = &[
        ("nothing to protect", &[DEFAULT], &[], &["guard eth0 Strict"]),
        (
            "into the TUN",
            &[DEFAULT],
            &["range 10.2.0.0/16"],
            &["guard eth0 Strict", "capture 10.2.0.0/16 hubward0"],
        ),
        (
            "without any route",
            &[],
            &["range 10.2.0.0/16"],
            &["guard eth0 Strict", "capture 10.2.0.0/16 hubward0"],
        ),
        (
            "led elsewhere",
            &[DEFAULT, "ip route 10.2.0.0 255.255.0.0 10.1.1.2"],
            &["range 10.2.0.0/16"],
            &["guard eth0 Strict"],
        ),
        (
            "a part is led elsewhere",
            &[DEFAULT, "ip route 10.2.7.0 255.255.255.0 10.1.1.2"],
            &["range 10.2.0.0/16"],
            &["guard eth0 Strict", "capture 10.2.0.0/16 hubward0", "capture 10.2.7.0/24 throw"],
        ),
        (
            "a part is a network that comes with the same plan",
            &[DEFAULT, "2 10.2.7.1/24"],
            &["range 10.2.0.0/16"],
            &["guard eth0 Strict", "capture 10.2.0.0/16 hubward0", "capture 10.2.7.0/24 throw"],
        ),
        (
            "a part leads nowhere",
            &[DEFAULT, "ip route 10.2.7.0 255.255.255.0 Null0"],
            &["range 10.2.0.0/16"],
            &["guard eth0 Strict", "capture 10.2.0.0/16 hubward0", "capture 10.2.7.0/24 throw"],
        ),
        (
            "the network of an interface that is not here goes into its tunnel",
            &[DEFAULT, "7 10.2.0.1/16"],
            &["range 10.2.0.0/16"],
            &["guard eth0 Strict", "capture 10.2.0.0/16 hubward0"],
        ),
        (
            "Null0 does not hold what reverse-route leads out",
            &[DEFAULT, "ip route 10.0.0.0 255.0.0.0 Null0 250"],
            &["range 10.2.0.0/16", "reverse 10.2.0.0/16"],
            &["guard eth0 Strict", "capture 10.2.0.0/16 hubward0"],
        ),
        (
            "a peer lies behind a tunnel",
            &[DEFAULT],
            &["range 203.0.113.0/24"],
            &["guard eth0 Loose", "capture 203.0.113.0/24 hubward0"],
        ),
        (
            "everything lies behind a tunnel",
            &[DEFAULT],
            &["range 0.0.0.0/0"],
            &["guard eth0 Loose", "capture 0.0.0.0/0 hubward0", "capture 10.1.1.0/24 throw"],
        ),
        (
            "the kernel carries the packets: the main table leads them to its policies",
            &[DEFAULT],
            &["kernel", "range 10.2.0.0/16"],
            &[],
        ),
        (
            "the kernel, without any route",
            &[],
            &["kernel", "range 10.2.0.0/16"],
            &["capture 10.2.0.0/16 eth0"],
        ),
        (
            "the kernel, with Null0 and a reverse route",
            &[DEFAULT, "ip route 10.0.0.0 255.0.0.0 Null0 250"],
            &["kernel", "range 10.2.0.0/16", "reverse 10.2.0.0/16"],
            &["capture 10.2.0.0/16 eth0"],
        ),
        (
            "the kernel, led elsewhere",
            &[DEFAULT, "ip route 10.2.0.0 255.255.0.0 10.1.1.2"],
            &["kernel", "range 10.2.0.0/16"],
            &["capture 10.2.0.0/16 throw"],
        ),
        (
            "a route that the kernel does not take leads nobody",
            &[DEFAULT, "ip route 10.2.0.0 255.255.0.0 GigabitEthernet0/1"],
            &["range 10.2.0.0/16", "refuses 10.2.0.0/16"],
            &["guard eth0 Strict", "capture 10.2.0.0/16 hubward0"],
        ),
    ];
    for (name, lines, special, wanted) in rows {
        let config = config(&[&[OUTSIDE, LAN], *lines].concat());
        let mut lab = Lab::new(special);
        let steps = lab.steps(&config);
        // what `reverse-route` adds to the main table has a test of its own
        let of_own = of_stage(&lab, &steps, Stage::Own).into_iter();
        let of_own: Vec<_> = of_own.filter(|line| !line.starts_with("reverse")).collect();
        assert_eq!(of_own, *wanted, "{name}");
        if lab.refused.is_empty() {
            settled(&mut lab, &config, name);
        }
    }
}

#[test]
fn what_is_captured_stays_so_while_it_changes() {
    let config = config(&[OUTSIDE, LAN]);
    let mut lab = Lab::new(&["range 10.2.0.0/16", "range 10.3.0.0/16"]);
    lab.steps(&config);
    lab.selected = ["10.2.0.0/17", "10.3.0.0/16"].map(|net| between("0.0.0.0/0", net)).into();
    let steps = lab.steps(&config);
    assert_eq!(
        of_stage(&lab, &steps, Stage::Own),
        ["capture 10.2.0.0/17 hubward0", "release 10.2.0.0/16 hubward0"]
    );
    // a route that another program removed is added again
    lab.seen.own.retain(|route| route.destination.prefix_len() != 17);
    let steps = lab.steps(&config);
    assert_eq!(of_stage(&lab, &steps, Stage::Own), ["capture 10.2.0.0/17 hubward0"]);
}

#[test]
fn a_start_and_a_change_of_one_address() {
    let lines = [OUTSIDE, LAN, "2 10.1.2.1/24", "ip route 0.0.0.0 0.0.0.0 198.51.100.1"];
    let mut lab = Lab::new(&["range 10.2.0.0/16"]);
    let all = |lab: &Lab, steps: &[Step]| steps.iter().map(|step| lab.words(step)).collect::<Vec<_>>();
    let steps = lab.steps(&config(&lines));
    assert_eq!(
        all(&lab, &steps),
        [
            "up eth0",
            "up eth1",
            "up eth2",
            "on 198.51.100.2/29 eth0",
            "on 10.1.1.1/24 eth1",
            "on 10.1.2.1/24 eth2",
            "set IpForward 1",
            "set RpFilter(\"hubward0\") 0",
            "open hubward0",
            "rule behind",
            "rule mark to 11102",
            "rule any: 0",
            "route 0.0.0.0/0 via 198.51.100.1 eth0 metric 1",
            "guard eth0 Strict",
            "capture 10.2.0.0/16 hubward0",
        ]
    );
    let changed = [OUTSIDE, LAN, "2 10.1.3.1/24", "ip route 0.0.0.0 0.0.0.0 198.51.100.1"];
    // a reload compares what Hubward did with what the machine shows
    lab.standing.correct_base(&lab.seen);
    let steps = lab.steps(&config(&changed));
    assert_eq!(all(&lab, &steps), ["away 10.1.2.1/24 eth2", "on 10.1.3.1/24 eth2"]);
}

#[test]
fn a_reload_repairs_what_somebody_changed_and_a_look_around_does_not() {
    let config = config(&[OUTSIDE, LAN]);
    let mut lab = Lab::new(&[]);
    lab.steps(&config);
    lab.turn("eth1", false);
    lab.seen.addresses.retain(|there| there.interface != 2);
    lab.seen.settings.insert(Setting::IpForward, "0".into());
    let steps = lab.steps(&config);
    assert!(of_stage(&lab, &steps, Stage::Base).is_empty());
    lab.standing.correct_base(&lab.seen);
    let steps = lab.steps(&config);
    assert_eq!(of_stage(&lab, &steps, Stage::Base), ["up eth1", "on 10.1.1.1/24 eth1", "set IpForward 1"]);
    // and the filter that keeps cleartext out
    lab.seen.settings.insert(Setting::RpFilter("eth0".into()), "0".into());
    let steps = lab.steps(&config);
    assert_eq!(of_stage(&lab, &steps, Stage::Own), ["guard eth0 Strict"]);
}

#[test]
fn a_peer_that_comes_is_captured_as_if_everything_were_planned() {
    let lines =
        [OUTSIDE, LAN, "ip route 10.2.7.0 255.255.255.0 10.1.1.2", "ip route 10.0.0.0 255.0.0.0 Null0 250"];
    let config = config(&lines);
    for (range, reverse) in [("10.2.0.0/16", true), ("10.2.0.0/16", false), ("192.168.5.0/24", false)] {
        let mut lab = Lab::new(&["range 10.3.0.0/16"]);
        lab.steps(&config);
        let mut captures = lab.plan(&config).captures;
        let range = between("0.0.0.0/0", range);
        let reverse: Vec<_> = reverse.then_some(reverse_route("10.2.0.0/16")).into_iter().collect();
        let more = captures.more(&[range], &reverse).unwrap();
        lab.selected.push(range);
        lab.reverse.extend(reverse);
        let steps = lab.steps(&config);
        let all: Vec<_> = steps
            .into_iter()
            .filter_map(|step| match step {
                Step::Capture(route) => Some(route),
                _ => None,
            })
            .collect();
        assert_eq!(more, all);
    }
    // one that may contain a peer decides for all
    let outside = between("0.0.0.0/0", "203.0.113.0/24");
    assert!(Lab::new(&[]).plan(&config).captures.more(&[outside], &[]).is_none());
    assert!(Lab::new(&["kernel"]).plan(&config).captures.more(&[], &[]).is_none());
}

/// A table and its rules follow the sources of what is captured, and no packet is without them in
/// between.
#[test]
fn rules_by_source_follow_the_tunnels() {
    let config = config(&[OUTSIDE, LAN, "ip route 10.2.7.0 255.255.255.0 10.1.1.2"]);
    let mut lab = Lab::new(&["range 10.1.0.0/16 10.2.0.0/16", "range 10.9.9.0/24"]);
    let led = |lab: &Lab, steps: &[Step]| -> Vec<String> {
        let words = steps.iter().map(|step| lab.words(step));
        let of_tables = ["rule", "no rule", "capture", "release"];
        words.filter(|line| of_tables.iter().any(|word| line.starts_with(word))).collect()
    };
    let steps = lab.steps(&config);
    assert_eq!(
        led(&lab, &steps),
        [
            "rule behind",
            "rule mark to 11102",
            "rule any: 0",
            "rule 10.1.0.0/16: 1",
            "rule own: 1",
            "capture 10.9.9.0/24 hubward0",
            "capture 10.2.0.0/16 hubward0 in 1",
            "capture 10.2.7.0/24 throw in 1",
        ]
    );
    settled(&mut lab, &config, "two tables");
    // a tunnel between networks of which one has a table needs a route, and one with another source
    // a plan
    let mut captures = lab.plan(&config).captures;
    let more = captures.more(&[between("10.1.0.0/16", "10.5.0.0/16")], &[]).unwrap();
    assert_eq!(
        more.into_iter().map(|route| lab.words(&Step::Capture(route))).collect::<Vec<_>>(),
        ["capture 10.5.0.0/16 hubward0 in 1"]
    );
    assert!(captures.more(&[between("10.4.0.0/16", "10.5.0.0/16")], &[]).is_none());
    // another source: the new rules lead to the new routes before the old ones go
    lab.selected = vec![between("10.4.0.0/16", "10.2.0.0/17"), between("0.0.0.0/0", "10.9.9.0/24")];
    let steps = lab.steps(&config);
    assert_eq!(
        led(&lab, &steps),
        [
            "rule 10.4.0.0/16: 2",
            "rule own: 2",
            "capture 10.2.0.0/17 hubward0 in 2",
            "capture 10.2.7.0/24 throw in 2",
            "release 10.2.0.0/16 hubward0 in 1",
            "release 10.2.7.0/24 throw in 1",
            "no rule 10.1.0.0/16: 1",
            "no rule own: 1",
        ]
    );
    settled(&mut lab, &config, "another table");
    // policies of the kernel look at the source themselves
    lab.change("kernel");
    let rules = lab.plan(&config).plan.rules;
    assert!(rules.iter().all(|rule| rule.source.is_none() && rule.arrived_by.is_none()), "{rules:?}");
}

/// The address that a DHCP server gives decides what a translation leads into a tunnel.
#[test]
fn rules_by_source_follow_the_address_of_a_translation() {
    let lines = [
        "0 dhcp map",
        LAN,
        "access-list 1 permit 172.16.0.0 0.0.255.255",
        "ip nat inside source list 1 interface GigabitEthernet0/0",
    ];
    let config = config(&lines);
    let mut lab = Lab::new(&["range 198.51.100.0/29 10.2.0.0/16", "lease eth0 203.0.113.2/24 203.0.113.1"]);
    let sources = |lab: &Lab| -> Vec<_> {
        let rules = lab.standing.rules.iter();
        rules.filter_map(|rule| rule.source.map(|net| net.to_string())).collect()
    };
    lab.steps(&config);
    assert_eq!(sources(&lab), ["198.51.100.0/29"]);
    lab.change("lease eth0 198.51.100.3/29 198.51.100.1");
    lab.steps(&config);
    assert_eq!(sources(&lab), ["172.16.0.0/16", "198.51.100.0/29"]);
    settled(&mut lab, &config, "another address");
}

#[test]
fn another_configuration_finds_its_addresses() {
    let config = config(&[OUTSIDE, "1 dhcp", "2 dhcp", "3 10.1.3.1/24 shut"]);
    let lab = Lab::new(&["lease eth1 10.8.0.5/24 10.8.0.1", "eth2 10.9.0.1/24"]);
    let names = [("GigabitEthernet0/0", "eth0"), ("GigabitEthernet0/1", "eth1")]
        .map(|(ios, linux)| (ios.to_string(), linux.to_string()));
    let expected = |names: Names| {
        let now = Situation {
            config: &config,
            names: &names,
            made: &MadeLinks::new(),
            closed: &[],
            carrier: &lab.carrier,
            keep_addresses: false,
            leases: &lab.leases,
            selected: &[],
            reverse: &[],
        };
        let (seen, _) = expected(&now, &lab.seen, &lab.standing);
        let found = seen.addresses_of(&config, &names);
        (0..4).map(|number| found.get(&InterfaceId(number)).copied()).collect::<Vec<_>>()
    };
    let address = |text: &str| Some(text.parse().unwrap());
    assert_eq!(expected(names.clone().into()), [address("198.51.100.2"), address("10.8.0.5"), None, None]);
    let mut more = Names::from(names);
    more.insert("GigabitEthernet0/2".into(), "eth2".into());
    more.insert("GigabitEthernet0/3".into(), "eth3".into());
    let adopted = [address("198.51.100.2"), address("10.8.0.5"), address("10.9.0.1"), None];
    assert_eq!(expected(more), adopted, "what the machine has already is adopted");
}
