//! Commands at the console: whatever is typed, what is written down is a configuration that a
//! router would print.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use hubward_config::edit::{Position, RawEnd, Wrong, enter};
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

/// What becomes of a line in a mode, and of the text: the error with what its caret is under.
fn typed(text: &str, opener: &str, line: &str) -> Result<String, String> {
    let mut console = Console::at(text);
    assert!(opener.is_empty() || console.line(opener), "{opener}");
    match enter(&console.text, &console.position, line) {
        Ok(change) => Ok(change.text.unwrap_or(console.text)),
        Err(Wrong::Invalid(place)) => Err(format!("^{}", &line[place..])),
        Err(Wrong::Said(said)) => Err(format!("% {said}")),
        Err(Wrong::Incomplete) => Err("% Incomplete".into()),
        Err(Wrong::Ambiguous) => Err("% Ambiguous".into()),
    }
}

const LANS: &str = "interface FastEthernet0/0\n ip address 10.1.1.1 255.255.255.0\n ip address 10.8.1.1 255.255.255.0 secondary\ninterface FastEthernet0/1\n";

/// IOS takes no address of a network that another interface has.
#[test]
fn an_address_that_overlaps_another_interface_is_refused_as_ios_does() {
    let other = "interface FastEthernet0/1";
    for (line, overlaps) in [
        ("ip address 10.1.1.2 255.255.255.0", Some("10.1.1.0")),
        ("ip address 10.1.1.9 255.255.255.254", Some("10.1.1.8")),
        ("ip address 10.0.0.1 255.0.0.0", Some("10.0.0.0")),
        ("ip address 10.8.1.2 255.255.255.0", Some("10.8.1.0")),
        ("ip address 10.2.1.2 255.255.255.0", None),
        ("no ip address 10.1.1.2 255.255.255.0", None),
        ("ip address dhcp", None),
    ] {
        let says = overlaps.map(|net| format!("% {net} overlaps with FastEthernet0/0"));
        let refused = match line.starts_with("no ") {
            true => None,
            false => typed(LANS, other, line).err(),
        };
        assert_eq!(refused, says, "{line}");
    }
    // of interfaces that are shut, when they come up
    let shut = format!("{LANS} ip address 10.1.1.2 255.255.255.0\n shutdown\n");
    let parsed = typed(&format!("{LANS} shutdown\n"), other, "ip address 10.1.1.2 255.255.255.0");
    assert!(parsed.is_ok(), "{parsed:?}");
    let up = typed(&shut, other, "no shutdown");
    assert_eq!(up.unwrap_err(), "% 10.1.1.0 overlaps with FastEthernet0/0");
    assert!(typed(&shut, "interface FastEthernet0/0", "ip address 10.1.1.3 255.255.255.0").is_ok());
    // a second address of its own network is a secondary one
    assert!(typed(LANS, "interface FastEthernet0/0", "ip address 10.1.1.7 255.255.255.0 secondary").is_ok());
}

