//! What comes out of a tunnel is what went in, while packets are lost and the keys change every two
//! seconds: a stream and numbered datagrams in both directions at once, of which every byte is
//! known.
//!
//! ```text
//!  hub_lan ── hub (Hubward) ── inet (drops 1 %) ── spoke (strongSwan or Hubward) ── spoke_lan
//! ```
//!
//! `HUBWARD_SOAK=SECONDS` makes each case that long; ten minutes is a long form.

use anyhow::{Context, Result, bail};
use hubward_interop::charon::{Build, Spoke, Suite};
use hubward_interop::hubward::{Hubward, edit, hub_cfg, spoke_cfg, workspace};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::process::Proc;
use hubward_interop::topology::{Client, HUB_HOST, SPOKE_GATEWAY, SPOKE_HOST};
use hubward_interop::wait::secs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use crate::scene::Scene;
use crate::{Case, case};

const STRONGSWAN: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Tool("python3")];
const TRIXIE: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Trixie, Need::Tool("python3")];
const ALONE: &[Need] = &[Need::Hubward, Need::Tool("python3")];

pub(crate) const CASES: &[Case] = &[
    case("aes_gcm", STRONGSWAN, |lab| rekeyed(lab, Build::Machine, "esp-gcm", "aes128gcm16")),
    case("aes_256_gcm_protocol_50", TRIXIE, |lab| rekeyed(lab, Build::Trixie, "esp-gcm 256", "aes256gcm16")),
    case("aes_sha1", STRONGSWAN, |lab| rekeyed(lab, Build::Machine, "esp-aes esp-sha-hmac", "aes128-sha1")),
    case("aes_256_sha256_protocol_50", TRIXIE, |lab| {
        rekeyed(lab, Build::Trixie, "esp-aes 256 esp-sha256-hmac", "aes256-sha256")
    }),
    case("3des_sha1", STRONGSWAN, |lab| rekeyed(lab, Build::Machine, "esp-3des esp-sha-hmac", "3des-sha1")),
    case("hubward_des_md5", ALONE, |lab| between_hubwards(lab, "esp-des esp-md5-hmac", &[])),
    case("hubward_aes_gcm", ALONE, |lab| between_hubwards(lab, "esp-gcm", &[])),
    case("without_tun_tcp", ALONE, |lab| between_hubwards(lab, "esp-gcm", &["tun-tcp"])),
    case("without_tun_udp", ALONE, |lab| between_hubwards(lab, "esp-aes esp-sha-hmac", &["tun-udp"])),
    case("without_any_offload", ALONE, |lab| {
        between_hubwards(lab, "esp-gcm", &["tun-tcp", "tun-udp", "udp-send", "udp-receive"])
    }),
    case("without_udp_send", STRONGSWAN, |lab| plain(lab, &["udp-send"])),
    case("without_udp_receive", STRONGSWAN, |lab| plain(lab, &["udp-receive"])),
];

fn duration() -> Duration {
    let asked = std::env::var("HUBWARD_SOAK").ok().and_then(|seconds| seconds.parse().ok());
    secs(asked.unwrap_or(8))
}

/// One in a hundred of the packets between the gateways is lost.
fn drop_some(inet: &Ns) -> Result<()> {
    inet.run(&["nft", "add table ip loss"])?;
    inet.run(&["nft", "add chain ip loss forward { type filter hook forward priority 0; }"])?;
    for what in ["udp dport 4500", "ip protocol esp"] {
        inet.run(&["nft", &format!("add rule ip loss forward {what} numgen random mod 100 0 drop")])?;
    }
    Ok(())
}

/// A stream and datagrams from one network to the other.
struct Copy {
    sender: Proc,
    receiver: Proc,
}

impl Copy {
    fn start(lab: &Lab, name: &str, from: &Ns, to: &Ns, address: Ipv4Addr) -> Result<Self> {
        let script = workspace().join("tests/interop/python/bulk_copy.py");
        let mut command = to.command("python3");
        command.arg(&script).arg("receive");
        let mut receiver = lab.spawn(&format!("{name}-receiver"), &command)?;
        receiver.wait_log("listening", secs(10))?;
        let mut command = from.command("python3");
        command.arg(&script).args(["send", &duration().as_secs().to_string(), &address.to_string()]);
        Ok(Self { sender: lab.spawn(&format!("{name}-sender"), &command)?, receiver })
    }

    /// Waits for the end. Gives how many bytes came in the stream, and how many datagrams were
    /// lost.
    fn finish(mut self) -> Result<(u64, u64)> {
        let sent = self.sender.wait_exit(duration() + secs(60))?;
        let received = self.receiver.wait_exit(secs(30))?;
        let said = self.receiver.log();
        if !sent.success() || !received.success() {
            bail!("the copy failed:\n{}\n{said}", self.sender.log());
        }
        let words: Vec<&str> = said.lines().last().unwrap_or_default().split_whitespace().collect();
        match words[..] {
            ["received", bytes, "bytes", "lost", lost, "of", ..] => Ok((bytes.parse()?, lost.parse()?)),
            _ => bail!("the receiver said {said:?}"),
        }
    }
}

