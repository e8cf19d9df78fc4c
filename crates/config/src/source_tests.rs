use super::*;
use crate::document::Class;
use crate::parsed::unenforced;
use crate::{end_of, parse, spell_out};

const CONFIGURATION: &str =
    "hostname R1\r\ninterface FastEthernet0/0\r\n ip address 10.0.0.1 255.0.0.0\r\nend\r\n";

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

/// The bytes that editors write all give the same text.
#[test]
fn every_encoding_of_an_editor_gives_the_same_text() {
    let plain = CONFIGURATION.replace('\r', "");
    let marked = |text: &str| format!("\u{feff}{text}");
    for bytes in [
        CONFIGURATION.as_bytes().to_vec(),
        plain.clone().into_bytes(),
        plain.replace('\n', "\r").into_bytes(),
        plain.replace('\n', "\r\r\n").into_bytes(),
        marked(CONFIGURATION).into_bytes(),
        utf16(CONFIGURATION, u16::to_le_bytes),
        utf16(CONFIGURATION, u16::to_be_bytes),
        utf16(&marked(CONFIGURATION), u16::to_le_bytes),
        utf16(&marked(&plain), u16::to_be_bytes),
    ] {
        assert_eq!(decode(&bytes).as_deref(), Ok(plain.as_str()), "{:?}", bytes.get(..8));
    }
    // without UTF-8, only the character is lost
    assert_eq!(decode(b"! M\xfcnchen\nhostname R1\n").as_deref(), Ok("! M\u{fffd}nchen\nhostname R1\n"));
    assert_eq!(decode(b"").as_deref(), Ok(""));
}

#[test]
fn a_binary_file_is_refused_by_name() {
    for (bytes, why) in [
        (&b"hostname R1\0\n"[..], Unreadable::Binary(11)),
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0", Unreadable::Binary(4)),
        (b"\xff\xfeh\0o", Unreadable::Utf16),
        (b"\xff\xfe\x00\xd8\x00\xd8", Unreadable::Utf16),
        (b"\x1f\x8b\x08\x00\x00\x00", Unreadable::Binary(0)),
    ] {
        assert_eq!(decode(bytes), Err(why), "{bytes:?}");
    }
}

/// What is copied from a terminal means what the configuration in it means, each remark has the
/// place in the line as it is written, and every line is kept.
#[test]
fn the_frames_of_a_transcript_are_comments() {
    let transcript = "R1>enable\nPassword: \nR1#terminal length 0\nR1#show running-config\nBuilding configuration...\n\n\
        Current configuration : 1234 bytes\n!\n! Last configuration change at 10:00:00 UTC Mon Mar 1 1993\n!\nhostname R1\n\
        interface FastEthernet0/0\n --More-- \u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}        \u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8}\u{8} ip address 10.0.0.1 255.0.0.0\n\
        !\nend\n\nR1#\n";
    let parsed = parse(transcript);
    let plain = parse("hostname R1\ninterface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\n");
    assert_eq!(parsed.document.print(), transcript);
    assert_eq!(parsed.config.hostname, plain.config.hostname);
    assert_eq!(parsed.config.interfaces[0].address, plain.config.interfaces[0].address);
    let unknown: Vec<_> = parsed
        .document
        .lines
        .iter()
        .filter(|line| line.class == Class::Unknown)
        .map(|line| &line.text)
        .collect();
    assert_eq!(unknown, Vec::<&String>::new());
    // `Password: ` before the first prompt but one is what `enable` printed
    assert!(unenforced(&parsed).is_empty(), "{:?}", parsed.diagnostics);
}

#[test]
fn what_is_typed_at_prompts_counts() {
    let session = "R1#configure terminal\nEnter configuration commands, one per line.  End with CNTL/Z.\n\
        R1(config)#hostname Hub\nHub(config)#interface FastEthernet0/0\nHub(config-if)#ip address 10.0.0.1 255.0.0.0\n\
        Hub(config-if)#ip address 10.0.0.300\n                ^\n% Invalid input detected at '^' marker.\n\n\
        Hub(config-if)#do show clock\n*10:00:00.000 UTC Mon Mar 1 1993\nHub(config-if)#exit\n\
        Hub(config)#crypto isakmp policy 10\nHub(config-isakmp)#encr aes 256\nHub(config-isakmp)#^Z\n\
        Hub#\n*Mar  1 00:10:00.123: %SYS-5-CONFIG_I: Configured from console by console\nHub#write memory\n\
        Building configuration...\n[OK]\nHub#exit\n";
    let parsed = parse(session);
    assert_eq!(parsed.document.print(), session);
    assert_eq!(parsed.config.hostname.as_deref(), Some("Hub"));
    assert_eq!(parsed.config.interfaces.len(), 1);
    assert_eq!(parsed.config.policies.len(), 1);
    let wrong: Vec<_> = parsed
        .diagnostics
        .iter()
        .filter(|told| told.line == 6)
        .map(|told| {
            (told.column, session.lines().nth(5).and_then(|line| line.get(told.column as usize - 1..)))
        })
        .collect();
    assert_eq!(wrong, [(27, Some("10.0.0.300"))], "{:?}", parsed.diagnostics);
    let others: Vec<_> = parsed.document.lines.iter().filter(|line| line.class == Class::Unknown).collect();
    assert_eq!(others.len(), 1, "{others:?}");
    assert!(unenforced(&parsed).is_empty(), "{:?}", parsed.diagnostics);
}

