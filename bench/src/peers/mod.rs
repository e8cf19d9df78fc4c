//! The tunnels.

pub(crate) mod hubward;
mod openvpn;
pub(crate) mod strongswan;
mod wireguard;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use crate::load;
use crate::machine;
use crate::net::{INNER, OUTER, Pair, Process};
use hubward::Esp;

/// The MTU in bytes of the tunnels that can be configured.
const MTU: &str = "1400";

/// A program with its settings.
#[derive(Debug, Clone)]
pub(crate) enum Peer {
    /// None: the cable alone.
    Veth,
    /// This build, or that of `--against`: name, program, transform set, encapsulation.
    Hubward(String, PathBuf, &'static str, Esp),
    /// Name, proposal.
    StrongSwan(&'static str, &'static str),
    OpenVpn,
    /// Name, program, arguments before the interface's name.
    WireGuard(&'static str, String, &'static [&'static str]),
    /// The path of its program.
    Prototype(String),
}

/// The prefixes of this build's names, and of the names of the program of `--against`.
const OURS: &str = "hubward-";
const AGAINST: &str = "against-";

/// The peer that the program of `--against` is compared with: `hubward-gcm` for `against-gcm`.
pub(crate) fn counterpart(name: &str) -> Option<String> {
    Some(format!("{OURS}{}", name.strip_prefix(AGAINST)?))
}

/// All peers, with Hubward next to those it is compared with.
pub(crate) fn all(against: Option<&Path>, prototype: Option<&str>) -> Vec<Peer> {
    let ours = |kind: &str, set, esp| Peer::Hubward(format!("{OURS}{kind}"), machine::hubward(), set, esp);
    let tool = |program: &str| machine::tool(program).display().to_string();
    let mut all = vec![
        Peer::Veth,
        ours("gcm", "esp-gcm", Esp::Udp),
        Peer::StrongSwan("strongswan-gcm", "aes128gcm16"),
        ours("gcm-native", "esp-gcm", Esp::Native),
        Peer::OpenVpn,
        Peer::WireGuard("wireguard-go", "wireguard-go".into(), &["-f"]),
        Peer::WireGuard("boringtun", tool("boringtun-cli"), &["-f", "--disable-drop-privileges"]),
        Peer::WireGuard("gotatun", tool("gotatun"), &["-f", "--disable-drop-privileges"]),
        ours("cbc", "esp-aes esp-sha-hmac", Esp::Udp),
        Peer::StrongSwan("strongswan-cbc", "aes128-sha1"),
        ours("3des", "esp-3des esp-sha-hmac", Esp::Udp),
        Peer::StrongSwan("strongswan-3des", "3des-sha1"),
    ];
    let old = against.map(|program| all.iter().filter_map(|peer| peer.by(program)).collect::<Vec<_>>());
    all.extend(old.into_iter().flatten());
    all.extend(prototype.map(|program| Peer::Prototype(program.to_owned())));
    all
}

impl Peer {
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Veth => "veth".into(),
            Self::Hubward(name, ..) => name.clone(),
            Self::StrongSwan(name, _) | Self::WireGuard(name, ..) => (*name).into(),
            Self::OpenVpn => "openvpn".into(),
            Self::Prototype(_) => "prototype".into(),
        }
    }

    /// The same peer run by another program, if it is this build's.
    fn by(&self, program: &Path) -> Option<Self> {
        let Self::Hubward(name, _, set, esp) = self else { return None };
        let kind = name.strip_prefix(OURS)?;
        Some(Self::Hubward(format!("{AGAINST}{kind}"), program.to_path_buf(), set, *esp))
    }

    /// Whether its name, or its counterpart's, begins with one of these; an empty list means every
    /// peer.
    pub(crate) fn is_wanted(&self, only: &[String]) -> bool {
        let name = self.name();
        let counterpart = counterpart(&name);
        let begins = |only: &String| {
            name.starts_with(only) || counterpart.as_ref().is_some_and(|ours| ours.starts_with(only))
        };
        only.is_empty() || only.iter().any(begins)
    }

    /// The addresses between which it is measured.
    pub(crate) fn ends(&self) -> [&'static str; 2] {
        if matches!(self, Self::Veth) { load::BARE } else { load::BEHIND }
    }

    pub(crate) fn start(&self, pair: &Pair) -> Result<Tunnel> {
        match self {
            Self::Veth => {
                let sleep = |side| {
                    let mut command = pair.command(side, "sleep")?;
                    command.arg("infinity");
                    pair.start("sleep", command)
                };
                pair.ip(0, &format!("addr add {}/32 dev lo", INNER[0]))?;
                pair.ip(1, &format!("addr add {}/32 dev lo", INNER[1]))?;
                pair.ip(0, &format!("route add {}/32 via {} src {}", INNER[1], OUTER[1], INNER[0]))?;
                pair.ip(1, &format!("route add {}/32 via {} src {}", INNER[0], OUTER[0], INNER[1]))?;
                Ok(Tunnel { processes: [sleep(0)?, sleep(1)?] })
            }
            Self::Hubward(_, program, set, esp) => hubward::start(pair, program, set, *esp),
            Self::StrongSwan(_, esp) => strongswan::start(pair, esp),
            Self::OpenVpn => openvpn::start(pair),
            Self::WireGuard(_, program, arguments) => wireguard::start(pair, program, arguments),
            Self::Prototype(program) => {
                let start = |side: usize| {
                    let mut command = pair.command(side, program)?;
                    let [here, there] =
                        [OUTER[side], OUTER[1 - side]].map(|address| format!("{address}:7000"));
                    command.args(["gcm", "proto0", &here, &there]);
                    pair.start(&format!("prototype-{side}"), command)
                };
                let tunnel = Tunnel { processes: [start(0)?, start(1)?] };
                std::thread::sleep(Duration::from_millis(500));
                for side in [0, 1] {
                    pair.ip(side, &format!("addr add {}/16 dev proto0", INNER[side]))?;
                    pair.ip(side, &format!("link set proto0 mtu {MTU} up"))?;
                }
                Ok(tunnel)
            }
        }
    }
}

/// A running tunnel: the programs of both sides.
#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) processes: [Process; 2],
}

