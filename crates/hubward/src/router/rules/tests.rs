//! The rules of whole configurations. That the kernel takes them, and does what they say, is tested
//! with real packets in `tests/interop`.

use super::{Here, Rules, rules};
use crate::machine::view::Names;
use hubward_config::model::{Minute, Moment};
use std::path::Path;

const HQ: &str = include_str!("../../../../../examples/hq-2911.cfg");

pub(super) fn names(pairs: &[(&str, &str)]) -> Names {
    pairs.iter().map(|(ios, linux)| ((*ios).to_owned(), (*linux).to_owned())).collect()
}

pub(super) fn noon(weekday: u8) -> Moment {
    Moment { at: Minute { year: 2026, month: 11, day: 30, minute: 720 }, weekday }
}

fn of(text: &str, moment: Moment) -> Rules {
    let names = names(&[
        ("GigabitEthernet0/0", "eth0"),
        ("GigabitEthernet0/1", "eth1"),
        ("GigabitEthernet0/2", "eth2"),
    ]);
    let parsed = hubward_config::parse(text);
    let here = Here {
        names: &names,
        leased: &[],
        tun: Some("hubward0"),
        moment,
        inner_again: crate::router::inner_again(&parsed.config),
        follows: true,
        leaving: &[],
    };
    rules(&parsed, here)
}

/// `HUBWARD_BLESS=1` writes the file again: review the difference.
#[test]
fn the_headquarters_router_has_the_rules_that_are_written_down() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/router/rules/hq-2911.nft");
    let made = of(HQ, noon(0)).text;
    if std::env::var_os("HUBWARD_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    assert_eq!(made, std::fs::read_to_string(path).unwrap());
}

/// The rules of a list on the inside interface, by the list's lines.
fn list(lines: &str) -> Rules {
    let text = format!(
        "interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n ip access-group L in\nip access-list extended L\n{lines}"
    );
    of(&text, noon(0))
}

/// Lines of one shape are one look-up, and keep their order with the lines around them.
#[test]
fn lines_of_one_shape_become_a_map() {
    let hosts: String = (1..=20).map(|host| format!(" permit tcp host 10.1.1.{host} any eq 443\n")).collect();
    let made = list(&format!(" deny tcp host 10.1.1.7 any eq 443\n{hosts} permit udp any any eq 53\n"));
    let chain: Vec<&str> =
        made.text.lines().skip_while(|line| *line != "  chain list_0 {").take(6).map(str::trim).collect();
    assert!(chain[1].starts_with("ip saddr 10.1.1.7 ip protocol 6 th dport 443 counter name"), "{chain:?}");
    assert_eq!(chain[2], "ip protocol 6 counter name ip saddr . th dport map @list_0_1 return");
    assert!(chain[3].starts_with("ip protocol 17 th dport 53 counter name"), "{chain:?}");
    assert_eq!(chain[4], "goto refuse");
    assert_eq!(made.counters.len(), 22, "each line has its counter");
    // the first of two lines that meet the same packet counts it: they are not in one map
    let nested: String =
        (1..=20).map(|length| format!(" permit ip 10.0.0.0 0.{length}.255.255 any\n")).collect();
    assert!(!list(&nested).text.contains("map list_0"));
}

/// Lines that differ in one key only are one map, whichever it is.
#[test]
fn lines_with_one_source_or_one_destination_are_one_map() {
    type Line = fn(usize) -> String;
    let lines: [Line; 4] = [
        |n| format!(" permit tcp host 10.1.1.7 host 10.2.{}.{} eq 443\n", n / 250, n % 250),
        |n| format!(" permit tcp host 10.2.{}.{} host 10.1.1.7 eq 443\n", n / 250, n % 250),
        |n| format!(" permit tcp host 10.1.1.7 host 10.1.1.8 eq {}\n", n + 1),
        |n| format!(" permit tcp host 10.1.1.{} host 10.2.1.{} eq 443\n", n % 40, n / 40),
    ];
    for line in lines {
        let made = list(&(0..1000).map(line).collect::<String>());
        assert_eq!(made.text.matches("  map list_0_").count(), 1);
        assert_eq!(made.counters.len(), 1000);
    }
}

