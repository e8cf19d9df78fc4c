use super::*;
use crate::model::Config;

const HUB: &str = include_str!("../../../examples/hub.cfg");

/// A configuration mode session.
struct Typing {
    text: String,
    position: Position,
}

impl Typing {
    fn at(text: &str) -> Self {
        Self { text: text.into(), position: Position::default() }
    }

    fn line(&mut self, line: &str) -> Result<bool, Wrong> {
        if line.trim() == "exit" {
            self.position.leave();
            return Ok(false);
        }
        let change = enter(&self.text, &self.position, line)?;
        self.position = change.position;
        let changed = change.text.is_some();
        self.text = change.text.unwrap_or_else(|| self.text.clone());
        Ok(changed)
    }

    fn lines(&mut self, lines: &[&str]) -> &mut Self {
        for line in lines {
            self.line(line).unwrap_or_else(|wrong| panic!("{line}: {wrong:?}"));
        }
        self
    }
}

/// A model without line numbers.
fn meaning(text: &str) -> Config {
    read(text, Numbers::Left).0.config
}

/// Types a file; raw text goes with its command.
fn paste(typing: &mut Typing, text: &str) -> Vec<(String, Wrong)> {
    let mut wrong = Vec::new();
    let mut lines = text.lines().take_while(|line| line.trim() != "end");
    while let Some(line) = lines.next() {
        let mut entry = line.to_string();
        if let Some(end) = RawEnd::of(line.trim()) {
            for raw in lines.by_ref() {
                entry.push('\n');
                entry.push_str(raw);
                if end.is(raw) {
                    break;
                }
            }
        }
        if let Err(error) = typing.line(&entry) {
            wrong.push((line.to_string(), error));
        }
    }
    wrong
}

#[test]
fn a_setting_replaces_the_one_before_it() {
    let mut typing =
        Typing::at("hostname Hub\ninterface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\n!\nend\n");
    typing.lines(&["hostname Other", "int fa0/0", "ip addr 10.0.0.2 255.0.0.0", "desc outside"]);
    assert_eq!(
        typing.text,
        "hostname Other\ninterface FastEthernet0/0\n ip address 10.0.0.2 255.0.0.0\n description outside\n!\nend\n"
    );
    assert_eq!(typing.position.prompt(), "config-if");
}

/// Under its opener, before the comments after it; a global command does not get the indentation of
/// the mode it was typed in.
#[test]
fn lines_are_written_as_their_neighbours() {
    let mut typing =
        Typing::at("ip access-list extended A\n!\n!\ninterface FastEthernet0/0\n  ip address dhcp\n!\nend\n");
    typing.lines(&[
        "ip access-list extended A",
        "permit ip any any",
        "int fa0/0",
        "shut",
        "int lo0",
        "desc  two  blanks",
    ]);
    let expected = "ip access-list extended A\n permit ip any any\n!\n!\ninterface FastEthernet0/0\n  ip address dhcp\n  shutdown\n\
        interface Loopback0\n description two  blanks\n!\nend\n";
    assert_eq!(typing.text.replace("  two", " two"), expected);
}

#[test]
fn no_takes_lines_away() {
    let text = "interface FastEthernet0/0\n ip address dhcp\n shutdown\n!\nip route 10.0.0.0 255.0.0.0 192.0.2.1\n\
        ip route 10.0.0.0 255.0.0.0 192.0.2.2\ncrypto map m 10 ipsec-isakmp\n set peer 1.1.1.1\ncrypto map m 20 ipsec-isakmp\n set peer 2.2.2.2\nend\n";
    let mut typing = Typing::at(text);
    typing.lines(&["interface FastEthernet0/0", "no shutdown"]);
    assert!(!typing.text.contains("shutdown"), "{}", typing.text);
    typing.lines(&["no crypto map m 10"]);
    assert!(!typing.text.contains("1.1.1.1") && typing.text.contains("2.2.2.2"), "{}", typing.text);
    typing.lines(&["no ip route 10.0.0.0 255.0.0.0 192.0.2.1"]);
    assert!(!typing.text.contains("192.0.2.1") && typing.text.contains("192.0.2.2"), "{}", typing.text);
    assert!(typing.position.is_global());
    assert_eq!(typing.line("no shutdown"), Err(Wrong::Invalid(3)));
}

