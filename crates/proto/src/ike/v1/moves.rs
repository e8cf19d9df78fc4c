//! A peer behind a NAT is at another address or port than before (RFC 3947 section 6, RFC 3948
//! section 4): everything of the peer follows, the SAs of both phases and what is on its way.
//!
//! What proves it is a message or packet that cannot be a recorded one: an answer to a fresh
//! message of ours, or an ESP packet newer than all before it. Only a peer behind a NAT is
//! followed, because the address of any other does not change unnoticed, and a peer that follows
//! nevertheless can be led away.

use crate::ike::event::EventKind;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Exchange, IsakmpSa};
use crate::names::{ChildId, PeerId};
use crate::path::{Encapsulation, Path, moved};
use std::net::IpAddr;
use std::time::Duration;

/// The shortest time between two moves of a peer's child SAs: each costs the data plane work, and
/// two packets may arrive by two mappings in turn.
const PAUSE: Duration = Duration::from_millis(500);

impl IsakmpSa {
    /// The SA is on another path from now on, with its messages that wait for answers and the
    /// answers that it would repeat.
    pub(crate) fn move_to(&mut self, new: Path) {
        let old = std::mem::replace(&mut self.path, new);
        let follow = |path: &mut Path| {
            if *path == old {
                *path = new;
            }
        };
        if let Some(retransmit) = &mut self.retransmit {
            follow(&mut retransmit.path);
        }
        if let Some(established) = self.established_mut() {
            established.exchanges.values_mut().filter_map(Exchange::path).for_each(follow);
            established.waiting.paths().for_each(follow);
        }
        self.seen.paths().for_each(follow);
    }
}

impl V1<'_> {
    /// A message that is not a recorded one came on this path: from now on we send from the address
    /// and port that it was sent to, to where it came from.
    pub(crate) fn follow(&mut self, sa: &mut IsakmpSa, path: Path) {
        if sa.path == path {
            return;
        }
        let Some(established) = sa.established() else {
            // phase 1 moves to port 4500 once it has found a NAT
            sa.path = path;
            return;
        };
        let (id, authorized) = (established.peer, established.gate.authorized().is_some());
        let Some(path) = moved(sa.path, path) else { return };
        let behind_nat = self.cx.peers.get(&id).is_some_and(|peer| peer.behind_nat);
        if path.encapsulation == Encapsulation::Udp && !behind_nat {
            return;
        }
        sa.move_to(path);
        // until it has passed Xauth, it has not proved that it is the peer that owns the other SAs
        if authorized {
            self.peer_moved(id, path);
        }
    }

    /// A packet of a child SA that verified came from another address or port.
    pub(crate) fn child_moved(&mut self, id: ChildId, remote: IpAddr, remote_port: u16) {
        let Some(child) = self.cx.children.get(&id) else { return };
        let (peer, new) = (child.peer, Path { remote, remote_port, ..child.path });
        let Some(known) = self.cx.peers.get(&peer) else { return };
        let follows = known.behind_nat && child.path.encapsulation == Encapsulation::Udp;
        if !follows || new == child.path || known.since + PAUSE > self.cx.now {
            return;
        }
        self.peer_moved(peer, new);
        let kind = EventKind::PeerMoved { remote, remote_port };
        self.cx.out.report(None, Some(new), kind);
    }

    /// The peer is on another path: its SAs follow.
    pub(crate) fn peer_moved(&mut self, id: PeerId, new: Path) {
        let Some(peer) = self.cx.peers.get_mut(&id) else { return };
        let pause = peer.since + PAUSE > self.cx.now && peer.path != new;
        if peer.path != new {
            peer.since = self.cx.now;
            self.cx.peers.move_to(id, new);
        }
        let sas: Vec<_> = self.cx.sas_of(id).collect();
        for sa in sas {
            let Some(sa) = self.own.sas.get_mut(&sa) else { continue };
            if let Some(path) = moved(sa.path, new).filter(|path| *path != sa.path) {
                sa.move_to(path);
                let id = sa.id;
                self.cx.out.isakmp_changed(id);
            }
        }
        // else they follow when they next carry something
        if !pause {
            let children: Vec<_> = self.cx.child_ids_of(id).collect();
            children.into_iter().for_each(|child| self.cx.child_follows(child));
        }
    }
}