impl Tunnel {
    /// Waits for a ping to be answered.
    pub(crate) fn wait_up(&self, pair: &Pair) -> Result<()> {
        for _ in 0..60 {
            if pair.run(0, &["ping", "-c", "1", "-W", "1", "-I", INNER[0], INNER[1]]).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(250));
        }
        let [a, b] = &self.processes;
        let last = |process: &Process| process.log().lines().last().unwrap_or_default().to_owned();
        bail!("the tunnel does not come up: {:?}, {:?}", last(a), last(b))
    }

    pub(crate) fn cpu(&self) -> Result<[f64; 2]> {
        let [a, b] = &self.processes;
        Ok([a.cpu()?, b.cpu()?])
    }

    /// Waits until it has processed what is left of the last load, which takes some programs
    /// seconds.
    pub(crate) fn settle(&self) -> Result<()> {
        let mut before = self.cpu()?;
        for _ in 0..300 {
            std::thread::sleep(Duration::from_millis(200));
            let now = self.cpu()?;
            // at most a tick each
            if now.iter().zip(before).all(|(now, before)| now - before <= 0.011) {
                return Ok(());
            }
            before = now;
        }
        bail!("the tunnel does not come to rest")
    }

    pub(crate) fn memory(&self) -> Result<u64> {
        let [a, b] = &self.processes;
        Ok(a.memory()?.max(b.memory()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(against: Option<&str>, only: &[&str]) -> Vec<String> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        let all = all(against.map(Path::new), None).into_iter();
        all.filter(|peer| peer.is_wanted(&only)).map(|peer| peer.name()).collect()
    }

    /// Each peer of this build has one of the other program next to it, with the same cipher, and
    /// is selected together with it.
    #[test]
    fn the_other_program_runs_whatever_this_one_runs() {
        for (only, expected) in [
            (&["hubward-cbc"][..], &["hubward-cbc", "against-cbc"][..]),
            (&["against-3des"], &["against-3des"]),
            (&["hubward-gcm-native", "veth"], &["veth", "hubward-gcm-native", "against-gcm-native"]),
            (&["openvpn"], &["openvpn"]),
        ] {
            assert_eq!(names(Some("/old/hubward"), only), expected);
        }
        assert!(!names(None, &[]).iter().any(|name| name.starts_with(AGAINST)));
        let all = all(Some(Path::new("/old/hubward")), None);
        let hubwards: Vec<_> = all
            .iter()
            .filter_map(|peer| match peer {
                Peer::Hubward(name, program, set, esp) => Some((name.as_str(), program, set, esp)),
                _ => None,
            })
            .collect();
        let old: Vec<_> = hubwards.iter().filter(|(name, ..)| name.starts_with(AGAINST)).collect();
        assert_eq!(old.len() * 2, hubwards.len());
        for (name, program, set, esp) in old {
            assert_eq!(*program, Path::new("/old/hubward"));
            let ours = counterpart(name).unwrap();
            let ours = hubwards.iter().find(|(name, ..)| *name == ours).unwrap();
            assert_eq!((ours.2, ours.3), (*set, *esp), "{name}");
            assert_eq!(*ours.1, machine::hubward());
        }
    }
}
