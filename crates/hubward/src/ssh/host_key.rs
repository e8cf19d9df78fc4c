//! The host key: an Ed25519 key, made at the first start and kept in the state folder.

use crate::files;
use anyhow::Context as _;
use hubward_linux::random;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use std::path::Path;

/// The key's name in the state folder.
const NAME: &str = "ssh_host_ed25519_key";

/// Reads the key, or makes it where there is none. One that cannot be read stays as it is, and stops the server: clients
/// would take another key for an attack.
pub(super) fn load(state: &Path) -> anyhow::Result<PrivateKey> {
    let path = state.join(NAME);
    if path.exists() {
        let text = files::read_text(&path, files::PROFILE)?;
        return PrivateKey::from_openssh(text)
            .with_context(|| format!("{} is not a private key of OpenSSH's", path.display()));
    }
    let key = Ed25519Keypair::from_seed(&random::seed()?);
    let key = PrivateKey::new(KeypairData::Ed25519(key), "hubward")?;
    // a new file is readable by nobody else
    files::replace(&path, key.to_openssh(LineEnding::LF)?.as_bytes())?;
    tracing::info!("made the SSH host key {}", path.display());
    Ok(key)
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
        std::fs::write(folder.path().join(NAME), "no key").unwrap();
        assert!(load(folder.path()).is_err());
        assert_eq!(std::fs::read_to_string(folder.path().join(NAME)).unwrap(), "no key");
    }
}
