//! A Debian trixie root with strongSwan 6, whose user-space ESP can use IP protocol 50 (`raw_esp`);
//! Debian 12's strongSwan 5.9.8 can do ESP in UDP only.
//!
//! Made once by `mmdebstrap` from the mirror that this machine's apt already uses, and kept in the
//! user's cache folder (`HUBWARD_TRIXIE_ROOT` names another place).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::wait::secs;

const PACKAGES: &str = "strongswan-swanctl,strongswan-charon,libcharon-extra-plugins,libcharon-extauth-plugins,\
                        libstrongswan-standard-plugins,libstrongswan-extra-plugins,iproute2";

/// The root's folder; made by the first caller of a run, which takes a minute or two.
pub fn root() -> Result<&'static Path> {
    static ROOT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match ROOT.get_or_init(|| make().map_err(|e| format!("{e:#}"))) {
        Ok(path) => Ok(path),
        Err(e) => bail!("{e}"),
    }
}

/// Where roots are kept.
pub(crate) fn cache() -> Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("hubward"))
}

fn make() -> Result<PathBuf> {
    let root = match std::env::var_os("HUBWARD_TRIXIE_ROOT") {
        Some(path) => PathBuf::from(path),
        None => cache()?.join("trixie-root"),
    };
    if root.join("usr/lib/ipsec/charon").exists() {
        return Ok(root);
    }
    if !rustix::process::geteuid().is_root() {
        bail!("{} is not there, and only root can make it", root.display());
    }
    let mirror = mirror()?;
    let parent = root.parent().context("the root has no parent folder")?;
    std::fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    // made beside its place and renamed: an interrupted attempt is not mistaken for a root
    let half = parent.join(format!("trixie-root.{}", std::process::id()));
    let mut command = Command::new("mmdebstrap");
    command.args(["--variant=apt", &format!("--include={PACKAGES}"), "trixie"]).arg(&half).arg(&mirror);
    eprintln!("making a Debian trixie root with strongSwan 6 in {} (once)", root.display());
    process::run(&mut command, secs(900)).context("mmdebstrap")?;
    std::fs::rename(&half, &root).with_context(|| format!("rename to {}", root.display()))?;
    Ok(root)
}

/// The first archive, security apart, in apt's own list.
pub(crate) fn mirror() -> Result<String> {
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--format", "$(SITE)"]);
    let list = process::run(&mut command, secs(20)).context("ask apt for its mirror")?;
    list.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.contains("security"))
        .map(String::from)
        .context("apt knows no mirror")
}
