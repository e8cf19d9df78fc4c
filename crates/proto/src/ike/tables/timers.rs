//! Timers: each has one reason, and is set to one time.

use crate::names::{ChildId, ConnId, PeerId};
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// An ISAKMP SA.
    Isakmp(ConnId),
    /// The oldest of the peers that have sent only message 1 of main mode.
    Calls,
    /// A child SA.
    Child(ChildId),
    /// A peer is asked whether it is there.
    Holder(PeerId),
    /// The VPN client's next attempt.
    Reconnect(String),
    /// An IKE SA of another major version than 1.
    Version(u8, ConnId),
}

/// All timers, in the order in which they are due.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Instant, Timer)>,
    armed: BTreeMap<Timer, Instant>,
}

impl Timers {
    /// Takes the first timer that is due at `now`.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Timer> {
        let (at, _) = self.due.first()?;
        if *at > now {
            return None;
        }
        let (_, timer) = self.due.pop_first()?;
        self.armed.remove(&timer);
        Some(timer)
    }

    /// The next timer, and when it is due.
    pub(crate) fn next(&self) -> Option<(Instant, &Timer)> {
        self.due.first().map(|(at, timer)| (*at, timer))
    }

    pub(crate) fn is_armed(&self, timer: &Timer) -> bool {
        self.armed.contains_key(timer)
    }

    /// Sets a timer to another time, or takes it away.
    pub(crate) fn arm(&mut self, timer: Timer, at: Option<Instant>) {
        if self.armed.get(&timer).copied() == at {
            return;
        }
        if let Some(old) = self.armed.remove(&timer) {
            self.due.remove(&(old, timer.clone()));
        }
        if let Some(at) = at {
            self.armed.insert(timer.clone(), at);
            self.due.insert((at, timer));
        }
    }

    pub(crate) fn arm_child(&mut self, id: ChildId, at: Option<Instant>) {
        self.arm(Timer::Child(id), at);
    }

    pub(crate) fn arm_holder(&mut self, id: PeerId, at: Option<Instant>) {
        self.arm(Timer::Holder(id), at);
    }

    pub(crate) fn arm_reconnect(&mut self, name: &str, at: Option<Instant>) {
        self.arm(Timer::Reconnect(name.to_string()), at);
    }
}
