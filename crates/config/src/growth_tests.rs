//! A file of one kind of line is read in proportion to its length, whatever the line.

use crate::automaton::{Kind, Token};
use crate::command::In;
use crate::command::table::commands;
use crate::{parse, unenforced, verdict::verdicts};

/// Lines of the short text.
const FEW: usize = 60;
/// How much longer the long one may take, where it is 8 times as long: what is done for each pair
/// of lines would take 64 times as long.
const RATIO: u64 = 20;
/// Microseconds below which nothing is compared.
const FLOOR: u64 = 3000;
/// Measurements before one counts as wrong: other programs disturb the caches.
const TRIES: usize = 3;

/// Lines of the short text and of the long one. After a change of the reader, `HUBWARD_LINES=500`
/// shows also what is slow for each pair of lines only a little; it takes minutes.
fn lines() -> [usize; 2] {
    let few = std::env::var("HUBWARD_LINES").ok().and_then(|few| few.parse().ok()).unwrap_or(FEW);
    [few, 8 * few]
}

/// Time of the processor that this thread has taken, in microseconds.
fn taken() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("times of the scheduler");
    text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).expect("nanoseconds") / 1000
}

fn cost(text: &str) -> u64 {
    let before = taken();
    let parsed = parse(text);
    let (verdicts, open) = (verdicts(&parsed).len(), unenforced(&parsed).len());
    let lines = parsed.document.lines.len();
    assert!(parsed.diagnostics.len() <= 6 * lines + 10, "{} remarks", parsed.diagnostics.len());
    assert!(verdicts <= 2 * lines + 10 && open <= lines, "{verdicts} verdicts, {open} lines that stop");
    taken() - before
}

/// What is wrong with the growth of a text of so many lines, if it is.
fn growth(lines: [usize; 2], make: &dyn Fn(usize) -> String) -> Option<String> {
    let mut found = None;
    for _ in 0..TRIES {
        let [short, long] = lines.map(|lines| cost(&make(lines)));
        if long <= RATIO * short.max(FLOOR) {
            return None;
        }
        found = Some(format!("{short} µs for {} lines, {long} µs for {}", lines[0], lines[1]));
    }
    found
}

fn address(number: usize) -> String {
    format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255)
}

/// A token of a line; of many lines each has another.
fn word(token: &Token, number: usize) -> String {
    match token {
        Token::Keyword(keyword) => (*keyword).to_string(),
        Token::Argument(Kind::Number(first, last), _) => {
            (first + number as u64 % (last - first + 1)).to_string()
        }
        Token::Argument(Kind::Address, name) if name.contains("wildcard") => "0.0.0.255".into(),
        Token::Argument(Kind::Address, name) if name.contains("mask") => "255.255.255.255".into(),
        Token::Argument(Kind::Address, _) => address(number),
        Token::Argument(Kind::PrefixLength, _) => "/32".into(),
        Token::Argument(Kind::Prefix, _) => format!("{}/32", address(number)),
        Token::Argument(Kind::Interface, _) => format!("Loopback{number}"),
        Token::Argument(Kind::Unit, _) => String::new(),
        Token::Argument(Kind::Line, "members") => format!("Loopback{number} , Vlan{number}"),
        Token::Argument(Kind::Line, name) => format!("{name}{number}"),
        Token::Argument(Kind::Word, name) if name.contains("time") => {
            format!("{}:{:02}", number / 60 % 24, number % 60)
        }
        Token::Argument(Kind::Word, "hash") => format!("{number:032X}"),
        Token::Argument(Kind::Word | Kind::Host, name) => format!("{name}{number}"),
    }
}

fn line(tokens: &[Token], number: usize) -> String {
    tokens.iter().map(|token| word(token, number)).collect::<Vec<_>>().join(" ")
}

