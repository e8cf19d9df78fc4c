//! Gives memory back to the kernel that a flood or many peers needed and that is free again: the
//! allocator keeps it otherwise.

use hubward_linux::memory;
use hubward_proto::time::Instant;
use std::time::Duration;

/// How often the memory is looked at.
const LOOK: Duration = Duration::from_secs(60);
/// The same, at most, after giving back was in vain, because the memory is in use.
const LOOK_SELDOM: Duration = Duration::from_secs(480);
/// How many bytes more than the least so far are worth giving back.
const GROWN: u64 = 8 << 20;
/// Bytes less than that and it was in vain.
const WORTH: u64 = 1 << 20;

/// When memory is given back.
#[derive(Default)]
pub(crate) struct Memory {
    /// When it is looked at next.
    next: Option<Instant>,
    /// The time between the last two looks.
    wait: Duration,
    /// The fewest bytes that the process had.
    least: Option<u64>,
}

impl Memory {
    /// Looks at the memory of the process, and gives some back, where it is time for that.
    pub(crate) fn look(&mut self, now: Instant) {
        self.look_with(now, || memory::resident().ok(), memory::give_back);
    }

    fn look_with(&mut self, now: Instant, resident: impl Fn() -> Option<u64>, give_back: impl FnOnce()) {
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        self.wait = self.wait.max(LOOK);
        if let Some(before) = resident() {
            let least = self.least.map_or(before, |least| least.min(before));
            self.least = Some(least);
            if before > least + GROWN {
                give_back();
                let after = resident().unwrap_or(before);
                self.wait = match after + WORTH > before {
                    true => (self.wait * 2).min(LOOK_SELDOM),
                    false => LOOK,
                };
                tracing::debug!("of {before} bytes of memory, {after} are left after giving back");
            } else {
                self.wait = LOOK;
            }
        }
        self.next = Some(now + self.wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    const MIB: u64 = 1 << 20;

    /// A process with so many MiB, of which those above `used` can be given back.
    #[derive(Default)]
    struct Process {
        memory: Memory,
        resident: Cell<u64>,
        used: Cell<u64>,
        given: Cell<usize>,
        looked: Cell<usize>,
    }

    impl Process {
        fn at(second: u64) -> Instant {
            Instant::from_origin(Duration::from_secs(second))
        }

        /// How often memory was given back, and how often it was looked at, in these seconds.
        fn run(&mut self, seconds: std::ops::Range<u64>) -> (usize, usize) {
            self.given.set(0);
            self.looked.set(0);
            for second in seconds {
                let resident = || {
                    self.looked.set(self.looked.get() + 1);
                    Some(self.resident.get() * MIB)
                };
                self.memory.look_with(Self::at(second), resident, || {
                    self.given.set(self.given.get() + 1);
                    self.resident.set(self.used.get());
                });
            }
            (self.given.get(), self.looked.get() - self.given.get())
        }
    }

    fn process(resident: u64) -> Process {
        Process { resident: Cell::new(resident), used: Cell::new(resident), ..Process::default() }
    }

    #[test]
    fn memory_is_given_back_if_it_has_grown_by_more_than_eight_mib() {
        let mut it = process(16);
        assert_eq!(it.run(0..60), (0, 1), "looked at once a minute");
        it.resident.set(16 + 8);
        assert_eq!(it.run(60..120), (0, 1));
        it.resident.set(16 + 9);
        assert_eq!(it.run(120..180), (1, 1));
        assert_eq!(it.resident.get(), 16);
        assert_eq!(it.run(180..360), (0, 3));
        // a process that has less than at its start is compared with that
        it.resident.set(10);
        assert_eq!(it.run(360..420), (0, 1));
        it.resident.set(19);
        assert_eq!(it.run(420..480), (1, 1));
    }

    /// While a flood goes on, or with many peers, the memory is in use: it is tried less often, and
    /// once it is free, it goes back.
    #[test]
    fn memory_that_is_in_use_is_tried_less_often() {
        let mut it = process(16);
        it.run(0..60);
        it.resident.set(60);
        it.used.set(60);
        // after 0, 2, 6, 14 and 22 minutes, then each eight minutes
        assert_eq!(it.run(60..60 + 23 * 60), (5, 5));
        let tries = it.run(60 + 23 * 60..60 + 183 * 60);
        assert_eq!(tries, (20, 20));
        it.used.set(16);
        it.run(60 + 183 * 60..60 + 192 * 60);
        assert_eq!(it.resident.get(), 16);
        assert_eq!(it.memory.wait, LOOK, "from then on as before");
    }

    #[test]
    fn without_proc_nothing_is_given_back() {
        let mut memory = Memory::default();
        for second in 0..1000 {
            memory.look_with(Process::at(second), || None, || panic!("given back"));
        }
    }
}
