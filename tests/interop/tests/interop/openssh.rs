//! OpenSSH's client: keys of `ip ssh pubkey-chain`, single commands, and what is refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use hubward_interop::hubward::edit;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::process;
use hubward_interop::topology::Client;
use hubward_interop::wait::secs;

use crate::automation::managed_hub;
use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[case(
    "keys_open_and_strangers_stay_out",
    &[Need::Hubward, Need::Tool("ssh"), Need::Tool("ssh-keygen"), Need::Tool("sftp")],
    keys,
)];

/// Makes a key pair; its private file, and its public blob in base64.
pub(crate) fn key(home: &Path, name: &str, kind: &[&str]) -> Result<(PathBuf, String)> {
    let file = home.join(name);
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-N", "", "-C", "admin@lab", "-f"]).arg(&file).arg("-t").args(kind);
    process::run(&mut keygen, secs(60))?;
    let public = fs::read_to_string(file.with_extension("pub"))?;
    let blob = public.split(' ').nth(1).context("a public key")?.to_owned();
    Ok((file, blob))
}

/// `key-string`, as a router's administrator pastes it: in lines.
pub(crate) fn key_string(blob: &str) -> String {
    let lines: Vec<&str> = (0..blob.len()).step_by(72).map(|at| &blob[at..blob.len().min(at + 72)]).collect();
    format!("  key-string\n   {}\n   exit\n", lines.join("\n   "))
}

/// Runs `ssh` or `sftp` with a key, its files in a folder; whether it succeeded, and both outputs.
pub(crate) fn client(
    ns: &Ns,
    program: &str,
    home: &Path,
    key: &Path,
    more: &[&str],
) -> Result<(bool, String, String)> {
    let mut command = ns.command(program);
    command.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]);
    command.args(["-o", "StrictHostKeyChecking=accept-new", "-o", "ConnectTimeout=10"]);
    command.arg("-o").arg(format!("UserKnownHostsFile={}", home.join("known_hosts").display()));
    command.arg("-i").arg(key).args(more);
    let (status, out, err) = process::output(&mut command, secs(30))?;
    Ok((status.success(), out, err))
}

fn keys(lab: &Lab) -> Result<()> {
    let home = lab.subdir("keys")?;
    let (ed25519, ed25519_blob) = key(&home, "ed25519", &["ed25519"])?;
    let (rsa, rsa_blob) = key(&home, "rsa", &["rsa", "-b", "2048"])?;
    let (ecdsa, _) = key(&home, "ecdsa", &["ecdsa"])?;
    let (stranger, _) = key(&home, "stranger", &["ed25519"])?;
    // a key may be configured by its MD5 hash alone, as IOS shows it
    let mut print = Command::new("ssh-keygen");
    let print = process::run(print.args(["-l", "-E", "md5", "-f"]).arg(&ecdsa), secs(10))?;
    let hash: String = print.split_once("MD5:").context("a fingerprint")?.1.chars().take(47).collect();
    let hash = hash.replace(':', "").to_uppercase();
    let chain = format!(
        "ip ssh pubkey-chain\n username admin\n{}{}  key-hash ecdsa-sha2-nistp256 {hash} admin@lab\n!\n",
        key_string(&ed25519_blob),
        key_string(&rsa_blob),
    );
    let config = edit(&managed_hub()?, "no ip http server\n", &format!("no ip http server\n{chain}"))?;
    let scene = Scene::with_arguments(lab, Client::Direct, &config, &["--ssh", "10.1.1.1:22"])?;

    let ssh =
        |program: &str, key: &Path, more: &[&str]| client(&scene.net.hub_lan, program, &home, key, more);
    for key in [&ed25519, &rsa, &ecdsa] {
        let (success, out, err) = ssh("ssh", key, &["admin@10.1.1.1", "show privilege"])?;
        if !success || out != "Current privilege level is 15\n" {
            bail!("{}: {out}{err}", key.display());
        }
    }
    // a filter, and a terminal that ends lines as it needs
    let (_, out, _) =
        ssh("ssh", &ed25519, &["-tt", "admin@10.1.1.1", "show running-config | include ^hostname"])?;
    assert_eq!(out, "hostname Hub\r\n");
    let known = fs::read_to_string(home.join("known_hosts"))?;
    assert!(known.contains("ssh-ed25519 "), "{known}");
    scene.hub.expect_log(&["SSH listens at 10.1.1.1:22", "host key SHA256:"])?;

    for (what, key, more) in [
        ("a key that nobody knows", &stranger, &["admin@10.1.1.1", "show privilege"][..]),
        ("a user who is there for Xauth", &ed25519, &["gfullage@10.1.1.1", "show privilege"]),
        (
            "a signature with SHA-1",
            &rsa,
            &["-o", "PubkeyAcceptedAlgorithms=ssh-rsa", "admin@10.1.1.1", "show privilege"],
        ),
        (
            "a key exchange of yesterday",
            &ed25519,
            &["-o", "KexAlgorithms=diffie-hellman-group14-sha1", "admin@10.1.1.1", "show privilege"],
        ),
        ("a forwarding", &ed25519, &["-W", "10.1.1.10:7", "admin@10.1.1.1"]),
    ] {
        let (success, out, err) = ssh("ssh", key, more)?;
        assert!(!success && out.is_empty(), "{what}: {out}{err}");
    }
    // no files; and the client is notified at once
    let begun = Instant::now();
    let (success, _, err) = ssh("sftp", &ed25519, &["admin@10.1.1.1"])?;
    assert!(!success && begun.elapsed() < secs(20), "{err}");
    Ok(())
}