/// Four times as many lines are four times as many rules, in four times the time.
#[test]
fn rules_grow_with_the_lines() {
    let text = |lines: usize| -> String {
        (0..lines)
            .map(|n| {
                let (high, low) = (n / 250, n % 250);
                match n % 4 {
                    0 => format!(" permit tcp host 10.1.1.7 host 10.2.{high}.{low} eq 443\n"),
                    1 => format!(" deny udp 10.{}.{low}.0 0.0.0.255 any eq 53\n", high + 3),
                    2 => format!(" permit tcp host 10.1.1.7 host 10.2.1.1 range {n} {}\n", n + 2),
                    _ => format!(" permit ip host 10.1.{high}.{low} any log\n"),
                }
            })
            .collect()
    };
    let same = |lines: usize| -> String {
        (0..lines)
            .map(|n| format!(" permit ip host 10.1.1.7 10.2.{}.{} 0.0.0.0\n", n / 250, n % 250))
            .collect()
    };
    let cost = |lines: &str| {
        let before = taken();
        let made = list(lines);
        (made.text.len(), taken() - before)
    };
    let makes: [&dyn Fn(usize) -> String; 2] = [&text, &same];
    for make in makes {
        let grows = (0..3)
            .map(|_| (cost(&make(1000)), cost(&make(4000))))
            .find(|(few, many)| many.0 <= few.0 * 5 && many.1 <= few.1.max(3000) * 10);
        assert!(grows.is_some(), "{:?}, {:?}", cost(&make(1000)), cost(&make(4000)));
    }
}

/// Time of the processor that this thread has taken, in microseconds.
fn taken() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap() / 1000
}

/// nftables takes no empty set: before DHCP has given an address, there are no addresses.
#[test]
fn without_an_address_no_set_is_empty() {
    let text = "interface GigabitEthernet0/0\n ip address dhcp\n ip nat outside\n ip verify unicast source reachable-via rx\n\
                interface GigabitEthernet0/1\n ip nat inside\n\
                ip nat inside source list 1 interface GigabitEthernet0/0 overload\naccess-list 1 permit 10.1.0.0 0.0.255.255\n";
    let made = of(text, noon(0)).text;
    assert!(made.contains("  chain untranslated {\n    jump leaves_0\n"), "{made}");
    assert!(made.contains("    fib saddr . mark . iif oif missing drop\n    drop\n"), "{made}");
}

/// Packets that a source check would drop, and that its list lets pass, are counted by the list.
#[test]
fn the_list_of_a_source_check_counts() {
    let text = "interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n ip verify unicast reverse-path 1\naccess-list 1 permit 10.7.0.0 0.0.255.255\n";
    let made = of(text, noon(0));
    let line = made.text.lines().find(|line| line.contains("10.7.0.0")).unwrap();
    assert!(line.contains(" counter name \"line_") && line.ends_with(" return"), "{line}");
    assert_eq!(made.counters.len(), 1);
}

/// A line keeps its counter when lines around it come, go or are renumbered.
#[test]
fn a_line_keeps_its_counter() {
    let line = " permit tcp any host 10.1.1.9 eq 22\n";
    let counter = |text: &str| {
        let made = list(text);
        let rule = made.text.lines().find(|rule| rule.contains("dport 22")).unwrap().to_owned();
        rule.split('"').nth(1).unwrap().to_owned()
    };
    let alone = counter(line);
    assert_eq!(counter(&format!(" 5 deny ip host 10.1.1.5 any\n{line}")), alone);
    assert_eq!(counter(&line.replace(" permit", " 77 permit")), alone);
    assert_ne!(counter(&line.replace("10.1.1.9", "10.1.1.8")), alone);
    assert_eq!(list(&format!("{line} remark x\n")).counters.len(), 1);
}

