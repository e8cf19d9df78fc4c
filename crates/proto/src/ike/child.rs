//! Child SAs: installing, rekeying and ending them. They belong to the peer and not to a phase-1
//! SA, which may end or be replaced while they live.

use crate::esp::sa::{ChildSa, Direction};
use crate::flow::selector::{AddressRange, Selector};
use crate::ike::context::Context;
use crate::ike::event::{Event, EventKind};
use crate::ike::explain::Refusal;
use crate::ike::io::Effect;
use crate::ike::lifetime::Margins;
use crate::ike::sa::{Child, Exchange, IsakmpSa, Peer, PendingChild};
use crate::ike::silence::Meant;
use crate::ike::trace::{EngineStep, Pair, Trace};
use crate::ike::v1::quick;
use crate::ike::v1::room::V1;
use crate::limits;
use crate::names::{ChildId, InterfaceId, PeerId};
use crate::path::{Encapsulation, Path};
use crate::policy::Connection;
use crate::time::Instant;
use crate::wire::ike1::Delete;
use crate::wire::registry::protocol;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long a replaced child SA stays for packets in transit, before the side that replaced it
/// deletes it.
const GRACE: Duration = Duration::from_secs(5);

/// The same delay where the peer replaced the child SA and we delete it because the peer has too
/// many: the peer already uses the new one.
const SHORT_GRACE: Duration = Duration::from_secs(1);

/// Minimum delay before we rekey a child SA that was reinstated because its replacement was deleted
/// first: a peer may delete the next replacement at once, too.
const AGAIN: Duration = Duration::from_secs(10);

/// How long before its end a child SA is rekeyed at the latest, by its initiator and its responder.
const MARGINS: Margins = Margins { initiator: Duration::from_secs(30), responder: Duration::from_secs(12) };

/// How long the initiator of a rekey goes on with the old child SA: the peer may have its new one
/// only when message 3 has arrived, or traffic may show that it has it.
const OVERLAP: Duration = Duration::from_secs(1);

/// Two rekeys of one child SA, one by each side, within this time have crossed each other.
const CROSSING: Duration = Duration::from_secs(5);

/// Why a child SA is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A packet waits for it, or came for one that we do not know.
    Packet,
    /// The attempt in which it waited for phase 1 has failed.
    Failure,
}

impl Context {
    /// The child SA that a new one replaces instead of this one: if this one is a rekey that the
    /// other side has just made, the two rekeys have crossed, and replace the same child SA.
    fn replaced_really(&self, id: ChildId, initiator: bool) -> ChildId {
        let crossing =
            |child: &&Child| child.initiator != initiator && self.now.since(child.established) < CROSSING;
        self.children
            .get(&id)
            .map(Box::as_ref)
            .filter(crossing)
            .and_then(|child| child.replaced)
            .unwrap_or(id)
    }

    /// Reports that a child SA is up: as initiator when message 3 is sent, as responder when it or
    /// the first packet has arrived.
    pub(super) fn child_up(&mut self, id: ChildId) {
        let Some(child) = self.children.get_mut(&id) else { return };
        if std::mem::replace(&mut child.reported, true) {
            return;
        }
        let kind = EventKind::ChildUp {
            child: id,
            service: child.sa.service.clone(),
            selector: child.sa.selector,
            inbound: child.sa.inbound.spi,
            outbound: child.sa.outbound.spi,
            replaces: child.replaced,
        };
        let (connection, path) = (Some(child.conn), Some(child.path));
        self.out.effect(Effect::Event(Event { connection, path, kind }));
    }

    /// Whether the initiator of a rekey still goes on with the old child SA, for a short time or
    /// until the peer uses the new one. A VPN client is a program with room for one child SA: vpnc
    /// forgets the old one with its message 2.
    pub(super) fn hands_over_later(&mut self, id: ChildId) -> bool {
        let now = self.now;
        let Some(new) = self.children.get(&id) else { return false };
        if self.peers.get(&new.peer).is_some_and(Peer::is_client) {
            return false;
        }
        let serves = |old: &Child| old.outbound && !old.superseded && old.sa.selector == new.sa.selector;
        if !self.children_of(new.peer).any(serves) {
            return false;
        }
        if let Some(new) = self.children.get_mut(&id) {
            new.hand_over = Some(now + OVERLAP);
        }
        self.schedule_child(id);
        true
    }

