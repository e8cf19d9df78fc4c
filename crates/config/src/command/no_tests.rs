//! Every command that changes the model, and what `no` and `default` make of it.

use super::*;
use crate::automaton::{Kind, Token};
use crate::command::No;
use crate::document::Class;
use crate::edit::{Position, enter};
use crate::model::Config;
use crate::parse::read;
use crate::parsed::Numbers;

/// A line that opens a mode, with the lines around it.
fn opened(mode: In) -> &'static str {
    match mode {
        In::Global => "",
        In::Interface => "interface FastEthernet0/0\n",
        In::IsakmpPolicy => "crypto isakmp policy 10\n",
        In::Keyring => "crypto keyring k\n",
        In::Profile => "crypto isakmp profile p\n",
        In::Group => "crypto isakmp client configuration group g\n",
        In::TransformSet => "crypto ipsec transform-set t esp-aes esp-sha-hmac\n",
        In::CryptoMap => "crypto map m 10 ipsec-isakmp\n",
        In::DynamicMap => "crypto dynamic-map d 10\n",
        In::Acl => "ip access-list extended a\n",
        In::StandardAcl => "ip access-list standard a\n",
        In::Ipv6Acl => "ipv6 access-list a\n",
        In::NetworkGroup => "object-group network o\n",
        In::ServiceGroup => "object-group service o\n",
        In::TimeRange => "time-range r\n",
        In::DhcpPool => "ip dhcp pool d\n",
        In::Line => "line vty 0 4\n",
        In::PubkeyChain => "ip ssh pubkey-chain\n",
        In::PubkeyUser => "ip ssh pubkey-chain\n username u\n",
        In::NatPool => "ip nat pool n netmask 255.255.255.0\n",
        In::RouteMap => "route-map m permit 10\n",
        In::Archive => "archive\n",
        In::ArchiveLog => "archive\n log config\n",
    }
}

/// An argument that its command takes.
fn sample(token: &Token) -> String {
    let text = match token {
        Token::Keyword(keyword) => *keyword,
        Token::Argument(_, "mask") => "255.255.255.0",
        Token::Argument(_, "wildcard") => "0.0.0.255",
        Token::Argument(_, "hash") => "0123456789abcdef0123456789abcdef",
        Token::Argument(_, "hardware") => "0050.5600.0001",
        Token::Argument(_, "identifier") => "0100.5056.0000.01",
        // what is a word to the form and has names of its own
        Token::Argument(Kind::Word, "icmp-name") => "echo",
        Token::Argument(Kind::Word, "length") => "/24",
        Token::Argument(Kind::Word, "start-month" | "end-month") => "January",
        Token::Argument(Kind::Word, "start-time") => "8:00",
        Token::Argument(Kind::Word, "end-time") => "18:00",
        Token::Argument(Kind::Word, "start-weekday" | "end-weekday") => "Friday",
        Token::Argument(Kind::Word, "start-week" | "end-week") => "last",
        Token::Argument(Kind::Word, "start-day" | "end-day") => "1",
        Token::Argument(Kind::Word, "hours-offset") => "-5",
        Token::Argument(Kind::Word, name) if name.ends_with("-last") => "9",
        Token::Argument(Kind::Word, name)
            if ["-eq", "-gt", "-lt", "-neq", "-first"].iter().any(|end| name.ends_with(end)) =>
        {
            "7"
        }
        Token::Argument(Kind::Line, "members") => "Vlan1 - 2",
        Token::Argument(Kind::Line, "text") => "#zz9#",
        Token::Argument(Kind::Line, "key") => "ssh-rsa AAAA",
        Token::Argument(Kind::Number(low, _), _) => return low.to_string(),
        Token::Argument(Kind::Address, _) => "10.0.0.1",
        Token::Argument(Kind::PrefixLength, _) => "/8",
        Token::Argument(Kind::Prefix, _) => "10.9.0.0/16",
        Token::Argument(Kind::Interface, _) => "Loopback0",
        Token::Argument(Kind::Unit, _) => "0",
        Token::Argument(Kind::Word | Kind::Host | Kind::Line, _) => "zz9",
    };
    text.to_string()
}

/// The model of lines under those that open a mode, and whether the first is taken.
fn model(mode: In, lines: &[&str]) -> (Config, bool) {
    let opened = opened(mode);
    let indentation = " ".repeat(opened.lines().count());
    // the key may be on lines of its own
    let raw = |line: &str| if line == "key-string" { "AAAA\nexit\n" } else { "" };
    let text: String = lines.iter().flat_map(|line| [&indentation, *line, "\n", raw(line)]).collect();
    let (parsed, _) = read(&format!("{opened}{text}"), Numbers::Left);
    let first = parsed.document.lines.get(opened.lines().count());
    (parsed.config, first.is_none_or(|line| line.class != Class::Unknown))
}

