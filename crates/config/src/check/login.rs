//! Who may log in: lists of methods that admit nobody, and access lists that are not understood.

use super::say::say;
use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::model::{AaaMethod, Config, LineKind, LineLogin};
use std::collections::{BTreeMap, BTreeSet};

/// Lines of a list that are named for a terminal line: of more, nobody reads what is said.
const NAMED: usize = 20;

/// Lists of `access-class` with a line that may concern a user or not, for all that is known here: a
/// user whom that line may deny is refused.
pub(super) fn access_classes(config: &Config, found: &mut Vec<Diagnostic>) {
    let mut unsure = BTreeMap::new();
    for line in &config.lines {
        let Some(acl) = line.access_class.as_ref().and_then(|name| config.acl(name)) else { continue };
        let of_list =
            unsure.entry(acl.name.as_str()).or_insert_with(|| crate::acl::unsure_of_users(config, acl));
        for (entry, why, permit) in of_list.iter().take(NAMED) {
            let permit = *permit;
            let becomes = if permit { "it admits nobody" } else { "it refuses everyone whom it may match" };
            let message = format!(
                "line {} of access list {} cannot be applied exactly ({why}): {becomes} on this terminal line",
                entry.line, acl.name
            );
            let remedy = "name addresses in a standard list";
            say(found, Severity::Warning, Code::Unsupported, line.line, message, remedy);
        }
    }
}

/// Logins that admit nobody: no method of a list is implemented here, or there is no user for them.
pub(super) fn locked_out(config: &Config, found: &mut Vec<Diagnostic>) {
    let mut told = |line: u32, message: String, remedy: &str| {
        say(found, Severity::Warning, Code::LockedOut, line, message, remedy);
    };
    let vty = || config.lines.iter().filter(|line| line.kind == LineKind::Vty);
    let used: BTreeSet<&str> = vty()
        .filter_map(|line| match &line.login {
            Some(LineLogin::List(name)) => Some(name.as_str()),
            None if config.aaa.new_model => Some(DEFAULT),
            _ => None,
        })
        .collect();
    let of_profiles = config.profiles.iter().filter_map(|profile| profile.xauth_list.as_deref());
    let of_maps = config.maps.iter().filter_map(|map| map.xauth_list.as_ref());
    let of_clients: BTreeSet<&str> = of_profiles.chain(of_maps.map(|(list, _)| list.as_str())).collect();
    for list in &config.aaa.login {
        let asks_nobody = list.methods.contains(&AaaMethod::None);
        let local = list.methods.iter().any(AaaMethod::is_local);
        let why = match (local, config.users.is_empty()) {
            _ if asks_nobody => continue,
            (true, false) => continue,
            (true, true) => "there is no `username`",
            (false, _) => "none of its methods is implemented here",
        };
        if used.contains(list.name.as_str()) {
            let message = format!("nobody can log in by AAA list {} with a password: {why}", list.name);
            let remedy = "add the method `local` and a `username` with a secret, or log in with a public key";
            told(list.line, message, remedy);
        }
        if of_clients.contains(list.name.as_str()) {
            let message = format!("no VPN client can log in by AAA list {}: {why}", list.name);
            told(list.line, message, "add the method `local` and a `username` with a password");
        }
    }
    let somebody = config.users.iter().any(|user| config.may_log_in(user));
    let has_default = config.aaa.login.iter().any(|list| list.name == DEFAULT);
    for line in vty() {
        // what a line asks for without a list: users and their passwords
        let is_local = match &line.login {
            Some(LineLogin::Local) => true,
            None => config.aaa.new_model && !has_default,
            Some(LineLogin::Password | LineLogin::Nobody | LineLogin::List(_)) => false,
        };
        if is_local && config.users.is_empty() {
            let message =
                "nobody can log in at these lines with a password: there is no `username`".to_string();
            told(line.line, message, "add a `username` with a secret");
        } else if line.ssh == Some(true) && !config.users.is_empty() && !somebody {
            let message = "nobody can log in at these lines: no `username` has a `privilege` or a public key, as a user of SSH needs here";
            told(
                line.line,
                message.to_string(),
                "give a `username` its privilege: username NAME privilege 15",
            );
        }
    }
}

/// Passwords that nobody can match: their text does not have the form of their type.
pub(super) fn unreadable(config: &Config, found: &mut Vec<Diagnostic>) {
    let users = config.users.iter().filter_map(|user| {
        let password = user.password.as_ref()?;
        Some((format!("user {}", user.name), password, user.line))
    });
    let enable = config
        .enable
        .iter()
        .map(|enable| (format!("`enable` of level {}", enable.level), &enable.password, enable.line));
    for (whose, password, line) in users.chain(enable).filter(|(_, password, _)| !password.is_well_formed()) {
        let message = format!(
            "the password of {whose} is never right: what the line says is no password of type {}",
            password.kind()
        );
        let remedy = "write it as the router prints it, or in clear text";
        say(found, Severity::Warning, Code::Password, line, message, remedy);
    }
}