/// A line that opens a mode.
fn opener(mode: In, number: usize) -> String {
    match mode {
        In::Global => String::new(),
        In::Interface => format!("interface FastEthernet0/{number}\n"),
        In::IsakmpPolicy => format!("crypto isakmp policy {}\n", number % 10_000 + 1),
        In::Keyring => format!("crypto keyring K{number}\n"),
        In::Profile => format!("crypto isakmp profile P{number}\n"),
        In::Group => format!("crypto isakmp client configuration group G{number}\n"),
        In::TransformSet => format!("crypto ipsec transform-set T{number} esp-aes esp-sha-hmac\n"),
        In::CryptoMap => format!("crypto map M {} ipsec-isakmp\n", number % 65_535 + 1),
        In::DynamicMap => format!("crypto dynamic-map D {}\n", number % 65_535 + 1),
        In::Acl => format!("ip access-list extended A{number}\n"),
        In::StandardAcl => format!("ip access-list standard S{number}\n"),
        In::Ipv6Acl => format!("ipv6 access-list X{number}\n"),
        In::NetworkGroup => format!("object-group network N{number}\n"),
        In::ServiceGroup => format!("object-group service V{number}\n"),
        In::TimeRange => format!("time-range R{number}\n"),
        In::DhcpPool => format!("ip dhcp pool H{number}\n"),
        In::Line => format!("line vty 5 {}\n", number % 60_000 + 5),
        In::PubkeyChain => "ip ssh pubkey-chain\n".into(),
        In::PubkeyUser => format!("ip ssh pubkey-chain\n username u{number}\n"),
        In::NatPool => format!("ip nat pool N{number} prefix-length 8\n"),
        In::RouteMap => format!("route-map M{number} permit {}\n", number % 65_535),
        In::Archive => "archive\n".into(),
        In::ArchiveLog => "archive\n log config\n".into(),
    }
}

