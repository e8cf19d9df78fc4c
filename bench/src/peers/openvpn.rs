//! OpenVPN in user space, with AES-128-GCM.

use anyhow::{Context, Result};

use crate::net::{INNER, OUTER, Pair, say};
use crate::peers::{MTU, Tunnel};

pub(crate) fn start(pair: &Pair) -> Result<Tunnel> {
    let at = |name: &str| pair.folder.join(name).display().to_string();
    let mut prints = Vec::new();
    for name in ["0", "1"] {
        let (key, certificate) = (at(&format!("{name}.key")), at(&format!("{name}.crt")));
        let new =
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let into = ["-keyout", &key, "-out", &certificate, "-days", "30", "-subj", "/CN=bench"];
        say(&[&new[..], &into[..]].concat())?;
        let print = say(&["openssl", "x509", "-in", &certificate, "-noout", "-fingerprint", "-sha256"])?;
        prints.push(print.trim().split_once('=').context("a fingerprint")?.1.to_owned());
    }
    let start = |side: usize| {
        let mut command = pair.command(side, "openvpn")?;
        command.args([
            "--dev",
            "ovpn",
            "--dev-type",
            "tun",
            "--proto",
            "udp",
            "--verb",
            "2",
            "--disable-dco",
        ]);
        command.args(["--cipher", "AES-128-GCM", "--data-ciphers", "AES-128-GCM", "--tun-mtu", MTU]);
        command.args(["--sndbuf", "2097152", "--rcvbuf", "2097152", "--txqueuelen", "1000"]);
        command.args(["--local", OUTER[side], "--ifconfig", INNER[side], INNER[1 - side]]);
        command.args(["--cert", &at(&format!("{side}.crt")), "--key", &at(&format!("{side}.key"))]);
        command.args(["--peer-fingerprint", &prints[1 - side]]);
        match side {
            0 => command.args(["--remote", OUTER[1], "--tls-client"]),
            _ => command.args(["--tls-server", "--dh", "none"]),
        };
        pair.start(&format!("openvpn-{side}"), command)
    };
    let server = start(1)?;
    Ok(Tunnel { processes: [start(0)?, server] })
}
