//! The rules of whole configurations, asked about packets as the kernel would ask them.

use super::granted::{Granted, place};
use super::rules::{Here, Kind, Ruleset, TABLE, client_rules, count_on, rules, set_of};
use super::{Guard, ranges};
use crate::base::store::Store;
use crate::machine::view::Names;
use hubward_config::Parsed;
use hubward_linux::marks::{CLEAR_MARK, FWMARK, POLICY_MASK, POLICY_SHIFT};
use hubward_linux::netns::{self, NetNs};
use hubward_linux::nftables::{Counted, Hook, Nftables, Rule, Table, Test, Verdict};
use hubward_proto::flow::selector::AddressRange;
use hubward_proto::names::ChildId;
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A packet as the filter sees it.
#[derive(Clone, Copy, Debug)]
struct Packet {
    by: &'static str,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    ports: Option<(u16, u16)>,
    later_fragment: bool,
    mark: u32,
    ipsec: bool,
}

/// A packet of UDP port 1000 to port 53.
fn packet(by: &'static str, source: &str, destination: &str) -> Packet {
    Packet {
        by,
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        protocol: 17,
        ports: Some((1000, 53)),
        later_fragment: false,
        mark: 0,
        ipsec: false,
    }
}

/// What a table does with a packet at a hook: `Some(true)` accepts it, `None` decides nothing.
struct Filter<'t>(&'t Table);

impl Filter<'_> {
    fn passes(&self, hook: Hook, packet: &Packet) -> bool {
        let chain = self.0.chains.iter().find(|chain| chain.hook == Some(hook)).unwrap();
        self.chain(&chain.rules, packet) != Some(false)
    }

    fn chain(&self, rules: &[Rule], packet: &Packet) -> Option<bool> {
        for rule in rules.iter().filter(|rule| rule.tests.iter().all(|test| self.fits(test, packet))) {
            match &rule.verdict {
                Verdict::Accept => return Some(true),
                Verdict::Drop => {
                    assert!(rule.counter.is_some() && !rule.comment.is_empty(), "{rule:?}");
                    return Some(false);
                }
                Verdict::Return => return None,
                Verdict::Jump(name) => {
                    let chain = self.0.chains.iter().find(|chain| chain.name == *name).unwrap();
                    if let Some(decided) = self.chain(&chain.rules, packet) {
                        return Some(decided);
                    }
                }
            }
        }
        None
    }

    fn fits(&self, test: &Test, packet: &Packet) -> bool {
        let masked = |one: Ipv4Addr, mask: Ipv4Addr| u32::from(one) & u32::from(mask);
        let in_set = |name: &String| {
            let set = self.0.sets.iter().find(|set| set.name == *name).unwrap();
            set.ranges.iter().any(|range| range.0 <= packet.destination && packet.destination <= range.1)
        };
        match test {
            Test::LeavesBy(name) => packet.by == name,
            Test::LeavesByPrefix(start) => packet.by.starts_with(start.as_str()),
            Test::Mark(mark) => packet.mark & !POLICY_MASK == *mark,
            Test::Ipsec => packet.ipsec,
            Test::Protocol(protocol) => packet.protocol == *protocol,
            Test::Source(address, mask) => masked(packet.source, *mask) == masked(*address, *mask),
            Test::Destination(address, mask) => masked(packet.destination, *mask) == masked(*address, *mask),
            Test::DestinationIn(set) => in_set(set),
            Test::DestinationNotIn(set) => !in_set(set),
            Test::SourcePort(port) => packet.ports.is_some_and(|ports| ports.0 == *port),
            Test::DestinationPort(port) => packet.ports.is_some_and(|ports| ports.1 == *port),
            Test::NoLaterFragment => !packet.later_fragment,
            Test::LaterFragment => packet.later_fragment,
        }
    }
}

fn names() -> Names {
    let pairs = [("FastEthernet0/0", "wan"), ("FastEthernet0/1", "lan")];
    pairs.map(|(ios, linux)| (ios.to_owned(), linux.to_owned())).into()
}

fn with(parsed: &Parsed, names: &Names, granted: &Granted) -> Ruleset {
    rules(parsed, Here { names, leased: &[], absent: &[] }, granted)
}

fn of(text: &str) -> Ruleset {
    with(&hubward_config::parse(text), &names(), &Granted::default())
}

