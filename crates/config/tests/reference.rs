//! The reference document's two configurations, and its examples.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_config::diagnostic::{Code, Severity};
use hubward_config::document::Class;
use hubward_config::{Parsed, parse};

const HUB: &str = include_str!("../../../examples/hub.cfg");
const SPOKE: &str = include_str!("../../../examples/spoke.cfg");

fn said(parsed: &Parsed) -> Vec<(u32, Code)> {
    parsed.diagnostics.iter().map(|diagnostic| (diagnostic.line, diagnostic.code)).collect()
}

/// Line of the first line that contains a text.
fn line(text: &str, part: &str) -> u32 {
    u32::try_from(text.lines().position(|line| line.contains(part)).unwrap() + 1).unwrap()
}

/// A01: the hub's configuration loads unchanged, with exactly these remarks.
#[test]
fn a01_hub_loads_unchanged() {
    let parsed = parse(HUB);
    assert_eq!(parsed.document.print(), HUB);
    assert!(parsed.document.lines.iter().all(|line| line.class != Class::Unknown));
    assert!(parsed.diagnostics.iter().all(|diagnostic| diagnostic.severity < Severity::Error));
    let at = |part| line(HUB, part);
    let mut expected = vec![
        (at("pre-shared-key address"), Code::AnyProxy),
        (at("crypto isakmp policy"), Code::Weak),
        (at("crypto isakmp profile VPNclient"), Code::AggressivePsk),
        (at("crypto ipsec transform-set"), Code::Weak),
        (at("no ip mroute-cache"), Code::Inert),
        (at("duplex auto"), Code::Inert),
        (at("duplex auto") + 1, Code::Inert),
        (at("interface FastEthernet0/1") + 3, Code::Inert),
        (at("interface FastEthernet0/1") + 4, Code::Inert),
        (at("no keepalive"), Code::Inert),
        (at("ip route"), Code::OffLink),
        (at("call rsvp-sync"), Code::Inert),
        (at("dial-peer cor"), Code::Inert),
        (at("escape-character"), Code::Inert),
    ];
    expected.sort();
    let mut found = said(&parsed);
    found.sort();
    assert_eq!(found, expected);
}

/// A02: the spoke's likewise.
#[test]
fn a02_spoke_loads_unchanged() {
    let parsed = parse(SPOKE);
    assert_eq!(parsed.document.print(), SPOKE);
    assert!(parsed.document.lines.iter().all(|line| line.class != Class::Unknown));
    assert!(parsed.diagnostics.iter().all(|diagnostic| diagnostic.severity < Severity::Error));
    let codes: Vec<_> = said(&parsed).into_iter().map(|(_, code)| code).collect();
    assert!(codes.iter().all(|code| matches!(code, Code::Inert | Code::Weak)), "{:?}", parsed.diagnostics);
}

/// What the hub's configuration means.
#[test]
fn the_hubs_model() {
    let config = parse(HUB).config;
    assert_eq!(config.hostname.as_deref(), Some("Hub"));
    assert_eq!(config.interfaces.len(), 2);
    assert_eq!(config.interfaces[0].crypto_map.as_deref(), Some("mymap"));
    assert_eq!(config.policies[0].encryption.keyword(), "3des");
    assert_eq!((config.policies[0].hash.keyword(), config.policies[0].lifetime), ("sha", 86400));
    assert_eq!(config.profiles[0].keyrings, ["spokes"]);
    assert_eq!(config.profiles[1].xauth_list.as_deref(), Some("clientauth"));
    assert!(config.profiles[1].respond);
    let entries: Vec<_> =
        config.dynamic_maps[0].entries.iter().map(|e| (e.sequence, e.terms.profile.clone())).collect();
    assert_eq!(entries, [(5, Some("VPNclient".into())), (10, Some("L2L".into()))]);
    assert_eq!(config.maps[0].entries[0].dynamic.as_deref(), Some("dynmap"));
    assert_eq!(config.groups[0].dns.len(), 2);
    assert_eq!(config.pools[0].low.to_string(), "10.5.5.1");
}

