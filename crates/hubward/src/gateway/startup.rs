//! Copies of a startup configuration next to it, so that nothing that was typed or edited is lost.

use crate::base::files;
use crate::views::Views;
use std::path::Path;

/// The file was read again. If it does not contain what was typed at consoles and never saved,
/// returns what saves that; it waits for the disk. `running` was in force before.
pub(crate) fn unsaved(views: &Views, running: String, text: &str) -> Option<impl FnOnce() + Send + use<>> {
    let lost = running != *views.saved() && running != text;
    let file = views.file().to_path_buf();
    lost.then_some(move || save_unsaved(&file, &running))
}

fn save_unsaved(file: &Path, running: &str) {
    match keep(file, ".unsaved", running) {
        Ok(name) => {
            tracing::warn!("what was typed at consoles was not saved; the configuration before is in {name}")
        }
        Err(error) => tracing::error!("what was typed at consoles was not saved, and is lost: {error:#}"),
    }
}

/// Saves a text next to a file, under the file's name with a suffix, and returns that name.
pub(crate) fn keep(path: &Path, behind: &str, text: &str) -> anyhow::Result<String> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(behind);
    files::replace(&path.with_file_name(&name), text.as_bytes())?;
    Ok(name.to_string_lossy().into_owned())
}
