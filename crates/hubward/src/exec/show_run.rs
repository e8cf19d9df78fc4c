//! `show running-config`.

use crate::snapshot::Snapshot;

/// The configuration as it was read, after IOS's heading.
pub(crate) fn running_config(snapshot: &Snapshot) -> String {
    let text = snapshot.document.print();
    format!(
        "Building configuration...\n\nCurrent configuration : {} bytes\n!\n{text}{}",
        text.len(),
        if text.ends_with('\n') { "" } else { "\n" }
    )
}