/// Each row: by which interface, from, to, whether it passes. It is the same at all hooks.
fn expect(ruleset: &Ruleset, rows: &[(&'static str, &str, &str, bool)]) {
    for (by, source, destination, passes) in rows {
        let packet = packet(by, source, destination);
        for hook in [Hook::Forward, Hook::Output, Hook::Postrouting] {
            assert_eq!(Filter(&ruleset.table).passes(hook, &packet), *passes, "{hook:?} {packet:?}");
        }
    }
}

/// A hub with a static map and a dynamic one, the latter with and without an access list.
const HUB: &str = "\
crypto dynamic-map DYN 20
 match address 120
crypto dynamic-map DYN 30
 set transform-set T
crypto map M 10 ipsec-isakmp
 set peer 203.0.113.2
 match address 110
crypto map M 65000 ipsec-isakmp dynamic DYN
interface FastEthernet0/0
 ip address 198.51.100.1 255.255.255.0
 crypto map M
interface FastEthernet0/1
 ip address 10.1.1.1 255.255.255.0
ip local pool CLIENTS 10.5.5.1 10.5.5.100
ip route 0.0.0.0 0.0.0.0 198.51.100.254
access-list 110 deny ip host 10.1.1.7 10.2.7.0 0.0.0.255
access-list 110 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255
access-list 120 permit ip 10.1.0.0 0.0.255.255 10.3.0.0 0.0.255.255
access-list 120 permit ip host 10.1.1.7 10.2.7.0 0.0.0.127
";

/// The comment of a long rule ended in the middle of a word.
#[test]
fn a_guarded_thing_with_a_long_name_is_cut_between_words() {
    let long = "ip 10.20.0.0/16 to 100.64.0.0/10 by GigabitEthernet0/0/0.100 (a tunnel that is left out, whose networks are not known, and more)";
    let cut = super::rules::shortened(long);
    assert!(cut.len() <= 120 && cut.ends_with(" …)"), "{cut}");
    assert!(long.starts_with(&format!("{} ", cut.trim_end_matches(" …)"))), "{cut}");
    assert_eq!(super::rules::shortened("ip any to any"), "ip any to any");
}

#[test]
fn what_a_crypto_list_permits_does_not_leave_by_its_interface_static_or_dynamic() {
    let hub = of(HUB);
    expect(
        &hub,
        &[
            ("wan", "10.1.1.10", "10.2.2.10", false),
            ("wan", "10.1.1.10", "10.3.2.10", false),
            // not selected, or by another way
            ("wan", "192.168.1.1", "10.2.2.10", true),
            ("wan", "10.1.1.10", "192.0.2.1", true),
            ("lan", "10.1.1.10", "10.2.2.10", true),
            ("hubward0", "10.1.1.10", "10.2.2.10", true),
            ("lo", "10.1.1.10", "10.2.2.10", true),
            // `deny` continues with the next entry
            ("wan", "10.1.1.7", "10.2.7.10", false),
            ("wan", "10.1.1.7", "10.2.7.200", true),
            ("wan", "10.1.1.8", "10.2.7.200", false),
            // clients, from any source
            ("wan", "192.168.1.1", "10.5.5.1", false),
            ("wan", "192.168.1.1", "10.5.5.100", false),
            ("wan", "192.168.1.1", "10.5.5.101", true),
        ],
    );
    let lines: Vec<_> = hub.guarded.iter().filter(|one| one.kind == Kind::AccessList).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0].from, "M 10, access list 110");
    assert_eq!(lines[1].packets, "ip 10.1.0.0/16 to 10.3.0.0/16");
    assert_eq!(
        lines[1].comment,
        "ip 10.1.0.0/16 to 10.3.0.0/16 by FastEthernet0/0 (DYN 20, access list 120)"
    );
}

/// Lines of another entry that fell into the one that points to a dynamic map: no SA carries what
/// their list permits.
#[test]
fn a_list_beside_a_dynamic_map_is_closed() {
    let fallen = HUB.replace("dynamic DYN\n", "dynamic DYN\n match address 140\n")
        + "access-list 140 permit ip 10.1.0.0 0.0.255.255 10.4.0.0 0.0.255.255\n";
    let rows = |passes| [("wan", "10.1.1.1", "10.4.0.1", passes), ("wan", "10.1.1.1", "10.3.0.1", false)];
    expect(&of(HUB), &rows(true));
    expect(&of(&fallen), &rows(false));
}

