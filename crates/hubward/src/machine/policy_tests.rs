//! Where decisions of policy routing lead.

use super::lab::{Lab, config, settled};
use super::{LAN, OUTSIDE};
use crate::machine::capture::ReversePath;
use crate::machine::plan::Step;
use crate::machine::policy::Change;
use hubward_linux::marks::{POLICY_CAPTURE_TABLE, POLICY_MASK, POLICY_SHIFT, POLICY_TABLE};
use hubward_linux::sysctl::Setting;

/// Another way out than that with the crypto map.
const SECOND: &str = "2 192.0.2.2/24";
const POLICY: &str = "interface GigabitEthernet0/1\n ip policy route-map R";

fn deciding(sets: &str) -> String {
    format!("route-map R permit 10\n {}", sets.replace("; ", "\n "))
}

fn lines(sets: &str) -> Vec<String> {
    [OUTSIDE, LAN, SECOND, POLICY].iter().map(ToString::to_string).chain([deciding(sets)]).collect()
}

fn with(lines: &[String]) -> hubward_config::model::Config {
    config(&lines.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The steps of policy routing.
fn steps(lab: &mut Lab, lines: &[String]) -> Vec<String> {
    let config = with(lines);
    let steps = lab.steps(&config);
    let of_policy = steps.iter().filter(|step| matches!(step, Step::Policy(_)));
    let words = of_policy.map(|step| lab.words(step)).collect();
    // links that came up work now
    while !lab.steps(&config).is_empty() {}
    words
}

#[test]
fn the_first_way_that_is_there_leads() {
    const DEFAULT: &str = "ip route 0.0.0.0 0.0.0.0 198.51.100.1";
    const BRANCH: &str = "ip route 10.9.0.0 255.255.0.0 10.1.1.9";
    // the sets, what is special about the machine, further lines, and the routes
    type Row<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);
    let rows: &[Row] = &[
        ("set ip next-hop 192.0.2.1", &[], &[], &["way 0.0.0.0/0 via 192.0.2.1 eth2"]),
        // in no connected network, its own address, and one behind the router
        ("set ip next-hop 203.0.113.7", &[], &[DEFAULT], &[]),
        ("set ip next-hop 192.0.2.2", &[], &[], &[]),
        ("set ip next-hop 10.9.0.1", &[], &[BRANCH], &[]),
        ("set ip next-hop 203.0.113.7 192.0.2.9", &[], &[], &["way 0.0.0.0/0 via 192.0.2.9 eth2"]),
        (
            "set ip next-hop 192.0.2.1 198.51.100.3",
            &["eth2 down"],
            &[],
            &["way 0.0.0.0/0 via 198.51.100.3 eth0"],
        ),
        ("set ip next-hop 192.0.2.1", &["eth2 down"], &[], &[]),
        ("set interface Null0", &[], &[], &["way 0.0.0.0/0 blackhole"]),
        ("set ip next-hop 192.0.2.1; set interface Null0", &["eth2 down"], &[], &["way 0.0.0.0/0 blackhole"]),
        // what a tunnel should carry takes no other way
        ("set interface Tunnel7 GigabitEthernet0/2", &[], &[], &["way 0.0.0.0/0 unreachable"]),
        (
            "set ip next-hop 10.77.0.2",
            &[],
            &["interface Tunnel7\n ip address 10.77.0.1 255.255.255.0"],
            &["way 0.0.0.0/0 unreachable"],
        ),
        // an interface leads where a route does
        (
            "set interface GigabitEthernet0/2",
            &[],
            &[DEFAULT, BRANCH, "ip route 10.8.0.0 255.255.0.0 192.0.2.8"],
            &[
                "way 10.1.1.0/24 eth2",
                "way 10.8.0.0/16 via 192.0.2.8 eth2",
                "way 10.9.0.0/16 eth2",
                "way 192.0.2.0/24 eth2",
                "way 198.51.100.0/29 eth2",
            ],
        ),
        // behind explicit routes, and behind those of reverse-route, but before the default route
        (
            "set ip default next-hop 192.0.2.1",
            &["reverse 10.2.0.0/16"],
            &[DEFAULT, BRANCH],
            &[
                "way 0.0.0.0/0 via 192.0.2.1 eth2",
                "way 10.1.1.0/24 throw",
                "way 10.2.0.0/16 throw",
                "way 10.9.0.0/16 throw",
                "way 192.0.2.0/24 throw",
                "way 198.51.100.0/29 throw",
            ],
        ),
        (
            "set default interface Null0",
            &[],
            &["interface Tunnel7\n ip address 10.77.0.1 255.255.255.0"],
            &[
                "way 0.0.0.0/0 blackhole",
                "way 10.1.1.0/24 throw",
                "way 10.77.0.0/24 throw",
                "way 192.0.2.0/24 throw",
                "way 198.51.100.0/29 throw",
            ],
        ),
        ("set ip precedence 5", &[], &[], &[]),
    ];
    for (sets, special, more, wanted) in rows {
        let mut lines = lines(sets);
        lines.extend(more.iter().map(ToString::to_string));
        let mut lab = Lab::new(&[]);
        steps(&mut lab, &lines);
        special.iter().for_each(|line| lab.change(line));
        steps(&mut lab, &lines);
        let told =
            lab.standing.policy.routes.values().map(|route| {
                lab.words(&Step::Policy(Change::RouteOn(route.clone()))).replacen("policy ", "", 1)
            });
        assert_eq!(told.collect::<Vec<_>>(), *wanted, "{sets} {special:?}");
        let rules = usize::from(!wanted.is_empty());
        assert_eq!(lab.standing.policy.rules.len(), rules, "{sets}: {:?}", lab.standing.policy.rules);
        settled(&mut lab, &with(&lines), sets);
    }
}

#[test]
fn each_decision_has_its_mark_and_table() {
    let mut lab = Lab::new(&[]);
    let mut lines = lines("set ip next-hop 192.0.2.1");
    lines.push("route-map R permit 20\n set interface Null0".into());
    steps(&mut lab, &lines);
    let config = with(&lines);
    let numbers = hubward_config::policy_routing::numbers(&config);
    let mut expected: Vec<_> = numbers.into_values().map(u32::from).collect();
    let rules = &lab.standing.policy.rules;
    let mut found: Vec<_> = rules.iter().map(|rule| rule.table - POLICY_TABLE).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);
    for rule in rules {
        assert_eq!(rule.mark, Some(((rule.table - POLICY_TABLE) << POLICY_SHIFT, POLICY_MASK)));
        assert_eq!(rule.priority, 11_091);
    }
}

