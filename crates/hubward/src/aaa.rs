//! `aaa`: login lists and network lists, with the local database.

use crate::gateway::Message;
use crate::translate;
use hubward_config::model::{AaaList, Config};
use hubward_crypto::password;
use hubward_crypto::secret::Secret;
use hubward_proto::ike::event::Untrusted;
use hubward_proto::ike::io::{Answer, AskId};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Logins that may wait to be checked.
const WAITING: usize = 64;

/// Somebody who wants in.
pub(crate) struct Login {
    pub(crate) id: AskId,
    pub(crate) list: String,
    pub(crate) user: String,
    pub(crate) password: Secret,
}

/// Checks passwords on a thread of its own: scrypt and PBKDF2 take their time on purpose, and no peer may wait for
/// another's.
pub(crate) struct Authenticator {
    config: Arc<Config>,
    logins: SyncSender<(Arc<Config>, Login)>,
}

impl Authenticator {
    /// Starts the thread; its answers go to the gateway as [`Message::Answer`].
    pub(crate) fn start(config: &Config, gateway: SyncSender<Message>) -> std::io::Result<Self> {
        let (logins, waiting) = sync_channel(WAITING);
        std::thread::Builder::new().name("aaa".into()).spawn(move || check_logins(&waiting, &gateway))?;
        Ok(Self { config: Arc::new(config.clone()), logins })
    }

    /// Uses another configuration from the next login on.
    pub(crate) fn configure(&mut self, config: &Config) {
        self.config = Arc::new(config.clone());
    }

    /// Has a login checked, or refuses it at once when too many wait.
    pub(crate) fn check(&self, login: Login) -> Option<Answer> {
        let refused = self.logins.try_send((Arc::clone(&self.config), login)).is_err();
        refused.then(|| {
            tracing::warn!("a login was refused: {WAITING} others wait to be checked");
            Answer::Rejected { reason: "too many logins at once".into() }
        })
    }
}

fn check_logins(waiting: &Receiver<(Arc<Config>, Login)>, gateway: &SyncSender<Message>) {
    for (config, login) in waiting {
        let answer = authenticate(&config, &login.list, &login.user, &login.password);
        if let Answer::Rejected { reason } = &answer {
            let (user, list) = (Untrusted::new(login.user.as_bytes()), &login.list);
            tracing::warn!(
                "%SEC_LOGIN-4-LOGIN_FAILED: Login failed [user: {user}] [list: {list}] [reason: {reason}]"
            );
        }
        if gateway.send(Message::Answer(login.id, answer)).is_err() {
            return;
        }
    }
}

/// Checks a user against `aaa authentication login LIST`. An unknown user takes as long as a known one with a wrong
/// password of type 0 or 7, and is refused in the same way.
pub(crate) fn authenticate(config: &Config, list: &str, user: &str, given: &Secret) -> Answer {
    let rejected = |reason: &str| Answer::Rejected { reason: reason.into() };
    let Some(list) = named(&config.aaa.login, list) else {
        return rejected("the login list is not configured");
    };
    for method in &list.methods {
        match method.as_str() {
            "none" => return Answer::Accepted { user: user.into() },
            "local" | "local-case" => {
                let exact = method == "local-case";
                let known = config.users.iter().find(|known| match exact {
                    true => known.name == user,
                    false => known.name.eq_ignore_ascii_case(user),
                });
                let Some(stored) = known.and_then(|known| known.password.as_ref()) else {
                    let _same_work = password::verify(0, "no such user", given.expose());
                    return rejected("unknown user");
                };
                return match password::verify(stored.kind(), stored.expose(), given.expose()) {
                    Ok(true) => Answer::Accepted { user: known.map_or(user, |known| &known.name).into() },
                    Ok(false) => rejected("wrong password"),
                    Err(error) => rejected(&error.to_string()),
                };
            }
            // a method that cannot be asked is an error, and the next one is tried
            _ => {}
        }
    }
    rejected("no method of the list can be asked")
}

/// Looks a group up by `aaa authorization network LIST`.
pub(crate) fn authorize(config: &Config, list: &str, group: &str) -> Answer {
    let local =
        named(&config.aaa.network, list).is_some_and(|list| list.methods.iter().any(|m| m == "local"));
    let found = local.then(|| translate::client_group(config, group)).flatten();
    Answer::Group(found.map(Arc::new))
}

fn named<'a>(lists: &'a [AaaList], name: &str) -> Option<&'a AaaList> {
    lists.iter().find(|list| list.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference hub's user passes by the list that the client profile names; nobody else does.
    #[test]
    fn the_reference_user() {
        let config = hubward_config::parse(include_str!("../../../examples/hub.cfg")).config;
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
