//! `show aaa local user lockout`, `clear aaa local user`: who waits after wrong passwords, and the
//! end of it.

use crate::base::date::Date;
use crate::base::format::Format;
use crate::base::lockout::Whose;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::{Outcome, Refusal};
use crate::views::snapshot::Snapshot;
use hubward_proto::names::Untrusted;
use serde::Serialize;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

/// `show aaa local user lockout`
pub(super) fn show(context: &Context, _: &Arguments) -> Output {
    shown(Lockouts(Arc::clone(&context.snapshot)))
}

/// `clear aaa local user {fail-attempts|lockout} {all|username NAME}`
///
/// The log says who did it: whoever guesses must not be able to begin anew unseen.
pub(super) fn clear(context: &Context, arguments: &Arguments, _: &mut dyn Write) -> Outcome {
    let (views, name) = (&context.desk.views, arguments.get("name"));
    let found = views.lockout.forget(name);
    views.ordered();
    let who = context.caller.line.map_or_else(|| "control socket".to_owned(), |line| views.lines.who(line));
    match name {
        None => tracing::warn!("%AAA-5-USER_UNLOCKED: All users unlocked by {who}"),
        Some(name) if found => {
            tracing::warn!("%AAA-5-USER_UNLOCKED: User {} unlocked by {who}", Untrusted::new(name));
        }
        Some(name) => {
            return Ok(Err(Refusal::Failed(format!(
                "no failed logins of {} are remembered",
                Untrusted::new(name)
            ))));
        }
    }
    Ok(Ok(()))
}

/// Who waits.
#[derive(Debug, Serialize)]
struct LockoutRow {
    /// `user-at-address`, `address`, `user`.
    kind: &'static str,
    user: Option<String>,
    /// The level of `enable`, if it is its password.
    enable: Option<u8>,
    /// The address; for `user` the last that failed.
    source: IpAddr,
    failures: u32,
    since: String,
    until: String,
    /// Seconds left.
    left: u64,
}

struct Lockouts(Arc<Snapshot>);

impl Layout for Lockouts {
    type Row = LockoutRow;

    fn rows(&self) -> impl Iterator<Item = LockoutRow> {
        let snapshot = &self.0;
        snapshot.lockouts.iter().map(|locked| LockoutRow {
            kind: match &locked.whose {
                Whose::UserAt { .. } => "user-at-address",
                Whose::AnyAt { .. } => "address",
                Whose::UserEverywhere { .. } => "user",
            },
            user: locked.whose.user().map(ToString::to_string),
            enable: locked.whose.enable(),
            source: locked.whose.source(),
            failures: locked.failures,
            since: Date::new(snapshot.wall_at(locked.since)).iso(),
            until: Date::new(snapshot.wall_at(locked.until)).iso(),
            left: locked.until.since(snapshot.now).as_secs(),
        })
    }

    /// The first two columns are those of IOS, where a user is locked out at all addresses and
    /// until he is unlocked.
    fn text(&self, _: Format, out: &mut dyn Write) -> io::Result<()> {
        let snapshot = &self.0;
        let moment = |at| Date::new(snapshot.wall_at(at)).moment();
        let line = |user: &str, lock: &str, until: &str, source: &str, failures: &str| {
            format!("          {user:<19} {lock:<29} {until:<29} {source:<18} {failures}")
        };
        writeln!(out)?;
        writeln!(out, "{}", line("Local-user", "Lock time", "Until", "Source", "Failures"))?;
        for locked in &snapshot.lockouts {
            let name = locked.whose.user().map_or_else(|| "(others)".to_owned(), named);
            let name = match locked.whose.enable() {
                Some(level) => format!("{name} (enable {level})"),
                None => name,
            };
            let source = match &locked.whose {
                Whose::UserAt { source, .. } | Whose::AnyAt { source } => source.to_string(),
                Whose::UserEverywhere { .. } => "(all that failed)".into(),
            };
            let (since, until) = (moment(locked.since), moment(locked.until));
            writeln!(out, "{}", line(&name, &since, &until, &source, &locked.failures.to_string()))?;
        }
        Ok(())
    }
}

