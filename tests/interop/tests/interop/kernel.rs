//! The kernel as data plane (`--dataplane kernel`), in the guest that `cargo ci kernel` starts.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail};
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{Hubward, edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::topology::{
    Client, HUB, HUB_HOST, HUB_INSIDE, POOL_FIRST, Reference, SPOKE, SPOKE_HOST,
};
use hubward_interop::vpnc::{NatMode, Profile};
use hubward_interop::wait::{self, secs};

use crate::scene::Scene;
use crate::{Case, case, crash, interfaces, l2l, map_filters, rekey, remote_access};

const STRONGSWAN: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Xfrm];

const IPERF: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Tool("iperf3"), Need::Xfrm];
const VPNC: &[Need] = &[Need::Hubward, Need::Tool("vpnc"), Need::Xfrm];
const FAULTS: &[Need] =
    &[Need::Hubward, Need::HubwardFaults, Need::StrongSwan, Need::Tool("vpnc"), Need::Xfrm];
const DHCP: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Tool("dnsmasq"), Need::Xfrm];

pub(crate) const CASES: &[Case] = &[
    // the long ones first, so that they run beside the others
    case("a_thread_beside_the_kernel_panics", FAULTS, crash::beside_the_kernel),
    case("strongswan_rekeys_both_phases", STRONGSWAN, |lab| rekey::by_strongswan(lab, Build::Kernel)),
    case("spoke_asks_and_strongswan_hub_rekeys_both_phases_udp4500", DHCP, rekey::by_strongswan_hub),
    case("hub_and_strongswan_protocol_50", STRONGSWAN, hub_and_strongswan),
    case("a_volume_makes_the_hub_rekey", STRONGSWAN, volume),
    case("tcp_fills_the_tunnel_and_fits_its_mtu", IPERF, l2l::tcp),
    case("vpnc_protocol_50", VPNC, |lab| remote_access::reference(lab, Client::Direct, NatMode::None)),
    case("vpnc_behind_nat", VPNC, |lab| remote_access::reference(lab, Client::BehindNat, NatMode::Natt)),
    case("a_client_behind_a_nat_moves", VPNC, moves),
    case("cleartext_is_refused_and_reloads_that_do_not_fit", STRONGSWAN, refused),
    case("auto_takes_the_kernel", &[Need::Hubward, Need::Xfrm], |lab| {
        auto(lab, "", "kernel (xfrm)", "supports all that the configuration needs")
    }),
    case("auto_leaves_it_and_says_why", &[Need::Hubward, Need::Xfrm], |lab| {
        auto(
            lab,
            "crypto isakmp invalid-spi-recovery
",
            "user space",
            "invalid-spi-recovery",
        )
    }),
    case("leftovers_of_a_killed_gateway_go", STRONGSWAN, killed),
    case("filters_of_crypto_map_entries_hold", STRONGSWAN, |lab| {
        map_filters::both(lab, &["--dataplane", "kernel"])
    }),
    case("loopbacks_are_dummies_and_sub_interfaces_vlans", STRONGSWAN, made_links),
    case("a_loopback_is_the_local_address_of_a_map", STRONGSWAN, |lab| {
        interfaces::local_address(lab, Build::Kernel)
    }),
];

/// The LAN is a VLAN of the inside card, whose untagged frames are another network, and the router
/// has a loopback: links that Hubward makes, and takes away.
fn made_links(lab: &Lab) -> Result<()> {
    let config = edit(
        &hub_cfg()?,
        "  ip address 10.1.1.1 255.255.254.0\n",
        "  no ip address\ninterface FastEthernet0/1.1\n encapsulation dot1Q 1 native\n \
         ip address 10.9.9.1 255.255.255.0\ninterface FastEthernet0/1.20\n encapsulation dot1Q 20\n \
         ip address 10.1.1.1 255.255.254.0\ninterface Loopback0\n ip address 10.48.80.1 255.255.255.0\n\
         interface FastEthernet0/1\n",
    )?;
    let net = Reference::build(lab, Client::Direct)?;
    net.address_spoke()?;
    let lan = &net.hub_lan;
    lan.ip("address flush dev eth0")?;
    lan.ip("link add link eth0 name eth0.20 type vlan id 20")?;
    lan.address("eth0.20", "10.1.1.10/23")?;
    lan.ip("link set eth0.20 up")?;
    lan.address("eth0", "10.9.9.9/24")?;
    lan.default_route(HUB_INSIDE)?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &config)?;
    for address in [HUB_INSIDE, Ipv4Addr::new(10, 9, 9, 1), Ipv4Addr::new(10, 48, 80, 1)] {
        ping::until_answered(lan, address, secs(10))?;
    }
    let links = net.hub.ip("-d link show")?;
    assert!(links.contains("hubwardlo0") && links.contains("dummy"), "{links}");
    assert!(links.contains("vlan protocol 802.1Q id 20"), "{links}");
    let brief = hub.exec("show ip interface brief")?;
    for name in ["FastEthernet0/1.1 ", "FastEthernet0/1.20 ", "Loopback0 "] {
        let line = brief.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert_eq!(line.matches("up").count(), 2, "{name}:\n{brief}");
    }
    let charon = Charon::start(lab, "spoke", &net.spoke, Build::Kernel, &Spoke::default().conf())?;
    charon.initiate("net")?;
    ping::answered(&net.spoke_lan, HUB_HOST, 3)?;
    ping::answered(lan, SPOKE_HOST, 3)?;
    // with its card, a sub-interface is down
    hub.console("enable\nconfigure terminal\ninterface FastEthernet0/1\nshutdown\nend\nexit\n")?;
    ping::unanswered(lan, HUB_INSIDE, 1)?;
    hub.console("enable\nconfigure terminal\ninterface FastEthernet0/1\nno shutdown\nend\nexit\n")?;
    ping::until_answered(lan, HUB_INSIDE, secs(10))?;
    hub.process().kill9()?;
    assert!(net.hub.ip("link show")?.contains("hubwardlo0"), "a killed gateway leaves its links");
    let mut hub = Hubward::start(lab, "hub", &net.hub, &config)?;
    ping::until_answered(lan, HUB_INSIDE, secs(10))?;
    hub.stop()?;
    let left = net.hub.ip("link show")?;
    assert!(!left.contains("hubward"), "left behind:\n{left}");
    Ok(())
}