/// What cannot be said to nftables, or is not known, permits nothing and denies everything.
#[test]
fn a_line_that_cannot_be_held_closes() {
    for (lines, expected) in [
        (" permit ip object-group NONE any\n permit icmp any any\n", "ip protocol 1 counter"),
        (" permit ip any any option 7\n permit icmp any any\n", "ip protocol 1 counter"),
    ] {
        let made = list(lines);
        let first = made.text.lines().skip_while(|line| *line != "  chain list_0 {").nth(1).unwrap();
        assert!(first.trim().starts_with(expected), "{lines}: {first}");
    }
    for lines in [
        " deny ip object-group NONE any\n permit ip any any\n",
        " deny ip any any option 7\n permit ip any any\n",
    ] {
        let made = list(lines);
        let first = made.text.lines().skip_while(|line| *line != "  chain list_0 {").nth(1).unwrap();
        assert!(
            first.trim().starts_with("counter name") && first.ends_with("goto refuse"),
            "{lines}: {first}"
        );
    }
    // a list that does not exist permits everything, as on IOS
    let none = "interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n ip access-group L in\n";
    assert_eq!(of(none, noon(0)), Rules::default());
}

#[test]
fn a_time_range_begins_and_ends() {
    let text = "interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n ip access-group L in\n\
                time-range WORK\n periodic weekdays 8:00 to 17:00\n\
                ip access-list extended L\n permit tcp any any eq 80 time-range WORK\n permit icmp any any\n";
    assert!(of(text, noon(0)).text.contains("th dport 80"));
    assert!(!of(text, noon(6)).text.contains("th dport 80"));
}

/// What an entry of a route map denies is not for this rule, and the entries behind it do not see
/// it.
#[test]
fn a_route_map_denies_by_its_lists() {
    let text = "interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n ip nat outside\n\
                interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n ip nat inside\n\
                ip nat inside source route-map R interface GigabitEthernet0/0 overload\n\
                access-list 101 permit ip any 10.2.0.0 0.0.255.255\naccess-list 102 permit ip 10.1.0.0 0.0.255.255 any\n\
                route-map R deny 10\n match ip address 101\nroute-map R permit 20\n match ip address 102\n";
    let made = of(text, noon(0)).text;
    let has = |part: &str| assert!(made.contains(part), "{part} is not in\n{made}");
    has("    ip daddr 10.2.0.0/16 return\n    goto after_to_0_0\n");
    // another condition that does not hold leaves the packet to the entries behind
    let two =
        text.replace("route-map R deny 10\n", "route-map R deny 10\n match interface GigabitEthernet0/0\n");
    let made_of_two = of(&two, noon(0)).text;
    assert!(
        made_of_two.contains("goto list_1\n    goto after_to_0_0\n")
            || made_of_two.contains("goto list_0\n    goto after_to_0_0\n"),
        "{made_of_two}"
    );
    has("  chain after_to_0_0 {\n    jump list_0\n");
    has("    ip saddr 10.1.0.0/16 goto to_0\n");
    has("    snat to 198.51.100.2\n");
    // ports of this router are not given away
    has("    ip protocol 17 th sport { 67, 68, 500, 4500 } snat to 198.51.100.2:5000-65535\n");
    has("    ip protocol 6 th sport 22 snat to 198.51.100.2:5000-65535\n");
    // what belongs to no connection is chosen in the same way, and dropped
    has("  chain untranslated {\n    ip saddr 198.51.100.2 return\n    jump leaves_0\n");
    has("  chain left_0 {\n    drop\n");
    has("  chain after_left_0_0 {\n");
    has("oifname \"eth0\" ct state { invalid, untracked } jump untranslated\n");
}

