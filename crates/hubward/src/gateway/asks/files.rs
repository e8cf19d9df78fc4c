//! The thread `files`, which writes small files that the gateway thread only needs written: the
//! names of interfaces for the next boot, and a configuration that was replaced without having been
//! saved. A disk that takes seconds to sync holds up no tunnel.

use crate::gateway::asks::alarm::{Alarm, Busy, STATE};
use crate::supervise::{BEAT, Heart, Supervisor, guarded};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the end of the program waits for what is still to be written: it has eight seconds
/// altogether.
const LAST: Duration = Duration::from_secs(2);

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The names of the interfaces, in the state folder.
    Names,
    /// A configuration that was replaced without having been saved, beside its file.
    Unsaved,
}

impl Kind {
    /// For the log.
    fn what(self) -> &'static str {
        match self {
            Self::Names => "the names of the interfaces for the next start",
            Self::Unsaved => "the configuration that was not saved",
        }
    }

    /// For the log: where it is written.
    fn disk(self) -> &'static str {
        match self {
            Self::Names => STATE,
            Self::Unsaved => "the disk of the configuration file",
        }
    }
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Waiting {
    /// The last job of each kind: an earlier one that waits would be written over.
    jobs: BTreeMap<Kind, Job>,
    /// The one that is being done.
    busy: Option<Kind>,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a job, if there is one within this time.
    fn take(&self, time: Duration) -> Option<(Kind, Job)> {
        let mut waiting = self.waiting();
        if waiting.jobs.is_empty() {
            (waiting, _) = self.changed.wait_timeout(waiting, time).unwrap_or_else(PoisonError::into_inner);
        }
        let (kind, job) = waiting.jobs.pop_first()?;
        waiting.busy = Some(kind);
        Some((kind, job))
    }

    /// Does the next job, if there is one within this time.
    fn next(&self, busy: &Busy, heart: &Heart, time: Duration) {
        let Some((kind, job)) = self.take(time) else { return };
        // nothing that a job has is used again, so its panic need not end the tunnels
        let done = busy.during(kind.disk(), || heart.away(|| guarded("files", job)));
        if done.is_none() {
            tracing::error!("{} may not have been written", kind.what());
        }
        self.waiting().busy = None;
        self.changed.notify_all();
    }
}

/// Where the gateway has files written.
pub(crate) struct Files {
    queue: Arc<Queue>,
    alarm: Alarm,
}

impl Files {
    /// Starts the thread.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(supervisor: &Arc<Supervisor>) -> std::io::Result<Self> {
        let (queue, alarm) =
            (Arc::new(Queue::default()), Alarm::new("files for the next start are not written"));
        let (jobs, busy) = (Arc::clone(&queue), alarm.busy());
        let work = move |heart: &Heart| {
            loop {
                heart.beat();
                jobs.next(&busy, heart, BEAT);
            }
        };
        supervisor.spawn("files", work)?;
        Ok(Self { queue, alarm })
    }

    /// Does a job on the thread, in place of one of its kind that still waits.
    pub(crate) fn later(&self, kind: Kind, job: impl FnOnce() + Send + 'static) {
        self.queue.waiting().jobs.insert(kind, Box::new(job));
        self.queue.changed.notify_all();
    }

    /// Called once a second: logs that the disk does not answer, and that it answers again.
    pub(crate) fn look(&mut self) {
        self.alarm.look();
    }
}

impl Drop for Files {
    /// The program ends: what waits is still written, if the disk lets it.
    fn drop(&mut self) {
        let until = Instant::now() + LAST;
        let mut waiting = self.queue.waiting();
        while let Some(kind) = waiting.busy.or_else(|| waiting.jobs.keys().next().copied()) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let (what, disk) = (kind.what(), kind.disk());
                tracing::error!("{what} may not have been written: {disk} does not answer");
                return;
            }
            (waiting, _) =
                self.queue.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// Whoever asks does not wait; of several jobs of a kind that wait, the last is done, and the
    /// end waits for it.
    #[test]
    fn a_file_is_written_later_and_the_newest_counts() {
        let supervisor = Supervisor::new();
        let files = Files::start(&supervisor).unwrap();
        let (go_on, stuck) = channel::<()>();
        let (sender, written) = channel();
        files.later(Kind::Names, move || stuck.recv().unwrap());
        let began = Instant::now();
        while files.queue.waiting().busy.is_none() && began.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        for number in 0..1_000 {
            let sender = sender.clone();
            files.later(Kind::Unsaved, move || sender.send(number).unwrap());
        }
        assert_eq!(files.queue.waiting().jobs.len(), 1);
        assert!(written.try_recv().is_err());
        go_on.send(()).unwrap();
        drop(files);
        drop(sender);
        assert_eq!(written.iter().collect::<Vec<_>>(), [999]);
        assert_eq!(supervisor.fault(), None);
    }

    /// A job that panics costs its file alone, and the log says so; the thread goes on, and the end
    /// waits for nothing.
    #[test]
    fn a_job_that_panics_is_told() {
        use tracing_subscriber::layer::SubscriberExt as _;
        let (logging, supervisor) = (Arc::new(crate::log::logging::Logging::default()), Supervisor::new());
        let log = tracing_subscriber::registry().with(crate::log::layer::BufferLayer(Arc::clone(&logging)));
        let queue = Queue::default();
        queue.waiting().jobs.insert(Kind::Unsaved, Box::new(|| std::panic::panic_any("no room".to_owned())));
        let (busy, heart_of) = (Alarm::new("nothing is written").busy(), Arc::clone(&supervisor));
        tracing::subscriber::with_default(log, || {
            heart_of.work("files", |heart| {
                heart.retire();
                queue.next(&busy, heart, Duration::ZERO);
            });
        });
        assert_eq!(queue.waiting().busy, None);
        assert_eq!(supervisor.fault(), None);
        let text: String = logging.buffer.view().lines.iter().map(|line| format!("{line:?}\n")).collect();
        assert!(text.contains("panicked: no room"), "{text}");
        assert!(text.contains("the configuration that was not saved may not have been written"), "{text}");
    }
}