/// A map that is on no interface leads to no clients: the default route does not lead to their
/// addresses either.
#[test]
fn pools_are_closed_where_no_interface_bears_a_crypto_map() {
    let text = HUB.replace("0\n crypto map M\n", "0\n");
    let text = format!("{text}ip local pool INSIDE 10.1.1.200 10.1.1.220\n");
    expect(
        &of(&text),
        &[
            ("wan", "10.1.1.10", "10.5.5.1", false),
            ("uplink", "10.1.1.10", "10.5.5.1", false),
            ("wan", "10.1.1.10", "10.2.2.10", true),
            ("lan", "198.51.100.7", "10.1.1.200", true),
        ],
    );
}

#[test]
fn ike_and_esp_pass_and_what_is_sent_on_in_clear_is_looked_at() {
    let hub = of(HUB);
    let selected = packet("wan", "10.1.1.10", "10.2.2.10");
    let passes = |packet: &Packet| Filter(&hub.table).passes(Hook::Output, packet);
    assert!(passes(&Packet { mark: FWMARK, ..selected }));
    assert!(passes(&Packet { ipsec: true, ..selected }));
    assert!(!passes(&Packet { mark: CLEAR_MARK, ..selected }));
    // whatever way `ip local policy` leads them
    assert!(passes(&Packet { mark: FWMARK | 3 << POLICY_SHIFT, ..selected }));
    assert!(!passes(&Packet { mark: CLEAR_MARK | 3 << POLICY_SHIFT, ..selected }));
    assert!(!passes(&Packet { mark: 3 << POLICY_SHIFT, ..selected }));
    assert!(!passes(&Packet { mark: 0x2_4857, ..selected }));
}

#[test]
fn protocols_ports_wildcards_and_fragments_count() {
    let hub = of(&HUB.replace(
        "access-list 120 permit ip 10.1.0.0 0.0.255.255 10.3.0.0 0.0.255.255\n",
        "access-list 120 deny udp 10.1.0.0 0.0.255.255 10.3.9.0 0.0.0.255 eq 53\n\
         access-list 120 permit udp 10.1.0.0 0.0.255.255 10.3.0.0 0.0.255.255 eq 53\n\
         access-list 120 permit tcp 10.1.0.0 0.0.255.255 eq 22 10.4.0.0 0.0.255.255\n\
         access-list 120 permit gre host 10.1.1.1 10.6.0.1 0.0.255.0\n",
    ));
    let to = |destination| packet("wan", "10.1.1.1", destination);
    let rows = [
        (to("10.3.2.10"), false),
        (Packet { ports: Some((53, 1000)), ..to("10.3.2.10") }, true),
        (Packet { protocol: 6, ..to("10.3.2.10") }, true),
        // a fragment without ports cannot be attributed to another rule
        (Packet { ports: None, later_fragment: true, ..to("10.3.2.10") }, false),
        (to("10.3.9.10"), true),
        (Packet { ports: None, later_fragment: true, ..to("10.3.9.10") }, false),
        // the bytes at the offset of the ports are not ports
        (Packet { later_fragment: true, ..to("10.3.9.10") }, false),
        (Packet { protocol: 6, ports: Some((22, 9)), ..to("10.4.2.10") }, false),
        (Packet { protocol: 6, ports: Some((9, 22)), ..to("10.4.2.10") }, true),
        (Packet { protocol: 47, ports: None, ..to("10.6.77.1") }, false),
        (Packet { protocol: 47, ports: None, ..to("10.6.77.2") }, true),
        (to("10.6.77.1"), true),
    ];
    for (packet, passes) in rows {
        assert_eq!(Filter(&hub.table).passes(Hook::Forward, &packet), passes, "{packet:?}");
    }
    let port = hub.guarded.iter().find(|one| one.packets.contains("port 53")).unwrap();
    assert_eq!(port.packets, "udp 10.1.0.0/16 to 10.3.0.0/16 port 53");
}

#[test]
fn a_line_that_says_more_than_is_known_closes_all_its_addresses() {
    let hub = of(&HUB.replace(
        "access-list 120 permit ip 10.1.0.0 0.0.255.255 10.3.0.0 0.0.255.255\n",
        "access-list 120 deny tcp 10.1.0.0 0.0.255.255 10.3.9.0 0.0.0.255 gt 20\n\
         access-list 120 permit tcp 10.1.0.0 0.0.255.255 10.3.0.0 0.0.255.255 range 20 2100\n",
    ));
    expect(
        &hub,
        &[
            ("wan", "10.1.1.10", "10.3.2.10", false),
            ("wan", "10.1.1.10", "10.3.9.10", false),
            ("wan", "10.1.1.10", "10.4.9.10", true),
        ],
    );
}

