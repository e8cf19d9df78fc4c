//! `show aaa local user lockout`, `clear aaa local user`: who waits after wrong passwords, and the
//! end of it.

use crate::base::date::Date;
use crate::base::format::Format;
use crate::base::lockout::Whose;
use crate::exec::command::{Arguments, Context, Output, shown};
use crate::exec::layout::Layout;
use crate::manage::desk::{Answers, Desk, Refusal};
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
pub(super) fn clear(desk: &Desk, arguments: &Arguments, _: &Answers<'_>) -> Result<String, Refusal> {
    let name = arguments.get("name");
    let found = desk.views.lockout.forget(name);
    desk.views.ordered();
    match name {
        None => tracing::warn!("%AAA-5-USER_UNLOCKED: All users unlocked"),
        Some(name) if found => {
            tracing::warn!("%AAA-5-USER_UNLOCKED: User {} unlocked", Untrusted::new(name));
        }
        Some(name) => {
            return Err(Refusal::Failed(format!("{} has failed no login", Untrusted::new(name))));
        }
    }
    Ok(String::new())
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
            let name = locked.whose.user().map_or_else(|| "(others)".to_owned(), ToString::to_string);
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

#[cfg(test)]
mod tests {
    use super::super::table::{self, Run};
    use crate::base::clock::now;
    use crate::manage::desk::{Answers, PRIVILEGED, Refusal};
    use std::net::IpAddr;

    /// The command ends the lock-out of the user that it names, and of nobody else.
    #[test]
    fn clear_ends_a_lockout() {
        let desk = crate::views::tests::desk();
        let lockout = &desk.views.lockout;
        let (from, now) = (IpAddr::from([192, 0, 2, 1]), now());
        let give = |line: &str| {
            let (row, arguments) = table::find(line, PRIVILEGED).unwrap();
            let Run::Manage(run) = row.run else { panic!("{line}") };
            run(&desk, &arguments, &Answers::usual())
        };
        (0..5).for_each(|_| lockout.failed(from, "anna", now));
        (0..4).for_each(|_| lockout.failed(from, "bert", now));
        assert_eq!(desk.views.snapshot().lockouts.len(), 2);
        assert_eq!(give("clear aaa local user lockout username anna"), Ok(String::new()));
        assert_eq!(lockout.wait(from, "anna", now), None);
        assert!(lockout.wait(from, "bert", now).is_some());
        assert_eq!(desk.views.snapshot().lockouts.len(), 1);
        assert!(matches!(give("clear aaa local user lockout username anna"), Err(Refusal::Failed(_))));
        assert_eq!(give("clear aaa local user fail-attempts all"), Ok(String::new()));
        assert_eq!(lockout.wait(from, "bert", now), None);
        assert!(table::find("clear aaa local user lockout all", 1).is_err());
    }
}