    /// The peer has installed its SAs: we start to use our outbound SA, and the child SAs that it
    /// replaces are superseded.
    pub(super) fn use_outbound(&mut self, id: ChildId) {
        self.child_up(id);
        let Some(child) = self.children.get(&id) else { return };
        if child.outbound {
            return;
        }
        let others = || self.children_of(child.peer).filter(|other| other.sa.id != id && !other.superseded);
        let rival = others().find(|other| other.is_rival(child));
        // both sides keep the same one of the two, and the packet path prefers the newest: the one
        // that yields is not used for sending; the peer may send on it
        let yields = rival.is_some_and(|rival| child.yields_to(rival));
        let serves = others().any(|other| other.outbound && other.sa.selector == child.sa.selector);
        let rival = rival.map(|rival| rival.sa.id);
        if yields && serves {
            let initiator = child.initiator;
            return self.supersede(id, initiator);
        }
        let Some(child) = self.children.get_mut(&id) else { return };
        child.outbound = true;
        child.hand_over = None;
        let (peer, initiator) = (child.peer, child.initiator);
        let (conn, path) = (child.conn, child.path);
        let child = Arc::clone(&child.sa);
        if let Some(pair) = self.traced_pair(id) {
            for _half in 0..2 {
                self.out.step_on(Some(conn), path, || Trace::Engine(EngineStep::AllocateFlow));
            }
            self.out.step_on(Some(conn), path, || Trace::PairCreated(pair));
        }
        self.out.effect(Effect::Install { child, direction: Direction::Outbound });
        let Some(new) = self.children.get(&id) else { return };
        let replaced = self.children_of(peer).filter(|old| new.replaces(old) && !new.is_rival(old));
        let replaced: Vec<_> = replaced.map(|old| old.sa.id).collect();
        for old in replaced {
            self.supersede(old, initiator);
        }
        if let Some(rival) = rival {
            self.supersede(rival, !initiator);
        }
        self.bound_replaced(peer);
    }

    /// A child SA is replaced. If `ours`, we replaced it and delete it after a while; a client
    /// would take our delete as the loss of its tunnel.
    fn supersede(&mut self, id: ChildId, ours: bool) {
        let now = self.now;
        let Some(child) = self.children.get_mut(&id) else { return };
        child.superseded = true;
        child.soft = None;
        child.hand_over = None;
        let is_client = self.peers.get(&child.peer).is_some_and(|peer| peer.is_client());
        if ours && !is_client && child.retire.is_none() {
            child.retire = Some(now + GRACE);
        }
        self.schedule_child(id);
        self.out.child_changed(id);
    }

    /// The child SAs of a peer, oldest first.
    pub(super) fn children_of(&self, peer: PeerId) -> impl Iterator<Item = &Child> {
        self.pairs_of(peer).filter_map(|id| self.children.get(&id)).map(Box::as_ref)
    }

    /// A child SA as traces show it; `None` if its peer is not traced.
    fn traced_pair(&self, id: ChildId) -> Option<Box<Pair>> {
        let child = self.children.get(&id).filter(|child| self.out.tracing.covers(child.path.remote))?;
        Some(Box::new(Pair {
            child: id,
            map: child.sa.service.map().unwrap_or_default().to_string(),
            selector: child.sa.selector,
            suite: child.sa.suite,
            mode: child.sa.mode,
            inbound: child.sa.inbound.spi,
            outbound: child.sa.outbound.spi,
            seconds: child.offered.seconds,
            kilobytes: child.offered.kilobytes,
        }))
    }

    /// Traces that a new child SA is installed.
    pub(super) fn installed_step(&mut self, id: ChildId) {
        let Some((conn, path)) = self.children.get(&id).map(|child| (child.conn, child.path)) else { return };
        if let Some(pair) = self.traced_pair(id) {
            self.out.step_on(Some(conn), path, || Trace::PairInstalled(pair));
        }
    }

    /// The child SA in use that a new one with this selector replaces.
    pub(super) fn replaced_by(&self, peer: PeerId, selector: &Selector) -> Option<ChildId> {
        let same = self.children_of(peer).filter(|child| child.sa.selector == *selector);
        same.map(|child| child.sa.id).max()
    }

    /// How many child SAs a peer may have in use: one for each ACL line that could serve it, plus
    /// [`limits::CHILDREN_PER_PEER`].
    pub(super) fn children_limit(&self, interface: InterfaceId) -> usize {
        self.acl_lines(interface) + limits::CHILDREN_PER_PEER
    }

    /// How many child SAs a peer may have together with those that were replaced: these stay until
    /// the peer deletes them.
    pub(super) fn children_kept(&self, interface: InterfaceId, standing: usize) -> usize {
        self.acl_lines(interface).max(2 * standing) + limits::REPLACED_PER_PEER
    }

    /// The lines of all crypto ACLs of an interface; an entry without ACL counts as one.
    fn acl_lines(&self, interface: InterfaceId) -> usize {
        self.policy.map_of(interface).map_or(0, |map| {
            let acl = |terms: &crate::policy::EntryTerms| terms.acl.as_ref().map_or(1, |acl| acl.lines.len());
            map.entries
                .iter()
                .map(|entry| match &entry.kind {
                    crate::policy::MapEntryKind::Static { terms, .. } => acl(terms),
                    crate::policy::MapEntryKind::Dynamic { entries, .. } => {
                        entries.iter().map(|entry| acl(&entry.terms)).sum()
                    }
                })
                .sum()
        })
    }

