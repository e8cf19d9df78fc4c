//! What Hubward makes of the interfaces of a configuration that are no network cards: a loopback as
//! `local-address`, a pool inside the LAN, `Vlan1` as a card and as a bridge, and the messages about
//! links. VLANs and dummy links are in `kernel`, because not every kernel has them.
//!
//! ```text
//!  hub_lan ── eth1 hub (Hubward) eth0 ── inet ── spoke (strongSwan) ── spoke_lan
//!  second ─── eth2  │ Loopback0           └───── client (vpnc)
//! ```

use std::net::Ipv4Addr;

use anyhow::{Result, bail};
use hubward_interop::capture::{Capture, exchange};
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{Hubward, edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::topology::{Client, HUB, HUB_HOST, HUB_INSIDE, PRIVATE, Reference, SPOKE, SPOKE_HOST};
use hubward_interop::vpnc::{Profile, Vpnc};
use hubward_interop::wait::{self, secs};

use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("a_loopback_is_the_local_address_of_a_map", &[Need::Hubward, Need::StrongSwan], |lab| {
        local_address(lab, Build::Machine)
    }),
    case("a_pool_inside_the_lan_works", &[Need::Hubward, Need::Tool("vpnc")], pool_inside),
    case("vlan1_is_a_card_or_a_bridge", &[Need::Hubward], vlan1),
    case("links_that_change_are_told", &[Need::Hubward], messages),
];

/// The address of the hub's Loopback0, to which the internet has a route.
const LOOPBACK: Ipv4Addr = Ipv4Addr::new(10, 48, 80, 1);
/// What the hub's pool is where it is inside the LAN.
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 200);

fn typed(hub: &Hubward, lines: &str) -> Result<()> {
    let said = hub.console(&format!("enable\nconfigure terminal\n{lines}end\nexit\n"))?;
    if said.contains('%') {
        bail!("the console refuses {lines:?}:\n{said}");
    }
    Ok(())
}

/// A hub whose map has the address of Loopback0, and a spoke that knows only that one: either
/// initiates, and nothing of the tunnel has another address.
pub(crate) fn local_address(lab: &Lab, build: Build) -> Result<()> {
    let config = edit(
        &hub_cfg()?,
        "crypto map mymap 10 ipsec-isakmp dynamic dynmap\n",
        "crypto map mymap local-address Loopback0\ncrypto map mymap 10 ipsec-isakmp\n set peer 10.100.2.102\n \
         set transform-set myset\n set isakmp-profile L2L\n match address 101\n\
         access-list 101 permit ip 10.1.0.0 0.0.255.255 10.2.0.0 0.0.255.255\n\
         interface Loopback0\n ip address 10.48.80.1 255.255.255.255\n",
    )?;
    let net = Reference::build(lab, Client::Direct)?;
    net.address_spoke()?;
    net.inet.ip("route add 10.48.80.1/32 via 10.48.67.181")?;
    let capture = Capture::start(lab, &net.inet, "to-hub")?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &config)?;
    let brief = hub.exec("show ip interface brief")?;
    let line = brief.lines().find(|line| line.starts_with("Loopback0")).unwrap_or_default();
    assert!(line.contains("10.48.80.1") && line.matches("up").count() == 2, "{brief}");
    ping::answered(&net.inet, LOOPBACK, 3)?;
    let spoke = Spoke { remote: LOOPBACK, ..Spoke::default() };
    let charon = Charon::start(lab, "spoke", &net.spoke, build, &spoke.conf())?;
    ping::until_answered(&net.hub_lan, SPOKE_HOST, secs(20))?;
    ping::answered(&net.hub_lan, SPOKE_HOST, 3)?;
    charon.terminate("hub")?;
    charon.initiate("net")?;
    ping::answered(&net.spoke_lan, HUB_HOST, 3)?;
    let shown = hub.exec("show crypto ipsec sa")?;
    assert!(shown.contains("local addr 10.48.80.1"), "{shown}");
    hub.stop()?;
    let left = net.hub.ip("address show")?;
    assert!(!left.contains("10.48.80.1"), "left behind:\n{left}");
    let wire = capture.finish()?;
    wire.expect_no_cleartext(&PRIVATE)?;
    for (from, to) in [(LOOPBACK, SPOKE), (SPOKE, LOOPBACK)] {
        assert!(!wire.isakmp(from, to, exchange::MAIN).is_empty(), "no main mode from {from} to {to}");
    }
    assert!(wire.isakmp(HUB, SPOKE, exchange::MAIN).is_empty(), "IKE has the outside address");
    match build {
        Build::Machine => wire.expect_udp_esp(LOOPBACK, SPOKE, 6),
        Build::Trixie | Build::Kernel => wire.expect_native_esp(LOOPBACK, SPOKE, 6),
    }
}

