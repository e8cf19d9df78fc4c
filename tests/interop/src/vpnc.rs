//! vpnc, the open-source Cisco VPN client: aggressive mode, group key, XAuth, mode-config.
//!
//! Facts that matter: it offers XAUTHInitPreShared (65001) first; proposes lifetimes of 2147483 s;
//! its quick mode identities are its address and 0.0.0.0/0; single DES and 3DES with group 2 need
//! `Enable weak encryption`; with `NAT Traversal Mode none` it uses bare ESP (protocol 50).

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::lab::Lab;
use crate::net::Ns;
use crate::process::Proc;
use crate::wait::{self, secs};

/// `NAT Traversal Mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NatMode {
    /// No NAT traversal at all: bare ESP.
    None,
    /// RFC 3947 and drafts, when a NAT is found.
    Natt,
    /// UDP even without a NAT.
    Force,
}

/// A vpnc profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// `IPSec gateway`.
    pub gateway: Ipv4Addr,
    /// Group name.
    pub group: String,
    /// Group key.
    pub secret: String,
    /// User.
    pub user: String,
    /// Password.
    pub password: String,
    /// NAT traversal.
    pub nat: NatMode,
    /// `IKE DH Group`, for example `dh2`.
    pub dh: String,
    /// `Perfect Forward Secrecy`: `nopfs`, `dh14`, …
    pub pfs: String,
    /// Our own dead peer detection, seconds; 0 is off.
    pub dpd: u32,
}

impl Default for Profile {
    /// The reference document's client.
    fn default() -> Self {
        Self {
            gateway: crate::topology::HUB,
            group: "testgroup".into(),
            secret: "cisco321".into(),
            user: "gfullage".into(),
            password: "gfullage".into(),
            nat: NatMode::Natt,
            dh: "dh2".into(),
            pfs: "nopfs".into(),
            dpd: 10,
        }
    }
}

/// A running vpnc.
#[derive(Debug)]
pub struct Vpnc {
    dir: PathBuf,
    process: Proc,
}

/// Records what mode-config gave us and sets the tunnel up: only the hub's LAN goes into it.
const SCRIPT: &str = r#"#!/bin/sh
d=$(dirname "$0")
env | grep -E '^(reason|TUNDEV|VPNGATEWAY|INTERNAL_|CISCO_)' | sort >"$d/env.$reason.new"
mv "$d/env.$reason.new" "$d/env.$reason"
if [ "$reason" = connect ]; then
  ip link set dev "$TUNDEV" up mtu 1400
  ip addr add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
  ip route replace 10.1.0.0/16 dev "$TUNDEV" src "$INTERNAL_IP4_ADDRESS"
  touch "$d/up"
fi
exit 0
"#;

impl Vpnc {
    /// Starts vpnc; [`Vpnc::wait_up`] waits for its tunnel.
    pub fn start(lab: &Lab, name: &str, ns: &Ns, profile: &Profile) -> Result<Self> {
        let dir = lab.subdir(name)?;
        let script = dir.join("script");
        fs::write(&script, SCRIPT)?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
        let conf = dir.join("vpnc.conf");
        let nat = match profile.nat {
            NatMode::None => "none",
            NatMode::Natt => "natt",
            NatMode::Force => "force-natt",
        };
        fs::write(
            &conf,
            format!(
                "IPSec gateway {}\nIPSec ID {}\nIPSec secret {}\nXauth username {}\nXauth password {}\nIKE DH Group {}\n\
                 Perfect Forward Secrecy {}\nEnable weak encryption\nEnable weak authentication\nVendor cisco\n\
                 Interface name vpn0\nScript {}\nPidfile {}\nDPD idle timeout (our side) {}\nNAT Traversal Mode {nat}\n\
                 Debug 2\nNo Detach\n",
                profile.gateway,
                profile.group,
                profile.secret,
                profile.user,
                profile.password,
                profile.dh,
                profile.pfs,
                script.display(),
                dir.join("vpnc.pid").display(),
                profile.dpd,
            ),
        )?;
        fs::set_permissions(&conf, fs::Permissions::from_mode(0o600))?;
        // by lines: what it said last is in its log also when it is killed
        let mut command = ns.command("stdbuf");
        command.args(["-oL", "vpnc", "--non-inter"]).arg(&conf);
        let process = lab.spawn(name, &command)?;
        Ok(Self { dir, process })
    }

    /// Waits until the tunnel is up and returns what mode-config said, as the environment of vpnc's
    /// script.
    pub fn wait_up(&mut self) -> Result<BTreeMap<String, String>> {
        wait::until("vpnc's tunnel", secs(30), || {
            if !self.is_up() && !self.process.alive() {
                bail!("vpnc has ended");
            }
            Ok(self.is_up())
        })?;
        self.env()
    }

    /// Whether the tunnel came up.
    pub fn is_up(&self) -> bool {
        self.dir.join("up").exists()
    }

    /// What mode-config said when the tunnel came up, as the environment of vpnc's script.
    pub fn env(&self) -> Result<BTreeMap<String, String>> {
        let text = fs::read_to_string(self.dir.join("env.connect"))?;
        Ok(text
            .lines()
            .filter_map(|l| l.split_once('='))
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .collect())
    }

    /// Waits until vpnc gives up, and returns its log; fails when the tunnel comes up.
    pub fn wait_refused(&mut self, timeout: std::time::Duration) -> Result<String> {
        let up = self.dir.join("up");
        wait::until("vpnc to give up", timeout, || {
            if up.exists() {
                return Ok(true);
            }
            Ok(!self.process.alive())
        })?;
        if up.exists() {
            bail!("vpnc's tunnel came up, which it must not");
        }
        Ok(self.process.log())
    }

    /// The address that mode-config gave.
    pub fn address(env: &BTreeMap<String, String>) -> Result<Ipv4Addr> {
        env.get("INTERNAL_IP4_ADDRESS")
            .context("no INTERNAL_IP4_ADDRESS")?
            .parse()
            .context("INTERNAL_IP4_ADDRESS")
    }

    /// The process: stop, kill, log.
    pub fn process(&mut self) -> &mut Proc {
        &mut self.process
    }
}
