//! What the process gives up before its first thread.

use hubward_linux::privilege::{self, Capability};
use std::path::Path;

/// The folder of a file, which `write memory` writes too.
pub(crate) fn folder(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Gives up every right that a gateway or VPN client does not use, so that whoever gets in through
/// a fault of this program gets no more than the network. Says which capabilities are left.
///
/// Root started by hand may have been given files of another user, such as those of the service:
/// then it keeps the right to read and write them.
pub(crate) fn confine(files: &[&Path]) -> anyhow::Result<String> {
    privilege::forbid_core_dumps()?;
    // no other user may read the state folder, leases and keys, whoever starts the program
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let mut kept = vec![Capability::NetAdmin, Capability::NetRaw, Capability::NetBindService];
    let all_own = files.iter().all(|file| privilege::is_own(file));
    if !all_own && privilege::has(Capability::DacOverride)? {
        kept.push(Capability::DacOverride);
    }
    privilege::keep_only(&kept)?;
    Ok(kept.into_iter().map(Capability::name).collect::<Vec<_>>().join(", "))
}