/// Groups, wildcards and ports of a line are closed as such, and what is denied before stays open.
#[test]
fn what_a_line_expands_to_is_closed_and_no_more() {
    let text = HUB.replace(
        "access-list 120 permit ip 10.1.0.0 0.0.255.255 10.3.0.0 0.0.255.255\n",
        "object-group network SITES\n host 10.3.0.9\n range 10.3.1.1 10.3.1.2\n\
         ip access-list extended 120\n permit ip 10.1.0.0 0.0.254.255 object-group SITES\n \
         5 deny ip any host 10.3.1.2\n permit ip 10.1.0.0 0.0.255.255 object-group NONE\n \
         permit tcp 10.1.0.0 0.0.255.255 10.4.0.0 0.0.255.255 established time-range NIGHT\n",
    );
    expect(
        &of(&text),
        &[
            ("wan", "10.1.2.10", "10.3.0.9", false),
            ("wan", "10.1.2.10", "10.3.1.1", false),
            ("wan", "10.1.2.10", "10.3.1.2", true),
            ("wan", "10.1.3.10", "10.3.0.9", true),
            ("wan", "10.1.2.10", "10.3.0.8", true),
            // more than a line of this list is for, because what it is for cannot be protected
            ("wan", "10.1.2.10", "10.4.0.9", false),
        ],
    );
}

#[test]
fn the_order_of_the_numbers_counts_and_not_that_of_the_file() {
    let text = "\
crypto map M 20 ipsec-isakmp
 match address 120
crypto map M 10 ipsec-isakmp
 match address 110
interface FastEthernet0/0
 crypto map M
access-list 110 deny ip any 10.2.7.0 0.0.0.255
access-list 110 permit ip any 10.2.0.0 0.0.255.255
access-list 120 permit ip any 10.2.0.0 0.0.0.255
";
    let hub = of(text);
    expect(&hub, &[("wan", "10.1.1.1", "10.2.7.1", true), ("wan", "10.1.1.1", "10.2.0.1", false)]);
    let from: Vec<_> = hub.guarded.iter().map(|one| one.from.as_str()).collect();
    assert_eq!(from, ["M 10, access list 110", "M 20, access list 120"]);
}

#[test]
fn a_map_on_an_interface_without_a_card_closes_every_way_out_but_the_networks_that_are_connected() {
    let hub = with(
        &hubward_config::parse(HUB),
        &[("FastEthernet0/1".to_owned(), "lan".to_owned())].into(),
        &Granted::default(),
    );
    expect(
        &hub,
        &[
            ("ppp0", "10.1.1.10", "10.2.2.10", false),
            ("lan", "10.1.1.10", "10.2.2.10", false),
            ("lan", "10.3.1.10", "10.1.1.10", true),
            ("ppp0", "192.168.1.10", "10.2.2.10", true),
            ("hubward0", "10.1.1.10", "10.2.2.10", true),
            ("lo", "10.1.1.10", "10.2.2.10", true),
        ],
    );
    // one that is shut is not a way out on a router either
    let shut = HUB.replace(" crypto map M\ninterface", " crypto map M\n shutdown\ninterface");
    let none = with(&hubward_config::parse(&shut), &Names::new(), &Granted::default());
    expect(&none, &[("ppp0", "10.1.1.10", "10.2.2.10", true)]);
}

#[test]
fn two_interfaces_with_maps_have_each_its_own() {
    let text = HUB.replace(
        " ip address 10.1.1.1 255.255.255.0\n",
        " ip address 10.1.1.1 255.255.255.0\n crypto map N\n",
    ) + "crypto map N 10 ipsec-isakmp\n match address 140\naccess-list 140 permit ip any 10.4.0.0 0.0.255.255\n";
    expect(
        &of(&text),
        &[
            ("lan", "10.1.1.10", "10.2.2.10", true),
            ("lan", "10.1.1.10", "10.4.2.10", false),
            ("wan", "10.1.1.10", "10.4.2.10", true),
            ("wan", "10.1.1.10", "10.2.2.10", false),
        ],
    );
}

