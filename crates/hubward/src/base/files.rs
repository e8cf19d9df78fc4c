//! Reads files written by others, up to a size that no valid file exceeds: a device file or a log
//! by mistake must not fill the memory.

use crate::base::disk;
use anyhow::Context as _;
use std::fs::{File, Metadata};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Bytes of a configuration. A large router's has one megabyte.
pub(crate) const CONFIGURATION: u64 = 8 << 20;
/// Bytes of a client's profile, or of a file with a password.
pub(crate) const PROFILE: u64 = 64 << 10;

/// A file's bytes; a longer file than `limit` is refused.
pub(crate) fn read(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    read_from(file, &path.display().to_string(), limit)
}

/// The same of standard input, as it was called in an argument: `-`.
pub(crate) fn read_input(limit: u64) -> anyhow::Result<Vec<u8>> {
    read_from(std::io::stdin().lock(), "standard input", limit)
}

fn read_from(file: impl std::io::Read, name: &str, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).with_context(|| format!("cannot read {name}"))?;
    if bytes.len() as u64 > limit {
        anyhow::bail!("{name} has more than {limit} bytes");
    }
    Ok(bytes)
}

/// The same for a file that must be text.
pub(crate) fn read_text(path: &Path, limit: u64) -> anyhow::Result<String> {
    String::from_utf8(read(path, limit)?).with_context(|| format!("{} is not UTF-8", path.display()))
}

/// The folder of a file; that of a bare name is the current one.
pub(crate) fn folder(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Replaces the content of a file atomically: a reader, or a start after a power failure, finds
/// either the old content or the new. Its mode and, where possible, its owner stay.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    // the file that a link points to, not the link
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = folder(&path);
    let cannot_write = || format!("cannot write {}", path.display());
    let mut new = tempfile::Builder::new()
        .prefix(".hubward-")
        .tempfile_in(folder)
        .map_err(nameless)
        .with_context(cannot_write)?;
    new.write_all(bytes).with_context(cannot_write)?;
    if let Ok(old) = std::fs::metadata(&path) {
        give(new.as_file(), &path, &old);
        new.as_file().set_permissions(old.permissions()).with_context(cannot_write)?;
    }
    disk::sync(new.as_file(), &path).with_context(cannot_write)?;
    new.persist(&path).map_err(|error| error.error).with_context(cannot_write)?;
    File::open(folder).and_then(|opened| disk::sync(&opened, folder)).with_context(cannot_write)
}

/// An error without the name of a file that exists for a moment only, and means nothing to anybody.
fn nameless(error: std::io::Error) -> std::io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), std::io::Error::from_raw_os_error)
}

/// Gives a new file the owner of another, if it has not. One who may not do that keeps the file.
fn give(new: &File, path: &Path, like: &Metadata) {
    let owner = |of: &Metadata| (of.uid(), of.gid());
    if new.metadata().is_ok_and(|new| owner(&new) == owner(like)) {
        return;
    }
    if let Err(error) = std::os::unix::fs::fchown(new, Some(like.uid()), Some(like.gid())) {
        let (user, group) = owner(like);
        tracing::warn!(
            "{} does not stay with user {user} and group {group}, who may be unable to read it: {error}",
            path.display()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_long_as_the_limit_and_one_byte_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("profile");
        for limit in [0, PROFILE, CONFIGURATION] {
            std::fs::write(&path, vec![b'!'; usize::try_from(limit).unwrap()]).unwrap();
            assert_eq!(read_text(&path, limit).unwrap().len() as u64, limit);
            std::fs::write(&path, vec![b'!'; usize::try_from(limit).unwrap() + 1]).unwrap();
            let refusal = read_text(&path, limit).unwrap_err().to_string();
            assert!(refusal.contains(&format!("more than {limit} bytes")), "{refusal}");
        }
        // a file without an end
        assert!(read(Path::new("/dev/zero"), PROFILE).is_err());
        assert!(read_text(&folder.path().join("absent"), 1).unwrap_err().to_string().contains("cannot read"));
    }

    #[test]
    fn the_folder_of_a_bare_name_is_the_current_one() {
        assert_eq!(folder(Path::new("hub.cfg")), Path::new("."));
        assert_eq!(folder(Path::new("/etc/hub.cfg")), Path::new("/etc"));
        // a new file there
        let there = tempfile::Builder::new().prefix(".hubward-test-").tempfile_in(".").unwrap();
        let name = std::path::PathBuf::from(there.path().file_name().unwrap());
        drop(there);
        let replaced = replace(&name, b"new").map_err(|error| format!("{error:#}"));
        assert_eq!((replaced, std::fs::remove_file(&name).is_ok()), (Ok(()), true));
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("hub.cfg"), folder.path().join("link"));
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(std::fs::symlink_metadata(&link).unwrap().file_type().is_symlink());
        assert!(replace(&folder.path().join("absent").join("x"), b"").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
        let first = folder.path().join("first");
        replace(&first, b"x").unwrap();
        assert_eq!(std::fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// The service's configuration stays the service's when root writes it.
    #[test]
    fn a_file_of_another_user_stays_his() {
        if rustix::process::geteuid().as_raw() != 0 {
            // nobody else may do so
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hub.cfg");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        std::os::unix::fs::chown(&path, Some(1), Some(2)).unwrap();
        replace(&path, b"new").unwrap();
        let there = std::fs::metadata(&path).unwrap();
        assert_eq!((there.uid(), there.gid(), there.mode() & 0o777), (1, 2, 0o640));
    }

    /// An error names the file that was to be written, not the temporary one beside it.
    #[test]
    fn an_error_names_no_temporary_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gone").join("hub.cfg");
        let why = format!("{:#}", replace(&file, b"hostname Hub\n").unwrap_err());
        assert!(why.contains("cannot write ") && why.contains("gone/hub.cfg"), "{why}");
        assert!(!why.contains(".hubward-"), "{why}");
    }
}
