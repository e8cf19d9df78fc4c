//! Where lines belong: in which mode, however they are indented. Files come from `HUBWARD_CORPUS`,
//! the names of the submodes' commands from `data/submode-commands.tsv`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use hubward_config::diagnostic::{Code, Severity};
use hubward_config::document::Class;
use hubward_config::{Parsed, parse};
use libtest_mimic::{Arguments, Failed, Trial};
use std::path::PathBuf;

/// What opened the modes around a line, the innermost first, each spelled out.
fn openers(parsed: &Parsed, place: usize) -> Vec<&str> {
    let lines = &parsed.document.lines;
    let above = std::iter::successors(lines[place].under, |under| lines[*under].under);
    above.map(|place| lines[place].spelled.as_str()).collect()
}

/// The innermost mode of the first line that says this.
fn mode<'p>(parsed: &'p Parsed, line: &str) -> &'p str {
    let place = parsed.document.lines.iter().position(|known| known.text.trim() == line);
    openers(parsed, place.unwrap_or_else(|| panic!("no line `{line}`"))).first().copied().unwrap_or("")
}

/// The same lines written in other ways.
fn rewritten(text: &str) -> Vec<(&'static str, String)> {
    let each = |change: &dyn Fn(&str) -> String| {
        let lines: Vec<_> = text.lines().map(|line| change(line.trim_end_matches('\r'))).collect();
        lines.join("\n") + "\n"
    };
    let leading = |line: &str| line.len() - line.trim_start_matches([' ', '\t']).len();
    vec![
        ("without indentation", each(&|line| line.trim_start().to_string())),
        ("with tabs", each(&|line| format!("{}{}", "\t".repeat(leading(line)), &line[leading(line)..]))),
        ("with CRLF", each(&|line| format!("{line}\r"))),
    ]
}

/// Whether a line is the one case in which indentation decides: the mode has it, and the global
/// mode too.
fn both_have(opener: &str, line: &str) -> bool {
    let within = parse(&format!("{opener}\n{line}\n"));
    let alone = parse(&format!("{line}\n"));
    within.document.lines[1].under == Some(0) && alone.document.lines[0].class != Class::Unknown
}

/// Whether a line is under one that is not a command, or has lines under it although it is not a
/// command.
fn is_by_unknown(parsed: &Parsed, place: usize) -> bool {
    let lines = &parsed.document.lines;
    let under = lines[place].under.is_some_and(|under| lines[under].class == Class::Unknown);
    under || lines.iter().any(|line| line.under == Some(place))
}