fn range(text: &str) -> AddressRange {
    AddressRange::prefix(text.parse().unwrap())
}

fn granted(pairs: &[(&str, &str)]) -> Granted {
    let mut granted = Granted::default();
    for ((local, remote), id) in pairs.iter().zip(1..) {
        let place = place(range(local), range(remote)).unwrap();
        granted.add(ChildId(id), place, Ipv4Addr::LOCALHOST.into(), Duration::from_secs(1_800_000_000));
    }
    granted
}

/// A VLAN or a bridge that Hubward made is a way out like a card; the TUN is none.
#[test]
fn a_link_that_hubward_made_is_a_way_out() {
    let parsed = hubward_config::parse(HUB);
    let mut named = names();
    for link in ["hubwardv1", "hubwardbr1"] {
        for name in named.values_mut().filter(|name| name.as_str() == "wan") {
            *name = link.into();
        }
        let hub = with(&parsed, &named, &Granted::default());
        expect(
            &hub,
            &[(link, "10.1.1.10", "10.2.2.10", false), ("hubward0", "10.1.1.10", "10.2.2.10", true)],
        );
        named = names();
    }
}

#[test]
fn what_a_peer_was_granted_stays_in_but_never_what_the_gateway_needs() {
    let parsed = hubward_config::parse(
        &(HUB.to_owned()
            + "ip route 10.77.0.0 255.255.0.0 203.0.113.77\n\
               crypto isakmp key k address 203.0.113.9\n\
               interface Tunnel7\n ip address 10.99.0.1 255.255.255.0\n"),
    );
    let pairs = [
        ("10.1.0.0/16", "10.8.0.0/16"),
        ("0.0.0.0/0", "10.9.0.0/24"),
        ("0.0.0.0/0", "203.0.113.0/24"),
        ("0.0.0.0/0", "198.51.100.0/24"),
        ("0.0.0.0/0", "10.0.0.0/11"),
        ("0.0.0.0/0", "10.99.0.0/24"),
    ];
    let hub = with(&parsed, &names(), &granted(&pairs));
    expect(
        &hub,
        &[
            ("wan", "10.1.1.10", "10.8.2.10", false),
            ("wan", "10.1.1.10", "10.9.0.10", false),
            ("wan", "192.168.1.10", "10.9.0.10", false),
            ("wan", "192.168.1.10", "10.20.0.10", false),
            ("lan", "10.1.1.10", "10.8.2.10", true),
            ("wan", "192.168.1.10", "10.64.2.10", true),
            // peers and next hops
            ("wan", "198.51.100.1", "203.0.113.2", true),
            ("wan", "198.51.100.1", "203.0.113.9", true),
            ("wan", "198.51.100.1", "203.0.113.77", true),
            ("wan", "198.51.100.1", "203.0.113.3", false),
            // connected
            ("wan", "198.51.100.1", "198.51.100.254", true),
            ("wan", "198.51.100.1", "10.1.1.10", true),
            // a tunnel that does not exist here is connected to nothing
            ("wan", "198.51.100.1", "10.99.0.2", false),
            ("wan", "198.51.100.1", "224.0.0.5", true),
        ],
    );
    assert_eq!(
        hub.guarded.iter().filter(|one| one.kind == Kind::Granted).count(),
        2,
        "one for each side of ours"
    );
    // the network that DHCP gave is a connected one
    let leased = [("FastEthernet0/0".to_owned(), "10.9.0.0/30".parse::<Ipv4Net>().unwrap())];
    let hub = rules(&parsed, Here { names: &names(), leased: &leased, absent: &[] }, &granted(&pairs));
    expect(&hub, &[("wan", "10.1.1.1", "10.9.0.2", true), ("wan", "10.1.1.1", "10.9.0.4", false)]);
}

#[test]
fn an_unselected_source_may_go_where_a_peer_was_granted_another() {
    let hub = with(&hubward_config::parse(HUB), &names(), &granted(&[("10.1.0.0/16", "203.0.113.128/25")]));
    expect(
        &hub,
        &[("wan", "10.1.1.10", "203.0.113.129", false), ("wan", "192.168.1.10", "203.0.113.129", true)],
    );
}

