//! What the process gives up before its first thread.

use hubward_linux::privilege::{self, Capability};
use std::path::Path;

/// What a gateway or a VPN client uses.
pub(crate) const OF_A_GATEWAY: [Capability; 3] =
    [Capability::NetAdmin, Capability::NetRaw, Capability::NetBindService];

/// Gives up every right but these, so that whoever gets in through a fault of this program gets no
/// more. Says which capabilities are left, of those that it was started with.
///
/// `files` are read and written, and `state` is a folder of such files. Root started by hand may
/// have been given those of another user, such as the service: then it keeps the right to read and
/// write them, and to leave them to their owner.
pub(crate) fn confine(needed: &[Capability], files: &[&Path], state: &Path) -> anyhow::Result<String> {
    privilege::forbid_core_dumps()?;
    // no other user may read the state folder, leases and keys, whoever starts the program
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let mut kept = needed.to_vec();
    if !all_own(files, state) {
        for capability in [Capability::Chown, Capability::DacOverride, Capability::Fowner] {
            if privilege::has(capability)? {
                kept.push(capability);
            }
        }
    }
    privilege::keep_only(&kept)?;
    Ok(kept.into_iter().map(Capability::name).collect::<Vec<_>>().join(", "))
}

/// Whether permissions alone give access to all these files, and to those in the state folder.
fn all_own(files: &[&Path], state: &Path) -> bool {
    let in_state = std::fs::read_dir(state).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = files.iter().copied().chain([state]);
    files.map(Path::to_path_buf).chain(in_state).all(|file| privilege::is_own(&file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::files::folder;
    use std::os::unix::fs::chown;

    /// The configuration, its folder, the state folder and each file there.
    #[test]
    fn one_file_of_another_user_is_enough_to_keep_the_right_to_write_it() {
        let top = tempfile::tempdir().unwrap();
        let (config, state) = (top.path().join("hub.cfg"), top.path().join("state"));
        assert!(all_own(&[&config, folder(&config)], &state), "nothing is there yet");
        std::fs::create_dir(&state).unwrap();
        let file = state.join("database");
        for path in [&config, &file] {
            std::fs::write(path, "").unwrap();
        }
        assert!(all_own(&[&config, folder(&config)], &state));
        if rustix::process::geteuid().as_raw() != 0 {
            // nobody else can make files of another user
            return;
        }
        for path in [&config, &file, &state] {
            chown(path, Some(1), None).unwrap();
            assert!(!all_own(&[&config, folder(&config)], &state), "{}", path.display());
            chown(path, Some(0), None).unwrap();
        }
    }
}
