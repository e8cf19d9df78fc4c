//! `aaa`: login lists and network lists, from the users and groups of the configuration. Checking a
//! password is slow on purpose, so the engine's questions are answered on separate threads:
//! [`super::asks`].

use crate::translate;
use hubward_config::model::{AaaList, AaaMethod, Config};
use hubward_config::secret::Password;
use hubward_crypto::password;
use hubward_crypto::secret::Secret;
use hubward_proto::ike::io::Answer;
use hubward_proto::policy::ClientGroup;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Checks a user against `aaa authentication login LIST`. An unknown user takes as long as a known
/// one with a wrong password, and is refused in the same way.
pub(crate) fn authenticate(config: &Config, list: &str, user: &str, given: &Secret) -> Answer {
    let rejected = |reason: &str| Answer::Rejected { reason: reason.into() };
    let Some(list) = named(&config.aaa.login, list) else {
        return rejected("the login list is not configured");
    };
    by_methods(config, &list.methods, user, given)
}

/// Checks a user by methods, in order.
pub(crate) fn by_methods(config: &Config, methods: &[AaaMethod], user: &str, given: &Secret) -> Answer {
    for method in methods {
        match method {
            AaaMethod::None => return Answer::Accepted { user: user.into() },
            AaaMethod::Local => return by_users(config, user, given, str::eq_ignore_ascii_case),
            AaaMethod::LocalCase => return by_users(config, user, given, |known, user| known == user),
            // a method that is unavailable is an error, and the next one is tried
            AaaMethod::Enable
            | AaaMethod::Line
            | AaaMethod::IfAuthenticated
            | AaaMethod::Krb5
            | AaaMethod::Krb5Telnet
            | AaaMethod::Ldap
            | AaaMethod::Group(_)
            | AaaMethod::Cache(_)
            | AaaMethod::Other(_) => {}
        }
    }
    Answer::Rejected { reason: "no method of the list can be asked".into() }
}

/// Checks a user against the `username` lines, comparing names with `same`.
fn by_users(config: &Config, user: &str, given: &Secret, same: impl Fn(&str, &str) -> bool) -> Answer {
    let known = config.users.iter().find(|known| same(&known.name, user));
    let stored = known.and_then(|known| known.password.as_ref());
    let reason = match checked(config, stored, given) {
        Some(Ok(true)) => {
            return Answer::Accepted { user: known.map_or(user, |known| &known.name).into() };
        }
        Some(Ok(false)) => "wrong password".into(),
        Some(Err(error)) => error,
        None => "unknown user".into(),
    };
    Answer::Rejected { reason }
}

/// Checks a password against a user's, `None` for an unknown user. In every case one password of
/// each type that any user has is checked, so that the time reveals neither whether the user exists
/// nor how the password is stored.
fn checked(config: &Config, stored: Option<&Password>, given: &Secret) -> Option<Result<bool, String>> {
    let mut decoys: BTreeMap<u8, &Password> = BTreeMap::new();
    for password in config.users.iter().filter_map(|user| user.password.as_ref()) {
        decoys.entry(password.kind()).or_insert(password);
    }
    let mut verdict = None;
    for (kind, decoy) in decoys {
        let own = stored.filter(|stored| stored.kind() == kind);
        let done = password::verify(kind, own.unwrap_or(decoy).expose(), given.expose());
        if own.is_some() {
            verdict = Some(done.map_err(|error| error.to_string()));
        }
    }
    verdict
}

/// The client groups of a configuration, as the engine wants them: looking one up takes as long as
/// not finding one.
pub(crate) struct Groups {
    /// `None`: a group without a key that can be used.
    named: BTreeMap<String, Option<Arc<ClientGroup>>>,
    /// `group default`, for clients whose group is not configured.
    default: Option<ClientGroup>,
}

impl Groups {
    /// All groups of a configuration.
    pub(crate) fn of(config: &Config) -> Self {
        // of two with one name the first counts
        let names = config.groups.iter().rev().map(|group| group.name.clone());
        let named = names.map(|name| {
            let group = translate::client_group(config, &name).map(Arc::new);
            (name, group)
        });
        Self { named: named.collect(), default: translate::client_group(config, "") }
    }

    /// Looks a group up by `aaa authorization network LIST`; without a list no group is known.
    pub(crate) fn authorize(&self, config: &Config, list: Option<&str>, group: &str) -> Answer {
        let list = list.and_then(|list| named(&config.aaa.network, list));
        let local = list.is_some_and(|list| list.methods.contains(&AaaMethod::Local));
        // as the client knows it
        let default = || Some(Arc::new(ClientGroup { name: group.into(), ..self.default.clone()? }));
        let found = self.named.get(group).cloned().unwrap_or_else(default);
        Answer::Group(found.filter(|_| local))
    }
}

