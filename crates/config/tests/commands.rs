//! Commands of IOS that must be known, and those that must never count as harmless.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use hubward_config::diagnostic::Code;
use hubward_config::document::Class;
use hubward_config::{Parsed, parse};

/// The commands of a list: `OPENER :: LINE`, or `LINE` alone.
fn listed(list: &str) -> Vec<(Option<&str>, &str)> {
    let lines = list.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.split_once(" :: ").map_or((None, line), |(opener, line)| (Some(opener), line)))
        .collect()
}

/// What a line is after `before`, under its opener.
fn read(before: &str, opener: Option<&str>, line: &str) -> (Parsed, usize) {
    let opener = opener.map(|opener| format!("{opener}\n ")).unwrap_or_default();
    let text = format!("{before}{opener}{line}\n");
    let place = text.lines().count() - 1;
    (parse(&text), place)
}

#[test]
fn commands_of_ios_are_known() {
    let list = listed(include_str!("data/commands.txt"));
    assert!(list.len() > 500);
    let unknown: Vec<_> = list
        .iter()
        .filter(|(opener, line)| {
            let (parsed, place) = read("", *opener, line);
            parsed.document.lines[place].class == Class::Unknown
        })
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// What switches settings on that do nothing alone.
const SWITCHES: &str = "ip tcp intercept list 101
ip multicast-routing
ip inspect name FW http urlfilter
ip nat inside source list 1 interface FastEthernet0/1 overload
aaa authorization commands 15 default group tacacs+
line vty 0 4
 login authentication L
 authorization exec L
 authorization commands 15 L
interface FastEthernet0/1
 ip address 10.0.0.1 255.0.0.0
 ip inspect FW in
 ip ips I in
 ip auth-proxy A
 ip admission A
 ip nat inside
 ip vrf select source
 ip policy route-map R
 zone-member security Z
 dot1x port-control auto
";

/// What restricts, forwards or lends has its effect, stops the start or is named as what is not
/// done; it never counts as harmless.
#[test]
fn what_restricts_forwards_or_lends_is_never_inert() {
    let mut harmless = Vec::new();
    for (opener, line) in listed(include_str!("data/restricts.txt")) {
        let (parsed, place) = read(SWITCHES, opener, line);
        let told = |code: Code| {
            parsed
                .diagnostics
                .iter()
                .any(|told| usize::try_from(told.line) == Ok(place + 1) && told.code == code)
        };
        let class = parsed.document.lines[place].class;
        let named = told(Code::Unenforced) || told(Code::Forwarding) || told(Code::Unsupported);
        // a line that shares the fate of its mode was named with it
        let with_its_mode = opener.is_some() && class == Class::Unsupported;
        if !(class == Class::Implemented || named || with_its_mode) || told(Code::Inert) {
            harmless.push(format!("{opener:?} {line}: {class:?} {:?}", parsed.diagnostics.last()));
        }
    }
    assert!(harmless.is_empty(), "{harmless:#?}");
}

/// On real configurations every line of the VPN, of AAA, of lists, interfaces and routing is known,
/// but for misspellings and prose.
#[test]
fn lines_of_real_configurations_are_known() {
    const HEADS: [&str; 20] = [
        "crypto",
        "aaa",
        "ip",
        "access-list",
        "route-map",
        "interface",
        "router",
        "match",
        "set",
        "permit",
        "deny",
        "pre-shared-key",
        "username",
        "line",
        "key",
        "network",
        "radius-server",
        "tacacs-server",
        "vrf",
        "no",
    ];
    // a transcription without hyphens, and commands of Linux and of exec mode
    const WRONG: [&str; 8] = [
        "ipsecisakmp",
        "dynamicmap",
        "transformset",
        "ip addr show",
        "ip 192.168.1.2",
        "ip route\n",
        "access-list Crypto-ACL",
        "ip interface",
    ];
    let mut unknown = Vec::new();
    for path in common::corpus() {
        let text = hubward_config::source::decode(&std::fs::read(&path).unwrap()).unwrap();
        for line in parse(&text).document.lines.iter().filter(|line| line.class == Class::Unknown) {
            let text = format!("{}\n", line.text.trim());
            let first = text.split_whitespace().next().unwrap_or_default();
            let is_prose = text.trim_end().ends_with(['.', ':', '?']) || text.contains(": ");
            let is_wrong = WRONG.iter().any(|wrong| text.contains(wrong)) || text == format!("{first}\n");
            if HEADS.contains(&first) && !is_prose && !is_wrong {
                unknown.push(format!("{}: {text}", path.display()));
            }
        }
    }
    assert!(unknown.is_empty(), "{}", unknown.concat());
}
