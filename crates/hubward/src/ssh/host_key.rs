//! The host key: an Ed25519 key, made at the first start and kept in the state folder.

use crate::base::files;
use anyhow::Context as _;
use hubward_linux::owned::set_aside;
use hubward_linux::privilege::leave_to_owner_of_folder;
use hubward_linux::random;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use std::path::Path;

/// The key's name in the state folder.
const NAME: &str = "ssh_host_ed25519_key";

/// Reads the key, or generates it if there is none. A file that cannot be used is moved aside, and
/// that is reported, because clients take a changed key for an attack. A key that cannot be written
/// lasts until the end of the process.
pub(super) fn load(state: &Path) -> anyhow::Result<PrivateKey> {
    let path = state.join(NAME);
    if path.exists() {
        match read(&path) {
            Ok(key) => return Ok(key),
            Err(error) => {
                let moved = set_aside(&path);
                tracing::error!("the SSH host key has changed: {error:#}; {moved}");
            }
        }
    }
    let key = Ed25519Keypair::from_seed(&random::seed()?);
    let key = PrivateKey::new(KeypairData::Ed25519(key), "hubward")?;
    // a new file is readable by its owner only
    let written = files::replace(&path, key.to_openssh(LineEnding::LF)?.as_bytes());
    match written.and_then(|()| Ok(leave_to_owner_of_folder(&path)?)) {
        Ok(()) => tracing::info!("made the SSH host key {}", path.display()),
        Err(error) => tracing::error!("the SSH host key will change at the next restart: {error:#}"),
    }
    Ok(key)
}

fn read(path: &Path) -> anyhow::Result<PrivateKey> {
    let text = files::read_text(path, files::PROFILE)?;
    PrivateKey::from_openssh(text)
        .with_context(|| format!("{} is not an OpenSSH private key", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_key_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let made = load(folder.path()).unwrap();
        let mode = std::fs::metadata(folder.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(load(folder.path()).unwrap().public_key(), made.public_key());
    }

    #[test]
    fn a_key_that_is_none_is_moved_aside_and_another_made() {
        let folder = tempfile::tempdir().unwrap();
        let whole = load(folder.path()).unwrap();
        let text = std::fs::read(folder.path().join(NAME)).unwrap();
        for (number, bytes) in
            [b"no key".to_vec(), Vec::new(), text[..text.len() / 2].to_vec(), vec![0xff; 300]]
                .into_iter()
                .enumerate()
        {
            let folder = folder.path().join(number.to_string());
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join(NAME), &bytes).unwrap();
            let made = load(&folder).unwrap();
            assert_ne!(made.public_key(), whole.public_key());
            assert_eq!(load(&folder).unwrap().public_key(), made.public_key());
            let aside = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
            let aside: Vec<_> = aside.filter(|path| path.to_string_lossy().contains(".broken-")).collect();
            assert_eq!(std::fs::read(&aside[0]).unwrap(), bytes);
        }
        // where nothing can be written there is a key all the same
        assert!(load(Path::new("/proc/hubward")).is_ok());
        assert!(load(&folder.path().join("absent")).is_ok());
    }
}
