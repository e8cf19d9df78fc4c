//! A Hubward spoke whose address comes by DHCP, and a strongSwan hub.
//!
//! ```text
//!  hub_lan ── hub (strongSwan) ── inet (dnsmasq) ── spoke (Hubward) ── spoke_lan
//!  10.1.1.10   10.48.67.181       10.100.2.3         by DHCP            10.2.2.10
//! ```

use std::net::Ipv4Addr;

use anyhow::Result;
use hubward_interop::capture::Capture;
use hubward_interop::charon::{Build, Charon, Hub};
use hubward_interop::dnsmasq::Dnsmasq;
use hubward_interop::hubward::{Hubward, edit, spoke_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping;
use hubward_interop::topology::{
    Client, HUB, HUB_HOST, PRIVATE, Reference, SPOKE, SPOKE_GATEWAY, SPOKE_HOST,
};
use hubward_interop::wait::secs;

use crate::{Case, case};

const MACHINE: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Tool("dnsmasq")];
const TRIXIE: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Trixie, Need::Tool("dnsmasq")];

pub(crate) const CASES: &[Case] = &[
    case("2d_spoke_cfg_strongswan_hub_udp4500", MACHINE, |lab| spoke(lab, Build::Machine)),
    case("2d_spoke_cfg_strongswan_hub_protocol_50", TRIXIE, |lab| spoke(lab, Build::Trixie)),
    case("the_second_peer_serves_when_the_first_is_silent", MACHINE, second_peer),
    case("a_crash_asks_for_the_same_address", &[Need::Hubward, Need::Tool("dnsmasq")], init_reboot),
    case("a07_a_new_lease_brings_a_new_tunnel", MACHINE, new_lease),
];

/// The peers, with the tunnel up: traffic of the spoke's LAN brings it up.
fn start(lab: &Lab, build: Build) -> Result<(Reference, Charon, Dnsmasq, Hubward)> {
    let net = Reference::build(lab, Client::Direct)?;
    net.address_hub()?;
    let dhcp = Dnsmasq::start(lab, "dnsmasq", &net.inet, "to-spoke", SPOKE, SPOKE_GATEWAY, 120)?;
    let hub = Charon::start(lab, "hub", &net.hub, build, &Hub::default().conf())?;
    let spoke = Hubward::start(lab, "spoke", &net.spoke, &spoke_cfg()?)?;
    spoke.wait_show("show ip interface FastEthernet0/0", "10.100.2.102", secs(15))?;
    Ok((net, hub, dhcp, spoke))
}

fn spoke(lab: &Lab, build: Build) -> Result<()> {
    let (net, hub, _dhcp, spoke) = start(lab, build)?;
    let capture = Capture::start(lab, &net.inet, "to-hub")?;
    ping::until_answered(&net.spoke_lan, HUB_HOST, secs(20))?;
    ping::answered(&net.spoke_lan, HUB_HOST, 5)?;
    ping::answered(&net.hub_lan, SPOKE_HOST, 5)?;
    assert_eq!(hub.children()?, 1, "one child SA expected:\n{}", hub.sas()?);
    let shown = spoke.exec("show ip interface FastEthernet0/0")?;
    // A12
    let expected = "FastEthernet0/0 is up, line protocol is up\n  Internet address is 10.100.2.102/24\n  \
                    Broadcast address is 255.255.255.255\n  Address determined by DHCP\n";
    assert!(shown.starts_with(expected), "{shown}");

    let wire = capture.finish()?;
    wire.expect_no_cleartext(&PRIVATE)?;
    match build {
        Build::Machine => wire.expect_udp_esp(HUB, SPOKE, 8),
        Build::Trixie | Build::Kernel => wire.expect_native_esp(HUB, SPOKE, 8),
    }
}