#[test]
fn a_network_is_no_address_of_an_interface() {
    for (line, refused) in [
        ("ip address 10.5.1.0 255.255.255.0", Some("% Bad mask /24 for address 10.5.1.0")),
        ("ip address 10.5.1.255 255.255.255.0", Some("% Bad mask /24 for address 10.5.1.255")),
        ("ip address 10.5.1.4 255.255.255.252", Some("% Bad mask /30 for address 10.5.1.4")),
        ("ip address 10.5.1.4 255.255.255.254", None),
        ("ip address 10.5.1.5 255.255.255.254", None),
        ("ip address 10.5.1.4 255.255.255.255", Some("% Bad mask /32 for address 10.5.1.4")),
        ("ip address 10.5.1.4 255.255.255.255 secondary", None),
        ("ip address 224.0.0.1 255.255.255.0", Some("% Not a valid host address - 224.0.0.1")),
        ("ip address 127.0.0.1 255.0.0.0", Some("% Not a valid host address - 127.0.0.1")),
        ("ip address 0.0.0.1 255.255.255.0", Some("% Not a valid host address - 0.0.0.1")),
        ("ip address 240.0.0.1 255.255.255.0", Some("% Not a valid host address - 240.0.0.1")),
        ("ip address 255.255.255.255 255.255.255.0", Some("% Not a valid host address - 255.255.255.255")),
        (
            "ip address 10.5.1.4 0.0.0.255",
            Some("% 0.0.0.255 is a wildcard, and a network mask belongs here: 255.255.255.0"),
        ),
    ] {
        let done = typed(LANS, "interface FastEthernet0/1", line);
        assert_eq!(done.err().as_deref(), refused, "{line}");
        let told = parse(&format!("interface FastEthernet0/1\n {line}\n")).diagnostics;
        let says = refused.map(|refused| refused.trim_start_matches("% "));
        assert_eq!(
            told.iter().any(|told| says.is_some_and(|says| told.message.contains(says))),
            says.is_some()
        );
    }
    // the network of a tunnel is behind it, and stays closed, whatever its own address is
    for opener in ["interface Loopback0", "interface Tunnel0", "interface Dialer1"] {
        assert!(typed(LANS, opener, "ip address 10.5.1.4 255.255.255.255").is_ok(), "{opener}");
        assert!(typed(LANS, opener, "ip address 10.5.1.0 255.255.255.0").is_ok(), "{opener}");
    }
}

#[test]
fn a_route_to_an_address_of_a_network_is_refused_as_ios_does() {
    for (line, is_taken) in [
        ("ip route 10.88.0.1 255.255.0.0 10.1.1.9", false),
        ("ip route 10.88.0.0 255.255.0.0 10.1.1.9", true),
        ("ip route 0.0.0.0 0.0.0.0 10.1.1.9", true),
        ("no ip route 10.88.0.1 255.255.0.0 10.1.1.9", true),
    ] {
        let refused = typed(LANS, "", line).err();
        assert_eq!(refused.as_deref(), (!is_taken).then_some("% Inconsistent address and mask"), "{line}");
    }
}

/// What could only be an address is no name of a host.
#[test]
fn a_misspelt_address_is_no_name() {
    let text = "crypto map CM 10 ipsec-isakmp\n";
    let of = |opener: &str, line: &str| typed(text, opener, line);
    for wrong in ["203.0.113.300", "203.0.113", "203.0.113.7.9", "2030113"] {
        let entry = of("crypto map CM 10 ipsec-isakmp", &format!("set peer {wrong}"));
        assert_eq!(entry, Err(format!("^{wrong}")), "{wrong}");
        let key = of("", &format!("crypto isakmp key SECRET hostname {wrong}"));
        assert_eq!(key, Err(format!("^{wrong}")), "{wrong}");
    }
    assert!(of("crypto map CM 10 ipsec-isakmp", "set peer branch7.example.org").is_ok());
    assert!(of("", "crypto isakmp key SECRET hostname 7branch.example.org").is_ok());
}

#[test]
fn a_route_by_the_router_itself_is_refused_as_ios_does() {
    for (hop, is_taken) in [
        ("10.1.1.1", false),
        ("FastEthernet0/0 10.1.1.1", false),
        ("10.1.1.9", true),
        ("FastEthernet0/0 10.1.1.9", true),
        ("10.1.1.9 200 name 10.1.1.1", true),
    ] {
        let line = format!("ip route 10.88.0.0 255.255.0.0 {hop}");
        let refused = typed(LANS, "", &line).err();
        let says = "% Invalid next hop address (it's this router)";
        assert_eq!(refused.as_deref(), (!is_taken).then_some(says), "{line}");
        let told = parse(&format!("{LANS}{line}\n")).diagnostics;
        assert_eq!(told.iter().any(|one| one.message.contains("itself")), !is_taken, "{line}: {told:?}");
    }
}

