//! Which sources have which rules.

use super::*;
use hubward_linux::rule::Action;

/// The address of the outside interface.
const OUTSIDE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);

fn range(net: &str) -> AddressRange {
    AddressRange::prefix(net.parse().unwrap())
}

fn sources(lines: &str) -> Sources {
    let interfaces = "interface GigabitEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n\
        interface GigabitEthernet0/1\n ip address dhcp\n";
    let config = hubward_config::parse(&format!("{interfaces}{lines}\n")).config;
    assert_eq!(config.nat.rules.len(), lines.matches("ip nat inside source").count(), "{lines}");
    let is_outside = |name: &str| name == "GigabitEthernet0/0";
    Sources::new(&config, |name| is_outside(name).then_some(OUTSIDE).into_iter().collect())
}

/// The sources of the rules for what comes from our side of a tunnel.
fn led(sources: &mut Sources, local: &str) -> Vec<String> {
    sources.assign([range(local)], &[], false);
    let table = sources.table(range(local)).unwrap();
    let rules = sources.rules().into_iter().filter(|rule| rule.table == table && rule.arrived_by.is_none());
    rules.map(|rule| rule.source.map_or_else(|| "any".to_owned(), |net| net.to_string())).collect()
}

#[test]
fn a_source_counts_as_it_is_and_as_it_may_be_translated() {
    const TO_OUTSIDE: &str = "ip nat inside source list 1 interface GigabitEthernet0/0 overload";
    // the configuration, our side of a tunnel, and whose packets may belong into it
    type Row<'a> = (&'a str, &'a str, &'a str, &'a [&'a str]);
    let rows: &[Row] = &[
        ("no translation", "", "10.1.0.0/16", &["10.1.0.0/16"]),
        ("any source", "", "0.0.0.0/0", &["any"]),
        (
            "translated to another address",
            &format!("access-list 1 permit 10.1.2.0 0.0.0.255\n{TO_OUTSIDE}"),
            "10.1.0.0/16",
            &["10.1.0.0/16"],
        ),
        (
            "to an interface's address",
            &format!(
                "access-list 1 deny 10.9.0.0 0.0.0.255\naccess-list 1 permit 10.9.0.0 0.0.255.255\n{TO_OUTSIDE}"
            ),
            "198.51.100.0/29",
            &["10.9.0.0/16", "198.51.100.0/29"],
        ),
        (
            "to an address that is not known yet",
            "access-list 1 permit 10.9.0.0 0.0.0.255\nip nat inside source list 1 interface GigabitEthernet0/1",
            "10.1.0.0/16",
            &["10.1.0.0/16", "10.9.0.0/24"],
        ),
        (
            "to a pool that begins in it",
            "ip nat pool P 10.1.255.250 10.2.0.5 prefix-length 14\naccess-list 1 permit 10.9.0.0 0.0.0.255\n\
             ip nat inside source list 1 pool P",
            "10.1.0.0/16",
            &["10.1.0.0/16", "10.9.0.0/24"],
        ),
        (
            "to a pool beside it",
            "ip nat pool P 10.2.0.0 10.2.0.5 prefix-length 14\naccess-list 1 permit 10.9.0.0 0.0.0.255\n\
             ip nat inside source list 1 pool P",
            "10.1.0.0/16",
            &["10.1.0.0/16"],
        ),
        (
            "static lines",
            "ip nat inside source static 172.16.1.9 10.1.7.7\n\
             ip nat inside source static network 172.16.4.0 10.1.4.0 /24\n\
             ip nat inside source static tcp 172.16.1.8 80 10.1.7.8 80\n\
             ip nat inside source static tcp 172.16.1.7 80 10.2.7.7 80",
            "10.1.0.0/16",
            &["10.1.0.0/16", "172.16.1.8/31", "172.16.4.0/24"],
        ),
        (
            "a list of everything",
            &format!("access-list 1 permit any\n{TO_OUTSIDE}"),
            "198.51.100.2/32",
            &["any"],
        ),
        ("a list that is not there", TO_OUTSIDE, "198.51.100.2/32", &["198.51.100.2/32"]),
        (
            "a list that is not understood",
            "ip access-list extended 101\n permit ip mobile any any\n\
             ip nat inside source list 101 interface GigabitEthernet0/0",
            "198.51.100.2/32",
            &["any"],
        ),
        (
            "a list of too many networks",
            &format!("access-list 1 permit 10.0.0.1 0.255.0.0\n{TO_OUTSIDE}"),
            "198.51.100.2/32",
            &["any"],
        ),
        (
            "a route map",
            "access-list 101 permit ip 10.8.0.0 0.0.255.255 any\naccess-list 102 permit ip 10.7.0.0 0.0.255.255 any\n\
             route-map M deny 5\n match ip address 102\nroute-map M permit 10\n match ip address 101\n\
             ip nat inside source route-map M interface GigabitEthernet0/0",
            "198.51.100.2/32",
            &["10.8.0.0/16", "198.51.100.2/32"],
        ),
        (
            "a route map that permits every source",
            "route-map M permit 10\n match interface GigabitEthernet0/0\n\
             ip nat inside source route-map M interface GigabitEthernet0/0",
            "198.51.100.2/32",
            &["any"],
        ),
    ];
    for (name, lines, local, wanted) in rows {
        assert_eq!(led(&mut sources(lines), local), *wanted, "{name}");
    }
}

