//! Quick mode (RFC 2409 section 5.5).
//!
//! ```text
//! initiator                                          responder
//!   1  { HASH(1), SA, Ni [, KE] [, IDci, IDcr] }  -->
//!                        (our inbound SA is installed before message 2 is sent)
//!                                                 <--  2  { HASH(2), SA, Nr [, KE] [, IDci, IDcr] [, N] }
//!   3  { HASH(3) }                                -->
//!                        (our outbound SA is used after message 3 or the first valid ESP packet)
//! ```
//!
//! Nonces are 20 bytes: vpnc writes its own nonce into a payload as long as ours.

use super::phase1::{nonce, only};
use super::protected::{open, with_hash};
use crate::esp::sa::Half;
use crate::flow::selector::{AddressRange, Selector};
use crate::ike::authorization::AuthorizedPeer;
use crate::ike::claims::Claim;
use crate::ike::engine::Engine;
use crate::ike::explain::Refusal;
use crate::ike::identity::Proxy;
use crate::ike::lookup;
use crate::ike::misfit::Phase2Misfit;
use crate::ike::proposal::{
    Lifetimes, Phase2Choice, Phase2Difference, Phase2Suite, Phase2Wish, choose_phase2, judge_phase2,
    offer_phase2,
};
use crate::ike::retransmit::Retransmit;
use crate::ike::sa::{Answer, Exchange, IsakmpSa, PendingChild};
use crate::ike::snapshot::IsakmpState;
use crate::ike::trace::{EngineStep, Fsm, FsmInput, PayloadName, Trace};
use crate::ike::v1::vendor::Vendor;
use crate::limits;
use crate::names::{ChildId, Service, Spi};
use crate::path::Path;
use crate::policy::reserved::reserved;
use crate::policy::{EntryTerms, TransformSet};
use crate::wire::attribute::{self, Attribute};
use crate::wire::ike1::{Notify, parse_sa, write_sa};
use crate::wire::isakmp::{Chain, Header, Writer};
use crate::wire::registry::{exchange, ipsec, notify, payload, protocol};
use hubward_crypto::dh::DhPrivate;
use hubward_crypto::secret::Secret;
use std::sync::Arc;
use std::time::Duration;

/// Message 1 is sent.
pub(crate) struct Initiator {
    pub(crate) child: PendingChild,
    pub(crate) retransmit: Retransmit,
    terms: EntryTerms,
    spi: Spi,
    nonce: Vec<u8>,
    private: Option<DhPrivate>,
}

/// Message 2 is sent.
pub(crate) struct Responder {
    pub(crate) child: ChildId,
    pub(crate) retransmit: Retransmit,
    nonce_i: Vec<u8>,
    nonce_r: Vec<u8>,
}

/// Everything that makes a child SA.
pub(crate) struct NewChild {
    pub(crate) service: Service,
    pub(crate) terms: EntryTerms,
    pub(crate) selector: Selector,
    pub(crate) suite: Phase2Suite,
    /// The lifetimes that were proposed.
    pub(crate) offered: Lifetimes,
    pub(crate) inbound: Half,
    pub(crate) outbound: Half,
    pub(crate) replaces: Option<ChildId>,
    pub(crate) initiator: bool,
}

/// The duration of the last LIFE_DURATION in seconds in notification data.
pub(crate) fn lifetime_seconds(data: &[u8]) -> Option<Duration> {
    let mut kind = None;
    let mut seconds = None;
    for attribute in attribute::parse(data).ok()? {
        // life type and duration are attributes 11 and 12 in phase 1, 1 and 2 in phase 2
        match attribute.kind {
            1 | 11 => kind = attribute.as_number(),
            2 | 12 if kind == Some(u64::from(ipsec::SECONDS)) => seconds = attribute.as_number(),
            _ => {}
        }
    }
    seconds.filter(|seconds| *seconds >= 60).map(Duration::from_secs)
}

