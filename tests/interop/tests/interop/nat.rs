//! Two clients and a spoke behind one NAT.
//!
//! ```text
//!  hub_lan ── hub (Hubward) ── inet ── nat 10.51.82.100 ─┬─ in0 192.168.77.0/24 ── client (vpnc, gfullage)
//!                                      (masquerade)      ├─ in1 192.168.78.0/24 ── second (vpnc, second)
//!                                                        └─ in2 192.168.79.0/24 ── natspoke (strongSwan) ── 10.3.3.10
//! ```

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{edit, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::net::Ns;
use hubward_interop::ping;
use hubward_interop::topology::{CLIENT, Client, HUB, HUB_HOST};
use hubward_interop::vpnc::{Profile, Vpnc};
use hubward_interop::wait::secs;

use crate::scene::Scene;
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[case(
    "2i_two_clients_and_a_spoke_behind_one_nat",
    &[Need::Hubward, Need::StrongSwan, Need::Tool("vpnc")],
    behind_one_nat,
)];

const REMOTE_HOST: Ipv4Addr = Ipv4Addr::new(10, 3, 3, 10);

fn behind_one_nat(lab: &Lab) -> Result<()> {
    let config =
        edit(&hub_cfg()?, "aaa new-model\n", "username second password 0 secondpw\naaa new-model\n")?;
    let scene = Scene::with(lab, Client::BehindNat, &config)?;
    let nat = scene.net.nat.as_ref().context("the NAT router")?;
    let second = leg(lab, nat, "second", "in1", 78)?;
    let router = leg(lab, nat, "natspoke", "in2", 79)?;
    let remote = lab.ns("natlan")?;
    router.cable("eth1", &remote, "eth0")?;
    router.address("eth1", "10.3.3.2/24")?;
    remote.address("eth0", "10.3.3.10/24")?;
    remote.default_route(Ipv4Addr::new(10, 3, 3, 2))?;

    let (_first, first_env) = scene.vpnc(lab, &Profile::default())?;
    let profile = Profile { user: "second".into(), password: "secondpw".into(), ..Profile::default() };
    let mut vpnc = Vpnc::start(lab, "vpnc-second", &second, &profile)?;
    let second_env = vpnc.wait_up()?;
    ping::until_answered(&second, HUB_HOST, secs(15))?;
    let spoke =
        Spoke { local: Ipv4Addr::new(192, 168, 79, 10), local_net: "10.3.0.0/16".into(), ..Spoke::default() };
    let charon = Charon::start(lab, "natspoke", &router, Build::Machine, &spoke.conf())?;
    charon.initiate("net")?;

    let (a, b) = (Vpnc::address(&first_env)?, Vpnc::address(&second_env)?);
    assert_ne!(a, b, "two clients have one address");
    // everybody, both ways, while the others are there: one port translation each
    for from in [&scene.net.client, &second, &remote] {
        ping::answered(from, HUB_HOST, 5)?;
    }
    for to in [a, b, REMOTE_HOST] {
        ping::answered(&scene.net.hub_lan, to, 5)?;
    }
    let wire = scene.wire()?;
    let ports: std::collections::BTreeSet<u16> = wire
        .frames
        .iter()
        .filter(|f| f.source == Some(CLIENT) && f.destination == Some(HUB) && f.spi.is_some())
        .filter_map(|f| f.ports.map(|(source, _)| source))
        .collect();
    assert_eq!(ports.len(), 3, "three peers behind the NAT, by port: {ports:?}");
    wire.expect_udp_esp(HUB, CLIENT, 25)
}

fn leg(lab: &Lab, nat: &Ns, name: &str, interface: &str, net: u8) -> Result<Ns> {
    let ns = lab.ns(name)?;
    nat.cable(interface, &ns, "eth0")?;
    nat.address(interface, &format!("192.168.{net}.1/24"))?;
    ns.address("eth0", &format!("192.168.{net}.10/24"))?;
    ns.default_route(Ipv4Addr::new(192, 168, net, 1))?;
    Ok(ns)
}