/// Whoever uses the address of the router outside does not get what is for its IKE.
#[test]
fn ike_of_this_router_makes_no_connection() {
    let text = "crypto map M 10 ipsec-isakmp\n set peer 203.0.113.1\n match address 101\n\
                interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n ip nat outside\n crypto map M\n\
                interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n ip nat inside\n\
                ip nat inside source list 1 pool P overload\nip nat pool P 198.51.100.2 198.51.100.4 prefix-length 29\n\
                access-list 1 permit 10.1.0.0 0.0.255.255\n";
    let made = of(text, noon(0)).text;
    let own = "    iifname \"eth0\" ip daddr 198.51.100.2 udp dport { 500, 4500 } notrack\n";
    assert!(made.contains(own), "{made}");
    let pool = "    ip protocol 6 th sport 22 snat to 198.51.100.2-198.51.100.4:5000-65535 persistent\n";
    assert!(made.contains(pool), "{made}");
    let other = of(&text.replace("198.51.100.2 198.51.100.4", "198.51.100.3 198.51.100.4"), noon(0)).text;
    assert!(!other.contains("sport 22"), "{other}");
}

/// A pool without `overload`: what has no address in its map is reported and dropped.
#[test]
fn a_pool_without_overload_is_two_maps() {
    let text = "interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n ip nat outside\n\
                interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n ip nat inside\n\
                ip nat inside source list 1 pool P\nip nat pool P 198.51.100.2 198.51.100.4 prefix-length 29\n\
                ip nat translation timeout 600\naccess-list 1 permit 10.1.0.0 0.0.255.255\n";
    let made = of(text, noon(0));
    let has = |part: &str| assert!(made.text.contains(part), "{part} is not in\n{}", made.text);
    has("  map pool_50_out {\n    type ipv4_addr : ipv4_addr\n  }\n");
    has("  map pool_50_in {\n    type ipv4_addr : ipv4_addr\n  }\n");
    has(
        "  set pool_50_busy_600 {\n    type ipv4_addr\n    size 131072\n    flags dynamic,timeout\n    timeout 600s\n",
    );
    assert_eq!(
        rules_of(&made.text, "to_0"),
        [
            "ip saddr @pool_50_busy_600 update @pool_50_busy_600 { ip saddr }",
            "snat to ip saddr map @pool_50_out",
            "ip saddr != @pool_50_asking add @pool_50_asking { ip saddr } log prefix \"hubward pool 50\" group 18520 snaplen 64 queue-threshold 1",
            "drop",
        ]
    );
    assert_eq!(
        rules_of(&made.text, "static_back"),
        [
            "ip daddr @pool_50_busy_600 update @pool_50_busy_600 { ip daddr }",
            "dnat to ip daddr map @pool_50_in"
        ]
    );
    assert_eq!(made.pools.len(), 1);
    // a route map chooses packets from inside, and none from outside
    let by_map =
        text.replace("list 1 pool", "route-map R pool") + "route-map R permit 10\n match ip address 1\n";
    let made = of(&by_map, noon(0));
    assert!(
        made.text.contains("snat to ip saddr map @pool_50_out") && !made.text.contains("dnat to"),
        "{}",
        made.text
    );
    // nothing has an address of a pool that is not there
    let none = of(&text.replace("ip nat pool P", "ip nat pool Q"), noon(0));
    assert_eq!(rules_of(&none.text, "to_0"), ["drop"]);
    assert!(none.pools.is_empty());
}

/// What leaves an interface that goes stays stopped until it is down.
#[test]
fn links_that_are_about_to_be_shut_down_are_closed() {
    let text = "interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n";
    let (parsed, names) = (hubward_config::parse(text), names(&[("GigabitEthernet0/1", "eth1")]));
    let leaving = ["eth2".to_owned()];
    let here = Here {
        names: &names,
        leased: &[],
        tun: Some("hubward0"),
        moment: noon(0),
        inner_again: false,
        follows: true,
        leaving: &leaving,
    };
    let made = rules(&parsed, here).text;
    assert!(made.contains("iifname \"eth2\" drop") && made.contains("oifname \"eth2\" drop"), "{made}");
}

