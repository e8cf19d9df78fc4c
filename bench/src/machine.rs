//! What the machine is, and what must be installed on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Debian's packages.
const PACKAGES: [&str; 15] = [
    "iproute2",
    "iputils-ping",
    "strongswan-charon",
    "charon-systemd",
    "strongswan-swanctl",
    "libcharon-extra-plugins",
    "libstrongswan-standard-plugins",
    "libstrongswan-extra-plugins",
    "openvpn",
    "openssl",
    "wireguard-go",
    "wireguard-tools",
    "iperf3",
    "ethtool",
    "nftables",
];

/// Programs that Debian does not have: peer, crate, version, program.
pub(crate) const CRATES: [(&str, &str, &str, &str); 2] = [
    ("boringtun", "boringtun-cli", "0.7.1", "boringtun-cli"),
    ("gotatun", "gotatun-cli", "0.10.2", "gotatun"),
];

/// Where such a crate is installed: each version has a folder of its own.
fn tool_root(name: &str, version: &str) -> PathBuf {
    workspace().join(format!("target/bench/tools/{name}-{version}"))
}

/// The path of such a program.
pub(crate) fn tool(program: &str) -> PathBuf {
    let root =
        CRATES.iter().find(|(.., of)| *of == program).map(|(_, name, version, _)| tool_root(name, version));
    root.unwrap_or_default().join("bin").join(program)
}

pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Installs what is missing (of the crates, only the wanted ones), and builds Hubward. What cannot
/// be installed is reported when its turn comes.
pub(crate) fn install(wanted: impl Fn(&str) -> bool) -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("network namespaces and packages want root: sudo -E cargo …");
    }
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|name| !installed(name)).collect();
    if !missing.is_empty() {
        println!("installing {}", missing.join(" "));
        let apt = |words: &[&str]| {
            Command::new("apt-get")
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(words)
                .stdout(Stdio::null())
                .status()
        };
        apt(&["update", "-q"])?;
        for name in missing {
            if !apt(&["install", "-y", "-q", "--no-install-recommends", name])?.success() {
                println!("{name} could not be installed");
            }
        }
    }
    for (peer, name, version, program) in CRATES {
        if !wanted(peer) || tool(program).exists() {
            continue;
        }
        let root = tool_root(name, version);
        println!("building {name} {version}");
        let arguments = ["install", "--quiet", "--locked", "--version", version, name, "--root"];
        if !cargo().args(arguments).arg(&root).status()?.success() {
            println!("{name} {version} could not be installed");
        }
    }
    println!("building hubward");
    let arguments = ["build", "--quiet", "--release", "--locked", "--package", "hubward"];
    if !cargo().args(arguments).current_dir(workspace()).status()?.success() {
        bail!("hubward does not build");
    }
    Ok(())
}

/// Cargo, without the package variables that it set for this program: build scripts would see a
/// changed environment and rebuild everything that depends on them.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let told = |name: &str| name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        command.env_remove(name);
    }
    command
}

fn installed(package: &str) -> bool {
    let output =
        Command::new("dpkg-query").args(["-W", "-f", "${Status}", package]).stderr(Stdio::null()).output();
    output.is_ok_and(|output| output.stdout.ends_with(b" installed"))
}

/// The path of Hubward's release build.
pub(crate) fn hubward() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("release/hubward")
}

/// The processor, how many there are, and the kernel.
pub(crate) fn description() -> Result<String> {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").context("read /proc/cpuinfo")?;
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let count = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Ok(format!("{count} × {model}, Linux {}", kernel.trim()))
}

/// The first line that a program prints.
fn said(program: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().find(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned())
}

/// The version that a program prints.
pub(crate) fn version(program: &Path) -> Option<String> {
    said(program, &["--version"])
}

/// The versions of the programs, as they print them.
pub(crate) fn versions() -> Vec<String> {
    let package = |name: &str| {
        Some(format!("{name} {}", said("dpkg-query".as_ref(), &["-W", "-f", "${Version}", name])?))
    };
    let mut all: Vec<Option<String>> = vec![version(&hubward())];
    all.extend(["charon-systemd", "openvpn", "wireguard-go", "iperf3"].map(package));
    all.extend(CRATES.map(|(_, name, version, _)| Some(format!("{name} {version}"))));
    all.into_iter().flatten().collect()
}
