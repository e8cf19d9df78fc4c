//! strongSwan's IKE daemon as hub, spoke or Xauth client, with ESP in user space
//! (`kernel-libipsec`).
//!
//! Each instance runs in a mount namespace of its own with a private `/run`, so that process-id
//! files and control sockets of several instances do not meet. What matters in its configuration:
//!
//! - `kernel-libipsec` must be loaded before `kernel-netlink`: the first that offers ESP wins;
//! - aggressive mode with a pre-shared key must be allowed explicitly;
//! - `raw_esp` (strongSwan 5.9.11 and later) gives ESP in IP protocol 50, else it is always in UDP
//!   4500;
//! - as main mode responder it takes the key of the first connection that fits by address, so the
//!   LAN-to-LAN connection stands first.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::lab::Lab;
use crate::net::Ns;
use crate::process::{self, Proc};
use crate::trixie;
use crate::wait::{self, secs};

/// Which strongSwan, and with it how ESP travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Build {
    /// The machine's own package (Debian 12: 5.9.8); ESP in UDP 4500.
    Machine,
    /// The machine's own package, with ESP in the kernel: IP protocol 50 unless a NAT is on the
    /// path.
    Kernel,
    /// strongSwan 6 in the trixie root; ESP in IP protocol 50 unless a NAT is on the path.
    Trixie,
}

/// Suites and timers of one connection.
#[derive(Debug, Clone)]
pub struct Suite {
    /// `proposals`, for example `3des-sha1-modp1024`.
    pub ike: String,
    /// `esp_proposals`; a group at its end asks for PFS.
    pub esp: String,
    /// `rekey_time` of the IKE SA; `None` = one day.
    pub ike_rekey: Option<Duration>,
    /// `rekey_time` of the child SA; `None` = one hour.
    pub child_rekey: Option<Duration>,
    /// `dpd_delay`; zero is none.
    pub dpd: Duration,
    /// `fragmentation = force`: longer IKE messages are sent in fragments of 350 bytes, although
    /// Hubward does not announce that it reassembles them.
    pub fragments: bool,
}

impl Default for Suite {
    /// The reference document's: 3DES, SHA-1, group 2, no PFS.
    fn default() -> Self {
        Self {
            ike: "3des-sha1-modp1024".into(),
            esp: "3des-sha1".into(),
            ike_rekey: None,
            child_rekey: None,
            dpd: secs(10),
            fragments: false,
        }
    }
}

impl Suite {
    /// AES-256, SHA-256, group 14, with PFS.
    pub fn modern() -> Self {
        Self { ike: "aes256-sha256-modp2048".into(), esp: "aes256-sha256-modp2048".into(), ..Self::default() }
    }

    fn connection(&self) -> String {
        format!(
            "    version = 1\n    proposals = {}\n    rekey_time = {}s\n    over_time = 60s\n    dpd_delay = {}s\n    \
             dpd_timeout = 30s\n    unique = never\n    fragmentation = {}\n",
            self.ike,
            self.ike_rekey.unwrap_or(secs(86_400)).as_secs(),
            self.dpd.as_secs(),
            if self.fragments { "force" } else { "yes" }
        )
    }

    fn child(&self) -> String {
        format!(
            "esp_proposals = {}\n        rekey_time = {}s\n        mode = tunnel\n        dpd_action = clear\n",
            self.esp,
            self.child_rekey.unwrap_or(secs(3600)).as_secs()
        )
    }
}

/// A LAN-to-LAN initiator.
#[derive(Debug, Clone)]
pub struct Spoke {
    /// Own outside address.
    pub local: Ipv4Addr,
    /// The hub.
    pub remote: Ipv4Addr,
    /// Pre-shared key.
    pub key: String,
    /// `local_ts`.
    pub local_net: String,
    /// `remote_ts`.
    pub remote_net: String,
    /// Suites and timers.
    pub suite: Suite,
    /// Further children as (name, local_ts, remote_ts), one child SA each.
    pub more: Vec<(String, String, String)>,
    /// Answer XAuth requests with this user and password (an IOS router with `crypto isakmp client`
    /// lines would not).
    pub aggressive: bool,
}

impl Default for Spoke {
    /// The reference document's spoke.
    fn default() -> Self {
        Self {
            local: crate::topology::SPOKE,
            remote: crate::topology::HUB,
            key: "cisco123".into(),
            local_net: "10.2.0.0/16".into(),
            remote_net: "10.1.0.0/16".into(),
            suite: Suite::default(),
            more: Vec::new(),
            aggressive: false,
        }
    }
}