/// What is meant for a mode, with a slip, is no global command that takes any words.
#[test]
fn a_slip_leaves_no_mode() {
    let text = "interface FastEthernet0/0\n ip mtu 1400\n";
    for (line, caret) in [
        (" ip tcp adjus-mss 1360", "^adjus-mss 1360"),
        (" ip polcy route-map P", "^polcy route-map P"),
        (" ip acess-group A in", "^acess-group A in"),
        (" ip nat ouside", "^ouside"),
    ] {
        let mut console = Console::at(text);
        assert!(console.line("interface FastEthernet0/0"));
        assert_eq!(typed(text, "interface FastEthernet0/0", line), Err(caret.to_string()));
        console.position = console.position.after_refused(line);
        assert!(console.line(" ip mtu 1300"), "{line}");
        assert_eq!(console.text, text.replace("1400", "1300"), "{line}");
    }
    // what is global is entered there, as on IOS
    let global = typed(text, "interface FastEthernet0/0", "ip tcp synwait-time 10").unwrap();
    assert!(global.contains("\nip tcp synwait-time 10\n") || global.starts_with("ip tcp"), "{global}");
    let rule = "ip nat inside source list 1 interface FastEthernet0/0 overload\n";
    let told = parse(&format!("{rule}interface FastEthernet0/0\n ip nat ouside\n")).diagnostics;
    assert!(told.iter().any(|told| told.message.contains("did you mean `ip nat outside`?")), "{told:?}");
}

#[test]
fn a_wildcard_in_the_place_of_a_mask_is_refused_with_the_mask() {
    for (opener, line) in [
        ("", "ip route 10.2.0.0 0.0.255.255 10.1.1.9"),
        ("object-group network G", "10.2.0.0 0.0.255.255"),
        ("", "ip nat pool P 10.2.0.1 10.2.0.9 netmask 0.0.255.255"),
        ("", "ip nat inside source static network 10.2.0.0 10.3.0.0 0.0.255.255"),
    ] {
        let refused = typed(LANS, opener, line).unwrap_err();
        assert!(refused.ends_with("a network mask belongs here: 255.255.0.0"), "{line}: {refused}");
    }
}

#[test]
fn a_removal_of_a_filter_needs_its_direction() {
    let text = "interface FastEthernet0/0\n ip access-group A out\n";
    let opener = "interface FastEthernet0/0";
    assert_eq!(typed(text, opener, "no ip access-group A").unwrap_err(), "% Incomplete");
    assert_eq!(typed(text, opener, "no ip access-group A out").unwrap(), "interface FastEthernet0/0\n");
}

#[test]
fn a_static_translation_that_contradicts_another_is_refused_as_ios_does() {
    let text = "ip nat inside source static 10.1.0.9 203.0.113.3\n\
                ip nat inside source static tcp 10.1.0.5 80 203.0.113.4 80\n";
    let host = Some("% similar static entry (10.1.0.9 -> 203.0.113.3) already exists");
    let port = Some("% similar static entry (10.1.0.5:80 -> 203.0.113.4:80) already exists");
    let sided = format!("{text}interface FastEthernet0/1\n ip nat inside\n");
    for (line, refused) in [
        ("10.1.0.10 203.0.113.3", host),
        ("10.1.0.9 203.0.113.8", host),
        ("10.1.0.9 203.0.113.8 extendable", None),
        ("10.1.0.9 203.0.113.3", None),
        ("10.1.0.9 203.0.113.3 extendable", None),
        ("10.1.0.9 203.0.113.33", host),
        ("tcp 10.1.0.6 80 203.0.113.4 80", port),
        ("tcp 10.1.0.6 80 203.0.113.4 81", None),
        ("udp 10.1.0.6 80 203.0.113.4 80", None),
    ] {
        for text in [text, &sided] {
            let done = typed(text, "", &format!("ip nat inside source static {line}"));
            assert_eq!(done.err().as_deref(), refused, "{line}");
        }
    }
    let gone = typed(text, "", "no ip nat inside source static 10.1.0.77 203.0.113.3");
    assert_eq!(gone.unwrap_err(), "% Translation not found");
    let gone = typed(text, "", "no ip nat inside source static 10.1.0.9 203.0.113.3").unwrap();
    assert!(!gone.contains("10.1.0.9"), "{gone}");
    // what the model does not hold is removed as well
    for line in [
        "ip nat inside source static esp 10.1.1.5 interface FastEthernet0/0",
        "ip nat inside source static 10.1.1.5 203.0.113.9 vrf G",
    ] {
        let gone = typed(&format!("{text}{line}\n"), "", &format!("no {line}")).unwrap();
        assert_eq!(gone, text, "{line}");
    }
}

