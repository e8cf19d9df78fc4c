//! Commands at the console: whatever is typed, what is written down is a configuration that a
//! router would print.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_config::edit::{Position, RawEnd, enter};
use hubward_config::parse;

/// A session in configuration mode.
struct Console {
    text: String,
    position: Position,
}

impl Console {
    fn at(text: &str) -> Self {
        Self { text: text.into(), position: Position::default() }
    }

    /// Whether a line is taken.
    fn line(&mut self, line: &str) -> bool {
        let Ok(change) = enter(&self.text, &self.position, line) else { return false };
        self.position = change.position;
        self.text = change.text.unwrap_or_else(|| std::mem::take(&mut self.text));
        true
    }
}

/// The commands of the list, each with the line that opens its mode.
fn commands() -> impl Iterator<Item = (Option<&'static str>, &'static str)> {
    let lists = [include_str!("data/commands.txt"), include_str!("data/restricts.txt")];
    let lines = lists.into_iter().flat_map(str::lines);
    let lines = lines.filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once(" :: ").map_or((None, line), |(opener, line)| (Some(opener), line)))
}

/// Typed, taken away and set to its default, each command leaves no line that IOS never prints.
#[test]
fn no_line_is_left_that_ios_never_prints() {
    let mut wrong = Vec::new();
    for (opener, line) in commands().filter(|(_, line)| RawEnd::of(line).is_none()) {
        for typed in [
            vec![line.to_string(), format!("default {line}")],
            vec![format!("default {line}")],
            vec![line.to_string(), format!("no {line}"), format!("default {line}")],
            vec![format!("no {line}"), format!("default {line}")],
            vec![line.to_string(), "do show clock".to_string(), "exit".to_string()],
        ] {
            let mut console = Console::at("hostname A\nend\n");
            if !opener.is_none_or(|opener| console.line(opener)) {
                wrong.push(format!("{opener:?} is refused"));
                continue;
            }
            for line in &typed {
                console.line(line);
            }
            let stray = console.text.lines().find(|line| {
                let line = line.trim();
                ["default ", "do ", "exit"].iter().any(|word| line.starts_with(word))
                    && !line.starts_with("exit-")
            });
            if let Some(stray) = stray {
                wrong.push(format!("{opener:?} {typed:?}: `{stray}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them: {}", wrong.len(), wrong.join("\n"));
}

/// What a router refuses is refused, and not kept as a line without effect.
#[test]
fn no_line_is_taken_that_ios_refuses() {
    for line in [
        "interface GigabitEthernet",
        "interface Loopback",
        "interface range Vlan",
        "login local",
        "default no service dhcp",
        "no no service dhcp",
        "exit-address-family",
    ] {
        let mut console = Console::at("hostname A\nend\n");
        assert!(!console.line(line), "{line}: {}", console.text);
        assert_eq!(console.text, "hostname A\nend\n", "{line}");
    }
    // the same in a file has no effect, and is told
    let told = parse("interface GigabitEthernet\n ip access-group 3 in\n").diagnostics;
    assert!(told.iter().any(|told| told.line == 1) && told.iter().any(|told| told.line == 2), "{told:?}");
    assert!(parse("interface GigabitEthernet\n").config.interfaces.is_empty());
}

/// A pasted list that was to replace one is not added to it, when the one could not be removed.
#[test]
fn what_is_built_anew_is_not_added_to_what_was_not_removed() {
    for (text, no, opener, within) in [
        ("access-list 101 permit ip any any\n", "no access-list 101", "access-list 101 deny udp any any", ""),
        (
            "ip access-list extended X\n permit ip any any\n",
            "no ip access-l ext X",
            "ip access-list ext X",
            " deny udp any any",
        ),
        ("crypto map M 10 ipsec-isakmp\n", "no crypto map M 10", "crypto map M 10", " set peer 10.0.0.9"),
        (
            "crypto map M 10 ipsec-isakmp\n",
            "no crypto map M",
            "crypto map M 20 ipsec-isakmp",
            " set peer 10.0.0.9",
        ),
        (
            "ip dhcp pool P\n network 10.0.0.0 /8\n",
            "no ip dhcp pool P",
            "ip dhcp pool P",
            " network 10.0.0.0 /9",
        ),
    ] {
        let mut console = Console::at(text);
        // whatever refused it
        console.position = console.position.after_refused(no);
        for _ in 0..2 {
            let why = console.position.rebuilds_refused(opener);
            assert!(why.is_some_and(|why| why.contains("did not remove")), "{no}: {opener}");
            console.position = console.position.after_refused(opener);
            let belongs = console.position.belongs_to_refused(within);
            assert!(within.is_empty() || belongs.is_some(), "{no}: {within}");
        }
        for other in [
            "access-list 1010 permit ip any any",
            "ip access-list extended XY",
            "crypto map MM 10",
            "hostname x",
        ] {
            assert_eq!(console.position.rebuilds_refused(other), None, "{no}: {other}");
        }
        // another line is taken, and another one refused
        assert!(console.line("hostname x"), "{no}");
        console.position = console.position.after_refused("no access-list 199");
        assert!(console.position.rebuilds_refused(opener).is_some(), "{no}");
        // when it is removed after all, it is built anew
        assert!(console.line(no), "{no}");
        assert_eq!(console.position.rebuilds_refused(opener), None, "{no}");
    }
    // a setting that is given another value is not built
    let position = Position::default().after_refused("no crypto map M 10");
    assert_eq!(position.after_refused("no hostname").rebuilds_refused("hostname x"), None);
}

/// `no` of what is not there leaves no line, and what is there stays.
#[test]
fn a_removal_of_what_is_not_there_leaves_no_line() {
    let text = "interface FastEthernet0/0\n ip access-group A in\n ip access-group B out\n ip nat outside\n ip policy route-map P\n ip mtu 1400\n";
    for line in [
        "no ip access-group OTHER out",
        "no ip access-group B in",
        "no ip access-group A out",
        "no ip nat inside",
        "no crypto map M",
        "no ip verify unicast reverse-path",
    ] {
        let mut console = Console::at(text);
        assert!(console.line("interface FastEthernet0/0") && console.line(line), "{line}");
        assert_eq!(console.text, text, "{line}");
    }
    // the direction alone is enough, and needed
    for (line, gone) in [
        ("no ip access-group in", " ip access-group A in\n"),
        ("no ip access-group out", " ip access-group B out\n"),
        ("no ip access-group A in", " ip access-group A in\n"),
        ("default ip access-group B out", " ip access-group B out\n"),
    ] {
        let mut console = Console::at(text);
        assert!(console.line("interface FastEthernet0/0") && console.line(line), "{line}");
        assert_eq!(console.text, text.replace(gone, ""), "{line}");
    }
    for line in ["no ip policy", "ip policy rout-map P", "ip policy P"] {
        let mut console = Console::at(text);
        console.line("interface FastEthernet0/0");
        assert!(!console.line(line), "{line}");
        console.position = console.position.after_refused(line);
        assert!(console.line("ip mtu 1300"), "{line}");
        assert_eq!(console.text, text.replace("1400", "1300"), "{line}");
    }
}
