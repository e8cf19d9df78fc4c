//! Lines spelled out: `show running-config` prints what a form says, so that must mean what was
//! read.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use hubward_config::diagnostic::Code;
use hubward_config::document::Class;
use hubward_config::{Parsed, parse, spell_out};
use std::path::PathBuf;

fn files() -> Vec<PathBuf> {
    let examples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let found = [common::configurations(&examples), common::corpus()].concat();
    assert!(found.len() >= 2);
    found
}

/// Whether a text is, at least in part, the log of a session.
fn has_prompts(text: &str) -> bool {
    text.lines()
        .any(|line| line.trim_start().split_once("(config)#").is_some_and(|(host, _)| !host.contains(' ')))
}

/// Spelled out, a configuration means the same line by line, and is spelled out for good. Without
/// `HUBWARD_CORPUS` only the examples are read.
#[test]
fn what_is_spelled_out_means_the_same() {
    for path in files() {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let spelled = spell_out(&text);
        let (before, after) = (parse(&text), parse(&spelled));
        for (number, (old, new)) in before.document.lines.iter().zip(&after.document.lines).enumerate() {
            // the end of what is followed by more
            let typed = old.text.rsplit(['#', '>']).next().unwrap_or_default().trim();
            let ended = typed.eq_ignore_ascii_case("end") && new.class == Class::Blank;
            // what is no command is a comment behind the first prompt
            if (old.class, new.class) == (Class::Unknown, Class::Blank) && has_prompts(&text) {
                continue;
            }
            assert_eq!(
                if ended { Class::Blank } else { old.class },
                new.class,
                "{}:{}: `{}`, `{}`",
                path.display(),
                number + 1,
                old.text,
                new.text
            );
        }
        assert_eq!(before.document.lines.len(), after.document.lines.len(), "{}", path.display());
        if before.config != after.config {
            let (old, new) = (format!("{:#?}", before.config), format!("{:#?}", after.config));
            let differs: Vec<_> =
                old.lines().zip(new.lines()).filter(|(old, new)| old != new).take(5).collect();
            panic!("{}: {differs:?}", path.display());
        }
        // what is not read is a comment in the spelled-out text
        let is_comment = |line: u32| {
            let place = usize::try_from(line).unwrap_or(0).checked_sub(1);
            place.and_then(|place| spelled.lines().nth(place)).is_some_and(|line| line.starts_with("! "))
        };
        let said = |parsed: &Parsed| -> Vec<_> {
            let told = parsed.diagnostics.iter().filter(|told| !is_comment(told.line));
            told.map(|told| (told.line, told.code)).collect()
        };
        // what is a comment behind a prompt opens no mode without effect, of which something is said
        if !has_prompts(&text) {
            assert_eq!(said(&before), said(&after), "{}", path.display());
        }
        assert_eq!(spell_out(&spelled), spelled, "{}", path.display());
    }
}

/// Whatever form a line of the corpus has, every keyword may be cut to the shortest beginning that
/// is still its own.
#[test]
fn abbreviations_are_spelled_out() {
    for (short, long) in [
        ("int fa0/0", "interface FastEthernet0/0"),
        ("int fa 0/0", "interface FastEthernet0/0"),
        (
            "int fa0/0\n ip add 10.0.0.1 255.0.0.0 sec",
            "interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0 secondary",
        ),
        ("int lo0\n desc to  the ! hub", "interface Loopback0\n description to  the ! hub"),
        ("int fa0/0\n no shut", "interface FastEthernet0/0\n no shutdown"),
        (
            "cry isa pol 10\n encr aes 256\n auth pre\n gr 14",
            "crypto isakmp policy 10\n encryption aes 256\n authentication pre-share\n group 14",
        ),
        ("cry isa key 0 key addr 1.1.1.1 no-x", "crypto isakmp key 0 key address 1.1.1.1 no-xauth"),
        ("cry map M 10 ipsec-i dyn D", "crypto map M 10 ipsec-isakmp dynamic D"),
        (
            "crypto map m 10 ipsec-isakmp\n set secu life sec 600",
            "crypto map m 10 ipsec-isakmp\n set security-association lifetime seconds 600",
        ),
        ("cry ips tr t esp-3 esp-sha-", "crypto ipsec transform-set t esp-3des esp-sha-hmac"),
        ("no cry map M 10", "no crypto map M 10"),
        ("default cry ips df cl", "default crypto ipsec df-bit clear"),
        ("IP ROUTE 0.0.0.0 0.0.0.0 fa0/0 10.0.0.1", "ip route 0.0.0.0 0.0.0.0 FastEthernet0/0 10.0.0.1"),
        ("hostname Hub ! the hub", "hostname Hub"),
        ("no such command", "no such command"),
        ("username secret secret 0 password", "username secret secret 0 password"),
    ] {
        assert_eq!(spell_out(&format!("{short}\n")), format!("{long}\n"));
        assert_eq!(parse(short).config, parse(long).config, "{short}");
    }
}

/// A wrong line is reported with the column of the first word that does not match, or of the end if
/// something is missing, and with what would have matched.
#[test]
fn wrong_lines_point_at_the_word() {
    for (line, column, expected) in [
        ("crypto isakmp policy 0", 22, "<1-10000>"),
        ("crypto isakmp policy", 21, ""),
        ("crypto isakmp key k adress 1.1.1.1", 21, "address"),
        ("crypto isakmp key k address 1.1.1", 29, "A.B.C.D"),
        ("crypto isakmp key k address 1.1.1.1 255.0.0.0 no-xauth x", 56, "end of the line"),
        ("crypto isakmp keepalive 5", 25, "<10-3600>"),
        ("crypto map m 10 ipsec-isakmp dynamo d", 30, "dynamic"),
        ("ip route 10.0.0.0 255.0.0.0", 28, "A.B.C.D"),
        ("ip local pool p 10.0.0.9 10.0.0.1", 26, "not below"),
        ("crypto ipsec transform-set t esp-aes 129", 38, "128"),
        ("crypto ipsec df-bit c", 21, "several keywords"),
        ("crypto isakmp policy 10\n lifetime 5", 11, "<60-86400>"),
        ("crypto isakmp policy 10\n hash sha512 x", 14, "end of the line"),
        ("crypto isakmp policy 10\n group 3", 8, "14"),
        ("interface FastEthernet0/0\n ip address 10.0.0.1", 21, "A.B.C.D"),
        ("interface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0 secondly", 32, "secondary"),
        ("access-list 101 permit ip any", 30, "A.B.C.D"),
        ("access-list 101 permit ip any 10.0.0.0", 39, "A.B.C.D"),
    ] {
        let parsed = parse(&format!("{line}\n"));
        let said = parsed.diagnostics.iter().find(|d| d.code == Code::Invalid);
        let Some(said) = said else { panic!("`{line}`: {:?}", parsed.diagnostics) };
        assert_eq!(said.line as usize, line.lines().count(), "`{line}`");
        assert_eq!(said.column, column, "`{line}`: {}", said.message);
        assert!(said.message.contains(expected), "`{line}`: {}", said.message);
    }
}