/// The caret is under the word that is wrong, whatever else is said of the line.
#[test]
fn a_caret_is_under_the_wrong_word() {
    let text = "hostname A\nip access-list extended X\n permit ip any any\ninterface FastEthernet0/0\n ip access-group X in\n\
                 ip nat inside\ninterface FastEthernet0/1\n ip nat outside\nroute-map R permit 10\n";
    let list = "ip access-list extended X";
    for (opener, line, caret) in [
        (list, "10 permit tcp any any", "% Duplicate sequence number"),
        (list, "permit tcp any any eq htps", "^htps"),
        (list, "permit tcp any host 300.1.1.1", "^300.1.1.1"),
        (list, "permit ip 300.1.1.1 0.0.0.255 any", "^300.1.1.1 0.0.0.255 any"),
        ("ip access-list standard S", "permit ip any any", "^ip any any"),
        ("ip access-list standard S", "20 permit tcp any any", "^tcp any any"),
        ("", "access-list 99 permit ip any any", "^ip any any"),
        ("", "access-list 1300 deny udp 10.1.1.0 0.0.0.255 any", "^udp 10.1.1.0 0.0.0.255 any"),
        (
            "",
            "ip nat insde source list 10 interface FastEthernet0/0",
            "^insde source list 10 interface FastEthernet0/0",
        ),
        (
            "",
            "ip nat inside sorce list 10 interface FastEthernet0/0",
            "^sorce list 10 interface FastEthernet0/0",
        ),
        ("", "ip nat inside source lst 10 interface FastEthernet0/0", "^lst 10 interface FastEthernet0/0"),
        ("", "ip nat inside source list 10 intrface FastEthernet0/0", "^intrface FastEthernet0/0"),
        ("", "ip nat inside source list 10 interface FastEthernet0/0 overlod", "^overlod"),
        ("", "ip nat inside source list 10", "% Incomplete"),
        ("", "ip nat inside source static 10.1.0.9 300.0.113.3", "^300.0.113.3"),
        (
            "",
            "ip nat pol P 10.1.1.1 10.1.1.2 netmask 255.255.255.0",
            "^pol P 10.1.1.1 10.1.1.2 netmask 255.255.255.0",
        ),
        ("interface FastEthernet0/0", "ip nat insde", "^insde"),
        ("route-map R permit 10", "match ip adress 1", "^adress 1"),
        ("route-map R permit 10", "set ip next-hop 300.1.1.1", "^300.1.1.1"),
        ("route-map R permit 10", "match ip address", "% Incomplete"),
    ] {
        assert_eq!(typed(text, opener, line).err().as_deref(), Some(caret), "{opener}: {line}");
    }
    // a host may be called as it likes, and routing's lines are kept
    for (opener, line) in [
        ("", "access-list 99 permit tcp"),
        ("", "access-list 99 permit ip log"),
        ("", "access-list 99 permit host ip"),
        ("route-map R permit 10", "match tag 5"),
        ("route-map R permit 10", "set metric 5"),
        ("", "ip nat log translations syslog"),
        ("", "no ip nat bogus"),
    ] {
        assert!(typed(text, opener, line).is_ok(), "{line}: {:?}", typed(text, opener, line));
    }
}

/// The reason names what is wrong, and what was meant.
#[test]
fn a_reason_says_what_is_wrong_and_what_was_meant() {
    for (text, says) in [
        ("access-list 101 permit tcp any any eq htps\n", "a port (did you mean 443, https?)"),
        ("access-list 101 permit tcp any any eq https\n", "a port (did you mean 443, https?)"),
        ("access-list 101 permit tcp any any eq telent\n", "a port (did you mean telnet?)"),
        ("access-list 99 permit ip any any\n", "a standard list has no protocol"),
        ("ip access-list standard S\n permit tcp any any\n", "a standard list has no protocol"),
        ("interface FastEthernet0/0\n ip address 300.1.1.1 255.255.255.0\n", "at most 255"),
        ("access-list 101 permit ip 10.1.1.0 0.0.0.256 any\n", "at most 255"),
        ("ip nat insde source list 1 interface FastEthernet0/0\n", "did you mean `ip nat inside source"),
    ] {
        let told = parse(&format!("{text}interface FastEthernet0/1\n ip nat inside\n")).diagnostics;
        assert!(told.iter().any(|told| told.message.contains(says)), "{text}: {told:?}");
    }
}

