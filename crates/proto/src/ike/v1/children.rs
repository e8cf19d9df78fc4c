//! Child SAs as IKEv1 negotiates them: which quick modes begin, which child SAs are rekeyed, and what
//! the peer is told when one ends.

use crate::flow::selector::{AddressRange, Selector};
use crate::ike::context::child::{AGAIN, GRACE};
use crate::ike::explain::Refusal;
use crate::ike::tables::child::{Child, PendingChild};
use crate::ike::v1::quick_waiting::Begun;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Exchange, IsakmpSa};
use crate::ike::v1::states::{Meant, QuickInitiator};
use crate::limits;
use crate::names::ChildId;
use crate::path::{Encapsulation, Path};
use crate::policy::Connection;
use crate::time::Instant;
use crate::wire::ike1::Delete;
use crate::wire::registry::protocol;
use std::net::IpAddr;
use std::sync::Arc;

/// Why a child SA is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A packet waits for it, or came for one that we do not know.
    Packet,
    /// The attempt in which it waited for phase 1 has failed.
    Failure,
}

impl V1<'_> {
    /// The first packet that verified has arrived: the peer has the child SA, even if its message 3
    /// was lost.
    pub(crate) fn inbound_seen(&mut self, id: ChildId) {
        let Some(conn) = self.cx.children.get(&id).map(|child| child.conn) else { return };
        self.with_sa(conn, |_, sa| {
            if let Some(established) = sa.established_mut() {
                established.exchanges.retain(
                    |_, exchange| !matches!(exchange, Exchange::QuickResponder(quick) if quick.child == id),
                );
            }
        });
        if self.cx.children.get(&id).is_some_and(|child| !child.outbound) {
            self.cx.use_outbound(id);
            self.trace_child_installed(id);
        }
    }

    /// A timer of a child SA is due.
    pub(crate) fn child_timeout(&mut self, id: ChildId) {
        let now = self.cx.now;
        let Some(child) = self.cx.children.get_mut(&id) else { return };
        let used = child.last_inbound.max(child.last_outbound);
        if child.hard <= now {
            self.end_child(id, "lifetime expired", true);
            return;
        }
        if child.retire.is_some_and(|at| at <= now) {
            // a peer that still sends on it would lose packets until our delete has arrived
            let used = child.last_inbound.is_some_and(|at| at + GRACE > now);
            if child.crowded || !used {
                self.end_child(id, "replaced", true);
                return;
            }
            child.retire = Some(now + GRACE);
        }
        if child.hand_over.take_if(|at| *at <= now).is_some() {
            self.cx.use_outbound(id);
            self.trace_child_installed(id);
            self.cx.schedule_child(id);
            return;
        }
        if child.idle.is_some_and(|idle| used.unwrap_or(child.established) + idle <= now) {
            self.end_child(id, "idle", true);
            return;
        }
        if child.soft.is_some_and(|at| at <= now) {
            child.soft = None;
            // a child SA that carried nothing is not rekeyed: traffic will bring up another
            if used.is_some() {
                self.rekey_child(id);
            }
        }
        self.cx.schedule_child(id);
    }

    /// Rekeys a child SA under the newest phase-1 SA of its peer, or under a new one.
    pub(crate) fn rekey_child(&mut self, id: ChildId) {
        let Some(child) = self.cx.children.get_mut(&id) else { return };
        if child.superseded || self.cx.stopping {
            return;
        }
        child.soft = None;
        let (peer, path, selector) = (child.peer, child.path, child.sa.selector);
        let pending = child.again();
        let newer = |other: &Child| other.sa.id > id && other.sa.selector == selector && !other.superseded;
        if self.cx.children_of(peer).any(newer) {
            // the peer is rekeying it: ours comes only if that fails
            if let Some(child) = self.cx.children.get_mut(&id) {
                child.soft = Some(self.cx.now + AGAIN);
            }
            return self.cx.schedule_child(id);
        }
        self.cx.schedule_child(id);
        if let Some(conn) = self.newest_sa(peer) {
            self.with_sa(conn, |v1, sa| {
                if let Err(refusal) = v1.start_quick_mode(sa, pending) {
                    let path = sa.path;
                    v1.refuse(Some(sa), path, refusal);
                }
            });
            return;
        }
        // a client rekeys phase 1 itself; if we initiated, it would only disconnect
        let Some(known) = self.cx.peers.get(&peer).filter(|peer| !peer.is_client()) else { return };
        match known.connection.clone() {
            Some((connection, _)) => self.call_gateway(&connection, Some(pending)),
            None => {
                let mut sa = self.caller(path, known.profile.clone());
                sa.meant = Some(Meant { peer, until: None });
                sa.pending.push(pending);
                self.begin(sa);
            }
        }
    }

    /// Negotiates a child SA.
    pub(crate) fn request_child(
        &mut self,
        interface: crate::names::InterfaceId,
        peer: IpAddr,
        profile: Option<String>,
        child: PendingChild,
        cause: Cause,
    ) {
        let fits = |sa: &IsakmpSa| {
            sa.path.remote == peer && sa.path.interface == interface && sa.connection.is_none() && !sa.dead
        };
        let established = self
            .own
            .sas
            .values()
            .filter(|sa| fits(sa))
            .filter(|sa| {
                sa.established().is_some_and(|e| e.retire.is_none() && e.gate.authorized().is_some())
            })
            .max_by_key(|sa| sa.created)
            .map(|sa| sa.id);
        if let Some(id) = established {
            self.with_sa(id, |v1, sa| {
                if let Err(refusal) = v1.start_quick_mode(sa, child) {
                    let path = sa.path;
                    v1.refuse(Some(sa), path, refusal);
                }
            });
            return;
        }
        let begun = self
            .own
            .sas
            .values()
            .filter(|sa| fits(sa))
            .find(|sa| sa.initiator && sa.established().is_none())
            .map(|sa| sa.id);
        if let Some(id) = begun {
            self.with_sa(id, |v1, sa| {
                sa.awaited |= cause == Cause::Packet;
                let known = sa.pending.iter().any(|pending| pending.is_like(&child));
                if !known && sa.pending.len() >= limits::CHILDREN_PENDING {
                    let path = sa.path;
                    v1.refuse(Some(sa), path, Refusal::TooMany);
                } else if !known {
                    sa.pending.push(child);
                }
            });
            return;
        }
        let Some(local) = self.cx.policy.interface(interface).and_then(|interface| interface.address) else {
            return;
        };
        let path = Path {
            local,
            local_port: crate::path::ISAKMP_PORT,
            remote: peer,
            remote_port: crate::path::ISAKMP_PORT,
            interface,
            vrf: crate::names::VrfId::default(),
            encapsulation: Encapsulation::Native,
        };
        self.call_peer(path, profile, Some(child));
    }

    /// The selectors that a client tunnels: the connection's networks, or everything, from its
    /// address.
    pub(crate) fn client_children(
        &mut self,
        sa: &mut IsakmpSa,
        connection: &Arc<Connection>,
        address: std::net::Ipv4Addr,
    ) {
        let local = AddressRange::host(address.into());
        let mut remotes: Vec<_> =
            connection.networks.iter().map(|net| AddressRange::prefix(ipnet::IpNet::V4(*net))).collect();
        if remotes.is_empty() {
            remotes.push(AddressRange::ANY_V4);
        }
        let service = crate::names::Service::Client(connection.name.clone());
        for remote in remotes {
            let selector = Selector::between(local, remote);
            sa.pending.push(PendingChild {
                service: service.clone(),
                selector,
                replaces: None,
                unanswered: 0,
            });
        }
        self.start_pending(sa);
    }

    /// A quick mode of ours failed: the child SA that it was to replace stays in use until it
    /// expires.
    pub(crate) fn quick_mode_failed(&mut self, sa: &mut IsakmpSa, quick: &QuickInitiator) {
        if sa.connection.is_some() && quick.child.replaces.is_none() {
            // a client without a child has no tunnel
            self.delete_isakmp(sa, "the gateway refuses the tunnel");
        }
    }

    /// Ends with an IKE SA what its exchanges have begun: the child SAs that we installed as
    /// responder and whose message 3 never arrived, and leases that were not acknowledged.
    pub(crate) fn drop_half_made_children(&mut self, sa: &IsakmpSa) {
        let Some(established) = sa.established() else { return };
        let half_made: Vec<_> = established
            .exchanges
            .values()
            .filter_map(|exchange| match exchange {
                Exchange::QuickResponder(quick) => Some(quick.child),
                _ => None,
            })
            .collect();
        for id in half_made {
            self.end_child(id, "no third message", false);
        }
        let pushed = established.exchanges.values().filter_map(|exchange| match exchange {
            Exchange::ConfigSet { lease, .. } => Some(lease.clone()),
            _ => None,
        });
        for lease in pushed.collect::<Vec<_>>() {
            self.cx.give_back(lease);
        }
    }

    /// Ends a child SA; with `tell`, a delete is sent to the peer under its newest phase-1 SA.
    pub(crate) fn end_child(&mut self, id: ChildId, reason: &'static str, tell: bool) {
        let Some(child) = self.cx.take_child(id, reason) else { return };
        if tell && let Some(conn) = self.newest_sa(child.peer) {
            let spi = child.sa.inbound.spi.0.to_be_bytes().to_vec();
            self.with_sa(conn, |v1, sa| {
                v1.send_delete(sa, &Delete { protocol: protocol::ESP, spis: vec![spi] });
            });
        }
        self.cx.child_gone(&child);
    }

    /// `clear crypto sa`.
    pub(crate) fn clear_children(&mut self, peer: Option<IpAddr>) {
        let ids: Vec<_> = self
            .cx
            .children
            .values()
            .filter(|child| peer.is_none_or(|peer| peer == child.path.remote))
            .map(|child| child.sa.id)
            .collect();
        for id in ids {
            self.end_child(id, "cleared", true);
        }
    }

    /// What a child SA carried lately.
    pub(crate) fn traffic(&mut self, id: ChildId, inbound: Option<Instant>, outbound: Option<Instant>) {
        let Some(child) = self.cx.children.get_mut(&id) else { return };
        child.last_inbound = child.last_inbound.max(inbound);
        child.last_outbound = child.last_outbound.max(outbound);
        let (peer, has_idle) = (child.peer, child.idle.is_some());
        if has_idle {
            self.cx.schedule_child(id);
        }
        self.cx.child_follows(id);
        if let Some(inbound) = inbound {
            self.cx.holder_heard(peer, inbound);
        }
        self.check_liveness(peer);
    }

    /// Goes on with what waits while there is room, the peer's messages first.
    pub(crate) fn quick_modes_that_waited(&mut self, sa: &mut IsakmpSa) {
        while !sa.dead
            && let Some(established) = sa.established_mut()
            && established.quick_modes() < limits::QUICK_MODES
        {
            if let Some(Begun { path, header, body }) = established.waiting.begun.pop_front() {
                match self.quick_mode(sa, path, &header, &body) {
                    Ok(Some(answer)) => sa.seen.amend(header.message_id, answer),
                    Ok(None) => {}
                    Err(refusal) => self.refuse(Some(sa), path, refusal),
                }
            } else if let Some(child) = established.waiting.wanted.pop_front() {
                if let Err(refusal) = self.start_quick_mode(sa, child) {
                    let path = sa.path;
                    self.refuse(Some(sa), path, refusal);
                }
            } else {
                return;
            }
        }
    }
}
