//! Lines that IOS refuses: they have no effect, the check says so, and the console does not take
//! them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_config::diagnostic::{Code, Diagnostic, Severity};
use hubward_config::edit::{Position, Wrong, enter};
use hubward_config::model::{EspCipher, Hash, KeyLength};
use hubward_config::parse;

/// What is said of a line as wrong, or as doubtful.
fn told(text: &str) -> Vec<Diagnostic> {
    let remarks = parse(text).diagnostics;
    remarks.into_iter().filter(|remark| matches!(remark.code, Code::Invalid | Code::Name)).collect()
}

#[test]
fn a_hostname_is_one_of_a_host() {
    let long = "a".repeat(64);
    for name in ["a#b", "-x", "café", "1a", "a-", "a_", "a.b", long.as_str()] {
        let text = format!("hostname {name}\n");
        let parsed = parse(&text);
        assert_eq!(parsed.config.hostname, None, "{name}");
        assert_eq!(parsed.document.print(), text);
        let told = told(&text);
        assert_eq!((told[0].code, told[0].column), (Code::Invalid, 10), "{name}");
        let typed = enter("hostname Hub\n", &Position::default(), text.trim_end());
        assert_eq!(typed, Err(Wrong::Invalid(9)), "{name}");
    }
    for name in ["R", "Hub-1", "x2", &long[..63]] {
        let text = format!("hostname {name}\n");
        assert_eq!(parse(&text).config.hostname.as_deref(), Some(name));
        assert_eq!(told(&text), [], "{name}");
    }
}

/// IOS says of an underscore that it is illegal, and takes the name.
#[test]
fn a_hostname_with_an_underscore_is_taken_and_told() {
    let text = "hostname SITE_A\n";
    assert_eq!(parse(text).config.hostname.as_deref(), Some("SITE_A"));
    let told = told(text);
    assert_eq!((told.len(), told[0].code, told[0].severity), (1, Code::Name, Severity::Warning));
}

/// A peer's first key stays, and the second is told.
#[test]
fn the_first_key_of_a_peer_stays() {
    for (mode, first, second, column) in [
        ("", "crypto isakmp key a address 10.0.0.1", "crypto isakmp key b address 10.0.0.1", 29),
        ("", "crypto isakmp key a address 10.0.0.1", "crypto isakmp key a address 10.0.0.1 no-xauth", 29),
        ("", "crypto isakmp key a address 0.0.0.0", "crypto isakmp key b address 0.0.0.0 0.0.0.0", 29),
        ("", "crypto isakmp key a hostname h", "crypto isakmp key 6 b hostname h", 32),
        (
            "crypto keyring k\n",
            "pre-shared-key address 10.0.0.1 key a",
            "pre-shared-key address 10.0.0.1 key b",
            24,
        ),
        ("crypto keyring k\n", "pre-shared-key hostname h key a", "pre-shared-key hostname h key b", 25),
    ] {
        let keys = |text: &str| {
            let config = parse(text).config;
            let mut keys = config.default_keys;
            keys.extend(config.keyrings.into_iter().flat_map(|ring| ring.keys));
            keys.into_iter().map(|key| (key.key.expose().to_string(), key.no_xauth)).collect::<Vec<_>>()
        };
        let one = format!("{mode}{first}\n");
        let two = format!("{one}{second}\n");
        assert_eq!(keys(&two), [("a".to_string(), false)], "{two}");
        let remarks = told(&two);
        assert_eq!((remarks.len(), remarks[0].column), (1, column), "{two}");
        assert_eq!(usize::try_from(remarks[0].line).unwrap(), two.lines().count());
        // the same line again is nothing new
        assert_eq!(told(&format!("{one}{first}\n")), []);
        // at the console too, until the first is taken away
        let at = |text: &str| match mode.trim() {
            "" => Position::default(),
            mode => enter(text, &Position::default(), mode).unwrap().position,
        };
        let refused = Err(Wrong::Invalid(usize::try_from(column - 1).unwrap()));
        assert_eq!(enter(&one, &at(&one), second), refused, "{second}");
        let without = enter(&one, &at(&one), &format!("no {first}")).unwrap().text.unwrap();
        let with = enter(&without, &at(&without), second).unwrap().text.unwrap();
        assert_eq!((keys(&with).len(), told(&with)), (1, Vec::new()), "{with}");
    }
    // another mask is another peer
    let text = "crypto isakmp key a address 10.0.0.0 255.0.0.0\ncrypto isakmp key b address 10.0.0.0\n";
    assert_eq!((parse(text).config.default_keys.len(), told(text)), (2, Vec::new()));
}

/// A transform set has one transform of a kind, and no HMAC beside a cipher that needs none.
#[test]
fn transforms_that_exclude_each_other() {
    let before = "crypto ipsec transform-set t ";
    let column = u32::try_from(before.len() + 1).unwrap();
    for (transforms, place) in [
        ("esp-gcm esp-sha-hmac", 8),
        ("esp-gcm 256 esp-sha256-hmac", 12),
        ("esp-gmac esp-sha-hmac", 9),
        ("esp-sha-hmac esp-gcm", 13),
        ("esp-aes esp-3des esp-sha-hmac", 8),
        ("esp-aes 256 esp-aes 128 esp-sha-hmac", 12),
        ("esp-null esp-aes", 9),
        ("esp-aes esp-sha-hmac esp-md5-hmac", 21),
        ("ah-md5-hmac ah-sha-hmac", 12),
        ("esp-aes esp-sha-hmac comp-lzs comp-lzs", 30),
    ] {
        let line = format!("{before}{transforms}");
        let text = format!("{before}esp-aes esp-sha-hmac\n{line}\n");
        let set = &parse(&text).config.transform_sets[0];
        assert_eq!((set.cipher(), set.auth()), (Some(EspCipher::Aes(KeyLength::Bits128)), Some(Hash::Sha)));
        let remarks = told(&text);
        assert_eq!((remarks.len(), remarks[0].line, remarks[0].column), (1, 2, column + place), "{line}");
        let refused = Err(Wrong::Invalid(before.len() + usize::try_from(place).unwrap()));
        assert_eq!(enter("", &Position::default(), &line), refused);
    }
    for transforms in ["esp-aes 192 esp-sha256-hmac", "esp-sha-hmac esp-3des", "esp-gcm", "esp-gcm 256"] {
        let text = format!("{before}{transforms}\n");
        assert!(parse(&text).config.transform_sets[0].is_usable(), "{transforms}");
        assert_eq!(told(&text), []);
    }
    // allowed, and not implemented
    for transforms in ["ah-sha-hmac esp-aes esp-md5-hmac comp-lzs", "esp-null esp-sha-hmac", "esp-aes"] {
        let text = format!("{before}{transforms}\n");
        assert!(!parse(&text).config.transform_sets[0].is_usable(), "{transforms}");
        assert_eq!(told(&text), []);
    }
}

/// Hours are no minutes, and a prefix has at most 32 bits.
#[test]
fn numbers_out_of_their_places() {
    for (mode, line) in [
        ("ip dhcp pool d", "lease 1 30"),
        ("ip dhcp pool d", "network 10.0.0.0 /33"),
        ("ip dhcp pool d", "network 10.0.0.0 255.0.255.0"),
        ("line vty 0 4", "exec-timeout x"),
        ("crypto keyring k", "local-address 10.0.0.300"),
    ] {
        assert_eq!(told(&format!("{mode}\n {line}\n")).len(), 1, "{line}");
    }
}