    fn schedule_child(&mut self, id: ChildId) {
        let at = self.children.get(&id).and_then(|child| {
            let idle = child.idle.map(|idle| {
                let used = child.last_inbound.max(child.last_outbound).unwrap_or(child.established);
                used + idle
            });
            [Some(child.hard), child.hand_over, child.soft, child.retire, idle].into_iter().flatten().min()
        });
        self.timers.arm_child(id, at);
    }

    /// Ends a child SA without a word to the peer.
    pub(crate) fn drop_child(&mut self, id: ChildId, reason: &'static str) {
        if let Some(child) = self.take_child(id, reason) {
            self.child_gone(&child);
        }
    }

    /// A child SA was taken out of use: an older one may take over, and the peer may have none left.
    pub(crate) fn child_gone(&mut self, child: &Child) {
        self.reinstate(child);
        self.tidy_peer(child.peer);
    }

    /// Takes a child SA out of use; [`Self::child_gone`] follows.
    pub(crate) fn take_child(&mut self, id: ChildId, reason: &'static str) -> Option<Box<Child>> {
        let child = self.children.remove(&id)?;
        self.children_of.remove(&(child.peer, id));
        self.by_spi.remove(&child.sa.inbound.spi.0);
        self.claims.remove(&child.sa.selector.remote, id);
        self.timers.arm_child(id, None);
        self.out.child_changed(id);
        self.out.effect(Effect::Remove { child: id });
        self.out.step_on(Some(child.conn), child.path, || {
            Trace::PairDeleted(child.sa.inbound.spi, child.sa.outbound.spi, child.sa.suite)
        });
        if child.reported {
            let kind = EventKind::ChildDown { child: id, reason };
            let (connection, path) = (Some(child.conn), Some(child.path));
            self.out.effect(Effect::Event(Event { connection, path, kind }));
        }
        Some(child)
    }

    /// A child SA is gone. If it was the newest for its selector, the previous one takes over and
    /// is rekeyed before it expires (its volume limit was reported earlier). This does not apply to
    /// a client, which deletes the child SA that it knows when it disconnects.
    fn reinstate(&mut self, gone: &Child) {
        let is_client = self.peers.get(&gone.peer).is_some_and(|peer| peer.is_client());
        if gone.superseded || is_client {
            return;
        }
        let same = |child: &&Child| child.sa.selector == gone.sa.selector;
        let handed = self.children_of(gone.peer).filter(same).find(|child| child.hand_over.is_some());
        if let Some(id) = handed.map(|child| child.sa.id) {
            self.use_outbound(id);
            return self.installed_step(id);
        }
        // one that yielded to a rival is complete, although it was never used
        let usable = |child: &&Child| child.outbound || child.superseded;
        let newest = self.children_of(gone.peer).filter(same).filter(usable).last();
        let Some(id) = newest.map(|newest| newest.sa.id) else { return };
        let Some(child) = self.children.get_mut(&id).filter(|child| child.superseded) else { return };
        child.superseded = false;
        child.retire = None;
        let left = child.hard.since(self.now).saturating_sub(MARGINS.of(child.initiator));
        child.soft = Some(self.now + left.max(AGAIN));
        self.schedule_child(id);
        self.out.child_changed(id);
        self.use_outbound(id);
    }

    /// Ends the oldest replaced child SAs when a peer has more than it may have. Some peers never
    /// delete what they rekeyed (strongSwan with IKEv1), and a fast stream uses up a volume limit
    /// every few seconds.
    pub(super) fn bound_replaced(&mut self, peer: PeerId) {
        let is_client = self.peers.get(&peer).is_some_and(|peer| peer.is_client());
        let staying = || self.children_of(peer).filter(|child| child.retire.is_none());
        let Some(interface) = staying().last().map(|child| child.path.interface) else { return };
        let standing = staying().filter(|child| !child.superseded).count();
        let too_many = staying().count().saturating_sub(self.children_kept(interface, standing));
        let replaced = staying().filter(|child| child.superseded).take(too_many);
        for id in replaced.map(|child| child.sa.id).collect::<Vec<_>>() {
            if is_client {
                // it would take the loss of any child SA as the loss of its tunnel
                self.drop_child(id, "replaced");
            } else if let Some(old) = self.children.get_mut(&id) {
                // not at once: packets are in transit, and the delete goes out under the phase-1 SA
                // that is being worked on now
                old.retire = Some(self.now + SHORT_GRACE);
                old.crowded = true;
                self.schedule_child(id);
            }
        }
    }

