//! The peers, found by their id, by their address, and by the address that they were leased: what a
//! handshake costs must not grow with the number of peers.

use crate::ike::io::LeaseOwner;
use crate::ike::tables::peer::{Lease, Peer};
use crate::names::PeerId;
use crate::path::Path;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// All peers.
#[derive(Default)]
pub(crate) struct Peers {
    known: BTreeMap<PeerId, Box<Peer>>,
    at: BTreeSet<(IpAddr, PeerId)>,
    leased: BTreeSet<(IpAddr, PeerId)>,
    owners: BTreeSet<(LeaseOwner, PeerId)>,
}

impl Peers {
    pub(crate) fn get(&self, id: &PeerId) -> Option<&Peer> {
        self.known.get(id).map(Box::as_ref)
    }

    /// To change anything but the path, see [`Self::move_to`], and the lease, see [`Self::lease`].
    pub(crate) fn get_mut(&mut self, id: &PeerId) -> Option<&mut Peer> {
        self.known.get_mut(id).map(Box::as_mut)
    }

    pub(crate) fn insert(&mut self, id: PeerId, peer: Peer) {
        self.remove(id);
        self.at.insert((peer.path.remote, id));
        self.leased.extend(peer.lease.as_ref().map(|lease| (lease.address, id)));
        self.owners.extend(peer.lease.as_ref().map(|lease| (lease.owner.clone(), id)));
        self.known.insert(id, Box::new(peer));
    }

    pub(crate) fn remove(&mut self, id: PeerId) -> Option<Box<Peer>> {
        let peer = self.known.remove(&id)?;
        self.at.remove(&(peer.path.remote, id));
        if let Some(lease) = &peer.lease {
            self.leased.remove(&(lease.address, id));
            self.owners.remove(&(lease.owner.clone(), id));
        }
        Some(peer)
    }

    /// The peer has another address or port.
    pub(crate) fn move_to(&mut self, id: PeerId, path: Path) {
        let Some(peer) = self.known.get_mut(&id) else { return };
        self.at.remove(&(peer.path.remote, id));
        self.at.insert((path.remote, id));
        peer.path = path;
    }

    /// The peer was leased an address; returns the lease that it had.
    pub(crate) fn lease(&mut self, id: PeerId, lease: Lease) -> Option<Lease> {
        let peer = self.known.get_mut(&id)?;
        let (address, owner) = (lease.address, lease.owner.clone());
        let before = peer.lease.replace(lease);
        if let Some(before) = &before {
            self.leased.remove(&(before.address, id));
            self.owners.remove(&(before.owner.clone(), id));
        }
        self.leased.insert((address, id));
        self.owners.insert((owner, id));
        before
    }

    /// The peers at an address, whatever their ports.
    pub(crate) fn at(&self, remote: IpAddr) -> impl Iterator<Item = (PeerId, &Peer)> {
        let ids = self.at.range((remote, PeerId(0))..=(remote, PeerId(u64::MAX)));
        ids.filter_map(|(_, id)| Some((*id, self.get(id)?)))
    }

    /// Who is leased an address.
    pub(crate) fn leased(&self, address: IpAddr) -> impl Iterator<Item = PeerId> {
        self.leased.range((address, PeerId(0))..=(address, PeerId(u64::MAX))).map(|(_, id)| *id)
    }

    /// Whose lease is this owner's.
    pub(crate) fn of_owner(&self, owner: &LeaseOwner) -> impl Iterator<Item = PeerId> {
        let range = self.owners.range((owner.clone(), PeerId(0))..=(owner.clone(), PeerId(u64::MAX)));
        range.map(|(_, id)| *id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.known.iter().map(|(id, peer)| (*id, peer.as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ike::identity::Identity;
    use crate::names::{InterfaceId, VrfId};
    use crate::path::Encapsulation;

    fn path(remote: &str) -> Path {
        Path {
            local: "198.51.100.1".parse().unwrap(),
            local_port: 500,
            remote: remote.parse().unwrap(),
            remote_port: 500,
            interface: InterfaceId(0),
            vrf: VrfId(0),
            encapsulation: Encapsulation::Native,
        }
    }

    fn peer(remote: &str) -> Peer {
        Peer {
            path: path(remote),
            identity: Identity::Address(remote.parse().unwrap()),
            profile: None,
            user: None,
            group: None,
            lease: None,
            connection: None,
            dpd: false,
            behind_nat: false,
            since: crate::time::Instant::ORIGIN,
            called: None,
            told: None,
        }
    }

    fn lease(address: &str) -> Lease {
        let owner = LeaseOwner { group: "g".into(), user: None, device: "d".into() };
        Lease { pool: "p".into(), owner, address: address.parse().unwrap() }
    }

    #[test]
    fn peers_are_found_where_they_are_and_by_what_they_were_leased() {
        let mut peers = Peers::default();
        let at = |peers: &Peers, remote: &str| {
            peers.at(remote.parse().unwrap()).map(|(id, _)| id.0).collect::<Vec<_>>()
        };
        let leased = |peers: &Peers, address: &str| {
            peers.leased(address.parse().unwrap()).map(|id| id.0).collect::<Vec<_>>()
        };
        for (id, remote) in [(1, "192.0.2.1"), (2, "192.0.2.2"), (3, "192.0.2.1")] {
            peers.insert(PeerId(id), peer(remote));
        }
        assert_eq!((at(&peers, "192.0.2.1"), at(&peers, "192.0.2.2")), (vec![1, 3], vec![2]));
        peers.move_to(PeerId(3), path("192.0.2.9"));
        peers.move_to(PeerId(4), path("192.0.2.9"));
        assert_eq!((at(&peers, "192.0.2.1"), at(&peers, "192.0.2.9")), (vec![1], vec![3]));
        assert!(peers.lease(PeerId(1), lease("10.9.0.1")).is_none());
        let before = peers.lease(PeerId(1), lease("10.9.0.2")).unwrap();
        assert_eq!(before.address, "10.9.0.1".parse::<IpAddr>().unwrap());
        assert_eq!((leased(&peers, "10.9.0.1"), leased(&peers, "10.9.0.2")), (vec![], vec![1]));
        // the same address again
        assert!(peers.lease(PeerId(1), lease("10.9.0.2")).is_some());
        assert_eq!(leased(&peers, "10.9.0.2"), [1]);
        let owned =
            |peers: &Peers| peers.of_owner(&lease("10.9.0.1").owner).map(|id| id.0).collect::<Vec<_>>();
        assert_eq!(owned(&peers), [1]);
        peers.lease(PeerId(3), lease("10.9.0.3"));
        assert_eq!(owned(&peers), [1, 3]);
        peers.lease(
            PeerId(3),
            Lease { owner: LeaseOwner { group: "h".into(), ..lease("10.9.0.3").owner }, ..lease("10.9.0.3") },
        );
        assert_eq!(owned(&peers), [1]);
        assert!(peers.remove(PeerId(1)).is_some() && peers.remove(PeerId(1)).is_none());
        assert_eq!((at(&peers, "192.0.2.1"), leased(&peers, "10.9.0.2")), (vec![], vec![]));
        assert_eq!(peers.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [2, 3]);
    }
}