/// A name as the text has it: in quotes if a stranger chose one that looks like something of ours,
/// as `admin (enable 15)` does.
fn named(user: &Untrusted) -> String {
    let shown = user.to_string();
    match shown.is_empty() || shown.contains([' ', '(', '"']) {
        true => format!("\"{shown}\""),
        false => shown,
    }
}

#[cfg(test)]
mod tests {
    use crate::base::clock::now;
    use crate::base::console_lines::LineName;
    use crate::base::format::Format;
    use crate::exec::command::Caller;
    use crate::manage::desk::{PRIVILEGED, Refusal};
    use std::net::IpAddr;

    /// The command ends the lock-out of the user that it names, and of nobody else, and says who
    /// gave it.
    #[test]
    fn clear_ends_a_lockout() {
        use tracing_subscriber::layer::SubscriberExt as _;
        let desk = crate::views::tests::desk();
        // the example has `no logging on`
        desk.views.logging.configure(&hubward_config::model::Config::default());
        let lockout = &desk.views.lockout;
        let (from, now) = (IpAddr::from([192, 0, 2, 1]), now());
        let place = desk.views.lines.enter([LineName::Vty(0)], "admin", "10.1.1.50", PRIVILEGED, now);
        let vty = place.as_ref().map(|place| place.line);
        let give = |line: &str, privilege: u8, at: Option<LineName>| {
            let mut out = Vec::new();
            let caller = Caller { privilege, format: Format::Modern, line: at };
            let done = crate::exec::run(line, caller, &desk, &mut out).unwrap();
            assert_eq!(out, b"");
            done
        };
        // so many failures that the waits outlast a pause of the machine
        (0..8).for_each(|_| lockout.failed(from, "anna", now));
        (0..8).for_each(|_| lockout.failed(from, "bert", now));
        lockout.passed(from, "carl", now);
        let of = |name: &str| lockout.wait(from, name, now);
        let log = tracing_subscriber::registry()
            .with(crate::log::layer::BufferLayer(std::sync::Arc::clone(&desk.views.logging)));
        tracing::subscriber::with_default(log, || {
            assert!(of("anna").is_some() && of("bert").is_some());
            assert_eq!(give("clear aaa local user lockout username Anna", PRIVILEGED, vty), Ok(()));
            assert_eq!(of("anna"), None);
            assert!(of("bert").is_some());
            let left = &desk.views.snapshot().lockouts;
            assert!(
                left.iter().all(|locked| locked.whose.user().is_some_and(|user| user.to_string() == "bert"))
            );
            let again = give("clear aaa local user lockout username anna", PRIVILEGED, vty);
            assert!(matches!(again, Err(Refusal::Failed(_))));
            assert!(give("clear aaa local user lockout all", 1, vty).is_err());
            assert!(of("bert").is_some());
            assert_eq!(give("clear aaa local user fail-attempts all", PRIVILEGED, None), Ok(()));
            assert_eq!(of("bert"), None);
        });
        let lines = desk.views.logging.buffer.view().lines;
        let text: String = lines.iter().map(|line| format!("{line:?}\n")).collect();
        assert!(text.contains("User Anna unlocked by admin on vty0 (10.1.1.50)"), "{text}");
        assert!(text.contains("All users unlocked by control socket"), "{text}");
    }

    #[test]
    fn a_name_that_looks_like_something_of_ours_is_in_quotes() {
        let shown = |name: &str| super::named(&hubward_proto::names::Untrusted::new(name));
        assert_eq!(shown("gfullage@example.org"), "gfullage@example.org");
        for name in ["admin (enable 15)", "(others)", "", "\"a\" b"] {
            assert_eq!(shown(name), format!("\"{name}\""));
        }
    }
}
