//! Who is at a line: the console and the vty lines, for `show users`.

use hubward_proto::time::Instant;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// `con 0`, `vty 3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LineName {
    /// The local console; several may be open.
    Console(u16),
    /// A vty line (SSH).
    Vty(u16),
}

/// A user at a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserLine {
    pub(crate) line: LineName,
    /// Empty if no login was needed.
    pub(crate) user: String,
    /// The address that the user comes from; empty for this machine.
    pub(crate) location: String,
    pub(crate) privilege: u8,
    /// When the user typed last.
    pub(crate) typed: Instant,
}

/// The lines in use.
#[derive(Debug, Default)]
pub(crate) struct Lines(Mutex<BTreeMap<LineName, UserLine>>);

/// A line in use; free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Occupied {
    lines: Arc<Lines>,
    /// Which.
    pub(crate) line: LineName,
}

impl Lines {
    /// Takes the first of these lines that is free. `None` when all are in use.
    pub(crate) fn enter(
        self: &Arc<Self>,
        of: impl IntoIterator<Item = LineName>,
        user: &str,
        location: &str,
        privilege: u8,
        now: Instant,
    ) -> Option<Occupied> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let line = of.into_iter().find(|line| !lines.contains_key(line))?;
        let entry = UserLine { line, user: user.into(), location: location.into(), privilege, typed: now };
        lines.insert(line, entry);
        Some(Occupied { lines: Arc::clone(self), line })
    }

    /// Whether a user is on a line.
    pub(crate) fn is_taken(&self, line: LineName) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&line)
    }

    /// The user of a line, as the log prints it: `admin on vty0 (10.1.1.50)`.
    pub(crate) fn who(&self, line: LineName) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = match line {
            LineName::Console(_) => "console".to_string(),
            LineName::Vty(number) => format!("vty{number}"),
        };
        match lines.get(&line) {
            Some(UserLine { user, location, .. }) if !user.is_empty() => {
                format!("{user} on {place} ({location})")
            }
            _ => place,
        }
    }

    /// Everybody, by line.
    pub(crate) fn list(&self) -> Vec<UserLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Occupied {
    /// The user typed, or has another privilege now.
    pub(crate) fn touch(&self, now: Instant, privilege: u8) {
        let mut lines = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = lines.get_mut(&self.line) {
            (entry.typed, entry.privilege) = (now, privilege);
        }
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.lines.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_free_again_when_its_user_leaves() {
        let lines = Arc::new(Lines::default());
        let enter = || lines.enter((0..=1).map(LineName::Vty), "a", "10.1.1.50", 1, Instant::ORIGIN);
        let (first, second) = (enter().unwrap(), enter().unwrap());
        assert_eq!((first.line, second.line), (LineName::Vty(0), LineName::Vty(1)));
        assert!(enter().is_none());
        drop(first);
        assert_eq!(lines.list().len(), 1);
        let again = enter().unwrap();
        assert_eq!(again.line, LineName::Vty(0));
        again.touch(Instant::ORIGIN, 15);
        assert_eq!(lines.list()[0].privilege, 15);
    }
}