/// What IOS limits by number needs the number, and `no` does not.
#[test]
fn limits_of_a_group_need_a_value_and_their_removal_none() {
    let group = "crypto isakmp client configuration group G";
    let with = |lines: &str| format!("{group}\n key k\n{lines}");
    for word in ["max-logins", "max-users", "access-restrict"] {
        assert_eq!(typed(&with(""), group, word).unwrap_err(), "% Incomplete", "{word}");
        let line = format!(" {word} 5\n");
        assert_eq!(typed(&with(&line), group, &format!("no {word}")).unwrap(), with(""), "{word}");
        assert_eq!(typed(&with(""), group, &format!("no {word}")).unwrap(), with(""), "{word}");
        let taken = parse(&with(&format!("{line} no {word}\n")));
        assert!(hubward_config::unenforced(&taken).is_empty(), "{word}");
    }
}

/// What restricts or protects goes only by its own name, and only one line of it is written down.
#[test]
fn a_name_is_removed_by_itself_and_replaced_by_another() {
    let vty = "line vty 0 4\n access-class A in\nline vty 5 15\n access-class A in\n";
    let port = "interface FastEthernet0/0\n ip policy route-map P\n crypto map M\n";
    let interface = "interface FastEthernet0/0";
    let local = "ip local policy route-map L\n";
    let map = "crypto map M 10 ipsec-isakmp\n match address V\n set isakmp-profile P\n";
    let client = "crypto map M client authentication list L\n";
    let profile = "crypto isakmp profile P\n client authentication list L\n isakmp authorization list N\n";
    let group = "crypto isakmp client configuration group G\n acl 101\n pool P\n";
    let route = "ip route 10.0.0.0 255.0.0.0 10.1.1.1\n";
    for (text, opener, line) in [
        (vty, "line vty 0 4", "no access-class B in"),
        (vty, "line vty 5 15", "no access-class B in"),
        (vty, "line vty 5 15", "default access-class B in"),
        (vty, "line vty 0 4", "no access-class B out"),
        (port, interface, "no ip policy route-map WRONG"),
        (port, interface, "no crypto map WRONG"),
        (port, interface, "default crypto map WRONG"),
        (local, "", "no ip local policy route-map WRONG"),
        (map, "crypto map M 10", "no match address W"),
        (map, "crypto map M 10", "no set isakmp-profile W"),
        (client, "", "no crypto map M client authentication list W"),
        (profile, "crypto isakmp profile P", "no client authentication list W"),
        (profile, "crypto isakmp profile P", "no isakmp authorization list W"),
        (group, "crypto isakmp client configuration group G", "no acl 102"),
        (group, "crypto isakmp client configuration group G", "no pool Q"),
        (route, "", "no ip route 10.0.0.0 255.0.0.0 10.1.1.2"),
        (local, "", "no ip route 10.0.0.0 255.0.0.0 10.1.1.2"),
    ] {
        assert_eq!(typed(text, opener, line).as_deref(), Ok(text), "{opener}: {line}");
    }
    for (line, first) in [
        ("no access-class A in", ""),
        ("default access-class A in", ""),
        ("access-class B in", " access-class B in\n"),
        ("access-class B in vrf-also", " access-class B in vrf-also\n"),
        ("access-class A out", " access-class A in\n access-class A out\n"),
    ] {
        for opener in ["line vty 0 4", "line vty 5 15"] {
            let own = format!("{opener}\n");
            let wanted = vty.replace(&format!("{own} access-class A in\n"), &format!("{own}{first}"));
            assert_eq!(typed(vty, opener, line), Ok(wanted), "{opener}: {line}");
        }
    }
    assert_eq!(typed(port, interface, "no crypto map M"), Ok(port.replace(" crypto map M\n", "")));
}
