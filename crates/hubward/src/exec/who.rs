//! Of whom `why` is asked: a peer by its address or identity, a user, or a host behind a peer.

use crate::views::snapshot::{Flow, Snapshot};
use crate::why::failure::Failure;
use crate::why::history::History;
use hubward_config::model::KeyPeer;
use hubward_proto::ike::snapshot::IsakmpView;
use hubward_proto::names::Untrusted;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Somebody, and what is here of it.
pub(super) struct Who<'n> {
    /// As it was typed.
    pub(super) name: &'n str,
    /// The addresses from which it comes or came.
    pub(super) addresses: BTreeSet<IpAddr>,
    /// Its numbers while it has SAs.
    peers: BTreeSet<u64>,
    /// Whether all that comes from its addresses is its own: of a user it is not, because others may
    /// share the address.
    by_address: bool,
    /// The peer behind which it is, if it is none itself.
    pub(super) behind: Option<IpAddr>,
}

impl<'n> Who<'n> {
    pub(super) fn of(snapshot: &Snapshot, name: &'n str) -> Self {
        let address: Option<IpAddr> = name.parse().ok();
        let mut who = Self {
            name,
            addresses: address.into_iter().collect(),
            peers: BTreeSet::new(),
            by_address: address.is_some(),
            behind: None,
        };
        let known = who.look(snapshot);
        if let Some(address) = address
            && !known
            && let Some(flow) = behind(snapshot, address)
        {
            who.behind = Some(flow.path.remote);
            who.addresses.insert(flow.path.remote);
            who.peers.insert(flow.peer);
            who.look(snapshot);
        }
        who
    }

    /// Whether anything is known of it; finds its numbers and addresses.
    fn look(&mut self, snapshot: &Snapshot) -> bool {
        let mut known = false;
        for sa in &snapshot.isakmp {
            if self.is_named(sa.user.as_ref()) || self.is_named(sa.identity.as_ref()) {
                self.addresses.insert(sa.path.remote);
            } else if !self.by_address || !self.addresses.contains(&sa.path.remote) {
                continue;
            }
            known = true;
            self.peers.extend(sa.peer);
        }
        for flow in &snapshot.flows {
            if self.by_address && self.addresses.contains(&flow.path.remote) {
                self.peers.insert(flow.peer);
                known = true;
            }
        }
        let named: Vec<IpAddr> = self.histories(snapshot).map(|(address, _)| *address).collect();
        known |= !named.is_empty();
        self.addresses.extend(named);
        let failed = snapshot.failures.iter().any(|failure| self.has_failure(failure));
        known || failed || self.addresses.iter().any(|address| is_configured(snapshot, *address))
    }

    fn is_named(&self, name: Option<&Untrusted>) -> bool {
        name.is_some_and(|name| name.to_string() == self.name)
    }

    /// What became of it, by its address, user or identity.
    pub(super) fn histories<'s>(
        &self,
        snapshot: &'s Snapshot,
    ) -> impl Iterator<Item = (&'s IpAddr, &'s Arc<History>)> {
        snapshot.histories.iter().filter(|(address, of)| {
            (self.by_address && self.addresses.contains(*address))
                || self.is_named(of.user.as_ref())
                || self.is_named(of.identity.as_ref())
        })
    }

    /// Whether who left a history at an address has an SA now: from there, or, if it was found by its
    /// name, from anywhere.
    pub(super) fn is_here(&self, snapshot: &Snapshot, address: IpAddr) -> bool {
        let mut sas = snapshot.isakmp.iter().filter(|sa| !sa.deleted);
        match self.by_address && self.name.parse() == Ok(address) {
            true => {
                sas.any(|sa| sa.path.remote == address)
                    || snapshot.flows.iter().any(|flow| flow.path.remote == address)
            }
            false => sas.any(|sa| self.has_sa(sa)),
        }
    }

    pub(super) fn has_flow(&self, flow: &Flow) -> bool {
        self.peers.contains(&flow.peer) || (self.by_address && self.addresses.contains(&flow.path.remote))
    }

    pub(super) fn has_sa(&self, sa: &IsakmpView) -> bool {
        sa.peer.is_some_and(|peer| self.peers.contains(&peer))
            || (self.by_address && self.addresses.contains(&sa.path.remote))
            || self.is_named(sa.user.as_ref())
            || self.is_named(sa.identity.as_ref())
    }

    pub(super) fn has_failure(&self, failure: &Failure) -> bool {
        match failure.user() {
            Some(user) if !self.by_address => user.to_string() == self.name,
            _ => self.addresses.contains(&failure.peer()),
        }
    }
}

/// The tunnel to the smallest network that has an address.
fn behind(snapshot: &Snapshot, address: IpAddr) -> Option<&Flow> {
    let mut flows: Vec<&Flow> =
        snapshot.flows.iter().filter(|flow| flow.selector.remote.contains(address)).collect();
    flows.sort_by_key(|flow| (std::cmp::Reverse(flow.selector.remote.first()), flow.selector.remote.last()));
    flows.first().copied()
}

/// Whether a line of the configuration names the address of a peer.
fn is_configured(snapshot: &Snapshot, address: IpAddr) -> bool {
    let config = &snapshot.parsed.config;
    let by_entry =
        config.maps.iter().flat_map(|map| &map.entries).any(|entry| entry.peers.contains(&address));
    let keys = config.default_keys.iter().chain(config.keyrings.iter().flat_map(|ring| &ring.keys));
    let host = |peer: &KeyPeer| match peer {
        KeyPeer::Address(net) => net.prefix_len() == net.max_prefix_len() && net.addr() == address,
        _ => false,
    };
    by_entry || keys.map(|key| &key.peer).any(host)
}
