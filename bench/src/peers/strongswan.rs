//! strongSwan with ESP in user space (kernel-libipsec), in UDP 4500.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::net::{INNER, OUTER, Pair, Process};
use crate::peers::{MTU, Tunnel};

/// A charon with its folder.
#[derive(Debug)]
pub(crate) struct Charon {
    folder: PathBuf,
    pub(crate) process: Process,
}

impl Charon {
    /// Starts it with this swanctl.conf, and with these additions to strongswan.conf.
    pub(crate) fn start(pair: &Pair, side: usize, swanctl: &str, more: &str) -> Result<Self> {
        let folder = pair.folder.join(format!("charon-{side}"));
        std::fs::create_dir_all(&folder)?;
        let at = folder.display();
        std::fs::write(
            folder.join("strongswan.conf"),
            format!(
                "charon-systemd {{\n load = random nonce openssl pem pkcs1 x509 pubkey hmac kdf aes des sha1 sha2 gmp gcm \
                 kernel-libipsec kernel-netlink socket-default vici\n plugins {{ vici {{ socket = unix://{at}/vici.sock }} }}\n{more}}}\n"
            ),
        )?;
        std::fs::write(folder.join("swanctl.conf"), swanctl)?;
        // each has a /run of its own, for the file with its process id
        let script = format!(
            "mount -t tmpfs none /run && STRONGSWAN_CONF={at}/strongswan.conf exec /usr/sbin/charon-systemd"
        );
        let mut command = pair.command(side, "unshare")?;
        command.args(["-m", "sh", "-c", &script]);
        let process = pair.start(&format!("charon-{side}"), command)?;
        let charon = Self { folder, process };
        for _ in 0..50 {
            if charon.folder.join("vici.sock").exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let file = charon.folder.join("swanctl.conf").display().to_string();
        charon.control(&["--load-all", "--file", &file])?;
        Ok(charon)
    }

    /// Runs swanctl.
    pub(crate) fn control(&self, words: &[&str]) -> Result<String> {
        let folder = self.folder.display();
        let output = Command::new("swanctl")
            .args(words)
            .arg("--uri")
            .arg(format!("unix://{folder}/vici.sock"))
            .env("STRONGSWAN_CONF", format!("{folder}/strongswan.conf"))
            .output()?;
        if !output.status.success() {
            bail!("swanctl {words:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}

pub(crate) fn start(pair: &Pair, esp: &str) -> Result<Tunnel> {
    for side in [0, 1] {
        pair.ip(side, &format!("addr add {}/32 dev lo", INNER[side]))?;
    }
    let a = Charon::start(pair, 0, &config(0, esp), "")?;
    let b = Charon::start(pair, 1, &config(1, esp), "")?;
    a.control(&["--initiate", "--child", "net"])?;
    for side in [0, 1] {
        pair.ip(side, &format!("link set ipsec0 mtu {MTU}"))?;
    }
    Ok(Tunnel { processes: [a.process, b.process] })
}

fn config(side: usize, esp: &str) -> String {
    let (here, there) = (OUTER[side], OUTER[1 - side]);
    let (ours, theirs) = (INNER[side], INNER[1 - side]);
    format!(
        "connections {{\n t {{\n  version = 2\n  local_addrs = {here}\n  remote_addrs = {there}\n  proposals = aes128-sha256-modp2048\n  \
         encap = yes\n  local {{\n   auth = psk\n   id = {here}\n  }}\n  remote {{\n   auth = psk\n   id = {there}\n  }}\n  \
         children {{\n   net {{\n    local_ts = {ours}/32\n    remote_ts = {theirs}/32\n    esp_proposals = {esp}\n   }}\n  }}\n }}\n}}\n\
         secrets {{\n ike-1 {{\n  secret = \"bench\"\n }}\n}}\n"
    )
}
