//! What a test needs on the machine, and what happens when it is not there.
//!
//! A test whose peer, tool or right is missing is reported as ignored, its name saying what is
//! missing. With `HUBWARD_REQUIRE=1`, which `cargo ci` sets, a missing thing is a failure instead.

use std::path::Path;
use std::process::Command;

use crate::{corpus, hubward, libreswan, process, python, trixie, wait::secs};

/// Something that a test cannot do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Root: namespaces, TUN, raw sockets.
    Root,
    /// The kernel's ESP.
    Xfrm,
    /// `/dev/net/tun`.
    Tun,
    /// A program in the search path, or by absolute path.
    Tool(&'static str),
    /// Debian's strongSwan with the vici plugin and swanctl.
    StrongSwan,
    /// strongSwan 6 in a Debian trixie root: bare ESP in user space.
    Trixie,
    /// Libreswan, unpacked.
    Libreswan,
    /// The virtual environment of Python programs that `cargo ci python` makes.
    Python,
    /// The `hubward` program.
    Hubward,
    /// The `hubward` program that fails on order.
    HubwardFaults,
    /// The reference document, which is not part of the repository: `HUBWARD_REFERENCE` names its
    /// folder.
    Reference,
    /// Configurations that other people wrote, which are not part of the repository:
    /// `HUBWARD_CORPUS` names their folder.
    Corpus,
}

/// What every test here uses.
pub const BASE: [Need; 9] = [
    Need::Root,
    Need::Tun,
    Need::Tool("ip"),
    Need::Tool("ping"),
    Need::Tool("setpriv"),
    Need::Tool("sysctl"),
    Need::Tool("nft"),
    Need::Tool("tcpdump"),
    Need::Tool("tshark"),
];

impl Need {
    /// Whether a test may do without it even where nothing else may be missing.
    pub fn is_data(self) -> bool {
        matches!(self, Self::Reference | Self::Corpus)
    }

    /// `None` when it is there, else the sentence that names what is missing.
    pub fn missing(self) -> Option<String> {
        let (there, what) = match self {
            Self::Root => (rustix::process::geteuid().is_root(), "root".to_owned()),
            Self::Tun => (Path::new("/dev/net/tun").exists(), "/dev/net/tun".to_owned()),
            Self::Xfrm => {
                let mut list = Command::new("ip");
                list.args(["xfrm", "state", "list"]);
                (process::run(&mut list, secs(5)).is_ok(), "a kernel with xfrm".to_owned())
            }
            Self::Tool(name) => (tool(name), name.to_owned()),
            Self::StrongSwan => {
                (tool("/usr/lib/ipsec/charon") && tool("swanctl"), "strongSwan and swanctl".to_owned())
            }
            Self::Trixie => match trixie::root() {
                Ok(_) => (true, String::new()),
                Err(e) => (false, format!("strongSwan 6 in a Debian trixie root ({e:#})")),
            },
            Self::Libreswan => match libreswan::root() {
                Ok(_) => (true, String::new()),
                Err(e) => (false, format!("Libreswan ({e:#})")),
            },
            Self::Corpus => (corpus::files().is_ok(), "HUBWARD_CORPUS".to_owned()),
            Self::Reference => (document().is_some(), "HUBWARD_REFERENCE".to_owned()),
            Self::Python => match python::interpreter() {
                Ok(_) => (true, String::new()),
                Err(e) => (false, format!("{e:#}")),
            },
            Self::HubwardFaults => match hubward::faults_binary() {
                Ok(_) => (true, String::new()),
                Err(e) => (false, format!("the hubward program that fails on order ({e:#})")),
            },
            Self::Hubward => match hubward::binary() {
                Ok(_) => (true, String::new()),
                Err(e) => (false, format!("the hubward program ({e:#})")),
            },
        };
        (!there).then(|| format!("needs {what}"))
    }
}

/// The reference document's text.
pub fn document() -> Option<String> {
    reference("document.txt")
}

/// A file that belongs to the reference document.
pub fn reference(file: &str) -> Option<String> {
    let folder = std::env::var_os("HUBWARD_REFERENCE")?;
    std::fs::read_to_string(Path::new(&folder).join(file)).ok()
}

fn tool(name: &str) -> bool {
    if name.starts_with('/') {
        return Path::new(name).exists();
    }
    let mut find = Command::new("sh");
    find.args(["-c", "command -v \"$1\"", "sh", name]);
    process::run(&mut find, secs(5)).is_ok()
}

/// Whether this is the guest that `cargo ci kernel` starts: there the kernel is the data plane.
pub fn in_guest() -> bool {
    std::env::var_os("HUBWARD_GUEST").is_some()
}

/// Whether a missing peer is a failure.
pub fn required() -> bool {
    std::env::var_os("HUBWARD_REQUIRE").is_some_and(|v| v == "1")
}