/// The same for one question.
pub(crate) fn authorize(config: &Config, list: Option<&str>, group: &str) -> Answer {
    Groups::of(config).authorize(config, list, group)
}

fn named<'a>(lists: &'a [AaaList], name: &str) -> Option<&'a AaaList> {
    lists.iter().find(|list| list.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An unavailable method is passed over, wherever it is in the list; a list of nothing else
    /// refuses.
    #[test]
    fn methods_are_tried_in_their_order() {
        let answer = |methods: &str, user: &str| {
            let text = format!(
                "username Anna password 0 right\naaa new-model\naaa authentication login x {methods}\n"
            );
            let config = hubward_config::parse(&text).config;
            match authenticate(&config, "x", user, &Secret::new(*b"right")) {
                Answer::Accepted { user } => user,
                Answer::Rejected { reason } => reason,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(answer("local", "anna"), "Anna");
        assert_eq!(answer("local-case", "anna"), "unknown user");
        assert_eq!(answer("local-case", "Anna"), "Anna");
        assert_eq!(answer("none", "anybody"), "anybody");
        assert_eq!(answer("local none", "anybody"), "unknown user", "an answer ends the list");
        let elsewhere = "group radius cache local enable line if-authenticated krb5 krb5-telnet ldap mine";
        assert_eq!(answer(elsewhere, "Anna"), "no method of the list can be asked");
        assert_eq!(answer(&format!("{elsewhere} LOCAL"), "Anna"), "Anna");
    }

    /// With passwords of several types, each user passes with its own and not with another user's,
    /// although that was checked too.
    #[test]
    fn nobody_passes_with_a_decoys_password() {
        let text = "username a password 0 alpha\nusername b password 7 0201024E070A0E2649\nusername c password 0 gamma\n\
                    aaa new-model\naaa authentication login x local\n";
        let config = hubward_config::parse(text).config;
        let passes = |user: &str, given: &str| {
            let answer = authenticate(&config, "x", user, &Secret::new(given.as_bytes()));
            matches!(answer, Answer::Accepted { .. })
        };
        for (user, own) in [("a", "alpha"), ("b", "gfullage"), ("c", "gamma"), ("nobody", "")] {
            for given in ["alpha", "gfullage", "gamma"] {
                assert_eq!(passes(user, given), own == given, "{user} {given}");
            }
        }
    }

    #[test]
    fn groups_are_found_as_the_configuration_finds_them() {
        let text = "aaa new-model\naaa authorization network n local\n\
                    crypto isakmp client configuration group a\n key first\n\
                    crypto isakmp client configuration group nokey\n pool p\n";
        let default = "crypto isakmp client configuration group default\n key other\n";
        let name = |text: &str, list: Option<&str>, group: &str| {
            let config = hubward_config::parse(text).config;
            let Answer::Group(found) = authorize(&config, list, group) else { panic!("no group") };
            found.map(|group| group.name.clone())
        };
        for (group, without, with) in [
            ("a", Some("a"), Some("a")),
            ("nokey", None, None),
            ("x", None, Some("x")),
            ("default", None, Some("default")),
        ] {
            assert_eq!(name(text, Some("n"), group).as_deref(), without, "{group}");
            assert_eq!(name(&format!("{text}{default}"), Some("n"), group).as_deref(), with, "{group}");
            assert_eq!(name(text, None, group), None, "{group}");
            assert_eq!(name(text, Some("m"), group), None, "{group}");
        }
    }

    /// The reference hub's user passes by the list that the client profile names; nobody else does.
    #[test]
    fn the_reference_user() {
        let config = hubward_config::parse(include_str!("../../../../examples/hub.cfg")).config;
        let check = |user: &str, given: &str| {
            authenticate(&config, "clientauth", user, &Secret::new(given.as_bytes()))
        };
        assert!(matches!(check("gfullage", "gfullage"), Answer::Accepted { .. }));
        assert!(matches!(check("gfullage", "wrong"), Answer::Rejected { .. }));
        assert!(matches!(check("nobody", "gfullage"), Answer::Rejected { .. }));
        let no_list = authenticate(&config, "absent", "gfullage", &Secret::new(*b"gfullage"));
        assert!(matches!(no_list, Answer::Rejected { .. }));
    }
}