#[test]
fn a_table_for_each_set_of_sources_and_one_for_any() {
    let mut sources = sources("");
    sources.assign(["10.1.0.0/16", "10.1.0.0/16", "0.0.0.0/0", "10.3.0.0/24"].map(range), &[], false);
    let said: Vec<_> = sources
        .rules()
        .iter()
        .filter(|rule| rule.action == Action::Lookup)
        .map(|rule| (rule.source.map(|net| net.to_string()), rule.arrived_by.clone(), rule.table - TABLE))
        .collect();
    let from = |net: &str, table| (Some(net.to_owned()), None, table);
    let own = |table| (None, Some("lo".to_owned()), table);
    assert_eq!(
        said,
        [(None, None, 0), from("10.1.0.0/16", 1), own(1), from("10.3.0.0/24", 2), own(2)],
        "the router's own packets are looked up in every table"
    );
    assert_eq!(sources.table(range("10.2.0.0/16")), None, "only another plan can give it one");
    assert_eq!(sources.table(range("0.0.0.0/0")), Some(TABLE));
}

#[test]
fn a_table_keeps_its_sources() {
    let mut sources = sources("");
    sources.assign(["10.3.0.0/16", "10.5.0.0/16"].map(range), &[], false);
    let standing = sources.rules();
    let (three, five) = (sources.table(range("10.3.0.0/16")), sources.table(range("10.5.0.0/16")));
    // one comes before them, and one goes
    sources.assign(["10.1.0.0/16", "10.5.0.0/16"].map(range), &standing, false);
    assert_eq!(sources.table(range("10.5.0.0/16")), five);
    let new = sources.table(range("10.1.0.0/16"));
    assert!(new != three && new != five && new != Some(TABLE), "{new:?}: it is still in use");
    // whatever stood, each set has a table
    let nets = |first: u8| (0..64).map(move |net| range(&format!("10.{first}.{}.0/24", net * 2)));
    sources.assign(nets(1), &[], false);
    let standing = sources.rules();
    sources.assign(nets(2), &standing, false);
    let tables: BTreeSet<_> = nets(2).map(|net| sources.table(net).unwrap()).collect();
    assert_eq!(tables.len(), 64);
    assert!(tables.iter().all(|table| *table != TABLE && CAPTURE_TABLES.contains(table)));
}

#[test]
fn of_too_many_sources_the_destination_alone_decides() {
    let nets = |count: u8| (0..count).map(|net| range(&format!("10.1.{}.0/24", net * 2)));
    let rules = |of: &Sources| of.rules().iter().filter(|rule| rule.source.is_some()).count();
    let mut sources = sources("");
    sources.assign(nets(64), &[], false);
    assert_eq!(rules(&sources), MOST_SOURCES);
    sources.assign(nets(65), &[], false);
    assert_eq!(rules(&sources), 0);
    assert_eq!(sources.table(range("10.1.0.0/24")), Some(TABLE));
    assert_eq!(sources.table(range("172.16.0.0/24")), Some(TABLE), "another one too");
    sources.assign(nets(1), &[], true);
    assert_eq!((rules(&sources), sources.table(range("10.1.0.0/24"))), (0, Some(TABLE)));
}