/// A crypto map for every address leads everything into the TUN; the routes of the configuration
/// count.
#[test]
fn a_source_check_looks_past_the_routes_into_the_tun() {
    let text = "interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n\
                \u{20}ip verify unicast source reachable-via rx allow-default 5\naccess-list 5 permit 192.0.2.7\n";
    let made = of(text, noon(0)).text;
    let chain = "  chain from_0 {\n    meta mark set meta mark | 0x4857\n    fib saddr . mark . iif oif missing jump list_0\n    meta mark set meta mark & 0xffff0000\n  }\n";
    assert!(made.contains(chain), "{made}");
    assert!(made.contains("  chain list_0 {\n    ip saddr 192.0.2.7 counter name "), "{made}");
    assert!(made.contains("\" return\n    goto forged_0\n"), "{made}");
}

/// The usual line of two providers: a port by a route map.
#[test]
fn a_static_port_by_a_route_map_names_its_protocol() {
    let text = "interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n ip nat outside\n\
                interface GigabitEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n ip nat inside\n\
                ip nat inside source static tcp 10.1.1.5 80 198.51.100.3 80 route-map R extendable\n\
                route-map R permit 10\n match interface GigabitEthernet0/0\n";
    let made = of(text, noon(0)).text;
    assert!(made.contains("    ip protocol 6 snat to 198.51.100.3:80\n"), "{made}");
}

/// A release before 12.4 filters what comes out of a tunnel by the list of the interface again.
#[test]
fn an_old_release_filters_the_inner_packet_again() {
    let text = |version: &str| {
        format!(
            "version {version}\ncrypto map M 10 ipsec-isakmp\n set peer 203.0.113.1\n match address 101\n\
             access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\naccess-list 102 permit ip any any\n\
             interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n ip access-group 102 in\n crypto map M\n"
        )
    };
    let again = "iifname \"hubward0\" jump list_0";
    assert!(of(&text("12.3"), noon(0)).text.contains(again));
    assert!(!of(&text("12.4"), noon(0)).text.contains(again));
}

/// Policy routing on the inside interface and for the router's own packets.
const BY_POLICY: &str = "\
interface GigabitEthernet0/0
 ip address 198.51.100.2 255.255.255.0
 crypto map M
 ip policy route-map OUT
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
 ip policy route-map IN
ip local policy route-map IN
crypto map M 10 ipsec-isakmp
 set peer 203.0.113.10
 match address TUNNEL
ip access-list extended TUNNEL
 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
access-list 1 permit 10.1.1.7
access-list 2 permit 10.1.1.0 0.0.0.255
access-list 3 deny 10.1.1.8
access-list 3 permit any
route-map IN deny 10
 match ip address 1
route-map IN permit 20
 match ip address 2 3
 match length 100 70000
 set ip next-hop 192.0.2.1
route-map IN permit 30
 set ip precedence 5
route-map OUT permit 10
 set interface Null0
";

/// The rules of a chain.
fn rules_of<'t>(text: &'t str, chain: &str) -> Vec<&'t str> {
    let head = format!("  chain {chain} {{");
    let inside = text.lines().skip_while(|line| *line != head).skip(1);
    inside.take_while(|line| *line != "  }").map(str::trim).collect()
}

