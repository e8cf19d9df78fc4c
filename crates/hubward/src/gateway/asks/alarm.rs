//! Logs that a thread has waited long for the disk of the state folder, and that it no longer
//! waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After this time the log reports it.
const SLOW: Duration = Duration::from_secs(5);

/// When a thread started its current piece of work.
#[derive(Default)]
pub(crate) struct Busy(Mutex<Option<Instant>>);

impl Busy {
    /// Does a piece of work.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.set(Some(Instant::now()));
        let done = work();
        self.set(None);
        done
    }

    fn set(&self, since: Option<Instant>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    fn lasts(&self) -> Duration {
        let since = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// Watches such a thread from another one.
pub(crate) struct Alarm {
    busy: Arc<Busy>,
    /// What happens until the disk answers.
    until: &'static str,
    slow: bool,
}

impl Alarm {
    /// `until`: what happens until the disk answers, for the log.
    pub(crate) fn new(until: &'static str) -> Self {
        Self { busy: Arc::default(), until, slow: false }
    }

    /// For the thread, which works inside [`Busy::during`].
    pub(crate) fn busy(&self) -> Arc<Busy> {
        Arc::clone(&self.busy)
    }

    /// Called once a second: logs that the disk does not answer, and that it answers again.
    pub(crate) fn look(&mut self) {
        let slow = self.busy.lasts() >= SLOW;
        if slow && !self.slow {
            let (seconds, until) = (SLOW.as_secs(), self.until);
            tracing::error!(
                "the disk of the state folder has not answered for {seconds} s: {until} until it does"
            );
        }
        if self.slow && !slow {
            tracing::info!("the disk of the state folder answers again");
        }
        self.slow = slow;
    }
}