/// What `no` switches off that is on by default is written down, and goes again.
#[test]
fn a_default_that_is_switched_off_is_kept() {
    let mut typing = Typing::at("hostname Hub\nend\n");
    typing.lines(&["no logging on"]);
    assert_eq!(typing.text, "hostname Hub\nno logging on\nend\n");
    assert_eq!(typing.line("no logging on"), Ok(false));
    typing.lines(&["logging on"]);
    assert_eq!(meaning(&typing.text), meaning("hostname Hub\nlogging on\n"));
    assert!(!typing.text.contains("no logging"), "{}", typing.text);
}

#[test]
fn what_is_new_goes_next_to_its_like() {
    let text = "username a password 0 x\ninterface FastEthernet0/0\n ip address dhcp\nip route 10.0.0.0 255.0.0.0 192.0.2.1\nline vty 0 4\nend\n";
    let mut typing = Typing::at(text);
    typing.lines(&[
        "username b password 0 y",
        "ip route 11.0.0.0 255.0.0.0 192.0.2.1",
        "interface FastEthernet0/1",
        "ip address dhcp",
    ]);
    let expected = "username a password 0 x\nusername b password 0 y\ninterface FastEthernet0/0\n ip address dhcp\n\
        interface FastEthernet0/1\n ip address dhcp\nip route 10.0.0.0 255.0.0.0 192.0.2.1\nip route 11.0.0.0 255.0.0.0 192.0.2.1\nline vty 0 4\nend\n";
    assert_eq!(typing.text, expected);
}

#[test]
fn what_is_wrong_changes_nothing_and_has_its_place() {
    let mut typing = Typing::at(HUB);
    assert_eq!(typing.line("crypto isakmp"), Err(Wrong::Incomplete));
    assert_eq!(typing.line("crypto isakmp frob"), Err(Wrong::Invalid(14)));
    assert_eq!(typing.line(" crypto isakmp frob"), Err(Wrong::Invalid(15)));
    assert_eq!(typing.line("frob"), Err(Wrong::Invalid(0)));
    assert_eq!(typing.line("ip route 10.0.0.0 255.0.0.1 10.0.0.1"), Err(Wrong::Invalid(18)));
    assert_eq!(typing.line("interface FastEthernet0/0"), Ok(false));
    assert_eq!(typing.line("ip address 10.0.0.300 255.0.0.0"), Err(Wrong::Invalid(11)));
    assert_eq!(typing.line("ip address"), Err(Wrong::Incomplete));
    assert_eq!(typing.text, HUB);
    assert_eq!(typing.position.prompt(), "config-if");
}

#[test]
fn a_mode_without_effects_takes_what_stands_under_it() {
    let mut typing = Typing::at("hostname Hub\nend\n");
    typing.lines(&["router ospf 1", "network 10.0.0.0 0.0.0.255 area 0", "passive-interface default"]);
    assert_eq!(typing.position.prompt(), "config-router");
    assert_eq!(typing.line(" network 10.0.0.0 0.0.0.255 area 0"), Ok(false));
    typing.lines(&["no passive-interface default", "hostname Other"]);
    assert!(typing.position.is_global());
    let expected = "hostname Other\nrouter ospf 1\n network 10.0.0.0 0.0.0.255 area 0\nend\n";
    assert_eq!(typing.text, expected);
}

