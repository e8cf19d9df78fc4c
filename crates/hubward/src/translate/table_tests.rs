//! Configuration lines and what they become in the engine's policy, kind by kind.

use super::*;
use std::net::Ipv4Addr;

fn config(text: &str) -> config::Config {
    hubward_config::parse(text).config
}

/// The policy and what is left out; each of the interfaces that are named has an address.
fn translated(text: &str, addresses: &[Option<Ipv4Addr>]) -> (Policy, Vec<String>) {
    let addresses = addresses.iter().zip(0..);
    let known = addresses.filter_map(|(address, id)| Some((InterfaceId(id), IpAddr::V4((*address)?))));
    policy(&config(text), &known.collect())
}

fn policy_of(text: &str) -> Policy {
    translated(text, &[]).0
}

fn range(text: &str) -> AddressRange {
    AddressRange::prefix(text.parse().unwrap())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Which peers the keys of a keyring are for, in the order of its lines.
#[test]
fn keys_are_for_a_host_a_network_a_name_or_everybody() {
    for (peer, expected) in [
        ("address 203.0.113.10", KeyPeer::Address(range("203.0.113.10/32"))),
        ("address 203.0.113.10 255.255.255.255", KeyPeer::Address(range("203.0.113.10/32"))),
        ("address 203.0.113.77 255.255.255.192", KeyPeer::Address(range("203.0.113.64/26"))),
        ("address 0.0.0.0 0.0.0.0", KeyPeer::Address(AddressRange::ANY_V4)),
        ("address 0.0.0.0", KeyPeer::Address(AddressRange::ANY_V4)),
        ("hostname branch.example.com", KeyPeer::Hostname("branch.example.com".into())),
    ] {
        let global = format!("crypto isakmp key secret {peer}\n");
        let ring = format!("crypto keyring R\n pre-shared-key {peer} key secret\n");
        for (text, place) in [(global, 0), (ring, 1)] {
            let (policy, left_out) = translated(&text, &[]);
            assert_eq!(left_out, [""; 0], "{text}");
            let [key] = policy.keyrings[place].keys.as_slice() else { panic!("{text}: {policy:?}") };
            assert_eq!(key.peer, expected, "{text}");
            assert!(key.secret.matches(b"secret") && !key.no_xauth, "{text}");
            assert_eq!(key.line as usize, 1 + place, "{text}");
        }
    }
}

#[test]
fn keyrings_keep_their_names_and_the_first_is_the_global_one() {
    let policy = policy_of(
        "crypto keyring B\n local-address 198.51.100.2\n pre-shared-key address 203.0.113.1 key b\n\
         crypto keyring A\n\
         crypto isakmp key g address 203.0.113.9 no-xauth\n",
    );
    let rings: Vec<_> = policy
        .keyrings
        .iter()
        .map(|ring| (ring.name.as_str(), ring.local_address, ring.keys.len()))
        .collect();
    let outside = Some(ip("198.51.100.2"));
    assert_eq!(rings, [("default", None, 1), ("B", outside, 1), ("A", None, 0)]);
    assert!(policy.keyrings[0].keys[0].no_xauth);
}

/// A key that cannot be decoded here is left out and reported with its line; the others stay.
#[test]
fn a_key_that_cannot_be_read_is_reported() {
    let (policy, left_out) = translated(
        "crypto isakmp key 6 ABCDEF address 203.0.113.1\ncrypto isakmp key 0 good address 203.0.113.2\n\
         crypto keyring R\n pre-shared-key address 203.0.113.3 key 6 ABCDEF\n",
        &[],
    );
    let [default, ring] = policy.keyrings.as_slice() else { panic!("{policy:?}") };
    assert_eq!(default.keys.len(), 1);
    assert!(default.keys[0].secret.matches(b"good") && ring.keys.is_empty());
    let lines: Vec<_> = left_out.iter().map(|said| said.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["line 1", "line 4"]);
    assert!(left_out.iter().all(|said| said.contains("master key") && !said.contains("ABCDEF")));
}

#[test]
fn a_profile_has_its_matches_keyrings_and_lists() {
    let profile = |lines: &str| {
        let text = format!("hostname hub\nip domain name example.com\ncrypto isakmp profile P\n{lines}");
        policy_of(&text).profile("P").unwrap().clone()
    };
    for (line, expected) in [
        ("group staff", IdentityMatch::Group("staff".into())),
        ("address 203.0.113.10", IdentityMatch::Address(range("203.0.113.10/32"))),
        ("address 203.0.113.99 255.255.255.0", IdentityMatch::Address(range("203.0.113.0/24"))),
        ("address 0.0.0.0", IdentityMatch::Address(AddressRange::ANY_V4)),
        ("host a.example.com", IdentityMatch::Host("a.example.com".into())),
        ("host domain example.com", IdentityMatch::HostDomain("example.com".into())),
        ("user a@example.com", IdentityMatch::User("a@example.com".into())),
        ("user fqdn a@example.com", IdentityMatch::User("a@example.com".into())),
        ("user domain example.com", IdentityMatch::UserDomain("example.com".into())),
    ] {
        assert_eq!(profile(&format!(" match identity {line}\n")).matches, [expected], "{line}");
    }
    for (line, expected) in [
        ("address", SelfIdentity::Address),
        ("fqdn", SelfIdentity::Fqdn("hub.example.com".into())),
        ("fqdn other.example.net", SelfIdentity::Fqdn("other.example.net".into())),
        ("user-fqdn hub@example.com", SelfIdentity::UserFqdn("hub@example.com".into())),
    ] {
        assert_eq!(profile(&format!(" self-identity {line}\n")).self_identity, Some(expected), "{line}");
    }
    let whole = profile(
        " keyring B A\n match identity group one\n match identity group two\n\
         \x20client authentication list users\n isakmp authorization list groups\n\
         \x20client configuration address respond\n client configuration address initiate\n\
         \x20client configuration group clients\n keepalive 20 retry 5 periodic\n\
         \x20initiate mode aggressive\n local-address 198.51.100.2\n",
    );
    let expected = IsakmpProfile {
        name: "P".into(),
        matches: vec![IdentityMatch::Group("one".into()), IdentityMatch::Group("two".into())],
        keyrings: vec!["B".into(), "A".into()],
        xauth_list: Some("users".into()),
        authorization_list: Some("groups".into()),
        group: Some("clients".into()),
        respond: true,
        initiate: true,
        self_identity: None,
        keepalive: Some(Keepalive {
            interval: Duration::from_secs(20),
            retry: Duration::from_secs(5),
            periodic: true,
        }),
        initiate_aggressive: true,
        local_address: Some(ip("198.51.100.2")),
        line: MOVES,
    };
    assert_eq!(whole, expected);
    assert_eq!(profile(""), IsakmpProfile { name: "P".into(), ..IsakmpProfile::default() });
}

/// Sorted by number, not by line; with IOS's defaults if a line is missing.
#[test]
fn isakmp_policies_are_sorted_and_have_the_defaults_of_ios() {
    let policy = policy_of(
        "crypto isakmp policy 20\n encr aes 256\n hash sha512\n authentication pre-share\n group 21\n lifetime 600\n\
         crypto isakmp policy 5\n",
    );
    let expected = [
        IsakmpPolicy {
            priority: 5,
            cipher: IkeCipher::Des,
            hash: HashAlg::Sha1,
            authentication: Authentication::RsaSignature,
            group: DhGroup::Modp768,
            lifetime: Duration::from_secs(86400),
            line: 7,
        },
        IsakmpPolicy {
            priority: 20,
            cipher: IkeCipher::Aes256,
            hash: HashAlg::Sha512,
            authentication: Authentication::PreShared,
            group: DhGroup::Ecp521,
            lifetime: Duration::from_secs(600),
            line: 1,
        },
    ];
    assert_eq!(policy.proposals, expected);
}

#[test]
fn each_algorithm_of_an_isakmp_policy_has_its_counterpart() {
    let of = |line: &str| {
        let (policy, left_out) = translated(&format!("crypto isakmp policy 10\n {line}\n"), &[]);
        (policy.proposals.first().map(|policy| (policy.cipher, policy.hash, policy.group)), left_out)
    };
    let default = (IkeCipher::Des, HashAlg::Sha1, DhGroup::Modp768);
    for (line, cipher) in [
        ("encryption des", IkeCipher::Des),
        ("encryption 3des", IkeCipher::TripleDes),
        ("encryption aes", IkeCipher::Aes128),
        ("encryption aes 128", IkeCipher::Aes128),
        ("encryption aes 192", IkeCipher::Aes192),
        ("encryption aes 256", IkeCipher::Aes256),
    ] {
        assert_eq!(of(line), (Some((cipher, default.1, default.2)), vec![]), "{line}");
    }
    for (line, hash) in [
        ("hash md5", HashAlg::Md5),
        ("hash sha", HashAlg::Sha1),
        ("hash sha256", HashAlg::Sha256),
        ("hash sha384", HashAlg::Sha384),
        ("hash sha512", HashAlg::Sha512),
    ] {
        assert_eq!(of(line), (Some((default.0, hash, default.2)), vec![]), "{line}");
    }
    for group in [1, 2, 5, 14, 15, 16, 19, 20, 21] {
        let expected = (default.0, default.1, DhGroup::from_number(group).unwrap());
        assert_eq!(of(&format!("group {group}")), (Some(expected), vec![]), "{group}");
    }
    assert_eq!(of("group 24"), (None, vec!["line 1: ISAKMP policy 10 is never chosen".into()]));
}

#[test]
fn a_policy_that_is_never_chosen_costs_no_other() {
    let (policy, left_out) = translated(
        "crypto isakmp policy 10\n group 24\ncrypto isakmp policy 20\n group 14\ncrypto isakmp policy 30\n group 24\n",
        &[],
    );
    assert_eq!(policy.proposals.iter().map(|policy| policy.priority).collect::<Vec<_>>(), [20]);
    assert_eq!(
        left_out,
        ["line 1: ISAKMP policy 10 is never chosen", "line 5: ISAKMP policy 30 is never chosen"]
    );
}

/// The sets of an entry that names these.
fn sets(lines: &str, named: &str) -> Vec<TransformSet> {
    let policy = policy_of(&format!(
        "{lines}crypto map M 10 ipsec-isakmp\n set peer 203.0.113.1\n set transform-set {named}\n"
    ));
    static_terms(&policy, 0).transform_sets.clone()
}

fn static_terms(policy: &Policy, entry: usize) -> &EntryTerms {
    match &policy.maps[0].entries[entry].kind {
        MapEntryKind::Static { terms, .. } => terms,
        MapEntryKind::Dynamic { .. } => panic!("{policy:?}"),
    }
}

#[test]
fn transform_sets_that_can_be_used() {
    for (transforms, cipher, auth) in [
        ("esp-des esp-md5-hmac", EspCipher::Des, Some(EspAuth::Md5)),
        ("esp-3des esp-sha-hmac", EspCipher::TripleDes, Some(EspAuth::Sha1)),
        ("esp-sha-hmac esp-3des", EspCipher::TripleDes, Some(EspAuth::Sha1)),
        ("esp-aes esp-sha-hmac", EspCipher::Aes128, Some(EspAuth::Sha1)),
        ("esp-aes 128 esp-sha-hmac", EspCipher::Aes128, Some(EspAuth::Sha1)),
        ("esp-aes 192 esp-sha256-hmac", EspCipher::Aes192, Some(EspAuth::Sha256)),
        ("esp-aes 256 esp-sha384-hmac", EspCipher::Aes256, Some(EspAuth::Sha384)),
        ("esp-aes 256 esp-sha512-hmac", EspCipher::Aes256, Some(EspAuth::Sha512)),
        ("esp-gcm", EspCipher::AesGcm128, None),
        ("esp-gcm 128", EspCipher::AesGcm128, None),
        ("esp-gcm 256", EspCipher::AesGcm256, None),
    ] {
        for (mode, expected) in [("", Mode::Tunnel), (" mode transport\n", Mode::Transport)] {
            let found = sets(&format!("crypto ipsec transform-set S {transforms}\n{mode}"), "S");
            let suite = EspSuite::new(cipher, auth).unwrap();
            let expected = TransformSet { name: "S".into(), suite, mode: expected, line: MOVES };
            assert_eq!(found, [expected], "{transforms}{mode}");
        }
    }
}

/// The suite is never weaker than configured: encryption without integrity, or an unsupported
/// transform, gives no set at all.
#[test]
fn transform_sets_that_cannot_be_used_are_left_out() {
    for transforms in [
        "esp-aes",
        "esp-3des",
        "esp-sha-hmac",
        "esp-null esp-sha-hmac",
        "esp-seal esp-sha-hmac",
        "esp-gmac 128",
        "esp-gcm 192",
        "ah-sha-hmac",
        "ah-sha-hmac esp-aes esp-sha-hmac",
        "esp-aes esp-sha-hmac comp-lzs",
    ] {
        let lines = format!(
            "crypto ipsec transform-set S {transforms}\ncrypto ipsec transform-set GOOD esp-aes esp-sha-hmac\n"
        );
        assert_eq!(sets(&lines, "S"), [], "{transforms}");
        let names: Vec<_> = sets(&lines, "S GOOD NOWHERE").into_iter().map(|set| set.name).collect();
        assert_eq!(names, ["GOOD"], "{transforms}: the others of the entry stay");
    }
}

#[test]
fn the_sets_of_an_entry_keep_their_order() {
    let lines = "crypto ipsec transform-set A esp-3des esp-sha-hmac\ncrypto ipsec transform-set B esp-gcm\n";
    let names = |named| sets(lines, named).into_iter().map(|set| set.name).collect::<Vec<_>>();
    assert_eq!((names("A B"), names("B A")), (vec!["A".into(), "B".into()], vec!["B".into(), "A".into()]));
}

/// An entry whose access list has these lines.
fn with_list(lines: &str) -> String {
    format!(
        "crypto ipsec transform-set AES esp-aes esp-sha-hmac\n\
         ip access-list extended A\n{lines}\
         crypto map M 10 ipsec-isakmp\n set peer 203.0.113.1\n set transform-set AES\n match address A\n\
         interface FastEthernet0/0\n ip address 198.51.100.2 255.255.255.248\n crypto map M\n"
    )
}

#[test]
fn a_line_of_a_crypto_access_list_is_a_selector() {
    let net = |local: &str, remote: &str| Selector::between(range(local), range(remote));
    let (a, b) = ("10.1.0.0/16", "10.2.0.0/16");
    let (ours, theirs) = ("10.1.0.0 0.0.255.255", "10.2.0.0 0.0.255.255");
    for (line, selector) in [
        (format!("permit ip {ours} {theirs}"), net(a, b)),
        (format!("permit ip {ours} {theirs} log"), net(a, b)),
        // bits where the wildcard has ones do not count
        ("permit ip 10.1.7.7 0.0.255.255 10.2.8.8 0.0.255.255".into(), net(a, b)),
        ("permit ip host 10.1.1.1 any".into(), net("10.1.1.1/32", "0.0.0.0/0")),
        (format!("permit gre {ours} {theirs}"), Selector { protocol: Some(47), ..net(a, b) }),
        (format!("permit 89 {ours} {theirs}"), Selector { protocol: Some(89), ..net(a, b) }),
        (
            format!("permit tcp {ours} eq 1024 {theirs} eq www"),
            Selector { protocol: Some(6), local_port: Some(1024), remote_port: Some(80), ..net(a, b) },
        ),
        (
            format!("permit udp {ours} {theirs} eq 53"),
            Selector { protocol: Some(17), remote_port: Some(53), ..net(a, b) },
        ),
    ] {
        for permit in [true, false] {
            let line = if permit { line.clone() } else { line.replace("permit", "deny") };
            let (policy, left_out) = translated(&with_list(&format!(" {line}\n")), &[]);
            assert_eq!(left_out, [""; 0], "{line}");
            let acl = static_terms(&policy, 0).acl.clone().unwrap();
            assert_eq!(acl.lines, [CryptoAclLine { permit, selector, line: MOVES }], "{line}");
        }
    }
}

/// One such line, at any position, empties the whole list, because the other lines would mean
/// something else without it.
#[test]
fn a_line_that_no_sa_can_hold_empties_the_list() {
    let good = " permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n";
    for line in [
        "permit tcp any 10.3.0.0 0.0.255.255 range 20 25",
        "permit tcp any gt 1023 10.3.0.0 0.0.255.255",
        "permit tcp any 10.3.0.0 0.0.255.255 lt 1024",
        "permit tcp any 10.3.0.0 0.0.255.255 neq 80",
        "permit tcp any 10.3.0.0 0.0.255.255 established",
        "permit ip 10.1.0.0 0.0.255.255 10.3.0.0 0.0.254.253",
        "permit ip 10.1.0.0 0.0.255.255 any time-range NIGHT",
        "permit ip 10.1.0.0 255.255.0.0 any",
        "permit sctp any eq 5 any",
        "permit ip object-group LAN any",
        "permit icmp any any echo",
        "deny tcp any any range 20 90",
        "deny ip host server.example.com any",
        "evaluate R",
    ] {
        for (lines, number) in [(format!(" {line}\n{good}"), 3), (format!("{good} {line}\n{good}"), 4)] {
            let (policy, left_out) = translated(&with_list(&lines), &[]);
            let acl = static_terms(&policy, 0).acl.clone().unwrap();
            assert_eq!(acl.lines, [], "{lines}");
            let [said] = &left_out[..] else { panic!("{lines}: {left_out:?}") };
            let begins = format!("line {number}: access list A says more than one SA can hold: ");
            assert!(said.starts_with(&begins), "{said}");
            assert!(said.ends_with("; the whole list protects nothing"), "{said}");
        }
    }
}

/// An access list that is named and not defined permits nothing; an entry that names none has none.
#[test]
fn a_list_that_is_not_there_is_not_everything() {
    let of = |line: &str| {
        let text = format!("crypto map M 10 ipsec-isakmp\n set peer 203.0.113.1\n{line}");
        static_terms(&policy_of(&text), 0).acl.clone()
    };
    assert_eq!(
        of(" match address GONE\n").map(|acl| (acl.name.clone(), acl.lines.len())),
        Some(("GONE".into(), 0))
    );
    assert_eq!(of(""), None);
}

/// The access list of an entry that is left out closes never less than its lines say, and what they
/// deny stays open.
#[test]
fn a_closing_list_is_widened_and_never_narrowed() {
    let (ours, theirs) = ("10.1.0.0 0.0.255.255", "10.2.0.0 0.0.255.255");
    let wide = Selector::between(range("10.1.0.0/16"), range("10.2.0.0/16"));
    let tcp = Selector { protocol: Some(6), ..wide };
    let to = |net: &str| Selector::between(range("10.1.0.0/16"), range(net));
    let port = |port: u16| Selector { remote_port: Some(port), ..tcp };
    for (line, expected) in [
        (format!("permit ip {ours} {theirs}"), vec![(true, wide)]),
        (format!("permit tcp {ours} {theirs} eq 80"), vec![(true, port(80))]),
        (format!("permit tcp {ours} {theirs} eq 80 443"), vec![(true, port(80)), (true, port(443))]),
        (format!("permit tcp {ours} {theirs} range 20 25"), vec![(true, tcp)]),
        (format!("permit tcp {ours} {theirs} established"), vec![(true, tcp)]),
        (
            format!("permit ip {ours} 10.2.0.0 0.0.254.253"),
            // thousands of networks, so the smallest around them
            vec![(true, to("10.2.0.0/16"))],
        ),
        (
            format!("permit ip {ours} 10.2.0.0 0.0.2.255"),
            vec![(true, to("10.2.0.0/24")), (true, to("10.2.2.0/24"))],
        ),
        (format!("deny ip {ours} {theirs}"), vec![(false, wide)]),
        (format!("deny tcp {ours} {theirs} range 20 21"), vec![(false, port(20)), (false, port(21))]),
        // a deny line opens less than it says, or nothing
        (format!("deny tcp {ours} {theirs} gt 20"), vec![]),
        // its addresses are not known here
        ("permit ip object-group LAN any".into(), vec![]),
    ] {
        let config = config(&with_list(&format!(" {line}\n")));
        let acl = closing_acl(&config, &config.acls[0]);
        let found: Vec<_> = acl.lines.iter().map(|line| (line.permit, line.selector)).collect();
        assert_eq!(found, expected, "{line}");
    }
}

/// A line that is more than one network, protocol or port becomes a selector for each; an SA of
/// IKEv1 is for no more.
#[test]
fn a_line_becomes_the_selectors_that_make_it_up() {
    let groups = "object-group network LAN\n host 10.1.0.9\n 10.1.2.0 255.255.255.0\n\
                  object-group network SITES\n range 10.2.0.1 10.2.0.3\n\
                  object-group service WEB\n tcp eq www\n tcp-udp eq domain\n";
    let (from, to) = ("10.1.0.0/16", "10.2.0.0/16");
    let (ours, theirs) = ("10.1.0.0 0.0.255.255", "10.2.0.0 0.0.255.255");
    let nets = |pairs: &[(&str, &str)]| {
        let of = |(from, to): &(&str, &str)| Selector::between(range(from), range(to));
        pairs.iter().map(of).collect::<Vec<_>>()
    };
    let one = |protocol, local_port, remote_port| Selector {
        protocol: Some(protocol),
        local_port,
        remote_port,
        ..Selector::between(range(from), range(to))
    };
    for (line, expected) in [
        (
            "permit ip 10.1.1.0 0.0.4.255 10.2.0.1 0.0.0.2".to_string(),
            nets(&[
                ("10.1.1.0/24", "10.2.0.1/32"),
                ("10.1.1.0/24", "10.2.0.3/32"),
                ("10.1.5.0/24", "10.2.0.1/32"),
                ("10.1.5.0/24", "10.2.0.3/32"),
            ]),
        ),
        (
            "permit ip object-group LAN object-group SITES".into(),
            nets(&[
                ("10.1.0.9/32", "10.2.0.1/32"),
                ("10.1.0.9/32", "10.2.0.2/31"),
                ("10.1.2.0/24", "10.2.0.1/32"),
                ("10.1.2.0/24", "10.2.0.2/31"),
            ]),
        ),
        (
            format!("permit object-group WEB {ours} {theirs}"),
            vec![one(6, None, Some(80)), one(6, None, Some(53)), one(17, None, Some(53))],
        ),
        (
            format!("permit tcp {ours} {theirs} eq www 443"),
            vec![one(6, None, Some(80)), one(6, None, Some(443))],
        ),
        (format!("permit udp {ours} gt 65534 {theirs}"), vec![one(17, Some(65535), None)]),
        (format!("permit udp {ours} range 0 65535 {theirs}"), vec![one(17, None, None)]),
        (
            format!("deny tcp {ours} {theirs} range 20 22"),
            vec![one(6, None, Some(20)), one(6, None, Some(21)), one(6, None, Some(22))],
        ),
        // no packet has such a port
        (format!("permit tcp {ours} {theirs} gt 65535"), vec![]),
    ] {
        let permit = line.starts_with("permit");
        let (policy, left_out) = translated(&format!("{groups}{}", with_list(&format!(" {line}\n"))), &[]);
        assert_eq!(left_out, [""; 0], "{line}");
        let acl = static_terms(&policy, 0).acl.clone().unwrap();
        let lines: Vec<_> =
            expected.into_iter().map(|selector| CryptoAclLine { permit, selector, line: MOVES }).collect();
        assert_eq!(acl.lines, lines, "{line}");
    }
}

#[test]
fn entries_are_sorted_and_have_the_terms_of_their_lines() {
    let policy = policy_of(
        "crypto ipsec security-association lifetime seconds 7200\n\
         crypto ipsec security-association idle-time 600\n\
         crypto ipsec df-bit clear\n\
         crypto map M 20 ipsec-isakmp\n set peer 203.0.113.2\n\
         crypto map M 10 ipsec-isakmp\n set peer 203.0.113.1\n set peer 203.0.113.9\n set pfs group14\n\
         \x20set isakmp-profile P\n set security-association lifetime seconds 300\n\
         \x20set security-association lifetime kilobytes 5000\n set security-association idle-time 60\n\
         \x20set security-association replay window-size 1024\n reverse-route\n\
         crypto map M 30 ipsec-isakmp\n set security-association lifetime kilobytes disable\n\
         \x20set security-association replay disable\n set pfs\n\
         crypto map M 40 ipsec-isakmp\n set security-association lifetime kilobytes 4294967295\n",
    );
    let entries = &policy.maps[0].entries;
    assert_eq!(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [10, 20, 30, 40]);
    let MapEntryKind::Static { peers, .. } = &entries[0].kind else { panic!("{entries:?}") };
    assert_eq!(*peers, [ip("203.0.113.1"), ip("203.0.113.9")], "in the order in which they are tried");
    let own = EntryTerms {
        profile: Some("P".into()),
        pfs: Some(DhGroup::Modp2048),
        lifetime: Duration::from_secs(300),
        kilobytes: Some(5000),
        idle_time: Some(Duration::from_secs(60)),
        replay_window: 1024,
        reverse_route: true,
        df: DfBit::Clear,
        ..EntryTerms::default()
    };
    assert_eq!(*static_terms(&policy, 0), own);
    let global = EntryTerms {
        lifetime: Duration::from_secs(7200),
        kilobytes: Some(4_608_000),
        idle_time: Some(Duration::from_secs(600)),
        replay_window: 64,
        df: DfBit::Clear,
        ..EntryTerms::default()
    };
    assert_eq!(*static_terms(&policy, 1), global, "what the entry does not say is global");
    let largest = EntryTerms { kilobytes: Some(u64::from(u32::MAX)), ..global.clone() };
    assert_eq!(*static_terms(&policy, 3), largest, "the largest volume is a limit");
    let off = EntryTerms { kilobytes: None, replay_window: 0, pfs: Some(DhGroup::Modp768), ..global };
    assert_eq!(*static_terms(&policy, 2), off);
}

#[test]
fn a_dynamic_map_serves_where_an_entry_points_to_it() {
    let policy = policy_of(
        "crypto ipsec transform-set AES esp-aes esp-sha-hmac\n\
         crypto dynamic-map D 20\n set transform-set AES\n\
         crypto dynamic-map D 10\n set transform-set AES\n match address GONE\n reverse-route\n\
         crypto map M 65000 ipsec-isakmp dynamic D\n\
         crypto map M 64000 ipsec-isakmp dynamic NOWHERE\n\
         crypto map M client authentication list users\n\
         crypto map M isakmp authorization list groups\n\
         crypto map M client configuration address respond\n\
         crypto map M client configuration address initiate\n\
         crypto isakmp client configuration address-pool local P\n",
    );
    assert_eq!(policy.global.address_pool.as_deref(), Some("P"));
    let map = &policy.maps[0];
    let [entry] = map.entries.as_slice() else { panic!("one points nowhere: {map:?}") };
    let MapEntryKind::Dynamic { name, entries } = &entry.kind else { panic!("{entry:?}") };
    assert_eq!((entry.sequence, &**name), (65000, "D"));
    let [first, second] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((first.sequence, second.sequence), (10, 20));
    assert_eq!((first.terms.reverse_route, second.terms.reverse_route), (true, false));
    assert_eq!(first.terms.acl.as_ref().map(|acl| acl.lines.len()), Some(0));
    assert_eq!(second.terms.acl, None);
    assert_eq!(
        (map.xauth_list.as_deref(), map.authorization_list.as_deref()),
        (Some("users"), Some("groups"))
    );
    assert!(map.respond && map.initiate);
}

/// What `show` and the machine look up of an entry belongs to that entry.
#[test]
fn the_terms_and_the_line_of_an_entry_are_found() {
    let config = config(
        "ip access-list extended A\n deny ip 10.1.9.0 0.0.0.255 any\n permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
         \x20permit ip 10.1.1.0 0.0.0.255 10.2.2.0 0.0.0.255\n\
         crypto dynamic-map D 10\n match address A\ncrypto dynamic-map D 20\n set pfs group5\n\
         crypto map M 10 ipsec-isakmp\n set pfs group2\n match address A\n\
         crypto map M 20 ipsec-isakmp dynamic D\n",
    );
    let entry = |map: &str, sequence| Service::entry(map, sequence);
    let dynamic = |name: &str, sequence| Service::dynamic("M", 20, name, sequence);
    for (of, pfs) in [
        (entry("M", 10), Some(Some(2))),
        (dynamic("D", 20), Some(Some(5))),
        (dynamic("D", 10), Some(None)),
        (dynamic("D", 30), None),
        (dynamic("E", 10), None),
        (entry("M", 30), None),
        (entry("N", 10), None),
    ] {
        assert_eq!(terms_of(&config, &of).map(|terms| terms.pfs), pfs, "{of:?}");
    }
    let net = |local: &str, remote: &str| Selector::between(range(local), range(remote));
    let (wide, narrow) = (net("10.1.0.0/16", "10.2.0.0/16"), net("10.1.1.0/24", "10.2.2.0/24"));
    for (of, expected) in [
        (wide, Some(wide)),
        // its own line comes before one that covers it
        (narrow, Some(narrow)),
        (net("10.1.1.1/32", "10.2.2.2/32"), Some(wide)),
        (net("10.1.9.0/24", "10.7.0.0/16"), None),
        (net("10.0.0.0/8", "10.2.0.0/16"), None),
    ] {
        for entry in [entry("M", 10), dynamic("D", 10)] {
            assert_eq!(acl_line(&config, &entry, &of).map(|(_, line)| line), expected, "{of:?}");
        }
    }
    assert!(acl_line(&config, &dynamic("D", 20), &wide).is_none(), "it has no list");
}

/// The remote sides of the permit lines, for each interface with the map; without `static` a route
/// is added only with its SA.
#[test]
fn reverse_routes_that_need_no_sa() {
    let text = |line: &str| {
        format!(
            "ip access-list extended A\n deny ip any 10.9.0.0 0.0.255.255\n\
             \x20permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n permit ip 10.1.0.0 0.0.255.255 host 10.3.3.3\n\
             crypto dynamic-map D 10\n match address A\n reverse-route static\n\
             crypto map M 10 ipsec-isakmp\n set peer 203.0.113.1\n match address A\n{line}\
             crypto map M 20 ipsec-isakmp dynamic D\n\
             interface FastEthernet0/0\n ip address 10.1.0.1 255.255.0.0\n\
             interface FastEthernet0/1\n ip address 198.51.100.2 255.255.255.248\n crypto map M\n\
             interface FastEthernet0/2\n ip address 192.0.2.2 255.255.255.248\n crypto map M\n"
        )
    };
    let route = |net: &str, by: u16| ReverseRoute {
        net: range(net),
        interface: InterfaceId(by),
        peer: Some("203.0.113.1".parse().unwrap()),
    };
    let both = [("10.2.0.0/16", 1), ("10.3.3.3/32", 1), ("10.2.0.0/16", 2), ("10.3.3.3/32", 2)];
    for (line, expected) in [(" reverse-route static\n", &both[..]), (" reverse-route\n", &[]), ("", &[])] {
        let expected: Vec<_> = expected.iter().map(|(net, by)| route(net, *by)).collect();
        assert_eq!(reverse_routes(&config(&text(line))), expected, "{line}");
    }
}

#[test]
fn what_no_peer_gets_is_reserved_with_its_reason() {
    let text = "ip local pool P 10.5.5.1 10.5.5.9\nip local pool Q 10.6.6.1\n\
         crypto map M 10 ipsec-isakmp\n set peer 203.0.113.1\n set peer 203.0.113.2\n\
         interface FastEthernet0/0\n ip address 10.1.1.1 255.255.255.0\n ip address 10.1.2.1 255.255.255.0 secondary\n\
         interface FastEthernet0/1\n ip address dhcp\n\
         interface FastEthernet0/2\n ip address 10.7.7.1 255.255.255.0\n shutdown\n\
         ip route 0.0.0.0 0.0.0.0 198.51.100.1\nip route 10.8.0.0 255.255.0.0 Null0\n";
    let leased = Ipv4Addr::new(198, 51, 100, 2);
    let (policy, _) = translated(text, &[Some(Ipv4Addr::new(10, 1, 1, 1)), Some(leased), None]);
    let mut found = policy.reserved;
    found.sort_by_key(|(range, why)| (*why, range.first(), range.last()));
    found.dedup();
    let pool = |first, last| AddressRange::new(ip(first), ip(last)).unwrap();
    let expected = [
        (range("10.1.1.1/32"), Reserved::Own),
        (range("10.1.2.1/32"), Reserved::Own),
        (AddressRange::host(IpAddr::V4(leased)), Reserved::Own),
        (range("10.1.1.0/24"), Reserved::Connected),
        (range("10.1.2.0/24"), Reserved::Connected),
        (range("198.51.100.1/32"), Reserved::NextHop),
        (range("203.0.113.1/32"), Reserved::Peer),
        (range("203.0.113.2/32"), Reserved::Peer),
        (pool("10.5.5.1", "10.5.5.9"), Reserved::Pool),
        (pool("10.6.6.1", "10.6.6.1"), Reserved::Pool),
    ];
    assert_eq!(found, expected);
}

/// An interface that is down has no crypto map; its number is still its position in the
/// configuration.
#[test]
fn interfaces_have_the_numbers_of_their_places() {
    let text = "interface FastEthernet0/0\n crypto map M\ninterface FastEthernet0/1\n crypto map M\n shutdown\n\
         interface Loopback0\n";
    let (policy, _) = translated(text, &[None, Some(Ipv4Addr::new(192, 0, 2, 1))]);
    let found: Vec<_> = policy
        .interfaces
        .iter()
        .map(|of| (of.id.0, of.name.as_str(), of.address, of.crypto_map.as_deref()))
        .collect();
    let expected = [
        (0, "FastEthernet0/0", None, Some("M")),
        (1, "FastEthernet0/1", Some(ip("192.0.2.1")), None),
        (2, "Loopback0", None, None),
    ];
    assert_eq!(found, expected);
}

#[test]
fn global_lines_have_their_place() {
    let of = |text: &str| policy_of(text).global;
    let plain = of("");
    assert_eq!((plain.identity, plain.keepalive), (SelfIdentity::Address, None));
    assert!(plain.nat_traversal && plain.aggressive_mode && !plain.invalid_spi_recovery);
    assert_eq!(plain.nat_keepalive, None);
    for (name, expected) in [("", "Router"), ("hostname hub\n", "hub")] {
        let named = of(&format!("{name}crypto isakmp identity hostname\n"));
        assert_eq!(named.identity, SelfIdentity::Fqdn(expected.into()));
    }
    let all = of("hostname hub\nip domain name example.com\ncrypto isakmp identity hostname\n\
         crypto isakmp keepalive 10 3 periodic\ncrypto isakmp nat keepalive 20\n\
         crypto isakmp aggressive-mode disable\ncrypto isakmp invalid-spi-recovery\n\
         no crypto ipsec nat-transparency udp-encapsulation\n");
    assert_eq!(all.identity, SelfIdentity::Fqdn("hub.example.com".into()));
    let keepalive =
        Keepalive { interval: Duration::from_secs(10), retry: Duration::from_secs(3), periodic: true };
    assert_eq!((all.keepalive, all.nat_keepalive), (Some(keepalive), Some(Duration::from_secs(20))));
    assert!(!all.nat_traversal && !all.aggressive_mode && all.invalid_spi_recovery);
}

#[test]
fn a_client_group_is_answered_with_its_networks() {
    let config = config(
        "access-list 150 permit ip 10.1.0.0 0.0.255.255 any\naccess-list 150 deny ip 10.2.0.0 0.0.255.255 any\n\
         access-list 150 permit ip host 10.3.3.3 any\n\
         crypto isakmp client configuration group staff\n key secret\n pool P\n acl 150\n pfs\n\
         crypto isakmp client configuration group sealed\n key 6 ABCDEF\n\
         crypto isakmp client configuration group keyless\n pool P\n",
    );
    let staff = client_group(&config, "staff").unwrap();
    assert!(staff.key.matches(b"secret") && staff.pfs);
    assert_eq!(staff.pool.as_deref(), Some("P"));
    let nets: Vec<_> = staff.split_include.iter().map(ToString::to_string).collect();
    assert_eq!(nets, ["10.1.0.0/16", "10.3.3.3/32"]);
    for name in ["sealed", "keyless", "nowhere"] {
        assert!(client_group(&config, name).is_none(), "{name}");
    }
}

/// The group `default` is that of the clients whose group has no configuration; a group without a
/// key has one.
#[test]
fn the_group_default_is_for_clients_whose_group_is_not_configured() {
    let config = config(
        "crypto isakmp client configuration group default\n key other\n pool Q\n\
         crypto isakmp client configuration group staff\n key secret\n pool P\n\
         crypto isakmp client configuration group keyless\n pool P\n",
    );
    let answer = |name: &str| client_group(&config, name).map(|group| (group.name, group.pool));
    let with = |name: &str, pool: &str| Some((name.to_string(), Some(pool.to_string())));
    assert_eq!(answer("staff"), with("staff", "P"));
    assert_eq!(answer("nowhere"), with("nowhere", "Q"));
    assert_eq!(answer("default"), with("default", "Q"));
    assert_eq!(answer("keyless"), None);
    assert!(client_group(&config, "nowhere").unwrap().key.matches(b"other"));
}