#[test]
fn the_networks_of_a_tunnel_that_is_left_out_leave_by_no_interface() {
    let mut parsed = hubward_config::parse(HUB);
    let flow = |from: &str, to: &str| (from.parse().unwrap(), to.parse().unwrap());
    parsed.config.closed.flows = vec![flow("10.1.0.0/16", "10.78.0.0/16"), flow("0.0.0.0/0", "10.1.0.0/16")];
    expect(
        &with(&parsed, &names(), &Granted::default()),
        &[
            ("wan", "10.1.1.10", "10.78.2.10", false),
            ("lan", "10.1.1.10", "10.78.2.10", false),
            ("ppp0", "10.1.1.10", "10.78.2.10", false),
            ("hubward0", "10.1.1.10", "10.78.2.10", true),
            ("wan", "192.168.1.10", "10.78.2.10", true),
            // a wide line does not close the network next door
            ("lan", "10.2.2.10", "10.1.1.10", true),
            ("lan", "10.2.2.10", "10.1.2.10", false),
            ("wan", "10.2.2.10", "10.1.1.10", false),
        ],
    );
}

/// Where a tunnel's networks are not known.
const ROUTED: &str = "\
interface FastEthernet0/0
 ip address 192.0.2.1 255.255.255.0
 ip nat outside
interface FastEthernet0/1
 ip address 10.1.1.1 255.255.255.0
interface Tunnel7
 ip address 10.99.0.1 255.255.255.0
 tunnel source FastEthernet0/0
ip route 0.0.0.0 0.0.0.0 192.0.2.254
ip route 10.50.0.0 255.255.0.0 192.0.2.253
ip route 10.51.0.0 255.255.0.0 FastEthernet0/0
ip route 10.52.0.0 255.255.0.0 Tunnel7
ip route 10.53.0.0 255.255.0.0 10.99.0.2
ip route 172.20.0.0 255.255.0.0 10.1.1.254
access-list 150 permit ip 203.0.113.0 0.0.0.255 any
access-list 150 permit udp host 198.51.100.9 any
";

#[test]
fn no_private_destination_leaves_outside_but_by_a_route_of_the_configuration() {
    let mut parsed = hubward_config::parse(ROUTED);
    parsed.config.closed.private = true;
    let rows = [
        ("wan", "10.1.1.10", "10.200.1.1", false),
        ("wan", "10.1.1.10", "172.31.1.1", false),
        ("wan", "10.1.1.10", "172.32.1.1", true),
        ("wan", "10.1.1.10", "192.168.1.1", false),
        ("wan", "10.1.1.10", "100.64.0.1", false),
        ("wan", "10.1.1.10", "100.128.0.1", true),
        ("wan", "10.1.1.10", "9.9.9.9", true),
        // its own networks, and those of its lists
        ("wan", "10.1.1.10", "203.0.113.7", false),
        ("wan", "10.1.1.10", "198.51.100.9", true),
        ("wan", "10.1.1.10", "192.0.2.254", true),
        // routes that leave by it
        ("wan", "10.1.1.10", "10.50.1.1", true),
        ("wan", "10.1.1.10", "10.51.1.1", true),
        // and those that do not
        ("wan", "10.1.1.10", "10.52.1.1", false),
        ("wan", "10.1.1.10", "10.53.1.1", false),
        ("wan", "10.1.1.10", "172.20.1.1", false),
        ("lan", "10.1.1.10", "172.20.1.1", true),
        ("lan", "10.1.1.10", "10.200.1.1", true),
        ("wan", "10.1.1.10", "224.0.0.10", true),
    ];
    expect(&with(&parsed, &names(), &Granted::default()), &rows);
    // each of these alone says which interface is outside
    let signs = ["tunnel source FastEthernet0/0", "ip nat outside", "ip route 0.0.0.0 0.0.0.0 192.0.2.254"];
    for alone in signs {
        let others = signs.iter().filter(|sign| **sign != alone);
        let text = others.fold(ROUTED.to_owned(), |text, line| text.replace(line, "!"));
        let mut parsed = hubward_config::parse(&text);
        parsed.config.closed.private = true;
        expect(&with(&parsed, &names(), &Granted::default()), &rows[..2]);
    }
}

#[test]
fn an_outside_interface_that_is_not_known_here_is_every_one_but_the_known() {
    let mut parsed = hubward_config::parse(ROUTED);
    parsed.config.closed.private = true;
    let names = [("FastEthernet0/1".to_owned(), "lan".to_owned())].into();
    expect(
        &with(&parsed, &names, &Granted::default()),
        &[
            ("ppp0", "10.1.1.10", "10.200.1.1", false),
            ("lan", "10.1.1.10", "10.200.1.1", true),
            ("ppp0", "10.1.1.10", "9.9.9.9", true),
            ("lo", "10.1.1.10", "10.200.1.1", true),
        ],
    );
}

