//! Mode-config as hub (draft-dukes-ike-mode-cfg-02): a client asks for an address
//! (`client configuration address respond`), or gets one without asking (`… initiate`).
//!
//! ```text
//! hub                                            client
//!                                          <--  { HASH, REQUEST(address, dns, ...) }
//!   { HASH, REPLY(address, dns, ...) }     -->                                       same message id
//!
//!   { HASH, SET(address, dns, ...) }       -->
//!                                          <--  { HASH, ACK }                        same message id
//! ```

use crate::ike::authorization::AuthorizedPeer;
use crate::ike::event::EventKind;
use crate::ike::explain::Refusal;
use crate::ike::io::{LeaseError, LeaseOwner};
use crate::ike::lookup;
use crate::ike::retransmit::Retransmit;
use crate::ike::tables::asks::AskedLease;
use crate::ike::tables::peer::Lease;
use crate::ike::v1::room::V1;
use crate::ike::v1::sa::{Established, Exchange, IsakmpSa};
use crate::policy::{ClientGroup, Global};
use crate::wire::attribute::Attribute;
use crate::wire::ike1::Config;
use crate::wire::registry::{config, exchange};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// What is pushed of a client's group, as if it had asked for it.
const PUSHED: [u16; 6] = [
    config::NETMASK,
    config::DNS,
    config::NBNS,
    config::UNITY_DEF_DOMAIN,
    config::UNITY_SPLIT_INCLUDE,
    config::UNITY_SPLIT_DNS,
];

impl Established {
    /// The pool of the peer's group, or the one of all clients.
    fn pool(&self, global: &Global) -> Option<String> {
        let own = self.group.as_ref().and_then(|group| group.pool.clone());
        own.or_else(|| global.address_pool.clone())
    }
}

/// Whether the peer has passed Xauth.
pub(crate) fn has_user(sa: &IsakmpSa) -> bool {
    let authorized = sa.established().and_then(|established| established.gate.authorized());
    authorized.is_some_and(|peer| peer.user().is_some())
}