#[test]
fn entries_of_route_maps_mark_packets() {
    let made = of(BY_POLICY, noon(0));
    let text = made.text.as_str();
    let config = hubward_config::parse(BY_POLICY).config;
    let numbers = hubward_config::policy_routing::numbers(&config);
    let mark = |map: usize, entry: usize| {
        let decision = hubward_config::policy_routing::ways(&config.route_maps[map].entries[entry]);
        format!("meta mark set meta mark & 0xf00fffff | {:#010x}", u32::from(numbers[&decision]) << 20)
    };
    assert_eq!(
        rules_of(text, "by_policy"),
        [
            "type filter hook prerouting priority -95; policy accept;",
            "fib daddr type { local, broadcast, multicast } return",
            "iifname \"eth0\" jump policy_1",
            "iifname \"eth1\" jump policy_0",
            // what comes out of tunnels
            "iifname \"hubward0\" jump policy_1",
        ]
    );
    assert_eq!(
        rules_of(text, "local_policy"),
        [
            "type route hook output priority -150; policy accept;",
            "oifname \"lo\" return",
            "meta mark & 0x0001ffff == 0x00014857 return".replace("0x000", "0x").as_str(),
            "fib daddr type { local, broadcast, multicast } return",
            "jump policy_0",
        ]
    );
    // what list 1 permits is routed as ever; the rest goes on
    let first = rules_of(text, "policy_0");
    assert_eq!(first, ["goto but_policy_0_10_0_0"]);
    let deny = rules_of(text, "but_policy_0_10_0_0");
    assert_eq!(deny.last(), Some(&"goto after_policy_0_10_0"));
    let after = rules_of(text, "after_policy_0_10_0");
    assert_eq!(after.len(), 3, "{after:?}");
    assert!(after[..2].iter().all(|rule| rule.starts_with("ip length 100-65535 jump list_")), "{after:?}");
    assert_eq!(after[2], "goto policy_0_30");
    // a packet that an entry means is not asked about again
    let decided = rules_of(text, "policy_0_20");
    assert_eq!(decided[1..], [mark(0, 1).as_str(), "accept"]);
    assert_eq!(rules_of(text, "policy_0_30")[1..], ["accept"], "it only marks, which is not done");
    assert_eq!(rules_of(text, "policy_1_10")[1..], [mark(1, 0).as_str(), "accept"]);
    let counted = made.counters.iter().filter(|name| name.starts_with("entry_")).count();
    assert_eq!(counted, 3, "the entries that permit");
    // answers come in wherever decisions lead out, but nothing from behind the tunnel in clear
    assert_eq!(
        rules_of(text, "policy_sources")[1..],
        ["iifname \"eth0\" fib saddr oifname \"hubward0\" drop"]
    );
    // ESP of a peer in the network behind the tunnel comes in
    let inside = BY_POLICY.replace("203.0.113.10", "10.2.0.1");
    assert!(!of(&inside, noon(0)).text.contains("policy_sources"));
    // without decisions, nothing is marked
    let none = BY_POLICY
        .replace(" ip policy route-map OUT\n", "")
        .replace("route-map IN permit 20", "route-map IN deny 20");
    let none = of(&none, noon(0)).text;
    assert!(!none.contains("meta mark set") && !none.contains("policy_sources"), "{none}");
}

/// Filters of crypto map entries: the crypto access lists lead packets to them.
const TUNNELS: &str = "\
interface GigabitEthernet0/0
 ip address 198.51.100.2 255.255.255.0
 crypto map M
interface GigabitEthernet0/1
 ip address 10.1.1.1 255.255.255.0
crypto map M 10 ipsec-isakmp
 set peer 203.0.113.10
 set ip access-group IN in
 set ip access-group OUT out
 match address TEN
crypto map M 20 ipsec-isakmp
 set peer 203.0.113.20
 set ip access-group OUT out
 match address TWENTY
ip access-list extended TEN
 deny ip host 10.1.1.9 any
 permit tcp 10.1.0.0 0.0.255.255 eq 443 10.2.0.0 0.0.255.255
ip access-list extended TWENTY
 permit ip any 10.3.0.0 0.0.255.255
ip access-list extended IN
 permit tcp any any eq 80
ip access-list extended OUT
 permit udp any any
";

