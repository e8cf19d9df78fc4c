//! Configurations in which the line that opens a tunnel is missing or misspelt.

use crate::parse;
use crate::verdict::{Outcome, Verdict, leave_out, verdicts};
use std::net::IpAddr;

const BASE: &str = "\
hostname R1
crypto isakmp policy 10
 encr aes 256
 hash sha256
 authentication pre-share
 group 14
crypto isakmp key s3cret address 0.0.0.0
crypto ipsec transform-set TS esp-aes esp-sha-hmac
";
const REST: &str = "\
access-list 101 permit ip 10.20.0.0 0.0.255.255 10.30.0.0 0.0.255.255
access-list 102 permit ip 10.20.0.0 0.0.255.255 10.40.0.0 0.0.255.255
ip local pool POOL 10.50.0.1 10.50.0.254
interface GigabitEthernet0/0
 ip address 203.0.113.2 255.255.255.248
 crypto map CM
interface GigabitEthernet0/1
 ip address 10.20.0.1 255.255.0.0
ip route 0.0.0.0 0.0.0.0 203.0.113.1
";
const BELOW: &str = " set peer 198.51.100.20\n set transform-set TS\n match address 101\n";
const ENTRY: &str =
    "crypto map CM 10 ipsec-isakmp\n set peer 198.51.100.20\n set transform-set TS\n match address 101\n";

/// Those that do not exist here, in a configuration with these lines between phase 1 and the
/// interfaces.
fn missing(lines: &str) -> Vec<Verdict> {
    let all = verdicts(&parse(&format!("{BASE}{lines}{REST}")));
    all.into_iter().filter(|verdict| verdict.outcome.is_missing()).collect()
}

fn names(lines: &str) -> Vec<String> {
    missing(lines).into_iter().map(|verdict| verdict.name).collect()
}

/// Whether what is left out by name closes a destination by its network, and whether private
/// networks are closed.
fn closed(lines: &str, to: &str) -> (bool, bool) {
    let mut parsed = parse(&format!("{BASE}{lines}{REST}"));
    let all = verdicts(&parsed);
    let without = names(lines);
    assert!(leave_out(&mut parsed.config, &all, &without).is_empty());
    let (from, to): (IpAddr, IpAddr) = ("10.20.0.5".parse().unwrap(), to.parse().unwrap());
    let closed = parsed.config.closed;
    let meets = closed.flows.iter().any(|(source, net)| source.contains(&from) && net.contains(&to));
    (meets, closed.private)
}

/// What was meant is asked before anything is said of the lines below.
#[test]
fn a_misspelt_header_is_asked_after() {
    let found = missing("crypto isakmp polcy 20\n encr 3des\n authentication pre-share\n group 2\n");
    let [verdict, ..] = found.as_slice() else { panic!("{found:?}") };
    let text = &verdict.outcome.reasons()[0].text;
    assert!(text.contains("is not understood (did you mean `crypto isakmp policy 20`?): "), "{text}");
}

#[test]
fn a_misspelt_crypto_map_header_stops_the_start_and_its_list_is_closed() {
    for (header, name) in [
        ("crypto mpa CM 10 ipsec-isakmp", "crypto mpa CM 10"),
        ("cyrpto map CM 10 ipsec-isakmp", "cyrpto map CM 10"),
        ("crypt map CM 10 ipsec-isakmp", "CM/10"),
        ("crypto map CM ipsec-isakmp", "crypto map CM"),
        ("crypto map CM 10 ipsec-iskamp", "CM/10"),
        ("crypto map CM 99999 ipsec-isakmp", "crypto map CM 99999"),
        ("kryptokarte CM 10", "kryptokarte CM 10"),
    ] {
        let lines = format!("{header}\n{BELOW}");
        if header.starts_with("crypt ") {
            // an abbreviation is not a mistake
            assert_eq!(names(&lines), [""; 0], "{header}");
            continue;
        }
        assert_eq!(names(&lines), [name], "{header}");
        assert_eq!(closed(&lines, "10.30.0.1"), (true, false), "{header}");
    }
}

#[test]
fn lines_whose_crypto_map_header_is_lost_stop_the_start() {
    for (lines, name) in [
        (BELOW.to_string(), "crypto map CM"),
        (
            BELOW
                .replace(' ', "")
                .replace("setpeer", "set peer ")
                .replace("settransform-set", "set transform-set ")
                .replace("matchaddress", "match address "),
            "crypto map CM",
        ),
        (format!("!crypto map CM 10 ipsec-isakmp\n{BELOW}"), "crypto map CM"),
        (format!("route-map R permit 10\n match ip address 102\n{BELOW}"), "crypto map CM"),
        (format!("class-map C\n{BELOW}"), "crypto map CM"),
        (format!("interface Loopback0\n ip address 10.9.9.9 255.255.255.255\n{BELOW}"), "crypto map CM"),
        (format!("crypto isakmp keepalive 10\n{BELOW}"), "crypto map CM"),
        (format!("crypto map CM local-address GigabitEthernet0/0\n{BELOW}"), "crypto map CM"),
    ] {
        assert_eq!(names(&lines), [name], "{lines}");
        assert_eq!(closed(&lines, "10.30.0.1"), (true, true), "{lines}");
    }
}

