//! Hubward: a LAN-to-LAN tunnel by crypto map.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::net::{CABLE, INNER, OUTER, Pair, Process};
use crate::peers::Tunnel;

/// How its ESP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Esp {
    /// In UDP 4500: a port that is translated on the path makes the gateways detect a NAT.
    Udp,
    /// IP protocol 50.
    Native,
}

pub(crate) fn start(pair: &Pair, program: &Path, transform_set: &str, esp: Esp) -> Result<Tunnel> {
    pair.inner_on_loopback()?;
    if esp == Esp::Udp {
        for line in [
            "add table ip nat",
            "add chain ip nat post { type nat hook postrouting priority 100; }",
            "add rule ip nat post udp sport 500 snat to 192.0.2.1:10500",
            // UDP 4500 needs no connection tracking of each packet
            "add chain ip nat out { type filter hook output priority -300; }",
            "add rule ip nat out udp sport 4500 notrack",
            "add chain ip nat in { type filter hook prerouting priority -300; }",
            "add rule ip nat in udp sport 4500 notrack",
        ] {
            pair.run(0, &["nft", line])?;
        }
    }
    let launch = |side| launch(pair, side, program, &config(side, transform_set));
    let processes = [launch(0)?, launch(1)?];
    for process in &processes {
        wait_ready(process)?;
    }
    Ok(Tunnel { processes })
}

/// Starts a Hubward program on one side with a configuration.
pub(crate) fn launch(pair: &Pair, side: usize, program: &Path, config: &str) -> Result<Process> {
    let folder = pair.folder.join(format!("hubward-{side}"));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("router.cfg");
    std::fs::write(&file, config)?;
    let mut command = pair.command(side, program.to_str().unwrap_or_default())?;
    command
        .args(["run", "--no-addresses", "--dataplane", "user", "--ssh", "127.0.0.1:2222"])
        .arg(format!("--map=FastEthernet0/0={}", CABLE[side]))
        .arg(format!("--state={}", folder.display()))
        .arg(format!("--socket={}/control.sock", folder.display()))
        .arg(&file);
    pair.start(&format!("hubward-{side}"), command)
}

/// Waits until it reports that it is ready.
pub(crate) fn wait_ready(process: &Process) -> Result<()> {
    for _ in 0..100 {
        if process.log().contains("is ready") {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("hubward does not start: {}", process.log())
}

fn config(side: usize, transform_set: &str) -> String {
    let (here, there) = (OUTER[side], OUTER[1 - side]);
    let (ours, theirs) = (INNER[side], INNER[1 - side]);
    format!(
        "crypto isakmp policy 10\n encr aes\n hash sha\n authentication pre-share\n group 14\n\
         crypto isakmp key bench address {there}\n\
         crypto ipsec transform-set set {transform_set}\n\
         crypto map map 10 ipsec-isakmp\n set peer {there}\n set transform-set set\n match address 100\n\
         interface FastEthernet0/0\n ip address {here} 255.255.255.0\n crypto map map\n\
         access-list 100 permit ip host {ours} host {theirs}\nend\n"
    )
}