impl Engine {
    fn wish<'a>(sa: &IsakmpSa, terms: &'a EntryTerms, selector: &Selector) -> Phase2Wish<'a> {
        let gateways = selector.local == AddressRange::host(sa.path.local)
            && selector.remote == AddressRange::host(sa.path.remote);
        Phase2Wish {
            sets: &terms.transform_sets,
            pfs: terms.pfs,
            lifetime: terms.lifetime,
            kilobytes: terms.kilobytes,
            udp: sa.udp_dialect(),
            transport_possible: gateways,
        }
    }

    fn new_spi(&mut self) -> Spi {
        loop {
            let spi = self.random.u32();
            if spi >= 256 && !self.by_spi.contains_key(&spi) {
                return Spi(spi);
            }
        }
    }

    /// `1  { HASH(1), SA, Ni [, KE], IDci, IDcr }  -->`
    pub(crate) fn start_quick_mode(&mut self, sa: &mut IsakmpSa, child: PendingChild) -> Result<(), Refusal> {
        let established = sa.established().ok_or(Refusal::Local("phase 1 is not through"))?;
        if established.gate.authorized().is_none() {
            return Err(Refusal::NotAuthorized);
        }
        // the peer of a dynamic entry has its network because it proposed it, and another one that
        // is at its address does not have it
        let meant = sa.meant.map(|meant| meant.peer) == Some(established.peer);
        let replaced = child.replaces.and_then(|id| self.children.get(&id));
        if child.service.template().is_some()
            && !meant
            && replaced.is_none_or(|old| old.peer != established.peer)
        {
            return Err(Refusal::Local("another peer than the one that was called has answered"));
        }
        if established.exchanges.len() >= limits::EXCHANGES {
            return Err(Refusal::TooMany);
        }
        let same = |exchange: &Exchange| match exchange {
            Exchange::QuickInitiator(other) => {
                other.child.service == child.service && other.child.selector == child.selector
            }
            _ => false,
        };
        if established.exchanges.values().any(same) {
            return Ok(());
        }
        let mut terms = self
            .policy
            .terms(&child.service)
            .cloned()
            .ok_or(Refusal::Local("the crypto map entry is gone"))?;
        if let Some(old) = child.replaces.and_then(|id| self.children.get(&id)) {
            // a rekey proposes only the suite in use: a client accepts a single transform
            let set = TransformSet { name: String::new(), suite: old.sa.suite, mode: old.sa.mode, line: 0 };
            terms.transform_sets = vec![set];
            terms.pfs = old.pfs;
        }
        let spi = self.new_spi();
        let private = terms.pfs.map(|group| DhPrivate::generate(group, &mut self.random));
        let nonce = self.random.array::<20>().to_vec();
        let (local, remote) = Proxy::of(&child.selector);
        let mut writer = Writer::new();
        writer.push(payload::SA, write_sa(&offer_phase2(&Self::wish(sa, &terms, &child.selector), spi)));
        writer.push(payload::NONCE, nonce.clone());
        if let Some(private) = &private {
            writer.push(payload::KE, private.public());
        }
        writer.push(payload::ID, local.write()).push(payload::ID, remote.write());
        let established = sa.established().ok_or(Refusal::Local("phase 1 is not through"))?;
        let message_id = self.new_message_id(|id| established.is_in_use(id));
        let plain = with_hash(&writer, |rest| established.keys.hash1(message_id, rest));
        let bytes = Self::seal_exchange(sa, exchange::QUICK, message_id, plain)
            .ok_or(Refusal::Local("phase 1 is not through"))?;
        self.steps(sa, || {
            vec![
                Trace::NewNode(message_id, IsakmpState::QmIdle),
                Trace::Engine(EngineStep::Hmac),
                Trace::Sent(IsakmpState::QmIdle, sa.initiator),
            ]
        });
        self.node_moves(sa, message_id, FsmInput::RequestQuick, Fsm::QuickReady, Fsm::QuickInitiator);
        let retransmit = self.transmit_expecting(sa.path, bytes);
        let state = Initiator { child, retransmit, terms, spi, nonce, private };
        if let Some(established) = sa.established_mut() {
            established.exchanges.insert(message_id, Exchange::QuickInitiator(Box::new(state)));
        }
        self.use_message_id(sa, message_id);
        Ok(())
    }

    /// A quick mode starts. Phase 1 is rekeyed in time, before the list of remembered ids is full.
    /// If that does not happen, the SA ends, because a forgotten id could be used twice.
    fn use_message_id(&mut self, sa: &mut IsakmpSa, message_id: u32) {
        let now = self.now;
        let Some(established) = sa.established_mut() else { return };
        established.message_ids.insert(message_id);
        if established.message_ids.runs_out() {
            established.renew = established.renew.map(|_| now);
        }
        if established.message_ids.is_full() {
            established.retire = Some(now + limits::FIRST_RETRANSMIT * 4);
        }
    }

    /// A quick mode message was received.
    pub(crate) fn quick_mode(
        &mut self,
        sa: &mut IsakmpSa,
        path: Path,
        header: &Header,
        body: &[u8],
    ) -> Result<Answer, Refusal> {
        Self::must_be_encrypted(header)?;
        let message_id = header.message_id;
        let established = sa.established_mut().ok_or(Refusal::Unexpected(header.exchange))?;
        let decrypted =
            established.ivs.decrypt(&established.keys, message_id, body).map_err(|_| Refusal::Hash)?;
        let keys = established.keys.clone();
        match established.exchanges.get(&message_id) {
            None if established.message_ids.contains(message_id) => Err(Refusal::MessageIdUsed(message_id)),
            None => {
                let opened = open(&keys, header.first, &decrypted, |rest| keys.hash1(message_id, rest))?;
                // check authorisation before acting on anything in the message
                let authorized = established.gate.authorized().cloned().ok_or(Refusal::NotAuthorized)?;
                if established.exchanges.len() >= limits::EXCHANGES || established.message_ids.is_full() {
                    return Err(Refusal::TooMany);
                }
                established.ivs.advance(message_id, &decrypted);
                established.dpd.heard = self.now;
                self.use_message_id(sa, message_id);
                self.quick_steps(sa, message_id, true);
                // message 1 may be a recorded one: the answer goes to where it came from, but the
                // SA's path follows only message 3, which proves that the peer is there now
                let home = std::mem::replace(&mut sa.path, path);
                let answered = self.quick_mode_respond(sa, message_id, &opened.chain, &authorized);
                if let Err(refusal) = &answered
                    && let Some(told) = self.quick_mode_reject(sa, refusal)
                {
                    sa.seen.amend(message_id, told);
                }
                sa.path = home;
                answered
            }
            Some(Exchange::QuickInitiator(state)) => {
                let opened =
                    open(&keys, header.first, &decrypted, |rest| keys.hash2(message_id, &state.nonce, rest))?;
                established.ivs.advance(message_id, &decrypted);
                established.dpd.heard = self.now;
                let Some(Exchange::QuickInitiator(state)) = established.exchanges.remove(&message_id) else {
                    return Err(Refusal::Unexpected(header.exchange));
                };
                self.follow(sa, path);
                self.quick_steps(sa, message_id, false);
                let answered = self.quick_mode_answered(sa, message_id, &state, &opened.chain);
                if answered.is_err() {
                    self.quick_mode_failed(sa, &state);
                }
                answered
            }
            Some(Exchange::QuickResponder(state)) => {
                let nonces = (state.nonce_i.clone(), state.nonce_r.clone());
                open(&keys, header.first, &decrypted, |_| keys.hash3(message_id, &nonces.0, &nonces.1))?;
                let child = state.child;
                established.exchanges.remove(&message_id);
                established.ivs.forget(message_id);
                established.dpd.heard = self.now;
                self.follow(sa, path);
                self.engine_step(sa, EngineStep::Hmac);
                self.use_outbound(child);
                self.step(sa, || Trace::NodeDeleted(message_id, "quick mode done (await)"));
                let (old, new) = (Fsm::QuickResponder, Fsm::Phase2Complete);
                self.node_moves(sa, message_id, FsmInput::QuickMode, old, new);
                self.installed_step(child);
                Ok(None)
            }
            Some(_) => Err(Refusal::Unexpected(header.exchange)),
        }
    }

    /// `<--  2  { HASH(2), SA, Nr [, KE] [, IDci, IDcr] [, N] }`
    pub(crate) fn quick_mode_respond(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        chain: &Chain<'_>,
        authorized: &AuthorizedPeer,
    ) -> Result<Answer, Refusal> {
        let established = sa.established().ok_or(Refusal::Unexpected(exchange::QUICK))?;
        let keys = established.keys.clone();
        let (peer, profile) = (established.peer, established.profile.clone());
        let offered = parse_sa(only(chain, payload::SA, "SA")?)?;
        let nonce_i = nonce(chain, None)?;
        let unity = sa.vendors.has(Vendor::Unity);
        let ids: Vec<_> = chain.all(payload::ID).collect();
        let selector = match ids.as_slice() {
            [] => Selector::between(AddressRange::host(sa.path.local), AddressRange::host(sa.path.remote)),
            [theirs, ours] => {
                let (remote, local) = (Proxy::parse(theirs, unity)?, Proxy::parse(ours, unity)?);
                Proxy::selector(&local, &remote).ok_or(Refusal::MissingPayload("matching ID"))?
            }
            _ => return Err(Refusal::MissingPayload("ID")),
        };
        let lease = self.check_client_selector(peer, &selector, authorized)?;
        let replaces = self.replaced_by(peer, &selector);
        // replaced child SAs do not keep a new network out, and those in use do not prevent a rekey
        let limit = self.children_limit(sa.path.interface);
        let standing = self.children_of(peer).filter(|child| !child.superseded).count();
        let unused = self.children_of(peer).filter(|child| child.superseded || !child.outbound).count();
        if unused >= limit + limits::EXCHANGES || (standing >= limit && replaces.is_none()) {
            return Err(Refusal::TooMany);
        }
        let (found, choice) = if let Some(connection) = &sa.connection {
            // a gateway that rekeys our child SA proposes the selector of the one in use
            if replaces.is_none() {
                return Err(no_entry(&selector, None));
            }
            let service = Service::Client(connection.name.clone());
            let choice = choose_phase2(&Self::wish(sa, &connection.terms, &selector), &offered)
                .map_err(|difference| misfit(&connection.terms, &offered, difference))?;
            ((service, connection.terms.clone()), choice)
        } else {
            self.choose_entry(sa, profile.as_deref(), &selector, &offered)?
        };
        let (service, terms) = found;
        // not checked for a client's leased address, nor for the outer address of a peer without
        // NAT
        let own =
            lease.is_some() || (selector.remote == AddressRange::host(sa.path.remote) && !sa.nat.remote);
        if service.template().is_some()
            && !own
            && let Some((range, kind)) = reserved(&self.policy, &terms, &selector)
        {
            return Err(Refusal::ReservedNetwork { theirs: selector.remote, reserved: range, kind });
        }
        if !own && self.claim_network(sa, message_id, &service, &selector)? == Claim::Asked {
            self.hold(sa, message_id, chain);
            return Ok(None);
        }
        self.steps(sa, || {
            let ids = ids.iter().map(|_| Trace::Processing(PayloadName::Id, message_id));
            let nonce = Trace::Processing(PayloadName::Nonce, message_id);
            std::iter::once(nonce).chain(ids).chain([Trace::SpiAsked]).collect()
        });
        self.node_moves(sa, message_id, FsmInput::QuickMode, Fsm::QuickReady, Fsm::QuickSpi);
        let private = choice.suite.pfs.map(|group| DhPrivate::generate(group, &mut self.random));
        let shared = match (&private, chain.only(payload::KE)) {
            (Some(private), Some(public)) => Some(private.agree(public)?),
            (Some(_), None) => return Err(misfit(&terms, &offered, Phase2Difference::Pfs)),
            (None, _) => None,
        };
        let nonce_r = self.random.array::<20>().to_vec();
        let spi = self.new_spi();
        self.step(sa, || Trace::SpiGiven(spi));
        let (inbound, outbound) = halves(&keys, &choice.suite, spi, (nonce_i, &nonce_r), shared.as_ref());
        let new = NewChild {
            service,
            selector,
            suite: choice.suite,
            offered: Lifetimes::of(&choice.transform),
            inbound,
            outbound,
            replaces,
            initiator: false,
            terms,
        };
        // install the inbound SA before sending message 2: the peer may send ESP as soon as it has
        // that
        let child = self.install_child(sa, new, lease);
        let mut writer = Writer::new();
        writer.push(payload::SA, write_sa(&choice.answer(spi))).push(payload::NONCE, nonce_r.clone());
        if let Some(private) = &private {
            writer.push(payload::KE, private.public());
        }
        for id in ids {
            writer.push(payload::ID, id);
        }
        if choice.suite.shortened {
            writer.push(payload::NOTIFY, responder_lifetime(&choice.suite, spi).write());
        }
        let plain = with_hash(&writer, |rest| keys.hash2(message_id, nonce_i, rest));
        let bytes = Self::seal_exchange(sa, exchange::QUICK, message_id, plain)
            .ok_or(Refusal::Unexpected(exchange::QUICK))?;
        self.steps(sa, || {
            vec![Trace::Engine(EngineStep::Hmac), Trace::Sent(IsakmpState::QmIdle, sa.initiator)]
        });
        self.node_moves(sa, message_id, FsmInput::SpiReply, Fsm::QuickSpi, Fsm::QuickResponder);
        let retransmit = self.transmit_expecting(sa.path, bytes.clone());
        let state = Responder { child, retransmit, nonce_i: nonce_i.to_vec(), nonce_r };
        if let Some(established) = sa.established_mut() {
            established.exchanges.insert(message_id, Exchange::QuickResponder(Box::new(state)));
        }
        Ok(Some((sa.path, bytes)))
    }

    /// The first entry, in IOS's order, whose transform sets accept one of the proposals.
    fn choose_entry(
        &mut self,
        sa: &IsakmpSa,
        profile: Option<&str>,
        selector: &Selector,
        offered: &[crate::wire::ike1::Proposal],
    ) -> Result<((Service, EntryTerms), Phase2Choice), Refusal> {
        let policy = Arc::clone(&self.policy);
        let entries = lookup::entries_for(&policy, sa.path.interface, sa.path.remote, profile, selector);
        let mut closest = None;
        let first = entries.first().filter(|_| self.traces(sa)).map(|found| found.terms.clone());
        for found in entries {
            let choice = choose_phase2(&Self::wish(sa, found.terms, selector), offered);
            if found.terms.left_out && (choice.is_ok() || found.terms.transform_sets.is_empty()) {
                self.proposal_steps(sa, &first.unwrap_or_default(), selector, offered, None);
                return Err(no_entry(selector, profile));
            }
            match choice {
                Ok(choice) => {
                    self.proposal_steps(sa, found.terms, selector, offered, Some(&choice));
                    return Ok(((found.service, found.terms.clone()), choice));
                }
                Err(difference) => {
                    if closest.as_ref().is_none_or(|(nearest, _)| difference > *nearest) {
                        closest = Some((difference, found.terms));
                    }
                }
            }
        }
        self.proposal_steps(sa, &first.unwrap_or_default(), selector, offered, None);
        Err(closest.map_or_else(
            || no_entry(selector, profile),
            |(difference, terms)| misfit(terms, offered, difference),
        ))
    }

    /// Traces a received quick mode message with a proposal: message 1 (`first`) or 2.
    fn quick_steps(&mut self, sa: &IsakmpSa, message_id: u32, first: bool) {
        self.steps(sa, || {
            let node = first.then_some(Trace::NewNode(message_id, IsakmpState::QmIdle));
            let came = [
                Trace::Engine(EngineStep::Hmac),
                Trace::Processing(PayloadName::Hash, message_id),
                Trace::Processing(PayloadName::Sa, message_id),
            ];
            node.into_iter().chain(came).collect()
        });
    }

    /// Traces the comparison of the phase-2 transforms with the configuration.
    fn proposal_steps(
        &mut self,
        sa: &IsakmpSa,
        terms: &EntryTerms,
        selector: &Selector,
        offered: &[crate::wire::ike1::Proposal],
        choice: Option<&Phase2Choice>,
    ) {
        if !self.traces(sa) {
            return;
        }
        let judged = judge_phase2(&Self::wish(sa, terms, selector), offered, choice);
        let map = self.policy.map_of(sa.path.interface).map(|map| Arc::clone(&map.name)).unwrap_or_default();
        self.steps(sa, || {
            let mut out: Vec<_> = judged.into_iter().map(Trace::Phase2Transform).collect();
            match choice {
                Some(choice) => out.extend([
                    Trace::ProposalRequest(*selector, choice.suite.suite, choice.suite.mode),
                    Trace::Engine(EngineStep::ValidateRequest),
                    Trace::ProxyCheck(map, true),
                ]),
                None if terms.transform_sets.is_empty() => {
                    out.extend([Trace::ProxyCheck(map, false), Trace::Phase2Refused]);
                }
                None => out.push(Trace::Phase2Refused),
            }
            out
        });
    }

    /// A client may propose only its assigned address as its proxy identity, and no other peer may
    /// propose that address. Old Cisco clients open a second SA to the hub itself, which this rule
    /// permits; the inner source of a packet must be the assigned address in any case.
    fn check_client_selector(
        &self,
        peer: crate::names::PeerId,
        selector: &Selector,
        authorized: &AuthorizedPeer,
    ) -> Result<Option<std::net::IpAddr>, Refusal> {
        let Some(known) = self.peers.get(&peer) else { return Ok(None) };
        let address = known.lease.as_ref().map(|lease| lease.address);
        match address {
            Some(address) if selector.remote != AddressRange::host(address) => {
                Err(Refusal::ForeignAddress(selector.remote.to_string()))
            }
            // a peer with an Xauth user or a group is a client and needs an address first
            None if known.connection.is_none() && (authorized.user().is_some() || known.group.is_some()) => {
                let reachable = self.static_client(selector);
                if reachable { Ok(None) } else { Err(Refusal::ForeignAddress(selector.remote.to_string())) }
            }
            // of equal selectors the newest gets the traffic: a spoke that proposes a client's
            // address would take over the client's traffic
            None if self.is_leased_to_another(peer, selector) => {
                Err(Refusal::LeasedAddress(selector.remote.to_string()))
            }
            address => Ok(address),
        }
    }

    /// Whether the peer's side of a selector is exactly the address leased to another peer.
    fn is_leased_to_another(&self, peer: crate::names::PeerId, selector: &Selector) -> bool {
        let address = selector.remote.first();
        selector.remote == AddressRange::host(address) && self.peers.leased(address).any(|id| id != peer)
    }

    /// Without mode-config, a client's proxy identity is accepted only if a crypto ACL of a dynamic
    /// map permits it.
    fn static_client(&self, selector: &Selector) -> bool {
        self.policy.maps.iter().flat_map(|map| &map.entries).any(|entry| match &entry.kind {
            crate::policy::MapEntryKind::Static { .. } => false,
            crate::policy::MapEntryKind::Dynamic { entries, .. } => entries
                .iter()
                .any(|entry| entry.terms.acl.as_ref().is_some_and(|acl| lookup::permits(acl, selector))),
        })
    }

    /// `3  { HASH(3) }  -->`
    fn quick_mode_answered(
        &mut self,
        sa: &mut IsakmpSa,
        message_id: u32,
        state: &Initiator,
        chain: &Chain<'_>,
    ) -> Result<Answer, Refusal> {
        let established = sa.established().ok_or(Refusal::Unexpected(exchange::QUICK))?;
        let keys = established.keys.clone();
        let peer = established.peer;
        let answer = parse_sa(only(chain, payload::SA, "SA")?)?;
        let nonce_r = nonce(chain, Some(&state.nonce))?;
        let mut choice = choose_phase2(&Self::wish(sa, &state.terms, &state.child.selector), &answer)
            .map_err(|_| Refusal::NotOffered)?;
        if choice.suite.pfs != state.terms.pfs {
            return Err(Refusal::NotOffered);
        }
        let shared = match (&state.private, chain.only(payload::KE)) {
            (Some(private), Some(public)) => Some(private.agree(public)?),
            (Some(_), None) => return Err(Refusal::MissingPayload("KE")),
            (None, _) => None,
        };
        let ids: Vec<_> = chain.all(payload::ID).collect();
        if let [ours, theirs] = ids.as_slice() {
            // the answer must contain the proxy identities that we proposed
            let unity = sa.vendors.has(Vendor::Unity);
            let (local, remote) = (Proxy::parse(ours, unity)?, Proxy::parse(theirs, unity)?);
            let answered = Proxy::selector(&local, &remote);
            if answered.is_none_or(|answered| answered != state.child.selector) {
                return Err(Refusal::NotOffered);
            }
        }
        for body in chain.all(payload::NOTIFY) {
            let message = Notify::parse(body)?;
            if message.kind == notify::RESPONDER_LIFETIME
                && let Some(seconds) = lifetime_seconds(&message.data)
            {
                choice.suite.lifetime = choice.suite.lifetime.min(seconds);
            }
        }
        self.proposal_steps(sa, &state.terms, &state.child.selector, &answer, Some(&choice));
        let (inbound, outbound) =
            halves(&keys, &choice.suite, state.spi, (&state.nonce, nonce_r), shared.as_ref());
        let lease = self.peers.get(&peer).and_then(|peer| peer.lease.as_ref()).map(|lease| lease.address);
        let new = NewChild {
            service: state.child.service.clone(),
            terms: state.terms.clone(),
            selector: state.child.selector,
            suite: choice.suite,
            offered: Lifetimes::of(&choice.transform),
            inbound,
            outbound,
            replaces: state.child.replaces.or_else(|| self.replaced_by(peer, &state.child.selector)),
            initiator: true,
        };
        let child = self.install_child(sa, new, lease);
        let hash = keys.hash3(message_id, &state.nonce, nonce_r);
        let mut writer = Writer::new();
        writer.push(payload::HASH, hash.to_vec());
        let bytes = Self::seal_exchange(sa, exchange::QUICK, message_id, writer.bytes())
            .ok_or(Refusal::Unexpected(exchange::QUICK))?;
        self.use_outbound(child);
        self.step(sa, || Trace::Sent(IsakmpState::QmIdle, sa.initiator));
        self.transmit(sa.path, bytes.clone());
        self.step(sa, || Trace::NodeDeleted(message_id, "No Error"));
        self.node_moves(sa, message_id, FsmInput::QuickMode, Fsm::QuickInitiator, Fsm::Phase2Complete);
        self.installed_step(child);
        Ok(Some((sa.path, bytes)))
    }

    /// Notifies the peer why its quick mode is refused; nothing of its message is copied into the
    /// answer.
    pub(crate) fn quick_mode_reject(&mut self, sa: &IsakmpSa, refusal: &Refusal) -> Answer {
        let kind = match refusal {
            Refusal::NoPhase2Proposal(_) => notify::NO_PROPOSAL_CHOSEN,
            Refusal::NoCryptoMapEntry { .. }
            | Refusal::ForeignAddress(_)
            | Refusal::LeasedAddress(_)
            | Refusal::ReservedNetwork { .. }
            | Refusal::ConfiguredNetwork { .. }
            | Refusal::HeldNetwork { .. }
            | Refusal::Identity(_) => notify::INVALID_ID_INFORMATION,
            Refusal::TooMany => return None,
            _ => notify::PAYLOAD_MALFORMED,
        };
        let message = Notify { protocol: protocol::ISAKMP, spi: Vec::new(), kind, data: Vec::new() };
        self.notify(sa, &message)
    }

    /// The peer refuses something. If a single quick mode of ours is in progress, it is over; if
    /// there are several, the SPI identifies it.
    pub(crate) fn quick_mode_refused(&mut self, sa: &mut IsakmpSa, message: &Notify) {
        let Some(established) = sa.established_mut() else { return };
        let ours: Vec<_> = established
            .exchanges
            .iter()
            .filter_map(|(id, exchange)| match exchange {
                Exchange::QuickInitiator(quick) => Some((*id, quick.spi.0.to_be_bytes())),
                _ => None,
            })
            .collect();
        let which = match ours.as_slice() {
            [(only, _)] => Some(*only),
            several => several.iter().find(|(_, spi)| message.spi == spi).map(|(id, _)| *id),
        };
        if let Some(id) = which
            && let Some(Exchange::QuickInitiator(quick)) = established.exchanges.remove(&id)
        {
            self.quick_mode_failed(sa, &quick);
        }
    }
}