impl V1<'_> {
    /// `<--  { HASH, REQUEST(address, dns, ...) }`
    pub(crate) fn configuration_requested(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        message: &Config,
        _authorized: &AuthorizedPeer,
    ) -> Result<(), Refusal> {
        self.trace_configuration_asked(sa, message);
        let id = sa.id;
        let established = sa.established().ok_or(Refusal::NoModeConfig)?;
        let pool = established.pool(&self.cx.policy.global);
        // in main mode the list is asked for the group only after the identity is known, and may
        // not have answered yet
        let waits = established.group.is_none() && self.cx.waits_for_group(id);
        if !established.demands.respond || (pool.is_none() && !waits) {
            return Err(Refusal::NoModeConfig);
        }
        let established = sa.established_mut().ok_or(Refusal::NoModeConfig)?;
        let waiting =
            Exchange::ConfigLease { identifier: message.identifier, requested: message.attributes.clone() };
        established.exchanges.insert(message_id, waiting);
        if let Some(pool) = pool.filter(|_| !waits) {
            self.request_lease(sa, message_id, pool, wanted_address(&message.attributes));
        }
        Ok(())
    }

    /// The list has answered for a group: requests for an address that waited for it are handled.
    pub(crate) fn group_known(&mut self, sa: &mut IsakmpSa) -> Result<(), Refusal> {
        let Some(established) = sa.established_mut() else { return Ok(()) };
        let pool = established.pool(&self.cx.policy.global);
        let waits = |(id, exchange): (&u32, &Exchange)| match exchange {
            Exchange::ConfigLease { requested, .. } => Some((*id, wanted_address(requested))),
            Exchange::PushLease { .. } => Some((*id, None)),
            _ => None,
        };
        let waiting: Vec<_> = established.exchanges.iter().filter_map(waits).collect();
        let Some(pool) = pool else {
            for (message_id, _) in &waiting {
                established.exchanges.remove(message_id);
            }
            return if waiting.is_empty() { Ok(()) } else { Err(Refusal::NoModeConfig) };
        };
        for (message_id, wanted) in waiting {
            self.request_lease(sa, message_id, pool.clone(), wanted);
        }
        Ok(())
    }

    /// Asks for a lease; a peer that has one gets the same address again.
    fn request_lease(&mut self, sa: &IsakmpSa, message_id: u32, pool: String, wanted: Option<Ipv4Addr>) {
        let Some(peer) = sa.established().map(|established| established.peer) else { return };
        let owner = self.lease_owner(sa, peer);
        let current =
            self.cx.peers.get(&peer).and_then(|peer| peer.lease.as_ref()).map(|lease| lease.address);
        self.cx.ask_for_lease(
            sa.id,
            message_id,
            AskedLease { peer, pool, owner },
            current.or(wanted.map(IpAddr::V4)),
        );
    }

    /// Who holds the lease: group, user and device. Devices are distinguished by address, and also
    /// by port if another device of the same user has the same address.
    fn lease_owner(&self, sa: &IsakmpSa, peer_id: crate::names::PeerId) -> LeaseOwner {
        let peer = self.cx.peers.get(&peer_id);
        if let Some(lease) = peer.and_then(|peer| peer.lease.as_ref()) {
            return lease.owner.clone();
        }
        let group = peer.and_then(|peer| peer.group.clone()).unwrap_or_default();
        let user = peer.and_then(|peer| peer.user.clone());
        let plain = LeaseOwner { group, user, device: sa.path.remote.to_string() };
        let taken = self.cx.peers.of_owner(&plain).any(|id| id != peer_id);
        if taken || self.asked_by_another(peer_id, &plain) {
            return LeaseOwner { device: format!("{}:{}", sa.path.remote, sa.path.remote_port), ..plain };
        }
        plain
    }

    /// `{ HASH, REPLY(address, dns, ...) }  -->`
    pub(crate) fn lease_answered(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        lease: Result<Lease, LeaseError>,
    ) -> Result<(), Refusal> {
        let lease = match lease {
            Ok(lease) => lease,
            Err(error) => {
                let waiting = |sa: &mut IsakmpSa| sa.established_mut()?.exchanges.remove(&message_id);
                let waiting = waiting(sa).ok_or(Refusal::Unexpected(exchange::TRANSACTION))?;
                // a peer without a user that did not ask for an address can do without one
                if !matches!(waiting, Exchange::PushLease { .. }) || has_user(sa) {
                    self.delete_isakmp(sa, "no inner address");
                }
                return Err(error.into());
            }
        };
        let IpAddr::V4(address) = lease.address else {
            self.cx.give_back(lease);
            return self.lease_answered(sa, message_id, Err(LeaseError::NotIpv4));
        };
        if let Some(Exchange::PushLease { identifier }) =
            sa.established().and_then(|established| established.exchanges.get(&message_id))
        {
            let identifier = *identifier;
            self.push_lease(sa, message_id, identifier, lease, address);
            return Ok(());
        }
        let (identifier, requested, group, remaining) = match self.claim(sa, message_id) {
            Ok(claimed) => claimed,
            Err(refusal) => {
                self.cx.give_back(lease);
                return Err(refusal);
            }
        };
        let peer = sa.established().map(|established| established.peer);
        let Some(peer) = peer.filter(|peer| self.cx.peers.get(peer).is_some()) else {
            self.cx.give_back(lease);
            return Err(Refusal::Local("the client is gone"));
        };
        if let Some(replaced) = self.cx.peers.lease(peer, lease) {
            self.cx.give_back(replaced);
        }
        let version = self.cx.policy.global.application_version.clone();
        let attributes = config_reply(&group, &requested, address, remaining, &version);
        let answered = |kind: &u16| attributes.iter().any(|attribute| attribute.kind == *kind);
        let kinds: Vec<_> =
            requested.iter().map(|attribute| attribute.kind).filter(|kind| !answered(kind)).collect();
        let message = Config { kind: config::REPLY, identifier, attributes };
        self.trace_configuration_answered(sa, message_id, &requested, &message.attributes, address);
        if let Some(answer) = self.send_config(sa, message_id, config::REPLY, &message) {
            sa.seen.amend(message_id, answer);
        }
        if !kinds.is_empty() {
            self.event(Some(sa), EventKind::AttributesNotAnswered { kinds });
        }
        self.event(Some(sa), EventKind::AddressAssigned { address: address.into() });
        Ok(())
    }

    /// Takes the request for an address out of its exchange, with what the answer needs: the
    /// identifier, the attributes, the group, and how long the IKE SA lasts.
    fn claim(
        &self,
        sa: &mut IsakmpSa,
        message_id: u32,
    ) -> Result<(u16, Vec<Attribute>, Arc<ClientGroup>, Duration), Refusal> {
        let established = sa.established_mut().ok_or(Refusal::NoModeConfig)?;
        let Some(Exchange::ConfigLease { identifier, requested }) = established.exchanges.remove(&message_id)
        else {
            return Err(Refusal::Unexpected(exchange::TRANSACTION));
        };
        let group = established.group.clone().unwrap_or_else(|| Arc::new(ClientGroup::nameless()));
        established.config_used = true;
        Ok((identifier, requested, group, established.expires.since(self.cx.now)))
    }

    /// `{ HASH, SET(address, dns, ...) }  -->`: begins to push an address to an authorised peer
    /// that is a client, unless it has one.
    pub(crate) fn push_address(&mut self, sa: &mut IsakmpSa) {
        let Some(established) = sa.established() else { return };
        let is_client = has_user(sa) || !lookup::is_named(&self.cx.policy, sa.path.interface, sa.path.remote);
        let known = self.cx.peers.get(&established.peer).is_some_and(|peer| peer.lease.is_some());
        if !established.demands.initiate || sa.initiator || !is_client || known {
            return;
        }
        let pool = established.pool(&self.cx.policy.global);
        let waits = established.group.is_none() && self.cx.waits_for_group(sa.id);
        if pool.is_none() && !waits {
            return;
        }
        let message_id = self.cx.new_message_id(|id| established.is_in_use(id));
        let identifier = (self.cx.random.u32() & 0xffff) as u16;
        let Some(established) = sa.established_mut() else { return };
        established.exchanges.insert(message_id, Exchange::PushLease { identifier });
        if let Some(pool) = pool.filter(|_| !waits) {
            self.request_lease(sa, message_id, pool, None);
        }
    }

    /// There is an address to push.
    fn push_lease(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        identifier: u16,
        lease: Lease,
        address: Ipv4Addr,
    ) {
        let Some(established) = sa.established() else { return self.cx.give_back(lease) };
        let group = established.group.clone().unwrap_or_else(|| Arc::new(ClientGroup::nameless()));
        let wanted = PUSHED.map(|kind| Attribute::long(kind, []));
        let remaining = established.expires.since(self.cx.now);
        let attributes = config_reply(&group, &wanted, address, remaining, "");
        let message = Config { kind: config::SET, identifier, attributes };
        let sent = self.send_config(sa, message_id, config::SET, &message);
        match (sent, sa.established_mut()) {
            (Some((path, bytes)), Some(established)) => {
                let retransmit = Retransmit::sent(path, bytes, self.cx.now);
                established.exchanges.insert(message_id, Exchange::ConfigSet { lease, retransmit });
            }
            _ => self.cx.give_back(lease),
        }
    }

    /// `<--  { HASH, ACK }`: the address is the peer's.
    pub(crate) fn pushed(&mut self, sa: &mut IsakmpSa, lease: Lease) -> Result<(), Refusal> {
        let address = lease.address;
        let Some(established) = sa.established_mut() else {
            self.cx.give_back(lease);
            return Err(Refusal::Unexpected(exchange::TRANSACTION));
        };
        established.config_used = true;
        let peer = established.peer;
        if self.cx.peers.get(&peer).is_none() {
            self.cx.give_back(lease);
            return Err(Refusal::Local("the client is gone"));
        }
        if let Some(replaced) = self.cx.peers.lease(peer, lease) {
            self.cx.give_back(replaced);
        }
        self.event(Some(sa), EventKind::AddressAssigned { address });
        Ok(())
    }
}