impl Spoke {
    /// swanctl.conf with one connection `hub` and a child `net`.
    pub fn conf(&self) -> String {
        let mut children = format!(
            "      net {{\n        local_ts = {}\n        remote_ts = {}\n        {}      }}\n",
            self.local_net,
            self.remote_net,
            self.suite.child()
        );
        for (name, local, remote) in &self.more {
            let child = self.suite.child();
            let _ =
                writeln!(children, "      {name} {{ local_ts = {local}\n remote_ts = {remote}\n {child} }}");
        }
        format!(
            "connections {{\n  hub {{\n{}    aggressive = {}\n    local_addrs = {local}\n    remote_addrs = {remote}\n    \
             local {{ auth = psk\n id = {local} }}\n    remote {{ auth = psk\n id = {remote} }}\n    children {{\n{children}    }}\n  }}\n}}\n\
             secrets {{ ike-hub {{ secret = {} }} }}\n",
            self.suite.connection(),
            if self.aggressive { "yes" } else { "no" },
            self.key,
            local = self.local,
            remote = self.remote,
        )
    }
}

/// A hub for spokes with any address (main mode, wildcard key) and for Xauth clients (aggressive
/// mode, group key).
#[derive(Debug, Clone, Default)]
pub struct Hub {
    /// Suites and timers.
    pub suite: Suite,
}

impl Hub {
    /// swanctl.conf with the connections `l2l` (child `net`) and `ra` (child `net`), users and pool
    /// as in the reference document.
    pub fn conf(&self) -> String {
        let (connection, child, hub) = (self.suite.connection(), self.suite.child(), crate::topology::HUB);
        format!(
            "connections {{\n  l2l {{\n{connection}    aggressive = no\n    local_addrs = {hub}\n    remote_addrs = %any\n    \
             local {{ auth = psk\n id = {hub} }}\n    remote {{ auth = psk }}\n    children {{ net {{\n        \
             local_ts = 10.1.0.0/16\n        remote_ts = 10.2.0.0/16\n        {child} }} }}\n  }}\n  \
             ra {{\n{connection}    aggressive = yes\n    local_addrs = {hub}\n    remote_addrs = %any\n    pools = ippool\n    \
             local {{ auth = psk\n id = {hub} }}\n    remote {{ auth = psk\n id = keyid:testgroup }}\n    \
             remote-xauth {{ auth = xauth }}\n    children {{ net {{\n        local_ts = 10.1.0.0/16\n        {child} }} }}\n  }}\n}}\n\
             pools {{ ippool {{\n  addrs = 10.5.5.1-10.5.5.254\n  dns = 1.1.1.1, 2.2.2.2\n  nbns = 3.3.3.3, 4.4.4.4\n  \
             28674 = cisco.com\n  28672 = \"Welcome\"\n}} }}\n\
             secrets {{\n  ike-wildcard {{ secret = cisco123 }}\n  ike-group {{ id = keyid:testgroup\n secret = cisco321 }}\n  \
             xauth-gfullage {{ id = gfullage\n secret = gfullage }}\n}}\n"
        )
    }
}

/// A remote-access client.
#[derive(Debug, Clone)]
pub struct XauthClient {
    /// Own address.
    pub local: Ipv4Addr,
    /// Aggressive mode with a group, or main mode with its own address as identity.
    pub aggressive: bool,
    /// The identity, `keyid:testgroup` or an address.
    pub identity: String,
    /// Group or pre-shared key.
    pub key: String,
    /// XAuth user and password; `None` leaves XAuth out altogether: a client that ignores the
    /// request.
    pub user: Option<(String, String)>,
    /// Ask for an address by mode-config.
    pub mode_config: bool,
    /// Ask for a quick mode.
    pub remote_net: String,
    /// Suites and timers.
    pub suite: Suite,
}

impl Default for XauthClient {
    /// The reference document's client, in aggressive mode.
    fn default() -> Self {
        Self {
            local: crate::topology::CLIENT,
            aggressive: true,
            identity: "keyid:testgroup".into(),
            key: "cisco321".into(),
            user: Some(("gfullage".into(), "gfullage".into())),
            mode_config: true,
            remote_net: "0.0.0.0/0".into(),
            suite: Suite::default(),
        }
    }
}

