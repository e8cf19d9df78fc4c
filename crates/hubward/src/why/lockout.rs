//! Who is locked out after wrong passwords, until when, and how to end it.

use crate::base::date::Date;
use crate::base::lockout::{LockedOut, Whose};
use crate::why::explanation::Explanation;
use hubward_proto::names::Untrusted;
use std::time::Duration;

/// Explains a lock-out between two moments, in time since 1970.
pub(crate) fn locked_out(locked: &LockedOut, since: Duration, until: Duration) -> Explanation {
    let password = |enable: Option<u8>| match enable {
        Some(level) => format!("`enable {level}` of user"),
        None => "user".to_owned(),
    };
    let (who, wrong) = match &locked.whose {
        Whose::UserAt { user, enable, source } => {
            (format!("{} {user} is locked out at {source}", password(*enable)), "were wrong there")
        }
        Whose::AnyAt { source } => (
            format!("users who have not logged in from {source} before are locked out there"),
            "of any users were wrong there",
        ),
        Whose::UserEverywhere { user, enable, last } => (
            format!(
                "{} {user} is locked out at every address that gave a wrong password, such as {last}",
                password(*enable)
            ),
            "were wrong at all addresses together",
        ),
    };
    let verdict = format!(
        "{who}, from {} until {}: {} passwords {wrong}. None is checked meanwhile, not even the right one.",
        Date::new(since).moment(),
        Date::new(until).moment(),
        locked.failures
    );
    let mut letters = verdict.chars();
    let verdict = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let explanation = Explanation::new("locked-out", verdict);
    let whom = match locked.whose.user().and_then(as_argument) {
        Some(user) => format!("username {user}"),
        None => "all".to_owned(),
    };
    let explanation = explanation.advise(format!("Here: `clear aaa local user lockout {whom}` ends it."));
    let elsewhere = match &locked.whose {
        Whose::UserAt { .. } | Whose::AnyAt { .. } => "Or wait until then, or log in from another address.",
        Whose::UserEverywhere { .. } => {
            "Or wait until then, or log in from an address that never gave a wrong password."
        }
    };
    let logged = match (&locked.whose, locked.whose.enable()) {
        (_, Some(_)) => "SYS-5-PRIV_AUTH_FAIL",
        (Whose::AnyAt { .. }, None) => "SEC_LOGIN-4-LOGIN_FAILED, and SYS-5-PRIV_AUTH_FAIL for `enable`",
        (_, None) => "SEC_LOGIN-4-LOGIN_FAILED",
    };
    explanation.advise(elsewhere).advise(format!(
        "If nobody mistyped a password, somebody guesses: `show logging` has each try ({logged})."
    ))
}

/// A user's name as the command takes it; `None` if what is shown of it is not the whole name, or
/// is not one word.
fn as_argument(user: &Untrusted) -> Option<String> {
    let shown = user.to_string();
    let is_word = !shown.is_empty() && !shown.contains([' ', '?']);
    (is_word && Untrusted::new(shown.as_str()) == *user).then_some(shown)
}

#[cfg(test)]
pub(super) use tests::of_all_kinds;

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::time::Instant;
    use std::net::IpAddr;

    /// The three kinds of lock-outs, for the document too.
    pub(crate) fn of_all_kinds() -> Vec<Explanation> {
        let source = IpAddr::from([10, 51, 82, 100]);
        let user = || Untrusted::new("gfullage");
        let whose = [
            (3, Whose::UserAt { user: user(), enable: None, source }),
            (3, Whose::UserAt { user: Untrusted::new("admin"), enable: Some(15), source }),
            (10, Whose::AnyAt { source }),
            (20, Whose::UserEverywhere { user: user(), enable: None, last: source }),
        ];
        let since = Duration::from_secs(1_795_425_167);
        let explained = whose.into_iter().map(|(failures, whose)| {
            let locked = LockedOut { whose, failures, since: Instant::ORIGIN, until: Instant::ORIGIN };
            locked_out(&locked, since, since + Duration::from_secs(2))
        });
        explained.collect()
    }

    #[test]
    fn a_lockout_is_told_with_its_end_and_the_command_that_ends_it() {
        for said in of_all_kinds() {
            assert!(said.verdict.contains("09:12:47 UTC Mon Nov 23 2026 until 09:12:49 UTC"), "{said:?}");
            assert!(said.advice[0].contains("`clear aaa local user lockout "), "{said:?}");
        }
    }

    /// A name that is not shown whole, or that nobody can type, would find nothing.
    #[test]
    fn the_command_has_a_name_only_if_it_finds_it() {
        let advice = |name: &[u8]| {
            let whose = Whose::UserAt {
                user: Untrusted::new(name),
                enable: None,
                source: IpAddr::from([10, 51, 82, 100]),
            };
            let locked = LockedOut { whose, failures: 3, since: Instant::ORIGIN, until: Instant::ORIGIN };
            locked_out(&locked, Duration::ZERO, Duration::ZERO).advice.remove(0)
        };
        assert!(advice(b"anna").contains("lockout username anna`"));
        for name in [&b""[..], b"an na", b"anna\0", b"anna\n", b"anna\xff", b"an?", &[b'a'; 200]] {
            assert!(advice(name).contains("lockout all`"), "{}", advice(name));
        }
    }

    /// The message that the advice names is the one that is logged.
    #[test]
    fn the_advice_names_the_message_that_is_logged() {
        let named = of_all_kinds().into_iter().map(|said| {
            let last = said.advice.last().cloned().unwrap_or_default();
            (last.contains("SEC_LOGIN-4-LOGIN_FAILED"), last.contains("SYS-5-PRIV_AUTH_FAIL"))
        });
        let expected = [(true, false), (false, true), (true, true), (true, false)];
        assert_eq!(named.collect::<Vec<_>>(), expected);
    }
}
