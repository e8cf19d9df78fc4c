//! What `show` commands see of IKEv1's SAs.

use crate::ike::context::Context;
use crate::ike::snapshot::IsakmpView;
use crate::ike::v1::phase1::keepalive_of;
use crate::ike::v1::room::{Tables, V1};
use crate::ike::v1::sa::{IsakmpSa, state_of};
use crate::ike::vendor::Vendor;
use crate::names::{ConnId, Untrusted};
use std::net::IpAddr;

impl Tables {
    /// What an SA waits for next.
    pub(crate) fn waits_for(&self, id: ConnId) -> &'static str {
        let next = self.sas.get(&id).and_then(|sa| V1::next_deadline(sa));
        next.map_or("phase 1", |(_, reason)| reason.name())
    }

    /// All SAs, with those of peers that have sent only message 1, as far as they are listed.
    pub(crate) fn views(&self, cx: &Context) -> impl Iterator<Item = IsakmpView> {
        let called = self.calls.shown_ids().filter_map(|id| self.calls.shown(id));
        let sas = self.sas.values().map(|sa| view(cx, sa));
        sas.chain(called.map(|call| view(cx, &call.resume())))
    }

    /// One of them.
    pub(crate) fn view(&self, cx: &Context, id: ConnId) -> Option<IsakmpView> {
        match self.sas.get(&id) {
            Some(sa) => Some(view(cx, sa)),
            None => self.calls.shown(id).map(|call| view(cx, &call.resume())),
        }
    }
}

/// An SA as `show` commands see it.
fn view(cx: &Context, sa: &IsakmpSa) -> IsakmpView {
    let established = sa.established();
    let peer = established.and_then(|established| cx.peers.get(&established.peer));
    let state = state_of(sa);
    IsakmpView {
        conn_id: sa.id,
        peer: established.map(|established| established.peer.0),
        created: sa.created,
        path: sa.path,
        initiator: sa.initiator,
        state,
        deleted: established.is_some_and(|established| established.retire.is_some()),
        cipher: sa.suite.map(|suite| suite.cipher),
        hash: sa.suite.map(|suite| suite.hash),
        group: sa.suite.map(|suite| suite.group),
        expires: established.map(|established| established.expires),
        lifetime: sa.suite.map(|suite| suite.lifetime),
        offered: sa.suite.and_then(|suite| suite.wished),
        identity: established.map(|established| established.identity.display()),
        profile: established.and_then(|established| established.profile.clone()),
        group_name: peer.and_then(|peer| peer.group.clone()),
        user: peer.and_then(|peer| peer.user.as_ref()).map(|user| Untrusted::new(user.as_bytes())),
        assigned: peer.and_then(|peer| {
            let given = peer.connection.as_ref().and_then(|(_, address)| *address);
            peer.lease.as_ref().map(|lease| lease.address).or(given.map(IpAddr::V4))
        }),
        mode_config: established.is_some_and(|established| established.config_used),
        xauth: established.is_some_and(|established| established.xauth_used),
        dpd: keepalive_of(&cx.policy, sa).is_some() && sa.vendors.has(Vendor::Dpd),
        nat: sa.nat.any(),
    }
}