impl XauthClient {
    /// swanctl.conf with one connection `ra` and a child `net`.
    pub fn conf(&self) -> String {
        let hub = crate::topology::HUB;
        let xauth = match &self.user {
            Some((user, _)) => format!("    local-xauth {{ auth = xauth\n xauth_id = {user} }}\n"),
            None => String::new(),
        };
        let secret = match &self.user {
            Some((user, password)) => format!("xauth-u {{ id = {user}\n secret = {password} }}"),
            None => String::new(),
        };
        format!(
            "connections {{\n  ra {{\n{}    aggressive = {}\n    local_addrs = {}\n    remote_addrs = {hub}\n{}    \
             local {{ auth = psk\n id = {id} }}\n{xauth}    remote {{ auth = psk\n id = {hub} }}\n    \
             children {{ net {{ remote_ts = {}\n {} }} }}\n  }}\n}}\n\
             secrets {{ ike-group {{ id = {id}\n secret = {} }}\n {secret} }}\n",
            self.suite.connection(),
            if self.aggressive { "yes" } else { "no" },
            self.local,
            if self.mode_config { "    vips = 0.0.0.0\n" } else { "" },
            self.remote_net,
            self.suite.child(),
            self.key,
            id = self.identity,
        )
    }
}

/// A running charon.
#[derive(Debug)]
pub struct Charon {
    dir: PathBuf,
    process: Proc,
}

impl Charon {
    /// Starts an instance in a namespace and loads `swanctl_conf`. It gives up earlier than a
    /// packaged one, so that tests of refusals end.
    pub fn start(lab: &Lab, name: &str, ns: &Ns, build: Build, swanctl_conf: &str) -> Result<Self> {
        Self::start_with(lab, name, ns, build, swanctl_conf, &strongswan_conf(build, "retransmit_tries = 3"))
    }

    /// Like [`Charon::start`] with the retransmissions of the package: 4 s, and 1.8 times as long
    /// for each of five further ones, 165 s in total.
    pub fn start_patient(lab: &Lab, name: &str, ns: &Ns, build: Build, swanctl_conf: &str) -> Result<Self> {
        Self::start_with(lab, name, ns, build, swanctl_conf, &strongswan_conf(build, ""))
    }

    fn start_with(
        lab: &Lab,
        name: &str,
        ns: &Ns,
        build: Build,
        swanctl_conf: &str,
        strongswan_conf: &str,
    ) -> Result<Self> {
        let dir = lab.subdir(name)?;
        for folder in
            ["x509", "x509ca", "x509ocsp", "x509aa", "x509ac", "x509crl", "pubkey", "private", "rsa", "ecdsa"]
        {
            fs::create_dir_all(dir.join("swanctl").join(folder))?;
        }
        for folder in ["bliss", "pkcs8", "pkcs12"] {
            fs::create_dir_all(dir.join("swanctl").join(folder))?;
        }
        fs::write(dir.join("strongswan.conf"), strongswan_conf)?;
        fs::write(dir.join("swanctl").join("swanctl.conf"), swanctl_conf)?;
        fs::write(dir.join("resolv.conf"), "")?;

        let mut command = ns.command("sh");
        match build {
            Build::Machine | Build::Kernel => command
                .args([
                    "-c",
                    "mount -t tmpfs tmpfs /run && mkdir -p /run/lock /run/lab && mount --bind \"$1\" /run/lab && \
                     export STRONGSWAN_CONF=/run/lab/strongswan.conf && exec /usr/lib/ipsec/charon",
                    "sh",
                ])
                .arg(&dir),
            Build::Trixie => command
                .args([
                    "-c",
                    "mount -t proc proc \"$2/proc\" && mount --rbind /dev \"$2/dev\" && mount -t sysfs sysfs \"$2/sys\" && \
                     mount -t tmpfs tmpfs \"$2/run\" && mkdir -p \"$2/run/lock\" \"$2/run/lab\" && \
                     mount --bind \"$1\" \"$2/run/lab\" && export STRONGSWAN_CONF=/run/lab/strongswan.conf && \
                     exec chroot \"$2\" /usr/lib/ipsec/charon",
                    "sh",
                ])
                .arg(&dir)
                .arg(trixie::root()?),
        };
        let mut process = lab.spawn(&format!("{name}-charon-start"), &command)?;
        let socket = dir.join("charon.vici");
        wait::until(&format!("charon {name}"), secs(60), || {
            if !process.alive() {
                bail!("charon has ended");
            }
            Ok(socket.exists())
        })?;
        let this = Self { dir, process };
        this.load()?;
        Ok(this)
    }

    fn load(&self) -> Result<()> {
        // the first of an emulated machine reads all of its libraries from a cold disk
        self.swanctl(&["--load-all"], secs(90)).map(drop)
    }