/// A command that a mode has by name only stays in it, even if there is a global one with the same
/// beginning.
#[test]
fn what_a_mode_has_by_name_stays_in_it() {
    let mut typing = Typing::at("hostname Hub\ninterface FastEthernet0/0\n ip address dhcp\n!\nend\n");
    typing.lines(&[
        "interface FastEthernet0/0",
        "ntp disable",
        "ip accounting output-packets",
        "crypto map CM",
    ]);
    assert_eq!(typing.position.prompt(), "config-if");
    assert_eq!(
        typing.text,
        "hostname Hub\ninterface FastEthernet0/0\n ip address dhcp\n ntp disable\n ip accounting output-packets\n crypto map CM\n!\nend\n"
    );
    typing.lines(&[
        "no ntp disable",
        "router bgp 65000",
        "address-family ipv4 vrf A",
        "neighbor 10.0.0.1 activate",
    ]);
    assert!(!typing.text.contains("ntp"), "{}", typing.text);
    assert!(
        typing.text.contains("router bgp 65000\n address-family ipv4 vrf A\n  neighbor 10.0.0.1 activate\n")
    );
    typing.lines(&["bgp log-neighbor-changes", "hostname Other"]);
    assert!(typing.position.is_global());
    assert_eq!(meaning(&typing.text).hostname.as_deref(), Some("Other"));
}

#[test]
fn a_banner_is_one_command() {
    let mut typing = Typing::at("hostname Hub\nend\n");
    assert_eq!(RawEnd::of("banner motd #"), Some(RawEnd::Contains("#".into())));
    assert_eq!(RawEnd::of("banner motd #one line#"), None);
    typing.lines(&["banner motd #\nhello\nthere\n#"]);
    assert_eq!(typing.text, "hostname Hub\nbanner motd #\nhello\nthere\n#\nend\n");
    typing.lines(&["no banner motd"]);
    assert_eq!(typing.text, "hostname Hub\nend\n");
}

/// A configuration typed into itself changes nothing; typed into an empty one it means what the
/// file means.
#[test]
fn the_reference_configuration_typed_in() {
    let mut again = Typing::at(HUB);
    assert_eq!(paste(&mut again, HUB), []);
    assert_eq!(again.text, HUB);
    let mut fresh = Typing::at("");
    assert_eq!(paste(&mut fresh, HUB), []);
    assert_eq!(meaning(&fresh.text), meaning(HUB));
    for line in HUB.lines().filter(|line| !line.trim().starts_with('!') && line.trim() != "end") {
        assert!(fresh.text.lines().any(|other| other.trim() == line.trim()), "{line} is lost");
    }
}

/// A line typed after a banner that says `end` goes where it belongs, not into the banner.
#[test]
fn a_banner_that_says_end() {
    let text = "hostname A\nbanner motd #\nthis is the\nend\nof it #\nip domain-name x\nend\n";
    let mut typing = Typing::at(text);
    typing.lines(&["hostname B"]);
    assert_eq!(typing.text, text.replace("hostname A", "hostname B"));
    assert_eq!(meaning(&typing.text).hostname.as_deref(), Some("B"));
    // without an `end` of its own
    let mut typing = Typing::at("banner motd #\nend\n#\n");
    typing.lines(&["hostname B"]);
    assert_eq!(meaning(&typing.text).hostname.as_deref(), Some("B"));
}

/// A password is the rest of the line, blanks and all.
#[test]
fn a_password_of_two_words_is_one_password() {
    for line in [
        "enable secret zebra foo",
        "enable password 0 zebra  foo",
        "enable secret level 7 zebra foo",
        "username u privilege 15 password 0 zebra foo",
        "username u secret zebra privilege 15",
    ] {
        let mut typing = Typing::at("hostname A\n");
        typing.lines(&[line]);
        assert_eq!(typing.text, format!("hostname A\n{line}\n"));
        let config = meaning(&typing.text);
        let password = config.enable.first().map(|enable| enable.password.clone());
        let password = password.or_else(|| config.users[0].password.clone()).unwrap();
        let start = line.find("zebra").unwrap();
        assert_eq!(password.expose(), &line[start..], "{line}");
        assert!(!crate::secret::public_part(line).contains("zebra"), "{line}");
    }
    let mut typing = Typing::at("line vty 0 4\n");
    typing.lines(&["line vty 0 4", "password 0 zebra foo"]);
    assert_eq!(meaning(&typing.text).lines[0].password.as_ref().unwrap().expose(), "zebra foo");
}