/// What a decision leads to the crypto interface is seen by its crypto map; what it leads elsewhere is
/// not, and what it leaves to the routes is captured as ever.
#[test]
fn a_crypto_map_sees_what_is_led_to_its_interface() {
    let captured = |sets: &str, more: &[&str], ranges: &[&str]| {
        let mut lines = lines(sets);
        lines.extend(more.iter().map(ToString::to_string));
        let ranges: Vec<String> = ranges.iter().map(|net| format!("range {net}")).collect();
        let mut lab = Lab::new(&ranges.iter().map(String::as_str).collect::<Vec<_>>());
        steps(&mut lab, &lines);
        let policy = &lab.standing.policy;
        let rules = policy.rules.iter().filter(|rule| rule.table > POLICY_CAPTURE_TABLE);
        let of_first = |rule: &&hubward_linux::rule::Rule| {
            rule.priority == 11_090 && rule.mark.is_some_and(|(_, mask)| mask == POLICY_MASK)
        };
        let rules: Vec<_> = rules.collect();
        assert!(rules.iter().all(of_first), "{rules:?}");
        let routes = policy.routes.values().filter(|route| route.table > POLICY_CAPTURE_TABLE);
        let told: Vec<_> =
            routes.map(|route| lab.words(&Step::Policy(Change::RouteOn(route.clone())))).collect();
        assert_eq!(rules.is_empty(), told.is_empty());
        told
    };
    let out = "set ip next-hop 198.51.100.3";
    assert_eq!(captured(out, &[], &["10.2.0.0/16"]), ["policy captured 10.2.0.0/16 hubward0"]);
    assert_eq!(captured("set ip next-hop 192.0.2.1", &[], &["10.2.0.0/16"]), [""; 0]);
    assert_eq!(captured("set interface Null0", &[], &["10.2.0.0/16"]), [""; 0]);
    // although the routes lead there by another interface
    let lan = "ip route 10.2.0.0 255.255.0.0 10.1.1.9";
    assert_eq!(captured(out, &[lan], &["10.2.0.0/16"]), ["policy captured 10.2.0.0/16 hubward0"]);
    // but not if the decision is only for what has no route
    let default = "set ip default next-hop 198.51.100.3";
    let part = "ip route 10.2.7.0 255.255.255.0 10.1.1.9";
    assert_eq!(
        captured(default, &[part], &["10.2.0.0/16", "10.3.0.0/16"]),
        [
            "policy captured 10.2.0.0/16 hubward0",
            "policy captured 10.2.7.0/24 throw",
            "policy captured 10.3.0.0/16 hubward0"
        ]
    );
    assert_eq!(captured(default, &[lan], &["10.2.0.0/16"]), ["policy captured 10.2.0.0/16 throw"]);
    // of two crypto interfaces, the data plane asks that to which the routes lead
    let second = "interface GigabitEthernet0/2\n crypto map CM";
    let route = "ip route 10.2.0.0 255.255.0.0 198.51.100.3";
    let other = "ip route 10.2.0.0 255.255.0.0 192.0.2.1";
    assert_eq!(captured(out, &[second, route], &["10.2.0.0/16"]), ["policy captured 10.2.0.0/16 hubward0"]);
    assert_eq!(
        captured(out, &[second, other], &["10.2.0.0/16"]),
        ["policy captured 10.2.0.0/16 unreachable"]
    );
}

