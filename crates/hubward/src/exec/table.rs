//! The table of exec commands: what each looks like, who may give it, what it does. The forms are
//! in the language of the configuration's commands; completion comes from them too. The words' help
//! is `config/src/help.rs`, one text for each word.

use super::{
    debug, lockout, manage, ping, show_acl, show_config, show_engine, show_failures, show_guard,
    show_interface, show_ipsec, show_isakmp, show_isakmp_config, show_map, show_nat, show_objects,
    show_policy, show_pool, show_route, show_session, show_system, show_weak, why_packet,
};
use crate::exec::command::{Arguments, Caller, Context, Output};
use crate::manage::desk::{Answers, Desk, Outcome, PRIVILEGED, Refusal};
use crate::views::Views;
use hubward_config::automaton::{self, Form};
use hubward_config::form::words;
use hubward_proto::ike::io::Command;
use std::io::Write;
use std::sync::LazyLock;

/// One command.
pub(crate) struct Row {
    /// What it looks like.
    pub(crate) form: &'static str,
    /// The lowest privilege that may give it; for others it does not exist.
    pub(crate) privilege: u8,
    pub(crate) run: Run,
}

/// What a command does.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Shows something of a snapshot.
    Show(fn(&Context, &Arguments) -> Output),
    /// Does something that takes time, and prints its progress, or that depends on who gives it.
    Tell(fn(&Context, &Arguments, &mut dyn Write) -> Outcome),
    /// Does something with configurations, or ends the gateway; may ask before.
    Manage(fn(&Desk, &Arguments, &Answers<'_>) -> Result<String, Refusal>),
    /// The same for what the log names the user of.
    Configure(fn(&Desk, Caller, &Arguments, &Answers<'_>) -> Result<String, Refusal>),
    /// Forgets what was counted or logged.
    Clear(fn(&Views)),
    /// Gives the engine an order.
    Order(fn(&Arguments) -> Result<Command, Refusal>),
}

const fn show(form: &'static str, privilege: u8, show: fn(&Context, &Arguments) -> Output) -> Row {
    Row { form, privilege, run: Run::Show(show) }
}

const fn clear(form: &'static str, clear: fn(&Views)) -> Row {
    Row { form, privilege: PRIVILEGED, run: Run::Clear(clear) }
}

const fn order(form: &'static str, order: fn(&Arguments) -> Result<Command, Refusal>) -> Row {
    Row { form, privilege: PRIVILEGED, run: Run::Order(order) }
}

const fn manage(
    form: &'static str,
    manage: fn(&Desk, &Arguments, &Answers<'_>) -> Result<String, Refusal>,
) -> Row {
    Row { form, privilege: PRIVILEGED, run: Run::Manage(manage) }
}

/// Every exec command.
pub(crate) const ROWS: &[Row] = &[
    Row {
        form: "configure replace <file> [force]",
        privilege: PRIVILEGED,
        run: Run::Configure(manage::replace),
    },
    manage(
        "copy {running-config|startup-config|<running>} {running-config|startup-config|<startup>}",
        manage::copy,
    ),
    manage("debug crypto {engine|ipsec|isakmp}", debug::on),
    manage("debug crypto condition {peer ipv4 <A.B.C.D:address>|reset}", debug::on),
    manage("no debug all", debug::off),
    manage("no debug crypto {engine|ipsec|isakmp}", debug::off),
    manage("no debug crypto condition peer ipv4 <A.B.C.D:address>", debug::off),
    manage("undebug all", debug::off),
    manage("undebug crypto {engine|ipsec|isakmp}", debug::off),
    manage("undebug crypto condition peer ipv4 <A.B.C.D:address>", debug::off),
    Row {
        form: "clear aaa local user {fail-attempts|lockout} {all|username <name>}",
        privilege: PRIVILEGED,
        run: Run::Tell(lockout::clear),
    },
    manage("clear access-list counters [<name>]", show_acl::clear),
    manage("clear crypto guard [<network>]", show_guard::clear),
    manage("clear ip access-list counters [<name>]", show_acl::clear),
    manage("clear ip nat statistics", show_nat::clear_statistics),
    manage("clear ip nat translation {*|forced}", show_nat::clear),
    manage(
        "clear ip nat translation inside <A.B.C.D:inside-global> <A.B.C.D:inside-local> [outside <A.B.C.D:outside-local> <A.B.C.D:outside-global>] [forced]",
        show_nat::clear,
    ),
    manage(
        "clear ip nat translation outside <A.B.C.D:outside-local> <A.B.C.D:outside-global> [forced]",
        show_nat::clear,
    ),
    manage(
        "clear ip nat translation {tcp|udp} inside <A.B.C.D:inside-global> <0-65535:global-port> <A.B.C.D:inside-local> <0-65535:local-port> [outside <A.B.C.D:outside-local> <0-65535:outside-local-port> <A.B.C.D:outside-global> <0-65535:outside-global-port>] [forced]",
        show_nat::clear,
    ),
    manage("reload", manage::reload),
    manage("write [memory]", manage::write),
    Row {
        form: "ping [ip] <A.B.C.D:address> [df-bit|repeat <1-2147483647:count>|size <36-18024:size>|source {<A.B.C.D:source>|<IF:interface> [<UNIT:unit>]}|timeout <0-3600:seconds>]...",
        privilege: 1,
        run: Run::Tell(ping::ping),
    },
    show("show aaa local user lockout", PRIVILEGED, lockout::show),
    show("show access-lists [<name>]", 1, show_acl::lists),
    show("show archive", PRIVILEGED, show_config::archive),
    show("show archive config differences [<file> [<second>]]", PRIVILEGED, manage::differences),
    show("show arp", 1, show_route::arp),
    show("show clock", 1, show_system::clock),
    show("show crypto debug-condition", 1, debug::condition),
    show("show crypto dynamic-map [tag <name>]", 1, show_map::templates),
    show("show crypto engine brief", 1, show_engine::brief),
    show("show crypto engine connections active", 1, show_engine::active),
    show("show crypto engine connections dropped-packet", 1, show_engine::dropped),
    show("show crypto guard", 1, show_guard::guard),
    show(
        "show crypto ipsec sa [interface <IF:interface> [<UNIT:unit>]|map <name>|peer <A.B.C.D:address>] [detail]",
        1,
        show_ipsec::sa,
    ),
    show("show crypto ipsec transform-set", 1, show_ipsec::transform_sets),
    show("show crypto isakmp failures [since <1-43200:minutes>]", 1, show_failures::failures),
    show("show crypto isakmp key", PRIVILEGED, show_isakmp_config::key),
    show("show crypto isakmp peers", 1, show_isakmp::peers),
    show("show crypto isakmp policy", 1, show_isakmp_config::policy),
    show("show crypto isakmp profile", 1, show_isakmp_config::profile),
    show("show crypto isakmp sa [detail]", 1, show_isakmp::sa),
    show("show crypto map [interface <IF:interface> [<UNIT:unit>]|tag <name>]", 1, show_map::maps),
    show(
        "show crypto session [local <A.B.C.D:address>|remote <A.B.C.D:address>|username <name>|isakmp {group <name>|profile <name>}] [brief|detail]",
        1,
        show_session::session,
    ),
    show("show crypto weak", 1, show_weak::weak),
    show("show debugging", 1, debug::debugging),
    show("show interfaces [<IF:interface> [<UNIT:unit>]]", 1, show_interface::interfaces),
    show("show ip access-lists [<name>]", 1, show_acl::ip_lists),
    show("show ip arp", 1, show_route::arp),
    show("show ip interface [<IF:interface> [<UNIT:unit>]] [brief]", 1, show_interface::ip),
    show("show ip local pool [<name>]", 1, show_pool::pools),
    show("show ip nat statistics", 1, show_nat::statistics),
    show("show ip nat translations [icmp|tcp|udp] [verbose]", 1, show_nat::table),
    show("show ip policy", 1, show_policy::policies),
    show("show ip route", 1, show_route::route),
    show("show logging", 1, show_system::logging),
    show("show object-group [<name>]", 1, show_objects::groups),
    show("show privilege", 1, show_system::privilege),
    show("show route-map [<name>]", 1, show_policy::route_maps),
    show("show running-config [interface <IF:interface> [<UNIT:unit>]]", PRIVILEGED, show_config::running),
    show("show startup-config", PRIVILEGED, show_config::startup),
    show("show time-range [<name>]", 1, show_objects::ranges),
    show("show users", 1, show_system::users),
    show("show version", 1, show_system::version),
    show("why [since <1-43200:minutes>|lifetimes <who>|<who>]", 1, show_failures::why),
    show(
        "why packet <A.B.C.D:source> <A.B.C.D:destination> [{tcp|udp} [<port>] [from <source-port>] [established]|icmp [<icmp-type> [<0-255:icmp-code>]]|esp|protocol <0-255:protocol>] [input <IF:interface> [<UNIT:unit>]|length <20-65535:packet-length>]...",
        1,
        why_packet::packet,
    ),
    show("write terminal", PRIVILEGED, show_config::running),
    clear("clear counters", Views::clear_interface_counters),
    clear("clear crypto sa counters", Views::clear_sa_counters),
    clear("clear logging", Views::clear_log),
    order("clear crypto isakmp [<0-4294967295:connection>]", |arguments| {
        Ok(Command::ClearIsakmp { connection: arguments.parsed("connection")? })
    }),
    order("clear crypto sa [peer <A.B.C.D:address>]", |arguments| {
        Ok(Command::ClearSa { peer: arguments.parsed("address")? })
    }),
    order("clear crypto session [remote <A.B.C.D:address>]", |arguments| {
        Ok(Command::ClearSession { peer: arguments.parsed("address")? })
    }),
];

static FORMS: LazyLock<Vec<Form>> =
    LazyLock::new(|| ROWS.iter().map(|row| Form::compile(row.form)).collect());

/// The commands of a privilege, and their forms, for help and completion.
pub(crate) fn allowed(privilege: u8) -> (Vec<&'static Row>, Vec<&'static Form>) {
    ROWS.iter().zip(FORMS.iter()).filter(|(row, _)| row.privilege <= privilege).unzip()
}

/// The forms of the commands of a privilege, for help and completion.
pub(crate) fn allowed_forms(privilege: u8) -> impl Iterator<Item = &'static Form> {
    ROWS.iter().zip(FORMS.iter()).filter(move |(row, _)| row.privilege <= privilege).map(|(_, form)| form)
}

/// The command that a line is, for a user with a privilege.
pub(crate) fn find(line: &str, privilege: u8) -> Result<(&'static Row, Arguments), Refusal> {
    let words = words(line);
    let place = |word: usize| {
        let column = words.get(word).map(|word| word.column.saturating_sub(1));
        column.and_then(|column| usize::try_from(column).ok()).unwrap_or(0)
    };
    let (rows, forms) = allowed(privilege);
    match automaton::run(&forms, &words, false) {
        automaton::Outcome::Complete(matched) => {
            let row = rows.get(matched.form).copied().ok_or(Refusal::Incomplete)?;
            let places = (0..words.len()).map(place).collect();
            Ok((row, Arguments { matched, places }))
        }
        automaton::Outcome::Incomplete(..) => Err(Refusal::Incomplete),
        automaton::Outcome::Ambiguous(_) => {
            // the words after the ambiguous one may belong to any of them
            let printable = line.trim().chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(80);
            Err(Refusal::Ambiguous(printable.collect()))
        }
        automaton::Outcome::Invalid(misfit) => Err(Refusal::Invalid(place(misfit.word))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(line: &str, privilege: u8) -> Result<String, Refusal> {
        find(line, privilege).map(|(_, arguments)| arguments.spelled())
    }

    #[test]
    fn abbreviations_find_their_command() {
        for (typed, meant) in [
            ("sh cry isa sa det", "show crypto isakmp sa detail"),
            ("sh ip int br", "show ip interface brief"),
            ("show ip int fa0/0", "show ip interface FastEthernet0/0"),
            ("show ip int FastEthernet 0/0 br", "show ip interface FastEthernet0/0 brief"),
            ("show run", "show running-config"),
            ("sh cry ips sa", "show crypto ipsec sa"),
            ("SHOW CRYPTO SESSION REMOTE 10.1.1.1", "show crypto session remote 10.1.1.1"),
            ("cle cry sess", "clear crypto session"),
            ("cle acc c", "clear access-list counters"),
            ("cle ip acc c DMZ-IN", "clear ip access-list counters DMZ-IN"),
            ("cle ip nat tr *", "clear ip nat translation *"),
            ("sh ip nat tr tc ver", "show ip nat translations tcp verbose"),
            (
                "cle ip nat tr tcp ins 203.0.113.2 1025 10.1.1.10 80",
                "clear ip nat translation tcp inside 203.0.113.2 1025 10.1.1.10 80",
            ),
            ("wr t", "write terminal"),
            ("show  version ", "show version"),
        ] {
            assert_eq!(form(typed, 15).as_deref(), Ok(meant), "{typed}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(form("show crypto", 15), Err(Refusal::Incomplete));
        assert_eq!(form("show crypto foo", 15), Err(Refusal::Invalid(12)));
        assert_eq!(form("show crypto isakmp sa x", 15), Err(Refusal::Invalid(22)));
        assert_eq!(form("show ip a", 15), Err(Refusal::Ambiguous("show ip a".into())));
        assert_eq!(form("sh cry i sa", 15), Err(Refusal::Ambiguous("sh cry i sa".into())));
        assert_eq!(form("foo", 15), Err(Refusal::Invalid(0)));
    }

    /// As on IOS, what a privilege does not allow does not exist.
    #[test]
    fn a_low_privilege_sees_no_secret_and_gives_no_order() {
        for line in
            ["show running-config", "show startup-config", "show crypto isakmp key", "clear crypto sa"]
        {
            assert!(matches!(form(line, 1), Err(Refusal::Invalid(_))), "{line}");
            assert!(form(line, 15).is_ok(), "{line}");
        }
        assert!(form("show crypto isakmp sa", 1).is_ok());
    }

    #[test]
    fn no_form_is_there_twice() {
        let mut forms: Vec<_> = ROWS.iter().map(|row| row.form).collect();
        let count = forms.len();
        forms.sort_unstable();
        forms.dedup();
        assert_eq!(forms.len(), count);
    }

    /// `?` explains every word of every command, behind arguments too.
    #[test]
    fn every_word_has_its_help() {
        let (_, forms) = allowed(PRIVILEGED);
        let mut lines = vec![String::new()];
        let mut missing = std::collections::BTreeMap::new();
        while let Some(line) = lines.pop() {
            for choice in hubward_config::help::choices(&forms, &line) {
                if choice.help.is_empty() && choice.token != "<cr>" {
                    missing.entry(choice.token.clone()).or_insert_with(|| format!("{line}{}", choice.token));
                }
                let keyword = choice.token.chars().all(|c| c.is_ascii_lowercase() || c == '-');
                let word = match choice.token.as_str() {
                    keyword_itself if keyword => keyword_itself.to_owned(),
                    "A.B.C.D" => "10.1.1.1".into(),
                    "WORD" => "x".into(),
                    "INTERFACE" => "FastEthernet0/0".into(),
                    range => match range.strip_prefix('<').and_then(|range| range.split_once('-')) {
                        Some((first, _)) => first.into(),
                        // what is left ends a line
                        None => continue,
                    },
                };
                // some options may be given again and again
                if line.split(' ').filter(|known| **known == word).count() < 2 && line.split(' ').count() < 10
                {
                    lines.push(format!("{line}{word} "));
                }
            }
        }
        assert!(
            missing.is_empty(),
            "these words have no help; add each, or an argument's name, to HELP in \
             crates/config/src/help.rs, sorted: {missing:?}"
        );
        let next = hubward_config::help::choices(&forms, "show crypto isakmp ");
        let tokens: Vec<_> = next.iter().map(|choice| choice.token.as_str()).collect();
        assert_eq!(tokens, ["failures", "key", "peers", "policy", "profile", "sa"]);
        let of_packets = |line: &str| -> Vec<_> {
            let choices = hubward_config::help::choices(&forms, &format!("why packet {line}"));
            choices.into_iter().map(|choice| (choice.token, choice.help)).collect()
        };
        assert_eq!(of_packets("")[0], ("A.B.C.D".to_owned(), "Source address"));
        assert_eq!(of_packets("10.1.1.1 "), [("A.B.C.D".to_owned(), "Destination address")]);
        let udp: Vec<_> =
            of_packets("10.1.1.1 10.1.1.2 udp 53 ").into_iter().map(|(token, _)| token).collect();
        assert_eq!(udp, ["established", "from", "input", "length", "<cr>"]);
        assert_eq!(of_packets("10.1.1.1 10.1.1.2 udp 53 from ")[0].1, "Port of the source");
    }
}