/// The xfrm state of a namespace.
fn held(ns: &Ns) -> Result<(String, String)> {
    Ok((ns.run(&["ip", "xfrm", "state"])?, ns.run(&["ip", "xfrm", "policy", "list", "nosock"])?))
}

/// Fails unless nothing is left of a gateway that ended; what the kernel itself keeps for a second
/// is waited for.
fn left_nothing(ns: &Ns) -> Result<()> {
    let mut left = (String::new(), String::new());
    let gone = wait::until("xfrm to be empty", secs(5), || {
        left = held(ns)?;
        Ok(left.0.is_empty() && left.1.is_empty())
    });
    gone.map_err(|error| error.context(format!("left behind:\n{}{}", left.0, left.1)))
}

fn hub_and_strongswan(lab: &Lab) -> Result<()> {
    let mut scene = Scene::reference(lab, Client::Direct)?;
    let brief = scene.hub.exec("show crypto engine brief")?;
    assert!(brief.contains("data plane:  kernel (xfrm)"), "{brief}");
    let spoke = scene.spoke(lab, Build::Kernel, &Spoke::default())?;
    let (states, policies) = held(&scene.net.hub)?;
    for (found, wanted) in [(&states, "src 10.100.2.102 dst 10.48.67.181"), (&policies, "dir fwd")] {
        if !found.contains(wanted) {
            bail!("no {wanted} in\n{states}{policies}");
        }
    }
    assert_eq!(states.matches("proto esp").count(), 2, "{states}");
    scene.hub.wait_show("show crypto ipsec sa", "#pkts encaps: 6", secs(5))?;
    scene.hub.wait_show("show crypto ipsec sa", "#pkts decaps: 6", secs(5))?;
    scene.hub.process().terminate(secs(10))?;
    left_nothing(&scene.net.hub)?;
    wait::until("the spoke to hear the goodbye", secs(5), || Ok(spoke.children()? == 0))?;
    let wire = scene.wire()?;
    wire.expect_native_esp(HUB, SPOKE, 6)
}

/// The smallest volume that IOS accepts, 2560 kilobytes: the kernel reports nine tenths of it, and
/// the hub rekeys.
fn volume(lab: &Lab) -> Result<()> {
    let scene = Scene::with(lab, Client::Direct, &rekey::shortest_volume()?)?;
    let spoke = scene.spoke(lab, Build::Kernel, &Spoke::default())?;
    let first = scene.capture.read()?.spis(HUB, SPOKE);
    // 2.4 Mbyte of answers from the hub's LAN
    let sent = ["ping", "-q", "-i", "0.002", "-s", "1200", "-c", "1950", "-W", "2"];
    let host = HUB_HOST.to_string();
    let arguments: Vec<&str> = sent.into_iter().chain([host.as_str()]).collect();
    let said = scene.net.spoke_lan.run(&arguments)?;
    assert!(said.contains(" 0% packet loss"), "{said}");
    wait::until("a second pair", secs(10), || {
        Ok(spoke.children()? >= 1 && {
            ping::answered(&scene.net.spoke_lan, HUB_HOST, 1)?;
            scene.capture.read()?.spis(HUB, SPOKE).len() > first.len()
        })
    })?;
    ping::answered(&scene.net.hub_lan, SPOKE_HOST, 3)?;
    scene.wire().map(drop)
}

