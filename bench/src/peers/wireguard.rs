//! WireGuard in user space: wireguard-go, boringtun, gotatun.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::net::{INNER, OUTER, Pair, say};
use crate::peers::{MTU, Tunnel};

/// `arguments` come before the interface's name.
pub(crate) fn start(pair: &Pair, program: &str, arguments: &[&str]) -> Result<Tunnel> {
    let processes = [0, 1].map(|side| {
        let mut command = pair.command(side, program)?;
        command.args(arguments).arg(NAMES[side]).env("LOG_LEVEL", "error").env("WG_PROCESS_FOREGROUND", "1");
        pair.start(&format!("wireguard-{side}"), command)
    });
    let [a, b] = processes;
    let tunnel = Tunnel { processes: [a?, b?] };
    std::thread::sleep(Duration::from_secs(1));
    let keys = [say(&["wg", "genkey"])?, say(&["wg", "genkey"])?];
    let files = [0, 1].map(|side| pair.folder.join(format!("key-{side}")));
    for (file, key) in files.iter().zip(&keys) {
        std::fs::write(file, key)?;
    }
    for side in [0, 1] {
        let public = say(&["sh", "-c", &format!("wg pubkey < {}", files[1 - side].display())])?;
        let file = files[side].to_str().context("the folder's name is not UTF-8")?;
        let endpoint = format!("{}:51820", OUTER[1 - side]);
        let peer = ["peer", public.trim(), "endpoint", &endpoint, "allowed-ips", "10.9.0.0/16"];
        let own = ["wg", "set", NAMES[side], "private-key", file, "listen-port", "51820"];
        pair.run(side, &[&own[..], &peer[..]].concat()).with_context(|| tunnel.processes[side].log())?;
        pair.ip(side, &format!("addr add {}/16 dev {}", INNER[side], NAMES[side]))?;
        pair.ip(side, &format!("link set {} mtu {MTU} up", NAMES[side]))?;
    }
    Ok(tunnel)
}

const NAMES: [&str; 2] = ["wga", "wgb"];
