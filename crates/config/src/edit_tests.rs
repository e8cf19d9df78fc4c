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

/// Lines of access lists keep the numbers that they have, whatever is typed, and what is saved is a
/// list that a router takes.
#[test]
fn a_list_that_is_renumbered_is_written_with_its_numbers() {
    const LIST: &str = "ip access-list extended A\n permit ip host 10.0.0.1 any\n !two\n permit ip host 10.0.0.2 any\n deny ip any any\n!\n";
    let typed = |text: &str, lines: &[&str]| {
        let mut typing = Typing::at(text);
        typing.lines(lines);
        typing.text
    };
    for (lines, expected) in [
        (
            ["ip access-list extended A", "no 20"],
            "ip access-list extended A\n 10 permit ip host 10.0.0.1 any\n 30 deny ip any any\n !two\n!\n",
        ),
        (
            ["ip access-list extended A", "no permit ip host 10.0.0.1 any"],
            "ip access-list extended A\n 20 permit ip host 10.0.0.2 any\n 30 deny ip any any\n !two\n!\n",
        ),
        (
            ["ip access-list extended A", "5 deny ip host 10.0.0.9 any"],
            "ip access-list extended A\n 5 deny ip host 10.0.0.9 any\n 10 permit ip host 10.0.0.1 any\n \
             20 permit ip host 10.0.0.2 any\n 30 deny ip any any\n !two\n!\n",
        ),
        (
            ["ip access-list extended A", "no 30"],
            "ip access-list extended A\n permit ip host 10.0.0.1 any\n permit ip host 10.0.0.2 any\n !two\n!\n",
        ),
        (
            ["ip access-list resequence A 100 1", "exit"],
            "ip access-list extended A\n 100 permit ip host 10.0.0.1 any\n 101 permit ip host 10.0.0.2 any\n \
             102 deny ip any any\n !two\n!\n",
        ),
    ] {
        assert_eq!(typed(LIST, &lines), expected, "{lines:?}");
        let back = typed(expected, &["ip access-list resequence A 10 10"]);
        assert!(!back.contains("0 permit") && !back.contains("resequence"), "{back}");
    }
    // a numbered list whose numbers are others becomes one with a name, the only place for them
    let numbered =
        "access-list 101 permit ip host 10.0.0.1 any\naccess-list 101 deny ip any any\nhostname A\n";
    assert_eq!(
        typed(numbered, &["ip access-list extended 101", "no 10"]),
        "ip access-list extended 101\n 20 deny ip any any\nhostname A\n"
    );
    let mut typing = Typing::at(LIST);
    typing.lines(&["ip access-list extended A"]);
    assert!(typing.line("10 deny ip any host 10.0.0.7").is_err(), "the number is taken");
    assert_eq!(typing.line("permit ip host 10.0.0.2 any"), Ok(false), "it is there already");
    assert_eq!(typing.line("10 permit ip host 10.0.0.1 any"), Ok(false));
}

/// A line that is there already is not written twice, and what it opened keeps all that it says.
#[test]
fn a_line_typed_again_changes_nothing() {
    let text = "aaa new-model\naaa authentication login A local\naaa authentication login B local\n\
        crypto keyring K\n pre-shared-key address 10.0.0.1 key x\n pre-shared-key address 10.0.0.2 key x\n\
        crypto map M 10 ipsec-isakmp\n set peer 10.0.0.1\n set peer 10.0.0.2\n match address 101\n\
        ip local pool P 10.9.9.1 10.9.9.9\nip local pool Q 10.9.8.1 10.9.8.9\n\
        ip route 10.1.0.0 255.255.0.0 10.0.0.1\nip route 10.2.0.0 255.255.0.0 10.0.0.1\n\
        ip access-list extended L\n permit ip any any\n deny ip any any\n\
        access-list 101 permit ip any any\naccess-list 101 deny ip any any\n";
    let mut typing = Typing::at(text);
    assert_eq!(paste(&mut typing, text), []);
    assert_eq!(typing.text, text);
    typing.lines(&["crypto map M 10", "set peer 10.0.0.1"]);
    assert_eq!(typing.text, text, "the header keeps `ipsec-isakmp`");
    // what was changed since is set again
    let mut typing = Typing::at("username a password 0 x\nusername a secret 0 y\n");
    typing.lines(&["username a password 0 x"]);
    assert_eq!(meaning(&typing.text), meaning("username a password 0 x\n"));
}

