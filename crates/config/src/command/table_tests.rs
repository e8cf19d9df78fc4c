//! The tables as a whole: every form is well made and can be entered, and what replaces what.

use super::*;
use crate::automaton::{Kind, Token};
use crate::form::words;

/// An argument that a token takes.
fn sample(token: &Token) -> String {
    match token {
        Token::Keyword(keyword) => (*keyword).to_string(),
        Token::Argument(Kind::Number(low, _), _) => low.to_string(),
        Token::Argument(Kind::Address, _) => "10.0.0.1".into(),
        Token::Argument(Kind::PrefixLength, _) => "/8".into(),
        Token::Argument(Kind::Interface, _) => "Loopback".into(),
        Token::Argument(Kind::Unit, _) => "0/0".into(),
        Token::Argument(Kind::Prefix, _) => "10.9.0.0/16".into(),
        Token::Argument(Kind::Word | Kind::Host | Kind::Line, _) => "zz9".into(),
    }
}

fn matched(mode: In, line: &str) -> Matched {
    match lookup(mode, &words(line), false) {
        Lookup::Command(_, matched) => matched,
        Lookup::Incomplete { expected, .. } => panic!("`{line}` is incomplete: {expected}"),
        Lookup::Ambiguous(word) => panic!("`{line}` is ambiguous at {word}"),
        Lookup::Invalid { word, expected, .. } => panic!("`{line}`: {expected} at {word}"),
    }
}

#[test]
fn every_form_is_well_made() {
    for row in rows() {
        let text = format!("{} {}", row.form, row.tail);
        let mut open = Vec::new();
        let mut inside = false;
        for character in text.chars() {
            match character {
                '<' => inside = true,
                '>' => inside = false,
                '[' | '{' if !inside => open.push(character),
                ']' if !inside => assert_eq!(open.pop(), Some('['), "{text}"),
                '}' if !inside => assert_eq!(open.pop(), Some('{'), "{text}"),
                _ => {}
            }
        }
        assert!(open.is_empty() && !inside, "{text}");
        for argument in text.split('<').skip(1).filter_map(|rest| rest.split_once('>')) {
            let Some((kind, _)) = argument.0.split_once(':') else { continue };
            let is_range = kind.split_once('-').is_some_and(|(low, high)| {
                matches!((low.parse::<u64>(), high.parse::<u64>()), (Ok(low), Ok(high)) if low <= high)
            });
            assert!(
                is_range || ["A.B.C.D", "A.B.C.D/nn", "/nn", "HOST", "LINE", "IF", "UNIT"].contains(&kind),
                "{text}: {kind}"
            );
        }
    }
}

/// No row hides another: the shortest line of every form is that row's, and so is what it is
/// spelled out to.
#[test]
fn every_row_can_be_entered() {
    let modes = In::ALL;
    let mut count = 0;
    for mode in modes {
        let commands = commands(mode);
        for (place, form) in commands.forms.iter().enumerate() {
            let line = form.shortest().iter().map(sample).collect::<Vec<_>>().join(" ");
            let found = matched(mode, &line);
            assert_eq!(found.form, place, "{mode:?}: `{line}`");
            assert_eq!(matched(mode, &found.canonical()), found, "{mode:?}: `{line}`");
            count += 1;
        }
    }
    assert_eq!(
        count,
        rows().map(|row| row.modes().count()).sum::<usize>(),
        "a mode is not in the list above"
    );
}