/// What answers in place of others.
fn proxies(ns: &Ns) -> Result<String> {
    ns.ip("neigh show proxy")
}

/// A client with an address of the LAN is reached from there while it is connected, and its address
/// is nobody's before and after.
fn pool_inside(lab: &Lab) -> Result<()> {
    let config = edit(
        &hub_cfg()?,
        "ip local pool ippool 10.5.5.1 10.5.5.254\n",
        "ip local pool ippool 10.1.1.200 10.1.1.210\n",
    )?;
    let config = edit(
        &config,
        "  set isakmp-profile VPNclient\n",
        "  set isakmp-profile VPNclient\n  reverse-route\n",
    )?;
    let scene = Scene::with(lab, Client::Direct, &config)?;
    let (hub, lan) = (&scene.net.hub, &scene.net.hub_lan);
    ping::unanswered(lan, INSIDE, 1)?;
    assert_eq!(proxies(hub)?.trim(), "", "nothing is leased");
    let (mut vpnc, env) = scene.vpnc(lab, &Profile::default())?;
    assert_eq!(Vpnc::address(&env)?, INSIDE);
    // the LAN's host has the client's address on its own link
    let neighbour = lan.ip("neigh show 10.1.1.200")?;
    assert!(neighbour.contains("lladdr"), "{neighbour}");
    let answered = proxies(hub)?;
    assert!(answered.lines().count() == 1 && answered.contains("10.1.1.200 dev eth1"), "{answered}");
    let routes = hub.ip("route show")?;
    assert!(routes.contains("10.1.1.200 via"), "{routes}");
    let shown = scene.hub.exec("show ip route")?;
    assert!(shown.contains("10.1.1.200/32 [1/0]"), "{shown}");
    // without proxy ARP nobody finds it, and with it again everybody does
    typed(&scene.hub, "interface FastEthernet0/1\nno ip proxy-arp\n")?;
    assert_eq!(proxies(hub)?.trim(), "");
    lan.ip("neigh flush all")?;
    ping::unanswered(lan, INSIDE, 2)?;
    typed(&scene.hub, "interface FastEthernet0/1\nip proxy-arp\n")?;
    lan.ip("neigh flush all")?;
    ping::answered(lan, INSIDE, 3)?;
    vpnc.process().terminate(secs(10))?;
    wait::until("the client's address to be nobody's", secs(10), || {
        Ok(proxies(hub)?.trim().is_empty() && !hub.ip("route show")?.contains("10.1.1.200"))
    })?;
    lan.ip("neigh flush all")?;
    ping::unanswered(lan, INSIDE, 1)?;
    scene.wire().map(drop)
}

