//! Peers: what outlives an IKE SA.

use crate::ike::context::Context;
use crate::ike::io::Effect;
use crate::ike::lookup::key_for_address;
use crate::ike::tables::peer::{Lease, Peer};
use crate::ike::trace::Trace;
use crate::names::PeerId;
use crate::names::Service;
use crate::path::Path;
use crate::policy::{Keepalive, MapEntryKind};
use std::net::IpAddr;
use std::time::Duration;

/// The longest time before the VPN client's next try.
const LAST_RECONNECT: Duration = Duration::from_secs(60);

impl Context {
    /// Whether a peer at this address is already known, so that INITIAL-CONTACT would be wrong.
    pub(crate) fn knows_peer_at(&self, path: &Path) -> bool {
        self.peers.at(path.remote).any(|(_, peer)| peer.path.local == path.local)
    }

    /// Forgets a peer that has no SAs left, and returns its lease.
    pub(crate) fn tidy_peer(&mut self, id: PeerId) {
        let has_sa = self.sas_of(id).next().is_some();
        let has_child = self.child_ids_of(id).next().is_some();
        if has_sa || has_child || self.in_work.contains(&id) {
            return;
        }
        if let Some(peer) = self.peers.remove(id)
            && let Some(lease) = peer.lease
        {
            self.out.step_on(None, peer.path, || Trace::AddressReturned);
            self.give_back(lease);
        }
    }

    /// Returns a granted lease. Each is returned once, whether or not its peer still exists.
    pub(crate) fn give_back(&mut self, lease: Lease) {
        self.out.effect(Effect::Release { pool: lease.pool, owner: lease.owner, address: lease.address });
    }

    pub(crate) fn schedule_reconnect(&mut self, name: &str) {
        if self.stopping {
            return;
        }
        let Some(reconnect) = self.reconnects.get_mut(name) else { return };
        match reconnect.redirect.take() {
            Some(gateway) => {
                reconnect.gateway = Some(gateway);
                reconnect.at = self.now;
            }
            // the gateway that was named is gone: ask the connection's own gateway again
            None => {
                reconnect.gateway = None;
                reconnect.redirects = 0;
                reconnect.at = self.now + reconnect.wait;
                reconnect.wait = (reconnect.wait * 2).min(LAST_RECONNECT);
            }
        }
        let at = reconnect.at;
        self.timers.arm_reconnect(name, Some(at));
    }

    pub(crate) fn keepalive_with(&self, profile: Option<&str>) -> Option<Keepalive> {
        let of_profile = profile.and_then(|name| self.policy.profile(name)?.keepalive);
        of_profile.or(self.policy.global.keepalive)
    }

    /// Whether we have a key with which to begin phase 1 with a peer; a client's phase 1 is its
    /// session and is not ours to begin.
    pub(crate) fn can_call(&self, peer: &Peer) -> bool {
        let profile = peer.profile.as_deref().and_then(|name| self.policy.profile(name));
        let keyrings = profile.map_or(&[][..], |profile| &profile.keyrings);
        let Path { local, remote, .. } = peer.path;
        !peer.is_client() && key_for_address(&self.policy, keyrings, local, remote).is_some()
    }

    /// Whether packets have been sent to a peer for some time, and none has come back.
    pub(crate) fn is_silent(&self, id: PeerId, patience: Duration) -> bool {
        let in_use = || self.children_of(id).filter(|child| child.outbound);
        let sent = in_use().filter_map(|child| child.last_outbound).max();
        let heard = in_use().map(|child| child.last_inbound.unwrap_or(child.established)).max();
        heard.is_some_and(|heard| sent > Some(heard) && self.now.since(heard) >= patience)
    }

    /// The peer after `peer` in an entry's list, the number of peers, and the entry's profile;
    /// `None` for an entry with a single peer.
    pub(crate) fn peer_behind(
        &self,
        service: &Service,
        peer: IpAddr,
    ) -> Option<(IpAddr, usize, Option<String>)> {
        let entry = service.map_entry()?;
        let map = self.policy.maps.iter().find(|map| map.name == entry.map)?;
        let found = map.entries.iter().find(|candidate| candidate.sequence == entry.sequence)?;
        let MapEntryKind::Static { peers, terms } = &found.kind else { return None };
        let place = peers.iter().position(|known| *known == peer)?;
        let next = peers.iter().cycle().nth(place + 1).filter(|next| **next != peer)?;
        Some((*next, peers.len(), terms.profile.clone()))
    }

    /// A peer is dead: the entries that it served try the next one.
    pub(crate) fn pass_over(&mut self, remote: IpAddr, peer: PeerId) {
        let services: Vec<_> = self
            .children
            .values()
            .filter(|child| child.peer == peer)
            .map(|child| child.sa.service.clone())
            .collect();
        for service in services {
            if let Some((next, ..)) = self.peer_behind(&service, remote) {
                self.next_peer.insert(service, next);
            }
        }
    }
}
