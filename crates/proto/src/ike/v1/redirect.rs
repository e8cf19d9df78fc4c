//! A gateway of a cluster redirects the VPN client to another (Unity's LOAD_BALANCE notification,
//! 40501).
//!
//! ```text
//!   { HASH, N(LOAD_BALANCE, address) }  <--        after phase 1, instead of Xauth
//! ```
//!
//! The client starts over from port 500, because Cisco's gateways refuse a first message from 4500.
//! Only a gateway that has proved the group's key may redirect, only before the client has its
//! address, and only [`limits::REDIRECTS`] times, so that two gateways cannot redirect it back and
//! forth forever.

use crate::ike::event::EventKind;
use crate::ike::explain::Refusal;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::limits;
use crate::wire::ike1::Notify;
use std::net::{IpAddr, Ipv4Addr};

impl V1<'_> {
    /// The gateway names another gateway.
    pub(crate) fn redirected(&mut self, sa: &mut IsakmpSa, message: &Notify) -> Result<(), Refusal> {
        let Some(connection) = &sa.connection else { return Ok(()) };
        let peer = sa.established().and_then(|established| self.cx.peers.get(&established.peer));
        if peer.is_some_and(|peer| peer.connection.as_ref().is_some_and(|(_, address)| address.is_some())) {
            return Ok(());
        }
        let gateway = <[u8; 4]>::try_from(message.data.as_slice()).map(Ipv4Addr::from);
        let Some(gateway) = gateway.ok().filter(|gateway| is_host(*gateway)).map(IpAddr::V4) else {
            return Err(Refusal::Redirect);
        };
        let Some(reconnect) = self.cx.reconnects.get_mut(&connection.name) else { return Ok(()) };
        if gateway == sa.path.remote || reconnect.redirects >= limits::REDIRECTS {
            return Err(Refusal::Redirect);
        }
        reconnect.redirects += 1;
        reconnect.redirect = Some(gateway);
        self.event(Some(sa), EventKind::Redirected { gateway });
        sa.dead = true;
        Ok(())
    }
}

fn is_host(address: Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_loopback() || address.is_multicast() || address.is_broadcast())
}
