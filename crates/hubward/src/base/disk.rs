//! What waits for a disk: `fsync`, which takes seconds on a busy one and returns errors on a broken
//! one. In test builds both can be ordered for a folder.

use std::fs::File;
use std::io;
use std::path::Path;

/// Returns when the disk has what was written to a file or folder.
///
/// # Errors
/// The disk has not got it, and may never get it.
pub(crate) fn sync(file: &File, path: &Path) -> io::Result<()> {
    ready(path)?;
    file.sync_all()
}

/// Called before something at this path is written to the disk by other code.
///
/// # Errors
/// Only those that were ordered.
#[cfg(not(any(test, feature = "fault-injection")))]
#[expect(clippy::unnecessary_wraps, reason = "it may fail in test builds")]
pub(crate) fn ready(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(any(test, feature = "fault-injection"))]
pub(crate) use faults::ready;

#[cfg(any(test, feature = "fault-injection"))]
mod faults {
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    /// The environment variable with the folder of orders, as `supervise::injection` has it.
    const FOLDER: &str = "HUBWARD_INJECT_FAULTS";

    /// A file `disk` in the folder of orders has the milliseconds that each sync takes, and the
    /// error's number after that, if it shall fail: `5000`, `0 5`.
    #[cfg_attr(not(test), expect(unused_variables, reason = "tests have orders for each folder"))]
    pub(crate) fn ready(path: &Path) -> io::Result<()> {
        #[cfg(test)]
        tests::ordered(path)?;
        std::env::var_os(FOLDER).map_or(Ok(()), |folder| ready_in(Path::new(&folder)))
    }

    fn ready_in(folder: &Path) -> io::Result<()> {
        let Ok(order) = std::fs::read_to_string(folder.join("disk")) else { return Ok(()) };
        let mut numbers = order.split_whitespace().map_while(|word| word.parse().ok());
        let time = numbers.next().unwrap_or(0);
        let error = numbers.next().and_then(|number| i32::try_from(number).ok());
        fail(Duration::from_millis(time), error)
    }

    fn fail(time: Duration, error: Option<i32>) -> io::Result<()> {
        std::thread::sleep(time);
        error.map_or(Ok(()), |number| Err(io::Error::from_raw_os_error(number)))
    }

    #[cfg(test)]
    pub(super) mod tests {
        use super::*;
        use std::path::PathBuf;
        use std::sync::{Arc, Condvar, Mutex, PoisonError};

        /// What each sync below a folder does.
        #[derive(Clone)]
        enum Order {
            Takes(Duration, Option<i32>),
            WaitsFor(Arc<Barrier>),
        }

        /// Folders whose disk is slow or broken.
        static ORDERS: Mutex<Vec<(PathBuf, Order)>> = Mutex::new(Vec::new());
        /// The longest that anybody waits at a gate: a test in which that thread itself would have to
        /// open it fails, and does not hang.
        const OVERDUE: Duration = Duration::from_secs(60);

        #[derive(Default)]
        struct Barrier {
            open: Mutex<bool>,
            changed: Condvar,
        }

        impl Barrier {
            /// Returns whether it was open already.
            fn open(&self) -> bool {
                let before = std::mem::replace(&mut *self.open.lock().unwrap(), true);
                self.changed.notify_all();
                before
            }

            fn wait(&self) {
                let closed = self.open.lock().unwrap();
                let (closed, waited) =
                    self.changed.wait_timeout_while(closed, OVERDUE, |open| !*open).unwrap();
                drop(closed);
                if waited.timed_out() {
                    self.open();
                }
            }
        }

        /// While this is closed, no sync below a folder returns. Open once it is dropped.
        pub(crate) struct Gate(Arc<Barrier>);

        impl Gate {
            /// Lets everybody through from now on.
            ///
            /// # Panics
            /// Somebody waited for it so long that it opened by itself.
            pub(crate) fn open(self) {
                assert!(
                    !self.0.open(),
                    "nobody opened the gate, so somebody waits for the disk who must not"
                );
            }
        }

        impl Drop for Gate {
            fn drop(&mut self) {
                self.0.open();
            }
        }

        /// From now on no sync below a folder returns until the gate is opened.
        pub(crate) fn close(folder: &Path) -> Gate {
            let barrier = Arc::new(Barrier::default());
            add(folder, Order::WaitsFor(Arc::clone(&barrier)));
            Gate(barrier)
        }

        fn add(folder: &Path, order: Order) {
            ORDERS.lock().unwrap_or_else(PoisonError::into_inner).push((folder.to_path_buf(), order));
        }

        pub(super) fn ordered(path: &Path) -> io::Result<()> {
            let orders = ORDERS.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match orders.into_iter().rfind(|(folder, _)| path.starts_with(folder)) {
                None => Ok(()),
                Some((_, Order::Takes(time, error))) => fail(time, error),
                Some((_, Order::WaitsFor(barrier))) => {
                    barrier.wait();
                    Ok(())
                }
            }
        }

        #[test]
        fn what_is_ordered_happens() {
            let folder = tempfile::tempdir().unwrap();
            let order = |text: &str| std::fs::write(folder.path().join("disk"), text).unwrap();
            assert!(ready_in(folder.path()).is_ok());
            order("0 5\n");
            assert_eq!(ready_in(folder.path()).unwrap_err().raw_os_error(), Some(5));
            order("200");
            let began = std::time::Instant::now();
            assert!(ready_in(folder.path()).is_ok());
            assert!(began.elapsed() >= Duration::from_millis(200));
        }

        /// From now on every sync below a folder takes this time, and fails with this error.
        pub(crate) fn order(folder: &Path, time: Duration, error: Option<i32>) {
            add(folder, Order::Takes(time, error));
        }
    }
}

#[cfg(test)]
pub(crate) use faults::tests::{close, order};
