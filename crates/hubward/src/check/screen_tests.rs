//! What the screen shows, and what it never shows.

use super::*;
use crate::check::json;
use crate::check::start::may_start;
use crate::choices::Choices;

/// The report of a text, with the options `--without` and `--allow-unenforced`.
fn report(text: &str) -> Report {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    Report::of(file.path(), &Choices::default()).unwrap()
}

/// Every beginning of every kind of line, with multi-byte characters and tabs: the error is
/// shown, whatever the column and whatever is hidden after it.
#[test]
fn every_beginning_of_a_line_can_be_shown() {
    let lines = [
        "crypto isakmp key x",
        "crypto isakmp key 6 x address 1.1.1.1 255.255.255.255 no-xauth x",
        "crypto isakmp key é address 1.1.1.1",
        "crypto isakmp key \u{1f511} hostname h\u{fc}b.example",
        "username a privilege 15 secret 5 $1$mERr$abc x",
        "enable secret level 7 x y",
        "snmp-server community x RO",
        "tacacs-server key 7 0822455D0A16",
        "crypto keyring k\n pre-shared-key address 0.0.0.0 0.0.0.0 key x",
        "crypto keyring k\n pre-shared-key hostname h key 6 \u{e9}\u{e9} y",
        "crypto isakmp client configuration group g\n\tkey\tx\ty\tz",
        "crypto isakmp client configuration group g\n banner \u{e9}Bonjour",
        "interface FastEthernet0/0\n\tip address 10.0.0.1 255.0.0.0 secondly",
        "interface FastEthernet0/0\n ip ospf message-digest-key 1 md5 x",
        "interface FastEthernet0/0\n description caf\u{e9}\n caf\u{e9} \u{2026}",
        "line vty 0 4\n password \u{e9} x",
        "wpa-psk ascii 0 \u{4e2d}\u{6587}",
        "ip route 10.0.0.0 255.0.0.0 \u{a0}1.1.1.1 300",
        "banner motd \u{4e2d}\nx",
    ];
    let renderer = Renderer::plain();
    for line in lines {
        for end in line.char_indices().map(|(end, _)| end).chain([line.len()]) {
            for tail in ["", "\r", " ", "\t!", "\n!"] {
                let text = format!("{}{tail}", &line[..end]);
                let lines: Vec<_> = text.split('\n').collect();
                for diagnostic in &hubward_config::parse(&text).diagnostics {
                    assert!(!render(&renderer, "x", &lines, diagnostic).is_empty());
                }
            }
        }
    }
}

/// Configurations full of secrets, right and wrong: no message about them contains one.
#[test]
fn no_secret_is_told() {
    let secret = "Zq9xDistinct7Secret";
    let lines = [
        "crypto isakmp key {} address 0.0.0.0 0.0.0.0",
        "crypto isakmp key 0 {} address nowhere at all",
        "crypto isakmp key {}",
        "crypto isakmp\tkey\t{}\tfrobnicate",
        "username a password 0 {}",
        "username a password 7 {}",
        "username a privilege 99 secret 5 {}",
        "user a pass {} surplus",
        "enable secret 5 {}",
        "enable password {}",
        "snmp-server community {} RO",
        "tacacs-server host 10.0.0.1 key {}",
        "radius-server key 7 {}",
        "crypto keyring k\n pre-shared-key address 0.0.0.0 0.0.0.0 key {}\n pre-shared-key hostname h key 6 {}\n pre-shared-key address x key {}",
        "crypto isakmp client configuration group g\n key {}\n key 6 {}\n key",
        "interface Dialer1\n ppp chap password 0 {}\n ip ospf message-digest-key 1 md5 {}",
        "key chain x\n key 1\n  key-string {}",
        "wpa-psk ascii 0 {}",
    ];
    for end in ["\n", "\r\n"] {
        let text = lines.join("\n").replace("{}", secret).replace('\n', end);
        let parsed = hubward_config::parse(&text);
        assert!(parsed.diagnostics.len() > 8, "{:?}", parsed.diagnostics);
        let mut told = vec![format!("{:?}", parsed.config), format!("{:?}", parsed.diagnostics)];
        let renderer = Renderer::plain();
        let lines: Vec<_> = text.split('\n').collect();
        told.extend(parsed.diagnostics.iter().map(|one| render(&renderer, "x", &lines, one)));
        let choices = Choices::default();
        let judgement = choices.judge(&parsed);
        told.extend(may_start(&judgement).err());
        for all in [false, true] {
            told.push(super::text(&report(&text), all));
        }
        told.push(json::document(&report(&text)).to_string());
        told.push(choices.options_for(&judgement));
        let (policy, left_out) =
            crate::translate::policy(&parsed.config, &crate::translate::Addresses::new());
        told.push(format!("{policy:?}"));
        told.extend(left_out);
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for text in told {
            let lower = text.to_lowercase();
            assert!(!lower.contains(&secret.to_lowercase()) && !lower.contains(&hex), "{text}");
        }
    }
}

/// Of many lines of a tunnel interface, what follows for its networks is said once.
#[test]
fn a_consequence_is_told_once() {
    let tunnel = "hostname a\ninterface Tunnel7\n ip address 10.0.0.1 255.0.0.0\n tunnel source 192.0.2.1\n tunnel destination 192.0.2.2\n";
    let shown = text(&report(tunnel), false);
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("Tunnel interfaces: 3 lines (2, 4-5): is a tunnel interface;"), "{shown}");
    assert_eq!(words.matches("the networks behind it are unreachable").count(), 1, "{shown}");
}

/// A line that is too long for the screen ends with a whole word.
#[test]
fn no_word_is_cut_at_the_end_of_a_line() {
    let says = "there is nothing of this kind here, and what it would do is done by Linux in another way";
    for length in 1..says.len() {
        let group = Group {
            title: "Hardware".into(),
            lines: vec![1],
            says: vec![says.get(..length).unwrap_or_default().into()],
        };
        let shown = short(&group);
        assert!(shown.chars().count() <= COLUMNS - 2, "{shown}");
        if let Some(start) = shown.strip_suffix(" …") {
            let said = start.rsplit_once(": ").map_or(start, |(_, said)| said);
            let rest = says.strip_prefix(said).unwrap();
            assert!(rest.starts_with([' ', ',']), "{shown}");
        }
    }
}
