//! The gateways that are measured: one pre-shared key for all peers, AES-128 and SHA-1 in both
//! phases.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::ike::Group;
use crate::machine;
use crate::net::{INNER, OUTER, Pair, Process};
use crate::peers::hubward;
use crate::peers::strongswan::Charon;

/// The responder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Responder {
    /// This build.
    Hubward,
    /// The program of `--against`.
    Against(PathBuf),
    Charon,
}

/// A running responder.
pub(crate) enum Running {
    /// With its program and its control socket.
    Hubward(Process, PathBuf, PathBuf),
    Charon(Charon),
}

impl Responder {
    /// All responders, including the program of `--against` if there is one.
    pub(crate) fn all(against: Option<&Path>) -> Vec<Self> {
        let against = against.map(|program| Self::Against(program.to_path_buf()));
        [Self::Hubward].into_iter().chain(against).chain([Self::Charon]).collect()
    }

    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Hubward => "hubward",
            Self::Against(_) => "against",
            Self::Charon => "strongSwan charon",
        }
    }

    /// Starts it on the second side.
    pub(crate) fn start(&self, pair: &Pair, group: Group) -> Result<Running> {
        let hubward = |program: PathBuf| {
            let process = hubward::launch(pair, 1, &program, &ios(group))?;
            hubward::wait_ready(&process)?;
            Ok(Running::Hubward(process, program, pair.folder.join("hubward-1/control.sock")))
        };
        match self {
            Self::Hubward => hubward(machine::hubward()),
            Self::Against(program) => hubward(program.clone()),
            // like Hubward, it logs no successes and adds no route for each peer
            Self::Charon => Ok(Running::Charon(Charon::start(
                pair,
                1,
                &swanctl(group),
                " install_routes = no\n filelog {\n  stderr {\n   default = 0\n  }\n }\n",
            )?)),
        }
    }
}

impl Running {
    pub(crate) fn process(&self) -> &Process {
        match self {
            Self::Hubward(process, ..) => process,
            Self::Charon(charon) => &charon.process,
        }
    }

    /// How many peers have an IKE SA and a child SA, as the responder reports it.
    pub(crate) fn established(&self) -> Result<u32> {
        let (text, sign) = match self {
            Self::Hubward(_, program, socket) => {
                let socket = format!("--socket={}", socket.display());
                let text = crate::net::say(&[
                    program.to_str().unwrap_or_default(),
                    "exec",
                    &socket,
                    "show crypto session",
                ])?;
                (text, "Session status: UP-ACTIVE")
            }
            Self::Charon(charon) => (charon.control(&["--list-sas"])?, "INSTALLED"),
        };
        Ok(u32::try_from(text.matches(sign).count())?)
    }
}

fn ios(group: Group) -> String {
    let (here, interface) = (OUTER[1], "FastEthernet0/0");
    format!(
        "no logging on\ncrypto isakmp policy 10\n encr aes\n hash sha\n authentication pre-share\n group {}\n\
         crypto isakmp key bench address 0.0.0.0 0.0.0.0\n\
         crypto ipsec transform-set set esp-aes esp-sha-hmac\n\
         crypto dynamic-map any 10\n set transform-set set\n\
         crypto map map 10 ipsec-isakmp dynamic any\n\
         interface {interface}\n ip address {here} 255.255.255.0\n crypto map map\nend\n",
        group.number()
    )
}

fn swanctl(group: Group) -> String {
    let modp = match group {
        Group::Two => "modp1024",
        Group::Fourteen => "modp2048",
    };
    let (here, ours) = (OUTER[1], INNER[1]);
    format!(
        "connections {{\n t {{\n  version = 1\n  local_addrs = {here}\n  remote_addrs = %any\n  unique = never\n  \
         proposals = aes128-sha1-{modp}\n  local {{\n   auth = psk\n  }}\n  remote {{\n   auth = psk\n  }}\n  \
         children {{\n   net {{\n    local_ts = {ours}/32\n    remote_ts = 10.128.0.0/9\n    esp_proposals = aes128-sha1\n   }}\n  }}\n }}\n}}\n\
         secrets {{\n ike-1 {{\n  secret = \"bench\"\n }}\n}}\n"
    )
}