    /// Replaces the configuration of the running instance.
    pub fn reload(&self, swanctl_conf: &str) -> Result<()> {
        fs::write(self.dir.join("swanctl").join("swanctl.conf"), swanctl_conf)?;
        self.load()
    }

    /// Runs `swanctl COMMAND…` against this instance.
    pub fn swanctl(&self, args: &[&str], timeout: Duration) -> Result<String> {
        let (first, rest) = args.split_first().context("no swanctl command")?;
        let mut command = Command::new("swanctl");
        command
            .env("SWANCTL_DIR", self.dir.join("swanctl"))
            .arg(first)
            .args(["--uri", &format!("unix://{}", self.dir.join("charon.vici").display())])
            .args(rest);
        process::run(&mut command, timeout)
    }

    /// Initiates a child and waits until it is up.
    pub fn initiate(&self, child: &str) -> Result<String> {
        self.swanctl(&["--initiate", "--child", child, "--timeout", "20"], secs(25))
    }

    /// Initiates a child that is expected to fail.
    pub fn initiate_fails(&self, child: &str, timeout: Duration) -> Result<String> {
        let limit = timeout.as_secs().to_string();
        match self.swanctl(&["--initiate", "--child", child, "--timeout", &limit], timeout + secs(60)) {
            Ok(text) => bail!("the child {child} came up, which it must not:\n{text}"),
            Err(e) => Ok(format!("{e:#}")),
        }
    }

    /// Rekeys a child SA (quick mode from this side).
    pub fn rekey_child(&self, child: &str) -> Result<()> {
        self.swanctl(&["--rekey", "--child", child], secs(60)).map(drop)
    }

    /// Starts a new phase 1 from this side; IKEv1 has no other rekey of phase 1.
    pub fn rekey_ike(&self, connection: &str) -> Result<()> {
        self.swanctl(&["--rekey", "--ike", connection], secs(60)).map(drop)
    }

    /// Deletes the IKE SA and its children, and notifies the peer.
    pub fn terminate(&self, connection: &str) -> Result<()> {
        self.swanctl(&["--terminate", "--ike", connection, "--timeout", "5"], secs(60)).map(drop)
    }

    /// `swanctl --list-sas`; empty when there is none.
    pub fn sas(&self) -> Result<String> {
        self.swanctl(&["--list-sas"], secs(60))
    }

    /// Number of installed child SAs.
    pub fn children(&self) -> Result<usize> {
        Ok(self.sas()?.lines().filter(|l| l.contains(", INSTALLED,")).count())
    }

    /// The daemon's own log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("charon.log")).unwrap_or_default()
    }

    /// The folder with configuration and log.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The process.
    pub fn process(&mut self) -> &mut Proc {
        &mut self.process
    }

    /// The address that mode-config gave this client.
    pub fn virtual_ip(&self) -> Result<Ipv4Addr> {
        // "  local  'testgroup' @ 10.51.82.100[4500] [10.5.5.1]"
        let sas = self.sas()?;
        sas.lines()
            .filter(|line| line.trim_start().starts_with("local "))
            .filter_map(|line| line.rsplit('[').next()?.trim_end().strip_suffix(']'))
            .find_map(|address| address.parse().ok())
            .with_context(|| format!("no virtual address in\n{sas}"))
    }
}

fn strongswan_conf(build: Build, retransmissions: &str) -> String {
    let raw = if build == Build::Trixie { "yes" } else { "no" };
    let esp = if build == Build::Kernel { "" } else { "kernel-libipsec " };
    format!(
        "charon {{\n  load_modular = no\n  load = random nonce openssl aes des sha1 sha2 md5 hmac kdf gmp pem x509 pubkey \
         {esp}kernel-netlink socket-default vici updown attr unity resolve xauth-generic\n  \
         i_dont_care_about_security_and_use_aggressive_mode_psk = yes\n  cisco_unity = yes\n  {retransmissions}\n  \
         fragment_size = 350\n  \
         plugins {{\n    vici {{ socket = unix:///run/lab/charon.vici }}\n    kernel-libipsec {{ raw_esp = {raw} }}\n    \
         resolve {{ file = /run/lab/resolv.conf }}\n  }}\n  filelog {{ main {{\n    path = /run/lab/charon.log\n    \
         time_format = %H:%M:%S\n    ike_name = yes\n    append = no\n    flush_line = yes\n    default = 1\n    ike = 2\n    \
         enc = 1\n    cfg = 2\n    knl = 1\n    esp = 1\n  }} }}\n}}\n"
    )
}
