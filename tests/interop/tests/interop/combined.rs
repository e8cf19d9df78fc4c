//! A spoke without Xauth and a client with it, on one hub at the same
//! time.
//!
//! ```text
//!  hub_lan ── hub (Hubward) ── inet ── spoke (strongSwan) ── spoke_lan
//!                               └───── client (vpnc)
//! ```

use anyhow::Result;
use hubward_interop::charon::{Build, Spoke};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping;
use hubward_interop::topology::{CLIENT, Client, HUB, HUB_HOST, POOL_FIRST, SPOKE, SPOKE_HOST};
use hubward_interop::vpnc::{NatMode, Profile};

use crate::scene::{Scene, expect_xauth_of_the_client_alone};
use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("2c_a04_a38_both_at_once_udp4500", &[Need::Hubward, Need::StrongSwan, Need::Tool("vpnc")], |lab| {
        both(lab, Build::Machine, Client::BehindNat)
    }),
    case(
        "2c_a04_a38_both_at_once_protocol_50",
        &[Need::Hubward, Need::StrongSwan, Need::Trixie, Need::Tool("vpnc")],
        |lab| both(lab, Build::Trixie, Client::Direct),
    ),
];

fn both(lab: &Lab, build: Build, at: Client) -> Result<()> {
    let scene = Scene::reference(lab, at)?;
    let _spoke = scene.spoke(lab, build, &Spoke::default())?;
    let nat = if at == Client::Direct { NatMode::None } else { NatMode::Natt };
    let (_vpnc, _env) = scene.vpnc(lab, &Profile { nat, ..Profile::default() })?;

    // A38: both ways, both peers, while the other is there
    ping::answered(&scene.net.spoke_lan, HUB_HOST, 3)?;
    ping::answered(&scene.net.hub_lan, SPOKE_HOST, 3)?;
    ping::answered(&scene.net.client, HUB_HOST, 3)?;
    ping::answered(&scene.net.hub_lan, POOL_FIRST, 3)?;

    let sas = scene.hub.exec("show crypto isakmp sa")?;
    assert_eq!(sas.matches("QM_IDLE").count(), 2, "two SAs expected:\n{sas}");
    let detail = scene.hub.exec("show crypto ipsec sa")?;
    for flow in ["(10.5.5.1/255.255.255.255/0/0)", "(10.2.0.0/255.255.0.0/0/0)"] {
        assert!(detail.contains(flow), "no {flow} in\n{detail}");
    }

    let wire = scene.wire()?;
    expect_xauth_of_the_client_alone(&wire)?;
    for peer in [SPOKE, CLIENT] {
        match build {
            Build::Machine => wire.expect_udp_esp(HUB, peer, 6)?,
            Build::Trixie | Build::Kernel => wire.expect_native_esp(HUB, peer, 6)?,
        }
    }
    Ok(())
}