/// Lines of a mode: the second replaces the first.
#[test]
fn a_later_line_replaces_an_earlier_one() {
    for (mode, one, other) in [
        (In::Global, "hostname Hub", "hostname Spoke"),
        (In::Global, "ip domain name a.b", "ip domain name c.d"),
        (In::Global, "username u password 0 p", "username u privilege 15 secret 5 x"),
        (In::Global, "aaa authentication login l local", "aaa authentication login l group radius local"),
        (In::Global, "crypto isakmp policy 10", "cry isa pol 10"),
        (In::Global, "crypto isakmp key a address 1.1.1.1", "crypto isakmp key 6 b address 1.1.1.1 no-xauth"),
        (In::Global, "crypto isakmp key a hostname h", "crypto isakmp key b hostname h"),
        (In::Global, "crypto isakmp keepalive 10", "crypto isakmp keepalive 20 3 periodic"),
        (In::Global, "crypto isakmp identity address", "crypto isakmp identity hostname"),
        (
            In::Global,
            "crypto ipsec transform-set t esp-des",
            "crypto ipsec transform-set t esp-aes 256 esp-sha-hmac",
        ),
        (
            In::Global,
            "crypto ipsec security-association lifetime seconds 600",
            "crypto ipsec security-association lifetime seconds 700",
        ),
        (
            In::Global,
            "crypto ipsec security-association replay disable",
            "crypto ipsec security-association replay window-size 64",
        ),
        (In::Global, "crypto ipsec df-bit set", "crypto ipsec df-bit clear"),
        (In::Global, "crypto map m 10", "crypto map m 10 ipsec-isakmp dynamic d"),
        (
            In::Global,
            "crypto map m client authentication list a",
            "crypto map m client authentication list b",
        ),
        (
            In::Global,
            "ip route 10.0.0.0 255.0.0.0 1.1.1.1",
            "ip route 10.0.0.0 255.0.0.0 1.1.1.1 250 name backup",
        ),
        (In::Global, "ip local pool p 10.0.0.1 10.0.0.5", "ip local pool p 10.0.0.1 10.0.0.9"),
        (In::Global, "interface FastEthernet0/0", "int fa 0/0"),
        (In::IsakmpPolicy, "encryption des", "encryption aes 256"),
        (In::IsakmpPolicy, "hash md5", "hash sha"),
        (In::IsakmpPolicy, "group 2", "group 14"),
        (In::IsakmpPolicy, "lifetime 60", "lifetime 86400"),
        (In::Keyring, "pre-shared-key address 1.1.1.1 key a", "pre-shared-key address 1.1.1.1 key 6 b"),
        (In::Profile, "keyring a", "keyring b"),
        (In::Profile, "self-identity address", "self-identity fqdn h"),
        (In::Profile, "client authentication list a", "client authentication list b"),
        (In::Profile, "keepalive 10 retry 2", "keepalive 20"),
        (In::Group, "key a", "key 6 b"),
        (In::Group, "dns 1.1.1.1", "dns 1.1.1.2 1.1.1.3"),
        (In::Group, "pool a", "pool b"),
        (In::Group, "acl 101", "acl 102"),
        (In::TransformSet, "mode tunnel", "mode transport"),
        (In::CryptoMap, "set transform-set a", "set transform-set b c"),
        (In::CryptoMap, "match address 101", "match address 102"),
        (In::CryptoMap, "set pfs", "set pfs group2"),
        (
            In::CryptoMap,
            "set security-association lifetime kilobytes disable",
            "set security-association lifetime kilobytes 2560",
        ),
        (In::DynamicMap, "set isakmp-profile a", "set isakmp-profile b"),
        (In::CryptoMap, "reverse-route", "reverse-route static"),
        (In::Interface, "ip address 10.0.0.1 255.0.0.0", "ip address dhcp"),
        (In::Interface, "ip address 10.0.0.1 255.0.0.0", "ip address 11.0.0.1 255.0.0.0"),
        (In::Interface, "crypto map a", "crypto map b"),
        (In::Interface, "description a", "description b c"),
        (In::Interface, "mtu 1400", "mtu 1500"),
        (In::DhcpPool, "network 10.0.0.0 255.0.0.0", "network 11.0.0.0 /8"),
        (In::DhcpPool, "lease 1", "lease infinite"),
    ] {
        assert!(matched(mode, one).same_setting(&matched(mode, other)), "{mode:?}: `{one}`, `{other}`");
    }
}

