//! What a company's tooling does with Hubward: it logs in, reads it, parses what it reads, and
//! configures it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use hubward_interop::charon::{Build, Spoke};
use hubward_interop::hubward::{binary, edit, hub_cfg, workspace};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping;
use hubward_interop::topology::{Client, HUB_HOST};
use hubward_interop::vpnc::{NatMode, Profile};
use hubward_interop::wait::secs;
use hubward_interop::{process, python};

use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case(
        "s01_s07_s08_s09_s10_by_ssh",
        &[
            Need::Hubward,
            Need::StrongSwan,
            Need::Trixie,
            Need::Tool("vpnc"),
            Need::Tool("ssh"),
            Need::Tool("/usr/lib/rancid/bin/rancid"),
            Need::Python,
        ],
        by_ssh,
    ),
    case(
        "outputs_parse_with_the_values_of_the_json",
        &[Need::Hubward, Need::StrongSwan, Need::Trixie, Need::Tool("vpnc"), Need::Python],
        parsers,
    ),
];

/// `hub.cfg` with what a router that is watched by machines has besides: a log, keepalives, an
/// access list that names the spoke's networks, and lines that an administrator can log in by.
pub(crate) fn managed_hub() -> Result<String> {
    let mut text = hub_cfg()?;
    let admin = format!("{ADMIN}aaa new-model\n");
    for (from, to) in [
        ("no logging on\n", "logging buffered 65536 informational\nenable secret rescue\n"),
        ("aaa new-model\n", &admin),
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

/// Without tunnels, with the spoke's, and with the client's too.
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

/// Logs in with one tool, whose files go to the folder, and does what its users do.
type Tool = fn(&Scene, &Path) -> Result<()>;

/// The password of `admin` is in `python/login.py`; NAPALM lists only users whose secret is a hash.
const ADMIN: &str = "username admin privilege 15 secret 5 $1$hwrd$WA/ZyrqT9ksAusKpfUWFF/\n";

/// Every tool logs in from a host in the hub's LAN, reads and configures, while
/// both tunnels carry packets.
fn by_ssh(lab: &Lab) -> Result<()> {
    let scene = Scene::with_arguments(lab, Client::Direct, &managed_hub()?, &["--ssh", "10.1.1.1:22"])?;
    let _spoke = scene.spoke(lab, Build::Trixie, &Spoke::default())?;
    let (_vpnc, _env) = scene.vpnc(lab, &Profile { nat: NatMode::None, ..Profile::default() })?;
    let home = lab.subdir("python")?;
    let before = scene.hub.exec("show crypto isakmp sa")?;
    // each row is reported, even if one before it has failed; RANCID comes last, when the
    // configuration no longer changes
    let rows: [(&str, Tool); 5] = [
        ("S01 Netmiko", netmiko),
        ("S10 NAPALM", napalm),
        ("S07 Ansible", ansible),
        ("S09 pyATS", pyats),
        ("S08 RANCID", rancid),
    ];
    let mut failures = Vec::new();
    for (row, run) in rows {
        match run(&scene, &home) {
            Ok(()) => println!("{row}: ok"),
            Err(e) => failures.push(format!("{row}: {e:#}")),
        }
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    // the tools' configuration touched no tunnel
    assert_eq!(scene.hub.exec("show crypto isakmp sa")?, before);
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)?;
    ping::answered(&scene.net.client, HUB_HOST, 3)
}

/// `login.py`, run by a host in the hub's LAN.
fn login(scene: &Scene, home: &Path, tool: &str) -> Result<()> {
    let python = python::interpreter()?;
    let mut script = python::script(scene.net.hub_lan.command(&python.to_string_lossy()), "login.py", home)?;
    print!("{}", process::run(script.arg(tool), secs(90))?);
    Ok(())
}

/// S01; what it configured is in the kernel and in the file.
fn netmiko(scene: &Scene, home: &Path) -> Result<()> {
    login(scene, home, "netmiko")?;
    let routes = scene.net.hub.ip("route show table all 10.77.0.0/16")?;
    assert!(routes.contains("via 10.1.1.10 dev eth1"), "{routes}");
    let saved = scene.hub.saved()?;
    assert!(saved.lines().any(|line| line == "ip route 10.77.0.0 255.255.0.0 10.1.1.10"), "{saved}");
    assert!(saved.lines().any(|line| line.trim() == "description by Netmiko"), "{saved}");
    Ok(())
}

/// S10.
fn napalm(scene: &Scene, home: &Path) -> Result<()> {
    login(scene, home, "napalm")
}

/// S09.
fn pyats(scene: &Scene, home: &Path) -> Result<()> {
    login(scene, home, "pyats")
}

/// S07.
fn ansible(scene: &Scene, home: &Path) -> Result<()> {
    let program = python::environment().join("bin/ansible-playbook");
    let mut playbook =
        python::script(scene.net.hub_lan.command(&program.to_string_lossy()), "ansible.yml", home)?;
    let scripts = workspace().join("tests/interop/python");
    playbook.arg("-i").arg(scripts.join("inventory.yml"));
    process::run(&mut playbook, secs(120))?;
    let saved = scene.hub.saved()?;
    assert!(saved.lines().any(|line| line.trim() == "description by Ansible"), "{saved}");
    Ok(())
}

/// S08: RANCID keeps what it read in a version control system, so nothing may differ that did not
/// change.
fn rancid(scene: &Scene, home: &Path) -> Result<()> {
    let ssh = home.join("ssh");
    let key = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
    executable(&ssh, &format!("#!/bin/sh\nexec /usr/bin/ssh {key} \"$@\"\n"))?;
    let rc = format!(
        "add user 10.1.1.1 admin\nadd password 10.1.1.1 sesame rescue\nadd method 10.1.1.1 ssh\n\
         add autoenable 10.1.1.1 1\nadd sshcmd 10.1.1.1 {}\n",
        ssh.display()
    );
    // clogin reads no file of passwords that others may read
    let file = home.join(".cloginrc");
    fs::write(&file, rc)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let path = format!("/usr/lib/rancid/bin:{}", std::env::var("PATH").unwrap_or_default());
    let collect = || -> Result<String> {
        let mut rancid = scene.net.hub_lan.command("rancid");
        rancid.args(["-t", "cisco", "10.1.1.1"]).current_dir(home).env("HOME", home).env("PATH", &path);
        process::run(&mut rancid, secs(90))?;
        Ok(fs::read_to_string(home.join("10.1.1.1.new"))?)
    };
    let first = collect()?;
    assert!(first.lines().any(|line| line == "crypto map mymap 10 ipsec-isakmp dynamic dynmap"), "{first}");
    assert!(first.lines().any(|line| line.trim() == "crypto map mymap"), "{first}");
    assert_eq!(first.lines().last(), Some("end"), "{first}");
    // its own connection's counters, times and lines do not show
    assert_eq!(first, collect()?);
    Ok(())
}

fn executable(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    Ok(())
}
