//! The Python scripts of `tests/interop/python`, run by the virtual environment that `cargo ci
//! python` makes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::hubward::{target, workspace};

/// The environment's folder: `HUBWARD_PYTHON`, else where `cargo ci python` makes it.
pub fn environment() -> PathBuf {
    std::env::var_os("HUBWARD_PYTHON").map_or_else(|| target().join("interop-python"), PathBuf::from)
}

/// The environment's interpreter.
pub fn interpreter() -> Result<PathBuf> {
    let environment = environment();
    // written when everything is in place
    if !environment.join("made-from").exists() {
        bail!("the environment {}, which `cargo ci python` makes", environment.display());
    }
    Ok(environment.join("bin/python"))
}

/// A command that runs a script of `tests/interop/python` in a folder of the test: whatever it and
/// its libraries write at home goes there, and the environment's own programs come first in the
/// search path.
pub fn script(mut command: Command, name: &str, home: &Path) -> Result<Command> {
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .arg(workspace().join("tests/interop/python").join(name))
        .current_dir(home)
        .env("HOME", home)
        .env("PATH", format!("{}:{path}", environment().join("bin").display()))
        .env("ANSIBLE_COLLECTIONS_PATH", environment().join("collections"));
    Ok(command)
}
