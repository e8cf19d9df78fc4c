//! Reading files that somebody wrote, up to a size that no honest one has: a device file or a log by mistake must not fill
//! the memory.

use anyhow::Context as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Bytes of a configuration. A large router's has one megabyte.
pub(crate) const CONFIGURATION: u64 = 8 << 20;
/// Bytes of a client's profile, or of a file with a password.
pub(crate) const PROFILE: u64 = 64 << 10;

/// A file's bytes; a longer file than `limit` is refused.
pub(crate) fn read(path: &Path, limit: u64) -> anyhow::Result<Vec<u8>> {
    let cannot_read = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        .with_context(cannot_read)?;
    if bytes.len() as u64 > limit {
        anyhow::bail!("{} has more than {limit} bytes", path.display());
    }
    Ok(bytes)
}

/// The same for a file that must be text.
pub(crate) fn read_text(path: &Path, limit: u64) -> anyhow::Result<String> {
    String::from_utf8(read(path, limit)?).with_context(|| format!("{} is not UTF-8", path.display()))
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
}