/// A command followed by its `no`, and by its `default`, leaves the model as it was without it.
#[test]
fn no_takes_every_command_away() {
    let (mut changed, mut lines, mut left) = (0, 0, Vec::new());
    for mode in In::ALL {
        let (without, _) = model(mode, &[]);
        for (row, form) in commands(mode).rows.iter().zip(&commands(mode).forms) {
            if !row.action.folds() {
                continue;
            }
            for (place, line) in form.lines().iter().enumerate() {
                let line = line.iter().map(sample).collect::<Vec<_>>().join(" ");
                // a number belongs to the name or stands behind it, not both
                let line = line.replace("Loopback0 0", "Loopback 0");
                let (with, is_taken) = model(mode, &[&line]);
                // one with everything may have what excludes each other
                let is_list = matches!(mode, In::Acl | In::StandardAcl | In::Ipv6Acl)
                    || row.form.starts_with("access-list ");
                if !is_taken {
                    // and a list takes the lines of its own kind only
                    assert!(place == 1 || is_list, "{mode:?}: `{line}` is refused");
                    continue;
                }
                // what is not read of a list stays a hole in it
                if is_list && line.contains("dynamic") {
                    continue;
                }
                lines += 1;
                changed += usize::from(with != without);
                let (no, default) = (format!("no {line}"), format!("default {line}"));
                let undone: &[&[&str]] = match row.no {
                    No::TakesAway => &[&[&line, &no], &[&line, &default]],
                    No::DefaultEmpties => &[&[&line, &no]],
                    No::IsASetting => &[&[&line, &default], &[&no, &default]],
                };
                let stays = undone.iter().filter(|lines| model(mode, lines).0 != without);
                left.extend(stays.map(|lines| format!("{mode:?}: {lines:?}")));
            }
        }
    }
    assert!(left.is_empty(), "{}", left.join("\n"));
    assert!(lines > 400 && changed > lines / 2, "{changed} of {lines}");
}

/// What `no` sets differs from what its command sets, or from neither: it is no setting without
/// cause.
#[test]
fn no_is_a_setting_where_a_command_is_on_by_default() {
    for (mode, line) in [
        (In::Global, "logging on"),
        (In::Global, "logging trap 0"),
        (In::Global, "service dhcp"),
        (In::Global, "service timestamps log uptime"),
        (In::Global, "crypto ipsec nat-transparency udp-encapsulation"),
        (In::Line, "exec"),
        (In::Line, "exec-timeout 5"),
        (In::Line, "login local"),
        (In::Line, "transport input ssh"),
    ] {
        let no = format!("no {line}");
        assert_ne!(model(mode, &[&no]).0, model(mode, &[]).0, "{mode:?}: {line}");
        assert_ne!(model(mode, &[&no]).0, model(mode, &[line]).0, "{mode:?}: {line}");
    }
}

/// After a command with a wrong value the next line still goes to its mode, whatever the global mode
/// has that begins like it.
#[test]
fn a_wrong_value_leaves_no_mode() {
    let (mut refused, mut wrong) = (0, Vec::new());
    for mode in In::ALL.into_iter().filter(|mode| *mode != In::Global) {
        for (row, form) in commands(mode).rows.iter().zip(&commands(mode).forms) {
            let line = form.shortest();
            let values = line.iter().enumerate().skip(1);
            let values = values.filter(|(_, token)| matches!(token, Token::Argument(Kind::Number(..), _)));
            for (place, _) in values.filter(|_| row.action.folds()) {
                let mut words: Vec<_> = line.iter().map(sample).collect();
                words.splice(place.., ["99999999999".to_string()]);
                let mut position = Position::default();
                for line in opened(mode).lines() {
                    position = enter("", &position, line).unwrap().position;
                }
                let typed = words.join(" ");
                if enter("", &position, &typed).is_ok() {
                    continue;
                }
                refused += 1;
                if position.after_refused(&typed).mode() != Some(mode) {
                    wrong.push(format!("{mode:?}: `{typed}`"));
                }
            }
        }
    }
    assert!(refused > 10, "{refused}");
    assert!(wrong.is_empty(), "{} of {refused}: {}", wrong.len(), wrong.join("\n"));
}