/// Global commands typed in a mode are global, and no line of the console is written beside them.
#[test]
fn global_commands_typed_in_a_mode_are_global() {
    let before = "hostname A\nusername a password 0 x\ninterface FastEthernet0/0\n ip address dhcp\n";
    let globals = [
        "username b password 0 y",
        "ip route 0.0.0.0 0.0.0.0 192.0.2.1",
        "hostname B",
        "ip local pool P 10.0.0.1 10.0.0.9",
        "crypto isakmp policy 20",
        "access-list 10 permit any",
        "crypto keyring L",
        "no ip http server",
        "ntp server 192.0.2.9",
        "line vty 5 15",
        "ip domain-name example.com",
        "enable secret 0 x",
        "crypto ipsec transform-set T esp-aes",
        "ip dhcp pool X",
        "aaa new-model",
        "logging host 192.0.2.8",
        "crypto isakmp key x address 192.0.2.7",
        "snmp-server community x",
    ];
    for opener in [
        "interface FastEthernet0/0",
        "crypto isakmp policy 10",
        "crypto map M 10 ipsec-isakmp",
        "crypto dynamic-map D 10",
        "crypto isakmp profile P",
        "crypto keyring K",
        "crypto isakmp client configuration group G",
        "crypto ipsec transform-set S esp-aes",
        "ip access-list extended L",
        "line vty 0 4",
        "router ospf 1",
        "route-map R permit 10",
        "class-map match-any C",
        "ip dhcp pool Q",
        "policy-map Y",
        "ip sla 1",
    ] {
        for global in globals {
            let mut typing = Typing::at(before);
            typing.lines(&[opener, global]);
            let line = typing.text.lines().find(|line| line.trim().starts_with(global));
            assert!(
                line.is_some_and(|line| !line.starts_with(' ')),
                "{global} in {opener}:\n{}",
                typing.text
            );
            assert!(
                !typing.text.lines().any(|line| line.trim() == "exit"),
                "{global} in {opener}:\n{}",
                typing.text
            );
            let alone = meaning(&format!("{before}{opener}\n!\n{global}\n"));
            assert_eq!(meaning(&typing.text), alone, "{global} in {opener}:\n{}", typing.text);
        }
    }
}

/// IOS marks no word of a line whose number another line has.
#[test]
fn a_number_that_is_taken_is_answered_in_the_words_of_ios() {
    let mut typing = Typing::at("ip access-list extended A\n 10 permit ip any any\n");
    typing.line("ip access-list extended A").unwrap();
    let taken = Err(Wrong::Said("Duplicate sequence number".into()));
    assert_eq!(typing.line("10 deny tcp any any"), taken);
    assert_eq!(typing.line("  10 deny tcp any any"), taken);
    assert!(typing.line("10 permit ip any any").is_ok());
    typing.line("2147483647 deny udp any any").unwrap();
    assert_eq!(typing.line("deny tcp any any"), Err(Wrong::Said("Exceeded maximum sequence number".into())));
}

/// `interface range` writes the lines of each interface, and a global line typed in it is written
/// once.
#[test]
fn a_range_is_saved_as_single_interfaces() {
    let mut typing = Typing::at("interface FastEthernet0/1\n ip address dhcp\n!\nend\n");
    typing.lines(&["int range fa0/0 - 1 , vlan 2"]);
    assert_eq!(typing.position.prompt(), "config-if-range");
    typing.lines(&["shutdown", " description x"]);
    assert_eq!(typing.line("ip address 10.0.0.300 255.0.0.0"), Err(Wrong::Invalid(11)));
    let below = " shutdown\n description x\n";
    let expected = format!(
        "interface FastEthernet0/1\n ip address dhcp\n{below}interface FastEthernet0/0\n{below}interface Vlan2\n{below}!\nend\n"
    );
    assert_eq!(typing.text, expected);
    typing.lines(&["no description", "hostname B"]);
    assert!(typing.position.is_global() && typing.position.range.is_empty());
    assert_eq!(typing.text.matches("hostname B").count(), 1);
    assert!(!typing.text.contains("description") && !typing.text.contains("range"));
    typing.lines(&["default interface range fa0/0 - 1"]);
    let empty = "interface FastEthernet0/1\ninterface FastEthernet0/0\n";
    assert!(
        typing.text.contains(empty) && typing.text.contains("interface Vlan2\n shutdown\n"),
        "{}",
        typing.text
    );
    assert_eq!(typing.line("interface range macro USERS").unwrap_err(), Wrong::Invalid(16));
}

