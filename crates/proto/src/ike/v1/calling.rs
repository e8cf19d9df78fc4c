//! With which peer a crypto map entry initiates: packets that need a tunnel, peers that do not
//! answer, and peers that have forgotten us.
//!
//! `set peer` lines are tried in their order. When phase 1 with one fails, the child SAs that
//! waited for it are passed to the next at once, and so on round the list. An entry with one peer
//! initiates again if packets came during the attempt. When a peer is found dead, the next packet
//! initiates to the peer after it. Once a tunnel is established, the list is reset, so that the
//! first peer is tried first again after the tunnel has ended (`set peer A default`).

use crate::flow::tables::Acquire;
use crate::ike::lookup::key_for_address;
use crate::ike::tables::child::PendingChild;
use crate::ike::v1::children::Cause;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::names::{Service, Spi};
use crate::path::{Encapsulation, Path};
use crate::policy::MapEntryKind;
use std::net::IpAddr;
use std::sync::Arc;

impl V1<'_> {
    /// ESP with an unknown SPI: a peer with a phase-1 SA is told under its protection.
    ///
    /// Otherwise we initiate to the peer if there is `invalid-spi-recovery`: to a static peer for
    /// its tunnel, to any other for phase 1 alone, whose INITIAL-CONTACT makes it drop its old
    /// tunnels. The latter is not done for ESP in UDP, because a peer behind NAT cannot be reached.
    pub(crate) fn unknown_spi(&mut self, path: Path, spi: Spi) {
        self.tell_of_spi(&path, spi);
        // a first message proves nothing, so one with the peer's address does not stand in the way
        let counts = |sa: &IsakmpSa| sa.initiator || sa.established().is_some();
        if !self.cx.policy.global.invalid_spi_recovery
            || self.own.sas.values().any(|sa| sa.path.remote == path.remote && counts(sa))
        {
            return;
        }
        let Some(map) = self.cx.policy.map_of(path.interface).cloned() else { return };
        for entry in &map.entries {
            if let MapEntryKind::Static { peers, terms } = &entry.kind
                && peers.contains(&path.remote)
            {
                let service = Service::entry(Arc::clone(&map.name), entry.sequence);
                let line = terms.acl.as_ref().and_then(|acl| acl.lines.iter().find(|line| line.permit));
                if let Some(line) = line {
                    let child =
                        PendingChild { service, selector: line.selector, replaces: None, unanswered: 0 };
                    let (remote, profile) = (path.remote, terms.profile.clone());
                    self.request_child(path.interface, remote, profile, child, Cause::Packet);
                }
                return;
            }
        }
        let takes_anybody =
            map.entries.iter().any(|entry| matches!(entry.kind, MapEntryKind::Dynamic { .. }));
        let has_key = key_for_address(&self.cx.policy, &[], path.local, path.remote).is_some();
        let calls = takes_anybody && has_key && path.encapsulation == Encapsulation::Native;
        // the packet proves nothing about its sender
        if calls && self.own.admission.may_tell(path.remote, self.cx.now) {
            self.call_peer(path, None, None);
        }
    }

    /// A packet waits for a tunnel.
    pub(crate) fn acquire(&mut self, acquire: &Acquire) {
        if self.cx.stopping {
            return;
        }
        let policy = Arc::clone(&self.cx.policy);
        let Service::Entry(name) = &acquire.service else { return };
        let map = policy.map_of(acquire.interface).filter(|map| map.name == name.map);
        let entry = map.and_then(|map| map.entries.iter().find(|entry| entry.sequence == name.sequence));
        let Some(MapEntryKind::Static { peers, terms }) = entry.map(|entry| &entry.kind) else {
            return;
        };
        let line =
            terms.acl.as_ref().and_then(|acl| acl.lines.get(acquire.acl_line)).filter(|line| line.permit);
        let (Some(line), Some(peer)) = (line, self.preferred_peer(&acquire.service, peers)) else { return };
        let child = PendingChild {
            service: acquire.service.clone(),
            selector: line.selector,
            replaces: None,
            unanswered: 0,
        };
        self.request_child(acquire.interface, peer, terms.profile.clone(), child, Cause::Packet);
    }

    /// The first peer of an entry that has an SA, else the one whose turn it is.
    fn preferred_peer(&self, service: &Service, peers: &[IpAddr]) -> Option<IpAddr> {
        let up = |address: &&IpAddr| {
            let peers = self.cx.peers.at(**address);
            peers.into_iter().any(|(peer, _)| self.established_with(peer).next().is_some())
        };
        let turn = self.cx.next_peer.get(service).filter(|peer| peers.contains(peer));
        peers.iter().find(up).or(turn).or_else(|| peers.first()).copied()
    }

    /// A peer did not answer: the child SAs that waited for it are passed to the next peer, until
    /// each peer was tried once. An entry's only peer is tried again if packets still come.
    pub(crate) fn call_next_peer(&mut self, sa: &mut IsakmpSa) {
        for mut child in std::mem::take(&mut sa.pending) {
            let Some((next, count, profile)) = self.cx.peer_behind(&child.service, sa.path.remote) else {
                if sa.awaited && sa.connection.is_none() {
                    let profile = sa.wanted_profile.clone();
                    let Path { interface, remote, .. } = sa.path;
                    self.request_child(interface, remote, profile, child, Cause::Failure);
                }
                continue;
            };
            self.cx.next_peer.insert(child.service.clone(), next);
            child.unanswered += 1;
            if child.unanswered < count {
                // the old peer's child SA is lost with it, so this one replaces nothing
                child.replaces = None;
                self.request_child(sa.path.interface, next, profile, child, Cause::Failure);
            }
        }
    }
}