#[test]
fn nothing_protected_is_nothing_guarded() {
    let plain = of("interface FastEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n");
    assert!(plain.guarded.is_empty());
    expect(&plain, &[("wan", "10.1.1.10", "10.2.2.10", true)]);
}

#[test]
fn a_rule_counts_on_when_it_stays() {
    let hub = of(HUB);
    let mut table = hub.table.clone();
    let seven = Counted { packets: 7, bytes: 700 };
    let gone = ("gone".to_owned(), Counted { packets: 1, bytes: 1 });
    count_on(&mut table, &[gone, (hub.guarded[2].comment.clone(), seven)]);
    let counted: Vec<_> =
        table.chains.iter().flat_map(|chain| &chain.rules).filter_map(|rule| rule.counter).collect();
    assert_eq!(counted.iter().filter(|count| **count == seven).count(), 1);
    assert_eq!(counted.iter().map(|count| count.packets).sum::<u64>(), 7);
}

#[test]
fn comments_differ_even_where_they_are_long() {
    let list: String = (0..20)
        .map(|n| {
            format!("access-list 110 permit udp 10.1.0.0 0.0.255.255 eq 1 10.{n}.0.0 0.0.255.255 eq 53\n")
        })
        .collect();
    let name = "N".repeat(150);
    let text = format!(
        "crypto map {name} 10 ipsec-isakmp\n match address 110\ninterface FastEthernet0/0\n crypto map {name}\n{list}{list}"
    );
    let hub = of(&text);
    let comments: std::collections::BTreeSet<_> = hub.guarded.iter().map(|one| &one.comment).collect();
    assert!(comments.len() == hub.guarded.len() && comments.iter().all(|comment| comment.len() < 128));
    assert!(hub.guarded.len() >= 20);
}

#[test]
fn a_client_keeps_its_networks_in() {
    let nets = ["10.1.0.0/16".parse().unwrap()];
    let gateway = "10.1.9.9".parse().unwrap();
    let table = client_rules("t", "eth0", gateway, &nets, &["10.1.7.0/24".parse().unwrap()]);
    let passes =
        |by, to, mark| Filter(&table).passes(Hook::Output, &Packet { mark, ..packet(by, "192.0.2.7", to) });
    assert!(!passes("eth0", "10.1.1.1", 0));
    // a machine that has moved to another network leaks no more than before, and finds its gateway
    assert!(!passes("wlan0", "10.1.1.1", 0) && !passes("wlan0", "10.1.7.1", 0));
    assert!(passes("wlan0", "10.1.9.9", 0) && passes("wlan0", "10.2.1.1", 0));
    assert!(
        passes("eth0", "10.1.7.1", 0)
            && passes("eth0", "10.1.1.1", FWMARK)
            && passes("hubward0", "10.1.1.1", 0)
    );
    assert!(passes("eth0", "10.2.1.1", 0));
}

/// At boot a card may have another name than in the last run: then what its interface protects is
/// blocked on each link that belongs to no other interface.
#[test]
fn a_card_that_is_not_there_yet_is_closed_under_whichever_name_it_comes() {
    let text = "crypto map m 10 ipsec-isakmp\n match address 110\ninterface FastEthernet0/0\n crypto map m\n\
                interface FastEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n\
                access-list 110 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n";
    let parsed = hubward_config::parse(text);
    let names = names();
    let absent = ["FastEthernet0/0".to_owned()];
    let hub = rules(&parsed, Here { names: &names, leased: &[], absent: &absent }, &Granted::default());
    let passes = |by: &'static str, to| Filter(&hub.table).passes(Hook::Forward, &packet(by, "10.1.1.7", to));
    assert!(!passes("wan", "10.2.1.1") && !passes("enp9s0", "10.2.1.1"));
    assert!(passes("lan", "10.2.1.1") && passes("enp9s0", "10.3.1.1"));
}

