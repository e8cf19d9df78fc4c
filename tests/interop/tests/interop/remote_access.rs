//! A Hubward hub and remote-access clients, aggressive mode, Xauth
//! and mode-config.
//!
//! ```text
//!  hub_lan ── hub (Hubward) ── inet ── client (vpnc, strongSwan) 10.51.82.100
//!                               └───── nat 10.51.82.100 ── client 192.168.77.10
//! ```

use anyhow::{Result, bail};
use hubward_interop::capture::exchange;
use hubward_interop::charon::{Build, Charon, XauthClient};
use hubward_interop::hubward::{edit, hub_cfg, hub_with};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping;
use hubward_interop::topology::{CLIENT, Client, HUB, HUB_HOST, POOL_FIRST};
use hubward_interop::vpnc::{NatMode, Profile, Vpnc};
use hubward_interop::wait::{self, secs};

use crate::scene::{Scene, expect_env};
use crate::{Case, case};

const VPNC: &[Need] = &[Need::Hubward, Need::Tool("vpnc")];
const STRONGSWAN: &[Need] = &[Need::Hubward, Need::StrongSwan];
const TRIXIE: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Trixie];

pub(crate) const CASES: &[Case] = &[
    case("2b_a28_hub_cfg_vpnc_protocol_50", VPNC, |lab| reference(lab, Client::Direct, NatMode::None)),
    case("2b_hub_cfg_vpnc_natt_without_nat", VPNC, |lab| reference(lab, Client::Direct, NatMode::Natt)),
    case("2b_hub_cfg_vpnc_behind_nat_udp4500", VPNC, |lab| reference(lab, Client::BehindNat, NatMode::Natt)),
    case("2g_vpnc_aes_sha1_group14_pfs_protocol_50", VPNC, |lab| modern(lab, Client::Direct, NatMode::None)),
    case("2g_vpnc_aes_sha1_group14_pfs_behind_nat", VPNC, |lab| {
        modern(lab, Client::BehindNat, NatMode::Natt)
    }),
    case("2f_hub_cfg_strongswan_aggressive_udp4500", STRONGSWAN, |lab| aggressive(lab, Build::Machine)),
    case("2f_hub_cfg_strongswan_aggressive_protocol_50", TRIXIE, |lab| aggressive(lab, Build::Trixie)),
    case("2f_strongswan_main_mode_udp4500", STRONGSWAN, |lab| main_mode(lab, Build::Machine)),
    case("2f_strongswan_main_mode_protocol_50", TRIXIE, |lab| main_mode(lab, Build::Trixie)),
    case("a26_reconnecting_client_keeps_its_address", VPNC, reconnect),
];

pub(crate) fn reference(lab: &Lab, at: Client, nat: NatMode) -> Result<()> {
    let scene = Scene::reference(lab, at)?;
    let (_vpnc, env) = scene.vpnc(lab, &Profile { nat, ..Profile::default() })?;
    // A28
    expect_env(
        &env,
        &[
            ("INTERNAL_IP4_ADDRESS", "10.5.5.1"),
            ("INTERNAL_IP4_DNS", "1.1.1.1 2.2.2.2"),
            ("INTERNAL_IP4_NBNS", "3.3.3.3 4.4.4.4"),
            ("CISCO_DEF_DOMAIN", "cisco.com"),
        ],
    )?;
    if let Some(split) = env.get("CISCO_SPLIT_INC") {
        bail!("the group has no acl, but the client was told to split {split} networks");
    }
    finish(scene, at, nat)
}

fn modern(lab: &Lab, at: Client, nat: NatMode) -> Result<()> {
    let config = hub_with(
        "crypto isakmp policy 10\n encr aes 256\n authentication pre-share\n group 14\n",
        "crypto ipsec transform-set myset esp-aes 256 esp-sha-hmac\n",
        " set pfs group14\n",
    )?;
    let scene = Scene::with(lab, at, &config)?;
    let profile = Profile { nat, dh: "dh14".into(), pfs: "dh14".into(), ..Profile::default() };
    let (_vpnc, _env) = scene.vpnc(lab, &profile)?;
    finish(scene, at, nat)
}

fn finish(scene: Scene, at: Client, nat: NatMode) -> Result<()> {
    let pool = scene.hub.exec("show ip local pool")?;
    assert!(pool.contains("ippool"), "no ippool in\n{pool}");
    let wire = scene.wire()?;
    assert!(!wire.isakmp(CLIENT, HUB, exchange::AGGRESSIVE).is_empty(), "no aggressive mode in the capture");
    match (at, nat) {
        (Client::BehindNat, _) | (_, NatMode::Force) => wire.expect_udp_esp(HUB, CLIENT, 6),
        (Client::Direct, _) => wire.expect_native_esp(HUB, CLIENT, 6),
    }
}

fn aggressive(lab: &Lab, build: Build) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    strongswan(lab, scene, build, &XauthClient::default(), exchange::AGGRESSIVE)
}

/// A main mode responder knows only the address when it needs the key: the wildcard key must be the
/// client's.
fn main_mode(lab: &Lab, build: Build) -> Result<()> {
    let config = edit(&hub_cfg()?, "key cisco123", "key cisco321")?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let client = XauthClient { aggressive: false, ..XauthClient::default() };
    strongswan(lab, scene, build, &client, exchange::MAIN)
}

fn strongswan(lab: &Lab, scene: Scene, build: Build, client: &XauthClient, mode: u8) -> Result<()> {
    let charon = Charon::start(lab, "client", &scene.net.client, build, &client.conf())?;
    charon.initiate("net")?;
    assert_eq!(charon.virtual_ip()?, POOL_FIRST);
    ping::answered(&scene.net.client, HUB_HOST, 3)?;
    ping::answered(&scene.net.hub_lan, POOL_FIRST, 3)?;
    let wire = scene.wire()?;
    assert!(!wire.isakmp(CLIENT, HUB, mode).is_empty(), "no exchange {mode} in the capture");
    assert!(!wire.isakmp(HUB, CLIENT, exchange::TRANSACTION).is_empty(), "no Xauth in the capture");
    match build {
        Build::Machine => wire.expect_udp_esp(HUB, CLIENT, 6),
        Build::Trixie | Build::Kernel => wire.expect_native_esp(HUB, CLIENT, 6),
    }
}

/// A26: the client vanishes without a word and dials again: the same address, one session.
fn reconnect(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let (mut vpnc, env) = scene.vpnc(lab, &Profile::default())?;
    assert_eq!(Vpnc::address(&env)?, POOL_FIRST);
    vpnc.process().kill9()?;
    // vpnc's TUN interface goes with its process
    wait::until("vpn0 to go", secs(5), || Ok(scene.net.client.ip("link show vpn0").is_err()))?;
    let (_again, env) = scene.vpnc(lab, &Profile::default())?;
    assert_eq!(Vpnc::address(&env)?, POOL_FIRST);
    let sas = scene.hub.exec("show crypto isakmp sa")?;
    assert_eq!(sas.matches("10.51.82.100").count(), 1, "more than one session:\n{sas}");
    Ok(())
}
