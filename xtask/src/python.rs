//! The virtual environment with the network automation that logs in to Hubward in the interop
//! tests.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Debian's own Python, to which its package `python3-venv` belongs; another may come first in the
/// search path.
const DEBIAN: &str = "/usr/bin/python3";

/// Makes the environment in the target folder, unless it is there from the same requirements.
pub(crate) fn install(target: &Path) -> Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = if Path::new(DEBIAN).exists() { DEBIAN } else { "python3" };
    let status = Command::new(python)
        .arg(workspace.join("tests/interop/python/install.py"))
        .arg(target.join("interop-python"))
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("start {python}"))?;
    if !status.success() {
        bail!("install.py: {status}");
    }
    Ok(())
}
