//! Peers as IKEv1 knows them: initiating to them, recognising them, and what ends with their SAs.

use crate::ike::context::Reconnect;
use crate::ike::event::EventKind;
use crate::ike::identity::Identity;
use crate::ike::io::Effect;
use crate::ike::tables::child::PendingChild;
use crate::ike::tables::peer::Peer;
use crate::ike::v1::phase1::Finished;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::IsakmpSa;
use crate::ike::vendor::Vendor;
use crate::names::{PeerId, VrfId};
use crate::path::{Encapsulation, ISAKMP_PORT, Path};
use crate::policy::{Connection, Phase1Mode, Policy};
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

/// Time before the VPN client's first retry; it doubles up to a minute.
const FIRST_RECONNECT: Duration = Duration::from_secs(1);
/// How long a replaced SA is kept before we delete it.
const RETIRE: Duration = Duration::from_secs(5);

impl V1<'_> {
    /// The newest established and authorised SA of a peer that is not being retired.
    pub(crate) fn newest_sa(&self, peer: PeerId) -> Option<crate::names::ConnId> {
        self.established_with(peer)
            .filter(|sa| sa.established().is_some_and(|e| e.gate.authorized().is_some()))
            .max_by_key(|sa| {
                let stays = sa.established().is_some_and(|established| established.retire.is_none());
                (stays, sa.created, Reverse(self.cx.age(sa.id)))
            })
            .map(|sa| sa.id)
    }

    /// The established phase-1 SAs with a peer, except the one that is being worked on.
    pub(crate) fn established_with(&self, peer: PeerId) -> impl Iterator<Item = &IsakmpSa> {
        let ids = self.cx.sas_of(peer);
        let sas = ids.filter_map(|id| self.own.sas.get(&id)).map(Box::as_ref);
        sas.filter(move |sa| sa.established().is_some_and(|e| e.peer == peer))
    }

    // ---- calling
    // ------------------------------------------------------------------------------------------------

    /// Initiates phase 1 with a peer of the crypto map.
    pub(crate) fn call_peer(&mut self, path: Path, profile: Option<String>, child: Option<PendingChild>) {
        if self.cx.stopping {
            return;
        }
        let mut sa = self.caller(path, profile);
        sa.pending.extend(child);
        self.begin(sa);
    }

    /// A new SA with which we initiate phase 1 with a peer of the crypto map.
    pub(crate) fn caller(&mut self, path: Path, profile: Option<String>) -> IsakmpSa {
        let aggressive = profile
            .as_deref()
            .and_then(|name| self.cx.policy.profile(name))
            .is_some_and(|profile| profile.initiate_aggressive);
        let mode = if aggressive { Phase1Mode::Aggressive } else { Phase1Mode::Main };
        let is_at = |(_, peer): (PeerId, &Peer)| peer.behind_nat && peer.path.remote_port == path.remote_port;
        // the only way to a peer behind a NAT is the mapping that the peer keeps alive
        let is_mapping = path.encapsulation == Encapsulation::Udp && self.cx.peers.at(path.remote).any(is_at);
        let path = match is_mapping {
            true => path,
            false => Path {
                local_port: ISAKMP_PORT,
                remote_port: ISAKMP_PORT,
                encapsulation: Encapsulation::Native,
                ..path
            },
        };
        let mut sa = self.new_initiator(path, mode);
        sa.wanted_profile = profile;
        sa
    }

    /// Initiates phase 1 as a VPN client.
    pub(crate) fn call_gateway(&mut self, connection: &Arc<Connection>, child: Option<PendingChild>) {
        let Some(local) =
            self.cx.policy.interface(connection.interface).and_then(|interface| interface.address)
        else {
            self.cx.schedule_reconnect(&connection.name);
            return;
        };
        let path = Path {
            local,
            local_port: ISAKMP_PORT,
            remote: self
                .cx
                .reconnects
                .get(&connection.name)
                .and_then(|reconnect| reconnect.gateway)
                .unwrap_or(connection.gateway),
            remote_port: ISAKMP_PORT,
            interface: connection.interface,
            vrf: VrfId::default(),
            encapsulation: Encapsulation::Native,
        };
        let mut sa = self.new_initiator(path, connection.mode);
        sa.connection = Some(Arc::clone(connection));
        sa.pending.extend(child);
        self.begin(sa);
    }

    pub(crate) fn begin(&mut self, mut sa: IsakmpSa) {
        let begun = match sa.mode {
            Phase1Mode::Main => self.main_mode_begin(&mut sa),
            Phase1Mode::Aggressive => self.aggressive_begin(&mut sa),
        };
        if sa.pending.is_empty() && sa.connection.is_none() && !self.cx.is_known(sa.path.remote) {
            // somebody's packet with an unknown SPI is why we initiate. If it was forged, its address
            // must not be sent many messages; if not, the next one is followed by the next message
            sa.retransmit = None;
        }
        match begun {
            Ok(()) => self.keep(Box::new(sa)),
            Err(refusal) => {
                let path = sa.path;
                self.refuse(Some(&sa), path, refusal);
            }
        }
    }

    /// Phase 1 is about to expire: the side that may initiate starts a new one, so that nothing has
    /// to wait for it.
    pub(crate) fn renew_phase1(&mut self, sa: &mut IsakmpSa) {
        let Some(established) = sa.established() else { return };
        let peer = established.peer;
        let renews = |other: &IsakmpSa| {
            other.initiator && other.path.remote == sa.path.remote && other.established().is_none()
        };
        let newer = self.established_with(peer).any(|other| other.created > sa.created)
            || self.own.sas.values().any(|other| other.created > sa.created && renews(other));
        if newer || self.cx.child_ids_of(peer).next().is_none() {
            return;
        }
        match &sa.connection {
            Some(connection) => {
                let connection = Arc::clone(connection);
                self.call_gateway(&connection, None);
            }
            None => {
                let profile = established.profile.clone();
                self.call_peer(sa.path, profile, None);
            }
        }
    }

    // ---- recognising
    // --------------------------------------------------------------------------------------------

    /// The peer that a finished phase 1 belongs to, and whether it was known. Several devices
    /// behind one NAT, and all members of a client group, differ only in their port. A peer can
    /// claim that there is no NAT, but that does not make it the peer that is known to be behind
    /// one.
    pub(crate) fn join_peer(&mut self, sa: &IsakmpSa, finished: &Finished) -> (PeerId, bool) {
        let by_port = matches!(finished.identity, Identity::KeyId(_)) || sa.nat.remote;
        let known = self
            .cx
            .peers
            .at(sa.path.remote)
            .filter(|(_, peer)| {
                peer.identity == finished.identity
                    && peer.path.interface == sa.path.interface
                    && (!(by_port || peer.behind_nat) || peer.path.remote_port == sa.path.remote_port)
                    && peer.connection.as_ref().map(|(connection, _)| &connection.name)
                        == sa.connection.as_ref().map(|connection| &connection.name)
            })
            // a NAT gives a port to one device at a time: one that was there before has moved, and
            // has not shown yet where it is
            .max_by_key(|(id, peer)| (peer.since, *id))
            .map(|(id, _)| id);
        let dpd = sa.vendors.has(Vendor::Dpd);
        if let Some(id) = known {
            if let Some(peer) = self.cx.peers.get_mut(&id) {
                peer.dpd = dpd;
                peer.behind_nat |= sa.nat.remote;
            }
            self.peer_moved(id, sa.path);
            self.cx.in_work.push(id);
            return (id, true);
        }
        let id = self.cx.new_peer_id();
        self.cx.in_work.push(id);
        self.trace_peer_added(sa);
        self.cx.peers.insert(
            id,
            Peer {
                path: sa.path,
                identity: finished.identity.clone(),
                profile: finished.profile.clone(),
                user: None,
                group: finished.group.as_ref().map(|group| group.name.clone()),
                lease: None,
                connection: sa.connection.clone().map(|connection| (connection, None)),
                dpd,
                behind_nat: sa.nat.remote,
                since: self.cx.now,
                called: None,
                told: None,
            },
        );
        (id, false)
    }

    /// Xauth has authenticated the peer's user. A different user than before is a new session,
    /// which gets nothing of the old one.
    pub(crate) fn peer_user(&mut self, sa: &mut IsakmpSa, user: &str) {
        let Some(established) = sa.established_mut() else { return };
        let id = established.peer;
        let Some(peer) = self.cx.peers.get_mut(&id) else { return };
        match &peer.user {
            Some(known) if known != user => {
                let fresh = Peer {
                    path: sa.path,
                    identity: peer.identity.clone(),
                    profile: peer.profile.clone(),
                    user: Some(user.to_string()),
                    group: peer.group.clone(),
                    lease: None,
                    connection: None,
                    dpd: peer.dpd,
                    behind_nat: peer.behind_nat,
                    since: peer.since,
                    called: None,
                    told: None,
                };
                let new = self.cx.new_peer_id();
                if let Some(established) = sa.established() {
                    self.cx.sas_of.remove(&(established.peer, sa.id));
                }
                self.cx.in_work.push(new);
                self.cx.peers.insert(new, fresh);
                if let Some(established) = sa.established_mut() {
                    established.peer = new;
                    established.renewal = false;
                }
            }
            _ => peer.user = Some(user.to_string()),
        }
    }

    /// The peer has forgotten everything older than this SA, so we do the same for its address and
    /// port. What is newer than the SA stays, because the notification may be late or replayed.
    pub(crate) fn initial_contact(&mut self, sa: &IsakmpSa, keep: PeerId) {
        self.trace_older_sas_end(sa);
        let same_place =
            |path: &Path| path.remote == sa.path.remote && path.remote_port == sa.path.remote_port;
        let there: Vec<_> = self.cx.peers.at(sa.path.remote).map(|(id, _)| id).collect();
        let mut old: Vec<_> = there
            .iter()
            .flat_map(|peer| self.established_with(*peer))
            .filter(|other| self.is_older(other, sa) && same_place(&other.path))
            .map(|other| other.id)
            .collect();
        old.sort_unstable();
        for id in old {
            self.with_sa(id, |v1, other| {
                v1.event(Some(other), EventKind::Phase1Down { reason: "the peer started anew" });
                other.dead = true;
            });
        }
        let older = |conn| match self.own.sas.get(&conn) {
            Some(other) => self.is_older(other, sa),
            None => self.cx.age(conn) > self.cx.age(sa.id),
        };
        let mut children: Vec<_> = there
            .iter()
            .chain([&keep])
            .flat_map(|peer| self.cx.child_ids_of(*peer))
            .filter(|child| {
                let child = self.cx.children.get(child);
                child
                    .is_some_and(|child| older(child.conn) && (child.peer == keep || same_place(&child.path)))
            })
            .collect();
        children.sort_unstable();
        children.dedup();
        for id in children {
            self.end_child(id, "the peer started anew", false);
        }
    }

    /// Another SA of the same peer took over. A client deletes its old SA itself, and would take
    /// our delete as the loss of its session. But it may keep only one old SA, however many it
    /// initiates.
    pub(crate) fn retire_older(&mut self, newest: crate::names::ConnId, peer: PeerId) {
        let now = self.cx.now;
        let is_client = self.cx.peers.get(&peer).is_some_and(|peer| peer.is_client());
        let mut older: Vec<_> =
            self.established_with(peer).map(|sa| sa.id).filter(|older| *older != newest).collect();
        older.sort_by_key(|id| std::cmp::Reverse(self.cx.age(*id)));
        let before = older.last().copied();
        for id in older {
            self.with_sa(id, |v1, sa| {
                let initiator = sa.initiator;
                if is_client && !initiator && Some(id) != before {
                    v1.event(Some(sa), EventKind::Phase1Down { reason: "replaced" });
                    sa.dead = true;
                }
                if let Some(established) = sa.established_mut() {
                    established.renew = None;
                    established.dpd.next = None;
                    established.nat_keepalive = None;
                    if established.retire.is_none() && (initiator || !is_client) {
                        established.retire = Some(now + RETIRE);
                    }
                }
            });
        }
    }

    // ---- letting go
    // ---------------------------------------------------------------------------------------------

    /// An established SA has ended.
    pub(crate) fn phase1_ended(&mut self, peer: PeerId) {
        // the SA that carried the delete of this one is being worked on, so it is in no table
        let another = self.cx.in_work.contains(&peer) || self.established_with(peer).next().is_some();
        if another {
            return;
        }
        let Some(known) = self.cx.peers.get(&peer) else { return };
        if known.is_client() {
            // a client's phase 1 is its session
            self.cx.end_peer_children(peer, "the client disconnected");
        }
        if let Some((connection, _)) = self.cx.peers.get(&peer).and_then(|peer| peer.connection.clone()) {
            self.cx.end_peer_children(peer, "the tunnel is down");
            self.cx.out.effect(Effect::Unassign { connection: connection.name.clone() });
            self.cx.schedule_reconnect(&connection.name);
        }
        self.cx.tidy_peer(peer);
    }

    /// Phase 1 failed.
    pub(crate) fn phase1_failed(&mut self, sa: &IsakmpSa) {
        if let Some(meant) = sa.meant {
            self.called_in_vain(sa.path, meant);
        }
        if let Some(connection) = &sa.connection
            && !self.cx.peers.iter().any(|(_, peer)| {
                peer.connection.as_ref().is_some_and(|(known, _)| known.name == connection.name)
            })
        {
            self.cx.schedule_reconnect(&connection.name.clone());
        }
    }

    // ---- the VPN client
    // -----------------------------------------------------------------------------------------

    /// The user asks to connect.
    pub(crate) fn connect(&mut self, name: &str) {
        let reconnect =
            Reconnect { at: self.cx.now, wait: FIRST_RECONNECT, redirect: None, gateway: None, redirects: 0 };
        self.cx.reconnects.insert(name.to_string(), reconnect);
        self.cx.timers.arm_reconnect(name, Some(self.cx.now));
    }

    /// The user asks to disconnect.
    pub(crate) fn disconnect(&mut self, name: &str) {
        self.cx.reconnects.remove(name);
        self.cx.timers.arm_reconnect(name, None);
        let of_connection =
            |sa: &IsakmpSa| sa.connection.as_ref().is_some_and(|connection| connection.name == name);
        let peers: Vec<_> = self
            .own
            .sas
            .values()
            .filter(|sa| of_connection(sa))
            .filter_map(|sa| sa.established().map(|established| established.peer))
            .collect();
        let ids: Vec<_> = self.own.sas.values().filter(|sa| of_connection(sa)).map(|sa| sa.id).collect();
        for peer in peers {
            let children: Vec<_> = self.cx.children_of(peer).map(|child| child.sa.id).collect();
            for child in children {
                self.end_child(child, "disconnected", true);
            }
        }
        for id in ids {
            self.with_sa(id, |v1, sa| v1.delete_isakmp(sa, "disconnected"));
        }
    }

    /// The gateway rejected the user: a retry with the same password would only lock the account.
    pub(crate) fn client_rejected(&mut self, sa: &mut IsakmpSa) {
        if let Some(connection) = &sa.connection {
            let name = connection.name.clone();
            self.cx.reconnects.remove(&name);
            self.cx.timers.arm_reconnect(&name, None);
        }
        self.delete_isakmp(sa, "Xauth failed");
    }

    /// It is time to initiate to the gateway (again).
    pub(crate) fn reconnect_timeout(&mut self, name: &str) {
        let connection =
            self.cx.policy.connections.iter().find(|connection| connection.name == name).cloned();
        let busy = self.own.sas.values().any(|sa| sa.connection.as_ref().is_some_and(|c| c.name == name));
        if let Some(connection) = connection
            && !busy
        {
            self.call_gateway(&connection, None);
        }
    }

    // ---- another configuration
    // ----------------------------------------------------------------------------------

    /// The configuration changed: peers whose terms are unchanged keep everything, the others are
    /// removed.
    pub(crate) fn policy_changed(&mut self, old: &Policy) {
        let new = Arc::clone(&self.cx.policy);
        // each child SA has to be held against each entry, so not without need
        let other_networks = old.maps != new.maps || old.reserved != new.reserved;
        let changed: Vec<_> = self
            .cx
            .children
            .values()
            .filter(|child| {
                let serves = |policy: &Policy| policy.serves(&child.sa.service, child.path.interface);
                old.terms(&child.sa.service) != new.terms(&child.sa.service)
                    || (serves(old) && !serves(&new))
                    || (other_networks && self.cx.may_not_have(child))
            })
            .map(|child| child.sa.id)
            .collect();
        for id in changed {
            self.end_child(id, "the configuration changed", true);
        }
        // fewer ACL lines allow fewer child SAs
        let replaced = self.cx.children.values().filter(|child| child.superseded);
        for peer in replaced.map(|child| child.peer).collect::<std::collections::BTreeSet<_>>() {
            self.cx.bound_replaced(peer);
        }
        let gone: Vec<_> = self
            .own
            .sas
            .values()
            .filter(|sa| {
                let profile = sa.established().and_then(|established| established.profile.as_deref());
                let profile_changed = profile.is_some_and(|name| old.profile(name) != new.profile(name));
                let key = |policy: &Policy| {
                    crate::ike::lookup::key_for_address(policy, &[], sa.path.local, sa.path.remote)
                        .map(|found| found.key.secret.clone())
                };
                let key_changed = match (key(old), key(&new)) {
                    (Some(before), Some(after)) => !after.matches(before.expose()),
                    (before, after) => before.is_some() != after.is_some(),
                };
                let address_gone =
                    new.interface(sa.path.interface).and_then(|i| i.address) != Some(sa.path.local);
                profile_changed || (key_changed && sa.connection.is_none()) || address_gone
            })
            .map(|sa| sa.id)
            .collect();
        for id in gone {
            self.with_sa(id, |v1, sa| v1.delete_isakmp(sa, "the configuration changed"));
        }
        self.end_stray_calls("the configuration changed");
    }
}
