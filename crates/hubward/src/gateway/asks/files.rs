//! The thread `files`, which writes small files that the gateway thread only needs written: the
//! names of interfaces for the next boot, and a configuration that was replaced without having been
//! saved. A disk that takes seconds to sync holds up no tunnel.

use crate::gateway::asks::alarm::Alarm;
use crate::supervise::{BEAT, Heart, Supervisor};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the end of the program waits for what is still to be written: it has eight seconds
/// altogether.
const LAST: Duration = Duration::from_secs(2);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Waiting {
    /// The last job of each kind: an earlier one that waits would be written over.
    jobs: BTreeMap<&'static str, Job>,
    /// One is being done.
    busy: bool,
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
    fn take(&self, time: Duration) -> Option<Job> {
        let mut waiting = self.waiting();
        if waiting.jobs.is_empty() {
            (waiting, _) = self.changed.wait_timeout(waiting, time).unwrap_or_else(PoisonError::into_inner);
        }
        let (_, job) = waiting.jobs.pop_first()?;
        waiting.busy = true;
        Some(job)
    }

    fn done(&self) {
        self.waiting().busy = false;
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
                if let Some(job) = jobs.take(BEAT) {
                    busy.during(|| heart.away(job));
                    jobs.done();
                }
            }
        };
        supervisor.spawn("files", work)?;
        Ok(Self { queue, alarm })
    }

    /// Does a job on the thread, in place of one of its kind that still waits.
    pub(crate) fn later(&self, kind: &'static str, job: impl FnOnce() + Send + 'static) {
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
        while waiting.busy || !waiting.jobs.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                tracing::error!("files for the next start were not written: the disk does not answer");
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
        files.later("slow", move || stuck.recv().unwrap());
        let began = Instant::now();
        while !files.queue.waiting().busy && began.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        for number in 0..1_000 {
            let sender = sender.clone();
            files.later("names", move || sender.send(number).unwrap());
        }
        assert_eq!(files.queue.waiting().jobs.len(), 1);
        assert!(written.try_recv().is_err());
        go_on.send(()).unwrap();
        drop(files);
        drop(sender);
        assert_eq!(written.iter().collect::<Vec<_>>(), [999]);
        assert_eq!(supervisor.fault(), None);
    }
}