/// A40: the document's example of numbering is flush left; modes follow commands, not indentation.
#[test]
fn a40_flush_left() {
    let text = "crypto dynamic-map dynmap 20\nset transform-set myset\ncrypto map mymap 10 ipsec-isakmp\nset peer 10.1.1.1\n\
                match address 100\nset transform-set myset\ncrypto map mymap 60000 ipsec-isakmp dynamic dynmap\n";
    let config = parse(text).config;
    assert_eq!(config.dynamic_maps[0].entries[0].terms.transform_sets, ["myset"]);
    assert_eq!(config.maps[0].entries.len(), 2);
    assert_eq!(config.maps[0].entries[0].terms.acl.as_deref(), Some("100"));
}

/// A11: a dynamic entry before a static one is reported, with both numbers.
#[test]
fn a11_dynamic_in_front_of_static() {
    let text = "crypto map mymap 10 ipsec-isakmp dynamic dynmap\ncrypto map mymap 20 ipsec-isakmp\n set peer 10.1.1.1\n";
    let parsed = parse(text);
    let warning = parsed.diagnostics.iter().find(|d| d.code == Code::DynamicFirst).unwrap();
    assert!(warning.message.contains("10") && warning.message.contains("20"));
    let text = "crypto map mymap 10 ipsec-isakmp\n set peer 10.1.1.1\ncrypto map mymap 60000 ipsec-isakmp dynamic dynmap\n";
    assert!(parse(text).diagnostics.iter().all(|d| d.code != Code::DynamicFirst));
}

#[test]
fn abbreviations_are_the_same_commands() {
    let long = parse("interface FastEthernet0/0\n ip address 10.0.0.1 255.255.255.0\n crypto map m\n").config;
    let short = parse("int fa0/0\n ip add 10.0.0.1 255.255.255.0\n cry map m\n").config;
    assert_eq!(long, short);
}

#[test]
fn access_controls_stop_the_start() {
    for text in [
        "interface FastEthernet0/0\n ip inspect FW in\n",
        "line vty 0 4\n authorization exec CONSOLE\n",
        "crypto isakmp client configuration group g\n max-logins 1\n",
        "crypto isakmp client configuration group g\n group-lock\n",
        "aaa authentication login clients group radius local\ncrypto map M client authentication list clients\n",
        "ip nat outside source static 192.0.2.1 192.0.2.2\ninterface FastEthernet0/0\n ip nat outside\n",
    ] {
        assert!(parse(text).diagnostics.iter().any(|d| d.code == Code::Unenforced), "{text}");
    }
    assert!(!parse("crypto isakmp aggressive-mode disable\n").config.crypto.aggressive_mode);
}

#[test]
fn forwarding_is_told() {
    for text in [
        "interface FastEthernet0/0\n ip helper-address 10.1.1.1\n",
        "router ospf 1\n network 10.0.0.0 0.0.0.255 area 0\n",
    ] {
        let parsed = parse(text);
        assert_eq!(parsed.diagnostics.iter().filter(|d| d.code == Code::Forwarding).count(), 1, "{text}");
    }
}

#[test]
fn wrong_arguments_name_their_column() {
    let parsed = parse("crypto isakmp policy 10\n lifetime 5\n");
    let problem = parsed.diagnostics.iter().find(|d| d.code == Code::Invalid).unwrap();
    assert_eq!((problem.line, problem.column), (2, 11));
    assert!(problem.message.contains("60-86400"));
}

#[test]
fn banners_and_certificates_are_raw_text() {
    let text = "banner motd ^C\nhostname Evil\n^C\ncrypto pki certificate chain TP\n certificate ca 01\n  30820201\n  quit\nhostname Good\n";
    let parsed = parse(text);
    assert_eq!(parsed.config.hostname.as_deref(), Some("Good"));
    assert_eq!(parsed.document.print(), text);
}

/// No message repeats a secret.
#[test]
fn diagnostics_hold_no_secret() {
    let text = "crypto isakmp key s3cr3t adress 1.2.3.4\nusername u passwrd s3cr3t\nenable secrett 5 s3cr3t\n\
                crypto keyring k\n pre-shared-key adress 0.0.0.0 key s3cr3t\n";
    for diagnostic in parse(text).diagnostics {
        assert!(!diagnostic.message.contains("s3cr3t"), "{}", diagnostic.message);
    }
}
