//! A test of the harness itself, without Hubward: two independent programs agree in it, and the
//! capture assertions distinguish ESP from cleartext.
//!
//! ```text
//!  hub_lan ── hub (strongSwan) ── inet ── spoke (strongSwan) ── spoke_lan
//!                                   └──── client (vpnc)
//! ```

use anyhow::{Result, bail};
use hubward_interop::capture::{Capture, exchange};
use hubward_interop::charon::{Build, Charon, Hub, Spoke};
use hubward_interop::lab::Lab;
use hubward_interop::needs::Need;
use hubward_interop::ping;
use hubward_interop::topology::{
    CLIENT, Client, HUB, HUB_HOST, POOL_FIRST, PRIVATE, Reference, SPOKE, SPOKE_HOST,
};
use hubward_interop::vpnc::{NatMode, Profile, Vpnc};

use crate::{Case, case};

pub(crate) const CASES: &[Case] = &[
    case("strongswan_and_vpnc_on_strongswan_udp4500", &[Need::StrongSwan, Need::Tool("vpnc")], udp),
    case(
        "strongswan_and_vpnc_on_strongswan_protocol_50",
        &[Need::Trixie, Need::StrongSwan, Need::Tool("vpnc")],
        native,
    ),
];

fn udp(lab: &Lab) -> Result<()> {
    both(lab, Build::Machine)
}

fn native(lab: &Lab) -> Result<()> {
    both(lab, Build::Trixie)
}

fn both(lab: &Lab, build: Build) -> Result<()> {
    let net = Reference::build(lab, Client::Direct)?;
    net.address_hub()?;
    net.address_spoke()?;
    let capture = Capture::start(lab, &net.inet, "to-hub")?;
    let hub = Charon::start(lab, "hub", &net.hub, build, &Hub::default().conf())?;
    let spoke = Charon::start(lab, "spoke", &net.spoke, build, &Spoke::default().conf())?;
    spoke.initiate("net")?;
    ping::answered(&net.spoke_lan, HUB_HOST, 3)?;
    ping::answered(&net.hub_lan, SPOKE_HOST, 3)?;

    let nat = if build == Build::Machine { NatMode::Natt } else { NatMode::None };
    let mut vpnc = Vpnc::start(lab, "vpnc", &net.client, &Profile { nat, ..Profile::default() })?;
    let env = vpnc.wait_up()?;
    assert_eq!(Vpnc::address(&env)?, POOL_FIRST);
    ping::answered(&net.client, HUB_HOST, 3)?;
    if hub.children()? != 2 {
        bail!("expected two child SAs:\n{}", hub.sas()?);
    }

    let wire = capture.finish()?;
    for peer in [SPOKE, CLIENT] {
        match build {
            Build::Machine => wire.expect_udp_esp(HUB, peer, 3)?,
            Build::Trixie | Build::Kernel => wire.expect_native_esp(HUB, peer, 3)?,
        }
    }
    wire.expect_no_cleartext(&PRIVATE)?;
    assert!(wire.isakmp(HUB, SPOKE, exchange::TRANSACTION).is_empty(), "the spoke was asked for Xauth");
    assert!(
        !wire.isakmp(HUB, CLIENT, exchange::TRANSACTION).is_empty(),
        "the client was not asked for Xauth"
    );
    Ok(())
}
