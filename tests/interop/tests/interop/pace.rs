//! How many trials run at a time, in which order, and how long each took.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Trials whose times are listed at the end.
const TOLD: usize = 15;

/// Between the starts of two trials: to build a network and start peers in it wants more of a
/// processor than what comes after.
const APART: Duration = Duration::from_secs(1);

/// Lends processors to trials that want one for themselves, and remembers how long each trial took.
pub(crate) struct Pace {
    free: Mutex<usize>,
    returned: Condvar,
    /// When the next trial may start.
    next: Mutex<Instant>,
    took: Mutex<Vec<(Duration, String)>>,
}

impl Pace {
    pub(crate) fn new(processors: usize) -> Self {
        Self {
            free: Mutex::new(processors),
            returned: Condvar::new(),
            next: Mutex::new(Instant::now()),
            took: Mutex::default(),
        }
    }

    /// Runs a trial, which does not panic; a busy one when a processor is free.
    pub(crate) fn run<T>(&self, name: &str, busy: bool, trial: impl FnOnce() -> T) -> T {
        if busy {
            let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.returned.wait_while(free, |free| *free == 0);
            *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        }
        {
            // a reader that arrives meanwhile waits for the lock and then for its own second
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            *next = Instant::now() + APART;
        }
        let start = Instant::now();
        let outcome = trial();
        let took = (start.elapsed(), name.to_owned());
        self.took.lock().unwrap_or_else(PoisonError::into_inner).push(took);
        if busy {
            *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            self.returned.notify_one();
        }
        outcome
    }

    /// Prints the longest trials; nothing when a single one ran.
    pub(crate) fn tell_longest(&self) {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        if took.len() < 2 {
            return;
        }
        took.sort_unstable_by(|a, b| b.cmp(a));
        println!("the longest of {} trials", took.len());
        for (time, name) in took.iter().take(TOLD) {
            println!("{:>7.1} s  {name}", time.as_secs_f32());
        }
    }
}

/// One list of two, each in its order and evenly spread: busy trials that queue for a processor
/// would keep others from starting.
pub(crate) fn spread<T>(busy: Vec<T>, waiting: Vec<T>) -> Vec<T> {
    let place = |list: Vec<T>| {
        let len = list.len().max(1) as f32;
        list.into_iter().enumerate().map(move |(at, item)| ((at as f32 + 0.5) / len, item))
    };
    let mut all: Vec<(f32, T)> = place(busy).chain(place(waiting)).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().map(|(_, item)| item).collect()
}