/// Lines of a mode that may exist side by side.
#[test]
fn lines_that_stand_side_by_side() {
    for (mode, one, other) in [
        (In::Global, "username u password p", "username v password p"),
        (In::Global, "aaa authentication login l local", "aaa authentication login m local"),
        (In::Global, "aaa authentication login l local", "aaa authorization network l local"),
        (In::Global, "crypto isakmp policy 10", "crypto isakmp policy 20"),
        (In::Global, "crypto isakmp key k address 1.1.1.1", "crypto isakmp key k address 1.1.1.2"),
        (In::Global, "crypto isakmp key k address 1.1.1.1", "crypto isakmp key k address 1.1.1.1 255.0.0.0"),
        (In::Global, "crypto isakmp key k address 1.1.1.1", "crypto isakmp key k hostname h"),
        (In::Global, "crypto ipsec transform-set t esp-des", "crypto ipsec transform-set u esp-des"),
        (
            In::Global,
            "crypto ipsec security-association lifetime seconds 3600",
            "crypto ipsec security-association lifetime kilobytes 3600",
        ),
        (In::Global, "crypto map m 10", "crypto map m 20"),
        (In::Global, "crypto map m 10", "crypto map n 10"),
        (In::Global, "crypto map m 10", "crypto map m client configuration address respond"),
        (
            In::Global,
            "crypto map m client configuration address initiate",
            "crypto map m client configuration address respond",
        ),
        (In::Global, "crypto dynamic-map m 10", "crypto dynamic-map m 20"),
        (In::Global, "ip route 10.0.0.0 255.0.0.0 1.1.1.1", "ip route 10.0.0.0 255.0.0.0 1.1.1.2"),
        (In::Global, "ip route 10.0.0.0 255.0.0.0 1.1.1.1", "ip route 10.0.0.0 255.255.0.0 1.1.1.1"),
        (In::Global, "ip local pool p 10.0.0.1 10.0.0.5", "ip local pool p 10.0.1.1 10.0.1.5"),
        (In::Global, "access-list 101 permit ip any any", "access-list 101 permit ip any host 10.0.0.1"),
        (In::Global, "access-list 101 permit ip any any", "access-list 101 deny ip any any"),
        (In::Global, "access-list 101 permit ip any any", "access-list 102 permit ip any any"),
        (In::Global, "ip dhcp excluded-address 10.0.0.1", "ip dhcp excluded-address 10.0.0.2"),
        (In::Global, "interface FastEthernet0/0", "interface FastEthernet0/1"),
        (In::Keyring, "pre-shared-key address 1.1.1.1 key k", "pre-shared-key address 1.1.1.2 key k"),
        (In::Profile, "match identity group a", "match identity group b"),
        (In::Profile, "match identity host h", "match identity user h"),
        (In::Profile, "client configuration address initiate", "client configuration address respond"),
        (In::Group, "split-dns a", "split-dns b"),
        (In::Group, "backup-gateway a", "backup-gateway b"),
        (In::CryptoMap, "set peer 1.1.1.1", "set peer 1.1.1.2"),
        (
            In::CryptoMap,
            "set security-association lifetime seconds 3600",
            "set security-association lifetime kilobytes 3600",
        ),
        (
            In::CryptoMap,
            "set security-association idle-time 600",
            "set security-association lifetime seconds 600",
        ),
        (In::Interface, "ip address 10.0.0.1 255.0.0.0", "ip address 11.0.0.1 255.0.0.0 secondary"),
        (In::Interface, "ip address 10.0.0.1 255.0.0.0 secondary", "ip address 11.0.0.1 255.0.0.0 secondary"),
        (In::Interface, "ip access-group 101 in", "ip mtu 1400"),
        (In::Acl, "permit ip any any", "deny ip any any"),
        (In::Acl, "permit ip any any", "permit ip any any log"),
        (In::Acl, "10 permit ip any any", "20 permit ip any any"),
    ] {
        assert!(!matched(mode, one).same_setting(&matched(mode, other)), "{mode:?}: `{one}`, `{other}`");
    }
}