#[test]
fn filters_of_entries_are_asked_by_their_crypto_lists() {
    let made = of(TUNNELS, noon(0));
    let text = made.text.as_str();
    assert_eq!(
        rules_of(text, "out_of_tunnels"),
        [
            "type filter hook prerouting priority -155; policy accept;",
            "iifname \"hubward0\" jump out_of_tunnels_0"
        ]
    );
    let inner = rules_of(text, "out_of_tunnels_0");
    let list = inner.first().and_then(|rule| rule.rsplit_once("goto ")).map(|(_, list)| list).unwrap();
    // mirrored, without the `deny` line, and with later fragments, which have no ports
    assert_eq!(
        inner,
        [
            format!("ip saddr 10.2.0.0/16 ip daddr 10.1.0.0/16 ip protocol 6 th dport 443 goto {list}"),
            format!(
                "ip saddr 10.2.0.0/16 ip daddr 10.1.0.0/16 ip protocol 6 ip frag-off & 0x1fff != 0 goto {list}"
            ),
        ]
    );
    // what is denied is dropped without an answer
    let filter = rules_of(text, list);
    assert!(filter[0].starts_with("ip protocol 6 th dport 80 counter name \"line_"), "{filter:?}");
    assert_eq!(filter.last(), Some(&"drop"));
    assert_eq!(
        rules_of(text, "into_tunnels"),
        [
            "type filter hook postrouting priority 155; policy accept;",
            "oifname \"hubward0\" jump into_tunnels_0"
        ]
    );
    // what the first list denies is for the second one
    let outer = rules_of(text, "into_tunnels_0");
    assert_eq!(outer.len(), 4, "{outer:?}");
    assert_eq!(outer[0], "ip saddr 10.1.1.9/32 goto into_tunnels_0_0");
    assert!(
        outer[1]
            .starts_with("ip saddr 10.1.0.0/16 ip daddr 10.2.0.0/16 ip protocol 6 th sport 443 goto list_")
    );
    assert_eq!(outer[3], "goto into_tunnels_0_0");
    let second = rules_of(text, "into_tunnels_0_0");
    assert!(second.len() == 1 && second[0].starts_with("ip daddr 10.3.0.0/16 goto list_"), "{second:?}");
    assert_eq!(made.counters.len(), 2, "the crypto lists are not counted by it");
}

/// With the kernel as data plane, packets go into tunnels by the crypto interface, and come out of
/// them by any.
#[test]
fn filters_of_entries_with_the_kernel_as_data_plane() {
    let names = names(&[("GigabitEthernet0/0", "eth0"), ("GigabitEthernet0/1", "eth1")]);
    let parsed = hubward_config::parse(TUNNELS);
    let here = Here {
        names: &names,
        leased: &[],
        tun: None,
        moment: noon(0),
        inner_again: false,
        follows: true,
        leaving: &[],
    };
    let made = rules(&parsed, here).text;
    // by whichever interface ESP came
    assert!(made.contains("    meta secpath exists jump out_of_tunnels_0\n"), "{made}");
    assert!(made.contains("    oifname \"eth0\" rt ipsec exists jump into_tunnels_0\n"), "{made}");
}

/// An entry without `match address` has what the lists of others do not permit.
#[test]
fn a_filter_of_an_entry_without_a_list_is_asked_about_the_rest() {
    let text = TUNNELS.to_owned()
        + "crypto map M 65000 ipsec-isakmp dynamic D\ncrypto dynamic-map D 10\n set ip access-group CLIENTS in\n\
           ip access-list extended CLIENTS\n permit tcp any any eq 25\n";
    let made = of(&text, noon(0)).text;
    let rest = rules_of(&made, "out_of_tunnels_1");
    assert_eq!(rest[0], "ip daddr 10.1.1.9/32 goto out_of_tunnels_1_0", "{rest:?}");
    assert_eq!(rest[1], "ip saddr 10.2.0.0/16 ip daddr 10.1.0.0/16 ip protocol 6 th dport 443 return");
    let after = rules_of(&made, "out_of_tunnels_1_0");
    assert_eq!(after[0], "ip saddr 10.3.0.0/16 return");
    let list = after[1].strip_prefix("goto ").unwrap();
    assert!(rules_of(&made, list)[0].contains("th dport 25"), "{made}");
    // of one filter for all entries nothing needs to be told apart
    let all = "interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.0\n crypto map M\n\
               crypto map M 65000 ipsec-isakmp dynamic D\ncrypto dynamic-map D 10\n set ip access-group L in\n\
               access-list 101 permit ip any any\nip access-list extended L\n deny icmp any any\n";
    let rules = of(all, noon(0)).text;
    assert!(
        matches!(rules_of(&rules, "out_of_tunnels_0").as_slice(), [one] if one.starts_with("goto list_"))
    );
    // a list that is not there permits everything
    assert_eq!(
        of(&all.replace("access-list extended L", "access-list extended X"), noon(0)),
        Rules::default()
    );
}
