//! Logs that a thread has waited long for a disk, and that it no longer waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// After this time the log reports it.
const SLOW: Duration = Duration::from_secs(5);

/// For the log: where leases and what the guard remembers are.
pub(crate) const STATE: &str = "the disk of the state folder";

/// When a thread started its current piece of work, and the disk that it needs for it.
#[derive(Default)]
pub(crate) struct Busy(Mutex<Option<(Instant, &'static str)>>);

impl Busy {
    /// Does a piece of work on a disk.
    pub(crate) fn during<T>(&self, disk: &'static str, work: impl FnOnce() -> T) -> T {
        self.set(Some((Instant::now(), disk)));
        let done = work();
        self.set(None);
        done
    }

    fn set(&self, current: Option<(Instant, &'static str)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = current;
    }

    /// The disk that has been waited for too long.
    fn slow(&self) -> Option<&'static str> {
        let current = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.filter(|(since, _)| since.elapsed() >= SLOW).map(|(_, disk)| disk)
    }
}

/// Watches such a thread from another one.
pub(crate) struct Alarm {
    busy: Arc<Busy>,
    /// What happens until the disk answers.
    until: &'static str,
    /// The disk that did not answer when it was looked last.
    slow: Option<&'static str>,
}

impl Alarm {
    /// `until`: what happens until the disk answers, for the log.
    pub(crate) fn new(until: &'static str) -> Self {
        Self { busy: Arc::default(), until, slow: None }
    }

    /// For the thread, which works inside [`Busy::during`].
    pub(crate) fn busy(&self) -> Arc<Busy> {
        Arc::clone(&self.busy)
    }

    /// Called once a second: logs that the disk does not answer, and that it answers again.
    pub(crate) fn look(&mut self) {
        let slow = self.busy.slow();
        if let Some(disk) = self.slow.filter(|disk| slow != Some(*disk)) {
            tracing::info!("{disk} answers again");
        }
        if let Some(disk) = slow.filter(|disk| self.slow != Some(*disk)) {
            let (seconds, until) = (SLOW.as_secs(), self.until);
            tracing::error!("{disk} has not answered for {seconds} s: {until} until it does");
        }
        self.slow = slow;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::layer::SubscriberExt as _;

    /// It is told once that a disk does not answer, which one, and once that it does again.
    #[test]
    fn the_disk_that_does_not_answer_is_named() {
        let logging = Arc::new(crate::log::logging::Logging::default());
        let log = tracing_subscriber::registry().with(crate::log::layer::BufferLayer(Arc::clone(&logging)));
        let mut alarm = Alarm::new("nothing is written");
        let long_ago = Instant::now().checked_sub(SLOW).unwrap();
        tracing::subscriber::with_default(log, || {
            let current = [
                Some((Instant::now(), STATE)),
                Some((long_ago, "the other disk")),
                Some((long_ago, "the other disk")),
                Some((long_ago, STATE)),
                None,
                None,
            ];
            for current in current {
                alarm.busy.set(current);
                alarm.look();
            }
        });
        let lines = logging.buffer.view().lines;
        let told: Vec<_> = lines.iter().map(|line| format!("{line:?}")).collect();
        let expected = [
            "the other disk has not answered for 5 s: nothing is written until it does",
            "the other disk answers again",
            "the disk of the state folder has not answered for 5 s: nothing is written until it does",
            "the disk of the state folder answers again",
        ];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        assert!(told.iter().zip(expected).all(|(told, expected)| told.contains(expected)), "{told:?}");
    }
}
