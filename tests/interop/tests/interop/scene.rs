//! Steps that several topics share: each builds one peer of the reference network and waits until
//! it works.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use hubward_interop::capture::{Capture, Wire, exchange};
use hubward_interop::charon::{Build, Charon, Spoke};
use hubward_interop::hubward::{Hubward, hub_cfg};
use hubward_interop::lab::Lab;
use hubward_interop::ping;
use hubward_interop::topology::{CLIENT, Client, HUB, HUB_HOST, PRIVATE, Reference, SPOKE, SPOKE_HOST};
use hubward_interop::vpnc::{Profile, Vpnc};
use hubward_interop::wait::secs;

/// The reference network with a Hubward hub in it and a capture between the gateways.
pub(crate) struct Scene {
    pub(crate) net: Reference,
    pub(crate) capture: Capture,
    pub(crate) hub: Hubward,
}

impl Scene {
    /// `hub.cfg` unchanged.
    pub(crate) fn reference(lab: &Lab, client: Client) -> Result<Self> {
        Self::with(lab, client, &hub_cfg()?)
    }

    /// A hub of any configuration.
    pub(crate) fn with(lab: &Lab, client: Client, config: &str) -> Result<Self> {
        Self::with_arguments(lab, client, config, &[])
    }

    /// A hub of any configuration, started with further arguments.
    pub(crate) fn with_arguments(
        lab: &Lab,
        client: Client,
        config: &str,
        arguments: &[&str],
    ) -> Result<Self> {
        let net = Reference::build(lab, client)?;
        net.spoke.address("eth0", "10.100.2.102/24")?;
        net.spoke.address("eth1", "10.2.2.2/24")?;
        net.spoke.default_route(hubward_interop::topology::SPOKE_GATEWAY)?;
        let capture = Capture::start(lab, &net.inet, "to-hub")?;
        let hub = Hubward::start_with(lab, "hub", &net.hub, config, arguments)?;
        Ok(Self { net, capture, hub })
    }

    /// A strongSwan spoke that has initiated its tunnel; both LANs reach each other.
    pub(crate) fn spoke(&self, lab: &Lab, build: Build, spoke: &Spoke) -> Result<Charon> {
        let charon = Charon::start(lab, "spoke", &self.net.spoke, build, &spoke.conf())?;
        charon.initiate("net")?;
        ping::answered(&self.net.spoke_lan, HUB_HOST, 3)?;
        ping::answered(&self.net.hub_lan, SPOKE_HOST, 3)?;
        Ok(charon)
    }

    /// A vpnc client whose tunnel carries pings both ways; what mode-config sent it.
    pub(crate) fn vpnc(&self, lab: &Lab, profile: &Profile) -> Result<(Vpnc, BTreeMap<String, String>)> {
        let mut vpnc = Vpnc::start(lab, "vpnc", &self.net.client, profile)?;
        let env = vpnc.wait_up()?;
        // vpnc sets its interface up before its quick mode
        ping::until_answered(&self.net.client, HUB_HOST, secs(15))?;
        ping::answered(&self.net.client, HUB_HOST, 3)?;
        ping::answered(&self.net.hub_lan, Vpnc::address(&env)?, 3)?;
        Ok((vpnc, env))
    }

    /// Ends the capture; fails if anything private was on the wire unencrypted.
    pub(crate) fn wire(self) -> Result<Wire> {
        let wire = self.capture.finish()?;
        wire.expect_no_cleartext(&PRIVATE)?;
        Ok(wire)
    }
}

/// Xauth and mode-config were with the client alone.
pub(crate) fn expect_xauth_of_the_client_alone(wire: &Wire) -> Result<()> {
    if !wire.isakmp(HUB, SPOKE, exchange::TRANSACTION).is_empty() {
        bail!("the spoke was asked for Xauth");
    }
    if wire.isakmp(HUB, CLIENT, exchange::TRANSACTION).is_empty() {
        bail!("the client was not asked for Xauth");
    }
    Ok(())
}

/// Checks variables that vpnc's script was given.
pub(crate) fn expect_env(env: &BTreeMap<String, String>, expected: &[(&str, &str)]) -> Result<()> {
    for (key, value) in expected {
        let given = env.get(*key).with_context(|| format!("{key} is not set; vpnc was told {env:?}"))?;
        // lists come with or without a trailing blank
        if given.trim() != *value {
            bail!("{key} is {given:?}, expected {value:?}");
        }
    }
    Ok(())
}
