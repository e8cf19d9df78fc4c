//! Configurations that tests read.

use std::path::{Path, PathBuf};

/// Every configuration under a folder, in order.
pub(crate) fn configurations(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "txt" || extension == "cfg") {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{} holds no configuration", folder.display());
    found
}

/// The configurations of `HUBWARD_CORPUS`; none when it is not set.
pub(crate) fn corpus() -> Vec<PathBuf> {
    let folder = std::env::var_os("HUBWARD_CORPUS").map(PathBuf::from);
    folder.map(|folder| configurations(&folder)).unwrap_or_default()
}