/// The LAN is `Vlan1`: of one card, then of two that are switched.
fn vlan1(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    let second = lab.ns("second")?;
    net.hub.cable("eth2", &second, "eth0")?;
    let host = Ipv4Addr::new(10, 1, 1, 11);
    second.address("eth0", "10.1.1.11/23")?;
    second.default_route(HUB_INSIDE)?;
    let config = edit(
        &hub_cfg()?,
        "interface FastEthernet0/1\n  description Inside interface\n  ip address 10.1.1.1 255.255.254.0\n",
        "interface Vlan1\n ip address 10.1.1.1 255.255.254.0\ninterface FastEthernet0/1\n",
    )?;
    let arguments = |links: &'static str| ["--map", "FastEthernet0/0=eth0", "--map", links];
    let start = |links| {
        let mut hub = Hubward::spawn_exactly(lab, "hub", &net.hub, &config, &arguments(links))?;
        hub.wait_ready()?;
        anyhow::Ok(hub)
    };
    let mut hub = start("Vlan1=eth1")?;
    ping::answered(&net.hub_lan, HUB_INSIDE, 3)?;
    ping::unanswered(&second, HUB_INSIDE, 1)?;
    hub.stop()?;
    let mut hub = start("Vlan1=eth1,eth2")?;
    for ns in [&net.hub_lan, &second] {
        ping::until_answered(ns, HUB_INSIDE, secs(10))?;
    }
    ping::answered(&net.hub_lan, host, 3)?;
    let brief = hub.exec("show ip interface brief")?;
    let line = brief.lines().find(|line| line.starts_with("Vlan1")).unwrap_or_default();
    assert!(line.contains("10.1.1.1") && line.matches("up").count() == 2, "{brief}");
    typed(&hub, "interface Vlan1\nshutdown\n")?;
    ping::unanswered(&net.hub_lan, HUB_INSIDE, 1)?;
    typed(&hub, "interface Vlan1\nno shutdown\n")?;
    ping::until_answered(&second, HUB_INSIDE, secs(10))?;
    // a card that is pulled is a port again when it is back
    net.hub.ip("link del eth2")?;
    ping::until_answered(&net.hub_lan, HUB_INSIDE, secs(10))?;
    net.hub.cable("eth2", &second, "eth0")?;
    second.address("eth0", "10.1.1.11/23")?;
    second.default_route(HUB_INSIDE)?;
    ping::until_answered(&second, HUB_INSIDE, secs(10))?;
    // a gateway that is killed leaves the bridge to the next one
    hub.process().kill9()?;
    assert!(net.hub.ip("link show type bridge")?.contains("hubwardbr1"));
    let mut hub = start("Vlan1=eth1,eth2")?;
    ping::until_answered(&second, HUB_INSIDE, secs(10))?;
    hub.stop()?;
    let left = net.hub.ip("link show")?;
    assert!(!left.contains("hubward") && !left.contains("master"), "left behind:\n{left}");
    // a port of somebody else's bridge stays there
    net.hub.ip("link add br9 type bridge")?;
    net.hub.ip("link set eth2 master br9")?;
    let mut refused = Hubward::spawn_exactly(lab, "hub", &net.hub, &config, &arguments("Vlan1=eth1,eth2"))?;
    assert!(!refused.process().wait_exit(secs(10))?.success());
    refused.expect_log(&["Vlan1=eth1,eth2", "eth2 is a port of br9"])?;
    assert!(net.hub.ip("link show eth2")?.contains("master br9"));
    Ok(())
}

/// A cable that is pulled and plugged, and `shutdown`: what IOS would log, each once.
fn messages(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    let hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let told = |text: &str, times: usize| {
        wait::until(text, secs(5), || Ok(hub.log().matches(text).count() == times))
    };
    let link = |to: &str| format!("%LINK-3-UPDOWN: Interface FastEthernet0/1, changed state to {to}");
    let protocol = |to: &str| {
        format!("%LINEPROTO-5-UPDOWN: Line protocol on Interface FastEthernet0/1, changed state to {to}")
    };
    net.hub_lan.ip("link set eth0 down")?;
    told(&link("down"), 1)?;
    told(&protocol("down"), 1)?;
    net.hub_lan.ip("link set eth0 up")?;
    told(&link("up"), 1)?;
    told(&protocol("up"), 1)?;
    typed(&hub, "interface FastEthernet0/1\nshutdown\n")?;
    told("%LINK-5-CHANGED: Interface FastEthernet0/1, changed state to administratively down", 1)?;
    told(&protocol("down"), 2)?;
    typed(&hub, "interface FastEthernet0/1\nno shutdown\n")?;
    told(&link("up"), 2)?;
    told(&protocol("up"), 2)?;
    told(&link("down"), 1)?;
    assert!(!hub.log().contains("Interface eth1"), "it has IOS names");
    Ok(())
}
