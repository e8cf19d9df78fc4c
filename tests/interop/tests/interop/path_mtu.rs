//! A router between hub and spoke that takes packets of 1300 bytes only.

use anyhow::{Result, bail};
use hubward_interop::charon::{Build, Spoke};
use hubward_interop::hubward::hub_cfg;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::process;
use hubward_interop::topology::{Client, SPOKE_HOST};
use hubward_interop::wait::secs;

use crate::scene::Scene;
use crate::{Case, case};

/// 1300 bytes less IP header, UDP header, SPI, sequence number, IV of 3DES and ICV of SHA-1-96,
/// whole blocks, trailer.
const IN_UDP: u32 = 1238;
/// As above, without the UDP header: the block that it gives back is a whole one.
const NATIVE: u32 = 1246;

pub(crate) const CASES: &[Case] = &[
    case(
        "path_mtu_is_learned_and_told_udp4500",
        &[Need::Hubward, Need::StrongSwan, Need::Tool("iperf3")],
        |lab| learned(lab, Build::Machine, IN_UDP),
    ),
    case(
        "path_mtu_is_learned_and_told_protocol_50",
        &[Need::Hubward, Need::StrongSwan, Need::Trixie, Need::Tool("iperf3")],
        |lab| learned(lab, Build::Trixie, NATIVE),
    ),
    case("df_bit_clear_lets_routers_fragment", &[Need::Hubward, Need::StrongSwan], df_clear),
];

fn narrow(scene: &Scene) -> Result<()> {
    scene.net.inet.ip("link set to-spoke mtu 1300")?;
    scene.net.spoke.ip("link set eth0 mtu 1300").map(drop)
}

/// What ping from the hub's LAN prints.
fn ping(scene: &Scene, discover: &str, length: u32, count: u32) -> Result<String> {
    let mut command = scene.net.hub_lan.command("ping");
    // the size that ping takes is that of the payload
    let size = (length - 28).to_string();
    command.args(["-n", "-i", "0.3", "-W", "1", "-M", discover, "-s", &size, "-c", &count.to_string()]);
    let (_, out, err) = process::output(command.arg(SPOKE_HOST.to_string()), secs(20))?;
    Ok(out + &err)
}

fn learned(lab: &Lab, build: Build, mtu: u32) -> Result<()> {
    let scene = Scene::with(lab, Client::Direct, &hub_cfg()?)?;
    let _spoke = scene.spoke(lab, build, &Spoke::default())?;
    narrow(&scene)?;
    // the router notifies the hub on the first packet, the hub notifies the host on the next, from
    // its inside address
    let told = ping(&scene, "do", 1428, 3)?;
    let expected = format!("From 10.1.1.1 icmp_seq=2 Frag needed and DF set (mtu = {mtu})");
    if !told.contains(&expected) {
        bail!("no {expected:?} in\n{told}");
    }
    let fits = ping(&scene, "do", mtu, 3)?;
    if !fits.contains(" 3 received") {
        bail!("packets of exactly the MTU told do not pass:\n{fits}");
    }
    // the host forgets, so that it asks the hub again
    scene.net.hub_lan.ip("route flush cache")?;
    let more = ping(&scene, "do", mtu + 1, 1)?;
    if !more.contains(&format!("(mtu = {mtu})")) {
        bail!("one byte more is not refused:\n{more}");
    }
    // without DF it is fragmented before encryption
    let long = ping(&scene, "dont", 3000, 3)?;
    if !long.contains(" 3 received") {
        bail!("long packets without DF do not pass:\n{long}");
    }
    let mut command = scene.net.hub_lan.command("iperf3");
    command.args(["--server", "--one-off", "--forceflush"]);
    let mut server = lab.spawn("iperf3-server", &command)?;
    server.wait_log("listening", secs(5))?;
    let report =
        scene.net.spoke_lan.run(&["iperf3", "--client", "10.1.1.10", "--reverse", "--bytes", "2M"])?;
    if !report.contains("receiver") {
        bail!("two megabytes of TCP do not pass:\n{report}");
    }
    Ok(())
}

/// `crypto ipsec df-bit clear`: the host that forbids fragments is not notified, and its ESP
/// packets are fragmented on the path.
fn df_clear(lab: &Lab) -> Result<()> {
    let config = format!("crypto ipsec df-bit clear\n{}", hub_cfg()?);
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let _spoke = scene.spoke(lab, Build::Machine, &Spoke::default())?;
    narrow(&scene)?;
    let passed = ping(&scene, "do", 1428, 3)?;
    if !passed.contains(" 3 received") || passed.contains("Frag needed") {
        bail!("df-bit clear does not let the router fragment:\n{passed}");
    }
    Ok(())
}
