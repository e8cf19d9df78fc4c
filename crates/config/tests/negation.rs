//! `no` and `default`: they negate what a command sets, and `default` enables what is on by
//! default.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_config::diagnostic::{Code, Diagnostic};
use hubward_config::document::Class;
use hubward_config::model::{Addressing, DfBit};
use hubward_config::{Parsed, parse};

const POLICY: &str = "crypto isakmp policy 10";
const KEYRING: &str = "crypto keyring k";
const PROFILE: &str = "crypto isakmp profile p";
const GROUP: &str = "crypto isakmp client configuration group g";
const SET: &str = "crypto ipsec transform-set t esp-aes esp-sha-hmac";
const MAP: &str = "crypto map m 10 ipsec-isakmp";
const DYNAMIC: &str = "crypto dynamic-map d 10";
const INTERFACE: &str = "interface FastEthernet0/0";
const POOL: &str = "ip dhcp pool d";

/// In a mode (none is the global one), a line, and a line that takes it back.
const PAIRS: &[(&str, &str, &str)] = &[
    ("", "hostname Hub", "no hostname"),
    ("", "hostname Hub", "no hostname Hub"),
    ("", "ip domain name a.b", "no ip domain name"),
    ("", "ip domain-name a.b", "no ip domain name a.b"),
    ("", "service password-encryption", "no service password-encryption"),
    ("", "no logging on", "default logging on"),
    ("", "logging buffered 8192 errors", "default logging buffered"),
    ("", "no logging buffered", "default logging buffered"),
    ("", "no logging console", "default logging console"),
    ("", "logging monitor 3", "default logging monitor"),
    ("", "logging trap debugging", "default logging trap"),
    ("", "logging host 10.1.1.5", "no logging host 10.1.1.5"),
    ("", "logging 10.1.1.5", "no logging 10.1.1.5"),
    ("", "service timestamps debug uptime", "default service timestamps debug"),
    ("", "no service timestamps", "default service timestamps"),
    ("", "no service timestamps log", "default service timestamps log"),
    ("", "username u password 0 p", "no username u"),
    ("", "username u password 0 p", "no username u password 0 p"),
    ("", "aaa new-model", "no aaa new-model"),
    ("", "aaa authentication login l local", "no aaa authentication login l"),
    ("", "aaa authentication login l local", "no aaa authentication login l local"),
    ("", "aaa authorization network l local", "no aaa authorization network l"),
    ("", "crypto isakmp policy 10", "no crypto isakmp policy 10"),
    ("", "crypto isakmp key k address 1.1.1.1", "no crypto isakmp key k address 1.1.1.1"),
    ("", "crypto isakmp key 0 k hostname h no-xauth", "no crypto isakmp key k hostname h"),
    ("", "crypto isakmp keepalive 10 3 periodic", "no crypto isakmp keepalive"),
    ("", "crypto isakmp keepalive 10 3 periodic", "no crypto isakmp keepalive 10 3"),
    ("", "crypto isakmp nat keepalive 20", "no crypto isakmp nat keepalive"),
    ("", "crypto isakmp identity hostname", "no crypto isakmp identity"),
    ("", "crypto isakmp identity hostname", "no crypto isakmp identity hostname"),
    ("", "crypto isakmp identity hostname", "default crypto isakmp identity"),
    ("", "crypto isakmp aggressive-mode disable", "no crypto isakmp aggressive-mode disable"),
    ("", "crypto isakmp aggressive-mode disable", "default crypto isakmp aggressive-mode disable"),
    ("", "crypto isakmp invalid-spi-recovery", "no crypto isakmp invalid-spi-recovery"),
    (
        "",
        "no crypto ipsec nat-transparency udp-encapsulation",
        "default crypto ipsec nat-transparency udp-encapsulation",
    ),
    (
        "",
        "no crypto ipsec nat-transparency udp-encapsulation",
        "crypto ipsec nat-transparency udp-encapsulation",
    ),
    (
        "",
        "crypto ipsec security-association lifetime seconds 600",
        "no crypto ipsec security-association lifetime seconds",
    ),
    (
        "",
        "crypto ipsec security-association lifetime seconds 600",
        "default crypto ipsec security-association lifetime seconds 600",
    ),
    (
        "",
        "crypto ipsec security-association lifetime kilobytes disable",
        "no crypto ipsec security-association lifetime kilobytes disable",
    ),
    (
        "",
        "crypto ipsec security-association lifetime kilobytes 9999",
        "no crypto ipsec security-association lifetime kilobytes",
    ),
    ("", "crypto ipsec security-association idle-time 600", "no crypto ipsec security-association idle-time"),
    (
        "",
        "crypto ipsec security-association replay window-size 1024",
        "no crypto ipsec security-association replay window-size",
    ),
    (
        "",
        "crypto ipsec security-association replay disable",
        "no crypto ipsec security-association replay disable",
    ),
    (
        "",
        "crypto ipsec security-association replay disable",
        "default crypto ipsec security-association replay",
    ),
    ("", "crypto ipsec df-bit set", "no crypto ipsec df-bit"),
    ("", "crypto ipsec df-bit clear", "default crypto ipsec df-bit clear"),
    ("", "crypto ipsec transform-set t esp-aes esp-sha-hmac", "no crypto ipsec transform-set t"),
    ("", "crypto map m client authentication list l", "no crypto map m"),
    ("", "crypto map m 10 ipsec-isakmp", "no crypto map m 10"),
    ("", "crypto map m 10 ipsec-isakmp dynamic d", "no crypto map m 10 ipsec-isakmp dynamic d"),
    ("", "crypto dynamic-map d 10", "no crypto dynamic-map d 10"),
    ("", "crypto dynamic-map d 10", "no crypto dynamic-map d"),
    ("", "crypto keyring k", "no crypto keyring k"),
    ("", "crypto isakmp profile p", "no crypto isakmp profile p"),
    ("", "crypto isakmp client configuration group g", "no crypto isakmp client configuration group g"),
    ("", "ip route 10.0.0.0 255.0.0.0 1.1.1.1 5", "no ip route 10.0.0.0 255.0.0.0 1.1.1.1"),
    ("", "ip route 10.0.0.0 255.0.0.0 1.1.1.1 5", "no ip route 10.0.0.0 255.0.0.0"),
    ("", "ip route 10.0.0.0 255.0.0.0 Null0", "no ip route 10.0.0.0 255.0.0.0 nu0"),
    ("", "ip local pool p 10.0.0.1 10.0.0.9", "no ip local pool p"),
    ("", "ip local pool p 10.0.0.1 10.0.0.9", "no ip local pool p 10.0.0.1 10.0.0.9"),
    ("", "access-list 101 permit ip any any", "no access-list 101"),
    ("", "access-list 101 permit ip any any", "no access-list 101 permit ip any any"),
    ("", "ip access-list extended a", "no ip access-list extended a"),
    ("", "ip dhcp pool d", "no ip dhcp pool d"),
    ("", "ip dhcp excluded-address 10.0.0.1 10.0.0.9", "no ip dhcp excluded-address 10.0.0.1 10.0.0.9"),
    ("", "interface Loopback0", "no interface lo0"),
    (POLICY, "encryption aes 256", "no encryption"),
    (POLICY, "encryption 3des", "no encryption 3des"),
    (POLICY, "encryption 3des", "default encryption"),
    (POLICY, "hash md5", "no hash"),
    (POLICY, "hash md5", "default hash md5"),
    (POLICY, "authentication pre-share", "no authentication"),
    (POLICY, "group 14", "no group"),
    (POLICY, "group 14", "default group 14"),
    (POLICY, "lifetime 600", "no lifetime"),
    (POLICY, "lifetime 600", "default lifetime"),
    (
        KEYRING,
        "pre-shared-key address 0.0.0.0 0.0.0.0 key k",
        "no pre-shared-key address 0.0.0.0 0.0.0.0 key k",
    ),
    (KEYRING, "pre-shared-key address 0.0.0.0 0.0.0.0 key k", "no pre-shared-key address 0.0.0.0 0.0.0.0"),
    (KEYRING, "local-address 1.1.1.1", "no local-address"),
    (KEYRING, "local-address 1.1.1.1", "no local-address 1.1.1.1"),
    (PROFILE, "keyring k", "no keyring"),
    (PROFILE, "keyring k", "no keyring k"),
    (PROFILE, "match identity group g", "no match identity group g"),
    (PROFILE, "match identity address 0.0.0.0", "no match identity address 0.0.0.0"),
    (PROFILE, "client authentication list l", "no client authentication list"),
    (PROFILE, "client authentication list l", "no client authentication list l"),
    (PROFILE, "isakmp authorization list l", "default isakmp authorization list"),
    (PROFILE, "client configuration address respond", "no client configuration address respond"),
    (PROFILE, "self-identity fqdn h", "no self-identity"),
    (PROFILE, "self-identity fqdn h", "no self-identity fqdn"),
    (PROFILE, "keepalive 10 retry 3", "no keepalive"),
    (PROFILE, "keepalive 10 retry 3", "no keepalive 10 retry 3"),
    (PROFILE, "initiate mode aggressive", "no initiate mode aggressive"),
    (PROFILE, "local-address 1.1.1.1", "no local-address"),
    (GROUP, "key 0 k", "no key"),
    (GROUP, "key 0 k", "no key 0 k"),
    (GROUP, "dns 1.1.1.1 1.1.1.2", "no dns"),
    (GROUP, "wins 1.1.1.1", "no wins 1.1.1.1"),
    (GROUP, "domain a.b", "no domain"),
    (GROUP, "split-dns a.b", "no split-dns a.b"),
    (GROUP, "pool p", "no pool"),
    (GROUP, "acl 101", "no acl 101"),
    (GROUP, "netmask 255.0.0.0", "no netmask"),
    (GROUP, "save-password", "no save-password"),
    (GROUP, "pfs", "default pfs"),
    (GROUP, "backup-gateway h", "no backup-gateway h"),
    (GROUP, "banner ^C hello ^C", "no banner"),
    (SET, "mode transport", "no mode"),
    (SET, "mode transport", "no mode transport"),
    (SET, "mode transport", "default mode"),
    (MAP, "set peer 1.1.1.1", "no set peer 1.1.1.1"),
    (MAP, "set transform-set t", "no set transform-set"),
    (MAP, "set transform-set t", "no set transform-set t"),
    (MAP, "match address 101", "no match address"),
    (MAP, "match address 101", "no match address 101"),
    (MAP, "set isakmp-profile p", "no set isakmp-profile"),
    (MAP, "set pfs group2", "no set pfs"),
    (MAP, "set pfs group2", "no set pfs group2"),
    (MAP, "set security-association lifetime seconds 600", "no set security-association lifetime seconds"),
    (
        MAP,
        "set security-association lifetime kilobytes disable",
        "no set security-association lifetime kilobytes disable",
    ),
    (MAP, "set security-association idle-time 600", "no set security-association idle-time"),
    (
        MAP,
        "set security-association replay window-size 1024",
        "no set security-association replay window-size",
    ),
    (MAP, "set security-association replay disable", "default set security-association replay"),
    (MAP, "reverse-route", "no reverse-route"),
    (DYNAMIC, "set transform-set t", "no set transform-set"),
    (DYNAMIC, "match address 101", "no match address"),
    (DYNAMIC, "set isakmp-profile p", "no set isakmp-profile p"),
    (DYNAMIC, "reverse-route", "default reverse-route"),
    (INTERFACE, "description to the ! world", "no description"),
    (INTERFACE, "description to the ! world", "no description to the world"),
    (INTERFACE, "ip address 10.0.0.1 255.0.0.0", "no ip address"),
    (INTERFACE, "ip address 10.0.0.1 255.0.0.0", "default ip address"),
    (INTERFACE, "ip address 10.0.0.1 255.0.0.0", "no ip address 10.0.0.1 255.0.0.0"),
    (INTERFACE, "ip address dhcp", "no ip address dhcp"),
    (INTERFACE, "crypto map m", "no crypto map"),
    (INTERFACE, "crypto map m", "no crypto map m"),
    (INTERFACE, "shutdown", "no shutdown"),
    (INTERFACE, "shutdown", "default shutdown"),
    (POOL, "network 10.0.0.0 255.0.0.0", "no network"),
    (POOL, "network 10.0.0.0 /8", "no network 10.0.0.0 /8"),
    (POOL, "default-router 10.0.0.1", "no default-router"),
    (POOL, "default-router 10.0.0.1", "no default-router 10.0.0.1"),
    (POOL, "dns-server 1.1.1.1 1.1.1.2", "no dns-server"),
    (POOL, "domain-name a.b", "no domain-name"),
    (POOL, "lease 1 2 3", "no lease"),
    (POOL, "lease infinite", "default lease"),
];