/// Every form of every mode, with as little and with as much as it takes: many lines in one mode;
/// and each in a mode of its own, taken away again, and with a mistake.
fn forms(lines: [usize; 2]) {
    let mut wrong = Vec::new();
    for mode in In::ALL {
        let commands = commands(mode);
        for (row, form) in commands.rows.iter().zip(&commands.forms) {
            let shapes = form.lines();
            // what has no fold is one kind of line to the reader
            let many = if row.action.folds() { shapes.len().min(2) } else { 0 };
            // the one with as much as it takes is enough for every run
            let skipped = if lines[0] == FEW { many.saturating_sub(1) } else { 0 };
            for tokens in shapes.iter().take(many).skip(skipped) {
                let together = |count: usize| {
                    let lines = (0..count).map(|number| format!(" {}\n", line(tokens, number)));
                    opener(mode, 0) + &lines.collect::<String>()
                };
                let apart = |count: usize| {
                    let lines = (0..count / 4).map(|number| {
                        let (opener, line) = (opener(mode, number), line(tokens, number));
                        format!("{opener} {line}\n no {line}\n {line} bogus #\n {line}\n")
                    });
                    lines.collect()
                };
                let known = wrong.len();
                wrong.extend(
                    growth(lines, &together).map(|why| format!("{mode:?}: {}: {why}", line(tokens, 0))),
                );
                if wrong.len() == known {
                    wrong.extend(
                        growth(lines, &apart)
                            .map(|why| format!("{mode:?}: {}, apart: {why}", line(tokens, 0))),
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Lines without a fold of their own, all of a mode in turn.
fn fates(lines: [usize; 2]) {
    for mode in In::ALL {
        let commands = commands(mode);
        let without = commands.rows.iter().zip(&commands.forms).filter(|(row, _)| !row.action.folds());
        let without: Vec<_> = without.map(|(_, form)| form.shortest()).collect();
        if without.is_empty() {
            continue;
        }
        for apart in [false, true] {
            let make = |count: usize| {
                let mut text = opener(mode, 0);
                for number in 0..count {
                    if apart && number % 4 == 0 {
                        text.push_str(&opener(mode, number));
                    }
                    text.push_str(&format!(
                        " {} x{number}\n",
                        line(&without[number % without.len()], number)
                    ));
                }
                text
            };
            assert_eq!(growth(lines, &make), None, "{mode:?}");
        }
    }
}

/// Kinds of files: what is before the lines, and the lines.
fn files(lines: [usize; 2]) {
    type Lines = fn(usize) -> String;
    let kinds: Vec<(&str, &str, Lines)> = vec![
        ("acl", "", |i| format!("access-list 101 permit ip host {} any\n", address(i))),
        ("acl desc", "ip access-list extended A\n", |i| {
            format!(" {} permit ip host {} any\n", 100000 - i, address(i))
        }),
        ("acls", "", |i| format!("ip access-list extended A{i}\n permit ip host {} any\n", address(i))),
        ("bad acl", "", |i| format!("access-list 101 permit bogus host {} any\n", address(i))),
        ("bad acl named", "ip access-list extended A\n", |i| {
            format!(" permit bogus host {} any\n", address(i))
        }),
        ("bad acl numbered", "ip access-list extended A\n", |i| {
            format!(" {} permit bogus host {} any\n", i + 1, address(i))
        }),
        ("acl remark", "ip access-list extended A\n", |i| format!(" remark x{i}\n")),
        ("acl groups", "ip access-list extended A\n", |i| {
            format!(" permit object-group S{i} object-group G{i} any\n")
        }),
        ("groups", "", |i| {
            format!("object-group network G{i}\n host {}\n group-object G{}\n", address(i), i + 1)
        }),
        (
            "group acl",
            "ip access-list extended A\n permit ip object-group G any\nobject-group network G\n",
            |i| format!(" host {}\n", address(i)),
        ),
        ("nested", "", |i| {
            format!(
                "object-group network G{i}\n host {}\n group-object G{}\nip access-list extended A\n permit ip object-group G{i} any\n",
                address(i),
                i + 1
            )
        }),
        ("interfaces", "", |i| {
            format!("interface Loopback{i}\n ip address {} 255.255.255.255\n", address(i))
        }),
        ("interfaces map", "", |i| {
            format!(
                "interface FastEthernet0/{i}\n ip address {} 255.255.255.255\n crypto map M{i}\n",
                address(i)
            )
        }),
        ("tunnels", "", |i| {
            format!(
                "interface Tunnel{i}\n ip address {} 255.255.255.255\nip route {} 255.255.255.255 Tunnel{i}\n",
                address(i),
                address(i + 100000)
            )
        }),
        ("subif", "", |i| {
            format!(
                "interface FastEthernet0/0.{i}\n encapsulation dot1q {}\n ip address {} 255.255.255.255\n",
                i % 4000 + 1,
                address(i)
            )
        }),
        ("secondary", "interface FastEthernet0/0\n", |i| {
            format!(" ip address {} 255.255.255.255 secondary\n", address(i))
        }),
        ("routes", "", |i| format!("ip route {} 255.255.255.255 10.9.9.{}\n", address(i), i % 200)),
        ("routes if", "", |i| format!("ip route {} 255.255.255.255 Tunnel7\n", address(i))),
        ("routes if many", "", |i| format!("ip route {} 255.255.255.255 Vlan{i}\n", address(i))),
        ("routes null", "", |i| format!("ip route {} 255.255.255.255 Null0\n", address(i))),
        ("bad routes", "", |i| format!("ip route {} 255.255.255.255 Tunnel7 bogus\n", address(i))),
        ("bad routes2", "", |i| format!("ip route {} 255.0.255.255 10.1.1.1\n", address(i))),
        ("same dest routes", "", |i| format!("ip route 10.0.0.0 255.0.0.0 {}\n", address(i))),
        ("maps", "", |i| {
            format!(
                "crypto map M {} ipsec-isakmp\n set peer {}\n set transform-set T\n match address A{i}\n",
                i % 65535 + 1,
                address(i)
            )
        }),
        (
            "maps one acl",
            "ip access-list extended A\n permit ip any host 10.2.2.2\ninterface FastEthernet0/0\n ip address 10.3.3.3 255.255.255.0\n crypto map M\n",
            |i| {
                format!(
                    "crypto map M {} ipsec-isakmp\n set peer {}\n set transform-set T\n match address A\ncrypto isakmp key x address {}\n",
                    i % 65535 + 1,
                    address(i),
                    address(i)
                )
            },
        ),
        (
            "maps full",
            "crypto ipsec transform-set T esp-aes esp-sha-hmac\ncrypto isakmp policy 10\n authentication pre-share\ninterface FastEthernet0/0\n ip address 10.3.3.3 255.255.255.0\n crypto map M\n",
            |i| {
                format!(
                    "ip access-list extended A{i}\n permit ip host 10.4.4.4 host {}\ncrypto map M {} ipsec-isakmp\n set peer {}\n set transform-set T\n match address A{i}\ncrypto isakmp key x address {}\nip route {} 255.255.255.255 10.3.3.9\n",
                    address(i + 1000000),
                    i % 65535 + 1,
                    address(i),
                    address(i),
                    address(i + 1000000)
                )
            },
        ),
        ("many maps", "", |i| {
            format!("crypto map M{i} 10 ipsec-isakmp\n set peer {}\n match address A\n", address(i))
        }),
        ("dynmaps", "", |i| {
            format!(
                "crypto dynamic-map D{i} 10\n set transform-set T\ncrypto map M {} ipsec-isakmp dynamic D{i}\n",
                i % 65535 + 1
            )
        }),
        (
            "clients",
            "aaa new-model\naaa authentication login L local\naaa authorization network L local\ncrypto isakmp policy 10\n authentication pre-share\ncrypto ipsec transform-set T esp-aes esp-sha-hmac\n",
            |i| {
                format!(
                    "crypto isakmp client configuration group G{i}\ncrypto isakmp profile P{i}\n match identity group G{i}\n isakmp authorization list L\n client authentication list L\ncrypto dynamic-map D{i} 10\n set isakmp-profile P{i}\n set transform-set T\ncrypto map M {} ipsec-isakmp dynamic D{i}\n",
                    i % 65535 + 1
                )
            },
        ),
        ("groups of maps", "aaa new-model\n", |i| {
            format!(
                "crypto isakmp client configuration group G{i}\ncrypto map M{i} isakmp authorization list L\n"
            )
        }),
        (
            "maps without keys",
            "crypto isakmp policy 10\n authentication pre-share\ncrypto map M 65535 ipsec-isakmp dynamic D\n",
            |i| format!("crypto map M {} ipsec-isakmp\n set peer {}\n", i % 65534 + 1, address(i)),
        ),
        ("dynmap entries", "crypto map M 10 ipsec-isakmp dynamic D\n", |i| {
            format!("crypto dynamic-map D {}\n set transform-set T{i}\n", i % 65535 + 1)
        }),
        ("peers", "crypto map M 10 ipsec-isakmp\n", |i| format!(" set peer {}\n", address(i))),
        ("users", "", |i| format!("username u{i} secret 0 x\n")),
        ("keys", "", |i| format!("crypto isakmp key k{i} address {}\n", address(i))),
        ("keyrings", "", |i| format!("crypto keyring K{i}\n pre-shared-key address {} key x\n", address(i))),
        ("keyrings same", "", |i| format!("crypto keyring K{i}\n pre-shared-key address 0.0.0.0 key x\n")),
        ("profiles", "", |i| format!("crypto isakmp profile P{i}\n match identity group g{i}\n keyring K\n")),
        ("profiles vrf", "", |i| {
            format!("crypto isakmp profile P{i}\n match identity address {}\n vrf V\n", address(i))
        }),
        ("clientgroups", "", |i| {
            format!("crypto isakmp client configuration group G{i}\n key x\n pool P{i}\n acl A{i}\n")
        }),
        ("pools", "", |i| format!("ip local pool P{i} {}\n", address(i))),
        ("dhcp", "", |i| {
            format!(
                "ip dhcp pool P{i}\n network {} 255.255.255.255\nip dhcp excluded-address {}\n",
                address(i),
                address(i)
            )
        }),
        ("policies", "", |i| format!("crypto isakmp policy {}\n encr aes\n", i % 10000 + 1)),
        ("ts", "", |i| format!("crypto ipsec transform-set T{i} esp-aes esp-sha-hmac\n")),
        ("aaa", "", |i| format!("aaa authentication login L{i} group radius\n")),
        ("aaa2", "", |i| format!("aaa authorization exec L{i} group radius\n")),
        ("lines", "", |i| {
            format!(
                "line vty {} {}\n access-class A in\n login authentication L{i}\n authorization exec L{i}\n",
                i % 100,
                i % 60000 + 100
            )
        }),
        ("routemaps", "", |i| format!("route-map R{i} permit 10\n set vrf X\n match ip address 101\n")),
        ("unknown", "", |i| format!("frobnicate {i}\n")),
        ("unknown below", "interface FastEthernet0/0\n", |i| format!(" frobnicate {i}\n")),
        ("unknown heads", "", |i| format!("frobnicate {i}\n set peer 10.0.0.1\n")),
        ("crypto unknown", "", |i| format!("crypto frob {i}\n")),
        ("telling", "", |i| format!("set peer {}\n", address(i))),
        ("telling2", "", |i| format!("hostname a\n match address A{i}\n")),
        ("no unknown", "", |i| format!("no frobnicate {i}\n")),
        ("no acl", "", |i| format!("no access-list {}\n", i % 99 + 1)),
        ("no route", "", |i| format!("no ip route {} 255.255.255.255 10.9.9.9\n", address(i))),
        ("ifs no", "", |i| format!("interface Loopback{i}\nno interface Loopback{}\n", i / 2)),
        ("access-group", "", |i| format!("interface FastEthernet0/{i}\n ip access-group 101 in\n")),
        ("access-group one", "interface FastEthernet0/0\n", |i| format!(" ip access-group {i} in\n")),
        ("no access-group one", "interface FastEthernet0/0\n", |i| {
            format!(" ip access-group {i} in\n no ip access-group {} in\n", i / 2)
        }),
        ("ipv6", "interface FastEthernet0/0\n ip access-group 1 in\n", |i| {
            format!(" ipv6 address 2001:db8::{:x}/64\n", i % 65536)
        }),
        ("nat", "interface FastEthernet0/0\n ip nat outside\n crypto map M\n", |i| {
            format!("ip nat inside source static {} {}\n", address(i), address(i + 100000))
        }),
        (
            "natmaps",
            "interface FastEthernet0/0\n ip nat outside\n ip address 10.3.3.3 255.0.0.0\n crypto map M\n",
            |i| {
                format!(
                    "ip nat inside source static {} {}\nip access-list extended A{i}\n permit ip host 11.1.1.1 host {}\ncrypto map M {} ipsec-isakmp\n match address A{i}\n",
                    address(i),
                    address(i + 100000),
                    address(i),
                    i % 65535 + 1
                )
            },
        ),
        ("control-plane", "control-plane\n", |i| format!(" service-policy input P{i}\n")),
        ("banner", "banner motd ^C\n", |i| format!("line {i}\n")),
        ("banners", "", |i| format!("banner motd ^C line {i} ^C\n")),
        ("configure", "hostname a\n", |_| "configure terminal\n".into()),
        ("prompts", "", |i| format!("R1(config)#frobnicate {i}\n")),
        ("end", "hostname a\nend\n", |i| format!("interface Tunnel{i}\n")),
        ("comments", "", |_| "!\n".into()),
        ("deep comments", "", |i| format!("{}! x\n", " ".repeat(i % 100))),
        ("deep", "", |i| format!("{}frobnicate\n", " ".repeat(i % 100))),
        ("deep2", "", |i| format!("{}ip nat inside\n", " ".repeat(i % 100))),
        ("deep3", "", |i| format!("{}class-map C{i}\n", " ".repeat(i % 100))),
        ("certificate", "", |_| "certificate 01\n".into()),
        ("do", "", |i| format!("do show {i}\n")),
        ("vpdn", "", |i| {
            format!(
                "vpdn-group V{i}\n request-dialin\n  protocol l2tp\ninterface Virtual-Template{i}\n ip unnumbered Loopback0\n"
            )
        }),
        ("peer agg", "", |i| {
            format!("crypto isakmp peer address {}\n set aggressive-mode password x\n", address(i))
        }),
        ("macsec", "", |i| format!("interface FastEthernet0/{i}\n macsec\n")),
        ("ipsec profile", "", |i| format!("crypto ipsec profile P{i}\n set transform-set T\n")),
        ("ikev2", "", |i| {
            format!("crypto ikev2 profile P{i}\n match identity remote any\n virtual-template {i}\n")
        }),
        ("range", "", |i| {
            format!("interface range Loopback{i} , Loopback{}\n ip address 10.0.0.1 255.0.0.0\n", i + 1)
        }),
        ("sdwan", "sdwan\n", |i| {
            format!(" interface FastEthernet0/{i}\n  tunnel-interface\n   encapsulation ipsec\n")
        }),
        (
            "xconnect",
            "crypto map M 10\n match address A\nip access-list extended A\n permit ip any any\ninterface FastEthernet0/0\n crypto map M\n",
            |i| format!("interface FastEthernet1/{i}\n xconnect 10.0.0.1 {i} encapsulation mpls\n"),
        ),
        ("webvpn", "", |i| {
            format!("webvpn context C{i}\n svc address-pool P{i}\nip local pool P{i} {}\n", address(i))
        }),
        ("ipv6 acl", "ipv6 access-list X\n", |i| {
            format!(" permit ipv6 host 2001:db8::{:x} any\n", i % 65536)
        }),
        ("time", "time-range T\n", |i| format!(" periodic daily {}:{:02} to 23:59\n", i % 1440 / 60, i % 60)),
        ("ssh", "ip ssh pubkey-chain\n", |i| format!(" username u{i}\n  key-hash ssh-rsa {:032X} x\n", i)),
    ];
    let mut wrong = Vec::new();
    for (name, head, line) in kinds {
        let make = |count: usize| {
            let each = line(0).lines().count();
            head.to_string() + &(0..count / each).map(line).collect::<String>()
        };
        wrong.extend(growth(lines, &make).map(|why| format!("{name}: {why}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_form_is_read_in_proportion_to_its_lines() {
    forms(lines());
}

#[test]
fn lines_without_a_fold_are_read_in_proportion() {
    fates(lines());
}

#[test]
fn files_of_one_kind_are_read_in_proportion() {
    files(lines());
}
