//! What a company's tooling does with Hubward: it logs in, reads it, parses what it reads, and configures it.

use std::process::Command;

use anyhow::Result;
use hubward_interop::charon::{Build, Spoke};
use hubward_interop::hubward::{binary, edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::topology::Client;
use hubward_interop::vpnc::{NatMode, Profile};
use hubward_interop::wait::secs;
use hubward_interop::{process, python};

use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[case(
    "outputs_parse_with_the_values_of_the_json",
    &[Need::Hubward, Need::StrongSwan, Need::Trixie, Need::Tool("vpnc"), Need::Python],
    parsers,
)];

/// `hub.cfg` with what a router that is watched by machines has besides: a log, keepalives, an access list that names the spoke's
/// networks, and lines that an administrator can log in by.
pub(crate) fn managed_hub() -> Result<String> {
    let mut text = hub_cfg()?;
    for (from, to) in [
        ("no logging on\n", "logging buffered 65536 informational\nenable secret rescue\n"),
        ("aaa new-model\n", "username admin privilege 15 secret sesame\naaa new-model\n"),
        (
            "crypto isakmp client configuration group",
            "crypto isakmp keepalive 10 periodic\ncrypto isakmp client configuration group",
        ),
        ("  set isakmp-profile L2L\n", "  set isakmp-profile L2L\n  match address 110\n"),
        (
            "no ip http server\n",
            "access-list 110 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\nno ip http server\n",
        ),
        ("  password 7 121A0C041104\n", "  login local\n  transport input ssh\n"),
    ] {
        text = edit(&text, from, to)?;
    }
    Ok(text)
}

/// Done when 3: without tunnels, with the spoke's, and with the client's too.
fn parsers(lab: &Lab) -> Result<()> {
    let scene = Scene::with(lab, Client::Direct, &managed_hub()?)?;
    let home = lab.subdir("python")?;
    let check = |stage: &str| -> Result<()> {
        let mut script = python::script(Command::new(python::interpreter()?), "parsers.py", &home)?;
        script.arg(stage).arg(binary()?).arg(scene.hub.socket());
        let told = process::run(&mut script, secs(120))?;
        print!("{told}");
        Ok(())
    };
    check("none")?;
    let _spoke = scene.spoke(lab, Build::Trixie, &Spoke::default())?;
    check("spoke")?;
    let (_vpnc, _env) = scene.vpnc(lab, &Profile { nat: NatMode::None, ..Profile::default() })?;
    check("both")
}
