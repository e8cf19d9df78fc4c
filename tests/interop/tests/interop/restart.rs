//! `kill -9` of the hub during traffic and start again.
//!
//! ```text
//!  hub_lan ── hub (Hubward, killed) ── inet (dnsmasq) ── spoke (Hubward, or strongSwan with DPD) ── spoke_lan
//!                                        └───────────── client (vpnc, Hubward, or strongSwan)
//! ```

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use hubward_interop::charon::{Build, Charon, Spoke, Suite};
use hubward_interop::dnsmasq::Dnsmasq;
use hubward_interop::hubward::{Hubward, edit, hub_cfg, spoke_cfg};
use hubward_interop::inject;
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::once::{self, Carried};
use hubward_interop::ping::{self, Running};
use hubward_interop::topology::{
    CLIENT, Client, HUB, HUB_HOST, POOL_FIRST, Reference, SPOKE, SPOKE_GATEWAY, SPOKE_HOST,
};
use hubward_interop::vpnc::{Profile, Vpnc};
use hubward_interop::wait::{self, secs};

use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("8_nothing_is_left_behind", &[Need::Hubward, Need::StrongSwan], nothing_left),
    case("8_hubward_spoke_comes_back", &[Need::Hubward, Need::Tool("dnsmasq")], spoke_comes_back),
    case("8_strongswan_spoke_comes_back", &[Need::Hubward, Need::StrongSwan], strongswan_comes_back),
    case("8_vpnc_gets_the_same_address", &[Need::Hubward, Need::Tool("vpnc")], same_address),
    case("no_spi_and_iv_twice_over_kill_and_restart", &[Need::Hubward, Need::StrongSwan], nothing_twice),
];

/// Addresses, rules and routes of a namespace, without what the kernel makes on its own when an
/// interface changes.
fn network(ns: &Ns) -> Result<String> {
    let mut text = String::new();
    for question in ["rule show", "route show table all", "-brief addr show", "-brief link show type tun"] {
        text.push_str(&ns.ip(question)?);
    }
    Ok(text)
}

fn nothing_left(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    net.address_spoke()?;
    let bare = network(&net.hub)?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let spoke = Charon::start(lab, "spoke", &net.spoke, Build::Machine, &Spoke::default().conf())?;
    spoke.initiate("net")?;
    ping::answered(&net.spoke_lan, HUB_HOST, 3)?;
    let running = network(&net.hub)?;
    hub.process().kill9()?;

    // after a restart it has what it had, not twice
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let again = network(&net.hub)?;
    let rules = |text: &str| text.lines().filter(|l| l.contains("lookup") || l.contains("from all")).count();
    if rules(&again) > rules(&running) {
        bail!("rules are left of the first run:\n{again}\nbefore it was killed:\n{running}");
    }
    // and after a clean end the machine is as it was
    hub.stop()?;
    let after = network(&net.hub)?;
    if after != bare {
        bail!("left behind:\n{after}\nbefore the first start:\n{bare}");
    }
    Ok(())
}

fn spoke_comes_back(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    let _dhcp = Dnsmasq::start(lab, "dnsmasq", &net.inet, "to-spoke", SPOKE, SPOKE_GATEWAY, 3600)?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let _spoke = Hubward::start(lab, "spoke", &net.spoke, &spoke_cfg()?)?;
    ping::until_answered(&net.spoke_lan, HUB_HOST, secs(30))?;
    let traffic = ping::Running::start(lab, "ping", &net.spoke_lan, HUB_HOST)?;
    std::thread::sleep(secs(2));
    hub.process().kill9()?;
    let _hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    // the running ping is all there is to bring the tunnel up again
    let before = traffic.replies();
    wait::until("Hubward's spoke to be back", secs(60), || Ok(traffic.replies() > before + 5))?;
    ping::answered(&net.hub_lan, SPOKE_HOST, 3)
}

fn strongswan_comes_back(lab: &Lab) -> Result<()> {
    let mut scene = Scene::reference(lab, Client::Direct)?;
    let conf = edit(&Spoke::default().conf(), "dpd_action = clear", "dpd_action = restart")?;
    let spoke = Charon::start(lab, "spoke", &scene.net.spoke, Build::Machine, &conf)?;
    spoke.initiate("net")?;
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)?;
    let traffic = ping::Running::start(lab, "ping", &scene.net.spoke_lan, HUB_HOST)?;
    scene.hub.process().kill9()?;
    scene.hub = Hubward::start(lab, "hub", &scene.net.hub, &hub_cfg()?)?;
    let before = traffic.replies();
    wait::until("strongSwan to be back", secs(60), || Ok(traffic.replies() > before + 5))?;
    ping::answered(&scene.net.hub_lan, SPOKE_HOST, 3)?;
    scene.wire().map(drop)
}

fn same_address(lab: &Lab) -> Result<()> {
    // a second user takes the first address, so that "the same" is not merely "the first"
    let config = edit(&hub_cfg()?, "aaa new-model\n", "username other password 0 otherpw\naaa new-model\n")?;
    let mut scene = Scene::with(lab, Client::Direct, &config)?;
    let other = Profile { user: "other".into(), password: "otherpw".into(), ..Profile::default() };
    let (mut first, env) = scene.vpnc(lab, &other)?;
    assert_eq!(Vpnc::address(&env)?, POOL_FIRST);
    first.process().terminate(secs(10))?;
    let (mut vpnc, env) = scene.vpnc(lab, &Profile::default())?;
    let address = Vpnc::address(&env)?;
    scene.hub.process().kill9()?;
    vpnc.process().kill9()?;
    scene.hub = Hubward::start(lab, "hub", &scene.net.hub, &config)?;
    let (_again, env) = scene.vpnc(lab, &Profile::default())?;
    assert_eq!(Vpnc::address(&env)?, address, "the client has another address after the hub's crash");
    scene.wire().map(drop)
}