    /// Ends every child SA of a peer without sending a delete.
    pub(super) fn end_peer_children(&mut self, peer: PeerId, reason: &'static str) {
        let ids: Vec<_> = self.pairs_of(peer).collect();
        for id in ids {
            self.take_child(id, reason);
        }
        self.tidy_peer(peer);
    }
}

impl V1<'_> {
    /// Installs the inbound SA of a new child SA; [`Self::use_outbound`] installs the outbound one.
    pub(super) fn install_child(
        &mut self,
        sa: &IsakmpSa,
        new: quick::NewChild,
        lease: Option<IpAddr>,
    ) -> ChildId {
        let now = self.cx.now;
        let id = self.cx.new_child_id();
        let Some(peer) = sa.established().map(|established| established.peer) else { return id };
        let limit = new.suite.kilobytes.map(|kilobytes| kilobytes.saturating_mul(1024));
        let child = Arc::new(ChildSa {
            id,
            path: sa.path,
            service: new.service.clone(),
            selector: new.selector,
            lease,
            mode: new.suite.mode,
            suite: new.suite.suite,
            inbound: new.inbound,
            outbound: new.outbound,
            replay_window: new.terms.replay_window,
            soft_bytes: limit.map(|bytes| bytes - bytes / 10),
            hard_bytes: limit,
            df: new.terms.df,
        });
        let renewal = MARGINS.renewal(new.suite.lifetime, new.initiator, self.cx.random.u32());
        let soft = now + renewal;
        let replaced = new.replaces.map(|id| self.cx.replaced_really(id, new.initiator));
        self.cx.by_spi.insert(child.inbound.spi.0, id);
        self.cx.claims.insert(&child.selector.remote, id);
        self.cx.out.effect(Effect::Install { child: Arc::clone(&child), direction: Direction::Inbound });
        self.cx.children_of.insert((peer, id));
        self.cx.children.insert(
            id,
            Box::new(Child {
                sa: child,
                path: sa.path,
                peer,
                conn: sa.id,
                initiator: new.initiator,
                pfs: new.suite.pfs,
                kilobytes: new.suite.kilobytes,
                offered: new.offered,
                replaced,
                reported: false,
                established: now,
                hand_over: None,
                soft: Some(soft),
                hard: now + new.suite.lifetime,
                retire: None,
                crowded: false,
                superseded: false,
                outbound: false,
                idle: new.terms.idle_time,
                last_inbound: None,
                last_outbound: None,
            }),
        );
        self.cx.schedule_child(id);
        self.cx.next_peer.remove(&new.service);
        self.cx.out.child_changed(id);
        id
    }

    /// The first packet that verified has arrived: the peer has the child SA, even if its message 3
    /// was lost.
    pub(super) fn inbound_seen(&mut self, id: ChildId) {
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
            self.cx.installed_step(id);
        }
    }

    /// A timer of a child SA is due.
    pub(super) fn child_timeout(&mut self, id: ChildId) {
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
            self.cx.installed_step(id);
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
    pub(super) fn rekey_child(&mut self, id: ChildId) {
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
            self.with_sa(conn, |engine, sa| {
                if let Err(refusal) = engine.start_quick_mode(sa, pending) {
                    let path = sa.path;
                    engine.refuse(Some(sa), path, refusal);
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
    pub(super) fn request_child(
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
            self.with_sa(id, |engine, sa| {
                if let Err(refusal) = engine.start_quick_mode(sa, child) {
                    let path = sa.path;
                    engine.refuse(Some(sa), path, refusal);
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
            self.with_sa(id, |engine, sa| {
                sa.awaited |= cause == Cause::Packet;
                let known = sa.pending.iter().any(|pending| pending.is_like(&child));
                if !known && sa.pending.len() >= limits::CHILDREN_PENDING {
                    let path = sa.path;
                    engine.refuse(Some(sa), path, Refusal::TooMany);
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
    pub(super) fn client_children(
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
    pub(super) fn quick_mode_failed(&mut self, sa: &mut IsakmpSa, quick: &quick::Initiator) {
        if sa.connection.is_some() && quick.child.replaces.is_none() {
            // a client without a child has no tunnel
            self.delete_isakmp(sa, "the gateway refuses the tunnel");
        }
    }

    /// Ends with an IKE SA what its exchanges have begun: the child SAs that we installed as
    /// responder and whose message 3 never arrived, and leases that were not acknowledged.
    pub(super) fn drop_half_made_children(&mut self, sa: &IsakmpSa) {
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
    pub(super) fn clear_children(&mut self, peer: Option<IpAddr>) {
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
    pub(super) fn traffic(&mut self, id: ChildId, inbound: Option<Instant>, outbound: Option<Instant>) {
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
}