fn wrong(parsed: &Parsed) -> Vec<&Diagnostic> {
    parsed.diagnostics.iter().filter(|d| matches!(d.code, Code::Invalid | Code::Unknown)).collect()
}

/// Every pair leaves nothing behind, whether the second line is in the same block or in a later
/// one.
#[test]
fn what_is_set_is_taken_back() {
    let mut failed = Vec::new();
    for (mode, line, back) in PAIRS {
        let nothing = parse(&format!("{mode}\n")).config;
        let set = parse(&format!("{mode}\n {line}\n"));
        if set.config == nothing {
            failed.push(format!("`{line}` sets nothing: {:?}", set.diagnostics));
        }
        // in the same block, and in a later one; entering a transform set again starts over
        let later = format!("hostname h\nno hostname\n{mode}\n");
        for between in ["", if *mode == SET { "" } else { &later }] {
            let parsed = parse(&format!("{mode}\n {line}\n{between} {back}\n"));
            if parsed.config != nothing || !wrong(&parsed).is_empty() {
                failed.push(format!("`{line}`, `{back}`: {:?}", wrong(&parsed)));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

/// `no` alone names what it takes back; a command that needs an argument to know which asks for it.
#[test]
fn what_must_be_named_is_asked_for() {
    for line in [
        "no crypto isakmp policy",
        "no crypto isakmp key",
        "no crypto map",
        "no crypto ipsec security-association lifetime",
        "no ip route",
        "no ip route 10.0.0.0",
        "no access-list",
        "no username",
        "crypto keyring k\n no pre-shared-key",
        "crypto isakmp profile p\n no match identity",
    ] {
        let parsed = parse(&format!("{line}\n"));
        let said: Vec<_> = parsed.diagnostics.iter().filter(|d| d.code == Code::Invalid).collect();
        let end = line.lines().last().unwrap().len() + 1;
        assert_eq!(said.len(), 1, "`{line}`: {:?}", parsed.diagnostics);
        assert_eq!(said[0].column as usize, end, "`{line}`: {:?}", said[0]);
    }
}

/// What is on unless it is switched off.
#[test]
fn defaults_that_are_on() {
    let off = parse("no crypto ipsec nat-transparency udp-encapsulation\n").config;
    assert!(!off.crypto.nat_transparency);
    assert_eq!(parse("no logging on\n").config.logging, Some(false));
    assert_eq!(parse("default crypto ipsec df-bit\n").config.crypto.df_bit, DfBit::Copy);
    // IKE and routing are on and stay on; an attempt to disable them is reported
    for (line, code) in [("crypto isakmp enable", Code::Unsupported), ("ip routing", Code::Forwarding)] {
        for on in ["", "default "] {
            let parsed = parse(&format!("{on}{line}\n"));
            assert_eq!(parsed.document.lines[0].class, Class::NoOp, "{on}{line}");
            assert!(parsed.diagnostics.is_empty(), "{on}{line}");
        }
        let parsed = parse(&format!("no {line}\n"));
        assert_eq!(parsed.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), [code], "no {line}");
    }
}

/// Several of a kind: only what is named goes.
#[test]
fn only_what_is_named_goes() {
    let text = "ip route 10.0.0.0 255.0.0.0 1.1.1.1\nip route 10.0.0.0 255.0.0.0 1.1.1.2\nip route 11.0.0.0 255.0.0.0 1.1.1.1\n";
    let routes = |line: &str| parse(&format!("{text}{line}\n")).config.routes.len();
    assert_eq!(routes("no ip route 10.0.0.0 255.0.0.0 1.1.1.2"), 2);
    assert_eq!(routes("no ip route 10.0.0.0 255.0.0.0"), 1);
    assert_eq!(routes("no ip route 12.0.0.0 255.0.0.0"), 3);

    let map =
        "crypto map m 10 ipsec-isakmp\n set peer 1.1.1.1\n set peer 1.1.1.2\ncrypto map m 20 ipsec-isakmp\n";
    let maps = |line: &str| parse(&format!("{map}{line}\n")).config.maps;
    assert_eq!(maps("no crypto map m 20")[0].entries.len(), 1);
    assert_eq!(maps("no crypto map other 20")[0].entries.len(), 2);
    assert_eq!(
        maps("crypto map m 10\n no set peer 1.1.1.1")[0].entries[0].peers,
        ["1.1.1.2".parse::<std::net::Ipv4Addr>().unwrap()]
    );

    let profile = "crypto isakmp profile p\n keyring a b\n";
    assert_eq!(parse(&format!("{profile} no keyring a\n")).config.profiles[0].keyrings, ["b"]);
    let pool = "ip dhcp pool d\n dns-server 1.1.1.1 1.1.1.2\n";
    assert_eq!(parse(&format!("{pool} no dns-server 1.1.1.1\n")).config.dhcp_pools[0].dns.len(), 1);
    let lists = "access-list 101 permit ip any any\naccess-list 102 permit ip any any\n";
    assert_eq!(parse(&format!("{lists}no access-list 101\n")).config.acls[0].name, "102");
}

/// Secondary addresses go before the primary one, and only the address that is there can be
/// removed.
#[test]
fn addresses_of_an_interface() {
    let text = "interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\n ip address 11.0.0.1 255.0.0.0 secondary\n";
    let after = |line: &str| {
        let parsed = parse(&format!("{text}{line}\n"));
        let count = match &parsed.config.interfaces[0].address {
            Addressing::Static(nets) => nets.len(),
            Addressing::Dhcp => panic!("no DHCP"),
            Addressing::None | Addressing::Secondary(_) => 0,
        };
        (count, wrong(&parsed).len())
    };
    assert_eq!(after(" no ip address 11.0.0.1 255.0.0.0 secondary"), (1, 0));
    assert_eq!(after(" no ip address 10.0.0.1 255.0.0.0"), (2, 1));
    assert_eq!(after(" no ip address 12.0.0.1 255.0.0.0"), (2, 1));
    assert_eq!(after(" ip address 11.0.0.1 255.0.0.0 secondary"), (2, 0));
    assert_eq!(after(" ip address 10.0.0.1 255.0.0.0 secondary"), (2, 1), "it is the primary one");
    assert_eq!(after(" no ip address"), (0, 0));
}

/// IOS prints secondary addresses before the primary one; both are set, in whichever order.
#[test]
fn a_secondary_address_before_the_primary_one() {
    let (primary, secondary) = ("10.0.0.1 255.0.0.0", "11.0.0.1 255.0.0.0 secondary");
    let address = |lines: &[&str]| {
        let lines: String = lines.iter().map(|line| format!(" {line}\n")).collect();
        parse(&format!("interface FastEthernet0/0\n{lines}")).config.interfaces[0].address.clone()
    };
    let add = |line: &str| format!("ip address {line}");
    let remove = |line: &str| format!("no ip address {line}");
    let both = address(&[&add(primary), &add(secondary)]);
    assert!(matches!(&both, Addressing::Static(nets) if nets.len() == 2));
    assert_eq!(address(&[&add(secondary), &add(primary)]), both);
    // another primary one takes the place of the first only
    let other = "12.0.0.1 255.0.0.0";
    assert_eq!(
        address(&[&add(secondary), &add(other), &add(primary)]),
        address(&[&add(primary), &add(secondary)])
    );
    // alone it is no address, and it can be removed
    assert!(address(&[&add(secondary)]).is_none());
    assert_eq!(address(&[&add(secondary), &remove(secondary)]), Addressing::None);
    assert_eq!(address(&[&add(secondary), "ip address dhcp"]), Addressing::Dhcp);
}

/// `no interface` removes what configuration made; `default interface` empties any.
#[test]
fn interfaces_removed_and_emptied() {
    let text = "interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\ninterface Loopback0\n ip address 11.0.0.1 255.0.0.0\n";
    let parsed = parse(&format!("{text}no interface Loopback 0\n"));
    assert_eq!(parsed.config.interfaces.len(), 1);
    let parsed = parse(&format!("{text}no interface fa0/0\n"));
    assert_eq!((parsed.config.interfaces.len(), wrong(&parsed).len()), (2, 1));
    let parsed = parse(&format!("{text}default interface fa0/0\n"));
    assert_eq!(parsed.config.interfaces[0].address, Addressing::None);
    assert_eq!(parsed.config.interfaces[1].name, "Loopback0");
}

/// A line that takes something back opens no mode.
#[test]
fn no_opens_no_mode() {
    for line in
        ["no interface Loopback0", "no line vty 5 15", "no crypto isakmp policy 10", "no router ospf 1"]
    {
        let parsed = parse(&format!("{line}\n shutdown\n hash md5\n password x\n"));
        // a `shutdown` of nothing stops the start
        let classes: Vec<_> = parsed.document.lines[1..].iter().map(|line| line.class).collect();
        assert_eq!(classes, [Class::Unsupported, Class::Unknown, Class::Unknown], "{line}: {parsed:?}");
    }
}