/// The entry's first peer does not exist: after 64 seconds, the spoke initiates to the second.
fn second_peer(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    net.address_hub()?;
    let _dhcp = Dnsmasq::start(lab, "dnsmasq", &net.inet, "to-spoke", SPOKE, SPOKE_GATEWAY, 600)?;
    let hub = Charon::start(lab, "hub", &net.hub, Build::Machine, &Hub::default().conf())?;
    let nobody = "crypto isakmp key cisco123 address 10.48.67.199\ncrypto isakmp key";
    let config = edit(&spoke_cfg()?, "crypto isakmp key", nobody)?;
    let config = edit(&config, "set peer ", "set peer 10.48.67.199 default\n set peer ")?;
    let spoke = Hubward::start(lab, "spoke", &net.spoke, &config)?;
    spoke.wait_show("show ip interface FastEthernet0/0", "10.100.2.102", secs(15))?;
    ping::unanswered(&net.spoke_lan, HUB_HOST, 3)?;
    assert_eq!(hub.children()?, 0, "the second peer was called before the first had its time");
    ping::until_answered(&net.spoke_lan, HUB_HOST, secs(90))?;
    ping::answered(&net.hub_lan, SPOKE_HOST, 5)
}

/// The provider assigns another address at the next renewal, half a lease later.
fn new_lease(lab: &Lab) -> Result<()> {
    const NEW: Ipv4Addr = Ipv4Addr::new(10, 100, 2, 110);
    let (net, _hub, mut dhcp, spoke) = start(lab, Build::Machine)?;
    ping::until_answered(&net.spoke_lan, HUB_HOST, secs(20))?;
    dhcp.process.terminate(secs(5))?;
    let _dhcp = Dnsmasq::start(lab, "dnsmasq-new", &net.inet, "to-spoke", NEW, SPOKE_GATEWAY, 120)?;
    spoke.wait_show("show ip interface FastEthernet0/0", "10.100.2.110", secs(100))?;
    let capture = Capture::start(lab, &net.inet, "to-hub")?;
    ping::until_answered(&net.spoke_lan, HUB_HOST, secs(30))?;
    ping::answered(&net.spoke_lan, HUB_HOST, 5)?;
    ping::answered(&net.hub_lan, SPOKE_HOST, 5)?;
    let wire = capture.finish()?;
    wire.expect_no_cleartext(&PRIVATE)?;
    wire.expect_udp_esp(HUB, NEW, 8)
}

/// INIT-REBOOT (RFC 2131 section 3.2): after `kill -9` the address of before is asked for, without
/// a DISCOVER; after a clean end, which gives the lease back, there is nothing to ask for.
fn init_reboot(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    let dhcp = Dnsmasq::start(lab, "dnsmasq", &net.inet, "to-spoke", SPOKE, SPOKE_GATEWAY, 3600)?;
    let discovers = || dhcp.process.log().matches("DHCPDISCOVER(").count();
    let acks = || dhcp.process.log().matches("DHCPACK(").count();
    let mut spoke = Hubward::start(lab, "spoke", &net.spoke, &spoke_cfg()?)?;
    spoke.wait_show("show ip interface FastEthernet0/0", "10.100.2.102", secs(15))?;
    let before = (discovers(), acks());
    spoke.process().kill9()?;
    let mut spoke = Hubward::start(lab, "spoke", &net.spoke, &spoke_cfg()?)?;
    spoke.wait_show("show ip interface FastEthernet0/0", "10.100.2.102", secs(15))?;
    assert_eq!((discovers(), acks()), (before.0, before.1 + 1), "confirmed without a DISCOVER");
    spoke.expect_log(&["10.100.2.102", "which it had before"])?;
    spoke.stop()?;
    assert!(dhcp.process.log().contains("DHCPRELEASE("), "the lease was not given back");
    let spoke = Hubward::start(lab, "spoke", &net.spoke, &spoke_cfg()?)?;
    spoke.wait_show("show ip interface FastEthernet0/0", "10.100.2.102", secs(15))?;
    assert_eq!(discovers(), before.0 + 1);
    Ok(())
}
