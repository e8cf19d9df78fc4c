//! The Hubward VPN client.
//!
//! ```text
//!  hub_lan ── hub (strongSwan, Hubward) ── inet ── client (Hubward) 10.51.82.100
//!                                           └───── nat 10.51.82.100 ── client 192.168.77.10
//! ```

use std::fs;

use anyhow::{Result, bail};
use hubward_interop::capture::{Capture, exchange};
use hubward_interop::charon::{Build, Charon, Hub};
use hubward_interop::hubward::{Client as HubwardClient, Hubward, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping::{self, Running};
use hubward_interop::topology::{CLIENT, Client, HUB, HUB_HOST, POOL_FIRST, PRIVATE, Reference};
use hubward_interop::wait::{self, secs};

use crate::{Case, case};

const MACHINE: &[Need] = &[Need::Hubward, Need::StrongSwan];
const TRIXIE: &[Need] = &[Need::Hubward, Need::StrongSwan, Need::Trixie];

pub(crate) const CASES: &[Case] = &[
    case("2e_strongswan_gateway_udp4500", MACHINE, |lab| strongswan(lab, Build::Machine, Client::Direct)),
    case("2e_strongswan_gateway_protocol_50", TRIXIE, |lab| strongswan(lab, Build::Trixie, Client::Direct)),
    case("2e_strongswan_gateway_behind_nat", TRIXIE, |lab| strongswan(lab, Build::Trixie, Client::BehindNat)),
    case("hub_cfg_and_a_pcf_profile", &[Need::Hubward], pcf),
    case("8_hubward_client_comes_back", &[Need::Hubward], comes_back),
];

const ARGUMENTS: [&str; 10] = [
    "--gateway",
    "10.48.67.181",
    "--group",
    "testgroup",
    "--group-password-file",
    "group",
    "--user",
    "gfullage",
    "--password-file",
    "password",
];
const FILES: [(&str, &str); 2] = [("group", "cisco321\n"), ("password", "gfullage\n")];

fn strongswan(lab: &Lab, build: Build, at: Client) -> Result<()> {
    let net = Reference::build(lab, at)?;
    net.address_hub()?;
    let hub = Charon::start(lab, "hub", &net.hub, build, &Hub::default().conf())?;
    let capture = Capture::start(lab, &net.inet, "to-hub")?;
    let before = net.client.ip("route show table all")?;
    let mut client = HubwardClient::start(lab, "vpn", &net.client, &ARGUMENTS, &FILES)?;
    ping::until_answered(&net.client, HUB_HOST, secs(20))?;
    ping::answered(&net.client, HUB_HOST, 5)?;
    ping::answered(&net.hub_lan, POOL_FIRST, 5)?;
    // mode-config's name servers and domain are in use
    let resolv = fs::read_to_string(client.etc.join("resolv.conf"))?;
    for expected in ["1.1.1.1", "2.2.2.2", "cisco.com"] {
        assert!(resolv.contains(expected), "no {expected} in resolv.conf:\n{resolv}");
    }

    // everything is undone, and the gateway is notified
    let status = client.process.terminate(secs(10))?;
    assert!(status.success(), "the client ended with {status}");
    wait::until("strongSwan to see the delete", secs(3), || Ok(hub.sas()?.is_empty()))?;
    let resolv = fs::read_to_string(client.etc.join("resolv.conf"))?;
    assert_eq!(resolv, "nameserver 192.0.2.53\n", "resolv.conf is not what it was");
    let after = net.client.ip("route show table all")?;
    assert_eq!(after, before, "the routes are not what they were");

    let wire = capture.finish()?;
    wire.expect_no_cleartext(&PRIVATE)?;
    assert!(!wire.isakmp(CLIENT, HUB, exchange::AGGRESSIVE).is_empty(), "no aggressive mode in the capture");
    assert!(!wire.isakmp(HUB, CLIENT, exchange::TRANSACTION).is_empty(), "no Xauth in the capture");
    match (build, at) {
        (Build::Trixie, Client::Direct) => wire.expect_native_esp(HUB, CLIENT, 8),
        _ => wire.expect_udp_esp(HUB, CLIENT, 8),
    }
}

/// The Cisco client's profile as an administrator hands it out.
const PCF: &str = "[main]\nDescription=work\nHost=10.48.67.181\nAuthType=1\nGroupName=testgroup\nGroupPwd=cisco321\n\
                   Username=gfullage\nSaveUserPassword=0\nEnableNat=1\nTunnelingMode=0\nDHGroup=2\n";

fn pcf(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::BehindNat)?;
    let capture = Capture::start(lab, &net.inet, "to-hub")?;
    let hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let arguments = ["./work.pcf", "--password-file", "password"];
    let files = [("work.pcf", PCF), ("password", "gfullage\n")];
    let _client = HubwardClient::start(lab, "vpn", &net.client, &arguments, &files)?;
    ping::until_answered(&net.client, HUB_HOST, secs(20))?;
    ping::answered(&net.client, HUB_HOST, 5)?;
    ping::answered(&net.hub_lan, POOL_FIRST, 5)?;
    let sas = hub.exec("show crypto ipsec sa")?;
    assert!(sas.contains("10.5.5.1"), "no client in\n{sas}");
    let wire = capture.finish()?;
    wire.expect_no_cleartext(&PRIVATE)?;
    wire.expect_udp_esp(HUB, CLIENT, 8)
}

fn comes_back(lab: &Lab) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    let mut hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let mut client = HubwardClient::start(lab, "vpn", &net.client, &ARGUMENTS, &FILES)?;
    ping::until_answered(&net.client, HUB_HOST, secs(20))?;
    let traffic = Running::start(lab, "ping", &net.client, HUB_HOST)?;
    std::thread::sleep(secs(2));
    hub.process().kill9()?;
    let _hub = Hubward::start(lab, "hub", &net.hub, &hub_cfg()?)?;
    let before = traffic.replies();
    wait::until("Hubward's client to be back", secs(60), || {
        if !client.process.alive() {
            bail!("the client has ended");
        }
        Ok(traffic.replies() > before + 5)
    })?;
    // with the same address
    ping::answered(&net.hub_lan, POOL_FIRST, 3)
}
