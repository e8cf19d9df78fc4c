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

/// Lists of methods by which nobody can log in at a terminal line: none of the methods is
/// implemented here, or there is no user.
pub(super) fn locked_out(config: &Config, found: &mut Vec<Diagnostic>) {
    let vty = || config.lines.iter().filter(|line| line.kind == LineKind::Vty);
    let used: BTreeSet<&str> = vty()
        .filter_map(|line| match &line.login {
            Some(LineLogin::List(name)) => Some(name.as_str()),
            None if config.aaa.new_model => Some("default"),
            _ => None,
        })
        .collect();
    for list in config.aaa.login.iter().filter(|list| used.contains(list.name.as_str())) {
        let asks_nobody = list.methods.contains(&AaaMethod::None);
        let local = list.methods.iter().any(AaaMethod::is_local);
        let why = match (local, config.users.is_empty()) {
            _ if asks_nobody => continue,
            (true, false) => continue,
            (true, true) => "there is no `username`",
            (false, _) => "none of its methods is implemented here",
        };
        let message = format!("nobody can log in by AAA list {} with a password: {why}", list.name);
        let remedy = "add the method `local` and a `username` with a secret, or log in with a public key";
        say(found, Severity::Warning, Code::LockedOut, list.line, message, remedy);
    }
    for line in vty().filter(|line| line.login == Some(LineLogin::Local) && config.users.is_empty()) {
        let message = "nobody can log in at these lines with a password: there is no `username`".to_string();
        let remedy = "add a `username` with a secret";
        say(found, Severity::Warning, Code::LockedOut, line.line, message, remedy);
    }
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::Code;

    #[test]
    fn a_login_that_admits_nobody_is_told() {
        let user = "username ada secret 0 x\n";
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
        ] {
            let told = crate::parse(&text).diagnostics;
            assert_eq!(told.iter().any(|told| told.code == Code::LockedOut), locked, "{text}: {told:?}");
        }
    }
}
