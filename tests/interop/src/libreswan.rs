//! Libreswan's IKE daemon as an initiator. Its packages conflict with strongSwan's, so they are
//! unpacked into a folder of their own, which is made once (`HUBWARD_LIBRESWAN_ROOT` names another
//! place).
//!
//! Debian 12's Libreswan 4.10 has no group 2. It leaves ESP to the kernel: where the kernel has
//! none, it stops when it has read quick mode's second message and tried to install the SAs.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use anyhow::{Context, Result, bail};

use crate::lab::Lab;
use crate::net::Ns;
use crate::process::{self, Proc};
use crate::topology::HUB;
use crate::trixie;
use crate::wait::secs;

/// The folder with the unpacked packages; made by the first caller of a run, in some ten seconds.
pub fn root() -> Result<&'static Path> {
    static ROOT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    match ROOT.get_or_init(|| make().map_err(|e| format!("{e:#}"))) {
        Ok(path) => Ok(path),
        Err(e) => bail!("{e}"),
    }
}

fn make() -> Result<PathBuf> {
    let root = match std::env::var_os("HUBWARD_LIBRESWAN_ROOT") {
        Some(path) => PathBuf::from(path),
        None => trixie::cache()?.join("libreswan-root"),
    };
    if root.join("usr/libexec/ipsec/pluto").exists() {
        return Ok(root);
    }
    if !rustix::process::geteuid().is_root() {
        bail!("{} is not there, and only root can make it", root.display());
    }
    let parent = root.parent().context("the root has no parent folder")?;
    fs::create_dir_all(parent).with_context(|| format!("create {}", parent.display()))?;
    // made beside its place and renamed: an interrupted attempt is not mistaken for a root
    let half = parent.join(format!("libreswan-root.{}", std::process::id()));
    let mut command = Command::new("mmdebstrap");
    command.args(["--variant=extract", "--include=libreswan", "bookworm"]).arg(&half).arg(trixie::mirror()?);
    eprintln!("unpacking Libreswan into {} (once)", root.display());
    process::run(&mut command, secs(300)).context("mmdebstrap")?;
    for folder in ["proc", "sys", "run"] {
        fs::create_dir_all(half.join(folder))?;
    }
    fs::rename(&half, &root).with_context(|| format!("rename to {}", root.display()))?;
    Ok(root)
}

/// One connection to the reference hub.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Its name in the log.
    pub name: String,
    /// Own address.
    pub local: Ipv4Addr,
    /// Who it is to the hub.
    pub as_whom: Whom,
}

/// What a connection is.
#[derive(Debug, Clone)]
pub enum Whom {
    /// A branch with this network: main mode, the key of all branches.
    Branch(String),
    /// A client of the group: aggressive mode, Xauth with this user (whose password is the same
    /// word), mode-config.
    User(String),
}

impl Connection {
    fn conf(&self) -> String {
        let whom = match &self.as_whom {
            Whom::Branch(net) => format!(" leftsubnet={net}\n rightsubnet=10.1.0.0/16\n"),
            Whom::User(user) => format!(
                " aggressive=yes\n leftid=@[testgroup]\n leftxauthclient=yes\n leftmodecfgclient=yes\n \
                 leftusername={user}\n modecfgpull=yes\n rightsubnet=0.0.0.0/0\n rightxauthserver=yes\n \
                 rightmodecfgserver=yes\n remote-peer-type=cisco\n"
            ),
        };
        format!(
            "conn {}\n keyexchange=ike\n ikev2=no\n authby=secret\n left={}\n right={HUB}\n{whom} \
             ike=3des-sha1;modp1536\n esp=3des-sha1\n pfs=no\n leftupdown=%disabled\n auto=start\n\n",
            self.name, self.local
        )
    }

    fn secrets(&self) -> String {
        match &self.as_whom {
            Whom::Branch(_) => format!("{} {HUB} : PSK \"cisco123\"\n", self.local),
            Whom::User(user) => {
                format!("@[testgroup] {HUB} : PSK \"cisco321\"\n@{user} : XAUTH \"{user}\"\n")
            }
        }
    }
}

/// A running pluto.
#[derive(Debug)]
pub struct Pluto {
    process: Proc,
}

impl Pluto {
    /// Starts it in a namespace; it initiates all connections by itself.
    pub fn start(lab: &Lab, name: &str, ns: &Ns, connections: &[Connection]) -> Result<Self> {
        let dir = lab.subdir(name)?;
        fs::create_dir_all(dir.join("nss"))?;
        let mut conf = "config setup\n logtime=no\n plutodebug=none\n protostack=xfrm\n uniqueids=no\n \
                        dnssec-enable=no\n ikev1-policy=accept\n\n"
            .to_owned();
        conf.extend(connections.iter().map(Connection::conf));
        fs::write(dir.join("ipsec.conf"), conf)?;
        let secrets = dir.join("ipsec.secrets");
        fs::write(&secrets, connections.iter().map(Connection::secrets).collect::<String>())?;
        fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600))?;
        let script = "mount -t proc proc \"$2/proc\" && mount --rbind /dev \"$2/dev\" && \
                      mount -t tmpfs tmpfs \"$2/run\" && mkdir -p \"$2/run/lab\" \"$2/run/pluto\" && \
                      mount --bind \"$1\" \"$2/run/lab\" && \
                      chroot \"$2\" /usr/bin/certutil -N -d sql:/run/lab/nss --empty-password && \
                      exec chroot \"$2\" /usr/libexec/ipsec/pluto --nofork --stderrlog --config /run/lab/ipsec.conf \
                      --secretsfile /run/lab/ipsec.secrets --nssdir /run/lab/nss --rundir /run/lab";
        let mut command = ns.command("sh");
        command.args(["-c", script, "sh"]).arg(&dir).arg(root()?);
        Ok(Self { process: lab.spawn(name, &command)? })
    }

    /// Whether its log has a line of this connection with these words.
    pub fn said(&self, connection: &str, words: &str) -> bool {
        let name = format!("\"{connection}\" #");
        self.process.log().lines().any(|line| line.contains(&name) && line.contains(words))
    }

    /// The process.
    pub fn process(&mut self) -> &mut Proc {
        &mut self.process
    }
}