/// A host of the strongSwan branch.
const SECOND_HOST: Ipv4Addr = Ipv4Addr::new(10, 3, 3, 10);
/// Lives of the hub; all but the last end by `kill -9`.
const LIVES: usize = 5;
/// A branch's packets of each life, and each way.
const PACKETS: u32 = 60;

/// A Hubward branch with AES-GCM, whose IV is a counter, and a strongSwan branch with AES-CBC, whose
/// IV is random. Both send and receive while the hub is killed; every second time the Hubward
/// branch is killed as well.
fn nothing_twice(lab: &Lab) -> Result<()> {
    let sets = "myset esp-gcm\ncrypto ipsec transform-set second esp-aes esp-sha-hmac\n";
    let config = edit(&hub_cfg()?, "myset esp-3des esp-sha-hmac\n", sets)?;
    let config = edit(&config, " set transform-set myset\n", " set transform-set myset second\n")?;
    let mut scene = Scene::with(lab, Client::Direct, &config)?;
    let branch = edit(&spoke_cfg()?, "myset esp-3des esp-sha-hmac\n", "myset esp-gcm\n")?;
    let branch = edit(&branch, " ip address dhcp\n", " ip address 10.100.2.102 255.255.255.0\n")?;
    let mut spoke = Hubward::start(lab, "spoke", &scene.net.spoke, &branch)?;

    scene.net.client.address("lo", &format!("{SECOND_HOST}/32"))?;
    let suite = Suite { esp: "aes128-sha1".into(), ..Suite::default() };
    let second = Spoke { local: CLIENT, local_net: "10.3.0.0/16".into(), suite, ..Spoke::default() };
    let charon = Charon::start(lab, "second", &scene.net.client, Build::Machine, &second.conf())?;

    let gap = std::time::Duration::from_millis(20);
    let traffic = [
        Running::every(lab, "ping-of-spoke", &scene.net.hub_lan, SPOKE_HOST, gap)?,
        Running::every(lab, "ping-of-second", &scene.net.hub_lan, SECOND_HOST, gap)?,
    ];
    let mut chosen = Vec::new();
    for life in 1..=LIVES {
        charon.initiate("net")?;
        ping::until_answered(&scene.net.spoke_lan, HUB_HOST, secs(30))?;
        let before = traffic.each_ref().map(Running::replies);
        wait::until("traffic of both branches", secs(30), || {
            let now = traffic.each_ref().map(Running::replies);
            Ok(before.iter().zip(now).all(|(before, now)| now >= before + PACKETS))
        })?;
        let log = scene.hub.log();
        let spis = log.split("SPI in 0x").skip(1).filter_map(|rest| rest.split_whitespace().next());
        chosen.extend(spis.map(str::to_owned));
        if life == LIVES {
            break;
        }
        scene.hub.process().kill9()?;
        if life % 2 == 0 {
            spoke.process().kill9()?;
            spoke = Hubward::start(lab, "spoke", &scene.net.spoke, &branch)?;
        }
        scene.hub = Hubward::start(lab, "hub", &scene.net.hub, &config)?;
        // peers find out by themselves, but later
        charon.swanctl(&["--terminate", "--ike", "hub", "--force"], secs(20))?;
        for what in ["clear crypto sa", "clear crypto isakmp"] {
            spoke.exec(what)?;
        }
    }
    let several = BTreeSet::from_iter(&chosen);
    ensure!(chosen.len() >= 2 * LIVES && several.len() == chosen.len(), "SPIs of the hub: {chosen:?}");
    drop(traffic);
    let file = scene.capture.file().to_owned();
    // before a tunnel, and while the hub is dead, nothing protects what a dynamic entry would
    scene.capture.finish()?;
    never_twice(&file)
}

/// Judges what was recorded of [`nothing_twice`].
fn never_twice(file: &Path) -> Result<()> {
    let (mut sealed, mut messages) = (Vec::new(), Vec::new());
    for carried in inject::recorded(file)?.iter().filter_map(|packet| once::carried(packet)) {
        match carried {
            Carried::Esp(packet) => sealed.push(packet),
            Carried::Ike(message) => messages.push(message),
        }
    }
    for (peer, iv, random) in [(SPOKE, 8, false), (CLIENT, 16, true)] {
        for (from, to) in [(HUB, peer), (peer, HUB)] {
            let one_way = sealed.iter().filter(|packet| (packet.from, packet.to) == (from, to));
            let (packets, spis) =
                once::ivs(one_way, iv, random).with_context(|| format!("{from} to {to}"))?;
            println!("{from} to {to}: {packets} packets under {spis} SPIs, each IV once");
            ensure!(packets >= LIVES * PACKETS as usize && spis >= LIVES, "{packets} packets, {spis} SPIs");
        }
    }
    let of_hub = messages.iter().filter(|message| message.from == HUB);
    let (cookies, values) = once::cookies_and_values(of_hub)?;
    println!("{cookies} cookies of the hub, {values} nonces and public values of it, each once");
    ensure!(cookies >= 2 * LIVES && values >= 4 * LIVES, "{cookies} cookies, {values} values");
    Ok(())
}