/// The other entry of the map is there, so the interface's map is defined.
#[test]
fn a_second_entry_that_is_misspelt_or_lost_stops_the_start() {
    let second = " set peer 198.51.100.30\n set transform-set TS\n match address 102\n";
    let misspelt = format!("{ENTRY}crypto mpa CM 20 ipsec-isakmp\n{second}");
    assert_eq!(names(&misspelt), ["crypto mpa CM 20"]);
    assert_eq!(closed(&misspelt, "10.40.0.1"), (true, false));
    // without any indentation
    let flat: String = misspelt.lines().map(|line| format!("{}\n", line.trim())).collect();
    assert_eq!(names(&flat), ["crypto mpa CM 20"]);
    assert_eq!(closed(&flat, "10.40.0.1"), (true, false));
    // its lines fall into the entry before it, on a router too
    let lost = format!("{ENTRY}{second}");
    assert_eq!(names(&lost), ["CM/10"]);
    assert!(closed(&lost, "10.40.0.1").0 && closed(&lost, "10.30.0.1").0);
    assert_eq!(names(&format!("{ENTRY}!\n{second}")), ["CM/10"]);
    // given again on purpose
    assert_eq!(names(&format!("{ENTRY}crypto map CM 10 ipsec-isakmp\n match address 102\n")), [""; 0]);
    assert_eq!(names(&format!("{ENTRY} no match address 101\n match address 102\n")), [""; 0]);
}

#[test]
fn other_misspelt_crypto_headers_stop_the_start() {
    let dynamic = "crypto map CM 10 ipsec-isakmp dynamic DM\n";
    for (lines, name) in [
        (
            format!("crypto dynamic-mpa DM 10\n set transform-set TS\n match address 101\n{dynamic}"),
            "crypto dynamic-mpa DM 10",
        ),
        (
            format!("{ENTRY}crypto isakmp clinet configuration group G\n key s3cret\n pool POOL\n"),
            "crypto isakmp clinet configuration group G",
        ),
        (format!("{ENTRY}crypto ipsec porfile P\n set transform-set TS\n"), "crypto ipsec porfile P"),
        (
            format!("{ENTRY}crypto keyrnig K\n pre-shared-key address 198.51.100.20 key s3cret\n"),
            "crypto keyrnig K",
        ),
        (
            format!("{ENTRY}crypto isakmp porfile P\n match identity address 198.51.100.20\n"),
            "crypto isakmp porfile P",
        ),
        (
            format!("{ENTRY}crypto isakmp polcy 20\n encr aes\n authentication pre-share\n"),
            "crypto isakmp polcy 20",
        ),
        (
            format!("{ENTRY}crypto key ring K\n pre-shared-key address 198.51.100.20 key s3cret\n"),
            "pre-shared-key address 198.51.100.20 key",
        ),
    ] {
        let all = names(&lines);
        assert!(all.iter().any(|known| known == name), "{name}: {all:?}");
        assert!(!all.iter().any(|known| known.contains("s3cret")), "{all:?}");
    }
    let group = format!("{ENTRY}crypto isakmp clinet configuration group G\n key s3cret\n pool POOL\n");
    assert_eq!(closed(&group, "10.50.0.7"), (true, false));
    let ring = format!("{ENTRY}crypto keyrnig K\n pre-shared-key address 198.51.100.20 key s3cret\n");
    assert!(closed(&ring, "10.99.0.1").1, "networks that nobody knows");
    // the entry that names the misspelt dynamic map does not exist either
    let lines = format!("crypto dynamic-mpa DM 10\n set transform-set TS\n{dynamic}");
    assert_eq!(names(&lines), ["crypto dynamic-mpa DM 10", "CM/10"]);
}

#[test]
fn a_group_into_which_another_has_fallen_stops_the_start() {
    let lines =
        format!("{ENTRY}crypto isakmp client configuration group G\n key a\n pool POOL\n key b\n pool P2\n");
    assert_eq!(names(&lines), ["group G"]);
    assert!(closed(&lines, "10.50.0.7").0);
}

#[test]
fn an_entry_that_lacks_what_an_unread_line_may_have_said_stops_the_start() {
    for (lines, unknown) in [
        (ENTRY.replace("set peer", "set peeer"), false),
        (ENTRY.replace("set transform-set", "set transfrom-set"), false),
        (ENTRY.replace("match address", "macth address"), true),
        (ENTRY.replace("match address 101", "match adress 101"), true),
    ] {
        let all = missing(&lines);
        assert_eq!(all.len(), 1, "{lines}: {all:?}");
        assert_eq!((all[0].name.as_str(), all[0].unknown), ("CM/10", unknown), "{lines}");
    }
    // what an undefined name may have been meant by
    let list =
        ENTRY.replace("101", "VPN") + "ip acess-list extended VPN\n permit ip any 10.30.0.0 0.0.255.255\n";
    assert_eq!(names(&list), ["CM/10"]);
    assert!(missing(&list)[0].unknown);
    assert_eq!(names(&ENTRY.replace("101", "VPN")), [""; 0], "undefined on a router too");
    let set = ENTRY.replace("TS", "AES") + "crypto ipsec transfrom-set AES esp-aes esp-sha-hmac\n";
    assert_eq!(names(&set), ["CM/10"]);
}