/// The list of AAA that counts where none is named.
const DEFAULT: &str = "default";

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    #[test]
    fn a_login_that_admits_nobody_is_told() {
        let user = "username ada privilege 15 secret 0 x\n";
        let vty = "line vty 0 4\n transport input ssh\n";
        let list = |methods: &str| format!("aaa new-model\naaa authentication login default {methods}\n");
        for (text, locked) in [
            (format!("{}{user}{vty}", list("line")), true),
            (format!("{}{user}{vty}", list("enable")), true),
            (format!("{}{user}{vty}", list("group radius")), true),
            (format!("{}{user}{vty}", list("group radius local")), false),
            (format!("{}{user}{vty}", list("local")), false),
            (format!("{}{vty}", list("local")), true),
            (format!("{}{vty}", list("none")), false),
            // no line of this router uses it
            (format!("{}{user}", list("line")), false),
            (format!("{}{user}{vty} login authentication OTHER\n", list("line")), false),
            (format!("{vty} login local\n"), true),
            (format!("{user}{vty} login local\n"), false),
            ("aaa new-model\nline vty 0 4\n".to_string(), true),
            (format!("aaa new-model\n{user}line vty 0 4\n"), false),
        ] {
            let told = crate::parse(&text).diagnostics;
            assert_eq!(told.iter().any(|told| told.code == Code::LockedOut), locked, "{text}: {told:?}");
        }
    }

    /// A user who is made for Xauth alone opens no shell.
    #[test]
    fn a_login_by_ssh_without_a_user_who_may_is_told() {
        for (user, line, locked) in [
            ("username ada secret 0 x\n", " transport input ssh\n login local\n", true),
            ("username ada secret 0 x\n", " transport input all\n", true),
            ("username ada secret 0 x\n", " transport input telnet\n login local\n", false),
            ("username ada privilege 1 secret 0 x\n", " transport input ssh\n login local\n", false),
            (
                "username ada secret 0 x\nip ssh pubkey-chain\n username ada\n  key-hash ssh-rsa 0123456789ABCDEF0123456789ABCDEF\n",
                " transport input ssh\n",
                false,
            ),
        ] {
            let text = format!("{user}line vty 0 4\n{line}");
            let told = crate::parse(&text).diagnostics;
            assert_eq!(told.iter().any(|told| told.code == Code::LockedOut), locked, "{text}: {told:?}");
        }
    }

    /// The list of a profile, or of a crypto map, by which no client can log in.
    #[test]
    fn a_list_of_clients_that_admits_none_is_told() {
        let profile = "crypto isakmp profile P\n client authentication list X\n";
        let map = "crypto map M client authentication list X\n";
        let user = "username ada password 0 x\n";
        for (user, methods, locked) in [
            ("", "local", true),
            (user, "local", false),
            (user, "line", true),
            (user, "enable none", false),
            ("", "group radius local", true),
        ] {
            for uses in [profile, map] {
                let text = format!("{user}aaa new-model\naaa authentication login X {methods}\n{uses}");
                let told = crate::parse(&text).diagnostics;
                let is = |told: &crate::diagnostic::Diagnostic| {
                    told.code == Code::LockedOut && told.message.contains("no VPN client")
                };
                assert_eq!(told.iter().any(is), locked, "{text}: {told:?}");
            }
        }
    }

    /// IOS refuses such a line; here it is told, for nobody gets in by it.
    #[test]
    fn a_password_that_is_none_of_its_type_is_told() {
        let hash = "G8yxKEA6Wt2oUHXP7e9vEYhWIsmqQHo7zQRcYdEcF1g";
        for (password, is_told) in [
            ("password 0 x".to_string(), false),
            ("password two words".to_string(), false),
            ("password 7 0201024E070A0E2649".to_string(), false),
            ("password 7 zz".to_string(), true),
            ("password 7 99010203".to_string(), true),
            ("password 7 02010".to_string(), true),
            ("secret 5 $1$hwrd$WA/ZyrqT9ksAusKpfUWFF/".to_string(), false),
            ("secret 5 $1$hwrd$WA/ZyrqT9ksAusKpfUWF".to_string(), true),
            ("secret 5 cisco".to_string(), true),
            ("secret 8 $8$dsYGNam3K1SIJO$7nv/35M/qr6t.dVc7UY9zrJDWRVqncHub1PE9UlMQFs".to_string(), false),
            (format!("secret 9 $9$nhEmQVczB7dqsO${hash}"), false),
            (format!("secret 9 {hash}"), true),
            (format!("secret 4 {hash}"), false),
            ("secret 4 cisco".to_string(), true),
        ] {
            for line in [format!("username u {password}\n"), format!("enable {password}\n")] {
                let told = crate::parse(&line).diagnostics;
                let found = told.iter().any(|told| told.code == Code::Password);
                assert_eq!(found, is_told, "{line}: {told:?}");
                assert!(told.iter().all(|told| !told.message.contains("cisco")));
            }
        }
    }
}