/// A page indents the session that it quotes under its own text: what is behind the prompts counts
/// as elsewhere, and is neither text of the page nor under what has no effect.
#[test]
fn an_indented_session_counts() {
    let page = "- Make the tunnel\n  - first the policy\n\n  ```text\n  R1# conf t\n  R1(config)# crypto isakmp policy 7\n  \
        R1(config-isakmp)# encr aes 256\n  R1(config-isakmp)# exit\n  ! a profile is not implemented\n  \
        R1(config)# crypto ipsec profile P\n  R1(ipsec-profile)# set transform-set T\n  R1(ipsec-profile)# exit\n  \
        R1(config)# username ada password 0 x\n  R1(config)# int gi0/1\n  R1(config-if)# end\n  R1# show ip route\n  \
        Gateway of last resort is not set\n  R1# conf t\n  R1(config)# hostname Hub\n  ```\n";
    let parsed = parse(page);
    assert_eq!(parsed.document.print(), page);
    assert_eq!(parsed.config.policies.len(), 1);
    assert_eq!(parsed.config.users.len(), 1);
    assert_eq!(parsed.config.hostname.as_deref(), Some("Hub"));
    let user = parsed.document.lines.iter().find(|line| line.text.contains("username")).unwrap();
    assert_eq!((user.under, user.class), (None, Class::Implemented));
    assert!(
        pasted("  R1(gkm-local-server)# rekey transport unicast")
            .command()
            .is_some_and(|(_, before)| before > 0)
    );
}

/// At an exec prompt no mode is open: what is configured after it belongs to none of those before.
#[test]
fn an_exec_prompt_ends_every_mode() {
    let text =
        |between: &str| format!("R1(config)#interface FastEthernet0/0\n{between}R1(config-if)#shutdown\n");
    assert!(parse(&text("")).config.interfaces[0].shutdown);
    assert!(!parse(&text("R1#show clock\nR1#conf t\n")).config.interfaces[0].shutdown);
}

/// A script that goes on with `configure terminal` is read on; the end is the last one.
#[test]
fn a_script_goes_on_behind_end() {
    let before = "hostname R1\nend\n";
    for (behind, enforced) in [
        ("configure terminal\ninterface FastEthernet0/0\n ip inspect FW in\nend\nwrite memory\n", vec![5]),
        ("conf t\nint fa0/0\n ip inspect FW in\n^Z\nwr\n", vec![5]),
        (
            "R1#conf t\nR1(config)#int fa0/0\nR1(config-if)#ip inspect FW in\nR1(config-if)#end\nR1#\n",
            vec![5],
        ),
        ("R1(config)#int fa0/0\nR1(config-if)#ip inspect FW in\nR1(config-if)#end\nR1#\n", vec![4]),
    ] {
        let text = format!("{before}{behind}");
        let parsed = parse(&text);
        let found: Vec<_> = unenforced(&parsed).iter().map(|one| one.line).collect();
        assert_eq!(found, enforced, "{text}");
        assert_eq!(parsed.config.interfaces.len(), 1, "{text}");
        assert_eq!(parsed.document.print(), text);
        let end = text.lines().rposition_of(|line| line.ends_with("end") || line == "^Z");
        assert_eq!(end_of(&text), end, "{text}");
        // spelled out, it is a configuration without frames that means the same
        let spelled = spell_out(&text);
        assert_eq!(parse(&spelled).config, parsed.config, "{spelled}");
        assert!(!spelled.lines().any(|line| line.starts_with("R1") || line.starts_with("conf")), "{spelled}");
    }
}

trait Rposition<'a> {
    fn rposition_of(self, is: impl Fn(&str) -> bool) -> Option<usize>;
}

impl<'a> Rposition<'a> for std::str::Lines<'a> {
    fn rposition_of(self, is: impl Fn(&str) -> bool) -> Option<usize> {
        let lines: Vec<_> = self.collect();
        lines.iter().rposition(|line| is(line))
    }
}

