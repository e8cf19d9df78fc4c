//! Faults on demand, in test builds only: a file `panic-NAME` or `hang-NAME` in the folder that
//! [`FOLDER`] names makes the thread of that name panic or hang at its next heartbeat. The file is
//! removed first, so that the restarted program does not do the same.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

#[cfg(all(feature = "fault-injection", not(debug_assertions)))]
compile_error!("fault-injection is for test builds: it lets whoever may write into a folder end the gateway");

/// The environment variable with the folder. That a release build lacks this is tested by looking
/// for the name.
const FOLDER: &str = "HUBWARD_INJECT_FAULTS";

/// A place at which a thread may fail.
pub(crate) fn point(name: &str) {
    static CHOSEN: OnceLock<Option<PathBuf>> = OnceLock::new();
    if let Some(folder) = CHOSEN.get_or_init(|| std::env::var_os(FOLDER).map(PathBuf::from)) {
        point_in(folder, name);
    }
}

#[allow(clippy::panic, reason = "a panic is what was ordered, and this is in test builds only")]
pub(super) fn point_in(folder: &Path, name: &str) {
    let ordered = |what: &str| std::fs::remove_file(folder.join(format!("{what}-{name}"))).is_ok();
    if ordered("panic") {
        std::panic::panic_any(format!("a panic in {name} was ordered"));
    }
    if ordered("hang") {
        loop {
            std::thread::sleep(Duration::from_secs(3600));
        }
    }
}