/// `default interface` leaves the interface, and nothing of what it had; the modes in it go too.
#[test]
fn an_interface_is_reset_to_its_defaults() {
    let mut typing = Typing::at(
        "interface FastEthernet0/0\n ip address dhcp\n ip access-group 3 in\n shutdown\n!\ninterface FastEthernet0/1\n shutdown\nend\n",
    );
    typing.lines(&["default interface fa0/0"]);
    assert_eq!(typing.text, "interface FastEthernet0/0\n!\ninterface FastEthernet0/1\n shutdown\nend\n");
    assert!(typing.position.is_global());
    // one that does not exist has its defaults
    typing.lines(&["interface fa0/1", "default interface fa0/7"]);
    assert!(!typing.text.contains("default"), "{}", typing.text);
}

/// What is pasted with its prompts counts as what was typed at them; a terminal's frames change
/// nothing and are not written down. An exec command is none of configuration mode.
#[test]
fn a_transcript_is_pasted() {
    let mut typing = Typing::at("hostname A\n");
    typing.lines(&[
        "A#show running-config",
        "Building configuration...",
        "Current configuration : 99 bytes",
        "A(config)#interface FastEthernet0/0",
        "A(config-if)#ip address 10.0.0.1 255.0.0.0",
        "*Mar  1 00:00:07.003: %LINK-3-UPDOWN: Interface FastEthernet0/0, changed state to up",
    ]);
    assert_eq!(typing.text, "hostname A\ninterface FastEthernet0/0\n ip address 10.0.0.1 255.0.0.0\n");
    assert_eq!(typing.line("A(config-if)#ip address 10.0.0.300"), Err(Wrong::Invalid(24)));
    assert!(typing.line("write memory").is_err() && typing.line("terminal length 0").is_err());
}

/// What is pasted with prompts leaves modes as it did where it was copied, and nothing of it is
/// written down that is no command.
#[test]
fn no_exit_end_or_do_of_a_transcript_is_written_down() {
    let mut typing = Typing::at("hostname A\n");
    typing.lines(&[
        "A(config)#interface FastEthernet0/0",
        "A(config-if)#do show clock",
        "do write memory",
        "DO wr",
    ]);
    assert_eq!(typing.position.prompt(), "config-if");
    typing.lines(&["A(config-if)#exit"]);
    assert!(typing.position.is_global());
    typing.lines(&["A(config)#interface FastEthernet0/0", "A(config-if)#crypto map ?", "A(config-if)#^Z"]);
    assert!(typing.position.is_global());
    typing.lines(&["A(config)#interface FastEthernet0/0", "A#"]);
    assert!(typing.position.is_global());
    // the prompt shows that the mode was left, however that was
    typing.lines(&[
        "A(config)#interface FastEthernet0/0",
        "A(config)#ip access-list standard L",
        "A(config-std-nacl)#permit any",
    ]);
    typing.lines(&["ip ssh pubkey-chain", "username ada", "quit", "quit"]);
    assert!(typing.position.is_global());
    let expected = "hostname A\ninterface FastEthernet0/0\nip access-list standard L\n permit any\nip ssh pubkey-chain\n username ada\n";
    assert_eq!(typing.text, expected);
}

/// `exit-address-family` is a line of its mode and leaves it; what is typed later comes before it.
#[test]
fn what_ends_a_mode_within_another_leaves_it() {
    let mut typing = Typing::at("hostname A\nend\n");
    typing.lines(&[
        "router bgp 65000",
        "address-family ipv4 vrf A",
        "neighbor 10.0.0.1 activate",
        "exit-address-family",
    ]);
    assert_eq!(typing.position.prompt(), "config-router");
    assert_eq!(typing.line("exit-address-family"), Err(Wrong::Invalid(0)));
    typing.lines(&[
        "neighbor 10.0.0.2 remote-as 65001",
        "address-family ipv4 vrf A",
        "neighbor 10.0.0.2 activate",
    ]);
    typing.lines(&["exit-address-family", "hostname B"]);
    assert_eq!(
        typing.text,
        "hostname B\nrouter bgp 65000\n address-family ipv4 vrf A\n  neighbor 10.0.0.1 activate\n  \
         neighbor 10.0.0.2 activate\n  exit-address-family\n neighbor 10.0.0.2 remote-as 65001\nend\n"
    );
}

/// `default` takes away what was said, the `no` of it too, and is never written down.
#[test]
fn a_default_is_not_written_down() {
    let text = "hostname A\nno ip http server\nntp server 192.0.2.1\ncrypto map M 10 ipsec-isakmp\n set peer 10.0.0.1\nend\n";
    let mut typing = Typing::at(text);
    typing.lines(&[
        "default ip http server",
        "default ntp server",
        "default crypto map M 10",
        "default router ospf 1",
    ]);
    typing.lines(&["default snmp-server community x", "default interface Vlan7", "no router ospf 1"]);
    assert_eq!(typing.text, "hostname A\nend\n");
}