#[test]
fn a_change_never_leads_packets_to_a_table_that_is_not_complete() {
    let mut lab = Lab::new(&["range 10.2.0.0/16"]);
    let first = lines("set ip next-hop 192.0.2.1");
    let all = ["policy way 0.0.0.0/0 via 192.0.2.1 eth2", "policy rule 11091"];
    steps(&mut lab, &[OUTSIDE.into(), LAN.into(), SECOND.into()]);
    assert_eq!(steps(&mut lab, &first), all);
    assert_eq!(
        steps(&mut lab, &lines("set ip next-hop 198.51.100.3")),
        [
            "policy way 0.0.0.0/0 via 198.51.100.3 eth0",
            "policy captured 10.2.0.0/16 hubward0",
            "policy rule 11091",
            "policy rule 11089",
            "policy rule 11090",
            "no policy rule 11091",
            "no policy way 0.0.0.0/0 via 192.0.2.1 eth2",
        ]
    );
    assert_eq!(
        steps(&mut lab, &[OUTSIDE.into(), LAN.into(), SECOND.into(), POLICY.into()]),
        [
            "no policy rule 11090",
            "no policy rule 11089",
            "no policy rule 11091",
            "no policy way 0.0.0.0/0 via 198.51.100.3 eth0",
            "no policy captured 10.2.0.0/16 hubward0",
        ]
    );
    // what somebody removes is there again
    steps(&mut lab, &first);
    lab.seen.rules.clear();
    lab.seen.policy.clear();
    assert_eq!(steps(&mut lab, &first), all);
}

/// The routes back do not lead where a decision leads out.
#[test]
fn answers_come_in_where_decisions_lead_out() {
    let setting = |name: &str| Setting::RpFilter(name.to_owned());
    for (all, link, expected) in
        [("0", "0", None), ("1", "0", Some("2")), ("0", "1", Some("2")), ("2", "1", None)]
    {
        let mut lab = Lab::new(&[]);
        lab.seen.settings.insert(setting("all"), all.into());
        lab.seen.settings.insert(setting("eth2"), link.into());
        let config = with(&lines("set ip next-hop 192.0.2.1"));
        let planned = lab.plan(&config).plan;
        assert_eq!(planned.settings.get(&setting("eth2")).copied(), expected, "{all} {link}");
        assert_eq!(planned.settings.get(&setting("eth1")), None);
    }
    for (hop, expected) in [("198.51.100.3", ReversePath::Loose), ("192.0.2.1", ReversePath::Strict)] {
        let mut lab = Lab::new(&["range 10.2.0.0/16"]);
        steps(&mut lab, &lines(&format!("set ip next-hop {hop}")));
        assert_eq!(lab.standing.reverse_paths.get("eth0"), Some(&expected), "{hop}");
    }
}
