//! Who is locked out after wrong passwords, until when, and how to end it.

use crate::base::date::Date;
use crate::base::lockout::{LockedOut, Whose};
use crate::why::explanation::Explanation;
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
    let user = locked.whose.user().map(ToString::to_string);
    let explanation = match &user {
        Some(user) if user.contains(' ') => {
            explanation.advise("Here: `clear aaa local user lockout all` ends it.")
        }
        Some(user) => {
            explanation.advise(format!("Here: `clear aaa local user lockout username {user}` ends it."))
        }
        None => explanation.advise("Here: `clear aaa local user lockout all` ends it."),
    };
    let elsewhere = match &locked.whose {
        Whose::UserAt { .. } | Whose::AnyAt { .. } => "Or wait until then, or log in from another address.",
        Whose::UserEverywhere { .. } => {
            "Or wait until then, or log in from an address that never gave a wrong password."
        }
    };
    explanation
        .advise(elsewhere)
        .advise("If nobody mistyped a password, somebody guesses: `show logging` has each try (SEC_LOGIN-4-LOGIN_FAILED).")
}

#[cfg(test)]
pub(super) use tests::of_all_kinds;

#[cfg(test)]
mod tests {
    use super::*;
    use hubward_proto::names::Untrusted;
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
}