/// The NAT router gets another address, and with it its client: the hub follows, and its SAs stay.
fn moves(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::BehindNat)?;
    let (_vpnc, _env) = scene.vpnc(lab, &Profile { nat: NatMode::Natt, ..Profile::default() })?;
    let nat = scene.net.nat.as_ref().context("the NAT router")?;
    let (before, _) = held(&scene.net.hub)?;
    nat.ip("addr del 10.51.82.100/24 dev outside")?;
    nat.address("outside", "10.51.82.101/24")?;
    nat.default_route(std::net::Ipv4Addr::new(10, 51, 82, 1))?;
    ping::until_answered(&scene.net.client, HUB_HOST, secs(20))?;
    ping::answered(&scene.net.client, HUB_HOST, 5)?;
    ping::answered(&scene.net.hub_lan, POOL_FIRST, 5)?;
    let (after, _) = held(&scene.net.hub)?;
    assert!(after.contains("dst 10.51.82.101") && !after.contains("10.51.82.100"), "{before}{after}");
    let spis = |text: &str| {
        let spis = text.split_whitespace().filter(|word| word.starts_with("0x") && word.len() == 10);
        spis.map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(spis(&before), spis(&after), "the same SAs");
    scene.wire().map(drop)
}

fn refused(lab: &Lab) -> Result<()> {
    let scene = Scene::reference(lab, Client::Direct)?;
    let _spoke = scene.spoke(lab, Build::Kernel, &Spoke::default())?;
    // what should have been encrypted arrives unencrypted: from the internet, with an address
    // behind the tunnel
    scene.net.inet.address("to-hub", "10.2.9.9/32")?;
    scene.net.inet.ip("route add 10.1.0.0/16 via 10.48.67.181")?;
    let from = Some(std::net::Ipv4Addr::new(10, 2, 9, 9));
    let before = scene.net.hub.run(&["cat", "/proc/net/xfrm_stat"])?;
    ping::count_from(&scene.net.inet, from, HUB_HOST, 3)?;
    let after = scene.net.hub.run(&["cat", "/proc/net/xfrm_stat"])?;
    let blocked = |text: &str| -> u32 {
        let lines = text.lines().filter(|line| line.starts_with("XfrmInTmplMismatch"));
        lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u32>().ok()).sum()
    };
    assert!(blocked(&after) >= blocked(&before) + 3, "{before}{after}");
    // a configuration that the kernel cannot do does not take the place of one that it does
    let other = edit(
        &hub_cfg()?,
        "crypto ipsec transform-set",
        "crypto isakmp invalid-spi-recovery\ncrypto ipsec transform-set",
    )?;
    scene.hub.reload("hub", &other)?;
    wait::until("the hub to refuse", secs(5), || {
        Ok(scene.hub.expect_log(&["old configuration stays", "invalid-spi-recovery"]).is_ok())
    })?;
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)
}

fn auto(lab: &Lab, line: &str, plane: &str, why: &str) -> Result<()> {
    let set = "crypto ipsec transform-set";
    let config = edit(&hub_cfg()?, set, &format!("{line}{set}"))?;
    let mut scene = Scene::with_arguments(lab, Client::Direct, &config, &["--dataplane", "auto"])?;
    let brief = scene.hub.exec("show crypto engine brief")?;
    assert!(brief.contains(&format!("data plane:  {plane}")) && brief.contains(why), "{brief}");
    scene.hub.stop()?;
    left_nothing(&scene.net.hub)
}

fn killed(lab: &Lab) -> Result<()> {
    let mut scene = Scene::reference(lab, Client::Direct)?;
    let spoke = scene.spoke(lab, Build::Kernel, &Spoke::default())?;
    scene.hub.process().kill9()?;
    let (states, policies) = held(&scene.net.hub)?;
    assert!(states.contains("proto esp") && policies.contains("dir in"), "{states}{policies}");
    scene.net.hub.run(&[
        "ip",
        "xfrm",
        "policy",
        "add",
        "dir",
        "out",
        "src",
        "192.0.2.0/24",
        "dst",
        "198.51.100.0/24",
        "action",
        "allow",
    ])?;
    // by the other plane too, whose packets the policies would hold up
    let mut hub = Hubward::start_with(lab, "hub", &scene.net.hub, &hub_cfg()?, &["--dataplane", "user"])?;
    hub.expect_log(&["leftover", "SA"])?;
    let (states, policies) = held(&scene.net.hub)?;
    assert!(!states.contains("proto esp"), "{states}");
    assert_eq!(
        policies.matches("dir ").count(),
        1,
        "somebody else's policy stays, and nothing else:\n{policies}"
    );
    hub.stop()?;
    let mut hub = Hubward::start(lab, "hub", &scene.net.hub, &hub_cfg()?)?;
    // strongSwan does not know of it until it is notified
    spoke.swanctl(&["--terminate", "--ike", "hub", "--force", "--timeout", "3"], secs(10))?;
    spoke.initiate("net")?;
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)?;
    hub.stop()?;
    let (states, policies) = held(&scene.net.hub)?;
    assert!(states.is_empty(), "{states}");
    assert_eq!(
        policies.matches("dir ").count(),
        1,
        "somebody else's policy stays, and nothing else:\n{policies}"
    );
    Ok(())
}