#[test]
fn a_misspelt_crypto_map_of_an_interface_stops_the_start() {
    let text = format!("{BASE}{ENTRY}{REST}").replace(" crypto map CM", " crypto mpa CM");
    let all = verdicts(&parse(&text));
    let found = all.iter().find(|verdict| verdict.name == "crypto mpa CM").expect("a verdict");
    assert!(found.outcome.is_missing() && found.unknown);
}

/// One line may bind a dynamic map, or ask for Xauth.
#[test]
fn a_misspelt_line_that_names_a_map_in_use_stops_the_start() {
    let dynamic = "crypto dynamic-map DM 10\n set transform-set TS\n";
    for line in [
        "crypto mpa CM 65000 ipsec-isakmp dynamic DM",
        "crypto map CM 65000 ipsec-isakmp dynmic DM",
        "crypto mpa CM client authentication list X",
        "crypto mpa CM isakmp authorization list X",
    ] {
        let all = missing(&format!("{ENTRY}{dynamic}{line}\n"));
        assert_eq!(all.len(), 1, "{line}: {all:?}");
        assert!(all[0].unknown, "{line}");
    }
    assert_eq!(names(&format!("{ENTRY}crypto isakmp agressive-mode disable\n")), [""; 0]);
}

/// A router sends that unencrypted as well, so it is reported and the configuration starts.
#[test]
fn a_crypto_map_that_nothing_describes_stops_no_start() {
    for lines in ["", "crypto map CM local-address GigabitEthernet0/0\n", "bogus line\n foo\n"] {
        assert_eq!(names(lines), [""; 0], "{lines}");
    }
    // but not where a line that is not understood may have been its entry
    assert_eq!(names("crypto mpa XX 10 ipsec-isakmp\n"), ["crypto map CM"]);
}

#[test]
fn what_stands_in_its_place_is_no_orphan() {
    for lines in [
        format!("{ENTRY}crypto map CM gdoi fail-close\n match address 102\n activate\n"),
        format!("{ENTRY}crypto ipsec profile P\n set transform-set TS\n set isakmp-profile X\n"),
        format!("{ENTRY}route-map R permit 10\n match ip address 101\n set ip next-hop 10.20.0.7\n"),
        format!("{ENTRY}class-map match-any C\n match access-group 101\n"),
    ] {
        assert_eq!(names(&lines), [""; 0], "{lines}");
    }
    let outcome = &verdicts(&parse(&format!("{BASE}{ENTRY}{REST}")))[0].outcome;
    assert_eq!(*outcome, Outcome::Works);
}

/// Nothing is read after `end`: with a tunnel there, all private networks are unreachable.
#[test]
fn a_tunnel_behind_end_stops_the_start() {
    for line in [
        ENTRY,
        "cry map CM 10 ipsec-isakmp\n",
        "cyrpto map CM 10 ipsec-isakmp\n",
        "hostname B\ncrypto isakmp policy 20\n",
        "interface GigabitEthernet0/0\n crypto map CM\n",
        "interface Tunnel0\n ip address 10.9.9.1 255.255.255.252\n",
        "int tu 0\n",
        " match address 101\n",
    ] {
        let text = format!("{BASE}{REST}end\n{line}");
        let mut parsed = parse(&text);
        let all = verdicts(&parsed);
        let found = all.iter().find(|verdict| verdict.name == "behind end").expect(line);
        assert!(found.outcome.is_missing() && found.unknown, "{line}");
        assert!(leave_out(&mut parsed.config, &all, &["behind end".to_string()]).is_empty());
        assert!(parsed.config.closed.private);
        // it is still reported as a line that is not read
        assert!(crate::unenforced(&parsed).iter().any(|one| one.kind == crate::diagnostic::Kind::AfterEnd));
    }
    for line in [
        "",
        "hostname B\n",
        "interface GigabitEthernet0/1\n",
        "! crypto map CM\n",
        "R1#show crypto map\n",
        "write memory\n",
    ] {
        let all = verdicts(&parse(&format!("{BASE}{REST}end\n{line}")));
        assert!(all.iter().all(|verdict| verdict.name != "behind end"), "{line}");
    }
}

#[test]
fn a_line_that_has_the_name_of_a_map_as_a_word_is_not_of_the_map() {
    let named = |line: &str| {
        let text = format!("{BASE}{ENTRY}{line}\n{REST}").replace("CM", "server");
        let all = verdicts(&parse(&text));
        all.into_iter().filter(|one| one.outcome.is_missing()).map(|one| one.name).collect::<Vec<_>>()
    };
    assert_eq!(named("crypto ipsec server send-update"), [""; 0]);
    assert_eq!(named("crypto isakmp bogus server"), [""; 0]);
    assert_eq!(named("crypto mpa server client authentication list X").len(), 1);
}
