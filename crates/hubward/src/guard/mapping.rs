//! Which link is which interface, remembered for when no gateway runs.

use crate::base::disk;
use crate::machine::view::Names;
use hubward_linux::privilege::leave_to_owner_of_folder;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Bytes of the longest name of a link: `IFNAMSIZ` without the 0 at its end.
pub(crate) const LINK_NAME: usize = 15;

fn mapping(state: &Path) -> PathBuf {
    state.join("interfaces")
}

/// Writes down which Linux interface is which, for the next boot: then the guard is set before they
/// are there. A boot after a power failure finds these names or the ones before: the disk has the
/// new file before it takes the place of the old one, which may take the disk seconds.
pub(crate) fn remember(state: &Path, names: &Names) {
    let text: String = names.iter().map(|(ios, linux)| format!("{ios}={linux}\n")).collect();
    let path = mapping(state);
    if std::fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return;
    }
    let fresh = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&fresh)?;
        file.write_all(text.as_bytes())?;
        disk::sync(&file, &fresh)
    };
    let written = std::fs::create_dir_all(state)
        .and_then(|()| write())
        .and_then(|()| leave_to_owner_of_folder(&fresh))
        .and_then(|()| std::fs::rename(&fresh, &path));
    if let Err(error) = written {
        tracing::warn!("{}: the names of interfaces could not be saved: {error}", path.display());
    }
}

pub(crate) fn remembered(state: &Path) -> Option<Names> {
    let text = std::fs::read_to_string(mapping(state)).ok()?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Some(pairs.map(|(ios, linux)| (ios.to_owned(), linux.to_owned())).collect())
}
