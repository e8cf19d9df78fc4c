//! Done when 8: `kill -9` of the hub during traffic and start again.
//!
//! ```text
//!  hub_lan ── hub (Hubward, killed) ── inet (dnsmasq) ── spoke (Hubward, or strongSwan with DPD) ── spoke_lan
//!                                        └───────────── client (vpnc, or Hubward)
//! ```

use anyhow::{Result, bail};
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::dnsmasq::Dnsmasq;
use hubward_interop::hubward::{Hubward, edit, hub_cfg, spoke_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::topology::{Client, HUB_HOST, POOL_FIRST, Reference, SPOKE, SPOKE_GATEWAY, SPOKE_HOST};
use hubward_interop::vpnc::{Profile, Vpnc};
use hubward_interop::wait::{self, secs};

use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("8_nothing_is_left_behind", &[Need::Hubward, Need::StrongSwan], nothing_left),
    case("8_hubward_spoke_comes_back", &[Need::Hubward, Need::Tool("dnsmasq")], spoke_comes_back),
    case("8_strongswan_spoke_comes_back", &[Need::Hubward, Need::StrongSwan], strongswan_comes_back),
    case("8_vpnc_gets_the_same_address", &[Need::Hubward, Need::Tool("vpnc")], same_address),
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
