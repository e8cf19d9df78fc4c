//! Every command there is, as the command reference has it (`docs/commands.md`).

use crate::automaton::Form;
pub use crate::command::No;
use crate::command::table::commands;
use crate::command::{Action, Fate, In, Row};
use crate::help::{Choice, explained, prompt};

/// A mode of the configuration and its commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Its prompt, such as `config-if`.
    pub prompt: &'static str,
    /// What is configured in it.
    pub title: &'static str,
    /// A command that enters it.
    pub entered_by: &'static str,
    /// Its commands, in the order of the tables.
    pub commands: Vec<Command>,
}

/// A command of the reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// What it looks like, in the form language; a command that is only taken note of, without what
    /// may follow.
    pub form: String,
    /// The words that it is made of.
    pub words: Vec<Choice>,
    /// What Hubward does with it.
    pub effect: Effect,
    /// What `no` and `default` do to it.
    pub no: No,
    /// Whether lines after it are in a mode of its own and share its effect.
    pub opens: bool,
}

/// What Hubward does with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What IOS does.
    Implemented,
    /// Nothing, and nothing is missed.
    NoOp,
    /// Nothing; why that is harmless.
    Inert(&'static str),
    /// Nothing yet; what differs.
    Unsupported(&'static str),
    /// Stops the start, because an access control is not enforced; which.
    Unenforced(&'static str),
    /// Told at the start, because forwarding differs; how.
    Forwarding(&'static str),
}

/// Every command there is, by mode, in the order of the tables.
pub fn reference() -> Vec<Mode> {
    let mode = |mode: In| {
        let (title, entered_by) = title(mode);
        let all = commands(mode);
        let commands = all.rows.iter().zip(&all.forms).map(|(row, form)| command(row, form)).collect();
        Mode { prompt: prompt(mode), title, entered_by, commands }
    };
    In::ALL.into_iter().map(mode).collect()
}

/// The words of a form of any table, each once, with what they mean: the keywords, and the names of
/// the arguments as `<name>`.
pub fn form_words(form: &'static str) -> Vec<Choice> {
    explained(&Form::compile(form))
}

fn command(row: &Row, compiled: &Form) -> Command {
    let (fate, opens) = match row.action {
        Action::Fold(_) => (None, false),
        Action::Fate(fate) => (Some(fate), false),
        Action::Opens(fate) => (Some(fate), true),
    };
    let effect = match fate {
        None => Effect::Implemented,
        Some(Fate::NoOp) => Effect::NoOp,
        Some(Fate::Inert(reason)) => Effect::Inert(reason),
        Some(Fate::Unsupported(reason)) => Effect::Unsupported(reason),
        Some(Fate::Unenforced(reason)) => Effect::Unenforced(reason),
        Some(Fate::Forwarding(reason)) => Effect::Forwarding(reason),
    };
    let tail = if fate.is_some() { "" } else { row.tail };
    let form: Vec<_> = format!("{} {tail}", row.form)
        .replace("[= ", "[")
        .replace("{= ", "{")
        .split(' ')
        .filter(|word| *word != "=")
        .map(str::to_string)
        .collect();
    let form = form.join(" ");
    Command {
        form: form.trim_end().to_string(),
        words: if fate.is_some() { Vec::new() } else { explained(compiled) },
        effect,
        no: row.no,
        opens,
    }
}

fn title(mode: In) -> (&'static str, &'static str) {
    match mode {
        In::Global => ("Global configuration", "configure terminal"),
        In::Interface => ("Interface", "interface <interface>"),
        In::IsakmpPolicy => ("ISAKMP policy", "crypto isakmp policy <priority>"),
        In::Keyring => ("Keyring", "crypto keyring <name>"),
        In::Profile => ("ISAKMP profile", "crypto isakmp profile <name>"),
        In::Group => ("Client group", "crypto isakmp client configuration group <name>"),
        In::TransformSet => ("Transform set", "crypto ipsec transform-set <name> <transform>..."),
        In::CryptoMap => ("Crypto map entry", "crypto map <name> <sequence> ipsec-isakmp"),
        In::DynamicMap => ("Dynamic crypto map entry", "crypto dynamic-map <name> <sequence>"),
        In::Acl => ("Extended access list", "ip access-list extended <name>"),
        In::StandardAcl => ("Standard access list", "ip access-list standard <name>"),
        In::Ipv6Acl => ("IPv6 access list", "ipv6 access-list <name>"),
        In::NetworkGroup => ("Group of addresses", "object-group network <name>"),
        In::ServiceGroup => ("Group of services", "object-group service <name>"),
        In::TimeRange => ("Time range", "time-range <name>"),
        In::DhcpPool => ("DHCP pool", "ip dhcp pool <name>"),
        In::Line => ("Terminal line", "line {console|vty} <first> [<last>]"),
        In::PubkeyChain => ("Public keys of SSH users", "ip ssh pubkey-chain"),
        In::PubkeyUser => ("Public keys of one user", "username <name>"),
        In::NatPool => ("Addresses of a NAT pool", "ip nat pool <name> netmask <mask>"),
        In::RouteMap => ("Route map entry", "route-map <name> {permit|deny} <sequence>"),
        In::Archive => ("Archive", "archive"),
        In::ArchiveLog => ("Log of typed commands", "log config"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::{Position, enter};

    #[test]
    fn every_command_is_listed_with_its_effect() {
        let modes = reference();
        let all: usize = modes.iter().map(|mode| mode.commands.len()).sum();
        assert_eq!(all, crate::command::rows().map(|row| row.modes().count()).sum::<usize>());
        let global = modes.iter().find(|mode| mode.prompt == "config").unwrap();
        let key = global.commands.iter().find(|entry| entry.form.starts_with("crypto isakmp key")).unwrap();
        assert!(key.form.ends_with("[no-xauth]") && !key.form.contains('='), "{}", key.form);
        assert_eq!(key.effect, Effect::Implemented);
        assert!(key.words.iter().any(|word| word.token == "<peer>"), "{:?}", key.words);
        let nat = global.commands.iter().find(|entry| entry.form == "ip nat log").unwrap();
        assert!(matches!(nat.effect, Effect::Inert(_)));
        let rule = global.commands.iter().find(|entry| entry.form == "ip nat outside source").unwrap();
        assert!(matches!(rule.effect, Effect::Unenforced(_)));
        let rule =
            global.commands.iter().find(|entry| entry.form.starts_with("ip nat inside source {")).unwrap();
        assert_eq!(rule.effect, Effect::Implemented);
        let interface = modes.iter().find(|mode| mode.prompt == "config-if").unwrap();
        let is_filter = |entry: &&Command| entry.form == "ip access-group {<access-list>} [in|out]";
        assert!(interface.commands.iter().any(|entry| is_filter(&entry)));
    }

    /// What the reference says of the way into a mode leads there.
    #[test]
    fn every_mode_is_entered_so() {
        for mode in reference().into_iter().filter(|mode| mode.prompt != "config") {
            let mut line = mode
                .entered_by
                .replace(" [<last>]", "")
                .replace("{console|vty}", "vty")
                .replace("{permit|deny}", "permit");
            for (argument, value) in [
                ("<name>", "a"),
                ("<interface>", "FastEthernet0/0"),
                ("<priority>", "10"),
                ("<sequence>", "10"),
                ("<mask>", "255.255.255.0"),
                ("<transform>...", "esp-aes"),
                ("<first>", "0"),
            ] {
                line = line.replace(argument, value);
            }
            let mut position = Position::default();
            let outer = match mode.prompt {
                "conf-ssh-pubkey-user" => Some("ip ssh pubkey-chain"),
                "config-archive-log-cfg" => Some("archive"),
                _ => None,
            };
            if let Some(outer) = outer {
                position = enter("", &position, outer).unwrap().position;
            }
            assert_eq!(enter("", &position, &line).unwrap().position.prompt(), mode.prompt, "{line}");
        }
    }
}
