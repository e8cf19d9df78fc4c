//! Properties of any text at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_config::{parse, pcf};
use proptest::prelude::*;

/// Lines that mean something, and lines that do not, with line ends and characters of every kind.
fn line() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "crypto isakmp policy 10",
        " encr 3des",
        "crypto isakmp key cisco123 address 0.0.0.0 0.0.0.0 no-xauth",
        "crypto keyring spokes",
        "  pre-shared-key address 0.0.0.0 0.0.0.0 key cisco123",
        "crypto map mymap 10 ipsec-isakmp dynamic dynmap",
        "interface FastEthernet0/0",
        " ip address 10.0.0.1 255.255.255.0",
        " crypto map mymap",
        "access-list 101 permit ip 10.0.0.0 0.0.0.255 any",
        "ip access-list extended x",
        " 10 permit udp any eq 500 any",
        "no username cisco",
        "username cisco password 7 0822455D0A16",
        "banner motd ^C",
        "banner login # one line #",
        "^C",
        " certificate 01",
        "  quit",
        "exit",
        "end",
        "!",
        "",
        "line vty 0 4",
    ]);
    let joined = prop::sample::select(vec!["", "\r", " ", "\t", "\0", "\u{feff}", "\u{2028}", "é"]);
    prop_oneof![
        4 => (known, joined).prop_map(|(line, end)| format!("{line}{end}")),
        2 => "\\PC{0,40}",
        1 => any::<String>(),
        1 => (0usize..20_000, any::<char>()).prop_map(|(length, filler)| filler.to_string().repeat(length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The document prints what was read, and reading that again gives the same.
    #[test]
    fn print_gives_back_what_was_read(lines in prop::collection::vec(line(), 0..30), last in any::<bool>()) {
        let text = lines.join("\n") + if last { "\n" } else { "" };
        let parsed = parse(&text);
        prop_assert_eq!(parsed.document.print(), text.as_str());
        prop_assert_eq!(parse(&text), parsed);
    }

    /// A diagnostic refers to a line that exists, and shows no more than it contains.
    #[test]
    fn remarks_stand_at_lines(lines in prop::collection::vec(line(), 1..20)) {
        let text = lines.join("\n");
        let parsed = parse(&text);
        for remark in &parsed.diagnostics {
            let index = usize::try_from(remark.line).unwrap().max(1) - 1;
            prop_assert!(index < parsed.document.lines.len(), "{:?}", remark);
            let line = &parsed.document.lines[index].text;
            prop_assert!(usize::try_from(remark.column).unwrap() <= line.len() + 1, "{:?}: {:?}", remark, line);
        }
    }

    #[test]
    fn any_profile_is_read(text in any::<String>()) {
        let _ = pcf::parse(&text);
    }
}

/// Files with one kind of line: as many lines in the document, and a number of diagnostics
/// proportional to the lines, not to pairs of lines.
#[test]
fn remarks_in_proportion() {
    type Lines = fn(usize) -> String;
    let kinds: [(&str, Lines); 12] = [
        ("certificate", |_| "certificate 01\n".into()),
        ("banner", |index| format!("banner motd {}\n", char::from_u32(0x4e00 + index as u32).unwrap())),
        ("acl", |index| format!("access-list 101 permit ip host 10.0.{}.{} any\n", index / 256, index % 256)),
        ("key", |index| format!("crypto isakmp key k{index} address 0.0.0.0 0.0.0.0\n")),
        ("keyring", |index| format!("crypto keyring k{index}\n pre-shared-key address 10.0.0.1 key x\n")),
        ("profile", |index| format!("crypto isakmp profile p{index}\n match identity group g\n")),
        ("map", |index| format!("crypto map m{index} 10 ipsec-isakmp\n match address 101\n")),
        ("map with Xauth", |index| {
            format!(
                "crypto map m{index} client authentication list x\ncrypto map m{index} 1 ipsec-isakmp\n\
                     crypto isakmp key k{index} address 10.0.{}.{}\n",
                index / 256,
                index % 256
            )
        }),
        ("dynamic", |index| format!("crypto dynamic-map m{index} 10\n set transform-set x\n")),
        ("interface", |index| format!("interface Loopback{index}\n ip address 10.0.0.1 255.255.255.255\n")),
        ("route", |index| format!("ip route 10.{}.{}.0 255.255.255.0 192.0.2.1\n", index / 256, index % 256)),
        ("unknown", |index| format!("frobnicate {index}\n")),
    ];
    for (name, lines) in kinds {
        let text: String = (0..600).map(lines).collect();
        let parsed = parse(&text);
        let (count, remarks) = (parsed.document.lines.len(), parsed.diagnostics.len());
        assert_eq!(count, text.lines().count(), "{name}");
        assert!(remarks <= 4 * count, "{name}: {remarks} remarks on {count} lines");
    }
}