fn no_entry(selector: &Selector, profile: Option<&str>) -> Refusal {
    Refusal::NoCryptoMapEntry { selector: *selector, profile: profile.map(str::to_string) }
}

fn misfit(
    terms: &EntryTerms,
    offered: &[crate::wire::ike1::Proposal],
    difference: Phase2Difference,
) -> Refusal {
    Refusal::NoPhase2Proposal(Box::new(Phase2Misfit::new(terms, offered, difference)))
}

/// The keys of both directions: the KEYMAT of a direction depends on its receiver's SPI.
fn halves(
    keys: &crate::ike::v1::keys::Phase1Keys,
    suite: &Phase2Suite,
    own: Spi,
    nonces: (&[u8], &[u8]),
    shared: Option<&Secret>,
) -> (Half, Half) {
    let half = |spi: Spi| Half { spi, keymat: keys.keymat(suite.suite, spi.0, nonces, shared) };
    (half(own), half(suite.spi))
}

fn responder_lifetime(suite: &Phase2Suite, spi: Spi) -> Notify {
    let mut data = Vec::new();
    let seconds = u32::try_from(suite.lifetime.as_secs()).unwrap_or(u32::MAX);
    let attributes = [
        Attribute::short(ipsec::LIFE_TYPE, ipsec::SECONDS),
        Attribute::long(ipsec::LIFE_DURATION, seconds.to_be_bytes()),
    ];
    attribute::write(&attributes, &mut data);
    Notify {
        protocol: protocol::ESP,
        spi: spi.0.to_be_bytes().to_vec(),
        kind: notify::RESPONDER_LIFETIME,
        data,
    }
}