/// What is dropped is told: as a line that stops the start where it may have restricted something,
/// as a warning where an exec command printed it.
#[test]
fn what_is_dropped_is_told() {
    let before = "hostname R1\nend\n";
    for (behind, stops, warns) in [
        ("ip access-list standard 3\n", Some(3), None),
        ("enable secret x\n", Some(3), None),
        ("no ip http server\n", Some(3), None),
        ("R1#\nip access-list standard 3\n", Some(4), None),
        ("R1#show running-config\nhostname R2\nend\n", Some(4), None),
        ("R1#show version\nCisco IOS Software\nR1#\n", None, Some(4)),
        ("R1#show run | include crypto\ncrypto map M\nR1#\n", None, Some(4)),
        ("R1#\nR1#exit\nwr mem\nexit\nreload\nno debug all\n", None, None),
    ] {
        let text = format!("{before}{behind}");
        let parsed = parse(&text);
        assert_eq!(unenforced(&parsed).first().map(|one| one.line), stops, "{text}");
        let warning = parsed.diagnostics.iter().find(|told| told.code == crate::diagnostic::Code::Unknown);
        assert_eq!(warning.map(|told| told.line), warns, "{text}");
        assert_eq!(parsed.config.hostname.as_deref(), Some("R1"));
    }
}

/// A line of a configuration that looks like a prompt or a frame is none.
#[test]
fn what_is_configuration_is_no_frame() {
    for line in [
        "enable secret 5 x",
        "end-user x",
        "description R1#show run",
        "banner motd #end#",
        "no service pad",
        "username a#b privilege 15",
        "Usingx",
        "exit-address-family",
        "R1#ip address",
        "R1(x)#ip address",
        "login block-for 10 attempts 3 within 10",
        "write-behind",
        "show-motd x",
    ] {
        assert!(matches!(Terminal::default().hear(line), Heard::Line(text, 0) if text == line), "{line}");
    }
}

/// The prompt of every mode that has commands here is one before which a command may stand.
#[test]
fn the_prompt_of_every_mode_is_known() {
    for mode in crate::command::In::ALL {
        let shown = crate::help::prompt(mode);
        assert_eq!(
            pasted(&format!("R1({shown})#network x")).command().map(|(text, _)| text),
            Some("network x"),
            "{shown}"
        );
    }
    assert_eq!(pasted("R1(foo)#x"), Pasted::Command("R1(foo)#x", 0));
}

/// What only looks like a message of the log is a line.
#[test]
fn a_command_with_a_percent_sign_is_no_message() {
    for line in [
        "crypto isakmp key a:%A-1-B:c address 192.0.2.1",
        " description x: %SYS-5-CONFIG_I: y",
        " description 5 bytes copied in 1 s",
    ] {
        assert_eq!(pasted(line), Pasted::Command(line, 0));
    }
    for line in [
        "*Mar  1 00:00:07.003: %SYS-5-CONFIG_I: Configured from console by console",
        "000123: Nov 30 2026 08:00:00: %LINK-3-UPDOWN: Interface X, changed state to up",
        "1234 bytes copied in 0.5 secs",
    ] {
        assert_eq!(pasted(line), Pasted::Nothing, "{line}");
    }
}

/// The banner of a login, and what a terminal program writes around it, is no configuration: the
/// one that is shown afterwards is read.
#[test]
fn a_login_before_the_configuration_hides_nothing_of_it() {
    let shown = "R1#show running-config\nBuilding configuration...\n\nCurrent configuration : 99 bytes\n!\nhostname R1\n\
        interface FastEthernet0/0\n ip inspect F in\nend\n\nR1#exit\n";
    for login in [
        "User Access Verification\n\nUsername: admin\nPassword: \nR1>enable\nPassword: \n",
        "login as: admin\nKeyboard-interactive authentication prompts from server:\n| Password: \n\
         End of keyboard-interactive prompts from server\n",
        "*****\nService of ACME: no unauthorized access.\nEverything is logged; disconnect now if you are not allowed.\n*****\n",
        "%% This system is monitored\n\nline up the cables, please\n",
    ] {
        let parsed = parse(&format!("{login}{shown}"));
        assert_eq!(parsed.config.hostname.as_deref(), Some("R1"), "{login}");
        let found: Vec<_> = unenforced(&parsed).iter().map(|one| one.kind.name()).collect();
        assert_eq!(found, ["inspect"], "{login}: {:?}", parsed.diagnostics);
    }
    // of what was read already it is not known whether it is this one
    let twice = parse(&format!("hostname R2\n{shown}"));
    assert_eq!(twice.config.hostname.as_deref(), Some("R2"));
    assert_eq!(unenforced(&twice).iter().map(|one| one.kind.name()).collect::<Vec<_>>(), ["after-end"]);
}

/// At the prompt of the global mode no other mode is open, whatever is not in the transcript.
#[test]
fn a_prompt_shows_which_mode_is_open() {
    let session = "R1(config)#interface FastEthernet0/0\nR1(config-if)#ip address 10.0.0.1 255.0.0.0\n\
        R1(config)#ntp disable\nR1(config)#interface FastEthernet0/1\nR1(config-if)#shutdown\n";
    let parsed = parse(session);
    let under: Vec<_> = parsed.document.lines.iter().map(|line| line.under).collect();
    assert_eq!(under, [None, Some(0), None, None, Some(3)]);
}
