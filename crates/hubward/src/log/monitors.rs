//! Terminals with `terminal monitor`. Each has a queue and a thread of its own: a slow terminal
//! loses lines and delays nothing.

use crate::base::console_lines::LineName;
use crate::base::format::Format;
use crate::supervise;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Messages that wait for a slow terminal.
const QUEUE: usize = 512;

/// The terminals that watch.
#[derive(Default)]
pub(crate) struct Monitors(Mutex<Watching>);

#[derive(Default)]
struct Watching {
    next: u64,
    terminals: BTreeMap<u64, Terminal>,
}

struct Terminal {
    line: LineName,
    classic: Arc<AtomicBool>,
    queue: SyncSender<String>,
    lost: u64,
}

/// A terminal watches until this is dropped.
pub(crate) struct Subscription {
    monitors: Arc<Monitors>,
    number: u64,
    classic: Arc<AtomicBool>,
}

impl Monitors {
    fn locked(&self) -> MutexGuard<'_, Watching> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on `tell` gets every message, one or several lines without the last line end, on a
    /// thread of its own. It may take its time: messages that do not fit into its queue in the
    /// meantime are lost to this terminal, and their number is reported to it. An error if there
    /// can be no thread.
    pub(crate) fn subscribe(
        self: &Arc<Self>,
        line: LineName,
        format: Format,
        tell: impl Fn(&str) + Send + 'static,
    ) -> std::io::Result<Subscription> {
        let (queue, messages) = sync_channel::<String>(QUEUE);
        std::thread::Builder::new().name("monitor".into()).spawn(move || {
            supervise::guarded("monitor", || {
                for message in messages {
                    tell(&message);
                }
            });
        })?;
        let classic = Arc::new(AtomicBool::new(format == Format::Classic));
        let mut watching = self.locked();
        let number = watching.next;
        watching.next += 1;
        watching.terminals.insert(number, Terminal { line, classic: Arc::clone(&classic), queue, lost: 0 });
        Ok(Subscription { monitors: Arc::clone(self), number, classic })
    }

    /// Tells every terminal that `may` watch a message in its format, and waits for none; how many
    /// it was given to.
    pub(crate) fn publish(
        &self,
        may: impl Fn(LineName) -> bool,
        message: impl Fn(Format) -> String,
    ) -> usize {
        let mut watching = self.locked();
        let mut given = 0;
        for terminal in watching.terminals.values_mut().filter(|terminal| may(terminal.line)) {
            let classic = terminal.classic.load(Ordering::Relaxed);
            let message = message(if classic { Format::Classic } else { Format::Modern });
            if terminal.lost > 0 {
                let told = format!("{} messages were lost: this terminal is too slow", terminal.lost);
                if terminal.queue.try_send(told).is_err() {
                    terminal.lost += 1;
                    continue;
                }
                terminal.lost = 0;
            }
            if terminal.queue.try_send(message).is_err() {
                terminal.lost += 1;
            } else {
                given += 1;
            }
        }
        given
    }

    /// How many terminals watch.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.locked().terminals.len()
    }
}

impl Subscription {
    /// `terminal show-format` chose another layout.
    pub(crate) fn format(&self, format: Format) {
        self.classic.store(format == Format::Classic, Ordering::Relaxed);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.monitors.locked().terminals.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn a_terminal_watches_until_it_leaves() {
        let monitors = Arc::new(Monitors::default());
        let (sender, told) = channel();
        let tell = move |line: &str| sender.send(line.to_string()).unwrap();
        let subscription = monitors.subscribe(LineName::Vty(0), Format::Modern, tell).unwrap();
        let message = |format| format!("{format:?}");
        monitors.publish(|_| true, message);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "Modern");
        subscription.format(Format::Classic);
        monitors.publish(|line| line == LineName::Vty(1), message);
        monitors.publish(|line| line == LineName::Vty(0), message);
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), "Classic");
        drop(subscription);
        assert_eq!(monitors.count(), 0);
        assert!(told.recv_timeout(PATIENCE).is_err(), "its thread has ended");
    }

    /// One that hangs loses what does not fit, is notified of that, and delays neither us nor the
    /// others.
    #[test]
    fn a_slow_terminal_delays_nobody() {
        let monitors = Arc::new(Monitors::default());
        let (go, wait) = channel::<()>();
        let (sender, told) = channel();
        let slow = move |line: &str| {
            wait.recv().unwrap();
            sender.send(line.to_string()).unwrap();
        };
        let _slow = monitors.subscribe(LineName::Vty(0), Format::Modern, slow).unwrap();
        for number in 0..QUEUE + 100 {
            monitors.publish(|_| true, |_| number.to_string());
        }
        for _ in 0..QUEUE {
            go.send(()).unwrap();
            told.recv_timeout(PATIENCE).unwrap();
        }
        for _ in 0..3 {
            go.send(()).unwrap();
        }
        monitors.publish(|_| true, |_| "last".to_string());
        let mut rest = vec![];
        while rest.last().is_none_or(|line: &String| line != "last") {
            rest.push(told.recv_timeout(PATIENCE).unwrap());
        }
        let lost = rest.iter().find(|line| line.ends_with("messages were lost: this terminal is too slow"));
        let lost: usize = lost.unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!((99..=100).contains(&lost), "one was on its way: {lost}");
    }
}