/// The machine's own default route is the way out where the configuration has none.
#[test]
fn private_networks_are_closed_where_nothing_of_the_configuration_leads_outside() {
    let mut parsed = hubward_config::parse("interface FastEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n");
    parsed.config.closed.private = true;
    let names = names();
    let hub = rules(&parsed, Here { names: &names, leased: &[], absent: &[] }, &Granted::default());
    let passes = |by: &'static str, to| Filter(&hub.table).passes(Hook::Forward, &packet(by, "10.1.1.7", to));
    assert!(!passes("enp9s0", "192.168.7.1") && passes("enp9s0", "192.0.2.1"));
    assert!(passes("lan", "10.1.1.9"));
}

/// What a left-out entry names stays reachable by an inside interface, and by that one only.
#[test]
fn what_is_left_out_leaves_by_an_inside_interface_and_by_no_other() {
    let text = "interface FastEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n crypto map m\n\
                interface FastEthernet0/1\n ip address 10.1.1.1 255.255.255.0\n\
                ip route 10.3.0.0 255.255.0.0 10.1.1.2\nip route 0.0.0.0 0.0.0.0 198.51.100.1\n";
    let mut parsed = hubward_config::parse(text);
    parsed.config.closed.flows = vec![("0.0.0.0/0".parse().unwrap(), "10.0.0.0/8".parse().unwrap())];
    let names = names();
    let hub = rules(&parsed, Here { names: &names, leased: &[], absent: &[] }, &Granted::default());
    let passes = |by: &'static str, to| Filter(&hub.table).passes(Hook::Forward, &packet(by, "10.1.1.7", to));
    assert!(passes("lan", "10.3.1.1") && passes("lan", "10.1.1.9"));
    assert!(!passes("wan", "10.3.1.1") && !passes("wan", "10.1.1.9") && !passes("lan", "10.4.1.1"));
}

/// The kernel's set after each commit, and whether the whole table was replaced for it.
#[test]
fn what_many_peers_are_granted_is_added_in_one_step_without_replacing_the_table() {
    if !netns::can_create() {
        assert!(std::env::var_os("HUBWARD_REQUIRE").is_none(), "this process may make no namespaces");
        println!("skipped: this process may make no network namespaces");
        return;
    }
    let folder = std::env::temp_dir().join(format!("hubward-granted-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    NetNs::create()
        .unwrap()
        .run(|| {
            let parsed = hubward_config::parse(HUB);
            let names = names();
            let here = Here { names: &names, leased: &[], absent: &[] };
            let store = Store::open(&folder).unwrap();
            let mut guard = Guard::set_up(store, false, &parsed, here).unwrap();
            let filters = Nftables::open().unwrap();
            let mut child = 0;
            let mut commit = |nets: &[&str]| {
                for net in nets {
                    let place = place(range("10.1.0.0/16"), range(net)).unwrap();
                    child += 1;
                    let now = Duration::from_secs(1_800_000_000);
                    if guard.granted.add(ChildId(child), place, Ipv4Addr::LOCALHOST.into(), now) {
                        guard.new.push(place);
                    }
                }
                let before = filters.generation().unwrap();
                guard.commit(&parsed, here);
                let steps = filters.generation().unwrap() - before;
                let sets = filters.sets(TABLE).unwrap();
                let set = sets.iter().find(|set| set.name == set_of("10.1.0.0/16".parse().unwrap()));
                let ranges = set.map(|set| set.ranges.clone()).unwrap_or_default();
                assert_eq!(rules(&parsed, here, &guard.granted), guard.ruleset, "nothing is left to do");
                (steps, ranges.into_iter().map(ranges::told).collect::<Vec<_>>().join(" "))
            };
            // the first makes the set
            assert_eq!(commit(&["10.2.1.0/24"]), (1, "10.2.1.0/24".into()));
            let three = "10.2.0.0/24 10.2.1.0/24 10.2.2.0/24 10.9.0.7";
            assert_eq!(commit(&["10.2.2.0/24", "10.2.0.0/24", "10.9.0.7/32"]), (1, three.into()));
            assert_eq!(commit(&["10.2.1.64/26", "10.2.1.0/24"]), (0, three.into()), "they are held already");
            assert_eq!(commit(&["10.2.0.0/23"]), (1, "10.2.0.0/23 10.2.2.0/24 10.9.0.7".into()));
            // another program removed the table: it is there again
            filters.remove(TABLE).unwrap();
            let all = "10.2.0.0/23 10.2.2.0/24 10.3.0.0/24 10.9.0.7";
            assert_eq!(commit(&["10.3.0.0/24"]), (1, all.into()));
        })
        .unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
}