/// Every line of a file belongs to the same mode, however the file is indented. Of two lines that
/// are not commands, only indentation shows which belongs to which. In a page about configurations
/// (Markdown, a session's log) only lines with an effect count, because prose is indented for other
/// reasons.
fn same_modes(path: &PathBuf) -> Result<(), Failed> {
    let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let prose = name.contains(".md.") || name.contains(".log.");
    let before = parse(&text);
    let mut wrong = Vec::new();
    for (how, other) in rewritten(&text) {
        let after = parse(&other);
        assert_eq!(before.document.lines.len(), after.document.lines.len(), "{how}");
        for place in 0..before.document.lines.len() {
            let line = &before.document.lines[place];
            let trimmed = line.text.trim();
            let says = match line.class {
                Class::Implemented => true,
                Class::Unknown => !prose && !is_by_unknown(&before, place),
                Class::Blank => false,
                _ => !prose,
            };
            let (was, is) = (openers(&before, place), openers(&after, place));
            if !says || was == is || is.first().is_some_and(|opener| both_have(opener, trimmed)) {
                continue;
            }
            wrong.push(format!("{how}, line {}: `{trimmed}` was under {was:?}, is under {is:?}", place + 1));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Commands of submodes from other sources: a line that opens the mode, a command of it, and the
/// source.
const COMMANDS: &str = include_str!("data/submode-commands.tsv");

/// A command that only this mode has.
fn sentinel(opener: &str) -> &'static str {
    const SENTINELS: [(&str, &str); 46] = [
        ("interface", "shutdown"),
        ("line", "exec-timeout 5 0"),
        ("router", "redistribute static"),
        ("crypto isakmp policy", "hash sha"),
        ("crypto isakmp profile", "match identity group G"),
        ("crypto isakmp client configuration group", "save-password"),
        ("crypto isakmp peer", "set aggressive-mode password x"),
        ("crypto keyring", "pre-shared-key address 10.0.0.1 key x"),
        ("crypto ipsec profile", "set pfs group14"),
        ("crypto ipsec transform-set", "mode tunnel"),
        ("crypto ipsec client ezvpn", "connect auto"),
        ("crypto map", "match address A"),
        ("crypto dynamic-map", "match address A"),
        ("crypto pki trustpoint", "revocation-check none"),
        ("crypto ikev2 proposal", "integrity sha256"),
        ("crypto ikev2 policy", "proposal P"),
        ("crypto ikev2 keyring", "peer B"),
        ("crypto ikev2 profile", "match identity remote any"),
        ("crypto gdoi group", "identity number 1"),
        ("class-map", "match any"),
        ("policy-map", "class class-default"),
        ("route-map", "match tag 1"),
        ("ip sla", "frequency 10"),
        ("track", "delay up 1"),
        ("archive", "path flash:x"),
        ("event manager applet", "event none"),
        ("ip dhcp pool", "default-router 10.0.0.1"),
        ("vrf definition", "rd 1:1"),
        ("key chain", "key 1"),
        ("object-group network", "host 10.0.0.1"),
        ("object-group service", "tcp eq 80"),
        ("zone-pair", "service-policy type inspect P"),
        ("parameter-map", "max-incomplete low 1"),
        ("control-plane", "service-policy input P"),
        ("dial-peer", "destination-pattern 1"),
        ("voice-port", "cptone DE"),
        ("aaa group server", "server-private 10.0.0.1"),
        ("radius server", "address ipv4 10.0.0.1"),
        ("tacacs server", "address ipv4 10.0.0.1"),
        ("ip access-list", "permit ip any any"),
        ("voice service", "allow-connections sip to sip"),
        ("controller", "framing esf"),
        ("gatekeeper", "zone local A b.example"),
        ("dspfarm", "maximum sessions 1"),
        ("monitor session", "source interface GigabitEthernet0/1"),
        ("sip-ua", "retry invite 1"),
    ];
    let found = SENTINELS.iter().find(|(head, _)| opener.starts_with(head));
    found.unwrap_or_else(|| panic!("no sentinel for `{opener}`")).1
}

/// Every command of the list belongs to its mode, and so does the line after it, indented or not.
fn the_commands_of_submodes_are_theirs() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in COMMANDS.lines().filter(|row| !row.starts_with('#')) {
        let [opener, command, source] = row.split('\t').collect::<Vec<_>>()[..] else { panic!("{row}") };
        count += 1;
        for blank in ["", " "] {
            let text = format!("{opener}\n{blank}{command}\n{blank}{}\n", sentinel(opener));
            let parsed = parse(&text);
            let outermost = |place| openers(&parsed, place).last().copied().unwrap_or("");
            let unknown = parsed.document.lines[1].class == Class::Unknown
                && parsed.diagnostics.iter().any(|said| said.line == 2 && said.code == Code::Unknown);
            if outermost(1).is_empty() || outermost(2).is_empty() || unknown {
                wrong.push(format!("{opener}\t{command}\t{source}"));
                break;
            }
        }
    }
    assert!(count >= 300, "{count} commands");
    assert!(wrong.is_empty(), "{} of {count} are taken for others:\n{}", wrong.len(), wrong.join("\n"));
}

/// A line after a command of an interface still belongs to the interface.
fn interface_commands_that_begin_as_global_ones_do_not_end_the_interface() {
    for command in [
        "ntp disable",
        "ntp broadcast client",
        "ntp multicast 224.0.1.1",
        "ip accounting output-packets",
        "ip accounting access-violations",
        "ip dhcp relay information trusted",
        "ip dhcp relay information option-insert",
        "ip dhcp smart-relay",
        "ip dhcp client hostname x",
        "ip dhcp snooping trust",
        "ip arp inspection trust",
        "mpls ip",
        "mpls mtu 1500",
        "mpls l2transport route 10.0.0.1 1",
        "performance monitor context C profile application-experience",
        "crypto engine accelerator",
        "crypto engine slot 0 inside",
        "crypto engine 0",
        "ip igmp snooping tcn flood",
        "mpls label protocol ldp",
        "mpls traffic-eng tunnels",
        "crypto ipsec fragmentation before-encryption",
        "crypto ipsec fragmentation after-encryption",
        "crypto ipsec df-bit clear",
        "ip tcp header-compression",
        "ip admission A",
        "ip auth-proxy A",
        "ip ips A in",
        "ip igmp join-group 224.1.1.1",
        "ip multicast boundary 10",
        "ip wccp web-cache redirect in",
        "ip mobile arp",
        "ip flow monitor M input",
        "ip policy route-map R",
        "ip cef accounting non-recursive internal",
        "ip vrf receive V",
        "ip rsvp bandwidth",
        "ip bgp fast-external-fallover permit",
        "ip nbar protocol-discovery",
        "bridge-group 1",
        "logging event link-status",
        "vlan-id dot1q 2",
        "voice vlan 2",
        "platform qos",
        "service-policy output P",
        "redundancy rii 1",
        "xconnect 10.0.0.1 1 encapsulation mpls",
        "arp authorized",
        "snmp trap link-status",
        "dot1x pae authenticator",
        "nat64 enable",
        "mls netflow sampling",
        "mls rp ip",
        "flow monitor M input",
        "lisp mobility N",
        "crypto connect vlan 10",
        "ip verify drop-rate notify hold-down 60",
        "vrf select source",
        "ip security dedicated secret genser",
        "pseudowire 10.0.0.1 1 pw-class C",
        "no ntp disable",
        "default ip accounting output-packets",
        "no mpls ip",
    ] {
        for blank in ["", " ", "\t", "   "] {
            for end in ["\n", "\r\n"] {
                let lines = ["ip address 10.0.0.1 255.0.0.0", command, "crypto map CM"];
                let lines: String = lines.iter().map(|line| format!("{blank}{line}{end}")).collect();
                let text = format!("interface FastEthernet0/0{end}{lines}{blank}ip access-group 150 in{end}");
                let parsed = parse(&text);
                for place in 1..5 {
                    assert_eq!(openers(&parsed, place), ["interface FastEthernet0/0"], "{text:?}");
                }
                assert_eq!(parsed.config.interfaces[0].crypto_map.as_deref(), Some("CM"), "{text:?}");
                assert!(parsed.diagnostics.iter().any(|said| said.line == 5), "{text:?}");
            }
        }
    }
}

/// The lines of `interface range` are those of its interfaces and of no others, however they are
/// indented.
fn lines_of_several_interfaces_are_no_others() {
    for (opener, members) in [
        ("interface range GigabitEthernet0/1 - 2", &["GigabitEthernet0/1", "GigabitEthernet0/2"][..]),
        ("int ran Gi0/1 , Gi0/3", &["GigabitEthernet0/1", "GigabitEthernet0/3"]),
        ("interface range Fa0/1", &["FastEthernet0/1"]),
    ] {
        for blank in ["", " "] {
            let children = [
                "ip address 10.9.9.1 255.255.255.0",
                "crypto map M",
                "ip nat inside",
                "no shutdown",
                "shutdown",
            ];
            let lines: String = children.iter().map(|line| format!("{blank}{line}\n")).collect();
            let text = format!(
                "interface GigabitEthernet0/0\n ip address 192.0.2.1 255.255.255.0\n{opener}\n{lines}\
                 crypto map M 10 ipsec-isakmp\n set peer 192.0.2.2\ninterface GigabitEthernet0/9\n shutdown\n"
            );
            let parsed = parse(&text);
            let names: Vec<_> = parsed.config.interfaces.iter().map(|i| i.name.as_str()).collect();
            let expected = [&["GigabitEthernet0/0"][..], members, &["GigabitEthernet0/9"]].concat();
            assert_eq!(names, expected, "{text}");
            let (first, others) = parsed.config.interfaces.split_first().unwrap();
            assert!(!first.shutdown && first.crypto_map.is_none(), "{text}");
            for other in &others[..members.len()] {
                assert!(other.shutdown && other.crypto_map.as_deref() == Some("M"), "{text}: {other:?}");
            }
            assert!(openers(&parsed, 2).is_empty(), "{text}");
            for place in 3..3 + children.len() {
                let above = openers(&parsed, place);
                assert!(
                    above.first().is_some_and(|above| above.starts_with("interface range")),
                    "{place} {above:?}: {text}"
                );
            }
            assert_eq!(parsed.config.maps.len(), 1, "{text}");
            assert_eq!(parsed.config.maps[0].entries[0].peers.len(), 1, "{text}");
        }
    }
}

fn said(parsed: &Parsed, line: u32, code: Code) -> bool {
    parsed.diagnostics.iter().any(|said| (said.line, said.code) == (line, code))
}

fn commands_of_lines_and_of_crypto_modes_that_begin_as_global_ones_stay_there() {
    for (opener, command, sentinel) in [
        ("line vty 0 4", "logging synchronous", "access-class 10 in"),
        ("line vty 0 4", "login authentication L", "access-class 10 in"),
        ("line vty 0 4", "transport output ssh", "access-class 10 in"),
        ("line vty 0 4", "privilege level 15", "access-class 10 in"),
        ("line vty 0 4", "ipv6 access-class A in", "access-class 10 in"),
        ("line vty 0 4", "location Rack 1", "access-class 10 in"),
        ("line vty 0 4", "chat-script X", "access-class 10 in"),
        ("line vty 0 4", "login tacacs", "access-class 10 in"),
        // wrong, and still the line's
        ("line vty 0 4", "login frobnicate", "access-class 10 in"),
        ("line vty 0 4", "transport input frobnicate", "access-class 10 in"),
        ("crypto map M 10 ipsec-isakmp", "set security-policy limit 1", "match address 101"),
        ("crypto map M 10 ipsec-isakmp", "qos pre-classify", "match address 101"),
        ("crypto isakmp profile P", "vrf V", "match identity address 0.0.0.0"),
        ("crypto isakmp profile P", "accounting A", "match identity address 0.0.0.0"),
        ("crypto isakmp client configuration group G", "crypto aaa attribute list A", "pool P"),
        ("crypto isakmp client configuration group G", "ipv6 pool P", "pool P"),
        ("ip dhcp pool P", "class C", "network 10.0.0.0 255.0.0.0"),
        ("ip dhcp pool P", "vrf V", "network 10.0.0.0 255.0.0.0"),
        ("ip dhcp pool P", "accounting A", "network 10.0.0.0 255.0.0.0"),
    ] {
        for blank in ["", " "] {
            let parsed = parse(&format!("{opener}\n{blank}{command}\n{blank}{sentinel}\n"));
            for place in [1, 2] {
                assert_eq!(parsed.document.lines[place].under, Some(0), "{opener}: {command}");
            }
            assert_eq!(parsed.document.lines[2].class, Class::Implemented, "{opener}: {command}");
        }
    }
}

/// A command that both have is global if it is flush left after indented lines, and only then.
fn indentation_decides_what_both_modes_have() {
    for command in
        ["crypto ipsec df-bit set", "ip accounting output-packets", "no mpls ip", "crypto gdoi group G"]
    {
        let place = |text: &str| mode(&parse(text), command).to_string();
        assert_eq!(place(&format!("interface Loopback0\n shutdown\n{command}\n")), "", "{command}");
        assert_eq!(place(&format!("interface Loopback0\n shutdown\n!\n{command}\n")), "", "{command}");
        let within = "interface Loopback0";
        assert_eq!(place(&format!("interface Loopback0\n shutdown\n {command}\n")), within, "{command}");
        assert_eq!(place(&format!("interface Loopback0\n shutdown\n!\n {command}\n")), within, "{command}");
        assert_eq!(place(&format!("interface Loopback0\nshutdown\n{command}\n")), within, "{command}");
        assert_eq!(place(&format!("interface Loopback0\n{command}\n")), within, "{command}");
        // all of it moved to the right, as on a page
        let moved = format!("  interface Loopback0\n    shutdown\n  {command}\n");
        assert_eq!(place(&moved), "", "{command}");
    }
    let parsed = parse("interface Loopback0\n shutdown\ncrypto ipsec df-bit set\n");
    assert_eq!(parsed.config.crypto.df_bit, parse("crypto ipsec df-bit set\n").config.crypto.df_bit);
}

fn a_line_that_nobody_has_ends_no_mode() {
    let text = "interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\n frobnicate the link\n!\n\n crypto map CM\n";
    let parsed = parse(text);
    assert_eq!(mode(&parsed, "frobnicate the link"), "interface FastEthernet0/0");
    assert!(said(&parsed, 3, Code::Unknown));
    assert_eq!(parsed.config.interfaces[0].crypto_map.as_deref(), Some("CM"));
    // a command that only the global mode has ends it, indented or not
    let parsed = parse("interface FastEthernet0/0\n shutdown\n hostname A\n crypto map CM\n");
    assert_eq!(mode(&parsed, "hostname A"), "");
    assert_eq!(parsed.config.hostname.as_deref(), Some("A"));
    assert_eq!(parsed.config.interfaces[0].crypto_map, None);
}

fn global_commands_that_begin_as_an_interfaces_are_global_without_indentation() {
    for command in [
        "ip nat inside source list 1 interface FastEthernet0/0 overload",
        "ip inspect name FW tcp",
        "ipv6 unicast-routing",
        "ipv6 access-list A",
        "cdp run",
        "clock timezone CET 1",
        "ip pim rp-address 10.0.0.1",
        "ip dhcp relay information trust-all",
        "spanning-tree mode pvst",
        "ip admission name A proxy http",
        "crypto map CM 10 ipsec-isakmp",
        "ip access-list extended A",
        "vrf definition V",
        "service timestamps log uptime",
        "line vty 0 4",
        "router ospf 1",
    ] {
        let parsed = parse(&format!("interface FastEthernet0/0\nip address 10.0.0.1 255.0.0.0\n{command}\n"));
        assert_eq!(parsed.document.lines[2].under, None, "{command}");
    }
}

fn nested_modes_are_left_by_what_the_outer_one_has() {
    let text = "router bgp 65000\n address-family ipv4 vrf A\n  neighbor 10.0.0.1 activate\n exit-address-family\n\
                \x20bgp log-neighbor-changes\npolicy-map P\n class A\n  police 8000\n   conform-action transmit\n class B\n  priority 10\n\
                archive\n log config\n  logging enable\n path flash:x\ncrypto ikev2 keyring K\n peer A\n  address 10.0.0.1\n peer B\n\
                crypto ikev2 profile P\n keyring local K\nhostname A\n";
    for (_, text) in rewritten(text).into_iter().chain([("as it is", text.to_string())]) {
        let parsed = parse(&text);
        for (line, opener) in [
            ("neighbor 10.0.0.1 activate", "address-family ipv4 vrf A"),
            ("bgp log-neighbor-changes", "router bgp 65000"),
            ("conform-action transmit", "police 8000"),
            ("class B", "policy-map P"),
            ("priority 10", "class B"),
            ("logging enable", "log config"),
            ("path flash:x", "archive"),
            ("address 10.0.0.1", "peer A"),
            ("peer B", "crypto ikev2 keyring K"),
            ("keyring local K", "crypto ikev2 profile P"),
            ("hostname A", ""),
        ] {
            assert_eq!(mode(&parsed, line), opener, "{line}: {text}");
        }
    }
}

/// The lines under a global command that is not known are not applied to the interface above it.
fn lines_under_an_unknown_command_are_its_own() {
    for opener in [
        "gatekeeper",
        "dspfarm profile 1 transcode",
        "monitor session 1 type erspan-source",
        "frobnicate 1",
        "l2vpn xconnect context X",
        "ip slb vserver V",
        // known, and wrong
        "interface 1",
        "line vty 4 0",
        "crypto isakmp policy 0",
        // known, and not known to open a mode
        "aaa accounting exec default",
        "platform x",
    ] {
        let text = format!(
            "interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\n crypto map CM\n!\n{opener}\n shutdown\n!\n no crypto map CM\n  no ip address\n!\n\
             hostname A\n"
        );
        let parsed = parse(&text);
        let interface = &parsed.config.interfaces[0];
        assert!(!interface.shutdown, "{opener}");
        assert_eq!(interface.crypto_map.as_deref(), Some("CM"), "{opener}");
        assert_eq!(parsed.document.lines[4].under, None, "{opener}");
        assert_eq!(parsed.document.lines[5].under, Some(4), "{opener}");
        assert_eq!(parsed.config.hostname.as_deref(), Some("A"), "{opener}");
        assert_eq!(parsed.document.print(), text);
    }
}

/// A configuration may be indented as a whole after a line of prose: its blocks are read.
fn a_configuration_indented_behind_prose_is_read() {
    for prose in ["Current configuration : 9127 bytes", "On the hub:", "R1#show running-config"] {
        let text = format!(
            "{prose}\n  interface FastEthernet0/0\n    ip address 10.0.0.1 255.0.0.0\n    crypto map CM\n  !\n  hostname A\n\
             \x20 crypto isakmp policy 10\n    hash md5\n"
        );
        let parsed = parse(&text);
        assert_eq!(parsed.config.interfaces[0].crypto_map.as_deref(), Some("CM"), "{prose}");
        assert_eq!(parsed.config.hostname.as_deref(), Some("A"), "{prose}");
        assert_eq!(mode(&parsed, "hash md5"), "crypto isakmp policy 10", "{prose}");
    }
}

/// Those that IOS has are known by name: no indentation is needed.
fn openers_without_effect_are_known_without_indentation() {
    for opener in [
        "gatekeeper",
        "dspfarm profile 1 transcode",
        "monitor session 1 type erspan-source",
        "voice-port 0/0/0",
    ] {
        let parsed =
            parse(&format!("interface FastEthernet0/0\nip address 10.0.0.1 255.0.0.0\n{opener}\nshutdown\n"));
        assert!(!parsed.config.interfaces[0].shutdown, "{opener}");
        assert_eq!(parsed.document.lines[3].under, Some(2), "{opener}");
    }
}

/// Within an interface likewise; what the interface has opens nothing.
fn lines_under_a_part_of_an_interface_are_the_parts() {
    for opener in
        ["service instance 1 ethernet", "pvc 1/32", "frobnicate", "xconnect 10.0.0.1 1 encapsulation mpls"]
    {
        let text =
            format!("interface FastEthernet0/0\n {opener}\n  shutdown\n  description x\n crypto map CM\n");
        let parsed = parse(&text);
        assert!(parsed.config.interfaces[0].crypto_map.is_some(), "{opener}");
        if opener != "xconnect 10.0.0.1 1 encapsulation mpls" {
            assert!(!parsed.config.interfaces[0].shutdown, "{opener}");
            assert_eq!(parsed.document.lines[2].under, Some(1), "{opener}");
        }
    }
    // an entry that is indented by mistake
    let text =
        "interface FastEthernet0/0\n ip nat inside\n   ip address 10.0.0.1 255.0.0.0\n   crypto map CM\n";
    assert_eq!(parse(text).config.interfaces[0].crypto_map.as_deref(), Some("CM"));
}

/// The banner of a client group has no word before its delimiter; the lines after it are read.
fn a_groups_banner_takes_no_line_behind_it() {
    for (banner, text) in [
        ("banner ^CHello yz^C", "Hello yz"),
        ("banner ^CAuthorised users only ^C", "Authorised users only"),
        ("banner \u{3}Hello yz\u{3}", "Hello yz"),
        ("banner #Hello, you#", "Hello, you"),
        ("banner ^C\n Hello\n yz\n^C", "Hello\n yz"),
        ("banner \u{3}Hello\nno ip address\nshutdown\u{3}", "Hello\nno ip address\nshutdown"),
    ] {
        let before = "interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\ncrypto isakmp client configuration group G\n key k\n";
        let after = " pool P\ninterface FastEthernet0/1\n crypto map yz\nhostname hyz\n";
        let parsed = parse(&format!("{before} {banner}\n{after}"));
        let group = &parsed.config.groups[0];
        assert_eq!(group.banner.as_deref(), Some(text), "{banner}");
        assert_eq!(group.pool.as_deref(), Some("P"), "{banner}");
        assert_eq!(parsed.config.interfaces[1].crypto_map.as_deref(), Some("yz"), "{banner}");
        assert!(!parsed.config.interfaces[0].shutdown, "{banner}");
        assert_eq!(parsed.config.hostname.as_deref(), Some("hyz"), "{banner}");
    }
}

/// Blocks of text are not configuration: their lines change nothing, and the lines after them are
/// read.
fn blocks_of_text_are_not_obeyed() {
    let evil = "no ip address\nshutdown\nhostname Evil\n";
    for (opener, end) in [
        ("macro name M", "@"),
        ("macro auto execute M {", "}"),
        ("banner motd ^C", "^C"),
        ("banner login #", "#"),
        ("banner exec \u{3}", "\u{3}"),
        ("banner incoming %", "%"),
        ("banner slip-ppp $", "$"),
        ("banner prompt-timeout ~", "~"),
        ("banner config-save +", "+"),
        ("banner motd ^CWelcome", "bye^C"),
        ("aaa authentication banner *", "*"),
        ("aaa authentication fail-message ^C", "^C"),
        ("menu M title ^C", "^C"),
        ("menu M prompt /", "/"),
        ("line vty 0 4\n vacant-message #", "#"),
        ("line vty 0 4\n refuse-message ^C", "^C"),
        ("ip admission auth-proxy-banner http ^C", "^C"),
        ("crypto key pubkey-chain rsa\n addressed-key 10.0.0.1\n  key-string", "quit"),
    ] {
        let before = "interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\nhostname Good\n";
        let text = format!("{before}{opener}\n{evil}{end}\nip domain name example.org\n");
        let parsed = parse(&text);
        assert_eq!(parsed.config.hostname.as_deref(), Some("Good"), "{opener}");
        assert!(!parsed.config.interfaces[0].shutdown, "{opener}");
        assert_eq!(parsed.config.domain_name.as_deref(), Some("example.org"), "{opener}");
        assert_eq!(parsed.document.print(), text);
        let inside = parsed.document.lines.iter().position(|line| line.text == "shutdown").unwrap();
        let under = parsed.document.lines[inside].under.unwrap();
        assert!(opener.ends_with(parsed.document.lines[under].text.trim()), "{opener}");
    }
    let quoted = "aaa authentication username-prompt \"User: \"\nhostname A\n";
    assert_eq!(parse(quoted).config.hostname.as_deref(), Some("A"));
}

fn certificates_end_at_quit_and_take_nothing_else() {
    let hex = "  3082022B 30820194 A0030201\n  69666963\n";
    for chain in [
        format!(" certificate self-signed 01\n{hex}  \tquit\n"),
        format!(" certificate ca 01\n{hex}        quit\n certificate 02\n{hex}\tquit\n"),
        // kept in a file: no text follows
        " certificate self-signed 01 nvram:IOS-Self-Sig#1.cer\n".to_string(),
        format!(" certificate 01 nvram:x#1.cer\n certificate ca 02\n{hex}  quit\n"),
    ] {
        let text =
            format!("crypto pki certificate chain T\n{chain}interface FastEthernet0/0\n crypto map CM\n");
        let parsed = parse(&text);
        assert_eq!(parsed.config.interfaces[0].crypto_map.as_deref(), Some("CM"), "{text}");
        assert!(parsed.diagnostics.iter().all(|said| said.code != Code::Invalid), "{:?}", parsed.diagnostics);
    }
}

/// A text without an end is reported, and the lines after its first line are read.
fn a_text_without_an_end_is_told_and_takes_nothing() {
    for opener in [
        "banner motd ^C",
        "crypto isakmp client configuration group G\n banner zWelcome",
        "macro name M",
        "aaa authentication banner %",
        "crypto pki certificate chain T\n certificate 01",
        "crypto pki certificate chain T\n certificate 01\n  3082022B",
    ] {
        let text = format!("{opener}\ninterface FastEthernet0/0\n crypto map CM\n");
        let parsed = parse(&text);
        let line =
            opener.lines().position(|line| !line.starts_with("crypto") && !line.starts_with("  ")).unwrap()
                + 1;
        let said =
            parsed.diagnostics.iter().find(|said| said.line as usize == line && said.code == Code::Invalid);
        let said = said.unwrap_or_else(|| panic!("{opener}: {:?}", parsed.diagnostics));
        assert_eq!(said.severity, Severity::Error, "{opener}");
        assert!(said.message.contains("is missing"), "{}", said.message);
        assert_eq!(parsed.config.interfaces[0].crypto_map.as_deref(), Some("CM"), "{opener}");
    }
}

/// What restricts, filters or routes is never said to be without effect for a good reason.
fn commands_that_restrict_or_route_are_never_inert() {
    for (opener, command) in [
        ("interface FastEthernet0/0", "mac access-group M in"),
        ("interface FastEthernet0/0", "ip admission A"),
        ("interface FastEthernet0/0", "ip ips A in"),
        ("interface FastEthernet0/0", "dot1x port-control auto"),
        (
            "interface FastEthernet0/0",
            "rate-limit input 8000 1500 2000 conform-action transmit exceed-action drop",
        ),
        ("interface FastEthernet0/0", "mpls ip"),
        ("interface FastEthernet0/0", "ip router isis"),
        ("interface FastEthernet0/0", "bridge-group 1"),
        ("interface FastEthernet0/0", "ip multicast boundary 10"),
        ("interface FastEthernet0/0", "ip igmp access-group 10"),
        ("line vty 0 4", "autocommand show clock"),
        ("control-plane", "service-policy input COPP"),
        ("crypto map M 10 ipsec-isakmp", "set identity I"),
    ] {
        let parsed = parse(&format!("{opener}\n {command}\nip multicast-routing\n"));
        assert_eq!(parsed.document.lines[1].class, Class::Unsupported, "{opener}: {command}");
        let told = said(&parsed, 2, Code::Unenforced) || said(&parsed, 2, Code::Forwarding);
        assert!(told, "{opener}: {command}: {:?}", parsed.diagnostics);
    }
}

/// The trials that need no files.
macro_rules! trials {
    ($($name:ident,)*) => { vec![$(Trial::test(stringify!($name), || { $name(); Ok(()) })),*] };
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = trials![
        the_commands_of_submodes_are_theirs,
        interface_commands_that_begin_as_global_ones_do_not_end_the_interface,
        lines_of_several_interfaces_are_no_others,
        commands_of_lines_and_of_crypto_modes_that_begin_as_global_ones_stay_there,
        indentation_decides_what_both_modes_have,
        a_line_that_nobody_has_ends_no_mode,
        global_commands_that_begin_as_an_interfaces_are_global_without_indentation,
        nested_modes_are_left_by_what_the_outer_one_has,
        lines_under_an_unknown_command_are_its_own,
        a_configuration_indented_behind_prose_is_read,
        openers_without_effect_are_known_without_indentation,
        lines_under_a_part_of_an_interface_are_the_parts,
        a_groups_banner_takes_no_line_behind_it,
        blocks_of_text_are_not_obeyed,
        certificates_end_at_quit_and_take_nothing_else,
        a_text_without_an_end_is_told_and_takes_nothing,
        commands_that_restrict_or_route_are_never_inert,
    ];
    if std::env::var_os("HUBWARD_CORPUS").is_none() {
        let name = "placing (HUBWARD_CORPUS is not set)";
        trials.push(Trial::test(name, || Ok(())).with_ignored_flag(true));
    }
    for path in common::corpus() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        trials.push(Trial::test(format!("same_modes::{name}"), move || same_modes(&path)));
    }
    libtest_mimic::run(&arguments, trials).exit();
}