/// Resident memory of a process in KiB.
pub(crate) fn resident(process: &Proc) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.split_whitespace().next().context("no number")?.parse()?)
}

/// Both directions at once, with `every` called every two seconds; the hub's memory stays what it
/// is.
fn copy_both_ways(lab: &Lab, scene: &mut Scene, mut every: impl FnMut() -> Result<()>) -> Result<()> {
    let (hub_lan, spoke_lan) = (&scene.net.hub_lan, &scene.net.spoke_lan);
    let copies = [
        Copy::start(lab, "to-spoke", hub_lan, spoke_lan, SPOKE_HOST)?,
        Copy::start(lab, "to-hub", spoke_lan, hub_lan, HUB_HOST)?,
    ];
    let begun = Instant::now();
    let mut early = None;
    while begun.elapsed() + secs(2) < duration() {
        std::thread::sleep(secs(2));
        every()?;
        if early.is_none() && begun.elapsed() >= duration() / 3 {
            early = Some(resident(scene.hub.process())?);
        }
    }
    let outcomes = copies.into_iter().map(Copy::finish).collect::<Result<Vec<_>>>()?;
    let late = resident(scene.hub.process())?;
    let early = early.unwrap_or(late);
    println!("memory {early} KiB, at the end {late} KiB; bytes and datagrams lost: {outcomes:?}");
    assert!(late < early + 4096, "the hub's memory grew from {early} KiB to {late} KiB");
    for (bytes, _) in &outcomes {
        assert!(*bytes > 1 << 20, "no more than {bytes} bytes came through");
    }
    Ok(())
}

fn hub_of(transform_set: &str) -> Result<String> {
    let set = format!("crypto ipsec transform-set myset {transform_set}\n");
    edit(&hub_cfg()?, "crypto ipsec transform-set myset esp-3des esp-sha-hmac\n", &set)
}

/// A strongSwan spoke that rekeys every two seconds, over a network that loses packets.
fn rekeyed(lab: &Lab, build: Build, transform_set: &str, proposal: &str) -> Result<()> {
    let mut scene = Scene::with(lab, Client::Direct, &hub_of(transform_set)?)?;
    let suite = Suite { esp: proposal.into(), ..Suite::default() };
    let spoke = scene.spoke(lab, build, &Spoke { suite, ..Spoke::default() })?;
    drop_some(&scene.net.inet)?;
    let mut rekeyed = 0;
    copy_both_ways(lab, &mut scene, || {
        rekeyed += 1;
        spoke.rekey_child("net")
    })?;
    assert!(rekeyed > 1);
    // a capture of minutes at full speed has gaps, and is more than tshark can read
    if duration() <= secs(60) { scene.wire().map(drop) } else { Ok(()) }
}

/// Nothing lost, and without some of the offloads: a strongSwan spoke, whose ESP is in UDP.
fn plain(lab: &Lab, without: &[&str]) -> Result<()> {
    let mut scene = Scene::with_arguments(lab, Client::Direct, &hub_of("esp-gcm")?, &arguments(without))?;
    let suite = Suite { esp: "aes128gcm16".into(), ..Suite::default() };
    let _spoke = scene.spoke(lab, Build::Machine, &Spoke { suite, ..Spoke::default() })?;
    told_off(&scene.hub, without)?;
    copy_both_ways(lab, &mut scene, || Ok(()))
}

/// Hubward on both sides.
fn between_hubwards(lab: &Lab, transform_set: &str, without: &[&str]) -> Result<()> {
    let arguments = arguments(without);
    let mut scene = Scene::with_arguments(lab, Client::Direct, &hub_of(transform_set)?, &arguments)?;
    scene.net.spoke.default_route(SPOKE_GATEWAY).ok();
    let set = format!("crypto ipsec transform-set myset {transform_set}\n");
    let config = edit(&spoke_cfg()?, "crypto ipsec transform-set myset esp-3des esp-sha-hmac\n", &set)?;
    let spoke = Hubward::start_with(lab, "spoke", &scene.net.spoke, &config, &arguments)?;
    ping::until_answered(&scene.net.spoke_lan, HUB_HOST, secs(30))?;
    ping::answered(&scene.net.hub_lan, SPOKE_HOST, 3)?;
    told_off(&scene.hub, without)?;
    told_off(&spoke, without)?;
    // beside a stream that fills every queue some datagrams are lost
    copy_both_ways(lab, &mut scene, || Ok(()))
}

fn arguments<'a>(without: &[&'a str]) -> Vec<&'a str> {
    without.iter().flat_map(|offload| ["--no-offload", offload]).collect()
}

/// `show crypto engine brief` shows as many offloads off as were disabled.
fn told_off(hubward: &Hubward, without: &[&str]) -> Result<()> {
    let said = hubward.exec("show crypto engine brief")?;
    let off = said.lines().filter(|line| line.trim_end().ends_with("off")).count();
    // UDP super-packets need those of TCP
    let expected = without.len() + usize::from(without == ["tun-tcp"]);
    assert_eq!(off, expected, "{said}");
    Ok(())
}