/// The address that a client requests because it had it before.
fn wanted_address(requested: &[Attribute]) -> Option<Ipv4Addr> {
    let attribute = requested.iter().find(|attribute| attribute.kind == config::ADDRESS)?;
    let octets: [u8; 4] = attribute.bytes().try_into().ok()?;
    let address = Ipv4Addr::from(octets);
    (!address.is_unspecified()).then_some(address)
}

/// The answer to a client: the address always, other attributes if they are requested and
/// configured.
pub(crate) fn config_reply(
    group: &ClientGroup,
    requested: &[Attribute],
    address: Ipv4Addr,
    remaining: Duration,
    version: &str,
) -> Vec<Attribute> {
    let mut out = vec![Attribute::long(config::ADDRESS, address.octets())];
    // an attribute that is requested twice is answered once: a short request must not cause a long
    // answer
    let mut answered = BTreeSet::new();
    for kind in requested.iter().map(|attribute| attribute.kind).filter(|kind| answered.insert(*kind)) {
        let text = |text: &str| Attribute::long(kind, text.as_bytes());
        match kind {
            config::NETMASK => out.extend(group.netmask.map(|mask| Attribute::long(kind, mask.octets()))),
            config::DNS => out.extend(group.dns.iter().map(|server| Attribute::long(kind, server.octets()))),
            config::NBNS => {
                out.extend(group.wins.iter().map(|server| Attribute::long(kind, server.octets())))
            }
            config::ADDRESS_EXPIRY => {
                let seconds = u32::try_from(remaining.as_secs()).unwrap_or(u32::MAX);
                out.push(Attribute::long(kind, seconds.to_be_bytes()));
            }
            config::APPLICATION_VERSION => out.push(text(version)),
            config::UNITY_BANNER => out.extend(group.banner.as_deref().map(text)),
            config::UNITY_SAVE_PASSWORD if group.save_password => out.push(Attribute::short(kind, 1)),
            config::UNITY_DEF_DOMAIN => out.extend(group.domain.as_deref().map(text)),
            config::UNITY_SPLIT_DNS if !group.split_dns.is_empty() => {
                out.push(text(&group.split_dns.join(",")))
            }
            config::UNITY_SPLIT_INCLUDE if !group.split_include.is_empty() => {
                let mut list = Vec::new();
                for net in &group.split_include {
                    list.extend(net.network().octets());
                    list.extend(net.netmask().octets());
                    list.extend([0; 6]);
                }
                out.push(Attribute::long(kind, list));
            }
            config::UNITY_PFS if group.pfs => out.push(Attribute::short(kind, 1)),
            config::UNITY_BACKUP_SERVERS if !group.backup_gateways.is_empty() => {
                out.push(text(&group.backup_gateways.join(",")));
            }
            // unknown and unconfigured attributes are not answered
            _ => {}
        }
    }
    out
}
