//! The Debian packages that the tests need, installed by name.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Peers and tools of the interop tests. `dnsmasq-base` and `strongswan-charon` bring no service of
/// their own.
const PACKAGES: [&str; 28] = [
    "strongswan-charon",
    "strongswan-swanctl",
    "libcharon-extra-plugins",
    "libcharon-extauth-plugins",
    "libstrongswan-standard-plugins",
    "libstrongswan-extra-plugins",
    "vpnc",
    "ike-scan",
    "tshark",
    "tcpdump",
    "iperf3",
    "valgrind",
    "dnsmasq-base",
    "iproute2",
    "iputils-ping",
    "nftables",
    "conntrack",
    "procps",
    "mmdebstrap",
    "util-linux",
    "tmux",
    "openssh-client",
    "python3-venv",
    "rancid",
    "qemu-system-x86",
    "busybox-static",
    "cpio",
    "kmod",
];

/// Nobody's services start while packages are installed: the tests start what they need, in
/// namespaces of their own.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Installs what is missing.
pub(crate) fn install() -> Result<()> {
    if Command::new("dpkg-query").arg("--version").stdout(Stdio::null()).status().is_err() {
        bail!("this is not Debian: install the counterparts of {} yourself", PACKAGES.join(" "));
    }
    let missing: Vec<&str> = PACKAGES.into_iter().filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        println!("all {} packages are installed", PACKAGES.len());
        return Ok(());
    }
    println!("missing: {}", missing.join(" "));
    let root = text(Command::new("id").arg("-u"))?.trim() == "0";
    if !root
        && Command::new("sudo")
            .arg("-n")
            .arg("true")
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    {
        return apt(&["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"], &missing);
    }
    if !root {
        bail!(
            "not root and no sudo without a password; run: apt-get install --no-install-recommends {}",
            missing.join(" ")
        );
    }
    let ours = !Path::new(POLICY).exists();
    if ours {
        std::fs::write(POLICY, "#!/bin/sh\nexit 101\n").context("write policy-rc.d")?;
        status(Command::new("chmod").args(["755", POLICY]))?;
    }
    let result = apt(&["env", "DEBIAN_FRONTEND=noninteractive"], &missing);
    if ours {
        std::fs::remove_file(POLICY).context("remove policy-rc.d")?;
    }
    result
}

fn apt(prefix: &[&str], packages: &[&str]) -> Result<()> {
    let (program, rest) = prefix.split_first().context("no program")?;
    status(Command::new(program).args(rest).args(["apt-get", "update", "-q"]))?;
    status(
        Command::new(program)
            .args(rest)
            .args(["apt-get", "install", "-y", "-q", "--no-install-recommends"])
            .args(packages),
    )
}

fn installed(package: &str) -> bool {
    text(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]))
        .is_ok_and(|state| state == "installed")
}

fn status(command: &mut Command) -> Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("start {command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}

fn text(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("start {command:?}"))?;
    if !output.status.success() {
        bail!("{command:?}: {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
